/* SPDX-License-Identifier: MIT
 * Direct mode: one ev_io for each descriptor, and an epoll of our own for what libev has no word
 * for. */
#include "host.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ASKABLE (WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)
#define WAKE UINT64_MAX /* the token that backend.h leaves to us */

static void report(ev_host *host, uint64_t token, uint32_t ready, int error)
{
    const weft_backend_event event = { .token = token, .ready = ready, .error = error };
    host->core->ready(host->owner, &event);
    weft_ev_ask_for_turn(host);
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

static void on_ready(struct ev_loop *loop, ev_io *io, int revents)
{
    ev_host *host = io->data;
    uint32_t ready =
        (revents & EV_READ ? WEFT_READABLE : 0u) | (revents & EV_WRITE ? WEFT_WRITABLE : 0u);
    int error = 0;
    if (revents & EV_ERROR) { /* libev has stopped it, and has taken that off the count as well */
        if (host->adopted) {
            ev_ref(loop);
        }
        ready = WEFT_ERROR;
        error = is_closed(io->fd) ? -EBADF : -ENOSPC;
    }
    report(host, ((ev_watch *)io)->token, ready, error);
}

static uint32_t from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? WEFT_READABLE : 0u) | (events & EPOLLOUT ? WEFT_WRITABLE : 0u) |
           (events & EPOLLPRI ? WEFT_PRIORITY : 0u) | (events & EPOLLERR ? WEFT_ERROR : 0u) |
           (events & EPOLLHUP ? WEFT_HANGUP : 0u) | (events & EPOLLRDHUP ? WEFT_READ_CLOSED : 0u);
}

void weft_ev_on_odd(struct ev_loop *loop, ev_io *io, int revents)
{
    ev_host *host = io->data;
    struct epoll_event event;
    (void)loop, (void)revents;
    if (epoll_wait(io->fd, &event, 1, 0) != 1) { /* one: its report may end other watches */
        return;
    }
    if (event.data.u64 == WAKE) {
        weft_ev_ask_for_turn(host); /* edge triggered: spent by being fetched */
    } else {
        report(host, event.data.u64, from_epoll(event.events), 0);
    }
}

static int control_odd(ev_host *host, int operation, int fd, uint32_t events, uint64_t token)
{
    struct epoll_event event = { .events = events, .data.u64 = token };
    int r = host->core->fault();
    if (r == 0 && epoll_ctl(host->odd.fd, operation, fd, &event) < 0) {
        r = -errno;
    }
    if (r == -EEXIST || r == -ENOENT) { /* closed behind our back; see the epoll backend */
        operation = r == -EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        r = epoll_ctl(host->odd.fd, operation, fd, &event) < 0 ? -errno : 0;
    }
    return r;
}

/* The eventfd of wake(), in our own epoll: each write is an edge, so nobody has to read it. */
int weft_ev_open_odd(ev_host *host)
{
    int r = host->core->fault();
    if (r == 0) {
        host->odd.fd = epoll_create1(EPOLL_CLOEXEC);
        r = host->odd.fd < 0 ? -errno : host->core->fault();
    }
    if (r == 0) {
        host->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = host->wake_fd < 0 ? -errno : 0;
    }
    if (r == 0) {
        r = control_odd(host, EPOLL_CTL_ADD, host->wake_fd, (uint32_t)EPOLLIN | EPOLLET, WAKE);
    }
    return r;
}

static void unlink_watch(ev_host *host, ev_watch *watch)
{
    *(watch->previous != NULL ? &watch->previous->next : &host->watches) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    if (host->next == watch) { /* from within ready() */
        host->next = watch->next;
    }
}

static void link_watch(ev_host *host, ev_watch *watch)
{
    watch->previous = NULL;
    watch->next = host->watches;
    if (watch->next != NULL) {
        watch->next->previous = watch;
    }
    host->watches = watch;
}

void weft_ev_check_fresh(ev_host *host)
{
    host->next = host->watches;
    while (host->next != NULL && host->next->fresh) {
        ev_watch *watch = host->next;
        host->next = watch->next;
        watch->fresh = false;
        if (!watch->odd && is_closed(watch->io.fd)) {
            weft_ev_stop(host, &watch->io);
            report(host, watch->token, WEFT_ERROR, -EBADF);
        }
    }
}

/* Moves a watch to the front, where weft_ev_check_fresh() finds it. */
static void refresh(ev_host *host, ev_watch *watch)
{
    watch->fresh = true;
    link_watch(host, watch);
}

/* Has what is asked for watched by libev, or by our epoll where libev has no word for it. */
static int ask(ev_host *host, ev_watch *watch, uint32_t events)
{
    int fd = watch->io.fd;
    int wanted = (events & WEFT_READABLE ? EV_READ : 0) | (events & WEFT_WRITABLE ? EV_WRITE : 0);
    bool odd = events == 0 || events & WEFT_PRIORITY;
    int r = events & ~(uint32_t)ASKABLE ? -EINVAL : host->core->fault();
    if (r == 0 && is_closed(fd)) {
        r = -EBADF;
    }
    if (r == 0 && odd) {
        uint32_t asked = (events & WEFT_READABLE ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
                         (events & WEFT_WRITABLE ? (uint32_t)EPOLLOUT : 0) |
                         (events & WEFT_PRIORITY ? (uint32_t)EPOLLPRI : 0);
        r = control_odd(host, watch->odd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, asked, watch->token);
    } else if (r == 0 && watch->odd) {
        r = control_odd(host, EPOLL_CTL_DEL, fd, 0, 0);
    }
    if (r < 0) {
        return r;
    }
    weft_ev_stop(host, &watch->io);
    watch->odd = odd;
    if (!odd) {
        ev_io_set(&watch->io, fd, wanted);
        weft_ev_start(host, &watch->io);
    }
    return 0;
}

int weft_ev_watch(void *be, void *memory, int fd, uint32_t events, uint64_t token)
{
    ev_watch *watch = memory;
    watch->token = token;
    watch->odd = false;
    ev_io_init(&watch->io, on_ready, fd, 0);
    watch->io.data = be;
    int r = ask(be, watch, events);
    if (r == 0) {
        refresh(be, watch);
    }
    return r;
}

int weft_ev_rewatch(void *be, void *memory, uint32_t events)
{
    int r = ask(be, memory, events);
    if (r == 0) {
        unlink_watch(be, memory);
        refresh(be, memory);
    }
    return r;
}

int weft_ev_unwatch(void *be, void *memory)
{
    ev_host *host = be;
    ev_watch *watch = memory;
    unlink_watch(host, watch);
    weft_ev_stop(host, &watch->io);
    if (watch->odd) {
        (void)epoll_ctl(host->odd.fd, EPOLL_CTL_DEL, watch->io.fd, &(struct epoll_event){ 0 });
    }
    return 0;
}
