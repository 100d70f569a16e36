/* SPDX-License-Identifier: MIT
 * Cancelling those who await others: the cancel is passed on and the await goes on until the other
 * has ended; my fate and my child's. */
#include "tests/task/task.h"

/* A task that cleans up when it is cancelled. */
WEFT_ASYNC(cleans_up, (int, turns), (int, status))
{
    int r = weft_sleep(1e6);

    EQUAL(r, -ECANCELED);
    while (turns-- > 0) {
        note("cleaning");
        weft_sleep(0);
    }
    note("clean");
    return status;
}

WEFT_ASYNC(awaits_and_notes, (weft_task *, target))
{
    int r = weft_await(target);

    note("awaiter");
    return r;
}

IN_TASK(the_cancel_is_passed_on_and_the_awaiter_waits)
{
    weft_task *target = weft_create_task(cleans_up(2, -ECANCELED), NULL);
    weft_task *task = weft_create_task(awaits_and_notes(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(target), 1);
    EQUAL(weft_await(task), -ECANCELED);
    HAPPENED("cleaning cleaning clean awaiter");
}

IN_TASK(the_status_is_the_targets)
{
    weft_task *target = weft_create_task(cleans_up(1, 17), NULL);
    weft_task *task = weft_create_task(awaits_and_notes(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 17);
    HAPPENED("cleaning clean awaiter");
}

WEFT_ASYNC(awaits_late, (weft_task *, target))
{
    weft_sleep(0);
    return weft_await(target);
}

IN_TASK(one_that_was_cancelled_before_passes_it_on_when_it_awaits)
{
    weft_task *target = weft_create_task(cleans_up(1, 18), NULL);
    weft_task *task = weft_create_task(awaits_late(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(target), 0);
    EQUAL(weft_await(task), 18);
    HAPPENED("cleaning clean");
}

IN_TASK(a_chain_is_cancelled_to_its_end)
{
    weft_task *task = weft_create_task(cleans_up(1, -ECANCELED), NULL);

    for (int i = 0; i < 50; i++) {
        task = weft_create_task(awaits_task(task), NULL);
    }
    give_way(1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    HAPPENED("cleaning clean");
}

IN_TASK(all_who_await_a_cancelled_task_are_told)
{
    weft_task *target = weft_create_task(cleans_up(0, -ECANCELED), NULL);
    weft_task *a = weft_create_task(awaits_and_notes(weft_task_ref(target)), NULL);
    weft_task *b = weft_create_task(awaits_and_notes(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(a), 0); /* one awaiter's cancel reaches the other through the target */
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(weft_task_cancelling(b), -ESRCH);
    EQUAL(weft_await(a), -ECANCELED);
    HAPPENED("clean awaiter awaiter");
}

IN_TASK(cancelling_the_target_is_a_status_for_the_awaiter)
{
    weft_task *target = weft_create_task(cleans_up(0, -ECANCELED), NULL);
    weft_task *task = weft_create_task(awaits_and_notes(weft_task_ref(target)), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(target), 0);
    EQUAL(weft_await(target), -ECANCELED);
    EQUAL(weft_task_cancelling(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    HAPPENED("clean awaiter");
}

IN_TASK(a_second_cancel_is_not_passed_on)
{
    weft_task *target = weft_create_task(cleans_up(2, 0), NULL);
    weft_task *task = weft_create_task(awaits_and_notes(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(task), 2);
    EQUAL(weft_task_cancelling(target), 1);
    EQUAL(weft_await(task), 0);
    HAPPENED("cleaning cleaning clean awaiter");
}

WEFT_ASYNC(recovers_and_sleeps, (int, status))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.001), 0);
    return status;
}

IN_TASK(a_target_that_refuses_is_waited_for)
{
    weft_task *target = weft_create_task(recovers_and_sleeps(19), NULL);
    weft_task *task = weft_create_task(awaits_task(target), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 19);
}

/* Coroutines on the same stack. */

WEFT_ASYNC(sleeps_inside)
{
    EQUAL(weft_await(sleeps(1e6)), -ECANCELED);
    EQUAL(weft_await(gives(3)), 3); /* awaiting a coroutine is no cancellation point */
    return weft_await(sleeps(0));
}

IN_TASK(the_wait_may_be_in_an_inner_coroutine)
{
    weft_task *task = weft_create_task(sleeps_inside(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

/* Futures. */

IN_TASK(the_future_that_it_awaits_is_cancelled)
{
    weft_future *future = NULL;
    weft_task *task;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(awaits_future(weft_future_ref(future)), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_future_cancelled(future), true);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_await(future), -ECANCELED);
}

WEFT_ASYNC(awaits_future_late, (weft_future *, future))
{
    EQUAL(weft_sleep(0), -ECANCELED);
    return weft_await(future);
}

IN_TASK(a_cancelled_task_cancels_the_future_that_it_comes_to)
{
    weft_future *future = NULL;
    weft_task *task;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(awaits_future_late(future), NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_future_set_exception(future, -EIO), -EALREADY);
    EQUAL(weft_future_status(future), -ESRCH);
}

/* Whose fate. */

static int child_status;

WEFT_ASYNC(tells_fates_apart, (weft_task *, child))
{
    child_status = 77;
    return weft_await_status(child, &child_status);
}

IN_TASK(my_child_was_cancelled_and_i_was_not)
{
    weft_task *child = weft_create_task(sleeps(1e6), NULL);
    weft_task *task = weft_create_task(tells_fates_apart(weft_task_ref(child)), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(child), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(child_status, -ECANCELED);
    EQUAL(weft_await(child), -ECANCELED);
}

IN_TASK(i_was_cancelled_and_my_child_with_me)
{
    weft_task *task =
        weft_create_task(tells_fates_apart(weft_create_task(sleeps(1e6), NULL)), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(child_status, -ECANCELED);
}

IN_TASK(i_was_cancelled_and_my_child_ended_well)
{
    weft_task *task =
        weft_create_task(tells_fates_apart(weft_create_task(cleans_up(1, 20), NULL)), NULL);

    give_way(1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(child_status, 20);
    HAPPENED("cleaning clean");
}

IN_TASK(nobody_was_cancelled)
{
    weft_task *child = weft_create_task(gives(-EIO), NULL);
    weft_task *task = weft_create_task(tells_fates_apart(child), NULL);

    EQUAL(weft_await(task), 0);
    EQUAL(child_status, -EIO);
}

WEFT_ASYNC(tells_fates_of_a_future, (weft_future *, future))
{
    child_status = 77;
    return weft_await_status(future, &child_status);
}

IN_TASK(a_futures_fate)
{
    weft_future *future = NULL;
    weft_task *task;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(tells_fates_of_a_future(future), NULL);
    weft_sleep(0);
    EQUAL(weft_future_cancel(future), 0);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_await(task), 0);
    EQUAL(child_status, -ECANCELED);

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(tells_fates_of_a_future(future), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(child_status, -ECANCELED);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
}

WEFT_ASYNC(tells_fates_of_a_coroutine)
{
    child_status = 77;
    return weft_await_status(sleeps_then(1e6, 3), &child_status);
}

IN_TASK(a_coroutines_fate_is_mine)
{
    weft_task *task = weft_create_task(tells_fates_of_a_coroutine(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(child_status, -ECANCELED);
}

/* A ring of tasks that await each other never ends, but can be asked to. */

static weft_task *ring[3];

WEFT_ASYNC(awaits_the_next, (int, i))
{
    weft_sleep(0);
    return weft_await(weft_task_ref(ring[(i + 1) % 3]));
}

IN_LOOP(a_ring_of_awaits_is_left_when_the_loop_closes)
{
    for (int i = 0; i < 3; i++) {
        ring[i] = weft_loop_create_task(loop, awaits_the_next(i), NULL);
    }
    EQUAL(run(sleeps(0)), 0);
    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_cancel(ring[0]), 0); /* goes round once and comes to rest */
    EQUAL(weft_task_cancelling(ring[0]), 2);
    EQUAL(weft_task_cancelling(ring[1]), 1);
    EQUAL(weft_task_cancelling(ring[2]), 1);
    EQUAL(run(sleeps(0)), 0);
    close_loop();
    for (int i = 0; i < 3; i++) {
        const struct said *said = next_report();

        EQUAL(said->kind, WEFT_REPORT_PENDING);
        SAME(said->waiting, "task");
    }
}

static CU_TestInfo tests[] = {
    TEST(the_cancel_is_passed_on_and_the_awaiter_waits),
    TEST(the_status_is_the_targets),
    TEST(one_that_was_cancelled_before_passes_it_on_when_it_awaits),
    TEST(a_chain_is_cancelled_to_its_end),
    TEST(all_who_await_a_cancelled_task_are_told),
    TEST(cancelling_the_target_is_a_status_for_the_awaiter),
    TEST(a_second_cancel_is_not_passed_on),
    TEST(a_target_that_refuses_is_waited_for),
    TEST(the_wait_may_be_in_an_inner_coroutine),
    TEST(the_future_that_it_awaits_is_cancelled),
    TEST(a_cancelled_task_cancels_the_future_that_it_comes_to),
    TEST(my_child_was_cancelled_and_i_was_not),
    TEST(i_was_cancelled_and_my_child_with_me),
    TEST(i_was_cancelled_and_my_child_ended_well),
    TEST(nobody_was_cancelled),
    TEST(a_futures_fate),
    TEST(a_coroutines_fate_is_mine),
    TEST(a_ring_of_awaits_is_left_when_the_loop_closes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(cancel_await, tests)
