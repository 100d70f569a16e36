/* SPDX-License-Identifier: MIT
 * Queues: made, looked at, freed. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sync/queue.h"

int weft_queue_new_with(const weft_queue_options *options, weft_queue **ret_queue)
{
    static const weft_queue_options defaults;
    weft_queue *queue;
    int r;

    options = options ? options : &defaults;
    if (!ret_queue || (unsigned)options->order > WEFT_QUEUE_PRIORITY ||
        (options->rendezvous && (options->order != WEFT_QUEUE_FIFO || options->maxsize > 0)) ||
        (options->order == WEFT_QUEUE_PRIORITY && options->item_size && !options->compare)) {
        return weft__words(-EINVAL, "no such order; or a rendezvous, which holds nothing, with a "
                                    "maxsize or an order; or priorities of values without compare");
    }
    queue = weft__alloc_aligned(_Alignof(weft_queue), sizeof *queue);
    if (!queue) {
        return -ENOMEM;
    }
    *queue = (weft_queue){ .holds = 1 };
    r = weft__store_init(&queue->store, options);
    if (r < 0) {
        weft__free(queue);
        return r;
    }
    queue->maxsize = options->maxsize;
    queue->limit = options->rendezvous ? 0 : options->maxsize ? options->maxsize : SIZE_MAX;
    queue->drop = options->drop;
    queue->arg = options->arg;
    if (weft__running) { /* from now on a use by another thread is noticed */
        (void)weft__queue_bind_slow(queue, weft__running);
    }
    *ret_queue = queue;
    return 0;
}

int weft_queue_new(size_t maxsize, weft_queue **ret_queue)
{
    return weft_queue_new_with(&(weft_queue_options){ .maxsize = maxsize }, ret_queue);
}

int weft_lifo_queue_new(size_t maxsize, weft_queue **ret_queue)
{
    return weft_queue_new_with(
        &(weft_queue_options){ .maxsize = maxsize, .order = WEFT_QUEUE_LIFO }, ret_queue);
}

int weft_priority_queue_new(size_t maxsize, weft_queue_compare *compare, void *arg,
                            weft_queue **ret_queue)
{
    weft_queue_options options = {
        .maxsize = maxsize, .order = WEFT_QUEUE_PRIORITY, .compare = compare, .arg = arg
    };

    return weft_queue_new_with(&options, ret_queue);
}

weft_queue *weft_queue_ref(weft_queue *queue)
{
    if (queue) {
        queue->holds++;
    }
    return queue;
}

int weft_queue_free(weft_queue *queue)
{
    int r = queue ? weft__queue_check(queue) : 0;

    if (!queue || r < 0) {
        return r;
    }
    if (queue->holds == 1) {
        const weft_waitq *lines[] = { &queue->getters, &queue->putters, &queue->joiners };

        for (size_t i = 0; i < WEFT__COUNT(lines); i++) {
            int s = weft__waitq_destroy(lines[i], "a queue");

            r = s < 0 ? s : r;
        }
    }
    if (r == 0 && --queue->holds == 0) {
        (void)weft_queue_shutdown(queue, true);
        weft__store_fini(&queue->store);
        weft__free(queue);
    }
    return r;
}

size_t weft_queue_qsize(const weft_queue *queue)
{
    return queue ? queue->store.count : 0;
}

size_t weft_queue_maxsize(const weft_queue *queue)
{
    return queue ? queue->maxsize : 0;
}

bool weft_queue_empty(const weft_queue *queue)
{
    return weft_queue_qsize(queue) == 0;
}

bool weft_queue_full(const weft_queue *queue)
{
    return queue && queue->store.count >= queue->limit;
}

void weft_queue_statistics(const weft_queue *queue, weft_queue_stats *ret_stats)
{
    *ret_stats = (weft_queue_stats){
        .size = queue->store.count,
        .maxsize = queue->maxsize,
        .highest = queue->highest,
        .getting = queue->getters.count,
        .putting = queue->putters.count,
        .joining = queue->joiners.count,
        .senders = queue->senders,
        .receivers = queue->receivers,
        .unfinished = (size_t)(queue->put - queue->done),
        .put = queue->put,
        .dropped = queue->dropped,
        .is_shut_down = queue->put_error < 0,
    };
}
