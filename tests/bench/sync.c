/* SPDX-License-Identifier: MIT
 * Locks, events and semaphores: free ones, and what it takes to hand one over.
 *
 * Plain: a free mutex of the system; and where a task hands over to the next one, the bare context
 * switch. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <weft/weft.h>

static weft_lock lock;

WEFT_ASYNC(take_turns_with_the_lock, (uint32_t, count))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_lock_acquire(&lock);
        weft_lock_release(&lock);
    }
    return r;
}

WEFT_ASYNC(lock_main, (struct bench_run *, run))
{
    int64_t start = bench_worked();
    weft_task *first, *second;
    int r = weft_await(take_turns_with_the_lock(run->count)), s;

    run->results[0] = bench_each(start, run->count);
    first = weft_create_task(take_turns_with_the_lock(run->count), NULL);
    second = weft_create_task(take_turns_with_the_lock(run->count), NULL);
    /* Both find it taken, and from then on each gives it to the other. */
    r = r < 0 ? r : weft_lock_acquire(&lock);
    weft_sleep(0);
    weft_lock_release(&lock);
    start = bench_worked();
    s = weft_await(first);
    r = r < 0 ? r : s;
    s = weft_await(second);
    run->results[1] = bench_each(start, 2.0 * run->count);
    return r < 0 ? r : s;
}

static int weft_lock_side(struct bench_run *run)
{
    return weft_run(lock_main(run), NULL);
}

static int plain_lock(struct bench_run *run)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    double each = bench_each(start, run->count);
    int r = bench_plain_switch(run);

    run->results[1] = run->results[0];
    run->results[0] = each;
    return r;
}

const struct bench_workload bench_lock = {
    .name = "lock",
    .about = "a lock that is free, and one that two tasks hand to each other; plain: a mutex",
    .figures = { { "lock and unlock, free", "ns", { .most = 4 } },
                 { "the same, handed over", "ns", { 0 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_lock_side,
    .plain = plain_lock,
};

static weft_event ping, pong;

WEFT_ASYNC(answers, (weft_event *, mine), (weft_event *, other), (uint32_t, count))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_event_wait(mine);
        weft_event_clear(mine);
        weft_event_set(other);
    }
    return r;
}

WEFT_ASYNC(event_main, (struct bench_run *, run))
{
    weft_task *first = weft_create_task(answers(&ping, &pong, run->count), NULL);
    weft_task *second = weft_create_task(answers(&pong, &ping, run->count), NULL);
    int64_t start;
    int r, s;

    weft_sleep(0);
    start = bench_worked();
    weft_event_set(&ping);
    r = weft_await(first);
    s = weft_await(second);
    run->results[0] = bench_each(start, 2.0 * run->count);
    return r < 0 ? r : s;
}

static int weft_event_side(struct bench_run *run)
{
    return weft_run(event_main(run), NULL);
}

const struct bench_workload bench_event = {
    .name = "event",
    .about = "two tasks set events for each other; plain: the bare context switch",
    .figures = { { "set, wait and clear", "ns", { 0 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_event_side,
    .plain = bench_plain_switch,
};

static weft_semaphore there, back;

WEFT_ASYNC(passes_on, (weft_semaphore *, mine), (weft_semaphore *, other), (uint32_t, count))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_semaphore_acquire(mine);
        weft_semaphore_release(other);
    }
    return r;
}

WEFT_ASYNC(semaphore_main, (struct bench_run *, run))
{
    int64_t start;
    int r, s;

    there = (weft_semaphore)WEFT_SEMAPHORE_INIT(0);
    back = (weft_semaphore)WEFT_SEMAPHORE_INIT(0);
    weft_task *first = weft_create_task(passes_on(&there, &back, run->count), NULL);
    weft_task *second = weft_create_task(passes_on(&back, &there, run->count), NULL);

    weft_sleep(0);
    start = bench_worked();
    weft_semaphore_release(&there);
    r = weft_await(first);
    s = weft_await(second);
    run->results[0] = bench_each(start, 2.0 * run->count);
    return r < 0 ? r : s;
}

static int weft_semaphore_side(struct bench_run *run)
{
    return weft_run(semaphore_main(run), NULL);
}

const struct bench_workload bench_semaphore = {
    .name = "semaphore",
    .about = "a slot goes from task to task and back; plain: the bare context switch",
    .figures = { { "release to who waits", "ns", { 0 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_semaphore_side,
    .plain = bench_plain_switch,
};
