/* SPDX-License-Identifier: MIT
 * weft: the command, which hands over to its subcommands. */
#include "tools/weft/weft.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/common.h>

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "backends", "which event loops there are, and which one a program gets", command_backends },
#ifdef __linux__ /* they read /proc */
    { "ps", "the tasks of a running program, and what each of them waits for", command_ps },
    { "pstree", "the same as trees: who awaits whom", command_pstree },
#endif
};

static int chosen; /* where the subcommand stands; 0: there is none */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    switch (key) {
    case ARGP_KEY_ARG:
        chosen = state->next - 1;
        state->next = state->argc; /* the rest is the subcommand's */
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static char *add_commands(int key, const char *text, void *unused)
{
    char *all = NULL;
    size_t size = 0;
    FILE *file;

    (void)unused;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    file = open_memstream(&all, &size);
    if (!file) {
        return (char *)(uintptr_t)text;
    }
    fputs("Commands:\n", file);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`weft COMMAND --help` tells more of each.", file);
    fclose(file);
    return all;
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "weft %s\n", weft_version());
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse,
        "COMMAND [ARGUMENT...]",
        "Looks at weft, asyncio for C, and at programs that use it.\v",
        NULL,
        add_commands,
        NULL,
    };

    argp_program_version_hook = print_version;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, NULL);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[chosen], commands[i].name) == 0) {
            char name[64];

            snprintf(name, sizeof name, "weft %s", commands[i].name);
            argv[chosen] = name;
            return commands[i].run(argc - chosen, argv + chosen);
        }
    }
    fprintf(stderr, "weft: there is no command '%s'; see weft --help\n", argv[chosen]);
    return 2;
}
