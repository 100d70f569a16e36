/* SPDX-License-Identifier: MIT
 * Gather: elements that cannot be awaited, what is taken all the same, cancels. */
#include "tests/task/task.h"

WEFT_ASYNC(asks_why, (weft_cancel_reason *, ret_reason))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, ret_reason), 0);
    return 0;
}

/* Elements that cannot be awaited. */

IN_TASK(nothing_and_the_spent_have_failed)
{
    weft_task *spent = weft_create_task(gives(0), NULL);
    weft_coro *run_already = gives(0);
    int statuses[5];

    EQUAL(weft_await(spent), 0);
    EQUAL(weft_await(run_already), 0);
    EQUAL(GATHER(WEFT_GATHER_RETURN_ERRORS, statuses, { NULL, 2 }, { NULL, 3 }, { NULL, 1 },
                 WEFT_AWAITABLE(spent), WEFT_AWAITABLE(run_already)),
          0);
    EQUAL(statuses[0], -EINVAL);
    EQUAL(statuses[1], -EINVAL);
    EQUAL(statuses[2], -EINVAL);
    EQUAL(statuses[3], -ESRCH);
    EQUAL(statuses[4], -ESRCH);
    EQUAL(GATHER(0, statuses, WEFT_AWAITABLE(sleeps(1e6)), { NULL, 2 }), -EINVAL);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(GATHER(0, statuses, { NULL, 9 }, WEFT_AWAITABLE(sleeps(1e6))), -EINVAL);
    EQUAL(statuses[1], -ECANCELED);
}

IN_TASK(a_task_cannot_gather_itself)
{
    int statuses[2];

    EQUAL(weft_gather(statuses, sleeps(1e6), weft_task_ref(weft_current_task())), -EDEADLK);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], -EDEADLK);
}

IN_TASK(one_of_another_loop_is_left_alone)
{
    weft_loop *other = open_loop();
    weft_task *foreign = weft_loop_create_task(other, gives(6), NULL);
    int statuses[2];

    EQUAL(weft_gather(statuses, foreign, sleeps(1e6)), -EXDEV);
    EQUAL(statuses[0], -EXDEV);
    EQUAL(statuses[1], -ECANCELED);
    EQUAL(weft_task_status(foreign), -EINPROGRESS);
    EQUAL(weft_task_cancelling(foreign), 0);
    EQUAL(weft_task_detach(foreign), 0); /* its hold is still there */
    EQUAL(weft_loop_close(other), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

IN_TASK(the_same_task_twice_needs_two_holds)
{
    weft_task *task = weft_create_task(sleeps_then(0.001, 4), NULL);
    int statuses[2];

    EQUAL(weft_gather(statuses, weft_task_ref(task), task), 0);
    EQUAL(statuses[0], 4);
    EQUAL(statuses[1], 4);
    EQUAL(weft_task_status(task), -ESRCH);

    task = weft_create_task(sleeps(1e6), NULL);
    EQUAL(weft_gather(statuses, task, task), -ESRCH);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], -ESRCH);
    EQUAL(weft_task_status(task), -ESRCH);

    task = weft_create_task(gives(5), NULL);
    weft_sleep(0);
    EQUAL(GATHER(WEFT_GATHER_RETURN_ERRORS, statuses, WEFT_AWAITABLE(task), WEFT_AWAITABLE(task)),
          0);
    EQUAL(statuses[0], 5);
    EQUAL(statuses[1], -ESRCH);
}

IN_TASK(the_same_future_twice_needs_two_holds)
{
    weft_future *future = new_future();
    int statuses[2];

    EQUAL(weft_loop_call_later(NULL, 0.001, set_future, future, NULL), 0);
    EQUAL(weft_gather(statuses, weft_future_ref(future), future), 0);
    EQUAL(weft_future_status(future), -ESRCH);

    future = new_future();
    EQUAL(weft_gather(statuses, future, future), -ESRCH);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], -ESRCH);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
}

IN_TASK(the_same_coroutine_twice_runs_once)
{
    weft_coro *coro = notes("ran");
    int statuses[2];

    EQUAL(GATHER(WEFT_GATHER_RETURN_ERRORS, statuses, WEFT_AWAITABLE(coro), WEFT_AWAITABLE(coro)),
          0);
    EQUAL(statuses[0], 0);
    EQUAL(statuses[1], -ESRCH);
    HAPPENED("ran");
}

IN_TASK(a_borrowed_handle_has_no_hold_to_take)
{
    weft_task_group group;
    weft_task *child;

    EQUAL(weft_task_group_enter(&group), 0);
    child = weft_task_group_create_task(&group, sleeps(0.001), NULL);
    EQUAL(weft_gather(NULL, child), -ESRCH);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

/* All is taken, whatever is wrong. */

static void dropped(void *count)
{
    ++*(int *)count;
}

static int drops;

static weft_coro *droppable(void)
{
    return weft_coro_on_drop(gives(0), dropped, &drops);
}

IN_TASK(unknown_flags_and_no_array)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);
    weft_future *future = new_future();

    drops = 0;
    EQUAL(GATHER(1u << 5, NULL, WEFT_AWAITABLE(droppable()), WEFT_AWAITABLE(task),
                 WEFT_AWAITABLE(future)),
          -EINVAL);
    EQUAL(drops, 1);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    give_way(3);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_gather_array(NULL, 3, NULL, 0), -EINVAL);
}

static void gathers_in_a_callback(void *unused)
{
    (void)unused;
    EQUAL(weft_gather(NULL, droppable()), -EPERM);
}

IN_TASK(outside_a_task)
{
    drops = 0;
    EQUAL(weft_loop_call_soon(NULL, gathers_in_a_callback, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(drops, 1);
}

ALONE(without_a_loop)
{
    drops = 0;
    EQUAL(weft_gather(NULL, droppable(), droppable()), -EPERM);
    EQUAL(drops, 2);
}

/* Cancelled. */

WEFT_ASYNC(gathers, (weft_awaitable, a), (weft_awaitable, b), (int *, statuses))
{
    return weft_gather_array((weft_awaitable[]){ a, b }, 2, statuses, 0);
}

IN_TASK(a_cancel_is_passed_on_to_all)
{
    int statuses[2] = { 77, 77 };
    weft_future *future = new_future();
    weft_task *task = weft_create_task(
        gathers(WEFT_AWAITABLE(sleeps(1e6)), WEFT_AWAITABLE(stops_slowly(3)), statuses), NULL);

    give_way(3);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], 3);
    HAPPENED("stopped");

    task = weft_create_task(gathers(WEFT_AWAITABLE(future), WEFT_AWAITABLE(sleeps(1e6)), statuses),
                            NULL);
    give_way(3);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
}

IN_TASK(who_was_cancelled_before_passes_it_on)
{
    int statuses[2] = { 77, 77 };
    weft_task *done = weft_create_task(gives(6), NULL), *task;

    weft_sleep(0);
    task = weft_create_task(gathers(WEFT_AWAITABLE(sleeps(1e6)), WEFT_AWAITABLE(done), statuses),
                            NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], 6); /* what is done gives its result */
}

IN_TASK(all_that_end_well_in_spite_of_a_cancel)
{
    int statuses[2] = { 77, 77 };
    weft_task *task = weft_create_task(
        gathers(WEFT_AWAITABLE(stops_slowly(1)), WEFT_AWAITABLE(stops_slowly(2)), statuses), NULL);

    give_way(3);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(statuses[0], 1);
    EQUAL(statuses[1], 2);
    HAPPENED("stopped stopped");
}

IN_TASK(a_deadline_around_it)
{
    weft_timeout limit;
    weft_cancel_reason reason = { 0 };

    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_timeout_exit(&limit, weft_gather(NULL, sleeps(1e6), asks_why(&reason))), -ETIMEDOUT);
    EQUAL(reason.kind, WEFT_CANCEL_AWAITER);
    SAME(reason.by, weft_task_get_name(weft_current_task()));
}

IN_TASK(gathers_nest)
{
    int statuses[2];

    EQUAL(weft_gather(
              statuses, gathers(WEFT_AWAITABLE(sleeps(0.001)), WEFT_AWAITABLE(gives(1)), NULL),
              gathers(WEFT_AWAITABLE(sleeps(1e6)), WEFT_AWAITABLE(sleeps_then(0, -EIO)), NULL)),
          -EIO);
    EQUAL(statuses[1], -EIO);
}

static CU_TestInfo tests[] = {
    TEST(nothing_and_the_spent_have_failed),
    TEST(a_task_cannot_gather_itself),
    TEST(one_of_another_loop_is_left_alone),
    TEST(the_same_task_twice_needs_two_holds),
    TEST(the_same_future_twice_needs_two_holds),
    TEST(the_same_coroutine_twice_runs_once),
    TEST(a_borrowed_handle_has_no_hold_to_take),
    TEST(unknown_flags_and_no_array),
    TEST(outside_a_task),
    TEST(without_a_loop),
    TEST(a_cancel_is_passed_on_to_all),
    TEST(who_was_cancelled_before_passes_it_on),
    TEST(all_that_end_well_in_spite_of_a_cancel),
    TEST(a_deadline_around_it),
    TEST(gathers_nest),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(gather_odd, tests)
