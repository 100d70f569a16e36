/* SPDX-License-Identifier: MIT
 * SIGPIPE held back by the open file's own flag: where the signal of a write goes to the process,
 * and any thread may get it (macOS, NetBSD). */
#ifndef WEFT_CORE_SIGPIPE_FLAG_H
#define WEFT_CORE_SIGPIPE_FLAG_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

struct weft__quiet {
    int fd;
    bool is_changed; /* others who have the file open want it as it was */
};

static inline void weft__hold_back(struct weft__quiet *quiet, int fd)
{
    quiet->fd = fd;
    quiet->is_changed = fcntl(fd, F_GETNOSIGPIPE) == 0 && fcntl(fd, F_SETNOSIGPIPE, 1) >= 0;
}

/* Keeps errno. */
static inline void weft__let_go(struct weft__quiet *quiet, ssize_t result)
{
    int saved = errno;

    (void)result;
    if (quiet->is_changed) {
        (void)fcntl(quiet->fd, F_SETNOSIGPIPE, 0);
    }
    errno = saved;
}

#endif
