/* SPDX-License-Identifier: MIT
 * What the core offers to backends, and how a loop gets one. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/poll/poll.h"
#include "core/sched/loop.h"

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

/* A loop that runs in run() looks round when that has returned. */
static void pump(void *loop)
{
    (void)loop;
}

/* Only a loop that was adopted closes later. */
static void closed(void *loop)
{
    (void)loop;
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
    if (request.mode == WEFT_BACKEND_MODE_GUEST) {
        loop->ops = &weft__nest_ops;
        return weft__nest_open(backend, &request, &loop->be);
    }
    loop->ops = backend->ops;
    return loop->ops->open(&weft__backend_core, &request, &loop->be);
}
