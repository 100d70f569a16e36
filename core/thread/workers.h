/* SPDX-License-Identifier: MIT
 * Worker threads and the jobs that they take from one queue: what a weft_executor is.
 *
 *     made --submit--> queued --a worker takes it--> running --> its end is posted to its loop
 *                         \-- withdrawn, or the queue is emptied: -ECANCELED
 *
 * A job belongs to who asked for it, and lives until its end was told: by its post, which the loop
 * runs, or by `lost`, when the loop was closed before.  Idle workers sleep on conditions of their
 * own; the last to fall asleep is the first to be woken.  The workers, their queue and all that is
 * marked so below are under one lock. */
#ifndef WEFT_CORE_WORKERS_H
#define WEFT_CORE_WORKERS_H

#include "core/base/list.h"
#include "core/sched/context.h"
#include "core/sched/handle.h"

#include <weft/executor.h>

#define WEFT__WORKERS_NAMES_MAX 64 /* jobs that are named when their time is up */

struct weft__worker;

struct weft__job {
    struct weft__list link; /* first: in the queue; under the lock */
    weft_job *run;
    void *arg;
    const char *name;              /* static text, for reports; NULL: the function's symbol */
    struct weft__workers *workers; /* who will run it */
    struct weft__worker *worker;   /* who runs it; under the lock */
    bool queued;                   /* under the lock */
    int status;                    /* at its end */
    struct weft__vars *vars;       /* the context variables of who asked, until it begins */
    weft_loop *loop;               /* where its end is told, */
    struct weft__handle post;      /* by this: callback and arg are the owner's to set */
    /* The loop is closed; in the worker's thread.  NULL: nothing is to be done. */
    void (*lost)(struct weft__job *job);
};

/* A cell of the process. */
struct weft__workers {
    uintptr_t handle; /* the weft_executor */
    pthread_mutex_t lock;
    struct weft__list jobs;     /* that wait, in their order */
    struct weft__list idle;     /* workers that sleep */
    struct weft__list threads;  /* all workers that have not ended */
    struct weft__list ended;    /* those whose threads are to be joined */
    struct weft__list joined;   /* those that were: memory */
    struct weft__list sleepers; /* who waits for the last thread's end */
    uint32_t epoch;             /* weft__fork_epoch() when it was made */
    uint32_t holds;             /* the user's, loops', jobs', and of who waits for its end */
    unsigned max_workers, max_queued;
    unsigned queued, running; /* jobs that wait, threads */
    atomic_uint busy;         /* threads that run a job whose end was not told */
    unsigned made;            /* threads so far: their numbers */
    bool shut;                /* no more jobs */
    char prefix[11];          /* of the threads' names */
};

/* Makes workers with one hold; no thread. */
int weft__workers_new(const weft_executor_options *options, struct weft__workers **ret_workers);

/* The workers of a public handle; NULL and -EINVAL, -ESRCH, -ECHILD. */
struct weft__workers *weft__workers_of(weft_executor *executor, int *ret_error);

void weft__workers_hold(struct weft__workers *workers);

/* Spends a hold.  The last one shuts the workers down, waits for those that have nothing to do, and
 * frees it all, or leaves that to the last worker. */
void weft__workers_release(struct weft__workers *workers);

/* Queues a job, on the thread of its loop, and sees that a worker comes.  The job has a hold, which
 * its post has to release, also one that was withdrawn.  0, or the job is yours again: -ESHUTDOWN,
 * -EAGAIN, -ENOMEM, -ECHILD. */
int weft__workers_submit(struct weft__workers *workers, struct weft__job *job);

/* Takes a job back that has not begun (true: its end will not be told); tells one that runs that it
 * shall stop (false). */
bool weft__workers_withdraw(struct weft__job *job);

/* Takes no more jobs; `cancel` ends those that wait with -ECANCELED. */
void weft__workers_shut(struct weft__workers *workers, bool cancel);

/* Waits until the last thread has ended, after weft__workers_shut(): in a task, or blocking the
 * thread.  0, -ETIMEDOUT, -ECANCELED, -EPERM, -EDEADLK one of them asks. */
int weft__workers_join(struct weft__workers *workers, double timeout);

/* The same, blocking the thread in any case. */
int weft__workers_join_blocking(struct weft__workers *workers, double timeout);

/* What was not done in time. */
struct weft__workers_left {
    unsigned withdrawn; /* jobs that had not begun */
    unsigned count;     /* jobs that run, */
    struct {
        weft_job *run;
        const char *name;
    } jobs[WEFT__WORKERS_NAMES_MAX]; /* the first of them */
};

/* Gives up waiting: takes back what has not begun, and tells what runs to stop. */
void weft__workers_give_up(struct weft__workers *workers, struct weft__workers_left *ret_left);

/* How many threads there are. */
unsigned weft__workers_count(struct weft__workers *workers);

#endif
