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

/* Sets a mode that was there, also from the background.  Async-signal-safe. */
static int set_back(int fd, const struct termios *before)
{
    sigset_t output, mask;
    int r;

    sigemptyset(&output);
    sigaddset(&output, SIGTTOU); /* blocked it does not stop one in the background */
    pthread_sigmask(SIG_BLOCK, &output, &mask);
    r = WEFT__SYS(tcsetattr(fd, TCSANOW, before)) < 0 ? -errno : 0;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return r;
}

/* Puts the mode back and has the place free, whatever comes of it. */
static int put_back(struct place *place)
{
    int r = set_back(place->fd, &place->before);

    atomic_store(&place->state, UNUSED);
    return r;
}

/* Takes the place of a change that was not put back yet. */
static bool take_changed(struct place *place, const weft_tty_mode *handle)
{
    int state = CHANGED;

    return handle_of(place) == handle &&
           atomic_compare_exchange_strong(&place->state, &state, IN_HAND);
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

/* Changes the mode.  A handler of signals that puts all back finds it from before it is changed, so
 * nothing falls between; what was put back meanwhile stays so. */
static int change(struct place *place, int fd, const struct termios *mode, weft_tty_mode **ret_mode)
{
    struct termios before = place->before;
    int r;

    place->fd = fd;
    atomic_store(&place->serial, atomic_fetch_add(&serials, 1) + 1);
    *ret_mode = handle_of(place);
    atomic_store(&place->state, CHANGED);
    r = WEFT__SYS(tcsetattr(fd, TCSANOW, mode)) < 0 ? -errno : 0;
    if (take_changed(place, *ret_mode)) {
        atomic_store(&place->state, r < 0 ? UNUSED : CHANGED);
    } else if (r == 0) {
        (void)set_back(fd, &before);
    }
    return r;
}

static int set_mode(int fd, void (*make)(struct termios *mode), weft_tty_mode **ret_before)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    weft_tty_mode *before;
    struct termios mode;
    struct place *place;
    uint32_t epoch;
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
        atomic_store(&place->state, UNUSED);
        return r;
    }
    mode = place->before;
    make(&mode);
    place->epoch = epoch;
    r = change(place, fd, &mode, &before);
    if (r == 0) {
        *ret_before = before;
    }
    return r;
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

    if (!before) {
        return 0;
    }
    if (!take_changed(place, before)) {
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
