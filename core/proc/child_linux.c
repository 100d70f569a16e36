/* SPDX-License-Identifier: MIT
 * The child on Linux.
 *
 * It runs in the parent's memory, so it makes system calls and touches nothing but the plan and its
 * own stack: no function of the C library that might keep a note, take a lock or be wrapped by a
 * sanitizer, which is why the calls are made by number. */
#include "core/proc/child.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

/* Thread sanitizer wraps the public name, and takes the child for one with memory of its own. */
#ifdef __GLIBC__
extern int __clone(int (*run)(void *arg), void *stack, int flags, void *arg, ...);
#else
#define __clone clone
#endif

/* What the kernel calls a set of signals is shorter than the C library's. */
#define KERNEL_SIGNALS (NSIG > 65 ? 128 : 64)

/* Room for the kernel's struct sigaction, whose order of members depends on the machine; all zero
 * it means the default action, everywhere. */
static const unsigned long default_action[16];

const unsigned weft__child_lacks = 0;
const int weft__child_signals = NSIG - 1;

/* A child in our own memory.  Returns its pid, or -1 with errno. */
static pid_t borrow_process(struct weft__spawn *spawn, char *stack, int *ret_pidfd)
{
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    char *top = stack + WEFT__CHILD_STACK;
    pid_t pid = -1;

    if (!weft__proc_without(WEFT__NO_PIDFD)) {
        pid = WEFT__SYS(__clone(weft__spawn_child, top, flags | CLONE_PIDFD, spawn, ret_pidfd));
        if (pid >= 0 || errno != EINVAL) {
            return pid;
        }
    }
    *ret_pidfd = -1;
    return WEFT__SYS(__clone(weft__spawn_child, top, flags, spawn));
}

pid_t weft__child_begin(struct weft__spawn *spawn, char *stack, int *ret_pidfd)
{
    return stack ? borrow_process(spawn, stack, ret_pidfd) : weft__spawn_copy(spawn);
}

/* ---- in the child ---- */

WEFT__SANITIZE_NOT ssize_t weft__child_write(int fd, const void *data, size_t size)
{
    return syscall(SYS_write, fd, data, size);
}

WEFT__SANITIZE_NOT void weft__child_exit(void)
{
    for (;;) {
        syscall(SYS_exit_group, 127);
    }
}

WEFT__SANITIZE_NOT void weft__child_reset_signals(const sigset_t *set)
{
    const unsigned long *caught = (const unsigned long *)(const void *)set;
    unsigned bits = 8 * sizeof *caught;

    for (unsigned i = 0; i < KERNEL_SIGNALS; i++) {
        if (caught[i / bits] >> i % bits & 1u) {
            syscall(SYS_rt_sigaction, i + 1, default_action, NULL, KERNEL_SIGNALS / 8);
        }
    }
}

WEFT__SANITIZE_NOT void weft__child_set_mask(const sigset_t *mask)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, KERNEL_SIGNALS / 8);
}

WEFT__SANITIZE_NOT int weft__child_setsid(void)
{
    return (int)syscall(SYS_setsid);
}

WEFT__SANITIZE_NOT int weft__child_setpgid(pid_t group)
{
    return (int)syscall(SYS_setpgid, 0, group);
}

WEFT__SANITIZE_NOT int weft__child_set_terminal(int fd)
{
    return (int)syscall(SYS_ioctl, fd, TIOCSCTTY, 0);
}

WEFT__SANITIZE_NOT int weft__child_chdir(const char *path)
{
    return (int)syscall(SYS_chdir, path);
}

WEFT__SANITIZE_NOT int weft__child_copy_up(int fd, int least)
{
    return (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
}

WEFT__SANITIZE_NOT int weft__child_place(int fd, int to)
{
    return (int)(fd == to ? syscall(SYS_fcntl, to, F_SETFD, 0) : syscall(SYS_dup3, fd, to, 0));
}

/* An entry of a directory, as the kernel has it. */
struct entry {
    uint64_t inode, offset;
    uint16_t size; /* of all of it */
    uint8_t type;
    char name[5];  /* and more */
};

/* The descriptor that an entry of /proc/self/fd names; -1: none ("."). */
WEFT__SANITIZE_NOT static int fd_of(const struct entry *entry)
{
    int fd = -1;

    for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++) {
        fd = (fd < 0 ? 0 : 10 * fd) + *digit - '0';
    }
    return fd;
}

/* What is open beyond 2, by the kernel's list; whether there is one. */
WEFT__SANITIZE_NOT static bool close_listed(void)
{
    uint64_t room[128];
    const char *bytes = (const char *)room;
    long list = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n = list;

    while (n >= 0 && (n = syscall(SYS_getdents64, list, room, sizeof room)) > 0) {
        for (long at = 0; at < n;) {
            const struct entry *entry = (const struct entry *)(const void *)(bytes + at);
            int fd = fd_of(entry);

            if (fd > 2) {
                syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
            }
            at += entry->size;
        }
    }
    if (list >= 0) {
        syscall(SYS_close, list);
    }
    return n == 0;
}

WEFT__SANITIZE_NOT void weft__child_close_others(const struct weft__spawn *spawn)
{
#ifdef SYS_close_range
    if (!spawn->no_close_range && syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
#endif
    if (close_listed()) {
        return;
    }
    for (int fd = 3; fd < spawn->fds_max; fd++) { /* a thousand, or a thousand million */
        syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    }
}

WEFT__SANITIZE_NOT void weft__child_exec(const char *file, const struct weft__spawn *spawn)
{
    syscall(SYS_execve, file, spawn->argv, spawn->env);
}
