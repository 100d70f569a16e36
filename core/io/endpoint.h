/* SPDX-License-Identifier: MIT
 * Datagram endpoints from inside: made, closed and lost as transports are (io/transport.h). */
#ifndef WEFT_CORE_ENDPOINT_H
#define WEFT_CORE_ENDPOINT_H

#include "core/io/transport.h"

#include <weft/datagram_transport.h>

/* One that waits to be sent. */
struct weft__kept_datagram {
    struct weft__kept_datagram *next;
    weft_address to;
    bool has_to;
    size_t size;
    char data[];
};

struct weft__endpoint {
    uintptr_t handle; /* a cell's first word */
    const weft_datagram_protocol *protocol;
    void *self;
    struct weft__endpoints *all;
    struct weft__channel channel;
    struct weft__handle soon;
    struct weft__list link;
    int fd, error;
    uint32_t pins;
    bool to_make, to_lose, closing, lost, paused, has_peer;
    weft_address peer;
    size_t low, high, waiting; /* bytes */
    weft_handle *pause; /* until it tries again to send what is kept; NULL: none */
    struct weft__kept_datagram *first, **last;
    struct weft__vars *vars;
    struct weft__task *maker;
};

/* What hangs on a loop. */
struct weft__endpoints {
    struct weft__attachment attachment;
    struct weft__pool cells;
    struct weft__list all;
    char *room; /* of what is received; NULL: nothing has been */
    bool room_is_used;
};

static inline weft_datagram_transport *weft__endpoint_handle(const struct weft__endpoint *e)
{
    return (weft_datagram_transport *)e->handle;
}

/* Closes it at once; connection_lost(error) comes soon.  Again: nothing. */
void weft__endpoint_fail(struct weft__endpoint *endpoint, int error);

/* Calls something of the protocol's in the endpoint's context. */
void weft__endpoint_in_context(struct weft__endpoint *endpoint, weft_callback *callback);

/* After a callback of it: frees it when nobody needs it any more. */
void weft__endpoint_release(struct weft__endpoint *endpoint);

/* In endpoint_io.c: the channel's callback; forgets what waits to be sent. */
void weft__endpoint_event(void *endpoint);
void weft__endpoint_drop_kept(struct weft__endpoint *endpoint);

#endif
