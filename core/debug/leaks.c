/* SPDX-License-Identifier: MIT
 * What is left when a run ends or a loop closes: its tasks, each below the one that made it.
 *
 * When a loop closes all are told that have not ended.  The end of a run cancels those that are
 * left, as asyncio's does, so there a program may leave what it has let go of, or what somebody
 * waits for.  Told are those of which neither holds. */
#include "core/base/mem.h"
#include "core/debug/checks.h"
#include "core/debug/stack.h"

#include <stdio.h>
#include <stdlib.h>

#define TOLD_MAX 64 /* tasks; of the others only the number is told */

struct leaks {
    const struct weft__task *tasks[TOLD_MAX];
    uint32_t count; /* of all */
    bool run;       /* it is a run that ends, and not the loop */
};

struct tree {
    weft_report reports[TOLD_MAX];
    const void *stacks[TOLD_MAX][WEFT__STACK_MAX];
    uint32_t count;
};

/* Whether somebody waits for its end or has asked for it, or said that nobody will. */
static bool is_cared_for(const struct weft__task *task)
{
    return task->outcome.detached || task->outcome.waiters || task->outcome.pins || task->child ||
           task->cancels > 0;
}

static void see(struct weft__slot *slot, void *arg)
{
    const struct weft__task *task = (const struct weft__task *)(const void *)slot;
    struct leaks *leaks = arg;

    if (!task->outcome.done && !(leaks->run && is_cared_for(task))) {
        if (leaks->count < TOLD_MAX) {
            leaks->tasks[leaks->count] = task;
        }
        leaks->count++;
    }
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = (*(const struct weft__task *const *)a)->id;
    uint64_t y = (*(const struct weft__task *const *)b)->id;

    return (x > y) - (x < y);
}

static uint64_t parent_of(const struct weft__task *task)
{
    return task->note ? task->note->parent : 0;
}

static bool is_told(const struct leaks *leaks, uint32_t n, uint64_t id)
{
    for (uint32_t i = 0; i < n; i++) {
        if (leaks->tasks[i]->id == id) {
            return true;
        }
    }
    return false;
}

static void add(struct tree *tree, const struct weft__task *task, uint32_t depth)
{
    weft_report *report = &tree->reports[tree->count];
    const struct weft__note *note = task->note;

    *report = (weft_report){ .size = sizeof *report,
                             .message = task->frame ? "has not ended" : "had no turn yet",
                             .depth = depth };
    weft__task_describe(task, report);
    if (task->waiting) {
        report->stack_count =
            weft__stack_of(task, tree->stacks[tree->count], WEFT__STACK_MAX, &report->exact);
        report->stack = report->stack_count ? tree->stacks[tree->count] : NULL;
    }
    if (note && note->made_count) {
        report->made = note->made;
        report->made_count = note->made_count;
    }
    tree->count++;
}

/* Those made by `id`, each with all that is below it; a task's number is greater than its maker's,
 * so this ends. */
static void add_below(struct tree *tree, const struct leaks *leaks, uint32_t n, uint64_t id,
                      uint32_t depth)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t parent = parent_of(leaks->tasks[i]);

        if (id ? parent == id : !is_told(leaks, n, parent)) {
            add(tree, leaks->tasks[i], depth);
            if (depth < 16) {
                add_below(tree, leaks, n, leaks->tasks[i]->id, depth + 1);
            }
        }
    }
}

/* Whether there were any, and all of them could be told. */
static bool tell(struct weft__loop *loop, struct leaks *leaks)
{
    struct tree *tree;
    weft_report report = { .kind = WEFT_REPORT_LEAKS };
    char message[112];
    uint32_t n;

    weft__stacks_each(&loop->stacks, see, leaks);
    tree = leaks->count ? weft__alloc_zeroed(1, sizeof *tree) : NULL;
    if (!tree) {
        return false;
    }
    n = leaks->count < TOLD_MAX ? leaks->count : TOLD_MAX;
    qsort(leaks->tasks, n, sizeof(const struct weft__task *), by_number);
    add_below(tree, leaks, n, 0, 0);
    (void)snprintf(message, sizeof message, "%u task%s left when the %s", leaks->count,
                   leaks->count == 1 ? " is" : "s are",
                   leaks->run ? "run ends, and cancelled: neither awaited nor detached" :
                                "loop closes");
    report.message = message;
    report.others = tree->reports;
    report.others_count = tree->count;
    weft__report(loop, &report);
    weft__free(tree);
    return true;
}

void weft__leaks_tell(struct weft__loop *loop)
{
    struct leaks leaks = { .count = 0 };

    if (weft__observes(loop, WEFT__CHECK_LEAKS) && tell(loop, &leaks) && loop->observer) {
        loop->observer->told_leaks = true; /* not each of them by itself, then */
    }
}

void weft__leaks_tell_run(struct weft__loop *loop)
{
    struct leaks leaks = { .run = true };

    if (weft__observes(loop, WEFT__CHECK_LEAKS)) {
        (void)tell(loop, &leaks);
    }
}
