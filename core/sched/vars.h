/* SPDX-License-Identifier: MIT
 * What context variables are at one moment: a counted array that never changes.
 *
 * Copying a context is one more reference to its array; setting a variable makes a new one.  Arrays
 * and values may be shared between threads.  NULL is the empty array. */
#ifndef WEFT_CORE_VARS_H
#define WEFT_CORE_VARS_H

#include "core/base/base.h"

#include <stdatomic.h>
#include <weft/context.h>

/* A value that has to be released. */
struct weft__held {
    atomic_uint refs; /* bindings that have it */
    void (*release)(void *value);
    void *value;
};

/* One variable that was set. */
struct weft__binding {
    const weft_context_var *var;
    void *value;
    struct weft__held *held; /* NULL: the value need not be released */
};

struct weft__vars {
    atomic_uint refs;
    uint32_t count;
    uint64_t serial; /* no other array of this process has it; never 0 */
    struct weft__binding bindings[];
};

/* Makes a binding.  The value is taken, also on failure: -ENOMEM. */
int weft__binding_make(struct weft__binding *binding, const weft_context_var *var, void *value);

/* Lets go of its value. */
void weft__binding_drop(const struct weft__binding *binding);

/* The variable's binding; NULL where it is not set. */
const struct weft__binding *weft__vars_find(const struct weft__vars *vars,
                                            const weft_context_var *var);

/* Gives an array that differs in one variable, as `binding` says (borrowed; NULL: it is not set),
 * or 0 and a reference to the same one where nothing differs; -ENOMEM. */
int weft__vars_with(struct weft__vars *vars, const weft_context_var *var,
                    const struct weft__binding *binding, struct weft__vars **ret_vars);

static inline struct weft__vars *weft__vars_ref(struct weft__vars *vars)
{
    if (vars) {
        atomic_fetch_add_explicit(&vars->refs, 1, memory_order_relaxed);
    }
    return vars;
}

/* The slow half of weft__vars_unref(). */
void weft__vars_give(struct weft__vars *vars);

/* Gives a reference back; the last one lets go of the values, which may call back anywhere. */
static inline void weft__vars_unref(struct weft__vars *vars)
{
    if (vars) {
        weft__vars_give(vars);
    }
}

static inline uint64_t weft__vars_serial(const struct weft__vars *vars)
{
    return vars ? vars->serial : 0;
}

#endif
