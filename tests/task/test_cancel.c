/* SPDX-License-Identifier: MIT
 * Cancellation is a state: what it does to waits, and how it is counted. */
#include "tests/task/task.h"

/* Before the first turn. */

WEFT_ASYNC(notes_its_waits)
{
    note("begun");
    EQUAL(weft_sleep(1), -ECANCELED);
    EQUAL(weft_sleep(0), -ECANCELED);
    note("ended");
    return 3;
}

IN_TASK(a_task_that_is_cancelled_before_it_began_begins)
{
    weft_task *task = weft_create_task(notes_its_waits(), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(task), 1);
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_task_cancelled(task), false);
    HAPPENED("");
    EQUAL(weft_await(task), 3);
    HAPPENED("begun ended");
}

/* In a sleep. */

IN_TASK(a_sleep_is_cut_short)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);
    double before = weft_loop_time(NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_done(task), false); /* it runs when its turn comes */
    EQUAL(weft_await(task), -ECANCELED);
    CHECK(weft_loop_time(NULL) - before < 1e5);
}

IN_TASK(a_task_that_ended_cancelled_says_so)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    EQUAL(weft_task_cancel(task), 0);
    give_way(3);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_cancelled(task), true);
    EQUAL(weft_task_status(task), -ECANCELED);
    EQUAL(weft_await(task), -ECANCELED);
}

IN_TASK(one_that_ended_otherwise_was_not_cancelled)
{
    weft_task *task = weft_create_task(notes_its_waits(), NULL);

    EQUAL(weft_task_cancel(task), 0);
    give_way(4);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_cancelled(task), false);
    EQUAL(weft_await(task), 3);
    HAPPENED("begun ended");
}

IN_TASK(what_has_ended_cannot_be_cancelled)
{
    weft_task *task = weft_create_task(gives(1), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), -ESRCH);
    EQUAL(weft_task_cancelled(task), false);
    EQUAL(weft_await(task), 1);
    EQUAL(weft_task_cancel(task), -ESRCH);
}

/* Each new wait. */

static int waits_failed;

WEFT_ASYNC(waits_on, (int, times))
{
    for (int i = 0; i < times; i++) {
        waits_failed += weft_sleep(i % 2 ? 1 : 0) == -ECANCELED;
    }
    return 0;
}

IN_TASK(each_new_wait_fails)
{
    weft_task *task = weft_create_task(waits_on(10), NULL);

    waits_failed = 0;
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(waits_failed, 10);
}

WEFT_ASYNC(fails_to_wait, (const char *, word), (int, times))
{
    while (times-- > 0) {
        note(word);
        weft_sleep(1);
    }
    return 0;
}

IN_TASK(a_wait_that_fails_gives_way_first)
{
    weft_task *a = weft_create_task(fails_to_wait("a", 3), NULL);
    weft_task *b = weft_create_task(fails_to_wait("b", 3), NULL);

    EQUAL(weft_task_cancel(a), 0);
    EQUAL(weft_task_cancel(b), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b a b a b");
}

WEFT_ASYNC(awaits_a_done_one, (weft_task *, done), (weft_future *, future))
{
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_await(done), 7);
    EQUAL(weft_await(future), 0);
    EQUAL(weft_await(gives(8)), 8);
    return 0;
}

IN_TASK(what_is_done_gives_its_result)
{
    weft_task *done = weft_create_task(gives(7), NULL), *task;
    weft_future *future = NULL;

    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_future_set_result(future, NULL), 0);
    weft_sleep(0);
    task = weft_create_task(awaits_a_done_one(done, future), NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
}

/* The count. */

IN_TASK(cancels_are_counted)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    EQUAL(weft_task_cancelling(task), 0);
    EQUAL(weft_task_uncancel(task), 0); /* never below */
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(task), 3);
    EQUAL(weft_task_uncancel(task), 2);
    EQUAL(weft_task_cancelling(task), 2);
    EQUAL(weft_await(task), -ECANCELED);
}

WEFT_ASYNC(recovers)
{
    weft_task *self = weft_current_task();

    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancelling(self), 2);
    EQUAL(weft_task_uncancel(self), 1);
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_task_uncancel(self), 0);
    EQUAL(weft_task_uncancel(self), 0);
    EQUAL(weft_sleep(0.001), 0);
    return 4;
}

IN_TASK(at_zero_the_task_may_wait_again)
{
    weft_task *task = weft_create_task(recovers(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 4);
}

IN_TASK(a_cancel_that_is_taken_back_in_time_did_nothing)
{
    weft_task *task = weft_create_task(sleeps_then(0.001, 2), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_uncancel(task), 0);
    EQUAL(weft_await(task), 2);
}

WEFT_ASYNC(is_hit_twice)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancelling(weft_current_task()), 1);
    return 5;
}

IN_TASK(a_task_that_recovered_can_be_cancelled_again)
{
    weft_task *task = weft_create_task(is_hit_twice(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    give_way(2);
    EQUAL(weft_task_cancelling(task), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 5);
}

WEFT_ASYNC(cancels_itself)
{
    EQUAL(weft_task_cancel(weft_current_task()), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    return weft_sleep(0);
}

IN_TASK(a_task_may_cancel_itself)
{
    EQUAL(weft_await(weft_create_task(cancels_itself(), NULL)), -ECANCELED);
}

/* Completed wins. */

IN_TASK(giving_way_has_no_result_to_lose)
{
    weft_task *task = weft_create_task(sleeps_then(0, 6), NULL);

    weft_sleep(0);                     /* it is in weft_sleep(0), and ready */
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

static weft_task *victim;

static void cancel_victim(void *unused)
{
    (void)unused;
    EQUAL(weft_task_cancel(victim), 0);
}

WEFT_ASYNC(sleeps_twice)
{
    EQUAL(weft_sleep(0.01), 0); /* over in the same tick in which the cancel came */
    EQUAL(weft_sleep(0.01), -ECANCELED);
    return 1;
}

IN_TASK(a_cancel_that_comes_behind_the_end_of_a_wait_is_for_the_next)
{
    double when = weft_loop_time(NULL) + 0.01;

    if (!is_virtual()) {
        return; /* equal deadlines need a clock that stands still */
    }
    victim = weft_create_task(sleeps_twice(), NULL);
    weft_sleep(0);
    EQUAL(weft_loop_call_at(NULL, when, cancel_victim, NULL, NULL), 0);
    EQUAL(weft_await(victim), 1);
}

WEFT_ASYNC(awaits_then_sleeps, (weft_future *, future))
{
    EQUAL(weft_await(future), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    return 1;
}

IN_TASK(a_future_that_was_set_before_the_cancel_gives_its_result)
{
    weft_future *future = NULL;
    weft_task *task;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(awaits_then_sleeps(future), NULL);
    weft_sleep(0);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 1);
}

static CU_TestInfo tests[] = {
    TEST(a_task_that_is_cancelled_before_it_began_begins),
    TEST(a_sleep_is_cut_short),
    TEST(a_task_that_ended_cancelled_says_so),
    TEST(one_that_ended_otherwise_was_not_cancelled),
    TEST(what_has_ended_cannot_be_cancelled),
    TEST(each_new_wait_fails),
    TEST(a_wait_that_fails_gives_way_first),
    TEST(what_is_done_gives_its_result),
    TEST(cancels_are_counted),
    TEST(at_zero_the_task_may_wait_again),
    TEST(a_cancel_that_is_taken_back_in_time_did_nothing),
    TEST(a_task_that_recovered_can_be_cancelled_again),
    TEST(a_task_may_cancel_itself),
    TEST(giving_way_has_no_result_to_lose),
    TEST(a_cancel_that_comes_behind_the_end_of_a_wait_is_for_the_next),
    TEST(a_future_that_was_set_before_the_cancel_gives_its_result),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(cancel, tests)
