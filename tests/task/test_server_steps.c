/* SPDX-License-Identifier: MIT
 * Servers and accepting, cancelled at every step: no connection, handler or descriptor is lost. */
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <math.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 3

static weft_server *server;
static int handlers, cut_off; /* that have begun; that a cancel has ended */

/* Echoes lines. */
WEFT_ASYNC(echoes, (weft_stream *, peer), (void *, user))
{
    char line[64];
    ssize_t n;

    (void)user;
    step_balance++;
    handlers++;
    while ((n = weft_stream_readline(peer, line, sizeof line)) > 0) {
        n = weft_stream_write(peer, line, (size_t)n);
        if (n < 0) {
            break;
        }
    }
    if (n == -ECANCELED) {
        cut_off++;
        EQUAL(weft_task_cancelling(weft_current_task()), 1); /* an uncancel is enough */
    }
    step_balance--;
    return (int)n;
}

/* A client that the test's end finds gone, whatever becomes of the server. */
WEFT_ASYNC(talks)
{
    weft_stream *stream;
    char line[64];
    int r = weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream);

    if (r < 0) {
        return 0;
    }
    for (int i = 0; i < 2 && weft_stream_write(stream, "a line\n", 7) == 7; i++) {
        if (weft_stream_readline(stream, line, sizeof line) <= 0) {
            break;
        }
        weft_sleep(0.001);
    }
    weft_stream_close(stream);
    return 0;
}

static weft_task *clients[CLIENTS];

static void start_clients(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = weft_create_task(talks(), NULL);
    }
}

/* In spite of a cancel: closes the server, and waits for the clients. */
static void end(bool is_open)
{
    weft_shield shield;

    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    if (is_open) {
        EQUAL(weft_server_close(server), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        EQUAL(weft_await(clients[i]), 0);
    }
    EQUAL(weft_shield_exit(&shield, 0), 0);
}

static int start(void)
{
    weft_server *was = server = NULL;
    int r = weft_start_server(echoes, NULL, "127.0.0.1", 0, NULL, &server);

    handlers = cut_off = 0;
    if (r < 0) {
        CHECK(server == was);
        return r;
    }
    start_clients();
    return 0;
}

/* Serves until a client's last word, or a cancel; closes as a program would. */

WEFT_ASYNC(stops_soon)
{
    int r = weft_sleep(0.004);

    return r < 0 ? r : weft_server_stop(server);
}

WEFT_ASYNC(serves)
{
    weft_task *stopper;
    int r = start(), closed;

    if (r < 0) {
        return r;
    }
    stopper = weft_create_task(stops_soon(), NULL);
    r = weft_server_serve_forever(server);
    CHECK(!weft_server_is_serving(server));
    if (r == -ECANCELED) { /* handlers that were there have ended */
        EQUAL(weft_server_clients(server), 0);
        EQUAL(step_balance, 0);
    }
    closed = weft_server_close(server);
    CHECK(closed == 0 || closed == -ECANCELED);
    EQUAL(weft_server_close(server), -EBADF);
    weft_task_cancel(stopper);
    (void)weft_await(stopper);
    end(false);
    return r;
}

/* A drain that was not cancelled, and was not late, has cut off nobody; one that was has waited
 * for those. */
static int drains_within(double limit)
{
    int r = start(), status;

    if (r < 0) {
        return r;
    }
    r = weft_sleep(0.0005);
    status = weft_server_drain(server, limit);
    CHECK(status == 0 || status == -ECANCELED || status == -ETIMEDOUT);
    EQUAL(weft_server_clients(server), 0);
    EQUAL(step_balance, 0);
    CHECK(status == 0 ? cut_off == 0 : true);
    end(true);
    return r < 0 ? r : status;
}

WEFT_ASYNC(drains)
{
    return drains_within(INFINITY);
}

WEFT_ASYNC(drains_in_time)
{
    int r = drains_within(0.0012);

    return r == -ETIMEDOUT ? 0 : r;
}

/* At one step a drain has seen everybody go, and the cancel comes before its turn. */
static int drained, let_go;

WEFT_ASYNC(leaves, (weft_stream *, peer), (void *, user))
{
    (void)peer, (void)user;
    step_balance++;
    weft_sleep(0.001);
    let_go += !weft_cancelled();
    step_balance--;
    return 0;
}

WEFT_ASYNC(is_there)
{
    weft_stream *stream;
    char byte;

    if (weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream) == 0) {
        (void)weft_stream_read(stream, &byte, 1);
        weft_stream_close(stream);
    }
    return 0;
}

WEFT_ASYNC(drains_one)
{
    weft_task *client;
    weft_shield shield;
    int r;

    server = NULL;
    let_go = 0;
    r = weft_start_server(leaves, NULL, "127.0.0.1", 0, NULL, &server);
    if (r < 0) {
        return r;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    client = weft_create_task(is_there(), NULL);
    while (weft_server_clients(server) == 0) {
        weft_sleep(0.0001);
    }
    EQUAL(weft_shield_exit(&shield, 0), 0);
    r = weft_server_drain(server, INFINITY);
    EQUAL(r, let_go ? 0 : -ECANCELED); /* who went of himself was not cancelled */
    drained += r == 0;
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_await(client), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    return r;
}

/* Accepting: whoever has come is accepted by the call or still waits in the queue. */

static int listener;
static struct sockaddr_in here;

static void listen_here(void)
{
    socklen_t length = sizeof here;

    here = (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = weft_socket(AF_INET, SOCK_STREAM, 0);
    EQUAL(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    EQUAL(listen(listener, CLIENTS), 0);
    EQUAL(getsockname(listener, (struct sockaddr *)&here, &length), 0);
}

/* Returns the socket. */
WEFT_ASYNC(connects_later, (int, which))
{
    int fd;

    weft_sleep(0.001 * (which + 1));
    fd = weft_socket(AF_INET, SOCK_STREAM, 0);
    EQUAL(weft_connect(fd, (struct sockaddr *)&here, sizeof here), 0);
    return fd;
}

static int accept_all(int (*accept_one)(void))
{
    weft_task *tasks[CLIENTS];
    weft_shield shield;
    int accepted = 0, r = 0;

    listen_here();
    for (int i = 0; i < CLIENTS; i++) {
        tasks[i] = weft_create_task(connects_later(i), NULL);
    }
    while (accepted < CLIENTS && (r = accept_one()) == 0) {
        accepted++;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    for (int i = 0; i < CLIENTS; i++) {
        EQUAL(weft_close(weft_await(tasks[i])), 0);
    }
    for (; accepted < CLIENTS; accepted++) {
        EQUAL(accept_one(), 0);
    }
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(accept(listener, NULL, NULL), -1);
    EQUAL(weft_close(listener), 0);
    return r;
}

static int accept_and_close(void)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int fd = weft_accept(listener, (struct sockaddr *)&peer, &length);

    if (fd < 0) {
        return fd;
    }
    EQUAL(length, sizeof peer);
    return weft_close(fd);
}

WEFT_ASYNC(accepts)
{
    return accept_all(accept_and_close);
}

ALONE(a_cancel_at_any_step_of_serving_leaves_nobody)
{
    WHERE_THERE_ARE_DESCRIPTORS(serves);
}

ALONE(a_cancelled_drain_waits_for_whom_it_cancels)
{
    WHERE_THERE_ARE_DESCRIPTORS(drains);
    WHERE_THERE_ARE_DESCRIPTORS(drains_in_time);
}

ALONE(a_drain_that_has_cut_off_nobody_says_so)
{
    drained = 0;
    WHERE_THERE_ARE_DESCRIPTORS(drains_one);
    CHECK(!watches() || drained > 0);
}

ALONE(a_cancelled_accept_leaves_the_connection_in_the_queue)
{
    WHERE_THERE_ARE_DESCRIPTORS(accepts);
}

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_of_serving_leaves_nobody),
    TEST(a_cancelled_drain_waits_for_whom_it_cancels),
    TEST(a_drain_that_has_cut_off_nobody_says_so),
    TEST(a_cancelled_accept_leaves_the_connection_in_the_queue),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(server_steps, tests)
