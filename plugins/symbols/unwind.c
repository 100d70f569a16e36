/* SPDX-License-Identifier: MIT
 * Walks of stacks that stand still, from the few registers that are known and a copy of the memory.
 * */
#include "symbols.h"

#include <string.h>
#include <unistd.h>

/* There is one "thread": the stack that is walked. */
static pid_t next_thread(Dwfl *dwfl, void *self, void **thread)
{
    (void)dwfl, (void)self;
    if (*thread) {
        return 0;
    }
    *thread = self;
    return getpid();
}

static bool get_thread(Dwfl *dwfl, pid_t id, void *self, void **thread)
{
    (void)dwfl, (void)id;
    *thread = self;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *self)
{
    const struct symbols *symbols = self;
    const weft_stack *stack = symbols->stack;

    (void)dwfl;
    if (address < stack->base || address - stack->base > stack->length ||
        stack->length - (address - stack->base) < sizeof(uintptr_t)) {
        return false;
    }
    *ret = 0;
    memcpy(ret, (const char *)stack->memory + (address - stack->base), sizeof(uintptr_t));
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *self)
{
    const struct symbols *symbols = self;
    const weft_stack *stack = symbols->stack;

    for (unsigned i = 0; i < 64; i++) {
        Dwarf_Word value = stack->registers[i];

        if (stack->known >> i & 1 && !dwfl_thread_state_registers(thread, (int)i, 1, &value)) {
            return false;
        }
    }
    dwfl_thread_state_register_pc(thread, stack->pc);
    return true;
}

static const Dwfl_Thread_Callbacks callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

struct walk {
    const void **addresses;
    int max, count;
};

static int step(Dwfl_Frame *frame, void *arg)
{
    struct walk *walk = arg;
    Dwarf_Addr pc;
    bool exact;

    if (walk->count == walk->max || !dwfl_frame_pc(frame, &pc, &exact)) {
        return DWARF_CB_ABORT;
    }
    /* A list of return addresses: the very place is one less than where it would return to. */
    walk->addresses[walk->count] = (const void *)(uintptr_t)(pc + (walk->count == 0));
    walk->count++;
    return DWARF_CB_OK;
}

int symbols_unwind(void *self, const weft_stack *stack, const void **ret_addresses, int max)
{
    struct symbols *symbols = self;
    struct walk walk = { ret_addresses, max, 0 };

    symbols->stack = stack;
    if (!symbols->attached) {
        symbols->attached = dwfl_attach_state(symbols->dwfl, NULL, getpid(), &callbacks, symbols);
    }
    if (symbols->attached) {
        (void)dwfl_getthread_frames(symbols->dwfl, getpid(), step, &walk);
    }
    symbols->stack = NULL;
    return walk.count;
}
