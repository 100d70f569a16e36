/* SPDX-License-Identifier: MIT
 * What was seen of tasks, in words. */
#ifndef WEFT_TOOLS_WORDS_H
#define WEFT_TOOLS_WORDS_H

#include "tools/weft/look.h"

#include <stdio.h>

/* "waits", "ready", "runs" ... */
const char *word_state(enum look_state state);

/* Nanoseconds for people: "0.25 s", "3 min 20 s", "2 h 3 min", "5 d 2 h". */
void word_time(int64_t ns, char *to, size_t size);

/* What a task waits for, how long still, and until when it may; of one that runs, what its thread
 * does; "" where there is nothing to tell. */
void word_wait(const struct look *look, const struct look_task *task, char *to, size_t size);

/* The coroutines of a task: "inner (a.c:12) < outer (b.c:30)". */
void word_chain(const struct look_task *task, char *to, size_t size);

/* The last part of a path. */
const char *word_file(const char *path);

/* "task 7 'writer'". */
void word_task(const struct look_task *task, char *to, size_t size);

/* What a descriptor is, by /proc: "socket:[4711]"; "": not known. */
void word_fd(const struct look *look, int fd, char *to, size_t size);

/* How many columns a text takes. */
size_t word_width(const char *text);

/* The state of a loop: "runs task 7 'writer'". */
void word_loop(const struct look_loop *loop, char *to, size_t size);

#endif
