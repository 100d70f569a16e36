/* SPDX-License-Identifier: MIT
 * Servers: connections come, are handled, limited, drained, and cancelled. */
#include "core/base/mem.h"
#include "tests/task/net.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static weft_server *server;
static int served, failing;

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
{
    char buffer[256];
    ssize_t n;

    served++;
    if (user) {
        note(user);
    }
    while ((n = weft_stream_read(peer, buffer, sizeof buffer)) > 0) {
        ssize_t r = weft_stream_write(peer, buffer, (size_t)n);

        if (r < 0) {
            return (int)r;
        }
    }
    return failing ? failing : (int)n;
}

static weft_stream *connect_to_server(void)
{
    weft_stream *stream = NULL;

    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream), 0);
    return stream;
}

/* Says something and hears it again. */
static void talk(weft_stream *stream)
{
    char buffer[8];

    EQUAL(weft_stream_write(stream, "hello\n", 6), 6);
    EQUAL(weft_stream_readline(stream, buffer, sizeof buffer), 6);
    EQUAL(memcmp(buffer, "hello\n", 6), 0);
}

static void start(const weft_server_options *options)
{
    served = failing = 0;
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", 0, options, &server), 0);
}

ON_REAL(clients_are_served_side_by_side)
{
    weft_stream *clients[5];

    start(NULL);
    CHECK(weft_server_is_serving(server));
    for (int i = 0; i < 5; i++) {
        clients[i] = connect_to_server();
    }
    for (int i = 4; i >= 0; i--) {
        talk(clients[i]);
    }
    EQUAL(weft_server_clients(server), 5);
    for (int i = 0; i < 5; i++) {
        EQUAL(weft_stream_close(clients[i]), 0);
    }
    EQUAL(weft_server_drain(server, INFINITY), 0);
    EQUAL(weft_server_clients(server), 0);
    CHECK(!weft_server_is_serving(server));
    EQUAL(weft_server_port(server), 0);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_server_close(server), -EBADF);
    EQUAL(weft_server_port(server), -EBADF);
    EQUAL(served, 5);
}

ON_REAL(closing_cancels_the_handlers_and_waits)
{
    weft_stream *client;
    char c;

    start(NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_stream_read(client, &c, 1), 0);
    weft_stream_close(client);
}

ON_REAL(a_drain_has_a_limit)
{
    weft_stream *client;

    start(NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_server_drain(server, 0.005), -ETIMEDOUT);
    EQUAL(weft_server_clients(server), 0);
    EQUAL(weft_server_close(server), 0);
    weft_stream_close(client);
}

ON_REAL(connections_can_be_reset)
{
    weft_stream *client;
    char c;

    start(NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_server_abort_clients(server), 1);
    EQUAL(weft_stream_read(client, &c, 1), -ECONNRESET);
    weft_stream_close(client);
    client = connect_to_server(); /* it goes on accepting */
    talk(client);
    EQUAL(weft_server_close_clients(server), 1);
    EQUAL(weft_stream_read(client, &c, 1), 0);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(only_what_is_open_is_reset)
{
    weft_stream *clients[2];
    char c;

    start(NULL);
    clients[0] = connect_to_server();
    clients[1] = connect_to_server();
    talk(clients[0]);
    talk(clients[1]);
    EQUAL(weft_server_abort_clients(server), 2);
    EQUAL(weft_server_clients(server), 2); /* their handlers have not seen it */
    EQUAL(weft_server_abort_clients(server), 0);
    EQUAL(weft_stream_read(clients[0], &c, 1), -ECONNRESET);
    EQUAL(weft_server_close(server), 0);
    weft_stream_close(clients[0]);
    weft_stream_close(clients[1]);
}

WEFT_ASYNC(serves)
{
    return weft_server_serve_forever(server);
}

ON_REAL(serving_for_ever_ends_with_a_cancel_or_a_stop)
{
    weft_task *task;
    weft_stream *client;

    start(NULL);
    task = weft_create_task(serves(), NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_server_serve_forever(server), -EBUSY);
    EQUAL(weft_server_close(server), -EBUSY);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_server_clients(server), 0);
    EQUAL(weft_server_close(server), 0);
    weft_stream_close(client);

    start(NULL);
    task = weft_create_task(serves(), NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_server_stop(server), 0);
    EQUAL(weft_await(task), 0);
    talk(client); /* connections go on */
    EQUAL(weft_server_serve_forever(server), 0);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
}

WEFT_ASYNC(connects_and_talks)
{
    weft_stream *client = connect_to_server();

    talk(client);
    return weft_stream_close(client);
}

ON_REAL(no_more_clients_than_allowed)
{
    weft_stream *first;
    weft_task *second;

    start(&(weft_server_options){ .max_clients = 1 });
    first = connect_to_server();
    talk(first);
    second = weft_create_task(connects_and_talks(), NULL);
    weft_sleep(0.002);
    EQUAL(served, 1);
    CHECK(!weft_task_done(second));
    weft_stream_close(first);
    EQUAL(weft_await(second), 0);
    EQUAL(served, 2);
    EQUAL(weft_server_close(server), 0);
}

WEFT_ASYNC(says_hello, (weft_stream *, client))
{
    talk(client);
    return 0;
}

/* A port for each family: a client at each. */
ON_REAL(room_is_for_who_comes_at_any_socket)
{
    weft_address second;
    weft_stream *first, *stream;
    weft_task *task;
    int fd;

    served = failing = 0;
    EQUAL(weft_start_server(echo, NULL, NULL, 0, &(weft_server_options){ .max_clients = 1 },
                            &server),
          0);
    second.length = sizeof second.storage;
    fd = weft_server_socket(server, 1);
    if (fd >= 0) { /* else there is no IPv6 here */
        EQUAL(getsockname(fd, &second.sockaddr, &second.length), 0);
        first = connect_to_server();
        talk(first);
        fd = weft_socket(second.sockaddr.sa_family, SOCK_STREAM, 0);
        EQUAL(weft_connect(fd, &second.sockaddr, second.length), 0);
        EQUAL(weft_stream_open_fd(fd, NULL, &stream), 0);
        task = weft_create_task(says_hello(stream), NULL);
        weft_sleep(0.002);
        EQUAL(served, 1);
        weft_stream_close(first);
        EQUAL(weft_wait_for(task, 0.5), 0);
        EQUAL(served, 2);
        weft_stream_close(stream);
    }
    EQUAL(weft_server_close(server), 0);
}

WEFT_ASYNC(keeps, (weft_stream *, peer), (void *, kept))
{
    *(weft_stream **)kept = weft_stream_ref(peer);
    return 0;
}

ON_REAL(a_hold_keeps_the_stream_of_a_handler)
{
    weft_stream *kept = NULL, *client;
    char c;

    EQUAL(weft_start_server(keeps, &kept, "127.0.0.1", 0, NULL, &server), 0);
    client = connect_to_server();
    weft_sleep(0.002);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_stream_write(client, "x", 1), 1);
    EQUAL(weft_stream_read(kept, &c, 1), 1);
    weft_stream_close(kept);
    weft_stream_close(client);
}

WEFT_ASYNC(queues_much, (weft_stream *, peer), (void *, user))
{
    static char block[8000000];
    weft_timeout timeout;

    (void)user;
    EQUAL(weft_timeout_enter(&timeout, 0.001), 0);
    (void)weft_stream_write(peer, block, sizeof block);
    (void)weft_timeout_exit(&timeout, -ECANCELED);
    served++;
    return 0;
}

/* Its handler has returned, but the rest of what it wrote is still to be sent. */
ON_REAL(a_client_that_never_reads_does_not_keep_a_server_from_closing)
{
    weft_stream *client;

    for (int i = 0; i < 2; i++) {
        served = 0;
        EQUAL(weft_start_server(queues_much, NULL, "127.0.0.1", 0, NULL, &server), 0);
        client = connect_to_server();
        while (!served) {
            weft_sleep(0.001);
        }
        give_way(3);
        EQUAL(weft_server_clients(server), 1);
        if (i == 0) {
            EQUAL(weft_server_drain(server, 0.005), -ETIMEDOUT);
        } else {
            EQUAL(weft_server_abort_clients(server), 1);
        }
        EQUAL(weft_server_close(server), 0);
        weft_stream_close(client);
    }
}

WEFT_ASYNC(closes_itself, (weft_stream *, peer), (void *, user))
{
    (void)user;
    EQUAL(weft_server_close(server), -EDEADLK);
    EQUAL(weft_server_drain(server, 1), -EDEADLK);
    EQUAL(weft_stream_write(peer, "bye", 3), 3);
    return weft_stream_close(peer);
}

ON_REAL(a_handler_may_close_its_stream_but_not_its_server)
{
    weft_stream *client;
    char buffer[8];

    EQUAL(weft_start_server(closes_itself, NULL, "127.0.0.1", 0, NULL, &server), 0);
    client = connect_to_server();
    EQUAL(weft_stream_readexactly(client, buffer, 3), 3);
    EQUAL(weft_stream_read(client, buffer, 1), 0);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(a_handler_that_fails_is_told)
{
    weft_stream *client;
    const struct said *said;

    start(NULL);
    failing = -EIO;
    client = connect_to_server();
    talk(client);
    weft_stream_close(client);
    EQUAL(weft_server_drain(server, 1), 0);
    said = next_report();
    EQUAL(said->status, -EIO);
    SAME(said->message, "the handler of a connection failed");
    SAME(said->coro, "echo");
    SAME(said->file, __FILE__);
    CHECK(strncmp(said->what, "its peer is 127.0.0.1:", 22) == 0);
    EQUAL(weft_server_close(server), 0);
    failing = 0;
}

/* A line within a time, however many bytes of it come before. */
WEFT_ASYNC(wants_a_line, (weft_stream *, peer), (void *, late))
{
    char line[4096];
    weft_timeout timeout;
    ssize_t n;
    int r = weft_timeout_enter(&timeout, 0.03);

    if (r < 0) {
        return r;
    }
    n = weft_stream_readline(peer, line, sizeof line);
    r = weft_timeout_exit(&timeout, n < 0 ? (int)n : 0);
    *(int *)late += r == -ETIMEDOUT;
    return r;
}

WEFT_ASYNC(trickles, (weft_stream *, client))
{
    while (weft_stream_write(client, "x", 1) == 1 && weft_sleep(0.002) == 0) {}
    weft_stream_close(client);
    return 0;
}

ON_REAL(who_trickles_is_let_go_when_its_time_is_over)
{
    enum { SLOW = 50 };
    int late = 0;

    EQUAL(weft_start_server(wants_a_line, &late, "127.0.0.1", 0, NULL, &server), 0);
    for (int i = 0; i < SLOW; i++) {
        weft_task_detach(weft_create_task(trickles(connect_to_server()), NULL));
    }
    for (int i = 0; i < 5000 && weft_all_tasks(NULL, NULL, 0) > 2; i++) {
        weft_sleep(0.001); /* the server's task and this one are left */
    }
    EQUAL(weft_all_tasks(NULL, NULL, 0), 2);
    EQUAL(late, SLOW);
    EQUAL(weft_server_clients(server), 0);
    EQUAL(weft_server_close(server), 0);
}

/* Sockets of all kinds. */

ON_REAL(everywhere_is_everywhere)
{
    weft_stream *client;

    EQUAL(weft_start_server(echo, NULL, NULL, 0, NULL, &server), 0);
    CHECK(weft_server_socket(server, 0) >= 0);
    EQUAL(weft_server_socket(server, 9), -ENOENT);
    client = connect_to_server();
    talk(client);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(a_port_that_is_taken_is_an_error)
{
    weft_server *second;
    int port;

    start(&(weft_server_options){ .no_reuse_address = true });
    port = weft_server_port(server);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", port, NULL, &second), -EADDRINUSE);
    CHECK(strstr(weft_error_detail(), "127.0.0.1") != NULL);
    EQUAL(weft_server_close(server), 0);
    start(&(weft_server_options){ .reuse_port = true });
    port = weft_server_port(server);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", port,
                            &(weft_server_options){ .reuse_port = true }, &second),
          0);
    EQUAL(weft_server_close(second), 0);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_start_server(echo, NULL, "192.0.2.1", 0, NULL, &server), -EADDRNOTAVAIL);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", 70000, NULL, &server), -EINVAL);
    EQUAL(weft_start_server(NULL, NULL, "127.0.0.1", 0, NULL, &server), -EINVAL);
}

static char directory[] = "/tmp/weft-server-XXXXXX", path[64];

static void make_directory(void)
{
    strcpy(directory + sizeof directory - 7, "XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/socket", directory);
}

ON_REAL(a_unix_server_has_a_file)
{
    weft_stream *client;
    struct stat is;

    make_directory();
    EQUAL(weft_open_unix_connection(path, NULL, &client), -ENOENT);
    EQUAL(weft_start_unix_server(echo, NULL, path, &(weft_server_options){ .mode = 0600 },
                                 &server),
          0);
    EQUAL(stat(path, &is), 0);
    EQUAL(is.st_mode & 0777, 0600);
    EQUAL(weft_server_port(server), 0);
    EQUAL(weft_open_unix_connection(path, NULL, &client), 0);
    talk(client);
    EQUAL(unlink(path), 0); /* who is connected stays so */
    talk(client);
    weft_stream_close(client);
    EQUAL(weft_open_unix_connection(path, NULL, &client), -ENOENT);
    EQUAL(weft_server_close(server), 0);
    EQUAL(rmdir(directory), 0);
}

ON_REAL(a_file_that_was_left_is_replaced_but_nothing_else)
{
    weft_server *second;
    struct stat is;
    int fd;

    make_directory();
    EQUAL(weft_start_unix_server(echo, NULL, path, &(weft_server_options){ .keep_file = true },
                                 &server),
          0);
    EQUAL(weft_server_close(server), 0);
    EQUAL(stat(path, &is), 0);
    EQUAL(weft_start_unix_server(echo, NULL, path, NULL, &server), 0);
    EQUAL(weft_start_unix_server(echo, NULL, path, NULL, &second), 0); /* takes its place */
    EQUAL(weft_server_close(server), 0);
    EQUAL(stat(path, &is), 0); /* it is the other one's */
    EQUAL(weft_server_close(second), 0);
    EQUAL(stat(path, &is), -1);
    fd = open(path, O_CREAT | O_RDWR, 0600);
    EQUAL(weft_start_unix_server(echo, NULL, path, NULL, &server), -EADDRINUSE);
    close(fd);
    EQUAL(unlink(path), 0);
    EQUAL(rmdir(directory), 0);
    EQUAL(weft_start_unix_server(echo, NULL, "", NULL, &server), -EINVAL);
}

ON_REAL(a_socket_that_listens_already)
{
    int fds[2] = { weft_socket(AF_UNIX, SOCK_STREAM, 0), -1 };
    struct sockaddr nothing = { .sa_family = AF_UNIX };
    weft_address address;
    socklen_t length = sizeof address.storage;
    weft_stream *client;
    char name[WEFT_ADDRESS_TEXT];

    EQUAL(bind(fds[0], &nothing, sizeof(sa_family_t)), 0); /* a name of the system's choice */
    EQUAL(weft_start_server_fd(echo, NULL, fds[0], NULL, &server), -EINVAL);
    EQUAL(listen(fds[0], 4), 0);
    EQUAL(weft_start_server_fd(echo, NULL, fds[0], NULL, &server), 0);
    EQUAL(getsockname(fds[0], &address.sockaddr, &length), 0);
    address.length = length;
    address.family = AF_UNIX;
    CHECK(weft_address_format(&address, name, sizeof name) > 0);
    EQUAL(weft_open_unix_connection(name, NULL, &client), 0);
    talk(client);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_start_server_fd(echo, NULL, -1, NULL, &server), -EBADF);
}

/* Without descriptors. */

static int take_all_descriptors(int *fds, int max)
{
    int n = 0;

    while (n < max && (fds[n] = dup(0)) >= 0) {
        n++;
    }
    return n;
}

WEFT_ASYNC(waits_for_hello, (weft_stream *, client))
{
    char c;

    return (int)weft_stream_read(client, &c, 1);
}

ON_REAL(without_a_descriptor_connections_wait_and_nobody_spins)
{
    struct rlimit limit, low;
    weft_stream *first, *second;
    int fds[400], n;
    weft_task *task;
    const struct said *said;

    start(NULL);
    first = connect_to_server();
    talk(first);
    EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 256;
    EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    n = take_all_descriptors(fds, 400);
    close(fds[--n]); /* for the client's end alone */
    second = connect_to_server();
    EQUAL(weft_stream_write(second, "x", 1), 1);
    task = weft_create_task(waits_for_hello(second), NULL);
    weft_sleep(0.01);
    CHECK(!weft_task_done(task));
    said = next_report();
    EQUAL(said->status, -EMFILE);
    EQUAL(reports_left(), 0); /* said once */
    weft_stream_close(first); /* makes room */
    EQUAL(weft_await(task), 1);
    while (n > 0) {
        close(fds[--n]);
    }
    EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    weft_stream_close(second);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(a_server_without_memory_to_wait_goes_on_after_a_second)
{
    weft_stream *client;

    start(NULL);
    weft__fault_arm(1, -ENOMEM); /* behind the first accept(2) */
    give_way(2);
    CHECK(weft__fault_arm(-1, 0) < 0);
    EQUAL(next_report()->status, -ENOMEM);
    CHECK(weft_server_is_serving(server));
    client = connect_to_server();
    talk(client);
    weft_stream_close(client);
    EQUAL(weft_server_close(server), 0);
}

/* The loop's end. */

static void wait_in_callback(void *unused)
{
    (void)unused;
    EQUAL(weft_server_serve_forever(server), -EPERM);
    EQUAL(weft_server_drain(server, 1), -EPERM);
}

static void stop_in_callback(void *unused)
{
    (void)unused;
    EQUAL(weft_server_close(server), -EPERM); /* it happens, but is not waited for */
    EQUAL(weft_server_close(server), -EBADF);
}

ON_REAL(a_callback_closes_without_waiting)
{
    weft_stream *client;
    char c;

    start(NULL);
    client = connect_to_server();
    talk(client);
    EQUAL(weft_loop_call_soon(NULL, wait_in_callback, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, stop_in_callback, NULL, NULL), 0);
    EQUAL(weft_stream_read(client, &c, 1), 0);
    weft_stream_close(client);
    weft_sleep(0.001);
}

static void *asks_in_a_thread(void *unused)
{
    (void)unused;
    EQUAL(weft_server_port(server), -EXDEV);
    EQUAL(weft_server_close(server), -EXDEV);
    return NULL;
}

ON_REAL(another_thread_keeps_off)
{
    start(NULL);
    in_thread(asks_in_a_thread, NULL);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_server_close(NULL), 0);
    EQUAL(weft_server_port(NULL), -EINVAL);
}

static CU_TestInfo tests[] = {
    TEST(clients_are_served_side_by_side),
    TEST(closing_cancels_the_handlers_and_waits),
    TEST(a_drain_has_a_limit),
    TEST(connections_can_be_reset),
    TEST(only_what_is_open_is_reset),
    TEST(serving_for_ever_ends_with_a_cancel_or_a_stop),
    TEST(no_more_clients_than_allowed),
    TEST(room_is_for_who_comes_at_any_socket),
    TEST(a_hold_keeps_the_stream_of_a_handler),
    TEST(a_client_that_never_reads_does_not_keep_a_server_from_closing),
    TEST(a_handler_may_close_its_stream_but_not_its_server),
    TEST(a_handler_that_fails_is_told),
    TEST(who_trickles_is_let_go_when_its_time_is_over),
    TEST(everywhere_is_everywhere),
    TEST(a_port_that_is_taken_is_an_error),
    TEST(a_unix_server_has_a_file),
    TEST(a_file_that_was_left_is_replaced_but_nothing_else),
    TEST(a_socket_that_listens_already),
    TEST(without_a_descriptor_connections_wait_and_nobody_spins),
    TEST(a_server_without_memory_to_wait_goes_on_after_a_second),
    TEST(a_callback_closes_without_waiting),
    TEST(another_thread_keeps_off),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(server, tests)
