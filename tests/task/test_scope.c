/* SPDX-License-Identifier: MIT
 * Scopes with deadlines: what expires, what it is turned into, in which order they are left. */
#include "tests/task/task.h"

#include <math.h>

IN_TASK(what_ends_in_time_is_passed_on)
{
    static const int statuses[] = { 0, 5, -EIO, -ETIMEDOUT, -ECANCELED, -EINVAL };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        weft_timeout scope;

        EQUAL(weft_timeout_enter(&scope, 1000), 0);
        EQUAL(weft_sleep(0.0001), 0);
        EQUAL(weft_timeout_expired(&scope), false);
        EQUAL(weft_timeout_exit(&scope, statuses[i]), statuses[i]);
        EQUAL(weft_timeout_expired(&scope), false);
    }
}

IN_TASK(a_wait_beyond_the_deadline_is_cut_short)
{
    weft_timeout scope;
    double before = weft_loop_time(NULL);
    int r;

    EQUAL(weft_timeout_enter(&scope, 0.002), 0);
    r = weft_sleep(1e6);
    EQUAL(r, -ECANCELED);
    EQUAL(weft_timeout_expired(&scope), true);
    EQUAL(weft_sleep(0), -ECANCELED); /* and each new wait fails */
    EQUAL(weft_sleep(1), -ECANCELED);
    EQUAL(weft_timeout_exit(&scope, r), -ETIMEDOUT);
    EQUAL(weft_timeout_expired(&scope), true);
    CHECK(weft_loop_time(NULL) - before >= 0.002 * 0.999999);
    EQUAL(weft_sleep(0.0001), 0);
}

IN_TASK(only_a_cancel_becomes_a_timeout)
{
    static const int statuses[] = { 0, 5, -EIO, -ETIMEDOUT };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        weft_timeout scope;

        EQUAL(weft_timeout_enter(&scope, 0.0001), 0);
        EQUAL(weft_sleep(1e6), -ECANCELED);
        EQUAL(weft_timeout_exit(&scope, statuses[i]), statuses[i]);
    }
}

IN_TASK(a_body_that_never_waits_is_never_interrupted)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, 0), 0);
    EQUAL(weft_await(gives(3)), 3);
    EQUAL(weft_timeout_exit(&scope, 3), 3);
}

IN_TASK(zero_and_less_expire_at_the_next_wait)
{
    static const double delays[] = { 0, -0.0, -1, -1e300, -INFINITY };

    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        weft_timeout scope;

        EQUAL(weft_timeout_enter(&scope, delays[i]), 0);
        EQUAL(weft_timeout_expired(&scope), true);
        EQUAL(weft_sleep(0), -ECANCELED);
        EQUAL(weft_timeout_exit(&scope, -ECANCELED), -ETIMEDOUT);
        EQUAL(weft_sleep(0), 0);
    }
}

IN_TASK(infinity_never_expires)
{
    static const double delays[] = { INFINITY, 1e300, 1e12 };

    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        weft_timeout scope;

        EQUAL(weft_timeout_enter(&scope, delays[i]), 0);
        EQUAL(weft_sleep(is_virtual() ? 1e6 : 0.001), 0);
        EQUAL(weft_timeout_expired(&scope), false);
        EQUAL(weft_timeout_exit(&scope, 0), 0);
    }
}

IN_TASK(not_a_number_is_an_error_and_stays_one)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, NAN), -EINVAL);
    EQUAL(weft_timeout_expired(&scope), false);
    EQUAL(weft_sleep(0), 0); /* it was not entered */
    EQUAL(weft_timeout_exit(&scope, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -EINVAL);
    EQUAL(weft_timeout_enter(&scope, 1), 0); /* it can be tried again */
    EQUAL(weft_timeout_exit(&scope, 0), 0);
}

IN_TASK(null_is_no_scope)
{
    EQUAL(weft_timeout_enter(NULL, 1), -EINVAL);
    EQUAL(weft_timeout_exit(NULL, 0), -EINVAL);
    EQUAL(weft_timeout_expired(NULL), false);
}

ALONE(outside_a_task_there_are_no_scopes)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, 1), -EPERM);
    EQUAL(weft_timeout_exit(&scope, 0), -EPERM);
}

/* Nested. */

static int nested(double outer_delay, double inner_delay, int *ret_inner)
{
    weft_timeout outer, inner;

    EQUAL(weft_timeout_enter(&outer, outer_delay), 0);
    EQUAL(weft_timeout_enter(&inner, inner_delay), 0);
    *ret_inner = weft_timeout_exit(&inner, weft_sleep(0.005));
    if (*ret_inner == -ETIMEDOUT) {
        EQUAL(weft_sleep(0), 0); /* only the inner one has expired */
    }
    return weft_timeout_exit(&outer, *ret_inner);
}

IN_TASK(the_inner_one_expires_first)
{
    int inner;

    EQUAL(nested(1e6, 0.001, &inner), -ETIMEDOUT);
    EQUAL(inner, -ETIMEDOUT);
}

IN_TASK(the_outer_one_expires_first)
{
    int inner;

    EQUAL(nested(0.001, 1e6, &inner), -ETIMEDOUT);
    EQUAL(inner, -ECANCELED); /* it is not the inner one's deadline */
}

IN_TASK(both_have_expired)
{
    int inner;

    EQUAL(nested(-1, -1, &inner), -ETIMEDOUT);
    EQUAL(inner, -ECANCELED); /* the outer one is still cancelled */
    EQUAL(weft_sleep(0), 0);
}

IN_TASK(neither_has_expired)
{
    int inner;

    EQUAL(nested(1e6, 1e6, &inner), 0);
    EQUAL(inner, 0);
}

IN_TASK(the_outer_one_goes_on_after_the_inner_one)
{
    weft_timeout outer, inner;

    EQUAL(weft_timeout_enter(&outer, 0.05), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_timeout_enter(&inner, -1), 0);
        EQUAL(weft_timeout_exit(&inner, weft_sleep(0)), -ETIMEDOUT);
    }
    EQUAL(weft_timeout_exit(&outer, weft_sleep(1e6)), -ETIMEDOUT);
}

IN_TASK(many_nested_scopes)
{
    weft_timeout scopes[100];

    for (int i = 0; i < 100; i++) {
        EQUAL(weft_timeout_enter(&scopes[i], i == 50 ? 0.001 : 1e6), 0);
    }
    EQUAL(weft_sleep(1e5), -ECANCELED);
    for (int i = 99; i >= 0; i--) {
        EQUAL(weft_timeout_exit(&scopes[i], -ECANCELED), i == 50 ? -ETIMEDOUT : -ECANCELED);
        EQUAL(weft_sleep(0), i > 50 ? -ECANCELED : 0);
    }
}

/* Cancelled, too. */

WEFT_ASYNC(is_cancelled_inside, (double, delay))
{
    weft_timeout scope;
    int r;

    EQUAL(weft_timeout_enter(&scope, delay), 0);
    r = weft_sleep(1e6);
    EQUAL(r, -ECANCELED);
    return weft_timeout_exit(&scope, r);
}

IN_TASK(a_cancel_from_outside_wins)
{
    static const double delays[] = { 1e5, -1 }; /* before its deadline; when it had expired, too */

    for (int i = 0; i < 2; i++) {
        weft_task *task = weft_create_task(is_cancelled_inside(delays[i]), NULL);

        EQUAL(weft_task_cancel(task), 0);
        EQUAL(weft_await(task), -ECANCELED);
    }
}

WEFT_ASYNC(recovers_from_a_cancel)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, 0.05), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED); /* the cancel */
    EQUAL(weft_timeout_expired(&scope), false);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED); /* the deadline */
    EQUAL(weft_timeout_expired(&scope), true);
    EQUAL(weft_task_cancelling(weft_current_task()), 0);
    return weft_timeout_exit(&scope, -ECANCELED);
}

IN_TASK(a_cancel_and_a_deadline_are_two_things)
{
    weft_task *task = weft_create_task(recovers_from_a_cancel(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ETIMEDOUT);
}

IN_TASK(uncancel_does_not_lift_a_deadline)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, -1), 0);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -ETIMEDOUT);
}

WEFT_ASYNC(enters_when_cancelled)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, 1e6), 0); /* not a cancellation point */
    EQUAL(weft_sleep(0), -ECANCELED);
    return weft_timeout_exit(&scope, -ECANCELED);
}

IN_TASK(a_cancelled_task_may_enter_a_scope)
{
    weft_task *task = weft_create_task(enters_when_cancelled(), NULL);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

/* What is awaited inside. */

IN_TASK(the_deadline_is_passed_on_to_what_is_awaited)
{
    weft_timeout scope;
    weft_future *future = NULL;
    weft_task *task = weft_create_task(sleeps(1e6), NULL);

    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
    EQUAL(weft_timeout_exit(&scope, weft_await(task)), -ETIMEDOUT);

    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
    EQUAL(weft_timeout_exit(&scope, weft_await(future)), -ETIMEDOUT);
    EQUAL(weft_future_set_result(future, NULL), -EALREADY);

    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
    EQUAL(weft_timeout_exit(&scope, weft_await(sleeps(1e6))), -ETIMEDOUT);
}

WEFT_ASYNC(needs_time_to_stop)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.001), 0);
    return 6;
}

IN_TASK(what_ended_well_in_spite_of_the_deadline_gives_its_status)
{
    weft_timeout scope;
    int status = 77;

    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
    EQUAL(weft_await_status(weft_create_task(needs_time_to_stop(), NULL), &status), -ECANCELED);
    EQUAL(status, 6);
    EQUAL(weft_timeout_exit(&scope, status), 6);
}

IN_TASK(a_deadline_that_passes_behind_the_end_of_a_wait_is_for_the_next)
{
    weft_timeout scope;

    if (!is_virtual()) {
        return; /* equal deadlines need a clock that stands still */
    }
    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
    EQUAL(weft_sleep(0.001), -ECANCELED); /* the scope's timer was set first */
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -ETIMEDOUT);

    EQUAL(weft_timeout_enter(&scope, 0.002), 0);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_timeout_exit(&scope, 0), 0);
}

static CU_TestInfo tests[] = {
    TEST(what_ends_in_time_is_passed_on),
    TEST(a_wait_beyond_the_deadline_is_cut_short),
    TEST(only_a_cancel_becomes_a_timeout),
    TEST(a_body_that_never_waits_is_never_interrupted),
    TEST(zero_and_less_expire_at_the_next_wait),
    TEST(infinity_never_expires),
    TEST(not_a_number_is_an_error_and_stays_one),
    TEST(null_is_no_scope),
    TEST(outside_a_task_there_are_no_scopes),
    TEST(the_inner_one_expires_first),
    TEST(the_outer_one_expires_first),
    TEST(both_have_expired),
    TEST(neither_has_expired),
    TEST(the_outer_one_goes_on_after_the_inner_one),
    TEST(many_nested_scopes),
    TEST(a_cancel_from_outside_wins),
    TEST(a_cancel_and_a_deadline_are_two_things),
    TEST(uncancel_does_not_lift_a_deadline),
    TEST(a_cancelled_task_may_enter_a_scope),
    TEST(the_deadline_is_passed_on_to_what_is_awaited),
    TEST(what_ended_well_in_spite_of_the_deadline_gives_its_status),
    TEST(a_deadline_that_passes_behind_the_end_of_a_wait_is_for_the_next),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(scope, tests)
