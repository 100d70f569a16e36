/* SPDX-License-Identifier: MIT
 * Signals that interrupt whatever the system is asked, five thousand times a second: every byte
 * arrives, in order. */
#include "tests/task/net.h"
#include "tests/task/tcp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { SIZE = 4 << 20, PIECE = 50000, PERIOD = 200 /* microseconds */ };

static char *sent; /* SIZE bytes that never repeat in the same place */
static volatile sig_atomic_t interrupts;

static void interrupt(int number)
{
    (void)number;
    interrupts++;
}

static void set_storm(long period)
{
    const struct itimerval every = { { 0, period }, { 0, period } };

    EQUAL(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static int file_of_all(void)
{
    int fd = memfd_create("all", MFD_CLOEXEC);

    CHECK(fd >= 0);
    EQUAL(write(fd, sent, SIZE), SIZE);
    return fd;
}

WEFT_ASYNC(writes, (weft_stream *, stream))
{
    for (size_t done = 0; done < SIZE; done += PIECE) {
        size_t size = SIZE - done < PIECE ? SIZE - done : PIECE;

        EQUAL(weft_stream_write(stream, sent + done, size), size);
    }
    return weft_stream_write_eof(stream);
}

WEFT_ASYNC(sends_file, (weft_stream *, stream), (int, file))
{
    off_t offset = 0;

    EQUAL(weft_stream_sendfile(stream, file, &offset, SIZE_MAX), SIZE);
    EQUAL(offset, SIZE);
    return weft_stream_write_eof(stream);
}

WEFT_ASYNC(reads, (weft_stream *, stream))
{
    static char buffers[2][20000];
    static int next;
    char *buffer = buffers[next++ % 2];
    size_t got = 0;
    ssize_t n;

    while ((n = weft_stream_read(stream, buffer, sizeof buffers[0])) > 0) {
        if (got + (size_t)n > SIZE || memcmp(buffer, sent + got, (size_t)n) != 0) {
            CHECK(!"the bytes are those that were sent");
            return -EBADMSG;
        }
        got += (size_t)n;
    }
    EQUAL(got, SIZE);
    return (int)n;
}

/* Both ends write, one of them a file where there is one, and read what the other one does. */
static void move_both_ways(int file)
{
    weft_stream *ends[2];
    int fds[2];

    open_tcp(fds);
    EQUAL(weft_stream_open_fd(fds[0], NULL, &ends[0]), 0);
    EQUAL(weft_stream_open_fd(fds[1], NULL, &ends[1]), 0);
    EQUAL(weft_gather(NULL, file < 0 ? writes(ends[0]) : sends_file(ends[0], file),
                      writes(ends[1]), reads(ends[0]), reads(ends[1])),
          0);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
}

ON_REAL(a_storm_of_signals_loses_no_byte)
{
    struct sigaction action = { .sa_handler = interrupt }, old; /* no SA_RESTART */
    uint64_t state = 7;
    int file;

    sent = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i += sizeof state) {
        uint64_t next = weft_unit_random(&state);

        memcpy(sent + i, &next, sizeof next);
    }
    file = file_of_all();
    interrupts = 0;
    EQUAL(sigaction(SIGALRM, &action, &old), 0);
    set_storm(is_sanitized() ? 10 * PERIOD : PERIOD);
    for (int i = 0; i < 3; i++) {
        move_both_ways(-1);
        move_both_ways(file);
    }
    EQUAL(weft_sleep(0.02), 0); /* nor is it shorter */
    set_storm(0);
    EQUAL(sigaction(SIGALRM, &old, NULL), 0);
    CHECK(interrupts > 5);
    EQUAL(close(file), 0);
    free(sent);
}

static CU_TestInfo tests[] = {
    TEST(a_storm_of_signals_loses_no_byte),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(eintr, tests)
