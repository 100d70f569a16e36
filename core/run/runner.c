/* SPDX-License-Identifier: MIT
 * Runners: a loop, main tasks in it one after the other, signals that end them, an orderly end. */
#include "core/run/runner.h"

#include "core/base/error.h"
#include "core/base/hook.h"
#include "core/base/thread.h"
#include "core/sched/misuse.h"
#include "core/sched/overflow.h"
#include "core/sched/scope.h"
#include "core/sched/signal.h"
#include "core/thread/executor.h"

#include <math.h>
#include <string.h>
#include <unistd.h>
#include <weft/await.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_run_options) == 104, "the public size");

#define SHUTDOWN_LIMIT 10  /* seconds for tasks that were cancelled when all is over, */
#define EXECUTOR_LIMIT 300 /* then for jobs in threads */

static struct weft__runner *own(const weft_runner *runner)
{
    return (struct weft__runner *)(void *)runner;
}

/* ---- opening ---- */

static int configure(weft_loop *handle, const weft_run_options *options)
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
    if (options->debug_words) {
        return weft__hooks.observe(loop, options->debug_words, "the program");
    }
    return options->debug ? weft__hooks.observe(loop, options->debug > 0 ? "1" : "0", "") : 0;
}

static int make_loop(const weft_run_options *options, weft_loop **ret_loop)
{
    int r = options->loop_factory ? options->loop_factory(ret_loop)
                                  : weft_loop_new(options->backend, ret_loop);

    if (r < 0) {
        return r;
    }
    r = configure(*ret_loop, options);
    if (r < 0) {
        weft_loop_close(*ret_loop);
    }
    return r;
}

/* Seconds from the options as nanoseconds: 0 is `standard`, less than 0 none. */
static int limit_of(double seconds, int standard, int64_t *ret_ns)
{
    if (isnan(seconds)) {
        return -EINVAL;
    }
    if (isinf(seconds) && seconds > 0) {
        *ret_ns = WEFT__NEVER;
        return 0;
    }
    return weft__seconds_to_ns(seconds < 0 ? 0 : seconds > 0 ? seconds : standard, ret_ns);
}

int weft__runner_open(weft_runner *runner, const weft_run_options *options)
{
    static const weft_run_options none;
    struct weft__runner made = { 0 };
    int r;

    if (!runner) {
        return -EINVAL;
    }
    memset(runner, 0, sizeof *runner);
    options = options ? options : &none;
    r = limit_of(options->shutdown_timeout, SHUTDOWN_LIMIT, &made.shutdown_ns);
    r = r < 0 ? r : limit_of(options->executor_timeout, EXECUTOR_LIMIT, &made.executor_ns);
    if (r == 0 && weft_get_running_loop()) {
        r = weft__misuse(-EBUSY);
    }
    r = r < 0 ? r : make_loop(options, &made.loop);
    if (r < 0) {
        return r;
    }
    made.sigint = options->sigint >= 0;
    made.sigterm = options->sigterm > 0;
    made.overflow = !options->no_overflow_report;
    memcpy(runner, &made, sizeof made);
    return 0;
}

int weft_runner_open(weft_runner *runner, const weft_run_options *options)
{
    int r = weft__runner_open(runner, options);

    r = r < 0 ? r : weft_copy_context(&own(runner)->context);
    if (r < 0 && runner) {
        weft_loop_close(own(runner)->loop);
        memset(runner, 0, sizeof *runner);
    }
    return r;
}

weft_loop *weft_runner_get_loop(const weft_runner *runner)
{
    return runner ? own(runner)->loop : NULL;
}

int weft_runner_signal(const weft_runner *runner)
{
    return runner ? own(runner)->signum : 0;
}

/* ---- signals ---- */

/* One main task, and the signals that end it. */
struct ending {
    struct weft__task *main;
    int signum; /* the first that cancelled it, or 0 */
    int count;  /* how many did */
    int late;   /* that came when it had ended, or 0 */
    bool taken[2]; /* SIGINT and SIGTERM were taken over */
};

static const int signals[2] = { SIGINT, SIGTERM };

static void on_signal(void *arg, int signum)
{
    struct ending *ending = arg;

    if (ending->main->outcome.done) {
        ending->late = signum;
        return;
    }
    ending->signum = ending->signum ? ending->signum : signum;
    ending->count++;
    weft__task_cancel_by(ending->main, NULL, WEFT_CANCEL_SIGNAL,
                         signum == SIGINT ? "SIGINT" : "SIGTERM");
}

/* Without memory for it a signal does what it does. */
static void take_signals(const struct weft__runner *runner, struct ending *ending)
{
    const bool asked[2] = { runner->sigint, runner->sigterm };

    for (size_t i = 0; i < WEFT__COUNT(signals); i++) {
        ending->taken[i] = asked[i] && weft__thread_is_main() &&
                           weft__signal_ends(ending->main->loop, signals[i], on_signal, ending) > 0;
    }
}

/* One that came too late to end main ends the process, as it would have a moment later. */
static void give_signals(struct ending *ending)
{
    for (size_t i = 0; i < WEFT__COUNT(signals); i++) {
        if (ending->taken[i]) {
            weft__signal_ends_no_more(ending->main->loop, signals[i]);
        }
    }
    if (ending->late) {
        kill(getpid(), ending->late); /* this thread may block it */
    }
}

/* ---- running ---- */

/* Main has ended: whether signals did that, and nobody else. */
static bool was_ended(const struct ending *ending, int status)
{
    return status == -ECANCELED && ending->count > 0 && ending->main->cancels == ending->count;
}

static int run_main(struct weft__runner *runner, struct weft__loop *loop, weft_coro *coro)
{
    weft_task_options in_context = { .context = runner->context };
    weft_task *handle = weft_loop_create_task(runner->loop, coro, &in_context);
    int r = 0, status = 0;
    struct ending ending = { .main = weft__task_of(handle, &r) };

    if (!ending.main) {
        return r;
    }
    take_signals(runner, &ending);
    r = weft__loop_run_until(loop, &ending.main->outcome, &status);
    give_signals(&ending);
    if (r == 0 && was_ended(&ending, status)) {
        runner->signum = ending.signum;
        status = weft__words(-EINTR, "a signal ended it");
    } else if (r == -EINTR) {
        weft__words(r, "the loop was stopped before the main task had ended");
    }
    ending.main->outcome.holds--;
    ending.main->outcome.detached |= r < 0;
    weft__task_release(ending.main);
    return r < 0 ? r : status;
}

int weft_runner_run(weft_runner *public_runner, weft_coro *coro)
{
    struct weft__runner *runner = public_runner ? own(public_runner) : NULL;
    struct weft__overflow_guard guard;
    struct weft__loop *loop = NULL;
    int r = runner ? weft__tag_error(coro) : -EINVAL;

    if (r == 0 && weft_get_running_loop()) {
        r = weft__misuse(-EBUSY);
    } else if (r == 0 && !runner->loop) {
        r = weft__words(-EBADF, "the runner is closed");
    } else if (r == 0) {
        loop = weft__loop_of(runner->loop, &r);
    }
    if (!loop) {
        weft__coro_discard(coro);
        return r;
    }
    runner->signum = 0;
    if (runner->overflow) {
        weft__overflow_watch(&guard);
    }
    r = run_main(runner, loop, coro);
    runner->ended = r >= 0;
    if (runner->overflow) {
        weft__overflow_unwatch(&guard);
    }
    return r;
}

/* Tasks run once more, to their ends, then the jobs that they left in threads. */
static int end_all(const struct weft__runner *runner, struct weft__loop *loop)
{
    struct weft__overflow_guard guard;
    int r, jobs;

    if (runner->overflow) {
        weft__overflow_watch(&guard);
    }
    if (runner->ended && loop->observer) { /* one that was cut short leaves what it must */
        weft__hooks.run_ends(loop);
    }
    r = weft__run_shutdown(loop, runner->shutdown_ns);
    jobs = weft__executors_shutdown(loop, runner->executor_ns);
    if (jobs != 0 && r == 0) {
        r = weft__run_shutdown(loop, runner->shutdown_ns); /* those that the jobs made meanwhile */
    }
    if (runner->overflow) {
        weft__overflow_unwatch(&guard);
    }
    return r < 0 ? r : jobs < 0 ? jobs : 0;
}

int weft_runner_close(weft_runner *public_runner)
{
    struct weft__runner *runner = public_runner ? own(public_runner) : NULL;
    struct weft__loop *loop;
    int r = 0;

    if (!runner || !runner->loop) {
        return runner ? 0 : -EINVAL;
    }
    loop = weft__loop_of(runner->loop, &r);
    if (loop && weft_get_running_loop()) {
        r = weft__misuse(-EBUSY);
    }
    if (r == -EBUSY || r == -EXDEV) {
        return r;
    }
    r = r < 0 ? r : end_all(runner, loop);
    weft_loop_close(runner->loop);
    runner->loop = NULL;
    runner->context = weft_context_unref(runner->context);
    return r;
}
