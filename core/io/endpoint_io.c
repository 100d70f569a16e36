/* SPDX-License-Identifier: MIT
 * Datagram endpoints: receiving in batches, sending; what cannot be sent yet is kept, each in a
 * block of its own. */
#include "core/base/mem.h"
#include "core/io/datagram.h"
#include "core/io/endpoint.h"
#include "core/io/sys_datagram.h"

#include <string.h>
#include <sys/socket.h>

#define BATCH 16      /* datagrams at a turn */
#define LARGEST 65536 /* bytes of one; of the room only what is used is memory */
#define PAUSE 0.001   /* seconds until a Unix socket that was full is tried again */
#define OVERHEAD 8    /* counted for each that is kept, as asyncio does */

/* ---- receiving ---- */

struct arrival {
    struct weft__sys_message headers[BATCH];
    struct iovec pieces[BATCH];
    weft_address from[BATCH];
};

static void error_received(struct weft__endpoint *e, int error)
{
    if (e->protocol->error_received) {
        e->protocol->error_received(weft__endpoint_handle(e), error, e->self);
    }
}

static void deliver(struct weft__endpoint *e, struct arrival *a, int count)
{
    for (int i = 0; i < count && !e->closing; i++) {
        a->from[i].length = a->headers[i].msg_hdr.msg_namelen;
        weft__datagram_set_family(&a->from[i]);
        if (a->headers[i].msg_hdr.msg_flags & MSG_TRUNC) { /* only a Unix socket's can be */
            error_received(e, -EMSGSIZE);
        } else if (e->protocol->datagram_received) {
            e->protocol->datagram_received(weft__endpoint_handle(e), a->pieces[i].iov_base,
                                           a->headers[i].msg_len, &a->from[i], e->self);
        }
    }
}

/* Tells of the reports that are kept, which would make the socket ready for ever; whether there
 * were any. */
static bool tell_reports(struct weft__endpoint *e)
{
    weft_datagram_error_info info;
    int family = weft__sys_family(e->fd);
    bool any = false;

    while (family >= 0 && family != AF_UNIX && !e->closing &&
           weft__datagram_take_error(e->fd, &info) == 0) {
        error_received(e, info.error);
        any = true;
    }
    return any;
}

static void receive_into(struct weft__endpoint *e, char *room)
{
    struct arrival a;
    int n;

    for (int i = 0; i < BATCH; i++) {
        a.pieces[i] = (struct iovec){ room + (size_t)i * LARGEST, LARGEST };
        a.headers[i] = (struct weft__sys_message){ .msg_hdr = {
                                                       .msg_name = &a.from[i].sockaddr,
                                                       .msg_namelen = sizeof a.from[i].storage,
                                                       .msg_iov = &a.pieces[i],
                                                       .msg_iovlen = 1,
                                                   } };
        a.from[i].protocol = 0;
    }
    do {
        n = WEFT__SYS(weft__sys_recv_many(e->fd, a.headers, BATCH, MSG_DONTWAIT));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        int error = errno;

        if (!tell_reports(e) && error != EAGAIN) {
            error_received(e, -error);
        }
    }
    deliver(e, &a, n);
}

static void receive(struct weft__endpoint *e)
{
    struct weft__endpoints *all = e->all;
    char *room = all->room;

    if (!room || all->room_is_used) { /* a protocol runs its host's loop again */
        room = weft__alloc(NULL, (size_t)BATCH * LARGEST);
    }
    if (!room) {
        error_received(e, -ENOMEM); /* what has come stays where it is */
        return;
    }
    if (!all->room) {
        all->room = room;
    }
    if (room != all->room) {
        receive_into(e, room);
        weft__free(room);
        return;
    }
    all->room_is_used = true;
    receive_into(e, room);
    all->room_is_used = false;
}

/* ---- sending ---- */

void weft__endpoint_drop_kept(struct weft__endpoint *e)
{
    while (e->first) {
        struct weft__kept_datagram *next = e->first->next;

        weft__free(e->first);
        e->first = next;
    }
    e->last = &e->first;
    e->waiting = 0;
    if (e->pause) {
        (void)weft_handle_cancel(e->pause);
        e->pause = weft_handle_unref(e->pause);
    }
}

static int watch(struct weft__endpoint *e)
{
    return weft__channel_ask(&e->channel, (e->closing ? 0u : WEFT_READABLE) |
                                              (e->first && !e->pause ? WEFT_WRITABLE : 0u));
}

static void go_on(void *arg)
{
    struct weft__endpoint *e = arg;
    int r;

    e->pause = weft_handle_unref(e->pause);
    r = watch(e);
    if (r < 0) {
        weft__endpoint_fail(e, r);
    }
}

/* There is no room.  The queue of a Unix socket may be full, of which senders are not told: they
 * can write, and fail again. */
static void wait_for_room(struct weft__endpoint *e)
{
    if (e->first->has_to && e->first->to.family == AF_UNIX && !e->pause &&
        weft_loop_call_later(weft__loop_handle(e->soon.loop), PAUSE, go_on, e, &e->pause) == 0) {
        (void)watch(e); /* it asks for less */
    }
}

static int send_one(struct weft__endpoint *e, const void *data, size_t size, const weft_address *to)
{
    ssize_t n;

    do {
        n = WEFT__SYS(weft__sys_sendto(e->fd, data, size, MSG_DONTWAIT | WEFT__NOSIGNAL,
                                       to ? &to->sockaddr : NULL, to ? to->length : 0));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static void check_high(struct weft__endpoint *e)
{
    if (!e->paused && e->waiting > e->high) {
        e->paused = true;
        if (e->protocol->pause_writing) {
            e->protocol->pause_writing(weft__endpoint_handle(e), e->self);
        }
    }
}

static void check_low(struct weft__endpoint *e)
{
    if (e->paused && e->waiting <= e->low) {
        e->paused = false;
        if (e->protocol->resume_writing) {
            e->protocol->resume_writing(weft__endpoint_handle(e), e->self);
        }
    }
}

/* Sends what is kept until there is no room; what cannot be sent at all is reported and dropped. */
static void flush(struct weft__endpoint *e)
{
    while (e->first) {
        struct weft__kept_datagram *kept = e->first;
        int r = send_one(e, kept->data, kept->size, kept->has_to ? &kept->to : NULL);

        if (r == -EAGAIN) {
            wait_for_room(e);
            break;
        }
        e->first = kept->next;
        e->last = e->first ? e->last : &e->first;
        e->waiting -= kept->size + OVERHEAD;
        weft__free(kept);
        if (r < 0) {
            error_received(e, r);
            break; /* the rest at the next turn: the protocol may have closed */
        }
    }
    if (e->to_lose) {
        return;
    }
    check_low(e);
    if (!e->first && e->closing) {
        weft__endpoint_fail(e, 0);
    } else if (!e->first) {
        (void)watch(e); /* it asks for less */
    }
}

static void handle_event(void *arg)
{
    struct weft__endpoint *e = arg;
    uint32_t ready = e->channel.ready;

    e->channel.ready = 0; /* what holds still is reported again */
    if (ready & WEFT_READABLE && !e->closing) {
        receive(e);
    }
    if (ready & WEFT_WRITABLE && e->first) {
        flush(e);
    }
}

void weft__endpoint_event(void *arg)
{
    struct weft__endpoint *e = arg;

    if (!e->to_lose) {
        weft__endpoint_in_context(e, handle_event);
    }
    weft__endpoint_release(e);
}

static int keep(struct weft__endpoint *e, const void *data, size_t size, const weft_address *to)
{
    struct weft__kept_datagram *kept = weft__alloc(NULL, sizeof *kept + size);
    int r;

    if (!kept) {
        return -ENOMEM;
    }
    kept->next = NULL;
    kept->has_to = to;
    if (to) {
        kept->to = *to;
    }
    kept->size = size;
    memcpy(kept->data, data ? data : "", size);
    *e->last = kept;
    r = watch(e);
    if (r < 0) { /* only the first one asks for anything */
        *e->last = NULL;
        weft__free(kept);
        return r;
    }
    e->last = &kept->next;
    e->waiting += size + OVERHEAD;
    check_high(e);
    return 0;
}

/* ---- using it ---- */

static struct weft__endpoint *endpoint_of(weft_datagram_transport *handle, int *ret_error)
{
    struct weft__endpoint *e = weft__cell_of(handle, ret_error);
    int r = e ? weft__loop_check(e->soon.loop) : 0;

    if (r == 0 && e && e->lost) {
        r = -ESRCH;
    }
    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return e;
}

int weft_datagram_transport_sendto(weft_datagram_transport *handle, const void *data, size_t size,
                                   const weft_address *to)
{
    int r = 0;
    struct weft__endpoint *e = endpoint_of(handle, &r);

    if (!e || (!data && size > 0)) {
        return e ? -EINVAL : r;
    }
    if (e->closing) {
        return -EPIPE;
    }
    if (e->has_peer && to && !weft_address_equal(to, &e->peer)) {
        return -EISCONN;
    }
    if (!e->has_peer && !to) {
        return -EDESTADDRREQ;
    }
    to = e->has_peer ? NULL : to;
    r = e->first ? -EAGAIN : send_one(e, data, size, to);
    if (r == -EAGAIN) {
        return keep(e, data, size, to);
    }
    if (r < 0) {
        error_received(e, r);
    }
    return 0;
}

int weft_datagram_transport_close(weft_datagram_transport *handle)
{
    int r = 0;
    struct weft__endpoint *e = endpoint_of(handle, &r);

    if (e && !e->closing) {
        e->closing = true;
        weft__loop_gone(e->soon.loop, e);
        if (e->first) {
            (void)watch(e); /* it asks for less */
        } else {
            weft__endpoint_fail(e, 0);
        }
    }
    return r;
}

int weft_datagram_transport_abort(weft_datagram_transport *handle)
{
    int r = 0;
    struct weft__endpoint *e = endpoint_of(handle, &r);

    if (e) {
        weft__endpoint_fail(e, 0);
    }
    return r;
}

bool weft_datagram_transport_is_closing(weft_datagram_transport *handle)
{
    int r;
    const struct weft__endpoint *e = endpoint_of(handle, &r);

    return !e || e->closing;
}

size_t weft_datagram_transport_get_write_buffer_size(weft_datagram_transport *handle)
{
    int r;
    const struct weft__endpoint *e = endpoint_of(handle, &r);

    return e ? e->waiting : 0;
}

int weft_datagram_transport_set_write_buffer_limits(weft_datagram_transport *handle, ssize_t high,
                                                    ssize_t low)
{
    int r = 0;
    struct weft__endpoint *e = endpoint_of(handle, &r);

    if (!e) {
        return r;
    }
    r = weft__limits_resolve(&high, &low);
    if (r < 0) {
        return r;
    }
    e->high = (size_t)high;
    e->low = (size_t)low;
    check_high(e);
    return 0;
}

int weft_datagram_transport_fileno(weft_datagram_transport *handle)
{
    int r = 0;
    const struct weft__endpoint *e = endpoint_of(handle, &r);

    return e ? e->fd : r;
}

int weft_datagram_transport_sockname(weft_datagram_transport *handle, weft_address *ret_address)
{
    int r = 0;
    const struct weft__endpoint *e = endpoint_of(handle, &r);
    weft_address own = { .type = SOCK_DGRAM, .length = sizeof own.storage };

    if (!e || !ret_address) {
        return e ? -EINVAL : r;
    }
    if (getsockname(e->fd, &own.sockaddr, &own.length) < 0) {
        return -errno;
    }
    own.family = own.sockaddr.sa_family;
    *ret_address = own;
    return 0;
}
