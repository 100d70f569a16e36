/* SPDX-License-Identifier: MIT
 * Timers: their order, odd times, far ones, very many. */
#include "tests/task/task.h"

#include <math.h>
#include <stdlib.h>

static void later(double delay, const char *word)
{
    EQUAL(weft_loop_call_later(NULL, delay, NOTED(word), NULL), 0);
}

static void at(double when, const char *word)
{
    EQUAL(weft_loop_call_at(NULL, when, NOTED(word), NULL), 0);
}

IN_TASK(timers_run_in_the_order_of_their_deadlines)
{
    double now = weft_loop_time(NULL);

    at(now + 0.003, "3");
    at(now + 0.001, "1");
    at(now + 0.004, "4");
    at(now + 0.002, "2");
    EQUAL(weft_sleep(0.005), 0);
    HAPPENED("1 2 3 4");
}

IN_TASK(equal_deadlines_run_in_the_order_in_which_they_were_set)
{
    double when = weft_loop_time(NULL) + 0.001;
    static const char *const words[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };

    for (int i = 0; i < 9; i++) {
        EQUAL(weft_loop_call_at(NULL, when, NOTED(words[i]), NULL), 0);
    }
    EQUAL(weft_sleep(0.002), 0);
    HAPPENED("a b c d e f g h i");
}

WEFT_ASYNC(sleeps_and_notes, (double, delay), (const char *, word))
{
    int r = weft_sleep(delay);

    note(word);
    return r;
}

IN_TASK(sleepers_and_callbacks_stand_in_one_line)
{
    weft_task *a, *b;

    if (!is_virtual()) {
        return; /* equal deadlines need a clock that stands still */
    }
    later(1, "1");
    a = weft_create_task(sleeps_and_notes(1, "a"), NULL);
    weft_sleep(0);
    later(1, "2");
    b = weft_create_task(sleeps_and_notes(1, "b"), NULL);
    weft_sleep(0);
    later(1, "3");
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    weft_sleep(0);
    HAPPENED("1 a 2 b 3");
}

/* Never early. */

struct due {
    double when;
    int calls;
};

static void check_due(void *arg)
{
    struct due *due = arg;

    CHECK(weft_loop_time(NULL) >= due->when);
    due->calls++;
}

IN_TASK(none_is_early)
{
    static struct due dues[200];
    double now = weft_loop_time(NULL);

    for (int i = 0; i < 200; i++) {
        dues[i] = (struct due){ .when = now + i * 0.0000137 };
        EQUAL(weft_loop_call_at(NULL, dues[i].when, check_due, &dues[i], NULL), 0);
    }
    for (int i = 0; i < 100; i++) {
        double delay = i * 0.0000071, before = weft_loop_time(NULL);

        EQUAL(weft_sleep(delay), 0);
        CHECK(weft_loop_time(NULL) - before >= delay * 0.999999);
    }
    EQUAL(weft_sleep(0.004), 0);
    for (int i = 0; i < 200; i++) {
        EQUAL(dues[i].calls, 1);
    }
}

IN_TASK(virtual_time_jumps_exactly)
{
    static const double delays[] = { 1, 0.5, 1e-9, 3600, 86400.25, 1e6 };
    double now = weft_loop_time(NULL);

    if (!is_virtual()) {
        return;
    }
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        EQUAL(weft_sleep(delays[i]), 0);
        now += delays[i];
        CHECK(fabs(weft_loop_time(NULL) - now) < 1e-8);
    }
}

/* Odd times. */

IN_TASK(what_is_due_already_runs_soon_and_in_order)
{
    later(-1, "late");
    later(-1e300, "earliest");
    later(-INFINITY, "earliest too");
    later(0, "now");
    EQUAL(weft_loop_call_at(NULL, 0, NOTED("then"), NULL), 0);
    EQUAL(weft_sleep(0.001), 0);
    HAPPENED("earliest earliest too then late now");
}

IN_TASK(a_callback_is_never_called_at_once)
{
    later(-1, "late");
    note("scheduled");
    EQUAL(weft_sleep(0.001), 0);
    HAPPENED("scheduled late");
}

IN_TASK(not_a_number_is_an_error)
{
    weft_handle *handle = NULL;

    EQUAL(weft_loop_call_later(NULL, NAN, NOTED("x"), &handle), -EINVAL);
    EQUAL(weft_loop_call_at(NULL, NAN, NOTED("x"), &handle), -EINVAL);
    EQUAL(weft_loop_call_later(NULL, -NAN, NOTED("x"), NULL), -EINVAL);
    CHECK(handle == NULL);
    EQUAL(weft_sleep(NAN), -EINVAL);
    weft_sleep(0.001);
    HAPPENED("");
}

IN_TASK(sleeping_for_no_time_gives_way_once)
{
    static const double delays[] = { 0, -0.0, -1, -1e300, -INFINITY };
    double before = weft_loop_time(NULL);

    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        EQUAL(weft_loop_call_soon(NULL, NOTED("turn"), NULL), 0);
        EQUAL(weft_sleep(delays[i]), 0);
        HAPPENED("turn");
    }
    CHECK(!is_virtual() || weft_loop_time(NULL) == before);
}

IN_TASK(far_timers_do_not_come)
{
    static const double times[] = { 1e9, 1e18, 9.3e9, 1e300, INFINITY };
    weft_handle *handles[10];

    for (int i = 0; i < 5; i++) {
        EQUAL(weft_loop_call_later(NULL, times[i], NOTED("never"), &handles[2 * i]), 0);
        EQUAL(weft_loop_call_at(NULL, times[i] + 1e9, NOTED("never"), &handles[2 * i + 1]), 0);
    }
    EQUAL(weft_sleep(0.001), 0);
    for (int i = 0; i < 10; i++) {
        CHECK(weft_handle_when(handles[i]) > 1e8);
        EQUAL(weft_handle_cancel(handles[i]), 0);
        weft_handle_unref(handles[i]);
    }
    EQUAL(weft_sleep(0.001), 0);
    HAPPENED("");
}

IN_LOOP(a_sleep_that_never_ends_is_a_deadlock_in_virtual_time)
{
    static const double times[] = { INFINITY, 1e300, 1e11 };

    for (int i = 0; i < 3 && is_virtual(); i++) {
        weft_task *task = weft_loop_create_task(loop, sleeps(times[i]), NULL);

        EQUAL(run(weft_task_ref(task)), -EDEADLK);
        EQUAL(weft_task_cancel(task), 0);
        EQUAL(run(task), -ECANCELED);
    }
}

IN_LOOP(a_timer_that_never_comes_is_a_deadlock_in_virtual_time)
{
    EQUAL(weft_loop_call_later(loop, INFINITY, NOTED("never"), NULL), 0);
    if (is_virtual()) {
        EQUAL(weft_loop_run_forever(loop), -EDEADLK);
        CHECK(weft_loop_time(loop) < 1e9);
    }
    HAPPENED("");
}

/* Very many. */

static double last_when;
static int64_t last_number, called, wrong;

struct numbered {
    double when;
    int64_t number;
};

static void check_order(void *arg)
{
    const struct numbered *n = arg;

    wrong += n->when < last_when || (n->when == last_when && n->number <= last_number);
    last_when = n->when;
    last_number = n->number;
    called++;
}

static void sort(int count, int distinct)
{
    struct numbered *timers = malloc((size_t)count * sizeof *timers);
    uint64_t seed = 42;
    double now = weft_loop_time(NULL);

    last_when = -1;
    called = wrong = 0;
    for (int i = 0; timers && i < count; i++) {
        timers[i].number = i;
        timers[i].when = now + 1 + (double)(weft_unit_random(&seed) % (uint64_t)distinct) / 1024;
        wrong += weft_loop_call_at(NULL, timers[i].when, check_order, &timers[i], NULL) != 0;
    }
    EQUAL(weft_sleep(2 + (double)distinct / 1024), 0);
    EQUAL(called, count);
    EQUAL(wrong, 0);
    free(timers);
}

IN_TASK(a_million_timers_come_exactly_sorted)
{
    if (is_virtual()) {
        sort(many(1000000), 1 << 30);
        sort(many(300000), 1000);
        sort(many(100000), 1);
    }
}

/* Very many, most of which are taken back again. */
IN_TASK(what_was_taken_back_among_many_does_not_come)
{
    enum { COUNT = 50000 };
    static weft_handle *handles[COUNT];
    static int calls[COUNT];
    int count = many(COUNT), kept = 0;
    uint64_t seed = 7;

    for (int i = 0; i < count; i++) {
        double delay = (double)(weft_unit_random(&seed) % 1000) / 200000;

        calls[i] = 0;
        EQUAL(weft_loop_call_later(NULL, delay, count_up, &calls[i], &handles[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        if (weft_unit_random(&seed) % 8) {
            EQUAL(weft_handle_cancel(handles[i]), 0);
        }
    }
    EQUAL(weft_sleep(0.006), 0);
    for (int i = 0; i < count; i++) {
        EQUAL(calls[i], weft_handle_cancelled(handles[i]) ? 0 : 1);
        kept += calls[i];
        weft_handle_unref(handles[i]);
    }
    CHECK(kept > 0);
    CHECK(kept < count / 2);
}

static CU_TestInfo tests[] = {
    TEST(timers_run_in_the_order_of_their_deadlines),
    TEST(equal_deadlines_run_in_the_order_in_which_they_were_set),
    TEST(sleepers_and_callbacks_stand_in_one_line),
    TEST(none_is_early),
    TEST(virtual_time_jumps_exactly),
    TEST(what_is_due_already_runs_soon_and_in_order),
    TEST(a_callback_is_never_called_at_once),
    TEST(not_a_number_is_an_error),
    TEST(sleeping_for_no_time_gives_way_once),
    TEST(far_timers_do_not_come),
    TEST(a_sleep_that_never_ends_is_a_deadlock_in_virtual_time),
    TEST(a_timer_that_never_comes_is_a_deadlock_in_virtual_time),
    TEST(a_million_timers_come_exactly_sorted),
    TEST(what_was_taken_back_among_many_does_not_come),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(timer, tests)
