/* SPDX-License-Identifier: MIT
 * What the core offers to backends, and how a loop gets one. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/poll/poll.h"
#include "core/sched/host.h"

#include <stdarg.h>
#include <stdio.h>

void weft__backend_detail(const char *format, ...)
{
    char words[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    (void)weft__detail(0, "%s", words);
}

int weft__backend_fault(void)
{
    return weft__fault();
}

static void take_event(void *loop, const weft_backend_event *event)
{
    weft__watch_event(loop, event);
}

static void pump(void *loop)
{
    ((struct weft__loop *)loop)->host.called = true;
    (void)weft__host_pump(loop); /* what it could not do is still to be done, and comes again */
}

static void closed(void *loop)
{
    weft__host_closed(loop);
}

const weft_backend_core weft__backend_core = {
    .size = sizeof(weft_backend_core),
    .abi = WEFT_BACKEND_ABI,
    .now = weft__clock_now,
    .alloc = weft__alloc,
    .detail = weft__backend_detail,
    .fault = weft__backend_fault,
    .ready = take_event,
    .pump = pump,
    .closed = closed,
};

int weft__backend_open(struct weft__loop *loop, const weft_backend *backend,
                       weft_backend_request request)
{
    request.size = sizeof request;
    request.loop = loop;
    loop->backend = backend;
    loop->mode = request.mode;
    loop->coarse = backend->ops->arm && !(backend->ops->caps & WEFT_BACKEND_NANOSECONDS);
    loop->host.adopted = request.adopt != NULL;
    atomic_store(&loop->host.thread, weft__this_thread());
    if (request.mode == WEFT_BACKEND_MODE_GUEST) {
        loop->ops = &weft__nest_ops;
        return weft__nest_open(backend, &request, &loop->be, &loop->host.late);
    }
    loop->ops = backend->ops;
    return loop->ops->open(&weft__backend_core, &request, &loop->be);
}

/* One iteration of a host of our own, or one wait of a poller. */
static int wait(struct weft__loop *loop, int64_t deadline, weft_backend_event *ret_events)
{
    if (loop->mode == WEFT_BACKEND_MODE_GUEST) {
        return weft__nest_run(loop->be, deadline);
    }
    if (loop->ops->run) {
        return loop->ops->run(loop->be, deadline);
    }
    return loop->ops->wait(loop->be, deadline, ret_events, WEFT__EVENTS_MAX);
}

/* A host reports by weft_backend_core.ready(): while it runs; or, where it is the program's, before
 * it calls pump().  In guest mode one that did not call has not found our poller readable. */
int weft__host_wait(struct weft__loop *loop, int64_t deadline, weft_backend_event *ret_events)
{
    bool adopted = loop->host.adopted;
    int r = 0;

    loop->host.looking = true;
    loop->host.called = adopted;
    if (!adopted) {
        r = wait(loop, deadline, ret_events);
    }
    if (r >= 0 && loop->mode == WEFT_BACKEND_MODE_GUEST && loop->host.called) {
        r = weft__nest_look(loop->be, ret_events, WEFT__EVENTS_MAX);
    }
    loop->host.looking = false;
    return r;
}
