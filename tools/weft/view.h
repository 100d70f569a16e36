/* SPDX-License-Identifier: MIT
 * What the commands that look at processes share. */
#ifndef WEFT_TOOLS_VIEW_H
#define WEFT_TOOLS_VIEW_H

#include "tools/weft/look.h"

#include <argp.h>

/* Looks at a process and has that printed, or says why it cannot; an exit status. */
int view_process(pid_t pid, bool stacks, int (*print)(struct look *look));

/* "broker (4711), weft 0.1.0: 1 loop, 5 tasks". */
void view_head(const struct look *look);

/* Prints the circles of tasks that wait for each other; 2, an exit status, where there are some,
 * else 0. */
int view_circles(struct look *look);

/* The number of a process, as an argument. */
pid_t view_pid(const char *text, struct argp_state *state);

#endif
