/* SPDX-License-Identifier: MIT
 * What becomes of a stream whose other end is reset, in whatever it does at that moment. */
#include "core/base/mem.h"
#include "tests/task/ends.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Over what knows a reset: memory, Unix sockets, TCP. */
#define OVER_SOCKETS(name) OVER_EACH(name, PIPES)

/* What a write is told when the other end has gone that had ended its own half: with TLS the system
 * knows nothing of that half. */
#ifdef ENDS_TLS
#define NOBODY_READS (beneath == UNIX ? -EPIPE : -ECONNRESET)
#else
#define NOBODY_READS (-EPIPE)
#endif

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
    weft_stream_stats stats;

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
    EQUAL(weft_stream_statistics(here, &stats), 0);
    EQUAL(stats.error, error);
}

OVER_SOCKETS(every_read_is_told_again_and_again)
{
    weft_stream_stats stats;
    weft_address peer;

    EQUAL(weft_stream_statistics(here, &stats), 0);
    EQUAL(stats.error, 0);
    reset(beneath);
    every_read_gives(-ECONNRESET);
    every_read_gives(-ECONNRESET);
    EQUAL(weft_stream_read(here, got, 0), 0);
    if (beneath == TCP) { /* ask before, and keep it */
        EQUAL(weft_stream_peername(here, &peer), -ENOTCONN);
    }
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
    EQUAL(n, NOBODY_READS);
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

#ifndef ENDS_TLS /* which has taken the bytes by then */
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
#endif

/* ---- in whatever it is ---- */

#define MUCH 3000000
static char much[MUCH];

WEFT_ASYNC(in_read)
{
    return (int)weft_stream_read(here, got, sizeof got);
}

WEFT_ASYNC(in_readexactly)
{
    return (int)weft_stream_readexactly(here, got, 20);
}

WEFT_ASYNC(in_readline)
{
    return (int)weft_stream_readline(here, got, sizeof got);
}

WEFT_ASYNC(in_readuntil)
{
    return (int)weft_stream_readuntil(here, "end", 3, got, sizeof got);
}

WEFT_ASYNC(in_read_all)
{
    weft_buffer all = { 0 };
    int r = weft_stream_read_all(here, MUCH, &all);

    weft_buffer_clear(&all);
    return r;
}

WEFT_ASYNC(in_peek)
{
    const char *data;

    return (int)weft_stream_peek(here, 20, &data);
}

WEFT_ASYNC(in_peek_until)
{
    const char *data;

    return (int)weft_stream_peek_until(here, "end", 3, &data);
}

WEFT_ASYNC(in_write)
{
    return (int)weft_stream_write(here, much, sizeof much);
}

/* Has what a cancelled write left queued. */
static void leave_much(void)
{
    weft_task *task = weft_create_task(in_write(), NULL);

    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), MUCH);
}

WEFT_ASYNC(in_write_behind)
{
    leave_much();
    return (int)weft_stream_write(here, "x", 1);
}

WEFT_ASYNC(in_drain)
{
    leave_much();
    return weft_stream_drain(here);
}

WEFT_ASYNC(in_write_eof)
{
    leave_much();
    return weft_stream_write_eof(here);
}

WEFT_ASYNC(in_sendfile)
{
    FILE *file = tmpfile();
    off_t offset = 0;
    ssize_t n;

    EQUAL(ftruncate(fileno(file), MUCH), 0);
    n = weft_stream_sendfile(here, fileno(file), &offset, MUCH);
    CHECK(offset > 0 && offset < MUCH); /* so much of it has gone */
    fclose(file);
    return (int)n;
}

OVER_SOCKETS(who_waits_to_read_is_told)
{
    static weft_coro *(*const states[])(void) = {
        in_read, in_readexactly, in_readline, in_readuntil, in_read_all, in_peek, in_peek_until,
    };

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        weft_task *task = weft_create_task(states[i](), NULL);

        until_someone_reads(here);
        reset(beneath);
        EQUAL(weft_await(task), -ECONNRESET);
        every_read_gives(-ECONNRESET);
        EQUAL(weft_stream_write(here, "x", 1), -ECONNRESET);
        EQUAL(weft_stream_close(here), 0);
        open_ends(beneath);
    }
}

/* What had come to it is still there. */
OVER_SOCKETS(who_waits_for_more_keeps_what_came)
{
    static weft_coro *(*const states[])(void) = {
        in_readexactly, in_readline, in_readuntil, in_peek, in_peek_until,
    };

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        weft_task *task = weft_create_task(states[i](), NULL);

        say("some");
        weft_sleep(0.001);
        reset(beneath);
        EQUAL(weft_await(task), -ECONNRESET);
        READS(weft_stream_read(here, got, sizeof got), "some");
        every_read_gives(-ECONNRESET);
        EQUAL(weft_stream_close(here), 0);
        open_ends(beneath);
    }
}

/* A Unix socket tells its writer that nobody reads, and its reader of the reset. */
OVER_SOCKETS(who_waits_to_write_is_told)
{
    static weft_coro *(*const states[])(void) = {
        in_write, in_write_behind, in_drain, in_write_eof, in_sendfile,
    };
    int error = beneath == UNIX ? -EPIPE : -ECONNRESET;

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        weft_task *task = weft_create_task(states[i](), NULL);

        weft_sleep(0.005);
        CHECK(!weft_task_done(task));
        EQUAL(weft_stream_abort(there), 0);
        EQUAL(weft_await(task), error);
        EQUAL(weft_stream_write(here, "x", 1), error);
        EQUAL(weft_stream_drain(here), error);
        EQUAL(weft_stream_write_eof(here), error);
        every_read_gives(-ECONNRESET);
        EQUAL(weft_stream_close(here), 0);
        open_ends(beneath);
    }
}

/* Who reads and who writes, several of them, all wait at that moment. */
OVER_SOCKETS(all_who_wait_are_told_the_same)
{
    weft_task *reader = weft_create_task(in_read(), NULL);
    weft_task *writers[3];
    int error = beneath == UNIX ? -EPIPE : -ECONNRESET;

    for (int i = 0; i < 3; i++) {
        writers[i] = weft_create_task(in_write(), NULL);
    }
    weft_sleep(0.001);
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
    EQUAL(weft_await(reader), -ECONNRESET);
    for (int i = 0; i < 3; i++) {
        int r = weft_await(writers[i]);

        CHECK(r == error || r == -ECONNRESET);
    }
}

WEFT_ASYNC(in_close)
{
    int r;

    leave_much();
    r = weft_stream_close(here);
    here = NULL;
    return r;
}

OVER_SOCKETS(who_waits_to_close_is_told_and_it_is_closed)
{
    weft_stream *closed = here;
    weft_task *task = weft_create_task(in_close(), NULL);

    weft_sleep(0.005);
    CHECK(!weft_task_done(task));
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
    EQUAL(weft_await(task), beneath == UNIX ? -EPIPE : -ECONNRESET);
    EQUAL(weft_stream_read(closed, got, 1), -EBADF);
}

/* The error of what was queued is told once: by the next call that writes, or by the close. */
OVER_SOCKETS(what_was_queued_in_vain_is_told_by_the_close)
{
    leave_much();
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
    weft_sleep(0.005);
    EQUAL(weft_stream_close(here), beneath == UNIX ? -EPIPE : -ECONNRESET);
    here = NULL;
}

OVER_SOCKETS(after_write_eof_the_reader_is_told)
{
    weft_task *task;

    EQUAL(weft_stream_write(here, "all", 3), 3);
    EQUAL(weft_stream_write_eof(here), 0);
    task = weft_create_task(in_readline(), NULL);
    until_someone_reads(here);
    EQUAL(weft_stream_abort(there), 0); /* with what it did not read */
    there = NULL;
    EQUAL(weft_await(task), -ECONNRESET);
    every_read_gives(-ECONNRESET);
    EQUAL(weft_stream_write_eof(here), 0); /* as it was said before */
    EQUAL(weft_stream_close(here), 0);
    here = NULL;
}

/* The other end has said that it is through, and goes while this one still writes. */
OVER_SOCKETS(a_half_that_is_open_is_reset)
{
    weft_task *task;

    say("all");
    EQUAL(weft_stream_write_eof(there), 0);
    COMES(here, "all");
    EQUAL(weft_stream_read(here, got, sizeof got), 0);
    task = weft_create_task(in_write(), NULL);
    weft_sleep(0.005);
    CHECK(!weft_task_done(task));
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
    EQUAL(weft_await(task), NOBODY_READS);
    EQUAL(weft_stream_read(here, got, sizeof got), 0); /* the end is still the end */
}

/* ---- before there is a stream ---- */

static void reset_at_once(void *listener)
{
    struct linger linger = { .l_onoff = 1 };
    int fd = accept4(*(int *)listener, NULL, NULL, SOCK_CLOEXEC);

    EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* The connect has seen it, or else the first read does. */
ON_REAL(a_reset_in_connect_is_told_by_it_or_by_the_first_read)
{
    struct sockaddr_in address;
    int listener = listen_tcp(&address);
    int r;

    EQUAL(weft_loop_add_reader(NULL, listener, reset_at_once, &listener), 0);
    r = weft_open_connection("127.0.0.1", ntohs(address.sin_port), NULL, &here);
    if (r == 0) {
        every_read_gives(-ECONNRESET);
        EQUAL(weft_stream_close(here), 0);
    } else {
        EQUAL(r, -ECONNRESET);
    }
    EQUAL(weft_loop_remove_reader(NULL, listener), 1);
    EQUAL(weft_close(listener), 0);
}

static int first_word;

WEFT_ASYNC(listens_to, (weft_stream *, client), (void *, user))
{
    ssize_t n = weft_stream_read(client, got, sizeof got);

    (void)user;
    first_word = (int)n;
    return n < 0 ? (int)n : (int)weft_stream_write(client, got, (size_t)n);
}

static weft_server *serve(void)
{
    weft_server *server = NULL;

    first_word = INT_MAX;
    EQUAL(weft_start_server(listens_to, NULL, "127.0.0.1", 0, NULL, &server), 0);
    return server;
}

/* A socket that is connected to the server, which has not accepted it yet. */
static int connect_to(weft_server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)weft_server_port(server)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void reset_socket(int fd)
{
    struct linger linger = { .l_onoff = 1 };

    EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* Its handler is told; a server reports nothing that its client has done. */
ON_REAL(a_client_that_resets_before_it_is_accepted_harms_nobody)
{
    weft_server *server = serve();
    int fd = connect_to(server);

    reset_socket(fd);
    while (first_word == INT_MAX) {
        weft_sleep(0);
    }
    EQUAL(first_word, -ECONNRESET);
    EQUAL(reports_left(), 0);
    fd = connect_to(server);
    EQUAL(weft_stream_open_fd(fd, NULL, &here), 0);
    EQUAL(weft_stream_write(here, "next", 4), 4);
    COMES(here, "next");
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_server_close(server), 0);
}

WEFT_ASYNC(drains, (weft_server *, server))
{
    return weft_server_drain(server, INFINITY);
}

ON_REAL(a_server_that_waits_for_its_clients_ends_by_their_reset)
{
    weft_server *server = serve();
    int fd = connect_to(server);
    weft_task *task;

    while (weft_server_clients(server) == 0) {
        weft_sleep(0);
    }
    EQUAL(weft_server_stop(server), 0);
    task = weft_create_task(drains(server), NULL);
    weft_sleep(0.001);
    CHECK(!weft_task_done(task));
    reset_socket(fd);
    EQUAL(weft_await(task), 0);
    EQUAL(first_word, -ECONNRESET);
    EQUAL(weft_server_close(server), 0);
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
#ifndef ENDS_TLS
    TEST(an_error_that_passes_does_not_stay),
#endif
    TEST(who_waits_to_read_is_told),
    TEST(who_waits_for_more_keeps_what_came),
    TEST(who_waits_to_write_is_told),
    TEST(all_who_wait_are_told_the_same),
    TEST(who_waits_to_close_is_told_and_it_is_closed),
    TEST(what_was_queued_in_vain_is_told_by_the_close),
    TEST(after_write_eof_the_reader_is_told),
    TEST(a_half_that_is_open_is_reset),
    TEST(a_reset_in_connect_is_told_by_it_or_by_the_first_read),
    TEST(a_client_that_resets_before_it_is_accepted_harms_nobody),
    TEST(a_server_that_waits_for_its_clients_ends_by_their_reset),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(reset, tests)
