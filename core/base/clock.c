/* SPDX-License-Identifier: MIT
 * Time: the clock, and seconds made nanoseconds. */
#include "core/base/clock.h"

#include <errno.h>
#include <time.h>

int64_t weft__clock_now(void)
{
    struct timespec now;

    /* Cannot fail: the clock is there and the address is good. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * WEFT__SECOND + now.tv_nsec;
}

WEFT__COLD int weft__seconds_to_ns_slow(double seconds, int64_t *ret_ns)
{
    const double limit = 9223372036854775808.0; /* 2^63: the first double that does not fit */
    double ns = seconds * (double)WEFT__SECOND;

    if (ns != ns) {
        return -EINVAL;
    }
    if (ns >= limit) {
        *ret_ns = WEFT__NEVER - 1;
    } else if (ns < -limit) {
        *ret_ns = INT64_MIN;
    } else {
        int64_t whole = (int64_t)ns; /* towards zero; ceil(3) would need libm */

        *ret_ns = whole + ((double)whole < ns);
    }
    return 0;
}
