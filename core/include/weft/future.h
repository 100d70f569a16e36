/* SPDX-License-Identifier: MIT
 * Futures: a result that somebody will set, for somebody who awaits it: the bridge from callbacks
 * to tasks.
 *
 * A new future has two holds.  The setter's is spent by the one call that sets it, the awaiter's by
 * awaiting (weft_await) or weft_future_unref().  So neither side has to know whether the other is
 * still there, and the last one frees it.  Functions that do not say "spent" borrow the handle. */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** What weft_future_add_done_callback() calls; `future` is borrowed for the call. */
typedef void weft_future_callback(weft_future *future, void *arg);

/** Makes a future.
 *
 *  loop        the loop in which it will be set and awaited; NULL: the running one.
 *  ret_future  the future, with two holds; untouched on error.
 *
 *  Returns 0, -ENOMEM, -EPERM no loop runs here, -EXDEV the loop runs in another thread, -EBADF it
 *  is closed, -EINVAL.  Not a cancellation point.  The loop's thread.  Cost: about 5 ns.
 *  Source: loop.create_future(). */
WEFT_API int weft_future_new(weft_loop *loop, weft_future **ret_future);

/** Sets the value; the status is 0.  Those who wait are made ready in the order in which they came.
 *
 *  future  the setter's hold is spent, also when it was cancelled.
 *
 *  Returns 0, -EALREADY it was cancelled or set before (the value is still yours), -ESRCH it is
 *  gone, -EXDEV another thread's (go through weft_loop_call_soon_threadsafe()).  Not a cancellation
 *  point. The loop's thread.  Source: Future.set_result(). */
WEFT_API int weft_future_set_result(weft_future *future, void *value);

/** Sets a failure, `error` < 0 (else -EINVAL, and nothing is spent; -ECANCELED cancels it);
 *  otherwise as weft_future_set_result(). One that nobody reads is reported.  Source:
 *  Future.set_exception(). */
WEFT_API int weft_future_set_exception(weft_future *future, int error);

/** Ends a future that nobody will need: its status is -ECANCELED, and the setter will get
 *  -EALREADY. Returns 0, -EALREADY it is done, -ESRCH.  Source: Future.cancel(). */
WEFT_API int weft_future_cancel(weft_future *future);

/** Whether it has a result, a failure or was cancelled; true for a spent handle.  Source:
 *  Future.done(). */
WEFT_API bool weft_future_done(weft_future *future);

/** Whether it was cancelled.  Source: Future.cancelled(). */
WEFT_API bool weft_future_cancelled(weft_future *future);

/** Returns the status: 0, the failure, -EINPROGRESS, -ESRCH.  Source: Future.exception(). */
WEFT_API int weft_future_status(weft_future *future);

/** weft_future_status(), and the value in *ret_value when it is 0.  Source: Future.result(). */
WEFT_API int weft_future_result(weft_future *future, void **ret_value);

/** Has `callback` called in the loop when the future is done; see weft_task_add_done_callback(). */
WEFT_API int weft_future_add_done_callback(weft_future *future, weft_future_callback *callback,
                                           void *arg);

/** Takes callbacks back; returns how many. */
WEFT_API int weft_future_remove_done_callback(weft_future *future, weft_future_callback *callback,
                                              void *arg);

/** Adds an awaiter's hold.  Returns `future`. */
WEFT_API WEFT_MUST_USE weft_future *weft_future_ref(weft_future *future);

/** Gives an awaiter's hold back without awaiting.  Returns NULL; NULL and spent handles are left
 *  alone. */
WEFT_API weft_future *weft_future_unref(weft_future *future);

/** Returns the future's loop, or NULL for a spent handle.  Source: Future.get_loop(). */
WEFT_API weft_loop *weft_future_get_loop(weft_future *future);

WEFT_END_DECLS

#endif
