/* SPDX-License-Identifier: MIT
 * Task groups: children that say when they have started, and groups that are cancelled. */
#include "tests/task/task.h"

static weft_task_group *shared;

/* start and started. */

WEFT_ASYNC(serves, (double, delay), (int, status))
{
    static int port = 80;
    int r = weft_sleep(delay);

    if (r < 0) {
        return r;
    }
    note("listens");
    EQUAL(weft_started(&port), 0);
    EQUAL(weft_started(&port), -EALREADY);
    r = weft_sleep(0.001);
    note("served");
    return r < 0 ? r : status;
}

IN_TASK(start_waits_until_the_child_has_started)
{
    weft_task_group group;
    void *port = NULL;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_start(&group, serves(0.001, 0), NULL, &port), 0);
    HAPPENED("listens");
    EQUAL(port ? *(int *)port : 0, 80);
    EQUAL(weft_task_group_start(&group, serves(0, 0), NULL, NULL), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("listens served served");
}

IN_TASK(start_of_an_eager_child)
{
    weft_task_group group;
    weft_task_options eager = { .eager_start = true };
    int nothing = 0;
    void *value = &nothing;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_start(&group, serves(0, 0), &eager, &value), 0);
    HAPPENED("listens");
    EQUAL(weft_task_group_start(&group, gives(-EIO), &eager, &value), -EIO);
    EQUAL(weft_task_group_start(&group, gives(0), &eager, &value), -EPROTO);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("served");
}

IN_TASK(who_fails_before_it_has_started_fails_only_the_start)
{
    weft_task_group group;
    int status = 77, nothing;
    void *value = &nothing;
    weft_task_options options = { .ret_status = &status };

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_start(&group, sleeps_then(0.001, -EADDRINUSE), &options, &value),
          -EADDRINUSE);
    EQUAL(status, -EADDRINUSE);
    CHECK(value == &nothing);
    EQUAL(weft_task_group_start(&group, sleeps_then(0, 4), &options, NULL), -EPROTO);
    EQUAL(status, 4);
    EQUAL(weft_sleep(0), 0); /* the body was not cancelled */
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
}

IN_TASK(who_fails_after_it_has_started_fails_the_group)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_start(&group, serves(0, -EIO), NULL, NULL), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_group_exit(&group, -ECANCELED), -EIO);
    HAPPENED("listens served");
}

IN_TASK(a_cancel_while_starting_is_passed_on)
{
    weft_task_group group;
    weft_timeout limit;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_timeout_exit(&limit, weft_task_group_start(&group, serves(1e6, 0), NULL, NULL)),
          -ETIMEDOUT);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_timeout_enter(&limit, -1), 0); /* cancelled before */
    EQUAL(weft_timeout_exit(&limit, weft_task_group_start(&group, serves(1e6, 0), NULL, NULL)),
          -ETIMEDOUT);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

WEFT_ASYNC(starts_in_spite_of_it)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_started(NULL), 0);
    note("started");
    weft_sleep(0.001);
    return 0;
}

IN_TASK(who_starts_in_spite_of_a_cancel_has_started)
{
    weft_task_group group;
    weft_timeout limit;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_task_group_start(&group, starts_in_spite_of_it(), NULL, NULL), 0);
    HAPPENED("started");
    EQUAL(weft_timeout_exit(&limit, 0), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

WEFT_ASYNC(starts_one, (weft_task_group *, group), (int, expected))
{
    EQUAL(weft_task_group_start(group, serves(expected < 0 ? 1e6 : 0.001, 0), NULL, NULL),
          expected);
    return 0;
}

IN_TASK(others_may_start_children_too)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, starts_one(&group, 0), NULL);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("listens served");
}

static void cancel_shared(void *unused)
{
    (void)unused;
    EQUAL(weft_task_group_cancel(shared), 0);
}

IN_TASK(cancelling_the_group_ends_a_start)
{
    weft_task_group group;
    int r;

    shared = &group;
    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_loop_call_soon(NULL, cancel_shared, NULL, NULL), 0);
    r = weft_task_group_start(&group, serves(1e6, 0), NULL, NULL);
    EQUAL(r, -ECANCELED);
    EQUAL(weft_task_group_exit(&group, r), 0);
}

IN_TASK(nobody_waits_for_this_one_to_start)
{
    weft_task_group group;

    EQUAL(weft_started(NULL), -EALREADY);
    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_started(NULL), -EALREADY);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

/* Cancelling the group. */

IN_TASK(cancelling_a_group_ends_children_and_body_without_an_error)
{
    weft_task_group group;
    int a = 77, b = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &a });
    weft_sleep(0);
    weft_task_group_create_task(&group, sleeps(1e6), &(weft_task_options){ .ret_status = &b });
    EQUAL(weft_task_group_cancel(&group), 0);
    EQUAL(weft_task_group_cancel(&group), 0);
    CHECK(weft_cancelled());
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_task_group_exit(&group, -ECANCELED), 0);
    EQUAL(a, -ECANCELED);
    EQUAL(b, -ECANCELED);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_task_cancelling(weft_current_task()), 0);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
}

IN_TASK(a_body_that_ends_well_in_a_cancelled_group_gives_its_status)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_cancel(&group), 0);
    EQUAL(weft_task_group_exit(&group, 5), 5);
}

IN_TASK(a_group_may_be_cancelled_while_it_is_left)
{
    weft_task_group group;

    shared = &group;
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6), NULL);
    EQUAL(weft_loop_call_soon(NULL, cancel_shared, NULL, NULL), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

WEFT_ASYNC(notes_its_fate, (const char *, word))
{
    note(word);
    note(weft_sleep(1e6) == -ECANCELED ? "cancelled" : "slept");
    return 0;
}

IN_TASK(a_child_of_a_cancelled_group_is_cancelled_from_its_beginning)
{
    weft_task_group group;
    weft_task_options eager = { .eager_start = true };

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_cancel(&group), 0);
    weft_task_group_create_task(&group, notes_its_fate("a"), NULL);
    HAPPENED("");
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("a cancelled");

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_cancel(&group), 0);
    weft_task_group_create_task(&group, notes_its_fate("b"), &eager);
    HAPPENED("b");
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("cancelled");
}

WEFT_ASYNC(cancels_its_group, (weft_task_group *, group))
{
    EQUAL(weft_task_group_cancel(group), 0);
    note("cancels");
    return weft_sleep(1e6);
}

IN_TASK(a_child_may_cancel_its_group)
{
    weft_task_group group;
    weft_task_options eager = { .eager_start = true };

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, cancels_its_group(&group), NULL);
    weft_task_group_create_task(&group, notes_its_fate("b"), NULL);
    EQUAL(weft_task_group_exit(&group, 3), 3);
    HAPPENED("cancels b cancelled");
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, cancels_its_group(&group), &eager);
    EQUAL(weft_task_group_exit(&group, weft_sleep(0)), 0);
    HAPPENED("cancels");
}

WEFT_ASYNC(is_cancelled_twice, (weft_task_group *, group))
{
    int r;

    EQUAL(weft_task_group_enter(group), 0);
    weft_task_group_create_task(group, sleeps(1e6), NULL);
    r = weft_sleep(1e6);
    EQUAL(r, -ECANCELED);
    r = weft_task_group_exit(group, r);
    EQUAL(r, -ECANCELED);
    EQUAL(weft_sleep(0), -ECANCELED);
    return r;
}

IN_TASK(the_groups_own_cancel_does_not_swallow_one_from_outside)
{
    for (int i = 0; i < 2; i++) {
        weft_task_group group;
        weft_task *task = weft_create_task(is_cancelled_twice(&group), NULL);

        weft_sleep(0);
        if (i == 0) {
            EQUAL(weft_task_cancel(task), 0);
            EQUAL(weft_task_group_cancel(&group), 0);
        } else {
            EQUAL(weft_task_group_cancel(&group), 0);
            EQUAL(weft_task_cancel(task), 0);
        }
        EQUAL(weft_await(task), -ECANCELED);
    }
}

static CU_TestInfo tests[] = {
    TEST(start_waits_until_the_child_has_started),
    TEST(start_of_an_eager_child),
    TEST(who_fails_before_it_has_started_fails_only_the_start),
    TEST(who_fails_after_it_has_started_fails_the_group),
    TEST(a_cancel_while_starting_is_passed_on),
    TEST(who_starts_in_spite_of_a_cancel_has_started),
    TEST(others_may_start_children_too),
    TEST(cancelling_the_group_ends_a_start),
    TEST(nobody_waits_for_this_one_to_start),
    TEST(cancelling_a_group_ends_children_and_body_without_an_error),
    TEST(a_body_that_ends_well_in_a_cancelled_group_gives_its_status),
    TEST(a_group_may_be_cancelled_while_it_is_left),
    TEST(a_child_of_a_cancelled_group_is_cancelled_from_its_beginning),
    TEST(a_child_may_cancel_its_group),
    TEST(the_groups_own_cancel_does_not_swallow_one_from_outside),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(group_start, tests)
