/* SPDX-License-Identifier: MIT
 * Resource guards. */
#include "core/sync/lock.h"

#include "core/base/error.h"

#include <weft/guard.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_resource_guard) == 32, "the public size");

int weft_resource_guard_enter(weft_resource_guard *guard)
{
    int r = -EINVAL;
    struct weft__task *task = guard ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    if (guard->owner && !weft__owner_is_dead(guard->owner)) {
        return weft__owner_is_busy(guard->owner, "is using this: one task at a time may");
    }
    guard->owner = weft__task_handle(task);
    task->held++;
    return 0;
}

int weft_resource_guard_exit(weft_resource_guard *guard)
{
    int r = -EINVAL;
    struct weft__task *task = guard ? weft__self(&r) : NULL;

    if (!task) {
        return weft__misuse(r);
    }
    if (guard->owner != weft__task_handle(task)) {
        return weft__words(-EPERM, "this task has not entered the guard");
    }
    guard->owner = NULL;
    task->held--;
    return 0;
}
