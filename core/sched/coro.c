/* SPDX-License-Identifier: MIT
 * Coroutine objects: made, closed, awaited. */
#include "core/sched/coro.h"

#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/misuse.h"
#include "core/sched/task.h"

#include <string.h>
#include <weft/await.h>

/* Coroutines made outside of a running loop: weft_run()'s, and those of foreign threads. */
static struct weft__shared stray = WEFT__SHARED_INIT(sizeof(struct weft__coro));

static struct weft__coro *take(struct weft__pool **ret_home)
{
    struct weft__loop *loop = weft__running;

    *ret_home = loop && loop->epoch == *weft__fork_word ? &loop->coros : NULL;
    return *ret_home ? weft__pool_take(*ret_home) : weft__shared_take(&stray);
}

WEFT__COLD static void give(struct weft__coro *coro)
{
    if (coro->home) {
        weft__pool_give(coro->home, coro);
    } else {
        weft__shared_give(&stray, coro);
    }
}

weft_coro *weft_coro_new(const weft_coro_def *def, const void *args)
{
    struct weft__pool *home;
    struct weft__coro *coro;

    if (!def || !def->run || (def->args_size && !args)) {
        return weft__failed(-EINVAL);
    }
    if (def->args_size > WEFT__ARGS_MAX) {
        return weft__failed(-E2BIG);
    }
    coro = take(&home);
    if (!coro) {
        return weft__failed(-ENOMEM);
    }
    coro->home = home;
    coro->frame.def = def;
    coro->drop = NULL;
    coro->args = coro->inline_args;
    if (def->args_size > WEFT__ARGS_INLINE) {
        coro->args = weft__alloc(NULL, def->args_size);
        if (!coro->args) {
            give(coro);
            return weft__failed(-ENOMEM);
        }
    }
    if (def->args_size) {
        memcpy(coro->args, args, def->args_size);
    }
    if (home && weft__coro_loop(coro)->observer) {
        weft__hooks.made_coro(weft__coro_loop(coro), coro);
    }
    return (weft_coro *)coro->handle;
}

WEFT__COLD void weft__coro_free_slow(struct weft__coro *coro)
{
    if (coro->args != coro->inline_args) {
        weft__free(coro->args);
    }
    give(coro);
}

void weft__coro_drop(struct weft__coro *coro)
{
    weft_callback *drop = coro->drop;
    void *arg = coro->drop_arg;

    weft__coro_free(coro); /* first: `drop` may look at the handle, which is spent */
    if (drop) {
        drop(arg);
    }
}

void weft__coro_discard(weft_coro *handle)
{
    int r = 0;
    struct weft__coro *coro = weft__coro_of(handle, &r);

    if (coro) {
        weft__coro_drop(coro);
    }
}

weft_coro *weft_coro_on_drop(weft_coro *handle, weft_callback *drop, void *arg)
{
    int r = 0;
    struct weft__coro *coro = weft__coro_of(handle, &r);

    if (coro) {
        coro->drop = drop;
        coro->drop_arg = arg;
    } else if (r != -ESRCH && drop) {
        drop(arg);
    }
    return handle;
}

int weft_coro_close(weft_coro *handle)
{
    int r = 0;
    struct weft__coro *coro = weft__coro_of(handle, &r);

    if (!coro) {
        return r;
    }
    weft__coro_drop(coro);
    return 0;
}

int weft_return(void *value)
{
    int r;
    struct weft__task *task = weft__self(&r);

    if (!task) {
        return r;
    }
    task->frame->value = value;
    return 0;
}

/* Moves a coroutine into a cell of another pool; without one (NULL) it is dropped. */
WEFT__COLD static struct weft__coro *move(struct weft__coro *coro, struct weft__coro *copy,
                                          struct weft__pool *home)
{
    uintptr_t handle;

    if (!copy) {
        weft__coro_drop(coro);
        return NULL;
    }
    handle = copy->handle;
    *copy = *coro;
    copy->handle = handle;
    copy->home = home;
    if (coro->args == coro->inline_args) {
        copy->args = copy->inline_args;
    }
    coro->args = coro->inline_args; /* a block of its own has moved */
    weft__coro_free(coro);
    return copy;
}

/* From the loop that made it, and may close while it runs, into the running one. */
WEFT__COLD static struct weft__coro *move_here(struct weft__coro *coro)
{
    struct weft__pool *home;
    struct weft__coro *copy = take(&home);

    return move(coro, copy, home);
}

weft_coro *weft__coro_unbind(weft_coro *handle)
{
    int r = 0;
    struct weft__coro *coro = weft__coro_of(handle, &r);

    if (coro && coro->home) {
        coro = move(coro, weft__shared_take(&stray), NULL);
        r = -ENOMEM;
    }
    return coro ? (weft_coro *)coro->handle : weft__failed(r);
}

/* Runs a coroutine on the caller's stack, as one more frame of its task. */
static int await(weft_coro *handle, struct weft__task **ret_task, void **ret_value)
{
    int r = 0;
    struct weft__coro *coro = weft__coro_of(handle, &r);
    struct weft__task *task;
    struct weft__scope *scopes;
    uintptr_t own;

    if (!coro) {
        return weft__misuse_of(r, handle);
    }
    task = weft__self(&r);
    if (!task) {
        weft__coro_drop(coro);
        return weft__misuse(r);
    }
    if (coro->home && coro->home != &task->loop->coros) {
        coro = move_here(coro);
        if (!coro) {
            return -ENOMEM;
        }
    }
    *ret_task = task;
    own = coro->handle;
    coro->handle = weft__tag_next(own, WEFT__CELL_LOW); /* while it runs no handle is right */
    coro->frame.outer = task->frame;
    coro->frame.value = NULL;
    task->frame = &coro->frame;
    scopes = task->scopes;

    r = coro->frame.def->run(coro->args);

    if (task->scopes != scopes) {
        weft__scopes_forgotten(task, scopes);
    }
    task->frame = coro->frame.outer;
    *ret_value = coro->frame.value;
    coro->handle = own;
    weft__coro_free(coro);
    return r;
}

int weft_await_coro(weft_coro *coro)
{
    struct weft__task *task;
    void *value;

    return await(coro, &task, &value);
}

int weft_await_coro_value(weft_coro *coro, void **ret_value)
{
    struct weft__task *task;
    void *value = NULL;
    int r = await(coro, &task, &value);

    if (r >= 0 && ret_value) {
        *ret_value = value;
    }
    return r;
}

int weft_await_coro_status(weft_coro *coro, int *ret_status)
{
    struct weft__task *task = NULL;
    void *value = NULL;
    int r = await(coro, &task, &value);

    return task ? weft__task_fate(task, r, ret_status) : r;
}
