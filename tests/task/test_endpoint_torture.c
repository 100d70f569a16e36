/* SPDX-License-Identifier: MIT
 * Datagram endpoints that are used, closed and aborted from within each of their callbacks, while
 * queues are full: each is made once and lost once, and nothing is left. */
#include "tests/task/transport.h"
#include "tests/task/worlds.h"

#include <string.h>

#define ENDPOINTS 6

static struct one {
    weft_datagram_transport *transport; /* NULL: there is none */
    weft_address name;
    int made, lost;
    bool was_closed; /* by us, or aborted */
    bool is_paused;
    int calls; /* before the last: in what order they come */
} all[ENDPOINTS];

/* Does something to any of them. */
static void act(int least)
{
    struct one *one = &all[chance(ENDPOINTS)], *other = &all[chance(ENDPOINTS)];
    static char data[3000];
    int r;

    if (!one->transport || one->lost) {
        return;
    }
    switch ((int)chance(12) + least) {
    case 0:
        one->was_closed = true;
        r = weft_datagram_transport_close(one->transport);
        CHECK(r == 0);
        break;
    case 1:
        one->was_closed = true;
        r = weft_datagram_transport_abort(one->transport);
        CHECK(r == 0);
        break;
    case 2:
        EQUAL(weft_datagram_transport_set_write_buffer_limits(one->transport, 100, chance(100)), 0);
        break;
    default:
        r = weft_datagram_transport_sendto(one->transport, data, chance(sizeof data), &other->name);
        CHECK(r == 0 || (r == -EPIPE && one->was_closed));
    }
}

static void made(weft_datagram_transport *transport, void *self)
{
    struct one *one = self;

    EQUAL(one->made, 0);
    one->transport = transport;
    one->made++;
    EQUAL(weft_datagram_transport_sockname(transport, &one->name), 0);
    act(0);
}

static void received(weft_datagram_transport *transport, const void *data, size_t size,
                     const weft_address *from, void *self)
{
    struct one *one = self;

    (void)data, (void)size;
    CHECK(one->made == 1 && one->lost == 0 && !one->was_closed);
    if (chance(3) == 0) {
        (void)weft_datagram_transport_sendto(transport, "back", 4, from);
    }
    act(0);
}

static void error_received(weft_datagram_transport *transport, int error, void *self)
{
    struct one *one = self;

    CHECK(error < 0 && one->lost == 0);
    if (chance(2)) {
        one->was_closed = true;
        EQUAL(weft_datagram_transport_abort(transport), 0);
        EQUAL(weft_datagram_transport_get_write_buffer_size(transport), 0);
    }
}

static void pause_writing(weft_datagram_transport *transport, void *self)
{
    struct one *one = self;

    (void)transport;
    CHECK(!one->is_paused && one->lost == 0);
    one->is_paused = true;
    act(0);
}

static void resume_writing(weft_datagram_transport *transport, void *self)
{
    struct one *one = self;

    (void)transport;
    CHECK(one->is_paused && one->lost == 0);
    one->is_paused = false;
    act(0);
}

static void lost(weft_datagram_transport *transport, int error, void *self)
{
    struct one *one = self;

    CHECK(weft_datagram_transport_is_closing(transport));
    EQUAL(error, 0);
    EQUAL(one->lost, 0);
    one->lost++;
    act(2);
}

static const weft_datagram_protocol any_manner = { .size = sizeof any_manner,
                                                   .connection_made = made,
                                                   .datagram_received = received,
                                                   .error_received = error_received,
                                                   .pause_writing = pause_writing,
                                                   .resume_writing = resume_writing,
                                                   .connection_lost = lost };

static void torture(void)
{
    weft_address name;
    weft_datagram_transport *transport;
    int left = 0;

    memset(all, 0, sizeof all);
    EQUAL(weft_address_unix("", &name), 0);
    for (int i = 0; i < ENDPOINTS; i++) {
        all[i].name = name;
    }
    for (int i = 0; i < ENDPOINTS; i++) {
        EQUAL(weft_loop_create_datagram_endpoint(NULL, &any_manner, &all[i], &name, NULL, NULL,
                                                 &transport),
              0);
        EQUAL(all[i].made, 1);
        if (!all[i].lost && !all[i].was_closed) {
            EQUAL(weft_datagram_transport_set_write_buffer_limits(transport, 2000, 500), 0);
        }
    }
    for (int i = 0; i < 100; i++) {
        act(2);
        if (chance(10) == 0) {
            weft_sleep(chance(2) ? 0 : 0.0011);
        }
    }
    for (int i = 0; i < ENDPOINTS; i++) {
        if (!all[i].lost) {
            all[i].was_closed = true;
            EQUAL(weft_datagram_transport_abort(all[i].transport), 0);
        }
    }
    for (int turns = 0; turns < 100; turns++) {
        weft_sleep(0);
    }
    for (int i = 0; i < ENDPOINTS; i++) {
        left += all[i].made - all[i].lost;
    }
    EQUAL(left, 0);
}

WATCHED(whatever_is_done_from_within_each_is_lost_once)
{
    in_worlds(100, torture);
}

static CU_TestInfo tests[] = {
    TEST(whatever_is_done_from_within_each_is_lost_once),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(endpoint_torture, tests)
