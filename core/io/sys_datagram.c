/* SPDX-License-Identifier: MIT
 * Datagrams where the system has neither batches nor the length of what it cuts. */
#include "core/io/sys_datagram.h"

#if !defined(__linux__) || defined(WEFT__PORTABLE)

#include <errno.h>

/* The rest of what has no room; nobody reads it, so all may write there at once. */
static char rest[65536];

static ssize_t receive(int fd, struct msghdr *message, int flags)
{
    struct iovec pieces[2] = { *message->msg_iov, { rest, sizeof rest } };
    struct msghdr longer = *message;
    ssize_t n;

    longer.msg_iov = pieces;
    longer.msg_iovlen = 2;
    n = recvmsg(fd, &longer, flags & ~MSG_TRUNC);
    if (n >= 0) {
        message->msg_namelen = longer.msg_namelen;
        message->msg_flags = longer.msg_flags;
        message->msg_flags |= (size_t)n > pieces[0].iov_len ? MSG_TRUNC : 0;
    }
    return n;
}

ssize_t weft__sys_recvfrom(int fd, void *data, size_t size, struct sockaddr *ret_from,
                           socklen_t *length)
{
    struct iovec piece = { data, size };
    struct msghdr message = { .msg_name = ret_from,
                              .msg_namelen = length ? *length : 0,
                              .msg_iov = &piece,
                              .msg_iovlen = 1 };
    ssize_t n = receive(fd, &message, 0);

    if (n >= 0 && length) {
        *length = message.msg_namelen;
    }
    return n;
}

int weft__sys_recv_many(int fd, struct weft__sys_message *messages, int count, int flags)
{
    int done = 0;

    while (done < count) {
        ssize_t n = receive(fd, &messages[done].msg_hdr, flags);

        if (n < 0) {
            return done > 0 ? done : -1;
        }
        messages[done++].msg_len = (unsigned)n;
    }
    return done;
}

/* The BSDs say ENOBUFS of a queue that is full, as of an interface that is: of that nothing tells
 * when it has room, so only of the former can be waited for. */
static ssize_t sent(ssize_t n, const struct sockaddr *to)
{
    if (n < 0 && errno == ENOBUFS && to && to->sa_family == AF_UNIX) {
        errno = EAGAIN;
    }
    return n;
}

ssize_t weft__sys_sendto(int fd, const void *data, size_t size, int flags,
                         const struct sockaddr *to, socklen_t length)
{
    return sent(sendto(fd, data, size, flags, to, length), to);
}

ssize_t weft__sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n = sendmsg(fd, message, flags);

    return n < 0 && errno == ENOBUFS ? sent(n, message->msg_name) : n;
}

int weft__sys_send_many(int fd, struct weft__sys_message *messages, int count)
{
    int done = 0;

    while (done < count) {
        ssize_t n = weft__sys_sendmsg(fd, &messages[done].msg_hdr, WEFT__NOSIGNAL);

        if (n < 0) {
            return done > 0 ? done : -1;
        }
        messages[done++].msg_len = (unsigned)n;
    }
    return done;
}

#endif
