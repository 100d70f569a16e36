/* SPDX-License-Identifier: MIT
 * What networks say that no test can bring into such a state, and systems that are short of
 * something: faults of the system calls, which come back as they are. */
#include "tests/task/fault.h"
#include "tests/task/scratch.h"
#include "tests/task/transport.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static weft_address here(int port)
{
    weft_address address;

    EQUAL(weft_address_parse("127.0.0.1", port, &address), 0);
    return address;
}

/* A socket that listens, and its address. */
static int listener(weft_address *ret_address)
{
    int fd = weft_socket(AF_INET, SOCK_STREAM, 0);

    *ret_address = here(0);
    EQUAL(bind(fd, &ret_address->sockaddr, ret_address->length), 0);
    EQUAL(listen(fd, 8), 0);
    EQUAL(getsockname(fd, &ret_address->sockaddr, &ret_address->length), 0);
    return fd;
}

/* Streams. */

static weft_address there;

static int connects(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = weft_connect(fd, &there.sockaddr, there.length);

    EQUAL(weft_close(fd), 0);
    return r;
}

static int connects_to_a_host(void)
{
    int fd = -1, r = weft_connect_host("127.0.0.1", weft_address_port(&there), NULL, &fd);

    if (r == 0) {
        EQUAL(weft_close(fd), 0);
    }
    return r;
}

WATCHED(a_network_that_leads_nowhere_is_told)
{
    int fd = listener(&there);
    weft_stream *stream = NULL;

    HANDS_ON(-EHOSTUNREACH, connects());
    HANDS_ON(-ETIMEDOUT, connects());
    HANDS_ON(-ETIMEDOUT, connects_to_a_host());
    EQUAL(weft_close(fd), 0);
    EQUAL(weft_open_connection("127.0.0.1", weft_address_port(&there), NULL, &stream),
          -ECONNREFUSED);
    CHECK(!stream);
}

WATCHED(a_system_without_descriptors_accepts_nobody_and_keeps_who_comes)
{
    int fd = listener(&there), client = weft_socket(AF_INET, SOCK_STREAM, 0), accepted;

    EQUAL(weft_connect(client, &there.sockaddr, there.length), 0);
    HANDS_ON(-ENFILE, weft_accept(fd, NULL, NULL));
    accepted = weft_accept(fd, NULL, NULL);
    CHECK(accepted >= 0);
    EQUAL(weft_close(client), 0);
    EQUAL(weft_close(accepted), 0);
    EQUAL(weft_close(fd), 0);
}

WATCHED(a_peer_that_has_reset_takes_nothing)
{
    struct linger at_once = { .l_onoff = 1 };
    int fds[2];

    open_pair(PAIR_TCP, fds);
    EQUAL(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    EQUAL(close(fds[1]), 0);
    EQUAL(weft_send(fds[0], "x", 1, 0), -ECONNRESET);
    EQUAL(weft_send(fds[0], "x", 1, 0), -EPIPE); /* it is told once */
    EQUAL(weft_close(fds[0]), 0);
}

static int watches_a_pipe(void)
{
    int ends[2], r;

    EQUAL(pipe(ends), 0);
    r = weft_loop_add_reader(loop, ends[0], noted, NULL);
    if (r == 0) {
        EQUAL(weft_loop_remove_reader(loop, ends[0]), 1);
    }
    EQUAL(close(ends[0]), 0);
    EQUAL(close(ends[1]), 0);
    return r;
}

WATCHED(a_system_that_watches_no_more_says_so)
{
    HANDS_ON(-ENOSPC, watches_a_pipe());
}

/* Servers. */

WEFT_ASYNC(serves, (weft_stream *, stream), (void *, user))
{
    (void)stream, (void)user;
    return 0;
}

/* An error that does not name the address is another one. */
static int with_words(int r)
{
    return r < 0 && !strstr(weft_error_detail(), "bind 127.0.0.1") ? 0 : r;
}

static int starts_a_server(void)
{
    weft_server *server = NULL;
    int r = weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &server);

    if (r == 0) {
        EQUAL(weft_server_close(server), 0);
    }
    return with_words(r);
}

static int creates_a_server(void)
{
    weft_listener *made = NULL;
    int r = weft_loop_create_server(NULL, &noting, NULL, "127.0.0.1", 0, NULL, &made);

    weft_listener_free(made);
    return with_words(r);
}

WATCHED(a_port_that_is_forbidden_is_told)
{
    HANDS_ON(-EACCES, starts_a_server());
    HANDS_ON(-EACCES, creates_a_server());
}

/* What is forbidden, by the modes of files. */

WEFT_ASYNC(is_forbidden)
{
    const char *path = scratch("secret/socket");
    weft_address address;
    weft_datagram *socket = NULL;
    weft_server *server = NULL;
    weft_transport *transport = NULL;
    weft_notify *notify = NULL;

    EQUAL(weft_address_unix(path, &address), 0);
    EQUAL(weft_datagram_open(&address, NULL, NULL, &socket), -EACCES);
    EQUAL(weft_notify_new(&notify), 0);
    EQUAL(weft_notify_add(notify, path, NULL), -EACCES);
    weft_notify_free(notify);
    if (watches()) {
        EQUAL(weft_start_unix_server(serves, NULL, path, NULL, &server), -EACCES);
        EQUAL(weft_loop_create_unix_connection(NULL, &noting, NULL, path, &transport), -EACCES);
    }
    CHECK(!socket && !server && !transport);
    return 0;
}

static weft_coro *forbidden(void)
{
    return is_forbidden();
}

ALONE(a_path_that_is_forbidden_is_told)
{
    EQUAL(mkdir(scratch("secret"), 0000), 0);
    without_rights(forbidden);
    EQUAL(rmdir(scratch("secret")), 0);
}

/* Datagrams. */

static int makes_one_of_a_socket(void)
{
    weft_datagram *made = NULL;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = weft_datagram_from_fd(fd, &made);

    if (r == 0) {
        weft_datagram_close(made);
    } else {
        EQUAL(close(fd), 0);
    }
    return r;
}

IN_TASK(datagrams_need_memory_and_a_family)
{
    weft_datagram *made = NULL;
    weft_address odd = { .family = 250, .length = sizeof(struct sockaddr) };

    HANDS_ON(-ENOMEM, makes_one_of_a_socket());
    EQUAL(weft_datagram_open(&odd, NULL, NULL, &made), -EAFNOSUPPORT);
    CHECK(!made);
}

WATCHED(errors_of_datagrams_are_told_and_the_socket_goes_on)
{
    weft_datagram *socket = NULL;
    weft_datagram_error_info info;
    weft_address local = here(0), own;
    char byte = 0;

    EQUAL(weft_datagram_open(&local, NULL, NULL, &socket), 0);
    EQUAL(weft_datagram_sockname(socket, &own), 0);
    HANDS_ON(-ENETUNREACH, weft_datagram_sendto(socket, "x", 1, &own));
    EQUAL(weft_datagram_sendto(socket, "y", 1, &own), 1);
    HANDS_ON(-ENOMEM, weft_datagram_recvfrom(socket, &byte, 1, NULL));
    EQUAL(weft_datagram_recvfrom(socket, &byte, 1, NULL), 1);
    EQUAL(byte, 'y');
    weft_datagram_close(socket);
    EQUAL(weft_datagram_error(socket, &info), -ESRCH);
}

WEFT_ASYNC(receives, (weft_datagram *, socket))
{
    char byte;

    return (int)weft_datagram_recvfrom(socket, &byte, 1, NULL);
}

IN_TASK(who_receives_is_told_of_the_close_and_of_a_backend_that_cannot_wait)
{
    weft_datagram *socket = NULL;
    weft_address local = here(0);
    weft_task *task;

    EQUAL(weft_datagram_open(&local, NULL, NULL, &socket), 0);
    task = weft_create_task(receives(socket), NULL);
    give_way(2);
    weft_datagram_close(socket);
    EQUAL(weft_await(task), watches() ? -EBADF : -EOPNOTSUPP);
}

/* An endpoint that has to keep what does not fit. */

static weft_datagram_transport *endpoint;
static weft_address full;

static int sends_to_the_full(void)
{
    return weft_datagram_transport_sendto(endpoint, "x", 1, &full);
}

WATCHED(an_endpoint_without_memory_keeps_nothing)
{
    static const weft_datagram_protocol none = { .size = sizeof none };
    weft_address name;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    EQUAL(weft_address_unix("", &name), 0);
    EQUAL(bind(fd, &name.sockaddr, name.length), 0);
    full = (weft_address){ .length = sizeof full.storage };
    EQUAL(getsockname(fd, &full.sockaddr, &full.length), 0);
    full.family = AF_UNIX;
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &none, NULL, &name, NULL, NULL, &endpoint), 0);
    while (weft_datagram_transport_get_write_buffer_size(endpoint) == 0) {
        EQUAL(sends_to_the_full(), 0);
    }
    HANDS_ON(-ENOMEM, sends_to_the_full());
    EQUAL(weft_datagram_transport_abort(endpoint), 0);
    give_way(3);
    EQUAL(close(fd), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_network_that_leads_nowhere_is_told),
    TEST(a_system_without_descriptors_accepts_nobody_and_keeps_who_comes),
    TEST(a_peer_that_has_reset_takes_nothing),
    TEST(a_system_that_watches_no_more_says_so),
    TEST(a_port_that_is_forbidden_is_told),
    TEST(a_path_that_is_forbidden_is_told),
    TEST(datagrams_need_memory_and_a_family),
    TEST(errors_of_datagrams_are_told_and_the_socket_goes_on),
    TEST(who_receives_is_told_of_the_close_and_of_a_backend_that_cannot_wait),
    TEST(an_endpoint_without_memory_keeps_nothing),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(network_errors, tests)
