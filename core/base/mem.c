/* SPDX-License-Identifier: MIT
 * Memory and system calls, each of which a test can make fail: the counters behind them. */
#include "core/base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

_Atomic long weft__fault_countdown = -1;

/* What the armed fault reports; written before the countdown, so that who counts down sees it. */
static atomic_int fault_error = -ENOMEM;

/* Who decides in this thread; and how many threads have somebody. */
static WEFT__THREAD_LOCAL struct {
    int (*ask)(void *arg);
    void *arg;
} source;
static atomic_int sources;

/* Who decides in all others. */
static int (*_Atomic everybody)(bool for_memory);

#define FOR_EVER (LONG_MAX / 2) /* a countdown that only sends everyone to weft__fault_hit() */

static atomic_size_t live;

/* Only one thread gets to subtract from 0, so a fault happens once, however many race for it. */
static WEFT__COLD int hit(bool for_memory)
{
    int (*all)(bool for_memory);

    if (source.ask) {
        return source.ask(source.arg);
    }
    all = atomic_load_explicit(&everybody, memory_order_acquire);
    if (all) {
        return all(for_memory);
    }
    if (atomic_fetch_sub_explicit(&weft__fault_countdown, 1, memory_order_acquire) != 0) {
        return 0;
    }
    return atomic_load_explicit(&fault_error, memory_order_relaxed);
}

WEFT__COLD int weft__fault_hit(void)
{
    return hit(false);
}

static inline bool no_memory(void)
{
    return atomic_load_explicit(&weft__fault_countdown, memory_order_relaxed) >= 0 &&
           hit(true) != 0;
}

WEFT__COLD long weft__fault_arm(long nth, int error)
{
    long left = atomic_exchange_explicit(&weft__fault_countdown, -1, memory_order_relaxed);

    atomic_store_explicit(&fault_error, error < 0 ? error : -ENOMEM, memory_order_relaxed);
    atomic_store_explicit(&weft__fault_countdown, nth < 0 ? -1 : nth, memory_order_release);
    return left;
}

WEFT__COLD void weft__fault_ask(int (*ask)(void *arg), void *arg)
{
    bool before = source.ask;

    source.ask = ask;
    source.arg = arg;
    if (ask && !before && atomic_fetch_add(&sources, 1) == 0) {
        atomic_store(&weft__fault_countdown, FOR_EVER);
    } else if (!ask && before && atomic_fetch_sub(&sources, 1) == 1) {
        atomic_store(&weft__fault_countdown, -1);
    }
}

WEFT__COLD void weft__fault_ask_all(int (*ask)(bool for_memory))
{
    atomic_store_explicit(&everybody, ask, memory_order_release);
    atomic_store(&weft__fault_countdown, ask || atomic_load(&sources) > 0 ? FOR_EVER : -1);
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
    if (no_memory()) {
        return NULL;
    }
    return old ? realloc(old, size) : count(malloc(size));
}

void *weft__alloc_zeroed(size_t number, size_t size)
{
    size_t bytes;

    /* calloc(3) sees an overflow too, but a sanitizer would stop the program there. */
    if (__builtin_mul_overflow(number, size, &bytes) || no_memory()) {
        return NULL;
    }
    return count(calloc(1, bytes));
}

void *weft__alloc_aligned(size_t align, size_t size)
{
    void *memory;

    WEFT_ASSERT(align >= sizeof(void *));
    WEFT_ASSERT((align & (align - 1)) == 0);
    if (no_memory() || posix_memalign(&memory, align, size) != 0) {
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

bool weft__advice_is_void(void *page, size_t size)
{
    const int nonsense = 0x7ffffff0; /* to every kernel */

    return madvise(page, size, nonsense) == 0;
}
