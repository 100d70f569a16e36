/* SPDX-License-Identifier: MIT
 * Waiting for several at once, for one with a limit, and for one without owning it.
 *
 * weft_gather() and weft_wait_for() take what they are given, and return when all of it has ended:
 * they leave nothing running behind.  weft_wait(), weft_as_completed and weft_await_shielded()
 * borrow: a cancel ends the wait and nothing else.
 *
 * An element that cannot be awaited (NULL, a spent handle, another loop's, the running task itself)
 * has failed with the error that awaiting it would give. */
#ifndef WEFT_GATHER_H
#define WEFT_GATHER_H

#include <weft/await.h>

WEFT_BEGIN_DECLS

enum weft_awaitable_kind { WEFT_AWAITABLE_CORO = 1, WEFT_AWAITABLE_TASK, WEFT_AWAITABLE_FUTURE };

/** A coroutine, a task or a future; made by WEFT_AWAITABLE(x). */
typedef struct weft_awaitable {
    void *object;
    int kind; /* weft_awaitable_kind */
} weft_awaitable;

enum weft_gather_flags {
    WEFT_GATHER_RETURN_ERRORS = 1u << 0, /* a failure is a result like any other */
};

/** Awaits all at once; coroutines become tasks.
 *
 *  xs           taken, all of them, also on failure.
 *  n            how many.
 *  ret_status   n statuses, in the order of xs, stored when all have ended; may be NULL.
 *  flags        weft_gather_flags.
 *
 *  Returns 0, or the first failure: then the others were cancelled and have ended (asyncio lets
 *  them run on).  With WEFT_GATHER_RETURN_ERRORS 0 whatever they came to, but -ECANCELED when this
 *  task is cancelled.  -EPERM outside a task, -ENOMEM, -EINVAL flags: all are cancelled, none is
 *  waited for. A wait that protects memory: a cancel is passed on to all.  Source:
 *  asyncio.gather(). */
WEFT_API int weft_gather_array(const weft_awaitable *xs, size_t n, int *ret_status, unsigned flags);

/** When weft_wait() returns: asyncio's return_when. */
typedef enum weft_wait_when {
    WEFT_ALL_COMPLETED,
    WEFT_FIRST_COMPLETED,
    WEFT_FIRST_EXCEPTION, /* one has failed (a cancelled one has not), or all are done */
} weft_wait_when;

/** Waits for some tasks and futures; weft_task_done() tells afterwards which are.
 *
 *  xs       borrowed; no coroutines (-EINVAL).
 *  timeout  seconds; infinity for none.
 *
 *  Returns how many are done, which after the timeout may be 0; -ECANCELED, -EINVAL (n is 0, NaN),
 *  -ENOMEM, -EPERM.  A new wait: a cancel ends it and leaves them alone.
 *  Source: asyncio.wait(). */
WEFT_API int weft_wait(const weft_awaitable *xs, size_t n, weft_wait_when when, double timeout);

/** Goes through tasks and futures in the order in which they end.
 *
 *      weft_as_completed each;
 *      weft_as_completed_enter(&each, xs, n);
 *      while ((i = weft_as_completed_next(&each)) >= 0)
 *          use(xs[i]);
 *      weft_as_completed_exit(&each);
 */
typedef struct weft_as_completed {
    void *priv[8];
} weft_as_completed;

/** Begins to go through what ends.  xs are borrowed until the exit; no coroutines.
 *  Returns 0, -EINVAL, -ENOMEM, -EPERM.
 *  Source: asyncio.as_completed(). */
WEFT_API int weft_as_completed_enter(weft_as_completed *each, const weft_awaitable *xs, size_t n);

/** Waits for the next that is done.
 *
 *  Returns its index in xs, each once; -ENOENT there is no more, -ECANCELED (none is lost by it),
 *  -EINVAL, -EPERM.  A new wait. */
WEFT_API int weft_as_completed_next(weft_as_completed *each);

/** Ends the walk; those that are not done run on. */
WEFT_API void weft_as_completed_exit(weft_as_completed *each);

/** Awaits one for `timeout` seconds at the most, then cancels it and waits until it has ended.
 *
 *  x  taken, also on failure.  A coroutine runs in this task; with a timeout of 0 and less it is
 *     dropped.
 *
 *  Returns its status; -ETIMEDOUT when the timeout has cancelled it; -EINVAL NaN, -ENOMEM (it is
 *  cancelled), and as weft_await().  A wait that protects memory.  Source: asyncio.wait_for(). */
WEFT_API int weft_wait_for_coro(weft_coro *coro, double timeout);
WEFT_API int weft_wait_for_task(weft_task *task, double timeout);
WEFT_API int weft_wait_for_future(weft_future *future, double timeout);

/** Awaits a task or a future that goes on when this wait is cancelled.
 *
 *  x  borrowed.
 *
 *  Returns its status, -ECANCELED this wait was cancelled, and as weft_await().  A new wait.
 *  Source: asyncio.shield(). */
WEFT_API int weft_await_shielded_task(weft_task *task);
WEFT_API int weft_await_shielded_future(weft_future *future);

WEFT_END_DECLS

#ifndef __cplusplus
#define WEFT_AWAITABLE(x) \
    ((weft_awaitable){ (x), _Generic((x),                                  \
                                weft_coro *: WEFT_AWAITABLE_CORO,          \
                                weft_task *: WEFT_AWAITABLE_TASK,          \
                                weft_future *: WEFT_AWAITABLE_FUTURE) })

/** weft_gather_array() for one to sixteen arguments of any kind: weft_gather(ret, a, b, c). */
#define weft_gather(ret_status, ...)                                                              \
    weft_gather_array((const weft_awaitable[]){ WEFT__EACH(__VA_ARGS__) },                        \
                      WEFT__COUNT_OF(__VA_ARGS__), WEFT__STATUSES(ret_status), 0)
/* An array of int, or NULL: who has forgotten it is told, for it is the first argument. */
#define WEFT__STATUSES(x) _Generic((x), int *: (x), void *: (x), int: NULL, long: NULL)
#define WEFT__COUNT_OF(...)                                                                       \
    WEFT__SEVENTEENTH(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, )
#define WEFT__SEVENTEENTH(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define WEFT__EACH(...) WEFT__CAT(WEFT__EACH_, WEFT__COUNT_OF(__VA_ARGS__))(__VA_ARGS__)
#define WEFT__EACH_1(a) WEFT_AWAITABLE(a)
#define WEFT__EACH_2(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_1(__VA_ARGS__)
#define WEFT__EACH_3(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_2(__VA_ARGS__)
#define WEFT__EACH_4(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_3(__VA_ARGS__)
#define WEFT__EACH_5(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_4(__VA_ARGS__)
#define WEFT__EACH_6(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_5(__VA_ARGS__)
#define WEFT__EACH_7(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_6(__VA_ARGS__)
#define WEFT__EACH_8(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_7(__VA_ARGS__)
#define WEFT__EACH_9(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_8(__VA_ARGS__)
#define WEFT__EACH_10(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_9(__VA_ARGS__)
#define WEFT__EACH_11(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_10(__VA_ARGS__)
#define WEFT__EACH_12(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_11(__VA_ARGS__)
#define WEFT__EACH_13(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_12(__VA_ARGS__)
#define WEFT__EACH_14(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_13(__VA_ARGS__)
#define WEFT__EACH_15(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_14(__VA_ARGS__)
#define WEFT__EACH_16(a, ...) WEFT_AWAITABLE(a), WEFT__EACH_15(__VA_ARGS__)

#define weft_wait_for(x, timeout)              \
    _Generic((x),                              \
        weft_coro *: weft_wait_for_coro,       \
        weft_task *: weft_wait_for_task,       \
        weft_future *: weft_wait_for_future)(x, timeout)
#define weft_await_shielded(x)                    \
    _Generic((x),                                 \
        weft_task *: weft_await_shielded_task,    \
        weft_future *: weft_await_shielded_future)(x)
#endif

#endif
