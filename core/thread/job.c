/* SPDX-License-Identifier: MIT
 * Jobs: called in a thread while a task waits, or with a future. */
#include "core/base/mem.h"
#include "core/sched/future.h"
#include "core/sched/misuse.h"
#include "core/thread/executor.h"

#undef weft_to_thread
#undef weft_to_thread_in
#undef weft_loop_run_in_executor

void weft__job_init(struct weft__job *job, struct weft__loop *loop, weft_job *run, void *arg,
                    const char *name)
{
    job->run = run;
    job->arg = arg;
    job->name = name;
    job->worker = NULL;
    job->loop = weft__loop_handle(loop);
    job->lost = NULL;
    job->vars = weft__context_capture();
}

/* ---- while a task waits: the job lies in its frame ---- */

struct call {
    struct weft__job job;
    struct weft__task *task;
};

/* The job is over; on the loop's thread. */
static void wake(void *arg)
{
    struct call *call = arg;

    weft__workers_release(call->job.workers);
    weft__vars_unref(call->job.vars);
    if (!call->task->loop->closing) {
        call->task->loop->expected--;
        weft__wake(call->task, call->job.status);
    } /* else the task is abandoned, and this frame stays for ever */
}

/* A cancel: the job is taken back, or told. */
static void interrupt(struct weft__task *task)
{
    struct call *call = task->target;

    if (weft__workers_withdraw(&call->job)) {
        weft__workers_release(call->job.workers);
        weft__vars_unref(call->job.vars);
        task->loop->expected--;
        weft__wake(task, -ECANCELED);
    }
}

#define SEES_JOB { { WEFT__SEES_TEXT, 0, -1, offsetof(struct call, job.name) } }

static const struct weft__wait wait_job = { "a thread's job", interrupt, NULL, SEES_JOB };

/* A cancel of who waits for what must be done: it comes with the next wait. */
static void go_on(struct weft__task *task)
{
    (void)task;
}

static const struct weft__wait wait_always = { "a thread's job", go_on, NULL, SEES_JOB };

static int run_for(struct weft__task *task, struct weft__workers *workers, weft_job *job, void *arg,
                   const char *name, const struct weft__wait *wait)
{
    struct call call;
    int r;

    weft__job_init(&call.job, task->loop, job, arg, name);
    call.job.post.callback = wake;
    call.job.post.arg = &call;
    call.task = task;
    r = weft__workers_submit(workers, &call.job);
    if (r < 0) {
        weft__vars_unref(call.job.vars);
        return r;
    }
    task->loop->expected++;
    return weft__task_park(task, wait, &call);
}

static int run(struct weft__task *task, struct weft__workers *workers, weft_job *job, void *arg,
               const char *name)
{
    return run_for(task, workers, job, arg, name, &wait_job);
}

/* The running task for a job; NULL and what the call returns. */
static struct weft__task *caller(weft_job *job, int *ret_error)
{
    struct weft__task *task = weft__self(ret_error);

    if (!task) {
        (void)weft__misuse(*ret_error);
    } else if (!job) {
        *ret_error = -EINVAL;
        task = NULL;
    } else if (task->cancelled) {
        weft__task_yield(task);
        *ret_error = -ECANCELED;
        task = NULL;
    }
    return task;
}

int weft__call_in_thread(enum weft__job_class class, weft_job *job, void *arg, const char *name)
{
    int r = 0;
    struct weft__task *task = caller(job, &r);
    struct weft__workers *workers = task ? weft__loop_workers(task->loop, class, &r) : NULL;

    return workers ? run(task, workers, job, arg, name) : r;
}

int weft__call_in_thread_always(enum weft__job_class class, weft_job *job, void *arg,
                                const char *name)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);
    struct weft__workers *workers = task ? weft__loop_workers(task->loop, class, &r) : NULL;

    return workers ? run_for(task, workers, job, arg, name, &wait_always) : r;
}

int weft_to_thread_named(weft_job *job, void *arg, const char *name)
{
    return weft__call_in_thread(WEFT__JOBS_DEFAULT, job, arg, name);
}

int weft_to_thread(weft_job *job, void *arg)
{
    return weft_to_thread_named(job, arg, NULL);
}

int weft_to_thread_in_named(weft_executor *executor, weft_job *job, void *arg, const char *name)
{
    int r = 0;
    struct weft__workers *workers = weft__workers_of(executor, &r);
    struct weft__task *task = workers ? caller(job, &r) : NULL;

    return task ? run(task, workers, job, arg, name) : r;
}

int weft_to_thread_in(weft_executor *executor, weft_job *job, void *arg)
{
    return weft_to_thread_in_named(executor, job, arg, NULL);
}

/* ---- with a future: the job is a block of its own ---- */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_job_options) == 32, "the public size");

struct begun {
    struct weft__job job;
    struct weft__future *future; /* we are its setter */
    struct weft__waiter waiter;  /* in its ring: a cancel is seen at once */
    weft_callback *drop;         /* for the argument of a job that never ran; or NULL */
};

/* Nobody needs it any more. */
static void free_begun(struct weft__job *job)
{
    struct begun *begun = WEFT__CONTAINER(job, struct begun, job);

    if (!job->worker && begun->drop) {
        begun->drop(job->arg);
    }
    weft__vars_unref(job->vars);
    weft__free(begun);
}

/* The job is over, or was taken back; on the loop's thread. */
static void set_future(void *arg)
{
    struct begun *begun = arg;
    struct weft__future *future = begun->future;
    struct weft__loop *loop = future->loop;

    weft__workers_release(begun->job.workers);
    if (!loop->closing) {
        loop->expected--;
        if (!future->outcome.done) {
            weft__outcome_unlink(&future->outcome, &begun->waiter);
            weft__outcome_set(loop, &future->outcome, begun->job.status, NULL);
        }
        future->to_be_set = false;
        weft__future_release(future);
    }
    free_begun(&begun->job);
}

/* Somebody else has ended the future: a job that has not begun goes the way of one that is over. */
static void future_ended(struct weft__waiter *waiter, struct weft__loop *loop,
                         struct weft__outcome *outcome)
{
    struct begun *begun = WEFT__CONTAINER(waiter, struct begun, waiter);

    (void)outcome;
    if (weft__workers_withdraw(&begun->job)) {
        begun->job.post.item =
            (struct weft__item){ .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_POST };
        weft__ready(loop, &begun->job.post.item);
    }
}

/* A job that will set `future`, to be submitted; NULL without memory. */
static struct begun *prepare(struct weft__future *future, weft_job *job, void *arg,
                             const weft_job_options *options)
{
    struct begun *begun = weft__alloc_zeroed(1, sizeof *begun);

    if (begun) {
        weft__job_init(&begun->job, future->loop, job, arg, options->name);
        begun->job.post.callback = set_future;
        begun->job.post.arg = begun;
        begun->job.lost = free_begun;
        begun->future = future;
        begun->waiter.tell = future_ended;
        begun->drop = options->drop;
    }
    return begun;
}

static int begin(struct weft__loop *loop, struct weft__workers *workers, weft_job *job, void *arg,
                 const weft_job_options *options, weft_future **ret_future)
{
    struct begun *begun;
    weft_future *handle;
    struct weft__future *future;
    int r = weft_future_new(weft__loop_handle(loop), &handle);

    if (r < 0) {
        return r;
    }
    future = weft__cell_of(handle, &r);
    begun = prepare(future, job, arg, options);
    r = begun ? weft__workers_submit(workers, &begun->job) : -ENOMEM;
    if (r < 0) {
        weft__vars_unref(begun ? begun->job.vars : NULL);
        weft__free(begun);
        future->to_be_set = false;
        weft_future_unref(handle);
        return r;
    }
    loop->expected++;
    weft__outcome_push(&future->outcome, &begun->waiter);
    *ret_future = handle;
    return 0;
}

/* Gives `arg` to its owner where the job could not begin; returns `r`. */
static int dropped_unless_begun(int r, void *arg, const weft_job_options *options)
{
    if (r < 0 && options->drop) {
        options->drop(arg);
    }
    return r;
}

int weft__begin_in_thread(struct weft__loop *loop, enum weft__job_class class, weft_job *job,
                          void *arg, const weft_job_options *options, weft_future **ret_future)
{
    int r = 0;
    struct weft__workers *workers = weft__loop_workers(loop, class, &r);

    r = workers ? begin(loop, workers, job, arg, options, ret_future) : r;
    return dropped_unless_begun(r, arg, options);
}

int weft_loop_run_in_executor_with(weft_loop *handle, weft_executor *executor, weft_job *job,
                                   void *arg, const weft_job_options *options,
                                   weft_future **ret_future)
{
    static const weft_job_options none;
    int r = -EINVAL;
    struct weft__loop *loop = job && ret_future ? weft__loop_of(handle, &r) : NULL;
    struct weft__workers *workers = NULL;

    options = options ? options : &none;
    if (loop) {
        workers = executor ? weft__workers_of(executor, &r) :
                             weft__loop_workers(loop, WEFT__JOBS_DEFAULT, &r);
    }
    r = workers ? begin(loop, workers, job, arg, options, ret_future) : r;
    return dropped_unless_begun(r, arg, options);
}

int weft_loop_run_in_executor(weft_loop *loop, weft_executor *executor, weft_job *job, void *arg,
                              weft_future **ret_future)
{
    return weft_loop_run_in_executor_with(loop, executor, job, arg, NULL, ret_future);
}
