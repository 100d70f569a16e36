/* SPDX-License-Identifier: MIT
 * Memory and system calls, each of which a test can make fail.
 *
 * All memory of the core comes from weft__alloc(); every system call that may fail asks
 * weft__fault() first.  A test arms the n-th of them with weft__fault_arm() and walks n upward
 * until a run is over before its fault: then every site has failed once. */
#ifndef WEFT_CORE_MEM_H
#define WEFT_CORE_MEM_H

#include "core/base/base.h"

/* realloc(3) with the size 0 meaning free; NULL when there is no memory. */
void *weft__alloc(void *old, size_t size);

/* `count` zeroed things of `size` bytes; NULL when there is no memory or the product overflows. */
void *weft__alloc_zeroed(size_t count, size_t size);

/* `size` bytes at a multiple of `align` (a power of two, at least a pointer's size). */
void *weft__alloc_aligned(size_t align, size_t size);

void weft__free(void *memory);

/* Blocks that weft__alloc*() gave and weft__free() has not had back, in the whole process. */
size_t weft__alloc_live(void);

/* How many faults stand before the armed one; below 0 none is armed. */
extern _Atomic long weft__fault_countdown;

int weft__fault_hit(void);

/* 0, or -ENOMEM or what weft__fault_arm() named: this call shall fail now. */
static inline int weft__fault(void)
{
    long left = __atomic_load_n((long *)&weft__fault_countdown, __ATOMIC_RELAXED);

    return left < 0 ? 0 : weft__fault_hit();
}

/* Lets the next `nth` (0: the very next) allocation or system call fail with `error` (a negative
 * errno; allocations fail whatever it is), once; a negative `nth` disarms.  Returns how many were
 * still to come, so a result below 0 says that the armed fault has happened. */
long weft__fault_arm(long nth, int error);

/* From now on this thread's allocations and system calls ask `source(arg)` for their failure, until
 * that is NULL.  One at a time in a thread; not together with weft__fault_arm(). */
void weft__fault_ask(int (*source)(void *arg), void *arg);

/* The same for all threads that have no source of their own; it is told whether memory is asked
 * for.  NULL ends it. */
void weft__fault_ask_all(int (*source)(bool for_memory));

/* The system call `call`, or its failure with errno set: WEFT__SYS(close(fd)). */
#define WEFT__SYS(call) (weft__fault_errno() ? -1 : (call))
int weft__fault_errno(void);

/* Whether madvise(2) says yes to anything and does nothing, as an emulator's does (qemu-user 7.2):
 * then advice that must be taken has to be given in another way.  `page` is any. */
bool weft__advice_is_void(void *page, size_t size);

#endif
