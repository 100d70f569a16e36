/* SPDX-License-Identifier: MIT
 * Sockets and pipes where one call does not make them as they are wanted; what a socket is. */
#include "core/io/sys_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

int weft__sys_family(int fd)
{
    struct sockaddr_storage own;

    if (getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own }) < 0) {
        return -1;
    }
    return own.ss_family;
}

static int option_of(int fd, int option)
{
    int value = -1;

    (void)getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){ sizeof value });
    return value;
}

#if defined(SO_PROTOCOL) && !defined(WEFT__PORTABLE)

bool weft__sys_is_tcp(int fd)
{
    return option_of(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

#else

bool weft__sys_is_tcp(int fd)
{
    int family = weft__sys_family(fd);

    return (family == AF_INET || family == AF_INET6) && option_of(fd, SO_TYPE) == SOCK_STREAM;
}

#endif

#ifdef __APPLE__
void weft__sys_hush(int fd)
{
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int));
}
#endif

#if !defined(SOCK_CLOEXEC) || !defined(SOCK_NONBLOCK) || defined(WEFT__PORTABLE)

/* Of a new descriptor; a call that failed would lose a connection that was accepted. */
static bool set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0;
}

static void close_again(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}

/* Gives a new descriptor its flags, or closes it: -1 and errno. */
static int finish(int fd)
{
    if (fd < 0 || set_flags(fd)) {
        return fd;
    }
    close_again(fd);
    return -1;
}

static int finish_both(const int fds[2], int ret_fds[2])
{
    if (set_flags(fds[0]) && set_flags(fds[1])) {
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return 0;
    }
    close_again(fds[0]);
    close_again(fds[1]);
    return -1;
}

int weft__sys_socket(int domain, int type, int protocol)
{
    int fd = finish(socket(domain, type, protocol));

    if (fd >= 0) {
        WEFT__HUSH(fd);
    }
    return fd;
}

int weft__sys_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    int fds[2];

    if (socketpair(domain, type, protocol, fds) < 0) {
        return -1;
    }
    WEFT__HUSH(fds[0]);
    WEFT__HUSH(fds[1]);
    return finish_both(fds, ret_fds);
}

int weft__sys_accept(int fd, struct sockaddr *ret_address, socklen_t *length)
{
    int accepted = finish(accept(fd, ret_address, length));

    if (accepted >= 0) {
        WEFT__HUSH(accepted);
    }
    return accepted;
}

int weft__sys_pipe(int ret_fds[2])
{
    int fds[2];

    return pipe(fds) < 0 ? -1 : finish_both(fds, ret_fds);
}

#endif
