/* SPDX-License-Identifier: MIT
 * kqueue(2): the BSDs and macOS, one system call for any number of descriptors.
 *
 * Each descriptor has a filter for reading and one for writing, registered once; `udata` is the
 * watch itself, which holds the token, for a pointer may be shorter than a token.  The kernel
 * forgets a filter when its descriptor is closed, under whatever name else the file is still open.
 * Wakes are an EVFILT_USER; where there is none (OpenBSD, older NetBSD), a byte in a pipe. */
#include <weft/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
/* After it: NetBSD and OpenBSD take its types for granted. */
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define LONGEST 86400 /* seconds in one wait: macOS refuses what is much longer */

/* Out-of-band data: macOS, OpenBSD and DragonFly tell of it. */
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
#define HAS_PRIORITY 1
#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_EDGE | WEFT_PRIORITY)
#else
#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_EDGE)
#endif

typedef struct kqueue_poller {
    const weft_backend_core *core;
    int kqueue_fd;
    int pipe[2]; /* where there is no EVFILT_USER; both ends non-blocking */
    struct kevent events[BATCH];
} kqueue_poller;

typedef struct kqueue_watch {
    uint64_t token;
    int fd;
    uint32_t events; /* asked for now */
} kqueue_watch;

/* One registration is made or changed (EV_ADD), or removed (EV_DELETE). */
static int change(kqueue_poller *poller, uintptr_t ident, int filter, unsigned flags, void *udata)
{
    struct kevent change;
    unsigned note = 0;

#ifdef HAS_PRIORITY
    note = filter == EVFILT_EXCEPT ? NOTE_OOB : 0;
#endif
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    /* NetBSD's udata was an integer until version 10: the cast is to whatever it is. */
    EV_SET(&change, ident, filter, flags, note, 0, (__typeof__(change.udata))udata);
    return kevent(poller->kqueue_fd, &change, 1, NULL, 0, NULL) < 0 ? -errno : 0;
}

static int forget(kqueue_poller *poller, int fd, int filter)
{
    int r = change(poller, (uintptr_t)fd, filter, EV_DELETE, NULL);

    /* Never there, or gone with the descriptor, whose number another file may have now. */
    return r == -ENOENT || r == -EBADF ? 0 : r;
}

/* The filters and what asks for them.  Who asks for nothing gets the one for reading, too, for
 * errors and the end: what else it says is dropped. */
static const struct {
    int filter;
    uint32_t event;
} filters[] = {
    { EVFILT_READ, WEFT_READABLE },
    { EVFILT_WRITE, WEFT_WRITABLE },
#ifdef HAS_PRIORITY
    { EVFILT_EXCEPT, WEFT_PRIORITY },
#endif
};
#define FILTERS (sizeof(filters) / sizeof(filters[0]))

static uint32_t wanted(uint32_t events)
{
    return events & ~(uint32_t)WEFT_EDGE ? events : events | WEFT_READABLE;
}

/* Brings the filters from what `before` asked for to what `after` asks for. */
static int apply(kqueue_poller *poller, kqueue_watch *watch, uint32_t before, uint32_t after)
{
    /* Without EV_CLEAR a filter for the end alone would report data again and again. */
    unsigned edge = after & WEFT_EDGE || !(after & ~(uint32_t)WEFT_EDGE) ? EV_CLEAR : 0;
    uint32_t old = before == UINT32_MAX ? 0 : wanted(before), new = wanted(after);
    size_t i = 0;
    int r = 0;

    for (; r == 0 && i < FILTERS; i++) {
        /* To change the kind a filter must go first; to add one again has it look again. */
        bool same_kind = !((before ^ after) & WEFT_EDGE) && before && after;

        if (old & filters[i].event && (!(new & filters[i].event) || !same_kind)) {
            r = forget(poller, watch->fd, filters[i].filter);
        }
        if (r == 0 && new & filters[i].event) {
            r = change(poller, (uintptr_t)watch->fd, filters[i].filter, EV_ADD | edge, watch);
        }
    }
    return r;
}

static void close_descriptors(kqueue_poller *poller)
{
    for (int i = 0; i < 2; i++) {
        if (poller->pipe[i] >= 0) {
            close(poller->pipe[i]);
        }
        poller->pipe[i] = -1;
    }
    if (poller->kqueue_fd >= 0) {
        close(poller->kqueue_fd);
    }
    poller->kqueue_fd = -1;
}

/* What a wake comes through; its udata is NULL. */
static int open_wake(kqueue_poller *poller)
{
#ifdef EVFILT_USER
    return change(poller, 0, EVFILT_USER, EV_ADD | EV_CLEAR, NULL);
#else
    int r = poller->core->fault();
    if (r == 0) {
        r = pipe2(poller->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
    }
    return r < 0 ? r : change(poller, (uintptr_t)poller->pipe[0], EVFILT_READ, EV_ADD, NULL);
#endif
}

static int open_descriptors(kqueue_poller *poller)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    poller->kqueue_fd = kqueue();
    if (poller->kqueue_fd < 0) {
        return -errno;
    }
    (void)fcntl(poller->kqueue_fd, F_SETFD, FD_CLOEXEC);
    r = open_wake(poller);
    if (r < 0) {
        close_descriptors(poller);
    }
    return r;
}

static int poller_open(const weft_backend_core *core, const weft_backend_request *request,
                       void **ret_be)
{
    if (*request->options != '\0') {
        core->detail("kqueue takes no options, not '%s'", request->options);
        return -EINVAL;
    }
    kqueue_poller *poller = core->alloc(NULL, sizeof(*poller));
    if (poller == NULL) {
        return -ENOMEM;
    }
    poller->core = core;
    poller->kqueue_fd = poller->pipe[0] = poller->pipe[1] = -1;
    int r = open_descriptors(poller);
    if (r < 0) {
        core->alloc(poller, 0);
        return r;
    }
    *ret_be = poller;
    return 0;
}

static int poller_close(void *be)
{
    kqueue_poller *poller = be;
    close_descriptors(poller);
    poller->core->alloc(poller, 0);
    return 0;
}

/* Who waits to read asks for out-of-band data, too, which not every system tells of. */
static bool can_be_asked(uint32_t events)
{
    uint32_t beside = events & WEFT_READABLE ? WEFT_PRIORITY : 0u;

    return (events & ~((uint32_t)ASKABLE | beside)) == 0;
}

/* A filter on a file tells where the file ends, not that reading would wait. */
static bool is_always_ready(int fd)
{
    struct stat file;

    return fstat(fd, &file) == 0 && (S_ISREG(file.st_mode) || S_ISDIR(file.st_mode));
}

static int poller_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    kqueue_watch *watched = watch;

    if (!can_be_asked(events)) {
        return -EINVAL;
    }
    if (is_always_ready(fd)) {
        return -EPERM;
    }
    *watched = (kqueue_watch){ .token = token, .fd = fd, .events = events };
    int r = apply(be, watched, UINT32_MAX, events);
    if (r < 0) {
        for (size_t i = 0; i < FILTERS; i++) {
            (void)forget(be, fd, filters[i].filter);
        }
    }
    /* The other end of a pipe is closed: FreeBSD adds nothing, but a write will not wait. */
    return r == -EPIPE ? -EPERM : r;
}

static int poller_rewatch(void *be, void *watch, uint32_t events)
{
    kqueue_watch *watched = watch;

    if (!can_be_asked(events)) {
        return -EINVAL;
    }
    int r = apply(be, watched, watched->events, events);
    if (r < 0) { /* as before, as far as that goes */
        (void)apply(be, watched, events, watched->events);
        return r;
    }
    watched->events = events;
    return 0;
}

static int poller_unwatch(void *be, void *watch)
{
    const kqueue_watch *watched = watch;
    uint32_t events = wanted(watched->events);
    int r = 0;

    for (size_t i = 0; r == 0 && i < FILTERS; i++) {
        if (events & filters[i].event) {
            r = forget(be, watched->fd, filters[i].filter);
        }
    }
    return r;
}

/* How long to wait, in *timeout; NULL: until something happens.  The clock is read when it
 * matters. */
static struct timespec *time_left(const kqueue_poller *poller, int64_t deadline,
                                  struct timespec *timeout)
{
    int64_t left = 0; /* CLOCK_MONOTONIC is past 0 */

    if (deadline == WEFT_BACKEND_NEVER) {
        return NULL;
    }
    if (deadline > 0) {
        int64_t now = poller->core->now();
        left = deadline > now ? deadline - now : 0;
    }
    int64_t seconds = left / 1000000000;
    *timeout = (struct timespec){
        .tv_sec = (time_t)(seconds > LONGEST ? LONGEST : seconds),
        .tv_nsec = (long)(left % 1000000000),
    };
    return timeout;
}

/* What one filter says; 0: nothing that was asked for. */
static uint32_t ready_of(const struct kevent *event, const kqueue_watch *watch)
{
    uint32_t ready = 0;

    for (size_t i = 0; i < FILTERS; i++) {
        if ((int)event->filter == filters[i].filter) {
            ready = filters[i].event;
        }
    }
    if (event->flags & EV_EOF) {
        ready |= ready == WEFT_WRITABLE ? WEFT_HANGUP : WEFT_READ_CLOSED;
        ready |= event->fflags ? WEFT_ERROR : 0u; /* a socket's, to be read by SO_ERROR */
        /* Who asked for nothing hears of the end, as of a hang-up. */
        ready |= watch->events & ~(uint32_t)WEFT_EDGE ? 0u : WEFT_HANGUP;
    }
    return watch->events & ~(uint32_t)WEFT_EDGE ? ready : ready & (WEFT_ERROR | WEFT_HANGUP);
}

/* A wake has come. */
static void drain(const kqueue_poller *poller)
{
    char bytes[64];

    while (poller->pipe[0] >= 0 && read(poller->pipe[0], bytes, sizeof(bytes)) > 0) {
    }
}

static int poller_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    kqueue_poller *poller = be;
    struct timespec timeout, *left = time_left(poller, deadline, &timeout);
    int r = poller->core->fault(), count = 0;

    if (r == 0) {
        r = kevent(poller->kqueue_fd, NULL, 0, poller->events, max > BATCH ? BATCH : max, left);
        r = r < 0 ? -errno : r;
    }
    if (r < 0) {
        return r == -EINTR ? 0 : r; /* a signal: the core looks round before it waits again */
    }
    for (int i = 0; i < r; i++) {
        const struct kevent *event = &poller->events[i];
        const kqueue_watch *watch = (const kqueue_watch *)event->udata;

        if (watch == NULL) {
            drain(poller);
            continue;
        }
        bool failed = event->flags & EV_ERROR;
        uint32_t ready = failed ? WEFT_ERROR : ready_of(event, watch);

        if (ready) {
            ret_events[count++] = (weft_backend_event){
                .token = watch->token,
                .ready = ready,
                .error = failed ? -(int32_t)event->data : 0,
            };
        }
    }
    return count;
}

static int poller_wake(void *be)
{
    kqueue_poller *poller = be;
    int saved = errno, r;
#ifdef EVFILT_USER
    struct kevent trigger;

    EV_SET(&trigger, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0);
    r = kevent(poller->kqueue_fd, &trigger, 1, NULL, 0, NULL) < 0 ? -errno : 0;
#else
    r = write(poller->pipe[1], "", 1) < 0 && errno != EAGAIN ? -errno : 0;
#endif
    errno = saved;
    return r;
}

/* A kqueue is not inherited: its number may be another file's in the child. */
static int poller_fork_child(void *be)
{
    kqueue_poller *poller = be;
    poller->kqueue_fd = -1;
    close_descriptors(poller);
    return open_descriptors(poller);
}

static int poller_nest_fd(void *be)
{
    return ((kqueue_poller *)be)->kqueue_fd;
}

static int poller_probe(char *why, size_t size)
{
    int fd = kqueue();
    if (fd < 0) {
        int r = -errno;
        snprintf(why, size, "kqueue failed with errno %d", -r);
        return r;
    }
    close(fd);
    return 0;
}

static const weft_backend_ops poller_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_EDGE | WEFT_BACKEND_NEST | WEFT_BACKEND_NANOSECONDS,
    .watch_size = sizeof(kqueue_watch),
    .open = poller_open,
    .close = poller_close,
    .watch = poller_watch,
    .rewatch = poller_rewatch,
    .unwatch = poller_unwatch,
    .wait = poller_wait,
    .wake = poller_wake,
    .fork_child = poller_fork_child,
    .nest_fd = poller_nest_fd,
};

WEFT_BACKEND(kqueue)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "kqueue",
    .summary = "kqueue(2): the BSDs and macOS, for any number of descriptors",
    .needs = "",
    .ops = &poller_ops,
    .probe = poller_probe,
};
