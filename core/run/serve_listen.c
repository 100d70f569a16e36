/* SPDX-License-Identifier: MIT
 * Serving on all cores: where all threads listen. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/run/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct weft__spot *find(struct weft__serve *serve, const weft_address *asked)
{
    for (struct weft__list *link = serve->spots.next; link != &serve->spots; link = link->next) {
        struct weft__spot *spot = WEFT__CONTAINER(link, struct weft__spot, link);

        if (weft_address_equal(&spot->asked, asked)) {
            return spot;
        }
    }
    return NULL;
}

static int duplicate(int fd)
{
    int own = WEFT__SYS(fcntl(fd, F_DUPFD_CLOEXEC, 0));

    return own < 0 ? -errno : own;
}

/* Where the socket really is: with its port. */
static void look_up(struct weft__spot *spot, int fd)
{
    spot->at = spot->asked;
    if (spot->asked.family != AF_UNIX) {
        uint16_t port = htons((uint16_t)weft__bound_port(fd));

        memcpy(spot->at.bytes + offsetof(struct sockaddr_in, sin_port), &port, sizeof port);
    }
}

/* The first who asks: with SO_REUSEPORT for a socket of its own, else for one that all share. */
static int open_first(struct weft__spot *spot, struct weft__listen_options *how, int *ret_fd)
{
    struct weft__bound bound;
    int r = -EOPNOTSUPP;

    spot->shared.fd = -1;
    if (spot->asked.family != AF_UNIX) {
        how->reuse_port = true;
        r = weft__listen(&spot->asked, how, &bound);
        how->reuse_port = false;
    }
    if (r == 0) {
        spot->has_own = true;
        look_up(spot, bound.fd);
        *ret_fd = bound.fd;
        return 0;
    }
    if (r != -EOPNOTSUPP && r != -ENOPROTOOPT) {
        return r;
    }
    r = weft__listen(&spot->asked, how, &spot->shared);
    if (r < 0) {
        return r;
    }
    look_up(spot, spot->shared.fd);
    r = duplicate(spot->shared.fd);
    if (r < 0) {
        weft__bound_close(&spot->shared, false);
        return r;
    }
    *ret_fd = r;
    return 0;
}

/* One who comes later. */
static int open_next(const struct weft__spot *spot, struct weft__listen_options *how, int *ret_fd)
{
    struct weft__bound bound;
    int r;

    if (!spot->has_own) {
        r = duplicate(spot->shared.fd);
        if (r >= 0) {
            *ret_fd = r;
        }
        return r < 0 ? r : 0;
    }
    how->reuse_port = true;
    r = weft__listen(&spot->at, how, &bound);
    if (r == 0) {
        *ret_fd = bound.fd;
    }
    return r;
}

/* The address that a host means: a number, a path, or all interfaces. */
static int address_of(const char *host, int port, weft_address *ret_address)
{
    if (host && (*host == '/' || *host == '@')) {
        return weft_address_unix(host, ret_address);
    }
    return weft_address_parse(host ? host : "::", port, ret_address);
}

int weft_worker_listen(weft_worker *worker, const char *host, int port,
                       const weft_listener_options *options, int *ret_fd)
{
    static const weft_listener_options none;
    struct weft__listen_options how;
    weft_address asked;
    struct weft__spot *spot;
    int r = worker && ret_fd ? address_of(host, port, &asked) : -EINVAL;

    if (r < 0) {
        return r;
    }
    options = options ? options : &none;
    how = (struct weft__listen_options){ .backlog = options->backlog > 0 ? options->backlog : 100,
                                         .reuse_address = !options->no_reuse_address,
                                         .keep_alive = options->keep_alive,
                                         .no_delay = asked.family != AF_UNIX,
                                         .dual_stack = !host,
                                         .mode = options->mode };
    pthread_mutex_lock(&worker->serve->lock);
    spot = find(worker->serve, &asked);
    if (spot) {
        r = open_next(spot, &how, ret_fd);
    } else {
        spot = weft__alloc_zeroed(1, sizeof *spot);
        r = -ENOMEM;
        if (spot) {
            spot->asked = asked;
            r = open_first(spot, &how, ret_fd);
        }
        if (r < 0) {
            weft__free(spot);
        } else {
            weft__list_push(&worker->serve->spots, &spot->link);
        }
    }
    pthread_mutex_unlock(&worker->serve->lock);
    return r;
}

void weft__spots_end(struct weft__serve *serve)
{
    struct weft__list *link;

    while ((link = weft__list_pop(&serve->spots))) {
        struct weft__spot *spot = WEFT__CONTAINER(link, struct weft__spot, link);

        weft__bound_close(&spot->shared, false);
        weft__free(spot);
    }
}
