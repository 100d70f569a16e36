/* SPDX-License-Identifier: MIT
 * Paths: what the system knows of a file by its name, and changing names.
 *
 *     r = weft_rename("config.new", "config");
 *
 * Each call is the one of POSIX with that name, carried out in a thread as those of <weft/file.h>;
 * what is said there of cancels and of errors holds here.  A path is borrowed during the call; one
 * that is not absolute begins where the process is when the call is carried out.
 *
 * All are cancellation points, and are called in a task. */
#ifndef WEFT_PATH_H
#define WEFT_PATH_H

#include <weft/buffer.h>
#include <weft/common.h>

WEFT_BEGIN_DECLS

struct stat; /* <sys/stat.h>; on 32-bit systems that of -D_FILE_OFFSET_BITS=64 */

/** Tells what the system knows of the file that a path leads to.
 *
 *  ret_stat  untouched on error.
 *
 *  Returns 0; -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG.  Source: stat(2). */
WEFT_API int weft_stat(const char *path, struct stat *ret_stat);

/** The same, of a symbolic link itself where there is one.  Source: lstat(2). */
WEFT_API int weft_lstat(const char *path, struct stat *ret_stat);

/** Tells whether the process may use a file.
 *
 *  how  F_OK it is there; R_OK, W_OK, X_OK or several of them.
 *
 *  Returns 0 it may; -EACCES, -ENOENT, -EROFS ...  What it says may have changed when it returns.
 *  Source: access(2). */
WEFT_API int weft_access(const char *path, int how);

/** Gives a file another name; one that had that name is replaced, in one step.
 *
 *  Returns 0; -ENOENT, -EXDEV they are on two file systems (weft_copy_file() is for that), -EISDIR,
 *  -ENOTEMPTY, -EACCES ...  Source: rename(2). */
WEFT_API int weft_rename(const char *from, const char *to);

/** Gives a file one more name.  Returns 0; -EEXIST, -EXDEV, -EMLINK, -EPERM no file that can have
 *  two ...  Source: link(2). */
WEFT_API int weft_link(const char *from, const char *to);

/** Takes a name away, and the file with its last one.  Returns 0; -ENOENT, -EISDIR, -EACCES ...
 *  Source: unlink(2). */
WEFT_API int weft_unlink(const char *path);

/** Makes a symbolic link.
 *
 *  target  what it shall lead to, as it is written into the link.
 *
 *  Returns 0; -EEXIST, -ENOENT ...  Source: symlink(2). */
WEFT_API int weft_symlink(const char *target, const char *path);

/** Reads where a symbolic link leads.
 *
 *  target  its text takes the place of what is in there, with a NUL behind it that is not counted;
 *          untouched on error.  The caller's, see <weft/buffer.h>.
 *
 *  Returns 0; -EINVAL it is no link, -ENOENT ...  Source: readlink(2). */
WEFT_API int weft_readlink(const char *path, weft_buffer *target);

/** Finds the absolute path without links, "." and "..".
 *
 *  real  as `target` of weft_readlink().
 *
 *  Returns 0; -ENOENT, -ELOOP, -EACCES ...  Source: realpath(3). */
WEFT_API int weft_realpath(const char *path, weft_buffer *real);

/** Changes who may do what.  Returns 0; -EPERM it is another user's, -ENOENT, -EROFS ...
 *  Source: chmod(2). */
WEFT_API int weft_chmod(const char *path, unsigned mode);

/** Makes a directory.
 *
 *  mode  before the umask: 0777 for what is usual.
 *
 *  Returns 0; -EEXIST, -ENOENT there is nothing to make it in, -EACCES, -ENOSPC ...
 *  Source: mkdir(2). */
WEFT_API int weft_mkdir(const char *path, unsigned mode);

/** Makes a directory and those above it that are missing.
 *
 *  mode  of the last one, before the umask; the others are made with 0777, before the umask, as
 *        mkdir -p does.
 *
 *  Returns 0, also where it is there; -EEXIST something else is; -ENOTDIR, -EACCES ...  What it had
 *  made before an error, or a cancel, stays.  weft_error_detail() tells which one could not be
 *  made.  Source: os.makedirs(exist_ok=True). */
WEFT_API int weft_makedirs(const char *path, unsigned mode);

/** Takes an empty directory away.  Returns 0; -ENOTEMPTY, -ENOENT, -EBUSY ...  Source: rmdir(2). */
WEFT_API int weft_rmdir(const char *path);

WEFT_END_DECLS

#endif
