/* SPDX-License-Identifier: MIT
 * Select: waits for several things at once, and exactly one of them happens.
 *
 *     void *job;
 *     int r;
 *
 *     switch (weft_select(&r, 5.0,
 *                         WEFT_ON_GET(jobs, &job),
 *                         WEFT_ON_EVENT(&stop),
 *                         WEFT_ON_READABLE(fd))) {
 *     case 0: ... a job, if r is 0; no more jobs, if r is -ESHUTDOWN ...
 *     case 1: ... the event is set; no job was taken ...
 *     case 2: ... there is something to read ...
 *     case -ETIMEDOUT: ... nothing of that in five seconds ...
 *     }
 *
 * Each thing is a clause.  Where several could happen at once each of them is chosen equally often,
 * so none starves.  Where none can the task stands in line for all of them, and what comes first
 * takes it out of the others: an item that a get in the select was given was taken from no other
 * queue, and a put that did not happen has put nothing.  Cancelled means that none has happened.
 *
 * A select is made of the caller's memory, the clauses: nothing is allocated, however many they
 * are. */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include <weft/event.h>
#include <weft/queue.h>
#include <weft/semaphore.h>

WEFT_BEGIN_DECLS

enum weft_clause_kind {
    WEFT_CLAUSE_NEVER,     /* zero: it never happens; for one that is switched off */
    WEFT_CLAUSE_GET,       /* from the weft_queue `object` to the void *, or the value, at `item` */
    WEFT_CLAUSE_GET_VALUE,
    WEFT_CLAUSE_PUT,       /* `item`, or the value it points to, into the weft_queue `object` */
    WEFT_CLAUSE_PUT_VALUE,
    WEFT_CLAUSE_EVENT,     /* the weft_event `object` is set */
    WEFT_CLAUSE_ACQUIRE,   /* a slot of the weft_semaphore `object`: the caller's from then on */
    WEFT_CLAUSE_TASK,      /* the weft_task `object` is done; borrowed */
    WEFT_CLAUSE_FUTURE,    /* the weft_future `object` is done; borrowed */
    WEFT_CLAUSE_READABLE,  /* there is something to read at `fd`, or its end, or an error */
    WEFT_CLAUSE_WRITABLE,  /* there is room to write at `fd`, or an error */
    WEFT_CLAUSE_WAKE,      /* somebody wakes the waiter with the value `item` in the weft_waitq */
    WEFT_CLAUSE_TICK,      /* the weft_ticker `object` ticks               <weft/ticker.h>    */
    WEFT_CLAUSE_CHANGE,    /* the weft_watch has a newer version           <weft/watch.h>     */
    WEFT_CLAUSE_NEWS,      /* the weft_subscription has something to read  <weft/broadcast.h> */
    WEFT_CLAUSE_NEWS_VALUE,
};

/** One of the things that may happen; made by the macros below, or by hand. */
typedef struct weft_clause {
    int kind;       /* weft_clause_kind */
    int fd;         /* for a clause about a descriptor */
    void *object;   /* what it is about; borrowed during the call */
    void *item;     /* what goes in, or where to put what comes out: untouched unless it happens */
    uint64_t priv[12]; /* the select's */
} weft_clause;

/** Waits until one of several things happens.
 *
 *  clauses     n of them, in the caller's memory; the same object may be there twice.
 *  timeout     seconds; infinity for none; 0 and less only looks.
 *  ret_status  how the one that happened went: what weft_queue_get(), weft_queue_put() or the
 *              semaphore's acquire would return (never -ECANCELED), the status of the task or
 *              future, what the waiter was woken with, -EBADF for a descriptor that weft_close()
 *              closed meanwhile; 0 for the others.  May be NULL.
 *
 *  Returns its index.  Where ret_status is NULL and the status is negative returns that.
 *  -ETIMEDOUT nothing happened in time; -ECANCELED; an error of a clause that cannot be used, and
 *  nothing happened: -EINVAL, -EXDEV another loop's, -ESRCH a spent handle, -EDEADLK the task
 *  itself, -EBADF no such descriptor, -EOPNOTSUPP on a backend without descriptors, -ENOMEM;
 *  -EPERM outside a task, -ECHILD.
 *
 *  A cancellation point, also where something could happen at once.  Cost: some nanoseconds for
 *  each clause; for a descriptor the system call that watches it, and where something else is
 *  ready, or the timeout is 0, one that looks at it.  Source: Go's select statement. */
WEFT_API int weft_select_array(weft_clause *clauses, size_t n, double timeout, int *ret_status);

WEFT_END_DECLS

#ifndef __cplusplus
/** weft_select_array() for clauses that are written down: weft_select(&r, INFINITY, a, b, c). */
#define weft_select(ret_status, timeout, ...)                                       \
    weft_select_array((weft_clause[]){ __VA_ARGS__ },                               \
                      sizeof((weft_clause[]){ __VA_ARGS__ }) / sizeof(weft_clause), \
                      (timeout), (ret_status))

/* The arguments have the types that the functions of the same name have. */
#define WEFT_ON_GET(queue, ret_item) \
    WEFT__CLAUSE(GET, WEFT__IS(weft_queue *, queue), WEFT__IS(void **, ret_item))
#define WEFT_ON_GET_VALUE(queue, ret_value) \
    WEFT__CLAUSE(GET_VALUE, WEFT__IS(weft_queue *, queue), (ret_value))
#define WEFT_ON_PUT(queue, item) \
    WEFT__CLAUSE(PUT, WEFT__IS(weft_queue *, queue), (item))
#define WEFT_ON_PUT_VALUE(queue, value) \
    WEFT__CLAUSE(PUT_VALUE, WEFT__IS(weft_queue *, queue), (void *)(value))
#define WEFT_ON_EVENT(event) WEFT__CLAUSE(EVENT, WEFT__IS(weft_event *, event), NULL)
#define WEFT_ON_ACQUIRE(semaphore) \
    WEFT__CLAUSE(ACQUIRE, WEFT__IS(weft_semaphore *, semaphore), NULL)
#define WEFT_ON_DONE(task_or_future)                     \
    ((weft_clause){ .object = (task_or_future),          \
                    .kind = _Generic((task_or_future),   \
                        weft_task *: WEFT_CLAUSE_TASK,   \
                        weft_future *: WEFT_CLAUSE_FUTURE) })
#define WEFT_ON_READABLE(descriptor) \
    ((weft_clause){ .kind = WEFT_CLAUSE_READABLE, .fd = (descriptor) })
#define WEFT_ON_WRITABLE(descriptor) \
    ((weft_clause){ .kind = WEFT_CLAUSE_WRITABLE, .fd = (descriptor) })
#define WEFT_ON_WAKE(waitq, value) WEFT__CLAUSE(WAKE, WEFT__IS(weft_waitq *, waitq), (value))
#define WEFT__CLAUSE(what, whose, which) \
    ((weft_clause){ .kind = WEFT_CLAUSE_##what, .object = (whose), .item = (which) })
#define WEFT__IS(type, x) (1 ? (x) : (type)0)
#endif

#endif
