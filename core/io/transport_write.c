/* SPDX-License-Identifier: MIT
 * Transports: writing at once, keeping the rest, the marks, the end of writing. */
#include "core/base/mem.h"
#include "core/io/quiet.h"
#include "core/io/sys_socket.h"
#include "core/io/transport.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#define KEPT_LEAST 4096 /* bytes, when something has to be kept */

/* ---- what is kept ---- */

void weft__transport_drop_kept(struct weft__transport *t)
{
    weft__free(t->kept.at);
    t->kept = (struct weft__kept){ 0 };
}

/* Makes room for `more` bytes at the end; what lies there moves to the front when half is free. */
static int reserve(struct weft__kept *kept, size_t more)
{
    size_t used = kept->end - kept->start, size = kept->size ? kept->size : KEPT_LEAST;
    char *at;

    if (more <= kept->size - kept->end) {
        return 0;
    }
    if (used + more <= kept->size / 2) {
        memmove(kept->at, kept->at + kept->start, used);
        kept->end = used;
        kept->start = 0;
        return 0;
    }
    if (more > SIZE_MAX / 4 - kept->end) {
        return -ENOMEM;
    }
    while (size < kept->end + more) {
        size *= 2;
    }
    at = weft__alloc(kept->at, size);
    if (!at) {
        return -ENOMEM;
    }
    kept->at = at;
    kept->size = size;
    return 0;
}

/* Keeps the pieces but for their first `skip` bytes; -ENOMEM. */
static int keep(struct weft__kept *kept, const struct iovec *pieces, int count, size_t skip,
                size_t rest)
{
    int r = reserve(kept, rest);

    for (int i = 0; r == 0 && i < count; i++) {
        size_t passed = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;
        size_t n = pieces[i].iov_len - passed;

        skip -= passed;
        if (n > 0) {
            memcpy(kept->at + kept->end, (const char *)pieces[i].iov_base + passed, n);
            kept->end += n;
        }
    }
    return r;
}

/* ---- the marks ---- */

void weft__transport_check_high(struct weft__transport *t)
{
    if (!t->writing_paused && weft__transport_kept(t) > t->high) {
        t->writing_paused = true;
        if (t->protocol->pause_writing) {
            t->protocol->pause_writing(weft__transport_handle(t), t->self);
        }
    }
}

static void check_low(struct weft__transport *t)
{
    if (t->writing_paused && weft__transport_kept(t) <= t->low) {
        t->writing_paused = false;
        weft__waitq_wake_all(&t->drainers, 0);
        if (t->protocol->resume_writing) {
            t->protocol->resume_writing(weft__transport_handle(t), t->self);
        }
    }
}

/* ---- system calls ---- */

static ssize_t send_once(const struct weft__transport *t, const struct iovec *pieces, int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    const int flags = MSG_DONTWAIT | WEFT__NOSIGNAL;

    if (!t->is_socket) {
        return weft__quiet_writev(t->fd, pieces, count);
    }
    if (count == 1) {
        return WEFT__SYS(send(t->fd, pieces->iov_base, pieces->iov_len, flags));
    }
    return WEFT__SYS(sendmsg(t->fd, &message, flags));
}

/* What the connection takes now: bytes, 0 for none, or a negative errno. */
static ssize_t send_some(struct weft__transport *t, const struct iovec *pieces, int count,
                         size_t size)
{
    struct iovec less;
    ssize_t n;

    if (t->soon.loop->shuffles) {
        less = pieces[0];
        less.iov_len = weft__chance_shorten(t->soon.loop, less.iov_len);
        pieces = &less;
        count = 1;
    }
    do {
        n = send_once(t, pieces, count);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        return -errno;
    }
    if (n < 0 || ((size_t)n < size && !t->soon.loop->shuffles)) {
        t->channel.ready &= ~(uint32_t)WEFT_WRITABLE; /* it is full */
    }
    return n < 0 ? 0 : n;
}

/* ---- writing ---- */

static void shut(struct weft__transport *t)
{
    if (t->kind == WEFT__SOCKET && !t->to_lose) {
        (void)shutdown(t->fd, SHUT_WR); /* not connected any more: the next read tells */
    }
}

/* Everything that was kept is written. */
static void emptied(struct weft__transport *t)
{
    weft__transport_drop_kept(t);
    if (t->closing) {
        weft__transport_fail(t, 0);
        return;
    }
    (void)weft__transport_watch(t); /* it asks for less */
    if (t->eof_asked) {
        shut(t);
    }
}

void weft__transport_flush(struct weft__transport *t)
{
    struct iovec piece = { t->kept.at + t->kept.start, weft__transport_kept(t) };
    ssize_t n = send_some(t, &piece, 1, piece.iov_len);

    if (!t->channel.edge) {
        t->channel.ready &= ~(uint32_t)WEFT_WRITABLE;
    }
    if (n < 0) {
        weft__transport_fail(t, (int)n);
        return;
    }
    t->kept.start += (size_t)n;
    check_low(t);
    if (t->kept.at && weft__transport_kept(t) == 0 && !t->to_lose) {
        emptied(t);
    }
}

/* What was not sent is kept. */
static int keep_rest(struct weft__transport *t, const struct iovec *pieces, int count, size_t sent,
                     size_t size)
{
    bool was_empty = weft__transport_kept(t) == 0;
    int r = keep(&t->kept, pieces, count, sent, size - sent);

    if (r == 0 && was_empty) {
        r = weft__transport_watch(t);
        if (r < 0 && sent == 0) {
            weft__transport_drop_kept(t);
        }
    }
    if (r < 0) {
        if (sent > 0) {
            weft__transport_fail(t, r); /* the peer got a part of it */
        }
        return r;
    }
    weft__transport_check_high(t);
    return 0;
}

static int write_pieces(struct weft__transport *t, const struct iovec *pieces, int count,
                        size_t size)
{
    ssize_t n = 0;

    if (t->closing || t->eof_asked) {
        return -EPIPE;
    }
    if (t->kind == WEFT__READ_PIPE) {
        return -EOPNOTSUPP;
    }
    if (size == 0) {
        return 0;
    }
    if (weft__transport_kept(t) == 0) {
        n = send_some(t, pieces, count, size);
        if ((size_t)n == size) {
            return 0;
        }
    }
    if (n < 0) {
        weft__transport_fail(t, (int)n);
        return 0; /* connection_lost() tells */
    }
    return keep_rest(t, pieces, count, (size_t)n, size);
}

int weft_transport_write(weft_transport *handle, const void *data, size_t size)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);
    struct iovec piece = { (void *)(uintptr_t)data, size };

    if (!t || (!data && size > 0)) {
        return t ? -EINVAL : r;
    }
    return write_pieces(t, &piece, 1, size);
}

int weft_transport_writelines(weft_transport *handle, const struct iovec *pieces, int count)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);
    size_t size = 0;

    if (!t) {
        return r;
    }
    if (count < 0 || count > IOV_MAX || (count > 0 && !pieces)) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > SSIZE_MAX - size || (!pieces[i].iov_base && pieces[i].iov_len)) {
            return -EINVAL;
        }
        size += pieces[i].iov_len;
    }
    return write_pieces(t, pieces, count, size);
}

int weft_transport_write_eof(weft_transport *handle)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (!t) {
        return r;
    }
    if (t->kind == WEFT__READ_PIPE) {
        return -EOPNOTSUPP;
    }
    if (t->closing || t->eof_asked) {
        return 0;
    }
    if (t->kind == WEFT__WRITE_PIPE) {
        weft__transport_close(t);
        return 0;
    }
    t->eof_asked = true;
    if (weft__transport_kept(t) == 0) {
        shut(t);
    }
    return 0;
}

bool weft_transport_can_write_eof(weft_transport *handle)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return t && t->kind != WEFT__READ_PIPE;
}

size_t weft_transport_get_write_buffer_size(weft_transport *handle)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return t ? weft__transport_kept(t) : 0;
}

int weft__limits_resolve(ssize_t *high, ssize_t *low)
{
    if (*high == -1) {
        *high = *low == -1 ? WEFT__HIGH_WATER : *low > SSIZE_MAX / 4 ? SSIZE_MAX : 4 * *low;
    }
    *low = *low == -1 ? *high / 4 : *low;
    return *low < 0 || *high < *low ? -EINVAL : 0;
}

int weft_transport_set_write_buffer_limits(weft_transport *handle, ssize_t high, ssize_t low)
{
    int r = 0;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (!t) {
        return r;
    }
    r = weft__limits_resolve(&high, &low);
    if (r < 0) {
        return r;
    }
    t->high = (size_t)high;
    t->low = (size_t)low;
    if (!t->lost) {
        weft__transport_check_high(t);
    }
    return 0;
}

int weft_transport_get_write_buffer_limits(weft_transport *handle, size_t *ret_low,
                                           size_t *ret_high)
{
    int r = 0;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    if (t && ret_low) {
        *ret_low = t->low;
    }
    if (t && ret_high) {
        *ret_high = t->high;
    }
    return r;
}
