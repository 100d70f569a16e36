/* SPDX-License-Identifier: MIT
 * A condition: tasks that hold a lock wait, without it, until another one says that something has
 * changed, and go on with it.
 *
 *     static weft_condition changed = WEFT_CONDITION_INIT;
 *
 *     weft_condition_acquire(&changed);
 *     r = weft_condition_wait_for(&changed, has_work, &work);
 *     ... the lock is held here, whatever r is ...
 *     weft_condition_release(&changed);
 *
 *     weft_condition_acquire(&changed);            in another task
 *     add_work(&work);
 *     weft_condition_notify(&changed, 1);
 *     weft_condition_release(&changed);
 *
 * Who is notified goes straight to the end of the lock's line, and has its turn when the lock is
 * its own.  A wait returns with the lock held, also when it was cancelled: the way back to the lock
 * is never cut short.  A waiter that is cancelled after it was notified returns 0: so no
 * notification is lost on one who gives up.
 *
 * Each condition has a lock of its own, unless it is given one: several conditions may share it.
 * Often an event (<weft/event.h>) is all that is needed. */
#ifndef WEFT_CONDITION_H
#define WEFT_CONDITION_H

#include <weft/lock.h>

WEFT_BEGIN_DECLS

/** A condition; all members are weft's.  Part of the ABI; not to be moved while it is in use. */
typedef struct weft_condition {
    weft_waitq waiters;
    weft_lock own;
    weft_lock *lock; /* one that was given, borrowed; NULL: its own */
    void *reserved[3];
} weft_condition;
#define WEFT_CONDITION_INIT WEFT_CONDITION_INIT_WITH(NULL)
/** With a lock, borrowed: it must live as long as the condition. */
#define WEFT_CONDITION_INIT_WITH(lock) \
    { WEFT_WAITQ_INIT, WEFT_LOCK_INIT, (lock), { NULL, NULL, NULL } }

/** What a condition knows of itself. */
typedef struct weft_condition_stats {
    size_t waiting; /* tasks that wait for a notification */
    weft_lock_stats lock;
    void *reserved[2];
} weft_condition_stats;

/** What weft_condition_wait_for() asks: > 0 yes, 0 not yet, < 0 an error that ends the wait.  Runs
 *  with the lock held. */
typedef int weft_predicate(void *arg);

/** Returns the condition's lock: its own, or the one that it was given. */
static inline weft_lock *weft_condition_get_lock(weft_condition *condition)
{
    return condition->lock ? condition->lock : &condition->own;
}

/** Takes the condition's lock; as weft_lock_acquire().  Source: Condition.acquire(). */
static inline int weft_condition_acquire(weft_condition *condition)
{
    return weft_lock_acquire(condition ? weft_condition_get_lock(condition) : NULL);
}

/** Releases the condition's lock, as weft_lock_release().  Source: Condition.release(). */
static inline int weft_condition_release(weft_condition *condition)
{
    return weft_lock_release(condition ? weft_condition_get_lock(condition) : NULL);
}

/** Whether its lock is held.  Source: Condition.locked(). */
static inline bool weft_condition_locked(weft_condition *condition)
{
    return weft_lock_locked(weft_condition_get_lock(condition));
}

/** Releases the lock, waits to be notified, and takes the lock again.
 *
 *  Returns 0, or -ECANCELED; with the lock held in either case.  Nothing has happened at -EPERM
 *  (this task does not hold the lock, or is none), -EXDEV, -ECHILD, -EINVAL.  -EOWNERDEAD: a task
 *  ended with the lock, which is not held then.  A cancellation point, that waits for the lock all
 *  the same.  May return though what was waited for is not so any more: look again, or use
 *  weft_condition_wait_for().  Source: Condition.wait(). */
WEFT_API int weft_condition_wait(weft_condition *condition);

/** Waits until `predicate(arg)` says so; it is asked first, and after each notification.
 *
 *  Returns what the predicate returned, not 0; or as weft_condition_wait().
 *  Source: Condition.wait_for(). */
WEFT_API int weft_condition_wait_for(weft_condition *condition, weft_predicate *predicate,
                                     void *arg);

/** Notifies up to `n` tasks that wait, those that have waited longest.  They run when they have the
 *  lock.
 *
 *  Returns how many; -EPERM this task does not hold the lock, -ECHILD, -EINVAL.  Not a cancellation
 *  point.  Source: Condition.notify(). */
WEFT_API int64_t weft_condition_notify(weft_condition *condition, size_t n);

/** Notifies all who wait; returns how many, or as weft_condition_notify().
 *  Source: Condition.notify_all(). */
WEFT_API int64_t weft_condition_notify_all(weft_condition *condition);

/** Tells how many wait, and about the lock.  Source: anyio's Condition.statistics(). */
WEFT_API void weft_condition_statistics(const weft_condition *condition,
                                        weft_condition_stats *ret_stats);

/** Says that a condition will not be used any more; a lock that it was given is left alone.
 *
 *  Returns 0, or -EBUSY tasks wait (each is named in a report) or hold its own lock, and nothing
 *  else happens; -EINVAL. */
WEFT_API int weft_condition_destroy(weft_condition *condition);

WEFT_END_DECLS

/** Holds the condition's lock for the rest of the enclosing block; see WEFT_LOCK_SCOPE(). */
#define WEFT_CONDITION_SCOPE(condition, r) WEFT_LOCK_SCOPE(weft_condition_get_lock(condition), r)

#endif
