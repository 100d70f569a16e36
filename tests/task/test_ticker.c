/* SPDX-License-Identifier: MIT
 * Tickers: a grid of moments, and what becomes of those that are missed. */
#include "tests/task/steps.h"

#include <math.h>

static double start;

static void begin(weft_ticker *ticker, double period, weft_tick_missed missed)
{
    start = weft_loop_time(NULL);
    EQUAL(weft_ticker_init(ticker, period, missed), 0);
}

/* In periods of 10 ms since the beginning, rounded; on a real clock at least. */
static int now(void)
{
    return (int)((weft_loop_time(NULL) - start) * 100 + (is_virtual() ? 0.5 : 0.001));
}

#define AT(expected) \
    (is_virtual() ? EQUAL(now(), expected) : CHECK(now() >= (expected)))

IN_TASK(ticks_do_not_drift)
{
    weft_ticker ticker;

    begin(&ticker, 0.01, WEFT_TICK_SKIP);
    for (int i = 1; i <= 5; i++) {
        CHECK(weft_ticker_wait(&ticker) >= 1);
        AT(i);
        EQUAL(weft_sleep(0.003), 0); /* what is done takes time */
    }
    CHECK(ticker.ticks == 5);
    CHECK(ticker.missed == 0 || !is_virtual());
}

IN_TASK(missed_ticks_are_skipped)
{
    weft_ticker ticker;

    begin(&ticker, 0.01, WEFT_TICK_SKIP);
    EQUAL(weft_sleep(0.035), 0);
    CHECK(weft_ticker_wait(&ticker) >= 3);
    CHECK(ticker.missed >= 2);
    AT(3);
    CHECK(weft_ticker_wait(&ticker) >= 1);
    AT(4); /* on the grid */
}

IN_TASK(missed_ticks_are_made_up_for)
{
    weft_ticker ticker;

    begin(&ticker, 0.01, WEFT_TICK_BURST);
    EQUAL(weft_sleep(0.035), 0);
    for (int i = 1; i <= 3; i++) {
        EQUAL(weft_ticker_wait(&ticker), 1);
    }
    AT(3);
    EQUAL(weft_ticker_wait(&ticker), 1);
    AT(4);
    CHECK(ticker.missed == 0);
}

IN_TASK(missed_ticks_move_the_grid)
{
    weft_ticker ticker;

    begin(&ticker, 0.01, WEFT_TICK_DELAY);
    EQUAL(weft_sleep(0.035), 0);
    CHECK(weft_ticker_wait(&ticker) >= 3);
    double then = weft_loop_time(NULL);

    CHECK(weft_ticker_wait(&ticker) >= 1);
    CHECK(weft_loop_time(NULL) - then > 0.0099);
    EQUAL(weft_sleep(0.004), 0); /* a little late is not missed */
    then = weft_loop_time(NULL);
    CHECK(weft_ticker_wait(&ticker) >= 1);
    CHECK(weft_loop_time(NULL) - then < 0.0099 || !is_virtual());
}

WEFT_ASYNC(counts_ticks, (weft_ticker *, ticker), (int *, count))
{
    int64_t r;

    while ((r = weft_ticker_wait(ticker)) > 0) {
        ++*count;
    }
    return (int)r;
}

IN_TASK(each_tick_is_for_one_task)
{
    weft_ticker ticker;
    int counts[2] = { 0 };

    begin(&ticker, 0.001, WEFT_TICK_BURST);
    weft_task *a = weft_create_task(counts_ticks(&ticker, &counts[0]), NULL);
    weft_task *b = weft_create_task(counts_ticks(&ticker, &counts[1]), NULL);

    EQUAL(weft_sleep(0.0105), 0);
    weft_task_cancel(a);
    weft_task_cancel(b);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(counts[0] + counts[1], ticker.ticks);
    CHECK(ticker.ticks == 10 || !is_virtual());
}

IN_TASK(a_tick_is_a_clause)
{
    weft_ticker slow, fast;
    int r = 0, ticks[2] = { 0 };

    begin(&slow, 0.03, WEFT_TICK_SKIP);
    EQUAL(weft_ticker_init(&fast, 0.01, WEFT_TICK_BURST), 0);
    while (ticks[0] < 2) {
        int which = weft_select(&r, 1, WEFT_ON_TICK(&slow), WEFT_ON_TICK(&fast));

        CHECK(which == 0 || which == 1);
        CHECK(r == 1 || (which == 0 && r > 0 && !is_virtual()));
        ticks[which & 1] += r;
    }
    CHECK(ticks[1] >= 4);
    EQUAL(weft_sleep(0.1), 0);
    EQUAL(weft_select(&r, 0, WEFT_ON_TICK(&slow)), 0);
    CHECK(r >= 3);
    EQUAL(weft_select(&r, 0, WEFT_ON_TICK(&slow)), -ETIMEDOUT);
    EQUAL(weft_select(&r, 0.0001, WEFT_ON_TICK(&slow)), -ETIMEDOUT);
}

/* Two selects and a task wait for the same tick; both rings come in one look at the clock. */
WEFT_ASYNC(selects_tick, (weft_ticker *, ticker))
{
    return weft_select(NULL, 1, WEFT_ON_TICK(ticker), WEFT_ON_TICK(ticker)) >= 0;
}

IN_TASK(a_tick_that_somebody_else_took_is_waited_for_again)
{
    weft_ticker ticker;

    begin(&ticker, 0.01, WEFT_TICK_BURST);
    weft_task *a = weft_create_task(selects_tick(&ticker), NULL);
    weft_task *b = weft_create_task(selects_tick(&ticker), NULL);

    EQUAL(weft_await(a), 1);
    AT(1);
    EQUAL(weft_await(b), 1);
    AT(2);
}

IN_LOOP(bad_periods_are_told)
{
    weft_ticker ticker = { 0 };
    weft_clause clause = WEFT_ON_TICK(&ticker);

    EQUAL(weft_ticker_init(&ticker, 1, WEFT_TICK_SKIP), -EPERM);
    EQUAL(weft_ticker_init(&ticker, 0, WEFT_TICK_SKIP), -EINVAL);
    EQUAL(weft_ticker_init(&ticker, -1, WEFT_TICK_SKIP), -EINVAL);
    EQUAL(weft_ticker_init(&ticker, NAN, WEFT_TICK_SKIP), -EINVAL);
    EQUAL(weft_ticker_init(&ticker, INFINITY, WEFT_TICK_SKIP), -EINVAL);
    EQUAL(weft_ticker_init(&ticker, 1, (weft_tick_missed)9), -EINVAL);
    EQUAL(weft_ticker_init(NULL, 1, WEFT_TICK_SKIP), -EINVAL);
    EQUAL(weft_ticker_wait(NULL), -EINVAL);
    EQUAL(weft_ticker_wait(&ticker), -EINVAL);
    EQUAL(weft_select_array(&clause, 1, 0, NULL), -EPERM);
}

/* At every step. */

WEFT_ASYNC(ticks_thrice)
{
    weft_ticker ticker;
    int64_t r = weft_ticker_init(&ticker, 0.0005, WEFT_TICK_BURST);

    for (int i = 0; i < 3 && r >= 0; i++) {
        r = i == 1 ? weft_select(NULL, 1, WEFT_ON_TICK(&ticker)) : weft_ticker_wait(&ticker);
    }
    return r < 0 ? (int)r : 0;
}

ALONE(each_step_of_ticks_thrice)
{
    CHECK(AT_EVERY_STEP(ticks_thrice, 0, -ECANCELED) > 10);
}

static CU_TestInfo tests[] = {
    TEST(ticks_do_not_drift),
    TEST(missed_ticks_are_skipped),
    TEST(missed_ticks_are_made_up_for),
    TEST(missed_ticks_move_the_grid),
    TEST(each_tick_is_for_one_task),
    TEST(a_tick_is_a_clause),
    TEST(a_tick_that_somebody_else_took_is_waited_for_again),
    TEST(bad_periods_are_told),
    TEST(each_step_of_ticks_thrice),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(ticker, tests)
