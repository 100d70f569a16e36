/* SPDX-License-Identifier: MIT
 * Transports and listeners while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int make(void *arg, void **ret_self)
{
    begun();
    *ret_self = arg;
    return 0;
}

static void send_back(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)self;
    tried(weft_transport_write(transport, data, size));
}

static void is_lost(weft_transport *transport, int error, void *self)
{
    (void)transport, (void)self;
    tried(error);
    ended(NULL);
}

static const weft_protocol counting = { .size = sizeof counting,
                                        .factory = make,
                                        .data_received = send_back,
                                        .connection_lost = is_lost };

/* Whatever fails: each self that was made is freed. */
WEFT_ASYNC(talks, (int, kind))
{
    static char much[200000];
    weft_transport *transport = NULL;
    char room[64];
    bool end;
    int fds[2], r;

    open_pair((enum pair_kind)kind, fds);
    r = tried(weft_loop_connect_accepted_socket(NULL, &counting, NULL, fds[0], &transport));
    if (r < 0) {
        close(fds[0]);
    } else {
        transport = weft_transport_ref(transport);
        (void)!write(fds[1], "hello", 5);
        tried(weft_sleep(0.0001));
        if (!weft_transport_is_closing(transport)) { /* what failed is about to be told */
            tried(weft_transport_write(transport, much, sizeof much));
        }
        tried(weft_transport_pause_reading(transport));
        tried(weft_transport_resume_reading(transport));
        for (int i = 0; i < 50 && weft_transport_get_write_buffer_size(transport); i++) {
            drink(fds[1], room, sizeof room, &end);
            tried(weft_sleep(0));
        }
        tried(weft_transport_close(transport));
        weft_transport_abort(transport);
        weft_transport_wait_closed(transport);
        weft_transport_unref(transport);
    }
    close(fds[1]);
    return 0;
}

static int talks_over_unix(void)
{
    return watches() ? run_in_loop(talks(PAIR_UNIX)) : 0;
}

static int talks_over_tcp(void)
{
    return watches() ? run_in_loop(talks(PAIR_TCP)) : 0;
}

/* What comes from a pipe is not sent back. */
static const weft_protocol taking = { .size = sizeof taking,
                                      .factory = make,
                                      .connection_lost = is_lost };

WEFT_ASYNC(pipes)
{
    weft_transport *reader = NULL, *writer = NULL;
    int fds[2];

    EQUAL(pipe2(fds, O_CLOEXEC), 0);
    if (tried(weft_loop_connect_read_pipe(NULL, &taking, NULL, fds[0], &reader)) < 0) {
        close(fds[0]);
    }
    if (tried(weft_loop_connect_write_pipe(NULL, &taking, NULL, fds[1], &writer)) < 0) {
        close(fds[1]);
    } else {
        weft_transport_write(writer, "hello", 5);
        tried(weft_sleep(0.0001));
        weft_transport_close(writer);
    }
    tried(weft_sleep(0.0001));
    weft_transport_abort(reader);
    give_way(5);
    return 0;
}

static int talks_through_pipes(void)
{
    return watches() ? run_in_loop(pipes()) : 0;
}

/* A connection may be lost at any step; whatever was made ends. */
WEFT_ASYNC(serves)
{
    weft_listener *listener = NULL;
    weft_listener_options options = { .keep_alive = true, .reuse_port = true };
    weft_address at;
    int fd;

    if (tried(weft_loop_create_server(NULL, &counting, NULL, "127.0.0.1", 0, &options,
                                      &listener)) < 0) {
        CHECK(listener == NULL);
        return 0;
    }
    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EQUAL(connect(fd, &at.sockaddr, at.length), 0);
    for (int i = 0; i < 50 && weft_listener_clients(listener) == 0; i++) {
        weft_sleep(0.0001);
    }
    (void)!write(fd, "x", 1);
    tried(weft_sleep(0.0001));
    weft_listener_close(listener);
    weft_listener_abort_clients(listener);
    weft_listener_wait_closed(listener);
    weft_listener_free(listener);
    close(fd);
    while (reports_left()) { /* what could not be accepted */
        tried(next_report()->status);
    }
    return 0;
}

static int serves_clients(void)
{
    return watches() ? run_in_loop(serves()) : 0;
}

WEFT_ASYNC(serves_at_a_path, (const char *, path))
{
    weft_listener *listener = NULL;
    weft_listener_options options = { .mode = 0600 };

    tried(weft_loop_create_unix_server(NULL, &counting, NULL, path, &options, &listener));
    weft_listener_free(listener);
    CHECK(access(path, F_OK) < 0);
    return 0;
}

static int makes_a_unix_socket(void)
{
    char path[60];

    snprintf(path, sizeof path, "/tmp/weft-fault-%d", (int)getpid());
    return watches() ? run_in_loop(serves_at_a_path(path)) : 0;
}

EACH_FAULT_WHILE_IT(talks_over_unix)
EACH_FAULT_WHILE_IT(talks_over_tcp)
EACH_FAULT_WHILE_IT(talks_through_pipes)
EACH_FAULT_WHILE_IT(serves_clients)
EACH_FAULT_WHILE_IT(makes_a_unix_socket)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_talks_over_unix),
    TEST(each_fault_while_it_talks_over_tcp),
    TEST(each_fault_while_it_talks_through_pipes),
    TEST(each_fault_while_it_serves_clients),
    TEST(each_fault_while_it_makes_a_unix_socket),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_transport, tests)
