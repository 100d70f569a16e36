/* SPDX-License-Identifier: MIT
 * Reading memory that may not be there (debug/stack.h): by the system's call, and by a pipe. */
#include "core/debug/stack.h"

#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 5 }; /* more than a pipe takes at once on some systems */

typedef size_t peek(void *to, const void *from, size_t size);
static peek *const ways[] = { weft__peek, weft__peek_by_pipe };

static size_t page;

/* Valgrind does not want to see memory given to write(2) that is not there. */
static size_t ways_here(void)
{
    return weft__valgrind() ? 1 : WEFT__COUNT(ways);
}

/* PAGES pages that count up, and behind them one that may not be read. */
static unsigned char *make(void)
{
    unsigned char *memory;

    page = (size_t)sysconf(_SC_PAGESIZE);
    memory = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(memory != MAP_FAILED);
    for (size_t i = 0; i < PAGES * page; i++) {
        memory[i] = (unsigned char)(i % 251);
    }
    CU_ASSERT_FATAL(mprotect(memory + PAGES * page, page, PROT_NONE) == 0);
    return memory;
}

static void what_is_there_is_copied(void)
{
    static unsigned char to[PAGES * 65536];
    unsigned char *memory = make();

    for (size_t i = 0; i < WEFT__COUNT(ways); i++) {
        memset(to, 0, sizeof to);
        CU_ASSERT_EQUAL(ways[i](to, memory + 7, PAGES * page - 7), PAGES * page - 7);
        CU_ASSERT(memcmp(to, memory + 7, PAGES * page - 7) == 0);
        CU_ASSERT_EQUAL(to[PAGES * page - 7], 0);
    }
    munmap(memory, (PAGES + 1) * page);
}

static void it_ends_where_the_memory_does(void)
{
    unsigned char to[256], *memory = make(), *end = memory + PAGES * page;

    for (size_t i = 0; i < ways_here(); i++) {
        memset(to, 0, sizeof to);
        CU_ASSERT_EQUAL(ways[i](to, end - 100, 200), 100);
        CU_ASSERT(memcmp(to, end - 100, 100) == 0);
        CU_ASSERT_EQUAL(to[100], 0);
    }
    munmap(memory, (PAGES + 1) * page);
}

static void nothing_is_read_where_nothing_is(void)
{
    unsigned char to[64], *memory = make();

    for (size_t i = 0; i < ways_here(); i++) {
        CU_ASSERT_EQUAL(ways[i](to, NULL, sizeof to), 0);
        CU_ASSERT_EQUAL(ways[i](to, memory + PAGES * page, sizeof to), 0);
        CU_ASSERT_EQUAL(ways[i](to, memory, 0), 0);
    }
    munmap(memory, (PAGES + 1) * page);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(what_is_there_is_copied),
    WEFT_UNIT_TEST(it_ends_where_the_memory_does),
    WEFT_UNIT_TEST(nothing_is_read_where_nothing_is),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(debug_peek, tests)
