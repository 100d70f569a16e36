/* SPDX-License-Identifier: MIT
 * The loop: turns, looks at the world, stops. */
#include "core/sched/loop.h"

#include "core/base/error.h"
#include "core/base/hook.h"
#include "core/base/probe.h"
#include "core/sched/handle.h"
#include "core/sched/misuse.h"
#include "core/sched/tap.h"
#include "core/sched/task.h"

#include <weft/inline.h>

WEFT__THREAD_LOCAL struct weft__loop *weft__running;
struct weft__taps weft__taps;

#if defined(WEFT_INLINE_CALLS) && !defined(__APPLE__)
/* The same word, for what is inline in programs. */
extern WEFT__THREAD_LOCAL struct weft_inline_loop *weft_inline_running
    __attribute__((alias("weft__running")));
#endif

WEFT__COLD struct weft__loop *weft__loop_find(weft_loop *handle, int *ret_error)
{
    struct weft__loop *loop = weft__running;
    int r = 0;

    if (handle) {
        uintptr_t h = (uintptr_t)handle;

        loop = weft__tag_error(handle) ? NULL : weft__tag_address(h, WEFT__CELL_LOW);
        if (!loop || __atomic_load_n(&loop->handle, __ATOMIC_RELAXED) != h) {
            r = -EBADF;
        } else if (weft__loop_is_inherited(loop)) {
            r = -ECHILD; /* whatever it was doing in the parent */
        } else if (loop != weft__running) {
            r = weft__loop_outside(loop);
        }
    } else if (!loop) {
        r = -EPERM;
    }
    if (r == 0 && loop->closing) {
        r = -EBADF;
    }
    if (r == 0 && weft__loop_is_inherited(loop)) {
        r = -ECHILD;
    }
    if (r < 0) {
        *ret_error = weft__misuse(r);
        return NULL;
    }
    return loop;
}

/* Whether the turn that would begin now has to wait for a look at the world.  Where each turn is
 * seen that is a matter of two instructions, as a rule. */
static inline bool is_due(struct weft__loop *loop)
{
    if (loop->budget < 0 && weft__loop_spends_credit(loop)) {
        return false;
    }
    return weft__loop_is_due(loop);
}

struct weft__fiber *weft__next_slow(struct weft__loop *loop)
{
    struct weft__item *item = loop->first;
    struct weft__task *from = loop->current;

    if (from && !from->slot.guarded) {
        weft__task_check_canary(from);
    }
    if (item && item->kind == WEFT__ITEM_TASK &&
        (loop->back_item.queued || !is_due(loop))) {
        weft__ready_pop(loop);
        loop->current = WEFT__CONTAINER(item, struct weft__task, item);
        if (loop->observer) {
            weft__hooks.step(loop, from, loop->current);
        }
        return &loop->current->fiber;
    }
    if (loop->observer) {
        weft__hooks.step(loop, from, NULL);
    }
    if (loop->back_item.queued) {
        WEFT_ASSERT(loop->first == &loop->back_item);
        weft__ready_pop(loop);
    }
    loop->current = NULL;
    return &loop->fiber;
}

void weft__loop_see_all(struct weft__loop *loop, bool on)
{
    loop->sees_all = on || loop->stacks.unguarded;
    loop->credit = loop->budget > loop->credit ? loop->budget : loop->credit;
    loop->budget = loop->sees_all ? 0 : loop->credit;
}

/* How many turns there are until the clock is read again: as many as fit into the time between two
 * looks, going by the last ones, but no more than 64, and at first few: those to come may be
 * longer. */
static void adapt_turns(struct weft__loop *loop, int64_t now)
{
    int64_t elapsed = now - loop->budgeted;
    int64_t seen = (int64_t)loop->turns + 1, turns = 2 * seen;

    turns = turns < WEFT__BUDGET ? turns : WEFT__BUDGET;
    if (elapsed > 0 && seen * WEFT__POLL_EVERY_NS < turns * elapsed) {
        turns = seen * WEFT__POLL_EVERY_NS / elapsed;
    }
    loop->turns = turns > 0 ? (int32_t)turns - 1 : 0;
}

bool weft__loop_is_due(struct weft__loop *loop)
{
    int64_t now;

    if (loop->budget >= 0) {
        return false;
    }
    if (weft__loop_spends_credit(loop)) {
        return false;
    }
    if (loop->observer) {
        weft__hooks.look(loop, 0);
    }
    if (loop->stop_at && weft__clock_now() >= loop->stop_at) {
        weft__loop_stop(loop);
    }
    if (atomic_load_explicit(&loop->inbox.posted, memory_order_relaxed) ||
        loop->ops->caps & WEFT_BACKEND_VIRTUAL) { /* that clock stands still meanwhile */
        return true;
    }
    now = weft__loop_now(loop);
    adapt_turns(loop, now);
    if (now - loop->polled >= loop->look_every) {
        loop->due_since = now;
        return true;
    }
    loop->budgeted = now;
    weft__loop_give_budget(loop);
    return false;
}

WEFT__COLD bool weft__loop_lets_go_on(struct weft__loop *loop)
{
    if (loop->turns >= WEFT__BUDGET / 2 - 1 || loop->ops->caps & WEFT_BACKEND_VIRTUAL) {
        return false;
    }
    loop->turns = 2 * loop->turns + 1;
    weft__loop_give_budget(loop);
    return true;
}

/* Timers whose time has come, the earliest first. */
static void expire(struct weft__loop *loop, int64_t now)
{
    struct weft__item *item;

    while ((item = weft__timers_pop(&loop->timers, now))) {
        switch (item->kind) {
        case WEFT__ITEM_TASK: weft__wake(WEFT__CONTAINER(item, struct weft__task, item), 0); break;
        case WEFT__ITEM_HANDLE: weft__ready(loop, item); break;
        case WEFT__ITEM_ALARM: weft__alarm_ring(item); break;
        default: weft__scope_expire(item);
        }
    }
}

/* How long until the next look while something is always ready: one that finds much costs much, and
 * finds most of it again where states are reported and nobody had a turn yet. */
static void adapt_looks(struct weft__loop *loop)
{
    int64_t every = loop->due_since ? 8 * (loop->polled - loop->due_since) : 0;

    every = every < WEFT__POLL_EVERY_NS ? WEFT__POLL_EVERY_NS : every;
    loop->look_every = every < WEFT__POLL_MAX_NS ? every : WEFT__POLL_MAX_NS;
    loop->due_since = 0;
}

/* Lets the backend wait, and takes in what it has to tell. */
static int wait_until(struct weft__loop *loop, int64_t deadline)
{
    weft_backend_event events[WEFT__EVENTS_MAX];
    int n = weft__backend_wait(loop, deadline, events);

    if (n > WEFT__EVENTS_FEW) {
        weft__watch_expect(loop, events, n);
    }
    for (int i = 0; i < n; i++) {
        weft__watch_event(loop, &events[i]);
    }
    return n;
}

#define LOOK_AGAIN 1000000 /* nanoseconds between looks at descriptors, in real time */

/* While another thread owes the loop something a virtual clock does not jump: it goes as fast as
 * the real one.  Moves it on by as much as has passed since the last look; a descriptor that is
 * ready comes first, and the rest of the time is still owed. */
static int follow_real_time(struct weft__loop *loop)
{
    int64_t real = weft__clock_now();
    int64_t target = weft__loop_now(loop) + (loop->followed ? real - loop->followed : 0);
    int64_t owed;
    int n = 0;

    while (n == 0 && weft__loop_now(loop) < target) {
        n = wait_until(loop, target);
    }
    owed = target - weft__loop_now(loop);
    loop->followed = loop->expected ? real - (owed > 0 ? owed : 0) : 0;
    return n;
}

/* Waits until something happens or the next timer is due. */
static int wait_for_world(struct weft__loop *loop)
{
    int64_t next = weft__loop_deadline(loop);
    int n;

    if (!loop->followed) {
        return wait_until(loop, next);
    }
    if (loop->watches_used) { /* descriptors do not wake who waits for other threads */
        int64_t soon = weft__time_after(weft__loop_now(loop), LOOK_AGAIN);

        next = next < soon ? next : soon;
    }
    if (weft__inbox_wait(loop, next)) {
        return follow_real_time(loop);
    }
    n = wait_until(loop, next);
    loop->followed = weft__clock_now();
    return n;
}

int weft__loop_look(struct weft__loop *loop, bool may_wait)
{
    bool busy = !may_wait || loop->first || loop->stopping || atomic_load(&loop->inbox.posted);
    bool foreign = loop->backend->ops->run || loop->host.adopted || loop->host.by_fd;
    int n = 0;

    if (weft__loop_is_inherited(loop)) {
        return -ECHILD;
    }
    loop->looks++;
    if (loop->ops->caps & WEFT_BACKEND_VIRTUAL && (loop->expected || loop->followed)) {
        n = follow_real_time(loop);
        busy |= loop->first || atomic_load(&loop->inbox.posted);
    }
    if (n >= 0 && !busy) {
        weft__tap(WEFT_LOOP_WAITS, loop, weft__loop_deadline(loop));
        WEFT__PROBE(loop_waits, loop);
        if (loop->observer) {
            weft__hooks.look(loop, 1);
        }
        n = wait_for_world(loop);
        weft__loop_know_nothing(loop);
        weft__tap(WEFT_LOOP_WOKE, loop, n);
        WEFT__PROBE2(loop_woke, loop, n);
    } else if (n >= 0 && (loop->watches_used || foreign)) {
        n = wait_until(loop, WEFT__LOOK_ONLY); /* a host may have something of its own to do */
    }
    if (n < 0 && (!busy || loop->look_failed)) {
        return n; /* while there is work it goes on, and the next look tells whether this one can */
    }
    loop->look_failed = n < 0;
    loop->polled = weft__loop_now(loop);
    adapt_looks(loop);
    expire(loop, loop->polled);
    weft__inbox_take(loop);
    loop->budgeted = loop->polled;
    weft__loop_give_budget(loop);
    if (loop->observer) {
        weft__hooks.look(loop, -1);
    }
    if (loop->shuffles) {
        weft__chance_order(loop);
    }
    return 0;
}

void weft__loop_give_turns(struct weft__loop *loop)
{
    while (loop->first && !weft__loop_is_inherited(loop) && !weft__loop_is_due(loop)) {
        struct weft__item *item = weft__ready_pop(loop);

        if (item->kind == WEFT__ITEM_TASK) {
            struct weft__task *task = WEFT__CONTAINER(item, struct weft__task, item);

            loop->current = task;
            if (loop->observer) {
                weft__hooks.step(loop, NULL, task);
            }
            weft__fiber_switch(&loop->fiber, &task->fiber, weft__task_entry);
        } else if (item->kind == WEFT__ITEM_HANDLE) {
            loop->budget--;
            if (loop->observer) {
                weft__hooks.callback(loop,
                                     WEFT__CONTAINER(item, struct weft__handle, item)->callback);
            }
            weft__handle_run(WEFT__CONTAINER(item, struct weft__handle, item));
        } else {
            loop->stopped = true;
            return;
        }
    }
}

void weft__loop_stop(struct weft__loop *loop)
{
    if (loop != weft__running) {
        loop->stopping = true;
    } else if (!loop->stop_item.queued) {
        weft__ready(loop, &loop->stop_item);
    }
}

bool weft__loop_unqueue(struct weft__loop *loop, struct weft__item *item)
{
    struct weft__item *before = NULL;

    if (!item->queued) {
        return false;
    }
    for (struct weft__item *i = loop->first; i != item; i = i->next) {
        before = i;
    }
    *(before ? &before->next : &loop->first) = item->next;
    if (loop->last == item) {
        loop->last = before;
    }
    item->queued = false;
    return true;
}

int weft__loop_run(struct weft__loop *loop)
{
    struct weft__loop *outer = weft__running; /* only ever the parent's, in a forked child */
    int r;

    if (outer && !weft__loop_is_inherited(outer)) {
        return weft__misuse(-EBUSY);
    }
    if (loop->host.adopted) {
        return weft__words(-EBUSY, "the loop is attached: its host runs it");
    }
    if (atomic_exchange(&loop->running, true)) {
        return weft__misuse(-EXDEV);
    }
    atomic_store(&loop->host.thread, weft__this_thread());
    weft__running = loop;
    weft__sanitize_thread(&loop->fiber.watch);
    loop->stopped = false;
    if (loop->observer) {
        weft__hooks.run(loop, true);
    }
    weft__chance_begin(loop);
    do {
        r = weft__loop_look(loop, true);
        if (r < 0) {
            r = r == -EDEADLK ? weft__tasks_are_stuck(loop) : r;
            loop->stopping = false; /* a stop that was asked for must not end the next run */
            (void)weft__loop_unqueue(loop, &loop->stop_item);
            break;
        }
        if (loop->stopping) {
            loop->stopping = false;
            weft__loop_stop(loop);
        }
        weft__loop_give_turns(loop);
    } while (!loop->stopped);
    weft__chance_end(loop);
    if (loop->observer && !weft__loop_is_inherited(loop)) {
        weft__hooks.run(loop, false);
    }
    weft__running = outer;
    atomic_store(&loop->running, false);
    return r;
}

int weft__loop_run_until(struct weft__loop *loop, struct weft__outcome *outcome, int *ret_status)
{
    int r;

    outcome->pins++;
    if (outcome->done) {
        weft__loop_stop(loop); /* asyncio gives those who are ready a turn, too */
    } else {
        outcome->ends_loop = true;
    }
    r = weft__loop_run(loop);
    outcome->ends_loop = false;
    outcome->pins--;
    if (r < 0) {
        return r;
    }
    if (!outcome->done) {
        return -EINTR;
    }
    if (ret_status) {
        *ret_status = weft__outcome_read(outcome, NULL);
    }
    return 0;
}

void weft__report_as_it_is(struct weft__loop *loop, const weft_report *report)
{
    if (weft__taps.report && weft__taps.report(report)) {
        return;
    }
    if (loop->handler) {
        loop->handler(report->loop, report, loop->handler_arg);
    } else {
        weft__hooks.report(report, loop->debug);
    }
}

void weft__report(struct weft__loop *loop, weft_report *report)
{
    report->size = sizeof *report;
    report->loop = weft__loop_handle(loop);
    WEFT__PROBE2(report, report->kind, report->message);
    if (loop->observer) {
        weft__hooks.deliver(loop, report);
    } else {
        weft__report_as_it_is(loop, report);
    }
}
