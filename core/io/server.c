/* SPDX-License-Identifier: MIT
 * Servers: what can be done with one that is there. */
#include "core/io/server.h"

#include "core/io/filter.h"

#include <math.h>
#include <weft/scope.h>
#include <weft/tls.h>
#include <weft/waitq.h>

#define CLOSE_TIMEOUT 30.0 /* seconds, unless options say otherwise */

static struct weft__server *server_of(weft_server *handle, int *ret_error)
{
    struct weft__server *server = weft__cell_of(handle, ret_error);
    int r;

    if (!server || server->is_closed) {
        *ret_error = handle ? -EBADF : -EINVAL;
        return NULL;
    }
    r = weft__loop_check(server->loop);
    if (r < 0) {
        *ret_error = weft__misuse(r);
        return NULL;
    }
    return server;
}

static void free_doors(struct weft__server *server)
{
    while (server->doors) {
        struct weft__server_door *door = server->doors;

        server->doors = door->next;
        weft__free(door);
    }
}

void weft__server_release(struct weft__server *server)
{
    if (server->is_closed && !server->count && !server->accepting && !server->pins) {
        weft__list_remove(&server->link);
        free_doors(server);
        weft_tls_unref(server->tls);
        weft__pool_give(&server->io->servers, server);
    }
}

/* The loop closes. */
static void close_servers(struct weft__io *io)
{
    struct weft__list *link;

    while ((link = weft__list_pop(&io->serving))) {
        struct weft__server *server = WEFT__CONTAINER(link, struct weft__server, link);

        for (struct weft__server_door *door = server->doors; door; door = door->next) {
            weft__bound_close(&door->bound, server->keep_file);
        }
        free_doors(server);
        server->tls = weft_tls_unref(server->tls);
        server->is_closed = true;
    }
}

int weft__server_new(struct weft__loop *loop, weft_server_handler *handler, void *user,
                     const weft_server_options *options, struct weft__server **ret_server)
{
    int r = 0;
    struct weft__tls *tls = options->tls ? weft__tls_of(options->tls, &r) : NULL;
    struct weft__io *io = r < 0 ? NULL : weft__io_of(loop);
    struct weft__server *server = io ? weft__pool_take(&io->servers) : NULL;
    uintptr_t handle;

    if (!server) {
        return r < 0 ? r : -ENOMEM;
    }
    io->close_servers = close_servers;
    handle = server->handle;
    *server = (struct weft__server){
        .handle = handle,
        .loop = loop,
        .io = io,
        .handler = handler,
        .user = user,
        .max_clients = options->max_clients,
        .limit = options->stream.limit,
        .stack_size = options->stack_size,
        .close_timeout = options->close_timeout > 0 ? options->close_timeout : CLOSE_TIMEOUT,
        .keep_file = options->keep_file,
        .tls = tls ? weft_tls_ref(options->tls) : NULL,
    };
    weft__list_init(&server->clients);
    weft__list_push(&io->serving, &server->link);
    weft__loop_opened(loop, server, WEFT__SERVER, -1);
    *ret_server = server;
    return 0;
}

int weft__server_add(struct weft__server *server, const struct weft__bound *bound, bool is_tcp)
{
    struct weft__server_door *door = weft__alloc_zeroed(1, sizeof *door), **last = &server->doors;

    if (!door) {
        return -ENOMEM;
    }
    door->server = server;
    door->bound = *bound;
    door->is_tcp = is_tcp;
    while (*last) {
        last = &(*last)->next;
    }
    *last = door;
    return 0;
}

int weft__server_begin(struct weft__server *server)
{
    static const weft_task_options options = { .name = "server" };
    int r = 0;

    server->is_serving = true;
    for (struct weft__server_door *door = server->doors; door && r == 0; door = door->next) {
        door->task =
            weft__task_make(server->loop, weft__server_accept(door), &options, &r);
        if (door->task) {
            door->task->outcome.holds--;
            door->task->outcome.detached = true;
            server->accepting++;
            weft__task_begin(door->task, NULL);
        }
    }
    return r;
}

static void cancel(struct weft__server *server, struct weft__task *task)
{
    weft__task_cancel_by(task, server->loop->current, WEFT_CANCEL_REQUEST, "the server stops");
}

void weft__server_close_door(struct weft__server_door *door)
{
    struct weft__server *server = door->server;

    if (door->bound.fd >= 0) {
        weft__fd_forget(server->loop, door->bound.fd);
    }
    weft__bound_close(&door->bound, server->keep_file);
}

void weft__server_stop(struct weft__server *server)
{
    server->is_serving = false;
    for (struct weft__server_door *door = server->doors; door; door = door->next) {
        weft__server_close_door(door);
        if (door->task) {
            cancel(server, door->task);
        }
    }
}

/* Cancels the handlers; returns how many. */
static int64_t cancel_clients(struct weft__server *server)
{
    int64_t count = 0;

    for (struct weft__list *link = server->clients.next; link != &server->clients;
         link = link->next) {
        cancel(server, WEFT__CONTAINER(link, struct weft__stream, client)->server_task);
        count++;
    }
    return count;
}

/* A wait until all have gone. */
struct farewell {
    weft_waiter waiter; /* first */
    struct weft__server *server;
    bool is_said;       /* the handlers were cancelled: once is enough */
    int64_t count;      /* of those for whom that was this wait's doing */
};

/* A cancel is handed on, and the wait goes on until they have ended. */
static void interrupt_gone(struct weft__task *task)
{
    struct farewell *farewell = task->target;

    if (!farewell->is_said) {
        farewell->is_said = true;
        farewell->count = cancel_clients(farewell->server);
    }
}

static const struct weft__wait wait_gone = { "clients of a server", interrupt_gone };

/* Waits until all clients and doors have gone; `is_said`: their handlers are cancelled already.
 * Returns how many a cancel of the wait has cancelled: whoever else left did so by himself. */
static int64_t wait_until_gone(struct weft__server *server, struct weft__task *task, bool is_said)
{
    struct farewell farewell = { .server = server, .is_said = is_said };

    while (server->count || server->accepting) {
        (void)weft__waitq_park(task, &server->gone, &farewell.waiter, &wait_gone);
    }
    return farewell.count;
}

/* Whether the task is one of the server's own, which cannot wait for its own end: that of a
 * handler, or one that accepts, in which the exception handler may run. */
static bool is_own(const struct weft__server *server, const struct weft__task *task)
{
    for (const struct weft__server_door *door = server->doors; door; door = door->next) {
        if (door->task == task) {
            return true;
        }
    }
    for (struct weft__list *link = server->clients.next; link != &server->clients;
         link = link->next) {
        if (WEFT__CONTAINER(link, struct weft__stream, client)->server_task == task) {
            return true;
        }
    }
    return false;
}

int weft_server_port(weft_server *handle)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    for (struct weft__server_door *door = server ? server->doors : NULL; door && r == 0;
         door = door->next) {
        r = door->bound.fd >= 0 ? weft__bound_port(door->bound.fd) : 0;
    }
    return r;
}

int weft_server_socket(weft_server *handle, unsigned index)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    for (struct weft__server_door *door = server ? server->doors : NULL; door; door = door->next) {
        if (index-- == 0) {
            return door->bound.fd >= 0 ? door->bound.fd : -ENOENT;
        }
    }
    return server ? -ENOENT : r;
}

bool weft_server_is_serving(weft_server *handle)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    return server && server->is_serving;
}

int64_t weft_server_clients(weft_server *handle)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    return server ? (int64_t)server->count : r;
}

int weft_server_stop(weft_server *handle)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    if (server) {
        weft__server_stop(server);
    }
    return r;
}

/* What a call that waits for a server needs: the server, pinned, and the task. */
static struct weft__server *begin(weft_server *handle, struct weft__task **ret_task,
                                  int *ret_error)
{
    struct weft__server *server = server_of(handle, ret_error);

    if (!server) {
        return NULL;
    }
    *ret_task = weft__self(ret_error);
    if (!*ret_task) {
        *ret_error = weft__misuse(*ret_error);
        return NULL;
    }
    if (is_own(server, *ret_task)) {
        *ret_error = -EDEADLK;
        return NULL;
    }
    server->pins++;
    return server;
}

static int end(struct weft__server *server, int r)
{
    server->pins--;
    weft__server_release(server);
    return r;
}

int weft_server_serve_forever(weft_server *handle)
{
    int r = 0;
    struct weft__task *task;
    struct weft__server *server = begin(handle, &task, &r);

    if (!server) {
        return r;
    }
    if (server->is_awaited) {
        return end(server, -EBUSY);
    }
    server->is_awaited = true;
    while (r == 0 && server->is_serving) {
        weft_waiter waiter = { .value = NULL };

        r = task->cancelled ? -ECANCELED :
                              weft__waitq_park(task, &server->gone, &waiter, &weft__wait_queue);
    }
    server->is_awaited = false;
    if (r == -ECANCELED) {
        weft__server_stop(server);
        cancel_clients(server);
        (void)wait_until_gone(server, task, true);
    }
    return end(server, r);
}

int weft_server_drain(weft_server *handle, double timeout)
{
    int r = 0;
    struct weft__task *task;
    struct weft__server *server = timeout >= 0 ? begin(handle, &task, &r) : NULL;
    weft_timeout scope;
    int64_t cancelled;

    if (!server) {
        return timeout >= 0 ? r : -EINVAL;
    }
    weft__server_stop(server);
    r = weft_timeout_enter(&scope, timeout);
    if (r < 0) {
        return end(server, r);
    }
    /* Its deadline cancels the handlers, as a cancel does; either may come when all have gone. */
    cancelled = wait_until_gone(server, task, false);
    r = weft_timeout_exit(&scope, cancelled ? -ECANCELED : 0);
    return end(server, r);
}

int64_t weft_server_close_clients(weft_server *handle)
{
    int r = 0;
    struct weft__server *server = server_of(handle, &r);

    return server ? cancel_clients(server) : r;
}

int64_t weft_server_abort_clients(weft_server *handle)
{
    int r = 0;
    int64_t count = 0;
    struct weft__server *server = server_of(handle, &r);

    if (!server) {
        return r;
    }
    for (struct weft__list *link = server->clients.next; link != &server->clients;
         link = link->next) {
        struct weft__stream *stream = WEFT__CONTAINER(link, struct weft__stream, client);

        if (!stream->is_closed) {
            weft__stream_finish(stream, true);
            count++;
        }
    }
    return count;
}

int weft_server_close(weft_server *handle)
{
    int r = 0, self = 0;
    struct weft__server *server = handle ? server_of(handle, &r) : NULL;
    struct weft__task *task;

    if (!server) {
        return handle ? r : 0;
    }
    task = weft__self(&self);
    if (task && is_own(server, task)) {
        return -EDEADLK;
    }
    if (server->pins) {
        return weft__misuse(-EBUSY);
    }
    weft__server_stop(server);
    cancel_clients(server);
    server->is_closed = true;
    weft__loop_gone(server->loop, server);
    if (task && task->loop == server->loop) {
        server->pins++;
        (void)wait_until_gone(server, task, true);
        server->pins--;
        r = task->cancelled ? -ECANCELED : 0;
    } else if (server->count || server->accepting) {
        r = -EPERM;
    }
    weft__server_release(server);
    return r;
}
