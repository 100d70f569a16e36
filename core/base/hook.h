/* SPDX-License-Identifier: MIT
 * The way up: what lower layers call in the debug layer, and the scheduler in the layer of locks,
 * which they may not include.
 *
 * The table is declared here and defined in core/debug, the last layer, so that linking either way
 * brings it along. */
#ifndef WEFT_CORE_HOOK_H
#define WEFT_CORE_HOOK_H

#include "core/base/base.h"

#include <weft/report.h>

struct weft__hooks {
    /* Prints a report that no handler wants; `debug` tells whether the loop is in debug mode. */
    void (*report)(const weft_report *report, bool debug);
    /* Prints that task `id` ran over its stack of `bytes`; in a signal handler, on the alternate
     * stack. */
    void (*overflow)(const weft_report *report, uint64_t id, size_t bytes);
    /* A task ends and holds locks: reports that and wakes who waits for them. */
    void (*owner_ended)(void *task);
};

extern const struct weft__hooks weft__hooks;

#endif
