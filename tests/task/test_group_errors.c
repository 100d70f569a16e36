/* SPDX-License-Identifier: MIT
 * Task groups when something fails, or is cancelled from outside. */
#include "tests/task/task.h"

#include <string.h>

/* What a group lists. */
static void lists(const weft_task_group *group, int n, const int *statuses)
{
    weft_task_error errors[8];

    memset(errors, 0, sizeof errors);
    EQUAL(weft_task_group_errors(group, errors, 8), n);
    for (int i = 0; i < n && i < 8; i++) {
        EQUAL(errors[i].status, statuses[i]);
    }
}
#define LISTS(group, n, ...) lists(group, n, (const int[]){ __VA_ARGS__ })

WEFT_ASYNC(notes_its_end, (const char *, word), (double, delay), (int, status))
{
    int r = weft_sleep(delay);

    note(word);
    return r < 0 && status != -ENOTTY ? r : status;
}

/* Children that fail. */

IN_TASK(a_child_that_fails_cancels_the_others_and_the_body)
{
    weft_task_group group;
    weft_task_options bad = { .name = "bad" };
    weft_task_error error;
    int r;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, stops_slowly(0), NULL);
    weft_task_group_create_task(&group, sleeps_then(0.001, -EIO), &bad);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    r = weft_sleep(1e6);
    EQUAL(r, -ECANCELED);
    EQUAL(weft_task_group_exit(&group, r), -EIO);
    HAPPENED("stopped");
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_task_cancelling(weft_current_task()), 0);
    EQUAL(weft_task_group_errors(&group, &error, 1), 1);
    EQUAL(error.status, -EIO);
    SAME(error.coro, "sleeps_then");
    SAME(error.name, "bad");
}

IN_TASK(a_failure_while_the_group_is_left)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps_then(0.001, -EIO), NULL);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
    LISTS(&group, 1, -EIO);
}

IN_TASK(a_child_that_had_failed_before_the_body_ended_fails_the_group)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, gives(-EIO), NULL);
    give_way(1);
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
}

IN_TASK(all_failures_are_listed_in_their_order)
{
    weft_task_group group;
    weft_task_error two[3];

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, stops_slowly(-EPIPE), &(weft_task_options){ .name = "b" });
    weft_task_group_create_task(&group, notes_its_end("a", 0.001, -EIO),
                                &(weft_task_options){ .name = "a" });
    weft_task_group_create_task(&group, notes_its_end("c", 1e6, -ENOTTY),
                                &(weft_task_options){ .name = "c" });
    EQUAL(weft_task_group_exit(&group, weft_sleep(1e6)), -EIO);
    HAPPENED("a c stopped");
    LISTS(&group, 3, -EIO, -ENOTTY, -EPIPE);
    two[2].status = 77;
    EQUAL(weft_task_group_errors(&group, two, 2), 3);
    EQUAL(two[1].status, -ENOTTY);
    EQUAL(two[2].status, 77);
    SAME(two[0].name, "a");
    SAME(two[1].name, "c");
    EQUAL(weft_task_group_errors(&group, NULL, 0), 3);
}

IN_TASK(many_failures)
{
    weft_task_group group;
    int n = many(1000);

    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < n; i++) {
        weft_task_group_create_task(&group, gives(-1 - i % 30), NULL);
    }
    EQUAL(weft_task_group_exit(&group, 0), -1);
    EQUAL(weft_task_group_errors(&group, NULL, 0), n);
    LISTS(&group, n, -1, -2, -3, -4, -5, -6, -7, -8);
}

IN_TASK(eager_children_that_fail_at_once)
{
    weft_task_group group;
    weft_task_options eager = { .eager_start = true };
    weft_task *child;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    child = weft_task_group_create_task(&group, gives(-EIO), &eager);
    EQUAL(weft_task_status(child), -ESRCH); /* gone */
    CHECK(weft_cancelled());
    weft_task_group_create_task(&group, gives(-EPIPE), &eager);
    weft_task_group_create_task(&group, sleeps(1e6), &eager);
    EQUAL(weft_task_status(child), -ESRCH); /* and nobody else */
    EQUAL(weft_task_group_exit(&group, weft_sleep(1e6)), -EIO);
    LISTS(&group, 2, -EIO, -EPIPE);
}

IN_TASK(an_eager_child_that_ends_well_is_counted)
{
    weft_task_group group;
    int status = 77;
    weft_task_options eager = { .eager_start = true, .ret_status = &status };

    EQUAL(weft_task_group_enter(&group), 0);
    CHECK(weft_task_done(weft_task_group_create_task(&group, gives(4), &eager)));
    EQUAL(status, 4);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

IN_TASK(a_late_child_of_a_group_that_failed_is_cancelled)
{
    weft_task_group group;
    int status = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, gives(-EIO), NULL);
    give_way(1);
    weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &status });
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
    EQUAL(status, -ECANCELED);
}

/* The body fails. */

IN_TASK(a_body_that_fails_cancels_the_children)
{
    weft_task_group group;
    weft_task_error error;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, stops_slowly(0), NULL);
    weft_sleep(0);
    EQUAL(weft_task_group_exit(&group, -EBADMSG), -EBADMSG);
    HAPPENED("stopped");
    EQUAL(weft_task_group_errors(&group, &error, 1), 1);
    EQUAL(error.status, -EBADMSG);
    CHECK(error.coro == NULL);
    SAME(error.name, weft_task_get_name(weft_current_task()));
}

IN_TASK(body_and_child_both_fail)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, gives(-EIO), NULL);
    give_way(1);
    EQUAL(weft_task_group_exit(&group, -EBADMSG), -EIO); /* the first */
    LISTS(&group, 2, -EIO, -EBADMSG);

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, stops_slowly(-EIO), NULL);
    weft_sleep(0);
    EQUAL(weft_task_group_exit(&group, -EBADMSG), -EBADMSG);
    LISTS(&group, 2, -EBADMSG, -EIO);
    HAPPENED("stopped");
}

/* A child is cancelled alone. */

IN_TASK(a_child_that_is_cancelled_alone_concerns_nobody)
{
    weft_task_group group;
    weft_task *child;
    int a = 77, b = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    child =
        weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &a });
    weft_task_group_create_task(&group, sleeps_then(0.001, 2),
                                &(weft_task_options){ .ret_status = &b });
    weft_task_group_create_task(&group, gives(-ECANCELED), NULL); /* nor one that says so */
    weft_sleep(0);
    EQUAL(weft_task_cancel(child), 0);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_task_group_exit(&group, 3), 3);
    EQUAL(a, -ECANCELED);
    EQUAL(b, 2);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
}

IN_TASK(a_cancelled_child_that_fails_otherwise_has_failed)
{
    weft_task_group group;
    weft_task *child;

    EQUAL(weft_task_group_enter(&group), 0);
    child = weft_task_group_create_task(&group, stops_slowly(-EIO), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(child), 0);
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
    HAPPENED("stopped");
}

IN_TASK(a_body_that_says_it_was_cancelled_cancels_the_children)
{
    weft_task_group group;
    int a = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &a });
    EQUAL(weft_task_group_exit(&group, -ECANCELED), -ECANCELED);
    EQUAL(a, -ECANCELED);
    EQUAL(weft_sleep(0), 0);
}

/* The parent is cancelled from outside. */

WEFT_ASYNC(parent, (weft_coro *, child), (weft_coro *, other), (bool, waits), (int, expected))
{
    weft_task_group group;
    int r = 0;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, child, NULL);
    weft_task_group_create_task(&group, other, NULL);
    if (waits) {
        r = weft_sleep(1e6);
        EQUAL(r, -ECANCELED);
        EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
    }
    r = weft_task_group_exit(&group, r);
    EQUAL(r, expected);
    CHECK(weft_cancelled());
    EQUAL(weft_task_cancelling(weft_current_task()), 1);
    EQUAL(weft_sleep(0), -ECANCELED);
    return r;
}

/* Cancels it when its children sleep. */
static void cancelled_gives(weft_coro *coro, int expected)
{
    weft_task *task = weft_create_task(coro, NULL);

    give_way(2);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), expected);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
}

IN_TASK(a_parent_that_is_cancelled_in_the_body)
{
    cancelled_gives(parent(sleeps(1e6), stops_slowly(0), true, -ECANCELED), -ECANCELED);
    HAPPENED("stopped");
}

IN_TASK(a_parent_that_is_cancelled_while_it_leaves)
{
    cancelled_gives(parent(sleeps(1e6), stops_slowly(0), false, -ECANCELED), -ECANCELED);
    HAPPENED("stopped");
}

IN_TASK(a_child_that_fails_while_it_is_cancelled_wins)
{
    cancelled_gives(parent(sleeps(1e6), stops_slowly(-EIO), true, -EIO), -EIO);
    cancelled_gives(parent(sleeps(1e6), stops_slowly(-EIO), false, -EIO), -EIO);
    HAPPENED("stopped stopped");
}

IN_TASK(children_that_end_well_in_spite_of_the_cancel)
{
    cancelled_gives(parent(stops_slowly(4), stops_slowly(5), false, 0), 0);
    HAPPENED("stopped stopped");
    cancelled_gives(parent(stops_slowly(4), stops_slowly(5), true, -ECANCELED), -ECANCELED);
    HAPPENED("stopped stopped");
}

IN_TASK(a_child_that_was_cancelled_alone_is_not_the_parents_cancel)
{
    cancelled_gives(parent(gives(-ECANCELED), stops_slowly(5), false, 0), 0);
    HAPPENED("stopped");
}

WEFT_ASYNC(fails_when_cancelled)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    return -EIO;
}

IN_TASK(a_child_is_cancelled_once_by_its_group)
{
    cancelled_gives(parent(fails_when_cancelled(), stops_slowly(0), false, -EIO), -EIO);
    cancelled_gives(parent(fails_when_cancelled(), stops_slowly(0), true, -EIO), -EIO);
    HAPPENED("stopped stopped"); /* its uncancel() found one */
}

WEFT_ASYNC(never_ends_first, (weft_task_group *, group), (int *, status))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    weft_task_group_create_task(group, sleeps(1e6), &(weft_task_options){ .ret_status = status });
    return -ECANCELED;
}

WEFT_ASYNC(has_a_late_child, (int *, status))
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, never_ends_first(&group, status), NULL);
    return weft_task_group_exit(&group, 0);
}

IN_TASK(a_late_child_of_a_parent_that_was_cancelled_is_cancelled)
{
    int status = 77;

    cancelled_gives(has_a_late_child(&status), -ECANCELED);
    EQUAL(status, -ECANCELED);
}

IN_TASK(a_parent_that_was_cancelled_before_it_entered)
{
    weft_task *task = weft_create_task(parent(sleeps(1e6), sleeps(1e6), false, -ECANCELED), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    task = weft_create_task(parent(sleeps(1e6), sleeps(1e6), true, -ECANCELED), NULL);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

IN_TASK(a_deadline_around_a_group)
{
    weft_task_group group;
    weft_timeout limit;

    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    EQUAL(weft_timeout_exit(&limit, weft_task_group_exit(&group, 0)), -ETIMEDOUT);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);

    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, stops_slowly(-EIO), NULL);
    EQUAL(weft_timeout_exit(&limit, weft_task_group_exit(&group, 0)), -EIO);
    HAPPENED("stopped");
}

IN_TASK(a_deadline_in_the_body_is_the_bodys)
{
    weft_task_group group;
    weft_timeout limit;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, notes_its_end("child", 0.005, 0), NULL);
    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_timeout_exit(&limit, weft_sleep(1e6)), -ETIMEDOUT);
    HAPPENED("");
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("child");
}

IN_TASK(a_failure_reaches_into_a_shield_only_when_that_is_left)
{
    weft_task_group group;
    weft_shield shield;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, gives(-EIO), NULL);
    EQUAL(weft_shield_enter(&shield, 1e6), 0);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
}

static CU_TestInfo tests[] = {
    TEST(a_child_that_fails_cancels_the_others_and_the_body),
    TEST(a_failure_while_the_group_is_left),
    TEST(a_child_that_had_failed_before_the_body_ended_fails_the_group),
    TEST(all_failures_are_listed_in_their_order),
    TEST(many_failures),
    TEST(eager_children_that_fail_at_once),
    TEST(an_eager_child_that_ends_well_is_counted),
    TEST(a_late_child_of_a_group_that_failed_is_cancelled),
    TEST(a_body_that_fails_cancels_the_children),
    TEST(body_and_child_both_fail),
    TEST(a_child_that_is_cancelled_alone_concerns_nobody),
    TEST(a_cancelled_child_that_fails_otherwise_has_failed),
    TEST(a_body_that_says_it_was_cancelled_cancels_the_children),
    TEST(a_parent_that_is_cancelled_in_the_body),
    TEST(a_parent_that_is_cancelled_while_it_leaves),
    TEST(a_child_that_fails_while_it_is_cancelled_wins),
    TEST(children_that_end_well_in_spite_of_the_cancel),
    TEST(a_child_that_was_cancelled_alone_is_not_the_parents_cancel),
    TEST(a_child_is_cancelled_once_by_its_group),
    TEST(a_late_child_of_a_parent_that_was_cancelled_is_cancelled),
    TEST(a_parent_that_was_cancelled_before_it_entered),
    TEST(a_deadline_around_a_group),
    TEST(a_deadline_in_the_body_is_the_bodys),
    TEST(a_failure_reaches_into_a_shield_only_when_that_is_left),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(group_errors, tests)
