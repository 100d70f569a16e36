/* SPDX-License-Identifier: MIT
 * Pools: cells in a few instructions, and handles that stay honest for ever. */
#include "tests/unit/unit.h"

#include "core/base/pool.h"

#include <pthread.h>
#include <string.h>

#define DISARM (-1)
#define MANY 5000
#define SIZE ((size_t)128)

static struct weft__pool pool;
static char *cells[MANY];
static void *handles[MANY];

static void *handle_of(void *cell)
{
    return (void *)((struct weft__cell *)cell)->handle;
}

static void *take(void)
{
    void *cell = weft__pool_take(&pool);

    CU_ASSERT_FATAL(cell != NULL);
    return cell;
}

/* Takes `n` cells and keeps what they are and what they are called. */
static void take_many(int n)
{
    for (int i = 0; i < n; i++) {
        cells[i] = take();
        handles[i] = handle_of(cells[i]);
    }
}

static int error_of(const void *handle)
{
    int error = 0;

    CU_ASSERT(weft__cell_of(handle, &error) == NULL);
    return error;
}

static bool all_stale(int n)
{
    for (int i = 0; i < n; i++) {
        if (error_of(handles[i]) != -ESRCH) {
            return false;
        }
    }
    return true;
}

/* Each claim begins and ends with an empty depot, so that none depends on what another left. */
static void begin(size_t size)
{
    weft__pool_depot_clear();
    weft__pool_init(&pool, size);
}

static void end(void)
{
    weft__pool_fini(&pool);
    weft__pool_depot_clear();
}

static void cells_of_size(size_t size, int n)
{
    begin(size);
    take_many(n);
    CU_ASSERT(pool.live == (size_t)n);
    for (int i = 0; i < n; i++) {
        CU_ASSERT((uintptr_t)cells[i] % 64 == 0);
        memset(cells[i] + sizeof(uintptr_t), i & 0xff, size - sizeof(uintptr_t));
    }
    for (int i = 0; i < n; i++) {
        const char *user = cells[i] + sizeof(uintptr_t);

        CU_ASSERT(user[0] == (char)(i & 0xff));
        CU_ASSERT(memcmp(user, user + 1, size - sizeof(uintptr_t) - 1) == 0);
        CU_ASSERT(handle_of(cells[i]) == handles[i]);
    }
    end();
}

static void pool_cells_are_cache_lines_of_their_own(void)
{
    cells_of_size(64, MANY);
    cells_of_size(128, MANY);
    cells_of_size(448, 1000);
    cells_of_size(2048, 500);
}

static void pool_cells_may_be_larger_than_any_chunk(void)
{
    cells_of_size(4096, 20);
    cells_of_size(8192, 20);
    cells_of_size((size_t)1 << 20, 3);
}

static void pool_takes_the_last_given_first(void)
{
    begin(SIZE);
    take_many(3);
    weft__pool_give(&pool, cells[0]);
    weft__pool_give(&pool, cells[2]);
    CU_ASSERT(pool.live == 1);
    CU_ASSERT(take() == cells[2]);
    CU_ASSERT(take() == cells[0]);
    CU_ASSERT(pool.live == 3);
    end();
}

static void pool_handle_finds_its_cell(void)
{
    begin(SIZE);
    take_many(MANY);
    for (int i = 0; i < MANY; i++) {
        int error = 7;

        CU_ASSERT(weft__cell_of(handles[i], &error) == cells[i]);
        CU_ASSERT(error == 7);
    }
    end();
}

static void pool_handles_that_are_errors_name_them(void)
{
    CU_ASSERT(error_of(NULL) == -EINVAL);
    CU_ASSERT(error_of(weft__failed(-ENOMEM)) == -ENOMEM);
    CU_ASSERT(error_of(weft__failed(-4095)) == -4095);
}

static void pool_stale_handle_is_detected_after_give(void)
{
    begin(SIZE);
    take_many(MANY);
    for (int i = 0; i < MANY; i++) {
        weft__pool_give(&pool, cells[i]);
    }
    CU_ASSERT(all_stale(MANY));
    end();
}

/* How many objects may live in a cell before a tag comes round. */
enum { LIVES = 1 << (WEFT__TAG_HIGH + WEFT__CELL_LOW - 1) };

static void pool_stale_handle_is_detected_after_reuse(void)
{
    const int many = LIVES > MANY ? MANY : LIVES - 1;

    begin(SIZE);
    for (int i = 0; i < many; i++) {
        cells[i] = take();
        handles[i] = handle_of(cells[i]);
        CU_ASSERT(cells[i] == cells[0]); /* one place, many objects */
        weft__pool_give(&pool, cells[i]);
    }
    char *last = take();
    int error;

    CU_ASSERT(last == cells[0]);
    CU_ASSERT(all_stale(many));
    CU_ASSERT(weft__cell_of(handle_of(last), &error) == last);
    end();
}

static void pool_handle_comes_back_only_after_all_its_tags(void)
{
    begin(64);
    void *first = handle_of(take());
    void *cell = (void *)weft__tag_address((uintptr_t)first, WEFT__CELL_LOW);
    long reuses = 0;

    do {
        weft__pool_give(&pool, cell);
        reuses += take() == cell;
    } while (handle_of(cell) != first && reuses < 1L << 22);
    CU_ASSERT(reuses == LIVES); /* two million on 64 bits */
    end();
}

static void pool_end_makes_every_handle_stale(void)
{
    begin(SIZE);
    take_many(MANY);
    for (int i = 0; i < MANY; i += 2) {
        weft__pool_give(&pool, cells[i]);
    }
    weft__pool_fini(&pool);
    CU_ASSERT(pool.live == 0);
    CU_ASSERT(all_stale(MANY));
    weft__pool_fini(&pool); /* again: harmless */
    end();
}

static void pool_chunk_reuse_keeps_old_handles_stale(void)
{
    enum { GENERATIONS = LIVES > 50 ? 50 : LIVES - 2, EACH = MANY / GENERATIONS };
    static void *old[GENERATIONS * EACH];
    int kept = 0;

    begin(SIZE);
    for (int g = 0; g < GENERATIONS; g++) {
        size_t blocks = weft__alloc_live();

        /* Uneven counts: some cells are skipped by some generations, some have never been taken. */
        take_many(1 + g * 37 % EACH);
        for (int i = 0; i < 1 + g * 37 % EACH; i++) {
            old[kept++] = handles[i];
        }
        weft__pool_fini(&pool);
        CU_ASSERT(weft__alloc_live() >= blocks);
        for (int i = 0; i < kept; i++) {
            CU_ASSERT(error_of(old[i]) == -ESRCH);
        }
    }
    take_many(MANY);
    for (int i = 0; i < kept; i++) {
        CU_ASSERT(error_of(old[i]) == -ESRCH);
    }
    end();
}

static void pool_takes_chunks_from_the_depot_before_the_system(void)
{
    begin(SIZE);
    take_many(MANY);
    char *places[2] = { cells[0], cells[MANY - 1] };
    size_t blocks = weft__alloc_live();
    int seen = 0;

    weft__pool_fini(&pool);
    take_many(MANY);
    for (int i = 0; i < MANY; i++) {
        seen += cells[i] == places[0] || cells[i] == places[1];
    }
    CU_ASSERT(seen == 2);
    CU_ASSERT(weft__alloc_live() == blocks);
    end();
}

static void pool_leaves_chunks_of_another_cell_size_alone(void)
{
    static const size_t sizes[] = { 64, 128, 4096, 8192, 12288 };

    begin(64);
    for (size_t i = 0; i < WEFT__COUNT(sizes); i++) {
        size_t blocks = weft__alloc_live();

        weft__pool_init(&pool, sizes[i]);
        take_many(1);
        CU_ASSERT(weft__alloc_live() == blocks + 1);
        weft__pool_fini(&pool);
    }
    end();
}

static void pool_grows_by_doubling_its_chunks(void)
{
    enum { CELLS = 100000 };
    size_t before = weft__alloc_live();

    begin(64);
    for (int i = 0; i < CELLS; i++) {
        take();
        if (i == 0) {
            CU_ASSERT(weft__alloc_live() == before + 1);
        }
    }
    /* 6.4 MB: 4 + 8 + ... + 128 KiB, and 256 KiB each for the rest. */
    CU_ASSERT(weft__alloc_live() - before <= 6 + 25);
    end();
    CU_ASSERT(weft__alloc_live() == before);
}

static void pool_without_memory_says_so_and_stays_as_it_was(void)
{
    begin(SIZE);
    for (long nth = 0; nth < 5; nth++) {
        int taken = 0;

        weft__fault_arm(nth, -ENOMEM);
        while (taken < MANY && (cells[taken] = weft__pool_take(&pool))) {
            handles[taken] = handle_of(cells[taken]);
            taken++;
        }
        CU_ASSERT(weft__fault_arm(DISARM, 0) < 0);
        CU_ASSERT(pool.live == (size_t)taken);
        for (int i = 0, error; i < taken; i++) {
            CU_ASSERT(weft__cell_of(handles[i], &error) == cells[i]);
        }
        CU_ASSERT(take() != NULL); /* the next one succeeds */
        end();
        weft__pool_init(&pool, SIZE);
    }
}

struct visit {
    int count;
    bool give;
};

static void visit_cell(void *cell, void *arg)
{
    struct visit *visit = arg;

    CU_ASSERT(weft__tag_lives((uintptr_t)handle_of(cell)));
    ((char *)cell)[SIZE - 1]++;
    visit->count++;
    if (visit->give) {
        weft__pool_give(&pool, cell);
    }
}

static void pool_visits_each_taken_cell_once(void)
{
    struct visit visit = { 0 };

    begin(SIZE);
    take_many(MANY);
    for (int i = 0; i < MANY; i++) {
        cells[i][SIZE - 1] = 0;
    }
    for (int i = 0; i < MANY; i += 3) {
        weft__pool_give(&pool, cells[i]);
    }
    weft__pool_each(&pool, visit_cell, &visit);
    CU_ASSERT(visit.count == (int)pool.live);
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT(i % 3 == 0 || cells[i][SIZE - 1] == 1);
    }
    end();
}

static void pool_visitor_may_give_the_cell_back(void)
{
    struct visit visit = { .give = true };

    begin(SIZE);
    take_many(MANY);
    weft__pool_each(&pool, visit_cell, &visit);
    CU_ASSERT(visit.count == MANY);
    CU_ASSERT(pool.live == 0);
    CU_ASSERT(all_stale(MANY));
    end();
}

static void pool_visits_nothing_that_an_earlier_pool_left(void)
{
    struct visit visit = { 0 };

    begin(SIZE);
    take_many(MANY);
    weft__pool_fini(&pool);
    take_many(2);
    weft__pool_each(&pool, visit_cell, &visit);
    CU_ASSERT(visit.count == 2);
    end();
}

static void pool_depot_gives_its_memory_back_when_asked(void)
{
    size_t before = weft__alloc_live();

    begin(SIZE);
    take_many(MANY);
    weft__pool_fini(&pool);
    CU_ASSERT(weft__alloc_live() > before);
    weft__pool_depot_clear();
    CU_ASSERT(weft__alloc_live() == before);
    weft__pool_depot_clear();
}

static void *live_in_a_pool(void *arg)
{
    long *good = arg;

    for (int round = 0; round < 100; round++) {
        struct weft__pool mine;
        struct weft__cell *cell[100];
        int error;

        weft__pool_init(&mine, SIZE);
        for (size_t i = 0; i < WEFT__COUNT(cell); i++) {
            cell[i] = weft__pool_take(&mine);
            *good += cell[i] && weft__cell_of((void *)cell[i]->handle, &error) == cell[i];
        }
        weft__pool_fini(&mine);
    }
    return NULL;
}

static void pools_of_several_threads_share_the_depot(void)
{
    pthread_t threads[4];
    long good[4] = { 0 };

    weft__pool_depot_clear();
    for (size_t i = 0; i < WEFT__COUNT(threads); i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, live_in_a_pool, &good[i]) == 0);
    }
    for (size_t i = 0; i < WEFT__COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT(good[i] == 100 * 100);
    }
    weft__pool_depot_clear();
}

#ifdef WEFT__POOL_WATCHED
static void pool_cell_is_poisoned_while_it_is_free(void)
{
    begin(SIZE);
    char *cell = take();
    const char *neighbour = cell + SIZE;

    CU_ASSERT(!__asan_address_is_poisoned(cell + SIZE - 1));
    CU_ASSERT(__asan_address_is_poisoned(neighbour)); /* never taken */
    weft__pool_give(&pool, cell);
    CU_ASSERT(!__asan_address_is_poisoned(cell)); /* stale handles look here */
    CU_ASSERT(__asan_address_is_poisoned(cell + sizeof(struct weft__cell)));
    CU_ASSERT(__asan_address_is_poisoned(cell + SIZE - 1));
    weft__pool_fini(&pool);
    CU_ASSERT(take() == cell);
    CU_ASSERT(!__asan_address_is_poisoned(cell + SIZE - 1));
    end();
}
#endif

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(pool_cells_are_cache_lines_of_their_own),
    WEFT_UNIT_TEST(pool_cells_may_be_larger_than_any_chunk),
    WEFT_UNIT_TEST(pool_takes_the_last_given_first),
    WEFT_UNIT_TEST(pool_handle_finds_its_cell),
    WEFT_UNIT_TEST(pool_handles_that_are_errors_name_them),
    WEFT_UNIT_TEST(pool_stale_handle_is_detected_after_give),
    WEFT_UNIT_TEST(pool_stale_handle_is_detected_after_reuse),
    WEFT_UNIT_TEST(pool_handle_comes_back_only_after_all_its_tags),
    WEFT_UNIT_TEST(pool_end_makes_every_handle_stale),
    WEFT_UNIT_TEST(pool_chunk_reuse_keeps_old_handles_stale),
    WEFT_UNIT_TEST(pool_takes_chunks_from_the_depot_before_the_system),
    WEFT_UNIT_TEST(pool_leaves_chunks_of_another_cell_size_alone),
    WEFT_UNIT_TEST(pool_grows_by_doubling_its_chunks),
    WEFT_UNIT_TEST(pool_without_memory_says_so_and_stays_as_it_was),
    WEFT_UNIT_TEST(pool_visits_each_taken_cell_once),
    WEFT_UNIT_TEST(pool_visitor_may_give_the_cell_back),
    WEFT_UNIT_TEST(pool_visits_nothing_that_an_earlier_pool_left),
    WEFT_UNIT_TEST(pool_depot_gives_its_memory_back_when_asked),
    WEFT_UNIT_TEST(pools_of_several_threads_share_the_depot),
#ifdef WEFT__POOL_WATCHED
    WEFT_UNIT_TEST(pool_cell_is_poisoned_while_it_is_free),
#endif
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_pool, tests)
