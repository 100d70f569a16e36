/* SPDX-License-Identifier: MIT
 * A made-up library with a loop, and the backend over it, in both modes: sound when BREAK is 0, and
 * else wrong in what group BREAK of weft-backend-test looks at.
 *
 * The library is a list of descriptors with callbacks, and one deadline for each of its users. */
#include <weft/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

#define MAX 20000

typedef struct source {
    int fd;
    short events;
    void (*callback)(struct source *source, short revents);
    void *user;
    uint64_t token;
} source;

typedef struct user {
    int64_t deadline;
    struct toy *owner;
    struct user *next;
} user;

/* The library's loop. */
typedef struct toy_loop {
    source *sources[MAX];
    struct pollfd fds[MAX]; /* of one iteration; a nested one has its own */
    int count;
    int depth;
    user *users;
} toy_loop;

typedef struct toy {
    const weft_backend_core *core;
    void *loop; /* the core's */
    toy_loop *library;
    bool owned;
    bool reported; /* something, in this iteration */
    int wake_fd;
    user timer;
    source wake, guest;
} toy;

static void add(toy_loop *library, source *added)
{
    library->sources[library->count++] = added;
}

static void drop(toy_loop *library, const source *dropped)
{
    for (int i = 0; i < library->count; i++) {
        if (library->sources[i] == dropped) {
            library->sources[i] = library->depth ? NULL : library->sources[library->count - 1];
            library->count -= !library->depth;
            return;
        }
    }
}

/* Fills the holes that an iteration left. */
static void pack(toy_loop *library)
{
    int kept = 0;

    for (int i = 0; i < library->count; i++) {
        if (library->sources[i]) {
            library->sources[kept++] = library->sources[i];
        }
    }
    library->count = kept;
}

static void expire(toy_loop *library, int64_t now)
{
    for (user *one = library->users, *next; one; one = next) {
        next = one->next;
        if (one->deadline <= now) {
            one->deadline = INT64_MAX;
            one->owner->core->pump(one->owner->loop);
        }
    }
}

static void dispatch(toy_loop *library, int count)
{
    for (int i = 0; i < count; i++) {
        source *ready = library->sources[i];

        if (ready && library->fds[i].fd == ready->fd && library->fds[i].revents) {
            ready->callback(ready, library->fds[i].revents);
        }
    }
}

static void pump_reported(toy_loop *library)
{
    for (user *one = library->users, *next; one; one = next) {
        next = one->next;
        if (one->owner->reported) {
            one->owner->reported = false;
            one->owner->core->pump(one->owner->loop);
        }
    }
}

static int iterate(toy *self, int64_t deadline)
{
    toy_loop *library = self->library;
    int64_t now = self->core->now();
    int count = library->count, r = self->core->fault();
    struct timespec timeout;

    if (r < 0) {
        return r == -EINTR ? 0 : r;
    }
#if BREAK == 14
    if (library->depth) {
        return 0; /* it says that it can, and does nothing */
    }
#endif
    for (const user *one = library->users; one; one = one->next) {
        deadline = one->deadline < deadline ? one->deadline : deadline;
    }
    deadline = deadline > now ? deadline - now : 0;
    timeout = (struct timespec){ (time_t)(deadline / 1000000000), (long)(deadline % 1000000000) };
    for (int i = 0; i < count; i++) {
        library->fds[i].fd = library->sources[i] ? library->sources[i]->fd : -1;
        library->fds[i].events = library->sources[i] ? library->sources[i]->events : 0;
    }
    r = ppoll(library->fds, (nfds_t)count, deadline > INT64_MAX / 2 ? NULL : &timeout, NULL);
    library->depth++;
    if (r > 0) {
        dispatch(library, count);
    }
    pump_reported(library);
    expire(library, self->core->now());
    if (--library->depth == 0) {
        pack(library);
    }
    return r < 0 && errno != EINTR ? -errno : 0;
}

static void on_wake(source *ready, short revents)
{
    toy *self = ready->user;
    eventfd_t value;

    (void)revents;
    (void)eventfd_read(self->wake_fd, &value);
    self->reported = true;
}

static void on_guest(source *ready, short revents)
{
    (void)revents;
    ((toy *)ready->user)->reported = true;
}

static void on_event(source *ready, short revents)
{
    toy *self = ready->user;
    weft_backend_event event = { .token = ready->token };

    event.ready =
        (revents & POLLIN ? WEFT_READABLE : 0u) | (revents & POLLOUT ? WEFT_WRITABLE : 0u) |
        (revents & POLLPRI ? WEFT_PRIORITY : 0u) |
        (revents & (POLLERR | POLLNVAL) ? WEFT_ERROR : 0u) | (revents & POLLHUP ? WEFT_HANGUP : 0u);
    self->reported = true;
    self->core->ready(self->loop, &event);
}

static int toy_open(const weft_backend_core *core, const weft_backend_request *request, void **ret)
{
    toy *self;
    int r = core->fault();

    if (*request->options) {
        core->detail("takes no options, not '%s'", request->options);
        return -EINVAL;
    }
    self = r < 0 ? NULL : core->alloc(NULL, sizeof *self);
    if (!self) {
        return r < 0 ? r : -ENOMEM;
    }
    memset(self, 0, sizeof *self);
    self->core = core;
    self->loop = request->loop;
    self->owned = !request->adopt;
    self->library = request->adopt;
    if (self->owned) {
        self->library = core->alloc(NULL, sizeof *self->library);
        if (!self->library) {
            core->alloc(self, 0);
            return -ENOMEM;
        }
        memset(self->library, 0, sizeof *self->library);
    }
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        r = -errno;
        if (self->owned) {
            core->alloc(self->library, 0);
        }
        core->alloc(self, 0);
        return r;
    }
    self->timer = (user){ INT64_MAX, self, self->library->users };
    self->library->users = &self->timer;
    self->wake = (source){ self->wake_fd, POLLIN, on_wake, self, 0 };
    self->guest = (source){ -1, POLLIN, on_guest, self, 0 };
    add(self->library, &self->wake);
    add(self->library, &self->guest);
    *ret = self;
    return 0;
}

static int toy_close(void *be)
{
    toy *self = be;
    user **place = &self->library->users;

    while (*place != &self->timer) {
        place = &(*place)->next;
    }
    *place = self->timer.next;
    drop(self->library, &self->wake);
    drop(self->library, &self->guest);
#if BREAK == 12
    if (!self->owned) {
        return 0; /* its descriptor is left */
    }
#endif
    close(self->wake_fd);
    if (self->owned) {
        self->core->alloc(self->library, 0);
    }
    self->core->alloc(self, 0);
    return 0;
}

#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

static short to_poll(uint32_t events)
{
    return (short)((events & WEFT_READABLE ? POLLIN : 0) | (events & WEFT_WRITABLE ? POLLOUT : 0) |
                   (events & WEFT_PRIORITY ? POLLPRI : 0));
}

static int toy_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    toy *self = be;
    source *added = watch;
    int r = self->core->fault();

    if (r < 0 || events & ~(uint32_t)ASKABLE) {
        return r < 0 ? r : -EINVAL;
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return -errno;
    }
    *added = (source){ fd, to_poll(events), on_event, self, token };
    add(self->library, added);
    return 0;
}

static int toy_rewatch(void *be, void *watch, uint32_t events)
{
    (void)be;
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    ((source *)watch)->events = to_poll(events);
    return 0;
}

static int toy_unwatch(void *be, void *watch)
{
    drop(((toy *)be)->library, watch);
    return 0;
}

static int toy_wake(void *be)
{
    int saved = errno, r = eventfd_write(((toy *)be)->wake_fd, 1) < 0 ? -errno : 0;

    errno = saved;
    return r;
}

static int toy_arm(void *be, int64_t deadline)
{
    ((toy *)be)->timer.deadline = deadline;
    return 0;
}

static int toy_guest(void *be, int fd)
{
    ((toy *)be)->guest.fd = fd;
    return 0;
}

static int toy_run(void *be, int64_t deadline)
{
    return iterate(be, deadline);
}

static void *toy_native(void *be)
{
    return ((toy *)be)->library;
}

static int toy_probe(char *why, size_t size)
{
    (void)why, (void)size;
    return 0;
}

static const char *toy_library(void)
{
    return "made up 1.0";
}

static const weft_backend_ops toy_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST | WEFT_BACKEND_ADOPT | WEFT_BACKEND_REENTERS |
            WEFT_BACKEND_NANOSECONDS | WEFT_BACKEND_ANY_FD,
    .watch_size = sizeof(source),
    .open = toy_open,
    .close = toy_close,
    .watch = toy_watch,
    .rewatch = toy_rewatch,
    .unwatch = toy_unwatch,
    .wake = toy_wake,
    .run = toy_run,
    .arm = toy_arm,
    .guest = toy_guest,
    .native = toy_native,
};

#undef WEFT_BACKEND
#define WEFT_BACKEND(id)                                         \
    WEFT_API extern const weft_backend PASTE(weft_backend_, id); \
    const weft_backend PASTE(weft_backend_, id)

WEFT_BACKEND(SYMBOL)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = TEXT(SYMBOL),
    .summary = "a library that there is not, for the tests",
    .needs = "",
    .ops = &toy_ops,
    .probe = toy_probe,
    .library = toy_library,
};
