/* SPDX-License-Identifier: MIT
 * Streams and servers, while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/net.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads and writes over a pair, also in the middle of a cancelled write. */

static weft_stream *ends[2];

WEFT_ASYNC(writes_block)
{
    static char block[5000];

    tried((int)weft_stream_write(ends[1], block, sizeof block));
    return 0;
}

WEFT_ASYNC(reads_all)
{
    weft_buffer all = { 0 };
    int r = tried(weft_stream_read_all(ends[0], 100000, &all));

    if (r < 0) { /* the writer is to learn of it */
        weft_stream_abort(weft_stream_ref(ends[0]));
    }
    weft_buffer_clear(&all);
    return 0;
}

WEFT_ASYNC(uses_a_pair)
{
    weft_task *task, *reader;
    char line[64];

    if (tried(weft_stream_pair(1000, ends)) < 0) {
        return 0;
    }
    if (tried((int)weft_stream_write(ends[0], "a line\nand more", 15)) > 0) {
        tried((int)weft_stream_readline(ends[1], line, sizeof line));
        tried((int)weft_stream_readexactly(ends[1], line, 4));
    }
    task = weft_create_task(writes_block(), NULL);
    weft_sleep(0);
    weft_sleep(0);
    (void)weft_task_cancel(task);
    tried(weft_await(task));
    reader = weft_create_task(reads_all(), NULL);
    weft_sleep(0);
    if (weft_task_done(reader) || tried(weft_stream_write_eof(ends[1])) < 0) {
        weft_stream_abort(weft_stream_ref(ends[1]));
    }
    tried(weft_await(reader));
    tried(weft_stream_close(ends[0]));
    tried(weft_stream_close(ends[1]));
    weft_sleep(0);
    return 0;
}

static int talks_in_memory(void)
{
    return run_in_loop(uses_a_pair());
}

WEFT_ASYNC(answers, (weft_stream *, peer), (void *, user))
{
    char line[64];
    ssize_t n = tried((int)weft_stream_readline(peer, line, sizeof line));

    (void)user;
    if (n > 0) {
        tried((int)weft_stream_write(peer, line, (size_t)n));
    }
    return 0;
}

/* What fails in the server is a reset or a timeout for the client. */
static int client_tried(int r)
{
    return r != -ECANCELED && r != -ECONNRESET && r != -EPIPE ? tried(r) : r;
}

WEFT_ASYNC(uses_a_server)
{
    weft_server *server = NULL;
    weft_stream *client = NULL;
    weft_timeout timeout;
    char line[64];

    if (tried(weft_start_server(answers, NULL, "127.0.0.1", 0, NULL, &server)) < 0) {
        CHECK(server == NULL);
        return 0;
    }
    if (client_tried(weft_open_connection("127.0.0.1", weft_server_port(server), NULL,
                                          &client)) == 0) {
        if (tried(weft_timeout_enter(&timeout, 0.05)) == 0) { /* a handler may not have begun */
            client_tried((int)weft_stream_write(client, "hello\n", 6));
            client_tried((int)weft_stream_readline(client, line, sizeof line));
            tried(weft_timeout_exit(&timeout, 0));
        }
        tried(weft_stream_close(client));
    }
    tried(weft_server_close(server));
    return 0;
}

static int serves(void)
{
    return has_descriptors() ? run_in_loop(uses_a_server()) : 0;
}

/* Writes all there is to a reader who is slow: parts, from a file, an end; the last of it is queued
 * when it closes. */

static bool by_socket;

static int open_ends(void)
{
    int fds[2], size = 1, r;

    if (!by_socket) {
        return tried(weft_stream_pair(300, ends));
    }
    r = tried(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    if (r < 0) {
        return r;
    }
    EQUAL(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (int i = 0; i < 2; i++) {
        r = tried(weft_stream_open_fd(fds[i], NULL, &ends[i]));
        if (r < 0) {
            weft_close(fds[1]);
            if (i) {
                weft_stream_close(ends[0]);
            } else {
                weft_close(fds[0]);
            }
            return r;
        }
    }
    return 0;
}

/* To the end, or to the first error: then whoever writes learns it. */
WEFT_ASYNC(reads_slowly)
{
    char piece[400];
    ssize_t n;

    do {
        n = tried(weft_sleep(0.0001));
        n = n < 0 ? n : tried((int)weft_stream_read(ends[1], piece, sizeof piece));
    } while (n > 0);
    tried(weft_stream_close(ends[1]));
    return 0;
}

/* The reader may have gone, because of the fault. */
static ssize_t wrote(ssize_t n)
{
    return n == -EPIPE || n == -ECONNRESET || n == -ECANCELED ? n : tried((int)n);
}

WEFT_ASYNC(writes_in_all_ways, (int, file))
{
    static char block[1200];
    struct iovec parts[20];
    off_t offset = 0;

    for (int i = 0; i < 20; i++) {
        parts[i] = (struct iovec){ block, 30 };
    }
    wrote(weft_stream_writev(ends[0], parts, 20));
    wrote(weft_stream_sendfile(ends[0], file, &offset, SIZE_MAX));
    wrote(weft_stream_sendfile(ends[0], file, NULL, 10));
    wrote(weft_stream_drain(ends[0]));
    wrote(weft_stream_write(ends[0], block, sizeof block)); /* is cancelled in the middle */
    return 0;
}

WEFT_ASYNC(writes_to_the_slow)
{
    weft_task *reader, *writer;
    char block[700] = "";
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    EQUAL(write(file, block, sizeof block), sizeof block);
    if (open_ends() == 0) {
        reader = weft_create_task(reads_slowly(), NULL);
        if (weft_task_done(reader)) { /* nobody will read */
            EQUAL(weft_stream_close(ends[1]), 0);
        }
        writer = weft_create_task(writes_in_all_ways(file), NULL);
        tried(weft_sleep(0.0008));
        (void)weft_task_cancel(writer);
        tried(weft_await(writer));
        wrote(weft_stream_write_eof(ends[0]));
        wrote(weft_stream_close(ends[0]));
        tried(weft_await(reader));
    }
    close(file);
    return 0;
}

static int writes_to_memory(void)
{
    by_socket = false;
    return run_in_loop(writes_to_the_slow());
}

static int writes_to_a_socket(void)
{
    by_socket = true;
    return is_virtual() ? 0 : run_in_loop(writes_to_the_slow());
}

/* A server on a Unix socket that is drained, and one on a socket that is there. */

WEFT_ASYNC(talks_to, (const char *, path))
{
    weft_stream *client = NULL;
    char line[64];
    int r = weft_open_unix_connection(path, NULL, &client);

    if (r == -ECONNREFUSED) { /* the server has been closed already */
        return 0;
    }
    if (client_tried(r) == 0) {
        client_tried((int)weft_stream_write(client, "hello\n", 6));
        client_tried((int)weft_stream_readline(client, line, sizeof line));
        tried(weft_stream_close(client));
    }
    return 0;
}

static void drain_with(const char *path, weft_server *server)
{
    weft_task *task = weft_create_task(talks_to(path), NULL);

    tried(weft_sleep(0.0005));
    client_tried(weft_server_drain(server, 0.05));
    tried(weft_server_close(server));
    tried(weft_await(task));
}

WEFT_ASYNC(drains_servers)
{
    weft_server *server = NULL;
    char path[40];
    int fd;

    snprintf(path, sizeof path, "@weft-fault-%d", (int)getpid());
    if (tried(weft_start_unix_server(answers, NULL, path, NULL, &server)) == 0) {
        drain_with(path, server);
    }
    fd = tried(weft_socket(AF_UNIX, SOCK_STREAM, 0));
    if (fd >= 0) {
        weft_address here;

        EQUAL(weft_address_unix(path, &here), 0);
        EQUAL(bind(fd, &here.sockaddr, here.length), 0);
        EQUAL(listen(fd, 5), 0);
        if (tried(weft_start_server_fd(answers, NULL, fd, NULL, &server)) == 0) {
            drain_with(path, server);
        } else {
            EQUAL(weft_close(fd), 0); /* it is still ours */
        }
    }
    return 0;
}

static int drains(void)
{
    int r = is_virtual() ? 0 : run_in_loop(drains_servers());

    while (reports_left()) { /* what could not be accepted, or waits to be */
        tried(next_report()->status);
    }
    return r;
}

EACH_FAULT_WHILE_IT(talks_in_memory)
EACH_FAULT_WHILE_IT(serves)
EACH_FAULT_WHILE_IT(writes_to_memory)
EACH_FAULT_WHILE_IT(writes_to_a_socket)
EACH_FAULT_WHILE_IT(drains)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_talks_in_memory),
    TEST(each_fault_while_it_serves),
    TEST(each_fault_while_it_writes_to_memory),
    TEST(each_fault_while_it_writes_to_a_socket),
    TEST(each_fault_while_it_drains),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_stream, tests)
