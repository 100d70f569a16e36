/* SPDX-License-Identifier: MIT
 * The child between clone and exec.
 *
 * It runs in the parent's memory, so it makes system calls and touches nothing but the plan and its
 * own stack: no function of the C library that might keep a note, take a lock or be wrapped by a
 * sanitizer, which is why the calls are made by number. */
#include "core/proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

/* What the kernel calls a set of signals is shorter than the C library's. */
#define KERNEL_SIGNALS (NSIG > 65 ? 128 : 64)

/* Room for the kernel's struct sigaction, whose order of members depends on the machine; all zero
 * it means the default action, everywhere. */
static const unsigned long default_action[16];

/* Writes down what failed, and ends the child. */
WEFT__SANITIZE_NOT static void fail(struct weft__spawn *spawn, int step, int error, int fd)
{
    spawn->failure.step = step;
    spawn->failure.error = error;
    spawn->failure.fd = fd;
    if (spawn->report >= 0) {
        while (syscall(SYS_write, spawn->report, &spawn->failure, sizeof spawn->failure) < 0 &&
               errno == EINTR) {}
    }
    for (;;) {
        syscall(SYS_exit_group, 127);
    }
}

/* No handler of the parent's may run here; those that the parent ignores may be left. */
WEFT__SANITIZE_NOT static void reset_signals(const struct weft__spawn *spawn)
{
    const unsigned long *caught = (const unsigned long *)(const void *)&spawn->caught;
    unsigned bits = 8 * sizeof *caught;

    for (unsigned i = 0; i < KERNEL_SIGNALS; i++) {
        if (caught[i / bits] >> i % bits & 1u) {
            syscall(SYS_rt_sigaction, i + 1, default_action, NULL, KERNEL_SIGNALS / 8);
        }
    }
}

WEFT__SANITIZE_NOT static void join_group(struct weft__spawn *spawn)
{
    if (spawn->session) {
        if (syscall(SYS_setsid) < 0) {
            fail(spawn, WEFT__SPAWN_SESSION, errno, -1);
        }
        if (spawn->terminal >= 0 && syscall(SYS_ioctl, spawn->terminal, TIOCSCTTY, 0) < 0) {
            fail(spawn, WEFT__SPAWN_TERMINAL, errno, -1);
        }
    } else if (spawn->group != 0) {
        pid_t group = spawn->group == WEFT_NEW_GROUP ? 0 : spawn->group;

        if (syscall(SYS_setpgid, 0, group) < 0) {
            fail(spawn, WEFT__SPAWN_GROUP, errno, -1);
        }
    }
}

/* A copy above all numbers that will be given out. */
WEFT__SANITIZE_NOT static int move_up(struct weft__spawn *spawn, int fd)
{
    long moved = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, spawn->highest + 1);

    if (moved < 0) {
        fail(spawn, WEFT__SPAWN_FD, errno, fd);
    }
    return (int)moved;
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

/* What is open beyond 2 will be closed by exec. */
WEFT__SANITIZE_NOT static void close_others(const struct weft__spawn *spawn)
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

/* Puts each descriptor where it belongs.  One whose place is another's way is moved first. */
WEFT__SANITIZE_NOT static void place_fds(struct weft__spawn *spawn)
{
    for (size_t i = 0; i < spawn->fds_count; i++) {
        struct weft__spawn_fd *fd = &spawn->fds[i];

        fd->moved = fd->from;
        if (fd->from != fd->to && fd->from <= spawn->highest) {
            fd->moved = move_up(spawn, fd->from);
        }
    }
    if (!spawn->keep_fds) {
        close_others(spawn);
    }
    for (size_t i = 0; i < spawn->fds_count; i++) {
        const struct weft__spawn_fd *fd = &spawn->fds[i];
        long r;

        if (fd->from == fd->to) {
            r = syscall(SYS_fcntl, fd->to, F_SETFD, 0);
        } else {
            r = syscall(SYS_dup3, fd->moved, fd->to, 0);
        }
        if (r < 0) {
            fail(spawn, WEFT__SPAWN_FD, errno, fd->from);
        }
    }
}

/* Tries one file after the other; what is no reason to stop is remembered as the C library does. */
WEFT__SANITIZE_NOT static void run_program(struct weft__spawn *spawn)
{
    int error = ENOENT;

    for (const char *file = spawn->candidates; *file;) {
        syscall(SYS_execve, file, spawn->argv, spawn->env);
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            error = errno;
            break;
        }
        while (*file++) {}
    }
    fail(spawn, WEFT__SPAWN_EXEC, error, -1);
}

WEFT__SANITIZE_NOT int weft__spawn_child(void *arg)
{
    struct weft__spawn *spawn = arg;

    atomic_store(&spawn->began, true);
    reset_signals(spawn);
    if (spawn->report >= 0 && spawn->report <= spawn->highest) {
        spawn->report = move_up(spawn, spawn->report);
    }
    join_group(spawn);
    if (spawn->cwd && syscall(SYS_chdir, spawn->cwd) < 0) {
        fail(spawn, WEFT__SPAWN_CWD, errno, -1);
    }
    place_fds(spawn);
    if (spawn->preexec) {
        int r = spawn->preexec(spawn->preexec_arg);

        if (r < 0) {
            fail(spawn, WEFT__SPAWN_PREEXEC, -r, -1);
        }
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &spawn->mask, NULL, KERNEL_SIGNALS / 8);
    run_program(spawn);
    return 127;
}
