/* SPDX-License-Identifier: MIT
 * Every call of scopes, groups, gather and its kin, while each allocation and system call fails
 * once. */
#include "tests/task/fault.h"

#include <math.h>

WEFT_ASYNC(uses_all_scopes)
{
    weft_scope scope;
    weft_timeout timeout;
    weft_shield shield;
    weft_on_cancel on_cancel;
    int calls = 0, a, b, c, d;

    a = tried(weft_scope_enter(&scope));
    b = tried(weft_timeout_enter_at(&timeout, weft_loop_time(NULL) + 1e6));
    c = tried(weft_shield_enter(&shield, 1e6));
    d = tried(weft_on_cancel_enter(&on_cancel, count_up, &calls));
    if (b == 0) {
        tried(weft_timeout_reschedule(&timeout, weft_loop_time(NULL) + 1e5));
        tried(weft_timeout_reschedule(&timeout, INFINITY));
        tried(weft_timeout_reschedule(&timeout, weft_loop_time(NULL) + 1e5));
    }
    if (a == 0) {
        EQUAL(weft_scope_cancel(&scope, "fault"), 0); /* arms the shield, or ends it */
    }
    weft_sleep(0);
    EQUAL(weft_on_cancel_exit(&on_cancel, 3), d < 0 ? d : 3);
    EQUAL(weft_shield_exit(&shield, 4), c < 0 ? c : 4);
    EQUAL(weft_timeout_exit(&timeout, 5), b < 0 ? b : 5);
    EQUAL(weft_scope_exit(&scope, 6), a < 0 ? a : 6);
    EQUAL(weft_cancelled(), false);
    {
        WEFT_TIMEOUT_SCOPE(1e3);
        WEFT_SHIELD_SCOPE(1e3);
        tried(weft_sleep(0));
    }
    return 0;
}

static int enters_scopes(void)
{
    return run_in_loop(uses_all_scopes());
}

WEFT_ASYNC(enters_many_scopes)
{
    weft_timeout scopes[200];
    int results[200];

    for (int i = 0; i < 200; i++) {
        results[i] = tried(weft_timeout_enter(&scopes[i], 1e6 + i));
    }
    for (int i = 199; i >= 0; i--) {
        EQUAL(weft_timeout_exit(&scopes[i], 1), results[i] < 0 ? results[i] : 1);
    }
    return 0;
}

static int nests_scopes(void)
{
    return run_in_loop(enters_many_scopes());
}

WEFT_ASYNC(starts_up)
{
    int r = weft_sleep(0);

    ended(NULL);
    if (r == 0) {
        EQUAL(weft_started(NULL), 0);
    }
    return r;
}

static weft_coro *starting(void)
{
    begun();
    return weft_coro_on_drop(starts_up(), ended, NULL);
}

/* A child that could not be made is an error of the scenario. */
static void make_child(weft_task_group *group, weft_coro *coro, const weft_task_options *options)
{
    weft_task *child = weft_task_group_create_task(group, coro, options);
    int r = weft_task_status(child);

    if (r != -EINPROGRESS && r != -ESRCH) {
        tried(r);
    }
}

WEFT_ASYNC(uses_groups, (int, failure))
{
    weft_task_group group;
    weft_task_error errors[4];
    weft_task_options eager = { .eager_start = true };
    int r = tried(weft_task_group_enter(&group));

    if (r < 0) {
        EQUAL(weft_task_group_exit(&group, 0), r);
        return r;
    }
    make_child(&group, counted(1), NULL);
    make_child(&group, counted_large(2), &eager);
    tried(weft_task_group_start(&group, starting(), NULL, NULL));
    make_child(&group, counted(failure), NULL);
    make_child(&group, counted(failure), NULL);
    r = weft_task_group_exit(&group, 0);
    if (r != failure) {
        tried(r);
    }
    weft_task_group_errors(&group, errors, 4);
    return 0;
}

static int makes_groups(void)
{
    return run_in_loop(uses_groups(0));
}

static int makes_groups_that_fail(void)
{
    return run_in_loop(uses_groups(-ENOTTY));
}

WEFT_ASYNC(uses_gather, (int, failure))
{
    weft_future *future = NULL;
    weft_task *task = weft_create_task(counted(2), NULL);
    int statuses[4], r;

    if (tried(weft_future_new(NULL, &future)) == 0) {
        EQUAL(weft_future_set_result(future, NULL), 0);
        r = weft_gather(statuses, counted(1), task, future, counted_large(failure));
    } else {
        r = weft_gather(statuses, counted(1), task, counted_large(failure));
    }
    if (r != failure) {
        tried(r);
    }
    give_way(3); /* what it could not wait for ends */
    return 0;
}

static int gathers(void)
{
    return run_in_loop(uses_gather(0));
}

static int gathers_what_fails(void)
{
    return run_in_loop(uses_gather(-ENOTTY));
}

WEFT_ASYNC(uses_waits)
{
    weft_task *a = weft_create_task(counted(1), NULL), *b = weft_create_task(counted(2), NULL);
    weft_awaitable xs[] = { WEFT_AWAITABLE(a), WEFT_AWAITABLE(b) };
    weft_as_completed each;

    tried(weft_wait(xs, 2, WEFT_FIRST_COMPLETED, 1000));
    if (tried(weft_as_completed_enter(&each, xs, 2)) == 0) {
        for (int i = 0; i < 2; i++) {
            tried(weft_as_completed_next(&each));
        }
    }
    weft_as_completed_exit(&each);
    tried(weft_await_shielded(a));
    tried(weft_wait_for(a, 1000));
    tried(weft_wait_for(b, 1000));
    tried(weft_wait_for(counted(3), 1000));
    give_way(3);
    return 0;
}

static int waits(void)
{
    return run_in_loop(uses_waits());
}

EACH_FAULT_WHILE_IT(enters_scopes)
EACH_FAULT_WHILE_IT(nests_scopes)
EACH_FAULT_WHILE_IT(makes_groups)
EACH_FAULT_WHILE_IT(makes_groups_that_fail)
EACH_FAULT_WHILE_IT(gathers)
EACH_FAULT_WHILE_IT(gathers_what_fails)
EACH_FAULT_WHILE_IT(waits)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_enters_scopes), TEST(each_fault_while_it_nests_scopes),
    TEST(each_fault_while_it_makes_groups),  TEST(each_fault_while_it_makes_groups_that_fail),
    TEST(each_fault_while_it_gathers),       TEST(each_fault_while_it_gathers_what_fails),
    TEST(each_fault_while_it_waits),         CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_cancel, tests)
