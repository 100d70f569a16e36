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

/* The owner of what a task would wait for; NULL where it cannot: -EDEADLK, -EOWNERDEAD, -EXDEV. */
static inline struct weft__task *weft__owner_of(weft_task *owner, const struct weft__task *task,
                                                int *ret_error)
{
    struct weft__task *holder = weft__task_at(owner, ret_error);

    if (!holder || holder == task || holder->outcome.done || holder->loop != task->loop) {
        *ret_error = weft__owner_error(owner, task);
        return NULL;
    }
    return holder;
}

/* A task counts the waiters for all that it owns, so that they are found when it ends.  Whatever
 * has an owner keeps that number: when a waiter comes, when one gives up, and when the thing passes
 * with its line from one owner to the next.
 *
 * weft__owner_interrupt() is what a cancel does to a waiter in such a line. */
void weft__owner_interrupt(struct weft__task *task);

/* Whom such a waiter waits for: the owner, where there is one. */
uint32_t weft__owner_awaited(const struct weft__task *task, struct weft__task **ret_tasks,
                             uint32_t max);

/* Takes a lock from its owner and gives it to the next, or to nobody. */
static inline void weft__lock_pass(weft_lock *lock, struct weft__task *from)
{
    weft_waiter *next = lock->waiters.first;
    struct weft__task *to;

    if (!next) {
        lock->owner = NULL;
        return;
    }
    to = next->owner;
    from->wanted -= (uint32_t)lock->waiters.count;
    lock->owner = weft__task_handle(to);
    weft__waiter_wake(next, 0);
    to->wanted += (uint32_t)lock->waiters.count;
}

/* A task has ended whom somebody waits for, or that has not given back what it had: reports that,
 * and wakes who waits for it with -EOWNERDEAD.  By way of base/hook.h. */
void weft__owner_ended(void *task);

/* The kinds of wait whose waiter stands in line for something that has an owner: its `value` is
 * where that is told (&lock->owner), or NULL for a condition that waits for its notification. */
extern const struct weft__wait weft__wait_lock WEFT__HIDDEN;
extern const struct weft__wait weft__wait_condition WEFT__HIDDEN;
extern const struct weft__wait weft__wait_read WEFT__HIDDEN;
extern const struct weft__wait weft__wait_write WEFT__HIDDEN;

#endif
