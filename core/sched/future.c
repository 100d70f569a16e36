/* SPDX-License-Identifier: MIT
 * Futures: an outcome that somebody else sets. */
#include "core/sched/future.h"

#include "core/sched/misuse.h"

#include <weft/await.h>

/* The living future of a handle, for its loop's thread. */
static struct weft__future *future_of(weft_future *handle, int *ret_error)
{
    struct weft__future *future = weft__cell_of(handle, ret_error);

    int r = future ? weft__loop_check(future->loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return future;
}

/* For a call that only looks: the host of the loop is not called for it. */
static struct weft__future *future_seen(weft_future *handle, int *ret_error)
{
    struct weft__future *future = weft__cell_of(handle, ret_error);
    int r = future ? weft__loop_check_look(future->loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return future;
}

int weft_future_new(weft_loop *handle, weft_future **ret_future)
{
    int r = -EINVAL;
    struct weft__loop *loop = ret_future ? weft__loop_of(handle, &r) : NULL;
    struct weft__future *future;

    if (!loop) {
        return r;
    }
    future = weft__pool_take(&loop->futures);
    if (!future) {
        return -ENOMEM;
    }
    future->loop = loop;
    future->to_be_set = true;
    weft__outcome_init(&future->outcome, 1);
    *ret_future = (weft_future *)future->handle;
    return 0;
}

/* Frees a future that has neither setter nor awaiter, after reporting a failure that nobody
 * read. */
void weft__future_release(struct weft__future *future)
{
    struct weft__outcome *outcome = &future->outcome;

    if (outcome->holds || outcome->pins || future->to_be_set) {
        return;
    }
    weft__future_report(future);
    weft__outcome_drop_callbacks(outcome);
    weft__pool_give(&future->loop->futures, future);
}

static void release_outcome(struct weft__outcome *outcome)
{
    weft__future_release(WEFT__CONTAINER(outcome, struct weft__future, outcome));
}

void weft__future_report(struct weft__future *future)
{
    struct weft__outcome *outcome = &future->outcome;

    if (outcome->done && outcome->status < 0 && outcome->status != -ECANCELED && !outcome->seen) {
        weft_report report = {
            .kind = WEFT_REPORT_FAILED,
            .status = outcome->status,
            .message = "a future failed and nobody read it",
        };

        weft__report(future->loop, &report);
    }
}

/* Spends the setter's hold. */
static int set(weft_future *handle, int status, void *value)
{
    int r = 0;
    struct weft__future *future = future_of(handle, &r);

    if (!future) {
        return r;
    }
    if (!future->outcome.done) {
        weft__outcome_set(future->loop, &future->outcome, status, value);
    } else {
        /* That it was cancelled meanwhile is no mistake, and needs no words. */
        r = future->outcome.status == -ECANCELED ? -EALREADY : weft__misuse(-EALREADY);
    }
    future->to_be_set = false;
    weft__future_release(future);
    return r;
}

int weft_future_set_result(weft_future *future, void *value)
{
    return set(future, 0, value);
}

int weft_future_set_exception(weft_future *future, int error)
{
    return error < 0 ? set(future, error, NULL) : -EINVAL;
}

int weft_future_cancel(weft_future *handle)
{
    int r = 0;
    struct weft__future *future = future_of(handle, &r);

    if (!future) {
        return r;
    }
    if (future->outcome.done) {
        return -EALREADY;
    }
    weft__outcome_set(future->loop, &future->outcome, -ECANCELED, NULL);
    return 0;
}

bool weft_future_done(weft_future *handle)
{
    int r;
    struct weft__future *future = future_seen(handle, &r);

    return !future || future->outcome.done;
}

bool weft_future_cancelled(weft_future *handle)
{
    int r;
    struct weft__future *future = future_seen(handle, &r);

    return future && future->outcome.done && future->outcome.status == -ECANCELED;
}

int weft_future_result(weft_future *handle, void **ret_value)
{
    int r = 0;
    struct weft__future *future = future_seen(handle, &r);

    return future ? weft__outcome_read(&future->outcome, ret_value) : r;
}

int weft_future_status(weft_future *future)
{
    return weft_future_result(future, NULL);
}

int weft_future_add_done_callback(weft_future *handle, weft_future_callback *callback, void *arg)
{
    int r = -EINVAL;
    struct weft__future *future = callback ? future_of(handle, &r) : NULL;

    if (!future) {
        return r;
    }
    return weft__outcome_add_callback(future->loop, &future->outcome, handle,
                                      (void (*)(void))callback, arg, release_outcome);
}

int weft_future_remove_done_callback(weft_future *handle, weft_future_callback *callback, void *arg)
{
    int r = 0;
    struct weft__future *future = future_of(handle, &r);

    if (!future) {
        return r;
    }
    r = weft__outcome_remove_callbacks(&future->outcome, (void (*)(void))callback, arg);
    weft__future_release(future);
    return r;
}

weft_future *weft_future_ref(weft_future *handle)
{
    int r;
    struct weft__future *future = future_of(handle, &r);

    if (future) {
        future->outcome.holds++;
    }
    return handle;
}

weft_future *weft_future_unref(weft_future *handle)
{
    int r;
    struct weft__future *future = future_of(handle, &r);

    if (future && future->outcome.holds) {
        future->outcome.holds--;
        weft__future_release(future);
    }
    return NULL;
}

weft_loop *weft_future_get_loop(weft_future *handle)
{
    int r;
    struct weft__future *future = weft__cell_of(handle, &r);

    return future ? weft__loop_handle(future->loop) : NULL;
}

/* A cancel reaches a task that awaits a future: the future is cancelled, which ends the wait. */
static void interrupt(struct weft__task *task)
{
    struct weft__future *future = task->target;

    weft__outcome_set(future->loop, &future->outcome, -ECANCELED, NULL);
}

static const struct weft__wait wait_future = {
    "future", interrupt, NULL, { { WEFT__SEES_OBJECT, 0, -1, 0 } }
};

/* Waits until it is done, spends the awaiter's hold and reads the status. */
static int await(weft_future *handle, struct weft__task **ret_task, void **ret_value)
{
    int r = 0;
    struct weft__future *future = weft__cell_of(handle, &r);
    struct weft__task *task;

    if (!future) {
        return weft__misuse_of(r, handle);
    }
    task = weft__self(&r);
    if (!task || task->loop != future->loop) {
        /* Another loop's future may be another thread's: not even its hold is touched from here. */
        return weft__misuse(task ? -EXDEV : (weft_future_unref(handle), r));
    }
    if (!future->outcome.holds) {
        return weft__misuse_of(-ESRCH, handle);
    }
    *ret_task = task;
    future->outcome.holds--;
    if (!future->outcome.done) {
        return weft__task_wait_for(task, &future->outcome, &wait_future, future, ret_value);
    }
    r = weft__outcome_read(&future->outcome, ret_value);
    weft__future_release(future);
    weft__task_spend_turn(task);
    return r;
}

int weft_await_future(weft_future *future)
{
    struct weft__task *task;

    return await(future, &task, NULL);
}

int weft_await_future_value(weft_future *future, void **ret_value)
{
    struct weft__task *task;

    return await(future, &task, ret_value);
}

int weft_await_future_status(weft_future *future, int *ret_status)
{
    struct weft__task *task = NULL;
    int r = await(future, &task, NULL);

    return task ? weft__task_fate(task, r, ret_status) : r;
}

int weft_loop_run_until_complete_future(weft_loop *loop_handle, weft_future *handle)
{
    int r = 0, status = 0;
    struct weft__future *future = future_of(handle, &r);
    struct weft__loop *loop = future ? weft__loop_of(loop_handle, &r) : NULL;

    if (!loop || weft_get_running_loop()) {
        weft_future_unref(handle);
        return loop ? -EBUSY : r;
    }
    if (future->loop != loop) {
        return -EXDEV;
    }
    if (!future->outcome.holds) {
        return -ESRCH;
    }
    future->outcome.holds--;
    r = weft__loop_run_until(loop, &future->outcome, &status);
    weft__future_release(future);
    return r < 0 ? r : status;
}
