/* SPDX-License-Identifier: MIT
 * Every built-in backend through its descriptor: how it waits, is woken, forks and fails. */
#include "tests/unit/test_poll.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Waits until `deadline` for nothing that is watched; how long that took. */
static int64_t idle_until(int64_t deadline)
{
    weft_backend_event event;
    int64_t start = clock_now();
    CHECK(ops->wait(be, deadline, &event, 1) == 0);
    return clock_now() - start;
}

/* Says whether a wake was pending: one has the next wait return long before its deadline. */
static bool was_woken(void)
{
    return idle_until(clock_now() + LONG_WAIT) < MUCH_LESS;
}

/* Says that none was: a wait that is not woken ends at its deadline and not before. */
static bool sleeps_on(void)
{
    int64_t deadline = clock_now() + 5 * MS;
    (void)idle_until(deadline);
    return clock_now() >= deadline;
}

ON_EACH_REAL(a_deadline_is_never_early)
{
    static const int64_t delays[] = { 1, 999, 200000, MS - 1, MS, MS + 1, 3 * MS / 2, 20 * MS };
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        int64_t deadline = clock_now() + delays[i];
        int64_t took = idle_until(deadline);
        CHECK(clock_now() >= deadline);
        CHECK(took < MUCH_LESS);
    }
}

ON_EACH_REAL(a_deadline_that_has_passed_only_looks)
{
    const int64_t past[] = { LOOK, -1, 0, 1, clock_now() - SECOND, clock_now() };
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        CHECK(idle_until(past[i]) < MUCH_LESS);
    }
}

ON_EACH_REAL(the_clock_is_read_only_where_there_is_a_deadline_to_meet)
{
    weft_backend_event event;
    long before = clock_reads;
    asked = 0;
    CHECK(ops->wait(be, LOOK, &event, 1) == 0);
    CHECK(ops->wait(be, 0, &event, 1) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(ops->wait(be, WEFT_BACKEND_NEVER, &event, 1) == 0);
    CHECK(clock_reads == before);
    CHECK(asked == 3); /* system calls: one for each wait */
    CHECK(ops->wait(be, 1, &event, 1) == 0);
    CHECK(clock_reads == before + 1);
    CHECK(asked == 4);
}

ON_EACH_REAL(the_farthest_deadline_is_no_trouble)
{
    int fds[2];
    weft_backend_event event;
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[1], WEFT_WRITABLE) == 0);
    CHECK(ops->wait(be, WEFT_BACKEND_NEVER - 1, &event, 1) == 1);
    CHECK(ops->wait(be, WEFT_BACKEND_NEVER, &event, 1) == 1);
    CHECK(unwatch(1) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(ops->wait(be, WEFT_BACKEND_NEVER - 1, &event, 1) == 0);
    close(fds[0]);
    close(fds[1]);
}

ON_EACH_REAL(a_wake_before_the_wait_counts_and_counts_once)
{
    for (int i = 0; i < 3; i++) {
        CHECK(ops->wake(be) == 0);
        CHECK(was_woken());
        CHECK(sleeps_on());
    }
}

/* 100,000: enough to fill a pipe, where the wake is one. */
ON_EACH_REAL(many_wakes_are_one)
{
    int failed = 0;
    for (int i = 0; i < 100000; i++) {
        failed += ops->wake(be) != 0;
    }
    CHECK(failed == 0);
    CHECK(was_woken());
    CHECK(sleeps_on());
    CHECK(ops->wake(be) == 0);
    CHECK(was_woken());
}

ON_EACH_REAL(a_wake_takes_no_event_away)
{
    int fds[2];
    uint32_t ready = 0;
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(write(fds[1], "x", 1) == 1);
    int number = next_event(&ready);
    if (number < 0) { /* the wake came first and left no room */
        number = next_event(&ready);
    }
    CHECK(number == 1);
    CHECK(ready == WEFT_READABLE);
    CHECK(unwatch(1) == 0);
    close(fds[0]);
    close(fds[1]);
}

ON_EACH_REAL(a_wake_keeps_errno)
{
    errno = EDOM;
    CHECK(ops->wake(be) == 0);
    CHECK(errno == EDOM);
}

static void wake_it(int signal_number)
{
    (void)signal_number;
    ops->wake(be);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

ON_EACH_REAL(a_signal_handler_can_wake)
{
    struct sigaction old, action = { .sa_handler = wake_it };
    CHECK(sigaction(SIGUSR1, &action, &old) == 0);
    errno = EDOM;
    CHECK(raise(SIGUSR1) == 0);
    CHECK(errno == EDOM);
    CHECK(sigaction(SIGUSR1, &old, NULL) == 0);
    CHECK(was_woken());
    CHECK(sleeps_on());
}

ON_EACH_REAL(an_interrupted_wait_is_no_error)
{
    struct sigaction old, action = { .sa_handler = do_nothing };
    struct itimerval again = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
    CHECK(sigaction(SIGALRM, &action, &old) == 0);
    CHECK(setitimer(ITIMER_REAL, &again, NULL) == 0);
    CHECK(idle_until(clock_now() + LONG_WAIT) < MUCH_LESS);
    CHECK(idle_until(WEFT_BACKEND_NEVER) < MUCH_LESS);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(sigaction(SIGALRM, &old, NULL) == 0);
}

#define WAKERS 4
#define ROUNDS 500

static atomic_int posted; /* by all wakers; each post is followed by a wake */
static atomic_int taken;  /* what the waiting thread has seen of them */

static void *post_and_wake(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int mine = atomic_fetch_add(&posted, 1) + 1;
        ops->wake(be);
        while (i % 2 == 0 && atomic_load(&taken) < mine) {
            sched_yield(); /* every other round, so that wakes come singly and in heaps */
        }
    }
    return NULL;
}

/* Whoever posts and then wakes is seen: the wait after the last look returns. */
ON_EACH_REAL(no_wake_from_another_thread_is_lost)
{
    pthread_t wakers[WAKERS];
    atomic_store(&posted, 0);
    atomic_store(&taken, 0);
    for (int i = 0; i < WAKERS; i++) {
        CHECK(pthread_create(&wakers[i], NULL, post_and_wake, NULL) == 0);
    }
    int lost = 0;
    while (atomic_load(&taken) < WAKERS * ROUNDS) {
        int seen = atomic_load(&posted);
        atomic_store(&taken, seen);
        if (seen < WAKERS * ROUNDS) {
            lost += !was_woken();
        }
    }
    CHECK(lost == 0);
    for (int i = 0; i < WAKERS; i++) {
        CHECK(pthread_join(wakers[i], NULL) == 0);
    }
}

/* In the child: everything anew, used and closed.  How many claims did not hold. */
static int live_in_the_child(int fd)
{
    int wrong = ops->fork_child(be) != 0;
    wrong += ready_now(1) != 0; /* forgotten */
    wrong += watch(1, fd, WEFT_READABLE) != 0;
    wrong += ready_now(1) != WEFT_READABLE;
    wrong += ops->wake(be) != 0;
    wrong += unwatch(1) != 0;
    wrong += !was_woken();
    wrong += ops->wake(be) != 0; /* one that is left */
    ops->close(be);
    return wrong;
}

ON_EACH_REAL(what_a_forked_child_does_does_not_reach_the_parent)
{
    int fds[2], status = -1;
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK(ready_now(1) == WEFT_READABLE);
    pid_t child = fork();
    if (child == 0) {
        _exit(live_in_the_child(fds[0]));
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(rewatch(1, 0) == 0);
    CHECK(sleeps_on()); /* the child's wakes were its own */
    CHECK(ops->wake(be) == 0);
    CHECK(was_woken());
    CHECK(unwatch(1) == 0);
    close(fds[0]);
    close(fds[1]);
}

static int failures; /* members that have failed, as they were told to */

/* Calls a member, and once more when it failed: with the right error, and having changed
 * nothing. */
#define TRY(expected, call)                                 \
    do {                                                    \
        int r_ = (call);                                    \
        if (r_ < 0) {                                       \
            failures++;                                     \
            CHECK(r_ == fault_error || r_ == -ENOMEM);      \
            r_ = (call);                                    \
        }                                                   \
        check(r_ == (expected), #call, __FILE__, __LINE__); \
    } while (0)

#define COPIES 40 /* enough that the arrays of poll grow twice */

/* A life in which every member is called. */
static void live(const int fds[COPIES])
{
    weft_backend_event event;
    TRY(0, open_with("", &be));
    for (int i = 0; i < COPIES; i++) {
        TRY(0, watch(i, fds[i], WEFT_READABLE));
    }
    TRY(0, rewatch(3, 0));
    TRY(0, unwatch(0));
    TRY(0, ops->wait(be, clock_now() + MS, &event, 1));
    TRY(0, ops->wait(be, LOOK, &event, 1));
    TRY(0, ops->wake(be));
    TRY(0, ops->wait(be, WEFT_BACKEND_NEVER, &event, 1));
    TRY(0, ops->fork_child(be));
    TRY(0, watch(5, fds[0], WEFT_WRITABLE));
    TRY(1, ops->wait(be, LOOK, &event, 1));
    CHECK(event.token == TOKEN(5) && event.ready == WEFT_WRITABLE);
    TRY(0, unwatch(5));
    ops->close(be);
}

/* Lets question after question be answered with a failure, once each, until a life ends before. */
static void walk(const int fds[COPIES])
{
    fault_error = -EIO;
    for (fault_at = 0;; fault_at++) {
        asked = failures = 0;
        live(fds);
        CHECK(live_blocks == 0);
        if (asked <= fault_at) {
            break;
        }
        CHECK(failures == 1);
    }
    CHECK(failures == 0);
    CHECK(fault_at > COPIES);
    fault_at = -1;
}

static void each_call_fails_once_and_can_be_repeated(void)
{
    int pair[2], fds[COPIES];
    CU_ASSERT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < COPIES; i++) {
        fds[i] = dup(pair[0]);
    }
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        ops = backend->ops;
        int before = open_descriptors();
        if ((ops->caps & WEFT_BACKEND_VIRTUAL) == 0) {
            walk(fds);
        }
        CHECK(open_descriptors() == before);
    }
    for (int i = 0; i < COPIES; i++) {
        close(fds[i]);
    }
    close(pair[0]);
    close(pair[1]);
}

/* After a fork without descriptors left: nothing works and nothing breaks, until it is called
 * again. */
ON_EACH_REAL(a_rebuilding_that_failed_can_be_repeated)
{
    weft_backend_event event;
    asked = 0;
    fault_at = 0;
    fault_error = -EMFILE;
    CHECK(ops->fork_child(be) == -EMFILE);
    fault_at = -1;
    errno = EDOM;
    CHECK(ops->wake(be) == -EBADF);
    CHECK(errno == EDOM);
    CHECK(ops->wait(be, LOOK, &event, 1) == -EBADF);
    CHECK(ops->fork_child(be) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(was_woken());
}

/* Linux before 5.11, an old seccomp filter, valgrind: epoll_pwait2 is not there.  The wait that
 * finds out asks twice; those after it go to epoll_wait at once, whose failure then is theirs. */
static void refuse_nanoseconds(int refusal)
{
    weft_backend_event event;
    int64_t deadline = clock_now() + 41 * MS / 2; /* to come, also where all is slow */
    asked = 0;
    fault_error = refusal;
    fault_at = 0;
    (void)idle_until(deadline);
    CHECK(asked == 2);
    CHECK(clock_now() >= deadline);
    fault_at = 2;
    CHECK(ops->wait(be, clock_now() + MS, &event, 1) == refusal);
    fault_at = -1;
    deadline = clock_now() + 3 * MS / 2;
    (void)idle_until(deadline);
    CHECK(clock_now() >= deadline);
    CHECK(ops->wake(be) == 0);
    CHECK(was_woken());
}

ON_EACH_REAL(nanoseconds_that_are_not_there_become_milliseconds)
{
    static const int refusals[] = { -ENOSYS, -EPERM };
    if (strcmp(backend->name, "epoll") != 0 || (ops->caps & WEFT_BACKEND_NANOSECONDS) == 0) {
        return;
    }
    void *first = be;
    for (int i = 0; i < 2; i++) {
        CHECK(open_with("", &be) == 0);
        refuse_nanoseconds(refusals[i]);
        ops->close(be);
    }
    be = first;
}

#define TEST(name) { #name, name }

static CU_TestInfo tests[] = {
    TEST(a_deadline_is_never_early),
    TEST(a_deadline_that_has_passed_only_looks),
    TEST(the_clock_is_read_only_where_there_is_a_deadline_to_meet),
    TEST(the_farthest_deadline_is_no_trouble),
    TEST(a_wake_before_the_wait_counts_and_counts_once),
    TEST(many_wakes_are_one),
    TEST(a_wake_takes_no_event_away),
    TEST(a_wake_keeps_errno),
    TEST(a_signal_handler_can_wake),
    TEST(an_interrupted_wait_is_no_error),
    TEST(no_wake_from_another_thread_is_lost),
    TEST(what_a_forked_child_does_does_not_reach_the_parent),
    TEST(each_call_fails_once_and_can_be_repeated),
    TEST(a_rebuilding_that_failed_can_be_repeated),
    TEST(nanoseconds_that_are_not_there_become_milliseconds),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(poll_wait, tests)
