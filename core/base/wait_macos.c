/* SPDX-License-Identifier: MIT
 * Waiting with a limit on macOS (base/wait.h), whose calls take how long and not until when. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/wait.h"

#include <errno.h>
#include <mach/mach.h>
#include <time.h>
#include <unistd.h>

#define LONGEST (3600 * WEFT__SECOND) /* then whoever waits has a look */

int weft__cond_init(pthread_cond_t *cond)
{
    int r = weft__fault();

    return r < 0 ? r : -pthread_cond_init(cond, NULL);
}

int weft__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline)
{
    struct timespec length;
    int64_t left;
    int r;

    if (deadline >= WEFT__NEVER - 1) {
        return -pthread_cond_wait(cond, lock);
    }
    left = deadline - weft__clock_now();
    if (left <= 0) {
        return -ETIMEDOUT;
    }
    left = left < LONGEST ? left : LONGEST;
    length.tv_sec = (time_t)(left / WEFT__SECOND);
    length.tv_nsec = (long)(left % WEFT__SECOND);
    r = -pthread_cond_timedwait_relative_np(cond, lock, &length);
    return r == -ETIMEDOUT && weft__clock_now() < deadline ? 0 : r;
}

int weft__sem_init(struct weft__sem *sem)
{
    semaphore_t port;

    if (semaphore_create(mach_task_self(), &port, SYNC_POLICY_FIFO, 0) != KERN_SUCCESS) {
        return -ENOMEM;
    }
    *sem = (struct weft__sem){ .port = port, .owner = getpid() };
    return 0;
}

/* In a child the number may be another semaphore's. */
void weft__sem_fini(struct weft__sem *sem)
{
    if (sem->owner == getpid()) {
        (void)semaphore_destroy(mach_task_self(), sem->port);
    }
}

/* A trap into the kernel and no more. */
void weft__sem_post(struct weft__sem *sem)
{
    (void)semaphore_signal(sem->port);
}

int weft__sem_wait(struct weft__sem *sem, int64_t deadline)
{
    int64_t left = deadline - weft__clock_now();

    if (deadline < WEFT__NEVER && left <= 0) {
        return -ETIMEDOUT;
    }
    left = left < LONGEST ? left : LONGEST;
    (void)semaphore_timedwait(sem->port,
                              (mach_timespec_t){ .tv_sec = (unsigned)(left / WEFT__SECOND),
                                                 .tv_nsec = (int)(left % WEFT__SECOND) });
    return 0;
}
