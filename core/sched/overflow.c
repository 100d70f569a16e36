/* SPDX-License-Identifier: MIT
 * The handler for faults in guard pages. */
#include "core/sched/overflow.h"

#include "core/base/hook.h"
#include "core/base/shared.h"
#include "core/base/mem.h"

#include <string.h>
#include <unistd.h>

static const int signals[2] = { SIGSEGV, SIGBUS };

/* Loops in several threads may want the handler at once: it goes with the last of them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(lock)
static unsigned users;

void weft__overflow_report(const struct weft__task *task)
{
    weft_report report = {
        .size = sizeof report,
        .kind = WEFT_REPORT_STACK_OVERFLOW,
        .status = -ENOMEM,
        .message = "ran over its stack",
        .task = weft__task_handle(task),
        .task_name = task->name,
        .coro = task->main.def->name,
        .file = task->main.def->file,
        .line = (int)task->main.def->line,
    };

    if (task->frame) {
        report.coro = task->frame->def->name;
        report.file = task->frame->def->file;
        report.line = (int)task->frame->def->line;
    }
    weft__hooks.overflow(&report, task->id, WEFT__STACK_MIN << task->slot.size_class);
}

/* Whether somebody has sent the signal; a fault's comes from the processor.  What kill(2) says of
 * itself is 0 or less on some systems, and the first of some large numbers on others. */
static bool was_sent(const siginfo_t *info)
{
    return SI_USER > 0 ? info->si_code >= SI_USER : info->si_code <= 0;
}

/* Async-signal-safe: reads this thread's loop, writes to standard error.  Whatever the fault was,
 * the default action follows: the instruction faults again when we return. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    struct weft__loop *loop = weft__running;
    struct sigaction standard = { .sa_handler = SIG_DFL };
    struct weft__slot *slot = loop ? weft__stacks_guarding(&loop->stacks, info->si_addr) : NULL;

    (void)context;
    if (slot) {
        weft__overflow_report((const struct weft__task *)(const void *)slot);
    }
    sigaction(number, &standard, NULL);
    if (was_sent(info)) {
        raise(number); /* it would not come again by itself */
    }
}

static void watch_stack(struct weft__overflow_guard *guard)
{
    stack_t now;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = 32768; /* room for the largest vector state and for the report */

    if (sigaltstack(NULL, &now) < 0 || !(now.ss_flags & SS_DISABLE)) {
        return;
    }
    /* Whole pages: OpenBSD makes a stack of those, and kills who runs on anything else. */
    size = (size + page - 1) / page * page;
    guard->memory = weft__alloc_aligned(page, size);
    if (!guard->memory) {
        return;
    }
    guard->stack =
        sigaltstack(&(stack_t){ .ss_sp = guard->memory, .ss_size = size }, NULL) == 0;
}

void weft__overflow_watch(struct weft__overflow_guard *guard)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    memset(guard, 0, sizeof *guard);
    sigemptyset(&action.sa_mask);
    watch_stack(guard);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < WEFT__COUNT(signals); i++) {
        struct sigaction now;

        if (sigaction(signals[i], NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
            now.sa_handler == SIG_DFL) {
            guard->installed[i] = sigaction(signals[i], &action, NULL) == 0;
        } else {
            guard->installed[i] = now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault;
        }
    }
    users += guard->installed[0] || guard->installed[1];
    pthread_mutex_unlock(&lock);
}

void weft__overflow_unwatch(struct weft__overflow_guard *guard)
{
    bool last;

    pthread_mutex_lock(&lock);
    last = (guard->installed[0] || guard->installed[1]) && --users == 0;
    for (size_t i = 0; last && i < WEFT__COUNT(signals); i++) {
        struct sigaction now;

        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
            now.sa_sigaction == on_fault) {
            sigaction(signals[i], &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        }
    }
    pthread_mutex_unlock(&lock);
    if (guard->stack) {
        stack_t now;

        if (sigaltstack(NULL, &now) == 0 && now.ss_sp == guard->memory) {
            sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
        }
    }
    weft__free(guard->memory);
}
