/* SPDX-License-Identifier: MIT
 * Callbacks that are called when a task has ended. */
#include "tests/task/task.h"

static void note_end(weft_task *task, void *word)
{
    EQUAL(weft_task_done(task), true);
    CHECK(weft_current_task() == NULL);
    EQUAL(weft_sleep(0), -EPERM);
    note(word);
}

static void add(weft_task *task, const char *word)
{
    EQUAL(weft_task_add_done_callback(task, note_end, (void *)word), 0);
}

static int drop(weft_task *task, const char *word)
{
    return weft_task_remove_done_callback(task, note_end, (void *)word);
}

IN_TASK(callbacks_run_in_the_order_in_which_they_were_added)
{
    weft_task *task = weft_create_task(notes("task"), NULL);

    add(task, "1");
    add(task, "2");
    add(task, "3");
    add(task, "1");
    give_way(2);
    HAPPENED("task 1 2 3 1");
    EQUAL(weft_await(task), 0);
}

IN_TASK(they_are_called_in_the_loop_and_not_at_once)
{
    weft_task *task = weft_create_task(notes("task"), NULL);
    weft_task *next = weft_create_task(notes("next"), NULL);

    add(task, "callback");
    EQUAL(weft_await(next), 0);
    weft_sleep(0);
    HAPPENED("task next callback");
    EQUAL(weft_await(task), 0);
}

IN_TASK(callbacks_and_those_who_wait_stand_in_one_line)
{
    weft_future *future = NULL;
    weft_task *task, *first, *second;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(awaits_future(future), NULL);
    add(task, "1");
    first = weft_create_task(awaits_task(weft_task_ref(task)), NULL);
    weft_sleep(0);
    add(task, "2");
    second = weft_create_task(awaits_task(weft_task_ref(task)), NULL);
    weft_sleep(0);
    add(task, "3");
    add(first, "first");
    add(second, "second");
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(first), 0);
    EQUAL(weft_await(second), 0);
    give_way(2);
    HAPPENED("1 2 3 first second");
}

IN_TASK(one_that_is_added_to_an_ended_task_is_called_soon)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    weft_sleep(0);
    add(task, "1");
    EQUAL(weft_loop_call_soon(NULL, NOTED("soon"), NULL), 0);
    add(task, "2");
    HAPPENED("");
    weft_sleep(0);
    HAPPENED("1 soon 2");
    EQUAL(weft_await(task), 0);
}

static void check_arguments(weft_task *task, void *arg)
{
    CHECK(task == *(weft_task **)arg);
    EQUAL(weft_task_status(task), 7);
    note("checked");
}

IN_TASK(the_task_stays_until_its_callbacks_have_returned)
{
    weft_task *task = weft_create_task(gives(7), NULL);

    EQUAL(weft_task_add_done_callback(task, check_arguments, &task), 0);
    EQUAL(weft_task_add_done_callback(task, check_arguments, &task), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(2);
    EQUAL(weft_task_status(task), -ESRCH);
    HAPPENED("checked checked");
}

static void take_a_hold(weft_task *task, void *ret_task)
{
    *(weft_task **)ret_task = weft_task_ref(task);
}

IN_TASK(a_callback_may_take_a_hold)
{
    weft_task *kept = NULL, *task = weft_create_task(gives(7), NULL);

    EQUAL(weft_task_add_done_callback(task, take_a_hold, &kept), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(2);
    CHECK(kept == task);
    EQUAL(weft_await(kept), 7);
}

/* Taken back. */

IN_TASK(a_callback_that_was_taken_back_is_not_called)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    add(task, "1");
    add(task, "2");
    add(task, "1");
    add(task, "3");
    EQUAL(drop(task, "4"), 0);
    EQUAL(drop(task, "1"), 2);
    EQUAL(drop(task, "1"), 0);
    EQUAL(drop(task, "3"), 1);
    EQUAL(weft_task_remove_done_callback(task, check_arguments, (void *)"2"), 0);
    give_way(2);
    HAPPENED("2");
    EQUAL(drop(task, "2"), 0);
    EQUAL(weft_await(task), 0);
}

static weft_task *ended;
static int removed;

static void take_the_next_back(weft_task *task, void *unused)
{
    (void)unused;
    note("removes");
    removed = drop(task, "next");
}

IN_TASK(one_that_is_due_but_was_not_called_can_be_taken_back)
{
    ended = weft_create_task(gives(0), NULL);
    EQUAL(weft_task_add_done_callback(ended, take_the_next_back, NULL), 0);
    add(ended, "next");
    add(ended, "last");
    give_way(2);
    EQUAL(removed, 1);
    HAPPENED("removes last");
    EQUAL(weft_await(ended), 0);
}

IN_TASK(one_that_was_added_to_an_ended_task_can_be_taken_back)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    weft_sleep(0);
    add(task, "called");
    EQUAL(drop(task, "called"), 1);
    give_way(2);
    HAPPENED("");
    EQUAL(weft_await(task), 0);
}

static void take_itself_back(weft_task *task, void *arg)
{
    EQUAL(weft_task_remove_done_callback(task, take_itself_back, arg), 0);
    note("self");
}

IN_TASK(a_callback_that_runs_cannot_be_taken_back)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    EQUAL(weft_task_add_done_callback(task, take_itself_back, NULL), 0);
    give_way(2);
    HAPPENED("self");
    EQUAL(weft_await(task), 0);
}

static void add_another(weft_task *task, void *unused)
{
    (void)unused;
    note("adds");
    add(task, "added");
}

IN_TASK(a_callback_may_add_another)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    EQUAL(weft_task_add_done_callback(task, add_another, NULL), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(3);
    HAPPENED("adds added");
}

/* At the end. */

IN_TASK(a_cancelled_task_calls_them_too)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    add(task, "1");
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    weft_sleep(0);
    HAPPENED("1");
}

IN_LOOP(callbacks_of_a_task_that_never_ended_are_forgotten)
{
    weft_task *task = weft_loop_create_task(loop, sleeps(1e6), NULL);

    add(task, "never");
    EQUAL(run(sleeps(0)), 0);
    close_loop();
    HAPPENED("");
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

IN_LOOP(callbacks_that_are_due_when_the_loop_closes_are_forgotten)
{
    weft_task *task = weft_loop_create_task(loop, gives(0), NULL);

    add(task, "called");
    EQUAL(run(weft_task_ref(task)), 0);
    HAPPENED("called");
    add(task, "never");
    close_loop();
    EQUAL(weft_task_status(task), -ESRCH);
    CHECK(weft_task_unref(task) == NULL);
    HAPPENED("");
}

IN_TASK(a_callback_is_needed)
{
    weft_task *self = weft_current_task();

    EQUAL(weft_task_add_done_callback(self, NULL, NULL), -EINVAL);
    EQUAL(weft_task_remove_done_callback(self, NULL, NULL), 0);
}

static CU_TestInfo tests[] = {
    TEST(callbacks_run_in_the_order_in_which_they_were_added),
    TEST(they_are_called_in_the_loop_and_not_at_once),
    TEST(callbacks_and_those_who_wait_stand_in_one_line),
    TEST(one_that_is_added_to_an_ended_task_is_called_soon),
    TEST(the_task_stays_until_its_callbacks_have_returned),
    TEST(a_callback_may_take_a_hold),
    TEST(a_callback_that_was_taken_back_is_not_called),
    TEST(one_that_is_due_but_was_not_called_can_be_taken_back),
    TEST(one_that_was_added_to_an_ended_task_can_be_taken_back),
    TEST(a_callback_that_runs_cannot_be_taken_back),
    TEST(a_callback_may_add_another),
    TEST(a_cancelled_task_calls_them_too),
    TEST(callbacks_of_a_task_that_never_ended_are_forgotten),
    TEST(callbacks_that_are_due_when_the_loop_closes_are_forgotten),
    TEST(a_callback_is_needed),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_done, tests)
