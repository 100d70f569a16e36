/* SPDX-License-Identifier: MIT
 * One task of another process.  What hangs together is read, and then the descriptor again: only
 * where it is as it was, the task has held still. */
#include "tools/weft/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 4
#define SCOPES_MAX 32
#define SWITCH_SIZE 256 /* what a switch leaves on a stack is no more */

static void read_text_at(struct look *look, uint64_t at, char *to, size_t size)
{
    uint64_t text = 0;

    if (look_pointer(look, at, &text)) {
        (void)process_text(look->process, text, to, size);
    }
}

/* What is known of a coroutine function: weft_coro_def begins with its name, its file, its line. */
static const struct look_def *def_at(struct look *look, uint64_t address)
{
    struct look_def **bucket = &look->defs[(address >> 4) % 256], *def;
    unsigned psize = look->pointer_size;
    char line[4];

    for (def = *bucket; def; def = def->next) {
        if (def->address == address) {
            return def;
        }
    }
    if (!process_read(look->process, address + 2 * (uint64_t)psize, line, sizeof line)) {
        return NULL;
    }
    def = calloc(1, sizeof *def);
    if (!def) {
        look->out_of_memory = true;
        return NULL;
    }
    def->address = address;
    def->line = (unsigned)number_at(line, sizeof line);
    read_text_at(look, address, def->name, sizeof def->name);
    read_text_at(look, address + psize, def->file, sizeof def->file);
    def->next = *bucket;
    *bucket = def;
    return def;
}

/* The coroutines, the innermost first; false: the chain led nowhere. */
static bool read_chain(struct look *look, struct look_task *task, uint64_t frame)
{
    size_t extent = look_extent(look, FRAME_OUTER, FRAME_END);
    char copy[512];

    task->chain_count = 0;
    task->endless = false;
    while (frame) {
        if (task->chain_count == CHAIN_MAX) {
            task->endless = true;
            return true;
        }
        if (!process_read(look->process, frame, copy, extent) ||
            !(task->chain[task->chain_count] = def_at(look, look_field(look, copy, FRAME_DEF)))) {
            return false;
        }
        task->chain_count++;
        frame = look_field(look, copy, FRAME_OUTER);
    }
    return true;
}

/* The nearest deadline of the timeouts around the place where a task is, as far as they reach. */
static void read_scopes(struct look *look, struct look_task *task, uint64_t scope)
{
    size_t extent = look_extent(look, SCOPE_OUTER, SCOPE_END);
    char copy[512];

    task->limit = INT64_MAX;
    for (unsigned n = 0; scope && extent && n < SCOPES_MAX; n++) {
        uint64_t kind;

        if (!process_read(look->process, scope, copy, extent)) {
            return;
        }
        kind = look_field(look, copy, SCOPE_KIND);
        if (kind == SCOPE_IS_SHIELD) {
            return;
        }
        if (kind == SCOPE_IS_TIMEOUT && look_field(look, copy, SCOPE_TIMER)) {
            int64_t left = (int64_t)look_field(look, copy, SCOPE_WHEN) - task->loop->now;

            task->limit = left < task->limit ? left : task->limit;
        }
        scope = look_field(look, copy, SCOPE_OUTER);
    }
}

/* The group whose child it is, and whose that is. */
static void read_parent(struct look *look, struct look_task *task, uint64_t child)
{
    if (child && look_peek(look, child, CHILD_GROUP, &task->parent_group) &&
        !look_peek(look, task->parent_group, SCOPE_TASK, &task->parent)) {
        task->parent_group = 0;
    }
}

static enum look_state state_of(const struct look *look, const struct look_task *task,
                                const char *copy)
{
    if (look_field(look, copy, TASK_DONE)) {
        return LOOK_ENDED;
    }
    if (task->address == task->loop->current) {
        return LOOK_RUNS;
    }
    if (look_field(look, copy, TASK_WAITING)) {
        return LOOK_WAITS;
    }
    return look_field(look, copy, TASK_SP) ? LOOK_READY : LOOK_NEW;
}

/* Its first coroutine, where it has none that runs: the frame inside the descriptor. */
static void read_main(struct look *look, struct look_task *task)
{
    uint64_t def = 0;
    uint64_t frame = task->address + look->fields[TASK_MAIN].offset;

    if (look->fields[TASK_MAIN].size && look_peek(look, frame, FRAME_DEF, &def)) {
        task->chain[0] = def_at(look, def);
        task->chain_count = task->chain[0] != NULL;
    }
}

/* For how long it has waited.  A loop that has not looked yet has a time of 0, which the real clock
 * never is. */
static void read_since(const struct look *look, struct look_task *task, const char *copy)
{
    int64_t parked = (int64_t)look_field(look, copy, TASK_SINCE);

    if (look->fields[TASK_SINCE].size && (parked || task->loop->virtual_time)) {
        task->since = task->loop->now > parked ? task->loop->now - parked : 0;
    }
}

static bool decode(struct look *look, struct look_task *task, const char *copy)
{
    bool whole;

    task->handle = look_field(look, copy, TASK_HANDLE);
    task->id = look_field(look, copy, TASK_ID);
    task->sp = look_field(look, copy, TASK_SP);
    task->low = look_field(look, copy, TASK_LOW);
    task->status = (int)(int32_t)look_field(look, copy, TASK_STATUS);
    task->cancelled = look_field(look, copy, TASK_CANCELLED);
    memcpy(task->name, copy + look->fields[TASK_NAME].offset,
           look->fields[TASK_NAME].size < NAME_SIZE ? look->fields[TASK_NAME].size : NAME_SIZE);
    task->name[NAME_SIZE - 1] = '\0';
    task->state = state_of(look, task, copy);
    task->shows = 0;
    task->wait = NULL;
    task->needs_count = 0;
    task->due = INT64_MAX;
    task->since = -1;
    task->parent = task->parent_group = 0;
    whole = read_chain(look, task, look_field(look, copy, TASK_FRAME));
    if (!task->chain_count) {
        read_main(look, task);
    }
    read_scopes(look, task, look_field(look, copy, TASK_SCOPES));
    read_parent(look, task, look_field(look, copy, TASK_CHILD));
    if (task->state == LOOK_WAITS) {
        if (look_field(look, copy, TASK_TIMER)) {
            task->due = (int64_t)look_field(look, copy, TASK_WHEN) - task->loop->now;
        }
        read_since(look, task, copy);
        whole = look_at_wait(look, task, look_field(look, copy, TASK_WAITING),
                             look_field(look, copy, TASK_TARGET)) &&
                whole;
    }
    return whole;
}

/* Whether two copies are of the same task at the same place. */
static bool holds_still(const struct look *look, const char *copy, const char *again)
{
    static const enum note_field fields[] = {
        TASK_HANDLE, TASK_SP,   TASK_WAITING, TASK_TARGET, TASK_FRAME,
        TASK_DONE,   TASK_WHEN, TASK_TIMER,   TASK_SCOPES, TASK_SINCE,
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (look_field(look, copy, fields[i]) != look_field(look, again, fields[i])) {
            return false;
        }
    }
    return true;
}

/* Whether a core file has the stack of a task that has left it: registers, and where to go on. */
static bool has_stack(struct look *look, const struct look_task *task)
{
    static const char zeros[SWITCH_SIZE];
    uint64_t top = task->address + look->task_size;
    char copy[SWITCH_SIZE];
    size_t size;

    if (!task->sp || task->sp >= top || task->state == LOOK_RUNS || task->state == LOOK_ENDED) {
        return true;
    }
    size = top - task->sp < sizeof copy ? (size_t)(top - task->sp) : sizeof copy;
    return process_read(look->process, task->sp, copy, size) && memcmp(copy, zeros, size) != 0;
}

static void finish_name(struct look_task *task)
{
    process_tame(task->name);
    if (!*task->name) {
        (void)snprintf(task->name, sizeof task->name, "Task-%llu", (unsigned long long)task->id);
    }
}

bool look_at_task(struct look *look, struct look_task *task, char *copy)
{
    char again[4096];

    for (int i = 0;; i++) {
        bool whole = decode(look, task, copy);

        if (!process_read(look->process, task->address, again, look->task_size) ||
            !look_lives(look, look_field(look, again, TASK_HANDLE))) {
            return false;
        }
        if (look->process->core) { /* that holds still */
            task->changed = !whole && task->state == LOOK_RUNS; /* it ended in the middle */
            task->lost = (!whole && !task->changed) || !has_stack(look, task);
            break;
        }
        task->changed = !whole || !holds_still(look, copy, again);
        if (!task->changed || i == TRIES) {
            break;
        }
        memcpy(copy, again, look->task_size);
    }
    finish_name(task);
    return true;
}
