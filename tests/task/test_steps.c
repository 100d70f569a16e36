/* SPDX-License-Identifier: MIT
 * Groups, gather, wait_for, shields and nested timeouts, cancelled at every step. */
#include "tests/task/steps.h"

#include <math.h>

/* Takes something for as long as it runs. */
WEFT_ASYNC(works, (double, delay), (int, status))
{
    int r;

    step_balance++;
    r = weft_sleep(delay);
    r = r < 0 ? r : weft_sleep(0);
    step_balance--;
    return r < 0 ? r : status;
}

/* Needs a while to stop, and does so in a shield. */
WEFT_ASYNC(cleans_up, (double, delay))
{
    weft_shield shield;
    int r;

    step_balance++;
    r = weft_sleep(delay);
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_sleep(0.0005), 0);
    EQUAL(weft_sleep(0), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    step_balance--;
    return r;
}

WEFT_ASYNC(sleeps_three_times)
{
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        r = weft_sleep(i * 0.0005);
    }
    return r;
}

WEFT_ASYNC(has_children, (weft_task_group *, group))
{
    weft_task_group_create_task(group, works(0.0005, 1), NULL);
    weft_task_group_create_task(group, cleans_up(0.001), NULL);
    return weft_sleep(0.0005);
}

WEFT_ASYNC(groups)
{
    weft_task_group outer, inner;
    int r;

    EQUAL(weft_task_group_enter(&outer), 0);
    weft_task_group_create_task(&outer, has_children(&outer), NULL);
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&inner, cleans_up(0.002),
                                &(weft_task_options){ .eager_start = true });
    weft_task_group_create_task(&inner, works(0.001, 2), NULL);
    r = weft_task_group_exit(&inner, weft_sleep(0.0005));
    return weft_task_group_exit(&outer, r);
}

WEFT_ASYNC(a_group_that_fails)
{
    weft_task_group group;
    int r;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, cleans_up(1), NULL);
    weft_task_group_create_task(&group, works(0.001, -EIO), NULL);
    r = weft_task_group_exit(&group, weft_sleep(1));
    EQUAL(weft_task_group_errors(&group, NULL, 0), r == -EIO);
    return r;
}

WEFT_ASYNC(serves)
{
    int r = weft_sleep(0.0005);

    step_balance++;
    if (r == 0) {
        EQUAL(weft_started(NULL), 0);
        r = weft_sleep(0.0005);
    }
    step_balance--;
    return r;
}

WEFT_ASYNC(starts)
{
    weft_task_group group;
    int r;

    EQUAL(weft_task_group_enter(&group), 0);
    r = weft_task_group_start(&group, serves(), NULL, NULL);
    return weft_task_group_exit(&group, r < 0 ? r : weft_sleep(0.0002));
}

WEFT_ASYNC(gathers)
{
    int statuses[3] = { 77, 77, 77 }, r;

    r = weft_gather(statuses, works(0.001, 1), weft_create_task(cleans_up(0.0005), NULL),
                    sleeps_three_times());
    CHECK(statuses[0] != 77 && statuses[1] != 77 && statuses[2] != 77);
    return r;
}

WEFT_ASYNC(gathers_what_fails)
{
    return weft_gather(NULL, cleans_up(1), works(0.0005, -EIO), gathers());
}

WEFT_ASYNC(waits_for)
{
    int r = weft_wait_for(weft_create_task(cleans_up(1), NULL), 0.0005);

    if (r != -ETIMEDOUT) {
        return r;
    }
    r = weft_wait_for(works(0.0005, 0), 1);
    return r < 0 ? r : weft_wait_for(weft_create_task(works(0.0005, 0), NULL), INFINITY);
}

WEFT_ASYNC(waits_for_some)
{
    weft_task *a = weft_create_task(works(0.0005, 0), NULL),
              *b = weft_create_task(cleans_up(1), NULL);
    weft_awaitable xs[] = { WEFT_AWAITABLE(a), WEFT_AWAITABLE(b) };
    weft_as_completed each;
    int r = weft_wait(xs, 2, WEFT_FIRST_COMPLETED, 1);

    EQUAL(weft_as_completed_enter(&each, xs, 2), 0);
    if (r >= 0) {
        r = weft_as_completed_next(&each);
        EQUAL(r, 0);
    }
    weft_as_completed_exit(&each);
    r = r < 0 ? r : weft_await_shielded(a);
    weft_task_cancel(a);
    weft_task_cancel(b);
    weft_await(a);
    weft_await(b);
    return r;
}

WEFT_ASYNC(nests_timeouts)
{
    weft_timeout outer, inner;
    int r;

    EQUAL(weft_timeout_enter(&outer, 0.002), 0);
    EQUAL(weft_timeout_enter(&inner, 0.001), 0);
    r = weft_timeout_exit(&inner, weft_sleep(1));
    if (r == -ETIMEDOUT) {
        EQUAL(weft_timeout_enter(&inner, 1), 0);
        r = weft_timeout_exit(&inner, weft_await(weft_create_task(cleans_up(1), NULL)));
        EQUAL(r, -ECANCELED);
    }
    return weft_timeout_exit(&outer, r);
}

static void down(void *unused)
{
    (void)unused;
    step_balance--;
}

WEFT_ASYNC(calls_back)
{
    weft_on_cancel on_cancel;
    int r;

    step_balance++; /* until the callback, or until it is over */
    EQUAL(weft_on_cancel_enter(&on_cancel, down, NULL), 0);
    r = weft_sleep(0.0005);
    r = r < 0 ? r : weft_sleep(0);
    step_balance -= !weft_cancelled();
    return weft_on_cancel_exit(&on_cancel, r);
}

#define EACH_STEP_OF(scenario, ...)                       \
    ALONE(each_step_of_##scenario)                        \
    {                                                     \
        CHECK(AT_EVERY_STEP(scenario, __VA_ARGS__) > 10); \
    }

EACH_STEP_OF(sleeps_three_times, 0, -ECANCELED)
EACH_STEP_OF(groups, 0, -ECANCELED)
EACH_STEP_OF(a_group_that_fails, -EIO, -ECANCELED)
EACH_STEP_OF(starts, 0, -ECANCELED)
EACH_STEP_OF(gathers, 0, -ECANCELED)
EACH_STEP_OF(gathers_what_fails, -EIO, -ECANCELED)
EACH_STEP_OF(waits_for, 0, -ECANCELED)
EACH_STEP_OF(waits_for_some, 0, -ECANCELED)
EACH_STEP_OF(nests_timeouts, -ETIMEDOUT, -ECANCELED)
EACH_STEP_OF(calls_back, 0, -ECANCELED)

static CU_TestInfo tests[] = {
    TEST(each_step_of_sleeps_three_times),
    TEST(each_step_of_groups),
    TEST(each_step_of_a_group_that_fails),
    TEST(each_step_of_starts),
    TEST(each_step_of_gathers),
    TEST(each_step_of_gathers_what_fails),
    TEST(each_step_of_waits_for),
    TEST(each_step_of_waits_for_some),
    TEST(each_step_of_nests_timeouts),
    TEST(each_step_of_calls_back),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(steps, tests)
