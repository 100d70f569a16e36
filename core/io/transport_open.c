/* SPDX-License-Identifier: MIT
 * Transports for descriptors that are there already: sockets, pipes, terminals. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/sys_file.h"
#include "core/io/sys_socket.h"
#include "core/io/transport_open.h"
#include "core/io/try.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes the context along, and in a task waits for connection_made(). */
int weft__transport_begin(struct weft__loop *loop, struct weft__transport_request *request,
                          weft_transport **ret_transport)
{
    struct weft__transport *t;
    int r;

    request->vars = weft__context_capture();
    r = weft__transport_new(loop, request, &t);
    weft__vars_unref(request->vars);
    if (r < 0) {
        return r;
    }
    t->holds++; /* it may be lost while we wait */
    weft__transport_await_made(t);
    t->holds--;
    if (ret_transport) {
        *ret_transport = weft__transport_handle(t);
    }
    weft__transport_release(t);
    return 0;
}

int weft__set_nonblocking(int fd)
{
    int flags = WEFT__SYS(fcntl(fd, F_GETFL));

    if (flags < 0 || (!(flags & O_NONBLOCK) &&
                      WEFT__SYS(fcntl(fd, F_SETFL, flags | O_NONBLOCK)) < 0)) {
        return -errno;
    }
    return 0;
}

int weft__transport_begin_socket(struct weft__loop *loop, const weft_protocol *protocol, void *self,
                                 int fd, int family, weft_transport **ret_transport)
{
    bool is_ip = family == AF_INET || family == AF_INET6;
    weft_address peer = { .length = sizeof peer.storage };
    struct weft__transport_request request = {
        .protocol = protocol,
        .self = self,
        .fd = fd,
        .is_socket = true,
        .edge = is_ip,
        .empties = is_ip,
    };

    WEFT__HUSH(fd);
    if (is_ip) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (getpeername(fd, &peer.sockaddr, &peer.length) == 0) {
            peer.family = peer.sockaddr.sa_family;
            request.peer = &peer;
        }
    }
    return weft__transport_begin(loop, &request, ret_transport);
}

/* The family of a stream socket, or a negative errno. */
static int family_of(int fd)
{
    struct sockaddr_storage own;
    int type;

    if (WEFT__SYS(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof type })) < 0 ||
        WEFT__SYS(getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own })) < 0) {
        return -errno;
    }
    if (type != SOCK_STREAM) {
        return weft__words(-EPROTOTYPE, "a transport needs a stream socket");
    }
    return own.ss_family;
}

int weft_loop_connect_accepted_socket(weft_loop *handle, const weft_protocol *protocol, void *self,
                                      int fd, weft_transport **ret_transport)
{
    int r = weft__protocol_check(protocol), family = 0;
    struct weft__loop *loop = r < 0 ? NULL : weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    family = fd < 0 ? -EBADF : family_of(fd);
    r = family < 0 ? family : weft__set_nonblocking(fd);
    if (r < 0) {
        return r;
    }
    return weft__transport_begin_socket(loop, protocol, self, fd, family, ret_transport);
}

/* ---- pipes ---- */

/* A descriptor of our own to the same pipe or terminal: the program's standard ones, which others
 * share, keep their manners. */
static int open_again(int fd, bool is_socket, int mode)
{
    int own = is_socket ? -1 : weft__sys_open_again(fd, mode), r = 0;

    if (is_socket || (own < 0 && errno == ENOTSUP)) {
        /* A socket: MSG_DONTWAIT does the rest.  Where a pipe cannot be opened again, all do not
         * block who have it open. */
        own = WEFT__SYS(fcntl(fd, F_DUPFD_CLOEXEC, 3));
        r = is_socket || own < 0 ? 0 : weft__set_nonblocking(own);
    }
    if (r < 0) {
        close(own);
        return r;
    }
    return own < 0 ? -errno : weft__io_fresh(own);
}

static int begin_pipe(struct weft__loop *loop, const weft_protocol *protocol, void *self, int fd,
                      enum weft__transport_kind kind, weft_transport **ret_transport)
{
    struct stat is;
    struct weft__transport_request request = { .protocol = protocol, .self = self, .kind = kind };
    int r = 0;

    if (WEFT__SYS(fstat(fd, &is)) < 0) {
        return -errno;
    }
    if (!S_ISFIFO(is.st_mode) && !S_ISSOCK(is.st_mode) && !S_ISCHR(is.st_mode)) {
        return weft__words(-EPERM, "pipe transports are for pipes, sockets and terminals");
    }
    request.is_socket = S_ISSOCK(is.st_mode);
    request.edge = request.empties = S_ISFIFO(is.st_mode);
    if (fd <= STDERR_FILENO) {
        r = open_again(fd, request.is_socket, kind == WEFT__READ_PIPE ? O_RDONLY : O_WRONLY);
        request.fd = r;
    } else {
        r = request.is_socket ? 0 : weft__set_nonblocking(fd);
        request.fd = fd;
    }
    r = r < 0 ? r : weft__transport_begin(loop, &request, ret_transport);
    if (r < 0 && request.fd > STDERR_FILENO && request.fd != fd) {
        close(request.fd);
    }
    return r;
}

static int connect_pipe(weft_loop *handle, const weft_protocol *protocol, void *self, int fd,
                        enum weft__transport_kind kind, weft_transport **ret_transport)
{
    int r = weft__protocol_check(protocol);
    struct weft__loop *loop = r < 0 ? NULL : weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    return fd < 0 ? -EBADF : begin_pipe(loop, protocol, self, fd, kind, ret_transport);
}

int weft_loop_connect_read_pipe(weft_loop *loop, const weft_protocol *protocol, void *self, int fd,
                                weft_transport **ret_transport)
{
    return connect_pipe(loop, protocol, self, fd, WEFT__READ_PIPE, ret_transport);
}

int weft_loop_connect_write_pipe(weft_loop *loop, const weft_protocol *protocol, void *self, int fd,
                                 weft_transport **ret_transport)
{
    return connect_pipe(loop, protocol, self, fd, WEFT__WRITE_PIPE, ret_transport);
}
