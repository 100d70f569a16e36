/* SPDX-License-Identifier: MIT
 * Holds on tasks: spent, added, given back, and what every call says to a stale handle. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

static void no_callback(weft_task *task, void *arg)
{
    (void)task, (void)arg;
    CHECK(false);
}

/* What every call says to a handle whose task is gone. */
static void check_gone(weft_task *task)
{
    weft_frame frame;
    void *value = &value;
    int status = 77;

    EQUAL(weft_await(task), -ESRCH);
    EQUAL(weft_await_value(task, &value), -ESRCH);
    CHECK(value == &value);
    EQUAL(weft_await_status(task, &status), -ESRCH);
    EQUAL(status, 77);
    CHECK(weft_task_ref(task) == task);
    EQUAL(weft_await(task), -ESRCH); /* that was no hold */
    CHECK(weft_task_unref(task) == NULL);
    EQUAL(weft_task_detach(task), -ESRCH);
    EQUAL(weft_task_cancel(task), -ESRCH);
    EQUAL(weft_task_uncancel(task), -ESRCH);
    EQUAL(weft_task_cancelling(task), -ESRCH);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_cancelled(task), false);
    EQUAL(weft_task_status(task), -ESRCH);
    EQUAL(weft_task_result(task, &value), -ESRCH);
    CHECK(value == &value);
    EQUAL(weft_task_add_done_callback(task, no_callback, NULL), -ESRCH);
    EQUAL(weft_task_remove_done_callback(task, no_callback, NULL), -ESRCH);
    SAME(weft_task_get_name(task), "");
    EQUAL(weft_task_set_name(task, "x"), -ESRCH);
    EQUAL(weft_task_get_stack(task, &frame, 1), -ESRCH);
    CHECK(weft_task_get_loop(task) == NULL);
}

IN_TASK(awaiting_spends_the_hold)
{
    weft_task *task = weft_create_task(sleeps(0.001), NULL);

    EQUAL(weft_await(task), 0);
    check_gone(task);
}

IN_TASK(awaiting_an_ended_one_spends_the_hold)
{
    weft_task *task = weft_create_task(gives(1), NULL);

    weft_sleep(0);
    EQUAL(weft_await(task), 1);
    check_gone(task);
}

IN_TASK(a_stale_handle_is_never_another_task)
{
    weft_task *old[200];

    for (int i = 0; i < 200; i++) {
        weft_task *next = weft_create_task(gives(i), NULL); /* in the same place, most likely */

        for (int j = 0; j < i; j++) {
            CHECK(old[j] != next);
            EQUAL(weft_task_status(old[j]), -ESRCH);
            EQUAL(weft_task_cancel(old[j]), -ESRCH);
            weft_task_unref(old[j]);
        }
        old[i] = next;
        EQUAL(weft_await(next), i);
    }
}

IN_TASK(a_detached_task_runs_on)
{
    int done = 0;
    weft_task *task = weft_create_task(notes("ran"), NULL);

    EQUAL(weft_task_detach(task), 0);
    EQUAL(weft_task_detach(task), -ESRCH);
    EQUAL(weft_await(task), -ESRCH);
    EQUAL(weft_task_done(task), false); /* it is there, without a hold */
    EQUAL(weft_task_status(task), -EINPROGRESS);
    EQUAL(weft_task_set_name(task, "free"), 0);
    weft_sleep(0);
    check_gone(task);
    EQUAL(done, 0);
    HAPPENED("ran");
}

IN_TASK(detaching_an_ended_task_lets_it_go)
{
    weft_task *task = weft_create_task(gives(3), NULL);

    weft_sleep(0);
    EQUAL(weft_task_detach(task), 0);
    check_gone(task);
}

IN_TASK(each_hold_is_good_for_one_await)
{
    weft_task *task = weft_create_task(gives(8), NULL);

    CHECK(weft_task_ref(task) == task);
    CHECK(weft_task_ref(task) == task);
    EQUAL(weft_await(task), 8);
    EQUAL(weft_task_status(task), 8);
    EQUAL(weft_await(task), 8);
    EQUAL(weft_await(task), 8);
    check_gone(task);
}

IN_TASK(unref_gives_one_hold_back)
{
    weft_task *task = weft_task_ref(weft_create_task(gives(8), NULL));

    CHECK(weft_task_unref(task) == NULL);
    EQUAL(weft_await(task), 8);
    check_gone(task);
}

IN_TASK(without_a_hold_a_task_can_be_cancelled_but_not_awaited)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    EQUAL(weft_task_detach(task), 0);
    EQUAL(weft_await(task), -ESRCH);
    CHECK(weft_task_unref(task) == NULL);
    CHECK(weft_task_unref(task) == NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_cancelling(task), 1);
    weft_sleep(0);
    check_gone(task);
}

IN_TASK(a_hold_may_come_back_while_the_task_runs)
{
    weft_task *task = weft_create_task(sleeps_then(0.001, 4), NULL);

    EQUAL(weft_task_detach(task), 0);
    EQUAL(weft_await(weft_task_ref(task)), 4);
    check_gone(task);
}

IN_TASK(detach_counts_whatever_order_the_holds_go_in)
{
    weft_task *task = weft_task_ref(weft_create_task(gives(1), NULL));

    CHECK(weft_task_unref(task) == NULL); /* not awaited, but the other is detached */
    EQUAL(weft_task_detach(task), 0);
    weft_sleep(0);
    task = weft_task_ref(weft_create_task(gives(1), NULL));
    EQUAL(weft_task_detach(task), 0);
    CHECK(weft_task_unref(task) == NULL);
    weft_sleep(0);
    check_gone(task);
    EQUAL(reports_left(), 0);
}

/* Those who cannot be. */

IN_TASK(null_is_an_error)
{
    weft_task *nothing = NULL;
    void *value = &value;

    EQUAL(weft_await(nothing), -EINVAL);
    EQUAL(weft_await_value(nothing, &value), -EINVAL);
    CHECK(weft_task_ref(NULL) == NULL);
    CHECK(weft_task_unref(NULL) == NULL);
    EQUAL(weft_task_detach(NULL), -EINVAL);
    EQUAL(weft_task_cancel(NULL), -EINVAL);
    EQUAL(weft_task_status(NULL), -EINVAL);
    EQUAL(weft_task_result(NULL, &value), -EINVAL);
    CHECK(value == &value);
    EQUAL(weft_task_done(NULL), true);
    EQUAL(weft_task_add_done_callback(NULL, no_callback, NULL), -EINVAL);
    EQUAL(weft_task_set_name(NULL, "x"), -EINVAL);
    SAME(weft_task_get_name(NULL), "");
    CHECK(weft_task_get_loop(NULL) == NULL);
    CHECK(weft_task_get_stack(NULL, NULL, 0) < 0);
}

IN_TASK(a_failed_task_says_its_error_everywhere)
{
    weft_task *failed = weft_create_task(gives(0), &(weft_task_options){ .stack_size = SIZE_MAX });
    void *value = &value;
    int status = 77;

    CHECK(weft_task_ref(failed) == failed);
    EQUAL(weft_await(failed), -EINVAL);
    EQUAL(weft_await(failed), -EINVAL);
    EQUAL(weft_await_value(failed, &value), -EINVAL);
    EQUAL(weft_await_status(failed, &status), -EINVAL);
    EQUAL(status, 77);
    EQUAL(weft_task_status(failed), -EINVAL);
    EQUAL(weft_task_detach(failed), -EINVAL);
    EQUAL(weft_task_done(failed), true);
    EQUAL(weft_task_cancelled(failed), false);
    EQUAL(weft_loop_run_until_complete(loop, weft_task_ref(failed)), -EINVAL);
    CHECK(weft_task_unref(failed) == NULL);
}

ALONE(a_failed_task_says_its_error_outside_of_tasks_too)
{
    EQUAL(weft_await(weft_create_task(gives(0), NULL)), -EPERM);
    EQUAL(weft_task_status(weft_create_task(gives(0), NULL)), -EPERM);
    EQUAL(weft_task_detach(weft_create_task(gives(0), NULL)), -EPERM);
    CHECK(weft_task_unref(weft_create_task(gives(0), NULL)) == NULL);
}

/* Outside of a task a hold is spent, too. */

IN_LOOP(awaiting_outside_a_task_spends_the_hold)
{
    weft_task *task = weft_loop_create_task(loop, gives(1), NULL);
    void *value = &value;
    int status = 77;

    CHECK(weft_task_ref(task) == task);
    CHECK(weft_task_ref(task) == task);
    EQUAL(weft_await(task), -EPERM);
    EQUAL(weft_await_value(task, &value), -EPERM);
    CHECK(value == &value);
    EQUAL(weft_await_status(task, &status), -EPERM);
    EQUAL(status, 77);
    EQUAL(run(task), -ESRCH); /* all three are gone */
    EQUAL(run(sleeps(0)), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_TASK_NEVER_AWAITED);
}

static void await_from_callback(void *task)
{
    EQUAL(weft_await((weft_task *)task), -EPERM);
    EQUAL(weft_sleep(0), -EPERM);
    EQUAL(weft_sleep(1), -EPERM);
    CHECK(weft_current_task() == NULL);
}

IN_TASK(a_callback_is_no_task)
{
    weft_task *task = weft_task_ref(weft_create_task(gives(1), NULL));

    EQUAL(weft_loop_call_soon(NULL, await_from_callback, task, NULL), 0);
    weft_sleep(0);
    EQUAL(weft_await(task), 1);
    check_gone(task);
}

IN_LOOP(handles_end_with_their_loop)
{
    weft_task *ended = weft_loop_create_task(loop, gives(1), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_status(ended), 1);
    close_loop();
    EQUAL(weft_task_status(ended), -ESRCH);
    EQUAL(weft_task_cancel(ended), -ESRCH);
    EQUAL(weft_task_detach(ended), -ESRCH);
    CHECK(weft_task_unref(ended) == NULL);
    CHECK(weft_task_get_loop(ended) == NULL);
}

static CU_TestInfo tests[] = {
    TEST(awaiting_spends_the_hold),
    TEST(awaiting_an_ended_one_spends_the_hold),
    TEST(a_stale_handle_is_never_another_task),
    TEST(a_detached_task_runs_on),
    TEST(detaching_an_ended_task_lets_it_go),
    TEST(each_hold_is_good_for_one_await),
    TEST(unref_gives_one_hold_back),
    TEST(without_a_hold_a_task_can_be_cancelled_but_not_awaited),
    TEST(a_hold_may_come_back_while_the_task_runs),
    TEST(detach_counts_whatever_order_the_holds_go_in),
    TEST(null_is_an_error),
    TEST(a_failed_task_says_its_error_everywhere),
    TEST(a_failed_task_says_its_error_outside_of_tasks_too),
    TEST(awaiting_outside_a_task_spends_the_hold),
    TEST(a_callback_is_no_task),
    TEST(handles_end_with_their_loop),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_hold, tests)
