/* SPDX-License-Identifier: MIT
 * libuv: what its two files share.
 *
 * Handles that were closed belong to libuv until its next iteration, so none of them lies in the
 * core's memory: each polled descriptor is a block of its own, freed by its close callback. */
#ifndef WEFT_BACKENDS_UV_H
#define WEFT_BACKENDS_UV_H

#include <weft/backend.h>

#include <uv.h>

typedef struct uv_host uv_host;

typedef struct polled {
    uv_poll_t poll; /* first: libuv's handle is ours */
    uv_host *host;
    uint64_t token;
    uint32_t events; /* asked for */
    int fd;
    bool fresh;                /* libuv has not told the kernel yet */
    struct polled *next, **at; /* in the host's list */
    struct polled *next_fresh;
} polled;

typedef struct uv_watch {
    polled *polled;
} uv_watch;

struct uv_host {
    const weft_backend_core *core;
    void *loop; /* the core's */
    uv_loop_t *uv;
    uv_timer_t timer;
    uv_idle_t soon;
    uv_async_t wake;
    uv_prepare_t before;
    uv_check_t after;
    polled *watches, *fresh, *guest, *fine;
    int64_t timer_at;   /* milliseconds, when `timer` is due; WEFT_BACKEND_NEVER: it is not */
    int64_t fine_armed; /* the same for `fine`, in nanoseconds */
    int fine_fd;
    pid_t pid; /* whose it is: another's in a forked child */
    int open;  /* handles that libuv still has */
    bool adopted, closing;
    bool happened; /* an event of this iteration is not pumped yet */
    uv_loop_t own;
};

/* In watch.c.  Watches a descriptor of the host's loop from uv_poll_start() on. */
int weft_uv_poll(uv_host *host, int fd, uint64_t token, polled **ret_polled);
int weft_uv_start(polled *p, uint32_t events, uv_poll_cb callback);
void weft_uv_end(polled *p);

/* In each iteration before it blocks. */
void weft_uv_before(uv_prepare_t *handle);

/* The members of weft_backend_ops that are about descriptors. */
int weft_uv_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token);
int weft_uv_rewatch(void *be, void *watch, uint32_t events);
int weft_uv_unwatch(void *be, void *watch);
int weft_uv_guest(void *be, int fd);

/* In uv.c: has the core look round, if nobody runs it. */
void weft_uv_pump(uv_host *host);

/* libuv has freed a handle. */
void weft_uv_let_go(uv_host *host);

#endif
