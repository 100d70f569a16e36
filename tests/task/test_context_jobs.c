/* SPDX-License-Identifier: MIT
 * Context variables go along into threads, and from threads into loops; what never begins lets go
 * of them. */
#include "tests/task/thread.h"
#include "tests/task/values.h"

#include <math.h>

/* Who it is in the thread; then somebody else, for this job alone. */
static int looks(void *name)
{
    snprintf(name, 20, "%s", name_here());
    be("the job");
    HERE("the job");
    return 0;
}

IN_TASK(a_job_runs_in_a_copy_of_its_callers_context)
{
    char name[20];
    weft_future *future = NULL;

    EQUAL(weft_to_thread(looks, name), 0);
    SAME(name, "nobody");
    be("Ada");
    EQUAL(weft_to_thread(looks, name), 0);
    SAME(name, "Ada");
    HERE("Ada"); /* what the job set was its own */
    EQUAL(weft_loop_run_in_executor(NULL, NULL, looks, name, &future), 0);
    be("Bob");
    EQUAL(weft_await(future), 0);
    SAME(name, "Ada"); /* as it was when the job was begun */
    EQUAL(weft_to_thread(looks, name), 0);
    SAME(name, "Bob");
    EQUAL(weft_loop_shutdown_default_executor(NULL, INFINITY), 0);
    EQUAL(values, 1);
}

WEFT_ASYNC(looks_in, (weft_executor *, executor), (char *, name))
{
    be("a task");
    return weft_to_thread_in(executor, looks, name);
}

IN_TASK(a_job_that_never_begins_lets_go_of_its_context)
{
    static char name[20];
    struct gate gate = GATE;
    weft_executor *executor = NULL;
    weft_future *first = NULL, *second = NULL, *third = NULL;
    weft_task *task;

    EQUAL(
        weft_executor_new(&(weft_executor_options){ .max_workers = 1, .max_queued = 3 }, &executor),
        0);
    EQUAL(weft_loop_run_in_executor(NULL, executor, job_at_gate, &gate, &first), 0);
    gate_await_came(&gate, 1);
    be("Ada");
    EQUAL(weft_loop_run_in_executor(NULL, executor, looks, name, &second), 0);
    EQUAL(weft_loop_run_in_executor(NULL, executor, looks, name, &third), 0);
    task = weft_create_task(looks_in(executor, name), NULL);
    weft_sleep(0);
    EQUAL(weft_to_thread_in(executor, looks, name), -EAGAIN);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED); /* withdrawn */
    EQUAL(weft_future_cancel(second), 0);
    EQUAL(weft_await(second), -ECANCELED); /* abandoned */
    EQUAL(weft_executor_shutdown(executor, false, true), 0);
    EQUAL(weft_await(third), -ECANCELED); /* taken back */
    EQUAL(weft_to_thread_in(executor, looks, name), -ESHUTDOWN);
    be("Bob");
    weft_sleep(0);
    EQUAL(values, 1); /* nobody is Ada any more */
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    weft_executor_free(executor);
}

/* From a thread into a loop. */

WEFT_ASYNC(looks_as_task, (char *, name))
{
    snprintf(name, 20, "%s", name_here());
    be("the coroutine");
    return weft_sleep(0);
}

static int asks(void *home)
{
    static char name[20];
    weft_thread_future *future = NULL;
    int status = -1;

    HERE("Ada");
    be("the thread");
    EQUAL(weft_run_coroutine_threadsafe(looks_as_task(name), home, &future), 0);
    EQUAL(weft_thread_future_wait(future, 60, &status), 0);
    weft_thread_future_free(future);
    EQUAL(status, 0);
    SAME(name, "the thread");
    HERE("the thread");
    return 0;
}

IN_TASK(a_coroutine_from_a_thread_copies_the_threads_context)
{
    be("Ada");
    EQUAL(weft_to_thread(asks, loop), 0);
    HERE("Ada");
    EQUAL(values, 1);
}

static void *asks_a_loop_that_closes(void *closing)
{
    static char name[20];
    weft_thread_future *future = NULL;

    be("a thread");
    EQUAL(weft_run_coroutine_threadsafe(looks_as_task(name), closing, &future), 0);
    EQUAL(weft_loop_close(closing), 0);
    EQUAL(weft_thread_future_wait(future, 60, NULL), 0);
    EQUAL(weft_thread_future_cancelled(future), true);
    weft_thread_future_free(future);
    EQUAL(weft_run_coroutine_threadsafe(looks_as_task(name), closing, &future), -EBADF);
    return NULL; /* and its own context goes with it */
}

ALONE(a_coroutine_that_never_begins_lets_go_of_its_context)
{
    in_thread(asks_a_loop_that_closes, open_loop());
    EQUAL(values, 0);
}

static CU_TestInfo tests[] = {
    TEST(a_job_runs_in_a_copy_of_its_callers_context),
    TEST(a_job_that_never_begins_lets_go_of_its_context),
    TEST(a_coroutine_from_a_thread_copies_the_threads_context),
    TEST(a_coroutine_that_never_begins_lets_go_of_its_context),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(context_jobs, tests)
