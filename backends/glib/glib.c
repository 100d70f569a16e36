/* SPDX-License-Identifier: MIT
 * GLib: a main context of our own, or the one of the program.
 *
 * One GSource has all our descriptors: in direct mode each that is watched, in guest mode the
 * core's poller.
 *
 * What GLib makes us do:
 *   - It keeps milliseconds (until 2.81).  In a context of our own we replace its poll function by
 *     one that knows run()'s deadline; in the program's a timerfd has that of arm().  It is set
 *     only for a deadline before the one it has; otherwise it fires once for nothing, which is
 *     cheaper.
 *   - g_main_context_wakeup() takes a lock, which a signal handler must not, so wake() has an
 *     eventfd.
 *   - It ends the program when no descriptor is left for a new context, so one is taken and given
 *     back just before.
 *   - It writes to a context's eventfd when a descriptor is removed.  A forked child shares that
 *     with its parent, so it gets another before the context is taken apart.
 *   - What a task begins with GIO completes in the context that is the thread's default, so ours is
 *     that from the first run() to close(). */
#include "host.h"

#include "fine.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

typedef struct glib_source {
    GSource base;
    glib_host *host;
} glib_source;

/* GLib's own way of being called in time, for what is due, and for those who iterate a context of
 * ours in a task. */
static void arm_coarsely(glib_host *host, int64_t deadline)
{
    int64_t microseconds = deadline > 0 ? (deadline - 1) / 1000 + 1 : 0;
    if (deadline == WEFT_BACKEND_NEVER) {
        microseconds = -1;
    }
    if (microseconds != host->ready_time) {
        host->ready_time = microseconds;
        g_source_set_ready_time(host->source, microseconds);
    }
}

/* Sets the timerfd, unless it will fire before that anyway. */
static int set_timer(glib_host *host, int64_t deadline)
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
    glib_host *host = be;
    bool coarse = !host->adopted || deadline <= 0; /* the clock is past that */
    if (host->context == NULL) {
        return -EBADF;
    }
    int r = coarse ? 0 : set_timer(host, deadline);
    if (r == 0) {
        host->wanted = coarse ? WEFT_BACKEND_NEVER : deadline;
        arm_coarsely(host, coarse ? deadline : WEFT_BACKEND_NEVER);
    }
    return r;
}

static void drain_timer(glib_host *host)
{
    if (host->spent) {
        fine_spend(host->timer.fd);
        host->spent = false;
    }
}

/* The timerfd has fired: whether it is for the deadline that is wanted now.  It stays readable
 * until it is set anew, which is likely to come next and costs no more than to read it. */
static bool timer_is_due(glib_host *host)
{
    if (host->spent) {
        drain_timer(host);
        return false;
    }
    bool due = host->wanted <= host->armed;
    host->armed = WEFT_BACKEND_NEVER;
    host->spent = true;
    if (!due && set_timer(host, host->wanted) == 0) {
        return false;
    }
    host->wanted = WEFT_BACKEND_NEVER;
    return true;
}

static uint32_t from_poll(unsigned events)
{
    return (events & POLLIN ? WEFT_READABLE : 0u) | (events & POLLOUT ? WEFT_WRITABLE : 0u) |
           (events & POLLPRI ? WEFT_PRIORITY : 0u) |
           (events & (POLLERR | POLLNVAL) ? WEFT_ERROR : 0u) |
           (events & POLLHUP ? WEFT_HANGUP : 0u) | (events & POLLRDHUP ? WEFT_READ_CLOSED : 0u);
}

static gushort to_poll(uint32_t events)
{
    return (gushort)((events & WEFT_READABLE ? POLLIN | POLLRDHUP : 0) |
                     (events & WEFT_WRITABLE ? POLLOUT : 0) |
                     (events & WEFT_PRIORITY ? POLLPRI : 0));
}

/* Takes what GLib has found; whether the core has to look round for it. */
static bool harvest(glib_host *host)
{
    bool any = host->guest.revents != 0 || host->wake.revents != 0;
    if (host->wake.revents != 0) {
        fine_spend(host->wake.fd); /* an eventfd is read like a timerfd */
    }
    if (host->timer.revents != 0) {
        any |= timer_is_due(host);
    }
    host->guest.revents = host->wake.revents = host->timer.revents = 0;
    host->next = host->watches;
    while (host->next != NULL) {
        glib_watch *watch = host->next;
        host->next = watch->next;
        if (watch->poll.revents != 0) {
            const weft_backend_event event = {
                .token = watch->token,
                .ready = from_poll(watch->poll.revents),
                .error = watch->poll.revents & POLLNVAL ? -EBADF : 0, /* closed while watched */
            };
            watch->poll.revents = 0;
            host->core->ready(host->owner, &event);
            any = true;
        }
    }
    return any;
}

/* In run() the core looks round behind it, so the dispatch is left out. */
static gboolean source_check(GSource *source)
{
    glib_host *host = ((glib_source *)source)->host;
    if (weft_glib_running == host) {
        host->asked |= harvest(host);
        return FALSE;
    }
    if (host->guest.revents != 0 || host->wake.revents != 0 || host->timer.revents != 0) {
        return TRUE;
    }
    for (const glib_watch *watch = host->watches; watch != NULL; watch = watch->next) {
        if (watch->poll.revents != 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Whether a task iterates the context, in a turn that has not ended. */
static bool is_inner(const glib_host *host)
{
    return host->adopted ? host->depth > 0 : weft_glib_running != host;
}

/* What such a task made ready before shall wait for no event, so there each iteration that may
 * block comes behind one that does not and calls pump(). */
static gboolean source_prepare(GSource *source, gint *ret_milliseconds)
{
    glib_host *host = ((glib_source *)source)->host;
    *ret_milliseconds = -1;
    if (!is_inner(host)) {
        return FALSE;
    }
    host->looked = !host->looked;
    return host->looked;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    glib_host *host = ((glib_source *)source)->host;
    bool looks = is_inner(host) && host->looked;
    bool due = host->ready_time >= 0 && host->ready_time <= g_source_get_time(source);
    (void)callback, (void)data;
    if (due) {
        arm_coarsely(host, WEFT_BACKEND_NEVER);
    }
    if (harvest(host) || due || looks) {
        host->looked = false;
        host->depth++;
        host->core->pump(host->owner);
        host->depth--;
        host->looked = looks;
    }
    drain_timer(host);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = source_prepare,
                                     .check = source_check,
                                     .dispatch = source_dispatch };

static int host_watch(void *be, void *memory, int fd, uint32_t events, uint64_t token)
{
    glib_host *host = be;
    glib_watch *watch = memory;
    int r = events & ~(uint32_t)ASKABLE ? -EINVAL : host->core->fault();
    if (r == 0 && fcntl(fd, F_GETFD) < 0) {
        r = -errno;
    }
    if (r < 0) {
        return r;
    }
    *watch = (glib_watch){
        .poll = { .fd = fd, .events = to_poll(events) },
        .token = token,
        .next = host->watches,
    };
    if (watch->next != NULL) {
        watch->next->previous = watch;
    }
    host->watches = watch;
    g_source_add_poll(host->source, &watch->poll);
    return 0;
}

static int host_rewatch(void *be, void *memory, uint32_t events)
{
    (void)be;
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    ((glib_watch *)memory)->poll.events = to_poll(events); /* GLib reads it before each poll */
    return 0;
}

static int host_unwatch(void *be, void *memory)
{
    glib_host *host = be;
    glib_watch *watch = memory;
    g_source_remove_poll(host->source, &watch->poll);
    *(watch->previous != NULL ? &watch->previous->next : &host->watches) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    if (host->next == watch) { /* from within ready() */
        host->next = watch->next;
    }
    return 0;
}

static int host_run(void *be, int64_t deadline)
{
    glib_host *host = be, *outer = weft_glib_running;
    if (host->context == NULL) {
        return -EBADF;
    }
    weft_glib_push(host->context);
    host->deadline = deadline;
    host->looked = false;
    weft_glib_running = host;
    host->asked = false;
    g_main_context_iteration(host->context, deadline > 0); /* the clock is past 0 */
    if (host->asked) {
        host->core->pump(host->owner);
    }
    weft_glib_running = outer;
    return 0;
}

static int host_wake(void *be)
{
    int saved = errno;
    ssize_t n = write(((glib_host *)be)->wake.fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    int r = n < 0 && errno != EAGAIN ? -errno : 0;
    errno = saved;
    return r;
}

static int host_guest(void *be, int fd)
{
    glib_host *host = be;
    if (host->guest.fd >= 0 && host->source != NULL) {
        g_source_remove_poll(host->source, &host->guest);
    }
    host->guest = (GPollFD){ .fd = fd, .events = POLLIN };
    if (fd >= 0) {
        g_source_add_poll(host->source, &host->guest);
    }
    return 0;
}

static void *host_native(void *be)
{
    return ((glib_host *)be)->context;
}

/* Our own descriptors, and GLib's. */
static int count_own(const glib_host *host)
{
    int count = 1 + (host->wake.fd >= 0) + (host->guest.fd >= 0);
    for (const glib_watch *watch = host->watches; watch != NULL; watch = watch->next) {
        count++;
    }
    return count;
}

/* What GLib would wait for now: a descriptor or a time that is not ours is somebody else's. */
static int host_others(void *be)
{
    glib_host *host = be, *outer = weft_glib_running;
    gint priority, milliseconds = -1, count = 0;
    if (host->context == NULL || !g_main_context_acquire(host->context)) {
        return 1;
    }
    weft_glib_running = host; /* our source shall say what it says in run() */
    bool ready = g_main_context_prepare(host->context, &priority);
    if (!ready) {
        count = g_main_context_query(host->context, G_MAXINT, &milliseconds, NULL, 0);
    }
    weft_glib_running = outer;
    g_main_context_release(host->context);
    return ready || milliseconds >= 0 || count > count_own(host);
}

static int open_timer(glib_host *host)
{
    int r = fine_open(host->core);
    host->timer.fd = r < 0 ? -1 : r;
    return r < 0 ? r : 0;
}

/* Takes everything apart, half-made too. */
static void end(glib_host *host)
{
    if (host->context != NULL && !host->adopted) {
        weft_glib_leave_context(host);
    }
    if (host->source != NULL) {
        g_source_destroy(host->source);
        g_source_unref(host->source);
    }
    if (host->context != NULL) {
        g_main_context_unref(host->context);
    }
    if (host->wake.fd >= 0) {
        close(host->wake.fd);
    }
    if (host->timer.fd >= 0) {
        close(host->timer.fd);
    }
    host->context = NULL;
    host->source = NULL;
    host->watches = host->next = NULL;
    host->wake.fd = host->timer.fd = host->guest.fd = -1;
}

static void add_source(glib_host *host)
{
    host->source = g_source_new(&source_funcs, sizeof(glib_source));
    ((glib_source *)host->source)->host = host;
    g_source_set_name(host->source, "weft");
    g_source_set_priority(host->source, host->priority);
    g_source_set_can_recurse(host->source, TRUE); /* a modal dialog in a task */
    if (host->direct) {
        g_source_add_poll(host->source, &host->wake);
    }
    if (host->adopted) {
        g_source_add_poll(host->source, &host->timer);
    }
    g_source_attach(host->source, host->context);
}

static int begin(glib_host *host, GMainContext *adopt)
{
    host->process = getpid();
    host->armed = host->wanted = WEFT_BACKEND_NEVER;
    host->ready_time = -1;
    host->spent = host->looked = false;
    host->depth = 0;
    host->guest = host->wake = host->timer = (GPollFD){ .fd = -1, .events = POLLIN };
    int r = adopt != NULL ? weft_glib_adopt_context(host, adopt) : weft_glib_new_context(host);
    r = r < 0 || !host->direct ? r : weft_glib_open_eventfd(host, &host->wake.fd);
    r = r < 0 || !host->adopted ? r : open_timer(host);
    if (r < 0) {
        end(host);
        return r;
    }
    add_source(host);
    return 0;
}

/* "priority=-100": more urgent than what GTK draws; 0 is GLib's default, 200 idle. */
static int parse_options(const char *options, int *ret_priority)
{
    static const char name[] = "priority=";
    char *end_of_number;
    if (*options == '\0') {
        return 0;
    }
    if (strncmp(options, name, strlen(name)) != 0) {
        return -EINVAL;
    }
    errno = 0;
    long number = strtol(options + strlen(name), &end_of_number, 10);
    if (errno != 0 || *end_of_number != '\0' || end_of_number == options + strlen(name) ||
        number < -10000 || number > 10000) {
        return -EINVAL;
    }
    *ret_priority = (int)number;
    return 0;
}

static int host_open(const weft_backend_core *core, const weft_backend_request *request,
                     void **ret_be)
{
    int priority = G_PRIORITY_DEFAULT;
    if (parse_options(request->options, &priority) < 0) {
        core->detail("glib takes the options direct, guest and priority=NUMBER, not '%s'",
                     request->options);
        return -EINVAL;
    }
    glib_host *host = core->alloc(NULL, sizeof(*host));
    if (host == NULL) {
        return -ENOMEM;
    }
    *host = (glib_host){
        .core = core,
        .owner = request->loop,
        .priority = priority,
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
    glib_host *host = be;
    end(host);
    host->core->alloc(host, 0);
    return 0;
}

static int host_fork_child(void *be)
{
    glib_host *host = be;
    if (host->adopted) {
        return -EOPNOTSUPP;
    }
    end(host);
    return begin(host, NULL);
}

static int host_probe(char *why, size_t size)
{
    const char *wrong = glib_check_version(GLIB_MAJOR_VERSION, GLIB_MINOR_VERSION, 0);
    if (wrong == NULL) {
        return 0;
    }
    snprintf(why, size, "%s: %u.%u is here, and %d.%d is needed", wrong, glib_major_version,
             glib_minor_version, GLIB_MAJOR_VERSION, GLIB_MINOR_VERSION);
    return -ENOSYS;
}

static char library[40];

static void write_library(void)
{
    snprintf(library, sizeof(library), "GLib %u.%u.%u", glib_major_version, glib_minor_version,
             glib_micro_version);
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
            WEFT_BACKEND_GUEST | WEFT_BACKEND_GUEST_FIRST | WEFT_BACKEND_ADOPT |
            WEFT_BACKEND_REENTERS,
    .watch_size = sizeof(glib_watch),
    .open = host_open,
    .close = host_close,
    .watch = host_watch,
    .rewatch = host_rewatch,
    .unwatch = host_unwatch,
    .wake = host_wake,
    .fork_child = host_fork_child,
    .run = host_run,
    .arm = host_arm,
    .guest = host_guest,
    .native = host_native,
    .others = host_others,
};

WEFT_BACKEND(glib)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .core_size = offsetof(weft_backend_core, closed),
    .name = "glib",
    .summary = "GLib's main context: for programs with GTK or GIO",
    .needs = "GLib >= 2.36",
    .ops = &host_ops,
    .probe = host_probe,
    .version = "1.0",
    .library = host_library,
};
