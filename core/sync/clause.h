/* SPDX-License-Identifier: MIT
 * Clauses: what a select can wait for.  Each kind is one object of four functions; whatever has a
 * wait queue needs two of them.
 *
 *     look    could it happen now?
 *     take    it could, and is chosen: it happens
 *     enter   it could not: the task stands in line
 *     leave   something else has happened
 *
 * Who wakes a waiter that stands for a clause has done all that there is to do (it handed over the
 * item, the slot); a clause that is told in another way ends the wait with weft__clause_won(). */
#ifndef WEFT_CORE_CLAUSE_H
#define WEFT_CORE_CLAUSE_H

#include "core/sched/fdwait.h"
#include "core/sync/waitq.h"

#include <weft/select.h>

/* One call of weft_select(), on the stack of the task that waits. */
struct weft__select {
    struct weft__any any;     /* first: the wait's target */
    struct weft__alarm alarm; /* the timeout */
    weft_clause *clauses;
    size_t n;
    weft_clause *won;         /* it has ended the wait, and not by a wait queue; or NULL */
};

/* What lies in a clause's `priv` during the call. */
struct weft__clause {
    const struct weft__clause_kind *kind;
    struct weft__select *select;
    bool is_ready;  /* look() said so */
    bool stands;    /* enter() was called, and leave() is due */
    bool is_pinned; /* the outcome is kept until fini() */
    union {
        weft_waiter waiter; /* in a wait queue */
        struct {            /* in an outcome's list */
            struct weft__waiter waiter;
            struct weft__outcome *outcome;
        } outcome;
        struct weft__alarm alarm; /* in the heap of timers */
        struct weft__fd_waiter fd; /* in line for a descriptor */
    };
};

_Static_assert(sizeof(struct weft__clause) <= sizeof(((weft_clause *)0)->priv), "the public size");

struct weft__clause_kind {
    /* Whether it could happen at once: 1 or 0; an error: it cannot be used. */
    int (*look)(weft_clause *clause, struct weft__task *task);
    /* The same where it costs a system call, asked only when it matters; or NULL. */
    int (*look_closely)(weft_clause *clause);
    /* Does it; returns its status. */
    int (*take)(weft_clause *clause);
    /* Stands in line, after a look() that said no: 0 or an error; 1: it can happen, and nobody
     * stands in line. */
    int (*enter)(weft_clause *clause, struct weft__task *task);
    /* Leaves the line; NULL for a wait queue, which is left by weft__any. */
    void (*leave)(weft_clause *clause);
    /* After the wait, in the task's own turn, whatever happened; or NULL. */
    void (*fini)(weft_clause *clause);
};

static inline struct weft__clause *weft__clause_of(weft_clause *clause)
{
    return (struct weft__clause *)(void *)clause->priv;
}

/* Those that are not in sync/clauses.c. */
extern const struct weft__clause_kind weft__clause_tick WEFT__HIDDEN;
extern const struct weft__clause_kind weft__clause_change WEFT__HIDDEN;
extern const struct weft__clause_kind weft__clause_news WEFT__HIDDEN;

/* By weft_clause_kind. */
extern const struct weft__clause_kind *const weft__clause_kinds[] WEFT__HIDDEN;
extern const size_t weft__clause_kinds_count WEFT__HIDDEN;

/* Stands in a wait queue for a clause; whoever wakes finds `value` in the waiter. */
int weft__clause_enter_queue(weft_clause *clause, weft_waitq *queue, void *value);

/* A clause has happened, and no wait queue told: ends the wait. */
void weft__clause_won(weft_clause *clause, int status);

#endif
