/* SPDX-License-Identifier: MIT
 * Queues and selects against a model: many tasks put, get, select, give up and are cancelled at
 * random, from 1,000 seeds.  Each item that was put is got once, dropped or still there; what one
 * task sends another through one queue arrives in order; nobody waits who could be served.
 *
 *     task_queue_model sim                  all seeds; the one that fails is told
 *     WEFT_SEED=17 task_queue_model sim     one */
#include "tests/task/task.h"

#include <math.h>
#include <stdlib.h>

enum { SEEDS = 1000, QUEUES = 4, TASKS = 7, OPERATIONS = 25, ITEMS = TASKS * OPERATIONS };

static const weft_queue_options kinds[QUEUES] = {
    { .maxsize = 1 },
    { .maxsize = 3, .order = WEFT_QUEUE_LIFO },
    { .rendezvous = true },
    { .order = WEFT_QUEUE_PRIORITY },
};

/* What the model knows of an item. */
struct item {
    int by;     /* the task that put it */
    int serial; /* the how manieth that one offered */
    int put;    /* how often a put of it succeeded: at most once */
    int got, dropped;
};

static uint64_t state;
static weft_queue *queues[QUEUES];
static struct item items[ITEMS];
static int items_used;
static int last[QUEUES][TASKS][TASKS]; /* the last serial from one to the other */
static weft_task *tasks[TASKS];

static int draw(int n)
{
    return (int)(weft_unit_random(&state) % (uint64_t)n);
}

static void drop(void *item, void *arg)
{
    (void)arg;
    ((struct item *)item)->dropped++;
}

static struct item *offer(int me)
{
    struct item *item = &items[items_used++];

    *item = (struct item){ .by = me, .serial = items_used };
    return item;
}

static void got(int me, int q, void *arrived)
{
    struct item *item = arrived;

    item->got++;
    EQUAL(item->got, 1);
    if (kinds[q].order == WEFT_QUEUE_FIFO) {
        CHECK(item->serial > last[q][item->by][me]);
        last[q][item->by][me] = item->serial;
    }
}

/* Who could be served does not wait. */
static void look(void)
{
    for (int q = 0; q < QUEUES; q++) {
        weft_queue_stats stats;

        weft_queue_statistics(queues[q], &stats);
        CHECK(!stats.getting || stats.size == 0);
        CHECK(!stats.putting || weft_queue_full(queues[q]));
        CHECK(!stats.getting || !stats.putting);
    }
}

static int put_one(int me, bool wait)
{
    struct item *item = offer(me);
    weft_queue *queue = queues[draw(QUEUES)];
    int r = wait ? weft_queue_put(queue, item) : weft_queue_put_nowait(queue, item);

    item->put += r == 0;
    return r;
}

static int get_one(int me, bool wait)
{
    void *item = NULL;
    int q = draw(QUEUES);
    int r = wait ? weft_queue_get(queues[q], &item) : weft_queue_get_nowait(queues[q], &item);

    CHECK((r == 0) == (item != NULL));
    if (r == 0) {
        got(me, q, item);
    }
    return r;
}

static int select_one(int me)
{
    weft_clause clauses[QUEUES] = { { 0 } };
    void *arrived[QUEUES] = { NULL };
    static const double timeouts[] = { 0, 0.0002, 0.0005, INFINITY };
    int r = 0, which, n = 0;

    for (int q = 0; q < QUEUES; q++) { /* at most one clause for each: it would not meet itself */
        int what = draw(4);

        if (what == 0) {
            clauses[q] = WEFT_ON_PUT(queues[q], offer(me));
        } else if (what < 3) {
            clauses[q] = WEFT_ON_GET(queues[q], &arrived[q]);
        }
        n += what < 3;
    }
    which = weft_select_array(clauses, QUEUES, n ? timeouts[draw(4)] : 0, &r);
    for (int q = 0; q < QUEUES; q++) {
        CHECK(!arrived[q] || (q == which && r == 0));
        if (arrived[q]) {
            got(me, q, arrived[q]);
        } else if (q == which && r == 0) {
            ((struct item *)clauses[q].item)->put++;
        }
    }
    return which < 0 && which != -ETIMEDOUT ? which : r;
}

static int operate(int me)
{
    switch (items_used + QUEUES > ITEMS ? 4 : draw(8)) {
    case 0: return put_one(me, true);
    case 1: return put_one(me, false);
    case 2: return get_one(me, true);
    case 3: return get_one(me, false);
    case 4: return weft_sleep(draw(3) ? 0 : 0.0001 * draw(5));
    default: return select_one(me);
    }
}

WEFT_ASYNC(plays, (int, me))
{
    int r = 0;

    for (int i = 0; i < OPERATIONS; i++) {
        r = operate(me);
        look();
        if (r == -ECANCELED) {
            weft_task_uncancel(weft_current_task());
        } else if (r == -ESHUTDOWN && draw(2)) {
            break;
        }
    }
    return 0;
}

static void disturb(void)
{
    for (int i = 0; i < 40; i++) {
        weft_sleep(draw(2) ? 0 : 0.0001 * draw(4));
        if (draw(3) == 0) {
            weft_task *victim = tasks[draw(TASKS)];

            if (!weft_task_done(victim)) {
                weft_task_cancel(victim);
            }
        }
        look();
    }
}

static void play(uint64_t seed)
{
    state = seed * 2654435761u;
    items_used = 0;
    for (int q = 0; q < QUEUES; q++) {
        weft_queue_options options = kinds[q];

        options.drop = drop;
        EQUAL(weft_queue_new_with(&options, &queues[q]), 0);
        for (int i = 0; i < TASKS * TASKS; i++) {
            last[q][i / TASKS][i % TASKS] = 0;
        }
    }
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = weft_create_task(plays(i), NULL);
    }
    disturb();
    for (int q = 0; q < QUEUES; q++) {
        EQUAL(weft_queue_shutdown(queues[q], draw(2)), 0);
        weft_sleep(0);
    }
    for (int i = 0; i < TASKS; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    for (int q = 0; q < QUEUES; q++) {
        EQUAL(weft_queue_free(queues[q]), 0);
    }
    for (int i = 0; i < items_used; i++) {
        CHECK(items[i].put <= 1);
        EQUAL(items[i].got + items[i].dropped, items[i].put);
    }
}

IN_TASK(whatever_is_put_is_got_once_or_dropped_and_nobody_is_forgotten)
{
    const char *one = getenv("WEFT_SEED");
    int seeds = is_virtual() ? many(SEEDS) : many(SEEDS) / 20;

    if (one) {
        play(strtoull(one, NULL, 10));
        return;
    }
    for (int seed = 1; seed <= seeds; seed++) {
        unsigned before = CU_get_number_of_failures();

        play((uint64_t)seed);
        if (CU_get_number_of_failures() != before) {
            fprintf(stderr, "\nWEFT_SEED=%d differs\n", seed);
            break;
        }
    }
}

static CU_TestInfo tests[] = {
    TEST(whatever_is_put_is_got_once_or_dropped_and_nobody_is_forgotten),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(queue_model, tests)
