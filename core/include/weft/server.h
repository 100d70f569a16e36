/* SPDX-License-Identifier: MIT
 * Servers: a task for each connection.
 *
 *     WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
 *     {
 *         char buffer[4096];
 *         ssize_t n;
 *
 *         while ((n = weft_stream_read(peer, buffer, sizeof buffer)) > 0) {
 *             ssize_t r = weft_stream_write(peer, buffer, (size_t)n);
 *             if (r < 0) { return (int)r; }
 *         }
 *         return (int)n;
 *     }
 *
 *     weft_server *server;
 *     int r = weft_start_server(echo, NULL, "127.0.0.1", 7777, NULL, &server);
 *     if (r == 0) { r = weft_server_serve_forever(server); }
 *     weft_server_close(server);
 *
 * The handler is a coroutine function.  When it returns its stream is closed; weft_stream_ref()
 * keeps it longer.  What it has left queued, of a write that was cut short, is sent first, for at
 * most `close_timeout` seconds; then the connection is reset: a client that never reads is not
 * waited for any longer, and its place among `max_clients` is free.  A handler that closes its
 * stream by itself waits by itself.
 *
 * A status below 0 is reported, but for those that say no more than that the connection is over:
 * -ECANCELED, -EBADF, -EPIPE, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH and the like; -EPROTO where
 * the client broke the rules of TLS.
 *
 * A client that resets its connection before it was accepted has a handler, too: its first read is
 * -ECONNRESET.
 *
 * A server accepts as long as there are descriptors, memory, and fewer clients than allowed; then
 * connections wait in the system's queue, and are accepted when a client has gone, or after a
 * second.  A socket at which nothing can be accepted any more is reported and closed; the others
 * go on.
 *
 * A server belongs to the loop in which it was made (-EXDEV); a handle that is spent is -EBADF.
 * When the loop closes, so does the server. */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

typedef struct weft_server weft_server;

/** Makes the coroutine of one connection.
 *
 *  peer  borrowed by the coroutine, until it returns; it may close or abort it before.
 *  user  as it was given with the handler. */
typedef weft_coro *weft_server_handler(weft_stream *peer, void *user);

/** All zero, or a NULL pointer to one: the defaults. */
typedef struct weft_server_options {
    weft_stream_options stream;
    int family;          /* AF_INET or AF_INET6; 0: both */
    int backlog;         /* connections that wait in the system's queue; 0: 100 */
    unsigned mode;       /* of a Unix socket's file, as chmod(2); 0: what the umask leaves */
    unsigned max_clients; /* at a time; 0: no limit */
    bool reuse_port;     /* several servers have the port, and share what comes */
    bool no_reuse_address; /* asyncio's reuse_address=False */
    bool keep_alive;     /* TCP looks whether the other end is still there */
    bool keep_file;      /* a Unix socket's file stays when the server closes */
    size_t stack_size;   /* of each connection's task; 0: the loop's */
    double close_timeout; /* seconds for what is queued when a handler has ended; 0: 30, INFINITY */
    weft_tls *tls; /* each connection is encrypted by TLS, <weft/tls.h>; the server takes a hold.
                    * Who does not come to terms is gone before there is a handler.  NULL */
    void *reserved[2];   /* zero */
} weft_server_options;

/** Starts a server on a port.
 *
 *  handler     for each connection; `user` is handed to it.
 *  host        a name or a numeric address, whose addresses are all listened at; NULL: everywhere.
 *  port        0 to 65535; 0: one that is free, see weft_server_port().
 *  options     borrowed during the call; may be NULL.
 *  ret_server  yours, for weft_server_close(); untouched on error.
 *
 *  Returns 0; -EADDRINUSE, -EACCES, -EADDRNOTAVAIL ... with words; what weft_getaddrinfo() says of
 *  the name; -EMFILE, -ENOMEM, -EPERM outside a task, -ECANCELED, -EINVAL.  An address that this
 *  host has not is passed over as long as there is another one.  A cancellation point.
 *  Source: asyncio.start_server(). */
WEFT_API WEFT_MUST_USE int weft_start_server(weft_server_handler *handler, void *user,
                                             const char *host, int port,
                                             const weft_server_options *options,
                                             weft_server **ret_server);

/** Starts a server on a Unix socket.
 *
 *  path  a file, or "@name".  A socket that somebody has left there is removed; any other file is
 *        not: -EADDRINUSE.  When the server closes the file goes, if it is still the same one.
 *
 *  Returns 0; -EADDRINUSE, -EACCES, -ENOENT there is no such directory, -ENAMETOOLONG, with words;
 *  -EMFILE, -ENOMEM, -EPERM outside a task, -ECANCELED, -EINVAL.  A cancellation point, which does
 *  not wait.  Source: asyncio.start_unix_server(). */
WEFT_API WEFT_MUST_USE int weft_start_unix_server(weft_server_handler *handler, void *user,
                                                  const char *path,
                                                  const weft_server_options *options,
                                                  weft_server **ret_server);

/** Starts a server on a socket that listens already, as systemd passes them.
 *
 *  fd  the server's from then on, on success.
 *
 *  Returns 0; -EBADF, -ENOTSOCK, -EINVAL it does not listen, -ENOMEM, -EPERM outside a task,
 *  -ECANCELED.  A cancellation point, which does not wait.
 *  Source: asyncio.start_server(sock=). */
WEFT_API WEFT_MUST_USE int weft_start_server_fd(weft_server_handler *handler, void *user, int fd,
                                                const weft_server_options *options,
                                                weft_server **ret_server);

/** Returns the port of the first socket that is open and has one; 0 none has; -EBADF, -EXDEV. */
WEFT_API int weft_server_port(weft_server *server);

/** Returns the descriptor of a socket that it listens at, which is still the server's; -ENOENT
 *  there are fewer, or this one was closed; -EBADF, -EXDEV.  Source: Server.sockets. */
WEFT_API int weft_server_socket(weft_server *server, unsigned index);

/** Whether a server accepts.  Source: Server.is_serving(). */
WEFT_API bool weft_server_is_serving(weft_server *server);

/** Returns how many connections there are now; -EBADF, -EXDEV. */
WEFT_API int64_t weft_server_clients(weft_server *server);

/** Waits until the server is stopped.  A cancel stops it, cancels the handlers and waits for them.
 *
 *  Returns 0 somebody has stopped it; -ECANCELED; -EBUSY another task is in this call; -EBADF,
 *  -EXDEV, -EPERM, -ECHILD.  A cancellation point.  The server is still to be closed.
 *  Source: Server.serve_forever(). */
WEFT_API int weft_server_serve_forever(weft_server *server);

/** Stops accepting and closes the sockets; connections go on.
 *
 *  Returns 0, also again; -EBADF, -EXDEV, -ECHILD.  Not a cancellation point.
 *  Source: Server.close(). */
WEFT_API int weft_server_stop(weft_server *server);

/** Stops accepting and waits until the clients have gone.
 *
 *  timeout  seconds after which handlers that are left are cancelled, and waited for; INFINITY.
 *
 *  Returns 0, -ETIMEDOUT some were cancelled, -ECANCELED they are all cancelled and have ended; 0
 *  also when that came after the last one had gone by himself;
 *  -EDEADLK a handler cannot wait for itself; -EBADF, -EXDEV, -EPERM, -ECHILD, -EINVAL.
 *  A cancellation point.  Source: Server.wait_closed(), with a limit. */
WEFT_API int weft_server_drain(weft_server *server, double timeout);

/** Cancels the handlers, or resets their connections; new clients are still accepted.
 *
 *  Returns how many: a connection that is closed already is not reset.  -EBADF, -EXDEV, -ECHILD.
 *  Not cancellation points.  Source: Server.close_clients(), abort_clients(). */
WEFT_API int64_t weft_server_close_clients(weft_server *server);
WEFT_API int64_t weft_server_abort_clients(weft_server *server);

/** Stops accepting, cancels the handlers, waits for them, and frees the server.
 *
 *  server  spent by this call; also NULL.
 *
 *  Returns 0; -ECANCELED the caller was cancelled, and all of that has happened nevertheless;
 *  -EPERM outside a task there was somebody to wait for, -EDEADLK a handler cannot close its own
 *  server, -EBUSY a task is in weft_server_serve_forever() or _drain(), and nothing has happened;
 *  -EBADF, -EXDEV, -ECHILD.  A wait that a cancel does not end, but hands on. */
WEFT_API int weft_server_close(weft_server *server);

WEFT_END_DECLS

#endif
