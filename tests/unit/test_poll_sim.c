/* SPDX-License-Identifier: MIT
 * The sim backend through its descriptor: virtual time. */
#include "tests/unit/test_poll.h"

#include <pthread.h>
#include <sched.h>

static void open_sim(const char *options)
{
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        if (strcmp(backend->name, "sim") == 0) {
            break;
        }
    }
    ops = backend->ops;
    CHECK(ops->caps == (WEFT_BACKEND_VIRTUAL | WEFT_BACKEND_NANOSECONDS));
    CHECK(open_with(options, &be) == 0);
}

static void close_sim(void)
{
    ops->close(be);
    CHECK(live_blocks == 0);
}

static int wait_until(int64_t deadline)
{
    weft_backend_event event;
    return ops->wait(be, deadline, &event, 1);
}

static void time_begins_at_a_round_number_and_stands_still(void)
{
    open_sim("");
    CHECK(clock_now() == 1000 * SECOND);
    CHECK(clock_now() == 1000 * SECOND);
    close_sim();
}

static void a_wait_jumps_exactly_to_its_deadline(void)
{
    static const int64_t steps[] = { 1, 999, SECOND, 86400 * 365 * SECOND };
    open_sim("");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t deadline = clock_now() + steps[i];
        CHECK(wait_until(deadline) == 0);
        CHECK(clock_now() == deadline);
    }
    CHECK(wait_until(WEFT_BACKEND_NEVER - 1) == 0);
    CHECK(clock_now() == WEFT_BACKEND_NEVER - 1);
    close_sim();
}

static void a_deadline_that_has_passed_moves_nothing(void)
{
    static const int64_t past[] = { LOOK, 0, 1000 * SECOND - 1, 1000 * SECOND };
    open_sim("");
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        CHECK(wait_until(past[i]) == 0);
        CHECK(clock_now() == 1000 * SECOND);
    }
    close_sim();
}

static void waiting_for_nothing_is_a_deadlock(void)
{
    open_sim("");
    CHECK(wait_until(WEFT_BACKEND_NEVER) == -EDEADLK);
    CHECK(clock_now() == 1000 * SECOND);
    CHECK(wait_until(WEFT_BACKEND_NEVER) == -EDEADLK);
    close_sim();
}

static void a_wake_comes_before_the_jump_and_counts_once(void)
{
    open_sim("");
    CHECK(ops->wake(be) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(wait_until(2000 * SECOND) == 0);
    CHECK(clock_now() == 1000 * SECOND);
    CHECK(wait_until(2000 * SECOND) == 0);
    CHECK(clock_now() == 2000 * SECOND);
    CHECK(ops->wake(be) == 0);
    CHECK(wait_until(WEFT_BACKEND_NEVER) == 0);
    CHECK(wait_until(WEFT_BACKEND_NEVER) == -EDEADLK);
    close_sim();
}

static void *wake_it(void *arg)
{
    (void)arg;
    return ops->wake(be) == 0 ? NULL : be;
}

static void another_thread_can_wake(void)
{
    pthread_t thread;
    void *failed = be;
    open_sim("");
    CHECK(pthread_create(&thread, NULL, wake_it, NULL) == 0);
    while (wait_until(WEFT_BACKEND_NEVER) == -EDEADLK) {
        sched_yield();
    }
    CHECK(pthread_join(thread, &failed) == 0);
    CHECK(failed == NULL);
    CHECK(wait_until(WEFT_BACKEND_NEVER) == -EDEADLK);
    close_sim();
}

static void a_forked_child_forgets_the_wake_and_keeps_the_time(void)
{
    open_sim("");
    CHECK(wait_until(1001 * SECOND) == 0);
    CHECK(ops->wake(be) == 0);
    CHECK(ops->fork_child(be) == 0);
    CHECK(wait_until(WEFT_BACKEND_NEVER) == -EDEADLK);
    CHECK(clock_now() == 1001 * SECOND);
    close_sim();
}

static void nothing_real_is_watched(void)
{
    open_sim("");
    last_detail[0] = '\0';
    CHECK(watch(1, STDIN_FILENO, WEFT_READABLE) == -EOPNOTSUPP);
    CHECK(strstr(last_detail, "sim") != NULL);
    close_sim();
}

static void the_start_can_be_chosen(void)
{
    static const struct {
        const char *options;
        int64_t now;
    } good[] = {
        { "start=0", 0 },
        { "start=7", 7 * SECOND },
        { "start=0042", 42 * SECOND },
        { "start=4000000000", 4000000000 * SECOND },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        open_sim(good[i].options);
        CHECK(clock_now() == good[i].now);
        CHECK(wait_until(good[i].now + 1) == 0);
        CHECK(clock_now() == good[i].now + 1);
        close_sim();
    }
}

static void another_start_is_refused_in_words(void)
{
    static const char *const bad[] = { "start", "start=", "start=x", "start=-1", "start=+1",
        "start= 1", "start=1 ", "start=1.5", "start=4000000001", "start=99999999999999999999999999",
        "start=1,start=2", "seed=", "seed=x", "seed=rand", "seed=1,seed=1", "seed=1,",
        ",seed=1", "faults=-1", "fds=2", "Start=1", "=", " " };
    open_sim("");
    close_sim();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *untouched = NULL;
        last_detail[0] = '\0';
        CHECK(open_with(bad[i], &untouched) == -EINVAL);
        CHECK(untouched == NULL);
        CHECK(strstr(last_detail, "start=SECONDS") != NULL);
        CHECK(live_blocks == 0);
    }
}

static void no_memory_is_an_error(void)
{
    void *untouched = NULL;
    open_sim("");
    close_sim();
    asked = 0;
    fault_at = 0;
    fault_error = -EIO;
    CHECK(open_with("", &untouched) == -ENOMEM);
    CHECK(untouched == NULL);
    fault_at = -1;
}

static void two_of_them_have_two_clocks(void)
{
    open_sim("");
    void *first = be;
    open_sim("");
    CHECK(wait_until(5000 * SECOND) == 0);
    CHECK(ops->now(first) == 1000 * SECOND);
    ops->close(first);
    CHECK(clock_now() == 5000 * SECOND);
    close_sim();
}

#define TEST(name) { #name, name }

static CU_TestInfo tests[] = {
    TEST(time_begins_at_a_round_number_and_stands_still),
    TEST(a_wait_jumps_exactly_to_its_deadline),
    TEST(a_deadline_that_has_passed_moves_nothing),
    TEST(waiting_for_nothing_is_a_deadlock),
    TEST(a_wake_comes_before_the_jump_and_counts_once),
    TEST(another_thread_can_wake),
    TEST(a_forked_child_forgets_the_wake_and_keeps_the_time),
    TEST(nothing_real_is_watched),
    TEST(the_start_can_be_chosen),
    TEST(another_start_is_refused_in_words),
    TEST(no_memory_is_an_error),
    TEST(two_of_them_have_two_clocks),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(poll_sim, tests)
