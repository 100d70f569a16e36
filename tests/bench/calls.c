/* SPDX-License-Identifier: MIT
 * Callbacks and futures.
 *
 * Plain, a callback is a function and its argument in a list, and a future is a word that says
 * whether there is a result: nothing is checked, and nobody can hold either for too long. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <weft/weft.h>

enum { BATCH = 256 }; /* callbacks that are posted before the first of them runs */

static uint32_t called;

static __attribute__((noinline)) void count_one(void *arg)
{
    called += arg != NULL;
}

WEFT_ASYNC(call_soon_main, (struct bench_run *, run))
{
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t done = 0; done < run->count && r >= 0; done += BATCH) {
        for (int i = 0; i < BATCH && r >= 0; i++) {
            r = weft_loop_call_soon(NULL, count_one, run, NULL);
        }
        weft_sleep(0);
    }
    run->results[0] = bench_each(start, called);
    return r;
}

static int weft_call_soon(struct bench_run *run)
{
    return weft_run(call_soon_main(run), NULL);
}

struct post {
    struct post *next;
    void (*callback)(void *);
    void *arg;
};

struct posts {
    struct post *first, *last, *free;
};

static __attribute__((noinline)) int post(struct posts *posts, void (*callback)(void *), void *arg)
{
    struct post *post = posts->free;

    if (!post) {
        return -ENOMEM;
    }
    posts->free = post->next;
    *post = (struct post){ NULL, callback, arg };
    if (posts->first) {
        posts->last->next = post;
    } else {
        posts->first = post;
    }
    posts->last = post;
    return 0;
}

static __attribute__((noinline)) void run_posts(struct posts *posts)
{
    struct post *post;

    while ((post = posts->first)) {
        posts->first = post->next;
        post->callback(post->arg);
        post->next = posts->free;
        posts->free = post;
    }
}

static int plain_call_soon(struct bench_run *run)
{
    static struct post store[BATCH];
    struct posts posts = { 0 };
    int r = 0;

    for (int i = 0; i < BATCH; i++) {
        store[i].next = posts.free;
        posts.free = &store[i];
    }
    int64_t start = bench_worked();

    for (uint32_t done = 0; done < run->count && r >= 0; done += BATCH) {
        for (int i = 0; i < BATCH && r >= 0; i++) {
            r = post(&posts, count_one, run);
        }
        run_posts(&posts);
    }
    run->results[0] = bench_each(start, called);
    return r;
}

const struct bench_workload bench_call_soon = {
    .name = "call_soon",
    .about = "256 callbacks at a time, posted and run; plain: a list of functions",
    .figures = { { "post a callback and run it", "ns", { 0 } } },
    .count = 4000000,
    .count_quick = 2000,
    .weft = weft_call_soon,
    .plain = plain_call_soon,
};

/* Figure 0: a future that is done is awaited.  Figure 1: one is made, set and awaited. */
WEFT_ASYNC(future_done_main, (struct bench_run *, run))
{
    weft_future *done;
    int r = weft_future_new(NULL, &done);

    if (r < 0) {
        return r;
    }
    weft_future_set_result(done, run);

    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = weft_await(weft_future_ref(done));
    }
    run->results[0] = bench_each(start, run->count);
    weft_future_unref(done);

    start = bench_worked();
    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = weft_future_new(NULL, &done);
        if (r >= 0) {
            weft_future_set_result(done, run);
            r = weft_await(done);
        }
    }
    run->results[1] = bench_each(start, run->count);
    return r;
}

static int weft_future_is_done(struct bench_run *run)
{
    return weft_run(future_done_main(run), NULL);
}

struct promise {
    struct promise *next_free;
    void *value;
    uint32_t holds;
    bool done;
};

static struct promise *unused;

static __attribute__((noinline)) struct promise *promise_new(void)
{
    struct promise *promise = unused;

    if (promise) {
        unused = promise->next_free;
        promise->holds = 2;
        promise->done = false;
    }
    return promise;
}

static inline void promise_drop(struct promise *promise)
{
    if (--promise->holds == 0) {
        promise->next_free = unused;
        unused = promise;
    }
}

static __attribute__((noinline)) struct promise *promise_ref(struct promise *promise)
{
    promise->holds++;
    return promise;
}

static __attribute__((noinline)) void promise_set(struct promise *promise, void *value)
{
    promise->value = value;
    promise->done = true;
    promise_drop(promise);
}

static __attribute__((noinline)) int promise_get(struct promise *promise)
{
    int r = promise->done ? 0 : -EINPROGRESS;

    promise_drop(promise);
    return r;
}

static int plain_future_is_done(struct bench_run *run)
{
    static struct promise only;
    struct promise *done = &only;
    int r = 0;

    *done = (struct promise){ .holds = 1, .done = true };

    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = promise_get(promise_ref(done));
    }
    run->results[0] = bench_each(start, run->count);
    promise_drop(done);

    start = bench_worked();
    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        done = promise_new();
        promise_set(done, run);
        r = promise_get(done);
    }
    run->results[1] = bench_each(start, run->count);
    return r;
}

const struct bench_workload bench_future_done = {
    .name = "future_done",
    .about = "awaits that need not wait; plain: a flag with a count of holds",
    .figures = { { "await a future that is done", "ns", { 0 } },
                 { "make one, set it, await it", "ns", { 0 } } },
    .count = 4000000,
    .count_quick = 2000,
    .weft = weft_future_is_done,
    .plain = plain_future_is_done,
};

/* What a player finds when it wakes is the future that the other one waits for by then. */
static weft_future *mine[2];

WEFT_ASYNC(player, (uint32_t, count), (int, me))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        weft_future *ball = mine[!me];

        mine[!me] = NULL;
        r = weft_future_new(NULL, &mine[me]);
        if (ball) {
            weft_future_set_result(ball, NULL);
        }
        r = r < 0 ? r : weft_await(mine[me]);
    }
    if (mine[!me]) {
        weft_future_set_result(mine[!me], NULL); /* the other one may go home, too */
        mine[!me] = NULL;
    }
    return r;
}

WEFT_ASYNC(future_pair_main, (struct bench_run *, run))
{
    weft_task *first = weft_create_task(player(run->count, 0), NULL);
    weft_task *second = weft_create_task(player(run->count, 1), NULL);
    int64_t start = bench_worked();
    int r = weft_await(first);
    int s = weft_await(second);

    run->results[0] = bench_each(start, 2.0 * run->count);
    return r < 0 ? r : s;
}

static int weft_future_pair(struct bench_run *run)
{
    return weft_run(future_pair_main(run), NULL);
}

const struct bench_workload bench_future_pair = {
    .name = "future_pair",
    .about = "two tasks, each sets what the other awaits; plain: the bare context switch",
    .figures = { { "from task to task by future", "ns", { 0 } } },
    .count = 1000000,
    .count_quick = 2000,
    .weft = weft_future_pair,
    .plain = bench_plain_switch,
};
