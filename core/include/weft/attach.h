/* SPDX-License-Identifier: MIT
 * Living inside a loop that somebody else owns: GTK's, libuv's, libev's, or any other.
 *
 * An attached loop does not run; it has its turns.  The program runs its own loop, the host, as
 * ever, and whenever something of ours is ready the host calls us, and tasks and callbacks run: for
 * a millisecond at the most, unless one of them takes longer by itself, and then it is the host's
 * own work again.  Everything else is as in a loop of our own, with these differences:
 *   - it belongs to the thread that runs the host: in another everything is -EXDEV, save
 *     weft_loop_call_soon_threadsafe();
 *   - in the host's own callbacks no loop of ours runs: calls there name the loop
 *     (weft_loop_create_task(loop, ...)), and whatever they make ready has its turn soon;
 *   - weft_loop_run_forever() and its like are -EBUSY, weft_loop_stop() is -EOPNOTSUPP: the host
 *     alone decides when it ends;
 *   - weft_loop_is_running() says whether it has its turns right now.
 *
 * A host within the host.  A task or callback may have the host's loop run again, as a modal dialog
 * does, where the host can do that (GLib and libev can, libuv cannot).  That task stays where it
 * is, inside its call; everyone else goes on having turns.  A task that does the same from within
 * must end its own such call first.  This goes 16 deep; beyond, and where a task is just being
 * ended or cancelled, the host runs and we do not.
 *
 * A host without a plugin (sd-event, Qt, a game's main loop) watches weft_loop_fd() for reading,
 * keeps one timer for weft_loop_next_deadline(), and calls weft_loop_pump() for both. */
#ifndef WEFT_ATTACH_H
#define WEFT_ATTACH_H

#include <weft/loop.h>

WEFT_BEGIN_DECLS

/** Makes a loop inside a host's loop, which may be running already.
 *
 *  backend    the host's kind: "uv", "ev" or "glib", or a plugin's name; with a mode where it shall
 *             not be the default one: "uv:direct".  One, not a list; found as for weft_loop_new().
 *  host_loop  uv_loop_t *, struct ev_loop *, GMainContext *.  Borrowed until the loop is closed.
 *  ret_loop   the loop; close it with weft_loop_close() while no host runs, or in one of the host's
 *             callbacks.  Untouched on error.
 *
 *  The host still ends when it would have ended; weft_loop_hold() changes that.
 *
 *  Closing leaves the host as it was found.  Where only the program can iterate the host (libuv,
 *  whose handles end in its next iteration) weft_loop_close() returns -EINPROGRESS: the loop is
 *  closed, its handle is stale, and the host must run once more before it can be closed itself;
 *  weft_loop_on_closed() tells when it has.
 *
 *  Returns 0, -EINVAL no host or a list, -EOPNOTSUPP a backend that is no host, -EBUSY a host that
 *  cannot be entered now, and as weft_loop_new().  On the host's thread.  Cost: a few descriptors,
 *  and then, in guest mode, one more system call for each batch of events. */
WEFT_API WEFT_MUST_USE int weft_loop_attach(const char *backend, void *host_loop,
                                            weft_loop **ret_loop);

/** Keeps an attached loop's host from ending (uv_run() returns when nothing is left to do), or lets
 *  it end again, as it is at first.  Nothing happens on hosts that do not count.
 *  Returns 0, -EBADF, -EXDEV, -EPERM. */
WEFT_API int weft_loop_hold(weft_loop *loop, bool on);

/** Has `callback(arg)` called when the loop was closed and its host is free of it: at the end of
 *  weft_loop_close(), or where that is -EINPROGRESS from one of the host's next iterations.  One
 *  callback; NULL for none.
 *  Returns 0, -EBADF, -EXDEV, -EPERM. */
WEFT_API int weft_loop_on_closed(weft_loop *loop, weft_callback *callback, void *arg);

/** Returns the library's own loop that this one runs on or was attached to (uv_loop_t *, struct
 *  ev_loop *, GMainContext *), for libraries that want one: what they start on it completes while
 *  our loop runs.  It stays ours: not to be run or closed.  NULL: epoll, poll and the like have
 *  none, or no such loop. */
WEFT_API void *weft_loop_native(weft_loop *loop);

/** Returns a descriptor that is readable when weft_loop_pump() has something to do, timers aside.
 *  From here on it is also whenever a call from outside of its turns has made something ready.
 *  It stays the loop's; watch it level-triggered, for reading, and do not read from it.
 *  Returns -EOPNOTSUPP for a backend that has none (poll, sim, and attached loops, which need
 *  none), -EBADF, -EXDEV, -EPERM. */
WEFT_API int weft_loop_fd(weft_loop *loop);

/** Returns when weft_loop_pump() has to be called though the descriptor is not readable, in
 *  weft_loop_time(): a time that has passed when something is ready, INFINITY for never.  To be
 *  asked after each weft_loop_pump().  NaN for a closed loop or none. */
WEFT_API double weft_loop_next_deadline(weft_loop *loop);

/** Looks at descriptors, clock and inbox without waiting, and gives turns to what is ready, for a
 *  millisecond or so.
 *
 *  Also from within a turn of this very loop (the host is running again): then others have turns
 *  while the caller stays where it is.
 *
 *  Returns 1 when something is still ready, else 0; -EBUSY the loop looks round just now or
 *  somebody is being ended, -ELOOP this is the 17th within another, -EBADF, -EXDEV, -EPERM,
 *  -ECHILD, or the backend's error. */
WEFT_API int weft_loop_pump(weft_loop *loop);

WEFT_END_DECLS

#endif
