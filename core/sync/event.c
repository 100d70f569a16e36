/* SPDX-License-Identifier: MIT
 * Events. */
#include "core/sync/event.h"

_Static_assert(sizeof(void *) != 8 || sizeof(weft_event) == 96, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_event_stats) == 32, "the public size");

static const struct weft__wait wait_event = {
    "event", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_event, waiters) }
};

/* Who waits now is woken; who comes back because of it, a callback, is not told twice. */
static void set(weft_event *event)
{
    event->set = true;
    for (size_t n = event->waiters.count; n > 0 && event->waiters.first; n--) {
        weft__waiter_wake(event->waiters.first, 0);
    }
}

static void deliver(struct weft__post *post, uint32_t count)
{
    if (count > 0) { /* else it was cleared while its loop closed */
        set(WEFT__CONTAINER(post, weft_event, post));
    }
}

int64_t weft__post_prepare(weft_waitq *queue, weft_post *post, struct weft__loop *loop,
                           void (*deliver_to)(struct weft__post *post, uint32_t count))
{
    int r;

    if ((uintptr_t)queue->loop == loop->handle) {
        return 0;
    }
    r = weft__waitq_bind_slow(queue, loop);
    return r < 0 ? r : (int64_t)weft__post_bind(weft__post_of(post), loop, deliver_to);
}

int weft__event_prepare(weft_event *event, struct weft__loop *loop)
{
    int64_t r = event->set ? 1 : weft__post_prepare(&event->waiters, &event->post, loop, deliver);

    if (r > 0) {
        event->set = true;
        return 1;
    }
    return (int)r;
}

int weft_event_set(weft_event *event)
{
    int r = event ? weft__waitq_check(&event->waiters) : -EINVAL;

    if (r == 0) {
        set(event);
    }
    return r;
}

int weft_event_set_threadsafe(weft_event *event)
{
    return event ? weft__post(weft__post_of(&event->post), 1, true) : -EINVAL;
}

int weft_event_clear(weft_event *event)
{
    if (!event) {
        return -EINVAL;
    }
    event->set = false;
    weft__post_take_unbound(weft__post_of(&event->post));
    return 0;
}

bool weft_event_is_set(const weft_event *event)
{
    return event->set ||
           weft__post_unbound((const struct weft__post *)(const void *)&event->post) > 0;
}

int weft_event_wait(weft_event *event)
{
    int r = -EINVAL;
    struct weft__task *task = event ? weft__self(&r) : NULL;
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    r = weft__event_prepare(event, task->loop);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        weft__task_spend_turn(task);
        return 0;
    }
    waiter.gave_up = NULL;
    return weft__waitq_park(task, &event->waiters, &waiter, &wait_event);
}

void weft_event_statistics(const weft_event *event, weft_event_stats *ret_stats)
{
    *ret_stats =
        (weft_event_stats){ .set = weft_event_is_set(event), .waiting = event->waiters.count };
}

int weft_event_destroy(weft_event *event)
{
    int r = event ? weft__waitq_destroy(&event->waiters, "an event") : -EINVAL;

    if (r == 0) {
        weft__post_settle(weft__post_of(&event->post));
    }
    return r;
}
