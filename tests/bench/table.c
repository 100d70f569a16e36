/* SPDX-License-Identifier: MIT
 * The table: medians, minima, and what they say about the goals. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_WIDTH "%-14s"
#define WHAT_WIDTH "%-31s"

/* Three digits that matter, and no more than the figure has. */
static void print_value(double value)
{
    printf("%8.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *sorted, uint32_t count)
{
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* The largest value that meets the goal; infinity without one. */
static double limit_of(const struct bench_goal *goal, double plain)
{
    double most = goal->most > 0 ? goal->most : INFINITY;
    double over = goal->over > 0 ? plain + goal->over : INFINITY;
    double times = goal->times > 0 ? plain * goal->times : INFINITY;
    double limit = most < over ? most : over;

    return limit < times ? limit : times;
}

static void describe(const struct bench_goal *goal, char *ret_text, size_t size)
{
    size_t n = 0;

    ret_text[0] = '\0';
    if (goal->most > 0) {
        n += (size_t)snprintf(ret_text + n, size - n, "%.0f", goal->most);
    }
    if (goal->over > 0) {
        n += (size_t)snprintf(ret_text + n, size - n, "%splain + %.0f", n ? ", " : "", goal->over);
    }
    if (goal->times > 0) {
        snprintf(ret_text + n, size - n, "%splain x %.3g", n ? ", " : "", goal->times);
    }
}

void bench_table_head(void)
{
    printf("\n" NAME_WIDTH WHAT_WIDTH "%8s%8s%8s%8s  %-5s%6s  %s\n", "workload", "figure, each",
           "weft", "min", "plain C", "min", "unit", "ratio", "goal, at most");
}

void bench_table_rows(const struct bench_workload *workload, struct bench_samples *weft,
                      struct bench_samples *plain, bool judge)
{
    for (int i = 0; i < BENCH_FIGURES && workload->figures[i].what; i++) {
        const struct bench_figure *figure = &workload->figures[i];
        char goal[64];

        qsort(weft->sample[i], weft->count, sizeof(double), ascending);
        qsort(plain->sample[i], plain->count, sizeof(double), ascending);
        double ours = median(weft->sample[i], weft->count);
        double theirs = median(plain->sample[i], plain->count);
        double limit = limit_of(&figure->goal, theirs);

        printf(NAME_WIDTH WHAT_WIDTH, i == 0 ? workload->name : "", figure->what);
        print_value(ours);
        print_value(weft->sample[i][0]);
        print_value(theirs);
        print_value(plain->sample[i][0]);
        describe(&figure->goal, goal, sizeof goal);
        printf("  %-5s%6.2f", figure->unit, ours / theirs);
        if (judge && isfinite(limit)) {
            printf("  %-15s%s", goal, ours <= limit ? "met" : "missed");
        }
        printf("\n");
    }
}

void bench_table_missing(const struct bench_workload *workload, const char *reason)
{
    printf(NAME_WIDTH "not measured: %s\n", workload->name, reason);
}
