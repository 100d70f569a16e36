/* SPDX-License-Identifier: MIT
 * poll(2): every Unix and every kind of descriptor, at a cost that grows with their number.
 *
 * The kernel keeps nothing, so the array that it reads is all there is: dense, slot 0 for the
 * wake, and beside it who owns each slot.  Each watch knows its slot; when one ends, the last
 * moves into it. */
#include <weft/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/eventfd.h>
#endif

/* ppoll(2), with nanoseconds: Linux 2.6.16 and the BSDs; POSIX since 2024; not macOS. */
#if defined(__linux__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
#define HAVE_PPOLL 1
#define CAPS (WEFT_BACKEND_ANY_FD | WEFT_BACKEND_NANOSECONDS)
#else
#define HAVE_PPOLL 0
#define CAPS WEFT_BACKEND_ANY_FD
#endif

#if !defined(POLLRDHUP)
#define POLLRDHUP 0 /* Linux only */
#endif

#define FIRST_CAPACITY 16
#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

typedef struct poll_watch {
    uint32_t slot; /* its place in both arrays; 0, the wake's, for none */
} poll_watch;

typedef struct poll_owner {
    uint64_t token;
    poll_watch *watch; /* to be told when its slot moves */
} poll_owner;

typedef struct poll_poller {
    const weft_backend_core *core;
    struct pollfd *fds; /* `count` of `capacity`; what poll(2) reads */
    poll_owner *owners; /* the same slots */
    uint32_t count;
    uint32_t capacity;
    uint32_t next;  /* the slot at which the next wait begins to report, so that none starves */
    int wake_read;  /* slot 0's; an eventfd is both ends */
    int wake_write; /* used by wake() on other threads; changed by open and fork_child only */
} poll_poller;

static short to_poll(uint32_t events)
{
    return (short)((events & WEFT_READABLE ? POLLIN | POLLRDHUP : 0) |
                   (events & WEFT_WRITABLE ? POLLOUT : 0) | (events & WEFT_PRIORITY ? POLLPRI : 0));
}

static uint32_t from_poll(short events)
{
    return (events & POLLIN ? WEFT_READABLE : 0u) | (events & POLLOUT ? WEFT_WRITABLE : 0u) |
           (events & POLLPRI ? WEFT_PRIORITY : 0u) |
           (events & (POLLERR | POLLNVAL) ? WEFT_ERROR : 0u) |
           (events & POLLHUP ? WEFT_HANGUP : 0u) | (events & POLLRDHUP ? WEFT_READ_CLOSED : 0u);
}

static void close_wake(poll_poller *poller)
{
    if (poller->wake_write != poller->wake_read) {
        close(poller->wake_write);
    }
    if (poller->wake_read >= 0) {
        close(poller->wake_read);
    }
    poller->wake_read = poller->wake_write = -1;
}

#if defined(__linux__)

static int open_wake(poll_poller *poller)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    poller->wake_read = poller->wake_write = fd;
    return 0;
}

#else

/* fcntl and not pipe2, which macOS lacks: a child forked by another thread in between inherits
 * both. */
static int open_wake(poll_poller *poller)
{
    int ends[2];
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
    if (pipe(ends) < 0) {
        return -errno;
    }
    poller->wake_read = ends[0];
    poller->wake_write = ends[1];
    for (int i = 0; i < 2; i++) {
        r = poller->core->fault();
        if (r == 0 &&
            (fcntl(ends[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(ends[i], F_SETFL, O_NONBLOCK) < 0)) {
            r = -errno;
        }
        if (r < 0) {
            close_wake(poller);
            return r;
        }
    }
    return 0;
}

#endif

static int grow(poll_poller *poller)
{
    uint32_t capacity = poller->capacity == 0 ? FIRST_CAPACITY : poller->capacity * 2;
    struct pollfd *fds = poller->core->alloc(poller->fds, capacity * sizeof(*fds));
    if (fds == NULL) {
        return -ENOMEM;
    }
    poller->fds = fds; /* larger than `capacity` says, should the second not follow */
    poll_owner *owners = poller->core->alloc(poller->owners, capacity * sizeof(*owners));
    if (owners == NULL) {
        return -ENOMEM;
    }
    poller->owners = owners;
    poller->capacity = capacity;
    return 0;
}

static int poller_close(void *be)
{
    poll_poller *poller = be;
    close_wake(poller);
    poller->core->alloc(poller->fds, 0);
    poller->core->alloc(poller->owners, 0);
    poller->core->alloc(poller, 0);
    return 0;
}

/* The state of a new poller: the wake and no watch. */
static int begin(poll_poller *poller)
{
    int r = open_wake(poller);
    if (r == 0) {
        poller->fds[0] = (struct pollfd){ .fd = poller->wake_read, .events = POLLIN };
        poller->count = poller->next = 1;
    }
    return r;
}

static int poller_open(const weft_backend_core *core, const weft_backend_request *request,
                       void **ret_be)
{
    if (*request->options != '\0') {
        core->detail("poll takes no options, not '%s'", request->options);
        return -EINVAL;
    }
    poll_poller *poller = core->alloc(NULL, sizeof(*poller));
    if (poller == NULL) {
        return -ENOMEM;
    }
    *poller = (poll_poller){ .core = core, .wake_read = -1, .wake_write = -1 };
    int r = grow(poller);
    if (r == 0) {
        r = begin(poller);
    }
    if (r < 0) {
        poller_close(poller);
        return r;
    }
    *ret_be = poller;
    return 0;
}

static int poller_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    poll_poller *poller = be;
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    /* poll(2) would tell of a bad number only in the next wait, and pass over one below 0. */
    int r = poller->core->fault();
    if (r == 0 && fcntl(fd, F_GETFD) < 0) {
        r = -errno;
    }
    if (r == 0 && poller->count == poller->capacity) {
        r = grow(poller);
    }
    if (r < 0) {
        return r;
    }
    uint32_t slot = poller->count++;
    poller->fds[slot] = (struct pollfd){ .fd = fd, .events = to_poll(events) };
    poller->owners[slot] = (poll_owner){ .token = token, .watch = watch };
    poller->owners[slot].watch->slot = slot;
    return 0;
}

static int poller_rewatch(void *be, void *watch, uint32_t events)
{
    poll_poller *poller = be;
    uint32_t slot = ((poll_watch *)watch)->slot;
    if (slot == 0 || events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    poller->fds[slot].events = to_poll(events);
    return 0;
}

static int poller_unwatch(void *be, void *watch)
{
    poll_poller *poller = be;
    uint32_t slot = ((poll_watch *)watch)->slot;
    if (slot == 0) {
        return -EINVAL;
    }
    uint32_t last = --poller->count;
    poller->fds[slot] = poller->fds[last];
    poller->owners[slot] = poller->owners[last];
    poller->owners[slot].watch->slot = slot;
    ((poll_watch *)watch)->slot = 0; /* last, since it may have been its own successor */
    return 0;
}

/* Nanoseconds to wait: 0 to look only, WEFT_BACKEND_NEVER.  The clock is read when it matters. */
static int64_t time_left(const poll_poller *poller, int64_t deadline)
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

/* EINVAL would mean that RLIMIT_NOFILE has been lowered below the number of watches. */
static int wait_ready(poll_poller *poller, int64_t left)
{
    int r = poller->core->fault();
    if (r < 0) {
        return r;
    }
#if HAVE_PPOLL
    int64_t seconds = left / 1000000000;
    struct timespec timeout = {
        .tv_sec = seconds > INT32_MAX ? INT32_MAX : (time_t)seconds,
        .tv_nsec = (long)(left % 1000000000),
    };
    r = ppoll(poller->fds, poller->count, left == WEFT_BACKEND_NEVER ? NULL : &timeout, NULL);
#else
    int64_t milliseconds = left / 1000000 + (left % 1000000 != 0);
    int timeout = milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
    r = poll(poller->fds, poller->count, left == WEFT_BACKEND_NEVER ? -1 : timeout);
#endif
    return r < 0 ? -errno : r;
}

/* Empties the wake, whatever number of wakes it holds.  Whatever fails leaves it full, and the next
 * wait returns at once. */
static void drain_wake(poll_poller *poller)
{
    char bytes[512];
    while (read(poller->wake_read, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {}
}

/* Stores at most `max` of the `ready` watches, going round from where the last wait stopped. */
static int harvest(poll_poller *poller, int ready, weft_backend_event *ret_events, int max)
{
    int count = 0;
    for (uint32_t seen = 1; seen < poller->count && count < ready && count < max; seen++) {
        uint32_t slot = poller->next < poller->count ? poller->next : 1;
        poller->next = slot + 1;
        short revents = poller->fds[slot].revents;
        if (revents != 0) {
            ret_events[count].token = poller->owners[slot].token;
            ret_events[count].ready = from_poll(revents);
            ret_events[count].error = revents & POLLNVAL ? -EBADF : 0; /* closed while watched */
            count++;
        }
    }
    return count;
}

static int poller_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    poll_poller *poller = be;
    if (poller->wake_read < 0) {
        return -EBADF; /* fork_child failed; poll(2) would pass over the slot and never be woken */
    }
    int ready = wait_ready(poller, time_left(poller, deadline));
    if (ready <= 0) {
        return ready == -EINTR ? 0 :
                                 ready; /* a signal: the core looks round before it waits again */
    }
    if (poller->fds[0].revents != 0) {
        if (poller->fds[0].revents & POLLNVAL) {
            return -EBADF; /* somebody closed it, and every wait would return at once */
        }
        drain_wake(poller);
        ready--;
    }
    return harvest(poller, ready, ret_events, max);
}

static int poller_wake(void *be)
{
    static const uint64_t one = 1; /* an eventfd wants eight bytes; a pipe takes them too */
    int saved = errno;
    ssize_t n = write(((poll_poller *)be)->wake_write, &one, sizeof(one));
    int r = n < 0 && errno != EAGAIN ? -errno : 0; /* EAGAIN: a pipe full of wakes wakes */
    errno = saved;
    return r;
}

/* The wake is shared with the parent: a wake here would wake it, a read would take its wakes. */
static int poller_fork_child(void *be)
{
    poll_poller *poller = be;
    close_wake(poller);
    poller->count = 0;
    return begin(poller);
}

static int poller_probe(char *why, size_t size)
{
    (void)why, (void)size;
    return 0;
}

static const weft_backend_ops poller_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = CAPS,
    .watch_size = sizeof(poll_watch),
    .open = poller_open,
    .close = poller_close,
    .watch = poller_watch,
    .rewatch = poller_rewatch,
    .unwatch = poller_unwatch,
    .wait = poller_wait,
    .wake = poller_wake,
    .fork_child = poller_fork_child,
};

WEFT_BACKEND(poll)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "poll",
    .summary = "poll(2): works everywhere and takes any descriptor, slow with thousands of them",
    .needs = "",
    .ops = &poller_ops,
    .probe = poller_probe,
};
