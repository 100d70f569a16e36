/* SPDX-License-Identifier: MIT
 * Waiting for tasks and for time. */
#include "core/sched/misuse.h"
#include "core/sched/scope.h"

#include <weft/await.h>

/* Inline, or each await of a task that is not done yet pays for a call more. */
static WEFT__INLINE int wait_for(struct weft__task *task, struct weft__outcome *outcome,
                                 const struct weft__wait *wait, void *target, void **ret_value)
{
    struct weft__waiter waiter = { .task = task };
    int r;

    weft__outcome_push(outcome, &waiter);
    r = weft__task_park(task, wait, target);
    if (r >= 0 && ret_value) {
        *ret_value = waiter.value;
    }
    return r;
}

int weft__task_wait_for(struct weft__task *task, struct weft__outcome *outcome,
                        const struct weft__wait *wait, void *target, void **ret_value)
{
    return wait_for(task, outcome, wait, target, ret_value);
}

int weft__task_fate(const struct weft__task *task, int status, int *ret_status)
{
    if (ret_status) {
        *ret_status = status;
    }
    return task->cancelled ? -ECANCELED : 0;
}

/* A cancel reaches a task that awaits another: it is passed on, and the wait goes on. */
static void interrupt_await(struct weft__task *task)
{
    struct weft__task *target = task->target;

    if (!target->outcome.done) {
        weft__task_cancel_by(target, task, WEFT_CANCEL_AWAITER, NULL);
    }
}

static uint32_t awaited(const struct weft__task *task, struct weft__task **ret_tasks, uint32_t max)
{
    (void)max;
    ret_tasks[0] = task->target;
    return 1;
}

static const struct weft__wait wait_task = {
    "task", interrupt_await, awaited, { { WEFT__SEES_TASK, 0, -1, 0 } }
};

/* Waits until it is done, spends a hold and reads the status. */
static int await(weft_task *handle, struct weft__task **ret_self, void **ret_value)
{
    int r = 0;
    struct weft__task *self = weft__self(&r);
    struct weft__task *target;

    if (!self) {
        int own = weft__tag_error(handle);

        weft_task_unref(handle);
        return own ? own : weft__misuse(r);
    }
    target = weft__task_at(handle, &r);
    if (!target) {
        return weft__misuse_of(r, handle);
    }
    if (target->loop != self->loop) {
        return weft__misuse(-EXDEV);
    }
    if (!target->outcome.holds) {
        return weft__misuse_of(-ESRCH, handle);
    }
    target->outcome.holds--;
    if (target == self) {
        return weft__misuse(-EDEADLK);
    }
    *ret_self = self;
    if (!target->outcome.done) {
        return wait_for(self, &target->outcome, &wait_task, target, ret_value);
    }
    r = weft__outcome_read(&target->outcome, ret_value);
    weft__task_release(target);
    weft__task_spend_turn(self);
    return r;
}

int weft_await_task(weft_task *task)
{
    struct weft__task *self;

    return await(task, &self, NULL);
}

int weft_await_task_value(weft_task *task, void **ret_value)
{
    struct weft__task *self;

    return await(task, &self, ret_value);
}

int weft_await_task_status(weft_task *task, int *ret_status)
{
    struct weft__task *self = NULL;
    int r = await(task, &self, NULL);

    return self ? weft__task_fate(self, r, ret_status) : r;
}

/* A cancel ends a sleep at once. */
static void interrupt_sleep(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_sleep = { "sleep", interrupt_sleep };

WEFT__COLD static int sleep_for(struct weft__task *task, double delay)
{
    int64_t ns;
    int r = weft__seconds_to_ns(delay, &ns);

    if (r < 0) {
        return r;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    task->item.when = weft__loop_after(task->loop, ns);
    r = weft__timers_add(&task->loop->timers, &task->item);
    if (r < 0) {
        return r;
    }
    return weft__task_park(task, &wait_sleep, NULL);
}

int weft_sleep(double delay)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!task) {
        return weft__misuse(r);
    }
    if (!(delay <= 0)) {
        return sleep_for(task, delay);
    }
    weft__task_yield(task);
    return task->cancelled ? -ECANCELED : 0;
}

int weft_loop_run_until_complete_task(weft_loop *loop_handle, weft_task *handle)
{
    int r = 0, status = 0;
    struct weft__task *task = weft__task_of(handle, &r);
    struct weft__loop *loop = task ? weft__loop_of(loop_handle, &r) : NULL;

    if (!loop || weft_get_running_loop()) {
        weft_task_unref(handle);
        return loop ? -EBUSY : r;
    }
    if (task->loop != loop) {
        return -EXDEV;
    }
    if (!task->outcome.holds) {
        return -ESRCH;
    }
    task->outcome.holds--; /* spent already: the task stays by the call's pin */
    r = weft__loop_run_until(loop, &task->outcome, &status);
    task->outcome.detached |= r < 0;
    weft__task_release(task);
    return r < 0 ? r : status;
}

int weft_loop_run_until_complete_coro(weft_loop *loop, weft_coro *coro)
{
    if (weft_get_running_loop()) {
        weft__coro_discard(coro);
        return -EBUSY;
    }
    return weft_loop_run_until_complete_task(loop, weft_loop_create_task(loop, coro, NULL));
}
