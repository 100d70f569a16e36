/* SPDX-License-Identifier: MIT
 * Tasks: made, run, ended. */
#include "core/sched/task.h"

#include "core/base/error.h"
#include "core/base/hook.h"
#include "core/base/probe.h"
#include "core/sched/misuse.h"
#include "core/sched/overflow.h"

#include <stdlib.h>
#include <string.h>
#include <weft/await.h>

static _Atomic uint64_t ids_given = 1; /* in the whole process */

WEFT__COLD static void take_ids(struct weft__loop *loop)
{
    loop->next_id = atomic_fetch_add(&ids_given, WEFT__ID_BLOCK);
    loop->last_id = loop->next_id + WEFT__ID_BLOCK;
}

/* The rest of a block goes back if nobody has taken one since: then numbers have no gaps. */
static void give_ids(struct weft__loop *loop)
{
    (void)atomic_compare_exchange_strong(&ids_given, &loop->last_id, loop->next_id);
}

static uint64_t next_id(struct weft__loop *loop)
{
    if (loop->next_id == loop->last_id) {
        take_ids(loop);
    }
    return loop->next_id++;
}

WEFT__COLD static void say_unguarded(struct weft__loop *loop)
{
    weft_report report = {
        .kind = WEFT_REPORT_UNGUARDED,
        .message = "too many tasks for guard pages on this kernel (Linux 6.13 has no such limit): "
                   "a stack that runs over is noticed at the task's next switch only",
    };

    loop->said_unguarded = true;
    weft__report(loop, &report);
}

/* A stack that has no guard page gets a word that is looked at whenever the task leaves. */
WEFT__COLD static void set_canary(struct weft__task *task)
{
    *(uint64_t *)(void *)task->slot.low = WEFT__CANARY;
    weft__loop_see_all(task->loop, true); /* each switch goes where it is looked at */
    if (!task->loop->said_unguarded) {
        say_unguarded(task->loop);
    }
}

/* Public structs have room to grow within their size. */
_Static_assert(sizeof(void *) != 8 || sizeof(weft_task_options) == 64, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_report) == 192, "the public size");

/* Lays the task out in its slot: descriptor, arguments, and the stack below them. */
static WEFT__INLINE void lay_out(struct weft__task *task, struct weft__loop *loop,
                                 struct weft__coro *coro)
{
    size_t size = (coro->frame.def->args_size + 63) & ~(size_t)63;

    task->item = (struct weft__item){ .kind = WEFT__ITEM_TASK };
    task->loop = loop;
    task->waiting = NULL;
    task->target = NULL;
    task->frame = NULL;
    task->scopes = NULL;
    task->wake = 0;
    task->cancels = 0;
    task->callbacks = 0;
    task->cancelled = 0;
    task->to_recheck = false;
    task->wanted = 0;
    task->held = 0;
    task->child = NULL;
    task->errors = NULL;
    task->place = (struct weft__place){ .vars = NULL };
    weft__outcome_init(&task->outcome, 1);
    task->main.outer = NULL;
    task->main.value = NULL;
    task->main.def = coro->frame.def;
    task->args = (char *)task - size;
    task->drop = coro->drop;
    task->drop_arg = coro->drop_arg;
    if (size) {
        weft__sanitize_lay_out(task->args, size);
    }
    if (size == 64) {
        memcpy(task->args, coro->args, 64); /* the object's own room: a few moves, no call */
    } else if (size) {
        memcpy(task->args, coro->args, coro->frame.def->args_size);
    }
    task->id = next_id(loop);
    task->name[0] = '\0';
    task->note = NULL;
    weft__fiber_init(&task->fiber, &task->slot, task->args);
    if (!task->slot.guarded) {
        set_canary(task);
    }
}

WEFT__COLD void weft__task_check_canary(const struct weft__task *task)
{
    if (*(const uint64_t *)(const void *)task->slot.low != WEFT__CANARY) {
        weft__overflow_report(task);
        abort();
    }
}

/* The slot for a task; *ret_error is set when there is none. */
static WEFT__INLINE struct weft__task *take_slot(struct weft__loop *loop,
                                                 const weft_task_options *options, int *ret_error)
{
    int size_class = loop->stack_class;
    struct weft__slot *slot;

    if (options && options->stack_size) {
        size_class = weft__stack_class(options->stack_size);
        if (size_class < 0) {
            *ret_error = weft__words(size_class, "a task's stack is 64 MiB at the most");
            return NULL;
        }
    }
    if (options && options->context && !weft__context_of(options->context, ret_error)) {
        return NULL;
    }
    slot = weft__stacks_take(&loop->stacks, (unsigned)size_class);
    if (!slot) {
        *ret_error = -ENOMEM;
    }
    return (struct weft__task *)(void *)slot;
}

/* Makes a task of a coroutine, which is taken; NULL and the error. */
static WEFT__INLINE struct weft__task *new_task(struct weft__loop *loop, weft_coro *handle,
                                                const weft_task_options *options, int *ret_error)
{
    struct weft__coro *coro = weft__coro_of(handle, ret_error);
    struct weft__task *task = coro ? take_slot(loop, options, ret_error) : NULL;

    if (!task) {
        if (coro) {
            weft__coro_drop(coro);
        }
        return NULL;
    }
    lay_out(task, loop, coro);
    weft__coro_free(coro);
    if (options && options->name) {
        weft__task_name(task, options->name);
    }
    if (weft__context_is_used()) {
        weft__task_inherit(task, options);
    }
    WEFT__PROBE2(task_made, task->id, task->main.def);
    if (loop->observer) {
        weft__hooks.made(task);
    }
    return task;
}

/* Lets a new task run at once: its creator is the next to run when it waits or ends.  Nobody else
 * has that turn, so it spends no budget: a creator that never waits gives way when it finds the
 * budget spent, and would not if its tasks had found that first. */
static void start_eagerly(struct weft__loop *loop, struct weft__task *task)
{
    struct weft__task *creator = loop->current;

    if (loop != weft__running || loop->ending) {
        weft__ready(loop, &task->item);
        return;
    }
    weft__ready_first(loop, creator ? &creator->item : &loop->back_item);
    if (!loop->shuffles) { /* or any other task may be the next */
        weft__loop_spare_turn(loop);
    }
    loop->current = task;
    weft__fiber_switch(creator ? &creator->fiber : &loop->fiber, &task->fiber, weft__task_entry);
}

static WEFT__INLINE void begin(struct weft__loop *loop, struct weft__task *task,
                               const weft_task_options *options)
{
    if (options && options->eager_start) {
        start_eagerly(loop, task);
    } else {
        weft__ready(loop, &task->item);
    }
}

struct weft__task *weft__task_make(struct weft__loop *loop, weft_coro *coro,
                                   const weft_task_options *options, int *ret_error)
{
    return new_task(loop, coro, options, ret_error);
}

void weft__task_spend_last(struct weft__task *task)
{
    struct weft__loop *loop = task->loop;

    if (weft__loop_spends_credit(loop) || weft__loop_lets_go_on(loop)) {
        return;
    }
    loop->gives_way = true;
    weft__task_yield(task);
}

void weft__task_begin(struct weft__task *task, const weft_task_options *options)
{
    begin(task->loop, task, options);
}

static WEFT__INLINE weft_task *create(struct weft__loop *loop, weft_coro *coro,
                                      const weft_task_options *options)
{
    int r = 0;
    struct weft__task *task = new_task(loop, coro, options, &r);
    weft_task *made;

    if (!task) {
        return weft__failed(r);
    }
    made = weft__task_handle(task);
    begin(loop, task, options);
    return made;
}

/* What weft_create_task() does where it is not the running loop's. */
WEFT__COLD static weft_task *create_in(weft_loop *handle, weft_coro *coro,
                                       const weft_task_options *options)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        weft__coro_discard(coro);
        return weft__failed(r);
    }
    return create(loop, coro, options);
}

weft_task *weft_create_task(weft_coro *coro, const weft_task_options *options)
{
    struct weft__loop *loop = weft__running;

    if (!loop || loop->epoch != *weft__fork_word) {
        return create_in(NULL, coro, options); /* which knows what is wrong */
    }
    return create(loop, coro, options);
}

weft_task *weft_loop_create_task(weft_loop *loop, weft_coro *coro, const weft_task_options *options)
{
    return loop ? create_in(loop, coro, options) : weft_create_task(coro, options);
}

void weft__task_describe(const struct weft__task *task, weft_report *report)
{
    report->loop = weft__loop_handle(task->loop);
    report->task = weft__task_handle(task);
    report->task_name = weft_task_get_name(report->task);
    report->coro = task->main.def->name;
    report->file = task->main.def->file;
    report->line = (int)task->main.def->line;
    report->waiting = task->waiting ? task->waiting->name : NULL;
}

static void report(struct weft__task *task, weft_report_kind kind, int status, const char *message)
{
    weft_report report = { .kind = kind, .status = status, .message = message };

    weft__task_describe(task, &report);
    weft__report(task->loop, &report);
}

/* When nobody can read the status any more: was it read, or may it be forgotten? */
WEFT__COLD void weft__task_report_unread(struct weft__task *task)
{
    struct weft__outcome *outcome = &task->outcome;

    if (outcome->seen) {
        return;
    }
    outcome->seen = true;
    if (outcome->status < 0 && outcome->status != -ECANCELED) {
        report(task, WEFT_REPORT_FAILED, outcome->status, "failed and nobody read it");
    } else if (!outcome->detached && !task->cancels) {
        report(task, WEFT_REPORT_TASK_NEVER_AWAITED, 0, "was never awaited");
    }
}

static void release_outcome(struct weft__outcome *outcome)
{
    weft__task_release(WEFT__CONTAINER(outcome, struct weft__task, outcome));
}

WEFT__SANITIZE_NOT struct weft__fiber *weft__task_entry(struct weft__fiber *fiber)
{
    struct weft__task *task = WEFT__CONTAINER(fiber, struct weft__task, fiber);
    struct weft__fiber *next;

    weft__sanitize_begin(&fiber->watch);
    next = weft__task_run(task);
    weft__sanitize_end(&fiber->watch, &next->watch);
    return next;
}

struct weft__fiber *weft__task_run(struct weft__task *task)
{
    struct weft__loop *loop = task->loop;
    int status;

    task->frame = &task->main;
    status = task->main.def->run(task->args);
    if (task->scopes) {
        weft__scopes_forgotten(task, NULL);
    }
    task->frame = NULL;
    loop->current = NULL; /* what reports and hooks call from here on is no task's any more, */
    if (loop->epoch != *weft__fork_word) {
        return &loop->fiber; /* the body has forked, and this is the child: nobody gets a turn */
    }
    loop->ending = true; /* nor does it run on the loop's own stack */
    WEFT__PROBE2(task_ended, task->id, status);
    if (loop->observer) {
        weft__hooks.ended(task, status);
    }
    if (!task->slot.guarded) {
        weft__task_check_canary(task);
    }
    if (task->wanted || task->held) {
        weft__hooks.owner_ended(task);
    }
    if (task->errors) {
        weft__group_errors_free(task);
    }
    if (weft__context_is_used()) {
        weft__place_end(&task->place);
    }
    if (task->child) {
        weft__child_ended(task, status);
    }
    weft__outcome_set(loop, &task->outcome, status, task->main.value);
    weft__task_release(task); /* this stack may be free now; nobody takes it before it is left */
    loop->ending = false;
    return weft__next(loop);
}

weft_task *weft_task_ref(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_of(handle, &r);

    if (task) {
        task->outcome.holds++;
    }
    return handle;
}

void weft__task_drop_hold(struct weft__task *task, bool detached)
{
    task->outcome.holds--;
    task->outcome.detached |= detached;
    weft__task_release(task);
}

weft_task *weft_task_unref(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_of(handle, &r);

    if (task && task->outcome.holds) {
        weft__task_drop_hold(task, false);
    }
    return NULL;
}

int weft_task_detach(weft_task *handle)
{
    int r = -ESRCH;
    struct weft__task *task = weft__task_of(handle, &r);

    if (!task || !task->outcome.holds) {
        return r == -ESRCH ? weft__misuse_of(r, handle) : r;
    }
    weft__task_drop_hold(task, true);
    return 0;
}

bool weft_task_done(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_seen(handle, &r);

    return !task || task->outcome.done;
}

bool weft_task_cancelled(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_seen(handle, &r);

    return task && task->outcome.done && task->outcome.status == -ECANCELED;
}

int weft_task_result(weft_task *handle, void **ret_value)
{
    int r = 0;
    struct weft__task *task = weft__task_seen(handle, &r);

    return task ? weft__outcome_read(&task->outcome, ret_value) : r;
}

int weft_task_status(weft_task *task)
{
    return weft_task_result(task, NULL);
}

int weft_task_add_done_callback(weft_task *handle, weft_task_callback *callback, void *arg)
{
    int r = -EINVAL;
    struct weft__task *task = callback ? weft__task_of(handle, &r) : NULL;

    if (!task) {
        return r;
    }
    return weft__outcome_add_callback(task->loop, &task->outcome, handle, (void (*)(void))callback,
                                      arg, release_outcome);
}

int weft_task_remove_done_callback(weft_task *handle, weft_task_callback *callback, void *arg)
{
    int r = 0;
    struct weft__task *task = weft__task_of(handle, &r);

    if (!task) {
        return r;
    }
    r = weft__outcome_remove_callbacks(&task->outcome, (void (*)(void))callback, arg);
    weft__task_release(task);
    return r;
}

weft_loop *weft_task_get_loop(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_of(handle, &r);

    return task ? weft__loop_handle(task->loop) : NULL;
}

weft_task *weft_current_task(void)
{
    int r;
    struct weft__task *task = weft__self(&r);

    return task ? weft__task_handle(task) : NULL;
}

/* A task that never had a turn: what its arguments own is freed as a coroutine's that was
 * dropped. */
static void end_unbegun(struct weft__task *task)
{
    struct weft__place place = task->place;

    report(task, WEFT_REPORT_PENDING, 0, "had not begun when its loop was closed");
    weft__stacks_give(&task->loop->stacks, &task->slot);
    if (task->drop) {
        task->drop(task->drop_arg);
    }
    weft__place_end(&place);
}

/* A slot that is still taken when its loop closes. */
static void end(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;

    (void)arg;
    weft__outcome_drop_callbacks(&task->outcome);
    if (!task->outcome.done && !task->frame) {
        end_unbegun(task);
        return;
    }
    if (!task->outcome.done) {
        report(task, WEFT_REPORT_PENDING, 0,
               task->cancels > 0 ?
                   "was cancelled and has not ended: its waits fail and it goes on" :
                   "had not ended when its loop was closed");
        /* Its stack stays as it is, for ever; its handle is stale, for there is no loop any more.
         * */
        task->slot.handle =
            weft__tag_next(weft__tag_next(task->slot.handle, WEFT__STACK_LOW), WEFT__STACK_LOW);
        return;
    }
    weft__task_report_unread(task);
    weft__stacks_give(&task->loop->stacks, slot);
}

void weft__tasks_fini(struct weft__loop *loop)
{
    weft__stacks_each(&loop->stacks, end, NULL);
    if (loop->last_id) {
        give_ids(loop);
    }
}
