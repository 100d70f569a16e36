/* SPDX-License-Identifier: MIT
 * Hooks: functions of yours that a loop calls at each step, to trace or to measure.
 *
 * They cost nothing while there are none.  Each is called at once, in the loop's thread, in the
 * middle of what it tells of: it may look, count and write down, but must not wait, make or end
 * tasks, or close the loop. */
#ifndef WEFT_HOOKS_H
#define WEFT_HOOKS_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** The functions; each may be NULL.  `task` is borrowed for the call. */
typedef struct weft_loop_hooks {
    size_t size; /* sizeof */
    void (*task_made)(void *arg, weft_task *task);
    void (*task_ended)(void *arg, weft_task *task, int status);
    void (*task_ready)(void *arg, weft_task *task);  /* it stands in the queue, since this turn */
    void (*before_turn)(void *arg, weft_task *task); /* NULL: a callback's */
    void (*after_turn)(void *arg, weft_task *task);
    void (*before_wait)(void *arg, double timeout); /* seconds until the next timer; INFINITY */
    void (*after_wait)(void *arg);
    void (*before_run)(void *arg); /* the loop begins to run, */
    void (*after_run)(void *arg);  /* and has stopped */
} weft_loop_hooks;

/** Has a loop call some hooks from now on, after those that it has.
 *
 *  loop   NULL: the running one.
 *  hooks  borrowed until they are removed or the loop has closed.
 *
 *  Returns 0; -EEXIST the same hooks with the same argument are there, -ENOSPC it has eight
 *  already, -EINVAL, -ENOMEM; -EPERM, -EBADF, -EXDEV, -ECHILD.  The loop's thread, not from within
 *  a hook.  Source: trio.lowlevel.add_instrument(). */
WEFT_API int weft_loop_add_hooks(weft_loop *loop, const weft_loop_hooks *hooks, void *arg);

/** Takes hooks away.
 *
 *  Returns 0; -ENOENT they are not there; as weft_loop_add_hooks().
 *  Source: trio.lowlevel.remove_instrument(). */
WEFT_API int weft_loop_remove_hooks(weft_loop *loop, const weft_loop_hooks *hooks, void *arg);

WEFT_END_DECLS

#endif
