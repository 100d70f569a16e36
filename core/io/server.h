/* SPDX-License-Identifier: MIT
 * Servers from inside. */
#ifndef WEFT_CORE_SERVER_H
#define WEFT_CORE_SERVER_H

#include "core/io/listen.h"
#include "core/io/stream.h"

#include <weft/server.h>

struct weft__server;

/* One socket that listens, and the task that accepts there. */
struct weft__server_door {
    struct weft__server_door *next;
    struct weft__server *server;
    struct weft__bound bound;
    struct weft__task *task; /* NULL: it does not accept any more */
    bool is_tcp;
};

struct weft__server {
    uintptr_t handle; /* a cell's first word */
    struct weft__loop *loop;
    struct weft__io *io;
    struct weft__list link;    /* in the loop's servers */
    weft_server_handler *handler;
    void *user;
    struct weft__server_door *doors; /* in the order in which they were opened */
    struct weft__list clients; /* streams, the oldest first */
    uint32_t count;            /* of them */
    uint32_t accepting;        /* doors with a task */
    uint32_t max_clients;      /* 0: no limit */
    size_t limit, stack_size;
    double close_timeout;
    weft_tls *tls; /* NULL: none; a hold of it */
    bool keep_file;
    bool is_serving;
    bool is_awaited; /* a task is in serve_forever() */
    bool is_closed;  /* spent; whoever leaves last frees it */
    bool has_said;   /* that nothing can be accepted now */
    uint32_t pins;   /* calls that wait */
    weft_waitq room; /* doors that wait for somebody to leave */
    weft_waitq gone; /* who waits until all have left */
};

_Static_assert(sizeof(struct weft__server) <= WEFT__SERVER_CELL, "its cell");

/* Makes one that does not accept yet. */
int weft__server_new(struct weft__loop *loop, weft_server_handler *handler, void *user,
                     const weft_server_options *options, struct weft__server **ret_server);

/* Adds a socket, which is taken by success. */
int weft__server_add(struct weft__server *server, const struct weft__bound *bound, bool is_tcp);

/* Begins to accept at all of them. */
int weft__server_begin(struct weft__server *server);

/* Closes a socket, if it is open, and removes its file. */
void weft__server_close_door(struct weft__server_door *door);

/* Stops accepting and closes the sockets; frees a closed one that everybody has left. */
void weft__server_stop(struct weft__server *server);
void weft__server_release(struct weft__server *server);

/* In io/server_accept.c: what a door's task does. */
weft_coro *weft__server_accept(struct weft__server_door *door) WEFT_MUST_USE;

/* Somebody has left: wakes who waits for that. */
void weft__server_left(struct weft__server *server);

#endif
