/* SPDX-License-Identifier: MIT
 * Text for standard error. */
#include "core/debug/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void weft__line_add(struct weft__line *line, const char *text)
{
    size_t n = strlen(text), room = line->size - 1 - line->length;

    n = n < room ? n : room;
    memcpy(line->text + line->length, text, n);
    line->length += n;
}

/* Like printf's %llu, which a signal handler may not use. */
static void add_in(struct weft__line *line, uint64_t number, unsigned base, unsigned least)
{
    char digits[24];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
    } while ((number /= base) || sizeof digits - 1 - at < least);
    weft__line_add(line, digits + at);
}

void weft__line_add_number(struct weft__line *line, uint64_t number)
{
    add_in(line, number, 10, 1);
}

void weft__line_add_hex(struct weft__line *line, uint64_t number)
{
    weft__line_add(line, "0x");
    add_in(line, number, 16, 1);
}

void weft__line_add_seconds(struct weft__line *line, double seconds)
{
    uint64_t ms = (uint64_t)(seconds * 1000 + 0.5);

    add_in(line, ms / 1000, 10, 1);
    weft__line_add(line, ".");
    add_in(line, ms % 1000, 10, 3);
}

void weft__line_colour(struct weft__line *line, enum weft__colour colour)
{
    static const char *const codes[] = { [WEFT__PLAIN] = "\033[0m",
                                         [WEFT__RED] = "\033[1;31m",
                                         [WEFT__YELLOW] = "\033[1;33m",
                                         [WEFT__BOLD] = "\033[1m",
                                         [WEFT__DIM] = "\033[2m" };

    if (line->colours) {
        weft__line_add(line, codes[colour]);
    }
}

bool weft__line_has_colours(void)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(STDERR_FILENO) && !(none && *none) && terminal && strcmp(terminal, "dumb") != 0;
}

void weft__line_write(struct weft__line *line, int fd)
{
    const char *at = line->text;

    line->text[line->length++] = '\n';
    while (line->length > 0) {
        ssize_t n = write(fd, at, line->length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        at += n;
        line->length -= (size_t)n;
    }
}
