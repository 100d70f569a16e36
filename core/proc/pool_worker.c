/* SPDX-License-Identifier: MIT
 * The worker's side of a process pool: one request after the other, blocking. */
#include "core/base/mem.h"
#include "core/io/sys_socket.h"
#include "core/proc/pool_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/process_pool.h>

/* Reads all of it: 1, or 0 where the pool has closed its end. */
static int read_all(int fd, void *data, size_t size)
{
    char *to = data;

    while (size > 0) {
        ssize_t n = WEFT__SYS(recv(fd, to, size, 0));

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n == 0) {
            return 0;
        }
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        }
    }
    return 1;
}

static int write_all(int fd, const void *data, size_t size)
{
    const char *from = data;

    while (size > 0) {
        ssize_t n = WEFT__SYS(send(fd, from, size, WEFT__NOSIGNAL));

        if (n < 0 && errno != EINTR) {
            return errno == EPIPE ? 0 : -errno;
        }
        if (n > 0) {
            from += n;
            size -= (size_t)n;
        }
    }
    return 1;
}

static int write_frame(int fd, uint32_t kind, int status, const weft_buffer *bytes)
{
    struct weft__pool_frame frame = { .kind = kind, .status = status, .size = bytes->len };
    int r = write_all(fd, &frame, sizeof frame);

    return r <= 0 ? r : write_all(fd, bytes->data, bytes->len);
}

/* Does one request: 1, 0 there are no more, or an error. */
static int serve_one(int fd, weft_process_pool_handler *handler, void *arg, weft_buffer *request)
{
    struct weft__pool_frame frame;
    weft_buffer reply = { 0 };
    int r = read_all(fd, &frame, sizeof frame), status;

    if (r <= 0 || frame.kind != WEFT__POOL_REQUEST) {
        return r <= 0 ? r : -EPROTO;
    }
    request->len = 0;
    r = weft_buffer_reserve(request, frame.size);
    r = r < 0 ? r : read_all(fd, request->data, frame.size);
    if (r <= 0) {
        return r;
    }
    status = handler(request->data, frame.size, &reply, arg);
    if (status < 0) {
        weft_buffer_clear(&reply);
    }
    r = write_frame(fd, WEFT__POOL_REPLY, status, &reply);
    weft_buffer_clear(&reply);
    return r;
}

/* The socket to the pool; -1: there is none. */
static int pool_fd(void)
{
    const char *text = getenv(WEFT__POOL_VARIABLE);
    int kind;
    socklen_t size = sizeof kind;

    if (!text || atoi(text) != WEFT__POOL_FD ||
        getsockopt(WEFT__POOL_FD, SOL_SOCKET, SO_TYPE, &kind, &size) < 0) {
        return -1;
    }
    return WEFT__POOL_FD;
}

bool weft_process_pool_is_worker(void)
{
    return pool_fd() >= 0;
}

int weft_process_pool_serve(weft_process_pool_handler *handler, void *arg)
{
    int fd = pool_fd();
    weft_buffer request = { 0 };
    int r = fd < 0 ? -EPERM : 0;

    if (r < 0 || !handler) {
        return r < 0 ? r : -EINVAL;
    }
    unsetenv(
        WEFT__POOL_VARIABLE); /* programs that it runs are no workers, and it may have a pool */
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    signal(SIGINT, SIG_IGN);
    r = write_frame(fd, WEFT__POOL_HELLO, 0, &request);
    while (r > 0) {
        r = serve_one(fd, handler, arg, &request);
    }
    weft_buffer_clear(&request);
    close(fd);
    return r == -ECONNRESET ? 0 : r;
}
