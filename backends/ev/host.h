/* SPDX-License-Identifier: MIT
 * What the two files of the backend ev share. */
#ifndef WEFT_BACKENDS_EV_HOST_H
#define WEFT_BACKENDS_EV_HOST_H

#include <weft/backend.h>

#include <errno.h>
#include <ev.h>
#include <string.h> /* libev's macros call memmove() */

typedef struct ev_watch {
    ev_io io;                         /* first: its address is the watch's */
    uint64_t token;                   /* the core's */
    struct ev_watch *next, *previous; /* all watches, fresh ones in front */
    bool fresh;                       /* changed since libev has iterated last */
    bool odd;                         /* our own epoll has it */
} ev_watch;

typedef struct ev_host {
    const weft_backend_core *core;
    void *owner;          /* the core's loop */
    struct ev_loop *loop; /* NULL after a fork_child() that failed */
    ev_watch *watches;
    ev_watch *next;    /* the watch to be looked at next, while they are */
    int64_t armed;     /* what the timerfd is set to, WEFT_BACKEND_NEVER for nothing */
    int64_t wanted;    /* the deadline of arm(), never before `armed` */
    ev_io timer;       /* the timerfd */
    ev_io odd;         /* our own epoll; fd -1 in guest mode */
    ev_io guest;       /* the core's poller */
    ev_timer soon;     /* pump() in the next iteration */
    ev_prepare before; /* each iteration, where others than run() may iterate */
    ev_watcher turn;   /* fed, never started: pump(), behind all others of an iteration */
    int wake_fd;       /* an eventfd; wake() reads the number on other threads */
    int depth;         /* calls of pump() that have not returned */
    bool direct;       /* each descriptor is watched */
    bool adopted;      /* the loop is the program's */
    bool held;         /* and we keep it alive */
    bool known;        /* the program has got hold of it */
    bool running;      /* inside run() */
    bool asked;        /* pump() shall be called at its end */
    bool spent;        /* the timerfd has fired and is readable since */
} ev_host;

/* ev.c */

/* Has pump() called when libev is through with what is ready now. */
void weft_ev_ask_for_turn(ev_host *host);

/* watch.c */

/* Our own epoll: the eventfd of wake(), and the watches for which libev has no word. */
int weft_ev_open_odd(ev_host *host);
void weft_ev_on_odd(struct ev_loop *loop, ev_io *io, int revents);

/* Looks at what is new, of which libev tells the kernel next. */
void weft_ev_check_fresh(ev_host *host);

int weft_ev_watch(void *be, void *memory, int fd, uint32_t events, uint64_t token);
int weft_ev_rewatch(void *be, void *memory, uint32_t events);
int weft_ev_unwatch(void *be, void *memory);

/* Watchers of ours do not keep a loop of the program's alive. */
static inline void weft_ev_start(ev_host *host, ev_io *io)
{
    ev_io_start(host->loop, io);
    if (host->adopted) {
        ev_unref(host->loop);
    }
}

/* One that libev has stopped, since the kernel did not take it, is pending until it has told so. */
static inline void weft_ev_stop(ev_host *host, ev_io *io)
{
    if (host->adopted && (ev_is_active(io) || ev_is_pending(io))) {
        ev_ref(host->loop);
    }
    ev_io_stop(host->loop, io);
}

#endif
