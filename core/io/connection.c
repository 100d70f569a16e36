/* SPDX-License-Identifier: MIT
 * Transports that connect: to a name, and to a Unix socket. */
#include "core/base/error.h"
#include "core/io/sys_socket.h"
#include "core/io/transport_open.h"
#include "core/io/try.h"

#include <unistd.h>
#include <weft/connect.h>
#include <weft/io.h>

/* The loop for a call that waits: the running one. */
static struct weft__loop *running(weft_loop *handle, const weft_protocol *protocol, int *ret_error)
{
    struct weft__loop *loop;

    *ret_error = weft__protocol_check(protocol);
    loop = *ret_error < 0 ? NULL : weft__loop_of(handle, ret_error);
    if (loop && loop != weft__running) {
        *ret_error = weft__misuse(-EPERM);
        return NULL;
    }
    return loop;
}

/* Makes a transport of a connected socket, which is taken. */
static int begin(struct weft__loop *loop, const weft_protocol *protocol, void *self, int fd,
                 int family, weft_transport **ret_transport)
{
    int r = weft__transport_begin_socket(loop, protocol, self, fd, family, ret_transport);

    if (r < 0) {
        (void)weft__fd_close(loop, fd);
    }
    return r;
}

int weft_loop_create_connection(weft_loop *handle, const weft_protocol *protocol, void *self,
                                const char *host, int port, const weft_connect_options *options,
                                weft_transport **ret_transport)
{
    int r = 0, fd;
    struct weft__loop *loop = running(handle, protocol, &r);

    if (!loop) {
        return r;
    }
    r = weft_connect_host(host, port, options, &fd);
    return r < 0 ? r : begin(loop, protocol, self, fd, AF_INET, ret_transport);
}

int weft_loop_create_unix_connection(weft_loop *handle, const weft_protocol *protocol, void *self,
                                     const char *path, weft_transport **ret_transport)
{
    weft_address to;
    int r = path && *path ? weft_address_unix(path, &to) : -EINVAL, fd;
    struct weft__loop *loop = r < 0 ? NULL : running(handle, protocol, &r);

    if (!loop) {
        return r;
    }
    fd = WEFT__SYS(weft__sys_socket(AF_UNIX, SOCK_STREAM, 0));
    if (fd < 0) {
        return -errno;
    }
    weft__io_fresh(fd);
    r = weft_connect(fd, &to.sockaddr, to.length);
    if (r < 0) {
        (void)weft__fd_close(loop, fd);
        return weft__detail(r, "cannot connect to %s", path);
    }
    return begin(loop, protocol, self, fd, AF_UNIX, ret_transport);
}
