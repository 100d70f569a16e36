/* SPDX-License-Identifier: MIT
 * The child on systems without clone(2).
 *
 * It is a copy of this process: vfork(2) would let it write into the notes that a C library takes
 * of signals (FreeBSD's threads do), which are the parent's, too.  Of the copy only one thread is
 * there, so it calls nothing but what a signal handler may. */
#include "core/proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

const unsigned weft__child_lacks = WEFT__NO_CLONE;

#ifdef _SIG_MAXSIG /* FreeBSD, whose NSIG leaves out the real-time ones */
const int weft__child_signals = _SIG_MAXSIG;
#else
const int weft__child_signals = NSIG - 1;
#endif

pid_t weft__child_begin(struct weft__spawn *spawn, char *stack, int *ret_pidfd)
{
    (void)stack, (void)ret_pidfd;
    return weft__spawn_copy(spawn);
}

/* ---- in the child ---- */

ssize_t weft__child_write(int fd, const void *data, size_t size)
{
    return write(fd, data, size);
}

void weft__child_exit(void)
{
    _exit(127);
}

void weft__child_reset_signals(const sigset_t *caught)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    for (int signum = 1; signum <= weft__child_signals; signum++) {
        if (sigismember(caught, signum) == 1) {
            (void)sigaction(signum, &action, NULL); /* some are the system's */
        }
    }
}

void weft__child_set_mask(const sigset_t *mask)
{
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

int weft__child_setsid(void)
{
    return setsid();
}

int weft__child_setpgid(pid_t group)
{
    return setpgid(0, group);
}

int weft__child_set_terminal(int fd)
{
    return ioctl(fd, TIOCSCTTY, 0);
}

int weft__child_chdir(const char *path)
{
    return chdir(path);
}

int weft__child_copy_up(int fd, int least)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, least);
}

int weft__child_place(int fd, int to)
{
    return fd == to ? fcntl(to, F_SETFD, 0) : dup2(fd, to);
}

/* One more than the largest number that is open, or that may be. */
static int count_fds(const struct weft__spawn *spawn)
{
#ifdef F_MAXFD /* NetBSD */
    int last = fcntl(0, F_MAXFD);

    if (last >= 0) {
        return last + 1;
    }
#endif
    return spawn->fds_max;
}

void weft__child_close_others(const struct weft__spawn *spawn)
{
    int count;

#ifdef CLOSE_RANGE_CLOEXEC
    if (!spawn->no_close_range && close_range(3, ~0u, (int)CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
#endif
    count = count_fds(spawn);
    for (int fd = 3; fd < count; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

void weft__child_exec(const char *file, const struct weft__spawn *spawn)
{
    execve(file, (char *const *)(uintptr_t)spawn->argv, (char *const *)(uintptr_t)spawn->env);
}
