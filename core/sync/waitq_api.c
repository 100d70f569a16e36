/* SPDX-License-Identifier: MIT
 * Wait queues for primitives that are not weft's own: the same with checks. */
#include "core/sync/waitq.h"

static int wait_with(weft_waitq *queue, weft_waiter *waiter)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);

    return task ? weft__waitq_park(task, queue, waiter, &weft__wait_queue) : weft__misuse(r);
}

int weft_waitq_wait(weft_waitq *queue)
{
    weft_waiter waiter;

    waiter.gave_up = NULL;
    return queue ? wait_with(queue, &waiter) : -EINVAL;
}

int weft_waitq_wait_with(weft_waitq *queue, weft_waiter *waiter)
{
    if (!queue || !waiter || (waiter->tell && !waiter->queue)) {
        return -EINVAL;
    }
    return waiter->queue ? -EBUSY : wait_with(queue, waiter);
}

/* Whether all of them can be used; 0 or the error. */
static int look_at(weft_waitq *const *queues, const weft_waiter *waiters, size_t n)
{
    if (!queues || !waiters || n == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!queues[i]) {
            return -EINVAL;
        }
        if (waiters[i].queue) {
            return -EBUSY;
        }
    }
    return 0;
}

int weft_waitq_wait_any(weft_waitq *const *queues, weft_waiter *waiters, size_t n, size_t *ret_i)
{
    struct weft__any any;
    int r = look_at(queues, waiters, n);
    struct weft__task *task = r < 0 ? NULL : weft__self(&r);

    if (!task) {
        return weft__misuse(r);
    }
    weft__any_init(&any, task, NULL);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = weft__any_add(&any, queues[i], &waiters[i]);
    }
    if (r < 0) {
        weft__any_leave(&any);
    } else {
        r = weft__any_wait(&any, &weft__wait_any);
    }
    for (size_t i = 0; i < n; i++) {
        waiters[i].tell = NULL;
    }
    if (any.winner && ret_i) {
        *ret_i = (size_t)(any.winner - waiters);
    }
    return r;
}

int weft_waitq_add(weft_waitq *queue, weft_waiter *waiter)
{
    int r = -EINVAL;
    struct weft__loop *loop = queue && waiter && waiter->tell ? weft__loop_of(NULL, &r) : NULL;

    if (!loop) {
        return weft__misuse(r);
    }
    if (waiter->queue) {
        return -EBUSY;
    }
    r = weft__waitq_bind(queue, loop);
    if (r == 0) {
        weft__waitq_push(queue, waiter);
    }
    return r;
}

/* Whether a waiter can be taken out of its queue here. */
static int check_waiter(const weft_waiter *waiter)
{
    if (!waiter) {
        return -EINVAL;
    }
    return waiter->queue ? weft__waitq_check(waiter->queue) : -ESRCH;
}

int weft_waitq_remove(weft_waiter *waiter)
{
    int r = check_waiter(waiter);

    if (r < 0 && r != -EBADF) { /* whose loop is closed may go: nobody else will take it out */
        return r;
    }
    if (!waiter->tell || weft__waiter_is_any(waiter)) {
        return -EINVAL;
    }
    weft__waiter_unlink(waiter);
    return 0;
}

int weft_waiter_wake(weft_waiter *waiter, int status)
{
    int r = check_waiter(waiter);

    if (r == 0) {
        weft__waiter_wake(waiter, status);
    }
    return r;
}

static int64_t wake(weft_waitq *queue, size_t n, int status)
{
    int r = queue ? weft__waitq_check(queue) : -EINVAL;
    size_t woken = 0;

    if (r < 0) {
        return r;
    }
    for (; woken < n && queue->first; woken++) {
        weft__waiter_wake(queue->first, status);
    }
    return (int64_t)woken;
}

int64_t weft_waitq_wake(weft_waitq *queue, size_t n)
{
    return wake(queue, n, 0);
}

int64_t weft_waitq_wake_all(weft_waitq *queue, int status)
{
    return wake(queue, queue ? queue->count : 0, status);
}

int64_t weft_waitq_move(weft_waitq *from, weft_waitq *to, size_t n)
{
    int r = from && to ? weft__waitq_check(from) : -EINVAL;
    size_t moved = 0;

    if (r == 0 && from->first && from->loop != to->loop) {
        r = weft__waitq_bind_slow(to, weft__tag_address((uintptr_t)from->loop, WEFT__CELL_LOW));
    }
    if (r < 0) {
        return r;
    }
    n = n < from->count ? n : from->count;
    for (; moved < n; moved++) {
        weft_waiter *waiter = from->first;

        weft__waiter_unlink(waiter);
        weft__waitq_push(to, waiter);
    }
    return (int64_t)moved;
}

int weft_waitq_destroy(weft_waitq *queue)
{
    return queue ? weft__waitq_destroy(queue, "a wait queue") : -EINVAL;
}
