/* SPDX-License-Identifier: MIT
 * The records of watched descriptors: callbacks (sched/watch.c) and tasks that wait
 * (sched/fdwait.c).
 *
 * A record asks the backend for changes (WEFT_EDGE) while there are only tasks and the backend can.
 * With a callback, or where the backend cannot, it asks for states: then what nobody is interested
 * in any more is found out by an event that comes for nobody, and only then costs a call. */
#ifndef WEFT_CORE_WATCH_H
#define WEFT_CORE_WATCH_H

#include "core/sched/fdwait.h"
#include "core/sched/handle.h"

#define WEFT__BOTH (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

/* An event for a task touches the first 64 bytes only, one line of the cache. */
struct weft__watch {
    _Alignas(64) struct weft__fd_waiter *waiters; /* a ring, first who came first; or NULL */
    struct weft__channel *channel;   /* who has the descriptor for both, or NULL */
    int fd;
    uint32_t generation; /* with the descriptor, the token: an older one's events are dropped */
    uint32_t asked;      /* what the backend was asked for */
    uint32_t latched;    /* changes that came while nobody waited for them */
    uint32_t look;       /* loop->looks when the last wait ended */
    uint32_t called;     /* what there is a callback for */
    bool is_odd;         /* an end, an error, urgent data was seen: a short read says nothing */
    bool removed;        /* off the table; freed when neither handle is ready any more */
    struct weft__carrier reader, writer;
    _Alignas(8) char backend_part[];
};

static inline struct weft__watch *weft__watch_at(const struct weft__loop *loop, int fd)
{
    return fd >= 0 && (uint32_t)fd < loop->watches_size ? loop->watches[fd] : NULL;
}

/* What tasks wait for. */
uint32_t weft__watch_waits(const struct weft__watch *watch);

/* Makes sure that the backend is asked for `events`, as a change or as a state, in any case by a
 * call that reports what holds now; makes the record where there is none. */
int weft__watch_ask(struct weft__loop *loop, int fd, uint32_t events, bool by_callback,
                    struct weft__watch **ret_watch);

/* Asks for less: what somebody is interested in; ends a watch for nobody. */
void weft__watch_relax(struct weft__loop *loop, struct weft__watch *watch);

/* Ends a watch; its memory stays while one of its callbacks stands in the ready queue.  Nobody
 * waits. */
void weft__watch_end(struct weft__loop *loop, struct weft__watch *watch);

/* Wakes those who wait for what is ready; returns what of it needs no latching: somebody will
 * try. */
uint32_t weft__watch_wake(struct weft__loop *loop, struct weft__watch *watch, uint32_t ready);

#endif
