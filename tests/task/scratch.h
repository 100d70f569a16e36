/* SPDX-License-Identifier: MIT
 * A directory of the test's own, for files that it makes: gone when the program ends. */
#ifndef TESTS_TASK_SCRATCH_H
#define TESTS_TASK_SCRATCH_H

#include "tests/task/task.h"

/* The path of `name` in it; "" is the directory itself.  The last 16 stay valid. */
const char *scratch(const char *name);

/* Makes a file of text, or of `size` bytes that differ from place to place; returns its path. */
const char *file_of(const char *name, const char *text);
const char *file_of_size(const char *name, size_t size);
unsigned char byte_at(size_t place);

/* Claims that a file holds a text. */
#define HOLDS(path, text) holds((path), (text), __FILE__, __LINE__)
bool holds(const char *path, const char *text, const char *file, unsigned line);

/* How many entries a directory has; -1: there is none. */
int entries(const char *path);
bool is_there(const char *path);

/* Takes a directory away with all that is in it, blocking. */
void clear_away(const char *path);

/* Runs `body` in a loop of a forked child to which what is forbidden is forbidden: as root it
 * becomes somebody else, who owns the directory. */
typedef weft_coro *scratch_body(void);
void without_rights(scratch_body *body);

#endif
