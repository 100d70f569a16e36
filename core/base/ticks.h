/* SPDX-License-Identifier: MIT
 * The processor's own counter, where it counts evenly: a clock that costs half of what the system's
 * does.  Elsewhere it is the system's clock. */
#ifndef WEFT_CORE_TICKS_H
#define WEFT_CORE_TICKS_H

#include "core/base/clock.h"

/* What the counter is held against, to find its rate. */
struct weft__ticks {
    bool counter;   /* ticks come from the counter; else they are nanoseconds */
    int64_t at, ns; /* what both showed when this began */
    double rate;    /* nanoseconds for a tick; 0: not known yet */
};

/* Whether the counter counts evenly, also while the processor sleeps. */
static inline bool weft__ticks_are_even(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    uint32_t a, b, c, d;

    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0x80000000u), "c"(0));
    if (a < 0x80000007u) {
        return false;
    }
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0x80000007u), "c"(0));
    return d >> 8 & 1u;
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

static inline int64_t weft__ticks_now(const struct weft__ticks *ticks)
{
    if (!ticks->counter) {
        return weft__clock_now();
    }
#if defined(__x86_64__)
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (int64_t)((uint64_t)high << 32 | low);
#elif defined(__aarch64__)
    int64_t value;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return weft__clock_now();
#endif
}

/* Begins to compare the two. */
static inline void weft__ticks_init(struct weft__ticks *ticks)
{
    ticks->counter = weft__ticks_are_even();
    ticks->ns = weft__clock_now();
    ticks->at = weft__ticks_now(ticks);
    ticks->rate = ticks->counter ? 0 : 1;
}

/* The rate, found from the time since then: exact to a thousandth after a tenth of a millisecond,
 * for which it waits when it has to. */
static inline double weft__ticks_rate(struct weft__ticks *ticks)
{
    int64_t ns;

    if (!ticks->counter) {
        return 1;
    }
    do {
        ns = weft__clock_now() - ticks->ns;
    } while (ns < 100000);
    ticks->rate = (double)ns / (double)(weft__ticks_now(ticks) - ticks->at);
    return ticks->rate;
}

#endif
