/* SPDX-License-Identifier: MIT
 * What is known of tasks and coroutine objects beside what they know themselves. */
#include "core/base/clock.h"
#include "core/debug/checks.h"
#include "core/debug/more.h"
#include "core/debug/stack.h"

#include <string.h>

/* The note of a task's place; NULL without memory. */
static struct weft__note *note_for(struct weft__observer *observer, const struct weft__task *task)
{
    struct weft__map_entry *entry = weft__map_find(&observer->notes, task);
    struct weft__note *note;

    if (entry) {
        return WEFT__CONTAINER(entry, struct weft__note, entry);
    }
    note = weft__alloc_zeroed(1, sizeof *note);
    if (!note) {
        return NULL;
    }
    note->entry.key = task;
    if (weft__map_add(&observer->notes, &note->entry) < 0) {
        weft__free(note);
        return NULL;
    }
    return note;
}

static void fill_in(struct weft__observer *observer, struct weft__task *task,
                    struct weft__note *note)
{
    const struct weft__task *creator = task->loop == weft__running ? task->loop->current : NULL;

    note->handle = task->slot.handle;
    note->id = task->id;
    note->parent = creator ? creator->id : 0;
    note->def = task->main.def;
    note->name[0] = '\0';
    note->ended = note->told_cancel = false;
    note->refused = 0;
    note->cancelled_at = 0;
    note->made_count = 0;
    if (observer->words.checks & WEFT__CHECK_DEPTH) {
        weft__depth_made(task);
    }
    if (observer->words.checks & WEFT__CHECK_MADE) {
        note->made_count = weft__stack_here(note->made, WEFT__MADE_MAX);
    }
}

void weft__notes_made(struct weft__task *task)
{
    struct weft__observer *observer = task->loop->observer;
    bool bare = !(observer->words.checks & ~(uint32_t)(WEFT__CHECK_METRICS | WEFT__CHECK_RECORD));
    struct weft__note *note = bare ? NULL : note_for(observer, task);

    task->note = note;
    if (note) {
        fill_in(observer, task, note);
    }
    if (observer->more) {
        weft__more_made(observer, task);
    }
}

void weft__notes_ended(struct weft__task *task, int status)
{
    struct weft__observer *observer = task->loop->observer;
    struct weft__note *note = task->note;

    if (note) {
        note->ended = true;
        memcpy(note->name, task->name, sizeof note->name);
    }
    if (&task->item == observer->marker) {
        observer->marker = NULL;
    }
    if (observer->more) {
        weft__more_ended(observer, task, status);
    }
    if (observer->words.checks & (WEFT__CHECK_STACK | WEFT__CHECK_DEPTH)) {
        weft__depth_ended(observer, task);
    }
}

void weft__notes_made_coro(struct weft__loop *loop, const void *coro)
{
    struct weft__observer *observer = loop->observer;
    struct weft__map_entry *entry;
    struct weft__origin *origin;

    if (!(observer->words.checks & WEFT__CHECK_MADE)) {
        return;
    }
    entry = weft__map_find(&observer->origins, coro);
    origin = entry ? WEFT__CONTAINER(entry, struct weft__origin, entry) :
                     weft__alloc_zeroed(1, sizeof *origin);
    if (!origin) {
        return;
    }
    if (!entry) {
        origin->entry.key = coro;
        if (weft__map_add(&observer->origins, &origin->entry) < 0) {
            weft__free(origin);
            return;
        }
    }
    origin->handle = ((const struct weft__coro *)coro)->handle;
    origin->made_count = weft__stack_here(origin->made, WEFT__MADE_MAX);
}

const struct weft__origin *weft__origin_of(const struct weft__observer *observer, uintptr_t handle)
{
    struct weft__map_entry *entry =
        weft__map_find(&observer->origins, weft__tag_address(handle, WEFT__CELL_LOW));
    struct weft__origin *origin = entry ? WEFT__CONTAINER(entry, struct weft__origin, entry) : NULL;

    return origin && origin->handle == handle ? origin : NULL;
}

const struct weft__note *weft__note_of(const struct weft__observer *observer, uintptr_t handle)
{
    char *top = weft__tag_address(handle, WEFT__STACK_LOW);
    struct weft__map_entry *entry =
        weft__map_find(&observer->notes, top - sizeof(struct weft__task));
    struct weft__note *note = entry ? WEFT__CONTAINER(entry, struct weft__note, entry) : NULL;

    return note && note->handle == handle ? note : NULL;
}

static void free_note(struct weft__map_entry *entry, void *arg)
{
    (void)arg;
    weft__free(WEFT__CONTAINER(entry, struct weft__note, entry));
}

static void free_origin(struct weft__map_entry *entry, void *arg)
{
    (void)arg;
    weft__free(WEFT__CONTAINER(entry, struct weft__origin, entry));
}

void weft__notes_fini(struct weft__observer *observer)
{
    weft__map_each(&observer->notes, free_note, NULL);
    weft__map_each(&observer->origins, free_origin, NULL);
    weft__map_fini(&observer->notes);
    weft__map_fini(&observer->origins);
}
