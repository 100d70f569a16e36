/* SPDX-License-Identifier: MIT
 * Unix sockets, streams of descriptors, and small things, while each allocation and system call
 * fails once. */
#include "tests/task/fault.h"
#include "tests/task/scratch.h"
#include "tests/task/transport.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

WEFT_ASYNC(serves, (weft_stream *, peer), (void *, user))
{
    (void)peer, (void)user;
    return 0;
}

/* A Unix server, and a client that sees its end. */
WEFT_ASYNC(talks)
{
    weft_server *server = NULL;
    weft_stream *stream = NULL;
    const char *path = scratch("socket");
    char byte;

    if (tried(weft_start_unix_server(serves, NULL, path, NULL, &server)) < 0) {
        CHECK(!server);
        return 0;
    }
    if (tried(weft_open_unix_connection(path, NULL, &stream)) == 0) {
        int n = (int)weft_stream_read(stream, &byte, 1);

        tried(n == -ECONNRESET || n == -ECANCELED ? 0 : n);
        weft_stream_abort(stream);
    }
    tried(weft_server_close(server));
    return 0;
}

static int talks_by_a_path(void)
{
    int r = run_in_loop(talks());

    unlink(scratch("socket"));
    return r;
}

/* Descriptors that are there already. */
WEFT_ASYNC(takes_over)
{
    weft_stream *stream = NULL;
    weft_server *server = NULL;
    struct stat info;
    int fds[2], fd = -1;

    if (weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0) {
        if (tried(weft_stream_open_fd(fds[0], NULL, &stream)) < 0) {
            CHECK(!stream);
            weft_close(fds[0]);
        } else {
            tried((int)weft_stream_write(stream, "a", 1));
            tried(weft_stream_close(stream));
        }
        weft_close(fds[1]);
    }
    stream = NULL;
    if (fstat(1, &info) == 0 && S_ISFIFO(info.st_mode) && /* a regular file cannot be watched */
        tried(weft_stream_open_stdio(1, &stream)) == 0) {
        weft_stream_abort(stream);
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EQUAL(listen(fd, 1), 0);
    if (tried(weft_start_server_fd(serves, NULL, fd, NULL, &server)) < 0) {
        CHECK(!server);
        close(fd);
    } else {
        tried(weft_server_close(server));
    }
    return 0;
}

static int takes_descriptors(void)
{
    return run_in_loop(takes_over());
}

/* Queues of other orders, ticks, hooks, deadlines that move. */
WEFT_ASYNC(little_things)
{
    static const weft_loop_hooks hooks = { .size = sizeof hooks };
    weft_queue *queue = NULL;
    weft_ticker ticker;
    weft_timeout timeout;
    int64_t ticks;

    if (tried(weft_lifo_queue_new(1, &queue)) == 0) {
        EQUAL(weft_queue_free(queue), 0);
    }
    if (tried(weft_ticker_init(&ticker, 0.001, 0)) == 0) {
        ticks = weft_ticker_wait(&ticker);
        tried(ticks == -ECANCELED ? 0 : (int)ticks);
    }
    tried(weft_loop_add_hooks(NULL, &hooks, NULL));
    if (tried(weft_timeout_enter(&timeout, INFINITY)) == 0) {
        tried(weft_timeout_reschedule(&timeout, weft_loop_time(NULL) + 1000));
        tried(weft_timeout_exit(&timeout, 0));
    }
    tried(weft_debug_set(NULL, "1"));
    tried(weft_debug_set(NULL, "0"));
    return 0;
}

static int does_little_things(void)
{
    return run_in_loop(little_things());
}

ALONE(each_fault_while_it_talks_by_a_path)
{
    if (watches()) {
        sweep(talks_by_a_path, "talks_by_a_path");
    }
}

ALONE(each_fault_while_it_takes_descriptors)
{
    if (watches()) {
        sweep(takes_descriptors, "takes_descriptors");
    }
}

EACH_FAULT_WHILE_IT(does_little_things)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_talks_by_a_path),
    TEST(each_fault_while_it_takes_descriptors),
    TEST(each_fault_while_it_does_little_things),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_more, tests)
