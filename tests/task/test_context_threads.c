/* SPDX-License-Identifier: MIT
 * Contexts and their values in several threads at once: nothing is lost, and each value is released
 * once. */
#include "tests/task/values.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, ROUNDS = 2000 };

static pthread_t threads[THREADS];

static void join_all(void)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Runs `body` in several threads at once, and waits for all. */
static void in_threads(void *(*body)(void *), void *arg)
{
    for (int i = 0; i < THREADS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, body, arg), 0);
    }
    join_all();
}

static void sets_some(void *counter)
{
    weft_context_token token;

    ++*(int *)counter;
    be("inside");
    EQUAL(weft_context_var_set(&who, value("deeper"), &token), 0);
    HERE("deeper");
    EQUAL(weft_context_var_reset(&who, &token), 0);
    HERE("inside");
}

static struct {
    weft_context *context;
    int entered; /* changed by who is in the context */
    atomic_int refused;
} shared;

static void *enters(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        int r = weft_context_run(shared.context, sets_some, &shared.entered);

        if (r == -EBUSY) {
            atomic_fetch_add(&shared.refused, 1);
            sched_yield();
        } else {
            EQUAL(r, 0);
        }
        HERE("nobody");
    }
    return NULL;
}

IN_LOOP(one_thread_at_a_time_enters_a_context)
{
    shared.context = new_context();
    shared.entered = 0;
    atomic_store(&shared.refused, 0);
    in_threads(enters, NULL);
    EQUAL(shared.entered + shared.refused, THREADS * ROUNDS);
    CHECK(shared.entered > 0);
    EQUAL(values, 1);
    weft_context_unref(shared.context);
}

static void *copies(void *context)
{
    weft_context *mine = weft_context_ref(context);

    for (int i = 0; i < ROUNDS; i++) {
        weft_context *copy = NULL;

        SAME(weft_context_get(mine, &who), "Ada");
        CHECK(weft_context_ref(mine) == mine);
        be(i % 2 ? "Bob" : "Cyd");
        copy = copy_here();
        be("Dan");
        SAME(weft_context_get(copy, &who), i % 2 ? "Bob" : "Cyd");
        weft_context_unref(copy);
        weft_context_unref(mine);
    }
    weft_context_unref(mine);
    return NULL;
}

static void becomes_ada(void *unused)
{
    (void)unused;
    be("Ada");
}

IN_LOOP(holds_and_values_are_counted_in_any_thread)
{
    weft_context *context = new_context();

    EQUAL(weft_context_run(context, becomes_ada, NULL), 0);
    in_threads(copies, context);
    EQUAL(values, 1);
    weft_context_unref(context);
}

/* ---- loops in several threads ---- */

WEFT_ASYNC(lives_in_it)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        EQUAL(weft_context_var_set(&what, (void *)"something", NULL), 0);
        be("a task");
        CHECK(weft_context_var_get(&who) != NULL); /* whosever it is, and not to be looked at */
        EQUAL(weft_sleep(0), 0);
        CHECK(weft_context_var_get(&what) != NULL);
    }
    return 0;
}

static void *runs_a_loop(void *context)
{
    weft_task_options in_it = { .context = context };
    weft_loop *mine = NULL;

    EQUAL(weft_loop_new(backend(), &mine), 0);
    EQUAL(weft_loop_run_until_complete(mine, weft_loop_create_task(mine, lives_in_it(), &in_it)),
          0);
    EQUAL(weft_loop_close(mine), 0);
    return NULL;
}

IN_LOOP(tasks_of_several_loops_may_share_a_context)
{
    weft_context *context = new_context();

    in_threads(runs_a_loop, context);
    SAME(weft_context_get(context, &who), "a task");
    weft_context_unref(context);
}

static int received;

static void receives(void *word)
{
    HERE(word);
    be("the loop");
    if (++received == THREADS * (ROUNDS / 10)) {
        stop_loop(NULL);
    }
}

static void *posts(void *unused)
{
    (void)unused;
    be("a thread");
    for (int i = 0; i < ROUNDS / 10; i++) {
        EQUAL(weft_loop_call_soon_threadsafe(loop, receives, (void *)"a thread", NULL), 0);
        be("a thread");
    }
    return NULL;
}

IN_LOOP(what_threads_post_carries_their_context)
{
    received = 0;
    for (int i = 0; i < THREADS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, posts, NULL), 0);
    }
    if (is_virtual()) {
        join_all(); /* that clock sees no other threads */
    }
    EQUAL(weft_loop_run_forever(loop), 0);
    if (!is_virtual()) {
        join_all();
    }
}

/* No more than so many: whoever posts is faster than the loop. */
static void *posts_until_closed(void *target)
{
    int r = 0;

    be("a thread");
    for (int i = 0; i < ROUNDS && r == 0; i++) {
        r = weft_loop_call_soon_threadsafe(target, count_up, &received, NULL);
        be("a thread");
    }
    CHECK(r == 0 || r == -EBADF);
    return NULL;
}

IN_LOOP(posts_to_a_loop_that_closes_let_go)
{
    for (int i = 0; i < THREADS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, posts_until_closed, loop), 0);
    }
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_loop_stop(loop), 0);
        EQUAL(weft_loop_run_forever(loop), 0);
    }
    close_loop();
    join_all();
    EQUAL(values, 0);
}

static CU_TestInfo tests[] = {
    TEST(one_thread_at_a_time_enters_a_context),
    TEST(holds_and_values_are_counted_in_any_thread),
    TEST(tasks_of_several_loops_may_share_a_context),
    TEST(what_threads_post_carries_their_context),
    TEST(posts_to_a_loop_that_closes_let_go),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(context_threads, tests)
