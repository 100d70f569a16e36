/* SPDX-License-Identifier: MIT
 * Transports: what the connection reports, and reading.
 *
 * A turn reads once.  A read that fills its room, or after which the end is still to come, has
 * another turn, behind whoever is ready by then. */
#include "core/base/mem.h"
#include "core/io/transport.h"

#include <sys/socket.h>
#include <unistd.h>

#define ENDS ((uint32_t)WEFT_READ_CLOSED | WEFT_HANGUP | WEFT_ERROR)

static ssize_t receive(const struct weft__transport *t, void *room, size_t size)
{
    ssize_t n;

    if (t->soon.loop->shuffles) {
        size = weft__chance_shorten(t->soon.loop, size);
    }
    do {
        n = t->is_socket ? WEFT__SYS(recv(t->fd, room, size, MSG_DONTWAIT)) :
                           WEFT__SYS(read(t->fd, room, size));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* The peer sends no more. */
static void ended(struct weft__transport *t)
{
    bool stays = false;

    t->eof = true;
    if (t->protocol->eof_received) {
        stays = t->protocol->eof_received(weft__transport_handle(t), t->self);
    }
    if (t->closing) {
        return;
    }
    if (stays && t->kind == WEFT__SOCKET) {
        (void)weft__transport_watch(t); /* it asks for less */
    } else {
        weft__transport_close(t);
    }
}

/* One read into `room`; how much came, or 0 when there is nothing for the protocol. */
static size_t read_into(struct weft__transport *t, void *room, size_t size)
{
    ssize_t n = receive(t, room, size);
    bool empties = t->empties && (size_t)n < size && !(t->channel.ready & ENDS) &&
                   !t->soon.loop->shuffles;

    if (n == -EAGAIN || (n > 0 && (!t->channel.edge || empties))) {
        t->channel.ready &= ~(uint32_t)WEFT_READABLE;
    }
    if (n > 0) {
        return (size_t)n;
    }
    if (n == 0) {
        ended(t);
    } else if (n != -EAGAIN) {
        weft__transport_fail(t, (int)n);
    }
    return 0;
}

/* The room that all transports of the loop read into; NULL: no memory. */
static char *take_room(struct weft__transports *all)
{
    if (all->room_is_used) { /* a protocol runs its host's loop again */
        return weft__alloc(NULL, WEFT__READ_SIZE);
    }
    if (!all->room) { /* aligned: the kernel copies faster */
        all->room = weft__alloc_aligned(4096, WEFT__READ_SIZE);
    }
    all->room_is_used = all->room;
    return all->room;
}

static void give_room(struct weft__transports *all, char *room)
{
    if (room == all->room) {
        all->room_is_used = false;
    } else {
        weft__free(room);
    }
}

static void read_data(struct weft__transport *t)
{
    struct weft__transports *all = t->all;
    char *room = take_room(all);
    size_t n;

    if (!room) {
        weft__transport_fail(t, -ENOMEM);
        return;
    }
    n = read_into(t, room, WEFT__READ_SIZE);
    if (n > 0 && t->protocol->data_received) {
        t->protocol->data_received(weft__transport_handle(t), room, n, t->self);
    }
    give_room(all, room);
}

/* The same into the protocol's memory; it may hand over to another one as it gives it. */
static void read_buffered(struct weft__transport *t)
{
    const weft_protocol *protocol = t->protocol;
    void *self = t->self;
    size_t size = 0;
    void *room = protocol->get_buffer(weft__transport_handle(t), &size, self);

    if (!weft__transport_reads(t)) {
        return; /* it has paused or closed from within */
    }
    if (!room || size == 0) {
        weft__transport_fail(t, -ENOBUFS);
        return;
    }
    size = read_into(t, room, size);
    if (size > 0 && protocol->buffer_updated) {
        protocol->buffer_updated(weft__transport_handle(t), size, self);
    }
}

/* Whoever reads from a pipe that we write to is gone. */
static void reader_left(struct weft__transport *t)
{
    weft__transport_fail(t, weft__transport_kept(t) ? -EPIPE : 0);
}

static void handle(void *arg)
{
    struct weft__transport *t = arg;

    if (t->channel.ready & WEFT_READABLE && weft__transport_reads(t)) {
        if (t->protocol->get_buffer) {
            read_buffered(t);
        } else {
            read_data(t);
        }
    }
    if (t->channel.ready & WEFT_WRITABLE && weft__transport_kept(t)) {
        weft__transport_flush(t);
    }
    if (t->kind == WEFT__WRITE_PIPE && t->channel.ready & (WEFT_ERROR | WEFT_HANGUP)) {
        reader_left(t);
    }
    if (t->channel.edge && t->channel.ready & t->channel.asked) {
        weft__channel_again(&t->channel);
    }
}

void weft__transport_event(void *arg)
{
    struct weft__transport *t = arg;

    t->pins++;
    if (weft__context_is_used()) {
        weft__context_call(weft__vars_ref(t->vars), handle, t);
    } else {
        handle(t);
    }
    t->pins--;
    if (t->lost) {
        weft__transport_release(t);
    }
}

int weft_transport_pause_reading(weft_transport *handle)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t && !t->closing) {
        t->reading_paused = true;
        (void)weft__transport_watch(t); /* it asks for less */
    }
    return r;
}

int weft_transport_resume_reading(weft_transport *handle)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t && !t->closing && t->reading_paused) {
        t->reading_paused = false;
        r = weft__transport_watch(t);
        t->reading_paused = r < 0;
    }
    return r;
}

bool weft_transport_is_reading(weft_transport *handle)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return t && !t->closing && !t->reading_paused && t->kind != WEFT__WRITE_PIPE;
}
