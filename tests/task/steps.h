/* SPDX-License-Identifier: MIT
 * Cancelling at every step: what a scenario does when the cancel comes at its first turn, its
 * second, its third ..., at every place at which one can come.
 *
 *     WEFT_ASYNC(talks) { ... }                  does what is to be tested, and cleans up
 *     AT_EVERY_STEP(talks, 0, -ECANCELED);       the statuses that it may end with
 *
 * A scenario runs again and again, each time in a loop of its own as a task, beside a driver that
 * counts steps: a step is one turn of whoever is ready; when nobody is, what the descriptors have
 * to tell; or else the time of the next timer.  At step k the driver strikes, k = 0, 1, 2 ...,
 * until the scenario is over before that.
 * Four sweeps are made:
 *
 *     cancel    weft_task_cancel() of its task
 *     scope     weft_scope_cancel() of a scope around it
 *     group     weft_task_group_cancel() of a group whose child it is
 *     timeout   a deadline around it, at each moment at which an undisturbed run did something, and
 *               between these: -ETIMEDOUT is allowed where -ECANCELED is
 *
 * After each run: the scenario has ended, with a status that is allowed; no other task is left in
 * the loop and no timer armed; nothing was reported; no descriptor is open and no memory taken that
 * was not before; step_balance, which a scenario may count up and down, is 0.
 *
 * On `sim` all this is exact and repeatable: what fails is told with its sweep and its step.
 * On other backends steps are as exact as the clock.  A scenario should take some milliseconds, and
 * must end by itself. */
#ifndef TESTS_TASK_STEPS_H
#define TESTS_TASK_STEPS_H

#include "tests/task/task.h"

/* Makes the coroutine of one run. */
typedef weft_coro *step_scenario(void);

/* Does all sweeps; returns how many runs that took. */
int at_every_step(step_scenario *scenario, const char *name, const int *allowed, size_t n);
#define AT_EVERY_STEP(scenario, ...)                                 \
    at_every_step(scenario, #scenario, (const int[]){ __VA_ARGS__ }, \
                  sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

/* The same of one that waits for descriptors (watches() is in tests/task/transport.h). */
#define WHERE_THERE_ARE_DESCRIPTORS(scenario)       \
    do {                                            \
        if (watches()) {                            \
            AT_EVERY_STEP(scenario, 0, -ECANCELED); \
        }                                           \
    } while (0)

/* For scenarios: up for what is taken, down when it is given back. */
extern int step_balance;

/* Called after each loop's close, before what is left is counted: waits for other threads.  Or
 * NULL. */
extern void (*step_settle)(void);

#endif
