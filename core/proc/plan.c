/* SPDX-License-Identifier: MIT
 * From options to a plan: what is to be checked, opened and looked up before a program starts. */
#include "core/proc/plan.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/proc/pty.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <weft/io.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_process_options) == 144, "the public size");

#define FD_BASE 256 /* WEFT_FD(0) */

/* What belongs to the plan alone. */
struct plan {
    struct weft__spawn spawn;
    struct weft__spawn_fd room[8]; /* for its descriptors, when there are no more */
    struct weft__spawn_fd *more;   /* or these; NULL */
    const char **env;
    char *candidates;
    int theirs[3]; /* the child's ends of pipes; -1 */
    int devnull;   /* -1: not needed yet */
};

static int check_standard(int what, bool is_error)
{
    if (what < WEFT_INHERIT || (what == WEFT_STDOUT && !is_error)) {
        return weft__words(-EINVAL, "standard input, output and error are WEFT_PIPE, WEFT_DEVNULL, "
                                    "WEFT_FD(n) or 0; WEFT_STDOUT is for .err");
    }
    if (what > WEFT_STDOUT && what < FD_BASE) {
        return weft__words(-EBADF, "WEFT_FD() of a negative number, or a number without it");
    }
    return 0;
}

static int check(const char *const argv[], const weft_process_options *options)
{
    int r = argv && argv[0] ? 0 : -EINVAL;

    r = r < 0 ? r : check_standard(options->in, false);
    r = r < 0 ? r : check_standard(options->out, false);
    r = r < 0 ? r : check_standard(options->err, true);
    if (r == 0 && (options->process_group < WEFT_NEW_GROUP ||
                   ((options->start_new_session || options->pty) && options->process_group > 0) ||
                   (options->pass_fds_count > 0 && !options->pass_fds))) {
        r = -EINVAL;
    }
    return r;
}

/* A descriptor of the user's, before one of ours gets its number. */
static int check_fd(const struct plan *plan, int fd)
{
    if (fd < 0 || fcntl(fd, F_GETFD) < 0) {
        return weft__detail(-EBADF, "cannot give descriptor %d to '%s': %s", fd, plan->spawn.file,
                            weft_strerror(-EBADF));
    }
    return 0;
}

/* All of them. */
static int check_fds(const struct plan *plan, const weft_process_options *options)
{
    const int standard[3] = { options->in, options->out, options->err };
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        if (standard[i] >= FD_BASE) {
            r = check_fd(plan, standard[i] - FD_BASE);
        }
    }
    for (size_t i = 0; i < options->pass_fds_count && r == 0; i++) {
        r = check_fd(plan, options->pass_fds[i]);
    }
    return r;
}

static void add_fd(struct weft__spawn *spawn, int from, int to)
{
    spawn->fds[spawn->fds_count++] = (struct weft__spawn_fd){ .from = from, .to = to };
    spawn->highest = to > spawn->highest ? to : spawn->highest;
}

static bool has_target(const struct weft__spawn *spawn, int to)
{
    for (size_t i = 0; i < spawn->fds_count; i++) {
        if (spawn->fds[i].to == to) {
            return true;
        }
    }
    return false;
}

/* A pipe: the child's end, which blocks, goes into the plan, ours into the process. */
static int open_pipe(struct plan *plan, struct weft_process *process, int which)
{
    int ends[2], ours = which == 0;
    int r = weft_pipe(ends);

    if (r < 0) {
        return weft__detail(r, "cannot make a pipe for '%s': %s", plan->spawn.file,
                            weft_strerror(r));
    }
    process->pipes[which] = ends[ours];
    plan->theirs[which] = ends[!ours];
    if (WEFT__SYS(fcntl(ends[!ours], F_SETFL, 0)) < 0) {
        return -errno;
    }
    add_fd(&plan->spawn, ends[!ours], which);
    return 0;
}

static int open_devnull(struct plan *plan, int which)
{
    if (plan->devnull < 0) {
        plan->devnull = WEFT__SYS(open("/dev/null", O_RDWR | O_CLOEXEC));
        if (plan->devnull < 0) {
            return weft__detail(-errno, "cannot open /dev/null: %s", weft_strerror(-errno));
        }
    }
    add_fd(&plan->spawn, plan->devnull, which);
    return 0;
}

/* A pseudo-terminal: their side goes into the plan, ours, which does not block, into the
 * process. */
static int plan_pty(struct plan *plan, struct weft_process *process,
                    const weft_process_options *options)
{
    int r = weft__pty_open(options->winsize, &process->pipes[WEFT__PTY], &plan->spawn.terminal);

    return r < 0 ? weft__detail(r, "cannot make a terminal for '%s': %s", plan->spawn.file,
                                weft_strerror(r))
                 : 0;
}

/* Where the child's output goes, for .err = WEFT_STDOUT. */
static int output_of(const struct plan *plan)
{
    for (size_t i = 0; i < plan->spawn.fds_count; i++) {
        if (plan->spawn.fds[i].to == 1) {
            return plan->spawn.fds[i].from;
        }
    }
    return 1;
}

static int plan_standard(struct plan *plan, struct weft_process *process, int what, int which)
{
    switch (what) {
    case WEFT_INHERIT:
        if (plan->spawn.terminal >= 0) {
            add_fd(&plan->spawn, plan->spawn.terminal, which);
        }
        return 0;
    case WEFT_PIPE: return open_pipe(plan, process, which);
    case WEFT_DEVNULL: return open_devnull(plan, which);
    case WEFT_STDOUT: add_fd(&plan->spawn, output_of(plan), which); return 0;
    default: add_fd(&plan->spawn, what - FD_BASE, which); return 0;
    }
}

static int plan_passed(struct plan *plan, const weft_process_options *options)
{
    for (size_t i = 0; i < options->pass_fds_count; i++) {
        int from = options->pass_fds[i];
        int to = options->pass_fds_as ? options->pass_fds_as[i] : from;

        if (to < 0) {
            return -EINVAL;
        }
        if (has_target(&plan->spawn, to)) {
            return weft__detail(-EINVAL, "descriptor %d of '%s' is given twice", to,
                                plan->spawn.file);
        }
        add_fd(&plan->spawn, from, to);
    }
    return 0;
}

static int plan_fds(struct plan *plan, struct weft_process *process,
                    const weft_process_options *options)
{
    size_t count = options->pass_fds_count + 3;
    int r = 0;

    plan->spawn.fds = plan->room;
    plan->spawn.highest = 2;
    plan->spawn.fds_max = getdtablesize();
    if (count > WEFT__COUNT(plan->room)) {
        plan->more = weft__alloc_zeroed(count, sizeof *plan->more);
        if (!plan->more) {
            return -ENOMEM;
        }
        plan->spawn.fds = plan->more;
    }
    r = options->pty ? plan_pty(plan, process, options) : 0;
    r = r < 0 ? r : plan_standard(plan, process, options->in, 0);
    r = r < 0 ? r : plan_standard(plan, process, options->out, 1);
    r = r < 0 ? r : plan_standard(plan, process, options->err, 2);
    return r < 0 ? r : plan_passed(plan, options);
}

static int plan_program(struct plan *plan, const char *const argv[],
                        const weft_process_options *options)
{
    struct weft__spawn *spawn = &plan->spawn;
    int r = weft__environ_make(options, &plan->env);

    if (r < 0) {
        return r;
    }
    spawn->argv = argv;
    spawn->env = plan->env ? plan->env : options->env ? options->env : weft__environ();
    plan->candidates = weft__environ_candidates(spawn->file, spawn->env);
    spawn->candidates = plan->candidates;
    spawn->cwd = options->cwd;
    spawn->group = options->process_group;
    spawn->session = options->start_new_session || options->pty;
    spawn->keep_signals = options->keep_signals;
    spawn->keep_fds = options->keep_fds;
    spawn->preexec = options->preexec;
    spawn->preexec_arg = options->preexec_arg;
    return plan->candidates ? 0 : -ENOMEM;
}

static void fini(struct plan *plan)
{
    for (int i = 0; i < 3; i++) {
        if (plan->theirs[i] >= 0) {
            close(plan->theirs[i]);
        }
    }
    if (plan->devnull >= 0) {
        close(plan->devnull);
    }
    if (plan->spawn.terminal >= 0) {
        close(plan->spawn.terminal);
    }
    weft__free(plan->more);
    weft__free(plan->candidates);
    weft__free(plan->env);
}

int weft__plan_and_spawn(struct weft_process *process, const char *const argv[],
                         const weft_process_options *options)
{
    struct plan plan = { .spawn.terminal = -1, .theirs = { -1, -1, -1 }, .devnull = -1 };
    int r = check(argv, options);

    if (r < 0) {
        return r;
    }
    plan.spawn.file = options->executable ? options->executable : argv[0];
    r = check_fds(&plan, options);
    r = r < 0 ? r : plan_fds(&plan, process, options);
    r = r < 0 ? r : plan_program(&plan, argv, options);
    r = r < 0 ? r : weft__spawn(&plan.spawn, &process->pid, &process->pidfd);
    fini(&plan);
    process->limit = options->limit;
    process->leads = plan.spawn.session || options->process_group == WEFT_NEW_GROUP;
    return r;
}
