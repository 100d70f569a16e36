/* SPDX-License-Identifier: MIT
 * Waiting for several tasks and futures: one record for each, all in one block. */
#include "core/base/mem.h"
#include "core/sched/future.h"
#include "core/sched/misuse.h"
#include "core/sched/scope.h"

#include <math.h>
#include <weft/gather.h>

enum { CORO = WEFT_AWAITABLE_CORO, TASK = WEFT_AWAITABLE_TASK, FUTURE = WEFT_AWAITABLE_FUTURE };

/* One element that is waited for. */
struct watcher {
    struct weft__waiter waiter;
    struct set *set;
    struct weft__outcome *outcome; /* NULL: it is done, or cannot be awaited */
    struct weft__task *task;       /* whose outcome it is, or */
    struct weft__future *future;   /* this one's */
    int status;                    /* when it is done */
};

struct set {
    struct weft__task *waiter;
    const struct weft__wait *wait; /* how it waits now */
    size_t n, left;                /* elements; those that are not done */
    size_t enough;                 /* it goes on when no more than these are left */
    bool taken;                    /* the elements' holds are ours */
    bool on_error;                 /* the first failure is enough */
    bool fail_fast;                /* the first failure cancels the others */
    bool attached;                 /* all elements are watched */
    bool passed_on;                /* a cancel was */
    bool cancelled;                /* all were asked to stop */
    int error;                     /* the first failure, */
    struct weft__task *culprit;    /* and whose it is; NULL: a future's */
    size_t *order;                 /* as_completed's: indices in the order of ending, */
    size_t ended, given;           /* how many, and how many were told */
    struct watcher watchers[];
};

/* Each once, whether a sibling fails first or the waiter is cancelled. */
static void cancel_all(struct set *set, const struct weft__reason *reason)
{
    if (set->cancelled) {
        return;
    }
    set->cancelled = true;
    for (size_t i = 0; i < set->n; i++) {
        struct watcher *watcher = &set->watchers[i];

        if (watcher->outcome && watcher->task) {
            weft__task_cancel(watcher->task, reason);
        } else if (watcher->outcome) {
            weft__outcome_set(watcher->future->loop, watcher->outcome, -ECANCELED, NULL);
        }
    }
}

static void cancel_siblings(struct set *set)
{
    struct weft__reason reason = { .kind = WEFT_CANCEL_SIBLING };

    if (set->culprit) {
        reason = weft__reason_by(set->culprit, WEFT_CANCEL_SIBLING);
    }
    reason.status = set->error;
    cancel_all(set, &reason);
}

/* An element is done, or cannot be awaited. */
static void note(struct watcher *watcher, int status)
{
    struct set *set = watcher->set;

    watcher->outcome = NULL;
    watcher->status = status;
    set->left--;
    if (set->order) {
        set->order[set->ended] = (size_t)(watcher - set->watchers);
    }
    set->ended++;
    if (status < 0 && set->error == 0 && (!set->on_error || status != -ECANCELED)) {
        set->error = status;
        set->culprit = watcher->task;
        if (set->fail_fast && set->attached) {
            cancel_siblings(set);
        }
    }
}

static bool is_over(const struct set *set)
{
    return set->left <= set->enough || (set->on_error && set->error);
}

static void tell(struct weft__waiter *waiter, struct weft__loop *loop,
                 struct weft__outcome *outcome)
{
    struct watcher *watcher = WEFT__CONTAINER(waiter, struct watcher, waiter);
    struct set *set = watcher->set;
    struct weft__task *task = set->waiter;

    (void)loop;
    if (set->taken) {
        outcome->seen = true;
    }
    note(watcher, outcome->status);
    if (task->waiting && task->waiting == set->wait && task->target == set && is_over(set)) {
        weft__timers_remove(&task->loop->timers, &task->item);
        weft__wake(task, 0);
    }
}

/* The task or future of an element, or the error that awaiting it gives. */
static int find(struct watcher *watcher, const weft_awaitable *x)
{
    struct weft__task *self = watcher->set->waiter;
    struct weft__loop *loop;
    int r = -EINVAL;

    if (x->kind == TASK) {
        watcher->task = weft__task_at(x->object, &r);
        if (!watcher->task) {
            return r;
        }
        loop = watcher->task->loop;
        watcher->outcome = &watcher->task->outcome;
    } else if (x->kind == FUTURE) {
        watcher->future = weft__cell_of(x->object, &r);
        if (!watcher->future) {
            return r;
        }
        loop = watcher->future->loop;
        watcher->outcome = &watcher->future->outcome;
    } else {
        return -EINVAL;
    }
    if (loop != self->loop) {
        return -EXDEV;
    }
    if (watcher->set->taken && !watcher->outcome->holds) {
        return -ESRCH;
    }
    return watcher->task == self ? -EDEADLK : 0;
}

/* Reads an element that is done already; its hold is spent, if it was ours. */
static void read_done(struct watcher *watcher)
{
    struct weft__outcome *outcome = watcher->outcome;
    int status = outcome->status;

    if (watcher->set->taken) {
        outcome->seen = true;
        if (watcher->task) {
            weft__task_release(watcher->task);
        } else {
            weft__future_release(watcher->future);
        }
    }
    note(watcher, status);
}

/* Begins to watch an element. */
static void attach(struct watcher *watcher, const weft_awaitable *x)
{
    int r = find(watcher, x);

    if (watcher->set->taken && (r == 0 || r == -EDEADLK)) {
        watcher->outcome->holds--; /* at once: one hold is no two elements */
    }
    if (r < 0) {
        watcher->outcome = NULL;
        note(watcher, r);
    } else if (watcher->outcome->done) {
        read_done(watcher);
    } else {
        watcher->waiter = (struct weft__waiter){ .tell = tell };
        weft__outcome_push(watcher->outcome, &watcher->waiter);
    }
}

/* Stops watching what is not done. */
static void detach(struct set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        struct watcher *watcher = &set->watchers[i];

        if (watcher->outcome) {
            weft__outcome_unlink(watcher->outcome, &watcher->waiter);
            watcher->outcome = NULL;
        }
    }
}

static struct set *new_set(struct weft__task *self, size_t n)
{
    struct set *set;
    size_t size;

    if (__builtin_mul_overflow(n, sizeof set->watchers[0], &size) ||
        __builtin_add_overflow(size, sizeof *set, &size)) {
        return NULL;
    }
    set = weft__alloc_zeroed(1, size);
    if (!set) {
        return NULL;
    }
    set->waiter = self;
    set->n = set->left = n;
    for (size_t i = 0; i < n; i++) {
        set->watchers[i].set = set;
    }
    return set;
}

/* Waits as `wait` says until it is over; returns what weft__wake() was given. */
static int wait_until_over(struct set *set, const struct weft__wait *wait)
{
    int r;

    set->wait = wait;
    r = weft__task_park(set->waiter, wait, set);
    set->wait = NULL;
    return r;
}

/* ---- gather ---- */

/* A cancel is passed on to all, once; the wait goes on. */
static void pass_on(struct weft__task *task)
{
    struct set *set = task->target;
    struct weft__reason reason = weft__reason_by(task, WEFT_CANCEL_AWAITER);

    if (!set->passed_on) {
        set->passed_on = true;
        cancel_all(set, &reason);
    }
}

/* It waits for all of them. */
static uint32_t gathered(const struct weft__task *task, struct weft__task **ret_tasks, uint32_t max)
{
    const struct set *set = task->target;
    uint32_t count = 0;

    for (size_t i = 0; i < set->n && count < max; i++) {
        if (set->watchers[i].outcome && set->watchers[i].task) {
            ret_tasks[count++] = set->watchers[i].task;
        }
    }
    return count;
}

/* What tools see of a set. */
#define SEES_SET(how)                                                                        \
    {                                                                                        \
        { how, sizeof(struct watcher), -1, offsetof(struct set, watchers[0].outcome) },      \
        { WEFT__SEES_COUNT, 0, -1, offsetof(struct set, n) }                                 \
    }

static const struct weft__wait wait_gather = {
    "gather", pass_on, gathered, SEES_SET(WEFT__SEES_OUTCOMES)
};

/* Gives up what was to be taken, when there is no way to wait for it. */
static void abandon(const weft_awaitable *xs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (xs[i].kind == CORO) {
            weft__coro_discard(xs[i].object);
        } else if (xs[i].kind == TASK) {
            weft_task_cancel(xs[i].object);
            weft_task_detach(xs[i].object);
        } else if (xs[i].kind == FUTURE) {
            weft_future_cancel(xs[i].object);
            weft_future_unref(xs[i].object);
        }
    }
}

static void attach_all(struct set *set, const weft_awaitable *xs)
{
    for (size_t i = 0; i < set->n; i++) {
        weft_awaitable x = xs[i];

        if (x.kind == CORO) {
            x.object = weft_create_task(x.object, NULL);
            x.kind = TASK;
        }
        attach(&set->watchers[i], &x);
    }
}

int weft_gather_array(const weft_awaitable *xs, size_t n, int *ret_status, unsigned flags)
{
    int r = 0;
    struct weft__task *self = weft__self(&r);
    struct set *set = NULL;

    if (flags & ~(unsigned)WEFT_GATHER_RETURN_ERRORS || (n > 0 && !xs)) {
        r = -EINVAL;
    } else if (self && n > 0) {
        set = new_set(self, n);
        r = set ? 0 : -ENOMEM;
    }
    if (!set) {
        abandon(xs, xs ? n : 0);
        return r;
    }
    set->taken = true;
    set->fail_fast = !(flags & WEFT_GATHER_RETURN_ERRORS);
    attach_all(set, xs);
    set->attached = true;
    if (set->fail_fast && set->error) {
        cancel_siblings(set); /* those behind the one that had failed already, too */
    }
    while (set->left > 0) {
        wait_until_over(set, &wait_gather);
    }
    for (size_t i = 0; i < n && ret_status; i++) {
        ret_status[i] = set->watchers[i].status;
    }
    r = set->fail_fast ? set->error : set->passed_on ? -ECANCELED : 0;
    weft__free(set);
    return r;
}

/* ---- wait ---- */

/* A cancel ends the wait. */
static void give_up(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_some = {
    "several", give_up, NULL, SEES_SET(WEFT__SEES_ANY_OF)
};

static int wait_with_limit(struct set *set, double timeout)
{
    struct weft__task *self = set->waiter;
    int64_t ns = 0;
    int r = 0;

    if (is_over(set)) {
        weft__task_spend_turn(self);
        return 0;
    }
    if (self->cancelled || timeout <= 0) {
        weft__task_yield(self);
        return self->cancelled ? -ECANCELED : 0;
    }
    if (!isinf(timeout)) {
        (void)weft__seconds_to_ns(timeout, &ns);
        self->item.when = weft__loop_after(self->loop, ns);
        r = weft__timers_add(&self->loop->timers, &self->item);
    }
    return r < 0 ? r : wait_until_over(set, &wait_some);
}

/* Whether these may be borrowed: tasks and futures, some. */
static bool can_borrow(const weft_awaitable *xs, size_t n)
{
    for (size_t i = 0; xs && i < n; i++) {
        if (xs[i].kind != TASK && xs[i].kind != FUTURE) {
            return false;
        }
    }
    return xs && n > 0;
}

int weft_wait(const weft_awaitable *xs, size_t n, weft_wait_when when, double timeout)
{
    int r = 0;
    struct weft__task *self = weft__self(&r);
    struct set *set;

    if (!self) {
        return r;
    }
    if (!can_borrow(xs, n) || n > INT32_MAX || isnan(timeout) || when > WEFT_FIRST_EXCEPTION) {
        return -EINVAL;
    }
    set = new_set(self, n);
    if (!set) {
        return -ENOMEM;
    }
    set->enough = when == WEFT_FIRST_COMPLETED ? n - 1 : 0;
    set->on_error = when == WEFT_FIRST_EXCEPTION;
    for (size_t i = 0; i < n; i++) {
        attach(&set->watchers[i], &xs[i]);
    }
    r = wait_with_limit(set, timeout);
    r = r < 0 ? r : (int)(n - set->left);
    detach(set);
    weft__free(set);
    return r;
}

/* ---- as_completed ---- */

/* What a weft_as_completed is made of. */
struct each {
    struct set *set;
    int error;
};

_Static_assert(sizeof(struct each) <= sizeof(weft_as_completed), "the public size");

int weft_as_completed_enter(weft_as_completed *public_each, const weft_awaitable *xs, size_t n)
{
    struct each *each = (struct each *)(void *)public_each;
    struct weft__task *self;
    struct set *set;

    if (!each) {
        return -EINVAL;
    }
    each->set = NULL;
    each->error = can_borrow(xs, n) && n <= INT32_MAX ? 0 : -EINVAL;
    self = weft__self(&each->error);
    if (each->error < 0) {
        return each->error;
    }
    set = new_set(self, n);
    if (set) {
        set->order = weft__alloc_zeroed(n, sizeof *set->order);
    }
    if (!set || !set->order) {
        weft__free(set);
        return each->error = -ENOMEM;
    }
    each->set = set;
    for (size_t i = 0; i < n; i++) {
        attach(&set->watchers[i], &xs[i]);
    }
    return 0;
}

int weft_as_completed_next(weft_as_completed *public_each)
{
    struct each *each = (struct each *)(void *)public_each;
    struct set *set;
    int r = 0;
    struct weft__task *self = weft__self(&r);

    if (!each || !self) {
        return each ? r : -EINVAL;
    }
    set = each->set;
    if (!set || set->waiter != self) {
        return each->error ? each->error : -EINVAL;
    }
    if (set->given == set->n) {
        return -ENOENT;
    }
    set->enough = set->n - set->given - 1;
    r = wait_with_limit(set, INFINITY);
    return r < 0 ? r : (int)set->order[set->given++];
}

void weft_as_completed_exit(weft_as_completed *public_each)
{
    struct each *each = (struct each *)(void *)public_each;

    if (each && each->set) {
        detach(each->set);
        weft__free(each->set->order);
        weft__free(each->set);
        each->set = NULL;
        each->error = -EINVAL;
    }
}

/* ---- one, with a limit ---- */

int weft_wait_for_coro(weft_coro *coro, double timeout)
{
    weft_timeout limit;
    int r = 0;

    if (!weft__coro_of(coro, &r)) {
        return weft__misuse(r);
    }
    r = timeout <= 0 && weft_current_task() ? -ETIMEDOUT : weft_timeout_enter(&limit, timeout);
    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    return weft_timeout_exit(&limit, weft_await_coro(coro));
}

int weft_wait_for_task(weft_task *task, double timeout)
{
    weft_timeout limit;
    int r = weft_timeout_enter(&limit, timeout);

    if (r < 0) {
        abandon(&(weft_awaitable){ task, TASK }, 1);
        return r;
    }
    return weft_timeout_exit(&limit, weft_await_task(task));
}

int weft_wait_for_future(weft_future *future, double timeout)
{
    weft_timeout limit;
    int r = weft_timeout_enter(&limit, timeout);

    if (r < 0) {
        abandon(&(weft_awaitable){ future, FUTURE }, 1);
        return r;
    }
    return weft_timeout_exit(&limit, weft_await_future(future));
}

/* ---- one, without owning it ---- */

static int await_shielded(weft_awaitable x)
{
    int r = 0;
    struct weft__task *self = weft__self(&r);
    _Alignas(struct set) char memory[sizeof(struct set) + sizeof(struct watcher)] = { 0 };
    struct set *set = (struct set *)(void *)memory;

    if (!self) {
        return weft__tag_error(x.object) ? weft__tag_error(x.object) : r;
    }
    set->waiter = self;
    set->n = set->left = 1;
    set->watchers[0].set = set;
    attach(&set->watchers[0], &x);
    r = wait_with_limit(set, INFINITY);
    detach(set);
    return r < 0 ? r : set->watchers[0].status;
}

int weft_await_shielded_task(weft_task *task)
{
    return await_shielded((weft_awaitable){ task, TASK });
}

int weft_await_shielded_future(weft_future *future)
{
    return await_shielded((weft_awaitable){ future, FUTURE });
}
