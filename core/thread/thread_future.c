/* SPDX-License-Identifier: MIT
 * Coroutines that other threads ask for, and the futures by which they learn what came of them.
 *
 * A future has two posts of its own, one that begins the coroutine and one that cancels it, so that
 * neither asking allocates.  On the loop's thread it is a waiter of the task's outcome, and stands
 * in a list that hangs on the loop: when that closes, what has not ended is done with -ECANCELED.
 * What is marked so is under the future's lock; the rest belongs to the loop's thread. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sched/context.h"
#include "core/sched/misuse.h"
#include "core/thread/sleeper.h"

#include <math.h>
#include <weft/thread.h>

/* Who wants to be told. */
struct done_callback {
    struct done_callback *next;
    weft_thread_future_callback *callback;
    void *arg;
};

/* A cell of the process. */
struct weft__thread_future {
    uintptr_t handle;
    pthread_mutex_t lock;
    uint32_t epoch;                  /* weft__fork_epoch() when it was made */
    uint32_t holds;                  /* the user's, the loop's and a cancel's; under the lock */
    struct weft__list sleepers;      /* who waits; under the lock */
    struct done_callback *callbacks; /* newest first; under the lock */
    bool held;                       /* the user's hold is there; under the lock */
    bool cancelled;                  /* a cancel was posted; under the lock */
    atomic_bool done;                /* set under the lock */
    int status;                      /* when done */
    void *value;
    weft_loop *loop;
    struct weft__handle begin, cancel; /* the posts */
    weft_coro *coro;                   /* until it begins, */
    struct weft__vars *vars;           /* with the context variables of who asked */
    weft_task *task;                   /* the one that runs; NULL: not yet, or it has ended */
    struct weft__waiter waiter;        /* of that task's outcome */
    struct weft__list link;            /* in the loop's list, while the task runs */
};

/* What hangs on a loop. */
struct loop_futures {
    struct weft__attachment attachment;
    struct weft__list futures;
};

static struct weft__shared cells = WEFT__SHARED_INIT(sizeof(struct weft__thread_future));

static struct weft__thread_future *future_of(weft_thread_future *handle, int *ret_error)
{
    struct weft__thread_future *future = weft__cell_of(handle, ret_error);

    if (future && future->epoch != *weft__fork_word) {
        *ret_error = -ECHILD;
        return NULL;
    }
    return future;
}

/* Spends a hold, with the lock held, which is free after this. */
static void release(struct weft__thread_future *future)
{
    bool last = --future->holds == 0;

    pthread_mutex_unlock(&future->lock);
    if (last) {
        pthread_mutex_destroy(&future->lock);
        weft__shared_give(&cells, future);
    }
}

static void call_back(struct weft__thread_future *future, struct done_callback *callbacks)
{
    struct done_callback *first = NULL;
    weft_thread_future *handle =
        (weft_thread_future *)__atomic_load_n(&future->handle, __ATOMIC_RELAXED);

    while (callbacks) { /* they are called in the order in which they were added */
        struct done_callback *next = callbacks->next;

        callbacks->next = first;
        first = callbacks;
        callbacks = next;
    }
    while (first) {
        struct done_callback *next = first->next;

        first->callback(handle, first->arg);
        weft__free(first);
        first = next;
    }
}

/* The status comes: whoever waits is woken, and the loop's hold is spent. */
static void complete(struct weft__thread_future *future, int status, void *value)
{
    struct weft__list called;
    struct done_callback *callbacks;

    weft__list_init(&called);
    pthread_mutex_lock(&future->lock);
    future->status = status;
    future->value = value;
    atomic_store(&future->done, true);
    callbacks = future->callbacks;
    future->callbacks = NULL;
    while (!weft__list_empty(&future->sleepers)) {
        weft__sleeper_call(&future->sleepers, &called);
    }
    pthread_mutex_unlock(&future->lock);
    weft__sleepers_post(&called);
    call_back(future, callbacks);
    pthread_mutex_lock(&future->lock);
    release(future);
}

/* ---- on the loop's thread ---- */

/* The loop closes: nothing of it will end any more. */
static void close_futures(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct loop_futures *all = (struct loop_futures *)(void *)attachment;
    struct weft__list *link;

    (void)loop;
    while ((link = weft__list_pop(&all->futures))) {
        struct weft__thread_future *future =
            WEFT__CONTAINER(link, struct weft__thread_future, link);
        int r;
        struct weft__task *task = weft__task_at(future->task, &r);

        weft__outcome_unlink(&task->outcome, &future->waiter);
        future->task = NULL;
        complete(future, -ECANCELED, NULL);
    }
    weft__free(all);
}

static struct loop_futures *futures_of(struct weft__loop *loop)
{
    struct loop_futures *all =
        (struct loop_futures *)(void *)weft__loop_attached(loop, close_futures);

    if (!all) {
        all = weft__alloc_zeroed(1, sizeof *all);
        if (all) {
            all->attachment.close = close_futures;
            weft__list_init(&all->futures);
            weft__loop_attach(loop, &all->attachment);
        }
    }
    return all;
}

/* The task has ended. */
static void task_ended(struct weft__waiter *waiter, struct weft__loop *loop,
                       struct weft__outcome *outcome)
{
    struct weft__thread_future *future =
        WEFT__CONTAINER(waiter, struct weft__thread_future, waiter);

    (void)loop;
    weft__list_remove(&future->link);
    future->task = NULL;
    pthread_mutex_lock(&future->lock);
    outcome->seen |= future->held; /* else a failure is reported as any other */
    pthread_mutex_unlock(&future->lock);
    complete(future, outcome->status, outcome->value);
}

/* Makes the task; 0 or an error, and the coroutine is gone. */
static int begin_task(struct weft__thread_future *future, struct weft__loop *loop)
{
    struct loop_futures *all = futures_of(loop);
    weft_task *handle;
    struct weft__task *task;
    int r = 0;

    if (!all) {
        weft__coro_discard(future->coro);
        return -ENOMEM;
    }
    handle = weft_loop_create_task(weft__loop_handle(loop), future->coro, NULL);
    task = weft__task_at(handle, &r);
    if (!task) {
        return r;
    }
    future->task = handle;
    future->waiter = (struct weft__waiter){ .tell = task_ended };
    weft__outcome_push(&task->outcome, &future->waiter);
    weft__list_push(&all->futures, &future->link);
    weft__task_drop_hold(task, true);
    return 0;
}

/* In the context of who asked, which the task copies. */
static void begin_in_context(void *arg)
{
    struct weft__thread_future *future = arg;

    future->status = begin_task(future, weft__running);
}

/* The first post. */
static void begin(void *arg)
{
    struct weft__thread_future *future = arg;
    struct weft__loop *loop = weft__running;
    struct weft__vars *vars = future->vars;

    future->status = -ECANCELED;
    if (!loop || weft__loop_handle(loop) != future->loop || loop->closing) {
        weft__coro_discard(future->coro);
        weft__vars_unref(vars);
    } else if (weft__context_is_used()) {
        weft__context_call(vars, begin_in_context, future);
    } else {
        begin_in_context(future);
    }
    if (future->status < 0) {
        complete(future, future->status, NULL);
    }
}

/* The other one; the task may have ended meanwhile. */
static void cancel(void *arg)
{
    struct weft__thread_future *future = arg;

    if (future->task) {
        weft_task_cancel(future->task);
    }
    pthread_mutex_lock(&future->lock);
    release(future);
}

/* ---- in any thread ---- */

/* A future with the holds of its user, if there is one, and of its loop. */
static int make(weft_coro *coro, weft_loop *loop, bool held,
                struct weft__thread_future **ret_future)
{
    struct weft__thread_future *future = weft__shared_take(&cells);
    int r = future ? weft__fork_epoch(&future->epoch) : -ENOMEM;

    r = r < 0 ? r : weft__fault();
    r = r < 0 ? r : -pthread_mutex_init(&future->lock, NULL);
    if (r < 0) {
        if (future) {
            weft__shared_give(&cells, future);
        }
        return r;
    }
    weft__list_init(&future->sleepers);
    weft__list_init(&future->link);
    future->callbacks = NULL;
    future->holds = held ? 2 : 1;
    future->held = held;
    future->cancelled = false;
    atomic_init(&future->done, false);
    future->loop = loop;
    future->begin.callback = begin;
    future->begin.arg = future;
    future->cancel.callback = cancel;
    future->cancel.arg = future;
    future->coro = coro;
    future->vars = weft__context_capture();
    future->task = NULL;
    *ret_future = future;
    return 0;
}

int weft_run_coroutine_threadsafe(weft_coro *coro, weft_loop *loop, weft_thread_future **ret_future)
{
    struct weft__thread_future *future = NULL;
    weft_thread_future *handle;
    int r = weft__tag_error(coro);

    if (r == 0) {
        r = weft__tag_error(loop) < 0 ? -EINVAL : 0;
        if (r == 0) {
            coro = weft__coro_unbind(coro);
            r = weft__tag_error(coro);
        }
        r = r < 0 ? r : make(coro, loop, ret_future != NULL, &future);
    }
    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    handle = (weft_thread_future *)future->handle;
    r = weft__inbox_post(loop, &future->begin);
    if (r < 0) {
        weft__coro_discard(coro);
        weft__vars_unref(future->vars);
        pthread_mutex_destroy(&future->lock);
        weft__shared_give(&cells, future);
        return weft__misuse(r);
    }
    if (ret_future) {
        *ret_future = handle;
    }
    return 0;
}

/* Sleeps until it is done. */
static int wait(struct weft__thread_future *future, double timeout)
{
    struct weft__sleeper sleeper;
    int r;

    if (timeout <= 0) {
        return -ETIMEDOUT;
    }
    if (weft_get_running_loop() == future->loop) {
        return weft__words(-EDEADLK, "this thread runs the loop in which the coroutine is to run: "
                                     "await it there as a task");
    }
    r = weft__sleeper_init(&sleeper, timeout);
    if (r < 0) {
        return r;
    }
    r = weft__sleeper_cancelled(&sleeper) ? -ECANCELED : 0;
    pthread_mutex_lock(&future->lock);
    future->holds++;
    while (r == 0 && !atomic_load(&future->done)) {
        r = weft__sleeper_sleep(&sleeper, &future->sleepers, &future->lock);
    }
    release(future);
    weft__sleeper_fini(&sleeper);
    return r;
}

int weft_thread_future_wait(weft_thread_future *handle, double timeout, int *ret_status)
{
    int r = 0;
    struct weft__thread_future *future = future_of(handle, &r);

    if (!future || isnan(timeout)) {
        return future ? -EINVAL : r;
    }
    if (!atomic_load(&future->done)) {
        r = wait(future, timeout);
    }
    if (r == 0 && ret_status) {
        *ret_status = future->status;
    }
    return r;
}

int weft_thread_future_result(weft_thread_future *handle, void **ret_value)
{
    int r = 0;
    struct weft__thread_future *future = future_of(handle, &r);

    if (!future || !atomic_load(&future->done)) {
        return future ? -EINPROGRESS : r;
    }
    if (future->status >= 0 && ret_value) {
        *ret_value = future->value;
    }
    return future->status;
}

bool weft_thread_future_done(weft_thread_future *handle)
{
    int r;
    struct weft__thread_future *future = future_of(handle, &r);

    return !future || atomic_load(&future->done);
}

bool weft_thread_future_cancelled(weft_thread_future *handle)
{
    return weft_thread_future_result(handle, NULL) == -ECANCELED;
}

int weft_thread_future_cancel(weft_thread_future *handle)
{
    int r = 0;
    struct weft__thread_future *future = future_of(handle, &r);

    if (!future) {
        return r;
    }
    pthread_mutex_lock(&future->lock);
    if (atomic_load(&future->done)) {
        r = -EALREADY;
    } else if (!future->cancelled) {
        future->cancelled = true;
        future->holds++;
        pthread_mutex_unlock(&future->lock);
        r = weft__inbox_post(future->loop, &future->cancel);
        pthread_mutex_lock(&future->lock);
        if (r < 0) { /* the loop is closed, and with it this */
            release(future);
            return -EALREADY;
        }
    }
    pthread_mutex_unlock(&future->lock);
    return r;
}

int weft_thread_future_add_done_callback(weft_thread_future *handle,
                                         weft_thread_future_callback *callback, void *arg)
{
    int r = -EINVAL;
    struct weft__thread_future *future = callback ? future_of(handle, &r) : NULL;
    struct done_callback *added;

    if (!future) {
        return r;
    }
    added = weft__alloc(NULL, sizeof *added);
    if (!added) {
        return -ENOMEM;
    }
    *added = (struct done_callback){ .callback = callback, .arg = arg };
    pthread_mutex_lock(&future->lock);
    if (!atomic_load(&future->done)) {
        added->next = future->callbacks;
        future->callbacks = added;
        added = NULL;
    }
    pthread_mutex_unlock(&future->lock);
    if (added) {
        call_back(future, added);
    }
    return 0;
}

weft_thread_future *weft_thread_future_free(weft_thread_future *handle)
{
    int r;
    struct weft__thread_future *future = future_of(handle, &r);

    if (future) {
        pthread_mutex_lock(&future->lock);
        future->held = false;
        weft__cell_renew(future);
        release(future);
    }
    return NULL;
}
