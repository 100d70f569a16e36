/* SPDX-License-Identifier: MIT
 * Barriers: rounds, numbers, resets, aborts, cancels. */
#include "tests/task/steps.h"

static weft_barrier barrier;

static void fresh(unsigned parties)
{
    barrier = (weft_barrier)WEFT_BARRIER_INIT(parties);
}

WEFT_ASYNC(meets)
{
    return weft_barrier_wait(&barrier);
}

WEFT_MUST_USE static weft_task *waiting(void)
{
    weft_task *task = weft_create_task(meets(), NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(all_go_on_together_each_with_a_number_of_its_own)
{
    weft_barrier_stats stats;

    fresh(3);
    EQUAL(weft_barrier_parties(&barrier), 3);
    weft_task *a = waiting(), *b = waiting();

    EQUAL(weft_barrier_n_waiting(&barrier), 2);
    weft_barrier_statistics(&barrier, &stats);
    EQUAL(stats.parties, 3);
    EQUAL(stats.waiting, 2);
    CHECK(!stats.broken);
    EQUAL(weft_barrier_wait(&barrier), 2);
    EQUAL(weft_barrier_n_waiting(&barrier), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 1);
}

IN_TASK(rounds_follow_each_other)
{
    fresh(2);
    for (int i = 0; i < 10; i++) {
        weft_task *a = waiting();

        EQUAL(weft_barrier_wait(&barrier), 1);
        EQUAL(weft_await(a), 0);
    }
}

IN_TASK(who_comes_before_all_have_gone_on_waits_for_the_next_round)
{
    fresh(2);
    weft_task *a = waiting();

    EQUAL(weft_barrier_wait(&barrier), 1);
    CHECK(!weft_task_done(a)); /* it goes on, but has not had its turn */
    weft_task *b = waiting();

    EQUAL(weft_await(a), 0);
    CHECK(!weft_task_done(b));
    EQUAL(weft_barrier_wait(&barrier), 1);
    EQUAL(weft_await(b), 0);
}

IN_TASK(a_barrier_of_one_never_waits)
{
    fresh(1);
    EQUAL(weft_barrier_wait(&barrier), 0);
    EQUAL(weft_barrier_wait(&barrier), 0);
}

IN_TASK(a_cancelled_waiter_is_not_counted_and_the_barrier_stays)
{
    fresh(3);
    weft_task *a = waiting(), *b = waiting(), *c;

    weft_task_cancel(a);
    EQUAL(weft_barrier_n_waiting(&barrier), 1);
    EQUAL(weft_await(a), -ECANCELED);
    c = waiting();
    EQUAL(weft_barrier_wait(&barrier), 2);
    EQUAL(weft_await(b), 0); /* no number is given twice */
    EQUAL(weft_await(c), 1);
    CHECK(!weft_barrier_broken(&barrier));
}

IN_TASK(who_has_its_number_keeps_it_when_it_is_cancelled_then)
{
    fresh(2);
    weft_task *a = waiting();

    EQUAL(weft_barrier_wait(&barrier), 1);
    weft_task_cancel(a);
    EQUAL(weft_await(a), 0);
}

WEFT_ASYNC(meets_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    return weft_barrier_wait(&barrier);
}

IN_TASK(a_cancelled_task_completes_no_round)
{
    fresh(1);
    EQUAL(weft_await(weft_create_task(meets_when_cancelled(), NULL)), -ECANCELED);
}

IN_TASK(a_reset_sends_all_away_and_the_barrier_stays_usable)
{
    fresh(3);
    weft_task *a = waiting(), *b = waiting(), *c;

    EQUAL(weft_barrier_reset(&barrier), 0);
    CHECK(!weft_barrier_broken(&barrier));
    EQUAL(weft_barrier_n_waiting(&barrier), 0);
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_await(b), -EPIPE);
    b = waiting();
    c = waiting();
    EQUAL(weft_barrier_wait(&barrier), 2);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 1);
}

IN_TASK(an_abort_breaks_it_until_it_is_reset)
{
    fresh(2);
    weft_task *a = waiting();

    EQUAL(weft_barrier_abort(&barrier), 0);
    CHECK(weft_barrier_broken(&barrier));
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_barrier_wait(&barrier), -EPIPE);
    EQUAL(weft_barrier_reset(&barrier), 0);
    CHECK(!weft_barrier_broken(&barrier));
    a = waiting();
    EQUAL(weft_barrier_wait(&barrier), 1);
    EQUAL(weft_await(a), 0);
}

IN_LOOP(what_is_wrong_is_told)
{
    weft_loop *second = open_loop();

    fresh(0);
    EQUAL(run(meets()), -EINVAL);
    fresh(1u << 31);
    EQUAL(run(meets()), -EINVAL);
    EQUAL(weft_barrier_wait(NULL), -EINVAL);
    EQUAL(weft_barrier_reset(NULL), -EINVAL);
    EQUAL(weft_barrier_abort(NULL), -EINVAL);
    EQUAL(weft_barrier_destroy(NULL), -EINVAL);
    fresh(2);
    EQUAL(weft_barrier_wait(&barrier), -EPERM);
    weft_task *a = weft_loop_create_task(loop, meets(), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, meets()), -EXDEV);
    EQUAL(run(meets()), 1);
    EQUAL(run(a), 0);
    weft_loop_close(second);
}

static void *aborts_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(weft_barrier_abort(&barrier), -EXDEV);
    return NULL;
}

IN_TASK(one_at_which_tasks_wait_is_not_destroyed_nor_aborted_by_another_thread)
{
    fresh(2);
    weft_task *a = waiting();

    in_thread(aborts_elsewhere, NULL);
    EQUAL(weft_barrier_destroy(&barrier), -EBUSY);
    SAME(next_report()->waiting, "barrier");
    EQUAL(weft_barrier_reset(&barrier), 0);
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_barrier_destroy(&barrier), 0);
}

/* At every step: a round comes about, or all of its tasks are cancelled. */

WEFT_ASYNC(meets_late, (double, delay))
{
    int r = weft_sleep(delay);

    r = r < 0 ? r : weft_barrier_wait(&barrier);
    step_balance += r >= 0;
    return r > 0 ? 0 : r;
}

WEFT_ASYNC(three_meet)
{
    int r;

    fresh(3);
    r = weft_gather(NULL, meets_late(0), meets_late(0.001), meets_late(0.002));
    EQUAL(weft_barrier_n_waiting(&barrier), 0);
    CHECK(step_balance == 0 || step_balance == 3);
    step_balance = 0;
    return r;
}

IN_LOOP(a_round_is_completed_by_all_or_by_none)
{
    CHECK(AT_EVERY_STEP(three_meet, 0, -ECANCELED) > 10);
}

static CU_TestInfo tests[] = {
    TEST(all_go_on_together_each_with_a_number_of_its_own),
    TEST(rounds_follow_each_other),
    TEST(who_comes_before_all_have_gone_on_waits_for_the_next_round),
    TEST(a_barrier_of_one_never_waits),
    TEST(a_cancelled_waiter_is_not_counted_and_the_barrier_stays),
    TEST(who_has_its_number_keeps_it_when_it_is_cancelled_then),
    TEST(a_cancelled_task_completes_no_round),
    TEST(a_reset_sends_all_away_and_the_barrier_stays_usable),
    TEST(an_abort_breaks_it_until_it_is_reset),
    TEST(what_is_wrong_is_told),
    TEST(one_at_which_tasks_wait_is_not_destroyed_nor_aborted_by_another_thread),
    TEST(a_round_is_completed_by_all_or_by_none),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(barrier, tests)
