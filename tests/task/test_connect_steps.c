/* SPDX-License-Identifier: MIT
 * Connecting, cancelled at every step and while each allocation and system call fails once:
 * sockets, streams to numbers, names and Unix sockets. */
#include "tests/task/fault.h"
#include "tests/task/names.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILL 2 /* more than a queue of none has room for */

static struct sockaddr_in here;
static int listener;

static void listen_here(int backlog)
{
    socklen_t length = sizeof here;

    here = (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EQUAL(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    EQUAL(listen(listener, backlog), 0);
    EQUAL(getsockname(listener, (struct sockaddr *)&here, &length), 0);
}

/* How many stand in the queue, who leave it by that. */
static int accept_all(int fd)
{
    int count = 0, accepted;

    while ((accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        close(accepted);
        count++;
    }
    return count;
}

/* ---- a socket ---- */

/* To somebody who is there, and to somebody who does not answer for two milliseconds. */
WEFT_ASYNC(connects)
{
    const struct sockaddr *to = (struct sockaddr *)&here;
    int fds[FILL + 1], r = 0;
    weft_timeout limit;

    listen_here(0);
    for (int i = 0; i <= FILL; i++) {
        fds[i] = weft_socket(AF_INET, SOCK_STREAM, 0);
    }
    r = weft_sleep(0.0005);
    for (int i = 0; i <= FILL && r == 0; i++) {
        r = weft_timeout_enter(&limit, 0.002);
        r = weft_timeout_exit(&limit, r < 0 ? r : weft_connect(fds[i], to, sizeof here));
        CHECK(r != -ETIMEDOUT || i > 0);
        r = r == -ETIMEDOUT && i > 0 ? 0 : r;
    }
    for (int i = 0; i <= FILL; i++) {
        EQUAL(weft_close(fds[i]), 0);
    }
    close(listener);
    return r;
}

/* ---- a Unix socket whose queue is full for a while ---- */

static struct sockaddr_un unix_here;
static socklen_t unix_length;

static void listen_unix(void)
{
    unix_here = (struct sockaddr_un){ .sun_family = AF_UNIX };
    unix_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                              (size_t)snprintf(unix_here.sun_path, sizeof unix_here.sun_path,
                                               "%cweft-steps-%d", 0, (int)getpid()));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EQUAL(bind(listener, (struct sockaddr *)&unix_here, unix_length), 0);
    EQUAL(listen(listener, 0), 0);
}

static int accepted_later;

WEFT_ASYNC(accepts_later)
{
    int r = weft_sleep(0.0022);

    accepted_later = accept_all(listener);
    return r;
}

/* Who was told that it is connected is in the queue or was accepted, and nobody else. */
WEFT_ASYNC(connects_to_unix)
{
    const struct sockaddr *to = (struct sockaddr *)&unix_here;
    weft_task *task;
    weft_shield shield;
    int fds[2], connected = 0, r = 0;

    listen_unix();
    accepted_later = 0;
    task = weft_create_task(accepts_later(), NULL);
    for (int i = 0; i < 2; i++) {
        fds[i] = weft_socket(AF_UNIX, SOCK_STREAM, 0);
        r = r < 0 ? r : weft_connect(fds[i], to, unix_length);
        connected += r == 0;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(accepted_later + accept_all(listener), connected);
    for (int i = 0; i < 2; i++) {
        EQUAL(weft_close(fds[i]), 0);
    }
    close(listener);
    return r;
}

/* ---- streams ---- */

/* Opens one, says something, and closes it; NULL: to the Unix socket. */
static int open_and_close(const char *host)
{
    weft_stream *stream = NULL;
    char path[sizeof unix_here.sun_path + 1];
    int r, closed;

    if (host) {
        r = weft_open_connection(host, ntohs(here.sin_port), NULL, &stream);
    } else {
        snprintf(path, sizeof path, "@%s", unix_here.sun_path + 1);
        r = weft_open_unix_connection(path, NULL, &stream);
    }
    CHECK((r == 0) == (stream != NULL));
    if (r == 0) {
        ssize_t n = weft_stream_write(stream, "hello", 5);

        CHECK(n == 5 || n < 0);
        r = n < 0 ? (int)n : 0;
        closed = weft_stream_close(stream);
        EQUAL(closed, 0); /* nothing was queued */
    }
    return r;
}

static int open_twice(const char *host)
{
    int r;

    listen_here(4);
    r = weft_sleep(0.0005);
    r = r < 0 ? r : open_and_close(host);
    r = r < 0 ? r : open_and_close(host);
    close(listener);
    return r;
}

WEFT_ASYNC(opens_a_number)
{
    return open_twice("127.0.0.1");
}

WEFT_ASYNC(opens_a_name)
{
    return open_twice("both.test");
}

WEFT_ASYNC(opens_a_unix_socket)
{
    int r;

    listen_unix();
    r = weft_sleep(0.0005);
    r = r < 0 ? r : open_and_close(NULL);
    accept_all(listener);
    r = r < 0 ? r : open_and_close(NULL);
    close(listener);
    return r;
}

/* ---- names, by the threads for that ---- */

WEFT_ASYNC(looks_up)
{
    weft_addrinfo *info = NULL;
    weft_address address;
    weft_nameinfo name = { .host = "" };
    int r = weft_getaddrinfo("both.test", "80", NULL, &info);

    CHECK((r == 0) == (info != NULL));
    weft_addrinfo_free(info);
    EQUAL(weft_address_parse("127.0.0.1", 80, &address), 0);
    r = r < 0 ? r : weft_getnameinfo(&address, NI_NUMERICSERV, &name);
    CHECK((r == 0) == (*name.host != '\0'));
    return r;
}

/* Those that serve at a name look it up, too. */

static weft_coro *says_nothing(weft_stream *peer, void *user)
{
    (void)peer, (void)user;
    return gives(0);
}

static const weft_protocol silent = { .size = sizeof silent };

WEFT_ASYNC(serves_a_name)
{
    weft_server *server = NULL;
    weft_listener *other = NULL;
    weft_transport *transport = NULL;
    int r = weft_start_server(says_nothing, NULL, "both.test", 0, NULL, &server);

    CHECK((r == 0) == (server != NULL));
    r = r < 0 ? r : weft_loop_create_server(NULL, &silent, NULL, "both.test", 0, NULL, &other);
    if (r == 0) {
        r = weft_loop_create_connection(NULL, &silent, NULL, "both.test", weft_listener_port(other),
                                        NULL, &transport);
    }
    if (transport) {
        weft_transport_abort(transport);
    }
    weft_listener_abort_clients(other);
    weft_listener_free(other);
    weft_server_close(server);
    weft_sleep(0);
    return r;
}

/* A thread whose answer nobody waits for may outlive the loop, but not the process's threads. */
static int threads_before;

static void await_all_threads(void)
{
    await_threads(threads_before);
}

static void with_threads(step_scenario *scenario, const char *name)
{
    static const int allowed[] = { 0, -ECANCELED };

    if (WEFT__TSAN) {
        return; /* it is not told when threads end that nobody joins */
    }
    threads_before = threads();
    know("both.test", 0, "127.0.0.1 ::1");
    step_settle = await_all_threads;
    at_every_step(scenario, name, allowed, 2);
    step_settle = NULL;
    forget_names();
}

/* ---- tests ---- */

ALONE(a_cancel_at_any_step_of_a_connect_leaves_the_socket)
{
    WHERE_THERE_ARE_DESCRIPTORS(connects);
}

ALONE(a_cancelled_connect_to_a_full_unix_socket_has_not_connected)
{
    WHERE_THERE_ARE_DESCRIPTORS(connects_to_unix);
}

ALONE(a_cancel_at_any_step_of_opening_leaves_nothing)
{
    WHERE_THERE_ARE_DESCRIPTORS(opens_a_number);
    WHERE_THERE_ARE_DESCRIPTORS(opens_a_unix_socket);
}

ALONE(a_cancel_at_any_step_of_opening_a_name_leaves_nothing)
{
    if (watches()) {
        with_threads(opens_a_name, "opens_a_name");
        with_threads(serves_a_name, "serves_a_name");
    }
}

ALONE(a_cancel_at_any_step_of_a_lookup_leaves_nothing)
{
    with_threads(looks_up, "looks_up");
}

/* ---- faults ---- */

static int opens_streams(void)
{
    int r = 0;

    if (watches()) {
        r = run_in_loop(opens_a_number());
        tried(r);
    }
    return r;
}

static int opens_unix_streams(void)
{
    int r = 0;

    if (watches()) {
        r = run_in_loop(opens_a_unix_socket());
        tried(r);
    }
    return r;
}

EACH_FAULT_WHILE_IT(opens_streams)
EACH_FAULT_WHILE_IT(opens_unix_streams)

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_of_a_connect_leaves_the_socket),
    TEST(a_cancelled_connect_to_a_full_unix_socket_has_not_connected),
    TEST(a_cancel_at_any_step_of_opening_leaves_nothing),
    TEST(a_cancel_at_any_step_of_opening_a_name_leaves_nothing),
    TEST(a_cancel_at_any_step_of_a_lookup_leaves_nothing),
    TEST(each_fault_while_it_opens_streams),
    TEST(each_fault_while_it_opens_unix_streams),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(connect_steps, tests)
