/* SPDX-License-Identifier: MIT
 * Tasks: coroutines that run by themselves, each on a stack of its own, one at a time on their
 * loop's thread.
 *
 * Holds.  Creating a task gives one hold.  Awaiting takes it, and so does weft_task_detach(), which
 * lets the task run on without you; weft_task_ref() adds one.  The loop itself holds every task
 * that runs, so none vanishes.  A handle whose hold is spent is -ESRCH, never another task's.
 * Functions that do not say "taken" borrow the handle: they need no hold, only a task that is still
 * there. Holds are counted, not owned: awaiting a handle that was only borrowed (from
 * weft_current_task(), weft_all_tasks(), a done callback) spends somebody else's; await
 * weft_task_ref(task) instead.
 *
 * Life: made -> ready -> running <-> waiting -> done -> gone (its last hold was spent).
 *
 * Cancellation is a state.  A task is cancelled while weft_task_cancel() was called more often than
 * weft_task_uncancel(), or a scope around the place where it is was cancelled or has expired, and
 * no shield stands between (scope.h).  In that state each new wait returns -ECANCELED, after other
 * tasks had a turn.  Cancelled means that it did not happen: a wait that was over already gives its
 * result, and the cancel comes with the next one.  The body always starts, so what its arguments
 * own is freed by its own code; but a loop that is closed first drops it as a coroutine.
 *
 * Unless a comment says otherwise no call here is a cancellation point, and each is for the thread
 * in which the task's loop runs (any one thread while it does not run). */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/coro.h>

WEFT_BEGIN_DECLS

/** How a task is made; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_task_options {
    const char *name;  /* copied, cut after 31 bytes; NULL: "Task-7", by the order of creation */
    size_t stack_size; /* bytes, rounded up to 64 KiB << n, at most 64 MiB; 0: the loop's */
    bool eager_start;  /* run until its first wait before the creator goes on, if the loop runs */
    int *ret_status;   /* in a task group: receives the status when the task ends */
    weft_context *context; /* borrowed: the task runs in it; NULL: in a copy of its creator's */
    void *reserved[3];     /* zero */
} weft_task_options;

/** One coroutine in a task's chain of calls. */
typedef struct weft_frame {
    const char *name; /* of the coroutine function */
    const char *file; /* where it is defined */
    int line;
} weft_frame;

/** What weft_task_add_done_callback() calls; `task` is borrowed for the call. */
typedef void weft_task_callback(weft_task *task, void *arg);

/** Makes a task of a coroutine in the running loop; it begins when its turn comes, after those that
 *  are ready now.
 *
 *  coro     taken, also on failure.
 *  options  borrowed during the call; may be NULL.
 *
 *  Returns the task with one hold, never NULL.  A failed one gives its error when it is awaited:
 *  -EPERM no loop runs in this thread, -ENOMEM, -EINVAL a stack size beyond 64 MiB, -EBADF the loop
 *  is closed, -ESRCH the coroutine or the context was spent.
 *  Cost: about 10 ns; two pages are touched when no finished task left its stack.
 *  Source: asyncio.create_task(). */
WEFT_API WEFT_MUST_USE weft_task *weft_create_task(weft_coro *coro,
                                                   const weft_task_options *options);

/** weft_create_task() in `loop` (NULL: the running one), which need not run yet.
 *  -EXDEV: it runs in another thread.  Source: loop.create_task(). */
WEFT_API WEFT_MUST_USE weft_task *weft_loop_create_task(weft_loop *loop, weft_coro *coro,
                                                        const weft_task_options *options);

/** Adds a hold, for a second one who awaits.
 *
 *  Returns `task`, also where that is stale: then no hold is added, and it stays so. */
WEFT_API WEFT_MUST_USE weft_task *weft_task_ref(weft_task *task);

/** Gives a hold back without awaiting.  A task that nobody awaited is reported in debug mode, and
 *  its failure always.
 *
 *  Returns NULL: `task = weft_task_unref(task)`.  NULL and spent handles are left alone. */
WEFT_API weft_task *weft_task_unref(weft_task *task);

/** Lets a task run on without you.  Its failure, if it comes to one, is reported.
 *
 *  task  taken.
 *
 *  Returns 0, -ESRCH, -EINVAL, or a failed task's error. */
WEFT_API int weft_task_detach(weft_task *task);

/** Asks a task to stop: raises its count of cancels; the wait that it is in, and each new one,
 *  returns -ECANCELED.  A wait that protects memory (awaiting a task) asks its own target to stop
 *  and returns when that has ended.
 *
 *  Returns 0, or -ESRCH it has ended.  The task runs when its turn comes.  Cost: about that of a
 *  wake-up, for each task in the chain that it is passed on to.  Source: Task.cancel(). */
WEFT_API int weft_task_cancel(weft_task *task);

/** Takes one cancel back: at zero, and where no scope is cancelled, the task may wait again.
 *
 *  Returns how many are left, never below 0; -ESRCH.  Source: Task.uncancel(). */
WEFT_API int weft_task_uncancel(weft_task *task);

/** Returns how many cancels stand (scopes do not count), or -ESRCH.  Source: Task.cancelling(). */
WEFT_API int weft_task_cancelling(weft_task *task);

/** Whether the task has ended; true for a spent or failed handle.  Source: Task.done(). */
WEFT_API bool weft_task_done(weft_task *task);

/** Whether the task has ended with -ECANCELED.  Source: Task.cancelled(). */
WEFT_API bool weft_task_cancelled(weft_task *task);

/** Returns what the body returned; reading a failure counts as having seen it.
 *
 *  -EINPROGRESS it runs, -ESRCH the handle is spent, a failed task's error.
 *  Source: Task.result(), Task.exception(). */
WEFT_API int weft_task_status(weft_task *task);

/** weft_task_status(), and the value that the body returned with weft_return() in *ret_value when
 *  it is >= 0 (NULL when there is none).  Source: Task.result(). */
WEFT_API int weft_task_result(weft_task *task, void **ret_value);

/** Has `callback` called in the loop, after the task has ended (soon, when it has already).
 *  Callbacks run in the order in which they were added.  The task stays until the callback has
 *  returned.
 *
 *  Returns 0, -ENOMEM, -ESRCH, -EINVAL.  Source: Task.add_done_callback(). */
WEFT_API int weft_task_add_done_callback(weft_task *task, weft_task_callback *callback, void *arg);

/** Takes back all callbacks that were added with this function and argument and have not run: `arg`
 *  is not needed any more.  Returns how many.  Source: Task.remove_done_callback(). */
WEFT_API int weft_task_remove_done_callback(weft_task *task, weft_task_callback *callback,
                                            void *arg);

/** Returns the task's name, "" for a spent handle.  Valid while the task is there and keeps it.
 *  Source: Task.get_name(). */
WEFT_API const char *weft_task_get_name(weft_task *task);

/** Names the task; cut after 31 bytes, between characters of UTF-8.
 *  Returns 0, -ESRCH, or -EINVAL for NULL.  Source: Task.set_name(). */
WEFT_API int weft_task_set_name(weft_task *task, const char *name);

/** Stores the coroutines that the task is in, the innermost first, up to `max`.
 *
 *  Returns how many there are, which may be more; 0 when it has ended or not begun; -ESRCH.
 *  Source: Task.get_stack(). */
WEFT_API int weft_task_get_stack(weft_task *task, weft_frame *ret_frames, size_t max);

/** Returns the task's loop, or NULL for a spent handle. */
WEFT_API weft_loop *weft_task_get_loop(weft_task *task);

/** Gives the context that a task runs in, while it runs: what is set there the task sees.
 *
 *  ret_context  with one hold, for weft_context_unref().
 *
 *  Returns 0, -ESRCH the task has ended, -ENOMEM, -EINVAL.  Source: Task.get_context(). */
WEFT_API int weft_task_get_context(weft_task *task, weft_context **ret_context);

/** Returns the task that runs now, borrowed; NULL outside a task.  Any thread.
 *  Source: asyncio.current_task(). */
WEFT_API weft_task *weft_current_task(void);

/** Stores up to `max` tasks of a loop (NULL: the running one) that have not ended, borrowed, and
 *  returns how many there are; -EPERM no loop runs here, -EXDEV it runs in another thread, -EBADF.
 *  Cost: grows with the most tasks that the loop ever had.  Source: asyncio.all_tasks(). */
WEFT_API int64_t weft_all_tasks(weft_loop *loop, weft_task **ret_tasks, size_t max);

WEFT_END_DECLS

#endif
