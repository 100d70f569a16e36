/* SPDX-License-Identifier: MIT
 * Why a task is cancelled: who asked, where, and what for. */
#ifndef WEFT_CANCEL_H
#define WEFT_CANCEL_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

typedef enum weft_cancel_kind {
    WEFT_CANCEL_NONE,
    WEFT_CANCEL_REQUEST,  /* weft_task_cancel() */
    WEFT_CANCEL_SCOPE,    /* weft_scope_cancel(), weft_task_group_cancel() */
    WEFT_CANCEL_DEADLINE, /* a timeout expired */
    WEFT_CANCEL_SIBLING,  /* another one of the same group or gather failed */
    WEFT_CANCEL_AWAITER,  /* who waits for it was cancelled; why: ask the task named in `by` */
    WEFT_CANCEL_SHUTDOWN, /* its run is over */
    WEFT_CANCEL_SIGNAL,   /* Ctrl-C or SIGTERM ends its run; `message`: which of them */
} weft_cancel_kind;

/** The first cause that still holds where the task is. */
typedef struct weft_cancel_reason {
    weft_cancel_kind kind;
    int status;          /* SIBLING: the failure */
    double deadline;     /* DEADLINE: which, as weft_loop_time() */
    const char *message; /* given with the cancel, or NULL */
    const char *coro;    /* the coroutine function in which it was asked for; NULL: not in a task */
    const char *file;    /* where that is defined */
    int line;
    char by[32]; /* the name of the task that asked or failed; "": a callback */
} weft_cancel_reason;

/** weft_task_cancel() with words.
 *
 *  message  why; static text.
 *
 *  Returns 0, -ESRCH.  Source: Task.cancel(msg). */
WEFT_API int weft_task_cancel_because(weft_task *task, const char *message);

/** Tells why a task is cancelled where it is (NULL: the running one).
 *
 *  Returns 0 with the reason in *ret_reason, -ENOENT it is not cancelled, -ESRCH, -EINVAL, -EXDEV,
 *  -EPERM.  Not a cancellation point. */
WEFT_API int weft_task_cancel_reason(weft_task *task, weft_cancel_reason *ret_reason);

WEFT_END_DECLS

#endif
