/* SPDX-License-Identifier: MIT
 * Pools of the whole process: cells from many threads, locks that fork(2) leaves open, waits with a
 * limit. */
#include "tests/unit/unit.h"

#include "core/base/clock.h"
#include "core/base/shared.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 20000 };

static struct weft__shared shared = WEFT__SHARED_INIT(100);
static atomic_int wrong;
static atomic_bool over;

static void *take_and_give(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct weft__cell *cell = weft__shared_take(&shared);
        int r = 0;

        if (!cell || weft__cell_of((void *)cell->handle, &r) != cell) {
            atomic_fetch_add(&wrong, 1);
            continue;
        }
        cell->next = arg;
        weft__shared_give(&shared, cell);
    }
    return NULL;
}

static void threads_take_and_give_cells(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, take_and_give, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(shared.pool.live, 0);
    weft__shared_clear();
}

static void a_cell_that_is_given_is_stale(void)
{
    struct weft__cell *cell = weft__shared_take(&shared);
    void *handle = (void *)cell->handle;
    int r = 0;

    weft__shared_clear(); /* it is taken: it stays */
    CU_ASSERT_PTR_EQUAL(weft__cell_of(handle, &r), cell);
    weft__shared_give(&shared, cell);
    CU_ASSERT_PTR_NULL(weft__cell_of(handle, &r));
    CU_ASSERT_EQUAL(r, -ESRCH);
    weft__shared_clear();
}

static void *use_until_over(void *arg)
{
    while (!atomic_load(&over)) {
        void *cell = weft__shared_take(&shared);

        if (cell) {
            weft__shared_give(&shared, cell);
        }
    }
    return arg;
}

static void a_forked_child_finds_the_lock_open(void)
{
    pthread_t thread;
    int status = -1, bad = 0;

    atomic_store(&over, false);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, use_until_over, NULL), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();

        if (child == 0) {
            alarm(20);
            _exit(weft__shared_take(&shared) ? 7 : 8);
        }
        waitpid(child, &status, 0);
        bad += status != 7 << 8;
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(bad, 0);
    weft__shared_clear();
}

static void a_wait_ends_at_its_deadline(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    int64_t start = weft__clock_now(), deadline = start + 2000000;
    int r = 0;

    CU_ASSERT_EQUAL(weft__cond_init(&cond), 0);
    pthread_mutex_lock(&lock);
    while (r == 0) {
        r = weft__cond_wait(&cond, &lock, deadline);
    }
    CU_ASSERT_EQUAL(weft__cond_wait(&cond, &lock, start), -ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    CU_ASSERT_EQUAL(r, -ETIMEDOUT);
    CU_ASSERT(weft__clock_now() >= deadline);
    pthread_cond_destroy(&cond);
}

static void without_memory_there_is_no_cell_and_no_condition(void)
{
    pthread_cond_t cond;

    weft__pool_depot_clear();
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT_PTR_NULL(weft__shared_take(&shared));
    weft__fault_arm(0, -EAGAIN);
    CU_ASSERT_EQUAL(weft__cond_init(&cond), -EAGAIN);
    weft__fault_arm(-1, 0);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(threads_take_and_give_cells),
    WEFT_UNIT_TEST(a_cell_that_is_given_is_stale),
    WEFT_UNIT_TEST(a_forked_child_finds_the_lock_open),
    WEFT_UNIT_TEST(a_wait_ends_at_its_deadline),
    WEFT_UNIT_TEST(without_memory_there_is_no_cell_and_no_condition),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_shared, tests)
