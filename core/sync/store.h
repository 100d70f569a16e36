/* SPDX-License-Identifier: MIT
 * What a queue keeps its items in: one array, used as a ring, a stack or a heap.
 *
 * It grows by doubling and is given back when it runs empty after having been large; so a put may
 * allocate, now and then, and a get never does. */
#ifndef WEFT_CORE_STORE_H
#define WEFT_CORE_STORE_H

#include "core/base/base.h"

#include <string.h>
#include <weft/queue.h>

struct weft__store {
    char *slots;        /* `capacity` of them; NULL: none yet */
    size_t count;       /* items in it */
    size_t head;        /* the slot of the oldest one, in a ring */
    size_t capacity;    /* a power of two, or 0 */
    size_t slot_size;   /* bytes; the item comes first in its slot */
    size_t item_size;
    uint32_t order;     /* weft_queue_order */
    bool by_value;      /* items are values; else pointers */
    bool is_plain;      /* pointers, first in, first out: for shorter ways */
    uint64_t seq;       /* of the next item, for a heap: behind the item in its slot */
    weft_queue_compare *compare;
    void *arg; /* its argument */
};

/* One item's bytes.  For a pointer, and all that is as large, one move. */
static inline void weft__store_copy(const struct weft__store *store, void *to, const void *from)
{
    if (store->item_size == sizeof(void *)) {
        memcpy(to, from, sizeof(void *));
    } else {
        memcpy(to, from, store->item_size);
    }
}

/* -EINVAL: a size beyond all memory. */
int weft__store_init(struct weft__store *store, const weft_queue_options *options);
void weft__store_fini(struct weft__store *store);

int weft__store_grow(struct weft__store *store);
void weft__store_trim_slow(struct weft__store *store);
void weft__store_heap_up(struct weft__store *store);
void *weft__store_heap_remove(struct weft__store *store);

/* Makes sure that there is room for one more; -ENOMEM: nothing changed. */
static inline int weft__store_reserve(struct weft__store *store)
{
    return store->count < store->capacity ? 0 : weft__store_grow(store);
}

static inline void *weft__store_slot(const struct weft__store *store, size_t i)
{
    return store->slots + (i & (store->capacity - 1)) * store->slot_size;
}

/* Adds an item; there is room. */
static inline void weft__store_add(struct weft__store *store, const void *item)
{
    weft__store_copy(store, weft__store_slot(store, store->head + store->count), item);
    store->count++;
    if (store->order == WEFT_QUEUE_PRIORITY) {
        weft__store_heap_up(store);
    }
}

/* Removes the next item; there is one.  Returns its slot, which is as it was until the next add or
 * trim. */
static inline void *weft__store_remove(struct weft__store *store)
{
    if (store->order == WEFT_QUEUE_FIFO) {
        store->count--;
        return weft__store_slot(store, store->head++);
    }
    if (store->order == WEFT_QUEUE_LIFO) {
        return weft__store_slot(store, store->head + --store->count);
    }
    return weft__store_heap_remove(store);
}

#define WEFT__STORE_KEEPS 1024 /* slots that an empty one keeps */

/* After items were removed: gives much memory back when it is empty. */
static inline void weft__store_trim(struct weft__store *store)
{
    if (store->count == 0 && store->capacity > WEFT__STORE_KEEPS) {
        weft__store_trim_slow(store);
    }
}

#endif
