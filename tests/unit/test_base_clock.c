/* SPDX-License-Identifier: MIT
 * Time: nothing comes early, and no number of seconds is too strange. */
#include "tests/unit/unit.h"

#include "core/base/clock.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <time.h>

#define FAR (WEFT__NEVER - 1) /* too far to be reached, yet a deadline */

static int64_t ns_of(double seconds)
{
    int64_t ns = -42;

    CU_ASSERT(weft__seconds_to_ns(seconds, &ns) == 0);
    return ns;
}

static void clock_never_goes_back(void)
{
    int64_t before = weft__clock_now();

    for (int i = 0; i < 10000; i++) {
        int64_t now = weft__clock_now();

        CU_ASSERT(now >= before);
        before = now;
    }
}

static void clock_is_the_monotonic_one_in_nanoseconds(void)
{
    int64_t before = weft__clock_now();
    struct timespec t;
    int64_t between;

    CU_ASSERT(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    between = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    CU_ASSERT(before <= between);
    CU_ASSERT(between <= weft__clock_now());
}

static void seconds_that_are_whole_nanoseconds_stay_exact(void)
{
    CU_ASSERT(ns_of(0.0) == 0);
    CU_ASSERT(ns_of(-0.0) == 0);
    CU_ASSERT(ns_of(1.0) == 1000000000);
    CU_ASSERT(ns_of(0.5) == 500000000);
    CU_ASSERT(ns_of(0.001) == 1000000);
    CU_ASSERT(ns_of(86400.25) == INT64_C(86400250000000));
}

static void seconds_between_nanoseconds_are_rounded_up(void)
{
    CU_ASSERT(ns_of(1e-10) == 1);
    CU_ASSERT(ns_of(1.5e-9) == 2);
    CU_ASSERT(ns_of(2.0e-9 + 1e-12) == 3);
    CU_ASSERT(ns_of(DBL_MIN) == 1);
    CU_ASSERT(ns_of(DBL_TRUE_MIN) == 1);
}

static void seconds_below_zero_are_rounded_up_too(void)
{
    CU_ASSERT(ns_of(-1.0) == -1000000000);
    CU_ASSERT(ns_of(-1.5e-9) == -1);
    CU_ASSERT(ns_of(-1e-10) == 0);
    CU_ASSERT(ns_of(-DBL_TRUE_MIN) == 0);
}

static void seconds_never_come_early(void)
{
    uint64_t seed = 2;

    for (int i = 0; i < 100000; i++) {
        double mantissa = (double)(weft_unit_random(&seed) >> 11);
        double seconds = ldexp(mantissa, -(int)(weft_unit_random(&seed) % 80) - 20);
        double exact = seconds * 1e9; /* a variable, for x87 would keep more than a double */
        int64_t ns = ns_of(seconds);

        CU_ASSERT((double)ns >= exact);
        CU_ASSERT((double)(ns - 1) <= exact);
    }
}

static void seconds_too_far_away_are_a_deadline_that_is_never_reached(void)
{
    CU_ASSERT(ns_of(INFINITY) == FAR);
    CU_ASSERT(ns_of(DBL_MAX) == FAR);
    CU_ASSERT(ns_of(1e10) == FAR);
    CU_ASSERT(ns_of(9223372036.854775808) == FAR);
    CU_ASSERT(ns_of(9223372036.0) == INT64_C(9223372036000000000));
    CU_ASSERT(FAR < WEFT__NEVER);
}

static void seconds_too_long_ago_are_the_first_moment(void)
{
    CU_ASSERT(ns_of(-INFINITY) == INT64_MIN);
    CU_ASSERT(ns_of(-DBL_MAX) == INT64_MIN);
    CU_ASSERT(ns_of(-1e10) == INT64_MIN);
    CU_ASSERT(ns_of(-9223372036.0) == -INT64_C(9223372036000000000));
}

static void seconds_that_are_no_number_are_refused(void)
{
    int64_t ns = -42;

    CU_ASSERT(weft__seconds_to_ns(NAN, &ns) == -EINVAL);
    CU_ASSERT(weft__seconds_to_ns(-NAN, &ns) == -EINVAL);
    CU_ASSERT(ns == -42);
}

static void time_after_adds(void)
{
    CU_ASSERT(weft__time_after(100, 0) == 100);
    CU_ASSERT(weft__time_after(100, 23) == 123);
    CU_ASSERT(weft__time_after(-100, 23) == -77);
    CU_ASSERT(weft__time_after(INT64_MIN, 1) == INT64_MIN + 1);
    CU_ASSERT(weft__time_after(INT64_MIN, FAR) == -2);
}

static void time_after_stops_before_never(void)
{
    CU_ASSERT(weft__time_after(FAR, 0) == FAR);
    CU_ASSERT(weft__time_after(FAR - 1, 1) == FAR);
    CU_ASSERT(weft__time_after(FAR, 1) == FAR);
    CU_ASSERT(weft__time_after(1, FAR) == FAR);
    CU_ASSERT(weft__time_after(FAR, FAR) == FAR);
    CU_ASSERT(weft__time_after(FAR, INT64_MAX) == FAR);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(clock_never_goes_back),
    WEFT_UNIT_TEST(clock_is_the_monotonic_one_in_nanoseconds),
    WEFT_UNIT_TEST(seconds_that_are_whole_nanoseconds_stay_exact),
    WEFT_UNIT_TEST(seconds_between_nanoseconds_are_rounded_up),
    WEFT_UNIT_TEST(seconds_below_zero_are_rounded_up_too),
    WEFT_UNIT_TEST(seconds_never_come_early),
    WEFT_UNIT_TEST(seconds_too_far_away_are_a_deadline_that_is_never_reached),
    WEFT_UNIT_TEST(seconds_too_long_ago_are_the_first_moment),
    WEFT_UNIT_TEST(seconds_that_are_no_number_are_refused),
    WEFT_UNIT_TEST(time_after_adds),
    WEFT_UNIT_TEST(time_after_stops_before_never),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_clock, tests)
