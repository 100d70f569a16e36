/* SPDX-License-Identifier: MIT
 * Task groups that fail: one inside another, supervisors, how long errors are kept, reasons. */
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

/* Nested groups. */

IN_TASK(both_of_two_nested_groups_fail)
{
    weft_task_group outer, inner;
    int r;

    EQUAL(weft_task_group_enter(&outer), 0);
    weft_task_group_create_task(&outer, gives(-EPIPE), NULL);
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&inner, gives(-EIO), NULL);
    weft_task_group_create_task(&inner, stops_slowly(0), NULL);
    r = weft_task_group_exit(&inner, weft_sleep(1e6));
    EQUAL(r, -EIO);
    LISTS(&inner, 1, -EIO);
    EQUAL(weft_sleep(0), -ECANCELED); /* the outer one's cancel is accounted for by itself */
    EQUAL(weft_task_group_exit(&outer, r), -EPIPE);
    LISTS(&outer, 2, -EPIPE, -EIO);
    EQUAL(weft_task_group_errors(&inner, NULL, 0), 0); /* one list is kept */
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_task_cancelling(weft_current_task()), 0);
    HAPPENED("stopped");
}

IN_TASK(the_inner_group_fails_alone)
{
    weft_task_group outer, inner;
    int status = 77, r;

    EQUAL(weft_task_group_enter(&outer), 0);
    weft_task_group_create_task(&outer, sleeps_then(0.002, 1),
                                &(weft_task_options){ .ret_status = &status });
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&inner, gives(-EIO), NULL);
    r = weft_task_group_exit(&inner, weft_sleep(1e6));
    EQUAL(r, -EIO);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_task_group_exit(&outer, 0), 0);
    EQUAL(status, 1);
    LISTS(&inner, 1, -EIO); /* the outer one did not fail */
}

IN_TASK(the_outer_group_fails_while_the_inner_one_is_left)
{
    weft_task_group outer, inner;
    int r;

    EQUAL(weft_task_group_enter(&outer), 0);
    weft_task_group_create_task(&outer, sleeps_then(0.001, -EPIPE), NULL);
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&inner, sleeps(1e6), NULL);
    r = weft_task_group_exit(&inner, 0);
    EQUAL(r, -ECANCELED);
    EQUAL(weft_task_group_exit(&outer, r), -EPIPE);
    LISTS(&outer, 1, -EPIPE);
}

IN_TASK(both_of_two_nested_groups_are_cancelled)
{
    for (int order = 0; order < 2; order++) {
        weft_task_group outer, inner;
        int r;

        EQUAL(weft_task_group_enter(&outer), 0);
        EQUAL(weft_task_group_enter(&inner), 0);
        weft_task_group_create_task(&inner, stops_slowly(0), NULL);
        weft_sleep(0);
        EQUAL(weft_task_group_cancel(order ? &outer : &inner), 0);
        EQUAL(weft_task_group_cancel(order ? &inner : &outer), 0);
        r = weft_task_group_exit(&inner, weft_sleep(1e6));
        EQUAL(r, -ECANCELED);
        EQUAL(weft_sleep(0), -ECANCELED);
        EQUAL(weft_task_group_exit(&outer, r), 0);
        EQUAL(weft_sleep(0), 0);
        HAPPENED("stopped");
    }
}

/* Supervisors. */

IN_TASK(a_supervisor_only_lists_failures)
{
    weft_task_group group;
    int status = 77;

    EQUAL(weft_task_group_enter_with(&group, WEFT_GROUP_SUPERVISOR), 0);
    weft_task_group_create_task(&group, gives(-EIO), NULL);
    weft_task_group_create_task(&group, sleeps_then(0.001, 5),
                                &(weft_task_options){ .ret_status = &status });
    weft_task_group_create_task(&group, sleeps_then(0.0005, -EPIPE), NULL);
    EQUAL(weft_sleep(0.0001), 0);
    EQUAL(weft_task_group_exit(&group, 0), -EIO);
    EQUAL(status, 5);
    LISTS(&group, 2, -EIO, -EPIPE);
}

IN_TASK(a_supervisors_body_that_fails_ends_the_children)
{
    weft_task_group group;
    int status = 77;

    EQUAL(weft_task_group_enter_with(&group, WEFT_GROUP_SUPERVISOR), 0);
    weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &status });
    EQUAL(weft_task_group_exit(&group, -EIO), -EIO);
    EQUAL(status, -ECANCELED);
}

IN_TASK(a_supervisor_can_be_cancelled)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter_with(&group, WEFT_GROUP_SUPERVISOR), 0);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    EQUAL(weft_task_group_cancel(&group), 0);
    EQUAL(weft_task_group_exit(&group, weft_sleep(0)), 0);
}

/* How long the list lives. */

IN_TASK(the_list_is_kept_until_another_group_has_failed)
{
    weft_task_group first, second;

    EQUAL(weft_task_group_enter(&first), 0);
    EQUAL(weft_task_group_exit(&first, -EIO), -EIO);
    LISTS(&first, 1, -EIO);
    LISTS(&first, 1, -EIO); /* may be read twice */
    EQUAL(weft_task_group_enter(&second), 0);
    LISTS(&first, 1, -EIO);
    EQUAL(weft_task_group_exit(&second, 0), 0);
    LISTS(&first, 1, -EIO);
    EQUAL(weft_task_group_errors(&second, NULL, 0), 0);
    EQUAL(weft_task_group_enter(&second), 0);
    EQUAL(weft_task_group_exit(&second, -EPIPE), -EPIPE);
    LISTS(&second, 1, -EPIPE);
    EQUAL(weft_task_group_errors(&first, NULL, 0), 0);
}

IN_TASK(a_group_in_the_same_place_has_no_errors_of_the_one_before)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_exit(&group, -EIO), -EIO);
    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
}

/* Reasons. */

WEFT_ASYNC(tells_why, (weft_cancel_reason *, reason))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, reason), 0);
    return -ECANCELED;
}

IN_TASK(siblings_and_the_body_are_told_who_failed)
{
    weft_task_group group;
    weft_cancel_reason reasons[2] = { 0 };

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, tells_why(&reasons[0]), NULL);
    weft_task_group_create_task(&group, sleeps_then(0.001, -EIO),
                                &(weft_task_options){ .name = "culprit" });
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, &reasons[1]), 0);
    EQUAL(weft_task_group_exit(&group, -ECANCELED), -EIO);
    EQUAL(weft_task_cancel_reason(NULL, &reasons[1]), -ENOENT);
    for (int i = 0; i < 2; i++) {
        EQUAL(reasons[i].kind, WEFT_CANCEL_SIBLING);
        EQUAL(reasons[i].status, -EIO);
        SAME(reasons[i].by, "culprit");
        SAME(reasons[i].coro, "sleeps_then");
    }
}

static CU_TestInfo tests[] = {
    TEST(both_of_two_nested_groups_fail),
    TEST(the_inner_group_fails_alone),
    TEST(the_outer_group_fails_while_the_inner_one_is_left),
    TEST(both_of_two_nested_groups_are_cancelled),
    TEST(a_supervisor_only_lists_failures),
    TEST(a_supervisors_body_that_fails_ends_the_children),
    TEST(a_supervisor_can_be_cancelled),
    TEST(the_list_is_kept_until_another_group_has_failed),
    TEST(a_group_in_the_same_place_has_no_errors_of_the_one_before),
    TEST(siblings_and_the_body_are_told_who_failed),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(group_nested, tests)
