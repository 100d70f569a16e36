/* SPDX-License-Identifier: MIT
 * A connection to a host, by its name. */
#ifndef WEFT_CORE_CONNECT_H
#define WEFT_CORE_CONNECT_H

#include "core/base/base.h"

#include <weft/stream.h>

/* Connects in the running task to one of the addresses of `host` (NULL: this host); the socket is
 * TCP's and does not block.  `options` is there.  0, or the error of the address that was tried
 * last, of the name, or -ECANCELED; then nothing is left. */
int weft__connect_host(const char *host, int port, const weft_connection_options *options,
                       int *ret_fd);

#endif
