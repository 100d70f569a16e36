/* SPDX-License-Identifier: MIT
 * Queues: items go from task to task, and who has nothing to do waits.
 *
 *     weft_queue *jobs;
 *     weft_queue_new(10, &jobs);                 ten at the most: then weft_queue_put() waits
 *
 *     weft_queue_put(jobs, job);                 in one task
 *     while ((r = weft_queue_get(jobs, &job)) == 0) { ... }                         in others
 *     weft_queue_shutdown(jobs, false);          when there is no more: the getters end
 *
 * Items are pointers, NULL among them, or values of one size that are copied (`item_size` and the
 * calls with `_value`).  They come out in the order in which they went in, or the last one first,
 * or the smallest first.  Who waits is served in the order of coming, directly: a put gives its
 * item to the getter that has waited longest, and a get makes room for the putter that has.  So
 * nobody overtakes; a getter that was given an item has it, and a putter whose item was taken knows
 * it, whatever cancels come then.  A cancelled put did not happen: the item is still the caller's.
 *
 * What comes of items that nobody got (weft_queue_shutdown(), the last receiver gone,
 * weft_queue_free()) is told to `drop`.
 *
 * A queue is used in one loop at a time, and is not for threads (weft_thread_queue is): -EXDEV
 * while the loop of the last use runs in another thread.  It can be made, and filled with
 * weft_queue_put_nowait(), before any loop runs; then no loop is known yet.  It is a plain pointer
 * with holds: after the last weft_queue_free() it must not be used. */
#ifndef WEFT_QUEUE_H
#define WEFT_QUEUE_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

typedef struct weft_queue weft_queue;

/** Which item is next. */
typedef enum weft_queue_order {
    WEFT_QUEUE_FIFO,     /* the one that has been there longest */
    WEFT_QUEUE_LIFO,     /* the one that came last */
    WEFT_QUEUE_PRIORITY, /* the smallest; of equal ones the one that has been there longest */
} weft_queue_order;

/** Compares two items: < 0 when `a` comes first.  They are what was put: the pointers themselves,
 *  or pointers to the values.  Must not wait, nor use the queue. */
typedef int weft_queue_compare(const void *a, const void *b, void *arg);

/** Is told of an item that nobody will get.  Must not wait. */
typedef void weft_queue_drop(void *item, void *arg);

/** All zero, or a NULL pointer to one: pointers without limit, first in, first out. */
typedef struct weft_queue_options {
    size_t maxsize;         /* items that it holds at the most; 0: no limit */
    size_t item_size;       /* of values, for the calls with `_value`; 0: items are pointers */
    weft_queue_order order;
    bool rendezvous;        /* it holds nothing, each put waits for its get; FIFO, no maxsize */
    weft_queue_compare *compare; /* for WEFT_QUEUE_PRIORITY; NULL: pointers, as signed numbers */
    weft_queue_drop *drop;  /* or NULL: what is dropped needs nothing */
    void *arg;              /* for both */
    void *reserved[4];      /* zero */
} weft_queue_options;

/** What a queue knows of itself. */
typedef struct weft_queue_stats {
    size_t size, maxsize;               /* as weft_queue_qsize(), weft_queue_maxsize() */
    size_t highest;                     /* the largest size so far */
    size_t getting, putting, joining;   /* who waits; a select counts in each of its queues */
    size_t senders, receivers;          /* as counted; 0: nobody counts */
    size_t unfinished;                  /* items without their weft_queue_task_done() */
    uint64_t put, dropped;              /* items so far; the others were got, or are here */
    bool is_shut_down;                  /* puts fail */
    void *reserved[4];
} weft_queue_stats;

/** Makes a queue of pointers, first in, first out.
 *
 *  maxsize    items that it holds at the most; 0: no limit, and a put never waits.
 *  ret_queue  the queue, with one hold; untouched on error.
 *
 *  Returns 0, -ENOMEM, -EINVAL.  Any thread.  Source: asyncio.Queue(). */
WEFT_API WEFT_MUST_USE int weft_queue_new(size_t maxsize, weft_queue **ret_queue);

/** The same where the last one in is the first one out.  Source: asyncio.LifoQueue(). */
WEFT_API WEFT_MUST_USE int weft_lifo_queue_new(size_t maxsize, weft_queue **ret_queue);

/** The same where the smallest is the first one out; `compare` NULL: pointers as signed numbers.
 *  Equal ones keep their order.  Source: asyncio.PriorityQueue(). */
WEFT_API WEFT_MUST_USE int weft_priority_queue_new(size_t maxsize, weft_queue_compare *compare,
                                                   void *arg, weft_queue **ret_queue);

/** Makes a queue with all options.
 *
 *  options  borrowed during the call; may be NULL.
 *
 *  Returns as weft_queue_new(); -EINVAL also options that do not go together. */
WEFT_API WEFT_MUST_USE int weft_queue_new_with(const weft_queue_options *options,
                                               weft_queue **ret_queue);

/** Adds a hold.  Returns `queue`. */
WEFT_API weft_queue *weft_queue_ref(weft_queue *queue);

/** Gives a hold back; the last one frees the queue, and drops what is in it.
 *
 *  Returns 0, also for NULL; -EBUSY it is the last hold and somebody waits: each is named in a
 *  report; -EXDEV its loop runs in another thread, -ECHILD, -EBADF a loop was closed while its
 *  tasks waited here.  After an error the hold is still there.  Not a cancellation point. */
WEFT_API int weft_queue_free(weft_queue *queue);

/** Puts an item in, and waits while there is no room, for its turn.
 *
 *  item  the queue's from then on, and the caller's still when this fails; may be NULL.
 *
 *  Returns 0; -ECANCELED, -ESHUTDOWN the queue is shut down, -EPIPE nobody is left to receive,
 *  -ENOMEM, -EXDEV, -EPERM outside a task, -ECHILD after a fork, -EINVAL also a queue of values.  A
 *  cancellation point, also where there is room, but gives way only when it has to wait or the
 *  budget of turns is spent.  Cost: some nanoseconds, and a switch where it waits.
 *  Source: Queue.put(). */
WEFT_API int weft_queue_put(weft_queue *queue, void *item);

/** Takes the next item out, and waits until there is one.
 *
 *  ret_item  the item, the caller's from then on; untouched on error.
 *
 *  Returns 0; -ECANCELED, -ESHUTDOWN there is none and will be none: it is shut down, or the last
 *  sender is gone; else as weft_queue_put().  Source: Queue.get(). */
WEFT_API int weft_queue_get(weft_queue *queue, void **ret_item);

/** The same without waiting: -EAGAIN there is no room (a rendezvous: nobody waits for an item), or
 *  no item; -EBADF a loop was closed while its tasks waited here.  In or outside a task; not
 *  cancellation points.
 *  Source: Queue.put_nowait(), Queue.get_nowait(). */
WEFT_API int weft_queue_put_nowait(weft_queue *queue, void *item);
WEFT_API int weft_queue_get_nowait(weft_queue *queue, void **ret_item);

/** The same for queues of values, whose `item_size` bytes are copied; -EINVAL for one of pointers.
 *
 *  value      borrowed during the call.
 *  ret_value  room for one; untouched on error. */
WEFT_API int weft_queue_put_value(weft_queue *queue, const void *value);
WEFT_API int weft_queue_get_value(weft_queue *queue, void *ret_value);
WEFT_API int weft_queue_put_value_nowait(weft_queue *queue, const void *value);
WEFT_API int weft_queue_get_value_nowait(weft_queue *queue, void *ret_value);

/** Says that one of the items that were got is done with, for weft_queue_join().
 *
 *  Returns 0, -EINVAL more often than items were put, -EXDEV, -ECHILD.  Not a cancellation point.
 *  Source: Queue.task_done(). */
WEFT_API int weft_queue_task_done(weft_queue *queue);

/** Waits until weft_queue_task_done() was called for each item that was put, or the item dropped.
 *
 *  Returns 0, -ECANCELED, -EXDEV, -EPERM, -ECHILD, -EINVAL.  A cancellation point.
 *  Source: Queue.join(). */
WEFT_API int weft_queue_join(weft_queue *queue);

/** Ends a queue: from now on puts are -ESHUTDOWN, and so are those that wait; gets are when it is
 *  empty.
 *
 *  immediate  drops what is in the queue, as if it had been got and done: gets fail at once.
 *
 *  Returns 0, also again; -EXDEV, -ECHILD, -EINVAL.  Not a cancellation point.
 *  Source: Queue.shutdown(). */
WEFT_API int weft_queue_shutdown(weft_queue *queue, bool immediate);

/** Counts senders and receivers, so that a queue ends by itself.  When the last sender is removed
 *  it is shut down, and who receives gets what is left and then the end, -ESHUTDOWN.  When the last
 *  receiver is removed what is left is dropped, and puts are -EPIPE.
 *
 *  Whoever starts a task that sends adds it first, so that the count does not touch 0 in between;
 *  the task removes itself at its end.  A queue to which none was added does not count.
 *
 *  Adding returns 0; -ESHUTDOWN, -EPIPE it has ended already.  Removing returns how many are left;
 *  -EINVAL none was there.  All: -EXDEV, -ECHILD.  Not cancellation points.
 *  Source: trio's memory channels. */
WEFT_API int weft_queue_add_sender(weft_queue *queue);
WEFT_API int weft_queue_add_receiver(weft_queue *queue);
WEFT_API int64_t weft_queue_remove_sender(weft_queue *queue);
WEFT_API int64_t weft_queue_remove_receiver(weft_queue *queue);

/** Returns how many items are in it now.  Source: Queue.qsize(). */
WEFT_API size_t weft_queue_qsize(const weft_queue *queue);

/** Returns how many it holds at the most; 0: no limit, or a rendezvous.  Source: Queue.maxsize. */
WEFT_API size_t weft_queue_maxsize(const weft_queue *queue);

/** Whether a queue holds nothing, and whether it has no room; a rendezvous: always, both.
 *  Source: Queue.empty(), Queue.full(). */
WEFT_API bool weft_queue_empty(const weft_queue *queue);
WEFT_API bool weft_queue_full(const weft_queue *queue);

/** Tells all that a queue knows of itself.  Source: trio's statistics(). */
WEFT_API void weft_queue_statistics(const weft_queue *queue, weft_queue_stats *ret_stats);

WEFT_END_DECLS

#endif
