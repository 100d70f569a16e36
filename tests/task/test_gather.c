/* SPDX-License-Identifier: MIT
 * Gather: several at once, of every kind; failures, cancels, elements that cannot be awaited. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

/* All end well. */

IN_TASK(statuses_stand_in_the_order_of_the_arguments)
{
    int statuses[3] = { 77, 77, 77 };

    EQUAL(weft_gather(statuses, sleeps_then(0.002, 1), sleeps_then(0.001, 2), gives(3)), 0);
    EQUAL(statuses[0], 1);
    EQUAL(statuses[1], 2);
    EQUAL(statuses[2], 3);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
}

IN_TASK(they_run_at_the_same_time)
{
    double before = weft_loop_time(NULL);

    EQUAL(weft_gather(NULL, sleeps(0.01), sleeps(0.01), sleeps(0.01), sleeps(0.01)), 0);
    CHECK(weft_loop_time(NULL) - before >= 0.01 * 0.999999);
    CHECK(!is_virtual() || weft_loop_time(NULL) - before < 0.02);
}

IN_TASK(coroutines_tasks_and_futures_may_be_mixed)
{
    weft_future *future = new_future(), *done = new_future();
    weft_task *ended = weft_create_task(gives(5), NULL);
    int statuses[6];

    set_future(done);
    weft_sleep(0);
    EQUAL(weft_loop_call_later(NULL, 0.001, set_future, future, NULL), 0);
    EQUAL(weft_gather(statuses, sleeps_then(0.001, 1), weft_create_task(sleeps_then(0, 2), NULL),
                      future, done, ended, gives(6)),
          0);
    EQUAL(statuses[0], 1);
    EQUAL(statuses[1], 2);
    EQUAL(statuses[2], 0);
    EQUAL(statuses[3], 0);
    EQUAL(statuses[4], 5);
    EQUAL(statuses[5], 6);
    EQUAL(weft_task_status(ended), -ESRCH); /* taken */
    EQUAL(weft_future_status(done), -ESRCH);
}

IN_TASK(one_and_sixteen)
{
    int statuses[16], sum = 0;

    EQUAL(weft_gather(statuses, gives(9)), 0);
    EQUAL(statuses[0], 9);
    EQUAL(weft_gather(statuses, gives(0), gives(1), gives(2), gives(3), gives(4), gives(5),
                      gives(6), gives(7), gives(8), gives(9), gives(10), gives(11), gives(12),
                      gives(13), gives(14), gives(15)),
          0);
    for (int i = 0; i < 16; i++) {
        sum += statuses[i] == i;
    }
    EQUAL(sum, 16);
}

IN_TASK(of_nothing)
{
    EQUAL(weft_gather_array(NULL, 0, NULL, 0), 0);
    EQUAL(weft_gather_array(NULL, 0, NULL, WEFT_GATHER_RETURN_ERRORS), 0);
}

IN_TASK(of_many)
{
    int n = many(1000), wrong = 0;
    weft_awaitable *xs = calloc((size_t)n, sizeof *xs);
    int *statuses = calloc((size_t)n, sizeof *statuses);

    for (int i = 0; i < n; i++) {
        xs[i] = WEFT_AWAITABLE(sleeps_then((i * 7 % 10) / 10000.0, i));
    }
    EQUAL(weft_gather_array(xs, (size_t)n, statuses, 0), 0);
    for (int i = 0; i < n; i++) {
        wrong += statuses[i] != i;
    }
    EQUAL(wrong, 0);
    free(xs);
    free(statuses);
}

IN_TASK(all_done_already)
{
    weft_future *future = new_future();
    weft_task *task = weft_create_task(gives(4), NULL);
    int statuses[2];

    set_future(future);
    weft_sleep(0);
    EQUAL(weft_gather(statuses, future, task), 0);
    EQUAL(statuses[0], 0);
    EQUAL(statuses[1], 4);
}

/* Failures. */

IN_TASK(the_first_failure_cancels_the_others_and_waits_for_them)
{
    int statuses[4];
    weft_future *future = new_future();

    EQUAL(weft_gather(statuses, stops_slowly(7), sleeps_then(0.001, -EIO), sleeps(1e6), future),
          -EIO);
    HAPPENED("stopped");
    EQUAL(statuses[0], 7);
    EQUAL(statuses[1], -EIO);
    EQUAL(statuses[2], -ECANCELED);
    EQUAL(statuses[3], -ECANCELED);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_sleep(0), 0); /* this task is not cancelled */
    EQUAL(weft_task_cancelling(weft_current_task()), 0);
}

IN_TASK(the_first_in_time_counts)
{
    EQUAL(weft_gather(NULL, stops_slowly(-EPIPE), sleeps_then(0.002, -EBADF),
                      sleeps_then(0.001, -EIO)),
          -EIO);
    HAPPENED("stopped");
    EQUAL(weft_gather(NULL, sleeps_then(0, -EPIPE), gives(-EBADF), gives(-EIO)), -EBADF);
}

IN_TASK(one_that_had_failed_before_cancels_those_before_and_behind_it)
{
    weft_task *failed = weft_create_task(gives(-EIO), NULL);
    int statuses[3];

    weft_sleep(0);
    EQUAL(weft_gather(statuses, sleeps(1e6), failed, sleeps(1e6)), -EIO);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[2], -ECANCELED);
}

IN_TASK(an_element_that_was_cancelled_is_a_failure)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_gather(NULL, sleeps(1e6), task), -ECANCELED);
    EQUAL(weft_sleep(0), 0);
}

WEFT_ASYNC(asks_why, (weft_cancel_reason *, ret_reason))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, ret_reason), 0);
    return 0;
}

IN_TASK(siblings_are_told_who_failed)
{
    weft_cancel_reason reason = { 0 };
    weft_task *bad =
        weft_create_task(sleeps_then(0.001, -EIO), &(weft_task_options){ .name = "culprit" });

    EQUAL(weft_gather(NULL, asks_why(&reason), bad), -EIO);
    EQUAL(reason.kind, WEFT_CANCEL_SIBLING);
    EQUAL(reason.status, -EIO);
    SAME(reason.by, "culprit");
    SAME(reason.coro, "sleeps_then");
}

IN_TASK(each_sibling_is_cancelled_once)
{
    weft_task *failed = weft_create_task(gives(-EIO), NULL);
    int statuses[3];

    weft_sleep(0);
    EQUAL(weft_gather(statuses, stops_slowly(1), failed, stops_slowly(2)), -EIO);
    EQUAL(statuses[0], 1); /* its uncancel() found one */
    EQUAL(statuses[2], 2);
    HAPPENED("stopped stopped");
}

/* RETURN_ERRORS. */

IN_TASK(failures_may_be_results)
{
    int statuses[4];

    EQUAL(GATHER(WEFT_GATHER_RETURN_ERRORS, statuses, WEFT_AWAITABLE(gives(-EIO)),
                 WEFT_AWAITABLE(sleeps_then(0.001, 3)), WEFT_AWAITABLE(sleeps_then(0, -ECANCELED)),
                 { NULL, 2 }),
          0);
    EQUAL(statuses[0], -EIO);
    EQUAL(statuses[1], 3);
    EQUAL(statuses[2], -ECANCELED);
    EQUAL(statuses[3], -EINVAL);
}

WEFT_ASYNC(gathers_errors, (int *, statuses))
{
    int r = GATHER(WEFT_GATHER_RETURN_ERRORS, statuses, WEFT_AWAITABLE(stops_slowly(1)),
                   WEFT_AWAITABLE(sleeps(1e6)), WEFT_AWAITABLE(gives(-EIO)));

    EQUAL(weft_task_cancelling(weft_current_task()), 1);
    return r;
}

IN_TASK(a_cancel_shows_through_even_then)
{
    int statuses[3] = { 77, 77, 77 };
    weft_task *task = weft_create_task(gathers_errors(statuses), NULL);

    give_way(3);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(statuses[0], 1);
    EQUAL(statuses[1], -ECANCELED);
    EQUAL(statuses[2], -EIO);
    HAPPENED("stopped");
}

static CU_TestInfo tests[] = {
    TEST(statuses_stand_in_the_order_of_the_arguments),
    TEST(they_run_at_the_same_time),
    TEST(coroutines_tasks_and_futures_may_be_mixed),
    TEST(one_and_sixteen),
    TEST(of_nothing),
    TEST(of_many),
    TEST(all_done_already),
    TEST(the_first_failure_cancels_the_others_and_waits_for_them),
    TEST(the_first_in_time_counts),
    TEST(one_that_had_failed_before_cancels_those_before_and_behind_it),
    TEST(an_element_that_was_cancelled_is_a_failure),
    TEST(siblings_are_told_who_failed),
    TEST(each_sibling_is_cancelled_once),
    TEST(failures_may_be_results),
    TEST(a_cancel_shows_through_even_then),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(gather, tests)
