/* SPDX-License-Identifier: MIT
 * Items in an array: growing, and the heap. */
#include "core/sync/store.h"

#include "core/base/mem.h"

#include <errno.h>

#define FIRST_CAPACITY 8

/* Pointers, where nobody says otherwise, are numbers. */
static int compare_numbers(const void *a, const void *b, void *arg)
{
    (void)arg;
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

int weft__store_init(struct weft__store *store, const weft_queue_options *options)
{
    size_t size = options->item_size ? options->item_size : sizeof(void *);

    *store = (struct weft__store){
        .slot_size = size,
        .item_size = size,
        .order = options->order,
        .by_value = options->item_size > 0,
        .is_plain = options->item_size == 0 && options->order == WEFT_QUEUE_FIFO,
        .compare = options->compare ? options->compare : compare_numbers,
        .arg = options->arg,
    };
    if (size > SIZE_MAX / 4) {
        return -EINVAL;
    }
    if (options->order == WEFT_QUEUE_PRIORITY) { /* room for its number, and all of it aligned */
        store->slot_size = (size + sizeof(uint64_t) + 15) & ~(size_t)15;
    }
    return 0;
}

void weft__store_fini(struct weft__store *store)
{
    weft__free(store->slots);
    store->slots = NULL;
    store->capacity = store->head = store->count = 0;
}

WEFT__COLD int weft__store_grow(struct weft__store *store)
{
    size_t old = store->capacity, capacity = old ? 2 * old : FIRST_CAPACITY, size;
    size_t first = old - (store->head & (old - 1)); /* slots from the head to the array's end */
    char *slots;

    if (__builtin_mul_overflow(capacity, store->slot_size, &size)) {
        return -ENOMEM;
    }
    slots = weft__alloc(NULL, size);
    if (!slots) {
        return -ENOMEM;
    }
    if (old) {
        size_t bytes = first * store->slot_size;

        memcpy(slots, weft__store_slot(store, store->head), bytes);
        memcpy(slots + bytes, store->slots, old * store->slot_size - bytes);
    }
    weft__free(store->slots);
    store->slots = slots;
    store->capacity = capacity;
    store->head = 0;
    return 0;
}

WEFT__COLD void weft__store_trim_slow(struct weft__store *store)
{
    weft__store_fini(store);
}

/* The heap: the slot i has its children in 2i + 1 and 2i + 2, and `head` stays 0. */

static uint64_t *seq_of(const struct weft__store *store, size_t i)
{
    char *slot = weft__store_slot(store, i);

    return (uint64_t *)(void *)(slot + store->slot_size - sizeof(uint64_t));
}

static const void *item_at(const struct weft__store *store, size_t i)
{
    void *slot = weft__store_slot(store, i);

    return store->by_value ? slot : *(void **)slot;
}

static bool is_before(const struct weft__store *store, size_t a, size_t b)
{
    int order = store->compare(item_at(store, a), item_at(store, b), store->arg);

    return order ? order < 0 : *seq_of(store, a) < *seq_of(store, b);
}

static void swap(const struct weft__store *store, size_t a, size_t b)
{
    char *x = weft__store_slot(store, a), *y = weft__store_slot(store, b), held[16];

    for (size_t i = 0; i < store->slot_size; i += sizeof held) { /* a multiple of it */
        memcpy(held, x + i, sizeof held);
        memcpy(x + i, y + i, sizeof held);
        memcpy(y + i, held, sizeof held);
    }
}

/* Numbers the item that was added last, and moves it up to its place. */
void weft__store_heap_up(struct weft__store *store)
{
    size_t i = store->count - 1;

    *seq_of(store, i) = store->seq++;
    while (i > 0 && is_before(store, i, (i - 1) / 2)) {
        swap(store, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

/* Moves the first item behind the others, and the one that was there down to its place. */
void *weft__store_heap_remove(struct weft__store *store)
{
    size_t last = --store->count, i = 0, least = 0;

    if (last > 0) {
        swap(store, 0, last);
    }
    do {
        i = least;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < last; child++) {
            if (is_before(store, child, least)) {
                least = child;
            }
        }
        if (least != i) {
            swap(store, i, least);
        }
    } while (least != i);
    return weft__store_slot(store, last);
}
