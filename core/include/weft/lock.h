/* SPDX-License-Identifier: MIT
 * A lock: one task at a time between two waits.
 *
 *     static weft_lock lock = WEFT_LOCK_INIT;
 *
 *     r = weft_lock_acquire(&lock);
 *     if (r < 0) { return r; }
 *     ... weft_sleep(), reads, writes: nobody else is in here ...
 *     weft_lock_release(&lock);
 *
 * Needed only where the locked stretch waits: between two waits no other task runs anyway.
 *
 * Who waits is served in the order of coming; the lock passes from hand to hand and is never free
 * while somebody waits, so nobody overtakes.  It belongs to the task that took it.  It is not
 * re-entrant.  When a task ends and holds a lock, the lock is -EOWNERDEAD from then on for all who
 * want it and all who waited, until somebody has looked at what it protects and sets it to
 * WEFT_LOCK_INIT again.  The task is reported if somebody waits at that moment; else the next one's
 * -EOWNERDEAD is what tells of it.
 *
 * A lock belongs to the loop in which a task first had to wait for it, see <weft/waitq.h>; it is
 * not for threads. */
#ifndef WEFT_LOCK_H
#define WEFT_LOCK_H

#include <weft/inline.h>
#include <weft/waitq.h>

WEFT_BEGIN_DECLS

/** A lock; all members are weft's.  Part of the ABI; to be moved only while it is free. */
typedef struct weft_lock {
    weft_waitq waiters;
    weft_task *owner; /* who holds it; NULL: it is free, and nobody waits */
    void *reserved[3];
} weft_lock;
#define WEFT_LOCK_INIT { WEFT_WAITQ_INIT, NULL, { NULL, NULL, NULL } }

/** What a lock knows of itself. */
typedef struct weft_lock_stats {
    bool locked;
    weft_task *owner; /* borrowed; NULL: it is free */
    size_t waiting;   /* tasks */
    void *reserved[2];
} weft_lock_stats;

/** Takes the lock, and waits until it is this task's turn.
 *
 *  Returns 0; -ECANCELED, and the lock is not taken; -EDEADLK this task holds it already,
 *  -EOWNERDEAD who held it has ended, -EXDEV it belongs to another loop, -EPERM outside a task,
 *  -ECHILD after a fork, -EINVAL.  A cancellation point, also where the lock is free; a free lock
 *  is taken without giving way.  In GNU C a call that would take a free lock is done in place and
 *  does not look for a fork: in the child of a task's fork it gives 0, not -ECHILD.  Nothing else
 *  runs there that it could keep out.  Cost: 1 ns when it is free.  Source: Lock.acquire(). */
WEFT_API int weft_lock_acquire(weft_lock *lock);

/** Takes the lock if it is free.
 *
 *  Returns as weft_lock_acquire(), but -EAGAIN instead of waiting.  Not a cancellation point.
 *  Source: trio's Lock.acquire_nowait(). */
WEFT_API int weft_lock_acquire_nowait(weft_lock *lock);

/** Gives the lock to who has waited longest, or sets it free.
 *
 *  Returns 0, -EPERM this task does not hold it (nothing happens), -ECHILD (but in place 0, as with
 *  weft_lock_acquire(), where nobody waits), -EINVAL.  Not a cancellation point.
 *  Source: Lock.release(). */
WEFT_API int weft_lock_release(weft_lock *lock);

/** Whether some task holds it.  Source: Lock.locked(). */
static inline bool weft_lock_locked(const weft_lock *lock)
{
    return lock->owner != NULL;
}

/** Tells who holds a lock and how many wait.  Source: anyio's Lock.statistics(). */
WEFT_API void weft_lock_statistics(const weft_lock *lock, weft_lock_stats *ret_stats);

/** Says that a lock will not be used any more.  Needed only where somebody may be left.
 *
 *  Returns 0, or -EBUSY it is held or waited for: who waits is named in reports, and nothing else
 *  happens; -EINVAL. */
WEFT_API int weft_lock_destroy(weft_lock *lock);

#ifdef WEFT_INLINE_CALLS
/* The short ways: a task that is not cancelled takes a free lock; its owner frees a lock for which
 * nobody waits.  They do not look whether the process forked. */
static inline int weft_inline_lock_acquire(weft_lock *lock)
{
    struct weft_inline_loop *loop = weft_inline_running;
    const struct weft_inline_task *task = loop ? loop->current : NULL;

    if (task && lock && !lock->owner && !task->cancelled && loop->budget > 0) {
        loop->budget--;
        lock->owner = task->handle;
        return 0;
    }
    return weft_lock_acquire(lock);
}

static inline int weft_inline_lock_release(weft_lock *lock)
{
    const struct weft_inline_loop *loop = weft_inline_running;
    const struct weft_inline_task *task = loop ? loop->current : NULL;

    if (task && lock && lock->owner == task->handle && !lock->waiters.first) {
        lock->owner = NULL;
        return 0;
    }
    return weft_lock_release(lock);
}

#define weft_lock_acquire(lock) weft_inline_lock_acquire(lock)
#define weft_lock_release(lock) weft_inline_lock_release(lock)
#endif

/* What WEFT_LOCK_SCOPE() is made of. */
static inline weft_lock *weft_lock_enter(weft_lock *lock, int *ret_status)
{
    *ret_status = weft_lock_acquire(lock);
    return *ret_status < 0 ? NULL : lock;
}

static inline void weft_lock_leave(weft_lock **lock)
{
    if (*lock) {
        weft_lock_release(*lock);
    }
}

WEFT_END_DECLS

/** Takes a lock for the rest of the enclosing block, and releases it on every path out: return,
 *  break, goto.  Declares `int r`, to be looked at: where it is < 0 the lock was not taken.  GNU C.
 *
 *      WEFT_LOCK_SCOPE(&lock, r);
 *      if (r < 0) { return r; } */
#define WEFT_LOCK_SCOPE(lock, r) WEFT__ENTER_SCOPE(weft_lock, weft_lock, lock, r, __COUNTER__)

#endif
