/* SPDX-License-Identifier: MIT
 * Streams from inside.
 *
 * A stream is a cell of its loop's pool, so a spent handle is known.  What lies beneath is one
 * object of a few functions (struct weft__stream_kind), each of which tries once; waiting, keeping
 * what came too early, and the order of writers are the same for all. */
#ifndef WEFT_CORE_STREAM_H
#define WEFT_CORE_STREAM_H

#include "core/io/try.h"
#include "core/sync/waitq.h"

#include <weft/stream.h>

struct weft__stream;
struct weft__filtered;

struct weft__stream_kind {
    /* Reads or writes what can be done at once: bytes, 0 the end, -EAGAIN, an error. */
    ssize_t (*receive)(struct weft__stream *stream, void *buffer, size_t size);
    ssize_t (*send)(struct weft__stream *stream, const struct iovec *parts, int count);
    /* Waits until one of them may succeed; `event` may have WEFT__FD_DRAINED. */
    int (*wait)(struct weft__stream *stream, struct weft__task *task, uint32_t event);
    /* Sends what `send` has taken and not sent: 0, -EAGAIN.  NULL: it has sent what it takes. */
    int (*flush)(struct weft__stream *stream);
    /* Ends the writing. */
    int (*shut)(struct weft__stream *stream);
    /* Closes; `reset`: the other end shall know that something is missing; `quiet`: nobody is to
     * be woken, for the loop closes. */
    void (*close)(struct weft__stream *stream, bool reset, bool quiet);
};

/* A short read and a write touch the first 64 bytes only, one line of the cache. */
struct weft__stream {
    uintptr_t handle; /* a cell's first word */
    struct weft__loop *loop;
    const struct weft__stream_kind *kind;
    int fd; /* -1: it has none */
    bool is_closed;
    bool is_drained;  /* a short read has just taken all there was */
    bool is_tcp;      /* for which that can be told */
    bool has_ended;   /* the end was read */
    bool has_shut;    /* weft_stream_write_eof() was called */
    bool is_writing;  /* somebody has the right to write: a task, or what sends the queue */
    bool is_blocking; /* its descriptor is others', too: looks before each call */
    bool is_reading;  /* a task waits to read */
    bool is_untold;   /* nobody was told of write_error yet */
    bool is_wanted;   /* somebody may stand in `writers` */
    int32_t read_error, write_error; /* what ended that for good; 0 */
    uint32_t pins; /* calls that wait: the cell stays */
    /* What was received and not read: in[in_at .. in_at + in_len]. */
    size_t in_len;
    char *in; /* NULL: there is nothing */
    size_t in_at, in_size, limit;
    uint32_t holds;
    /* What was written and not sent. */
    char *out; /* NULL: there is nothing */
    size_t out_at, out_len;
    weft_waitq writers; /* who waits for the right to write */
    struct weft__io *io;
    struct weft__list link; /* in the loop's streams */
    struct weft__pipe *from, *to; /* of a pair in memory */
    struct weft__filtered *filtered; /* what is in between; NULL: nothing */
    struct weft__list client; /* in the server's clients */
    struct weft__task *server_task; /* which runs the handler; NULL: it is no server's */
};

/* What hangs on a loop that has streams or servers. */
struct weft__io {
    struct weft__attachment attachment;
    struct weft__pool streams, servers;
    struct weft__list open; /* streams */
    struct weft__list serving; /* servers */
    char *spare; /* WEFT__STREAM_BLOCK bytes for who next has to keep something; or NULL */
    char *wire;  /* for what filters are given and give, one call long; NULL: there was none */
    void (*close_servers)(struct weft__io *io); /* NULL: there never was one */
};

#define WEFT__STREAM_BLOCK 16384
#define WEFT__SERVER_CELL 256

/* In io/stream.c. */
struct weft__io *weft__io_of(struct weft__loop *loop); /* NULL: no memory */
int weft__stream_new(struct weft__loop *loop, const struct weft__stream_kind *kind, int fd,
                     size_t limit, struct weft__stream **ret_stream);
void weft__stream_release(struct weft__stream *stream);

/* A call that had the cell kept, because it waits, is through.  Whether the stream is still open;
 * if not, whoever closed it has seen to the right to write, and the cell may be gone.  An -EBADF
 * does not tell: it is also what the system says of a descriptor that cannot be written to. */
bool weft__stream_unpin(struct weft__stream *stream);
void weft__stream_finish(struct weft__stream *stream, bool reset);

static inline weft_stream *weft__stream_handle(const struct weft__stream *stream)
{
    return (weft_stream *)stream->handle;
}

/* The stream of a handle, for a call in the thread of its loop: NULL and -EBADF, -EINVAL, -EXDEV,
 * -ECHILD, or what a failed stream carries. */
static inline struct weft__stream *weft__stream_of(const weft_stream *handle, int *ret_error)
{
    struct weft__stream *stream = weft__cell_of(handle, ret_error);
    int r;

    if (!stream || stream->is_closed) {
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

/* The same for a call that may wait, in a task that is not cancelled. */
static inline struct weft__stream *weft__stream_begin(const weft_stream *handle,
                                                      struct weft__task **ret_task,
                                                      int *ret_error)
{
    struct weft__stream *stream = weft__stream_of(handle, ret_error);
    struct weft__task *task;

    if (!stream) {
        return NULL;
    }
    task = weft__io_begin(ret_error);
    if (!task || task->loop != stream->loop) {
        *ret_error = task ? weft__misuse(-EXDEV) : *ret_error;
        return NULL;
    }
    *ret_task = task;
    return stream;
}

/* Whether an error is of this call only: there was no memory, or what it was given is wrong. */
static inline bool weft__stream_goes_on(ssize_t error)
{
    return error == -ENOMEM || error == -ENOBUFS || error == -EFAULT || error == -EINTR ||
           error == -EAGAIN;
}

/* Whether an error is of the connection, and so ends both directions, whichever was told of it.
 * (Not -EPIPE: what the other end sent before it left is there to be read, and its end.) */
static inline bool weft__stream_is_cut_off(ssize_t error)
{
    return error == -ECONNRESET || error == -ECONNABORTED || error == -ETIMEDOUT ||
           error == -EHOSTUNREACH || error == -ENETUNREACH || error == -ENETDOWN;
}

/* Waits with the cell kept.  After an error the stream may be gone. */
int weft__stream_wait(struct weft__stream *stream, struct weft__task *task, uint32_t event);

/* Lets others have their turn in the middle of a read.  After an error the stream may be gone. */
int weft__stream_give_way(struct weft__stream *stream, struct weft__task *task);

/* In io/stream_write.c: takes the right to write, after all who want it; gives it to the next. */
int weft__stream_lock(struct weft__stream *stream, struct weft__task *task);
void weft__stream_unlock(struct weft__stream *stream);

/* With that right: sends what was taken and not sent.  After an error the stream may be gone. */
int weft__stream_flush(struct weft__stream *stream, struct weft__task *task);

/* In io/stream_fd.c: sockets, and whatever else has a descriptor. */
extern const struct weft__stream_kind weft__stream_socket WEFT__HIDDEN;
extern const struct weft__stream_kind weft__stream_file WEFT__HIDDEN;

/* In io/stream_open.c: a stream of a connected socket that does not block; the descriptor is taken
 * by success.  `is_tcp`: and it is TCP's. */
int weft__stream_adopt(struct weft__loop *loop, int fd, bool is_tcp,
                       const weft_stream_options *options, struct weft__stream **ret_stream);

#endif
