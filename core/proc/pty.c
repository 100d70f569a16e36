/* SPDX-License-Identifier: MIT
 * Pseudo-terminals. */
#include "core/proc/pty.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifdef __linux__
#define HOW (O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
#else
#define HOW (O_RDWR | O_NOCTTY) /* FreeBSD refuses more */
#endif

#ifdef __OpenBSD__
#include <sys/tty.h>

/* One call opens both sides: the name of the other one would not be safe from other threads. */
static int open_both(int *ret_ours, int *ret_theirs)
{
    int maker = WEFT__SYS(open(PATH_PTMDEV, O_RDWR | O_CLOEXEC));
    struct ptmget both;
    int r = maker < 0 || WEFT__SYS(ioctl(maker, PTMGET, &both)) < 0 ? -errno : 0;

    if (maker >= 0) {
        close(maker);
    }
    if (r == 0) {
        (void)fcntl(both.sfd, F_SETFD, FD_CLOEXEC);
        *ret_ours = both.cfd;
        *ret_theirs = both.sfd;
    }
    return r;
}

#else

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

static int open_both(int *ret_ours, int *ret_theirs)
{
    int ours = WEFT__SYS(posix_openpt(HOW)), theirs;

    if (ours < 0) {
        return -errno;
    }
    theirs =
        WEFT__SYS(grantpt(ours)) < 0 || WEFT__SYS(unlockpt(ours)) < 0 ? -errno : open_theirs(ours);
    if (theirs < 0) {
        close(ours);
        return theirs;
    }
    *ret_ours = ours;
    *ret_theirs = theirs;
    return 0;
}

#endif

/* What could not be asked for when our side was opened. */
static int prepare(int ours)
{
    if (HOW & O_NONBLOCK) {
        return 0;
    }
    if (fcntl(ours, F_SETFD, FD_CLOEXEC) < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

int weft__pty_open(const struct winsize *size, int *ret_ours, int *ret_theirs)
{
    int ours = -1, theirs = -1;
    int r = open_both(&ours, &theirs);

    if (r < 0) {
        return r;
    }
    r = prepare(ours);
    /* From their side: macOS has no size before that is open. */
    if (r == 0 && size && WEFT__SYS(ioctl(theirs, TIOCSWINSZ, size)) < 0) {
        r = -errno;
    }
    if (r < 0) {
        close(ours);
        close(theirs);
        return r;
    }
    *ret_ours = ours;
    *ret_theirs = theirs;
    return 0;
}
