/* SPDX-License-Identifier: MIT
 * Callbacks: in the ready queue, in the heap, or waiting for a descriptor or an outcome. */
#ifndef WEFT_CORE_HANDLE_H
#define WEFT_CORE_HANDLE_H

#include "core/sched/loop.h"

enum weft__handle_flags {
    WEFT__HANDLE_CANCELLED = 1u << 0,
    WEFT__HANDLE_TIMED = 1u << 1,    /* item.when means something */
    WEFT__HANDLE_REMOTE = 1u << 2,   /* a cell of the inbox's pool */
    WEFT__HANDLE_DONE = 1u << 3,     /* the first member of a weft__done_callback */
    WEFT__HANDLE_READER = 1u << 4,   /* a member of a weft__watch */
    WEFT__HANDLE_WRITER = 1u << 5,
    WEFT__HANDLE_WATCH = WEFT__HANDLE_READER | WEFT__HANDLE_WRITER,
    WEFT__HANDLE_HELD = 1u << 6, /* the user's hold is there */
};

/* One cache line.  item.refs counts the loop (while scheduled) and the user's hold. */
struct weft__handle {
    uintptr_t handle;
    struct weft__item item;
    weft_callback *callback; /* NULL: nothing to call any more */
    void *arg;
    struct weft__loop *loop;
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct weft__handle) == 64, "one cache line");
_Static_assert(offsetof(struct weft__handle, item) == offsetof(struct weft__cell, next), "a cell");

/* Calls a handle whose turn it is, and gives back the loop's hold. */
void weft__handle_run(struct weft__handle *handle);

/* The entry of a cancelled timer has left the heap: gives back the loop's hold. */
void weft__handle_dropped(struct weft__item *item);

/* The same without the call: at the loop's close. */
void weft__handle_skip(struct weft__handle *handle);

/* In sched/watch.c: frees the descriptor's watch if it was removed while this callback was
 * ready. */
void weft__watch_reap(struct weft__handle *handle);

#endif
