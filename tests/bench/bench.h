/* SPDX-License-Identifier: MIT
 * What the files of weft-bench share.
 *
 * A workload is measured from two sides: with weft, through the shared library as any program uses
 * it, and as the plainest C that does the same work without a library.  Each measurement is a
 * process of its own, forked from one in which no loop ever ran, so none inherits the other's
 * memory. */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    BENCH_FIGURES = 3, /* that one workload may have */
    BENCH_ROUNDS_MAX = 1000,
};

/* What a figure is to reach; all zero: no goal was set.  Several limits hold together. */
struct bench_goal {
    double most;  /* at most this */
    double over;  /* at most this more than plain C */
    double times; /* at most plain C times this */
};

/* One line of the table. */
struct bench_figure {
    const char *what;
    const char *unit;
    struct bench_goal goal;
};

/* One measurement, as the process that makes it sees it. */
struct bench_run {
    uint32_t count;  /* how many units of the work */
    int cpu;         /* the one it is pinned to */
    int other_cpu;   /* for a second thread; the same one when the workload has one CPU */
    double *results; /* as many as the workload has figures */
};

/* Measures one side once.  Returns 0, or the negative errno that kept it from it. */
typedef int bench_side(struct bench_run *run);

struct bench_workload {
    const char *name;
    const char *about; /* for --list */
    struct bench_figure figures[BENCH_FIGURES];
    uint32_t count;
    uint32_t count_quick; /* with --quick */
    uint32_t rounds_max;  /* 0: as many as are asked for */
    size_t bytes_each;    /* memory for each unit, when it is much */
    bool two_cpus;
    bench_side *weft;
    bench_side *plain;
};

extern const struct bench_workload bench_switch, bench_spawn_await, bench_spawn_many,
    bench_sleeping_100k, bench_sleeping_1m, bench_timers_at, bench_timers_later, bench_call_soon,
    bench_future_done, bench_future_pair, bench_timeout, bench_cancel_future, bench_cancel_sleep,
    bench_group, bench_lock, bench_event, bench_semaphore, bench_queue_pair, bench_queue_alone,
    bench_select, bench_wakeup_1cpu, bench_wakeup_2cpu, bench_thread_1cpu, bench_thread_2cpu,
    bench_queue_1cpu, bench_queue_2cpu, bench_startup, bench_process,
    bench_debug, bench_debug_metrics, bench_debug_turns, bench_debug_record, bench_debug_echo;

/* fibers.c: the plain side of tasks.c. */
bench_side bench_plain_switch, bench_plain_spawn_await, bench_plain_spawn_many;

/* What was measured of one side of one workload: sample[figure][round]. */
struct bench_samples {
    double sample[BENCH_FIGURES][BENCH_ROUNDS_MAX];
    uint32_t count;
    int error; /* the first failure; then the samples do not count */
};

/* measure.c: runs one side in a process of its own and keeps what it found; 0 or an error. */
int bench_measure(const struct bench_workload *workload, bench_side *side,
                  const struct bench_run *run, struct bench_samples *samples);

/* table.c: prints one line for each figure; `judge` also says whether goals were met. */
void bench_table_rows(const struct bench_workload *workload, struct bench_samples *weft,
                      struct bench_samples *plain, bool judge);
void bench_table_head(void);
void bench_table_missing(const struct bench_workload *workload, const char *reason);

/* system.c: the machine, and what it did meanwhile. */
void bench_describe_machine(void);
int bench_last_cpu(void);                    /* of those that we may use; -1: none is known */
int bench_other_cpu(int cpu);                /* another one, or -1 */
bool bench_may_use(int cpu);                 /* whether that CPU is there, and for us */
int bench_pin(int cpu);                      /* the calling thread; 0 or a negative errno */
double bench_busy_seconds(void);             /* that all CPUs together have worked; 0: not known */
int64_t bench_status_bytes(const char *key); /* a line of /proc/self/status, or -1 */
int64_t bench_memory_free(void);             /* bytes that may still be used, or -1 */
void bench_touch_memory(size_t bytes);       /* so that a virtual machine has it from its host */

static inline int64_t bench_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The time, in nanoseconds: for work that waits for something. */
static inline int64_t bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

/* The time that this process has worked: for all other work.  On a machine of one's own both are
 * the same; on one that is shared this one stands still while somebody else has the CPU. */
static inline int64_t bench_worked(void)
{
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Nanoseconds of work since `start`, for each of `count`. */
static inline double bench_each(int64_t start, double count)
{
    return (double)(bench_worked() - start) / count;
}

/* The next of a sequence of numbers that look random and are the same in each run (xorshift). */
static inline uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

#endif
