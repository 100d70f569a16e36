/* SPDX-License-Identifier: MIT
 * Reports on standard error: a line each, and below it what debug mode knows, a label at the left
 * and places at the right.
 *
 *     weft: task 'Task-1' kept the loop from others for 0.250 s, in coroutine 'reads' (a.c:12)
 *             called    reads (a.c:12) < main (a.c:31)
 *             made      main (a.c:40)
 *             there     in clock_nanosleep, read (a.c:14), reads (a.c:20) */
#include "core/base/mem.h"
#include "core/debug/line.h"
#include "core/debug/observe.h"
#include "core/debug/places.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/error.h>

#define TEXT_MAX 16384 /* bytes of a report with all that belongs to it */
#define MADE_SHOWN 3   /* places of where something was made */

static void add_def(struct weft__line *line, const weft_report *report)
{
    if (report->coro) {
        weft__line_add(line, report->task_name ? ", in coroutine '" : "coroutine '");
        weft__line_add(line, report->coro);
        weft__line_add(line, "'");
    }
    if (report->file) {
        weft__line_add(line, " (");
        weft__line_add(line, report->file);
        weft__line_add(line, ":");
        weft__line_add_number(line, (uint64_t)report->line);
        weft__line_add(line, ")");
    }
}

static void add_named(struct weft__line *line, const char *what, const char *name)
{
    weft__line_add(line, what);
    weft__line_add(line, " '");
    weft__line_colour(line, WEFT__BOLD);
    weft__line_add(line, name);
    weft__line_colour(line, WEFT__PLAIN);
    weft__line_add(line, "'");
}

/* Who it is about, what happened, and where. */
static void add_sentence(struct weft__line *line, const weft_report *report)
{
    if (report->job) {
        add_named(line, "job", report->job);
    } else if (report->task_name) {
        add_named(line, "task", report->task_name);
    } else if (report->coro) {
        add_def(line, report);
    }
    if (report->job || report->task_name || report->coro) {
        weft__line_add(line, " ");
    }
    weft__line_add(line, report->message);
    if (report->seconds > 0) {
        weft__line_add(line, " ");
        weft__line_add_seconds(line, report->seconds);
        weft__line_add(line, " s");
    }
    if (report->status < 0 && report->kind != WEFT_REPORT_DEADLOCK) { /* its words say it all */
        weft__line_add(line, ": ");
        weft__line_add(line, weft_err_name(report->status));
        weft__line_add(line, " (");
        weft__line_add(line, weft_strerror(report->status));
        weft__line_add(line, ")");
    }
    if (report->waiting && report->kind != WEFT_REPORT_DEADLOCK) {
        weft__line_add(line, "; it waits for: ");
        weft__line_add(line, report->waiting);
    }
    if (report->what) {
        weft__line_add(line, "; ");
        weft__line_add(line, report->what);
    }
    if (report->task_name) {
        add_def(line, report);
    }
}

/* ---- places ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);

    return n >= m && strcmp(text + n - m, with) == 0;
}

/* Whether a function is one of this library's where that is a part of the program, or what
 * WEFT_ASYNC() makes around a body. */
static bool is_ours(const weft_debug_place *place)
{
    return begins(place->function, "weft_") || begins(place->file, "core/") ||
           ends(place->function, "__run") || begins(place->function, "_Unwind_");
}

static void add_place(struct weft__line *line, const weft_debug_place *place)
{
    size_t n = strlen(place->function) - (ends(place->function, "__body") ? strlen("__body") : 0);
    char name[sizeof place->function];

    memcpy(name, place->function, n);
    name[n] = '\0';
    if (n) {
        weft__line_add(line, name);
    }
    if (place->line && !begins(place->module, "libc.so")) {
        weft__line_add(line, n ? " (" : "(");
        weft__line_add(line, place->file);
        weft__line_add(line, ":");
        weft__line_add_number(line, (uint64_t)place->line);
        weft__line_add(line, ")");
        return;
    }
    if (!n || place->module[0]) {
        weft__line_add(line, n ? " (" : "");
        weft__line_add(line, place->module[0] ? place->module : "?");
        if (!n) {
            weft__line_add(line, "+");
            weft__line_add_hex(line, place->offset);
        }
        weft__line_add(line, n ? ")" : "");
    }
}

/* Where a list of places goes: below one another, or in a row. */
struct list {
    struct weft__line *line;
    const char *between;
    int shown, most;
};

static void show(struct list *list, const weft_debug_place *place)
{
    if (list->shown < list->most) {
        weft__line_add(list->line, list->shown ? list->between : "");
        add_place(list->line, place);
    }
    list->shown++;
}

/* A call of this library by the name that the program knows it by. */
static void show_call(struct list *list, const char *function)
{
    const char *inlined = "weft_inline_"; /* as in weft_inline_lock_acquire() */
    weft_debug_place name = { .function = "" };
    bool is_inlined = begins(function, inlined);

    (void)snprintf(name.function, sizeof name.function, "%s%s", is_inlined ? "weft_" : "",
                   function + (is_inlined ? strlen(inlined) : 0));
    show(list, &name);
}

/* The program's own places among some addresses.  Of this library's functions the innermost public
 * one is named when `call` is set: it is what the program has called.  `constructor` is left out:
 * the function that WEFT_ASYNC() makes. */
static void show_places(struct list *list, const void *const *addresses, uint32_t count,
                        const char *constructor, bool call)
{
    struct weft__places *places = count ? weft__alloc(NULL, count * sizeof *places) : NULL;
    const weft_debug_place *called = NULL;
    bool own = false;

    if (places) {
        weft__places_find(addresses, count, places);
    }
    for (uint32_t i = 0; places && i < count; i++) {
        for (int j = 0; j < places[i].count; j++) {
            const weft_debug_place *place = &places[i].at[j];

            if (places[i].library || is_ours(place)) {
                bool public = begins(place->function, "weft_") && place->function[5] != '_';

                called = public && !own ? place : called;
                continue;
            }
            if (constructor && strcmp(place->function, constructor) == 0) {
                continue;
            }
            if (call && called && !own) {
                show_call(list, called->function);
            }
            own = true;
            show(list, place);
        }
    }
    weft__free(places);
}

/* ---- what belongs to a report ---- */

static void add_label(struct weft__line *line, const char *label)
{
    weft__line_add(line, "\n        ");
    weft__line_colour(line, WEFT__DIM);
    weft__line_add(line, label);
    weft__line_colour(line, WEFT__PLAIN);
    for (size_t n = strlen(label); n < 10; n++) {
        weft__line_add(line, " ");
    }
}

static void add_chain(struct weft__line *line, const weft_report *report)
{
    add_label(line, "called");
    for (uint32_t i = 0; i < report->frames_count; i++) {
        const weft_frame *frame = &report->frames[i];

        weft__line_add(line, i ? " < " : "");
        weft__line_add(line, frame->name);
        weft__line_add(line, " (");
        weft__line_add(line, frame->file);
        weft__line_add(line, ":");
        weft__line_add_number(line, (uint64_t)frame->line);
        weft__line_add(line, ")");
    }
}

static void add_stack(struct weft__line *line, const weft_report *report)
{
    struct list list = { .line = line, .between = "\n                  ", .most = 24 };
    bool waits = report->waiting != NULL, call = waits;

    call |= report->kind == WEFT_REPORT_WRONG_THREAD || report->kind == WEFT_REPORT_STALE;
    add_label(line, waits ? "waits at" : "there");
    show_places(&list, report->stack, report->stack_count, NULL, call);
}

static void add_made(struct weft__line *line, const weft_report *report)
{
    struct list list = { .line = line, .between = " < ", .most = MADE_SHOWN };

    add_label(line, report->kind == WEFT_REPORT_FD ? "earlier" : "made");
    show_places(&list, report->made, report->made_count, report->coro, false);
    if (!list.shown) {
        weft__line_add(line, "by weft itself");
    }
}

/* One of several that a report is about. */
static void add_other(struct weft__line *line, const weft_report *other)
{
    struct list list = { .line = line, .between = " < ", .most = 2 };

    weft__line_add(line, "\n        ");
    for (uint32_t i = 0; i < other->depth; i++) {
        weft__line_add(line, i + 1 == other->depth ? "└ " : "  ");
    }
    add_sentence(line, other);
    if (other->stack_count) {
        weft__line_add(line, other->waiting ? ", at " : ": ");
        list.most = other->waiting ? 2 : 6;
        show_places(&list, other->stack, other->stack_count, NULL, other->waiting != NULL);
    }
    if (other->made_count) {
        list.shown = 0;
        list.most = 1;
        weft__line_add(line, other->kind == WEFT_REPORT_UNCLOSED ? ", by " : ", made by ");
        show_places(&list, other->made, other->made_count, other->coro, false);
    }
}

static enum weft__colour colour_of(const weft_report *report)
{
    switch (report->kind) {
    case WEFT_REPORT_FAILED:
    case WEFT_REPORT_DEADLOCK:
    case WEFT_REPORT_STACK_OVERFLOW: return WEFT__RED;
    default: return WEFT__YELLOW;
    }
}

static void print(const weft_report *report)
{
    char small[512];
    char *large = weft__alloc(NULL, TEXT_MAX);
    struct weft__line line = WEFT__LINE(small);

    if (large && report->size >= offsetof(weft_report, reserved)) {
        line.text = large;
        line.size = TEXT_MAX;
        line.colours = weft__line_has_colours();
    }
    weft__line_colour(&line, colour_of(report));
    weft__line_add(&line, "weft: ");
    weft__line_colour(&line, WEFT__PLAIN);
    add_sentence(&line, report);
    if (line.text == large) {
        if (report->frames_count > 1) {
            add_chain(&line, report);
        }
        if (report->made_count) {
            add_made(&line, report);
        }
        if (report->stack_count) {
            add_stack(&line, report);
        }
        for (uint32_t i = 0; i < report->others_count; i++) {
            add_other(&line, &report->others[i]);
        }
    }
    weft__line_write(&line, STDERR_FILENO);
    weft__free(large);
}

void weft__print_report(const weft_report *report, bool debug)
{
    bool only_debug = report->kind == WEFT_REPORT_CORO_NEVER_AWAITED ||
                      report->kind == WEFT_REPORT_TASK_NEVER_AWAITED;

    if (debug || !only_debug) {
        print(report);
    }
}

void weft_loop_default_exception_handler(weft_loop *loop, const weft_report *report)
{
    (void)loop;
    if (report && report->size >= offsetof(weft_report, seconds) && report->message) {
        weft_report whole = { .size = 0 };

        memcpy(&whole, report, report->size < sizeof whole ? report->size : sizeof whole);
        print(&whole);
    }
}

/* In a signal handler, on the alternate stack. */
void weft__print_overflow(const weft_report *report, uint64_t id, size_t bytes)
{
    char room[512];
    struct weft__line line = WEFT__LINE(room);

    weft__line_add(&line, "weft: task '");
    if (report->task_name[0]) {
        weft__line_add(&line, report->task_name);
    } else {
        weft__line_add(&line, "Task-");
        weft__line_add_number(&line, id);
    }
    weft__line_add(&line, "' ran over its stack of ");
    weft__line_add_number(&line, bytes >> 10);
    weft__line_add(&line, " KiB");
    add_def(&line, report);
    weft__line_add(&line, "; give it more with weft_task_options.stack_size");
    weft__line_write(&line, STDERR_FILENO);
}
