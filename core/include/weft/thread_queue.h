/* SPDX-License-Identifier: MIT
 * A bounded queue between threads, and between loops in several threads.
 *
 * Every thread may put and get.  A task that has to wait lets others run; in a thread without a
 * loop the thread blocks; in a callback of a loop only the forms that do not wait work (-EPERM).
 * Items are pointers, NULL among them, in the order in which they were put.  Those who wait are
 * woken in the order in which they came; who comes just then may be faster.
 *
 * Nothing is lost: a call that is cancelled or runs out of time has moved no item, and one that has
 * moved some says so, whatever has come meanwhile.  In batches a queue moves tens of millions of
 * items a second; one by one it costs what waking the other side costs.
 *
 * Errors of all calls here: -ESRCH a spent queue, -EINVAL NULL or NaN, -ECHILD after a fork. */
#ifndef WEFT_THREAD_QUEUE_H
#define WEFT_THREAD_QUEUE_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

typedef struct weft_thread_queue weft_thread_queue;

/** Makes a queue.
 *
 *  maxsize    how many items fit, at least 1; the room is taken now.
 *  drop       called for each item that is left when the queue is freed or shut down at once; NULL:
 *             such items are forgotten.  In whatever thread does that; must not wait.
 *  ret_queue  one hold; untouched on error.
 *
 *  Returns 0, -ENOMEM, -EINVAL.  Any thread.  Source: queue.Queue, janus.Queue in Python. */
WEFT_API WEFT_MUST_USE int weft_thread_queue_new(size_t maxsize, weft_callback *drop,
                                                 weft_thread_queue **ret_queue);

/** Adds a hold, for another thread.  Returns `queue`. */
WEFT_API weft_thread_queue *weft_thread_queue_ref(weft_thread_queue *queue);

/** Spends a hold; the last one shuts the queue down, and frees it when nobody waits in it any more.
 *  Returns NULL; NULL and spent handles are left alone.  Any thread. */
WEFT_API weft_thread_queue *weft_thread_queue_free(weft_thread_queue *queue);

/** Puts an item, and waits while the queue is full.
 *
 *  item     borrowed by the queue until somebody gets it; untouched on error.
 *  timeout  seconds; infinity for no limit, 0 and less does not wait.
 *
 *  Returns 0, -ETIMEDOUT, -ECANCELED the task is cancelled, -ESHUTDOWN, -EPERM, -ENOMEM.  A
 *  cancellation point, save in a thread.  Any thread.  Source: Queue.put(). */
WEFT_API int weft_thread_queue_put(weft_thread_queue *queue, void *item, double timeout);

/** Gets the oldest item, and waits while there is none.
 *
 *  Returns as weft_thread_queue_put(); -ESHUTDOWN when it was shut down and is empty.
 *  Source: Queue.get(). */
WEFT_API int weft_thread_queue_get(weft_thread_queue *queue, double timeout, void **ret_item);

/** Puts `n` items in their order, as many at a time as fit, and waits until the last is in.
 *
 *  Returns how many were put: `n`, or fewer when the time was up, the task was cancelled or the
 *  queue shut down meanwhile; when there was none, the error of
 *  weft_thread_queue_put(). */
WEFT_API int64_t weft_thread_queue_put_many(weft_thread_queue *queue, void *const *items, size_t n,
                                            double timeout);

/** Gets what there is, at most `max` items, and waits only while there is none.
 *
 *  Returns how many, at least 1 (0 when `max` is 0), or the error of
 *  weft_thread_queue_get(). */
WEFT_API int64_t weft_thread_queue_get_many(weft_thread_queue *queue, void **ret_items, size_t max,
                                            double timeout);

/** Puts an item if it fits.  Returns 0, -EAGAIN the queue is full, -ESHUTDOWN, -ESRCH, -EINVAL.
 *  Never waits.  Source: Queue.put_nowait(). */
WEFT_API int weft_thread_queue_put_nowait(weft_thread_queue *queue, void *item);

/** Gets an item if there is one.  Returns 0, -EAGAIN the queue is empty, -ESHUTDOWN, -ESRCH,
 *  -EINVAL.  Never waits.  Source: Queue.get_nowait(). */
WEFT_API int weft_thread_queue_get_nowait(weft_thread_queue *queue, void **ret_item);

/** From here on nothing can be put; who waits to put gets -ESHUTDOWN, and so does who gets when the
 *  queue is empty.
 *
 *  immediate  the items that are left are dropped now, instead of being got.
 *
 *  Returns 0, also again.  Any thread.  Source: Queue.shutdown(). */
WEFT_API int weft_thread_queue_shutdown(weft_thread_queue *queue, bool immediate);

/** Returns how many items there are now, or an error.  Source: Queue.qsize(). */
WEFT_API int64_t weft_thread_queue_qsize(weft_thread_queue *queue);

WEFT_END_DECLS

#endif
