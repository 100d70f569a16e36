/* SPDX-License-Identifier: MIT
 * Datagrams on each system: their whole length, several in one call, and a Unix socket's queue that
 * is full.
 *
 * Linux tells the length of a datagram that was cut, and takes batches.  Elsewhere (and with
 * -Dportable=true) what has no room goes to memory that nobody reads, and a batch is a loop: the
 * sockets do not block, so it ends with what is there. */
#ifndef WEFT_CORE_SYS_DATAGRAM_H
#define WEFT_CORE_SYS_DATAGRAM_H

#include "core/io/sys_socket.h"

#include <sys/uio.h>

#if defined(__linux__) && !defined(WEFT__PORTABLE)

#define weft__sys_message mmsghdr
#define weft__sys_sendto sendto
#define weft__sys_sendmsg sendmsg

/* The length may be more than `size`: the rest is lost. */
static inline ssize_t weft__sys_recvfrom(int fd, void *data, size_t size, struct sockaddr *ret_from,
                                         socklen_t *length)
{
    return recvfrom(fd, data, size, MSG_TRUNC, ret_from, length);
}

static inline int weft__sys_recv_many(int fd, struct weft__sys_message *messages, int count,
                                      int flags)
{
    return recvmmsg(fd, messages, (unsigned)count, flags, NULL);
}

static inline int weft__sys_send_many(int fd, struct weft__sys_message *messages, int count)
{
    return sendmmsg(fd, messages, (unsigned)count, MSG_NOSIGNAL);
}

#else

struct weft__sys_message {
    struct msghdr msg_hdr; /* with one piece */
    unsigned msg_len;
};

/* EAGAIN where the queue of the Unix socket that it is sent to is full. */
ssize_t weft__sys_sendto(int fd, const void *data, size_t size, int flags,
                         const struct sockaddr *to, socklen_t length);
ssize_t weft__sys_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t weft__sys_recvfrom(int fd, void *data, size_t size, struct sockaddr *ret_from,
                           socklen_t *length);

/* How many; -1 and errno where it is none.  With MSG_TRUNC in `flags` msg_len is the whole length;
 * it stands in msg_flags if something was cut. */
int weft__sys_recv_many(int fd, struct weft__sys_message *messages, int count, int flags);
int weft__sys_send_many(int fd, struct weft__sys_message *messages, int count);

#endif

#endif
