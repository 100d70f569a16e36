/* SPDX-License-Identifier: MIT
 * The public calls on a loop as a whole. */
#include "core/base/error.h"
#include "core/sched/loop.h"

#include <math.h>
#include <string.h>

int weft_loop_close(weft_loop *handle)
{
    int r = -EBADF;
    struct weft__loop *loop = handle ? weft__loop_of(handle, &r) : NULL;

    if (!loop) {
        return r;
    }
    if (atomic_load(&loop->running)) {
        return -EBUSY;
    }
    return weft__loop_shut(loop);
}

weft_loop *weft_get_running_loop(void)
{
    struct weft__loop *loop = weft__running;

    return loop && loop->epoch == *weft__fork_word ? weft__loop_handle(loop) : NULL;
}

int weft_loop_run_forever(weft_loop *handle)
{
    int r = -EBADF;
    struct weft__loop *loop = handle ? weft__loop_of(handle, &r) : NULL;

    return loop ? weft__loop_run(loop) : r;
}

int weft_loop_stop(weft_loop *handle)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    if (loop->host.adopted) {
        return weft__words(-EOPNOTSUPP, "the loop is attached: only its host can be stopped");
    }
    weft__loop_stop(loop);
    return 0;
}

/* The loop of a handle in whatever thread, for what only reads; NULL when it is closed. */
static const struct weft__loop *look_at(weft_loop *handle)
{
    int r = 0;
    const struct weft__loop *loop = weft__running;

    if (!handle || (loop && (uintptr_t)handle == loop->handle)) {
        return weft__loop_of(handle, &r);
    }
    loop = weft__tag_error(handle) ? NULL : weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);
    if (!loop || __atomic_load_n(&loop->handle, __ATOMIC_RELAXED) != (uintptr_t)handle) {
        return NULL;
    }
    return weft__loop_is_inherited(loop) || loop->closing ? NULL : loop;
}

bool weft_loop_is_running(weft_loop *handle)
{
    const struct weft__loop *loop = look_at(handle);

    return loop && atomic_load(&loop->running);
}

bool weft_loop_is_closed(weft_loop *handle)
{
    return !look_at(handle);
}

double weft_loop_time(weft_loop *handle)
{
    const struct weft__loop *loop = look_at(handle);

    return loop ? (double)weft__loop_now(loop) / (double)WEFT__SECOND : NAN;
}

const char *weft_loop_backend_name(weft_loop *handle)
{
    const struct weft__loop *loop = look_at(handle);

    return loop ? loop->backend->name : NULL;
}

const char *weft_loop_backend_mode(weft_loop *handle)
{
    const struct weft__loop *loop = look_at(handle);

    if (!loop) {
        return NULL;
    }
    return loop->mode == WEFT_BACKEND_MODE_GUEST ? "guest" : "direct";
}

int weft_loop_set_debug(weft_loop *handle, bool on)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    return loop ? weft__hooks.observe(loop, on ? "1" : "0", "weft_loop_set_debug()") : r;
}

bool weft_loop_get_debug(weft_loop *handle)
{
    int r;
    const struct weft__loop *loop = weft__loop_of(handle, &r);

    return loop && loop->debug;
}

int weft_loop_set_exception_handler(weft_loop *handle, weft_exception_handler *handler, void *arg)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    loop->handler = handler;
    loop->handler_arg = arg;
    return 0;
}

weft_exception_handler *weft_loop_get_exception_handler(weft_loop *handle)
{
    int r;
    const struct weft__loop *loop = weft__loop_of(handle, &r);

    return loop ? loop->handler : NULL;
}

int weft_loop_call_exception_handler(weft_loop *handle, const weft_report *report)
{
    weft_report copy = { .size = 0 };
    int r = -EINVAL;
    struct weft__loop *loop = report ? weft__loop_of(handle, &r) : NULL;

    if (!loop) {
        return r;
    }
    if (report->size < offsetof(weft_report, loop) || report->size > sizeof copy ||
        !report->message) {
        return -EINVAL;
    }
    memcpy(&copy, report, report->size);
    weft__report(loop, &copy);
    return 0;
}
