/* SPDX-License-Identifier: MIT
 * Executors: of one's own, and those of a loop. */
#include "core/thread/executor.h"

#include "core/base/mem.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/await.h>

/* What hangs on a loop. */
struct loop_executors {
    struct weft__attachment attachment;
    struct weft__workers *workers[WEFT__JOB_CLASSES]; /* a hold on each, NULL: not needed yet */
    bool shut;                                        /* the default one, before it was needed */
};

int weft_executor_new(const weft_executor_options *options, weft_executor **ret_executor)
{
    static const weft_executor_options none;
    struct weft__workers *workers;
    int r;

    if (!ret_executor) {
        return -EINVAL;
    }
    r = weft__workers_new(options ? options : &none, &workers);
    if (r < 0) {
        return r;
    }
    *ret_executor = (weft_executor *)workers->handle;
    return 0;
}

int weft_executor_shutdown(weft_executor *executor, bool wait, bool cancel_futures)
{
    int r = 0;
    struct weft__workers *workers = weft__workers_of(executor, &r);

    if (!workers) {
        return r;
    }
    weft__workers_shut(workers, cancel_futures);
    return wait ? weft__workers_join(workers, INFINITY) : 0;
}

weft_executor *weft_executor_free(weft_executor *executor)
{
    int r;
    struct weft__workers *workers = weft__workers_of(executor, &r);

    if (workers) {
        weft__cell_renew(workers); /* a loop may hold the rest */
        weft__workers_release(workers);
    }
    return NULL;
}

static void close_executors(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct loop_executors *executors = (struct loop_executors *)(void *)attachment;

    (void)loop;
    for (int i = 0; i < WEFT__JOB_CLASSES; i++) {
        if (executors->workers[i]) {
            weft__workers_release(executors->workers[i]);
        }
    }
    weft__free(executors);
}

/* Those of a loop, which has some from here on; NULL without memory. */
static struct loop_executors *executors_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_executors);
    struct loop_executors *executors = (struct loop_executors *)(void *)attachment;

    if (!executors) {
        executors = weft__alloc_zeroed(1, sizeof *executors);
        if (executors) {
            executors->attachment.close = close_executors;
            weft__loop_attach(loop, &executors->attachment);
        }
    }
    return executors;
}

struct weft__workers *weft__loop_workers(struct weft__loop *loop, enum weft__job_class class,
                                         int *ret_error)
{
    static const weft_executor_options options[WEFT__JOB_CLASSES] = {
        [WEFT__JOBS_DNS] = { .max_workers = 8, .thread_name_prefix = "weft-dns" },
        [WEFT__JOBS_FILES] = { .thread_name_prefix = "weft-file" },
    };
    struct loop_executors *executors = executors_of(loop);
    int r = executors ? 0 : -ENOMEM;

    if (r == 0 && !executors->workers[class]) {
        r = executors->shut && class == WEFT__JOBS_DEFAULT ?
                -ESHUTDOWN :
                weft__workers_new(&options[class], &executors->workers[class]);
    }
    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return executors->workers[class];
}

int weft_loop_set_default_executor(weft_loop *handle, weft_executor *executor)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);
    struct weft__workers *workers = loop ? weft__workers_of(executor, &r) : NULL;
    struct loop_executors *executors = workers ? executors_of(loop) : NULL;
    struct weft__workers *before;

    if (!executors) {
        return workers ? -ENOMEM : r;
    }
    before = executors->workers[WEFT__JOBS_DEFAULT];
    weft__workers_hold(workers);
    executors->workers[WEFT__JOBS_DEFAULT] = workers;
    if (before) {
        weft__workers_release(before);
    }
    return 0;
}

/* ---- the end ---- */

/* A job's name for a report: as it was given, or as the function is exported, or where it is. */
static const char *name_of(const char *name, weft_job *run, char *room, size_t size)
{
    Dl_info info;
    const char *file;
    void *address;

    if (name) {
        return name;
    }
    memcpy(&address, &run, sizeof address);
    if (!dladdr(address, &info) || !info.dli_fname) {
        snprintf(room, size, "%p", address);
    } else if (info.dli_sname && info.dli_saddr == address) {
        snprintf(room, size, "%s", info.dli_sname);
    } else {
        file = strrchr(info.dli_fname, '/');
        snprintf(room, size, "%s+0x%zx", file ? file + 1 : info.dli_fname,
                 (size_t)((char *)address - (char *)info.dli_fbase));
    }
    return room;
}

/* Names each job that was not done in time. */
WEFT__COLD static void report_left(struct weft__loop *loop, const struct weft__workers_left *left,
                                   double seconds)
{
    char words[160], room[80];
    weft_report report = {
        .kind = WEFT_REPORT_JOB_PENDING,
        .message = words,
    };

    for (unsigned i = 0; i < left->count && i < WEFT__COUNT(left->jobs); i++) {
        report.job = name_of(left->jobs[i].name, left->jobs[i].run, room, sizeof room);
        snprintf(words, sizeof words,
                 "still runs in a thread %g s after its executor was shut down, and is left behind"
                 " (%u of %u; %u more had not begun)",
                 seconds, i + 1, left->count, left->withdrawn);
        weft__report(loop, &report);
    }
}

/* After the limit. */
static void give_up(struct weft__loop *loop, struct weft__workers *workers, double seconds)
{
    struct weft__workers_left left;

    weft__workers_give_up(workers, &left);
    report_left(loop, &left, seconds);
}

/* Shuts the default executor down; returns it if it has threads that are to be waited for. */
static struct weft__workers *shut(struct weft__loop *loop, int *ret_error)
{
    struct loop_executors *executors = executors_of(loop);
    struct weft__workers *workers;

    if (!executors) {
        *ret_error = -ENOMEM;
        return NULL;
    }
    executors->shut = true;
    workers = executors->workers[WEFT__JOBS_DEFAULT];
    if (!workers || workers->epoch != *weft__fork_word) {
        return NULL;
    }
    weft__workers_shut(workers, false);
    return workers;
}

/* Waits in a task; what the loop holds may be replaced meanwhile. */
static int join(struct weft__loop *loop, struct weft__workers *workers, double timeout)
{
    int r;

    weft__workers_hold(workers);
    r = weft__workers_join(workers, timeout);
    if (r == -ETIMEDOUT) {
        give_up(loop, workers, timeout);
    }
    weft__workers_release(workers);
    return r;
}

WEFT_ASYNC(shuts_down, (struct weft__loop *, loop), (struct weft__workers *, workers),
           (double, timeout))
{
    return join(loop, workers, timeout);
}

/* The loop does not run: it does for this. */
static int join_running(struct weft__loop *loop, struct weft__workers *workers, double timeout)
{
    weft_loop *handle = weft__loop_handle(loop);
    weft_task *task = weft_loop_create_task(loop->running ? NULL : handle,
                                            shuts_down(loop, workers, timeout), NULL);
    int r = weft_task_status(task);

    if (r != -EINPROGRESS) { /* without memory for the task the thread waits */
        r = weft__workers_join_blocking(workers, timeout);
        if (r == -ETIMEDOUT) {
            give_up(loop, workers, timeout);
        }
        return r;
    }
    do { /* somebody's stop is no reason to give up */
        r = weft_loop_run_until_complete(handle, weft_task_ref(task));
    } while (r == -EINTR && weft_task_status(task) == -EINPROGRESS);
    weft_task_detach(task);
    return r;
}

int weft_loop_shutdown_default_executor(weft_loop *handle, double timeout)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);
    struct weft__workers *workers;

    if (!loop || isnan(timeout)) {
        return loop ? -EINVAL : r;
    }
    if (loop == weft__running && !loop->current) {
        return -EPERM;
    }
    workers = shut(loop, &r);
    if (!workers) {
        return r;
    }
    return loop == weft__running ? join(loop, workers, timeout) :
                                   join_running(loop, workers, timeout);
}

int weft__executors_shutdown(struct weft__loop *loop, int64_t limit_ns)
{
    int r = 0;
    struct weft__workers *workers =
        weft__loop_attached(loop, close_executors) ? shut(loop, &r) : NULL;

    if (!workers || weft__workers_count(workers) == 0) {
        return r;
    }
    r = join_running(loop, workers, (double)limit_ns / (double)WEFT__SECOND);
    return r < 0 ? r : 1;
}
