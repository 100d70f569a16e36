/* SPDX-License-Identifier: MIT
 * Scopes: entered, expired, left. */
#include "core/sched/scope.h"

#include <math.h>
#include <string.h>

static struct weft__scope *fail(struct weft__scope_ref *ref, int error, int *ret_error)
{
    *ref = (struct weft__scope_ref){ .error = error };
    *ret_error = error;
    return NULL;
}

/* Takes the innermost scope off its task, whose state may change by that. */
static WEFT__INLINE void leave_innermost(struct weft__task *task)
{
    struct weft__scope *scope = task->scopes;
    bool matters = scope->cancelled || scope->spent || scope->kind == WEFT__SCOPE_SHIELD;

    weft__timers_remove(&task->loop->timers, &scope->item);
    task->scopes = scope->outer;
    if (scope->kind == WEFT__SCOPE_ON_CANCEL) {
        task->callbacks--;
    }
    weft__pool_give(&task->loop->scopes, scope);
    if (matters) {
        weft__task_recheck(task);
    }
}

/* The same for one that an outer one's exit passes over. */
static void leave_passed(struct weft__task *task)
{
    if (task->scopes->kind == WEFT__SCOPE_GROUP) {
        weft__group_forgotten(task->scopes);
    }
    leave_innermost(task);
}

/* The same for one that nobody leaves any more. */
static void leave_forgotten(struct weft__task *task)
{
    weft_report report = {
        .kind = WEFT_REPORT_SCOPE_OPEN,
        .message = "a scope was entered and not left",
    };

    weft__task_describe(task, &report);
    if (task->frame) {
        report.coro = task->frame->def->name;
        report.file = task->frame->def->file;
        report.line = (int)task->frame->def->line;
    }
    weft__report(task->loop, &report);
    leave_passed(task);
}

void weft__scopes_forgotten(struct weft__task *task, struct weft__scope *outer)
{
    while (task->scopes && task->scopes != outer) {
        leave_forgotten(task);
    }
}

/* Whether the scope's frame is gone: it lies on the task's stack below the running one, or its
 * memory is about to be used for another scope. */
static bool is_stale(const struct weft__scope *scope, const struct weft__task *task,
                     const void *ref)
{
    uintptr_t at = (uintptr_t)scope->ref;

    return scope->ref == ref ||
           (at >= (uintptr_t)task->slot.low && at < (uintptr_t)__builtin_frame_address(0));
}

static WEFT__INLINE struct weft__scope *enter(void *memory, enum weft__scope_kind kind,
                                              int *ret_error)
{
    struct weft__scope_ref *ref = memory;
    int r = 0;
    struct weft__task *task;
    struct weft__scope *scope;

    if (!ref) {
        *ret_error = -EINVAL;
        return NULL;
    }
    task = weft__self(&r);
    if (!task) {
        return fail(ref, r, ret_error);
    }
    while (task->scopes && is_stale(task->scopes, task, ref)) {
        leave_forgotten(task);
    }
    scope = weft__pool_take(&task->loop->scopes);
    if (!scope) {
        return fail(ref, -ENOMEM, ret_error);
    }
    *ref = (struct weft__scope_ref){ .handle = scope->handle, .error = -EINVAL };
    scope->ref = ref;
    scope->item.kind = WEFT__ITEM_SCOPE;
    scope->item.place = 0;
    scope->item.queued = false;
    scope->outer = task->scopes;
    scope->task = task;
    scope->kind = (uint8_t)kind;
    scope->cancelled = scope->spent = scope->fired = false;
    task->scopes = scope;
    return scope;
}

/* An enter that failed half-way. */
static int undo(struct weft__scope *scope, int error)
{
    struct weft__scope_ref *ref = scope->ref;

    leave_innermost(scope->task);
    (void)fail(ref, error, &error);
    return error;
}

static WEFT__INLINE struct weft__scope *find(const void *memory, enum weft__scope_kind kind,
                                             int *ret_error)
{
    const struct weft__scope_ref *ref = memory;
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!ref || !task) {
        *ret_error = ref ? r : -EINVAL;
        return NULL;
    }
    for (struct weft__scope *scope = task->scopes; scope; scope = scope->outer) {
        if (scope->handle == ref->handle && scope->ref == ref && scope->kind == kind) {
            return scope;
        }
    }
    *ret_error = ref->handle == 0 && ref->error < 0 ? ref->error : -EINVAL;
    return NULL;
}

static WEFT__INLINE int leave_scope(struct weft__scope *scope)
{
    struct weft__task *task = scope->task;
    struct weft__scope_ref *ref = scope->ref;
    int r = 0;

    while (task->scopes != scope) {
        leave_passed(task);
        r = -EINVAL;
    }
    *ref = (struct weft__scope_ref){ .error = -EINVAL,
                                     .cancelled = scope->cancelled,
                                     .spent = scope->spent };
    leave_innermost(task);
    return r;
}

struct weft__scope *weft__scope_enter(void *ref, enum weft__scope_kind kind, int *ret_error)
{
    return enter(ref, kind, ret_error);
}

struct weft__scope *weft__scope_of(const void *ref, enum weft__scope_kind kind, int *ret_error)
{
    return find(ref, kind, ret_error);
}

int weft__scope_leave(struct weft__scope *scope)
{
    return leave_scope(scope);
}

/* What an exit does for all kinds. */
static WEFT__INLINE int leave(void *ref, enum weft__scope_kind kind, int status)
{
    int r = 0;
    struct weft__scope *scope = find(ref, kind, &r);

    if (!scope) {
        return r;
    }
    r = leave_scope(scope);
    return r < 0 ? r : status;
}

/* What becomes of a block that is left by itself. */
static void leave_quietly(void *ref, enum weft__scope_kind kind)
{
    int r;
    struct weft__scope *scope = find(ref, kind, &r);

    if (scope) {
        leave_scope(scope);
    }
}

void weft__scope_expire(struct weft__item *item)
{
    struct weft__scope *scope = WEFT__CONTAINER(item, struct weft__scope, item);

    if (scope->kind == WEFT__SCOPE_TIMEOUT) {
        scope->reason = weft__reason_of(scope->task, WEFT_CANCEL_DEADLINE, NULL);
        scope->reason.deadline = item->when;
    } else if (!weft__scope_is_cancelled_at(scope->task, scope->outer)) {
        return; /* a shield from which the cancel was taken back meanwhile */
    }
    scope->spent = true;
    weft__task_recheck(scope->task);
}

void weft__scope_cancel(struct weft__scope *scope, const struct weft__reason *reason)
{
    if (scope->cancelled) {
        return;
    }
    scope->cancelled = true;
    if (!scope->spent) {
        scope->reason = *reason;
    }
    weft__task_recheck(scope->task);
}

/* ---- plain scopes ---- */

int weft_scope_enter(weft_scope *scope)
{
    int r = 0;

    return enter(scope, WEFT__SCOPE_PLAIN, &r) ? 0 : r;
}

int weft_scope_exit(weft_scope *scope, int status)
{
    return leave(scope, WEFT__SCOPE_PLAIN, status);
}

/* The living scope behind a public struct, for whatever task of the running loop. */
static struct weft__scope *look(const void *memory)
{
    const struct weft__scope_ref *ref = memory;
    int r;

    return ref && ref->handle ? weft__cell_of((const void *)ref->handle, &r) : NULL;
}

int weft_scope_cancel(weft_scope *public_scope, const char *message)
{
    struct weft__scope *scope = look(public_scope);
    struct weft__reason reason;
    int r;

    if (!scope) {
        return -EINVAL;
    }
    r = weft__loop_check(scope->task->loop);
    if (r < 0) {
        return r;
    }
    reason = weft__reason_of(scope->task, WEFT_CANCEL_SCOPE, message);
    weft__scope_cancel(scope, &reason);
    return 0;
}

bool weft_scope_cancelled(const weft_scope *public_scope)
{
    const struct weft__scope *scope = look(public_scope);
    const struct weft__scope_ref *ref = (const void *)public_scope;

    return scope ? scope->cancelled : ref && ref->cancelled;
}

void weft_scope_leave(weft_scope *scope)
{
    leave_quietly(scope, WEFT__SCOPE_PLAIN);
}

/* ---- timeouts ---- */

/* Gives a timeout its deadline, or lets it expire at once. */
static int set_deadline(struct weft__scope *scope, int64_t when, bool none)
{
    struct weft__loop *loop = scope->task->loop;
    int64_t now;

    scope->item.when = none ? WEFT__NEVER : when;
    if (none) {
        return 0;
    }
    now = weft__loop_now(loop);
    if (when <= now) {
        weft__scope_expire(&scope->item);
        return 0;
    }
    weft__loop_set_deadline(loop, now, when);
    return weft__timers_add(&loop->timers, &scope->item);
}

int weft_timeout_enter(weft_timeout *public_scope, double delay)
{
    int r = 0;
    struct weft__scope *scope = enter(public_scope, WEFT__SCOPE_TIMEOUT, &r);
    int64_t ns, now;

    if (!scope) {
        return r;
    }
    r = weft__seconds_to_ns(delay, &ns);
    if (r < 0) {
        return undo(scope, r);
    }
    now = weft__loop_now(scope->task->loop);
    if (ns <= 0) {
        scope->item.when = now;
        weft__scope_expire(&scope->item);
        return 0;
    }
    scope->item.when = WEFT__NEVER;
    if (!isinf(delay)) {
        scope->item.when = weft__time_after(now, ns);
        weft__loop_set_deadline(scope->task->loop, now, scope->item.when);
        r = weft__timers_add(&scope->task->loop->timers, &scope->item);
    }
    return r < 0 ? undo(scope, r) : 0;
}

int weft_timeout_enter_at(weft_timeout *public_scope, double when)
{
    int r = 0;
    struct weft__scope *scope = enter(public_scope, WEFT__SCOPE_TIMEOUT, &r);
    int64_t ns;

    if (!scope) {
        return r;
    }
    r = weft__seconds_to_ns(when, &ns);
    r = r < 0 ? r : set_deadline(scope, ns, isinf(when) && when > 0);
    return r < 0 ? undo(scope, r) : 0;
}

int weft_timeout_reschedule(weft_timeout *public_scope, double when)
{
    int64_t ns, before;
    int error = 0, r = weft__seconds_to_ns(when, &ns);
    struct weft__scope *scope = find(public_scope, WEFT__SCOPE_TIMEOUT, &error);

    if (!scope || r < 0) {
        return scope ? r : error;
    }
    if (scope->spent) {
        return -EALREADY;
    }
    before = scope->item.when;
    weft__timers_remove(&scope->task->loop->timers, &scope->item);
    r = set_deadline(scope, ns, isinf(when) && when > 0);
    if (r < 0) {
        scope->item.when = before;
        /* There was room for this one a moment ago. */
        (void)weft__timers_add(&scope->task->loop->timers, &scope->item);
    }
    return r;
}

double weft_timeout_when(const weft_timeout *public_scope)
{
    const struct weft__scope *scope = look(public_scope);

    if (!scope) {
        return NAN;
    }
    if (scope->item.when == WEFT__NEVER) {
        return INFINITY;
    }
    return (double)scope->item.when / (double)WEFT__SECOND;
}

bool weft_timeout_expired(const weft_timeout *public_scope)
{
    const struct weft__scope *scope = look(public_scope);
    const struct weft__scope_ref *ref = (const void *)public_scope;

    return scope ? scope->spent : ref && ref->spent;
}

int weft_timeout_exit(weft_timeout *scope, int status)
{
    int r = leave(scope, WEFT__SCOPE_TIMEOUT, status);

    if (r == -ECANCELED && weft_timeout_expired(scope) && !weft_cancelled()) {
        return -ETIMEDOUT;
    }
    return r;
}

void weft_timeout_leave(weft_timeout *scope)
{
    leave_quietly(scope, WEFT__SCOPE_TIMEOUT);
}

/* ---- shields ---- */

int weft_shield_enter(weft_shield *public_scope, double limit)
{
    int r = 0;
    struct weft__scope *scope = enter(public_scope, WEFT__SCOPE_SHIELD, &r);
    int64_t ns;

    if (!scope) {
        return r;
    }
    scope->limit = WEFT__NEVER;
    r = weft__seconds_to_ns(limit, &ns);
    if (r < 0) {
        return undo(scope, r);
    }
    scope->limit = isinf(limit) && limit > 0 ? WEFT__NEVER : ns;
    weft__task_recheck(scope->task);
    return 0;
}

int weft_shield_exit(weft_shield *scope, int status)
{
    return leave(scope, WEFT__SCOPE_SHIELD, status);
}

void weft_shield_leave(weft_shield *scope)
{
    leave_quietly(scope, WEFT__SCOPE_SHIELD);
}

/* ---- callbacks on a cancel ---- */

int weft_on_cancel_enter(weft_on_cancel *public_scope, weft_callback *callback, void *arg)
{
    int r = 0;
    struct weft__scope *scope = enter(public_scope, WEFT__SCOPE_ON_CANCEL, &r);

    if (!scope) {
        return r;
    }
    scope->callback = callback;
    scope->arg = arg;
    scope->task->callbacks++;
    if (!callback) {
        return undo(scope, -EINVAL);
    }
    if (scope->task->cancelled) {
        scope->fired = true;
        callback(arg);
    }
    return 0;
}

int weft_on_cancel_exit(weft_on_cancel *scope, int status)
{
    return leave(scope, WEFT__SCOPE_ON_CANCEL, status);
}
