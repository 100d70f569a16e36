/* SPDX-License-Identifier: MIT
 * A timer for deadlines that are too near for a library that counts milliseconds: a descriptor,
 * to be watched by the library like any other. */
#ifndef WEFT_BACKENDS_FINE_H
#define WEFT_BACKENDS_FINE_H

#include <weft/backend.h>

#include <errno.h>

#if defined(__linux__)
#include <sys/timerfd.h>
#include <unistd.h>
#endif

/* Whether a deadline needs it.  The core rounds those up to milliseconds that need not be kept
 * better than the library keeps them. */
static inline bool fine_needed(int64_t deadline, int64_t now)
{
    return deadline % 1000000 != 0 && deadline - now < 2000000;
}

#if defined(__linux__)

/* Returns a descriptor, or a negative errno. */
static inline int fine_open(const weft_backend_core *core)
{
    int r = core->fault();
    if (r < 0) {
        return r;
    }
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* Makes it readable at `deadline`, > 0, and not before; 0: not at all. */
static inline int fine_arm(int fd, int64_t deadline)
{
    struct itimerspec when = {
        .it_value.tv_sec = (time_t)(deadline / 1000000000),
        .it_value.tv_nsec = (long)(deadline % 1000000000),
    };
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

/* It was readable, and is so no more. */
static inline void fine_spend(int fd)
{
    uint64_t times;
    (void)!read(fd, &times, sizeof(times));
}

static inline void fine_close(int fd)
{
    close(fd);
}

#else

static inline int fine_open(const weft_backend_core *core)
{
    (void)core;
    return -EOPNOTSUPP;
}

static inline int fine_arm(int fd, int64_t deadline)
{
    (void)fd, (void)deadline;
    return -EOPNOTSUPP;
}

static inline void fine_spend(int fd)
{
    (void)fd;
}

static inline void fine_close(int fd)
{
    (void)fd;
}

#endif

#endif
