/* SPDX-License-Identifier: MIT
 * Transports and protocols: asyncio's callback level, for parsers and for code that is made of
 * callbacks already.
 *
 *     static void received(weft_transport *transport, const void *data, size_t size, void *self)
 *     {
 *         weft_transport_write(transport, data, size);
 *     }
 *     static const weft_protocol echo = { .size = sizeof echo, .data_received = received };
 *
 *     r = weft_loop_create_server(NULL, &echo, NULL, "127.0.0.1", 7777, NULL, &listener);
 *
 * A transport has a connection: it reads when there is something to read, writes what it is given,
 * and keeps what cannot be written yet.  A protocol is a struct of functions that it calls, in the
 * loop, in this order and each with the protocol's `self`:
 *
 *     connection_made    once, first
 *     data_received      any number of times; or get_buffer and buffer_updated
 *     eof_received       at most once: the peer sends no more
 *     pause_writing      more is kept than the high-water mark: write no more, please;
 *     resume_writing     it has gone down to the low-water mark
 *     connection_lost    once, last
 *
 * No other task and no callback of the loop runs within them: they must not block, and calls that
 * wait return -EPERM.  They run in the context in which the transport was made.
 *
 * Life.  A transport lives until connection_lost() has returned; its handle is stale from then on
 * (-ESRCH), and the descriptor closed.  weft_transport_ref() keeps the handle: what needs a
 * connection is -EPIPE then.  When the loop closes, transports that are left lose their connection
 * by -ECANCELED: whatever `self` owns can always be freed in connection_lost().
 *
 * From callbacks to tasks: weft_transport_drain(), weft_transport_wait_closed(), and
 * weft_transport_detach(), which gives the descriptor back.
 *
 * A transport belongs to its loop's thread.  Source: asyncio's transports and protocols. */
#ifndef WEFT_TRANSPORT_H
#define WEFT_TRANSPORT_H

#include <weft/address.h>
#include <weft/common.h>
#include <weft/connect.h>

#include <sys/types.h>
#include <sys/uio.h>

WEFT_BEGIN_DECLS

/** A connection and what is to be written to it. */
typedef struct weft_transport weft_transport;

/** What a transport calls; all but `size` may be NULL.  Static: it is not copied. */
typedef struct weft_protocol {
    size_t size; /* sizeof(weft_protocol); members behind it read as NULL */

    /** Makes the `self` of one connection from the `self` that the server, or whoever connects, was
     *  given; connection_lost() frees it.  NULL: all connections have that one.  A negative errno
     *  closes the connection (weft_loop_create_connection() returns it).  asyncio's
     *  protocol_factory. */
    int (*factory)(void *arg, void **ret_self);

    /** The connection is there. */
    void (*connection_made)(weft_transport *transport, void *self);

    /** `size` bytes have come, at least 1; `data` is valid during the call. */
    void (*data_received)(weft_transport *transport, const void *data, size_t size, void *self);

    /** Instead of data_received(): gives the memory for what comes next, which must stay until
     *  buffer_updated().  Returns it, with its size, at least 1, in *ret_size; NULL: the connection
     *  is lost by -ENOBUFS. */
    void *(*get_buffer)(weft_transport *transport, size_t *ret_size, void *self);

    /** `size` bytes of that memory were filled. */
    void (*buffer_updated)(weft_transport *transport, size_t size, void *self);

    /** The peer sends no more.  Returns whether the transport stays open for writing; false, or no
     *  such function: it closes itself when everything is written. */
    bool (*eof_received)(weft_transport *transport, void *self);

    /** More than the high-water mark waits to be written.  Called from within the write that did
     *  it, on the stack of whoever writes. */
    void (*pause_writing)(weft_transport *transport, void *self);

    /** No more than the low-water mark waits.  Comes once after each pause_writing(), unless the
     *  connection is lost before. */
    void (*resume_writing)(weft_transport *transport, void *self);

    /** The connection is over: `error` is 0 after weft_transport_close() or _abort() or the peer's
     *  end, else a negative errno (-ECONNRESET ...).  A reset is seen by reading or writing: one
     *  that is paused is told when it does again.  The transport's calls still work. */
    void (*connection_lost)(weft_transport *transport, int error, void *self);

    void *reserved[3]; /* NULL */
} weft_protocol;

/* ---- writing ---- */

/** Writes: as much as the connection takes now, the rest later, in order.  Does not wait.
 *
 *  data  copied as far as it has to be kept.
 *
 *  Returns 0; -EPIPE nothing more can be written: after weft_transport_write_eof(), _close(),
 *  _abort(), or when the connection is lost (connection_lost() tells why); -EOPNOTSUPP it only
 *  reads; -ENOMEM nothing was written, or, when a part was, the connection is lost by it; -ESRCH,
 *  -EXDEV, -EINVAL, -ECHILD.  An error of the system's is no error of this call: connection_lost()
 *  follows.
 *  Not a cancellation point.  Cost: one system call, none while something is kept.
 *  Source: WriteTransport.write(). */
WEFT_API int weft_transport_write(weft_transport *transport, const void *data, size_t size);

/** weft_transport_write() of several pieces, at most IOV_MAX (1024), in one system call.
 *  Source: WriteTransport.writelines(). */
WEFT_API int weft_transport_writelines(weft_transport *transport, const struct iovec *pieces,
                                       int count);

/** Tells the peer, when everything is written, that no more will come; reading goes on.  (What only
 *  writes closes.)  Again, or when it is closing: nothing.
 *  Returns 0, -EOPNOTSUPP it only reads, -ESRCH ...
 *  Source: WriteTransport.write_eof(). */
WEFT_API int weft_transport_write_eof(weft_transport *transport);

/** Whether weft_transport_write_eof() works: not for what only reads.
 *  Source: WriteTransport.can_write_eof(). */
WEFT_API bool weft_transport_can_write_eof(weft_transport *transport);

/** Returns how many bytes wait to be written; 0 for a stale handle.
 *  Source: WriteTransport.get_write_buffer_size(). */
WEFT_API size_t weft_transport_get_write_buffer_size(weft_transport *transport);

/** Sets the marks, in bytes, at which pause_writing() and resume_writing() are called.
 *
 *  high  -1: four times `low`, or 65536 if that is -1, too.  0: pause as soon as anything waits.
 *  low   -1: a quarter of `high`.
 *
 *  Returns 0, -EINVAL unless high >= low >= 0, -ESRCH ...  It may call pause_writing().
 *  Source: WriteTransport.set_write_buffer_limits(). */
WEFT_API int weft_transport_set_write_buffer_limits(weft_transport *transport, ssize_t high,
                                                    ssize_t low);

/** Stores both marks; either pointer may be NULL.  Returns 0, -ESRCH ...
 *  Source: WriteTransport.get_write_buffer_limits(). */
WEFT_API int weft_transport_get_write_buffer_limits(weft_transport *transport, size_t *ret_low,
                                                    size_t *ret_high);

/* ---- reading ---- */

/** Reads no more until weft_transport_resume_reading(); again, or when it is closing, nothing.
 *  Returns 0, -ESRCH ...  Source: ReadTransport.pause_reading(). */
WEFT_API int weft_transport_pause_reading(weft_transport *transport);

/** Reads again; when it does, or is closing, nothing.
 *  Returns 0, what the backend says (it stays paused), -ESRCH ...
 *  Source: ReadTransport.resume_reading(). */
WEFT_API int weft_transport_resume_reading(weft_transport *transport);

/** Whether it reads: it is neither paused nor closing.  Source: ReadTransport.is_reading(). */
WEFT_API bool weft_transport_is_reading(weft_transport *transport);

/* ---- the end ---- */

/** Closes: reads no more, writes what is kept, then connection_lost(0), or with the error that
 *  comes of the writing.  Again: nothing.
 *  Returns 0, -ESRCH, -EXDEV, -EINVAL, -ECHILD.  Does not wait, and has no limit in time: a peer
 *  that does not read keeps what is kept.  Source: BaseTransport.close(). */
WEFT_API int weft_transport_close(weft_transport *transport);

/** Closes at once: what is kept is dropped, then connection_lost(0).
 *  Returns as weft_transport_close().  Source: WriteTransport.abort(). */
WEFT_API int weft_transport_abort(weft_transport *transport);

/** Whether it is closing or closed; true for a stale handle.
 *  Source: BaseTransport.is_closing(). */
WEFT_API bool weft_transport_is_closing(weft_transport *transport);

/** Adds a hold, which keeps the handle beyond connection_lost().  Returns `transport`. */
WEFT_API WEFT_MUST_USE weft_transport *weft_transport_ref(weft_transport *transport);

/** Gives a hold back; the connection goes on.  Returns NULL; NULL and stale handles are left
 *  alone. */
WEFT_API weft_transport *weft_transport_unref(weft_transport *transport);

/* ---- what it is ---- */

/** Makes another protocol the one that is called, from the next call on.  connection_made() of the
 *  new one is not called, nor connection_lost() of the old one.
 *  Returns 0, -EINVAL, -ESRCH ...  Source: BaseTransport.set_protocol(). */
WEFT_API int weft_transport_set_protocol(weft_transport *transport, const weft_protocol *protocol,
                                         void *self);

/** Returns the protocol, and its `self` in *ret_self, which may be NULL; NULL for a stale handle.
 *  Source: BaseTransport.get_protocol(). */
WEFT_API const weft_protocol *weft_transport_get_protocol(weft_transport *transport,
                                                          void **ret_self);

/** Stores the peer's address, also when the connection is lost already.
 *  Returns 0, -ENOTCONN it is not known, -ENOTSOCK, -ESRCH ...
 *  Source: get_extra_info("peername"). */
WEFT_API int weft_transport_peername(weft_transport *transport, weft_address *ret_address);

/** Stores our own address.  Returns 0, -ENOTSOCK, -EBADF the connection is over, -ESRCH ...
 *  Source: get_extra_info("sockname"). */
WEFT_API int weft_transport_sockname(weft_transport *transport, weft_address *ret_address);

/** Returns the descriptor, which stays the transport's: for setsockopt(2) and the like; -EBADF the
 *  connection is over, -ESRCH ...  Source: get_extra_info("socket"), get_extra_info("pipe"). */
WEFT_API int weft_transport_fileno(weft_transport *transport);

/** Returns the loop; NULL for a stale handle. */
WEFT_API weft_loop *weft_transport_get_loop(weft_transport *transport);

/* ---- from callbacks to tasks ---- */

/** Waits until writing is not paused: no more than the low-water mark is kept since it was too
 *  much.
 *  Returns 0, at once when it is not paused; -EPIPE the connection is over, or the error by which
 *  it was lost; -ECANCELED, -EPERM outside a task, -ESRCH ...  A cancellation point; any number of
 *  tasks.  Source: StreamWriter.drain(). */
WEFT_API int weft_transport_drain(weft_transport *transport);

/** Waits until connection_lost() has been called.
 *  Returns its error, so 0 when it was closed; -ECANCELED (the transport is left as it is), -EPERM,
 *  -ESRCH it was lost before and nobody holds it.  A cancellation point.
 *  Source: StreamWriter.wait_closed(). */
WEFT_API int weft_transport_wait_closed(weft_transport *transport);

/** Takes the connection out of the transport: the protocol is called no more, connection_lost()
 *  neither, and the transport ends.  For who goes on with streams, or in a process of its own.
 *
 *  ret_fd  the descriptor, non-blocking; yours.  Nothing that came was lost: it was received, or
 *          is still to be read.
 *
 *  Returns 0, -EBUSY something is kept to be written (weft_transport_drain() with marks of 0
 *  first), -EPIPE it is closing, -EAGAIN connection_made() was not called yet, -ESRCH ... */
WEFT_API int weft_transport_detach(weft_transport *transport, int *ret_fd);

/* ---- making them ---- */

/** Connects to a name, as weft_connect_host() does, and makes a transport of the connection.
 *
 *  loop           NULL: the running one, which it must be.
 *  protocol       static; `self` is its factory's argument, or itself what the functions get.
 *  host, port, options  as for weft_connect_host().
 *  ret_transport  may be NULL; valid until connection_lost() has returned.  Untouched on error.
 *
 *  It returns when connection_made() has returned.
 *
 *  Returns 0, what weft_connect_host() returns, what the factory returned, -EPERM outside a task,
 *  -ENOMEM, -EINVAL, -EXDEV, -EBADF, -ECHILD.  A cancellation point until it is connected: a cancel
 *  that comes later is seen by the next wait.  Source: loop.create_connection(). */
WEFT_API int weft_loop_create_connection(weft_loop *loop, const weft_protocol *protocol, void *self,
                                         const char *host, int port,
                                         const weft_connect_options *options,
                                         weft_transport **ret_transport);

/** The same for a Unix socket.
 *
 *  path  its file, or "@name".
 *
 *  Returns 0, -ENOENT, -ECONNREFUSED, -EACCES, -EPROTOTYPE, -ENAMETOOLONG, and as
 *  weft_loop_create_connection().
 *  Source: loop.create_unix_connection(). */
WEFT_API int weft_loop_create_unix_connection(weft_loop *loop, const weft_protocol *protocol,
                                              void *self, const char *path,
                                              weft_transport **ret_transport);

/** Makes a transport for a stream socket that is connected: accepted elsewhere, or one of a pair.
 *
 *  loop           NULL: the running one.
 *  protocol       static; `self` is its factory's argument, or itself what the functions get.
 *  fd             taken by success; it is made non-blocking.
 *  ret_transport  may be NULL; valid until connection_lost() has returned.  Untouched on error.
 *
 *  In a task it returns when connection_made() has returned; elsewhere at once, and that is called
 *  in its turn.
 *
 *  Returns 0, what the factory returned, -EPROTOTYPE no stream socket, -ENOTSOCK, -EBADF, -EBUSY
 *  the loop watches it otherwise, -EOPNOTSUPP (sim), -ENOMEM, -EINVAL, -EXDEV, -EPERM no loop,
 *  -ECHILD.  Not a cancellation point: a cancel that comes meanwhile is seen by the next.
 *  Source: loop.connect_accepted_socket(), loop.create_connection(sock=...). */
WEFT_API int weft_loop_connect_accepted_socket(weft_loop *loop, const weft_protocol *protocol,
                                               void *self, int fd, weft_transport **ret_transport);

/** Makes a transport that reads from a pipe, a FIFO, a socket or a terminal.
 *
 *  fd  taken by success.  0 to 2 are neither closed nor made non-blocking: the transport opens what
 *      is behind them again.  (The BSDs and macOS cannot with a pipe: there it becomes non-blocking
 *      for all who have it open.)
 *
 *  Returns as weft_loop_connect_accepted_socket(); -EPERM, too, for a regular file.  At the end of
 *  what is to be read the transport closes, after eof_received().
 *  Source: loop.connect_read_pipe(). */
WEFT_API int weft_loop_connect_read_pipe(weft_loop *loop, const weft_protocol *protocol, void *self,
                                         int fd, weft_transport **ret_transport);

/** The same for writing: data_received() is never called.  When whoever reads closes the other end
 *  the connection is lost: by -EPIPE if something is kept, else by 0.
 *  Source: loop.connect_write_pipe(). */
WEFT_API int weft_loop_connect_write_pipe(weft_loop *loop, const weft_protocol *protocol,
                                          void *self, int fd, weft_transport **ret_transport);

WEFT_END_DECLS

#endif
