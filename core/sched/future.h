/* SPDX-License-Identifier: MIT
 * Futures, inside. */
#ifndef WEFT_CORE_FUTURE_H
#define WEFT_CORE_FUTURE_H

#include "core/sched/task.h"

#include <weft/future.h>

/* A cell of the loop's pool. */
struct weft__future {
    uintptr_t handle;
    struct weft__loop *loop;
    struct weft__outcome outcome;
    bool to_be_set; /* the setter's hold */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct weft__future) <= 64, "one cache line");
_Static_assert(offsetof(struct weft__future, loop) == offsetof(struct weft__cell, next), "a cell");

/* Frees a future that has neither setter nor awaiter, after reporting a failure that nobody
 * read. */
void weft__future_release(struct weft__future *future);

/* Reports a failure that nobody read and nobody can read any more. */
void weft__future_report(struct weft__future *future);

#endif
