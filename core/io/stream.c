/* SPDX-License-Identifier: MIT
 * The life of streams: made, held, closed, and what hangs on the loop for them. */
#include "core/io/stream.h"

#include <unistd.h>

/* The loop closes: nobody is woken, its tasks will not run. */
static void close_io(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct weft__io *io = WEFT__CONTAINER(attachment, struct weft__io, attachment);

    (void)loop;
    if (io->close_servers) {
        io->close_servers(io);
    }
    while (!weft__list_empty(&io->open)) {
        struct weft__stream *stream =
            WEFT__CONTAINER(io->open.next, struct weft__stream, link);

        weft__list_remove(&stream->link);
        stream->is_closed = true;
        stream->kind->close(stream, false, true);
        weft__free(stream->in);
        weft__free(stream->out);
    }
    weft__pool_fini(&io->streams);
    weft__pool_fini(&io->servers);
    weft__free(io->spare);
    weft__free(io->wire);
    weft__free(io);
}

struct weft__io *weft__io_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_io);
    struct weft__io *io;

    if (attachment) {
        return WEFT__CONTAINER(attachment, struct weft__io, attachment);
    }
    io = weft__alloc_zeroed(1, sizeof *io);
    if (!io) {
        return NULL;
    }
    io->attachment.close = close_io;
    weft__pool_init(&io->streams, sizeof(struct weft__stream));
    weft__pool_init(&io->servers, WEFT__SERVER_CELL);
    weft__list_init(&io->open);
    weft__list_init(&io->serving);
    weft__loop_attach(loop, &io->attachment);
    return io;
}

int weft__stream_new(struct weft__loop *loop, const struct weft__stream_kind *kind, int fd,
                     size_t limit, struct weft__stream **ret_stream)
{
    struct weft__io *io = weft__io_of(loop);
    struct weft__stream *stream = io ? weft__pool_take(&io->streams) : NULL;
    uintptr_t handle;

    if (!stream) {
        return -ENOMEM;
    }
    handle = stream->handle;
    *stream = (struct weft__stream){
        .handle = handle,
        .loop = loop,
        .kind = kind,
        .fd = fd,
        .holds = 1,
        .limit = limit ? limit : WEFT_STREAM_LIMIT,
        .io = io,
    };
    weft__list_init(&stream->client);
    weft__list_push(&io->open, &stream->link);
    weft__loop_opened(loop, stream, WEFT__STREAM, fd);
    *ret_stream = stream;
    return 0;
}

void weft__stream_release(struct weft__stream *stream)
{
    if (stream->is_closed && !stream->holds && !stream->pins) {
        weft__pool_give(&stream->io->streams, stream);
    }
}

bool weft__stream_unpin(struct weft__stream *stream)
{
    stream->pins--;
    if (stream->is_closed) {
        weft__stream_release(stream);
        return false;
    }
    return true;
}

void weft__stream_finish(struct weft__stream *stream, bool reset)
{
    if (stream->is_closed) {
        return;
    }
    stream->is_closed = true;
    weft__loop_gone(stream->loop, stream);
    weft__list_remove(&stream->link);
    stream->kind->close(stream, reset, false);
    weft__free(stream->in);
    weft__free(stream->out);
    stream->in = stream->out = NULL;
    weft__waitq_wake_all(&stream->writers, -EBADF);
}

int weft__stream_wait(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    int r;

    stream->pins++;
    stream->is_reading |= (event & WEFT_READABLE) != 0;
    r = stream->kind->wait(stream, task, event);
    stream->is_reading &= (event & WEFT_READABLE) == 0;
    return weft__stream_unpin(stream) ? r : -EBADF;
}

int weft__stream_give_way(struct weft__stream *stream, struct weft__task *task)
{
    stream->pins++;
    stream->is_reading = true;
    weft__task_yield(task);
    stream->is_reading = false;
    return !weft__stream_unpin(stream) ? -EBADF : task->cancelled ? -ECANCELED : 0;
}

/* Says that nothing more comes, where there is something to say: 0 it has gone, -EAGAIN not yet. */
static int say_end(struct weft__stream *stream)
{
    if (!stream->kind->flush || stream->write_error) {
        return 0;
    }
    if (!stream->has_shut && stream->kind->shut(stream) < 0) {
        return 0; /* it had not begun */
    }
    stream->has_shut = true;
    return stream->kind->flush(stream);
}

/* Before the last hold goes: sends what is queued.  Whatever comes of it, the stream is closed. */
static int send_rest(struct weft__stream *stream)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!task || task->loop != stream->loop) {
        return task ? -EXDEV : r;
    }
    stream->pins++;
    r = weft__stream_lock(stream, task);
    r = r < 0 ? r : stream->is_untold ? stream->write_error : say_end(stream);
    r = r == -EAGAIN ? weft__stream_flush(stream, task) : r;
    stream->pins--;
    return r;
}

/* The stream of a hold, which may be closed already: NULL and an error as weft__stream_of(). */
static struct weft__stream *held(const weft_stream *handle, int *ret_error)
{
    struct weft__stream *stream = weft__cell_of(handle, ret_error);
    int r;

    if (!stream || !stream->holds) {
        *ret_error = stream || *ret_error == -ESRCH ? -EBADF : *ret_error;
        return NULL;
    }
    r = weft__loop_check(stream->loop);
    if (r < 0) {
        *ret_error = weft__misuse(r);
        return NULL;
    }
    return stream;
}

weft_stream *weft_stream_ref(weft_stream *handle)
{
    int r;
    struct weft__stream *stream = held(handle, &r);

    if (stream) {
        stream->holds++;
    }
    return handle;
}

static void give_back(struct weft__stream *stream)
{
    if (stream->holds) { /* while a close waited an abort may have spent it */
        stream->holds--;
    }
    weft__stream_release(stream);
}

int weft_stream_close(weft_stream *handle)
{
    int r = 0;
    struct weft__stream *stream = handle ? held(handle, &r) : NULL;

    if (!stream) {
        return r;
    }
    if (!stream->is_closed && stream->holds == 1) {
        bool is_queued = stream->is_writing || say_end(stream) == -EAGAIN;

        r = is_queued ? send_rest(stream) : stream->is_untold ? stream->write_error : 0;
        weft__stream_finish(stream, is_queued && r < 0);
    }
    give_back(stream);
    return r;
}

int weft_stream_abort(weft_stream *handle)
{
    int r = 0;
    struct weft__stream *stream = held(handle, &r);

    if (!stream) {
        return r;
    }
    weft__stream_finish(stream, true);
    give_back(stream);
    return 0;
}
