/* SPDX-License-Identifier: MIT
 * A program whose records lead nowhere and round in circles, for those who look at it from outside:
 * they must come to an end, and print nothing that a terminal obeys.
 *
 *     lies KIND
 *
 * Prints "ready", and lives until it is killed, or for a minute.  With the kind "moves" it changes
 * its records all the time. */
#include "core/sched/inspect.h"
#include "core/sched/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static const char *kind;

static bool is(const char *name)
{
    return strcmp(kind, name) == 0;
}

static struct weft__slab *slab_of(struct weft__loop *loop)
{
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        if (loop->stacks.classes[i].slabs) {
            return loop->stacks.classes[i].slabs;
        }
    }
    abort();
}

/* Overwrites what a task keeps with whatever there is. */
static void scribble(struct weft__task *task)
{
    for (unsigned seed = 1;; seed = seed * 1103515245u + 12345) {
        uintptr_t any = seed & 1 ? seed : seed & 2 ? (uintptr_t)task + seed % 4096 : 0;

        __atomic_store_n((uintptr_t *)(void *)&task->waiting, any, __ATOMIC_RELAXED);
        __atomic_store_n((uintptr_t *)(void *)&task->target, any * 3, __ATOMIC_RELAXED);
        __atomic_store_n((uintptr_t *)(void *)&task->frame, any * 7, __ATOMIC_RELAXED);
        __atomic_store_n((uintptr_t *)(void *)&task->child, any * 5, __ATOMIC_RELAXED);
        __atomic_store_n((uintptr_t *)(void *)&task->scopes, any * 9, __ATOMIC_RELAXED);
        __atomic_store_n((uintptr_t *)&task->fiber.sp, any * 11, __ATOMIC_RELAXED);
    }
}

static void lie(struct weft__loop *loop, struct weft__task *task, struct weft__scope *scope)
{
    static struct weft__wait wait = { .name = "\033[2Ja kind" };
    static weft_coro_def def = { .name = "\a\033]0;name\a", .file = (const char *)16, .line = 7 };
    struct weft__slab *slab = slab_of(loop);

    if (is("loops")) {
        loop->next_loop = loop;
    } else if (is("slabs")) {
        slab->next = slab;
    } else if (is("many")) {
        slab->carved = UINT32_MAX;
    } else if (is("far")) {
        slab->base = (char *)UINTPTR_MAX - 4096;
        slab->stride = SIZE_MAX / 2;
    } else if (is("frames")) {
        task->frame->outer = task->frame;
    } else if (is("scopes")) {
        scope->outer = scope;
        task->scopes = scope;
    } else if (is("words")) {
        strcpy(task->name, "\033[31mr\xff\xc2\x9b\xe2\x82");
        wait.sees[0] = (struct weft__sight){ WEFT__SEES_OUTCOMES, 8, -1, -32768 };
        wait.sees[1] = (struct weft__sight){ WEFT__SEES_COUNT, 0, -1, 0 };
        wait.sees[2] = (struct weft__sight){ 999, 999, 32767, 32767 };
        task->waiting = &wait;
        task->target = &wait;
        task->frame->def = &def;
    } else if (is("itself")) {
        wait.sees[0] = (struct weft__sight){ WEFT__SEES_TASK, 0, -1, 0 };
        task->waiting = &wait;
        task->target = task;
        task->item.place = 0; /* no deadline opens it */
    }
}

WEFT_ASYNC(waits)
{
    return weft_sleep(3600);
}

WEFT_ASYNC(amain)
{
    struct weft__loop *loop = weft__running;
    weft_task *handle = weft_create_task(waits(), NULL);
    struct weft__scope scope = { .kind = WEFT__SCOPE_TIMEOUT };
    int r;
    struct weft__task *task = weft__task_at(handle, &r);

    weft_sleep(0);
    lie(loop, task, &scope);
    puts("ready");
    fflush(stdout);
    if (is("moves")) {
        scribble(task);
    }
    sleep(60);
    exit(0);
}

int main(int argc, char **argv)
{
    alarm(60);
    kind = argc > 1 ? argv[1] : "";
    return weft_main(amain(), NULL);
}
