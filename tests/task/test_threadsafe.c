/* SPDX-License-Identifier: MIT
 * The one door for other threads: everything posted runs once and in order, the loop is woken, and
 * a loop that closes meanwhile says so. */
#include "tests/task/task.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { THREADS = 4, POSTS = 5000 };

struct poster {
    pthread_t thread;
    weft_loop *loop;
    int posts;
    int failed; /* posts that were refused */
    int next;   /* the number that is to come next, on the loop's thread */
    int wrong;
};

struct posted {
    struct poster *poster;
    int number;
};

static struct poster posters[THREADS];
static struct posted posted[THREADS][POSTS];
static int finished; /* posters whose last post has run */

static void receive(void *arg)
{
    struct posted *p = arg;

    p->poster->wrong += p->number != p->poster->next++;
    if (p->number == p->poster->posts - 1 && ++finished == THREADS) {
        EQUAL(weft_loop_stop(NULL), 0);
    }
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    struct posted *mine = posted[poster - posters];

    for (int i = 0; i < poster->posts; i++) {
        mine[i] = (struct posted){ poster, i };
        poster->failed +=
            weft_loop_call_soon_threadsafe(poster->loop, receive, &mine[i], NULL) != 0;
        if (i % 97 == 0) {
            sched_yield(); /* let the loop block in between */
        }
    }
    return NULL;
}

static void begin_posters(int posts)
{
    finished = 0;
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .loop = loop, .posts = posts };
        EQUAL(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
}

static void end_posters(void)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        EQUAL(posters[i].failed, 0);
    }
}

static void check_posters(void)
{
    for (int i = 0; i < THREADS; i++) {
        EQUAL(posters[i].next, posters[i].posts);
        EQUAL(posters[i].wrong, 0);
    }
}

IN_LOOP(all_that_was_posted_runs_once_and_each_threads_in_order)
{
    begin_posters(many(POSTS));
    if (is_virtual()) { /* it does not wait for anything real */
        end_posters();
    }
    EQUAL(weft_loop_run_forever(loop), 0);
    if (!is_virtual()) {
        end_posters();
    }
    check_posters();
}

IN_LOOP(what_was_posted_before_a_run_is_there)
{
    begin_posters(1000);
    end_posters();
    EQUAL(posters[0].next, 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    check_posters();
}

/* A loop that blocks is woken. */

static atomic_bool asleep;

static void *post_stop(void *unused)
{
    while (!atomic_load(&asleep)) {
        sched_yield();
    }
    EQUAL(weft_loop_call_soon_threadsafe(loop, stop_loop, NULL, NULL), 0);
    return unused;
}

static void fall_asleep(void *unused)
{
    (void)unused;
    atomic_store(&asleep, true); /* nothing else is ready: the loop blocks right after this */
}

IN_LOOP(a_loop_that_blocks_is_woken)
{
    for (int i = 0; i < 200 && !is_virtual(); i++) {
        pthread_t thread;

        atomic_store(&asleep, false);
        EQUAL(weft_loop_call_soon(loop, fall_asleep, NULL, NULL), 0);
        EQUAL(pthread_create(&thread, NULL, post_stop, NULL), 0);
        EQUAL(weft_loop_run_forever(loop), 0);
        pthread_join(thread, NULL);
    }
}

/* Two loops in two threads that throw a ball at each other. */

struct court {
    weft_loop *loops[2];
    int throws[2], left;
};

static struct court court;

static void catch_ball(void *arg)
{
    int side = (int)(intptr_t)arg;

    court.throws[side]++;
    if (court.left-- > 0) {
        EQUAL(weft_loop_call_soon_threadsafe(court.loops[!side], catch_ball,
                                             (void *)(intptr_t)!side, NULL),
              0);
    } else {
        EQUAL(weft_loop_call_soon_threadsafe(court.loops[!side], stop_loop, NULL, NULL), 0);
        EQUAL(weft_loop_stop(NULL), 0);
    }
}

static void *play(void *result)
{
    *(int *)result = weft_loop_run_forever(court.loops[1]);
    return NULL;
}

IN_LOOP(two_loops_post_to_each_other)
{
    pthread_t thread;
    int result = -1, times = many(5000);

    if (is_virtual()) {
        return;
    }
    court = (struct court){ .loops = { loop, open_loop() }, .left = times };
    EQUAL(pthread_create(&thread, NULL, play, &result), 0);
    EQUAL(weft_loop_call_soon_threadsafe(court.loops[1], catch_ball, (void *)1, NULL), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    pthread_join(thread, NULL);
    EQUAL(result, 0);
    EQUAL(court.throws[0] + court.throws[1], times + 1);
    EQUAL(weft_loop_close(court.loops[1]), 0);
}

/* From a task of one loop: a future is set through the door. */

static weft_future *answer;

static void set_answer(void *value)
{
    EQUAL(weft_future_set_result(answer, value), 0);
}

static void *think(void *unused)
{
    static int forty_two = 42;

    EQUAL(weft_loop_call_soon_threadsafe(loop, set_answer, &forty_two, NULL), 0);
    return unused;
}

IN_TASK(a_thread_answers_through_a_future)
{
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *value = NULL;

        EQUAL(weft_future_new(NULL, &answer), 0);
        EQUAL(pthread_create(&thread, NULL, think, NULL), 0);
        if (is_virtual()) {
            pthread_join(thread, NULL);
        }
        EQUAL(weft_await_value(answer, &value), 0);
        CHECK(value && *(int *)value == 42);
        if (!is_virtual()) {
            pthread_join(thread, NULL);
        }
    }
}

/* Handles. */

static weft_handle *handles[100];
static int called[100];

static void *post_handles(void *unused)
{
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_loop_call_soon_threadsafe(loop, count_up, &called[i], &handles[i]), 0);
    }
    return unused;
}

IN_LOOP(a_post_can_be_taken_back_in_the_loops_thread)
{
    in_thread(post_handles, NULL);
    for (int i = 0; i < 100; i++) {
        called[i] = 0;
        EQUAL(weft_handle_cancelled(handles[i]), false);
        if (i % 2) {
            EQUAL(weft_handle_cancel(handles[i]), 0);
        }
        if (i % 3) {
            CHECK(weft_handle_unref(handles[i]) == NULL);
        }
    }
    EQUAL(run(sleeps(0)), 0);
    EQUAL(run(sleeps(0)), 0);
    for (int i = 0; i < 100; i++) {
        EQUAL(called[i], i % 2 ? 0 : 1);
        CHECK(weft_handle_unref(handles[i]) == NULL);
        EQUAL(weft_handle_cancel(handles[i]), -ESRCH);
    }
}

IN_TASK(the_loops_own_thread_may_use_the_door)
{
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("1"), NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("2"), NULL), 0);
    HAPPENED("");
    EQUAL(weft_sleep(0.001), 0);
    weft_sleep(0); /* a slow machine's sleep is over when the loop first looks */
    HAPPENED("1 2");
}

/* A loop that is closed while others post. */

static atomic_int accepted, refused, others, started;
static _Atomic(weft_loop *) closing;

static void nothing(void *unused)
{
    (void)unused;
}

static void *post_until_closed(void *unused)
{
    weft_loop *target = atomic_load(&closing);
    int posts = 0;

    atomic_fetch_add(&started, 1);
    for (;;) {
        int r = weft_loop_call_soon_threadsafe(target, nothing, NULL, NULL);

        if (r == -EBADF) {
            atomic_fetch_add(&refused, 1);
            break;
        }
        atomic_fetch_add(r == 0 ? &accepted : &others, 1);
        if (posts++ > 1000) {
            usleep(100); /* what nobody takes out stays in memory */
        }
    }
    return unused;
}

ALONE(a_loop_that_closes_refuses)
{
    for (int round = 0; round < 30; round++) {
        pthread_t threads[THREADS];
        weft_loop *target = open_loop();

        atomic_store(&closing, target);
        atomic_store(&refused, 0);
        atomic_store(&started, 0);
        for (int i = 0; i < THREADS; i++) {
            EQUAL(pthread_create(&threads[i], NULL, post_until_closed, NULL), 0);
        }
        while (atomic_load(&started) < THREADS) {
            sched_yield();
        }
        if (round % 2) {
            EQUAL(weft_loop_run_until_complete(target, sleeps(0)), 0);
        }
        EQUAL(weft_loop_close(target), 0);
        if (round % 3 == 0) { /* the memory is used again at once */
            weft_loop *next = open_loop();

            EQUAL(weft_loop_run_until_complete(next, sleeps(0)), 0);
            EQUAL(weft_loop_close(next), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        EQUAL(atomic_load(&refused), THREADS);
        EQUAL(atomic_load(&others), 0);
    }
    CHECK(atomic_load(&accepted) > 0);
}

static CU_TestInfo tests[] = {
    TEST(all_that_was_posted_runs_once_and_each_threads_in_order),
    TEST(what_was_posted_before_a_run_is_there),
    TEST(a_loop_that_blocks_is_woken),
    TEST(two_loops_post_to_each_other),
    TEST(a_thread_answers_through_a_future),
    TEST(a_post_can_be_taken_back_in_the_loops_thread),
    TEST(the_loops_own_thread_may_use_the_door),
    TEST(a_loop_that_closes_refuses),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(threadsafe, tests)
