/* SPDX-License-Identifier: MIT
 * The way up: what lower layers call in the debug layer, and the scheduler in the layer of locks,
 * which they may not include.
 *
 * The table is declared here and defined in core/debug, the last layer, so that linking either way
 * brings it along. */
#ifndef WEFT_CORE_HOOK_H
#define WEFT_CORE_HOOK_H

#include "core/base/base.h"

#include <weft/report.h>

struct weft__loop;
struct weft__task;
struct weft__observer; /* what the debug layer keeps for a loop; a loop without one costs nothing */

/* What has happened to a descriptor. */
enum weft__fd_event {
    WEFT__FD_WATCHED,    /* its watch was made */
    WEFT__FD_ASKED,      /* and is used for one more wait */
    WEFT__FD_OPENED,     /* the system has just given out the number */
    WEFT__FD_CLOSED,     /* it was closed */
    WEFT__FD_REFUSED,    /* somebody got -EBADF */
    WEFT__FD_NOT_CLOSED, /* who wanted to close it did */
};

/* What has to be closed before its loop is. */
enum weft__thing {
    WEFT__STREAM, /* these are told with a descriptor, -1: they have none, or several */
    WEFT__SERVER,
    WEFT__TRANSPORT,
    WEFT__LISTENER,
    WEFT__ENDPOINT,
    WEFT__PROCESS, /* and this with its number */
};

struct weft__hooks {
    /* Prints a report that no handler wants; `debug` tells whether the loop is in debug mode. */
    void (*report)(const weft_report *report, bool debug);
    /* Prints that task `id` ran over its stack of `bytes`; in a signal handler, on the alternate
     * stack. */
    void (*overflow)(const weft_report *report, uint64_t id, size_t bytes);
    /* A task ends and holds locks: reports that and wakes who waits for them. */
    void (*owner_ended)(void *task);
    /* Gives a loop the observer that a list of words asks for, or takes it away; `origin` says
     * whose words they are.  As weft_debug_set(). */
    int (*observe)(struct weft__loop *loop, const char *words, const char *origin);

    /* The rest only for loops that have one. */

    /* A report, on its way to whoever gets it: adds what is known. */
    void (*deliver)(struct weft__loop *loop, weft_report *report);
    /* A turn is over (`from`: a task; NULL: it has ended, or the loop's own stack), and the next
     * begins (`to`; NULL: the loop's own stack goes on, which is nobody's turn yet). */
    void (*step)(struct weft__loop *loop, struct weft__task *from, struct weft__task *to);
    /* A callback begins; its end is the next step. */
    void (*callback)(struct weft__loop *loop, void (*callback)(void *arg));
    /* The clock was read; the loop is about to wait (1), or has waited (-1). */
    void (*look)(struct weft__loop *loop, int waits);
    /* A task was made, or has ended and is in its place still. */
    void (*made)(struct weft__task *task);
    void (*ended)(struct weft__task *task, int status);
    /* A coroutine object was made: its cell. */
    void (*made_coro)(struct weft__loop *loop, const void *coro);
    /* Fills in where a coroutine object was made, by its handle. */
    void (*origin)(struct weft__loop *loop, uintptr_t coro, weft_report *report);
    /* The loop begins to run, or has stopped. */
    void (*run)(struct weft__loop *loop, bool begins);
    /* All that a run was for has ended by itself, and what is left will be cancelled. */
    void (*run_ends)(struct weft__loop *loop);
    /* The loop begins to close, and nothing was touched; all is gone. */
    void (*closes)(struct weft__loop *loop);
    void (*closed)(struct weft__loop *loop);
    /* Somebody uses the loop in another thread than its own. */
    void (*wrong_thread)(struct weft__loop *loop);
    /* A handle is used that is spent. */
    void (*stale)(struct weft__loop *loop, const void *handle);
    /* Something has happened to a descriptor. */
    void (*fd)(struct weft__loop *loop, int fd, enum weft__fd_event event);
    /* Something was made that has to be closed; nobody has to any more. */
    void (*opened)(struct weft__loop *loop, const void *thing, enum weft__thing kind, int number);
    void (*gone)(struct weft__loop *loop, const void *thing);
};

extern const struct weft__hooks weft__hooks;

#endif
