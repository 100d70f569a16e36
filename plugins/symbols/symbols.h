/* SPDX-License-Identifier: MIT
 * The plugin "symbols", inside. */
#ifndef WEFT_SYMBOLS_H
#define WEFT_SYMBOLS_H

#include <elfutils/libdwfl.h>
#include <weft/plugin.h>

/* What libdw knows of this process. */
struct symbols {
    Dwfl *dwfl;
    const weft_plugin_core *core;
    bool attached;           /* for walking stacks */
    const weft_stack *stack; /* that is walked now */
};

/* The table's member. */
int symbols_unwind(void *self, const weft_stack *stack, const void **ret_addresses, int max);

#endif
