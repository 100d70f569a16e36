/* SPDX-License-Identifier: MIT
 * Loops, coroutines, tasks, time and scopes, while each allocation and system call fails once. */
#include "tests/task/fault.h"

static int opens_a_loop(void)
{
    weft_loop *made = NULL;
    int r = tried(weft_loop_new(backend(), &made));

    if (r < 0) {
        CHECK(made == NULL);
        return r;
    }
    return tried(weft_loop_close(made));
}

static int asks_for_no_backend(void)
{
    weft_loop *made = NULL;
    int r = weft_loop_new("nosuch", &made);

    /* The error goes out, with words or without; it may be that of looking into a directory. */
    CHECK(r < 0 && made == NULL);
    weft_err_name(-4000);
    weft_strerror(-ENOENT);
    return r == -ENOENT ? 0 : tried(r);
}

/* Coroutines. */

WEFT_ASYNC(uses_coroutines)
{
    weft_coro *closed = counted(0), *lost = counted_large(0);
    int r = tried(weft_await(counted(1)));

    tried(weft_await(counted_large(2)));
    tried(weft_coro_close(closed));
    for (int i = 0; i < 100; i++) {
        tried(weft_await(counted(i)));
    }
    (void)lost;
    return r < 0 ? r : 0;
}

static int awaits_coroutines(void)
{
    return run_in_loop(uses_coroutines());
}

/* Tasks. */

static void task_ended(weft_task *task, void *arg)
{
    weft_task_status(task);
    called(arg);
}

static void add_done_callback(weft_task *task)
{
    if (tried(weft_task_add_done_callback(task, task_ended, NULL)) == 0) {
        scheduled();
    }
}

WEFT_ASYNC(uses_tasks)
{
    weft_task_options named = { .name = "named" }, large = { .stack_size = 1 << 20 };
    weft_task_options eager = { .eager_start = true };
    weft_task *a = weft_create_task(counted(1), &named),
              *b = weft_create_task(counted_large(2), &large);
    weft_task *c = weft_create_task(counted(3), &eager), *d = weft_create_task(counted(4), NULL);

    add_done_callback(a);
    add_done_callback(b);
    if (weft_task_remove_done_callback(b, task_ended, NULL) > 0) {
        called(NULL);
    }
    tried(weft_await(weft_task_ref(a)));
    tried(weft_await(a));
    tried(weft_await(b));
    tried(weft_await(c));
    add_done_callback(d);
    tried(weft_task_detach(d));
    weft_sleep(0);
    return tried(weft_await(weft_create_task(counted_large(5), NULL))) < 0 ? -ENOMEM : 0;
}

static int makes_tasks(void)
{
    return run_in_loop(uses_tasks());
}

WEFT_ASYNC(uses_many_tasks)
{
    weft_task *tasks[100];

    for (int i = 0; i < 100; i++) {
        tasks[i] = weft_create_task(counted(i), NULL);
    }
    for (int i = 0; i < 100; i++) {
        tried(weft_await(tasks[i]));
    }
    return 0;
}

static int makes_many_tasks(void)
{
    return run_in_loop(uses_many_tasks());
}

WEFT_ASYNC(sleeps_and_is_cancelled)
{
    int r = weft_sleep(1000);

    return r == -ECANCELED ? 0 : r;
}

WEFT_ASYNC(cancels_tasks)
{
    weft_task *a = weft_create_task(sleeps_and_is_cancelled(), NULL);
    weft_task *b = weft_create_task(awaits_task(weft_task_ref(a)), NULL);

    weft_sleep(0);
    if (!weft_task_done(b)) {
        tried(weft_task_cancel(b));
    }
    tried(weft_await(b));
    if (!weft_task_done(a)) {
        weft_task_cancel(a);
    }
    tried(weft_await(a));
    return 0;
}

static int cancels(void)
{
    return run_in_loop(cancels_tasks());
}

/* Time. */

WEFT_ASYNC(uses_timers)
{
    weft_handle *handles[200] = { NULL };

    for (int i = 0; i < 200; i++) {
        double delay = (double)(i % 13) / 100000;

        if (tried(weft_loop_call_later(NULL, delay, called, NULL, &handles[i])) == 0) {
            scheduled();
        }
    }
    tried(weft_sleep(0.0001));
    for (int i = 0; i < 200; i += 3) {
        handles[i] = weft_handle_unref(handles[i]);
    }
    tried(weft_sleep(0.001));
    for (int i = 0; i < 200; i++) {
        weft_handle_unref(handles[i]);
    }
    weft_sleep(0.001);
    return 0;
}

static int sets_timers(void)
{
    return run_in_loop(uses_timers());
}

WEFT_ASYNC(cancels_timers)
{
    weft_handle *handles[200] = { NULL };

    for (int i = 0; i < 200; i++) {
        tried(weft_loop_call_at(NULL, 1e6 + i, noted, (void *)"never", &handles[i]));
    }
    for (int i = 0; i < 200; i++) {
        weft_handle_cancel(handles[i]); /* shrinks the heap, or cannot */
        weft_handle_unref(handles[i]);
    }
    tried(weft_sleep(0.0001));
    return 0;
}

static int takes_timers_back(void)
{
    return run_in_loop(cancels_timers());
}

WEFT_ASYNC(uses_scopes)
{
    weft_timeout outer, inner;
    int r = weft_timeout_enter(&outer, 1000), s = weft_timeout_enter(&inner, 1000);

    if (tried(r) == 0 && tried(s) == 0) {
        EQUAL(weft_timeout_exit(&inner, weft_sleep(-1)), 0);
        r = tried(weft_timeout_reschedule(&outer, weft_loop_time(NULL) + 0.001));
        r = r == 0 ? weft_sleep(500) : r;
        tried(r == -ECANCELED ? 0 : r);
        if (r == -ECANCELED && !weft_task_cancelling(weft_current_task())) {
            EQUAL(weft_timeout_exit(&outer, r), -ETIMEDOUT);
        } else {
            EQUAL(weft_timeout_exit(&outer, r), r);
        }
        return 0;
    }
    EQUAL(weft_timeout_exit(&inner, 0), s);
    EQUAL(weft_timeout_exit(&outer, 0), r);
    {
        WEFT_TIMEOUT_SCOPE(1000);
        tried(weft_sleep(0));
    }
    return 0;
}

static int enters_scopes(void)
{
    return run_in_loop(uses_scopes());
}

EACH_FAULT_WHILE_IT(opens_a_loop)
EACH_FAULT_WHILE_IT(asks_for_no_backend)
EACH_FAULT_WHILE_IT(awaits_coroutines)
EACH_FAULT_WHILE_IT(makes_tasks)
EACH_FAULT_WHILE_IT(makes_many_tasks)
EACH_FAULT_WHILE_IT(cancels)
EACH_FAULT_WHILE_IT(sets_timers)
EACH_FAULT_WHILE_IT(takes_timers_back)
EACH_FAULT_WHILE_IT(enters_scopes)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_opens_a_loop),
    TEST(each_fault_while_it_asks_for_no_backend),
    TEST(each_fault_while_it_awaits_coroutines),
    TEST(each_fault_while_it_makes_tasks),
    TEST(each_fault_while_it_makes_many_tasks),
    TEST(each_fault_while_it_cancels),
    TEST(each_fault_while_it_sets_timers),
    TEST(each_fault_while_it_takes_timers_back),
    TEST(each_fault_while_it_enters_scopes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault, tests)
