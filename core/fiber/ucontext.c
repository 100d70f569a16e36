/* SPDX-License-Identifier: MIT
 * The context switch for machines without assembler here: makecontext(3).  A saved context lies on
 * the fiber's own stack.
 *
 * It also switches the signal mask, by two system calls each time, and a third one sees to it that
 * nobody notices: the mask is the thread's, and what one fiber has blocked stays blocked. */
#include "core/fiber/fiber.h"

#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

WEFT__SANITIZE_NOT static void begin(unsigned high, unsigned low, unsigned entry_high,
                                     unsigned entry_low);

/* Two halves, as makecontext(3) passes ints only. */
#define HIGH(p) ((unsigned)((uint64_t)(uintptr_t)(p) >> 32))
#define LOW(p) ((unsigned)(uintptr_t)(p))
#define JOIN(high, low) ((uintptr_t)((uint64_t)(high) << 32 | (low)))

/* A saved context, which will leave the mask as it is now. */
WEFT__SANITIZE_NOT static ucontext_t *masked(void *saved)
{
    ucontext_t *context = saved;

    pthread_sigmask(SIG_SETMASK, NULL, &context->uc_sigmask);
    return context;
}

/* Fills `context` for a new fiber.  makecontext(3) wants to know where the stack ends; the size
 * only has to lie within it. */
WEFT__SANITIZE_NOT static void prepare(ucontext_t *context, struct weft__fiber *fiber,
                                       weft__fiber_entry *entry)
{
    size_t size = 4096;

    if (getcontext(context) < 0) {
        abort(); /* it has no way to fail */
    }
    context->uc_stack.ss_sp = (char *)fiber->top - size;
    context->uc_stack.ss_size = size;
    context->uc_link = NULL;
    makecontext(context, (void (*)(void))begin, 4, HIGH(fiber), LOW(fiber), HIGH(entry),
                LOW(entry));
}

WEFT__SANITIZE_NOT static void begin(unsigned high, unsigned low, unsigned entry_high,
                                     unsigned entry_low)
{
    weft__fiber_entry *entry = (weft__fiber_entry *)JOIN(entry_high, entry_low);
    struct weft__fiber *next;
    ucontext_t context;

    fesetenv(FE_DFL_ENV);
    next = entry((struct weft__fiber *)JOIN(high, low));
    if (!next->sp) {
        prepare(&context, next, entry);
        setcontext(&context);
    }
    setcontext(masked(next->sp));
    abort();
}

WEFT__SANITIZE_NOT void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
                                         weft__fiber_entry *entry)
{
    ucontext_t here, new;

    from->sp = &here;
    if (to->sp) {
        swapcontext(&here, masked(to->sp));
    } else {
        prepare(&new, to, entry);
        swapcontext(&here, &new);
    }
}
