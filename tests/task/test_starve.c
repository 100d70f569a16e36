/* SPDX-License-Identifier: MIT
 * Nobody starves: whoever is always ready leaves room for timers, descriptors and other threads. */
#include "core/sched/loop.h"
#include "tests/task/task.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define LIMIT 2000000 /* turns after which somebody has starved */

static bool served; /* what the greedy ones wait for */
static long turns;
static atomic_bool comes = true; /* false: a thread is still on its way, and turns do not count */

/* A greedy one has another turn: whether it should. */
static bool goes_on(void)
{
    turns += atomic_load(&comes);
    return !served && turns < LIMIT;
}

static void serve(void *unused)
{
    (void)unused;
    served = true;
}

/* The greedy ones. */

static void reschedule(void *unused)
{
    if (goes_on()) {
        EQUAL(weft_loop_call_soon(NULL, reschedule, unused, NULL), 0);
    }
}

WEFT_ASYNC(yields_only)
{
    while (goes_on()) {
        weft_sleep(0);
    }
    return 0;
}

WEFT_ASYNC(awaits_done_things_only)
{
    while (goes_on()) {
        weft_future *future = NULL;

        EQUAL(weft_future_new(NULL, &future), 0);
        EQUAL(weft_future_set_result(future, NULL), 0);
        EQUAL(weft_await(future), 0);
    }
    return 0;
}

WEFT_ASYNC(awaits_done_tasks_only)
{
    static const weft_task_options eager = { .eager_start = true };

    while (goes_on()) {
        EQUAL(weft_await(weft_create_task(gives(0), &eager)), 0);
    }
    return 0;
}

WEFT_ASYNC(makes_tasks_only)
{
    while (goes_on()) {
        EQUAL(weft_await(weft_create_task(gives(0), NULL)), 0);
    }
    return 0;
}

WEFT_ASYNC(is_cancelled_and_looks_away)
{
    EQUAL(weft_task_cancel(weft_current_task()), 0);
    while (goes_on()) {
        weft_sleep(1);
    }
    return 0;
}

enum greed { CALLBACK, YIELD, DONE_FUTURES, DONE_TASKS, TASKS, CANCELLED, GREEDS };

/* Returns when it was served: at the end of LIMIT turns at the latest. */
static void be_greedy(enum greed greed)
{
    turns = 0;
    switch (greed) {
    case CALLBACK:
        reschedule(NULL);
        while (!served && turns < LIMIT) {
            weft_sleep(0);
        }
        weft_sleep(0);
        break;
    case YIELD: EQUAL(weft_await(yields_only()), 0); break;
    case DONE_FUTURES: EQUAL(weft_await(awaits_done_things_only()), 0); break;
    case DONE_TASKS: EQUAL(weft_await(awaits_done_tasks_only()), 0); break;
    case TASKS: EQUAL(weft_await(makes_tasks_only()), 0); break;
    default: EQUAL(weft_await(weft_create_task(is_cancelled_and_looks_away(), NULL)), 0);
    }
    CHECK(served);
    CHECK(turns < LIMIT);
    served = false;
}

IN_TASK(a_timer_that_is_due_comes)
{
    for (enum greed greed = CALLBACK; greed < GREEDS; greed++) {
        EQUAL(weft_loop_call_later(NULL, 0, serve, NULL, NULL), 0);
        be_greedy(greed);
    }
}

IN_TASK(a_timer_that_becomes_due_comes)
{
    for (enum greed greed = CALLBACK; greed < GREEDS && !is_virtual(); greed++) {
        EQUAL(weft_loop_call_later(NULL, 0.001, serve, NULL, NULL), 0);
        be_greedy(greed);
    }
}

/* Spends two milliseconds of each turn. */
WEFT_ASYNC(works_in_long_turns)
{
    while (!served) {
        double end = weft_loop_time(NULL) + 0.002;

        while (weft_loop_time(NULL) < end) {}
        turns++;
        weft_sleep(0);
    }
    return 0;
}

/* How long a turn takes is not known before; the first one of each spell tells. */
IN_TASK(a_timer_comes_between_long_turns)
{
    for (int i = 0; i < 10 && !is_virtual(); i++) {
        weft_task *worker = weft_create_task(works_in_long_turns(), NULL);

        turns = 0;
        EQUAL(weft_sleep(0.001), 0);
        CHECK(turns <= 3);
        turns = 0;
        EQUAL(weft_sleep(0.001), 0);
        CHECK(turns <= 3);
        served = true;
        EQUAL(weft_await(worker), 0);
        served = false;
        EQUAL(weft_sleep(0.001), 0);
    }
}

WEFT_ASYNC(serves)
{
    served = true;
    return 0;
}

IN_TASK(another_task_gets_its_turn)
{
    for (enum greed greed = CALLBACK; greed < GREEDS; greed++) {
        weft_task *task = weft_create_task(serves(), NULL);

        be_greedy(greed);
        EQUAL(weft_await(task), 0);
    }
}

/* Whoever never has to wait at all gives way now and then. */
IN_TASK(a_callback_gets_its_turn)
{
    for (enum greed greed = YIELD; greed < GREEDS; greed++) {
        EQUAL(weft_loop_call_soon(NULL, serve, NULL, NULL), 0);
        be_greedy(greed);
    }
}

/* Wherever the budget of turns ends: a task that starts at once takes none of it, or it would spend
 * what its creator has to find spent to give way. */
IN_TASK(it_gets_it_within_the_budget)
{
    for (int spent = 0; spent < 8; spent++) {
        for (enum greed greed = YIELD; greed < GREEDS; greed++) {
            for (int i = 0; i < spent; i++) {
                weft_future *future = new_future();

                EQUAL(weft_future_set_result(future, NULL), 0);
                EQUAL(weft_await(future), 0);
            }
            EQUAL(weft_loop_call_soon(NULL, serve, NULL, NULL), 0);
            be_greedy(greed);
            CHECK(turns <= 2 * WEFT__BUDGET);
        }
    }
}

static void serve_once_readable(void *arg)
{
    int fd = *(int *)arg;
    char c;

    EQUAL(read(fd, &c, 1), 1);
    EQUAL(weft_loop_remove_reader(NULL, fd), 1);
    served = true;
}

IN_TASK(a_descriptor_is_looked_at)
{
    int fds[2];

    if (is_virtual()) {
        return;
    }
    EQUAL(pipe(fds), 0);
    for (enum greed greed = CALLBACK; greed < GREEDS; greed++) {
        EQUAL(weft_loop_add_reader(NULL, fds[0], serve_once_readable, &fds[0]), 0);
        EQUAL(write(fds[1], "x", 1), 1);
        be_greedy(greed);
    }
    close(fds[0]);
    close(fds[1]);
}

static void *post(void *unused)
{
    EQUAL(weft_loop_call_soon_threadsafe(loop, serve, NULL, NULL), 0);
    atomic_store(&comes, true);
    return unused;
}

IN_TASK(another_thread_is_heard)
{
    for (enum greed greed = CALLBACK; greed < GREEDS; greed++) {
        pthread_t thread;

        atomic_store(&comes, false);
        EQUAL(pthread_create(&thread, NULL, post, NULL), 0);
        be_greedy(greed);
        pthread_join(thread, NULL);
    }
}

/* Many greedy ones at once: all of them have a share. */

static long shares[8];

WEFT_ASYNC(counts_its_turns, (int, i))
{
    while (!served) {
        shares[i]++;
        weft_sleep(0);
    }
    return 0;
}

IN_TASK(all_have_the_same_share)
{
    weft_task *tasks[8];

    for (int i = 0; i < 8; i++) {
        shares[i] = 0;
        tasks[i] = weft_create_task(counts_its_turns(i), NULL);
    }
    for (int i = 0; i < 1000; i++) {
        weft_sleep(0);
    }
    served = true;
    for (int i = 0; i < 8; i++) {
        CHECK(shares[i] >= 999);
        CHECK(shares[i] <= 1001);
        EQUAL(weft_await(tasks[i]), 0);
    }
    served = false;
}

static CU_TestInfo tests[] = {
    TEST(a_timer_that_is_due_comes),
    TEST(a_timer_that_becomes_due_comes),
    TEST(a_timer_comes_between_long_turns),
    TEST(another_task_gets_its_turn),
    TEST(a_callback_gets_its_turn),
    TEST(it_gets_it_within_the_budget),
    TEST(a_descriptor_is_looked_at),
    TEST(another_thread_is_heard),
    TEST(all_have_the_same_share),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(starve, tests)
