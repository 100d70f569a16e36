/* SPDX-License-Identifier: MIT
 * A task leaves that is cancelled, or waits: whether it goes on as if nothing were. */
#include "core/debug/checks.h"

#include "core/debug/stack.h"

#include <stdio.h>

#define REFUSED_MOST 16 /* waits that a cancelled task may begin for its cleanup */

/* Where it is cancelled each new wait fails at once; one that still begins them does not stop. */
static void count_refusal(struct weft__observer *observer, struct weft__task *task,
                          struct weft__note *note)
{
    int64_t now = atomic_load_explicit(&observer->clock, memory_order_relaxed);
    weft_report report = { .kind = WEFT_REPORT_CANCEL_IGNORED };
    const void *stack[WEFT__STACK_MAX];
    char what[96];
    bool much;

    if (!note->cancelled_at) {
        note->cancelled_at = now;
        note->refused = 0;
    }
    note->refused++;
    much = note->refused > REFUSED_MOST ||
           (note->refused > 2 && now - note->cancelled_at >= observer->words.cancel_ns);
    if (!much || note->told_cancel) {
        return;
    }
    note->told_cancel = true;
    (void)snprintf(what, sizeof what,
                   "%u of its waits have returned -ECANCELED, and it began others", note->refused);
    report.message = "was cancelled and goes on";
    report.what = what;
    report.seconds = 0;
    report.stack_count = weft__stack_here(stack, WEFT__STACK_MAX);
    report.stack = stack;
    report.exact = report.stack_count;
    weft__task_describe(task, &report);
    if (task->frame) {
        report.coro = task->frame->def->name;
        report.file = task->frame->def->file;
        report.line = (int)task->frame->def->line;
    }
    weft__observe_report(observer->loop, &report);
}

void weft__checks_leave(struct weft__observer *observer, struct weft__task *task)
{
    struct weft__note *note = task->note;
    uint32_t checks = observer->words.checks;

    if (task->waiting) {
        if (note && !task->cancelled) {
            note->cancelled_at = 0;
        }
        if (checks & WEFT__CHECK_DEADLOCK && task->waiting->targets) {
            weft__deadlock_follow(observer, task);
        }
    } else if (note && checks & WEFT__CHECK_CANCEL && !observer->loop->gives_way) {
        count_refusal(observer, task, note);
    }
    observer->loop->gives_way = false;
}
