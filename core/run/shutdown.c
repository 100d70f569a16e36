/* SPDX-License-Identifier: MIT
 * The end of a run: the tasks that are left are cancelled and awaited, with a limit. */
#include "core/run/runner.h"
#include "core/sched/scope.h"

#include <stdio.h>

#define SAY_AFTER 1 /* seconds, then those that are still there are told */
#define SAY_AT_MOST 8 /* tasks */

struct shutdown {
    struct weft__loop *loop;
    struct weft__reason reason;
    int64_t limit_ns;
    size_t left;
    uint64_t newer; /* tasks from this number on were made since the others were cancelled */
    bool over;      /* the limit has passed, or the backend knows that nothing will happen */
    weft_handle *limit, *say; /* timers; NULL: none */
};

static struct weft__task *task_in(struct weft__slot *slot)
{
    return (struct weft__task *)(void *)slot;
}

static void cancel_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = task_in(slot);
    struct shutdown *shutdown = arg;

    if (!task->outcome.done) {
        shutdown->left++;
        weft__task_cancel(task, &shutdown->reason);
    }
}

static void await_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = task_in(slot);
    struct shutdown *shutdown = arg;
    int r = -EINTR;

    if (task->outcome.done || task->id >= shutdown->newer || shutdown->over) {
        return;
    }
    while (r == -EINTR && !shutdown->over) { /* somebody's stop is no reason to give up */
        r = weft__loop_run_until(shutdown->loop, &task->outcome, NULL);
        shutdown->over |=
            r < 0 && (r != -EINTR || (shutdown->loop->stop_at &&
                                      weft__clock_now() >= shutdown->loop->stop_at));
    }
    weft__task_release(task);
}

static void give_up(void *arg)
{
    struct shutdown *shutdown = arg;

    shutdown->over = true;
    weft__loop_stop(shutdown->loop);
}

static void say_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = task_in(slot);
    struct shutdown *shutdown = arg;
    weft_report report = { .kind = WEFT_REPORT_SLOW_END };
    char message[128] = "was cancelled a second ago, when the run was over, and goes on";

    if (task->outcome.done || ++shutdown->left > SAY_AT_MOST) {
        return;
    }
    if (shutdown->limit_ns < WEFT__NEVER) {
        snprintf(message, sizeof message,
                 "was cancelled a second ago, when the run was over, and goes on; it has %.3g "
                 "seconds more",
                 (double)shutdown->limit_ns / (double)WEFT__SECOND - SAY_AFTER);
    }
    report.message = message;
    weft__task_describe(task, &report);
    weft__report(shutdown->loop, &report);
}

/* Whoever waits for the program to end sees what it waits for. */
static void say(void *arg)
{
    struct shutdown *shutdown = arg;
    weft_report report = { .kind = WEFT_REPORT_SLOW_END };
    char message[64];

    shutdown->left = 0;
    weft__stacks_each(&shutdown->loop->stacks, say_one, shutdown);
    if (shutdown->left > SAY_AT_MOST) {
        snprintf(message, sizeof message, "and %zu tasks more go on", shutdown->left - SAY_AT_MOST);
        report.message = message;
        weft__report(shutdown->loop, &report);
    }
}

/* The limit is twofold: a timer, and a look at the real clock; for where time is virtual and
 * something is always ready it stands still.  Without memory for a timer the tasks are awaited all
 * the same. */
static void set_limits(struct shutdown *shutdown)
{
    weft_loop *loop = weft__loop_handle(shutdown->loop);

    if (shutdown->limit_ns < WEFT__NEVER) {
        double limit = (double)shutdown->limit_ns / (double)WEFT__SECOND;

        shutdown->loop->stop_at = weft__time_after(weft__clock_now(), shutdown->limit_ns);
        (void)weft_loop_call_later(loop, limit, give_up, shutdown, &shutdown->limit);
    }
    if (shutdown->limit_ns > SAY_AFTER * WEFT__SECOND) {
        (void)weft_loop_call_later(loop, SAY_AFTER, say, shutdown, &shutdown->say);
    }
}

static void drop_limits(struct shutdown *shutdown)
{
    shutdown->loop->stop_at = 0;
    weft_handle_cancel(shutdown->limit);
    weft_handle_unref(shutdown->limit);
    weft_handle_cancel(shutdown->say);
    weft_handle_unref(shutdown->say);
}

int weft__run_shutdown(struct weft__loop *loop, int64_t limit_ns)
{
    struct shutdown shutdown = { .loop = loop,
                                 .reason = { .kind = WEFT_CANCEL_SHUTDOWN },
                                 .limit_ns = limit_ns };
    bool begun = false;

    while (!shutdown.over) { /* those who end may make others */
        shutdown.left = 0;
        shutdown.newer = loop->next_id;
        weft__stacks_each(&loop->stacks, cancel_one, &shutdown);
        if (shutdown.left == 0) {
            break;
        }
        if (!begun) {
            begun = true;
            set_limits(&shutdown);
        }
        weft__stacks_each(&loop->stacks, await_one, &shutdown);
    }
    if (begun) {
        drop_limits(&shutdown);
    }
    return shutdown.over ? -ETIMEDOUT : 0;
}
