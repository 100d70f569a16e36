/* SPDX-License-Identifier: MIT
 * Broadcasts: a ring of the last values, and readers that know how far they are. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sync/clause.h"

#include <string.h>
#include <weft/broadcast.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_subscription) == 48, "the public size");

struct weft_broadcast {
    weft_waitq readers; /* who has read all; waiter->value is the subscription */
    size_t capacity;    /* values that `ring` has room for */
    size_t item_size;
    bool by_value;
    bool is_shut_down;
    uint64_t sent; /* values so far; they are numbered from 0 */
    size_t subscribers;
    char ring[]; /* the value n is at n % capacity */
};

static const struct weft__wait wait_news = {
    "broadcast", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_broadcast, readers) }
};

int weft_broadcast_new(size_t capacity, size_t item_size, weft_broadcast **ret_broadcast)
{
    size_t each = item_size ? item_size : sizeof(void *), bytes;
    weft_broadcast *broadcast;

    if (!ret_broadcast || capacity == 0) {
        return -EINVAL;
    }
    if (__builtin_mul_overflow(capacity, each, &bytes) ||
        __builtin_add_overflow(bytes, sizeof *broadcast, &bytes)) {
        return -ENOMEM;
    }
    broadcast = weft__alloc(NULL, bytes);
    if (!broadcast) {
        return -ENOMEM;
    }
    *broadcast =
        (weft_broadcast){ .capacity = capacity, .item_size = each, .by_value = item_size > 0 };
    *ret_broadcast = broadcast;
    return 0;
}

int weft_broadcast_free(weft_broadcast *broadcast)
{
    int r = broadcast ? weft__waitq_destroy(&broadcast->readers, "a broadcast") : 0;

    if (broadcast && r == 0 && broadcast->subscribers) {
        r = weft__detail(-EBUSY, "%zu are still subscribed", broadcast->subscribers);
    }
    if (r == 0) {
        weft__free(broadcast);
    }
    return r;
}

static void *slot(weft_broadcast *broadcast, uint64_t number)
{
    return broadcast->ring + number % broadcast->capacity * broadcast->item_size;
}

/* The oldest value that is still there. */
static uint64_t oldest(const weft_broadcast *broadcast)
{
    return broadcast->sent > broadcast->capacity ? broadcast->sent - broadcast->capacity : 0;
}

/* Takes it out of its wait: it may be read with again. */
static void release_place(weft_waiter *waiter)
{
    weft_subscription *subscription = waiter->value;

    subscription->place = NULL;
}

static int64_t send(weft_broadcast *broadcast, const void *item)
{
    int r = weft__waitq_check(&broadcast->readers);

    if (r < 0 || broadcast->is_shut_down) {
        return r < 0 ? r : -ESHUTDOWN;
    }
    memcpy(slot(broadcast, broadcast->sent), item, broadcast->item_size);
    broadcast->sent++;
    for (size_t n = broadcast->readers.count; n > 0 && broadcast->readers.first; n--) {
        weft_waiter *waiter = broadcast->readers.first;
        weft_subscription *subscription = waiter->value;

        memcpy(subscription->place, item, broadcast->item_size);
        subscription->next++;
        release_place(waiter);
        weft__waiter_wake(waiter, 0);
    }
    return (int64_t)broadcast->subscribers;
}

int64_t weft_broadcast_send(weft_broadcast *broadcast, void *item)
{
    return broadcast && !broadcast->by_value ? send(broadcast, &item) : -EINVAL;
}

int64_t weft_broadcast_send_value(weft_broadcast *broadcast, const void *value)
{
    return broadcast && value && broadcast->by_value ? send(broadcast, value) : -EINVAL;
}

int weft_broadcast_shutdown(weft_broadcast *broadcast)
{
    int r = broadcast ? weft__waitq_check(&broadcast->readers) : -EINVAL;

    if (r < 0) {
        return r;
    }
    broadcast->is_shut_down = true;
    while (broadcast->readers.first) {
        release_place(broadcast->readers.first);
        weft__waiter_wake(broadcast->readers.first, -ESHUTDOWN);
    }
    return 0;
}

int weft_broadcast_subscribe(weft_broadcast *broadcast, weft_subscription *ret_subscription)
{
    if (!broadcast || !ret_subscription) {
        return -EINVAL;
    }
    if (broadcast->is_shut_down) {
        return -ESHUTDOWN;
    }
    *ret_subscription = (weft_subscription){ .to = broadcast, .next = broadcast->sent };
    broadcast->subscribers++;
    return 0;
}

int weft_broadcast_unsubscribe(weft_subscription *subscription)
{
    if (!subscription || !subscription->to) {
        return -EINVAL;
    }
    if (subscription->place) {
        return weft__words(-EBUSY, "a task waits with this subscription");
    }
    subscription->to->subscribers--;
    subscription->to = NULL;
    return 0;
}

/* Reads what is there: 0, -ENOBUFS, -ESHUTDOWN, or -EAGAIN. */
static int read_next(weft_subscription *subscription, void *place)
{
    weft_broadcast *broadcast = subscription->to;
    uint64_t first = oldest(broadcast);

    if (subscription->next < first) {
        subscription->missed += first - subscription->next;
        subscription->next = first;
        return -ENOBUFS;
    }
    if (subscription->next < broadcast->sent) {
        memcpy(place, slot(broadcast, subscription->next++), broadcast->item_size);
        return 0;
    }
    return broadcast->is_shut_down ? -ESHUTDOWN : -EAGAIN;
}

/* Before a task reads. */
static int check(const weft_subscription *subscription, const struct weft__task *task,
                 const void *place, bool by_value)
{
    if (!subscription || !place || !subscription->to || subscription->to->by_value != by_value) {
        return -EINVAL;
    }
    if (subscription->place) {
        return weft__words(-EBUSY, "another task waits with this subscription");
    }
    return weft__waitq_bind(&subscription->to->readers, task->loop);
}

static int get(weft_subscription *subscription, void *place, bool by_value)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);
    weft_waiter waiter;

    if (!task) {
        return weft__misuse(r);
    }
    r = check(subscription, task, place, by_value);
    if (r < 0) {
        return r;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = read_next(subscription, place);
    if (r == -EAGAIN) {
        subscription->place = place;
        waiter.gave_up = release_place;
        waiter.value = subscription;
        return weft__waitq_park(task, &subscription->to->readers, &waiter, &wait_news);
    }
    weft__task_spend_turn(task);
    return r;
}

int weft_subscription_get(weft_subscription *subscription, void **ret_item)
{
    return get(subscription, ret_item, false);
}

int weft_subscription_get_value(weft_subscription *subscription, void *ret_value)
{
    return get(subscription, ret_value, true);
}

uint64_t weft_subscription_pending(const weft_subscription *subscription)
{
    const weft_broadcast *broadcast = subscription ? subscription->to : NULL;
    uint64_t first = broadcast ? oldest(broadcast) : 0;

    if (!broadcast) {
        return 0;
    }
    return broadcast->sent - (subscription->next > first ? subscription->next : first);
}

void weft_broadcast_statistics(const weft_broadcast *broadcast, weft_broadcast_stats *ret_stats)
{
    *ret_stats = (weft_broadcast_stats){
        .capacity = broadcast->capacity,
        .size = (size_t)(broadcast->sent - oldest(broadcast)),
        .subscribers = broadcast->subscribers,
        .waiting = broadcast->readers.count,
        .sent = broadcast->sent,
        .is_shut_down = broadcast->is_shut_down,
    };
}

/* As a clause. */

static int look(weft_clause *clause, struct weft__task *task)
{
    weft_subscription *subscription = clause->object;
    int r = check(subscription, task, clause->item, clause->kind == WEFT_CLAUSE_NEWS_VALUE);

    if (r < 0) {
        return r;
    }
    return subscription->next < subscription->to->sent || subscription->to->is_shut_down;
}

static int take(weft_clause *clause)
{
    return read_next(clause->object, clause->item);
}

static int enter(weft_clause *clause, struct weft__task *task)
{
    weft_subscription *subscription = clause->object;
    int r;

    (void)task;
    if (subscription->place) {
        return -EBUSY; /* by a clause of the same select */
    }
    r = weft__clause_enter_queue(clause, &subscription->to->readers, subscription);
    if (r == 0) {
        subscription->place = clause->item;
        weft__clause_of(clause)->waiter.gave_up = release_place;
    }
    return r;
}

const struct weft__clause_kind weft__clause_news = { .look = look, .take = take, .enter = enter };
