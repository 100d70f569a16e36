/* SPDX-License-Identifier: MIT
 * Odd descriptors: closed ones, files, numbers that are used again, very many. */
#include "tests/task/task.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void look(void)
{
    EQUAL(weft_sleep(0.001), 0);
}

IN_TASK(what_is_no_open_descriptor_is_an_error)
{
    int fds[2];

    EQUAL(pipe(fds), 0);
    close(fds[0]);
    close(fds[1]);
    EQUAL(weft_loop_add_reader(NULL, -1, NOTED("x")), -EBADF);
    EQUAL(weft_loop_add_writer(NULL, INT_MIN, NOTED("x")), -EBADF);
    if (!is_virtual()) {
        EQUAL(weft_loop_add_reader(NULL, fds[0], NOTED("x")), -EBADF);
        EQUAL(weft_loop_add_writer(NULL, fds[1], NOTED("x")), -EBADF);
        EQUAL(weft_loop_add_reader(NULL, 100000000, NOTED("x")), -EBADF);
        EQUAL(weft_loop_add_writer(NULL, INT_MAX, NOTED("x")), -EBADF);
    }
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 0);
}

IN_TASK(a_callback_is_needed)
{
    EQUAL(weft_loop_add_reader(NULL, 0, NULL, NULL), -EINVAL);
    EQUAL(weft_loop_add_writer(NULL, 0, NULL, NULL), -EINVAL);
}

IN_TASK(virtual_time_watches_nothing)
{
    int fds[2];

    if (!is_virtual()) {
        return;
    }
    EQUAL(pipe(fds), 0);
    EQUAL(weft_loop_add_reader(NULL, fds[0], NOTED("x")), -EOPNOTSUPP);
    EQUAL(weft_loop_add_writer(NULL, fds[1], NOTED("x")), -EOPNOTSUPP);
    CHECK(strstr(weft_error_detail(), "sim") != NULL);
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 0);
    close(fds[0]);
    close(fds[1]);
}

IN_TASK(a_regular_file)
{
    FILE *file = tmpfile();
    int calls = 0;

    CHECK(file != NULL);
    if (file && strcmp(backend(), "epoll") == 0) {
        EQUAL(weft_loop_add_reader(NULL, fileno(file), NOTED("x")), -EPERM);
        EQUAL(weft_loop_add_writer(NULL, fileno(file), NOTED("x")), -EPERM);
    } else if (file && strcmp(backend(), "poll") == 0) {
        EQUAL(weft_loop_add_reader(NULL, fileno(file), count_up, &calls), 0);
        look();
        CHECK(calls > 0); /* it is always ready */
        EQUAL(weft_loop_remove_reader(NULL, fileno(file)), 1);
    }
    if (file) {
        fclose(file);
    }
}

/* Numbers that are used again. */

static void read_one(void *arg)
{
    int *fd = arg;
    char c;

    EQUAL(read(*fd, &c, 1), 1);
    note(c == 'o' ? "old" : "new");
}

IN_TASK(a_number_is_watched_anew_after_remove_and_close)
{
    int fds[2], number;

    if (is_virtual()) {
        return;
    }
    EQUAL(pipe(fds), 0);
    number = fds[0];
    EQUAL(weft_loop_add_reader(NULL, number, read_one, &number), 0);
    EQUAL(write(fds[1], "o", 1), 1);
    look();
    HAPPENED("old");
    EQUAL(weft_loop_remove_reader(NULL, number), 1);
    close(fds[0]);
    close(fds[1]);

    EQUAL(pipe(fds), 0);
    EQUAL(dup2(fds[0], number), number);
    EQUAL(weft_loop_add_reader(NULL, number, read_one, &number), 0);
    EQUAL(write(fds[1], "n", 1), 1);
    look();
    HAPPENED("new");
    EQUAL(weft_loop_remove_reader(NULL, number), 1);
    if (fds[0] != number) {
        close(fds[0]);
    }
    close(number);
    close(fds[1]);
}

static int reused[2];

/* Readable: gives its number to another pipe, whose reader must not be called for the old event. */
static void replace_descriptor(void *unused)
{
    (void)unused;
    note("replaced");
    EQUAL(weft_loop_remove_reader(NULL, reused[0]), 1);
    close(reused[0]);
    close(reused[1]);
    EQUAL(pipe(reused), 0);
    EQUAL(weft_loop_add_reader(NULL, reused[0], NOTED("spurious")), 0);
}

IN_TASK(an_event_of_the_old_descriptor_does_not_reach_the_new_one)
{
    if (is_virtual()) {
        return;
    }
    EQUAL(pipe(reused), 0);
    EQUAL(weft_loop_add_reader(NULL, reused[0], replace_descriptor, NULL), 0);
    EQUAL(write(reused[1], "x", 1), 1);
    look();
    look();
    HAPPENED("replaced");
    EQUAL(weft_loop_remove_reader(NULL, reused[0]), 1);
    close(reused[0]);
    close(reused[1]);
}

/* For a closed one poll(2) reports an error again and again. */
static void read_if_there_is_something(void *arg)
{
    char c;

    if (read(*(int *)arg, &c, 1) == 1) {
        note("new");
    }
}

IN_TASK(a_descriptor_that_was_closed_while_watched_does_no_harm)
{
    int fds[2];

    if (is_virtual()) {
        return;
    }
    EQUAL(pipe(fds), 0);
    EQUAL(weft_loop_add_reader(NULL, fds[0], read_if_there_is_something, &fds[0]), 0);
    close(fds[0]); /* forbidden, but it happens */
    close(fds[1]);
    look();
    EQUAL(pipe(fds), 0);
    /* The same number, most likely. */
    EQUAL(weft_loop_add_reader(NULL, fds[0], read_if_there_is_something, &fds[0]), 0);
    EQUAL(write(fds[1], "n", 1), 1);
    look();
    HAPPENED("new");
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 1);
    close(fds[0]);
    close(fds[1]);
}

/* Very many. */

enum { PAIRS = 2000 };

static int fds[PAIRS][2], received[PAIRS];
static int pairs;

static void receive(void *arg)
{
    int i = (int)((int *)arg - received);
    char c;

    while (read(fds[i][0], &c, 1) == 1) {
        received[i]++;
    }
}

static void open_many(void)
{
    struct rlimit limit;

    EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    pairs = many(PAIRS) / (is_sanitized() ? 4 : 1);
    while ((rlim_t)pairs * 2 + 50 > limit.rlim_cur) {
        pairs /= 2;
    }
    for (int i = 0; i < pairs; i++) {
        EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds[i]), 0);
        received[i] = 0;
    }
}

/* Who comes first is the backend's affair. */
static bool all_received(int round)
{
    for (int i = 0; i < pairs; i++) {
        if (received[i] < round) {
            return false;
        }
    }
    return true;
}

IN_TASK(thousands_of_descriptors)
{
    if (is_virtual()) {
        return;
    }
    open_many();
    for (int i = 0; i < pairs; i++) {
        EQUAL(weft_loop_add_reader(NULL, fds[i][0], receive, &received[i]), 0);
    }
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < pairs; i++) {
            EQUAL(write(fds[i][1], "x", 1), 1);
        }
        for (int tries = 0; tries < 100 && !all_received(round); tries++) {
            look();
        }
        look(); /* nothing comes twice */
        for (int i = 0; i < pairs; i++) {
            EQUAL(received[i], round);
        }
    }
    for (int i = 0; i < pairs; i++) {
        EQUAL(weft_loop_remove_reader(NULL, fds[i][0]), 1);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static void remove_half(void *unused)
{
    (void)unused;
    for (int i = 1; i < pairs; i += 2) {
        EQUAL(weft_loop_remove_reader(NULL, fds[i][0]), 1);
    }
    EQUAL(weft_loop_remove_reader(NULL, fds[0][0]), 1);
}

IN_TASK(a_callback_may_remove_many_that_are_due)
{
    if (is_virtual()) {
        return;
    }
    open_many();
    for (int i = 0; i < pairs; i++) {
        EQUAL(weft_loop_add_reader(NULL, fds[i][0], i ? receive : remove_half, &received[i]), 0);
    }
    for (int i = 0; i < pairs; i++) {
        EQUAL(write(fds[i][1], "x", 1), 1);
    }
    for (int tries = 0; tries < 20; tries++) {
        look();
    }
    for (int i = 2; i < pairs; i += 2) {
        EQUAL(received[i], 1);
        EQUAL(weft_loop_remove_reader(NULL, fds[i][0]), 1);
    }
    EQUAL(received[0], 0);
    for (int i = 0; i < pairs; i++) {
        EQUAL(weft_loop_remove_reader(NULL, fds[i][0]), 0);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

static CU_TestInfo tests[] = {
    TEST(what_is_no_open_descriptor_is_an_error),
    TEST(a_callback_is_needed),
    TEST(virtual_time_watches_nothing),
    TEST(a_regular_file),
    TEST(a_number_is_watched_anew_after_remove_and_close),
    TEST(an_event_of_the_old_descriptor_does_not_reach_the_new_one),
    TEST(a_descriptor_that_was_closed_while_watched_does_no_harm),
    TEST(thousands_of_descriptors),
    TEST(a_callback_may_remove_many_that_are_due),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fd_odd, tests)
