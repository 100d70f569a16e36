/* SPDX-License-Identifier: MIT
 * Waiting for descriptors: any number of tasks for each, in both directions, beside the callbacks
 * that the user has set for it.
 *
 *     for (;;) {
 *         n = WEFT__SYS(read(fd, buffer, size));
 *         if (n >= 0 || errno != EAGAIN) { break; }
 *         r = weft__fd_wait(fd, WEFT_READABLE);
 *         if (r < 0) { return r; }
 *     }
 *
 * A descriptor is made known to the backend when a task first has to wait for it, for both
 * directions as they are needed, and stays known until weft_close(): to wait again costs no system
 * call.  Where the backend can it reports changes, not states (WEFT_EDGE), so whoever waits has
 * tried before, or says WEFT__FD_LEVEL; a change that comes while nobody waits is kept, and ends
 * the next wait at once.  A wait that ends says no more than that it is time to try again. */
#ifndef WEFT_CORE_FDWAIT_H
#define WEFT_CORE_FDWAIT_H

#include "core/sched/task.h"

/* Beside WEFT_READABLE, WEFT_WRITABLE and WEFT_PRIORITY. */
enum weft__fd_flags {
    /* Nobody has tried: a state that holds already ends the wait.  Costs a system call. */
    WEFT__FD_LEVEL = 1u << 16,
    /* The descriptor is closed by weft__fd_close() and in no other way.  Without this a wait that
     * begins some time after the last one makes sure, by a system call, that the number still is
     * the same file's. */
    WEFT__FD_OWNED = 1u << 17,
    /* A short read has just taken all that there was, so the wait begins without another try;
     * unless the end of the stream, or something urgent, may have come together with that. */
    WEFT__FD_DRAINED = 1u << 18,
};

/* One who waits, in the frame of a task. */
struct weft__fd_waiter {
    struct weft__fd_waiter *next, *prev; /* in the ring of its watch */
    struct weft__watch *watch;           /* NULL: the descriptor was closed */
    struct weft__task *task;             /* is woken; or */
    void (*tell)(struct weft__fd_waiter *waiter, int status); /* is called, unless NULL */
    uint32_t events;                     /* what for, with the flags */
    bool is_done;                        /* the wait has ended; the task had no turn yet */
};

/* Waits in the running task until a descriptor seems ready for one of `events`.
 *
 * Returns 0, at once for what is always ready (a regular file); -ECANCELED, -EBADF it is not open,
 * or weft_close() closed it meanwhile, whatever has its number now; -EOPNOTSUPP on a backend
 * without descriptors, -ENOMEM, -ENOSPC; -EPERM outside a task, -ECHILD.  A cancellation point. */
int weft__fd_wait(int fd, uint32_t events);

/* The same in a task that is known. */
int weft__fd_wait_in(struct weft__task *task, int fd, uint32_t events);

/* For who waits for other things as well: stands in line, with WEFT__FD_LEVEL.  `waiter` has its
 * task and `tell`, which is called once, at the earliest in the next look, and finds the waiter
 * out of the line.  0; 1 it is always ready, and nobody stands in line; an error as above. */
int weft__fd_enter(struct weft__loop *loop, struct weft__fd_waiter *waiter, int fd,
                   uint32_t events);

/* Leaves the line. */
void weft__fd_leave(struct weft__fd_waiter *waiter);

/* A descriptor is about to be closed, or has just been opened: whatever the loop knows of its
 * number is another file's.  Who waits is woken with -EBADF, callbacks are removed. */
void weft__fd_forget(struct weft__loop *loop, int fd);

/* A call or wait got this error for a descriptor, and returns it: debug mode tells of one that is
 * closed. */
int weft__fd_refused(struct weft__loop *loop, int fd, int error);

/* weft_close() for a loop that is known; NULL: none runs here. */
int weft__fd_close(struct weft__loop *loop, int fd);

#endif
