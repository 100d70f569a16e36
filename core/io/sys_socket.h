/* SPDX-License-Identifier: MIT
 * Sockets and pipes that do not block and do not outlive an exec, and what is sent through them
 * without SIGPIPE, on each system.
 *
 * Linux and the BSDs make such a descriptor in one call.  Where it takes several (macOS; anywhere
 * with -Dportable=true) an exec of another thread in between inherits it. */
#ifndef WEFT_CORE_SYS_SOCKET_H
#define WEFT_CORE_SYS_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* socket(2), socketpair(2), accept(2) and pipe(2): what they return, with their errno. */
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK) && !defined(WEFT__PORTABLE)
#include <fcntl.h>

static inline int weft__sys_socket(int domain, int type, int protocol)
{
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static inline int weft__sys_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    return socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, ret_fds);
}

static inline int weft__sys_accept(int fd, struct sockaddr *ret_address, socklen_t *length)
{
    return accept4(fd, ret_address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int weft__sys_pipe(int ret_fds[2])
{
    return pipe2(ret_fds, O_NONBLOCK | O_CLOEXEC);
}
#else
int weft__sys_socket(int domain, int type, int protocol);
int weft__sys_socketpair(int domain, int type, int protocol, int ret_fds[2]);
int weft__sys_accept(int fd, struct sockaddr *ret_address, socklen_t *length);
int weft__sys_pipe(int ret_fds[2]);
#endif

/* The flag against SIGPIPE; and what comes before a send on a socket that weft has not made.  On
 * macOS it is an option of the socket: its later headers have the flag, its earlier kernels not. */
#ifdef __APPLE__
#define WEFT__NOSIGNAL 0
#define WEFT__HUSH(fd) weft__sys_hush(fd)
void weft__sys_hush(int fd);
#else
#define WEFT__NOSIGNAL MSG_NOSIGNAL
#define WEFT__HUSH(fd) ((void)0)
#endif

/* Several sockets have an address, and share what comes: on FreeBSD only the last one does by the
 * option that others have for it. */
#ifdef SO_REUSEPORT_LB
#define WEFT__SO_REUSEPORT SO_REUSEPORT_LB
#else
#define WEFT__SO_REUSEPORT SO_REUSEPORT
#endif

/* The family of a socket, or -1 and errno. */
int weft__sys_family(int fd);

/* Whether it is TCP's, and not one of those that work alike but cannot tell of a short read. */
bool weft__sys_is_tcp(int fd);

#endif
