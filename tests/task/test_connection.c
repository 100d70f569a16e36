/* SPDX-License-Identifier: MIT
 * Transports that connect. */
#include "tests/task/fault.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)self;
    weft_transport_write(transport, data, size);
}

static const weft_protocol echoes = { .size = sizeof echoes, .data_received = echo };

static weft_listener *listen_somewhere(void)
{
    weft_listener *listener = NULL;

    EQUAL(weft_loop_create_server(NULL, &echoes, NULL, "127.0.0.1", 0, NULL, &listener), 0);
    return listener;
}

static void end(weft_listener *listener)
{
    weft_listener_close(listener);
    weft_listener_abort_clients(listener);
    weft_listener_wait_closed(listener);
    weft_listener_free(listener);
}

WATCHED(it_connects_and_is_made_when_the_call_returns)
{
    weft_listener *listener = listen_somewhere();
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;
    weft_address peer;

    EQUAL(weft_loop_create_connection(NULL, &noting, &seen, "127.0.0.1",
                                      weft_listener_port(listener), NULL, &transport),
          0);
    EQUAL(seen.made, 1);
    CHECK(seen.transport == transport);
    EQUAL(weft_transport_peername(transport, &peer), 0);
    EQUAL(weft_address_port(&peer), weft_listener_port(listener));
    EQUAL(weft_transport_write(transport, "hello", 5), 0);
    while (seen.count < 5) {
        weft_sleep(0);
    }
    EQUAL(memcmp(seen.got, "hello", 5), 0);
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    end(listener);
}

WATCHED(a_unix_socket_is_connected_to_by_its_path)
{
    weft_listener *listener = NULL;
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;
    char path[60], name[60];

    snprintf(path, sizeof path, "/tmp/weft-connection-%d", (int)getpid());
    snprintf(name, sizeof name, "@weft-connection-%d", (int)getpid());
    for (int abstract = 0; abstract < 2; abstract++) {
        const char *at = abstract ? name : path;

        seen = (struct seen){ .quiet = true };
        EQUAL(weft_loop_create_unix_connection(NULL, &noting, &seen, at, &transport),
              abstract ? -ECONNREFUSED : -ENOENT);
        EQUAL(weft_loop_create_unix_server(NULL, &echoes, NULL, at, NULL, &listener), 0);
        EQUAL(weft_loop_create_unix_connection(NULL, &noting, &seen, at, &transport), 0);
        EQUAL(weft_transport_write(transport, "x", 1), 0);
        while (seen.count < 1) {
            weft_sleep(0);
        }
        EQUAL(weft_transport_close(transport), 0);
        UNTIL(seen.lost, 1);
        end(listener);
    }
    EQUAL(weft_loop_create_unix_connection(NULL, &noting, &seen, "", &transport), -EINVAL);
    EQUAL(weft_loop_create_unix_connection(NULL, &noting, &seen, NULL, &transport), -EINVAL);
}

WATCHED(where_nobody_listens_is_an_error_and_makes_nothing)
{
    weft_listener *listener = listen_somewhere();
    int port = weft_listener_port(listener);
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;

    end(listener);
    EQUAL(weft_loop_create_connection(NULL, &noting, &seen, "127.0.0.1", port, NULL, &transport),
          -ECONNREFUSED);
    EQUAL(weft_loop_create_connection(NULL, NULL, &seen, "127.0.0.1", port, NULL, &transport),
          -EINVAL);
    EQUAL(seen.made, 0);
    CHECK(transport == NULL);
}

static void connect_in_callback(void *port)
{
    struct seen seen = { .quiet = true };

    EQUAL(weft_loop_create_connection(NULL, &noting, &seen, "127.0.0.1", *(int *)port, NULL, NULL),
          -EPERM);
    EQUAL(weft_loop_create_unix_connection(NULL, &noting, &seen, "/nowhere", NULL), -EPERM);
}

IN_TASK(only_a_task_connects)
{
    int port = 9;

    EQUAL(weft_loop_call_soon(NULL, connect_in_callback, &port, NULL), 0);
    weft_sleep(0);
}

/* Cancels and faults. */

static int take(void *arg, void **ret_self)
{
    (void)arg, (void)ret_self;
    step_balance++;
    begun();
    return 0;
}

static void give_back(weft_transport *transport, int error, void *self)
{
    (void)transport, (void)self;
    step_balance--;
    ended(NULL);
    tried(error);
}

static const weft_protocol balanced = { .size = sizeof balanced,
                                        .factory = take,
                                        .connection_lost = give_back };

WEFT_ASYNC(connects)
{
    weft_listener *listener = NULL;
    weft_transport *transport = NULL;
    int r = tried(weft_loop_create_server(NULL, &echoes, NULL, "127.0.0.1", 0, NULL, &listener));

    r = r < 0 ? r : weft_sleep(0.001);
    if (r >= 0) {
        r = tried(weft_loop_create_connection(NULL, &balanced, NULL, "127.0.0.1",
                                              weft_listener_port(listener), NULL, &transport));
    }
    if (transport) {
        transport = weft_transport_ref(transport);
        weft_transport_abort(transport);
        weft_transport_wait_closed(transport);
        weft_transport_unref(transport);
    }
    weft_listener_close(listener);
    weft_listener_abort_clients(listener);
    weft_listener_free(listener);
    return r;
}

static weft_coro *connects_somewhere(void)
{
    return connects();
}

ALONE(a_cancel_at_any_step_leaves_nothing_open)
{
    if (watches()) {
        AT_EVERY_STEP(connects_somewhere, 0, -ECANCELED);
    }
}

static int makes_a_connection(void)
{
    int r = watches() ? run_in_loop(connects()) : 0;

    while (reports_left()) { /* what could not be accepted */
        tried(next_report()->status);
    }
    return r;
}

EACH_FAULT_WHILE_IT(makes_a_connection)

static CU_TestInfo tests[] = {
    TEST(it_connects_and_is_made_when_the_call_returns),
    TEST(a_unix_socket_is_connected_to_by_its_path),
    TEST(where_nobody_listens_is_an_error_and_makes_nothing),
    TEST(only_a_task_connects),
    TEST(a_cancel_at_any_step_leaves_nothing_open),
    TEST(each_fault_while_it_makes_a_connection),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(connection, tests)
