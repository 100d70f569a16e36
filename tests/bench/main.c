/* SPDX-License-Identifier: MIT
 * weft-bench: what weft costs, beside the plainest C that does the same. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weft/error.h>

enum { EXIT_USAGE = 2, ROUNDS = 11 };

static const struct bench_workload *const workloads[] = {
    &bench_switch, &bench_spawn_await, &bench_spawn_many, &bench_sleeping_100k,
    &bench_sleeping_1m, &bench_timers_at, &bench_timers_later, &bench_call_soon,
    &bench_future_done, &bench_future_pair, &bench_timeout, &bench_cancel_future,
    &bench_cancel_sleep, &bench_group, &bench_lock, &bench_event, &bench_semaphore,
    &bench_queue_pair, &bench_queue_alone, &bench_select, &bench_wakeup_1cpu, &bench_wakeup_2cpu,
    &bench_thread_1cpu, &bench_thread_2cpu, &bench_queue_1cpu, &bench_queue_2cpu, &bench_startup,
    &bench_process, &bench_debug, &bench_debug_metrics, &bench_debug_turns, &bench_debug_record,
    &bench_debug_echo,
};

enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static const char help[] =
    "Usage: weft-bench [OPTION...] [WORKLOAD...]\n"
    "Measures what weft costs, and beside it the plainest C that does the same work.\n"
    "\n"
    "  weft-bench                  everything; two or three minutes\n"
    "  weft-bench switch timers    the workloads whose names begin so\n"
    "\n"
    "  -l, --list         name the workloads and say what they do\n"
    "  -r, --rounds N     how often each is measured (default 11, at most 1000)\n"
    "  -c, --cpu N        the CPU to run on (default the last one); the same for both sides\n"
    "  -q, --quick        one round of little work: does it run?  The figures mean nothing\n"
    "  -h, --help         this text\n"
    "\n"
    "A round is weft and plain C once for each workload, one after the other and each in a\n"
    "process of its own; who comes first changes from round to round.  So both meet the same\n"
    "slow spells of the machine.  The table has the median of all rounds, the best one (min), and\n"
    "the ratio of the medians, weft / plain C.  A goal is met when weft's median is at most what\n"
    "stands there; of two limits both must hold.\n"
    "\n"
    "A figure is for one unit of the work: a switch, a task, a timer.  Time is CPU time of the\n"
    "process; for wake-ups and start-up, where waiting is the point, it is what the clock says.\n"
    "\n"
    "Build with --buildtype=release and let the machine rest: caches and memory are shared with\n"
    "whatever else runs.  The last line tells how much that was.  WEFT_BACKEND=poll weft-bench\n"
    "measures another backend.\n"
    "\n"
    "Exit status: 0 measured, whether goals were met or not; 1 something could not be measured;\n"
    "2 wrong usage.\n";

struct options {
    uint32_t rounds;
    int cpu;
    bool quick;
    bool list;
};

/* One workload in this run of the program. */
struct entry {
    const struct bench_workload *workload;
    bool wanted;
    const char *missing; /* why it is not measured, or NULL */
    struct bench_samples weft, plain;
};

static struct entry entries[WORKLOADS];

/* Says what is wrong with the command line, and leaves. */
static void usage(const char *what, const char *which)
{
    fprintf(stderr, "weft-bench: %s%s; see weft-bench --help\n", what, which);
    exit(EXIT_USAGE);
}

/* The number in `text`, from `min` to `max`. */
static int number(const char *option, const char *text, int min, int max)
{
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;

    if (!text || end == text || *end || n < min || n > max) {
        usage(option, text ? " does not take this number" : " needs a number");
    }
    return (int)n;
}

/* Marks the workloads whose names begin with `name`. */
static void want(const char *name)
{
    bool found = false;

    for (int i = 0; i < WORKLOADS; i++) {
        if (strncmp(workloads[i]->name, name, strlen(name)) == 0) {
            found = entries[i].wanted = true;
        }
    }
    if (!found) {
        usage("no workload's name begins with ", name);
    }
}

static bool is_option(const char *argument, const char *brief, const char *name)
{
    return strcmp(argument, brief) == 0 || strcmp(argument, name) == 0;
}

static struct options read_arguments(char **arguments)
{
    struct options options = { .rounds = ROUNDS, .cpu = bench_last_cpu() };
    bool some = false;

    while (*++arguments) {
        const char *argument = *arguments;

        if (is_option(argument, "-h", "--help")) {
            fputs(help, stdout);
            exit(0);
        } else if (is_option(argument, "-l", "--list")) {
            options.list = true;
        } else if (is_option(argument, "-q", "--quick")) {
            options.quick = true;
        } else if (is_option(argument, "-r", "--rounds")) {
            options.rounds = (uint32_t)number(argument, arguments[1], 1, BENCH_ROUNDS_MAX);
            arguments++;
        } else if (is_option(argument, "-c", "--cpu")) {
            options.cpu = number(argument, arguments[1], 0, 1023);
            arguments++;
        } else if (argument[0] == '-') {
            usage("there is no option ", argument);
        } else {
            want(argument);
            some = true;
        }
    }
    for (int i = 0; i < WORKLOADS && !some; i++) {
        entries[i].wanted = true;
    }
    return options;
}

static uint32_t count_of(const struct bench_workload *workload, bool quick)
{
    return quick ? workload->count_quick : workload->count;
}

/* Sees whether each workload can be measured here, and has the memory for the largest one ready. */
static void prepare(const struct options *options)
{
    size_t most = 0;

    for (int i = 0; i < WORKLOADS; i++) {
        const struct bench_workload *workload = entries[i].workload = workloads[i];
        size_t bytes = workload->bytes_each * count_of(workload, options->quick);

        if (!entries[i].wanted) {
            continue;
        }
        if (workload->two_cpus && bench_other_cpu(options->cpu) < 0) {
            entries[i].missing = "it needs two CPUs";
        } else if (bytes && bench_memory_free() < (int64_t)bytes / 8 * 9) {
            entries[i].missing = "it needs more memory than is free";
        } else if (bytes > most) {
            most = bytes;
        }
    }
    if (most) {
        bench_touch_memory(most);
    }
}

static void progress(uint32_t round, const struct options *options,
                     const struct bench_workload *workload)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[Kround %u of %u: %s", round + 1, options->rounds, workload->name);
    }
}

/* Both sides once; plain C is first in every other round. */
static void measure(struct entry *entry, const struct options *options, uint32_t round)
{
    const struct bench_workload *workload = entry->workload;
    struct bench_run run = {
        .count = count_of(workload, options->quick),
        .cpu = options->cpu,
        .other_cpu = workload->two_cpus ? bench_other_cpu(options->cpu) : options->cpu,
    };

    for (int i = 0; i < 2 && !entry->missing; i++) {
        bool weft = (round + (uint32_t)i) % 2 == 0;
        int r = bench_measure(workload, weft ? workload->weft : workload->plain, &run,
                              weft ? &entry->weft : &entry->plain);

        if (r < 0) {
            fprintf(stderr, "weft-bench: %s, %s: %s (%s)\n", workload->name,
                    weft ? "weft" : "plain C", weft_strerror(r), weft_err_name(r));
            entry->missing = "it failed";
        }
    }
}

static void measure_all(const struct options *options)
{
    for (uint32_t round = 0; round < options->rounds; round++) {
        for (int i = 0; i < WORKLOADS; i++) {
            uint32_t most = workloads[i]->rounds_max;

            if (!entries[i].wanted || entries[i].missing || (most && round >= most)) {
                continue;
            }
            progress(round, options, workloads[i]);
            measure(&entries[i], options, round);
        }
    }
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
}

/* Returns how many workloads were not measured because they failed. */
static int print_table(bool judge)
{
    int failed = 0;

    bench_table_head();
    for (int i = 0; i < WORKLOADS; i++) {
        struct entry *entry = &entries[i];

        if (!entry->wanted) {
            continue;
        }
        if (entry->missing) {
            bench_table_missing(entry->workload, entry->missing);
            failed += entry->weft.error < 0 || entry->plain.error < 0;
        } else {
            bench_table_rows(entry->workload, &entry->weft, &entry->plain, judge);
        }
    }
    return failed;
}

/* What this process and its children used, in seconds. */
static double own_seconds(void)
{
    double seconds = 0;

    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage usage = { 0 };

        getrusage(who, &usage);
        seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return seconds;
}

/* How long it took, and how much `busy` (before it began) says that others worked meanwhile. */
static void print_circumstances(const struct options *options, double seconds, double busy)
{
    double others = (bench_busy_seconds() - busy - own_seconds()) / seconds;

    printf("\n%u round%s on CPU %d in %.0f s; meanwhile other processes kept %.2f CPUs busy.\n",
           options->rounds, options->rounds == 1 ? "" : "s", options->cpu, seconds,
           others > 0 ? others : 0);
}

static void list(void)
{
    for (int i = 0; i < WORKLOADS; i++) {
        printf("%-14s %s\n", workloads[i]->name, workloads[i]->about);
    }
}

int main(int argc, char **argv)
{
    struct options options = argc > 0 ? read_arguments(argv) : (struct options){ 0 };
    int64_t start = bench_now();
    double busy = bench_busy_seconds();
    int failed;

    if (options.list) {
        list();
        return 0;
    }
    if (options.cpu < 0 || !bench_may_use(options.cpu)) {
        usage("there is no such CPU, or not for this process", "");
    }
    if (options.quick) {
        options.rounds = 1;
    }
    bench_describe_machine();
    fflush(stdout); /* before there are children with a copy of it */
    prepare(&options);
    measure_all(&options);
    failed = print_table(!options.quick);

    if (options.quick) {
        printf("\nThis was --quick: the figures mean nothing.\n");
    } else {
        print_circumstances(&options, (double)(bench_now() - start) / 1e9, busy);
    }
    return failed > 0;
}
