/* SPDX-License-Identifier: MIT
 * Coroutines that are made in one place and used in another: outside of loops, in other threads,
 * after their loop. */
#include "tests/task/task.h"

#include <pthread.h>

IN_LOOP(made_outside_of_a_loop)
{
    weft_coro *main_coro = gives(7), *awaited = gives(8), *closed = gives(9);

    EQUAL(run(main_coro), 7);
    EQUAL(run(awaited), 8);
    EQUAL(weft_coro_close(closed), 0);
    EQUAL(weft_coro_close(main_coro), -ESRCH);
    EQUAL(run(awaited), -ESRCH);
}

static weft_coro *passed;

WEFT_ASYNC(awaits_passed)
{
    return weft_await(passed);
}

IN_LOOP(made_outside_awaited_inside)
{
    passed = gives(11);
    EQUAL(run(awaits_passed()), 11);
    EQUAL(run(awaits_passed()), -ESRCH);
}

static void *make_passed(void *unused)
{
    passed = sleeps_then(0.001, 12);
    return unused;
}

IN_LOOP(made_in_another_thread)
{
    in_thread(make_passed, NULL);
    EQUAL(run(awaits_passed()), 12);
    in_thread(make_passed, NULL);
    EQUAL(run(passed), 12);
}

/* A thread that makes coroutines, and posts each to be made a task. */

#define POSTS 500

struct posts {
    weft_loop *target;
    int made, sum;
    weft_future *all;
};

struct post {
    struct posts *posts;
    weft_coro *coro;
};

WEFT_ASYNC(adds, (struct posts *, posts), (int, number))
{
    posts->sum += number;
    if (++posts->made == POSTS) {
        EQUAL(weft_future_set_result(posts->all, NULL), 0);
    }
    return 0;
}

static struct post post[POSTS];

static void start(void *arg)
{
    struct post *p = arg;

    EQUAL(weft_task_detach(weft_create_task(p->coro, NULL)), 0);
}

static void *make_and_post(void *arg)
{
    struct posts *posts = arg;
    long failed = 0;

    for (int i = 0; i < POSTS; i++) {
        post[i] = (struct post){ posts, adds(posts, i) };
        failed += weft_loop_call_soon_threadsafe(posts->target, start, &post[i], NULL) < 0;
    }
    return (void *)failed;
}

static void far_away(void *unused)
{
    (void)unused;
}

IN_TASK(made_in_another_thread_while_the_loop_runs)
{
    struct posts posts = { .target = loop };
    weft_handle *keeps_sim_going = NULL;
    pthread_t thread;
    void *failed = &failed;

    EQUAL(weft_future_new(NULL, &posts.all), 0);
    EQUAL(weft_loop_call_later(NULL, 1e6, far_away, NULL, &keeps_sim_going), 0);
    EQUAL(pthread_create(&thread, NULL, make_and_post, &posts), 0);
    if (is_virtual()) {
        pthread_join(thread, &failed); /* a thread is real, and nothing real is waited for */
    }
    EQUAL(weft_await(posts.all), 0);
    if (!is_virtual()) {
        pthread_join(thread, &failed);
    }
    CHECK(failed == NULL);
    EQUAL(posts.made, POSTS);
    EQUAL(posts.sum, POSTS * (POSTS - 1) / 2);
    EQUAL(weft_handle_cancel(keeps_sim_going), 0);
    weft_handle_unref(keeps_sim_going);
}

/* After its loop. */

WEFT_ASYNC(makes_passed)
{
    passed = gives(13);
    return 0;
}

IN_LOOP(an_object_ends_with_its_loop)
{
    weft_loop *other = open_loop();
    int drops = 0;

    EQUAL(run(makes_passed()), 0);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_CORO_NEVER_AWAITED);

    EQUAL(weft_coro_close(passed), -ESRCH);
    CHECK(weft_coro_on_drop(passed, count_up, &drops) == passed);
    EQUAL(drops, 0);
    EQUAL(weft_loop_run_until_complete(other, passed), -ESRCH);
    EQUAL(weft_loop_run_until_complete(other, awaits_passed()), -ESRCH);
    EQUAL(weft_loop_close(other), 0);
}

IN_LOOP(an_object_outlives_a_run)
{
    EQUAL(run(makes_passed()), 0);
    EQUAL(run(passed), 13);
    EQUAL(run(makes_passed()), 0);
    EQUAL(run(awaits_passed()), 13);
    EQUAL(run(makes_passed()), 0);
    EQUAL(weft_coro_close(passed), 0);
}

IN_LOOP(an_object_of_one_loop_runs_in_another)
{
    weft_loop *other = open_loop();

    EQUAL(weft_loop_run_until_complete(other, makes_passed()), 0);
    EQUAL(run(awaits_passed()), 13);
    EQUAL(weft_loop_run_until_complete(other, makes_passed()), 0);
    EQUAL(run(passed), 13);
    EQUAL(weft_loop_close(other), 0);
    EQUAL(reports_left(), 0);
}

ALONE(old_handles_stay_stale_through_many_loops)
{
    weft_coro *old[20];

    for (int i = 0; i < 20; i++) {
        loop = open_loop();
        EQUAL(run(makes_passed()), 0);
        EQUAL(run(passed), 13);
        old[i] = passed;
        EQUAL(run(makes_passed()), 0);
        for (int j = 0; j <= i; j++) {
            CHECK(old[j] != passed);
            EQUAL(weft_coro_close(old[j]), -ESRCH);
        }
        EQUAL(weft_coro_close(passed), 0);
        close_loop();
    }
}

static CU_TestInfo tests[] = {
    TEST(made_outside_of_a_loop),
    TEST(made_outside_awaited_inside),
    TEST(made_in_another_thread),
    TEST(made_in_another_thread_while_the_loop_runs),
    TEST(an_object_ends_with_its_loop),
    TEST(an_object_outlives_a_run),
    TEST(an_object_of_one_loop_runs_in_another),
    TEST(old_handles_stay_stale_through_many_loops),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(coro_where, tests)
