/* SPDX-License-Identifier: MIT
 * What threads share: pools of the whole process, locks that a child finds open, and the CPUs. */
#include "core/base/shared.h"

#include "core/base/mem.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* Every pool that was ever used, so that fork(2) finds all locks. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weft__shared *list;
static bool watched; /* the fork handlers are there */

static void before_fork(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct weft__shared *shared = list; shared; shared = shared->next) {
        pthread_mutex_lock(&shared->lock);
    }
}

static void after_fork(void)
{
    for (struct weft__shared *shared = list; shared; shared = shared->next) {
        pthread_mutex_unlock(&shared->lock);
    }
    pthread_mutex_unlock(&list_lock);
}

/* Before its lock is ever taken: the list's lock comes first. */
WEFT__COLD static void add_to_list(struct weft__shared *shared)
{
    pthread_mutex_lock(&list_lock);
    if (!watched) {
        /* Without memory for it a fork at a bad moment may meet a lock that is held. */
        watched = pthread_atfork(before_fork, after_fork, after_fork) == 0;
    }
    if (!atomic_load(&shared->listed)) {
        weft__pool_init(&shared->pool, shared->cell_size);
        shared->next = list;
        list = shared;
        atomic_store(&shared->listed, true);
    }
    pthread_mutex_unlock(&list_lock);
}

/* ---- locks that a child finds open ---- */

enum { LOCKS = 16 };
static pthread_mutex_t *locks[LOCKS];
static unsigned lock_count;

void weft__fork_opens(pthread_mutex_t *lock)
{
    WEFT_ASSERT(lock_count < LOCKS);
    locks[lock_count++] = lock;
}

/* In the child, which has one thread. */
static void open_locks(void)
{
    for (unsigned i = 0; i < lock_count; i++) {
        pthread_mutex_init(locks[i], NULL);
    }
}

int weft__fork_watch(void)
{
    return -pthread_atfork(NULL, NULL, open_locks);
}

/* ---- pools ---- */

void *weft__shared_take(struct weft__shared *shared)
{
    void *cell;

    if (!atomic_load_explicit(&shared->listed, memory_order_acquire)) {
        add_to_list(shared);
    }
    pthread_mutex_lock(&shared->lock);
    cell = weft__pool_take(&shared->pool);
    pthread_mutex_unlock(&shared->lock);
    return cell;
}

void weft__shared_give(struct weft__shared *shared, void *cell)
{
    pthread_mutex_lock(&shared->lock);
    weft__pool_give(&shared->pool, cell);
    pthread_mutex_unlock(&shared->lock);
}

void weft__shared_clear(void)
{
    before_fork();
    for (struct weft__shared *shared = list; shared; shared = shared->next) {
        if (shared->pool.live == 0) {
            weft__pool_fini(&shared->pool);
            weft__pool_init(&shared->pool, shared->cell_size);
        }
    }
    after_fork();
}

unsigned weft__cpus(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        cpus = CPU_COUNT(&set);
    }
#endif
    return cpus < 1 ? 1 : (unsigned)cpus;
}
