/* SPDX-License-Identifier: MIT
 * Streams through a filter: the bytes of the wire go by way of the loop's one block for that, into
 * the filter and out of it; of a stream's own is kept only what one side did not take. */
#include "core/io/filter.h"

#include "core/base/error.h"

#include <string.h>

#define WIRE 17408    /* bytes: a record of TLS, 16 KiB and what is around it */
#define AT_ONCE 16384 /* plain bytes that a filter is given in one call */
#define ROUNDS 4      /* reads of the wire without a plain byte, before others have a turn */

/* The block; NULL: no memory. */
static char *wire_of(struct weft__stream *stream)
{
    if (!stream->io->wire) {
        stream->io->wire = weft__alloc(NULL, WIRE);
    }
    return stream->io->wire;
}

/* Keeps bytes that can go nowhere now.  Without memory they are lost, and with them the stream. */
static int keep(char **kept, size_t *at, size_t *len, const char *bytes, size_t size)
{
    *kept = weft__alloc(NULL, size);
    if (!*kept) {
        return weft__detail(-ECONNABORTED, "there was no memory for what was under way");
    }
    memcpy(*kept, bytes, size);
    *at = 0;
    *len = size;
    return 0;
}

/* Sends what was kept: 0 all has gone. */
static int send_kept(struct weft__stream *stream)
{
    struct weft__filtered *f = stream->filtered;

    while (f->out) {
        struct iovec part = { .iov_base = f->out + f->out_at, .iov_len = f->out_len - f->out_at };
        ssize_t n = f->below->send(stream, &part, 1);

        if (n < 0 && n != -EINTR) {
            return (int)n;
        }
        f->out_at += n > 0 ? (size_t)n : 0;
        if (f->out_at == f->out_len) {
            weft__free(f->out);
            f->out = NULL;
        }
    }
    return 0;
}

/* Sends what the filter has for the wire: 0 all has gone, -EAGAIN the rest is kept. */
static int flush(struct weft__stream *stream)
{
    struct weft__filtered *f = stream->filtered;
    int r = f->error ? f->error : send_kept(stream);

    f->error = 0;
    while (r == 0) {
        char *wire = wire_of(stream);
        int64_t size = wire ? f->table->drain(f->object, wire, WIRE) : -ENOMEM;
        struct iovec part = { .iov_base = wire, .iov_len = (size_t)size };
        ssize_t n;

        if (size <= 0) {
            return (int)size;
        }
        n = f->below->send(stream, &part, 1);
        if (n < size) {
            size_t sent = n > 0 ? (size_t)n : 0;

            r = keep(&f->out, &f->out_at, &f->out_len, wire + sent, (size_t)size - sent);
            r = r < 0 ? r : n < 0 && n != -EINTR ? (int)n : send_kept(stream);
        }
    }
    return r;
}

/* Gives the filter what was kept for it, as much as it takes. */
static int feed_kept(struct weft__filtered *f)
{
    int64_t n = f->table->feed(f->object, f->in + f->in_at, f->in_len - f->in_at);

    if (n < 0) {
        return (int)n;
    }
    f->in_at += (size_t)n;
    if (f->in_at == f->in_len) {
        weft__free(f->in);
        f->in = NULL;
    }
    return 0;
}

int weft__filter_fetch(struct weft__stream *stream)
{
    struct weft__filtered *f = stream->filtered;
    char *wire = wire_of(stream);
    ssize_t size;
    int64_t n;

    if (f->in) {
        return feed_kept(f);
    }
    if (f->has_wire_ended || !wire) {
        return wire ? -ECONNRESET : -ENOMEM;
    }
    do {
        size = f->below->receive(stream, wire, WIRE);
    } while (size == -EINTR);
    if (size < 0) {
        return (int)size;
    }
    f->has_wire_ended = size == 0;
    n = f->table->feed(f->object, wire, (size_t)size);
    if (n < 0 && n != -EAGAIN) {
        return n == -ENOMEM ? weft__detail(-ECONNABORTED, "there was no memory for what came") :
                              (int)n;
    }
    n = n < 0 ? 0 : n;
    return n < size ? keep(&f->in, &f->in_at, &f->in_len, wire + n, (size_t)(size - n)) : 0;
}

static ssize_t receive_filtered(struct weft__stream *stream, void *buffer, size_t size)
{
    struct weft__filtered *f = stream->filtered;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t n = f->table->read(f->object, buffer, size);
        int r;

        (void)flush(stream); /* an answer, or why not; what stands in its way is the writers' */
        if (n != -EAGAIN) {
            return n < 0 ? weft__words_for((int)n) : (ssize_t)n;
        }
        r = weft__filter_fetch(stream);
        if (r < 0) {
            return r;
        }
    }
    return -EINTR; /* who sends what is nothing to read may never be slow */
}

/* Gives the filter one part, in pieces, and the wire what is full; `*held` plain bytes are not on
 * their way there yet.  Whether all went well. */
static bool send_part(struct weft__stream *stream, const struct iovec *part, size_t *held,
                      size_t *done, int *ret_error)
{
    const struct weft__filtered *f = stream->filtered;
    size_t at = 0;

    while (at < part->iov_len && *ret_error == 0) {
        size_t left = part->iov_len - at, room = AT_ONCE - *held;
        int64_t n = f->table->write(f->object, (const char *)part->iov_base + at,
                                    left < room ? left : room);

        if (n > 0) {
            at += (size_t)n;
            *held += (size_t)n;
        }
        if (*held && (n == -EAGAIN || *held == AT_ONCE)) {
            *held = 0;
            *ret_error = flush(stream);
        } else if (n <= 0) {
            *ret_error = n == 0 || n == -EAGAIN ? -EPROTO : (int)n;
        }
    }
    *done += at;
    return *ret_error == 0;
}

/* What the filter has taken counts as sent; `flush` of the kind sees that it is. */
static ssize_t send_filtered(struct weft__stream *stream, const struct iovec *parts, int count)
{
    struct weft__filtered *f = stream->filtered;
    size_t done = 0, held = 0;
    int r = flush(stream);

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < count && send_part(stream, &parts[i], &held, &done, &r); i++) {}
    r = r == 0 && held ? flush(stream) : r;
    f->error = done && r != -EAGAIN ? r : 0; /* the system may not say it twice */
    return done ? (ssize_t)done : r;
}

static int wait_filtered(struct weft__stream *stream, struct weft__task *task, uint32_t event)
{
    return stream->filtered->below->wait(stream, task, event);
}

static int shut_filtered(struct weft__stream *stream)
{
    return stream->filtered->table->shut(stream->filtered->object);
}

static void end(struct weft__stream *stream)
{
    struct weft__filtered *f = stream->filtered;

    f->table->end(f->object);
    weft__tls_unref(f->tls);
    weft__free(f->in);
    weft__free(f->out);
    stream->filtered = NULL;
    stream->kind = f->below;
    stream->is_tcp = f->was_tcp;
    weft__free(f);
}

/* Takes what has come and nobody will read, within bounds.  The system breaks off a connection that
 * is closed with something unread, and what is still under way is lost; but what is left here may
 * be no more than the other side's end, or what its filter says by itself. */
static void take_rest(struct weft__stream *stream)
{
    char *wire = wire_of(stream);

    for (int i = 0; wire && i < 8; i++) {
        if (stream->filtered->below->receive(stream, wire, WIRE) <= 0) {
            return;
        }
    }
}

static void close_filtered(struct weft__stream *stream, bool reset, bool quiet)
{
    if (!reset && !quiet) {
        take_rest(stream);
    }
    end(stream);
    stream->kind->close(stream, reset, quiet);
}

static const struct weft__stream_kind filtered = {
    .receive = receive_filtered,
    .send = send_filtered,
    .wait = wait_filtered,
    .flush = flush,
    .shut = shut_filtered,
    .close = close_filtered,
};

/* What was received and not read is the filter's. */
static void hand_over(struct weft__stream *stream)
{
    struct weft__filtered *f = stream->filtered;

    if (!stream->in_len) {
        return;
    }
    f->in = stream->in;
    f->in_at = stream->in_at;
    f->in_len = stream->in_at + stream->in_len;
    stream->in = NULL;
    stream->in_at = stream->in_len = stream->in_size = 0;
}

int weft__filter_begin(struct weft__stream *stream, struct weft__tls *tls, int side,
                       const char *peer)
{
    struct weft__filtered *f = weft__alloc_zeroed(1, sizeof *f);
    int r = f ? tls->table->start(tls->self, side, peer, &f->object) : -ENOMEM;

    if (r < 0) {
        weft__free(f);
        return weft__words_for(r);
    }
    f->below = stream->kind;
    f->table = tls->table;
    f->tls = weft__tls_ref(tls);
    f->was_tcp = stream->is_tcp;
    stream->filtered = f;
    stream->kind = &filtered;
    stream->is_tcp = stream->is_drained = false; /* a short read says nothing here */
    hand_over(stream);
    return 0;
}
