/* SPDX-License-Identifier: MIT
 * The two holds of a future, and every order in which they can go. */
#include "tests/task/task.h"

static void no_callback(weft_future *future, void *arg)
{
    (void)future, (void)arg;
    CHECK(false);
}

/* What every call says to a handle whose future is gone, or that never was one. */
static void check_gone(weft_future *future, int error)
{
    void *value = &value;
    int status = 77;

    EQUAL(weft_future_set_result(future, NULL), error);
    EQUAL(weft_future_set_exception(future, -EIO), error);
    EQUAL(weft_future_cancel(future), error);
    EQUAL(weft_future_done(future), true);
    EQUAL(weft_future_cancelled(future), false);
    EQUAL(weft_future_status(future), error);
    EQUAL(weft_future_result(future, &value), error);
    EQUAL(weft_future_add_done_callback(future, no_callback, NULL), error);
    EQUAL(weft_future_remove_done_callback(future, no_callback, NULL), error);
    CHECK(weft_future_ref(future) == future);
    CHECK(weft_future_unref(future) == NULL);
    CHECK(weft_future_get_loop(future) == NULL);
    EQUAL(weft_await(future), error);
    EQUAL(weft_await_value(future, &value), error);
    CHECK(value == &value);
    EQUAL(weft_await_status(future, &status), error);
    EQUAL(status, 77);
}

IN_TASK(null_is_an_error_everywhere)
{
    check_gone(NULL, -EINVAL);
}

/* One step at a time: who does what, in every order.  The future must stay as long as one of the
 * two holds is there, and be gone right after. */

enum step { SET, FAIL, CANCEL, UNREF, AWAIT, STEPS };

struct state {
    weft_future *future;
    bool setter, awaiter; /* holds that are there */
    bool done;
    int status;
    bool read;
};

static void check_state(const struct state *s)
{
    int expected = !s->setter && !s->awaiter ? -ESRCH : s->done ? s->status : -EINPROGRESS;

    /* Reading a failure counts as having seen it, so it is looked at only when that changes
     * nothing. */
    if (!s->done || s->read || s->status >= 0 || s->status == -ECANCELED || expected == -ESRCH) {
        EQUAL(weft_future_status(s->future), expected);
    }
    EQUAL(weft_future_done(s->future), expected != -EINPROGRESS);
    EQUAL(weft_future_cancelled(s->future), expected == -ECANCELED);
}

static void settle(struct state *s, int status, int r)
{
    if (!s->setter && !s->awaiter) {
        EQUAL(r, -ESRCH);
    } else if (s->done) {
        EQUAL(r, -EALREADY);
    } else {
        EQUAL(r, 0);
        s->done = true;
        s->status = status;
    }
}

static void take(struct state *s, enum step step)
{
    bool there = s->setter || s->awaiter;

    switch (step) {
    case SET:
        settle(s, 0, weft_future_set_result(s->future, NULL));
        s->setter = false;
        break;
    case FAIL:
        settle(s, -EIO, weft_future_set_exception(s->future, -EIO));
        s->setter = false;
        break;
    case CANCEL:
        settle(s, -ECANCELED, weft_future_cancel(s->future));
        break;
    case UNREF:
        weft_future_unref(s->future);
        s->awaiter = false;
        break;
    default: /* only one that is done, so that nobody waits for ever */
        if (s->done || !there || !s->awaiter) {
            EQUAL(weft_await(s->future), s->awaiter ? s->status : -ESRCH);
            s->read |= s->awaiter;
            s->awaiter = false;
        }
    }
    if (there && !s->setter && !s->awaiter && s->done && s->status == -EIO && !s->read) {
        EQUAL(reports_left(), 1);
        EQUAL(next_report()->kind, WEFT_REPORT_FAILED);
    }
    EQUAL(reports_left(), 0);
    check_state(s);
}

IN_TASK(every_order_of_four_steps)
{
    for (int code = 0; code < STEPS * STEPS * STEPS * STEPS; code++) {
        struct state s = { .setter = true, .awaiter = true };

        EQUAL(weft_future_new(NULL, &s.future), 0);
        for (int i = 0, rest = code; i < 4; i++, rest /= STEPS) {
            take(&s, (enum step)(rest % STEPS));
        }
        if (s.setter) {
            take(&s, SET);
        }
        if (s.awaiter) {
            take(&s, UNREF);
        }
        check_gone(s.future, -ESRCH);
    }
}

/* More awaiters. */

IN_TASK(two_await_with_a_hold_each)
{
    weft_future *future = NULL;
    weft_task *a, *b;

    EQUAL(weft_future_new(NULL, &future), 0);
    a = weft_create_task(awaits_future(weft_future_ref(future)), NULL);
    b = weft_create_task(awaits_future(future), NULL);
    weft_sleep(0);
    EQUAL(weft_await(future), -ESRCH); /* there was no third */
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_future_done(future), true); /* both have yet to run */
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    check_gone(future, -ESRCH);
}

IN_TASK(a_hold_may_come_while_others_wait)
{
    weft_future *future = NULL;
    weft_task *task;

    EQUAL(weft_future_new(NULL, &future), 0);
    task = weft_create_task(awaits_future(future), NULL);
    weft_sleep(0);
    CHECK(weft_future_ref(future) == future);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(future), 0);
    check_gone(future, -ESRCH);
}

IN_TASK(unref_never_takes_the_setters_hold)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(NULL, &future), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(weft_future_unref(future) == NULL);
        EQUAL(weft_future_status(future), -EINPROGRESS);
    }
    EQUAL(weft_future_set_result(future, NULL), 0);
    check_gone(future, -ESRCH);
}

IN_TASK(a_stale_handle_is_never_another_future)
{
    weft_future *old[100];

    for (int i = 0; i < told_apart(100); i++) {
        weft_future *next = NULL;

        EQUAL(weft_future_new(NULL, &next), 0);
        for (int j = 0; j < i; j++) {
            CHECK(old[j] != next);
            EQUAL(weft_future_set_result(old[j], NULL), -ESRCH);
            weft_future_unref(old[j]);
        }
        old[i] = next;
        EQUAL(weft_future_set_result(next, NULL), 0);
        EQUAL(weft_await(next), 0);
    }
}

/* Outside of tasks. */

IN_LOOP(awaiting_outside_a_task_spends_the_hold)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(weft_await(future), -EPERM);
    EQUAL(weft_future_status(future), -EINPROGRESS); /* the setter's hold is there */
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_future_status(future), -ESRCH);
}

IN_LOOP(running_until_it_is_done_spends_the_hold)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(weft_loop_call_soon(loop, stop_loop, NULL, NULL), 0);
    EQUAL(run(future), -EINTR);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_future_status(future), -ESRCH);
    EQUAL(run(future), -ESRCH);
    EQUAL(weft_loop_run_until_complete(loop, (weft_future *)NULL), -EINVAL);
}

IN_LOOP(handles_end_with_their_loop)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(loop, &future), 0);
    close_loop();
    EQUAL(weft_future_set_result(future, NULL), -ESRCH);
    EQUAL(weft_future_done(future), true);
    CHECK(weft_future_unref(future) == NULL);
}

IN_TASK(ten_thousand_at_a_time)
{
    static weft_future *futures[10000];

    for (int i = 0; i < 10000; i++) {
        EQUAL(weft_future_new(NULL, &futures[i]), 0);
    }
    for (int i = 0; i < 10000; i++) {
        EQUAL(weft_future_set_result(futures[i], &futures[i]), 0);
    }
    for (int i = 0; i < 10000; i++) {
        void *value = NULL;

        EQUAL(weft_await_value(futures[i], &value), 0);
        CHECK(value == &futures[i]);
    }
}

static CU_TestInfo tests[] = {
    TEST(null_is_an_error_everywhere),
    TEST(every_order_of_four_steps),
    TEST(two_await_with_a_hold_each),
    TEST(a_hold_may_come_while_others_wait),
    TEST(unref_never_takes_the_setters_hold),
    TEST(a_stale_handle_is_never_another_future),
    TEST(awaiting_outside_a_task_spends_the_hold),
    TEST(running_until_it_is_done_spends_the_hold),
    TEST(handles_end_with_their_loop),
    TEST(ten_thousand_at_a_time),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(future_hold, tests)
