/* SPDX-License-Identifier: MIT
 * A map from addresses to things that are found by them: what is known of a task or coroutine lies
 * beside it, for those have no room. */
#ifndef WEFT_CORE_MAP_H
#define WEFT_CORE_MAP_H

#include "core/base/mem.h"

#include <stdint.h>

/* A member of what is found. */
struct weft__map_entry {
    struct weft__map_entry *next; /* in the same slot */
    const void *key;
};

struct weft__map {
    struct weft__map_entry **slots; /* NULL: nothing was added */
    size_t size, used;              /* slots, a power of two; entries */
};

static inline size_t weft__map_slot(const struct weft__map *map, const void *key)
{
    return (size_t)(((uintptr_t)key >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (map->size - 1);
}

static inline struct weft__map_entry *weft__map_find(const struct weft__map *map, const void *key)
{
    struct weft__map_entry *entry = map->size ? map->slots[weft__map_slot(map, key)] : NULL;

    while (entry && entry->key != key) {
        entry = entry->next;
    }
    return entry;
}

/* Adds one whose key is not there; -ENOMEM. */
int weft__map_add(struct weft__map *map, struct weft__map_entry *entry);

/* Takes out one that is there. */
void weft__map_remove(struct weft__map *map, struct weft__map_entry *entry);

/* Calls `visit` for each; it may free it. */
void weft__map_each(const struct weft__map *map,
                    void (*visit)(struct weft__map_entry *entry, void *arg), void *arg);

/* Frees the map, not what is in it. */
void weft__map_fini(struct weft__map *map);

#endif
