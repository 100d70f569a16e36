/* SPDX-License-Identifier: MIT
 * The same as test_refused.c of what has a descriptor or a process. */
#include "tests/task/task.h"
#include "tests/task/transport.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    weft_server *server;
    weft_listener *listener;
    weft_transport *transport;
    weft_datagram *datagram;
    weft_datagram_transport *endpoint;
    weft_process *process;
    weft_process_pool *pool;
    struct seen seen;
    int fds[2], more[2];
} the;

static const weft_datagram_protocol deaf = { .size = sizeof deaf };
static const weft_datagram_names names = { .local_host = "127.0.0.1" };

WEFT_ASYNC(serves, (weft_stream *, stream), (void *, user))
{
    (void)stream, (void)user;
    return 0;
}

static void make(void)
{
    static const char *const argv[] = { "cat", NULL };
    weft_address local;

    memset(&the, 0, sizeof the);
    the.seen.quiet = true;
    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &the.server), 0);
    EQUAL(weft_loop_create_server(NULL, &noting, &the.seen, "127.0.0.1", 0, NULL, &the.listener),
          0);
    open_pair(PAIR_UNIX, the.fds);
    open_pair(PAIR_UNIX, the.more);
    the.transport = transport_for(the.fds[0], &the.seen);
    EQUAL(weft_datagram_open(&local, NULL, NULL, &the.datagram), 0);
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &deaf, NULL, &local, NULL, NULL, &the.endpoint),
          0);
    EQUAL(weft_create_subprocess_exec(
              argv, &(weft_process_options){ .in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_PIPE },
              &the.process),
          0);
    EQUAL(weft_process_pool_new(NULL, &the.pool), 0);
}

/* Nothing has changed. */
static void use_up(void)
{
    weft_buffer out = { 0 };

    EQUAL(weft_process_communicate(the.process, "still", 5, &out, NULL), 0);
    CHECK(out.len == 5 && memcmp(out.data, "still", 5) == 0);
    weft_buffer_clear(&out);
    EQUAL(weft_process_free(the.process), 0);
    EQUAL(weft_process_pool_free(the.pool), 0);
    CHECK(weft_server_is_serving(the.server));
    EQUAL(weft_server_close(the.server), 0);
    CHECK(weft_listener_is_serving(the.listener));
    EQUAL(weft_listener_close(the.listener), 0);
    weft_listener_free(the.listener);
    CHECK(!weft_datagram_transport_is_closing(the.endpoint));
    EQUAL(weft_datagram_transport_close(the.endpoint), 0);
    weft_datagram_close(the.datagram);
    EQUAL(weft_transport_write(the.transport, "still", 5), 0);
    EQUAL(weft_transport_close(the.transport), 0);
    weft_sleep(0.001);
    EQUAL(the.seen.lost, 1);
    close(the.fds[1]);
    close(the.more[0]);
    close(the.more[1]);
}

static void refuses_connections(int error)
{
    weft_transport *made = NULL;
    weft_datagram_transport *endpoint = NULL;
    weft_listener *listener = NULL;
    weft_address local;

    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_loop_create_datagram_endpoint_host(loop, &deaf, NULL, &names, NULL, &endpoint),
          error);
    EQUAL(weft_server_serve_forever(the.server), error);
    EQUAL(weft_server_stop(the.server), error);
    EQUAL(weft_server_drain(the.server, 1), error);
    EQUAL(weft_server_close_clients(the.server), error);
    EQUAL(weft_server_abort_clients(the.server), error);
    EQUAL(weft_server_close(the.server), error);
    EQUAL(weft_listener_start_serving(the.listener), error);
    EQUAL(weft_listener_serve_forever(the.listener), error);
    EQUAL(weft_listener_close(the.listener), error);
    EQUAL(weft_listener_wait_closed(the.listener), error);
    EQUAL(weft_transport_write(the.transport, "a", 1), error);
    EQUAL(weft_transport_write_eof(the.transport), error);
    EQUAL(weft_transport_pause_reading(the.transport), error);
    EQUAL(weft_transport_drain(the.transport), error);
    EQUAL(weft_transport_close(the.transport), error);
    EQUAL(weft_transport_abort(the.transport), error);
    EQUAL(weft_loop_connect_accepted_socket(loop, &noting, NULL, the.more[0], &made), error);
    EQUAL(weft_loop_create_server_from_fd(loop, &noting, NULL, the.more[0], NULL, &listener),
          error);
    EQUAL(weft_datagram_transport_sendto(the.endpoint, "a", 1, &local), error);
    EQUAL(weft_datagram_transport_close(the.endpoint), error);
    EQUAL(weft_loop_create_datagram_endpoint(loop, &deaf, NULL, &local, NULL, NULL, &endpoint),
          error);
    CHECK(!made && !endpoint && !listener);
}

static void refuses_processes(int error)
{
    EQUAL(weft_process_wait(the.process), error);
    EQUAL(weft_process_send_signal(the.process, SIGTERM), error);
    EQUAL(weft_process_terminate(the.process), error);
    EQUAL(weft_process_kill(the.process), error);
    EQUAL(weft_process_take_fd(the.process, 0), error);
    EQUAL(weft_process_free(the.process), error);
    EQUAL(weft_stream_write(weft_process_stdin(the.process), "a", 1), error);
    EQUAL(weft_process_pool_call(the.pool, "a", 1, NULL), error);
    EQUAL(weft_process_pool_shutdown(the.pool), error);
    EQUAL(weft_process_pool_free(the.pool), error);
}

static int child_of_the_task(void)
{
    char byte;
    weft_address from;
    weft_process_pool *pool = NULL;
    weft_signal_receiver *receiver = NULL;
    weft_datagram *datagram = NULL;
    struct winsize size = { 0 };

    refuses_connections(-ECHILD);
    refuses_processes(-ECHILD);
    EQUAL(weft_datagram_recvfrom(the.datagram, &byte, 1, &from), -ECHILD);
    EQUAL(weft_process_pool_new(NULL, &pool), -ECHILD);
    EQUAL(weft_signal_receiver_open((const int[]){ SIGUSR2, 0 }, &receiver), -ECHILD);
    EQUAL(weft_datagram_open_host(&names, NULL, &datagram), -ECHILD);
    EQUAL(weft_tty_wait_winsize(0, &size), -ECHILD);
    CHECK(!pool && !receiver && !datagram);
    return 7;
}

IN_TASK(a_forked_child_is_refused_by_every_call)
{
    if (watches()) {
        make();
        EQUAL(in_child(child_of_the_task, NULL, 0), 7 << 8);
        use_up();
    }
}

WEFT_ASYNC(is_a_stranger)
{
    refuses_connections(-EXDEV);
    refuses_processes(-EXDEV);
    EQUAL(weft_server_port(the.server), -EXDEV);
    EQUAL(weft_server_socket(the.server, 0), -EXDEV);
    EQUAL(weft_server_clients(the.server), -EXDEV);
    return 0;
}

static void *runs_a_stranger(void *unused)
{
    EQUAL(weft_run(is_a_stranger(), &(weft_run_options){ .backend = backend() }), 0);
    return unused;
}

IN_TASK(a_task_of_another_loop_is_refused_by_every_call)
{
    if (watches()) {
        make();
        in_thread(runs_a_stranger, NULL);
        use_up();
    }
}

static CU_TestInfo tests[] = {
    TEST(a_forked_child_is_refused_by_every_call),
    TEST(a_task_of_another_loop_is_refused_by_every_call),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(refused_io, tests)
