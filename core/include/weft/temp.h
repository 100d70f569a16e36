/* SPDX-License-Identifier: MIT
 * Temporary files and directories, which are gone when they are not needed any more.
 *
 *     weft_temp *temp;
 *     r = weft_temp_dir_new(NULL, &temp);
 *     ... weft_temp_path(temp) ...
 *     weft_temp_free(temp);                      the directory and all that is in it
 *
 * A temporary file that needs no name is a descriptor alone, and gone with it, even when the
 * process is killed (weft_temp_file()).  One with a name, or a directory, is a weft_temp; it goes
 * with weft_temp_free(), or when the loop closes in which it was made, whatever has become of the
 * task.
 *
 * They lie in $TMPDIR, else in /tmp, and only the user may read them.  What <weft/file.h> says of
 * cancels, and of errors that every call may return, holds here. */
#ifndef WEFT_TEMP_H
#define WEFT_TEMP_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** A temporary file or directory with a name.  A plain pointer, which weft_temp_free() ends. */
typedef struct weft_temp weft_temp;

/** All zero, or a NULL pointer to one, for what is usual. */
typedef struct weft_temp_options {
    const char *dir;    /* where; NULL: $TMPDIR, or /tmp */
    const char *prefix; /* what its name begins with; NULL: "weft-" */
    const char *suffix; /* and ends with; NULL: nothing */
    void *reserved[2];  /* zero */
} weft_temp_options;

/** Makes a temporary file without a name, open for reading and writing.
 *
 *  dir  where, which decides on which disk; NULL: $TMPDIR, or /tmp.
 *
 *  Returns its descriptor, to be closed with weft_file_close(); -ENOENT, -EACCES, -ENOSPC,
 *  -EMFILE ...  A cancellation point.  Source: tempfile.TemporaryFile(), O_TMPFILE of open(2). */
WEFT_API WEFT_MUST_USE int weft_temp_file(const char *dir);

/** Makes a temporary file with a name, open for reading and writing.
 *
 *  options   borrowed during the call; may be NULL.
 *  ret_temp  to be given back with weft_temp_free(); untouched on error.
 *
 *  Returns 0; -EINVAL a "/" in prefix or suffix; as weft_temp_file().  A cancellation point.
 *  Source: tempfile.NamedTemporaryFile(). */
WEFT_API WEFT_MUST_USE int weft_temp_file_new(const weft_temp_options *options,
                                              weft_temp **ret_temp);

/** Makes a temporary directory; the rest as weft_temp_file_new().
 *  Source: tempfile.TemporaryDirectory(). */
WEFT_API WEFT_MUST_USE int weft_temp_dir_new(const weft_temp_options *options,
                                             weft_temp **ret_temp);

/** Returns the path, valid until weft_temp_free(). */
WEFT_API const char *weft_temp_path(const weft_temp *temp);

/** Returns the descriptor of a temporary file, which is weft's and closed with it; -EISDIR of a
 *  directory. */
WEFT_API int weft_temp_fd(const weft_temp *temp);

/** Makes a temporary file permanent: gives it another name, in one step.  weft_temp_free() then
 *  closes its descriptor and leaves it where it is.
 *
 *  path  where it shall be, on the same file system; a file that is there is replaced.
 *
 *  Returns 0; as weft_rename(); -ENOENT it is gone.  After an error it is still temporary.  A
 *  cancellation point. */
WEFT_API int weft_temp_keep(weft_temp *temp, const char *path);

/** Takes a temporary file or directory away, and all that is in it, also in a task that is
 *  cancelled.
 *
 *  temp  taken; NULL is allowed.
 *
 *  Returns NULL.  In the thread of its loop; outside a task it blocks.  A wait that protects
 *  memory. */
WEFT_API weft_temp *weft_temp_free(weft_temp *temp);

WEFT_END_DECLS

#endif
