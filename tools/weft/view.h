/* SPDX-License-Identifier: MIT
 * What the commands that look at processes share. */
#ifndef WEFT_TOOLS_VIEW_H
#define WEFT_TOOLS_VIEW_H

#include "tools/weft/look.h"

#include <argp.h>

/* What is to be looked at, and how. */
struct view {
    pid_t pid;        /* 0: none */
    const char *core; /* the file that it left behind; NULL: it lives */
    bool json, stacks;
};

/* Parses one key of both commands, for `arguments` of a struct view. */
error_t view_parse(int key, char *argument, struct argp_state *state);

/* Looks and has that printed, or says why it cannot; an exit status. */
int view_process(const struct view *view, int (*print)(struct look *look));

/* "broker (4711), weft 0.1.0: 1 loop, 5 tasks". */
void view_head(const struct look *look);

/* Prints the circles of tasks that wait for each other; 2, an exit status, where there are some,
 * else 0. */
int view_circles(struct look *look);

#endif
