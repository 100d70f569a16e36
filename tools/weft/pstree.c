/* SPDX-License-Identifier: MIT
 * weft pstree: who awaits whom.  A task stands below each that needs it, in full where it comes
 * first; tasks that wait for each other have no top, and begin with the first of them. */
#include "tools/weft/json.h"
#include "tools/weft/symbols.h"
#include "tools/weft/view.h"
#include "tools/weft/weft.h"
#include "tools/weft/words.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 200 /* levels; what would stand deeper begins a tree of its own */

/* What the lines are drawn with. */
struct pen {
    const char *tee, *corner, *bar;
};

static const struct pen lines = { "\u251c\u2500\u2500 ", "\u2514\u2500\u2500 ", "\u2502   " };
static const struct pen plain = { "|-- ", "`-- ", "|   " };

struct drawing {
    const struct look *look;
    const struct pen *pen;
    const char *before[DEEPEST + 1]; /* what stands before a line, level by level */
};

static void indent(const struct drawing *drawing, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        fputs(drawing->before[i], stdout);
    }
}

/* Whether an edge is drawn: its other end was seen, and is not told by the words of the wait. */
static bool is_drawn(const struct look_edge *edge)
{
    return edge->task && (edge->how != LOOK_HELD_BY || !edge->task->mark);
}

/* The last edge of a task that is drawn; NULL: none is. */
static const struct look_edge *last_of(const struct look_task *task)
{
    for (size_t i = task->needs_count; i > 0; i--) {
        if (is_drawn(&task->needs[i - 1])) {
            return &task->needs[i - 1];
        }
    }
    return NULL;
}

static void draw_words(const struct drawing *drawing, const struct look_task *task)
{
    char words[1024], time[40];

    word_task(task, words, sizeof words);
    printf("%s %s", words, word_state(task->state));
    if (task->state == LOOK_WAITS && task->since >= 0) {
        word_time(task->since, time, sizeof time);
        printf(" %s", time);
    }
    word_wait(drawing->look, task, words, sizeof words);
    if (*words) {
        printf(task->state == LOOK_RUNS ? " %s" : ": %s", words);
    }
    putchar('\n');
}

/* The calls in which it is, the outermost first; false: they are not known, or not asked for. */
static bool draw_stack(const struct drawing *drawing, const struct look_task *task, unsigned depth,
                       bool goes_on)
{
    const struct look *look = drawing->look;
    struct symbols_frame frames[STACK_MAX];
    unsigned count = look->stacks ? symbols_stack(look->symbols, task, frames) : 0;

    for (unsigned i = count; i > 0; i--) {
        indent(drawing, depth);
        printf("%s%s (%s)\n", goes_on ? drawing->pen->bar : "    ", frames[i - 1].function,
               frames[i - 1].place);
    }
    return count;
}

/* Its coroutines, the outermost first: what it needs goes on where they end. */
static void draw_chain(const struct drawing *drawing, const struct look_task *task, unsigned depth,
                       bool goes_on)
{
    if (draw_stack(drawing, task, depth, goes_on)) {
        return;
    }
    if (task->endless) {
        indent(drawing, depth);
        printf("%s...\n", goes_on ? drawing->pen->bar : "    ");
    }
    for (unsigned i = task->chain_count; i > 0; i--) {
        const struct look_def *def = task->chain[i - 1];

        indent(drawing, depth);
        printf("%s%s (%s:%u)\n", goes_on ? drawing->pen->bar : "    ", def->name,
               word_file(def->file), def->line);
    }
}

/* One task and what stands below it. */
static void draw(struct drawing *drawing, struct look_task *task, const char *how, unsigned depth,
                 bool last)
{
    char name[NAME_SIZE + 32];
    const struct look_edge *end;

    indent(drawing, depth);
    if (depth) {
        fputs(last ? drawing->pen->corner : drawing->pen->tee, stdout);
    }
    fputs(how, stdout);
    if (task->mark) {
        word_task(task, name, sizeof name);
        printf("%s: see above\n", name);
        return;
    }
    task->mark = 1;
    draw_words(drawing, task);
    drawing->before[depth] = depth == 0 ? "" : last ? "    " : drawing->pen->bar;
    end = depth + 1 < DEEPEST ? last_of(task) : NULL;
    draw_chain(drawing, task, depth + 1, end);
    for (size_t i = 0; end && i < task->needs_count; i++) {
        const struct look_edge *edge = &task->needs[i];

        if (is_drawn(edge) || edge == end) {
            draw(drawing, edge->task, edge->how == LOOK_HELD_BY ? "held by " : "", depth + 1,
                 edge == end);
        }
    }
}

/* Trees begin with those that nobody needs; what is left then waits in circles, or stands too
 * deep. */
static void draw_loop(struct drawing *drawing, const struct look_loop *loop)
{
    char words[128];

    word_loop(loop, words, sizeof words);
    printf("\nloop %u on %s %s\n", loop->number, loop->backend, words);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < loop->tasks_count; i++) {
            struct look_task *task = loop->tasks[i];

            if (!task->mark && (pass == 1 || !task->needed_by)) {
                draw(drawing, task, "", 0, true);
            }
        }
    }
}

static int print_tree(struct look *look)
{
    struct drawing drawing = { .look = look, .pen = &plain };

    if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0) {
        drawing.pen = &lines;
    }
    view_head(look);
    for (size_t i = 0; i < look->loops_count; i++) {
        draw_loop(&drawing, look->loops[i]);
    }
    for (size_t i = 0; i < look->all_count; i++) {
        look->all[i]->mark = 0;
    }
    return view_circles(look);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    const struct view *view = state->input;

    if (key == ARGP_KEY_END && !view->pid && !view->core) {
        argp_usage(state);
    }
    return view_parse(key, argument, state);
}

int command_pstree(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "core", 'c', "FILE", 0, "of a process that has ended, by its core file", 0 },
        { "json", 'j', NULL, 0, "for programs: one JSON object, that of weft ps", 0 },
        { "stack", 's', NULL, 0, "calls with files and lines instead of coroutines", 0 },
        { 0 },
    };
    static const struct argp argp = {
        options,
        parse,
        "PID",
        "Draws the tasks of a running program as trees: below each task those that it needs in "
        "order to go on, which are those that it awaits, the children of its groups, and who holds "
        "the lock that it waits for; between them its coroutines, the outermost first.\v"
        "A task that several need stands below the first of them, and is named below the others.  "
        "Tasks that wait for each other in a circle are told in the end.\n\n"
        "Rights and exit status are those of `weft ps`.",
        NULL,
        NULL,
        NULL,
    };
    struct view view = { .pid = 0 };

    argp_parse(&argp, argc, argv, 0, NULL, &view);
    setlocale(LC_CTYPE, "");
    return view_process(&view, print_tree);
}
