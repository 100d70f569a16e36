/* SPDX-License-Identifier: MIT
 * Task groups: children that end before the frame that made them does.
 *
 *     weft_task_group tg;
 *     weft_task_group_enter(&tg);
 *     weft_task_group_create_task(&tg, say_after(1, "hello"), NULL);
 *     weft_task_group_create_task(&tg, say_after(2, "world"), NULL);
 *     return weft_task_group_exit(&tg, 0);        waits for both
 *
 * A group is a scope (scope.h) that waits for its children when it is left.  The first child that
 * fails (with anything but -ECANCELED) cancels the others and the body; the group's status is that
 * first error, and all are listed with names.  With WEFT_GROUP_SUPERVISOR a failure is only listed.
 * When the body fails, or the task is cancelled, the children are cancelled, too.
 *
 * A child may make more children in the group it was given, also while the group is being left. */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/scope.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

/** A group; any memory that stays where it is until the exit.  All members are weft's. */
typedef struct weft_task_group {
    void *priv[4];
} weft_task_group;

enum weft_task_group_flags {
    WEFT_GROUP_SUPERVISOR = 1u << 0, /* a child's failure leaves the others alone */
};

/** A failure in a group. */
typedef struct weft_task_error {
    int status;
    const char *coro; /* the coroutine function; NULL: the body of the group */
    char name[32];    /* of the task */
} weft_task_error;

/** Enters a group.
 *
 *  Returns 0, -EPERM outside a task, -ECHILD, -EINVAL for NULL.  Not a cancellation point.
 *  Source: TaskGroup.__aenter__(). */
WEFT_API int weft_task_group_enter(weft_task_group *group);

/** The same with weft_task_group_flags; -EINVAL for others. */
WEFT_API int weft_task_group_enter_with(weft_task_group *group, unsigned flags);

/** Makes a task in the group.
 *
 *  coro     taken, also on failure.
 *  options  may be NULL; ret_status there receives the child's status when it ends.
 *
 *  Returns the child, borrowed: valid until it ends; weft_task_ref() makes it yours, then it can be
 *  awaited.  Never NULL; a failed one (weft_task_status() tells) with -ESHUTDOWN when the group is
 *  not entered, -EXDEV, -ENOMEM, -ESRCH, -EINVAL.  In a group that is being cancelled the child is
 *  cancelled from its beginning.  Not a cancellation point.  Any task or callback of the same loop.
 *  Source: TaskGroup.create_task(). */
WEFT_API weft_task *weft_task_group_create_task(weft_task_group *group, weft_coro *coro,
                                                const weft_task_options *options);

/** Makes a child and waits until it calls weft_started(), or ends.
 *
 *  ret_value  what weft_started() was given; may be NULL.
 *
 *  Returns 0 when it has started; what it ended with before, which then is no failure of the group
 *  (-EPROTO for a status >= 0: it never said that it had started); the errors of
 *  weft_task_group_create_task(); -EPERM outside a task.  A wait that protects memory: a cancel is
 *  passed on to the child.  Source: trio's nursery.start(). */
WEFT_API int weft_task_group_start(weft_task_group *group, weft_coro *coro,
                                   const weft_task_options *options, void **ret_value);

/** Tells weft_task_group_start(), which waits for the running task, that it may go on.
 *
 *  Returns 0; -EALREADY it was told, or nobody waits; -EPERM outside a task.  Not a cancellation
 *  point.  Source: trio's task_status.started(). */
WEFT_API int weft_started(void *value);

/** Cancels the children and the body; exit then returns 0, if nothing has failed.
 *  Returns 0; -EINVAL it is not entered, -EXDEV.  Source: TaskGroup.cancel() (3.15). */
WEFT_API int weft_task_group_cancel(weft_task_group *group);

/** Waits for all children, and leaves.
 *
 *  status  what the body came to.
 *
 *  Returns the first error of a child or the body; else -ECANCELED when a cancel from outside ended
 *  the body or a child; else `status`, where the group's own cancel makes 0 of -ECANCELED.  -EINVAL
 *  as weft_scope_exit().  A wait that protects memory: a cancel is passed on to the children, and
 *  they are waited for.  Source: TaskGroup.__aexit__(). */
WEFT_API int weft_task_group_exit(weft_task_group *group, int status);

/** Stores up to `max` failures of a group that was left, in the order in which they came.
 *
 *  Returns how many there are; they are kept until this task leaves another group that failed, or
 *  ends; -EINVAL.  Source: the ExceptionGroup that TaskGroup raises. */
WEFT_API int weft_task_group_errors(const weft_task_group *group, weft_task_error *ret_errors,
                                    size_t max);

WEFT_END_DECLS

#endif
