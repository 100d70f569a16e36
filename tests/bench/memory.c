/* SPDX-License-Identifier: MIT
 * Tasks that sleep, very many at a time: what one costs to hold.
 *
 * The plain side touches one page in each of as many 132 KiB (a stack of 128 and the place of a
 * guard), which is the least that a task with a stack of its own can need. */
#include "bench.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weft/weft.h>

struct mark {
    int64_t memory;
    int64_t tables;
    int64_t start;
};

static struct mark begin(void)
{
    struct mark mark = { .memory = bench_status_bytes("VmRSS"),
                         .tables = bench_status_bytes("VmPTE") };

    mark.start = bench_worked();
    return mark;
}

/* The peak is what counts: nothing is given back before the process ends. */
static void end(struct mark mark, struct bench_run *run)
{
    int64_t took = bench_worked() - mark.start;
    int64_t memory = bench_status_bytes("VmHWM") - mark.memory;
    int64_t tables = bench_status_bytes("VmPTE") - mark.tables;

    run->results[0] = (double)(memory + tables) / run->count;
    run->results[1] = (double)tables / run->count;
    run->results[2] = (double)took / run->count;
}

static uint32_t asleep;

WEFT_ASYNC(sleeper)
{
    asleep++;
    return weft_sleep(600);
}

WEFT_ASYNC(sleeping_main, (struct bench_run *, run))
{
    struct mark mark = begin();

    for (uint32_t i = 0; i < run->count; i++) {
        weft_task_detach(weft_create_task(sleeper(), NULL));
    }
    weft_sleep(0); /* it is our turn again when each of them had its first one */
    end(mark, run);
    return asleep == run->count ? 0 : -ENOMEM;
}

/* Made by hand, so that nobody wakes a million tasks to end them: the process goes with them. */
static int weft_sleeping(struct bench_run *run)
{
    weft_loop *loop;
    int r = weft_loop_new(NULL, &loop);

    return r < 0 ? r : weft_loop_run_until_complete(loop, sleeping_main(run));
}

static int plain_sleeping(struct bench_run *run)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t stride = ((size_t)128 << 10) + page;
    struct mark mark = begin();
    char *base = mmap(NULL, run->count * stride, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        return -errno;
    }
    madvise(base, run->count * stride, MADV_NOHUGEPAGE);
    for (uint32_t i = 0; i < run->count; i++) {
        *(volatile char *)(base + i * stride + stride - 64) = 1;
    }
    end(mark, run);
    return 0;
}

const struct bench_workload bench_sleeping_100k = {
    .name = "sleeping_100k",
    .about = "100,000 tasks asleep at a time; plain: a touched page in each of as many stacks",
    .figures = { { "100,000 asleep: memory", "bytes", { 0 } },
                 { "  of that, page tables", "bytes", { 0 } },
                 { "  time to make one", "ns", { 0 } } },
    .count = 100000,
    .count_quick = 200,
    .bytes_each = 4400,
    .weft = weft_sleeping,
    .plain = plain_sleeping,
};

const struct bench_workload bench_sleeping_1m = {
    .name = "sleeping_1m",
    .about = "the same with a million; needs 5 GB of memory",
    .figures = { { "1,000,000 asleep: memory", "bytes", { .most = 4400 } },
                 { "  of that, page tables", "bytes", { 0 } },
                 { "  time to make one", "ns", { 0 } } },
    .count = 1000000,
    .count_quick = 400,
    .rounds_max = 5,
    .bytes_each = 4800,
    .weft = weft_sleeping,
    .plain = plain_sleeping,
};
