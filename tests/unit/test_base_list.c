/* SPDX-License-Identifier: MIT
 * Lists whose links live in their members. */
#include "tests/unit/unit.h"

#include "core/base/list.h"

struct guest {
    int number;
    struct weft__list link;
};

#define GUESTS 100

static struct weft__list line;
static struct guest guests[GUESTS];

static void begin(void)
{
    weft__list_init(&line);
    for (int i = 0; i < GUESTS; i++) {
        guests[i].number = i;
        weft__list_init(&guests[i].link);
    }
}

static int pop_number(void)
{
    struct weft__list *first = weft__list_pop(&line);

    return first ? WEFT__CONTAINER(first, struct guest, link)->number : -1;
}

static void list_begins_empty_and_pops_nothing(void)
{
    begin();
    CU_ASSERT(weft__list_empty(&line));
    CU_ASSERT(weft__list_pop(&line) == NULL);
    CU_ASSERT(weft__list_empty(&line));
}

static void list_pops_in_the_order_of_pushing(void)
{
    begin();
    for (int i = 0; i < GUESTS; i++) {
        weft__list_push(&line, &guests[i].link);
    }
    for (int i = 0; i < GUESTS; i++) {
        CU_ASSERT(pop_number() == i);
    }
    CU_ASSERT(weft__list_empty(&line));
}

static void list_popped_member_is_in_no_list(void)
{
    begin();
    weft__list_push(&line, &guests[0].link);
    weft__list_push(&line, &guests[1].link);
    CU_ASSERT(pop_number() == 0);
    CU_ASSERT(weft__list_empty(&guests[0].link));
    CU_ASSERT(!weft__list_empty(&guests[1].link));
}

static void list_loses_any_member_and_keeps_the_others_in_order(void)
{
    for (int gone = 0; gone < 5; gone++) {
        begin();
        for (int i = 0; i < 5; i++) {
            weft__list_push(&line, &guests[i].link);
        }
        weft__list_remove(&guests[gone].link);
        for (int i = 0; i < 5; i++) {
            CU_ASSERT(i == gone || pop_number() == i);
        }
        CU_ASSERT(weft__list_empty(&line));
    }
}

static void list_removing_twice_is_harmless(void)
{
    begin();
    weft__list_push(&line, &guests[0].link);
    weft__list_push(&line, &guests[1].link);
    weft__list_remove(&guests[0].link);
    weft__list_remove(&guests[0].link);
    CU_ASSERT(pop_number() == 1);
    CU_ASSERT(pop_number() == -1);
}

static void list_member_comes_back_at_the_end(void)
{
    begin();
    for (int i = 0; i < 3; i++) {
        weft__list_push(&line, &guests[i].link);
    }
    weft__list_remove(&guests[0].link);
    weft__list_push(&line, &guests[0].link);
    CU_ASSERT(pop_number() == 1);
    CU_ASSERT(pop_number() == 2);
    CU_ASSERT(pop_number() == 0);
}

/* Follows both directions and returns how many members there are; -1 when they disagree. */
static int walk(void)
{
    int forward = 0, backward = 0;

    for (struct weft__list *at = line.next; at != &line; at = at->next) {
        if (at->next->prev != at || at->prev->next != at) {
            return -1;
        }
        forward++;
    }
    for (struct weft__list *at = line.prev; at != &line; at = at->prev) {
        backward++;
    }
    return forward == backward ? forward : -1;
}

static void list_links_stay_whole_through_random_changes(void)
{
    bool in[GUESTS] = { false };
    uint64_t seed = 1;
    int members = 0;

    begin();
    for (int step = 0; step < 10000; step++) {
        size_t i = weft_unit_random(&seed) % GUESTS;

        if (in[i]) {
            weft__list_remove(&guests[i].link);
        } else {
            weft__list_push(&line, &guests[i].link);
        }
        members += in[i] ? -1 : 1;
        in[i] = !in[i];
        CU_ASSERT(walk() == members);
    }
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(list_begins_empty_and_pops_nothing),
    WEFT_UNIT_TEST(list_pops_in_the_order_of_pushing),
    WEFT_UNIT_TEST(list_popped_member_is_in_no_list),
    WEFT_UNIT_TEST(list_loses_any_member_and_keeps_the_others_in_order),
    WEFT_UNIT_TEST(list_removing_twice_is_harmless),
    WEFT_UNIT_TEST(list_member_comes_back_at_the_end),
    WEFT_UNIT_TEST(list_links_stay_whole_through_random_changes),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_list, tests)
