/* SPDX-License-Identifier: MIT
 * Writing without SIGPIPE.
 *
 * The signal of a write goes to the thread that wrote.  It is blocked, the write is made, and one
 * that has come of it is taken from what is pending, unless one was pending before; then the mask
 * is as it was. */
#include "core/io/quiet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/sendfile.h>
#else
/* Other systems have another call of this name, or none: through our own memory, piece by piece.
 * The place in the file moves by what has gone, so what has not is read again. */
static ssize_t sendfile(int to, int from, off_t *offset, size_t count)
{
    char piece[8192];
    off_t place = offset ? *offset : lseek(from, 0, SEEK_CUR);
    ssize_t n = -1;

    count = count < sizeof piece ? count : sizeof piece;
    if (place >= 0) {
        n = pread(from, piece, count, place);
    }
    if (n > 0) {
        n = write(to, piece, (size_t)n);
    }
    if (n > 0 && offset) {
        *offset += n;
    } else if (n > 0) {
        (void)lseek(from, place + n, SEEK_SET);
    }
    return n;
}
#endif

struct quiet {
    sigset_t pipe, before;
    bool is_pending; /* the program blocks it, and one came of something else: its affair */
};

static void hold_back(struct quiet *quiet)
{
    sigemptyset(&quiet->pipe);
    sigaddset(&quiet->pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &quiet->pipe, &quiet->before);
    quiet->is_pending = false;
    if (sigismember(&quiet->before, SIGPIPE) == 1) {
        sigset_t pending;

        quiet->is_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    }
}

/* Keeps errno. */
static void let_go(struct quiet *quiet, ssize_t result)
{
    int saved = errno;

    if (result < 0 && saved == EPIPE && !quiet->is_pending) {
        while (sigtimedwait(&quiet->pipe, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
    errno = saved;
}

ssize_t weft__quiet_writev(int fd, const struct iovec *parts, int count)
{
    struct quiet quiet;
    ssize_t n;

    hold_back(&quiet);
    n = writev(fd, parts, count);
    let_go(&quiet, n);
    return n;
}

ssize_t weft__quiet_sendfile(int to, int from, off_t *offset, size_t count)
{
    struct quiet quiet;
    ssize_t n;

    hold_back(&quiet);
    n = sendfile(to, from, offset, count);
    let_go(&quiet, n);
    return n;
}
