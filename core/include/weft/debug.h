/* SPDX-License-Identifier: MIT
 * Debug mode: what blocks, what was never awaited, what leaked, what is stuck and on whom.
 *
 * It is in every build and costs nothing until it is switched on, for all loops of a program by
 * WEFT_DEBUG or `debug` in weft.conf, for one by weft_run_options or weft_debug_set(); by words:
 *
 *     1               what most programs want: all that is marked with * below
 *     0               nothing
 *     slow[=100ms] *  a callback, or a task between two waits, that keeps the loop for so long;
 *                     with a backtrace that was taken while it did
 *     awaits       *  coroutines and tasks that nobody awaited
 *     leaks        *  when a run ends and before it cancels them, the tasks that were neither
 *                     awaited nor detached; at the loop's close, the tasks that are left, as a
 *                     tree, and the streams, servers, transports, listeners, datagram endpoints
 *                     and processes that were not closed (no weft_datagram, weft_dir, weft_notify
 *                     and weft_signal_receiver)
 *     deadlock     *  tasks that wait for each other, and a loop in which nothing can ever happen
 *     cancel[=1s]  *  a task that is cancelled and goes on
 *     starve[=250ms] * a task that was ready for so long before it had its turn
 *     thread       *  calls from a thread that is not the loop's
 *     stale        *  handles of tasks and coroutines that are used when they are spent
 *     fd           *  a descriptor that is closed twice, used when it is closed, or another file's
 *                     since it was watched
 *     stack        *  a task that has nearly used up its stack
 *     depth           at the loop's close, how much of its stack each coroutine function needed
 *     made         *  each report tells where in the program its object was made
 *     metrics         counts and times of each loop (<weft/metrics.h>)
 *     turns           the same of each turn and task
 *     record[=4M]     the last events, written down when something goes wrong (<weft/record.h>)
 *     all             all of these
 *
 * A list is separated by commas; `-word` takes one away: "1,-starve,slow=20ms".  Times end in us,
 * ms or s; sizes may end in K or M.
 *
 * Reports go where all reports go (<weft/report.h>), with what debug mode knows in addition. */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <weft/report.h>

WEFT_BEGIN_DECLS

/** Switches debug mode of a loop, as a whole: what is not in the list is off.
 *
 *  loop   NULL: the running one.
 *  words  the list, as for WEFT_DEBUG; NULL or "" is "0".  Of what was made
 *         before it is not known where.
 *
 *  Returns 0; -EINVAL a word is not known or has a wrong value, and nothing has changed (which, and
 *  what there is, is in weft_error_detail()); -ENOMEM, -EAGAIN no thread for the watchdog; -EPERM,
 *  -EBADF, -EXDEV, -ECHILD.  The loop's thread.  Cost: may start a thread, which ends with the last
 *  loop that has `slow`.  Source: loop.set_debug(), loop.slow_callback_duration. */
WEFT_API int weft_debug_set(weft_loop *loop, const char *words);

/** Writes the words that are on for a loop: "slow=100ms,awaits"; "0" for none.
 *
 *  ret_words  at most `size` bytes with the final zero, cut at its end; may be NULL when size is 0.
 *
 *  Returns the length of the whole text; -EPERM, -EBADF, -EXDEV, -ECHILD.  The loop's thread. */
WEFT_API int weft_debug_get(weft_loop *loop, char *ret_words, size_t size);

/** Says that what follows in this task or callback may block, and why: `slow` leaves it alone until
 *  the next wait or weft_debug_allow_blocking(NULL).
 *
 *  reason  a text that stays; NULL: from here on it must not any more.
 *
 *  Returns 0, -EPERM no loop runs in this thread.  Cost: two stores. */
WEFT_API int weft_debug_allow_blocking(const char *reason);

/** A place in the program, as far as it is known. */
typedef struct weft_debug_place {
    char function[96]; /* "": unknown */
    char file[256];    /* the source file; "": unknown */
    char module[96];   /* the program's or library's file, without folders */
    int line;          /* 0: unknown */
    size_t offset;     /* bytes behind the function's beginning, or the module's */
} weft_debug_place;

/** Names the place of a return address in this process (one of a report's).
 *
 *  ret_places  the function there and, before it, those that were compiled into it, the
 *              innermost first.
 *
 *  Source files and lines need the plugin "symbols" (Debian: libweft-plugin-symbols) and a program
 *  built with -g; without them there is the function at most.
 *
 *  Returns how many places there are, at least 1 and at most `max`; -EINVAL.  Any thread, not in a
 *  signal handler.  Cost: reads the program's debugging information when it is first called. */
WEFT_API int weft_debug_places(const void *address, weft_debug_place *ret_places, int max);

WEFT_END_DECLS

#endif
