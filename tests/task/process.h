/* SPDX-License-Identifier: MIT
 * What the tests of processes share. */
#ifndef TESTS_TASK_PROCESS_H
#define TESTS_TASK_PROCESS_H

#include "tests/task/task.h"

/* A test that is run on a system with everything, and on those that lack something: process
 * descriptors, clone's shared memory, close_range. */
#define ON_ANY_SYSTEM(name)               \
    static void name##__lacking(void);     \
    IN_TASK(name)                          \
    {                                      \
        on_any_system(name##__lacking);    \
    }                                      \
    static void name##__lacking(void)
void on_any_system(void (*body)(void));

/* A child that sleeps for long; one that does so and ignores SIGTERM, already. */
weft_process *sleeper(void);
weft_process *stubborn(void);

/* The program must not begin, and this is why; `words` NULL: some. */
void refused(const char *const *argv, const weft_process_options *options, int error,
             const char *words);

/* Runs a program to its end: its status; and what it writes must be `words` (NULL: something). */
int status_of(const char *const *argv, const weft_process_options *options);
void says(const char *const *argv, const weft_process_options *options, const char *words);

/* A file with this text; a new one in /tmp, until forget_temporaries(). */
void write_file(const char *name, const char *text, int mode);
const char *temporary(const char *text, int mode);
void forget_temporaries(void);

/* How many children this process has, ended ones that nobody has reaped among them. */
int children(void);

#endif
