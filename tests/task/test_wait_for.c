/* SPDX-License-Identifier: MIT
 * Waiting for one with a limit, and for one without owning it. */
#include "tests/task/task.h"

#include <math.h>

/* weft_wait_for(). */

IN_TASK(wait_for_gives_the_status_of_what_ends_in_time)
{
    weft_future *future = new_future();

    EQUAL(weft_wait_for(sleeps_then(0.001, 3), 1e3), 3);
    EQUAL(weft_wait_for(weft_create_task(sleeps_then(0.001, -EIO), NULL), INFINITY), -EIO);
    EQUAL(weft_loop_call_later(NULL, 0.001, set_future, future, NULL), 0);
    EQUAL(weft_wait_for(future, 1e3), 0);
    EQUAL(weft_wait_for(gives(-ECANCELED), 1e3), -ECANCELED);
    EQUAL(weft_wait_for(gives(-ETIMEDOUT), 1e3), -ETIMEDOUT);
}

IN_TASK(wait_for_cancels_what_does_not)
{
    weft_future *future = new_future();

    EQUAL(weft_wait_for(sleeps(1e6), 0.001), -ETIMEDOUT);
    EQUAL(weft_wait_for(weft_create_task(sleeps(1e6), NULL), 0.001), -ETIMEDOUT);
    EQUAL(weft_wait_for(future, 0.001), -ETIMEDOUT);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_sleep(0), 0);
}

IN_TASK(wait_for_waits_for_a_target_that_refuses_for_a_while)
{
    EQUAL(weft_wait_for(weft_create_task(stops_slowly(7), NULL), 0.001), 7);
    HAPPENED("stopped");
    EQUAL(weft_wait_for(weft_create_task(stops_slowly(-EIO), NULL), 0.001), -EIO);
    HAPPENED("stopped");
    EQUAL(weft_wait_for(weft_create_task(stops_slowly(-ECANCELED), NULL), 0.001), -ETIMEDOUT);
    HAPPENED("stopped");
}

IN_TASK(wait_for_with_no_time)
{
    static const double none[] = { 0, -1, -INFINITY };

    for (int i = 0; i < 3; i++) {
        weft_task *done = weft_create_task(gives(5), NULL);
        weft_future *future = new_future();

        weft_sleep(0);
        EQUAL(weft_wait_for(done, none[i]), 5);
        EQUAL(weft_wait_for(weft_create_task(sleeps(1e6), NULL), none[i]), -ETIMEDOUT);
        EQUAL(weft_wait_for(future, none[i]), -ETIMEDOUT);
        EQUAL(weft_future_set_result(future, NULL), -EALREADY);
        EQUAL(weft_wait_for(notes("never runs"), none[i]), -ETIMEDOUT);
    }
    HAPPENED("");
}

IN_TASK(what_wait_for_refuses_is_taken)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL),
              *spent = weft_create_task(gives(0), NULL);
    weft_coro *coro = gives(0);
    weft_future *future = new_future();

    EQUAL(weft_await(spent), 0);
    EQUAL(weft_wait_for(task, NAN), -EINVAL);
    give_way(3);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_wait_for(coro, NAN), -EINVAL);
    EQUAL(weft_await(coro), -ESRCH);
    EQUAL(weft_wait_for(future, NAN), -EINVAL);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_wait_for(spent, 1), -ESRCH);
    EQUAL(weft_wait_for((weft_task *)NULL, 1), -EINVAL);
    EQUAL(weft_wait_for((weft_coro *)NULL, 1), -EINVAL);
    EQUAL(weft_wait_for((weft_future *)NULL, 1), -EINVAL);
    EQUAL(weft_wait_for(weft_task_ref(weft_current_task()), 1), -EDEADLK);
    EQUAL(weft_sleep(0), 0);
}

WEFT_ASYNC(waits_with_limit, (weft_task *, task), (double, timeout))
{
    return weft_wait_for(task, timeout);
}

IN_TASK(a_cancel_from_outside_is_passed_on_and_is_no_timeout)
{
    weft_task *target = weft_create_task(stops_slowly(-ECANCELED), NULL);
    weft_task *task = weft_create_task(waits_with_limit(target, 1e5), NULL);

    give_way(2);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    HAPPENED("stopped");

    target =
        weft_create_task(stops_slowly(-ECANCELED), NULL); /* both: the cancel from outside wins */
    task = weft_create_task(waits_with_limit(target, 0.0001), NULL);
    give_way(2);
    EQUAL(weft_sleep(0.0005), 0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    HAPPENED("stopped");
}

IN_TASK(limits_nest)
{
    weft_timeout outer;

    EQUAL(weft_timeout_enter(&outer, 1e3), 0);
    EQUAL(weft_wait_for(sleeps(1e6), 0.001), -ETIMEDOUT);
    EQUAL(weft_timeout_exit(&outer, weft_sleep(0)), 0);
    EQUAL(weft_timeout_enter(&outer, 0.001), 0);
    EQUAL(weft_timeout_exit(&outer, weft_wait_for(sleeps(1e6), 1e3)), -ETIMEDOUT);
}

/* weft_await_shielded(). */

IN_TASK(await_shielded_gives_the_status_and_takes_nothing)
{
    weft_task *task = weft_create_task(sleeps_then(0.001, 6), NULL);
    weft_future *future = new_future();

    EQUAL(weft_await_shielded(task), 6);
    EQUAL(weft_await_shielded(task), 6);
    EQUAL(weft_await(task), 6);
    EQUAL(weft_await_shielded(task), -ESRCH);
    EQUAL(weft_loop_call_later(NULL, 0.001, set_future, future, NULL), 0);
    EQUAL(weft_await_shielded(future), 0);
    EQUAL(weft_await(future), 0);
    EQUAL(weft_await_shielded(weft_current_task()), -EDEADLK);
    EQUAL(weft_await_shielded((weft_task *)NULL), -EINVAL);
}

WEFT_ASYNC(awaits_shielded, (weft_task *, task))
{
    return weft_await_shielded(task);
}

IN_TASK(a_cancel_ends_the_wait_and_not_its_target)
{
    weft_task *target = weft_create_task(sleeps_then(0.05, 9), NULL), *task;
    weft_timeout limit;

    for (int turns = 0; turns < 3; turns++) {
        task = weft_create_task(awaits_shielded(target), NULL);
        give_way(turns);
        EQUAL(weft_task_cancel(task), 0);
        EQUAL(weft_await(task), -ECANCELED);
    }
    EQUAL(weft_timeout_enter(&limit, 0.0005), 0);
    EQUAL(weft_timeout_exit(&limit, weft_await_shielded(target)), -ETIMEDOUT);
    EQUAL(weft_task_cancelling(target), 0);
    EQUAL(weft_await(target), 9);
}

IN_TASK(a_target_that_was_cancelled_by_others)
{
    weft_task *target = weft_create_task(sleeps(1e6), NULL);
    weft_task *task = weft_create_task(awaits_shielded(target), NULL);

    give_way(2);
    EQUAL(weft_task_cancel(target), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_await(target), -ECANCELED);
}

IN_TASK(what_is_done_gives_its_status_to_who_is_cancelled)
{
    weft_task *target = weft_create_task(gives(4), NULL), *task;

    weft_sleep(0);
    task = weft_create_task(awaits_shielded(target), NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 4);
    EQUAL(weft_await(target), 4);
}

static CU_TestInfo tests[] = {
    TEST(wait_for_gives_the_status_of_what_ends_in_time),
    TEST(wait_for_cancels_what_does_not),
    TEST(wait_for_waits_for_a_target_that_refuses_for_a_while),
    TEST(wait_for_with_no_time),
    TEST(what_wait_for_refuses_is_taken),
    TEST(a_cancel_from_outside_is_passed_on_and_is_no_timeout),
    TEST(limits_nest),
    TEST(await_shielded_gives_the_status_and_takes_nothing),
    TEST(a_cancel_ends_the_wait_and_not_its_target),
    TEST(a_target_that_was_cancelled_by_others),
    TEST(what_is_done_gives_its_status_to_who_is_cancelled),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(wait_for, tests)
