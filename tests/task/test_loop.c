/* SPDX-License-Identifier: MIT
 * Loops: run, stopped, run until something is done. */
#include "tests/task/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* run_forever and stop. */

IN_LOOP(stop_lets_what_is_ready_run)
{
    EQUAL(weft_loop_call_soon(loop, NOTED("1"), NULL), 0);
    EQUAL(weft_loop_call_soon(loop, stop_loop, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("2"), NULL), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("1 2");
}

static void schedule_and_stop(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_call_soon(NULL, NOTED("before"), NULL), 0);
    EQUAL(weft_loop_stop(NULL), 0);
    EQUAL(weft_loop_stop(NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("after"), NULL), 0);
}

IN_LOOP(what_comes_after_stop_waits_for_the_next_run)
{
    EQUAL(weft_loop_call_soon(loop, schedule_and_stop, NULL, NULL), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("before");
    EQUAL(weft_loop_stop(loop), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("after");
}

IN_LOOP(stop_before_a_run_makes_it_look_once)
{
    EQUAL(weft_loop_call_soon(loop, NOTED("ready"), NULL), 0);
    EQUAL(weft_loop_call_later(loop, -1, NOTED("due"), NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("posted"), NULL), 0);
    EQUAL(weft_loop_call_later(loop, 10, NOTED("far"), NULL), 0);
    EQUAL(weft_loop_stop(loop), 0);
    EQUAL(weft_loop_stop(loop), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("ready due posted");
}

IN_LOOP(stop_counts_once)
{
    EQUAL(weft_loop_stop(loop), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    EQUAL(run(sleeps(0.001)), 0); /* that one is not stopped */
}

WEFT_ASYNC(stops_and_goes_on)
{
    EQUAL(weft_loop_stop(NULL), 0);
    note("stopping");
    weft_sleep(0);
    note("next run");
    weft_sleep(0.001);
    note("done");
    EQUAL(weft_loop_stop(loop), 0);
    return 0;
}

IN_LOOP(a_task_goes_on_in_the_next_run)
{
    weft_task *task = weft_loop_create_task(loop, stops_and_goes_on(), NULL);

    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("stopping");
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("next run done");
    EQUAL(weft_task_status(task), 0);
    EQUAL(run(task), 0);
}

IN_LOOP(many_short_runs)
{
    for (int i = 0; i < 1000; i++) {
        EQUAL(weft_loop_stop(loop), 0);
        EQUAL(weft_loop_run_forever(loop), 0);
    }
    for (int i = 0; i < 1000; i++) {
        EQUAL(run(gives(i)), i);
    }
}

IN_LOOP(nothing_to_wait_for_is_a_deadlock_in_virtual_time)
{
    if (is_virtual()) {
        EQUAL(weft_loop_run_forever(loop), -EDEADLK);
        EQUAL(weft_loop_is_running(loop), false);
        EQUAL(run(sleeps(1)), 0); /* and the loop is as good as before */
    }
}

/* run_until_complete. */

IN_LOOP(it_returns_the_status)
{
    weft_future *future = NULL;

    EQUAL(run(gives(5)), 5);
    EQUAL(run(gives(-EIO)), -EIO);
    EQUAL(run(sleeps_then(0.001, 6)), 6);
    EQUAL(run(weft_loop_create_task(loop, sleeps_then(0.001, 7), NULL)), 7);
    EQUAL(run(weft_loop_create_task(loop, gives(-EPIPE), NULL)), -EPIPE);
    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(weft_future_set_exception(future, -EBADMSG), 0);
    EQUAL(run(future), -EBADMSG);
}

IN_LOOP(what_is_done_already_lets_the_ready_ones_run)
{
    weft_task *task = weft_loop_create_task(loop, gives(3), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_loop_call_soon(loop, NOTED("ready"), NULL), 0);
    EQUAL(run(task), 3);
    HAPPENED("ready");
}

WEFT_ASYNC(runs_on, (const char *, word))
{
    weft_sleep(0);
    weft_sleep(0);
    note(word);
    return 4;
}

IN_LOOP(others_are_left_as_they_are)
{
    weft_task *other = weft_loop_create_task(loop, runs_on("other"), NULL);

    EQUAL(run(gives(1)), 1);
    HAPPENED("");
    EQUAL(run(other), 4);
    HAPPENED("other");
}

IN_LOOP(a_stop_that_comes_first_is_eintr)
{
    weft_task *task = weft_task_ref(weft_loop_create_task(loop, runs_on("it runs on"), NULL));

    EQUAL(weft_loop_call_soon(loop, stop_loop, NULL, NULL), 0);
    EQUAL(run(task), -EINTR);
    EQUAL(weft_task_done(task), false);
    HAPPENED("");
    EQUAL(run(task), 4); /* the second hold */
    HAPPENED("it runs on");
    EQUAL(run(task), -ESRCH);
    EQUAL(weft_loop_stop(loop), 0);
    EQUAL(run(runs_on("so does this")), -EINTR);
    EQUAL(run(sleeps(0.001)), 0);
    HAPPENED("so does this");
}

static weft_future *stopped_for;

static void set_and_stop(void *unused)
{
    (void)unused;
    EQUAL(weft_future_set_result(stopped_for, NULL), 0);
    EQUAL(weft_loop_stop(NULL), 0);
}

IN_LOOP(done_and_stopped_is_done)
{
    EQUAL(weft_future_new(loop, &stopped_for), 0);
    EQUAL(weft_loop_call_soon(loop, set_and_stop, NULL, NULL), 0);
    EQUAL(run(stopped_for), 0);
    EQUAL(run(sleeps(0.001)), 0);
}

IN_LOOP(what_cannot_be_run_is_an_error)
{
    weft_coro *no_coro = NULL;
    weft_task *no_task = NULL;
    weft_future *no_future = NULL;
    weft_coro *spent = gives(0);

    EQUAL(run(no_coro), -EINVAL);
    EQUAL(run(no_task), -EINVAL);
    EQUAL(run(no_future), -EINVAL);
    EQUAL(run(spent), 0);
    EQUAL(run(spent), -ESRCH);
}

WEFT_ASYNC(knows_its_loop, (weft_loop *, expected))
{
    CHECK(weft_get_running_loop() == expected);
    EQUAL(weft_loop_is_running(expected), true);
    EQUAL(weft_loop_is_running(NULL), true);
    return 0;
}

IN_LOOP(the_running_loop)
{
    weft_loop *second = open_loop();

    CHECK(weft_get_running_loop() == NULL);
    EQUAL(weft_loop_is_running(loop), false);
    EQUAL(weft_loop_is_running(NULL), false);
    EQUAL(run(knows_its_loop(loop)), 0);
    EQUAL(weft_loop_run_until_complete(second, knows_its_loop(second)), 0);
    EQUAL(run(knows_its_loop(loop)), 0);
    CHECK(weft_get_running_loop() == NULL);
    EQUAL(weft_loop_close(second), 0);
}

/* Running in a running loop. */

WEFT_ASYNC(tries_to_run, (weft_loop *, another))
{
    int drops = 0;
    weft_task *task = weft_create_task(gives(5), NULL);
    weft_future *future = NULL;

    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_run_forever(another), -EBUSY);
    EQUAL(run(weft_coro_on_drop(gives(0), count_up, &drops)), -EBUSY);
    EQUAL(drops, 1);
    EQUAL(weft_loop_run_until_complete(another, weft_coro_on_drop(gives(0), count_up, &drops)),
          -EBUSY);
    EQUAL(drops, 2);
    EQUAL(run(weft_task_ref(task)), -EBUSY);
    EQUAL(run(weft_future_ref(future)), -EBUSY);
    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), NULL), -EBUSY);
    EQUAL(drops, 3);
    EQUAL(weft_sleep(0.001), 0); /* nothing has stopped the loop */
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(future), 0);
    return weft_await(task);
}

IN_LOOP(a_loop_cannot_be_run_in_a_running_one)
{
    weft_loop *another = open_loop();

    EQUAL(run(tries_to_run(another)), 5);
    EQUAL(weft_loop_stop(another), 0);
    EQUAL(weft_loop_run_forever(another), 0);
    EQUAL(weft_loop_close(another), 0);
    EQUAL(reports_left(), 0);
}

/* NULL is the running loop. */

WEFT_ASYNC(calls_with_null)
{
    EQUAL(weft_loop_run_forever(NULL), -EBADF); /* but not to close or to run it */
    EQUAL(weft_loop_close(NULL), -EBADF);
    EQUAL(weft_loop_call_soon_threadsafe(NULL, NOTED("null"), NULL), 0);
    EQUAL(weft_loop_set_debug(NULL, false), 0);
    EQUAL(weft_loop_get_debug(loop), false);
    EQUAL(weft_loop_set_debug(NULL, true), 0);
    EQUAL(weft_loop_get_debug(NULL), true);
    EQUAL(weft_loop_is_closed(NULL), false);
    SAME(weft_loop_backend_name(NULL), backend_name());
    CHECK(!isnan(weft_loop_time(NULL)));
    CHECK(weft_loop_get_exception_handler(NULL) == keep_report);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_loop_stop(NULL), 0);
    return 0;
}

IN_LOOP(null_is_the_running_loop)
{
    EQUAL(run(calls_with_null()), 0);
    HAPPENED("null");
}

ALONE(null_is_nothing_where_no_loop_runs)
{
    weft_future *future = NULL;

    EQUAL(weft_loop_run_forever(NULL), -EBADF);
    EQUAL(weft_loop_close(NULL), -EBADF);
    EQUAL(weft_loop_stop(NULL), -EPERM);
    EQUAL(weft_loop_call_soon(NULL, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_later(NULL, 0, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_at(NULL, 0, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_soon_threadsafe(NULL, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_add_reader(NULL, 0, NOTED("x")), -EPERM);
    EQUAL(weft_loop_add_writer(NULL, 0, NOTED("x")), -EPERM);
    EQUAL(weft_loop_remove_reader(NULL, 0), -EPERM);
    EQUAL(weft_loop_remove_writer(NULL, 0), -EPERM);
    EQUAL(weft_loop_set_debug(NULL, true), -EPERM);
    EQUAL(weft_loop_get_debug(NULL), false);
    EQUAL(weft_loop_set_exception_handler(NULL, NULL, NULL), -EPERM);
    CHECK(weft_loop_get_exception_handler(NULL) == NULL);
    EQUAL(weft_all_tasks(NULL, NULL, 0), -EPERM);
    EQUAL(weft_future_new(NULL, &future), -EPERM);
    EQUAL(weft_loop_run_until_complete(NULL, gives(0)), -EPERM);
    EQUAL(weft_sleep(0), -EPERM);
    CHECK(isnan(weft_loop_time(NULL)));
    CHECK(weft_loop_backend_name(NULL) == NULL);
    EQUAL(weft_loop_is_running(NULL), false);
    CHECK(weft_get_running_loop() == NULL);
}

static CU_TestInfo tests[] = {
    TEST(stop_lets_what_is_ready_run),
    TEST(what_comes_after_stop_waits_for_the_next_run),
    TEST(stop_before_a_run_makes_it_look_once),
    TEST(stop_counts_once),
    TEST(a_task_goes_on_in_the_next_run),
    TEST(many_short_runs),
    TEST(nothing_to_wait_for_is_a_deadlock_in_virtual_time),
    TEST(it_returns_the_status),
    TEST(what_is_done_already_lets_the_ready_ones_run),
    TEST(others_are_left_as_they_are),
    TEST(a_stop_that_comes_first_is_eintr),
    TEST(done_and_stopped_is_done),
    TEST(what_cannot_be_run_is_an_error),
    TEST(the_running_loop),
    TEST(a_loop_cannot_be_run_in_a_running_one),
    TEST(null_is_the_running_loop),
    TEST(null_is_nothing_where_no_loop_runs),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(loop, tests)
