/* SPDX-License-Identifier: MIT
 * All kinds of scopes: what each does, who may use it, how they nest, how they are left. */
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

/* Plain scopes. */

IN_TASK(a_plain_scope_does_nothing_until_it_is_cancelled)
{
    weft_scope scope;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_sleep(0.0001), 0);
    EQUAL(weft_scope_cancelled(&scope), false);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    EQUAL(weft_scope_cancelled(&scope), true);
    CHECK(weft_cancelled());
    EQUAL(weft_scope_cancel(&scope, NULL), 0); /* is so already */
    EQUAL(weft_sleep(0), -ECANCELED);
    EQUAL(weft_sleep(1), -ECANCELED);
    EQUAL(weft_scope_exit(&scope, -ECANCELED), -ECANCELED);
    EQUAL(weft_scope_cancelled(&scope), true);
    CHECK(!weft_cancelled());
    EQUAL(weft_sleep(0), 0);
}

IN_TASK(a_scope_passes_the_bodys_status_on)
{
    static const int statuses[] = { 0, 5, -EIO, -ECANCELED, -ETIMEDOUT };

    for (int cancelled = 0; cancelled < 2; cancelled++) {
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            weft_scope scope;

            EQUAL(weft_scope_enter(&scope), 0);
            if (cancelled) {
                EQUAL(weft_scope_cancel(&scope, NULL), 0);
            }
            EQUAL(weft_scope_exit(&scope, statuses[i]), statuses[i]);
        }
    }
}

static void cancel_scope(void *scope)
{
    EQUAL(weft_scope_cancel(scope, "from a callback"), 0);
}

WEFT_ASYNC(cancels_scope, (weft_scope *, scope))
{
    EQUAL(weft_scope_cancel(scope, "from a task"), 0);
    EQUAL(weft_sleep(0), 0); /* it is not inside */
    return 0;
}

IN_TASK(others_may_cancel_a_scope)
{
    weft_scope scope;
    weft_cancel_reason reason;
    weft_task *other;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_loop_call_soon(NULL, cancel_scope, &scope, NULL), 0);
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, &reason), 0);
    EQUAL(reason.kind, WEFT_CANCEL_SCOPE);
    SAME(reason.message, "from a callback");
    SAME(reason.by, "");
    CHECK(reason.coro == NULL);
    EQUAL(weft_scope_exit(&scope, 0), 0);

    EQUAL(weft_scope_enter(&scope), 0);
    other = weft_create_task(cancels_scope(&scope), &(weft_task_options){ .name = "other" });
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_cancel_reason(NULL, &reason), 0);
    SAME(reason.message, "from a task");
    SAME(reason.by, "other");
    SAME(reason.coro, "cancels_scope");
    EQUAL(weft_scope_exit(&scope, 0), 0);
    EQUAL(weft_await(other), 0);
}

static void *cancels_in_a_thread(void *scope)
{
    EQUAL(weft_scope_cancel(scope, NULL), -EXDEV);
    return NULL;
}

IN_TASK(who_cannot_cancel_a_scope)
{
    weft_scope scope = { 0 };

    EQUAL(weft_scope_cancel(NULL, NULL), -EINVAL);
    EQUAL(weft_scope_cancel(&scope, NULL), -EINVAL);
    EQUAL(weft_scope_enter(&scope), 0);
    in_thread(cancels_in_a_thread, &scope);
    EQUAL(weft_scope_cancelled(&scope), false);
    EQUAL(weft_scope_exit(&scope, 0), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), -EINVAL);
    EQUAL(weft_scope_cancelled(&scope), false);
    EQUAL(weft_scope_cancelled(NULL), false);
}

IN_TASK(what_is_awaited_inside_is_cancelled_too)
{
    weft_scope scope;

    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_loop_call_soon(NULL, cancel_scope, &scope, NULL), 0);
    EQUAL(weft_await(weft_create_task(sleeps(1e6), NULL)), -ECANCELED);
    EQUAL(weft_scope_exit(&scope, 0), 0);
}

/* Deadlines. */

IN_TASK(a_deadline_at_a_time)
{
    weft_timeout scope;
    double when = now() + 0.002;

    EQUAL(weft_timeout_enter_at(&scope, when), 0);
    CHECK(near(weft_timeout_when(&scope), when));
    EQUAL(weft_timeout_exit(&scope, weft_sleep(1e6)), -ETIMEDOUT);
    CHECK(now() >= when - 1e-6);

    EQUAL(weft_timeout_enter_at(&scope, now() - 5), 0);
    EQUAL(weft_timeout_expired(&scope), true);
    EQUAL(weft_timeout_exit(&scope, weft_sleep(0)), -ETIMEDOUT);
    EQUAL(weft_timeout_enter_at(&scope, -INFINITY), 0);
    EQUAL(weft_timeout_exit(&scope, weft_sleep(0)), -ETIMEDOUT);
    EQUAL(weft_timeout_enter_at(&scope, INFINITY), 0);
    CHECK(isinf(weft_timeout_when(&scope)));
    EQUAL(weft_timeout_exit(&scope, weft_sleep(0)), 0);
    EQUAL(weft_timeout_enter_at(&scope, NAN), -EINVAL);
    EQUAL(weft_timeout_exit(&scope, 4), -EINVAL);
    EQUAL(weft_timeout_enter_at(NULL, 1), -EINVAL);
}

IN_TASK(a_deadline_can_be_told)
{
    weft_timeout scope = { 0 };
    double before = now();

    CHECK(isnan(weft_timeout_when(&scope)));
    CHECK(isnan(weft_timeout_when(NULL)));
    EQUAL(weft_timeout_enter(&scope, 100), 0);
    CHECK(weft_timeout_when(&scope) >= before + 99.9 && weft_timeout_when(&scope) <= now() + 100.1);
    EQUAL(weft_timeout_exit(&scope, 0), 0);
    CHECK(isnan(weft_timeout_when(&scope)));
    EQUAL(weft_timeout_enter(&scope, INFINITY), 0);
    CHECK(isinf(weft_timeout_when(&scope)));
    EQUAL(weft_timeout_exit(&scope, 0), 0);
}

IN_TASK(a_deadline_can_be_moved)
{
    weft_timeout scope;
    double start = now();

    EQUAL(weft_timeout_enter(&scope, 0.002), 0);
    EQUAL(weft_timeout_reschedule(&scope, start + 1e3), 0); /* later */
    CHECK(near(weft_timeout_when(&scope), start + 1e3));
    EQUAL(weft_sleep(0.004), 0);
    EQUAL(weft_timeout_reschedule(&scope, INFINITY), 0); /* away */
    CHECK(isinf(weft_timeout_when(&scope)));
    CHECK(isinf(weft_current_deadline()));
    EQUAL(weft_timeout_reschedule(&scope, now() + 0.001), 0); /* sooner */
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_timeout_reschedule(&scope, now() + 10), -EALREADY);
    EQUAL(weft_timeout_exit(&scope, -ECANCELED), -ETIMEDOUT);

    EQUAL(weft_timeout_enter(&scope, INFINITY), 0);
    EQUAL(weft_timeout_reschedule(&scope, now() - 1), 0); /* gone by */
    EQUAL(weft_timeout_expired(&scope), true);
    EQUAL(weft_timeout_exit(&scope, weft_sleep(0)), -ETIMEDOUT);
}

WEFT_ASYNC(reschedules_anothers, (weft_timeout *, scope))
{
    EQUAL(weft_timeout_reschedule(scope, now() + 10), -EINVAL);
    return 0;
}

IN_TASK(which_deadline_cannot_be_moved)
{
    weft_timeout scope = { 0 };

    EQUAL(weft_timeout_reschedule(NULL, 1), -EINVAL);
    EQUAL(weft_timeout_reschedule(&scope, 1), -EINVAL);
    EQUAL(weft_timeout_enter(&scope, 1e3), 0);
    EQUAL(weft_timeout_reschedule(&scope, NAN), -EINVAL);
    EQUAL(weft_await(weft_create_task(reschedules_anothers(&scope), NULL)), 0);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_timeout_exit(&scope, 0), 0);
    EQUAL(weft_timeout_reschedule(&scope, now() + 1), -EINVAL);
}

IN_TASK(the_deadline_that_holds)
{
    weft_timeout outer, inner;
    weft_shield shield;
    weft_scope scope;
    double start = now();

    CHECK(isinf(weft_current_deadline()) && weft_current_deadline() > 0);
    EQUAL(weft_timeout_enter_at(&outer, start + 50), 0);
    CHECK(near(weft_current_deadline(), start + 50));
    EQUAL(weft_timeout_enter_at(&inner, start + 90), 0);
    CHECK(near(weft_current_deadline(), start + 50));
    EQUAL(weft_timeout_reschedule(&inner, start + 20), 0);
    CHECK(near(weft_current_deadline(), start + 20));
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    CHECK(isinf(weft_current_deadline()) && weft_current_deadline() > 0);
    EQUAL(weft_scope_enter(&scope), 0);
    EQUAL(weft_scope_cancel(&scope, NULL), 0);
    CHECK(isinf(weft_current_deadline()) && weft_current_deadline() < 0);
    EQUAL(weft_scope_exit(&scope, 0), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    CHECK(near(weft_current_deadline(), start + 20));
    EQUAL(weft_timeout_exit(&inner, 0), 0);
    CHECK(near(weft_current_deadline(), start + 50));
    EQUAL(weft_timeout_exit(&outer, 0), 0);
    CHECK(isinf(weft_current_deadline()) && weft_current_deadline() > 0);
}

ALONE(without_a_task_nothing_is_cancelled_and_no_deadline_holds)
{
    weft_cancel_reason reason;

    EQUAL(weft_cancelled(), false);
    CHECK(isinf(weft_current_deadline()) && weft_current_deadline() > 0);
    EQUAL(weft_task_cancel_reason(NULL, &reason), -EPERM);
}

static CU_TestInfo tests[] = {
    TEST(a_plain_scope_does_nothing_until_it_is_cancelled),
    TEST(a_scope_passes_the_bodys_status_on),
    TEST(others_may_cancel_a_scope),
    TEST(who_cannot_cancel_a_scope),
    TEST(what_is_awaited_inside_is_cancelled_too),
    TEST(a_deadline_at_a_time),
    TEST(a_deadline_can_be_told),
    TEST(a_deadline_can_be_moved),
    TEST(which_deadline_cannot_be_moved),
    TEST(the_deadline_that_holds),
    TEST(without_a_task_nothing_is_cancelled_and_no_deadline_holds),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(scopes, tests)
