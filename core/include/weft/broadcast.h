/* SPDX-License-Identifier: MIT
 * Broadcasts: each value goes to everyone who has subscribed.
 *
 *     weft_broadcast *news;
 *     weft_broadcast_new(16, sizeof(struct quote), &news);
 *
 *     weft_broadcast_send_value(news, &quote);                             never waits
 *
 *     weft_subscription mine;                                              in each reader
 *     weft_broadcast_subscribe(news, &mine);
 *     while ((r = weft_subscription_get_value(&mine, &quote)) == 0) { ... }
 *     weft_broadcast_unsubscribe(&mine);
 *
 * The sender does not wait for slow readers: so many values are kept, and whoever falls behind
 * further than that is told so, -ENOBUFS, and goes on with the oldest that is left.  Where none may
 * be lost give each reader a queue of its own.
 *
 * Values are copied to each reader.  Pointers are, too: what they point to must outlive the last
 * one who reads it.
 *
 * A broadcast belongs to the loop in which somebody first had to wait, see <weft/waitq.h>; it is
 * not for threads, also where a call does not notice.  It is a plain pointer: after
 * weft_broadcast_free() it must not be used. */
#ifndef WEFT_BROADCAST_H
#define WEFT_BROADCAST_H

#include <weft/select.h>

WEFT_BEGIN_DECLS

typedef struct weft_broadcast weft_broadcast;

/** One reader's place; read `missed`, and write nothing.  Part of the ABI; not to be moved while it
 *  is subscribed. */
typedef struct weft_subscription {
    weft_broadcast *to; /* NULL: to nothing */
    uint64_t next;      /* the number of the value that is read next */
    uint64_t missed;    /* values that it was too slow for */
    void *place;        /* where the value goes for which it waits; NULL: it does not */
    void *reserved[2];
} weft_subscription;
#define WEFT_SUBSCRIPTION_INIT { NULL, 0, 0, NULL, { NULL, NULL } }

/** What a broadcast knows of itself. */
typedef struct weft_broadcast_stats {
    size_t capacity, size; /* values that it keeps at the most, and keeps now */
    size_t subscribers, waiting;
    uint64_t sent;         /* values so far */
    bool is_shut_down;
    void *reserved[2];
} weft_broadcast_stats;

/** Makes a broadcast.
 *
 *  capacity       values that are kept for slow readers, at least 1.
 *  item_size      of values; 0: pointers.
 *  ret_broadcast  untouched on error.
 *
 *  Returns 0, -ENOMEM, -EINVAL.  Any thread. */
WEFT_API WEFT_MUST_USE int weft_broadcast_new(size_t capacity, size_t item_size,
                                              weft_broadcast **ret_broadcast);

/** Frees a broadcast.  Returns 0, also for NULL; -EBUSY somebody is subscribed: who waits is named
 *  in reports, and nothing else happens. */
WEFT_API int weft_broadcast_free(weft_broadcast *broadcast);

/** Sends a pointer, or a copy of a value, to all who are subscribed now.
 *
 *  Returns how many these are; -ESHUTDOWN it was shut down, -EXDEV tasks of a loop in another
 *  thread wait, -ECHILD, -EBADF, -EINVAL also a pointer where values are sent and the other way
 *  round.  Not a cancellation point.  Cost: a copy for each who waits. */
WEFT_API int64_t weft_broadcast_send(weft_broadcast *broadcast, void *item);
WEFT_API int64_t weft_broadcast_send_value(weft_broadcast *broadcast, const void *value);

/** Says that nothing more will be sent: who has read all is told -ESHUTDOWN.
 *  Returns 0, also again; -EXDEV, -ECHILD, -EBADF, -EINVAL. */
WEFT_API int weft_broadcast_shutdown(weft_broadcast *broadcast);

/** Subscribes: what is sent from now on will be read.
 *
 *  ret_subscription  the caller's; its old contents do not matter.
 *
 *  Returns 0, -ESHUTDOWN, -EINVAL.  Not a cancellation point. */
WEFT_API int weft_broadcast_subscribe(weft_broadcast *broadcast,
                                      weft_subscription *ret_subscription);

/** Ends that.  Returns 0, -EBUSY a task waits with it, -EINVAL it is to nothing. */
WEFT_API int weft_broadcast_unsubscribe(weft_subscription *subscription);

/** Reads the next value, and waits until there is one.
 *
 *  subscription  one task at a time (-EBUSY).
 *  ret_item      the pointer, or room for a value; untouched on error.
 *
 *  Returns 0; -ENOBUFS some were missed, once for each gap, and nothing was read; -ESHUTDOWN all
 *  was read and no more will come; -ECANCELED, -EXDEV, -EPERM outside a task, -ECHILD, -EINVAL.
 *  A cancellation point. */
WEFT_API int weft_subscription_get(weft_subscription *subscription, void **ret_item);
WEFT_API int weft_subscription_get_value(weft_subscription *subscription, void *ret_value);

/** Returns how many values can be read without waiting. */
WEFT_API uint64_t weft_subscription_pending(const weft_subscription *subscription);

/** Tells all that a broadcast knows of itself. */
WEFT_API void weft_broadcast_statistics(const weft_broadcast *broadcast,
                                        weft_broadcast_stats *ret_stats);

WEFT_END_DECLS

/** The next value as a clause of weft_select(). */
#define WEFT_ON_NEWS(subscription, ret_item)                           \
    WEFT__CLAUSE(NEWS, WEFT__IS(weft_subscription *, subscription),    \
                 WEFT__IS(void **, ret_item))
#define WEFT_ON_NEWS_VALUE(subscription, ret_value) \
    WEFT__CLAUSE(NEWS_VALUE, WEFT__IS(weft_subscription *, subscription), (ret_value))

#endif
