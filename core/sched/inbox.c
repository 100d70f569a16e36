/* SPDX-License-Identifier: MIT
 * The door for other threads: weft_loop_call_soon_threadsafe().  Signal handlers have another one,
 * sched/post.h; the loop looks behind both here.
 *
 * Posts are queued under a lock; the first one since the loop has last looked wakes its backend.
 * The wake is a system call and happens outside of the lock: on one processor the loop would run
 * into it at once. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/handle.h"
#include "core/sched/signal.h"
#include "core/sched/post.h"

#include <sched.h>

/* The loop's handle becomes another one, with an odd tag: or with an even one when it closes. */
static void turn_handle(struct weft__loop *loop)
{
    pthread_mutex_lock(&loop->inbox.lock);
    /* In one order with what posters do to `posters` before they read it. */
    __atomic_store_n(&loop->handle, weft__tag_next(loop->handle, WEFT__CELL_LOW), __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&loop->inbox.lock);
}

void weft__inbox_open(struct weft__loop *loop)
{
    struct weft__inbox *inbox = &loop->inbox;

    atomic_store(&inbox->epoch, loop->epoch);
    inbox->first = inbox->last = NULL;
    inbox->posts = NULL;
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
    weft__posts_take(loop);
}

void weft__inbox_give(struct weft__loop *loop, void *cell)
{
    pthread_mutex_lock(&loop->inbox.lock);
    weft__pool_give(&loop->inbox.pool, cell);
    pthread_mutex_unlock(&loop->inbox.lock);
}

bool weft__inbox_wait(struct weft__loop *loop, int64_t deadline)
{
    struct weft__inbox *inbox = &loop->inbox;
    int r = 0;

    if (deadline < WEFT__NEVER) {
        deadline = weft__time_after(weft__clock_now(), deadline - weft__loop_now(loop));
    }
    while (!atomic_load(&inbox->posted) && r == 0) {
        r = weft__sem_wait(&inbox->arrived, deadline);
    }
    return atomic_load(&inbox->posted);
}

/* Locks the inbox of a loop that is open. */
static int enter(weft_loop *handle, struct weft__loop **ret_loop)
{
    struct weft__loop *loop = weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);

    if (!loop->inbox.lock_made) {
        return -EBADF;
    }
    if (atomic_load_explicit(&loop->inbox.epoch, memory_order_relaxed) != *weft__fork_word) {
        return -ECHILD; /* the lock may have been held when the process forked */
    }
    pthread_mutex_lock(&loop->inbox.lock);
    if (loop->handle != (uintptr_t)handle) {
        pthread_mutex_unlock(&loop->inbox.lock);
        return -EBADF;
    }
    *ret_loop = loop;
    return 0;
}

/* Queues a handle and unlocks; from here on the callback may run, and end, at any time. */
static void post(struct weft__loop *loop, struct weft__handle *handle)
{
    struct weft__inbox *inbox = &loop->inbox;

    if (inbox->first) {
        inbox->last->next = &handle->item;
    } else {
        inbox->first = &handle->item;
    }
    inbox->last = &handle->item;
    atomic_fetch_add(&inbox->posters, 1);
    pthread_mutex_unlock(&inbox->lock);
    weft__inbox_wake(loop);
    atomic_fetch_sub(&inbox->posters, 1);
}

int weft__inbox_post(weft_loop *loop_handle, struct weft__handle *handle)
{
    struct weft__loop *loop;
    int r = enter(loop_handle, &loop);

    if (r < 0) {
        return r;
    }
    handle->item = (struct weft__item){ .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_POST };
    post(loop, handle);
    return 0;
}

int weft_loop_call_soon_threadsafe(weft_loop *loop_handle, weft_callback *callback, void *arg,
                                   weft_handle **ret_handle)
{
    struct weft__loop *loop;
    struct weft__carried *carried;
    struct weft__handle *handle;
    int r;

    if (!callback) {
        return -EINVAL;
    }
    loop_handle = loop_handle ? loop_handle : weft_get_running_loop();
    if (weft__tag_error(loop_handle) < 0) {
        return loop_handle ? -EBADF : -EPERM;
    }
    r = weft__carried_new(&carried); /* outside of the lock: it is this thread's context */
    if (r < 0) {
        return r;
    }
    r = enter(loop_handle, &loop);
    if (r < 0) {
        weft__carried_free(carried);
        return r;
    }
    handle = weft__pool_take(&loop->inbox.pool);
    if (!handle) {
        pthread_mutex_unlock(&loop->inbox.lock);
        weft__carried_free(carried);
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
    if (ret_handle) {
        *ret_handle = (weft_handle *)handle->handle;
    }
    post(loop, handle);
    return 0;
}
