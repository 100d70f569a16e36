/* SPDX-License-Identifier: MIT
 * The checks that look at turns, waits and ends. */
#ifndef WEFT_CORE_CHECKS_H
#define WEFT_CORE_CHECKS_H

#include "core/debug/observe.h"

/* A task leaves that is cancelled, or waits. */
void weft__checks_leave(struct weft__observer *observer, struct weft__task *task);

/* A handle is used that is spent, in the loop's own thread. */
void weft__stale(struct weft__loop *loop, const void *handle);

/* Somebody uses a loop in another thread than its own (that other one calls this). */
void weft__wrong_thread(struct weft__loop *loop);

/* ---- starve.c ---- */

/* The clock was read: marks who is last in the queue, unless somebody is marked. */
void weft__starve_mark(struct weft__observer *observer, int64_t now);

/* The one that was marked has its turn. */
void weft__starve_reached(struct weft__observer *observer, struct weft__task *task);

/* ---- deadlock.c ---- */

/* A task has begun to wait for others: whether they wait for it. */
void weft__deadlock_follow(struct weft__observer *observer, struct weft__task *task);

/* The loop is about to wait: whether for nothing. */
void weft__deadlock_look(struct weft__observer *observer);

/* ---- leaks.c ---- */

/* The loop closes: tells what is left, as a tree; and before a run's end cancels what is left:
 * those whom nobody awaits or has let go. */
void weft__leaks_tell(struct weft__loop *loop);
void weft__leaks_tell_run(struct weft__loop *loop);

/* ---- things.c ---- */

/* The hooks; and the loop closes: tells what was not closed. */
void weft__things_opened(struct weft__loop *loop, const void *key, enum weft__thing kind,
                         int number);
void weft__things_gone(struct weft__loop *loop, const void *key);
void weft__things_tell(struct weft__loop *loop);
void weft__things_fini(struct weft__observer *observer);

/* ---- depth.c ---- */

/* A task is made: what others have left on its stack is forgotten. */
void weft__depth_made(struct weft__task *task);

/* The loop closes: tells what was used by tasks of each coroutine function. */
void weft__depth_tell(struct weft__observer *observer);
void weft__depth_fini(struct weft__observer *observer);

/* A task has ended: how much of its stack was used. */
void weft__depth_ended(struct weft__observer *observer, struct weft__task *task);

#endif
