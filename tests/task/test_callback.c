/* SPDX-License-Identifier: MIT
 * Callbacks and their handles: order, cancelling in every state, holds. */
#include "tests/task/task.h"

#include <math.h>

static void soon(const char *word)
{
    EQUAL(weft_loop_call_soon(NULL, NOTED(word), NULL), 0);
}

/* Lets timers of a millisecond and posts have their turn, also where a slow machine's sleep is over
 * when the loop first looks. */
static void settle(void)
{
    EQUAL(weft_sleep(0.002), 0);
    weft_sleep(0);
}

IN_TASK(callbacks_run_in_the_order_in_which_they_were_scheduled)
{
    soon("1");
    soon("2");
    soon("3");
    HAPPENED("");
    weft_sleep(0);
    HAPPENED("1 2 3");
}

static void schedule_more(void *unused)
{
    (void)unused;
    note("first");
    soon("third");
}

IN_TASK(what_a_callback_schedules_comes_behind_what_is_ready)
{
    EQUAL(weft_loop_call_soon(NULL, schedule_more, NULL, NULL), 0);
    soon("second");
    give_way(2);
    HAPPENED("first second third");
}

IN_TASK(a_callback_is_needed)
{
    weft_handle *handle = NULL;

    EQUAL(weft_loop_call_soon(NULL, NULL, NULL, &handle), -EINVAL);
    EQUAL(weft_loop_call_later(NULL, 0, NULL, NULL, &handle), -EINVAL);
    EQUAL(weft_loop_call_at(NULL, 0, NULL, NULL, &handle), -EINVAL);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NULL, NULL, &handle), -EINVAL);
    CHECK(handle == NULL);
}

static void forbidden(void *unused)
{
    weft_task *task = weft_create_task(gives(0), NULL);

    (void)unused;
    EQUAL(weft_sleep(0), -EPERM);
    EQUAL(weft_await(gives(0)), -EPERM);
    EQUAL(weft_return(NULL), -EPERM);
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_close(loop), -EBUSY);
    CHECK(weft_current_task() == NULL);
    CHECK(weft_get_running_loop() == loop);
    EQUAL(weft_task_detach(task), 0);
    note("called");
}

IN_TASK(a_callback_may_not_wait)
{
    EQUAL(weft_loop_call_soon(NULL, forbidden, NULL, NULL), 0);
    weft_sleep(0);
    HAPPENED("called");
}

IN_LOOP(callbacks_of_a_loop_that_does_not_run)
{
    EQUAL(weft_loop_call_soon(NULL, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_later(NULL, 0, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_at(NULL, 0, NOTED("x"), NULL), -EPERM);
    EQUAL(weft_loop_call_soon(loop, NOTED("soon"), NULL), 0);
    EQUAL(weft_loop_call_later(loop, 0, NOTED("later"), NULL), 0);
    EQUAL(weft_loop_call_at(loop, 0, NOTED("at"), NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("threadsafe"), NULL), 0);
    EQUAL(run(sleeps(0)), 0);
    HAPPENED("soon at later threadsafe");
}

IN_LOOP(callbacks_that_did_not_run_are_dropped_when_the_loop_closes)
{
    weft_handle *soon_handle = NULL, *later_handle = NULL, *posted = NULL;

    EQUAL(weft_loop_call_soon(loop, NOTED("never"), &soon_handle), 0);
    EQUAL(weft_loop_call_later(loop, 1, NOTED("never"), &later_handle), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("never"), &posted), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), 0);
    EQUAL(weft_loop_call_later(loop, 1, NOTED("never"), NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("never"), NULL), 0);
    close_loop();
    HAPPENED("");
    EQUAL(weft_handle_cancel(soon_handle), -ESRCH);
    EQUAL(weft_handle_cancel(later_handle), -ESRCH);
    EQUAL(weft_handle_cancel(posted), -ESRCH);
    CHECK(weft_handle_unref(soon_handle) == NULL);
    CHECK(weft_handle_unref(later_handle) == NULL);
    CHECK(weft_handle_unref(posted) == NULL);
    CHECK(isnan(weft_handle_when(later_handle)));
}

/* Handles: three ways to get one, and what can be done with it in each state. */

enum way { SOON, LATER, AT, POSTED, WAYS };

static weft_handle *schedule(enum way way)
{
    weft_handle *handle = NULL;

    switch (way) {
    case SOON: EQUAL(weft_loop_call_soon(NULL, NOTED("called"), &handle), 0); break;
    case LATER: EQUAL(weft_loop_call_later(NULL, 0.001, NOTED("called"), &handle), 0); break;
    case AT: EQUAL(weft_loop_call_at(NULL, 0, NOTED("called"), &handle), 0); break;
    default: EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("called"), &handle), 0); break;
    }
    CHECK(handle != NULL);
    return handle;
}

static void check_spent(weft_handle *handle)
{
    EQUAL(weft_handle_cancel(handle), -ESRCH);
    EQUAL(weft_handle_cancelled(handle), true);
    CHECK(isnan(weft_handle_when(handle)));
    CHECK(weft_handle_unref(handle) == NULL);
}

IN_TASK(a_handle_whose_callback_ran_stays_until_it_is_given_back)
{
    for (enum way way = SOON; way < WAYS; way++) {
        weft_handle *handle = schedule(way);

        EQUAL(weft_handle_cancelled(handle), false);
        settle();
        HAPPENED("called");
        EQUAL(weft_handle_cancelled(handle), false);
        EQUAL(weft_handle_cancel(handle), 0); /* after it ran nothing happens */
        CHECK(weft_handle_unref(handle) == NULL);
        check_spent(handle);
    }
}

IN_TASK(a_cancelled_callback_does_not_run)
{
    for (enum way way = SOON; way < WAYS; way++) {
        weft_handle *handle = schedule(way);

        EQUAL(weft_handle_cancel(handle), 0);
        EQUAL(weft_handle_cancelled(handle), true);
        EQUAL(weft_handle_cancel(handle), 0); /* again nothing happens */
        settle();
        HAPPENED("");
        EQUAL(weft_handle_cancelled(handle), true);
        CHECK(weft_handle_unref(handle) == NULL);
        check_spent(handle);
    }
}

IN_TASK(a_cancelled_handle_may_be_given_back_at_once)
{
    for (enum way way = SOON; way < WAYS; way++) {
        weft_handle *handle = schedule(way);

        EQUAL(weft_handle_cancel(handle), 0);
        CHECK(weft_handle_unref(handle) == NULL);
        check_spent(handle);
        settle();
        HAPPENED("");
    }
}

IN_TASK(what_was_scheduled_stays_scheduled_when_the_hold_is_given_back)
{
    for (enum way way = SOON; way < WAYS; way++) {
        weft_handle *handle = schedule(way);

        CHECK(weft_handle_unref(handle) == NULL);
        check_spent(handle);
        check_spent(handle); /* unref on a spent one takes nothing more away */
        settle();
        HAPPENED("called");
        check_spent(handle);
    }
}

IN_TASK(a_timer_tells_when)
{
    double before = weft_loop_time(NULL);
    weft_handle *later = schedule(LATER), *at = NULL, *now = schedule(SOON);

    CHECK(weft_handle_when(later) >= before + 0.001 - 1e-9);
    CHECK(weft_handle_when(later) <= weft_loop_time(NULL) + 0.001 + 1e-9);
    EQUAL(weft_loop_call_at(NULL, before + 0.25, NOTED("x"), &at), 0);
    CHECK(fabs(weft_handle_when(at) - (before + 0.25)) < 1e-8);
    CHECK(isnan(weft_handle_when(now)));
    EQUAL(weft_handle_cancel(at), 0);
    CHECK(fabs(weft_handle_when(at) - (before + 0.25)) < 1e-8);
    settle();
    CHECK(weft_handle_when(later) >= before);
    HAPPENED("called called");
    weft_handle_unref(later);
    weft_handle_unref(at);
    weft_handle_unref(now);
}

IN_TASK(null_is_no_handle)
{
    EQUAL(weft_handle_cancel(NULL), -EINVAL);
    EQUAL(weft_handle_cancelled(NULL), true);
    CHECK(isnan(weft_handle_when(NULL)));
    CHECK(weft_handle_unref(NULL) == NULL);
}

/* From within. */

static weft_handle *target;

static void cancel_target(void *unused)
{
    (void)unused;
    note("cancels");
    EQUAL(weft_handle_cancel(target), 0);
}

IN_TASK(a_callback_cancels_another_of_the_same_tick)
{
    double when = weft_loop_time(NULL) + 0.001;

    EQUAL(weft_loop_call_soon(NULL, cancel_target, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("never"), &target), 0);
    soon("next");
    weft_sleep(0);
    HAPPENED("cancels next");
    weft_handle_unref(target);

    EQUAL(weft_loop_call_at(NULL, when, cancel_target, NULL, NULL), 0);
    EQUAL(weft_loop_call_at(NULL, when, NOTED("never"), &target), 0);
    EQUAL(weft_loop_call_at(NULL, when, NOTED("next"), NULL), 0);
    settle();
    HAPPENED("cancels next");
    weft_handle_unref(target);
}

IN_TASK(a_callback_may_cancel_itself)
{
    EQUAL(weft_loop_call_soon(NULL, cancel_target, NULL, &target), 0);
    weft_sleep(0);
    HAPPENED("cancels");
    EQUAL(weft_handle_cancelled(target), true);
    weft_handle_unref(target);
    EQUAL(weft_loop_call_later(NULL, 0.001, cancel_target, NULL, &target), 0);
    settle();
    HAPPENED("cancels");
    weft_handle_unref(target);
}

static void unref_target(void *unused)
{
    (void)unused;
    CHECK(weft_handle_unref(target) == NULL);
    note("unrefs");
}

IN_TASK(a_callback_may_give_its_own_hold_back)
{
    EQUAL(weft_loop_call_soon(NULL, unref_target, NULL, &target), 0);
    weft_sleep(0);
    check_spent(target);
    EQUAL(weft_loop_call_soon_threadsafe(loop, unref_target, NULL, &target), 0);
    settle();
    check_spent(target);
    HAPPENED("unrefs unrefs");
}

IN_TASK(a_spent_handle_is_never_another_one)
{
    weft_handle *old[100];

    for (int i = 0; i < told_apart(100); i++) {
        weft_handle *next = schedule(i % 2 ? SOON : LATER);

        for (int j = 0; j < i; j++) {
            CHECK(old[j] != next);
            check_spent(old[j]);
        }
        EQUAL(weft_handle_cancel(next), 0);
        CHECK(weft_handle_unref(next) == NULL);
        weft_sleep(0);
        old[i] = next;
    }
    HAPPENED("");
}

static CU_TestInfo tests[] = {
    TEST(callbacks_run_in_the_order_in_which_they_were_scheduled),
    TEST(what_a_callback_schedules_comes_behind_what_is_ready),
    TEST(a_callback_is_needed),
    TEST(a_callback_may_not_wait),
    TEST(callbacks_of_a_loop_that_does_not_run),
    TEST(callbacks_that_did_not_run_are_dropped_when_the_loop_closes),
    TEST(a_handle_whose_callback_ran_stays_until_it_is_given_back),
    TEST(a_cancelled_callback_does_not_run),
    TEST(a_cancelled_handle_may_be_given_back_at_once),
    TEST(what_was_scheduled_stays_scheduled_when_the_hold_is_given_back),
    TEST(a_timer_tells_when),
    TEST(null_is_no_handle),
    TEST(a_callback_cancels_another_of_the_same_tick),
    TEST(a_callback_may_cancel_itself),
    TEST(a_callback_may_give_its_own_hold_back),
    TEST(a_spent_handle_is_never_another_one),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(callback, tests)
