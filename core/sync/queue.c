/* SPDX-License-Identifier: MIT
 * Queues: put and get. */
#include "core/sync/queue.h"

#include "core/base/error.h"

/* What tools see of a queue. */
#define SEES_QUEUE(line)                                                                   \
    {                                                                                      \
        WEFT__SEES_OBJECT_OF(weft_queue, line),                                            \
        WEFT__SEES_BESIDE(WEFT__SEES_HELD, weft_queue, line, store.count),                 \
        WEFT__SEES_BESIDE(WEFT__SEES_ROOM, weft_queue, line, maxsize)                      \
    }

static const struct weft__wait wait_put = {
    "queue put", weft__waitq_interrupt, NULL, SEES_QUEUE(putters)
};
static const struct weft__wait wait_get = {
    "queue get", weft__waitq_interrupt, NULL, SEES_QUEUE(getters)
};
static const struct weft__wait wait_join = {
    "queue join", weft__waitq_interrupt, NULL, SEES_QUEUE(joiners)
};

WEFT__COLD int weft__queue_bind_slow(weft_queue *queue, struct weft__loop *loop)
{
    weft_loop *bound = queue->getters.loop;
    int r = 0;

    if (bound && (queue->getters.first || queue->putters.first || queue->joiners.first ||
                  (!weft__loop_find(bound, &r) && r == -EXDEV))) {
        return weft__misuse(-EXDEV);
    }
    queue->getters.loop = queue->putters.loop = queue->joiners.loop = weft__loop_handle(loop);
    return 0;
}

/* A loop that stands still may be anybody's; one that is closed has nobody left to be woken. */
WEFT__COLD int weft__queue_check_slow(weft_queue *queue)
{
    int r = 0;

    if (!queue->getters.loop || weft__loop_find(queue->getters.loop, &r)) {
        return weft__running ? weft__queue_bind_slow(queue, weft__running) : 0;
    }
    if (r == -EXDEV || queue->getters.first || queue->putters.first || queue->joiners.first) {
        return weft__misuse(r);
    }
    return 0;
}

/* A NULL, or the calls for the other kind of items. */
static WEFT__COLD int not_that_kind(const weft_queue *queue, bool by_value)
{
    if (!queue || queue->store.by_value == by_value) {
        return -EINVAL;
    }
    return weft__words(-EINVAL, queue->store.by_value ?
                                    "this queue holds values: its calls end in _value" :
                                    "this queue holds pointers: its calls do not end in _value");
}

/* The task that may wait in a queue now; NULL and why not.  One that is cancelled gives way. */
static inline struct weft__task *enter(weft_queue *queue, int *ret_error)
{
    struct weft__task *task = weft__self(ret_error);
    int r = 0;

    if (task) {
        r = weft__queue_bind(queue, task->loop);
        if (r == 0 && task->cancelled) {
            weft__task_yield(task);
            r = -ECANCELED;
        }
    } else {
        weft__misuse(*ret_error);
    }
    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return task;
}

static inline int park(struct weft__task *task, weft_waitq *line, void *value,
                       const struct weft__wait *kind)
{
    weft_waiter waiter;

    waiter.gave_up = NULL;
    waiter.value = value;
    return weft__waitq_park(task, line, &waiter, kind);
}

/* The calls in full.  What is frequent was tried by the callers. */

static WEFT__NOINLINE int put(weft_queue *queue, const void *item)
{
    int r = 0;
    struct weft__task *task = enter(queue, &r);

    if (!task) {
        return r;
    }
    r = weft__queue_try_put(queue, item);
    if (r == -EAGAIN) {
        return park(task, &queue->putters, (void *)(uintptr_t)item, &wait_put);
    }
    weft__task_spend_turn(task);
    return r;
}

static WEFT__NOINLINE int get(weft_queue *queue, void *ret_item)
{
    int r = 0;
    struct weft__task *task = enter(queue, &r);

    if (!task) {
        return r;
    }
    r = weft__queue_try_get(queue, ret_item);
    if (r == -EAGAIN) {
        return park(task, &queue->getters, ret_item, &wait_get);
    }
    weft__task_spend_turn(task);
    return r;
}

/* The loop, where its task may use the queue at once and has turns left; or NULL: then look at it
 * in full. */
static inline struct weft__loop *enter_fast(const weft_queue *queue)
{
    struct weft__loop *loop = weft__running;

    if (loop && loop->handle == (uintptr_t)queue->getters.loop && loop->epoch == *weft__fork_word &&
        loop->current && !loop->current->cancelled && loop->budget > 0) {
        return loop;
    }
    return NULL;
}

/* Gives an item to a task that waits for it, or keeps it: the frequent cases of a put. */
static inline bool put_fast(weft_queue *queue, void *item, struct weft__loop *loop)
{
    struct weft__store *store = &queue->store;
    weft_waiter *getter = queue->getters.first;

    if (getter) {
        if (getter->tell) {
            return false;
        }
        *(void **)getter->value = item;
        weft__waiter_unlink(getter);
        weft__wake_on(loop, getter->owner, 0);
    } else {
        if (queue->put_error || !store->is_plain || store->count >= store->capacity ||
            store->count >= queue->limit) {
            return false;
        }
        ((void **)(void *)store->slots)[(store->head + store->count) & (store->capacity - 1)] =
            item;
        if (++store->count > queue->highest) {
            queue->highest = store->count;
        }
    }
    queue->put++;
    return true;
}

int weft_queue_put(weft_queue *queue, void *item)
{
    struct weft__loop *loop;

    if (!queue || queue->store.by_value) {
        return -EINVAL;
    }
    loop = enter_fast(queue);
    if (loop && put_fast(queue, item, loop)) {
        loop->budget--;
        return 0;
    }
    return put(queue, &item);
}

/* Takes an item that nobody else waits to replace: a frequent case of a get. */
static inline bool get_fast(weft_queue *queue, void **ret_item)
{
    struct weft__store *store = &queue->store;

    if (!store->count || !store->is_plain || queue->putters.first) {
        return false;
    }
    *ret_item = ((void **)(void *)store->slots)[store->head++ & (store->capacity - 1)];
    store->count--;
    weft__store_trim(store);
    return true;
}

int weft_queue_get(weft_queue *queue, void **ret_item)
{
    struct weft__loop *loop;
    struct weft__task *task;
    weft_waiter waiter;

    if (!queue || !ret_item || queue->store.by_value) {
        return -EINVAL;
    }
    loop = enter_fast(queue);
    if (loop && get_fast(queue, ret_item)) {
        loop->budget--;
        return 0;
    }
    if (!loop || weft__queue_can_get(queue)) {
        return get(queue, ret_item);
    }
    task = loop->current;
    waiter.gave_up = NULL; /* the other frequent case: waits, and is not cancelled */
    waiter.value = ret_item;
    waiter.tell = NULL;
    waiter.owner = task;
    weft__waitq_push(&queue->getters, &waiter);
    task->waiting = &wait_get;
    task->target = &waiter;
    task->parked = loop->polled;
    weft__task_leave(task);
    return task->wake;
}

int weft_queue_put_value(weft_queue *queue, const void *value)
{
    return queue && value && queue->store.by_value ? put(queue, value) : not_that_kind(queue, true);
}

int weft_queue_get_value(weft_queue *queue, void *ret_value)
{
    return queue && ret_value && queue->store.by_value ? get(queue, ret_value) :
                                                         not_that_kind(queue, true);
}

static WEFT__INLINE int put_nowait(weft_queue *queue, const void *item)
{
    int r = weft__queue_check(queue);

    return r < 0 ? r : weft__queue_try_put(queue, item);
}

static WEFT__INLINE int get_nowait(weft_queue *queue, void *ret_item)
{
    int r = weft__queue_check(queue);

    return r < 0 ? r : weft__queue_try_get(queue, ret_item);
}

int weft_queue_put_nowait(weft_queue *queue, void *item)
{
    return queue && !queue->store.by_value ? put_nowait(queue, &item) : not_that_kind(queue, false);
}

int weft_queue_get_nowait(weft_queue *queue, void **ret_item)
{
    return queue && ret_item && !queue->store.by_value ? get_nowait(queue, ret_item) :
                                                         not_that_kind(queue, false);
}

int weft_queue_put_value_nowait(weft_queue *queue, const void *value)
{
    return queue && value && queue->store.by_value ? put_nowait(queue, value) :
                                                     not_that_kind(queue, true);
}

int weft_queue_get_value_nowait(weft_queue *queue, void *ret_value)
{
    return queue && ret_value && queue->store.by_value ? get_nowait(queue, ret_value) :
                                                         not_that_kind(queue, true);
}

/* Joining. */

int weft_queue_task_done(weft_queue *queue)
{
    int r = queue ? weft__queue_check(queue) : -EINVAL;

    if (r < 0) {
        return r;
    }
    if (queue->done == queue->put) {
        return weft__words(-EINVAL, "weft_queue_task_done() was called more often than items were "
                                    "put");
    }
    if (++queue->done == queue->put) {
        weft__waitq_wake_all(&queue->joiners, 0);
    }
    return 0;
}

int weft_queue_join(weft_queue *queue)
{
    int r = -EINVAL;
    struct weft__task *task = queue ? enter(queue, &r) : NULL;

    if (!task) {
        return r;
    }
    if (queue->done < queue->put) {
        return park(task, &queue->joiners, NULL, &wait_join);
    }
    weft__task_spend_turn(task);
    return 0;
}

/* The end. */

/* Drops what nobody will get.  Puts fail by now, so an item that was removed stays where it is
 * while it is told. */
static void drop_items(weft_queue *queue)
{
    struct weft__store *store = &queue->store;

    while (store->count) {
        void *slot = weft__store_remove(store);

        queue->dropped++;
        queue->done += queue->done < queue->put;
        if (queue->drop) {
            queue->drop(store->by_value ? slot : *(void **)slot, queue->arg);
        }
    }
}

/* From now on puts fail with `error`, and gets where nothing is left. */
static void end(weft_queue *queue, int error, bool immediate)
{
    if (!queue->put_error) {
        queue->put_error = error;
        queue->get_error = -ESHUTDOWN;
    }
    weft__waitq_wake_all(&queue->putters, queue->put_error);
    /* Of these there are some only where nothing is left. */
    weft__waitq_wake_all(&queue->getters, -ESHUTDOWN);
    if (immediate) {
        drop_items(queue);
        if (queue->done == queue->put) {
            weft__waitq_wake_all(&queue->joiners, 0);
        }
    }
}

int weft_queue_shutdown(weft_queue *queue, bool immediate)
{
    int r = queue ? weft__queue_check(queue) : -EINVAL;

    if (r == 0) {
        end(queue, -ESHUTDOWN, immediate);
    }
    return r;
}

int weft_queue_add_sender(weft_queue *queue)
{
    int r = queue ? weft__queue_check(queue) : -EINVAL;

    r = r < 0 ? r : queue->put_error;
    if (r == 0) {
        queue->senders++;
    }
    return r;
}

int weft_queue_add_receiver(weft_queue *queue)
{
    int r = queue ? weft__queue_check(queue) : -EINVAL;

    r = r < 0 ? r : queue->put_error;
    if (r == 0) {
        queue->receivers++;
    }
    return r;
}

static int64_t remove_one(weft_queue *queue, size_t *count, int error, bool immediate)
{
    int r = weft__queue_check(queue);

    if (r == 0 && *count == 0) {
        r = weft__words(-EINVAL, "more are removed than were added");
    }
    if (r < 0) {
        return r;
    }
    if (--*count == 0) {
        end(queue, error, immediate);
        return 0;
    }
    return (int64_t)*count;
}

int64_t weft_queue_remove_sender(weft_queue *queue)
{
    return queue ? remove_one(queue, &queue->senders, -ESHUTDOWN, false) : -EINVAL;
}

int64_t weft_queue_remove_receiver(weft_queue *queue)
{
    return queue ? remove_one(queue, &queue->receivers, -EPIPE, true) : -EINVAL;
}
