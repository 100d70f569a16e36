/* SPDX-License-Identifier: MIT
 * weft_run(): a loop for one coroutine, and an orderly end. */
#include "core/base/error.h"
#include "core/sched/misuse.h"
#include "core/sched/overflow.h"
#include "core/sched/scope.h"

#include <stdio.h>
#include <weft/await.h>
#include <weft/error.h>
#include <weft/run.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_run_options) == 104, "the public size");

#define SHUTDOWN_LIMIT 10 /* seconds for tasks that were cancelled when main had ended */

static int make_loop(const weft_run_options *options, weft_loop **ret_loop)
{
    if (options->loop_factory) {
        int r = options->loop_factory(ret_loop);

        return r > 0 ? 0 : r;
    }
    return weft_loop_new(options->backend, ret_loop);
}

static int configure(weft_loop *handle, const weft_run_options *options,
                     struct weft__loop **ret_loop)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    if (options->stack_size) {
        r = weft__stack_class(options->stack_size);
        if (r < 0) {
            return r;
        }
        loop->stack_class = (uint8_t)r;
    }
    if (options->debug) {
        loop->debug = options->debug > 0;
    }
    *ret_loop = loop;
    return 0;
}

/* The end of a run: what is left is cancelled, then awaited, one after the other. */
struct shutdown {
    struct weft__loop *loop;
    struct weft__reason reason;
    size_t left;
    uint64_t newer; /* tasks from this number on were made since the others were cancelled */
    bool over;      /* the limit has passed, or the backend knows that nothing will happen */
};

static void cancel_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;

    if (!task->outcome.done) {
        ((struct shutdown *)arg)->left++;
        weft__task_cancel(task, &((struct shutdown *)arg)->reason);
    }
}

static void await_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;
    struct shutdown *shutdown = arg;
    int r = -EINTR;

    if (task->outcome.done || task->id >= shutdown->newer || shutdown->over) {
        return;
    }
    while (r == -EINTR && !shutdown->over) { /* somebody's stop is no reason to give up */
        r = weft__loop_run_until(shutdown->loop, &task->outcome, NULL);
        shutdown->over |= r < 0 && (r != -EINTR || weft__clock_now() >= shutdown->loop->stop_at);
    }
    weft__task_release(task);
}

static void give_up(void *arg)
{
    struct shutdown *shutdown = arg;

    shutdown->over = true;
    weft__loop_stop(shutdown->loop);
}

/* Ends all tasks, those too that the ending ones make; the loop's close reports who refused.  The
 * limit is twofold: a timer, and a look at the real clock, for where time is virtual and something
 * is always ready it stands still. */
static void end_tasks(struct weft__loop *loop)
{
    struct shutdown shutdown = { .loop = loop, .reason = { .kind = WEFT_CANCEL_SHUTDOWN } };
    weft_handle *limit = NULL;

    loop->stop_at = weft__clock_now() + SHUTDOWN_LIMIT * WEFT__SECOND;
    while (!shutdown.over) {
        shutdown.left = 0;
        shutdown.newer = loop->next_id;
        weft__stacks_each(&loop->stacks, cancel_one, &shutdown);
        if (shutdown.left == 0) {
            break;
        }
        if (!limit) {
            /* Without memory for it the tasks are awaited all the same. */
            (void)weft_loop_call_later(weft__loop_handle(loop), SHUTDOWN_LIMIT, give_up, &shutdown,
                                       &limit);
        }
        weft__stacks_each(&loop->stacks, await_one, &shutdown);
    }
    loop->stop_at = 0;
    weft_handle_cancel(limit);
    weft_handle_unref(limit);
}

static int run_in(weft_loop *handle, weft_coro *coro, const weft_run_options *options)
{
    struct weft__overflow_guard guard;
    struct weft__loop *loop = NULL;
    int r = configure(handle, options, &loop);

    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    if (!options->no_overflow_report) {
        weft__overflow_watch(&guard);
    }
    r = weft_loop_run_until_complete_coro(handle, coro);
    if (r != -ECHILD) {
        end_tasks(loop);
    }
    if (!options->no_overflow_report) {
        weft__overflow_unwatch(&guard);
    }
    return r;
}

int weft_run(weft_coro *coro, const weft_run_options *options)
{
    static const weft_run_options none;
    weft_loop *loop = NULL;
    int r = weft__tag_error(coro);

    if (r == 0 && weft_get_running_loop()) {
        r = weft__misuse(-EBUSY);
    }
    options = options ? options : &none;
    r = r < 0 ? r : make_loop(options, &loop);
    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    r = run_in(loop, coro, options);
    weft_loop_close(loop);
    return r;
}

int weft_main(weft_coro *coro, const weft_run_options *options)
{
    const weft_coro_def *def;
    const char *words;
    int r = 0;
    const struct weft__coro *object = weft__coro_of(coro, &r);

    def = object ? object->frame.def : NULL;
    weft_error_clear();
    r = weft_run(coro, options);
    if (r >= 0) {
        return r & 0xff;
    }
    words = weft__words_are_about() == r ? weft_error_detail() : "";
    if (def) {
        fprintf(stderr, "weft: '%s' (%s:%u) ended with ", def->name, def->file, def->line);
    } else {
        fputs("weft: ", stderr);
    }
    fprintf(stderr, "%s (%s)%s%s\n", weft_err_name(r), weft_strerror(r), *words ? ": " : "", words);
    return 1;
}
