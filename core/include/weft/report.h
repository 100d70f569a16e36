/* SPDX-License-Identifier: MIT
 * Reports: what weft has to say when nobody asked: the one way in which it ever does.
 *
 * Each is a struct that goes to the loop's exception handler.  Without one it is printed to
 * standard error, as one line, to which debug mode adds what it knows; those marked "debug" only in
 * debug mode (<weft/debug.h>). */
#ifndef WEFT_REPORT_H
#define WEFT_REPORT_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

typedef enum weft_report_kind {
    WEFT_REPORT_OTHER,               /* weft_loop_call_exception_handler()'s callers */
    WEFT_REPORT_FAILED,              /* a task or future failed and nobody read it */
    WEFT_REPORT_PENDING,             /* a task had not ended when its loop closed */
    WEFT_REPORT_CORO_NEVER_AWAITED,  /* debug: a coroutine was made and lost */
    WEFT_REPORT_TASK_NEVER_AWAITED,  /* debug: a task ended and was neither awaited nor detached */
    WEFT_REPORT_SCOPE_OPEN,          /* a coroutine returned without leaving a scope */
    WEFT_REPORT_UNGUARDED,           /* stacks have no guard pages from here on */
    WEFT_REPORT_STACK_OVERFLOW,      /* a task ran over its stack; the process ends */
    WEFT_REPORT_SLOW_END,            /* the run is over, and a task that was cancelled goes on */
    WEFT_REPORT_JOB_PENDING,         /* a job in a thread had not ended when its time was up */
    WEFT_REPORT_DESTROYED,           /* somebody waits for what was to be destroyed */
    WEFT_REPORT_LOCK_HELD,           /* a task ended and holds a lock */
    WEFT_REPORT_SLOW,           /* debug: a task or callback kept the loop for `seconds` */
    WEFT_REPORT_BLOCKED,        /* debug: and still does; printed only, by another thread */
    WEFT_REPORT_LEAKS,          /* debug: what is left when the loop closes, as a tree */
    WEFT_REPORT_DEADLOCK,       /* debug: tasks wait for each other, or nothing can ever happen */
    WEFT_REPORT_CANCEL_IGNORED, /* debug: a task was cancelled and goes on */
    WEFT_REPORT_STARVED,        /* debug: a task was ready, and had its turn after `seconds` */
    WEFT_REPORT_WRONG_THREAD,   /* debug: a call from a thread that is not the loop's */
    WEFT_REPORT_STALE,          /* debug: a handle was used when it was spent */
    WEFT_REPORT_FD,             /* debug: a descriptor was closed twice, or used when closed */
    WEFT_REPORT_STACK_HIGH,     /* debug: a task has nearly used up its stack */
    WEFT_REPORT_STACK_DEPTH,    /* debug: how much of their stacks tasks have used */
    WEFT_REPORT_UNCLOSED,       /* debug: a stream, server, process ... was not closed */
    WEFT_REPORT_PROCESS_RUNNING, /* a child that nobody freed was killed at its loop's close */
} weft_report_kind;

struct weft_frame; /* a coroutine in a task's chain of calls: <weft/task.h> */

/** One report; pointers are valid during the call.  `size` and `message` must be there. */
typedef struct weft_report {
    size_t size; /* sizeof, of whoever filled it in; members behind it read as zero */
    weft_report_kind kind;
    int status;          /* the error it is about, < 0, or 0 */
    const char *message; /* what happened, in a few words: "failed and nobody read it" */
    weft_loop *loop;
    weft_task *task;       /* borrowed; NULL: no task is concerned */
    const char *task_name; /* NULL: no task is concerned */
    const char *coro;      /* the coroutine function; NULL: none */
    const char *file;      /* where that is defined */
    int line;
    const char *waiting; /* what a pending task waits for: "sleep", "task", ...; NULL */
    const char *job;     /* what runs in a thread, as the program calls it; NULL */

    /* What debug mode adds; NULL and 0 where it does not know.  Addresses are return addresses in
     * this process, the innermost first: weft_debug_places() names them. */
    double seconds;      /* how long it took, or has taken */
    const char *what;    /* more about it: the system call, the reason of a cancel */
    const struct weft_frame *frames; /* the task's coroutines, the innermost first */
    const void *const *made;         /* where the task or coroutine was made, or what was not
                                      * closed; of a descriptor: where it was closed, or its watch
                                      * made */
    const void *const *stack;        /* where the task is, or was meanwhile */
    const struct weft_report *others; /* more tasks that it is about: of a deadlock, of a tree; or
                                       * what was not closed, with the task that opened it */
    uint32_t frames_count, made_count, stack_count, others_count;
    uint32_t depth;      /* in a tree of tasks: how deep this one is; 0: at its root */
    uint32_t exact;      /* the first addresses of `stack` that are certain; others may be missing
                          * or too many */
    void *reserved[4];
} weft_report;

/** What weft_loop_set_exception_handler() calls; runs on the loop's thread, must not wait or close
 *  it.  WEFT_REPORT_BLOCKED, of which that thread cannot hear, never comes here. */
typedef void weft_exception_handler(weft_loop *loop, const weft_report *report, void *arg);

/** Sends this loop's reports to `handler` instead of standard error; NULL: back to that.
 *  Returns 0, -EBADF, -EXDEV, -EPERM.  Source: loop.set_exception_handler(). */
WEFT_API int weft_loop_set_exception_handler(weft_loop *loop, weft_exception_handler *handler,
                                             void *arg);

/** Returns the handler (without its argument), or NULL.  Source: loop.get_exception_handler(). */
WEFT_API weft_exception_handler *weft_loop_get_exception_handler(weft_loop *loop);

/** Sends a report the way the loop's own go.  Returns 0, -EBADF, -EXDEV, -EPERM, -EINVAL.
 *  Source: loop.call_exception_handler(). */
WEFT_API int weft_loop_call_exception_handler(weft_loop *loop, const weft_report *report);

/** Prints a report as one line on standard error, as loops without a handler do; a handler may call
 *  it. Any thread.  Source: loop.default_exception_handler(). */
WEFT_API void weft_loop_default_exception_handler(weft_loop *loop, const weft_report *report);

WEFT_END_DECLS

#endif
