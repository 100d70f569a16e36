/* SPDX-License-Identifier: MIT
 * Virtual time, for tests: a wait is over at once and the clock stands at its deadline.
 *
 * Nothing real is watched or waited for, so a program that sleeps for a week runs in a blink and
 * does the same each time.  With no deadline and no wake there is nothing left that could ever
 * happen. */
#include <weft/backend.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define START (1000 * SECOND) /* a round number: absolute times read well, and it is not 0 */
#define START_MAX 4000000000  /* seconds; as much again is left before the clock's end */

typedef struct sim_poller {
    const weft_backend_core *core;
    _Atomic int64_t now; /* other threads may ask what time it is */
    atomic_bool woken; /* the one member that other threads and signal handlers touch */
} sim_poller;

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler may wake only without locks");

/* Whole seconds in decimal; -EINVAL for all else.  No strtol: it takes blanks and signs. */
static int parse_seconds(const char *text, int64_t *ret_ns)
{
    int64_t seconds = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -EINVAL;
        }
        seconds = seconds * 10 + (*text - '0');
        if (seconds > START_MAX) {
            return -EINVAL;
        }
    }
    *ret_ns = seconds * SECOND;
    return 0;
}

static int sim_open(const weft_backend_core *core, const weft_backend_request *request,
                    void **ret_be)
{
    static const char start[] = "start=";
    const char *options = request->options;
    int64_t now = START;
    if (*options != '\0' && (strncmp(options, start, sizeof(start) - 1) != 0 ||
                             parse_seconds(options + sizeof(start) - 1, &now) < 0)) {
        core->detail("sim takes 'start=SECONDS' (0 to %lld), not '%s'", (long long)START_MAX,
                     options);
        return -EINVAL;
    }
    sim_poller *sim = core->alloc(NULL, sizeof(*sim));
    if (sim == NULL) {
        return -ENOMEM;
    }
    sim->core = core;
    atomic_init(&sim->now, now);
    atomic_init(&sim->woken, false);
    *ret_be = sim;
    return 0;
}

static int sim_close(void *be)
{
    sim_poller *sim = be;
    sim->core->alloc(sim, 0);
    return 0;
}

static int sim_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    (void)watch, (void)events, (void)token;
    sim_poller *sim = be;
    sim->core->detail(
        "the sim backend has virtual time and watches nothing real, so not descriptor %d", fd);
    return -EOPNOTSUPP;
}

/* There is no watch that these two could be called for. */
static int sim_rewatch(void *be, void *watch, uint32_t events)
{
    (void)be, (void)watch, (void)events;
    return -EOPNOTSUPP;
}

static int sim_unwatch(void *be, void *watch)
{
    (void)be, (void)watch;
    return -EOPNOTSUPP;
}

static int sim_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    (void)ret_events, (void)max;
    sim_poller *sim = be;
    if (atomic_exchange(&sim->woken, false)) {
        return 0;
    }
    if (deadline == WEFT_BACKEND_NEVER) {
        return -EDEADLK; /* a real thread may wake us yet, but nothing real is waited for */
    }
    if (deadline > sim->now) {
        sim->now = deadline;
    }
    return 0;
}

static int sim_wake(void *be)
{
    atomic_store(&((sim_poller *)be)->woken, true);
    return 0;
}

static int sim_fork_child(void *be)
{
    atomic_store(&((sim_poller *)be)->woken, false); /* that wake was the parent's */
    return 0;
}

static int64_t sim_now(void *be)
{
    return ((const sim_poller *)be)->now;
}

static int sim_probe(char *why, size_t size)
{
    (void)why, (void)size;
    return 0;
}

static const weft_backend_ops sim_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_VIRTUAL | WEFT_BACKEND_NANOSECONDS,
    .watch_size = 0,
    .open = sim_open,
    .close = sim_close,
    .watch = sim_watch,
    .rewatch = sim_rewatch,
    .unwatch = sim_unwatch,
    .wait = sim_wait,
    .wake = sim_wake,
    .fork_child = sim_fork_child,
    .now = sim_now,
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
