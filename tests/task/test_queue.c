/* SPDX-License-Identifier: MIT
 * Queues: order, room, who waits, values, joining. */
#include "tests/task/steps.h"

#include <string.h>

static weft_queue *queue;

static void fresh(size_t maxsize)
{
    EQUAL(weft_queue_new(maxsize, &queue), 0);
}

static void fresh_with(weft_queue_options options)
{
    EQUAL(weft_queue_new_with(&options, &queue), 0);
}

static void done_with_it(void)
{
    EQUAL(weft_queue_free(queue), 0);
}

static int put(intptr_t item)
{
    return weft_queue_put_nowait(queue, (void *)item);
}

/* The next item without waiting, or the error. */
static intptr_t next(void)
{
    void *item = &queue;
    int r = weft_queue_get_nowait(queue, &item);

    CHECK(r == 0 || item == &queue);
    return r < 0 ? r : (intptr_t)item;
}

WEFT_ASYNC(puts_in, (intptr_t, item), (const char *, words))
{
    int r = weft_queue_put(queue, (void *)item);

    note(words);
    return r;
}

/* The item, or the error. */
WEFT_ASYNC(gets_out, (const char *, words))
{
    void *item = &queue;
    int r = weft_queue_get(queue, &item);

    note(words);
    CHECK(r == 0 || item == &queue);
    return r < 0 ? r : (int)(intptr_t)item;
}

static weft_task *putting(intptr_t item, const char *words)
{
    weft_task *task = weft_create_task(puts_in(item, words), NULL);

    weft_sleep(0);
    return task;
}

static weft_task *getting(const char *words)
{
    weft_task *task = weft_create_task(gets_out(words), NULL);

    weft_sleep(0);
    return task;
}

/* Order. */

IN_TASK(first_in_first_out)
{
    fresh(0);
    for (int i = 1; i <= 100; i++) {
        EQUAL(put(i), 0);
    }
    EQUAL(weft_queue_qsize(queue), 100);
    for (int i = 1; i <= 50; i++) {
        EQUAL(next(), i);
    }
    for (int i = 101; i <= 200; i++) { /* around the end of the ring */
        EQUAL(put(i), 0);
    }
    for (int i = 51; i <= 200; i++) {
        EQUAL(next(), i);
    }
    EQUAL(next(), -EAGAIN);
    CHECK(weft_queue_empty(queue));
    done_with_it();
}

IN_TASK(last_in_first_out)
{
    EQUAL(weft_lifo_queue_new(0, &queue), 0);
    for (int i = 1; i <= 40; i++) {
        EQUAL(put(i), 0);
    }
    for (int i = 40; i > 30; i--) {
        EQUAL(next(), i);
    }
    EQUAL(put(7), 0);
    EQUAL(next(), 7);
    EQUAL(next(), 30);
    done_with_it();
}

IN_TASK(the_smallest_first)
{
    EQUAL(weft_priority_queue_new(0, NULL, NULL, &queue), 0);
    for (int i = 0; i < 100; i++) {
        EQUAL(put(i * 37 % 100 - 50), 0);
    }
    for (int i = 0; i < 100; i++) {
        void *item = NULL;

        EQUAL(weft_queue_get(queue, &item), 0);
        EQUAL((intptr_t)item, i - 50);
    }
    EQUAL(next(), -EAGAIN);
    done_with_it();
}

struct job {
    int urgency, number;
    char payload[24];
};

static int by_urgency(const void *a, const void *b, void *arg)
{
    const struct job *x = a, *y = b;

    CHECK(arg == &queue);
    return x->urgency - y->urgency;
}

IN_TASK(equal_ones_keep_their_order)
{
    struct job job = { 0 };

    fresh_with((weft_queue_options){ .order = WEFT_QUEUE_PRIORITY,
                                     .item_size = sizeof job,
                                     .compare = by_urgency,
                                     .arg = &queue });
    for (int i = 0; i < 60; i++) {
        job = (struct job){ .urgency = i * 7 % 3, .number = i };
        snprintf(job.payload, sizeof job.payload, "job %d", i);
        EQUAL(weft_queue_put_value(queue, &job), 0);
    }
    for (int i = 0, last = -1, urgency = 0; i < 60; i++) {
        char expected[24];

        EQUAL(weft_queue_get_value(queue, &job), 0);
        last = job.urgency == urgency ? last : -1;
        CHECK(job.urgency >= urgency && job.number > last);
        urgency = job.urgency;
        last = job.number;
        snprintf(expected, sizeof expected, "job %d", job.number);
        SAME(job.payload, expected);
    }
    done_with_it();
}

IN_TASK(pointers_are_compared_by_what_they_point_to)
{
    struct job jobs[] = { { .urgency = 2 }, { .urgency = 1 }, { .urgency = 3 } };
    void *item;

    EQUAL(weft_priority_queue_new(0, by_urgency, &queue, &queue), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_queue_put(queue, &jobs[i]), 0);
    }
    for (int i = 1; i <= 3; i++) {
        EQUAL(weft_queue_get(queue, &item), 0);
        EQUAL(((struct job *)item)->urgency, i);
    }
    done_with_it();
}

/* Room. */

IN_TASK(a_full_queue_takes_no_more)
{
    fresh(2);
    EQUAL(weft_queue_maxsize(queue), 2);
    EQUAL(put(1), 0);
    CHECK(!weft_queue_full(queue));
    EQUAL(put(2), 0);
    CHECK(weft_queue_full(queue));
    EQUAL(put(3), -EAGAIN);
    EQUAL(next(), 1);
    EQUAL(put(3), 0);
    EQUAL(next(), 2);
    EQUAL(next(), 3);
    done_with_it();
}

IN_TASK(a_putter_waits_for_room_and_its_item_is_in_when_it_wakes)
{
    fresh(1);
    weft_task *a = putting(1, "a"), *b = putting(2, "b"), *c = putting(3, "c");

    HAPPENED("a");
    EQUAL(weft_queue_qsize(queue), 1);
    EQUAL(next(), 1);
    EQUAL(weft_queue_qsize(queue), 1); /* b's, though b had no turn yet */
    EQUAL(put(4), -EAGAIN);            /* and nobody overtakes c */
    HAPPENED("");
    EQUAL(next(), 2);
    EQUAL(next(), 3);
    EQUAL(next(), -EAGAIN);
    EQUAL(weft_await(a) | weft_await(b) | weft_await(c), 0);
    HAPPENED("b c");
    done_with_it();
}

IN_TASK(getters_are_served_in_the_order_in_which_they_came)
{
    fresh(0);
    weft_task *a = getting("a"), *b = getting("b");

    EQUAL(put(1), 0);
    EQUAL(put(2), 0);
    EQUAL(weft_queue_qsize(queue), 0); /* handed over already */
    EQUAL(put(3), 0);
    EQUAL(next(), 3);
    EQUAL(weft_await(b), 2);
    EQUAL(weft_await(a), 1);
    HAPPENED("a b");
    done_with_it();
}

IN_TASK(null_is_an_item)
{
    void *item = &queue;

    fresh(0);
    weft_task *a = getting("a");

    EQUAL(weft_queue_put(queue, NULL), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_queue_put(queue, NULL), 0);
    EQUAL(weft_queue_get(queue, &item), 0);
    CHECK(item == NULL);
    HAPPENED("a");
    done_with_it();
}

IN_TASK(a_large_queue_gives_its_memory_back_when_it_is_empty)
{
    size_t live;

    fresh(0);
    live = live_blocks();
    for (int i = 0; i < 5000; i++) {
        EQUAL(put(i), 0);
    }
    EQUAL(live_blocks(), live + 1);
    for (int i = 0; i < 5000; i++) {
        EQUAL(next(), i);
    }
    EQUAL(live_blocks(), live);
    EQUAL(put(1), 0);
    EQUAL(next(), 1);
    done_with_it();
}

/* A rendezvous. */

IN_TASK(a_rendezvous_holds_nothing)
{
    fresh_with((weft_queue_options){ .rendezvous = true });
    CHECK(weft_queue_empty(queue) && weft_queue_full(queue));
    EQUAL(put(1), -EAGAIN);
    EQUAL(next(), -EAGAIN);
    weft_task *a = putting(1, "a"), *b = putting(2, "b");

    HAPPENED("");
    EQUAL(next(), 1);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
    weft_task *c = getting("c"), *d = getting("d");

    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 2);
    EQUAL(put(3), 0);
    EQUAL(put(4), -EAGAIN);
    EQUAL(weft_await(d), 3);
    HAPPENED("c b d");
    done_with_it();
}

/* Values. */

IN_TASK(values_are_copied)
{
    struct job job = { 1, 2, "three" }, other = { 0 };

    fresh_with((weft_queue_options){ .item_size = sizeof job, .maxsize = 1 });
    EQUAL(weft_queue_put_value(queue, &job), 0);
    EQUAL(weft_queue_put_value_nowait(queue, &job), -EAGAIN);
    memset(&job, 0, sizeof job);
    EQUAL(weft_queue_get_value(queue, &other), 0);
    SAME(other.payload, "three");
    EQUAL(weft_queue_get_value_nowait(queue, &other), -EAGAIN);
    EQUAL(weft_queue_put(queue, &job), -EINVAL);
    EQUAL(weft_queue_put_nowait(queue, &job), -EINVAL);
    EQUAL(weft_queue_get(queue, (void **)&other), -EINVAL);
    EQUAL(weft_queue_get_nowait(queue, (void **)&other), -EINVAL);
    done_with_it();
}

WEFT_ASYNC(sends_bytes)
{
    for (char c = 'a'; c <= 'e'; c++) {
        EQUAL(weft_queue_put_value(queue, &c), 0);
    }
    return weft_queue_shutdown(queue, false);
}

IN_TASK(a_value_may_be_one_byte)
{
    char c, bytes[10] = "";
    int n = 0, r;

    fresh_with((weft_queue_options){ .item_size = 1, .rendezvous = true });
    weft_task *task = weft_create_task(sends_bytes(), NULL);

    while ((r = weft_queue_get_value(queue, &c)) == 0 && n < 9) {
        bytes[n++] = c;
    }
    EQUAL(r, -ESHUTDOWN);
    SAME(bytes, "abcde");
    EQUAL(weft_await(task), 0);
    done_with_it();
}

/* Joining. */

WEFT_ASYNC(joins)
{
    int r = weft_queue_join(queue);

    note("joined");
    return r;
}

IN_TASK(join_waits_until_all_is_done)
{
    fresh(0);
    EQUAL(weft_queue_join(queue), 0);
    EQUAL(put(1), 0);
    EQUAL(put(2), 0);
    weft_task *a = weft_create_task(joins(), NULL), *b = weft_create_task(joins(), NULL);

    weft_sleep(0);
    EQUAL(next(), 1);
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(next(), 2);
    weft_sleep(0);
    HAPPENED("");
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(weft_await(a) | weft_await(b), 0);
    HAPPENED("joined joined");
    EQUAL(weft_queue_task_done(queue), -EINVAL);
    CHECK(strstr(weft_error_detail(), "more often") != NULL);
    done_with_it();
}

IN_TASK(what_was_handed_over_directly_is_to_be_done_too)
{
    fresh(0);
    weft_task *a = getting("a");

    EQUAL(put(1), 0);
    weft_task *b = weft_create_task(joins(), NULL);

    EQUAL(weft_await(a), 1);
    weft_sleep(0);
    HAPPENED("a");
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("joined");
    done_with_it();
}

/* Cancels. */

IN_TASK(a_cancelled_task_puts_and_gets_nothing)
{
    void *item = &queue;

    fresh(0);
    EQUAL(put(1), 0);
    weft_task_cancel(weft_current_task());
    EQUAL(weft_queue_put(queue, NULL), -ECANCELED);
    EQUAL(weft_queue_get(queue, &item), -ECANCELED);
    CHECK(item == &queue);
    EQUAL(weft_queue_join(queue), -ECANCELED);
    EQUAL(next(), 1); /* without waiting it can */
    EQUAL(put(2), 0);
    weft_task_uncancel(weft_current_task());
    EQUAL(next(), 2);
    done_with_it();
}

IN_TASK(who_was_served_keeps_it_and_who_was_not_leaves)
{
    fresh(0);
    weft_task *a = getting("a"), *b = getting("b");

    EQUAL(put(1), 0);
    weft_task_cancel(a); /* too late */
    weft_task_cancel(b);
    EQUAL(put(2), 0);
    EQUAL(weft_queue_qsize(queue), 1);
    EQUAL(weft_await(a), 1);
    EQUAL(weft_await(b), -ECANCELED);
    HAPPENED("a b");
    done_with_it();

    fresh(1);
    EQUAL(put(1), 0);
    a = putting(2, "a");
    b = putting(3, "b");
    EQUAL(next(), 1);
    weft_task_cancel(a); /* too late */
    weft_task_cancel(b);
    EQUAL(next(), 2);
    EQUAL(next(), -EAGAIN);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), -ECANCELED);
    HAPPENED("a b");
    done_with_it();
}

IN_TASK(a_task_that_never_waits_gives_way_in_time)
{
    int count = 0;
    void *item;

    fresh(0);
    EQUAL(weft_loop_call_soon(NULL, count_up, &count, NULL), 0);
    for (int i = 0; i < 200; i++) {
        EQUAL(weft_queue_put(queue, NULL), 0);
        EQUAL(weft_queue_get(queue, &item), 0);
    }
    EQUAL(count, 1);
    done_with_it();
}

IN_TASK(statistics_tell_who_waits_and_what_was_there)
{
    weft_queue_stats stats;

    fresh(2);
    EQUAL(put(1) | put(2), 0);
    weft_task *a = putting(3, "a"), *b = weft_create_task(joins(), NULL);

    weft_sleep(0);
    weft_queue_statistics(queue, &stats);
    EQUAL(stats.size, 2);
    EQUAL(stats.maxsize, 2);
    EQUAL(stats.highest, 2);
    EQUAL(stats.getting, 0);
    EQUAL(stats.putting, 1);
    EQUAL(stats.joining, 1);
    EQUAL(stats.unfinished, 2);
    EQUAL(stats.put, 2);
    EQUAL(next(), 1);
    weft_queue_statistics(queue, &stats);
    EQUAL(stats.put, 3);
    EQUAL(stats.size, 2);
    EQUAL(weft_queue_shutdown(queue, true), 0);
    weft_queue_statistics(queue, &stats);
    EQUAL(stats.dropped, 2);
    EQUAL(stats.unfinished, 1);
    CHECK(stats.is_shut_down);
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(weft_await(a) | weft_await(b), 0);
    HAPPENED("a joined");
    done_with_it();
}

/* Threads. */

static void *tries_it(void *unused)
{
    void *item;

    (void)unused;
    EQUAL(weft_queue_put_nowait(queue, NULL), -EXDEV);
    EQUAL(weft_queue_get_nowait(queue, &item), -EXDEV);
    EQUAL(weft_queue_task_done(queue), -EXDEV);
    return NULL;
}

IN_TASK(a_queue_that_is_made_in_a_loop_refuses_other_threads)
{
    EQUAL(weft_queue_new(0, &queue), 0);
    in_thread(tries_it, NULL);
    EQUAL(weft_queue_qsize(queue), 0);
    EQUAL(weft_queue_free(queue), 0);
}

ALONE(one_that_is_made_before_belongs_to_the_loop_that_uses_it)
{
    EQUAL(weft_queue_new(0, &queue), 0);
    EQUAL(weft_queue_put_nowait(queue, NULL), 0);
    EQUAL(weft_queue_put_value(queue, &queue), -EINVAL);
    SAME(weft_error_detail(), "this queue holds pointers: its calls do not end in _value");
    EQUAL(weft_queue_free(queue), 0);
}

static CU_TestInfo tests[] = {
    TEST(first_in_first_out),
    TEST(last_in_first_out),
    TEST(the_smallest_first),
    TEST(equal_ones_keep_their_order),
    TEST(pointers_are_compared_by_what_they_point_to),
    TEST(a_full_queue_takes_no_more),
    TEST(a_putter_waits_for_room_and_its_item_is_in_when_it_wakes),
    TEST(getters_are_served_in_the_order_in_which_they_came),
    TEST(null_is_an_item),
    TEST(a_large_queue_gives_its_memory_back_when_it_is_empty),
    TEST(a_rendezvous_holds_nothing),
    TEST(values_are_copied),
    TEST(a_value_may_be_one_byte),
    TEST(join_waits_until_all_is_done),
    TEST(what_was_handed_over_directly_is_to_be_done_too),
    TEST(a_cancelled_task_puts_and_gets_nothing),
    TEST(who_was_served_keeps_it_and_who_was_not_leaves),
    TEST(a_task_that_never_waits_gives_way_in_time),
    TEST(statistics_tell_who_waits_and_what_was_there),
    TEST(a_queue_that_is_made_in_a_loop_refuses_other_threads),
    TEST(one_that_is_made_before_belongs_to_the_loop_that_uses_it),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(queue, tests)
