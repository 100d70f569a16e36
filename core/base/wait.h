/* SPDX-License-Identifier: MIT
 * Waiting with a limit on the clock of weft: condition variables, and semaphores, which signal
 * handlers may post.  wait.c has POSIX's, wait_macos.c what macOS has instead. */
#ifndef WEFT_CORE_WAIT_H
#define WEFT_CORE_WAIT_H

#include "core/base/base.h"

#include <pthread.h>

#ifdef __APPLE__
/* Of Mach: POSIX's without a name are not there. */
struct weft__sem {
    unsigned port;
    int owner; /* the process; a child of fork(2) has not inherited it */
};
#else
#include <semaphore.h>

struct weft__sem {
    sem_t sem;
};
#endif

/* A condition variable on CLOCK_MONOTONIC.  0, or a negative errno. */
int weft__cond_init(pthread_cond_t *cond);

/* Waits for a signal, or something that looks like one, until `deadline` (ns of weft__clock_now();
 * WEFT__NEVER for none): 0 or -ETIMEDOUT. */
int weft__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline);

/* A semaphore at 0.  0, or a negative errno.  Again for one that a child of fork(2) has found. */
int weft__sem_init(struct weft__sem *sem);
void weft__sem_fini(struct weft__sem *sem);

/* Async-signal-safe. */
void weft__sem_post(struct weft__sem *sem);

/* As weft__cond_wait(); comes back now and then in between, so whoever waits looks again. */
int weft__sem_wait(struct weft__sem *sem, int64_t deadline);

#endif
