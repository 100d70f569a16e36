/* SPDX-License-Identifier: MIT
 * Tasks: descriptor, switch, wait and wake.
 *
 * A task's descriptor ends its slot (fiber/stack.h); the arguments of its coroutine lie below, and
 * the stack begins below these, all in one page.  The offsets that tools read from outside are
 * listed in sched/inspect.c.
 *
 *     made --ready--> running --park--> waiting --wake--> ready ...  running --finish--> done
 *     --free--> gone
 */
#ifndef WEFT_CORE_TASK_H
#define WEFT_CORE_TASK_H

#include "core/sched/coro.h"
#include "core/sched/loop.h"

#include <weft/cancel.h>
#include <weft/task.h>

#define WEFT__TASK_NAME_MAX 32
#define WEFT__ID_BLOCK 1024 /* numbers that a loop takes from the process at once */

/* What tools outside show of a wait, and where in memory they find it: at `at` bytes from the
 * wait's target or, with `via` >= 0, from where the pointer at `via` bytes from that leads. */
struct weft__sight {
    uint16_t what; /* weft__sight_kind */
    uint16_t step; /* of an array: bytes from one to the next */
    int16_t via, at;
};

enum weft__sight_kind { /* numbers are never reused: tools of another version know them */
    WEFT__SEES_NOTHING,
    WEFT__SEES_OBJECT,   /* the place itself: of the lock, the queue, the future */
    WEFT__SEES_TASK,     /* the place itself: of the descriptor of who has to end */
    WEFT__SEES_GROUP,    /* the place itself: of the group whose children have to */
    WEFT__SEES_OWNER,    /* a pointer to a task's handle: who has it; 0: nobody */
    WEFT__SEES_OUTCOMES, /* pointers to the outcomes that are waited for, or NULL, `step` apart; */
    WEFT__SEES_COUNT,    /* and how many, a size_t */
    WEFT__SEES_FD,       /* int */
    WEFT__SEES_EVENTS,   /* uint32_t: WEFT_READABLE ... */
    WEFT__SEES_PID,      /* pid_t */
    WEFT__SEES_TEXT,     /* pointer to text: a host, a function */
    WEFT__SEES_HELD,     /* size_t: how much of something is taken, */
    WEFT__SEES_ROOM,     /* and of how much; 0: no limit */
    WEFT__SEES_ANY_OF,   /* as WEFT__SEES_OUTCOMES, but fewer than all may be enough */
    WEFT__SEES_WHEN,     /* `when` of a weft__item that ends it, if that is armed */
};
#define WEFT__SIGHTS 3

/* What a task can wait for: one static object for each kind of wait. */
struct weft__wait {
    const char *name; /* for people: "sleep" */
    /* A cancel has come: ends the wait with weft__wake(task, -ECANCELED), or cancels what the task
     * waits for, which ends the wait when it ends. */
    void (*interrupt)(struct weft__task *task);
    /* The tasks on which the wait depends: each has to end, or to let go of something, before it
     * can.  Returns how many were stored.  NULL: that is not known. */
    uint32_t (*targets)(const struct weft__task *task, struct weft__task **ret_tasks,
                        uint32_t max);
    struct weft__sight sees[WEFT__SIGHTS]; /* for tools; the rest is WEFT__SEES_NOTHING */
};

/* Who cancelled something, and why. */
struct weft__reason {
    int32_t kind; /* weft_cancel_kind */
    int32_t status;
    int64_t deadline; /* ns of the loop's clock */
    const char *message;
    const weft_coro_def *def; /* the coroutine in which it was asked for, or NULL */
    uint64_t by_id;           /* the task that asked; 0: a callback */
    char by[WEFT__TASK_NAME_MAX]; /* its name, as it was then; "": Task-<by_id> */
};

struct weft__task {
    union {
        _Alignas(64) struct weft__slot slot; /* first: the handle and its place */
        struct {
            uintptr_t same_handle;
            uint32_t cancelled; /* 1: where it is now new waits fail.  In the slot's word for us:
                                 * here programs see it (<weft/inline.h>) */
        };
    };
    struct weft__item item; /* ready, or due when it sleeps */
    struct weft__fiber fiber;
    struct weft__loop *loop;
    struct weft__task *next_recheck; /* in the loop's list of those whose state may have changed */
    const struct weft__wait *waiting; /* NULL: it does not wait */
    void *target;                     /* what it waits for, by the kind of wait */
    struct weft__frame *frame;        /* the innermost coroutine; NULL: not begun, or ended */
    struct weft__scope *scopes;       /* the innermost scope */
    int32_t wake;                     /* what the wait that ended came to */
    int32_t cancels;                  /* weft_task_cancel() less weft_task_uncancel() */
    uint32_t callbacks;               /* scopes among them that call back on a cancel */
    bool to_recheck;                  /* it is in the list of next_recheck */
    uint32_t wanted;                  /* waiters for what it owns (sync/lock.h) */
    uint32_t held;                    /* what it must give back, and that does not know it */
    int64_t parked;                   /* when it began to wait, as of the loop's last look */
    struct weft__group_errors *errors; /* of the last group it left that failed */
    struct weft__place place;          /* its context variables */
    struct weft__outcome outcome;
    struct weft__frame main; /* the coroutine that it was made of */
    void *args;              /* that one's */
    weft_callback *drop;     /* weft_coro_on_drop(), if it never has a turn; or NULL */
    void *drop_arg;
    uint64_t id;             /* 1, 2, ...: by creation in the process */
    char name[WEFT__TASK_NAME_MAX]; /* "": not formatted yet, Task-<id> */
    struct weft__reason reason;      /* of the first of `cancels` */
    struct weft__note *note;         /* what debug mode knows of it; NULL: nothing */
    struct weft__child *child;       /* its part in a group; NULL: it belongs to none */
};

/* The living task of a handle, whatever loop it belongs to; NULL and -EINVAL, -ESRCH or its
 * error. */
static inline struct weft__task *weft__task_at(weft_task *handle, int *ret_error)
{
    int r = weft__tag_error(handle);

    if (r == 0) {
        char *top = weft__tag_address((uintptr_t)handle, WEFT__STACK_LOW);
        struct weft__task *task = (struct weft__task *)(void *)(top - sizeof *task);

        if (task->slot.handle == (uintptr_t)handle) {
            return task;
        }
        r = -ESRCH;
    }
    *ret_error = r;
    return NULL;
}

/* The same for a call in the thread of the task's loop; also -EXDEV. */
static inline struct weft__task *weft__task_of(weft_task *handle, int *ret_error)
{
    struct weft__task *task = weft__task_at(handle, ret_error);

    int r = task ? weft__loop_check(task->loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return task;
}

/* For one that only looks: the host of the loop is not called for it. */
static inline struct weft__task *weft__task_seen(weft_task *handle, int *ret_error)
{
    struct weft__task *task = weft__task_at(handle, ret_error);
    int r = task ? weft__loop_check_look(task->loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return task;
}

static inline weft_task *weft__task_handle(const struct weft__task *task)
{
    return (weft_task *)task->slot.handle;
}

/* A stack without a guard page has a canary at its low end, looked at when the task leaves: one
 * that has run over is reported, and the process ends. */
#define WEFT__CANARY UINT64_C(0xc0a1e5ced5ea1f0e)
void weft__task_check_canary(const struct weft__task *task);

/* The slow half of weft__next(). */
struct weft__fiber *weft__next_slow(struct weft__loop *loop);

/* Who continues when the running context leaves: the next ready task, whose turn it is from now, or
 * the loop's own stack. */
static inline struct weft__fiber *weft__next(struct weft__loop *loop)
{
    struct weft__item *item = loop->first;

    if (--loop->budget < 0 || !item || item->kind != WEFT__ITEM_TASK) {
        return weft__next_slow(loop);
    }
    loop->first = item->next;
    item->queued = false;
    loop->current = WEFT__CONTAINER(item, struct weft__task, item);
    return &loop->current->fiber;
}

/* What runs on a task's stack, from its beginning to its end. */
struct weft__fiber *weft__task_entry(struct weft__fiber *fiber);

/* Leaves the running task; returns when its turn comes again. */
static inline void weft__task_leave(struct weft__task *task)
{
    struct weft__fiber *next = weft__next(task->loop);

    if (next != &task->fiber) {
        weft__fiber_switch(&task->fiber, next, weft__task_entry);
    }
}

/* Lets everyone else who is ready have a turn. */
static inline void weft__task_yield(struct weft__task *task)
{
    weft__ready(task->loop, &task->item);
    weft__task_leave(task);
}

/* Waits until weft__wake(), and returns what that was given; interrupts the wait at once where the
 * task is cancelled already. */
static inline int weft__task_park(struct weft__task *task, const struct weft__wait *wait,
                                  void *target)
{
    task->waiting = wait;
    task->target = target;
    task->parked = task->loop->polled; /* for tools; the clock is not read for it */
    if (task->cancelled) {
        wait->interrupt(task); /* even if this ends the wait: our turn comes */
    }
    weft__task_leave(task);
    return task->wake;
}

/* Ends a task's wait.  Whatever could end it another time was unlinked by the caller, who knows the
 * loop: a load less in front of the next switch. */
static inline void weft__wake_on(struct weft__loop *loop, struct weft__task *task, int result)
{
    WEFT_ASSERT(task->waiting && task->loop == loop);
    task->waiting = NULL;
    task->wake = result;
    weft__ready(loop, &task->item);
}

static inline void weft__wake(struct weft__task *task, int result)
{
    weft__wake_on(task->loop, task, result);
}

/* An outcome's status comes: it is handed to those who wait and the callbacks are made ready, in
 * the order in which they came. */
static inline void weft__outcome_set(struct weft__loop *loop, struct weft__outcome *outcome,
                                     int status, void *value)
{
    struct weft__waiter *waiter = outcome->waiters, *last = waiter ? waiter->prev : NULL;

    WEFT_ASSERT(!outcome->done);
    outcome->done = true;
    outcome->status = status;
    outcome->value = value;
    outcome->waiters = NULL;
    for (bool more = waiter; more;) {
        struct weft__waiter *next = waiter->next;

        more = waiter != last;
        if (waiter->task) {
            outcome->seen = true;
            waiter->value = value;
            weft__wake(waiter->task, status);
        } else {
            waiter->tell(waiter, loop, outcome);
        }
        waiter = next;
    }
    if (outcome->ends_loop) {
        weft__loop_stop(loop);
    }
}

/* The running task; NULL and -EPERM outside one, -ECHILD in a forked child. */
static inline struct weft__task *weft__self(int *ret_error)
{
    struct weft__loop *loop = weft__running;

    if (!loop || !loop->current) {
        *ret_error = -EPERM;
        return NULL;
    }
    if (loop->epoch != *weft__fork_word) {
        *ret_error = -ECHILD;
        return NULL;
    }
    return loop->current;
}

/* The two halves of weft_create_task(): makes a task of a coroutine, which is taken (NULL and the
 * error), and lets it begin. */
struct weft__task *weft__task_make(struct weft__loop *loop, weft_coro *coro,
                                   const weft_task_options *options, int *ret_error);
void weft__task_begin(struct weft__task *task, const weft_task_options *options);

/* In sched/cancel.c: what cancels a task may have changed: finds out, calls back and interrupts the
 * wait when it is cancelled now, and so on with those that this cancels. */
void weft__task_recheck(struct weft__task *task);

/* Raises a task's count of cancels; the second makes the reason, too (`author` may be NULL). */
void weft__task_cancel(struct weft__task *task, const struct weft__reason *reason);
void weft__task_cancel_by(struct weft__task *task, const struct weft__task *author,
                          weft_cancel_kind kind, const char *message);

/* Waits until `outcome` is done and returns its status, with the value in *ret_value when that is
 * >= 0; a task that is cancelled asks it to end soon by `wait`'s interrupt.  What `target` points
 * to may be gone when this returns. */
int weft__task_wait_for(struct weft__task *task, struct weft__outcome *outcome,
                        const struct weft__wait *wait, void *target, void **ret_value);

/* What weft_await_status() returns: the caller's own fate, with the status of what it awaited. */
int weft__task_fate(const struct weft__task *task, int status, int *ret_status);

/* The rare half of weft__task_spend_turn(). */
void weft__task_spend_last(struct weft__task *task);

/* Something that did not have to wait: takes a turn off the budget, and gives way when it is
 * spent. */
static inline void weft__task_spend_turn(struct weft__task *task)
{
    if (--task->loop->budget < 0) {
        weft__task_spend_last(task);
    }
}

/* Runs a task's coroutine and ends the task; returns who continues. */
struct weft__fiber *weft__task_run(struct weft__task *task);

/* A task's name in WEFT__TASK_NAME_MAX bytes: "Task-<id>" where it has none; "" where there is no
 * task. */
void weft__task_format_name(char *to, const char *name, uint64_t id);

/* Names a task; cuts what is too long between characters. */
void weft__task_name(struct weft__task *task, const char *name);

/* Before a task is freed: reports a failure that nobody read, and that nobody awaited it. */
void weft__task_report_unread(struct weft__task *task);

/* Frees a task that is done when nobody needs it any more. */
static inline void weft__task_release(struct weft__task *task)
{
    const struct weft__outcome *outcome = &task->outcome;

    if (outcome->done && !outcome->holds && !outcome->pins) {
        if (!outcome->seen) {
            weft__task_report_unread(task);
        }
        weft__stacks_give(&task->loop->stacks, &task->slot);
    }
}

/* Spends a hold and reports what nobody will read now. */
void weft__task_drop_hold(struct weft__task *task, bool detached);

/* At the loop's close: reports what has not ended or was never read, and frees what is done. */
void weft__tasks_fini(struct weft__loop *loop);

/* Fills in what a report says of a task. */
void weft__task_describe(const struct weft__task *task, weft_report *report);

/* In sched/tasks.c: the words for -EDEADLK, which it returns. */
int weft__tasks_are_stuck(struct weft__loop *loop);

/* In sched/context.c: puts a new task into the context that its options name, which was found to
 * live, or into a copy of its creator's. */
void weft__task_inherit(struct weft__task *task, const weft_task_options *options);

/* In sched/group.c: a child has ended; the failures that a task kept are freed with it. */
void weft__child_ended(struct weft__task *task, int status);
void weft__group_errors_free(struct weft__task *task);

/* In sched/scope.c. */
void weft__scope_expire(struct weft__item *item);
void weft__scopes_forgotten(struct weft__task *task, struct weft__scope *outer);

#endif
