/* SPDX-License-Identifier: MIT
 * Counts and times of loops and tasks, for programs that watch themselves.
 *
 * Debug mode's word `metrics` (<weft/debug.h>) has them counted when a loop looks at the world:
 * turns cost nothing more.  The word `turns` has each turn counted and timed as well, for which a
 * clock is read at each.  Both go well alone, in production.  All counts begin when they are
 * switched on. */
#ifndef WEFT_METRICS_H
#define WEFT_METRICS_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** How many buckets a histogram has: eight for each power of two, up to some seconds. */
#define WEFT_HISTOGRAM_BUCKETS 256

/** How often something took how long. */
typedef struct weft_histogram {
    uint64_t counts[WEFT_HISTOGRAM_BUCKETS]; /* the last one has all that took longer */
} weft_histogram;

/** Returns the time in seconds at which a bucket ends and the next one begins; INFINITY for the
 *  last one and beyond.  Any thread. */
WEFT_API double weft_histogram_edge(unsigned bucket);

/** Returns the time in seconds below which a part of all lies (0.99: 99 of 100), as the end of the
 *  bucket in which it is; 0 for an empty one.  Any thread. */
WEFT_API double weft_histogram_quantile(const weft_histogram *histogram, double part);

/** What is known of a loop; what is marked "turns" only by that word, and 0 without. */
typedef struct weft_loop_metrics {
    size_t size;          /* sizeof, set by the caller: how much it has room for */
    uint64_t turns;       /* turns: of tasks */
    uint64_t callbacks;   /* that were called */
    uint64_t looks;       /* at descriptors, clock and other threads */
    uint64_t waits;       /* of those the ones that waited */
    uint64_t made, ended; /* tasks */
    uint64_t live, ready; /* tasks, now; and whatever is ready now */
    double running;       /* seconds that went into turns, callbacks and looks, */
    double waiting;       /* and into waiting */
    double longest;       /* turns: of one turn or callback */
    weft_histogram turn;  /* turns: how long they took, */
    weft_histogram queue; /* turns: how long tasks were ready before (a sample of them) */
    weft_histogram wait;  /* how long the loop waited, */
    weft_histogram round; /* and how long it went from one look to the next, or to a wait */
} weft_loop_metrics;

/** What is known of a task, by the word `turns`. */
typedef struct weft_task_metrics {
    size_t size; /* sizeof, set by the caller */
    uint64_t turns;
    double running; /* seconds that went into them, */
    double longest; /* and into the longest one */
    double age;     /* seconds since it was made */
} weft_task_metrics;

/** Fills in what is known of a loop.
 *
 *  loop         NULL: the running one.
 *  ret_metrics  its size is set; what it has no room for is left out.
 *
 *  Returns 0; -ENODATA nothing is counted, -EINVAL no size; -EPERM, -EBADF, -EXDEV, -ECHILD.  The
 *  loop's thread.  Cost: a copy of some KiB, and a walk along what is ready.
 *  Source: uv_metrics_info(), tokio-metrics. */
WEFT_API int weft_loop_get_metrics(weft_loop *loop, weft_loop_metrics *ret_metrics);

/** Fills in what is known of a task.
 *
 *  task  borrowed; NULL: the running one.
 *
 *  Returns 0; -ENODATA turns are not counted, or it is older than that; -EINVAL, -ESRCH, -EPERM,
 *  -EXDEV, -ECHILD.  The loop's thread. */
WEFT_API int weft_task_get_metrics(weft_task *task, weft_task_metrics *ret_metrics);

WEFT_END_DECLS

#endif
