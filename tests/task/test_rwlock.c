/* SPDX-License-Identifier: MIT
 * Read-write locks and resource guards. */
#include "tests/task/steps.h"

#include <string.h>

static weft_rwlock lock;

static void fresh(void)
{
    lock = (weft_rwlock)WEFT_RWLOCK_INIT;
}

WEFT_ASYNC(reads_for, (double, delay), (const char *, word))
{
    int r = weft_rwlock_acquire_read(&lock);

    if (r < 0) {
        return r;
    }
    CHECK(!lock.writer);
    note(word);
    r = weft_sleep(delay);
    EQUAL(weft_rwlock_release_read(&lock), 0);
    return r;
}

WEFT_ASYNC(writes_for, (double, delay), (const char *, word))
{
    int r = weft_rwlock_acquire_write(&lock);

    if (r < 0) {
        return r;
    }
    EQUAL(lock.readers, 0);
    CHECK(lock.writer == weft_current_task());
    note(word);
    r = weft_sleep(delay);
    EQUAL(weft_rwlock_release_write(&lock), 0);
    return r;
}

WEFT_MUST_USE static weft_task *begun(weft_coro *coro)
{
    weft_task *task = weft_create_task(coro, NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(many_read_together)
{
    weft_rwlock_stats stats;

    fresh();
    weft_task *a = begun(reads_for(0.01, "a")), *b = begun(reads_for(0.01, "b"));

    HAPPENED("a b");
    weft_rwlock_statistics(&lock, &stats);
    EQUAL(stats.readers, 2);
    EQUAL(stats.waiting, 0);
    CHECK(!stats.writer);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
}

IN_TASK(one_writes_alone)
{
    weft_rwlock_stats stats;

    fresh();
    weft_task *a = begun(writes_for(0.01, "a")), *b = begun(writes_for(0.01, "b"));
    weft_task *c = begun(reads_for(0, "c"));

    HAPPENED("a");
    weft_rwlock_statistics(&lock, &stats);
    CHECK(stats.writer == a);
    EQUAL(stats.waiting, 2);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("b c");
}

IN_TASK(readers_stand_behind_a_writer_that_waits)
{
    fresh();
    weft_task *a = begun(reads_for(0.01, "a")), *b = begun(writes_for(0, "b"));
    weft_task *c = begun(reads_for(0, "c")), *d = begun(reads_for(0, "d"));

    EQUAL(weft_rwlock_acquire_read_nowait(&lock), -EAGAIN);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    EQUAL(weft_await(d), 0);
    HAPPENED("a b c d");
}

IN_TASK(readers_behind_a_writer_that_gives_up_go_in_at_once)
{
    fresh();
    weft_task *a = begun(reads_for(0.01, "a")), *b = begun(writes_for(0, "b"));
    weft_task *c = begun(reads_for(0, "c")), *d = begun(writes_for(0, "d"));

    weft_task_cancel(b);
    EQUAL(lock.readers, 2);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(weft_await(c), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(d), 0);
    HAPPENED("a c d");
}

IN_TASK(who_was_let_in_keeps_it_when_it_is_cancelled_then)
{
    fresh();
    EQUAL(weft_rwlock_acquire_write(&lock), 0);
    weft_task *a = begun(reads_for(9, "a")), *b = begun(writes_for(9, "b"));

    EQUAL(weft_rwlock_release_write(&lock), 0);
    weft_task_cancel(a);
    EQUAL(lock.readers, 1);
    EQUAL(weft_await(a), -ECANCELED); /* of its sleep */
    CHECK(lock.writer == b);
    weft_task_cancel(b);
    EQUAL(weft_await(b), -ECANCELED);
    HAPPENED("a b");
}

WEFT_ASYNC(acquires_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    EQUAL(weft_rwlock_acquire_read(&lock), -ECANCELED);
    EQUAL(weft_rwlock_acquire_write(&lock), -ECANCELED);
    EQUAL(weft_rwlock_acquire_write_nowait(&lock), 0);
    EQUAL(weft_rwlock_release_write(&lock), 0);
    return 0;
}

IN_TASK(a_cancelled_task_takes_no_lock_but_without_waiting)
{
    fresh();
    EQUAL(weft_await(weft_create_task(acquires_when_cancelled(), NULL)), 0);
}

IN_TASK(a_writer_goes_on_as_a_reader)
{
    fresh();
    EQUAL(weft_rwlock_downgrade(&lock), -EPERM);
    EQUAL(weft_rwlock_acquire_write(&lock), 0);
    weft_task *a = begun(reads_for(0, "a")), *b = begun(writes_for(0, "b"));

    EQUAL(weft_rwlock_downgrade(&lock), 0);
    EQUAL(lock.readers, 2);
    EQUAL(weft_await(a), 0);
    CHECK(!weft_task_done(b));
    EQUAL(weft_rwlock_release_read(&lock), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

WEFT_ASYNC(releases_both)
{
    EQUAL(weft_rwlock_release_read(&lock), -EPERM);
    EQUAL(weft_rwlock_release_write(&lock), -EPERM);
    return 0;
}

IN_TASK(who_does_not_hold_it_cannot_release_it)
{
    fresh();
    EQUAL(weft_rwlock_release_read(&lock), -EPERM);
    EQUAL(weft_rwlock_release_write(&lock), -EPERM);
    EQUAL(weft_rwlock_acquire_read(&lock), 0);
    EQUAL(weft_await(weft_create_task(releases_both(), NULL)), 0);
    EQUAL(weft_rwlock_release_write(&lock), -EPERM);
    EQUAL(weft_rwlock_release_read(&lock), 0);
    EQUAL(weft_rwlock_acquire_write(&lock), 0);
    EQUAL(weft_await(weft_create_task(releases_both(), NULL)), 0);
    EQUAL(weft_rwlock_acquire_write(&lock), -EDEADLK);
    EQUAL(weft_rwlock_acquire_read(&lock), -EDEADLK);
    EQUAL(weft_rwlock_acquire_read_nowait(&lock), -EDEADLK);
    EQUAL(weft_rwlock_release_write(&lock), 0);
}

WEFT_ASYNC(leaves_it_locked, (bool, writes))
{
    EQUAL(writes ? weft_rwlock_acquire_write(&lock) : weft_rwlock_acquire_read(&lock), 0);
    return weft_sleep(0.01);
}

IN_TASK(a_writer_that_ends_with_the_lock_ends_the_waits_for_it)
{
    fresh();
    weft_task *owner = begun(leaves_it_locked(true));
    weft_task *a = begun(reads_for(0, "")), *b = begun(writes_for(0, ""));

    EQUAL(weft_await(a), -EOWNERDEAD);
    EQUAL(weft_await(b), -EOWNERDEAD);
    EQUAL(weft_await(owner), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_LOCK_HELD);
    EQUAL(weft_rwlock_acquire_read(&lock), -EOWNERDEAD);
    HAPPENED("");
}

IN_TASK(a_reader_that_ends_with_the_lock_is_reported)
{
    fresh();
    EQUAL(weft_await(weft_create_task(leaves_it_locked(false), NULL)), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_LOCK_HELD);
    EQUAL(weft_rwlock_destroy(&lock), -EBUSY);
}

WEFT_ASYNC(has_it_in_blocks)
{
    {
        WEFT_READ_SCOPE(&lock, r);
        EQUAL(r, 0);
        EQUAL(lock.readers, 1);
    }
    WEFT_WRITE_SCOPE(&lock, r);
    EQUAL(r, 0);
    CHECK(lock.writer == weft_current_task());
    return 1;
}

IN_TASK(scopes_end_with_their_block)
{
    fresh();
    EQUAL(weft_await(has_it_in_blocks()), 1);
    CHECK(!lock.writer && !lock.readers);
}

IN_LOOP(what_is_wrong_is_told)
{
    weft_loop *second = open_loop();

    fresh();
    EQUAL(weft_rwlock_acquire_read(&lock), -EPERM);
    EQUAL(weft_rwlock_acquire_read(NULL), -EINVAL);
    EQUAL(weft_rwlock_acquire_write(NULL), -EINVAL);
    EQUAL(weft_rwlock_acquire_write_nowait(NULL), -EINVAL);
    EQUAL(weft_rwlock_release_read(NULL), -EINVAL);
    EQUAL(weft_rwlock_release_write(NULL), -EINVAL);
    EQUAL(weft_rwlock_release_read(&lock), -EPERM);
    EQUAL(weft_rwlock_downgrade(NULL), -EINVAL);
    EQUAL(weft_rwlock_destroy(NULL), -EINVAL);
    weft_task *a = weft_loop_create_task(loop, writes_for(0.01, "a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, reads_for(0, "")), -EXDEV);
    EQUAL(weft_rwlock_destroy(&lock), -EBUSY);
    CHECK(strstr(weft_error_detail(), "writes under this lock") != NULL);
    EQUAL(run(a), 0);
    EQUAL(weft_rwlock_destroy(&lock), 0);
    weft_loop_close(second);
    HAPPENED("a");
}

/* At every step. */

WEFT_ASYNC(reads_at_a_step)
{
    int r = weft_rwlock_acquire_read(&lock);

    if (r == 0) {
        step_balance++;
        CHECK(step_balance < 100);
        r = weft_sleep(0.001);
        step_balance--;
        EQUAL(weft_rwlock_release_read(&lock), 0);
    }
    return r;
}

WEFT_ASYNC(writes_at_a_step)
{
    int r = weft_rwlock_acquire_write(&lock);

    if (r == 0) {
        EQUAL(step_balance, 0); /* nobody reads or writes */
        step_balance += 100;
        r = weft_sleep(0.001);
        step_balance -= 100;
        EQUAL(weft_rwlock_release_write(&lock), 0);
    }
    return r;
}

WEFT_ASYNC(all_read_and_write)
{
    int r;

    fresh();
    r = weft_gather(NULL, reads_at_a_step(), writes_at_a_step(), reads_at_a_step(),
                    reads_at_a_step(), writes_at_a_step(), reads_at_a_step());
    CHECK(!lock.writer && !lock.readers && !lock.waiters.count);
    return r;
}

IN_LOOP(no_lock_is_lost_wherever_a_cancel_comes)
{
    CHECK(AT_EVERY_STEP(all_read_and_write, 0, -ECANCELED) > 20);
}

/* Resource guards. */

static weft_resource_guard guard;

WEFT_ASYNC(is_in_for, (double, delay))
{
    WEFT_RESOURCE_GUARD_SCOPE(&guard, r);

    return r < 0 ? r : weft_sleep(delay);
}

IN_TASK(a_guard_lets_one_in_and_tells_the_others)
{
    guard = (weft_resource_guard)WEFT_RESOURCE_GUARD_INIT;
    weft_task *a = begun(is_in_for(0.01));

    weft_task_set_name(a, "the first");
    EQUAL(weft_resource_guard_enter(&guard), -EBUSY);
    CHECK(strstr(weft_error_detail(), "'the first' is using this") != NULL);
    EQUAL(weft_resource_guard_exit(&guard), -EPERM);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_resource_guard_enter(&guard), 0);
    EQUAL(weft_resource_guard_enter(&guard), -EBUSY);
    EQUAL(weft_resource_guard_exit(&guard), 0);
    EQUAL(weft_resource_guard_exit(&guard), -EPERM);
    EQUAL(weft_resource_guard_enter(NULL), -EINVAL);
    EQUAL(weft_resource_guard_exit(NULL), -EINVAL);
}

WEFT_ASYNC(ends_inside)
{
    return weft_resource_guard_enter(&guard);
}

IN_TASK(a_task_that_ends_inside_is_reported_and_is_in_no_more)
{
    guard = (weft_resource_guard)WEFT_RESOURCE_GUARD_INIT;
    EQUAL(weft_await(weft_create_task(ends_inside(), NULL)), 0);
    EQUAL(next_report()->kind, WEFT_REPORT_LOCK_HELD);
    EQUAL(weft_resource_guard_enter(&guard), 0);
    EQUAL(weft_resource_guard_exit(&guard), 0);
}

IN_LOOP(a_guard_is_for_tasks)
{
    guard = (weft_resource_guard)WEFT_RESOURCE_GUARD_INIT;
    EQUAL(weft_resource_guard_enter(&guard), -EPERM);
    EQUAL(weft_resource_guard_exit(&guard), -EPERM);
}

static CU_TestInfo tests[] = {
    TEST(many_read_together),
    TEST(one_writes_alone),
    TEST(readers_stand_behind_a_writer_that_waits),
    TEST(readers_behind_a_writer_that_gives_up_go_in_at_once),
    TEST(who_was_let_in_keeps_it_when_it_is_cancelled_then),
    TEST(a_cancelled_task_takes_no_lock_but_without_waiting),
    TEST(a_writer_goes_on_as_a_reader),
    TEST(who_does_not_hold_it_cannot_release_it),
    TEST(a_writer_that_ends_with_the_lock_ends_the_waits_for_it),
    TEST(a_reader_that_ends_with_the_lock_is_reported),
    TEST(scopes_end_with_their_block),
    TEST(what_is_wrong_is_told),
    TEST(no_lock_is_lost_wherever_a_cancel_comes),
    TEST(a_guard_lets_one_in_and_tells_the_others),
    TEST(a_task_that_ends_inside_is_reported_and_is_in_no_more),
    TEST(a_guard_is_for_tasks),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(rwlock, tests)
