/* SPDX-License-Identifier: MIT
 * The CPU time of threads by POSIX clocks, for the systems that have them: all but macOS. */
#ifndef WEFT_CORE_THREAD_CLOCK_H
#define WEFT_CORE_THREAD_CLOCK_H

#include "core/base/clock.h"
#include "core/base/thread.h"

#include <pthread.h>
#include <time.h>

/* The clock of this thread's, or without one that of the process. */
static inline int64_t weft__thread_clock(void)
{
    clockid_t clock;

    return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : CLOCK_PROCESS_CPUTIME_ID;
}

/* What it shows in nanoseconds; 0: its thread has ended. */
static inline int64_t weft__thread_clock_read(int64_t clock)
{
    struct timespec t;

    if (clock_gettime((clockid_t)clock, &t) < 0) {
        return 0;
    }
    return (int64_t)t.tv_sec * WEFT__SECOND + t.tv_nsec;
}

#endif
