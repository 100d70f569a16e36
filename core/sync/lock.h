/* SPDX-License-Identifier: MIT
 * Locks from inside: for what hands a lock over in other ways than weft_lock_release(). */
#ifndef WEFT_CORE_LOCK_H
#define WEFT_CORE_LOCK_H

#include "core/sync/waitq.h"

#include <weft/lock.h>

/* Whether the task of a handle, an owner's, is there no more. */
bool weft__owner_is_dead(weft_task *handle);

/* -EBUSY, with words that name the owner, which lives: "task 'x' holds this". */
int weft__owner_is_busy(weft_task *handle, const char *what);

/* Why a task cannot wait for what `owner` has. */
int weft__owner_error(weft_task *owner, const struct weft__task *task);

/* Before a task waits for what `owner` has: 0, and the owner's end will be noticed; or why it
 * cannot: -EDEADLK, -EOWNERDEAD, -EXDEV. */
static inline int weft__owner_check(weft_task *owner, const struct weft__task *task)
{
    int r;
    struct weft__task *holder = weft__task_at(owner, &r);

    if (!holder || holder == task || holder->outcome.done || holder->loop != task->loop) {
        return weft__owner_error(owner, task);
    }
    holder->wanted = true;
    return 0;
}

/* Takes the lock from its owner and gives it to the next, or to nobody. */
static inline void weft__lock_pass(weft_lock *lock)
{
    weft_waiter *next = lock->waiters.first;
    struct weft__task *task;

    if (!next) {
        lock->owner = NULL;
        return;
    }
    task = next->owner;
    lock->owner = weft__task_handle(task);
    weft__waiter_wake(next, 0);
    task->wanted |= lock->waiters.first != NULL;
}

/* A task has ended that somebody waited for, or that has not given back what it had: reports that,
 * and wakes who waits for it with -EOWNERDEAD.  By way of base/hook.h. */
void weft__owner_ended(void *task);

/* The kinds of wait whose waiter stands in line for something that has an owner; that one's address
 * is in waiter->value then: NULL for a condition that waits for its notification. */
extern const struct weft__wait weft__wait_lock WEFT__HIDDEN;
extern const struct weft__wait weft__wait_condition WEFT__HIDDEN;
extern const struct weft__wait weft__wait_read WEFT__HIDDEN;
extern const struct weft__wait weft__wait_write WEFT__HIDDEN;

#endif
