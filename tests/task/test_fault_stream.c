/* SPDX-License-Identifier: MIT
 * Streams and servers, while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/net.h"

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

EACH_FAULT_WHILE_IT(talks_in_memory)
EACH_FAULT_WHILE_IT(serves)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_talks_in_memory),
    TEST(each_fault_while_it_serves),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_stream, tests)
