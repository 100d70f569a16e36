/* SPDX-License-Identifier: MIT
 * Callbacks: scheduled, taken back, called. */
#include "core/sched/handle.h"

#include "core/base/mem.h"

#include <math.h>

/* Gives one reference back; the last one frees the cell. */
static WEFT__INLINE void unref(struct weft__handle *handle)
{
    struct weft__loop *loop = handle->loop;

    if (--handle->item.refs > 0) {
        return;
    }
    if (handle->item.flags & WEFT__HANDLE_REMOTE) {
        weft__inbox_give(loop, handle);
    } else {
        weft__pool_give(&loop->handles, handle);
    }
}

void weft__handle_dropped(struct weft__item *item)
{
    unref(WEFT__CONTAINER(item, struct weft__handle, item));
}

int weft__carried_new(struct weft__carried **ret_carried)
{
    struct weft__vars *vars = weft__context_capture();
    struct weft__carried *carried = vars ? weft__alloc(NULL, sizeof *carried) : NULL;

    if (vars && !carried) {
        weft__vars_unref(vars);
        return -ENOMEM;
    }
    if (carried) {
        weft__list_init(&carried->link);
        carried->vars = vars;
    }
    *ret_carried = carried;
    return 0;
}

void weft__carried_free(struct weft__carried *carried)
{
    if (carried) {
        struct weft__vars *vars = carried->vars;

        weft__free(carried);
        weft__vars_unref(vars);
    }
}

void weft__handle_load(struct weft__handle *handle, struct weft__carried *carried)
{
    if (carried) {
        carried->handle = handle;
        carried->arg = handle->arg;
        handle->arg = carried;
        handle->item.flags |= WEFT__HANDLE_CARRIES;
    }
}

/* Takes back what a handle carries: the caller has the reference now, and releases it last, for
 * that may call back anywhere. */
static struct weft__vars *unload(struct weft__handle *handle)
{
    struct weft__carried *carried = handle->arg;
    struct weft__vars *vars;

    if (!(handle->item.flags & WEFT__HANDLE_CARRIES)) {
        return NULL;
    }
    vars = carried->vars;
    handle->item.flags &= ~WEFT__HANDLE_CARRIES;
    handle->arg = carried->arg;
    weft__list_remove(&carried->link);
    weft__free(carried);
    return vars;
}

void weft__handles_unload(struct weft__loop *loop)
{
    while (!weft__list_empty(&loop->carried)) {
        struct weft__list *first = loop->carried.next;

        weft__vars_unref(unload(WEFT__CONTAINER(first, struct weft__carried, link)->handle));
    }
}

void weft__handle_skip(struct weft__handle *handle)
{
    if (handle->item.flags & WEFT__HANDLE_WATCH) {
        handle->item.queued = false;
        weft__watch_reap(handle);
    } else if (handle->item.flags & WEFT__HANDLE_DONE) {
        weft__outcome_skip(handle);
    } else if (handle->item.flags & WEFT__HANDLE_POST) {
        handle->callback(handle->arg);
    } else {
        struct weft__vars *vars = unload(handle);

        unref(handle);
        weft__vars_unref(vars);
    }
}

/* Calls a callback in its context. */
static void call_in_context(struct weft__handle *handle)
{
    struct weft__vars *vars;

    if (handle->item.flags & WEFT__HANDLE_MEMBER) {
        vars = weft__vars_ref(((struct weft__carrier *)(void *)handle)->vars);
    } else {
        vars = unload(handle);
    }
    weft__context_call(vars, handle->callback, handle->arg);
}

/* What weft__handle_run() does for a descriptor, and where there are contexts. */
static void run_slowly(struct weft__handle *handle)
{
    bool frees_itself = handle->item.flags & (WEFT__HANDLE_DONE | WEFT__HANDLE_POST);
    weft_callback *callback = handle->callback;

    if (handle->item.flags & WEFT__HANDLE_WATCH) {
        handle->item.queued = true; /* so that removing it from within does not free it */
    }
    if (handle->item.flags & WEFT__HANDLE_STALE) {
        callback = NULL;
    }
    if (callback && weft__context_is_used()) {
        call_in_context(handle);
    } else if (callback) {
        callback(handle->arg);
    }
    if (!frees_itself) {
        weft__handle_skip(handle);
    }
}

void weft__handle_run(struct weft__handle *handle)
{
    weft_callback *callback = handle->callback;
    uint32_t flags = handle->item.flags;

    if (flags & WEFT__HANDLE_WATCH || weft__context_is_used()) {
        run_slowly(handle);
        return;
    }
    if (callback) {
        callback(handle->arg);
    }
    if (!(flags & (WEFT__HANDLE_DONE | WEFT__HANDLE_POST))) {
        unref(handle);
    }
}

/* Gives a new handle the context that it is to run in; NULL without memory, and it is gone. */
WEFT__COLD static struct weft__handle *load(struct weft__handle *handle)
{
    struct weft__carried *carried;

    if (weft__carried_new(&carried) < 0) {
        weft__pool_give(&handle->loop->handles, handle);
        return NULL;
    }
    if (carried) {
        weft__handle_load(handle, carried);
        weft__list_push(&handle->loop->carried, &carried->link);
    }
    return handle;
}

/* A handle that the caller is about to schedule. */
static WEFT__INLINE struct weft__handle *make(struct weft__loop *loop, weft_callback *callback,
                                              void *arg, uint32_t flags, weft_handle **ret_handle)
{
    struct weft__handle *handle = weft__pool_take(&loop->handles);

    if (!handle) {
        return NULL;
    }
    handle->item = (struct weft__item){ .kind = WEFT__ITEM_HANDLE,
                                        .refs = ret_handle ? 2 : 1,
                                        .flags = flags | (ret_handle ? WEFT__HANDLE_HELD : 0) };
    handle->callback = callback;
    handle->arg = arg;
    handle->loop = loop;
    return weft__context_is_used() ? load(handle) : handle;
}

int weft_loop_call_soon(weft_loop *loop_handle, weft_callback *callback, void *arg,
                        weft_handle **ret_handle)
{
    int r = -EINVAL;
    struct weft__loop *loop = callback ? weft__loop_of(loop_handle, &r) : NULL;
    struct weft__handle *handle;

    if (!loop) {
        return r;
    }
    handle = make(loop, callback, arg, 0, ret_handle);
    if (!handle) {
        return -ENOMEM;
    }
    weft__ready(loop, &handle->item);
    if (ret_handle) {
        *ret_handle = (weft_handle *)handle->handle;
    }
    return 0;
}

static WEFT__INLINE int call_at(struct weft__loop *loop, int64_t when, weft_callback *callback,
                                void *arg, weft_handle **ret_handle)
{
    struct weft__handle *handle = make(loop, callback, arg, WEFT__HANDLE_TIMED, ret_handle);
    int r;

    if (!handle) {
        return -ENOMEM;
    }
    handle->item.when = when;
    r = weft__timers_add(&loop->timers, &handle->item);
    if (r < 0) {
        struct weft__vars *vars = unload(handle);

        weft__pool_give(&loop->handles, handle);
        weft__vars_unref(vars);
        return r;
    }
    if (ret_handle) {
        *ret_handle = (weft_handle *)handle->handle;
    }
    return 0;
}

int weft_loop_call_later(weft_loop *loop_handle, double delay, weft_callback *callback, void *arg,
                         weft_handle **ret_handle)
{
    int r = -EINVAL;
    struct weft__loop *loop = callback ? weft__loop_of(loop_handle, &r) : NULL;
    int64_t ns;

    if (!loop) {
        return r;
    }
    r = weft__seconds_to_ns(delay, &ns);
    if (r < 0) {
        return r;
    }
    return call_at(loop, weft__loop_after(loop, ns), callback, arg, ret_handle);
}

int weft_loop_call_at(weft_loop *loop_handle, double when, weft_callback *callback, void *arg,
                      weft_handle **ret_handle)
{
    int r = -EINVAL;
    struct weft__loop *loop = callback ? weft__loop_of(loop_handle, &r) : NULL;
    int64_t ns;

    if (!loop) {
        return r;
    }
    r = weft__seconds_to_ns(when, &ns);
    if (r >= 0 && loop->coarse) {
        weft__loop_set_deadline(loop, weft__loop_now(loop), ns);
    }
    return r < 0 ? r : call_at(loop, ns, callback, arg, ret_handle);
}

/* The living handle, for its loop's thread. */
static WEFT__INLINE struct weft__handle *handle_of(weft_handle *handle, int *ret_error)
{
    struct weft__handle *h = weft__cell_of(handle, ret_error);
    int r = h ? weft__loop_check(h->loop) : 0;

    if (h && r == 0 && !(h->item.flags & WEFT__HANDLE_HELD)) {
        r = -ESRCH; /* it is still scheduled, but nobody's */
    }
    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return h;
}

int weft_handle_cancel(weft_handle *handle)
{
    int r = 0;
    struct weft__handle *h = handle_of(handle, &r);
    struct weft__vars *vars;

    if (!h) {
        return r;
    }
    vars = unload(h);
    h->callback = NULL;
    h->item.flags |= WEFT__HANDLE_CANCELLED;
    if (h->item.place) {
        if (weft__timers_disarm(&h->loop->timers, &h->item)) {
            unref(h);
        }
    }
    weft__vars_unref(vars);
    return 0;
}

bool weft_handle_cancelled(weft_handle *handle)
{
    int r;
    struct weft__handle *h = handle_of(handle, &r);

    return !h || h->item.flags & WEFT__HANDLE_CANCELLED;
}

double weft_handle_when(weft_handle *handle)
{
    int r;
    struct weft__handle *h = handle_of(handle, &r);

    if (!h || !(h->item.flags & WEFT__HANDLE_TIMED)) {
        return NAN;
    }
    return (double)h->item.when / (double)WEFT__SECOND;
}

weft_handle *weft_handle_unref(weft_handle *handle)
{
    int r;
    struct weft__handle *h = handle_of(handle, &r);

    if (h) {
        h->item.flags &= ~WEFT__HANDLE_HELD;
        unref(h);
    }
    return NULL;
}
