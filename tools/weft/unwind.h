/* SPDX-License-Identifier: MIT
 * What libdw does for symbols.c. */
#ifndef WEFT_TOOLS_UNWIND_H
#define WEFT_TOOLS_UNWIND_H

#include "tools/weft/process.h"

struct unwind;

/* NULL: this command was built without libdw, or the process's files cannot be read. */
struct unwind *unwind_open(struct process *process);
void unwind_close(struct unwind *unwind);

/* The name of what begins at, or holds, an address; false: there is none. */
bool unwind_name(struct unwind *unwind, uint64_t address, char *to, size_t size);

/* Tells the files apart that are mapped. */
const void *unwind_module(struct unwind *unwind, uint64_t address);

/* The function and the line; false: neither is known. */
bool unwind_place(struct unwind *unwind, uint64_t address, char *function, size_t function_size,
                  char *place, size_t place_size);

/* The return addresses on a stack that was left by a switch with this stack pointer, and that ends
 * at `top`, the innermost first; how many. */
unsigned unwind_stack(struct unwind *unwind, uint64_t sp, uint64_t top, uint64_t *ret,
                      unsigned max);

#endif
