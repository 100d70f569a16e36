/* SPDX-License-Identifier: MIT
 * Task groups: a scope with children.
 *
 * A child carries a record of its part in the group, so that a task that belongs to none pays for
 * one pointer.  The group is a cell of its loop: exit does not give it back before the last child
 * has left the ring. */
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/sched/handle.h"
#include "core/sched/scope.h"

#include <stdio.h>
#include <string.h>
#include <weft/group.h>

struct weft__group {
    struct weft__scope scope;
    struct weft__list children; /* weft__child */
    uint32_t flags;
    int32_t error;        /* the first failure */
    bool leaving;         /* exit is waiting */
    bool aborted;         /* a failure, or the group's own cancel, has cancelled it */
    bool outside;         /* a cancel from outside was passed on to the children */
    bool child_cancelled; /* ... and a child ended by it */
    struct weft__group_errors *errors;
};

_Static_assert(sizeof(struct weft__group) <= WEFT__SCOPE_CELL, "a cell's size");
_Static_assert(sizeof(weft_task_group) == sizeof(weft_scope), "what a scope leaves in it");

/* weft_task_group_start() at work. */
struct weft__starting {
    struct weft__task *waiter;
    struct weft__task *child;
    int status;
    void *value;
    bool over;
};

/* Failures, in the order in which they came. */
struct weft__group_errors {
    const void *group; /* the public struct whose they are; that memory may be gone */
    size_t count, room;
    weft_task_error errors[];
};

/* The group that is entered behind a public struct, for whatever task of its loop; NULL and
 * -EINVAL, -ESHUTDOWN or -EXDEV. */
static struct weft__group *group_of(const weft_task_group *public_group, int *ret_error)
{
    const struct weft__scope_ref *ref = (const void *)public_group;
    struct weft__scope *scope = NULL;
    int r = ref ? -ESHUTDOWN : -EINVAL, stale;

    if (ref && ref->handle) {
        scope = weft__cell_of((const void *)ref->handle, &stale);
    }
    if (scope && scope->task->loop != weft__running) {
        r = -EXDEV;
        scope = NULL;
    }
    *ret_error = r;
    return (struct weft__group *)(void *)scope;
}

/* ---- failures ---- */

void weft__group_errors_free(struct weft__task *task)
{
    weft__free(task->errors);
    task->errors = NULL;
}

static void keep_error(struct weft__group *group, int status, struct weft__task *task,
                       const weft_coro_def *def)
{
    struct weft__group_errors *errors = group->errors;
    size_t room = errors ? errors->room : 0;
    weft_task_error *error;

    if (group->error == 0) {
        group->error = status;
    }
    if (!errors || errors->count == room) {
        room = room ? room * 2 : 4;
        errors = weft__alloc(group->errors, sizeof *errors + room * sizeof *error);
        if (!errors) {
            return; /* the first one's status is kept all the same */
        }
        errors->count = group->errors ? errors->count : 0;
        errors->group = group->scope.ref;
        errors->room = room;
        group->errors = errors;
    }
    error = &errors->errors[errors->count++];
    error->status = status;
    error->coro = def ? def->name : NULL;
    snprintf(error->name, sizeof error->name, "%s", weft_task_get_name(weft__task_handle(task)));
}

/* ---- cancelling ---- */

static void cancel_children(struct weft__group *group, const struct weft__reason *reason)
{
    for (struct weft__list *link = group->children.next; link != &group->children;
         link = link->next) {
        weft__task_cancel(WEFT__CONTAINER(link, struct weft__child, link)->task, reason);
    }
}

/* Stops the children and the body, once. */
static void abort_group(struct weft__group *group, const struct weft__reason *reason)
{
    if (group->aborted) {
        return;
    }
    group->aborted = true;
    if (!group->outside) {
        cancel_children(group, reason); /* each once */
    }
    weft__scope_cancel(&group->scope, reason);
}

static void fail(struct weft__group *group, int status, struct weft__task *task,
                 const weft_coro_def *def)
{
    struct weft__reason reason = weft__reason_by(task, WEFT_CANCEL_SIBLING);

    reason.status = status;
    keep_error(group, status, task, def);
    abort_group(group, &reason);
}

/* ---- children ---- */

static void end_start(struct weft__starting *starting, int status, void *value)
{
    starting->over = true;
    starting->status = status;
    starting->value = value;
    if (starting->waiter->waiting) {
        weft__wake(starting->waiter, 0);
    }
}

void weft__child_ended(struct weft__task *task, int status)
{
    struct weft__child *child = task->child;
    struct weft__group *group = child->group;
    struct weft__task *parent = group->scope.task;

    task->child = NULL;
    task->outcome.seen = true; /* the group has read it */
    weft__list_remove(&child->link);
    if (child->ret_status) {
        *child->ret_status = status;
    }
    if (child->starting) {
        end_start(child->starting, status < 0 ? status : -EPROTO, NULL);
    } else if (status == -ECANCELED) {
        group->child_cancelled |= group->outside; /* by itself it concerns nobody */
    } else if (status < 0 && group->flags & WEFT_GROUP_SUPERVISOR) {
        keep_error(group, status, task, task->main.def);
    } else if (status < 0) {
        fail(group, status, task, task->main.def);
    }
    weft__pool_give(&task->loop->handles, child);
    if (group->leaving && weft__list_empty(&group->children) && parent->waiting) {
        weft__wake(parent, 0);
    }
}

/* Makes a child and lets it begin; `starting` is NULL or waits for it. */
static weft_task *make_child(weft_task_group *public_group, weft_coro *coro,
                             const weft_task_options *options, struct weft__starting *starting,
                             int *ret_error)
{
    struct weft__group *group = group_of(public_group, ret_error);
    struct weft__child *child = group ? weft__pool_take(&group->scope.task->loop->handles) : NULL;
    struct weft__task *task;
    weft_task *handle;

    if (!child) {
        *ret_error = group ? -ENOMEM : *ret_error;
        weft__coro_discard(coro);
        return NULL;
    }
    task = weft__task_make(group->scope.task->loop, coro, options, ret_error);
    if (!task) {
        weft__pool_give(&group->scope.task->loop->handles, child);
        return NULL;
    }
    child->group = group;
    child->task = task;
    child->ret_status = options ? options->ret_status : NULL;
    child->starting = starting;
    weft__list_push(&group->children, &child->link);
    task->child = child;
    task->outcome.holds = 0;
    if (starting) {
        starting->child = task;
    }
    if (group->aborted || group->outside) {
        struct weft__reason reason = group->scope.reason;

        reason.kind = reason.kind ? reason.kind : WEFT_CANCEL_AWAITER;
        weft__task_cancel(task, &reason);
    }
    handle = weft__task_handle(task); /* an eager one may be gone when it has begun */
    weft__task_begin(task, options);
    return handle;
}

weft_task *weft_task_group_create_task(weft_task_group *group, weft_coro *coro,
                                       const weft_task_options *options)
{
    int r = 0;
    weft_task *task;

    if (weft__tag_error(coro)) {
        return weft__failed(weft__tag_error(coro));
    }
    task = make_child(group, coro, options, NULL, &r);
    return task ? task : weft__failed(r);
}

static void interrupt_start(struct weft__task *task)
{
    struct weft__starting *starting = task->target;

    if (!starting->over) {
        weft__task_cancel_by(starting->child, task, WEFT_CANCEL_AWAITER, NULL);
    }
}

static const struct weft__wait wait_start = {
    "child to start", interrupt_start, NULL,
    { { WEFT__SEES_TASK, 0, offsetof(struct weft__starting, child), 0 } }
};

int weft_task_group_start(weft_task_group *group, weft_coro *coro, const weft_task_options *options,
                          void **ret_value)
{
    int r = 0;
    struct weft__starting starting = { .waiter = weft__self(&r) };

    if (!starting.waiter) {
        weft__coro_discard(coro);
        return r;
    }
    if (!make_child(group, coro, options, &starting, &r)) {
        return r;
    }
    if (!starting.over) {
        weft__task_park(starting.waiter, &wait_start, &starting);
    }
    if (starting.status == 0 && ret_value) {
        *ret_value = starting.value;
    }
    return starting.status;
}

int weft_started(void *value)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);
    struct weft__starting *starting;

    if (!task) {
        return r;
    }
    starting = task->child ? task->child->starting : NULL;
    if (!starting) {
        return -EALREADY;
    }
    task->child->starting = NULL;
    end_start(starting, 0, value);
    return 0;
}

/* ---- the group ---- */

int weft_task_group_enter_with(weft_task_group *public_group, unsigned flags)
{
    int r = -EINVAL;
    struct weft__group *group = NULL;

    if (!(flags & ~(unsigned)WEFT_GROUP_SUPERVISOR)) {
        group = (void *)weft__scope_enter(public_group, WEFT__SCOPE_GROUP, &r);
    }
    if (!group) {
        return r;
    }
    if (group->scope.task->errors && group->scope.task->errors->group == public_group) {
        group->scope.task->errors->group = NULL; /* another group's, in the same place */
    }
    weft__list_init(&group->children);
    memset(&group->scope.reason, 0, sizeof group->scope.reason);
    group->flags = flags;
    group->error = 0;
    group->leaving = group->aborted = group->outside = group->child_cancelled = false;
    group->errors = NULL;
    return 0;
}

int weft_task_group_enter(weft_task_group *group)
{
    return weft_task_group_enter_with(group, 0);
}

int weft_task_group_cancel(weft_task_group *public_group)
{
    int r = 0;
    struct weft__group *group = group_of(public_group, &r);
    struct weft__reason reason;

    if (!group) {
        return r == -ESHUTDOWN ? -EINVAL : r;
    }
    reason = weft__reason_of(group->scope.task, WEFT_CANCEL_SCOPE, NULL);
    abort_group(group, &reason);
    return 0;
}

/* Passes a cancel from outside on to the children, once. */
static void pass_on(struct weft__group *group)
{
    if (!group->outside) {
        group->outside = true;
        if (!group->aborted) {
            struct weft__reason reason = weft__reason_by(group->scope.task, WEFT_CANCEL_AWAITER);

            cancel_children(group, &reason);
        }
    }
}

/* A cancel reaches a parent that waits for its children. */
static void interrupt_exit(struct weft__task *task)
{
    struct weft__group *group = task->target;

    if (!group->aborted) {
        pass_on(group);
    }
}

/* It waits for all of them. */
static uint32_t children(const struct weft__task *task, struct weft__task **ret_tasks, uint32_t max)
{
    const struct weft__group *group = task->target;
    uint32_t count = 0;

    for (const struct weft__list *link = group->children.next;
         link != &group->children && count < max; link = link->next) {
        ret_tasks[count++] = WEFT__CONTAINER(link, struct weft__child, link)->task;
    }
    return count;
}

static const struct weft__wait wait_group = {
    "task group", interrupt_exit, children, { { WEFT__SEES_GROUP, 0, -1, 0 } }
};

static void wait_for_children(struct weft__group *group, struct weft__task *task)
{
    group->leaving = true;
    while (!weft__list_empty(&group->children)) {
        weft__task_park(task, &wait_group, group);
    }
}

/* Hands the list of failures over to the task, which keeps one. */
static void keep_errors(struct weft__group *group, struct weft__task *task)
{
    if (group->errors) {
        weft__free(task->errors);
        task->errors = group->errors;
    }
}

void weft__group_forgotten(struct weft__scope *scope)
{
    struct weft__group *group = (struct weft__group *)(void *)scope;

    pass_on(group);
    wait_for_children(group, scope->task);
    keep_errors(group, scope->task);
}

/* What a group whose children have all ended came to. */
static int result(const struct weft__group *group, int status)
{
    const struct weft__scope *scope = &group->scope;

    if (group->error) {
        return group->error;
    }
    if (status == -ECANCELED && group->aborted &&
        !weft__scope_is_cancelled_at(scope->task, scope->outer)) {
        return 0; /* the group's own cancel */
    }
    return group->outside && group->child_cancelled ? -ECANCELED : status;
}

int weft_task_group_exit(weft_task_group *public_group, int status)
{
    int r = 0;
    struct weft__scope *scope = weft__scope_of(public_group, WEFT__SCOPE_GROUP, &r);
    struct weft__group *group = (struct weft__group *)(void *)scope;
    struct weft__task *task;

    if (!group) {
        return r;
    }
    task = scope->task;
    if (task->scopes != scope) {
        weft__scopes_forgotten(task, scope);
        r = -EINVAL;
    }
    if (status < 0 && status != -ECANCELED) {
        fail(group, status, task, NULL);
    } else if (status == -ECANCELED && !group->aborted) {
        pass_on(group);
    }
    wait_for_children(group, task);
    keep_errors(group, task);
    r = r < 0 ? r : result(group, status);
    weft__scope_leave(scope);
    return r;
}

int weft_task_group_errors(const weft_task_group *public_group, weft_task_error *ret_errors,
                           size_t max)
{
    int r = 0;
    struct weft__task *task = public_group ? weft__self(&r) : NULL;
    const struct weft__group_errors *errors;

    if (!task) {
        return public_group ? r : -EINVAL;
    }
    errors = task->errors;
    if (!errors || errors->group != public_group) {
        return 0;
    }
    for (size_t i = 0; i < errors->count && i < max && ret_errors; i++) {
        ret_errors[i] = errors->errors[i];
    }
    return (int)errors->count;
}
