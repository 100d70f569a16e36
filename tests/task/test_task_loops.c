/* SPDX-License-Identifier: MIT
 * Tasks and futures of another loop: in the same thread, and in one that runs in another. */
#include "tests/task/task.h"

#include <math.h>
#include <pthread.h>

static weft_loop *other;
static weft_task *foreign;
static weft_future *foreign_future;

/* In one thread: the other loop does not run. */

IN_TASK(a_task_of_another_loop_cannot_be_awaited)
{
    int status = 77;
    void *value = &value;

    other = open_loop();
    foreign = weft_loop_create_task(other, gives(4), NULL);
    EQUAL(weft_await(weft_task_ref(foreign)), -EXDEV);
    EQUAL(weft_await_value(weft_task_ref(foreign), &value), -EXDEV);
    CHECK(value == &value);
    EQUAL(weft_await_status(weft_task_ref(foreign), &status), -EXDEV);
    EQUAL(status, 77);
    EQUAL(weft_await(foreign), -EXDEV);
    EQUAL(weft_loop_close(other), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

IN_LOOP(awaiting_another_loops_task_does_not_touch_it)
{
    other = open_loop();
    foreign = weft_loop_create_task(other, gives(4), NULL);
    EQUAL(run(awaits_task(foreign)), -EXDEV);
    EQUAL(run(foreign), -EXDEV);
    EQUAL(weft_loop_run_until_complete(other, foreign), 4); /* the hold is still there */
    EQUAL(weft_loop_run_until_complete(other, foreign), -ESRCH);
    EQUAL(weft_loop_close(other), 0);
}

IN_TASK(a_loop_of_this_thread_cannot_run_what_belongs_to_another_that_waits)
{
    other = open_loop();
    foreign = weft_loop_create_task(other, gives(4), NULL);
    EQUAL(weft_loop_run_until_complete(other, foreign), -EBUSY);
    EQUAL(weft_loop_run_forever(other), -EBUSY);
    EQUAL(weft_await(weft_loop_create_task(NULL, gives(1), NULL)), 1);
    EQUAL(weft_loop_close(other), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

IN_TASK(a_future_of_another_loop_cannot_be_awaited)
{
    int status = 77;
    void *value = &value;

    other = open_loop();
    EQUAL(weft_future_new(other, &foreign_future), 0);
    EQUAL(weft_await(weft_future_ref(foreign_future)), -EXDEV);
    EQUAL(weft_await_value(weft_future_ref(foreign_future), &value), -EXDEV);
    CHECK(value == &value);
    EQUAL(weft_await_status(weft_future_ref(foreign_future), &status), -EXDEV);
    EQUAL(status, 77);
    EQUAL(weft_loop_close(other), 0);
    EQUAL(weft_future_status(foreign_future), -ESRCH);
}

IN_LOOP(awaiting_another_loops_future_does_not_touch_it)
{
    other = open_loop();
    EQUAL(weft_future_new(other, &foreign_future), 0);
    EQUAL(run(awaits_future(foreign_future)), -EXDEV);
    EQUAL(run(foreign_future), -EXDEV);
    EQUAL(weft_future_set_result(foreign_future, NULL), 0);
    EQUAL(weft_loop_run_until_complete(other, foreign_future), 0);
    EQUAL(weft_future_status(foreign_future), -ESRCH);
    EQUAL(weft_loop_close(other), 0);
}

IN_LOOP(a_loop_runs_only_what_is_its_own)
{
    other = open_loop();
    foreign = weft_loop_create_task(other, gives(4), NULL);
    EQUAL(weft_future_new(other, &foreign_future), 0);
    EQUAL(weft_future_set_result(foreign_future, NULL), 0);
    EQUAL(run(weft_task_ref(foreign)), -EXDEV);
    EQUAL(run(weft_future_ref(foreign_future)), -EXDEV);
    EQUAL(weft_loop_run_until_complete(other, foreign), 4);
    EQUAL(weft_loop_close(other), 0);
}

WEFT_ASYNC(makes_and_prods)
{
    weft_task *task = weft_loop_create_task(other, sleeps(1e6), NULL);

    EQUAL(weft_task_status(task), -EINPROGRESS);
    EQUAL(weft_task_cancel(task), 0); /* nobody runs it: allowed */
    EQUAL(weft_all_tasks(other, NULL, 0), 1);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_loop_call_soon(other, NOTED("other"), NULL), 0);
    EQUAL(weft_task_set_name(task, "far"), 0);
    foreign = task;
    return 0;
}

IN_LOOP(a_loop_that_does_not_run_may_be_prodded_from_another)
{
    other = open_loop();
    EQUAL(run(makes_and_prods()), 0);
    EQUAL(weft_loop_run_until_complete(other, foreign), -ECANCELED);
    HAPPENED("other");
    EQUAL(weft_loop_close(other), 0);
}

/* In two threads. */

struct far_loop {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stage; /* 1: it runs and all is made; 2: it may end */
    int result;
    weft_loop *loop;
    weft_task *task;
    weft_future *future;
    weft_handle *soon, *later;
};

static struct far_loop far = { .lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER };

static void set_stage(int stage)
{
    pthread_mutex_lock(&far.lock);
    far.stage = stage;
    pthread_cond_broadcast(&far.changed);
    pthread_mutex_unlock(&far.lock);
}

static void await_stage(int stage)
{
    pthread_mutex_lock(&far.lock);
    while (far.stage < stage) {
        pthread_cond_wait(&far.changed, &far.lock);
    }
    pthread_mutex_unlock(&far.lock);
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Blocks its loop while the other thread looks: the loop runs, and nothing in it changes. */
WEFT_ASYNC(holds_still)
{
    int r = weft_future_new(NULL, &far.future);

    far.loop = weft_get_running_loop();
    far.task = weft_create_task(sleeps(0.001), NULL);
    r = r < 0 ? r : weft_loop_call_soon(NULL, nothing, NULL, &far.soon);
    r = r < 0 ? r : weft_loop_call_later(NULL, 0.001, nothing, NULL, &far.later);
    set_stage(1);
    await_stage(2);
    r = r < 0 ? r : weft_await(far.task);
    weft_handle_unref(far.soon);
    weft_handle_unref(far.later);
    if (r == 0) {
        r = weft_future_set_result(far.future, NULL);
    }
    return r < 0 ? r : weft_await(far.future);
}

static void *run_far(void *unused)
{
    weft_loop *made = NULL;

    far.result = weft_loop_new(backend(), &made);
    if (far.result == 0) {
        far.result = weft_loop_run_until_complete(made, holds_still());
        weft_loop_close(made);
    }
    return unused;
}

static void begin_far(void)
{
    far.stage = 0;
    EQUAL(pthread_create(&far.thread, NULL, run_far, NULL), 0);
    await_stage(1);
}

static void end_far(void)
{
    set_stage(2);
    pthread_join(far.thread, NULL);
    EQUAL(far.result, 0);
}

static void no_task_callback(weft_task *task, void *arg)
{
    (void)task, (void)arg;
}

static void no_future_callback(weft_future *future, void *arg)
{
    (void)future, (void)arg;
}

static void check_foreign_task(void)
{
    weft_frame frame;

    EQUAL(weft_task_cancel(far.task), -EXDEV);
    EQUAL(weft_task_uncancel(far.task), -EXDEV);
    EQUAL(weft_task_cancelling(far.task), -EXDEV);
    EQUAL(weft_task_status(far.task), -EXDEV);
    EQUAL(weft_task_result(far.task, NULL), -EXDEV);
    EQUAL(weft_task_detach(far.task), -EXDEV);
    EQUAL(weft_task_set_name(far.task, "x"), -EXDEV);
    EQUAL(weft_task_get_stack(far.task, &frame, 1), -EXDEV);
    EQUAL(weft_task_add_done_callback(far.task, no_task_callback, NULL), -EXDEV);
    EQUAL(weft_task_remove_done_callback(far.task, no_task_callback, NULL), -EXDEV);
    CHECK(weft_task_ref(far.task) == far.task);
    CHECK(weft_task_unref(far.task) == NULL);
}

static void check_foreign_future(void)
{
    EQUAL(weft_future_set_result(far.future, NULL), -EXDEV);
    EQUAL(weft_future_set_exception(far.future, -EIO), -EXDEV);
    EQUAL(weft_future_cancel(far.future), -EXDEV);
    EQUAL(weft_future_status(far.future), -EXDEV);
    EQUAL(weft_future_result(far.future, NULL), -EXDEV);
    EQUAL(weft_future_add_done_callback(far.future, no_future_callback, NULL), -EXDEV);
    EQUAL(weft_future_remove_done_callback(far.future, no_future_callback, NULL), -EXDEV);
    CHECK(weft_future_ref(far.future) == far.future);
    CHECK(weft_future_unref(far.future) == NULL);
}

static void check_foreign_loop(void)
{
    weft_future *future = NULL;
    weft_handle *handle = NULL;

    EQUAL(weft_handle_cancel(far.soon), -EXDEV);
    EQUAL(weft_handle_cancel(far.later), -EXDEV);
    CHECK(weft_handle_unref(far.soon) == NULL);
    EQUAL(weft_loop_close(far.loop), -EXDEV);
    EQUAL(weft_loop_run_forever(far.loop), -EXDEV);
    EQUAL(weft_loop_stop(far.loop), -EXDEV);
    EQUAL(weft_loop_call_soon(far.loop, nothing, NULL, &handle), -EXDEV);
    EQUAL(weft_loop_call_later(far.loop, 1, nothing, NULL, &handle), -EXDEV);
    EQUAL(weft_loop_call_at(far.loop, 1, nothing, NULL, &handle), -EXDEV);
    CHECK(handle == NULL);
    EQUAL(weft_loop_add_reader(far.loop, 0, nothing, NULL), -EXDEV);
    EQUAL(weft_loop_add_writer(far.loop, 0, nothing, NULL), -EXDEV);
    EQUAL(weft_loop_remove_reader(far.loop, 0), -EXDEV);
    EQUAL(weft_loop_remove_writer(far.loop, 0), -EXDEV);
    EQUAL(weft_loop_set_debug(far.loop, true), -EXDEV);
    EQUAL(weft_loop_set_exception_handler(far.loop, NULL, NULL), -EXDEV);
    EQUAL(weft_loop_call_exception_handler(
        far.loop, &(weft_report){ .size = sizeof(weft_report), .message = "x" }), -EXDEV);
    EQUAL(weft_all_tasks(far.loop, NULL, 0), -EXDEV);
    EQUAL(weft_future_new(far.loop, &future), -EXDEV);
    CHECK(future == NULL);
    EQUAL(weft_task_status(weft_loop_create_task(far.loop, gives(0), NULL)), -EXDEV);
    EQUAL(weft_loop_is_running(far.loop), true);
    EQUAL(weft_loop_is_closed(far.loop), false);
    SAME(weft_loop_backend_name(far.loop), backend_name());
    CHECK(!isnan(weft_loop_time(far.loop)));
}

ALONE(a_loop_that_runs_in_another_thread_is_not_ours)
{
    begin_far();
    check_foreign_task();
    check_foreign_future();
    check_foreign_loop();
    EQUAL(weft_await(far.task), -EPERM); /* and our hold, had we one, is not spent */
    EQUAL(weft_loop_run_until_complete(far.loop, far.task), -EXDEV);
    EQUAL(weft_loop_run_until_complete(far.loop, far.future), -EXDEV);
    EQUAL(weft_loop_run_until_complete(far.loop, gives(0)), -EXDEV);
    end_far();
}

IN_TASK(what_runs_in_another_thread_cannot_be_awaited)
{
    int drops = 0, status = 77;

    begin_far();
    EQUAL(weft_await(far.task), -EXDEV);
    EQUAL(weft_await_status(far.task, &status), -EXDEV);
    EQUAL(weft_await(far.future), -EXDEV);
    EQUAL(weft_await_status(far.future, &status), -EXDEV);
    EQUAL(status, 77);
    EQUAL(weft_await(weft_loop_create_task(
        far.loop, weft_coro_on_drop(gives(0), count_up, &drops), NULL)), -EXDEV);
    EQUAL(drops, 1);
    check_foreign_task();
    check_foreign_future();
    check_foreign_loop();
    end_far();
    EQUAL(weft_await(far.task), -ESRCH);
    EQUAL(weft_await(far.future), -ESRCH);
    EQUAL(weft_loop_stop(far.loop), -EBADF);
    EQUAL(weft_loop_is_closed(far.loop), true);
    EQUAL(weft_loop_is_running(far.loop), false);
}

static CU_TestInfo tests[] = {
    TEST(a_task_of_another_loop_cannot_be_awaited),
    TEST(awaiting_another_loops_task_does_not_touch_it),
    TEST(a_loop_of_this_thread_cannot_run_what_belongs_to_another_that_waits),
    TEST(a_future_of_another_loop_cannot_be_awaited),
    TEST(awaiting_another_loops_future_does_not_touch_it),
    TEST(a_loop_runs_only_what_is_its_own),
    TEST(a_loop_that_does_not_run_may_be_prodded_from_another),
    TEST(a_loop_that_runs_in_another_thread_is_not_ours),
    TEST(what_runs_in_another_thread_cannot_be_awaited),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_loops, tests)
