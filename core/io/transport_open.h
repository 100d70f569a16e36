/* SPDX-License-Identifier: MIT
 * Making transports. */
#ifndef WEFT_CORE_TRANSPORT_OPEN_H
#define WEFT_CORE_TRANSPORT_OPEN_H

#include "core/io/transport.h"

/* Makes a transport in the context of the caller, and, in a task, waits until connection_made() has
 * returned.  The descriptor is taken by success. */
int weft__transport_begin(struct weft__loop *loop, struct weft__transport_request *request,
                          weft_transport **ret_transport);

/* The same for a connected stream socket that does not block. */
int weft__transport_begin_socket(struct weft__loop *loop, const weft_protocol *protocol, void *self,
                                 int fd, int family, weft_transport **ret_transport);

int weft__set_nonblocking(int fd);

#endif
