/* SPDX-License-Identifier: MIT
 * Executors, jobs, thread futures and thread queues, while each allocation and system call fails
 * once. */
#include "tests/task/fault.h"
#include "tests/task/thread.h"

#include <math.h>

/* What the jobs of a run that was cut short use; it ends before the run is looked at. */
static atomic_int counter;

WEFT_ASYNC(uses_jobs)
{
    int done = 0;

    for (int i = 0; i < 3; i++) {
        done += tried(weft_to_thread(job_counts, &counter)) >= 0;
    }
    EQUAL(atomic_load(&counter), done); /* what failed did not run */
    tried(weft_loop_shutdown_default_executor(NULL, INFINITY));
    return 0;
}

static int calls_in_threads(void)
{
    atomic_store(&counter, 0);
    return run_in_loop(uses_jobs());
}

WEFT_ASYNC(uses_executor, (weft_executor *, executor))
{
    weft_future *futures[5] = { NULL };
    int done = 0;

    tried(weft_loop_set_default_executor(NULL, executor));
    for (int i = 0; i < 5; i++) {
        tried(weft_loop_run_in_executor(NULL, i % 2 ? executor : NULL, job_counts, &counter,
                                        &futures[i]));
    }
    for (int i = 0; i < 5; i++) {
        done += futures[i] && tried(weft_await(futures[i])) >= 0;
    }
    CHECK(atomic_load(&counter) == done || weft_cancelled());
    if (tried(weft_executor_shutdown(executor, true, false)) < 0 && !weft_cancelled()) {
        EQUAL(weft_executor_shutdown(executor, true, false), 0); /* it may be asked again */
    }
    return 0;
}

static int has_an_executor(void)
{
    weft_executor *executor = NULL;
    int r = tried(weft_executor_new(NULL, &executor));

    if (r < 0) {
        CHECK(executor == NULL);
        return r;
    }
    atomic_store(&counter, 0);
    r = run_in_loop(uses_executor(executor));
    while (weft_executor_shutdown(executor, true, false) < 0) {
        /* the fault was in this call */
    }
    weft_executor_free(executor);
    return r;
}

/* The coroutine runs, or is dropped; the thread learns its status. */
static int asks(void *home)
{
    weft_thread_future *future = NULL;
    int status = -1, r = weft_run_coroutine_threadsafe(counted(6), home, &future);

    if (r < 0) {
        CHECK(future == NULL);
        return r;
    }
    while ((r = weft_thread_future_wait(future, 60, &status)) == -ENOMEM || r == -EMFILE ||
           r == -EINTR || r == -EPERM || r == -EIO) {
        /* it could not wait: once more */
    }
    EQUAL(r, 0);
    weft_thread_future_free(future);
    return status == 6 ? 0 : status;
}

WEFT_ASYNC(uses_thread_futures)
{
    return tried(weft_to_thread(asks, weft_get_running_loop()));
}

static int is_asked(void)
{
    return run_in_loop(uses_thread_futures());
}

static void drop(void *unused)
{
    (void)unused;
    ended(NULL);
}

WEFT_ASYNC(puts_one, (weft_thread_queue *, queue))
{
    int r;

    begun(); /* an item is one more thing that must end */
    r = weft_thread_queue_put(queue, NULL, INFINITY);
    if (r < 0) {
        ended(NULL);
    }
    return r == -ESHUTDOWN ? r : tried(r); /* it was slow */
}

WEFT_ASYNC(uses_queue)
{
    weft_thread_queue *queue = NULL;
    weft_task *putter;
    void *item;

    if (tried(weft_thread_queue_new(1, drop, &queue)) < 0) {
        CHECK(queue == NULL);
        return 0;
    }
    tried(weft_await(puts_one(queue)));
    putter = weft_create_task(puts_one(queue), NULL);
    if (weft_task_status(putter) != -EINPROGRESS) {
        tried(weft_task_status(putter));
    }
    weft_sleep(0);
    for (int i = 0; i < 2; i++) {
        int r = weft_thread_queue_get(queue, 0.001, &item);

        if (r == 0) {
            ended(NULL);
        } else if (r != -ETIMEDOUT) { /* that much is missing where a put has failed */
            tried(r);
        }
    }
    weft_thread_queue_shutdown(queue, true);
    weft_await(putter);
    weft_thread_queue_free(queue);
    return 0;
}

static int has_a_queue(void)
{
    return run_in_loop(uses_queue());
}

EACH_FAULT_WHILE_IT(calls_in_threads)
EACH_FAULT_WHILE_IT(has_an_executor)
EACH_FAULT_WHILE_IT(is_asked)
EACH_FAULT_WHILE_IT(has_a_queue)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_calls_in_threads),
    TEST(each_fault_while_it_has_an_executor),
    TEST(each_fault_while_it_is_asked),
    TEST(each_fault_while_it_has_a_queue),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_threads, tests)
