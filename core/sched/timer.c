/* SPDX-License-Identifier: MIT
 * Deadlines: an array heap with four children to a node.
 *
 * The array is shifted so that heap[1] begins a cache line, hence the four children of each node
 * share one: a step down costs one line.
 *
 *      | .. .. .. 0 | 1 2 3 4 | 5 6 7 8 | 9 ...     children of i: 4i + 1 ... 4i + 4
 *      ^ block      ^ line    ^ line                parent of i: (i - 1) / 4
 *
 * Most timers are timeouts that never happen, and with a million of them each step to another item
 * or entry is a cache miss.  So disarming touches the item and its entry and nothing else, without
 * a branch that depends on either but for the top; what is struck out waits for pack(). */
#include "core/sched/timer.h"

#include "core/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define LINE ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)
#define SHIFT (LINE - sizeof(struct weft__due)) /* bytes from the block to heap[0] */
/* In the lowest bits of weft__due.item. */
#define DEAD 1u    /* struck out: the rest is an epitaph, and there is no item */
#define TRACKED 2u /* a task's or a scope's item */

#define AHEAD 16 /* entries whose items are fetched ahead */
#define CAPACITY_MIN 64u
#define CAPACITY_MAX (UINT64_C(1) << 31)

static inline bool is_dead(struct weft__due due)
{
    return due.item & DEAD;
}

static inline struct weft__item *item_of(struct weft__due due)
{
    return (struct weft__item *)(due.item & ~(uintptr_t)TRACKED);
}

/* Whether the entry's item is told where the entry is.  A handle's is not: it stays where it is
 * until its entry has gone, so the entry need not be found when the handle is cancelled. */
static inline bool is_tracked(struct weft__due due)
{
    return due.item & TRACKED;
}

/* What strikes out an entry: it keeps its rank, for others were sorted by it.  (Where a pointer has
 * 32 bits the seq loses its lowest; then two may compare equal, one of which is dead: no harm.) */
static inline uintptr_t epitaph(uint32_t seq)
{
    return (uintptr_t)seq << (sizeof(uintptr_t) > sizeof seq) | 1;
}

static inline uint32_t seq_of(struct weft__due due)
{
    if (!is_dead(due)) {
        return item_of(due)->seq;
    }
    return (uint32_t)((due.item ^ 1) >> (sizeof(uintptr_t) > sizeof(uint32_t)));
}

/* Whether `a` comes before `b`.  Items are touched only to find out which of two equals was set
 * first. */
static inline bool before(struct weft__due a, struct weft__due b)
{
    if (a.when != b.when) {
        return a.when < b.when;
    }
    return (int32_t)(seq_of(a) - seq_of(b)) < 0;
}

static inline void put(struct weft__due *heap, size_t i, struct weft__due due)
{
    heap[i] = due;
    if (is_tracked(due) && !is_dead(due)) {
        item_of(due)->place = (uint32_t)i + 1;
    }
}

static void free_heap(struct weft__due *heap)
{
    weft__free(heap ? (char *)heap - SHIFT : NULL);
}

/* Moves the heap to a block for `capacity` entries; -ENOMEM leaves it where it is. */
static int resize(struct weft__timers *timers, uint64_t capacity)
{
    const size_t entry = sizeof(struct weft__due);
    size_t bytes;

    if (capacity > CAPACITY_MAX || __builtin_mul_overflow(capacity, entry, &bytes) ||
        __builtin_add_overflow(bytes, SHIFT, &bytes)) {
        return -ENOMEM;
    }
    bool huge = bytes >= 2 * HUGE_PAGE;
    char *block = weft__alloc_aligned(huge ? HUGE_PAGE : LINE, bytes);

    if (!block) {
        return -ENOMEM;
    }
#ifdef MADV_HUGEPAGE
    if (huge) {
        /* Steps through a large heap miss the TLB at each level.  The kernel may refuse. */
        (void)WEFT__SYS(madvise(block, bytes, MADV_HUGEPAGE));
    }
#endif
    if (timers->count > 0) {
        memcpy(block + SHIFT, timers->heap, timers->count * entry);
    }
    free_heap(timers->heap);
    timers->heap = (struct weft__due *)(block + SHIFT);
    timers->capacity = (uint32_t)capacity;
    return 0;
}

/* Gives memory back when three quarters are unused; if there is none for less, it stays large. */
static inline void shrink(struct weft__timers *timers)
{
    uint32_t capacity = timers->capacity;

    if (timers->count >= capacity / 4 || capacity <= CAPACITY_MIN) {
        return;
    }
    while (timers->count < capacity / 4 && capacity > CAPACITY_MIN) {
        capacity /= 2;
    }
    (void)resize(timers, capacity);
}

/* Puts `due` into the hole at `i` or higher up. */
static inline void sift_up(struct weft__due *heap, size_t i, struct weft__due due)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;

        if (!before(due, heap[parent])) {
            break;
        }
        put(heap, i, heap[parent]);
        i = parent;
    }
    put(heap, i, due);
}

/* The earliest child of `i`; 0 when it has none among `count` entries. */
static inline size_t first_child(const struct weft__due *heap, size_t i, size_t count)
{
    size_t child = 4 * i + 1;
    size_t end = child + 4 < count ? child + 4 : count;
    size_t best = child;

    if (child >= count) {
        return 0;
    }
    while (++child < end) {
        best = before(heap[child], heap[best]) ? child : best;
    }
    return best;
}

/* Takes the top off.  The hole sinks to a leaf, always the earliest child moving up, and the last
 * entry fills it: that was a leaf and will mostly stay one, so it is not compared on the way. */
static void remove_top(struct weft__timers *timers)
{
    struct weft__due *heap = timers->heap;
    size_t count = --timers->count;
    size_t hole = 0;

    for (size_t child; (child = first_child(heap, hole, count)); hole = child) {
        /* The step after this one needs one of four lines; nobody knows yet which.  (Not a function
         * of its own: gcc 12 takes that for one without effects and drops it.) */
        for (size_t i = 16 * hole + 5, end = i + 16; i < end && i < count; i += 4) {
            __builtin_prefetch(&heap[i]);
        }
        put(heap, hole, heap[child]);
    }
    if (count > 0) {
        sift_up(heap, hole, heap[count]);
    }
}

/* Whether nobody waits for the entry any more: struck out, or its handle was disarmed. */
static inline bool is_idle(struct weft__due due)
{
    return is_dead(due) || item_of(due)->place == 0;
}

/* An idle entry leaves the heap: whoever kept the handle for it may free that now. */
static inline void drop(struct weft__timers *timers, struct weft__due due)
{
    timers->dead--;
    if (!is_dead(due)) {
        timers->dropped(item_of(due));
    }
}

/* Takes the top entry off, and idle ones below it, so that the top is always armed. */
static void remove_first(struct weft__timers *timers)
{
    if (timers->count == 1 && timers->capacity <= CAPACITY_MIN) {
        timers->count = 0;
        return;
    }
    remove_top(timers);
    while (timers->count > 0 && is_idle(timers->heap[0])) {
        struct weft__due due = timers->heap[0];

        remove_top(timers);
        drop(timers, due);
    }
    shrink(timers);
}

/* Puts the entry at `i` below its earlier descendants. */
static void sift_down(struct weft__due *heap, size_t i, size_t count)
{
    struct weft__due due = heap[i];
    size_t child;

    while ((child = first_child(heap, i, count)) && before(heap[child], due)) {
        put(heap, i, heap[child]);
        i = child;
    }
    put(heap, i, due);
}

/* Drops what is idle and makes a heap of the rest: O(n), after n / 2 removals. */
static WEFT__COLD void pack(struct weft__timers *timers)
{
    struct weft__due *heap = timers->heap;
    size_t count = 0;

    for (size_t i = 0; i < timers->count; i++) {
        if (i + AHEAD < timers->count && !is_dead(heap[i + AHEAD])) {
            __builtin_prefetch(&item_of(heap[i + AHEAD])->place, 1);
        }
        if (is_idle(heap[i])) {
            drop(timers, heap[i]);
        } else {
            put(heap, count++, heap[i]);
        }
    }
    WEFT_ASSERT(timers->dead == 0);
    timers->count = (uint32_t)count;
    /* From the last one that has children up; the top stays where it was. */
    for (size_t i = (count + 2) / 4; i-- > 0;) {
        sift_down(heap, i, count);
    }
    shrink(timers);
}

void weft__timers_fini(struct weft__timers *timers)
{
    free_heap(timers->heap);
    *timers = (struct weft__timers){ 0 };
}

int weft__timers_add(struct weft__timers *timers, struct weft__item *item)
{
    WEFT_ASSERT(item->place == 0);
    if (timers->count == timers->capacity) {
        int r = resize(timers, timers->capacity ? timers->capacity * UINT64_C(2) : CAPACITY_MIN);

        if (r < 0) {
            return r;
        }
    }
    item->seq = timers->seq++;
    item->place = 1; /* armed; a tracked item's becomes exact where it comes to rest */
    sift_up(timers->heap, timers->count++,
            (struct weft__due){ item->when, (uintptr_t)item |
                                                (item->kind == WEFT__ITEM_HANDLE ? 0 : TRACKED) });
    return 0;
}

/* Counts an entry that became idle, and packs the heap when half of it is. */
static inline void count_idle(struct weft__timers *timers)
{
    if (++timers->dead > timers->count / 2) {
        pack(timers);
    }
}

void weft__timers_remove(struct weft__timers *timers, struct weft__item *item)
{
    uint32_t place = item->place;

    if (place == 0) {
        return;
    }
    item->place = 0;
    if (item_of(timers->heap[0]) == item) {
        remove_first(timers);
        return;
    }
    WEFT_ASSERT(item_of(timers->heap[place - 1]) == item);
    timers->heap[place - 1].item = epitaph(item->seq);
    count_idle(timers);
}

bool weft__timers_disarm(struct weft__timers *timers, struct weft__item *item)
{
    WEFT_ASSERT(item->kind == WEFT__ITEM_HANDLE && item->place);
    item->place = 0;
    if (item_of(timers->heap[0]) == item) {
        remove_first(timers);
        return true;
    }
    count_idle(timers);
    return false;
}

struct weft__item *weft__timers_pop(struct weft__timers *timers, int64_t now)
{
    if (timers->count == 0 || timers->heap[0].when > now) {
        return NULL;
    }
    struct weft__item *item = item_of(timers->heap[0]);

    item->place = 0;
    remove_first(timers);
    return item;
}
