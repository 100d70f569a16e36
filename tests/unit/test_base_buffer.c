/* SPDX-License-Identifier: MIT
 * Buffers that grow. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <weft/buffer.h>

static void an_empty_buffer_has_nothing_to_free(void)
{
    weft_buffer buffer = { 0 };

    weft_buffer_clear(&buffer);
    weft_buffer_clear(NULL);
    CU_ASSERT(buffer.data == NULL);
}

static void what_was_appended_is_there_in_its_order(void)
{
    weft_buffer buffer = { 0 };

    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, "ab", 2), 0);
    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, "c\0d", 3), 0);
    CU_ASSERT_EQUAL(buffer.len, 5);
    CU_ASSERT(memcmp(buffer.data, "abc\0d", 6) == 0);
    weft_buffer_clear(&buffer);
    CU_ASSERT(buffer.data == NULL && buffer.len == 0 && buffer.capacity == 0);
}

static void it_is_a_string_even_when_nothing_was_appended(void)
{
    weft_buffer buffer = { 0 };

    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, NULL, 0), 0);
    CU_ASSERT_STRING_EQUAL(buffer.data, "");
    weft_buffer_clear(&buffer);
}

static void room_stays_and_grows_by_doubling(void)
{
    weft_buffer buffer = { 0 };
    int moves = 0;

    CU_ASSERT_EQUAL(weft_buffer_reserve(&buffer, 10), 0);
    for (int i = 0; i < 100000; i++) {
        size_t before = buffer.capacity;

        CU_ASSERT_EQUAL_FATAL(weft_buffer_append(&buffer, "x", 1), 0);
        moves += buffer.capacity != before;
    }
    CU_ASSERT_EQUAL(buffer.len, 100000);
    CU_ASSERT(moves < 16);
    buffer.len = 3; /* room is kept */
    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, "yz", 3), 0);
    CU_ASSERT_STRING_EQUAL(buffer.data, "xxxyz");
    weft_buffer_clear(&buffer);
}

static void what_cannot_be_had_changes_nothing(void)
{
    weft_buffer buffer = { 0 };

    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, "abc", 3), 0);
    CU_ASSERT_EQUAL(weft_buffer_reserve(&buffer, SIZE_MAX), -ENOMEM);
    CU_ASSERT_EQUAL(weft_buffer_reserve(&buffer, SIZE_MAX / 2), -ENOMEM);
    CU_ASSERT_EQUAL(weft_buffer_append(&buffer, NULL, 1), -EINVAL);
    CU_ASSERT_EQUAL(weft_buffer_reserve(NULL, 1), -EINVAL);
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT_EQUAL(weft_buffer_reserve(&buffer, 1000), -ENOMEM);
    CU_ASSERT_STRING_EQUAL(buffer.data, "abc");
    weft_buffer_clear(&buffer);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(an_empty_buffer_has_nothing_to_free),
    WEFT_UNIT_TEST(what_was_appended_is_there_in_its_order),
    WEFT_UNIT_TEST(it_is_a_string_even_when_nothing_was_appended),
    WEFT_UNIT_TEST(room_stays_and_grows_by_doubling),
    WEFT_UNIT_TEST(what_cannot_be_had_changes_nothing),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_buffer, tests)
