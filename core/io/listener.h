/* SPDX-License-Identifier: MIT
 * Listeners from inside: sockets that accept, and the transports that came of it. */
#ifndef WEFT_CORE_LISTENER_H
#define WEFT_CORE_LISTENER_H

#include "core/io/listen.h"
#include "core/io/transport.h"

#include <weft/listener.h>

/* One socket of a listener. */
struct weft__door {
    struct weft__door *next;
    struct weft__channel channel;
    struct weft__listener *listener; /* NULL: it is closed, and is freed in its turn */
    bool busy;                       /* that is now */
    struct weft__bound bound;
};

struct weft__listener {
    uintptr_t handle; /* a cell's first word */
    struct weft__loop *loop;
    struct weft__transports *all; /* what it hangs on */
    struct weft__list link;       /* in the loop's list */
    const weft_protocol *protocol;
    void *self;
    struct weft__vars *vars; /* the context of all connections */
    struct weft__door *doors;
    struct weft__list clients;
    unsigned count, max_clients, at_once;
    bool serving;        /* asked for */
    bool closed;
    bool keep_path;
    weft_handle *rest;   /* a second without accepting; NULL: there is none */
    weft_waitq closers;
};

/* Closes its sockets; more may be added. */
void weft__listener_close_doors(struct weft__listener *l);

/* Makes one that does not listen yet, in the context of the caller; adds a socket, which is taken
 * by success; accepts from now on; closes; frees. */
int weft__listener_new(struct weft__loop *loop, const weft_protocol *protocol, void *self,
                       const weft_listener_options *options, struct weft__listener **ret_listener);
int weft__listener_add(struct weft__listener *listener, struct weft__bound *bound);
int weft__listener_serve(struct weft__listener *listener);
void weft__listener_close(struct weft__listener *listener);
void weft__listener_free(struct weft__listener *listener);

/* What hangs on the loop begins with none, and ends with none. */
void weft__listeners_begin(struct weft__transports *all);
void weft__listeners_end(struct weft__transports *all);

/* A transport is lost: if it is somebody's client it leaves. */
void weft__listener_left(struct weft__transport *client);

#endif
