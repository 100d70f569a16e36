/* SPDX-License-Identifier: MIT
 * Machine stacks as lists of return addresses.
 *
 * A thread walks its own stack by the unwind tables.  For all others the plugin "symbols" does that
 * from a copy, given the registers that are known; without it what is left is the chain of frame
 * pointers.  The library is compiled with those, so a waiting task's chain leads out of it, to the
 * call in the program, at least.
 *
 * For a thread in a system call the kernel tells the stack pointer and not the frame pointer.  But
 * the chain ends where the task's stack does: the lowest word from which a chain leads there is the
 * innermost frame that has one. */
#include "core/debug/stack.h"

#include "core/base/mem.h"
#include "core/debug/observe.h"
#include "core/debug/places.h"
#include "core/debug/system.h"

#include <string.h>
#include <unwind.h>

#define COPY_MAX 65536 /* bytes of a stack that are looked at */

/* ---- one's own ---- */

struct walk {
    const void **addresses;
    uint32_t max, count, skip;
    uintptr_t until; /* leave out all before this address; 0: nothing */
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    uintptr_t ip = _Unwind_GetIP(context);

    if (ip == 0 || walk->count == walk->max) {
        return _URC_END_OF_STACK;
    }
    if (walk->until && ip != walk->until) {
        return _URC_NO_REASON;
    }
    if (walk->until) {
        walk->until = 0;
        ip++; /* the very place, not one to return to */
    } else if (walk->skip) {
        walk->skip--;
        return _URC_NO_REASON;
    }
    walk->addresses[walk->count++] = (const void *)ip;
    return _URC_NO_REASON;
}

__attribute__((noinline)) uint32_t weft__stack_here(const void **ret_addresses, uint32_t max)
{
    struct walk walk = { .addresses = ret_addresses, .max = max, .skip = 2 };

    _Unwind_Backtrace(step, &walk);
    return walk.count;
}

uint32_t weft__stack_interrupted(const void *context, const void **ret_addresses, uint32_t max)
{
    uintptr_t place = weft__system_place(context);
    struct walk walk = { .addresses = ret_addresses, .max = max, .until = place };

    _Unwind_Backtrace(step, &walk);
    if (walk.count == 0 && place && max) { /* the tables did not lead there */
        ret_addresses[walk.count++] = (const void *)(place + 1);
    }
    return walk.count;
}

void weft__stack_prime(void)
{
    const void *address;

    (void)weft__stack_here(&address, 1);
}

/* ---- others' ---- */

/* A copy of the lower end of a stack. */
struct copy {
    uintptr_t base;
    size_t length;
    char *bytes;
};

static bool word_at(const struct copy *copy, uintptr_t at, uintptr_t *ret_word)
{
    if (at < copy->base || at % sizeof *ret_word != 0 ||
        at - copy->base + sizeof *ret_word > copy->length) {
        return false;
    }
    memcpy(ret_word, copy->bytes + (at - copy->base), sizeof *ret_word);
    return true;
}

/* Follows frame pointers from `fp`; how many return addresses, 0 when the chain breaks before the
 * end of the stack. */
static uint32_t follow(const struct copy *copy, uintptr_t fp, const void **addresses, uint32_t max)
{
    uint32_t count = 0;
    uintptr_t next, address;

    while (fp) {
        if (!word_at(copy, fp, &next) || !word_at(copy, fp + sizeof next, &address) ||
            (next && next <= fp)) {
            return 0;
        }
        if (address < 4096) {
            break;
        }
        if (count < max) {
            addresses[count++] = (const void *)address;
        }
        fp = next;
    }
    return count;
}

/* The frame pointer of the innermost frame that has one; 0: none was found. */
static uintptr_t find_frame(const struct copy *copy)
{
    const void *address;

    for (uintptr_t at = copy->base; at < copy->base + copy->length; at += sizeof at) {
        uintptr_t next;

        if (word_at(copy, at, &next) && next > at && follow(copy, at, &address, 1) &&
            weft__is_code(address)) {
            return at;
        }
    }
    return 0;
}

static bool make_copy(struct copy *copy, uintptr_t sp, uintptr_t top)
{
    size_t size = top > sp && top - sp < COPY_MAX ? top - sp : COPY_MAX;

    copy->base = sp & ~(uintptr_t)(sizeof sp - 1);
    copy->bytes = weft__alloc(NULL, size);
    copy->length = copy->bytes ? weft__peek(copy->bytes, (const void *)copy->base, size) : 0;
    return copy->length > 0;
}

#if defined(__x86_64__)
enum { SP_REGISTER = 7, FP_REGISTER = 6 };
#elif defined(__aarch64__)
enum { SP_REGISTER = 31, FP_REGISTER = 29 };
#else
enum { SP_REGISTER = 0, FP_REGISTER = 0 };
#endif

static void set(weft_stack *stack, unsigned number, uintptr_t value)
{
    if (SP_REGISTER) {
        stack->known |= UINT64_C(1) << number;
        stack->registers[number] = value;
    }
}

/* The tables' way from a copy; 0 without the plugin. */
static uint32_t unwind(weft_stack *stack, const struct copy *copy, const void **addresses,
                       uint32_t max)
{
    stack->size = sizeof *stack;
    stack->base = copy->base;
    stack->length = copy->length;
    stack->memory = copy->bytes;
    return SP_REGISTER ? weft__places_unwind(stack, addresses, max) : 0;
}

uint32_t weft__stack_in_call(uintptr_t pc, uintptr_t sp, uintptr_t top, const void **ret_addresses,
                             uint32_t max, uint32_t *ret_exact)
{
    struct copy copy;
    weft_stack stack = { .pc = pc };
    uint32_t count = 0;
    uintptr_t fp;

    *ret_exact = 1;
    if (make_copy(&copy, sp, top)) {
        fp = find_frame(&copy);
        set(&stack, SP_REGISTER, sp);
        if (fp) {
            set(&stack, FP_REGISTER, fp);
        }
        count = unwind(&stack, &copy, ret_addresses, max);
        *ret_exact = count;
        if (count < 2 && max > 1) {
            ret_addresses[0] = (const void *)(pc + 1);
            count = 1 + follow(&copy, fp, ret_addresses + 1, max - 1);
            *ret_exact = 1;
        }
    } else if (max) {
        ret_addresses[count++] = (const void *)(pc + 1);
    }
    weft__free(copy.bytes);
    return count;
}

/* The registers that a switch has left on a task's stack (fiber/). */
static bool saved(const struct weft__task *task, weft_stack *stack)
{
    uintptr_t sp[12];

    if (weft__peek(sp, task->fiber.sp, sizeof sp) != sizeof sp) {
        return false;
    }
#if defined(__x86_64__) && !defined(WEFT_FIBER_UCONTEXT)
    static const uint8_t numbers[] = { 15, 14, 13, 12, 3, 6 }; /* r15 ... rbx, rbp */

    for (unsigned i = 0; i < WEFT__COUNT(numbers); i++) {
        set(stack, numbers[i], sp[1 + i]);
    }
    stack->pc = sp[7];
    set(stack, SP_REGISTER, (uintptr_t)task->fiber.sp + 64);
    return true;
#elif defined(__aarch64__) && !defined(WEFT_FIBER_UCONTEXT)
    for (unsigned i = 0; i < 10; i++) {
        set(stack, 19 + i, sp[2 + i]);
    }
    set(stack, FP_REGISTER, sp[0]);
    stack->pc = sp[1];
    set(stack, SP_REGISTER, (uintptr_t)task->fiber.sp + 176);
    return true;
#else
    (void)sp, (void)stack;
    return false;
#endif
}

uint32_t weft__stack_of(const struct weft__task *task, const void **ret_addresses, uint32_t max,
                        uint32_t *ret_exact)
{
    weft_stack stack = { .pc = 0 };
    struct copy copy;
    uint32_t count = 0;

    *ret_exact = 0;
    if (task->loop->observer && task == task->loop->observer->leaving) {
        return *ret_exact = weft__stack_here(ret_addresses, max);
    }
    if (!task->fiber.sp || task->loop->current == task || !saved(task, &stack)) {
        return 0;
    }
    if (make_copy(&copy, (uintptr_t)task->fiber.sp, (uintptr_t)task->args)) {
        count = unwind(&stack, &copy, ret_addresses, max);
        if (count < 2 && max > 1) {
            ret_addresses[0] = (const void *)(uintptr_t)stack.pc;
            count = 1 + follow(&copy, (uintptr_t)stack.registers[FP_REGISTER], ret_addresses + 1,
                               max - 1);
        }
        *ret_exact = count;
    }
    weft__free(copy.bytes);
    return count;
}
