/* SPDX-License-Identifier: MIT
 * Deadlocks: tasks that wait for each other, and a loop in which nothing can ever happen.
 *
 * A kind of wait that has `targets` says on whose end a task depends.  When a task begins such a
 * wait the way is followed from there, and if it leads back the circle is told, once, by whoever
 * closes it.  A circle with a timeout in it opens by itself, and is not told. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/debug/checks.h"
#include "core/debug/sample.h"
#include "core/debug/stack.h"
#include "core/debug/system.h"
#include "core/sched/scope.h"
#include "core/sched/signal.h"
#include "core/sync/lock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FOLLOWED_MAX 64 /* tasks that are looked at */
#define TOLD_MAX 32     /* tasks of a report */
#define AGAIN_NS (60 * WEFT__SECOND)

#define MESSAGE_MAX 200

/* ---- what is waited for ---- */

/* The one who has what stands in line for, in words; false: it is no such wait. */
static bool describe_line(const struct weft__task *task, const char *name, char *text, size_t size)
{
    const struct weft__wait *kind = task->waiting;

    if (kind == &weft__wait_lock) {
        char *owner = ((const weft_waiter *)task->target)->value;

        (void)snprintf(text, size, "waits for the lock %p that task '%s' holds",
                       (void *)(owner - offsetof(weft_lock, owner)), name);
    } else if (kind == &weft__wait_read || kind == &weft__wait_write) {
        (void)snprintf(text, size, "waits for a %s where task '%s' has the write lock", kind->name,
                       name);
    }
    return kind == &weft__wait_lock || kind == &weft__wait_read || kind == &weft__wait_write;
}

/* "waits for" with all that is known: who has it, or who has to end. */
static void describe_wait(const struct weft__task *task, char *text, size_t size)
{
    const struct weft__wait *kind = task->waiting;
    struct weft__task *targets[FOLLOWED_MAX];
    uint32_t n = kind->targets ? kind->targets(task, targets, FOLLOWED_MAX) : 0;
    char name[WEFT__TASK_NAME_MAX] = "", more[32] = "";

    if (n == 0) {
        (void)snprintf(text, size, "waits for: %s", kind->name);
        return;
    }
    weft__task_format_name(name, targets[0]->name, targets[0]->id);
    if (describe_line(task, name, text, size)) {
        return;
    }
    if (n > 1) {
        (void)snprintf(more, sizeof more, " and %u more", n - 1);
    }
    if (strcmp(kind->name, "task") == 0) {
        (void)snprintf(text, size, "waits for task '%s'", name);
    } else {
        (void)snprintf(text, size, "waits for a %s of task '%s'%s", kind->name, name, more);
    }
}

/* ---- reports of several tasks ---- */

struct weft__crowd {
    weft_report reports[TOLD_MAX];
    char messages[TOLD_MAX][MESSAGE_MAX];
    const void *stacks[TOLD_MAX][WEFT__STACK_MAX];
    uint32_t count;
};

/* One more of the tasks that a report is about. */
static void add_task(struct weft__crowd *crowd, const struct weft__task *task)
{
    weft_report *report = &crowd->reports[crowd->count];
    const struct weft__note *note = task->note;

    *report = (weft_report){ .size = sizeof *report,
                             .kind = WEFT_REPORT_DEADLOCK,
                             .message = crowd->messages[crowd->count] };
    describe_wait(task, crowd->messages[crowd->count], MESSAGE_MAX);
    weft__task_describe(task, report);
    report->stack_count =
        weft__stack_of(task, crowd->stacks[crowd->count], WEFT__STACK_MAX, &report->exact);
    report->stack = report->stack_count ? crowd->stacks[crowd->count] : NULL;
    if (note && note->made_count) {
        report->made = note->made;
        report->made_count = note->made_count;
    }
    crowd->count++;
}

static void tell(struct weft__observer *observer, weft_report *report,
                 const struct weft__crowd *crowd)
{
    report->kind = WEFT_REPORT_DEADLOCK;
    report->status = -EDEADLK;
    report->others = crowd->reports;
    report->others_count = crowd->count;
    weft__observe_report(observer->loop, report);
}

/* ---- circles ---- */

/* Those that were reached, each with the one from which it was. */
struct search {
    struct weft__task *task[FOLLOWED_MAX];
    uint32_t from[FOLLOWED_MAX], count;
};

static bool has_timeout(const struct weft__task *task)
{
    for (const struct weft__scope *scope = task->scopes; scope; scope = scope->outer) {
        if (scope->kind == WEFT__SCOPE_TIMEOUT && scope->item.when < WEFT__NEVER) {
            return true;
        }
    }
    return false;
}

static bool is_in(const struct search *search, const struct weft__task *task)
{
    for (uint32_t i = 0; i < search->count; i++) {
        if (search->task[i] == task) {
            return true;
        }
    }
    return false;
}

/* Follows the waits from the first task until they lead back to it.  Returns the number of the one
 * that waits for it; 0: they do not, for the first one cannot wait for itself. */
static uint32_t follow(struct search *search)
{
    for (uint32_t at = 0; at < search->count; at++) {
        struct weft__task *task = search->task[at], *targets[FOLLOWED_MAX];
        uint32_t n;

        if (!task->waiting || !task->waiting->targets || has_timeout(task)) {
            continue;
        }
        n = task->waiting->targets(task, targets, FOLLOWED_MAX);
        for (uint32_t i = 0; i < n; i++) {
            if (targets[i] == search->task[0]) {
                return at;
            }
            if (search->count < FOLLOWED_MAX && !is_in(search, targets[i])) {
                search->from[search->count] = at;
                search->task[search->count++] = targets[i];
            }
        }
    }
    return 0;
}

static void tell_circle(struct weft__observer *observer, const struct search *search, uint32_t last)
{
    struct weft__crowd *crowd = weft__alloc_zeroed(1, sizeof *crowd);
    char message[MESSAGE_MAX + 64];
    weft_report report = { .message = message };
    uint32_t i = last;
    size_t used;

    describe_wait(search->task[0], message, MESSAGE_MAX);
    used = strlen(message);
    (void)snprintf(message + used, sizeof message - used, ", and %s for it: none can go on",
                   search->from[last] == 0 ? "that one waits" : "those below wait");
    weft__task_describe(search->task[0], &report);
    while (crowd && i != 0 && crowd->count < TOLD_MAX) {
        add_task(crowd, search->task[i]);
        i = search->from[i];
    }
    if (crowd) {
        tell(observer, &report, crowd);
    }
    weft__free(crowd);
}

void weft__deadlock_follow(struct weft__observer *observer, struct weft__task *task)
{
    struct search search = { .task = { task }, .count = 1 };
    uint32_t last = follow(&search);

    if (last) {
        tell_circle(observer, &search, last);
    }
}

/* ---- nothing can ever happen ---- */

/* Whether the loop waits for signals that somebody asked for. */
static bool awaits_signals(struct weft__loop *loop)
{
    for (size_t i = 0; i < WEFT__SIGNAL_WORDS; i++) {
        if (atomic_load(&loop->port.wanted.words[i])) {
            return true;
        }
    }
    return false;
}

/* Whether the program has handlers for signals: one may post something. */
static bool has_handlers(struct weft__loop *loop)
{
    for (int number = 1; number < WEFT__SIGNAL_END; number++) {
        bool ours = number == SIGSEGV || number == SIGBUS || number == weft__sample_signal() ||
                    atomic_load(&loop->port.ends.words[number / 32]) >> number % 32 & 1u;
        struct sigaction now;

        if (!ours && sigaction(number, NULL, &now) == 0 &&
            (now.sa_flags & SA_SIGINFO ||
             (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN))) {
            return true;
        }
    }
    return false;
}

/* Threads beside this one and the watchdog's: any may post something. */
static bool has_threads(void)
{
    int count = weft__system_threads();

    return count < 0 || count > 1 + weft__watchdog_threads();
}

/* The loop stands on a library's in which others may have something. */
static bool has_company(const struct weft__loop *loop)
{
    return loop->backend->ops->run && (!loop->ops->others || loop->ops->others(loop->be));
}

/* Where somebody else waits, and pumps the loop when he likes, always. */
static bool can_something_happen(struct weft__loop *loop)
{
    return loop->host.depth > 0 || loop->host.adopted || loop->host.by_fd ||
           weft__timers_next(&loop->timers) != WEFT__NEVER || loop->watches_used ||
           loop->expected || awaits_signals(loop) || has_threads() || has_handlers(loop) ||
           has_company(loop);
}

struct waiting {
    struct weft__crowd *crowd;
    uint32_t count;
};

static void see(struct weft__slot *slot, void *arg)
{
    const struct weft__task *task = (const struct weft__task *)(const void *)slot;
    struct waiting *waiting = arg;

    if (!task->outcome.done && task->waiting) {
        waiting->count++;
        if (waiting->crowd && waiting->crowd->count < TOLD_MAX) {
            add_task(waiting->crowd, task);
        }
    }
}

void weft__deadlock_look(struct weft__observer *observer)
{
    struct weft__loop *loop = observer->loop;
    struct waiting waiting = { .crowd = NULL };
    int64_t now = atomic_load_explicit(&observer->clock, memory_order_relaxed);
    weft_report report = { .kind = WEFT_REPORT_DEADLOCK };
    char message[128];

    if (!(observer->words.checks & WEFT__CHECK_DEADLOCK) || can_something_happen(loop) ||
        (observer->stuck_told && now - observer->stuck_told < AGAIN_NS)) {
        return;
    }
    waiting.crowd = weft__alloc_zeroed(1, sizeof *waiting.crowd);
    weft__stacks_each(&loop->stacks, see, &waiting);
    if (waiting.crowd && waiting.count) {
        observer->stuck_told = now;
        (void)snprintf(message, sizeof message,
                       "nothing can ever happen in this loop: no timer, no descriptor, no other "
                       "thread, and %u task%s",
                       waiting.count, waiting.count == 1 ? " that waits" : "s that wait");
        report.message = message;
        tell(observer, &report, waiting.crowd);
    }
    weft__free(waiting.crowd);
}
