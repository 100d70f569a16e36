/* SPDX-License-Identifier: MIT
 * The end of weft_run(): what is left is cancelled and awaited; nothing stays installed. */
#include "tests/task/task.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const weft_run_options *options(void)
{
    static weft_run_options wanted;

    wanted = (weft_run_options){ .backend = backend(), .debug_words = "awaits" };
    return &wanted;
}

static void keep_reports(void)
{
    EQUAL(weft_loop_set_exception_handler(NULL, keep_report, NULL), 0);
}

static void leave(weft_coro *coro)
{
    EQUAL(weft_task_detach(weft_create_task(coro, NULL)), 0);
}

/* Tasks that obey. */

WEFT_ASYNC(cleans_up, (const char *, word))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_sleep(0), -ECANCELED);
    note(word);
    return -ECANCELED;
}

WEFT_ASYNC(leaves_two)
{
    keep_reports();
    leave(cleans_up("first"));
    leave(cleans_up("second"));
    weft_sleep(0);
    note("main");
    return 3;
}

ALONE(what_is_left_is_cancelled_and_awaited)
{
    EQUAL(weft_run(leaves_two(), options()), 3);
    HAPPENED("main first second");
}

WEFT_ASYNC(leaves_one_that_has_not_begun)
{
    keep_reports();
    leave(cleans_up("begun and cancelled"));
    return 0;
}

ALONE(one_that_had_not_begun_begins)
{
    EQUAL(weft_run(leaves_one_that_has_not_begun(), options()), 0);
    HAPPENED("begun and cancelled");
}

WEFT_ASYNC(makes_another_when_cancelled, (int, generations))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    if (generations > 0) {
        leave(makes_another_when_cancelled(generations - 1));
    } else {
        note("the last");
    }
    return 0;
}

WEFT_ASYNC(leaves_a_family)
{
    keep_reports();
    leave(makes_another_when_cancelled(5));
    weft_sleep(0);
    return 0;
}

ALONE(those_that_the_ending_ones_make_are_ended_too)
{
    EQUAL(weft_run(leaves_a_family(), options()), 0);
    HAPPENED("the last");
}

WEFT_ASYNC(needs_time)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.002), 0);
    note("took its time");
    return 0;
}

WEFT_ASYNC(leaves_one_that_needs_time)
{
    keep_reports();
    leave(needs_time());
    weft_sleep(0);
    return 0;
}

ALONE(one_that_needs_time_gets_it)
{
    EQUAL(weft_run(leaves_one_that_needs_time(), options()), 0);
    HAPPENED("took its time");
}

WEFT_ASYNC(fails_when_cancelled)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    return -EIO;
}

WEFT_ASYNC(leaves_one_that_fails)
{
    keep_reports();
    leave(fails_when_cancelled());
    weft_sleep(0);
    return 0;
}

ALONE(a_failure_at_the_end_is_told)
{
    EQUAL(weft_run(leaves_one_that_fails(), options()), 0);
    const struct said *said = next_report();

    EQUAL(said->kind, WEFT_REPORT_FAILED);
    EQUAL(said->status, -EIO);
    SAME(said->coro, "fails_when_cancelled");
}

WEFT_ASYNC(fails_and_leaves_two)
{
    EQUAL(weft_await(leaves_two()), 3);
    return -EPIPE;
}

ALONE(mains_failure_ends_the_others_too)
{
    EQUAL(weft_run(fails_and_leaves_two(), options()), -EPIPE);
    HAPPENED("main first second");
}

static weft_task *forgotten;

WEFT_ASYNC(forgets_a_task)
{
    keep_reports();
    forgotten = weft_create_task(sleeps(1e6), NULL);
    weft_sleep(0);
    return 0;
}

ALONE(one_that_was_cancelled_at_the_end_needs_no_await)
{
    EQUAL(weft_run(forgets_a_task(), options()), 0);
    EQUAL(reports_left(), 0);
    EQUAL(weft_task_status(forgotten), -ESRCH);
}

WEFT_ASYNC(leaves_many)
{
    keep_reports();
    for (int i = 0; i < 1000; i++) {
        leave(sleeps(1e6));
    }
    weft_sleep(0);
    return 0;
}

ALONE(many_are_ended)
{
    EQUAL(weft_run(leaves_many(), options()), 0);
}

/* Tasks that refuse. */

WEFT_ASYNC(refuses, (double, delay))
{
    weft_shield shield;

    weft_shield_enter(&shield, INFINITY);
    weft_sleep(delay);
    note("woke");
    return weft_shield_exit(&shield, 0);
}

WEFT_ASYNC(leaves_refusers, (int, n), (double, delay))
{
    keep_reports();
    for (int i = 0; i < n; i++) {
        leave(refuses(delay));
    }
    weft_sleep(0);
    return 0;
}

ALONE(the_limit_is_the_callers)
{
    weft_run_options wanted = *options();

    wanted.shutdown_timeout = -1;
    EQUAL(weft_run(leaves_refusers(1, 1e6), &wanted), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    wanted.shutdown_timeout = 0.01;
    EQUAL(weft_run(leaves_refusers(1, 1e6), &wanted), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    wanted.shutdown_timeout = INFINITY;
    EQUAL(weft_run(leaves_refusers(1, is_virtual() ? 0.9 : 0.02), &wanted), 0);
    HAPPENED("woke");
    wanted.shutdown_timeout = NAN;
    EQUAL(weft_run(gives(0), &wanted), -EINVAL);
}

ALONE(no_more_than_eight_are_named_after_a_second)
{
    weft_run_options wanted = *options();

    if (!is_virtual()) {
        return; /* more than a second */
    }
    wanted.shutdown_timeout = INFINITY;
    EQUAL(weft_run(leaves_refusers(10, 2), &wanted), 0);
    HAPPENED("woke woke woke woke woke woke woke woke woke woke");
    EQUAL(reports_left(), 9);
    for (int i = 0; i < 9; i++) {
        const struct said *said = next_report();

        EQUAL(said->kind, WEFT_REPORT_SLOW_END);
        SAME(said->message, i < 8 ? "was cancelled a second ago, when the run was over, and goes on"
                                  : "and 2 tasks more go on");
    }
}

static weft_task *ring[2];

WEFT_ASYNC(awaits_the_other, (int, i))
{
    weft_sleep(0);
    return weft_await(weft_task_ref(ring[!i]));
}

WEFT_ASYNC(leaves_a_ring)
{
    keep_reports();
    for (int i = 0; i < 2; i++) {
        ring[i] = weft_create_task(awaits_the_other(i),
                                   &(weft_task_options){ .name = i ? "right" : "left" });
    }
    weft_sleep(0);
    leave(cleans_up("obeys"));
    give_way(2);
    return 5;
}

ALONE(those_who_refuse_are_told_with_what_they_wait_for)
{
    if (!is_virtual()) {
        return; /* ten seconds */
    }
    EQUAL(weft_run(leaves_a_ring(), options()), 5);
    HAPPENED("obeys");
    EQUAL(reports_left(), 4); /* after a second, and when they are given up */
    for (int i = 0; i < 4; i++) {
        const struct said *said = next_report();

        EQUAL(said->kind, i < 2 ? WEFT_REPORT_SLOW_END : WEFT_REPORT_PENDING);
        if (i < 2) {
            SAME(said->message,
                 "was cancelled a second ago, when the run was over, and goes on; it has 9 seconds "
                 "more");
        }
        SAME(said->task_name, i % 2 ? "right" : "left");
        SAME(said->coro, "awaits_the_other");
        SAME(said->waiting, "task");
    }
}

WEFT_ASYNC(looks_away)
{
    for (;;) {
        weft_sleep(1);
    }
    return 0;
}

WEFT_ASYNC(leaves_one_that_looks_away)
{
    keep_reports();
    EQUAL(weft_task_detach(weft_create_task(looks_away(), &(weft_task_options){ .name = "busy" })),
          0);
    weft_sleep(0);
    return 6;
}

static int run_one_that_looks_away(void)
{
    weft_run_options wanted = *options();

    alarm(20); /* if it never returns */
    wanted.shutdown_timeout = 0.1;
    EQUAL(weft_run(leaves_one_that_looks_away(), &wanted), 6);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    return 0;
}

ALONE(one_that_looks_away_for_ever_is_abandoned)
{
    EQUAL(in_child(run_one_that_looks_away, NULL, 0), 0);
}

WEFT_ASYNC(awaits_for_ever)
{
    weft_future *future = NULL;

    keep_reports();
    EQUAL(weft_future_new(NULL, &future), 0);
    return weft_await(future);
}

ALONE(a_main_that_can_never_end_is_a_deadlock_in_virtual_time)
{
    if (is_virtual()) {
        EQUAL(weft_run(awaits_for_ever(), options()), -EDEADLK);
    }
}

/* weft_loop_stop() in a run. */

WEFT_ASYNC(stops_the_loop)
{
    keep_reports();
    leave(cleans_up("left"));
    weft_sleep(0);
    EQUAL(weft_loop_stop(NULL), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    note("main");
    return 0;
}

ALONE(a_stop_ends_the_run)
{
    EQUAL(weft_run(stops_the_loop(), options()), -EINTR);
    HAPPENED("main left");
}

/* Nothing stays installed. */

struct installed {
    struct sigaction segv, bus;
    stack_t stack;
    int descriptors;
};

static struct installed look(void)
{
    struct installed now;

    memset(&now, 0, sizeof now);
    EQUAL(sigaction(SIGSEGV, NULL, &now.segv), 0);
    EQUAL(sigaction(SIGBUS, NULL, &now.bus), 0);
    EQUAL(sigaltstack(NULL, &now.stack), 0);
    now.descriptors = open_descriptors();
    return now;
}

static void check_same_as(const struct installed *before)
{
    struct installed now = look();

    CHECK(now.segv.sa_handler == before->segv.sa_handler);
    CHECK(now.segv.sa_flags == before->segv.sa_flags);
    CHECK(now.bus.sa_handler == before->bus.sa_handler);
    CHECK(now.bus.sa_flags == before->bus.sa_flags);
    CHECK(now.stack.ss_flags == before->stack.ss_flags);
    CHECK(now.stack.ss_flags & SS_DISABLE || now.stack.ss_sp == before->stack.ss_sp);
    EQUAL(now.descriptors, before->descriptors);
}

static struct installed outside;

WEFT_ASYNC(looks, (bool, expected))
{
    struct installed inside = look();

    EQUAL(inside.segv.sa_handler != outside.segv.sa_handler, expected);
    EQUAL(inside.bus.sa_handler != outside.bus.sa_handler, expected);
    return 0;
}

static void own_handler(int number)
{
    (void)number;
}

ALONE(nothing_stays_installed)
{
    weft_run_options bare = { .backend = backend(), .no_overflow_report = true };

    outside = look();
    EQUAL(weft_run(gives(0), options()), 0);
    check_same_as(&outside);
    EQUAL(weft_run(gives(-EIO), options()), -EIO);
    check_same_as(&outside);
    EQUAL(weft_run(gives(0), &(weft_run_options){ .backend = "nosuch" }), -ENOENT);
    check_same_as(&outside);
    EQUAL(weft_run(looks(false), &bare), 0);
    check_same_as(&outside);
    if (!is_sanitized()) {
        EQUAL(weft_run(looks(true), options()), 0);
        check_same_as(&outside);
    }
}

ALONE(handlers_that_were_there_are_left_alone)
{
    struct sigaction own = { .sa_handler = own_handler }, old_segv, old_bus;

    sigemptyset(&own.sa_mask);
    EQUAL(sigaction(SIGSEGV, &own, &old_segv), 0);
    EQUAL(sigaction(SIGBUS, &own, &old_bus), 0);
    outside = look();
    EQUAL(weft_run(looks(false), options()), 0);
    check_same_as(&outside);
    EQUAL(sigaction(SIGSEGV, &old_segv, NULL), 0);
    EQUAL(sigaction(SIGBUS, &old_bus, NULL), 0);
}

static CU_TestInfo tests[] = {
    TEST(what_is_left_is_cancelled_and_awaited),
    TEST(one_that_had_not_begun_begins),
    TEST(those_that_the_ending_ones_make_are_ended_too),
    TEST(one_that_needs_time_gets_it),
    TEST(a_failure_at_the_end_is_told),
    TEST(mains_failure_ends_the_others_too),
    TEST(one_that_was_cancelled_at_the_end_needs_no_await),
    TEST(many_are_ended),
    TEST(the_limit_is_the_callers),
    TEST(no_more_than_eight_are_named_after_a_second),
    TEST(those_who_refuse_are_told_with_what_they_wait_for),
    TEST(a_main_that_can_never_end_is_a_deadlock_in_virtual_time),
    TEST(a_stop_ends_the_run),
    TEST(nothing_stays_installed),
    TEST(handlers_that_were_there_are_left_alone),
    TEST(one_that_looks_away_for_ever_is_abandoned),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(run_end, tests)
