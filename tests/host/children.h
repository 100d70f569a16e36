/* SPDX-License-Identifier: MIT
 * Children of weft's and of another library's in one process: both end with the right status, and
 * nobody takes the other's.  The program that includes this supplies the library. */
#ifndef TESTS_HOST_CHILDREN_H
#define TESTS_HOST_CHILDREN_H

#include "core/proc/spawn.h"
#include "tests/task/process.h"

#include <signal.h>
#include <sys/wait.h>

/* The host: one at a time, made anew for each test. */
static void host_open(void);
static void *host_loop(void);
static void host_run(void);  /* until host_quit() */
static void host_quit(void);
static void host_look(void); /* one iteration, which may wait */
static void host_close(void);

/* Begins `sh -c command` as the library does, in this loop of its own (NULL: the host).  What it
 * ended with, as wait(2) has it, comes to *ret_status, which is -1 till then. */
static void begin_theirs(void *native, const char *command, int *ret_status);

/* Whether the library reaps every child of the process, as libev does. */
static bool takes_all(void);

enum { KINDS = 4, ROUNDS = 5, EACH = KINDS * ROUNDS };

static const struct kind {
    const char *command;
    int ours, theirs; /* the status as weft has it, and as wait(2) does */
} kinds[KINDS] = {
    { "exit 0", 0, 0 },
    { "exit 7", 7, 7 << 8 },
    { "kill -TERM $$", 256 + SIGTERM, SIGTERM },
    { "sleep 0.01; exit 9", 9, 9 << 8 },
};

/* Who was faster decides whether the status of one of ours was there to be taken, and the kernel
 * whether it can be told all the same. */
static void check_ours(int status, int expected)
{
    if (status == -ECHILD && takes_all() && weft__proc_without(WEFT__NO_EXIT_INFO)) {
        return;
    }
    EQUAL(status, expected);
}

static bool has_ended(const int *statuses, int count)
{
    for (int i = 0; i < count; i++) {
        if (statuses[i] < 0) {
            return false;
        }
    }
    return true;
}

/* Begins both by turns, and waits for all of them. */
WEFT_ASYNC(lives_among_children, (void *, native))
{
    weft_process *ours[EACH] = { NULL };
    int theirs[EACH];

    for (int i = 0; i < EACH; i++) {
        begin_theirs(native, kinds[i % KINDS].command, &theirs[i]);
        EQUAL(weft_create_subprocess_shell(kinds[i % KINDS].command, NULL, &ours[i]), 0);
    }
    for (int i = EACH - 1; i >= 0; i--) {
        check_ours(weft_process_wait(ours[i]), kinds[i % KINDS].ours);
        EQUAL(weft_process_kill(ours[i]), -ESRCH);
        weft_process_free(ours[i]);
    }
    for (int ms = 0; ms < 20000 && !has_ended(theirs, EACH); ms++) {
        EQUAL(weft_sleep(0.001), 0);
    }
    for (int i = 0; i < EACH; i++) {
        EQUAL(theirs[i], kinds[i % KINDS].theirs);
    }
    EQUAL(children(), 0);
    return 0;
}

static void lives_among_children_on_any_system(void (*body)(void))
{
    body();
    weft__proc_lacks = WEFT__NO_EXIT_INFO;
    body();
    weft__proc_lacks = WEFT__NO_PIDFD | WEFT__NO_EXIT_INFO;
    body();
    weft__proc_lacks = 0;
}

static void quit(weft_task *task, void *arg)
{
    (void)task, (void)arg;
    host_quit();
}

static void run_attached(weft_coro *coro)
{
    weft_task *task = weft_loop_create_task(loop, coro, NULL);

    EQUAL(weft_task_add_done_callback(task, quit, NULL), 0);
    host_run();
    EQUAL(weft_task_status(task), 0);
    weft_task_unref(task);
}

static void close_attached(void)
{
    int r = weft_loop_close(loop);

    CHECK(r == 0 || r == -EINPROGRESS); /* the host has to run for it */
    loop = NULL;
}

static void attach(void)
{
    host_open();
    EQUAL(weft_loop_attach(backend(), host_loop(), &loop), 0);
    EQUAL(weft_loop_set_exception_handler(loop, keep_report, NULL), 0);
}

static void live_in_a_host(void)
{
    attach();
    run_attached(lives_among_children(NULL));
    close_attached();
    host_close();
}

ALONE(children_of_both_end_with_their_own_status_in_a_host)
{
    lives_among_children_on_any_system(live_in_a_host);
}

WEFT_ASYNC(leaves_a_child)
{
    weft_process_free(stubborn());
    weft_process_free(sleeper());
    return 0;
}

/* What the loop kills and reaps as it closes are its own. */
ALONE(a_loop_that_closes_leaves_theirs_alone)
{
    int theirs[3];

    attach();
    begin_theirs(NULL, "exit 3", &theirs[0]);
    begin_theirs(NULL, "sleep 0.05; exit 4", &theirs[1]);
    run_attached(leaves_a_child());
    begin_theirs(NULL, "exit 5", &theirs[2]);
    close_attached();
    while (!has_ended(theirs, 3)) {
        host_look();
    }
    EQUAL(theirs[0], 3 << 8);
    EQUAL(theirs[1], 4 << 8);
    EQUAL(theirs[2], 5 << 8);
    EQUAL(children(), 0);
    host_close();
}

#define CHILDREN_TESTS                                          \
    TEST(children_of_both_end_with_their_own_status_in_a_host), \
        TEST(a_loop_that_closes_leaves_theirs_alone)

#endif
