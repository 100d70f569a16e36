/* SPDX-License-Identifier: MIT
 * The queue between threads and tasks: order, batches, waits and their ends, shutdown; nothing is
 * lost and nothing comes twice. */
#include "tests/task/thread.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#define ITEM(n) ((void *)(intptr_t)(n))
#define NUMBER(item) ((int)(intptr_t)(item))

static weft_thread_queue *queue;
static int dropped;

static void drop(void *item)
{
    dropped += NUMBER(item);
}

static void make(size_t maxsize)
{
    dropped = 0;
    EQUAL(weft_thread_queue_new(maxsize, drop, &queue), 0);
}

static void unmake(void)
{
    CHECK(weft_thread_queue_free(queue) == NULL);
}

static int get_number(double timeout)
{
    void *item = ITEM(-9999);
    int r = weft_thread_queue_get(queue, timeout, &item);

    CHECK(r == 0 || NUMBER(item) == -9999);
    return r < 0 ? r : NUMBER(item);
}

/* In a thread without a loop, where nothing has to wait. */

ALONE(items_come_out_in_their_order)
{
    void *item = NULL;

    make(3);
    EQUAL(weft_thread_queue_qsize(queue), 0);
    EQUAL(weft_thread_queue_get_nowait(queue, &item), -EAGAIN);
    for (int round = 0; round < 10; round++) { /* round the ring */
        EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
        EQUAL(weft_thread_queue_put(queue, ITEM(2), 1), 0);
        EQUAL(weft_thread_queue_put(queue, NULL, 0), 0); /* an item like any other */
        EQUAL(weft_thread_queue_qsize(queue), 3);
        EQUAL(weft_thread_queue_put_nowait(queue, ITEM(4)), -EAGAIN);
        EQUAL(weft_thread_queue_put(queue, ITEM(4), 0), -ETIMEDOUT);
        EQUAL(get_number(INFINITY), 1);
        EQUAL(get_number(0), 2);
        EQUAL(weft_thread_queue_get_nowait(queue, &item), 0);
        CHECK(item == NULL);
        EQUAL(get_number(0), -ETIMEDOUT);
    }
    unmake();
    EQUAL(dropped, 0);
}

ALONE(batches_keep_the_order)
{
    void *in[20], *out[20];
    int next = 0, put = 0;

    make(13);
    for (int i = 0; i < 20; i++) {
        in[i] = ITEM(i);
    }
    EQUAL(weft_thread_queue_put_many(queue, in, 0, 1), 0);
    EQUAL(weft_thread_queue_get_many(queue, out, 0, 1), 0);
    for (int round = 0; round < 50; round++) {
        int n = 1 + round % 13;

        for (int i = 0; i < n; i++) {
            in[i] = ITEM(put + i);
        }
        EQUAL(weft_thread_queue_put_many(queue, in, (size_t)n, 0), n);
        put += n;
        while (next < put) {
            int64_t got = weft_thread_queue_get_many(queue, out, 1 + (size_t)round % 7, 0);

            CHECK(got > 0 && got <= 1 + round % 7);
            for (int i = 0; i < got; i++) {
                EQUAL(NUMBER(out[i]), next++);
            }
        }
    }
    EQUAL(weft_thread_queue_get_many(queue, out, 20, 0), -ETIMEDOUT);
    EQUAL(weft_thread_queue_put_many(queue, in, 20, 0), 13); /* what fits */
    EQUAL(weft_thread_queue_put_many(queue, in, 20, 0.001), -ETIMEDOUT);
    EQUAL(weft_thread_queue_get_many(queue, out, 20, 1), 13);
    unmake();
}

ALONE(misuse_is_told)
{
    weft_thread_queue *none = NULL, *spent;
    void *item = NULL;

    EQUAL(weft_thread_queue_new(0, NULL, &none), -EINVAL);
    EQUAL(weft_thread_queue_new(SIZE_MAX, NULL, &none), -EINVAL);
    EQUAL(weft_thread_queue_new(1, NULL, NULL), -EINVAL);
    CHECK(none == NULL);
    make(1);
    EQUAL(weft_thread_queue_get(queue, NAN, &item), -EINVAL);
    EQUAL(weft_thread_queue_get(queue, 1, NULL), -EINVAL);
    EQUAL(weft_thread_queue_get_nowait(queue, NULL), -EINVAL);
    EQUAL(weft_thread_queue_put(NULL, NULL, 1), -EINVAL);
    spent = queue;
    CHECK(weft_thread_queue_ref(queue) == queue);
    unmake();
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(5)), 0); /* one hold is left */
    unmake();
    EQUAL(dropped, 5);
    EQUAL(weft_thread_queue_put(spent, NULL, 1), -ESRCH);
    EQUAL(weft_thread_queue_get_nowait(spent, &item), -ESRCH);
    EQUAL(weft_thread_queue_shutdown(spent, true), -ESRCH);
    EQUAL(weft_thread_queue_qsize(spent), -ESRCH);
    CHECK(weft_thread_queue_free(spent) == NULL);
    CHECK(weft_thread_queue_free(NULL) == NULL);
}

ALONE(what_is_left_is_dropped)
{
    make(4);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(10)), 0);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(20)), 0);
    unmake();
    EQUAL(dropped, 30);
}

ALONE(shutdown_lets_the_rest_be_got)
{
    void *item = NULL;

    make(4);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    EQUAL(weft_thread_queue_shutdown(queue, false), 0);
    EQUAL(weft_thread_queue_shutdown(queue, false), 0);
    EQUAL(weft_thread_queue_put(queue, ITEM(2), 1), -ESHUTDOWN);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(2)), -ESHUTDOWN);
    EQUAL(get_number(1), 1);
    EQUAL(get_number(1), -ESHUTDOWN);
    EQUAL(weft_thread_queue_get_nowait(queue, &item), -ESHUTDOWN);
    EQUAL(dropped, 0);
    unmake();
}

ALONE(shutdown_at_once_drops_the_rest)
{
    make(4);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(2)), 0);
    EQUAL(weft_thread_queue_shutdown(queue, true), 0);
    EQUAL(dropped, 3);
    EQUAL(get_number(1), -ESHUTDOWN);
    unmake();
}

/* Tasks of one loop. */

WEFT_ASYNC(a_get, (double, timeout))
{
    return get_number(timeout);
}

WEFT_ASYNC(a_put, (int, number), (double, timeout))
{
    return weft_thread_queue_put(queue, ITEM(number), timeout);
}

IN_TASK(a_task_that_gets_waits_for_one_that_puts)
{
    weft_task *first, *second;

    make(1);
    first = weft_create_task(a_get(INFINITY), NULL);
    second = weft_create_task(a_get(INFINITY), NULL);
    weft_sleep(0);
    EQUAL(weft_thread_queue_put(queue, ITEM(1), INFINITY), 0);
    EQUAL(weft_thread_queue_put(queue, ITEM(2), INFINITY), 0); /* when there is room again */
    EQUAL(weft_await(first), 1);
    EQUAL(weft_await(second), 2);
    unmake();
}

IN_TASK(a_task_that_puts_waits_for_room)
{
    weft_task *task;

    make(1);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    task = weft_create_task(a_put(2, INFINITY), NULL);
    weft_sleep(0);
    EQUAL(weft_task_done(task), false);
    EQUAL(get_number(INFINITY), 1);
    EQUAL(get_number(INFINITY), 2);
    EQUAL(weft_await(task), 0);
    unmake();
}

IN_TASK(waits_run_out_of_time)
{
    double start = weft_loop_time(NULL);

    make(1);
    EQUAL(get_number(0.003), -ETIMEDOUT);
    CHECK(weft_loop_time(NULL) - start > 0.0029);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    EQUAL(weft_thread_queue_put(queue, ITEM(2), 0.003), -ETIMEDOUT);
    EQUAL(weft_thread_queue_qsize(queue), 1);
    unmake();
}

IN_TASK(a_cancelled_get_takes_nothing)
{
    weft_task *getter;

    make(1);
    getter = weft_create_task(a_get(INFINITY), NULL);
    weft_sleep(0);
    weft_task_cancel(getter);
    EQUAL(weft_await(getter), -ECANCELED);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    EQUAL(weft_thread_queue_qsize(queue), 1);
    unmake();
}

IN_TASK(a_get_that_is_called_after_its_cancel_has_its_item_or_leaves_it)
{
    weft_task *getter;
    int r;

    make(1);
    getter = weft_create_task(a_get(INFINITY), NULL);
    weft_sleep(0);
    weft_task_cancel(getter);                               /* its turn has not come yet, */
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0); /* when this calls it */
    r = weft_await(getter);
    CHECK(r == 1 || r == -ECANCELED);
    EQUAL(weft_thread_queue_qsize(queue) + (r == 1), 1);
    unmake();
}

IN_TASK(a_get_that_was_called_before_the_cancel_has_its_item)
{
    weft_task *getter;

    make(1);
    getter = weft_create_task(a_get(INFINITY), NULL);
    weft_sleep(0);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0); /* it is called, */
    weft_task_cancel(getter);                               /* and then cancelled */
    EQUAL(weft_await(getter), 1);
    unmake();
}

IN_TASK(a_task_that_is_cancelled_puts_and_gets_nothing)
{
    weft_task *getter, *putter;

    make(2);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    getter = weft_create_task(a_get(INFINITY), NULL);
    putter = weft_create_task(a_put(5, INFINITY), NULL);
    weft_task_cancel(getter);
    weft_task_cancel(putter);
    EQUAL(weft_await(getter), -ECANCELED);
    EQUAL(weft_await(putter), -ECANCELED);
    EQUAL(weft_thread_queue_qsize(queue), 1);
    unmake();
    EQUAL(dropped, 1);
}

static int in_callback;

static void get_in_callback(void *unused)
{
    void *item;

    (void)unused;
    in_callback = weft_thread_queue_get(queue, 1, &item);
    EQUAL(weft_thread_queue_get_nowait(queue, &item), 0);
}

IN_TASK(a_callback_has_the_forms_that_do_not_wait)
{
    make(1);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    weft_loop_call_soon(NULL, get_in_callback, NULL, NULL);
    weft_sleep(0);
    EQUAL(in_callback, -EPERM);
    EQUAL(weft_thread_queue_qsize(queue), 0);
    unmake();
}

WEFT_ASYNC(puts_many, (int, n), (double, timeout))
{
    void *items[100];

    for (int i = 0; i < n; i++) {
        items[i] = ITEM(i + 1);
    }
    return (int)weft_thread_queue_put_many(queue, items, (size_t)n, timeout);
}

IN_TASK(a_batch_larger_than_the_queue_goes_through_in_parts)
{
    weft_task *putter;

    make(7);
    putter = weft_create_task(puts_many(100, INFINITY), NULL);
    for (int i = 1; i <= 100; i++) {
        EQUAL(get_number(INFINITY), i);
    }
    EQUAL(weft_await(putter), 100);
    unmake();
}

IN_TASK(a_batch_that_is_cancelled_says_how_much_went)
{
    weft_task *putter;

    make(7);
    putter = weft_create_task(puts_many(100, INFINITY), NULL);
    weft_sleep(0);
    weft_task_cancel(putter);
    EQUAL(weft_await(putter), 7);
    EQUAL(weft_await(weft_create_task(puts_many(100, 0.001), NULL)), -ETIMEDOUT);
    unmake();
    EQUAL(dropped, 28);
}

IN_TASK(shutdown_wakes_everyone)
{
    weft_task *tasks[6];

    make(1);
    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(a_get(INFINITY), NULL);
    }
    weft_sleep(0);
    EQUAL(weft_thread_queue_shutdown(queue, false), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_await(tasks[i]), -ESHUTDOWN);
    }
    unmake();
    make(1);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), 0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(a_put(2, INFINITY), NULL);
    }
    weft_sleep(0);
    EQUAL(weft_thread_queue_shutdown(queue, true), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_await(tasks[i]), -ESHUTDOWN);
    }
    EQUAL(dropped, 1);
    unmake();
}

IN_TASK(a_queue_that_is_freed_wakes_who_waits_in_it)
{
    weft_task *getter;

    make(1);
    getter = weft_create_task(a_get(INFINITY), NULL);
    weft_sleep(0);
    unmake();
    EQUAL(weft_await(getter), -ESHUTDOWN);
}

/* Between threads and tasks. */

static int sends(void *count)
{
    for (int i = 1; i <= *(int *)count; i++) {
        EQUAL(weft_thread_queue_put(queue, ITEM(i), INFINITY), 0);
    }
    return 0;
}

static int receives(void *count)
{
    for (int i = 1; i <= *(int *)count; i++) {
        EQUAL(get_number(INFINITY), i);
    }
    return 0;
}

WEFT_ASYNC(runs_job, (weft_job *, job), (int *, count))
{
    return weft_to_thread_named(job, count, "job");
}

IN_TASK(a_thread_sends_to_a_task_and_back)
{
    int count = many(20000) / 4;
    weft_task *thread;

    make(16);
    thread = weft_create_task(runs_job(sends, &count), NULL);
    for (int i = 1; i <= count; i++) {
        EQUAL(get_number(INFINITY), i);
    }
    EQUAL(weft_await(thread), 0);
    thread = weft_create_task(runs_job(receives, &count), NULL);
    for (int i = 1; i <= count; i++) {
        EQUAL(weft_thread_queue_put(queue, ITEM(i), INFINITY), 0);
    }
    EQUAL(weft_await(thread), 0);
    unmake();
}

/* Everyone at once: threads, tasks and their batches; each item comes exactly once. */

enum { WRITERS = 3, READERS = 3, BATCH = 50 };

static atomic_int sum, seen;

static int writes_batches(void *count)
{
    void *items[BATCH];
    int left = *(int *)count, next = 1;

    while (left > 0) {
        int n = left < BATCH ? left : 1 + next % BATCH;

        for (int i = 0; i < n; i++) {
            items[i] = ITEM(next + i);
        }
        EQUAL(weft_thread_queue_put_many(queue, items, (size_t)n, INFINITY), n);
        next += n;
        left -= n;
    }
    return 0;
}

static int reads_batches(void *unused)
{
    void *items[BATCH];
    int64_t n;

    (void)unused;
    while ((n = weft_thread_queue_get_many(queue, items, BATCH, INFINITY)) > 0) {
        for (int64_t i = 0; i < n; i++) {
            atomic_fetch_add(&sum, NUMBER(items[i]));
        }
        atomic_fetch_add(&seen, (int)n);
    }
    return (int)n;
}

WEFT_ASYNC(task_writes, (int *, count))
{
    return writes_batches(count);
}

WEFT_ASYNC(task_reads)
{
    return reads_batches(NULL);
}

IN_TASK(threads_and_tasks_share_a_queue)
{
    int count = many(30000) / 3, total = (WRITERS + 1) * count;
    weft_executor *executor = NULL;
    weft_task *writers[WRITERS + 1], *readers[READERS + 1];

    EQUAL(weft_executor_new(&(weft_executor_options){ .max_workers = 8 }, &executor), 0);
    EQUAL(weft_loop_set_default_executor(NULL, executor), 0);
    weft_executor_free(executor);
    make(64);
    atomic_store(&sum, 0);
    atomic_store(&seen, 0);
    for (int i = 0; i < READERS; i++) {
        readers[i] = weft_create_task(runs_job(reads_batches, NULL), NULL);
    }
    readers[READERS] = weft_create_task(task_reads(), NULL);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = weft_create_task(runs_job(writes_batches, &count), NULL);
    }
    writers[WRITERS] = weft_create_task(task_writes(&count), NULL);
    for (int i = 0; i <= WRITERS; i++) {
        EQUAL(weft_await(writers[i]), 0);
    }
    EQUAL(weft_thread_queue_shutdown(queue, false), 0);
    for (int i = 0; i <= READERS; i++) {
        EQUAL(weft_await(readers[i]), -ESHUTDOWN);
    }
    EQUAL(atomic_load(&seen), total);
    EQUAL(atomic_load(&sum), (int)((int64_t)(WRITERS + 1) * count * (count + 1) / 2));
    unmake();
}

/* Loops in several threads, each with a task, in a row. */

enum { LOOPS = 4 };

static weft_thread_queue *row[LOOPS + 1];

WEFT_ASYNC(passes_on, (int, at))
{
    void *items[BATCH];
    int64_t n;

    while ((n = weft_thread_queue_get_many(row[at], items, BATCH, INFINITY)) > 0) {
        int64_t put = weft_thread_queue_put_many(row[at + 1], items, (size_t)n, INFINITY);

        EQUAL(put, n);
    }
    EQUAL(weft_thread_queue_shutdown(row[at + 1], false), 0);
    return (int)n;
}

static void *runs_loop(void *at)
{
    weft_run_options options = { .backend = backend() };

    EQUAL(weft_run(passes_on(NUMBER(at)), &options), -ESHUTDOWN);
    return NULL;
}

ALONE(loops_in_several_threads_pass_items_on)
{
    pthread_t threads[LOOPS], writer;
    int count = many(20000), next = 1;
    void *items[BATCH];
    int64_t n;

    for (int i = 0; i <= LOOPS; i++) {
        EQUAL(weft_thread_queue_new(32, NULL, &row[i]), 0);
    }
    for (int i = 0; i < LOOPS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, runs_loop, ITEM(i)), 0);
    }
    queue = row[0];
    EQUAL(pthread_create(&writer, NULL, (void *(*)(void *))(void (*)(void))writes_batches, &count),
          0);
    while (next <= count &&
           (n = weft_thread_queue_get_many(row[LOOPS], items, BATCH, INFINITY)) > 0) {
        for (int64_t i = 0; i < n; i++) {
            next += NUMBER(items[i]) == next;
        }
    }
    EQUAL(next, count + 1);
    pthread_join(writer, NULL);
    EQUAL(weft_thread_queue_shutdown(row[0], false), 0);
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i <= LOOPS; i++) {
        weft_thread_queue_free(row[i]);
    }
}

/* The parts of a batch that does not fit meet a getter that comes to wait between two of them. */

static void *gets_all(void *count)
{
    void *items[3];
    int left = *(int *)count;

    while (left > 0) {
        int64_t n = weft_thread_queue_get_many(queue, items, 3, INFINITY);

        left -= (int)n;
    }
    return NULL;
}

ALONE(every_part_of_a_batch_wakes_who_waits)
{
    void *items[50] = { NULL };
    int count = many(500) * 50;
    pthread_t getter;

    EQUAL(weft_thread_queue_new(2, NULL, &queue), 0);
    EQUAL(pthread_create(&getter, NULL, gets_all, &count), 0);
    for (int i = 0; i < count / 50; i++) {
        EQUAL(weft_thread_queue_put_many(queue, items, 50, INFINITY), 50);
    }
    pthread_join(getter, NULL);
    queue = weft_thread_queue_free(queue);
}

/* Cancels while items fly: what was put is got, or still there. */

static atomic_bool over;

static int puts_until_over(void *count)
{
    int i = 0;

    while (!atomic_load(&over)) {
        i += weft_thread_queue_put(queue, ITEM(1), 0.0005) == 0;
    }
    *(int *)count = i;
    return 0;
}

WEFT_ASYNC(gets_until_cancelled, (int *, count))
{
    void *items[3];
    int64_t n;

    while ((n = weft_thread_queue_get_many(queue, items, 3, INFINITY)) > 0) {
        *count += (int)n;
    }
    return (int)n;
}

IN_TASK(nothing_is_lost_when_getters_are_cancelled)
{
    int put = 0, got = 0;
    weft_task *thread;

    make(4);
    atomic_store(&over, false);
    thread = weft_create_task(runs_job(puts_until_over, &put), NULL);
    for (int i = 0; i < many(500); i++) {
        weft_task *getter = weft_create_task(gets_until_cancelled(&got), NULL);

        weft_sleep(i % 3 * 0.00005);
        weft_task_cancel(getter);
        EQUAL(weft_await(getter), -ECANCELED);
    }
    atomic_store(&over, true);
    EQUAL(weft_await(thread), 0);
    EQUAL(got + weft_thread_queue_qsize(queue), put);
    unmake();
}

/* A loop that closes with a getter in it: the next getter has its turn.  In a child, for the
 * abandoned task keeps what it waits in for ever. */

static int leaves_a_getter_behind(void)
{
    weft_loop *closing = open_loop();

    make(2);
    EQUAL(weft_task_detach(weft_loop_create_task(closing, a_get(INFINITY), NULL)), 0);
    EQUAL(weft_loop_run_until_complete(closing, sleeps(0.001)), 0);
    EQUAL(weft_loop_close(closing), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    loop = open_loop();
    EQUAL(weft_task_detach(weft_loop_create_task(loop, a_get(INFINITY), NULL)), 0);
    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(3)), 0); /* for the first, who is gone */
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(weft_thread_queue_qsize(queue), 0); /* so the second got it */
    close_loop();
    unmake();
    return 7;
}

ALONE(a_getter_whose_loop_closed_is_passed_over)
{
    EQUAL(in_child(leaves_a_getter_behind, NULL, 0), 7 << 8);
}

/* fork(2) */

static int uses_the_parents_queue(void)
{
    void *item = NULL;
    weft_thread_queue *parents = queue;

    EQUAL(weft_thread_queue_put(queue, ITEM(1), 1), -ECHILD);
    EQUAL(weft_thread_queue_put_nowait(queue, ITEM(1)), -ECHILD);
    EQUAL(weft_thread_queue_get(queue, 1, &item), -ECHILD);
    EQUAL(weft_thread_queue_get_nowait(queue, &item), -ECHILD);
    EQUAL(weft_thread_queue_shutdown(queue, true), -ECHILD);
    EQUAL(weft_thread_queue_qsize(queue), -ECHILD);
    CHECK(weft_thread_queue_free(queue) == NULL);
    make(2); /* it may have one of its own */
    EQUAL(weft_thread_queue_put(queue, ITEM(1), 1), 0);
    EQUAL(get_number(1), 1);
    unmake();
    EQUAL(weft_thread_queue_qsize(parents), -ECHILD);
    return 7;
}

ALONE(a_forked_child_has_queues_of_its_own)
{
    make(2);
    EQUAL(weft_thread_queue_put(queue, ITEM(4), 1), 0);
    EQUAL(in_child(uses_the_parents_queue, NULL, 0), 7 << 8);
    EQUAL(get_number(1), 4);
    unmake();
}

static CU_TestInfo tests[] = {
    TEST(items_come_out_in_their_order),
    TEST(batches_keep_the_order),
    TEST(misuse_is_told),
    TEST(what_is_left_is_dropped),
    TEST(shutdown_lets_the_rest_be_got),
    TEST(shutdown_at_once_drops_the_rest),
    TEST(a_task_that_gets_waits_for_one_that_puts),
    TEST(a_task_that_puts_waits_for_room),
    TEST(waits_run_out_of_time),
    TEST(a_cancelled_get_takes_nothing),
    TEST(a_get_that_is_called_after_its_cancel_has_its_item_or_leaves_it),
    TEST(a_get_that_was_called_before_the_cancel_has_its_item),
    TEST(a_task_that_is_cancelled_puts_and_gets_nothing),
    TEST(a_callback_has_the_forms_that_do_not_wait),
    TEST(a_batch_larger_than_the_queue_goes_through_in_parts),
    TEST(a_batch_that_is_cancelled_says_how_much_went),
    TEST(shutdown_wakes_everyone),
    TEST(a_queue_that_is_freed_wakes_who_waits_in_it),
    TEST(a_thread_sends_to_a_task_and_back),
    TEST(threads_and_tasks_share_a_queue),
    TEST(loops_in_several_threads_pass_items_on),
    TEST(every_part_of_a_batch_wakes_who_waits),
    TEST(nothing_is_lost_when_getters_are_cancelled),
    TEST(a_getter_whose_loop_closed_is_passed_over),
    TEST(a_forked_child_has_queues_of_its_own),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(thread_queue, tests)
