/* SPDX-License-Identifier: MIT
 * Processes when memory, descriptors, processes or threads run out: each allocation and each system
 * call fails once, and each cancel comes at every step; no child is left, and no byte. */
#include "core/proc/spawn.h"
#include "tests/task/fault.h"
#include "tests/task/process.h"
#include "tests/task/steps.h"

#include <signal.h>

static const char *const cat[] = { "cat", NULL };
static const char *const sleeps_long[] = { "sleep", "1000", NULL };

/* A talk with a program that was made with much of what can be asked for. */
static int talk(void)
{
    const char *const add[] = { "A=1", NULL };
    const int pass[] = { 0, 1, 2, 0, 1, 2, 0 }, as[] = { 20, 21, 22, 23, 24, 25, 26 };
    weft_process_options options = { .in = WEFT_PIPE,
                                     .out = WEFT_PIPE,
                                     .err = WEFT_DEVNULL,
                                     .env_add = add,
                                     .pass_fds = pass,
                                     .pass_fds_as = as,
                                     .pass_fds_count = 7 };
    weft_process *process = NULL;
    weft_buffer out = { 0 };
    int r = tried(weft_create_subprocess_exec(cat, &options, &process));

    if (r < 0) {
        CHECK(!process);
        return r;
    }
    r = tried(weft_process_communicate(process, "hello", 5, &out, NULL));
    if (r == 0) {
        SAME(out.data, "hello");
    } else {
        CHECK(!out.data); /* and what was read is still to be had */
        if (weft_process_communicate(process, "hello", 5, &out, NULL) == 0) {
            SAME(out.data, "hello");
        }
    }
    weft_buffer_clear(&out);
    weft_process_free(process);
    return r;
}

/* One that is stopped, one that is freed, and one that the loop's close finds freed. */
static int end_some(void)
{
    weft_process *stopped = NULL, *freed = NULL;
    int r = tried(weft_create_subprocess_exec(sleeps_long, NULL, &stopped));

    if (r == 0) {
        r = tried(weft_process_stop(stopped, 10));
        CHECK(r < 0 || r == 256 + SIGTERM || r == 256 + SIGKILL);
        weft_process_free(stopped);
    }
    if (tried(weft_create_subprocess_exec(sleeps_long, NULL, &freed)) == 0) {
        weft_process_free(freed);
    }
    return r < 0 ? r : 0;
}

WEFT_ASYNC(does_it_all)
{
    int r = talk();

    return r < 0 ? r : end_some();
}

static int all_of_it(void)
{
    int r = run_in_loop(does_it_all());

    EQUAL(children(), 0);
    return r;
}

EACH_FAULT_WHILE_IT(all_of_it)

static int without_pidfd(void)
{
    int r;

    weft__proc_lacks = WEFT__NO_PIDFD;
    r = all_of_it();
    weft__proc_lacks = 0;
    return r;
}

EACH_FAULT_WHILE_IT(without_pidfd)

WEFT_ASYNC(talks)
{
    return talk();
}

/* Fewer: with a sanitizer's memory a copy takes long. */
static int by_copying(void)
{
    int r;

    weft__proc_lacks = WEFT__NO_CLONE;
    r = run_in_loop(talks());
    weft__proc_lacks = 0;
    EQUAL(children(), 0);
    return r;
}

EACH_FAULT_WHILE_IT(by_copying)

/* Cancels. */

WEFT_ASYNC(talks_and_cleans_up)
{
    weft_process *process = NULL;
    weft_buffer out = { 0 };
    int r = weft_create_subprocess_exec(
        cat, &(weft_process_options){ .in = WEFT_PIPE, .out = WEFT_PIPE }, &process);

    if (r < 0) {
        return r;
    }
    r = weft_process_communicate(process, "hello", 5, &out, NULL);
    if (r == 0) {
        SAME(out.data, "hello");
    } else {
        CHECK(!out.data);
    }
    weft_buffer_clear(&out);
    weft_process_free(process);
    return r;
}

static weft_coro *talking(void)
{
    return talks_and_cleans_up();
}

ALONE(a_talk_can_be_cancelled_at_every_step)
{
    AT_EVERY_STEP(talking, 0, -ECANCELED);
    EQUAL(children(), 0);
}

WEFT_ASYNC(stops_and_cleans_up)
{
    weft_process *process = NULL;
    int r = weft_create_subprocess_exec(sleeps_long, NULL, &process);

    if (r < 0) {
        return r;
    }
    r = weft_process_stop(process, 0.05); /* the driver sleeps as long */
    weft_process_free(process);
    return r == 256 + SIGTERM || r == 256 + SIGKILL ? 0 : r;
}

static weft_coro *stopping(void)
{
    return stops_and_cleans_up();
}

ALONE(a_stop_can_be_cancelled_at_every_step)
{
    AT_EVERY_STEP(stopping, 0, -ECANCELED);
    EQUAL(children(), 0);
}

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_all_of_it),         TEST(each_fault_while_it_without_pidfd),
    TEST(each_fault_while_it_by_copying),        TEST(a_talk_can_be_cancelled_at_every_step),
    TEST(a_stop_can_be_cancelled_at_every_step), CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_process, tests)
