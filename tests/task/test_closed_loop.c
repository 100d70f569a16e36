/* SPDX-License-Identifier: MIT
 * A loop is closed while tasks of it still wait: what they wait for has nobody left who could wake
 * them, and says so; and what was made in it serves no other loop. */
#include "tests/task/process.h"

#include <string.h>

static weft_loop *other;

/* Runs the tasks of the other loop to where they wait. */
static void begin_to_wait(void)
{
    EQUAL(weft_loop_run_until_complete(other, sleeps(0.001)), 0);
}

static void close_other(int left_behind)
{
    EQUAL(weft_loop_close(other), 0);
    for (int i = 0; i < left_behind; i++) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
}

static weft_queue *queue;
static weft_broadcast *news;
static weft_subscription subscription;
static weft_limiter limiter;

WEFT_ASYNC(gets_an_item)
{
    void *item;

    return weft_queue_get(queue, &item);
}

WEFT_ASYNC(hears_the_news)
{
    void *item;

    EQUAL(weft_broadcast_subscribe(news, &subscription), 0);
    return weft_subscription_get(&subscription, &item);
}

WEFT_ASYNC(wants_a_token)
{
    return weft_limiter_acquire(&limiter);
}

WEFT_ASYNC(asks_for_all)
{
    EQUAL(weft_limiter_release(&limiter), -EBADF);
    EQUAL(weft_limiter_set_total(&limiter, 2), -EBADF);
    EQUAL(weft_broadcast_send(news, NULL), -EBADF);
    EQUAL(weft_broadcast_shutdown(news), -EBADF);
    EQUAL(weft_queue_put_nowait(queue, NULL), -EBADF);
    EQUAL(weft_queue_free(queue), -EBADF);
    return 0;
}

/* What they wait for cannot be given back: its memory is the child's, and goes with it. */
static int leaves_tasks_behind(void)
{
    static char borrower;

    EQUAL(weft_queue_new(1, &queue), 0);
    EQUAL(weft_broadcast_new(4, 0, &news), 0);
    limiter = (weft_limiter)WEFT_LIMITER_INIT(1);
    EQUAL(weft_limiter_acquire_on_behalf_of_nowait(&limiter, &borrower), 0);
    other = open_loop();
    weft_task_detach(weft_loop_create_task(other, gets_an_item(), NULL));
    weft_task_detach(weft_loop_create_task(other, hears_the_news(), NULL));
    weft_task_detach(weft_loop_create_task(other, wants_a_token(), NULL));
    begin_to_wait();
    close_other(3);
    EQUAL(weft_run(asks_for_all(), &(weft_run_options){ .backend = backend() }), 0);
    return 0;
}

ALONE(what_tasks_of_a_closed_loop_wait_for_serves_nobody)
{
    if (strncmp(backend(), "glib", 4) != 0) { /* which has a thread that a child would lack */
        EQUAL(in_child(leaves_tasks_behind, NULL, 0), 0);
    }
}

/* What was made in a loop. */

static weft_process_pool *pool;
static weft_process *process;

WEFT_ASYNC(makes_a_pool)
{
    return weft_process_pool_new(NULL, &pool);
}

WEFT_ASYNC(makes_a_process)
{
    const char *const argv[] = { "true", NULL };
    const weft_process_options options = { .in = WEFT_PIPE };
    int r = weft_create_subprocess_exec(argv, &options, &process);

    return r < 0 ? r : weft_process_wait(process);
}

WEFT_ASYNC(uses_what_the_other_made)
{
    EQUAL(weft_process_pool_call(pool, "e", 1, NULL), -EBADF);
    EQUAL(weft_process_pool_shutdown(pool), -EBADF);
    EQUAL(weft_stream_write(weft_process_stdin(process), "x", 1), -EBADF);
    return 0;
}

IN_LOOP(what_a_closed_loop_has_made_serves_no_other)
{
    other = open_loop();
    EQUAL(weft_loop_run_until_complete(other, makes_a_pool()), 0);
    EQUAL(weft_loop_run_until_complete(other, makes_a_process()), 0);
    close_other(0);
    EQUAL(run(uses_what_the_other_made()), 0);
    EQUAL(weft_process_pool_free(pool), 0);
    EQUAL(weft_process_free(process), 0);
}

static CU_TestInfo tests[] = {
    TEST(what_tasks_of_a_closed_loop_wait_for_serves_nobody),
    TEST(what_a_closed_loop_has_made_serves_no_other),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(closed_loop, tests)
