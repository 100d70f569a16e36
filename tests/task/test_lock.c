/* SPDX-License-Identifier: MIT
 * Locks: order, owners, cancels, owners that end. */
#include "tests/task/steps.h"

#include <string.h>

static weft_lock lock;

static void fresh(void)
{
    lock = (weft_lock)WEFT_LOCK_INIT;
}

WEFT_ASYNC(holds_for, (double, delay), (const char *, word))
{
    int r = weft_lock_acquire(&lock);

    if (r < 0) {
        return r;
    }
    CHECK(weft_lock_locked(&lock));
    CHECK(lock.owner == weft_current_task());
    note(word);
    r = weft_sleep(delay);
    EQUAL(weft_lock_release(&lock), 0);
    return r;
}

WEFT_MUST_USE static weft_task *holder(double delay, const char *word)
{
    weft_task *task = weft_create_task(holds_for(delay, word), NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(a_free_lock_is_taken_without_giving_way)
{
    fresh();
    weft_task *other = weft_create_task(notes("other"), NULL);

    CHECK(!weft_lock_locked(&lock));
    EQUAL(weft_lock_acquire(&lock), 0);
    note("locked");
    CHECK(weft_lock_locked(&lock));
    EQUAL(weft_lock_release(&lock), 0);
    CHECK(!weft_lock_locked(&lock));
    EQUAL(weft_await(other), 0);
    HAPPENED("locked other");
}

IN_TASK(the_functions_do_what_the_macros_do)
{
    fresh();
    EQUAL((weft_lock_acquire)(&lock), 0);
    EQUAL((weft_lock_acquire)(&lock), -EDEADLK);
    EQUAL((weft_lock_release)(&lock), 0);
    EQUAL((weft_lock_release)(&lock), -EPERM);
}

IN_TASK(waiters_are_served_in_the_order_in_which_they_came)
{
    fresh();
    weft_task *a = holder(0.01, "a"), *b = holder(0, "b"), *c = holder(0, "c");

    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("a b c");
    CHECK(!weft_lock_locked(&lock));
}

IN_TASK(nobody_overtakes_who_was_given_the_lock)
{
    fresh();
    EQUAL(weft_lock_acquire(&lock), 0);
    weft_task *a = holder(0, "a");

    EQUAL(weft_lock_release(&lock), 0);
    CHECK(weft_lock_locked(&lock));
    CHECK(lock.owner == a);
    EQUAL(weft_lock_acquire_nowait(&lock), -EAGAIN);
    EQUAL(weft_lock_acquire(&lock), 0);
    note("main");
    EQUAL(weft_lock_release(&lock), 0);
    EQUAL(weft_await(a), 0);
    HAPPENED("a main");
}

IN_TASK(nowait_takes_only_what_is_free)
{
    fresh();
    EQUAL(weft_lock_acquire_nowait(&lock), 0);
    EQUAL(weft_lock_acquire_nowait(&lock), -EDEADLK);
    EQUAL(weft_lock_release(&lock), 0);
    weft_task *a = holder(0.01, "a");

    EQUAL(weft_lock_acquire_nowait(&lock), -EAGAIN);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_lock_acquire_nowait(&lock), 0);
    EQUAL(weft_lock_release(&lock), 0);
    HAPPENED("a");
}

IN_TASK(a_waiter_that_is_cancelled_leaves_the_line)
{
    fresh();
    weft_task *a = holder(0.01, "a"), *b = holder(0, "b"), *c = holder(0, "c");

    weft_task_cancel(b);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("a c");
}

IN_TASK(who_was_given_the_lock_keeps_it_when_it_is_cancelled_then)
{
    fresh();
    EQUAL(weft_lock_acquire(&lock), 0);
    weft_task *a = holder(9, "a"), *b = holder(0, "b");

    EQUAL(weft_lock_release(&lock), 0);
    weft_task_cancel(a);
    CHECK(lock.owner == a);
    EQUAL(weft_await(a), -ECANCELED); /* of its sleep: it had the lock, and gave it back */
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

WEFT_ASYNC(acquires_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    EQUAL(weft_lock_acquire(&lock), -ECANCELED);
    CHECK(!weft_lock_locked(&lock));
    EQUAL(weft_lock_acquire_nowait(&lock), 0);
    EQUAL(weft_lock_acquire(&lock), -EDEADLK);
    EQUAL(weft_lock_release(&lock), 0);
    return 0;
}

IN_TASK(a_cancelled_task_takes_no_lock_but_without_waiting)
{
    fresh();
    EQUAL(weft_await(weft_create_task(acquires_when_cancelled(), NULL)), 0);
}

/* Owners. */

WEFT_ASYNC(releases)
{
    return weft_lock_release(&lock);
}

IN_TASK(only_the_owner_releases)
{
    fresh();
    EQUAL(weft_lock_release(&lock), -EPERM);
    CHECK(strstr(weft_error_detail(), "nobody holds") != NULL);
    EQUAL(weft_lock_acquire(&lock), 0);
    EQUAL(weft_await(weft_create_task(releases(), NULL)), -EPERM);
    CHECK(weft_lock_locked(&lock));
    EQUAL(weft_lock_acquire(&lock), -EDEADLK);
    CHECK(strstr(weft_error_detail(), "not re-entrant") != NULL);
    EQUAL(weft_lock_release(&lock), 0);
}

IN_TASK(statistics_tell_owner_and_waiters)
{
    weft_lock_stats stats;

    fresh();
    weft_lock_statistics(&lock, &stats);
    CHECK(!stats.locked && !stats.owner && stats.waiting == 0);
    EQUAL(weft_lock_acquire(&lock), 0);
    weft_task *a = holder(0, "a"), *b = holder(0, "b");

    weft_lock_statistics(&lock, &stats);
    CHECK(stats.locked && stats.owner == weft_current_task());
    EQUAL(stats.waiting, 2);
    EQUAL(weft_lock_release(&lock), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

WEFT_ASYNC(leaves_it_locked)
{
    int r = weft_lock_acquire(&lock);

    return r < 0 ? r : weft_sleep(0.01);
}

IN_TASK(a_lock_whose_owner_has_ended_is_an_error_for_who_wants_it)
{
    fresh();
    EQUAL(weft_await(weft_create_task(leaves_it_locked(), NULL)), 0);
    EQUAL(reports_left(), 0); /* nobody waits: whoever comes next is told */
    EQUAL(weft_lock_acquire(&lock), -EOWNERDEAD);
    CHECK(strstr(weft_error_detail(), "has ended") != NULL);
    EQUAL(weft_lock_acquire_nowait(&lock), -EOWNERDEAD);
    EQUAL(weft_lock_release(&lock), -EPERM);
    EQUAL(weft_lock_destroy(&lock), 0);
    fresh();
    EQUAL(weft_lock_acquire(&lock), 0);
    EQUAL(weft_lock_release(&lock), 0);
}

IN_TASK(who_waits_for_an_owner_that_ends_is_woken_and_it_is_reported)
{
    fresh();
    weft_task *owner =
        weft_create_task(leaves_it_locked(), &(weft_task_options){ .name = "forgetful" });
    const struct said *said;

    weft_sleep(0);
    weft_task *a = holder(0, "a"), *b = holder(0, "b");

    EQUAL(weft_await(a), -EOWNERDEAD);
    EQUAL(weft_await(b), -EOWNERDEAD);
    EQUAL(weft_await(owner), 0);
    said = next_report();
    EQUAL(said->kind, WEFT_REPORT_LOCK_HELD);
    SAME(said->task_name, "forgetful");
    EQUAL(reports_left(), 0);
}

IN_TASK(an_owner_that_was_handed_the_lock_is_watched_too)
{
    fresh();
    EQUAL(weft_lock_acquire(&lock), 0);
    weft_task *owner = weft_create_task(leaves_it_locked(), NULL);

    weft_sleep(0);
    weft_task *a = holder(0, "a");

    EQUAL(weft_lock_release(&lock), 0);
    EQUAL(weft_await(a), -EOWNERDEAD);
    EQUAL(weft_await(owner), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_LOCK_HELD);
}

static int uses_free_and_taken_locks(void)
{
    EQUAL((weft_lock_acquire)(&lock), -ECHILD);
    EQUAL(weft_lock_acquire_nowait(&lock), -ECHILD);
    CHECK(!weft_lock_locked(&lock));
    EQUAL(weft_lock_acquire(&lock), 0); /* in place */
    EQUAL((weft_lock_release)(&lock), -ECHILD);
    EQUAL(weft_lock_acquire(&lock), -ECHILD); /* it is taken: in full */
    EQUAL(weft_lock_release(&lock), 0);
    return claims_failed() ? 99 : 0;
}

IN_TASK(only_the_calls_in_full_look_for_a_fork)
{
    char text[400];

    fresh();
    while (weft_inline_running->budget < 1) { /* without turns left all calls are in full */
        EQUAL(weft_lock_acquire(&lock), 0);
        EQUAL(weft_lock_release(&lock), 0);
    }
    EQUAL(in_child(uses_free_and_taken_locks, text, sizeof text), 0);
    SAME(text, "");
    CHECK(!weft_lock_locked(&lock));
}

/* The rest. */

WEFT_ASYNC(locks_its_block, (int, how))
{
    WEFT_LOCK_SCOPE(&lock, r);

    if (r < 0) {
        return r;
    }
    CHECK(lock.owner == weft_current_task());
    for (int i = 0; i < 2; i++) {
        WEFT_LOCK_SCOPE(&lock, again);
        EQUAL(again, -EDEADLK);
        if (how == 1) {
            return 1;
        }
        if (how == 2) {
            break;
        }
    }
    return 2;
}

IN_TASK(a_lock_scope_ends_with_its_block)
{
    fresh();
    for (int how = 0; how < 3; how++) {
        EQUAL(weft_await(locks_its_block(how)), how == 1 ? 1 : 2);
        CHECK(!weft_lock_locked(&lock));
    }
    weft_task *a = holder(0.01, "a"), *b = weft_create_task(locks_its_block(0), NULL);

    weft_sleep(0);
    weft_task_cancel(b);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
}

WEFT_ASYNC(locks_for_ever)
{
    for (int i = 0; i < 100000 && !weft_cancelled(); i++) {
        EQUAL(weft_lock_acquire(&lock), 0);
        EQUAL(weft_lock_release(&lock), 0);
    }
    return weft_cancelled() ? 7 : 0;
}

IN_TASK(a_task_that_never_has_to_wait_gives_way_after_its_budget)
{
    fresh();
    weft_task *a = weft_create_task(locks_for_ever(), NULL);

    weft_sleep(0);
    CHECK(!weft_task_done(a));
    weft_task_cancel(a);
    EQUAL(weft_await(a), 7);
}

IN_LOOP(only_tasks_take_locks)
{
    fresh();
    EQUAL(weft_lock_acquire(&lock), -EPERM);
    EQUAL(weft_lock_acquire_nowait(&lock), -EPERM);
    EQUAL(weft_lock_release(&lock), -EPERM);
    EQUAL(weft_lock_acquire(NULL), -EINVAL);
    EQUAL(weft_lock_acquire_nowait(NULL), -EINVAL);
    EQUAL(weft_lock_release(NULL), -EINVAL);
    EQUAL(weft_lock_destroy(NULL), -EINVAL);
}

IN_LOOP(a_lock_serves_one_loop_at_a_time)
{
    weft_loop *second = open_loop();

    fresh();
    weft_task *a = weft_loop_create_task(loop, holds_for(0.01, "a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, holds_for(0, "other loop")), -EXDEV);
    EQUAL(run(a), 0);
    EQUAL(weft_loop_run_until_complete(second, holds_for(0, "free")), 0);
    weft_loop_close(second);
    HAPPENED("a free");
}

IN_TASK(a_lock_that_is_held_or_wanted_is_not_destroyed)
{
    fresh();
    EQUAL(weft_lock_acquire(&lock), 0);
    EQUAL(weft_lock_destroy(&lock), -EBUSY);
    weft_task *a = holder(0, "a");

    weft_task_set_name(a, "wants it");
    EQUAL(weft_lock_destroy(&lock), -EBUSY);
    const struct said *said = next_report();

    SAME(said->task_name, "wants it");
    SAME(said->message, "waits for a lock that was to be destroyed");
    SAME(said->waiting, "lock");
    EQUAL(weft_lock_release(&lock), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_lock_destroy(&lock), 0);
    HAPPENED("a");
}

/* At every step. */

WEFT_ASYNC(works_under_lock)
{
    int r = weft_lock_acquire(&lock);

    if (r == 0) {
        EQUAL(step_balance++, 0); /* nobody else is in here */
        r = weft_sleep(0.001);
        EQUAL(--step_balance, 0);
        EQUAL(weft_lock_release(&lock), 0);
    }
    return r;
}

WEFT_ASYNC(four_work_under_lock)
{
    int r;

    fresh();
    r = weft_gather(NULL, works_under_lock(), works_under_lock(), works_under_lock(),
                    works_under_lock());
    CHECK(!weft_lock_locked(&lock));
    EQUAL(lock.waiters.count, 0);
    return r;
}

IN_LOOP(no_lock_is_lost_wherever_a_cancel_comes)
{
    CHECK(AT_EVERY_STEP(four_work_under_lock, 0, -ECANCELED) > 20);
}

static CU_TestInfo tests[] = {
    TEST(a_free_lock_is_taken_without_giving_way),
    TEST(the_functions_do_what_the_macros_do),
    TEST(waiters_are_served_in_the_order_in_which_they_came),
    TEST(nobody_overtakes_who_was_given_the_lock),
    TEST(nowait_takes_only_what_is_free),
    TEST(a_waiter_that_is_cancelled_leaves_the_line),
    TEST(who_was_given_the_lock_keeps_it_when_it_is_cancelled_then),
    TEST(a_cancelled_task_takes_no_lock_but_without_waiting),
    TEST(only_the_owner_releases),
    TEST(statistics_tell_owner_and_waiters),
    TEST(a_lock_whose_owner_has_ended_is_an_error_for_who_wants_it),
    TEST(who_waits_for_an_owner_that_ends_is_woken_and_it_is_reported),
    TEST(an_owner_that_was_handed_the_lock_is_watched_too),
    TEST(only_the_calls_in_full_look_for_a_fork),
    TEST(a_lock_scope_ends_with_its_block),
    TEST(a_task_that_never_has_to_wait_gives_way_after_its_budget),
    TEST(only_tasks_take_locks),
    TEST(a_lock_serves_one_loop_at_a_time),
    TEST(a_lock_that_is_held_or_wanted_is_not_destroyed),
    TEST(no_lock_is_lost_wherever_a_cancel_comes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(lock, tests)
