/* SPDX-License-Identifier: MIT
 * Futures: set, awaited, looked at; callbacks; failures that nobody read. */
#include "tests/task/task.h"

#include <string.h>

static weft_future *future;

static void make(void)
{
    future = NULL;
    EQUAL(weft_future_new(NULL, &future), 0);
    CHECK(future != NULL);
}

IN_TASK(a_new_future_is_not_done)
{
    void *value = &value;

    make();
    EQUAL(weft_future_done(future), false);
    EQUAL(weft_future_cancelled(future), false);
    EQUAL(weft_future_status(future), -EINPROGRESS);
    EQUAL(weft_future_result(future, &value), -EINPROGRESS);
    CHECK(value == &value);
    CHECK(weft_future_get_loop(future) == loop);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(future), 0);
}

IN_TASK(a_result_that_was_set_is_there)
{
    int thing;
    void *value = NULL;

    make();
    EQUAL(weft_future_set_result(future, &thing), 0);
    EQUAL(weft_future_done(future), true);
    EQUAL(weft_future_cancelled(future), false);
    EQUAL(weft_future_status(future), 0);
    EQUAL(weft_future_result(future, &value), 0);
    CHECK(value == &thing);
    EQUAL(weft_future_result(future, NULL), 0);
    value = NULL;
    EQUAL(weft_await_value(future, &value), 0);
    CHECK(value == &thing);
    EQUAL(weft_future_status(future), -ESRCH);
}

IN_TASK(a_failure_that_was_set_is_there)
{
    void *value = &value;

    make();
    EQUAL(weft_future_set_exception(future, -EPIPE), 0);
    EQUAL(weft_future_done(future), true);
    EQUAL(weft_future_cancelled(future), false);
    EQUAL(weft_future_status(future), -EPIPE);
    EQUAL(weft_future_result(future, &value), -EPIPE);
    EQUAL(weft_await_value(future, &value), -EPIPE);
    CHECK(value == &value);
}

IN_TASK(only_a_failure_is_an_exception)
{
    make();
    EQUAL(weft_future_set_exception(future, 0), -EINVAL);
    EQUAL(weft_future_set_exception(future, 5), -EINVAL);
    EQUAL(weft_future_done(future), false); /* and nothing is spent */
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    EQUAL(weft_await(future), -EIO);
}

IN_TASK(a_failure_may_be_a_cancel)
{
    make();
    EQUAL(weft_future_set_exception(future, -ECANCELED), 0);
    EQUAL(weft_future_cancelled(future), true);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    weft_future_unref(future);
    EQUAL(reports_left(), 0);
}

static void set_soon(void *value)
{
    EQUAL(weft_future_set_result(future, value), 0);
    note("set");
}

IN_TASK(whoever_awaits_waits_until_it_is_set)
{
    int thing;
    void *value = NULL;

    make();
    EQUAL(weft_loop_call_later(NULL, 0.001, set_soon, &thing, NULL), 0);
    EQUAL(weft_await_value(future, &value), 0);
    note("awaited");
    CHECK(value == &thing);
    HAPPENED("set awaited");
}

static void fail_soon(void *unused)
{
    (void)unused;
    EQUAL(weft_future_set_exception(future, -EIO), 0);
}

IN_TASK(whoever_awaits_gets_the_failure)
{
    int status = 77;

    make();
    EQUAL(weft_loop_call_soon(NULL, fail_soon, NULL, NULL), 0);
    EQUAL(weft_await(future), -EIO);
    make();
    EQUAL(weft_loop_call_soon(NULL, fail_soon, NULL, NULL), 0);
    EQUAL(weft_await_status(future, &status), 0);
    EQUAL(status, -EIO);
}

WEFT_ASYNC(awaits_and_notes, (weft_future *, f), (const char *, word))
{
    int r = weft_await(f);

    note(word);
    return r;
}

IN_TASK(those_who_wait_go_on_in_the_order_in_which_they_came)
{
    weft_task *tasks[3];
    static const char *const words[] = { "a", "b", "c" };

    make();
    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(awaits_and_notes(weft_future_ref(future), words[i]), NULL);
        weft_sleep(0);
    }
    EQUAL(weft_future_set_result(future, NULL), 0);
    note("set"); /* nobody runs before its turn */
    EQUAL(weft_await(future), 0);
    for (int i = 2; i >= 0; i--) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    HAPPENED("set a b c");
}

IN_TASK(awaiting_one_that_is_done_gives_its_status_at_once)
{
    make();
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("callback"), NULL), 0);
    EQUAL(weft_await(future), 0);
    note("awaited");
    weft_sleep(0);
    HAPPENED("awaited callback");
}

/* In a loop that does not run. */

IN_LOOP(a_future_of_a_loop_that_does_not_run_yet)
{
    weft_future *f = NULL;
    int thing;
    void *value = NULL;

    EQUAL(weft_future_new(NULL, &f), -EPERM);
    CHECK(f == NULL);
    EQUAL(weft_future_new(loop, &f), 0);
    CHECK(weft_future_get_loop(f) == loop);
    CHECK(weft_future_ref(f) == f);
    EQUAL(weft_future_set_result(f, &thing), 0);
    EQUAL(weft_future_result(f, &value), 0);
    CHECK(value == &thing);
    EQUAL(run(awaits_future(f)), 0);
    EQUAL(run(f), 0);
    EQUAL(run(f), -ESRCH);
}

IN_LOOP(no_future_without_a_loop)
{
    weft_loop *closed = loop;
    weft_future *f = NULL;

    EQUAL(weft_future_new(loop, NULL), -EINVAL);
    close_loop();
    EQUAL(weft_future_new(closed, &f), -EBADF);
    CHECK(f == NULL);
}

/* Callbacks. */

static void note_done(weft_future *f, void *word)
{
    CHECK(f == future);
    EQUAL(weft_future_done(f), true);
    EQUAL(weft_sleep(0), -EPERM);
    note(word);
}

static void add(const char *word)
{
    EQUAL(weft_future_add_done_callback(future, note_done, (void *)word), 0);
}

static int drop(const char *word)
{
    return weft_future_remove_done_callback(future, note_done, (void *)word);
}

IN_TASK(callbacks_run_in_order_when_it_is_done)
{
    make();
    add("1");
    add("2");
    weft_sleep(0);
    HAPPENED("");
    EQUAL(weft_future_set_result(future, NULL), 0);
    add("3"); /* soon */
    note("set");
    weft_sleep(0);
    HAPPENED("set 1 2 3");
    EQUAL(weft_await(future), 0);
}

IN_TASK(callbacks_run_for_a_cancelled_one)
{
    make();
    add("1");
    EQUAL(weft_future_cancel(future), 0);
    weft_sleep(0);
    HAPPENED("1");
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);
    EQUAL(weft_await(future), -ECANCELED);
}

IN_TASK(callbacks_can_be_taken_back)
{
    make();
    add("1");
    add("2");
    add("1");
    EQUAL(drop("1"), 2);
    EQUAL(drop("1"), 0);
    EQUAL(drop("3"), 0);
    add("3");
    EQUAL(weft_future_set_result(future, NULL), 0);
    weft_sleep(0);
    HAPPENED("2 3");
    EQUAL(weft_await(future), 0);
}

IN_TASK(callbacks_that_are_due_can_be_taken_back)
{
    make();
    add("1");
    add("2");
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(drop("1"), 1);
    weft_sleep(0);
    HAPPENED("2");
    EQUAL(weft_await(future), 0);
}

IN_TASK(the_future_stays_until_its_callbacks_have_returned)
{
    make();
    add("1");
    add("2");
    EQUAL(weft_future_set_result(future, NULL), 0);
    weft_future_unref(future);
    weft_sleep(0);
    HAPPENED("1 2");
    EQUAL(weft_future_status(future), -ESRCH);
}

IN_TASK(callbacks_and_those_who_wait_stand_in_one_line)
{
    weft_task *task;

    make();
    add("1");
    task = weft_create_task(awaits_and_notes(weft_future_ref(future), "task"), NULL);
    weft_sleep(0);
    add("2");
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(task), 0);
    weft_sleep(0);
    HAPPENED("1 task 2");
    EQUAL(weft_await(future), 0);
}

IN_TASK(a_callback_is_needed)
{
    make();
    EQUAL(weft_future_add_done_callback(future, NULL, NULL), -EINVAL);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(future), 0);
}

IN_LOOP(callbacks_of_a_future_that_was_never_set_are_forgotten)
{
    EQUAL(weft_future_new(loop, &future), 0);
    add("never");
    close_loop();
    HAPPENED("");
}

/* Failures that nobody read. */

static void check_told(int status)
{
    const struct said *said = next_report();

    EQUAL(said->kind, WEFT_REPORT_FAILED);
    EQUAL(said->status, status);
    CHECK(strstr(said->message, "future") != NULL);
    CHECK(said->task == NULL);
    SAME(said->task_name, "");
}

IN_TASK(a_failure_that_nobody_read_is_told_once)
{
    make();
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    EQUAL(reports_left(), 0);
    weft_future_unref(future);
    check_told(-EIO);

    make();
    weft_future_unref(future);
    EQUAL(weft_future_set_exception(future, -EPIPE), 0);
    check_told(-EPIPE);
    EQUAL(reports_left(), 0);
}

IN_TASK(a_failure_that_was_read_is_not_told)
{
    make();
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    EQUAL(weft_future_status(future), -EIO);
    weft_future_unref(future);

    make();
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    EQUAL(weft_await(weft_future_ref(future)), -EIO);
    weft_future_unref(future);
    EQUAL(reports_left(), 0);
}

IN_TASK(a_cancelled_future_is_no_failure)
{
    make();
    EQUAL(weft_future_cancel(future), 0);
    EQUAL(weft_future_set_exception(future, -EIO), -EALREADY);
    weft_future_unref(future);
    EQUAL(reports_left(), 0);
}

IN_LOOP(a_failure_that_is_there_when_the_loop_closes_is_told)
{
    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    close_loop();
    check_told(-EIO);
    EQUAL(weft_future_status(future), -ESRCH);
}

static CU_TestInfo tests[] = {
    TEST(a_new_future_is_not_done),
    TEST(a_result_that_was_set_is_there),
    TEST(a_failure_that_was_set_is_there),
    TEST(only_a_failure_is_an_exception),
    TEST(a_failure_may_be_a_cancel),
    TEST(whoever_awaits_waits_until_it_is_set),
    TEST(whoever_awaits_gets_the_failure),
    TEST(those_who_wait_go_on_in_the_order_in_which_they_came),
    TEST(awaiting_one_that_is_done_gives_its_status_at_once),
    TEST(a_future_of_a_loop_that_does_not_run_yet),
    TEST(no_future_without_a_loop),
    TEST(callbacks_run_in_order_when_it_is_done),
    TEST(callbacks_run_for_a_cancelled_one),
    TEST(callbacks_can_be_taken_back),
    TEST(callbacks_that_are_due_can_be_taken_back),
    TEST(the_future_stays_until_its_callbacks_have_returned),
    TEST(callbacks_and_those_who_wait_stand_in_one_line),
    TEST(a_callback_is_needed),
    TEST(callbacks_of_a_future_that_was_never_set_are_forgotten),
    TEST(a_failure_that_nobody_read_is_told_once),
    TEST(a_failure_that_was_read_is_not_told),
    TEST(a_cancelled_future_is_no_failure),
    TEST(a_failure_that_is_there_when_the_loop_closes_is_told),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(future, tests)
