/* SPDX-License-Identifier: MIT
 * Scopes, inside: one struct for every kind, in a chain for each task, the innermost first.
 *
 * A task is cancelled where it is when the way outward meets a scope that was cancelled or has
 * expired, or ends with a count of cancels, before it meets an active shield.  weft__task_recheck()
 * finds out after each change and keeps the answer in task->cancelled, which is all that new waits
 * look at. */
#ifndef WEFT_CORE_SCOPE_H
#define WEFT_CORE_SCOPE_H

#include "core/base/list.h"
#include "core/sched/handle.h"
#include "core/sched/task.h"

#include <weft/cancel.h>
#include <weft/scope.h>

#define WEFT__SCOPE_CELL 256u /* bytes of a scope or a group in the loop's pool */

enum weft__scope_kind {
    WEFT__SCOPE_PLAIN,
    WEFT__SCOPE_TIMEOUT,
    WEFT__SCOPE_SHIELD,
    WEFT__SCOPE_ON_CANCEL,
    WEFT__SCOPE_GROUP,
};

/* What the public structs are made of.  They lie in a frame that may return without leaving; all
 * that others point to is the cell. */
struct weft__scope_ref {
    uintptr_t handle; /* of the cell, while it is entered */
    int32_t error;    /* of an enter that failed; then, -EINVAL */
    bool cancelled;   /* what became of it, after the exit */
    bool spent;
};

_Static_assert(sizeof(struct weft__scope_ref) <= sizeof(weft_scope), "the public size");

/* A cell of the loop's pool. */
struct weft__scope {
    uintptr_t handle;
    struct weft__scope_ref *ref; /* only to be compared: that memory may be gone */
    struct weft__item item;      /* its deadline: a timeout's, or a shield's that is pressed */
    struct weft__scope *outer;
    struct weft__task *task;
    uint8_t kind; /* weft__scope_kind */
    bool cancelled;
    bool spent; /* a timeout has expired, or a shield's limit has passed */
    bool fired; /* the callback was called */
    struct weft__reason reason; /* of `cancelled` or an expiry */
    int64_t limit;              /* a shield's, ns */
    weft_callback *callback;    /* on a cancel */
    void *arg;
};

_Static_assert(offsetof(struct weft__scope, ref) == offsetof(struct weft__cell, next), "a cell");

/* A task's part in a group: a cell of the loop's pool for handles, which are as large. */
struct weft__child {
    uintptr_t handle;
    struct weft__list link; /* in the group */
    struct weft__group *group;
    struct weft__task *task;
    int *ret_status;
    struct weft__starting *starting; /* who waits for weft_started(); NULL: nobody (any more) */
};

_Static_assert(sizeof(struct weft__child) <= sizeof(struct weft__handle), "the cell's size");

/* Enters a scope of a kind, without a deadline; its task is cancelled there as before.  NULL with
 * the error, which is in *ref, too. */
struct weft__scope *weft__scope_enter(void *ref, enum weft__scope_kind kind, int *ret_error);

/* The scope of the running task that was entered with `ref`; NULL and what leaving it returns. */
struct weft__scope *weft__scope_of(const void *ref, enum weft__scope_kind kind, int *ret_error);

/* Leaves the running task's scope, and those inside that were forgotten: then -EINVAL, else 0.  The
 * cell is free after that. */
int weft__scope_leave(struct weft__scope *scope);

/* Whether a task is cancelled at a place in its chain (NULL: outside of all scopes). */
bool weft__scope_is_cancelled_at(const struct weft__task *task, const struct weft__scope *scope);

/* Cancels a scope, for a reason. */
void weft__scope_cancel(struct weft__scope *scope, const struct weft__reason *reason);

/* In sched/group.c: a group is left without its exit: its children are cancelled and waited for. */
void weft__group_forgotten(struct weft__scope *scope);

/* In sched/cancel.c: a reason to cancel `task` or something of its, whose author is the running
 * task, or nobody. */
struct weft__reason weft__reason_of(const struct weft__task *task, weft_cancel_kind kind,
                                    const char *message);

/* The same, with `author` as its author: it was cancelled and passes that on. */
struct weft__reason weft__reason_by(const struct weft__task *author, weft_cancel_kind kind);

#endif
