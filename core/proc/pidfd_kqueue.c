/* SPDX-License-Identifier: MIT
 * Process descriptors made of kqueue(2): a queue that waits for the end of one child.
 *
 * Its event stays in the queue, which is readable because of it, until the status is asked for by
 * recall().  A child that has ended before it could be watched, which some systems do not take any
 * more, has a pipe in place of the queue, with its status in it. */
#include "core/proc/pidfd.h"

#include "core/base/mem.h"
#include "core/proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/io.h>

#ifndef NOTE_EXITSTATUS /* macOS tells the status only to who asks for it */
#define NOTE_EXITSTATUS 0
#endif

/* A status of wait(2) as weft_process_wait() has it. */
static int status_of(int status)
{
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Looks at a child without reaping it.  0: it is ours, -1: it was reaped by somebody. */
static int look_at(pid_t pid, siginfo_t *info, int how)
{
    int r;

    info->si_pid = 0;
    do {
        r = waitid(P_PID, (id_t)pid, info, WEXITED | WNOWAIT | how);
    } while (r < 0 && errno == EINTR);
    return r;
}

/* For a child that has ended: a pipe that is readable, because its status lies there. */
static int open_ended(pid_t pid)
{
    siginfo_t info;
    int ends[2], status = -ECHILD;

    if (weft_pipe(ends) < 0) {
        return -1;
    }
    if (look_at(pid, &info, 0) == 0) { /* not there yet, maybe; but in a moment */
        status = info.si_code == CLD_EXITED ? info.si_status & 0xff : 256 + info.si_status;
    }
    if (write(ends[1], &status, sizeof status) < 0) {
        close(ends[0]);
        ends[0] = -1;
    }
    close(ends[1]);
    return ends[0];
}

int weft__pidfd_open(pid_t pid)
{
    struct kevent change;
    int fd;

    if (weft__proc_without(WEFT__NO_PIDFD)) {
        return -1;
    }
    fd = WEFT__SYS(kqueue());
    if (fd < 0) {
        return -1;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    EV_SET(&change, (uintptr_t)pid, EVFILT_PROC, EV_ADD, NOTE_EXIT | NOTE_EXITSTATUS, 0, NULL);
    if (WEFT__SYS(kevent(fd, &change, 1, NULL, 0, NULL)) < 0) {
        bool ended = errno == ESRCH;

        close(fd);
        return ended ? open_ended(pid) : -1;
    }
    return fd;
}

void weft__pidfd_close(int pidfd)
{
    close(pidfd);
}

/* Asks first whose child it is: the number of one that somebody else has reaped may be a
 * stranger's. */
int weft__pidfd_signal(int pidfd, pid_t pid, int signum)
{
    siginfo_t info;

    (void)pidfd;
    if (look_at(pid, &info, WNOHANG) < 0) {
        return -ESRCH;
    }
    if (kill(pid, signum) < 0 && errno != ESRCH) { /* which some say of one that has ended */
        return -errno;
    }
    return 0;
}

static bool is_readable(int pidfd)
{
    struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };

    return pidfd >= 0 && poll(&pollfd, 1, 0) > 0;
}

/* Somebody else has reaped it, or nobody had to (SIGCHLD is ignored). */
static int recall(int pidfd)
{
    static const struct timespec at_once;
    struct kevent event;
    int status;

    if (pidfd < 0 || weft__proc_without(WEFT__NO_EXIT_INFO)) {
        return -ECHILD;
    }
    if (kevent(pidfd, NULL, 0, &event, 1, &at_once) > 0) {
        return event.fflags & NOTE_EXIT ? status_of((int)event.data) : -ECHILD;
    }
    return read(pidfd, &status, sizeof status) == (ssize_t)sizeof status ? status : -ECHILD;
}

static pid_t wait_for(pid_t pid, int *ret_status, int how)
{
    pid_t r;

    do {
        r = waitpid(pid, ret_status, how);
    } while (r < 0 && errno == EINTR);
    return r;
}

int weft__pidfd_reap(int pidfd, pid_t pid)
{
    int status = 0;
    pid_t r = wait_for(pid, &status, WNOHANG);

    if (r == 0 && is_readable(pidfd)) {
        r = wait_for(pid, &status, 0); /* the end is told of a moment before it can be reaped */
    }
    if (r > 0) {
        return status_of(status);
    }
    return r < 0 && errno == ECHILD ? recall(pidfd) : -EINPROGRESS;
}

void weft__pidfd_await(int pidfd, pid_t pid)
{
    struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
    siginfo_t info;

    if (pidfd < 0) {
        (void)look_at(pid, &info, 0);
        return;
    }
    while (poll(&pollfd, 1, -1) < 0 && errno == EINTR) {}
}
