/* SPDX-License-Identifier: MIT
 * What a task waits for, by what its kind of wait shows of itself. */
#include "tools/weft/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEVERAL_MAX 4096 /* of a gather that are looked at */

static struct look_wait *wait_at(struct look *look, uint64_t address)
{
    struct look_wait **bucket = &look->waits[(address >> 4) % 64], *wait;
    size_t extent = look_extent(look, WAIT_NAME, WAIT_END);
    char copy[512];
    const char *sight = copy + look->fields[WAIT_SEES].offset;

    for (wait = *bucket; wait; wait = wait->next) {
        if (wait->address == address) {
            return wait;
        }
    }
    if (!process_read(look->process, address, copy, extent)) {
        return NULL;
    }
    wait = calloc(1, sizeof *wait);
    if (!wait) {
        look->out_of_memory = true;
        return NULL;
    }
    wait->address = address;
    (void)process_text(look->process, look_field(look, copy, WAIT_NAME), wait->name,
                       sizeof wait->name);
    for (unsigned i = 0; i < NOTE_SIGHTS && (i + 1) * 8 <= look->fields[WAIT_SEES].size; i++) {
        wait->sees[i].what = (unsigned)number_at(sight + i * 8, 2);
        wait->sees[i].step = (unsigned)number_at(sight + i * 8 + 2, 2);
        wait->sees[i].via = (int16_t)number_at(sight + i * 8 + 4, 2);
        wait->sees[i].at = (int16_t)number_at(sight + i * 8 + 6, 2);
    }
    wait->next = *bucket;
    *bucket = wait;
    return wait;
}

bool look_needs(struct look *look, struct look_task *task, uint64_t address, uint64_t handle,
                enum look_how how)
{
    if (task->needs_count == task->needs_room) {
        size_t room = task->needs_room ? task->needs_room * 2 : 2;
        struct look_edge *grown = realloc(task->needs, room * sizeof *grown);

        if (!grown) {
            look->out_of_memory = true;
            return false;
        }
        task->needs = grown;
        task->needs_room = room;
    }
    task->needs[task->needs_count++] = (struct look_edge){ address, handle, (int)how, NULL };
    return true;
}

/* The tasks of a gather or its like that are not done: `at` is where the first pointer is. */
static bool read_several(struct look *look, struct look_task *task, uint64_t at, unsigned step,
                         enum look_how how)
{
    uint64_t n = task->several < SEVERAL_MAX ? task->several : SEVERAL_MAX;
    char *copies = malloc(SEVERAL_MAX * sizeof(uint64_t));
    unsigned psize = look->pointer_size;
    bool good = copies && step >= psize;

    task->left = 0;
    good = good && process_read_many(look->process, at, step, n, copies, psize) == n;
    for (uint64_t i = 0; i < n && good; i++) {
        uint64_t outcome = number_at(copies + i * psize, psize);

        task->left += outcome != 0;
        if (outcome) { /* a future's, where no task is found there */
            good = look_needs(look, task, outcome - look->fields[TASK_OUTCOME].offset, 0, how);
        }
    }
    free(copies);
    return good;
}

/* A number of `size` bytes; false: it is not there. */
static bool read_number(struct look *look, uint64_t at, unsigned size, uint64_t *ret)
{
    char copy[8];

    if (!process_read(look->process, at, copy, size)) {
        return false;
    }
    *ret = number_at(copy, size);
    return true;
}

static bool show_number(struct look *look, struct look_task *task, unsigned what, uint64_t at)
{
    bool is_word = what == SEES_COUNT || what == SEES_HELD || what == SEES_ROOM ||
                   what == SEES_TEXT || what == SEES_OWNER;
    uint64_t value = 0;

    if (!read_number(look, at, is_word ? look->pointer_size : 4, &value)) {
        return false;
    }
    switch (what) {
    case SEES_COUNT: task->several = value; break;
    case SEES_HELD: task->held = value; break;
    case SEES_ROOM: task->room = value; break;
    case SEES_FD: task->fd = (int)(uint32_t)value; break;
    case SEES_PID: task->pid = (int)(uint32_t)value; break;
    case SEES_EVENTS: task->events = (unsigned)value; break;
    case SEES_TEXT: return value && process_text(look->process, value, task->text, TEXT_SIZE);
    case SEES_OWNER:
        return value && look_needs(look, task, look_descriptor(look, value), value, LOOK_HELD_BY);
    default: return false;
    }
    return true;
}

/* The deadline of an item, which is armed where its place is not 0: as in a task. */
static bool show_deadline(struct look *look, struct look_task *task, uint64_t at)
{
    uint64_t armed = at - look->fields[TASK_WHEN].offset + look->fields[TASK_TIMER].offset;
    uint64_t when = 0, place = 0;
    int64_t left;

    if (!look->fields[TASK_WHEN].size || !look->fields[TASK_TIMER].size ||
        !read_number(look, at, 8, &when) || !read_number(look, armed, 4, &place) || !place) {
        return false;
    }
    left = (int64_t)when - task->loop->now;
    task->limit = left < task->limit ? left : task->limit;
    return true;
}

/* One sight; what is not there (a lock that nobody has now) is not shown. */
static void show(struct look *look, struct look_task *task, unsigned what, unsigned step,
                 uint64_t at)
{
    bool shown = true;

    switch (what) {
    case SEES_OBJECT: task->object = at; break;
    case SEES_GROUP: task->group = at; break;
    case SEES_TASK: shown = look_needs(look, task, at, 0, LOOK_AWAITS); break;
    case SEES_OUTCOMES: shown = read_several(look, task, at, step, LOOK_AWAITS); break;
    case SEES_WHEN: shown = show_deadline(look, task, at); break;
    case SEES_ANY_OF: shown = read_several(look, task, at, step, LOOK_MAY_AWAIT); break;
    default: shown = what <= SEES_ROOM && show_number(look, task, what, at);
    }
    if (shown) {
        task->shows |= 1u << what;
    }
}

bool look_at_wait(struct look *look, struct look_task *task, uint64_t wait_address, uint64_t target)
{
    const struct look_wait *wait = wait_at(look, wait_address);

    if (!wait) {
        return false;
    }
    task->wait = wait;
    for (unsigned pass = 0; pass < 2; pass++) { /* how many, before which */
        for (unsigned i = 0; i < NOTE_SIGHTS; i++) {
            uint64_t at = target;

            unsigned what = wait->sees[i].what;
            bool is_list = what == SEES_OUTCOMES || what == SEES_ANY_OF;

            if (!what || is_list != (pass == 1)) {
                continue;
            }
            if (wait->sees[i].via >= 0 &&
                (!look_pointer(look, target + (uint64_t)wait->sees[i].via, &at) || !at)) {
                continue;
            }
            show(look, task, what, wait->sees[i].step, at + (uint64_t)(int64_t)wait->sees[i].at);
        }
    }
    return true;
}
