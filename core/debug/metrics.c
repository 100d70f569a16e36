/* SPDX-License-Identifier: MIT
 * Metrics: counts and times, told to whoever asks. */
#include "core/debug/more.h"

#include <math.h>
#include <string.h>
#include <weft/error.h>

void weft__counts_queue(struct weft__observer *observer, int64_t ns)
{
    if (observer->more && observer->more->timed) {
        weft__counts_add(&observer->more->counts->queue, ns);
    }
}

double weft_histogram_edge(unsigned bucket)
{
    uint64_t ns = bucket + 1;

    if (bucket >= WEFT_HISTOGRAM_BUCKETS - 1) {
        return INFINITY;
    }
    if (bucket >= 8) {
        ns = (uint64_t)(8 + bucket % 8 + 1) << (bucket / 8 - 1);
    }
    return (double)ns / 1e9;
}

double weft_histogram_quantile(const weft_histogram *histogram, double part)
{
    uint64_t all = 0, below = 0;
    double wanted;

    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        all += histogram->counts[i];
    }
    wanted = part * (double)all;
    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        below += histogram->counts[i];
        if (below && (double)below >= wanted) {
            return weft_histogram_edge(i);
        }
    }
    return 0;
}

static uint64_t count_ready(const struct weft__loop *loop)
{
    uint64_t count = 0;

    for (const struct weft__item *item = loop->first; item; item = item->next) {
        count++;
    }
    return count;
}

int weft_loop_get_metrics(weft_loop *handle, weft_loop_metrics *ret_metrics)
{
    int r = -EINVAL;
    struct weft__loop *loop = ret_metrics && ret_metrics->size ? weft__loop_of(handle, &r) : NULL;
    struct weft__more *more;
    const struct weft__counts *counts;
    weft_loop_metrics whole;
    double second;
    int64_t now;

    if (!loop) {
        return r;
    }
    more = loop->observer ? loop->observer->more : NULL;
    counts = more ? more->counts : NULL;
    if (!counts) {
        return -ENODATA;
    }
    second = more->timed ? weft__ticks_rate(&more->ticks) / (double)WEFT__SECOND : 0;
    now = weft__clock_now();
    whole = (weft_loop_metrics){
        .size = ret_metrics->size,
        .turns = counts->turns,
        .callbacks = counts->callbacks,
        .looks = counts->looks,
        .waits = counts->waits,
        .made = counts->made,
        .ended = counts->ended,
        .live = loop->stacks.live,
        .ready = count_ready(loop),
        .running = (double)(counts->running + (more->waits ? 0 : now - more->looked)) / 1e9,
        .waiting = (double)counts->waiting / 1e9,
        .longest = (double)counts->longest * second,
        .turn = counts->turn,
        .queue = counts->queue,
        .wait = counts->wait,
        .round = counts->round,
    };
    memcpy(ret_metrics, &whole, whole.size < sizeof whole ? whole.size : sizeof whole);
    return 0;
}

int weft_task_get_metrics(weft_task *handle, weft_task_metrics *ret_metrics)
{
    int r = -EINVAL;
    struct weft__task *task = NULL;
    struct weft__more *more;
    weft_task_metrics whole;
    double second;
    int64_t now, running;

    if (ret_metrics && ret_metrics->size) {
        task = handle ? weft__task_of(handle, &r) : weft__self(&r);
    }
    if (!task) {
        return r;
    }
    more = task->loop->observer ? task->loop->observer->more : NULL;
    if (!more || !more->timed || !task->note || !task->note->born) {
        return -ENODATA;
    }
    now = weft__ticks_now(&more->ticks);
    second = weft__ticks_rate(&more->ticks) / (double)WEFT__SECOND;
    running = task->note->running + (more->runner == task ? now - more->last : 0);
    whole = (weft_task_metrics){
        .size = ret_metrics->size,
        .turns = task->note->turns,
        .running = (double)running * second,
        .longest = (double)task->note->longest * second,
        .age = (double)(now - task->note->born) * second,
    };
    memcpy(ret_metrics, &whole, whole.size < sizeof whole ? whole.size : sizeof whole);
    return 0;
}
