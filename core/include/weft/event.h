/* SPDX-License-Identifier: MIT
 * An event: something that has happened, or not yet; tasks wait until it has.
 *
 *     static weft_event ready = WEFT_EVENT_INIT;
 *
 *     weft_event_wait(&ready);                    in any number of tasks
 *     weft_event_set(&ready);                     in a task or callback of the same loop
 *     weft_event_set_threadsafe(&ready);          in another thread, or a signal handler
 *
 * An event belongs to the loop in which a task first had to wait for it, see <weft/waitq.h>. */
#ifndef WEFT_EVENT_H
#define WEFT_EVENT_H

#include <weft/waitq.h>

WEFT_BEGIN_DECLS

/** What threads and signal handlers have to say to an object; all of it is weft's. */
typedef struct weft_post {
    void *priv[4];
} weft_post;
#define WEFT_POST_INIT { { NULL, NULL, NULL, NULL } }

/** An event; all members are weft's.  Part of the ABI; not to be moved once it was used. */
typedef struct weft_event {
    weft_waitq waiters;
    weft_post post;
    bool set;
    void *reserved[3];
} weft_event;
#define WEFT_EVENT_INIT { WEFT_WAITQ_INIT, WEFT_POST_INIT, false, { NULL, NULL, NULL } }

/** What an event knows of itself. */
typedef struct weft_event_stats {
    bool set;
    size_t waiting; /* tasks */
    void *reserved[2];
} weft_event_stats;

/** Sets the event and wakes all who wait now, in the order in which they came; also those who have
 *  not had their turn when it is cleared again.
 *
 *  Returns 0, -EXDEV tasks of a loop in another thread wait (nothing happens), -ECHILD, -EBADF,
 *  -EINVAL.  Only in the thread of the tasks that wait or will: from another one it may return 0,
 *  where nobody waits yet, and is a data race all the same; weft_event_set_threadsafe() is for
 *  that.  Not a cancellation point.  Source: Event.set(). */
WEFT_API int weft_event_set(weft_event *event);

/** weft_event_set() from any thread and from signal handlers.
 *
 *  The event is set when its loop gets to it, soon; at once where no task ever had to wait for it.
 *  The call takes no lock, allocates nothing and keeps errno.  From the moment in which the event
 *  is set it does not touch it any more: the task that waits for it may free it.
 *
 *  Returns 0, also when the event's loop is closed: then it is set for the next one; -ECHILD the
 *  process forked and the loop is the parent's, -EINVAL. */
WEFT_API int weft_event_set_threadsafe(weft_event *event);

/** Takes a set event back: from now on tasks wait.  Returns 0, -EINVAL.  Source: Event.clear(). */
WEFT_API int weft_event_clear(weft_event *event);

/** Whether an event is set.  Source: Event.is_set(). */
WEFT_API bool weft_event_is_set(const weft_event *event);

/** Waits until the event is set; where it is set already returns without giving way.
 *
 *  Returns 0, also when the task was cancelled after the event was set; -ECANCELED, -EXDEV it
 *  belongs to another loop, -EPERM outside a task, -ECHILD, -EINVAL.  A cancellation point unless
 *  the event is set.  Source: Event.wait(). */
WEFT_API int weft_event_wait(weft_event *event);

/** Tells whether it is set and how many wait.  Source: anyio's Event.statistics(). */
WEFT_API void weft_event_statistics(const weft_event *event, weft_event_stats *ret_stats);

/** Says that an event will not be used any more.  Needed where somebody may be left, and where
 *  another thread has set an event for which nobody waited: that thread must have returned.
 *
 *  Returns 0, or -EBUSY tasks wait: each is named in a report, and nothing else happens;
 *  -EINVAL. */
WEFT_API int weft_event_destroy(weft_event *event);

WEFT_END_DECLS

#endif
