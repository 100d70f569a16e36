/* SPDX-License-Identifier: MIT
 * Debug mode: circles of tasks that wait for each other by other means than locks alone, and what
 * looks like one and opens. */
#include "tests/task/debug.h"

static void watch_circles(void)
{
    watch_for("deadlock,made");
}

/* One circle of so many was told, by whoever closed it, and these are the others and their waits,
 * each after the one that it waits for it. */
static void check_circle(const char *last, uint32_t count, const char *const others[][2])
{
    EQUAL(told.status, -EDEADLK);
    EQUAL(told.others_count, count - 1);
    for (uint32_t i = 0; i + 1 < count; i++) {
        SAME(told.others[i].task_name, others[i][0]);
        SAME(told.others[i].waiting, others[i][1]);
        CHECK((told.others[i].stack_count > 0) == knows_stacks_of_others());
        CHECK(told.others[i].made_count > 0);
    }
    TOLD_ABOUT(WEFT_REPORT_DEADLOCK, last);
}

static void cancel_and_await(weft_task *task)
{
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

/* ---- read-write locks ---- */

static weft_rwlock north, south;

WEFT_ASYNC(writes_and_reads, (weft_rwlock *, written), (weft_rwlock *, read))
{
    int r;

    EQUAL(weft_rwlock_acquire_write(written), 0);
    weft_sleep(0);
    r = weft_rwlock_acquire_read(read);
    if (r == 0) {
        EQUAL(weft_rwlock_release_read(read), 0);
    }
    EQUAL(weft_rwlock_release_write(written), 0);
    return r;
}

WEFT_ASYNC(reads_both, (weft_rwlock *, first), (weft_rwlock *, second))
{
    EQUAL(weft_rwlock_acquire_read(first), 0);
    weft_sleep(0);
    EQUAL(weft_rwlock_acquire_read(second), 0);
    EQUAL(weft_rwlock_release_read(second), 0);
    return weft_rwlock_release_read(first);
}

static void free_rwlocks(void)
{
    north = south = (weft_rwlock)WEFT_RWLOCK_INIT;
    watch_circles();
}

IN_TASK(writers_that_want_to_read_what_the_other_writes)
{
    static const char *const others[][2] = { { "first", "read lock" } };
    weft_task *first, *second;

    free_rwlocks();
    first = named(writes_and_reads(&north, &south), "first");
    second = named(writes_and_reads(&south, &north), "second");
    give_way(4);
    SAME(told.message, "waits for a read lock where task 'first' has the write lock, and that one "
                       "waits for it: none can go on");
    SAME(told.others[0].message, "waits for a read lock where task 'second' has the write lock");
    check_circle("second", 2, others);
    cancel_and_await(first);
    EQUAL(weft_await(second), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(readers_of_both_do_not_hinder_each_other)
{
    weft_task *first, *second;

    free_rwlocks();
    first = named(reads_both(&north, &south), "first");
    second = named(reads_both(&south, &north), "second");
    EQUAL(weft_await(first), 0);
    EQUAL(weft_await(second), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* ---- a lock and an await ---- */

static weft_lock lock;

WEFT_ASYNC(wants_the_lock)
{
    int r = weft_lock_acquire(&lock);

    return r < 0 ? r : weft_lock_release(&lock);
}

/* Awaits a task that wants the lock, with the lock held or not. */
WEFT_ASYNC(awaits_one_that_wants_it, (bool, holds))
{
    weft_task *other;
    int r;

    EQUAL(weft_lock_acquire(&lock), 0);
    other = named(wants_the_lock(), "other");
    weft_sleep(0);
    if (!holds) {
        EQUAL(weft_lock_release(&lock), 0);
    }
    r = weft_await(other);
    return holds ? (EQUAL(weft_lock_release(&lock), 0), r) : r;
}

IN_TASK(one_that_holds_a_lock_and_awaits_who_wants_it)
{
    static const char *const others[][2] = { { "other", "lock" } };
    weft_task *holder;
    char wanted[80];

    lock = (weft_lock)WEFT_LOCK_INIT;
    watch_circles();
    holder = named(awaits_one_that_wants_it(true), "holder");
    give_way(4);
    SAME(told.message, "waits for task 'other', and that one waits for it: none can go on");
    snprintf(wanted, sizeof wanted, "waits for the lock %p that task 'holder' holds",
             (void *)&lock);
    SAME(told.others[0].message, wanted);
    check_circle("holder", 2, others);
    cancel_and_await(holder);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(one_that_gave_it_back_before)
{
    lock = (weft_lock)WEFT_LOCK_INIT;
    watch_circles();
    EQUAL(weft_await(named(awaits_one_that_wants_it(false), "holder")), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* ---- groups ---- */

static weft_task *parent;

WEFT_ASYNC(awaits_its_parent)
{
    weft_sleep(0);
    return weft_await(weft_task_ref(parent));
}

WEFT_ASYNC(awaits_children, (bool, circle))
{
    weft_task_group group;
    weft_task *first;

    EQUAL(weft_task_group_enter(&group), 0);
    first = weft_task_group_create_task(&group, circle ? awaits_its_parent() : sleeps(0.001),
                                        &(weft_task_options){ .name = "child" });
    if (!circle) { /* one child awaits another: that is a chain */
        (void)weft_task_group_create_task(&group, awaits_task(weft_task_ref(first)), NULL);
    }
    return weft_task_group_exit(&group, 0);
}

WEFT_ASYNC(makes_a_family)
{
    static const char *const others[][2] = { { "parent", "task group" } };

    watch_circles();
    parent = named(awaits_children(true), "parent");
    give_way(4);
    SAME(told.others[0].message, "waits for a task group of task 'child'");
    check_circle("child", 2, others);
    return 0;
}

/* An await hands a cancel on and waits for the end: none can be cancelled, so this is a process
 * that ends without them. */
static int runs_a_family(void)
{
    loop = open_loop();
    return run(makes_a_family());
}

ALONE(a_child_that_awaits_its_groups_task)
{
    EQUAL(in_child(runs_a_family, NULL, 0), 0);
}

IN_TASK(children_that_await_each_other_in_a_row)
{
    watch_circles();
    EQUAL(weft_await(named(awaits_children(false), "parent")), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* ---- three of a kind each ---- */

static weft_task *awaited;

WEFT_ASYNC(locks_and_awaits)
{
    int r;

    EQUAL(weft_lock_acquire(&lock), 0);
    weft_sleep(0);
    r = weft_await(weft_task_ref(awaited));
    EQUAL(weft_lock_release(&lock), 0);
    return r;
}

WEFT_ASYNC(reads)
{
    int r = weft_rwlock_acquire_read(&north);

    return r < 0 ? r : weft_rwlock_release_read(&north);
}

WEFT_ASYNC(writes_and_locks)
{
    int r;

    EQUAL(weft_rwlock_acquire_write(&north), 0);
    weft_sleep(0);
    weft_sleep(0);
    r = weft_lock_acquire(&lock);
    if (r == 0) {
        EQUAL(weft_lock_release(&lock), 0);
    }
    EQUAL(weft_rwlock_release_write(&north), 0);
    return r;
}

IN_TASK(a_circle_of_three_different_waits)
{
    static const char *const others[][2] = { { "reads", "read lock" }, { "awaits", "task" } };
    weft_task *first, *third;

    free_rwlocks();
    lock = (weft_lock)WEFT_LOCK_INIT;
    third = named(writes_and_locks(), "locks");
    awaited = named(reads(), "reads");
    first = named(locks_and_awaits(), "awaits");
    give_way(5);
    CHECK(strstr(told.message, " that task 'awaits' holds, and those below wait for it: ") != NULL);
    check_circle("locks", 3, others);
    cancel_and_await(third);
    EQUAL(weft_await(first), 0);
    EQUAL(weft_await(awaited), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static CU_TestInfo tests[] = {
    TEST(writers_that_want_to_read_what_the_other_writes),
    TEST(readers_of_both_do_not_hinder_each_other),
    TEST(one_that_holds_a_lock_and_awaits_who_wants_it),
    TEST(one_that_gave_it_back_before),
    TEST(a_child_that_awaits_its_groups_task),
    TEST(children_that_await_each_other_in_a_row),
    TEST(a_circle_of_three_different_waits),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_circle, tests)
