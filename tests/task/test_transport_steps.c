/* SPDX-License-Identifier: MIT
 * Transports and listeners, cancelled at every step. */
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <math.h>
#include <sys/socket.h>
#include <unistd.h>

static int take(void *arg, void **ret_self)
{
    (void)arg, (void)ret_self;
    step_balance++;
    return 0;
}

static void give_back(weft_transport *transport, int error, void *self)
{
    (void)transport, (void)error, (void)self;
    step_balance--;
}

static const weft_protocol balanced = { .size = sizeof balanced,
                                        .factory = take,
                                        .connection_lost = give_back };

/* Makes a connection, fills it, waits for room, for its end, and cleans up in any case. */
WEFT_ASYNC(fills)
{
    static char much[300000];
    weft_transport *transport = NULL;
    int fds[2], r;

    open_pair(PAIR_UNIX, fds);
    r = weft_loop_connect_accepted_socket(NULL, &balanced, NULL, fds[0], &transport);
    EQUAL(r, 0);
    transport = weft_transport_ref(transport);
    EQUAL(weft_transport_write(transport, much, sizeof much), 0);
    for (int i = 0; i < 3 && r == 0; i++) {
        char room[1];
        bool end;

        r = weft_sleep(0.001);
        drink(fds[1], room, 0, &end);
    }
    r = r < 0 ? r : weft_transport_drain(transport);
    CHECK(r == 0 || weft_transport_is_closing(transport) == false);
    weft_transport_close(transport);
    close(fds[1]); /* nobody reads any more: what is kept is lost */
    if (r == 0) {
        r = weft_transport_wait_closed(transport);
        r = r == -EPIPE ? 0 : r;
    }
    weft_transport_abort(transport);
    weft_transport_unref(transport);
    return r;
}

static weft_coro *fills_and_leaves(void)
{
    return fills();
}

WEFT_ASYNC(serves)
{
    weft_listener *listener = NULL;
    weft_address at;
    int fd, r;

    EQUAL(weft_loop_create_server(NULL, &balanced, NULL, "127.0.0.1", 0, NULL, &listener), 0);
    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EQUAL(connect(fd, &at.sockaddr, at.length), 0);
    r = weft_sleep(0.001);
    if (r == 0) {
        weft_listener_close(listener);
        weft_listener_close_clients(listener);
        r = weft_listener_wait_closed(listener);
    }
    weft_listener_abort_clients(listener);
    weft_listener_free(listener);
    close(fd);
    return r;
}

/* Serving ends by a close, which has happened whatever comes before the turn of who serves; or by a
 * cancel, which closes. */

static weft_listener *served;
static int closed; /* by the other task, when it was still open */

WEFT_ASYNC(closes_soon)
{
    weft_sleep(0.001);
    closed = weft_listener_is_serving(served);
    return weft_listener_close(served);
}

WEFT_ASYNC(serves_until_it_is_closed)
{
    weft_task *closer;
    weft_shield shield;
    int r;

    EQUAL(weft_loop_create_server(NULL, &balanced, NULL, "127.0.0.1", 0, NULL, &served), 0);
    closed = 0;
    closer = weft_create_task(closes_soon(), NULL);
    r = weft_listener_serve_forever(served);
    CHECK(!weft_listener_is_serving(served));
    EQUAL(r, closed ? 0 : -ECANCELED);
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_await(closer), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    weft_listener_free(served);
    return r;
}

static weft_coro *serves_and_leaves(void)
{
    return serves();
}

ALONE(a_cancel_at_any_step_of_a_connection_loses_nothing)
{
    if (watches()) {
        AT_EVERY_STEP(fills_and_leaves, 0, -ECANCELED);
    }
}

ALONE(a_cancel_at_any_step_of_a_server_loses_nothing)
{
    if (watches()) {
        AT_EVERY_STEP(serves_and_leaves, 0, -ECANCELED);
        AT_EVERY_STEP(serves_until_it_is_closed, 0, -ECANCELED);
    }
}

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_of_a_connection_loses_nothing),
    TEST(a_cancel_at_any_step_of_a_server_loses_nothing),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(transport_steps, tests)
