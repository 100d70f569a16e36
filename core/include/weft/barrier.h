/* SPDX-License-Identifier: MIT
 * A barrier: tasks wait for each other until so many are there, and go on together; again and
 * again.
 *
 *     static weft_barrier rounds = WEFT_BARRIER_INIT(3);
 *
 *     r = weft_barrier_wait(&rounds);             in each of three tasks
 *     if (r == 0) { ... one of them does what is to be done once a round ... }
 *
 * A barrier belongs to the loop in which a task first had to wait at it, see <weft/waitq.h>. */
#ifndef WEFT_BARRIER_H
#define WEFT_BARRIER_H

#include <weft/waitq.h>

WEFT_BEGIN_DECLS

/** A barrier; all members are weft's.  Part of the ABI; to be moved only while nobody waits. */
typedef struct weft_barrier {
    weft_waitq waiters;
    uint32_t parties; /* how many go on together */
    bool broken;
    void *reserved[3];
} weft_barrier;
#define WEFT_BARRIER_INIT(parties) { WEFT_WAITQ_INIT, (parties), false, { NULL, NULL, NULL } }

/** What a barrier knows of itself. */
typedef struct weft_barrier_stats {
    uint32_t parties;
    bool broken;
    size_t waiting; /* tasks */
    void *reserved[2];
} weft_barrier_stats;

/** Waits until `parties` tasks wait, this one among them.
 *
 *  Returns the task's number in its round, in the order of coming, 0 to parties - 1; the last one
 *  does not give way.  -ECANCELED, and the round waits for another one; -EPIPE the barrier was
 *  reset or aborted, or is broken; -EINVAL parties is 0 (or above INT_MAX), -EXDEV it belongs to
 *  another loop, -EPERM outside a task, -ECHILD.  A cancellation point.  Source: Barrier.wait(). */
WEFT_API int weft_barrier_wait(weft_barrier *barrier);

/** Sends all who wait away with -EPIPE and begins a new round; also mends what was broken.
 *
 *  Returns 0, -EXDEV, -ECHILD, -EBADF, -EINVAL.  Source: Barrier.reset(). */
WEFT_API int weft_barrier_reset(weft_barrier *barrier);

/** Breaks the barrier: all who wait, and all who come, get -EPIPE; until weft_barrier_reset().
 *  Returns as weft_barrier_reset().  Source: Barrier.abort(). */
WEFT_API int weft_barrier_abort(weft_barrier *barrier);

/** Whether a barrier is broken.  Source: Barrier.broken. */
static inline bool weft_barrier_broken(const weft_barrier *barrier)
{
    return barrier->broken;
}

/** Returns how many go on together.  Source: Barrier.parties. */
static inline uint32_t weft_barrier_parties(const weft_barrier *barrier)
{
    return barrier->parties;
}

/** Returns how many wait now.  Source: Barrier.n_waiting. */
static inline size_t weft_barrier_n_waiting(const weft_barrier *barrier)
{
    return barrier->waiters.count;
}

/** Tells all that a barrier knows of itself. */
WEFT_API void weft_barrier_statistics(const weft_barrier *barrier, weft_barrier_stats *ret_stats);

/** Says that a barrier will not be used any more.
 *
 *  Returns 0, or -EBUSY tasks wait: each is named in a report, and nothing else happens;
 *  -EINVAL. */
WEFT_API int weft_barrier_destroy(weft_barrier *barrier);

WEFT_END_DECLS

#endif
