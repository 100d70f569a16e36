/* SPDX-License-Identifier: MIT
 * Datagram sockets and endpoints between names. */
#include "tests/task/fault.h"
#include "tests/task/names.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

typedef const weft_datagram_names *ends;

static weft_datagram *open_names(ends names)
{
    weft_datagram *socket = NULL;

    EQUAL(weft_datagram_open_host(names, NULL, &socket), 0);
    return socket;
}

static weft_address own_of(weft_datagram *socket)
{
    weft_address own = { .length = 0 };

    EQUAL(weft_datagram_sockname(socket, &own), 0);
    return own;
}

static int fails(ends names)
{
    weft_datagram *socket = NULL;
    int r = weft_datagram_open_host(names, NULL, &socket);

    CHECK(r < 0 && socket == NULL);
    return r;
}

IN_TASK(a_name_is_bound_to_and_sent_to)
{
    weft_datagram_names here = { .local_host = "here.test" };
    weft_datagram_names there = { .remote_host = "here.test" };
    weft_datagram *server, *client;
    weft_address own, peer;

    know("here.test", 0, "127.0.0.1");
    server = open_names(&here);
    own = own_of(server);
    SAME(host_of(&own), "127.0.0.1");
    there.remote_port = weft_datagram_port(server);
    client = open_names(&there);
    EQUAL(weft_datagram_peername(client, &peer), 0);
    CHECK(weft_address_equal(&peer, &own));
    if (watches()) {
        char byte = 0;

        EQUAL(weft_datagram_send(client, "x", 1), 1);
        EQUAL(weft_datagram_recvfrom(server, &byte, 1, &peer), 1);
        EQUAL(weft_datagram_sendto(server, "y", 1, &peer), 1);
        EQUAL(weft_datagram_recv(client, &byte, 1), 1);
        EQUAL(byte, 'y');
    }
    weft_datagram_close(client);
    weft_datagram_close(server);
    forget_names();
}

/* The address of a name that this host has not is passed over. */
IN_TASK(the_first_pair_that_works_is_taken)
{
    weft_datagram_names names = { .local_host = "many.test" };
    weft_datagram *socket;
    weft_address own;

    know("many.test", 0, "198.51.100.1 198.51.100.2 127.0.0.2 127.0.0.1");
    know("two.test", 0, "::1 127.0.0.1");
    socket = open_names(&names);
    own = own_of(socket);
    SAME(host_of(&own), "127.0.0.2");
    weft_datagram_close(socket);

    names.remote_host = "two.test"; /* of which only one is of a family that we have */
    names.remote_port = 9;
    socket = open_names(&names);
    EQUAL(weft_datagram_peername(socket, &own), 0);
    SAME(host_of(&own), "127.0.0.1");
    weft_datagram_close(socket);

    names.local_host = NULL;
    names.family = AF_INET;
    socket = open_names(&names);
    EQUAL(own_of(socket).family, AF_INET);
    weft_datagram_close(socket);
    forget_names();
}

IN_TASK(a_port_alone_is_any_interface_here_and_this_host_there)
{
    weft_datagram_names names = { .family = AF_INET, .remote_port = 9 };
    weft_datagram *socket = open_names(&names);
    weft_address address;
    int port;

    EQUAL(weft_datagram_peername(socket, &address), 0);
    SAME(host_of(&address), "127.0.0.1");
    port = weft_datagram_port(socket);
    weft_datagram_close(socket);

    names = (weft_datagram_names){ .family = AF_INET, .local_port = port };
    socket = open_names(&names);
    address = own_of(socket);
    SAME(host_of(&address), "0.0.0.0");
    EQUAL(weft_datagram_port(socket), port);
    weft_datagram_close(socket);
}

IN_TASK(the_error_is_the_first_ones)
{
    weft_datagram_names names = { .local_host = "far.test", .local_port = 5 };

    know("far.test", 0, "198.51.100.1 198.51.100.2");
    know("six.test", 0, "::1");
    EQUAL(fails(&names), -EADDRNOTAVAIL);
    SAME(weft_error_detail(), "cannot bind 198.51.100.1:5");
    names.remote_host = "six.test";
    names.remote_port = 9;
    EQUAL(fails(&names), -EAFNOSUPPORT);
    SAME(weft_error_detail(), "'far.test' and 'six.test' have no addresses of the same family");
    names.family = AF_INET6;
    EQUAL(fails(&names), -ENODATA);
    names.local_host = "nowhere.test";
    names.family = 0;
    know("nowhere.test", EAI_NONAME, "");
    EQUAL(fails(&names), -ENOENT);
    CHECK(strstr(weft_error_detail(), "nowhere.test"));
    forget_names();
}

IN_TASK(what_makes_no_sense_is_refused)
{
    weft_datagram_names names = { .local_host = NULL };

    EQUAL(fails(NULL), -EINVAL);
    EQUAL(fails(&names), -EINVAL);
    names.remote_host = "127.0.0.1";
    EQUAL(fails(&names), -EINVAL); /* at which port? */
    names.remote_port = 65536;
    EQUAL(fails(&names), -EINVAL);
    names.remote_port = 9;
    names.local_port = -1;
    EQUAL(fails(&names), -EINVAL);
    names.local_port = 0;
    EQUAL(weft_datagram_open_host(&names, NULL, NULL), -EINVAL);
}

static void open_in_callback(void *unused)
{
    weft_datagram_names names = { .local_host = "127.0.0.1" };

    (void)unused;
    EQUAL(fails(&names), -EPERM);
    EQUAL(weft_loop_create_datagram_endpoint_host(
              NULL, &(weft_datagram_protocol){ .size = sizeof(weft_datagram_protocol) }, NULL,
              &names, NULL, NULL),
          -EPERM);
}

IN_TASK(only_a_task_waits_for_names)
{
    EQUAL(weft_loop_call_soon(NULL, open_in_callback, NULL, NULL), 0);
    weft_sleep(0);
}

WEFT_ASYNC(opens_slowly, (ends, names))
{
    weft_datagram *socket = NULL;
    int r = weft_datagram_open_host(names, NULL, &socket);

    weft_datagram_close(socket);
    return r;
}

WEFT_ASYNC(gives_one_up, (struct gate *, gate))
{
    weft_datagram_names names = { .local_host = "127.0.0.1",
                                  .remote_host = "slow.test",
                                  .remote_port = 9 };
    weft_task *task = weft_create_task(opens_slowly(&names), NULL);

    weft_sleep(0);
    gate_await_came(gate, 1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    gate_open(gate);
    return 0;
}

IN_LOOP(a_name_that_is_never_answered_can_be_given_up)
{
    struct gate gate = GATE;
    int before = threads();

    if (WEFT__TSAN) {
        return; /* it is not told when threads end that nobody joins */
    }
    know_slow("slow.test", &gate, 0, "127.0.0.1");
    EQUAL(run(gives_one_up(&gate)), 0);
    close_loop();
    await_threads(before);
    forget_names();
}

/* ---- endpoints ---- */

struct heard {
    int made, count, lost;
    weft_address from;
};

static void made(weft_datagram_transport *transport, void *self)
{
    (void)transport;
    ((struct heard *)self)->made++;
}

static void received(weft_datagram_transport *transport, const void *data, size_t size,
                     const weft_address *from, void *self)
{
    struct heard *heard = self;

    if (size == 1 && *(const char *)data == '?') {
        EQUAL(weft_datagram_transport_sendto(transport, "!", 1, from), 0);
    }
    heard->from = *from;
    heard->count++;
}

static void lost(weft_datagram_transport *transport, int error, void *self)
{
    (void)transport;
    EQUAL(error, 0);
    ((struct heard *)self)->lost++;
}

static const weft_datagram_protocol answering = { .size = sizeof answering,
                                                  .connection_made = made,
                                                  .datagram_received = received,
                                                  .connection_lost = lost };

WATCHED(endpoints_find_each_other_by_name)
{
    weft_datagram_names names = { .local_host = "here.test" };
    struct heard server = { .made = 0 }, client = { .made = 0 };
    weft_datagram_transport *at, *from;
    weft_address own, any;

    know("here.test", 0, "127.0.0.1");
    EQUAL(weft_loop_create_datagram_endpoint_host(NULL, &answering, &server, &names, NULL, &at), 0);
    EQUAL(server.made, 1);
    EQUAL(weft_datagram_transport_sockname(at, &own), 0);
    names = (weft_datagram_names){ .remote_host = "here.test",
                                   .remote_port = weft_address_port(&own) };
    EQUAL(weft_loop_create_datagram_endpoint_host(loop, &answering, &client, &names, NULL, &from),
          0);
    EQUAL(weft_address_parse("127.0.0.1", 1, &any), 0);
    EQUAL(weft_datagram_transport_sendto(from, "?", 1, &any), -EISCONN);
    EQUAL(weft_datagram_transport_sendto(from, "?", 1, &own), 0);
    UNTIL(client.count, 1);
    CHECK(weft_address_equal(&client.from, &own));
    EQUAL(weft_datagram_transport_close(from), 0);
    EQUAL(weft_datagram_transport_close(at), 0);
    UNTIL(client.lost, 1);
    UNTIL(server.lost, 1);
    forget_names();
}

IN_TASK(without_a_protocol_or_descriptors_there_is_no_endpoint)
{
    weft_datagram_names names = { .local_host = "127.0.0.1" };

    EQUAL(weft_loop_create_datagram_endpoint_host(NULL, NULL, NULL, &names, NULL, NULL), -EINVAL);
    if (!watches()) {
        EQUAL(weft_loop_create_datagram_endpoint_host(NULL, &answering, NULL, &names, NULL, NULL),
              -EOPNOTSUPP);
    }
}

/* ---- cancels and faults ---- */

static int take(void *arg, void **ret_self)
{
    (void)arg, (void)ret_self;
    step_balance++;
    begun();
    return 0;
}

static void give_back(weft_datagram_transport *transport, int error, void *self)
{
    (void)transport, (void)error, (void)self;
    step_balance--;
    ended(NULL);
}

static const weft_datagram_protocol balanced = { .size = sizeof balanced,
                                                 .factory = take,
                                                 .connection_lost = give_back };

WEFT_ASYNC(opens)
{
    weft_datagram_names names = { .local_host = "here.test",
                                  .remote_host = "two.test",
                                  .remote_port = 9 };
    weft_datagram_transport *transport = NULL;
    weft_datagram *socket = NULL;
    int r = weft_datagram_open_host(&names, NULL, &socket);

    tried(r);
    CHECK((r == 0) == (socket != NULL));
    weft_datagram_close(socket);
    if (r == 0 && watches()) {
        r = tried(weft_loop_create_datagram_endpoint_host(NULL, &balanced, NULL, &names, NULL,
                                                          &transport));
        CHECK((r == 0) == (transport != NULL));
    }
    if (transport) {
        weft_datagram_transport_close(transport);
        weft_sleep(0); /* also where it is cancelled others have a turn */
    }
    return r;
}

static int threads_before;

static void await_all_threads(void)
{
    await_threads(threads_before);
}

static weft_coro *opens_by_name(void)
{
    return opens();
}

ALONE(a_cancel_at_any_step_leaves_nothing_open)
{
    if (WEFT__TSAN) {
        return;
    }
    threads_before = threads();
    know("here.test", 0, "198.51.100.1 127.0.0.1");
    know("two.test", 0, "::1 127.0.0.1");
    step_settle = await_all_threads;
    AT_EVERY_STEP(opens_by_name, 0, -ECANCELED);
    step_settle = NULL;
    forget_names();
}

static int opens_names(void)
{
    int r = run_in_loop(opens());

    await_threads(threads_before);
    return r;
}

ALONE(each_fault_while_it_opens_names)
{
    if (WEFT__TSAN) {
        return;
    }
    threads_before = threads();
    know("here.test", 0, "127.0.0.1");
    know("two.test", 0, "127.0.0.1");
    sweep(opens_names, "opens_names");
    forget_names();
}

static CU_TestInfo tests[] = {
    TEST(a_name_is_bound_to_and_sent_to),
    TEST(the_first_pair_that_works_is_taken),
    TEST(a_port_alone_is_any_interface_here_and_this_host_there),
    TEST(the_error_is_the_first_ones),
    TEST(what_makes_no_sense_is_refused),
    TEST(only_a_task_waits_for_names),
    TEST(a_name_that_is_never_answered_can_be_given_up),
    TEST(endpoints_find_each_other_by_name),
    TEST(without_a_protocol_or_descriptors_there_is_no_endpoint),
    TEST(a_cancel_at_any_step_leaves_nothing_open),
    TEST(each_fault_while_it_opens_names),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(datagram_host, tests)
