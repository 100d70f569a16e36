/* SPDX-License-Identifier: MIT
 * What was seen of tasks, in words. */
#include "tools/weft/words.h"

#include "tools/weft/symbols.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <weft/backend.h>

#define SECOND INT64_C(1000000000)

const char *word_state(enum look_state state)
{
    switch (state) {
    case LOOK_NEW: return "new";
    case LOOK_READY: return "ready";
    case LOOK_RUNS: return "runs";
    case LOOK_WAITS: return "waits";
    case LOOK_ENDED: return "ended";
    default: return "?";
    }
}

void word_time(int64_t ns, char *to, size_t size)
{
    int64_t s = ns / SECOND;

    if (ns < 0) {
        (void)snprintf(to, size, "0 s");
    } else if (s < 10) {
        (void)snprintf(to, size, "%.*f s", s < 1 ? 3 : 1, (double)ns / (double)SECOND);
    } else if (s < 60) {
        (void)snprintf(to, size, "%" PRId64 " s", s);
    } else if (s < 3600) {
        (void)snprintf(to, size, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    } else if (s < 86400) {
        (void)snprintf(to, size, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    } else if (s < INT64_C(100) * 365 * 86400) {
        (void)snprintf(to, size, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
    } else {
        (void)snprintf(to, size, "for ever");
    }
}

const char *word_file(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void word_task(const struct look_task *task, char *to, size_t size)
{
    (void)snprintf(to, size, "task %" PRIu64 " '%s'", task->id, task->name);
}

void word_fd(const struct look *look, int fd, char *to, size_t size)
{
    char path[64];
    ssize_t n;

    if (look->process->core) {
        *to = '\0';
        return;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)look->process->pid, fd);
    n = readlink(path, to, size - 1);
    to[n < 0 ? 0 : n] = '\0';
    process_tame(to);
}

size_t word_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not the rest of a character */
    }
    return width;
}

void word_loop(const struct look_loop *loop, char *to, size_t size)
{
    char name[NAME_SIZE + 32];

    for (size_t i = 0; i < loop->tasks_count; i++) {
        if (loop->tasks[i]->state == LOOK_RUNS) {
            word_task(loop->tasks[i], name, sizeof name);
            (void)snprintf(to, size, "runs %s", name);
            return;
        }
    }
    (void)snprintf(to, size, loop->running ? "runs no task" : "is not running");
}

/* ---- waits ---- */

__attribute__((format(printf, 3, 4))) static void add(char *to, size_t size, const char *format,
                                                      ...)
{
    size_t length = strlen(to);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(to + length, size - length, format, arguments);
    va_end(arguments);
}

static bool shows(const struct look_task *task, enum note_sight what)
{
    return task->shows & 1u << what;
}

/* The first edge of a kind whose other end was seen. */
static const struct look_edge *edge_of(const struct look_task *task, enum look_how how)
{
    for (size_t i = 0; i < task->needs_count; i++) {
        if (task->needs[i].how == (int)how && task->needs[i].task) {
            return &task->needs[i];
        }
    }
    return NULL;
}

static void add_descriptor(const struct look *look, const struct look_task *task, char *to,
                           size_t size)
{
    char link[128];

    word_fd(look, task->fd, link, sizeof link);
    add(to, size, "descriptor %d", task->fd);
    if (shows(task, SEES_EVENTS)) {
        add(to, size, "%s%s%s", task->events & WEFT_READABLE ? " to read" : "",
            task->events & WEFT_WRITABLE ? " to write" : "",
            task->events & WEFT_PRIORITY ? " for urgent data" : "");
    }
    if (*link) {
        add(to, size, " (%s)", link);
    }
}

static void add_process(const struct look *look, const struct look_task *task, char *to,
                        size_t size)
{
    char path[64], name[32] = "";
    FILE *file;

    add(to, size, "process %d", task->pid);
    (void)snprintf(path, sizeof path, "/proc/%d/comm", task->pid);
    file = look->process->core ? NULL : fopen(path, "re");
    if (file && fgets(name, sizeof name, file)) {
        name[strcspn(name, "\n")] = '\0';
        process_tame(name);
        add(to, size, " (%s)", name);
    }
    if (file) {
        fclose(file);
    }
}

static void add_children(const struct look_task *task, char *to, size_t size)
{
    unsigned count = 0;

    for (size_t i = 0; i < task->needs_count; i++) {
        const struct look_edge *edge = &task->needs[i];

        count += edge->how == LOOK_CHILD && edge->task && edge->task->parent_group == task->group;
    }
    add(to, size, "task group, %u %s left", count, count == 1 ? "child" : "children");
}

/* A lock, a queue, by its name where it is a variable. */
static void add_object(const struct look *look, uint64_t object, char *to, size_t size)
{
    char name[TEXT_SIZE] = "";

    if (look->symbols) {
        symbols_name(look->symbols, object, name, sizeof name);
    }
    if (*name) {
        add(to, size, " %s", name);
    } else {
        add(to, size, " %#" PRIx64, object);
    }
}

/* How much is in a queue, or taken of something else. */
static void add_held(const struct look_task *task, char *to, size_t size)
{
    const char *name = task->wait->name;

    if (strcmp(name, "queue get") == 0 && !task->held) {
        add(to, size, ", empty");
    } else if (strcmp(name, "queue put") == 0 && !task->room) { /* one without a limit has room */
        add(to, size, ", a rendezvous");
    } else if (strcmp(name, "queue put") == 0 && task->held >= task->room) {
        add(to, size, ", full (%" PRIu64 " of %" PRIu64 ")", task->held, task->room);
    } else if (strcmp(name, "queue join") == 0) { /* until what was taken is done with, too */
        add(to, size, ", %" PRIu64 " in it", task->held);
    } else if (shows(task, SEES_ROOM) && task->room) {
        add(to, size, ", %" PRIu64 " of %" PRIu64, task->held, task->room);
    } else {
        add(to, size, ", %" PRIu64, task->held);
    }
}

/* What it waits for. */
static void add_what(const struct look *look, const struct look_task *task, char *to, size_t size)
{
    const struct look_edge *awaited = edge_of(task, LOOK_AWAITS);
    const struct look_edge *owner = edge_of(task, LOOK_HELD_BY);
    char name[NAME_SIZE + 32];

    if (shows(task, SEES_FD)) {
        add_descriptor(look, task, to, size);
        return;
    }
    if (shows(task, SEES_PID)) {
        add_process(look, task, to, size);
        return;
    }
    if (shows(task, SEES_GROUP)) {
        add_children(task, to, size);
        return;
    }
    if (shows(task, SEES_TASK) && awaited) {
        word_task(awaited->task, name, sizeof name);
        if (strcmp(task->wait->name, "task") != 0) {
            add(to, size, "%s: ", task->wait->name);
        }
        add(to, size, "%s", name);
        return;
    }
    add(to, size, "%s", task->wait->name);
    if (shows(task, SEES_TEXT)) {
        add(to, size, " '%s'", task->text);
    }
    if (shows(task, SEES_OBJECT)) {
        add_object(look, task->object, to, size);
    }
    if (shows(task, SEES_HELD)) {
        add_held(task, to, size);
    }
    if (shows(task, SEES_OUTCOMES) || shows(task, SEES_ANY_OF)) {
        add(to, size, ", %" PRIu64 " of %" PRIu64 " left", task->left, task->several);
    } else if (shows(task, SEES_COUNT)) {
        add(to, size, ", %" PRIu64 " %s", task->several, task->several == 1 ? "clause" : "clauses");
    }
    if (owner) {
        word_task(owner->task, name, sizeof name);
        add(to, size, ", held by %s", name);
    }
}

void word_wait(const struct look *look, const struct look_task *task, char *to, size_t size)
{
    char time[40];

    *to = '\0';
    if (task->state == LOOK_ENDED) {
        add(to, size, "its status, %d, to be read", task->status);
    } else if (task->state == LOOK_RUNS) {
        add(to, size, "%s", task->where);
    } else if (task->state == LOOK_WAITS && task->wait) {
        add_what(look, task, to, size);
    }
    if (task->due != INT64_MAX) {
        word_time(task->due, time, sizeof time);
        add(to, size, ", %s left", time);
    }
    if (task->limit != INT64_MAX && task->state == LOOK_WAITS) {
        word_time(task->limit, time, sizeof time);
        add(to, size, "%stimeout in %s", *to ? "; " : "", time);
    }
    if (task->cancelled && task->state != LOOK_ENDED) {
        add(to, size, "%sit is cancelled", *to ? "; " : "");
    }
    if (task->lost) {
        add(to, size, "%snot all of it is in the core file", *to ? "; " : "");
    }
    if (task->changed) {
        add(to, size, "%schanged while it was read", *to ? "; " : "");
    }
}

void word_chain(const struct look_task *task, char *to, size_t size)
{
    *to = '\0';
    for (unsigned i = 0; i < task->chain_count; i++) {
        const struct look_def *def = task->chain[i];

        add(to, size, "%s%s (%s:%u)", i ? " < " : "", def->name, word_file(def->file), def->line);
    }
    if (task->endless) {
        add(to, size, " < ...");
    }
}
