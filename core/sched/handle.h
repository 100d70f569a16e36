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
    WEFT__HANDLE_CARRIES = 1u << 8, /* arg is a weft__carried */
    /* The first member of a weft__carrier, and of something larger. */
    WEFT__HANDLE_MEMBER = WEFT__HANDLE_DONE | WEFT__HANDLE_WATCH,
    WEFT__HANDLE_POST = 1u << 7, /* a member of something that another thread posted: its callback
                                  * is called in any case, and knows what to free */
    WEFT__HANDLE_STALE = 1u << 9, /* a watch's, ready by an event from before it was set */
};

/* One cache line.  item.refs counts the loop (while scheduled) and the user's hold. */
struct weft__handle {
    uintptr_t handle;
    struct weft__item item;
    weft_callback *callback; /* NULL: nothing to call any more */
    void *arg;
    struct weft__loop *loop;
};

/* One that is a member of something larger has room for the context that it runs in. */
struct weft__carrier {
    struct weft__handle handle;
    struct weft__vars *vars; /* NULL: the empty one */
};

/* Others get this beside them, when that is not the empty one. */
struct weft__carried {
    struct weft__list link; /* in the loop; a remote one's is in no list */
    struct weft__handle *handle;
    struct weft__vars *vars;
    void *arg; /* the handle's */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct weft__handle) == 64, "one cache line");
_Static_assert(offsetof(struct weft__handle, item) >= offsetof(struct weft__cell, next), "a cell");

/* Calls a handle whose turn it is, and gives back the loop's hold. */
void weft__handle_run(struct weft__handle *handle);

/* The entry of a cancelled timer has left the heap: gives back the loop's hold. */
void weft__handle_dropped(struct weft__item *item);

/* The same without the call: at the loop's close. */
void weft__handle_skip(struct weft__handle *handle);

/* The context that a callback is to carry which this thread schedules: *ret_carried is NULL when it
 * is the empty one.  -ENOMEM. */
int weft__carried_new(struct weft__carried **ret_carried);
void weft__carried_free(struct weft__carried *carried);

/* Gives it to a handle, which has its argument; may be NULL. */
void weft__handle_load(struct weft__handle *handle, struct weft__carried *carried);

/* At the loop's close: takes it back from all callbacks that wait for their time. */
void weft__handles_unload(struct weft__loop *loop);

/* In sched/watch.c: frees the descriptor's watch if it was removed while this callback was
 * ready. */
void weft__watch_reap(struct weft__handle *handle);

#endif
