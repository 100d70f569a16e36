/* SPDX-License-Identifier: MIT
 * libev: a loop of our own on it, or the one of the program.
 *
 * Direct mode: one ev_io for each descriptor.  Guest mode: one for the core's poller.
 *
 * What libev makes us do:
 *   - It keeps milliseconds, so deadlines are a timerfd's.  That is set only for a deadline before
 *     the one it has; otherwise it fires once for nothing, which is cheaper.
 *   - It tells the kernel of a descriptor when it iterates, and ends the program with an assertion
 *     if that is closed by then; so new watches are looked at once more before that.
 *   - It has no word for hang-up alone or for out-of-band data.  An epoll of our own, which it
 *     watches, has those watches and the eventfd of wake().
 *   - A loop ends when nothing keeps it alive.  In a loop that was adopted our watchers do not
 *     count, unless hold() says so. */
#include "host.h"

#include "fine.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* Calls pump() in the next iteration: a timer of no length. */
static void set_soon(ev_host *host, bool on)
{
    if (on && !ev_is_active(&host->soon)) {
        ev_timer_start(host->loop, &host->soon);
        if (host->adopted) {
            ev_unref(host->loop);
        }
    } else if (!on) {
        if (host->adopted && (ev_is_active(&host->soon) || ev_is_pending(&host->soon))) {
            ev_ref(host->loop);
        }
        ev_timer_stop(host->loop, &host->soon);
    }
}

void weft_ev_ask_for_turn(ev_host *host)
{
    if (host->running) {
        host->asked = true;
    } else {
        ev_feed_event(host->loop, &host->turn, EV_CUSTOM);
    }
}

/* Sets the timerfd, unless it will fire before that anyway. */
static int set_timer(ev_host *host, int64_t deadline)
{
    if (deadline >= host->armed) {
        return 0;
    }
    int r = host->core->fault();
    r = r < 0 ? r : fine_arm(host->timer.fd, deadline);
    if (r == 0) {
        host->armed = deadline;
        host->spent = false; /* and it is not readable any more */
    }
    return r;
}

static int host_arm(void *be, int64_t deadline)
{
    ev_host *host = be;
    if (host->loop == NULL) {
        return -EBADF;
    }
    bool past = deadline <= 0; /* the clock is past that */
    int r = past ? 0 : set_timer(host, deadline);
    if (r == 0) {
        host->wanted = past ? WEFT_BACKEND_NEVER : deadline;
        set_soon(host, past);
    }
    return r;
}

static void drain_timer(ev_host *host)
{
    if (host->spent) {
        fine_spend(host->timer.fd);
        host->spent = false;
    }
}

/* It stays readable until it is set anew, which is likely to come next and costs no more than to
 * read it. */
static void on_timer(struct ev_loop *loop, ev_io *io, int revents)
{
    ev_host *host = io->data;
    (void)loop, (void)revents;
    if (host->spent) {
        drain_timer(host);
        return;
    }
    bool due = host->wanted <= host->armed;
    host->armed = WEFT_BACKEND_NEVER;
    host->spent = true;
    if (due || set_timer(host, host->wanted) < 0) {
        host->wanted = WEFT_BACKEND_NEVER;
        weft_ev_ask_for_turn(host);
    }
}

static void on_soon(struct ev_loop *loop, ev_timer *timer, int revents)
{
    ev_host *host = timer->data;
    (void)revents;
    if (host->adopted) { /* it has stopped by itself, and is off the count as well */
        ev_ref(loop);
    }
    weft_ev_ask_for_turn(host);
}

static void have_turn(ev_host *host)
{
    host->depth++;
    host->core->pump(host->owner);
    host->depth--;
    drain_timer(host);
}

static void on_turn(struct ev_loop *loop, ev_watcher *watcher, int revents)
{
    (void)loop, (void)revents;
    have_turn(watcher->data);
}

static void on_guest(struct ev_loop *loop, ev_io *io, int revents)
{
    (void)loop, (void)revents;
    weft_ev_ask_for_turn(io->data);
}

/* Where a task iterates the loop, in a turn that has not ended, what it made ready before shall
 * wait for no event. */
static void before_each(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    ev_host *host = prepare->data;
    (void)loop, (void)revents;
    if (host->adopted ? host->depth > 0 : !host->running) {
        have_turn(host);
    }
    weft_ev_check_fresh(host);
}

static void watch_iterations(ev_host *host)
{
    if (!ev_is_active(&host->before)) {
        ev_prepare_start(host->loop, &host->before);
        ev_unref(host->loop);
    }
}

static int host_run(void *be, int64_t deadline)
{
    ev_host *host = be;
    if (host->loop == NULL) {
        return -EBADF;
    }
    int r = deadline > 0 ? set_timer(host, deadline) : 0; /* the clock is past 0 */
    if (r < 0) {
        return r;
    }
    host->running = true;
    host->asked = false;
    weft_ev_check_fresh(host);
    ev_run(host->loop, deadline > 0 ? EVRUN_ONCE : EVRUN_NOWAIT); /* which cannot fail */
    if (host->asked) {
        host->core->pump(host->owner);
    }
    host->running = false;
    return 0;
}

static int host_wake(void *be)
{
    int saved = errno;
    ssize_t n = write(((ev_host *)be)->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    int r = n < 0 && errno != EAGAIN ? -errno : 0;
    errno = saved;
    return r;
}

static int host_guest(void *be, int fd)
{
    ev_host *host = be;
    weft_ev_stop(host, &host->guest);
    if (fd >= 0) {
        ev_io_set(&host->guest, fd, EV_READ);
        weft_ev_start(host, &host->guest);
    }
    return 0;
}

static int host_hold(void *be, int on)
{
    ev_host *host = be;
    if (host->held != (on != 0)) {
        host->held = on != 0;
        (on ? ev_ref : ev_unref)(host->loop);
    }
    return 0;
}

/* Whoever has the loop may iterate it in a task. */
static void *host_native(void *be)
{
    ev_host *host = be;
    if (host->loop != NULL) {
        watch_iterations(host);
        host->known = true;
    }
    return host->loop;
}

/* libev does not show what is in a loop; but whoever has something in ours has asked for it. */
static int host_others(void *be)
{
    return ((const ev_host *)be)->known;
}

static int new_loop(ev_host *host)
{
    const unsigned flags = EVFLAG_NOENV | EVFLAG_NOSIGMASK;
    int r = host->core->fault();
    if (r < 0) {
        return r;
    }
    /* Left to itself, libev falls back to poll(2) when it is out of descriptors. */
    errno = 0;
    host->loop = ev_loop_new(flags | EVBACKEND_EPOLL);
    if (host->loop == NULL && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
        return -errno;
    }
    if (host->loop == NULL) {
        host->loop = ev_loop_new(flags | EVFLAG_AUTO);
    }
    return host->loop == NULL ? -ENOSYS : 0;
}

static int open_timer(ev_host *host)
{
    int r = fine_open(host->core);
    host->timer.fd = r < 0 ? -1 : r;
    return r < 0 ? r : 0;
}

/* Takes everything apart, half-made too. */
static void end(ev_host *host)
{
    const int fds[] = { host->timer.fd, host->odd.fd, host->wake_fd };
    if (host->loop != NULL && !host->adopted) {
        ev_loop_destroy(host->loop);
    }
    host->loop = NULL;
    host->watches = host->next = NULL;
    host->timer.fd = host->odd.fd = host->wake_fd = -1;
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static int begin(ev_host *host, struct ev_loop *adopt)
{
    host->armed = host->wanted = WEFT_BACKEND_NEVER;
    host->spent = host->known = false;
    host->loop = adopt;
    host->wake_fd = -1;
    ev_io_init(&host->timer, on_timer, -1, EV_READ);
    ev_io_init(&host->odd, weft_ev_on_odd, -1, EV_READ);
    ev_io_init(&host->guest, on_guest, -1, EV_READ);
    ev_timer_init(&host->soon, on_soon, 0., 0.);
    ev_prepare_init(&host->before, before_each);
    ev_init(&host->turn, on_turn);
    ev_set_priority(&host->turn, EV_MINPRI);
    host->timer.data = host->odd.data = host->guest.data = host;
    host->soon.data = host->before.data = host->turn.data = host;
    int r = adopt == NULL ? new_loop(host) : 0;
    r = r < 0 ? r : open_timer(host);
    r = r < 0 || !host->direct ? r : weft_ev_open_odd(host);
    if (r < 0) {
        end(host);
        return r;
    }
    if (host->adopted) {
        watch_iterations(host);
    }
    weft_ev_start(host, &host->timer);
    if (host->direct) {
        weft_ev_start(host, &host->odd);
    }
    return 0;
}

static int host_probe(char *why, size_t size)
{
    if (ev_version_major() == EV_VERSION_MAJOR && ev_version_minor() >= EV_VERSION_MINOR) {
        return 0;
    }
    snprintf(why, size, "libev is %d.%d here, and %d.%d is needed", ev_version_major(),
             ev_version_minor(), EV_VERSION_MAJOR, EV_VERSION_MINOR);
    return -ENOSYS;
}

static int host_open(const weft_backend_core *core, const weft_backend_request *request,
                     void **ret_be)
{
    char why[100];
    if (*request->options != '\0') {
        core->detail("ev takes no options but direct and guest, not '%s'", request->options);
        return -EINVAL;
    }
    if (host_probe(why, sizeof(why)) < 0) {
        core->detail("%s", why);
        return -ENOSYS;
    }
    ev_host *host = core->alloc(NULL, sizeof(*host));
    if (host == NULL) {
        return -ENOMEM;
    }
    *host = (ev_host){
        .core = core,
        .owner = request->loop,
        .adopted = request->adopt != NULL,
        .direct = request->mode == WEFT_BACKEND_MODE_DIRECT,
    };
    int r = begin(host, request->adopt);
    if (r < 0) {
        core->alloc(host, 0);
        return r;
    }
    *ret_be = host;
    return 0;
}

static int host_close(void *be)
{
    ev_host *host = be;
    if (host->loop != NULL && host->adopted) {
        while (host->watches != NULL) {
            weft_ev_unwatch(host, host->watches);
        }
        (void)host_guest(host, -1);
        weft_ev_stop(host, &host->timer);
        weft_ev_stop(host, &host->odd);
        set_soon(host, false);
        ev_ref(host->loop);
        ev_prepare_stop(host->loop, &host->before);
        ev_clear_pending(host->loop, &host->turn);
        (void)host_hold(host, 0);
    }
    end(host);
    host->core->alloc(host, 0);
    return 0;
}

/* A new loop rather than ev_loop_fork(), which can only end the program when it fails. */
static int host_fork_child(void *be)
{
    ev_host *host = be;
    if (host->adopted) {
        return -EOPNOTSUPP;
    }
    end(host);
    return begin(host, NULL);
}

static char library[32];

static void write_library(void)
{
    snprintf(library, sizeof(library), "libev %d.%d", ev_version_major(), ev_version_minor());
}

static const char *host_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_library);
    return library;
}

static const weft_backend_ops host_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_NANOSECONDS | WEFT_BACKEND_ANY_FD | WEFT_BACKEND_DIRECT |
            WEFT_BACKEND_GUEST | WEFT_BACKEND_ADOPT | WEFT_BACKEND_REENTERS | WEFT_BACKEND_REAPS,
    .watch_size = sizeof(ev_watch),
    .open = host_open,
    .close = host_close,
    .watch = weft_ev_watch,
    .rewatch = weft_ev_rewatch,
    .unwatch = weft_ev_unwatch,
    .wake = host_wake,
    .fork_child = host_fork_child,
    .run = host_run,
    .arm = host_arm,
    .guest = host_guest,
    .hold = host_hold,
    .native = host_native,
    .others = host_others,
};

WEFT_BACKEND(ev)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .core_size = offsetof(weft_backend_core, closed),
    .name = "ev",
    .summary = "libev: for programs that have a libev loop, or use a library that wants one",
    .needs = "libev 4",
    .ops = &host_ops,
    .probe = host_probe,
    .version = "1.0",
    .library = host_library,
};
