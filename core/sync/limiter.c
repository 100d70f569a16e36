/* SPDX-License-Identifier: MIT
 * Capacity limiters.  The borrowers are in an open hash table, at most half full: one is looked for
 * from where its address points, and removing one closes the gap.  There is room for all who wait,
 * too, so that handing over never has to allocate. */
#include "core/sync/waitq.h"

#include "core/base/error.h"
#include "core/base/mem.h"

#include <weft/limiter.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_limiter) == 80, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_limiter_stats) == 48, "the public size");

#define TABLE_MIN 16u /* places; a power of two */

static const struct weft__wait wait_limiter = {
    "limiter", weft__waitq_interrupt, NULL, { WEFT__SEES_OBJECT_OF(weft_limiter, waiters),
      WEFT__SEES_BESIDE(WEFT__SEES_HELD, weft_limiter, waiters, borrowed),
      WEFT__SEES_BESIDE(WEFT__SEES_ROOM, weft_limiter, waiters, total) }
};

/* The table. */

static size_t place_of(const weft_limiter *limiter, const void *borrower)
{
    uint64_t mixed = (uint64_t)(uintptr_t)borrower * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mixed >> 32) & (limiter->table_size - 1);
}

/* The place of a borrower, or the free one where it would be.  There is a table. */
static size_t find(const weft_limiter *limiter, const void *borrower)
{
    size_t i = place_of(limiter, borrower);

    while (limiter->borrowers[i] && limiter->borrowers[i] != borrower) {
        i = (i + 1) & (limiter->table_size - 1);
    }
    return i;
}

static bool is_borrower(const weft_limiter *limiter, const void *borrower)
{
    return limiter->table_size && limiter->borrowers[find(limiter, borrower)];
}

static void add(weft_limiter *limiter, const void *borrower)
{
    limiter->borrowers[find(limiter, borrower)] = borrower;
    limiter->borrowed++;
}

static void subtract(weft_limiter *limiter, const void *borrower)
{
    size_t mask = limiter->table_size - 1, gap = find(limiter, borrower);

    limiter->borrowed--;
    for (size_t i = (gap + 1) & mask; limiter->borrowers[i]; i = (i + 1) & mask) {
        size_t home = place_of(limiter, limiter->borrowers[i]);

        /* It may move to the gap unless its home lies behind that. */
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            limiter->borrowers[gap] = limiter->borrowers[i];
            gap = i;
        }
    }
    limiter->borrowers[gap] = NULL;
}

/* Room for one more, beside all who have a token or wait. */
static int reserve(weft_limiter *limiter)
{
    size_t needed = 2 * (limiter->borrowed + limiter->waiters.count + 1);
    weft_limiter grown = *limiter;

    if (needed <= limiter->table_size) {
        return 0;
    }
    grown.table_size = limiter->table_size ? 2 * limiter->table_size : TABLE_MIN;
    grown.borrowers = weft__alloc_zeroed(grown.table_size, sizeof *grown.borrowers);
    if (!grown.borrowers) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < limiter->table_size; i++) {
        if (limiter->borrowers[i]) {
            grown.borrowers[find(&grown, limiter->borrowers[i])] = limiter->borrowers[i];
        }
    }
    weft__free(limiter->borrowers);
    limiter->borrowers = grown.borrowers;
    limiter->table_size = grown.table_size;
    return 0;
}

/* Tokens. */

static int has_one(void)
{
    return weft__words(-EDEADLK, "this borrower has a token already, and nobody has two");
}

/* Hands free tokens to those who wait. */
static void hand_out(weft_limiter *limiter)
{
    while (limiter->waiters.first && limiter->borrowed < limiter->total) {
        weft_waiter *next = limiter->waiters.first;
        bool twice = is_borrower(limiter, next->value);

        if (!twice) {
            add(limiter, next->value);
        }
        weft__waiter_wake(next, twice ? -EDEADLK : 0);
    }
}

/* 0: it was taken; -EAGAIN: it has to be waited for, and there is room in the table. */
static int try(weft_limiter *limiter, const void *borrower)
{
    int r;

    if (is_borrower(limiter, borrower)) {
        return has_one();
    }
    r = reserve(limiter);
    if (r < 0) {
        return r;
    }
    if (limiter->borrowed >= limiter->total || limiter->waiters.first) {
        return -EAGAIN;
    }
    add(limiter, borrower);
    return 0;
}

static int acquire(weft_limiter *limiter, struct weft__task *task, const void *borrower)
{
    weft_waiter waiter;
    int r;

    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = try(limiter, borrower);
    if (r != -EAGAIN) {
        weft__task_spend_turn(task);
        return r;
    }
    waiter.gave_up = NULL;
    waiter.value = (void *)(uintptr_t)borrower;
    return weft__waitq_park(task, &limiter->waiters, &waiter, &wait_limiter);
}

int weft_limiter_acquire(weft_limiter *limiter)
{
    int r = -EINVAL;
    struct weft__task *task = limiter ? weft__self(&r) : NULL;

    return task ? acquire(limiter, task, weft__task_handle(task)) : weft__misuse(r);
}

int weft_limiter_acquire_on_behalf_of(weft_limiter *limiter, const void *borrower)
{
    int r = -EINVAL;
    struct weft__task *task = limiter && borrower ? weft__self(&r) : NULL;

    return task ? acquire(limiter, task, borrower) : weft__misuse(r);
}

int weft_limiter_acquire_nowait(weft_limiter *limiter)
{
    int r = -EINVAL;
    struct weft__task *task = limiter ? weft__self(&r) : NULL;

    return task ? try(limiter, weft__task_handle(task)) : weft__misuse(r);
}

int weft_limiter_acquire_on_behalf_of_nowait(weft_limiter *limiter, const void *borrower)
{
    return limiter && borrower ? try(limiter, borrower) : -EINVAL;
}

int weft_limiter_release_on_behalf_of(weft_limiter *limiter, const void *borrower)
{
    int r = limiter && borrower ? weft__waitq_check(&limiter->waiters) : -EINVAL;

    if (r < 0) {
        return r;
    }
    if (!is_borrower(limiter, borrower)) {
        return weft__words(-EPERM, "this borrower has no token of this limiter");
    }
    subtract(limiter, borrower);
    hand_out(limiter);
    return 0;
}

int weft_limiter_release(weft_limiter *limiter)
{
    int r = -EINVAL;
    struct weft__task *task = limiter ? weft__self(&r) : NULL;

    return task ? weft_limiter_release_on_behalf_of(limiter, weft__task_handle(task)) :
                  weft__misuse(r);
}

int weft_limiter_set_total(weft_limiter *limiter, size_t total)
{
    int r = limiter ? weft__waitq_check(&limiter->waiters) : -EINVAL;

    if (r == 0) {
        limiter->total = total;
        hand_out(limiter);
    }
    return r;
}

void weft_limiter_statistics(const weft_limiter *limiter, weft_limiter_stats *ret_stats)
{
    size_t total = limiter->total, borrowed = limiter->borrowed;

    *ret_stats = (weft_limiter_stats){ .total = total,
                                       .borrowed = borrowed,
                                       .available = total > borrowed ? total - borrowed : 0,
                                       .waiting = limiter->waiters.count };
}

size_t weft_limiter_borrowers(const weft_limiter *limiter, const void **ret_borrowers, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < limiter->table_size && n < max; i++) {
        if (limiter->borrowers[i]) {
            ret_borrowers[n++] = limiter->borrowers[i];
        }
    }
    return limiter->borrowed;
}

int weft_limiter_destroy(weft_limiter *limiter)
{
    int r = limiter ? weft__waitq_destroy(&limiter->waiters, "a limiter") : -EINVAL;

    if (r < 0) {
        return r;
    }
    if (limiter->borrowed) {
        return weft__detail(-EBUSY, "%zu tokens of this limiter are out", limiter->borrowed);
    }
    weft__free(limiter->borrowers);
    limiter->borrowers = NULL;
    limiter->table_size = 0;
    return 0;
}
