/* SPDX-License-Identifier: MIT
 * Coroutine objects, and the chain of those that run in a task. */
#ifndef WEFT_CORE_CORO_H
#define WEFT_CORE_CORO_H

#include "core/sched/loop.h"

#include <weft/coro.h>

#define WEFT__ARGS_MAX 4096u  /* bytes of one coroutine's arguments */
#define WEFT__ARGS_INLINE 64u /* those that fit into the object itself */

/* A coroutine that runs: one link of its task's chain, kept even where the call is inlined. */
struct weft__frame {
    struct weft__frame *outer; /* the coroutine that awaits this one */
    const weft_coro_def *def;
    void *value; /* weft_return() */
};

/* A cell of its home pool.  While it runs it has the handle of a free one: a second await is
 * -ESRCH. */
struct weft__coro {
    uintptr_t handle;
    void *args; /* in this object, or a block of its own */
    struct weft__frame frame;
    weft_callback *drop; /* NULL, or to be called when it never runs */
    void *drop_arg;
    struct weft__pool *home; /* of the loop it was made in; NULL: made outside of any */
    _Alignas(64) char inline_args[WEFT__ARGS_INLINE];
};

_Static_assert(sizeof(struct weft__coro) == 128, "two cache lines");
_Static_assert(offsetof(struct weft__coro, args) == offsetof(struct weft__cell, next), "a cell");

/* The loop in which a coroutine was made; NULL: outside of any. */
static inline struct weft__loop *weft__coro_loop(const struct weft__coro *coro)
{
    return coro->home ? WEFT__CONTAINER(coro->home, struct weft__loop, coros) : NULL;
}

/* The living coroutine of a handle, if this thread may touch it; NULL and -EINVAL, -ESRCH, -EXDEV,
 * -ECHILD or its error. */
static inline struct weft__coro *weft__coro_of(weft_coro *handle, int *ret_error)
{
    struct weft__coro *coro = weft__cell_of(handle, ret_error);
    int r = coro && coro->home ? weft__loop_check(weft__coro_loop(coro)) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return coro;
}

/* The slow half of weft__coro_free(). */
void weft__coro_free_slow(struct weft__coro *coro);

/* Gives the object back; its arguments were moved away or have been used. */
static inline void weft__coro_free(struct weft__coro *coro)
{
    if (coro->home && coro->args == coro->inline_args) {
        weft__pool_give(coro->home, coro);
    } else {
        weft__coro_free_slow(coro);
    }
}

/* Calls what weft_coro_on_drop() asked for, and frees the object. */
void weft__coro_drop(struct weft__coro *coro);

/* Takes a coroutine out of the loop in which it was made, so that any thread may have it: returns
 * its new handle, or a failed object (it was dropped then, save with -EXDEV and -ECHILD). */
weft_coro *weft__coro_unbind(weft_coro *handle);

/* weft__coro_drop() for a handle; failed and spent ones are left alone. */
void weft__coro_discard(weft_coro *handle);

#endif
