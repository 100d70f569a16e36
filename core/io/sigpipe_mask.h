/* SPDX-License-Identifier: MIT
 * SIGPIPE held back by the thread's mask: where the signal of a write goes to the thread that wrote
 * (Linux, FreeBSD, OpenBSD).
 *
 * It is blocked, the write is made, and one that has come of it is taken from what is pending,
 * unless one was pending before; then the mask is as it was. */
#ifndef WEFT_CORE_SIGPIPE_MASK_H
#define WEFT_CORE_SIGPIPE_MASK_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct weft__quiet {
    sigset_t pipe, before;
    bool is_pending; /* the program blocks it, and one came of something else: its affair */
};

static inline void weft__hold_back(struct weft__quiet *quiet, int fd)
{
    (void)fd;
    sigemptyset(&quiet->pipe);
    sigaddset(&quiet->pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &quiet->pipe, &quiet->before);
    quiet->is_pending = false;
    if (sigismember(&quiet->before, SIGPIPE) == 1) {
        sigset_t pending;

        quiet->is_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    }
}

#if defined(__OpenBSD__) || defined(WEFT__PORTABLE)
/* There is only sigwait(3), which would wait for one that is not there: where it is ignored. */
static inline void weft__take_signal(const sigset_t *set)
{
    sigset_t pending;
    int signum;

    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
        (void)sigwait(set, &signum);
    }
}
#else
static inline void weft__take_signal(const sigset_t *set)
{
    while (sigtimedwait(set, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR) {}
}
#endif

/* Keeps errno. */
static inline void weft__let_go(struct weft__quiet *quiet, ssize_t result)
{
    int saved = errno;

    if (result < 0 && saved == EPIPE && !quiet->is_pending) {
        weft__take_signal(&quiet->pipe);
    }
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
    errno = saved;
}

#endif
