/* SPDX-License-Identifier: MIT
 * Worker threads and the jobs that they take from one queue. */
#include "core/thread/workers.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/base/thread.h"
#include "core/sched/misuse.h"
#include "core/thread/sleeper.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WORKERS_MAX 32 /* threads that nobody asked for */

/* One thread.  The memory stays until the workers are freed: somebody may be about to wake it. */
struct weft__worker {
    struct weft__list link; /* first: in `threads`, `ended` or `joined` */
    struct weft__list idle; /* in `idle`, while it sleeps and nobody called it */
    struct weft__workers *workers;
    pthread_t thread;
    pthread_cond_t wake;
    const struct weft__job *job; /* that it runs, to be compared only: it may be gone; or NULL */
    weft_job *run;               /* of that job, for reports */
    const char *name;
    atomic_bool cancelled; /* that job shall stop */
    bool called;           /* there may be a job */
    unsigned number;       /* in its name */
};

_Static_assert(sizeof(void *) != 8 || sizeof(weft_executor_options) == 48, "the public size");

static struct weft__shared cells = WEFT__SHARED_INIT(sizeof(struct weft__workers));

static WEFT__THREAD_LOCAL struct weft__worker *self; /* NULL: this thread is none */

bool weft_job_cancelled(void)
{
    return self && atomic_load_explicit(&self->cancelled, memory_order_relaxed);
}

/* As many as CPUs, and some for those that wait. */
static unsigned default_max(void)
{
    unsigned cpus = weft__cpus();

    return cpus > WORKERS_MAX - 4 ? WORKERS_MAX : cpus + 4;
}

static int init(struct weft__workers *workers, const weft_executor_options *options)
{
    const char *prefix = options->thread_name_prefix;
    int r = weft__fork_epoch(&workers->epoch);

    r = r < 0 ? r : weft__fault();
    r = r < 0 ? r : -pthread_mutex_init(&workers->lock, NULL);
    if (r < 0) {
        return r;
    }
    weft__list_init(&workers->jobs);
    weft__list_init(&workers->idle);
    weft__list_init(&workers->threads);
    weft__list_init(&workers->ended);
    weft__list_init(&workers->joined);
    weft__list_init(&workers->sleepers);
    workers->holds = 1;
    workers->max_workers = options->max_workers ? options->max_workers : default_max();
    workers->max_queued = options->max_queued;
    workers->queued = workers->running = workers->made = 0;
    atomic_init(&workers->busy, 0);
    workers->shut = false;
    snprintf(workers->prefix, sizeof workers->prefix, "%.10s", prefix ? prefix : "weft");
    return 0;
}

int weft__workers_new(const weft_executor_options *options, struct weft__workers **ret_workers)
{
    struct weft__workers *workers = weft__shared_take(&cells);
    int r;

    if (!workers) {
        return -ENOMEM;
    }
    r = init(workers, options);
    if (r < 0) {
        weft__shared_give(&cells, workers);
        return r;
    }
    *ret_workers = workers;
    return 0;
}

struct weft__workers *weft__workers_of(weft_executor *executor, int *ret_error)
{
    struct weft__workers *workers = weft__cell_of(executor, ret_error);

    if (workers && workers->epoch != *weft__fork_word) {
        *ret_error = -ECHILD;
        return NULL;
    }
    return workers;
}

/* Joins the threads that have ended; with the lock held, which is free meanwhile. */
static void join_ended(struct weft__workers *workers)
{
    struct weft__list *link;

    while ((link = weft__list_pop(&workers->ended))) {
        struct weft__worker *worker = (struct weft__worker *)(void *)link;

        weft__list_push(&workers->joined, link);
        pthread_mutex_unlock(&workers->lock);
        if (worker == self) {
            pthread_detach(worker->thread);
        } else {
            pthread_join(worker->thread, NULL);
        }
        pthread_mutex_lock(&workers->lock);
    }
}

/* Nobody holds it and no thread is left, save perhaps the one that calls; with the lock held. */
static void destroy(struct weft__workers *workers)
{
    struct weft__list *link;

    WEFT_ASSERT(workers->running == 0 && workers->queued == 0);
    join_ended(workers);
    while ((link = weft__list_pop(&workers->joined))) {
        struct weft__worker *worker = (struct weft__worker *)(void *)link;

        pthread_cond_destroy(&worker->wake);
        weft__free(worker);
    }
    pthread_mutex_unlock(&workers->lock);
    pthread_mutex_destroy(&workers->lock);
    weft__shared_give(&cells, workers);
}

/* A job is over: its loop is told.  The job may be gone when this returns. */
static void tell(struct weft__job *job)
{
    struct weft__workers *workers = job->workers;

    if (weft__inbox_post(job->loop, &job->post) < 0) {
        weft__vars_unref(job->vars);
        job->vars = NULL;
        if (job->lost) {
            job->lost(job);
        }
        weft__workers_release(workers);
    }
}

static void run(void *arg)
{
    struct weft__job *job = arg;

    job->status = job->run(job->arg);
}

/* Calls a job, in its thread, with the context variables of who asked for it. */
static void call(struct weft__job *job)
{
    struct weft__vars *vars = job->vars;

    job->vars = NULL;
    if (weft__context_is_used()) {
        weft__context_call(vars, run, job);
    } else {
        run(job);
    }
    atomic_fetch_sub(&job->workers->busy, 1);
    tell(job);
}

/* The next job; NULL when there will be none.  With the lock held. */
static struct weft__job *next_job(struct weft__worker *worker)
{
    struct weft__workers *workers = worker->workers;
    struct weft__list *link;

    while (!(link = weft__list_pop(&workers->jobs)) && !workers->shut) {
        worker->called = false;
        weft__list_push(&workers->idle, &worker->idle);
        while (!worker->called && !workers->shut) {
            (void)weft__cond_wait(&worker->wake, &workers->lock, WEFT__NEVER);
        }
        weft__list_remove(&worker->idle);
    }
    return (struct weft__job *)(void *)link;
}

static void begin(struct weft__worker *worker, struct weft__job *job)
{
    worker->workers->queued--;
    atomic_fetch_add(&worker->workers->busy, 1);
    worker->job = job;
    worker->run = job->run;
    worker->name = job->name;
    atomic_store_explicit(&worker->cancelled, false, memory_order_relaxed);
    job->queued = false;
    job->worker = worker;
}

static void set_name(const struct weft__worker *worker)
{
    char name[16];

    snprintf(name, sizeof name, "%.10s_%u", worker->workers->prefix, worker->number % 10000u);
    weft__thread_set_name(name);
}

/* One thread less; who waits for the last one is put into `ret_called`.  With the lock held. */
static void count_down(struct weft__workers *workers, struct weft__list *ret_called)
{
    weft__list_init(ret_called);
    if (--workers->running == 0) {
        while (!weft__list_empty(&workers->sleepers)) {
            weft__sleeper_call(&workers->sleepers, ret_called);
        }
    }
}

/* The thread ends; with the lock held, which is free after this. */
static void end(struct weft__worker *worker)
{
    struct weft__workers *workers = worker->workers;
    struct weft__list called;

    weft__list_remove(&worker->link);
    weft__list_push(&workers->ended, &worker->link);
    count_down(workers, &called);
    if (workers->holds == 0 && workers->running == 0) {
        destroy(workers);
        self = NULL;
        return;
    }
    pthread_mutex_unlock(&workers->lock);
    weft__sleepers_post(&called);
}

static void *work(void *arg)
{
    struct weft__worker *worker = arg;
    struct weft__workers *workers = worker->workers;
    struct weft__job *job;

    self = worker;
    set_name(worker);
    pthread_mutex_lock(&workers->lock);
    worker->thread = pthread_self(); /* by itself: its creator may be late */
    while ((job = next_job(worker))) {
        begin(worker, job);
        pthread_mutex_unlock(&workers->lock);
        call(job);
        if (workers->epoch != *weft__fork_word) {
            return NULL; /* the job has forked, and this is the child */
        }
        pthread_mutex_lock(&workers->lock);
        worker->job = NULL;
    }
    end(worker);
    return NULL;
}

/* Makes a thread; all signals are blocked in it. */
static int start(struct weft__worker *worker)
{
    sigset_t all, before;
    pthread_t thread;
    int r = weft__fault();

    if (r < 0) {
        return r;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* One more worker, which is counted in `running` already. */
WEFT__COLD static int hire(struct weft__workers *workers)
{
    struct weft__worker *worker = weft__alloc_zeroed(1, sizeof *worker);
    int r = worker ? weft__cond_init(&worker->wake) : -ENOMEM;

    if (r < 0) {
        weft__free(worker);
        return r;
    }
    worker->workers = workers;
    weft__list_init(&worker->idle);
    pthread_mutex_lock(&workers->lock);
    worker->number = workers->made++;
    weft__list_push(&workers->threads, &worker->link);
    pthread_mutex_unlock(&workers->lock);
    r = start(worker);
    if (r < 0) {
        pthread_mutex_lock(&workers->lock);
        weft__list_remove(&worker->link);
        pthread_mutex_unlock(&workers->lock);
        pthread_cond_destroy(&worker->wake);
        weft__free(worker);
    }
    return r;
}

/* Takes a job out of the queue, with the lock held. */
static void take_out(struct weft__job *job)
{
    weft__list_remove(&job->link);
    job->queued = false;
    job->workers->queued--;
}

/* Moves all jobs that wait to `ret_jobs`, with the lock held; returns how many. */
static unsigned empty_queue(struct weft__workers *workers, struct weft__list *ret_jobs)
{
    struct weft__list *link;
    unsigned count = 0;

    for (; (link = weft__list_pop(&workers->jobs)); count++) {
        ((struct weft__job *)(void *)link)->queued = false;
        weft__list_push(ret_jobs, link);
    }
    workers->queued = 0;
    return count;
}

/* Ends jobs that never began; without the lock. */
static void end_jobs(struct weft__list *jobs, int status)
{
    struct weft__list *link;

    while ((link = weft__list_pop(jobs))) {
        struct weft__job *job = (struct weft__job *)(void *)link;

        job->status = status;
        tell(job);
    }
}

/* Hires for a job that is queued; without a thread for it, now or later, it is taken back, and so
 * are those that others have queued since, in the hope of this thread. */
WEFT__COLD static int hire_for(struct weft__workers *workers, struct weft__job *job)
{
    struct weft__list called, stranded;
    int r = hire(workers), error = r;

    if (r == 0) {
        return 0;
    }
    weft__list_init(&stranded);
    pthread_mutex_lock(&workers->lock);
    count_down(workers, &called);
    if (workers->running > 0 || !job->queued) {
        r = 0; /* the others will do it, or it was cancelled */
    } else {
        take_out(job);
        workers->holds--;
    }
    if (workers->running == 0) {
        (void)empty_queue(workers, &stranded);
    }
    pthread_mutex_unlock(&workers->lock);
    weft__sleepers_post(&called);
    end_jobs(&stranded, error);
    return r == -EAGAIN ? weft__words(r, "no thread could be made for the job: the system has a "
                                         "limit (ulimit -u, or the cgroup's pids.max)") :
                          r;
}

int weft__workers_submit(struct weft__workers *workers, struct weft__job *job)
{
    struct weft__worker *idle = NULL;
    unsigned free; /* threads that run no job: they sleep, or are about to look at the queue */
    bool more = false;
    int r = 0;

    if (workers->epoch != *weft__fork_word) {
        return -ECHILD;
    }
    job->workers = workers;
    pthread_mutex_lock(&workers->lock);
    free = workers->running - atomic_load(&workers->busy);
    if (workers->shut) {
        r = weft__misuse(-ESHUTDOWN);
    } else if (!weft__list_empty(&workers->idle)) {
        idle = WEFT__CONTAINER(workers->idle.prev, struct weft__worker, idle);
        weft__list_remove(&idle->idle);
        idle->called = true;
    } else if (free <= workers->queued && workers->running < workers->max_workers) {
        workers->running++;
        more = true;
    } else if (free <= workers->queued && workers->max_queued &&
               workers->queued - free >= workers->max_queued) {
        r = -EAGAIN;
    }
    if (r == 0) {
        job->queued = true;
        workers->queued++;
        workers->holds++;
        weft__list_push(&workers->jobs, &job->link);
    }
    pthread_mutex_unlock(&workers->lock);
    if (idle) {
        pthread_cond_signal(&idle->wake); /* not under the lock, into which it would run at once */
    }
    return more ? hire_for(workers, job) : r;
}

bool weft__workers_withdraw(struct weft__job *job)
{
    struct weft__workers *workers = job->workers;
    bool queued;

    pthread_mutex_lock(&workers->lock);
    queued = job->queued;
    if (queued) {
        take_out(job);
    } else if (job->worker && job->worker->job == job) {
        atomic_store_explicit(&job->worker->cancelled, true, memory_order_relaxed);
    }
    pthread_mutex_unlock(&workers->lock);
    return queued;
}

/* With the lock held. */
static void wake_all(struct weft__workers *workers)
{
    struct weft__list *link;

    while ((link = weft__list_pop(&workers->idle))) {
        pthread_cond_signal(&WEFT__CONTAINER(link, struct weft__worker, idle)->wake);
    }
}

void weft__workers_shut(struct weft__workers *workers, bool cancel)
{
    struct weft__list jobs;

    weft__list_init(&jobs);
    pthread_mutex_lock(&workers->lock);
    workers->shut = true;
    if (cancel) {
        (void)empty_queue(workers, &jobs);
    }
    wake_all(workers);
    pthread_mutex_unlock(&workers->lock);
    end_jobs(&jobs, -ECANCELED);
}

void weft__workers_give_up(struct weft__workers *workers, struct weft__workers_left *ret_left)
{
    struct weft__list jobs;

    weft__list_init(&jobs);
    pthread_mutex_lock(&workers->lock);
    ret_left->count = 0;
    ret_left->withdrawn = empty_queue(workers, &jobs);
    for (struct weft__list *link = workers->threads.next; link != &workers->threads;
         link = link->next) {
        struct weft__worker *worker = (struct weft__worker *)(void *)link;

        if (worker->job) {
            atomic_store_explicit(&worker->cancelled, true, memory_order_relaxed);
            if (ret_left->count < WEFT__COUNT(ret_left->jobs)) {
                ret_left->jobs[ret_left->count].run = worker->run;
                ret_left->jobs[ret_left->count].name = worker->name;
            }
            ret_left->count++;
        }
    }
    pthread_mutex_unlock(&workers->lock);
    end_jobs(&jobs, -ECANCELED);
}

/* Sleeps until there is no thread. */
static int join(struct weft__workers *workers, struct weft__sleeper *sleeper)
{
    int r = 0;

    pthread_mutex_lock(&workers->lock);
    workers->holds++;
    while (workers->running > 0 && r == 0) {
        r = weft__sleeper_sleep(sleeper, &workers->sleepers, &workers->lock);
    }
    if (workers->running == 0) {
        r = 0;
        join_ended(workers);
    }
    pthread_mutex_unlock(&workers->lock);
    weft__sleeper_fini(sleeper);
    weft__workers_release(workers);
    return r;
}

int weft__workers_join(struct weft__workers *workers, double timeout)
{
    struct weft__sleeper sleeper;
    int r = self && self->workers == workers ? -EDEADLK : weft__sleeper_init(&sleeper, timeout);

    if (r < 0) {
        return r;
    }
    if (weft__sleeper_cancelled(&sleeper)) {
        return -ECANCELED;
    }
    return join(workers, &sleeper);
}

int weft__workers_join_blocking(struct weft__workers *workers, double timeout)
{
    struct weft__sleeper sleeper;
    int64_t ns = 0;
    int r = weft__seconds_to_ns(timeout, &ns);

    r = r < 0 ? r : weft__sleeper_init_thread(&sleeper, weft__time_after(weft__clock_now(), ns));
    return r < 0 ? r : join(workers, &sleeper);
}

unsigned weft__workers_count(struct weft__workers *workers)
{
    unsigned count;

    pthread_mutex_lock(&workers->lock);
    count = workers->running;
    pthread_mutex_unlock(&workers->lock);
    return count;
}

void weft__workers_hold(struct weft__workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->holds++;
    pthread_mutex_unlock(&workers->lock);
}

/* Waits for threads that have nothing to do: they end at once.  With the lock held. */
static void await_idle(struct weft__workers *workers)
{
    struct weft__sleeper sleeper;
    int r = weft__sleeper_init_thread(&sleeper, WEFT__NEVER);

    if (r < 0) {
        while (workers->running > 0) { /* not for long */
            pthread_mutex_unlock(&workers->lock);
            sched_yield();
            pthread_mutex_lock(&workers->lock);
        }
        return;
    }
    while (workers->running > 0 && r == 0) {
        r = weft__sleeper_sleep(&sleeper, &workers->sleepers, &workers->lock);
    }
    weft__sleeper_fini(&sleeper);
}

void weft__workers_release(struct weft__workers *workers)
{
    if (workers->epoch != *weft__fork_word) {
        return; /* the parent's */
    }
    pthread_mutex_lock(&workers->lock);
    if (workers->holds == 1) {
        workers->shut = true;
        wake_all(workers);
        if (atomic_load(&workers->busy) == 0 && workers->queued == 0 &&
            !(self && self->workers == workers)) {
            await_idle(workers);
        }
    }
    if (--workers->holds == 0 && workers->running == 0) {
        destroy(workers);
    } else {
        pthread_mutex_unlock(&workers->lock);
    }
}
