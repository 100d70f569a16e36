/* SPDX-License-Identifier: MIT
 * A file sent by the calls of FreeBSD and macOS, which only know sockets; else through our own
 * memory, piece by piece. */
#include "core/io/sys_file.h"

#if !defined(__linux__) || defined(WEFT__PORTABLE)

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define LARGEST 0x7ffff000 /* bytes at once, as on Linux */

/* From `place`, by the kernel: whether it could, and in *ret_sent what has gone, or -1 and errno.
 * A socket that is full in the middle says EAGAIN, and how far it came. */
#if defined(__FreeBSD__)
static bool by_kernel(int to, int from, off_t place, size_t count, ssize_t *ret_sent)
{
    off_t sent = 0;
    int r = sendfile(from, to, place, count, NULL, &sent, 0);

    *ret_sent = r == 0 || sent > 0 ? (ssize_t)sent : -1;
    return *ret_sent >= 0 || (errno != ENOTSOCK && errno != EINVAL && errno != EOPNOTSUPP);
}
#elif defined(__APPLE__)
static bool by_kernel(int to, int from, off_t place, size_t count, ssize_t *ret_sent)
{
    off_t sent = (off_t)count;
    int r = sendfile(from, to, place, &sent, NULL, 0);

    *ret_sent = r == 0 || sent > 0 ? (ssize_t)sent : -1;
    if (r < 0 && errno != EAGAIN && errno != EINTR) {
        *ret_sent = -1; /* then it does not say */
    }
    return *ret_sent >= 0 || (errno != ENOTSOCK && errno != ENOTSUP && errno != EOPNOTSUPP);
}
#else
static bool by_kernel(int to, int from, off_t place, size_t count, ssize_t *ret_sent)
{
    (void)to, (void)from, (void)place, (void)count, (void)ret_sent;
    return false;
}
#endif

/* What has been read and has not gone is read again. */
static ssize_t by_hand(int to, int from, off_t place, size_t count)
{
    char piece[8192];
    ssize_t n = pread(from, piece, count < sizeof piece ? count : sizeof piece, place);

    return n > 0 ? write(to, piece, (size_t)n) : n;
}

ssize_t weft__sys_sendfile(int to, int from, off_t *offset, size_t count)
{
    off_t place = offset ? *offset : lseek(from, 0, SEEK_CUR);
    ssize_t n = -1;

    if (place < 0 || count == 0) { /* to the systems' calls 0 bytes are all there are */
        errno = offset ? EINVAL : errno;
        return place < 0 ? -1 : 0;
    }
    count = count < LARGEST ? count : LARGEST;
    if (!by_kernel(to, from, place, count, &n)) {
        n = by_hand(to, from, place, count);
    }
    if (n > 0 && offset) {
        *offset += n;
    } else if (n > 0) {
        (void)lseek(from, place + n, SEEK_SET);
    }
    return n;
}

#endif
