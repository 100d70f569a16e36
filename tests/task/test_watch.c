/* SPDX-License-Identifier: MIT
 * Watches: followers of the latest state. */
#include "tests/task/steps.h"

#include <math.h>

static weft_watch watch;
static int value;

static void fresh(void)
{
    watch = (weft_watch)WEFT_WATCH_INIT;
    value = 1;
}

static int64_t change(int to)
{
    value = to;
    return weft_watch_notify(&watch);
}

WEFT_ASYNC(follows, (int *, sum))
{
    uint64_t seen = 0;
    int r;

    while ((r = weft_watch_wait(&watch, &seen)) == 0) {
        *sum = *sum * 10 + value;
        weft_sleep(0);
    }
    return r;
}

IN_TASK(followers_see_the_first_and_the_latest)
{
    int sum = 0, other = 0;

    fresh();
    weft_task *a = weft_create_task(follows(&sum), NULL);
    weft_task *b = weft_create_task(follows(&other), NULL);

    give_way(3);
    EQUAL(sum, 1);
    EQUAL(change(2), 2);
    give_way(3);
    EQUAL(sum, 12);
    change(3);
    weft_sleep(0);
    EQUAL(change(4), 0); /* while both are busy */
    EQUAL(change(5), 0);
    give_way(4);
    EQUAL(sum, 1235);
    EQUAL(weft_watch_shutdown(&watch), 0);
    EQUAL(weft_watch_shutdown(&watch), 0);
    EQUAL(change(6), -ESHUTDOWN);
    EQUAL(weft_await(a), -ESHUTDOWN);
    EQUAL(weft_await(b), -ESHUTDOWN);
    EQUAL(other, 1235);
    EQUAL(weft_watch_destroy(&watch), 0);
}

IN_TASK(what_is_new_is_told_before_the_end)
{
    uint64_t seen = 0;

    fresh();
    change(2);
    EQUAL(weft_watch_shutdown(&watch), 0);
    EQUAL(weft_watch_wait(&watch, &seen), 0);
    EQUAL(seen, 2);
    EQUAL(weft_watch_wait(&watch, &seen), -ESHUTDOWN);
}

WEFT_ASYNC(waits_for_a_change, (uint64_t *, seen))
{
    *seen = weft_watch_version(&watch);
    return weft_watch_wait(&watch, seen);
}

IN_TASK(who_was_told_keeps_it_and_who_was_not_leaves)
{
    uint64_t seen[2];
    weft_watch_stats stats;

    fresh();
    weft_task *a = weft_create_task(waits_for_a_change(&seen[0]), NULL);
    weft_task *b = weft_create_task(waits_for_a_change(&seen[1]), NULL);

    weft_sleep(0);
    weft_watch_statistics(&watch, &stats);
    EQUAL(stats.waiting, 2);
    EQUAL(stats.version, 1);
    weft_task_cancel(b);
    EQUAL(change(2), 1);
    weft_task_cancel(a);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(seen[0], 2);
    EQUAL(seen[1], 1);
}

static void change_later(void *unused)
{
    (void)unused;
    EQUAL(change(7), 1);
}

IN_TASK(a_change_is_a_clause)
{
    weft_queue *queue;
    uint64_t seen = 0;
    void *item;
    int r = 9;

    fresh();
    EQUAL(weft_queue_new(0, &queue), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(queue, &item), WEFT_ON_CHANGE(&watch, &seen)), 1);
    EQUAL(r, 0);
    EQUAL(seen, 1);
    EQUAL(weft_loop_call_later(NULL, 0.001, change_later, NULL, NULL), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(queue, &item), WEFT_ON_CHANGE(&watch, &seen)), 1);
    EQUAL(seen, 2);
    EQUAL(weft_select(&r, 0.001, WEFT_ON_CHANGE(&watch, &seen)), -ETIMEDOUT);
    EQUAL(weft_watch_shutdown(&watch), 0);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_CHANGE(&watch, &seen)), 0);
    EQUAL(r, -ESHUTDOWN);
    EQUAL(weft_queue_free(queue), 0);
}

IN_TASK(a_watch_that_is_waited_for_is_not_destroyed)
{
    uint64_t seen;

    fresh();
    weft_task *a = weft_create_task(waits_for_a_change(&seen), NULL);

    weft_sleep(0);
    EQUAL(weft_watch_destroy(&watch), -EBUSY);
    EQUAL(next_report()->kind, WEFT_REPORT_DESTROYED);
    weft_task_cancel(a);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_watch_destroy(&watch), 0);
}

IN_LOOP(bad_arguments_are_told)
{
    uint64_t seen = 0;

    fresh();
    EQUAL(weft_watch_wait(&watch, &seen), -EPERM);
    EQUAL(weft_watch_wait(NULL, &seen), -EINVAL);
    EQUAL(weft_watch_wait(&watch, NULL), -EINVAL);
    EQUAL(weft_watch_notify(NULL), -EINVAL);
    EQUAL(weft_watch_shutdown(NULL), -EINVAL);
    EQUAL(weft_watch_destroy(NULL), -EINVAL);
    EQUAL(weft_watch_notify(&watch), 0);
}

/* At every step. */

WEFT_ASYNC(changes)
{
    for (int i = 0; i < 3; i++) {
        weft_sleep(0.0005);
        change(i);
    }
    return weft_watch_shutdown(&watch);
}

WEFT_ASYNC(is_followed)
{
    int sum[2] = { 0 }, r;

    fresh();
    weft_task *task = weft_create_task(changes(), NULL);
    weft_task *other = weft_create_task(follows(&sum[0]), NULL);

    r = weft_await(follows(&sum[1]));
    weft_await_status(task, NULL);
    weft_await_status(other, NULL);
    EQUAL(weft_watch_destroy(&watch), 0);
    return r;
}

ALONE(each_step_of_is_followed)
{
    CHECK(AT_EVERY_STEP(is_followed, -ESHUTDOWN, -ECANCELED) > 10);
}

static CU_TestInfo tests[] = {
    TEST(followers_see_the_first_and_the_latest),
    TEST(what_is_new_is_told_before_the_end),
    TEST(who_was_told_keeps_it_and_who_was_not_leaves),
    TEST(a_change_is_a_clause),
    TEST(a_watch_that_is_waited_for_is_not_destroyed),
    TEST(bad_arguments_are_told),
    TEST(each_step_of_is_followed),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(watch, tests)
