/* SPDX-License-Identifier: MIT
 * Calls that use weft wrongly and get an error for it, which few programs look at: told with the
 * place of the call. */
#include "core/base/mem.h"
#include "core/base/thread.h"
#include "core/debug/checks.h"
#include "core/debug/stack.h"
#include "core/sched/handle.h"

#include <stdio.h>

/* A report that another thread had to make, on its way to the loop. */
struct posted {
    struct weft__handle handle;
    weft_report report;
    char what[96];
    const void *stack[WEFT__STACK_MAX];
};

static void arrive(void *arg)
{
    struct posted *posted = arg;

    weft__report(posted->handle.loop, &posted->report);
    weft__free(posted);
}

static void describe_thread(char *text, size_t size)
{
    char name[32];

    weft__thread_get_name(name, sizeof name);
    (void)snprintf(text, size, "it was called in thread '%s' (%lld)", name,
                   (long long)weft__thread_number());
}

static void fill_in(struct posted *posted)
{
    posted->report = (weft_report){
        .size = sizeof posted->report,
        .kind = WEFT_REPORT_WRONG_THREAD,
        .status = -EXDEV,
        .message = "a loop, or what belongs to it, is used in a thread that is not its own",
        .what = posted->what,
        .stack = posted->stack,
    };
    describe_thread(posted->what, sizeof posted->what);
    posted->report.stack_count = weft__stack_here(posted->stack, WEFT__STACK_MAX);
    posted->report.exact = posted->report.stack_count;
}

/* The loop's handler belongs to its thread, and gets the report there. */
WEFT__COLD void weft__wrong_thread(struct weft__loop *loop)
{
    struct posted *posted;

    if (!(__atomic_load_n(&loop->checks, __ATOMIC_RELAXED) & WEFT__CHECK_THREAD)) {
        return;
    }
    posted = weft__alloc_zeroed(1, sizeof *posted);
    if (!posted) {
        return;
    }
    fill_in(posted);
    if (__atomic_load_n(&loop->handler, __ATOMIC_RELAXED)) {
        posted->handle.item =
            (struct weft__item){ .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_POST };
        posted->handle.callback = arrive;
        posted->handle.arg = posted;
        posted->handle.loop = loop;
        if (weft__inbox_post(weft__loop_handle(loop), &posted->handle) == 0) {
            return;
        }
    } else {
        weft__hooks.report(&posted->report, true);
    }
    weft__free(posted);
}

/* ---- handles that are spent ---- */

static void describe_former(const struct weft__note *note, weft_report *report, char *name)
{
    weft__task_format_name(name, note->name, note->id);
    report->task_name = name;
    report->coro = note->def->name;
    report->file = note->def->file;
    report->line = (int)note->def->line;
    report->made = note->made_count ? note->made : NULL;
    report->made_count = note->made_count;
}

void weft__stale(struct weft__loop *loop, const void *handle)
{
    weft_report report = { .kind = WEFT_REPORT_STALE, .status = -ESRCH };
    const void *stack[WEFT__STACK_MAX];
    char name[WEFT__TASK_NAME_MAX];
    const struct weft__note *note;
    const struct weft__origin *origin;

    if (!weft__observes(loop, WEFT__CHECK_STALE)) {
        return;
    }
    note = weft__note_of(loop->observer, (uintptr_t)handle);
    origin = note ? NULL : weft__origin_of(loop->observer, (uintptr_t)handle);
    report.message = "a handle is used that is spent";
    if (note) {
        report.message = note->ended ? "has ended, and its handle was spent before this use of it" :
                                       "is used by a handle whose holds are spent";
        describe_former(note, &report, name);
        if (!note->ended) {
            report.task_name = weft_task_get_name((weft_task *)(uintptr_t)handle);
        }
    } else if (origin) {
        report.message = "a coroutine is used that was awaited, made a task or closed before";
        report.made = origin->made_count ? origin->made : NULL;
        report.made_count = origin->made_count;
    }
    report.stack_count = weft__stack_here(stack, WEFT__STACK_MAX);
    report.stack = stack;
    report.exact = report.stack_count;
    weft__report(loop, &report);
}
