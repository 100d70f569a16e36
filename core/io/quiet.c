/* SPDX-License-Identifier: MIT
 * Writing without SIGPIPE. */
#include "core/io/quiet.h"

#include "core/io/sys_file.h"

#include <fcntl.h>

#ifdef F_SETNOSIGPIPE
#include "core/io/sigpipe_flag.h"
#else
#include "core/io/sigpipe_mask.h"
#endif

ssize_t weft__quiet_writev(int fd, const struct iovec *parts, int count)
{
    struct weft__quiet quiet;
    ssize_t n;

    weft__hold_back(&quiet, fd);
    n = writev(fd, parts, count);
    weft__let_go(&quiet, n);
    return n;
}

ssize_t weft__quiet_sendfile(int to, int from, off_t *offset, size_t count)
{
    struct weft__quiet quiet;
    ssize_t n;

    weft__hold_back(&quiet, to);
    n = weft__sys_sendfile(to, from, offset, count);
    weft__let_go(&quiet, n);
    return n;
}
