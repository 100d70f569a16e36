/* SPDX-License-Identifier: MIT
 * Calls in the wrong place say so: what waits outside of a task, what needs a loop where none runs,
 * what is asked of a loop that is closed, of a handle that is spent, or of nothing. */
#include "tests/task/task.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const weft_datagram_protocol deaf = { .size = sizeof deaf };
static const weft_loop_hooks hooks = { .size = sizeof hooks };

static int no_job(void *unused)
{
    (void)unused;
    return 0;
}

static void nothing(void *unused)
{
    (void)unused;
}

WEFT_ASYNC(serves, (weft_stream *, stream), (void *, user))
{
    (void)stream, (void)user;
    return 0;
}

/* Outside of a task. */

static void waits_in_a_callback(void *unused)
{
    struct winsize size = { 0 };
    weft_ticker ticker;
    weft_signal_receiver *receiver = NULL;

    (void)unused;
    EQUAL(weft_to_thread(no_job, NULL), -EPERM);
    EQUAL(weft_loop_shutdown_default_executor(loop, 1), -EPERM);
    EQUAL(weft_ticker_init(&ticker, 1, 0), 0);
    EQUAL(weft_ticker_wait(&ticker), -EPERM);
    EQUAL(weft_signal_receiver_open((const int[]){ SIGUSR2, 0 }, &receiver), 0);
    EQUAL(weft_signal_receive(receiver), -EPERM);
    weft_signal_receiver_close(receiver);
    EQUAL(weft_tty_wait_winsize(0, &size), -EPERM);
}

static void waits_for_the_network(void *unused)
{
    weft_server *server = NULL;
    weft_listener *listener = NULL;
    weft_datagram *datagram = NULL;
    weft_process_pool *pool = NULL;
    weft_address local;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    (void)unused;
    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_start_unix_server(serves, NULL, "socket", NULL, &server), -EPERM);
    EQUAL(listen(listening, 1), 0);
    EQUAL(weft_start_server_fd(serves, NULL, listening, NULL, &server), -EPERM);
    close(listening);
    EQUAL(weft_datagram_open(&local, NULL, NULL, &datagram), 0);
    EQUAL(weft_datagram_recvfrom(datagram, &byte, 1, NULL), -EPERM);
    weft_datagram_close(datagram);
    EQUAL(weft_loop_create_server(NULL, &noting, NULL, "127.0.0.1", 0, NULL, &listener), 0);
    EQUAL(weft_listener_serve_forever(listener), -EPERM);
    EQUAL(weft_listener_wait_closed(listener), -EPERM);
    weft_listener_free(listener);
    EQUAL(weft_process_pool_new(NULL, &pool), 0);
    EQUAL(weft_process_pool_shutdown(pool), -EPERM);
    EQUAL(weft_process_pool_free(pool), 0);
    CHECK(!server);
}

IN_LOOP(what_waits_is_for_tasks)
{
    EQUAL(weft_loop_call_soon(loop, waits_in_a_callback, NULL, NULL), 0);
    if (watches()) {
        EQUAL(weft_loop_call_soon(loop, waits_for_the_network, NULL, NULL), 0);
    }
    EQUAL(run(sleeps(0.001)), 0);
}

/* Without a loop. */

ALONE(without_a_loop_there_is_nothing_to_wait_in)
{
    weft_loop_metrics metrics = { .size = sizeof metrics };
    weft_future *future = NULL;
    weft_stream *stream = NULL;
    weft_process_pool *pool = NULL;
    weft_ticker ticker;

    EQUAL(weft_loop_get_metrics(NULL, &metrics), -EPERM);
    EQUAL(weft_record_write(NULL, 1), -EPERM);
    EQUAL(weft_record_mark("here", 0), -EPERM);
    EQUAL(weft_loop_set_default_executor(NULL, NULL), -EPERM);
    EQUAL(weft_loop_shutdown_default_executor(NULL, 0), -EPERM);
    EQUAL(weft_loop_run_in_executor(NULL, NULL, no_job, NULL, &future), -EPERM);
    EQUAL(weft_stream_open_fd(0, NULL, &stream), -EPERM);
    EQUAL(weft_stream_open_stdio(0, &stream), -EPERM);
    EQUAL(weft_process_pool_new(NULL, &pool), -EPERM);
    EQUAL(weft_ticker_init(&ticker, 1, 0), -EPERM);
    CHECK(!future && !stream && !pool);
}

/* Of a closed loop. */

IN_LOOP(a_closed_loop_refuses)
{
    weft_loop *closed = open_loop();
    weft_loop_metrics metrics = { .size = sizeof metrics };
    weft_future *future = NULL;
    weft_transport *transport = NULL;
    weft_listener *listener = NULL;
    weft_datagram_transport *endpoint = NULL;
    const weft_datagram_names names = { .local_host = "127.0.0.1" };
    weft_address local;

    EQUAL(weft_loop_close(closed), 0);
    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_loop_on_closed(closed, nothing, NULL), -EBADF);
    EQUAL(weft_loop_add_hooks(closed, &hooks, NULL), -EBADF);
    EQUAL(weft_loop_get_metrics(closed, &metrics), -EBADF);
    EQUAL(weft_loop_set_default_executor(closed, NULL), -EBADF);
    EQUAL(weft_loop_shutdown_default_executor(closed, 1), -EBADF);
    EQUAL(weft_loop_run_in_executor(closed, NULL, no_job, NULL, &future), -EBADF);
    EQUAL(weft_loop_add_signal_handler(closed, SIGUSR2, nothing, NULL), -EBADF);
    EQUAL(weft_loop_remove_signal_handler(closed, SIGUSR2), -EBADF);
    EQUAL(weft_loop_create_connection(closed, &noting, NULL, "127.0.0.1", 9, NULL, &transport),
          -EBADF);
    EQUAL(weft_loop_create_server(closed, &noting, NULL, "127.0.0.1", 0, NULL, &listener), -EBADF);
    EQUAL(weft_loop_create_datagram_endpoint(closed, &deaf, NULL, &local, NULL, NULL, &endpoint),
          -EBADF);
    EQUAL(weft_loop_create_datagram_endpoint_host(closed, &deaf, NULL, &names, NULL, &endpoint),
          -EBADF);
    EQUAL(weft_task_status(weft_loop_create_task(closed, gives(0), NULL)), -EBADF);
    CHECK(!future && !transport && !listener && !endpoint);
}

/* Of what was waited for in a loop that is closed: whoever is left there cannot be woken. */

static weft_event event = WEFT_EVENT_INIT;
static weft_semaphore semaphore = WEFT_SEMAPHORE_INIT(0);
static weft_barrier barrier = WEFT_BARRIER_INIT(2);
static weft_watch watch = WEFT_WATCH_INIT;

WEFT_ASYNC(waits_for, (int, which))
{
    uint64_t seen = 1;

    switch (which) {
    case 0: return weft_event_wait(&event);
    case 1: return weft_semaphore_acquire(&semaphore);
    case 2: return weft_barrier_wait(&barrier);
    default: return weft_watch_wait(&watch, &seen);
    }
}

ALONE(who_is_left_in_a_closed_loop_cannot_be_woken)
{
    weft_loop *closed = open_loop();

    for (int i = 0; i < 4; i++) {
        EQUAL(weft_task_detach(weft_loop_create_task(closed, waits_for(i), NULL)), 0);
    }
    EQUAL(weft_loop_run_until_complete(closed, sleeps(0.001)), 0);
    EQUAL(weft_loop_close(closed), 0);
    for (int i = 0; i < 4; i++) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
    EQUAL(weft_event_set(&event), -EBADF);
    EQUAL(weft_semaphore_release(&semaphore), -EBADF);
    EQUAL(weft_barrier_reset(&barrier), -EBADF);
    EQUAL(weft_watch_notify(&watch), -EBADF);
    EQUAL(weft_watch_shutdown(&watch), -EBADF);
}

/* Of a descriptor that is not open, or of another kind. */

IN_TASK(a_descriptor_that_is_not_open_is_refused)
{
    weft_stream *stream = NULL;
    weft_datagram *datagram = NULL;
    weft_listener *listener = NULL;
    weft_server *server = NULL;
    struct winsize size = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    EQUAL(weft_file_seek(9999, 0, SEEK_SET), -EBADF);
    EQUAL(weft_file_seek(null, 0, 99), -EINVAL);
    EQUAL(weft_file_truncate(9999, 0), -EBADF);
    EQUAL(weft_file_allocate(9999, 0, 1), -EBADF);
    EQUAL(weft_stream_open_fd(9999, NULL, &stream), -EBADF);
    if (watches()) {
        EQUAL(weft_tty_wait_winsize(null, &size), -ENOTTY);
        EQUAL(weft_datagram_from_fd(null, &datagram), -ENOTSOCK);
        EQUAL(weft_start_server_fd(serves, NULL, null, NULL, &server), -ENOTSOCK);
        EQUAL(weft_loop_create_server_from_fd(NULL, &noting, NULL, null, NULL, &listener),
              -ENOTSOCK);
    }
    close(null);
    CHECK(!stream && !datagram && !listener && !server);
}

/* Of nothing, and of what has ended. */

IN_TASK(nothing_is_refused)
{
    weft_task_metrics metrics = { 0 };
    weft_buffer out = { 0 };
    void *value = NULL;

    EQUAL(weft_to_thread(NULL, NULL), -EINVAL);
    EQUAL(weft_loop_run_in_executor(NULL, NULL, NULL, NULL, NULL), -EINVAL);
    EQUAL(weft_executor_shutdown(NULL, false, false), -EINVAL);
    EQUAL(weft_datagram_recvfrom(NULL, &value, 1, NULL), -EINVAL);
    EQUAL(weft_datagram_fileno(NULL), -EINVAL);
    EQUAL(weft_datagram_transport_close(NULL), -EINVAL);
    EQUAL(weft_listener_start_serving(NULL), -EINVAL);
    EQUAL(weft_transport_close(NULL), -EINVAL);
    EQUAL(weft_task_get_metrics(weft_current_task(), &metrics), -EINVAL); /* its size is 0 */
    EQUAL(weft_thread_future_result(NULL, &value), -EINVAL);
    EQUAL(weft_thread_future_cancel(NULL), -EINVAL);
    EQUAL(weft_thread_queue_put_nowait(NULL, &value), -EINVAL);
    EQUAL(weft_process_communicate(NULL, NULL, 0, &out, NULL), -EINVAL);
    EQUAL(weft_stream_write(weft_process_stdin(NULL), "a", 1), -EINVAL);
}

static void is_told(weft_thread_future *future, void *arg)
{
    (void)future, (void)arg;
    CHECK(false);
}

IN_TASK(a_handle_that_is_spent_is_refused)
{
    weft_task *task = weft_create_task(gives(1), NULL);
    weft_coro *coro = gives(1);
    weft_cancel_reason reason;
    weft_thread_queue *queue = NULL;
    weft_thread_future *future = NULL;
    int item = 0;

    EQUAL(weft_await(task), 1);
    EQUAL(weft_task_cancel_reason(task, &reason), -ESRCH);
    EQUAL(weft_task_status(weft_task_ref(task)), -ESRCH);
    EQUAL(weft_await(coro), 1);
    EQUAL(weft_run_coroutine_threadsafe(coro, loop, &future), -ESRCH);
    CHECK(!future);
    EQUAL(weft_thread_queue_new(1, NULL, &queue), 0);
    weft_thread_queue_free(queue);
    EQUAL(weft_thread_queue_put_nowait(queue, &item), -ESRCH);
    EQUAL(weft_run_coroutine_threadsafe(gives(1), loop, &future), 0);
    weft_thread_future_free(future);
    EQUAL(weft_thread_future_add_done_callback(future, is_told, NULL), -ESRCH);
}

IN_TASK(what_has_ended_is_refused)
{
    struct seen seen = { .quiet = true };
    weft_address address;
    weft_transport *transport;
    weft_listener *listener;
    weft_datagram *datagram;
    weft_datagram_transport *endpoint;
    char byte;
    int fds[2];

    if (!watches()) {
        return;
    }
    EQUAL(weft_address_parse("127.0.0.1", 0, &address), 0);
    open_pair(PAIR_UNIX, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_abort(transport), 0);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", 0, NULL, &listener), 0);
    weft_listener_free(listener);
    EQUAL(weft_datagram_open(&address, NULL, NULL, &datagram), 0);
    weft_datagram_close(datagram);
    EQUAL(weft_loop_create_datagram_endpoint(NULL, &deaf, NULL, &address, NULL, NULL, &endpoint),
          0);
    EQUAL(weft_datagram_transport_abort(endpoint), 0);
    weft_sleep(0.001);
    EQUAL(seen.lost, 1);

    EQUAL(weft_transport_write_eof(transport), -ESRCH);
    EQUAL(weft_transport_set_write_buffer_limits(transport, 2, 1), -ESRCH);
    EQUAL(weft_transport_pause_reading(transport), -ESRCH);
    EQUAL(weft_transport_resume_reading(transport), -ESRCH);
    EQUAL(weft_transport_set_protocol(transport, &noting, &seen), -ESRCH);
    EQUAL(weft_transport_peername(transport, &address), -ESRCH);
    EQUAL(weft_transport_sockname(transport, &address), -ESRCH);
    EQUAL(weft_transport_drain(transport), -ESRCH);
    EQUAL(weft_listener_start_serving(listener), -ESRCH);
    EQUAL(weft_listener_sockname(listener, 0, &address), -ESRCH);
    EQUAL(weft_datagram_recvfrom(datagram, &byte, 1, NULL), -ESRCH);
    EQUAL(weft_datagram_join(datagram, &address, NULL), -ESRCH);
    EQUAL(weft_datagram_sockname(datagram, &address), -ESRCH);
    EQUAL(weft_datagram_set_multicast(datagram, 1, true, NULL), -ESRCH);
    EQUAL(weft_datagram_transport_sendto(endpoint, "a", 1, &address), -ESRCH);
    EQUAL(weft_datagram_transport_sockname(endpoint, &address), -ESRCH);
    close(fds[1]);
}

IN_TASK(what_was_closed_is_refused)
{
    weft_stream *ends[2];
    weft_address address;
    weft_stream_stats stats = { 0 };
    weft_lines *lines = NULL;
    weft_line line;
    char byte;

    EQUAL(weft_stream_pair(10, ends), 0);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
    EQUAL(weft_stream_read(ends[0], &byte, 1), -EBADF);
    EQUAL(weft_stream_consume(ends[0], 0), -EBADF);
    EQUAL(weft_stream_peername(ends[0], &address), -EBADF);
    EQUAL(weft_stream_statistics(ends[0], &stats), -EBADF);
    EQUAL(weft_stream_close(ends[0]), -EBADF);
    EQUAL(weft_lines_of(9999, NULL, &lines), 0);
    EQUAL(weft_lines_next(lines, &line), -EBADF);
    weft_lines_close(lines);
}

IN_TASK(a_closed_server_is_refused)
{
    weft_server *server = NULL;

    if (!watches()) {
        return;
    }
    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &server), 0);
    EQUAL(weft_server_drain(server, NAN), -EINVAL);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_server_socket(server, 0), -EBADF);
    EQUAL(weft_server_clients(server), -EBADF);
    EQUAL(weft_server_serve_forever(server), -EBADF);
    EQUAL(weft_server_stop(server), -EBADF);
    EQUAL(weft_server_drain(server, 1), -EBADF);
    EQUAL(weft_server_close_clients(server), -EBADF);
    EQUAL(weft_server_close(server), -EBADF);
}

/* Of a task that is cancelled: it did not happen. */

IN_TASK(a_cancelled_task_gets_nothing)
{
    weft_server *server = NULL, *none = NULL;
    weft_datagram *datagram = NULL;
    weft_address local;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    if (!watches()) {
        close(listening);
        return;
    }
    EQUAL(listen(listening, 1), 0);
    EQUAL(weft_address_parse("127.0.0.1", 0, &local), 0);
    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &server), 0);
    EQUAL(weft_datagram_open(&local, NULL, NULL, &datagram), 0);
    EQUAL(weft_task_cancel(weft_current_task()), 0);
    EQUAL(weft_start_server(serves, NULL, "127.0.0.1", 0, NULL, &none), -ECANCELED);
    EQUAL(weft_start_unix_server(serves, NULL, "@weft-refused", NULL, &none), -ECANCELED);
    EQUAL(weft_start_server_fd(serves, NULL, listening, NULL, &none), -ECANCELED);
    EQUAL(weft_datagram_recvfrom(datagram, &byte, 1, NULL), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_server_close(server), 0);
    weft_datagram_close(datagram);
    close(listening);
    CHECK(!none);
}

static CU_TestInfo tests[] = {
    TEST(what_waits_is_for_tasks),
    TEST(without_a_loop_there_is_nothing_to_wait_in),
    TEST(a_closed_loop_refuses),
    TEST(who_is_left_in_a_closed_loop_cannot_be_woken),
    TEST(a_descriptor_that_is_not_open_is_refused),
    TEST(nothing_is_refused),
    TEST(a_handle_that_is_spent_is_refused),
    TEST(what_has_ended_is_refused),
    TEST(a_cancelled_task_gets_nothing),
    TEST(what_was_closed_is_refused),
    TEST(a_closed_server_is_refused),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(refused_place, tests)
