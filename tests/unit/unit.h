/* SPDX-License-Identifier: MIT
 * What a unit test program is: a table of claims, and a look round before it leaves.
 *
 *     static void lists_begin_empty(void) { ... CU_ASSERT(...); ... }
 *
 *     static CU_TestInfo tests[] = { WEFT_UNIT_TEST(lists_begin_empty), CU_TEST_INFO_NULL };
 *
 *     WEFT_UNIT_MAIN(base_list, tests)
 *
 * The program fails when a claim does, and when the suite leaves a file descriptor, a thread or a
 * block of memory behind.  CU_ASSERT is for the main thread only. */
#ifndef WEFT_TEST_UNIT_H
#define WEFT_TEST_UNIT_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/pool.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A claim: the function's name is the sentence. */
#define WEFT_UNIT_TEST(name) \
    {                        \
        #name, name          \
    }

struct weft_unit_holdings {
    long fds, threads, blocks;
};

/* How many entries a directory has; 0 where there is no such directory (not Linux). */
static inline long weft_unit_entries(const char *path)
{
    DIR *dir = opendir(path);
    long n = 0;

    while (dir && readdir(dir)) {
        n++;
    }
    if (dir) {
        (void)closedir(dir);
    }
    return n;
}

static inline struct weft_unit_holdings weft_unit_holdings(void)
{
    /* What outlives its loop on purpose is given back first. */
    weft__fault_arm(-1, 0);
    weft_error_clear();
    weft__pool_depot_clear();
    return (struct weft_unit_holdings){
        .fds = weft_unit_entries("/proc/self/fd"),
        .threads = weft_unit_entries("/proc/self/task"),
        .blocks = (long)weft__alloc_live(),
    };
}

/* How much more there is of one thing than before; says so. */
static inline int weft_unit_left(const char *what, long before, long after)
{
    if (after > before) {
        fprintf(stderr, "left behind: %+ld %s\n", after - before, what);
    }
    return after > before; /* a thread of the sanitizer's own may have ended meanwhile */
}

static inline int weft_unit_anything_left(struct weft_unit_holdings before)
{
    struct weft_unit_holdings after = weft_unit_holdings();

    /* A thread that was joined is listed until the kernel has buried it, here as well as there. */
    for (int i = 0; i < 1000 && after.threads > before.threads; i++) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        after.threads = weft_unit_entries("/proc/self/task");
    }
    return weft_unit_left("file descriptors", before.fds, after.fds) |
           weft_unit_left("threads", before.threads, after.threads) |
           weft_unit_left("blocks of memory", before.blocks, after.blocks);
}

static inline void *weft_unit_nothing(void *arg)
{
    return arg;
}

/* ThreadSanitizer starts a thread of its own with the program's first: before they are counted. */
static inline void weft_unit_first_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, weft_unit_nothing, NULL) == 0) {
        (void)pthread_join(thread, NULL);
    }
}

/* Runs the claims; returns what main() does. */
static inline int weft_unit_run(const char *name, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = { { .pName = name, .pTests = tests }, CU_SUITE_INFO_NULL };

    /* Whole lines even if the program dies; before CUnit, which prints through the same buffer. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    weft_unit_first_thread();
    struct weft_unit_holdings before = weft_unit_holdings();

    CU_basic_set_mode(CU_BRM_VERBOSE);
    int bad = CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0;

    bad |= CU_get_number_of_failures() != 0 || CU_get_number_of_tests_failed() != 0;
    bad |= CU_get_number_of_suites_failed() != 0;
    bad |= weft_unit_anything_left(before);
    CU_cleanup_registry();
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define WEFT_UNIT_MAIN(suite, tests)          \
    int main(void)                            \
    {                                         \
        return weft_unit_run(#suite, tests);  \
    }

/* splitmix64: the same numbers on every machine, from the seed in *state. */
static inline uint64_t weft_unit_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
