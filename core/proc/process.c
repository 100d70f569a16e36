/* SPDX-License-Identifier: MIT
 * Processes: made, held, signalled, freed. */
#include "core/proc/process.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/proc/pidfd.h"
#include "core/proc/plan.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/await.h>

int weft__process_check(const struct weft_process *process)
{
    if (!process) {
        return -EINVAL;
    }
    if (process->epoch != *weft__fork_word) {
        return weft__words(-ECHILD, "the process forked: this child is the parent's");
    }
    return process->loop ? weft__loop_check(process->loop) : 0;
}

static void close_pipes(struct weft_process *process)
{
    for (int i = 0; i <= WEFT__PTY; i++) {
        if (process->pipes[i] >= 0) {
            close(process->pipes[i]);
            process->pipes[i] = -1;
        }
    }
}

void weft__process_release(struct weft_process *process)
{
    if (!process->refs && !process->pins && process->watch == WEFT__UNWATCHED) {
        weft__talk_free(process->talk);
        weft__free(process);
    }
}

/* Ends the waits of all who wait for the end. */
static void wake_all(struct weft_process *process, int status)
{
    for (size_t n = process->ended.count; n > 0 && process->ended.first; n--) {
        weft__waiter_wake(process->ended.first, status);
    }
}

void weft__process_ended(struct weft_process *process, int status)
{
    bool closing = process->loop->closing;

    process->status = status;
    weft__process_unwatch(process);
    if (process->pidfd >= 0) {
        weft__pidfd_close(process->pidfd);
        process->pidfd = -1;
    }
    if (closing) {
        process->loop = NULL; /* who waits is abandoned, with the record */
    } else {
        wake_all(process, status);
    }
    weft__process_release(process);
}

/* ---- making ---- */

static void keep_name(struct weft_process *process, const char *file)
{
    const char *slash = strrchr(file, '/');

    snprintf(process->name, sizeof process->name, "%s", slash && slash[1] ? slash + 1 : file);
}

/* The record, with nothing in it yet. */
static struct weft_process *new_record(struct weft__loop *loop)
{
    struct weft_process *process = weft__alloc_zeroed(1, sizeof *process);

    if (process) {
        weft__list_init(&process->link);
        process->loop = loop;
        process->epoch = loop->epoch;
        process->refs = 1;
        process->pidfd = -1;
        process->status = -EINPROGRESS;
        for (int i = 0; i <= WEFT__PTY; i++) {
            process->pipes[i] = -1;
        }
    }
    return process;
}

/* The child runs, and cannot be watched: it must not stay. */
static void undo(struct weft_process *process)
{
    (void)weft__process_signal(process, SIGKILL);
    weft__pidfd_await(process->pidfd, process->pid);
    (void)weft__pidfd_reap(process->pidfd, process->pid);
    if (process->pidfd >= 0) {
        weft__pidfd_close(process->pidfd);
    }
}

static int make(struct weft__loop *loop, const char *const argv[],
                const weft_process_options *options, weft_process **ret_process)
{
    struct weft_process *process = new_record(loop);
    int r;

    if (!process) {
        return -ENOMEM;
    }
    r = weft__plan_and_spawn(process, argv, options);
    if (r == 0) {
        keep_name(process, options->executable ? options->executable : argv[0]);
        r = weft__process_watch(process, loop);
        if (r < 0) {
            undo(process);
        }
    }
    if (r < 0) {
        close_pipes(process);
        weft__free(process);
        return r;
    }
    weft__loop_opened(loop, process, WEFT__PROCESS, (int)process->pid);
    *ret_process = process;
    return 0;
}

int weft_create_subprocess_exec(const char *const argv[], const weft_process_options *options,
                                weft_process **ret_process)
{
    static const weft_process_options none;
    int r = -EINVAL;
    struct weft__loop *loop = ret_process ? weft__loop_of(NULL, &r) : NULL;

    return loop ? make(loop, argv, options ? options : &none, ret_process) : r;
}

int weft_create_subprocess_shell(const char *command, const weft_process_options *options,
                                 weft_process **ret_process)
{
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };

    return command ? weft_create_subprocess_exec(argv, options, ret_process) : -EINVAL;
}

/* ---- holds ---- */

weft_process *weft_process_ref(weft_process *process)
{
    if (process) {
        process->refs++;
    }
    return process;
}

/* The last hold is gone: nobody will read what it says, or ask how it ended. */
static void abandon(struct weft_process *process)
{
    process->pins++;
    if (process->loop) {
        weft__loop_gone(process->loop, process);
    }
    weft__process_close_streams(process);
    if (process->talker) {
        weft__talk_interrupt(process, -EBADF);
    }
    wake_all(process, -EBADF);
    close_pipes(process);
    if (process->watch != WEFT__UNWATCHED && process->status == -EINPROGRESS &&
        !process->detached) {
        process->killed = true;
        (void)weft__process_signal(process, SIGKILL);
    }
    process->pins--;
    weft__process_release(process);
}

int weft_process_free(weft_process *process)
{
    int r = process ? weft__process_check(process) : 0;

    if (process && r == 0 && --process->refs == 0) {
        abandon(process);
    }
    return r;
}

int weft_process_detach(weft_process *process)
{
    int r = weft__process_check(process);

    if (r == 0) {
        process->detached = true;
        if (process->loop) {
            weft__process_expect(process, false);
        }
        r = weft_process_free(process);
    }
    return r;
}

int weft_process_take_fd(weft_process *process, int which)
{
    int r = weft__process_check(process);

    if (r < 0) {
        return r;
    }
    if (which < 0 || which > WEFT__PTY) {
        return -EINVAL;
    }
    if (process->talk && which != WEFT__PTY) {
        return weft__words(-EBUSY, "weft_process_communicate() has begun to use the pipes");
    }
    if (process->streams[which]) {
        return weft__words(-EBUSY, "this pipe has a stream: weft_process_stdin() and its like");
    }
    r = process->pipes[which];
    process->pipes[which] = -1;
    process->taken |= r >= 0 && which != WEFT__PTY;
    return r >= 0 ? r : -EBADF;
}

pid_t weft_process_pid(const weft_process *process)
{
    return process ? process->pid : -EINVAL;
}

/* ---- signals ---- */

int weft__process_signal(const struct weft_process *process, int signum)
{
    return weft__pidfd_signal(process->pidfd, process->pid, signum);
}

/* Whether there is somebody to send a signal to. */
static int check_alive(const struct weft_process *process)
{
    int r = weft__process_check(process);

    if (r < 0) {
        return r;
    }
    return process->watch == WEFT__UNWATCHED ? weft__words(-ESRCH, "the process has ended") : 0;
}

int weft_process_send_signal(weft_process *process, int signum)
{
    int r = check_alive(process);

    return r < 0 ? r : weft__process_signal(process, signum);
}

int weft_process_terminate(weft_process *process)
{
    return weft_process_send_signal(process, SIGTERM);
}

int weft_process_kill(weft_process *process)
{
    return weft_process_send_signal(process, SIGKILL);
}

int weft_process_killpg(weft_process *process, int signum)
{
    int r = check_alive(process);

    if (r == 0 && !process->leads) {
        r = weft__words(-EINVAL, "it leads no process group: WEFT_NEW_GROUP makes it one");
    }
    if (r == 0 && kill(-process->pid, signum) < 0) {
        r = -errno;
    }
    return r;
}
