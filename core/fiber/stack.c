/* SPDX-License-Identifier: MIT
 * Slabs: mapped in growing sizes, carved slot by slot, kept for ever (fiber/stack.h). */
#include "core/fiber/stack.h"

#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/fiber/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLAB_FIRST_SLOTS 16u              /* of the default class; of others the same bytes */
#define SLAB_MAX_BYTES ((size_t)64 << 20) /* a mapping, unless a single slot is larger */
#define GUARD_BYTES ((size_t)12 << 10)    /* a larger one would cost too much of the page tables */
#define GUARD_BATCH 16u                   /* slots that get their guards in one call */

struct weft__stack_guards weft__stack_guards = { .budget = -1 };

/* Slabs without a loop, and those that a loop left with living slots in them.  The latter are kept
 * in sight for leak checkers, no more. */
static struct {
    pthread_mutex_t lock;
    struct weft__slab *free[WEFT__STACK_CLASSES];
    struct weft__slab *abandoned;
} depot = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(depot.lock)

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t weft__stack_guard_size(void)
{
    size_t page = page_size();

    return page > GUARD_BYTES ? page : GUARD_BYTES;
}

size_t weft__stack_stride(unsigned size_class)
{
    size_t page = page_size();
    size_t bytes = (WEFT__STACK_MIN << size_class) + weft__stack_guard_size();

    return ((bytes + page - 1) / page | 1) * page;
}

int weft__stack_class(size_t size)
{
    if (size == 0) {
        size = WEFT__STACK_DEFAULT;
    }
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        if (size <= WEFT__STACK_MIN << i) {
            return (int)i;
        }
    }
    return -EINVAL;
}

void weft__stacks_init(struct weft__stacks *stacks, size_t descriptor_size)
{
    WEFT_ASSERT(descriptor_size % 64 == 0);
    WEFT_ASSERT(descriptor_size >= sizeof(struct weft__slot));
    *stacks = (struct weft__stacks){ .descriptor_size = descriptor_size };
}

/* Slot `index` of a slab, carved or not. */
static struct weft__slot *slot_at(const struct weft__slab *slab, size_t index)
{
    return (void *)(slab->base + (index + 1) * slab->stride - slab->descriptor_size);
}

/* Guards. */

/* Takes one guard out of the budget.  Two threads that come first at once read the same file. */
static bool guard_budget_take(void)
{
    long left = weft__stack_guards.budget;

    if (left < 0) {
        long unasked = left;

        left = weft__pages_guards_max();
        if (!atomic_compare_exchange_strong(&weft__stack_guards.budget, &unasked, left)) {
            left = unasked;
        }
    }
    while (left > 0) {
        if (atomic_compare_exchange_weak(&weft__stack_guards.budget, &left, left - 1)) {
            return true;
        }
    }
    return false;
}

/* Guard by mprotect(2); false when the slot must do without. */
static bool guard_by_mapping(void *address, size_t size)
{
    if (!guard_budget_take()) {
        return false;
    }
    if (WEFT__SYS(mprotect(address, size, PROT_NONE)) == 0) {
        return true;
    }
    atomic_fetch_add(&weft__stack_guards.budget, 1);
    return false;
}

/* Makes a guard of `size` bytes: 1, or 0 when there can be none, or -ENOMEM when not now. */
static int guard(char *address, size_t size)
{
    int kind = weft__stack_guards.kind;

    if (kind == WEFT__GUARD_UNKNOWN && !weft__pages_have_markers(address, size)) {
        kind = WEFT__GUARD_MAPPING;
    }
    if (kind != WEFT__GUARD_MAPPING) {
        int r = weft__pages_mark(address, size);

        if (r == 0) {
            if (kind == WEFT__GUARD_UNKNOWN) {
                weft__stack_guards.kind = weft__valgrind() ? WEFT__GUARD_MARKER : WEFT__GUARD_BATCH;
            }
            return 1;
        }
        if (r == -ENOMEM || r == -EAGAIN) {
            return -ENOMEM;
        }
    }
    /* EINVAL before Linux 6.13, and always in memory that mlockall(2) has locked. */
    weft__stack_guards.kind = WEFT__GUARD_MAPPING;
    return guard_by_mapping(address, size);
}

/* Guards the slab's next slots, several at once; false when that did not work.  A new slot takes a
 * quarter less time so (2.1 us instead of 2.8, of which 1.7 are its first page). */
static bool guard_batch(struct weft__slab *slab)
{
    struct iovec guards[GUARD_BATCH];
    size_t size = weft__stack_guard_size();
    uint32_t n = 0;

    for (; n < GUARD_BATCH && slab->carved + n < slab->count; n++) {
        guards[n].iov_base = slab->base + (slab->carved + n) * slab->stride;
        guards[n].iov_len = size;
    }
    ssize_t r = weft__pages_mark_all(guards, n);

    if (r >= (ssize_t)size) {
        slab->guarded += (uint32_t)((size_t)r / size);
        return true;
    }
    if (r == -ENOMEM || r == -EAGAIN) {
        return false; /* next time, perhaps */
    }
    weft__stack_guards.kind = WEFT__GUARD_MARKER;
    return false;
}

/* Slabs. */

/* Each life of a slab begins with other tags, so that no handle from a life before matches. */
static uintptr_t next_tag(void)
{
    static _Atomic uintptr_t lives;

    return atomic_fetch_add(&lives, 1) * 2654435761u * 2;
}

/* How many slots the next slab of a class shall have. */
static uint32_t slab_slots(const struct weft__stacks *stacks, unsigned size_class)
{
    const struct weft__slab *newest = stacks->classes[size_class].slabs;
    size_t stride = weft__stack_stride(size_class);
    size_t bytes = SLAB_FIRST_SLOTS * weft__stack_stride((unsigned)weft__stack_class(0));
    size_t count = newest ? (size_t)newest->count * 2 : bytes / stride;

    if (count > SLAB_MAX_BYTES / stride) {
        count = SLAB_MAX_BYTES / stride;
    }
    return count ? (uint32_t)count : 1;
}

/* Maps memory for a slab; NULL when there is none. */
static char *slab_map(size_t size)
{
    if (weft__fault()) {
        return NULL;
    }
    char *base = weft__pages_map(size);

    if (base && (!weft__tag_fits(base) || !weft__tag_fits(base + size))) {
        munmap(base, size);
        return NULL;
    }
    return base;
}

static struct weft__slab *slab_new(const struct weft__stacks *stacks, unsigned size_class)
{
    struct weft__slab *slab = weft__alloc(NULL, sizeof(*slab));

    if (!slab) {
        return NULL;
    }
    *slab = (struct weft__slab){
        .stride = weft__stack_stride(size_class),
        .descriptor_size = stacks->descriptor_size,
        .count = slab_slots(stacks, size_class),
        .blank = true,
    };
    slab->base = slab_map(slab->stride * slab->count);
    if (!slab->base) {
        weft__free(slab);
        return NULL;
    }
    return slab;
}

/* A slab of an earlier loop, or NULL. */
static struct weft__slab *slab_from_depot(const struct weft__stacks *stacks, unsigned size_class)
{
    struct weft__slab **link = &depot.free[size_class];
    struct weft__slab *slab;

    pthread_mutex_lock(&depot.lock);
    while (*link && (*link)->descriptor_size != stacks->descriptor_size) {
        link = &(*link)->next;
    }
    slab = *link;
    if (slab) {
        *link = slab->next;
    }
    pthread_mutex_unlock(&depot.lock);
    return slab;
}

/* The slab that has slots to carve, or NULL. */
static struct weft__slab *slab_with_room(struct weft__stacks *stacks, unsigned size_class)
{
    struct weft__stack_class *c = &stacks->classes[size_class];

    if (c->slabs && c->slabs->carved < c->slabs->count) {
        return c->slabs;
    }
    struct weft__slab *slab = slab_from_depot(stacks, size_class);

    if (!slab && !(slab = slab_new(stacks, size_class))) {
        return NULL;
    }
    slab->carved = 0;
    slab->tag = next_tag();
    slab->next = c->slabs;
    /* A signal handler may walk the list (weft__stacks_guarding()). */
    __atomic_store_n(&c->slabs, slab, __ATOMIC_RELEASE);
    return slab;
}

/* Slots. */

/* Gives the slab's next slot its guard, if need be and possible; below 0: not now. */
static int slab_guard_next(struct weft__slab *slab)
{
    if (slab->guarded != slab->carved) {
        return 0;
    }
    /* Not in a class's first slab: a loop with few tasks shall pay for few. */
    if (weft__stack_guards.kind == WEFT__GUARD_BATCH && slab->next && guard_batch(slab)) {
        return 1;
    }
    int r = guard(slab->base + slab->carved * slab->stride, weft__stack_guard_size());

    if (r > 0) {
        slab->guarded++;
    }
    return r;
}

struct weft__slot *weft__stacks_grow(struct weft__stacks *stacks, unsigned size_class)
{
    struct weft__slab *slab = slab_with_room(stacks, size_class);

    if (!slab || slab_guard_next(slab) < 0) {
        return NULL;
    }
    uint32_t index = slab->carved;
    struct weft__slot *slot = slot_at(slab, index);

    /* The first access writes: after one that reads the page would fault twice. */
    if (slab->blank || slot->handle == 0) {
        slot->handle = weft__tag_make(weft__slot_top(stacks, slot), slab->tag, WEFT__STACK_LOW);
    }
    WEFT_ASSERT(!weft__tag_lives(slot->handle));
    slot->next = NULL;
    slot->low = slab->base + index * slab->stride + weft__stack_guard_size();
    slot->size_class = (uint8_t)size_class;
    slot->guarded = index < slab->guarded;
    if (!slot->guarded) {
        stacks->unguarded = true;
    }
    if (index == slab->ever) {
        slab->ever++;
        weft__sanitize_carve(slot->low, weft__slot_top(stacks, slot));
    }
    __atomic_store_n(&slab->carved, index + 1, __ATOMIC_RELEASE);
    stacks->live++;
    slot->handle = weft__tag_next(slot->handle, WEFT__STACK_LOW);
    return slot;
}

/* The slot in whose part of a slab an address lies, or NULL. */
static struct weft__slot *slot_around(const struct weft__stacks *stacks, uintptr_t a)
{
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        struct weft__slab *slab = __atomic_load_n(&stacks->classes[i].slabs, __ATOMIC_ACQUIRE);

        for (; slab; slab = slab->next) {
            size_t index = (a - (uintptr_t)slab->base) / slab->stride;

            if (a >= (uintptr_t)slab->base &&
                index < __atomic_load_n(&slab->carved, __ATOMIC_ACQUIRE)) {
                return slot_at(slab, index);
            }
        }
    }
    return NULL;
}

struct weft__slot *weft__stacks_guarding(const struct weft__stacks *stacks, const void *address)
{
    struct weft__slot *slot = slot_around(stacks, (uintptr_t)address);

    return slot && slot->guarded && (uintptr_t)address < (uintptr_t)slot->low ? slot : NULL;
}

uintptr_t weft__stacks_end_of(const struct weft__stacks *stacks, uintptr_t address)
{
    return (uintptr_t)slot_around(stacks, address);
}

void weft__stacks_each(struct weft__stacks *stacks,
                       void (*visit)(struct weft__slot *slot, void *arg), void *arg)
{
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        for (struct weft__slab *slab = stacks->classes[i].slabs; slab; slab = slab->next) {
            for (uint32_t j = 0; j < slab->carved; j++) {
                struct weft__slot *slot = slot_at(slab, j);

                if (weft__tag_lives(slot->handle)) {
                    visit(slot, arg);
                }
            }
        }
    }
}

/* The end. */

/* Tells the sanitizers which stacks stay and which go; whether one stays. */
static bool slab_forget(struct weft__slab *slab)
{
    bool lives = false;

    for (uint32_t i = 0; i < slab->carved; i++) {
        struct weft__slot *slot = slot_at(slab, i);

        if (weft__tag_lives(slot->handle)) {
            lives = true;
            weft__sanitize_abandon(slot->low, (char *)slot + slab->descriptor_size);
        } else {
            weft__sanitize_fini(&slot->watch);
        }
    }
    return lives;
}

/* Gives the pages back; the guards stay.  Where they do not read as zeros at once the next loop
 * finds what is there, all tags even, and lets them go on. */
static void slab_empty(struct weft__slab *slab)
{
    slab->blank = weft__pages_empty(slab->base, slab->ever * slab->stride);
}

static void slab_push(struct weft__slab **list, struct weft__slab *slab)
{
    pthread_mutex_lock(&depot.lock);
    slab->next = *list;
    *list = slab;
    pthread_mutex_unlock(&depot.lock);
}

void weft__stacks_fini(struct weft__stacks *stacks)
{
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        struct weft__slab *next;

        /* The newest first: the oldest, which is the smallest, shall be taken again first. */
        for (struct weft__slab *slab = stacks->classes[i].slabs; slab; slab = next) {
            next = slab->next;
            /* A look at each slot is a cache miss for each: only if one may live. */
            if ((stacks->live || WEFT__TSAN) && slab_forget(slab)) {
                slab_push(&depot.abandoned, slab);
                continue;
            }
            slab_empty(slab);
            slab_push(&depot.free[i], slab);
        }
    }
    weft__stacks_init(stacks, stacks->descriptor_size);
}

static void slabs_unmap(struct weft__slab **list)
{
    struct weft__slab *slab;

    while ((slab = *list)) {
        *list = slab->next;
        munmap(slab->base, slab->stride * slab->count);
        weft__free(slab);
    }
}

void weft__stacks_depot_clear(void)
{
    pthread_mutex_lock(&depot.lock);
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        slabs_unmap(&depot.free[i]);
    }
    slabs_unmap(&depot.abandoned);
    pthread_mutex_unlock(&depot.lock);
}
