/* SPDX-License-Identifier: MIT
 * Clients that never read: what a handler has left queued for them holds no server for ever. */
#include "tests/task/fault.h"
#include "tests/task/steps.h"
#include "tests/task/tcp.h"

#include <math.h>
#include <stdlib.h>

#define MUCH 1000000 /* bytes: more than the sockets here take */
#define SHORT 0.02   /* seconds */

static weft_server *server;
static char *much;
static int left, told; /* handlers that have left something queued; that were told it was written */
static bool keeps;  /* handlers keep a hold of their stream, as `kept` */
static bool aborts; /* handlers do as they are told: they abort what is queued */
static weft_stream *kept;

/* Leaves most of it queued: the write was begun when the time was up. */
WEFT_ASYNC(leaves, (weft_stream *, peer), (void *, user))
{
    weft_timeout limit;
    ssize_t n;
    int r = weft_timeout_enter(&limit, 0.001);

    (void)user;
    if (r < 0) {
        return r;
    }
    n = weft_stream_write(peer, much, MUCH);
    r = weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
    told += n == MUCH && r == 0;
    left += weft_timeout_expired(&limit);
    if (keeps) {
        kept = weft_stream_ref(peer);
    }
    if (aborts && weft_timeout_expired(&limit)) {
        EQUAL(weft_stream_abort(peer), 0);
        r = -ETIMEDOUT;
    }
    return r;
}

static void start(const weft_server_options *options)
{
    left = told = 0;
    much = calloc(1, MUCH);
    EQUAL(weft_start_server(leaves, NULL, "127.0.0.1", 0, options, &server), 0);
    small_buffers(weft_server_socket(server, 0)); /* accepted ones inherit it */
}

static void end(void)
{
    EQUAL(weft_server_close(server), 0);
    free(much);
}

static weft_stream *connect_to_server(void)
{
    weft_stream *stream = NULL;

    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream), 0);
    small_buffers(weft_stream_fd(stream));
    return stream;
}

/* A client whose handler has left something. */
static weft_stream *be_left_waiting(int handlers)
{
    weft_stream *stream = connect_to_server();

    while (left < handlers) {
        weft_sleep(0.001);
    }
    EQUAL(told, handlers);
    return stream;
}

/* Everything that comes: its number, and how it ends. */
static size_t read_rest(weft_stream *stream, ssize_t *ret_end)
{
    static char buffer[65536];
    size_t all = 0;

    while ((*ret_end = weft_stream_read(stream, buffer, sizeof buffer)) > 0) {
        all += (size_t)*ret_end;
    }
    return all;
}

static void is_reset(weft_stream *client)
{
    ssize_t how;

    CHECK(read_rest(client, &how) < MUCH);
    EQUAL(how, -ECONNRESET);
    EQUAL(weft_stream_close(client), 0);
}

/* Waits until nobody is left; returns how long that took. */
static double until_empty(void)
{
    double begin = weft_loop_time(NULL);

    while (weft_server_clients(server) > 0) {
        weft_sleep(0.001);
    }
    return weft_loop_time(NULL) - begin;
}

ON_REAL(what_is_read_in_time_arrives_whole)
{
    weft_stream *client;
    ssize_t how;

    start(&(weft_server_options){ .close_timeout = 20 });
    client = be_left_waiting(1);
    EQUAL(weft_server_clients(server), 1);
    EQUAL(read_rest(client, &how), MUCH);
    EQUAL(how, 0);
    EQUAL(weft_stream_close(client), 0);
    EQUAL(weft_server_drain(server, INFINITY), 0);
    end();
}

ON_REAL(who_never_reads_is_reset_in_time)
{
    weft_stream *client;
    double took;

    start(&(weft_server_options){ .close_timeout = SHORT });
    client = be_left_waiting(1);
    took = until_empty();
    CHECK(took > SHORT / 2);
    CHECK(!is_virtual() || took < SHORT + 0.01);
    is_reset(client);
    end();
}

ON_REAL(the_place_of_who_never_reads_is_another_s)
{
    weft_stream *clients[3];

    start(&(weft_server_options){ .close_timeout = SHORT, .max_clients = 1 });
    for (int i = 0; i < 3; i++) {
        clients[i] = be_left_waiting(i + 1); /* is accepted when the one before has gone */
    }
    (void)until_empty();
    for (int i = 0; i < 3; i++) {
        is_reset(clients[i]);
    }
    end();
}

/* Years of virtual time pass in no time. */
ON_REAL(half_a_minute_is_what_nobody_has_to_ask_for)
{
    weft_stream *client;
    double took;

    if (is_virtual()) {
        start(NULL);
        client = be_left_waiting(1);
        took = until_empty();
        CHECK(took > 29.9 && took < 30.1);
        is_reset(client);
        end();
    }
}

ON_REAL(a_handler_that_aborts_leaves_nothing_to_wait_for)
{
    weft_stream *client;

    aborts = true;
    start(&(weft_server_options){ .close_timeout = INFINITY });
    client = be_left_waiting(1);
    EQUAL(weft_server_drain(server, INFINITY), 0);
    is_reset(client);
    EQUAL(reports_left(), 0); /* a time that is up is the connection's matter */
    aborts = false;
    end();
}

ON_REAL(without_limit_a_server_waits_as_long_as_it_takes)
{
    weft_stream *client;
    ssize_t how;

    start(&(weft_server_options){ .close_timeout = INFINITY });
    client = be_left_waiting(1);
    weft_sleep(is_virtual() ? 1e6 : 2 * SHORT);
    EQUAL(weft_server_clients(server), 1);
    EQUAL(read_rest(client, &how), MUCH);
    EQUAL(how, 0);
    EQUAL(weft_stream_close(client), 0);
    end();
}

ON_REAL(a_drain_without_limit_ends)
{
    weft_stream *client;

    start(&(weft_server_options){ .close_timeout = SHORT });
    client = be_left_waiting(1);
    EQUAL(weft_server_drain(server, INFINITY), 0); /* nobody had to be cancelled */
    EQUAL(weft_server_clients(server), 0);
    is_reset(client);
    end();
}

ON_REAL(a_drain_s_own_limit_comes_first)
{
    weft_stream *client;

    start(&(weft_server_options){ .close_timeout = 1000 });
    client = be_left_waiting(1);
    EQUAL(weft_server_drain(server, SHORT), -ETIMEDOUT);
    EQUAL(weft_server_clients(server), 0);
    is_reset(client);
    end();
}

ON_REAL(closing_the_server_waits_for_no_reader)
{
    weft_stream *client;

    start(&(weft_server_options){ .close_timeout = 1000 });
    client = be_left_waiting(1);
    end();
    is_reset(client);
}

ON_REAL(clients_can_be_closed_and_aborted_meanwhile)
{
    weft_stream *client;

    start(&(weft_server_options){ .close_timeout = 1000 });
    client = be_left_waiting(1);
    EQUAL(weft_server_close_clients(server), 1);
    (void)until_empty();
    is_reset(client);
    client = be_left_waiting(2);
    EQUAL(weft_server_abort_clients(server), 1);
    (void)until_empty();
    is_reset(client);
    end();
}

ON_REAL(a_client_that_goes_meanwhile_is_no_matter)
{
    weft_stream *client;

    start(&(weft_server_options){ .close_timeout = 1000 });
    client = be_left_waiting(1);
    EQUAL(weft_stream_abort(client), 0);
    (void)until_empty();
    EQUAL(reports_left(), 0);
    end();
}

WEFT_ASYNC(reads_all, (weft_stream *, client))
{
    ssize_t how;

    EQUAL(read_rest(client, &how), MUCH);
    return (int)how;
}

ON_REAL(who_holds_the_stream_longer_waits_by_himself)
{
    weft_stream *client;
    weft_stream_stats stats;
    weft_task *reader;

    keeps = true;
    start(&(weft_server_options){ .close_timeout = SHORT });
    client = be_left_waiting(1);
    (void)until_empty(); /* the handler's hold is gone, and the queue is the other holder's */
    weft_sleep(2 * SHORT);
    EQUAL(weft_stream_statistics(kept, &stats), 0);
    CHECK(stats.queued > 0);
    reader = weft_create_task(reads_all(client), NULL);
    EQUAL(weft_stream_close(kept), 0);
    EQUAL(weft_await(reader), 0);
    keeps = false;
    EQUAL(weft_stream_close(client), 0);
    end();
}

ON_REAL(a_time_that_is_none_is_refused)
{
    weft_server *was = server = NULL;

    EQUAL(weft_start_server(leaves, NULL, NULL, 0, &(weft_server_options){ .close_timeout = -1 },
                            &server),
          -EINVAL);
    EQUAL(weft_start_unix_server(leaves, NULL, "@close",
                                 &(weft_server_options){ .close_timeout = NAN }, &server),
          -EINVAL);
    CHECK(server == was);
}

/* ---- a cancel, and a failure, at each step ---- */

WEFT_ASYNC(leaves_a_client_waiting)
{
    weft_shield shield;
    weft_stream *client = NULL;
    int r = weft_start_server(leaves, NULL, "127.0.0.1", 0,
                              &(weft_server_options){ .close_timeout = 0.01 }, &server);

    if (tried(r) < 0) {
        return r;
    }
    small_buffers(weft_server_socket(server, 0));
    r = weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &client);
    r = r == -ECONNRESET ? 0 : tried(r); /* the server had no memory for its connection */
    r = r < 0 ? r : tried(weft_sleep(0.005));
    r = r < 0 ? r : tried(weft_server_drain(server, INFINITY));
    if (weft_shield_enter(&shield, INFINITY) == 0) {
        tried(weft_server_close(server));
        (void)weft_shield_exit(&shield, 0);
    } else {
        (void)weft_server_close(server);
    }
    if (client) {
        (void)weft_stream_abort(client);
    }
    return r;
}

static weft_coro *scenario(void)
{
    return leaves_a_client_waiting();
}

ALONE(a_cancel_at_every_step_leaves_nothing)
{
    if (has_descriptors()) {
        much = calloc(1, MUCH);
        AT_EVERY_STEP(scenario, 0, -ECANCELED);
        free(much);
    }
}

static int close_with_clients(void)
{
    return run_in_loop(leaves_a_client_waiting());
}

ALONE(each_fault_while_a_client_is_closed)
{
    if (has_descriptors()) {
        much = calloc(1, MUCH);
        sweep(close_with_clients, "close_with_clients");
        free(much);
    }
}

static CU_TestInfo tests[] = {
    TEST(what_is_read_in_time_arrives_whole),
    TEST(who_never_reads_is_reset_in_time),
    TEST(the_place_of_who_never_reads_is_another_s),
    TEST(half_a_minute_is_what_nobody_has_to_ask_for),
    TEST(a_handler_that_aborts_leaves_nothing_to_wait_for),
    TEST(without_limit_a_server_waits_as_long_as_it_takes),
    TEST(a_drain_without_limit_ends),
    TEST(a_drain_s_own_limit_comes_first),
    TEST(closing_the_server_waits_for_no_reader),
    TEST(clients_can_be_closed_and_aborted_meanwhile),
    TEST(a_client_that_goes_meanwhile_is_no_matter),
    TEST(who_holds_the_stream_longer_waits_by_himself),
    TEST(a_time_that_is_none_is_refused),
    TEST(a_cancel_at_every_step_leaves_nothing),
    TEST(each_fault_while_a_client_is_closed),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(server_close, tests)
