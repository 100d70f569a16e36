/* SPDX-License-Identifier: MIT
 * What the tests of debug mode share: all that a report says, and a loop with some words. */
#ifndef TESTS_TASK_DEBUG_H
#define TESTS_TASK_DEBUG_H

#include "core/debug/observe.h"
#include "core/debug/stack.h"
#include "tests/task/task.h"

#include <link.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Whether the stack of a task that does not run can be read: where debug/stack.c knows what the
 * switch has left on it, and where memory can be read by a call (not under qemu-user 7.2). */
static inline bool knows_stacks_of_others(void)
{
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(WEFT_FIBER_UCONTEXT)
    char from = 1, to = 0;

    return weft__peek(&to, &from, 1) == 1;
#else
    return false;
#endif
}

/* One of the tasks that a report is about, beside the first. */
struct other {
    char task_name[40], message[80], waiting[40], coro[40], what[40];
    uint32_t depth, stack_count, made_count;
    const void *made[16];
};

/* The last report of those that were kept, and how many there were. */
struct told {
    int count;
    weft_report_kind kind;
    int status, line;
    double seconds;
    char message[160], task_name[40], coro[40], file[100], what[160];
    uint32_t frames_count, made_count, stack_count, exact, others_count;
    const void *made[16], *stack[48];
    struct other others[8];
};

static struct told told;

static inline void debug_copy(char *room, size_t size, const char *text)
{
    snprintf(room, size, "%s", text ? text : "");
}

static inline void debug_keep(weft_loop *from, const weft_report *report, void *arg)
{
    (void)from, (void)arg;
    told.count++;
    told.kind = report->kind;
    told.status = report->status;
    told.line = report->line;
    told.seconds = report->seconds;
    debug_copy(told.message, sizeof told.message, report->message);
    debug_copy(told.task_name, sizeof told.task_name, report->task_name);
    debug_copy(told.coro, sizeof told.coro, report->coro);
    debug_copy(told.file, sizeof told.file, report->file);
    debug_copy(told.what, sizeof told.what, report->what);
    told.frames_count = report->frames_count;
    told.made_count = report->made_count;
    told.stack_count = report->stack_count;
    told.exact = report->exact;
    told.others_count = report->others_count;
    for (uint32_t i = 0; i < report->made_count && i < 16; i++) {
        told.made[i] = report->made[i];
    }
    for (uint32_t i = 0; i < report->stack_count && i < 48; i++) {
        told.stack[i] = report->stack[i];
    }
    for (uint32_t i = 0; i < report->others_count && i < 8; i++) {
        const weft_report *other = &report->others[i];

        debug_copy(told.others[i].task_name, 40, other->task_name);
        debug_copy(told.others[i].message, 80, other->message);
        debug_copy(told.others[i].waiting, 40, other->waiting);
        debug_copy(told.others[i].coro, 40, other->coro);
        debug_copy(told.others[i].what, 40, other->what);
        told.others[i].depth = other->depth;
        told.others[i].stack_count = other->stack_count;
        told.others[i].made_count = other->made_count;
        for (uint32_t j = 0; j < other->made_count && j < 16; j++) {
            told.others[i].made[j] = other->made[j];
        }
    }
}

/* The test's loop watches for this, and nothing was told yet. */
static inline void watch_for(const char *words)
{
    memset(&told, 0, sizeof told);
    EQUAL(weft_debug_set(loop, words), 0);
    EQUAL(weft_loop_set_exception_handler(loop, debug_keep, NULL), 0);
}

/* Nothing was told. */
#define SILENT() EQUAL(told.count, 0)

/* One report, of this kind about this task; forgets it. */
#define TOLD_ABOUT(wanted_kind, wanted_task) \
    do {                                     \
        EQUAL(told.count, 1);                \
        EQUAL(told.kind, wanted_kind);       \
        SAME(told.task_name, wanted_task);   \
        told.count = 0;                      \
    } while (0)

/* Whether a list of addresses leads to this function of the program, by the plugin "symbols" or the
 * linker's table; true where neither knows any name in this program. */
static inline bool leads_to(const void *const *addresses, uint32_t count, const char *function)
{
    weft_debug_place places[8];
    bool names = false;

    for (uint32_t i = 0; i < count; i++) {
        int n = weft_debug_places(addresses[i], places, 8);

        for (int j = 0; j < n; j++) {
            names |= places[j].line > 0;
            if (strstr(places[j].function, function)) {
                return true;
            }
        }
    }
    return !names && count > 0;
}

static const void *modules[64]; /* an address in each part of the program */
static int modules_count;

static inline int debug_find(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];

        if (header->p_type == PT_LOAD && header->p_flags & PF_X && modules_count < 64) {
            modules[modules_count++] = (const void *)(info->dlpi_addr + header->p_vaddr + 1);
        }
    }
    return 0;
}

static inline void debug_read(void)
{
    weft_debug_place places[8];

    dl_iterate_phdr(debug_find, NULL); /* which must not load the plugin, and that is done here */
    for (int i = 0; i < modules_count; i++) {
        (void)weft_debug_places(modules[i], places, 8);
    }
}

/* The program.  The symboliser keeps the files that it has read: here, before anything is counted.
 * */
#define DEBUG_MAIN(suite, tests)                     \
    int main(int argc, char **argv)                  \
    {                                                \
        debug_read();                                \
        return task_main(#suite, tests, argc, argv); \
    }

static inline weft_task *named(weft_coro *coro, const char *name)
{
    return weft_create_task(coro, &(weft_task_options){ .name = name });
}

#endif
