/* SPDX-License-Identifier: MIT
 * Datagrams: cancelled at every step, and while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

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

WEFT_ASYNC(tries)
{
    weft_datagram *a = NULL;
    weft_datagram_options options = { .reuse_port = true,
                                      .allow_broadcast = true,
                                      .errors = true,
                                      .receive_buffer = 65536 };
    weft_address here, own;
    char room[8];
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
    TEST(each_fault_while_it_tries_datagrams),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(datagram_steps, tests)
