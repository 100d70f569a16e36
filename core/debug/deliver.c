/* SPDX-License-Identifier: MIT
 * A report on its way: what debug mode knows of the task is added, and what was not asked for stays
 * behind. */
#include "core/debug/more.h"
#include "core/debug/stack.h"

#include <string.h>

/* What a report points to while it is delivered. */
struct room {
    weft_frame chain[WEFT__CHAIN_MAX];
    const void *stack[WEFT__STACK_MAX];
};

uint32_t weft__chain_of(const struct weft__task *task, weft_frame *ret_chain, uint32_t max)
{
    uint32_t count = 0;

    for (const struct weft__frame *f = task->frame; f && count < max; f = f->outer) {
        ret_chain[count++] = (weft_frame){ f->def->name, f->def->file, (int)f->def->line };
    }
    return count;
}

static void add_chain(const struct weft__task *task, weft_report *report, struct room *room)
{
    if (!report->frames) {
        report->frames_count = weft__chain_of(task, room->chain, WEFT__CHAIN_MAX);
        report->frames = report->frames_count ? room->chain : NULL;
    }
    if (!report->stack && !task->outcome.done && task->waiting &&
        weft__observes(task->loop, WEFT__CHECK_MADE)) {
        report->stack_count = weft__stack_of(task, room->stack, WEFT__STACK_MAX, &report->exact);
        report->stack = report->stack_count ? room->stack : NULL;
    }
}

static void add(struct weft__loop *loop, weft_report *report, struct room *room)
{
    int r = 0;
    const struct weft__task *task = report->task ? weft__task_at(report->task, &r) : NULL;
    const struct weft__note *note = NULL;

    if (report->task && weft__observes(loop, WEFT__CHECK_MADE)) {
        note = weft__note_of(loop->observer, (uintptr_t)report->task);
    }
    if (note && !report->made && report->kind != WEFT_REPORT_FD) {
        report->made = note->made;
        report->made_count = note->made_count;
    }
    if (task && task->loop == loop) {
        add_chain(task, report, room);
    }
}

/* A text for the recorder, which keeps it: the message may be gone by then. */
static const char *name_of(const weft_report *report)
{
    static const char *const names[] = {
        [WEFT_REPORT_OTHER] = "by the program",
        [WEFT_REPORT_FAILED] = "a failure that nobody read",
        [WEFT_REPORT_PENDING] = "a task had not ended",
        [WEFT_REPORT_CORO_NEVER_AWAITED] = "a coroutine was never awaited",
        [WEFT_REPORT_TASK_NEVER_AWAITED] = "a task was never awaited",
        [WEFT_REPORT_SCOPE_OPEN] = "a scope was not left",
        [WEFT_REPORT_SLOW_END] = "the end is slow",
        [WEFT_REPORT_LOCK_HELD] = "an owner has ended",
        [WEFT_REPORT_SLOW] = "a turn was too long",
        [WEFT_REPORT_LEAKS] = "something is left",
        [WEFT_REPORT_DEADLOCK] = "a deadlock",
        [WEFT_REPORT_CANCEL_IGNORED] = "a cancel was ignored",
        [WEFT_REPORT_STARVED] = "a task starved",
        [WEFT_REPORT_WRONG_THREAD] = "a call in the wrong thread",
        [WEFT_REPORT_STALE] = "a spent handle was used",
        [WEFT_REPORT_UNCLOSED] = "something was not closed",
        [WEFT_REPORT_FD] = "a descriptor was used wrongly",
    };
    unsigned kind = (unsigned)report->kind;

    return kind < WEFT__COUNT(names) && names[kind] ? names[kind] : "another one";
}

/* Reports that tell the same as another one which is on, or that nobody asked for. */
static bool is_wanted(const struct weft__loop *loop, const weft_report *report)
{
    switch (report->kind) {
    case WEFT_REPORT_CORO_NEVER_AWAITED:
    case WEFT_REPORT_TASK_NEVER_AWAITED:
        return loop->handler || weft__observes(loop, WEFT__CHECK_AWAITS);
    case WEFT_REPORT_PENDING: return loop->handler || !loop->observer->told_leaks;
    default: return true;
    }
}

void weft__deliver(struct weft__loop *loop, weft_report *report)
{
    struct room room;

    if (!is_wanted(loop, report)) {
        return;
    }
    if (loop->observer->more && loop->observer->more->ring) {
        int r;
        const struct weft__task *task = report->task ? weft__task_at(report->task, &r) : NULL;

        weft__ring_add(loop->observer->more->ring, weft__ticks_now(&loop->observer->more->ticks),
                       WEFT__EVENT_REPORT, task ? task->id : 0, name_of(report), 0);
    }
    if (!loop->observer->reporting) {
        loop->observer->reporting = true;
        add(loop, report, &room);
        weft__report_as_it_is(loop, report);
        if (loop->observer) { /* a handler may have switched it off */
            loop->observer->reporting = false;
        }
    } else {
        weft__report_as_it_is(loop, report);
    }
}
