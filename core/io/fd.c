/* SPDX-License-Identifier: MIT
 * Reading and writing descriptors of any kind, and waiting for them. */
#include "core/io/quiet.h"
#include "core/io/sys_socket.h"
#include "core/io/try.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>
#include <weft/io.h>

ssize_t weft_read(int fd, void *buffer, size_t size)
{
    WEFT__IO_TRY(fd, WEFT_READABLE, read(fd, buffer, size));
}

ssize_t weft_readv(int fd, const struct iovec *parts, int count)
{
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    WEFT__IO_TRY(fd, WEFT_READABLE, readv(fd, parts, count));
}

/* By a socket's own call where it is one: that has a flag against SIGPIPE. */
static ssize_t put(int fd, const struct iovec *parts, int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts,
                              .msg_iovlen = (size_t)count };
    ssize_t n;

    WEFT__HUSH(fd);
    n = sendmsg(fd, &message, WEFT__NOSIGNAL);
    return n < 0 && errno == ENOTSOCK ? weft__quiet_writev(fd, parts, count) : n;
}

ssize_t weft_write(int fd, const void *buffer, size_t size)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)buffer, .iov_len = size };

    WEFT__IO_TRY(fd, WEFT_WRITABLE, put(fd, &part, 1));
}

ssize_t weft_writev(int fd, const struct iovec *parts, int count)
{
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    WEFT__IO_TRY(fd, WEFT_WRITABLE, put(fd, parts, count));
}

ssize_t weft_sendfile(int to, int from, off_t *offset, size_t count)
{
    WEFT__IO_TRY(to, WEFT_WRITABLE, weft__quiet_sendfile(to, from, offset, count));
}

static int wait_for(int fd, uint32_t event)
{
    int r = 0;
    struct weft__task *task = weft__io_begin(&r);

    if (!task) {
        return r;
    }
    r = weft__fd_wait_in(task, fd, event | WEFT__FD_LEVEL);
    weft__task_spend_turn(task);
    return r;
}

int weft_wait_readable(int fd)
{
    return wait_for(fd, WEFT_READABLE);
}

int weft_wait_writable(int fd)
{
    return wait_for(fd, WEFT_WRITABLE);
}

int weft_set_nonblocking(int fd)
{
    int flags = WEFT__SYS(fcntl(fd, F_GETFL));

    if (flags < 0) {
        return -errno;
    }
    if (flags & O_NONBLOCK) {
        return 0;
    }
    return WEFT__SYS(fcntl(fd, F_SETFL, flags | O_NONBLOCK)) < 0 ? -errno : 0;
}

int weft_pipe(int ret_fds[2])
{
    int fds[2];

    if (WEFT__SYS(weft__sys_pipe(fds)) < 0) {
        return -errno;
    }
    ret_fds[0] = weft__io_fresh(fds[0]);
    ret_fds[1] = weft__io_fresh(fds[1]);
    return 0;
}
