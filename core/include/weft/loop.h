/* SPDX-License-Identifier: MIT
 * The event loop: callbacks, timers and watched descriptors.  Most programs need only weft_run().
 *
 * Threads.  A loop runs in one thread at a time, and while it runs everything that belongs to it is
 * that thread's: calls from another return -EXDEV, save weft_loop_call_soon_threadsafe() and those
 * that only look.  A loop that does not run may be used by any one thread.  `loop` may be NULL for
 * the loop that runs in this thread (-EPERM when none does), but not to close or to run it.  A
 * closed loop's handle is -EBADF for ever; after fork(2) the parent's loops are -ECHILD in the
 * child.
 *
 * Order.  What is ready runs first in, first out: callbacks and tasks stand in one queue.  Timers
 * with equal deadlines run in the order in which they were set, and none runs early.  The loop
 * looks at its descriptors and its clock when nothing is ready; when something always is, it looks
 * at the clock after 64 turns, or fewer that take longer, and at the descriptors after 50
 * microseconds (or eight times what that look takes, up to a millisecond).
 *
 * Handles.  ret_handle, where it is not NULL, receives a hold on what was scheduled, to be given
 * back with weft_handle_unref(), before or after it has run; one that is forgotten lives until the
 * loop closes. */
#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include <weft/future.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

/** Makes a loop.  It is in debug mode when WEFT_DEBUG is set, not empty and not "0", or
 *  is unset and weft.conf says so.
 *
 *  backend   "epoll", "poll", "sim" or a plugin's name, with options where it knows some
 *            ("sim:start=5"); or a list, "uv:direct,epoll", of which the next is tried when one is
 *            not there or cannot work here.  NULL: what WEFT_BACKEND says, else weft.conf, else the
 *            first of epoll and poll; the others only by their names.
 *  ret_loop  the loop; close it with weft_loop_close().  Untouched on error.
 *
 *  A plugin is the file weft-backend-NAME.so in a directory of WEFT_BACKEND_PATH (absolute ones,
 *  separated by colons) or in the library's own.  Programs with more rights than their caller
 *  ignore the environment; root loads only what nobody else can write to.
 *
 *  weft.conf is the file that WEFT_CONFIG names, else the first that is there of
 *  $XDG_CONFIG_HOME/weft/weft.conf (~/.config) and /etc/weft/weft.conf: a section [weft] with
 *  `backend = `, `debug = ` and `plugins = `.  The process's first loop switches on the plugins
 *  that are named there or by WEFT_PLUGINS (<weft/plugin.h>); what one of them says is an error
 *  here.
 *
 *  Returns 0, or with weft_error_detail() telling what was tried: -ENOENT no such backend, -ELIBACC
 *  a library that it needs is not there, -ELIBBAD a file that is no backend for this library,
 *  -EACCES one that is not safe to load, -EINVAL options or a mode that it does not know, or a
 *  weft.conf with an error in it; -ENOMEM, -EMFILE, or what the backend says.  Any thread.  Cost:
 *  the backend's descriptors, and looking for weft.conf.
 *  Source: asyncio.new_event_loop(). */
WEFT_API WEFT_MUST_USE int weft_loop_new(const char *backend, weft_loop **ret_loop);

/** Closes a loop that does not run, and frees it.  Callbacks that did not run are dropped;
 *  coroutines that were made while it ran and that nobody took are dropped, and reported in debug
 *  mode; a task that has not ended is reported and abandoned: its stack is never used again, since
 *  something may still point into it.  Jobs in threads are not waited for, and nobody learns of
 *  their end: see weft_loop_shutdown_default_executor().
 *
 *  Returns 0, -EINPROGRESS for one that was attached (weft_loop_attach()) to a host which has to
 *  run once more, -EBUSY it runs, -EBADF it is closed or NULL, -EXDEV it runs in another thread,
 *  -ECHILD.  Source: loop.close(). */
WEFT_API int weft_loop_close(weft_loop *loop);

/** Returns the loop that runs in this thread, or NULL.  Source: asyncio.get_running_loop(). */
WEFT_API weft_loop *weft_get_running_loop(void);

/** Runs callbacks and tasks until weft_loop_stop().
 *
 *  Returns 0, -EBUSY a loop runs in this thread already, -EBADF, -EXDEV, -ECHILD, -EDEADLK when the
 *  backend knows that nothing can ever happen (sim), or the backend's error.  Not from a task.
 *  Source: loop.run_forever(). */
WEFT_API int weft_loop_run_forever(weft_loop *loop);

/** Runs until one is done, and returns its status.
 *
 *  x  a coroutine (a task is made of it), a task or a future; taken, also on failure, save with
 *     -EXDEV for another loop's.
 *
 *  -EINTR weft_loop_stop() came first (the hold is spent; a task runs on when the loop does), else
 *  as weft_loop_run_forever() and weft_await().  In C++ one of the three functions below.
 *  Source: loop.run_until_complete(). */
#ifndef __cplusplus
#define weft_loop_run_until_complete(loop, x)              \
    _Generic((x),                                          \
        weft_coro *: weft_loop_run_until_complete_coro,    \
        weft_task *: weft_loop_run_until_complete_task,    \
        weft_future *: weft_loop_run_until_complete_future)(loop, x)
#endif
WEFT_API int weft_loop_run_until_complete_coro(weft_loop *loop, weft_coro *coro);
WEFT_API int weft_loop_run_until_complete_task(weft_loop *loop, weft_task *task);
WEFT_API int weft_loop_run_until_complete_future(weft_loop *loop, weft_future *future);

/** Lets weft_loop_run_forever() return when what is ready now has run; on a loop that does not run,
 *  after it has looked at its descriptors once.
 *  Returns 0, -EBADF, -EXDEV, -EPERM, -EOPNOTSUPP an attached one, which only its host can stop.
 *  Source: loop.stop(). */
WEFT_API int weft_loop_stop(weft_loop *loop);

/** Whether a loop runs, in whatever thread.  Any thread.  Source: loop.is_running(). */
WEFT_API bool weft_loop_is_running(weft_loop *loop);

/** Whether a loop was closed.  Any thread.  Source: loop.is_closed(). */
WEFT_API bool weft_loop_is_closed(weft_loop *loop);

/** Has `callback(arg)` called once, after what is ready now.
 *
 *  arg         borrowed until then.
 *  ret_handle  may be NULL.
 *
 *  Returns 0, -ENOMEM, -EINVAL no callback, -EBADF, -EXDEV, -EPERM, -ECHILD.  Cost: about 10 ns,
 *  the call included.  Source: loop.call_soon(). */
WEFT_API int weft_loop_call_soon(weft_loop *loop, weft_callback *callback, void *arg,
                                 weft_handle **ret_handle);

/** weft_loop_call_soon() from any thread, for a loop that runs in another or in none: the one door.
 *  It wakes the loop, once for all calls that it has not yet seen.
 *
 *  ret_handle  as above, but to be used in the loop's thread only.
 *
 *  Returns 0, -ENOMEM, -EINVAL, -EBADF, -ECHILD.  Not async-signal-safe.  Cost: a lock, and
 *  write(2) when the loop has to be woken.  Source: loop.call_soon_threadsafe(). */
WEFT_API int weft_loop_call_soon_threadsafe(weft_loop *loop, weft_callback *callback, void *arg,
                                            weft_handle **ret_handle);

/** Has `callback(arg)` called `delay` seconds from now, never early; a negative delay is due at
 *  once, an infinite one never.
 *
 *  Returns 0, -EINVAL NaN or no callback, and as weft_loop_call_soon().  Cost: O(log n) at worst,
 *  mostly O(1), and a clock reading.  Source: loop.call_later(). */
WEFT_API int weft_loop_call_later(weft_loop *loop, double delay, weft_callback *callback, void *arg,
                                  weft_handle **ret_handle);

/** weft_loop_call_later() at an absolute weft_loop_time().  Source: loop.call_at(). */
WEFT_API int weft_loop_call_at(weft_loop *loop, double when, weft_callback *callback, void *arg,
                               weft_handle **ret_handle);

/** Returns the loop's clock in seconds, read now: CLOCK_MONOTONIC, or the backend's virtual time;
 *  NaN for a closed loop or none.  Any thread.  Source: loop.time(). */
WEFT_API double weft_loop_time(weft_loop *loop);

/** Takes back what was scheduled; again, or after it ran, nothing happens.
 *  Returns 0, -ESRCH the hold is spent, -EINVAL NULL, -EXDEV.  Cost: O(1), now and then a packing
 *  of the timers; a cancelled timer's memory is used again when half of all are.
 *  Source: Handle.cancel(). */
WEFT_API int weft_handle_cancel(weft_handle *handle);

/** Whether it was cancelled; true for a spent handle.  Source: Handle.cancelled(). */
WEFT_API bool weft_handle_cancelled(weft_handle *handle);

/** Returns when it is due, in weft_loop_time(); NaN for call_soon's and spent handles.
 *  Source: TimerHandle.when(). */
WEFT_API double weft_handle_when(weft_handle *handle);

/** Gives the hold back; what was scheduled stays scheduled.  Returns NULL; NULL and spent handles
 *  are left alone. */
WEFT_API weft_handle *weft_handle_unref(weft_handle *handle);

/** Has `callback(arg)` called whenever `fd` can be read (or has an error or was hung up), as long
 *  as that is so, until weft_loop_remove_reader().  Adding again replaces the callback.
 *
 *  fd  stays yours, and open until the reader is removed.
 *
 *  Returns 0, -EBADF not an open descriptor or the loop is closed, -EPERM the backend cannot watch
 *  such a file (epoll: regular files), -EBUSY a weft_select() waits for it or a transport has it,
 *  -ENOMEM, -ENOSPC, -EINVAL no callback, -EOPNOTSUPP (sim), -EXDEV, -ECHILD.  Cost: one system
 *  call.  Source: loop.add_reader(). */
WEFT_API int weft_loop_add_reader(weft_loop *loop, int fd, weft_callback *callback, void *arg);

/** The same for writing.  Source: loop.add_writer(). */
WEFT_API int weft_loop_add_writer(weft_loop *loop, int fd, weft_callback *callback, void *arg);

/** Removes the reader; a call that is due already does not come.
 *  Returns 1, or 0 there was none; -EBADF, -EXDEV, -EPERM.  Source: loop.remove_reader(). */
WEFT_API int weft_loop_remove_reader(weft_loop *loop, int fd);

/** The same for the writer.  Source: loop.remove_writer(). */
WEFT_API int weft_loop_remove_writer(weft_loop *loop, int fd);

/** Returns the name of the backend that the loop runs on ("epoll"); NULL for a closed loop or none.
 *  Any thread. */
WEFT_API const char *weft_loop_backend_name(weft_loop *loop);

/** Returns how the backend watches for the loop: "direct", each descriptor by itself, or "guest",
 *  our own poller through one descriptor in another library's loop; NULL for a closed loop or none.
 *  Any thread. */
WEFT_API const char *weft_loop_backend_mode(weft_loop *loop);

/** Switches debug mode on or off for this loop.  Returns 0, -EBADF, -EXDEV, -EPERM.
 *  Source: loop.set_debug(). */
WEFT_API int weft_loop_set_debug(weft_loop *loop, bool on);

/** Whether debug mode is on.  Source: loop.get_debug(). */
WEFT_API bool weft_loop_get_debug(weft_loop *loop);

WEFT_END_DECLS

#endif
