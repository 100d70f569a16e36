/* SPDX-License-Identifier: MIT
 * Waiting: what a task does when it has to.
 *
 * weft_await(x), weft_await_value(x, ret_value) and weft_await_status(x, ret_status) work on a
 * coroutine, a task and a future.  Awaiting takes a hold on x, also when it fails (save with
 * -EXDEV: what belongs to another loop is not touched).
 *
 *   - A coroutine runs at once, as a function call on the caller's stack: no task is made, and the
 *     await by itself is no cancellation point.
 *   - A task or a future that is done gives its status at once.
 *   - Otherwise the caller waits.  Is it cancelled meanwhile, or was it before, the cancel is
 *     passed on, once.  A task that it reaches is cancelled for good (weft_task_cancel()), for
 *     everyone who awaits it, and the await returns when that task has ended, with its status:
 *     nothing that it uses on the caller's stack is pulled away.  A future is cancelled and the
 *     await returns at once; the setter will get -EALREADY.  If the setter uses memory of yours,
 *     wait for the setter.
 *
 * All of these return, beside the status of what was awaited: -EPERM outside a task (a coroutine is
 * dropped then), -ESRCH a spent handle, -EDEADLK a task that awaits itself, -EXDEV an object of
 * another loop, -EINVAL NULL, a failed object's error, -ECHILD after a fork.  The loop's thread. */
#ifndef WEFT_AWAIT_H
#define WEFT_AWAIT_H

#include <weft/future.h>
#include <weft/task.h>

WEFT_BEGIN_DECLS

/** Awaits; returns the status of what was awaited.  Cost: nothing but the call for a coroutine; a
 *  switch each way where it has to wait; what is done already may give way to others when the
 *  loop's budget of turns is spent.  Source: the await expression of Python. */
WEFT_API int weft_await_coro(weft_coro *coro);
WEFT_API int weft_await_task(weft_task *task);
WEFT_API int weft_await_future(weft_future *future);

/** The same, and the value (weft_return(), weft_future_set_result()) in *ret_value when the status
 *  is >= 0; NULL when there is none. */
WEFT_API int weft_await_coro_value(weft_coro *coro, void **ret_value);
WEFT_API int weft_await_task_value(weft_task *task, void **ret_value);
WEFT_API int weft_await_future_value(weft_future *future, void **ret_value);

/** Tells my fate and my child's apart: returns 0 with the child's status in *ret_status, or mine:
 *  -ECANCELED when this task was cancelled before or while it waited (the child's status is there,
 *  too), and the errors above, with *ret_status untouched. */
WEFT_API int weft_await_coro_status(weft_coro *coro, int *ret_status);
WEFT_API int weft_await_task_status(weft_task *task, int *ret_status);
WEFT_API int weft_await_future_status(weft_future *future, int *ret_status);

/** Waits for a time; 0 and less only let the others have a turn.
 *
 *  delay  seconds; what is too far ever to come, and infinity, never does.
 *
 *  Returns 0, never early; -ECANCELED the task is cancelled, -EINVAL NaN, -EPERM outside a task,
 *  -ENOMEM, -ECHILD.  A cancellation point always.  The loop's thread.  Cost: a switch; with a
 *  delay, a clock reading and a timer.  Source: asyncio.sleep(). */
WEFT_API int weft_sleep(double delay);

WEFT_END_DECLS

#ifndef __cplusplus
#define weft_await(x) WEFT__AWAIT(x, )(x)
#define weft_await_value(x, ret_value) WEFT__AWAIT(x, _value)(x, ret_value)
#define weft_await_status(x, ret_status) WEFT__AWAIT(x, _status)(x, ret_status)
#define WEFT__AWAIT(x, form)                   \
    _Generic((x),                              \
        weft_coro *: weft_await_coro##form,    \
        weft_task *: weft_await_task##form,    \
        weft_future *: weft_await_future##form)
#else
/* In C++ the same names are overloaded. */
static inline int weft_await(weft_coro *x)
{
    return weft_await_coro(x);
}
static inline int weft_await(weft_task *x)
{
    return weft_await_task(x);
}
static inline int weft_await(weft_future *x)
{
    return weft_await_future(x);
}
static inline int weft_await_value(weft_coro *x, void **ret_value)
{
    return weft_await_coro_value(x, ret_value);
}
static inline int weft_await_value(weft_task *x, void **ret_value)
{
    return weft_await_task_value(x, ret_value);
}
static inline int weft_await_value(weft_future *x, void **ret_value)
{
    return weft_await_future_value(x, ret_value);
}
static inline int weft_await_status(weft_coro *x, int *ret_status)
{
    return weft_await_coro_status(x, ret_status);
}
static inline int weft_await_status(weft_task *x, int *ret_status)
{
    return weft_await_task_status(x, ret_status);
}
static inline int weft_await_status(weft_future *x, int *ret_status)
{
    return weft_await_future_status(x, ret_status);
}
#endif

#endif
