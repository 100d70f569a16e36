/* SPDX-License-Identifier: MIT
 * Terminals: modes that are put back, and sizes.
 *
 * What has to be put back lies in a few places of the program's own, without locks and without
 * memory from anybody, so that a signal handler can put it back. */
#include "core/base/mem.h"
#include "core/io/try.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <weft/signal.h>
#include <weft/terminal.h>

#define PLACES 16u

enum { UNUSED, IN_HAND, CHANGED };

/* A terminal whose mode was changed. */
static struct place {
    atomic_int state; /* who has it IN_HAND owns the rest */
    uint32_t epoch;   /* weft__fork_epoch() when it was changed */
    int fd;
    atomic_uintptr_t serial; /* of the change: later ones are higher */
    struct termios before;
} places[PLACES];

static atomic_uintptr_t serials;

/* Takes one that nobody uses, or that a parent has left; NULL: there is none. */
static struct place *take_place(void)
{
    for (unsigned i = 0; i < PLACES; i++) {
        int state = atomic_load(&places[i].state);

        if (state == UNUSED || (state == CHANGED && places[i].epoch != *weft__fork_word)) {
            if (atomic_compare_exchange_strong(&places[i].state, &state, IN_HAND)) {
                return &places[i];
            }
        }
    }
    return NULL;
}

/* A handle that tells the change, so that a spent one is known. */
static weft_tty_mode *handle_of(const struct place *place)
{
    return (weft_tty_mode *)(atomic_load(&place->serial) * PLACES + (uintptr_t)(place - places));
}

/* Puts the mode back and has the place free, whatever comes of it.  Async-signal-safe. */
static int put_back(struct place *place)
{
    sigset_t output, mask;
    int r = 0;

    sigemptyset(&output);
    sigaddset(&output, SIGTTOU); /* blocked it does not stop one in the background */
    pthread_sigmask(SIG_BLOCK, &output, &mask);
    if (WEFT__SYS(tcsetattr(place->fd, TCSANOW, &place->before)) < 0) {
        r = -errno;
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    atomic_store(&place->state, UNUSED);
    return r;
}

static void prepare(void)
{
    (void)atexit(weft_tty_restore_all); /* which fails in want of memory only: so be it */
}

static void make_cbreak(struct termios *mode)
{
    mode->c_lflag &= ~(tcflag_t)(ECHO | ICANON);
    mode->c_cc[VMIN] = 1;
    mode->c_cc[VTIME] = 0;
}

static int set_mode(int fd, void (*make)(struct termios *mode), weft_tty_mode **ret_before)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint32_t epoch;
    struct termios mode;
    struct place *place;
    int r = ret_before ? weft__fork_epoch(&epoch) : -EINVAL;

    if (r < 0) {
        return r;
    }
    pthread_once(&once, prepare);
    place = take_place();
    if (!place) {
        return -ENOBUFS;
    }
    if (WEFT__SYS(tcgetattr(fd, &place->before)) < 0) {
        r = -errno;
    }
    mode = place->before;
    make(&mode);
    if (r == 0 && WEFT__SYS(tcsetattr(fd, TCSANOW, &mode)) < 0) {
        r = -errno;
    }
    if (r < 0) {
        atomic_store(&place->state, UNUSED);
        return r;
    }
    place->fd = fd;
    place->epoch = epoch;
    atomic_store(&place->serial, atomic_fetch_add(&serials, 1) + 1);
    *ret_before = handle_of(place);
    atomic_store(&place->state, CHANGED);
    return 0;
}

int weft_tty_setraw(int fd, weft_tty_mode **ret_before)
{
    return set_mode(fd, cfmakeraw, ret_before);
}

int weft_tty_setcbreak(int fd, weft_tty_mode **ret_before)
{
    return set_mode(fd, make_cbreak, ret_before);
}

int weft_tty_restore(weft_tty_mode *before)
{
    struct place *place = &places[(uintptr_t)before % PLACES];
    int state = CHANGED;

    if (!before) {
        return 0;
    }
    if (handle_of(place) != before ||
        !atomic_compare_exchange_strong(&place->state, &state, IN_HAND)) {
        return -EBADF;
    }
    if (place->epoch != *weft__fork_word) {
        atomic_store(&place->state, CHANGED);
        return -ECHILD;
    }
    return put_back(place);
}

/* The one that was changed last, of this process; NULL: there is none. */
static struct place *newest(void)
{
    struct place *found = NULL;

    for (unsigned i = 0; i < PLACES; i++) {
        struct place *place = &places[i];

        if (atomic_load(&place->state) == CHANGED && place->epoch == *weft__fork_word &&
            (!found || atomic_load(&place->serial) > atomic_load(&found->serial))) {
            found = place;
        }
    }
    return found;
}

void weft_tty_restore_all(void)
{
    struct place *place;
    int saved = errno;

    while ((place = newest())) {
        int state = CHANGED;

        if (atomic_compare_exchange_strong(&place->state, &state, IN_HAND)) {
            (void)put_back(place);
        }
    }
    errno = saved;
}

/* ---- sizes ---- */

int weft_tcgetwinsize(int fd, struct winsize *ret_size)
{
    struct winsize size;

    if (!ret_size) {
        return -EINVAL;
    }
    if (WEFT__SYS(ioctl(fd, TIOCGWINSZ, &size)) < 0) {
        return -errno;
    }
    *ret_size = size;
    return 0;
}

int weft_tcsetwinsize(int fd, const struct winsize *size)
{
    if (!size) {
        return -EINVAL;
    }
    if (WEFT__SYS(ioctl(fd, TIOCSWINSZ, size)) < 0) {
        return -errno;
    }
    return 0;
}

int weft_tty_wait_winsize(int fd, struct winsize *size)
{
    struct winsize now;
    weft_signal_receiver *receiver;
    int r = size ? 0 : -EINVAL;

    if (r < 0 || !weft__io_begin(&r)) {
        return r;
    }
    r = weft_signal_receiver_open(WEFT_SIGNALS(SIGWINCH), &receiver); /* before the first look */
    if (r < 0) {
        return r;
    }
    while ((r = weft_tcgetwinsize(fd, &now)) == 0 && memcmp(&now, size, sizeof now) == 0) {
        r = weft_signal_receive(receiver);
        if (r < 0) {
            break;
        }
    }
    weft_signal_receiver_close(receiver);
    if (r == 0) {
        *size = now;
    }
    return r;
}
