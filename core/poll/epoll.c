/* SPDX-License-Identifier: MIT
 * epoll(7): Linux, one system call for any number of descriptors.
 *
 * Each descriptor is registered once and stays so; the token travels in epoll_data.  An eventfd,
 * edge triggered, carries the wakes.  One wait() is one system call, and one look at the clock
 * when there is a deadline to count down to. */
#include <weft/backend.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define WAKE UINT64_MAX /* the token that backend.h leaves to us */
#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY | WEFT_EDGE)

#if defined(HAVE_EPOLL_PWAIT2)
#define CAPS (WEFT_BACKEND_EDGE | WEFT_BACKEND_NEST | WEFT_BACKEND_NANOSECONDS)
#else
#define CAPS (WEFT_BACKEND_EDGE | WEFT_BACKEND_NEST)
#endif

typedef struct epoll_poller {
    const weft_backend_core *core;
    int epoll_fd;
    int wake_fd; /* an eventfd; read by wake() on other threads, written by open and fork_child */
    bool coarse; /* the kernel has no epoll_pwait2: waits are rounded up to milliseconds */
    struct epoll_event events[BATCH];
} epoll_poller;

typedef struct epoll_watch {
    int fd;
    uint64_t token; /* rewatch() must hand it to the kernel again */
} epoll_watch;

static uint32_t to_epoll(uint32_t events)
{
    /* Without EPOLLRDHUP the end of a stream that arrives together with its last data could not
     * be told from data alone; it never comes without EPOLLIN, so a level-triggered watch
     * reports no more. */
    return (events & WEFT_READABLE ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
           (events & WEFT_WRITABLE ? (uint32_t)EPOLLOUT : 0) |
           (events & WEFT_PRIORITY ? (uint32_t)EPOLLPRI : 0) |
           (events & WEFT_EDGE ? (uint32_t)EPOLLET : 0);
}

static uint32_t from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? WEFT_READABLE : 0u) | (events & EPOLLOUT ? WEFT_WRITABLE : 0u) |
           (events & EPOLLPRI ? WEFT_PRIORITY : 0u) | (events & EPOLLERR ? WEFT_ERROR : 0u) |
           (events & EPOLLHUP ? WEFT_HANGUP : 0u) | (events & EPOLLRDHUP ? WEFT_READ_CLOSED : 0u);
}

static int control(epoll_poller *poller, int operation, int fd, uint32_t events, uint64_t token)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    /* Kernels before 2.6.9 wanted the event for EPOLL_CTL_DEL too; it does no harm. */
    struct epoll_event event = { .events = events, .data.u64 = token };
    return epoll_ctl(poller->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void close_descriptors(epoll_poller *poller)
{
    if (poller->wake_fd >= 0) {
        close(poller->wake_fd);
    }
    if (poller->epoll_fd >= 0) {
        close(poller->epoll_fd);
    }
    poller->epoll_fd = poller->wake_fd = -1;
}

/* The wake is edge triggered: every write(2) to an eventfd is an edge, whatever it holds, and an
 * edge that nobody has fetched waits for the next epoll_wait.  So a wake is one write and no
 * read. */
static int open_descriptors(epoll_poller *poller)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll_fd < 0) {
        return -errno;
    }
    r = poller->core->fault();
    if (r == 0) {
        poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = poller->wake_fd < 0 ? -errno : 0;
    }
    if (r == 0) {
        r = control(poller, EPOLL_CTL_ADD, poller->wake_fd, (uint32_t)EPOLLIN | EPOLLET, WAKE);
    }
    if (r < 0) {
        close_descriptors(poller);
    }
    return r;
}

static int poller_open(const weft_backend_core *core, const weft_backend_request *request,
                       void **ret_be)
{
    if (*request->options != '\0') {
        core->detail("epoll takes no options, not '%s'", request->options);
        return -EINVAL;
    }
    epoll_poller *poller = core->alloc(NULL, sizeof(*poller));
    if (poller == NULL) {
        return -ENOMEM;
    }
    poller->core = core;
    poller->epoll_fd = poller->wake_fd = -1;
    poller->coarse = false;
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
    epoll_poller *poller = be;
    close_descriptors(poller);
    poller->core->alloc(poller, 0);
    return 0;
}

static int poller_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    int r = control(be, EPOLL_CTL_ADD, fd, to_epoll(events), token);
    if (r == -EEXIST) {
        /* The kernel knows a registration by number and open file.  This one is left from a
         * descriptor that was closed while watched, kept alive by a duplicate, and is now back
         * at its number. */
        r = control(be, EPOLL_CTL_MOD, fd, to_epoll(events), token);
    }
    if (r == 0) {
        *(epoll_watch *)watch = (epoll_watch){ .fd = fd, .token = token };
    }
    return r;
}

static int poller_rewatch(void *be, void *watch, uint32_t events)
{
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    const epoll_watch *watched = watch;
    int r = control(be, EPOLL_CTL_MOD, watched->fd, to_epoll(events), watched->token);
    if (r == -ENOENT) { /* closed behind our back, and the number now is another file's */
        r = control(be, EPOLL_CTL_ADD, watched->fd, to_epoll(events), watched->token);
    }
    return r;
}

static int poller_unwatch(void *be, void *watch)
{
    const epoll_watch *watched = watch;
    int r = control(be, EPOLL_CTL_DEL, watched->fd, 0, 0);
    /* Closed before: nothing has the number (EBADF), or another file has (ENOENT; EPERM when
     * epoll does not take its kind, which is looked at first). */
    return r == -EBADF || r == -ENOENT || r == -EPERM ? 0 : r;
}

/* Nanoseconds to wait: 0 to look only, WEFT_BACKEND_NEVER.  The clock is read when it matters. */
static int64_t time_left(const epoll_poller *poller, int64_t deadline)
{
    if (deadline <= 0) {
        return 0; /* CLOCK_MONOTONIC is past that */
    }
    if (deadline == WEFT_BACKEND_NEVER) {
        return deadline;
    }
    int64_t now = poller->core->now();
    return deadline > now ? deadline - now : 0;
}

static int wait_milliseconds(epoll_poller *poller, int milliseconds, int max)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    r = epoll_wait(poller->epoll_fd, poller->events, max, milliseconds);
    return r < 0 ? -errno : r;
}

static int wait_nanoseconds(epoll_poller *poller, int64_t left, int max)
{
#if defined(HAVE_EPOLL_PWAIT2)
    /* Linux 5.11.  By libc's wrapper: the bare call reads 64-bit seconds where time_t has 32. */
    if (!poller->coarse) {
        int64_t seconds = left / 1000000000;
        struct timespec timeout = {
            .tv_sec = seconds > INT32_MAX ? INT32_MAX : (time_t)seconds,
            .tv_nsec = (long)(left % 1000000000),
        };
        int r = poller->core->fault();
        if (r == 0) {
            r = epoll_pwait2(poller->epoll_fd, poller->events, max, &timeout, NULL);
            r = r < 0 ? -errno : r;
        }
        /* EPERM is what containers with an old seccomp filter say to calls they do not know. */
        if (r != -ENOSYS && r != -EPERM) {
            return r;
        }
        poller->coarse = true;
    }
#endif
    int64_t milliseconds = left / 1000000 + (left % 1000000 != 0);
    return wait_milliseconds(poller, milliseconds > INT_MAX ? INT_MAX : (int)milliseconds, max);
}

static int poller_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    epoll_poller *poller = be;
    int64_t left = time_left(poller, deadline);
    max = max > BATCH ? BATCH : max;
    int r = left == 0                  ? wait_milliseconds(poller, 0, max) :
            left == WEFT_BACKEND_NEVER ? wait_milliseconds(poller, -1, max) :
                                         wait_nanoseconds(poller, left, max);
    if (r < 0) {
        return r == -EINTR ? 0 : r; /* a signal: the core looks round before it waits again */
    }
    int count = 0;
    for (int i = 0; i < r; i++) {
        const struct epoll_event *event = &poller->events[i];
        if (event->data.u64 == WAKE) {
            continue; /* the edge is spent by being fetched */
        }
        ret_events[count].token = event->data.u64;
        ret_events[count].ready = from_epoll(event->events);
        ret_events[count].error = 0;
        count++;
    }
    return count;
}

static int poller_wake(void *be)
{
    int saved = errno;
    /* EAGAIN would take 2^64 wakes, which is five centuries of them. */
    ssize_t n = write(((epoll_poller *)be)->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    int r = n < 0 ? -errno : 0;
    errno = saved;
    return r;
}

/* The epoll that was inherited is the parent's own: removing a registration here would remove it
 * there.  Closing our copies of the descriptors does not, and is all that is done to it. */
static int poller_fork_child(void *be)
{
    close_descriptors(be);
    return open_descriptors(be);
}

static int poller_nest_fd(void *be)
{
    return ((epoll_poller *)be)->epoll_fd;
}

static int poller_probe(char *why, size_t size)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        int r = -errno;
        snprintf(why, size, "epoll_create1 failed with errno %d", -r);
        return r;
    }
    close(fd);
    return 0;
}

static const weft_backend_ops poller_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = CAPS,
    .watch_size = sizeof(epoll_watch),
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

WEFT_BACKEND(epoll)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "epoll",
    .summary = "epoll(7): the default on Linux, for any number of descriptors",
    .needs = "",
    .ops = &poller_ops,
    .probe = poller_probe,
};
