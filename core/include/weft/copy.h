/* SPDX-License-Identifier: MIT
 * Copying files.
 *
 *     int64_t n = weft_copy_file("disk.img", "backup.img", NULL);
 *
 * The copy is made beside the file that it shall replace, and takes its place when it is whole.  A
 * copy that fails, or is cancelled, leaves what was there before. */
#ifndef WEFT_COPY_H
#define WEFT_COPY_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** Is told how far a copy is; called in the copying task, which may wait in it.
 *
 *  done, total  bytes; at the end they are equal.  A hole in the file counts as copied.
 *
 *  Returns 0 to go on, or a negative errno, which ends the copy and is its result. */
typedef int weft_copy_progress(uint64_t done, uint64_t total, void *arg);

/** How to copy; all zero, or a NULL pointer to one, for what is usual. */
typedef struct weft_copy_options {
    weft_copy_progress *progress; /* called every `interval`, and at the end; or NULL */
    void *arg;                    /* for progress() */
    double interval;              /* seconds; 0: 0.1 */
    bool no_replace;              /* -EEXIST where there is such a file */
    bool keep_times;              /* the copy gets the times of the file */
    bool sync;                    /* it is on the disk before it takes its place, and so is that */
    bool in_place;                /* into the file that is there: where the copy ends early, what
                                   * was copied stays */
    void *reserved[4];            /* zero */
} weft_copy_options;

/** Copies the content of a file and its mode.
 *
 *  from     borrowed; symbolic links are followed.
 *  to       borrowed; a file, which may be there already.  A link is followed, and what is no
 *           regular file, such as a device, is written to.
 *  options  borrowed; may be NULL.
 *
 *  The kernel copies where it can (copy_file_range(2), sendfile(2)), on some file systems without
 *  copying data at all; holes stay holes.  What is appended to `from` meanwhile is not copied;
 *  where it is truncated meanwhile, the copy is as short.
 *
 *  Returns how many bytes the copy has; -ENOENT, -EISDIR, -EACCES, -ENOSPC, -EFBIG, -EINVAL both
 *  are the same file, or `from` is no regular one, -EEXIST ...; what progress() returned.  A cancel
 *  ends it within some megabytes: -ECANCELED.  In each of these cases nothing is left of the copy,
 *  unless `.in_place` asked for it.  A cancellation point.  Source: shutil.copy(). */
WEFT_API int64_t weft_copy_file(const char *from, const char *to, const weft_copy_options *options);

WEFT_END_DECLS

#endif
