/* SPDX-License-Identifier: MIT
 * Files: the calls that every C programmer knows, without the wait for the disk.
 *
 *     int fd = weft_file_open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
 *     r = weft_file_write(fd, line, strlen(line));       this task waits, the others run
 *     weft_file_close(fd);
 *
 * A file is a descriptor, as open(2) makes it; it goes wherever one is wanted, and there is nothing
 * of weft's to free.  The disk is waited for in threads that do nothing else (CPUs + 4 of them at
 * the most, called "weft-file_0" ..., which begin when they are needed): the loop goes on, and the
 * jobs of weft_to_thread() stand in nobody's way.  Operations of several tasks run side by side,
 * those of one task one after the other.
 *
 * These calls are for files.  What may keep a reader waiting for ever (a pipe, a terminal, a
 * socket) would keep a thread: wait for its descriptor instead.
 *
 * A cancel takes an operation back that has not begun: -ECANCELED, and it did not happen.  One that
 * runs is waited for, since it uses the caller's memory, and its result is returned: no descriptor
 * is lost, and what was read is known.
 *
 * Every call here returns, beside what it names: -ECANCELED as above; -EINVAL for a NULL pointer;
 * -EPERM outside a task; -ENOMEM; -EAGAIN no thread could be made; -ECHILD after a fork; and
 * whatever the system call says.  Each is a cancellation point, and is called in a task. */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <weft/common.h> /* first: it refuses where there may be no <sys/types.h> */

#include <sys/types.h>

WEFT_BEGIN_DECLS

struct iovec; /* <sys/uio.h> */
struct stat;  /* <sys/stat.h>; on 32-bit systems that of -D_FILE_OFFSET_BITS=64 */

/** Opens a file.
 *
 *  path   borrowed during the call.
 *  flags  as for open(2); O_CLOEXEC is always set.
 *  mode   of a file that it makes (O_CREAT, O_TMPFILE), before the umask.
 *
 *  Returns the descriptor, to be given back with weft_file_close(); -ENOENT, -EACCES, -EEXIST,
 *  -EISDIR, -EMFILE, -ENAMETOOLONG, -ELOOP ...  Source: open(2). */
WEFT_API WEFT_MUST_USE int weft_file_open(const char *path, int flags, unsigned mode);

/** Closes a descriptor.
 *
 *  fd  taken, whatever is returned; nobody else may use it meanwhile.
 *
 *  Returns 0; -EBADF it is none; -EIO, -ENOSPC, -EDQUOT what was written earlier did not reach the
 *  disk.  It is closed also where the task is cancelled; outside a task, and where there is no
 *  thread for it, it is closed at once, which may block.  A wait that protects memory.
 *  Source: close(2). */
WEFT_API int weft_file_close(int fd);

/** Reads from where the file stands.
 *
 *  buffer  `size` bytes, written until the call returns.
 *
 *  Returns how many bytes were read: fewer than `size` only where the file ends, 0 at its end (also
 *  of a file that was truncated meanwhile); -EBADF, -EISDIR, -EIO.  Where all is in memory already
 *  (and 256 KiB at the most are asked for) no thread is needed: that costs what read(2) costs.
 *  Source: read(2). */
WEFT_API ssize_t weft_file_read(int fd, void *buffer, size_t size);

/** Reads from a place in the file, and leaves where it stands; tasks may do so side by side.
 *
 *  offset  in bytes, from the beginning; below 0 is -EINVAL.
 *
 *  Returns as weft_file_read(); -ESPIPE.  Source: pread(2). */
WEFT_API ssize_t weft_file_pread(int fd, void *buffer, size_t size, int64_t offset);

/** Writes where the file stands, or, with O_APPEND, at its end.
 *
 *  data  `size` bytes, read until the call returns.
 *
 *  Returns `size`, never less; an error, after which some of it may be written: -ENOSPC, -EDQUOT
 *  the disk is full, -EFBIG a limit on the file's size, -EBADF, -EPIPE, -EIO.  SIGXFSZ and SIGPIPE
 *  do not come.  A write that has begun is not cancelled.  Source: write(2). */
WEFT_API ssize_t weft_file_write(int fd, const void *data, size_t size);

/** Writes at a place in the file, and leaves where it stands; the rest as weft_file_write().
 *  Source: pwrite(2). */
WEFT_API ssize_t weft_file_pwrite(int fd, const void *data, size_t size, int64_t offset);

/** Reads into several buffers in their order.
 *
 *  parts   borrowed during the call, as what they point to; at most 1024.
 *  offset  a place in the file; -1: where it stands, which moves on.
 *
 *  Returns as weft_file_pread().  Source: preadv(2), readv(2). */
WEFT_API ssize_t weft_file_readv(int fd, const struct iovec *parts, int count, int64_t offset);

/** Writes several buffers in their order; all of it, as weft_file_write().
 *  Source: pwritev(2), writev(2). */
WEFT_API ssize_t weft_file_writev(int fd, const struct iovec *parts, int count, int64_t offset);

/** Moves to another place in the file: SEEK_SET, SEEK_CUR, SEEK_END; SEEK_DATA and SEEK_HOLE where
 *  the system has them.
 *
 *  Returns the new place; -EINVAL, -ESPIPE, -ENXIO, -EBADF.  Source: lseek(2). */
WEFT_API int64_t weft_file_seek(int fd, int64_t offset, int whence);

/** Returns how many bytes a file has; 0 for what has no size.  Source: fstat(2). */
WEFT_API int64_t weft_file_size(int fd);

/** Tells what the system knows of an open file.
 *
 *  ret_stat  untouched on error.
 *
 *  Returns 0; -EBADF, -EIO.  Source: fstat(2). */
WEFT_API int weft_file_stat(int fd, struct stat *ret_stat);

/** Makes a file `size` bytes long: what is beyond is gone, what is missing reads as zeros.
 *
 *  Returns 0; -EFBIG, -EBADF, -EINVAL it is no file that was opened for writing.
 *  Source: ftruncate(2). */
WEFT_API int weft_file_truncate(int fd, int64_t size);

/** Makes sure that there is room on the disk for a stretch of the file, which grows where it must.
 *
 *  Returns 0; -ENOSPC, -EFBIG, -EBADF; -EOPNOTSUPP the file system cannot, and the C library does
 *  not make up for it; on OpenBSD always.  Source: posix_fallocate(3). */
WEFT_API int weft_file_allocate(int fd, int64_t offset, int64_t size);

/** Waits until what was written is on the disk.
 *
 *  Returns 0; -EIO, -ENOSPC it is not, and may be lost; -EINVAL nothing that can be synchronised,
 *  -EBADF.  Source: fsync(2). */
WEFT_API int weft_file_fsync(int fd);

/** The same without times and whatever else reading it back does not need.
 *  Source: fdatasync(2). */
WEFT_API int weft_file_fdatasync(int fd);

WEFT_END_DECLS

#endif
