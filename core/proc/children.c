/* SPDX-License-Identifier: MIT
 * The children of a loop: how their end is seen, and what becomes of them when it closes. */
#include "core/base/mem.h"
#include "core/fiber/sanitize.h"
#include "core/proc/pidfd.h"
#include "core/proc/process.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define KEEPER_STACK (64 * 1024) /* bytes */
#define PATIENCE_MS 5000         /* for children that were killed when their loop closes */

/* What hangs on a loop. */
struct children {
    struct weft__attachment attachment;
    struct weft__list list; /* of weft_process, watched */
};

/* Who is done with whom. */
enum { KEEPS, HAS_SEEN_IT, LEFT };

/* A thread that waits for one child.  It may outlive the loop, and the record of the process. */
struct weft__keeper {
    atomic_int state;
    struct weft__handle post;
    weft_loop *loop;
    struct weft_process *process; /* for the loop's thread; NULL: it is not interested any more */
    pid_t pid;
    int pidfd; /* the process's, */
    bool owns; /* or its own, now */
    pthread_t thread;
};

/* Looks whether it has ended, and is done with it then. */
static void look(struct weft_process *process)
{
    int status = weft__pidfd_reap(process->pidfd, process->pid);

    if (status != -EINPROGRESS) {
        weft__process_ended(process, status);
    }
}

static void pidfd_is_ready(void *process)
{
    look(process);
}

/* ---- keepers ---- */

static void free_keeper(struct weft__keeper *keeper)
{
    if (keeper->owns && keeper->pidfd >= 0) {
        weft__pidfd_close(keeper->pidfd);
    }
    weft__free(keeper);
}

/* The thread. */
static void *keep(void *arg)
{
    struct weft__keeper *keeper = arg;

    weft__pidfd_await(keeper->pidfd, keeper->pid);
    if (atomic_exchange(&keeper->state, HAS_SEEN_IT) == LEFT) {
        free_keeper(keeper);
    } else {
        (void)weft__inbox_post(keeper->loop, &keeper->post); /* before the loop is closed */
    }
    return NULL;
}

/* Its post has arrived, on the loop's thread. */
static void keeper_is_done(void *arg)
{
    struct weft__keeper *keeper = arg;
    struct weft_process *process = keeper->process;

    if (process) {
        int status;

        pthread_join(keeper->thread, NULL);
        do {
            status = weft__pidfd_reap(process->pidfd, process->pid);
        } while (status == -EINPROGRESS); /* not twice: it has ended */
        weft__process_ended(process, status);
    }
    free_keeper(keeper);
}

static int begin_thread(struct weft__keeper *keeper)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = weft__fault();

    r = r < 0 ? r : -pthread_attr_init(&attributes);
    if (r < 0) {
        return r;
    }
    if (!WEFT__ASAN && !WEFT__TSAN) { /* which need more */
        (void)pthread_attr_setstacksize(&attributes, KEEPER_STACK);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = -pthread_create(&keeper->thread, &attributes, keep, keeper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return r;
}

static int begin_keeper(struct weft_process *process)
{
    struct weft__keeper *keeper = weft__alloc_zeroed(1, sizeof *keeper);
    int r;

    if (!keeper) {
        return -ENOMEM;
    }
    keeper->post.callback = keeper_is_done;
    keeper->post.arg = keeper;
    keeper->loop = weft__loop_handle(process->loop);
    keeper->process = process;
    keeper->pid = process->pid;
    keeper->pidfd = process->pidfd;
    r = begin_thread(keeper);
    if (r < 0) {
        weft__free(keeper);
        return r;
    }
    process->keeper = keeper;
    process->watch = WEFT__KEPT;
    return 0;
}

/* The loop closes.  A keeper whose child has ended will have posted that before this returns; one
 * whose child goes on is left to itself, with the pidfd. */
static void leave_keeper(struct weft_process *process)
{
    struct weft__keeper *keeper = process->keeper;
    pthread_t thread = keeper->thread;
    bool has_ended = process->status != -EINPROGRESS;

    keeper->process = NULL;
    keeper->owns = true;
    process->pidfd = -1;
    if (has_ended || atomic_exchange(&keeper->state, LEFT) == HAS_SEEN_IT) {
        pthread_join(thread, NULL);
    } else {
        pthread_detach(thread);
    }
}

/* ---- the loop's close ---- */

WEFT__COLD static void report_left(struct weft__loop *loop, const struct weft_process *process)
{
    char words[160];
    weft_report report = {
        .kind = WEFT_REPORT_PROCESS_RUNNING,
        .message = words,
    };

    snprintf(words, sizeof words,
             "process %ld ('%s') still ran when its loop was closed, and was not freed: it is "
             "killed",
             (long)process->pid, process->name);
    weft__report(loop, &report);
}

/* Looks at a child for the last time; one that runs and was not detached shall end. */
static void doom(struct weft_process *process, struct weft__loop *loop)
{
    process->status = weft__pidfd_reap(process->pidfd, process->pid);
    if (process->status == -EINPROGRESS && !process->detached && !process->killed) {
        process->killed = true;
        (void)weft__process_signal(process, SIGKILL);
        report_left(loop, process);
    }
}

/* Waits, blocking, for a child that was sent SIGKILL; not for ever: the kernel may hold it. */
static int reap_killed(const struct weft_process *process)
{
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };
        int status = weft__pidfd_reap(process->pidfd, process->pid);

        if (status != -EINPROGRESS) {
            return status;
        }
        (void)poll(&pollfd, process->pidfd >= 0, 1);
    }
    return -EINPROGRESS;
}

static void leave(struct weft_process *process)
{
    if (process->status == -EINPROGRESS && !process->detached) {
        process->status = reap_killed(process);
    }
    if (process->watch == WEFT__KEPT) {
        leave_keeper(process);
    }
    weft__process_ended(process, process->status == -EINPROGRESS ? -ECHILD : process->status);
}

static void close_children(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct children *children = (struct children *)(void *)attachment;
    struct weft__list doomed, *link;

    weft__list_init(&doomed);
    while ((link = weft__list_pop(&children->list))) {
        struct weft_process *process = (struct weft_process *)(void *)link;

        weft__list_push(&doomed, link);
        doom(process, loop);
    }
    while (!weft__list_empty(&doomed)) {
        leave((struct weft_process *)(void *)doomed.next);
    }
    weft__free(children);
}

static struct children *children_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_children);
    struct children *children = (struct children *)(void *)attachment;

    if (!children) {
        children = weft__alloc_zeroed(1, sizeof *children);
        if (children) {
            children->attachment.close = close_children;
            weft__list_init(&children->list);
            weft__loop_attach(loop, &children->attachment);
        }
    }
    return children;
}

/* ---- watching ---- */

void weft__process_expect(struct weft_process *process, bool expected)
{
    if (expected != process->expected) {
        process->expected = expected;
        process->loop->expected += expected ? 1u : -1u;
    }
}

int weft__process_watch(struct weft_process *process, struct weft__loop *loop)
{
    struct children *children = children_of(loop);
    int r = children ? -EOPNOTSUPP : -ENOMEM;

    if (children && process->pidfd >= 0 && !(loop->ops->caps & WEFT_BACKEND_VIRTUAL)) {
        r = weft__watch_set(loop, process->pidfd, WEFT_READABLE, pidfd_is_ready, process);
        process->watch = r < 0 ? WEFT__UNWATCHED : WEFT__WATCHED;
    }
    if (r == -EOPNOTSUPP) {
        r = begin_keeper(process);
    }
    if (r < 0) {
        return r;
    }
    weft__list_push(&children->list, &process->link);
    weft__process_expect(process, true);
    return 0;
}

void weft__process_unwatch(struct weft_process *process)
{
    weft__list_remove(&process->link);
    weft__process_expect(process, false);
    if (process->watch == WEFT__WATCHED) {
        weft__watch_unset(process->loop, process->pidfd, WEFT_READABLE);
    }
    process->watch = WEFT__UNWATCHED;
    process->keeper = NULL;
}
