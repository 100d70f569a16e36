/* SPDX-License-Identifier: MIT
 * Talking to a process: all of its input, all of its output, its end.
 *
 * One task writes and reads what can be written and read, and waits in between for any of the
 * pipes.  What was read lies with the process until the call that succeeds, so a cancel loses
 * nothing. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/quiet.h"
#include "core/proc/process.h"
#include "core/thread/executor.h"

#include <poll.h>
#include <unistd.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_communicate_options) == 40, "the public size");

#define CHUNK 65536  /* bytes read or written at once: as many as a pipe holds */
#define GLANCE_MS 20 /* how long a thread waits for pipes that the loop cannot watch */

/* What it has come to so far. */
struct weft__talk {
    weft_buffer output[2]; /* out and err */
    size_t sent;           /* bytes of the input */
};

/* One call. */
struct weft__talker {
    struct weft__any any;
    weft_waiter waiter; /* for the end of the process */
    struct weft_process *process;
    struct weft__task *task;
    const char *in;
    size_t in_len;
    size_t limit; /* SIZE_MAX: none */
    bool until_exit;
    bool discard[2]; /* out, err: nobody wants it */
    bool watched[3]; /* pipes that the loop watches for us */
    bool waiting;    /* `any` waits */
    bool moved;      /* something was read or written in this round */
    int broken;      /* the process was freed: what to return; 0 */
};

void weft__talk_free(struct weft__talk *talk)
{
    if (talk) {
        weft_buffer_clear(&talk->output[0]);
        weft_buffer_clear(&talk->output[1]);
        weft__free(talk);
    }
}

static uint32_t direction(int which)
{
    return which == 0 ? WEFT_WRITABLE : WEFT_READABLE;
}

static void unwatch(struct weft__talker *talker, int which)
{
    if (talker->watched[which]) {
        talker->watched[which] = false;
        weft__watch_unset(talker->process->loop, talker->process->pipes[which], direction(which));
    }
}

static void unwatch_all(struct weft__talker *talker)
{
    for (int i = 0; i < 3; i++) {
        unwatch(talker, i);
    }
}

static void close_pipe(struct weft__talker *talker, int which)
{
    unwatch(talker, which);
    close(talker->process->pipes[which]);
    talker->process->pipes[which] = -1;
    talker->moved = true;
}

void weft__talk_interrupt(struct weft_process *process, int status)
{
    struct weft__talker *talker = process->talker;

    talker->broken = status;
    unwatch_all(talker);
    if (talker->waiting) {
        weft__any_end(&talker->any, status);
    }
}

/* ---- moving bytes ---- */

/* Writes a piece of the input; closes the pipe when it is all there, or not wanted. */
static int feed(struct weft__talker *talker)
{
    struct weft__talk *talk = talker->process->talk;
    size_t left = talker->in_len - talk->sent;
    ssize_t n = 0;

    if (left > 0) {
        struct iovec part = {
            .iov_base = (char *)(uintptr_t)talker->in + talk->sent,
            .iov_len = weft__chance_shorten(talker->task->loop, left < CHUNK ? left : CHUNK),
        };

        n = WEFT__SYS(weft__quiet_writev(talker->process->pipes[0], &part, 1));
    }
    if (n < 0 && errno != EPIPE) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if (n > 0) {
        talk->sent += (size_t)n;
        talker->moved = true;
    }
    if (n < 0 || talk->sent == talker->in_len) {
        close_pipe(talker, 0);
    }
    return 0;
}

/* How much may be read, at most one byte beyond the limit. */
static size_t room_for(const struct weft__talker *talker)
{
    const struct weft__talk *talk = talker->process->talk;
    size_t have = talk->output[0].len + talk->output[1].len;
    size_t room = have > talker->limit ? 0 : talker->limit - have;

    return room < CHUNK ? room + 1 : CHUNK;
}

/* Reads a piece of what comes from one of the pipes, 1 or 2. */
static int drain(struct weft__talker *talker, int which)
{
    struct weft__talk *talk = talker->process->talk;
    weft_buffer *output = &talk->output[which - 1];
    size_t room = room_for(talker);
    int r = weft_buffer_reserve(output, room);
    ssize_t n;

    if (r < 0) {
        return r;
    }
    n = WEFT__SYS(read(talker->process->pipes[which], output->data + output->len,
                       weft__chance_shorten(talker->task->loop, room)));
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    if (n == 0) {
        close_pipe(talker, which);
    } else if (!talker->discard[which - 1]) {
        output->len += (size_t)n;
    }
    talker->moved = true;
    return talk->output[0].len + talk->output[1].len > talker->limit ? -EMSGSIZE : 0;
}

/* Does what can be done without waiting. */
static int move(struct weft__talker *talker)
{
    const int *pipes = talker->process->pipes;
    int r = 0;

    talker->moved = false;
    if (pipes[0] >= 0) {
        r = feed(talker);
    }
    for (int i = 1; i <= 2 && r == 0; i++) {
        if (pipes[i] >= 0) {
            r = drain(talker, i);
        }
    }
    return r;
}

/* ---- waiting ---- */

static void pipe_is_ready(void *arg)
{
    struct weft__talker *talker = arg;

    if (talker->waiting) {
        weft__any_end(&talker->any, 0);
    }
}

/* The wait has ended, whoever ended it: no pipe may do so again. */
static void waits_no_more(struct weft__any *any)
{
    WEFT__CONTAINER(any, struct weft__talker, any)->waiting = false;
}

static const struct weft__wait wait_talk = { "process", weft__any_interrupt };

static int watch_pipes(struct weft__talker *talker)
{
    struct weft_process *process = talker->process;

    for (int i = 0; i < 3; i++) {
        if (process->pipes[i] >= 0 && !talker->watched[i]) {
            int r = weft__watch_set(process->loop, process->pipes[i], direction(i), pipe_is_ready,
                                    talker);

            if (r < 0) {
                return r;
            }
            talker->watched[i] = true;
        }
    }
    return 0;
}

/* Waits until a pipe is ready, or the process has ended if that matters. */
static int wait_in_loop(struct weft__talker *talker)
{
    int r = watch_pipes(talker);

    if (r < 0) {
        return r;
    }
    weft__any_init(&talker->any, talker->task, waits_no_more);
    if (talker->until_exit && talker->process->status == -EINPROGRESS) {
        talker->waiter.gave_up = NULL;
        r = weft__any_add(&talker->any, &talker->process->ended, &talker->waiter);
        if (r < 0) {
            return r;
        }
    }
    talker->waiting = true;
    r = weft__any_wait(&talker->any, &wait_talk);
    return r < 0 && r != -ECHILD ? r : 0;
}

/* Looks at the pipes for a while; in a thread. */
static int glance(void *arg)
{
    const struct weft_process *process = arg;
    struct pollfd fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = (struct pollfd){ .fd = process->pipes[i], .events = i == 0 ? POLLOUT : POLLIN };
    }
    (void)poll(fds, 3, GLANCE_MS);
    return 0;
}

/* The same on a backend with virtual time, which watches nothing that is real. */
static int wait_in_thread(struct weft__talker *talker)
{
    struct weft_process look = *talker->process;

    return weft__call_in_thread(WEFT__JOBS_DEFAULT, glance, &look, "a look at the pipes");
}

static int wait_for_pipes(struct weft__talker *talker)
{
    int r = talker->process->loop->ops->caps & WEFT_BACKEND_VIRTUAL ? wait_in_thread(talker) :
                                                                      wait_in_loop(talker);

    return talker->broken ? talker->broken : r;
}

/* ---- the whole ---- */

static bool has_pipes(const struct weft_process *process)
{
    return process->pipes[0] >= 0 || process->pipes[1] >= 0 || process->pipes[2] >= 0;
}

/* Writes and reads until the other ends of all pipes are closed, or the process has ended and they
 * are empty if that is enough. */
static int talk_to_end(struct weft__talker *talker)
{
    struct weft_process *process = talker->process;
    int r = 0;

    while (r == 0 && has_pipes(process)) {
        bool ended = process->status != -EINPROGRESS;

        if (talker->task->cancelled) {
            weft__task_yield(talker->task);
            return -ECANCELED;
        }
        r = move(talker);
        if (r == 0 && talker->moved) {
            weft__task_spend_turn(talker->task);
            r = talker->broken;
        } else if (r == 0 && ended && talker->until_exit) {
            break;
        } else if (r == 0) {
            r = wait_for_pipes(talker);
        }
    }
    return r;
}

/* Adds what was read to the caller's buffers: all of it, or nothing. */
static int hand_over(struct weft_process *process, weft_buffer *ret_out, weft_buffer *ret_err)
{
    weft_buffer *to[2] = { ret_out, ret_err };
    struct weft__talk *talk = process->talk;
    int r = 0;

    for (int i = 0; i < 2 && r == 0; i++) {
        if (to[i] && to[i]->data) {
            r = weft_buffer_reserve(to[i], talk->output[i].len);
        }
    }
    for (int i = 0; i < 2 && r == 0; i++) {
        if (to[i] && to[i]->data) {
            r = weft_buffer_append(to[i], talk->output[i].data, talk->output[i].len);
        } else if (to[i] && talk->output[i].data) {
            *to[i] = talk->output[i];
            talk->output[i] = (weft_buffer){ 0 };
            to[i]->data[to[i]->len] = '\0';
        }
    }
    if (r == 0) {
        process->talk = NULL;
        weft__talk_free(talk);
    }
    return r;
}

static int communicate(struct weft__talker *talker, weft_buffer *ret_out, weft_buffer *ret_err)
{
    struct weft_process *process = talker->process;
    int r, status;

    process->talker = talker;
    r = talk_to_end(talker);
    if (!talker->broken) {
        for (int i = 0; i < 3 && r == 0; i++) {
            if (process->pipes[i] >= 0) {
                close_pipe(talker, i);
            }
        }
        unwatch_all(talker);
    }
    status = r < 0 ? r : weft_process_wait(process);
    process->talker = NULL;
    if (r == 0 && process->status != -EINPROGRESS && status == process->status) {
        r = hand_over(process, ret_out, ret_err);
    }
    return r < 0 ? r : status;
}

/* Whether this call is in order, and goes on where the last one was. */
static int begin(struct weft_process *process, const void *in, size_t in_len)
{
    if (process->talker) {
        return weft__words(-EBUSY, "another task communicates with this process");
    }
    if (process->taken) {
        return weft__words(-EBUSY, "a pipe of this process was taken by weft_process_take_fd()");
    }
    if (weft__process_has_streams(process)) {
        return weft__words(-EBUSY, "this process has streams: weft_process_stdin() and its like");
    }
    if ((in_len > 0 && !in) || (process->talk && in_len < process->talk->sent)) {
        return -EINVAL;
    }
    if (process->talk) {
        return 0;
    }
    if (in_len > 0 && process->pipes[0] < 0) {
        return weft__words(-EINVAL, "input for a process that was made without .in = WEFT_PIPE");
    }
    process->talk = weft__alloc_zeroed(1, sizeof *process->talk);
    return process->talk ? 0 : -ENOMEM;
}

int weft_process_communicate_with(weft_process *process, const void *in, size_t in_len,
                                  const weft_communicate_options *options, weft_buffer *ret_out,
                                  weft_buffer *ret_err)
{
    static const weft_communicate_options none;
    int r = -EINVAL;
    struct weft__task *task = process ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    options = options ? options : &none;
    r = weft__process_check(process);
    if (r == 0 && process->loop != task->loop) {
        r = weft__misuse(process->loop ? -EXDEV : -EBADF);
    }
    r = r < 0 ? r : begin(process, in, in_len);
    if (r < 0) {
        return r;
    }
    struct weft__talker talker = {
        .process = process,
        .task = task,
        .in = in,
        .in_len = in_len,
        .limit = options->limit ? options->limit : SIZE_MAX - CHUNK,
        .until_exit = options->until_exit,
        .discard = { !ret_out, !ret_err },
    };
    process->pins++;
    r = communicate(&talker, ret_out, ret_err);
    process->pins--;
    weft__process_release(process);
    return r;
}

int weft_process_communicate(weft_process *process, const void *in, size_t in_len,
                             weft_buffer *ret_out, weft_buffer *ret_err)
{
    return weft_process_communicate_with(process, in, in_len, NULL, ret_out, ret_err);
}
