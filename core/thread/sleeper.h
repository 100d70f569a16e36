/* SPDX-License-Identifier: MIT
 * Waiting for another thread: as a task, which parks, or as a thread, which blocks.
 *
 * A sleeper lies in the frame of who waits and is linked into a list of what it waits for, under
 * the lock of that.  Whoever wakes it takes it out, under the lock, and so decides how the wait
 * ends: a cancel or a deadline that comes later changes nothing.  A task's sleeper is then posted
 * to its loop, without the lock, and its frame stays until the post has arrived.
 *
 *     linked --weft__sleeper_call--> called --weft__sleepers_post--> arrived      0
 *        \---- deadline, cancel: takes itself out ----------------------------->  error
 */
#ifndef WEFT_CORE_SLEEPER_H
#define WEFT_CORE_SLEEPER_H

#include "core/base/list.h"
#include "core/base/shared.h"
#include "core/sched/handle.h"
#include "core/sched/task.h"

struct weft__sleeper {
    struct weft__list link;   /* first: in the list, then in the waker's */
    struct weft__task *task;  /* who waits; NULL: a thread */
    weft_loop *loop;          /* the task's */
    struct weft__handle post; /* how the task's loop is told */
    pthread_cond_t cond;      /* where a thread blocks */
    int64_t deadline;         /* ns of the loop's clock or, a thread's, of the real one */
    bool called;              /* under the lock: somebody took it out to wake it */
    bool arrived;             /* in the loop's thread: the post is there */
    /* The loop was closed before the post arrived: whoever called may want to call another.  Not
     * under the lock.  NULL: that does not matter. */
    void (*lost)(void *of);
    void *of;
};

/* Sets a sleeper up for who calls: the running task, or this thread, which must run no loop.
 * `timeout` in seconds.  0, -EPERM a callback of a loop, -ECHILD, -EINVAL NaN, or no condition. */
int weft__sleeper_init(struct weft__sleeper *sleeper, double timeout);

/* The same for a thread in any case. */
int weft__sleeper_init_thread(struct weft__sleeper *sleeper, int64_t deadline);

void weft__sleeper_fini(struct weft__sleeper *sleeper);

/* Whether it is a task that is cancelled, which lets others have a turn: waits begin with this. */
bool weft__sleeper_cancelled(struct weft__sleeper *sleeper);

/* With `lock` held: goes to the end of `list` and sleeps; the lock is free meanwhile.  0 it was
 * called, -ETIMEDOUT, -ECANCELED, -ENOMEM. */
int weft__sleeper_sleep(struct weft__sleeper *sleeper, struct weft__list *list,
                        pthread_mutex_t *lock);

/* With the lock held: wakes the first of `list`, if there is one: a thread now, a task by
 * weft__sleepers_post(called) when the lock is free. */
void weft__sleeper_call(struct weft__list *list, struct weft__list *called);
void weft__sleepers_post(struct weft__list *called);

#endif
