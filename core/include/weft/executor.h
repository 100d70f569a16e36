/* SPDX-License-Identifier: MIT
 * Executors: threads for calls that block.
 *
 *     r = weft_to_thread(compress, &file);     waits; compress(&file) runs in a thread meanwhile
 *
 * A job is a function with its argument.  Each loop has a default executor, which is made when it
 * is first needed; a thread begins when there is a job and no idle thread, so a program that never
 * asks for one has none.  Executors of one's own share threads between loops, or keep slow jobs
 * away from quick ones.
 *
 * A thread cannot be stopped from outside.  A job that has not begun can be taken back; one that
 * runs is told, and may look (weft_job_cancelled()).
 *
 * A job runs in a copy of the context of who asked for it: what it sets is its own.
 *
 * Threads are called "weft_0", "weft_1" ... or as the options say, have all signals blocked, and
 * run no loop of their own: a job that calls what waits gets -EPERM, unless it runs a loop itself.
 * On a backend with virtual time the clock does not jump while a job runs, but goes as fast as the
 * real one. */
#ifndef WEFT_EXECUTOR_H
#define WEFT_EXECUTOR_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

/** A call that may block; runs in a thread.  >= 0 is success, a negative errno is failure. */
typedef int weft_job(void *arg);

/** Threads that take jobs from one queue, first come first served. */
typedef struct weft_executor weft_executor;

/** How to make one; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_executor_options {
    unsigned max_workers;           /* 0: the CPUs that the process may use + 4, at most 32 */
    unsigned max_queued;            /* jobs that may wait for a thread; 0: no limit */
    const char *thread_name_prefix; /* copied, 10 bytes; NULL: "weft" */
    void *reserved[4];              /* zero */
} weft_executor_options;

/** Makes an executor; no thread begins before its first job.
 *
 *  ret_executor  give it back with weft_executor_free(); untouched on error.
 *
 *  Returns 0, -ENOMEM, -EINVAL.  Any thread; not a cancellation point.
 *  Source: concurrent.futures.ThreadPoolExecutor. */
WEFT_API WEFT_MUST_USE int weft_executor_new(const weft_executor_options *options,
                                             weft_executor **ret_executor);

/** Takes no more jobs, lets those that are there end, and ends the threads.
 *
 *  wait            until the last thread is gone.  In a task others run meanwhile; elsewhere the
 *                  thread blocks.
 *  cancel_futures  jobs that have not begun are taken back: their status is -ECANCELED.
 *
 *  Returns 0, also when it was shut down before; -ECANCELED the task is cancelled (the shutdown
 *  goes on), -EDEADLK from a job of this executor, -EPERM from a callback (with `wait`; it was shut
 *  down all the same), -ESRCH, -EINVAL, -ECHILD.  With `wait` a cancellation point.  Any thread.
 *  Source: Executor.shutdown(). */
WEFT_API int weft_executor_shutdown(weft_executor *executor, bool wait, bool cancel_futures);

/** Gives an executor back.  The jobs that it has still end; loops that have it as their default
 *  keep it.
 *
 *  executor  taken; NULL and spent ones are left alone.
 *
 *  Returns NULL.  Any thread.  Waits for threads that have nothing to do, which is soon. */
WEFT_API weft_executor *weft_executor_free(weft_executor *executor);

/** Calls `job(arg)` in a thread of the loop's default executor, and waits for its end.
 *
 *  arg  borrowed until then: it may point into the caller's frame.
 *
 *  When the task is cancelled a job that has not begun is taken back: -ECANCELED, at once.  One
 *  that runs is told (weft_job_cancelled()), and the wait goes on until it has ended.
 *
 *  Returns what the job returned, -ECANCELED it did not begin, -EAGAIN no thread could be made,
 *  -ESHUTDOWN the executor was shut down, -ENOMEM, -EINVAL, -EPERM outside a task, -ECHILD.  A wait
 *  that protects memory.  Cost: two switches between threads; no allocation.
 *  Source: asyncio.to_thread(). */
WEFT_API int weft_to_thread(weft_job *job, void *arg);

/** weft_to_thread() in an executor of one's own; also -EAGAIN its queue is full, -ESRCH. */
WEFT_API int weft_to_thread_in(weft_executor *executor, weft_job *job, void *arg);

/** Begins `job(arg)` in a thread and returns a future with what the job will return as its status.
 *
 *  executor    borrowed; NULL: the loop's default.
 *  arg         borrowed until the job has ended, which the future does not tell once it was
 *              cancelled: use weft_to_thread() where that matters, or let the job own it, below.
 *  ret_future  the awaiter's hold.  Cancelling it (awaiting it in a task that is cancelled does,
 *              too) takes back a job that has not begun; one that runs goes on, and is told.
 *
 *  Returns 0, -EAGAIN no thread could be made or the queue is full, -ESHUTDOWN, -ENOMEM, -EINVAL,
 *  -EBADF, -EXDEV, -EPERM, -ESRCH, -ECHILD.  Not a cancellation point.  The loop's thread.
 *  Source: loop.run_in_executor(). */
WEFT_API int weft_loop_run_in_executor(weft_loop *loop, weft_executor *executor, weft_job *job,
                                       void *arg, weft_future **ret_future);

/** What else a job may have; all zero for nothing. */
typedef struct weft_job_options {
    const char *name;    /* for reports; static text; NULL: the function's symbol, if it has one */
    weft_callback *drop; /* called with the job's argument if the job never runs, see below */
    void *reserved[2];   /* zero */
} weft_job_options;

/** weft_loop_run_in_executor() with options, which may be NULL.
 *
 *  With `drop` the argument is the job's: it frees what that owns, or, when it does not begin
 *  (taken back, or this call fails), drop(arg) does, once, in whatever thread finds that out. */
WEFT_API int weft_loop_run_in_executor_with(weft_loop *loop, weft_executor *executor, weft_job *job,
                                            void *arg, const weft_job_options *options,
                                            weft_future **ret_future);

/** Whether the job that runs in this thread shall stop: its task or its future was cancelled, or
 *  nobody waits for it any more.  false outside a job.  Cost: two loads.
 *  Source: trio.from_thread.check_cancelled(). */
WEFT_API bool weft_job_cancelled(void);

/** Makes an executor the loop's default.  The loop holds it until it is replaced or the loop
 *  closes; the one that it replaces ends its jobs and its threads when nobody else holds it.
 *
 *  executor  borrowed.
 *
 *  Returns 0, -ENOMEM, -EINVAL, -ESRCH, -EBADF, -EXDEV, -EPERM, -ECHILD.  The loop's thread.
 *  Source: loop.set_default_executor(). */
WEFT_API int weft_loop_set_default_executor(weft_loop *loop, weft_executor *executor);

/** Shuts the default executor down and waits until its last thread is gone: jobs that wait for a
 *  thread are done, too.  weft_run() does this at its end, with 300 seconds.
 *
 *  loop     NULL: the running one.  One that runs: from one of its tasks; one that does not is run
 *           meanwhile.
 *  timeout  seconds; infinity for no limit.  When it has passed, jobs that have not begun are taken
 *           back, those that run are told, each is reported by its name (WEFT_REPORT_JOB_PENDING)
 *           and left behind with its thread.
 *
 *  Returns 0, -ETIMEDOUT, -ECANCELED the task is cancelled (the shutdown goes on), -EINVAL NaN,
 *  -EPERM from a callback, -EBADF, -EXDEV, -ECHILD.  A cancellation point.
 *  Source: loop.shutdown_default_executor(). */
WEFT_API int weft_loop_shutdown_default_executor(weft_loop *loop, double timeout);

/* The same with a name for reports, which is static text.  The macros below name a job by the words
 * that stand in the call. */
WEFT_API int weft_to_thread_named(weft_job *job, void *arg, const char *name);
WEFT_API int weft_to_thread_in_named(weft_executor *executor, weft_job *job, void *arg,
                                     const char *name);

static inline int weft__run_in_executor(weft_loop *loop, weft_executor *executor, weft_job *job,
                                        void *arg, weft_future **ret_future, const char *name)
{
    weft_job_options options = { name, NULL, { NULL, NULL } };

    return weft_loop_run_in_executor_with(loop, executor, job, arg, &options, ret_future);
}

WEFT_END_DECLS

#define weft_to_thread(job, arg) weft_to_thread_named(job, arg, #job)
#define weft_to_thread_in(executor, job, arg) weft_to_thread_in_named(executor, job, arg, #job)
#define weft_loop_run_in_executor(loop, executor, job, arg, ret_future) \
    weft__run_in_executor(loop, executor, job, arg, ret_future, #job)

#endif
