/* SPDX-License-Identifier: MIT
 * The context switch: one machine stack leaves the processor, another comes back.
 *
 * A fiber is a saved stack pointer; what else has to survive (the callee-saved registers and the
 * floating-point control words) lies on the stack it points to.  A fiber that has never run has no
 * saved stack pointer, only the place where its stack begins.
 *
 *     top ->  | (the caller's: descriptor, arguments)     |
 *             | entry's frame                             |   grows down
 *             | ... frames of the task ...                |
 *     sp  ->  | return address, registers, control words  |   only while it does not run
 *
 * One .S for each architecture; ucontext.c everywhere else.  Shadow stacks (CET, GCS) are not
 * switched, so the objects do not claim them. */
#ifndef WEFT_CORE_FIBER_H
#define WEFT_CORE_FIBER_H

#include "core/fiber/stack.h"

struct weft__fiber {
    void *sp;                          /* saved stack pointer; NULL: has never run */
    void *top;                         /* where the stack begins, a multiple of 16 */
    struct weft__fiber_sanitize watch; /* what the sanitizers want to know; empty without them */
};

/* What runs on a new fiber's stack.  When it returns, its stack is dead and the fiber that it
 * returned goes on (never itself; that one may be new, too). */
typedef struct weft__fiber *weft__fiber_entry(struct weft__fiber *self);

/* The assembler knows these two by their places. */
_Static_assert(offsetof(struct weft__fiber, sp) == 0, "SP in the .S files");
_Static_assert(offsetof(struct weft__fiber, top) == sizeof(void *), "TOP in the .S files");

/* Makes a new fiber that will run in `slot`, from `top` downwards.  `fiber` lies above `top` or
 * elsewhere. */
static inline void weft__fiber_init(struct weft__fiber *fiber, struct weft__slot *slot, void *top)
{
    WEFT_ASSERT((uintptr_t)top % 16 == 0);
    fiber->sp = NULL;
    fiber->top = top;
    weft__sanitize_init(&fiber->watch, &slot->watch, slot->low, (size_t)((char *)top - slot->low));
}

/* Saves the running context in `from` and continues `to`, or calls entry(to) on the stack below
 * to->top if it has never run.  Returns when somebody continues `from`.
 * Half of weft__fiber_switch(). */
WEFT__HIDDEN void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
                                   weft__fiber_entry *entry);

/* A fiber will be continued soon: begins to bring the innermost part of its stack into the cache,
 * for the stacks of many that wait lie far apart.  A hint of a few instructions. */
static WEFT__INLINE void weft__fiber_expect(const struct weft__fiber *fiber)
{
    for (size_t at = 0; at < 512; at += 64) {
        __builtin_prefetch((const char *)fiber->sp + at, 1);
    }
}

/* Leaves `from`, continues `to` (or begins it with `entry`); returns when somebody comes back. */
static inline void weft__fiber_switch(struct weft__fiber *from, struct weft__fiber *to,
                                      weft__fiber_entry *entry)
{
    weft__sanitize_leave(&from->watch, &to->watch);
    weft__fiber_swap(from, to, entry);
    weft__sanitize_arrive(&from->watch);
}

#endif
