/* SPDX-License-Identifier: MIT
 * Waiting for some, for each in turn, for one with a limit, and for one without owning it. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

/* Three tasks; what is left of them. */
static weft_task *tasks[3];
static weft_awaitable xs[3];

static void make(weft_coro *a, weft_coro *b, weft_coro *c)
{
    weft_coro *coros[3] = { a, b, c };

    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(coros[i], NULL);
        xs[i] = WEFT_AWAITABLE(tasks[i]);
    }
}

static void end_all(void)
{
    for (int i = 0; i < 3; i++) {
        weft_task_cancel(tasks[i]);
        weft_await(tasks[i]);
    }
}

/* weft_wait(). */

IN_TASK(wait_for_all)
{
    make(sleeps(0.002), sleeps_then(0.001, -EIO), gives(3));
    EQUAL(weft_wait(xs, 3, WEFT_ALL_COMPLETED, INFINITY), 3);
    for (int i = 0; i < 3; i++) {
        CHECK(weft_task_done(tasks[i]));
    }
    EQUAL(weft_await(tasks[0]), 0); /* they were borrowed */
    EQUAL(weft_await(tasks[1]), -EIO);
    EQUAL(weft_await(tasks[2]), 3);
}

IN_TASK(wait_for_the_first)
{
    make(sleeps(1e6), sleeps_then(0.001, 2), sleeps(1e6));
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_COMPLETED, INFINITY), 1);
    CHECK(weft_task_done(tasks[1]));
    CHECK(!weft_task_done(tasks[0]) && !weft_task_done(tasks[2]));
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_COMPLETED, 0), 1);
    end_all();
}

IN_TASK(all_that_are_done_when_the_waiter_goes_on_are_counted)
{
    make(sleeps_then(0, 1), sleeps_then(0, 2), sleeps(1e6));
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_COMPLETED, INFINITY), 2);
    end_all();
}

IN_TASK(wait_for_the_first_failure)
{
    weft_task *cancelled;

    make(sleeps(1e6), sleeps_then(0.002, -EIO), sleeps(0.001));
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_EXCEPTION, INFINITY), 2);
    end_all();
    make(gives(1), sleeps_then(0.002, 2), sleeps(0.001)); /* none: all */
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_EXCEPTION, INFINITY), 3);
    end_all();
    make(sleeps(1e6), sleeps(1e6), sleeps_then(0.001, 0)); /* a cancelled one has not failed */
    cancelled = tasks[0];
    EQUAL(weft_task_cancel(cancelled), 0);
    EQUAL(weft_wait(xs, 3, WEFT_FIRST_EXCEPTION, 0.002), 2);
    end_all();
}

IN_TASK(a_wait_may_have_a_limit)
{
    double before = weft_loop_time(NULL);

    make(sleeps(1e6), sleeps(1e6), sleeps(0.001));
    EQUAL(weft_wait(xs, 3, WEFT_ALL_COMPLETED, 0.003), 1);
    CHECK(weft_loop_time(NULL) - before >= 0.003 * 0.999999);
    EQUAL(weft_wait(xs, 2, WEFT_FIRST_COMPLETED, 0.001), 0);
    EQUAL(weft_wait(xs, 2, WEFT_FIRST_COMPLETED, 0), 0);
    EQUAL(weft_wait(xs, 2, WEFT_FIRST_COMPLETED, -INFINITY), 0);
    EQUAL(weft_task_cancelling(tasks[0]), 0); /* the limit cancels nobody */
    end_all();
}

IN_TASK(what_is_done_needs_no_wait)
{
    weft_future *future = new_future();

    set_future(future);
    EQUAL(weft_wait(&WEFT_AWAITABLE(future), 1, WEFT_ALL_COMPLETED, INFINITY), 1);
    EQUAL(weft_wait(&WEFT_AWAITABLE(future), 1, WEFT_ALL_COMPLETED, -1), 1);
    EQUAL(weft_await(future), 0);
}

IN_TASK(one_twice_is_two)
{
    weft_task *task = weft_create_task(sleeps(0.001), NULL);
    weft_awaitable both[] = { WEFT_AWAITABLE(task), WEFT_AWAITABLE(task) };

    EQUAL(weft_wait(both, 2, WEFT_ALL_COMPLETED, INFINITY), 2);
    EQUAL(weft_await(task), 0);
}

IN_TASK(what_cannot_be_awaited_is_done)
{
    weft_task *task = weft_create_task(sleeps(1e6), NULL);
    weft_awaitable some[] = { WEFT_AWAITABLE(task), { NULL, 2 } };

    EQUAL(weft_wait(some, 2, WEFT_FIRST_COMPLETED, INFINITY), 1);
    EQUAL(weft_wait(some, 2, WEFT_FIRST_EXCEPTION, INFINITY), 1);
    some[1] = WEFT_AWAITABLE(weft_current_task());
    EQUAL(weft_wait(some, 2, WEFT_FIRST_COMPLETED, INFINITY), 1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

IN_TASK(what_wait_refuses)
{
    weft_coro *coro = gives(1);
    weft_awaitable x = WEFT_AWAITABLE(coro);

    EQUAL(weft_wait(&x, 1, WEFT_ALL_COMPLETED, 0), -EINVAL);
    EQUAL(weft_await(coro), 1); /* it was not touched */
    make(gives(0), gives(0), gives(0));
    EQUAL(weft_wait(xs, 0, WEFT_ALL_COMPLETED, 0), -EINVAL);
    EQUAL(weft_wait(NULL, 3, WEFT_ALL_COMPLETED, 0), -EINVAL);
    EQUAL(weft_wait(xs, 3, WEFT_ALL_COMPLETED, NAN), -EINVAL);
    EQUAL(weft_wait(xs, 3, (weft_wait_when)9, 0), -EINVAL);
    end_all();
}

ALONE(who_is_no_task_cannot_wait_for_some)
{
    weft_awaitable x = { NULL, 2 };
    weft_as_completed each = { 0 };

    EQUAL(weft_wait(&x, 1, WEFT_ALL_COMPLETED, 0), -EPERM);
    EQUAL(weft_as_completed_enter(&each, &x, 1), -EPERM);
    EQUAL(weft_as_completed_next(&each), -EPERM);
    weft_as_completed_exit(&each);
    EQUAL(weft_wait_for(gives(1), 1), -EPERM);
    EQUAL(weft_wait_for(gives(1), 0), -EPERM);
    EQUAL(weft_await_shielded((weft_task *)NULL), weft_await((weft_task *)NULL));
}

WEFT_ASYNC(waits_for_xs, (double, timeout))
{
    return weft_wait(xs, 3, WEFT_ALL_COMPLETED, timeout);
}

IN_TASK(a_cancel_ends_the_wait_and_leaves_them_alone)
{
    static const double timeouts[] = { INFINITY, 1e5 };

    make(sleeps(1e6), sleeps(1e6), gives(3));
    for (int i = 0; i < 2; i++) {
        weft_task *task = weft_create_task(waits_for_xs(timeouts[i]), NULL);

        give_way(2);
        EQUAL(weft_task_cancel(task), 0);
        EQUAL(weft_await(task), -ECANCELED);
        task = weft_create_task(waits_for_xs(timeouts[i]), NULL); /* before it waited */
        EQUAL(weft_task_cancel(task), 0);
        EQUAL(weft_await(task), -ECANCELED);
    }
    for (int i = 0; i < 2; i++) {
        EQUAL(weft_task_cancelling(tasks[i]), 0);
        CHECK(!weft_task_done(tasks[i]));
    }
    end_all();
}

/* weft_as_completed. */

IN_TASK(each_in_the_order_in_which_they_end)
{
    weft_as_completed each;

    make(sleeps(0.003), sleeps_then(0.001, -EIO), sleeps(0.002));
    EQUAL(weft_as_completed_enter(&each, xs, 3), 0);
    EQUAL(weft_as_completed_next(&each), 1);
    EQUAL(weft_as_completed_next(&each), 2);
    EQUAL(weft_as_completed_next(&each), 0);
    EQUAL(weft_as_completed_next(&each), -ENOENT);
    EQUAL(weft_as_completed_next(&each), -ENOENT);
    weft_as_completed_exit(&each);
    EQUAL(weft_as_completed_next(&each), -EINVAL);
    weft_as_completed_exit(&each);
    end_all();
}

IN_TASK(each_of_those_that_are_done)
{
    weft_as_completed each;

    make(gives(0), gives(1), gives(2));
    give_way(2);
    xs[1].object = NULL; /* cannot be awaited: done */
    EQUAL(weft_as_completed_enter(&each, xs, 3), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_as_completed_next(&each), i);
    }
    weft_as_completed_exit(&each);
    end_all();
}

IN_TASK(leaving_early_leaves_them_alone)
{
    weft_as_completed each;

    make(sleeps(1e6), sleeps(0.001), sleeps(0.002));
    EQUAL(weft_as_completed_enter(&each, xs, 3), 0);
    EQUAL(weft_as_completed_next(&each), 1);
    weft_as_completed_exit(&each);
    EQUAL(weft_sleep(0.002), 0);
    CHECK(!weft_task_done(tasks[0]));
    CHECK(weft_task_done(tasks[2]));
    end_all();
}

IN_TASK(a_cancelled_next_loses_none)
{
    weft_as_completed each;
    weft_timeout limit;

    make(sleeps(0.003), sleeps(0.002), gives(0));
    EQUAL(weft_as_completed_enter(&each, xs, 3), 0);
    EQUAL(weft_as_completed_next(&each), 2);
    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_timeout_exit(&limit, weft_as_completed_next(&each)), -ETIMEDOUT);
    EQUAL(weft_timeout_enter(&limit, -1), 0);
    EQUAL(weft_timeout_exit(&limit, weft_as_completed_next(&each)), -ETIMEDOUT);
    EQUAL(weft_as_completed_next(&each), 1);
    EQUAL(weft_as_completed_next(&each), 0);
    weft_as_completed_exit(&each);
    end_all();
}

IN_TASK(what_is_over_comes_even_to_who_is_cancelled)
{
    weft_as_completed each;
    weft_timeout limit;

    make(gives(0), gives(1), sleeps(1e6));
    give_way(2);
    EQUAL(weft_as_completed_enter(&each, xs, 3), 0);
    EQUAL(weft_timeout_enter(&limit, -1), 0);
    EQUAL(weft_as_completed_next(&each), 0);
    EQUAL(weft_as_completed_next(&each), 1);
    EQUAL(weft_timeout_exit(&limit, weft_as_completed_next(&each)), -ETIMEDOUT);
    weft_as_completed_exit(&each);
    end_all();
}

IN_TASK(what_as_completed_refuses)
{
    weft_as_completed each;
    weft_coro *coro = gives(0);

    EQUAL(weft_as_completed_enter(NULL, xs, 3), -EINVAL);
    EQUAL(weft_as_completed_enter(&each, NULL, 3), -EINVAL);
    EQUAL(weft_as_completed_next(&each), -EINVAL);
    EQUAL(weft_as_completed_enter(&each, &WEFT_AWAITABLE(coro), 1), -EINVAL);
    weft_as_completed_exit(&each);
    EQUAL(weft_as_completed_next(NULL), -EINVAL);
    weft_as_completed_exit(NULL);
    EQUAL(weft_await(coro), 0);
}

static CU_TestInfo tests[] = {
    TEST(wait_for_all),
    TEST(wait_for_the_first),
    TEST(all_that_are_done_when_the_waiter_goes_on_are_counted),
    TEST(wait_for_the_first_failure),
    TEST(a_wait_may_have_a_limit),
    TEST(what_is_done_needs_no_wait),
    TEST(one_twice_is_two),
    TEST(what_cannot_be_awaited_is_done),
    TEST(what_wait_refuses),
    TEST(who_is_no_task_cannot_wait_for_some),
    TEST(a_cancel_ends_the_wait_and_leaves_them_alone),
    TEST(each_in_the_order_in_which_they_end),
    TEST(each_of_those_that_are_done),
    TEST(leaving_early_leaves_them_alone),
    TEST(a_cancelled_next_loses_none),
    TEST(what_is_over_comes_even_to_who_is_cancelled),
    TEST(what_as_completed_refuses),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(wait, tests)
