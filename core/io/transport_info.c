/* SPDX-License-Identifier: MIT
 * Transports: what they are, who holds them, and waiting for them in a task. */
#include "core/io/transport.h"

#include <string.h>
#include <sys/socket.h>

weft_transport *weft_transport_ref(weft_transport *handle)
{
    int r;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t) {
        t->holds++;
    }
    return handle;
}

weft_transport *weft_transport_unref(weft_transport *handle)
{
    int r;
    struct weft__transport *t = weft__transport_of(handle, &r);

    if (t && t->holds > 0) {
        t->holds--;
        weft__transport_release(t);
    }
    return NULL;
}

bool weft_transport_is_closing(weft_transport *handle)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return !t || t->closing;
}

int weft_transport_set_protocol(weft_transport *handle, const weft_protocol *protocol, void *self)
{
    int r = weft__protocol_check(protocol);
    struct weft__transport *t = r < 0 ? NULL : weft__transport_of(handle, &r);

    if (t) {
        t->protocol = protocol;
        t->self = self;
    }
    return r;
}

const weft_protocol *weft_transport_get_protocol(weft_transport *handle, void **ret_self)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    if (t && ret_self) {
        *ret_self = t->self;
    }
    return t ? t->protocol : NULL;
}

weft_loop *weft_transport_get_loop(weft_transport *handle)
{
    int r;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return t ? weft__loop_handle(t->soon.loop) : NULL;
}

int weft_transport_fileno(weft_transport *handle)
{
    int r = 0;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    return !t ? r : t->fd < 0 ? -EBADF : t->fd;
}

/* What getpeername(2) or getsockname(2) says. */
static int ask_socket(const struct weft__transport *t,
                      int (*call)(int fd, struct sockaddr *address, socklen_t *length),
                      weft_address *ret_address)
{
    weft_address found = { .type = SOCK_STREAM, .length = sizeof found.storage };

    if (call(t->fd, &found.sockaddr, &found.length) < 0) {
        return errno == EINVAL ? -ENOTCONN : -errno; /* it was shut down */
    }
    found.family = found.sockaddr.sa_family;
    *ret_address = found;
    return 0;
}

int weft_transport_sockname(weft_transport *handle, weft_address *ret_address)
{
    int r = 0;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    if (!t || !ret_address) {
        return t ? -EINVAL : r;
    }
    return t->fd < 0 ? -EBADF : ask_socket(t, getsockname, ret_address);
}

int weft_transport_peername(weft_transport *handle, weft_address *ret_address)
{
    int r = 0;
    const struct weft__transport *t = weft__transport_of(handle, &r);

    if (!t || !ret_address) {
        return t ? -EINVAL : r;
    }
    if (t->peer_length) {
        *ret_address = (weft_address){ .family = t->peer.sin6_family,
                                       .type = SOCK_STREAM,
                                       .length = t->peer_length };
        memcpy(ret_address->bytes, &t->peer, t->peer_length);
        return 0;
    }
    return t->fd < 0 ? -ENOTCONN : ask_socket(t, getpeername, ret_address);
}

/* ---- in a task ---- */

static const struct weft__wait wait_drain = { .name = "a transport to be drained",
                                             .interrupt = weft__waitq_interrupt };
static const struct weft__wait wait_lost = { .name = "a transport's end",
                                            .interrupt = weft__waitq_interrupt };

/* The transport and the running task; NULL and the error. */
static struct weft__transport *begin(weft_transport *handle, struct weft__task **ret_task,
                                     int *ret_error)
{
    struct weft__transport *t = weft__transport_of(handle, ret_error);

    *ret_task = t ? weft__self(ret_error) : NULL;
    if (t && !*ret_task) {
        weft__misuse(*ret_error);
        return NULL;
    }
    return t;
}

int weft_transport_drain(weft_transport *handle)
{
    int r = 0;
    struct weft__task *task;
    struct weft__transport *t = begin(handle, &task, &r);
    weft_waiter waiter = { .gave_up = NULL };

    if (!t) {
        return r;
    }
    if (t->to_lose || t->lost) {
        r = t->error ? t->error : -EPIPE; /* it may be gone after the turn */
        weft__task_spend_turn(task);
        return r;
    }
    if (!t->writing_paused) {
        if (!task->cancelled) {
            weft__task_spend_turn(task);
            return 0;
        }
        weft__task_yield(task);
        return -ECANCELED;
    }
    return weft__waitq_park(task, &t->drainers, &waiter, &wait_drain);
}

int weft_transport_wait_closed(weft_transport *handle)
{
    int r = 0;
    struct weft__task *task;
    struct weft__transport *t = begin(handle, &task, &r);
    weft_waiter waiter = { .gave_up = NULL };

    if (!t) {
        return r;
    }
    if (t->lost) {
        r = t->error; /* it may be gone after the turn */
        weft__task_spend_turn(task);
        return r;
    }
    return weft__waitq_park(task, &t->closers, &waiter, &wait_lost);
}
