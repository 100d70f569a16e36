/* SPDX-License-Identifier: MIT
 * Queues: between two tasks, and by one task alone.
 *
 * Plain, a queue is a ring of pointers: nobody waits, nothing is checked. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <weft/weft.h>

/* Sends what comes in at one side out at the other. */
WEFT_ASYNC(returns, (uint32_t, count), (weft_queue *, in), (weft_queue *, out))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        void *item;

        r = weft_queue_get(in, &item);
        r = r < 0 ? r : weft_queue_put(out, item);
    }
    return r;
}

static int two_queues(const weft_queue_options *options, weft_queue **queues)
{
    int r = weft_queue_new_with(options, &queues[0]);

    return r < 0 ? r : weft_queue_new_with(options, &queues[1]);
}

static double ping_pong(uint32_t count, weft_queue **queues, int *ret_error)
{
    weft_task *one = weft_create_task(returns(count, queues[0], queues[1]), NULL);
    weft_task *other = weft_create_task(returns(count, queues[1], queues[0]), NULL);
    int64_t start = bench_worked();
    int r = weft_queue_put(queues[0], queues);
    void *item;

    r = r < 0 ? r : weft_await(one);
    r = r < 0 ? r : weft_queue_get(queues[0], &item); /* or the last put would wait for ever */
    r = r < 0 ? r : weft_await(other);
    *ret_error = r;
    return bench_each(start, 2.0 * count);
}

/* Each message is one put and one get; the getter always waits already. */
WEFT_ASYNC(queue_pair_main, (struct bench_run *, run))
{
    static const weft_queue_options options[] = { { 0 }, { .rendezvous = true } };
    int r = 0;

    for (int i = 0; i < 2 && r >= 0; i++) {
        weft_queue *queues[2] = { NULL, NULL };

        r = two_queues(&options[i], queues);
        if (r >= 0) {
            run->results[i] = ping_pong(run->count, queues, &r);
        }
        weft_queue_free(queues[0]);
        weft_queue_free(queues[1]);
    }
    return r;
}

static int weft_queue_pair(struct bench_run *run)
{
    return weft_run(queue_pair_main(run), NULL);
}

static int plain_queue_pair(struct bench_run *run)
{
    int r = bench_plain_switch(run);

    run->results[1] = run->results[0];
    return r;
}

const struct bench_workload bench_queue_pair = {
    .name = "queue_pair",
    .about = "two tasks send a pointer to and fro; plain: the bare context switch",
    .figures = { { "a message, from put to get", "ns", { .most = 15 } },
                 { "  through a rendezvous", "ns", { 0 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = weft_queue_pair,
    .plain = plain_queue_pair,
};

/* One task fills a queue of 64 and empties it again. */
enum { BURST = 64 };

WEFT_ASYNC(queue_alone_main, (struct bench_run *, run))
{
    static const weft_queue_order orders[] = { WEFT_QUEUE_FIFO, WEFT_QUEUE_PRIORITY };
    int r = 0;

    for (int o = 0; o < 2 && r >= 0; o++) {
        weft_queue *queue;

        r = weft_queue_new_with(&(weft_queue_options){ .order = orders[o] }, &queue);
        if (r < 0) {
            break;
        }
        int64_t start = bench_worked();

        for (uint32_t done = 0; done < run->count && r >= 0; done += BURST) {
            for (uintptr_t i = 0; i < BURST && r >= 0; i++) {
                r = weft_queue_put(queue, (void *)(i * 37 % BURST));
            }
            for (int i = 0; i < BURST && r >= 0; i++) {
                void *item;

                r = weft_queue_get(queue, &item);
            }
        }
        run->results[o] = bench_each(start, run->count);
        weft_queue_free(queue);
    }
    return r;
}

static int weft_queue_alone(struct bench_run *run)
{
    return weft_run(queue_alone_main(run), NULL);
}

struct ring {
    void *items[BURST];
    uint32_t head, count;
};

static __attribute__((noinline)) int ring_put(struct ring *ring, void *item)
{
    if (ring->count == BURST) {
        return -EAGAIN;
    }
    ring->items[(ring->head + ring->count++) % BURST] = item;
    return 0;
}

static __attribute__((noinline)) int ring_get(struct ring *ring, void **ret_item)
{
    if (ring->count == 0) {
        return -EAGAIN;
    }
    ring->count--;
    *ret_item = ring->items[ring->head++ % BURST];
    return 0;
}

static int plain_queue_alone(struct bench_run *run)
{
    static struct ring ring;
    int r = 0;
    int64_t start = bench_worked();

    for (uint32_t done = 0; done < run->count && r >= 0; done += BURST) {
        for (uintptr_t i = 0; i < BURST && r >= 0; i++) {
            r = ring_put(&ring, (void *)i);
        }
        for (int i = 0; i < BURST && r >= 0; i++) {
            void *item;

            r = ring_get(&ring, &item);
        }
    }
    run->results[0] = run->results[1] = bench_each(start, run->count);
    return r;
}

const struct bench_workload bench_queue_alone = {
    .name = "queue_alone",
    .about = "one task puts 64 pointers and gets them; plain: a ring of pointers, for both",
    .figures = { { "put and get, nobody waits", "ns", { 0 } }, { "  by priority", "ns", { 0 } } },
    .count = 4000000,
    .count_quick = 2000,
    .weft = weft_queue_alone,
    .plain = plain_queue_alone,
};

/* Two senders feed one task that selects between their queues; and a select over two queues one of
 * which is never empty. */
WEFT_ASYNC(feeds, (uint32_t, count), (weft_queue *, out))
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_queue_put(out, &count);
    }
    return r;
}

static double select_that_waits(uint32_t count, weft_queue **queues, int *ret_error)
{
    weft_task *one = weft_create_task(feeds(count / 2, queues[0]), NULL);
    weft_task *other = weft_create_task(feeds(count / 2, queues[1]), NULL);
    int64_t start = bench_worked();
    int r = 0;
    void *item;

    for (uint32_t i = 0; i < count / 2 * 2 && r >= 0; i++) {
        r = weft_select(NULL, INFINITY, WEFT_ON_GET(queues[0], &item),
                        WEFT_ON_GET(queues[1], &item));
    }
    double each = bench_each(start, count);
    int s = weft_await(one), t = weft_await(other);

    *ret_error = r < 0 ? r : s < 0 ? s : t;
    return each;
}

static double select_that_is_ready(uint32_t count, weft_queue **queues, int *ret_error)
{
    int64_t start = bench_worked();
    int r = 0;
    void *item;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_queue_put(queues[1], queues);
        r = r < 0 ? r : weft_select(NULL, INFINITY, WEFT_ON_GET(queues[0], &item),
                                    WEFT_ON_GET(queues[1], &item));
    }
    *ret_error = r;
    return bench_each(start, count);
}

WEFT_ASYNC(select_main, (struct bench_run *, run))
{
    static const weft_queue_options rendezvous = { .rendezvous = true }, plain = { 0 };
    weft_queue *queues[4] = { NULL, NULL, NULL, NULL };
    int r = two_queues(&rendezvous, queues);

    r = r < 0 ? r : two_queues(&plain, queues + 2);
    if (r >= 0) {
        run->results[0] = select_that_waits(run->count, queues, &r);
    }
    if (r >= 0) {
        run->results[1] = select_that_is_ready(run->count, queues + 2, &r);
    }
    for (int i = 0; i < 4; i++) {
        weft_queue_free(queues[i]);
    }
    return r;
}

static int weft_selects(struct bench_run *run)
{
    return weft_run(select_main(run), NULL);
}

/* Looks at two rings for the one that has something. */
static int plain_selects(struct bench_run *run)
{
    static struct ring rings[2];
    int r = bench_plain_switch(run);
    int64_t start = bench_worked();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        void *item;

        r = ring_put(&rings[1], run);
        r = r < 0 ? r : ring_get(&rings[0], &item);
        r = r == -EAGAIN ? ring_get(&rings[1], &item) : r;
    }
    run->results[1] = bench_each(start, run->count);
    return r;
}

const struct bench_workload bench_select = {
    .name = "select",
    .about = "a select of two queues; plain: the bare context switch, two rings",
    .figures = { { "two senders, one that selects", "ns", { 0 } },
                 { "put, and select what is ready", "ns", { 0 } } },
    .count = 1000000,
    .count_quick = 2000,
    .weft = weft_selects,
    .plain = plain_selects,
};
