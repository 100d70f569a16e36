/* SPDX-License-Identifier: MIT
 * Waiting with a limit, where POSIX has all that it takes (base/wait.h). */
#include "core/base/wait.h"

#ifndef __APPLE__
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <time.h>

int weft__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int r = weft__fault();

    r = r < 0 ? r : -pthread_condattr_init(&attributes);
    if (r < 0) {
        return r;
    }
    r = -pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    r = r < 0 ? r : -pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return r;
}

int weft__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline)
{
    struct timespec when = {
        .tv_sec = (time_t)(deadline / WEFT__SECOND),
        .tv_nsec = (long)(deadline % WEFT__SECOND),
    };

    if (deadline >= WEFT__NEVER - 1) {
        return -pthread_cond_wait(cond, lock);
    }
    return -pthread_cond_timedwait(cond, lock, &when);
}

int weft__sem_init(struct weft__sem *sem)
{
    return sem_init(&sem->sem, 0, 0) < 0 ? -errno : 0;
}

void weft__sem_fini(struct weft__sem *sem)
{
    (void)sem_destroy(&sem->sem);
}

void weft__sem_post(struct weft__sem *sem)
{
    (void)sem_post(&sem->sem);
}

int weft__sem_wait(struct weft__sem *sem, int64_t deadline)
{
    int64_t left = deadline - weft__clock_now();
    struct timespec until;

    if (deadline < WEFT__NEVER && left <= 0) {
        return -ETIMEDOUT;
    }
    /* This call knows the other clock only, which may be set: so it is asked again and again. */
    left = left < WEFT__SECOND / 10 ? left : WEFT__SECOND / 10;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec + left) / WEFT__SECOND;
    until.tv_nsec = (until.tv_nsec + left) % WEFT__SECOND;
    (void)sem_timedwait(&sem->sem, &until);
    return 0;
}
#endif
