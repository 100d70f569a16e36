/* SPDX-License-Identifier: MIT
 * Datagram transports and protocols: asyncio's callback level for UDP and Unix datagrams.
 *
 *     static void received(weft_datagram_transport *transport, const void *data, size_t size,
 *                          const weft_address *from, void *self)
 *     {
 *         weft_datagram_transport_sendto(transport, data, size, from);
 *     }
 *     static const weft_datagram_protocol echo = { .size = sizeof echo,
 *                                                  .datagram_received = received };
 *     r = weft_loop_create_datagram_endpoint(NULL, &echo, NULL, &here, NULL, NULL, &transport);
 *
 * What <weft/transport.h> says of protocols, of the order of their calls, of the life of a
 * transport, of closing and of the marks holds here, too.  Tasks use <weft/datagram.h>. */
#ifndef WEFT_DATAGRAM_TRANSPORT_H
#define WEFT_DATAGRAM_TRANSPORT_H

#include <weft/datagram.h>

WEFT_BEGIN_DECLS

/** A datagram socket that calls back. */
typedef struct weft_datagram_transport weft_datagram_transport;

/** What it calls; all but `size` may be NULL.  Static: it is not copied. */
typedef struct weft_datagram_protocol {
    size_t size; /* sizeof(weft_datagram_protocol); members behind it read as NULL */

    /** Makes the `self` of the endpoint; connection_lost() frees it. */
    int (*factory)(void *arg, void **ret_self);

    /** The socket is there. */
    void (*connection_made)(weft_datagram_transport *transport, void *self);

    /** A datagram of `size` bytes, which may be 0; `data` and `from` are valid during the call. */
    void (*datagram_received)(weft_datagram_transport *transport, const void *data, size_t size,
                              const weft_address *from, void *self);

    /** Something that was sent did not go, or the network reports an error (-ECONNREFUSED ...), or
     *  a datagram of more than 64 KiB has come (Unix) and is dropped: -EMSGSIZE; the endpoint goes
     *  on. */
    void (*error_received)(weft_datagram_transport *transport, int error, void *self);

    /** More than the high-water mark waits to be sent; no more than the low-water mark does. */
    void (*pause_writing)(weft_datagram_transport *transport, void *self);
    void (*resume_writing)(weft_datagram_transport *transport, void *self);

    /** It is over: 0 after a close or an abort, else a negative errno. */
    void (*connection_lost)(weft_datagram_transport *transport, int error, void *self);

    void *reserved[3]; /* NULL */
} weft_datagram_protocol;

/** Opens a socket as weft_datagram_open() does, and has datagrams reported to a protocol.
 *
 *  loop           NULL: the running one.
 *  local, remote  one of them may be NULL.
 *  options        with .errors error_received() is told of each report of the network.
 *  ret_transport  may be NULL; valid until connection_lost() has returned.
 *
 *  In a task it returns when connection_made() has returned; elsewhere at once.
 *
 *  Returns as weft_datagram_open(); what the factory returned; -EOPNOTSUPP (sim), -EXDEV, -EPERM no
 *  loop, -EBADF, -ECHILD.  Not a cancellation point.
 *  Source: loop.create_datagram_endpoint(). */
WEFT_API int weft_loop_create_datagram_endpoint(weft_loop *loop,
                                                const weft_datagram_protocol *protocol, void *self,
                                                const weft_address *local,
                                                const weft_address *remote,
                                                const weft_datagram_options *options,
                                                weft_datagram_transport **ret_transport);

/** Looks names up and opens a socket as weft_datagram_open_host() does, and has datagrams reported
 *  to a protocol.
 *
 *  loop           NULL: the running one, which it must be.
 *  names          borrowed during the call.
 *  ret_transport  may be NULL; valid until connection_lost() has returned.  Untouched on error.
 *
 *  It returns when connection_made() has returned.
 *
 *  Returns as weft_datagram_open_host(); what the factory returned; -EOPNOTSUPP (sim), -EXDEV,
 *  -EBADF.  A cancellation point while names are looked up: a cancel that comes later is seen by
 *  the next wait.  Source: loop.create_datagram_endpoint(local_addr=, remote_addr=). */
WEFT_API int weft_loop_create_datagram_endpoint_host(weft_loop *loop,
                                                     const weft_datagram_protocol *protocol,
                                                     void *self, const weft_datagram_names *names,
                                                     const weft_datagram_options *options,
                                                     weft_datagram_transport **ret_transport);

/** Sends a datagram: now, or when there is room, in order.  Does not wait.
 *
 *  data  copied if it has to be kept.
 *  to    NULL: the peer.
 *
 *  Returns 0; -EPIPE it is closing; -EISCONN the endpoint has a peer and `to` is another;
 *  -EDESTADDRREQ it has none; -ENOMEM, -ESRCH, -EXDEV, -EINVAL, -ECHILD.  What the network says
 *  goes to error_received().  Not a cancellation point.  Source: DatagramTransport.sendto(). */
WEFT_API int weft_datagram_transport_sendto(weft_datagram_transport *transport, const void *data,
                                            size_t size, const weft_address *to);

/** Closes: receives no more, sends what is kept, then connection_lost(0).  Again: nothing.
 *  Returns 0, -ESRCH, -EXDEV, -EINVAL, -ECHILD.  Source: BaseTransport.close(). */
WEFT_API int weft_datagram_transport_close(weft_datagram_transport *transport);

/** The same, but what is kept is dropped.  Source: DatagramTransport.abort(). */
WEFT_API int weft_datagram_transport_abort(weft_datagram_transport *transport);

/** Whether it is closing or closed; true for a stale handle. */
WEFT_API bool weft_datagram_transport_is_closing(weft_datagram_transport *transport);

/** Returns how many bytes wait to be sent, 8 more for each datagram; 0 for a stale handle.
 *  Source: DatagramTransport.get_write_buffer_size(). */
WEFT_API size_t weft_datagram_transport_get_write_buffer_size(weft_datagram_transport *transport);

/** Sets the marks, as weft_transport_set_write_buffer_limits() does. */
WEFT_API int weft_datagram_transport_set_write_buffer_limits(weft_datagram_transport *transport,
                                                             ssize_t high, ssize_t low);

/** Stores our own address.  Returns 0, -ESRCH, -EINVAL. */
WEFT_API int weft_datagram_transport_sockname(weft_datagram_transport *transport,
                                              weft_address *ret_address);

/** Returns the descriptor, which stays the transport's, for setsockopt(2) and the like; -ESRCH. */
WEFT_API int weft_datagram_transport_fileno(weft_datagram_transport *transport);

WEFT_END_DECLS

#endif
