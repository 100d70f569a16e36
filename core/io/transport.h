/* SPDX-License-Identifier: MIT
 * Transports from inside: a connection, its protocol, and what is kept to be written.
 *
 *     made --soon--> connection_made ... --close, abort, error--> closing --soon--> lost --> freed
 *
 * A transport is a cell of a pool that hangs on its loop.  It lives while the loop has it (until it
 * is lost) or somebody holds it, and its memory stays while one of its two callbacks is ready or
 * runs.  `soon` is asyncio's call_soon(): connection_made() and connection_lost() come in their
 * turn, behind what was ready before. */
#ifndef WEFT_CORE_TRANSPORT_H
#define WEFT_CORE_TRANSPORT_H

#include "core/sched/channel.h"
#include "core/sync/waitq.h"

#include <netinet/in.h>
#include <weft/transport.h>

#define WEFT__READ_SIZE (256 * 1024) /* asked for at once: a turn's share */
#define WEFT__HIGH_WATER (64 * 1024)

enum weft__transport_kind {
    WEFT__SOCKET,
    WEFT__READ_PIPE,
    WEFT__WRITE_PIPE,
};

/* Bytes that wait to be written: at[start] to at[end]. */
struct weft__kept {
    char *at; /* NULL: nothing waits */
    size_t start, end, size;
};

struct weft__transport {
    uintptr_t handle; /* a cell's first word */
    const weft_protocol *protocol;
    void *self;
    struct weft__channel channel;
    struct weft__handle soon;
    int fd; /* -1: the connection is over */
    int error; /* for connection_lost() */
    uint32_t holds; /* the users' */
    uint32_t pins;  /* callbacks of it that run */
    uint8_t kind;   /* weft__transport_kind */
    bool is_socket; /* recv() and send(), not read() and write() */
    bool empties;   /* a short read means that there is no more */
    bool to_make;   /* connection_made() is to be called soon */
    bool to_lose;   /* connection_lost(); stays so */
    bool closing, lost;
    bool stale;          /* the handle that was given out is spent */
    bool eof;            /* the peer sends no more */
    bool eof_asked;      /* we shall tell the peer so, or have */
    bool reading_paused; /* by the user */
    bool writing_paused; /* the protocol was told */
    size_t low, high;    /* the marks */
    struct weft__kept kept;
    struct weft__vars *vars;       /* the context of its callbacks */
    struct weft__transports *all;  /* what it hangs on */
    struct weft__list link;        /* in the loop's list of all */
    struct weft__list client_link; /* in its listener's */
    struct weft__listener *listener; /* NULL: it was not accepted */
    struct weft__task *maker;      /* waits for connection_made(); or NULL */
    weft_waitq drainers, closers;
    socklen_t peer_length;         /* 0: not known */
    struct sockaddr_in6 peer;      /* or an IPv4 one */
};

/* What hangs on a loop. */
struct weft__transports {
    struct weft__attachment attachment;
    struct weft__pool cells;
    struct weft__list all;
    struct weft__pool listener_cells; /* see io/listener.h */
    struct weft__list listeners;
    char *room;   /* WEFT__READ_SIZE bytes that all read into; NULL: none has read yet */
    bool room_is_used; /* a protocol looks at them: whoever reads meanwhile needs his own */
};

/* What hangs on the loop, made when it is first needed; NULL: no memory. */
struct weft__transports *weft__transports_of(struct weft__loop *loop);

/* How to make one. */
struct weft__transport_request {
    const weft_protocol *protocol;
    void *self;
    int fd;
    enum weft__transport_kind kind;
    bool is_socket, edge, empties;
    struct weft__vars *vars;  /* the context, borrowed */
    const weft_address *peer; /* or NULL */
};

/* Calls the factory, and has the rest called soon.  `fd` is taken by success. */
int weft__transport_new(struct weft__loop *loop, const struct weft__transport_request *request,
                        struct weft__transport **ret_transport);

/* Whether a protocol can be used: 0 or -EINVAL. */
int weft__protocol_check(const weft_protocol *protocol);

/* In a task: waits until connection_made() has returned. */
void weft__transport_await_made(struct weft__transport *transport);

/* The living transport of a handle, for its loop's thread; NULL and the error. */
struct weft__transport *weft__transport_of(weft_transport *handle, int *ret_error);

static inline weft_transport *weft__transport_handle(const struct weft__transport *transport)
{
    return (weft_transport *)transport->handle;
}

/* Closes it at once; connection_lost(error) comes soon.  Again: nothing. */
void weft__transport_fail(struct weft__transport *transport, int error);

/* Closes it when what is kept is written. */
void weft__transport_close(struct weft__transport *transport);

/* After a callback of it: frees it when nobody needs it any more. */
void weft__transport_release(struct weft__transport *transport);

/* Asks the channel for what is wanted now; 0 or what the backend says. */
int weft__transport_watch(struct weft__transport *transport);

/* Whether data is to be read. */
static inline bool weft__transport_reads(const struct weft__transport *transport)
{
    return !transport->closing && !transport->eof && !transport->reading_paused &&
           transport->kind != WEFT__WRITE_PIPE;
}

static inline size_t weft__transport_kept(const struct weft__transport *transport)
{
    return transport->kept.end - transport->kept.start;
}

/* Both marks as they are meant: -1 is what follows from the other one.  0 or -EINVAL. */
int weft__limits_resolve(ssize_t *high, ssize_t *low);

/* In transport_read.c: the channel's callback. */
void weft__transport_event(void *transport);

/* In transport_write.c: writes what is kept; forgets it; tells the protocol about the marks. */
void weft__transport_flush(struct weft__transport *transport);
void weft__transport_drop_kept(struct weft__transport *transport);
void weft__transport_check_high(struct weft__transport *transport);

#endif
