/* SPDX-License-Identifier: MIT
 * Calling into a loop from other threads, and learning what came of it.
 *
 *     weft_thread_future *f;
 *     r = weft_run_coroutine_threadsafe(fetch(url), loop, &f);     in any thread
 *     if (r == 0)
 *         r = weft_thread_future_wait(f, 5.0, &status);
 *     weft_thread_future_free(f);
 *
 * A thread future belongs to no loop: any thread may ask, wait for and cancel it, one after the
 * other or at the same time.  It has one hold, which weft_thread_future_free() spends.  For a plain
 * callback in the loop there is weft_loop_call_soon_threadsafe(), for a stream of items
 * <weft/thread_queue.h>. */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#include <weft/coro.h>

WEFT_BEGIN_DECLS

/** What will come of a coroutine that runs in a loop of another thread. */
typedef struct weft_thread_future weft_thread_future;

/** What weft_thread_future_add_done_callback() calls; `future` is borrowed for the call. */
typedef void weft_thread_future_callback(weft_thread_future *future, void *arg);

/** Has a coroutine run as a task of a loop, from any thread.
 *
 *  coro        taken, also on failure; made in this thread.
 *  loop        that runs in another thread, or will; its own thread may ask, too, but not wait.
 *  ret_future  may be NULL: then a failure is reported as of any task that was detached.
 *
 *  The loop's thread makes the task, in a copy of this thread's context.  When the loop closes
 *  first, or closes before the task has ended, the future's status is -ECANCELED: nobody waits for
 *  ever.
 *
 *  Returns 0, -EBADF the loop is closed, -ENOMEM, -EINVAL, -ESRCH a spent coroutine, -ECHILD, or a
 *  failed coroutine's error.  Not a cancellation point.  Any thread.  Cost: a few locks, and
 *  write(2) when the loop has to be woken.  Source: asyncio.run_coroutine_threadsafe(). */
WEFT_API int weft_run_coroutine_threadsafe(weft_coro *coro, weft_loop *loop,
                                           weft_thread_future **ret_future);

/** Waits until it is done.
 *
 *  timeout     seconds; 0 and less only looks, infinity for no limit.
 *  ret_status  what the coroutine returned, -ECANCELED when it never ran or its loop closed; may be
 *              NULL.
 *
 *  In a task of another loop it is a wait like any other, and a cancel ends it; in a thread without
 *  a loop the thread blocks.
 *
 *  Returns 0, -ETIMEDOUT, -ECANCELED the waiting task is cancelled, -EDEADLK it is not done and
 *  this is the thread that its loop runs in, -EPERM from a callback of another loop, -EINVAL NaN or
 *  NULL, -ESRCH, -ENOMEM, -ECHILD.  In a task a cancellation point unless it is done.  Any thread.
 *  Source: concurrent.futures.Future.result(timeout). */
WEFT_API int weft_thread_future_wait(weft_thread_future *future, double timeout, int *ret_status);

/** Returns the status, and the value of weft_return() in *ret_value when that is >= 0; -EINPROGRESS
 *  before it is done, -ESRCH, -EINVAL, -ECHILD.  Any thread.  Source: Future.result(0). */
WEFT_API int weft_thread_future_result(weft_thread_future *future, void **ret_value);

/** Whether it is done; true for a spent handle.  Any thread.  Source: Future.done(). */
WEFT_API bool weft_thread_future_done(weft_thread_future *future);

/** Cancels the task, as weft_task_cancel() does in the loop's thread.  The future is done when the
 *  task has ended, with its status: what it uses is not pulled away.
 *
 *  Returns 0, also when it was cancelled before; -EALREADY it is done, -ESRCH, -EINVAL, -ECHILD.
 *  Any thread.  Source: Future.cancel(). */
WEFT_API int weft_thread_future_cancel(weft_thread_future *future);

/** Whether it is done and its status is -ECANCELED.  Any thread.  Source: Future.cancelled(). */
WEFT_API bool weft_thread_future_cancelled(weft_thread_future *future);

/** Has `callback(future, arg)` called once when it is done, at once if it is done already.
 *
 *  callback  runs in the loop's thread, or in this one if it is done already; must not wait.
 *
 *  Returns 0, -ENOMEM, -ESRCH, -EINVAL, -ECHILD.  Any thread.
 *  Source: Future.add_done_callback(). */
WEFT_API int weft_thread_future_add_done_callback(weft_thread_future *future,
                                                  weft_thread_future_callback *callback, void *arg);

/** Gives a thread future back; what runs goes on.  Nobody may wait for it now.  Returns NULL; NULL
 *  and spent handles are left alone.  Any thread. */
WEFT_API weft_thread_future *weft_thread_future_free(weft_thread_future *future);

WEFT_END_DECLS

#endif
