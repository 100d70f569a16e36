/* SPDX-License-Identifier: MIT
 * Memory and system calls, each of which a test can make fail: the counters behind them. */
#include "core/base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

_Atomic long weft__fault_countdown = -1;

/* What the armed fault reports; written before the countdown, so that who counts down sees it. */
static atomic_int fault_error = -ENOMEM;

static atomic_size_t live;

/* Only one thread gets to subtract from 0, so a fault happens once, however many race for it. */
WEFT__COLD int weft__fault_hit(void)
{
    if (atomic_fetch_sub_explicit(&weft__fault_countdown, 1, memory_order_acquire) != 0) {
        return 0;
    }
    return atomic_load_explicit(&fault_error, memory_order_relaxed);
}

WEFT__COLD long weft__fault_arm(long nth, int error)
{
    long left = atomic_exchange_explicit(&weft__fault_countdown, -1, memory_order_relaxed);

    atomic_store_explicit(&fault_error, error < 0 ? error : -ENOMEM, memory_order_relaxed);
    atomic_store_explicit(&weft__fault_countdown, nth < 0 ? -1 : nth, memory_order_release);
    return left;
}

int weft__fault_errno(void)
{
    int r = weft__fault();

    if (r != 0) {
        errno = -r;
    }
    return r != 0;
}

static void *count(void *memory)
{
    if (memory) {
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    }
    return memory;
}

void *weft__alloc(void *old, size_t size)
{
    if (size == 0) {
        weft__free(old);
        return NULL;
    }
    if (weft__fault() != 0) {
        return NULL;
    }
    return old ? realloc(old, size) : count(malloc(size));
}

void *weft__alloc_zeroed(size_t number, size_t size)
{
    size_t bytes;

    /* calloc(3) sees an overflow too, but a sanitizer would stop the program there. */
    if (__builtin_mul_overflow(number, size, &bytes) || weft__fault() != 0) {
        return NULL;
    }
    return count(calloc(1, bytes));
}

void *weft__alloc_aligned(size_t align, size_t size)
{
    void *memory;

    WEFT_ASSERT(align >= sizeof(void *));
    WEFT_ASSERT((align & (align - 1)) == 0);
    if (weft__fault() != 0 || posix_memalign(&memory, align, size) != 0) {
        return NULL;
    }
    return count(memory);
}

void weft__free(void *memory)
{
    if (memory) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
        free(memory);
    }
}

size_t weft__alloc_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}
