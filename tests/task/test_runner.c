/* SPDX-License-Identifier: MIT
 * Runners: several main tasks, one after the other, in one loop. */
#include "tests/task/task.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const weft_run_options *options(void)
{
    static weft_run_options wanted;

    wanted = (weft_run_options){ .backend = backend(), .debug_words = "awaits" };
    return &wanted;
}

static void keep_reports(const weft_runner *runner)
{
    EQUAL(weft_loop_set_exception_handler(weft_runner_get_loop(runner), keep_report, NULL), 0);
}

WEFT_ASYNC(is_in, (weft_loop *, expected))
{
    CHECK(weft_get_running_loop() == expected);
    return weft_sleep(0.0001);
}

ALONE(runs_share_a_loop)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    CHECK(weft_runner_get_loop(&runner) != NULL);
    for (int i = 0; i < 10; i++) {
        EQUAL(weft_runner_run(&runner, is_in(weft_runner_get_loop(&runner))), 0);
        EQUAL(weft_runner_run(&runner, gives(i)), i);
        EQUAL(weft_runner_run(&runner, gives(-EIO)), -EIO);
    }
    EQUAL(weft_runner_close(&runner), 0);
}

WEFT_ASYNC(note_soon, (double, delay), (const char *, word))
{
    int r = weft_sleep(delay);

    if (r >= 0) {
        note(word);
    }
    return r;
}

WEFT_ASYNC(leaves, (weft_coro *, coro))
{
    weft_task_detach(weft_create_task(coro, NULL));
    return weft_sleep(0);
}

ALONE(tasks_go_on_in_the_next_run)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, leaves(note_soon(0.001, "left"))), 0);
    HAPPENED("");
    EQUAL(weft_runner_run(&runner, sleeps(0.005)), 0);
    HAPPENED("left");
    EQUAL(weft_runner_run(&runner, leaves(note_soon(1e6, "never"))), 0);
    EQUAL(weft_runner_close(&runner), 0); /* cancels and awaits it */
    HAPPENED("");
}

ALONE(a_closed_runner_runs_nothing)
{
    weft_runner runner = { { 0 } };
    int drops = 0;

    EQUAL(weft_runner_run(&runner, weft_coro_on_drop(gives(0), count_up, &drops)), -EBADF);
    EQUAL(drops, 1);
    CHECK(weft_runner_get_loop(&runner) == NULL);
    EQUAL(weft_runner_signal(&runner), 0);
    EQUAL(weft_runner_close(&runner), 0);
    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_close(&runner), 0);
    EQUAL(weft_runner_close(&runner), 0);
    EQUAL(weft_runner_run(&runner, weft_coro_on_drop(gives(0), count_up, &drops)), -EBADF);
    EQUAL(drops, 2);
    EQUAL(weft_runner_open(&runner, options()), 0); /* it may be opened again */
    EQUAL(weft_runner_run(&runner, gives(3)), 3);
    EQUAL(weft_runner_close(&runner), 0);
}

ALONE(bad_arguments_are_told)
{
    weft_runner runner;
    int drops = 0;

    EQUAL(weft_runner_open(NULL, NULL), -EINVAL);
    EQUAL(weft_runner_close(NULL), -EINVAL);
    EQUAL(weft_runner_run(NULL, weft_coro_on_drop(gives(0), count_up, &drops)), -EINVAL);
    EQUAL(drops, 1);
    CHECK(weft_runner_get_loop(NULL) == NULL);
    EQUAL(weft_runner_signal(NULL), 0);
    EQUAL(weft_runner_open(&runner, &(weft_run_options){ .backend = "nosuch" }), -ENOENT);
    EQUAL(weft_runner_run(&runner, gives(0)), -EBADF);
    EQUAL(weft_runner_open(&runner, &(weft_run_options){ .stack_size = SIZE_MAX / 2 }), -EINVAL);
    EQUAL(weft_runner_open(&runner, &(weft_run_options){ .shutdown_timeout = NAN }), -EINVAL);
    EQUAL(weft_runner_close(&runner), 0);
    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, NULL), -EINVAL);
    EQUAL(weft_runner_close(&runner), 0);
}

WEFT_ASYNC(runs_within, (weft_runner *, runner))
{
    weft_runner another;
    int drops = 0;

    EQUAL(weft_runner_run(runner, weft_coro_on_drop(gives(0), count_up, &drops)), -EBUSY);
    EQUAL(drops, 1);
    EQUAL(weft_runner_open(&another, options()), -EBUSY);
    EQUAL(weft_runner_close(&another), 0);
    EQUAL(weft_runner_close(runner), -EBUSY);
    return 0;
}

ALONE(a_run_within_a_run_is_refused)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, runs_within(&runner)), 0);
    EQUAL(weft_runner_run(&runner, gives(1)), 1);
    EQUAL(weft_runner_close(&runner), 0);
}

static void *use_elsewhere(void *runner)
{
    EQUAL(weft_runner_run(runner, gives(0)), -EXDEV);
    EQUAL(weft_runner_close(runner), -EXDEV);
    return NULL;
}

WEFT_ASYNC(is_used_by_a_thread, (weft_runner *, runner))
{
    in_thread(use_elsewhere, runner);
    return 0;
}

static void *run_elsewhere(void *runner)
{
    EQUAL(weft_runner_run(runner, sleeps_then(0.0001, 9)), 9);
    return NULL;
}

ALONE(one_thread_at_a_time_may_run_it)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, is_used_by_a_thread(&runner)), 0);
    in_thread(run_elsewhere, &runner);
    EQUAL(weft_runner_run(&runner, gives(2)), 2);
    EQUAL(weft_runner_close(&runner), 0);
}

ALONE(a_loop_that_was_closed_by_hand_is_an_error)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_loop_close(weft_runner_get_loop(&runner)), 0);
    EQUAL(weft_runner_run(&runner, gives(0)), -EBADF);
    EQUAL(weft_runner_close(&runner), -EBADF);
    EQUAL(weft_runner_close(&runner), 0);
}

WEFT_ASYNC(stops)
{
    weft_loop_stop(NULL);
    weft_sleep(0);
    weft_sleep(0);
    note("went on");
    return 4;
}

ALONE(a_stop_leaves_main_for_the_next_run)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, stops()), -EINTR);
    EQUAL(weft_runner_signal(&runner), 0);
    SAME(weft_error_detail(), "the loop was stopped before the main task had ended");
    HAPPENED("");
    EQUAL(weft_runner_run(&runner, sleeps(0.0001)), 0);
    HAPPENED("went on");
    EQUAL(weft_runner_close(&runner), 0);
}

/* Context variables. */

static const weft_context_var var = { .name = "var", .default_value = (void *)"default" };

WEFT_ASYNC(sees_and_sets, (const char *, seen), (const char *, value))
{
    SAME(weft_context_var_get(&var), seen);
    EQUAL(weft_context_var_set(&var, (void *)value, NULL), 0);
    return weft_sleep(0);
}

ALONE(runs_share_a_context_that_begins_as_a_copy)
{
    weft_runner runner;
    weft_context_token before;

    EQUAL(weft_context_var_set(&var, (void *)"outside", &before), 0);
    EQUAL(weft_runner_open(&runner, options()), 0);
    EQUAL(weft_runner_run(&runner, sees_and_sets("outside", "first")), 0);
    EQUAL(weft_context_var_reset(&var, &before), 0);
    EQUAL(weft_runner_run(&runner, sees_and_sets("first", "second")), 0);
    SAME(weft_context_var_get(&var), "default");
    EQUAL(weft_runner_run(&runner, sees_and_sets("second", "third")), 0);
    EQUAL(weft_runner_close(&runner), 0);
    EQUAL(weft_run(sees_and_sets("default", "gone"), options()), 0);
    SAME(weft_context_var_get(&var), "default");
}

/* Signals. */

WEFT_ASYNC(is_struck, (int, signum))
{
    raise(signum);
    return weft_sleep(0.001);
}

WEFT_ASYNC(is_struck_and_goes_on)
{
    raise(SIGINT);
    while (weft_sleep(0.001) >= 0) {}
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    return weft_sleep(0.001) < 0 ? -EIO : 6;
}

ALONE(each_run_has_a_first_signal)
{
    weft_run_options wanted = *options();
    weft_runner runner;
    struct sigaction before, now;

    wanted.sigterm = 1;
    sigaction(SIGINT, NULL, &before);
    EQUAL(weft_runner_open(&runner, &wanted), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_runner_run(&runner, is_struck(SIGINT)), -EINTR);
        EQUAL(weft_runner_signal(&runner), SIGINT);
        EQUAL(weft_runner_run(&runner, is_struck(SIGTERM)), -EINTR);
        EQUAL(weft_runner_signal(&runner), SIGTERM);
        EQUAL(weft_runner_run(&runner, is_struck_and_goes_on()), 6);
        EQUAL(weft_runner_signal(&runner), 0);
        EQUAL(weft_runner_run(&runner, gives(0)), 0);
        sigaction(SIGINT, NULL, &now);
        CHECK(now.sa_handler == before.sa_handler);
    }
    EQUAL(weft_runner_close(&runner), 0);
}

WEFT_ASYNC(refuses)
{
    weft_shield shield;

    weft_shield_enter(&shield, INFINITY);
    weft_sleep(1e6);
    return weft_shield_exit(&shield, 0);
}

ALONE(a_close_tells_of_those_it_gave_up)
{
    weft_run_options wanted = *options();
    weft_runner runner;

    wanted.shutdown_timeout = 0.001;
    EQUAL(weft_runner_open(&runner, &wanted), 0);
    keep_reports(&runner);
    EQUAL(weft_runner_run(&runner, leaves(refuses())), 0);
    EQUAL(weft_runner_close(&runner), -ETIMEDOUT);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

static weft_runner inherited;

static int use_inherited(void)
{
    EQUAL(weft_runner_run(&inherited, gives(0)), -ECHILD);
    EQUAL(weft_runner_close(&inherited), -ECHILD);
    EQUAL(weft_runner_open(&inherited, options()), 0);
    EQUAL(weft_runner_run(&inherited, gives(8)), 8);
    EQUAL(weft_runner_close(&inherited), 0);
    return 0;
}

ALONE(a_forked_child_makes_one_of_its_own)
{
    EQUAL(weft_runner_open(&inherited, options()), 0);
    EQUAL(weft_runner_run(&inherited, gives(0)), 0);
    EQUAL(in_child(use_inherited, NULL, 0), 0);
    EQUAL(weft_runner_run(&inherited, gives(5)), 5);
    EQUAL(weft_runner_close(&inherited), 0);
}

static CU_TestInfo tests[] = {
    TEST(runs_share_a_loop),
    TEST(tasks_go_on_in_the_next_run),
    TEST(a_closed_runner_runs_nothing),
    TEST(bad_arguments_are_told),
    TEST(a_run_within_a_run_is_refused),
    TEST(one_thread_at_a_time_may_run_it),
    TEST(a_loop_that_was_closed_by_hand_is_an_error),
    TEST(a_stop_leaves_main_for_the_next_run),
    TEST(runs_share_a_context_that_begins_as_a_copy),
    TEST(each_run_has_a_first_signal),
    TEST(a_close_tells_of_those_it_gave_up),
    TEST(a_forked_child_makes_one_of_its_own),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(runner, tests)
