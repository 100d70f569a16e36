/* SPDX-License-Identifier: MIT
 * The flight recorder: what a loop did last, kept in memory and written down when something goes
 * wrong.
 *
 * Debug mode's word `record` (`record=16M`) keeps the last events of each loop in a ring of 32
 * bytes each, the oldest of which are overwritten.  They are written to weft-PID-N.record in the
 * working directory, at most eight times,
 *
 *   - when a turn was too long (with the word `slow`),
 *   - when the process dies by SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT,
 *   - on SIGUSR2, after which the process goes on;
 *
 * signals only where they had their default action when the first loop began to record.  The file
 * is text: a line for each task that lives (its number, name and coroutine function, at most 256),
 * and one for each event: seconds before the last one, what happened, to which task. */
#ifndef WEFT_RECORD_H
#define WEFT_RECORD_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** Writes down what a loop did last.
 *
 *  loop  NULL: the running one.
 *  fd    borrowed; blocking.
 *
 *  Returns how many lines were written; -ENODATA nothing is recorded, -EBADF; -EPERM, -EXDEV,
 *  -ECHILD.  The loop's thread.  Cost: some 100 ns for each. */
WEFT_API int64_t weft_record_write(weft_loop *loop, int fd);

/** Adds an event of your own.
 *
 *  what   a text that stays.
 *  value  any number, written beside it.
 *
 *  Returns 0; -ENODATA nothing is recorded, -EPERM no loop runs in this thread.  Cost: some
 *  nanoseconds. */
WEFT_API int weft_record_mark(const char *what, int64_t value);

WEFT_END_DECLS

#endif
