/* SPDX-License-Identifier: MIT
 * Writing streams: whole, in order, and what happens when a cancel comes in the middle.
 *
 * The right to write is a lock that is handed over.  A write that is cancelled after its first byte
 * leaves the rest, and the right, to a task that sends it. */
#include "core/io/quiet.h"
#include "core/io/stream.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <weft/coro.h>
#include <weft/scope.h>

#define PATIENCE 0.5 /* seconds to send what is queued in a task that was cancelled */
#define AT_ONCE 16 /* parts that a write takes to the system in one call */

static const struct weft__wait wait_writers = { "stream to write", weft__waitq_interrupt };

int weft__stream_lock(struct weft__stream *stream, struct weft__task *task)
{
    weft_waiter waiter = { .gave_up = NULL };
    int r;

    if (!stream->is_writing) {
        stream->is_writing = true;
        return 0;
    }
    stream->pins++;
    stream->is_wanted = true;
    r = weft__waitq_park(task, &stream->writers, &waiter, &wait_writers);
    return weft__stream_unpin(stream) ? r : -EBADF;
}

void weft__stream_unlock(struct weft__stream *stream)
{
    if (stream->is_wanted && stream->writers.first) {
        weft__waiter_wake(stream->writers.first, 0); /* it is handed over */
    } else {
        stream->is_writing = stream->is_wanted = false;
    }
}

/* What is left to be written: the caller's parts, of which the first has been begun. */
struct rest {
    const struct iovec *parts;
    int count;
    size_t begun; /* bytes of the first part that are gone */
};

/* Moves on by `n` bytes; skips parts that are empty.  Whether something is left. */
static bool advance(struct rest *rest, size_t n)
{
    while (rest->count > 0 && n >= rest->parts->iov_len - rest->begun) {
        n -= rest->parts->iov_len - rest->begun;
        rest->parts++;
        rest->count--;
        rest->begun = 0;
    }
    rest->begun += n;
    return rest->count > 0;
}

/* Tries once. */
static ssize_t send_some(struct weft__stream *stream, const struct rest *rest)
{
    struct iovec parts[AT_ONCE];
    int count = rest->count < AT_ONCE ? rest->count : AT_ONCE;

    if (!rest->begun && rest->count <= AT_ONCE) {
        return stream->kind->send(stream, rest->parts, rest->count);
    }
    memcpy(parts, rest->parts, (size_t)count * sizeof *parts);
    parts[0].iov_base = (char *)parts[0].iov_base + rest->begun;
    parts[0].iov_len -= rest->begun;
    return stream->kind->send(stream, parts, count);
}

/* Writes all that is left, and moves on.  0, or what stopped it. */
static int send_all(struct weft__stream *stream, struct weft__task *task, struct rest *rest,
                    bool *ret_begun)
{
    while (rest->count > 0) {
        ssize_t n = send_some(stream, rest);

        if (n >= 0) {
            *ret_begun |= n > 0;
            (void)advance(rest, (size_t)n);
        } else if (n == -EAGAIN) {
            int r = weft__stream_wait(stream, task, WEFT_WRITABLE);

            if (r < 0) {
                return r;
            }
        } else if (n != -EINTR) {
            return (int)n;
        }
    }
    return stream->kind->flush ? weft__stream_flush(stream, task) : 0;
}

int weft__stream_flush(struct weft__stream *stream, struct weft__task *task)
{
    int r = 0;

    while (r == 0 && stream->kind->flush && (r = stream->kind->flush(stream)) == -EAGAIN) {
        r = weft__stream_wait(stream, task, WEFT_WRITABLE);
    }
    return r;
}

/* Keeps what ended the writing, the first of it: after a reset that a read was told of the system
 * only says that nobody reads. */
static int cannot_write(struct weft__stream *stream, int r)
{
    if (!stream->write_error) {
        stream->write_error = r;
    }
    return stream->write_error;
}

/* Sends what is queued, as the holder of the right to write.  Its writer was told that it is
 * written: who cancels all tasks there are, as the end of a run does, leaves it some time yet.  A
 * close or an abort ends it at once. */
WEFT_ASYNC(send_queue, (struct weft__stream *, stream))
{
    int r = 0;
    struct weft__task *task = weft__self(&r);
    struct iovec part = { .iov_base = stream->out + stream->out_at,
                          .iov_len = stream->out_len - stream->out_at };
    struct rest rest = { .parts = &part, .count = 1 };
    weft_shield shield;
    bool begun = false, is_shielded = weft_shield_enter(&shield, PATIENCE) == 0;

    if (!stream->is_closed) {
        r = send_all(stream, task, &rest, &begun);
    }
    if (is_shielded) {
        (void)weft_shield_exit(&shield, 0);
    }
    if (!weft__stream_unpin(stream)) {
        return 0;
    }
    weft__free(stream->out);
    stream->out = NULL;
    if (r < 0) {
        (void)cannot_write(stream, r);
        stream->is_untold = true;
    }
    weft__stream_unlock(stream);
    return 0;
}

/* Copies what is left, and starts the task that sends it.  -ENOMEM: it cannot be. */
static int queue(struct weft__stream *stream, const struct rest *rest)
{
    static const weft_task_options options = { .name = "stream queue" };
    struct weft__task *task;
    size_t size = 0, at = 0;
    int r = 0;

    for (int i = 0; i < rest->count; i++) {
        size += rest->parts[i].iov_len - (i ? 0 : rest->begun);
    }
    stream->out = weft__alloc(NULL, size ? size : 1); /* 0: what is to be flushed is elsewhere */
    if (!stream->out) {
        return -ENOMEM;
    }
    for (int i = 0; i < rest->count; i++) {
        size_t skip = i ? 0 : rest->begun, length = rest->parts[i].iov_len - skip;

        if (length) {
            memcpy(stream->out + at, (const char *)rest->parts[i].iov_base + skip, length);
        }
        at += length;
    }
    stream->out_at = 0;
    stream->out_len = size;
    task = weft__task_make(stream->loop, send_queue(stream), &options, &r);
    if (!task) {
        weft__free(stream->out);
        stream->out = NULL;
        return r;
    }
    stream->pins++;
    task->outcome.holds--;
    task->outcome.detached = true;
    weft__task_begin(task, NULL);
    return 0;
}

/* The total of the parts; below 0 they are wrong. */
static ssize_t add_up(const struct iovec *parts, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        if (__builtin_add_overflow(total, parts[i].iov_len, &total) || total > SSIZE_MAX) {
            return -EINVAL;
        }
    }
    return count < 0 ? -EINVAL : (ssize_t)total;
}

/* Whether anything can be written: takes the right to. */
static int begin(struct weft__stream *stream, struct weft__task *task)
{
    int r = stream->write_error;

    if (r == 0 && stream->has_shut) {
        r = -EPIPE;
    }
    if (r == 0 && stream->is_writing) {
        r = weft__stream_lock(stream, task);
        if (r == 0 && (stream->write_error || stream->has_shut)) {
            r = stream->write_error ? stream->write_error : -EPIPE;
            weft__stream_unlock(stream);
        }
        return r;
    }
    stream->is_writing |= r == 0;
    stream->is_untold &= r == 0;
    return r;
}

/* Ends a write that came to `r`.  Inline for the sake of those that end well. */
static WEFT__INLINE int finish(struct weft__stream *stream, const struct rest *rest, int r,
                               bool begun)
{
    if (r == -ECANCELED && begun) {
        r = queue(stream, rest);
        if (r == 0) {
            return 0; /* and the right goes with it */
        }
    }
    if (r < 0 && r != -ECANCELED && (begun || !weft__stream_goes_on(r))) {
        r = cannot_write(stream, r);
    }
    weft__stream_unlock(stream);
    return r;
}

ssize_t weft_stream_writev(weft_stream *handle, const struct iovec *parts, int count)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    struct rest rest = { .parts = parts, .count = count };
    ssize_t total;
    bool begun = false;

    if (!stream) {
        return r;
    }
    total = add_up(parts, count);
    r = total < 0 ? (int)total : begin(stream, task);
    if (r < 0) {
        return r;
    }
    if (total) {
        (void)advance(&rest, 0);
        stream->pins++;
        r = send_all(stream, task, &rest, &begun);
        if (!weft__stream_unpin(stream)) {
            return r;
        }
    }
    r = finish(stream, &rest, r, begun);
    if (r < 0) {
        return r;
    }
    weft__task_spend_turn(task);
    return total;
}

ssize_t weft_stream_write(weft_stream *handle, const void *data, size_t size)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };

    return weft_stream_writev(handle, &part, 1);
}

int weft_stream_drain(weft_stream *handle)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);

    if (!stream) {
        return r;
    }
    r = weft__stream_lock(stream, task);
    if (r < 0) {
        return r;
    }
    r = stream->write_error;
    stream->is_untold = false;
    weft__stream_unlock(stream);
    weft__task_spend_turn(task);
    return r;
}

int weft_stream_write_eof(weft_stream *handle)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);

    if (!stream || stream->has_shut) {
        return r;
    }
    r = begin(stream, task);
    if (r < 0) { /* another task may have said so while this one waited for its right */
        return r == -EPIPE && stream->has_shut && !stream->write_error ? 0 : r;
    }
    r = stream->kind->shut(stream);
    stream->has_shut = r == 0;
    if (r < 0 || !stream->kind->flush) {
        weft__stream_unlock(stream);
        return r;
    }
    stream->pins++;
    r = weft__stream_flush(stream, task);
    if (!weft__stream_unpin(stream)) {
        return r;
    }
    return finish(stream, &(struct rest){ .parts = NULL }, r, true);
}

/* For what sendfile(2) does not take: by a copy. */
static ssize_t copy_some(struct weft__stream *stream, struct weft__task *task, int from,
                         off_t offset, size_t count)
{
    char block[4096];
    struct iovec part = { .iov_base = block };
    struct rest rest = { .parts = &part, .count = 1 };
    bool begun = false;
    ssize_t n = WEFT__SYS(pread(from, block, count < sizeof block ? count : sizeof block, offset));
    int r;

    if (n <= 0) {
        return n < 0 ? -errno : 0;
    }
    part.iov_len = (size_t)n;
    r = send_all(stream, task, &rest, &begun);
    if (begun && (r == -ECANCELED || weft__stream_goes_on(r))) {
        return rest.count ? (ssize_t)rest.begun : n; /* the next step finds what is the matter */
    }
    return r < 0 ? r : n;
}

/* One step: bytes, 0 the file has ended, -EAGAIN, or an error. */
static ssize_t send_file(struct weft__stream *stream, struct weft__task *task, int from,
                         off_t *offset, size_t count)
{
    ssize_t n = -EINVAL;

    if (stream->kind == &weft__stream_socket) {
        count = count < 0x7ffff000 ? count : 0x7ffff000;
        n = WEFT__SYS(weft__quiet_sendfile(stream->fd, from, offset, count));
        n = n < 0 ? -errno : n;
    }
    if (n == -EINVAL || n == -ENOSYS) {
        n = copy_some(stream, task, from, *offset, count);
        *offset += n > 0 ? n : 0;
    }
    return n;
}

/* All of them.  Gives way in between, for whom it goes to may never be slow: then the stream may be
 * closed.  0, or what stopped it; `*sent` is raised, `*offset` moved on. */
static int send_file_all(struct weft__stream *stream, struct weft__task *task, int from,
                         off_t *offset, size_t count, size_t *sent)
{
    int r = 0;

    while (r == 0 && *sent < count) {
        ssize_t n = send_file(stream, task, from, offset, count - *sent);

        if (n == 0) {
            break;
        }
        if (n > 0) {
            *sent += (size_t)n;
            weft__task_spend_turn(task);
            if (*sent < count) {
                r = stream->is_closed ? -EBADF : task->cancelled ? -ECANCELED : 0;
            }
        } else if (n == -EAGAIN) {
            r = weft__stream_wait(stream, task, WEFT_WRITABLE);
        } else if (n != -EINTR) {
            r = (int)n;
        }
    }
    return r;
}

ssize_t weft_stream_sendfile(weft_stream *handle, int from, off_t *offset, size_t count)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    off_t at = offset ? *offset : 0;
    size_t sent = 0;

    if (!stream) {
        return r;
    }
    if (!offset && (at = lseek(from, 0, SEEK_CUR)) < 0) {
        return -errno;
    }
    r = fcntl(from, F_GETFD) < 0 ? -errno : begin(stream, task);
    if (r < 0) {
        return r;
    }
    stream->pins++;
    r = send_file_all(stream, task, from, &at, count, &sent);
    if (offset) {
        *offset = at;
    } else if (sent) {
        (void)lseek(from, at, SEEK_SET);
    }
    if (weft__stream_unpin(stream)) {
        if (r == -EPIPE || weft__stream_is_cut_off(r)) { /* others are the file's */
            r = cannot_write(stream, r);
        }
        if (!stream->kind->flush || (r < 0 && r != -ECANCELED) ||
            stream->kind->flush(stream) == 0 || /* a cancel may have come when all was taken */
            queue(stream, &(struct rest){ .parts = NULL }) < 0) {
            weft__stream_unlock(stream);
        }
    }
    if (!sent) {
        weft__task_spend_turn(task);
    }
    return r < 0 && (!sent || r != -ECANCELED) ? r : (ssize_t)sent;
}
