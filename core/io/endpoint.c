/* SPDX-License-Identifier: MIT
 * Datagram endpoints: sockets that call a protocol; made, closed, lost. */
#include "core/io/endpoint.h"

#include "core/base/mem.h"
#include "core/io/datagram.h"

#include <string.h>
#include <unistd.h>

/* ---- the end ---- */

void weft__endpoint_release(struct weft__endpoint *e)
{
    if (e->lost && !e->pins && !e->channel.handle.item.queued && !e->soon.item.queued) {
        weft__pool_give(&e->all->cells, e);
    }
}

void weft__endpoint_in_context(struct weft__endpoint *e, weft_callback *callback)
{
    e->pins++;
    if (weft__context_is_used()) {
        weft__context_call(weft__vars_ref(e->vars), callback, e);
    } else {
        callback(e);
    }
    e->pins--;
}

static void call_lost(void *arg)
{
    struct weft__endpoint *e = arg;

    if (e->protocol->connection_lost) {
        e->protocol->connection_lost(weft__endpoint_handle(e), e->error, e->self);
    }
}

static void lose(struct weft__endpoint *e)
{
    struct weft__vars *vars = e->vars;

    weft__endpoint_in_context(e, call_lost);
    e->lost = true;
    e->vars = NULL;
    weft__endpoint_drop_kept(e);
    close(e->fd);
    e->fd = -1;
    weft__list_remove(&e->link);
    e->pins++;
    weft__vars_unref(vars); /* may call back anywhere */
    e->pins--;
    weft__endpoint_release(e);
}

void weft__endpoint_fail(struct weft__endpoint *e, int error)
{
    if (e->to_lose) {
        return;
    }
    weft__endpoint_drop_kept(e);
    e->closing = e->to_lose = true;
    weft__loop_gone(e->soon.loop, e);
    e->error = error;
    weft__channel_close(&e->channel);
    if (!e->soon.item.queued) {
        weft__ready(e->soon.loop, &e->soon.item);
    }
}

static void call_made(void *arg)
{
    struct weft__endpoint *e = arg;

    if (e->protocol->connection_made) {
        e->protocol->connection_made(weft__endpoint_handle(e), e->self);
    }
}

/* Its turn has come: connection_made(), or connection_lost(). */
static void soon(void *arg)
{
    struct weft__endpoint *e = arg;

    if (e->to_make) {
        e->to_make = false;
        weft__endpoint_in_context(e, call_made);
        if (e->maker) {
            weft__wake(e->maker, 0);
        }
        if (e->to_lose && !e->soon.item.queued) {
            weft__ready(e->soon.loop, &e->soon.item);
        }
    } else if (e->to_lose && !e->lost) {
        lose(e);
        return;
    }
    weft__endpoint_release(e);
}

/* ---- making one ---- */

static void close_all(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct weft__endpoints *all = WEFT__CONTAINER(attachment, struct weft__endpoints, attachment);

    while (!weft__list_empty(&all->all)) {
        struct weft__endpoint *e = WEFT__CONTAINER(all->all.next, struct weft__endpoint, link);

        (void)weft__loop_unqueue(loop, &e->soon.item);
        weft__channel_close(&e->channel);
        (void)weft__loop_unqueue(loop, &e->channel.handle.item);
        e->closing = e->to_lose = true;
        e->error = -ECANCELED;
        lose(e);
    }
    weft__free(all->room);
    weft__pool_fini(&all->cells);
    weft__free(all);
}

static struct weft__endpoints *endpoints_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_all);
    struct weft__endpoints *all;

    if (attachment) {
        return WEFT__CONTAINER(attachment, struct weft__endpoints, attachment);
    }
    all = weft__alloc_zeroed(1, sizeof *all);
    if (all) {
        all->attachment.close = close_all;
        weft__pool_init(&all->cells, sizeof(struct weft__endpoint));
        weft__list_init(&all->all);
        weft__loop_attach(loop, &all->attachment);
    }
    return all;
}

static void set_up(struct weft__endpoint *e, struct weft__endpoints *all, struct weft__loop *loop,
                   int fd)
{
    uintptr_t handle = e->handle;

    memset(e, 0, sizeof *e);
    e->handle = handle;
    e->all = all;
    e->fd = fd;
    e->high = WEFT__HIGH_WATER;
    e->low = WEFT__HIGH_WATER / 4;
    e->last = &e->first;
    weft__channel_init(&e->channel, weft__endpoint_event, e);
    e->soon = e->channel.handle;
    e->soon.callback = soon;
    e->soon.loop = loop;
    weft__list_init(&e->link);
}

static int begin(struct weft__loop *loop, const weft_datagram_protocol *protocol, void *self,
                 int fd, struct weft__endpoint **ret_endpoint)
{
    struct weft__endpoints *all = endpoints_of(loop);
    struct weft__endpoint *e = all ? weft__pool_take(&all->cells) : NULL;
    int r;

    if (!e) {
        return -ENOMEM;
    }
    set_up(e, all, loop, fd);
    e->protocol = protocol;
    e->self = self;
    r = weft__channel_open(loop, &e->channel, fd, WEFT_READABLE);
    if (r >= 0 && protocol->factory) {
        r = protocol->factory(self, &e->self);
    }
    if (r < 0) {
        weft__channel_close(&e->channel);
        weft__pool_give(&all->cells, e);
        return r;
    }
    e->vars = weft__context_capture();
    weft__list_push(&all->all, &e->link);
    weft__loop_opened(loop, e, WEFT__ENDPOINT, fd);
    e->to_make = true;
    weft__ready(loop, &e->soon.item);
    *ret_endpoint = e;
    return 0;
}

/* It lasts a turn: a cancel that comes meanwhile is for the next wait. */
static void interrupt_nothing(struct weft__task *task)
{
    (void)task;
}

static const struct weft__wait wait_made = { .name = "connection_made()",
                                            .interrupt = interrupt_nothing };

/* The loop for a protocol that can be used; NULL and the error. */
static struct weft__loop *loop_for(weft_loop *handle, const weft_datagram_protocol *protocol,
                                   int *ret_error)
{
    if (!protocol || protocol->size < offsetof(weft_datagram_protocol, reserved)) {
        *ret_error = -EINVAL;
        return NULL;
    }
    return weft__loop_of(handle, ret_error);
}

/* An endpoint for a socket, which is taken; in a task waits for connection_made(). */
static int start(struct weft__loop *loop, const weft_datagram_protocol *protocol, void *self,
                 int fd, const weft_address *peer, weft_datagram_transport **ret_transport)
{
    struct weft__endpoint *e;
    int r = begin(loop, protocol, self, fd, &e);

    if (r < 0) {
        close(fd);
        return r;
    }
    e->has_peer = peer;
    if (peer) {
        e->peer = *peer;
    }
    if (ret_transport) {
        *ret_transport = weft__endpoint_handle(e);
    }
    if (loop == weft__running && loop->current) {
        e->maker = loop->current;
        e->pins++;
        weft__task_park(loop->current, &wait_made, e);
        e->pins--;
        e->maker = NULL;
        weft__endpoint_release(e);
    }
    return 0;
}

int weft_loop_create_datagram_endpoint(weft_loop *handle, const weft_datagram_protocol *protocol,
                                       void *self, const weft_address *local,
                                       const weft_address *remote,
                                       const weft_datagram_options *options,
                                       weft_datagram_transport **ret_transport)
{
    int r = 0, fd = -1;
    struct weft__loop *loop = loop_for(handle, protocol, &r);

    r = loop ? weft__datagram_socket(local, remote, options, &fd) : r;
    return r < 0 ? r : start(loop, protocol, self, fd, remote, ret_transport);
}

int weft_loop_create_datagram_endpoint_host(weft_loop *handle,
                                            const weft_datagram_protocol *protocol, void *self,
                                            const weft_datagram_names *names,
                                            const weft_datagram_options *options,
                                            weft_datagram_transport **ret_transport)
{
    weft_address peer;
    int r = 0, fd = -1;
    struct weft__loop *loop = loop_for(handle, protocol, &r);

    if (loop && loop != weft__running) {
        return weft__misuse(-EPERM);
    }
    r = loop ? weft__datagram_find(names, options, &fd, &peer) : r;
    return r < 0 ? r :
                   start(loop, protocol, self, fd, peer.length ? &peer : NULL, ret_transport);
}
