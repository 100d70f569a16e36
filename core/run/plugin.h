/* SPDX-License-Identifier: MIT
 * Plugins that are switched on. */
#ifndef WEFT_CORE_PLUGIN_H
#define WEFT_CORE_PLUGIN_H

#include "core/run/config.h"

/* Before the process's first loop: opens what WEFT_PLUGINS or the configuration switch on.  Later
 * it does nothing.  An error leaves none of them open, and the next call tries again; `why` has the
 * words. */
int weft__plugins_start(const struct weft__config *config, struct weft__text *why);

/* Closes them and forgets what was loaded: only for a test that counts bytes and has no loop. */
void weft__plugins_forget(void);

#endif
