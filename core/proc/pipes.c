/* SPDX-License-Identifier: MIT
 * The pipes of a process, and its terminal, as streams.
 *
 * A pipe belongs to the process as a descriptor until its stream is first asked for, and to the
 * stream from then on, whose one hold is the process's. */
#include "core/base/error.h"
#include "core/base/tag.h"
#include "core/io/stream.h"
#include "core/proc/process.h"
#include "core/thread/executor.h"

#include <poll.h>

#define GLANCE_MS 20 /* how long a thread waits for a pipe that the loop cannot watch */

/* Streams of files, which wait in a thread where the backend watches nothing that is real. */

static ssize_t receive_pipe(struct weft__stream *stream, void *buffer, size_t size)
{
    return weft__stream_file.receive(stream, buffer, size);
}

static ssize_t send_pipe(struct weft__stream *stream, const struct iovec *parts, int count)
{
    return weft__stream_file.send(stream, parts, count);
}

static int shut_pipe(struct weft__stream *stream)
{
    return weft__stream_file.shut(stream);
}

static void close_pipe(struct weft__stream *stream, bool reset, bool quiet)
{
    weft__stream_file.close(stream, reset, quiet);
}

/* In a thread.  Should the pipe be closed meanwhile this looks at a stranger's descriptor, or none,
 * and nothing comes of it. */
static int glance(void *arg)
{
    (void)poll(arg, 1, GLANCE_MS);
    return 0;
}

static int wait_pipe(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    struct pollfd look = { .fd = stream->fd };
    int r = weft__stream_file.wait(stream, task, event);

    if (r != -EOPNOTSUPP) {
        return r;
    }
    look.events = event & WEFT_WRITABLE ? POLLOUT : POLLIN;
    return weft__call_in_thread(WEFT__JOBS_DEFAULT, glance, &look, "a look at a pipe");
}

static const struct weft__stream_kind stream_pipe = {
    .receive = receive_pipe,
    .send = send_pipe,
    .wait = wait_pipe,
    .shut = shut_pipe,
    .close = close_pipe,
};

/* To close our side would hang up. */
static int shut_pty(struct weft__stream *stream)
{
    (void)stream;
    return weft__words(-EOPNOTSUPP, "a terminal has no half to close: \"\\4\" (Ctrl-D) at the "
                                    "beginning of a line is the end of its input");
}

static const struct weft__stream_kind stream_pty = {
    .receive = receive_pipe,
    .send = send_pipe,
    .wait = wait_pipe,
    .shut = shut_pty,
    .close = close_pipe,
};

/* Makes the stream of a pipe that has none. */
static int open_stream(struct weft_process *process, int which)
{
    struct weft__stream *stream;
    int r = 0;
    struct weft__loop *loop = weft__loop_of(NULL, &r);

    if (!loop || loop != process->loop) { /* which may have been closed since the child's end */
        return loop ? -EBADF : r;
    }
    r = weft__stream_new(loop, which == WEFT__PTY ? &stream_pty : &stream_pipe,
                         weft__io_fresh(process->pipes[which]), process->limit, &stream);
    if (r < 0) {
        return r;
    }
    stream->has_ended = which == 0; /* what goes one way only has ended in the other one */
    stream->has_shut = which == 1 || which == 2;
    process->streams[which] = weft__stream_handle(stream);
    process->pipes[which] = -1;
    return 0;
}

static weft_stream *stream_of(struct weft_process *process, int which)
{
    int r = weft__process_check(process);

    if (!process) {
        return NULL;
    }
    if (r == 0 && process->talk && which != WEFT__PTY) {
        r = weft__words(-EBUSY, "weft_process_communicate() has begun to use the pipes");
    }
    if (r == 0 && !process->streams[which]) {
        if (process->pipes[which] < 0) {
            return NULL;
        }
        r = open_stream(process, which);
    }
    return r < 0 ? weft__failed(r) : process->streams[which];
}

weft_stream *weft_process_stdin(weft_process *process)
{
    return stream_of(process, 0);
}

weft_stream *weft_process_stdout(weft_process *process)
{
    return stream_of(process, 1);
}

weft_stream *weft_process_stderr(weft_process *process)
{
    return stream_of(process, 2);
}

weft_stream *weft_process_pty(weft_process *process)
{
    return stream_of(process, WEFT__PTY);
}

bool weft__process_has_streams(const struct weft_process *process)
{
    return process->streams[0] || process->streams[1] || process->streams[2];
}

void weft__process_close_streams(struct weft_process *process)
{
    for (int i = 0; i <= WEFT__PTY; i++) {
        if (process->streams[i]) {
            (void)weft_stream_abort(process->streams[i]); /* unless it was closed already */
        }
    }
}
