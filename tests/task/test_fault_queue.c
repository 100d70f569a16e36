/* SPDX-License-Identifier: MIT
 * Queues, selects, tickers and broadcasts, while each allocation and system call fails once. */
#include "tests/task/fault.h"

#include <math.h>
#include <sys/socket.h>
#include <unistd.h>

static int faults; /* its address is what is put */

/* What is put counts, until it is got or dropped. */
static void lose(void *item, void *arg)
{
    (void)item;
    ended(arg);
}

static int put(weft_queue *queue, bool wait)
{
    int r = wait ? weft_queue_put(queue, &faults) : weft_queue_put_nowait(queue, &faults);

    tried(r == -ECANCELED ? 0 : r);
    if (r == 0) {
        begun();
    }
    return r;
}

static int get(weft_queue *queue)
{
    void *item = NULL;
    int r = tried(weft_queue_get_nowait(queue, &item));

    CHECK((r == 0) == (item != NULL));
    if (r == 0) {
        ended(NULL);
    }
    return r;
}

/* Grows through several sizes, shrinks, and drops what is left. */
static void fill(weft_queue_order order)
{
    weft_queue_options options = { .order = order, .drop = lose };
    weft_queue *queue = NULL;
    int count = 0;

    if (tried(weft_queue_new_with(&options, &queue)) < 0) {
        CHECK(queue == NULL);
        return;
    }
    for (int i = 0; i < 1100; i++) {
        count += put(queue, i % 2) == 0;
    }
    EQUAL(weft_queue_qsize(queue), count);
    for (; count > 0; count--) {
        EQUAL(get(queue), 0);
    }
    put(queue, true);
    put(queue, true);
    EQUAL(weft_queue_free(queue), 0);
}

WEFT_ASYNC(fills)
{
    fill(WEFT_QUEUE_FIFO);
    fill(WEFT_QUEUE_PRIORITY);
    return 0;
}

static int fills_queues(void)
{
    return run_in_loop(fills());
}

WEFT_ASYNC(puts_later, (weft_queue *, queue))
{
    int r = weft_sleep(0.0001);

    tried(r == -ECANCELED ? 0 : r);
    return r < 0 ? r : put(queue, true);
}

/* Waits for an item that comes after a moment, a tick, or a descriptor that stays silent. */
static int select_once(weft_queue *queue, weft_ticker *ticker, int fd, double timeout)
{
    void *item = NULL;
    weft_clause clauses[] = { WEFT_ON_GET(queue, &item), WEFT_ON_TICK(ticker),
                              WEFT_ON_READABLE(fd) };
    int r;

    if (is_virtual()) {
        clauses[2] = (weft_clause){ 0 };
    }
    r = weft_select_array(clauses, 3, timeout, NULL);
    CHECK((r == 0) == (item != NULL));
    if (r == 0) {
        ended(NULL);
    }
    return r == -ETIMEDOUT ? r : tried(r);
}

WEFT_ASYNC(selects, (weft_queue *, queue), (int, fd))
{
    weft_ticker ticker;
    int r = tried(weft_ticker_init(&ticker, 0.0003, WEFT_TICK_SKIP));

    for (int i = 0; i < 4 && r == 0 && !weft_cancelled(); i++) {
        weft_task *task = weft_create_task(puts_later(queue), NULL);

        select_once(queue, &ticker, fd, 0);
        select_once(queue, &ticker, fd, 1);
        select_once(queue, &ticker, fd, 1);
        tried((int)weft_ticker_wait(&ticker));
        weft_task_cancel(task); /* it may have nobody left to take its item */
        int status = weft_await(task);

        tried(status == -ECANCELED ? 0 : status);
    }
    return 0;
}

static int selects_from_all(void)
{
    weft_queue_options options = { .rendezvous = true, .drop = lose };
    weft_queue *queue;
    int fds[2];

    if (tried(weft_queue_new_with(&options, &queue)) < 0) {
        return 0;
    }
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    run_in_loop(selects(queue, fds[0]));
    EQUAL(weft_queue_free(queue), 0);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

WEFT_ASYNC(speaks)
{
    weft_broadcast *news = NULL;
    weft_subscription mine;
    void *item;

    if (tried(weft_broadcast_new(4, 0, &news)) < 0) {
        CHECK(news == NULL);
        return 0;
    }
    EQUAL(weft_broadcast_subscribe(news, &mine), 0);
    EQUAL(weft_broadcast_send(news, &mine), 1);
    EQUAL(weft_subscription_get(&mine, &item), 0);
    EQUAL(weft_broadcast_unsubscribe(&mine), 0);
    return weft_broadcast_free(news);
}

static int makes_broadcasts(void)
{
    return run_in_loop(speaks());
}

EACH_FAULT_WHILE_IT(fills_queues)
EACH_FAULT_WHILE_IT(selects_from_all)
EACH_FAULT_WHILE_IT(makes_broadcasts)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_fills_queues),
    TEST(each_fault_while_it_selects_from_all),
    TEST(each_fault_while_it_makes_broadcasts),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_queue, tests)
