/* SPDX-License-Identifier: MIT
 * A file that is written beside the one whose place it takes when it is whole.  For jobs in file
 * threads.
 *
 *     begin --write to `fd`--> commit
 *                         \--> abort: nothing is left of it
 */
#ifndef WEFT_CORE_REPLACE_H
#define WEFT_CORE_REPLACE_H

#include "core/base/base.h"

struct weft__replacing {
    /* Set by who begins. */
    const char *path; /* what it shall be called; borrowed until the end */
    unsigned mode;    /* of a new file, before the umask; 0: 0666 */
    bool sync, no_replace, append, in_place;
    bool sets_mode;      /* at the end it gets */
    unsigned final_mode; /* this one */

    /* From begin() on. */
    int fd;
    bool is_file;   /* a regular one, in which one may seek */
    char *target;   /* the path without links; NULL: it is written in place */
    char *temp;     /* what it is called until then */
};

/* Makes the file; 0, or an error, and then there is nothing to abort. */
int weft__replace_begin(struct weft__replacing *replacing);

/* Closes it and puts it into its place; after an error it was aborted. */
int weft__replace_commit(struct weft__replacing *replacing);

void weft__replace_abort(struct weft__replacing *replacing);

/* Writes all; 0 or an error. */
int weft__write_all(int fd, const char *data, size_t size);

/* Makes a file (with flags of open(2)), or a directory (flags < 0), whose name nobody has yet: a
 * random word between two texts.  A descriptor, or 0 for a directory; *ret_path is to be freed. */
int weft__make_unique(const char *before, const char *after, int flags, unsigned mode,
                      char **ret_path);

#endif
