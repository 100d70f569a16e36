/* SPDX-License-Identifier: MIT
 * Directories: what is in them, and whole trees.
 *
 *     weft_dir *dir;
 *     const weft_dir_entry *entry;
 *
 *     r = weft_dir_open("/etc", NULL, &dir);
 *     while (r >= 0 && (r = weft_dir_next(dir, &entry)) > 0) { puts(entry->name); }
 *     weft_dir_close(dir);
 *
 * A directory is read in a thread, some hundred entries at a time, so that one with millions of
 * them takes little memory, and most steps take no wait.  "." and ".." are left out; the order is
 * the file system's.  An entry that stays while the directory is read is told once; one that is
 * made or taken away meanwhile may be told or not.
 *
 * With `.recursive` the whole tree is read, each directory before what is in it.  Symbolic links
 * are told, and followed only if asked: then a directory above itself is told with -ELOOP, and not
 * gone into.  However deep it is, at most 32 descriptors are open.
 *
 * What <weft/file.h> says of cancels, and of errors that every call may return, holds here. */
#ifndef WEFT_DIR_H
#define WEFT_DIR_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

struct stat; /* <sys/stat.h>; on 32-bit systems that of -D_FILE_OFFSET_BITS=64 */

/** A directory, or a tree, that is being read.  A plain pointer: not to be used once closed. */
typedef struct weft_dir weft_dir;

/** All zero, or a NULL pointer to one: the names and types in one directory. */
typedef struct weft_dir_options {
    bool recursive;     /* and in those below it */
    bool stat;          /* entries have `stat`: a look at each, made in the thread */
    bool follow;        /* symbolic links count as what they lead to */
    bool after;         /* directories are told once more, after what is in them */
    bool one_device;    /* directories of other file systems are told, but not gone into */
    unsigned max_depth; /* how deep it goes, 1: not below the first; 0: no limit */
    void *reserved[4];  /* zero */
} weft_dir_options;

/** An entry; valid until the next call with its weft_dir. */
typedef struct weft_dir_entry {
    const char *name;        /* its last part */
    const char *path;        /* the path that was opened, and the way from there */
    const struct stat *stat; /* with the option `stat`; else NULL */
    unsigned depth;          /* 1: in the directory that was opened */
    unsigned type;           /* S_IFREG, S_IFDIR, S_IFLNK ...: S_ISDIR(entry->type) */
    int error;               /* 0; of a directory that cannot be gone into: why */
    bool is_after;           /* the directory again, see `after` */
} weft_dir_entry;

/** Opens a directory, and reads the first entries.
 *
 *  path     borrowed during the call.  A link to a directory is followed.
 *  options  borrowed during the call; may be NULL.
 *  ret_dir  to be closed; untouched on error.
 *
 *  Returns 0; -ENOENT, -ENOTDIR, -EACCES, -EMFILE ...  Source: opendir(3), os.scandir(). */
WEFT_API WEFT_MUST_USE int weft_dir_open(const char *path, const weft_dir_options *options,
                                         weft_dir **ret_dir);

/** Goes to the next entry.
 *
 *  ret_entry  borrowed, until the next call; untouched when there is none.
 *
 *  Returns 1; 0 there are no more; -EIO, -ENOMEM, and whatever else reading may come to: the next
 *  call goes on where it can; -EBUSY another task is reading it.  A cancellation point: where it is
 *  cancelled no entry is lost.  Source: readdir(3). */
WEFT_API int weft_dir_next(weft_dir *dir, const weft_dir_entry **ret_entry);

/** Does not go into the directory that was the last entry, or what is left of it.
 *
 *  Returns 0; -EINVAL there is no last entry, or it is no directory.  Not a cancellation point. */
WEFT_API int weft_dir_skip(weft_dir *dir);

/** Closes a directory, also in a task that is cancelled.
 *
 *  dir  taken; NULL is allowed.
 *
 *  Returns NULL.  A wait that protects memory, where not all was read.  Source: closedir(3). */
WEFT_API weft_dir *weft_dir_close(weft_dir *dir);

/** Takes a directory away with all that is in it, or a single file.  Symbolic links are taken away,
 *  not followed, also where somebody puts them in the way meanwhile.
 *
 *  Returns 0; -ENOENT it is not there; or the first error, with the path in weft_error_detail():
 *  all that could be taken away is gone then.  What others make in it meanwhile goes, too, or
 *  -ENOTEMPTY tells of it.  When the task is cancelled it stops, and what is left stays:
 *  -ECANCELED, unless all was gone already.  Source: shutil.rmtree(). */
WEFT_API int weft_rmtree(const char *path);

WEFT_END_DECLS

#endif
