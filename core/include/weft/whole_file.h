/* SPDX-License-Identifier: MIT
 * Whole files: read into memory, written from memory, in one call.
 *
 *     weft_buffer text = { 0 };
 *     int64_t n = weft_read_file("config", 1 << 20, &text);
 *     int r = weft_write_file("config", text.data, text.len, NULL);
 *
 * Who writes a whole file replaces it in one step: readers see the old one or the new one, and a
 * write that fails, or is cancelled, leaves the old one.  What <weft/file.h> says of cancels, and
 * of errors that every call may return, holds here. */
#ifndef WEFT_WHOLE_FILE_H
#define WEFT_WHOLE_FILE_H

#include <weft/buffer.h>
#include <weft/common.h>

WEFT_BEGIN_DECLS

/** Reads a file to its end.
 *
 *  path    borrowed during the call.
 *  limit   bytes at the most; 0: no limit.
 *  buffer  the content takes the place of what is in there; its room is used again.  Empty on
 *          error.
 *
 *  Returns how many bytes that are; -EFBIG there are more than `limit`; -ENOENT, -EISDIR, -EACCES,
 *  -EMFILE, -EIO ...  -ECANCELED also while it is being read.  A cancellation point.
 *  Source: pathlib.Path.read_bytes(). */
WEFT_API int64_t weft_read_file(const char *path, size_t limit, weft_buffer *buffer);

/** How to write; all zero, or a NULL pointer to one, for what is usual. */
typedef struct weft_write_file_options {
    unsigned mode;     /* 0: that of the file which it replaces, else 0666; before the umask */
    bool sync;         /* it is on the disk before it takes the old one's place, and so is that */
    bool no_replace;   /* -EEXIST where there is such a file */
    bool append;       /* adds to the file that is there; not in one step */
    bool in_place;     /* into the file that is there, see below */
    void *reserved[4]; /* zero */
} weft_write_file_options;

/** Writes a file: a new one beside the old one, which then takes its place.
 *
 *  path     borrowed; where it is a symbolic link, what that leads to is replaced.
 *  data     `size` bytes, borrowed during the call.
 *  options  may be NULL.
 *
 *  The new file has the mode of the old one, and its owner where the process may give files away;
 *  other names (hard links) keep the old content.  With `.in_place`, and with what is no regular
 *  file, such as a device, the data goes into the file itself: that keeps owner, links and all,
 *  needs no right to write into the directory, and may leave half of it where it fails.
 *
 *  Returns 0; -ENOSPC, -EDQUOT, -EFBIG, -EACCES, -ENOENT no such directory, -EEXIST, -EINVAL
 *  options that do not go together ...  Without `.in_place` and `.append` nothing has changed then,
 *  nor after a cancel; save that with `.sync` an error may also mean that the new file is there and
 *  the disk does not know it yet.  A cancellation point.  Source: pathlib.Path.write_bytes(). */
WEFT_API int weft_write_file(const char *path, const void *data, size_t size,
                             const weft_write_file_options *options);

WEFT_END_DECLS

#endif
