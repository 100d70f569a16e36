/* SPDX-License-Identifier: MIT
 * What the configuration file says: the word of the machine's owner, below the environment's. */
#ifndef WEFT_CORE_CONFIG_H
#define WEFT_CORE_CONFIG_H

#include "core/run/text.h"

/* The section [weft]; a key that is not there is empty. */
struct weft__config {
    char path[512];    /* the file, for people; "" when there is none */
    char backend[512]; /* a list for weft_loop_new() */
    int backend_line;
    char plugins[512]; /* names of plugins that are switched on */
    int plugins_line;
    char debug[256]; /* the words of debug mode */
    int debug_line;
};

/* Reads WEFT_CONFIG, else the first that is there of $XDG_CONFIG_HOME/weft/weft.conf
 * (~/.config/weft/weft.conf) and the machine's.  0, also when there is none; -EINVAL something in
 * it is wrong, or the error of opening it; then `why` has the file, the line and the words. */
int weft__config_read(struct weft__config *config, struct weft__text *why);

#endif
