/* SPDX-License-Identifier: MIT
 * What a select can wait for, one kind after the other. */
#include "core/base/mem.h"
#include "core/sched/future.h"
#include "core/sync/clause.h"
#include "core/sync/event.h"
#include "core/sync/queue.h"

#include <poll.h>

/* For what needs no more than to be woken. */
static int take_nothing(weft_clause *clause)
{
    (void)clause;
    return 0;
}

/* Nothing. */

static int look_at_nothing(weft_clause *clause, struct weft__task *task)
{
    (void)clause, (void)task;
    return 0;
}

static int enter_nothing(weft_clause *clause, struct weft__task *task)
{
    (void)clause, (void)task;
    return 0;
}

static const struct weft__clause_kind kind_never = { .look = look_at_nothing,
                                                     .take = take_nothing,
                                                     .enter = enter_nothing };

/* Queues. */

static int check_queue(const weft_clause *clause, struct weft__task *task, bool by_value)
{
    weft_queue *queue = clause->object;

    if (!queue || queue->store.by_value != by_value) {
        return -EINVAL;
    }
    return weft__queue_bind(queue, task->loop);
}

static int look_at_get(weft_clause *clause, struct weft__task *task)
{
    int r =
        clause->item ? check_queue(clause, task, clause->kind == WEFT_CLAUSE_GET_VALUE) : -EINVAL;

    return r < 0 ? r : weft__queue_can_get(clause->object);
}

static int take_from_queue(weft_clause *clause)
{
    return weft__queue_try_get(clause->object, clause->item);
}

static int enter_getters(weft_clause *clause, struct weft__task *task)
{
    weft_queue *queue = clause->object;

    (void)task;
    return weft__clause_enter_queue(clause, &queue->getters, clause->item);
}

static const struct weft__clause_kind kind_get = { .look = look_at_get,
                                                   .take = take_from_queue,
                                                   .enter = enter_getters };

/* Where the item's bytes are. */
static void *item_of(weft_clause *clause)
{
    return clause->kind == WEFT_CLAUSE_PUT_VALUE ? clause->item : (void *)&clause->item;
}

static int look_at_put(weft_clause *clause, struct weft__task *task)
{
    bool by_value = clause->kind == WEFT_CLAUSE_PUT_VALUE;
    int r = clause->item || !by_value ? check_queue(clause, task, by_value) : -EINVAL;

    return r < 0 ? r : weft__queue_can_put(clause->object);
}

static int put_in_queue(weft_clause *clause)
{
    return weft__queue_try_put(clause->object, item_of(clause));
}

static int enter_putters(weft_clause *clause, struct weft__task *task)
{
    weft_queue *queue = clause->object;

    (void)task;
    return weft__clause_enter_queue(clause, &queue->putters, item_of(clause));
}

static const struct weft__clause_kind kind_put = { .look = look_at_put,
                                                   .take = put_in_queue,
                                                   .enter = enter_putters };

/* Events and semaphores: what was posted by threads is looked for only here. */

static int look_at_event(weft_clause *clause, struct weft__task *task)
{
    return clause->object ? weft__event_prepare(clause->object, task->loop) : -EINVAL;
}

static int enter_event(weft_clause *clause, struct weft__task *task)
{
    weft_event *event = clause->object;

    (void)task;
    return weft__clause_enter_queue(clause, &event->waiters, NULL);
}

static const struct weft__clause_kind kind_event = { .look = look_at_event,
                                                     .take = take_nothing,
                                                     .enter = enter_event };

static int look_at_semaphore(weft_clause *clause, struct weft__task *task)
{
    const weft_semaphore *semaphore = clause->object;

    return semaphore && semaphore->value >= 0 ?
               weft__semaphore_prepare(clause->object, task->loop) :
               -EINVAL;
}

static int take_slot(weft_clause *clause)
{
    return weft_semaphore_acquire_nowait(clause->object);
}

static int enter_semaphore(weft_clause *clause, struct weft__task *task)
{
    weft_semaphore *semaphore = clause->object;

    (void)task;
    return weft__clause_enter_queue(clause, &semaphore->waiters, NULL);
}

static const struct weft__clause_kind kind_semaphore = { .look = look_at_semaphore,
                                                         .take = take_slot,
                                                         .enter = enter_semaphore };

/* Wait queues. */

static int look_at_waitq(weft_clause *clause, struct weft__task *task)
{
    return clause->object ? weft__waitq_bind(clause->object, task->loop) : -EINVAL;
}

static int enter_waitq(weft_clause *clause, struct weft__task *task)
{
    (void)task;
    return weft__clause_enter_queue(clause, clause->object, clause->item);
}

static const struct weft__clause_kind kind_wake = { .look = look_at_waitq,
                                                    .take = take_nothing,
                                                    .enter = enter_waitq };

/* Tasks and futures. */

static int find_outcome(weft_clause *clause, struct weft__task *task,
                        struct weft__outcome **ret_outcome)
{
    struct weft__loop *loop;
    int r = -EINVAL;

    if (clause->kind == WEFT_CLAUSE_TASK) {
        struct weft__task *target = weft__task_at(clause->object, &r);

        if (!target || target == task) {
            return target ? -EDEADLK : r;
        }
        loop = target->loop;
        *ret_outcome = &target->outcome;
    } else {
        struct weft__future *future = weft__cell_of(clause->object, &r);

        if (!future) {
            return r;
        }
        loop = future->loop;
        *ret_outcome = &future->outcome;
    }
    return loop == task->loop ? 0 : -EXDEV;
}

static int look_at_outcome(weft_clause *clause, struct weft__task *task)
{
    struct weft__clause *in = weft__clause_of(clause);
    struct weft__outcome *outcome = NULL; /* for gcc, which loses sight of it on 32 bits */
    int r = find_outcome(clause, task, &outcome);

    if (r < 0) {
        return r;
    }
    in->outcome.outcome = outcome;
    return outcome->done;
}

static int read_outcome(weft_clause *clause)
{
    return weft__outcome_read(weft__clause_of(clause)->outcome.outcome, NULL);
}

static void tell_outcome(struct weft__waiter *waiter, struct weft__loop *loop,
                         struct weft__outcome *outcome)
{
    struct weft__clause *in = WEFT__CONTAINER(waiter, struct weft__clause, outcome.waiter);

    (void)loop;
    if (!in->stands) {
        return; /* another clause about the same has won just now */
    }
    weft__clause_won(WEFT__CONTAINER(in, weft_clause, priv), weft__outcome_read(outcome, NULL));
}

static int enter_outcome(weft_clause *clause, struct weft__task *task)
{
    struct weft__clause *in = weft__clause_of(clause);

    (void)task;
    in->outcome.waiter = (struct weft__waiter){ .tell = tell_outcome };
    in->outcome.outcome->pins++; /* whoever spends its holds meanwhile */
    in->is_pinned = true;
    weft__outcome_push(in->outcome.outcome, &in->outcome.waiter);
    return 0;
}

static void leave_outcome(weft_clause *clause)
{
    struct weft__clause *in = weft__clause_of(clause);

    if (!in->outcome.outcome->done) { /* else its list is being gone through, and is gone then */
        weft__outcome_unlink(in->outcome.outcome, &in->outcome.waiter);
    }
}

static void unpin(weft_clause *clause)
{
    struct weft__clause *in = weft__clause_of(clause);
    struct weft__outcome *outcome = in->outcome.outcome;

    if (!in->is_pinned) {
        return;
    }
    outcome->pins--;
    if (clause->kind == WEFT_CLAUSE_TASK) {
        weft__task_release(WEFT__CONTAINER(outcome, struct weft__task, outcome));
    } else {
        weft__future_release(WEFT__CONTAINER(outcome, struct weft__future, outcome));
    }
}

static const struct weft__clause_kind kind_outcome = {
    .look = look_at_outcome,
    .take = read_outcome,
    .enter = enter_outcome,
    .leave = leave_outcome,
    .fini = unpin,
};

/* Descriptors. */

static uint32_t direction(const weft_clause *clause)
{
    return clause->kind == WEFT_CLAUSE_READABLE ? WEFT_READABLE : WEFT_WRITABLE;
}

static int look_at_fd(weft_clause *clause, struct weft__task *task)
{
    (void)task;
    return clause->fd < 0 ? -EBADF : 0;
}

static int ask_fd(weft_clause *clause)
{
    struct pollfd pollfd = {
        .fd = clause->fd,
        .events = clause->kind == WEFT_CLAUSE_READABLE ? POLLIN : POLLOUT,
    };

    if (WEFT__SYS(poll(&pollfd, 1, 0)) < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents != 0;
}

static void tell_fd(struct weft__fd_waiter *waiter, int status)
{
    struct weft__clause *in = WEFT__CONTAINER(waiter, struct weft__clause, fd);

    weft__clause_won(WEFT__CONTAINER(in, weft_clause, priv), status);
}

static int enter_fd(weft_clause *clause, struct weft__task *task)
{
    struct weft__fd_waiter *waiter = &weft__clause_of(clause)->fd;

    *waiter = (struct weft__fd_waiter){ .task = task, .tell = tell_fd };
    return weft__fd_enter(task->loop, waiter, clause->fd, direction(clause));
}

static void leave_fd(weft_clause *clause)
{
    weft__fd_leave(&weft__clause_of(clause)->fd);
}

static const struct weft__clause_kind kind_fd = {
    .look = look_at_fd,
    .look_closely = ask_fd,
    .take = take_nothing,
    .enter = enter_fd,
    .leave = leave_fd,
};

const struct weft__clause_kind *const weft__clause_kinds[] = {
    [WEFT_CLAUSE_NEVER] = &kind_never,       [WEFT_CLAUSE_GET] = &kind_get,
    [WEFT_CLAUSE_GET_VALUE] = &kind_get,     [WEFT_CLAUSE_PUT] = &kind_put,
    [WEFT_CLAUSE_PUT_VALUE] = &kind_put,     [WEFT_CLAUSE_EVENT] = &kind_event,
    [WEFT_CLAUSE_ACQUIRE] = &kind_semaphore, [WEFT_CLAUSE_TASK] = &kind_outcome,
    [WEFT_CLAUSE_FUTURE] = &kind_outcome,    [WEFT_CLAUSE_READABLE] = &kind_fd,
    [WEFT_CLAUSE_WRITABLE] = &kind_fd,       [WEFT_CLAUSE_WAKE] = &kind_wake,
    [WEFT_CLAUSE_TICK] = &weft__clause_tick, [WEFT_CLAUSE_CHANGE] = &weft__clause_change,
    [WEFT_CLAUSE_NEWS] = &weft__clause_news, [WEFT_CLAUSE_NEWS_VALUE] = &weft__clause_news,
};
const size_t weft__clause_kinds_count = WEFT__COUNT(weft__clause_kinds);
