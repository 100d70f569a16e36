/* SPDX-License-Identifier: MIT
 * Debug mode: what was opened and not closed when its loop is closed, each kind; and the same when
 * it was closed, lost, or handed on. */
#include "tests/task/debug.h"
#include "tests/task/fault.h"
#include "tests/task/transport.h"

#include <netinet/in.h>
#include <sys/socket.h>

static const weft_protocol deaf = { .size = sizeof deaf };
static const weft_datagram_protocol deaf_datagrams = { .size = sizeof deaf_datagrams };

/* One thing was not closed, and these are the words for it: opened by the task `by` (NULL: none) in
 * this function. */
static void check_one(const char *by, const char *message, const char *function)
{
    EQUAL(told.count, 1);
    EQUAL(told.kind, WEFT_REPORT_UNCLOSED);
    SAME(told.message, "something is not closed when the loop closes");
    EQUAL(told.others_count, 1);
    SAME(told.others[0].task_name, by ? by : "");
    SAME(told.others[0].message, message);
    CHECK(leads_to(told.others[0].made, told.others[0].made_count, function));
    told.count = 0;
}

static void watch_closes(void)
{
    watch_for("leaks,made");
}

static weft_task *runs(weft_coro *coro)
{
    return weft_loop_create_task(loop, coro, &(weft_task_options){ .name = "opener" });
}

/* Runs what opens something in a task of that name; then the loop closes. */
static void run_and_close(weft_coro *coro)
{
    watch_closes();
    EQUAL(run(runs(coro)), 0);
    SILENT();
    close_loop();
}

/* ---- streams ---- */

WEFT_ASYNC(opens_a_pair, (weft_stream **, ends))
{
    return weft_stream_pair(0, ends);
}

WEFT_ASYNC(opens_and_closes_one_end)
{
    weft_stream *ends[2];

    EQUAL(weft_await(opens_a_pair(ends)), 0);
    return weft_stream_close(ends[1]);
}

IN_LOOP(a_stream_that_is_not_closed)
{
    run_and_close(opens_and_closes_one_end());
    check_one("opener", "opened a stream", "opens_a_pair");
    SAME(told.others[0].what, "");
}

WEFT_ASYNC(opens_and_closes_streams)
{
    weft_stream *ends[2];

    EQUAL(weft_await(opens_a_pair(ends)), 0);
    EQUAL(weft_stream_write(ends[0], "rest", 4), 4); /* nobody reads it */
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_abort(ends[1]), 0);
    EQUAL(weft_await(opens_a_pair(ends)), 0);
    (void)weft_stream_ref(ends[0]);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[0]), 0);
    return weft_stream_close(ends[1]);
}

IN_LOOP(streams_that_were_closed_or_aborted_are_not_told)
{
    run_and_close(opens_and_closes_streams());
    SILENT();
}

static int descriptor;

/* Closes the descriptor at the end, when the loop has. */
WEFT_ASYNC(opens_a_descriptor)
{
    weft_stream *stream;
    int fds[2];

    EQUAL(weft_pipe(fds), 0);
    EQUAL(weft_close(fds[1]), 0);
    descriptor = fds[0];
    return weft_stream_open_fd(fds[0], NULL, &stream);
}

IN_LOOP(a_stream_is_told_with_its_descriptor)
{
    char words[40];

    run_and_close(opens_a_descriptor());
    check_one("opener", "opened a stream", "opens_a_descriptor");
    snprintf(words, sizeof words, "descriptor %d", descriptor);
    SAME(told.others[0].what, words);
}

/* ---- servers ---- */

WEFT_ASYNC(serves, (weft_stream *, client), (void *, user))
{
    char byte;

    (void)user;
    return (int)weft_stream_read(client, &byte, 1);
}

static int connect_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = weft_socket(AF_INET, SOCK_STREAM, 0);

    EQUAL(weft_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

WEFT_ASYNC(opens_a_server, (bool, stops))
{
    weft_server *server;

    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &server), 0);
    return stops ? weft_server_drain(server, INFINITY) : 0;
}

IN_LOOP(a_server_that_is_not_closed)
{
    if (is_virtual()) {
        return;
    }
    watch_closes();
    EQUAL(run(runs(opens_a_server(true))), 0);
    EQUAL(run(sleeps(0)), 0); /* those that accepted have gone */
    close_loop();
    check_one("opener", "opened a server", "opens_a_server");
}

WEFT_ASYNC(opens_and_closes_a_server)
{
    weft_server *server;
    char byte;
    int fd;

    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &server), 0);
    fd = connect_to(weft_server_port(server));
    EQUAL(weft_write(fd, "x", 1), 1);
    EQUAL(weft_read(fd, &byte, 1), 0); /* the server has closed the stream */
    EQUAL(weft_close(fd), 0);
    fd = connect_to(weft_server_port(server));
    while (weft_server_clients(server) == 0) {
        weft_sleep(0.001);
    }
    EQUAL(weft_server_close(server), 0); /* cancels the handler */
    return weft_close(fd);
}

IN_LOOP(a_server_that_was_closed_with_its_clients_is_not_told)
{
    if (is_virtual()) {
        return;
    }
    run_and_close(opens_and_closes_a_server());
    SILENT();
}

/* ---- transports, listeners, datagram endpoints ---- */

static int pair[2];

WEFT_ASYNC(opens_a_transport, (weft_transport **, ret))
{
    return weft_loop_connect_accepted_socket(NULL, &deaf, NULL, pair[0], ret);
}

IN_LOOP(a_transport_that_is_not_closed)
{
    weft_transport *transport;

    if (!watches()) {
        return;
    }
    open_pair(PAIR_UNIX, pair);
    run_and_close(opens_a_transport(&transport));
    check_one("opener", "opened a transport", "opens_a_transport");
    EQUAL(close(pair[1]), 0);
}

enum end { CLOSED, ABORTED, DETACHED, LOST, LOADED };

WEFT_ASYNC(opens_and_ends_a_transport, (int, how))
{
    static char much[1 << 20];
    weft_transport *transport;
    int r = 0, fd;

    open_pair(PAIR_UNIX, pair);
    EQUAL(weft_await(opens_a_transport(&transport)), 0);
    if (how == LOADED) { /* it goes when that is sent, which may never be */
        EQUAL(weft_transport_write(transport, much, sizeof much), 0);
        r = weft_transport_close(transport);
    } else if (how == CLOSED) {
        r = weft_transport_close(transport); /* and its connection_lost() is not waited for */
    } else if (how == ABORTED) {
        r = weft_transport_abort(transport);
    } else if (how == DETACHED) {
        r = weft_transport_detach(transport, &fd);
        EQUAL(close(fd), 0);
    } else {
        EQUAL(shutdown(pair[1], SHUT_RDWR), 0);
        weft_sleep(0.01);
    }
    return r;
}

IN_LOOP(transports_that_ended_are_not_told)
{
    if (!watches()) {
        return;
    }
    for (int how = CLOSED; how <= LOADED; how++) {
        watch_closes();
        EQUAL(run(runs(opens_and_ends_a_transport(how))), 0);
        close_loop();
        SILENT();
        EQUAL(close(pair[1]), 0);
        loop = open_loop();
    }
}

WEFT_ASYNC(opens_a_listener, (weft_listener **, ret))
{
    return weft_loop_create_server(NULL, &deaf, NULL, "127.0.0.1", 0, NULL, ret);
}

IN_LOOP(a_listener_that_is_not_closed)
{
    weft_listener *listener;

    if (!watches()) {
        return;
    }
    run_and_close(opens_a_listener(&listener));
    check_one("opener", "opened a listener", "opens_a_listener");
}

WEFT_ASYNC(opens_and_closes_listeners)
{
    weft_listener *listener;

    EQUAL(weft_await(opens_a_listener(&listener)), 0);
    EQUAL(weft_listener_close(listener), 0);
    EQUAL(weft_await(opens_a_listener(&listener)), 0);
    weft_listener_free(listener);
    return 0;
}

IN_LOOP(listeners_that_were_closed_or_freed_are_not_told)
{
    if (!watches()) {
        return;
    }
    run_and_close(opens_and_closes_listeners());
    SILENT();
}

WEFT_ASYNC(opens_an_endpoint, (weft_datagram_transport **, ret))
{
    weft_address any;

    EQUAL(weft_address_parse("127.0.0.1", 0, &any), 0);
    return weft_loop_create_datagram_endpoint(NULL, &deaf_datagrams, NULL, &any, NULL, NULL, ret);
}

IN_LOOP(a_datagram_endpoint_that_is_not_closed)
{
    weft_datagram_transport *endpoint;

    if (!watches()) {
        return;
    }
    run_and_close(opens_an_endpoint(&endpoint));
    check_one("opener", "opened a datagram endpoint", "opens_an_endpoint");
}

WEFT_ASYNC(opens_and_closes_endpoints)
{
    weft_datagram_transport *endpoint;

    EQUAL(weft_await(opens_an_endpoint(&endpoint)), 0);
    EQUAL(weft_datagram_transport_abort(endpoint), 0);
    EQUAL(weft_await(opens_an_endpoint(&endpoint)), 0);
    return weft_datagram_transport_close(endpoint);
}

IN_LOOP(datagram_endpoints_that_were_closed_are_not_told)
{
    if (!watches()) {
        return;
    }
    run_and_close(opens_and_closes_endpoints());
    SILENT();
}

/* ---- processes ---- */

static weft_process *process;

WEFT_ASYNC(runs_a_process)
{
    static const char *const argv[] = { "true", NULL };

    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), 0);
    return weft_process_wait(process);
}

IN_LOOP(a_process_that_is_not_freed_is_told_also_when_it_has_ended)
{
    char words[40];

    run_and_close(runs_a_process());
    check_one("opener", "opened a process", "runs_a_process");
    snprintf(words, sizeof words, "number %d", (int)weft_process_pid(process));
    SAME(told.others[0].what, words);
    EQUAL(weft_process_free(process), 0);
}

WEFT_ASYNC(runs_and_frees_processes)
{
    EQUAL(weft_await(runs_a_process()), 0);
    EQUAL(weft_process_free(process), 0);
    EQUAL(weft_await(runs_a_process()), 0);
    return weft_process_detach(process);
}

IN_LOOP(processes_that_were_freed_or_let_go_are_not_told)
{
    run_and_close(runs_and_frees_processes());
    SILENT();
}

/* ---- the report ---- */

static void opens_by_callback(void *ends)
{
    EQUAL(weft_stream_pair(0, ends), 0);
}

WEFT_ASYNC(lets_a_callback_open, (weft_stream **, ends))
{
    EQUAL(weft_loop_call_soon(NULL, opens_by_callback, ends, NULL), 0);
    weft_sleep(0);
    weft_sleep(0);
    return weft_stream_close(ends[0]);
}

IN_LOOP(what_a_callback_opened_is_nobodys)
{
    weft_stream *ends[2];

    run_and_close(lets_a_callback_open(ends));
    check_one(NULL, "a stream, opened by no task", "opens_by_callback");
}

WEFT_ASYNC(opens_many, (int, count))
{
    weft_stream *ends[2];

    for (int i = 0; i < count; i++) {
        EQUAL(weft_stream_pair(0, ends), 0);
        EQUAL(weft_stream_close(ends[i % 2]), 0);
    }
    return 0;
}

IN_LOOP(of_many_some_are_told_and_all_are_counted)
{
    run_and_close(opens_many(100));
    EQUAL(told.count, 1);
    SAME(told.message, "100 things are not closed when the loop closes");
    EQUAL(told.others_count, 64);
}

IN_LOOP(nothing_is_told_unless_it_is_asked_for)
{
    watch_for("1,-leaks");
    EQUAL(run(opens_many(2)), 0);
    close_loop();
    SILENT();
}

IN_LOOP(what_was_opened_before_the_switch_is_not_known)
{
    EQUAL(run(opens_many(1)), 0);
    watch_closes();
    EQUAL(run(opens_many(1)), 0);
    EQUAL(weft_debug_set(loop, "0"), 0);
    EQUAL(weft_debug_set(loop, "leaks"), 0);
    close_loop();
    SILENT();
}

static weft_stream *left[2];

static void closes_them(weft_loop *from, const weft_report *report, void *arg)
{
    (void)arg;
    EQUAL(weft_stream_close(left[0]), 0);
    EQUAL(weft_stream_close(left[1]), 0);
    EQUAL(weft_debug_set(from, "0"), 0);
    debug_keep(from, report, NULL);
}

IN_LOOP(who_hears_of_it_may_close_them_and_switch_it_off)
{
    watch_closes();
    EQUAL(weft_loop_set_exception_handler(loop, closes_them, NULL), 0);
    EQUAL(run(runs(opens_a_pair(left))), 0);
    close_loop();
    EQUAL(told.count, 1);
    EQUAL(told.others_count, 2);
    SAME(told.others[1].task_name, "opener");
}

static int prints_a_list(void)
{
    weft_loop *made = NULL;
    weft_stream *ends[2];

    EQUAL(weft_loop_new(backend(), &made), 0);
    EQUAL(weft_debug_set(made, "leaks,made"), 0);
    EQUAL(weft_loop_run_until_complete(made, opens_a_pair(ends)), 0);
    EQUAL(weft_loop_close(made), 0);
    return 0;
}

ALONE(a_list_reads_like_this)
{
    char text[4000];

    EQUAL(in_child(prints_a_list, text, sizeof text), 0);
    CHECK(strstr(text, "weft: 2 things are not closed when the loop closes\n"
                       "        task 'Task-") == text);
    CHECK(strstr(text, "' opened a stream, by ") != NULL);
}

/* ---- faults ---- */

/* So many that the map grows; some are left. */
WEFT_ASYNC(opens_streams_in_debug_mode)
{
    weft_stream *ends[2];

    tried(weft_debug_set(NULL, "leaks,made"));
    for (int i = 0; i < 40; i++) {
        if (tried(weft_stream_pair(0, ends)) == 0 && i % 10) {
            tried(weft_stream_close(ends[0]));
        }
    }
    return 0;
}

static int opens_streams(void)
{
    return run_in_loop(opens_streams_in_debug_mode());
}

EACH_FAULT_WHILE_IT(opens_streams)

static CU_TestInfo tests[] = {
    TEST(a_stream_that_is_not_closed),
    TEST(streams_that_were_closed_or_aborted_are_not_told),
    TEST(a_stream_is_told_with_its_descriptor),
    TEST(a_server_that_is_not_closed),
    TEST(a_server_that_was_closed_with_its_clients_is_not_told),
    TEST(a_transport_that_is_not_closed),
    TEST(transports_that_ended_are_not_told),
    TEST(a_listener_that_is_not_closed),
    TEST(listeners_that_were_closed_or_freed_are_not_told),
    TEST(a_datagram_endpoint_that_is_not_closed),
    TEST(datagram_endpoints_that_were_closed_are_not_told),
    TEST(a_process_that_is_not_freed_is_told_also_when_it_has_ended),
    TEST(processes_that_were_freed_or_let_go_are_not_told),
    TEST(what_a_callback_opened_is_nobodys),
    TEST(of_many_some_are_told_and_all_are_counted),
    TEST(nothing_is_told_unless_it_is_asked_for),
    TEST(what_was_opened_before_the_switch_is_not_known),
    TEST(who_hears_of_it_may_close_them_and_switch_it_off),
    TEST(a_list_reads_like_this),
    TEST(each_fault_while_it_opens_streams),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_unclosed, tests)
