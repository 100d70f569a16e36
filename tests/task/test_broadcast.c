/* SPDX-License-Identifier: MIT
 * Broadcasts: everyone who has subscribed reads each value. */
#include "tests/task/steps.h"

#include <math.h>
#include <string.h>

static weft_broadcast *news;

static void fresh(size_t capacity)
{
    EQUAL(weft_broadcast_new(capacity, 0, &news), 0);
}

static int64_t say(intptr_t item)
{
    return weft_broadcast_send(news, (void *)item);
}

/* Reads until there is an error, and notes digits. */
WEFT_ASYNC(reads, (weft_subscription *, from), (long *, sum))
{
    void *item;
    int r;

    while ((r = weft_subscription_get(from, &item)) == 0) {
        *sum = *sum * 10 + (intptr_t)item;
    }
    return r;
}

IN_TASK(everyone_reads_everything_from_where_they_began)
{
    weft_subscription a, b;
    long sums[2] = { 0 };

    fresh(8);
    EQUAL(say(1), 0);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    EQUAL(say(2), 1);
    EQUAL(weft_broadcast_subscribe(news, &b), 0);
    EQUAL(say(3), 2);
    weft_task *first = weft_create_task(reads(&a, &sums[0]), NULL);
    weft_task *second = weft_create_task(reads(&b, &sums[1]), NULL);

    weft_sleep(0);
    EQUAL(say(4), 2);
    EQUAL(say(5), 2); /* before they had their turn */
    give_way(2);
    EQUAL(sums[0], 2345);
    EQUAL(sums[1], 345);
    EQUAL(weft_broadcast_shutdown(news), 0);
    EQUAL(say(6), -ESHUTDOWN);
    EQUAL(weft_await(first), -ESHUTDOWN);
    EQUAL(weft_await(second), -ESHUTDOWN);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_unsubscribe(&b), 0);
    EQUAL(weft_broadcast_unsubscribe(&b), -EINVAL);
    EQUAL(weft_broadcast_subscribe(news, &a), -ESHUTDOWN);
    EQUAL(weft_broadcast_free(news), 0);
}

IN_TASK(who_is_too_slow_is_told_and_goes_on_with_what_is_left)
{
    weft_subscription a;
    void *item = NULL;

    fresh(3);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    for (int i = 1; i <= 5; i++) {
        EQUAL(say(i), 1);
    }
    EQUAL(weft_subscription_pending(&a), 3);
    EQUAL(weft_subscription_get(&a, &item), -ENOBUFS);
    CHECK(item == NULL);
    EQUAL(a.missed, 2);
    for (int i = 3; i <= 5; i++) {
        EQUAL(weft_subscription_get(&a, &item), 0);
        EQUAL((intptr_t)item, i);
    }
    EQUAL(weft_subscription_pending(&a), 0);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_free(news), 0);
}

IN_TASK(what_was_sent_is_read_before_the_end)
{
    weft_subscription a;
    long sum = 0;

    fresh(4);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    EQUAL(say(7), 1);
    EQUAL(weft_broadcast_shutdown(news), 0);
    EQUAL(weft_await(reads(&a, &sum)), -ESHUTDOWN);
    EQUAL(sum, 7);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_free(news), 0);
}

struct quote {
    char name[8];
    double price;
};

WEFT_ASYNC(reads_a_quote, (weft_subscription *, from))
{
    struct quote quote = { 0 };
    int r = weft_subscription_get_value(from, &quote);

    CHECK(r < 0 || quote.price == 2.5);
    return r;
}

IN_TASK(values_are_copied_to_each)
{
    struct quote quote = { "weft", 2.5 };
    weft_subscription a, b;
    void *item;

    EQUAL(weft_broadcast_new(2, sizeof quote, &news), 0);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    EQUAL(weft_broadcast_subscribe(news, &b), 0);
    weft_task *task = weft_create_task(reads_a_quote(&a), NULL);

    weft_sleep(0);
    EQUAL(weft_broadcast_send_value(news, &quote), 2);
    quote.price = 0;
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(reads_a_quote(&b)), 0);
    EQUAL(say(1), -EINVAL);
    EQUAL(weft_subscription_get(&a, &item), -EINVAL);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_unsubscribe(&b), 0);
    EQUAL(weft_broadcast_free(news), 0);
}

static void say_nine(void *unused)
{
    (void)unused;
    EQUAL(say(9), 1);
}

IN_TASK(news_is_a_clause)
{
    weft_subscription a;
    void *item = NULL;
    uint64_t seen = 1;
    weft_watch never = WEFT_WATCH_INIT;
    int r = 9;

    fresh(1);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    EQUAL(weft_loop_call_later(NULL, 0.001, say_nine, NULL, NULL), 0);
    EQUAL(weft_select(&r, 5, WEFT_ON_CHANGE(&never, &seen), WEFT_ON_NEWS(&a, &item)), 1);
    EQUAL(r, 0);
    EQUAL((intptr_t)item, 9);
    EQUAL(weft_select(&r, 0.001, WEFT_ON_NEWS(&a, &item)), -ETIMEDOUT);
    EQUAL(weft_select(&r, 0.001, WEFT_ON_NEWS(&a, &item), WEFT_ON_NEWS(&a, &item)), -EBUSY);
    EQUAL(say(1), 1);
    EQUAL(say(2), 1);
    EQUAL(weft_select(&r, 5, WEFT_ON_NEWS(&a, &item)), 0);
    EQUAL(r, -ENOBUFS);
    EQUAL(weft_select(&r, 5, WEFT_ON_NEWS(&a, &item)), 0);
    EQUAL((intptr_t)item, 2);
    EQUAL(weft_broadcast_shutdown(news), 0);
    EQUAL(weft_select(&r, 5, WEFT_ON_NEWS(&a, &item)), 0);
    EQUAL(r, -ESHUTDOWN);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_free(news), 0);
}

IN_TASK(a_subscription_is_for_one_task_at_a_time)
{
    weft_subscription a;
    weft_broadcast_stats stats;
    long sum = 0;
    void *item;

    fresh(2);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    weft_task *task = weft_create_task(reads(&a, &sum), NULL);

    weft_sleep(0);
    EQUAL(weft_subscription_get(&a, &item), -EBUSY);
    EQUAL(weft_broadcast_unsubscribe(&a), -EBUSY);
    weft_broadcast_statistics(news, &stats);
    EQUAL(stats.waiting, 1);
    EQUAL(stats.subscribers, 1);
    EQUAL(stats.capacity, 2);
    EQUAL(weft_broadcast_free(news), -EBUSY);
    EQUAL(next_report()->kind, WEFT_REPORT_DESTROYED);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_broadcast_free(news), -EBUSY);
    CHECK(strstr(weft_error_detail(), "still subscribed") != NULL);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_free(news), 0);
    EQUAL(weft_broadcast_free(NULL), 0);
}

IN_LOOP(bad_arguments_are_told)
{
    weft_subscription a = WEFT_SUBSCRIPTION_INIT;
    void *item;

    EQUAL(weft_broadcast_new(0, 0, &news), -EINVAL);
    EQUAL(weft_broadcast_new(1, 0, NULL), -EINVAL);
    EQUAL(weft_broadcast_new(SIZE_MAX, 16, &news), -ENOMEM);
    fresh(1);
    EQUAL(weft_subscription_get(&a, &item), -EPERM);
    EQUAL(weft_broadcast_subscribe(NULL, &a), -EINVAL);
    EQUAL(weft_broadcast_subscribe(news, NULL), -EINVAL);
    EQUAL(weft_broadcast_send(NULL, NULL), -EINVAL);
    EQUAL(weft_broadcast_send_value(news, &a), -EINVAL);
    EQUAL(weft_broadcast_shutdown(NULL), -EINVAL);
    EQUAL(weft_broadcast_unsubscribe(&a), -EINVAL);
    EQUAL(weft_subscription_pending(&a), 0);
    EQUAL(weft_broadcast_free(news), 0);
}

/* At every step. */

WEFT_ASYNC(speaks)
{
    for (int i = 1; i <= 4; i++) {
        weft_sleep(i % 2 ? 0 : 0.0005);
        say(i);
    }
    return weft_broadcast_shutdown(news);
}

WEFT_ASYNC(is_heard)
{
    weft_subscription a, b;
    long sums[2] = { 0 };
    int r, status;

    fresh(9);
    EQUAL(weft_broadcast_subscribe(news, &a), 0);
    EQUAL(weft_broadcast_subscribe(news, &b), 0);
    weft_task *speaker = weft_create_task(speaks(), NULL);
    weft_task *other = weft_create_task(reads(&b, &sums[1]), NULL);

    r = weft_await(reads(&a, &sums[0]));
    weft_await_status(speaker, NULL);
    weft_await_status(other, &status);
    /* Whoever was cut short has missed nothing in between. */
    CHECK(sums[0] == 1234 || sums[0] == 123 || sums[0] == 12 || sums[0] == 1 || sums[0] == 0);
    CHECK(status != -ESHUTDOWN || sums[1] == 1234);
    EQUAL(weft_broadcast_unsubscribe(&a), 0);
    EQUAL(weft_broadcast_unsubscribe(&b), 0);
    EQUAL(weft_broadcast_free(news), 0);
    return r;
}

ALONE(each_step_of_is_heard)
{
    CHECK(AT_EVERY_STEP(is_heard, -ESHUTDOWN, -ECANCELED) > 10);
}

static CU_TestInfo tests[] = {
    TEST(everyone_reads_everything_from_where_they_began),
    TEST(who_is_too_slow_is_told_and_goes_on_with_what_is_left),
    TEST(what_was_sent_is_read_before_the_end),
    TEST(values_are_copied_to_each),
    TEST(news_is_a_clause),
    TEST(a_subscription_is_for_one_task_at_a_time),
    TEST(bad_arguments_are_told),
    TEST(each_step_of_is_heard),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(broadcast, tests)
