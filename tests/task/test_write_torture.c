/* SPDX-License-Identifier: MIT
 * Several tasks write to one stream in every way, are cancelled at any moment, and end or abort
 * it: what a writer was told has been written arrives whole, once and in his order, and nothing
 * else. */
#include "tests/task/transport.h"
#include "tests/task/worlds.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>

#define WRITERS 4
#define RECORDS 12 /* of each writer */
#define ROOM (WRITERS * RECORDS * 1100)

static double soon(void)
{
    return 0.0001 * chance(6);
}

/* What is known of a record. */
enum fate { UNKNOWN, WRITTEN, NEVER };

static weft_stream *out, *in;
static bool through_memory, ended, aborted, left;
static enum fate fates[WRITERS][RECORDS];
static char got[ROOM];
static size_t count;

/* 'R', whose, which, a 16th of its size, and bytes that follow from these. */
static size_t make_record(char *record, int whose, int which)
{
    size_t size = 16 * (1 + chance(64));

    memset(record, 'a' + (whose * 5 + which) % 26, size);
    record[0] = 'R';
    record[1] = (char)whose;
    record[2] = (char)which;
    record[3] = (char)(size / 16);
    return size;
}

static void open_ends(void)
{
    int fds[2], size = 1;

    if (through_memory) {
        weft_stream *pair[2];

        EQUAL(weft_stream_pair(1 + chance(900), pair), 0);
        out = pair[0];
        in = pair[1];
        return;
    }
    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    EQUAL(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    EQUAL(weft_stream_open_fd(fds[0], NULL, &out), 0);
    EQUAL(weft_stream_open_fd(fds[1], NULL, &in), 0);
}

/* A write that did not come about. */
static enum fate fate_of(ssize_t r)
{
    if (r == -ECANCELED) {
        return NEVER;
    }
    CHECK((r == -EPIPE && (ended || left)) || (r == -EBADF && aborted) ||
          (r == -ECONNRESET && left));
    return r == -EPIPE && ended && !left ? NEVER : UNKNOWN;
}

static void write_record(int whose, int which)
{
    char record[1100];
    size_t size = make_record(record, whose, which), cut = chance((uint32_t)size);
    struct iovec parts[3] = { { record, cut }, { NULL, 0 }, { record + cut, size - cut } };
    ssize_t n = chance(2) ? weft_stream_write(out, record, size) :
                            weft_stream_writev(out, parts, 3);

    CHECK(n < 0 || n == (ssize_t)size);
    fates[whose][which] = n < 0 ? fate_of(n) : WRITTEN;
}

static void act(void)
{
    int r = 0;

    switch (chance(40)) {
    case 0:
        r = weft_stream_write_eof(out);
        ended |= r == 0;
        break;
    case 1:
        if (chance(3) == 0) {
            aborted = true;
            (void)weft_stream_abort(weft_stream_ref(out));
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5: r = weft_stream_drain(out); break;
    default: weft_sleep(soon());
    }
    CHECK(r == 0 || r == -ECANCELED || ended || left || aborted);
}

WEFT_ASYNC(writes, (int, whose))
{
    for (int i = 0; i < RECORDS && !weft_cancelled(); i++) {
        write_record(whose, i);
        act();
    }
    return 0;
}

WEFT_ASYNC(reads)
{
    ssize_t n;

    do {
        n = weft_stream_read(in, got + count, 1 + chance(700));
        count += n > 0 ? (size_t)n : 0;
        weft_sleep(soon());
        left = n > 0 && chance(200) == 0;
    } while (n > 0 && !left);
    CHECK(n >= 0 || aborted || n == -ECONNRESET);
    return weft_stream_close(in);
}

/* Whether all that has come is records of those that may be there, each in its turn. */
static void look_at_records(bool whole)
{
    int next[WRITERS] = { 0 }, written = 0, found = 0;
    size_t at = 0;

    while (at + 4 <= count) {
        const char *record = got + at;
        size_t size = 16 * (size_t)record[3];
        int whose = record[1], which = record[2];

        if (!CHECK(record[0] == 'R' && whose < WRITERS && which < RECORDS)) {
            return;
        }
        CHECK(fates[whose][which] != NEVER && which >= next[whose]);
        next[whose] = which + 1;
        found += fates[whose][which] == WRITTEN;
        for (size_t i = 4; i < size && at + i < count; i++) {
            if (record[i] != 'a' + (whose * 5 + which) % 26) {
                CHECK(!"another's bytes in a record");
                return;
            }
        }
        at += size;
    }
    for (int i = 0; i < WRITERS * RECORDS; i++) {
        written += fates[i / RECORDS][i % RECORDS] == WRITTEN;
    }
    if (whole) {
        EQUAL(at, count);
        EQUAL(found, written);
    }
}

static void torture(void)
{
    weft_task *writers[WRITERS], *reader;
    int r;

    ended = aborted = left = false;
    count = 0;
    memset(fates, 0, sizeof fates);
    open_ends();
    reader = weft_create_task(reads(), NULL);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = weft_create_task(writes(i), NULL);
    }
    for (int i = 0; i < 3; i++) {
        weft_sleep(0.0001 * chance(30));
        (void)weft_task_cancel(writers[chance(WRITERS)]);
    }
    for (int i = 0; i < WRITERS; i++) {
        EQUAL(weft_await(writers[i]), 0);
    }
    r = weft_stream_close(out);
    CHECK(r == 0 || left || (r == -EBADF && aborted));
    EQUAL(weft_await(reader), 0);
    look_at_records(!aborted && !left);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
}

IN_TASK(what_is_written_through_memory_arrives_and_nothing_else)
{
    through_memory = true;
    in_worlds(60, torture);
}

WATCHED(what_is_written_to_a_socket_arrives_and_nothing_else)
{
    through_memory = false;
    in_worlds(60, torture);
}

static CU_TestInfo tests[] = {
    TEST(what_is_written_through_memory_arrives_and_nothing_else),
    TEST(what_is_written_to_a_socket_arrives_and_nothing_else),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(write_torture, tests)
