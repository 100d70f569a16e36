/* SPDX-License-Identifier: MIT
 * Serving on all cores: the threads, and who waits for them. */
#include "core/run/serve.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/base/thread.h"
#include "core/run/runner.h"
#include "core/sched/misuse.h"
#include "core/sched/task.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/await.h>
#include <weft/scope.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_serve_options) == 120, "the public size");

#define THREADS_MAX 1024
#define STOP_LIMIT 30.0 /* seconds for mains that were cancelled */

/* ---- in a worker's thread ---- */

/* A stop has arrived, or the loop closes with it under way. */
static void cancel_main(void *arg)
{
    weft_worker *worker = arg;

    if (worker->task) {
        weft_task_cancel(worker->task);
    }
}

/* The main task: from here on it can be stopped. */
WEFT_ASYNC(runs_worker, (weft_worker *, worker))
{
    int r;

    weft__running->expected++; /* a stop may come: no virtual clock jumps over it */
    worker->task = weft_current_task();
    if (atomic_load(&worker->serve->stopping)) {
        weft_task_cancel(worker->task);
    }
    r = weft_await(worker->serve->main(worker));
    worker->task = NULL;
    weft__running->expected--;
    return r;
}

/* Says in which loop the worker can be reached; NULL: in none any more. */
static void set_loop(weft_worker *worker, weft_loop *loop)
{
    pthread_mutex_lock(&worker->serve->lock);
    worker->loop = loop;
    pthread_mutex_unlock(&worker->serve->lock);
}

static int run_loop(weft_worker *worker)
{
    const weft_serve_options *options = worker->serve->options;
    weft_run_options how = { .backend = options->backend,
                             .debug = options->debug,
                             .stack_size = options->stack_size,
                             .sigint = -1,
                             .sigterm = -1,
                             .shutdown_timeout = options->shutdown_timeout,
                             .executor_timeout = options->executor_timeout };
    weft_runner runner;
    int r = weft_runner_open(&runner, &how);

    if (r < 0) {
        return r;
    }
    set_loop(worker, weft_runner_get_loop(&runner));
    r = weft_runner_run(&runner, runs_worker(worker));
    set_loop(worker, NULL);
    weft_runner_close(&runner);
    return r;
}

static void *work(void *arg)
{
    weft_worker *worker = arg;
    struct weft__serve *serve = worker->serve;
    char name[24];

    snprintf(name, sizeof name, "%s_%u", serve->prefix, worker->index);
    name[15] = '\0';
    weft__thread_set_name(name);
    worker->status = run_loop(worker);
    pthread_mutex_lock(&serve->lock);
    worker->ended = true;
    weft_event_set_threadsafe(&serve->changed); /* under the lock: nobody frees it meanwhile */
    pthread_mutex_unlock(&serve->lock);
    return NULL;
}

/* Signals are for the thread that waits, but for those that tell of a fault in this one. */
static int begin(weft_worker *worker)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
    sigset_t blocked, before;
    int r = weft__fault();

    if (r < 0) {
        return r;
    }
    sigfillset(&blocked);
    for (size_t i = 0; i < WEFT__COUNT(faults); i++) {
        sigdelset(&blocked, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    r = -pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->begun = r == 0;
    return r;
}

/* ---- stopping ---- */

static void stop_all(struct weft__serve *serve)
{
    if (atomic_exchange(&serve->stopping, true)) {
        return;
    }
    pthread_mutex_lock(&serve->lock);
    for (unsigned i = 0; i < serve->count; i++) {
        weft_worker *worker = &serve->workers[i];

        if (worker->loop) { /* else it has ended, or looks at `stopping` when it begins */
            (void)weft__inbox_post(worker->loop, &worker->post);
        }
    }
    pthread_mutex_unlock(&serve->lock);
}

int weft_worker_stop(weft_worker *worker)
{
    if (!worker) {
        return -EINVAL;
    }
    stop_all(worker->serve);
    weft_event_set_threadsafe(&worker->serve->changed);
    return 0;
}

bool weft_worker_stopping(const weft_worker *worker)
{
    return worker && atomic_load(&worker->serve->stopping);
}

unsigned weft_worker_index(const weft_worker *worker)
{
    return worker ? worker->index : 0;
}

unsigned weft_worker_count(const weft_worker *worker)
{
    return worker ? worker->serve->count : 0;
}

void *weft_worker_arg(const weft_worker *worker)
{
    return worker ? worker->serve->arg : NULL;
}

/* ---- waiting for all ---- */

/* What came of it. */
struct end {
    unsigned left; /* threads that have not ended */
    int error;     /* the first failure; 0: none */
    int unbegun;   /* why not all threads have begun; 0: they have */
    bool signalled;
    bool late;     /* the time to stop is over */
};

static void report(weft_worker *worker, int status, const char *message)
{
    weft_report said = { .kind = WEFT_REPORT_OTHER, .status = status, .message = message };
    char name[WEFT__TASK_NAME_MAX];

    snprintf(name, sizeof name, "%s_%u", worker->serve->prefix, worker->index);
    said.task_name = name;
    weft__report(weft__running, &said);
}

/* One more has ended. */
static void count(weft_worker *worker, struct end *end)
{
    bool stopped = worker->status == -ECANCELED && atomic_load(&worker->serve->stopping);

    worker->counted = true;
    weft__running->expected--;
    end->left--;
    pthread_join(worker->thread, NULL);
    if (worker->status >= 0 || stopped) {
        return;
    }
    if (end->error == 0) {
        end->error = worker->status;
    } else {
        report(worker, worker->status, "a thread's main failed, too");
    }
    stop_all(worker->serve);
}

static void count_all(struct weft__serve *serve, struct end *end)
{
    for (unsigned i = 0; i < serve->count; i++) {
        weft_worker *worker = &serve->workers[i];
        bool ended;

        pthread_mutex_lock(&serve->lock);
        ended = worker->ended;
        pthread_mutex_unlock(&serve->lock);
        if (ended && !worker->counted) {
            count(worker, end);
        }
    }
}

/* Those that go on though they were stopped are named, and left behind. */
static void leave_behind(struct weft__serve *serve, struct end *end)
{
    for (unsigned i = 0; i < serve->count; i++) {
        weft_worker *worker = &serve->workers[i];

        if (worker->begun && !worker->counted) {
            report(worker, 0, "a thread's main was cancelled and goes on: it is left behind");
            pthread_detach(worker->thread);
            weft__running->expected--;
        }
    }
    end->late = true;
}

static double stop_limit(const weft_serve_options *options)
{
    return options->stop_timeout == 0 ? STOP_LIMIT :
           options->stop_timeout < 0  ? 0 :
                                        options->stop_timeout;
}

/* Waits for the next change; -ETIMEDOUT the time to stop is over, -ECANCELED a signal. */
static int await_change(struct weft__serve *serve, double deadline)
{
    weft_timeout limit;
    int r = atomic_load(&serve->stopping) ? weft_timeout_enter_at(&limit, deadline) :
                                            weft_timeout_enter(&limit, INFINITY);

    return r < 0 ? r : weft_timeout_exit(&limit, weft_event_wait(&serve->changed));
}

/* In the loop that takes the signals, so that whatever a thread may send is taken. */
static void begin_all(struct weft__serve *serve, struct end *end)
{
    int r = 0;

    for (unsigned i = 0; i < serve->count && r == 0; i++) {
        r = begin(&serve->workers[i]);
        end->left += r == 0;
    }
    end->unbegun = r;
    if (r < 0) {
        stop_all(serve);
    }
    weft__running->expected += end->left;
}

WEFT_ASYNC(begins_and_awaits_all, (struct weft__serve *, serve), (struct end *, end))
{
    double deadline = INFINITY;

    begin_all(serve, end);
    while (end->left > 0) {
        int r;

        if (atomic_load(&serve->stopping) && deadline == INFINITY) {
            deadline = weft_loop_time(NULL) + stop_limit(serve->options);
        }
        r = await_change(serve, deadline);
        weft_event_clear(&serve->changed);
        if (r == -ECANCELED && !end->signalled) {
            end->signalled = true;
            weft_task_uncancel(weft_current_task());
            stop_all(serve);
        }
        count_all(serve, end);
        if (r == -ETIMEDOUT && end->left > 0) {
            leave_behind(serve, end);
            break;
        }
    }
    return 0;
}

/* ---- the call ---- */

static unsigned default_count(void)
{
    unsigned cpus = weft__cpus();

    return cpus > THREADS_MAX ? THREADS_MAX : cpus;
}

static struct weft__serve *prepare(unsigned threads, weft_worker_main *main, void *arg,
                                   const weft_serve_options *options)
{
    struct weft__serve *serve = weft__alloc_zeroed(1, sizeof *serve);

    if (!serve) {
        return NULL;
    }
    serve->workers = weft__alloc_zeroed(threads, sizeof *serve->workers);
    if (!serve->workers) {
        weft__free(serve);
        return NULL;
    }
    pthread_mutex_init(&serve->lock, NULL);
    serve->main = main;
    serve->arg = arg;
    serve->options = options;
    serve->count = threads;
    snprintf(serve->prefix, sizeof serve->prefix, "%s", options->name ? options->name : "serve");
    weft__list_init(&serve->spots);
    for (unsigned i = 0; i < threads; i++) {
        serve->workers[i] = (weft_worker){ .serve = serve, .index = i, .status = -ECANCELED };
        serve->workers[i].post.item =
            (struct weft__item){ .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_POST };
        serve->workers[i].post.callback = cancel_main;
        serve->workers[i].post.arg = &serve->workers[i];
    }
    return serve;
}

static void free_serve(struct weft__serve *serve)
{
    weft__spots_end(serve);
    weft_event_destroy(&serve->changed);
    pthread_mutex_destroy(&serve->lock);
    weft__free(serve->workers);
    weft__free(serve);
}

/* The loop that was to wait could not: it is done without one. */
static void join_all(struct weft__serve *serve, struct end *end)
{
    stop_all(serve);
    for (unsigned i = 0; i < serve->count; i++) {
        weft_worker *worker = &serve->workers[i];

        if (worker->begun && !worker->counted) {
            pthread_join(worker->thread, NULL);
            worker->counted = true;
            end->left--;
        }
    }
}

static void tell_statuses(const struct weft__serve *serve, int error)
{
    for (unsigned i = 0; serve->options->ret_statuses && i < serve->count; i++) {
        const weft_worker *worker = &serve->workers[i];

        serve->options->ret_statuses[i] = !worker->begun   ? error :
                                          worker->counted ? worker->status :
                                                            -ETIMEDOUT;
    }
}

/* Runs all threads, and a loop that takes the signals and waits for their end.  Closes that. */
static int serve_all(struct weft__serve *serve, weft_runner *runner)
{
    struct end end = { .left = 0 };
    int status = weft_runner_run(runner, begins_and_awaits_all(serve, &end)), r;

    if (!end.late && end.left > 0) {
        join_all(serve, &end);
    }
    weft_runner_close(runner); /* the task may still be there, if its loop has failed */
    r = end.unbegun ? end.unbegun : status;
    tell_statuses(serve, r);
    if (!end.late) {
        free_serve(serve);
    } /* else those who were left behind use it for ever */
    r = end.unbegun ? end.unbegun : end.error ? end.error : end.late ? -ETIMEDOUT : status;
    return r == 0 && end.signalled ? weft__words(-EINTR, "a signal ended it") : r;
}

int weft_serve_threads(unsigned threads, weft_worker_main *main, void *arg,
                       const weft_serve_options *options)
{
    static const weft_serve_options none;
    struct weft__serve *serve;
    weft_runner runner;
    weft_run_options how;
    int r;

    options = options ? options : &none;
    if (!main || threads > THREADS_MAX || isnan(options->stop_timeout)) {
        return -EINVAL;
    }
    how = (weft_run_options){ .backend = options->backend,
                              .sigint = options->sigint,
                              .sigterm = options->sigterm >= 0 ? 1 : -1 };
    r = weft_runner_open(&runner, &how);
    if (r < 0) {
        return r;
    }
    serve = prepare(threads ? threads : default_count(), main, arg, options);
    if (!serve) {
        weft_runner_close(&runner);
        return -ENOMEM;
    }
    return serve_all(serve, &runner);
}
