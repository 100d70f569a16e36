/* SPDX-License-Identifier: MIT
 * fork(2): the parent's loops are not the child's, which can have its own. */
#include "tests/task/task.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static weft_task *task;
static weft_future *future;
static weft_handle *handle;

static void nothing(void *unused)
{
    (void)unused;
}

/* In the child: what every call on a loop of the parent says. */
static void check_inherited(void)
{
    weft_future *made = NULL;
    weft_handle *scheduled = NULL;
    int drops = 0;
    weft_report report = { .size = sizeof report, .message = "x" };

    EQUAL(weft_loop_call_soon(loop, nothing, NULL, &scheduled), -ECHILD);
    EQUAL(weft_loop_call_soon_threadsafe(loop, nothing, NULL, &scheduled), -ECHILD);
    EQUAL(weft_loop_call_later(loop, 1, nothing, NULL, &scheduled), -ECHILD);
    EQUAL(weft_loop_call_at(loop, 1, nothing, NULL, &scheduled), -ECHILD);
    CHECK(scheduled == NULL);
    EQUAL(weft_loop_add_reader(loop, 0, nothing, NULL), -ECHILD);
    EQUAL(weft_loop_add_writer(loop, 0, nothing, NULL), -ECHILD);
    EQUAL(weft_loop_remove_reader(loop, 0), -ECHILD);
    EQUAL(weft_loop_remove_writer(loop, 0), -ECHILD);
    EQUAL(weft_loop_add_signal_handler(loop, 10, nothing, NULL), -ECHILD);
    EQUAL(weft_loop_remove_signal_handler(loop, 10), -ECHILD);
    EQUAL(weft_loop_run_forever(loop), -ECHILD);
    EQUAL(weft_loop_run_until_complete(loop, weft_coro_on_drop(gives(0), count_up, &drops)),
          -ECHILD);
    EQUAL(drops, 1);
    EQUAL(weft_loop_stop(loop), -ECHILD);
    EQUAL(weft_loop_close(loop), -ECHILD);
    EQUAL(weft_loop_is_running(loop), false);
    EQUAL(weft_loop_set_debug(loop, true), -ECHILD);
    EQUAL(weft_loop_set_exception_handler(loop, NULL, NULL), -ECHILD);
    EQUAL(weft_loop_call_exception_handler(loop, &report), -ECHILD);
    EQUAL(weft_all_tasks(loop, NULL, 0), -ECHILD);
    EQUAL(weft_future_new(loop, &made), -ECHILD);
    CHECK(made == NULL);
    EQUAL(weft_task_status(weft_loop_create_task(loop, gives(0), NULL)), -ECHILD);
    CHECK(weft_get_running_loop() == NULL);
    CHECK(weft_current_task() == NULL);
}

/* In the child: a loop of its own. */
static void check_own_loop(void)
{
    weft_loop *own = NULL;

    EQUAL(weft_run(sleeps_then(0.001, 5), &(weft_run_options){ .backend = backend() }), 5);
    EQUAL(weft_loop_new(backend(), &own), 0);
    EQUAL(weft_loop_run_until_complete(own, sleeps_then(0.001, 6)), 6);
    EQUAL(weft_loop_close(own), 0);
    check_inherited(); /* that has not changed it */
}

static int child_of_idle_loop(void)
{
    check_inherited();
    check_own_loop();
    return 7;
}

IN_LOOP(a_loop_that_does_not_run_stays_the_parents)
{
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(in_child(child_of_idle_loop, NULL, 0), 7 << 8);
    EQUAL(run(sleeps_then(0.001, 2)), 2);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("parent"), NULL), 0);
    EQUAL(run(sleeps(0.001)), 0);
    HAPPENED("parent");
}

/* In a task. */

static int child_of_task(void)
{
    weft_timeout scope;
    void *value = &value;
    int status = 77, drops = 0;

    check_inherited();
    EQUAL(weft_sleep(0), -ECHILD);
    EQUAL(weft_sleep(1), -ECHILD);
    EQUAL(weft_await(weft_coro_on_drop(gives(0), count_up, &drops)), -ECHILD);
    EQUAL(drops, 1);
    EQUAL(weft_await(weft_task_ref(task)), -ECHILD);
    EQUAL(weft_await_value(weft_task_ref(task), &value), -ECHILD);
    CHECK(value == &value);
    EQUAL(weft_await_status(weft_future_ref(future), &status), -ECHILD);
    EQUAL(status, 77);
    EQUAL(weft_await(weft_future_ref(future)), -ECHILD);
    EQUAL(weft_timeout_enter(&scope, 1), -ECHILD);
    EQUAL(weft_timeout_exit(&scope, 0), -ECHILD);
    EQUAL(weft_return(NULL), -ECHILD);
    EQUAL(weft_loop_stop(NULL), -ECHILD);
    EQUAL(weft_task_status(weft_create_task(gives(0), NULL)), -ECHILD);
    check_own_loop();
    EQUAL(weft_sleep(0), -ECHILD); /* still in the parent's task */
    return 7;
}

IN_TASK(a_child_that_is_forked_in_a_task)
{
    int reads = 0, fds[2];
    char c;

    EQUAL(pipe(fds), 0);
    if (!is_virtual()) {
        EQUAL(weft_loop_add_reader(NULL, fds[0], count_up, &reads), 0);
    }
    task = weft_create_task(sleeps_then(0.002, 8), NULL);
    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_loop_call_later(NULL, 0.002, NOTED("timer"), &handle), 0);
    weft_sleep(0);

    EQUAL(in_child(child_of_task, NULL, 0), 7 << 8);

    /* The parent's timers, descriptors, tasks and futures are as they were. */
    EQUAL(weft_await(task), 8);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(future), 0);
    EQUAL(weft_sleep(0.004), 0);
    HAPPENED("timer");
    weft_handle_unref(handle);
    if (!is_virtual()) {
        EQUAL(reads, 0);
        EQUAL(write(fds[1], "x", 1), 1);
        EQUAL(weft_sleep(0.002), 0);
        CHECK(reads > 0);
        EQUAL(read(fds[0], &c, 1), 1);
        EQUAL(weft_loop_remove_reader(NULL, fds[0]), 1);
    }
    close(fds[0]);
    close(fds[1]);
}

/* In the child of a task: every call on the parent's objects. */
static void note_task_done(weft_task *t, void *arg)
{
    (void)t, (void)arg;
}

static void note_future_done(weft_future *f, void *arg)
{
    (void)f, (void)arg;
}

static int child_with_objects(void)
{
    EQUAL(weft_task_cancel(task), -ECHILD);
    EQUAL(weft_task_uncancel(task), -ECHILD);
    EQUAL(weft_task_detach(task), -ECHILD);
    EQUAL(weft_task_status(task), -ECHILD);
    EQUAL(weft_task_result(task, NULL), -ECHILD);
    EQUAL(weft_task_add_done_callback(task, note_task_done, NULL), -ECHILD);
    EQUAL(weft_future_set_result(future, NULL), -ECHILD);
    EQUAL(weft_future_set_exception(future, -EIO), -ECHILD);
    EQUAL(weft_future_cancel(future), -ECHILD);
    EQUAL(weft_future_status(future), -ECHILD);
    EQUAL(weft_future_add_done_callback(future, note_future_done, NULL), -ECHILD);
    EQUAL(weft_handle_cancel(handle), -ECHILD);
    CHECK(weft_task_unref(task) == NULL);
    CHECK(weft_future_unref(future) == NULL);
    CHECK(weft_handle_unref(handle) == NULL);
    return 7;
}

IN_TASK(the_parents_objects_are_the_parents)
{
    task = weft_create_task(sleeps_then(0.001, 8), NULL);
    EQUAL(weft_future_new(NULL, &future), 0);
    EQUAL(weft_loop_call_later(NULL, 1e6, nothing, NULL, &handle), 0);
    EQUAL(in_child(child_with_objects, NULL, 0), 7 << 8);
    EQUAL(weft_await(task), 8);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(weft_await(future), 0);
    EQUAL(weft_handle_cancel(handle), 0);
    weft_handle_unref(handle);
}

/* From a callback, and from another thread while the loop runs. */

static int callback_child_status;

static int child_of_callback(void)
{
    check_inherited();
    EQUAL(weft_sleep(0), -EPERM);
    check_own_loop();
    return 7;
}

static void fork_in_callback(void *unused)
{
    (void)unused;
    callback_child_status = in_child(child_of_callback, NULL, 0);
}

IN_TASK(a_child_that_is_forked_in_a_callback)
{
    EQUAL(weft_loop_call_soon(NULL, fork_in_callback, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(callback_child_status, 7 << 8);
    EQUAL(weft_sleep(0.001), 0);
}

static weft_loop *mine;
static atomic_bool runs;

static void tell(void *unused)
{
    (void)unused;
    atomic_store(&runs, true);
}

static void *run_mine(void *unused)
{
    EQUAL(weft_loop_run_forever(mine), 0);
    return unused;
}

ALONE(a_loop_that_runs_in_another_thread_stays_the_parents)
{
    pthread_t thread;

    if (is_virtual()) {
        return; /* it would not wait for us */
    }
    atomic_store(&runs, false);
    mine = loop = open_loop();
    EQUAL(weft_loop_call_soon(mine, tell, NULL, NULL), 0);
    EQUAL(pthread_create(&thread, NULL, run_mine, NULL), 0);
    while (!atomic_load(&runs)) {
        sched_yield();
    }
    EQUAL(in_child(child_of_idle_loop, NULL, 0), 7 << 8);
    EQUAL(weft_loop_call_soon_threadsafe(mine, stop_loop, NULL, NULL), 0);
    pthread_join(thread, NULL);
    close_loop();
}

/* Children of children. */

static int grandchild(void)
{
    check_inherited();
    check_own_loop();
    return 9;
}

static int child_with_a_child(void)
{
    weft_loop *parents = loop;

    EQUAL(weft_loop_new(backend(), &loop), 0);
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(in_child(grandchild, NULL, 0), 9 << 8);
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(weft_loop_close(loop), 0);
    loop = parents;
    check_inherited();
    return 7;
}

IN_LOOP(a_child_has_children)
{
    EQUAL(in_child(child_with_a_child, NULL, 0), 7 << 8);
    EQUAL(run(sleeps(0.001)), 0);
}

/* Whatever the parent's other threads are doing. */

static atomic_bool enough;

static void *runs_and_runs(void *unused)
{
    (void)unused;
    while (!enough) {
        weft_run(gives(0), &(weft_run_options){ .backend = backend() });
    }
    return NULL;
}

/* GLib has a lock of its own, which a thread of the parent may have held: after a fork it is only
 * for programs with one thread.  Ours are open beside it. */
static int runs_in_a_child(void)
{
    const char *name = strncmp(backend(), "glib", 4) == 0 ? "poll" : backend();

    return weft_run(sleeps_then(0.0001, 5), &(weft_run_options){ .backend = name });
}

ALONE(a_fork_at_any_moment_leaves_the_child_free)
{
    pthread_t thread;

#if WEFT__TSAN || WEFT__ASAN
    return; /* their runtimes have locks of their own, which a fork does not open */
#endif
    enough = false;
    pthread_create(&thread, NULL, runs_and_runs, NULL);
    for (int i = 0; i < many(100); i++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            alarm(20); /* if it finds something locked for ever */
            _exit(runs_in_a_child());
        }
        waitpid(child, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    }
    enough = true;
    pthread_join(thread, NULL);
}

static CU_TestInfo tests[] = {
    TEST(a_loop_that_does_not_run_stays_the_parents),
    TEST(a_child_that_is_forked_in_a_task),
    TEST(the_parents_objects_are_the_parents),
    TEST(a_child_that_is_forked_in_a_callback),
    TEST(a_loop_that_runs_in_another_thread_stays_the_parents),
    TEST(a_child_has_children),
    TEST(a_fork_at_any_moment_leaves_the_child_free),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fork, tests)
