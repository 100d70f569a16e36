/* SPDX-License-Identifier: MIT
 * Scopes: a stretch of a task's code that can be cancelled by itself, has a deadline of its own, or
 * is shielded from cancels that come from outside.
 *
 *     weft_timeout limit;
 *     weft_timeout_enter(&limit, 0.5);
 *     r = weft_timeout_exit(&limit, talk());      -ETIMEDOUT when talk() was cut short
 *
 * All kinds are one thing with different options: plain scopes, timeouts, shields, on-cancel
 * callbacks, and task groups (group.h).  They live in the caller's frame, nest, and are left in the
 * reverse order.  exit() takes what the body came to and returns what the scope makes of it; it
 * clears the scope's own cancel and no other.
 *
 * A task is cancelled where it is, looking outward from there, when a scope around it has expired
 * or was cancelled, or, beyond all scopes, weft_task_cancel() was called; an active shield ends the
 * look. In that state every new wait returns -ECANCELED and the wait under way is interrupted,
 * until the cancelled scope is left.  A body that never waits is never interrupted.
 *
 * Entering fails with -EPERM outside a task, -ECHILD after a fork, -EINVAL for NULL or NaN,
 * -ENOMEM; the body then runs without the scope, and leaving it gives the error again.  None of the
 * calls here is a cancellation point; all are for the task that entered, save
 * weft_scope_cancel(). */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** The four kinds.  The memory must stay where it is until the exit; all members are weft's.  One
 *  that was forgotten when its function returned is reported and left at the end of its coroutine
 *  at the latest, or when its place is used again. */
typedef struct weft_scope {
    void *priv[4];
} weft_scope;
typedef struct weft_timeout {
    void *priv[4];
} weft_timeout;
typedef struct weft_shield {
    void *priv[4];
} weft_shield;
typedef struct weft_on_cancel {
    void *priv[4];
} weft_on_cancel;

/** Enters a scope that does nothing until weft_scope_cancel().  Returns 0 or an error.  Cost: a few
 *  nanoseconds.  Source: trio.CancelScope; asyncio has none. */
WEFT_API int weft_scope_enter(weft_scope *scope);

/** Cancels what runs inside a scope: its task's waits there, and what they wait for.
 *
 *  scope    entered and not left; by whichever task of the same loop, or a callback.
 *  message  why, for weft_task_cancel_reason(); static text or NULL.
 *
 *  Returns 0, also when it is cancelled already; -EINVAL it is not entered, -EXDEV another thread.
 *  Source: trio.CancelScope.cancel(). */
WEFT_API int weft_scope_cancel(weft_scope *scope, const char *message);

/** Whether the scope was cancelled, for as long as its memory is its own. */
WEFT_API bool weft_scope_cancelled(const weft_scope *scope);

/** Leaves a scope.
 *
 *  status  what the body came to.
 *
 *  Returns `status`; -EINVAL it was left already, belongs to another task, or scopes that were
 *  entered inside were not left: these are left, too, and so is this one. */
WEFT_API int weft_scope_exit(weft_scope *scope, int status);

/** Enters a scope that expires `delay` seconds from now; infinity never, 0 and less at once.
 *
 *  Returns 0 or an error.  Cost: a clock reading and a timer.  Source: asyncio.timeout(). */
WEFT_API int weft_timeout_enter(weft_timeout *scope, double delay);

/** weft_timeout_enter() with an absolute weft_loop_time().  Source: asyncio.timeout_at(). */
WEFT_API int weft_timeout_enter_at(weft_timeout *scope, double when);

/** Moves the deadline to another weft_loop_time(); infinity takes it away.
 *
 *  Returns 0, -EALREADY it has expired, -EINVAL not entered, another task's, NaN; -ENOMEM.
 *  Source: Timeout.reschedule(). */
WEFT_API int weft_timeout_reschedule(weft_timeout *scope, double when);

/** Returns the deadline as weft_loop_time(); infinity for none, NaN for a scope that is not
 *  entered. Source: Timeout.when(). */
WEFT_API double weft_timeout_when(const weft_timeout *scope);

/** Whether the deadline has passed and cancelled what is inside, for as long as the scope's memory
 *  is its own.  Source: Timeout.expired(). */
WEFT_API bool weft_timeout_expired(const weft_timeout *scope);

/** Leaves a timeout.
 *
 *  Returns -ETIMEDOUT when `status` is -ECANCELED, the scope had expired, and nothing outside of it
 *  is cancelled; else as weft_scope_exit().  Source: Timeout.__aexit__(). */
WEFT_API int weft_timeout_exit(weft_timeout *scope, int status);

/** Enters a shield: cancels and deadlines from outside do not reach what is inside, so that cleanup
 *  can wait.  Scopes inside work as ever.
 *
 *  limit  how many seconds cleanup may take: from here, or from the cancel when that comes later.
 *         Then the shield is gone.  Infinity: no limit.
 *
 *  Returns 0 or an error.  Source: trio's CancelScope(shield=True); asyncio.shield() protects the
 *  other side and is weft_await_shielded(). */
WEFT_API int weft_shield_enter(weft_shield *scope, double limit);

/** Leaves a shield; as weft_scope_exit(). */
WEFT_API int weft_shield_exit(weft_shield *scope, int status);

/** From here on `callback(arg)` is called once, at once, when this task is cancelled where it is
 *  now (at once from here when it is already): to stop what a foreign asynchronous library does for
 *  it.
 *
 *  callback  runs in whoever cancels; must not wait, enter or leave scopes.
 *
 *  Returns 0 or an error.  Source: Swift's withTaskCancellationHandler. */
WEFT_API int weft_on_cancel_enter(weft_on_cancel *scope, weft_callback *callback, void *arg);

/** Ends that; as weft_scope_exit(). */
WEFT_API int weft_on_cancel_exit(weft_on_cancel *scope, int status);

/** Whether the running task is cancelled where it is: whether a new wait would return -ECANCELED.
 *  false outside a task.  Cost: one load. */
WEFT_API bool weft_cancelled(void);

/** Returns the deadline that holds where the running task is, as weft_loop_time(): the earliest of
 *  the scopes around it up to the nearest active shield.  Infinity for none, also outside a task;
 *  minus infinity when it is cancelled.  Source: trio.current_effective_deadline(). */
WEFT_API double weft_current_deadline(void);

/* What the macros below leave by. */
WEFT_API void weft_scope_leave(weft_scope *scope);
WEFT_API void weft_timeout_leave(weft_timeout *scope);
WEFT_API void weft_shield_leave(weft_shield *scope);

WEFT_END_DECLS

/** Enter a scope for the rest of the enclosing block, left on every path out of it: return, break,
 *  goto.  GNU C.
 *
 *  Statuses on the way are passed on as they are: who is called from outside sees the -ECANCELED of
 *  a wait that was cut short, and cannot tell that it was the deadline; where that matters use
 *  enter and exit.  If the scope cannot be entered (-ENOMEM, NaN) the block runs without it. */
#define WEFT_TIMEOUT_SCOPE(delay) WEFT__SCOPE(weft_timeout, delay, __COUNTER__)
#define WEFT_SHIELD_SCOPE(limit) WEFT__SCOPE(weft_shield, limit, __COUNTER__)
#define WEFT__SCOPE(kind, limit, n) WEFT__SCOPE_(kind, limit, n)
#define WEFT__SCOPE_(kind, limit, n)                              \
    kind weft__scope_##n __attribute__((cleanup(kind##_leave)));  \
    kind##_enter(&weft__scope_##n, limit)

#endif
