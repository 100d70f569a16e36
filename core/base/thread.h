/* SPDX-License-Identifier: MIT
 * What POSIX does not say of threads: their numbers, names, stacks, CPU time, and signals for one
 * of them.  A file for each kind of system: thread_linux.c, thread_bsd.c, thread_macos.c. */
#ifndef WEFT_CORE_THREAD_H
#define WEFT_CORE_THREAD_H

#include "core/base/base.h"

#include <signal.h>

/* A thread, for others that want to know of it. */
struct weft__thread {
    int64_t number; /* as the system counts it, above 0; 0: nobody's */
    int64_t clock;  /* of its CPU time, as the system names that */
};

/* This one. */
void weft__thread_here(struct weft__thread *ret);

/* This thread's number alone. */
int64_t weft__thread_number(void);

/* Whether it is the one that main() runs in. */
bool weft__thread_is_main(void);

/* Nanoseconds of CPU time that a thread has had; 0: it has ended. */
int64_t weft__thread_cpu_time(const struct weft__thread *thread);

/* Sends a signal to a thread of this process; 0 or a negative errno: -ESRCH it has ended. */
int weft__thread_kill(const struct weft__thread *thread, int signum);

/* In a handler: has the signal come once more, as it came where the system can do that. */
void weft__thread_raise(int signum, siginfo_t *info);

/* The thread's name, of which systems show 15 bytes at least; "" where it has none. */
void weft__thread_set_name(const char *name);
void weft__thread_get_name(char *ret_name, size_t size);

/* Between which addresses this thread's own stack lies; both 0: not known. */
void weft__thread_stack(uintptr_t *ret_low, uintptr_t *ret_end);

#endif
