/* SPDX-License-Identifier: MIT
 * libuv: watched descriptors, one uv_poll_t each. */
#include "uv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)

static void on_polled_closed(uv_handle_t *handle)
{
    polled *p = (polled *)handle;
    uv_host *host = p->host;
    host->core->alloc(p, 0);
    weft_uv_let_go(host);
}

static uint32_t from_poll(int events)
{
    return (events & POLLIN ? WEFT_READABLE : 0u) | (events & POLLOUT ? WEFT_WRITABLE : 0u) |
           (events & POLLPRI ? WEFT_PRIORITY : 0u) | (events & POLLERR ? WEFT_ERROR : 0u) |
           (events & POLLHUP ? WEFT_HANGUP : 0u) |
           (events & POLLNVAL ? WEFT_ERROR | WEFT_HANGUP : 0u);
}

static int to_uv(uint32_t events)
{
    int r = (events & WEFT_READABLE ? UV_READABLE | UV_DISCONNECT : 0) |
            (events & WEFT_WRITABLE ? UV_WRITABLE : 0) |
            (events & WEFT_PRIORITY ? UV_PRIORITIZED : 0);
    return r ? r : UV_PRIORITIZED; /* something must be asked for; errors come beside it */
}

static uint32_t from_uv(int events)
{
    return (events & UV_READABLE ? WEFT_READABLE : 0u) |
           (events & UV_WRITABLE ? WEFT_WRITABLE : 0u) |
           (events & UV_PRIORITIZED ? WEFT_PRIORITY : 0u) |
           (events & UV_DISCONNECT ? WEFT_READ_CLOSED : 0u);
}

static void on_event(uv_poll_t *handle, int status, int events);

int weft_uv_start(polled *p, uint32_t events, uv_poll_cb callback)
{
    uv_host *host = p->host;
    int r = uv_poll_start(&p->poll, to_uv(events), callback);
    if (r < 0) {
        return r;
    }
    p->events = events;
    if (!p->fresh) {
        p->fresh = true;
        p->next_fresh = host->fresh;
        host->fresh = p;
    }
    return 0;
}

static void report(polled *p, uint32_t ready)
{
    weft_backend_event event = { .token = p->token, .ready = ready };
    p->host->happened = true;
    p->host->core->ready(p->host->loop, &event);
}

/* What libuv does not tell: errors, which it reports as EBADF, and hang-up.  It has stopped. */
static void look_closer(polled *p)
{
    struct pollfd fd = { .fd = p->fd };
    fd.events = (short)((p->events & WEFT_READABLE ? POLLIN : 0) |
                        (p->events & WEFT_WRITABLE ? POLLOUT : 0) |
                        (p->events & WEFT_PRIORITY ? POLLPRI : 0));
    if (poll(&fd, 1, 0) == 1) {
        report(p, from_poll(fd.revents));
    }
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    polled *p = (polled *)handle;
    if (status < 0) {
        (void)weft_uv_start(p, p->events, on_event);
        look_closer(p);
    } else if (p->events == 0) {
        look_closer(p);
    } else {
        report(p, from_uv(events));
    }
}

int weft_uv_poll(uv_host *host, int fd, uint64_t token, polled **ret_polled)
{
    polled *p = host->core->alloc(NULL, sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    *p = (polled){ .host = host, .fd = fd, .token = token };
    int r = host->core->fault();
    r = r < 0 ? r : uv_poll_init(host->uv, &p->poll, fd);
    if (r < 0) {
        host->core->alloc(p, 0);
        return r;
    }
    uv_unref((uv_handle_t *)&p->poll);
    host->open++;
    p->at = &host->watches;
    p->next = host->watches;
    if (p->next != NULL) {
        p->next->at = &p->next;
    }
    host->watches = p;
    *ret_polled = p;
    return 0;
}

void weft_uv_end(polled *p)
{
    if (p->fresh) {
        polled **at = &p->host->fresh;
        while (*at != p) {
            at = &(*at)->next_fresh;
        }
        *at = p->next_fresh;
    }
    *p->at = p->next;
    if (p->next != NULL) {
        p->next->at = p->at;
    }
    uv_close((uv_handle_t *)&p->poll, on_polled_closed);
}

void weft_uv_before(uv_prepare_t *handle)
{
    uv_host *host = handle->data;
    while (host->fresh != NULL) {
        polled *p = host->fresh;
        host->fresh = p->next_fresh;
        p->fresh = false;
        if (fcntl(p->fd, F_GETFD) < 0) {
            uv_poll_stop(&p->poll);
            report(p, WEFT_ERROR | WEFT_HANGUP);
        }
    }
}

/* uv_poll_init() makes descriptors non-blocking, and with them whatever other process shares the
 * open file: a terminal, say. */
static int watch_as_it_is(uv_host *host, int fd, uint64_t token, polled **ret_polled)
{
    int r = host->core->fault();
    int flags = r < 0 ? r : fcntl(fd, F_GETFL);
    if (flags < 0) {
        return r < 0 ? r : -errno;
    }
    r = weft_uv_poll(host, fd, token, ret_polled);
    if (!(flags & O_NONBLOCK)) {
        (void)fcntl(fd, F_SETFL, flags);
    }
    return r;
}

int weft_uv_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    uv_watch *w = watch;
    polled *p;
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    int r = watch_as_it_is(be, fd, token, &p);
    if (r < 0) {
        return r;
    }
    r = weft_uv_start(p, events, on_event);
    if (r < 0) {
        weft_uv_end(p);
        return r;
    }
    w->polled = p;
    return 0;
}

int weft_uv_rewatch(void *be, void *watch, uint32_t events)
{
    (void)be;
    if (events & ~(uint32_t)ASKABLE) {
        return -EINVAL;
    }
    return weft_uv_start(((uv_watch *)watch)->polled, events, on_event);
}

int weft_uv_unwatch(void *be, void *watch)
{
    (void)be;
    weft_uv_end(((uv_watch *)watch)->polled);
    return 0;
}

static void on_guest(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    uv_host *host = ((polled *)handle)->host;
    if (!host->closing) {
        host->core->pump(host->loop); /* also while it runs us: it looks only when told to */
    }
}

int weft_uv_guest(void *be, int fd)
{
    uv_host *host = be;
    if (fd < 0) {
        if (host->guest != NULL) {
            weft_uv_end(host->guest);
        }
        host->guest = NULL;
        return 0;
    }
    int r = weft_uv_poll(host, fd, UINT64_MAX, &host->guest);
    return r < 0 ? r : weft_uv_start(host->guest, WEFT_READABLE, on_guest);
}
