/* SPDX-License-Identifier: MIT
 * Guest mode: a poller of our own, of which the host's loop watches the one descriptor.
 *
 * To the scheduler both are one poller: descriptors go to the inner one, waiting to the host.  Each
 * wait is one iteration of the host, so that its own sources have their turn however busy we are,
 * and one look at the inner poller. */
#include "core/poll/poll.h"

#include "core/base/error.h"
#include "core/base/mem.h"

#include <errno.h>

#define WATCH_SIZE 32 /* enough for any poller that is compiled in */

struct nest {
    const weft_backend_ops *host, *inner;
    void *host_be, *inner_be;
};

static const weft_backend_ops *nestable(void)
{
    for (int i = 0; weft__backends_builtin[i]; i++) {
        const weft_backend_ops *ops = weft__backends_builtin[i]->ops;

        if (ops->caps & WEFT_BACKEND_NEST && ops->watch_size <= WATCH_SIZE) {
            return ops;
        }
    }
    return NULL;
}

static int open_inner(struct nest *nest)
{
    const weft_backend_request request = {
        .size = sizeof request,
        .mode = WEFT_BACKEND_MODE_DIRECT,
        .options = "",
    };

    return nest->inner->open(&weft__backend_core, &request, &nest->inner_be);
}

int weft__nest_open(const weft_backend *host, const weft_backend_request *request, void **ret_be,
                    bool *ret_late)
{
    const weft_backend_ops *inner = nestable();
    struct nest *nest;
    int r;

    if (!inner) {
        return weft__detail(-EOPNOTSUPP, "no poller that could be nested in %s is compiled in",
                            host->name);
    }
    nest = weft__alloc_zeroed(1, sizeof *nest);
    if (!nest) {
        return -ENOMEM;
    }
    nest->host = host->ops;
    nest->inner = inner;
    r = open_inner(nest);
    if (r < 0) {
        goto free_nest;
    }
    r = nest->host->open(&weft__backend_core, request, &nest->host_be);
    if (r < 0) {
        goto close_inner;
    }
    r = nest->host->guest(nest->host_be, nest->inner->nest_fd(nest->inner_be));
    if (r < 0) {
        goto close_host;
    }
    *ret_be = nest;
    return 0;

close_host:
    *ret_late = nest->host->close(nest->host_be) == -EINPROGRESS;
close_inner:
    (void)nest->inner->close(nest->inner_be);
free_nest:
    weft__free(nest);
    return r;
}

/* Whoever adopted a loop is told later, by core->closed(), what -EINPROGRESS left; the inner poller
 * and this object are not needed for that. */
static int nest_close(void *be)
{
    struct nest *nest = be;
    int r;

    (void)nest->host->guest(nest->host_be, -1);
    r = nest->host->close(nest->host_be);
    (void)nest->inner->close(nest->inner_be);
    weft__free(nest);
    return r;
}

static int nest_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    const struct nest *nest = be;

    return nest->inner->watch(nest->inner_be, watch, fd, events, token);
}

static int nest_rewatch(void *be, void *watch, uint32_t events)
{
    const struct nest *nest = be;

    return nest->inner->rewatch(nest->inner_be, watch, events);
}

static int nest_unwatch(void *be, void *watch)
{
    const struct nest *nest = be;

    return nest->inner->unwatch(nest->inner_be, watch);
}

int weft__nest_look(void *be, weft_backend_event *ret_events, int max)
{
    const struct nest *nest = be;

    return nest->inner->wait(nest->inner_be, INT64_MIN, ret_events, max);
}

int weft__nest_run(void *be, int64_t deadline)
{
    const struct nest *nest = be;

    return nest->host->run(nest->host_be, deadline);
}

static int nest_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    int r = weft__nest_run(be, deadline);

    return r < 0 ? r : weft__nest_look(be, ret_events, max);
}

static int nest_wake(void *be)
{
    const struct nest *nest = be;

    return nest->inner->wake(nest->inner_be); /* which makes the guest descriptor readable */
}

static int nest_fork_child(void *be)
{
    struct nest *nest = be;
    int r = nest->host->fork_child ? nest->host->fork_child(nest->host_be) : -EOPNOTSUPP;

    r = r < 0 ? r : nest->inner->fork_child(nest->inner_be);
    return r < 0 ? r : nest->host->guest(nest->host_be, nest->inner->nest_fd(nest->inner_be));
}

static int nest_arm(void *be, int64_t deadline)
{
    const struct nest *nest = be;

    return nest->host->arm(nest->host_be, deadline);
}

static int nest_hold(void *be, int on)
{
    const struct nest *nest = be;

    return nest->host->hold ? nest->host->hold(nest->host_be, on) : 0;
}

static void *nest_native(void *be)
{
    const struct nest *nest = be;

    return nest->host->native ? nest->host->native(nest->host_be) : NULL;
}

static int nest_others(void *be)
{
    const struct nest *nest = be;

    return nest->host->others ? nest->host->others(nest->host_be) : 1;
}

const weft_backend_ops weft__nest_ops = {
    .size = sizeof(weft_backend_ops),
    .watch_size = WATCH_SIZE,
    .open = NULL, /* weft__nest_open() */
    .close = nest_close,
    .watch = nest_watch,
    .rewatch = nest_rewatch,
    .unwatch = nest_unwatch,
    .wait = nest_wait,
    .wake = nest_wake,
    .fork_child = nest_fork_child,
    .arm = nest_arm,
    .hold = nest_hold,
    .native = nest_native,
    .others = nest_others,
};
