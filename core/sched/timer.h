/* SPDX-License-Identifier: MIT
 * What can be scheduled: an item is ready (in the loop's FIFO), due at a time (in its heap), or
 * neither.
 *
 * The heap has four children to a node: one cache line of deadlines is compared at a step, and an
 * item is touched only where it moves.  Equal deadlines keep the order in which they were set.
 * Disarming leaves the entry where it is, and when more than half are idle the heap is packed:
 * cancelling a million timeouts costs a cache miss each, and now and then some milliseconds at
 * once.
 *
 * An item that may go away when it is disarmed (a sleeping task's, a scope's) is told where its
 * entry is, so that this can be struck out.  A handle stays until its entry has gone: it need not
 * be told. */
#ifndef WEFT_CORE_TIMER_H
#define WEFT_CORE_TIMER_H

#include "core/base/clock.h"

enum weft__item_kind {
    WEFT__ITEM_TASK,   /* of a weft_task: ready to go on; due: its sleep is over */
    WEFT__ITEM_HANDLE, /* of a weft_handle: a callback */
    WEFT__ITEM_SCOPE,  /* of a weft_timeout: only ever due */
    WEFT__ITEM_ALARM,  /* of a weft__alarm: only ever due */
    WEFT__ITEM_STOP,   /* of the loop: what stands before it runs before the loop stops */
    WEFT__ITEM_BACK,   /* of the loop: back to its own stack */
};

struct weft__item {
    struct weft__item *next; /* in the ready queue */
    int64_t when;            /* the deadline, ns of the loop's clock; kept after it has passed */
    uint32_t seq;            /* when it was set: order among equal deadlines, modulo 2^32 */
    uint32_t place;          /* index in the heap + 1 (a handle's: 1); 0: it is not armed */
    uint8_t kind;            /* weft__item_kind */
    uint8_t queued;          /* it stands in the ready queue */
    uint16_t refs;           /* a handle's: who holds it */
    uint32_t flags;          /* the owner's */
};

/* A timer that calls whoever waits for more than time, at once, on the loop's own stack. */
struct weft__alarm {
    struct weft__item item; /* of kind WEFT__ITEM_ALARM */
    void (*ring)(struct weft__alarm *alarm);
};

static inline void weft__alarm_ring(struct weft__item *item)
{
    struct weft__alarm *alarm = WEFT__CONTAINER(item, struct weft__alarm, item);

    alarm->ring(alarm);
}

struct weft__due {
    int64_t when;   /* the item's, so that comparing does not touch it */
    uintptr_t item; /* the item and a mark; or, odd, the seq of one that was disarmed */
};

struct weft__timers {
    struct weft__due *heap;   /* the second begins a cache line; the first is always armed */
    uint32_t count, capacity; /* entries; 0 if and only if nothing is armed */
    uint32_t dead;            /* how many of them are idle */
    uint32_t seq;
    void (*dropped)(struct weft__item *item); /* the entry of a disarmed handle has gone */
};

/* Frees the heap.  Items that are still armed are not looked at: they may be gone. */
void weft__timers_fini(struct weft__timers *timers);

/* Arms `item` for item->when.  -ENOMEM: nothing changed. */
int weft__timers_add(struct weft__timers *timers, struct weft__item *item);

/* Disarms `item`; nothing happens when it is not armed.  Its memory may go away at once. */
void weft__timers_remove(struct weft__timers *timers, struct weft__item *item);

/* Disarms a handle's item, which is armed and must stay until its entry has gone: now (true), or
 * when `dropped` is called for it. */
bool weft__timers_disarm(struct weft__timers *timers, struct weft__item *item);

/* Takes the earliest item that is due at `now`; NULL when there is none. */
struct weft__item *weft__timers_pop(struct weft__timers *timers, int64_t now);

/* The earliest deadline, or WEFT__NEVER. */
static inline int64_t weft__timers_next(const struct weft__timers *timers)
{
    int64_t when = timers->count ? timers->heap[0].when : WEFT__NEVER;

    /* What is clamped to the end of time is no deadline: a virtual clock would jump there. */
    return when < WEFT__NEVER - 1 ? when : WEFT__NEVER;
}

#endif
