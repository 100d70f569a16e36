/* SPDX-License-Identifier: MIT
 * Loops: made and closed; several at a time, in several threads; what old handles say. */
#include "tests/task/task.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Made. */

ALONE(a_new_loop_is_there_and_does_not_run)
{
    weft_loop *made = NULL;

    EQUAL(weft_loop_new(backend(), &made), 0);
    CHECK(made != NULL);
    EQUAL(weft_loop_is_running(made), false);
    EQUAL(weft_loop_is_closed(made), false);
    EQUAL(weft_loop_get_debug(made), false);
    CHECK(weft_loop_get_exception_handler(made) == NULL);
    SAME(weft_loop_backend_name(made), backend_name());
    EQUAL(weft_all_tasks(made, NULL, 0), 0);
    EQUAL(weft_loop_close(made), 0);
    EQUAL(weft_loop_new(backend(), NULL), -EINVAL);
}

ALONE(a_name_that_is_unknown_is_told_with_those_there_are)
{
    weft_loop *made = NULL;

    EQUAL(weft_loop_new("nosuch", &made), -ENOENT);
    CHECK(made == NULL);
    CHECK(strstr(weft_error_detail(), "nosuch") != NULL);
    CHECK(strstr(weft_error_detail(), "epoll") != NULL);
    CHECK(strstr(weft_error_detail(), "poll") != NULL);
    CHECK(strstr(weft_error_detail(), "sim") != NULL);
    EQUAL(weft_loop_new("", &made), -ENOENT);
    EQUAL(weft_loop_new("epol", &made), -ENOENT);
    EQUAL(weft_loop_new("epolls", &made), -ENOENT);
    EQUAL(weft_loop_new("EPOLL", &made), -ENOENT);
    EQUAL(weft_loop_new(":sim", &made), -ENOENT);
    CHECK(made == NULL);
    weft_error_clear();
    SAME(weft_error_detail(), "");
}

ALONE(options_stand_behind_a_colon)
{
    weft_loop *made = NULL;

    EQUAL(weft_loop_new("sim:start=5", &made), 0);
    SAME(weft_loop_backend_name(made), "sim");
    CHECK(weft_loop_time(made) == 5);
    EQUAL(weft_loop_close(made), 0);
    made = NULL;
    EQUAL(weft_loop_new("sim:begin=5", &made), -EINVAL);
    CHECK(strstr(weft_error_detail(), "begin=5") != NULL);
    EQUAL(weft_loop_new("epoll:fast", &made), -EINVAL);
    CHECK(made == NULL);
}

ALONE(the_clock_is_the_systems_or_virtual)
{
    weft_loop *made = open_loop();
    struct timespec now;
    double first = weft_loop_time(made);

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (is_virtual()) {
        CHECK(first == 1000);
        CHECK(weft_loop_time(made) == first);
    } else {
        double real = (double)now.tv_sec + (double)now.tv_nsec / 1e9;

        CHECK(first <= real + 1e-6);
        CHECK(weft_loop_time(made) >= real - 1e-6);
    }
    EQUAL(weft_loop_close(made), 0);
}

/* Debug mode. */

ALONE(debug_mode_comes_from_the_environment)
{
    static const struct {
        const char *value;
        bool on;
    } cases[] = { { "1", true }, { "0", false }, { "", false }, { "on", true }, { "off", false } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_loop *made = NULL;

        setenv("WEFT_DEBUG", cases[i].value, 1);
        EQUAL(weft_loop_new(backend(), &made), 0);
        EQUAL(weft_loop_get_debug(made), cases[i].on);
        EQUAL(weft_loop_set_debug(made, true), 0);
        EQUAL(weft_loop_get_debug(made), true);
        EQUAL(weft_loop_set_debug(made, false), 0);
        EQUAL(weft_loop_get_debug(made), false);
        EQUAL(weft_loop_close(made), 0);
    }
    unsetenv("WEFT_DEBUG");
}

/* Closed. */

WEFT_ASYNC(closes, (weft_loop *, which), (int, expected))
{
    EQUAL(weft_loop_close(which), expected);
    return 0;
}

IN_LOOP(a_running_loop_cannot_be_closed)
{
    weft_loop *other = open_loop();

    EQUAL(run(closes(loop, -EBUSY)), 0);
    EQUAL(run(closes(other, 0)), 0); /* that one does not run */
    EQUAL(weft_loop_is_closed(other), true);
    EQUAL(weft_loop_is_closed(loop), false);
}

static void check_closed(weft_loop *closed)
{
    weft_future *future = NULL;
    weft_handle *handle = NULL;

    EQUAL(weft_loop_close(closed), -EBADF);
    EQUAL(weft_loop_run_forever(closed), -EBADF);
    EQUAL(weft_loop_run_until_complete(closed, gives(0)), -EBADF);
    EQUAL(weft_loop_stop(closed), -EBADF);
    EQUAL(weft_loop_is_running(closed), false);
    EQUAL(weft_loop_is_closed(closed), true);
    EQUAL(weft_loop_call_soon(closed, NOTED("x"), &handle), -EBADF);
    EQUAL(weft_loop_call_soon_threadsafe(closed, NOTED("x"), &handle), -EBADF);
    EQUAL(weft_loop_call_later(closed, 0, NOTED("x"), &handle), -EBADF);
    EQUAL(weft_loop_call_at(closed, 0, NOTED("x"), &handle), -EBADF);
    CHECK(handle == NULL);
    CHECK(isnan(weft_loop_time(closed)));
    EQUAL(weft_loop_add_reader(closed, 0, NOTED("x")), -EBADF);
    EQUAL(weft_loop_add_writer(closed, 0, NOTED("x")), -EBADF);
    EQUAL(weft_loop_remove_reader(closed, 0), -EBADF);
    EQUAL(weft_loop_remove_writer(closed, 0), -EBADF);
    CHECK(weft_loop_backend_name(closed) == NULL);
    EQUAL(weft_loop_set_debug(closed, true), -EBADF);
    EQUAL(weft_loop_get_debug(closed), false);
    EQUAL(weft_loop_set_exception_handler(closed, keep_report, NULL), -EBADF);
    CHECK(weft_loop_get_exception_handler(closed) == NULL);
    EQUAL(weft_loop_call_exception_handler(
        closed, &(weft_report){ .size = sizeof(weft_report), .message = "x" }), -EBADF);
    EQUAL(weft_future_new(closed, &future), -EBADF);
    CHECK(future == NULL);
    EQUAL(weft_all_tasks(closed, NULL, 0), -EBADF);
    EQUAL(weft_task_status(weft_loop_create_task(closed, gives(0), NULL)), -EBADF);
}

ALONE(a_closed_loop_is_ebadf_everywhere)
{
    weft_loop *made = open_loop();

    EQUAL(weft_loop_close(made), 0);
    check_closed(made);
}

ALONE(old_handles_stay_closed_when_the_memory_is_used_again)
{
    weft_loop *old[20];

    for (int i = 0; i < 20; i++) {
        weft_loop *made = open_loop();

        for (int j = 0; j < i; j++) {
            CHECK(old[j] != made);
            EQUAL(weft_loop_is_closed(old[j]), true);
        }
        if (i > 0) {
            check_closed(old[i - 1]);
            EQUAL(weft_loop_run_until_complete(made, gives(0)), 0);
        }
        old[i] = made;
        EQUAL(weft_loop_close(made), 0);
    }
    loop = open_loop();
    for (int j = 0; j < 20; j++) {
        EQUAL(weft_loop_stop(old[j]), -EBADF);
    }
    check_closed(old[0]);
    EQUAL(run(gives(3)), 3);
    close_loop();
}

static void nothing(void *unused)
{
    (void)unused;
}

WEFT_ASYNC(leaves_things)
{
    weft_handle *forgotten = NULL;
    int r = weft_loop_call_soon(NULL, nothing, NULL, &forgotten);

    r = r < 0 ? r : weft_loop_call_later(NULL, 100, nothing, NULL, NULL);
    r = r < 0 ? r : weft_loop_stop(NULL);
    return r < 0 ? r : weft_loop_call_soon_threadsafe(NULL, nothing, NULL, NULL);
}

ALONE(a_loop_in_used_memory_is_as_new)
{
    for (int i = 0; i < 3; i++) {
        weft_loop *made = NULL;

        EQUAL(weft_loop_new(backend(), &made), 0);
        CHECK(weft_loop_get_exception_handler(made) == NULL);
        EQUAL(weft_loop_get_debug(made), false);
        EQUAL(weft_loop_is_running(made), false);
        EQUAL(weft_all_tasks(made, NULL, 0), 0);
        EQUAL(weft_loop_run_until_complete(made, sleeps_then(0.0001, 4)), 4);
        EQUAL(weft_loop_set_exception_handler(made, keep_report, &made), 0);
        EQUAL(weft_loop_set_debug(made, true), 0);
        EQUAL(weft_loop_run_until_complete(made, leaves_things()), 0);
        EQUAL(weft_loop_stop(made), 0);
        EQUAL(weft_loop_close(made), 0);
    }
}

IN_LOOP(a_failed_handle_is_no_loop)
{
    weft_loop *strange = (weft_loop *)(uintptr_t)12;

    EQUAL(weft_loop_stop(strange), -EBADF);
    EQUAL(weft_loop_call_soon_threadsafe(strange, NOTED("x"), NULL), -EBADF);
    EQUAL(weft_loop_is_closed(strange), true);
}

/* Several. */

IN_LOOP(several_loops_in_one_thread_take_turns)
{
    enum { LOOPS = 5 };
    weft_loop *loops[LOOPS];
    weft_task *tasks[LOOPS];

    for (int i = 0; i < LOOPS; i++) {
        loops[i] = open_loop();
        tasks[i] = weft_loop_create_task(loops[i], sleeps_then(0.001, i), NULL);
    }
    for (int i = LOOPS - 1; i >= 0; i--) {
        EQUAL(weft_loop_run_until_complete(loops[i], tasks[i]), i);
    }
    for (int i = 0; i < LOOPS; i++) {
        EQUAL(weft_loop_run_until_complete(loops[i], gives(10 + i)), 10 + i);
        EQUAL(weft_loop_close(loops[i]), 0);
    }
}

WEFT_ASYNC(works, (int, seed))
{
    weft_task *tasks[50];
    int sum = 0;

    for (int i = 0; i < 50; i++) {
        tasks[i] = weft_create_task(sleeps_then((double)((seed + i) % 7) / 10000, i), NULL);
    }
    for (int i = 0; i < 50; i++) {
        sum += weft_await(tasks[i]);
    }
    return sum;
}

static void *work(void *arg)
{
    long wrong = 0;

    for (int round = 0; round < 20; round++) {
        weft_loop *mine = NULL;

        wrong += weft_loop_new(backend(), &mine) != 0;
        wrong += weft_loop_run_until_complete(mine, works(round)) != 49 * 50 / 2;
        wrong += weft_loop_close(mine) != 0;
    }
    *(long *)arg = wrong;
    weft_error_clear();
    return NULL;
}

ALONE(several_loops_in_several_threads)
{
    pthread_t threads[6];
    long wrong[6];

    for (int i = 0; i < 6; i++) {
        EQUAL(pthread_create(&threads[i], NULL, work, &wrong[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        EQUAL(wrong[i], 0);
    }
}

struct passed {
    weft_loop *loop;
    weft_task *task;
    int result;
};

static void *run_passed(void *arg)
{
    struct passed *passed = arg;

    passed->result = weft_loop_run_until_complete(passed->loop, passed->task);
    return NULL;
}

IN_LOOP(a_loop_may_be_run_in_one_thread_after_another)
{
    for (int i = 0; i < 4; i++) {
        struct passed passed = { loop, weft_loop_create_task(loop, works(i), NULL), -1 };

        in_thread(run_passed, &passed);
        EQUAL(passed.result, 49 * 50 / 2);
        EQUAL(run(works(i)), 49 * 50 / 2);
    }
}

static CU_TestInfo tests[] = {
    TEST(a_new_loop_is_there_and_does_not_run),
    TEST(a_name_that_is_unknown_is_told_with_those_there_are),
    TEST(options_stand_behind_a_colon),
    TEST(the_clock_is_the_systems_or_virtual),
    TEST(debug_mode_comes_from_the_environment),
    TEST(a_running_loop_cannot_be_closed),
    TEST(a_closed_loop_is_ebadf_everywhere),
    TEST(old_handles_stay_closed_when_the_memory_is_used_again),
    TEST(a_loop_in_used_memory_is_as_new),
    TEST(a_failed_handle_is_no_loop),
    TEST(several_loops_in_one_thread_take_turns),
    TEST(several_loops_in_several_threads),
    TEST(a_loop_may_be_run_in_one_thread_after_another),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(loop_life, tests)
