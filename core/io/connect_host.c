/* SPDX-License-Identifier: MIT
 * A connection to a host: its addresses, one after the other. */
#include "core/io/connect.h"

#include "core/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <weft/dns.h>
#include <weft/io.h>

static int connect_to(const weft_address *address, const weft_address *local, int *ret_fd)
{
    int fd = weft_socket(address->family, SOCK_STREAM, 0), r = 0;

    if (fd < 0) {
        return fd;
    }
    if (local && WEFT__SYS(bind(fd, &local->sockaddr, local->length)) < 0) {
        r = -errno;
    }
    r = r < 0 ? r : weft_connect(fd, &address->sockaddr, address->length);
    if (r < 0) {
        (void)weft_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int weft__connect_host(const char *host, int port, const weft_connection_options *options,
                       int *ret_fd)
{
    weft_addrinfo_options wanted = { .family = options->family, .type = SOCK_STREAM };
    weft_addrinfo *info;
    char service[8];
    int r;

    snprintf(service, sizeof service, "%d", port);
    r = weft_getaddrinfo(host, service, &wanted, &info);
    if (r < 0) {
        return r;
    }
    r = -ENOENT;
    for (size_t i = 0; i < info->count && r < 0 && r != -ECANCELED; i++) {
        r = connect_to(&info->addresses[i], options->local, ret_fd);
    }
    weft_addrinfo_free(info);
    return r;
}
