/* SPDX-License-Identifier: MIT
 * Reports: who gets them, what is in them, how they read on standard error. */
#include "tests/task/task.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The handler. */

static weft_report given;

static void look(weft_loop *from, const weft_report *report, void *arg)
{
    CHECK(from == loop);
    given = *report;
    count_up(arg);
}

IN_LOOP(the_handler_gets_what_was_given)
{
    int calls = 0;
    weft_report report = { .size = sizeof report,
                           .kind = WEFT_REPORT_OTHER,
                           .status = -EIO,
                           .message = "told by the test",
                           .task_name = "a task",
                           .coro = "a_coroutine",
                           .file = "a/file.c",
                           .line = 12,
                           .waiting = "rain" };

    EQUAL(weft_loop_set_exception_handler(loop, look, &calls), 0);
    CHECK(weft_loop_get_exception_handler(loop) == look);
    EQUAL(weft_loop_call_exception_handler(loop, &report), 0);
    EQUAL(calls, 1);
    EQUAL(given.size, sizeof given);
    EQUAL(given.kind, WEFT_REPORT_OTHER);
    EQUAL(given.status, -EIO);
    SAME(given.message, "told by the test");
    SAME(given.task_name, "a task");
    SAME(given.coro, "a_coroutine");
    SAME(given.file, "a/file.c");
    EQUAL(given.line, 12);
    SAME(given.waiting, "rain");
    CHECK(given.loop == loop);
    CHECK(given.task == NULL);
}

IN_LOOP(a_shorter_report_is_filled_up_with_zeros)
{
    int calls = 0;
    weft_report report;

    memset(&report, 0xff, sizeof report);
    report.size = offsetof(weft_report, task);
    report.kind = WEFT_REPORT_FAILED;
    report.status = -EPIPE;
    report.message = "short";
    EQUAL(weft_loop_set_exception_handler(loop, look, &calls), 0);
    EQUAL(weft_loop_call_exception_handler(loop, &report), 0);
    EQUAL(given.kind, WEFT_REPORT_FAILED);
    EQUAL(given.status, -EPIPE);
    SAME(given.message, "short");
    CHECK(given.task == NULL);
    CHECK(given.task_name == NULL);
    CHECK(given.coro == NULL);
    CHECK(given.file == NULL);
    EQUAL(given.line, 0);
    CHECK(given.waiting == NULL);
}

IN_LOOP(what_is_no_report_is_an_error)
{
    weft_report report = { .size = 0, .message = "x" };

    EQUAL(weft_loop_call_exception_handler(loop, NULL), -EINVAL);
    EQUAL(weft_loop_call_exception_handler(loop, &report), -EINVAL);
    report.size = sizeof report.size; /* no message in that */
    EQUAL(weft_loop_call_exception_handler(loop, &report), -EINVAL);
    report.size = offsetof(weft_report, message);
    EQUAL(weft_loop_call_exception_handler(loop, &report), -EINVAL);
    report.size = sizeof report;
    report.message = NULL;
    EQUAL(weft_loop_call_exception_handler(loop, &report), -EINVAL);
    report.message = "x";
    EQUAL(weft_loop_call_exception_handler(NULL, &report), -EPERM);
    EQUAL(reports_left(), 0);
}

static void replace(weft_loop *from, const weft_report *report, void *arg)
{
    (void)report, (void)arg;
    note("first");
    EQUAL(weft_loop_set_exception_handler(from, look, arg), 0);
}

IN_LOOP(a_handler_may_replace_itself)
{
    int calls = 0;
    weft_report report = { .size = sizeof report, .message = "x" };

    EQUAL(weft_loop_set_exception_handler(loop, replace, &calls), 0);
    EQUAL(weft_loop_call_exception_handler(loop, &report), 0);
    EQUAL(calls, 0);
    EQUAL(weft_loop_call_exception_handler(loop, &report), 0);
    EQUAL(calls, 1);
    HAPPENED("first");
    EQUAL(weft_loop_set_exception_handler(loop, NULL, NULL), 0);
    CHECK(weft_loop_get_exception_handler(loop) == NULL);
}

WEFT_ASYNC(works_after, (weft_task *, failed))
{
    EQUAL(weft_task_status(failed), -ESRCH);
    note("made by the handler");
    return 0;
}

static void make_a_task(weft_loop *from, const weft_report *report, void *arg)
{
    (void)arg;
    CHECK(from == loop);
    EQUAL(report->kind, WEFT_REPORT_FAILED);
    EQUAL(weft_task_status(report->task), -EIO); /* it is there during the call */
    EQUAL(weft_task_detach(weft_create_task(works_after(report->task), NULL)), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("scheduled by the handler"), NULL), 0);
}

IN_TASK(a_handler_may_make_tasks_and_callbacks)
{
    EQUAL(weft_loop_set_exception_handler(loop, make_a_task, NULL), 0);
    EQUAL(weft_task_detach(weft_create_task(gives(-EIO), NULL)), 0);
    give_way(3);
    HAPPENED("made by the handler scheduled by the handler");
}

/* The text: one line on standard error. */

static weft_loop *printing_loop(bool debug)
{
    weft_loop *made = NULL;

    EQUAL(weft_loop_new(backend(), &made), 0);
    EQUAL(weft_loop_set_debug(made, debug), 0);
    return made;
}

WEFT_ASYNC(fails, (int, status))
{
    return status;
}
enum { LINE_OF_FAILS = __LINE__ - 4 };

WEFT_ASYNC(leaves_a_failure)
{
    weft_task_options options = { .name = "leak" };

    EQUAL(weft_task_detach(weft_create_task(fails(-ENOSPC), &options)), 0);
    weft_sleep(0);
    return 0;
}

static int print_failure(void)
{
    weft_loop *made = printing_loop(false);

    EQUAL(weft_loop_run_until_complete(made, leaves_a_failure()), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_failure_reads_like_this)
{
    char text[500], expected[500];

    EQUAL(in_child(print_failure, text, sizeof text), 0);
    snprintf(expected, sizeof expected,
             "weft: task 'leak' failed and nobody read it: -ENOSPC (No space left on device), "
             "in coroutine 'fails' (%s:%d)\n", __FILE__, LINE_OF_FAILS);
    SAME(text, expected);
}

WEFT_ASYNC(waits_long)
{
    return weft_sleep(1e6);
}
enum { LINE_OF_WAITS_LONG = __LINE__ - 4 };

static int print_pending(void)
{
    weft_loop *made = printing_loop(false);
    weft_task_options options = { .name = "stuck" };

    EQUAL(weft_task_detach(weft_loop_create_task(made, waits_long(), &options)), 0);
    EQUAL(weft_loop_run_until_complete(made, gives(0)), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_task_that_was_left_reads_like_this)
{
    char text[500], expected[500];

    EQUAL(in_child(print_pending, text, sizeof text), 0);
    snprintf(expected, sizeof expected,
             "weft: task 'stuck' had not ended when its loop was closed; it waits for: sleep, "
             "in coroutine 'waits_long' (%s:%d)\n", __FILE__, LINE_OF_WAITS_LONG);
    SAME(text, expected);
}

static int print_future(void)
{
    weft_loop *made = printing_loop(false);
    weft_future *future = NULL;

    EQUAL(weft_future_new(made, &future), 0);
    EQUAL(weft_future_set_exception(future, -EIO), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_futures_failure_reads_like_this)
{
    char text[500], expected[200];

    snprintf(expected, sizeof expected,
             "weft: a future failed and nobody read it: -EIO (%s)\n", strerror(EIO));
    EQUAL(in_child(print_future, text, sizeof text), 0);
    SAME(text, expected);
}

static int print_others(void)
{
    weft_loop *made = printing_loop(false);
    char long_text[2000];
    weft_report report = { .size = sizeof report, .message = "something else" };

    EQUAL(weft_loop_call_exception_handler(made, &report), 0);
    weft_loop_default_exception_handler(NULL, &report); /* any loop, any thread */
    weft_loop_default_exception_handler(made, NULL);
    report.size = 8;
    weft_loop_default_exception_handler(made, &report);
    report.size = sizeof report;
    report.message = NULL;
    weft_loop_default_exception_handler(made, &report);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    report.message = long_text;
    weft_loop_default_exception_handler(made, &report);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(other_reports_read_like_this)
{
    char text[4000];
    static const char expected[] = "weft: something else\nweft: something else\nweft: xxx";

    EQUAL(in_child(print_others, text, sizeof text), 0);
    EQUAL(strncmp(text, expected, strlen(expected)), 0);
    CHECK(text[strlen(text) - 1] == '\n'); /* a line, if a shorter one */
}

static void print_and_keep(weft_loop *from, const weft_report *report, void *arg)
{
    (void)arg;
    weft_loop_default_exception_handler(from, report);
}

WEFT_ASYNC(forgets_a_task)
{
    weft_task_unref(weft_create_task(fails(0), &(weft_task_options){ .name = "forgotten" }));
    weft_sleep(0);
    return 0;
}

static int print_through_handler(void)
{
    weft_loop *made = printing_loop(false);

    EQUAL(weft_loop_set_exception_handler(made, print_and_keep, NULL), 0);
    EQUAL(weft_loop_run_until_complete(made, leaves_a_failure()), 0);
    EQUAL(weft_loop_close(made), 0);
    made = printing_loop(false);
    EQUAL(weft_loop_run_until_complete(made, forgets_a_task()), 0); /* told in debug mode only */
    EQUAL(weft_loop_close(made), 0);
    made = printing_loop(true);
    EQUAL(weft_loop_run_until_complete(made, forgets_a_task()), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_handler_may_print_as_loops_do)
{
    char text[1000], *second;

    EQUAL(in_child(print_through_handler, text, sizeof text), 0);
    CHECK(strstr(text, "weft: task 'leak' failed and nobody read it") == text);
    second = strchr(text, '\n');
    CHECK(second && strncmp(second + 1, "weft: task 'forgotten' was never awaited", 40) == 0);
    second = second ? strchr(second + 1, '\n') : NULL;
    CHECK(second && strstr(second, "\n        made      ") == second); /* debug mode knows more */
}

static CU_TestInfo tests[] = {
    TEST(the_handler_gets_what_was_given),
    TEST(a_shorter_report_is_filled_up_with_zeros),
    TEST(what_is_no_report_is_an_error),
    TEST(a_handler_may_replace_itself),
    TEST(a_handler_may_make_tasks_and_callbacks),
    TEST(a_failure_reads_like_this),
    TEST(a_task_that_was_left_reads_like_this),
    TEST(a_futures_failure_reads_like_this),
    TEST(other_reports_read_like_this),
    TEST(a_handler_may_print_as_loops_do),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(report, tests)
