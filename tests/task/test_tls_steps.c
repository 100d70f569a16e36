/* SPDX-License-Identifier: MIT
 * TLS, cancelled at every step of a handshake, an exchange and a close. */
#define ENDS_TLS
#include "tests/task/ends.h"
#include "tests/task/steps.h"

#include <math.h>

static weft_tls *tls;

static void make_context(void)
{
    weft_tls_options options = { .certificate = certs()->server,
                                 .key = certs()->server_key,
                                 .authorities = certs()->authority };

    EQUAL(weft_tls_new(&options, &tls), 0);
}

/* The other side does what it can, and is never cancelled. */
WEFT_ASYNC(serves)
{
    char line[64];
    ssize_t n =
        weft_stream_start_tls(there, tls, &(weft_start_tls_options){ .side = WEFT_TLS_SERVER });

    while (n >= 0 && (n = weft_stream_readline(there, line, sizeof line)) > 0) {
        n = weft_stream_write(there, line, (size_t)n);
    }
    (void)weft_stream_close(there);
    return 0;
}

static int talk(void)
{
    weft_start_tls_options named = { .server_name = "server.test" };
    char line[64];
    int r = weft_stream_start_tls(here, tls, &named);

    for (int i = 0; i < 3 && r >= 0; i++) {
        r = (int)weft_stream_write(here, "hello\n", 6);
        r = r < 0 ? r : (int)weft_stream_readline(here, line, sizeof line);
        CHECK(r < 0 || (r == 6 && memcmp(line, "hello\n", 6) == 0));
    }
    r = r < 0 ? r : weft_stream_write_eof(here);
    r = r < 0 ? r : (int)weft_stream_read(here, line, sizeof line);
    return r;
}

WEFT_ASYNC(talks)
{
    weft_stream *ends[2];
    weft_task *task;
    weft_shield shield;
    int r;

    make_context();
    EQUAL(weft_stream_pair(300, ends), 0); /* less than a handshake: both wait in the middle */
    here = ends[0];
    there = ends[1];
    task = weft_create_task(serves(), NULL);
    r = talk();
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    (void)weft_stream_abort(here);
    EQUAL(weft_await(task), 0);
    (void)weft_shield_exit(&shield, 0);
    tls = weft_tls_unref(tls);
    return r;
}

ALONE(a_cancel_at_any_step_leaves_nothing_behind)
{
    AT_EVERY_STEP(talks, 0, -ECANCELED);
}

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_leaves_nothing_behind),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(tls_steps, tests)
