/* SPDX-License-Identifier: MIT
 * Context objects: made, held, entered. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/task.h"

static struct weft__shared contexts = WEFT__SHARED_INIT(sizeof(struct weft__context));

void *weft__context_get(struct weft__context *context, const weft_context_var *var)
{
    const struct weft__binding *binding;
    void *value;

    pthread_mutex_lock(&context->lock);
    binding = weft__vars_find(context->vars, var);
    value = binding ? binding->value : var->default_value;
    pthread_mutex_unlock(&context->lock);
    return value;
}

/* A context object with `vars`, which are taken, one hold and `pins`; NULL without memory. */
static struct weft__context *new_context(struct weft__vars *vars, uint64_t id, uint32_t pins)
{
    struct weft__context *context = weft__shared_take(&contexts);

    if (!context) {
        return NULL;
    }
    if (weft__fault() < 0 || pthread_mutex_init(&context->lock, NULL) != 0) {
        weft__shared_give(&contexts, context);
        return NULL;
    }
    context->vars = vars;
    context->id = id ? id : weft__context_id();
    context->holds = 1;
    context->pins = pins;
    context->entered = false;
    atomic_store_explicit(&weft__context_used, true, memory_order_relaxed);
    return context;
}

void weft__context_count(struct weft__context *context, int holds, int pins)
{
    bool gone;

    pthread_mutex_lock(&context->lock);
    context->holds += (uint32_t)(holds < 0 && !context->holds ? 0 : holds);
    context->pins += (uint32_t)pins;
    gone = !context->holds && !context->pins;
    pthread_mutex_unlock(&context->lock);
    if (gone) {
        struct weft__vars *vars = context->vars;

        pthread_mutex_destroy(&context->lock);
        weft__shared_give(&contexts, context);
        weft__vars_unref(vars);
    }
}

/* A new context object for the caller. */
static int make(struct weft__vars *vars, weft_context **ret_context)
{
    struct weft__context *context = new_context(vars, 0, 0);

    if (!context) {
        weft__vars_unref(vars);
        return -ENOMEM;
    }
    *ret_context = (weft_context *)context->handle;
    return 0;
}

int weft_copy_context(weft_context **ret_context)
{
    return ret_context ? make(weft__context_capture(), ret_context) : -EINVAL;
}

int weft_context_new(weft_context **ret_context)
{
    return ret_context ? make(NULL, ret_context) : -EINVAL;
}

weft_context *weft_context_ref(weft_context *handle)
{
    int r;
    struct weft__context *context = weft__context_of(handle, &r);

    if (context) {
        weft__context_count(context, 1, 0);
    }
    return handle;
}

weft_context *weft_context_unref(weft_context *handle)
{
    int r;
    struct weft__context *context = weft__context_of(handle, &r);

    if (context) {
        weft__context_count(context, -1, 0);
    }
    return NULL;
}

void *weft_context_get(weft_context *handle, const weft_context_var *var)
{
    int r;
    struct weft__context *context = var ? weft__context_of(handle, &r) : NULL;

    if (!context) {
        return var ? var->default_value : NULL;
    }
    return weft__context_get(context, var);
}

/* Marks a context as entered; false: it is. */
static bool enter(struct weft__context *context)
{
    bool entered;

    pthread_mutex_lock(&context->lock);
    entered = context->entered;
    context->entered = true;
    context->pins += !entered;
    pthread_mutex_unlock(&context->lock);
    return !entered;
}

int weft_context_run(weft_context *handle, weft_callback *callback, void *arg)
{
    int r = -EINVAL;
    struct weft__context *context = callback ? weft__context_of(handle, &r) : NULL;
    struct weft__place *place = weft__place_here(), outer = *place;

    if (!context) {
        return r;
    }
    if (place->context == context || !enter(context)) {
        return weft__words(-EBUSY, "the context is entered already: by a task that runs in it and "
                                   "calls this, or by another weft_context_run()");
    }
    *place = (struct weft__place){ .context = context };
    callback(arg);
    *place = outer;
    pthread_mutex_lock(&context->lock);
    context->entered = false;
    pthread_mutex_unlock(&context->lock);
    weft__context_count(context, 0, -1);
    return 0;
}

int weft_task_get_context(weft_task *handle, weft_context **ret_context)
{
    int r = -EINVAL;
    struct weft__task *task = ret_context ? weft__task_of(handle, &r) : NULL;
    struct weft__place *place = task ? &task->place : NULL;

    if (!task || task->outcome.done) {
        return task ? -ESRCH : r;
    }
    if (!place->context) {
        struct weft__context *made = new_context(place->vars, place->id, 1);

        if (!made) {
            return -ENOMEM;
        }
        *place = (struct weft__place){ .context = made };
    } else {
        weft__context_count(place->context, 1, 0);
    }
    *ret_context = (weft_context *)place->context->handle;
    return 0;
}
