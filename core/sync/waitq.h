/* SPDX-License-Identifier: MIT
 * Wait queues from inside: who waits, and how it is handed what it waits for.
 *
 * A waiter is in a queue, or has been handed what it waited for, or was cancelled: there is no
 * fourth state.  weft__waiter_wake() takes it out and ends its wait in one step; a cancel that
 * comes later finds a task that does not wait.  So a waiter that is found in a queue can always be
 * handed something, and it always keeps it.
 *
 * A waiter is a task in whose frame it lies (`tell` is NULL), or somebody who is told.  One of the
 * latter is a task that stands in several queues (struct weft__any): being told, it leaves the
 * others. */
#ifndef WEFT_CORE_WAITQ_H
#define WEFT_CORE_WAITQ_H

#include "core/sched/misuse.h"
#include "core/sched/task.h"

#include <weft/waitq.h>

/* Binding in full: takes the queue for `loop` when it is nobody's, or its loop is closed and nobody
 * waits; else -EXDEV. */
int weft__waitq_bind_slow(weft_waitq *queue, struct weft__loop *loop);

/* Before somebody waits: the queue is `loop`'s from now on, 0, or it is another's, -EXDEV. */
static inline int weft__waitq_bind(weft_waitq *queue, struct weft__loop *loop)
{
    return (uintptr_t)queue->loop == loop->handle ? 0 : weft__waitq_bind_slow(queue, loop);
}

/* Checking in full: -EXDEV or -ECHILD where this thread may not touch the queue, -EBADF where
 * somebody waits whose loop is closed. */
int weft__waitq_check_slow(const weft_waitq *queue);

/* Before somebody is woken, if anybody waits: 0 where this thread may. */
static inline int weft__waitq_check(const weft_waitq *queue)
{
    struct weft__loop *loop = weft__running;

    if (!queue->loop ||
        (loop && (uintptr_t)queue->loop == loop->handle && loop->epoch == *weft__fork_word)) {
        return 0;
    }
    return weft__waitq_check_slow(queue);
}

static inline void weft__waitq_push(weft_waitq *queue, weft_waiter *waiter)
{
    weft_waiter *first = queue->first;

    waiter->queue = queue;
    queue->count++;
    if (!first) {
        queue->first = waiter->next = waiter->prev = waiter;
        return;
    }
    waiter->next = first;
    waiter->prev = first->prev;
    first->prev->next = waiter;
    first->prev = waiter;
}

/* Takes a waiter out of its queue; it stands in one. */
static inline void weft__waiter_unlink(weft_waiter *waiter)
{
    weft_waitq *queue = waiter->queue;

    waiter->queue = NULL;
    queue->count--;
    if (waiter->next == waiter) {
        queue->first = NULL;
        return;
    }
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    if (queue->first == waiter) {
        queue->first = waiter->next;
    }
}

/* Hands over: ends the wait of a waiter that stands in a queue.  weft__waitq_check() was asked. */
static inline void weft__waiter_wake(weft_waiter *waiter, int status)
{
    weft__waiter_unlink(waiter);
    if (waiter->tell) {
        waiter->tell(waiter, status);
    } else {
        weft__wake(waiter->owner, status);
    }
}

/* Wakes whoever stands in a queue, until nobody does.  weft__waitq_check() was asked. */
static inline void weft__waitq_wake_all(weft_waitq *queue, int status)
{
    while (queue->first) {
        weft__waiter_wake(queue->first, status);
    }
}

/* What tools show of waits in a queue, whose target is the waiter: the object that the queue is a
 * member of, and a number in it. */
#define WEFT__SEES_BESIDE(what, type, member, shown)              \
    {                                                             \
        what, 0, offsetof(weft_waiter, queue),                    \
            (int)offsetof(type, shown) - (int)offsetof(type, member) \
    }
#define WEFT__SEES_OBJECT_OF(type, member)                                                  \
    {                                                                                       \
        WEFT__SEES_OBJECT, 0, offsetof(weft_waiter, queue), -(int)offsetof(type, member)    \
    }
/* Who has what a waiter of sync/lock.h stands in line for. */
#define WEFT__SEES_OWNER_OF_IT { WEFT__SEES_OWNER, 0, offsetof(weft_waiter, value), 0 }

/* The name of this kind of wait, and what a cancel does to one that parked with weft__waitq_park():
 * the waiter (the wait's target) leaves its queue, the wait ends, and `gave_up` is called. */
extern const struct weft__wait weft__wait_queue WEFT__HIDDEN;
void weft__waitq_interrupt(struct weft__task *task);

/* Waits in a queue until somebody wakes the waiter; returns with what, or -ECANCELED, at once (but
 * after a turn) where the task is cancelled.  -EXDEV without a wait.  `waiter` lies in the caller's
 * frame; `gave_up` is set by the caller, to NULL where there is none. */
static inline int weft__waitq_park(struct weft__task *task, weft_waitq *queue, weft_waiter *waiter,
                                   const struct weft__wait *kind)
{
    int r = weft__waitq_bind(queue, task->loop);

    if (r < 0) {
        return r;
    }
    waiter->tell = NULL;
    waiter->owner = task;
    weft__waitq_push(queue, waiter);
    return weft__task_park(task, kind, waiter);
}

/* One task that waits in several queues, and for other things if it likes: one of them ends the
 * wait, and then none of the others can.
 *
 *     struct weft__any any;
 *     weft__any_init(&any, task, NULL);
 *     r = weft__any_add(&any, queue, &waiter);       for each; what fails is given back by
 *     r = weft__any_wait(&any, &weft__wait_any);     weft__any_leave()
 *
 * any.winner is the waiter that was woken; NULL when it was somebody else or a cancel. */
struct weft__any {
    struct weft__task *task;
    weft_waiter *waiters; /* linked by `sibling`; each stands in a queue until the wait ends */
    weft_waiter *winner;
    /* Takes what else could end the wait (futures, descriptors, timers) out of the way; NULL: there
     * is nothing else. */
    void (*undo)(struct weft__any *any);
};

extern const struct weft__wait weft__wait_any WEFT__HIDDEN; /* interrupts with weft__any_end() */
void weft__any_interrupt(struct weft__task *task);          /* for kinds with a name of their own */

void weft__any_init(struct weft__any *any, struct weft__task *task,
                    void (*undo)(struct weft__any *any));

/* Puts the task in one more queue; 0 or -EXDEV.  `gave_up` is set by the caller: it is called for
 * each waiter but the winner. */
int weft__any_add(struct weft__any *any, weft_waitq *queue, weft_waiter *waiter);

/* Waits; at least one queue was added, or something else can end it. */
int weft__any_wait(struct weft__any *any, const struct weft__wait *kind);

/* Ends the wait from anywhere but a queue: the task will get `status`. */
void weft__any_end(struct weft__any *any, int status);

/* Takes the task out of all queues and calls `undo`: for a wait that does not take place. */
void weft__any_leave(struct weft__any *any);

/* Whether a waiter is one of a task's that waits in several queues. */
bool weft__waiter_is_any(const weft_waiter *waiter);

/* For weft_X_destroy(): 0 when nobody waits; else reports each of them ("waits for a lock that was
 * to be destroyed", `what` is "a lock") and returns -EBUSY with words. */
int weft__waitq_destroy(const weft_waitq *queue, const char *what);

#endif
