/* SPDX-License-Identifier: MIT
 * What becomes of a stream whose other end is reset, in whatever it does at that moment. */
#include "core/base/mem.h"
#include "tests/task/ends.h"

#include <stdio.h>
#include <unistd.h>

/* Over what knows a reset: memory, Unix sockets, TCP. */
#define OVER_SOCKETS(name) OVER_EACH(name, PIPES)

/* Has `there` end so that `here` learns of it.  TCP sends a reset; a Unix socket is reset when it
 * is closed while something is in it that was not read. */
static void reset(int beneath)
{
    if (beneath == UNIX) {
        EQUAL(weft_stream_write(here, "unread", 6), 6);
    }
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
}

/* ---- what a reader is told stays ---- */

/* All that reads, where nothing is kept. */
static void every_read_gives(int error)
{
    const struct iovec any[] = { { (void *)"\n", 1 }, { (void *)";", 1 } };
    const char *data = NULL;
    weft_buffer all = { 0 };

    EQUAL(weft_stream_read(here, got, sizeof got), error);
    EQUAL(weft_stream_readexactly(here, got, 3), error);
    EQUAL(weft_stream_readline(here, got, sizeof got), error);
    EQUAL(weft_stream_readuntil(here, "\n", 1, got, sizeof got), error);
    EQUAL(weft_stream_readuntil_any(here, any, 2, got, sizeof got), error);
    EQUAL(weft_stream_peek(here, 1, &data), error);
    EQUAL(weft_stream_peek_until(here, "\n", 1, &data), error);
    CHECK(data == NULL);
    EQUAL(weft_stream_read_all(here, 100, &all), error);
    EQUAL(all.len, 0);
    weft_buffer_clear(&all);
    EQUAL(weft_stream_consume(here, 1), -EINVAL);
    EQUAL(weft_stream_at_eof(here), false);
}

OVER_SOCKETS(every_read_is_told_again_and_again)
{
    reset(beneath);
    every_read_gives(-ECONNRESET);
    every_read_gives(-ECONNRESET);
    EQUAL(weft_stream_read(here, got, 0), 0);
}

/* What is told first by each of them is what the next one is told. */
OVER_SOCKETS(whoever_is_told_first_it_stays)
{
    const char *data;
    weft_buffer all = { 0 };

    for (int first = 0; first < 5; first++) {
        if (first > 0) {
            weft_stream_close(here);
            open_ends(beneath);
        }
        reset(beneath);
        EQUAL(first == 0 ? weft_stream_readexactly(here, got, 3) :
              first == 1 ? weft_stream_readline(here, got, 3) :
              first == 2 ? weft_stream_peek(here, 1, &data) :
              first == 3 ? weft_stream_peek_until(here, "\n", 1, &data) :
                           weft_stream_read_all(here, 100, &all),
              -ECONNRESET);
        every_read_gives(-ECONNRESET);
    }
    weft_buffer_clear(&all);
}

static void keep(const char *text)
{
    const char *data;

    say(text);
    EQUAL(weft_stream_peek(here, strlen(text), &data), (ssize_t)strlen(text));
}

OVER_SOCKETS(what_was_kept_is_read_first)
{
    const char *data;

    keep("one\nrest");
    reset(beneath);
    READS(weft_stream_readline(here, got, sizeof got), "one\n");
    EQUAL(weft_stream_readline(here, got, sizeof got), -ECONNRESET);
    EQUAL(weft_stream_readexactly(here, got, 5), -ECONNRESET);
    EQUAL(weft_stream_readuntil(here, ";", 1, got, sizeof got), -ECONNRESET);
    EQUAL(weft_stream_peek(here, 5, &data), -ECONNRESET);
    EQUAL(weft_stream_peek(here, 4, &data), 4);
    EQUAL(memcmp(data, "rest", 4), 0);
    EQUAL(weft_stream_consume(here, 1), 0);
    READS(weft_stream_readexactly(here, got, 2), "es");
    READS(weft_stream_read(here, got, sizeof got), "t");
    every_read_gives(-ECONNRESET);
}

OVER_SOCKETS(what_was_kept_goes_into_the_buffer_beside_the_error)
{
    weft_buffer all = { 0 };

    keep("kept");
    reset(beneath);
    EQUAL(weft_stream_read_all(here, 100, &all), -ECONNRESET);
    SAME(all.data, "kept");
    weft_buffer_clear(&all);
    every_read_gives(-ECONNRESET);
}

/* ---- both directions are told the same ---- */

static ssize_t sends_file(void)
{
    FILE *file = tmpfile();
    off_t offset = 0;
    ssize_t n;

    fputs("0123456789", file);
    fflush(file);
    n = weft_stream_sendfile(there ? there : here, fileno(file), &offset, 10);
    fclose(file);
    return n;
}

OVER_SOCKETS(who_writes_is_told_what_a_read_was)
{
    reset(beneath);
    EQUAL(weft_stream_read(here, got, sizeof got), -ECONNRESET);
    EQUAL(weft_stream_write(here, "x", 1), -ECONNRESET);
    EQUAL(weft_stream_drain(here), -ECONNRESET);
    EQUAL(sends_file(), -ECONNRESET);
    EQUAL(weft_stream_write_eof(here), -ECONNRESET);
    EQUAL(weft_stream_write(here, "x", 1), -ECONNRESET);
    EQUAL(weft_stream_close(here), 0); /* nothing was queued, and it was told */
    here = NULL;
}

/* The system tells a reset once: to a write, here; it must not look like an end to who reads. */
OVER_SOCKETS(who_reads_is_told_what_a_write_was)
{
    ssize_t n;

    reset(beneath);
    n = weft_stream_write(here, "x", 1);
    EQUAL(n, beneath == UNIX ? -EPIPE : -ECONNRESET);
    EQUAL(weft_stream_write(here, "x", 1), n);
    every_read_gives(-ECONNRESET);
}

OVER_SOCKETS(who_reads_is_told_what_sendfile_was)
{
    ssize_t n;

    reset(beneath);
    n = sends_file();
    EQUAL(n, beneath == UNIX ? -EPIPE : -ECONNRESET);
    EQUAL(weft_stream_write(here, "x", 1), n);
    every_read_gives(-ECONNRESET);
}

/* What the other end sent, and that this was all, is true also when it does not take an answer. */
OVER_SOCKETS(an_end_that_has_come_is_an_end_after_a_reset)
{
    ssize_t n = 0;

    say("all");
    EQUAL(weft_stream_write_eof(there), 0);
    COMES(here, "all");
    EQUAL(weft_stream_read(here, got, sizeof got), 0);
    reset(beneath);
    for (int i = 0; i < 100 && n >= 0; i++) {
        n = weft_stream_write(here, "x", 1);
    }
    EQUAL(n, -EPIPE);
    EQUAL(weft_stream_read(here, got, sizeof got), 0);
    EQUAL(weft_stream_at_eof(here), true);
}

/* ---- which errors stay ---- */

ON_REAL(an_error_of_the_connection_stays)
{
    static const int errors[] = { -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -ECONNABORTED };

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        open_ends(TCP);
        say("behind it");
        weft__fault_arm(0, errors[i]);
        every_read_gives(errors[i]);
        CHECK(weft__fault_arm(-1, 0) < 0);
        EQUAL(weft_stream_write(here, "x", 1), errors[i]);
        weft_stream_close(here);
        weft_stream_close(there);
    }
}

/* The other direction may be another file, as with a terminal's. */
ON_REAL(an_error_of_the_file_stays_in_its_direction)
{
    open_ends(UNIX);
    weft__fault_arm(0, -EIO);
    every_read_gives(-EIO);
    EQUAL(weft_stream_write(here, "x", 1), 1);
    weft_stream_close(here);
    weft_stream_close(there);
}

ON_REAL(an_error_that_passes_does_not_stay)
{
    static const int errors[] = { -ENOMEM, -ENOBUFS, -EFAULT };

    open_ends(TCP);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        say("still there");
        weft__fault_arm(0, errors[i]);
        EQUAL(weft_stream_read(here, got, sizeof got), errors[i]);
        COMES(here, "still there");
        weft__fault_arm(0, errors[i]);
        EQUAL(weft_stream_write(there, "not gone", 8), errors[i]);
        say("gone");
        COMES(here, "gone");
    }
    weft_stream_close(here);
    weft_stream_close(there);
}

static CU_TestInfo tests[] = {
    TEST(every_read_is_told_again_and_again),
    TEST(whoever_is_told_first_it_stays),
    TEST(what_was_kept_is_read_first),
    TEST(what_was_kept_goes_into_the_buffer_beside_the_error),
    TEST(who_writes_is_told_what_a_read_was),
    TEST(who_reads_is_told_what_a_write_was),
    TEST(who_reads_is_told_what_sendfile_was),
    TEST(an_end_that_has_come_is_an_end_after_a_reset),
    TEST(an_error_of_the_connection_stays),
    TEST(an_error_of_the_file_stays_in_its_direction),
    TEST(an_error_that_passes_does_not_stay),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(reset, tests)
