/* SPDX-License-Identifier: MIT
 * Names of what lies at an address in another process, and the stacks of its tasks.  By libdw, from
 * the tables of the files that are mapped there; without it there are files and offsets. */
#ifndef WEFT_TOOLS_SYMBOLS_H
#define WEFT_TOOLS_SYMBOLS_H

#include "tools/weft/look.h"

#define STACK_MAX 64

struct symbols;

/* One call on a stack. */
struct symbols_frame {
    char function[TEXT_SIZE]; /* "": not known */
    char place[TEXT_SIZE];    /* "hangs.c:57", or "libweft.so.0+0x1234" */
};

/* NULL: no memory. */
struct symbols *symbols_open(struct process *process);
void symbols_close(struct symbols *symbols);

/* The name of a variable or function: "first", "first+8", "hangs+0x4220"; "" where no file is. */
void symbols_name(struct symbols *symbols, uint64_t address, char *to, size_t size);

/* The calls in which a task is that does not run, the innermost first and without the library's own
 * inner ones; how many of STACK_MAX, 0: not known here. */
unsigned symbols_stack(struct symbols *symbols, const struct look_task *task,
                       struct symbols_frame *ret);

#endif
