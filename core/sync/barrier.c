/* SPDX-License-Identifier: MIT
 * Barriers.  Whoever completes a round hands each its number and begins the next one in the same
 * step: late comers find an empty barrier, and never one that still drains. */
#include "core/sync/waitq.h"

#include <limits.h>
#include <weft/barrier.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_barrier) == 64, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_barrier_stats) == 32, "the public size");

static const struct weft__wait wait_barrier = {
    "barrier", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_barrier, waiters) }
};

/* The last one is here: all who wait go on.  Returns its own number. */
static int complete(weft_barrier *barrier)
{
    int number = 0;

    while (barrier->waiters.first) {
        weft__waiter_wake(barrier->waiters.first, number++);
    }
    return number;
}

int weft_barrier_wait(weft_barrier *barrier)
{
    bool usable = barrier && barrier->parties > 0 && barrier->parties <= INT_MAX;
    int r = -EINVAL;
    struct weft__task *task = usable ? weft__self(&r) : NULL;
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    if (task->cancelled || barrier->broken) {
        weft__task_yield(task);
        return task->cancelled ? -ECANCELED : -EPIPE;
    }
    r = weft__waitq_bind(&barrier->waiters, task->loop);
    if (r < 0) {
        return r;
    }
    if (barrier->waiters.count + 1 == barrier->parties) {
        r = complete(barrier);
        weft__task_spend_turn(task);
        return r;
    }
    waiter.gave_up = NULL;
    return weft__waitq_park(task, &barrier->waiters, &waiter, &wait_barrier);
}

/* Sends all away. */
static int send_away(weft_barrier *barrier, bool broken)
{
    int r = barrier ? weft__waitq_check(&barrier->waiters) : -EINVAL;

    if (r < 0) {
        return r;
    }
    barrier->broken = broken;
    weft__waitq_wake_all(&barrier->waiters, -EPIPE);
    return 0;
}

int weft_barrier_reset(weft_barrier *barrier)
{
    return send_away(barrier, false);
}

int weft_barrier_abort(weft_barrier *barrier)
{
    return send_away(barrier, true);
}

void weft_barrier_statistics(const weft_barrier *barrier, weft_barrier_stats *ret_stats)
{
    *ret_stats = (weft_barrier_stats){ .parties = barrier->parties,
                                       .broken = barrier->broken,
                                       .waiting = barrier->waiters.count };
}

int weft_barrier_destroy(weft_barrier *barrier)
{
    return barrier ? weft__waitq_destroy(&barrier->waiters, "a barrier") : -EINVAL;
}
