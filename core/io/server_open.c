/* SPDX-License-Identifier: MIT
 * Servers are started: addresses are found and bound. */
#include "core/io/server.h"

#include "core/base/error.h"
#include "core/io/sys_socket.h"

#include <netdb.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/dns.h>
#include <weft/io.h>

static const weft_server_options defaults;
_Static_assert(sizeof(void *) != 8 || sizeof(weft_server_options) == 112, "the public size");

static struct weft__listen_options listen_options(const weft_server_options *options)
{
    return (struct weft__listen_options){
        .backlog = options->backlog > 0 ? options->backlog : WEFT__BACKLOG,
        .reuse_address = !options->no_reuse_address,
        .reuse_port = options->reuse_port,
        .keep_alive = options->keep_alive,
        .no_delay = !options->stream.may_delay,
        .mode = options->mode,
    };
}

/* Opens a socket at an address and adds it. */
static int add(struct weft__server *server, const weft_address *address,
               const weft_server_options *options)
{
    struct weft__listen_options how = listen_options(options);
    struct weft__bound bound;
    int r = weft__listen(address, &how, &bound);

    if (r < 0) {
        return r;
    }
    r = weft__server_add(server, &bound, address->family != AF_UNIX);
    if (r < 0) {
        weft__bound_close(&bound, false);
    }
    return r;
}

/* A server that did not come about. */
static int give_up(struct weft__server *server, int r)
{
    weft__server_stop(server);
    server->is_closed = true;
    weft__loop_gone(server->loop, server);
    weft__server_release(server);
    return r;
}

static int begin(weft_server_handler *handler, void *user, const weft_server_options *options,
                 struct weft__server **ret_server)
{
    int r = -EINVAL;
    bool is_good = handler && options->backlog >= 0 && options->close_timeout >= 0;
    struct weft__task *task = is_good ? weft__io_begin(&r) : NULL;

    return task ? weft__server_new(task->loop, handler, user, options, ret_server) : r;
}

static int serve(struct weft__server *server, int r, weft_server **ret_server)
{
    r = r < 0 ? r : weft__server_begin(server);
    if (r < 0) {
        return give_up(server, r);
    }
    *ret_server = (weft_server *)server->handle;
    return 0;
}

/* All addresses, once; one that this host has not is passed over as long as there is another. */
static int add_all(struct weft__server *server, const weft_addrinfo *info,
                   const weft_server_options *options)
{
    int r = 0, missing = 0;

    for (size_t i = 0; i < info->count && r >= 0; i++) {
        r = weft__listen_is_again(info->addresses, i) ?
                0 :
                add(server, &info->addresses[i], options);
        if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT) {
            missing = r;
            r = 0;
        }
    }
    return r < 0 ? r : server->doors ? 0 : missing;
}

int weft_start_server(weft_server_handler *handler, void *user, const char *host, int port,
                      const weft_server_options *options, weft_server **ret_server)
{
    weft_addrinfo_options wanted = { .type = SOCK_STREAM, .flags = AI_PASSIVE };
    struct weft__server *server;
    weft_addrinfo *info;
    char service[8];
    int r;

    if (port < 0 || port > 65535) {
        return -EINVAL;
    }
    options = options ? options : &defaults;
    wanted.family = options->family;
    r = begin(handler, user, options, &server);
    if (r < 0) {
        return r;
    }
    server->pins++; /* while the name is looked up nobody else knows of it */
    snprintf(service, sizeof service, "%d", port);
    r = weft_getaddrinfo(host && *host ? host : NULL, service, &wanted, &info);
    if (r == 0) {
        r = add_all(server, info, options);
        weft_addrinfo_free(info);
    }
    server->pins--;
    return serve(server, r, ret_server);
}

int weft_start_unix_server(weft_server_handler *handler, void *user, const char *path,
                           const weft_server_options *options, weft_server **ret_server)
{
    struct weft__server *server;
    weft_address address;
    int r = path && *path ? weft_address_unix(path, &address) : -EINVAL;

    options = options ? options : &defaults;
    r = r < 0 ? r : begin(handler, user, options, &server);
    if (r < 0) {
        return r;
    }
    return serve(server, add(server, &address, options), ret_server);
}

int weft_start_server_fd(weft_server_handler *handler, void *user, int fd,
                         const weft_server_options *options, weft_server **ret_server)
{
    struct weft__bound bound = { .fd = fd };
    struct weft__server *server;
    int listens = 0, family, r;
    socklen_t size = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) {
        return -errno;
    }
    if (!listens) {
        return weft__words(-EINVAL, "the socket does not listen");
    }
    family = weft__sys_family(fd);
    r = weft_set_nonblocking(fd);
    options = options ? options : &defaults;
    r = r < 0 ? r : begin(handler, user, options, &server);
    if (r < 0) {
        return r;
    }
    r = weft__server_add(server, &bound, family == AF_INET || family == AF_INET6);
    r = r < 0 ? r : weft__server_begin(server);
    if (r < 0) {
        for (struct weft__server_door *door = server->doors; door; door = door->next) {
            door->bound.fd = -1; /* it stays the caller's */
        }
        return give_up(server, r);
    }
    *ret_server = (weft_server *)server->handle;
    return 0;
}
