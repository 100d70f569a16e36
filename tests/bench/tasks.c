/* SPDX-License-Identifier: MIT
 * Tasks that take turns, come and go.  The plain side is fibers.c. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <weft/weft.h>

WEFT_ASYNC(turns, (uint32_t, count))
{
    for (uint32_t i = 0; i < count; i++) {
        weft_sleep(0);
    }
    return 0;
}

WEFT_ASYNC(nothing)
{
    return 0;
}

WEFT_ASYNC(switch_main, (struct bench_run *, run))
{
    weft_task *first = weft_create_task(turns(run->count), NULL);
    weft_task *second = weft_create_task(turns(run->count), NULL);
    int64_t start = bench_worked();
    int r = weft_await(first);
    int s = weft_await(second);

    run->results[0] = bench_each(start, 2.0 * run->count);
    return r < 0 ? r : s;
}

static int weft_switch(struct bench_run *run)
{
    return weft_run(switch_main(run), NULL);
}

const struct bench_workload bench_switch = {
    .name = "switch",
    .about = "two tasks give way to each other with weft_sleep(0); plain: the bare context switch",
    .figures = { { "switch", "ns", { .most = 10, .over = 3 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_switch,
    .plain = bench_plain_switch,
};

WEFT_ASYNC(spawn_await_main, (struct bench_run *, run))
{
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = weft_await(weft_create_task(nothing(), NULL));
    }
    run->results[0] = bench_each(start, run->count);
    return r;
}

static int weft_spawn_await(struct bench_run *run)
{
    return weft_run(spawn_await_main(run), NULL);
}

const struct bench_workload bench_spawn_await = {
    .name = "spawn_await",
    .about = "a task that returns at once, made and awaited; plain: a fiber begins and ends",
    .figures = { { "make a task and await it", "ns", { .most = 40 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_spawn_await,
    .plain = bench_plain_spawn_await,
};

static double spawn_many(uint32_t count, weft_task **tasks, int *ret_error)
{
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < count; i++) {
        tasks[i] = weft_create_task(turns(1), NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        int r = weft_await(tasks[i]);

        if (r < 0) {
            *ret_error = r;
        }
    }
    return bench_each(start, count);
}

WEFT_ASYNC(spawn_many_main, (struct bench_run *, run))
{
    weft_task **tasks = calloc(run->count, sizeof *tasks);
    int r = 0;

    if (!tasks) {
        return -ENOMEM;
    }
    run->results[0] = spawn_many(run->count, tasks, &r);
    run->results[1] = spawn_many(run->count, tasks, &r);
    free(tasks);
    return r;
}

static int weft_spawn_many(struct bench_run *run)
{
    return weft_run(spawn_many_main(run), NULL);
}

const struct bench_workload bench_spawn_many = {
    .name = "spawn_many",
    .about = "100,000 tasks that give way once, all awaited; plain: fibers, nobody waits",
    .figures = { { "100,000 tasks, fresh stacks", "ns", { 0 } },
                 { "  again, used stacks", "ns", { 0 } } },
    .count = 100000,
    .count_quick = 200,
    .bytes_each = 4400,
    .weft = weft_spawn_many,
    .plain = bench_plain_spawn_many,
};
