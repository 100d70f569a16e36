/* SPDX-License-Identifier: MIT
 * Streams: what is read and written, over each kind of thing that can lie beneath. */
#include "tests/task/ends.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

OVER_EACH(what_is_written_is_read, BENEATH)
{
    weft_task *task;

    say("abc");
    COMES(here, "ab");
    COMES(here, "c");
    for (int i = 0; i < 3; i++) {
        task = say_later("later");
        COMES(here, "later");
        EQUAL(weft_await(task), 5);
    }
    EQUAL(weft_stream_read(here, got, 0), 0);
    EQUAL(weft_stream_at_eof(here), false);
    EQUAL(weft_stream_write(there, NULL, 0), 0);
}

OVER_EACH(the_end_is_read_again_and_again, BENEATH)
{
    say("x");
    EQUAL(weft_stream_write_eof(there), 0);
    EQUAL(weft_stream_write_eof(there), 0);
    EQUAL(weft_stream_write(there, "y", 1), -EPIPE);
    COMES(here, "x");
    EQUAL(weft_stream_read(here, got, 64), 0);
    EQUAL(weft_stream_read(here, got, 64), 0);
    EQUAL(weft_stream_at_eof(here), true);
    if (beneath != PIPES) { /* half closed: the other direction goes on */
        EQUAL(weft_stream_write(here, "back", 4), 4);
        COMES(there, "back");
    }
}

OVER_EACH(the_end_comes_to_who_waits, BENEATH)
{
    weft_task *task = say_later("end");

    COMES(here, "end");
    EQUAL(weft_await(task), 3);
    EQUAL(weft_loop_call_later(NULL, 0.0005, (weft_callback *)(void (*)(void))weft_stream_close,
                               there, NULL),
          0);
    EQUAL(weft_stream_read(here, got, 64), 0);
    there = NULL;
}

OVER_EACH(lines_are_read_as_they_are, BENEATH)
{
    say("one\ntwo\n\nrest");
    READS(weft_stream_readline(here, got, sizeof got), "one\n");
    READS(weft_stream_readline(here, got, sizeof got), "two\n");
    READS(weft_stream_readline(here, got, sizeof got), "\n");
    weft_stream_write_eof(there);
    READS(weft_stream_readline(here, got, sizeof got), "rest");
    EQUAL(weft_stream_readline(here, got, sizeof got), 0);
}

OVER_EACH(a_line_may_come_in_pieces, BENEATH)
{
    weft_task *task;

    say("on");
    task = say_later("e\ntw");
    READS(weft_stream_readline(here, got, sizeof got), "one\n");
    weft_await(task);
    task = say_later("o\n");
    READS(weft_stream_readline(here, got, sizeof got), "two\n");
    weft_await(task);
}

OVER_EACH(a_line_that_is_too_long_is_still_there, BENEATH)
{
    say("0123456789\n");
    EQUAL(weft_stream_readline(here, got, 5), -EMSGSIZE);
    EQUAL(weft_stream_readline(here, got, 10), -EMSGSIZE);
    READS(weft_stream_readline(here, got, 11), "0123456789\n");
    say("012345");
    EQUAL(weft_stream_readline(here, got, 5), -EMSGSIZE);
    READS(weft_stream_readexactly(here, got, 6), "012345");
}

OVER_EACH(the_last_line_may_fill_the_room, BENEATH)
{
    weft_task *task;

    say("0123");
    task = say_later("4"); /* a line of 5: only the end tells that it is whole */
    EQUAL(weft_stream_readline(here, got, 4), -EMSGSIZE);
    weft_await(task);
    weft_stream_write_eof(there);
    EQUAL(weft_stream_readline(here, got, 4), -EMSGSIZE);
    READS(weft_stream_readline(here, got, 5), "01234");
    EQUAL(weft_stream_readline(here, got, 5), 0);
    EQUAL(weft_stream_readline(here, got, 0), 0);
}

IN_TASK(a_line_over_the_limit_is_an_error_and_no_memory)
{
    weft_stream_stats stats;
    weft_stream *ends[2];
    static char block[200000];
    weft_buffer all = { 0 };

    EQUAL(weft_stream_pair(sizeof block, ends), 0);
    memset(block, 'x', sizeof block);
    EQUAL(weft_stream_write(ends[1], block, sizeof block), (ssize_t)sizeof block);
    EQUAL(weft_stream_readline(ends[0], block, sizeof block), -EMSGSIZE);
    EQUAL(weft_stream_statistics(ends[0], &stats), 0);
    EQUAL(stats.kept, WEFT_STREAM_LIMIT + 1); /* there might have been a newline */
    weft_stream_close(ends[1]);
    EQUAL(weft_stream_read_all(ends[0], sizeof block, &all), 0);
    EQUAL(all.len, sizeof block);
    EQUAL(weft_stream_statistics(ends[0], &stats), 0);
    EQUAL(stats.kept, 0);
    weft_buffer_clear(&all);
    weft_stream_close(ends[0]);
}

/* As in asyncio the limit is for what comes before the newline, or the end. */
IN_TASK(a_line_may_be_as_long_as_the_limit)
{
    const weft_stream_options ten = { .limit = 10 };

    for (int i = UNIX; i < BENEATH && has_descriptors(); i++) {
        const char *data;

        open_ends_with(i, &ten);
        say("0123456789\n0123456789x\n");
        READS(weft_stream_readline(here, got, sizeof got), "0123456789\n");
        EQUAL(weft_stream_readline(here, got, sizeof got), -EMSGSIZE);
        EQUAL(weft_stream_readuntil(here, "\n", 1, got, sizeof got), -EMSGSIZE);
        EQUAL(weft_stream_peek_until(here, "\n", 1, &data), -EMSGSIZE);
        READS(weft_stream_readuntil(here, "x\n", 2, got, sizeof got), "0123456789x\n");
        say("0123456789");
        EQUAL(weft_stream_peek(here, 10, &data), 10);
        EQUAL(weft_stream_peek(here, 11, &data), -EMSGSIZE);
        weft_stream_write_eof(there);
        EQUAL(weft_stream_readuntil(here, "\n", 1, got, sizeof got), -ENODATA);
        READS(weft_stream_readline(here, got, 10), "0123456789");
        EQUAL(weft_stream_readline(here, got, 10), 0);
        weft_stream_close(here);
        weft_stream_close(there);
        open_ends_with(i, &ten);
        say("0123456789x");
        weft_stream_write_eof(there);
        EQUAL(weft_stream_readline(here, got, sizeof got), -EMSGSIZE);
        COMES(here, "0123456789x");
        weft_stream_close(here);
        weft_stream_close(there);
    }
}

OVER_EACH(separators_of_any_length, BENEATH)
{
    const struct iovec any[] = { { (void *)"\r\n", 2 }, { (void *)"\n", 1 }, { (void *)";;", 2 } };
    weft_task *task;

    say("a\r");
    task = say_later("\nb\nc;");
    READS(weft_stream_readuntil(here, "\r\n", 2, got, sizeof got), "a\r\n");
    weft_await(task);
    READS(weft_stream_readuntil_any(here, any, 3, got, sizeof got), "b\n");
    task = say_later(";d\r\n");
    READS(weft_stream_readuntil_any(here, any, 3, got, sizeof got), "c;;");
    READS(weft_stream_readuntil_any(here, any, 3, got, sizeof got), "d\r\n");
    weft_await(task);
    say("tail");
    weft_stream_write_eof(there);
    EQUAL(weft_stream_readuntil(here, "\n", 1, got, sizeof got), -ENODATA);
    COMES(here, "tail");
    EQUAL(weft_stream_readuntil(here, "\n", 1, got, sizeof got), -ENODATA);
    EQUAL(weft_stream_readuntil(here, "", 0, got, sizeof got), -EINVAL);
    EQUAL(weft_stream_readuntil_any(here, any, 0, got, sizeof got), -EINVAL);
}

OVER_EACH(exactly_so_many_bytes, BENEATH)
{
    weft_task *task;

    say("ab\nc");
    READS(weft_stream_readline(here, got, sizeof got), "ab\n");
    task = say_later("defg");
    READS(weft_stream_readexactly(here, got, 3), "cde");
    weft_await(task);
    EQUAL(weft_stream_readexactly(here, got, 0), 0);
    weft_stream_write_eof(there);
    EQUAL(weft_stream_readexactly(here, got, 3), -ENODATA);
    READS(weft_stream_readexactly(here, got, 2), "fg");
    EQUAL(weft_stream_readexactly(here, got, 1), -ENODATA);
}

OVER_EACH(peeking_takes_nothing, BENEATH)
{
    const char *data;
    weft_task *task;

    EQUAL(weft_stream_peek(here, 0, &data), 0);
    say("abc");
    CHECK(weft_stream_peek(here, 2, &data) >= 2);
    EQUAL(weft_stream_peek(here, 3, &data), 3);
    EQUAL(memcmp(data, "abc", 3), 0);
    EQUAL(weft_stream_consume(here, 4), -EINVAL);
    EQUAL(weft_stream_consume(here, 1), 0);
    task = say_later("d\ne");
    EQUAL(weft_stream_peek_until(here, "\n", 1, &data), 4);
    EQUAL(memcmp(data, "bcd\n", 4), 0);
    weft_await(task);
    EQUAL(weft_stream_consume(here, 4), 0);
    weft_stream_write_eof(there);
    EQUAL(weft_stream_peek(here, 5, &data), 1);
    EQUAL(weft_stream_peek_until(here, "\n", 1, &data), -ENODATA);
    EQUAL(weft_stream_peek(here, 1000000, &data), -EMSGSIZE);
    COMES(here, "e");
    EQUAL(weft_stream_peek(here, 1, &data), 0);
}

OVER_EACH(all_with_a_limit, BENEATH)
{
    weft_buffer all = { 0 };

    say("0123456789");
    weft_stream_write_eof(there);
    EQUAL(weft_stream_read_all(here, 4, &all), -EMSGSIZE);
    EQUAL(all.len, 4);
    EQUAL(weft_stream_read_all(here, 6, &all), 0);
    EQUAL(all.len, 10);
    SAME(all.data, "0123456789");
    weft_buffer_clear(&all);
}

/* Much. */

#define MUCH 3000000

WEFT_ASYNC(writes_much)
{
    unsigned char *block = malloc(MUCH);
    ssize_t n;

    for (size_t i = 0; i < MUCH; i++) {
        block[i] = (unsigned char)(i * 7 + i / 256);
    }
    n = weft_stream_write(there, block, MUCH);
    free(block);
    return n == MUCH ? weft_stream_write_eof(there) : (int)n;
}

static size_t check_much(void)
{
    static unsigned char block[100000];
    size_t at = 0, wrong = 0;
    ssize_t n;

    while ((n = weft_stream_read(here, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++) {
            wrong += block[i] != (unsigned char)(at * 7 + at / 256);
        }
    }
    EQUAL(n, 0);
    EQUAL(wrong, 0);
    return at;
}

OVER_EACH(a_write_waits_while_the_reader_is_slow, BENEATH)
{
    weft_task *task = weft_create_task(writes_much(), NULL);

    weft_sleep(0.001);
    CHECK(!weft_task_done(task));
    EQUAL(check_much(), MUCH);
    EQUAL(weft_await(task), 0);
}

OVER_EACH(a_cancelled_write_that_has_begun_goes_on_by_itself, BENEATH)
{
    weft_task *task = weft_create_task(writes_much(), NULL);
    weft_stream_stats stats;

    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED); /* the write was whole; its write_eof was not */
    EQUAL(weft_stream_statistics(there, &stats), 0);
    CHECK(stats.queued > 0);
    task = say_later("tail");
    for (size_t at = 0; at < MUCH;) {
        ssize_t n = weft_stream_read(here, got, sizeof got);

        CHECK(n > 0);
        at += (size_t)n;
        if (at > MUCH) {
            EQUAL(memcmp(got + n - (at - MUCH), "tail", at - MUCH), 0);
        }
        if (n <= 0) {
            break;
        }
    }
    EQUAL(weft_await(task), 4);
    EQUAL(weft_stream_drain(there), 0);
    EQUAL(weft_stream_statistics(there, &stats), 0);
    EQUAL(stats.queued, 0);
}

WEFT_ASYNC(fills)
{
    static char block[MUCH];

    return weft_stream_write(there, block, MUCH) == MUCH ? 0 : -EIO;
}

OVER_EACH(closing_while_cancelled_resets_and_always_closes, BENEATH)
{
    weft_task *task = weft_create_task(fills(), NULL);
    weft_scope scope;

    weft_sleep(0.001);
    weft_task_cancel(task);
    weft_await(task);
    EQUAL(weft_scope_enter(&scope), 0);
    weft_scope_cancel(&scope, NULL);
    EQUAL(weft_stream_close(there), -ECANCELED);
    (void)weft_scope_exit(&scope, 0);
    there = NULL;
    for (;;) {
        ssize_t n = weft_stream_read(here, got, sizeof got);

        if (n <= 0) {
            EQUAL(n, tells_of_resets(beneath) ? -ECONNRESET : 0);
            break;
        }
    }
}

WEFT_ASYNC(takes_all)
{
    size_t at = 0;
    ssize_t n;

    while ((n = weft_stream_read(here, got, sizeof got)) > 0) {
        at += (size_t)n;
    }
    return n < 0 ? (int)n : (int)at;
}

OVER_EACH(closing_sends_what_is_queued_first, BENEATH)
{
    weft_task *task = weft_create_task(fills(), NULL), *reader;

    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), 0);
    reader = weft_create_task(takes_all(), NULL);
    EQUAL(weft_stream_close(there), 0);
    there = NULL;
    EQUAL(weft_await(reader), MUCH);
}

WEFT_ASYNC(writes_block, (char, c))
{
    static char blocks[26][200000];

    memset(blocks[c - 'a'], c, sizeof blocks[0]);
    return weft_stream_write(there, blocks[c - 'a'], sizeof blocks[0]) == sizeof blocks[0] ? 0 :
                                                                                          -EIO;
}

OVER_EACH(writes_of_several_tasks_do_not_mix, BENEATH)
{
    weft_task *tasks[4];
    int changes = 0;
    char last = 0;

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(writes_block((char)('a' + i)), NULL);
    }
    for (size_t at = 0; at < 800000;) {
        ssize_t n = weft_stream_read(here, got, sizeof got);

        if (!check(n > 0, "n > 0", __FILE__, __LINE__)) {
            break;
        }
        for (ssize_t i = 0; i < n; i++) {
            changes += got[i] != last;
            last = got[i];
        }
        at += (size_t)n;
    }
    EQUAL(changes, 4);
    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
}

OVER_EACH(parts_are_written_in_one, BENEATH)
{
    struct iovec parts[40], zero[2] = { { NULL, 0 }, { NULL, 0 } };
    struct iovec odd[3] = { { (void *)"a", 1 }, { NULL, 0 }, { (void *)"b", 1 } };

    for (int i = 0; i < 40; i++) {
        parts[i] = (struct iovec){ .iov_base = (void *)"xy", .iov_len = (size_t)(i % 3) };
    }
    EQUAL(weft_stream_writev(there, parts, 40), 39);
    EQUAL(weft_stream_readexactly(here, got, 39), 39);
    EQUAL(memcmp(got, "xxyxxy", 6), 0);
    EQUAL(weft_stream_writev(there, odd, 3), 2);
    READS(weft_stream_readexactly(here, got, 2), "ab");
    EQUAL(weft_stream_writev(there, zero, 2), 0);
    EQUAL(weft_stream_writev(there, zero, 0), 0);
    EQUAL(weft_stream_writev(there, zero, -1), -EINVAL);
}

OVER_EACH(a_file_is_sent, BENEATH)
{
    FILE *file = tmpfile();
    off_t offset = 5;

    fputs("0123456789", file);
    fflush(file);
    EQUAL(weft_stream_sendfile(there, fileno(file), &offset, SIZE_MAX), 5);
    EQUAL(offset, 10);
    rewind(file);
    EQUAL(weft_stream_sendfile(there, fileno(file), NULL, 3), 3);
    EQUAL(lseek(fileno(file), 0, SEEK_CUR), 3);
    EQUAL(weft_stream_sendfile(there, -1, &offset, 3), -EBADF);
    READS(weft_stream_readexactly(here, got, 8), "56789012");
    fclose(file);
}

IN_TASK(who_never_waits_gives_way_all_the_same)
{
    weft_stream *ends[2];
    weft_task *task;
    const char *data;
    static char block[8000];
    FILE *file = tmpfile();
    off_t offset = 0;

    EQUAL(weft_stream_pair(0, ends), 0);
    EQUAL(fwrite(block, 1, sizeof block, file), sizeof block);
    fflush(file);
    task = weft_create_task(gives(0), NULL);
    for (int i = 0; i < 8000; i++) {
        EQUAL(weft_stream_sendfile(ends[1], fileno(file), &offset, 1), 1);
    }
    CHECK(weft_task_done(task));
    EQUAL(weft_await(task), 0);
    task = weft_create_task(gives(0), NULL);
    for (int i = 0; i < 4000; i++) {
        CHECK(weft_stream_peek(ends[0], 1, &data) > 0);
        EQUAL(weft_stream_consume(ends[0], 1), 0);
    }
    CHECK(weft_task_done(task));
    EQUAL(weft_await(task), 0);
    task = weft_create_task(gives(0), NULL);
    for (int i = 0; i < 4000; i++) {
        EQUAL(weft_stream_peek_until(ends[0], "", 1, &data), 1);
        EQUAL(weft_stream_consume(ends[0], 1), 0);
    }
    CHECK(weft_task_done(task));
    EQUAL(weft_await(task), 0);
    weft_stream_close(ends[0]);
    weft_stream_close(ends[1]);
    fclose(file);
}

WEFT_ASYNC(writes_the_end)
{
    return weft_stream_write_eof(there);
}

OVER_EACH(several_may_end_the_writing_while_much_is_queued, BENEATH)
{
    weft_task *task = weft_create_task(fills(), NULL), *first, *second;

    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), 0);
    first = weft_create_task(writes_the_end(), NULL);
    second = weft_create_task(writes_the_end(), NULL);
    give_way(2);
    task = weft_create_task(takes_all(), NULL);
    EQUAL(weft_await(first), 0);
    EQUAL(weft_await(second), 0);
    EQUAL(weft_await(task), MUCH);
}

/* Ends. */

OVER_EACH(writing_to_nobody_is_an_error, BENEATH)
{
    ssize_t n = 0;

    weft_stream_close(here);
    here = NULL;
    for (int i = 0; i < 100 && n >= 0; i++) {
        n = weft_stream_write(there, "x", 1);
        weft_sleep(0.0001);
    }
    CHECK(n == -EPIPE || n == -ECONNRESET);
    EQUAL(weft_stream_write(there, "x", 1), n);
    EQUAL(weft_stream_write_eof(there), n);
}

OVER_EACH(a_file_that_nobody_takes_is_an_error, BENEATH)
{
    FILE *file = tmpfile();
    off_t offset = 0;
    ssize_t n = 0;

    fputs("0123456789", file);
    fflush(file);
    weft_stream_close(here);
    here = NULL;
    for (int i = 0; i < 100 && n >= 0; i++) {
        offset = 0;
        n = weft_stream_sendfile(there, fileno(file), &offset, 10);
        weft_sleep(0.0001);
    }
    CHECK(n == -EPIPE || n == -ECONNRESET);
    fclose(file);
}

ON_REAL(a_descriptor_that_cannot_write_blocks_nobody)
{
    int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    off_t offset = 0;

    open_ends(PIPES);
    EQUAL(weft_stream_write(here, "x", 1), -EBADF);
    EQUAL(weft_stream_write(here, "x", 1), -EBADF);
    EQUAL(weft_stream_close(here), 0);
    weft_stream_close(there);
    open_ends(UNIX);
    EQUAL(weft_stream_sendfile(there, file, &offset, 3), -EBADF);
    say("x");
    COMES(here, "x");
    EQUAL(weft_stream_close(there), 0);
    weft_stream_close(here);
    close(file);
}

OVER_EACH(an_aborted_connection_is_told, MEMORY + 3)
{
    ssize_t n;

    say("unread");
    EQUAL(weft_stream_abort(there), 0);
    there = NULL;
    while ((n = weft_stream_read(here, got, sizeof got)) > 0) {
    }
    EQUAL(n, tells_of_resets(beneath) ? -ECONNRESET : 0);
}

WEFT_ASYNC(reads)
{
    char bytes[16];

    return (int)weft_stream_read(here, bytes, sizeof bytes);
}

OVER_EACH(closing_wakes_who_reads_and_who_writes, BENEATH)
{
    weft_task *reader = weft_create_task(reads(), NULL);
    weft_task *writer, *second;
    char c;

    until_someone_reads(here);
    EQUAL(weft_stream_read(here, &c, 1), -EBUSY);
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_stream_read(here, &c, 1), -EBADF);
    EQUAL(weft_await(reader), -EBADF);
    EQUAL(weft_stream_close(here), -EBADF);
    weft_stream_abort(there);
    open_ends(beneath);
    writer = weft_create_task(fills(), NULL);
    second = weft_create_task(fills(), NULL);
    weft_sleep(0.001);
    EQUAL(weft_stream_abort(there), 0);
    EQUAL(weft_await(writer), -EIO);
    EQUAL(weft_await(second), -EIO);
    there = NULL;
}

WEFT_ASYNC(reads_a_line)
{
    return (int)weft_stream_readline(here, got, sizeof got);
}

/* Or the line would be looked for behind what was taken. */
OVER_EACH(nobody_takes_what_another_looks_at, BENEATH)
{
    const char *data;
    weft_task *task;

    say("012345");
    task = weft_create_task(reads_a_line(), NULL);
    weft_sleep(0.001);
    EQUAL(weft_stream_consume(here, 6), -EBUSY);
    say("a\nb\n");
    READS(weft_await(task), "012345a\n");
    EQUAL(weft_stream_peek(here, 2, &data), 2);
    EQUAL(weft_stream_consume(here, 2), 0);
}

OVER_EACH(an_abort_gives_its_hold_back_also_after_another, BENEATH)
{
    EQUAL(weft_stream_ref(there) == there, true);
    EQUAL(weft_stream_ref(there) == there, true);
    EQUAL(weft_stream_abort(there), 0);
    EQUAL(weft_stream_ref(there) == there, true); /* closed, but not spent */
    EQUAL(weft_stream_abort(there), 0);
    EQUAL(weft_stream_close(there), 0);
    EQUAL(weft_stream_close(there), 0);
    EQUAL(weft_stream_close(there), -EBADF);
    EQUAL(weft_stream_abort(there), -EBADF);
    there = NULL;
}

WEFT_ASYNC(closes, (weft_stream *, stream))
{
    return weft_stream_close(stream);
}

OVER_EACH(a_close_that_waits_is_overtaken_by_an_abort, BENEATH)
{
    weft_task *task = weft_create_task(fills(), NULL);

    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), 0);
    task = weft_create_task(closes(there), NULL);
    weft_sleep(0.001);
    EQUAL(weft_stream_abort(there), 0);
    EQUAL(weft_await(task), -EBADF);
    EQUAL(weft_stream_close(there), -EBADF); /* spent, whoever of the two has spent it */
    there = NULL;
}

OVER_EACH(a_further_hold_keeps_it_open, BENEATH)
{
    SAME(weft_stream_ref(there) == there ? "same" : "other", "same");
    EQUAL(weft_stream_close(there), 0);
    say("still");
    COMES(here, "still");
}

/* Cancelled. */

WEFT_ASYNC(reads_exactly)
{
    char bytes[16];

    return (int)weft_stream_readexactly(here, bytes, sizeof bytes);
}

OVER_EACH(a_cancelled_read_loses_nothing, BENEATH)
{
    weft_task *task = weft_create_task(reads_exactly(), NULL);

    weft_sleep(0);
    say("0123");
    weft_sleep(0.001);
    say("4567");
    weft_sleep(0.001);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    say("89abcdef");
    READS(weft_stream_readexactly(here, got, 16), "0123456789abcdef");
}

/* Whoever closes a stream's descriptor takes it away, but not what had come. */
ON_REAL(a_read_whose_descriptor_is_closed_loses_nothing)
{
    const char *data;
    weft_task *task;

    open_ends(UNIX);
    say("kept");
    EQUAL(weft_stream_peek(here, 4, &data), 4);
    task = weft_create_task(reads_exactly(), NULL);
    until_someone_reads(here);
    EQUAL(weft_close(weft_stream_fd(here)), 0);
    EQUAL(weft_await(task), -EBADF);
    READS(weft_stream_read(here, got, sizeof got), "kept");
    EQUAL(weft_stream_read(here, got, sizeof got), -EBADF);
    weft_stream_close(here);
    weft_stream_close(there);
}

/* What can be asked. */

OVER_EACH(a_stream_tells_of_itself, BENEATH)
{
    weft_address address;
    weft_credentials peer;
    bool is_socket = beneath == UNIX || beneath == TCP;

    EQUAL(weft_stream_fd(here) >= 0, beneath != MEMORY);
    EQUAL(weft_stream_peername(here, &address), is_socket ? 0 : -EOPNOTSUPP);
    EQUAL(weft_stream_sockname(here, &address), is_socket ? 0 : -EOPNOTSUPP);
    if (is_socket) {
        EQUAL(address.family, beneath == TCP ? AF_INET : AF_UNIX);
    }
    EQUAL(weft_stream_credentials(here, &peer), beneath == UNIX ? 0 : -EOPNOTSUPP);
    if (beneath == UNIX) {
        EQUAL(peer.pid, getpid());
        EQUAL(peer.uid, getuid());
    }
}

IN_TASK(what_is_no_stream_is_an_error)
{
    weft_stream *ends[2];
    weft_credentials peer;
    char c;

    EQUAL(weft_stream_pair(0, ends), 0);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
    EQUAL(weft_stream_credentials(ends[0], &peer), -EBADF);
    EQUAL(weft_stream_read(NULL, &c, 1), -EINVAL);
    EQUAL(weft_stream_close(NULL), 0);
    EQUAL(weft_stream_open_fd(-1, NULL, &here), -EBADF);
    EQUAL(weft_stream_open_stdio(3, &here), -EINVAL);
    EQUAL(weft_open_connection("127.0.0.1", 0, NULL, &here), -EINVAL);
    EQUAL(weft_open_connection("127.0.0.1", 65536, NULL, &here), -EINVAL);
    EQUAL(weft_open_unix_connection(NULL, NULL, &here), -EINVAL);
}

ALONE(outside_a_loop_there_is_no_stream)
{
    weft_stream *ends[2];

    EQUAL(weft_stream_pair(0, ends), -EPERM);
    EQUAL(weft_open_connection("127.0.0.1", 1, NULL, ends), -EPERM);
    EQUAL(weft_open_unix_connection("/x", NULL, ends), -EPERM);
}

static void *reads_in_a_thread(void *unused)
{
    char c;

    (void)unused;
    EQUAL(weft_stream_read(here, &c, 1), -EXDEV);
    EQUAL(weft_stream_close(here), -EXDEV);
    return NULL;
}

OVER_EACH(another_thread_keeps_off, 1)
{
    in_thread(reads_in_a_thread, NULL);
}

WEFT_ASYNC(leaves_streams)
{
    weft_stream *ends[2];

    EQUAL(weft_stream_pair(0, ends), 0);
    EQUAL(weft_stream_write(ends[0], "x", 1), 1);
    if (!is_virtual()) {
        int fds[2];
        const char *data;

        EQUAL(weft_pipe(fds), 0);
        EQUAL(weft_stream_open_fd(fds[0], NULL, &here), 0);
        EQUAL(weft_stream_open_fd(fds[1], NULL, &there), 0);
        say("kept");
        EQUAL(weft_stream_peek(here, 1, &data), 4);
    }
    return 0;
}

IN_LOOP(a_loop_closes_its_streams)
{
    EQUAL(run(leaves_streams()), 0);
}

/* Standard input and output, in a child whose they are. */

static int copies_stdin(void)
{
    weft_stream *in, *out;
    char line[64];
    ssize_t n;
    int r = weft_stream_open_stdio(0, &in);

    r = r < 0 ? r : weft_stream_open_stdio(1, &out);
    if (r < 0) {
        return r;
    }
    while ((n = weft_stream_readline(in, line, sizeof line)) > 0) {
        n = weft_stream_write(out, line, (size_t)n);
    }
    weft_stream_close(in);
    weft_stream_close(out);
    return (int)n;
}

ON_REAL(inherited_descriptors_stay_as_they_are)
{
    int in[2], out[2], saved[2] = { dup(0), dup(1) };

    EQUAL(pipe(in), 0);
    EQUAL(pipe(out), 0);
    EQUAL(dup2(in[0], 0), 0);
    fflush(stdout);
    EQUAL(dup2(out[1], 1), 1);
    EQUAL(write(in[1], "a line\n", 7), 7);
    close(in[1]);
    EQUAL(copies_stdin(), 0);
    CHECK(!(fcntl(0, F_GETFL) & O_NONBLOCK));
    CHECK(!(fcntl(1, F_GETFL) & O_NONBLOCK));
    close(0);
    EQUAL(weft_stream_open_stdio(0, &here), -EBADF);
    EQUAL(dup2(saved[0], 0), 0);
    EQUAL(dup2(saved[1], 1), 1);
    EQUAL(read(out[0], got, sizeof got), 7);
    close(in[0]);
    close(out[0]);
    close(out[1]);
    close(saved[0]);
    close(saved[1]);
}

ON_REAL(writing_does_not_end_where_there_is_no_half_to_close)
{
    char directory[] = "/tmp/weft-stream-XXXXXX", path[64];
    int fds[2];

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/fifo", directory);
    EQUAL(mkfifo(path, 0600), 0);
    EQUAL(weft_stream_open_fd(open(path, O_RDWR | O_CLOEXEC), NULL, &there), 0);
    EQUAL(weft_stream_write_eof(there), -EOPNOTSUPP);
    EQUAL(weft_stream_write_eof(there), -EOPNOTSUPP);
    EQUAL(weft_stream_write(there, "still", 5), 5); /* it is as open as before */
    READS(weft_stream_readexactly(there, got, 5), "still");
    EQUAL(weft_stream_close(there), 0);
    EQUAL(unlink(path), 0);
    EQUAL(rmdir(directory), 0);
    EQUAL(weft_pipe(fds), 0);
    EQUAL(weft_stream_open_fd(fds[0], NULL, &here), 0);
    EQUAL(weft_stream_write_eof(here), -EOPNOTSUPP); /* it only reads */
    EQUAL(weft_write(fds[1], "too", 3), 3);
    READS(weft_stream_readexactly(here, got, 3), "too");
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_close(fds[1]), 0);
    here = there = NULL;
}

static CU_TestInfo tests[] = {
    TEST(writing_does_not_end_where_there_is_no_half_to_close),
    TEST(what_is_written_is_read),
    TEST(the_end_is_read_again_and_again),
    TEST(the_end_comes_to_who_waits),
    TEST(lines_are_read_as_they_are),
    TEST(a_line_may_come_in_pieces),
    TEST(a_line_that_is_too_long_is_still_there),
    TEST(the_last_line_may_fill_the_room),
    TEST(a_line_over_the_limit_is_an_error_and_no_memory),
    TEST(a_line_may_be_as_long_as_the_limit),
    TEST(separators_of_any_length),
    TEST(exactly_so_many_bytes),
    TEST(peeking_takes_nothing),
    TEST(all_with_a_limit),
    TEST(a_write_waits_while_the_reader_is_slow),
    TEST(a_cancelled_write_that_has_begun_goes_on_by_itself),
    TEST(closing_while_cancelled_resets_and_always_closes),
    TEST(closing_sends_what_is_queued_first),
    TEST(writes_of_several_tasks_do_not_mix),
    TEST(parts_are_written_in_one),
    TEST(a_file_is_sent),
    TEST(who_never_waits_gives_way_all_the_same),
    TEST(several_may_end_the_writing_while_much_is_queued),
    TEST(writing_to_nobody_is_an_error),
    TEST(a_file_that_nobody_takes_is_an_error),
    TEST(a_descriptor_that_cannot_write_blocks_nobody),
    TEST(an_aborted_connection_is_told),
    TEST(closing_wakes_who_reads_and_who_writes),
    TEST(nobody_takes_what_another_looks_at),
    TEST(an_abort_gives_its_hold_back_also_after_another),
    TEST(a_close_that_waits_is_overtaken_by_an_abort),
    TEST(a_further_hold_keeps_it_open),
    TEST(a_cancelled_read_loses_nothing),
    TEST(a_read_whose_descriptor_is_closed_loses_nothing),
    TEST(a_stream_tells_of_itself),
    TEST(what_is_no_stream_is_an_error),
    TEST(outside_a_loop_there_is_no_stream),
    TEST(another_thread_keeps_off),
    TEST(a_loop_closes_its_streams),
    TEST(inherited_descriptors_stay_as_they_are),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(stream, tests)
