/* SPDX-License-Identifier: MIT
 * Coroutines that other threads ask for: what they come to, cancels both ways, and loops that close
 * before. */
#include "core/sched/loop.h"
#include "tests/task/thread.h"

#include <math.h>
#include <sched.h>

/* A loop of its own in a thread of its own, which stands for "another thread's loop". */
struct other {
    pthread_t thread;
    weft_loop *loop;
    int result;
};

static struct other other;

static void *run_other(void *unused)
{
    other.result = weft_loop_run_forever(other.loop);
    return unused;
}

/* Keeps a virtual clock from giving up: the thread outside owes it something. */
static void expect(void *step)
{
    weft__running->expected += (uint32_t)(intptr_t)step;
}

static void begin_other(void)
{
    other.loop = open_loop();
    EQUAL(weft_loop_call_soon(other.loop, expect, (void *)1, NULL), 0);
    EQUAL(pthread_create(&other.thread, NULL, run_other, NULL), 0);
}

static void stop_other(void *unused)
{
    expect((void *)(intptr_t)-1);
    stop_loop(unused);
}

static void end_other(void)
{
    EQUAL(weft_loop_call_soon_threadsafe(other.loop, stop_other, NULL, NULL), 0);
    pthread_join(other.thread, NULL);
    EQUAL(other.result, 0);
    EQUAL(weft_loop_close(other.loop), 0);
}

static weft_thread_future *ask(weft_coro *coro)
{
    weft_thread_future *future = NULL;

    EQUAL(weft_run_coroutine_threadsafe(coro, other.loop, &future), 0);
    return future;
}

/* The status, waited for in this thread. */
static int answer(weft_thread_future *future)
{
    int status = 12345;

    EQUAL(weft_thread_future_wait(future, 60, &status), 0);
    EQUAL(weft_thread_future_done(future), true);
    weft_thread_future_free(future);
    return status;
}

WEFT_ASYNC(gives_value, (void *, value))
{
    weft_sleep(0.001);
    return weft_return(value);
}

ALONE(a_thread_learns_the_status)
{
    begin_other();
    EQUAL(answer(ask(gives(0))), 0);
    EQUAL(answer(ask(gives(11))), 11);
    EQUAL(answer(ask(gives(-EIO))), -EIO); /* it was read: no report */
    EQUAL(answer(ask(sleeps_then(0.001, 3))), 3);
    end_other();
}

ALONE(and_the_value)
{
    weft_thread_future *future;
    void *value = NULL;

    begin_other();
    future = ask(gives_value(&other));
    EQUAL(weft_thread_future_wait(future, INFINITY, NULL), 0);
    EQUAL(weft_thread_future_result(future, &value), 0);
    CHECK(value == &other);
    CHECK(weft_thread_future_free(future) == NULL);
    EQUAL(weft_thread_future_result(future, &value), -ESRCH);
    EQUAL(weft_thread_future_wait(future, 1, NULL), -ESRCH);
    EQUAL(weft_thread_future_cancel(future), -ESRCH);
    EQUAL(weft_thread_future_done(future), true);
    CHECK(weft_thread_future_free(future) == NULL);
    end_other();
}

/* A coroutine that goes on when the gate is open: never, unless the test opens it. */
WEFT_ASYNC(waits_for_gate, (struct gate *, gate))
{
    int r = 0;

    while (r == 0) {
        pthread_mutex_lock(&gate->lock);
        r = gate->open ? 1 : 0;
        pthread_mutex_unlock(&gate->lock);
        r = r ? r : weft_sleep(0.001);
    }
    return r > 0 ? 7 : r;
}

ALONE(a_wait_has_a_limit)
{
    struct gate gate = GATE;
    weft_thread_future *future;
    int status = 77;

    begin_other();
    future = ask(waits_for_gate(&gate));
    EQUAL(weft_thread_future_wait(future, 0, &status), -ETIMEDOUT);
    EQUAL(weft_thread_future_wait(future, -1, &status), -ETIMEDOUT);
    EQUAL(weft_thread_future_wait(future, 0.003, &status), -ETIMEDOUT);
    EQUAL(weft_thread_future_wait(future, NAN, &status), -EINVAL);
    EQUAL(weft_thread_future_result(future, NULL), -EINPROGRESS);
    EQUAL(weft_thread_future_done(future), false);
    EQUAL(status, 77);
    gate_open(&gate);
    EQUAL(answer(future), 7);
    end_other();
}

ALONE(a_cancel_reaches_the_task)
{
    struct gate gate = GATE;
    weft_thread_future *future;
    int again;

    begin_other();
    future = ask(waits_for_gate(&gate));
    EQUAL(weft_thread_future_cancel(future), 0);
    again = weft_thread_future_cancel(future);
    CHECK(again == 0 || again == -EALREADY); /* the other thread may have been quick */
    EQUAL(weft_thread_future_wait(future, 60, NULL), 0);
    EQUAL(weft_thread_future_cancelled(future), true);
    EQUAL(weft_thread_future_cancel(future), -EALREADY);
    EQUAL(answer(future), -ECANCELED);
    EQUAL(answer(ask(gives(1))), 1);
    end_other();
}

WEFT_ASYNC(cancels_itself)
{
    weft_task_cancel(weft_current_task());
    return weft_sleep(1);
}

ALONE(a_task_that_was_cancelled_there_shows_it_here)
{
    weft_thread_future *future;

    begin_other();
    future = ask(cancels_itself());
    EQUAL(weft_thread_future_wait(future, 60, NULL), 0);
    EQUAL(weft_thread_future_cancelled(future), true);
    weft_thread_future_free(future);
    end_other();
}

ALONE(what_is_freed_runs_on_and_its_failure_is_reported)
{
    int first, second;

    begin_other();
    weft_thread_future_free(ask(sleeps_then(0.001, -EIO)));
    EQUAL(weft_run_coroutine_threadsafe(gives(-EBADMSG), other.loop, NULL), 0);
    EQUAL(answer(ask(sleeps_then(0.05, 0))), 0);
    end_other();
    first = next_report()->status; /* which of them depends on how fast this thread is */
    second = next_report()->status;
    CHECK((first == -EBADMSG && second == -EIO) || (first == -EIO && second == -EBADMSG));
}

static void note_done(weft_thread_future *future, void *word)
{
    EQUAL(weft_thread_future_done(future), true);
    note(word);
}

ALONE(done_callbacks_are_called_once_and_in_order)
{
    struct gate gate = GATE;
    weft_thread_future *future;

    begin_other();
    future = ask(waits_for_gate(&gate));
    EQUAL(weft_thread_future_add_done_callback(future, note_done, (void *)"a"), 0);
    EQUAL(weft_thread_future_add_done_callback(future, note_done, (void *)"b"), 0);
    EQUAL(weft_thread_future_add_done_callback(future, NULL, NULL), -EINVAL);
    gate_open(&gate);
    EQUAL(weft_thread_future_wait(future, 60, NULL), 0);
    end_other(); /* the callbacks had their turn before this thread's wait was seen, or after */
    EQUAL(weft_thread_future_add_done_callback(future, note_done, (void *)"c"), 0);
    HAPPENED("a b c");
    weft_thread_future_free(future);
}

/* The loop's own thread. */

IN_TASK(the_loops_own_thread_may_ask_but_not_wait)
{
    weft_thread_future *future = NULL;
    int status = 77;

    EQUAL(weft_run_coroutine_threadsafe(gives(5), loop, &future), 0);
    EQUAL(weft_thread_future_wait(future, INFINITY, &status), -EDEADLK);
    EQUAL(weft_thread_future_wait(future, 0, &status), -ETIMEDOUT);
    while (!weft_thread_future_done(future)) {
        weft_sleep(0.001);
    }
    EQUAL(weft_thread_future_wait(future, INFINITY, &status), 0);
    EQUAL(status, 5);
    weft_thread_future_free(future);
}

/* From a task of another loop. */

IN_TASK(a_task_of_another_loop_waits_as_a_task)
{
    weft_task *beside;
    weft_thread_future *future;
    int status = 77;

    begin_other();
    beside = weft_create_task(notes("beside"), NULL);
    future = ask(sleeps_then(0.002, 6));
    EQUAL(weft_thread_future_wait(future, 60, &status), 0);
    EQUAL(status, 6);
    HAPPENED("beside");
    EQUAL(weft_await(beside), 0);
    weft_thread_future_free(future);
    end_other();
}

WEFT_ASYNC(waits_for_answer, (weft_thread_future *, future))
{
    int status = 0, r = weft_thread_future_wait(future, INFINITY, &status);

    return r < 0 ? r : status;
}

IN_TASK(and_its_wait_can_be_cancelled)
{
    struct gate gate = GATE;
    weft_thread_future *future;
    weft_task *waiter, *late;
    weft_timeout limit;

    begin_other();
    future = ask(waits_for_gate(&gate));
    waiter = weft_create_task(waits_for_answer(future), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(waiter), 0);
    EQUAL(weft_await(waiter), -ECANCELED);
    EQUAL(weft_timeout_enter(&limit, 0.002), 0);
    EQUAL(weft_timeout_exit(&limit, weft_thread_future_wait(future, INFINITY, NULL)), -ETIMEDOUT);
    EQUAL(weft_thread_future_wait(future, 0.002, NULL), -ETIMEDOUT);
    late = weft_create_task(waits_for_answer(future), NULL);
    weft_sleep(0);
    gate_open(&gate);
    EQUAL(weft_await(late), 7);
    weft_thread_future_free(future);
    end_other();
}

static int waited;

static void wait_in_callback(void *future)
{
    waited = weft_thread_future_wait(future, INFINITY, NULL);
}

IN_TASK(a_callback_may_not_wait)
{
    struct gate gate = GATE;
    weft_thread_future *future;

    begin_other();
    future = ask(waits_for_gate(&gate));
    EQUAL(weft_loop_call_soon(NULL, wait_in_callback, future, NULL), 0);
    weft_sleep(0);
    EQUAL(waited, -EPERM);
    gate_open(&gate);
    EQUAL(weft_thread_future_wait(future, 60, NULL), 0);
    weft_thread_future_free(future);
    end_other();
}

/* Coroutines that were made in a loop go to another. */

WEFT_ASYNC(long_arguments, (int, a), (double, b), (const char *, c), (int, d))
{
    return a + (int)b + c[0] + d;
}

IN_TASK(a_coroutine_that_one_loop_made_runs_in_another)
{
    weft_thread_future *futures[20];
    int status = 0;

    begin_other();
    for (int i = 0; i < 20; i++) {
        futures[i] = ask(long_arguments(i, 2, "\1", 3));
    }
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_thread_future_wait(futures[i], 60, &status), 0);
        EQUAL(status, i + 6);
        weft_thread_future_free(futures[i]);
    }
    end_other();
}

/* Loops that close. */

IN_LOOP(a_closed_loop_refuses_and_drops_the_coroutine)
{
    weft_loop *closed = open_loop();
    weft_thread_future *future = NULL;
    int drops = 0;

    EQUAL(weft_loop_close(closed), 0);
    EQUAL(weft_run_coroutine_threadsafe(weft_coro_on_drop(gives(0), count_up, &drops), closed,
                                        &future),
          -EBADF);
    EQUAL(
        weft_run_coroutine_threadsafe(weft_coro_on_drop(gives(0), count_up, &drops), NULL, &future),
        -EINVAL);
    EQUAL(weft_run_coroutine_threadsafe(NULL, loop, &future), -EINVAL);
    CHECK(future == NULL);
    EQUAL(drops, 2);
}

static atomic_int waiting;

static void *waits_in_thread(void *arg)
{
    weft_thread_future *future = arg;
    int status = 77;

    atomic_fetch_add(&waiting, 1);
    EQUAL(weft_thread_future_wait(future, INFINITY, &status), 0);
    EQUAL(status, -ECANCELED);
    EQUAL(weft_thread_future_cancel(future), -EALREADY);
    return NULL;
}

static void close_while_somebody_waits(bool run_first)
{
    struct gate gate = GATE;
    pthread_t thread;
    weft_thread_future *future = NULL;
    int drops = 0;

    atomic_store(&waiting, 0);
    loop = open_loop();
    EQUAL(weft_run_coroutine_threadsafe(weft_coro_on_drop(waits_for_gate(&gate), count_up, &drops),
                                        loop, &future),
          0);
    if (run_first) { /* the task has begun */
        EQUAL(run(sleeps(0.002)), 0);
        EQUAL(weft_all_tasks(loop, NULL, 0), 1);
    }
    EQUAL(pthread_create(&thread, NULL, waits_in_thread, future), 0);
    while (atomic_load(&waiting) == 0) {
        sched_yield();
    }
    close_loop();
    pthread_join(thread, NULL);
    EQUAL(drops, !run_first);
    weft_thread_future_free(future);
    if (run_first) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
}

ALONE(nobody_waits_for_a_coroutine_whose_loop_closed_before_it_began)
{
    close_while_somebody_waits(false);
}

ALONE(nor_for_one_whose_loop_closed_before_it_ended)
{
    size_t live = live_blocks();

    close_while_somebody_waits(true);
    CHECK(live_blocks() >= live);
}

/* Many, from many threads. */

enum { THREADS = 4 };

WEFT_ASYNC(adds, (int *, sum), (int, n))
{
    *sum += n; /* on the loop's thread: no lock */
    if (n % 7 == 0) {
        weft_sleep(0);
    }
    return n;
}

static int sum;

static void *asks_often(void *times)
{
    for (int i = 1; i <= *(int *)times; i++) {
        weft_thread_future *future = ask(adds(&sum, i));

        if (i % 5 == 0) {
            weft_thread_future_cancel(future);
        }
        if (i % 3 == 0) {
            weft_thread_future_free(future);
        } else {
            EQUAL(answer(future), i);
        }
    }
    return NULL;
}

ALONE(thousands_of_calls_from_many_threads)
{
    pthread_t threads[THREADS];
    int times = many(20000) / 10;

    sum = 0;
    begin_other();
    for (int i = 0; i < THREADS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, asks_often, &times), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQUAL(answer(ask(gives(0))), 0);
    end_other();
    EQUAL(sum, THREADS * times * (times + 1) / 2);
}

/* Loops in several threads that call each other. */

struct ring {
    weft_loop *loops[3];
};

static struct ring ring;

WEFT_ASYNC(goes_round, (int, at), (int, left))
{
    weft_thread_future *future = NULL;
    int status = 0, r;
    weft_coro *goes_on;

    if (left == 0) {
        return 0;
    }
    goes_on = goes_round((at + 1) % 3, left - 1);
    r = weft_run_coroutine_threadsafe(goes_on, ring.loops[(at + 1) % 3], &future);
    r = r < 0 ? r : weft_thread_future_wait(future, INFINITY, &status);
    weft_thread_future_free(future);
    return r < 0 ? r : status + 1;
}

static void *runs_ring(void *loop_of_ring)
{
    EQUAL(weft_loop_run_forever(loop_of_ring), 0);
    return NULL;
}

ALONE(loops_in_three_threads_call_each_other)
{
    pthread_t threads[3];
    weft_thread_future *future = NULL;
    int status = 0, turns = many(3000) / 10;

    for (int i = 0; i < 3; i++) {
        ring.loops[i] = open_loop();
        EQUAL(weft_loop_call_soon(ring.loops[i], expect, (void *)1, NULL), 0);
        EQUAL(pthread_create(&threads[i], NULL, runs_ring, ring.loops[i]), 0);
    }
    EQUAL(weft_run_coroutine_threadsafe(goes_round(0, turns), ring.loops[0], &future), 0);
    EQUAL(weft_thread_future_wait(future, 100, &status), 0);
    EQUAL(status, turns);
    weft_thread_future_free(future);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_loop_call_soon_threadsafe(ring.loops[i], stop_other, NULL, NULL), 0);
        pthread_join(threads[i], NULL);
        EQUAL(weft_loop_close(ring.loops[i]), 0);
    }
}

/* fork(2) */

static weft_thread_future *parents;

static int child_with_futures(void)
{
    weft_thread_future *future = NULL;
    int drops = 0, status = 77;

    EQUAL(weft_run_coroutine_threadsafe(weft_coro_on_drop(gives(0), count_up, &drops), other.loop,
                                        &future),
          -ECHILD);
    EQUAL(drops, 1);
    EQUAL(weft_thread_future_wait(parents, INFINITY, &status), -ECHILD);
    EQUAL(weft_thread_future_result(parents, NULL), -ECHILD);
    EQUAL(weft_thread_future_cancel(parents), -ECHILD);
    EQUAL(weft_thread_future_add_done_callback(parents, note_done, NULL), -ECHILD);
    EQUAL(weft_thread_future_done(parents), true);
    CHECK(weft_thread_future_free(parents) == NULL);
    EQUAL(status, 77);
    return 7;
}

ALONE(the_parents_futures_are_not_the_childs)
{
    struct gate gate = GATE;

    begin_other();
    parents = ask(waits_for_gate(&gate));
    EQUAL(in_child(child_with_futures, NULL, 0), 7 << 8);
    gate_open(&gate);
    EQUAL(answer(parents), 7);
    end_other();
}

static CU_TestInfo tests[] = {
    TEST(a_thread_learns_the_status),
    TEST(and_the_value),
    TEST(a_wait_has_a_limit),
    TEST(a_cancel_reaches_the_task),
    TEST(a_task_that_was_cancelled_there_shows_it_here),
    TEST(what_is_freed_runs_on_and_its_failure_is_reported),
    TEST(done_callbacks_are_called_once_and_in_order),
    TEST(the_loops_own_thread_may_ask_but_not_wait),
    TEST(a_task_of_another_loop_waits_as_a_task),
    TEST(and_its_wait_can_be_cancelled),
    TEST(a_callback_may_not_wait),
    TEST(a_coroutine_that_one_loop_made_runs_in_another),
    TEST(a_closed_loop_refuses_and_drops_the_coroutine),
    TEST(nobody_waits_for_a_coroutine_whose_loop_closed_before_it_began),
    TEST(nor_for_one_whose_loop_closed_before_it_ended),
    TEST(thousands_of_calls_from_many_threads),
    TEST(loops_in_three_threads_call_each_other),
    TEST(the_parents_futures_are_not_the_childs),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(thread_future, tests)
