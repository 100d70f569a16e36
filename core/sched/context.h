/* SPDX-License-Identifier: MIT
 * Contexts: where the variables of a task, a callback or a thread are.
 *
 * As long as no variable was ever set and no context object made in this process, all that is done
 * is to look at one flag.
 *
 * For what runs code of the user's later or elsewhere (a thread of a pool, a signal's callback):
 *
 *     vars = weft__context_capture();              in the call that is asked for it
 *     weft__context_call(vars, callback, arg);     in whatever thread it is then done, or
 *     weft__vars_unref(vars);                      when it never will be
 *
 * To call more than once hand weft__vars_ref(vars) to each call. */
#ifndef WEFT_CORE_CONTEXT_H
#define WEFT_CORE_CONTEXT_H

#include "core/base/pool.h"
#include "core/sched/vars.h"

#include <pthread.h>

/* A context object: a cell of a pool that the threads share. */
struct weft__context {
    uintptr_t handle;
    pthread_mutex_t lock; /* of all that follows */
    struct weft__vars *vars;
    uint64_t id;    /* what tokens know it by; never changes */
    uint32_t holds; /* the users' */
    uint32_t pins;  /* tasks and calls that run in it */
    bool entered;   /* by weft_context_run() */
};

/* Where the variables are: in a task, in the loop for its callbacks, in a thread. */
struct weft__place {
    struct weft__vars *vars;       /* NULL: each is its default */
    struct weft__context *context; /* NULL, or whose they are: then `vars` is NULL */
    uint64_t id;                   /* what tokens know the context by; 0: none was asked for */
};

/* Whether there may be anything to carry.  Never goes back to false. */
extern atomic_bool weft__context_used WEFT__HIDDEN;

static inline bool weft__context_is_used(void)
{
    return atomic_load_explicit(&weft__context_used, memory_order_relaxed);
}

/* The slow half of weft__context_capture(). */
struct weft__vars *weft__context_capture_used(void);

/* What the variables are here, as a reference; NULL when none is set. */
static inline struct weft__vars *weft__context_capture(void)
{
    return weft__context_is_used() ? weft__context_capture_used() : NULL;
}

/* Calls `callback(arg)` with `vars`, which are taken, in this thread; what it sets is gone
 * afterwards. */
void weft__context_call(struct weft__vars *vars, weft_callback *callback, void *arg);

/* Lets go of all that is at a place. */
void weft__place_end(struct weft__place *place);

/* The place that this thread is at now. */
struct weft__place *weft__place_here(void);

/* The living context of a handle, or NULL and -ESRCH or -EINVAL. */
static inline struct weft__context *weft__context_of(weft_context *handle, int *ret_error)
{
    return weft__cell_of(handle, ret_error);
}

/* A number that no other context of this process has. */
uint64_t weft__context_id(void);

/* In sched/context_object.c: what a variable is in a context. */
void *weft__context_get(struct weft__context *context, const weft_context_var *var);

/* Changes both counts of a context, which goes when they are 0. */
void weft__context_count(struct weft__context *context, int holds, int pins);

#endif
