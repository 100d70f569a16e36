/* SPDX-License-Identifier: MIT
 * Transports: handles, addresses, pipes, what is refused, and the way to streams. */
#include "tests/task/transport.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ON_PAIRS(a_hold_keeps_the_handle_beyond_the_loss)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    weft_address peer, later;
    size_t low;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    CHECK(weft_transport_get_loop(transport) == weft_get_running_loop());
    EQUAL(weft_transport_fileno(transport), fds[0]);
    EQUAL(weft_transport_peername(transport, &peer), 0);
    EQUAL(weft_transport_sockname(transport, &later), 0);
    EQUAL(peer.family, kind == PAIR_TCP ? AF_INET : AF_UNIX);
    EQUAL(weft_transport_peername(transport, NULL), -EINVAL);
    EQUAL(weft_transport_sockname(transport, NULL), -EINVAL);
    CHECK(weft_transport_ref(transport) == transport);
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    EQUAL(weft_transport_peername(transport, &later), kind == PAIR_TCP ? 0 : -ENOTCONN);
    if (kind == PAIR_TCP) {
        CHECK(weft_address_equal(&peer, &later));
        CHECK(weft_address_port(&later) != 0);
    }
    EQUAL(weft_transport_sockname(transport, &later), -EBADF);
    EQUAL(weft_transport_fileno(transport), -EBADF);
    EQUAL(weft_transport_close(transport), 0);
    EQUAL(weft_transport_abort(transport), 0);
    EQUAL(weft_transport_pause_reading(transport), 0);
    EQUAL(weft_transport_resume_reading(transport), 0);
    EQUAL(weft_transport_write_eof(transport), 0);
    EQUAL(weft_transport_wait_closed(transport), 0);
    EQUAL(weft_transport_detach(transport, fds), -EPIPE);
    CHECK(weft_transport_unref(transport) == NULL);
    CHECK(weft_transport_unref(transport) == NULL); /* spent: left alone */
    EQUAL(weft_transport_get_write_buffer_limits(transport, &low, &low), -ESRCH);
    CHECK(weft_transport_get_protocol(transport, NULL) == NULL);
    CHECK(weft_transport_get_loop(transport) == NULL);
    EQUAL(weft_transport_is_closing(transport), true);
    EQUAL(weft_transport_is_reading(transport), false);
    EQUAL(weft_transport_can_write_eof(transport), false);
    EQUAL(weft_transport_get_write_buffer_size(transport), 0);
    EQUAL(weft_transport_fileno(transport), -ESRCH);
    EQUAL(weft_transport_write(NULL, "x", 1), -EINVAL);
    close(fds[1]);
}

static int fails(void *arg, void **ret_self)
{
    (void)ret_self;
    return *(int *)arg;
}

static const weft_protocol failing = { .size = sizeof failing, .factory = fails };

static int gives_other(void *arg, void **ret_self)
{
    *ret_self = (struct seen *)arg + 1;
    return 0;
}

ON_PAIRS(a_factory_makes_the_protocols_self_or_the_connection_fails)
{
    struct seen seen[2] = { { .quiet = true }, { .quiet = true } };
    weft_protocol with_factory = noting;
    weft_transport *transport = NULL;
    int fds[2], error = -EKEYREJECTED;

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &failing, &error, fds[0], &transport), error);
    CHECK(transport == NULL);
    CHECK(fcntl(fds[0], F_GETFD) >= 0); /* the descriptor is still ours */
    with_factory.factory = gives_other;
    EQUAL(weft_loop_connect_accepted_socket(NULL, &with_factory, seen, fds[0], &transport), 0);
    EQUAL(seen[0].made, 0);
    EQUAL(seen[1].made, 1);
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen[1].lost, 1);
    close(fds[1]);
}

ON_PAIRS(nobody_else_watches_its_descriptor)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_add_reader(NULL, fds[0], count_up, NULL), 0);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, fds[0], NULL), -EBUSY);
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 1);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_loop_add_reader(NULL, fds[0], count_up, NULL), -EBUSY);
    EQUAL(weft_loop_add_writer(NULL, fds[0], count_up, NULL), -EBUSY);
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(fds[0])), -EBUSY);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, fds[0], NULL), -EBUSY);
    EQUAL(weft_transport_pause_reading(transport), 0);
    EQUAL(weft_transport_resume_reading(transport), 0);
    EQUAL(write(fds[1], "x", 1), 1);
    while (seen.count < 1) { /* and it was not disturbed */
        weft_sleep(0);
    }
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    close(fds[1]);
}

IN_TASK(what_is_no_connected_stream_is_refused)
{
    static const weft_protocol small = { .size = 8 };
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), pipes[2];
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), file = open("/proc/self/exe", O_RDONLY);

    EQUAL(pipe(pipes), 0);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, datagrams, &transport),
          -EPROTOTYPE);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, pipes[0], &transport), -ENOTSOCK);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, -1, &transport), -EBADF);
    EQUAL(weft_loop_connect_accepted_socket(NULL, NULL, &seen, pipes[0], &transport), -EINVAL);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &small, &seen, pipes[0], &transport), -EINVAL);
    EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, file, &transport), -EPERM);
    EQUAL(weft_loop_connect_write_pipe(NULL, &noting, &seen, -1, &transport), -EBADF);
    EQUAL(weft_loop_connect_read_pipe(NULL, NULL, &seen, pipes[0], &transport), -EINVAL);
    if (!watches()) {
        EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, pipes[0], &transport), -EOPNOTSUPP);
        EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, stream, &transport),
              -EOPNOTSUPP);
    } else if (strcmp(backend_name(), "epoll") == 0) {
        EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, null, &transport), -EPERM);
    }
    CHECK(transport == NULL);
    EQUAL(seen.made, 0);
    close(datagrams);
    close(stream);
    close(pipes[0]);
    close(pipes[1]);
    close(null);
    close(file);
}

ALONE(without_a_loop_there_is_none)
{
    struct seen seen = { .quiet = true };

    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, &seen, 0, NULL), -EPERM);
    EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, 0, NULL), -EPERM);
}

/* The context. */

static const weft_context_var user = { .name = "user", .default_value = (void *)"nobody" };

static void tell_user(weft_transport *transport, void *self)
{
    (void)transport, (void)self;
    note(weft_context_var_get(&user));
    EQUAL(weft_context_var_set(&user, (void *)"somebody", NULL), 0); /* for itself alone */
}

static void tell_user_at_data(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)data, (void)size;
    tell_user(transport, self);
}

static void tell_user_at_the_end(weft_transport *transport, int error, void *self)
{
    (void)error;
    tell_user(transport, self);
    *(int *)self = 1;
}

static const weft_protocol telling = { .size = sizeof telling,
                                       .connection_made = tell_user,
                                       .data_received = tell_user_at_data,
                                       .connection_lost = tell_user_at_the_end };

ON_PAIRS(callbacks_run_in_the_context_of_who_made_it)
{
    int fds[2], lost = 0;

    open_pair(kind, fds);
    EQUAL(weft_context_var_set(&user, (void *)"ann", NULL), 0);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &telling, &lost, fds[0], NULL), 0);
    EQUAL(weft_context_var_set(&user, (void *)"bob", NULL), 0);
    EQUAL(write(fds[1], "x", 1), 1);
    close(fds[1]);
    UNTIL(lost, 1);
    HAPPENED("ann ann ann");
    EQUAL(weft_context_var_set(&user, (void *)"nobody", NULL), 0);
}

/* The way to streams. */

ON_PAIRS(a_connection_is_taken_out_with_all_that_was_not_read)
{
    struct seen seen = { .quiet = true };
    static char much[3000000];
    char room[8];
    weft_transport *transport;
    bool end;
    int fds[2], fd = -1;

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_pause_reading(transport), 0);
    EQUAL(write(fds[1], "unread", 6), 6);
    weft_sleep(0.001);
    EQUAL(weft_transport_write(transport, much, sizeof much), 0);
    EQUAL(weft_transport_detach(transport, &fd), -EBUSY);
    while (weft_transport_get_write_buffer_size(transport)) {
        drink(fds[1], room, 0, &end);
        weft_sleep(0);
    }
    EQUAL(weft_transport_detach(transport, NULL), -EINVAL);
    EQUAL(weft_transport_detach(transport, &fd), 0);
    EQUAL(fd, fds[0]);
    EQUAL(weft_transport_detach(transport, &fd), -ESRCH);
    EQUAL(drink(fd, room, sizeof room, &end), 6);
    EQUAL(memcmp(room, "unread", 6), 0);
    weft_sleep(0.001);
    EQUAL(seen.lost, 0);
    EQUAL(weft_loop_add_reader(NULL, fd, count_up, NULL), 0); /* nobody has it any more */
    EQUAL(weft_loop_remove_reader(NULL, fd), 1);
    close(fd);
    close(fds[1]);
}

/* Pipes. */

IN_TASK(pipes_are_read_to_their_end)
{
    struct seen seen = { .quiet = false };
    weft_transport *transport = NULL;
    int fds[2];

    if (!watches()) {
        return;
    }
    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, fds[0], &transport), 0);
    EQUAL(weft_transport_write(transport, "x", 1), -EOPNOTSUPP);
    EQUAL(weft_transport_write_eof(transport), -EOPNOTSUPP);
    EQUAL(weft_transport_can_write_eof(transport), false);
    EQUAL(weft_transport_peername(transport, &(weft_address){ 0 }), -ENOTSOCK);
    EQUAL(weft_transport_sockname(transport, &(weft_address){ 0 }), -ENOTSOCK);
    EQUAL(write(fds[1], "hello", 5), 5);
    while (seen.count < 5) {
        weft_sleep(0);
    }
    seen.stays = true; /* which says nothing of what cannot be written to */
    close(fds[1]);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, 0);
    HAPPENED("made data eof lost");
}

IN_TASK(pipes_are_written_to_and_their_end_is_the_readers)
{
    static char much[300000];
    char room[8];
    bool end;

    for (int keeps = 0; watches() && keeps < 2; keeps++) {
        struct seen seen = { .quiet = true };
        weft_transport *transport = NULL;
        int fds[2];

        EQUAL(pipe2(fds, O_CLOEXEC), 0);
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        EQUAL(weft_loop_connect_write_pipe(NULL, &noting, &seen, fds[1], &transport), 0);
        EQUAL(weft_transport_is_reading(transport), false);
        EQUAL(weft_transport_write(transport, much, sizeof much), 0);
        CHECK(weft_transport_get_write_buffer_size(transport) > 0);
        for (size_t n = 0; !keeps && n < sizeof much; weft_sleep(0)) {
            n += drink(fds[0], room, 0, &end);
        }
        weft_sleep(0.001);
        EQUAL(seen.lost, 0);
        close(fds[0]);
        UNTIL(seen.lost, 1);
        EQUAL(seen.error, keeps ? -EPIPE : 0);
    }
}

static void got_sigpipe(int signum)
{
    (void)signum;
    note("SIGPIPE");
}

IN_TASK(a_pipe_that_nobody_reads_is_no_signal)
{
    struct sigaction note_it = { .sa_handler = got_sigpipe }, before;
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;
    int fds[2];

    if (!watches()) {
        return;
    }
    sigaction(SIGPIPE, &note_it, &before);
    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    EQUAL(weft_loop_connect_write_pipe(NULL, &noting, &seen, fds[1], &transport), 0);
    close(fds[0]);
    EQUAL(weft_transport_write(transport, "x", 1), 0);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, -EPIPE);
    sigaction(SIGPIPE, &before, NULL);
    HAPPENED("");
}

IN_TASK(the_end_of_writing_closes_a_pipe)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport = NULL;
    char room[8];
    bool end = false;
    int fds[2];

    if (!watches()) {
        return;
    }
    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    EQUAL(weft_loop_connect_write_pipe(NULL, &noting, &seen, fds[1], &transport), 0);
    EQUAL(weft_transport_can_write_eof(transport), true);
    EQUAL(weft_transport_write(transport, "last", 4), 0);
    EQUAL(weft_transport_write_eof(transport), 0);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, 0);
    EQUAL(drink(fds[0], room, sizeof room, &end), 4);
    EQUAL(end, true);
    close(fds[0]);
}

IN_TASK(standard_streams_keep_their_manners)
{
    struct seen seen = { .quiet = true };
    int before = dup(0), fds[2];

    if (!watches()) {
        close(before);
        return;
    }
    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    dup2(fds[0], 0);
    close(fds[0]);
    EQUAL(weft_loop_connect_read_pipe(NULL, &noting, &seen, 0, NULL), 0);
#ifndef WEFT__PORTABLE /* which knows no other way to a pipe than the one that all have */
    EQUAL(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
#endif
    EQUAL(write(fds[1], "typed", 5), 5);
    close(fds[1]);
    UNTIL(seen.lost, 1);
    EQUAL(seen.count, 5);
    CHECK(fcntl(0, F_GETFD) >= 0); /* nor is it closed */
    dup2(before, 0);
    close(before);
}

static CU_TestInfo tests[] = {
    TEST(a_hold_keeps_the_handle_beyond_the_loss),
    TEST(a_factory_makes_the_protocols_self_or_the_connection_fails),
    TEST(nobody_else_watches_its_descriptor),
    TEST(what_is_no_connected_stream_is_refused),
    TEST(without_a_loop_there_is_none),
    TEST(callbacks_run_in_the_context_of_who_made_it),
    TEST(a_connection_is_taken_out_with_all_that_was_not_read),
    TEST(pipes_are_read_to_their_end),
    TEST(pipes_are_written_to_and_their_end_is_the_readers),
    TEST(a_pipe_that_nobody_reads_is_no_signal),
    TEST(the_end_of_writing_closes_a_pipe),
    TEST(standard_streams_keep_their_manners),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(transport_more, tests)
