/* SPDX-License-Identifier: MIT
 * What systems call differently where files are read, written and kept. */
#ifndef WEFT_CORE_SYS_FILE_H
#define WEFT_CORE_SYS_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__linux__) && !defined(WEFT__PORTABLE)
#include <sys/sendfile.h>
#define weft__sys_sendfile sendfile
#else
/* Linux's sendfile(2): to anything that can be written, and `*offset` moves by what has gone; of
 * NULL it is the file's own place. */
ssize_t weft__sys_sendfile(int to, int from, off_t *offset, size_t count);
#endif

/* copy_file_range(2) to where `to` stands, which FreeBSD has, too; and sendfile(2) from one file to
 * another, which only Linux's does.  ENOSYS: there is none. */
#if (defined(__linux__) || defined(__FreeBSD__)) && !defined(WEFT__PORTABLE)
static inline ssize_t weft__sys_copy_range(int from, off_t *at, int to, size_t size)
{
    return copy_file_range(from, at, to, NULL, size, 0);
}
#else
static inline ssize_t weft__sys_copy_range(int from, off_t *at, int to, size_t size)
{
    (void)from, (void)at, (void)to, (void)size;
    errno = ENOSYS;
    return -1;
}
#endif
#if defined(__linux__) && !defined(WEFT__PORTABLE)
static inline ssize_t weft__sys_copy_between(int from, off_t *at, int to, size_t size)
{
    return sendfile(to, from, at, size);
}
#else
static inline ssize_t weft__sys_copy_between(int from, off_t *at, int to, size_t size)
{
    (void)from, (void)at, (void)to, (void)size;
    errno = ENOSYS;
    return -1;
}
#endif

/* When a file was read and written last, by its struct stat. */
#ifdef __APPLE__
#define WEFT__ATIME(is) ((is).st_atimespec)
#define WEFT__MTIME(is) ((is).st_mtimespec)
#else
#define WEFT__ATIME(is) ((is).st_atim)
#define WEFT__MTIME(is) ((is).st_mtim)
#endif

/* fsync(2), fdatasync(2), posix_fallocate(3): what they return, with their errno.  On macOS only an
 * own request makes the disk write what it has; OpenBSD has no way to reserve room. */
#ifdef __APPLE__
int weft__sys_sync(int fd);
#define weft__sys_sync_data weft__sys_sync
#else
#define weft__sys_sync fsync
#define weft__sys_sync_data fdatasync
#endif
#if defined(__APPLE__) || defined(__OpenBSD__)
int weft__sys_allocate(int fd, off_t offset, off_t size);
#else
#define weft__sys_allocate posix_fallocate
#endif

/* A descriptor that leads to the same pipe or terminal, of an open file of its own, so that it need
 * not block where others' does: close-on-exec, non-blocking.  -1 and errno; ENOTSUP: there is no
 * way to one. */
int weft__sys_open_again(int fd, int mode);

#endif
