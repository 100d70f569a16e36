/* SPDX-License-Identifier: MIT
 * Datagram endpoints: protocols for datagrams. */
#include "core/sched/loop.h"
#include "tests/task/fault.h"
#include "tests/task/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct heard {
    weft_datagram_transport *transport;
    char got[64];
    weft_address from;
    int made, count, bytes, errors, error, pauses, resumes, lost, lost_by;
    bool quiet;
};

static void say(const struct heard *heard, const char *word)
{
    if (!heard->quiet) {
        note(word);
    }
}

static void made(weft_datagram_transport *transport, void *self)
{
    struct heard *heard = self;

    heard->transport = transport;
    heard->made++;
    say(heard, "made");
    EQUAL(weft_sleep(0), -EPERM);
}

static void received(weft_datagram_transport *transport, const void *data, size_t size,
                     const weft_address *from, void *self)
{
    struct heard *heard = self;

    CHECK(transport == heard->transport);
    memcpy(heard->got, data, size < sizeof heard->got ? size : sizeof heard->got);
    heard->from = *from;
    heard->count++;
    heard->bytes += (int)size;
    say(heard, "datagram");
}

static void error_received(weft_datagram_transport *transport, int error, void *self)
{
    struct heard *heard = self;

    (void)transport;
    heard->errors++;
    heard->error = error;
    say(heard, "error");
}

static void pause_writing(weft_datagram_transport *transport, void *self)
{
    (void)transport;
    ((struct heard *)self)->pauses++;
}

static void resume_writing(weft_datagram_transport *transport, void *self)
{
    (void)transport;
    ((struct heard *)self)->resumes++;
}

static void lost(weft_datagram_transport *transport, int error, void *self)
{
    struct heard *heard = self;

    CHECK(weft_datagram_transport_is_closing(transport));
    heard->lost++;
    heard->lost_by = error;
    say(heard, "lost");
}

static const weft_datagram_protocol hearing = { .size = sizeof hearing,
                                                .connection_made = made,
                                                .datagram_received = received,
                                                .error_received = error_received,
                                                .pause_writing = pause_writing,
                                                .resume_writing = resume_writing,
                                                .connection_lost = lost };

static weft_address any_port(void)
{
    weft_address here = { .length = 0 };

    EQUAL(weft_address_parse("127.0.0.1", 0, &here), 0);
    return here;
}

static weft_datagram_transport *endpoint(struct heard *heard, const weft_address *local,
                                         const weft_address *remote)
{
    weft_datagram_transport *transport = NULL;

    EQUAL(weft_loop_create_datagram_endpoint(NULL, &hearing, heard, local, remote, NULL,
                                             &transport),
          0);
    return transport;
}

static weft_address address_of(weft_datagram_transport *transport)
{
    weft_address own = { .length = 0 };

    EQUAL(weft_datagram_transport_sockname(transport, &own), 0);
    return own;
}

WATCHED(datagrams_come_as_calls_in_their_order)
{
    struct heard a = { .quiet = true }, b = { .quiet = false };
    weft_address here = any_port(), to, own;
    weft_datagram_transport *from = endpoint(&a, &here, NULL), *at = endpoint(&b, &here, NULL);

    HAPPENED("made");
    to = address_of(at);
    own = address_of(from);
    EQUAL(weft_datagram_transport_sendto(from, "one", 3, &to), 0);
    EQUAL(weft_datagram_transport_sendto(from, NULL, 0, &to), 0);
    EQUAL(weft_datagram_transport_sendto(from, "three", 5, &to), 0);
    UNTIL(b.count, 3);
    EQUAL(b.bytes, 8);
    EQUAL(memcmp(b.got, "three", 5), 0);
    CHECK(weft_address_equal(&b.from, &own));
    EQUAL(weft_datagram_transport_sendto(at, "back", 4, &b.from), 0);
    UNTIL(a.count, 1);
    EQUAL(weft_datagram_transport_close(from), 0);
    EQUAL(weft_datagram_transport_close(at), 0);
    EQUAL(weft_datagram_transport_close(at), 0);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &own), -EPIPE);
    HAPPENED("datagram datagram datagram");
    UNTIL(b.lost, 1);
    EQUAL(b.lost_by, 0);
    HAPPENED("lost");
    EQUAL(weft_datagram_transport_close(at), -ESRCH);
    EQUAL(weft_datagram_transport_fileno(at), -ESRCH);
    UNTIL(a.lost, 1);
}

WATCHED(many_are_received_in_batches)
{
    struct heard a = { .quiet = true }, b = { .quiet = true };
    weft_address here = any_port(), to;
    weft_datagram_transport *from = endpoint(&a, &here, NULL), *at = endpoint(&b, &here, NULL);

    to = address_of(at);
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_datagram_transport_sendto(from, "x", 1, &to), 0);
    }
    UNTIL(b.count, 100);
    EQUAL(weft_datagram_transport_abort(from), 0);
    EQUAL(weft_datagram_transport_abort(at), 0);
    UNTIL(a.lost, 1);
    UNTIL(b.lost, 1);
}

WATCHED(errors_are_told_and_the_endpoint_goes_on)
{
    static char large[70000];
    struct heard gone = { .quiet = true }, a = { .quiet = true };
    weft_address here = any_port(), peer;
    weft_datagram_transport *nobody = endpoint(&gone, &here, NULL), *at;

    peer = address_of(nobody);
    EQUAL(weft_datagram_transport_abort(nobody), 0);
    UNTIL(gone.lost, 1);
    at = endpoint(&a, NULL, &peer);
    EQUAL(weft_datagram_transport_sendto(at, large, sizeof large, NULL), 0);
    EQUAL(a.errors, 1); /* from within */
    EQUAL(a.error, -EMSGSIZE);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, NULL), 0);
    UNTIL(a.errors, 2);
    EQUAL(a.error, -ECONNREFUSED);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &peer), 0); /* the peer by its name */
    peer = any_port();
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &peer), -EISCONN);
    EQUAL(a.lost, 0);
    EQUAL(weft_datagram_transport_close(at), 0);
    UNTIL(a.lost, 1);
}

/* As many as there were, and none stays to make the socket ready for ever. */
WATCHED(reports_of_the_network_are_all_told)
{
    weft_datagram_options options = { .errors = true };
    struct heard gone = { .quiet = true }, a = { .quiet = true };
    weft_datagram_transport *at;
    weft_address here = any_port(), nobody, own;
    uint32_t looks;

    at = endpoint(&gone, &here, NULL); /* whose port is nobody's soon */
    nobody = address_of(at);
    EQUAL(weft_datagram_transport_abort(at), 0);
    UNTIL(gone.lost, 1);
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &hearing, &a, &here, NULL, &options, &at), 0);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &nobody), 0);
    UNTIL(a.errors, 1);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &nobody), 0);
    UNTIL(a.errors, 2);
    EQUAL(a.error, -ECONNREFUSED);
    looks = weft__running->looks;
    weft_sleep(0.05);
    CHECK(weft__running->looks - looks < 400);
    EQUAL(a.errors, 2);
    own = address_of(at);
    EQUAL(weft_datagram_transport_sendto(at, "y", 1, &own), 0); /* and it goes on */
    UNTIL(a.count, 1);
    EQUAL(weft_datagram_transport_close(at), 0);
    UNTIL(a.lost, 1);
}

/* Unix sockets take more at once than UDP, and than there is room for. */
WATCHED(what_is_too_large_to_be_received_is_told_and_never_cut)
{
    static char large[100000];
    struct heard a = { .quiet = true };
    weft_datagram_transport *at;
    weft_datagram *from;
    weft_address name, to;

    EQUAL(weft_address_unix("", &name), 0);
    at = endpoint(&a, &name, NULL);
    to = address_of(at);
    EQUAL(weft_datagram_open(NULL, &to, NULL, &from), 0);
    EQUAL(weft_datagram_send(from, large, 65536), 65536);
    EQUAL(weft_datagram_send(from, large, sizeof large), sizeof large);
    EQUAL(weft_datagram_send(from, "x", 1), 1);
    UNTIL(a.count, 2);
    EQUAL(a.bytes, 65537);
    EQUAL(a.errors, 1);
    EQUAL(a.error, -EMSGSIZE);
    weft_datagram_close(from);
    EQUAL(weft_datagram_transport_close(at), 0);
    UNTIL(a.lost, 1);
}

/* A Unix socket whose queue is full. */

WATCHED(what_does_not_fit_is_kept_and_sent_in_order)
{
    struct heard a = { .quiet = true };
    weft_address name, to;
    weft_datagram_transport *at;
    char byte = 0, got[4];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), sent = 0, taken = 0;

    EQUAL(weft_address_unix("", &name), 0);
    EQUAL(bind(fd, &name.sockaddr, name.length), 0);
    to = (weft_address){ .length = sizeof to.storage };
    EQUAL(getsockname(fd, &to.sockaddr, &to.length), 0);
    to.family = AF_UNIX;
    at = endpoint(&a, &name, NULL);
    EQUAL(weft_datagram_transport_set_write_buffer_limits(at, 30, 10), 0);
    EQUAL(weft_datagram_transport_set_write_buffer_limits(at, 1, 2), -EINVAL);
    while (a.pauses == 0 && sent < 1000) {
        byte = (char)sent++;
        EQUAL(weft_datagram_transport_sendto(at, &byte, 1, &to), 0);
    }
    EQUAL(weft_datagram_transport_get_write_buffer_size(at), 36); /* four of nine bytes */
    EQUAL(weft_datagram_transport_close(at), 0);
    for (int i = 0; i < 5000 && taken < sent; i++) {
        while (recv(fd, got, sizeof got, 0) == 1) {
            EQUAL(got[0], (char)taken++);
        }
        weft_sleep(0.0001);
    }
    EQUAL(taken, sent);
    EQUAL(a.resumes, 1);
    UNTIL(a.lost, 1); /* after the last one */
    EQUAL(a.lost_by, 0);
    close(fd);
}

/* A Unix socket that listens to nobody, and an endpoint that has something kept for it. */
static weft_datagram_transport *fill_up(const weft_datagram_protocol *protocol, struct heard *a,
                                        int *ret_fd, weft_address *ret_to)
{
    weft_datagram_transport *at;
    weft_address name;

    *ret_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EQUAL(weft_address_unix("", &name), 0);
    EQUAL(bind(*ret_fd, &name.sockaddr, name.length), 0);
    *ret_to = (weft_address){ .length = sizeof ret_to->storage };
    EQUAL(getsockname(*ret_fd, &ret_to->sockaddr, &ret_to->length), 0);
    ret_to->family = AF_UNIX;
    EQUAL(weft_loop_create_datagram_endpoint(NULL, protocol, a, &name, NULL, NULL, &at), 0);
    EQUAL(weft_datagram_transport_set_write_buffer_limits(at, 20, 10), 0);
    while (a->pauses == 0) {
        EQUAL(weft_datagram_transport_sendto(at, "x", 1, ret_to), 0);
    }
    return at;
}

/* The system says all the time that there is room to write. */
WATCHED(nobody_spins_while_a_queue_is_full)
{
    struct heard a = { .quiet = true };
    weft_address to;
    int fd;
    weft_datagram_transport *at = fill_up(&hearing, &a, &fd, &to);
    uint32_t looks = weft__running->looks;

    weft_sleep(0.05);
    CHECK(weft__running->looks - looks < 400);
    EQUAL(weft_datagram_transport_abort(at), 0);
    UNTIL(a.lost, 1);
    close(fd);
}

static void abort_on_error(weft_datagram_transport *transport, int error, void *self)
{
    error_received(transport, error, self);
    EQUAL(weft_datagram_transport_abort(transport), 0);
}

/* Nothing is resumed that was aborted. */
WATCHED(an_abort_while_it_sends_is_the_end)
{
    static const weft_datagram_protocol aborting = { .size = sizeof aborting,
                                                     .connection_made = made,
                                                     .error_received = abort_on_error,
                                                     .pause_writing = pause_writing,
                                                     .resume_writing = resume_writing,
                                                     .connection_lost = lost };
    struct heard a = { .quiet = true };
    weft_address to;
    int fd;

    (void)fill_up(&aborting, &a, &fd, &to);
    close(fd); /* what is kept has nobody to go to */
    UNTIL(a.lost, 1);
    EQUAL(a.errors, 1);
    EQUAL(a.resumes, 0);
}

WATCHED(an_abort_drops_what_is_kept)
{
    struct heard a = { .quiet = true };
    weft_address to;
    int fd;
    weft_datagram_transport *at = fill_up(&hearing, &a, &fd, &to);

    CHECK(weft_datagram_transport_get_write_buffer_size(at) > 0);
    EQUAL(weft_datagram_transport_abort(at), 0);
    EQUAL(weft_datagram_transport_get_write_buffer_size(at), 0);
    UNTIL(a.lost, 1);
    close(fd);
}

static int refuses(void *arg, void **ret_self)
{
    (void)arg, (void)ret_self;
    return -EKEYREJECTED;
}

static const weft_datagram_protocol refusing = { .size = sizeof refusing, .factory = refuses };

IN_TASK(bad_input_is_refused)
{
    static const weft_datagram_protocol small = { .size = 8 };
    weft_address here = any_port();
    weft_datagram_transport *at = NULL;

    EQUAL(weft_loop_create_datagram_endpoint(NULL, NULL, NULL, &here, NULL, NULL, &at), -EINVAL);
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &small, NULL, &here, NULL, NULL, &at), -EINVAL);
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &hearing, NULL, NULL, NULL, NULL, &at), -EINVAL);
    if (watches()) {
        struct heard a = { .quiet = true };

        EQUAL(weft_loop_create_datagram_endpoint(NULL, &refusing, NULL, &here, NULL, NULL, &at),
              -EKEYREJECTED);
        at = endpoint(&a, &here, NULL);
        EQUAL(weft_datagram_transport_sendto(at, "x", 1, NULL), -EDESTADDRREQ);
        EQUAL(weft_datagram_transport_sendto(at, NULL, 1, &here), -EINVAL);
        EQUAL(weft_datagram_transport_sockname(at, NULL), -EINVAL);
        EQUAL(weft_datagram_transport_close(at), 0);
        UNTIL(a.lost, 1);
    } else {
        EQUAL(weft_loop_create_datagram_endpoint(NULL, &hearing, NULL, &here, NULL, NULL, &at),
              -EOPNOTSUPP);
    }
}

ALONE(each_is_lost_when_its_loop_closes)
{
    struct heard a = { .quiet = true };
    weft_address here = any_port();
    weft_datagram_transport *at = NULL;

    if (!watches()) {
        return;
    }
    loop = open_loop();
    EQUAL(weft_loop_create_datagram_endpoint(loop, &hearing, &a, &here, NULL, NULL, &at), 0);
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(weft_datagram_transport_sendto(at, "x", 1, &here), 0);
    EQUAL(weft_loop_close(loop), 0);
    loop = NULL;
    EQUAL(a.lost, 1);
    EQUAL(a.lost_by, -ECANCELED);
    EQUAL(weft_datagram_transport_close(at), -ESRCH);
}

/* Faults. */

static int counts(void *arg, void **ret_self)
{
    (void)arg, (void)ret_self;
    begun();
    return 0;
}

static void tries_error(weft_datagram_transport *transport, int error, void *self)
{
    (void)transport, (void)self;
    tried(error);
}

static void is_over(weft_datagram_transport *transport, int error, void *self)
{
    (void)transport, (void)self;
    tried(error);
    ended(NULL);
}

static const weft_datagram_protocol counting = { .size = sizeof counting,
                                                 .factory = counts,
                                                 .error_received = tries_error,
                                                 .connection_lost = is_over };

WEFT_ASYNC(sends_to_itself)
{
    weft_address here = any_port(), own;
    weft_datagram_transport *at = NULL;

    if (tried(weft_loop_create_datagram_endpoint(NULL, &counting, NULL, &here, NULL, NULL, &at)) <
        0) {
        CHECK(at == NULL);
        return 0;
    }
    EQUAL(weft_datagram_transport_sockname(at, &own), 0);
    tried(weft_datagram_transport_sendto(at, "x", 1, &own));
    tried(weft_sleep(0.0001));
    weft_datagram_transport_close(at);
    tried(weft_sleep(0.0001));
    return 0;
}

static int sends_datagrams(void)
{
    return watches() ? run_in_loop(sends_to_itself()) : 0;
}

EACH_FAULT_WHILE_IT(sends_datagrams)

static CU_TestInfo tests[] = {
    TEST(datagrams_come_as_calls_in_their_order),
    TEST(many_are_received_in_batches),
    TEST(errors_are_told_and_the_endpoint_goes_on),
    TEST(reports_of_the_network_are_all_told),
    TEST(what_is_too_large_to_be_received_is_told_and_never_cut),
    TEST(what_does_not_fit_is_kept_and_sent_in_order),
    TEST(nobody_spins_while_a_queue_is_full),
    TEST(an_abort_while_it_sends_is_the_end),
    TEST(an_abort_drops_what_is_kept),
    TEST(bad_input_is_refused),
    TEST(each_is_lost_when_its_loop_closes),
    TEST(each_fault_while_it_sends_datagrams),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(endpoint, tests)
