/* SPDX-License-Identifier: MIT
 * What threads share: pools of the whole process, locks that a child finds open, and the CPUs. */
#ifndef WEFT_CORE_SHARED_H
#define WEFT_CORE_SHARED_H

#include "core/base/pool.h"
#include "core/base/wait.h"

#include <pthread.h>

/* A pool behind a lock, for objects that belong to no loop.  A child of fork(2) finds the lock open
 * whatever the parent's other threads were doing.  Its chunks stay: a handle may be looked at for
 * ever. */
struct weft__shared {
    pthread_mutex_t lock;
    struct weft__pool pool;
    size_t cell_size;          /* bytes, a multiple of 64 */
    struct weft__shared *next; /* in the process's list */
    _Atomic bool listed;       /* it is in that list */
};

#define WEFT__SHARED_INIT(bytes)                                               \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .cell_size = ((bytes) + 63u) & ~63u \
    }

/* Takes a cell, not zeroed but for its handle; NULL when there is no memory. */
void *weft__shared_take(struct weft__shared *shared);

/* Gives a cell back: its handle is stale from here on. */
void weft__shared_give(struct weft__shared *shared, void *cell);

/* Frees the chunks of pools that have no cell taken: only for a test that counts bytes and keeps no
 * handle. */
void weft__shared_clear(void);

/* Has a lock open in a child of fork(2), whatever other threads of the parent were doing: for
 * static ones whose data is whole at any moment.  Called before main(), by WEFT__OPENS_IN_CHILD. */
void weft__fork_opens(pthread_mutex_t *lock);
#define WEFT__OPENS_IN_CHILD(lock)                              \
    __attribute__((constructor)) static void open_in_child(void) \
    {                                                           \
        weft__fork_opens(&(lock));                              \
    }

/* The CPUs that the process may use, at least 1. */
unsigned weft__cpus(void);

/* Begins to watch for fork(2): 0, or a negative errno.  Once for a process. */
int weft__fork_watch(void);

#endif
