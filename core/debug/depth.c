/* SPDX-License-Identifier: MIT
 * How much of their stacks tasks use, as the system knows it: which pages are there.  Nothing is
 * painted, which would make all of them be there. */
#include "core/base/mem.h"
#include "core/debug/checks.h"
#include "core/fiber/pages.h"

#include <stdio.h>
#include <unistd.h>

#define CHUNK 256 /* pages that are asked for at once */

/* The most that tasks of one coroutine function have used. */
struct weft__depth {
    struct weft__map_entry entry; /* the definition's address */
    uint64_t tasks;
    size_t most, size; /* bytes used, of a stack of so many */
};

static size_t page_size(void)
{
    static size_t size;

    if (!size) {
        size = (size_t)sysconf(_SC_PAGESIZE);
    }
    return size;
}

/* The lowest address of a page that is there between two; `to` when there is none, or the system
 * does not tell. */
static char *lowest(char *from, char *to)
{
    size_t page = page_size();
    unsigned char there[CHUNK];

    while (from < to) {
        size_t pages = (size_t)(to - from) / page;

        pages = pages < CHUNK ? pages : CHUNK;
        if (pages == 0 || weft__pages_resident(from, pages, there) < 0) {
            return to;
        }
        for (size_t i = 0; i < pages; i++) {
            if (there[i] & 1) {
                return from + i * page;
            }
        }
        from += pages * page;
    }
    return to;
}

static size_t stack_size(const struct weft__task *task)
{
    return WEFT__STACK_MIN << task->slot.size_class;
}

static char *round_down(const void *address)
{
    return (char *)((uintptr_t)address & ~(uintptr_t)(page_size() - 1));
}

static char *round_up(const void *address)
{
    return round_down((const char *)address + page_size() - 1);
}

/* Stacks are used again: what an earlier task has left does not count. */
static void forget(struct weft__task *task, char *end)
{
    char *low = round_up(task->slot.low);

    if (task->slot.guarded && end > low) {
        weft__pages_drop(low, (size_t)(end - low));
    }
}

void weft__depth_made(struct weft__task *task)
{
    if (lowest(round_up(task->slot.low), round_down(task->args)) < round_down(task->args)) {
        forget(task, round_down(task->args));
    }
}

static struct weft__depth *depth_of(struct weft__observer *observer, const weft_coro_def *def)
{
    struct weft__map_entry *entry = weft__map_find(&observer->depths, def);
    struct weft__depth *depth;

    if (entry) {
        return WEFT__CONTAINER(entry, struct weft__depth, entry);
    }
    depth = weft__alloc_zeroed(1, sizeof *depth);
    if (depth) {
        depth->entry.key = def;
        if (weft__map_add(&observer->depths, &depth->entry) < 0) {
            weft__free(depth);
            depth = NULL;
        }
    }
    return depth;
}

static void count(struct weft__observer *observer, struct weft__task *task)
{
    struct weft__depth *depth = depth_of(observer, task->main.def);
    char *top = (char *)task + sizeof *task;
    char *low = lowest(round_up(task->slot.low), round_down(top));
    size_t used = low < round_down(top) ? (size_t)(top - low) : 0;

    if (depth) {
        depth->tasks++;
        if (used > depth->most) {
            depth->most = used;
            depth->size = stack_size(task);
        }
    }
}

/* The first size that leaves half of it free, and at least 16 KiB. */
static size_t suggest(size_t used)
{
    size_t size = WEFT__STACK_MIN;

    while (size < 2 * used || size - used < 16384) {
        size *= 2;
    }
    return size;
}

/* Less than an eighth was left. */
static void tell_high(struct weft__observer *observer, struct weft__task *task, const char *low)
{
    size_t used = (size_t)((char *)task + sizeof *task - low), size = stack_size(task);
    weft_report report = { .kind = WEFT_REPORT_STACK_HIGH };
    char message[128];

    (void)snprintf(message, sizeof message,
                   "has used %zu of %zu KiB of its stack; weft_task_options.stack_size should be "
                   "%zu KiB",
                   used >> 10, size >> 10, suggest(used) >> 10);
    report.message = message;
    weft__task_describe(task, &report);
    weft__observe_report(observer->loop, &report);
}

void weft__depth_ended(struct weft__observer *observer, struct weft__task *task)
{
    char *from = round_up(task->slot.low), *to = round_down(from + stack_size(task) / 8), *low;

    if (observer->words.checks & WEFT__CHECK_DEPTH) {
        count(observer, task);
    }
    if (observer->words.checks & WEFT__CHECK_STACK) {
        low = lowest(from, to);
        if (low < to) {
            forget(task, to);
            tell_high(observer, task, low);
        }
    }
}

/* ---- at the end ---- */

#define TOLD_MAX 64

struct census {
    weft_report reports[TOLD_MAX];
    char messages[TOLD_MAX][112];
    uint32_t count;
};

static void add(struct weft__map_entry *entry, void *arg)
{
    const struct weft__depth *depth = WEFT__CONTAINER(entry, struct weft__depth, entry);
    const weft_coro_def *def = entry->key;
    struct census *census = arg;

    if (census->count == TOLD_MAX) {
        return;
    }
    if (depth->most) {
        (void)snprintf(census->messages[census->count], sizeof census->messages[0],
                       "used at most %zu of %zu KiB in %llu task%s; %zu KiB would do",
                       depth->most >> 10, depth->size >> 10, (unsigned long long)depth->tasks,
                       depth->tasks == 1 ? "" : "s", suggest(depth->most) >> 10);
    } else { /* each task has its first page at least */
        (void)snprintf(census->messages[census->count], sizeof census->messages[0],
                       "used what this system does not tell");
    }
    census->reports[census->count] = (weft_report){ .size = sizeof(weft_report),
                                                    .message = census->messages[census->count],
                                                    .coro = def->name,
                                                    .file = def->file,
                                                    .line = (int)def->line };
    census->count++;
}

void weft__depth_tell(struct weft__observer *observer)
{
    struct census *census = NULL;
    weft_report report = { .kind = WEFT_REPORT_STACK_DEPTH,
                           .message = "how much of their stacks tasks have used" };

    if (!(observer->words.checks & WEFT__CHECK_DEPTH) || !observer->depths.used) {
        return;
    }
    census = weft__alloc_zeroed(1, sizeof *census);
    if (!census) {
        return;
    }
    weft__map_each(&observer->depths, add, census);
    report.others = census->reports;
    report.others_count = census->count;
    weft__report(observer->loop, &report);
    weft__free(census);
}

static void free_depth(struct weft__map_entry *entry, void *arg)
{
    (void)arg;
    weft__free(WEFT__CONTAINER(entry, struct weft__depth, entry));
}

void weft__depth_fini(struct weft__observer *observer)
{
    weft__map_each(&observer->depths, free_depth, NULL);
    weft__map_fini(&observer->depths);
}
