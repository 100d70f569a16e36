/* SPDX-License-Identifier: MIT
 * Servers: a task for each socket accepts, and a task for each connection handles it. */
#include "core/io/server.h"
#include "core/io/sys_socket.h"

#include <string.h>
#include <weft/address.h>
#include <weft/await.h>
#include <weft/coro.h>
#include <weft/scope.h>
#include <weft/tls.h>
#include <weft/waitq.h>

#define PAUSE 1.0 /* seconds without accepting when there is no descriptor or memory */

void weft__server_left(struct weft__server *server)
{
    weft__waitq_wake_all(&server->room, 0); /* who was first may have nobody to let in */
    if (!server->accepting && (!server->count || server->is_awaited)) {
        weft__waitq_wake_all(&server->gone, 0);
    }
    weft__server_release(server);
}

static void report(struct weft__loop *loop, int status, const char *message)
{
    weft_report report = { .kind = WEFT_REPORT_OTHER, .status = status, .message = message };

    weft__report(loop, &report);
}

/* Of the program's handler, and not of the task that it runs in, which is ours. */
static void report_failed(struct weft__task *task, const weft_coro_def *def, weft_stream *stream,
                          int status)
{
    weft_report report = { .kind = WEFT_REPORT_OTHER,
                           .status = status,
                           .message = "the handler of a connection failed" };
    char what[32 + WEFT_ADDRESS_TEXT] = "its peer is ";
    size_t used = strlen(what);
    weft_address peer;

    weft__task_describe(task, &report);
    if (def) {
        report.coro = def->name;
        report.file = def->file;
        report.line = (int)def->line;
    }
    if (weft_stream_peername(stream, &peer) == 0 &&
        weft_address_format(&peer, what + used, sizeof what - used) >= 0 && what[used]) {
        report.what = what; /* not for one that is closed, or has no name */
    }
    weft__report(task->loop, &report);
}

/* Whether a status says no more than that the connection is over. */
static bool is_ordinary(int status)
{
    return status >= 0 || status == -ECANCELED || status == -EBADF || status == -EPIPE ||
           weft__stream_is_cut_off(status);
}

/* Closes what the handler has left.  Who never reads what is queued for him holds the server no
 * longer than was allowed: then the connection is reset, as by a cancel; at once where there is no
 * memory to measure the time. */
static void close_client(struct weft__server *server, struct weft__stream *stream)
{
    weft_stream *handle = weft__stream_handle(stream);
    weft_timeout timeout;

    if ((!stream->is_writing && !stream->filtered) || stream->holds > 1) {
        (void)weft_stream_close(handle); /* does not wait */
    } else if (weft_timeout_enter(&timeout, server->close_timeout) < 0) {
        (void)weft_stream_abort(handle);
    } else {
        (void)weft_timeout_exit(&timeout, weft_stream_close(handle));
    }
}

/* Whether a status says that a stranger broke the rules of TLS, which is as ordinary. */
static bool is_breach(const struct weft__stream *stream, int status)
{
    return status == -EPROTO && stream->filtered && stream->read_error == -EPROTO;
}

/* Lets the program's handler have a connection. */
static void handle_client(struct weft__server *server, struct weft__stream *stream)
{
    weft_stream *handle = weft__stream_handle(stream);
    weft_coro *coro = server->handler(handle, server->user);
    int r = 0;
    const struct weft__coro *object = weft__coro_of(coro, &r);
    const weft_coro_def *def = object ? object->frame.def : NULL;

    r = weft_await(coro);
    if (!is_ordinary(r) && !is_breach(stream, r)) {
        report_failed(server->loop->current, def, handle, r);
    }
}

/* Whether a client has come to terms.  Strangers who do not are the network's everyday life. */
static bool has_agreed(struct weft__server *server, weft_stream *handle)
{
    weft_start_tls_options options = { .side = WEFT_TLS_SERVER };
    int r = weft_stream_start_tls(handle, server->tls, &options);

    if (r == -ECONNABORTED || (!is_ordinary(r) && r != -EPROTO && r != -EACCES)) { /* memory */
        report(server->loop, r, "a connection could not be encrypted");
    }
    return r == 0;
}

WEFT_ASYNC(serve_client, (struct weft__server *, server), (struct weft__stream *, stream))
{
    weft_stream *handle = weft__stream_handle(stream);

    if (!server->tls || has_agreed(server, handle)) {
        handle_client(server, stream);
    }
    if (stream->holds) { /* the handler may have closed it */
        close_client(server, stream); /* may wait, and can be cancelled like the handler */
    }
    stream->server_task = NULL;
    weft__list_remove(&stream->client);
    stream->pins--;
    weft__stream_release(stream);
    server->count--;
    weft__server_left(server);
    return 0;
}

/* Starts the task of a connection, whose descriptor is taken. */
static int start_client(struct weft__server *server, int fd, bool is_tcp)
{
    weft_stream_options stream_options = { .limit = server->limit };
    weft_task_options options = { .stack_size = server->stack_size };
    struct weft__stream *stream;
    struct weft__task *task;
    int r = weft__stream_adopt(server->loop, fd, is_tcp, &stream_options, &stream);

    if (r < 0) {
        (void)weft__fd_close(server->loop, fd);
        return r;
    }
    task = weft__task_make(server->loop, serve_client(server, stream), &options, &r);
    if (!task) {
        (void)weft_stream_abort(weft__stream_handle(stream));
        return r;
    }
    task->outcome.holds--;
    task->outcome.detached = true;
    stream->server_task = task;
    stream->pins++;
    weft__list_push(&server->clients, &stream->client);
    server->count++;
    weft__task_begin(task, NULL);
    return 0;
}

/* There is no descriptor or no memory: waits until a client has gone, or for a while. */
static int pause_for(struct weft__server *server, int error)
{
    weft_timeout timeout;
    int r;

    if (!server->has_said) {
        server->has_said = true;
        report(server->loop, error, "connections wait: one could not be accepted");
    }
    r = weft_timeout_enter(&timeout, PAUSE);
    if (r < 0) {
        return weft_sleep(PAUSE / 10);
    }
    r = weft_timeout_exit(&timeout, weft_waitq_wait(&server->room));
    return r == -ETIMEDOUT ? 0 : r;
}

/* Waits until somebody comes; without the memory for that, for a while. */
static int wait_at(struct weft__task *task, struct weft__server_door *door)
{
    int r = weft__fd_wait_in(task, door->bound.fd, WEFT_READABLE | WEFT__FD_OWNED);

    return r == -ENOMEM || r == -ENOSPC ? pause_for(door->server, r) : r;
}

/* What accept(2) has returned is no connection: 0, go on; or the door is to be closed. */
static int wait_after(struct weft__task *task, struct weft__server_door *door, int error)
{
    if (weft__accept_is_passed_over(error)) {
        weft__task_spend_turn(task); /* many of them are many turns, like connections */
        return task->cancelled ? -ECANCELED : 0;
    }
    switch (error) {
    case EAGAIN: return wait_at(task, door);
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP: return -error;
    default: return pause_for(door->server, -error);
    }
}

static int accept_some(struct weft__task *task, struct weft__server_door *door)
{
    struct weft__server *server = door->server;
    int fd, r = 0;

    while (server->max_clients && server->count >= server->max_clients && r == 0) {
        r = weft_waitq_wait(&server->room);
    }
    if (r < 0) {
        return r;
    }
    fd = WEFT__SYS(weft__sys_accept(door->bound.fd, NULL, NULL));
    if (fd < 0) {
        return wait_after(task, door, errno);
    }
    r = start_client(server, weft__io_fresh(fd), door->is_tcp);
    if (r < 0) {
        return pause_for(server, r);
    }
    server->has_said = false;
    weft__task_spend_turn(task);
    return task->cancelled ? -ECANCELED : 0;
}

/* Nobody accepts here any more: whoever connects is refused and does not wait for ever.  A number
 * that is no socket that listens was closed behind the server's back and is another's now. */
static void close_after(struct weft__server_door *door, int error)
{
    if (error == -EBADF || error == -ENOTSOCK || error == -EOPNOTSUPP) {
        door->bound.fd = -1;
    }
    weft__server_close_door(door);
}

WEFT_ASYNC(accept_all, (struct weft__server_door *, door))
{
    struct weft__server *server = door->server;
    int r = 0;
    struct weft__task *task = weft__self(&r);

    while (r == 0 && server->is_serving) {
        r = accept_some(task, door);
    }
    if (server->is_serving && r != -ECANCELED) {
        report(server->loop, r, "a server accepts no more");
    }
    close_after(door, r);
    door->task = NULL;
    server->accepting--;
    if (server->is_serving && !server->accepting) {
        weft__server_stop(server); /* cancelled by somebody else: it is over */
    }
    weft__server_left(server);
    return 0;
}

weft_coro *weft__server_accept(struct weft__server_door *door)
{
    return accept_all(door);
}
