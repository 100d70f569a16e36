/* SPDX-License-Identifier: MIT
 * Watches. */
#include "core/sync/clause.h"

#include <weft/watch.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_watch) == 64, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_watch_stats) == 40, "the public size");

static const struct weft__wait wait_change = {
    "change", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_watch, waiters) }
};

int64_t weft_watch_notify(weft_watch *watch)
{
    int r = watch ? weft__waitq_check(&watch->waiters) : -EINVAL;
    int64_t woken = 0;

    if (r < 0 || watch->is_shut_down) {
        return r < 0 ? r : -ESHUTDOWN;
    }
    watch->version++;
    for (size_t n = watch->waiters.count; n > 0 && watch->waiters.first; n--) {
        *(uint64_t *)watch->waiters.first->value = watch->version;
        weft__waiter_wake(watch->waiters.first, 0);
        woken++;
    }
    return woken;
}

/* What a wait finds: 0 and the version is taken, -ESHUTDOWN, or -EAGAIN. */
static int take_newer(const weft_watch *watch, uint64_t *seen)
{
    if (watch->version > *seen) {
        *seen = watch->version;
        return 0;
    }
    return watch->is_shut_down ? -ESHUTDOWN : -EAGAIN;
}

int weft_watch_wait(weft_watch *watch, uint64_t *seen)
{
    int r = -EINVAL;
    struct weft__task *task = watch && seen ? weft__self(&r) : NULL;
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    r = weft__waitq_bind(&watch->waiters, task->loop);
    if (r < 0) {
        return r;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = take_newer(watch, seen);
    if (r == -EAGAIN) {
        waiter.gave_up = NULL;
        waiter.value = seen;
        return weft__waitq_park(task, &watch->waiters, &waiter, &wait_change);
    }
    weft__task_spend_turn(task);
    return r;
}

int weft_watch_shutdown(weft_watch *watch)
{
    int r = watch ? weft__waitq_check(&watch->waiters) : -EINVAL;

    if (r < 0) {
        return r;
    }
    watch->is_shut_down = true;
    weft__waitq_wake_all(&watch->waiters, -ESHUTDOWN);
    return 0;
}

void weft_watch_statistics(const weft_watch *watch, weft_watch_stats *ret_stats)
{
    *ret_stats = (weft_watch_stats){ .version = watch->version,
                                     .waiting = watch->waiters.count,
                                     .is_shut_down = watch->is_shut_down };
}

int weft_watch_destroy(weft_watch *watch)
{
    return watch ? weft__waitq_destroy(&watch->waiters, "a watch") : -EINVAL;
}

/* As a clause. */

static int look(weft_clause *clause, struct weft__task *task)
{
    weft_watch *watch = clause->object;
    int r = watch && clause->item ? weft__waitq_bind(&watch->waiters, task->loop) : -EINVAL;

    if (r < 0) {
        return r;
    }
    return watch->version > *(uint64_t *)clause->item || watch->is_shut_down;
}

static int take(weft_clause *clause)
{
    return take_newer(clause->object, clause->item);
}

static int enter(weft_clause *clause, struct weft__task *task)
{
    weft_watch *watch = clause->object;

    (void)task;
    return weft__clause_enter_queue(clause, &watch->waiters, clause->item);
}

const struct weft__clause_kind weft__clause_change = { .look = look, .take = take, .enter = enter };
