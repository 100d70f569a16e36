/* SPDX-License-Identifier: MIT
 * Time: nanoseconds on CLOCK_MONOTONIC inside, double seconds at the border. */
#ifndef WEFT_CORE_CLOCK_H
#define WEFT_CORE_CLOCK_H

#include "core/base/base.h"

#define WEFT__NEVER INT64_MAX
#define WEFT__SECOND INT64_C(1000000000)

/* CLOCK_MONOTONIC, read now. */
int64_t weft__clock_now(void);

/* The slow half of weft__seconds_to_ns(): what is negative, huge, or no number. */
int weft__seconds_to_ns_slow(double seconds, int64_t *ret_ns);

/* Seconds as nanoseconds, rounded up so that nothing comes early and clamped to what fits; +inf and
 * all that is too far is WEFT__NEVER - 1 (a deadline that is never reached, yet one).  -EINVAL for
 * NaN. */
static inline int weft__seconds_to_ns(double seconds, int64_t *ret_ns)
{
    double ns = seconds * (double)WEFT__SECOND;

    if (ns >= 0 && ns < 9e18) {
        int64_t whole = (int64_t)ns; /* towards zero; ceil(3) would need libm */

        *ret_ns = whole + ((double)whole < ns);
        return 0;
    }
    return weft__seconds_to_ns_slow(seconds, ret_ns);
}

/* a + b, clamped below WEFT__NEVER; b >= 0. */
static inline int64_t weft__time_after(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) || sum == WEFT__NEVER ? WEFT__NEVER - 1 : sum;
}

#endif
