/* SPDX-License-Identifier: MIT
 * Machine stacks as lists of return addresses: this thread's, a waiting task's, and one that was
 * caught in a system call. */
#ifndef WEFT_CORE_DEBUG_STACK_H
#define WEFT_CORE_DEBUG_STACK_H

#include "core/sched/task.h"

/* The callers of whoever calls this, the innermost first; returns how many.  Uses the unwind
 * tables, so it needs no frame pointers.  Safe in a signal handler after weft__stack_prime(). */
uint32_t weft__stack_here(const void **ret_addresses, uint32_t max);

/* The same in a signal handler, for what it has interrupted: `context` is its third argument. */
uint32_t weft__stack_interrupted(const void *context, const void **ret_addresses, uint32_t max);

/* Has the unwinder load what it needs. */
void weft__stack_prime(void);

/* The stack of a task that does not run. */
uint32_t weft__stack_of(const struct weft__task *task, const void **ret_addresses, uint32_t max,
                        uint32_t *ret_exact);

/* A thread of this process as the system tells it, in a system call: its place and its stack, whose
 * memory goes up to `top` at the most.  Copies what it needs first, for it may go on at any
 * moment. */
uint32_t weft__stack_in_call(uintptr_t pc, uintptr_t sp, uintptr_t top, const void **ret_addresses,
                             uint32_t max, uint32_t *ret_exact);

/* Copies memory of this process that may not be there, or may change meanwhile; how much it got. */
size_t weft__peek(void *to, const void *from, size_t size);

/* The way that every system has, by which the former goes where there is no better one. */
size_t weft__peek_by_pipe(void *to, const void *from, size_t size);

#endif
