/* SPDX-License-Identifier: MIT
 * What systems call differently where files are read, written and kept. */
#include "core/io/sys_file.h"

#include "core/base/mem.h"

#include <errno.h>
#include <stdio.h>

/* ---- a file of one's own ---- */

#define AGAIN (O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

#if defined(__linux__) && !defined(WEFT__PORTABLE)

int weft__sys_open_again(int fd, int mode)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return WEFT__SYS(open(path, mode | AGAIN));
}

#else

/* /dev/fd gives another name of the same open file: only a terminal has a path. */
int weft__sys_open_again(int fd, int mode)
{
    char path[256];

    if (!isatty(fd) || ttyname_r(fd, path, sizeof path) != 0) {
        errno = ENOTSUP;
        return -1;
    }
    return WEFT__SYS(open(path, mode | AGAIN));
}

#endif

/* ---- on the disk ---- */

#ifdef __APPLE__

int weft__sys_sync(int fd)
{
    int r = fcntl(fd, F_FULLFSYNC);

    return r < 0 && errno != EIO && errno != EBADF ? fsync(fd) : r; /* not every file system can */
}

/* Room is asked for from the end of what the file has already. */
int weft__sys_allocate(int fd, off_t offset, off_t size)
{
    off_t end = offset + size;
    struct stat is;

    if (offset < 0 || size <= 0 || end < 0) {
        return end < 0 ? EFBIG : EINVAL;
    }
    if (fstat(fd, &is) < 0) {
        return errno;
    }
    fstore_t room = { .fst_flags = F_ALLOCATEALL,
                      .fst_posmode = F_PEOFPOSMODE,
                      .fst_length = end - (off_t)is.st_blocks * 512 };
    if (room.fst_length > 0 && fcntl(fd, F_PREALLOCATE, &room) < 0) {
        return errno == ENOTSUP ? EOPNOTSUPP : errno;
    }
    return end > is.st_size && ftruncate(fd, end) < 0 ? errno : 0;
}

#elif defined(__OpenBSD__)

int weft__sys_allocate(int fd, off_t offset, off_t size)
{
    if (offset < 0 || size <= 0) {
        return EINVAL;
    }
    return fcntl(fd, F_GETFD) < 0 ? errno : EOPNOTSUPP;
}

#endif
