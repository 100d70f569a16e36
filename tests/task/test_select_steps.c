/* SPDX-License-Identifier: MIT
 * Selects, cancelled at every step: what was put is got, dropped or still there, once. */
#include "tests/task/steps.h"

#include <math.h>

static weft_queue *one, *two, *met;
static weft_event stop;

static void lose(void *item, void *arg)
{
    (void)item, (void)arg;
    step_balance--;
}

static void fresh(void)
{
    weft_queue_options options = { .maxsize = 1, .drop = lose };

    EQUAL(weft_queue_new_with(&options, &one), 0);
    options.maxsize = 0;
    EQUAL(weft_queue_new_with(&options, &two), 0);
    options.rendezvous = true;
    EQUAL(weft_queue_new_with(&options, &met), 0);
    stop = (weft_event)WEFT_EVENT_INIT;
}

static int over(int r)
{
    EQUAL(weft_queue_free(one), 0);
    EQUAL(weft_queue_free(two), 0);
    EQUAL(weft_queue_free(met), 0);
    EQUAL(weft_event_destroy(&stop), 0);
    return r;
}

WEFT_ASYNC(gets_from_all, (int, count), (double, timeout))
{
    int r = 0;

    for (int i = 0; i < count && r >= 0; i++) {
        void *item = NULL;
        int status = 0;

        r = weft_select(&status, timeout, WEFT_ON_GET(one, &item), WEFT_ON_GET(two, &item),
                        WEFT_ON_GET(met, &item), WEFT_ON_EVENT(&stop));
        CHECK((item != NULL) == (r >= 0 && r < 3));
        step_balance -= item != NULL;
    }
    return r < 0 ? r : 0;
}

WEFT_ASYNC(puts_in_any, (int, count), (double, delay))
{
    int r = weft_sleep(delay);

    for (int i = 0; i < count && r >= 0; i++) {
        r = weft_select(NULL, INFINITY, WEFT_ON_PUT(one, &one), WEFT_ON_PUT(met, &met));
        step_balance += r >= 0;
    }
    return r < 0 ? r : 0;
}

WEFT_ASYNC(puts_in_two, (double, delay))
{
    int r = weft_sleep(delay);

    r = r < 0 ? r : weft_queue_put(two, &two);
    step_balance += r == 0;
    return r;
}

WEFT_ASYNC(selects_meet)
{
    fresh();
    return over(weft_gather(NULL, gets_from_all(3, INFINITY), puts_in_any(4, 0),
                            puts_in_two(0.0005), gets_from_all(2, INFINITY)));
}

WEFT_ASYNC(stops)
{
    int r = weft_sleep(0.0005);

    EQUAL(weft_event_set(&stop), 0);
    return r;
}

WEFT_ASYNC(an_event_stops_it)
{
    fresh();
    return over(weft_gather(NULL, gets_from_all(1, INFINITY), stops(), puts_in_two(0.001)));
}

WEFT_ASYNC(time_is_up)
{
    fresh();
    int r = weft_await(gets_from_all(1, 0.001));

    return over(r == -ETIMEDOUT ? 0 : r);
}

WEFT_ASYNC(waits_for_a_task)
{
    weft_task *task;
    void *item = NULL;
    int r, status;

    fresh();
    task = weft_create_task(puts_in_two(0.0005), NULL);
    r = weft_select(&status, INFINITY, WEFT_ON_DONE(task), WEFT_ON_GET(met, &item),
                    WEFT_ON_DONE(task));
    CHECK(r == 0 || r == -ECANCELED);
    weft_task_cancel(task);
    weft_await_status(task, NULL);
    return over(r);
}

#define EACH_STEP_OF(scenario, ...)                       \
    ALONE(each_step_of_##scenario)                        \
    {                                                     \
        CHECK(AT_EVERY_STEP(scenario, __VA_ARGS__) > 10); \
    }

EACH_STEP_OF(selects_meet, 0, -ECANCELED)
EACH_STEP_OF(an_event_stops_it, 0, -ECANCELED)
EACH_STEP_OF(time_is_up, 0, -ECANCELED)
EACH_STEP_OF(waits_for_a_task, 0, -ECANCELED)

static CU_TestInfo tests[] = {
    TEST(each_step_of_selects_meet),
    TEST(each_step_of_an_event_stops_it),
    TEST(each_step_of_time_is_up),
    TEST(each_step_of_waits_for_a_task),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(select_steps, tests)
