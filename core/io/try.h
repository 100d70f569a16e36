/* SPDX-License-Identifier: MIT
 * Trying first: what every call on a descriptor does. */
#ifndef WEFT_CORE_TRY_H
#define WEFT_CORE_TRY_H

#include "core/base/hook.h"
#include "core/base/mem.h"
#include "core/sched/fdwait.h"
#include "core/sched/misuse.h"

#include <errno.h>
#include <sys/socket.h>

/* The task that may begin a call now: NULL and -EPERM, -ECHILD, or -ECANCELED after a turn. */
static inline struct weft__task *weft__io_begin(int *ret_error)
{
    struct weft__task *task = weft__self(ret_error);

    if (!task) {
        *ret_error = weft__misuse(*ret_error);
    } else if (task->cancelled) {
        weft__task_yield(task);
        *ret_error = -ECANCELED;
        return NULL;
    }
    return task;
}

/* What to do after a call that said no: 0, it is tried again; or the error that ends it. */
static inline int weft__io_again(struct weft__task *task, int fd, uint32_t events)
{
    int error = errno;

    if (error == EAGAIN && events) {
        return weft__fd_wait_in(task, fd, events);
    }
    return error == EINTR ? 0 : weft__fd_refused(task->loop, fd, -error);
}

/* Waits a moment for what no descriptor tells, room in a queue that is another socket's; with a
 * look, before and after, at whose number this is.  0; -EBADF, also when it is another file's now;
 * -ECANCELED. */
int weft__io_pause(int fd);

/* weft__io_again() for what may be reported ready in vain, and again at once: each second time it
 * pauses.  `*was_vain` is the caller's, false at first. */
static inline int weft__io_again_slowly(struct weft__task *task, int fd, uint32_t events,
                                        bool *was_vain)
{
    if (errno == EAGAIN && events) {
        *was_vain = !*was_vain;
        return *was_vain ? weft__fd_wait_in(task, fd, events) : weft__io_pause(fd);
    }
    return weft__io_again(task, fd, events);
}

/* The same for what is sent to an address: the queue of a Unix socket may be full, of which its
 * senders are not told.  They can write, and fail again. */
static inline int weft__io_again_to(struct weft__task *task, int fd, uint32_t events,
                                    const struct sockaddr *to, bool *was_full)
{
    return to && to->sa_family == AF_UNIX ? weft__io_again_slowly(task, fd, events, was_full) :
                                            weft__io_again(task, fd, events);
}

/* A descriptor that has just been opened: what the loop of this thread knows of its number is of a
 * file that was closed without weft_close().  Returns it. */
static inline int weft__io_fresh(int fd)
{
    struct weft__loop *loop = weft__running;

    if (loop && (uint32_t)fd < loop->watches_size && loop->watches[fd] &&
        !weft__loop_is_inherited(loop)) {
        if (loop->observer) {
            weft__hooks.fd(loop, fd, WEFT__FD_OPENED);
        }
        weft__fd_forget(loop, fd);
    }
    return fd;
}

/* weft_connect() in a task that is known; `flags` as for a wait. */
int weft__io_connect(struct weft__task *task, int fd, const struct sockaddr *address,
                     socklen_t length, uint32_t flags);

/* Makes `call` until it has done something or failed for good, and returns from the function.  `to`
 * is whom it sends to, or NULL. */
#define WEFT__IO_TRY_TO(fd, events, to, call)                                   \
    do {                                                                        \
        int error_ = 0;                                                         \
        bool was_full_ = false;                                                 \
        struct weft__task *task_ = weft__io_begin(&error_);                     \
                                                                                \
        while (task_ && error_ == 0) {                                          \
            ssize_t done_ = WEFT__SYS(call);                                    \
                                                                                \
            if (done_ >= 0) {                                                   \
                weft__task_spend_turn(task_);                                   \
                return done_;                                                   \
            }                                                                   \
            error_ = weft__io_again_to(task_, fd, events, to, &was_full_);      \
        }                                                                       \
        return error_;                                                          \
    } while (0)

#define WEFT__IO_TRY(fd, events, call) WEFT__IO_TRY_TO(fd, events, NULL, call)

#endif
