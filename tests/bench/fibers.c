/* SPDX-License-Identifier: MIT
 * The plain side of tasks: stacks and the bare context switch, without a scheduler.
 *
 * The switch is the library's own, linked into this program once more.  Nothing here asks who runs
 * next, counts anything, or can be cancelled: what weft takes beyond these figures is the price of
 * a task. */
#include "bench.h"

#include "core/fiber/fiber.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGE 4096u
#define STRIDE (33u * PAGE) /* 128 KiB and the page that would be the guard, as weft's own */

/* What lies at the top of each stack. */
struct plain {
    struct weft__fiber fiber;
    struct weft__slot slot;
    struct weft__fiber *next;  /* who has the turn after this one */
    struct weft__fiber *after; /* who goes on when it ends */
    uint32_t turns;            /* that it gives away before it ends */
};

WEFT__SANITIZE_NOT static struct weft__fiber *entry(struct weft__fiber *self);

/* Gives turns away.  All fibers that live do it here: a processor predicts returns, and would be
 * wrong each time if the two sides of a switch had been called from different places. */
static __attribute__((noinline)) void take_turns(struct weft__fiber *self, struct weft__fiber *next,
                                                 uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        weft__fiber_switch(self, next, entry);
    }
}

WEFT__SANITIZE_NOT static struct weft__fiber *entry(struct weft__fiber *self)
{
    struct plain *plain = WEFT__CONTAINER(self, struct plain, fiber);

    weft__sanitize_begin(&self->watch);
    take_turns(self, plain->next, plain->turns);
    weft__sanitize_end(&self->watch, &plain->after->watch);
    return plain->after;
}

static char *map_stacks(uint32_t count)
{
    char *base = mmap(NULL, (size_t)count * STRIDE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return base == MAP_FAILED ? NULL : base;
}

static struct plain *nth(char *base, uint32_t n)
{
    return (struct plain *)(void *)(base + (size_t)(n + 1) * STRIDE -
                                    ((sizeof(struct plain) + 63) & ~63u));
}

static inline void begin(struct plain *plain, uint32_t turns, struct weft__fiber *next,
                         struct weft__fiber *after)
{
    plain->slot.low = (char *)(((uintptr_t)plain & ~(uintptr_t)(PAGE - 1)) - STRIDE + 2 * PAGE);
    plain->turns = turns;
    plain->next = next;
    plain->after = after;
    weft__fiber_init(&plain->fiber, &plain->slot, plain);
}

int bench_plain_switch(struct bench_run *run)
{
    char *base = map_stacks(1);
    struct weft__fiber here = { 0 };
    struct plain *other;

    if (!base) {
        return -ENOMEM;
    }
    other = nth(base, 0);
    weft__sanitize_thread(&here.watch);
    begin(other, run->count + 1, &here, &here);
    take_turns(&here, &other->fiber, 1); /* the page is touched, the way is known */

    int64_t start = bench_worked();

    take_turns(&here, &other->fiber, run->count);
    run->results[0] = bench_each(start, 2.0 * run->count);
    return 0;
}

int bench_plain_spawn_await(struct bench_run *run)
{
    char *base = map_stacks(1);
    struct weft__fiber here = { 0 };
    struct plain *fiber;

    if (!base) {
        return -ENOMEM;
    }
    fiber = nth(base, 0);
    weft__sanitize_thread(&here.watch);

    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count; i++) {
        begin(fiber, 0, &here, &here);
        weft__fiber_switch(&here, &fiber->fiber, entry);
    }
    run->results[0] = bench_each(start, run->count);
    return 0;
}

/* A ring: each begins, gives its turn to the next one, and ends when it has it again. */
static double spawn_many(char *base, uint32_t count)
{
    struct weft__fiber here = { 0 };
    int64_t start = bench_worked();

    weft__sanitize_thread(&here.watch);
    for (uint32_t i = 0; i < count; i++) {
        struct weft__fiber *next = &nth(base, (i + 1) % count)->fiber;

        begin(nth(base, i), 1, next, i + 1 < count ? next : &here);
    }
    take_turns(&here, &nth(base, 0)->fiber, 1);
    return bench_each(start, count);
}

int bench_plain_spawn_many(struct bench_run *run)
{
    char *base = map_stacks(run->count);

    if (!base) {
        return -ENOMEM;
    }
    run->results[0] = spawn_many(base, run->count);
    run->results[1] = spawn_many(base, run->count);
    return 0;
}
