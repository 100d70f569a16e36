/* SPDX-License-Identifier: MIT
 * Scopes in each other, left in odd ways, forgotten; macros; what a cancel tells. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

static double now(void)
{
    return weft_loop_time(NULL);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

/* Nested, in all orders: which of three are cancelled or expired decides about each exit. */

IN_TASK(three_scopes_of_which_some_are_cancelled)
{
    for (unsigned which = 0; which < 8; which++) {
        weft_timeout a, c;
        weft_scope b;

        EQUAL(weft_timeout_enter(&a, which & 1 ? -1 : 1e6), 0);
        EQUAL(weft_scope_enter(&b), 0);
        EQUAL(weft_timeout_enter(&c, which & 4 ? -1 : 1e6), 0);
        if (which & 2) {
            EQUAL(weft_scope_cancel(&b, NULL), 0);
        }
        EQUAL(weft_sleep(0), which ? -ECANCELED : 0);
        EQUAL(weft_timeout_exit(&c, -ECANCELED), which == 4 ? -ETIMEDOUT : -ECANCELED);
        EQUAL(weft_sleep(0), which & 3 ? -ECANCELED : 0);
        EQUAL(weft_scope_exit(&b, -ECANCELED), -ECANCELED);
        EQUAL(weft_sleep(0), which & 1 ? -ECANCELED : 0);
        EQUAL(weft_timeout_exit(&a, -ECANCELED), which & 1 ? -ETIMEDOUT : -ECANCELED);
        EQUAL(weft_sleep(0), 0);
    }
}

/* Left out of order, twice, by others, by the wrong call. */

WEFT_ASYNC(exits_anothers, (void *, scope))
{
    EQUAL(weft_scope_exit(scope, 0), -EINVAL);
    return 0;
}

IN_TASK(each_kind_is_left_by_its_own_call_and_task)
{
    weft_scope scope;
    weft_timeout timeout;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_await(weft_create_task(exits_anothers(&scope), NULL)), 0);
    EQUAL(weft_timeout_exit((void *)&scope, 0), -EINVAL);
    EQUAL(weft_shield_exit((void *)&scope, 0), -EINVAL);
    EQUAL(weft_scope_exit(&scope, 6), 6);
    EQUAL(weft_scope_exit(&scope, 6), -EINVAL);
    EQUAL(weft_timeout_enter(&timeout, 10), 0);
    EQUAL(weft_scope_exit((void *)&timeout, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&timeout, 0), 0);
    EQUAL(weft_scope_exit(NULL, 0), -EINVAL);
    EQUAL(weft_on_cancel_exit(NULL, 0), -EINVAL);
}

static int scopes_told(void)
{
    int n = 0;

    for (; reports_left(); n++) {
        EQUAL(next_report()->kind, WEFT_REPORT_SCOPE_OPEN);
    }
    return n;
}

IN_TASK(leaving_an_outer_one_leaves_all_inside)
{
    weft_scope a;
    weft_timeout b;
    weft_shield c;
    weft_on_cancel d;

    EQUAL(weft_scope_enter(&a), 0);
    EQUAL(weft_timeout_enter(&b, -1), 0);
    EQUAL(weft_shield_enter(&c, 10), 0);
    EQUAL(weft_on_cancel_enter(&d, NOTED("never")), 0);
    EQUAL(weft_scope_exit(&a, 5), -EINVAL);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_on_cancel_exit(&d, 0), -EINVAL);
    EQUAL(weft_shield_exit(&c, 0), -EINVAL);
    EQUAL(weft_timeout_exit(&b, 0), -EINVAL);
    (void)scopes_told();
}

/* Forgotten. */

__attribute__((noinline)) static void forgets_a_timeout(void)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, 0.001), 0);
}

__attribute__((noinline)) static int uses_the_stack(int depth)
{
    volatile char room[512];

    memset((void *)(uintptr_t)room, 0xa5, sizeof room);
    return depth ? uses_the_stack(depth - 1) + room[3] : room[5];
}

WEFT_ASYNC(has_a_forgetful_helper)
{
    forgets_a_timeout();
    uses_the_stack(5);
    EQUAL(weft_sleep(1e3), -ECANCELED); /* it holds until the coroutine ends */
    return 3;
}

IN_TASK(a_scope_that_a_helper_forgot_is_told_at_the_end_of_its_coroutine)
{
    EQUAL(weft_await(has_a_forgetful_helper()), 3);
    EQUAL(scopes_told(), 1);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_await(weft_create_task(has_a_forgetful_helper(), NULL)), 3);
    EQUAL(scopes_told(), 1);
}

WEFT_ASYNC(forgets_all_kinds)
{
    weft_scope a;
    weft_timeout b;
    weft_shield c;
    weft_on_cancel d;

    EQUAL(weft_scope_enter(&a), 0);
    EQUAL(weft_timeout_enter(&b, 0.001), 0);
    EQUAL(weft_shield_enter(&c, 1e3), 0);
    EQUAL(weft_on_cancel_enter(&d, NOTED("never")), 0);
    EQUAL(weft_sleep(0.002), 0);
    return 4;
}

IN_TASK(all_kinds_can_be_forgotten)
{
    weft_scope around;

    EQUAL(weft_scope_enter(&around), 0);
    EQUAL(weft_await(forgets_all_kinds()), 4);
    CHECK(scopes_told() >= 1);
    EQUAL(weft_scope_cancel(&around, NULL), 0);
    HAPPENED("");
    EQUAL(weft_scope_exit(&around, 1), 1);
    EQUAL(weft_sleep(0), 0);
}

WEFT_ASYNC(enters_the_same_twice)
{
    weft_timeout scope;

    EQUAL(weft_timeout_enter(&scope, -1), 0);
    EQUAL(weft_timeout_enter(&scope, 1e3), 0); /* the first was forgotten */
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_timeout_exit(&scope, 2), 2);
    EQUAL(weft_sleep(0), 0);
    return 1;
}

IN_TASK(one_that_is_entered_again_was_forgotten)
{
    EQUAL(weft_await(enters_the_same_twice()), 1);
    EQUAL(scopes_told(), 1);
    EQUAL(weft_sleep(0), 0);
}

IN_LOOP(a_loop_that_closes_with_scopes_open)
{
    weft_task *task = weft_loop_create_task(loop, forgets_all_kinds(), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_task_detach(task), 0);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

/* The macros. */

static int shielded_until(int path)
{
    for (int i = 0; i < 2; i++) {
        WEFT_SHIELD_SCOPE(INFINITY);

        EQUAL(weft_sleep(0), 0);
        if (path == 0) {
            return 1;
        } else if (path == 1) {
            break;
        } else if (path == 2) {
            continue;
        } else {
            goto out;
        }
    }
    EQUAL(weft_sleep(0), -ECANCELED);
out:
    return weft_sleep(0);
}

IN_TASK(macros_leave_on_every_path)
{
    weft_timeout outer;

    EQUAL(weft_timeout_enter(&outer, -1), 0);
    EQUAL(shielded_until(0), 1);
    for (int path = 1; path < 4; path++) {
        EQUAL(shielded_until(path), -ECANCELED);
    }
    EQUAL(weft_timeout_exit(&outer, 0), 0);
    {
        WEFT_TIMEOUT_SCOPE(NAN); /* without it */
        WEFT_SHIELD_SCOPE(NAN);
        EQUAL(weft_sleep(0), 0);
    }
    {
        weft_scope scope __attribute__((cleanup(weft_scope_leave)));

        EQUAL(weft_scope_enter(&scope), 0);
        EQUAL(weft_scope_cancel(&scope, NULL), 0);
        EQUAL(weft_sleep(0), -ECANCELED);
    }
    EQUAL(weft_sleep(0), 0);
    EQUAL(reports_left(), 0);
}

/* Reasons, one for each kind (siblings: test_group_errors.c, test_gather.c). */

WEFT_ASYNC(tells_why, (weft_cancel_reason *, ret_reason))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, ret_reason), 0);
    return -ECANCELED;
}

WEFT_ASYNC(awaits, (weft_task *, task))
{
    return weft_await(task);
}

IN_TASK(a_request_says_who_and_why)
{
    weft_cancel_reason reason = { 0 };
    weft_task *task = weft_create_task(tells_why(&reason), NULL);

    weft_sleep(0);
    EQUAL(weft_task_cancel_because(task, "no more need"), 0);
    EQUAL(weft_task_cancel_because(task, "the second does not count"), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(reason.kind, WEFT_CANCEL_REQUEST);
    SAME(reason.message, "no more need");
    SAME(reason.by, weft_task_get_name(weft_current_task()));
    SAME(reason.coro, "main_task");
    CHECK(reason.line > 0 && reason.file);
    EQUAL(weft_task_cancel_because(task, "late"), -ESRCH);
}

IN_TASK(a_deadline_says_which)
{
    weft_cancel_reason reason;
    weft_timeout outer, inner;
    double when = now() + 0.001;

    EQUAL(weft_timeout_enter_at(&outer, when), 0);
    EQUAL(weft_timeout_enter(&inner, 1e6), 0);
    EQUAL(weft_sleep(1e5), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, &reason), 0);
    EQUAL(reason.kind, WEFT_CANCEL_DEADLINE);
    CHECK(near(reason.deadline, when));
    SAME(reason.by, "");
    EQUAL(weft_timeout_exit(&inner, 0), 0);
    EQUAL(weft_timeout_exit(&outer, 0), 0);
    EQUAL(weft_task_cancel_reason(NULL, &reason), -ENOENT);
}

IN_TASK(one_that_was_passed_on_says_by_whom)
{
    weft_cancel_reason reason = { 0 };
    weft_task *inner = weft_create_task(tells_why(&reason), NULL);
    weft_task *outer = weft_create_task(awaits(inner), &(weft_task_options){ .name = "outer" });

    give_way(2);
    EQUAL(weft_task_cancel(outer), 0);
    EQUAL(weft_await(outer), -ECANCELED);
    EQUAL(reason.kind, WEFT_CANCEL_AWAITER);
    SAME(reason.by, "outer");
    SAME(reason.coro, "awaits");
}

static weft_cancel_reason at_the_end;

WEFT_ASYNC(leaves_one)
{
    EQUAL(weft_task_detach(weft_create_task(tells_why(&at_the_end), NULL)), 0);
    return weft_sleep(0);
}

ALONE(the_end_of_a_run_is_a_reason)
{
    weft_run_options options = { .backend = backend() };

    EQUAL(weft_run(leaves_one(), &options), 0);
    EQUAL(at_the_end.kind, WEFT_CANCEL_SHUTDOWN);
}

IN_TASK(a_shield_hides_the_reason)
{
    weft_cancel_reason reason;
    weft_shield shield;

    EQUAL(weft_task_cancel(weft_current_task()), 0);
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_task_cancel_reason(NULL, &reason), -ENOENT);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(weft_task_cancel_reason(NULL, &reason), 0);
    EQUAL(weft_task_cancel_reason(NULL, NULL), -EINVAL);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_task_cancel_reason(weft_current_task(), &reason), -ENOENT);
}

static CU_TestInfo tests[] = {
    TEST(three_scopes_of_which_some_are_cancelled),
    TEST(each_kind_is_left_by_its_own_call_and_task),
    TEST(leaving_an_outer_one_leaves_all_inside),
    TEST(a_scope_that_a_helper_forgot_is_told_at_the_end_of_its_coroutine),
    TEST(all_kinds_can_be_forgotten),
    TEST(one_that_is_entered_again_was_forgotten),
    TEST(a_loop_that_closes_with_scopes_open),
    TEST(macros_leave_on_every_path),
    TEST(a_request_says_who_and_why),
    TEST(a_deadline_says_which),
    TEST(one_that_was_passed_on_says_by_whom),
    TEST(the_end_of_a_run_is_a_reason),
    TEST(a_shield_hides_the_reason),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(scopes_nested, tests)
