/* SPDX-License-Identifier: MIT
 * Life inside a loop that is the program's, told alike for libev and GLib.  The program that
 * includes this supplies the host, and adds what only that one does. */
#ifndef TESTS_HOST_ATTACH_H
#define TESTS_HOST_ATTACH_H

#include "tests/task/fault.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The host: one at a time, made anew for each test. */
static void host_open(void);
static void *host_loop(void);
static void host_run(void);  /* until host_quit() */
static void host_quit(void); /* the innermost run */
static void host_look(void); /* one iteration that does not block */
static void host_after(int milliseconds, weft_callback *callback, void *arg); /* once */
static void host_close(void); /* and looks whether it is as it was */

static void (*attached)(void);

static void with_host(void)
{
    host_open();
    if (EQUAL(weft_loop_attach(backend(), host_loop(), &loop), 0)) {
        EQUAL(weft_loop_set_exception_handler(loop, keep_report, NULL), 0);
        attached();
        if (!weft_loop_is_closed(loop)) {
            EQUAL(weft_loop_close(loop), 0);
        }
    }
    host_close();
}

static void test_attached(void (*body)(void))
{
    attached = body;
    test_alone(with_host);
}

#define ATTACHED(name) WEFT__TEST(name, test_attached)

static void quit_host(weft_task *task, void *arg)
{
    (void)task, (void)arg;
    host_quit();
}

static int run_task(weft_task *task)
{
    int r;

    EQUAL(weft_task_add_done_callback(task, quit_host, NULL), 0);
    host_run();
    CHECK(weft_task_done(task));
    r = weft_task_status(task);
    weft_task_unref(task);
    return r;
}

/* Runs the host until the coroutine has ended. */
static int run_coro(weft_coro *coro)
{
    return run_task(weft_loop_create_task(loop, coro, NULL));
}

static void close_attached(void)
{
    EQUAL(weft_loop_close(loop), 0);
}

#include "tests/host/scenes.h"

static void note_and_quit(void *word)
{
    note(word);
    host_quit();
}

/* Tasks and the host beside each other. */

static void tick(void *future)
{
    note("tick");
    EQUAL(weft_future_set_result(future, NULL), 0);
}

WEFT_ASYNC(steps)
{
    for (int i = 0; i < 3; i++) {
        weft_future *future = new_future();

        host_after(1, tick, future);
        EQUAL(weft_await(future), 0);
        note("step");
        EQUAL(weft_sleep(0.001), 0);
    }
    return 5;
}

ATTACHED(tasks_run_between_the_hosts_own_work)
{
    EQUAL(run_coro(steps()), 5);
    HAPPENED("tick step tick step tick step");
}

/* Debug mode does not say that nothing can happen: the host can make it. */
ATTACHED(what_the_host_will_do_is_no_deadlock)
{
    EQUAL(weft_debug_set(loop, "deadlock"), 0);
    EQUAL(run_coro(steps()), 5);
    HAPPENED("tick step tick step tick step");
}

static void make_ready(void *unused)
{
    (void)unused;
    CHECK(!weft_get_running_loop());
    EQUAL(weft_task_detach(weft_loop_create_task(loop, notes("task"), NULL)), 0);
    EQUAL(weft_loop_call_later(loop, 0.001, note_and_quit, (void *)"later", NULL), 0);
    note("callback");
}

ATTACHED(what_a_host_callback_makes_ready_has_its_turn_soon)
{
    host_after(1, make_ready, NULL);
    host_run();
    HAPPENED("callback task later");
}

static void cancel_it(void *task)
{
    EQUAL(weft_task_cancel(task), 0);
}

ATTACHED(a_host_callback_cancels_a_task)
{
    weft_task *task = weft_loop_create_task(loop, sleeps(1e6), NULL);

    host_after(2, cancel_it, task);
    EQUAL(run_task(task), -ECANCELED);
}

static void go_on(void *stop)
{
    if (!*(bool *)stop) {
        EQUAL(weft_loop_call_soon(NULL, go_on, stop, NULL), 0);
    }
}

static void end_it(void *stop)
{
    *(bool *)stop = true;
    host_quit();
}

ATTACHED(a_busy_loop_does_not_starve_the_host)
{
    bool stop = false;

    EQUAL(weft_loop_call_soon(loop, go_on, &stop, NULL), 0);
    host_after(5, end_it, &stop);
    host_run();
    CHECK(stop);
    host_look();
}

static void *post(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), -EXDEV);
    EQUAL(weft_loop_close(loop), -EXDEV);
    EQUAL(weft_loop_call_soon_threadsafe(loop, note_and_quit, (void *)"posted", NULL), 0);
    return NULL;
}

static void post_in_thread(void *unused)
{
    (void)unused;
    in_thread(post, NULL);
}

ATTACHED(other_threads_have_one_door)
{
    host_after(1, post_in_thread, NULL);
    host_run();
    HAPPENED("posted");
}

WEFT_ASYNC(closes_what_it_watches, (int, source))
{
    int fd = dup(source), told = 0;

    (void)!weft_loop_add_reader(NULL, fd, count_up, &told);
    close(fd); /* a mistake, but none to die of */
    EQUAL(weft_sleep(0.002), 0);
    weft_loop_remove_reader(NULL, fd);
    return 0;
}

ATTACHED(a_descriptor_that_was_closed_too_early_does_not_end_the_process)
{
    int fds[2];

    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    EQUAL(run_coro(closes_what_it_watches(fds[0])), 0);
    EQUAL(run_coro(closes_what_it_watches(fds[0])), 0);
    close(fds[0]);
    close(fds[1]);
}

/* Who may do what. */

WEFT_ASYNC(tries_what_is_the_hosts)
{
    CHECK(weft_get_running_loop() == loop);
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_stop(NULL), -EOPNOTSUPP);
    EQUAL(weft_loop_close(loop), -EBUSY);
    CHECK(weft_loop_native(NULL) == host_loop());
    SAME(weft_loop_backend_mode(NULL), strchr(backend(), ':') + 1);
    return 0;
}

ATTACHED(the_host_alone_runs_it)
{
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    EQUAL(weft_loop_stop(loop), -EOPNOTSUPP);
    EQUAL(run_coro(tries_what_is_the_hosts()), 0);
    CHECK(!weft_get_running_loop());
}

ATTACHED(several_loops_live_in_one_host)
{
    weft_loop *second = NULL;
    weft_task *task;

    EQUAL(weft_loop_attach(backend(), host_loop(), &second), 0);
    task = weft_loop_create_task(second, sleeps_then(0.001, 8), NULL);
    EQUAL(run_coro(sleeps_then(0.01, 9)), 9);
    EQUAL(weft_task_status(task), 8);
    weft_task_unref(task);
    EQUAL(weft_loop_close(second), 0);
    EQUAL(run_coro(sleeps_then(0.001, 7)), 7);
}

static void close_in_callback(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_close(loop), 0);
    note("closed");
    host_after(2, note_and_quit, (void *)"quit");
}

static void end_soon(void *unused)
{
    (void)unused;
    note("later");
    host_after(1, close_in_callback, NULL);
}

ATTACHED(it_can_be_closed_while_the_host_runs)
{
    EQUAL(weft_loop_call_later(loop, 0.001, end_soon, NULL, NULL), 0);
    EQUAL(weft_loop_call_later(loop, 1e6, NOTED("never"), NULL), 0);
    host_run();
    HAPPENED("later closed quit");
}

/* A host within the host. */

WEFT_ASYNC(works_meanwhile)
{
    EQUAL(weft_sleep(0.002), 0);
    note("meanwhile");
    return 0;
}

WEFT_ASYNC(asks_the_user)
{
    weft_task *other = weft_create_task(works_meanwhile(), NULL);

    note("dialog");
    EQUAL(weft_task_add_done_callback(other, quit_host, NULL), 0);
    host_run();
    note("answered");
    EQUAL(weft_await(other), 0);
    return 6;
}

ATTACHED(a_task_may_run_the_host_again)
{
    EQUAL(run_coro(asks_the_user()), 6);
    HAPPENED("dialog meanwhile answered");
}

/* Nothing but the turn itself could end the inner run. */
WEFT_ASYNC(waits_for_another)
{
    for (int i = 0; i < 3; i++) {
        weft_task *other = weft_create_task(notes("ready"), NULL);

        EQUAL(weft_task_add_done_callback(other, quit_host, NULL), 0);
        host_run();
        EQUAL(weft_await(other), 0);
        note("back");
    }
    return 0;
}

ATTACHED(what_is_ready_before_the_host_runs_again_has_its_turn)
{
    EQUAL(run_coro(waits_for_another()), 0);
    HAPPENED("ready back ready back ready back");
}

WEFT_ASYNC(runs_deep, (int, depth))
{
    weft_task *inner;

    if (depth == 0) {
        EQUAL(weft_sleep(0.001), 0);
        return 0;
    }
    inner = weft_create_task(runs_deep(depth - 1), NULL);
    EQUAL(weft_task_add_done_callback(inner, quit_host, NULL), 0);
    host_run();
    CHECK(weft_task_done(inner));
    return weft_await(inner) + 1;
}

ATTACHED(tasks_within_tasks_may_run_the_host)
{
    EQUAL(run_coro(runs_deep(8)), 8);
}

/* Each call fails once. */

static int lives_in_a_host(void)
{
    weft_loop *made = NULL;
    weft_task *task;
    int r;

    host_open();
    r = tried(weft_loop_attach(backend(), host_loop(), &made));
    if (r == 0) {
        task = weft_loop_create_task(made, counted(3), NULL);
        tried(weft_loop_call_later(made, 0.0002, NOTED(""), NULL));
        for (int i = 0; i < 100 && !weft_task_done(task); i++) {
            host_look();
        }
        tried(weft_task_status(task));
        weft_task_unref(task);
        EQUAL(weft_loop_close(made), 0);
    }
    host_close();
    return r;
}

EACH_FAULT_WHILE_IT(lives_in_a_host)

/* Among some tries at least one is not disturbed by what else the machine has to do. */
WEFT_ASYNC(sleeps_shortly)
{
    double best = 1;

    for (int i = 0; i < 60; i++) {
        double began = weft_loop_time(NULL), took;

        EQUAL(weft_sleep(0.0002), 0);
        took = weft_loop_time(NULL) - began;
        CHECK(took >= 0.0002);
        best = took < best ? took : best;
    }
    CHECK(best < 0.0006);
    return 0;
}

ATTACHED(a_short_sleep_is_short_in_a_host)
{
    EQUAL(run_coro(sleeps_shortly()), 0);
}

IN_TASK(a_short_sleep_is_short_on_our_own_loop)
{
    EQUAL(weft_await(sleeps_shortly()), 0);
}

#define ATTACH_TESTS                                                         \
    TEST(tasks_run_between_the_hosts_own_work),                              \
        TEST(what_the_host_will_do_is_no_deadlock),                          \
        TEST(what_a_host_callback_makes_ready_has_its_turn_soon),            \
        TEST(a_host_callback_cancels_a_task),                                \
        TEST(a_busy_loop_does_not_starve_the_host),                          \
        TEST(other_threads_have_one_door),                                   \
        TEST(descriptors_are_watched_and_stay_as_they_are),                  \
        TEST(a_descriptor_that_was_closed_too_early_does_not_end_the_process), \
        TEST(the_host_alone_runs_it),                                        \
        TEST(several_loops_live_in_one_host),                                \
        TEST(a_forked_child_leaves_it_alone),                                \
        TEST(it_can_be_closed_while_the_host_runs),                          \
        TEST(signals_are_as_they_were),                                      \
        TEST(a_task_may_run_the_host_again),                                 \
        TEST(what_is_ready_before_the_host_runs_again_has_its_turn),         \
        TEST(tasks_within_tasks_may_run_the_host),                           \
        TEST(each_fault_while_it_lives_in_a_host),                           \
        TEST(a_short_sleep_is_short_in_a_host),                              \
        TEST(a_short_sleep_is_short_on_our_own_loop)

#endif
