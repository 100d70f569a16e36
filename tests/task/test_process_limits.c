/* SPDX-License-Identifier: MIT
 * Processes where the system says no: without free descriptors or processes, without the right. */
#include "tests/task/fault.h"
#include "tests/task/process.h"
#include "tests/task/scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MORE = 40 }; /* descriptors that starting a process takes at the most */

/* Starts a program with so many free descriptors. */
static int begin_with(int free, const weft_process_options *options, weft_process **ret_process)
{
    const char *const argv[] = { "true", NULL };
    int next = dup(STDIN_FILENO), r;
    struct rlimit before, few;

    close(next);
    EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ (rlim_t)(next + free), before.rlim_max };
    EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    r = weft_create_subprocess_exec(argv, options, ret_process);
    EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    return r;
}

/* With one more each time, until they are enough; whatever was made till then is gone. */
static void begin_with_few(const weft_process_options *options, int least)
{
    int descriptors = open_descriptors(), free, r = -EMFILE;
    weft_process *process = NULL;

    for (free = 0; r == -EMFILE && free < MORE; free++) {
        r = begin_with(free, options, &process);
        if (r < 0) {
            EQUAL(r, -EMFILE);
            CHECK(strstr(weft_error_detail(), strerror(EMFILE)));
            CHECK(!process);
            EQUAL(open_descriptors(), descriptors);
            EQUAL(children(), 0);
        }
    }
    EQUAL(r, 0);
    CHECK(free > least);
    EQUAL(weft_process_wait(process), 0);
    EQUAL(weft_process_free(process), 0);
    EQUAL(open_descriptors(), descriptors);
}

ON_ANY_SYSTEM(without_free_descriptors_no_process_begins)
{
    const weft_process_options pipes = { .in = WEFT_PIPE, .out = WEFT_PIPE, .err = WEFT_PIPE };
    const weft_process_options devnull = { .in = WEFT_DEVNULL };
    const weft_process_options terminal = { .pty = true };

    if (weft__valgrind()) {
        return; /* which keeps some for itself, and tells the program of another limit */
    }
    begin_with_few(&pipes, 6);
    begin_with_few(&devnull, 1);
    begin_with_few(&terminal, 2);
}

ON_ANY_SYSTEM(however_many_are_open_none_goes_to_the_child)
{
    const char *const argv[] = { "sh", "-c", "cd /proc/self/fd; echo *", NULL };
    int open_ones[300];

    for (int i = 0; i < 300; i++) {
        open_ones[i] = dup(STDIN_FILENO); /* not close-on-exec */
    }
    says(argv, NULL, "0 1 2 3\n"); /* 3 is the folder itself */
    for (int i = 0; i < 300; i++) {
        close(open_ones[i]);
    }
}

/* The user may have no more processes; a thread counts as one. */
WEFT_ASYNC(begins_one_too_many)
{
    const char *const argv[] = { "true", NULL };
    weft_process *process = NULL;
    struct rlimit before, none;

    EQUAL(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit){ 0, before.rlim_max };
    EQUAL(setrlimit(RLIMIT_NPROC, &none), 0);
    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), -EAGAIN);
    SAME(weft_error_detail(), "cannot start another process: the system has a limit (ulimit -u, or "
                              "the cgroup's pids.max)");
    CHECK(!process);
    EQUAL(children(), 0);
    EQUAL(setrlimit(RLIMIT_NPROC, &before), 0);
    EQUAL(status_of(argv, NULL), 0); /* and now it goes */
    return 0;
}

ALONE(without_a_free_process_none_begins)
{
    if (strncmp(backend(), "glib", 4) == 0) {
        return; /* it has a thread of its own, beside which sanitizers do not let a process fork */
    }
    without_rights(begins_one_too_many);
}

/* It began with rights that we have no more. */
WEFT_ASYNC(stops_what_is_anothers)
{
    const char *const argv[] = { "sleep", "5", NULL };
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), 0);
    EQUAL(setresuid(65534, 65534, 0), 0);
    EQUAL(weft_process_terminate(process), -EPERM);
    EQUAL(weft_process_stop(process, 0.01), -EPERM);
    EQUAL(weft_process_stop(process, 0), -EPERM);
    EQUAL(weft_process_returncode(process), -EINPROGRESS);
    EQUAL(setresuid(0, 0, 0), 0);
    EQUAL(weft_process_stop(process, 10), 256 + SIGTERM);
    EQUAL(weft_process_free(process), 0);
    return 0;
}

static int stop_what_is_anothers(void)
{
    EQUAL(weft_run(stops_what_is_anothers(), &(weft_run_options){ .backend = backend() }), 0);
    return 0;
}

ALONE(a_child_that_may_not_be_stopped_is_not_waited_for)
{
    if (geteuid() != 0 || strncmp(backend(), "glib", 4) == 0) {
        return; /* who is not root cannot give rights away; glib as above */
    }
    EQUAL(in_child(stop_what_is_anothers, NULL, 0), 0);
}

static int stopped_in_callback;

static void stop_in_callback(void *process)
{
    stopped_in_callback = weft_process_stop(process, 10);
}

IN_TASK(who_cannot_wait_stops_nobody)
{
    weft_process *process = sleeper();

    weft_loop_call_soon(NULL, stop_in_callback, process, NULL);
    EQUAL(weft_sleep(0.01), 0);
    EQUAL(stopped_in_callback, -EPERM);
    EQUAL(weft_process_returncode(process), -EINPROGRESS);
    EQUAL(weft_process_stop(process, 10), 256 + SIGTERM);
    EQUAL(weft_process_free(process), 0);
}

/* The same error at each step. */
ON_ANY_SYSTEM(a_system_without_resources_says_which)
{
    const char *const argv[] = { "true", NULL };
    const weft_process_options options = { .in = WEFT_PIPE, .out = WEFT_PIPE };
    weft_process *process = NULL;
    int descriptors = open_descriptors(), told = 0, r = -EAGAIN;

    for (int nth = 0; r < 0 && nth < 100; nth++) {
        weft__fault_arm(nth, -EAGAIN);
        r = weft_create_subprocess_exec(argv, &options, &process);
        weft__fault_arm(-1, 0);
        CHECK(r == 0 || r == -EAGAIN || r == -ENOMEM);
        told += r == -EAGAIN && strstr(weft_error_detail(), "ulimit -u") ? 1 : 0;
        if (r < 0) {
            EQUAL(open_descriptors(), descriptors);
            EQUAL(children(), 0);
        }
    }
    CHECK(told > 0);
    EQUAL(weft_process_wait(process), 0);
    EQUAL(weft_process_free(process), 0);
}

/* A pool goes on when there are descriptors again. */
IN_TASK(a_pool_without_free_descriptors_is_told)
{
    const char *const argv[] = { "sh", "-c", "exit 3", NULL };
    weft_process_pool *pool = NULL;
    int descriptors = open_descriptors(), next = dup(STDIN_FILENO);
    struct rlimit before, few;

    close(next);
    if (weft__valgrind()) {
        return; /* as above */
    }
    EQUAL(weft_process_pool_new(
              &(weft_process_pool_options){ .max_workers = 1, .argv = argv }, &pool),
          0);
    EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int free = 0; free < 3; free++) {
        few = (struct rlimit){ (rlim_t)(next + free), before.rlim_max };
        EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
        EQUAL(weft_process_pool_call(pool, "x", 1, NULL), -EMFILE);
        EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
        EQUAL(open_descriptors(), descriptors);
        EQUAL(children(), 0);
    }
    EQUAL(weft_process_pool_call(pool, "x", 1, NULL), -EPIPE); /* it runs, and does not serve */
    EQUAL(weft_process_pool_free(pool), 0);
}

static CU_TestInfo tests[] = {
    TEST(without_free_descriptors_no_process_begins),
    TEST(however_many_are_open_none_goes_to_the_child),
    TEST(without_a_free_process_none_begins),
    TEST(a_child_that_may_not_be_stopped_is_not_waited_for),
    TEST(who_cannot_wait_stops_nobody),
    TEST(a_system_without_resources_says_which),
    TEST(a_pool_without_free_descriptors_is_told),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(process_limits, tests)
