/* SPDX-License-Identifier: MIT
 * A task that runs over its stack: told by name before the process ends. */
#ifndef WEFT_CORE_OVERFLOW_H
#define WEFT_CORE_OVERFLOW_H

#include "core/sched/task.h"

#include <signal.h>

/* What was there before the handler, to be put back. */
struct weft__overflow_guard {
    bool installed[2]; /* for SIGSEGV, SIGBUS */
    bool stack;        /* an alternate stack was set */
    void *memory;
};

/* Where SIGSEGV and SIGBUS have their default action, sets a handler that reports overflows and
 * then lets the default action happen; with an alternate stack for this thread when it has none. */
void weft__overflow_watch(struct weft__overflow_guard *ret_guard);

/* Puts back what weft__overflow_watch() changed, unless somebody changed it since. */
void weft__overflow_unwatch(struct weft__overflow_guard *guard);

/* Reports a task whose stack ran over; safe in a signal handler. */
void weft__overflow_report(const struct weft__task *task);

#endif
