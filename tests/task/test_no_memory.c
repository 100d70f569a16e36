/* SPDX-License-Identifier: MIT
 * Calls that need memory, or a thread, where there is none: they say so, and work when there is. */
#include "core/base/mem.h"
#include "tests/task/fault.h"
#include "tests/task/thread.h"

#include <math.h>
#include <string.h>

/* In a task. */

static weft_limiter limiter = WEFT_LIMITER_INIT(1);

IN_TASK(a_token_needs_memory)
{
    HANDS_ON(-ENOMEM, weft_limiter_acquire(&limiter));
    EQUAL(weft_limiter_acquire(&limiter), 0);
    EQUAL(weft_limiter_release(&limiter), 0);
    EQUAL(weft_limiter_destroy(&limiter), 0);
}

static weft_timeout limit;

/* Timers that are there have memory for some more: there are others, until that is used up. */
IN_TASK(another_deadline_needs_memory)
{
    weft_handle *others[3000];
    int count = 0, r = 0;

    EQUAL(weft_timeout_enter(&limit, 60), 0);
    while (r == 0 && count < 3000) {
        EQUAL(weft_timeout_reschedule(&limit, INFINITY), 0);
        EQUAL(weft_loop_call_later(NULL, 60, noted, NULL, &others[count++]), 0);
        EQUAL(weft_loop_call_later(NULL, 60, noted, NULL, &others[count++]), 0);
        fail_all_but(0, -ENOMEM);
        r = weft_timeout_reschedule(&limit, weft_loop_time(NULL) + 60);
        weft__fault_ask_all(NULL);
    }
    EQUAL(r, -ENOMEM);
    CHECK(isinf(weft_timeout_when(&limit)));
    EQUAL(weft_timeout_reschedule(&limit, weft_loop_time(NULL) + 60), 0);
    EQUAL(weft_timeout_exit(&limit, 0), 0);
    while (count > 0) {
        EQUAL(weft_handle_cancel(others[--count]), 0);
        weft_handle_unref(others[count]);
    }
}

IN_TASK(a_stream_needs_memory_to_keep_what_has_come)
{
    weft_stream *ends[2] = { NULL, NULL };
    const char *data = NULL;
    char text[8];

    EQUAL(weft_stream_pair(64, ends), 0);
    EQUAL(weft_stream_write(ends[0], "hello", 5), 5);
    HANDS_ON(-ENOMEM, weft_stream_peek(ends[1], 5, &data));
    EQUAL(weft_stream_peek(ends[1], 5, &data), 5);
    EQUAL(weft_stream_readexactly(ends[1], text, 5), 5);
    EQUAL(memcmp(text, "hello", 5), 0);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
}

IN_TASK(what_came_before_an_error_needs_memory_or_is_lost)
{
    weft_stream *ends[2] = { NULL, NULL };
    char text[8];

    EQUAL(weft_stream_pair(64, ends), 0);
    EQUAL(weft_stream_write(ends[0], "he", 2), 2);
    EQUAL(weft_stream_write_eof(ends[0]), 0);
    fail_all_but(0, -ENOMEM);
    EQUAL(weft_stream_readexactly(ends[1], text, 5), -ENOMEM);
    weft__fault_ask_all(NULL);
    EQUAL(weft_stream_readexactly(ends[1], text, 1), -ENOMEM);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
}

IN_TASK(the_watchdog_needs_a_thread)
{
    HANDS_ON(-EAGAIN, weft_debug_set(loop, "slow"));
    EQUAL(weft_debug_set(loop, "0"), 0);
}

/* In a thread without a loop. */

WEFT_ASYNC(waits_for, (struct gate *, gate))
{
    return weft_to_thread(job_at_gate, gate);
}

static void *runs_a_loop(void *made)
{
    int r = weft_loop_run_forever(made);

    CHECK(r == 0 || (r == -EDEADLK && is_virtual())); /* which waits for nobody outside */
    return NULL;
}

static void told(weft_thread_future *future, void *counter)
{
    (void)future;
    ++*(int *)counter;
}

ALONE(a_thread_that_waits_for_a_coroutine_needs_memory)
{
    struct gate gate = GATE;
    weft_loop *running = open_loop();
    weft_thread_future *future = NULL;
    pthread_t thread;
    int status = 0, calls = 0;

    EQUAL(weft_run_coroutine_threadsafe(waits_for(&gate), running, &future), 0);
    EQUAL(pthread_create(&thread, NULL, runs_a_loop, running), 0);
    gate_await_came(&gate, 1); /* from here on that thread does nothing that could fail */
    HANDS_ON(-ENOMEM, weft_thread_future_wait(future, 0.001, &status));
    HANDS_ON(-ENOMEM, weft_thread_future_add_done_callback(future, told, &calls));
    gate_open(&gate);
    EQUAL(weft_thread_future_wait(future, 60, &status), 0);
    EQUAL(status, 7);
    EQUAL(calls, 0);
    weft_thread_future_free(future);
    EQUAL(weft_loop_call_soon_threadsafe(running, stop_loop, running, NULL), 0);
    pthread_join(thread, NULL);
    EQUAL(weft_loop_close(running), 0);
}

static int wait_status;

static void puts_in_a_callback(void *queue)
{
    wait_status = weft_thread_queue_put(queue, &wait_status, 1);
}

ALONE(who_waits_for_room_needs_memory)
{
    weft_thread_queue *queue = NULL;
    void *item;

    EQUAL(weft_thread_queue_new(1, NULL, &queue), 0);
    EQUAL(weft_thread_queue_put(queue, queue, 0), 0);
    HANDS_ON(-ENOMEM, weft_thread_queue_put(queue, queue, 0.001));
    EQUAL(weft_thread_queue_put(queue, queue, 0.001), -ETIMEDOUT);
    EQUAL(weft_thread_queue_get(queue, 0, &item), 0);
    EQUAL(weft_thread_queue_free(queue), 0);
}

IN_TASK(a_callback_cannot_wait_for_room)
{
    weft_thread_queue *queue = NULL;

    EQUAL(weft_thread_queue_new(1, NULL, &queue), 0);
    EQUAL(weft_thread_queue_put(queue, queue, 0), 0);
    EQUAL(weft_loop_call_soon(NULL, puts_in_a_callback, queue, NULL), 0);
    give_way(2);
    EQUAL(wait_status, -EPERM);
    EQUAL(weft_thread_queue_free(queue), 0);
}

static weft_coro *serves_nothing(weft_worker *worker)
{
    (void)worker;
    return gives(0);
}

ALONE(workers_need_threads)
{
    const weft_serve_options options = { .backend = backend() };

    HANDS_ON(-EAGAIN, weft_serve_threads(2, serves_nothing, NULL, &options));
    EQUAL(weft_serve_threads(2, serves_nothing, NULL, &options), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_token_needs_memory),
    TEST(another_deadline_needs_memory),
    TEST(a_stream_needs_memory_to_keep_what_has_come),
    TEST(what_came_before_an_error_needs_memory_or_is_lost),
    TEST(the_watchdog_needs_a_thread),
    TEST(a_thread_that_waits_for_a_coroutine_needs_memory),
    TEST(who_waits_for_room_needs_memory),
    TEST(a_callback_cannot_wait_for_room),
    TEST(workers_need_threads),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(no_memory, tests)
