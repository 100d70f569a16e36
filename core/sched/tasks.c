/* SPDX-License-Identifier: MIT
 * Looking at tasks: names, stacks, all of a loop's. */
#include "core/base/error.h"
#include "core/sched/task.h"

#include <stdio.h>
#include <string.h>

void weft__task_name(struct weft__task *task, const char *name)
{
    size_t n = strnlen(name, WEFT__TASK_NAME_MAX - 1);

    if (name[n]) {
        while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80) {
            n--; /* never half a character of UTF-8 */
        }
    }
    memcpy(task->name, name, n);
    task->name[n] = '\0';
}

void weft__task_format_name(char *to, const char *name, uint64_t id)
{
    if (name[0] || id == 0) {
        memcpy(to, name, WEFT__TASK_NAME_MAX);
    } else {
        snprintf(to, WEFT__TASK_NAME_MAX, "Task-%llu", (unsigned long long)id);
    }
}

const char *weft_task_get_name(weft_task *handle)
{
    int r;
    struct weft__task *task = weft__task_of(handle, &r);

    if (!task) {
        return "";
    }
    if (!task->name[0]) {
        weft__task_format_name(task->name, task->name, task->id);
    }
    return task->name;
}

int weft_task_set_name(weft_task *handle, const char *name)
{
    int r = -EINVAL;
    struct weft__task *task = name ? weft__task_of(handle, &r) : NULL;

    if (!task) {
        return r;
    }
    weft__task_name(task, name);
    return 0;
}

int weft_task_get_stack(weft_task *handle, weft_frame *ret_frames, size_t max)
{
    int r = 0;
    struct weft__task *task = weft__task_of(handle, &r);
    size_t n = 0;

    if (!task) {
        return r;
    }
    for (struct weft__frame *frame = task->frame; frame; frame = frame->outer, n++) {
        if (n < max && ret_frames) {
            ret_frames[n] =
                (weft_frame){ frame->def->name, frame->def->file, (int)frame->def->line };
        }
    }
    return (int)n;
}

struct listing {
    weft_task **tasks;
    size_t max, count;
};

static void list_one(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;
    struct listing *listing = arg;

    if (task->outcome.done) {
        return;
    }
    if (listing->count < listing->max) {
        listing->tasks[listing->count] = weft__task_handle(task);
    }
    listing->count++;
}

int64_t weft_all_tasks(weft_loop *handle, weft_task **ret_tasks, size_t max)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);
    struct listing listing = { ret_tasks, ret_tasks ? max : 0, 0 };

    if (!loop) {
        return r;
    }
    weft__stacks_each(&loop->stacks, list_one, &listing);
    return (int64_t)listing.count;
}

/* Who waits, when nothing can ever happen. */
struct stuck {
    size_t count;
    const struct weft__task *first;
};

static void see_stuck(struct weft__slot *slot, void *arg)
{
    struct weft__task *task = (struct weft__task *)(void *)slot;
    struct stuck *stuck = arg;

    if (!task->outcome.done && task->waiting) {
        stuck->first = stuck->count++ ? stuck->first : task;
    }
}

int weft__tasks_are_stuck(struct weft__loop *loop)
{
    struct stuck stuck = { .count = 0 };
    const struct weft__task *first;

    weft__stacks_each(&loop->stacks, see_stuck, &stuck);
    first = stuck.first;
    if (!first) {
        return weft__detail(-EDEADLK,
                            "nothing can ever happen: no timer is set, and nothing is ready");
    }
    return weft__detail(
        -EDEADLK, "nothing can ever happen: %zu task%s, and task '%s' waits for: %s (%s, %s:%u)",
        stuck.count, stuck.count == 1 ? " waits" : "s wait",
        weft_task_get_name(weft__task_handle(first)), first->waiting->name, first->main.def->name,
        first->main.def->file, first->main.def->line);
}
