/* SPDX-License-Identifier: MIT
 * Running a program: from an ordinary function into the world of tasks and back.
 *
 *     weft_run()     one coroutine, from its beginning to an orderly end
 *     weft_main()    the same for main(): says what went wrong, makes an exit status
 *     weft_runner    several, one after the other, in the same loop */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H

#include <weft/coro.h>
#include <weft/loop.h>

WEFT_BEGIN_DECLS

/** How to run; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_run_options {
    const char *backend;                     /* a name for weft_loop_new(); NULL: its choice */
    int (*loop_factory)(weft_loop **ret_loop); /* makes the loop instead; it is closed at the end */
    int debug;         /* 1 on, -1 off, 0: what WEFT_DEBUG says */
    size_t stack_size; /* of tasks that do not ask for one; 0: 128 KiB */
    bool no_overflow_report; /* leave SIGSEGV and SIGBUS alone, see below */
    int sigint;  /* whether Ctrl-C cancels main, see below: 0 and 1 yes, -1 no */
    int sigterm; /* whether SIGTERM does, too: 1 yes, 0 and -1 no */
    double shutdown_timeout; /* seconds for tasks that are cancelled at the end; 0: 10, INFINITY: as
                                long as they need, < 0: none */
    double executor_timeout; /* then for jobs in threads; 0: 300 */
    const char *debug_words; /* what debug mode is to tell, as for weft_debug_set(); NULL: .debug */
    void *reserved[4];       /* zero */
} weft_run_options;

/** Makes a loop, runs a coroutine in it as its main task, ends what is left and closes the loop.
 *
 *  main     taken, also on failure.
 *  options  borrowed during the call; may be NULL.
 *
 *  The end.  It always returns: tasks that are left when main has ended are cancelled and awaited,
 *  those too that they make meanwhile.  After a second those that still go on are reported, with
 *  what they wait for; after ten (.shutdown_timeout) they are reported again and abandoned.
 *  Then the default executor is shut down: its jobs have 300 seconds (.executor_timeout) to end,
 *  after which they are reported by name and left behind with their threads.
 *
 *  Ctrl-C.  The first SIGINT cancels main, and when main ends by that, -EINTR is returned; if main
 *  does not (weft_task_uncancel(), or a status of its own), main's status.  From that signal on,
 *  and when main has ended, SIGINT does what it does without weft: a second Ctrl-C ends the
 *  process, also when a task never gives way.  It is taken over only in the main thread and only
 *  from its default action (so not under nohup(1)), and a weft_loop_add_signal_handler() or
 *  receiver of the program's own comes before it.  .sigterm says the same of SIGTERM; each of the
 *  two has a first one.
 *
 *  Stack overflow.  While it runs, and only where SIGSEGV and SIGBUS have their default action, a
 *  handler for them tells the name of a task that ran over its stack before the process ends as it
 *  would have.
 *
 *  All signal actions are put back; no signal mask is touched.
 *
 *  Returns main's status; -EINTR a signal ended it, or weft_loop_stop() (weft_error_detail() says
 *  which); -EINVAL a stack_size beyond 64 MiB, a NaN, or a word that debug mode does not know,
 *  -ESRCH a spent coroutine, -EBUSY a loop runs in this thread already, -ENOENT or the like no
 *  backend (see weft_error_detail()), -ENOMEM, -EMFILE, -EDEADLK on a backend with virtual time
 *  when nothing can ever happen.  Any thread.  Source: asyncio.run(). */
WEFT_API int weft_run(weft_coro *main, const weft_run_options *options);

/** weft_run() for main(): returns an exit status, 0 to 255.
 *
 *  A status of 0 and more is the exit status itself, its lowest eight bits.  A failure is told on
 *  standard error, with its name and its words, and makes 1.  Ended by a signal it is 128 and the
 *  signal's number, as a shell has it (130 for Ctrl-C), and nothing is told. */
WEFT_API int weft_main(weft_coro *main, const weft_run_options *options);

/** Several runs, one after the other, that share a loop and a context: tasks that one leaves behind
 *  go on in the next, and so do the variables that it set.  To be embedded; zero it or
 *  weft_runner_open() it before use. */
typedef struct weft_runner {
    void *own[16]; /* nobody else's */
} weft_runner;

/** Makes the loop, and the context of the runs: a copy of this one.
 *
 *  options  borrowed during the call; may be NULL.
 *
 *  Returns 0, or as weft_run().  A runner that could not be opened is closed; one that is open must
 *  be closed before it is opened again.  Any thread.
 *  Source: asyncio.Runner(). */
WEFT_API int weft_runner_open(weft_runner *runner, const weft_run_options *options);

/** Runs a coroutine as the main task, until it ends.  Others stay as they are.
 *
 *  main  taken, also on failure.
 *
 *  Returns as weft_run(); -EBADF the runner is closed, -EXDEV it runs in another thread.
 *  Source: Runner.run(). */
WEFT_API int weft_runner_run(weft_runner *runner, weft_coro *main);

/** Returns the loop; NULL when the runner is closed.  Source: Runner.get_loop(). */
WEFT_API weft_loop *weft_runner_get_loop(const weft_runner *runner);

/** Returns the signal that ended the last run; 0: none did. */
WEFT_API int weft_runner_signal(const weft_runner *runner);

/** Ends what is left, as weft_run() does, and closes the loop.  Again: nothing.
 *
 *  Returns 0, -ETIMEDOUT tasks or threads were abandoned, -EBUSY from within a run, -EXDEV it runs
 *  in another thread, -ECHILD it is the parent's (its memory stays).  Source: Runner.close(). */
WEFT_API int weft_runner_close(weft_runner *runner);

WEFT_END_DECLS

#endif
