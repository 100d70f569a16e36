/* SPDX-License-Identifier: MIT
 * Datagrams: one and many, their errors, groups, Unix sockets. */
#include "core/sched/loop.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static weft_address at(const char *host, int port)
{
    weft_address address = { .length = 0 };

    EQUAL(weft_address_parse(host, port, &address), 0);
    return address;
}

static weft_datagram *open_at(const char *host, const weft_datagram_options *options)
{
    weft_datagram *socket = NULL;
    weft_address here = at(host, 0);

    EQUAL(weft_datagram_open(&here, NULL, options, &socket), 0);
    return socket;
}

static weft_address address_of(weft_datagram *socket)
{
    weft_address address = { .length = 0 };

    EQUAL(weft_datagram_sockname(socket, &address), 0);
    return address;
}

static bool has_ip6(void)
{
    weft_address six = at("::1", 0);
    weft_datagram *socket = NULL;
    int r = weft_datagram_open(&six, NULL, NULL, &socket);

    weft_datagram_close(socket);
    return r == 0;
}

WATCHED(a_datagram_arrives_whole_with_its_senders_address)
{
    for (int six = 0; six < (has_ip6() ? 2 : 1); six++) {
        const char *host = six ? "::1" : "127.0.0.1";
        weft_datagram *a = open_at(host, NULL), *b = open_at(host, NULL);
        weft_address to = address_of(b), own = address_of(a), from;
        char data[8] = "";

        CHECK(weft_datagram_port(a) > 0);
        EQUAL(weft_address_port(&own), weft_datagram_port(a));
        EQUAL(weft_datagram_sendto(a, "one", 3, &to), 3);
        EQUAL(weft_datagram_sendto(a, NULL, 0, &to), 0);
        EQUAL(weft_datagram_sendto(a, "two", 3, &to), 3);
        EQUAL(weft_datagram_recvfrom(b, data, sizeof data, &from), 3);
        EQUAL(memcmp(data, "one", 3), 0);
        CHECK(weft_address_equal(&from, &own));
        EQUAL(weft_datagram_recvfrom(b, data, sizeof data, &from), 0); /* empty ones count */
        EQUAL(weft_datagram_recv(b, data, sizeof data), 3);
        EQUAL(memcmp(data, "two", 3), 0);
        a = weft_datagram_close(a);
        weft_datagram_close(b);
    }
}

WATCHED(one_that_is_too_long_for_its_room_is_cut_and_says_so)
{
    weft_datagram *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    weft_address to = address_of(b);
    char data[4] = "", room[3];
    weft_datagram_item item = { room, sizeof room, 0, NULL };

    for (int i = 0; i < 3; i++) {
        EQUAL(weft_datagram_sendto(a, "longer", 6, &to), 6);
    }
    EQUAL(weft_datagram_recv(b, data, sizeof data), 6);
    EQUAL(memcmp(data, "long", 4), 0);
    EQUAL(weft_datagram_recvmany(b, &item, 1), 1);
    EQUAL(item.length, 6);
    EQUAL(weft_datagram_recv(b, NULL, 0), 6);
    EQUAL(weft_datagram_sendto(a, "next", 4, &to), 4);
    EQUAL(weft_datagram_recv(b, data, sizeof data), 4); /* the rest was not left behind */
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WEFT_ASYNC(receives, (weft_datagram *, socket), (char *, room))
{
    return (int)weft_datagram_recv(socket, room, 4);
}

WATCHED(each_of_several_receivers_gets_one)
{
    weft_datagram *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    weft_address to = address_of(b);
    char rooms[4][4] = { "" };
    weft_task *tasks[4];

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(receives(b, rooms[i]), NULL);
    }
    weft_sleep(0.001);
    EQUAL(weft_task_cancel(tasks[1]), 0);
    EQUAL(weft_await(tasks[1]), -ECANCELED);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_datagram_sendto(a, &"abc"[i], 1, &to), 1);
    }
    EQUAL(weft_await(tasks[0]), 1);
    EQUAL(weft_await(tasks[2]), 1);
    EQUAL(weft_await(tasks[3]), 1);
    EQUAL(rooms[0][0] + rooms[2][0] + rooms[3][0], 'a' + 'b' + 'c');
    EQUAL(rooms[1][0], 0);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WATCHED(closing_wakes_whoever_waits)
{
    weft_datagram *b = open_at("127.0.0.1", NULL);
    char room[4];
    weft_task *task = weft_create_task(receives(b, room), NULL);

    weft_sleep(0.001);
    CHECK(weft_datagram_close(b) == NULL);
    EQUAL(weft_await(task), -EBADF);
    CHECK(weft_datagram_close(b) == NULL);
    EQUAL(weft_datagram_recv(b, room, 4), -ESRCH);
    EQUAL(weft_datagram_fileno(b), -ESRCH);
    EQUAL(weft_datagram_port(b), 0);
}

WATCHED(a_deadline_ends_the_wait_and_loses_nothing)
{
    weft_datagram *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    weft_address to = address_of(b);
    char room[4];

    EQUAL(weft_wait_for(receives(b, room), 0.002), -ETIMEDOUT);
    EQUAL(weft_datagram_sendto(a, "x", 1, &to), 1);
    EQUAL(weft_wait_for(receives(b, room), 5), 1);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

/* Sockets with a peer. */

WATCHED(a_socket_with_a_peer_hears_nobody_else)
{
    weft_datagram *a = open_at("127.0.0.1", NULL), *other = open_at("127.0.0.1", NULL), *b = NULL;
    weft_address peer = address_of(a), to, got;
    char room[8];

    EQUAL(weft_datagram_peername(a, &got), -ENOTCONN);
    EQUAL(weft_datagram_send(a, "x", 1), -EDESTADDRREQ);
    EQUAL(weft_datagram_open(NULL, &peer, NULL, &b), 0);
    EQUAL(weft_datagram_peername(b, &got), 0);
    CHECK(weft_address_equal(&got, &peer));
    to = address_of(b);
    EQUAL(weft_datagram_sendto(other, "spam", 4, &to), 4);
    EQUAL(weft_datagram_send(b, "question", 8), 8);
    EQUAL(weft_datagram_recvfrom(a, room, sizeof room, &got), 8);
    CHECK(weft_address_equal(&got, &to));
    EQUAL(weft_datagram_sendto(a, "answer", 6, &got), 6);
    EQUAL(weft_datagram_recv(b, room, sizeof room), 6);
    weft_datagram_close(a);
    weft_datagram_close(b);
    weft_datagram_close(other);
}

/* An address at which nobody listens. */
static weft_address nobody(void)
{
    weft_datagram *gone = open_at("127.0.0.1", NULL);
    weft_address address = address_of(gone);

    weft_datagram_close(gone);
    return address;
}

WATCHED(a_peer_that_is_not_there_is_refused_once_and_the_socket_goes_on)
{
    weft_address peer = nobody();
    weft_datagram *b = NULL, *a = NULL;
    char room[8];

    EQUAL(weft_datagram_open(NULL, &peer, NULL, &b), 0);
    EQUAL(weft_datagram_send(b, "x", 1), 1);
    EQUAL(weft_datagram_recv(b, room, sizeof room), -ECONNREFUSED);
    EQUAL(weft_datagram_open(&peer, NULL, NULL, &a), 0); /* now it is */
    EQUAL(weft_datagram_send(b, "y", 1), 1);
    EQUAL(weft_datagram_recv(a, room, sizeof room), 1);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WATCHED(reports_of_the_network_are_kept_where_asked_for)
{
    weft_datagram *a = open_at("127.0.0.1", &(weft_datagram_options){ .errors = true });
    weft_address to = nobody();
    weft_datagram_error_info info;
    char room[8];

    EQUAL(weft_datagram_error(a, &info), -EAGAIN);
    EQUAL(weft_datagram_sendto(a, "x", 1, &to), 1);
    EQUAL(weft_datagram_recv(a, room, sizeof room), -ECONNREFUSED);
    EQUAL(weft_datagram_error(a, &info), 0);
    EQUAL(info.error, -ECONNREFUSED);
    CHECK(weft_address_equal(&info.to, &to));
    EQUAL(info.by.family, AF_INET);
    EQUAL(weft_datagram_error(a, &info), -EAGAIN);
    EQUAL(weft_datagram_error(a, NULL), -EINVAL);
    to = address_of(a);
    EQUAL(weft_datagram_sendto(a, "y", 1, &to), 1); /* and it goes on */
    EQUAL(weft_datagram_recv(a, room, sizeof room), 1);
    weft_datagram_close(a);
}

/* Which many backends say is something to read, as long as they are there. */
WATCHED(reports_that_nobody_takes_make_nobody_spin)
{
    weft_datagram *a = open_at("127.0.0.1", &(weft_datagram_options){ .errors = true });
    weft_address to = nobody();
    weft_timeout limit;
    char room[8];
    uint32_t looks;

    EQUAL(weft_datagram_sendto(a, "x", 1, &to), 1);
    EQUAL(weft_datagram_recv(a, room, sizeof room), -ECONNREFUSED);
    looks = weft__running->looks;
    EQUAL(weft_timeout_enter(&limit, 0.05), 0);
    EQUAL(weft_timeout_exit(&limit, (int)weft_datagram_recv(a, room, sizeof room)), -ETIMEDOUT);
    CHECK(weft__running->looks - looks < 400);
    to = address_of(a);
    EQUAL(weft_datagram_sendto(a, "y", 1, &to), 1); /* what comes is received all the same */
    EQUAL(weft_datagram_recv(a, room, sizeof room), 1);
    weft_datagram_close(a);
}

IN_TASK(unix_sockets_have_no_reports_and_keep_their_datagrams)
{
    weft_datagram *a = NULL, *b = NULL;
    weft_datagram_error_info info;
    weft_address any, own;
    char byte = 0;

    EQUAL(weft_address_unix("", &any), 0);
    EQUAL(weft_datagram_open(&any, NULL, NULL, &a), 0);
    own = address_of(a);
    EQUAL(weft_datagram_open(NULL, &own, NULL, &b), 0);
    EQUAL(weft_datagram_send(b, "z", 1), 1);
    EQUAL(weft_datagram_error(a, &info), -EAGAIN);
    EQUAL(weft_datagram_recv(a, &byte, 1), 1);
    EQUAL(byte, 'z');
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WATCHED(what_is_too_large_is_refused)
{
    static char large[70000];
    weft_datagram *a = open_at("127.0.0.1", NULL);
    weft_address to = address_of(a), broadcast = at("255.255.255.255", 9);

    EQUAL(weft_datagram_sendto(a, large, sizeof large, &to), -EMSGSIZE);
    EQUAL(weft_datagram_sendto(a, large, 65507, &to), 65507);
    EQUAL(weft_datagram_recv(a, large, sizeof large), 65507);
    EQUAL(weft_datagram_sendto(a, "x", 1, &broadcast), -EACCES);
    weft_datagram_close(a);
    a = open_at("0.0.0.0", &(weft_datagram_options){ .allow_broadcast = true });
    CHECK(weft_datagram_sendto(a, "x", 1, &broadcast) != -EACCES);
    weft_datagram_close(a);
}

/* Batches. */

#define MANY 100

WATCHED(batches_are_sent_and_received_in_order)
{
    static char data[MANY][4], rooms[MANY][4];
    weft_datagram_item out[MANY], in[MANY];
    weft_address from[MANY], to, own;
    weft_datagram *a = open_at("127.0.0.1", NULL);
    weft_datagram *b = open_at("127.0.0.1", &(weft_datagram_options){ .receive_buffer = 1 << 20 });
    int sent = 0, got = 0, r;

    to = address_of(b);
    own = address_of(a);
    for (int i = 0; i < MANY; i++) {
        memcpy(data[i], &i, 4);
        out[i] = (weft_datagram_item){ data[i], 4, 0, &to };
        in[i] = (weft_datagram_item){ rooms[i], 4, 0, &from[i] };
    }
    while (sent < MANY) {
        r = weft_datagram_sendmany(a, out + sent, MANY - sent);
        CHECK(r >= 1 && r <= WEFT_DATAGRAM_BATCH);
        sent += r > 0 ? r : MANY;
    }
    while (got < MANY) {
        r = weft_datagram_recvmany(b, in + got, MANY - got);
        CHECK(r >= 1 && r <= WEFT_DATAGRAM_BATCH);
        got += r > 0 ? r : MANY;
    }
    for (int i = 0; i < MANY; i++) {
        EQUAL(in[i].length, 4);
        EQUAL(memcmp(rooms[i], data[i], 4), 0);
        CHECK(weft_address_equal(&from[i], &own));
    }
    EQUAL(weft_datagram_recvmany(b, NULL, 1), -EINVAL);
    EQUAL(weft_datagram_recvmany(b, in, 0), -EINVAL);
    EQUAL(weft_datagram_sendmany(a, out, 0), -EINVAL);
    in[0].data = NULL;
    EQUAL(weft_datagram_recvmany(b, in, 1), -EINVAL);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WEFT_ASYNC(receives_many, (weft_datagram *, socket), (weft_datagram_item *, items), (int, count))
{
    return weft_datagram_recvmany(socket, items, count);
}

WATCHED(a_batch_waits_for_its_first_alone)
{
    char rooms[3][4];
    weft_datagram_item in[3];
    weft_datagram *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    weft_address to = address_of(b);
    weft_task *task;

    for (int i = 0; i < 3; i++) {
        in[i] = (weft_datagram_item){ rooms[i], 4, 0, NULL };
    }
    task = weft_create_task(receives_many(b, in, 3), NULL);
    weft_sleep(0.001);
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_datagram_sendto(a, "x", 1, &to), 1);
    EQUAL(weft_datagram_sendto(a, "yz", 2, &to), 2);
    EQUAL(weft_await(task), 2);
    EQUAL(in[0].length, 1);
    EQUAL(in[1].length, 2);
    task = weft_create_task(receives_many(b, in, 3), NULL);
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

WATCHED(what_was_sent_before_an_error_is_counted)
{
    static char large[70000];
    weft_datagram *a = open_at("127.0.0.1", NULL);
    weft_address to = address_of(a);
    weft_datagram_item out[2] = { { large, 1, 0, &to }, { large, sizeof large, 0, &to } };

    EQUAL(weft_datagram_sendmany(a, out, 2), 1);
    EQUAL(weft_datagram_sendmany(a, out + 1, 1), -EMSGSIZE);
    weft_datagram_close(a);
}

/* Unix. */

WATCHED(unix_datagrams_wait_for_room)
{
    weft_datagram *a = NULL, *b = NULL;
    weft_address empty, from, own;
    char room[16];
    weft_task *task;
    int sent = 0;

    EQUAL(weft_address_unix("", &empty), 0);
    EQUAL(weft_datagram_open(&empty, NULL, NULL, &a), 0);
    own = address_of(a);
    CHECK(own.length > sizeof(sa_family_t)); /* the system has given it a name */
    EQUAL(weft_datagram_open(&empty, &own, NULL, &b), 0);
    while (send(weft_datagram_fileno(b), "x", 1, MSG_DONTWAIT) == 1) {
        sent++;
    }
    EQUAL(errno, EAGAIN);
    task = weft_create_task(receives(a, room), NULL);
    EQUAL(weft_datagram_send(b, "last", 4), 4); /* goes when one was taken */
    EQUAL(weft_await(task), 1);
    for (int i = 1; i < sent; i++) {
        EQUAL(weft_datagram_recv(a, room, sizeof room), 1);
    }
    EQUAL(weft_datagram_recvfrom(a, room, sizeof room, &from), 4);
    own = address_of(b);
    CHECK(weft_address_equal(&from, &own));
    weft_datagram_close(a);
    EQUAL(weft_datagram_send(b, "x", 1), -ECONNREFUSED);
    weft_datagram_close(b);
}

WATCHED(a_pair_of_sockets_is_taken_over)
{
    weft_datagram *a = NULL, *b = NULL;
    weft_address from;
    char room[8];
    int fds[2], streams[2];

    EQUAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    EQUAL(weft_datagram_from_fd(fds[0], &a), 0);
    EQUAL(weft_datagram_from_fd(fds[1], &b), 0);
    EQUAL(weft_datagram_fileno(a), fds[0]);
    EQUAL(weft_datagram_send(a, "hello", 5), 5);
    EQUAL(weft_datagram_recvfrom(b, room, sizeof room, &from), 5);
    EQUAL(from.family, AF_UNIX); /* it has no name */
    weft_datagram_close(a);
    weft_datagram_close(b);
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams), 0);
    EQUAL(weft_datagram_from_fd(streams[0], &a), -EPROTOTYPE);
    EQUAL(weft_datagram_from_fd(-1, &a), -EBADF);
    EQUAL(weft_datagram_from_fd(streams[0], NULL), -EINVAL);
    close(streams[0]);
    close(streams[1]);
}

/* Groups. */

WATCHED(members_of_a_group_hear_what_is_sent_to_it)
{
    weft_datagram_options shared = { .reuse_address = true };
    weft_address any = at("0.0.0.0", 0), group = at("239.255.77.1", 0);
    weft_datagram *members[2] = { NULL, NULL }, *sender = open_at("127.0.0.1", NULL);
    char room[8];

    EQUAL(weft_datagram_open(&any, NULL, &shared, &members[0]), 0);
    any = address_of(members[0]);
    EQUAL(weft_datagram_open(&any, NULL, &shared, &members[1]), 0);
    group = at("239.255.77.1", weft_datagram_port(members[0]));
    EQUAL(weft_datagram_join(members[0], &group, "no-such-link"), -ENODEV);
    EQUAL(weft_datagram_join(members[0], &any, "lo"), -EINVAL);
    EQUAL(weft_datagram_join(members[0], NULL, "lo"), -EINVAL);
    EQUAL(weft_datagram_leave(members[0], &group, "lo"), -EADDRNOTAVAIL);
    EQUAL(weft_datagram_set_multicast(sender, 256, true, "lo"), -EINVAL);
    EQUAL(weft_datagram_set_multicast(sender, 0, true, "no-such-link"), -ENODEV);
    EQUAL(weft_datagram_set_multicast(sender, 0, true, "lo"), 0);
    for (int i = 0; i < 2; i++) {
        EQUAL(weft_datagram_join(members[i], &group, "lo"), 0);
    }
    EQUAL(weft_datagram_join(members[0], &group, "lo"), -EADDRINUSE);
    EQUAL(weft_datagram_sendto(sender, "all", 3, &group), 3);
    for (int i = 0; i < 2; i++) {
        EQUAL(weft_datagram_recv(members[i], room, sizeof room), 3);
    }
    EQUAL(weft_datagram_leave(members[0], &group, "lo"), 0);
    weft_datagram_close(members[0]);
    weft_datagram_close(members[1]);
    weft_datagram_close(sender);
}

/* What is refused. */

WATCHED(an_address_in_use_is_an_error_with_words)
{
    weft_datagram *a = open_at("127.0.0.1", NULL), *b = NULL;
    weft_address here = address_of(a);
    char words[60];

    EQUAL(weft_datagram_open(&here, NULL, NULL, &b), -EADDRINUSE);
    snprintf(words, sizeof words, "cannot bind 127.0.0.1:%d", weft_datagram_port(a));
    SAME(weft_error_detail(), words);
    weft_datagram_close(a);
    EQUAL(weft_datagram_open(&here, NULL, &(weft_datagram_options){ .reuse_port = true }, &a), 0);
    EQUAL(weft_datagram_open(&here, NULL, &(weft_datagram_options){ .reuse_port = true }, &b), 0);
    weft_datagram_close(a);
    weft_datagram_close(b);
}

IN_TASK(bad_input_is_refused)
{
    weft_address four = at("127.0.0.1", 1), six = at("::1", 1), named;
    weft_datagram *a = NULL;
    char room[4];

    EQUAL(weft_address_unix("/nowhere/at/all", &named), 0);
    EQUAL(weft_datagram_open(NULL, NULL, NULL, &a), -EINVAL);
    EQUAL(weft_datagram_open(&four, &six, NULL, &a), -EINVAL);
    EQUAL(weft_datagram_open(&four, NULL, NULL, NULL), -EINVAL);
    EQUAL(weft_datagram_open(NULL, &named, NULL, &a), -ENOENT);
    EQUAL(weft_datagram_open(&four, NULL, &(weft_datagram_options){ .send_buffer = -1 }, &a),
          -EINVAL);
    EQUAL(weft_datagram_recv(NULL, room, 4), -EINVAL);
    CHECK(a == NULL);
    a = open_at("127.0.0.1", NULL);
    EQUAL(weft_datagram_recv(a, NULL, 4), -EINVAL);
    EQUAL(weft_datagram_sendto(a, NULL, 4, &four), -EINVAL);
    EQUAL(weft_datagram_sockname(a, NULL), -EINVAL);
    if (!watches()) {
        EQUAL(weft_datagram_recv(a, room, 4), -EOPNOTSUPP);
    }
    weft_datagram_close(a);
}

static void ask_in_callback(void *socket)
{
    char room[4];

    EQUAL(weft_datagram_recv(socket, room, 4), -EPERM);
    EQUAL(weft_datagram_send(socket, "x", 1), -EPERM);
}

IN_TASK(only_a_task_may_wait)
{
    weft_datagram *a = open_at("127.0.0.1", NULL);

    EQUAL(weft_loop_call_soon(NULL, ask_in_callback, a, NULL), 0);
    weft_sleep(0);
    weft_datagram_close(a);
}

static CU_TestInfo tests[] = {
    TEST(a_datagram_arrives_whole_with_its_senders_address),
    TEST(one_that_is_too_long_for_its_room_is_cut_and_says_so),
    TEST(each_of_several_receivers_gets_one),
    TEST(closing_wakes_whoever_waits),
    TEST(a_deadline_ends_the_wait_and_loses_nothing),
    TEST(a_socket_with_a_peer_hears_nobody_else),
    TEST(a_peer_that_is_not_there_is_refused_once_and_the_socket_goes_on),
    TEST(reports_of_the_network_are_kept_where_asked_for),
    TEST(reports_that_nobody_takes_make_nobody_spin),
    TEST(unix_sockets_have_no_reports_and_keep_their_datagrams),
    TEST(what_is_too_large_is_refused),
    TEST(batches_are_sent_and_received_in_order),
    TEST(a_batch_waits_for_its_first_alone),
    TEST(what_was_sent_before_an_error_is_counted),
    TEST(unix_datagrams_wait_for_room),
    TEST(a_pair_of_sockets_is_taken_over),
    TEST(members_of_a_group_hear_what_is_sent_to_it),
    TEST(an_address_in_use_is_an_error_with_words),
    TEST(bad_input_is_refused),
    TEST(only_a_task_may_wait),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(datagram, tests)
