/* SPDX-License-Identifier: MIT
 * Streams in memory: two ends, and a pipe for each direction. */
#include "core/io/stream.h"

#include <string.h>

/* One direction: a ring of bytes, which is there while something is in it. */
struct weft__pipe {
    char *ring;
    size_t at, len, capacity;
    uint8_t ends;    /* streams that know of it */
    bool no_writer;  /* the end comes after what is in it */
    bool no_reader;  /* writing is in vain */
    bool is_reset;   /* the other end was not closed but given up */
    weft_waitq readers, writers;
};

static ssize_t receive_memory(struct weft__stream *stream, void *buffer, size_t size)
{
    struct weft__pipe *pipe = stream->from;
    size_t first;

    if (!pipe->len) {
        return pipe->is_reset ? -ECONNRESET : pipe->no_writer ? 0 : -EAGAIN;
    }
    size = size < pipe->len ? size : pipe->len;
    size = weft__chance_shorten(stream->loop, size);
    first = pipe->capacity - pipe->at < size ? pipe->capacity - pipe->at : size;
    memcpy(buffer, pipe->ring + pipe->at, first);
    memcpy((char *)buffer + first, pipe->ring, size - first);
    pipe->at = (pipe->at + size) % pipe->capacity;
    pipe->len -= size;
    if (!pipe->len) {
        weft__free(pipe->ring);
        pipe->ring = NULL;
        pipe->at = 0;
    }
    weft__waitq_wake_all(&pipe->writers, 0);
    return (ssize_t)size;
}

static void put(struct weft__pipe *pipe, const char *bytes, size_t size)
{
    size_t end = (pipe->at + pipe->len) % pipe->capacity;
    size_t first = pipe->capacity - end < size ? pipe->capacity - end : size;

    memcpy(pipe->ring + end, bytes, first);
    memcpy(pipe->ring, bytes + first, size - first);
    pipe->len += size;
}

static ssize_t send_memory(struct weft__stream *stream, const struct iovec *parts, int count)
{
    struct weft__pipe *pipe = stream->to;
    size_t done = 0;

    if (pipe->no_reader) {
        return pipe->is_reset ? -ECONNRESET : -EPIPE;
    }
    if (pipe->len == pipe->capacity) {
        return -EAGAIN;
    }
    if (!pipe->ring) {
        pipe->ring = weft__alloc(NULL, pipe->capacity);
        if (!pipe->ring) {
            return -ENOMEM;
        }
    }
    for (int i = 0; i < count && pipe->len < pipe->capacity; i++) {
        size_t room = pipe->capacity - pipe->len, size = parts[i].iov_len;

        if (size == 0) { /* and it may lie nowhere */
            continue;
        }
        size = weft__chance_shorten(stream->loop, size < room ? size : room);
        put(pipe, parts[i].iov_base, size);
        done += size;
        if (size < parts[i].iov_len) {
            break;
        }
    }
    weft__waitq_wake_all(&pipe->readers, 0);
    return (ssize_t)done;
}

static const struct weft__wait memory_kind = { "stream", weft__waitq_interrupt };

static int wait_memory(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    weft_waiter waiter = { .gave_up = NULL };
    weft_waitq *queue = event & WEFT_READABLE ? &stream->from->readers : &stream->to->writers;

    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    return weft__waitq_park(task, queue, &waiter, &memory_kind);
}

static int shut_memory(struct weft__stream *stream)
{
    stream->to->no_writer = true;
    weft__waitq_wake_all(&stream->to->readers, 0);
    return 0;
}

static void leave(struct weft__pipe *pipe)
{
    if (!--pipe->ends) {
        weft__free(pipe->ring);
        weft__free(pipe);
    }
}

static void close_memory(struct weft__stream *stream, bool reset, bool quiet)
{
    struct weft__pipe *from = stream->from, *to = stream->to;

    if (reset) { /* what is on its way is lost; but who has the end needs no more */
        from->is_reset = to->is_reset = !to->no_writer || to->len;
        weft__free(to->ring);
        to->ring = NULL;
        to->at = to->len = 0;
    }
    from->no_reader = to->no_writer = true;
    if (!quiet) { /* one's own end knows by is_closed; the other end tries again */
        weft__waitq_wake_all(&from->readers, 0);
        weft__waitq_wake_all(&from->writers, 0);
        weft__waitq_wake_all(&to->readers, 0);
        weft__waitq_wake_all(&to->writers, 0);
    }
    leave(from);
    leave(to);
}

static const struct weft__stream_kind memory = {
    .receive = receive_memory,
    .send = send_memory,
    .wait = wait_memory,
    .shut = shut_memory,
    .close = close_memory,
};

static struct weft__pipe *new_pipe(size_t capacity)
{
    struct weft__pipe *pipe = weft__alloc_zeroed(1, sizeof *pipe);

    if (pipe) {
        pipe->capacity = capacity ? capacity : WEFT_STREAM_LIMIT;
        pipe->ends = 2;
    }
    return pipe;
}

int weft_stream_pair(size_t capacity, weft_stream *ret_ends[2])
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(NULL, &r);
    struct weft__stream *ends[2] = { NULL, NULL };
    struct weft__pipe *pipes[2];

    if (!loop) {
        return r;
    }
    pipes[0] = new_pipe(capacity);
    pipes[1] = new_pipe(capacity);
    r = pipes[0] && pipes[1] ? 0 : -ENOMEM;
    r = r < 0 ? r : weft__stream_new(loop, &memory, -1, 0, &ends[0]);
    if (r == 0) {
        ends[0]->from = pipes[0];
        ends[0]->to = pipes[1];
        r = weft__stream_new(loop, &memory, -1, 0, &ends[1]);
    }
    if (r < 0 && ends[0]) {
        pipes[0]->ends = pipes[1]->ends = 1;
        (void)weft_stream_close(weft__stream_handle(ends[0]));
        return r;
    }
    if (r < 0) {
        weft__free(pipes[0]);
        weft__free(pipes[1]);
        return r;
    }
    ends[1]->from = pipes[1];
    ends[1]->to = pipes[0];
    ret_ends[0] = weft__stream_handle(ends[0]);
    ret_ends[1] = weft__stream_handle(ends[1]);
    return 0;
}
