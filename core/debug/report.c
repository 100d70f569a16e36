/* SPDX-License-Identifier: MIT
 * Reports as lines on standard error, for loops that have no handler of their own. */
#include "core/base/hook.h"
#include "core/sync/lock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/error.h>

/* A line that is written at once, so that those of two threads never mix.  What is too long is
 * cut. */
struct line {
    char text[512];
    size_t length;
};

static void add(struct line *line, const char *text)
{
    size_t n = strlen(text), room = sizeof line->text - 1 - line->length;

    n = n < room ? n : room;
    memcpy(line->text + line->length, text, n);
    line->length += n;
}

/* Like printf's %llu, which a signal handler may not use. */
static void add_number(struct line *line, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
    } while (number /= 10);
    add(line, digits + at);
}

static void add_place(struct line *line, const weft_report *report)
{
    if (report->coro) {
        add(line, report->task_name ? ", in coroutine '" : "coroutine '");
        add(line, report->coro);
        add(line, "'");
    }
    if (report->file) {
        add(line, " (");
        add(line, report->file);
        add(line, ":");
        add_number(line, (uint64_t)report->line);
        add(line, ")");
    }
}

static void write_out(struct line *line)
{
    const char *at = line->text;

    line->text[line->length++] = '\n';
    while (line->length > 0) {
        ssize_t n = write(STDERR_FILENO, at, line->length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        at += n;
        line->length -= (size_t)n;
    }
}

static void add_task(struct line *line, const char *name)
{
    add(line, "task '");
    add(line, name);
    add(line, "'");
}

static void print(const weft_report *report)
{
    struct line line = { .length = 0 };

    add(&line, "weft: ");
    if (report->job) {
        add(&line, "job '");
        add(&line, report->job);
        add(&line, "'");
    } else if (report->task_name) {
        add_task(&line, report->task_name);
    } else if (report->coro) {
        add_place(&line, report);
    }
    if (report->job || report->task_name || report->coro) {
        add(&line, " ");
    }
    add(&line, report->message);
    if (report->status < 0) {
        add(&line, ": ");
        add(&line, weft_err_name(report->status));
        add(&line, " (");
        add(&line, weft_strerror(report->status));
        add(&line, ")");
    }
    if (report->waiting) {
        add(&line, "; it waits for: ");
        add(&line, report->waiting);
    }
    if (report->task_name) {
        add_place(&line, report);
    }
    write_out(&line);
}

static void print_report(const weft_report *report, bool debug)
{
    bool only_debug = report->kind == WEFT_REPORT_CORO_NEVER_AWAITED ||
                      report->kind == WEFT_REPORT_TASK_NEVER_AWAITED;

    if (debug || !only_debug) {
        print(report);
    }
}

static void print_overflow(const weft_report *report, uint64_t id, size_t bytes)
{
    struct line line = { .length = 0 };

    add(&line, "weft: ");
    if (report->task_name[0]) {
        add_task(&line, report->task_name);
    } else {
        add(&line, "task 'Task-");
        add_number(&line, id);
        add(&line, "'");
    }
    add(&line, " ran over its stack of ");
    add_number(&line, bytes >> 10);
    add(&line, " KiB");
    add_place(&line, report);
    add(&line, "; give it more with weft_task_options.stack_size");
    write_out(&line);
}

const struct weft__hooks weft__hooks = { .report = print_report,
                                         .overflow = print_overflow,
                                         .owner_ended = weft__owner_ended };

void weft_loop_default_exception_handler(weft_loop *loop, const weft_report *report)
{
    (void)loop;
    if (report && report->size >= offsetof(weft_report, reserved) && report->message) {
        print(report);
    }
}
