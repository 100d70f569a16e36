/* SPDX-License-Identifier: MIT
 * Coroutines that never run: what they own is freed once, and the lost ones are told. */
#include "tests/task/task.h"

#include <string.h>

static int drops;

static weft_coro *watched(weft_coro *coro)
{
    drops = 0;
    return weft_coro_on_drop(coro, count_up, &drops);
}

IN_TASK(a_body_that_begins_frees_what_it_owns_itself)
{
    EQUAL(weft_await(watched(gives(1))), 1);
    EQUAL(drops, 0);
    EQUAL(weft_await(weft_create_task(watched(gives(1)), NULL)), 1);
    EQUAL(drops, 0);
    EQUAL(weft_await(watched(gives(-EIO))), -EIO);
    EQUAL(drops, 0);
}

IN_TASK(a_task_that_is_cancelled_before_it_begins_still_begins)
{
    weft_task *task = weft_create_task(watched(sleeps(1)), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(drops, 0);
}

IN_TASK(closing_drops_once)
{
    weft_coro *coro = watched(gives(0));

    EQUAL(weft_coro_close(coro), 0);
    EQUAL(drops, 1);
    EQUAL(weft_coro_close(coro), -ESRCH);
    EQUAL(drops, 1);
}

IN_TASK(it_returns_what_it_was_given)
{
    weft_coro *coro = gives(1);

    CHECK(weft_coro_on_drop(coro, count_up, &drops) == coro);
    EQUAL(weft_await(coro), 1);
}

IN_TASK(the_last_drop_counts)
{
    int first = 0, second = 0;
    weft_coro *coro = weft_coro_on_drop(gives(0), count_up, &first);

    coro = weft_coro_on_drop(coro, count_up, &second);
    EQUAL(weft_coro_close(coro), 0);
    EQUAL(first, 0);
    EQUAL(second, 1);
    EQUAL(weft_coro_close(weft_coro_on_drop(watched(gives(0)), NULL, NULL)), 0);
    EQUAL(drops, 0);
}

typedef struct too_big {
    char at[4097];
} too_big;

WEFT_ASYNC(takes_too_much, (too_big, bytes))
{
    (void)bytes;
    return 0;
}

IN_TASK(a_failed_object_is_dropped_at_once)
{
    static too_big bytes;
    weft_coro *coro = watched(takes_too_much(bytes));

    EQUAL(drops, 1);
    EQUAL(weft_await(coro), -E2BIG);
    EQUAL(drops, 1);
    EQUAL(weft_await(weft_coro_on_drop(takes_too_much(bytes), NULL, NULL)), -E2BIG);
}

IN_TASK(a_spent_object_is_left_alone)
{
    weft_coro *spent = gives(0);

    EQUAL(weft_await(spent), 0);
    CHECK(watched(spent) == spent);
    EQUAL(drops, 0);

    weft_coro *next = gives(0);

    CHECK(weft_coro_on_drop(spent, count_up, &drops) == spent);
    EQUAL(weft_coro_close(next), 0);
    EQUAL(drops, 0);
}

static weft_coro *seen;

static void looks_at_the_dropped_one(void *arg)
{
    EQUAL(weft_coro_close(seen), -ESRCH);
    count_up(arg);
}

IN_TASK(whoever_drops_sees_a_spent_object)
{
    drops = 0;
    seen = weft_coro_on_drop(gives(0), looks_at_the_dropped_one, &drops);
    EQUAL(weft_coro_close(seen), 0);
    EQUAL(drops, 1);
}

/* Each call that takes a coroutine takes it when it fails, too. */

IN_TASK(a_task_that_cannot_be_made_drops)
{
    weft_task_options huge = { .stack_size = ((size_t)64 << 20) + 1 };

    EQUAL(weft_await(weft_create_task(watched(gives(0)), &huge)), -EINVAL);
    EQUAL(drops, 1);
}

ALONE(outside_a_loop_a_task_cannot_be_made)
{
    weft_task *task = weft_create_task(watched(gives(0)), NULL);

    EQUAL(drops, 1);
    EQUAL(weft_task_status(task), -EPERM);
}

ALONE(awaiting_outside_a_task_drops)
{
    void *value = &value;
    int status = 77;

    EQUAL(weft_await(watched(gives(0))), -EPERM);
    EQUAL(drops, 1);
    EQUAL(weft_await_value(watched(gives(0)), &value), -EPERM);
    EQUAL(drops, 1);
    CHECK(value == &value);
    EQUAL(weft_await_status(watched(gives(0)), &status), -EPERM);
    EQUAL(drops, 1);
    EQUAL(status, 77);
}

static void await_in_callback(void *unused)
{
    (void)unused;
    EQUAL(weft_await(watched(gives(0))), -EPERM);
    EQUAL(drops, 1);
}

IN_TASK(awaiting_in_a_callback_drops)
{
    EQUAL(weft_loop_call_soon(NULL, await_in_callback, NULL, NULL), 0);
    weft_sleep(0);
}

IN_TASK(a_loop_that_runs_drops_what_it_is_to_run)
{
    EQUAL(weft_loop_run_until_complete(loop, watched(gives(0))), -EBUSY);
    EQUAL(drops, 1);
    EQUAL(weft_run(watched(gives(0)), NULL), -EBUSY);
    EQUAL(drops, 1);
}

IN_LOOP(a_closed_loop_drops)
{
    weft_loop *closed = loop;

    close_loop();
    EQUAL(weft_loop_run_until_complete(closed, watched(gives(0))), -EBADF);
    EQUAL(drops, 1);
    EQUAL(weft_task_status(weft_loop_create_task(closed, watched(gives(0)), NULL)), -EBADF);
    EQUAL(drops, 1);
}

ALONE(a_run_that_fails_drops)
{
    EQUAL(weft_run(watched(gives(0)), &(weft_run_options){ .backend = "nosuch" }), -ENOENT);
    EQUAL(drops, 1);
    EQUAL(weft_run(watched(gives(0)), &(weft_run_options){ .stack_size = (size_t)65 << 20 }),
          -EINVAL);
    EQUAL(drops, 1);
}

/* Lost ones. */

static int line_of_lost;

WEFT_ASYNC(lost, (int, number))
{
    return number;
}

WEFT_ASYNC(loses, (int, n), (bool, owning))
{
    line_of_lost = __LINE__ - 7;
    for (int i = 0; i < n; i++) {
        weft_coro *coro = lost(i);

        coro = owning ? weft_coro_on_drop(coro, count_up, &drops) : coro;
        (void)coro;
    }
    return 0;
}

static void check_lost(void)
{
    const struct said *said = next_report();

    EQUAL(said->kind, WEFT_REPORT_CORO_NEVER_AWAITED);
    EQUAL(said->status, 0);
    SAME(said->coro, "lost");
    SAME(said->file, __FILE__);
    EQUAL(said->line, line_of_lost);
    SAME(said->task_name, "");
    CHECK(said->task == NULL);
    CHECK(strstr(said->message, "never awaited") != NULL);
}

IN_LOOP(a_lost_coroutine_is_told_when_its_loop_closes)
{
    EQUAL(run(loses(1, false)), 0);
    EQUAL(reports_left(), 0);
    close_loop();
    check_lost();
}

IN_LOOP(lost_coroutines_are_dropped_once_each)
{
    drops = 0;
    EQUAL(run(loses(50, true)), 0);
    EQUAL(drops, 0);
    close_loop();
    EQUAL(drops, 50);
    EQUAL(reports_left(), 50);
    for (int i = 0; i < 50; i++) {
        check_lost();
    }
}

typedef struct large {
    char at[1000];
} large;

WEFT_ASYNC(lost_and_large, (large, bytes))
{
    return bytes.at[0];
}

WEFT_ASYNC(loses_a_large_one)
{
    weft_coro *coro = lost_and_large((large){ { 1 } });

    (void)coro;
    return 0;
}

IN_LOOP(the_memory_of_a_lost_coroutine_is_freed)
{
    EQUAL(run(loses_a_large_one()), 0);
    close_loop();
    SAME(next_report()->coro, "lost_and_large");
}

IN_LOOP(closed_ones_are_not_lost)
{
    weft_coro *coro = gives(0);

    EQUAL(weft_coro_close(coro), 0);
    EQUAL(run(gives(0)), 0);
    close_loop();
    EQUAL(reports_left(), 0);
}

static int prints_nothing(void)
{
    weft_loop *quiet = NULL;

    EQUAL(weft_loop_new(backend(), &quiet), 0);
    EQUAL(weft_loop_set_debug(quiet, false), 0);
    EQUAL(weft_loop_run_until_complete(quiet, loses(1, false)), 0);
    EQUAL(weft_loop_close(quiet), 0);
    return 0;
}

static int prints_a_line(void)
{
    weft_loop *loud = NULL;

    EQUAL(weft_loop_new(backend(), &loud), 0);
    EQUAL(weft_loop_set_debug(loud, true), 0);
    EQUAL(weft_loop_run_until_complete(loud, loses(1, false)), 0);
    EQUAL(weft_loop_close(loud), 0);
    return 0;
}

ALONE(without_a_handler_they_are_printed_in_debug_mode_only)
{
    char text[500];

    EQUAL(in_child(prints_nothing, text, sizeof text), 0);
    SAME(text, "");
    EQUAL(in_child(prints_a_line, text, sizeof text), 0);
    CHECK(strstr(text, "weft: coroutine 'lost' (") == text);
    CHECK(strstr(text, "was never awaited\n") != NULL);
    CHECK(strstr(text, __FILE__) != NULL);
}

static CU_TestInfo tests[] = {
    TEST(a_body_that_begins_frees_what_it_owns_itself),
    TEST(a_task_that_is_cancelled_before_it_begins_still_begins),
    TEST(closing_drops_once),
    TEST(it_returns_what_it_was_given),
    TEST(the_last_drop_counts),
    TEST(a_failed_object_is_dropped_at_once),
    TEST(a_spent_object_is_left_alone),
    TEST(whoever_drops_sees_a_spent_object),
    TEST(a_task_that_cannot_be_made_drops),
    TEST(outside_a_loop_a_task_cannot_be_made),
    TEST(awaiting_outside_a_task_drops),
    TEST(awaiting_in_a_callback_drops),
    TEST(a_loop_that_runs_drops_what_it_is_to_run),
    TEST(a_closed_loop_drops),
    TEST(a_run_that_fails_drops),
    TEST(a_lost_coroutine_is_told_when_its_loop_closes),
    TEST(lost_coroutines_are_dropped_once_each),
    TEST(the_memory_of_a_lost_coroutine_is_freed),
    TEST(closed_ones_are_not_lost),
    TEST(without_a_handler_they_are_printed_in_debug_mode_only),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(coro_drop, tests)
