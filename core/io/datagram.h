/* SPDX-License-Identifier: MIT
 * Datagram sockets from inside. */
#ifndef WEFT_CORE_DATAGRAM_H
#define WEFT_CORE_DATAGRAM_H

#include "core/base/base.h"

#include <weft/datagram.h>

/* A cell of a pool of the process. */
struct weft__datagram {
    uintptr_t handle;
    int fd;
    int family;
};

/* Opens, binds and connects a socket; the errors have words. */
int weft__datagram_socket(const weft_address *local, const weft_address *remote,
                          const weft_datagram_options *options, int *ret_fd);

/* The living socket of a handle; NULL and the error. */
struct weft__datagram *weft__datagram_of(weft_datagram *handle, int *ret_error);

#endif
