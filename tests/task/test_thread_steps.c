/* SPDX-License-Identifier: MIT
 * Calls in threads, thread futures and thread queues, cancelled at every step. */
#include "tests/task/steps.h"
#include "tests/task/thread.h"

#include <math.h>
#include <unistd.h>

static atomic_int running; /* jobs */

static int short_job(void *times)
{
    atomic_fetch_add(&running, 1);
    for (int i = 0; i < *(int *)times && !weft_job_cancelled(); i++) {
        usleep(100);
    }
    atomic_fetch_sub(&running, 1);
    return 0;
}

/* A call whose argument lies in this frame: it has ended when this returns. */
WEFT_ASYNC(calls_once, (weft_executor *, executor))
{
    int times = 3, r;

    step_balance++;
    r = executor ? weft_to_thread_in(executor, short_job, &times) :
                   weft_to_thread(short_job, &times);
    step_balance--;
    return r < 0 ? r : weft_sleep(0);
}

WEFT_ASYNC(calls)
{
    int r = 0;

    for (int i = 0; i < 4 && r == 0; i++) {
        r = weft_await(calls_once(NULL));
        EQUAL(atomic_load(&running), 0);
        r = r < 0 ? r : weft_sleep(0.0003);
    }
    return r;
}

WEFT_ASYNC(calls_that_queue)
{
    weft_executor *executor = NULL;
    int r;

    EQUAL(weft_executor_new(&(weft_executor_options){ .max_workers = 1 }, &executor), 0);
    r = weft_gather(NULL, calls_once(executor), calls_once(executor), calls_once(executor),
                    calls_once(executor));
    EQUAL(atomic_load(&running), 0);
    weft_executor_free(executor);
    return r;
}

WEFT_ASYNC(begins_jobs)
{
    static int times = 3; /* a job that is abandoned may look at it later */
    weft_future *futures[3] = { NULL };
    weft_shield shield;
    int first = 0;

    for (int i = 0; i < 3; i++) {
        EQUAL(weft_loop_run_in_executor(NULL, NULL, short_job, &times, &futures[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        int r = weft_await(futures[i]);

        first = first < 0 ? first : r;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0); /* those that are abandoned end by themselves */
    EQUAL(weft_loop_shutdown_default_executor(NULL, INFINITY), 0);
    EQUAL(atomic_load(&running), 0);
    return weft_shield_exit(&shield, first);
}

/* Through a queue of two, from a task to a task and a thread. */

static weft_thread_queue *queue;
static atomic_int put, got;

WEFT_ASYNC(writer)
{
    int r = 0;

    for (int i = 0; i < 12 && r == 0; i++) {
        r = weft_thread_queue_put(queue, &put, INFINITY);
        put += r == 0;
        if (i % 4 == 3) {
            weft_sleep(0.0002);
        }
    }
    return r;
}

WEFT_ASYNC(reader, (int, wanted))
{
    void *items[3];
    int64_t n = 1;

    for (int i = 0; i < wanted && n > 0; i += (int)n) {
        n = weft_thread_queue_get_many(queue, items, 1 + (size_t)i % 2, INFINITY);
        atomic_fetch_add(&got, n > 0 ? (int)n : 0);
    }
    return n < 0 ? (int)n : 0;
}

static int thread_reader(void *unused)
{
    void *item;
    int r = 0;

    (void)unused;
    while (!weft_job_cancelled() && r != -ESHUTDOWN) {
        r = weft_thread_queue_get(queue, 0.0003, &item);
        atomic_fetch_add(&got, r == 0);
    }
    return r == -ESHUTDOWN ? 0 : -ECANCELED;
}

WEFT_ASYNC(runs_thread_reader)
{
    return weft_to_thread(thread_reader, NULL);
}

WEFT_ASYNC(sends_items)
{
    int r;

    EQUAL(weft_thread_queue_new(2, NULL, &queue), 0);
    atomic_store(&put, 0);
    atomic_store(&got, 0);
    r = weft_gather(NULL, writer(), reader(12));
    EQUAL(weft_thread_queue_qsize(queue) + atomic_load(&got), atomic_load(&put));
    weft_thread_queue_free(queue);
    return r;
}

WEFT_ASYNC(sends_and_shuts)
{
    int r = weft_await(writer());

    EQUAL(weft_thread_queue_shutdown(queue, false), 0);
    return r;
}

WEFT_ASYNC(sends_items_to_a_thread)
{
    int r;

    EQUAL(weft_thread_queue_new(2, NULL, &queue), 0);
    atomic_store(&put, 0);
    atomic_store(&got, 0);
    r = weft_gather(NULL, sends_and_shuts(), runs_thread_reader());
    EQUAL(weft_thread_queue_qsize(queue) + atomic_load(&got), atomic_load(&put));
    weft_thread_queue_free(queue);
    return r;
}

/* A thread that calls back into the loop. */

static int calls_back(void *home)
{
    weft_thread_future *future = NULL;
    int status = 0;
    int r = weft_run_coroutine_threadsafe(sleeps_then(0.0003, 4), home, &future);

    r = r < 0 ? r : weft_thread_future_wait(future, INFINITY, &status);
    weft_thread_future_free(future);
    return r < 0 ? r : status == 4 ? 0 : status;
}

WEFT_ASYNC(is_called_back)
{
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        r = weft_to_thread(calls_back, weft_get_running_loop());
        r = r < 0 ? r : weft_sleep(0);
    }
    return r;
}

#define EACH_STEP_OF(scenario, ...)                       \
    ALONE(each_step_of_##scenario)                        \
    {                                                     \
        CHECK(AT_EVERY_STEP(scenario, __VA_ARGS__) > 10); \
    }

EACH_STEP_OF(calls, 0, -ECANCELED)
EACH_STEP_OF(calls_that_queue, 0, -ECANCELED)
EACH_STEP_OF(begins_jobs, 0, -ECANCELED)
EACH_STEP_OF(sends_items, 0, -ECANCELED)
EACH_STEP_OF(sends_items_to_a_thread, 0, -ECANCELED)
EACH_STEP_OF(is_called_back, 0, -ECANCELED)

static CU_TestInfo tests[] = {
    TEST(each_step_of_calls),
    TEST(each_step_of_calls_that_queue),
    TEST(each_step_of_begins_jobs),
    TEST(each_step_of_sends_items),
    TEST(each_step_of_sends_items_to_a_thread),
    TEST(each_step_of_is_called_back),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(thread_steps, tests)
