/* SPDX-License-Identifier: MIT
 * Servers and listeners at the border of the system: errors of accept(2), those of one connection
 * and others, and names that lead to an address twice. */
#include "tests/task/names.h"
#include "tests/task/refuse.h"
#include "tests/task/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static const int passed_over[] = {
    EINTR,     ECONNABORTED, EPROTO,       ENETDOWN,    ENOPROTOOPT,
    EHOSTDOWN, ENONET,       EHOSTUNREACH, ENETUNREACH,
};
#define PASSED_OVER ((int)(sizeof passed_over / sizeof *passed_over))

static weft_server *server;
static int served;

WEFT_ASYNC(serve, (weft_stream *, peer), (void *, user))
{
    char c;

    (void)user;
    served++;
    return (int)weft_stream_read(peer, &c, 1);
}

static void start(void)
{
    served = 0;
    EQUAL(weft_start_server(serve, NULL, "127.0.0.1", 0, NULL, &server), 0);
}

static weft_stream *connect_to(int port)
{
    weft_stream *stream = NULL;

    EQUAL(weft_open_connection("127.0.0.1", port, NULL, &stream), 0);
    return stream;
}

/* Waits until calls were refused, or for five seconds. */
static void until_refused(int least)
{
    for (int i = 0; i < 5000 && refused < least; i++) {
        weft_sleep(0.001);
    }
    CHECK(refused >= least);
}

WATCHED(a_server_passes_over_connections_that_failed)
{
    weft_stream *client;

    start();
    refuse(passed_over, PASSED_OVER);
    client = connect_to(weft_server_port(server));
    UNTIL(served, 1);
    EQUAL(refused, PASSED_OVER);
    EQUAL(reports_left(), 0);
    EQUAL(weft_stream_close(client), 0);
    EQUAL(weft_server_close(server), 0);
}

WATCHED(a_listener_passes_over_connections_that_failed)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;
    weft_stream *client;

    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", 0, NULL, &listener), 0);
    refuse(passed_over, PASSED_OVER);
    client = connect_to(weft_listener_port(listener));
    UNTIL(seen.made, 1);
    EQUAL(refused, PASSED_OVER);
    EQUAL(reports_left(), 0);
    EQUAL(weft_stream_close(client), 0);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
}

/* Stands in a listener's queue, and is reset when that closes. */
static int knock_at(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EQUAL(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static int heard; /* reports */

/* A descriptor that was watched and closed without telling weft: its number is another file's. */
static void leave_a_number(void)
{
    int fds[2];

    EQUAL(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    EQUAL(weft_loop_add_reader(NULL, fds[0], count_up, &heard), 0);
    close(fds[1]);
    close(fds[0]);
}

WATCHED(listeners_and_what_they_accept_may_have_numbers_that_were_others)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;
    int fd;

    leave_a_number();
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", 0, NULL, &listener), 0);
    fd = knock_at(weft_listener_port(listener));
    leave_a_number();
    UNTIL(seen.made, 1);
    EQUAL(reports_left(), 0);
    close(fd);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
}

/* Whoever hears that nobody can be accepted may free the listener, and start another. */

static struct seen first, second;
static weft_listener *the_listener;

static void start_again(weft_loop *on, const weft_report *report, void *unused)
{
    (void)on, (void)unused;
    heard++;
    EQUAL(report->status, -EMFILE);
    the_listener = weft_listener_free(the_listener);
    refuse(NULL, 0);
    EQUAL(weft_loop_create_server(NULL, &noting, &second, "127.0.0.1", 0, NULL, &the_listener), 0);
}

WATCHED(a_listener_may_be_freed_when_it_reports)
{
    weft_stream *client;
    double began;
    int fd;

    heard = 0;
    first = second = (struct seen){ .quiet = true };
    EQUAL(weft_loop_create_server(NULL, &noting, &first, "127.0.0.1", 0, NULL, &the_listener), 0);
    EQUAL(weft_loop_set_exception_handler(NULL, start_again, NULL), 0);
    refuse_always(EMFILE);
    fd = knock_at(weft_listener_port(the_listener));
    UNTIL(heard, 1);
    close(fd);
    EQUAL(weft_loop_set_exception_handler(NULL, keep_report, NULL), 0);
    began = weft_loop_time(NULL);
    client = connect_to(weft_listener_port(the_listener));
    UNTIL(second.made, 1);
    CHECK(weft_loop_time(NULL) - began < 0.5); /* the rest was the other one's */
    EQUAL(first.made, 0);
    EQUAL(weft_stream_close(client), 0);
    UNTIL(second.lost, 1);
    weft_listener_free(the_listener);
}

/* Who hears it of a server stands in the task that accepts, which cannot wait for its own end. */

static int closing;

static void close_from_within(weft_loop *on, const weft_report *report, void *unused)
{
    (void)on, (void)unused, (void)report;
    heard++;
    closing = weft_server_close(server);
    EQUAL(weft_server_drain(server, 1), -EDEADLK);
    EQUAL(weft_server_stop(server), 0);
}

WATCHED(a_server_cannot_be_closed_by_the_task_that_accepts)
{
    int fd;

    heard = 0;
    start();
    EQUAL(weft_loop_set_exception_handler(NULL, close_from_within, NULL), 0);
    refuse_always(EMFILE);
    fd = knock_at(weft_server_port(server));
    UNTIL(heard, 1);
    EQUAL(weft_loop_set_exception_handler(NULL, keep_report, NULL), 0);
    EQUAL(closing, -EDEADLK);
    EQUAL(weft_server_serve_forever(server), 0); /* it was stopped */
    close(fd);
    EQUAL(weft_server_close(server), 0);
    refuse(NULL, 0);
}

WATCHED(a_call_passes_over_connections_that_failed)
{
    int listening = weft_socket(AF_INET, SOCK_STREAM, 0), client, accepted;
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t length = sizeof at;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EQUAL(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    EQUAL(listen(listening, 1), 0);
    EQUAL(getsockname(listening, (struct sockaddr *)&at, &length), 0);
    client = weft_socket(AF_INET, SOCK_STREAM, 0);
    EQUAL(weft_connect(client, (struct sockaddr *)&at, length), 0);
    refuse_always(EPERM);
    EQUAL(weft_accept(listening, NULL, NULL), -EPERM);
    refuse(passed_over, PASSED_OVER);
    accepted = weft_accept(listening, NULL, NULL);
    CHECK(accepted >= 0);
    EQUAL(refused, PASSED_OVER);
    EQUAL(weft_close(accepted), 0);
    EQUAL(weft_close(client), 0);
    EQUAL(weft_close(listening), 0);
}

WATCHED(what_a_firewall_refuses_is_told_once_and_nobody_spins)
{
    weft_stream *client;

    start();
    refuse_always(EPERM);
    client = connect_to(weft_server_port(server));
    until_refused(1);
    weft_sleep(0.01);
    EQUAL(refused, 1); /* it rests */
    EQUAL(next_report()->status, -EPERM);
    EQUAL(served, 0);
    refuse(NULL, 0);
    UNTIL(served, 1); /* and goes on after a second */
    EQUAL(weft_stream_close(client), 0);
    EQUAL(weft_server_close(server), 0);
}

/* How connecting comes out to where a socket listens, or listened. */
static int try_to_connect(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 ? -errno : 0;

    close(fd);
    return r;
}

WATCHED(a_socket_that_accepts_no_more_is_closed_and_others_go_on)
{
    struct sockaddr_in at[2];
    int fds[2];

    know("two.test", 0, "127.0.0.1 127.0.0.2");
    served = 0;
    EQUAL(weft_start_server(serve, NULL, "two.test", 0, NULL, &server), 0);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = weft_server_socket(server, i);
        EQUAL(getsockname(fds[i], (struct sockaddr *)&at[i], &(socklen_t){ sizeof *at }), 0);
    }
    refuse((int[]){ EINVAL }, 1); /* the first one's, whose task begins now */
    until_refused(1);
    EQUAL(next_report()->status, -EINVAL);
    CHECK(weft_server_is_serving(server));
    EQUAL(weft_server_socket(server, 0), -ENOENT);
    EQUAL(weft_server_port(server), ntohs(at[1].sin_port));
    EQUAL(fcntl(fds[0], F_GETFD), -1);
    EQUAL(try_to_connect(&at[0]), -ECONNREFUSED);
    EQUAL(try_to_connect(&at[1]), 0);
    UNTIL(served, 1);
    EQUAL(weft_server_close(server), 0);
    forget_names();
}

WATCHED(a_number_that_is_no_servers_any_more_is_left_alone)
{
    static const int errors[] = { EBADF, ENOTSOCK, EOPNOTSUPP };

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int fd;

        start();
        fd = weft_server_socket(server, 0);
        refuse(&errors[i], 1);
        until_refused(1);
        EQUAL(next_report()->status, -errors[i]);
        EQUAL(weft_server_socket(server, 0), -ENOENT);
        EQUAL(weft_server_close(server), 0);
        CHECK(fcntl(fd, F_GETFD) >= 0); /* whoever has it now keeps it */
        EQUAL(weft_close(fd), 0);
    }
}

WATCHED(an_address_that_is_found_twice_is_listened_at_once)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;
    weft_address at;
    int port;

    know("twice.test", 0, "127.0.0.1 127.0.0.1");
    EQUAL(weft_start_server(serve, NULL, "twice.test", 0, NULL, &server), 0);
    port = weft_server_port(server);
    EQUAL(weft_server_socket(server, 1), -ENOENT);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "twice.test", port, NULL, &listener), 0);
    EQUAL(weft_listener_port(listener), port);
    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    EQUAL(weft_listener_sockname(listener, 1, &at), -ENOENT);
    weft_listener_free(listener);
    forget_names();
}

static CU_TestInfo tests[] = {
    TEST(a_server_passes_over_connections_that_failed),
    TEST(a_listener_passes_over_connections_that_failed),
    TEST(listeners_and_what_they_accept_may_have_numbers_that_were_others),
    TEST(a_listener_may_be_freed_when_it_reports),
    TEST(a_server_cannot_be_closed_by_the_task_that_accepts),
    TEST(a_call_passes_over_connections_that_failed),
    TEST(what_a_firewall_refuses_is_told_once_and_nobody_spins),
    TEST(a_socket_that_accepts_no_more_is_closed_and_others_go_on),
    TEST(a_number_that_is_no_servers_any_more_is_left_alone),
    TEST(an_address_that_is_found_twice_is_listened_at_once),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(accept, tests)
