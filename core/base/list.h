/* SPDX-License-Identifier: MIT
 * A doubly linked list whose links live in its members: no allocation, O(1) everywhere.
 *
 * An empty list points to itself, and so does a member that is in none: removing twice is
 * harmless. */
#ifndef WEFT_CORE_LIST_H
#define WEFT_CORE_LIST_H

#include "core/base/base.h"

struct weft__list {
    struct weft__list *next, *prev;
};

static inline void weft__list_init(struct weft__list *list)
{
    list->next = list->prev = list;
}

static inline bool weft__list_empty(const struct weft__list *list)
{
    return list->next == list;
}

/* Puts `member` at the end. */
static inline void weft__list_push(struct weft__list *list, struct weft__list *member)
{
    member->next = list;
    member->prev = list->prev;
    list->prev->next = member;
    list->prev = member;
}

static inline void weft__list_remove(struct weft__list *member)
{
    member->next->prev = member->prev;
    member->prev->next = member->next;
    weft__list_init(member);
}

/* Takes the first member out; NULL when there is none. */
static inline struct weft__list *weft__list_pop(struct weft__list *list)
{
    struct weft__list *first = list->next;

    if (first == list) {
        return NULL;
    }
    weft__list_remove(first);
    return first;
}

#endif
