/* SPDX-License-Identifier: MIT
 * The executors of a loop, and calls in them: what the layers above use.
 *
 * Each loop has an executor for every class of job, made when it is first needed; they hang on the
 * loop as an attachment and end with it.  Name lookups have their own, so that they wait behind
 * nobody's compression (weft__call_in_thread(WEFT__JOBS_DNS, ...)).
 *
 * What runs at the end of weft_run(): tasks, then this. */
#ifndef WEFT_CORE_EXECUTOR_H
#define WEFT_CORE_EXECUTOR_H

#include "core/sched/task.h"
#include "core/thread/workers.h"

enum weft__job_class {
    WEFT__JOBS_DEFAULT, /* weft_to_thread() and what users replace by their own */
    WEFT__JOBS_DNS,     /* getaddrinfo(3) and its like: threads of their own */
    WEFT__JOBS_FILES,   /* what waits for a disk (io/file_op.h) */
    WEFT__JOB_CLASSES,
};

/* The loop's workers for a class, borrowed; NULL and -ENOMEM, -ESHUTDOWN. */
struct weft__workers *weft__loop_workers(struct weft__loop *loop, enum weft__job_class class,
                                         int *ret_error);

/* weft_to_thread() for a class of job: `arg` may lie in the caller's frame. */
int weft__call_in_thread(enum weft__job_class class, weft_job *job, void *arg, const char *name);

/* The same for what must be done: a task that is cancelled calls it, too, and a cancel that comes
 * meanwhile neither takes it back nor tells it.  It fails only where there is no thread for it. */
int weft__call_in_thread_always(enum weft__job_class class, weft_job *job, void *arg,
                                const char *name);

/* weft_loop_run_in_executor_with() for a class of job: the caller may abandon it by cancelling the
 * future, so `arg` should be the job's own: give options.drop. */
int weft__begin_in_thread(struct weft__loop *loop, enum weft__job_class class, weft_job *job,
                          void *arg, const weft_job_options *options, weft_future **ret_future);

/* Shuts the default executor of a loop that does not run down and waits for its threads, while the
 * loop runs; afterwards what has not ended is reported.  0 there were no threads; 1 they are gone,
 * and the loop ran meanwhile; -ETIMEDOUT, or what kept the loop from running. */
int weft__executors_shutdown(struct weft__loop *loop, int64_t limit_ns);

/* Makes `job` ready for weft__workers_submit(), in the thread and the context of who asks.  The job
 * carries that along: who ends one that never began unrefs job->vars. */
void weft__job_init(struct weft__job *job, struct weft__loop *loop, weft_job *run, void *arg,
                    const char *name);

#endif
