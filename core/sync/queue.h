/* SPDX-License-Identifier: MIT
 * Queues from inside: the store between two lines of waiters.
 *
 *     putters  wait because there is no room; waiter->value points to the item
 *     getters  wait because there is no item; waiter->value points to where it goes
 *
 * A put and a get keep this true at each moment: who could be served does not wait.  So there are
 * getters only while the store is empty, and putters only while it is full; no item passes
 * another. */
#ifndef WEFT_CORE_QUEUE_H
#define WEFT_CORE_QUEUE_H

#include "core/sync/store.h"
#include "core/sync/waitq.h"

struct weft_queue {
    _Alignas(64) weft_waitq getters; /* its loop is the queue's */
    weft_waitq putters;
    struct weft__store store;
    size_t limit;       /* items that the store may hold: 0 a rendezvous, SIZE_MAX no limit */
    int put_error;      /* what a put fails with; 0: it goes on */
    int get_error;      /* what a get fails with where there is nothing to get */
    uint64_t put;       /* items that were ever put */
    uint64_t done;      /* of these, those that are done with */
    weft_waitq joiners; /* until all are done with; bound with getters and putters */
    uint64_t dropped;   /* of these, those that nobody got */
    size_t highest;     /* the largest count so far */
    size_t maxsize;     /* as it was asked for */
    size_t senders, receivers;
    size_t holds;
    weft_queue_drop *drop; /* or NULL */
    void *arg;             /* its argument */
};

/* Checking in full: takes the queue for `loop` if nobody waits and the loop of its last use does
 * not run now; else -EXDEV. */
int weft__queue_bind_slow(weft_queue *queue, struct weft__loop *loop);

/* Before a task uses it: 0 or -EXDEV. */
static inline int weft__queue_bind(weft_queue *queue, struct weft__loop *loop)
{
    return (uintptr_t)queue->getters.loop == loop->handle ? 0 : weft__queue_bind_slow(queue, loop);
}

/* Before somebody touches it who will not wait; binds it to the loop that runs.  0; -EXDEV its loop
 * runs in another thread, -EBADF or -ECHILD somebody waits whom nobody can wake. */
int weft__queue_check_slow(weft_queue *queue);

static inline int weft__queue_check(weft_queue *queue)
{
    struct weft__loop *loop = weft__running;

    if (loop && (uintptr_t)queue->getters.loop == loop->handle && loop->epoch == *weft__fork_word) {
        return 0;
    }
    return weft__queue_check_slow(queue);
}

/* What a clause or a call needs to know before it waits. */
static inline bool weft__queue_can_put(const weft_queue *queue)
{
    return queue->put_error || queue->getters.first || queue->store.count < queue->limit;
}

static inline bool weft__queue_can_get(const weft_queue *queue)
{
    return queue->store.count || queue->putters.first || queue->get_error;
}

/* Puts an item where there is room or somebody waits for it.  Returns 0, -EAGAIN there is not,
 * -ENOMEM or what puts fail with. */
static inline int weft__queue_try_put(weft_queue *queue, const void *item)
{
    weft_waiter *getter = queue->getters.first;
    int r;

    if (getter) { /* then puts do not fail */
        queue->put++;
        weft__store_copy(&queue->store, getter->value, item);
        weft__waiter_wake(getter, 0);
        return 0;
    }
    if (queue->put_error || queue->store.count >= queue->limit) {
        return queue->put_error ? queue->put_error : -EAGAIN;
    }
    r = weft__store_reserve(&queue->store);
    if (r == 0) {
        queue->put++;
        weft__store_add(&queue->store, item);
        if (queue->store.count > queue->highest) {
            queue->highest = queue->store.count;
        }
    }
    return r;
}

/* Takes the next item.  Returns 0, -EAGAIN there is none, or what gets fail with. */
static inline int weft__queue_try_get(weft_queue *queue, void *ret_item)
{
    struct weft__store *store = &queue->store;
    weft_waiter *putter = queue->putters.first;

    if (store->count) {
        weft__store_copy(store, ret_item, weft__store_remove(store));
        if (putter) { /* the place is not free for a moment */
            queue->put++;
            weft__store_add(store, putter->value);
            weft__waiter_wake(putter, 0);
        } else {
            weft__store_trim(store);
        }
        return 0;
    }
    if (putter) {
        queue->put++;
        weft__store_copy(store, ret_item, putter->value);
        weft__waiter_wake(putter, 0);
        return 0;
    }
    return queue->get_error ? queue->get_error : -EAGAIN;
}

#endif
