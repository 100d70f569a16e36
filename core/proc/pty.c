/* SPDX-License-Identifier: MIT
 * Pseudo-terminals. */
#include "core/proc/pty.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The other side, which is found by its name where the system cannot open it by this one. */
static int open_theirs(int ours)
{
    int flags = O_RDWR | O_NOCTTY | O_CLOEXEC, fd = -1;
    char name[64];

#ifdef TIOCGPTPEER
    fd = WEFT__SYS(ioctl(ours, TIOCGPTPEER, flags));
    if (fd >= 0 || (errno != EINVAL && errno != ENOTTY)) {
        return fd < 0 ? -errno : fd;
    }
#endif
    if (ptsname_r(ours, name, sizeof name) != 0) {
        return -errno;
    }
    fd = WEFT__SYS(open(name, flags));
    return fd < 0 ? -errno : fd;
}

/* Makes it ready and opens the other side. */
static int prepare(int ours, const struct winsize *size)
{
    if (WEFT__SYS(grantpt(ours)) < 0 || WEFT__SYS(unlockpt(ours)) < 0 ||
        (size && WEFT__SYS(ioctl(ours, TIOCSWINSZ, size)) < 0)) {
        return -errno;
    }
    return open_theirs(ours);
}

int weft__pty_open(const struct winsize *size, int *ret_ours, int *ret_theirs)
{
    int ours = WEFT__SYS(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    int theirs;

    if (ours < 0) {
        return -errno;
    }
    theirs = prepare(ours, size);
    if (theirs < 0) {
        close(ours);
        return theirs;
    }
    *ret_ours = ours;
    *ret_theirs = theirs;
    return 0;
}
