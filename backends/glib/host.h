/* SPDX-License-Identifier: MIT
 * What the two files of the backend glib share. */
#ifndef WEFT_BACKENDS_GLIB_HOST_H
#define WEFT_BACKENDS_GLIB_HOST_H

#include <weft/backend.h>

#include <errno.h>
#include <glib.h>
#include <sys/types.h>

typedef struct glib_watch {
    GPollFD poll;                       /* what is asked for, and what GLib has found ready */
    uint64_t token;                     /* the core's */
    struct glib_watch *next, *previous; /* all watches */
} glib_watch;

typedef struct glib_host {
    const weft_backend_core *core;
    void *owner;           /* the core's loop */
    GMainContext *context; /* NULL after a fork_child() that failed */
    GSource *source;       /* ours in it */
    glib_watch *watches;
    glib_watch *next;   /* the watch to be looked at next, while they are */
    int64_t deadline;   /* run()'s, until it has come */
    int64_t armed;      /* what the timerfd is set to, WEFT_BACKEND_NEVER for nothing */
    int64_t wanted;     /* the deadline of arm(), never before `armed` */
    int64_t ready_time; /* our source's, in microseconds; -1: none */
    GPollFD guest;      /* the core's poller; -1, like the next two, where there is none */
    GPollFD wake;       /* an eventfd; wake() reads its number on other threads */
    GPollFD timer;      /* a timerfd */
    int waker;          /* GLib's own eventfd, in a context of ours */
    pid_t process;      /* that opened it */
    int priority;       /* of our source */
    int depth;          /* calls of pump() that have not returned */
    bool direct;        /* each descriptor is watched */
    bool adopted;       /* the context is the program's */
    bool spent;         /* the timerfd has fired and is readable since */
    bool looked;        /* an iteration within a turn has called pump(): the next one may block */
    bool asked;         /* pump() shall be called at the end of run() */
} glib_host;

/* context.c */

/* The host whose run() this thread is in. */
extern _Thread_local glib_host *weft_glib_running;

int weft_glib_open_eventfd(glib_host *host, int *ret_fd);
int weft_glib_new_context(glib_host *host);
int weft_glib_adopt_context(glib_host *host, GMainContext *context);

/* Makes the context the thread's default, in place of another loop's of ours. */
void weft_glib_push(GMainContext *context);

/* Before a context of ours is given back. */
void weft_glib_leave_context(glib_host *host);

#endif
