/* SPDX-License-Identifier: MIT
 * The child between its begin and exec.
 *
 * It may run in the parent's memory, so it touches nothing but the plan and its own stack, and
 * calls nothing but what core/proc/child.h offers. */
#include "core/proc/child.h"

#include <errno.h>

/* Writes down what failed, and ends the child. */
WEFT__SANITIZE_NOT static void fail(struct weft__spawn *spawn, int step, int error, int fd)
{
    spawn->failure.step = step;
    spawn->failure.error = error;
    spawn->failure.fd = fd;
    if (spawn->report >= 0) {
        while (weft__child_write(spawn->report, &spawn->failure, sizeof spawn->failure) < 0 &&
               errno == EINTR) {}
    }
    weft__child_exit();
}

WEFT__SANITIZE_NOT static void join_group(struct weft__spawn *spawn)
{
    if (spawn->session) {
        if (weft__child_setsid() < 0) {
            fail(spawn, WEFT__SPAWN_SESSION, errno, -1);
        }
        if (spawn->terminal >= 0 && weft__child_set_terminal(spawn->terminal) < 0) {
            fail(spawn, WEFT__SPAWN_TERMINAL, errno, -1);
        }
    } else if (spawn->group != 0) {
        if (weft__child_setpgid(spawn->group == WEFT_NEW_GROUP ? 0 : spawn->group) < 0) {
            fail(spawn, WEFT__SPAWN_GROUP, errno, -1);
        }
    }
}

/* A copy above all numbers that will be given out. */
WEFT__SANITIZE_NOT static int move_up(struct weft__spawn *spawn, int fd)
{
    int moved = weft__child_copy_up(fd, spawn->highest + 1);

    if (moved < 0) {
        fail(spawn, WEFT__SPAWN_FD, errno, fd);
    }
    return moved;
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
        weft__child_close_others(spawn);
    }
    for (size_t i = 0; i < spawn->fds_count; i++) {
        const struct weft__spawn_fd *fd = &spawn->fds[i];

        if (weft__child_place(fd->moved, fd->to) < 0) {
            fail(spawn, WEFT__SPAWN_FD, errno, fd->from);
        }
    }
}

/* Tries one file after the other; what is no reason to stop is remembered as the C library does. */
WEFT__SANITIZE_NOT static void run_program(struct weft__spawn *spawn)
{
    int error = ENOENT;

    for (const char *file = spawn->candidates; *file;) {
        weft__child_exec(file, spawn);
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
    weft__child_reset_signals(&spawn->caught); /* no handler of the parent's may run here */
    if (spawn->report >= 0 && spawn->report <= spawn->highest) {
        spawn->report = move_up(spawn, spawn->report);
    }
    join_group(spawn);
    if (spawn->cwd && weft__child_chdir(spawn->cwd) < 0) {
        fail(spawn, WEFT__SPAWN_CWD, errno, -1);
    }
    place_fds(spawn);
    if (spawn->preexec) {
        int r = spawn->preexec(spawn->preexec_arg);

        if (r < 0) {
            fail(spawn, WEFT__SPAWN_PREEXEC, -r, -1);
        }
    }
    weft__child_set_mask(&spawn->mask);
    run_program(spawn);
    return 127;
}
