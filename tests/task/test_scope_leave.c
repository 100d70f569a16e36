/* SPDX-License-Identifier: MIT
 * Scopes that are left by themselves, in the wrong order, twice, by others, or not at all. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

/* WEFT_TIMEOUT_SCOPE: each way out of the block. */

static int leaves_by_return(void)
{
    WEFT_TIMEOUT_SCOPE(-1);

    return weft_sleep(0);
}

static int leaves_by_break(void)
{
    int r = 0;

    for (int i = 0; i < 10; i++) {
        WEFT_TIMEOUT_SCOPE(-1);

        r = weft_sleep(0);
        if (i == 3) {
            break;
        }
        EQUAL(r, -ECANCELED);
    }
    return r;
}

static int leaves_by_continue(void)
{
    int failed = 0;

    for (int i = 0; i < 10; i++) {
        WEFT_TIMEOUT_SCOPE(-1);

        if (weft_sleep(0) == -ECANCELED) {
            failed++;
            continue;
        }
        CHECK(false);
    }
    return failed;
}

static int leaves_by_goto(void)
{
    int r, times = 0;

again:
    EQUAL(weft_sleep(0), 0);
    {
        WEFT_TIMEOUT_SCOPE(-1);

        r = weft_sleep(0);
        if (++times < 4) {
            goto again;
        }
    }
    EQUAL(weft_sleep(0), 0);
    return r;
}

static int leaves_at_the_end(void)
{
    {
        WEFT_TIMEOUT_SCOPE(1e6);
        WEFT_TIMEOUT_SCOPE(-1); /* two in one block */
        EQUAL(weft_sleep(0), -ECANCELED);
    }
    return weft_sleep(0);
}

IN_TASK(a_scope_is_left_on_every_path)
{
    EQUAL(leaves_by_return(), -ECANCELED); /* statuses on the way are not turned */
    EQUAL(weft_sleep(0), 0);
    EQUAL(leaves_by_break(), -ECANCELED);
    EQUAL(weft_sleep(0), 0);
    EQUAL(leaves_by_continue(), 10);
    EQUAL(weft_sleep(0), 0);
    EQUAL(leaves_by_goto(), -ECANCELED);
    EQUAL(weft_sleep(0), 0);
    EQUAL(leaves_at_the_end(), 0);
    EQUAL(reports_left(), 0);
}

IN_TASK(a_scope_that_could_not_be_entered_needs_not_be_left)
{
    {
        WEFT_TIMEOUT_SCOPE(NAN);
        EQUAL(weft_sleep(0), 0);
    }
    EQUAL(weft_sleep(0), 0);
}

ALONE(outside_a_task_the_macro_does_nothing)
{
    WEFT_TIMEOUT_SCOPE(1);
}

/* The wrong order. */

IN_TASK(leaving_the_outer_one_leaves_the_inner_one)
{
    weft_timeout outer, middle, inner;

    EQUAL(weft_timeout_enter(&outer, 1e6), 0);
    EQUAL(weft_timeout_enter(&middle, -1), 0);
    EQUAL(weft_timeout_enter(&inner, -1), 0);
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_timeout_exit(&outer, 0), -EINVAL);
    EQUAL(weft_sleep(0), 0); /* all three are left */
    EQUAL(weft_timeout_exit(&inner, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&middle, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&outer, 0), -EINVAL);
    EQUAL(weft_sleep(0), 0);
}

IN_TASK(leaving_twice_is_an_error)
{
    weft_timeout outer, scope;

    EQUAL(weft_timeout_enter(&outer, 1e6), 0);
    EQUAL(weft_timeout_enter(&scope, -1), 0);
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -ETIMEDOUT);
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -EINVAL);
    EQUAL(weft_timeout_exit(&scope, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&outer, 7), 7);
}

IN_TASK(one_that_was_never_entered_is_an_error)
{
    weft_timeout scope;

    memset(&scope, 0, sizeof scope);
    EQUAL(weft_timeout_exit(&scope, 0), -EINVAL);
    memset(&scope, 0xff, sizeof scope);
    EQUAL(weft_timeout_exit(&scope, 0), -EINVAL);
}

static weft_timeout shared;

WEFT_ASYNC(leaves_anothers)
{
    EQUAL(weft_timeout_exit(&shared, 0), -EINVAL);
    EQUAL(weft_sleep(0), 0); /* and it is not in it */
    return 0;
}

IN_TASK(a_scope_is_left_by_the_task_that_entered_it)
{
    EQUAL(weft_timeout_enter(&shared, 1e6), 0);
    EQUAL(weft_await(weft_create_task(leaves_anothers(), NULL)), 0);
    EQUAL(weft_timeout_exit(&shared, 8), 8);
}

IN_TASK(a_scope_may_be_used_again)
{
    weft_timeout scope;

    for (int i = 0; i < 100; i++) {
        EQUAL(weft_timeout_enter(&scope, i % 2 ? -1 : 1e6), 0);
        EQUAL(weft_timeout_expired(&scope), i % 2);
        EQUAL(weft_timeout_exit(&scope, weft_sleep(0)), i % 2 ? -ETIMEDOUT : 0);
    }
}

/* Forgotten. */

WEFT_ASYNC(forgets, (double, delay))
{
    weft_timeout scope;

    return weft_timeout_enter(&scope, delay);
}
enum { LINE_OF_FORGETS = __LINE__ - 6 };

static void check_told(const char *task_name)
{
    const struct said *said = next_report();

    EQUAL(said->kind, WEFT_REPORT_SCOPE_OPEN);
    SAME(said->coro, "forgets");
    SAME(said->file, __FILE__);
    EQUAL(said->line, LINE_OF_FORGETS);
    if (task_name) {
        SAME(said->task_name, task_name);
    }
}

IN_TASK(one_that_was_forgotten_is_left_and_told)
{
    static const double delays[] = { 1e6, -1, INFINITY, 0.001 };

    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(forgets(delays[i])), 0);
        check_told(NULL);
        EQUAL(weft_sleep(0.002), 0); /* its deadline is nobody's any more */
    }
}

IN_TASK(one_that_a_task_forgot_is_told)
{
    weft_task_options options = { .name = "forgetful" };

    EQUAL(weft_await(weft_create_task(forgets(0.001), &options)), 0);
    check_told("forgetful");
    EQUAL(weft_sleep(0.002), 0);
}

WEFT_ASYNC(forgets_within, (weft_timeout *, scope))
{
    EQUAL(weft_timeout_enter(scope, 1e6), 0);
    EQUAL(weft_await(forgets(-1)), 0);
    EQUAL(weft_sleep(0), 0);
    return weft_timeout_exit(scope, 9);
}

IN_TASK(the_scopes_around_are_not_concerned)
{
    weft_timeout outer, scope;

    EQUAL(weft_timeout_enter(&outer, 1e6), 0);
    EQUAL(weft_await(forgets_within(&scope)), 9);
    check_told(NULL);
    EQUAL(weft_timeout_exit(&outer, 4), 4);
}

WEFT_ASYNC(leaves_a_scope_of_its_caller, (weft_timeout *, scope))
{
    EQUAL(weft_timeout_exit(scope, 3), 3);
    return 0;
}

IN_TASK(a_coroutine_that_leaves_its_callers_scope_is_let)
{
    weft_timeout outer, scope;

    EQUAL(weft_timeout_enter(&outer, 1e6), 0);
    EQUAL(weft_timeout_enter(&scope, -1), 0);
    EQUAL(weft_await(leaves_a_scope_of_its_caller(&scope)), 0);
    next_report(); /* it may be told */
    EQUAL(weft_sleep(0), 0);
    weft_timeout_exit(&outer, 0);
    EQUAL(weft_sleep(0), 0);
}

/* Abandoned. */

WEFT_ASYNC(sleeps_in_a_scope)
{
    WEFT_TIMEOUT_SCOPE(1e6);

    return weft_sleep(1e7);
}

IN_LOOP(a_task_that_is_left_in_a_scope_takes_it_along)
{
    EQUAL(weft_task_detach(weft_loop_create_task(loop, sleeps_in_a_scope(), NULL)), 0);
    EQUAL(run(sleeps(0)), 0);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    EQUAL(reports_left(), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_scope_is_left_on_every_path),
    TEST(a_scope_that_could_not_be_entered_needs_not_be_left),
    TEST(outside_a_task_the_macro_does_nothing),
    TEST(leaving_the_outer_one_leaves_the_inner_one),
    TEST(leaving_twice_is_an_error),
    TEST(one_that_was_never_entered_is_an_error),
    TEST(a_scope_is_left_by_the_task_that_entered_it),
    TEST(a_scope_may_be_used_again),
    TEST(a_coroutine_that_leaves_its_callers_scope_is_let),
    TEST(a_task_that_is_left_in_a_scope_takes_it_along),
    TEST(one_that_was_forgotten_is_left_and_told),
    TEST(one_that_a_task_forgot_is_told),
    TEST(the_scopes_around_are_not_concerned),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(scope_leave, tests)
