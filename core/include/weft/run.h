/* SPDX-License-Identifier: MIT
 * Running a program: from an ordinary function into the world of tasks and back. */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H

#include <weft/coro.h>
#include <weft/loop.h>

WEFT_BEGIN_DECLS

/** How to run; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_run_options {
    const char *backend;                     /* a name for weft_loop_new(); NULL: its choice */
    int (*loop_factory)(weft_loop **ret_loop); /* makes the loop instead; it is closed at the end */
    int debug;         /* 1 on, -1 off, 0: what WEFT_DEBUG says (on unless empty or "0") */
    size_t stack_size; /* of tasks that do not ask for one; 0: 128 KiB */
    bool no_overflow_report; /* leave SIGSEGV and SIGBUS alone, see below */
    void *reserved[8]; /* zero */
} weft_run_options;

/** Makes a loop, runs a coroutine in it as its main task, ends what is left and closes the loop.
 *
 *  main     taken, also on failure.
 *  options  borrowed during the call; may be NULL.
 *
 *  It always returns: tasks that are left when main has ended are cancelled and awaited, for ten
 *  seconds at the most; those that refuse are reported with what they wait for, and abandoned.
 *
 *  While it runs, and only where SIGSEGV and SIGBUS have their default action, a handler for them
 *  tells the name of a task that ran over its stack before the process ends as it would have.  Both
 *  are put back.
 *
 *  Signals keep their actions: Ctrl-C ends the process.
 *
 *  Returns main's status, -EINVAL a stack_size beyond 64 MiB, -ESRCH a spent coroutine, -EBUSY a
 *  loop runs in this thread already, -ENOENT or the like no backend (see weft_error_detail()),
 *  -ENOMEM, -EMFILE, -EDEADLK on a backend with virtual time when nothing can ever happen.  Any
 *  thread.  Source: asyncio.run(). */
WEFT_API int weft_run(weft_coro *main, const weft_run_options *options);

/** weft_run() for main(): returns an exit status, 0 to 255.
 *
 *  A failure is told on standard error, with its name and its words, and makes 1.  A status of 0
 *  and more is the exit status itself, its lowest eight bits. */
WEFT_API int weft_main(weft_coro *main, const weft_run_options *options);

WEFT_END_DECLS

#endif
