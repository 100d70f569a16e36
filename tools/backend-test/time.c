/* SPDX-License-Identifier: MIT
 * Groups 8 to 10: deadlines, wakes, and signals in between. */
#include "tools/backend-test/kit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Group 8. */

/* Waits until `deadline` in whatever number of waits; how late it was. */
static int64_t late(int64_t deadline)
{
    weft_backend_event event;
    int waits = 0;

    do {
        if (!CHECK(kit_wait(deadline, &event, 1) >= 0)) {
            return 0;
        }
    } while (kit_now() < deadline && ++waits < 1000);
    CHECK(waits < 100); /* early returns are allowed, a spin is not a wait */
    return kit_now() - deadline;
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

#define ROUNDS 5 /* on a machine that is busy one of them is good enough */

/* How late the system lets a thread sleep that long. */
static int64_t system_lateness(int64_t length)
{
    struct timespec left = { .tv_sec = length / SECOND, .tv_nsec = length % SECOND };
    int64_t deadline = kit_clock() + length;
    int r;

    do {
        r = nanosleep(&left, &left);
    } while (r < 0);
    return kit_clock() - deadline;
}

/* The median lateness of nine deadlines, each `length` away; `ret_system`: of as many sleeps in
 * between, and NULL: there are none. */
static int64_t median_lateness(int64_t length, int64_t (*one)(int64_t length), int64_t *ret_system)
{
    int64_t all[9], system[9];

    for (int i = 0; i < 9; i++) {
        all[i] = one(length);
        CHECK(all[i] >= 0);
        system[i] = ret_system ? system_lateness(length) : 0;
    }
    qsort(all, 9, sizeof all[0], compare);
    qsort(system, 9, sizeof system[0], compare);
    if (ret_system) {
        *ret_system = system[4];
    }
    return all[4];
}

/* A backend cannot be more punctual than a machine that has other work to do. */
void kit_keeps(int64_t length, int64_t bound, int64_t (*one)(int64_t length))
{
    int64_t median = 0, system = 0;

    for (int round = 0; round < ROUNDS; round++) {
        median = median_lateness(length, one, round ? &system : NULL);
        if (median <= bound + system) {
            return;
        }
    }
    kit_note("%lld us are kept with a median lateness of %lld us, by the system with %lld us",
             (long long)length / 1000, (long long)median / 1000, (long long)system / 1000);
    CHECK(median <= bound + system);
}

static int64_t wait_for(int64_t length)
{
    return late(kit_now() + length);
}

static int64_t resolution(void)
{
    return kit.ops->caps & WEFT_BACKEND_NANOSECONDS ? 400000 : 2 * MS;
}

static void short_deadlines(void)
{
    kit_keeps(200000, resolution(), wait_for);
    kit_keeps(1500000, resolution(), wait_for);
}

static void long_deadlines(void)
{
    kit_keeps(20 * MS, resolution() + MS, wait_for);
}

static void passed_deadlines(void)
{
    weft_backend_event event;
    int64_t begun = kit_clock();

    for (int i = 0; i < 100; i++) {
        EQUAL(kit_wait(LOOK, &event, 1), 0);
        EQUAL(kit_wait(0, &event, 1), 0);
        EQUAL(kit_wait(kit_now() - SECOND, &event, 1), 0);
        EQUAL(kit_wait(kit_now(), &event, 1), 0);
    }
    CHECK(kit_clock() - begun < 2 * SECOND);
}

static void wake_now(void *unused)
{
    (void)unused;
    CHECK(kit.ops->wake(kit.be) == 0);
}

static void no_deadline_waits(void)
{
    weft_backend_event event;
    int64_t begun = kit_clock();
    int waits = 0;

    kit_later(60, wake_now, NULL);
    while (kit_clock() - begun < 50 * MS && waits < 10000) {
        EQUAL(kit_wait(WEFT_BACKEND_NEVER, &event, 1), 0);
        waits++;
    }
    CHECK(waits < 20);
    kit_join();
}

static void far_deadlines_do_not_overflow(void)
{
    weft_backend_event event;
    int64_t begun = kit_clock();

    EQUAL(kit.ops->wake(kit.be), 0);
    EQUAL(kit_wait(WEFT_BACKEND_NEVER - 1, &event, 1), 0);
    EQUAL(kit.ops->wake(kit.be), 0);
    EQUAL(kit_wait(kit_now() + 400 * 86400 * SECOND, &event, 1), 0);
    CHECK(kit_clock() - begun < 5 * SECOND);
}

static void events_end_a_wait(void)
{
    weft_backend_event event;
    int fds[2], n = 0;
    int64_t begun = kit_clock();

    kit_pair(fds);
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    for (int i = 0; i < 5 && n == 0; i++) {
        n = kit_wait(kit_now() + LONG_WAIT, &event, 1);
    }
    EQUAL(n, 1);
    CHECK(kit_clock() - begun < MUCH_LESS);
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

/* More is ready than there is room for: the rest comes later, and all of it comes. */
static void nobody_starves(void)
{
    weft_backend_event events[3];
    bool seen[40] = { false };
    int fds[40][2], found = 0;

    if (kit.host) {
        kit_skip("a host reports all that it finds");
    }
    for (int i = 0; i < 40; i++) {
        kit_pair(fds[i]);
        EQUAL(kit_watch(i, fds[i][0], WEFT_WRITABLE), 0);
    }
    for (int i = 0; i < 40; i++) {
        int n = kit_wait(LOOK, events, 3);

        for (int j = 0; j < n; j++) {
            uint64_t number = events[j].token - TOKEN(0);

            found += number < 40 && !seen[number];
            seen[number < 40 ? number : 0] = true;
        }
    }
    EQUAL(found, 40);
    for (int i = 0; i < 40; i++) {
        EQUAL(kit_unwatch(i), 0);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static void virtual_time_jumps(void)
{
    int64_t real = kit_clock(), begun = kit_now();
    weft_backend_event event;

    if (!(kit.ops->caps & WEFT_BACKEND_VIRTUAL)) {
        kit_skip("its time is real");
    }
    for (int i = 0; i < 1000 && kit_now() < begun + 86400 * SECOND; i++) {
        CHECK(kit_wait(begun + 86400 * SECOND, &event, 1) >= 0);
    }
    EQUAL(kit_now(), begun + 86400 * SECOND);
    CHECK(kit_clock() - real < 5 * SECOND);
    EQUAL(kit_wait(WEFT_BACKEND_NEVER, &event, 1), -EDEADLK);
}

/* A host in guest mode: the guest descriptor instead of a watch. */
static void guest_descriptor_pumps(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit.ops->guest(kit.be, fds[0]), 0);
    kit.pumps = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(kit.ops->run(kit.be, LOOK) >= 0);
    }
    EQUAL(kit.pumps, 0);
    kit_put(fds[1], "x");
    for (int round = 1; round <= 3; round++) { /* it is a state, and told each time */
        for (int i = 0; i < 5 && kit.pumps < round; i++) {
            CHECK(kit.ops->run(kit.be, kit_clock() + SECOND) >= 0);
        }
        CHECK(kit.pumps >= round);
    }
    kit_take(fds[0]);
    kit.pumps = 0;
    CHECK(kit.ops->run(kit.be, LOOK) >= 0);
    EQUAL(kit.pumps, 0);
    kit_put(fds[1], "x");
    EQUAL(kit.ops->guest(kit.be, -1), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(kit.ops->run(kit.be, LOOK) >= 0);
    }
    EQUAL(kit.pumps, 0);
    close(fds[0]);
    close(fds[1]);
}

#define WAITS (KIT_OPEN | KIT_WATCH)

const struct kit_case kit_deadlines[] = {
    { "200 us and 1.5 ms are kept", short_deadlines, WAITS },
    { "20 ms are kept", long_deadlines, WAITS },
    { "one that has passed only looks", passed_deadlines, WAITS },
    { "none waits for a wake", no_deadline_waits, WAITS },
    { "far ones do not overflow", far_deadlines_do_not_overflow, WAITS },
    { "an event ends the wait", events_end_a_wait, WAITS },
    { "what found no room comes later", nobody_starves, WAITS },
    { "virtual time jumps", virtual_time_jumps, KIT_OPEN },
    { "the guest descriptor pumps", guest_descriptor_pumps, KIT_OPEN | KIT_GUEST },
    { 0 },
};

/* Group 9. */

/* Whether one wait of ten seconds, or a few that return early, ends long before. */
static bool wakes(void)
{
    weft_backend_event event;
    int64_t begun = kit_clock();

    EQUAL(kit_wait(kit_now() + LONG_WAIT, &event, 1), 0);
    return kit_clock() - begun < MUCH_LESS;
}

/* Whether waits do wait again: at least one of several lasts. */
static bool rests(void)
{
    weft_backend_event event;
    int64_t begun;

    for (int i = 0; i < 10; i++) {
        begun = kit_clock();
        EQUAL(kit_wait(kit_now() + 20 * MS, &event, 1), 0);
        if (kit_clock() - begun > 10 * MS) {
            return true;
        }
    }
    return false;
}

static void before_a_wait(void)
{
    EQUAL(kit.ops->wake(kit.be), 0);
    CHECK(wakes());
    CHECK(rests());
    for (int i = 0; i < 10000; i++) {
        if (!EQUAL(kit.ops->wake(kit.be), 0)) {
            break;
        }
    }
    CHECK(wakes());
    CHECK(rests());
}

static void during_a_wait(void)
{
    kit_later(30, wake_now, NULL);
    CHECK(wakes());
    kit_join();
}

#define THREADS 100

static int woken; /* by how many threads, under the lock of the counter */

static void *wake_often(void *unused)
{
    for (int i = 0; i < 100; i++) {
        if (kit.ops->wake(kit.be) == 0) {
            __atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
        }
    }
    return unused;
}

static void from_many_threads(void)
{
    pthread_t threads[THREADS];
    weft_backend_event event;

    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, wake_often, NULL) == 0);
    }
    while (__atomic_load_n(&woken, __ATOMIC_RELAXED) < 50 * THREADS) {
        EQUAL(kit_wait(kit_now() + MS, &event, 1), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQUAL(woken, 100 * THREADS);
    EQUAL(kit.ops->wake(kit.be), 0);
    CHECK(wakes());
    CHECK(rests());
}

static volatile sig_atomic_t handled;

static void wake_by_signal(int number)
{
    (void)number;
    handled++;
    if (kit.ops->wake(kit.be) < 0) {
        _exit(1);
    }
}

static pthread_t waiting;

static void send_signal(void *unused)
{
    (void)unused;
    pthread_kill(waiting, SIGUSR1);
}

static void from_a_signal_handler(void)
{
    const struct sigaction action = { .sa_handler = wake_by_signal, .sa_flags = SA_RESTART };

    sigaction(SIGUSR1, &action, NULL);
    waiting = pthread_self();
    kit_later(30, send_signal, NULL);
    while (!handled) {
        CHECK(wakes());
    }
    kit_join();
    errno = 77;
    raise(SIGUSR1);
    EQUAL(errno, 77); /* it keeps errno */
    CHECK(wakes());
    signal(SIGUSR1, SIG_DFL);
}

static void beside_events(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    kit_put(fds[1], "x");
    EQUAL(kit.ops->wake(kit.be), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    kit_take(fds[0]);
    CHECK(kit_quiet(0)); /* no token of the wake's own */
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

const struct kit_case kit_waking[] = {
    { "one before the wait ends it, many count once", before_a_wait, WAITS },
    { "one during the wait ends it", during_a_wait, WAITS },
    { "a hundred threads may wake", from_many_threads, WAITS },
    { "a signal handler may wake", from_a_signal_handler, WAITS },
    { "a wake hides no event and is none", beside_events, WAITS },
    { 0 },
};

/* Group 10. */

static void count_signal(int number)
{
    (void)number;
    handled++;
}

static void interrupted_waits(void)
{
    const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
    const struct sigaction action = { .sa_handler = count_signal };
    int64_t end = kit_clock() + 100 * MS;
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    handled = 0;
    while (kit_clock() < end || (handled <= 10 && kit_clock() < end + 5 * SECOND)) {
        weft_backend_event event;

        EQUAL(kit_wait(kit_now() + 20 * MS, &event, 1), 0); /* never -EINTR */
    }
    kit_put(fds[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_DFL);
    CHECK(handled > 10);
    close(fds[0]);
    close(fds[1]);
}

/* Another process stops this one in the middle of a wait, and lets it go on. */
static void stopped_and_continued(void)
{
    pid_t own = getpid(), child = fork();
    int64_t begun = kit_clock();
    weft_backend_event event;

    if (child == 0) {
        usleep(20000);
        kill(own, SIGSTOP);
        usleep(50000);
        kill(own, SIGCONT);
        _exit(0);
    }
    while (kit_clock() - begun < 120 * MS) {
        EQUAL(kit_wait(kit_now() + 30 * MS, &event, 1), 0);
    }
    waitpid(child, NULL, 0);
}

const struct kit_case kit_signals[] = {
    { "a storm of signals is no error", interrupted_waits, WAITS },
    { "SIGSTOP and SIGCONT are no event", stopped_and_continued, WAITS },
    { 0 },
};
