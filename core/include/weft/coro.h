/* SPDX-License-Identifier: MIT
 * Coroutines: functions that are called now and run when they are awaited.
 *
 *     WEFT_ASYNC(say_after, (double, delay), (const char *, what))
 *     {
 *         int r = weft_sleep(delay);
 *         if (r < 0)
 *             return r;
 *         printf("%s\n", what);
 *         return 0;
 *     }
 *
 * defines `static weft_coro *say_after(double delay, const char *what)`.  Calling it keeps the
 * arguments and runs nothing; the object that it returns is to be awaited once (weft_await), made a
 * task (weft_create_task), or closed.  The body returns a status, as every function here: >= 0 is
 * success.
 *
 * Life: made -> awaited or made a task -> gone.  Whoever takes a coroutine takes it also when the
 * call fails.  One that nobody took is dropped when the loop in which it was made closes, and
 * reported in debug mode.  One that was made outside of a running loop (weft_run()'s argument) has
 * no such loop: it must be taken or closed. */
#ifndef WEFT_CORO_H
#define WEFT_CORO_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** What WEFT_ASYNC() knows of a coroutine function: one static object for each. */
typedef struct weft_coro_def {
    const char *name; /* the function's */
    const char *file; /* where it is defined */
    uint32_t line;
    uint32_t args_size;     /* bytes of its arguments, at most 4 KiB */
    int (*run)(void *args); /* the body; `args` may be changed, and lives until it returns */
} weft_coro_def;

/** Makes a coroutine object: what lies beneath WEFT_ASYNC(), for callers that bring arguments of
 *  their own.
 *
 *  def   borrowed for the life of the program.
 *  args  def->args_size bytes, copied; may be NULL when that is 0.
 *
 *  Returns the object, never NULL: without memory, or for arguments that are too big, one whose
 *  await returns -ENOMEM or -E2BIG.  Not a cancellation point.  Any thread.  Cost: about 10 ns, no
 *  allocation, in a loop's thread; elsewhere a lock more.  Source: calling an `async def` in
 *  Python. */
WEFT_API WEFT_MUST_USE weft_coro *weft_coro_new(const weft_coro_def *def, const void *args);

/** Names what is to be called if the coroutine is dropped without having run: what its arguments
 *  own can be freed there.  A body that begins frees such things itself, and `drop` is never
 *  called.
 *
 *  coro  borrowed; a spent one is left alone.
 *  drop  called once with `arg`, on the loop's thread; must not wait.
 *
 *  Returns `coro`, so that it can stand around the call:
 *      weft_create_task(weft_coro_on_drop(serve(fd), close_fd, fd_box), NULL)
 *  For a failed object `drop` is called at once.  Not a cancellation point.  The loop's thread. */
WEFT_API WEFT_MUST_USE weft_coro *weft_coro_on_drop(weft_coro *coro, weft_callback *drop,
                                                    void *arg);

/** Drops a coroutine that shall not run after all, on purpose: nothing is reported.
 *
 *  coro  taken.
 *
 *  Returns 0, or -ESRCH it was awaited, made a task or closed already, -EINVAL it is NULL.  Not a
 *  cancellation point.  The loop's thread.  Source: coroutine.close(). */
WEFT_API int weft_coro_close(weft_coro *coro);

/** Gives the running coroutine a value beside its status: `return weft_return(text);`
 *
 *  value  handed to whoever awaits with weft_await_value(), as it is.  weft does not free it: it is
 *         lost when the body returns an error after all, and when nobody asks for it.
 *
 *  Returns 0, or -EPERM outside a task.  Not a cancellation point.  Cost: one store. */
WEFT_API int weft_return(void *value);

WEFT_END_DECLS

/** Defines a coroutine function: WEFT_ASYNC(name, (type, argument), ...) { body }, with none to
 *  eight arguments.  A pointer to a function needs a typedef for its type; an array cannot be an
 *  argument: pass a pointer or a struct.
 *
 *  WEFT_ASYNC makes it static; to call it before its definition declare
 *  `static weft_coro *name(type argument, ...);`.  WEFT_ASYNC_EXTERN makes it visible, and a header
 *  declares it by `WEFT_MUST_USE weft_coro *name(type argument, ...);`.  For C; C++ has
 *  weft_coro_new(). */
#define WEFT_ASYNC(...) WEFT__ASYNC(static, __VA_ARGS__, )
#define WEFT_ASYNC_EXTERN(...) WEFT__ASYNC(, __VA_ARGS__, )

/* The rest of this file is how: count the arguments, then lay each list out with commas or as
 * fields. */
#define WEFT__ASYNC(linkage, ...)                                                                 \
    WEFT__CAT(WEFT__ASYNC_, WEFT__ARITY(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0, ))                \
    (linkage, __VA_ARGS__)
#define WEFT__CAT(a, b) WEFT__CAT_(a, b)
#define WEFT__CAT_(a, b) a##b
#define WEFT__ARITY(name, a, b, c, d, e, f, g, h, end, n, ...) n

#define WEFT__ASYNC_0(linkage, name, end)                                                         \
    static int name##__body(void);                                                                \
    static int name##__run(void *weft__none)                                                      \
    {                                                                                             \
        (void)weft__none;                                                                         \
        return name##__body();                                                                    \
    }                                                                                             \
    WEFT_MUST_USE linkage weft_coro *name(void)                                                   \
    {                                                                                             \
        static const weft_coro_def weft__def = { #name, __FILE__, __LINE__, 0, name##__run };     \
        return weft_coro_new(&weft__def, NULL);                                                   \
    }                                                                                             \
    static int name##__body(void)

#define WEFT__ASYNC_N(linkage, n, name, ...)                                                      \
    struct name##__args {                                                                         \
        WEFT__FIELDS_##n(__VA_ARGS__)                                                             \
    };                                                                                            \
    static int name##__body(WEFT__LIST_##n(WEFT__PARAM, __VA_ARGS__));                            \
    static int name##__run(void *weft__memory)                                                    \
    {                                                                                             \
        struct name##__args *weft__args = (struct name##__args *)weft__memory;                    \
        return name##__body(WEFT__LIST_##n(WEFT__MEMBER, __VA_ARGS__));                           \
    }                                                                                             \
    WEFT_MUST_USE linkage weft_coro *name(WEFT__LIST_##n(WEFT__PARAM, __VA_ARGS__))               \
    {                                                                                             \
        static const weft_coro_def weft__def = {                                                  \
            #name, __FILE__, __LINE__, (uint32_t)sizeof(struct name##__args), name##__run         \
        };                                                                                        \
        struct name##__args weft__args = { WEFT__LIST_##n(WEFT__NAME, __VA_ARGS__) };             \
        return weft_coro_new(&weft__def, &weft__args);                                            \
    }                                                                                             \
    static int name##__body(WEFT__LIST_##n(WEFT__PARAM, __VA_ARGS__))

#define WEFT__FIELD(type, name) type name;
#define WEFT__PARAM(type, name) type name
#define WEFT__NAME(type, name) name
#define WEFT__MEMBER(type, name) weft__args->name

#define WEFT__ASYNC_1(linkage, ...) WEFT__ASYNC_N(linkage, 1, __VA_ARGS__)
#define WEFT__ASYNC_2(linkage, ...) WEFT__ASYNC_N(linkage, 2, __VA_ARGS__)
#define WEFT__ASYNC_3(linkage, ...) WEFT__ASYNC_N(linkage, 3, __VA_ARGS__)
#define WEFT__ASYNC_4(linkage, ...) WEFT__ASYNC_N(linkage, 4, __VA_ARGS__)
#define WEFT__ASYNC_5(linkage, ...) WEFT__ASYNC_N(linkage, 5, __VA_ARGS__)
#define WEFT__ASYNC_6(linkage, ...) WEFT__ASYNC_N(linkage, 6, __VA_ARGS__)
#define WEFT__ASYNC_7(linkage, ...) WEFT__ASYNC_N(linkage, 7, __VA_ARGS__)
#define WEFT__ASYNC_8(linkage, ...) WEFT__ASYNC_N(linkage, 8, __VA_ARGS__)

#define WEFT__LIST_1(m, a, end) m a
#define WEFT__LIST_2(m, a, b, end) m a, m b
#define WEFT__LIST_3(m, a, b, c, end) m a, m b, m c
#define WEFT__LIST_4(m, a, b, c, d, end) m a, m b, m c, m d
#define WEFT__LIST_5(m, a, b, c, d, e, end) m a, m b, m c, m d, m e
#define WEFT__LIST_6(m, a, b, c, d, e, f, end) m a, m b, m c, m d, m e, m f
#define WEFT__LIST_7(m, a, b, c, d, e, f, g, end) m a, m b, m c, m d, m e, m f, m g
#define WEFT__LIST_8(m, a, b, c, d, e, f, g, h, end) m a, m b, m c, m d, m e, m f, m g, m h

#define WEFT__FIELDS_1(a, end) WEFT__FIELD a
#define WEFT__FIELDS_2(a, ...) WEFT__FIELD a WEFT__FIELDS_1(__VA_ARGS__)
#define WEFT__FIELDS_3(a, ...) WEFT__FIELD a WEFT__FIELDS_2(__VA_ARGS__)
#define WEFT__FIELDS_4(a, ...) WEFT__FIELD a WEFT__FIELDS_3(__VA_ARGS__)
#define WEFT__FIELDS_5(a, ...) WEFT__FIELD a WEFT__FIELDS_4(__VA_ARGS__)
#define WEFT__FIELDS_6(a, ...) WEFT__FIELD a WEFT__FIELDS_5(__VA_ARGS__)
#define WEFT__FIELDS_7(a, ...) WEFT__FIELD a WEFT__FIELDS_6(__VA_ARGS__)
#define WEFT__FIELDS_8(a, ...) WEFT__FIELD a WEFT__FIELDS_7(__VA_ARGS__)

#endif
