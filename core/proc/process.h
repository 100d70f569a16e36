/* SPDX-License-Identifier: MIT
 * Processes from inside: the record of a child, and the list of a loop's children.
 *
 *     made --watched--> running --its end is seen--> reaped: the status is there
 *                          \-- its loop closes: killed and reaped, or (detached) left alone
 *
 * The end is seen by a watch on the pidfd, or, where that cannot be, by a thread that waits for
 * this one child (the keeper) and posts it.  Either way the loop's own thread reaps, so that nobody
 * sends a signal to a number that was given away meanwhile.
 *
 * A record stays while it has holds (the user's), while it runs and its loop wants to reap it, and
 * while somebody waits (pins). */
#ifndef WEFT_CORE_PROCESS_H
#define WEFT_CORE_PROCESS_H

#include "core/base/list.h"
#include "core/sched/handle.h"
#include "core/sync/waitq.h"

#include <weft/process.h>
#include <weft/stream.h>

#define WEFT__PROCESS_NAME_MAX 32

/* Who sees the end. */
enum weft__process_watch {
    WEFT__UNWATCHED, /* it was reaped, or its loop is closed */
    WEFT__WATCHED,   /* the loop, by the pidfd */
    WEFT__KEPT,      /* a keeper */
};

struct weft__keeper; /* proc/children.c */
struct weft__talker;
struct weft__talk;   /* what a weft_process_communicate() has come to (proc/communicate.c) */

/* Which of its pipes is our side of its terminal. */
#define WEFT__PTY 3

struct weft_process {
    struct weft__list link;   /* in the loop's children, while it is watched */
    struct weft__loop *loop;  /* NULL: it is closed */
    uint32_t epoch;           /* weft__fork_epoch() when it was made */
    uint32_t refs;            /* the user's holds */
    uint32_t pins;            /* those who wait in it */
    pid_t pid;
    int pidfd;                /* -1: it was reaped, or there are none */
    int pipes[4];             /* our ends; -1: none, taken, closed, or a stream's */
    weft_stream *streams[4];  /* of the pipes; NULL: nobody has asked for it */
    size_t limit;             /* of the streams */
    int status;               /* how it ended; -EINPROGRESS, -ECHILD: lost */
    int watch;                /* weft__process_watch */
    bool detached;
    bool killed;              /* nobody holds it: it was sent SIGKILL */
    bool leads;               /* a process group of its own */
    bool taken;               /* a pipe was given to the user */
    bool expected;            /* it is counted in loop->expected */
    weft_waitq ended;         /* who waits for its end */
    struct weft__keeper *keeper; /* while WEFT__KEPT */
    struct weft__talk *talk;  /* NULL: never begun, or over */
    struct weft__talker *talker; /* who communicates now, in its frame; NULL: nobody */
    char name[WEFT__PROCESS_NAME_MAX]; /* of the program, for reports */
};

/* Has the loop see its end, until weft__process_unwatch().  Fails without a trace. */
int weft__process_watch(struct weft_process *process, struct weft__loop *loop);
void weft__process_unwatch(struct weft_process *process);

/* Whether a virtual clock goes as fast as the real one because of it. */
void weft__process_expect(struct weft_process *process, bool expected);

/* In process.c: its end was seen, or its loop lets go of it; `status` is final. */
void weft__process_ended(struct weft_process *process, int status);

/* Frees the record when nobody needs it any more. */
void weft__process_release(struct weft_process *process);

/* A call in the process's own thread: 0, -EINVAL, -ECHILD, -EXDEV.  One whose loop is closed
 * passes; its status is there. */
int weft__process_check(const struct weft_process *process);

/* Sends a signal to one that was not reaped: 0 or a negative errno. */
int weft__process_signal(const struct weft_process *process, int signum);

/* In pipes.c: whether somebody has asked for a stream; closes them, whoever waits. */
bool weft__process_has_streams(const struct weft_process *process);
void weft__process_close_streams(struct weft_process *process);

/* In communicate.c: ends the wait of who communicates; frees what it has come to. */
void weft__talk_interrupt(struct weft_process *process, int status);
void weft__talk_free(struct weft__talk *talk);

#endif
