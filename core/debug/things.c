/* SPDX-License-Identifier: MIT
 * Streams, servers, processes ...: what has to be closed, and is told when its loop closes first.
 */
#include "core/base/mem.h"
#include "core/debug/checks.h"
#include "core/debug/stack.h"

#include <stdio.h>
#include <stdlib.h>

#define TOLD_MAX 64 /* of the others only the number is told */

/* The innermost are our own: from a call to the hook it is up to seven. */
#define OPENED_MAX 12

struct thing {
    struct weft__map_entry entry; /* its address */
    enum weft__thing kind;
    int number;
    uint64_t order;               /* in which they were opened */
    char by[WEFT__TASK_NAME_MAX]; /* the task; "": a callback, or outside */
    uint32_t opened_count;
    const void *opened[OPENED_MAX];
};

void weft__things_gone(struct weft__loop *loop, const void *key)
{
    struct weft__map *things = &loop->observer->things;
    struct weft__map_entry *entry = weft__map_find(things, key);

    if (entry) {
        weft__map_remove(things, entry);
        weft__free(WEFT__CONTAINER(entry, struct thing, entry));
    }
}

void weft__things_opened(struct weft__loop *loop, const void *key, enum weft__thing kind,
                         int number)
{
    struct weft__observer *observer = loop->observer;
    bool wanted = observer->words.checks & WEFT__CHECK_LEAKS;
    struct thing *thing = wanted ? weft__alloc_zeroed(1, sizeof *thing) : NULL;

    if (!thing) {
        return;
    }
    *thing = (struct thing){
        .entry.key = key, .kind = kind, .number = number, .order = ++observer->things_count
    };
    if (loop->current) {
        weft__task_format_name(thing->by, loop->current->name, loop->current->id);
    }
    if (observer->words.checks & WEFT__CHECK_MADE) {
        thing->opened_count = weft__stack_here(thing->opened, OPENED_MAX);
    }
    if (weft__map_add(&observer->things, &thing->entry) < 0) {
        weft__free(thing);
    }
}

/* ---- told ---- */

/* Copies: whoever hears of them may close some. */
struct list {
    struct thing things[TOLD_MAX];
    weft_report reports[TOLD_MAX];
    char messages[TOLD_MAX][48], whats[TOLD_MAX][32];
    uint32_t count; /* of all */
};

static void see(struct weft__map_entry *entry, void *arg)
{
    struct list *list = arg;

    if (list->count < TOLD_MAX) {
        list->things[list->count] = *WEFT__CONTAINER(entry, struct thing, entry);
    }
    list->count++;
}

static int by_order(const void *a, const void *b)
{
    uint64_t x = ((const struct thing *)a)->order, y = ((const struct thing *)b)->order;

    return (x > y) - (x < y);
}

static void describe(struct list *list, uint32_t i)
{
    static const char *const names[] = {
        [WEFT__STREAM] = "a stream",       [WEFT__SERVER] = "a server",
        [WEFT__TRANSPORT] = "a transport", [WEFT__LISTENER] = "a listener",
        [WEFT__PROCESS] = "a process",     [WEFT__ENDPOINT] = "a datagram endpoint",
    };
    const struct thing *thing = &list->things[i];
    size_t size = sizeof list->messages[i];

    (void)snprintf(list->messages[i], size, thing->by[0] ? "opened %s" : "%s, opened by no task",
                   names[thing->kind]);
    (void)snprintf(list->whats[i], sizeof list->whats[i], "%s %d",
                   thing->kind == WEFT__PROCESS ? "number" : "descriptor", thing->number);
    list->reports[i] = (weft_report){
        .size = sizeof(weft_report),
        .kind = WEFT_REPORT_UNCLOSED,
        .task_name = thing->by[0] ? thing->by : NULL,
        .message = list->messages[i],
        .what = thing->number >= 0 ? list->whats[i] : NULL,
        .made = thing->opened_count ? thing->opened : NULL,
        .made_count = thing->opened_count,
    };
}

static void tell(struct weft__loop *loop, struct list *list)
{
    uint32_t n = list->count < TOLD_MAX ? list->count : TOLD_MAX;
    weft_report report = { .kind = WEFT_REPORT_UNCLOSED, .others = list->reports };
    char message[64];

    qsort(list->things, n, sizeof *list->things, by_order);
    for (uint32_t i = 0; i < n; i++) {
        describe(list, i);
    }
    (void)snprintf(message, sizeof message,
                   list->count == 1 ? "something is not closed when the loop closes" :
                                      "%u things are not closed when the loop closes",
                   list->count);
    report.message = message;
    report.others_count = n;
    weft__report(loop, &report);
}

void weft__things_tell(struct weft__loop *loop)
{
    struct list *list = NULL;

    if (weft__observes(loop, WEFT__CHECK_LEAKS) && loop->observer->things.used) {
        list = weft__alloc_zeroed(1, sizeof *list);
    }
    if (list) {
        weft__map_each(&loop->observer->things, see, list);
        tell(loop, list);
        weft__free(list);
    }
}

static void free_thing(struct weft__map_entry *entry, void *arg)
{
    (void)arg;
    weft__free(WEFT__CONTAINER(entry, struct thing, entry));
}

void weft__things_fini(struct weft__observer *observer)
{
    weft__map_each(&observer->things, free_thing, NULL);
    weft__map_fini(&observer->things);
}
