/* SPDX-License-Identifier: MIT
 * The queue between threads: a ring under a lock, and those who wait on either side.
 *
 * Who sleeps is woken to look again; nothing is handed over on the way, so nothing can be lost
 * there.  A put or get wakes one sleeper, and one that has had its turn wakes the next if there is
 * still something for it. */
#include "core/base/mem.h"
#include "core/sched/misuse.h"
#include "core/thread/sleeper.h"

#include <math.h>
#include <string.h>
#include <weft/thread_queue.h>

/* A cell of the process; all but the first line and `room` is under the lock. */
struct weft__thread_queue {
    uintptr_t handle;
    uint32_t epoch; /* weft__fork_epoch() when it was made */
    size_t room;    /* items that fit, */
    size_t mask;    /* and the ring's size, a power of two, less one */
    void **ring;
    weft_callback *drop; /* for what is left; or NULL */
    _Alignas(64) pthread_mutex_t lock;
    size_t first, count; /* of the items, in the ring */
    uint32_t holds;      /* users' */
    uint32_t pins;       /* calls that sleep: the memory stays */
    bool shut;
    struct weft__list getters, putters; /* who waits */
};

static struct weft__shared cells = WEFT__SHARED_INIT(sizeof(struct weft__thread_queue));

static struct weft__thread_queue *queue_of(weft_thread_queue *handle, int *ret_error)
{
    struct weft__thread_queue *queue = weft__cell_of(handle, ret_error);

    if (queue && queue->epoch != *weft__fork_word) {
        *ret_error = -ECHILD;
        return NULL;
    }
    return queue;
}

static int init(struct weft__thread_queue *queue, size_t room)
{
    size_t size = 8;
    int r = weft__fork_epoch(&queue->epoch);

    while (size < room) {
        size *= 2;
    }
    queue->ring = r < 0 ? NULL : weft__alloc(NULL, size * sizeof *queue->ring);
    if (!queue->ring) {
        return r < 0 ? r : -ENOMEM;
    }
    r = weft__fault();
    r = r < 0 ? r : -pthread_mutex_init(&queue->lock, NULL);
    if (r < 0) {
        weft__free(queue->ring);
        return r;
    }
    queue->room = room;
    queue->mask = size - 1;
    queue->first = queue->count = 0;
    queue->holds = 1;
    queue->pins = 0;
    queue->shut = false;
    weft__list_init(&queue->getters);
    weft__list_init(&queue->putters);
    return 0;
}

int weft_thread_queue_new(size_t maxsize, weft_callback *drop, weft_thread_queue **ret_queue)
{
    struct weft__thread_queue *queue;
    int r;

    if (!ret_queue || maxsize < 1 || maxsize > SIZE_MAX / 4 / sizeof(void *)) {
        return -EINVAL;
    }
    queue = weft__shared_take(&cells);
    r = queue ? init(queue, maxsize) : -ENOMEM;
    if (r < 0) {
        if (queue) {
            weft__shared_give(&cells, queue);
        }
        return r;
    }
    queue->drop = drop;
    *ret_queue = (weft_thread_queue *)queue->handle;
    return 0;
}

/* ---- the ring, with the lock held ---- */

/* Copies up to `n` items in; returns how many. */
static size_t move_in(struct weft__thread_queue *queue, void *const *items, size_t n)
{
    size_t room = queue->room - queue->count, size = queue->mask + 1, at, before_end;

    n = n < room ? n : room;
    at = (queue->first + queue->count) & queue->mask;
    before_end = n < size - at ? n : size - at;
    memcpy(queue->ring + at, items, before_end * sizeof *items);
    memcpy(queue->ring, items + before_end, (n - before_end) * sizeof *items);
    queue->count += n;
    return n;
}

/* Copies up to `n` items out; returns how many. */
static size_t move_out(struct weft__thread_queue *queue, void **ret_items, size_t n)
{
    size_t size = queue->mask + 1, before_end;

    n = n < queue->count ? n : queue->count;
    before_end = n < size - queue->first ? n : size - queue->first;
    memcpy(ret_items, queue->ring + queue->first, before_end * sizeof *ret_items);
    memcpy(ret_items + before_end, queue->ring, (n - before_end) * sizeof *ret_items);
    queue->first = (queue->first + n) & queue->mask;
    queue->count -= n;
    return n;
}

/* ---- whose turn it is ---- */

/* Wakes one of either side that has something to do, if it waits; with the lock held, which is free
 * after this. */
static void wake_and_unlock(struct weft__thread_queue *queue)
{
    struct weft__list called;

    weft__list_init(&called);
    if (queue->count > 0 || queue->shut) {
        weft__sleeper_call(&queue->getters, &called);
    }
    if (queue->count < queue->room || queue->shut) {
        weft__sleeper_call(&queue->putters, &called);
    }
    pthread_mutex_unlock(&queue->lock);
    weft__sleepers_post(&called);
}

/* A sleeper that was called is in a loop that was closed: somebody else's turn. */
static void lost(void *of)
{
    struct weft__thread_queue *queue = of;

    pthread_mutex_lock(&queue->lock);
    wake_and_unlock(queue);
}

/* What a put and a get have in common: tries, and sleeps while it cannot. */
struct operation {
    struct weft__thread_queue *queue;
    struct weft__list *sleepers; /* where it would wait */
    double timeout;
    void *const *from; /* a put's */
    void **to;         /* a get's */
    size_t n, done;    /* items wanted, and moved */
};

/* Moves what can be moved; whether that is enough.  *ret_error: it never will be. */
static bool try(struct operation *op, int *ret_error)
{
    struct weft__thread_queue *queue = op->queue;

    if (queue->shut && (op->from || queue->count == 0)) {
        *ret_error = -ESHUTDOWN;
        return true;
    }
    if (op->from) {
        op->done += move_in(queue, op->from + op->done, op->n - op->done);
        return op->done == op->n;
    }
    op->done = move_out(queue, op->to, op->n);
    return op->done > 0;
}

/* Goes on with one that could not be done at once; with the lock held, which is free after this. */
static int sleep_until_done(struct operation *op, struct weft__sleeper *sleeper)
{
    struct weft__thread_queue *queue = op->queue;
    size_t told = 0; /* items of a put of which somebody who gets was told */
    int r = 0;

    sleeper->lost = lost;
    sleeper->of = queue;
    queue->pins++;
    do {
        if (op->done > told) { /* which makes room, perhaps at once; whoever came to wait
                                * meanwhile has to be told of the next part, too */
            told = op->done;
            wake_and_unlock(queue);
            pthread_mutex_lock(&queue->lock);
        } else {
            r = weft__sleeper_sleep(sleeper, op->sleepers, &queue->lock);
        }
    } while (r == 0 && !try(op, &r));
    queue->pins--;
    return r;
}

/* Frees a queue that nobody uses; with the lock held, which is free after this. */
static void release(struct weft__thread_queue *queue)
{
    void *item;

    if (queue->holds > 0 || queue->pins > 0) {
        wake_and_unlock(queue);
        return;
    }
    pthread_mutex_unlock(&queue->lock);
    while (move_out(queue, &item, 1) && queue->drop) {
        queue->drop(item);
    }
    weft__free(queue->ring);
    pthread_mutex_destroy(&queue->lock);
    weft__shared_give(&cells, queue);
}

/* Does it, and waits where it must; how many items were moved, or why none was. */
static int64_t operate(struct operation *op)
{
    struct weft__sleeper sleeper;
    struct weft__thread_queue *queue = op->queue;
    int r = isnan(op->timeout) ? -EINVAL : weft__sleeper_init(&sleeper, op->timeout);

    if (r < 0) {
        return r;
    }
    if (weft__sleeper_cancelled(&sleeper)) {
        return -ECANCELED;
    }
    pthread_mutex_lock(&queue->lock);
    if (!try(op, &r)) {
        r = op->timeout > 0 ? sleep_until_done(op, &sleeper) : -ETIMEDOUT;
    }
    release(queue);
    weft__sleeper_fini(&sleeper);
    if (sleeper.task && op->done > 0) {
        weft__task_spend_turn(sleeper.task);
    }
    return op->done > 0 ? (int64_t)op->done : r;
}

/* The forms that do not wait. */
static int64_t operate_at_once(struct operation *op)
{
    int r = 0;

    pthread_mutex_lock(&op->queue->lock);
    if (!try(op, &r)) {
        r = -EAGAIN;
    }
    release(op->queue);
    return op->done > 0 ? (int64_t)op->done : r;
}

static struct operation put(struct weft__thread_queue *queue, void *const *items, size_t n,
                            double timeout)
{
    return (struct operation){
        .queue = queue, .sleepers = &queue->putters, .timeout = timeout, .from = items, .n = n
    };
}

static struct operation get(struct weft__thread_queue *queue, void **to, size_t n, double timeout)
{
    return (struct operation){
        .queue = queue, .sleepers = &queue->getters, .timeout = timeout, .to = to, .n = n
    };
}

/* ---- the calls ---- */

int64_t weft_thread_queue_put_many(weft_thread_queue *handle, void *const *items, size_t n,
                                   double timeout)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);
    struct operation op;

    if (!queue || !items || n == 0) {
        return queue ? (n == 0 ? 0 : -EINVAL) : r;
    }
    op = put(queue, items, n, timeout);
    return operate(&op);
}

int64_t weft_thread_queue_get_many(weft_thread_queue *handle, void **ret_items, size_t max,
                                   double timeout)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);
    struct operation op;

    if (!queue || !ret_items || max == 0) {
        return queue ? (max == 0 ? 0 : -EINVAL) : r;
    }
    op = get(queue, ret_items, max, timeout);
    return operate(&op);
}

int weft_thread_queue_put(weft_thread_queue *queue, void *item, double timeout)
{
    int64_t n = weft_thread_queue_put_many(queue, &item, 1, timeout);

    return n < 0 ? (int)n : 0;
}

int weft_thread_queue_get(weft_thread_queue *queue, double timeout, void **ret_item)
{
    int64_t n = weft_thread_queue_get_many(queue, ret_item, 1, timeout);

    return n < 0 ? (int)n : 0;
}

int weft_thread_queue_put_nowait(weft_thread_queue *handle, void *item)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);
    struct operation op;
    int64_t n;

    if (!queue) {
        return r;
    }
    op = put(queue, &item, 1, 0);
    n = operate_at_once(&op);
    return n < 0 ? (int)n : 0;
}

int weft_thread_queue_get_nowait(weft_thread_queue *handle, void **ret_item)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);
    struct operation op;
    int64_t n;

    if (!queue || !ret_item) {
        return queue ? -EINVAL : r;
    }
    op = get(queue, ret_item, 1, 0);
    n = operate_at_once(&op);
    return n < 0 ? (int)n : 0;
}

/* Takes all items out and drops them, without the lock. */
static void drop_all(struct weft__thread_queue *queue)
{
    void *items[64];
    size_t n;

    do {
        pthread_mutex_lock(&queue->lock);
        n = move_out(queue, items, WEFT__COUNT(items));
        pthread_mutex_unlock(&queue->lock);
        for (size_t i = 0; i < n && queue->drop; i++) {
            queue->drop(items[i]);
        }
    } while (n > 0);
}

int weft_thread_queue_shutdown(weft_thread_queue *handle, bool immediate)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);

    if (!queue) {
        return r;
    }
    pthread_mutex_lock(&queue->lock);
    queue->shut = true;
    queue->pins++;
    if (immediate) {
        pthread_mutex_unlock(&queue->lock);
        drop_all(queue);
        pthread_mutex_lock(&queue->lock);
    }
    queue->pins--;
    release(queue); /* wakes one on each side, who wakes the next */
    return 0;
}

int64_t weft_thread_queue_qsize(weft_thread_queue *handle)
{
    int r = 0;
    struct weft__thread_queue *queue = queue_of(handle, &r);
    size_t count;

    if (!queue) {
        return r;
    }
    pthread_mutex_lock(&queue->lock);
    count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return (int64_t)count;
}

weft_thread_queue *weft_thread_queue_ref(weft_thread_queue *handle)
{
    int r;
    struct weft__thread_queue *queue = queue_of(handle, &r);

    if (queue) {
        pthread_mutex_lock(&queue->lock);
        queue->holds++;
        pthread_mutex_unlock(&queue->lock);
    }
    return handle;
}

weft_thread_queue *weft_thread_queue_free(weft_thread_queue *handle)
{
    int r;
    struct weft__thread_queue *queue = queue_of(handle, &r);

    if (queue) {
        pthread_mutex_lock(&queue->lock);
        if (--queue->holds == 0) {
            queue->shut = true; /* who still waits in it shall not for ever */
            weft__cell_renew(queue);
        }
        release(queue);
    }
    return NULL;
}
