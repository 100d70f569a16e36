/* SPDX-License-Identifier: MIT
 * A read-write lock: many may read, or one may write.
 *
 *     r = weft_rwlock_acquire_read(&table_lock);
 *     if (r < 0) { return r; }
 *     ... looks things up, and waits in between ...
 *     weft_rwlock_release_read(&table_lock);
 *
 * Readers and writers stand in one line and are served in the order of coming: a reader that comes
 * while a writer waits stands behind it, so neither side starves.  The lock passes from hand to
 * hand, as <weft/lock.h> does, and knows its writer in the same way: one that ends and holds it is
 * reported if somebody waits.  Readers are counted, not known, and one that ends and holds it is
 * always reported.  So a task that reads must not ask for the same lock again: to write it would
 * wait for itself for ever, to read as soon as a writer is in the line.  Release first; nothing
 * turns a reader into a writer.
 *
 * A lock belongs to the loop in which a task first had to wait for it, see <weft/waitq.h>. */
#ifndef WEFT_RWLOCK_H
#define WEFT_RWLOCK_H

#include <weft/inline.h>
#include <weft/waitq.h>

WEFT_BEGIN_DECLS

/** A read-write lock; all members are weft's.  Part of the ABI; to be moved only while it is
 *  free. */
typedef struct weft_rwlock {
    weft_waitq waiters;
    weft_task *writer; /* NULL: nobody writes */
    size_t readers;
    void *reserved[2];
} weft_rwlock;
#define WEFT_RWLOCK_INIT { WEFT_WAITQ_INIT, NULL, 0, { NULL, NULL } }

/** What a read-write lock knows of itself. */
typedef struct weft_rwlock_stats {
    size_t readers;
    weft_task *writer; /* borrowed; NULL: nobody writes */
    size_t waiting;    /* tasks */
    void *reserved[2];
} weft_rwlock_stats;

/** Waits until nobody writes and nobody who came before waits, and reads.
 *
 *  Returns 0; -ECANCELED, and the lock is not taken; -EDEADLK this task writes, -EOWNERDEAD the
 *  writer has ended and did not release it, -EXDEV it belongs to another loop, -EPERM outside a
 *  task, -ECHILD, -EINVAL.  A cancellation point, also where the lock is free; that does not give
 *  way. */
WEFT_API int weft_rwlock_acquire_read(weft_rwlock *lock);

/** Waits until nobody reads or writes and nobody who came before waits, and writes.  A task that
 *  reads waits for itself for ever: it releases first.  Returns as weft_rwlock_acquire_read(). */
WEFT_API int weft_rwlock_acquire_write(weft_rwlock *lock);

/** The same without waiting: -EAGAIN.  Not cancellation points. */
WEFT_API int weft_rwlock_acquire_read_nowait(weft_rwlock *lock);
WEFT_API int weft_rwlock_acquire_write_nowait(weft_rwlock *lock);

/** Ends this task's reading.
 *
 *  Returns 0, -EPERM nobody reads, or this task can be none of the readers; -ECHILD, -EINVAL.  Not
 *  a cancellation point. */
WEFT_API int weft_rwlock_release_read(weft_rwlock *lock);

/** Ends this task's writing.  Returns 0, -EPERM this task does not write, -ECHILD, -EINVAL. */
WEFT_API int weft_rwlock_release_write(weft_rwlock *lock);

/** Goes on reading without letting a writer in between; readers that are next in the line join.
 *  Returns 0, -EPERM this task does not write, -ECHILD, -EINVAL. */
WEFT_API int weft_rwlock_downgrade(weft_rwlock *lock);

/** Tells who writes, how many read and how many wait. */
WEFT_API void weft_rwlock_statistics(const weft_rwlock *lock, weft_rwlock_stats *ret_stats);

/** Says that a lock will not be used any more.
 *
 *  Returns 0, or -EBUSY it is held or waited for: who waits is named in reports, and nothing else
 *  happens; -EINVAL. */
WEFT_API int weft_rwlock_destroy(weft_rwlock *lock);

/* What the macros below are made of. */
static inline weft_rwlock *weft_rwlock_read_enter(weft_rwlock *lock, int *ret_status)
{
    *ret_status = weft_rwlock_acquire_read(lock);
    return *ret_status < 0 ? NULL : lock;
}

static inline void weft_rwlock_read_leave(weft_rwlock **lock)
{
    if (*lock) {
        weft_rwlock_release_read(*lock);
    }
}

static inline weft_rwlock *weft_rwlock_write_enter(weft_rwlock *lock, int *ret_status)
{
    *ret_status = weft_rwlock_acquire_write(lock);
    return *ret_status < 0 ? NULL : lock;
}

static inline void weft_rwlock_write_leave(weft_rwlock **lock)
{
    if (*lock) {
        weft_rwlock_release_write(*lock);
    }
}

WEFT_END_DECLS

/** Read, or write, for the rest of the enclosing block; declares `int r`, as WEFT_LOCK_SCOPE(). */
#define WEFT_READ_SCOPE(lock, r) \
    WEFT__ENTER_SCOPE(weft_rwlock, weft_rwlock_read, lock, r, __COUNTER__)
#define WEFT_WRITE_SCOPE(lock, r) \
    WEFT__ENTER_SCOPE(weft_rwlock, weft_rwlock_write, lock, r, __COUNTER__)

#endif
