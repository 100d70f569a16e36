/* SPDX-License-Identifier: MIT
 * Reading streams: into the caller's memory at once, or by way of what is kept. */
#include "core/io/stream.h"

#include <string.h>
#include <weft/error.h>

/* Memory for what is kept: a block that is at hand, or one that has grown. */

static void let_go(struct weft__stream *stream)
{
    if (stream->in_size == WEFT__STREAM_BLOCK && !stream->io->spare) {
        stream->io->spare = stream->in;
    } else {
        weft__free(stream->in);
    }
    stream->in = NULL;
    stream->in_at = stream->in_size = 0;
}

/* Takes bytes from the front of what is kept. */
static void take(struct weft__stream *stream, size_t size)
{
    stream->in_at += size;
    stream->in_len -= size;
    if (!stream->in_len && stream->in) {
        let_go(stream);
    }
}

/* Makes room for `more` bytes behind what is kept, which with them are `most` at the most. */
static int make_room(struct weft__stream *stream, size_t more, size_t most)
{
    size_t size = stream->in_size ? stream->in_size : WEFT__STREAM_BLOCK;
    char *in;

    if (stream->in_size - stream->in_at - stream->in_len >= more && stream->in) {
        return 0;
    }
    if (stream->in_size - stream->in_len >= more && stream->in) {
        memmove(stream->in, stream->in + stream->in_at, stream->in_len);
        stream->in_at = 0;
        return 0;
    }
    while (size < stream->in_len + more) {
        size *= 2;
    }
    size = size < most ? size : most;
    if (!stream->in && size == WEFT__STREAM_BLOCK && stream->io->spare) {
        stream->in = stream->io->spare;
        stream->io->spare = NULL;
        stream->in_size = size;
        return 0;
    }
    in = weft__alloc(NULL, size);
    if (!in) {
        return -ENOMEM;
    }
    if (stream->in) {
        memcpy(in, stream->in + stream->in_at, stream->in_len);
        weft__free(stream->in);
    }
    stream->in = in;
    stream->in_at = 0;
    stream->in_size = size;
    return 0;
}

/* Puts back what was read into the caller's memory, in front of nothing. */
static int put_back(struct weft__stream *stream, const char *bytes, size_t size)
{
    int r = size ? make_room(stream, size, SIZE_MAX) : 0;

    if (r < 0) {
        stream->read_error = r;
        return r;
    }
    if (size) {
        memcpy(stream->in + stream->in_at, bytes, size);
        stream->in_len = size;
    }
    return 0;
}

/* Whether nothing more is to be received: *ret_end is then 0, the end, or the error that it was. */
static bool is_over(const struct weft__stream *stream, ssize_t *ret_end)
{
    *ret_end = stream->read_error;
    return stream->read_error || stream->has_ended;
}

/* Keeps what receiving ended with: the system tells an error once, and only the end from then on.
 * A reset that a write was told of is no clean end either. */
static ssize_t came_to_an_end(struct weft__stream *stream, ssize_t n)
{
    if (n == 0 && weft__stream_is_cut_off(stream->write_error)) {
        n = stream->write_error;
    }
    if (n == 0) {
        stream->has_ended = true;
    } else if (!weft__stream_goes_on(n)) {
        bool is_both = weft__stream_is_cut_off(n) || (n == -EPROTO && stream->filtered);

        stream->read_error = (int32_t)n;
        if (is_both && !stream->write_error) {
            stream->write_error = (int32_t)n;
        }
    }
    return n;
}

/* After a read that brought nothing: waits for more, or lets others go on where -EINTR asks. */
static int before_again(struct weft__stream *stream, struct weft__task *task, ssize_t n)
{
    return n == -EAGAIN ? weft__stream_wait(stream, task, WEFT_READABLE) :
                          weft__stream_give_way(stream, task);
}

/* One read that takes something, or the end; *ret_waited tells whether it had to wait. */
static ssize_t receive(struct weft__stream *stream, struct weft__task *task, void *buffer,
                       size_t size, bool *ret_waited)
{
    ssize_t end;

    if (is_over(stream, &end)) {
        return end;
    }
    for (;;) {
        ssize_t n;
        int r;

        if (stream->is_drained) {
            stream->is_drained = false;
            r = weft__stream_wait(stream, task, WEFT_READABLE | WEFT__FD_DRAINED);
            if (r < 0) {
                return r;
            }
            *ret_waited = true;
        }
        n = stream->kind->receive(stream, buffer, size);
        if (n > 0) {
            stream->is_drained = stream->is_tcp && (size_t)n < size;
            return n;
        }
        if (n != -EAGAIN && n != -EINTR) {
            return came_to_an_end(stream, n);
        }
        r = before_again(stream, task, n);
        if (r < 0) {
            return r;
        }
        *ret_waited = true;
    }
}

/* One task at a time. */
static int check(const struct weft__stream *stream)
{
    return stream->is_reading ? weft__misuse(-EBUSY) : 0;
}

ssize_t weft_stream_read(weft_stream *handle, void *buffer, size_t size)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    bool waited = false;
    ssize_t n;

    if (!stream || (r = check(stream)) < 0) {
        return r;
    }
    if (stream->in_len) {
        n = (ssize_t)(size < stream->in_len ? size : stream->in_len);
        memcpy(buffer, stream->in + stream->in_at, (size_t)n);
        take(stream, (size_t)n);
    } else {
        n = size ? receive(stream, task, buffer, size, &waited) : 0;
    }
    if (!waited) {
        weft__task_spend_turn(task);
    }
    return n;
}

ssize_t weft_stream_readexactly(weft_stream *handle, void *buffer, size_t size)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    char *bytes = buffer;
    bool waited = false;
    size_t done;

    if (!stream || (r = check(stream)) < 0) {
        return r;
    }
    done = size < stream->in_len ? size : stream->in_len;
    if (done) {
        memcpy(bytes, stream->in + stream->in_at, done);
        take(stream, done);
    }
    while (done < size) {
        ssize_t n = receive(stream, task, bytes + done, size - done, &waited);

        if (n <= 0) {
            if (weft__stream_of(handle, &r) && put_back(stream, bytes, done) < 0) {
                return -ENOMEM;
            }
            return n == 0 ? -ENODATA : n;
        }
        done += (size_t)n;
    }
    if (!waited) {
        weft__task_spend_turn(task);
    }
    return (ssize_t)size;
}

/* Reads something more behind what is kept, up to `most` bytes in all: how many, 0 the end, or an
 * error; -EMSGSIZE so many are there. */
static ssize_t fill(struct weft__stream *stream, struct weft__task *task, size_t most,
                    bool *ret_waited)
{
    for (;;) {
        size_t room;
        ssize_t n;
        int r = 0;

        if (is_over(stream, &n)) {
            return n;
        }
        if (stream->in_len >= most) {
            return -EMSGSIZE;
        }
        if (stream->is_drained) { /* without memory where there is nothing to keep */
            stream->is_drained = false;
            *ret_waited = true;
            r = weft__stream_wait(stream, task, WEFT_READABLE | WEFT__FD_DRAINED);
        }
        r = r < 0 ? r : make_room(stream, 1, most);
        if (r < 0) {
            return r;
        }
        room = stream->in_size - stream->in_at - stream->in_len;
        room = room < most - stream->in_len ? room : most - stream->in_len;
        n = stream->kind->receive(stream, stream->in + stream->in_at + stream->in_len, room);
        if (n > 0) {
            stream->is_drained = stream->is_tcp && (size_t)n < room;
            stream->in_len += (size_t)n;
            return n;
        }
        if (!stream->in_len) {
            let_go(stream);
        }
        if (n != -EAGAIN && n != -EINTR) {
            return came_to_an_end(stream, n);
        }
        *ret_waited = true;
        r = before_again(stream, task, n);
        if (r < 0) {
            return r;
        }
    }
}

/* Where the separator that ends first does, looking from `from`: how many bytes up to there; 0:
 * nowhere. */
static size_t find(const struct weft__stream *stream, size_t from, const struct iovec *separators,
                   int count)
{
    const char *in = stream->in_len ? stream->in + stream->in_at : NULL;
    size_t best = 0;

    for (int i = 0; i < count && stream->in_len; i++) {
        size_t length = separators[i].iov_len;
        size_t begin = from >= length ? from - length + 1 : 0;
        size_t end = best ? best : stream->in_len;
        const char *at = length <= end && begin <= end - length ?
                             memmem(in + begin, end - begin, separators[i].iov_base, length) :
                             NULL;

        if (at) {
            best = (size_t)(at - in) + length;
        }
    }
    return best;
}

/* How much is kept at the most to find one of the separators: the limit is for what lies before. */
static size_t most_before(const struct weft__stream *stream, const struct iovec *separators,
                          int count)
{
    size_t most = stream->limit, longest = 0;

    for (int i = 0; i < count; i++) {
        longest = separators[i].iov_len > longest ? separators[i].iov_len : longest;
    }
    return __builtin_add_overflow(most, longest, &most) ? SIZE_MAX : most;
}

/* Waits until a separator is there: how many bytes up to its end; 0 the stream ended before. */
static ssize_t until(struct weft__stream *stream, struct weft__task *task,
                     const struct iovec *separators, int count, size_t size, bool *ret_waited)
{
    size_t seen = 0, most = most_before(stream, separators, count);

    for (;;) {
        size_t length = find(stream, seen, separators, count);
        ssize_t n;

        if (length) {
            return length <= size ? (ssize_t)length : -EMSGSIZE;
        }
        seen = stream->in_len;
        if (seen >= size) {
            return -EMSGSIZE;
        }
        n = fill(stream, task, most, ret_waited);
        if (n <= 0) {
            return n;
        }
    }
}

/* A cell that is still the stream's after `n` came of a wait: -EBADF says that it may not be. */
static ssize_t hand_out(struct weft__stream *stream, struct weft__task *task, ssize_t n,
                        void *buffer, bool waited)
{
    if (n > 0) {
        memcpy(buffer, stream->in + stream->in_at, (size_t)n);
        take(stream, (size_t)n);
        if (!waited) {
            weft__task_spend_turn(task);
        }
    }
    return n;
}

ssize_t weft_stream_readline(weft_stream *handle, void *buffer, size_t size)
{
    static const struct iovec newline = { .iov_base = (void *)"\n", .iov_len = 1 };
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    bool waited = false;
    ssize_t n;

    if (!stream || (r = check(stream)) < 0) {
        return r;
    }
    n = until(stream, task, &newline, 1, size, &waited);
    if (n == -EMSGSIZE && stream->in_len <= size) { /* the last line may fill the room */
        n = fill(stream, task, most_before(stream, &newline, 1), &waited);
        n = n > 0 ? -EMSGSIZE : n;
    }
    if (n == 0) { /* the end: what is left is a line, too */
        n = (ssize_t)stream->in_len;
    }
    return hand_out(stream, task, n, buffer, waited);
}

ssize_t weft_stream_readuntil_any(weft_stream *handle, const struct iovec *separators, int count,
                                  void *buffer, size_t size)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = weft__stream_begin(handle, &task, &r);
    bool waited = false;
    ssize_t n;

    if (!stream || (r = check(stream)) < 0) {
        return r;
    }
    for (int i = 0; i < count; i++) {
        if (!separators[i].iov_len) {
            return -EINVAL;
        }
    }
    if (count < 1) {
        return -EINVAL;
    }
    n = until(stream, task, separators, count, size, &waited);
    return n == 0 ? -ENODATA : hand_out(stream, task, n, buffer, waited);
}

ssize_t weft_stream_readuntil(weft_stream *stream, const void *separator, size_t length,
                              void *buffer, size_t size)
{
    struct iovec one = { .iov_base = (void *)(uintptr_t)separator, .iov_len = length };

    return weft_stream_readuntil_any(stream, &one, 1, buffer, size);
}

int weft_stream_read_all(weft_stream *handle, size_t limit, weft_buffer *buffer)
{
    size_t began = buffer->len;

    for (;;) {
        size_t left = limit - (buffer->len - began);
        size_t room = left < WEFT__STREAM_BLOCK ? left + 1 : WEFT__STREAM_BLOCK;
        ssize_t n;
        int r = weft_buffer_reserve(buffer, room);

        if (r < 0) {
            return r;
        }
        if (buffer->capacity - buffer->len > room && room < left) {
            room = buffer->capacity - buffer->len;
            room = room < left ? room : left;
        }
        if (!left) { /* is there more?  A byte that is there is left there */
            const char *more;

            n = weft_stream_peek(handle, 1, &more);
            return n > 0 ? -EMSGSIZE : (int)n;
        }
        n = weft_stream_read(handle, buffer->data + buffer->len, room < left ? room : left);
        if (n <= 0) {
            buffer->data[buffer->len] = '\0';
            return (int)n;
        }
        buffer->len += (size_t)n;
        buffer->data[buffer->len] = '\0';
    }
}

/* Begins a call that shows bytes.  Its turn is spent first: what is shown must still be there when
 * the call returns. */
static struct weft__stream *begin_to_show(const weft_stream *handle, struct weft__task **ret_task,
                                          int *ret_error)
{
    struct weft__stream *stream = weft__stream_begin(handle, ret_task, ret_error);

    if (!stream) {
        return NULL;
    }
    stream->pins++;
    weft__task_spend_turn(*ret_task);
    stream->pins--;
    if (stream->is_closed) {
        weft__stream_release(stream);
        *ret_error = -EBADF;
        return NULL;
    }
    *ret_error = check(stream);
    return *ret_error < 0 ? NULL : stream;
}

ssize_t weft_stream_peek(weft_stream *handle, size_t least, const char **ret_data)
{
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = begin_to_show(handle, &task, &r);
    bool waited = false;

    if (!stream) {
        return r;
    }
    if (least > stream->limit) {
        return -EMSGSIZE;
    }
    while (stream->in_len < least) {
        ssize_t n = fill(stream, task, stream->limit, &waited);

        if (n < 0) {
            return n;
        }
        if (n == 0) {
            break;
        }
    }
    *ret_data = stream->in_len ? stream->in + stream->in_at : "";
    return (ssize_t)stream->in_len;
}

ssize_t weft_stream_peek_until(weft_stream *handle, const void *separator, size_t length,
                               const char **ret_data)
{
    struct iovec one = { .iov_base = (void *)(uintptr_t)separator, .iov_len = length };
    int r = 0;
    struct weft__task *task;
    struct weft__stream *stream = length ? begin_to_show(handle, &task, &r) : NULL;
    bool waited = false;
    ssize_t n;

    if (!stream) {
        return length ? r : -EINVAL;
    }
    n = until(stream, task, &one, 1, SIZE_MAX, &waited);
    if (n > 0) {
        *ret_data = stream->in + stream->in_at;
    }
    return n == 0 ? -ENODATA : n;
}

int weft_stream_consume(weft_stream *handle, size_t size)
{
    int r = 0;
    struct weft__stream *stream = weft__stream_of(handle, &r);

    if (!stream) {
        return r;
    }
    if (stream->is_reading) { /* whose place in what is kept would be another one */
        return weft__misuse(-EBUSY);
    }
    if (size > stream->in_len) {
        return -EINVAL;
    }
    take(stream, size);
    return 0;
}

bool weft_stream_at_eof(weft_stream *handle)
{
    int r = 0;
    const struct weft__stream *stream = weft__stream_of(handle, &r);

    return stream && stream->has_ended && !stream->in_len;
}
