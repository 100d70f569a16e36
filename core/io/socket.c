/* SPDX-License-Identifier: MIT
 * Sockets: made, connected, accepted, and what goes through them. */
#include "core/io/listen.h"
#include "core/io/sys_datagram.h"
#include "core/io/try.h"

#include <poll.h>
#include <sys/stat.h>
#include <weft/await.h>
#include <weft/io.h>

#define PAUSE 0.001 /* seconds */

int weft__io_pause(int fd)
{
    struct stat before, after;
    int r;

    if (WEFT__SYS(fstat(fd, &before)) < 0) {
        return -errno;
    }
    r = weft_sleep(PAUSE);
    if (r < 0) {
        return r;
    }
    if (WEFT__SYS(fstat(fd, &after)) < 0) {
        return -errno;
    }
    return before.st_ino == after.st_ino && before.st_dev == after.st_dev ? 0 : -EBADF;
}

/* Where the caller does not want to wait nobody does. */
static uint32_t for_reading(int flags)
{
    return flags & MSG_DONTWAIT ? 0 : WEFT_READABLE;
}

static uint32_t for_writing(int flags)
{
    return flags & MSG_DONTWAIT ? 0 : WEFT_WRITABLE;
}

ssize_t weft_recv(int fd, void *buffer, size_t size, int flags)
{
    WEFT__IO_TRY(fd, for_reading(flags), recv(fd, buffer, size, flags));
}

ssize_t weft_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *ret_from,
                      socklen_t *length)
{
    WEFT__IO_TRY(fd, for_reading(flags), recvfrom(fd, buffer, size, flags, ret_from, length));
}

ssize_t weft_recvmsg(int fd, struct msghdr *message, int flags)
{
    WEFT__IO_TRY(fd, for_reading(flags), recvmsg(fd, message, flags));
}

ssize_t weft_send(int fd, const void *buffer, size_t size, int flags)
{
    WEFT__HUSH(fd);
    WEFT__IO_TRY(fd, for_writing(flags), send(fd, buffer, size, flags | WEFT__NOSIGNAL));
}

ssize_t weft_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to,
                    socklen_t length)
{
    WEFT__HUSH(fd);
    WEFT__IO_TRY_TO(fd, for_writing(flags), to,
                    weft__sys_sendto(fd, buffer, size, flags | WEFT__NOSIGNAL, to, length));
}

ssize_t weft_sendmsg(int fd, const struct msghdr *message, int flags)
{
    WEFT__HUSH(fd);
    /* Who it is for is asked only where the system has read it. */
    WEFT__IO_TRY_TO(fd, for_writing(flags), errno == EAGAIN ? message->msg_name : NULL,
                    weft__sys_sendmsg(fd, message, flags | WEFT__NOSIGNAL));
}

int weft_sendall(int fd, const void *buffer, size_t size, int flags, size_t *sent)
{
    const char *bytes = buffer;
    size_t done = 0;

    do {
        ssize_t n = weft_send(fd, bytes + done, size - done, flags);

        if (n < 0) {
            return (int)n;
        }
        done += (size_t)n;
        if (sent) {
            *sent += (size_t)n;
        }
    } while (done < size);
    return 0;
}

static int accept_one(int fd, struct sockaddr *ret_address, socklen_t *length)
{
    socklen_t room = length ? *length : 0;
    int r;

    do { /* what failed in the queue is no connection */
        if (length) {
            *length = room;
        }
        r = WEFT__SYS(weft__sys_accept(fd, ret_address, length));
    } while (r < 0 && weft__accept_is_passed_over(errno));
    return r < 0 ? r : weft__io_fresh(r);
}

int weft_accept(int fd, struct sockaddr *ret_address, socklen_t *length)
{
    WEFT__IO_TRY(fd, WEFT_READABLE, accept_one(fd, ret_address, length));
}

/* How a connection that had to be waited for has come out; -EINPROGRESS: it has not. */
static int outcome_of(int fd)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t size = sizeof error;

    if (WEFT__SYS(poll(&pollfd, 1, 0)) < 0) {
        return errno == EINTR ? -EINPROGRESS : -errno;
    }
    if (!pollfd.revents) {
        return -EINPROGRESS;
    }
    if (WEFT__SYS(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)) < 0) {
        return -errno;
    }
    return -error;
}

int weft__io_connect(struct weft__task *task, int fd, const struct sockaddr *address,
                     socklen_t length, uint32_t flags)
{
    int r;

    while (WEFT__SYS(connect(fd, address, length)) < 0) {
        if (errno == EINTR) {
            continue; /* it goes on in the kernel: the next call tells how */
        }
        if (errno == EINPROGRESS || errno == EALREADY) {
            do {
                r = weft__fd_wait_in(task, fd, WEFT_WRITABLE | WEFT__FD_LEVEL | flags);
                r = r < 0 ? r : outcome_of(fd);
            } while (r == -EINPROGRESS);
            return r;
        }
        if (errno != EAGAIN || address->sa_family != AF_UNIX) {
            return errno == EISCONN ? 0 : -errno;
        }
        /* A Unix socket whose backlog is full: nothing reports when it has room again. */
        r = weft__io_pause(fd);
        if (r < 0) {
            return r;
        }
    }
    weft__task_spend_turn(task);
    return 0;
}

int weft_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int r = 0;
    struct weft__task *task = weft__io_begin(&r);

    return task ? weft__io_connect(task, fd, address, length, 0) : r;
}

int weft_socket(int domain, int type, int protocol)
{
    int fd = WEFT__SYS(weft__sys_socket(domain, type, protocol));

    return fd < 0 ? -errno : weft__io_fresh(fd);
}

int weft_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    int fds[2];

    if (WEFT__SYS(weft__sys_socketpair(domain, type, protocol, fds)) < 0) {
        return -errno;
    }
    ret_fds[0] = weft__io_fresh(fds[0]);
    ret_fds[1] = weft__io_fresh(fds[1]);
    return 0;
}
