/* SPDX-License-Identifier: MIT
 * Streams written, cancelled at every step: a write happens whole or not at all, however it comes
 * out, and in its order. */
#include "tests/task/net.h"
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 350 /* bytes, more than fit into what is between the ends */
#define PIECES 4
#define ROOM 20000

/* What lies between the two ends: memory, or a socket that holds little. */
static bool through_memory;

static weft_stream *ends[2];
static char got[ROOM], wanted[ROOM];
static size_t count, expected; /* bytes of these */

static int open_ends(void)
{
    int fds[2], size = 1;

    count = expected = 0;
    if (through_memory) {
        return weft_stream_pair(300, ends);
    }
    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    EQUAL(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    EQUAL(weft_stream_open_fd(fds[0], NULL, &ends[0]), 0);
    return weft_stream_open_fd(fds[1], NULL, &ends[1]);
}

/* Takes what comes, slowly, to the end: 0, or what came in its place. */
WEFT_ASYNC(reads_to_the_end)
{
    ssize_t n;

    do {
        weft_sleep(0.0003);
        n = weft_stream_read(ends[1], got + count, PIECE);
        count += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    EQUAL(weft_stream_close(ends[1]), 0);
    return (int)n;
}

/* Ends a scenario in spite of a cancel: closes, and compares what has come with what was said to
 * be written. */
static void close_and_compare(weft_task *reader, int status)
{
    weft_shield shield;

    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_stream_close(ends[0]), status);
    EQUAL(weft_await(reader), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(count, expected);
    CHECK(memcmp(got, wanted, expected) == 0);
}

/* The piece that is written next; its place in the stream does not tell what is in it. */
static void make_piece(char *piece, int which)
{
    for (int i = 0; i < PIECE; i++) {
        piece[i] = (char)('a' + (which * 7 + i) % 26);
    }
}

static void expect(const char *bytes, size_t size)
{
    memcpy(wanted + expected, bytes, size);
    expected += size;
}

/* Whole, or not at all. */
static int wrote(ssize_t n, const char *bytes, size_t size)
{
    if (n < 0) {
        return (int)n;
    }
    EQUAL(n, size);
    expect(bytes, size);
    return 0;
}

static int write_piece(int which)
{
    char piece[PIECE];

    make_piece(piece, which);
    return wrote(weft_stream_write(ends[0], piece, sizeof piece), piece, sizeof piece);
}

static int write_parts(int which)
{
    char piece[PIECE];
    struct iovec parts[5] = { { piece, 1 },
                              { NULL, 0 },
                              { piece + 1, 320 },
                              { piece + 321, 20 },
                              { piece + 341, PIECE - 341 } };

    make_piece(piece, which);
    return wrote(weft_stream_writev(ends[0], parts, 5), piece, sizeof piece);
}

static int write_pieces(int (*write)(int which))
{
    weft_task *reader;
    weft_shield shield;
    int r = 0;

    EQUAL(open_ends(), 0);
    reader = weft_create_task(reads_to_the_end(), NULL);
    for (int i = 0; i < PIECES && r == 0; i++) {
        r = write(i);
        r = r < 0 ? r : weft_stream_drain(ends[0]);
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(write(PIECES), 0); /* behind what is queued */
    EQUAL(weft_shield_exit(&shield, 0), 0);
    close_and_compare(reader, 0);
    return r;
}

WEFT_ASYNC(writes)
{
    return write_pieces(write_piece);
}

WEFT_ASYNC(writes_parts)
{
    return write_pieces(write_parts);
}

/* A cancelled end of writing has not ended it. */
WEFT_ASYNC(writes_an_end)
{
    weft_task *reader;
    weft_shield shield;
    int r, ended = -ENODATA;

    EQUAL(open_ends(), 0);
    reader = weft_create_task(reads_to_the_end(), NULL);
    r = write_piece(0);
    if (r == 0) {
        r = ended = weft_stream_write_eof(ends[0]);
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(write_piece(1), ended == 0 ? -EPIPE : 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    close_and_compare(reader, 0);
    return r;
}

/* Others write at the same time; each piece is in one piece. */

WEFT_ASYNC(writes_beside)
{
    char piece[PIECE];

    memset(piece, 'B', sizeof piece);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_stream_write(ends[0], piece, sizeof piece), sizeof piece);
        weft_sleep(0.0005);
    }
    return 0;
}

static void look_at_pieces(size_t pieces)
{
    EQUAL(count, pieces * PIECE);
    for (size_t i = 0; i < pieces; i++) {
        char whose = got[i * PIECE];
        size_t same = 0;

        while (same < PIECE && got[i * PIECE + same] == whose) {
            same++;
        }
        EQUAL(same, PIECE);
    }
}

WEFT_ASYNC(writes_among_others)
{
    weft_task *reader, *other;
    weft_shield shield;
    char piece[PIECE];
    size_t written = 0;
    int r = 0;

    EQUAL(open_ends(), 0);
    reader = weft_create_task(reads_to_the_end(), NULL);
    other = weft_create_task(writes_beside(), NULL);
    memset(piece, 'A', sizeof piece);
    for (int i = 0; i < 3 && r == 0; i++) {
        ssize_t n = weft_stream_write(ends[0], piece, sizeof piece);

        r = n < 0 ? (int)n : 0;
        written += n > 0;
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_await(other), 0);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_await(reader), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    look_at_pieces(written + 3);
    return r;
}

/* A close that is cancelled resets; one that is not has sent everything. */
WEFT_ASYNC(closes)
{
    weft_task *reader;
    weft_shield shield;
    int r;

    EQUAL(open_ends(), 0);
    reader = weft_create_task(reads_to_the_end(), NULL);
    (void)write_piece(0);
    (void)write_piece(1);
    r = weft_stream_close(ends[0]);
    EQUAL(weft_stream_close(ends[0]), -EBADF);
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_await(reader), r < 0 && through_memory ? -ECONNRESET : 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    CHECK(r == 0 ? count == expected : count <= expected);
    CHECK(memcmp(got, wanted, count) == 0);
    return r;
}

/* From a file: as much as is told has been sent, and the file's place says the same. */

static int make_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char piece[PIECE];

    CHECK(fd >= 0);
    for (int i = 0; i < PIECES; i++) {
        make_piece(piece, i);
        EQUAL(write(fd, piece, PIECE), PIECE);
    }
    return fd;
}

static void expect_of_file(int fd, off_t from, off_t to)
{
    EQUAL(pread(fd, wanted + expected, (size_t)(to - from), from), to - from);
    expected += (size_t)(to - from);
}

/* In three bites, the last one to the end of the file. */
static int send_file(int fd, off_t *offset)
{
    static const size_t bites[] = { 500, 700, SIZE_MAX };
    off_t at = 0;

    for (int i = 0; i < 3; i++) {
        ssize_t n = weft_stream_sendfile(ends[0], fd, offset, bites[i]);

        if (n < 0) {
            return (int)n;
        }
        expect_of_file(fd, at, at + n);
        at += n;
        EQUAL(offset ? *offset : lseek(fd, 0, SEEK_CUR), at);
    }
    return 0;
}

static int sends_by(bool by_offset)
{
    weft_task *reader;
    off_t offset = 0;
    int r, fd;

    EQUAL(open_ends(), 0);
    fd = make_file();
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    reader = weft_create_task(reads_to_the_end(), NULL);
    r = send_file(fd, by_offset ? &offset : NULL);
    EQUAL(by_offset ? offset : lseek(fd, 0, SEEK_CUR), (off_t)expected);
    close_and_compare(reader, 0);
    close(fd);
    return r;
}

WEFT_ASYNC(sends_a_file)
{
    return sends_by(true);
}

WEFT_ASYNC(sends_from_where_a_file_stands)
{
    return sends_by(false);
}

/* Whoever cancels all tasks that there are, as the end of a run does, finds the one that sends what
 * a cancelled write has left. */
WEFT_ASYNC(is_cancelled_while_writing)
{
    char block[1000];
    weft_timeout limit;

    memset(block, 'q', sizeof block);
    EQUAL(weft_timeout_enter(&limit, 0.001), 0);
    EQUAL(weft_stream_write(ends[0], block, sizeof block), sizeof block); /* the rest is queued */
    EQUAL(weft_timeout_exit(&limit, 0), 0);
    expect(block, sizeof block);
    return 0;
}

/* Leaves something queued, and cancels who is to send it. */
static void queue_and_cancel(void)
{
    weft_task *all[8];
    int64_t n;

    through_memory = true;
    EQUAL(open_ends(), 0);
    EQUAL(weft_await(weft_create_task(is_cancelled_while_writing(), NULL)), 0);
    n = weft_all_tasks(NULL, all, 8);
    EQUAL(n, 2);
    for (int i = 0; i < n; i++) {
        if (all[i] != weft_current_task()) {
            EQUAL(weft_task_cancel(all[i]), 0);
        }
    }
}

IN_TASK(what_is_queued_is_sent_though_all_are_cancelled)
{
    weft_task *reader;

    queue_and_cancel();
    weft_sleep(0.001);
    reader = weft_create_task(reads_to_the_end(), NULL);
    EQUAL(write_piece(0), 0);
    close_and_compare(reader, 0);
}

IN_TASK(what_nobody_reads_ends_some_time_after_a_cancel)
{
    double began = weft_loop_time(NULL);

    queue_and_cancel();
    EQUAL(weft_stream_drain(ends[0]), -ECANCELED); /* it is lost, and that is told */
    CHECK(weft_loop_time(NULL) - began < 0.9);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
}

/* A file that is never waited for: others have their turns, and one of them is a cancel. */

#define LARGE (1 << 26)

WEFT_ASYNC(sends_to_nowhere, (int, file), (ssize_t *, ret_sent))
{
    weft_stream *stream;
    off_t offset = 0;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    EQUAL(weft_stream_open_fd(nowhere, NULL, &stream), 0);
    *ret_sent = weft_stream_sendfile(stream, file, &offset, SIZE_MAX);
    EQUAL(offset, *ret_sent);
    return weft_stream_close(stream);
}

ON_REAL(a_large_file_for_somebody_fast_keeps_nobody_waiting)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ssize_t sent = -1;
    weft_task *task;

    EQUAL(ftruncate(file, LARGE), 0);
    task = weft_create_task(sends_to_nowhere(file, &sent), NULL);
    give_way(3);
    CHECK(!weft_task_done(task));
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
    CHECK(sent > 0 && sent < LARGE);
    close(file);
}

/* Each through memory on all backends, and through a socket where there are some. */
#define AT_EVERY_STEP_OF(scenario)                           \
    do {                                                     \
        through_memory = true;                               \
        AT_EVERY_STEP(scenario, 0, -ECANCELED);              \
        through_memory = false;                              \
        if (watches()) {                                     \
            AT_EVERY_STEP(scenario, 0, -ECANCELED);          \
        }                                                    \
    } while (0)

ALONE(a_cancelled_write_is_whole_or_never_was)
{
    AT_EVERY_STEP_OF(writes);
}

ALONE(a_cancelled_write_of_parts_is_whole_or_never_was)
{
    AT_EVERY_STEP_OF(writes_parts);
}

ALONE(a_cancelled_end_of_writing_has_not_ended_it)
{
    AT_EVERY_STEP_OF(writes_an_end);
}

ALONE(a_cancelled_write_stays_out_of_those_of_others)
{
    AT_EVERY_STEP_OF(writes_among_others);
}

ALONE(a_cancelled_close_frees_all)
{
    AT_EVERY_STEP_OF(closes);
}

ALONE(a_cancelled_sendfile_knows_how_much_it_sent)
{
    AT_EVERY_STEP_OF(sends_a_file);
    AT_EVERY_STEP_OF(sends_from_where_a_file_stands);
}

static CU_TestInfo tests[] = {
    TEST(a_cancelled_write_is_whole_or_never_was),
    TEST(a_cancelled_write_of_parts_is_whole_or_never_was),
    TEST(a_cancelled_end_of_writing_has_not_ended_it),
    TEST(a_cancelled_write_stays_out_of_those_of_others),
    TEST(a_cancelled_close_frees_all),
    TEST(a_cancelled_sendfile_knows_how_much_it_sent),
    TEST(what_is_queued_is_sent_though_all_are_cancelled),
    TEST(what_nobody_reads_ends_some_time_after_a_cancel),
    TEST(a_large_file_for_somebody_fast_keeps_nobody_waiting),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(write_steps, tests)
