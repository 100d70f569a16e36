/* SPDX-License-Identifier: MIT
 * Words that are put together bit by bit, of bounded length: what was tried, and why it failed. */
#ifndef WEFT_CORE_TEXT_H
#define WEFT_CORE_TEXT_H

#include "core/base/base.h"

#include <stdarg.h>
#include <stdio.h>

struct weft__text {
    size_t used; /* without the final zero */
    char at[3072];
};

/* Adds to it; what finds no room is cut off. */
static inline void weft__text_add(struct weft__text *text, const char *format, ...)
    WEFT_PRINTF(2, 3);

static inline void weft__text_add(struct weft__text *text, const char *format, ...)
{
    size_t room = sizeof text->at - text->used;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text->at + text->used, room, format, arguments);
    va_end(arguments);
    text->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

#endif
