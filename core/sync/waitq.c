/* SPDX-License-Identifier: MIT
 * Wait queues: FIFO, handed over, in one loop. */
#include "core/sync/waitq.h"

#include "core/base/error.h"

#include <stdio.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_waitq) == 32, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_waiter) == 64, "the public size: a cache line");

/* Whether the loop of a queue is there no more.  What a handle leads to may be looked at for
 * ever. */
static bool is_closed(weft_loop *handle)
{
    struct weft__loop *loop = weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);

    return __atomic_load_n(&loop->handle, __ATOMIC_RELAXED) != (uintptr_t)handle;
}

WEFT__COLD int weft__waitq_bind_slow(weft_waitq *queue, struct weft__loop *loop)
{
    if (queue->loop && (queue->first || !is_closed(queue->loop))) {
        return weft__misuse(-EXDEV);
    }
    queue->loop = weft__loop_handle(loop);
    return 0;
}

WEFT__COLD int weft__waitq_check_slow(const weft_waitq *queue)
{
    int r = 0;

    if (weft__loop_find(queue->loop, &r) || (r == -EBADF && !queue->first)) {
        return 0;
    }
    return weft__misuse(r);
}

/* A cancel reaches a task that waits in a queue. */
void weft__waitq_interrupt(struct weft__task *task)
{
    weft_waiter *waiter = task->target;

    weft__waiter_unlink(waiter);
    weft__wake(task, -ECANCELED);
    if (waiter->gave_up) {
        waiter->gave_up(waiter);
    }
}

const struct weft__wait weft__wait_queue = {
    "wait queue", weft__waitq_interrupt, NULL,
    { { WEFT__SEES_OBJECT, 0, offsetof(weft_waiter, queue), 0 } }
};

/* Several queues at once. */

/* One of its waiters was woken. */
static void tell_any(weft_waiter *waiter, int status)
{
    struct weft__any *any = waiter->owner;

    any->winner = waiter;
    weft__any_end(any, status);
}

bool weft__waiter_is_any(const weft_waiter *waiter)
{
    return waiter->tell == tell_any;
}

void weft__any_init(struct weft__any *any, struct weft__task *task,
                    void (*undo)(struct weft__any *any))
{
    *any = (struct weft__any){ .task = task, .undo = undo };
}

int weft__any_add(struct weft__any *any, weft_waitq *queue, weft_waiter *waiter)
{
    int r = weft__waitq_bind(queue, any->task->loop);

    if (r < 0) {
        return r;
    }
    waiter->tell = tell_any;
    waiter->owner = any;
    waiter->sibling = any->waiters;
    any->waiters = waiter;
    weft__waitq_push(queue, waiter);
    return 0;
}

void weft__any_leave(struct weft__any *any)
{
    weft_waiter *waiters = any->waiters;

    /* First out of all of them: what is called below may wake whoever stands in one. */
    any->waiters = NULL;
    for (weft_waiter *waiter = waiters; waiter; waiter = waiter->sibling) {
        if (waiter != any->winner) {
            weft__waiter_unlink(waiter);
        }
    }
    if (any->undo) {
        any->undo(any);
    }
    for (weft_waiter *waiter = waiters; waiter; waiter = waiter->sibling) {
        if (waiter != any->winner && waiter->gave_up) {
            waiter->gave_up(waiter);
        }
    }
}

void weft__any_end(struct weft__any *any, int status)
{
    weft__wake(any->task, status); /* first: a gave_up may cancel it, and it waits no more */
    weft__any_leave(any);
}

void weft__any_interrupt(struct weft__task *task)
{
    weft__any_end(task->target, -ECANCELED);
}

const struct weft__wait weft__wait_any = { "wait queues", weft__any_interrupt };

int weft__any_wait(struct weft__any *any, const struct weft__wait *kind)
{
    return weft__task_park(any->task, kind, any);
}

/* The end. */

static void report_waiter(struct weft__loop *loop, const weft_waiter *waiter, const char *message)
{
    weft_report report = { .kind = WEFT_REPORT_DESTROYED, .status = -EBUSY, .message = message };
    const struct weft__any *any = waiter->owner;

    if (!waiter->tell) {
        weft__task_describe(waiter->owner, &report);
    } else if (weft__waiter_is_any(waiter)) {
        weft__task_describe(any->task, &report);
    }
    weft__report(loop, &report);
}

WEFT__COLD static int report_waiters(const weft_waitq *queue, const char *what)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_find(queue->loop, &r);
    const weft_waiter *waiter = queue->first;
    char message[80];

    if (loop) {
        snprintf(message, sizeof message, "waits for %s that was to be destroyed", what);
        for (; waiter; waiter = weft_waitq_next(queue, waiter)) {
            report_waiter(loop, waiter, message);
        }
    }
    return weft__detail(-EBUSY,
                        "%zu still wait for %s that was to be destroyed: wake or cancel them",
                        queue->count, what);
}

int weft__waitq_destroy(const weft_waitq *queue, const char *what)
{
    return queue->first ? report_waiters(queue, what) : 0;
}
