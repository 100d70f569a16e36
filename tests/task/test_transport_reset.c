/* SPDX-License-Identifier: MIT
 * What becomes of a transport whose peer resets the connection, in whatever it does at that moment.
 */
#include "tests/task/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char much[3000000];

/* TCP sends a reset; a Unix socket is reset when something is in it that was not read. */
static void reset(int fd)
{
    struct linger linger = { .l_onoff = 1 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static struct seen seen;
static weft_transport *transport;
static int fds[2];

/* With a hold, so that it can be asked when it is lost; and some bytes in the peer's socket. */
static void open_one(enum pair_kind kind)
{
    seen = (struct seen){ .quiet = true };
    open_pair(kind, fds);
    transport = weft_transport_ref(transport_for(fds[0], &seen));
    UNTIL(seen.made, 1);
    EQUAL(weft_transport_write(transport, "unread", 6), 0);
    while (weft_transport_get_write_buffer_size(transport) > 0) {
        weft_sleep(0);
    }
}

/* It was lost once, and tells why for as long as it is held. */
static void is_lost(int error)
{
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, error);
    EQUAL(seen.eofs, 0);
    EQUAL(weft_transport_write(transport, "x", 1), -EPIPE);
    EQUAL(weft_transport_drain(transport), error);
    EQUAL(weft_transport_wait_closed(transport), error);
    EQUAL(weft_transport_wait_closed(transport), error);
    EQUAL(seen.lost, 1);
    weft_transport_unref(transport);
}

ON_PAIRS(who_only_listens_is_told)
{
    open_one(kind);
    reset(fds[1]);
    is_lost(-ECONNRESET);
}

/* Nothing is read, so nobody knows yet, and nobody is kept busy by it. */
ON_PAIRS(who_has_paused_is_told_when_it_reads_again)
{
    clock_t began;

    open_one(kind);
    EQUAL(weft_transport_pause_reading(transport), 0);
    reset(fds[1]);
    began = clock();
    EQUAL(weft_sleep(is_virtual() ? 0.001 : 0.1), 0);
    CHECK(clock() - began < CLOCKS_PER_SEC / 20);
    EQUAL(seen.lost, 0);
    EQUAL(weft_transport_resume_reading(transport), 0);
    is_lost(-ECONNRESET);
}

/* A Unix socket tells its writer that nobody reads. */
ON_PAIRS(who_has_paused_is_told_when_it_writes)
{
    open_one(kind);
    EQUAL(weft_transport_pause_reading(transport), 0);
    reset(fds[1]);
    EQUAL(weft_transport_write(transport, "x", 1), 0);
    is_lost(kind == PAIR_UNIX ? -EPIPE : -ECONNRESET);
}

WEFT_ASYNC(drains)
{
    return weft_transport_drain(transport);
}

/* Whether the read or the write is tried first is the backend's affair. */
ON_PAIRS(who_has_much_to_write_is_told)
{
    weft_task *task;

    open_one(kind);
    EQUAL(weft_transport_write(transport, much, sizeof much), 0);
    UNTIL(seen.pauses, 1);
    task = weft_create_task(drains(), NULL);
    weft_sleep(0.001);
    CHECK(!weft_task_done(task));
    reset(fds[1]);
    UNTIL(seen.lost, 1);
    CHECK(seen.error == -ECONNRESET || (kind == PAIR_UNIX && seen.error == -EPIPE));
    EQUAL(weft_await(task), seen.error);
    is_lost(seen.error);
}

ON_PAIRS(who_has_ended_its_writing_is_told)
{
    open_one(kind);
    EQUAL(weft_transport_write_eof(transport), 0);
    weft_sleep(0.001);
    reset(fds[1]);
    is_lost(-ECONNRESET);
}

WEFT_ASYNC(waits_closed)
{
    return weft_transport_wait_closed(transport);
}

/* What is kept will never go, and the close says so. */
ON_PAIRS(who_closes_with_much_to_write_is_told)
{
    weft_task *task;

    open_one(kind);
    EQUAL(weft_transport_write(transport, much, sizeof much), 0);
    EQUAL(weft_transport_close(transport), 0);
    task = weft_create_task(waits_closed(), NULL);
    weft_sleep(0.001);
    EQUAL(seen.lost, 0);
    reset(fds[1]);
    UNTIL(seen.lost, 1);
    CHECK(seen.error == (kind == PAIR_UNIX ? -EPIPE : -ECONNRESET));
    EQUAL(weft_await(task), seen.error);
    is_lost(seen.error);
}

/* The peer said that it is through; what it does not take then is another matter. */
ON_PAIRS(a_half_that_is_open_is_reset)
{
    open_one(kind);
    seen.stays = true;
    EQUAL(shutdown(fds[1], SHUT_WR), 0);
    UNTIL(seen.eofs, 1);
    EQUAL(weft_transport_write(transport, much, sizeof much), 0);
    weft_sleep(0.001);
    EQUAL(seen.lost, 0);
    reset(fds[1]);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, -EPIPE);
    EQUAL(seen.eofs, 1);
    seen.eofs = 0;
    is_lost(-EPIPE);
}

/* It is made all the same, and lost in the turn after that. */
ON_PAIRS(who_was_not_made_yet_is_made_and_then_told)
{
    seen = (struct seen){ .quiet = true };
    open_pair(kind, fds);
    EQUAL(write(fds[0], "unread", 6), 6);
    reset(fds[1]);
    transport = weft_transport_ref(transport_for(fds[0], &seen));
    UNTIL(seen.lost, 1);
    EQUAL(seen.made, 1);
    is_lost(-ECONNRESET);
}

/* One that resets before it is accepted is made and lost; the next one is served. */
WATCHED(a_listener_goes_on_after_a_reset)
{
    weft_listener *listener = NULL;
    weft_address at;
    int fd;

    seen = (struct seen){ .quiet = true };
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", 0, NULL, &listener), 0);
    EQUAL(weft_address_parse("127.0.0.1", weft_listener_port(listener), &at), 0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EQUAL(connect(fd, (struct sockaddr *)at.bytes, at.length), 0);
    reset(fd);
    UNTIL(seen.lost, 1);
    EQUAL(seen.made, 1);
    EQUAL(seen.error, -ECONNRESET);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EQUAL(connect(fd, (struct sockaddr *)at.bytes, at.length), 0);
    UNTIL(seen.made, 2);
    close(fd);
    UNTIL(seen.lost, 2);
    EQUAL(seen.error, 0);
    EQUAL(reports_left(), 0);
    EQUAL(weft_listener_close(listener), 0);
    EQUAL(weft_listener_wait_closed(listener), 0);
    weft_listener_free(listener);
}

static CU_TestInfo tests[] = {
    TEST(who_only_listens_is_told),
    TEST(who_has_paused_is_told_when_it_reads_again),
    TEST(who_has_paused_is_told_when_it_writes),
    TEST(who_has_much_to_write_is_told),
    TEST(who_has_ended_its_writing_is_told),
    TEST(who_closes_with_much_to_write_is_told),
    TEST(a_half_that_is_open_is_reset),
    TEST(who_was_not_made_yet_is_made_and_then_told),
    TEST(a_listener_goes_on_after_a_reset),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(transport_reset, tests)
