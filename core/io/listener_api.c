/* SPDX-License-Identifier: MIT
 * Listeners: what programs call. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/dns.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_listener_options) == 64, "the public size");

#define PORTS_TRIED 16 /* for one that is free for all addresses */

static const weft_listener_options defaults;

/* ---- making one ---- */

static struct weft__listen_options listen_options(const weft_listener_options *options)
{
    return (struct weft__listen_options){
        .backlog = options->backlog > 0 ? options->backlog : WEFT__BACKLOG,
        .reuse_address = !options->no_reuse_address,
        .reuse_port = options->reuse_port,
        .keep_alive = options->keep_alive,
        .no_delay = true,
        .mode = options->mode,
    };
}

/* A listener without sockets for a call that is in order; NULL and the error. */
static struct weft__listener *prepare(weft_loop *handle, const weft_protocol *protocol, void *self,
                                      const weft_listener_options *options, int *ret_error)
{
    int r = weft__protocol_check(protocol);
    struct weft__loop *loop;
    struct weft__listener *l = NULL;

    r = r < 0 || options->backlog < 0 || options->mode & ~07777u ? -EINVAL : 0;
    loop = r < 0 ? NULL : weft__loop_of(handle, &r);
    if (loop) {
        r = weft__listener_new(loop, protocol, self, options, &l);
    }
    *ret_error = r;
    return l;
}

/* Its sockets are there, or `r` says why not. */
static int finish(struct weft__listener *l, int r, const weft_listener_options *options,
                  weft_listener **ret_listener)
{
    if (r >= 0 && !options->stopped) {
        r = weft__listener_serve(l);
    }
    if (r < 0) {
        weft__listener_free(l);
        return r;
    }
    *ret_listener = (weft_listener *)l->handle;
    return 0;
}

static int add_address(struct weft__listener *l, const weft_address *address,
                       const struct weft__listen_options *options)
{
    struct weft__bound bound;
    int r = weft__listen(address, options, &bound);

    if (r >= 0) {
        r = weft__listener_add(l, &bound);
        if (r < 0) {
            weft__bound_close(&bound, false);
        }
    }
    return r;
}

/* The address, with another port unless that is 0. */
static int add_with_port(struct weft__listener *l, weft_address address, int port,
                         const struct weft__listen_options *options)
{
    uint16_t number = htons((uint16_t)port);

    if (port != 0) {
        memcpy(address.bytes + offsetof(struct sockaddr_in, sin_port), &number, sizeof number);
    }
    return add_address(l, &address, options);
}

/* One socket for each address, once.  A family that is not there, or an address that is nobody's,
 * is left out while another one works.  Without a port the first one is given one, which the others
 * get: -EADDRINUSE where it is not free for them. */
static int add_each(struct weft__listener *l, const weft_address *addresses, size_t count, int port,
                    bool same_port, const struct weft__listen_options *options)
{
    int r = -EADDRNOTAVAIL, first = 0, chosen = 0;

    for (size_t i = 0; i < count; i++) {
        if (weft__listen_is_again(addresses, i)) {
            continue;
        }
        r = add_with_port(l, addresses[i], chosen, options);
        if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL || r == -EPROTONOSUPPORT) {
            first = first ? first : r;
            continue;
        }
        if (r < 0) {
            return r;
        }
        if (port == 0 && same_port && chosen == 0) {
            chosen = weft__bound_port(l->doors->bound.fd);
        }
    }
    return l->doors ? 0 : first ? first : r;
}

/* Tries another port where one is not free for all; after some, each address gets its own. */
static int add_all(struct weft__listener *l, const weft_address *addresses, size_t count, int port,
                   const struct weft__listen_options *options)
{
    int r = -EADDRINUSE;

    for (int i = 0; r == -EADDRINUSE && i <= (port == 0 ? PORTS_TRIED : 0); i++) {
        weft__listener_close_doors(l);
        r = add_each(l, addresses, count, port, i < PORTS_TRIED, options);
    }
    return r;
}

static int add_everywhere(struct weft__listener *l, int port, int family,
                          const struct weft__listen_options *options)
{
    weft_address both[2];
    int r = weft_address_parse("::", port, &both[0]);

    r = r < 0 ? r : weft_address_parse("0.0.0.0", port, &both[1]);
    if (r < 0) {
        return r;
    }
    if (family == AF_UNSPEC) {
        return add_all(l, both, 2, port, options);
    }
    return add_all(l, &both[family == AF_INET ? 1 : 0], 1, port, options);
}

static int add_host(struct weft__listener *l, const char *host, int port,
                    const weft_listener_options *options,
                    const struct weft__listen_options *listening)
{
    weft_addrinfo_options want = { .family = options->family,
                                   .type = SOCK_STREAM,
                                   .flags = options->flags | AI_PASSIVE };
    weft_addrinfo *found = NULL;
    char service[8];
    weft_address numeric;
    int r = weft_address_parse(host, port, &numeric);

    if (r == 0 && (options->family == AF_UNSPEC || options->family == numeric.family)) {
        return add_all(l, &numeric, 1, port, listening);
    }
    snprintf(service, sizeof service, "%d", port);
    r = weft_getaddrinfo(host, service, &want, &found);
    if (r == 0) {
        r = add_all(l, found->addresses, found->count, port, listening);
    }
    weft_addrinfo_free(found);
    return r;
}

int weft_loop_create_server(weft_loop *loop, const weft_protocol *protocol, void *self,
                            const char *host, int port, const weft_listener_options *options,
                            weft_listener **ret_listener)
{
    struct weft__listen_options listening;
    struct weft__listener *l;
    int r = -EINVAL;

    options = options ? options : &defaults;
    if (!ret_listener || port < 0 || port > 65535 ||
        (options->family != AF_UNSPEC && options->family != AF_INET &&
         options->family != AF_INET6)) {
        return r;
    }
    l = prepare(loop, protocol, self, options, &r);
    if (!l) {
        return r;
    }
    listening = listen_options(options);
    r = host ? add_host(l, host, port, options, &listening) :
               add_everywhere(l, port, options->family, &listening);
    return finish(l, r, options, ret_listener);
}

int weft_loop_create_unix_server(weft_loop *loop, const weft_protocol *protocol, void *self,
                                 const char *path, const weft_listener_options *options,
                                 weft_listener **ret_listener)
{
    struct weft__listen_options listening;
    struct weft__listener *l;
    weft_address address;
    int r = -EINVAL;

    options = options ? options : &defaults;
    if (ret_listener && path && *path) {
        r = weft_address_unix(path, &address);
    }
    l = r < 0 ? NULL : prepare(loop, protocol, self, options, &r);
    if (!l) {
        return r;
    }
    listening = listen_options(options);
    listening.no_delay = false;
    return finish(l, add_address(l, &address, &listening), options, ret_listener);
}

/* Whether it is a stream socket that is bound; it listens and does not block from now on. */
static int adopt(int fd, int backlog)
{
    weft_address own = { .length = sizeof own.storage };
    int type, flags;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof type }) < 0 ||
        getsockname(fd, &own.sockaddr, &own.length) < 0) {
        return -errno;
    }
    if (type != SOCK_STREAM) {
        return weft__words(-EPROTOTYPE, "only stream sockets accept connections here");
    }
    flags = WEFT__SYS(fcntl(fd, F_GETFL));
    if (flags < 0 || WEFT__SYS(fcntl(fd, F_SETFL, flags | O_NONBLOCK)) < 0) {
        return -errno;
    }
    if (own.sockaddr.sa_family == AF_UNIX && own.length <= offsetof(struct sockaddr, sa_data)) {
        return -EDESTADDRREQ;
    }
    return WEFT__SYS(listen(fd, backlog)) < 0 ? -errno : 0;
}

int weft_loop_create_server_from_fd(weft_loop *loop, const weft_protocol *protocol, void *self,
                                    int fd, const weft_listener_options *options,
                                    weft_listener **ret_listener)
{
    struct weft__bound bound = { .fd = fd };
    struct weft__listener *l;
    int r = fd < 0 ? -EBADF : -EINVAL;

    options = options ? options : &defaults;
    l = ret_listener && fd >= 0 ? prepare(loop, protocol, self, options, &r) : NULL;
    if (!l) {
        return r;
    }
    r = adopt(fd, listen_options(options).backlog);
    if (r >= 0) {
        r = weft__listener_add(l, &bound);
    }
    if (r < 0) {
        weft__listener_free(l);
        return r;
    }
    r = options->stopped ? 0 : weft__listener_serve(l);
    if (r < 0) {
        l->doors->bound.fd = -1; /* it stays the caller's */
    }
    return finish(l, r, &(weft_listener_options){ .stopped = true }, ret_listener);
}

/* ---- using it ---- */

static struct weft__listener *listener_of(weft_listener *handle, int *ret_error)
{
    struct weft__listener *l = weft__cell_of(handle, ret_error);
    int r = l ? weft__loop_check(l->loop) : 0;

    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return l;
}

int weft_listener_start_serving(weft_listener *handle)
{
    int r = 0;
    struct weft__listener *l = listener_of(handle, &r);

    return l ? weft__listener_serve(l) : r;
}

bool weft_listener_is_serving(weft_listener *handle)
{
    int r;
    const struct weft__listener *l = listener_of(handle, &r);

    return l && l->serving;
}

int weft_listener_close(weft_listener *handle)
{
    int r = 0;
    struct weft__listener *l = listener_of(handle, &r);

    if (l) {
        weft__listener_close(l);
    }
    return r;
}

static int end_clients(weft_listener *handle, bool abort)
{
    int r = 0, count = 0;
    struct weft__listener *l = listener_of(handle, &r);

    for (struct weft__list *link = l ? l->clients.next : NULL; l && link != &l->clients;
         link = link->next) {
        struct weft__transport *client =
            WEFT__CONTAINER(link, struct weft__transport, client_link);

        if (abort) {
            weft__transport_fail(client, 0); /* it leaves the list in its turn */
        } else {
            weft__transport_close(client);
        }
        count++;
    }
    return l ? count : r;
}

int weft_listener_close_clients(weft_listener *handle)
{
    return end_clients(handle, false);
}

int weft_listener_abort_clients(weft_listener *handle)
{
    return end_clients(handle, true);
}

static const struct weft__wait wait_closed = { .name = "a listener's end",
                                             .interrupt = weft__waitq_interrupt };

int weft_listener_wait_closed(weft_listener *handle)
{
    int r = 0;
    struct weft__listener *l = listener_of(handle, &r);
    struct weft__task *task = l ? weft__self(&r) : NULL;
    weft_waiter waiter = { .gave_up = NULL };

    if (!task) {
        return l ? weft__misuse(r) : r;
    }
    if (l->closed && l->count == 0) {
        weft__task_spend_turn(task);
        return 0;
    }
    return weft__waitq_park(task, &l->closers, &waiter, &wait_closed);
}

/* A cancel closes all there is; the wait ends when that has ended. */
static void interrupt_serving(struct weft__task *task)
{
    weft_waiter *waiter = task->target;
    struct weft__listener *l = WEFT__CONTAINER(waiter->queue, struct weft__listener, closers);
    weft_listener *handle = (weft_listener *)l->handle;

    *(bool *)waiter->value = true;
    end_clients(handle, false);
    weft__listener_close(l);
}

static const struct weft__wait wait_serving = { .name = "serving",
                                              .interrupt = interrupt_serving };

int weft_listener_serve_forever(weft_listener *handle)
{
    int r = weft_listener_start_serving(handle);
    struct weft__listener *l = r < 0 ? NULL : listener_of(handle, &r);
    struct weft__task *task = l ? weft__self(&r) : NULL;
    bool by_cancel = false; /* else it was closed, whatever came before our turn */
    weft_waiter waiter = { .value = &by_cancel };

    if (!task) {
        return l ? weft__misuse(r) : r;
    }
    r = weft__waitq_park(task, &l->closers, &waiter, &wait_serving);
    return r == 0 && by_cancel ? -ECANCELED : r;
}

weft_listener *weft_listener_free(weft_listener *handle)
{
    int r;
    struct weft__listener *l = listener_of(handle, &r);

    if (l) {
        weft__listener_free(l);
    }
    return NULL;
}

unsigned weft_listener_clients(weft_listener *handle)
{
    int r;
    const struct weft__listener *l = listener_of(handle, &r);

    return l ? l->count : 0;
}

int weft_listener_sockname(weft_listener *handle, unsigned n, weft_address *ret_address)
{
    int r = 0;
    const struct weft__listener *l = listener_of(handle, &r);
    const struct weft__door *door = l ? l->doors : NULL;
    weft_address own = { .length = sizeof own.storage };

    if (!l || !ret_address) {
        return l ? -EINVAL : r;
    }
    while (door && n-- > 0) {
        door = door->next;
    }
    if (!door) {
        return -ENOENT;
    }
    if (getsockname(door->bound.fd, &own.sockaddr, &own.length) < 0) {
        return -errno;
    }
    own.family = own.sockaddr.sa_family;
    own.type = SOCK_STREAM;
    *ret_address = own;
    return 0;
}

int weft_listener_port(weft_listener *handle)
{
    weft_address own;
    int port = 0;

    for (unsigned n = 0; port == 0 && weft_listener_sockname(handle, n, &own) == 0; n++) {
        port = weft_address_port(&own);
    }
    return port;
}
