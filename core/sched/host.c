/* SPDX-License-Identifier: MIT
 * Loops that have their turns in somebody else's loop. */
#include "core/sched/host.h"

#include "core/base/error.h"

#include <math.h>
#include <weft/attach.h>

#define SLICE_NS 1000000 /* turns that a host gives at once; then it has its own */
#define DEPTH_MAX 16     /* hosts that run within each other */

static bool is_hosted(const struct weft__loop *loop)
{
    return loop->host.adopted || loop->host.by_fd;
}

/* Tells the host when to come, if that is news.  WEFT__LOOK_ONLY: as soon as it can. */
static void arm(struct weft__loop *loop, int64_t when)
{
    int r = 0;

    if (when == loop->host.armed) {
        return;
    }
    if (loop->backend->ops->arm) {
        r = loop->ops->arm(loop->be, when);
    }
    if (r < 0 || (loop->host.by_fd && when == WEFT__LOOK_ONLY)) {
        (void)loop->ops->wake(loop->be); /* that cannot fail; and this is tried again then */
    }
    loop->host.armed = r < 0 ? WEFT__LOOK_ONLY : when;
}

WEFT__COLD int weft__loop_looked_at(struct weft__loop *loop)
{
    if ((is_hosted(loop) || atomic_load(&loop->running)) &&
        atomic_load(&loop->host.thread) != weft__this_thread()) {
        if (loop->observer) {
            weft__hooks.wrong_thread(loop);
        }
        return -EXDEV;
    }
    return 0;
}

WEFT__COLD int weft__loop_outside(struct weft__loop *loop)
{
    int r = weft__loop_looked_at(loop);

    if (r == 0 && is_hosted(loop) && !loop->closing) {
        arm(loop, WEFT__LOOK_ONLY);
    }
    return r;
}

/* What has to be as it was when a pump has ended. */
struct outer {
    struct weft__loop *loop;    /* which ran here, and runs on; or NULL */
    struct weft__task *current; /* of the pumped loop: it called the host */
    struct weft__fiber fiber;
    bool running, back;
};

static void enter(struct weft__loop *loop, struct outer *outer)
{
    outer->loop = weft__running;
    outer->current = loop->current;
    outer->fiber = loop->fiber;
    outer->running = atomic_exchange(&loop->running, true);
    /* Somebody below us waits for the loop's own stack, which is another one for now. */
    outer->back = weft__loop_unqueue(loop, &loop->back_item);
    loop->stopped = loop->stopped && outer->running;
    atomic_store(&loop->host.thread, weft__this_thread());
    loop->host.depth++;
    loop->current = NULL;
    weft__running = loop;
    weft__sanitize_thread(&loop->fiber.watch);
}

static void leave(struct weft__loop *loop, const struct outer *outer)
{
    weft__running = outer->loop;
    loop->host.depth--;
    loop->current = outer->current;
    loop->fiber = outer->fiber;
    if (outer->back) {
        weft__ready_first(loop, &loop->back_item);
    }
    atomic_store(&loop->running, outer->running);
}

static int give_slice(struct weft__loop *loop)
{
    int64_t end = 0;
    int r;

    do {
        r = weft__loop_look(loop, false);
        if (r < 0) {
            return r;
        }
        if (loop->polled >= loop->host.armed) {
            loop->host.armed = WEFT__NEVER; /* it came, and is spent */
        }
        end = end ? end : weft__clock_now() + SLICE_NS;
        weft__loop_give_turns(loop);
    } while (loop->first && !loop->stopped && !weft__loop_is_inherited(loop) &&
             weft__clock_now() < end);
    return 0;
}

/* Whether this is a place where turns can be given: on a stack that stays, in a loop that is not in
 * the middle of something. */
static int check(const struct weft__loop *loop)
{
    if (weft__loop_is_inherited(loop)) {
        return -ECHILD;
    }
    if (loop->host.looking || loop->rechecking || loop->closing || loop->ending ||
        (weft__running && weft__running->ending)) {
        return -EBUSY;
    }
    return loop->host.depth < DEPTH_MAX ? 0 : -ELOOP;
}

int weft__host_pump(struct weft__loop *loop)
{
    struct outer outer;
    int r = check(loop);

    if (r < 0) {
        return r;
    }
    enter(loop, &outer);
    r = give_slice(loop);
    if (loop->observer && !outer.running && !weft__loop_is_inherited(loop)) {
        weft__hooks.look(loop, 1); /* what the host does now is none of our turns */
    }
    leave(loop, &outer);
    if (weft__loop_is_inherited(loop)) {
        return -ECHILD; /* a task has forked, and this is the child */
    }
    if (loop->first || atomic_load(&loop->inbox.posted)) {
        arm(loop, WEFT__LOOK_ONLY);
    } else {
        arm(loop, weft__loop_deadline(loop));
    }
    return r;
}

void weft__host_closed(struct weft__loop *loop)
{
    weft_callback *callback = loop->host.closed;
    void *arg = loop->host.closed_arg;

    weft__loop_give_memory(loop);
    if (callback) {
        callback(arg);
    }
}

/* The loop of a handle for what makes nothing ready: the host is told nothing, or it would be told
 * to come at once each time it asks when to. */
static struct weft__loop *loop_of(weft_loop *handle, int *ret_error)
{
    struct weft__loop *loop = !handle || weft__tag_error(handle) ?
                                  NULL :
                                  weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);

    if (loop && __atomic_load_n(&loop->handle, __ATOMIC_RELAXED) == (uintptr_t)handle &&
        !weft__loop_is_inherited(loop) && is_hosted(loop) && !loop->closing &&
        atomic_load(&loop->host.thread) == weft__this_thread()) {
        return loop;
    }
    return weft__loop_of(handle, ret_error);
}

int weft_loop_pump(weft_loop *handle)
{
    int r = 0;
    struct weft__loop *loop = loop_of(handle, &r);

    r = loop ? weft__host_pump(loop) : r;
    return r < 0 ? r : loop->first != NULL;
}

int weft_loop_fd(weft_loop *handle)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    if (!(loop->ops->caps & WEFT_BACKEND_NEST)) {
        return weft__words(-EOPNOTSUPP, "this backend has no descriptor to be watched");
    }
    r = loop->ops->nest_fd(loop->be);
    if (r >= 0 && !loop->host.by_fd) {
        loop->host.by_fd = true;
        arm(loop, WEFT__LOOK_ONLY); /* something may be ready already */
    }
    return r;
}

double weft_loop_next_deadline(weft_loop *handle)
{
    int r;
    const struct weft__loop *loop = loop_of(handle, &r);
    int64_t when = loop ? weft__timers_next(&loop->timers) : 0;

    if (!loop) {
        return NAN;
    }
    if (loop->first) {
        when = 0;
    }
    return when == WEFT__NEVER ? INFINITY : (double)when / (double)WEFT__SECOND;
}

int weft_loop_hold(weft_loop *handle, bool on)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    return loop->host.adopted && loop->ops->hold ? loop->ops->hold(loop->be, on) : 0;
}

int weft_loop_on_closed(weft_loop *handle, weft_callback *callback, void *arg)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    loop->host.closed = callback;
    loop->host.closed_arg = arg;
    return 0;
}

void *weft_loop_native(weft_loop *handle)
{
    int r;
    const struct weft__loop *loop = weft__loop_of(handle, &r);

    return loop && loop->ops->native ? loop->ops->native(loop->be) : NULL;
}
