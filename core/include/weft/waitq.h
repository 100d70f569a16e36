/* SPDX-License-Identifier: MIT
 * Wait queues: what weft's own locks, events and queues are made of, for primitives of your own.
 *
 *     typedef struct gate { bool open; weft_waitq waiting; } gate;       { false, WEFT_WAITQ_INIT }
 *
 *     int gate_pass(gate *g)  { return g->open ? 0 : weft_waitq_wait(&g->waiting); }
 *     void gate_open(gate *g) { g->open = true; weft_waitq_wake_all(&g->waiting, 0); }
 *
 * Who waits stands in the queue with a record on its own stack, first in, first out; nothing is
 * allocated.  To wake is to hand over: from then on the waiter has what it waited for, and a cancel
 * that comes before its turn does not take it back.  So let the state change hands in the same
 * breath ("the lock is yours"), never between ("the lock is free, be quick"): then nobody overtakes
 * and nothing is lost.  A waiter that is cancelled before that leaves the queue at once.
 *
 * After a wait that failed do not touch the object: it may be gone.  What has to be put right when
 * a waiter gives up belongs into its `gave_up` callback.
 *
 * A queue belongs to the loop in which somebody first waited: elsewhere it is -EXDEV, until that
 * loop is closed and nobody is left in the queue.  Nothing here is thread-safe.  The structs are
 * part of the ABI, so that they can be embedded. */
#ifndef WEFT_WAITQ_H
#define WEFT_WAITQ_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

typedef struct weft_waitq weft_waitq;
typedef struct weft_waiter weft_waiter;

/** What is called for a waiter that was woken, or that gave up; it stands in no queue any more.
 *  Must not wait. */
typedef void weft_waiter_tell(weft_waiter *waiter, int status);
typedef void weft_waiter_gave_up(weft_waiter *waiter);

/** A queue.  Read `first` and `count` if you like; write nothing.  To be copied or moved only while
 *  nobody waits. */
struct weft_waitq {
    weft_waiter *first; /* who has waited longest; NULL: nobody waits */
    weft_loop *loop;    /* whose tasks wait here; NULL: nobody ever did */
    size_t count;       /* how many wait */
    void *reserved;
};
#define WEFT_WAITQ_INIT { NULL, NULL, 0, NULL }

/** One who waits.  Embed it in a struct to know more of it: what it wants, where to put what it
 *  gets.  Zero it before its first use; while it stands in a queue only `gave_up` and `value` are
 *  yours. */
struct weft_waiter {
    weft_waiter *next, *prev;     /* the queue is a ring */
    weft_waitq *queue;            /* where it stands; NULL: nowhere */
    weft_waiter_tell *tell;       /* yours, for weft_waitq_add(); NULL: a task waits */
    void *owner;                  /* the task; yours with a `tell` of your own */
    weft_waiter_gave_up *gave_up; /* yours: it leaves without having been woken; or NULL */
    weft_waiter *sibling;         /* the next in the same weft_waitq_wait_any() */
    void *value;                  /* yours */
};
#define WEFT_WAITER_INIT { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Waits until somebody wakes this task.
 *
 *  Returns what it was woken with, or -ECANCELED; -EXDEV the queue belongs to another loop, -EPERM
 *  outside a task, -ECHILD after a fork, -EINVAL.  A cancellation point.  Cost: that of a switch;
 *  no allocation.  Source: trio's ParkingLot.park(). */
WEFT_API int weft_waitq_wait(weft_waitq *queue);

/** weft_waitq_wait() with a record of your own, which whoever wakes finds in the queue.
 *
 *  waiter  in the caller's frame, in no queue (-EBUSY), without `tell` (-EINVAL). */
WEFT_API int weft_waitq_wait_with(weft_waitq *queue, weft_waiter *waiter);

/** Waits in several queues at once; the first wake wins, and takes the task out of the others
 *  before anybody else can hand it something.
 *
 *  queues   n of them; the same one may be there twice.
 *  waiters  n records in the caller's frame; waiters[i] will stand in queues[i].
 *  ret_i    which one it was; untouched when nobody woke it.
 *
 *  Returns what it was woken with, -EINVAL n is 0; else as weft_waitq_wait(). */
WEFT_API int weft_waitq_wait_any(weft_waitq *const *queues, weft_waiter *waiters, size_t n,
                                 size_t *ret_i);

/** Puts a callback in the queue, which is told when its turn comes.
 *
 *  waiter  with `tell`, which runs in whoever wakes and must not wait; stays where it is until then
 *          or weft_waitq_remove().
 *
 *  Returns 0, -EBUSY it waits already, -EINVAL, -EPERM no loop runs here, -EXDEV, -ECHILD. */
WEFT_API int weft_waitq_add(weft_waitq *queue, weft_waiter *waiter);

/** Takes a callback out of its queue; also when the loop is closed in which it was put there.
 *
 *  Returns 0, -ESRCH it is in none, or was told already; -EINVAL it is a task's; -EXDEV. */
WEFT_API int weft_waitq_remove(weft_waiter *waiter);

/** Wakes up to `n` waiters, those that have waited longest, with status 0.
 *
 *  Returns how many; -EXDEV their loop runs in another thread, -EINVAL, -EBADF, -ECHILD.  They run
 *  when their turn comes.  Not a cancellation point.  Source: ParkingLot.unpark(). */
WEFT_API int64_t weft_waitq_wake(weft_waitq *queue, size_t n);

/** Wakes all who wait now, with `status`; returns as weft_waitq_wake(). */
WEFT_API int64_t weft_waitq_wake_all(weft_waitq *queue, int status);

/** Wakes one waiter, out of order if need be, with `status`: what it waited for is handed over.
 *
 *  Returns 0, -ESRCH it is in no queue, -EXDEV, -EINVAL, -EBADF, -ECHILD. */
WEFT_API int weft_waiter_wake(weft_waiter *waiter, int status);

/** Moves up to `n` waiters to the end of another queue, those that have waited longest; they keep
 *  their order, and do not notice.
 *
 *  Returns how many; -EXDEV the queues belong to different loops, -EINVAL.
 *  Source: ParkingLot.repark(). */
WEFT_API int64_t weft_waitq_move(weft_waitq *from, weft_waitq *to, size_t n);

/** Says that a queue will not be used any more.  Needed only where somebody may be left in it.
 *
 *  Returns 0, or -EBUSY somebody waits: each is named in a report, weft_error_detail() counts them,
 *  and nothing else happens. */
WEFT_API int weft_waitq_destroy(weft_waitq *queue);

/** Whether nobody waits. */
static inline bool weft_waitq_is_empty(const weft_waitq *queue)
{
    return !queue->first;
}

/** Returns the waiter behind another one of the same queue, or NULL. */
static inline weft_waiter *weft_waitq_next(const weft_waitq *queue, const weft_waiter *waiter)
{
    return waiter->next == queue->first ? NULL : waiter->next;
}

WEFT_END_DECLS

#endif
