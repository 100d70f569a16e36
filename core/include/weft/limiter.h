/* SPDX-License-Identifier: MIT
 * A capacity limiter: so many tasks at a time, as a semaphore does, but it knows who they are, and
 * the number can be changed.
 *
 *     static weft_limiter connections = WEFT_LIMITER_INIT(40);
 *
 *     r = weft_limiter_acquire(&connections);     waits while forty others have a token
 *     if (r < 0) { return r; }
 *     ...
 *     weft_limiter_release(&connections);         by the same task, once
 *
 * A token has a borrower: the task, or any object in whose name it was taken.  Nobody has two; a
 * token that nobody has cannot be given back.  Who waits is served in the order of coming.
 *
 * The names of the borrowers are kept in a table, which grows when more tokens are out than ever
 * before; weft_limiter_destroy() frees it.  A limiter belongs to the loop in which a task first had
 * to wait for it, see <weft/waitq.h>. */
#ifndef WEFT_LIMITER_H
#define WEFT_LIMITER_H

#include <weft/inline.h>
#include <weft/waitq.h>

WEFT_BEGIN_DECLS

/** As many as there are. */
#define WEFT_LIMITER_UNLIMITED SIZE_MAX

/** A limiter; all members are weft's.  Part of the ABI; to be moved only while nobody waits. */
typedef struct weft_limiter {
    weft_waitq waiters;
    size_t total;           /* tokens */
    size_t borrowed;        /* of these; more than `total` after that was lowered */
    const void **borrowers; /* a table of table_size places */
    size_t table_size;
    void *reserved[2];
} weft_limiter;
#define WEFT_LIMITER_INIT(total) { WEFT_WAITQ_INIT, (total), 0, NULL, 0, { NULL, NULL } }

/** What a limiter knows of itself. */
typedef struct weft_limiter_stats {
    size_t total;
    size_t borrowed;
    size_t available; /* total less borrowed, never below 0 */
    size_t waiting;   /* tasks */
    void *reserved[2];
} weft_limiter_stats;

/** Takes a token for this task, and waits until there is one.
 *
 *  Returns 0; -ECANCELED, and no token is taken; -EDEADLK the task has one already, -ENOMEM, -EXDEV
 *  it belongs to another loop, -EPERM outside a task, -ECHILD, -EINVAL.  A cancellation point, also
 *  where there is a token; that is taken without giving way.
 *  Source: CapacityLimiter.acquire(). */
WEFT_API int weft_limiter_acquire(weft_limiter *limiter);

/** Takes a token for somebody else.
 *
 *  borrower  in whose name: any address but NULL; not looked at.
 *
 *  Returns as weft_limiter_acquire(); -EDEADLK the borrower has one already. */
WEFT_API int weft_limiter_acquire_on_behalf_of(weft_limiter *limiter, const void *borrower);

/** The same without waiting: -EAGAIN.  Not cancellation points. */
WEFT_API int weft_limiter_acquire_nowait(weft_limiter *limiter);
WEFT_API int weft_limiter_acquire_on_behalf_of_nowait(weft_limiter *limiter, const void *borrower);

/** Gives this task's token to who has waited longest, or back.
 *
 *  Returns 0, -EPERM it has none or is none, -EXDEV tasks of a loop in another thread wait,
 *  -ECHILD, -EBADF, -EINVAL.  Not a cancellation point.  Source: CapacityLimiter.release(). */
WEFT_API int weft_limiter_release(weft_limiter *limiter);

/** Gives the token of `borrower` back.  Returns as weft_limiter_release(); -EPERM it has none. */
WEFT_API int weft_limiter_release_on_behalf_of(weft_limiter *limiter, const void *borrower);

/** Changes how many tokens there are; 0 lets nobody in.  When there are more, those who wait get
 *  them; when there are fewer, none is taken away: they are not handed out again.
 *
 *  Returns 0, -EXDEV, -ECHILD, -EBADF, -EINVAL.  Source: CapacityLimiter.total_tokens. */
WEFT_API int weft_limiter_set_total(weft_limiter *limiter, size_t total);

/** Tells how many tokens there are, are out, and are waited for.
 *  Source: CapacityLimiter.statistics(). */
WEFT_API void weft_limiter_statistics(const weft_limiter *limiter, weft_limiter_stats *ret_stats);

/** Stores up to `max` borrowers, in no order: weft_task *, or what was given in their place.
 *  Returns how many there are, which may be more.  Source: CapacityLimiter.statistics(). */
WEFT_API size_t weft_limiter_borrowers(const weft_limiter *limiter, const void **ret_borrowers,
                                       size_t max);

/** Frees what a limiter has; it is as new then, with the same total.
 *
 *  Returns 0, or -EBUSY tokens are out or tasks wait: these are named in reports, and nothing else
 *  happens; -EINVAL. */
WEFT_API int weft_limiter_destroy(weft_limiter *limiter);

/* What WEFT_LIMITER_SCOPE() is made of. */
static inline weft_limiter *weft_limiter_enter(weft_limiter *limiter, int *ret_status)
{
    *ret_status = weft_limiter_acquire(limiter);
    return *ret_status < 0 ? NULL : limiter;
}

static inline void weft_limiter_leave(weft_limiter **limiter)
{
    if (*limiter) {
        weft_limiter_release(*limiter);
    }
}

WEFT_END_DECLS

/** Has a token for the rest of the enclosing block; declares `int r`, as WEFT_LOCK_SCOPE(). */
#define WEFT_LIMITER_SCOPE(limiter, r) \
    WEFT__ENTER_SCOPE(weft_limiter, weft_limiter, limiter, r, __COUNTER__)

#endif
