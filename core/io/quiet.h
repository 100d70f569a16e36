/* SPDX-License-Identifier: MIT
 * Writing without SIGPIPE, also where no flag keeps it away. */
#ifndef WEFT_CORE_QUIET_H
#define WEFT_CORE_QUIET_H

#include <sys/types.h>
#include <sys/uio.h>

/* writev(2) to something that is no socket.  Whoever reads it may go at any moment, so the signal
 * is held back during the call, in this thread, and taken out again if it came of that. */
ssize_t weft__quiet_writev(int fd, const struct iovec *parts, int count);

/* sendfile(2) in the same way. */
ssize_t weft__quiet_sendfile(int to, int from, off_t *offset, size_t count);

#endif
