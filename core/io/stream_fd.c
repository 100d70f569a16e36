/* SPDX-License-Identifier: MIT
 * Streams on descriptors: sockets, and all others. */
#include "core/io/quiet.h"
#include "core/io/stream.h"
#include "core/io/sys_socket.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

static int wait_fd(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    return weft__fd_wait_in(task, stream->fd, event | WEFT__FD_OWNED);
}

/* How much of `size` a call is made with: all of it, but in an unkind world. */
static size_t much_of(const struct weft__stream *stream, size_t size)
{
    return stream->loop->shuffles ? weft__chance_shorten(stream->loop, size) : size;
}

static ssize_t receive_socket(struct weft__stream *stream, void *buffer, size_t size)
{
    ssize_t n = WEFT__SYS(recv(stream->fd, buffer, much_of(stream, size), MSG_DONTWAIT));

    return n < 0 ? -errno : n;
}

static ssize_t send_socket(struct weft__stream *stream, const struct iovec *parts, int count)
{
    ssize_t n;

    if (count == 1) {
        n = WEFT__SYS(send(stream->fd, parts->iov_base, much_of(stream, parts->iov_len),
                           WEFT__NOSIGNAL | MSG_DONTWAIT));
    } else {
        struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
                                  .msg_iovlen = (size_t)count };

        n = WEFT__SYS(sendmsg(stream->fd, &message, WEFT__NOSIGNAL | MSG_DONTWAIT));
    }
    return n < 0 ? -errno : n;
}

static int shut_socket(struct weft__stream *stream)
{
    if (WEFT__SYS(shutdown(stream->fd, SHUT_WR)) < 0) {
        return -errno;
    }
    return 0;
}

static void close_fd(struct weft__stream *stream, bool quiet)
{
    if (stream->fd >= 0) {
        (void)weft__fd_close(quiet ? NULL : stream->loop, stream->fd);
        stream->fd = -1;
    }
}

static void close_socket(struct weft__stream *stream, bool reset, bool quiet)
{
    if (reset && stream->is_tcp) {
        struct linger linger = { .l_onoff = 1 };

        (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close_fd(stream, quiet);
}

const struct weft__stream_kind weft__stream_socket = {
    .receive = receive_socket,
    .send = send_socket,
    .wait = wait_fd,
    .shut = shut_socket,
    .close = close_socket,
};

/* Whether the descriptor, which may block because it is others' as well, would not now. */
static int look(const struct weft__stream *stream, short events)
{
    struct pollfd pollfd = { .fd = stream->fd, .events = events };

    if (!stream->is_blocking) {
        return 0;
    }
    if (WEFT__SYS(poll(&pollfd, 1, 0)) < 0) {
        return -errno;
    }
    return pollfd.revents ? 0 : -EAGAIN;
}

static ssize_t receive_file(struct weft__stream *stream, void *buffer, size_t size)
{
    int r = look(stream, POLLIN);
    ssize_t n;

    if (r < 0) {
        return r;
    }
    n = WEFT__SYS(read(stream->fd, buffer, much_of(stream, size)));
    if (n < 0 && errno == EIO) { /* of a terminal: its other side has gone */
        return isatty(stream->fd) ? 0 : -EIO;
    }
    return n < 0 ? -errno : n;
}

static ssize_t send_file(struct weft__stream *stream, const struct iovec *parts, int count)
{
    int r = look(stream, POLLOUT);
    struct iovec part = *parts;
    ssize_t n;

    if (r < 0) {
        return r;
    }
    if (stream->is_blocking) { /* a pipe with room has that much */
        part.iov_len = part.iov_len < PIPE_BUF ? part.iov_len : PIPE_BUF;
        parts = &part;
        count = 1;
    }
    n = WEFT__SYS(weft__quiet_writev(stream->fd, parts, count));
    return n < 0 ? -errno : n;
}

static int wait_file(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    if (stream->is_blocking) {
        event |= WEFT__FD_LEVEL;
    }
    return wait_fd(stream, task, event);
}

/* What only writes is closed; what reads, too, has no half that could be. */
static int shut_file(struct weft__stream *stream)
{
    int flags = WEFT__SYS(fcntl(stream->fd, F_GETFL));

    if (flags < 0) {
        return -errno;
    }
    if ((flags & O_ACCMODE) != O_WRONLY) {
        return -EOPNOTSUPP;
    }
    close_fd(stream, false);
    stream->has_ended = true;
    return 0;
}

static void close_file(struct weft__stream *stream, bool reset, bool quiet)
{
    (void)reset;
    close_fd(stream, quiet);
}

const struct weft__stream_kind weft__stream_file = {
    .receive = receive_file,
    .send = send_file,
    .wait = wait_file,
    .shut = shut_file,
    .close = close_file,
};
