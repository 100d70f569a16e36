/* SPDX-License-Identifier: MIT
 * Scopes and groups.
 *
 * Plain, a timeout that does not come to pass is a reading of the clock.  A group is measured
 * beside the same children made and awaited one by one, by weft as well. */
#include "bench.h"

#include <weft/weft.h>

enum { CHILDREN = 1000 };

WEFT_ASYNC(timeout_main, (struct bench_run *, run))
{
    weft_timeout limit;
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = weft_timeout_enter(&limit, 10);
        r = weft_timeout_exit(&limit, r);
    }
    run->results[0] = bench_each(start, run->count);
    return r;
}

static int weft_timeouts(struct bench_run *run)
{
    return weft_run(timeout_main(run), NULL);
}

static int plain_timeouts(struct bench_run *run)
{
    volatile int64_t deadline;
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count; i++) {
        deadline = bench_now() + 10000000000;
    }
    (void)deadline;
    run->results[0] = bench_each(start, run->count);
    return 0;
}

const struct bench_workload bench_timeout = {
    .name = "timeout",
    .about = "a timeout is entered and left; plain: a reading of the clock",
    .figures = { { "enter and leave a timeout", "ns", { .most = 40 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_timeouts,
    .plain = plain_timeouts,
};

WEFT_ASYNC(child)
{
    return 0;
}

WEFT_ASYNC(group_main, (struct bench_run *, run))
{
    weft_task_group group;
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t done = 0; done < run->count && r >= 0; done += CHILDREN) {
        weft_task_group_enter(&group);
        for (int i = 0; i < CHILDREN; i++) {
            weft_task_group_create_task(&group, child(), NULL);
        }
        r = weft_task_group_exit(&group, 0);
    }
    run->results[0] = bench_each(start, run->count);
    return r;
}

static int weft_groups(struct bench_run *run)
{
    return weft_run(group_main(run), NULL);
}

WEFT_ASYNC(one_by_one_main, (struct bench_run *, run))
{
    static weft_task *tasks[CHILDREN];
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t done = 0; done < run->count && r >= 0; done += CHILDREN) {
        for (int i = 0; i < CHILDREN; i++) {
            tasks[i] = weft_create_task(child(), NULL);
        }
        for (int i = 0; i < CHILDREN && r >= 0; i++) {
            r = weft_await(tasks[i]);
        }
    }
    run->results[0] = bench_each(start, run->count);
    return r;
}

static int bare_tasks(struct bench_run *run)
{
    return weft_run(one_by_one_main(run), NULL);
}

const struct bench_workload bench_group = {
    .name = "group",
    .about = "a group of 1,000 children; 'plain': the same tasks awaited one by one, by weft",
    .figures = { { "a child of a group of 1,000", "ns", { .times = 1.3 } } },
    .count = 1000000,
    .count_quick = 2000,
    .weft = weft_groups,
    .plain = bare_tasks,
};
