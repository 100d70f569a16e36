/* SPDX-License-Identifier: MIT
 * Queues, cancelled at every step: what was put is got, dropped or still there, once. */
#include "tests/task/steps.h"

static weft_queue *queue;

static void lose(void *item, void *arg)
{
    (void)item, (void)arg;
    step_balance--;
}

static void fresh(weft_queue_options options)
{
    options.drop = lose;
    EQUAL(weft_queue_new_with(&options, &queue), 0);
}

/* The items that were put count up, and down again when somebody has them. */
WEFT_ASYNC(puts_some, (int, count), (double, delay))
{
    int r = weft_sleep(delay);

    for (int i = 0; i < count && r == 0; i++) {
        r = weft_queue_put(queue, &queue);
        step_balance += r == 0;
    }
    return r;
}

WEFT_ASYNC(gets_some, (int, count), (double, delay))
{
    int r = weft_sleep(delay);

    for (int i = 0; i < count && r == 0; i++) {
        void *item = NULL;

        r = weft_queue_get(queue, &item);
        step_balance -= r == 0;
        CHECK((r == 0) == (item != NULL));
        if (r == 0) {
            EQUAL(weft_queue_task_done(queue), 0);
        }
    }
    return r;
}

/* What is left in the queue is dropped, and nobody waits any more. */
static int over(int r)
{
    EQUAL(weft_queue_free(queue), 0);
    return r;
}

WEFT_ASYNC(getters_wait)
{
    fresh((weft_queue_options){ 0 });
    return over(weft_gather(NULL, gets_some(2, 0), gets_some(2, 0), gets_some(1, 0.0005),
                            puts_some(5, 0.0005)));
}

WEFT_ASYNC(putters_wait)
{
    fresh((weft_queue_options){ .maxsize = 1 });
    return over(weft_gather(NULL, puts_some(2, 0), puts_some(2, 0), puts_some(1, 0.0005),
                            gets_some(5, 0.0005)));
}

WEFT_ASYNC(both_wait)
{
    fresh((weft_queue_options){ .rendezvous = true });
    return over(weft_gather(NULL, puts_some(2, 0), gets_some(1, 0), puts_some(1, 0.0005),
                            gets_some(2, 0.0005)));
}

/* One of several is cancelled; the others go on. */
WEFT_ASYNC(takes_turns)
{
    weft_task *others[] = { weft_create_task(puts_some(3, 0), NULL),
                            weft_create_task(gets_some(3, 0.0002), NULL) };
    int r = weft_await(puts_some(2, 0));

    r = r < 0 ? r : weft_await(gets_some(2, 0.0002));
    weft_queue_shutdown(queue, false);
    for (int i = 0; i < 2; i++) {
        int status;

        weft_await_status(others[i], &status);
        CHECK(status == 0 || status == -ECANCELED || status == -ESHUTDOWN);
    }
    return r;
}

WEFT_ASYNC(some_go_on)
{
    fresh((weft_queue_options){ .maxsize = 2, .order = WEFT_QUEUE_LIFO });
    return over(weft_await(takes_turns()));
}

WEFT_ASYNC(is_joined)
{
    weft_task *worker;
    int r;

    fresh((weft_queue_options){ 0 });
    worker = weft_create_task(gets_some(9, 0.0005), NULL);
    r = weft_await(puts_some(3, 0));
    r = r < 0 ? r : weft_queue_join(queue);
    weft_queue_shutdown(queue, true);
    weft_await_status(worker, NULL);
    return over(r);
}

#define EACH_STEP_OF(scenario, ...)                       \
    ALONE(each_step_of_##scenario)                        \
    {                                                     \
        CHECK(AT_EVERY_STEP(scenario, __VA_ARGS__) > 10); \
    }

EACH_STEP_OF(getters_wait, 0, -ECANCELED)
EACH_STEP_OF(putters_wait, 0, -ECANCELED)
EACH_STEP_OF(both_wait, 0, -ECANCELED)
EACH_STEP_OF(some_go_on, 0, -ECANCELED, -ESHUTDOWN)
EACH_STEP_OF(is_joined, 0, -ECANCELED)

static CU_TestInfo tests[] = {
    TEST(each_step_of_getters_wait),
    TEST(each_step_of_putters_wait),
    TEST(each_step_of_both_wait),
    TEST(each_step_of_some_go_on),
    TEST(each_step_of_is_joined),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(queue_steps, tests)
