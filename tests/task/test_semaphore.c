/* SPDX-License-Identifier: MIT
 * Semaphores: slots, order, bounds, slots from other threads. */
#include "core/sync/event.h"
#include "tests/task/steps.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static weft_semaphore slots;

static void fresh(int64_t value)
{
    slots = (weft_semaphore)WEFT_SEMAPHORE_INIT(value);
}

WEFT_ASYNC(holds_for, (double, delay), (const char *, word))
{
    int r = weft_semaphore_acquire(&slots);

    if (r < 0) {
        return r;
    }
    note(word);
    r = weft_sleep(delay);
    EQUAL(weft_semaphore_release(&slots), 0);
    return r;
}

WEFT_MUST_USE static weft_task *holder(double delay, const char *word)
{
    weft_task *task = weft_create_task(holds_for(delay, word), NULL);

    weft_sleep(0);
    return task;
}

static int64_t value(void)
{
    weft_semaphore_stats stats;

    weft_semaphore_statistics(&slots, &stats);
    return stats.value;
}

IN_TASK(so_many_are_in_and_the_next_wait_in_their_order)
{
    weft_semaphore_stats stats;

    fresh(2);
    CHECK(!weft_semaphore_locked(&slots));
    weft_task *a = holder(0.01, "a"), *b = holder(0.02, "b"), *c = holder(0, "c");
    weft_task *d = holder(0, "d");

    CHECK(weft_semaphore_locked(&slots));
    weft_semaphore_statistics(&slots, &stats);
    EQUAL(stats.value, 0);
    EQUAL(stats.waiting, 2);
    EQUAL(stats.bound, INT64_MAX);
    HAPPENED("a b");
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    EQUAL(weft_await(d), 0);
    HAPPENED("c d");
    EQUAL(value(), 2);
}

IN_TASK(a_free_slot_is_taken_without_giving_way)
{
    fresh(1);
    weft_task *a = weft_create_task(notes("other"), NULL);

    EQUAL(weft_semaphore_acquire(&slots), 0);
    note("main");
    EQUAL(weft_await(a), 0);
    HAPPENED("main other");
}

IN_TASK(nobody_overtakes_who_was_given_a_slot)
{
    fresh(0);
    weft_task *a = holder(0, "a");

    EQUAL(weft_semaphore_release(&slots), 0);
    CHECK(weft_semaphore_locked(&slots));
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
    EQUAL(weft_semaphore_acquire(&slots), 0);
    note("main");
    EQUAL(weft_await(a), 0);
    HAPPENED("a main");
}

IN_TASK(it_may_be_released_more_often_than_acquired)
{
    fresh(0);
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(value(), 2);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0);
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
}

IN_TASK(a_bounded_one_may_not)
{
    weft_bounded_semaphore bounded = WEFT_BOUNDED_SEMAPHORE_INIT(1);
    weft_semaphore_stats stats;

    weft_semaphore_statistics(&bounded, &stats);
    EQUAL(stats.bound, 1);
    EQUAL(weft_semaphore_release(&bounded), -EOVERFLOW);
    CHECK(strstr(weft_error_detail(), "more often") != NULL);
    EQUAL(weft_semaphore_acquire(&bounded), 0);
    EQUAL(weft_semaphore_release(&bounded), 0);
    EQUAL(weft_semaphore_release(&bounded), -EOVERFLOW);
    EQUAL(weft_semaphore_acquire_nowait(&bounded), 0);
    EQUAL(weft_semaphore_acquire_nowait(&bounded), -EAGAIN);
}

IN_TASK(a_waiter_that_is_cancelled_takes_no_slot)
{
    fresh(0);
    weft_task *a = holder(0, "a"), *b = holder(0, "b");

    weft_task_cancel(a);
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), 0);
    EQUAL(value(), 1);
    HAPPENED("b");
}

IN_TASK(who_was_given_a_slot_keeps_it_when_it_is_cancelled_then)
{
    fresh(0);
    weft_task *a = holder(9, "a");

    EQUAL(weft_semaphore_release(&slots), 0);
    weft_task_cancel(a);
    EQUAL(weft_await(a), -ECANCELED); /* of its sleep */
    EQUAL(value(), 1);
    HAPPENED("a");
}

WEFT_ASYNC(acquires_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    EQUAL(weft_semaphore_acquire(&slots), -ECANCELED);
    EQUAL(value(), 1);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0);
    EQUAL(weft_semaphore_release(&slots), 0);
    return 0;
}

IN_TASK(a_cancelled_task_takes_a_slot_only_without_waiting)
{
    fresh(1);
    EQUAL(weft_await(weft_create_task(acquires_when_cancelled(), NULL)), 0);
}

IN_LOOP(what_is_wrong_is_told)
{
    fresh(-1);
    EQUAL(run(holds_for(0, "")), -EINVAL);
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EINVAL);
    fresh(0);
    EQUAL(weft_semaphore_acquire(&slots), -EPERM);
    EQUAL(weft_semaphore_acquire(NULL), -EINVAL);
    EQUAL(weft_semaphore_acquire_nowait(NULL), -EINVAL);
    EQUAL(weft_semaphore_release(NULL), -EINVAL);
    EQUAL(weft_semaphore_release_threadsafe(NULL), -EINVAL);
    EQUAL(weft_semaphore_destroy(NULL), -EINVAL);
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
}

static void *releases_without_leave(void *unused)
{
    (void)unused;
    EQUAL(weft_semaphore_release(&slots), -EXDEV);
    return NULL;
}

IN_TASK(one_that_is_waited_for_is_not_destroyed_nor_released_by_another_thread)
{
    fresh(0);
    weft_task *a = holder(0, "a");

    in_thread(releases_without_leave, NULL);
    EQUAL(weft_semaphore_destroy(&slots), -EBUSY);
    SAME(next_report()->waiting, "semaphore");
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_semaphore_destroy(&slots), 0);
    HAPPENED("a");
}

WEFT_ASYNC(has_a_slot_in_its_block)
{
    WEFT_SEMAPHORE_SCOPE(&slots, r);

    if (r < 0) {
        return r;
    }
    EQUAL(value(), 0);
    return 3;
}

IN_TASK(a_semaphore_scope_ends_with_its_block)
{
    fresh(1);
    EQUAL(weft_await(has_a_slot_in_its_block()), 3);
    EQUAL(value(), 1);
}

/* From other threads. */

static void *releases_twice(void *semaphore)
{
    EQUAL(weft_semaphore_release_threadsafe(semaphore), 0);
    EQUAL(weft_semaphore_release_threadsafe(semaphore), 0);
    return NULL;
}

IN_TASK(slots_from_a_thread_count_before_anybody_waits)
{
    fresh(0);
    in_thread(releases_twice, &slots);
    CHECK(!weft_semaphore_locked(&slots));
    EQUAL(value(), 2);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0);
    EQUAL(weft_semaphore_acquire(&slots), 0);
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
    in_thread(releases_twice, &slots);
    EQUAL(weft_semaphore_acquire(&slots), 0);
    EQUAL(value(), 1);
}

IN_TASK(slots_from_a_thread_reach_who_waits)
{
    fresh(0);
    weft_task *a = holder(0.01, "a"), *b = holder(0.01, "b"), *c = holder(0, "c");

    in_thread(releases_twice, &slots);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    EQUAL(value(), 2);
    HAPPENED("a b c");
}

WEFT_ASYNC(takes, (int, n))
{
    int r = 0;

    while (n-- > 0 && r == 0) {
        r = weft_semaphore_acquire(&slots);
    }
    return r;
}

IN_TASK(slots_too_many_from_a_thread_are_dropped_and_reported)
{
    slots = (weft_semaphore)WEFT_BOUNDED_SEMAPHORE_INIT(1);
    EQUAL(weft_semaphore_acquire(&slots), 0);
    weft_task *a = weft_create_task(takes(1), NULL);

    weft_sleep(0);
    in_thread(releases_twice, &slots);
    in_thread(releases_twice, &slots);
    EQUAL(weft_await(a), 0);
    weft_sleep(0.001);
    EQUAL(value(), 1);
    EQUAL(next_report()->status, -EOVERFLOW);
    while (reports_left()) {
        EQUAL(next_report()->status, -EOVERFLOW);
    }
}

IN_TASK(no_more_slots_are_under_way_than_can_be_counted)
{
    fresh(0);
    EQUAL(weft__post(weft__post_of(&slots.post), WEFT__POST_COUNT, false), 0);
    EQUAL(weft_semaphore_release_threadsafe(&slots), -EOVERFLOW);
    EQUAL(value(), WEFT__POST_COUNT);
    EQUAL(weft_semaphore_acquire(&slots), 0);
    EQUAL(weft_semaphore_release_threadsafe(&slots), 0);
}

enum { THREADS = 4, SLOTS = 2000 };

static void *releases_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < SLOTS; i++) {
        if (weft_semaphore_release_threadsafe(&slots) != 0) {
            abort(); /* claims are for one thread at a time */
        }
    }
    return NULL;
}

WEFT_ASYNC(keeps_busy)
{
    while (weft_sleep(0.001) == 0) {}
    return 0;
}

IN_TASK(no_slot_of_several_threads_is_lost)
{
    weft_task *busy = weft_create_task(keeps_busy(), NULL);
    pthread_t threads[THREADS];

    fresh(0);
    for (int i = 0; i < THREADS; i++) {
        EQUAL(pthread_create(&threads[i], NULL, releases_many, NULL), 0);
    }
    for (int i = 0; i < THREADS * SLOTS; i++) {
        EQUAL(weft_semaphore_acquire(&slots), 0);
    }
    EQUAL(weft_semaphore_acquire_nowait(&slots), -EAGAIN);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    EQUAL(weft_semaphore_destroy(&slots), 0);
    weft_task_cancel(busy);
    weft_await(busy);
}

static void release_in_handler(int signal)
{
    (void)signal;
    weft_semaphore_release_threadsafe(&slots);
}

IN_TASK(a_signal_handler_gives_a_slot)
{
    struct sigaction action = { .sa_handler = release_in_handler };

    fresh(0);
    sigaction(SIGUSR1, &action, NULL);
    weft_task *a = holder(0, "a");

    raise(SIGUSR1);
    EQUAL(weft_await(a), 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_semaphore_acquire(&slots), 0);
    }
    action.sa_handler = SIG_DFL;
    sigaction(SIGUSR1, &action, NULL);
    HAPPENED("a");
}

IN_LOOP(slots_of_a_closed_loop_wait_for_the_next)
{
    weft_loop *second = open_loop();

    fresh(0);
    weft_task *a = weft_loop_create_task(loop, holds_for(0, "a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_semaphore_release(&slots), 0);
    EQUAL(run(a), 0);
    EQUAL(weft_semaphore_acquire_nowait(&slots), 0);
    EQUAL(weft_semaphore_release_threadsafe(&slots), 0); /* which this one never looks at */
    close_loop();
    EQUAL(weft_semaphore_release_threadsafe(&slots), 0);
    EQUAL(weft_loop_run_until_complete(second, takes(2)), 0);
    EQUAL(value(), 0);
    weft_loop_close(second);
    HAPPENED("a");
}

/* At every step. */

WEFT_ASYNC(works_in_a_slot)
{
    int r = weft_semaphore_acquire(&slots);

    if (r == 0) {
        step_balance++;
        CHECK(step_balance <= 2);
        r = weft_sleep(0.001);
        step_balance--;
        EQUAL(weft_semaphore_release(&slots), 0);
    }
    return r;
}

WEFT_ASYNC(five_work_in_two_slots)
{
    int r;

    slots = (weft_semaphore)WEFT_BOUNDED_SEMAPHORE_INIT(2);
    r = weft_gather(NULL, works_in_a_slot(), works_in_a_slot(), works_in_a_slot(),
                    works_in_a_slot(), works_in_a_slot());
    EQUAL(value(), 2);
    EQUAL(slots.waiters.count, 0);
    return r;
}

IN_LOOP(no_slot_is_lost_wherever_a_cancel_comes)
{
    CHECK(AT_EVERY_STEP(five_work_in_two_slots, 0, -ECANCELED) > 20);
}

static CU_TestInfo tests[] = {
    TEST(so_many_are_in_and_the_next_wait_in_their_order),
    TEST(a_free_slot_is_taken_without_giving_way),
    TEST(nobody_overtakes_who_was_given_a_slot),
    TEST(it_may_be_released_more_often_than_acquired),
    TEST(a_bounded_one_may_not),
    TEST(a_waiter_that_is_cancelled_takes_no_slot),
    TEST(who_was_given_a_slot_keeps_it_when_it_is_cancelled_then),
    TEST(a_cancelled_task_takes_a_slot_only_without_waiting),
    TEST(what_is_wrong_is_told),
    TEST(one_that_is_waited_for_is_not_destroyed_nor_released_by_another_thread),
    TEST(a_semaphore_scope_ends_with_its_block),
    TEST(slots_from_a_thread_count_before_anybody_waits),
    TEST(slots_from_a_thread_reach_who_waits),
    TEST(slots_too_many_from_a_thread_are_dropped_and_reported),
    TEST(no_more_slots_are_under_way_than_can_be_counted),
    TEST(no_slot_of_several_threads_is_lost),
    TEST(a_signal_handler_gives_a_slot),
    TEST(slots_of_a_closed_loop_wait_for_the_next),
    TEST(no_slot_is_lost_wherever_a_cancel_comes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(semaphore, tests)
