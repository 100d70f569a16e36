/* SPDX-License-Identifier: MIT
 * What a thread does that runs a task, as the system tells it: the one whose stack pointer is in
 * the task's stack. */
#include "tools/weft/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls in which threads are met; numbers are those of this architecture. */
static const struct {
    long number;
    const char *name;
} calls[] = {
    { SYS_read, "read" },
    { SYS_write, "write" },
    { SYS_readv, "readv" },
    { SYS_writev, "writev" },
    { SYS_pread64, "pread" },
    { SYS_pwrite64, "pwrite" },
    { SYS_fsync, "fsync" },
    { SYS_fdatasync, "fdatasync" },
    { SYS_openat, "openat" },
    { SYS_nanosleep, "nanosleep" },
    { SYS_clock_nanosleep, "clock_nanosleep" },
    { SYS_futex, "futex (a lock of threads)" },
    { SYS_ppoll, "ppoll" },
    { SYS_pselect6, "pselect" },
    { SYS_epoll_pwait, "epoll_pwait" },
    { SYS_connect, "connect" },
    { SYS_accept4, "accept" },
    { SYS_recvfrom, "recv" },
    { SYS_recvmsg, "recvmsg" },
    { SYS_sendto, "send" },
    { SYS_sendmsg, "sendmsg" },
    { SYS_wait4, "wait4" },
    { SYS_waitid, "waitid" },
    { SYS_flock, "flock" },
    { SYS_ioctl, "ioctl" },
#ifdef SYS_accept
    { SYS_accept, "accept" },
#endif
#ifdef SYS_poll
    { SYS_poll, "poll" },
#endif
#ifdef SYS_select
    { SYS_select, "select" },
#endif
#ifdef SYS__newselect
    { SYS__newselect, "select" },
#endif
#ifdef SYS_epoll_wait
    { SYS_epoll_wait, "epoll_wait" },
#endif
#ifdef SYS_clock_nanosleep_time64
    { SYS_clock_nanosleep_time64, "clock_nanosleep" },
#endif
#ifdef SYS_futex_time64
    { SYS_futex_time64, "futex (a lock of threads)" },
#endif
#ifdef SYS_ppoll_time64
    { SYS_ppoll_time64, "ppoll" },
#endif
};

static void name_call(long number, bool ours, char *to, size_t size)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && ours; i++) {
        if (calls[i].number == number) {
            (void)snprintf(to, size, "in %s", calls[i].name);
            return;
        }
    }
    (void)snprintf(to, size, "in system call %ld", number);
}

/* "running", "-1 SP PC", or "NUMBER six arguments SP PC": the call and the stack pointer. */
static bool look_at_thread(const struct look *look, long tid, long *ret_call, uint64_t *ret_sp)
{
    char path[96], text[256];
    unsigned long long sp = 0;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/task/%ld/syscall", (int)look->process->pid, tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    *ret_call = strtol(text, NULL, 10);
    if (sscanf(text, "%*d %*x %*x %*x %*x %*x %*x %llx", &sp) != 1) {
        return false; /* on the CPU, or stopped outside of a call */
    }
    *ret_sp = sp;
    return true;
}

static void place(struct look *look, long call, uint64_t sp)
{
    bool ours = look->pointer_size == sizeof(void *);

    for (size_t i = 0; i < look->loops_count; i++) {
        struct look_task *task = look_find(look, look->loops[i]->current);

        if (task && task->state == LOOK_RUNS && sp >= task->low && sp < task->address) {
            name_call(call, ours, task->where, sizeof task->where);
        }
    }
}

void look_at_threads(struct look *look)
{
    char path[64];
    struct dirent *entry;
    bool wanted = false;
    DIR *folder;

    for (size_t i = 0; i < look->loops_count && !look->process->core; i++) {
        wanted = wanted || look->loops[i]->current;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)look->process->pid);
    folder = wanted ? opendir(path) : NULL;
    while (folder && (entry = readdir(folder))) {
        long tid = strtol(entry->d_name, NULL, 10), call = -1;
        uint64_t sp = 0;

        if (tid > 0 && look_at_thread(look, tid, &call, &sp) && call >= 0) {
            place(look, call, sp);
        }
    }
    if (folder) {
        closedir(folder);
    }
}
