/* SPDX-License-Identifier: MIT
 * A loop in somebody else's: it does not run, it is pumped.
 *
 * A pump is a short run: a look, turns for a slice of time, and a word to the host about when to
 * come again.  It begins on whatever stack the host happens to run on: the thread's own, or that of
 * a task which called the host.  For its duration this stack is the loop's own, to which
 * tasks come back; what loop->fiber and loop->current were before is put back at its end.  So pumps
 * nest like calls do. */
#ifndef WEFT_CORE_HOST_H
#define WEFT_CORE_HOST_H

#include "core/sched/loop.h"

/* Looks round and gives turns, for about a millisecond.  0; -EBUSY while the loop looks round or a
 * task is being ended or cancelled, -ELOOP too deep, -ECHILD, or the backend's error. */
int weft__host_pump(struct weft__loop *loop);

/* The backend has let go of everything: says so, and frees the loop. */
void weft__host_closed(struct weft__loop *loop);

#endif
