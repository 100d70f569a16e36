/* SPDX-License-Identifier: MIT
 * Timers that are taken back before their time: what timeouts mostly are.
 *
 * The plain side is what a careful program would write for itself: nodes of 64 bytes from a free
 * list, which know their place in a heap of pointers with four children to each. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <weft/weft.h>

/* The same for both sides: delays of 10 s to an hour, and the order of the cancels. */
struct plan {
    double *delay; /* seconds */
    uint32_t *order;
};

static int make_plan(struct plan *plan, uint32_t count)
{
    uint64_t state = 88172645463325252u;

    plan->delay = malloc(count * sizeof *plan->delay);
    plan->order = malloc(count * sizeof *plan->order);
    if (!plan->delay || !plan->order) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = (uint32_t)(bench_random(&state) % (i + 1));

        plan->delay[i] = 10 + (double)(bench_random(&state) % 3590000) / 1000;
        plan->order[i] = plan->order[other];
        plan->order[other] = i;
    }
    return 0;
}

static void never(void *arg)
{
    (void)arg;
    abort();
}

/* `later`: each timer reads the clock; otherwise it was read once, before. */
static int weft_once(const struct plan *plan, weft_handle **handles, uint32_t count, bool later)
{
    double base = weft_loop_time(NULL);
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = later ? weft_loop_call_later(NULL, plan->delay[i], never, NULL, &handles[i])
                  : weft_loop_call_at(NULL, base + plan->delay[i], never, NULL, &handles[i]);
    }
    for (uint32_t i = 0; i < count && r >= 0; i++) {
        weft_handle *handle = handles[plan->order[i]];

        r = weft_handle_cancel(handle);
        weft_handle_unref(handle);
    }
    weft_sleep(0);
    return r;
}

WEFT_ASYNC(timers_main, (struct bench_run *, run), (bool, later))
{
    weft_handle **handles = calloc(run->count, sizeof(weft_handle *));
    struct plan plan;
    int r = make_plan(&plan, run->count);

    if (r < 0 || !handles) {
        return -ENOMEM;
    }
    for (int i = 0; i < 2 && r >= 0; i++) {
        int64_t start = bench_worked();

        r = weft_once(&plan, handles, run->count, later);
        run->results[i] = bench_each(start, run->count);
    }
    return r;
}

static int weft_timers_at(struct bench_run *run)
{
    return weft_run(timers_main(run, false), NULL);
}

static int weft_timers_later(struct bench_run *run)
{
    return weft_run(timers_main(run, true), NULL);
}

struct node {
    int64_t when;
    uint32_t place;
    struct node *next_free;
    void (*callback)(void *);
    void *arg;
    char rest[24]; /* what a real one would have, too */
};

_Static_assert(sizeof(struct node) == 64, "a cache line each");

struct heap {
    struct node **at;
    uint32_t count;
    struct node *free;
    struct node *fresh, *end;
};

static inline void set(struct heap *heap, uint32_t i, struct node *node)
{
    heap->at[i] = node;
    node->place = i;
}

static void rise(struct heap *heap, uint32_t i, struct node *node)
{
    while (i > 0 && node->when < heap->at[(i - 1) / 4]->when) {
        set(heap, i, heap->at[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    set(heap, i, node);
}

static void fall(struct heap *heap, uint32_t i, struct node *node)
{
    uint32_t child;

    while ((child = 4 * i + 1) < heap->count) {
        uint32_t first = child;

        for (uint32_t k = child + 1; k < child + 4 && k < heap->count; k++) {
            if (heap->at[k]->when < heap->at[first]->when) {
                first = k;
            }
        }
        if (heap->at[first]->when >= node->when) {
            break;
        }
        set(heap, i, heap->at[first]);
        i = first;
    }
    set(heap, i, node);
}

/* Nodes that nobody has touched yet come from a block, in order. */
static struct node *take_node(struct heap *heap)
{
    struct node *node = heap->free;

    if (node) {
        heap->free = node->next_free;
        return node;
    }
    return heap->fresh < heap->end ? heap->fresh++ : NULL;
}

static struct node *add(struct heap *heap, int64_t when, void (*callback)(void *), void *arg)
{
    struct node *node = take_node(heap);

    node->when = when;
    node->callback = callback;
    node->arg = arg;
    rise(heap, heap->count++, node);
    return node;
}

static void take_back(struct heap *heap, struct node *node)
{
    uint32_t i = node->place;
    struct node *last = heap->at[--heap->count];

    if (i < heap->count) {
        if (i > 0 && last->when < heap->at[(i - 1) / 4]->when) {
            rise(heap, i, last);
        } else {
            fall(heap, i, last);
        }
    }
    node->next_free = heap->free;
    heap->free = node;
}

static void plain_once(const struct plan *plan, struct heap *heap, struct node **handles,
                       uint32_t count, bool later)
{
    int64_t base = bench_now();

    for (uint32_t i = 0; i < count; i++) {
        int64_t now = later ? bench_now() : base;

        handles[i] = add(heap, now + (int64_t)(plan->delay[i] * 1e9), never, NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        take_back(heap, handles[plan->order[i]]);
    }
}

static int plain_timers(struct bench_run *run, bool later)
{
    struct node **handles = calloc(run->count, sizeof(struct node *));
    struct heap heap = { .at = malloc(run->count * sizeof *heap.at),
                         .fresh = aligned_alloc(64, run->count * sizeof *heap.fresh) };
    struct plan plan;
    int r = make_plan(&plan, run->count);

    if (r < 0 || !handles || !heap.at || !heap.fresh) {
        return -ENOMEM;
    }
    heap.end = heap.fresh + run->count;
    for (int i = 0; i < 2; i++) {
        int64_t start = bench_worked();

        plain_once(&plan, &heap, handles, run->count, later);
        run->results[i] = bench_each(start, run->count);
    }
    return heap.count ? -EINVAL : 0;
}

static int plain_timers_at(struct bench_run *run)
{
    return plain_timers(run, false);
}

static int plain_timers_later(struct bench_run *run)
{
    return plain_timers(run, true);
}

const struct bench_workload bench_timers_at = {
    .name = "timers_at",
    .about = "a million timers by call_at, cancelled in random order; plain: a heap by hand",
    .figures = { { "1,000,000 timers, fresh memory", "ns", { .most = 70 } },
                 { "  again, used memory", "ns", { .most = 70 } } },
    .count = 1000000,
    .count_quick = 2000,
    .weft = weft_timers_at,
    .plain = plain_timers_at,
};

const struct bench_workload bench_timers_later = {
    .name = "timers_later",
    .about = "the same by call_later; both sides read the clock for each timer",
    .figures = { { "1,000,000 timers, fresh memory", "ns", { 0 } },
                 { "  again, used memory", "ns", { 0 } } },
    .count = 1000000,
    .count_quick = 2000,
    .weft = weft_timers_later,
    .plain = plain_timers_later,
};
