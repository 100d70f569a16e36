/* SPDX-License-Identifier: MIT
 * Watches: tasks that follow something that changes, and care for its latest state only.
 *
 *     static struct config config;                       what changes is yours
 *     static weft_watch watch = WEFT_WATCH_INIT;
 *
 *     config = ...; weft_watch_notify(&watch);           who changes it
 *
 *     uint64_t seen = 0;                                 who follows it
 *     while ((r = weft_watch_wait(&watch, &seen)) == 0) { use(&config); }
 *
 * A watch counts versions.  It holds no value: tasks of one loop read what is yours between two
 * waits, and nobody else runs then.  However many changes there were while a task was busy, it is
 * told once.
 *
 * A watch belongs to the loop in which a task first had to wait for it, see <weft/waitq.h>. */
#ifndef WEFT_WATCH_H
#define WEFT_WATCH_H

#include <weft/select.h>

WEFT_BEGIN_DECLS

/** A watch; all members are weft's.  Part of the ABI; to be moved only while nobody waits. */
typedef struct weft_watch {
    weft_waitq waiters;
    uint64_t version; /* 1 at first, and one more for each change */
    bool is_shut_down;
    void *reserved[2];
} weft_watch;
#define WEFT_WATCH_INIT { WEFT_WAITQ_INIT, 1, false, { NULL, NULL } }

/** What a watch knows of itself. */
typedef struct weft_watch_stats {
    uint64_t version;
    size_t waiting; /* tasks */
    bool is_shut_down;
    void *reserved[2];
} weft_watch_stats;

/** Says that there is something new, and wakes all who wait.
 *
 *  Returns how many that were; -ESHUTDOWN it was shut down, -EXDEV tasks of a loop in another
 *  thread wait, -ECHILD, -EBADF, -EINVAL.  Not a cancellation point. */
WEFT_API int64_t weft_watch_notify(weft_watch *watch);

/** Waits until there is a version newer than *seen; where there is one already returns at once.
 *
 *  seen  the version that the caller knows: 0 for none, weft_watch_version() to wait for a change;
 *        set to the newer one on success, at the moment of the change.
 *
 *  Returns 0; -ESHUTDOWN there is none and will be none; -ECANCELED, -EXDEV, -EPERM outside a task,
 *  -ECHILD, -EINVAL.  A cancellation point, also where there is a newer version. */
WEFT_API int weft_watch_wait(weft_watch *watch, uint64_t *seen);

/** Returns the version that is there now. */
static inline uint64_t weft_watch_version(const weft_watch *watch)
{
    return watch->version;
}

/** Says that nothing new will come: who has seen all, and who waits, is told -ESHUTDOWN.
 *  Returns 0, also again; -EXDEV, -ECHILD, -EBADF, -EINVAL. */
WEFT_API int weft_watch_shutdown(weft_watch *watch);

/** Tells which version is there and how many wait. */
WEFT_API void weft_watch_statistics(const weft_watch *watch, weft_watch_stats *ret_stats);

/** Says that a watch will not be used any more.  Needed only where somebody may be left.
 *
 *  Returns 0, or -EBUSY tasks wait: each is named in a report, and nothing else happens;
 *  -EINVAL. */
WEFT_API int weft_watch_destroy(weft_watch *watch);

WEFT_END_DECLS

/** A newer version as a clause of weft_select(). */
#define WEFT_ON_CHANGE(watch, seen) \
    WEFT__CLAUSE(CHANGE, WEFT__IS(weft_watch *, watch), WEFT__IS(uint64_t *, seen))

#endif
