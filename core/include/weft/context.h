/* SPDX-License-Identifier: MIT
 * Context variables: values that go with a flow of work instead of being passed from function to
 * function: who is logged in, which request this is, where to log.
 *
 *     static const weft_context_var user = { .name = "user", .default_value = "nobody" };
 *
 *     weft_context_var_set(&user, name, NULL);     here, and in what is begun from here on
 *     ... weft_context_var_get(&user) ...          however deep below, in whichever task
 *
 * A context is what the variables are in one flow of work.  Each task has its own: a copy, made
 * with the task, of its creator's.  So a task sees what was set before it was created, and what it
 * sets itself nobody else sees.  An awaited coroutine is no task of its own: it shares its
 * caller's.  Callbacks run in a copy, too, of the context in which they were scheduled, added or
 * registered; each call begins with it anew.  Outside of a loop each thread has a context of its
 * own, which tasks that are made there copy.  Copying costs nothing but a count.
 *
 * A context object (weft_context) is for those who want one to outlive a task, or to be shared by
 * several: weft_context_run(), weft_task_options.context.
 *
 * Values are pointers and are never looked at.  Who sets one gives it away when the variable has a
 * `release` function, which is called once for each value that was set, when no context and no
 * token holds it any more: in whichever thread and wherever that happens, so it must not wait. A
 * value that weft_context_var_get() gives stays at least until the variable is set anew in that
 * context, or the context ends.
 *
 * All calls here are for any thread, inside or outside of tasks, and none is a cancellation point.
 * Source: Python's contextvars. */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** A variable: one object for each, static, known by its address. */
typedef struct weft_context_var {
    const char *name;             /* for people who read the program or debug it */
    void *default_value;          /* where it was never set; never released */
    void (*release)(void *value); /* frees what was set; NULL: nothing has to be freed */
} weft_context_var;

/** What a variable was before it was set: lives in the caller's memory and is neither copied nor
 *  moved.  Zeroed it is one that is spent. */
typedef struct weft_context_token {
    void *priv[6];
} weft_context_token;

/** Returns what a variable is here: the value that was set last in this context, its default, or
 *  NULL for NULL.  Cost: a few nanoseconds, growing with the number of variables that are set; in a
 *  context object a lock more.  Source: ContextVar.get(). */
WEFT_API void *weft_context_var_get(const weft_context_var *var);

/** Sets a variable in this context, and in no other.
 *
 *  value      taken, also on failure (it is released then).
 *  ret_token  what the variable was, for weft_context_var_reset(); may be NULL.  A token that was
 *             asked for is spent by that, or by weft_context_token_drop(); until then it keeps what
 *             this context held alive.  After a failure it is spent.
 *
 *  Returns 0, -ENOMEM, -EINVAL var is NULL (nothing is released).  Cost: an allocation, one more
 *  when there is a `release`.  Source: ContextVar.set(). */
WEFT_API int weft_context_var_set(const weft_context_var *var, void *value,
                                  weft_context_token *ret_token);

/** Makes a variable what it was before the weft_context_var_set() that gave the token; the value
 *  that was set is let go of.
 *
 *  token  spent by success.
 *
 *  Returns 0; -ESRCH the token is spent, -EINVAL it is another variable's or was made in another
 *  context, NULL; -ENOMEM, which cannot happen when the variables that were set since were reset
 *  since.  Source: ContextVar.reset(). */
WEFT_API int weft_context_var_reset(const weft_context_var *var, weft_context_token *token);

/** Spends a token without a reset: the variable stays as it is.  NULL and spent ones are left
 *  alone. */
WEFT_API void weft_context_token_drop(weft_context_token *token);

/** Makes a context object: a copy of this context.
 *
 *  ret_context  with one hold, for weft_context_unref().
 *
 *  Returns 0, -ENOMEM, -EINVAL NULL.  Source: contextvars.copy_context(). */
WEFT_API WEFT_MUST_USE int weft_copy_context(weft_context **ret_context);

/** Makes an empty context object: every variable is its default.  Otherwise as
 *  weft_copy_context().  Source: contextvars.Context(). */
WEFT_API WEFT_MUST_USE int weft_context_new(weft_context **ret_context);

/** Adds a hold.  Returns `context`, also where that is stale: then no hold is added, and it stays
 *  so. */
WEFT_API WEFT_MUST_USE weft_context *weft_context_ref(weft_context *context);

/** Gives a hold back.  A context goes when it has neither holds nor a task or call that runs in it.
 *
 *  Returns NULL: `context = weft_context_unref(context)`.  NULL and spent handles are left
 *  alone. */
WEFT_API weft_context *weft_context_unref(weft_context *context);

/** Calls `callback(arg)` in a context: what it sets stays there, and is not seen here.
 *
 *  context   borrowed; stays until the call returns.
 *  callback  may wait when this is called in a task: no callback of a loop, but a part of the task.
 *
 *  Returns 0 when it was called; -EBUSY this context is the one that we are in, or another
 *  weft_context_run() is in it; -ESRCH, -EINVAL.  Source: Context.run(). */
WEFT_API int weft_context_run(weft_context *context, weft_callback *callback, void *arg);

/** Returns what a variable is in a context; its default when the handle is spent.  Where others are
 *  at work in that context the value may be gone at any time: then copy the context and look
 *  there.  Source: Context.get(). */
WEFT_API void *weft_context_get(weft_context *context, const weft_context_var *var);

/* What the macro below leaves by. */
WEFT_API void weft_context_token_leave(weft_context_token *token);

WEFT_END_DECLS

/** Sets a variable for the rest of the enclosing block; on every path out of it, return, break,
 *  goto, it is reset.  GNU C.  Without memory the block runs with the variable as it was, and the
 *  value is released.  Source: `with var.set(value):`, since Python 3.14. */
#define WEFT_CONTEXT_VAR_SCOPE(var, value) WEFT__CONTEXT_SCOPE(var, value, __COUNTER__)
#define WEFT__CONTEXT_SCOPE(var, value, n) WEFT__CONTEXT_SCOPE_(var, value, n)
#define WEFT__CONTEXT_SCOPE_(var, value, n)                                                \
    weft_context_token weft__token_##n __attribute__((cleanup(weft_context_token_leave))); \
    weft_context_var_set(var, value, &weft__token_##n)

#endif
