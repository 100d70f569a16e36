/* SPDX-License-Identifier: MIT
 * Handles that know when they are stale: the arithmetic, on every alignment. */
#include "tests/unit/unit.h"

#include "core/base/tag.h"

#define LOW_FIRST 3u /* an object aligned to a pointer ... */
#define LOW_LAST  20u /* ... and one aligned to a megabyte */

/* Where objects may lie: the first page that may be mapped, the last, and between. */
static const uintptr_t places[] = {
#if UINTPTR_MAX > 0xffffffffu
    0x7fffffffffff, 0x555555554000, 0xffff00000000, 0x800000000000, 0x2aaaaaaaa000,
#endif
    0xbffff000, 0x08048000, 0x00100000, 0x00010000,
};

static void *place(size_t i, unsigned low)
{
    uintptr_t a = places[i] >> low << low;

    return (void *)(a ? a : (uintptr_t)1 << low);
}

static uintptr_t tag_mask(unsigned low)
{
    return ((uintptr_t)1 << (low + WEFT__TAG_HIGH)) - 1;
}

/* Calls `claim` for every place at every alignment. */
static void everywhere(void (*claim)(void *address, unsigned low))
{
    for (unsigned low = LOW_FIRST; low <= LOW_LAST; low++) {
        for (size_t i = 0; i < WEFT__COUNT(places); i++) {
            claim(place(i, low), low);
        }
    }
}

static void turning_a_handle_can_be_undone(void)
{
    uint64_t seed = 3;

    for (int i = 0; i < 10000; i++) {
        uintptr_t h = (uintptr_t)weft_unit_random(&seed);

        CU_ASSERT(weft__tag_turn_back(weft__tag_turn(h)) == h);
        CU_ASSERT(weft__tag_turn(weft__tag_turn_back(h)) == h);
    }
}

static void keeps_address(void *address, unsigned low)
{
    static const uintptr_t tags[] = { 0, 1, 2, 0x5555, 0x3fffff, UINTPTR_MAX - 1, UINTPTR_MAX };

    for (size_t i = 0; i < WEFT__COUNT(tags); i++) {
        uintptr_t h = weft__tag_make(address, tags[i], low);

        CU_ASSERT(weft__tag_address(h, low) == address);
        CU_ASSERT(weft__tag_lives(h) == (tags[i] & 1));
    }
}

static void tag_leaves_the_address_alone_on_every_alignment(void)
{
    everywhere(keeps_address);
}

static void zero_is_address(void *address, unsigned low)
{
    CU_ASSERT(weft__tag_make(address, 0, low) == (uintptr_t)address);
}

static void tag_zero_is_the_plain_address(void)
{
    everywhere(zero_is_address);
}

static void counts(void *address, unsigned low)
{
    uintptr_t h = weft__tag_make(address, 0, low);

    for (uintptr_t tag = 1; tag < 1000; tag++) {
        h = weft__tag_next(h, low);
        CU_ASSERT(h == weft__tag_make(address, tag, low));
        CU_ASSERT(weft__tag_lives(h) == (tag & 1));
    }
}

static void begins(void *address, unsigned low)
{
    for (uintptr_t tag = 0; tag < 100000; tag = tag * 3 + 2) {
        uintptr_t free = weft__tag_make(address, tag & ~(uintptr_t)1, low);

        CU_ASSERT(weft__tag_begin(free) == weft__tag_next(free, low));
    }
}

static void tag_of_a_free_place_begins_a_life_without_a_carry(void)
{
    everywhere(begins);
}

static void tag_grows_by_one_and_is_odd_while_the_object_lives(void)
{
    everywhere(counts);
}

static void wraps(void *address, unsigned low)
{
    uintptr_t last = weft__tag_make(address, tag_mask(low), low);

    CU_ASSERT(weft__tag_lives(last));
    CU_ASSERT(weft__tag_address(last, low) == address);
    CU_ASSERT(weft__tag_next(last, low) == weft__tag_make(address, 0, low));
}

static void tag_wraps_to_zero_and_never_into_the_address(void)
{
    everywhere(wraps);
}

static void tag_comes_round_only_after_all_others(void)
{
    const unsigned low = 6; /* a small object's: 2^22 tags on 64 bits */
    void *address = place(0, low);
    uintptr_t first = weft__tag_make(address, 1, low);
    uintptr_t h = first, turns = 0;

    do {
        h = weft__tag_next(h, low);
        turns++;
    } while (h != first && turns <= tag_mask(low) + 1);
    CU_ASSERT(turns == tag_mask(low) + 1);
}

static void neighbours_differ(void *address, unsigned low)
{
    void *next = (char *)address + ((uintptr_t)1 << low);
    uintptr_t tag = tag_mask(low);

    CU_ASSERT(weft__tag_make(address, tag, low) != weft__tag_make(next, tag, low));
    CU_ASSERT(weft__tag_make(address, tag, low) != weft__tag_make(next, 0, low));
}

static void tag_of_one_object_is_never_its_neighbours(void)
{
    everywhere(neighbours_differ);
}

static void fits(void *address, unsigned low)
{
    (void)low;
    CU_ASSERT(weft__tag_fits(address));
}

static void tag_fits_where_its_bits_are_free(void)
{
    everywhere(fits);
#if UINTPTR_MAX > 0xffffffffu
    CU_ASSERT(!weft__tag_fits((void *)((uintptr_t)1 << 48)));
    CU_ASSERT(!weft__tag_fits((void *)((uintptr_t)1 << 56 | 4096)));
    CU_ASSERT(!weft__tag_fits((void *)(UINTPTR_MAX - 4095)));
#endif
}

static void failed_objects_name_their_error(void)
{
    for (int error = 1; error < (int)WEFT__ERROR_MAX; error++) {
        CU_ASSERT(weft__tag_error(weft__failed(-error)) == -error);
    }
}

static void null_is_a_bad_argument(void)
{
    CU_ASSERT(weft__tag_error(NULL) == -EINVAL);
}

static void is_no_error(void *address, unsigned low)
{
    CU_ASSERT((uintptr_t)address < WEFT__ERROR_MAX || weft__tag_error(address) == 0);
    CU_ASSERT((uintptr_t)address < WEFT__ERROR_MAX ||
              weft__tag_error((void *)weft__tag_make(address, 1, low)) == 0);
}

static void no_handle_of_an_object_looks_like_an_error(void)
{
    everywhere(is_no_error);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(turning_a_handle_can_be_undone),
    WEFT_UNIT_TEST(tag_leaves_the_address_alone_on_every_alignment),
    WEFT_UNIT_TEST(tag_zero_is_the_plain_address),
    WEFT_UNIT_TEST(tag_grows_by_one_and_is_odd_while_the_object_lives),
    WEFT_UNIT_TEST(tag_of_a_free_place_begins_a_life_without_a_carry),
    WEFT_UNIT_TEST(tag_wraps_to_zero_and_never_into_the_address),
    WEFT_UNIT_TEST(tag_comes_round_only_after_all_others),
    WEFT_UNIT_TEST(tag_of_one_object_is_never_its_neighbours),
    WEFT_UNIT_TEST(tag_fits_where_its_bits_are_free),
    WEFT_UNIT_TEST(failed_objects_name_their_error),
    WEFT_UNIT_TEST(null_is_a_bad_argument),
    WEFT_UNIT_TEST(no_handle_of_an_object_looks_like_an_error),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_tag, tests)
