/* SPDX-License-Identifier: MIT
 * What is told about tasks: failures that nobody read, tasks that nobody awaited, those that were
 * left. */
#include "tests/task/task.h"

#include <string.h>

WEFT_ASYNC(fails, (int, status))
{
    weft_sleep(0);
    return status;
}
enum { LINE_OF_FAILS = __LINE__ - 5 };

static void check_told(weft_report_kind kind, int status, const char *name)
{
    const struct said *said = next_report();

    EQUAL(said->kind, kind);
    EQUAL(said->status, status);
    SAME(said->task_name, name);
    SAME(said->coro, "fails");
    SAME(said->file, __FILE__);
    EQUAL(said->line, LINE_OF_FAILS);
    SAME(said->waiting, "");
}

static weft_task *failing(const char *name, int status)
{
    return weft_create_task(fails(status), &(weft_task_options){ .name = name });
}

IN_TASK(a_failure_that_was_awaited_is_not_told)
{
    EQUAL(weft_await(failing("f", -EIO)), -EIO);
    EQUAL(reports_left(), 0);
}

IN_TASK(a_failure_of_a_detached_task_is_told_once)
{
    weft_task *task = failing("free", -EIO);

    EQUAL(weft_task_detach(task), 0);
    EQUAL(reports_left(), 0);
    give_way(3);
    EQUAL(reports_left(), 1);
    check_told(WEFT_REPORT_FAILED, -EIO, "free");
}

IN_TASK(a_failure_whose_hold_was_given_back_is_told_once)
{
    weft_task *task = failing("before", -EIO);

    weft_task_unref(task);
    give_way(3);
    check_told(WEFT_REPORT_FAILED, -EIO, "before");

    task = failing("after", -EBADMSG);
    give_way(3);
    EQUAL(reports_left(), 0);
    weft_task_unref(task);
    check_told(WEFT_REPORT_FAILED, -EBADMSG, "after");
    EQUAL(reports_left(), 0);
}

IN_TASK(the_last_hold_tells)
{
    weft_task *task = weft_task_ref(failing("two", -EIO));

    give_way(3);
    weft_task_unref(task);
    EQUAL(reports_left(), 0);
    EQUAL(weft_task_detach(task), 0);
    check_told(WEFT_REPORT_FAILED, -EIO, "two");
}

IN_TASK(a_failure_that_was_read_is_not_told)
{
    weft_task *task = failing("f", -EIO);

    give_way(3);
    EQUAL(weft_task_status(task), -EIO);
    weft_task_unref(task);

    task = failing("f", -EIO);
    give_way(3);
    EQUAL(weft_task_result(task, NULL), -EIO);
    EQUAL(weft_task_detach(task), 0);

    task = weft_task_ref(failing("f", -EIO));
    EQUAL(weft_await(task), -EIO);
    weft_task_unref(task);
    EQUAL(reports_left(), 0);
}

IN_TASK(asking_too_early_does_not_count_as_having_read)
{
    weft_task *task = failing("early", -EIO);

    EQUAL(weft_task_status(task), -EINPROGRESS);
    EQUAL(weft_task_detach(task), 0);
    give_way(3);
    check_told(WEFT_REPORT_FAILED, -EIO, "early");
}

static void read_it(weft_task *task, void *unused)
{
    (void)unused;
    EQUAL(weft_task_status(task), -EIO);
}

IN_TASK(a_callback_may_read_it)
{
    weft_task *task = failing("f", -EIO);

    EQUAL(weft_task_add_done_callback(task, read_it, NULL), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(4);
    EQUAL(reports_left(), 0);
}

static void look_away(weft_task *task, void *unused)
{
    (void)task, (void)unused;
    EQUAL(reports_left(), 0);
}

IN_TASK(a_callback_that_does_not_read_it_delays_the_report)
{
    weft_task *task = failing("unread", -EIO);

    EQUAL(weft_task_add_done_callback(task, look_away, NULL), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(4);
    check_told(WEFT_REPORT_FAILED, -EIO, "unread");
}

IN_TASK(being_cancelled_is_no_failure)
{
    weft_task *task = failing("c", -EIO), *said_so = failing("s", -ECANCELED);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_detach(said_so), 0);
    EQUAL(weft_await(task), -EIO); /* it looked away */

    task = weft_create_task(sleeps(1e6), NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_detach(task), 0);
    give_way(3);
    EQUAL(reports_left(), 0);
}

IN_LOOP(a_failure_that_is_there_when_the_loop_closes_is_told)
{
    weft_task *task =
        weft_loop_create_task(loop, fails(-EPIPE), &(weft_task_options){ .name = "left" });

    EQUAL(run(sleeps(0)), 0);
    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_done(task), true);
    close_loop();
    check_told(WEFT_REPORT_FAILED, -EPIPE, "left");
    EQUAL(reports_left(), 0);
}

/* Never awaited. */

IN_TASK(one_that_nobody_awaited_is_told)
{
    weft_task *task = failing("lost", 0);

    weft_task_unref(task);
    EQUAL(reports_left(), 0);
    give_way(3);
    check_told(WEFT_REPORT_TASK_NEVER_AWAITED, 0, "lost");

    task = failing("lost later", 5);
    give_way(3);
    weft_task_unref(task);
    check_told(WEFT_REPORT_TASK_NEVER_AWAITED, 0, "lost later");
}

IN_TASK(detached_or_read_ones_are_not)
{
    weft_task *task = failing("d", 0);

    EQUAL(weft_task_detach(task), 0);
    task = failing("r", 0);
    give_way(3);
    EQUAL(weft_task_status(task), 0);
    weft_task_unref(task);
    EQUAL(reports_left(), 0);
}

IN_LOOP(one_that_was_forgotten_is_told_when_the_loop_closes)
{
    weft_task *task =
        weft_loop_create_task(loop, fails(0), &(weft_task_options){ .name = "forgot" });

    EQUAL(run(sleeps(0)), 0);
    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_done(task), true);
    close_loop();
    check_told(WEFT_REPORT_TASK_NEVER_AWAITED, 0, "forgot");
}

/* Still there. */

WEFT_ASYNC(waits_within, (int, depth), (weft_future *, future))
{
    if (depth > 0) {
        return weft_await(waits_within(depth - 1, future));
    }
    return future ? weft_await(future) : weft_sleep(1e6);
}

static void check_pending(const char *name, const char *coro, const char *waiting)
{
    const struct said *said = next_report();

    EQUAL(said->kind, WEFT_REPORT_PENDING);
    EQUAL(said->status, 0);
    SAME(said->task_name, name);
    SAME(said->coro, coro);
    SAME(said->waiting, waiting);
}

static void leave(weft_coro *coro, const char *name)
{
    weft_task *task = weft_loop_create_task(loop, coro, &(weft_task_options){ .name = name });

    EQUAL(weft_task_detach(task), 0);
}

IN_LOOP(a_task_that_has_not_ended_is_told_with_what_it_waits_for)
{
    weft_future *future = NULL;
    weft_task *target;

    EQUAL(weft_future_new(loop, &future), 0);
    leave(waits_within(0, NULL), "sleeper");
    leave(waits_within(0, future), "future");
    target = weft_loop_create_task(loop, sleeps(1e6), &(weft_task_options){ .name = "target" });
    leave(awaits_task(target), "task");
    EQUAL(run(sleeps(0)), 0);
    leave(waits_within(0, NULL), "unborn");
    close_loop();
    check_pending("sleeper", "waits_within", "sleep");
    check_pending("future", "waits_within", "future");
    check_pending("target", "sleeps", "sleep");
    check_pending("task", "awaits_task", "task");
    check_pending("unborn", "waits_within", "");
    EQUAL(reports_left(), 0);
}

IN_LOOP(a_task_may_be_left_deep_in_its_coroutines)
{
    leave(waits_within(5, NULL), "deep");
    EQUAL(run(sleeps(0)), 0);
    close_loop();
    check_pending("deep", "waits_within", "sleep");
    EQUAL(reports_left(), 0);
}

IN_LOOP(the_handle_of_an_abandoned_task_is_stale)
{
    weft_task *task = weft_loop_create_task(loop, waits_within(0, NULL), NULL);
    weft_loop *other = open_loop();

    EQUAL(run(sleeps(0)), 0);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_status(task), -ESRCH);
    EQUAL(weft_task_cancel(task), -ESRCH);
    EQUAL(weft_task_detach(task), -ESRCH);
    CHECK(weft_task_get_loop(task) == NULL);
    EQUAL(weft_loop_run_until_complete(other, awaits_task(task)), -ESRCH);
    CHECK(weft_task_unref(task) == NULL);
    EQUAL(weft_loop_close(other), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_failure_that_was_awaited_is_not_told),
    TEST(a_failure_of_a_detached_task_is_told_once),
    TEST(a_failure_whose_hold_was_given_back_is_told_once),
    TEST(the_last_hold_tells),
    TEST(a_failure_that_was_read_is_not_told),
    TEST(asking_too_early_does_not_count_as_having_read),
    TEST(a_callback_may_read_it),
    TEST(a_callback_that_does_not_read_it_delays_the_report),
    TEST(being_cancelled_is_no_failure),
    TEST(a_failure_that_is_there_when_the_loop_closes_is_told),
    TEST(one_that_nobody_awaited_is_told),
    TEST(detached_or_read_ones_are_not),
    TEST(one_that_was_forgotten_is_told_when_the_loop_closes),
    TEST(a_task_that_has_not_ended_is_told_with_what_it_waits_for),
    TEST(a_task_may_be_left_deep_in_its_coroutines),
    TEST(the_handle_of_an_abandoned_task_is_stale),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_report, tests)
