/* SPDX-License-Identifier: MIT
 * Peers that are slow, on purpose or not: whatever they do costs no more memory than was allowed.
 *
 * What malloc(3) has given is measured where it can tell; what streams say of themselves always. */
#include "tests/task/ends.h"
#include "tests/task/transport.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 33)
#define MEASURES /* mallinfo2(3) */
#endif
#endif

#define LIMIT 2000   /* of the streams here, but for pairs in memory, which have the default */
#define END 2        /* bytes of the longest separator, which are kept beside the limit */
#define BLOCK 16384  /* is taken to keep something, unless the limit is less */
#define SLACK 4096   /* for what else is alive: waiters, timers */

/* Bytes in use; always 0 where that is not known. */
static size_t memory(void)
{
#ifdef MEASURES
    struct mallinfo2 info;

    if (!is_sanitized()) {
        info = mallinfo2();
        return info.uordblks + info.hblkhd;
    }
#endif
    return 0;
}

static size_t began, peak;

static void start_to_measure(void)
{
    began = peak = memory();
}

static void measure(void)
{
    size_t now = memory();

    peak = now > peak ? now : peak;
}

/* How much more there was than at the start. */
#define COSTS_AT_MOST(bytes) costs_at_most((bytes), __FILE__, __LINE__)
static void costs_at_most(size_t bytes, const char *file, unsigned line)
{
    char words[80];

    measure();
    snprintf(words, sizeof words, "%zu bytes more, allowed are %zu", peak - began, bytes);
    check(peak - began <= bytes, words, file, line);
}

static const weft_stream_options small = { .limit = LIMIT };
static char room[200000];

/* ---- who sends slowly, and never the end of a line ---- */

/* Sends byte after byte, and looks at the memory, until it is cancelled. */
WEFT_ASYNC(trickles)
{
    weft_stream_stats stats;

    for (int i = 0;; i++) {
        ssize_t n = weft_stream_write(there, "x", 1);

        if (n < 0) {
            return (int)n;
        }
        if (i % 16 == 0) {
            measure();
            EQUAL(weft_stream_statistics(here, &stats), 0);
            CHECK(stats.kept <= stats.limit + END);
            weft_sleep(0);
        }
    }
}

typedef ssize_t reads_something(void);

static ssize_t by_line(void)
{
    return weft_stream_readline(here, room, sizeof room);
}

static ssize_t by_separator(void)
{
    return weft_stream_readuntil(here, "\r\n", 2, room, sizeof room);
}

static ssize_t by_separators(void)
{
    const struct iovec any[] = { { (void *)"\r\n", 2 }, { (void *)"\n", 1 } };

    return weft_stream_readuntil_any(here, any, 2, room, sizeof room);
}

static ssize_t by_peek(void)
{
    const char *data;

    return weft_stream_peek_until(here, "\n", 1, &data);
}

static reads_something *const readers[] = { by_line, by_separator, by_separators, by_peek };

static void look_at_reader(int beneath, reads_something *reads)
{
    weft_stream_stats stats;
    weft_task *task;

    open_ends_with(beneath, &small);
    EQUAL(weft_stream_statistics(here, &stats), 0);
    start_to_measure();
    task = weft_create_task(trickles(), NULL);
    EQUAL(reads(), -EMSGSIZE);
    COSTS_AT_MOST(stats.limit + (beneath == MEMORY ? WEFT_STREAM_LIMIT : 0) + SLACK);
    EQUAL(reads(), -EMSGSIZE); /* as often as one likes */
    EQUAL(weft_stream_statistics(here, &stats), 0);
    CHECK(stats.kept <= stats.limit + END);
    EQUAL(weft_stream_read(here, room, sizeof room), (ssize_t)stats.kept);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    weft_stream_close(here);
    weft_stream_close(there);
}

IN_TASK(an_endless_line_costs_no_more_than_the_limit)
{
    for (int i = 0; i < (has_descriptors() ? BENEATH : 1); i++) {
        for (size_t k = 0; k < sizeof readers / sizeof *readers; k++) {
            look_at_reader(i, readers[k]);
        }
    }
}

/* A limit in time is for all of a line, and what came of it costs no more than that. */
OVER_EACH(a_line_that_never_ends_in_time_costs_a_block, BENEATH)
{
    weft_timeout limit;
    weft_stream_stats stats;

    start_to_measure();
    for (int i = 0; i < 20; i++) {
        say("x");
        EQUAL(weft_timeout_enter(&limit, 0.001), 0);
        EQUAL(weft_timeout_exit(&limit, (int)weft_stream_readline(here, room, sizeof room)),
              -ETIMEDOUT);
        measure();
    }
    COSTS_AT_MOST(BLOCK + (beneath == MEMORY ? WEFT_STREAM_LIMIT : 0) + SLACK);
    EQUAL(weft_stream_statistics(here, &stats), 0);
    EQUAL(stats.kept, 20);
    EQUAL(weft_stream_readexactly(here, room, 20), 20);
    EQUAL(weft_stream_statistics(here, &stats), 0);
    EQUAL(stats.kept, 0);
}

/* Nobody asks for what comes: it stays with the system, and the other end waits. */
OVER_EACH(what_nobody_asks_for_is_not_taken, BENEATH)
{
    weft_stream_stats stats;
    weft_task *task = weft_create_task(trickles(), NULL);

    weft_sleep(0.005);
    start_to_measure();
    weft_sleep(0.02);
    COSTS_AT_MOST((beneath == MEMORY ? WEFT_STREAM_LIMIT : 0) + SLACK);
    EQUAL(weft_stream_statistics(here, &stats), 0);
    EQUAL(stats.kept, 0);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
}

/* ---- who reads slowly ---- */

WEFT_ASYNC(writes_room)
{
    for (;;) {
        ssize_t n = weft_stream_write(there, room, sizeof room);

        if (n < 0) {
            return (int)n;
        }
    }
}

/* However many want to write, they wait with what is theirs. */
OVER_EACH(writers_wait_and_nothing_piles_up, BENEATH)
{
    weft_task *tasks[20];

    start_to_measure();
    for (int i = 0; i < 20; i++) {
        tasks[i] = weft_create_task(writes_room(), NULL);
    }
    weft_sleep(0.005);
    COSTS_AT_MOST((beneath == MEMORY ? WEFT_STREAM_LIMIT : 0) + 20 * 256 + SLACK);
    weft_stream_abort(there);
    there = NULL;
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_await(tasks[i]), -EBADF);
    }
}

/* The rest of the write that had begun is kept; those that had not have left nothing. */
OVER_EACH(writes_that_are_given_up_keep_one_rest, BENEATH)
{
    weft_stream_stats stats;
    weft_timeout limit;

    start_to_measure();
    for (int i = 0; i < 50; i++) {
        ssize_t n;

        EQUAL(weft_timeout_enter(&limit, 0.0002), 0);
        n = weft_stream_write(there, room, sizeof room);
        CHECK(n == (ssize_t)sizeof room || n == -ECANCELED);
        (void)weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
        EQUAL(weft_stream_statistics(there, &stats), 0);
        CHECK(stats.queued < sizeof room);
        measure();
    }
    CHECK(stats.queued > 0);
    COSTS_AT_MOST(sizeof room + (beneath == MEMORY ? WEFT_STREAM_LIMIT : 0) + SLACK);
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
}

/* A protocol that stops when it is told to has at most the mark and one write kept. */
ON_PAIRS(a_protocol_that_heeds_the_mark_keeps_little)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    size_t low, high;
    int fds[2];

    open_pair(kind, fds);
    transport = weft_transport_ref(transport_for(fds[0], &seen));
    UNTIL(seen.made, 1);
    EQUAL(weft_transport_get_write_buffer_limits(transport, &low, &high), 0);
    start_to_measure();
    for (int i = 0; i < 100; i++) {
        while (seen.pauses == seen.resumes) {
            EQUAL(weft_transport_write(transport, room, 10000), 0);
            CHECK(weft_transport_get_write_buffer_size(transport) <= high + 10000);
            measure();
        }
        while (seen.pauses > seen.resumes) {
            (void)!read(fds[1], room, sizeof room);
            weft_sleep(0);
        }
    }
    COSTS_AT_MOST(4 * (high + 10000) + SLACK); /* it doubles, and moves to the front at half */
    EQUAL(weft_transport_abort(transport), 0);
    UNTIL(seen.lost, 1);
    weft_transport_unref(transport);
    close(fds[1]);
}

/* ---- many of them ---- */

#define CLIENTS 50

static int refused;

WEFT_ASYNC(wants_a_line, (weft_stream *, client), (void *, user))
{
    char line[LIMIT + END];
    ssize_t n = weft_stream_readline(client, line, sizeof line);

    (void)user;
    refused += n == -EMSGSIZE;
    return 0;
}

ON_REAL(a_server_of_slow_clients_keeps_the_limit_for_each)
{
    const weft_server_options options = { .stream = small };
    weft_stream *clients[CLIENTS];
    weft_server *server;

    refused = 0;
    EQUAL(weft_start_server(wants_a_line, NULL, "127.0.0.1", 0, &options, &server), 0);
    start_to_measure();
    for (int i = 0; i < CLIENTS; i++) {
        EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &clients[i]), 0);
    }
    for (int byte = 0; refused < CLIENTS && byte < LIMIT + END; byte++) {
        for (int i = 0; i < CLIENTS; i++) {
            EQUAL(weft_stream_write(clients[i], "x", 1), 1);
        }
        weft_sleep(0);
        measure();
    }
    while (weft_server_clients(server) > 0) {
        weft_sleep(0);
    }
    EQUAL(refused, CLIENTS);
    COSTS_AT_MOST(CLIENTS * (LIMIT + 2048) + 65536);
    for (int i = 0; i < CLIENTS; i++) {
        EQUAL(weft_stream_close(clients[i]), 0);
    }
    EQUAL(weft_server_close(server), 0);
}

static CU_TestInfo tests[] = {
    TEST(an_endless_line_costs_no_more_than_the_limit),
    TEST(a_line_that_never_ends_in_time_costs_a_block),
    TEST(what_nobody_asks_for_is_not_taken),
    TEST(writers_wait_and_nothing_piles_up),
    TEST(writes_that_are_given_up_keep_one_rest),
    TEST(a_protocol_that_heeds_the_mark_keeps_little),
    TEST(a_server_of_slow_clients_keeps_the_limit_for_each),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(slow, tests)
