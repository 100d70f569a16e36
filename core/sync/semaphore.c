/* SPDX-License-Identifier: MIT
 * Semaphores, bounded and not. */
#include "core/sync/event.h"

#include "core/base/error.h"

#include <weft/semaphore.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_semaphore) == 96, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_semaphore_stats) == 40, "the public size");

static const struct weft__wait wait_semaphore = {
    "semaphore", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_semaphore, waiters) }
};

/* One slot comes; there is room for it. */
static void release(weft_semaphore *semaphore)
{
    if (semaphore->waiters.first) {
        weft__waiter_wake(semaphore->waiters.first, 0);
    } else {
        semaphore->value++;
    }
}

WEFT__COLD static void report_too_many(struct weft__loop *loop)
{
    weft_report report = {
        .kind = WEFT_REPORT_OTHER,
        .status = -EOVERFLOW,
        .message = "a bounded semaphore was released too many times by another thread",
    };

    weft__report(loop, &report);
}

/* Slots that came from other threads. */
static void add(weft_semaphore *semaphore, uint32_t count, struct weft__loop *loop)
{
    for (; count > 0; count--) {
        if (semaphore->value >= semaphore->bound) {
            report_too_many(loop);
            return;
        }
        release(semaphore);
    }
}

static void deliver(struct weft__post *post, uint32_t count)
{
    weft_semaphore *semaphore = WEFT__CONTAINER(post, weft_semaphore, post);

    add(semaphore, count, weft__tag_address(post->loop, WEFT__CELL_LOW));
}

/* Makes the semaphore the loop's, and takes what other threads released before; 0 or -EXDEV. */
WEFT__COLD static int look_for_posts(weft_semaphore *semaphore, struct weft__loop *loop)
{
    int64_t n = weft__post_prepare(&semaphore->waiters, &semaphore->post, loop, deliver);

    if (n < 0) {
        return (int)n;
    }
    add(semaphore, (uint32_t)n, loop);
    return 0;
}

int weft__semaphore_prepare(weft_semaphore *semaphore, struct weft__loop *loop)
{
    return semaphore->value > 0 ? 1 : look_for_posts(semaphore, loop);
}

int weft_semaphore_acquire(weft_semaphore *semaphore)
{
    int r = -EINVAL;
    struct weft__task *task = semaphore && semaphore->value >= 0 ? weft__self(&r) : NULL;
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    if (semaphore->value == 0 && (uintptr_t)semaphore->waiters.loop != task->loop->handle) {
        r = look_for_posts(semaphore, task->loop);
        if (r < 0) {
            return r;
        }
    }
    if (semaphore->value == 0) {
        waiter.gave_up = NULL;
        return weft__waitq_park(task, &semaphore->waiters, &waiter, &wait_semaphore);
    }
    semaphore->value--;
    weft__task_spend_turn(task);
    return 0;
}

/* What threads have released before there was a loop, for a call that may be outside of any. */
static void take_unbound(weft_semaphore *semaphore)
{
    int64_t count = weft__post_take_unbound(weft__post_of(&semaphore->post));
    int64_t room = semaphore->bound - semaphore->value;

    semaphore->value += count < room ? count : room;
}

int weft_semaphore_acquire_nowait(weft_semaphore *semaphore)
{
    if (!semaphore || semaphore->value < 0) {
        return -EINVAL;
    }
    if (semaphore->value == 0) {
        take_unbound(semaphore);
    }
    if (semaphore->value == 0) {
        return -EAGAIN;
    }
    semaphore->value--;
    return 0;
}

int weft_semaphore_release(weft_semaphore *semaphore)
{
    int r = semaphore ? weft__waitq_check(&semaphore->waiters) : -EINVAL;

    if (r < 0) {
        return r;
    }
    if (semaphore->value >= semaphore->bound) {
        return weft__words(-EOVERFLOW, "this semaphore is released more often than acquired");
    }
    release(semaphore);
    return 0;
}

int weft_semaphore_release_threadsafe(weft_semaphore *semaphore)
{
    return semaphore ? weft__post(weft__post_of(&semaphore->post), 1, false) : -EINVAL;
}

static int64_t value_of(const weft_semaphore *semaphore)
{
    const void *post = &semaphore->post;
    int64_t room = semaphore->bound - semaphore->value, posted = weft__post_unbound(post);

    return semaphore->value + (posted < room ? posted : room);
}

bool weft_semaphore_locked(const weft_semaphore *semaphore)
{
    return value_of(semaphore) <= 0;
}

void weft_semaphore_statistics(const weft_semaphore *semaphore, weft_semaphore_stats *ret_stats)
{
    *ret_stats = (weft_semaphore_stats){ .value = value_of(semaphore),
                                         .bound = semaphore->bound,
                                         .waiting = semaphore->waiters.count };
}

int weft_semaphore_destroy(weft_semaphore *semaphore)
{
    int r = semaphore ? weft__waitq_destroy(&semaphore->waiters, "a semaphore") : -EINVAL;

    if (r == 0) {
        weft__post_settle(weft__post_of(&semaphore->post));
    }
    return r;
}
