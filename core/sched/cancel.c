/* SPDX-License-Identifier: MIT
 * Cancellation: a state that is found by looking outward, and what happens when it comes. */
#include "core/sched/scope.h"

#include "core/base/probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first cause on the way outward from a place in the task's chain; NULL when there is none. */
static const struct weft__reason *cause(const struct weft__task *task,
                                        const struct weft__scope *scope)
{
    for (; scope; scope = scope->outer) {
        if (scope->cancelled || (scope->spent && scope->kind == WEFT__SCOPE_TIMEOUT)) {
            return &scope->reason;
        }
        if (scope->kind == WEFT__SCOPE_SHIELD && !scope->spent) {
            return NULL;
        }
    }
    return task->cancels > 0 ? &task->reason : NULL;
}

bool weft__scope_is_cancelled_at(const struct weft__task *task, const struct weft__scope *scope)
{
    return cause(task, scope) != NULL;
}

/* A shield's limit runs from when there is something that it keeps off; begins anew when that was
 * taken back.  Returns whether a shield is gone at once: then those inside it are needed. */
static bool arm_shields(struct weft__task *task)
{
    struct weft__timers *timers = &task->loop->timers;
    bool gone = false;

    for (struct weft__scope *scope = task->scopes; scope; scope = scope->outer) {
        bool needed;

        if (scope->kind != WEFT__SCOPE_SHIELD || scope->spent || scope->limit == WEFT__NEVER) {
            continue;
        }
        needed = weft__scope_is_cancelled_at(task, scope->outer);
        if (!needed && scope->item.place) {
            weft__timers_remove(timers, &scope->item);
        } else if (needed && !scope->item.place) {
            scope->item.when =
                weft__time_after(weft__loop_now(task->loop), scope->limit > 0 ? scope->limit : 0);
            /* Without memory for its limit there is no shield. */
            scope->spent = scope->limit <= 0 || weft__timers_add(timers, &scope->item) < 0;
            gone |= scope->spent;
        }
    }
    return gone;
}

/* Calls what waits for a cancel at its place, each once. */
static void call_back(struct weft__task *task)
{
    for (struct weft__scope *scope = task->scopes; scope; scope = scope->outer) {
        if (scope->kind == WEFT__SCOPE_ON_CANCEL && !scope->fired &&
            weft__scope_is_cancelled_at(task, scope->outer)) {
            scope->fired = true;
            scope->callback(scope->arg);
        }
    }
}

static void recheck(struct weft__task *task)
{
    bool before = task->cancelled;

    if (task->scopes) {
        while (arm_shields(task)) {}
        task->cancelled = weft__scope_is_cancelled_at(task, task->scopes);
        if (task->callbacks) {
            call_back(task);
        }
    } else {
        task->cancelled = task->cancels > 0;
    }
    if (task->cancelled && !before && task->waiting) {
        task->waiting->interrupt(task);
    }
}

void weft__task_recheck(struct weft__task *task)
{
    struct weft__loop *loop = task->loop;

    if (loop->rechecking) {
        if (!task->to_recheck) { /* the call under way does it: nothing recurs on a long chain */
            task->to_recheck = true;
            task->next_recheck = loop->rechecks;
            loop->rechecks = task;
        }
        return;
    }
    loop->rechecking = true;
    recheck(task);
    while ((task = loop->rechecks)) {
        loop->rechecks = task->next_recheck;
        task->to_recheck = false;
        recheck(task);
    }
    loop->rechecking = false;
}

/* Field by field, and where it is to stay: a copy right after it was written waits until the writes
 * have reached the cache, which took longer than all else that a cancel does. */
static void give_reason(struct weft__reason *reason, const struct weft__task *author,
                        weft_cancel_kind kind, const char *message)
{
    reason->kind = kind;
    reason->status = 0;
    reason->deadline = 0;
    reason->message = message;
    reason->def = NULL;
    reason->by_id = 0;
    reason->by[0] = '\0';
    if (author) {
        reason->def = author->frame ? author->frame->def : author->main.def;
        reason->by_id = author->id;
        memcpy(reason->by, author->name, author->name[0] ? sizeof reason->by : 1);
    }
}

/* The running task, when it may be the author of what happens to `task`. */
static const struct weft__task *author_of(const struct weft__task *task)
{
    return task->loop == weft__running ? task->loop->current : NULL;
}

struct weft__reason weft__reason_by(const struct weft__task *author, weft_cancel_kind kind)
{
    struct weft__reason reason;

    give_reason(&reason, author, kind, NULL);
    return reason;
}

struct weft__reason weft__reason_of(const struct weft__task *task, weft_cancel_kind kind,
                                    const char *message)
{
    struct weft__reason reason;

    give_reason(&reason, kind == WEFT_CANCEL_DEADLINE ? NULL : author_of(task), kind, message);
    return reason;
}

void weft__task_cancel(struct weft__task *task, const struct weft__reason *reason)
{
    WEFT__PROBE2(task_cancelled, task->id, reason->kind);
    if (task->cancels++ == 0) { /* a further one changes nothing */
        task->reason = *reason;
        weft__task_recheck(task);
    }
}

void weft__task_cancel_by(struct weft__task *task, const struct weft__task *author,
                          weft_cancel_kind kind, const char *message)
{
    WEFT__PROBE2(task_cancelled, task->id, kind);
    if (task->cancels++ == 0) {
        give_reason(&task->reason, author, kind, message);
        weft__task_recheck(task);
    }
}

static int cancel(weft_task *handle, const char *message)
{
    int r = 0;
    struct weft__task *task = weft__task_of(handle, &r);

    if (!task || task->outcome.done) {
        return task ? -ESRCH : r;
    }
    weft__task_cancel_by(task, author_of(task), WEFT_CANCEL_REQUEST, message);
    return 0;
}

int weft_task_cancel(weft_task *task)
{
    return cancel(task, NULL);
}

int weft_task_cancel_because(weft_task *task, const char *message)
{
    return cancel(task, message);
}

int weft_task_uncancel(weft_task *handle)
{
    int r = 0;
    struct weft__task *task = weft__task_of(handle, &r);

    if (!task) {
        return r;
    }
    if (task->cancels > 0 && --task->cancels == 0) {
        weft__task_recheck(task);
    }
    return task->cancels;
}

int weft_task_cancelling(weft_task *handle)
{
    int r = 0;
    struct weft__task *task = weft__task_of(handle, &r);

    return task ? task->cancels : r;
}

bool weft_cancelled(void)
{
    struct weft__loop *loop = weft__running;

    return loop && loop->current && loop->current->cancelled;
}

int weft_task_cancel_reason(weft_task *handle, weft_cancel_reason *ret_reason)
{
    int r = -EINVAL;
    struct weft__task *task = NULL;
    const struct weft__reason *reason;

    if (ret_reason) {
        task = handle ? weft__task_of(handle, &r) : weft__self(&r);
    }
    if (!task) {
        return r;
    }
    reason = cause(task, task->scopes);
    if (!reason) {
        return -ENOENT;
    }
    *ret_reason = (weft_cancel_reason){
        .kind = reason->kind,
        .status = reason->status,
        .deadline = (double)reason->deadline / (double)WEFT__SECOND,
        .message = reason->message,
    };
    if (reason->def) {
        ret_reason->coro = reason->def->name;
        ret_reason->file = reason->def->file;
        ret_reason->line = (int)reason->def->line;
    }
    weft__task_format_name(ret_reason->by, reason->by, reason->by_id);
    return 0;
}

double weft_current_deadline(void)
{
    int r;
    struct weft__task *task = weft__self(&r);
    int64_t earliest = WEFT__NEVER;

    if (!task) {
        return INFINITY;
    }
    if (task->cancelled) {
        return -INFINITY;
    }
    for (struct weft__scope *scope = task->scopes; scope; scope = scope->outer) {
        bool armed = scope->kind == WEFT__SCOPE_TIMEOUT || scope->item.place;

        if (armed && scope->item.when < earliest) {
            earliest = scope->item.when;
        }
        if (scope->kind == WEFT__SCOPE_SHIELD && !scope->spent) {
            break;
        }
    }
    return earliest >= WEFT__NEVER - 1 ? INFINITY : (double)earliest / (double)WEFT__SECOND;
}
