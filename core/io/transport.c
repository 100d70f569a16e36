/* SPDX-License-Identifier: MIT
 * Transports: made, closed, lost, freed. */
#include "core/io/transport.h"

#include "core/base/mem.h"
#include "core/io/listener.h"

#include <string.h>
#include <unistd.h>

/* ---- what hangs on the loop ---- */

static void lose(void *arg);

/* The loop closes: each connection is lost. */
static void close_all(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct weft__transports *all =
        WEFT__CONTAINER(attachment, struct weft__transports, attachment);

    weft__listeners_end(all);
    while (!weft__list_empty(&all->all)) {
        struct weft__transport *t = WEFT__CONTAINER(all->all.next, struct weft__transport, link);

        (void)weft__loop_unqueue(loop, &t->soon.item);
        weft__channel_close(&t->channel);
        (void)weft__loop_unqueue(loop, &t->channel.handle.item);
        t->closing = t->to_lose = true;
        t->to_make = false;
        t->error = -ECANCELED;
        lose(t);
    }
    weft__free(all->room);
    weft__pool_fini(&all->cells);
    weft__pool_fini(&all->listener_cells);
    weft__free(all);
}

struct weft__transports *weft__transports_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_all);
    struct weft__transports *all;

    if (attachment) {
        return WEFT__CONTAINER(attachment, struct weft__transports, attachment);
    }
    all = weft__alloc_zeroed(1, sizeof *all);
    if (all) {
        all->attachment.close = close_all;
        weft__pool_init(&all->cells, sizeof(struct weft__transport));
        weft__listeners_begin(all);
        weft__list_init(&all->all);
        weft__loop_attach(loop, &all->attachment);
    }
    return all;
}

/* ---- the end ---- */

void weft__transport_release(struct weft__transport *t)
{
    if (!t->lost || t->holds) {
        return;
    }
    if (t->pins || t->channel.handle.item.queued || t->soon.item.queued) {
        if (!t->stale) {
            weft__cell_renew(t);
            t->stale = true;
        }
        return;
    }
    weft__pool_give(&t->all->cells, t);
}

/* It has no connection any more: whoever waits for that learns it. */
static void end(struct weft__transport *t)
{
    struct weft__vars *vars = t->vars;

    t->vars = NULL;
    t->lost = true;
    t->fd = -1;
    weft__transport_drop_kept(t);
    weft__list_remove(&t->link);
    if (!t->soon.loop->closing) { /* else they are abandoned with their stacks */
        weft__waitq_wake_all(&t->drainers, t->error ? t->error : -EPIPE);
        weft__waitq_wake_all(&t->closers, t->error);
    }
    weft__listener_left(t);
    weft__vars_unref(vars); /* last: that may call back anywhere */
}

static void call_lost(void *arg)
{
    struct weft__transport *t = arg;

    if (t->protocol->connection_lost) {
        t->protocol->connection_lost(weft__transport_handle(t), t->error, t->self);
    }
}

static void in_context(struct weft__transport *t, weft_callback *callback)
{
    t->pins++;
    if (weft__context_is_used()) {
        weft__context_call(weft__vars_ref(t->vars), callback, t);
    } else {
        callback(t);
    }
    t->pins--;
}

static void lose(void *arg)
{
    struct weft__transport *t = arg;
    int fd = t->fd;

    t->pins++;
    in_context(t, call_lost);
    end(t);
    close(fd);
    t->pins--;
    weft__transport_release(t);
}

/* Has connection_lost() called in its turn. */
static void lose_soon(struct weft__transport *t)
{
    weft__channel_close(&t->channel);
    t->to_lose = true;
    if (!t->soon.item.queued) {
        weft__ready(t->soon.loop, &t->soon.item);
    }
}

void weft__transport_fail(struct weft__transport *t, int error)
{
    if (t->to_lose || t->lost) {
        return;
    }
    weft__transport_drop_kept(t);
    t->closing = true;
    weft__loop_gone(t->soon.loop, t);
    t->error = error;
    lose_soon(t);
}

void weft__transport_close(struct weft__transport *t)
{
    if (t->closing) {
        return;
    }
    t->closing = true;
    weft__loop_gone(t->soon.loop, t);
    if (weft__transport_kept(t) == 0) {
        lose_soon(t);
    } else {
        (void)weft__transport_watch(t); /* it asks for less */
    }
}

/* ---- the beginning ---- */

int weft__protocol_check(const weft_protocol *protocol)
{
    return protocol && protocol->size >= offsetof(weft_protocol, reserved) ? 0 : -EINVAL;
}

static void call_made(void *arg)
{
    struct weft__transport *t = arg;

    if (t->protocol->connection_made) {
        t->protocol->connection_made(weft__transport_handle(t), t->self);
    }
}

/* Its turn has come. */
static void soon(void *arg)
{
    struct weft__transport *t = arg;

    if (t->to_make) {
        t->to_make = false;
        in_context(t, call_made);
        if (t->maker) {
            weft__wake(t->maker, 0);
        }
        if (t->to_lose && !t->soon.item.queued) {
            weft__ready(t->soon.loop, &t->soon.item);
        }
        weft__transport_release(t);
    } else if (t->to_lose && !t->lost) {
        lose(t);
    } else {
        weft__transport_release(t);
    }
}

int weft__transport_watch(struct weft__transport *t)
{
    return weft__channel_ask(&t->channel, (weft__transport_reads(t) ? WEFT_READABLE : 0u) |
                                              (weft__transport_kept(t) ? WEFT_WRITABLE : 0u));
}

static void set_up(struct weft__transport *t, struct weft__transports *all, struct weft__loop *loop,
                   const struct weft__transport_request *request)
{
    uintptr_t handle = t->handle;

    memset(t, 0, sizeof *t);
    t->handle = handle;
    t->all = all;
    t->protocol = request->protocol;
    t->self = request->self;
    t->fd = request->fd;
    t->kind = (uint8_t)request->kind;
    t->is_socket = request->is_socket;
    t->empties = request->empties;
    t->high = WEFT__HIGH_WATER;
    t->low = WEFT__HIGH_WATER / 4;
    weft__channel_init(&t->channel, weft__transport_event, t);
    t->channel.edge = request->edge;
    t->channel.hangups = request->kind == WEFT__WRITE_PIPE;
    t->soon = t->channel.handle;
    t->soon.callback = soon;
    t->soon.loop = loop;
    weft__list_init(&t->link);
    weft__list_init(&t->client_link);
    if (request->peer && request->peer->length <= sizeof t->peer) {
        t->peer_length = request->peer->length;
        memcpy(&t->peer, request->peer->bytes, t->peer_length);
    }
}

int weft__transport_new(struct weft__loop *loop, const struct weft__transport_request *request,
                        struct weft__transport **ret_transport)
{
    struct weft__transports *all = weft__transports_of(loop);
    struct weft__transport *t = all ? weft__pool_take(&all->cells) : NULL;
    int r;

    if (!t) {
        return -ENOMEM;
    }
    set_up(t, all, loop, request);
    r = weft__channel_open(loop, &t->channel, t->fd,
                           request->kind == WEFT__WRITE_PIPE ? 0 : WEFT_READABLE);
    if (r >= 0 && request->protocol->factory) {
        r = request->protocol->factory(request->self, &t->self);
    }
    if (r < 0) {
        weft__channel_close(&t->channel);
        weft__pool_give(&all->cells, t);
        return r;
    }
    t->vars = weft__vars_ref(request->vars);
    weft__list_push(&all->all, &t->link);
    weft__loop_opened(loop, t, WEFT__TRANSPORT, t->fd);
    t->to_make = true;
    weft__ready(loop, &t->soon.item);
    *ret_transport = t;
    return 0;
}

/* It lasts a turn: a cancel that comes meanwhile is for the next wait. */
static void interrupt_nothing(struct weft__task *task)
{
    (void)task;
}

static const struct weft__wait wait_made = { .name = "connection_made()",
                                            .interrupt = interrupt_nothing };

void weft__transport_await_made(struct weft__transport *t)
{
    struct weft__task *task = t->soon.loop->current;

    if (task && weft__running == t->soon.loop) {
        t->maker = task;
        t->pins++;
        weft__task_park(task, &wait_made, t);
        t->pins--;
        t->maker = NULL;
    }
}

struct weft__transport *weft__transport_of(weft_transport *handle, int *ret_error)
{
    struct weft__transport *t = weft__cell_of(handle, ret_error);
    int r = t ? weft__loop_check(t->soon.loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return t;
}

int weft_transport_close(weft_transport *handle)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t) {
        weft__transport_close(t);
    }
    return r;
}

int weft_transport_abort(weft_transport *handle)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t) {
        weft__transport_fail(t, 0);
    }
    return r;
}

int weft_transport_detach(weft_transport *handle, int *ret_fd)
{
    int r = 0;
    struct weft__transport *t = ret_fd ? weft__transport_of(handle, &r) : NULL;

    if (!t) {
        return ret_fd ? r : -EINVAL;
    }
    if (t->closing || t->lost) {
        return -EPIPE;
    }
    if (t->to_make || weft__transport_kept(t)) {
        return t->to_make ? -EAGAIN : -EBUSY;
    }
    *ret_fd = t->fd;
    t->closing = true;
    weft__loop_gone(t->soon.loop, t);
    weft__channel_close(&t->channel);
    t->pins++;
    end(t);
    t->pins--;
    weft__transport_release(t);
    return 0;
}
