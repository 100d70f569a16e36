/* SPDX-License-Identifier: MIT
 * Listeners: servers of the callback level.  Each connection becomes a transport with a protocol.
 *
 *     r = weft_loop_create_server(NULL, &lines, NULL, "localhost", 7777, NULL, &listener);
 *     ...
 *     weft_listener_close(listener);                 no more clients
 *     weft_listener_close_clients(listener);         those that are there end when all is written
 *     weft_listener_wait_closed(listener);
 *     listener = weft_listener_free(listener);
 *
 * Servers whose handlers are tasks are in <weft/server.h>.
 *
 * A listener belongs to its loop's thread.  It may have several sockets: one for each address of
 * its host.  When the system has no descriptor or memory left for a new connection that is reported
 * and nobody is accepted for a second: who comes meanwhile waits in the backlog.  When the loop
 * closes what is left is closed. */
#ifndef WEFT_LISTENER_H
#define WEFT_LISTENER_H

#include <weft/transport.h>

WEFT_BEGIN_DECLS

/** Sockets that listen, and the clients that they have accepted. */
typedef struct weft_listener weft_listener;

/** How to listen; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_listener_options {
    int family;       /* AF_INET or AF_INET6; 0: both */
    int flags;        /* for the lookup, beside AI_PASSIVE: AI_NUMERICHOST ... */
    int backlog;      /* who may wait to be accepted, and how many are accepted at a turn; 0: 100 */
    unsigned max_clients; /* at a time; the others wait in the backlog; 0: no limit */
    bool no_reuse_address; /* without SO_REUSEADDR, which is on */
    bool reuse_port;  /* SO_REUSEPORT: several processes or threads share the port; -EINVAL for what
                       * is no IP socket */
    bool keep_alive;  /* SO_KEEPALIVE for those that are accepted */
    bool stopped;     /* nobody is accepted before weft_listener_start_serving() */
    unsigned mode;    /* of a Unix socket's file, 0600 ...; 0: what the umask leaves of 0777 */
    bool keep_path;   /* the file of a Unix socket stays when the listener closes */
    void *reserved[4]; /* zero */
} weft_listener_options;

/** Listens, and gives each connection a transport with `protocol`.
 *
 *  loop          NULL: the running one.
 *  protocol      static; its factory is called with `self` for each connection, without one all
 *                have `self`.  They run in the context of this call.
 *  host          a name or numeric; NULL: all interfaces.
 *  port          0: any that is free, the same for all addresses where that can be.
 *  ret_listener  one hold, for weft_listener_free(); untouched on error.
 *
 *  A family that the system lacks is left out while another one works; any other failure closes
 *  what was opened.  IPv6 sockets take IPv6 alone.
 *
 *  Returns 0, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES and the like, with the address in
 *  weft_error_detail(); what weft_getaddrinfo() returns; -ECANCELED, -ENOMEM, -EINVAL, -EOPNOTSUPP
 *  (sim), -EXDEV, -EPERM a name outside of a task, -EBADF, -ECHILD.  A cancellation point for
 *  names; numeric hosts and NULL do not wait.  Source: loop.create_server(). */
WEFT_API WEFT_MUST_USE int weft_loop_create_server(weft_loop *loop, const weft_protocol *protocol,
                                                   void *self, const char *host, int port,
                                                   const weft_listener_options *options,
                                                   weft_listener **ret_listener);

/** The same on a Unix socket.
 *
 *  path  a file: one that is there already is removed if it is a socket.  It is removed again when
 *        the listener closes, if it is still the same.  "@name": abstract, without a file.
 *
 *  Returns as weft_loop_create_server(); -EADDRINUSE also when what is there is no socket,
 *  -ENAMETOOLONG.  Does not wait.  Source: loop.create_unix_server(). */
WEFT_API WEFT_MUST_USE int
weft_loop_create_unix_server(weft_loop *loop, const weft_protocol *protocol, void *self,
                             const char *path, const weft_listener_options *options,
                             weft_listener **ret_listener);

/** The same on a stream socket that is bound already, and may listen already.
 *
 *  fd  taken by success; it is made non-blocking.
 *
 *  Returns as weft_loop_create_server(); -EPROTOTYPE no stream socket, -ENOTSOCK, -EDESTADDRREQ it
 *  is not bound.  Does not wait.  Source: loop.create_server(sock=...). */
WEFT_API WEFT_MUST_USE int
weft_loop_create_server_from_fd(weft_loop *loop, const weft_protocol *protocol, void *self, int fd,
                                const weft_listener_options *options, weft_listener **ret_listener);

/** Accepts from now on; when it does, nothing.
 *  Returns 0, -EBADF it is closed, what the backend says, -ESRCH, -EXDEV, -EINVAL, -ECHILD.
 *  Source: Server.start_serving(). */
WEFT_API int weft_listener_start_serving(weft_listener *listener);

/** weft_listener_start_serving(), and waits until it is closed, by whomever, and the last client
 *  has left.  When the task is cancelled the listener and all clients are closed, and awaited.
 *  Returns 0, -ECANCELED, -EPERM outside a task, and as weft_listener_start_serving().  A wait that
 *  protects memory.  Source: Server.serve_forever(). */
WEFT_API int weft_listener_serve_forever(weft_listener *listener);

/** Whether a listener accepts: it was started and is not closed.  Source: Server.is_serving(). */
WEFT_API bool weft_listener_is_serving(weft_listener *listener);

/** Closes the sockets: nobody is accepted any more, and whoever waits in the backlog is reset.
 *  Clients stay.  Again: nothing.
 *  Returns 0, -ESRCH, -EXDEV, -EINVAL, -ECHILD.  Source: Server.close(). */
WEFT_API int weft_listener_close(weft_listener *listener);

/** weft_transport_close() for all clients.  Returns how many, or as weft_listener_close().
 *  Source: Server.close_clients(). */
WEFT_API int weft_listener_close_clients(weft_listener *listener);

/** weft_transport_abort() for all clients.  Returns how many, or as weft_listener_close().
 *  Source: Server.abort_clients(). */
WEFT_API int weft_listener_abort_clients(weft_listener *listener);

/** Waits until it is closed and the last client has left.
 *  Returns 0, -ECANCELED, -EPERM outside a task, and as weft_listener_close().  A cancellation
 *  point.  Source: Server.wait_closed(). */
WEFT_API int weft_listener_wait_closed(weft_listener *listener);

/** Closes a listener, and gives it back.  Clients stay and end by themselves; whoever waits for
 *  them gets -EBADF.
 *
 *  listener  taken; NULL and stale handles are left alone.
 *
 *  Returns NULL. */
WEFT_API weft_listener *weft_listener_free(weft_listener *listener);

/** Returns how many clients there are; 0 for a stale handle. */
WEFT_API unsigned weft_listener_clients(weft_listener *listener);

/** Returns the port of the first IP socket; 0: there is none, or it is closed.
 *  Source: Server.sockets. */
WEFT_API int weft_listener_port(weft_listener *listener);

/** Stores the address of the n-th socket, from 0.
 *  Returns 0, -ENOENT there are not so many, -ESRCH ...  Source: Server.sockets. */
WEFT_API int weft_listener_sockname(weft_listener *listener, unsigned n, weft_address *ret_address);

WEFT_END_DECLS

#endif
