/* SPDX-License-Identifier: MIT
 * Starting a program: the parent's side. */
#include "core/proc/spawn.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/proc/child.h"
#include "core/proc/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/io.h>

atomic_uint weft__proc_lacks;

/* Whether a child of clone runs in our memory, as the kernel has it; an emulator may give it a
 * copy, and let us go on meanwhile. */
enum { UNKNOWN, SHARED, COPIED };
static atomic_int memory;

/* What is put aside while a child may run on our thread's behalf. */
struct calm {
    sigset_t mask;
    int cancel_state;
};

static void be_calm(struct calm *calm)
{
    sigset_t all;

    sigfillset(&all);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &calm->cancel_state);
    pthread_sigmask(SIG_BLOCK, &all, &calm->mask);
}

static void be_calm_no_more(const struct calm *calm)
{
    pthread_sigmask(SIG_SETMASK, &calm->mask, NULL);
    pthread_setcancelstate(calm->cancel_state, NULL);
}

/* Which signals the child has to reset, and what it blocks. */
static void plan_signals(struct weft__spawn *spawn, const sigset_t *mask)
{
    struct sigaction action;

    if (!spawn->keep_signals) {
        memset(&spawn->caught, 0xff, sizeof spawn->caught);
        sigemptyset(&spawn->mask);
        return;
    }
    spawn->mask = *mask;
    sigemptyset(&spawn->caught);
    for (int signum = 1; signum <= weft__child_signals; signum++) {
        if (sigaction(signum, NULL, &action) == 0 &&
            ((action.sa_flags & SA_SIGINFO) ||
             (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN))) {
            sigaddset(&spawn->caught, signum);
        }
    }
}

pid_t weft__spawn_copy(struct weft__spawn *spawn)
{
    pid_t pid = WEFT__SYS(fork());

    if (pid == 0) {
        _exit(weft__spawn_child(spawn));
    }
    return pid;
}

static bool needs_copy(const struct weft__spawn *spawn)
{
    return spawn->preexec || weft__proc_without(WEFT__NO_CLONE);
}

/* Makes the child.  The stack is only for one that shares our memory. */
static pid_t begin(struct weft__spawn *spawn, char *stack, int *ret_pidfd)
{
    struct calm calm;
    pid_t pid;
    int saved;

    be_calm(&calm);
    plan_signals(spawn, &calm.mask);
    pid = weft__child_begin(spawn, stack, ret_pidfd);
    saved = errno;
    be_calm_no_more(&calm);
    errno = saved;
    return pid;
}

/* Reads from the pipe what failed; nothing when the program runs, for exec has closed it. */
static void read_failure(struct weft__spawn *spawn, int fd)
{
    struct weft__spawn_failure failure;
    ssize_t n;

    do {
        n = read(fd, &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof failure) {
        spawn->failure = failure;
    }
}

/* The child could not run the program, and ends: nobody shall hear of it. */
static void bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static int start_error(int error)
{
    if (error == -EAGAIN) {
        return weft__words(error, "cannot start another process: the system has a limit (ulimit "
                                  "-u, or the cgroup's pids.max)");
    }
    return weft__detail(error, "cannot start another process: %s", weft_strerror(error));
}

/* A script whose first line names something that is not there looks as if it were missing. */
static bool lacks_interpreter(const struct weft__spawn *spawn)
{
    return spawn->failure.error == ENOENT && strchr(spawn->file, '/') && !spawn->cwd &&
           access(spawn->file, F_OK) == 0;
}

WEFT__COLD static int child_error(const struct weft__spawn *spawn)
{
    const struct weft__spawn_failure *failure = &spawn->failure;
    int r = -failure->error;
    const char *why = weft_strerror(r);

    switch (failure->step) {
    case WEFT__SPAWN_SESSION:
        return weft__detail(r, "cannot begin a session for '%s': %s", spawn->file, why);
    case WEFT__SPAWN_TERMINAL:
        return weft__detail(r, "cannot give '%s' a terminal: %s", spawn->file, why);
    case WEFT__SPAWN_GROUP:
        return weft__detail(r, "cannot put '%s' into process group %ld: %s", spawn->file,
                            (long)spawn->group, why);
    case WEFT__SPAWN_CWD:
        return weft__detail(r, "cannot run '%s' in '%s': %s", spawn->file, spawn->cwd, why);
    case WEFT__SPAWN_FD:
        return weft__detail(r, "cannot give descriptor %d to '%s': %s", failure->fd, spawn->file,
                            why);
    case WEFT__SPAWN_PREEXEC:
        return weft__detail(r, "cannot run '%s': preexec failed: %s", spawn->file, why);
    default: break;
    }
    if (lacks_interpreter(spawn)) {
        return weft__detail(r, "cannot run '%s': the interpreter in its first line is not there",
                            spawn->file);
    }
    if (r == -ENOEXEC) {
        return weft__detail(r,
                            "cannot run '%s': neither a program for this machine nor a script "
                            "with a #! line",
                            spawn->file);
    }
    return weft__detail(r, "cannot run '%s': %s", spawn->file, why);
}

/* The child is there: has it come to exec? */
static int finish(struct weft__spawn *spawn, pid_t pid, int report)
{
    if (!atomic_load(&spawn->began)) {
        if (!needs_copy(spawn)) {
            memory = COPIED;
        }
        read_failure(spawn, report);
    } else {
        memory = SHARED;
    }
    if (spawn->failure.step == WEFT__SPAWN_NONE) {
        return 0;
    }
    bury(pid);
    return child_error(spawn);
}

/* Makes the child and sees it through. */
static int start(struct weft__spawn *spawn, char *stack, int *report, pid_t *ret_pid,
                 int *ret_pidfd)
{
    int r, pidfd = -1;
    pid_t pid = begin(spawn, stack, &pidfd);

    if (pid < 0) {
        return start_error(-errno);
    }
    if (report[1] >= 0) { /* else its end would never be seen */
        close(report[1]);
        report[1] = -1;
    }
    if (pidfd < 0) { /* before it can be at its end, and others have taken its status */
        pidfd = weft__pidfd_open(pid);
    }
    r = finish(spawn, pid, report[0]);
    if (r < 0) {
        if (pidfd >= 0) {
            weft__pidfd_close(pidfd);
        }
        return r;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

/* The pipe for what fails in a child that is a copy; we wait for it. */
static int open_report(int report[2])
{
    int r = weft_pipe(report);

    if (r == 0 && WEFT__SYS(fcntl(report[0], F_SETFL, 0)) < 0) {
        r = -errno;
    }
    return r < 0 ? start_error(r) : 0;
}

int weft__spawn(struct weft__spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
{
    int report[2] = { -1, -1 };
    char *stack = NULL;
    int r = 0;

    if (!needs_copy(spawn)) {
        stack = weft__alloc_aligned(64, WEFT__CHILD_STACK);
        r = stack ? 0 : -ENOMEM;
    }
    if (r == 0 && (!stack || memory != SHARED)) {
        r = open_report(report);
    }
    if (r == 0) {
        spawn->report = report[1];
        spawn->no_close_range = weft__proc_without(WEFT__NO_CLOSE_RANGE);
        atomic_store(&spawn->began, false);
        spawn->failure = (struct weft__spawn_failure){ .step = WEFT__SPAWN_NONE };
        r = start(spawn, stack, report, ret_pid, ret_pidfd);
    }
    for (int i = 0; i < 2; i++) {
        if (report[i] >= 0) {
            close(report[i]);
        }
    }
    weft__free(stack);
    return r;
}
