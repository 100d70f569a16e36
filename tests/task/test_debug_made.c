/* SPDX-License-Identifier: MIT
 * Debug mode: coroutines and tasks that nobody awaited, failures that nobody read, tasks that were
 * left, each with where it was made; and those of which nothing is told. */
#include "tests/task/debug.h"

#include <signal.h>

WEFT_ASYNC(does_nothing)
{
    return 0;
}

WEFT_ASYNC(fails)
{
    return -EIO;
}

__attribute__((noinline)) static weft_coro *makes_and_loses(void)
{
    weft_coro *lost = does_nothing();

    return lost;
}

static void check_made(const char *function)
{
    CHECK(told.made_count > 0);
    CHECK(leads_to(told.made, told.made_count, function));
}

WEFT_ASYNC(loses_a_coroutine)
{
    (void)!makes_and_loses();
    return 0;
}

IN_LOOP(a_coroutine_that_was_never_awaited)
{
    watch_for("awaits,made");
    EQUAL(run(loses_a_coroutine()), 0);
    SILENT();
    close_loop();
    EQUAL(told.count, 1);
    EQUAL(told.kind, WEFT_REPORT_CORO_NEVER_AWAITED);
    SAME(told.coro, "does_nothing");
    check_made("loses_a_coroutine");
}

WEFT_ASYNC(takes_each_coroutine)
{
    EQUAL(weft_await(does_nothing()), 0);
    EQUAL(weft_await(weft_create_task(does_nothing(), NULL)), 0);
    EQUAL(weft_coro_close(does_nothing()), 0);
    return 0;
}

IN_LOOP(one_that_was_taken_is_not_told)
{
    watch_for("awaits,made");
    EQUAL(run(takes_each_coroutine()), 0);
    close_loop();
    SILENT();
}

__attribute__((noinline)) static weft_task *starts(weft_coro *coro, const char *name)
{
    weft_task *task = named(coro, name);

    return task;
}

IN_TASK(a_task_that_was_never_awaited)
{
    watch_for("awaits,made");
    weft_task_unref(starts(does_nothing(), "orphan"));
    weft_sleep(0);
    TOLD_ABOUT(WEFT_REPORT_TASK_NEVER_AWAITED, "orphan");
    check_made("starts");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(a_failure_that_nobody_read)
{
    watch_for("awaits,made");
    EQUAL(weft_task_detach(starts(fails(), "failing")), 0);
    weft_sleep(0);
    EQUAL(told.status, -EIO);
    TOLD_ABOUT(WEFT_REPORT_FAILED, "failing");
    check_made("starts");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(tasks_that_were_awaited_or_let_go_are_not_told)
{
    watch_for("1");
    EQUAL(weft_await(starts(does_nothing(), "awaited")), 0);
    EQUAL(weft_await(starts(fails(), "read")), -EIO);
    EQUAL(weft_task_detach(starts(does_nothing(), "let go")), 0);
    weft_sleep(0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(where_a_task_was_made_is_not_noted_unless_asked_for)
{
    watch_for("awaits");
    weft_task_unref(starts(does_nothing(), "orphan"));
    weft_sleep(0);
    TOLD_ABOUT(WEFT_REPORT_TASK_NEVER_AWAITED, "orphan");
    EQUAL(told.made_count, 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* What is left when the loop closes. */

WEFT_ASYNC(waits_for_ever)
{
    return weft_sleep(1e6);
}

WEFT_ASYNC(makes_two)
{
    EQUAL(weft_task_detach(named(waits_for_ever(), "first child")), 0);
    EQUAL(weft_task_detach(named(waits_for_ever(), "second child")), 0);
    return weft_sleep(1e6);
}

WEFT_ASYNC(makes_a_tree)
{
    EQUAL(weft_task_detach(named(makes_two(), "parent")), 0);
    EQUAL(weft_task_detach(named(waits_for_ever(), "alone")), 0);
    weft_sleep(0);
    weft_sleep(0);
    return 0;
}

static struct told tree;
static int pending;

static void keep_tree(weft_loop *from, const weft_report *report, void *arg)
{
    if (report->kind == WEFT_REPORT_LEAKS) {
        told.count = 0;
        debug_keep(from, report, arg);
        tree = told;
    } else {
        EQUAL(report->kind, WEFT_REPORT_PENDING);
        pending++;
    }
}

static void check_leak(int i, const char *name, uint32_t depth)
{
    SAME(tree.others[i].task_name, name);
    SAME(tree.others[i].waiting, "sleep");
    EQUAL(tree.others[i].depth, depth);
    CHECK(tree.others[i].made_count > 0);
    CHECK((tree.others[i].stack_count > 0) == knows_stacks_of_others());
}

IN_LOOP(what_is_left_is_told_as_a_tree)
{
    pending = 0;
    EQUAL(weft_debug_set(loop, "leaks,made"), 0);
    EQUAL(weft_loop_set_exception_handler(loop, keep_tree, NULL), 0);
    EQUAL(run(makes_a_tree()), 0);
    close_loop();
    EQUAL(tree.others_count, 4);
    CHECK(strstr(tree.message, "4 tasks are left") == tree.message);
    check_leak(0, "parent", 0);
    check_leak(1, "first child", 1);
    check_leak(2, "second child", 1);
    check_leak(3, "alone", 0);
    EQUAL(pending, 4);
}

IN_LOOP(tasks_that_ended_are_no_leak)
{
    watch_for("leaks,made");
    EQUAL(run(takes_each_coroutine()), 0);
    close_loop();
    SILENT();
}

static int prints_a_tree(void)
{
    weft_loop *made = NULL;

    EQUAL(weft_loop_new(backend(), &made), 0);
    EQUAL(weft_debug_set(made, "leaks,made"), 0);
    EQUAL(weft_loop_run_until_complete(made, makes_a_tree()), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_tree_reads_like_this)
{
    char text[8000];

    EQUAL(in_child(prints_a_tree, text, sizeof text), 0);
    CHECK(strncmp(text, "weft: 4 tasks are left when the loop closes\n        task 'parent' ",
                  66) == 0);
    CHECK(strstr(text, "\n        └ task 'first child' has not ended; it waits for: sleep") !=
          NULL);
    CHECK(strstr(text, "had not ended when its loop was closed") == NULL); /* not a second time */
}

/* The end of a run cancels who is left, and that alone would hide a task that was lost. */

enum leaving { LOST, LET_GO, AWAITED, IN_A_GROUP, CANCELLED, WITH_A_CALLBACK, FAILED, STRUCK };

static void ended(weft_task *task, void *arg)
{
    (void)task, (void)arg;
}

WEFT_ASYNC(has_a_child)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    (void)weft_task_group_create_task(&group, waits_for_ever(), NULL);
    return weft_task_group_exit(&group, 0);
}

WEFT_ASYNC(leaves_one, (enum leaving, how))
{
    weft_task *task;

    if (how == IN_A_GROUP) {
        EQUAL(weft_task_detach(weft_create_task(has_a_child(), NULL)), 0);
        return weft_sleep(0);
    }
    task = weft_create_task(waits_for_ever(), NULL);
    weft_sleep(0);
    if (how == LET_GO) {
        EQUAL(weft_task_detach(task), 0);
    } else if (how == AWAITED) {
        EQUAL(weft_task_detach(weft_create_task(awaits_task(task), NULL)), 0);
        weft_sleep(0);
    } else if (how == CANCELLED) {
        EQUAL(weft_task_cancel(task), 0);
    } else if (how == WITH_A_CALLBACK) {
        EQUAL(weft_task_add_done_callback(task, ended, NULL), 0);
    } else if (how == STRUCK) {
        raise(SIGINT);
        return weft_sleep(10);
    }
    return how == FAILED ? -EIO : 0;
}

static enum leaving leaving;

static int leaves(void)
{
    int r = weft_run(leaves_one(leaving),
                     &(weft_run_options){ .backend = backend(), .debug_words = "leaks,awaits" });

    return r == (leaving == FAILED ? -EIO : leaving == STRUCK ? -EINTR : 0) ? 0 : 1;
}

static int lingers_in_a_runner(void)
{
    weft_runner runner;

    EQUAL(weft_runner_open(&runner, &(weft_run_options){ .backend = backend(),
                                                         .debug_words = "leaks" }),
          0);
    EQUAL(weft_runner_run(&runner, leaves_one(LOST)), 0);
    EQUAL(weft_runner_run(&runner, leaves_one(LOST)), 0);
    EQUAL(weft_runner_close(&runner), 0);
    return 0;
}

ALONE(a_task_that_a_run_leaves_behind)
{
    static const char begin[] = "weft: 1 task is left when the run ends, and cancelled: neither "
                                "awaited nor detached\n        task 'Task-";
    char text[8000];

    leaving = LOST;
    EQUAL(in_child(leaves, text, sizeof text), 0);
    CHECK(strncmp(text, begin, strlen(begin)) == 0);
    CHECK(strstr(text, "it waits for: sleep, in coroutine 'waits_for_ever' (") != NULL);
    EQUAL(in_child(lingers_in_a_runner, text, sizeof text), 0);
    CHECK(strncmp(text, "weft: 2 tasks are left when the run ends", 40) == 0);
}

ALONE(what_a_run_may_leave_is_not_told)
{
    char text[8000];

    for (leaving = LET_GO; leaving <= STRUCK; leaving++) {
        EQUAL(in_child(leaves, text, sizeof text), 0);
        SAME(text, "");
    }
}

/* Handles that are spent. */

IN_TASK(a_task_that_is_awaited_twice)
{
    weft_task *task;

    watch_for("stale,made");
    task = starts(does_nothing(), "once");
    EQUAL(weft_await(task), 0);
    SILENT();
    EQUAL(weft_await(task), -ESRCH);
    EQUAL(told.status, -ESRCH);
    TOLD_ABOUT(WEFT_REPORT_STALE, "once");
    check_made("starts");
    CHECK(leads_to(told.stack, told.stack_count, "a_task_that_is_awaited_twice"));
    EQUAL(weft_task_detach(task), -ESRCH);
    TOLD_ABOUT(WEFT_REPORT_STALE, "once");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(one_whose_only_hold_was_given_away)
{
    weft_task *task;

    watch_for("stale,made");
    task = starts(sleeps(0.001), "given");
    EQUAL(weft_task_detach(task), 0);
    EQUAL(weft_await(task), -ESRCH);
    TOLD_ABOUT(WEFT_REPORT_STALE, "given");
    EQUAL(weft_sleep(0.01), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(a_coroutine_that_is_awaited_twice)
{
    weft_coro *coro;

    watch_for("stale,made");
    coro = makes_and_loses();
    EQUAL(weft_await(coro), 0);
    EQUAL(weft_await(coro), -ESRCH);
    EQUAL(told.kind, WEFT_REPORT_STALE);
    EQUAL(told.count, 1);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(asking_about_a_task_that_has_ended_is_fine)
{
    weft_task *task;

    watch_for("stale");
    task = starts(does_nothing(), "ended");
    EQUAL(weft_await(task), 0);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_cancel(task), -ESRCH);
    EQUAL(weft_task_status(task), -ESRCH);
    task = weft_task_ref(starts(does_nothing(), "two holds"));
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(task), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_coroutine_that_was_never_awaited),
    TEST(one_that_was_taken_is_not_told),
    TEST(a_task_that_was_never_awaited),
    TEST(a_failure_that_nobody_read),
    TEST(tasks_that_were_awaited_or_let_go_are_not_told),
    TEST(where_a_task_was_made_is_not_noted_unless_asked_for),
    TEST(what_is_left_is_told_as_a_tree),
    TEST(tasks_that_ended_are_no_leak),
    TEST(a_tree_reads_like_this),
    TEST(a_task_that_a_run_leaves_behind),
    TEST(what_a_run_may_leave_is_not_told),
    TEST(a_task_that_is_awaited_twice),
    TEST(one_whose_only_hold_was_given_away),
    TEST(a_coroutine_that_is_awaited_twice),
    TEST(asking_about_a_task_that_has_ended_is_fine),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_made, tests)
