/* SPDX-License-Identifier: MIT
 * As much of kqueue(2) as backends/kqueue and core/proc use, so that they compile on Linux;
 * kqueue.c beside this folder does it with epoll.  Names and order of members are FreeBSD's,
 * numbers are our own. */
#ifndef WEFT_TEST_SYS_EVENT_H
#define WEFT_TEST_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#ifndef WEFT_TEST_NO_USER /* OpenBSD */
#define EVFILT_USER (-11)
#define NOTE_TRIGGER 0x01000000u
#endif
#ifdef WEFT_TEST_EXCEPT /* macOS, OpenBSD, DragonFly */
#define EVFILT_EXCEPT (-15)
#define NOTE_OOB 0x2u
#endif

#define EVFILT_PROC (-5)
#define NOTE_EXIT 0x80000000u

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    int64_t data;
    void *udata;
};

#define EV_SET(at, i, f, fl, ff, d, u)    \
    (*(at) = (struct kevent){             \
         .ident = (i),                    \
         .filter = (short)(f),            \
         .flags = (unsigned short)(fl),   \
         .fflags = (ff),                  \
         .data = (d),                     \
         .udata = (void *)(uintptr_t)(u), \
     })

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int max,
           const struct timespec *timeout);

#endif
