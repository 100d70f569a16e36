/* SPDX-License-Identifier: MIT
 * A resource guard: for what two tasks must not use at the same time, and where to wait would hide
 * a mistake: two that read from the same stream.  The second one gets -EBUSY at once.
 *
 *     r = weft_resource_guard_enter(&stream->reading);
 *     if (r < 0) { return r; }
 *     ...
 *     weft_resource_guard_exit(&stream->reading); */
#ifndef WEFT_GUARD_H
#define WEFT_GUARD_H

#include <weft/inline.h>

WEFT_BEGIN_DECLS

/** A guard; all members are weft's.  Part of the ABI. */
typedef struct weft_resource_guard {
    weft_task *owner; /* NULL: nobody is in */
    void *reserved[3];
} weft_resource_guard;
#define WEFT_RESOURCE_GUARD_INIT { NULL, { NULL, NULL, NULL } }

/** Enters what is guarded, if nobody is in.
 *
 *  Returns 0, -EBUSY a task is in (weft_error_detail() names it), this one too; -EPERM outside a
 *  task, -ECHILD, -EINVAL.  Never waits, no cancellation point.  A task that ends inside is
 *  reported, and is in no more.  Source: anyio's ResourceGuard, trio's ConflictDetector. */
WEFT_API int weft_resource_guard_enter(weft_resource_guard *guard);

/** Leaves what is guarded.  Returns 0, -EPERM this task is not in, -ECHILD, -EINVAL. */
WEFT_API int weft_resource_guard_exit(weft_resource_guard *guard);

/* What WEFT_RESOURCE_GUARD_SCOPE() is made of. */
static inline weft_resource_guard *weft_resource_guard_scope_enter(weft_resource_guard *guard,
                                                                   int *ret_status)
{
    *ret_status = weft_resource_guard_enter(guard);
    return *ret_status < 0 ? NULL : guard;
}

static inline void weft_resource_guard_scope_leave(weft_resource_guard **guard)
{
    if (*guard) {
        weft_resource_guard_exit(*guard);
    }
}

WEFT_END_DECLS

/** Is in for the rest of the enclosing block; declares `int r`, as WEFT_LOCK_SCOPE(). */
#define WEFT_RESOURCE_GUARD_SCOPE(guard, r) \
    WEFT__ENTER_SCOPE(weft_resource_guard, weft_resource_guard_scope, guard, r, __COUNTER__)

#endif
