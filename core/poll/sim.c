/* SPDX-License-Identifier: MIT
 * Virtual time, for tests: a wait is over at once and the clock stands at its deadline.
 *
 * Nothing real is waited for, so a program that sleeps for a week runs in a blink and does the same
 * each time.  With no deadline and no wake there is nothing left that could ever happen.
 *
 * A seed makes it an unkind world, the same one for the same seed: the order of tasks that are
 * ready is shuffled, waits end early for nothing or late, and, where that is asked for, calls
 * fail. */
#include <weft/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define START (1000 * SECOND) /* a round number: absolute times read well, and it is not 0 */
#define START_MAX 4000000000  /* seconds; as much again is left before the clock's end */
#define PATIENCE_MS 5000      /* real time for descriptors, when nothing else can happen */
#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

typedef struct sim_watch {
    uint32_t slot; /* of sim_poller.fds */
} sim_watch;

/* What is watched, where `fds=1` allows it. */
typedef struct sim_slot {
    uint64_t token;
    sim_watch *watch;
} sim_slot;

typedef struct sim_options {
    int64_t start;  /* seconds */
    int64_t seed;   /* 0: a kind world */
    int64_t faults; /* one call in so many fails; 0: none */
    int64_t late;   /* microseconds that a deadline may be missed by */
    int64_t fds;    /* 1: descriptors are watched, for real */
    uint32_t given; /* bits by their place in `keys` */
} sim_options;

typedef struct sim_poller {
    const weft_backend_core *core;
    _Atomic int64_t now; /* other threads may ask what time it is */
    atomic_uint woken;   /* with wake[1] all that other threads and signal handlers touch */
    sim_options options;
    uint64_t random;    /* the state of the world's dice */
    int wake[2];        /* a pipe, for real waits; -1: there are none */
    struct pollfd *fds; /* `count` of `capacity`; [0] is the wake */
    sim_slot *slots;    /* the same */
    uint32_t count, capacity;
} sim_poller;

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may wake only without locks");

/* splitmix64: the next number, 0 to count - 1. */
static uint64_t dice(sim_poller *sim, uint64_t count)
{
    uint64_t z = (sim->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % count;
}

static const struct key {
    const char *name;
    int64_t max;
    size_t place; /* in sim_options */
} keys[] = {
    { "start", START_MAX, offsetof(sim_options, start) },
    { "seed", INT64_MAX / 16, offsetof(sim_options, seed) },
    { "faults", INT32_MAX, offsetof(sim_options, faults) },
    { "late", INT32_MAX, offsetof(sim_options, late) },
    { "fds", 1, offsetof(sim_options, fds) },
};

/* Decimal; false for all else.  No strtol: it takes blanks and signs. */
static bool parse_number(const char *text, size_t length, int64_t max, int64_t *ret)
{
    int64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (text[i] - '0');
        if (number > max) {
            return false;
        }
    }
    *ret = number;
    return length > 0;
}

/* "key=value" of `length` bytes. */
static bool parse_one(sim_options *options, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t n = strlen(keys[i].name);
        if (length <= n || memcmp(text, keys[i].name, n) != 0 || text[n] != '=') {
            continue;
        }
        text += n + 1;
        length -= n + 1;
        if (options->given & 1u << i) {
            return false;
        }
        options->given |= 1u << i;
        if (strcmp(keys[i].name, "seed") == 0 && length == 6 && memcmp(text, "random", 6) == 0) {
            options->seed = -1;
            return true;
        }
        return parse_number(text, length, keys[i].max,
                            (int64_t *)(void *)((char *)options + keys[i].place));
    }
    return false;
}

static int parse(const weft_backend_core *core, const char *text, sim_options *options)
{
    *options = (sim_options){ .start = START / SECOND };
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (!parse_one(options, at, length) || (at[length] == ',' && at[length + 1] == '\0')) {
            core->detail("sim takes start=SECONDS (0 to %lld), seed=NUMBER or seed=random, "
                         "faults=ONE-IN, late=MICROSECONDS and fds=1, not '%s'",
                         (long long)START_MAX, text);
            return -EINVAL;
        }
        at += length + (at[length] == ',');
    }
    return 0;
}

static void close_wake(sim_poller *sim)
{
    for (int i = 0; i < 2; i++) {
        if (sim->wake[i] >= 0) {
            close(sim->wake[i]);
        }
        sim->wake[i] = -1;
    }
}

static int open_wake(sim_poller *sim)
{
    int r = sim->core->fault();
    if (r < 0) {
        return r;
    }
    if (pipe(sim->wake) < 0) {
        sim->wake[0] = sim->wake[1] = -1;
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(sim->wake[i], F_SETFD, FD_CLOEXEC);
        fcntl(sim->wake[i], F_SETFL, O_NONBLOCK);
    }
    sim->fds[0] = (struct pollfd){ .fd = sim->wake[0], .events = POLLIN };
    sim->count = 1;
    return 0;
}

static int grow(sim_poller *sim)
{
    uint32_t capacity = sim->capacity == 0 ? 16 : sim->capacity * 2;
    struct pollfd *fds = sim->core->alloc(sim->fds, capacity * sizeof(*fds));
    if (fds == NULL) {
        return -ENOMEM;
    }
    sim->fds = fds;
    sim_slot *slots = sim->core->alloc(sim->slots, capacity * sizeof(*slots));
    if (slots == NULL) {
        return -ENOMEM;
    }
    sim->slots = slots;
    sim->capacity = capacity;
    return 0;
}

static int sim_close(void *be)
{
    sim_poller *sim = be;
    close_wake(sim);
    sim->core->alloc(sim->fds, 0);
    sim->core->alloc(sim->slots, 0);
    sim->core->alloc(sim, 0);
    return 0;
}

/* The seed that nobody chose is told at once: a program that crashes has no other chance to. */
static void seed(sim_poller *sim)
{
    if (sim->options.seed < 0) {
        sim->random = (uint64_t)sim->core->now() ^ (uint64_t)getpid() << 40;
        sim->options.seed = (int64_t)dice(sim, 1000000000) + 1;
        fprintf(stderr, "weft: this is sim:seed=%lld\n", (long long)sim->options.seed);
    }
    sim->random = (uint64_t)sim->options.seed;
}

static int sim_open(const weft_backend_core *core, const weft_backend_request *request,
                    void **ret_be)
{
    sim_options options;
    int r = parse(core, request->options, &options);
    if (r < 0) {
        return r;
    }
    sim_poller *sim = core->alloc(NULL, sizeof(*sim));
    if (sim == NULL) {
        return -ENOMEM;
    }
    *sim = (sim_poller){ .core = core, .options = options, .wake = { -1, -1 } };
    atomic_init(&sim->now, options.start * SECOND);
    atomic_init(&sim->woken, 0);
    if (options.fds) {
        r = grow(sim);
        r = r < 0 ? r : open_wake(sim);
    }
    if (r < 0) {
        sim_close(sim);
        return r;
    }
    seed(sim);
    *ret_be = sim;
    return 0;
}

static uint32_t from_poll(short events)
{
    return (events & POLLIN ? WEFT_READABLE : 0u) | (events & POLLOUT ? WEFT_WRITABLE : 0u) |
           (events & POLLPRI ? WEFT_PRIORITY : 0u) | (events & POLLHUP ? WEFT_HANGUP : 0u) |
           (events & (POLLERR | POLLNVAL) ? WEFT_ERROR : 0u);
}

static short to_poll(uint32_t events)
{
    return (short)((events & WEFT_READABLE ? POLLIN : 0) | (events & WEFT_WRITABLE ? POLLOUT : 0) |
                   (events & WEFT_PRIORITY ? POLLPRI : 0));
}

static int sim_watch_fd(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    sim_poller *sim = be;
    if (!sim->options.fds) {
        sim->core->detail("the sim backend has virtual time and watches nothing real, so not "
                          "descriptor %d; sim:fds=1 does",
                          fd);
        return -EOPNOTSUPP;
    }
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    int r = sim->core->fault();
    if (r == 0 && fcntl(fd, F_GETFD) < 0) {
        r = -errno;
    }
    if (r == 0 && sim->count == sim->capacity) {
        r = grow(sim);
    }
    if (r < 0) {
        return r;
    }
    sim_watch *mine = watch;
    mine->slot = sim->count++;
    sim->fds[mine->slot] = (struct pollfd){ .fd = fd, .events = to_poll(events) };
    sim->slots[mine->slot] = (sim_slot){ .token = token, .watch = mine };
    return 0;
}

static int sim_rewatch(void *be, void *watch, uint32_t events)
{
    sim_poller *sim = be;
    const sim_watch *mine = watch;
    if (!sim->options.fds) {
        return -EOPNOTSUPP; /* there is no watch that this could be called for */
    }
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    sim->fds[mine->slot].events = to_poll(events);
    return 0;
}

static int sim_unwatch(void *be, void *watch)
{
    sim_poller *sim = be;
    uint32_t slot = ((sim_watch *)watch)->slot, last = sim->count - 1;
    if (!sim->options.fds) {
        return -EOPNOTSUPP;
    }
    sim->fds[slot] = sim->fds[last];
    sim->slots[slot] = sim->slots[last];
    sim->slots[slot].watch->slot = slot;
    sim->count--;
    return 0;
}

/* What is ready among the descriptors; with a seed, from whichever of them on. */
static int harvest(sim_poller *sim, weft_backend_event *ret_events, int max)
{
    uint32_t watched = sim->count - 1, first = 0;
    int count = 0;
    if (watched > 0 && sim->options.seed) {
        first = (uint32_t)dice(sim, watched);
    }
    for (uint32_t i = 0; i < watched && count < max; i++) {
        uint32_t slot = 1 + (first + i) % watched;
        short ready = sim->fds[slot].revents;
        if (ready == 0) {
            continue;
        }
        ret_events[count++] = (weft_backend_event){
            .token = sim->slots[slot].token,
            .ready = from_poll(ready),
            .error = ready & POLLNVAL ? -EBADF : 0,
        };
    }
    return count;
}

/* Looks at the descriptors for so long.  A wake stays in fds[0].revents. */
static int look(sim_poller *sim, int milliseconds, weft_backend_event *ret_events, int max)
{
    char bytes[64];
    int r = sim->core->fault();
    if (r < 0) {
        return r;
    }
    r = poll(sim->fds, sim->count, milliseconds);
    if (r < 0 && errno == EINTR) {
        sim->fds[0].revents = POLLIN; /* as if woken */
        return 0;
    }
    if (r <= 0) {
        return r < 0 ? -errno : 0;
    }
    while (read(sim->wake[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {}
    atomic_store(&sim->woken, 0);
    return harvest(sim, ret_events, max);
}

/* Lets time pass until `deadline`, more or less. */
static void pass(sim_poller *sim, int64_t deadline)
{
    if (deadline <= sim->now) {
        return;
    }
    int64_t left = deadline - sim->now;
    if (sim->options.seed && dice(sim, 4) == 0) {
        deadline = sim->now + (int64_t)dice(sim, (uint64_t)left); /* woken for nothing */
    } else if (sim->options.late && deadline < WEFT_BACKEND_NEVER - INT32_MAX * INT64_C(1000)) {
        deadline += (int64_t)dice(sim, (uint64_t)sim->options.late + 1) * 1000;
    }
    sim->now = deadline;
}

static int sim_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    sim_poller *sim = be;
    int r = 0;
    if (atomic_exchange(&sim->woken, 0) && !sim->options.fds) {
        return 0;
    }
    if (sim->options.fds) {
        bool real = deadline == WEFT_BACKEND_NEVER;
        r = look(sim, real ? PATIENCE_MS : 0, ret_events, max);
        if (r != 0 || (sim->fds[0].revents && !real)) {
            return r;
        }
        if (real) { /* a wake, which other threads send, or nothing for a long time */
            return sim->fds[0].revents ? 0 : -EDEADLK;
        }
    }
    if (deadline == WEFT_BACKEND_NEVER) {
        return -EDEADLK; /* a real thread may wake us yet, but nothing real is waited for */
    }
    pass(sim, deadline);
    return 0;
}

static int sim_wake(void *be)
{
    sim_poller *sim = be;
    int saved = errno, r = 0;
    atomic_store(&sim->woken, 1);
    if (sim->wake[1] >= 0 && write(sim->wake[1], "", 1) < 0 && errno != EAGAIN) {
        r = -errno;
    }
    errno = saved;
    return r;
}

static int sim_fork_child(void *be)
{
    sim_poller *sim = be;
    atomic_store(&sim->woken, 0); /* that wake was the parent's */
    close_wake(sim);
    return sim->options.fds ? open_wake(sim) : 0;
}

static int64_t sim_now(void *be)
{
    return ((const sim_poller *)be)->now;
}

/* `count` 0 asks whether there is anything to choose at all. */
static uint32_t sim_choose(void *be, uint32_t what, uint32_t count)
{
    sim_poller *sim = be;
    if (what == WEFT_CHOOSE_FAULT) {
        if (!sim->options.faults || count < 2) {
            return sim->options.faults != 0 && count == 0;
        }
        return dice(sim, (uint64_t)sim->options.faults) ? 0 : 1 + (uint32_t)dice(sim, count - 1);
    }
    if (!sim->options.seed || count < 2) {
        return sim->options.seed != 0 && count == 0;
    }
    if (what == WEFT_CHOOSE_SHORT && dice(sim, 2)) {
        return 0; /* half of them are whole */
    }
    return what == WEFT_CHOOSE_ORDER || what == WEFT_CHOOSE_SHORT ? (uint32_t)dice(sim, count) : 0;
}

static int sim_probe(char *why, size_t size)
{
    (void)why, (void)size;
    return 0;
}

static const weft_backend_ops sim_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_VIRTUAL | WEFT_BACKEND_NANOSECONDS,
    .watch_size = sizeof(sim_watch),
    .open = sim_open,
    .close = sim_close,
    .watch = sim_watch_fd,
    .rewatch = sim_rewatch,
    .unwatch = sim_unwatch,
    .wait = sim_wait,
    .wake = sim_wake,
    .fork_child = sim_fork_child,
    .now = sim_now,
    .choose = sim_choose,
};

WEFT_BACKEND(sim)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "sim",
    .summary = "virtual time that jumps from deadline to deadline, for tests",
    .needs = "",
    .ops = &sim_ops,
    .probe = sim_probe,
};
