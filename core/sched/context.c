/* SPDX-License-Identifier: MIT
 * Context variables: got, set and reset where a task, a callback or a thread has them.
 *
 * A place belongs to one thread and needs no lock.  A context object may be used by several, so its
 * array is changed under its lock; arrays are made and values released outside of it. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/task.h"

/* What a weft_context_token is made of. */
struct token {
    const weft_context_var *var; /* NULL: it is spent */
    struct weft__vars *before;   /* what the context was */
    uint64_t context;            /* which one */
    uint64_t made;               /* the serial of the array that setting made */
};

_Static_assert(sizeof(struct token) <= sizeof(weft_context_token), "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_context_token) == 48, "the public size");

atomic_bool weft__context_used;

static _Atomic uint64_t ids = 1; /* of contexts, for tokens */

/* What is set outside of any loop. */
static WEFT__THREAD_LOCAL struct weft__place of_thread;

/* Its destructor lets go of that when the thread ends. */
static struct {
    pthread_mutex_t lock;
    pthread_key_t key;
    bool made;
} at_thread_exit = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(at_thread_exit.lock)

uint64_t weft__context_id(void)
{
    return atomic_fetch_add_explicit(&ids, 1, memory_order_relaxed);
}

/* ---- places ---- */

struct weft__place *weft__place_here(void)
{
    struct weft__loop *loop = weft__running;

    if (!loop) {
        return &of_thread;
    }
    return loop->current ? &loop->current->place : &loop->place;
}

/* What the variables are at a place, as a reference. */
static struct weft__vars *look(const struct weft__place *place)
{
    struct weft__context *context = place->context;
    struct weft__vars *vars;

    if (!context) {
        return weft__vars_ref(place->vars);
    }
    pthread_mutex_lock(&context->lock);
    vars = weft__vars_ref(context->vars);
    pthread_mutex_unlock(&context->lock);
    return vars;
}

/* Puts `after` there if it is still as `before`; both are borrowed. */
static bool replace(struct weft__place *place, struct weft__vars *before, struct weft__vars *after)
{
    struct weft__context *context = place->context;
    struct weft__vars **slot = context ? &context->vars : &place->vars;
    bool same;

    weft__vars_ref(after);
    if (context) {
        pthread_mutex_lock(&context->lock);
    }
    same = *slot == before;
    if (same) {
        *slot = after;
    }
    if (context) {
        pthread_mutex_unlock(&context->lock);
    }
    weft__vars_unref(same ? before : after); /* the place's reference, or the one just made */
    return same;
}

/* By what tokens know the context of a place. */
static uint64_t id_of(struct weft__place *place)
{
    if (place->context) {
        return place->context->id;
    }
    if (place->id == 0) {
        place->id = weft__context_id();
    }
    return place->id;
}

struct weft__vars *weft__context_capture_used(void)
{
    return look(weft__place_here());
}

static void end_thread(void *place)
{
    weft__place_end(place); /* what a `release` sets now has the destructor called again */
}

/* Has what is set in this thread let go of when it ends. */
static int watch_thread(void)
{
    int r = weft__fault();

    pthread_mutex_lock(&at_thread_exit.lock);
    if (r == 0 && !at_thread_exit.made) {
        r = pthread_key_create(&at_thread_exit.key, end_thread);
        at_thread_exit.made = r == 0;
    }
    pthread_mutex_unlock(&at_thread_exit.lock);
    return r == 0 && pthread_setspecific(at_thread_exit.key, &of_thread) == 0 ? 0 : -ENOMEM;
}

/* ---- variables ---- */

void *weft_context_var_get(const weft_context_var *var)
{
    const struct weft__binding *binding;
    const struct weft__place *place;

    if (!var || !weft__context_is_used()) {
        return var ? var->default_value : NULL;
    }
    place = weft__place_here();
    if (place->context) {
        return weft__context_get(place->context, var);
    }
    binding = weft__vars_find(place->vars, var);
    return binding ? binding->value : var->default_value;
}

/* Sets, and fills in the token, where there is one, but for its variable. */
static int set(struct weft__place *place, const struct weft__binding *binding, struct token *token)
{
    struct weft__vars *before, *after;

    for (;;) {
        bool changed;
        int r;

        before = look(place);
        r = weft__vars_with(before, binding->var, binding, &after);
        changed = r == 0 && replace(place, before, after);
        if (changed && token) {
            *token = (struct token){ NULL, before, id_of(place), after->serial };
            before = NULL;
        }
        weft__vars_unref(before);
        weft__vars_unref(r == 0 ? after : NULL);
        if (changed || r < 0) {
            return r;
        }
    }
}

int weft_context_var_set(const weft_context_var *var, void *value, weft_context_token *ret_token)
{
    struct token *token = (struct token *)(void *)ret_token;
    struct weft__place *place = weft__place_here();
    struct weft__binding binding;
    int r = -EINVAL;

    if (token) {
        *token = (struct token){ .var = NULL };
    }
    r = var ? weft__binding_make(&binding, var, value) : -EINVAL;
    if (r < 0) {
        return r;
    }
    atomic_store_explicit(&weft__context_used, true, memory_order_relaxed);
    r = place == &of_thread ? watch_thread() : 0;
    r = r < 0 ? r : set(place, &binding, token);
    if (r == 0 && token) {
        token->var = var;
    }
    weft__binding_drop(&binding);
    return r;
}

int weft_context_var_reset(const weft_context_var *var, weft_context_token *public_token)
{
    struct token *token = (struct token *)(void *)public_token;
    struct weft__place *place = weft__place_here();
    bool changed = false;

    if (!var || !token) {
        return -EINVAL;
    }
    if (!token->var) {
        return -ESRCH;
    }
    if (token->var != var || token->context != id_of(place)) {
        return -EINVAL;
    }
    while (!changed) {
        struct weft__vars *now = look(place), *then = weft__vars_ref(token->before);
        int r = 0;

        if (weft__vars_serial(now) != token->made) { /* other variables were set since */
            weft__vars_unref(then);
            r = weft__vars_with(now, var, weft__vars_find(token->before, var), &then);
        }
        changed = r == 0 && replace(place, now, then);
        weft__vars_unref(now);
        if (r < 0) {
            return r;
        }
        weft__vars_unref(then);
    }
    weft_context_token_drop(public_token);
    return 0;
}

void weft_context_token_drop(weft_context_token *public_token)
{
    struct token *token = (struct token *)(void *)public_token;

    if (token && token->var) {
        token->var = NULL;
        weft__vars_unref(token->before);
    }
}

void weft_context_token_leave(weft_context_token *public_token)
{
    const struct token *token = (const struct token *)(const void *)public_token;

    if (token->var && weft_context_var_reset(token->var, public_token) < 0) {
        weft_context_token_drop(public_token);
    }
}

/* ---- for the scheduler ---- */

void weft__context_call(struct weft__vars *vars, weft_callback *callback, void *arg)
{
    struct weft__place *place = weft__place_here(), outer = *place, mine;

    *place = (struct weft__place){ .vars = vars };
    callback(arg);
    mine = *place;
    *place = outer;
    weft__place_end(&mine); /* in the context that the caller is in */
}

void weft__task_inherit(struct weft__task *task, const weft_task_options *options)
{
    int r;
    struct weft__context *context = NULL;

    if (options && options->context) {
        context = weft__context_of(options->context, &r);
    }
    if (context) {
        weft__context_count(context, 0, 1);
        task->place.context = context;
    } else {
        task->place.vars = weft__context_capture_used();
    }
}

void weft__place_end(struct weft__place *place)
{
    struct weft__place mine = *place;

    *place = (struct weft__place){ .vars = NULL };
    weft__vars_unref(mine.vars);
    if (mine.context) {
        weft__context_count(mine.context, 0, -1);
    }
}
