/* SPDX-License-Identifier: MIT
 * What context variables are at one moment: found, changed, let go of. */
#include "core/sched/vars.h"

#include "core/base/mem.h"

#include <errno.h>

static _Atomic uint64_t serials = 1;

int weft__binding_make(struct weft__binding *binding, const weft_context_var *var, void *value)
{
    struct weft__held *held = NULL;

    if (var->release) {
        held = weft__alloc(NULL, sizeof *held);
        if (!held) {
            var->release(value);
            return -ENOMEM;
        }
        *held = (struct weft__held){ 1, var->release, value };
    }
    *binding = (struct weft__binding){ var, value, held };
    return 0;
}

void weft__binding_drop(const struct weft__binding *binding)
{
    struct weft__held *held = binding->held;

    /* Who gives the last reference back sees all that was done to the value before. */
    if (held && atomic_fetch_sub_explicit(&held->refs, 1, memory_order_acq_rel) == 1) {
        held->release(held->value);
        weft__free(held);
    }
}

const struct weft__binding *weft__vars_find(const struct weft__vars *vars,
                                            const weft_context_var *var)
{
    for (uint32_t i = 0; vars && i < vars->count; i++) {
        if (vars->bindings[i].var == var) {
            return &vars->bindings[i];
        }
    }
    return NULL;
}

static void add(struct weft__vars *vars, const struct weft__binding *binding)
{
    vars->bindings[vars->count++] = *binding;
    if (binding->held) {
        atomic_fetch_add_explicit(&binding->held->refs, 1, memory_order_relaxed);
    }
}

int weft__vars_with(struct weft__vars *vars, const weft_context_var *var,
                    const struct weft__binding *binding, struct weft__vars **ret_vars)
{
    uint32_t before = vars ? vars->count : 0;
    const struct weft__binding *old = weft__vars_find(vars, var);
    uint32_t count = before - (old != NULL) + (binding != NULL);
    struct weft__vars *made;

    if ((!old && !binding) || count == 0) {
        *ret_vars = count ? weft__vars_ref(vars) : NULL;
        return 0;
    }
    made = weft__alloc(NULL, sizeof *made + count * sizeof made->bindings[0]);
    if (!made) {
        return -ENOMEM;
    }
    atomic_init(&made->refs, 1);
    made->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed);
    made->count = 0;
    if (binding) {
        add(made, binding); /* what was set last is often what is asked for next */
    }
    for (uint32_t i = 0; i < before; i++) {
        if (&vars->bindings[i] != old) {
            add(made, &vars->bindings[i]);
        }
    }
    WEFT_ASSERT(made->count == count);
    *ret_vars = made;
    return 0;
}

void weft__vars_give(struct weft__vars *vars)
{
    if (atomic_fetch_sub_explicit(&vars->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < vars->count; i++) {
        weft__binding_drop(&vars->bindings[i]);
    }
    weft__free(vars);
}
