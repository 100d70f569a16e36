/* SPDX-License-Identifier: MIT
 * Serving on all cores, inside.
 *
 *     asked --thread--> runs --its main ends, or is cancelled--> ended --told by an event--> joined
 *
 * What the threads share is behind one lock.  A stop is a post that is a part of the worker: it
 * needs no memory, and is called in the worker's loop in any case, if only when that closes. */
#ifndef WEFT_CORE_SERVE_H
#define WEFT_CORE_SERVE_H

#include "core/base/list.h"
#include "core/io/listen.h"
#include "core/sched/handle.h"

#include <pthread.h>
#include <weft/event.h>
#include <weft/serve.h>

/* A place where all threads listen. */
struct weft__spot {
    struct weft__list link;
    weft_address asked;        /* as the threads ask for it */
    weft_address at;           /* with the port that it has */
    struct weft__bound shared; /* what all have a duplicate of; fd -1: each has its own */
    bool has_own;              /* SO_REUSEPORT worked */
};

struct weft_worker {
    struct weft__serve *serve;
    unsigned index;
    pthread_t thread;
    bool begun, ended;        /* under the lock */
    bool counted;             /* by who waits: it has ended, and was joined */
    weft_loop *loop;          /* under the lock: while its main can be stopped; else NULL */
    weft_task *task;          /* its main, in its own thread; NULL: there is none now */
    struct weft__handle post; /* the stop */
    int status;
};

struct weft__serve {
    pthread_mutex_t lock;
    weft_worker_main *main;
    void *arg;
    const weft_serve_options *options;
    char prefix[11];
    unsigned count;
    weft_worker *workers;
    atomic_bool stopping;
    weft_event changed; /* somebody has ended, or asks for a stop */
    struct weft__list spots;
};

/* In run/serve_listen.c: closes what the spots have. */
void weft__spots_end(struct weft__serve *serve);

#endif
