/* SPDX-License-Identifier: MIT
 * Locks, and what becomes of one whose owner ends. */
#include "core/sync/lock.h"

#include "core/base/error.h"

#undef weft_lock_acquire /* the functions themselves */
#undef weft_lock_release

_Static_assert(sizeof(void *) != 8 || sizeof(weft_lock) == 64, "the public size: a cache line");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_lock_stats) == 40, "the public size");

/* What <weft/inline.h> says of loops and tasks. */
_Static_assert(offsetof(struct weft_inline_loop, current) == offsetof(struct weft__loop, current) &&
                   offsetof(struct weft_inline_loop, budget) == offsetof(struct weft__loop, budget),
               "what programs have compiled in");
_Static_assert(offsetof(struct weft__task, slot.handle) == 0 &&
                   offsetof(struct weft_inline_task, cancelled) ==
                       offsetof(struct weft__task, cancelled),
               "what programs have compiled in");

void weft__owner_interrupt(struct weft__task *task)
{
    int r;
    weft_task *const *owner = ((weft_waiter *)task->target)->value;
    struct weft__task *holder = weft__task_at(*owner, &r);

    if (holder) { /* readers have none */
        holder->wanted--;
    }
    weft__waitq_interrupt(task);
}

uint32_t weft__owner_awaited(const struct weft__task *task, struct weft__task **ret_tasks,
                             uint32_t max)
{
    int r;
    weft_task *const *owner = ((const weft_waiter *)task->target)->value;
    struct weft__task *holder = owner && *owner ? weft__task_at(*owner, &r) : NULL;

    if (!holder || !max) {
        return 0; /* readers have none */
    }
    ret_tasks[0] = holder;
    return 1;
}

const struct weft__wait weft__wait_lock = {
    "lock", weft__owner_interrupt, weft__owner_awaited,
    { WEFT__SEES_OBJECT_OF(weft_lock, waiters), WEFT__SEES_OWNER_OF_IT }
};

bool weft__owner_is_dead(weft_task *handle)
{
    int r;
    const struct weft__task *owner = weft__task_at(handle, &r);

    return !owner || owner->outcome.done;
}

WEFT__COLD int weft__owner_is_busy(weft_task *handle, const char *what)
{
    int r;
    const struct weft__task *owner = weft__task_at(handle, &r);
    char name[WEFT__TASK_NAME_MAX];

    weft__task_format_name(name, owner->name, owner->id);
    return weft__detail(-EBUSY, "task '%s' %s", name, what);
}

WEFT__COLD int weft__owner_error(weft_task *owner, const struct weft__task *task)
{
    if (owner == weft__task_handle(task)) {
        return weft__words(-EDEADLK, "this task holds it already, and it is not re-entrant");
    }
    if (weft__owner_is_dead(owner)) {
        return weft__words(-EOWNERDEAD,
                           "the task that held it has ended: look at what it protects, and "
                           "initialise it again");
    }
    return weft__misuse(-EXDEV);
}

WEFT__COLD static int acquire_failed(struct weft__task *task, int error)
{
    if (error != -ECANCELED) {
        return weft__misuse(error);
    }
    weft__task_yield(task);
    return -ECANCELED;
}

int weft_lock_acquire(weft_lock *lock)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL, *holder;
    weft_waiter waiter;

    if (!task) {
        return acquire_failed(NULL, r);
    }
    if (!lock->owner) {
        if (task->cancelled) {
            return acquire_failed(task, -ECANCELED);
        }
        lock->owner = weft__task_handle(task);
        weft__task_spend_turn(task);
        return 0;
    }
    holder = weft__owner_of(lock->owner, task, &r);
    if (!holder) {
        return r;
    }
    r = weft__waitq_bind(&lock->waiters, task->loop);
    if (r < 0) {
        return r;
    }
    holder->wanted++;
    waiter.gave_up = NULL;
    waiter.value = &lock->owner;
    return weft__waitq_park(task, &lock->waiters, &waiter, &weft__wait_lock);
}

int weft_lock_acquire_nowait(weft_lock *lock)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    if (lock->owner) {
        return weft__owner_of(lock->owner, task, &r) ? -EAGAIN : r;
    }
    lock->owner = weft__task_handle(task);
    return 0;
}

WEFT__COLD static int release_failed(const weft_lock *lock, int error)
{
    if (error) {
        return weft__misuse(error);
    }
    return weft__words(-EPERM,
                       lock->owner ? "another task holds this lock" : "nobody holds this lock");
}

int weft_lock_release(weft_lock *lock)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL;

    if (!task) {
        return release_failed(lock, r);
    }
    if (lock->owner != weft__task_handle(task)) {
        return release_failed(lock, 0);
    }
    weft__lock_pass(lock, task);
    return 0;
}

void weft_lock_statistics(const weft_lock *lock, weft_lock_stats *ret_stats)
{
    *ret_stats = (weft_lock_stats){ .locked = lock->owner != NULL,
                                    .owner = lock->owner,
                                    .waiting = lock->waiters.count };
}

int weft_lock_destroy(weft_lock *lock)
{
    int r = lock ? weft__waitq_destroy(&lock->waiters, "a lock") : -EINVAL;

    if (r == 0 && lock->owner && !weft__owner_is_dead(lock->owner)) {
        r = weft__owner_is_busy(lock->owner, "holds this lock");
    }
    return r;
}

/* The end of an owner. */

static bool stands_in_line(const struct weft__task *task)
{
    const struct weft__wait *kind = task->waiting;

    return kind == &weft__wait_lock || kind == &weft__wait_condition || kind == &weft__wait_read ||
           kind == &weft__wait_write;
}

/* A task that waits for something of the dead owner's. */
static void wake_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;
    weft_task *const *owner;

    if (task->outcome.done || !stands_in_line(task)) {
        return;
    }
    owner = ((weft_waiter *)task->target)->value;
    if (owner && *owner == arg) {
        weft__waiter_wake(task->target, -EOWNERDEAD);
    }
}

WEFT__COLD void weft__owner_ended(void *ended)
{
    struct weft__task *task = ended;
    weft_report report = {
        .kind = WEFT_REPORT_LOCK_HELD,
        .status = -EOWNERDEAD,
        .message = task->wanted ? "ended and holds a lock that others wait for" :
                                  "ended and has not given back what it took",
    };

    if (task->wanted) {
        weft__stacks_each(&task->loop->stacks, wake_one, weft__task_handle(task));
    }
    weft__task_describe(task, &report);
    weft__report(task->loop, &report);
}
