/* SPDX-License-Identifier: MIT
 * Scenes that are the same inside every host.  Whoever includes this has said before what
 * ATTACHED() and run_coro() are, and how `loop` is closed. */
#ifndef TESTS_HOST_SCENES_H
#define TESTS_HOST_SCENES_H

#include "tests/task/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void close_attached(void); /* and the host has let go of it */

struct ends {
    int fds[2];
    weft_future *future;
    char byte;
};

static void read_byte(void *arg)
{
    struct ends *ends = arg;

    EQUAL(read(ends->fds[0], &ends->byte, 1), 1);
    EQUAL(weft_loop_remove_reader(NULL, ends->fds[0]), 1);
    EQUAL(weft_future_set_result(ends->future, NULL), 0);
}

WEFT_ASYNC(reads, (struct ends *, ends))
{
    EQUAL(weft_future_new(NULL, &ends->future), 0);
    EQUAL(weft_loop_add_reader(NULL, ends->fds[0], read_byte, ends), 0);
    EQUAL(weft_sleep(0.002), 0);
    EQUAL(write(ends->fds[1], "b", 1), 1);
    return weft_await(ends->future);
}

ATTACHED(descriptors_are_watched_and_stay_as_they_are)
{
    struct ends ends;

    EQUAL(pipe2(ends.fds, O_CLOEXEC), 0);
    EQUAL(run_coro(reads(&ends)), 0);
    EQUAL(ends.byte, 'b');
    EQUAL(fcntl(ends.fds[0], F_GETFL) & O_NONBLOCK, 0);
    close(ends.fds[0]);
    close(ends.fds[1]);
}

static int forks(void)
{
    EQUAL(weft_loop_pump(loop), -ECHILD);
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), -ECHILD);
    EQUAL(weft_loop_close(loop), -ECHILD);
    return 0;
}

ATTACHED(a_forked_child_leaves_it_alone)
{
    char words[2000];

    EQUAL(in_child(forks, words, sizeof words), 0);
    EQUAL(run_coro(sleeps_then(0.001, 3)), 3);
}

ATTACHED(signals_are_as_they_were)
{
    struct sigaction before[NSIG], after;
    sigset_t mask_before, mask;

    sigprocmask(SIG_SETMASK, NULL, &mask_before);
    for (int i = 1; i < NSIG; i++) {
        (void)sigaction(i, NULL, &before[i]);
    }
    EQUAL(run_coro(sleeps(0.001)), 0);
    close_attached();
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &after) == 0) {
            CHECK(after.sa_handler == before[i].sa_handler);
            CHECK(after.sa_flags == before[i].sa_flags);
        }
        EQUAL(sigismember(&mask, i), sigismember(&mask_before, i));
    }
}

#endif
