/* SPDX-License-Identifier: MIT
 * Handles that know when they are stale.
 *
 * A handle is the object's address with a tag in the bits that an address leaves free: those below
 * the object's alignment and, on 64-bit machines, the sixteen above bit 47.  The object's first
 * word is the one handle that is valid now.  The tag grows by one when the object begins to live
 * and when it ends, so it is odd while the object lives, and a handle that was kept too long equals
 * that word never again (or after 2^27 reuses of one task's place, 2^21 of one small object's).
 *
 *       63      48 47                            low 0
 *      [ tag, high ][ address ................. ][ tag ]
 *
 * What is handled this way lies in memory that is never unmapped (base/pool.h, fiber/stack.h): a
 * stale handle may always be looked at.  Handles below WEFT__ERROR_MAX are errors: the immortal
 * failed objects that constructors return instead of NULL. */
#ifndef WEFT_CORE_TAG_H
#define WEFT_CORE_TAG_H

#include "core/base/base.h"

#include <errno.h>

#define WEFT__ERROR_MAX 4096u

#if UINTPTR_MAX > 0xffffffffu
#define WEFT__TAG_HIGH 16u
#define WEFT__TAG_ONE ((uintptr_t)1 << 48) /* what the tag counts by */
#else
#define WEFT__TAG_HIGH 0u
#define WEFT__TAG_ONE ((uintptr_t)1)
#endif

/* Turns a handle so that its tag is one number in the lowest bits, and back. */
static inline uintptr_t weft__tag_turn(uintptr_t h)
{
    return WEFT__TAG_HIGH ? h << WEFT__TAG_HIGH | h >> ((sizeof h * 8 - WEFT__TAG_HIGH) & 63) : h;
}

static inline uintptr_t weft__tag_turn_back(uintptr_t t)
{
    return WEFT__TAG_HIGH ? t >> WEFT__TAG_HIGH | t << ((sizeof t * 8 - WEFT__TAG_HIGH) & 63) : t;
}

/* The handle after `h` for the same place; `low` is the number of bits below its alignment.  One
 * addition as long as the high bits do not run over. */
static inline uintptr_t weft__tag_next(uintptr_t h, unsigned low)
{
    uintptr_t mask = ((uintptr_t)1 << low) - 1;
    uintptr_t next = h;

    if (WEFT__TAG_HIGH && !__builtin_add_overflow(h, WEFT__TAG_ONE, &next)) {
        return next;
    }
    return (next & ~mask) | ((next + 1) & mask);
}

/* The same for a place that is free, whose tag is even: no carry. */
static inline uintptr_t weft__tag_begin(uintptr_t h)
{
    return h | WEFT__TAG_ONE;
}

/* The handle with tag `tag` for an address. */
static inline uintptr_t weft__tag_make(const void *address, uintptr_t tag, unsigned low)
{
    uintptr_t mask = ((uintptr_t)1 << (low + WEFT__TAG_HIGH)) - 1;

    return weft__tag_turn_back(weft__tag_turn((uintptr_t)address) | (tag & mask));
}

/* The address in a handle. */
static inline void *weft__tag_address(uintptr_t h, unsigned low)
{
    uintptr_t a = h & ~(((uintptr_t)1 << low) - 1);

    return (void *)(WEFT__TAG_HIGH ? a << WEFT__TAG_HIGH >> WEFT__TAG_HIGH : a);
}

static inline bool weft__tag_lives(uintptr_t h)
{
    return h & WEFT__TAG_ONE;
}

/* Whether the machine gave an address that leaves the tag's bits free. */
static inline bool weft__tag_fits(const void *address)
{
    return weft__tag_address((uintptr_t)address, 0) == address;
}

/* The failed object for a negative errno, and the error in a handle (0: it has none; NULL is
 * -EINVAL). */
static inline void *weft__failed(int error)
{
    return (void *)(uintptr_t)-error;
}

static inline int weft__tag_error(const void *handle)
{
    uintptr_t h = (uintptr_t)handle;

    return h >= WEFT__ERROR_MAX ? 0 : h ? -(int)h : -EINVAL;
}

#endif
