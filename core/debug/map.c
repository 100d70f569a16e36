/* SPDX-License-Identifier: MIT
 * A map from addresses to things. */
#include "core/debug/map.h"

#include <errno.h>
#include <string.h>

/* Twice as many slots, or the first ones. */
static int grow(struct weft__map *map)
{
    struct weft__map larger = { .size = map->size ? map->size * 2 : 64, .used = map->used };

    larger.slots = weft__alloc_zeroed(larger.size, sizeof(struct weft__map_entry *));
    if (!larger.slots) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < map->size; i++) {
        struct weft__map_entry *next;

        for (struct weft__map_entry *entry = map->slots[i]; entry; entry = next) {
            size_t slot = weft__map_slot(&larger, entry->key);

            next = entry->next;
            entry->next = larger.slots[slot];
            larger.slots[slot] = entry;
        }
    }
    weft__free(map->slots);
    *map = larger;
    return 0;
}

int weft__map_add(struct weft__map *map, struct weft__map_entry *entry)
{
    size_t slot;

    if (map->used >= map->size && grow(map) < 0 && !map->size) {
        return -ENOMEM; /* one that is too small still works */
    }
    slot = weft__map_slot(map, entry->key);
    entry->next = map->slots[slot];
    map->slots[slot] = entry;
    map->used++;
    return 0;
}

void weft__map_remove(struct weft__map *map, struct weft__map_entry *entry)
{
    struct weft__map_entry **at = &map->slots[weft__map_slot(map, entry->key)];

    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    map->used--;
}

void weft__map_each(const struct weft__map *map,
                    void (*visit)(struct weft__map_entry *entry, void *arg), void *arg)
{
    for (size_t i = 0; i < map->size; i++) {
        struct weft__map_entry *next;

        for (struct weft__map_entry *entry = map->slots[i]; entry; entry = next) {
            next = entry->next;
            visit(entry, arg);
        }
    }
}

void weft__map_fini(struct weft__map *map)
{
    weft__free(map->slots);
    memset(map, 0, sizeof *map);
}
