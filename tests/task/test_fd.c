/* SPDX-License-Identifier: MIT
 * Watched descriptors: readers and writers, added, replaced, removed, also from within. */
#include "tests/task/task.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void open_pair(void)
{
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

static void put(int fd)
{
    EQUAL(write(fd, "x", 1), 1);
}

static int take(int fd)
{
    char c[16];

    return (int)read(fd, c, sizeof c);
}

/* Lets the loop look at its descriptors: nothing is ready for a moment. */
static void look(void)
{
    EQUAL(weft_sleep(0.001), 0);
}

/* IN_TASK, with a pair of sockets, where descriptors can be watched. */
#define WITH_PAIR(name)                 \
    static void name##__pair(void);     \
    IN_TASK(name)                       \
    {                                   \
        if (!is_virtual()) {            \
            open_pair();                \
            name##__pair();             \
            close_pair();               \
        }                               \
    }                                   \
    static void name##__pair(void)

static void note_and_take(void *word)
{
    note(word);
    take(pair[0]);
}

WITH_PAIR(a_reader_is_called_when_there_is_something_to_read)
{
    EQUAL(weft_loop_add_reader(NULL, pair[0], note_and_take, (void *)"read"), 0);
    look();
    HAPPENED("");
    put(pair[1]);
    look();
    HAPPENED("read");
    put(pair[1]);
    look();
    HAPPENED("read");
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    put(pair[1]);
    look();
    HAPPENED("");
}

static int calls;

WITH_PAIR(a_reader_is_called_as_long_as_that_is_so)
{
    calls = 0;
    put(pair[1]);
    EQUAL(weft_loop_add_reader(NULL, pair[0], count_up, &calls), 0);
    for (int i = 0; i < 100 && calls < 5; i++) {
        look();
    }
    CHECK(calls >= 5);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
}

WITH_PAIR(a_writer_is_called_when_there_is_room)
{
    char block[4096] = { 0 };

    calls = 0;
    while (write(pair[0], block, sizeof block) > 0) {
    }
    EQUAL(weft_loop_add_writer(NULL, pair[0], count_up, &calls), 0);
    look();
    EQUAL(calls, 0);
    while (read(pair[1], block, sizeof block) > 0) {
    }
    look();
    CHECK(calls > 0);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 1);
}

WITH_PAIR(adding_again_replaces)
{
    put(pair[1]);
    EQUAL(weft_loop_add_reader(NULL, pair[0], NOTED("old")), 0);
    EQUAL(weft_loop_add_reader(NULL, pair[0], note_and_take, (void *)"new"), 0);
    look();
    HAPPENED("new");
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 0);
}

WITH_PAIR(both_on_one_descriptor)
{
    int reads = 0, writes = 0;

    EQUAL(weft_loop_add_reader(NULL, pair[0], count_up, &reads), 0);
    EQUAL(weft_loop_add_writer(NULL, pair[0], count_up, &writes), 0);
    look();
    EQUAL(reads, 0);
    CHECK(writes > 0);
    put(pair[1]);
    look();
    CHECK(reads > 0);

    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 1);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 0);
    reads = writes = 0;
    look();
    CHECK(reads > 0);
    EQUAL(writes, 0);

    EQUAL(weft_loop_add_writer(NULL, pair[0], count_up, &writes), 0);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    reads = writes = 0;
    look();
    EQUAL(reads, 0);
    CHECK(writes > 0);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 1);
}

WITH_PAIR(removing_what_is_not_there)
{
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 0);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 0);
    EQUAL(weft_loop_add_reader(NULL, pair[0], NOTED("x")), 0);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 0);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    EQUAL(weft_loop_remove_reader(NULL, -1), 0);
    EQUAL(weft_loop_remove_reader(NULL, INT_MAX), 0);
    EQUAL(weft_loop_remove_writer(NULL, INT_MIN), 0);
}

/* From within callbacks: every action in the reader's and the writer's, on both. */

enum action { NOTHING, REMOVE_OWN, REMOVE_OTHER, REMOVE_BOTH, REPLACE_OWN, REPLACE_OTHER, READD_OWN,
              READD_BOTH, ACTIONS };

static enum action action;
static bool by_reader; /* the one that acts; the other only counts */
static int acted, other_calls, own_after, other_after;

static void act(void *unused);

static int add(bool reader, weft_callback *callback, void *arg)
{
    return reader ? weft_loop_add_reader(NULL, pair[0], callback, arg)
                  : weft_loop_add_writer(NULL, pair[0], callback, arg);
}

static int drop(bool reader)
{
    return reader ? weft_loop_remove_reader(NULL, pair[0]) : weft_loop_remove_writer(NULL, pair[0]);
}

static void act(void *unused)
{
    (void)unused;
    if (acted++) {
        return;
    }
    other_calls = 0;
    if (action == REMOVE_OWN || action == REMOVE_BOTH || action == READD_OWN ||
        action == READD_BOTH) {
        EQUAL(drop(by_reader), 1);
    }
    if (action == REMOVE_OTHER || action == REMOVE_BOTH || action == READD_BOTH) {
        EQUAL(drop(!by_reader), 1);
    }
    if (action == REPLACE_OWN || action == READD_OWN || action == READD_BOTH) {
        EQUAL(add(by_reader, count_up, &own_after), 0);
    }
    if (action == REPLACE_OTHER || action == READD_BOTH) {
        EQUAL(add(!by_reader, count_up, &other_after), 0);
    }
}

static void act_once(void)
{
    bool own_stays, other_stays;

    acted = other_calls = own_after = other_after = 0;
    put(pair[1]);
    EQUAL(add(!by_reader, count_up, &other_calls), 0);
    EQUAL(add(by_reader, act, NULL), 0);
    for (int i = 0; i < 100 && !acted; i++) {
        look();
    }
    look();
    look();
    own_stays = action == NOTHING || action == REMOVE_OTHER || action == REPLACE_OTHER;
    other_stays = action == NOTHING || action == REMOVE_OWN || action == REPLACE_OWN ||
                  action == READD_OWN;
    EQUAL(acted > 1, own_stays);
    EQUAL(other_calls > 0, other_stays); /* one that was due does not come, either */
    EQUAL(own_after > 0, action == REPLACE_OWN || action == READD_OWN || action == READD_BOTH);
    EQUAL(other_after > 0, action == REPLACE_OTHER || action == READD_BOTH);
    EQUAL(drop(by_reader), own_stays || own_after > 0);
    EQUAL(drop(!by_reader), other_stays || other_after > 0);
    take(pair[0]);
}

WITH_PAIR(callbacks_may_change_what_is_watched)
{
    for (int reader = 0; reader < 2; reader++) {
        for (int a = NOTHING; a < ACTIONS; a++) {
            by_reader = reader;
            action = (enum action)a;
            act_once();
        }
    }
}

/* Ends. */

WITH_PAIR(a_peer_that_closes_makes_both_ready)
{
    int reads = 0, writes = 0;

    EQUAL(weft_loop_add_reader(NULL, pair[0], count_up, &reads), 0);
    EQUAL(weft_loop_add_writer(NULL, pair[0], count_up, &writes), 0);
    close(pair[1]);
    look();
    CHECK(reads > 0);
    CHECK(writes > 0);
    EQUAL(take(pair[0]), 0);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    EQUAL(weft_loop_remove_writer(NULL, pair[0]), 1);
    pair[1] = dup(pair[0]);
}

IN_TASK(a_pipe_whose_reader_is_gone_makes_the_writer_ready)
{
    int fds[2], writes = 0;
    char block[4096] = { 0 };

    if (is_virtual()) {
        return;
    }
    EQUAL(pipe2(fds, O_NONBLOCK), 0);
    while (write(fds[1], block, sizeof block) > 0) {
    }
    EQUAL(weft_loop_add_writer(NULL, fds[1], count_up, &writes), 0);
    look();
    EQUAL(writes, 0);
    close(fds[0]);
    look();
    CHECK(writes > 0);
    EQUAL(weft_loop_remove_writer(NULL, fds[1]), 1);
    close(fds[1]);
}

IN_TASK(a_pipe_whose_writer_is_gone_makes_the_reader_ready)
{
    int fds[2], reads = 0;

    if (is_virtual()) {
        return;
    }
    EQUAL(pipe(fds), 0);
    EQUAL(weft_loop_add_reader(NULL, fds[0], count_up, &reads), 0);
    look();
    EQUAL(reads, 0);
    close(fds[1]);
    look();
    CHECK(reads > 0);
    EQUAL(weft_loop_remove_reader(NULL, fds[0]), 1);
    close(fds[0]);
}

/* Takes what there is on both sides, and sets the other side's callback anew. */
static void takes_all(void *end)
{
    int other = !*(int *)end;
    static int ends[2] = { 0, 1 };

    calls++;
    EQUAL(take(pair[!other]), 1);
    EQUAL(take(pair[other]), 1);
    EQUAL(weft_loop_remove_reader(NULL, pair[other]), 1);
    EQUAL(weft_loop_add_reader(NULL, pair[other], takes_all, &ends[other]), 0);
}

WITH_PAIR(what_was_ready_before_a_callback_was_set_is_not_for_that_one)
{
    static int ends[2] = { 0, 1 };
    int writable = 0;

    calls = 0;
    EQUAL(weft_loop_add_writer(NULL, pair[0], count_up, &writable), 0); /* the watches stay */
    EQUAL(weft_loop_add_writer(NULL, pair[1], count_up, &writable), 0);
    EQUAL(weft_loop_add_reader(NULL, pair[0], takes_all, &ends[0]), 0);
    EQUAL(weft_loop_add_reader(NULL, pair[1], takes_all, &ends[1]), 0);
    put(pair[0]);
    put(pair[1]);
    look();
    EQUAL(calls, 1);
    put(pair[0]);
    put(pair[1]);
    look();
    EQUAL(calls, 2); /* and what comes later is */
    for (int i = 0; i < 2; i++) {
        EQUAL(weft_loop_remove_reader(NULL, pair[i]), 1);
        EQUAL(weft_loop_remove_writer(NULL, pair[i]), 1);
    }
}

WITH_PAIR(a_loop_may_close_with_descriptors_watched)
{
    weft_loop *other = open_loop();

    EQUAL(weft_loop_add_reader(other, pair[0], NOTED("x")), 0);
    EQUAL(weft_loop_add_writer(other, pair[0], NOTED("x")), 0);
    EQUAL(weft_loop_add_reader(other, pair[1], NOTED("x")), 0);
    put(pair[1]);
    EQUAL(weft_loop_close(other), 0);
    EQUAL(take(pair[0]), 1); /* they are open, and as they were */
}

static void stop_and_note(void *word)
{
    note(word);
    EQUAL(weft_loop_stop(NULL), 0);
}

IN_LOOP(a_callback_that_is_due_when_the_loop_closes_is_forgotten)
{
    if (is_virtual()) {
        return;
    }
    open_pair();
    put(pair[1]);
    put(pair[0]);
    EQUAL(weft_loop_add_reader(loop, pair[0], stop_and_note, (void *)"stop"), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("stop");
    EQUAL(weft_loop_add_reader(loop, pair[1], NOTED("x")), 0);
    close_loop();
    HAPPENED("");
    close_pair();
}

static CU_TestInfo tests[] = {
    TEST(a_reader_is_called_when_there_is_something_to_read),
    TEST(a_reader_is_called_as_long_as_that_is_so),
    TEST(a_writer_is_called_when_there_is_room),
    TEST(adding_again_replaces),
    TEST(both_on_one_descriptor),
    TEST(removing_what_is_not_there),
    TEST(callbacks_may_change_what_is_watched),
    TEST(a_peer_that_closes_makes_both_ready),
    TEST(a_pipe_whose_reader_is_gone_makes_the_writer_ready),
    TEST(a_pipe_whose_writer_is_gone_makes_the_reader_ready),
    TEST(what_was_ready_before_a_callback_was_set_is_not_for_that_one),
    TEST(a_loop_may_close_with_descriptors_watched),
    TEST(a_callback_that_is_due_when_the_loop_closes_is_forgotten),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fd, tests)
