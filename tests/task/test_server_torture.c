/* SPDX-License-Identifier: MIT
 * Whatever is done to a server, by several at once and in whatever order, with cancels in between:
 * every call returns, with something that it may return, and nothing is left. */
#include "tests/task/transport.h"
#include "tests/task/worlds.h"

#include <math.h>
#include <unistd.h>

#define ACTORS 5
#define ACTIONS 8

static weft_server *server;
static bool is_closed;
static int handlers;
static double soon(void)
{
    return 0.0002 * chance(10);
}

static bool is_one_of(int64_t r, const int *allowed)
{
    while (*allowed && *allowed != r) {
        allowed++;
    }
    return *allowed;
}

/* A status that a call may have; below 0 it is one of these, or the server is closed. */
#define MAY_BE(r, ...)                                                                  \
    CHECK((r) >= 0 || ((r) == -EBADF && is_closed) || (r) == -ECANCELED ||              \
          is_one_of(r, (const int[]){ __VA_ARGS__, 0 }))

/* Handlers of several manners. */
WEFT_ASYNC(handles, (weft_stream *, peer), (void *, user))
{
    char room[64];
    ssize_t n = 0;
    weft_shield shield;

    (void)user;
    handlers++;
    switch (chance(4)) {
    case 0: weft_sleep(soon()); break;
    case 1:
        EQUAL(weft_shield_enter(&shield, INFINITY), 0);
        weft_sleep(soon());
        n = weft_shield_exit(&shield, 0);
        break;
    case 2: (void)weft_stream_close(peer); break;
    default:
        while ((n = weft_stream_read(peer, room, sizeof room)) > 0) {
            n = weft_stream_write(peer, room, (size_t)n);
        }
    }
    handlers--;
    return n == -EBADF || n == -ECONNRESET || n == -EPIPE || n == -ECANCELED ? (int)n : 0;
}

static void be_a_client(void)
{
    weft_stream *stream = NULL;
    char room[64];
    int port = weft_server_port(server);
    int r = port > 0 ? weft_open_connection("127.0.0.1", port, NULL, &stream) : -EBADF;

    if (r == 0) {
        if (weft_stream_write(stream, "some words\n", 11) == 11 && chance(2)) {
            (void)weft_stream_read(stream, room, sizeof room);
        }
        weft_sleep(soon());
        weft_stream_close(stream);
    }
}

static void act(void)
{
    int64_t r;

    switch (chance(9)) {
    case 0:
        r = weft_server_close_clients(server);
        MAY_BE(r, -EBADF);
        break;
    case 1:
        r = weft_server_abort_clients(server);
        MAY_BE(r, -EBADF);
        break;
    case 2:
        r = weft_server_drain(server, chance(2) ? soon() : INFINITY);
        MAY_BE(r, -EBADF, -ETIMEDOUT);
        break;
    case 3:
        r = weft_server_serve_forever(server);
        MAY_BE(r, -EBADF, -EBUSY);
        break;
    case 4:
        if (chance(4) == 0) {
            r = weft_server_close(server);
            is_closed |= r == 0 || r == -ECANCELED;
            MAY_BE(r, -EBUSY, -EBADF);
        }
        break;
    case 5:
        if (chance(3) == 0) {
            r = weft_server_stop(server);
            MAY_BE(r, -EBADF);
        }
        break;
    default: be_a_client();
    }
}

WEFT_ASYNC(acts)
{
    for (int i = 0; i < ACTIONS && !weft_cancelled(); i++) {
        act();
        weft_sleep(soon());
    }
    return 0;
}

static void torture(void)
{
    weft_server_options options = { .max_clients = chance(2) ? 2 : 0 };
    weft_task *actors[ACTORS];
    int r;

    is_closed = false;
    handlers = 0;
    EQUAL(weft_start_server(handles, NULL, "127.0.0.1", 0, &options, &server), 0);
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = weft_create_task(acts(), NULL);
    }
    for (int i = 0; i < 4; i++) {
        weft_sleep(0.002);
        (void)weft_task_cancel(actors[chance(ACTORS)]);
    }
    weft_sleep(0.005);
    (void)weft_server_stop(server);
    for (int i = 0; i < ACTORS; i++) {
        (void)weft_task_cancel(actors[i]);
        EQUAL(weft_await(actors[i]), 0);
    }
    r = weft_server_close(server);
    EQUAL(r, is_closed ? -EBADF : 0);
    EQUAL(handlers, 0);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
}

WATCHED(whatever_is_done_to_a_server_nothing_is_left)
{
    in_worlds(300, torture);
}

static CU_TestInfo tests[] = {
    TEST(whatever_is_done_to_a_server_nothing_is_left),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(server_torture, tests)
