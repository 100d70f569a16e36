/* SPDX-License-Identifier: MIT
 * Text for standard error, put together piece by piece without the C library's output: also for
 * signal handlers.  What does not fit is cut. */
#ifndef WEFT_CORE_LINE_H
#define WEFT_CORE_LINE_H

#include "core/base/base.h"

enum weft__colour { WEFT__PLAIN, WEFT__RED, WEFT__YELLOW, WEFT__BOLD, WEFT__DIM };

struct weft__line {
    char *text;
    size_t size, length;
    bool colours; /* it goes to a terminal that shows them */
};

#define WEFT__LINE(room)                                  \
    {                                                     \
        .text = (room), .size = sizeof(room), .length = 0 \
    }

void weft__line_add(struct weft__line *line, const char *text);
void weft__line_add_number(struct weft__line *line, uint64_t number);
void weft__line_add_hex(struct weft__line *line, uint64_t number);

/* Seconds with three decimals. */
void weft__line_add_seconds(struct weft__line *line, double seconds);

/* From here on in this colour. */
void weft__line_colour(struct weft__line *line, enum weft__colour colour);

/* Whether standard error shows colours: a terminal, unless NO_COLOR says otherwise.  Not for signal
 * handlers. */
bool weft__line_has_colours(void);

/* Writes all of it to `fd`, ended by a newline, as one piece as far as the system lets it. */
void weft__line_write(struct weft__line *line, int fd);

#endif
