/* SPDX-License-Identifier: MIT
 * Conditions: notifications, the lock around them, and cancels in each phase. */
#include "tests/task/steps.h"

#include <string.h>

static weft_condition condition;

static void fresh(void)
{
    condition = (weft_condition)WEFT_CONDITION_INIT;
}

static bool is_held_here(void)
{
    return weft_condition_get_lock(&condition)->owner == weft_current_task();
}

WEFT_ASYNC(waits, (const char *, word))
{
    int r = weft_condition_acquire(&condition);

    if (r < 0) {
        return r;
    }
    r = weft_condition_wait(&condition);
    CHECK(is_held_here());
    note(word);
    EQUAL(weft_condition_release(&condition), 0);
    return r;
}

WEFT_MUST_USE static weft_task *waiting(const char *word)
{
    weft_task *task = weft_create_task(waits(word), NULL);

    weft_sleep(0);
    return task;
}

static int64_t notify(size_t n)
{
    int64_t r;

    EQUAL(weft_condition_acquire(&condition), 0);
    r = weft_condition_notify(&condition, n);
    EQUAL(weft_condition_release(&condition), 0);
    return r;
}

IN_TASK(so_many_are_notified_in_the_order_in_which_they_came)
{
    weft_condition_stats stats;

    fresh();
    weft_task *a = waiting("a"), *b = waiting("b"), *c = waiting("c");

    CHECK(!weft_condition_locked(&condition));
    weft_condition_statistics(&condition, &stats);
    EQUAL(stats.waiting, 3);
    CHECK(!stats.lock.locked);
    EQUAL(notify(2), 2);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    CHECK(!weft_task_done(c));
    EQUAL(notify(0), 0);
    EQUAL(notify(9), 1);
    EQUAL(notify(1), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("a b c");
}

IN_TASK(all_are_notified_and_go_on_one_at_a_time)
{
    weft_condition_stats stats;

    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    EQUAL(weft_condition_acquire(&condition), 0);
    EQUAL(weft_condition_notify_all(&condition), 2);
    weft_condition_statistics(&condition, &stats);
    EQUAL(stats.waiting, 0);
    EQUAL(stats.lock.waiting, 2); /* they stand in the lock's line, and sleep on */
    CHECK(stats.lock.owner == weft_current_task());
    weft_sleep(0.01);
    HAPPENED("");
    EQUAL(weft_condition_release(&condition), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

IN_TASK(waiting_releases_the_lock_to_who_wants_it)
{
    fresh();
    EQUAL(weft_condition_acquire(&condition), 0);
    weft_task *a = waiting("a");

    weft_task *b = weft_create_task(notes("b"), NULL);
    EQUAL(weft_await(b), 0);
    weft_task_cancel(a); /* it wants the lock to begin with */
    EQUAL(weft_condition_release(&condition), 0);
    EQUAL(weft_await(a), -ECANCELED);
    HAPPENED("b");
}

IN_TASK(who_waits_without_the_lock_is_told_so)
{
    fresh();
    EQUAL(weft_condition_wait(&condition), -EPERM);
    CHECK(strstr(weft_error_detail(), "does not hold") != NULL);
    EQUAL(weft_condition_notify(&condition, 1), -EPERM);
    EQUAL(weft_condition_notify_all(&condition), -EPERM);
    EQUAL(weft_condition_release(&condition), -EPERM);
    EQUAL(weft_condition_wait(NULL), -EINVAL);
    EQUAL(weft_condition_notify(NULL, 1), -EINVAL);
    EQUAL(weft_condition_acquire(NULL), -EINVAL);
    EQUAL(weft_condition_release(NULL), -EINVAL);
    EQUAL(weft_condition_destroy(NULL), -EINVAL);
    EQUAL(weft_condition_wait_for(&condition, NULL, NULL), -EINVAL);
    EQUAL(weft_condition_acquire(&condition), 0);
    EQUAL(weft_condition_acquire(&condition), -EDEADLK);
    EQUAL(weft_condition_release(&condition), 0);
}

/* Cancels. */

IN_TASK(a_cancelled_wait_returns_with_the_lock_held)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    EQUAL(weft_condition_acquire(&condition), 0);
    weft_task_cancel(a);
    weft_sleep(0.01);
    CHECK(!weft_task_done(a)); /* it waits for the lock all the same */
    EQUAL(weft_condition_notify(&condition, 1), 1);
    EQUAL(weft_condition_release(&condition), 0);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), 0); /* the notification was not lost on the one that gave up */
    HAPPENED("a b");
}

IN_TASK(a_cancelled_wait_takes_a_free_lock)
{
    fresh();
    weft_task *a = waiting("a");

    weft_task_cancel(a);
    CHECK(weft_condition_get_lock(&condition)->owner == a);
    EQUAL(weft_await(a), -ECANCELED);
    CHECK(!weft_condition_locked(&condition));
    HAPPENED("a");
}

IN_TASK(who_was_notified_returns_0_though_it_was_cancelled_then)
{
    fresh();
    weft_task *a = waiting("a");

    EQUAL(weft_condition_acquire(&condition), 0);
    EQUAL(weft_condition_notify(&condition, 1), 1);
    weft_task_cancel(a);
    weft_task_uncancel(a);
    weft_task_cancel(a);
    EQUAL(weft_condition_release(&condition), 0);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
}

WEFT_ASYNC(waits_when_cancelled)
{
    EQUAL(weft_condition_acquire(&condition), 0);
    weft_task_cancel(weft_current_task());
    EQUAL(weft_condition_wait(&condition), -ECANCELED);
    CHECK(is_held_here());
    EQUAL(weft_condition_release(&condition), 0);
    return 0;
}

IN_TASK(a_cancelled_task_gives_the_lock_away_once_and_has_it_again)
{
    fresh();
    EQUAL(weft_await(weft_create_task(waits_when_cancelled(), NULL)), 0);
    CHECK(!weft_condition_locked(&condition));
}

IN_TASK(a_timeout_ends_a_wait_with_the_lock_held)
{
    weft_timeout limit;

    fresh();
    EQUAL(weft_condition_acquire(&condition), 0);
    weft_timeout_enter(&limit, 0.01);
    EQUAL(weft_timeout_exit(&limit, weft_condition_wait(&condition)), -ETIMEDOUT);
    CHECK(is_held_here());
    EQUAL(weft_condition_release(&condition), 0);
}

/* Predicates. */

static int work;

static int has_work(void *asked)
{
    ++*(int *)asked;
    CHECK(is_held_here());
    return work;
}

WEFT_ASYNC(waits_for_work, (int *, asked))
{
    int r;

    WEFT_CONDITION_SCOPE(&condition, locked);
    EQUAL(locked, 0);
    r = weft_condition_wait_for(&condition, has_work, asked);
    CHECK(is_held_here());
    return r;
}

IN_TASK(wait_for_asks_first_and_after_each_notification)
{
    int asked = 0;

    fresh();
    work = 5;
    EQUAL(weft_await(waits_for_work(&asked)), 5);
    EQUAL(asked, 1);
    work = 0;
    weft_task *a = weft_create_task(waits_for_work(&asked), NULL);

    weft_sleep(0);
    EQUAL(notify(1), 1);
    weft_sleep(0.001);
    EQUAL(asked, 3);
    work = 7;
    EQUAL(notify(1), 1);
    EQUAL(weft_await(a), 7);
    EQUAL(asked, 4);
}

IN_TASK(a_predicate_that_fails_ends_the_wait)
{
    int asked = 0;

    fresh();
    work = 0;
    weft_task *a = weft_create_task(waits_for_work(&asked), NULL);

    weft_sleep(0);
    work = -EIO;
    EQUAL(notify(1), 1);
    EQUAL(weft_await(a), -EIO);
    work = 0;
    weft_task *b = weft_create_task(waits_for_work(&asked), NULL);

    weft_sleep(0);
    weft_task_cancel(b);
    EQUAL(weft_await(b), -ECANCELED);
    CHECK(!weft_condition_locked(&condition));
    EQUAL(weft_condition_wait_for(&condition, has_work, &asked), -EPERM);
}

/* A lock that was given. */

IN_TASK(two_conditions_share_a_lock)
{
    weft_lock lock = WEFT_LOCK_INIT;
    weft_condition other = WEFT_CONDITION_INIT_WITH(&lock);

    condition = (weft_condition)WEFT_CONDITION_INIT_WITH(&lock);
    CHECK(weft_condition_get_lock(&condition) == &lock);
    weft_task *a = waiting("a");

    EQUAL(weft_lock_acquire(&lock), 0);
    EQUAL(weft_condition_notify(&other, 1), 0);
    EQUAL(weft_condition_notify(&condition, 1), 1);
    EQUAL(weft_condition_release(&other), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_condition_destroy(&condition), 0);
    EQUAL(weft_condition_destroy(&other), 0);
    HAPPENED("a");
}

/* The end. */

WEFT_ASYNC(leaves_it_locked)
{
    EQUAL(weft_condition_acquire(&condition), 0);
    EQUAL(weft_condition_notify_all(&condition), 2);
    return 0;
}

WEFT_ASYNC(waits_in_vain)
{
    EQUAL(weft_condition_acquire(&condition), 0);
    EQUAL(weft_condition_wait(&condition), -EOWNERDEAD);
    CHECK(!is_held_here());
    return 0;
}

IN_TASK(a_lock_whose_owner_ends_ends_the_waits_for_it)
{
    fresh();
    weft_task *a = weft_create_task(waits_in_vain(), NULL);
    weft_task *b = weft_create_task(waits_in_vain(), NULL);

    weft_sleep(0);
    EQUAL(weft_await(weft_create_task(leaves_it_locked(), NULL)), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_LOCK_HELD);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
}

WEFT_ASYNC(keeps_the_lock)
{
    EQUAL(weft_condition_acquire(&condition), 0);
    return 0;
}

IN_TASK(a_cancelled_wait_finds_that_the_owner_has_ended)
{
    fresh();
    weft_task *a = weft_create_task(waits_in_vain(), NULL);

    weft_sleep(0);
    EQUAL(weft_await(weft_create_task(keeps_the_lock(), NULL)), 0);
    weft_task_cancel(a);
    EQUAL(weft_await(a), 0);
}

IN_TASK(one_that_is_waited_for_is_not_destroyed)
{
    fresh();
    weft_task *a = waiting("a");

    EQUAL(weft_condition_destroy(&condition), -EBUSY);
    SAME(next_report()->message, "waits for a condition that was to be destroyed");
    EQUAL(notify(1), 1);
    EQUAL(weft_condition_destroy(&condition), -EBUSY); /* it has the lock by now */
    EQUAL(weft_await(a), 0);
    EQUAL(weft_condition_destroy(&condition), 0);
    HAPPENED("a");
}

IN_LOOP(a_condition_serves_one_loop_at_a_time)
{
    weft_loop *second = open_loop();

    fresh();
    weft_task *a = weft_loop_create_task(loop, waits("a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, waits("still has the lock")), -EXDEV);
    weft_task_cancel(a);
    EQUAL(run(a), -ECANCELED);
    weft_loop_close(second);
    HAPPENED("still has the lock a");
}

/* At every step. */

static int is_there(void *unused)
{
    (void)unused;
    return work > 0;
}

WEFT_ASYNC(takes_one)
{
    int r = weft_condition_acquire(&condition);

    if (r == 0) {
        r = weft_condition_wait_for(&condition, is_there, NULL);
        CHECK(is_held_here());
        work -= r > 0;
        step_balance += r > 0;
        EQUAL(weft_condition_release(&condition), 0);
    }
    return r > 0 ? 0 : r;
}

WEFT_ASYNC(makes, (int, n))
{
    while (n-- > 0) {
        weft_sleep(0.001);
        EQUAL(weft_condition_acquire(&condition), 0);
        work++;
        CHECK(weft_condition_notify(&condition, 1) <= 1);
        EQUAL(weft_condition_release(&condition), 0);
    }
    return 0;
}

/* Three are made for three who take.  Those who were cancelled leave theirs to others. */
WEFT_ASYNC(three_are_made_and_taken)
{
    weft_shield shield;
    weft_task *maker;
    int r;

    fresh();
    work = 0;
    maker = weft_create_task(makes(3), NULL);
    r = weft_gather(NULL, takes_one(), takes_one(), takes_one());
    weft_shield_enter(&shield, 10);
    while (step_balance < 3) {
        EQUAL(weft_await(takes_one()), 0);
    }
    EQUAL(weft_await(maker), 0);
    weft_shield_exit(&shield, 0);
    EQUAL(work, 0);
    CHECK(!weft_condition_locked(&condition));
    step_balance -= 3;
    return r;
}

IN_LOOP(no_notification_is_lost_wherever_a_cancel_comes)
{
    CHECK(AT_EVERY_STEP(three_are_made_and_taken, 0, -ECANCELED) > 20);
}

static CU_TestInfo tests[] = {
    TEST(so_many_are_notified_in_the_order_in_which_they_came),
    TEST(all_are_notified_and_go_on_one_at_a_time),
    TEST(waiting_releases_the_lock_to_who_wants_it),
    TEST(who_waits_without_the_lock_is_told_so),
    TEST(a_cancelled_wait_returns_with_the_lock_held),
    TEST(a_cancelled_wait_takes_a_free_lock),
    TEST(who_was_notified_returns_0_though_it_was_cancelled_then),
    TEST(a_cancelled_task_gives_the_lock_away_once_and_has_it_again),
    TEST(a_timeout_ends_a_wait_with_the_lock_held),
    TEST(wait_for_asks_first_and_after_each_notification),
    TEST(a_predicate_that_fails_ends_the_wait),
    TEST(two_conditions_share_a_lock),
    TEST(a_lock_whose_owner_ends_ends_the_waits_for_it),
    TEST(a_cancelled_wait_finds_that_the_owner_has_ended),
    TEST(one_that_is_waited_for_is_not_destroyed),
    TEST(a_condition_serves_one_loop_at_a_time),
    TEST(no_notification_is_lost_wherever_a_cancel_comes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(condition, tests)
