/* SPDX-License-Identifier: MIT
 * A semaphore: so many at a time, or so many things that somebody made and somebody takes.
 *
 *     static weft_semaphore slots = WEFT_SEMAPHORE_INIT(10);
 *
 *     r = weft_semaphore_acquire(&slots);         waits while ten others are in
 *     if (r < 0) { return r; }
 *     ...
 *     weft_semaphore_release(&slots);             whoever it is: a semaphore has no owner
 *
 * Who waits is served in the order of coming and is handed the slot: nobody overtakes.  A bounded
 * semaphore refuses to be released more often than it was acquired.  To know who has the slots, and
 * to change their number, there is <weft/limiter.h>.
 *
 * A semaphore belongs to the loop in which a task first had to wait for it, see <weft/waitq.h>. */
#ifndef WEFT_SEMAPHORE_H
#define WEFT_SEMAPHORE_H

#include <weft/event.h>
#include <weft/inline.h>

WEFT_BEGIN_DECLS

/** A semaphore; all members are weft's.  Part of the ABI; not to be moved once it was used. */
typedef struct weft_semaphore {
    weft_waitq waiters;
    weft_post post;
    int64_t value; /* how many are free; above 0 only while nobody waits */
    int64_t bound; /* never more than that */
    void *reserved[2];
} weft_semaphore;
typedef weft_semaphore weft_bounded_semaphore;

/** With `value` slots, >= 0: a negative value makes each acquire -EINVAL. */
#define WEFT_SEMAPHORE_INIT(value) WEFT__SEMAPHORE_INIT(value, INT64_MAX)
#define WEFT_BOUNDED_SEMAPHORE_INIT(value) WEFT__SEMAPHORE_INIT(value, value)
#define WEFT__SEMAPHORE_INIT(value, bound) \
    { WEFT_WAITQ_INIT, WEFT_POST_INIT, (value), (bound), { NULL, NULL } }

/** What a semaphore knows of itself. */
typedef struct weft_semaphore_stats {
    int64_t value;  /* free slots */
    int64_t bound;  /* INT64_MAX: it has none */
    size_t waiting; /* tasks */
    void *reserved[2];
} weft_semaphore_stats;

/** Takes a slot, and waits until there is one.
 *
 *  Returns 0; -ECANCELED, and no slot is taken; -EXDEV the semaphore belongs to another loop,
 *  -EPERM outside a task, -ECHILD, -EINVAL.  A cancellation point, also where there is a slot; that
 *  is taken without giving way.  Source: Semaphore.acquire(). */
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore);

/** Takes a slot if there is one; also outside a task.
 *
 *  Returns 0, -EAGAIN there is none, -EINVAL.  Not a cancellation point.
 *  Source: trio's Semaphore.acquire_nowait(). */
WEFT_API int weft_semaphore_acquire_nowait(weft_semaphore *semaphore);

/** Gives a slot to who has waited longest, or back.
 *
 *  Returns 0, -EOVERFLOW it is bounded and no slot is taken (nothing happens), -EXDEV tasks of a
 *  loop in another thread wait, -ECHILD, -EBADF, -EINVAL.  Not a cancellation point.
 *  Source: Semaphore.release(). */
WEFT_API int weft_semaphore_release(weft_semaphore *semaphore);

/** weft_semaphore_release() from any thread and from signal handlers.
 *
 *  The slot is there when the semaphore's loop gets to it, soon; at once where no task ever had to
 *  wait.  The call takes no lock, allocates nothing and keeps errno, and does not touch the
 *  semaphore once its slot is there.  Whether a bounded one has room is only seen then: a slot too
 *  many is dropped and reported.
 *
 *  Returns 0, -EOVERFLOW 2^24 slots are under way, -ECHILD, -EINVAL. */
WEFT_API int weft_semaphore_release_threadsafe(weft_semaphore *semaphore);

/** Whether an acquire would wait.  Source: Semaphore.locked(). */
WEFT_API bool weft_semaphore_locked(const weft_semaphore *semaphore);

/** Tells how many slots are free and how many tasks wait.
 *  Source: anyio's Semaphore.statistics(). */
WEFT_API void weft_semaphore_statistics(const weft_semaphore *semaphore,
                                        weft_semaphore_stats *ret_stats);

/** Says that a semaphore will not be used any more; see weft_event_destroy().
 *
 *  Returns 0, or -EBUSY tasks wait: each is named in a report, and nothing else happens;
 *  -EINVAL. */
WEFT_API int weft_semaphore_destroy(weft_semaphore *semaphore);

/* What WEFT_SEMAPHORE_SCOPE() is made of. */
static inline weft_semaphore *weft_semaphore_enter(weft_semaphore *semaphore, int *ret_status)
{
    *ret_status = weft_semaphore_acquire(semaphore);
    return *ret_status < 0 ? NULL : semaphore;
}

static inline void weft_semaphore_leave(weft_semaphore **semaphore)
{
    if (*semaphore) {
        weft_semaphore_release(*semaphore);
    }
}

WEFT_END_DECLS

/** Takes a slot for the rest of the enclosing block; declares `int r`, as WEFT_LOCK_SCOPE(). */
#define WEFT_SEMAPHORE_SCOPE(semaphore, r) \
    WEFT__ENTER_SCOPE(weft_semaphore, weft_semaphore, semaphore, r, __COUNTER__)

#endif
