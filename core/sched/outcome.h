/* SPDX-License-Identifier: MIT
 * What tasks and futures have in common: a status that comes once, and those who want to know.
 *
 *     holds   handles that were given out and not spent: who may still await
 *     pins    callbacks that will be given the handle: the memory stays
 * An outcome that is done is freed with its owner when both are zero.  Who waits needs neither: the
 * status is put into its record. */
#ifndef WEFT_CORE_OUTCOME_H
#define WEFT_CORE_OUTCOME_H

#include "core/sched/timer.h"

#include <errno.h>

struct weft__handle;
struct weft__outcome;
struct weft__loop;
struct weft__task;

/* Somebody who waits: a task in whose frame this lies, or a callback. */
struct weft__waiter {
    struct weft__waiter *next, *prev; /* a ring, in the order in which they came */
    struct weft__task *task;          /* NULL: somebody who is told */
    void *value;                      /* for the task: the value that came with the status */
    /* For who is told: the status has come; the waiter is in no ring any more. */
    void (*tell)(struct weft__waiter *waiter, struct weft__loop *loop,
                 struct weft__outcome *outcome);
};

struct weft__outcome {
    struct weft__waiter *waiters; /* the first; NULL: nobody waits */
    void *value;
    int32_t status; /* when done */
    uint32_t holds, pins;
    bool done;
    bool seen;      /* somebody read the status */
    bool detached;  /* a hold was given up on purpose: a task that nobody awaits is fine */
    bool ends_loop; /* weft_loop_run_until_complete() waits for this one */
};

static inline void weft__outcome_init(struct weft__outcome *outcome, uint32_t holds)
{
    *outcome = (struct weft__outcome){ .holds = holds };
}

static inline void weft__outcome_push(struct weft__outcome *outcome, struct weft__waiter *waiter)
{
    struct weft__waiter *first = outcome->waiters;

    if (!first) {
        outcome->waiters = waiter->next = waiter->prev = waiter;
        return;
    }
    waiter->next = first;
    waiter->prev = first->prev;
    first->prev->next = waiter;
    first->prev = waiter;
}

static inline void weft__outcome_unlink(struct weft__outcome *outcome, struct weft__waiter *waiter)
{
    if (waiter->next == waiter) {
        outcome->waiters = NULL;
        return;
    }
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    if (outcome->waiters == waiter) {
        outcome->waiters = waiter->next;
    }
}

/* (The status is set by weft__outcome_set() in sched/task.h, which has to know tasks.) */

/* At the loop's close: frees a callback that was ready. */
void weft__outcome_skip(struct weft__handle *handle);

/* The status for somebody who reads it, -EINPROGRESS before it has come. */
static inline int weft__outcome_read(struct weft__outcome *outcome, void **ret_value)
{
    if (!outcome->done) {
        return -EINPROGRESS;
    }
    outcome->seen = true;
    if (outcome->status >= 0 && ret_value) {
        *ret_value = outcome->value;
    }
    return outcome->status;
}

/* Has `call(owner, arg)` called when it is done; `owner` is a public handle, `release` ends the
 * pin. */
int weft__outcome_add_callback(struct weft__loop *loop, struct weft__outcome *outcome, void *owner,
                               void (*call)(void), void *arg,
                               void (*release)(struct weft__outcome *));

/* Takes those back that have not run yet; returns how many.  Whoever calls releases the owner,
 * which may be needed by nobody now. */
int weft__outcome_remove_callbacks(struct weft__outcome *outcome, void (*call)(void), void *arg);

/* At the loop's close: frees callbacks that will never be called. */
void weft__outcome_drop_callbacks(struct weft__outcome *outcome);

#endif
