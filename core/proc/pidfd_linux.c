/* SPDX-License-Identifier: MIT
 * Process descriptors as Linux has them, which the C library may not know yet. */
#include "core/proc/pidfd.h"

#include "core/base/mem.h"
#include "core/proc/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define ID_IS_PIDFD ((idtype_t)3) /* P_PIDFD */

/* What PIDFD_GET_INFO fills in, from Linux 6.13 on; the exit status from 6.15 on. */
struct info {
    uint64_t mask; /* asked for, and what came */
    uint64_t cgroup;
    uint32_t pid, tgid, ppid;
    uint32_t ids[8];     /* users and groups */
    int32_t exit_status; /* as wait(2) has it */
};
#define INFO_EXIT (1u << 3)
#define GET_INFO _IOWR(0xff, 11, struct info)

_Static_assert(sizeof(struct info) == 64, "the kernel's first version");

int weft__pidfd_open(pid_t pid)
{
    if (weft__proc_without(WEFT__NO_PIDFD)) {
        return -1;
    }
    return (int)WEFT__SYS(syscall(SYS_pidfd_open, pid, 0u));
}

/* By number: the thread sanitizer has not seen clone(2) open it, and would take its close for that
 * of another descriptor, which had the number before and whose close it has not seen, either. */
void weft__pidfd_close(int pidfd)
{
    (void)syscall(SYS_close, pidfd);
}

int weft__pidfd_signal(int pidfd, pid_t pid, int signum)
{
    if (pidfd < 0) {
        /* Its number is its own until it was reaped, which happens in this thread. */
        return kill(pid, signum) < 0 ? -errno : 0;
    }
    return syscall(SYS_pidfd_send_signal, pidfd, signum, NULL, 0u) < 0 ? -errno : 0;
}

/* Somebody else has reaped it, or nobody had to (SIGCHLD is ignored): the kernel may remember. */
static int recall(int pidfd)
{
    struct info info = { .mask = INFO_EXIT };

    if (pidfd < 0 || weft__proc_without(WEFT__NO_EXIT_INFO) ||
        ioctl(pidfd, (int)GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT)) {
        return -ECHILD;
    }
    return WIFSIGNALED(info.exit_status) ? 256 + WTERMSIG(info.exit_status) :
                                           WEXITSTATUS(info.exit_status);
}

/* Waits by the descriptor where the system can (from Linux 5.4 on), else by the number. */
static int wait_for(int pidfd, pid_t pid, siginfo_t *info, int how)
{
    if (pidfd >= 0 && !weft__proc_without(WEFT__NO_PIDFD_WAIT)) {
        int r = waitid(ID_IS_PIDFD, (id_t)pidfd, info, how);

        if (r == 0 || errno != EINVAL) {
            return r;
        }
    }
    return waitid(P_PID, (id_t)pid, info, how);
}

int weft__pidfd_reap(int pidfd, pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };
    int r = wait_for(pidfd, pid, &info, WEXITED | WNOHANG);

    if (r < 0) {
        return errno == ECHILD ? recall(pidfd) : -EINPROGRESS;
    }
    if (info.si_pid == 0) {
        return -EINPROGRESS;
    }
    return info.si_code == CLD_EXITED ? info.si_status & 0xff : 256 + info.si_status;
}

void weft__pidfd_await(int pidfd, pid_t pid)
{
    siginfo_t info;
    int r;

    do {
        r = wait_for(pidfd, pid, &info, WEXITED | WNOWAIT);
    } while (r < 0 && errno == EINTR);
}
