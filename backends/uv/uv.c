/* SPDX-License-Identifier: MIT
 * libuv: a host, in both modes, of our own or the program's.
 *
 * Only `wake` counts for uv_run(); it alone decides whether the loop is kept alive.
 *
 *     timer   deadlines, in libuv's milliseconds
 *     fine    deadlines that are nearer than that (backends/fine.h)
 *     soon    deadlines that have passed: idle, so that the loop does not block
 *     wake    other threads; and what keeps a loop of our own blocking
 *     before  descriptors that were closed while watched: libuv aborts when it cannot add one
 *     after   direct mode: one pump for all the events of an iteration
 *     guest   the core's poller, in guest mode */
#include "uv.h"

#include "fine.h"

#include <stdio.h>
#include <unistd.h>

void weft_uv_pump(uv_host *host)
{
    host->happened = false;
    if (host->adopted && !host->closing) {
        host->core->pump(host->loop);
    }
}

/* libuv has freed a handle.  After the last one an adopted loop is as it was found. */
void weft_uv_let_go(uv_host *host)
{
    if (--host->open == 0 && host->closing && host->adopted) {
        const weft_backend_core *core = host->core;
        void *loop = host->loop;
        core->alloc(host, 0);
        core->closed(loop);
    }
}

static void on_part_closed(uv_handle_t *handle)
{
    weft_uv_let_go(handle->data);
}

/* A part of the host; it does not keep the loop alive. */
static void begin_part(uv_host *host, void *handle)
{
    ((uv_handle_t *)handle)->data = host;
    uv_unref(handle);
    host->open++;
}

/* ---- what has come ---- */

static void on_fine(uv_poll_t *handle, int status, int events)
{
    uv_host *host = ((polled *)handle)->host;
    (void)status, (void)events;
    fine_spend(host->fine_fd);
    host->fine_armed = WEFT_BACKEND_NEVER;
    weft_uv_pump(host);
}

static void on_after(uv_check_t *handle)
{
    uv_host *host = handle->data;
    if (host->happened) {
        weft_uv_pump(host);
    }
}

static void on_soon(uv_idle_t *handle)
{
    uv_idle_stop(handle);
    weft_uv_pump(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    uv_host *host = handle->data;
    host->timer_at = WEFT_BACKEND_NEVER;
    weft_uv_pump(host);
}

static void on_wake(uv_async_t *handle)
{
    weft_uv_pump(handle->data);
}

/* ---- deadlines ---- */

static void set_timer(uv_host *host, int64_t milliseconds)
{
    if (milliseconds == host->timer_at) {
        return;
    }
    host->timer_at = milliseconds;
    if (milliseconds == WEFT_BACKEND_NEVER) {
        uv_timer_stop(&host->timer);
        return;
    }
    /* Counted from libuv's own idea of now, however old that is. */
    int64_t left = milliseconds - (int64_t)uv_now(host->uv);
    uv_timer_start(&host->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

/* Has the loop stop blocking at `deadline`; false: that has passed. */
static bool set_deadline(uv_host *host, int64_t deadline)
{
    if (deadline == WEFT_BACKEND_NEVER) {
        set_timer(host, WEFT_BACKEND_NEVER);
        return true;
    }
    int64_t now = deadline == INT64_MIN ? 0 : host->core->now();
    if (deadline <= now) {
        return false;
    }
    if (host->fine != NULL && fine_needed(deadline, now)) {
        /* One that is armed for later is armed again; one for earlier comes for nothing, once. */
        if (host->fine_armed <= deadline || fine_arm(host->fine_fd, deadline) == 0) {
            host->fine_armed = host->fine_armed < deadline ? host->fine_armed : deadline;
            set_timer(host, WEFT_BACKEND_NEVER);
            return true;
        }
    }
    set_timer(host, deadline / 1000000 + (deadline % 1000000 != 0));
    return true;
}

static int host_arm(void *be, int64_t deadline)
{
    uv_host *host = be;
    if (set_deadline(host, deadline)) {
        uv_idle_stop(&host->soon);
    } else {
        uv_idle_start(&host->soon, on_soon);
    }
    return 0;
}

static int host_run(void *be, int64_t deadline)
{
    uv_host *host = be;
    (void)uv_run(host->uv, set_deadline(host, deadline) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    return 0;
}

static int host_wake(void *be)
{
    int saved = errno;
    int r = uv_async_send(&((uv_host *)be)->wake);
    errno = saved;
    return r;
}

/* ---- open and close ---- */

static int open_fine(uv_host *host)
{
    host->fine_armed = WEFT_BACKEND_NEVER;
    host->fine = NULL;
    host->fine_fd = fine_open(host->core);
    if (host->fine_fd < 0) {
        return host->fine_fd == -EOPNOTSUPP ? 0 : host->fine_fd;
    }
    int r = weft_uv_poll(host, host->fine_fd, UINT64_MAX, &host->fine);
    if (r < 0) {
        fine_close(host->fine_fd);
        return r;
    }
    return weft_uv_start(host->fine, WEFT_READABLE, on_fine);
}

/* What may fail comes first: then nothing is left in the loop that only its next iteration could
 * free. */
static int open_parts(uv_host *host)
{
    int r = open_fine(host);
    if (r < 0) {
        return r;
    }
    uv_async_init(host->uv, &host->wake, on_wake); /* fails only in a loop that has no other */
    begin_part(host, &host->wake);
    uv_timer_init(host->uv, &host->timer);
    begin_part(host, &host->timer);
    uv_idle_init(host->uv, &host->soon);
    begin_part(host, &host->soon);
    uv_prepare_init(host->uv, &host->before);
    begin_part(host, &host->before);
    uv_prepare_start(&host->before, weft_uv_before);
    uv_check_init(host->uv, &host->after);
    begin_part(host, &host->after);
    if (host->adopted) {
        uv_check_start(&host->after, on_after);
    } else {
        uv_ref((uv_handle_t *)&host->wake);
    }
    return 0;
}

static int open_loop(uv_host *host, void *adopt)
{
    host->uv = adopt;
    host->adopted = adopt != NULL;
    if (adopt != NULL) {
        return 0;
    }
    int r = host->core->fault();
    host->uv = &host->own;
    return r < 0 ? r : uv_loop_init(host->uv);
}

static int host_open(const weft_backend_core *core, const weft_backend_request *request,
                     void **ret_be)
{
    if (*request->options != '\0') {
        core->detail("uv takes no options but direct and guest, not '%s'", request->options);
        return -EINVAL;
    }
    uv_host *host = core->alloc(NULL, sizeof(*host));
    if (host == NULL) {
        return -ENOMEM;
    }
    *host = (uv_host){ .core = core, .loop = request->loop, .timer_at = WEFT_BACKEND_NEVER };
    host->pid = getpid();
    int r = open_loop(host, request->adopt);
    if (r < 0) {
        goto free_host;
    }
    r = open_parts(host);
    if (r < 0) {
        goto close_loop;
    }
    *ret_be = host;
    return 0;

close_loop:
    if (!host->adopted) {
        uv_loop_close(host->uv);
    }
free_host:
    core->alloc(host, 0);
    return r;
}

static void end_left(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* What the program began on our loop and did not end is ended here. */
static int close_own(uv_host *host)
{
    while (host->open > 0) {
        (void)uv_run(host->uv, UV_RUN_NOWAIT);
    }
    while (uv_loop_close(host->uv) == UV_EBUSY) {
        uv_walk(host->uv, end_left, NULL);
        (void)uv_run(host->uv, UV_RUN_DEFAULT);
    }
    host->core->alloc(host, 0);
    return 0;
}

static int host_close(void *be)
{
    uv_host *host = be;
    if (!host->adopted && host->pid != getpid()) {
        (void)uv_loop_fork(host->uv); /* or closing a handle would unregister the parent's */
    }
    host->closing = true;
    while (host->watches != NULL) {
        weft_uv_end(host->watches);
    }
    uv_close((uv_handle_t *)&host->wake, on_part_closed);
    uv_close((uv_handle_t *)&host->timer, on_part_closed);
    uv_close((uv_handle_t *)&host->soon, on_part_closed);
    uv_close((uv_handle_t *)&host->before, on_part_closed);
    uv_close((uv_handle_t *)&host->after, on_part_closed);
    if (host->fine_fd >= 0) {
        fine_close(host->fine_fd);
    }
    return host->adopted ? -EINPROGRESS : close_own(host);
}

/* uv_loop_fork() makes a new epoll and looks at nothing of the parent's.  Its timerfd is one with
 * the parent's, so that goes. */
static int host_fork_child(void *be)
{
    uv_host *host = be;
    if (host->adopted) {
        return -EOPNOTSUPP;
    }
    int r = host->core->fault();
    r = r < 0 ? r : uv_loop_fork(host->uv);
    if (r < 0) {
        return r;
    }
    host->pid = getpid();
    while (host->watches != NULL) {
        weft_uv_end(host->watches);
    }
    host->guest = NULL;
    if (host->fine_fd >= 0) {
        fine_close(host->fine_fd);
    }
    return open_fine(host);
}

static int host_hold(void *be, int on)
{
    uv_host *host = be;
    if (on) {
        uv_ref((uv_handle_t *)&host->wake);
    } else {
        uv_unref((uv_handle_t *)&host->wake);
    }
    return 0;
}

static void *host_native(void *be)
{
    return ((uv_host *)be)->uv;
}

struct search {
    const uv_host *host;
    int found;
};

static int is_ours(const uv_host *host, const uv_handle_t *handle)
{
    const void *parts[] = { &host->timer, &host->soon, &host->wake, &host->before, &host->after };
    for (int i = 0; i < 5; i++) {
        if (handle == parts[i]) {
            return 1;
        }
    }
    for (const polled *p = host->watches; p != NULL; p = p->next) {
        if (handle == (const uv_handle_t *)&p->poll) {
            return 1;
        }
    }
    return 0;
}

static void look_at(uv_handle_t *handle, void *arg)
{
    struct search *search = arg;
    if (uv_is_closing(handle) || (uv_is_active(handle) && !is_ours(search->host, handle))) {
        search->found = 1;
    }
}

/* Requests have no handle, and keep the loop alive. */
static int host_others(void *be)
{
    uv_host *host = be;
    struct search search = { .host = host };
    uv_walk(host->uv, look_at, &search);
    uv_unref((uv_handle_t *)&host->wake);
    search.found |= uv_loop_alive(host->uv) != 0;
    uv_ref((uv_handle_t *)&host->wake);
    return search.found;
}

static int host_probe(char *why, size_t size)
{
    if (uv_version() < (1u << 16 | 38u << 8)) {
        snprintf(why, size, "this is libuv %s, and 1.38 is needed", uv_version_string());
        return -EOPNOTSUPP;
    }
    return 0;
}

static const char *host_library(void)
{
    static _Thread_local char words[48];
    snprintf(words, sizeof(words), "libuv %s", uv_version_string());
    return words;
}

static const weft_backend_ops host_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST | WEFT_BACKEND_GUEST_FIRST |
            WEFT_BACKEND_ADOPT,
    .watch_size = sizeof(uv_watch),
    .open = host_open,
    .close = host_close,
    .watch = weft_uv_watch,
    .rewatch = weft_uv_rewatch,
    .unwatch = weft_uv_unwatch,
    .wake = host_wake,
    .fork_child = host_fork_child,
    .run = host_run,
    .arm = host_arm,
    .guest = weft_uv_guest,
    .hold = host_hold,
    .native = host_native,
    .others = host_others,
};

WEFT_BACKEND(uv)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "uv",
    .summary = "libuv: its own loop, or a program's, shared with libraries that use libuv",
    .needs = "libuv >= 1.38",
    .ops = &host_ops,
    .probe = host_probe,
    .library = host_library,
};
