/* SPDX-License-Identifier: MIT
 * Lines of a file: blocks that are read, and what lies between two separators. */
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/sched/misuse.h"

#include <fcntl.h>
#include <string.h>
#include <weft/buffer.h>
#include <weft/file.h>
#include <weft/lines.h>

#define BLOCK (64u << 10)
#define LIMIT (1u << 20)
#define SEPARATORS_MAX 16

_Static_assert(sizeof(void *) != 8 || sizeof(weft_lines_options) == 72, "the public size");

struct separator {
    char *text; /* a copy; the first byte that ends a line is in `begins`, too */
    size_t len;
};

struct weft_lines {
    int fd;
    bool owned;    /* to be closed */
    bool reading;  /* a task waits for the next block */
    bool whole;    /* the option */
    bool skipping; /* the rest of a line that was too long is left out */
    size_t limit, block;
    weft_buffer buffer; /* what was read, */
    int64_t base;       /* from here in the file on; */
    size_t at;          /* the next line begins here, */
    size_t seen;        /* and no separator does between there and here */
    unsigned count;
    struct separator separators[SEPARATORS_MAX];
    bool begins[256]; /* the bytes with which separators begin */
};

/* Copies the separators. */
static int take_separators(weft_lines *lines, const char *const *separators)
{
    static const char *const newline[] = { "\n", NULL };
    const char *const *text = separators ? separators : newline;

    for (; *text; text++) {
        struct separator *separator = &lines->separators[lines->count];
        size_t len = strlen(*text);

        if (lines->count == SEPARATORS_MAX || len == 0) {
            return -EINVAL;
        }
        separator->text = weft__alloc(NULL, len + 1);
        if (!separator->text) {
            return -ENOMEM;
        }
        memcpy(separator->text, *text, len + 1);
        separator->len = len;
        lines->begins[(unsigned char)**text] = true;
        lines->count++;
    }
    return lines->count ? 0 : -EINVAL;
}

static void free_lines(weft_lines *lines)
{
    for (unsigned i = 0; i < lines->count; i++) {
        weft__free(lines->separators[i].text);
    }
    weft_buffer_clear(&lines->buffer);
    weft__free(lines);
}

static int new_lines(const weft_lines_options *options, weft_lines **ret_lines)
{
    weft_lines *lines;
    int r;

    if (options->block > INT32_MAX || options->limit > SIZE_MAX / 4) {
        return -EINVAL;
    }
    lines = weft__alloc_zeroed(1, sizeof *lines);
    if (!lines) {
        return -ENOMEM;
    }
    lines->fd = -1;
    lines->whole = options->whole;
    lines->limit = options->limit ? options->limit : LIMIT;
    lines->block = options->block ? options->block : BLOCK;
    r = take_separators(lines, options->separators);
    if (r < 0) {
        free_lines(lines);
        return r;
    }
    *ret_lines = lines;
    return 0;
}

/* Finds out where to begin. */
static int find_begin(weft_lines *lines, const weft_lines_options *options)
{
    int64_t size;

    if (!options->at_end && options->offset >= 0) {
        lines->base = options->offset;
        return 0;
    }
    size = weft_file_size(lines->fd);
    if (size < 0) {
        return (int)size;
    }
    lines->base = options->offset < 0 ? size + options->offset : size;
    if (lines->base < 0) {
        lines->base = 0;
    }
    return 0;
}

static int open_lines(const char *path, int fd, const weft_lines_options *options,
                      weft_lines **ret_lines)
{
    static const weft_lines_options none;
    weft_lines *lines;
    int r;

    options = options ? options : &none;
    r = new_lines(options, &lines);
    if (r < 0) {
        return r;
    }
    lines->owned = path != NULL;
    lines->fd = path ? weft_file_open(path, O_RDONLY, 0) : fd;
    r = lines->fd < 0 ? lines->fd : find_begin(lines, options);
    if (r < 0) {
        weft_lines_close(lines);
        return r;
    }
    *ret_lines = lines;
    return 0;
}

int weft_lines_open(const char *path, const weft_lines_options *options, weft_lines **ret_lines)
{
    return path && ret_lines ? open_lines(path, -1, options, ret_lines) : -EINVAL;
}

int weft_lines_of(int fd, const weft_lines_options *options, weft_lines **ret_lines)
{
    if (fd < 0 || !ret_lines) {
        return fd < 0 ? -EBADF : -EINVAL;
    }
    return open_lines(NULL, fd, options, ret_lines);
}

/* The longest separator at a place: its length, 0 there is none; -EAGAIN what is there might be the
 * beginning of a longer one. */
static int separator_at(const weft_lines *lines, size_t place, bool is_end)
{
    size_t left = lines->buffer.len - place, longest = 0;
    const char *data = lines->buffer.data + place;

    for (unsigned i = 0; i < lines->count; i++) {
        const struct separator *separator = &lines->separators[i];
        size_t len = separator->len < left ? separator->len : left;

        if (memcmp(data, separator->text, len) != 0) {
            continue;
        }
        if (len == separator->len) {
            longest = len > longest ? len : longest;
        } else if (!is_end) {
            return -EAGAIN;
        }
    }
    return (int)longest;
}

/* The next byte with which a separator may begin; the end of what was read: none. */
static size_t next_candidate(const weft_lines *lines, size_t place)
{
    const char *data = lines->buffer.data, *found;
    size_t len = lines->buffer.len;

    if (lines->count == 1) {
        found =
            place < len ? memchr(data + place, lines->separators[0].text[0], len - place) : NULL;
        return found ? (size_t)(found - data) : len;
    }
    while (place < len && !lines->begins[(unsigned char)data[place]]) {
        place++;
    }
    return place;
}

/* Looks for the end of the line: the separator's length, and `seen` is where it begins; 0 more has
 * to be read. */
static int find_separator(weft_lines *lines, bool is_end)
{
    for (;;) {
        int r;

        lines->seen = next_candidate(lines, lines->seen);
        if (lines->seen == lines->buffer.len) {
            return 0;
        }
        r = separator_at(lines, lines->seen, is_end);
        if (r != 0) {
            return r > 0 ? r : 0;
        }
        lines->seen++;
    }
}

/* The line from `at` to `seen` is told; 1, or -EMSGSIZE it is too long. */
static int give(weft_lines *lines, int separator, weft_line *ret_line)
{
    size_t len = lines->seen - lines->at;
    weft_line line = {
        .data = lines->buffer.data + lines->at,
        .len = len,
        .separator = (size_t)separator,
        .offset = lines->base + (int64_t)lines->at,
    };

    lines->at = lines->seen = lines->seen + (size_t)separator;
    if (len > lines->limit) {
        return -EMSGSIZE;
    }
    line.data[len] = '\0';
    *ret_line = line;
    return 1;
}

/* Drops what was told, and reads a block: how many bytes. */
static int64_t read_more(weft_lines *lines)
{
    weft_buffer *buffer = &lines->buffer;
    int64_t n;
    int r;

    if (lines->at > 0) {
        memmove(buffer->data, buffer->data + lines->at, buffer->len - lines->at);
        buffer->len -= lines->at;
        lines->seen -= lines->at;
        lines->base += (int64_t)lines->at;
        lines->at = 0;
    }
    r = weft_buffer_reserve(buffer, lines->block);
    if (r < 0) {
        return r;
    }
    lines->reading = true;
    n = weft_file_pread(lines->fd, buffer->data + buffer->len, lines->block,
                        lines->base + (int64_t)buffer->len);
    lines->reading = false;
    buffer->len += n > 0 ? (size_t)n : 0;
    return n;
}

/* A separator was found, or the file has ended: what that means for a line which is left out, or
 * is too long already.  0: go on. */
static int look_at_length(weft_lines *lines, int separator)
{
    if (lines->skipping) {
        lines->at = lines->seen = lines->seen + (size_t)separator;
        lines->skipping = separator == 0;
        return 0;
    }
    if (separator == 0 && lines->seen - lines->at > lines->limit) {
        lines->at = lines->seen;
        lines->skipping = true;
        return -EMSGSIZE;
    }
    return 0;
}

static int next_line(weft_lines *lines, weft_line *ret_line)
{
    bool is_end = false;

    for (;;) {
        /* Where more may follow, what looks like half a separator is not the line's yet. */
        bool is_last = is_end && !lines->whole && !lines->skipping;
        int separator = find_separator(lines, is_last), r;
        bool skipped = lines->skipping;
        int64_t n;

        r = look_at_length(lines, separator);
        if (r < 0) {
            return r;
        }
        if (separator > 0 && !skipped) {
            return give(lines, separator, ret_line);
        }
        if (separator > 0) {
            continue;
        }
        if (is_end) {
            if (lines->whole || lines->at == lines->buffer.len || skipped) {
                return 0;
            }
            lines->seen = lines->buffer.len;
            return give(lines, 0, ret_line);
        }
        n = read_more(lines);
        if (n < 0) {
            return (int)n;
        }
        is_end = n == 0;
    }
}

int weft_lines_next(weft_lines *lines, weft_line *ret_line)
{
    int r = 0;
    struct weft__task *task = lines && ret_line ? weft__self(&r) : NULL;

    if (!task || lines->reading) {
        return r < 0 ? weft__misuse(r) : task ? -EBUSY : -EINVAL;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    r = next_line(lines, ret_line);
    if (r > 0) {
        weft__task_spend_turn(task);
    }
    return r;
}

int64_t weft_lines_offset(const weft_lines *lines)
{
    return lines ? lines->base + (int64_t)lines->at : -EINVAL;
}

int weft_lines_fd(const weft_lines *lines)
{
    return lines ? lines->fd : -EINVAL;
}

int weft_lines_seek(weft_lines *lines, int64_t offset)
{
    if (!lines || offset < 0 || lines->reading) {
        return lines && offset >= 0 ? -EBUSY : -EINVAL;
    }
    lines->base = offset;
    lines->at = lines->seen = lines->buffer.len = 0;
    lines->skipping = false;
    return 0;
}

weft_lines *weft_lines_close(weft_lines *lines)
{
    if (lines) {
        if (lines->owned && lines->fd >= 0) {
            (void)weft_file_close(lines->fd);
        }
        free_lines(lines);
    }
    return NULL;
}
