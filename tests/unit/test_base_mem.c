/* SPDX-License-Identifier: MIT
 * Memory: what lives is counted, and what shall fail fails, once and exactly there. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define DISARM (-1)
#define THREADS 4
#define ROUNDS 1000

static void alloc_counts_blocks_not_bytes(void)
{
    size_t before = weft__alloc_live();
    char *a = weft__alloc(NULL, 1);
    char *b = weft__alloc_zeroed(10, 10);
    char *c = weft__alloc_aligned(64, 100000);

    CU_ASSERT_FATAL(a && b && c);
    CU_ASSERT(weft__alloc_live() == before + 3);
    weft__free(a);
    weft__free(b);
    CU_ASSERT(weft__alloc_live() == before + 1);
    weft__free(c);
    CU_ASSERT(weft__alloc_live() == before);
}

static void alloc_again_keeps_the_bytes_and_the_count(void)
{
    size_t before = weft__alloc_live();
    char *text = weft__alloc(NULL, 5);

    CU_ASSERT_FATAL(text != NULL);
    memcpy(text, "weft", 5);
    text = weft__alloc(text, 100000);
    CU_ASSERT_FATAL(text != NULL);
    CU_ASSERT_STRING_EQUAL(text, "weft");
    CU_ASSERT(weft__alloc_live() == before + 1);
    weft__free(text);
}

static void alloc_of_nothing_frees(void)
{
    size_t before = weft__alloc_live();

    CU_ASSERT(weft__alloc(weft__alloc(NULL, 10), 0) == NULL);
    CU_ASSERT(weft__alloc(NULL, 0) == NULL);
    weft__free(NULL);
    CU_ASSERT(weft__alloc_live() == before);
}

static void alloc_zeroed_is_zero(void)
{
    char *memory = weft__alloc(NULL, 5000);
    char zeros[5000] = { 0 };

    CU_ASSERT_FATAL(memory != NULL);
    memset(memory, 0xff, sizeof zeros);
    weft__free(memory); /* likely to come back at once */
    memory = weft__alloc_zeroed(50, 100);
    CU_ASSERT_FATAL(memory != NULL);
    CU_ASSERT(memcmp(memory, zeros, sizeof zeros) == 0);
    weft__free(memory);
}

static void alloc_zeroed_refuses_a_product_that_overflows(void)
{
    const size_t root = (size_t)1 << sizeof(size_t) * 4; /* its square is 0 */
    size_t before = weft__alloc_live();

    CU_ASSERT(weft__alloc_zeroed(SIZE_MAX / 2 + 1, 2) == NULL);
    CU_ASSERT(weft__alloc_zeroed(SIZE_MAX, SIZE_MAX) == NULL);
    CU_ASSERT(weft__alloc_zeroed(root, root) == NULL);
    CU_ASSERT(weft__alloc_live() == before);
}

static void alloc_aligned_is_aligned(void)
{
    for (size_t align = sizeof(void *); align <= (size_t)2 << 20; align *= 2) {
        char *memory = weft__alloc_aligned(align, align + 1);

        CU_ASSERT_FATAL(memory != NULL);
        CU_ASSERT((uintptr_t)memory % align == 0);
        memory[0] = memory[align] = 1;
        weft__free(memory);
    }
}

/* Memory from each of the three doors in turn. */
static void *alloc_somehow(long i)
{
    switch (i % 3) {
    case 0: return weft__alloc(NULL, 8);
    case 1: return weft__alloc_zeroed(1, 8);
    default: return weft__alloc_aligned(16, 8);
    }
}

static void fault_hits_the_nth_allocation_and_no_other(void)
{
    for (long nth = 0; nth < 6; nth++) {
        weft__fault_arm(nth, -ENOMEM);
        for (long i = 0; i < 8; i++) {
            void *memory = alloc_somehow(i);

            CU_ASSERT((memory == NULL) == (i == nth));
            weft__free(memory);
        }
        CU_ASSERT(weft__fault_arm(DISARM, 0) < 0);
    }
}

static void fault_tells_how_many_were_to_come(void)
{
    weft__fault_arm(5, -ENOMEM);
    CU_ASSERT(weft__fault() == 0);
    CU_ASSERT(weft__fault() == 0);
    CU_ASSERT(weft__fault_arm(0, -ENOMEM) == 3);
    CU_ASSERT(weft__fault_arm(DISARM, 0) == 0);
    CU_ASSERT(weft__fault_arm(DISARM, 0) < 0);
}

static void fault_that_is_not_armed_never_happens(void)
{
    weft__fault_arm(DISARM, -EIO);
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT(weft__fault() == 0);
    }
    weft__fault_arm(-1000, -EIO);
    CU_ASSERT(weft__fault() == 0);
}

static void fault_leaves_the_old_block_as_it_was(void)
{
    char *text = weft__alloc(NULL, 5);
    size_t before = weft__alloc_live();

    CU_ASSERT_FATAL(text != NULL);
    memcpy(text, "weft", 5);
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT(weft__alloc(text, 100000) == NULL);
    CU_ASSERT_STRING_EQUAL(text, "weft");
    CU_ASSERT(weft__alloc_live() == before);
    weft__free(text);
}

static void free_never_fails(void)
{
    void *a = weft__alloc(NULL, 8), *b = weft__alloc(NULL, 8);
    size_t before = weft__alloc_live();

    weft__fault_arm(0, -ENOMEM);
    weft__free(a);
    CU_ASSERT(weft__alloc(b, 0) == NULL);
    CU_ASSERT(weft__alloc_live() == before - 2);
    CU_ASSERT(weft__fault_arm(DISARM, 0) == 0);
}

static void system_call_fails_with_the_errno_that_was_armed(void)
{
    static const int errors[] = { -EMFILE, -EINTR, -ENOSPC };

    for (size_t i = 0; i < WEFT__COUNT(errors); i++) {
        weft__fault_arm(0, errors[i]);
        errno = 0;
        CU_ASSERT(WEFT__SYS(dup(STDERR_FILENO)) == -1); /* and none was made: they are counted */
        CU_ASSERT(errno == -errors[i]);
    }
}

static void system_call_without_a_fault_is_just_made(void)
{
    errno = EDOM;
    int fd = WEFT__SYS(dup(STDERR_FILENO));

    CU_ASSERT(fd >= 0);
    CU_ASSERT(errno == EDOM);
    CU_ASSERT(WEFT__SYS(close(fd)) == 0);
}

static void *count_faults(void *arg)
{
    long *hits = arg;

    for (int i = 0; i < ROUNDS; i++) {
        *hits += weft__fault() != 0;
    }
    return NULL;
}

static void fault_happens_once_however_many_threads_race_for_it(void)
{
    for (long nth = 0; nth < THREADS * ROUNDS; nth += 97) {
        pthread_t threads[THREADS];
        long hits[THREADS] = { 0 }, sum = 0;

        weft__fault_arm(nth, -ENOMEM);
        for (int i = 0; i < THREADS; i++) {
            CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, count_faults, &hits[i]) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            sum += hits[i];
        }
        CU_ASSERT(sum == 1);
        CU_ASSERT(weft__fault_arm(DISARM, 0) < 0);
    }
}

static void *churn(void *arg)
{
    void *kept = NULL;

    for (int i = 0; i < ROUNDS; i++) {
        void *memory = weft__alloc(NULL, 16);

        weft__free(kept);
        kept = memory;
    }
    *(void **)arg = kept;
    return NULL;
}

static void alloc_counts_exactly_across_threads(void)
{
    size_t before = weft__alloc_live();
    pthread_t threads[THREADS];
    void *kept[THREADS];

    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, churn, &kept[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT(weft__alloc_live() == before + THREADS);
    for (int i = 0; i < THREADS; i++) {
        weft__free(kept[i]);
    }
    CU_ASSERT(weft__alloc_live() == before);
}

/* Who decides for all threads: how often it was asked, for memory and for calls. */
static atomic_int asked[2];

static int refuse_calls(bool for_memory)
{
    atomic_fetch_add(&asked[for_memory], 1);
    return for_memory ? 0 : -EIO;
}

static void *asks_in_a_thread(void *unused)
{
    int r = weft__fault();

    return r == -EIO ? asked : unused;
}

static void one_can_decide_for_all_threads(void)
{
    pthread_t thread;
    void *found = NULL;

    weft__fault_ask_all(refuse_calls);
    weft__free(weft__alloc(NULL, 8));
    weft__free(weft__alloc_zeroed(1, 8));
    weft__free(weft__alloc_aligned(16, 8));
    errno = 0;
    CU_ASSERT(WEFT__SYS(0) == -1 && errno == EIO);
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, asks_in_a_thread, NULL) == 0);
    pthread_join(thread, &found);
    CU_ASSERT(found == asked);
    weft__fault_ask_all(NULL);
    CU_ASSERT(WEFT__SYS(0) == 0);
    CU_ASSERT(atomic_load(&asked[true]) == 3);
    CU_ASSERT(atomic_load(&asked[false]) == 2);
    CU_ASSERT(weft__fault_arm(DISARM, 0) < 0);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(alloc_counts_blocks_not_bytes),
    WEFT_UNIT_TEST(alloc_again_keeps_the_bytes_and_the_count),
    WEFT_UNIT_TEST(alloc_of_nothing_frees),
    WEFT_UNIT_TEST(alloc_zeroed_is_zero),
    WEFT_UNIT_TEST(alloc_zeroed_refuses_a_product_that_overflows),
    WEFT_UNIT_TEST(alloc_aligned_is_aligned),
    WEFT_UNIT_TEST(fault_hits_the_nth_allocation_and_no_other),
    WEFT_UNIT_TEST(fault_tells_how_many_were_to_come),
    WEFT_UNIT_TEST(fault_that_is_not_armed_never_happens),
    WEFT_UNIT_TEST(fault_leaves_the_old_block_as_it_was),
    WEFT_UNIT_TEST(free_never_fails),
    WEFT_UNIT_TEST(system_call_fails_with_the_errno_that_was_armed),
    WEFT_UNIT_TEST(system_call_without_a_fault_is_just_made),
    WEFT_UNIT_TEST(fault_happens_once_however_many_threads_race_for_it),
    WEFT_UNIT_TEST(one_can_decide_for_all_threads),
    WEFT_UNIT_TEST(alloc_counts_exactly_across_threads),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_mem, tests)
