/* SPDX-License-Identifier: MIT
 * Context variables, while each allocation and system call fails once: each value is released, and
 * once, and callbacks are called or refused. */
#include "tests/task/fault.h"

#include <pthread.h>
#include <unistd.h>

/* A value is only counted. */
static const weft_context_var var = { .name = "var", .release = ended };
static const weft_context_var plain = { .name = "plain" };

static int set(weft_context_token *ret_token)
{
    begun();
    return tried(weft_context_var_set(&var, NULL, ret_token));
}

static void sets_and_resets(void *unused)
{
    weft_context_token first, second;
    int r, s;

    (void)unused;
    r = set(&first);
    s = set(&second);
    if (s == 0) {
        EQUAL(weft_context_var_reset(&var, &second), 0); /* needs no memory */
    } else {
        EQUAL(weft_context_var_reset(&var, &second), -ESRCH);
    }
    tried(weft_context_var_set(&plain, &first, NULL));
    if (r == 0 && tried(weft_context_var_reset(&var, &first)) < 0) {
        EQUAL(weft_context_var_reset(&var, &first), 0); /* it was not spent */
    }
    set(NULL);
    {
        WEFT_CONTEXT_VAR_SCOPE(&plain, NULL);
    }
}

static void *sets_in_a_thread(void *unused)
{
    sets_and_resets(unused);
    return NULL;
}

static int sets_outside(void)
{
    weft_context *context = NULL;
    pthread_t thread;

    if (pthread_create(&thread, NULL, sets_in_a_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    if (tried(weft_copy_context(&context)) < 0) {
        CHECK(context == NULL);
        return -ENOMEM;
    }
    EQUAL(weft_context_run(context, sets_and_resets, NULL), 0);
    weft_context_unref(context);
    return 0;
}

WEFT_ASYNC(sets_too)
{
    ended(NULL);
    sets_and_resets(NULL);
    return tried(weft_sleep(0));
}

static weft_coro *setting(void)
{
    begun();
    return weft_coro_on_drop(sets_too(), ended, NULL);
}

WEFT_ASYNC(uses_contexts)
{
    weft_context *context = NULL, *own = NULL;
    weft_task_options in_it = { .context = NULL };
    weft_task *task;

    set(NULL);
    tried(weft_context_new(&context));
    in_it.context = context;
    task = weft_create_task(setting(), &in_it);
    tried(weft_await(task));
    task = weft_create_task(setting(), NULL);
    if (tried(weft_task_get_context(task, &own)) == 0) {
        weft_context_unref(own);
    }
    tried(weft_await(task));
    tried(GATHER(WEFT_GATHER_RETURN_ERRORS, NULL, WEFT_AWAITABLE(setting()),
                 WEFT_AWAITABLE(setting())));
    tried(weft_await(setting()));
    weft_context_unref(context);
    return 0;
}

static int makes_contexts(void)
{
    return run_in_loop(uses_contexts());
}

static int runs_twice(void)
{
    weft_run_options options = { .backend = backend() };
    weft_runner runner;
    int r = tried(weft_runner_open(&runner, &options));

    if (r < 0) {
        return r;
    }
    tried(weft_loop_set_exception_handler(weft_runner_get_loop(&runner), keep_report, NULL));
    tried(weft_runner_run(&runner, setting()));
    tried(weft_runner_run(&runner, setting()));
    return tried(weft_runner_close(&runner));
}

/* Callbacks that carry one. */

static void future_done(weft_future *future, void *arg)
{
    (void)future;
    called(arg);
}

static void read_all(void *fd)
{
    char bytes[16];

    (void)!read(*(int *)fd, bytes, sizeof bytes);
}

static void count(int r)
{
    if (tried(r) == 0) {
        scheduled();
    }
}

static void use_pipe(void)
{
    int fds[2];

    if (!is_virtual() && pipe(fds) == 0) {
        int r = tried(weft_loop_add_reader(NULL, fds[0], read_all, &fds[0]));

        EQUAL(write(fds[1], "x", 1), 1);
        tried(weft_sleep(0.0001));
        EQUAL(weft_loop_remove_reader(NULL, fds[0]), r == 0);
        close(fds[0]);
        close(fds[1]);
    }
}

WEFT_ASYNC(uses_callbacks)
{
    weft_handle *handle = NULL;
    weft_future *future = NULL;

    set(NULL);
    for (int i = 0; i < 70; i++) { /* more than the first chunk of handles and timers */
        count(weft_loop_call_soon(NULL, called, NULL, NULL));
        count(weft_loop_call_later(NULL, 0, called, NULL, NULL));
        count(weft_loop_call_soon_threadsafe(NULL, called, NULL, NULL));
    }
    if (tried(weft_loop_call_later(NULL, 1e6, called, NULL, &handle)) == 0) {
        weft_handle_cancel(handle);
        weft_handle_unref(handle);
    }
    tried(weft_loop_call_later(NULL, 1e6, noted, (void *)"never", NULL));
    if (tried(weft_future_new(NULL, &future)) == 0) {
        count(weft_future_add_done_callback(future, future_done, NULL));
        EQUAL(weft_future_set_result(future, NULL), 0);
        tried(weft_await(future));
    }
    use_pipe();
    set(NULL);
    tried(weft_sleep(0.001));
    give_way(2);
    return 0;
}

static int carries(void)
{
    return run_in_loop(uses_callbacks());
}

EACH_FAULT_WHILE_IT(sets_outside)
EACH_FAULT_WHILE_IT(makes_contexts)
EACH_FAULT_WHILE_IT(runs_twice)
EACH_FAULT_WHILE_IT(carries)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_sets_outside),
    TEST(each_fault_while_it_makes_contexts),
    TEST(each_fault_while_it_runs_twice),
    TEST(each_fault_while_it_carries),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_context, tests)
