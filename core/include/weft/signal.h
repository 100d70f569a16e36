/* SPDX-License-Identifier: MIT
 * Signals, as callbacks of a loop and as something to await.
 *
 * weft takes a signal over only while somebody asks for it: with the first handler or receiver of
 * any loop its action is replaced, with the last one it is put back exactly as it was, unless
 * somebody else has set it meanwhile.  Signal masks are never touched: a signal that every thread
 * blocks does not come.  Signals that come faster than they are looked at come once.
 *
 * Several loops, in whatever threads, may ask for the same signal; each gets it.  A child of
 * fork(2) has nobody who asked: there a signal does what it did before weft took it over.  exec(3)
 * puts the default back, as for any handler.
 *
 * Not to be had: SIGKILL and SIGSTOP, which cannot be caught; SIGSEGV, SIGBUS, SIGFPE and SIGILL,
 * which a program raises by its own mistake and cannot go on from; SIGCHLD, which would take the
 * children of other libraries away from them. */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <weft/loop.h>

WEFT_BEGIN_DECLS

/** Has `callback(arg)` called on the loop whenever the process gets a signal, until
 *  weft_loop_remove_signal_handler() or the loop's close.  Adding again replaces the callback.
 *
 *  signum    SIGTERM, SIGHUP, ...
 *  callback  an ordinary callback of the loop, in the context of this call: it may call anything,
 *            but not wait.
 *
 *  A handler for SIGINT or SIGTERM takes the place of what weft_run() does about it, in whatever
 *  loop of the process it is, as long as it is there.
 *
 *  Returns 0, -EINVAL no signal that can be had (weft_error_detail() says why) or no callback,
 *  -ENOMEM, -EBADF, -EXDEV, -EPERM, -ECHILD.  The loop's thread, which need not be the main one.
 *  Cost: two system calls for the first of the process.  Source: loop.add_signal_handler(). */
WEFT_API int weft_loop_add_signal_handler(weft_loop *loop, int signum, weft_callback *callback,
                                          void *arg);

/** Removes the callback.  A signal that has come and was not yet told goes with it.
 *
 *  Returns 1, or 0 there was none; -EINVAL, -EBADF, -EXDEV, -EPERM, -ECHILD.
 *  Source: loop.remove_signal_handler(). */
WEFT_API int weft_loop_remove_signal_handler(weft_loop *loop, int signum);

/** Keeps the signals that it was opened for until a task receives them. */
typedef struct weft_signal_receiver weft_signal_receiver;

/** A list for weft_signal_receiver_open(): WEFT_SIGNALS(SIGTERM, SIGHUP).  In C only. */
#define WEFT_SIGNALS(...) ((const int[]){ __VA_ARGS__, 0 })

/** Begins to receive signals in the running loop.
 *
 *  signums       which, with a 0 at the end; borrowed during the call.
 *  ret_receiver  yours, to be closed; else the loop's close does it.
 *
 *  Receivers and handlers do not take signals from each other: each gets all.
 *
 *  Returns 0, -EINVAL as weft_loop_add_signal_handler() or an empty list, -ENOMEM, -EPERM no loop
 *  runs in this thread, -ECHILD.  Source: trio.open_signal_receiver(); asyncio has none. */
WEFT_API WEFT_MUST_USE int weft_signal_receiver_open(const int *signums,
                                                     weft_signal_receiver **ret_receiver);

/** Waits for the next of its signals and takes it.
 *
 *  On a backend with virtual time nothing real is waited for: where nothing else can happen the run
 *  ends with -EDEADLK.
 *
 *  Returns its number (several that wait: the lowest first), -ECANCELED the task is cancelled (none
 *  is lost), -EBADF the receiver was closed meanwhile, -EBUSY another task waits already, -ESRCH it
 *  was closed before, -EINVAL, -EPERM not in a task, -EXDEV another loop's, -ECHILD.  A
 *  cancellation point. */
WEFT_API int weft_signal_receive(weft_signal_receiver *receiver);

/** Ends a receiver; what was not received is forgotten.  Returns NULL.  NULL is allowed.  The
 *  loop's thread. */
WEFT_API weft_signal_receiver *weft_signal_receiver_close(weft_signal_receiver *receiver);

WEFT_END_DECLS

#endif
