/* SPDX-License-Identifier: MIT
 * Stacks, a slab at a time: where a task lives.
 *
 * A slab is one mapping cut into slots of one size class.  A slot, from low to high addresses:
 *
 *     | guard 12 K | ................ stack ................ | descriptor |
 *     ^ low - 12 K   ^ low              grows down                        ^ top, page-aligned
 *
 * so that the descriptor, the arguments and the first frames share one page: a parked task costs 4
 * KiB and what the page tables need.  The number of pages in a slot is odd, so that the
 * tops spread over all sets of the TLB.  Slots that are given back are taken again, the last
 * one first, and a slab is never unmapped: when a loop closes its pages go back to the system and
 * the addresses to a depot of the process, so that a stale handle to a descriptor reads zeros or
 * another generation, and never faults.
 *
 * Guards are MADV_GUARD_INSTALL (Linux 6.13), which costs no mapping; before that, mprotect(2)
 * while the map budget lasts, and then none: those slots say so, and the scheduler looks at their
 * stack pointer at each switch instead. */
#ifndef WEFT_CORE_STACK_H
#define WEFT_CORE_STACK_H

#include "core/base/tag.h"
#include "core/fiber/sanitize.h"

#define WEFT__STACK_LOW 12u                     /* tops are multiples of 4096 at least */
#define WEFT__STACK_MIN ((size_t)64 << 10)      /* the smallest class, descriptor included */
#define WEFT__STACK_CLASSES 11u                 /* 64 KiB << 0 ... 64 KiB << 10 = 64 MiB */
#define WEFT__STACK_DEFAULT ((size_t)128 << 10) /* for who asks for nothing */

/* The first words of each descriptor. */
struct weft__slot {
    uintptr_t handle;        /* the valid one (base/tag.h); even tag while free, 0 never used */
    struct weft__slot *next; /* while free: the next free one.  While taken: the user's */
    char *low;               /* the lowest usable byte of the stack */
    uint8_t size_class;
    bool guarded;                     /* there is a guard below `low` */
    struct weft__slot_sanitize watch; /* empty without sanitizers */
};

struct weft__slab {
    struct weft__slab *next; /* older, of the same class */
    char *base;              /* the mapping: `count` slots of `stride` bytes */
    size_t stride;
    size_t descriptor_size; /* of the loops that use it: old handles lead to descriptors, always */
    uintptr_t tag;          /* what the slots' first handles carry; another one for each loop */
    uint32_t count;
    uint32_t carved;  /* slots that have been used at least once since the loop took the slab */
    uint32_t ever;    /* the same since it was mapped */
    uint32_t guarded; /* the first slots that have a guard, which stays when the loop ends */
    bool blank;       /* what is not carved reads as zeros */
};

struct weft__stack_class {
    struct weft__slot *free;
    struct weft__slab *slabs; /* newest first; only the newest has slots that are not carved */
};

struct weft__stacks {
    size_t descriptor_size; /* bytes at the top of each slot, a multiple of 64 */
    size_t live;            /* slots taken now */
    bool unguarded;         /* a slot without a guard was handed out */
    struct weft__stack_class classes[WEFT__STACK_CLASSES];
};

void weft__stacks_init(struct weft__stacks *stacks, size_t descriptor_size);

/* Ends them: pages go back to the system, slabs to the depot.  A slab in which a slot is still
 * taken is leaked on purpose, untouched, for whoever may still point into that stack. */
void weft__stacks_fini(struct weft__stacks *stacks);

/* The class for a stack of `size` bytes (0: the default), rounded up; -EINVAL if there is none. */
int weft__stack_class(size_t size);

/* The slow half of weft__stacks_take(): carves a slot or maps a slab.  NULL: no memory. */
struct weft__slot *weft__stacks_grow(struct weft__stacks *stacks, unsigned size_class);

/* The slot whose guard holds `address`, or NULL.  Safe in a signal handler that interrupted
 * anything. */
struct weft__slot *weft__stacks_guarding(const struct weft__stacks *stacks, const void *address);

/* Where the stack that holds `address` ends: its descriptor; 0: it is none of these.  Any thread,
 * while they are there. */
uintptr_t weft__stacks_end_of(const struct weft__stacks *stacks, uintptr_t address);

/* Calls `visit` for each slot that is taken.  `visit` may give that slot back. */
void weft__stacks_each(struct weft__stacks *stacks,
                       void (*visit)(struct weft__slot *slot, void *arg), void *arg);

/* Bytes of the guard: code that is compiled without -fstack-clash-protection jumps over a smaller
 * one with a buffer of a few pages. */
size_t weft__stack_guard_size(void);

/* Bytes of one slot's mapping, guard included. */
size_t weft__stack_stride(unsigned size_class);

/* Unmaps the slabs that wait in the depot and those that were leaked: only for a test that counts
 * bytes and keeps no handle. */
void weft__stacks_depot_clear(void);

/* How guards are made, for the whole process.  Only tests write to it. */
struct weft__stack_guards {
    _Atomic int kind;    /* enum weft__guard_kind */
    _Atomic long budget; /* guards that mprotect(2) may still make; below 0: not asked yet */
};

enum weft__guard_kind {
    WEFT__GUARD_UNKNOWN, /* no slot was carved yet */
    WEFT__GUARD_BATCH,   /* MADV_GUARD_INSTALL, by process_madvise(2) for several slots at once */
    WEFT__GUARD_MARKER,  /* the same one by one */
    WEFT__GUARD_MAPPING, /* mprotect(2) */
};

extern struct weft__stack_guards weft__stack_guards;

/* The end of a slot: the address that its handles carry. */
static inline char *weft__slot_top(const struct weft__stacks *stacks, const struct weft__slot *slot)
{
    return (char *)slot + stacks->descriptor_size;
}

/* A slot of a class, its handle valid; the rest of the descriptor is as its last user left it, or
 * zero. */
static inline struct weft__slot *weft__stacks_take(struct weft__stacks *stacks, unsigned size_class)
{
    struct weft__slot *slot = stacks->classes[size_class].free;

    if (!slot) {
        return weft__stacks_grow(stacks, size_class);
    }
    stacks->classes[size_class].free = slot->next;
    stacks->live++;
    slot->handle = weft__tag_begin(slot->handle);
    return slot;
}

/* Takes a slot back.  Its stack may still be the running one: nothing of it is touched but the
 * header. */
static inline void weft__stacks_give(struct weft__stacks *stacks, struct weft__slot *slot)
{
    WEFT_ASSERT(weft__tag_lives(slot->handle));
    slot->handle = weft__tag_next(slot->handle, WEFT__STACK_LOW);
    slot->next = stacks->classes[slot->size_class].free;
    stacks->classes[slot->size_class].free = slot;
    stacks->live--;
}

#endif
