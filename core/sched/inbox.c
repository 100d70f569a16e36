/* SPDX-License-Identifier: MIT
 * The one door for other threads: weft_loop_call_soon_threadsafe().
 *
 * Posts are queued under a lock; the first one since the loop has last looked wakes its backend.
 * The wake is a system call and happens outside of the lock: on one processor the loop would run
 * into it at once. */
#include "core/base/mem.h"
#include "core/sched/handle.h"
#include "core/sched/signal.h"

#include <sched.h>

/* The loop's handle becomes another one, with an odd tag: or with an even one when it closes. */
static void turn_handle(struct weft__loop *loop)
{
    pthread_mutex_lock(&loop->inbox.lock);
    __atomic_store_n(&loop->handle, weft__tag_next(loop->handle, WEFT__CELL_LOW), __ATOMIC_RELAXED);
    pthread_mutex_unlock(&loop->inbox.lock);
}

void weft__inbox_open(struct weft__loop *loop)
{
    struct weft__inbox *inbox = &loop->inbox;

    atomic_store(&inbox->epoch, loop->epoch);
    inbox->first = inbox->last = NULL;
    weft__pool_init(&inbox->pool, sizeof(struct weft__handle));
    turn_handle(loop);
}

void weft__inbox_close(struct weft__loop *loop)
{
    struct weft__inbox *inbox = &loop->inbox;

    turn_handle(loop);
    while (atomic_load(&inbox->posters) > 0) {
        sched_yield();
    }
    weft__inbox_take(loop);
}

void weft__inbox_take(struct weft__loop *loop)
{
    struct weft__inbox *inbox = &loop->inbox;
    struct weft__item *item, *next;

    if (!atomic_load_explicit(&inbox->posted, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&inbox->lock);
    atomic_store(&inbox->posted, false);
    item = inbox->first;
    inbox->first = inbox->last = NULL;
    pthread_mutex_unlock(&inbox->lock);
    for (; item; item = next) {
        next = item->next;
        weft__ready(loop, item);
    }
    weft__signals_take(loop);
}

void weft__inbox_give(struct weft__loop *loop, void *cell)
{
    pthread_mutex_lock(&loop->inbox.lock);
    weft__pool_give(&loop->inbox.pool, cell);
    pthread_mutex_unlock(&loop->inbox.lock);
}

/* Queues a handle; under the lock.  The public handle is stored here: once the lock is free the
 * callback may run, and end, at any time. */
static int post(struct weft__loop *loop, weft_callback *callback, void *arg,
                struct weft__carried *carried, weft_handle **ret_handle)
{
    struct weft__inbox *inbox = &loop->inbox;
    struct weft__handle *handle = weft__pool_take(&inbox->pool);

    if (!handle) {
        return -ENOMEM;
    }
    handle->item = (struct weft__item){ .kind = WEFT__ITEM_HANDLE,
                                        .refs = ret_handle ? 2 : 1,
                                        .flags = WEFT__HANDLE_REMOTE |
                                                 (ret_handle ? WEFT__HANDLE_HELD : 0) };
    handle->callback = callback;
    handle->arg = arg;
    handle->loop = loop;
    weft__handle_load(handle, carried);
    if (inbox->first) {
        inbox->last->next = &handle->item;
    } else {
        inbox->first = &handle->item;
    }
    inbox->last = &handle->item;
    if (ret_handle) {
        *ret_handle = (weft_handle *)handle->handle;
    }
    atomic_fetch_add(&inbox->posters, 1);
    return 0;
}

int weft_loop_call_soon_threadsafe(weft_loop *loop_handle, weft_callback *callback, void *arg,
                                   weft_handle **ret_handle)
{
    struct weft__loop *loop;
    struct weft__carried *carried;
    int r;

    if (!callback) {
        return -EINVAL;
    }
    loop_handle = loop_handle ? loop_handle : weft_get_running_loop();
    if (weft__tag_error(loop_handle) < 0) {
        return loop_handle ? -EBADF : -EPERM;
    }
    loop = weft__tag_address((uintptr_t)loop_handle, WEFT__CELL_LOW);
    if (!loop->inbox.lock_made) {
        return -EBADF;
    }
    if (atomic_load_explicit(&loop->inbox.epoch, memory_order_relaxed) != *weft__fork_word) {
        return -ECHILD; /* the lock may have been held when the process forked */
    }
    r = weft__carried_new(&carried); /* outside of the lock: it is this thread's context */
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&loop->inbox.lock);
    r = loop->handle != (uintptr_t)loop_handle ? -EBADF :
                                                 post(loop, callback, arg, carried, ret_handle);
    pthread_mutex_unlock(&loop->inbox.lock);
    if (r < 0) {
        weft__carried_free(carried);
        return r;
    }
    if (!atomic_exchange(&loop->inbox.posted, true)) {
        (void)loop->ops->wake(loop->be); /* cannot fail; and the post stands */
    }
    atomic_fetch_sub(&loop->inbox.posters, 1);
    return 0;
}
