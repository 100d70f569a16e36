/* SPDX-License-Identifier: MIT
 * Waiting for descriptors.
 *
 * A waiter stays in its ring until its task has its turn, also when it was woken: should somebody
 * close the descriptor in between, what it comes back with is -EBADF, and it does not touch the
 * file that has the number then. */
#include "core/sched/fdwait.h"

#include "core/base/hook.h"
#include "core/base/mem.h"
#include "core/sched/misuse.h"
#include "core/sched/watch.h"

#include <errno.h>
#include <unistd.h>
#include <weft/io.h>

static void push(struct weft__watch *watch, struct weft__fd_waiter *waiter)
{
    struct weft__fd_waiter *first = watch->waiters;

    waiter->watch = watch;
    waiter->is_done = false;
    if (!first) {
        watch->waiters = waiter->next = waiter->prev = waiter;
        return;
    }
    waiter->next = first;
    waiter->prev = first->prev;
    first->prev->next = waiter;
    first->prev = waiter;
}

static void unlink_waiter(struct weft__fd_waiter *waiter)
{
    struct weft__watch *watch = waiter->watch;

    waiter->watch = NULL;
    if (waiter->next == waiter) {
        watch->waiters = NULL;
        return;
    }
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    if (watch->waiters == waiter) {
        watch->waiters = waiter->next;
    }
}

uint32_t weft__watch_waits(const struct weft__watch *watch)
{
    const struct weft__fd_waiter *waiter = watch->waiters;
    uint32_t events = 0;

    if (waiter) {
        do {
            events |= waiter->events & WEFT__BOTH;
            waiter = waiter->next;
        } while (waiter != watch->waiters);
    }
    return events;
}

uint32_t weft__watch_wake(struct weft__loop *loop, struct weft__watch *watch, uint32_t ready)
{
    struct weft__fd_waiter *waiter = watch->waiters;
    uint32_t tried = 0;

    while (waiter) {
        struct weft__fd_waiter *next = waiter->next == watch->waiters ? NULL : waiter->next;

        if (waiter->is_done || !(waiter->events & ready)) {
            waiter = next;
            continue;
        }
        if (!(waiter->events & WEFT__FD_LEVEL)) {
            tried |= waiter->events & WEFT__BOTH;
        }
        if (waiter->tell) {
            unlink_waiter(waiter);
            waiter->tell(waiter, 0);
            waiter = watch->waiters; /* whoever was told has left other places, too */
        } else {
            waiter->is_done = true;
            weft__wake_on(loop, waiter->task, 0);
            waiter = next;
        }
    }
    return tried;
}

static void interrupt_fd(struct weft__task *task)
{
    struct weft__fd_waiter *waiter = task->target;

    waiter->is_done = true;
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_fd = {
    "descriptor", interrupt_fd, NULL,
    { { WEFT__SEES_FD, 0, offsetof(struct weft__fd_waiter, watch),
        offsetof(struct weft__watch, fd) },
      { WEFT__SEES_EVENTS, 0, -1, offsetof(struct weft__fd_waiter, events) } }
};

int weft__fd_refused(struct weft__loop *loop, int fd, int error)
{
    if (error == -EBADF && loop->observer) {
        weft__hooks.fd(loop, fd, WEFT__FD_REFUSED);
    }
    return error;
}

/* The slow half of a wait's beginning: asks the backend.  1: there is no need to wait. */
WEFT__COLD static int ask(struct weft__loop *loop, int fd, uint32_t events,
                          struct weft__watch **ret_watch)
{
    struct weft__watch *watch;
    int r;

    if (fd < 0) {
        return -EBADF;
    }
    r = weft__watch_ask(loop, fd, events & WEFT__BOTH, false, &watch);
    if (r == -EPERM) {
        return 1;
    }
    if (r < 0) {
        return weft__fd_refused(loop, fd, r);
    }
    watch->latched &= ~events; /* what holds is reported anew */
    *ret_watch = watch;
    return 0;
}

/* Finds the watch, and out whether there is anything to wait for. */
static inline int begin(struct weft__loop *loop, int fd, uint32_t events,
                        struct weft__watch **ret_watch)
{
    struct weft__watch *watch = weft__watch_at(loop, fd);

    if (!watch || (watch->asked & events & WEFT__BOTH) != (events & WEFT__BOTH) ||
        events & WEFT__FD_LEVEL || (!(events & WEFT__FD_OWNED) && watch->look != loop->looks)) {
        return ask(loop, fd, events, ret_watch);
    }
    if (watch->latched & events) {
        watch->latched &= ~events;
        return 1;
    }
    *ret_watch = watch;
    return events & WEFT__FD_DRAINED && watch->is_odd ? 1 : 0;
}

/* Who waits for a descriptor leaves to somebody who makes a system call.  Meanwhile the stack of
 * the next one behind comes into the cache, and the task behind that: of many that are ready they
 * lie far apart.  Inlined always: to GCC a function that only prefetches does nothing. */
static WEFT__INLINE void look_ahead(const struct weft__loop *loop)
{
    const struct weft__item *next = loop->first ? loop->first->next : NULL;

    if (!next) {
        return;
    }
    if (next->kind == WEFT__ITEM_TASK) {
        weft__fiber_expect(&WEFT__CONTAINER(next, struct weft__task, item)->fiber);
    }
    if (next->next) {
        const char *item = (const char *)next->next;

        __builtin_prefetch(item - 64, 1);
        __builtin_prefetch(item, 1);
        __builtin_prefetch(item + 64, 1);
    }
}

int weft__fd_wait_in(struct weft__task *task, int fd, uint32_t events)
{
    struct weft__fd_waiter waiter = { .task = task, .events = events };
    struct weft__loop *loop = task->loop;
    struct weft__watch *watch;
    int r;

    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = begin(loop, fd, events, &watch);
    if (r != 0) {
        return r < 0 ? r : 0; /* without giving way: the number must stay the same file's */
    }
    push(watch, &waiter);
    look_ahead(loop);
    r = weft__task_park(task, &wait_fd, &waiter);
    if (waiter.watch) {
        waiter.watch->look = loop->looks;
        unlink_waiter(&waiter);
    }
    return r;
}

int weft__fd_wait(int fd, uint32_t events)
{
    int r = 0;
    struct weft__task *task = weft__self(&r);

    return task ? weft__fd_wait_in(task, fd, events) : weft__misuse(r);
}

int weft__fd_enter(struct weft__loop *loop, struct weft__fd_waiter *waiter, int fd,
                   uint32_t events)
{
    struct weft__watch *watch;
    int r = ask(loop, fd, events, &watch);

    if (r == 0) {
        waiter->events = events | WEFT__FD_LEVEL;
        push(watch, waiter);
    }
    return r;
}

void weft__fd_leave(struct weft__fd_waiter *waiter)
{
    if (waiter->watch) {
        unlink_waiter(waiter);
    }
}

/* Ends all waits for a descriptor that is closed. */
static void wake_all(struct weft__watch *watch)
{
    while (watch->waiters) {
        struct weft__fd_waiter *waiter = watch->waiters;

        unlink_waiter(waiter);
        if (waiter->tell) {
            waiter->tell(waiter, -EBADF);
        } else if (!waiter->is_done) {
            weft__wake(waiter->task, -EBADF);
        } else if (waiter->task->wake == 0) {
            waiter->task->wake = -EBADF; /* it had no turn since */
        }
    }
}

void weft__fd_forget(struct weft__loop *loop, int fd)
{
    struct weft__watch *watch = weft__watch_at(loop, fd);

    if (watch) {
        wake_all(watch);
        weft__watch_end(loop, watch);
    }
}

int weft__fd_close(struct weft__loop *loop, int fd)
{
    int r;

    if (loop) {
        weft__fd_forget(loop, fd);
    }
    /* Interrupted or not, Linux has let go of the number. */
    r = close(fd) < 0 && errno != EINTR ? -errno : 0;
    if (loop && loop->observer) {
        weft__hooks.fd(loop, fd, r == -EBADF ? WEFT__FD_NOT_CLOSED : WEFT__FD_CLOSED);
    }
    return r;
}

int weft_close(int fd)
{
    struct weft__loop *loop = weft__running;

    return weft__fd_close(loop && !weft__loop_is_inherited(loop) ? loop : NULL, fd);
}
