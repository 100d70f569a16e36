/* SPDX-License-Identifier: MIT
 * Small objects of one size, for one loop: taken and given back in a few instructions.
 *
 * Cells lie in chunks that are never unmapped: a closed pool's chunks go to a depot of the process,
 * from which later pools of the same cell size take them.  So a handle (base/tag.h) to a cell may
 * be looked at for ever.  A cell begins with its handle; what follows is the user's, and not
 * zeroed. */
#ifndef WEFT_CORE_POOL_H
#define WEFT_CORE_POOL_H

#include "core/base/tag.h"

#if defined(__SANITIZE_ADDRESS__)
#define WEFT__POOL_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__POOL_WATCHED 1
#endif
#endif

#ifdef WEFT__POOL_WATCHED
#include <sanitizer/asan_interface.h>
#endif

#define WEFT__CELL_LOW 6u /* cells are aligned to 64 bytes: a cache line */

struct weft__cell {
    uintptr_t handle;        /* the one that is valid; odd tag while taken */
    struct weft__cell *next; /* while free: the next free one.  While taken: the user's */
};

struct weft__pool {
    struct weft__cell *free;    /* last given first taken */
    char *fresh, *fresh_end;    /* what was never taken of the newest chunk */
    struct weft__chunk *chunks; /* newest first */
    size_t cell_size;           /* bytes, a multiple of 64 */
    size_t live;                /* cells taken now */
};

/* `cell_size` is rounded up to whole cache lines. */
void weft__pool_init(struct weft__pool *pool, size_t cell_size);

/* Gives all cells back (their handles are stale then) and the chunks to the depot. */
void weft__pool_fini(struct weft__pool *pool);

/* The slow half of weft__pool_take(): carves a cell; NULL when there is no memory. */
struct weft__cell *weft__pool_grow(struct weft__pool *pool);

/* Calls `visit` for each taken cell, oldest chunk last; `visit` may give that cell back. */
void weft__pool_each(struct weft__pool *pool, void (*visit)(void *cell, void *arg), void *arg);

/* Frees the chunks that wait in the depot: only for a test that counts bytes and keeps no
 * handle. */
void weft__pool_depot_clear(void);

/* Under AddressSanitizer what nobody may touch is poisoned: cells that were never taken, and free
 * ones but for the header, at which stale handles look.  Elsewhere both are nothing. */
static inline void weft__pool_hide(void *memory, size_t size)
{
#ifdef WEFT__POOL_WATCHED
    ASAN_POISON_MEMORY_REGION(memory, size);
#else
    (void)memory, (void)size;
#endif
}

static inline void weft__pool_show(void *memory, size_t size)
{
#ifdef WEFT__POOL_WATCHED
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
#else
    (void)memory, (void)size;
#endif
}

/* A cell's handle changes.  Another thread may look at it meanwhile, where the pool is shared and
 * the handle stale: that is an atomic access, which costs nothing. */
static inline void weft__cell_stamp(struct weft__cell *cell, uintptr_t handle)
{
    __atomic_store_n(&cell->handle, handle, __ATOMIC_RELAXED);
}

/* The object stays, but the handle that was given out is spent; `cell->handle` is the next one. */
static inline void weft__cell_renew(void *object)
{
    struct weft__cell *cell = object;

    weft__cell_stamp(cell, weft__tag_next(weft__tag_next(cell->handle, WEFT__CELL_LOW),
                                          WEFT__CELL_LOW));
}

static inline void *weft__pool_take(struct weft__pool *pool)
{
    struct weft__cell *cell = pool->free;

    if (!cell) {
        return weft__pool_grow(pool);
    }
    pool->free = cell->next;
    __builtin_prefetch(cell->next, 1); /* after a burst the next one lies anywhere */
    pool->live++;
    weft__pool_show(cell, pool->cell_size);
    weft__cell_stamp(cell, weft__tag_begin(cell->handle));
    return cell;
}

static inline void weft__pool_give(struct weft__pool *pool, void *object)
{
    struct weft__cell *cell = object;

    WEFT_ASSERT(weft__tag_lives(cell->handle));
    weft__cell_stamp(cell, weft__tag_next(cell->handle, WEFT__CELL_LOW));
    cell->next = pool->free;
    pool->free = cell;
    pool->live--;
    weft__pool_hide(cell + 1, pool->cell_size - sizeof *cell);
}

/* The living cell of a handle, or NULL with its error in *ret_error (-EINVAL, -ESRCH, a failed
 * object's own). */
static inline void *weft__cell_of(const void *handle, int *ret_error)
{
    int r = weft__tag_error(handle);

    if (r == 0) {
        struct weft__cell *cell = weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);

        if (__atomic_load_n(&cell->handle, __ATOMIC_RELAXED) == (uintptr_t)handle) {
            return cell;
        }
        r = -ESRCH;
    }
    *ret_error = r;
    return NULL;
}

#endif
