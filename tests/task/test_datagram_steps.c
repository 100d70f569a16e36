/* SPDX-License-Identifier: MIT
 * Datagrams: cancelled at every step, and while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <math.h>

static int open_here(weft_datagram **ret_socket, weft_address *ret_address)
{
    weft_address here;
    int r;

    EQUAL(weft_address_parse("127.0.0.1", 0, &here), 0);
    r = weft_datagram_open(&here, NULL, NULL, ret_socket);
    if (r == 0) {
        EQUAL(weft_datagram_sockname(*ret_socket, ret_address), 0);
    }
    return r;
}

/* What is sent is received, by whom it may be. */
WEFT_ASYNC(talks)
{
    weft_datagram *a = NULL, *b = NULL;
    weft_address own, to, from;
    char room[8], second[8];
    weft_datagram_item in[2] = { { room, 8, 0, &from }, { second, 8, 0, NULL } };
    int r;

    EQUAL(open_here(&a, &own), 0);
    EQUAL(open_here(&b, &to), 0);
    r = weft_sleep(0.001);
    r = r < 0 ? r : (int)weft_datagram_sendto(a, "one", 3, &to);
    r = r < 0 ? r : (int)weft_datagram_recvfrom(b, room, sizeof room, &from);
    if (r >= 0) {
        EQUAL(r, 3);
        CHECK(weft_address_equal(&from, &own));
        r = weft_datagram_sendmany(a, (weft_datagram_item[]){ { room, 3, 0, &to } }, 1);
    }
    r = r < 0 ? r : weft_sleep(0.001);
    r = r < 0 ? r : weft_datagram_recvmany(b, in, 2);
    if (r >= 0) {
        EQUAL(r, 1);
        EQUAL(in[0].length, 3);
        r = 0;
    }
    weft_datagram_close(a);
    weft_datagram_close(b);
    return r;
}

static weft_coro *talks_by_datagrams(void)
{
    return talks();
}

ALONE(a_cancel_at_any_step_loses_nothing)
{
    if (watches()) {
        AT_EVERY_STEP(talks_by_datagrams, 0, -ECANCELED);
    }
}

/* To a Unix socket whose queue is full most of the time, one and several at once: who was told that
 * a datagram is out finds it there, and no other. */

#define DATAGRAMS 24

static weft_datagram *sender, *receiver;
static weft_address where;
static int arrived, batch;

static void open_unix_pair(void)
{
    weft_address any;

    EQUAL(weft_address_unix("", &any), 0);
    EQUAL(weft_datagram_open(&any, NULL, NULL, &receiver), 0);
    EQUAL(weft_datagram_sockname(receiver, &where), 0);
    EQUAL(weft_datagram_open(&any, NULL, NULL, &sender), 0);
    arrived = 0;
}

/* Each is the number of the one before, and one more; one of nothing is the last. */
WEFT_ASYNC(takes_numbers)
{
    int numbers[3] = { 0 };
    weft_datagram_item items[3] = { { &numbers[0], sizeof(int), 0, NULL },
                                    { &numbers[1], sizeof(int), 0, NULL },
                                    { &numbers[2], sizeof(int), 0, NULL } };

    for (;;) {
        int n = weft_datagram_recvmany(receiver, items, batch);

        CHECK(n > 0 && n <= batch);
        for (int i = 0; i < n; i++) {
            if (items[i].length == 0) {
                return 0;
            }
            EQUAL(numbers[i], arrived);
            arrived++;
        }
        weft_sleep(0.0002);
    }
}

/* Sends up to three, from a number on: how many. */
static int send_numbers(int from)
{
    int numbers[3] = { from, from + 1, from + 2 };
    weft_datagram_item items[3] = { { &numbers[0], sizeof(int), 0, &where },
                                    { &numbers[1], sizeof(int), 0, &where },
                                    { &numbers[2], sizeof(int), 0, &where } };

    if (batch > 1) {
        return weft_datagram_sendmany(sender, items, batch);
    }
    return weft_datagram_sendto(sender, numbers, sizeof(int), &where) > 0 ? 1 : -ECANCELED;
}

static int send_all_numbers(void)
{
    weft_task *task;
    weft_shield shield;
    int sent = 0, n = 1;

    open_unix_pair();
    task = weft_create_task(takes_numbers(), NULL);
    while (sent < DATAGRAMS && n > 0) {
        n = send_numbers(sent);
        sent += n > 0 ? n : 0;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_datagram_sendto(sender, "", 0, &where), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(arrived, sent);
    weft_datagram_close(sender);
    weft_datagram_close(receiver);
    return n < 0 ? n : 0;
}

WEFT_ASYNC(sends_numbers)
{
    batch = 1;
    return send_all_numbers();
}

WEFT_ASYNC(sends_batches)
{
    batch = 3;
    return send_all_numbers();
}

/* The same with the cancel at the other end: what a cancelled call has not taken the next one
 * finds. */

WEFT_ASYNC(sends_some)
{
    for (int i = 0; i < DATAGRAMS; i++) {
        EQUAL(weft_datagram_sendto(sender, &i, sizeof i, &where), sizeof i);
        if (i % 5 == 4) {
            weft_sleep(0.0002);
        }
    }
    return 0;
}

static int take_number(void)
{
    int number = -1;
    ssize_t n = weft_datagram_recv(receiver, &number, sizeof number);

    if (n < 0) {
        return (int)n;
    }
    EQUAL(n, sizeof number);
    EQUAL(number, arrived);
    arrived++;
    return 0;
}

WEFT_ASYNC(takes)
{
    weft_task *task;
    weft_shield shield;
    int r = 0;

    open_unix_pair();
    task = weft_create_task(sends_some(), NULL);
    while (arrived < DATAGRAMS && r == 0) {
        r = take_number();
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    while (arrived < DATAGRAMS) {
        EQUAL(take_number(), 0);
    }
    EQUAL(weft_await(task), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    weft_datagram_close(sender);
    weft_datagram_close(receiver);
    return r;
}

ALONE(a_cancelled_send_has_sent_nothing)
{
    if (watches()) {
        AT_EVERY_STEP(sends_numbers, 0, -ECANCELED);
        AT_EVERY_STEP(sends_batches, 0, -ECANCELED);
    }
}

ALONE(a_cancelled_receive_has_taken_nothing)
{
    if (watches()) {
        AT_EVERY_STEP(takes, 0, -ECANCELED);
    }
}

WEFT_ASYNC(tries)
{
    weft_datagram *a = NULL;
    weft_datagram_options options = { .reuse_port = true,
                                      .allow_broadcast = true,
                                      .errors = true,
                                      .receive_buffer = 65536 };
    weft_address here, own;
    char room[8] = "";
    weft_datagram_item item = { room, 8, 0, &here };

    EQUAL(weft_address_parse("127.0.0.1", 0, &here), 0);
    if (tried(weft_datagram_open(&here, NULL, &options, &a)) < 0) {
        CHECK(a == NULL);
        return 0;
    }
    EQUAL(weft_datagram_sockname(a, &own), 0);
    if (tried((int)weft_datagram_sendto(a, "x", 1, &own)) == 1) {
        tried((int)weft_datagram_recv(a, room, sizeof room));
    }
    item.address = &own;
    item.size = 1;
    if (tried(weft_datagram_sendmany(a, &item, 1)) == 1) {
        item.address = &here;
        tried(weft_datagram_recvmany(a, &item, 1));
    }
    weft_datagram_close(a);
    return 0;
}

static int tries_datagrams(void)
{
    return watches() ? run_in_loop(tries()) : 0;
}

EACH_FAULT_WHILE_IT(tries_datagrams)

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_loses_nothing),
    TEST(a_cancelled_send_has_sent_nothing),
    TEST(a_cancelled_receive_has_taken_nothing),
    TEST(each_fault_while_it_tries_datagrams),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(datagram_steps, tests)
