/* SPDX-License-Identifier: MIT
 * Deadlines: what is due first comes first, whatever was set, cancelled and set again between. */
#include "tests/unit/unit.h"

#include "core/sched/timer.h"

#include <errno.h>
#include <string.h>

#define DISARM (-1)
#define MANY 2000
#define CROWD 300000 /* more than 4 MiB of heap: large pages, several packings */

static struct weft__timers timers;
static struct weft__item items[MANY];
static uint64_t seed;

static void begin(void)
{
    memset(&timers, 0, sizeof timers);
    memset(items, 0, sizeof items);
    seed = 4;
}

static void end(void)
{
    weft__timers_fini(&timers);
    CU_ASSERT(weft__timers_next(&timers) == WEFT__NEVER);
}

static void add(struct weft__item *item, int64_t when)
{
    item->when = when;
    CU_ASSERT_FATAL(weft__timers_add(&timers, item) == 0);
}

/* The number of the item that is due at `now`; -1: none is. */
static long pop(int64_t now)
{
    struct weft__item *item = weft__timers_pop(&timers, now);

    CU_ASSERT(!item || item->place == 0);
    return item ? item - items : -1;
}

/* ---- the reference: a row sorted by deadline, equals in the order of their setting ---- */

static struct {
    int64_t when;
    long item;
} row[MANY];
static int row_length;

static void row_add(long item, int64_t when)
{
    int i = row_length++;

    for (; i > 0 && row[i - 1].when > when; i--) {
        row[i] = row[i - 1];
    }
    row[i].when = when;
    row[i].item = item;
}

static void row_remove(long item)
{
    int i = 0;

    while (row[i].item != item) {
        i++;
    }
    row_length--;
    memmove(&row[i], &row[i + 1], sizeof row[0] * (size_t)(row_length - i));
}

static long row_pop(int64_t now)
{
    if (row_length == 0 || row[0].when > now) {
        return -1;
    }
    long item = row[0].item;

    row_remove(item);
    return item;
}

/* ---- what the header says about the heap ---- */

/* The armed item of an entry; NULL: it is struck out. */
static struct weft__item *armed(const struct weft__due *due)
{
    return due->item & 1 ? NULL : (struct weft__item *)(due->item & ~(uintptr_t)2);
}

/* Whether parents come before children, items know their places, and the top is armed. */
static bool heap_is_whole(void)
{
    uint32_t dead = 0;

    for (uint32_t i = 0; i < timers.count; i++) {
        const struct weft__due *due = &timers.heap[i], *parent = &timers.heap[i ? (i - 1) / 4 : 0];
        const struct weft__item *item = armed(due), *above = armed(parent);
        bool tie = i > 0 && item && above && due->when == parent->when;

        if (parent->when > due->when || (tie && (int32_t)(item->seq - above->seq) < 0)) {
            return false;
        }
        if (item && (item->place != i + 1 || item->when != due->when)) {
            return false;
        }
        dead += !item;
    }
    if (timers.count > 0 && !armed(&timers.heap[0])) {
        return false;
    }
    return dead == timers.dead && dead <= timers.count / 2;
}

/* Adds, removes and pops at random, with one of `deadlines` different deadlines for each item. */
static void compare_with_a_sorted_row(int steps, uint64_t deadlines, unsigned removes_of_ten)
{
    int64_t now = 0;

    row_length = 0;
    for (int step = 0; step < steps; step++) {
        uint64_t dice = weft_unit_random(&seed) % 10;
        long i = (long)(weft_unit_random(&seed) % MANY);

        if (dice == 9) {
            now = (int64_t)(weft_unit_random(&seed) % deadlines / 4);
            CU_ASSERT(pop(now) == row_pop(now));
        } else if (items[i].place) {
            if (dice < removes_of_ten) {
                weft__timers_remove(&timers, &items[i]);
                row_remove(i);
            }
        } else {
            add(&items[i], (int64_t)(weft_unit_random(&seed) % deadlines));
            row_add(i, items[i].when);
        }
        CU_ASSERT(weft__timers_next(&timers) == (row_length ? row[0].when : WEFT__NEVER));
        if (step % 16 == 0) {
            CU_ASSERT_FATAL(heap_is_whole());
        }
    }
    while (row_length > 0) {
        CU_ASSERT_FATAL(pop(WEFT__NEVER) == row_pop(WEFT__NEVER));
    }
    CU_ASSERT(pop(WEFT__NEVER) == -1);
    CU_ASSERT(timers.count == 0);
}

static void timers_keep_the_order_of_a_sorted_row(void)
{
    begin();
    compare_with_a_sorted_row(10000, UINT64_C(1) << 62, 9);
    compare_with_a_sorted_row(10000, UINT64_C(1) << 62, 3);
    end();
}

static void timers_with_equal_deadlines_are_first_set_first_due(void)
{
    begin();
    compare_with_a_sorted_row(10000, 1, 9);
    compare_with_a_sorted_row(10000, 5, 9);
    compare_with_a_sorted_row(10000, 50, 4);
    end();
}

static void timers_stay_fair_when_their_sequence_wraps(void)
{
    begin();
    timers.seq = UINT32_MAX - 3000;
    compare_with_a_sorted_row(10000, 3, 9);
    CU_ASSERT(timers.seq < UINT32_MAX / 2);
    timers.seq = INT32_MAX - 3000; /* where a signed comparison would turn over */
    compare_with_a_sorted_row(10000, 3, 9);
    end();
}

/* ---- one by one ---- */

static void timers_begin_empty(void)
{
    begin();
    CU_ASSERT(weft__timers_next(&timers) == WEFT__NEVER);
    CU_ASSERT(pop(WEFT__NEVER) == -1);
    end();
}

static void timer_is_due_at_its_deadline_and_not_before(void)
{
    begin();
    add(&items[0], 1000);
    CU_ASSERT(weft__timers_next(&timers) == 1000);
    CU_ASSERT(pop(999) == -1);
    CU_ASSERT(pop(1000) == 0);
    CU_ASSERT(pop(1000) == -1);
    CU_ASSERT(items[0].when == 1000); /* kept after it has passed */
    end();
}

static void timer_that_is_never_reached_wakes_nobody(void)
{
    begin();
    add(&items[0], WEFT__NEVER - 1); /* what an infinite delay becomes */
    CU_ASSERT(weft__timers_next(&timers) == WEFT__NEVER);
    add(&items[1], WEFT__NEVER - 2);
    CU_ASSERT(weft__timers_next(&timers) == WEFT__NEVER - 2);
    end();
}

static void timers_take_every_deadline_there_is(void)
{
    static const int64_t last = WEFT__NEVER, first = INT64_MIN;
    const int64_t whens[] = { last - 1, -1, first, 0, 1, last, first + 1 };
    const long order[] = { 2, 6, 1, 3, 4, 0, 5 };

    begin();
    for (size_t i = 0; i < WEFT__COUNT(whens); i++) {
        add(&items[i], whens[i]);
    }
    for (size_t i = 0; i < WEFT__COUNT(order); i++) {
        CU_ASSERT(pop(WEFT__NEVER) == order[i]);
    }
    end();
}

static void timer_that_was_removed_is_never_due(void)
{
    begin();
    for (int gone = 0; gone < 20; gone++) {
        for (int i = 0; i < 20; i++) {
            add(&items[i], i);
        }
        weft__timers_remove(&timers, &items[gone]);
        CU_ASSERT(items[gone].place == 0);
        CU_ASSERT(weft__timers_next(&timers) == (gone ? 0 : 1));
        for (int i = 0; i < 20; i++) {
            CU_ASSERT(i == gone || pop(WEFT__NEVER) == i);
        }
        CU_ASSERT(pop(WEFT__NEVER) == -1);
    }
    end();
}

static void timer_that_is_not_armed_is_removed_in_vain(void)
{
    begin();
    weft__timers_remove(&timers, &items[0]);
    add(&items[1], 1);
    add(&items[2], 2);
    weft__timers_remove(&timers, &items[0]);
    weft__timers_remove(&timers, &items[2]);
    weft__timers_remove(&timers, &items[2]);
    CU_ASSERT(pop(WEFT__NEVER) == 1);
    weft__timers_remove(&timers, &items[1]);
    CU_ASSERT(pop(WEFT__NEVER) == -1);
    end();
}

static void timer_may_be_set_again(void)
{
    begin();
    add(&items[0], 10);
    add(&items[1], 20);
    weft__timers_remove(&timers, &items[0]);
    add(&items[0], 20); /* behind the other now, although it was first once */
    CU_ASSERT(pop(WEFT__NEVER) == 1);
    CU_ASSERT(pop(WEFT__NEVER) == 0);
    add(&items[0], 5);
    CU_ASSERT(pop(5) == 0);
    end();
}

static void timers_are_none_when_all_are_removed_in_any_order(void)
{
    begin();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            add(&items[i], (int64_t)(weft_unit_random(&seed) % 100));
        }
        for (int i = 0; i < MANY; i++) {
            int j = round == 0 ? i : round == 1 ? MANY - 1 - i : i * 7919 % MANY;

            weft__timers_remove(&timers, &items[j]);
            CU_ASSERT((timers.count == 0) == (i == MANY - 1));
        }
        CU_ASSERT(weft__timers_next(&timers) == WEFT__NEVER);
    }
    end();
}

/* Freed at once, so that AddressSanitizer and valgrind see whoever looks back. */
static void timer_that_was_removed_may_be_freed_at_once(void)
{
    struct weft__item *freed[MANY];

    begin();
    for (int i = 0; i < MANY; i++) {
        freed[i] = calloc(1, sizeof *freed[i]);
        CU_ASSERT_FATAL(freed[i] != NULL);
        add(freed[i], (int64_t)(weft_unit_random(&seed) % 8));
        add(&items[i], (int64_t)(weft_unit_random(&seed) % 8));
    }
    for (int i = 0; i < MANY; i++) {
        weft__timers_remove(&timers, freed[i]);
        free(freed[i]);
        CU_ASSERT(weft__timers_pop(&timers, INT64_MIN) == NULL);
    }
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT(pop(WEFT__NEVER) >= 0);
    }
    end();
}

static void timer_at_the_top_is_removed_together_with_the_dead_below_it(void)
{
    begin();
    for (int i = 0; i < 100; i++) {
        add(&items[i], i);
    }
    for (int i = 1; i < 40; i++) {
        weft__timers_remove(&timers, &items[i]);
    }
    CU_ASSERT(timers.dead == 39); /* still there, struck out */
    weft__timers_remove(&timers, &items[0]);
    CU_ASSERT(timers.dead == 0);
    CU_ASSERT(weft__timers_next(&timers) == 40);
    CU_ASSERT(timers.count == 60);
    CU_ASSERT(heap_is_whole());
    end();
}

/* ---- memory ---- */

static void timers_without_memory_change_nothing(void)
{
    begin();
    for (int i = 0; i < MANY; i++) {
        uint32_t count = timers.count;

        items[i].when = MANY - i;
        weft__fault_arm(0, -ENOMEM);
        int r = weft__timers_add(&timers, &items[i]);
        bool failed = weft__fault_arm(DISARM, 0) < 0;

        CU_ASSERT(r == (failed ? -ENOMEM : 0));
        CU_ASSERT(timers.count == count + !failed);
        CU_ASSERT((items[i].place == 0) == failed);
        if (failed) {
            CU_ASSERT(heap_is_whole());
            add(&items[i], MANY - i);
        }
    }
    for (int i = MANY; i-- > 0;) {
        CU_ASSERT(pop(WEFT__NEVER) == i);
    }
    end();
}

static void timers_stay_large_when_there_is_no_memory_for_less(void)
{
    begin();
    for (int i = 0; i < MANY; i++) {
        add(&items[i], i);
    }
    uint32_t capacity = timers.capacity;

    for (int i = 0; i < MANY; i++) {
        weft__fault_arm(0, -ENOMEM);
        CU_ASSERT(pop(WEFT__NEVER) == i);
    }
    weft__fault_arm(DISARM, 0);
    CU_ASSERT(timers.capacity == capacity);
    end();
}

static void timers_give_memory_back(void)
{
    begin();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            add(&items[i], i);
        }
        CU_ASSERT(timers.capacity >= MANY);
        for (int i = 0; i < MANY; i++) {
            if (round == 0) {
                CU_ASSERT(pop(WEFT__NEVER) == i);
            } else {
                weft__timers_remove(&timers, &items[MANY - 1 - i]);
            }
        }
        CU_ASSERT(timers.capacity <= 64);
    }
    size_t blocks = weft__alloc_live();

    end();
    CU_ASSERT(weft__alloc_live() == blocks - 1);
}

static void timers_end_with_items_still_armed(void)
{
    begin();
    for (int i = 0; i < MANY; i++) {
        add(&items[i], i);
    }
    weft__timers_remove(&timers, &items[MANY / 2]);
    end();
    weft__timers_fini(&timers); /* again: harmless */
}

static void timers_share_a_cache_line_with_their_siblings(void)
{
    begin();
    for (int i = 0; i < MANY; i++) {
        add(&items[i], i);
        CU_ASSERT(((uintptr_t)&timers.heap[1] & 63) == 0);
    }
    end();
}

static void timers_refuse_more_than_places_can_count(void)
{
    const uint32_t full = UINT32_C(1) << 31;
    struct weft__due top = { 0, 0 };
    struct weft__item item = { .when = 1 };

    begin();
    /* A full heap of 32 GiB, but for the memory: who refuses in time does not look. */
    timers = (struct weft__timers){ .heap = &top, .count = full, .capacity = full };
    CU_ASSERT(weft__timers_add(&timers, &item) == -ENOMEM);
    CU_ASSERT(timers.count == full);
    CU_ASSERT(item.place == 0);
    memset(&timers, 0, sizeof timers);
}

/* ---- handles: they stay until their entry has gone ---- */

static void dropped(struct weft__item *item)
{
    CU_ASSERT(item->kind == WEFT__ITEM_HANDLE && item->place == 0);
    CU_ASSERT(item->refs == 1); /* disarmed, and not told before */
    item->refs = 0;
}

/* Handles and tracked items, a few deadlines for all, added, disarmed and popped at random. */
static void handle_is_dropped_once_and_after_it_was_disarmed(void)
{
    uint32_t disarmed = 0, told = 0;

    begin();
    timers.dropped = dropped;
    row_length = 0;
    for (int step = 0; step < 20000; step++) {
        long i = (long)(weft_unit_random(&seed) % MANY);

        if (items[i].refs) {
            continue; /* disarmed; its entry is still there */
        }
        items[i].kind = i % 2 ? WEFT__ITEM_HANDLE : WEFT__ITEM_TASK;
        if (weft_unit_random(&seed) % 8 == 0) {
            CU_ASSERT(pop(16) == row_pop(16));
        } else if (!items[i].place) {
            add(&items[i], (int64_t)(weft_unit_random(&seed) % 32));
            row_add(i, items[i].when);
        } else if (i % 2) {
            row_remove(i);
            items[i].refs = 1;
            disarmed++;
            if (weft__timers_disarm(&timers, &items[i])) {
                items[i].refs = 0;
            }
        } else {
            row_remove(i);
            weft__timers_remove(&timers, &items[i]);
        }
    }
    while (row_length > 0) {
        CU_ASSERT(pop(32) == row_pop(32));
    }
    CU_ASSERT(pop(WEFT__NEVER) == -1 && timers.count == 0 && timers.dead == 0);
    for (int i = 0; i < MANY; i++) {
        told += items[i].refs == 0;
    }
    CU_ASSERT(disarmed > 1000 && told == MANY);
    end();
}

/* ---- a crowd ---- */

static void timers_by_the_hundred_thousand(void)
{
    struct weft__item *crowd = calloc(CROWD, sizeof *crowd), *item, *last = NULL;
    uint32_t left = 0;

    CU_ASSERT_FATAL(crowd != NULL);
    begin();
    for (uint32_t i = 0; i < CROWD; i++) {
        add(&crowd[i], (int64_t)(weft_unit_random(&seed) % CROWD));
    }
    CU_ASSERT(heap_is_whole());
    for (uint32_t i = 0; i < CROWD; i++) { /* nine of ten are timeouts that never happen */
        if (weft_unit_random(&seed) % 10 != 0) {
            weft__timers_remove(&timers, &crowd[i]);
        } else {
            left++;
        }
    }
    CU_ASSERT(heap_is_whole());
    CU_ASSERT(timers.count - timers.dead == left);
    for (; (item = weft__timers_pop(&timers, WEFT__NEVER)); last = item, left--) {
        CU_ASSERT(!last || last->when <= item->when);
        CU_ASSERT(!last || last->when != item->when || last->seq < item->seq);
    }
    CU_ASSERT(left == 0);
    end();
    free(crowd);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(timers_begin_empty),
    WEFT_UNIT_TEST(timer_is_due_at_its_deadline_and_not_before),
    WEFT_UNIT_TEST(timer_that_is_never_reached_wakes_nobody),
    WEFT_UNIT_TEST(timers_take_every_deadline_there_is),
    WEFT_UNIT_TEST(timers_keep_the_order_of_a_sorted_row),
    WEFT_UNIT_TEST(timers_with_equal_deadlines_are_first_set_first_due),
    WEFT_UNIT_TEST(timers_stay_fair_when_their_sequence_wraps),
    WEFT_UNIT_TEST(timer_that_was_removed_is_never_due),
    WEFT_UNIT_TEST(timer_that_is_not_armed_is_removed_in_vain),
    WEFT_UNIT_TEST(timer_may_be_set_again),
    WEFT_UNIT_TEST(timers_are_none_when_all_are_removed_in_any_order),
    WEFT_UNIT_TEST(timer_that_was_removed_may_be_freed_at_once),
    WEFT_UNIT_TEST(timer_at_the_top_is_removed_together_with_the_dead_below_it),
    WEFT_UNIT_TEST(timers_without_memory_change_nothing),
    WEFT_UNIT_TEST(timers_stay_large_when_there_is_no_memory_for_less),
    WEFT_UNIT_TEST(timers_give_memory_back),
    WEFT_UNIT_TEST(timers_end_with_items_still_armed),
    WEFT_UNIT_TEST(timers_share_a_cache_line_with_their_siblings),
    WEFT_UNIT_TEST(timers_refuse_more_than_places_can_count),
    WEFT_UNIT_TEST(handle_is_dropped_once_and_after_it_was_disarmed),
    WEFT_UNIT_TEST(timers_by_the_hundred_thousand),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(sched_timer, tests)
