/* SPDX-License-Identifier: MIT
 * What debug mode asks of the system: where threads are, what memory is there, which part of the
 * program an address is in.  A file for each kind: system_linux.c, system_bsd.c, system_macos.c.
 *
 * Not all of them tell all of it.  What is missing then stands at each call. */
#ifndef WEFT_CORE_DEBUG_SYSTEM_H
#define WEFT_CORE_DEBUG_SYSTEM_H

#include "core/base/thread.h"

#include <sys/types.h>

/* What the system tells of a thread. */
struct weft__thread_state {
    bool on_cpu;      /* it runs, or would like to; else it is in a call, or waits for pages */
    char what[48];    /* the system call, or what the kernel says it waits for; "" not known */
    uintptr_t sp, pc; /* while it is in a call; 0: not known (only Linux tells) */
};

/* Reads that; 0 or a negative errno. */
int weft__system_look(const struct weft__thread *thread, struct weft__thread_state *ret);

/* How many threads the process has; a negative errno: not known. */
int weft__system_threads(void);

/* Signals that nobody sends otherwise, the best first: the `n`th from 0; 0: there are no more. */
int weft__system_signal(int n);

/* Where a signal has interrupted its thread, from the handler's third argument; 0: not known on
 * this machine. */
uintptr_t weft__system_place(const void *context);

/* Copies memory of this process that may not be there: how much, or a negative errno: -ENOSYS there
 * is no call for it, or none that is allowed. */
ssize_t weft__system_copy(void *to, const void *from, size_t size);

/* An address in the program itself, not in one of its libraries; NULL: not known. */
const void *weft__system_program(void);

#endif
