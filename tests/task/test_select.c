/* SPDX-License-Identifier: MIT
 * Select: one of several things happens, and the others do not. */
#include "tests/task/steps.h"

#include <math.h>
#include <string.h>

static weft_queue *a, *b, *met; /* met: a rendezvous */

static void fresh(void)
{
    EQUAL(weft_queue_new(1, &a), 0);
    EQUAL(weft_queue_new(1, &b), 0);
    EQUAL(weft_queue_new_with(&(weft_queue_options){ .rendezvous = true }, &met), 0);
}

static void done_with_it(void)
{
    EQUAL(weft_queue_free(a), 0);
    EQUAL(weft_queue_free(b), 0);
    EQUAL(weft_queue_free(met), 0);
}

static intptr_t take(weft_queue *queue)
{
    void *item = NULL;
    int r = weft_queue_get_nowait(queue, &item);

    return r < 0 ? r : (intptr_t)item;
}

static char word[] = "untouched";

/* What is ready. */

IN_TASK(what_is_ready_happens_and_nothing_else)
{
    void *item = word, *other = word;
    int r = 9;

    fresh();
    EQUAL(weft_queue_put(b, (void *)5), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(a, &other), WEFT_ON_GET(b, &item)), 1);
    EQUAL(r, 0);
    EQUAL((intptr_t)item, 5);
    SAME(other, "untouched");
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_PUT(a, (void *)6), WEFT_ON_GET(b, &item)), 0);
    EQUAL(take(a), 6);
    EQUAL(take(b), -EAGAIN);
    done_with_it();
}

IN_TASK(null_items_go_both_ways)
{
    void *item = word;

    fresh();
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_PUT(a, NULL)), 0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(b, &item), WEFT_ON_GET(a, &item)), 1);
    CHECK(item == NULL);
    done_with_it();
}

IN_TASK(each_that_is_ready_has_its_share)
{
    int counts[4] = { 0 }, n = 1200;
    void *item;
    weft_event set = WEFT_EVENT_INIT;

    fresh();
    weft_event_set(&set);
    for (int i = 0; i < n; i++) {
        int which = weft_select(NULL, INFINITY, WEFT_ON_GET(met, &item), WEFT_ON_EVENT(&set),
                                WEFT_ON_PUT(a, NULL), WEFT_ON_PUT(b, NULL));

        CHECK(which > 0 && which < 4);
        counts[which & 3]++;
        take(a);
        take(b);
    }
    for (int i = 1; i < 4; i++) {
        CHECK(counts[i] > n / 3 - 40 && counts[i] < n / 3 + 40);
    }
    EQUAL(weft_event_destroy(&set), 0);
    done_with_it();
}

IN_TASK(looking_only_waits_for_nothing)
{
    void *item = word;
    weft_task *other = weft_create_task(notes("turn"), NULL);

    fresh();
    EQUAL(weft_select(NULL, 0, WEFT_ON_GET(a, &item)), -ETIMEDOUT);
    HAPPENED("turn"); /* but others have one */
    EQUAL(weft_select(NULL, -1, WEFT_ON_GET(a, &item), WEFT_ON_PUT(met, NULL)), -ETIMEDOUT);
    EQUAL(weft_select(NULL, 0, WEFT_ON_PUT(a, NULL)), 0);
    EQUAL(weft_await(other), 0);
    done_with_it();
}

/* What comes. */

WEFT_ASYNC(puts_later, (weft_queue *, queue), (intptr_t, item))
{
    int r = weft_sleep(0.001);

    return r < 0 ? r : weft_queue_put(queue, (void *)item);
}

IN_TASK(the_first_that_comes_is_it)
{
    void *item = NULL, *other = word;
    int r = 9;
    weft_queue_stats stats;

    fresh();
    weft_task *task = weft_create_task(puts_later(b, 7), NULL);

    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(a, &other), WEFT_ON_GET(b, &item)), 1);
    EQUAL(r, 0);
    EQUAL((intptr_t)item, 7);
    SAME(other, "untouched");
    weft_queue_statistics(a, &stats);
    EQUAL(stats.getting, 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_queue_put_nowait(a, (void *)8), 0); /* nobody takes it */
    EQUAL(take(a), 8);
    done_with_it();
}

IN_TASK(a_put_that_waits_is_taken)
{
    void *item = NULL;

    fresh();
    EQUAL(weft_queue_put_nowait(a, (void *)1), 0);
    EQUAL(weft_queue_put_nowait(b, (void *)2), 0);
    weft_task *task = weft_create_task(puts_later(met, 3), NULL);

    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_PUT(a, (void *)4), WEFT_ON_PUT(b, (void *)5),
                      WEFT_ON_GET(met, &item)),
          2);
    EQUAL((intptr_t)item, 3);
    EQUAL(weft_await(task), 0);
    EQUAL(take(a), 1);
    EQUAL(take(b), 2);
    EQUAL(take(a), -EAGAIN);
    EQUAL(take(b), -EAGAIN);
    done_with_it();
}

WEFT_ASYNC(selects_put, (weft_queue *, queue), (intptr_t, item), (double, timeout))
{
    void *got = word;
    int r = 9, which;

    which = weft_select(&r, timeout, WEFT_ON_PUT(queue, (void *)item), WEFT_ON_GET(a, &got));
    return which < 0 ? which : r < 0 ? r : which;
}

IN_TASK(two_selects_meet)
{
    void *item = NULL;

    fresh();
    weft_task *task = weft_create_task(selects_put(met, 9, INFINITY), NULL);

    weft_sleep(0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(met, &item), WEFT_ON_GET(b, &item)), 0);
    EQUAL((intptr_t)item, 9);
    EQUAL(weft_await(task), 0);
    done_with_it();
}

IN_TASK(a_select_does_not_meet_itself)
{
    void *item = word;

    fresh();
    EQUAL(weft_select(NULL, 0.001, WEFT_ON_GET(met, &item), WEFT_ON_PUT(met, NULL)), -ETIMEDOUT);
    SAME(item, "untouched");
    done_with_it();
}

IN_TASK(the_timeout_comes_if_nothing_else_does)
{
    void *item = word;
    double start = weft_loop_time(NULL);

    fresh();
    EQUAL(weft_select(NULL, 0.01, WEFT_ON_GET(a, &item), WEFT_ON_GET(b, &item)), -ETIMEDOUT);
    CHECK(weft_loop_time(NULL) - start > 0.0099);
    EQUAL(weft_select_array(NULL, 0, 0.001, NULL), -ETIMEDOUT);
    EQUAL(weft_queue_put_nowait(a, NULL), 0);
    EQUAL(take(a), 0);
    done_with_it();
}

/* Failures are news, too. */

IN_TASK(the_end_of_a_queue_is_a_clause_that_happens)
{
    void *item = word;
    int r = 9;

    fresh();
    weft_task *task = weft_create_task(selects_put(met, 1, INFINITY), NULL);

    weft_sleep(0);
    EQUAL(weft_queue_shutdown(met, false), 0);
    EQUAL(weft_await(task), -ESHUTDOWN);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_GET(met, &item)), 1);
    EQUAL(r, -ESHUTDOWN);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_PUT(met, &item)), 1);
    EQUAL(r, -ESHUTDOWN);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_PUT(met, &item)), -ESHUTDOWN);
    SAME(item, "untouched");
    done_with_it();
}

/* Values. */

IN_TASK(values_are_copied_in_and_out)
{
    weft_queue *values, *more;
    double in = 2.5, out = 0;
    weft_queue_options options = { .item_size = sizeof(double), .rendezvous = true };

    EQUAL(weft_queue_new_with(&options, &values), 0);
    options.rendezvous = false;
    EQUAL(weft_queue_new_with(&options, &more), 0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_PUT_VALUE(values, &in), WEFT_ON_PUT_VALUE(more, &in)),
          1);
    in = 3.5;
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET_VALUE(more, &out)), 0);
    CHECK(out == 2.5);
    EQUAL(weft_select(NULL, 0, WEFT_ON_GET(more, (void **)&out)), -EINVAL);
    EQUAL(weft_select(NULL, 0, WEFT_ON_PUT(more, &out)), -EINVAL);
    EQUAL(weft_select(NULL, 0, WEFT_ON_PUT_VALUE(more, NULL)), -EINVAL);
    weft_queue_free(values);
    weft_queue_free(more);
}

/* Events, semaphores, wait queues. */

static weft_event event = WEFT_EVENT_INIT;

static void set_event(void *unused)
{
    (void)unused;
    EQUAL(weft_event_set(&event), 0);
}

IN_TASK(an_event_and_a_semaphore_are_clauses)
{
    weft_semaphore slots = WEFT_SEMAPHORE_INIT(1);

    event = (weft_event)WEFT_EVENT_INIT;
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_EVENT(&event), WEFT_ON_ACQUIRE(&slots)), 1);
    EQUAL(weft_loop_call_later(NULL, 0.001, set_event, NULL, NULL), 0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_EVENT(&event), WEFT_ON_ACQUIRE(&slots)), 0);
    weft_event_clear(&event);
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0); /* the select has not taken it */
    EQUAL(weft_loop_call_later(NULL, 0.001, set_event, NULL, NULL), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_ACQUIRE(&slots), WEFT_ON_EVENT(&event)), 1);
    EQUAL(weft_event_destroy(&event), 0);
}

static void release(void *slots)
{
    EQUAL(weft_semaphore_release(slots), 0);
}

IN_TASK(a_slot_is_handed_to_a_select_that_waits)
{
    weft_semaphore slots = WEFT_SEMAPHORE_INIT(0);

    event = (weft_event)WEFT_EVENT_INIT;
    EQUAL(weft_loop_call_later(NULL, 0.001, release, &slots, NULL), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_EVENT(&event), WEFT_ON_ACQUIRE(&slots)), 1);
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
}

static void *sets_from_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(weft_event_set_threadsafe(&event), 0);
    return NULL;
}

IN_TASK(another_thread_sets_the_event_of_a_select)
{
    void *item;

    fresh();
    event = (weft_event)WEFT_EVENT_INIT;
    EQUAL(weft_select(NULL, 0, WEFT_ON_EVENT(&event)), -ETIMEDOUT);
    in_thread(sets_from_elsewhere, NULL);
    EQUAL(weft_select(NULL, 5, WEFT_ON_GET(a, &item), WEFT_ON_EVENT(&event)), 1);
    EQUAL(weft_event_destroy(&event), 0);
    done_with_it();
}

static weft_waitq waitq = WEFT_WAITQ_INIT;

static void wake_with(void *status)
{
    SAME(waitq.first->value, "untouched");
    EQUAL(weft_waiter_wake(waitq.first, (int)(intptr_t)status), 0);
}

IN_TASK(a_wait_queue_of_ones_own_is_a_clause)
{
    void *item;
    int r = 9;

    fresh();
    waitq = (weft_waitq)WEFT_WAITQ_INIT;
    EQUAL(weft_loop_call_soon(NULL, wake_with, (void *)-EPIPE, NULL), 0);
    EQUAL(weft_select(&r, 5, WEFT_ON_GET(a, &item), WEFT_ON_WAKE(&waitq, word)), 1);
    EQUAL(r, -EPIPE);
    CHECK(weft_waitq_is_empty(&waitq));
    done_with_it();
}

/* Tasks and futures. */

IN_TASK(a_task_or_a_future_is_done)
{
    weft_future *future = new_future();
    weft_task *task = weft_create_task(sleeps_then(0.001, -EIO), NULL);
    int r = 9;

    EQUAL(weft_select(&r, INFINITY, WEFT_ON_DONE(future), WEFT_ON_DONE(task)), 1);
    EQUAL(r, -EIO);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_DONE(future), WEFT_ON_DONE(task)), 1);
    EQUAL(weft_await(task), -EIO); /* borrowed: the hold is still here */
    EQUAL(weft_select(&r, 0, WEFT_ON_DONE(task)), -ESRCH);
    EQUAL(weft_loop_call_later(NULL, 0.001, set_future, future, NULL), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_DONE(future)), 0);
    EQUAL(r, 0);
    EQUAL(weft_await(future), 0);
}

static void spend(void *future)
{
    weft_future_unref(future);
    EQUAL(weft_future_set_result(future, NULL), 0);
}

IN_TASK(a_future_whose_holds_are_spent_meanwhile_is_still_told)
{
    weft_future *future = new_future();

    EQUAL(weft_loop_call_later(NULL, 0.001, spend, future, NULL), 0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_DONE(future), WEFT_ON_DONE(future)), 0);
    EQUAL(weft_future_status(future), -ESRCH);
}

static void detach(void *task)
{
    weft_task_detach(task);
}

IN_TASK(a_task_that_is_detached_meanwhile_is_still_told)
{
    weft_task *task = weft_create_task(sleeps_then(0.002, 3), NULL);
    int r = 9;

    EQUAL(weft_loop_call_later(NULL, 0.001, detach, task, NULL), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_DONE(task)), 0);
    EQUAL(r, 3);
    EQUAL(weft_task_status(task), -ESRCH);
}

/* Clauses by hand. */

IN_TASK(a_zeroed_clause_never_happens)
{
    weft_clause clauses[3] = { { 0 }, { 0 }, { 0 } };
    void *item;

    fresh();
    EQUAL(weft_queue_put_nowait(a, (void *)4), 0);
    clauses[2] = WEFT_ON_GET(a, &item);
    EQUAL(weft_select_array(clauses, 3, INFINITY, NULL), 2);
    EQUAL((intptr_t)item, 4);
    EQUAL(weft_select_array(clauses, 3, 0.001, NULL), -ETIMEDOUT);
    EQUAL(weft_queue_put_nowait(a, (void *)5), 0);
    EQUAL(weft_select_array(clauses, 3, INFINITY, NULL), 2); /* the same again */
    EQUAL((intptr_t)item, 5);
    done_with_it();
}

IN_TASK(many_clauses)
{
    static weft_clause clauses[1000];
    void *item;

    fresh();
    for (int i = 0; i < 1000; i++) {
        clauses[i] = WEFT_ON_GET(i % 2 ? a : b, &item);
    }
    weft_task *task = weft_create_task(puts_later(a, 1), NULL);

    EQUAL(weft_select_array(clauses, 1000, INFINITY, NULL), 1);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_queue_put_nowait(a, NULL), 0);
    EQUAL(take(a), 0);
    done_with_it();
}

IN_TASK(a_clause_that_cannot_be_used_is_an_error_and_nothing_happens)
{
    void *item = word;
    weft_clause odd = { .kind = 99 }, negative = { .kind = -1 };
    weft_task *self = weft_current_task();

    fresh();
    EQUAL(weft_queue_put_nowait(a, (void *)1), 0);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), odd), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), negative), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_GET(b, NULL)), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_PUT(NULL, NULL)), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_EVENT(NULL)), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_ACQUIRE(NULL)), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_WAKE(NULL, NULL)), -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_DONE((weft_task *)NULL)),
          -EINVAL);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_DONE(self)), -EDEADLK);
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item), WEFT_ON_READABLE(-1)), -EBADF);
    EQUAL(weft_select(NULL, NAN, WEFT_ON_GET(a, &item)), -EINVAL);
    EQUAL(weft_select_array(NULL, 1, 0, NULL), -EINVAL);
    SAME(item, "untouched");
    EQUAL(take(a), 1);
    done_with_it();
}

IN_LOOP(only_tasks_select)
{
    EQUAL(weft_select_array(NULL, 0, 0, NULL), -EPERM);
}

/* Cancels. */

IN_TASK(a_cancelled_task_selects_nothing)
{
    void *item = word;

    fresh();
    EQUAL(weft_queue_put_nowait(a, (void *)1), 0);
    weft_task_cancel(weft_current_task());
    EQUAL(weft_select(NULL, INFINITY, WEFT_ON_GET(a, &item)), -ECANCELED);
    EQUAL(weft_select(NULL, 0, WEFT_ON_GET(b, &item)), -ECANCELED);
    weft_task_uncancel(weft_current_task());
    EQUAL(take(a), 1);
    done_with_it();
}

IN_TASK(a_cancel_leaves_all_and_one_that_comes_too_late_takes_nothing_back)
{
    fresh();
    weft_task *task = weft_create_task(selects_put(met, 1, INFINITY), NULL);

    weft_sleep(0);
    weft_task_cancel(task);
    EQUAL(take(met), -EAGAIN);
    EQUAL(weft_await(task), -ECANCELED);

    task = weft_create_task(selects_put(met, 2, INFINITY), NULL);
    weft_sleep(0);
    EQUAL(take(met), 2);
    weft_task_cancel(task);
    EQUAL(weft_await(task), 0);
    done_with_it();
}

static CU_TestInfo tests[] = {
    TEST(what_is_ready_happens_and_nothing_else),
    TEST(null_items_go_both_ways),
    TEST(each_that_is_ready_has_its_share),
    TEST(looking_only_waits_for_nothing),
    TEST(the_first_that_comes_is_it),
    TEST(a_put_that_waits_is_taken),
    TEST(two_selects_meet),
    TEST(a_select_does_not_meet_itself),
    TEST(the_timeout_comes_if_nothing_else_does),
    TEST(the_end_of_a_queue_is_a_clause_that_happens),
    TEST(values_are_copied_in_and_out),
    TEST(an_event_and_a_semaphore_are_clauses),
    TEST(a_slot_is_handed_to_a_select_that_waits),
    TEST(another_thread_sets_the_event_of_a_select),
    TEST(a_wait_queue_of_ones_own_is_a_clause),
    TEST(a_task_or_a_future_is_done),
    TEST(a_future_whose_holds_are_spent_meanwhile_is_still_told),
    TEST(a_task_that_is_detached_meanwhile_is_still_told),
    TEST(a_zeroed_clause_never_happens),
    TEST(many_clauses),
    TEST(a_clause_that_cannot_be_used_is_an_error_and_nothing_happens),
    TEST(only_tasks_select),
    TEST(a_cancelled_task_selects_nothing),
    TEST(a_cancel_leaves_all_and_one_that_comes_too_late_takes_nothing_back),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(select, tests)
