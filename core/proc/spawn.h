/* SPDX-License-Identifier: MIT
 * Starting a program: what the parent prepares, and what the child does with it.
 *
 *     parent      plan: program, environment, descriptors       core/proc/spawn.c
 *        \-- clone: the parent stands still, the child runs in its memory, on a stack of its own
 *     child       signals, session, folder, descriptors, exec   core/proc/spawn_child.c
 *        \-- exec, or what failed is written into the plan, and the parent goes on
 *
 * The child may call nothing but the kernel: it shares the parent's memory, and its thread-local
 * words, with a library that may be in the middle of anything.  Under an emulator that makes a copy
 * of it, for `preexec`, which wants one, and on systems without clone(2), what failed comes through
 * a pipe that exec closes.  What differs between systems is in core/proc/child.h. */
#ifndef WEFT_CORE_SPAWN_H
#define WEFT_CORE_SPAWN_H

#include "core/base/base.h"
#include "core/fiber/sanitize.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <weft/process.h>

/* What the child was doing when it failed. */
enum weft__spawn_step {
    WEFT__SPAWN_NONE,
    WEFT__SPAWN_SESSION,
    WEFT__SPAWN_TERMINAL,
    WEFT__SPAWN_GROUP,
    WEFT__SPAWN_CWD,
    WEFT__SPAWN_FD,
    WEFT__SPAWN_PREEXEC,
    WEFT__SPAWN_EXEC,
};

struct weft__spawn_failure {
    int step;  /* weft__spawn_step */
    int error; /* errno */
    int fd;    /* WEFT__SPAWN_FD: the descriptor, of ours */
};

/* A descriptor of the child's. */
struct weft__spawn_fd {
    int from;  /* ours */
    int to;    /* the number in the child */
    int moved; /* scratch: where the child has put it meanwhile */
};

struct weft__spawn {
    const char *file;              /* what the user calls the program */
    const char *const *argv;
    const char *const *env;
    const char *candidates;        /* files to try, one after the other; an empty one ends them */
    const char *cwd;               /* NULL: stays */
    struct weft__spawn_fd *fds;    /* 0, 1 and 2 that are not in here stay as they are */
    size_t fds_count;
    int highest;                   /* the largest `to` */
    int fds_max;                   /* numbers below which descriptors are looked for */
    pid_t group;                   /* weft_process_options.process_group */
    int terminal;                  /* what shall control its session, of ours; -1: none */
    bool session, keep_signals, keep_fds;
    sigset_t mask;                 /* the child's */
    sigset_t caught;               /* signals that have a handler here; all, unless keep_signals */
    bool no_close_range;           /* do without that call */
    int (*preexec)(void *arg);
    void *preexec_arg;
    int report;                    /* the pipe for `failure`; -1: memory is shared */
    atomic_bool began;             /* set by the child, seen by the parent if memory is shared */
    struct weft__spawn_failure failure; /* the child's, if there was one */
};

/* What systems may lack; tests switch it off. */
enum weft__proc_lacks {
    WEFT__NO_PIDFD = 1u << 0,      /* a thread waits for each child */
    WEFT__NO_CLONE = 1u << 1,      /* fork(2) and a pipe */
    WEFT__NO_CLOSE_RANGE = 1u << 2,
    WEFT__NO_EXIT_INFO = 1u << 3,  /* a status that others have taken is lost */
    WEFT__NO_PIDFD_WAIT = 1u << 4, /* there are pidfds, but they cannot be waited for */
};
extern atomic_uint weft__proc_lacks WEFT__HIDDEN; /* keepers look at it, too */
extern const unsigned weft__child_lacks WEFT__HIDDEN; /* what the system lacks (child.h) */

/* Whether this one is to be done without; valgrind does not know the newer calls. */
static inline bool weft__proc_without(unsigned what)
{
    return (weft__proc_lacks | weft__child_lacks) & what ||
           (what & (WEFT__NO_PIDFD | WEFT__NO_CLOSE_RANGE) && weft__valgrind());
}

/* In spawn_child.c: the child, from its first step to exec or its end. */
int weft__spawn_child(void *spawn);

/* In spawn.c: a child that is a copy of this process.  Its pid, or -1 with errno. */
pid_t weft__spawn_copy(struct weft__spawn *spawn);

/* Starts it.  0, and the child runs the program; *ret_pidfd is -1 where there are none.  Else the
 * error, with words when it is the child's, and no child is left. */
int weft__spawn(struct weft__spawn *spawn, pid_t *ret_pid, int *ret_pidfd);

/* In environ.c: our own environment. */
const char *const *weft__environ(void);

/* The environment that the options name: *ret_env is an array to be freed, of
 * borrowed strings, or NULL: ours.  -ENOMEM. */
int weft__environ_make(const weft_process_options *options, const char ***ret_env);

/* The files that `file` may be, by the PATH in `env`, for weft__spawn.candidates; to be freed.
 * NULL: no memory. */
char *weft__environ_candidates(const char *file, const char *const *env);

#endif
