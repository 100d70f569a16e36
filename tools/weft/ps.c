/* SPDX-License-Identifier: MIT
 * weft ps: the tasks of a process, or the processes that have some. */
#include "tools/weft/json.h"
#include "tools/weft/symbols.h"
#include "tools/weft/view.h"
#include "tools/weft/weft.h"
#include "tools/weft/words.h"

#include <argp.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the tasks of a process ---- */

/* The words of a row; what is last in a line is not aligned. */
enum { ID, NAME, STATE, SINCE, WAIT, CHAIN, COLUMNS };

struct row {
    char *cell[COLUMNS];
};

static const char *const titles[COLUMNS] = { "TASK", "NAME",      "STATE",
                                             "FOR",  "WAITS FOR", "COROUTINES, INNERMOST FIRST" };

static void make_row(const struct look *look, const struct look_task *task, struct row *row)
{
    char words[4096];

    (void)snprintf(words, sizeof words, "%" PRIu64, task->id);
    row->cell[ID] = strdup(words);
    row->cell[NAME] = strdup(task->name);
    row->cell[STATE] = strdup(word_state(task->state));
    *words = '\0';
    if (task->since >= 0 && task->state == LOOK_WAITS) {
        word_time(task->since, words, sizeof words);
    }
    row->cell[SINCE] = strdup(words);
    word_wait(look, task, words, sizeof words);
    row->cell[WAIT] = strdup(words);
    word_chain(task, words, sizeof words);
    row->cell[CHAIN] = strdup(words);
}

static void print_cell(const char *text, size_t width, bool right, bool last)
{
    int fill = (int)(width - word_width(text));

    if (right) {
        printf("  %*s%s", fill, "", text);
    } else if (last) {
        printf("  %s", text);
    } else {
        printf("  %s%*s", text, fill, "");
    }
}

/* Below its row: the calls in which a task is, the innermost first. */
static void print_stack(const struct look *look, const struct look_task *task)
{
    struct symbols_frame frames[STACK_MAX];
    unsigned count = symbols_stack(look->symbols, task, frames);

    for (unsigned i = 0; i < count; i++) {
        printf("            %s (%s)\n", frames[i].function, frames[i].place);
    }
}

static void print_rows(const struct look *look, struct look_task *const *tasks,
                       const struct row *rows, size_t count)
{
    size_t width[COLUMNS];
    bool known = false; /* how long they wait */

    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(titles[c]);
        for (size_t i = 0; i < count; i++) {
            size_t own = rows[i].cell[c] ? word_width(rows[i].cell[c]) : 0;

            width[c] = own > width[c] ? own : width[c];
            known = known || (c == SINCE && own);
        }
    }
    for (size_t i = 0; i <= count; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            const char *text = i == 0 ? titles[c] : rows[i - 1].cell[c];

            if (c != SINCE || known) {
                print_cell(text ? text : "", width[c], c == ID || c == SINCE, c == CHAIN);
            }
        }
        putchar('\n');
        if (i > 0 && look->stacks) {
            print_stack(look, tasks[i - 1]);
        }
    }
}

static void print_loop(const struct look *look, const struct look_loop *loop)
{
    struct row *rows = calloc(loop->tasks_count + 1, sizeof *rows);
    char words[128];

    word_loop(loop, words, sizeof words);
    printf("\nloop %u on %s %s\n", loop->number, loop->backend, words);
    for (size_t i = 0; i < loop->tasks_count && rows; i++) {
        make_row(look, loop->tasks[i], &rows[i]);
    }
    if (rows && loop->tasks_count) {
        print_rows(look, loop->tasks, rows, loop->tasks_count);
    }
    for (size_t i = 0; i < loop->tasks_count && rows; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            free(rows[i].cell[c]);
        }
    }
    free(rows);
}

static int print_tasks(struct look *look)
{
    view_head(look);
    for (size_t i = 0; i < look->loops_count; i++) {
        print_loop(look, look->loops[i]);
    }
    return view_circles(look);
}

/* ---- the processes ---- */

/* "epoll", "epoll, poll" by their loops; each once. */
static void name_backends(const struct look *look, char *to, size_t size)
{
    *to = '\0';
    for (size_t i = 0; i < look->loops_count; i++) {
        const char *name = look->loops[i]->backend;
        size_t length = strlen(to);
        bool told = false;

        for (size_t k = 0; k < i; k++) {
            told = told || strcmp(look->loops[k]->backend, name) == 0;
        }
        if (!told) {
            (void)snprintf(to + length, size - length, "%s%s", length ? ", " : "", name);
        }
    }
}

/* Prints one that has weft in it; -EPERM: it may not be looked at. */
static int print_process(pid_t pid, struct json_list *list, unsigned *found)
{
    struct process process;
    struct look look = { .loops = NULL };
    char why[512], backends[80];
    size_t tasks = 0;
    int r = process_open(&process, pid, why, sizeof why);

    if (r == 0 && process.roots_count && look_count(&look, &process, why, sizeof why) == 0) {
        for (size_t i = 0; i < look.loops_count; i++) {
            tasks += look.loops[i]->tasks_count;
        }
        name_backends(&look, backends, sizeof backends);
        if (list) {
            json_list_add(list, &look, process.command);
        } else {
            if (!(*found)++) {
                printf("%8s  %-16s  %-16s  %5s  %5s\n", "PID", "COMMAND", "BACKEND", "LOOPS",
                       "TASKS");
            }
            printf("%8d  %-16s  %-16s  %5zu  %5zu\n", (int)pid, process.command,
                   *backends ? backends : "-", look.loops_count, tasks);
        }
    }
    look_free(&look);
    process_close(&process);
    return r;
}

static int by_pid(const struct dirent **a, const struct dirent **b)
{
    long one = strtol((*a)->d_name, NULL, 10), other = strtol((*b)->d_name, NULL, 10);

    return (one > other) - (one < other);
}

static int is_process(const struct dirent *entry)
{
    return isdigit((unsigned char)entry->d_name[0]);
}

static int print_processes(bool json)
{
    struct dirent **entries = NULL;
    struct json_list *list = NULL;
    unsigned found = 0, forbidden = 0;
    int count;

    if (json && !(list = json_list_new())) {
        return 1;
    }
    count = scandir("/proc", &entries, is_process, by_pid);
    if (count < 0) {
        fprintf(stderr, "weft: /proc cannot be read: %s\n", strerror(errno));
        return 1;
    }
    for (int i = 0; i < count; i++) {
        pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);
        int r = pid == getpid() ? 0 : print_process(pid, list, &found);

        forbidden += r == -EPERM;
        free(entries[i]);
    }
    free(entries);
    if (list) {
        json_list_print(list);
    } else if (!found) {
        printf("No process that may be read has weft in it.\n");
    }
    if (forbidden) {
        fprintf(stderr, "weft: %u %s may not be read; `weft ps PID` says why\n", forbidden,
                forbidden == 1 ? "process" : "processes");
    }
    return 0;
}

/* ---- the command ---- */

int command_ps(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "core", 'c', "FILE", 0, "of a process that has ended, by its core file", 0 },
        { "json", 'j', NULL, 0, "for programs: one JSON object", 0 },
        { "stack", 's', NULL, 0, "the calls in which each task is, with files and lines", 0 },
        { 0 },
    };
    static const struct argp argp = {
        options,
        view_parse,
        "[PID]",
        "Lists the tasks of a running program: what each waits for, for how long, until when, and "
        "in which coroutines.  Without PID, lists the processes of this machine that have weft in "
        "them.\v"
        "The program is not stopped and runs nothing for it; it needs neither debug mode nor "
        "debugging information, and may hang.  It goes on while it is read: a task that never held "
        "still is marked as changed.\n\n"
        "You must be allowed to trace the program: be the same user or root, and "
        "kernel.yama.ptrace_scope must be 0 for the user.\n\n"
        "Exit status: 0; 1 it could not be read; 2 it was, and there is a circle of tasks that "
        "wait for each other; 64 wrong usage.",
        NULL,
        NULL,
        NULL,
    };
    struct view view = { .pid = 0 };

    argp_parse(&argp, argc, argv, 0, NULL, &view);
    if (view.pid || view.core) {
        return view_process(&view, print_tasks);
    }
    return print_processes(view.json);
}
