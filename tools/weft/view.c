/* SPDX-License-Identifier: MIT
 * What the commands that look at processes share. */
#include "tools/weft/view.h"

#include "tools/weft/json.h"
#include "tools/weft/symbols.h"
#include "tools/weft/words.h"

#include <errno.h>
#include <stdlib.h>

int view_circles(struct look *look)
{
    struct look_task *circle[64];
    char name[NAME_SIZE + 32];
    size_t length, found = 0;

    while ((length = look_circle(look, circle, 64))) {
        printf(found++ ? "" : "\n");
        printf("circle: ");
        for (size_t i = 0; i <= length; i++) {
            word_task(circle[i % length], name, sizeof name);
            printf("%s%s", i ? " -> " : "", name);
        }
        printf("\n");
    }
    return found ? 2 : 0;
}

/* Where tasks and their stacks should be the core file has zeros, or nothing. */
static void say_lost(const struct view *view)
{
    fprintf(stderr,
            "weft: %s: memory that tasks and their stacks were in is missing, or zeros: gcore "
            "writes zeros where it cannot read; a core file may be cut off, or a file that was "
            "mapped be another one now.  The kernel's core files have it all: kill -ABRT PID, or "
            "coredumpctl.  A process that lives needs none: weft ps PID\n",
            view->core);
}

void view_head(const struct look *look)
{
    printf("%s (%d), weft %s: %zu %s, %zu %s", look->process->command, (int)look->process->pid,
           look->library, look->loops_count, look->loops_count == 1 ? "loop" : "loops",
           look->all_count, look->all_count == 1 ? "task" : "tasks");
    if (look->changed) {
        printf("; %u changed while they were read", look->changed);
    }
    if (look->lost) {
        printf("; not all of it is in the core file");
    }
    printf(look->process->core ? "; times are as of each loop's last look\n" : "\n");
}

static pid_t view_pid(const char *text, struct argp_state *state)
{
    char *end;
    long pid;

    errno = 0;
    pid = strtol(text, &end, 10);
    if (errno || end == text || *end || pid <= 0 || pid != (pid_t)pid) {
        argp_error(state, "'%s' is not the number of a process", text);
    }
    return (pid_t)pid;
}

error_t view_parse(int key, char *argument, struct argp_state *state)
{
    struct view *view = state->input;

    switch (key) {
    case 'c': view->core = argument; return 0;
    case 'j': view->json = true; return 0;
    case 's': view->stacks = true; return 0;
    case ARGP_KEY_ARG:
        if (view->pid) {
            argp_error(state, "one process at a time: '%s'", argument);
        }
        view->pid = view_pid(argument, state);
        return 0;
    case ARGP_KEY_END:
        if (view->pid && view->core) {
            argp_error(state, "either PID or --core");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int view_process(const struct view *view, int (*print)(struct look *look))
{
    struct process process;
    struct look look = { .loops = NULL };
    char why[512] = "";
    int status = 1;
    int r = view->core ? process_open_core(&process, view->core, why, sizeof why) :
                         process_open(&process, view->pid, why, sizeof why);

    r = r < 0 ? r : look_take(&look, &process, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "weft: %s\n", why);
    } else {
        look.symbols = symbols_open(&process);
        look.stacks = view->stacks && look.symbols;
        status = (view->json ? json_print_look : print)(&look);
    }
    if (look.lost) {
        fflush(stdout);
        say_lost(view);
        status = 1;
    }
    symbols_close(look.symbols);
    look_free(&look);
    process_close(&process);
    return status;
}
