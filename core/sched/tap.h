/* SPDX-License-Identifier: MIT
 * What runs along beside loops: plugins that want to hear of reports and of what loops do, and the
 * one that answers for names.
 *
 * Set before the process's first loop is made, and not changed after. */
#ifndef WEFT_CORE_TAP_H
#define WEFT_CORE_TAP_H

#include "core/base/base.h"

#include <weft/plugin.h>

struct weft__loop;

struct weft__taps {
    /* A report, before anybody else: true when it is dealt with.  NULL: nobody listens. */
    bool (*report)(const weft_report *report);
    /* One of weft_instrument_events. */
    void (*event)(uint32_t event, const struct weft__loop *loop, int64_t value);
    /* Who turns names into addresses; NULL: the system. */
    const weft_resolver *resolver;
    void *resolver_self;
};

extern struct weft__taps weft__taps WEFT__HIDDEN;

static inline void weft__tap(uint32_t event, const struct weft__loop *loop, int64_t value)
{
    if (weft__taps.event) {
        weft__taps.event(event, loop, value);
    }
}

#endif
