/* SPDX-License-Identifier: MIT
 * Making each allocation and each system call fail once: what the fault tests share.
 *
 * A scenario runs again and again, with its first, second, third ... fault, until a run is over
 * before its fault comes.  Each run ends in success or in an error that is documented, loses no
 * coroutine, and leaves nothing behind.
 *
 * And, for errors that a test cannot have the system bring about, HANDS_ON(-EIO, call). */
#ifndef TESTS_TASK_FAULT_H
#define TESTS_TASK_FAULT_H

#include "tests/task/task.h"

/* What a scenario does: everything it can, whatever fails; gives all back; returns an error. */
typedef int fault_scenario(void);

/* Keeps the first error of a scenario; returns `r`. */
int tried(int r);

/* A coroutine that is counted: it must run or be dropped, once.  Gives `status` after a turn. */
WEFT_MUST_USE weft_coro *counted(int status);
WEFT_MUST_USE weft_coro *counted_large(int status); /* with a kilobyte of arguments */

/* The same for others: begun(), then once ended(), which can be a callback. */
void begun(void);
void ended(void *unused);

/* A callback that is counted: it must be called once, unless the run was cut short. */
void scheduled(void);
void called(void *unused);
void cut_short(void);

/* Runs a coroutine in a loop of its own, to its end; all that fails is an error of the scenario. */
int run_in_loop(weft_coro *coro);

/* Sweeps a scenario with each of several errors. */
void sweep(fault_scenario *scenario, const char *name);

/* A test of CUnit: each_fault_while_it_SCENARIO. */
#define EACH_FAULT_WHILE_IT(scenario)     \
    ALONE(each_fault_while_it_##scenario) \
    {                                     \
        sweep(scenario, #scenario);       \
    }

/* Claims that a call hands on what the system says.  It is made while all system calls fail with
 * `error`, all but the first, all but the first two ..., until it returns that; with -ENOMEM there
 * is no memory either.  What it opens when it returns something else is for the expression to
 * close.  What a loop does by itself, between its tasks' turns, does not fail. */
#define HANDS_ON(error, call)                                                       \
    do {                                                                            \
        long but_ = 0;                                                              \
                                                                                    \
        while (but_ >= 0) {                                                         \
            fail_all_but(but_, error);                                              \
            but_ = handed_on(but_, (long)(call), error, #call, __FILE__, __LINE__); \
        }                                                                           \
    } while (0)
void fail_all_but(long first, int error);
long handed_on(long but, long r, int error, const char *claim, const char *file, unsigned line);

#endif
