/* SPDX-License-Identifier: MIT
 * Listeners: accepting, clients, the end. */
#include "core/io/listener.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/sys_socket.h"
#include "core/io/try.h"

#include <sys/socket.h>
#include <unistd.h>

#define REST 1.0 /* seconds without accepting when the system has nothing left */

/* ---- clients ---- */

/* The doors ask for clients as long as there may be more. */
static int watch_doors(struct weft__listener *l)
{
    bool open = l->serving && !l->closed && !l->rest &&
                (l->max_clients == 0 || l->count < l->max_clients);
    int r = 0;

    for (struct weft__door *door = l->doors; door && r == 0; door = door->next) {
        r = weft__channel_ask(&door->channel, open ? WEFT_READABLE : 0u);
    }
    return r;
}

static void join(struct weft__listener *l, struct weft__transport *client)
{
    client->listener = l;
    weft__list_push(&l->clients, &client->client_link);
    l->count++;
}

void weft__listener_left(struct weft__transport *client)
{
    struct weft__listener *l = client->listener;

    if (!l) {
        return;
    }
    client->listener = NULL;
    weft__list_remove(&client->client_link);
    l->count--;
    if (l->closed && l->count == 0) {
        weft__waitq_wake_all(&l->closers, 0);
    } else if (l->max_clients && l->count == l->max_clients - 1) {
        (void)watch_doors(l); /* or at the next one that leaves */
    }
}

/* ---- accepting ---- */

static void report(struct weft__listener *l, int error, const char *message)
{
    weft_report said = { .kind = WEFT_REPORT_OTHER, .status = error, .message = message };

    weft__report(l->loop, &said);
}

static void rested(void *arg)
{
    struct weft__listener *l = arg;

    l->rest = weft_handle_unref(l->rest);
    if (watch_doors(l) < 0) {
        report(l, -ENOMEM, "a listener cannot go on accepting");
    }
}

/* There is no descriptor or memory for one more.  Whoever hears of that may free the listener. */
static void take_rest(struct weft__listener *l, int error)
{
    if (!l->rest) { /* without memory for a timer it tries again at once */
        (void)weft_loop_call_later(weft__loop_handle(l->loop), REST, rested, l, &l->rest);
    }
    (void)watch_doors(l); /* it asks for less */
    report(l, error, "cannot accept a connection, and rests for a second");
}

/* The factory may close or free the listener. */
static void welcome(struct weft__door *door, int fd, const weft_address *peer)
{
    struct weft__listener *l = door->listener;
    struct weft__vars *vars = weft__vars_ref(l->vars);
    bool is_ip = peer->family != AF_UNIX;
    struct weft__transport_request request = {
        .protocol = l->protocol,
        .self = l->self,
        .fd = fd,
        .kind = WEFT__SOCKET,
        .is_socket = true,
        .edge = is_ip, /* elsewhere a short read may have other reasons (descriptors that came) */
        .empties = is_ip,
        .vars = vars,
        .peer = is_ip ? peer : NULL,
    };
    struct weft__transport *client;
    int r = weft__transport_new(l->loop, &request, &client);

    if (r < 0) {
        close(fd);
    }
    if (door->listener && r >= 0) {
        join(l, client);
    } else if (door->listener) {
        report(l, r, "a connection was accepted and could not be made a transport");
    }
    weft__vars_unref(vars);
}

/* Accepts one; 0, or why there is no other. */
static int accept_one(struct weft__door *door)
{
    weft_address peer = { .length = sizeof peer.storage };
    int fd = WEFT__SYS(weft__sys_accept(door->bound.fd, &peer.sockaddr, &peer.length));

    if (fd >= 0) {
        peer.family = peer.sockaddr.sa_family;
        welcome(door, weft__io_fresh(fd), &peer);
        return 0;
    }
    return weft__accept_is_passed_over(errno) ? 0 : -errno;
}

static void free_door(struct weft__door *door)
{
    if (!door->channel.handle.item.queued && !door->busy) {
        weft__free(door);
    }
}

static void accept_some(void *arg)
{
    struct weft__door *door = arg;
    struct weft__listener *l = door->listener;
    int r = 0;

    door->busy = true;
    for (unsigned i = 0; l && r == 0 && i < l->at_once; i++) {
        if (!l->serving || l->rest || (l->max_clients && l->count >= l->max_clients)) {
            break;
        }
        r = accept_one(door);
        l = door->listener;
    }
    if (l && r < 0 && r != -EAGAIN) {
        take_rest(l, r);
    } else if (l && l->max_clients) {
        (void)watch_doors(l); /* it asks for less */
    }
    door->busy = false;
    if (!door->listener) {
        free_door(door);
    }
}

/* ---- the end ---- */

void weft__listener_close_doors(struct weft__listener *l)
{
    struct weft__door *next;

    for (struct weft__door *door = l->doors; door; door = next) {
        next = door->next;
        weft__channel_close(&door->channel);
        weft__bound_close(&door->bound, l->keep_path);
        door->listener = NULL;
        if (l->loop->closing) {
            (void)weft__loop_unqueue(l->loop, &door->channel.handle.item);
        }
        free_door(door);
    }
    l->doors = NULL;
}

void weft__listener_close(struct weft__listener *l)
{
    if (l->closed) {
        return;
    }
    l->closed = true;
    weft__loop_gone(l->loop, l);
    l->serving = false;
    weft__listener_close_doors(l);
    if (l->rest) {
        weft_handle_cancel(l->rest);
        l->rest = weft_handle_unref(l->rest);
    }
    if (l->count == 0) {
        weft__waitq_wake_all(&l->closers, 0);
    }
}

void weft__listener_free(struct weft__listener *l)
{
    struct weft__vars *vars = l->vars;

    weft__listener_close(l);
    while (!weft__list_empty(&l->clients)) {
        struct weft__list *first = weft__list_pop(&l->clients);

        WEFT__CONTAINER(first, struct weft__transport, client_link)->listener = NULL;
    }
    if (!l->loop->closing) {
        weft__waitq_wake_all(&l->closers, -EBADF);
    }
    weft__list_remove(&l->link);
    weft__pool_give(&l->all->listener_cells, l);
    weft__vars_unref(vars);
}

void weft__listeners_begin(struct weft__transports *all)
{
    weft__list_init(&all->listeners);
    weft__pool_init(&all->listener_cells, sizeof(struct weft__listener));
}

void weft__listeners_end(struct weft__transports *all)
{
    while (!weft__list_empty(&all->listeners)) {
        weft__listener_free(WEFT__CONTAINER(all->listeners.next, struct weft__listener, link));
    }
}

/* ---- making one ---- */

int weft__listener_new(struct weft__loop *loop, const weft_protocol *protocol, void *self,
                       const weft_listener_options *options, struct weft__listener **ret_listener)
{
    struct weft__transports *all = weft__transports_of(loop);
    struct weft__listener *l = all ? weft__pool_take(&all->listener_cells) : NULL;

    if (!l) {
        return -ENOMEM;
    }
    *l = (struct weft__listener){
        .handle = l->handle,
        .loop = loop,
        .all = all,
        .protocol = protocol,
        .self = self,
        .max_clients = options->max_clients,
        .at_once = options->backlog > 0 ? (unsigned)options->backlog : WEFT__BACKLOG,
        .keep_path = options->keep_path,
    };
    weft__list_init(&l->clients);
    weft__list_push(&all->listeners, &l->link);
    weft__loop_opened(loop, l, WEFT__LISTENER, -1);
    l->vars = weft__context_capture();
    *ret_listener = l;
    return 0;
}

int weft__listener_add(struct weft__listener *l, struct weft__bound *bound)
{
    struct weft__door *door = weft__alloc_zeroed(1, sizeof *door);
    struct weft__door **last = &l->doors;
    int r = door ? 0 : -ENOMEM;

    if (door) {
        weft__channel_init(&door->channel, accept_some, door);
        r = weft__channel_open(l->loop, &door->channel, bound->fd, 0);
    }
    if (r < 0) {
        weft__free(door);
        return r;
    }
    door->listener = l;
    door->bound = *bound;
    while (*last) {
        last = &(*last)->next;
    }
    *last = door;
    return 0;
}

int weft__listener_serve(struct weft__listener *l)
{
    bool before = l->serving;
    int r;

    if (l->closed) {
        return -EBADF;
    }
    l->serving = true;
    r = watch_doors(l);
    if (r < 0) {
        l->serving = before;
    }
    return r;
}
