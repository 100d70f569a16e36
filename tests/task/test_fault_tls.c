/* SPDX-License-Identifier: MIT
 * TLS, while each allocation and system call of weft's fails once. */
#define ENDS_TLS
#include "tests/task/ends.h"
#include "tests/task/fault.h"

/* What a connection says is what befell the other side, unless it is the memory for what was under
 * way. */
static int heard(int r)
{
    if (r == -EPIPE || r == -ECONNRESET || r == -EPROTO) {
        return r;
    }
    (void)tried(r == -ECONNABORTED ? -ENOMEM : r);
    return r;
}

/* Without memory the stream is as it was, and can be written to; else it was told why. */
static int begin(weft_stream *stream, weft_tls *tls, const weft_start_tls_options *how)
{
    weft_stream_stats stats = { .error = 0 };
    int r = weft_stream_start_tls(stream, tls, how);

    if (r == -ENOMEM) {
        EQUAL(weft_stream_statistics(stream, &stats), 0);
        EQUAL(stats.error, 0);
    }
    return heard(r);
}

static weft_tls *make_context(bool is_server)
{
    weft_tls_options options = { .authorities = certs()->authority, .protocols = "h2" };
    weft_tls *tls = NULL;

    if (is_server) {
        options.certificate = certs()->server;
        options.key = certs()->server_key;
    }
    tried(weft_tls_new(&options, &tls));
    return tls;
}

WEFT_ASYNC(serves)
{
    weft_tls *tls = make_context(true);
    char line[64];

    if (tls && begin(there, tls, &(weft_start_tls_options){ .side = WEFT_TLS_SERVER }) == 0) {
        ssize_t n = weft_stream_readline(there, line, sizeof line);

        heard((int)n);
        if (n > 0) {
            heard((int)weft_stream_write(there, line, (size_t)n));
        }
    }
    weft_tls_unref(tls);
    heard(weft_stream_close(there));
    return 0;
}

WEFT_ASYNC(talks)
{
    weft_tls *tls = make_context(false);
    weft_start_tls_options named = { .server_name = "server.test", .handshake_timeout = 5 };
    weft_stream *ends[2];
    weft_task *task;
    char line[64];

    if (tried(weft_stream_pair(1000, ends)) < 0) {
        weft_tls_unref(tls);
        return 0;
    }
    here = ends[0];
    there = ends[1];
    task = weft_create_task(serves(), NULL);
    if (weft_task_done(task)) { /* it could not be made */
        weft_stream_abort(there);
    }
    if (tls && begin(here, tls, &named) == 0 &&
        heard((int)weft_stream_write(here, "hello\n", 6)) > 0 &&
        heard((int)weft_stream_readline(here, line, sizeof line)) > 0) {
        heard(weft_stream_write_eof(here));
        heard((int)weft_stream_read(here, line, sizeof line));
    }
    heard(weft_stream_abort(here));
    weft_tls_unref(tls);
    tried(weft_await(task));
    return 0;
}

static int talks_through_tls(void)
{
    return run_in_loop(talks());
}

EACH_FAULT_WHILE_IT(talks_through_tls)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_talks_through_tls),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_tls, tests)
