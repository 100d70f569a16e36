/* SPDX-License-Identifier: MIT
 * Conditions: two lines, one for the notification and then the lock's. */
#include "core/sync/lock.h"

#include "core/base/error.h"

#include <weft/condition.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_condition) == 128, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_condition_stats) == 64, "the public size");

struct condition_wait {
    weft_waiter waiter; /* its `value` is NULL until it stands in the lock's line */
    weft_lock *lock;
    bool cancelled; /* before it was notified */
};

/* Puts a waiter that stands in no line any more into that of the lock, which another task holds. */
static void stand_in_line(weft_waiter *waiter, weft_lock *lock, struct weft__task *holder)
{
    holder->wanted++;
    waiter->value = &lock->owner;
    weft__waitq_push(&lock->waiters, waiter);
}

/* A cancel: the waiter goes back to the lock, if it was not on its way there already. */
static void interrupt(struct weft__task *task)
{
    struct condition_wait *wait = task->target;
    weft_lock *lock = wait->lock;
    struct weft__task *holder;
    int r;

    if (wait->waiter.value) {
        return;
    }
    wait->cancelled = true;
    weft__waiter_unlink(&wait->waiter);
    if (!lock->owner) {
        lock->owner = weft__task_handle(task);
        weft__wake(task, 0);
        return;
    }
    holder = weft__owner_of(lock->owner, task, &r);
    if (holder) {
        stand_in_line(&wait->waiter, lock, holder);
    } else {
        weft__wake(task, r);
    }
}

const struct weft__wait weft__wait_condition = {
    "condition", interrupt, NULL,
    { WEFT__SEES_OBJECT_OF(weft_condition, waiters), WEFT__SEES_OWNER_OF_IT }
};

/* The running task, if it holds the condition's lock; NULL and the error. */
static struct weft__task *holder(weft_condition *condition, int *ret_error)
{
    struct weft__task *task;

    *ret_error = -EINVAL;
    task = condition ? weft__self(ret_error) : NULL;
    if (task && weft_condition_get_lock(condition)->owner != weft__task_handle(task)) {
        *ret_error = weft__words(-EPERM, "this task does not hold the condition's lock");
        return NULL;
    }
    return task;
}

int weft_condition_wait(weft_condition *condition)
{
    int r;
    struct weft__task *task = holder(condition, &r);
    struct condition_wait wait = { .cancelled = false };

    if (!task) {
        return r;
    }
    wait.lock = weft_condition_get_lock(condition);
    r = weft__waitq_bind(&condition->waiters, task->loop);
    r = r < 0 ? r : weft__waitq_bind(&wait.lock->waiters, task->loop);
    if (r < 0) {
        return r;
    }
    wait.waiter.owner = task;
    weft__waitq_push(&condition->waiters, &wait.waiter);
    weft__lock_pass(wait.lock, task);
    r = weft__task_park(task, &weft__wait_condition, &wait.waiter);
    return r == 0 && wait.cancelled ? -ECANCELED : r;
}

int weft_condition_wait_for(weft_condition *condition, weft_predicate *predicate, void *arg)
{
    int r;

    if (!predicate) {
        return -EINVAL;
    }
    if (!holder(condition, &r)) {
        return r;
    }
    while ((r = predicate(arg)) == 0) {
        r = weft_condition_wait(condition);
        if (r < 0) {
            break;
        }
    }
    return r;
}

int64_t weft_condition_notify(weft_condition *condition, size_t n)
{
    int r;
    struct weft__task *task = holder(condition, &r);
    size_t notified = 0;

    if (!task) {
        return r;
    }
    for (; notified < n && condition->waiters.first; notified++) {
        weft_waiter *waiter = condition->waiters.first;

        weft__waiter_unlink(waiter);
        stand_in_line(waiter, weft_condition_get_lock(condition), task);
    }
    return (int64_t)notified;
}

int64_t weft_condition_notify_all(weft_condition *condition)
{
    return weft_condition_notify(condition, SIZE_MAX);
}

void weft_condition_statistics(const weft_condition *condition, weft_condition_stats *ret_stats)
{
    *ret_stats = (weft_condition_stats){ .waiting = condition->waiters.count };
    weft_lock_statistics(condition->lock ? condition->lock : &condition->own, &ret_stats->lock);
}

int weft_condition_destroy(weft_condition *condition)
{
    int r = condition ? weft__waitq_destroy(&condition->waiters, "a condition") : -EINVAL;

    return r < 0 || condition->lock ? r : weft_lock_destroy(&condition->own);
}
