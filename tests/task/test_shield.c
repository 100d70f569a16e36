/* SPDX-License-Identifier: MIT
 * Shields, and callbacks on a cancel. */
#include "tests/task/task.h"

#include <math.h>

static double now(void)
{
    return weft_loop_time(NULL);
}

static void cancel_scope(void *scope)
{
    EQUAL(weft_scope_cancel(scope, "from a callback"), 0);
}

/* Shields. */

IN_TASK(a_shield_keeps_off_what_comes_from_outside)
{
    weft_timeout outer;
    weft_shield shield;

    EQUAL(weft_timeout_enter(&outer, 0.001), 0);
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_sleep(0.003), 0);
    EQUAL(weft_timeout_expired(&outer), true);
    EQUAL(weft_cancelled(), false);
    EQUAL(weft_shield_exit(&shield, 3), 3);
    EQUAL(weft_cancelled(), true);
    EQUAL(weft_timeout_exit(&outer, weft_sleep(0)), -ETIMEDOUT);
}

WEFT_ASYNC(cleans_up, (double, limit), (double, needs), (int, expected))
{
    weft_shield shield;
    int r;

    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_shield_enter(&shield, limit), 0);
    r = weft_sleep(needs);
    EQUAL(r, expected);
    EQUAL(weft_shield_exit(&shield, r), r);
    EQUAL(weft_sleep(0), -ECANCELED);
    return -ECANCELED;
}

IN_TASK(a_cancelled_task_may_wait_inside_a_shield)
{
    static const struct {
        double limit, needs;
        int expected;
    } cases[] = { { 1e3, 0.001, 0 },    { INFINITY, 0.001, 0 }, { 0.001, 1e6, -ECANCELED },
                  { 0, 1, -ECANCELED }, { -1, 0, -ECANCELED },  { -INFINITY, 0, -ECANCELED } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_task *task =
            weft_create_task(cleans_up(cases[i].limit, cases[i].needs, cases[i].expected), NULL);

        weft_sleep(0);
        EQUAL(weft_task_cancel(task), 0);
        EQUAL(weft_await(task), -ECANCELED);
    }
}

WEFT_ASYNC(is_shielded_for_long)
{
    weft_shield shield;

    EQUAL(weft_shield_enter(&shield, 0.01), 0);
    EQUAL(weft_sleep(0.03), 0); /* the limit does not run yet */
    note("alive");
    EQUAL(weft_sleep(1e6), -ECANCELED);
    return weft_shield_exit(&shield, -ECANCELED);
}

IN_TASK(a_shields_limit_runs_from_the_later_of_enter_and_cancel)
{
    weft_task *task = weft_create_task(is_shielded_for_long(), NULL);
    double cancelled;

    EQUAL(weft_sleep(0.04), 0);
    HAPPENED("alive");
    cancelled = now();
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_await(task), -ECANCELED);
    CHECK(now() - cancelled >= 0.01 * 0.999999);
}

IN_TASK(a_cancel_that_is_taken_back_does_not_use_up_a_shield)
{
    weft_shield shield;

    EQUAL(weft_shield_enter(&shield, 0.002), 0);
    EQUAL(weft_task_cancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.0005), 0);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.01), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(weft_sleep(0), 0);
}

IN_TASK(scopes_inside_a_shield_work_as_ever)
{
    weft_shield shield;
    weft_timeout inner;
    weft_scope scope;

    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_timeout_enter(&inner, 0.001), 0);
    EQUAL(weft_timeout_exit(&inner, weft_sleep(1e6)), -ETIMEDOUT);
    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    EQUAL(weft_scope_exit(&scope, weft_sleep(0)), -ECANCELED);
    EQUAL(weft_shield_exit(&shield, weft_sleep(0)), 0);
}

IN_TASK(a_shield_that_cannot_be_entered)
{
    weft_shield shield;

    EQUAL(weft_shield_enter(&shield, NAN), -EINVAL);
    EQUAL(weft_shield_exit(&shield, 0), -EINVAL);
    EQUAL(weft_shield_enter(NULL, 1), -EINVAL);
    EQUAL(weft_shield_exit(NULL, 0), -EINVAL);
}

IN_TASK(two_shields_whose_limits_are_used_up)
{
    weft_timeout outer;
    weft_shield a, b;

    EQUAL(weft_timeout_enter(&outer, 0.001), 0);
    EQUAL(weft_shield_enter(&a, 0), 0);
    EQUAL(weft_shield_enter(&b, 0), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_shield_exit(&b, 0), 0);
    EQUAL(weft_shield_exit(&a, 0), 0);
    EQUAL(weft_timeout_exit(&outer, -ECANCELED), -ETIMEDOUT);
}

IN_TASK(the_limit_of_a_shield_is_the_deadline_that_holds)
{
    weft_timeout outer;
    weft_shield shield;
    double start = now();

    EQUAL(weft_timeout_enter(&outer, -1), 0);
    EQUAL(weft_shield_enter(&shield, 30), 0);
    CHECK(weft_current_deadline() >= start + 29.9 && weft_current_deadline() <= now() + 30.1);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(weft_timeout_exit(&outer, 0), 0);
}

/* Callbacks. */

IN_TASK(a_callback_comes_with_the_cancel_once)
{
    weft_scope scope;
    weft_on_cancel outer, inner;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_on_cancel_enter(&outer, NOTED("outer")), 0);
    EQUAL(weft_on_cancel_enter(&inner, NOTED("inner")), 0);
    HAPPENED("");
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    HAPPENED("inner outer"); /* at once */
    EQUAL(weft_task_cancel(weft_current_task()), 0);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_on_cancel_exit(&inner, 4), 4);
    EQUAL(weft_on_cancel_exit(&outer, -EIO), -EIO);
    EQUAL(weft_scope_exit(&scope, 0), 0);
    HAPPENED("");
}

IN_TASK(a_callback_comes_at_once_to_who_is_cancelled)
{
    weft_timeout scope;
    weft_on_cancel on_cancel;

    EQUAL(weft_timeout_enter(&scope, -1), 0);
    EQUAL(weft_on_cancel_enter(&on_cancel, NOTED("called")), 0);
    HAPPENED("called");
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_on_cancel_exit(&on_cancel, 0), 0);
    EQUAL(weft_timeout_exit(&scope, 0), 0);
}

IN_TASK(a_callback_that_was_left_does_not_come)
{
    weft_on_cancel on_cancel;
    weft_scope scope;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_on_cancel_enter(&on_cancel, NOTED("never")), 0);
    EQUAL(weft_on_cancel_exit(&on_cancel, 0), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    EQUAL(weft_scope_exit(&scope, 0), 0);
    EQUAL(weft_on_cancel_enter(&on_cancel, NOTED("never")),
          0); /* a scope inside is not its business */
    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    EQUAL(weft_scope_exit(&scope, 0), 0);
    EQUAL(weft_on_cancel_exit(&on_cancel, 0), 0);
    EQUAL(weft_on_cancel_enter(&on_cancel, NULL, NULL), -EINVAL);
    EQUAL(weft_on_cancel_exit(&on_cancel, 0), -EINVAL);
    EQUAL(weft_on_cancel_enter(NULL, NOTED("never")), -EINVAL);
}

IN_TASK(a_callback_behind_a_shield_comes_when_the_shield_is_left)
{
    weft_scope scope;
    weft_shield shield;
    weft_on_cancel inside, outside;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_on_cancel_enter(&outside, NOTED("outside")), 0);
    EQUAL(weft_shield_enter(&shield, 0.001), 0);
    EQUAL(weft_on_cancel_enter(&inside, NOTED("inside")), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    HAPPENED("outside");
    EQUAL(weft_sleep(1e6), -ECANCELED); /* the limit */
    HAPPENED("inside");
    EQUAL(weft_on_cancel_exit(&inside, 0), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(weft_on_cancel_exit(&outside, 0), 0);
    EQUAL(weft_scope_exit(&scope, 0), 0);
}

IN_TASK(a_callback_may_end_the_wait_itself)
{
    weft_scope scope;
    weft_on_cancel on_cancel;
    weft_future *future = NULL;

    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_on_cancel_enter(&on_cancel, set_future, future), 0);
    EQUAL(weft_loop_call_soon(NULL, cancel_scope, &scope, NULL), 0);
    EQUAL(weft_await(future), 0); /* it happened */
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_on_cancel_exit(&on_cancel, 0), 0);
    EQUAL(weft_scope_exit(&scope, 0), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_shield_keeps_off_what_comes_from_outside),
    TEST(a_cancelled_task_may_wait_inside_a_shield),
    TEST(a_shields_limit_runs_from_the_later_of_enter_and_cancel),
    TEST(a_cancel_that_is_taken_back_does_not_use_up_a_shield),
    TEST(scopes_inside_a_shield_work_as_ever),
    TEST(a_shield_that_cannot_be_entered),
    TEST(two_shields_whose_limits_are_used_up),
    TEST(the_limit_of_a_shield_is_the_deadline_that_holds),
    TEST(a_callback_comes_with_the_cancel_once),
    TEST(a_callback_comes_at_once_to_who_is_cancelled),
    TEST(a_callback_that_was_left_does_not_come),
    TEST(a_callback_behind_a_shield_comes_when_the_shield_is_left),
    TEST(a_callback_may_end_the_wait_itself),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(shield, tests)
