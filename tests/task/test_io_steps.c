/* SPDX-License-Identifier: MIT
 * Calls on descriptors, cancelled at every step: each byte is sent once and received once, and
 * everybody knows how many. */
#include "tests/task/steps.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH 6000 /* bytes */

static int ends[2];
static char bytes[MUCH], got[MUCH + 100];
static size_t count; /* bytes received */

static void open_ends(void)
{
    int size = 1;

    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)('a' + (i * i + i / 7) % 26);
    }
    count = 0;
    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EQUAL(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
}

/* Receives slowly, to the end. */
WEFT_ASYNC(receives)
{
    ssize_t n;

    while ((n = weft_recv(ends[0], got + count, sizeof got - count, 0)) > 0) {
        count += (size_t)n;
        weft_sleep(0.001);
    }
    EQUAL(n, 0);
    return 0;
}

/* What a sender has sent, and goes on with from where it was, in spite of a cancel. */
static int send_by(int (*send)(size_t *sent))
{
    weft_task *receiver;
    weft_shield shield;
    size_t sent = 0;
    int r;

    open_ends();
    receiver = weft_create_task(receives(), NULL);
    r = send(&sent);
    CHECK((sent == MUCH) == (r == 0));
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    weft_sleep(0.01);
    CHECK(count <= sent);
    EQUAL(send(&sent), 0);
    EQUAL(sent, MUCH);
    EQUAL(weft_close(ends[1]), 0);
    EQUAL(weft_await(receiver), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(count, MUCH);
    CHECK(memcmp(got, bytes, MUCH) == 0);
    EQUAL(weft_close(ends[0]), 0);
    return r;
}

static int send_all(size_t *sent)
{
    return *sent == MUCH ? 0 : weft_sendall(ends[1], bytes + *sent, MUCH - *sent, 0, sent);
}

static int write_some(size_t *sent)
{
    while (*sent < MUCH) {
        size_t half = (MUCH - *sent) / 2;
        struct iovec parts[2] = { { bytes + *sent, half },
                                  { bytes + *sent + half, MUCH - *sent - half } };
        ssize_t n = *sent % 2 ? weft_writev(ends[1], parts, 2) :
                                weft_write(ends[1], bytes + *sent, MUCH - *sent);

        if (n < 0) {
            return (int)n;
        }
        *sent += (size_t)n;
    }
    return 0;
}

static int file;

static int send_file(size_t *sent)
{
    off_t offset = (off_t)*sent;
    ssize_t n = 1;

    while (offset < MUCH && n > 0) {
        n = weft_sendfile(ends[1], file, &offset, SIZE_MAX / 4);
        *sent += n > 0 ? (size_t)n : 0;
        EQUAL(*sent, (size_t)offset);
    }
    return n < 0 ? (int)n : 0;
}

WEFT_ASYNC(sends_all)
{
    return send_by(send_all);
}

WEFT_ASYNC(writes_some)
{
    return send_by(write_some);
}

WEFT_ASYNC(sends_a_file)
{
    int r;

    file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(file >= 0);
    open_ends(); /* makes the bytes */
    EQUAL(write(file, bytes, MUCH), MUCH);
    EQUAL(weft_close(ends[0]), 0);
    EQUAL(weft_close(ends[1]), 0);
    r = send_by(send_file);
    close(file);
    return r;
}

/* Two receive from one descriptor, of which one is cancelled: what either gets is a piece of the
 * whole, and nothing is missing. */

WEFT_ASYNC(trickles)
{
    for (size_t i = 0; i < 40; i += 8) {
        EQUAL(weft_sendall(ends[1], bytes + i, 8, 0, NULL), 0);
        weft_sleep(0.001);
    }
    return weft_close(ends[1]);
}

static ssize_t take(void)
{
    char piece[3];
    ssize_t n = weft_read(ends[0], piece, sizeof piece);

    if (n > 0) {
        memcpy(got + count, piece, (size_t)n);
        count += (size_t)n;
    }
    return n;
}

WEFT_ASYNC(takes_beside)
{
    while (take() > 0) {
        weft_sleep(0.0007);
    }
    return 0;
}

WEFT_ASYNC(takes)
{
    weft_task *sender, *other;
    weft_shield shield;
    ssize_t n;

    open_ends();
    sender = weft_create_task(trickles(), NULL);
    other = weft_create_task(takes_beside(), NULL);
    while ((n = take()) > 0) {
    }
    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    EQUAL(weft_await(sender), 0);
    EQUAL(weft_await(other), 0);
    EQUAL(weft_shield_exit(&shield, 0), 0);
    EQUAL(count, 40);
    CHECK(memcmp(got, bytes, 40) == 0);
    EQUAL(weft_close(ends[0]), 0);
    return (int)n;
}

ALONE(a_cancelled_sendall_tells_how_much_is_out)
{
    WHERE_THERE_ARE_DESCRIPTORS(sends_all);
}

ALONE(a_cancelled_write_has_written_nothing)
{
    WHERE_THERE_ARE_DESCRIPTORS(writes_some);
}

ALONE(a_cancelled_sendfile_has_moved_by_what_is_out)
{
    WHERE_THERE_ARE_DESCRIPTORS(sends_a_file);
}

ALONE(a_cancelled_read_leaves_the_bytes_to_others)
{
    WHERE_THERE_ARE_DESCRIPTORS(takes);
}

static CU_TestInfo tests[] = {
    TEST(a_cancelled_sendall_tells_how_much_is_out),
    TEST(a_cancelled_write_has_written_nothing),
    TEST(a_cancelled_sendfile_has_moved_by_what_is_out),
    TEST(a_cancelled_read_leaves_the_bytes_to_others),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(io_steps, tests)
