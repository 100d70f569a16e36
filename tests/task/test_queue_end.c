/* SPDX-License-Identifier: MIT
 * The end of queues: shutdown, the last sender, the last receiver, free; and where they may be
 * used. */
#include "tests/task/steps.h"

#include <string.h>

static weft_queue *queue;

static int dropped[10], drops;

static void drop(void *item, void *arg)
{
    CHECK(arg == &queue);
    if (drops < 10) {
        dropped[drops++] = (int)(intptr_t)item;
    }
}

static void fresh(size_t maxsize)
{
    weft_queue_options options = { .maxsize = maxsize, .drop = drop, .arg = &queue };

    drops = 0;
    EQUAL(weft_queue_new_with(&options, &queue), 0);
}

static int put(intptr_t item)
{
    return weft_queue_put_nowait(queue, (void *)item);
}

static intptr_t next(void)
{
    void *item = NULL;
    int r = weft_queue_get_nowait(queue, &item);

    return r < 0 ? r : (intptr_t)item;
}

WEFT_ASYNC(puts_in, (intptr_t, item))
{
    return weft_queue_put(queue, (void *)item);
}

WEFT_ASYNC(gets_out)
{
    void *item = NULL;
    int r = weft_queue_get(queue, &item);

    return r < 0 ? r : (int)(intptr_t)item;
}

WEFT_ASYNC(joins)
{
    return weft_queue_join(queue);
}

WEFT_MUST_USE static weft_task *begun(weft_coro *coro)
{
    weft_task *task = weft_create_task(coro, NULL);

    weft_sleep(0);
    return task;
}

/* Shutdown. */

IN_TASK(after_a_shutdown_gets_drain_what_is_left)
{
    fresh(2);
    EQUAL(put(1) | put(2), 0);
    weft_task *a = begun(puts_in(3));

    EQUAL(weft_queue_shutdown(queue, false), 0);
    EQUAL(weft_await(a), -ESHUTDOWN);
    EQUAL(put(4), -ESHUTDOWN);
    EQUAL(weft_queue_put(queue, NULL), -ESHUTDOWN);
    EQUAL(weft_await(gets_out()), 1);
    EQUAL(next(), 2);
    EQUAL(next(), -ESHUTDOWN);
    EQUAL(weft_await(gets_out()), -ESHUTDOWN);
    EQUAL(weft_queue_shutdown(queue, false), 0);
    EQUAL(drops, 0);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(a_shutdown_wakes_all_getters)
{
    fresh(0);
    weft_task *a = begun(gets_out()), *b = begun(gets_out());

    EQUAL(weft_queue_shutdown(queue, false), 0);
    EQUAL(weft_await(a), -ESHUTDOWN);
    EQUAL(weft_await(b), -ESHUTDOWN);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(join_still_waits_for_what_was_taken_before_the_shutdown)
{
    fresh(0);
    EQUAL(put(1) | put(2), 0);
    EQUAL(next(), 1);
    weft_task *a = begun(joins());

    EQUAL(weft_queue_shutdown(queue, true), 0);
    EQUAL(drops, 1);
    EQUAL(dropped[0], 2);
    weft_sleep(0);
    CHECK(!weft_task_done(a));
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(an_immediate_shutdown_drops_in_order_and_ends_join)
{
    fresh(3);
    EQUAL(put(1) | put(2) | put(3), 0);
    weft_task *a = begun(puts_in(4)), *b = begun(joins());

    EQUAL(weft_queue_shutdown(queue, true), 0);
    EQUAL(next(), -ESHUTDOWN);
    EQUAL(weft_await(a), -ESHUTDOWN); /* and 4 is a's */
    EQUAL(weft_await(b), 0);
    EQUAL(drops, 3);
    EQUAL(dropped[0] * 100 + dropped[1] * 10 + dropped[2], 123);
    EQUAL(weft_queue_free(queue), 0);
}

static void puts_more(void *item, void *arg)
{
    drop(item, arg);
    EQUAL(put(9), -ESHUTDOWN);
    EQUAL(next(), drops == 1 ? 2 : -ESHUTDOWN);
}

IN_TASK(a_destructor_may_look_into_the_queue)
{
    drops = 0;
    EQUAL(weft_queue_new_with(&(weft_queue_options){ .drop = puts_more, .arg = &queue }, &queue),
          0);
    EQUAL(put(1) | put(2) | put(3), 0);
    EQUAL(weft_queue_shutdown(queue, true), 0);
    EQUAL(drops, 2);
    EQUAL(dropped[1], 3);
    EQUAL(weft_queue_free(queue), 0);
}

static void drop_value(void *item, void *arg)
{
    const double *value = item;

    drop((void *)(intptr_t)*value, arg);
}

IN_TASK(values_are_dropped_by_their_address)
{
    double values[] = { 5, 3, 4 };

    drops = 0;
    EQUAL(weft_queue_new_with(&(weft_queue_options){ .item_size = sizeof(double),
                                                     .drop = drop_value,
                                                     .order = WEFT_QUEUE_LIFO,
                                                     .arg = &queue },
                              &queue),
          0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_queue_put_value_nowait(queue, &values[i]), 0);
    }
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(dropped[0] * 100 + dropped[1] * 10 + dropped[2], 435);
}

/* Counted ends. */

IN_TASK(when_the_last_sender_goes_readers_get_what_is_left_and_the_end)
{
    fresh(0);
    EQUAL(weft_queue_add_sender(queue), 0);
    EQUAL(weft_queue_add_sender(queue), 0);
    EQUAL(put(1) | put(2), 0);
    EQUAL(weft_queue_remove_sender(queue), 1);
    EQUAL(put(3), 0);
    EQUAL(weft_queue_remove_sender(queue), 0);
    EQUAL(put(4), -ESHUTDOWN);
    EQUAL(weft_queue_add_sender(queue), -ESHUTDOWN);
    EQUAL(next(), 1);
    EQUAL(next(), 2);
    EQUAL(next(), 3);
    EQUAL(next(), -ESHUTDOWN);
    EQUAL(weft_queue_remove_sender(queue), -EINVAL);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(when_the_last_sender_goes_waiting_readers_end)
{
    fresh(0);
    EQUAL(weft_queue_add_sender(queue), 0);
    weft_task *a = begun(gets_out());

    EQUAL(weft_queue_remove_sender(queue), 0);
    EQUAL(weft_await(a), -ESHUTDOWN);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(when_the_last_receiver_goes_writers_get_epipe)
{
    weft_queue_stats stats;

    fresh(1);
    EQUAL(weft_queue_add_receiver(queue), 0);
    EQUAL(weft_queue_add_receiver(queue), 0);
    weft_queue_statistics(queue, &stats);
    EQUAL(stats.receivers, 2);
    EQUAL(put(1), 0);
    weft_task *a = begun(puts_in(2)), *b = begun(joins());

    EQUAL(weft_queue_remove_receiver(queue), 1);
    EQUAL(weft_queue_remove_receiver(queue), 0);
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_await(b), 0);
    EQUAL(drops, 1);
    EQUAL(dropped[0], 1);
    EQUAL(put(3), -EPIPE);
    EQUAL(weft_queue_add_receiver(queue), -EPIPE);
    EQUAL(weft_queue_add_sender(queue), -EPIPE);
    EQUAL(next(), -ESHUTDOWN);
    EQUAL(weft_queue_remove_receiver(queue), -EINVAL);
    EQUAL(weft_queue_free(queue), 0);
}

/* A stream of values from a task: see docs/queues.md. */

WEFT_ASYNC(counts_to, (weft_queue *, out), (int, last))
{
    int r = 0;

    for (int i = 1; i <= last && r == 0; i++) {
        r = weft_queue_put_value(out, &i);
        step_balance += r == 0;
    }
    weft_queue_remove_sender(out);
    return r;
}

WEFT_ASYNC(takes_some, (int, limit))
{
    weft_queue *numbers;
    int i = 0, sum = 0, r;

    EQUAL(weft_queue_new_with(&(weft_queue_options){ .item_size = sizeof i, .rendezvous = true },
                              &numbers),
          0);
    EQUAL(weft_queue_add_sender(numbers), 0);
    EQUAL(weft_queue_add_receiver(numbers), 0);
    weft_task *task = weft_create_task(counts_to(numbers, 5), NULL);

    while (i < limit && (r = weft_queue_get_value(numbers, &i)) == 0) {
        step_balance--;
        sum += i;
    }
    EQUAL(weft_queue_remove_receiver(numbers), 0);
    EQUAL(weft_await(task), limit < 5 ? -EPIPE : 0);
    EQUAL(weft_queue_free(numbers), 0);
    EQUAL(step_balance, 0);
    return sum;
}

IN_TASK(a_stream_ends_when_its_task_does_or_when_nobody_reads)
{
    EQUAL(weft_await(takes_some(100)), 15);
    EQUAL(weft_await(takes_some(3)), 6);
}

/* Free and holds. */

IN_TASK(a_queue_in_which_somebody_waits_is_not_freed)
{
    fresh(0);
    weft_task *a = begun(gets_out());
    const struct said *said;

    weft_task_set_name(a, "patience");
    EQUAL(weft_queue_free(queue), -EBUSY);
    CHECK(strstr(weft_error_detail(), "1 still wait for a queue") != NULL);
    said = next_report();
    EQUAL(said->kind, WEFT_REPORT_DESTROYED);
    SAME(said->task_name, "patience");
    SAME(said->waiting, "queue get");
    EQUAL(put(5), 0);
    EQUAL(weft_await(a), 5);
    EQUAL(put(6), 0);
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(drops, 1);
    EQUAL(dropped[0], 6);
}

IN_TASK(the_last_hold_frees_it)
{
    fresh(0);
    EQUAL(put(1), 0);
    CHECK(weft_queue_ref(queue) == queue);
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(drops, 0);
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(drops, 1);
    EQUAL(weft_queue_free(NULL), 0);
    CHECK(weft_queue_ref(NULL) == NULL);
}

/* Where it may be used. */

ALONE(a_queue_needs_no_loop_until_somebody_waits)
{
    void *item;

    fresh(0);
    EQUAL(put(1) | put(2), 0);
    EQUAL(next(), 1);
    EQUAL(weft_queue_put(queue, NULL), -EPERM);
    EQUAL(weft_queue_get(queue, &item), -EPERM);
    EQUAL(weft_queue_join(queue), -EPERM);
    EQUAL(weft_queue_task_done(queue), 0);
    EQUAL(weft_queue_qsize(queue), 1);
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(drops, 1);
}

IN_LOOP(a_queue_may_be_used_in_one_loop_after_the_other)
{
    weft_loop *second = open_loop();

    fresh(0);
    EQUAL(put(1) | put(2) | put(3), 0);
    EQUAL(run(gets_out()), 1);
    EQUAL(weft_loop_run_until_complete(second, gets_out()), 2);
    weft_task *a = weft_loop_create_task(loop, joins(), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, gets_out()), -EXDEV); /* a waits in the first */
    EQUAL(next(), 3);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_queue_task_done(queue), 0);
    }
    EQUAL(run(a), 0);
    EQUAL(weft_loop_run_until_complete(second, joins()), 0);
    weft_loop_close(second);
    EQUAL(put(4), 0);
    EQUAL(run(gets_out()), 4);
    EQUAL(weft_queue_free(queue), 0);
}

static void *uses_it_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(put(1), -EXDEV);
    EQUAL(next(), -EXDEV);
    EQUAL(weft_queue_shutdown(queue, true), -EXDEV);
    EQUAL(weft_queue_task_done(queue), -EXDEV);
    EQUAL(weft_queue_add_sender(queue), -EXDEV);
    EQUAL(weft_queue_remove_receiver(queue), -EXDEV);
    EQUAL(weft_queue_free(queue), -EXDEV);
    return NULL;
}

IN_TASK(another_thread_cannot_touch_it_while_its_loop_runs)
{
    fresh(0);
    weft_task *a = begun(gets_out());

    in_thread(uses_it_elsewhere, NULL);
    EQUAL(put(1), 0);
    EQUAL(weft_await(a), 1);
    in_thread(uses_it_elsewhere, NULL);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(bad_arguments_are_told)
{
    void *item;
    int value = 0;
    weft_queue_options bad[] = {
        { .rendezvous = true, .maxsize = 1 },
        { .rendezvous = true, .order = WEFT_QUEUE_LIFO },
        { .order = WEFT_QUEUE_PRIORITY, .item_size = 8 },
        { .order = (weft_queue_order)7 },
        { .item_size = SIZE_MAX / 2 },
    };

    EQUAL(weft_queue_new(0, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EQUAL(weft_queue_new_with(&bad[i], &queue), -EINVAL);
    }
    EQUAL(weft_queue_new_with(NULL, &queue), 0);
    EQUAL(weft_queue_get(queue, NULL), -EINVAL);
    EQUAL(weft_queue_get_nowait(queue, NULL), -EINVAL);
    EQUAL(weft_queue_put_value(queue, &value), -EINVAL);
    EQUAL(weft_queue_get_value(queue, &value), -EINVAL);
    EQUAL(weft_queue_put_value_nowait(queue, &value), -EINVAL);
    EQUAL(weft_queue_get_value_nowait(queue, &value), -EINVAL);
    EQUAL(weft_queue_free(queue), 0);
    EQUAL(weft_queue_put(NULL, NULL), -EINVAL);
    EQUAL(weft_queue_get(NULL, &item), -EINVAL);
    EQUAL(weft_queue_put_nowait(NULL, NULL), -EINVAL);
    EQUAL(weft_queue_get_nowait(NULL, &item), -EINVAL);
    EQUAL(weft_queue_join(NULL), -EINVAL);
    EQUAL(weft_queue_task_done(NULL), -EINVAL);
    EQUAL(weft_queue_shutdown(NULL, true), -EINVAL);
    EQUAL(weft_queue_add_sender(NULL), -EINVAL);
    EQUAL(weft_queue_add_receiver(NULL), -EINVAL);
    EQUAL(weft_queue_remove_sender(NULL), -EINVAL);
    EQUAL(weft_queue_remove_receiver(NULL), -EINVAL);
    EQUAL(weft_queue_qsize(NULL), 0);
}

static CU_TestInfo tests[] = {
    TEST(after_a_shutdown_gets_drain_what_is_left),
    TEST(a_shutdown_wakes_all_getters),
    TEST(join_still_waits_for_what_was_taken_before_the_shutdown),
    TEST(an_immediate_shutdown_drops_in_order_and_ends_join),
    TEST(a_destructor_may_look_into_the_queue),
    TEST(values_are_dropped_by_their_address),
    TEST(when_the_last_sender_goes_readers_get_what_is_left_and_the_end),
    TEST(when_the_last_sender_goes_waiting_readers_end),
    TEST(when_the_last_receiver_goes_writers_get_epipe),
    TEST(a_stream_ends_when_its_task_does_or_when_nobody_reads),
    TEST(a_queue_in_which_somebody_waits_is_not_freed),
    TEST(the_last_hold_frees_it),
    TEST(a_queue_needs_no_loop_until_somebody_waits),
    TEST(a_queue_may_be_used_in_one_loop_after_the_other),
    TEST(another_thread_cannot_touch_it_while_its_loop_runs),
    TEST(bad_arguments_are_told),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(queue_end, tests)
