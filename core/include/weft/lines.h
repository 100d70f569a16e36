/* SPDX-License-Identifier: MIT
 * Lines of a file, one after the other; also of one that grows.
 *
 *     weft_lines *lines;
 *     weft_line line;
 *
 *     r = weft_lines_open("/etc/passwd", NULL, &lines);
 *     while (r >= 0 && (r = weft_lines_next(lines, &line)) > 0) { puts(line.data); }
 *     weft_lines_close(lines);
 *
 * The file is read in blocks, so most lines take no wait.  What ends a line is "\n", or what the
 * options say: several separators, of any length.
 *
 * Each call tries again where the file has ended: one that has grown meanwhile goes on.  With
 * `.whole` a last line that has no separator yet waits for its rest, as tail -f wants it.  What
 * <weft/file.h> says of cancels, and of errors that every call may return, holds here. */
#ifndef WEFT_LINES_H
#define WEFT_LINES_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** A file that is read line by line.  A plain pointer: not to be used once closed. */
typedef struct weft_lines weft_lines;

/** All zero, or a NULL pointer to one, for what is usual. */
typedef struct weft_lines_options {
    const char *const *separators; /* with a NULL at the end, at most 16; NULL: "\n" alone */
    size_t limit;                  /* bytes of a line, without its separator; 0: 1 MiB */
    size_t block;                  /* bytes that are read at once; 0: 64 KiB */
    int64_t offset;                /* where in the file to begin; below 0: so far before its end */
    bool at_end;                   /* begins at the end of the file, less -`offset` */
    bool whole;                    /* a line at the end of the file counts only with separator */
    void *reserved[4];             /* zero */
} weft_lines_options;

/** A line; valid until the next call with its weft_lines. */
typedef struct weft_line {
    char *data;       /* `len` bytes, and a NUL in the separator's place; may be written to */
    size_t len;       /* without the separator */
    size_t separator; /* how long that was; 0: the file ended without one */
    int64_t offset;   /* where in the file it begins */
} weft_line;

/** Opens a file to read its lines.
 *
 *  path       borrowed during the call.
 *  options    borrowed during the call; may be NULL.
 *  ret_lines  to be closed; untouched on error.
 *
 *  Returns 0; -EINVAL no separator, an empty one or too many; as weft_file_open().
 *  Source: open() of Python, whose files are iterators of lines. */
WEFT_API WEFT_MUST_USE int weft_lines_open(const char *path, const weft_lines_options *options,
                                           weft_lines **ret_lines);

/** The same for a file that is open already.
 *
 *  fd  borrowed until weft_lines_close(); where it stands does not matter, and does not change. */
WEFT_API WEFT_MUST_USE int weft_lines_of(int fd, const weft_lines_options *options,
                                         weft_lines **ret_lines);

/** Goes to the next line.
 *
 *  ret_line  untouched when there is none.
 *
 *  Several separators: the one that begins first ends the line, of these the longest.
 *
 *  Returns 1; 0 the file ends here, for now; -EMSGSIZE a line longer than the limit, which the next
 *  call leaves out; -EBUSY another task is reading; -EIO, -EBADF ...: nothing is lost.  A
 *  cancellation point: where it is cancelled no line is lost. */
WEFT_API int weft_lines_next(weft_lines *lines, weft_line *ret_line);

/** Returns where in the file the next line begins: all before it was told. */
WEFT_API int64_t weft_lines_offset(const weft_lines *lines);

/** Returns the descriptor, which is weft's where weft has opened it. */
WEFT_API int weft_lines_fd(const weft_lines *lines);

/** Forgets what was read and goes to a place in the file, such as the beginning of one that was
 *  truncated.  Returns 0; -EINVAL below 0, -EBUSY.  Not a cancellation point. */
WEFT_API int weft_lines_seek(weft_lines *lines, int64_t offset);

/** Ends the reading of lines, also in a task that is cancelled.
 *
 *  lines  taken; NULL is allowed.
 *
 *  Returns NULL.  A wait that protects memory, where weft has opened the file. */
WEFT_API weft_lines *weft_lines_close(weft_lines *lines);

WEFT_END_DECLS

#endif
