/* SPDX-License-Identifier: MIT
 * Read-write locks: one line for both. */
#include "core/sync/lock.h"

#include "core/base/error.h"

#include <weft/rwlock.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_rwlock) == 64, "the public size: a cache line");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_rwlock_stats) == 40, "the public size");

/* A waiter's `value` is &lock->writer, for weft__owner_ended(). */
struct rw_waiter {
    weft_waiter waiter;
    weft_rwlock *lock;
    bool writes;
};

const struct weft__wait weft__wait_read = {
    "read lock", weft__owner_interrupt, weft__owner_awaited,
    { WEFT__SEES_OBJECT_OF(weft_rwlock, waiters), WEFT__SEES_OWNER_OF_IT }
};
const struct weft__wait weft__wait_write = {
    "write lock", weft__owner_interrupt, weft__owner_awaited,
    { WEFT__SEES_OBJECT_OF(weft_rwlock, waiters), WEFT__SEES_OWNER_OF_IT }
};

static void take(weft_rwlock *lock, struct weft__task *task, bool writes)
{
    if (writes) {
        lock->writer = weft__task_handle(task);
    } else {
        lock->readers++;
        task->held++;
    }
}

/* Whether one who is first in the line may have it now. */
static bool is_free_for(const weft_rwlock *lock, bool writes)
{
    return !lock->writer && (!writes || !lock->readers);
}

/* Lets in who is first in the line, and those behind it as long as it goes. */
static void let_in(weft_rwlock *lock)
{
    while (lock->waiters.first) {
        struct rw_waiter *next = (struct rw_waiter *)(void *)lock->waiters.first;
        struct weft__task *task = next->waiter.owner;
        bool writes = next->writes;

        if (!is_free_for(lock, writes)) {
            return;
        }
        take(lock, task, writes);
        weft__waiter_wake(&next->waiter, 0);
        task->wanted += writes ? (uint32_t)lock->waiters.count : 0;
    }
}

/* A writer that gives up may have kept readers waiting. */
static void gave_up(weft_waiter *waiter)
{
    let_in(((struct rw_waiter *)(void *)waiter)->lock);
}

/* 0: it was taken; -EAGAIN: it has to be waited for; or why it cannot. */
static int try(weft_rwlock *lock, struct weft__task *task, bool writes)
{
    int r;

    if (!lock->waiters.first && is_free_for(lock, writes)) {
        take(lock, task, writes);
        return 0;
    }
    if (lock->writer && !weft__owner_of(lock->writer, task, &r)) {
        return r;
    }
    return -EAGAIN;
}

/* Stands in the line. */
static int wait(weft_rwlock *lock, struct weft__task *task, bool writes)
{
    struct rw_waiter waiter = { .lock = lock, .writes = writes };
    int r = weft__waitq_bind(&lock->waiters, task->loop);

    if (r < 0) {
        return r;
    }
    if (lock->writer) {
        weft__owner_of(lock->writer, task, &r)->wanted++;
    }
    waiter.waiter.gave_up = gave_up;
    waiter.waiter.value = &lock->writer;
    return weft__waitq_park(task, &lock->waiters, &waiter.waiter,
                            writes ? &weft__wait_write : &weft__wait_read);
}

static int acquire(weft_rwlock *lock, bool writes)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = try(lock, task, writes);
    if (r == -EAGAIN) {
        return wait(lock, task, writes);
    }
    weft__task_spend_turn(task);
    return r;
}

static int acquire_nowait(weft_rwlock *lock, bool writes)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL;

    return task ? try(lock, task, writes) : weft__misuse(r);
}

int weft_rwlock_acquire_read(weft_rwlock *lock)
{
    return acquire(lock, false);
}

int weft_rwlock_acquire_write(weft_rwlock *lock)
{
    return acquire(lock, true);
}

int weft_rwlock_acquire_read_nowait(weft_rwlock *lock)
{
    return acquire_nowait(lock, false);
}

int weft_rwlock_acquire_write_nowait(weft_rwlock *lock)
{
    return acquire_nowait(lock, true);
}

int weft_rwlock_release_read(weft_rwlock *lock)
{
    int r = -EINVAL;
    struct weft__task *task = lock ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    if (!lock->readers || !task->held) {
        return weft__words(-EPERM, "this task does not read under this lock");
    }
    lock->readers--;
    task->held--;
    let_in(lock);
    return 0;
}

/* The running task, if it writes; NULL and the error. */
static struct weft__task *writer_of(const weft_rwlock *lock, int *ret_error)
{
    struct weft__task *task;

    *ret_error = -EINVAL;
    task = lock ? weft__self(ret_error) : NULL;
    if (task && lock->writer != weft__task_handle(task)) {
        *ret_error = weft__words(-EPERM, "this task does not write under this lock");
        return NULL;
    }
    return task;
}

static void stop_writing(weft_rwlock *lock, struct weft__task *task)
{
    task->wanted -= (uint32_t)lock->waiters.count;
    lock->writer = NULL;
}

int weft_rwlock_release_write(weft_rwlock *lock)
{
    int r;
    struct weft__task *task = writer_of(lock, &r);

    if (!task) {
        return r;
    }
    stop_writing(lock, task);
    let_in(lock);
    return 0;
}

int weft_rwlock_downgrade(weft_rwlock *lock)
{
    int r;
    struct weft__task *task = writer_of(lock, &r);

    if (!task) {
        return r;
    }
    stop_writing(lock, task);
    take(lock, task, false);
    let_in(lock);
    return 0;
}

void weft_rwlock_statistics(const weft_rwlock *lock, weft_rwlock_stats *ret_stats)
{
    *ret_stats = (weft_rwlock_stats){ .readers = lock->readers,
                                      .writer = lock->writer,
                                      .waiting = lock->waiters.count };
}

int weft_rwlock_destroy(weft_rwlock *lock)
{
    int r = lock ? weft__waitq_destroy(&lock->waiters, "a read-write lock") : -EINVAL;

    if (r == 0 && lock->readers) {
        r = weft__words(-EBUSY, "tasks read under this lock");
    } else if (r == 0 && lock->writer && !weft__owner_is_dead(lock->writer)) {
        r = weft__owner_is_busy(lock->writer, "writes under this lock");
    }
    return r;
}
