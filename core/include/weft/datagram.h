/* SPDX-License-Identifier: MIT
 * Datagrams: UDP and Unix datagram sockets whose calls wait in a task.
 *
 *     weft_address here, from;
 *     weft_datagram *socket;
 *     char data[1500];
 *
 *     weft_address_parse("0.0.0.0", 9000, &here);
 *     r = weft_datagram_open(&here, NULL, NULL, &socket);
 *     for (;;) {
 *         ssize_t n = weft_datagram_recvfrom(socket, data, sizeof data, &from);
 *         if (n < 0)
 *             break;
 *         weft_datagram_sendto(socket, data, (size_t)n, &from);
 *     }
 *     socket = weft_datagram_close(socket);
 *
 * A call tries first and waits only when it has to; any number of tasks may wait on one socket.
 * Each datagram is received by one of them, whole; cancelled means that none was taken, and none
 * sent.  Datagrams may be lost, doubled and reordered on their way.  To many peers, or at a high
 * rate, weft_datagram_recvmany() and _sendmany() take a batch with one system call.
 *
 * Protocols with callbacks are in <weft/datagram_transport.h>. */
#ifndef WEFT_DATAGRAM_H
#define WEFT_DATAGRAM_H

#include <weft/address.h>
#include <weft/common.h>

#include <sys/types.h>

WEFT_BEGIN_DECLS

/** A datagram socket; used in one thread at a time. */
typedef struct weft_datagram weft_datagram;

/** How to open one; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_datagram_options {
    bool reuse_port;      /* SO_REUSEPORT: several sockets share an address, and the load */
    bool reuse_address;   /* SO_REUSEADDR: for several listeners of a multicast group; for others it
                           * lets anybody take the port over */
    bool allow_broadcast; /* SO_BROADCAST: sending to broadcast addresses is allowed */
    bool dual_stack;      /* an IPv6 socket takes IPv4, too, as "::ffff:192.0.2.1" */
    bool errors;          /* errors that the network reports are kept: weft_datagram_error() */
    int receive_buffer;   /* bytes; 0: the system's choice, which the system may also limit */
    int send_buffer;
    void *reserved[4];    /* zero */
} weft_datagram_options;

/** Opens a socket.
 *
 *  local       where it is bound; NULL: to no address of a Unix socket, else to any port of any
 *              interface when it first sends.  A Unix address without a name ("") is filled in by
 *              the system (autobind).  A Unix socket's file is yours to remove.
 *  remote      the one peer: others are not heard, and weft_datagram_send() sends to it; NULL: any.
 *              One of the two must be there, and says which family.
 *  ret_socket  give it back with weft_datagram_close(); untouched on error.
 *
 *  Returns 0, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ECONNREFUSED nobody has bound that path,
 *  -ENOENT and the like, with the address in weft_error_detail(); -EAFNOSUPPORT, -EMFILE, -ENOMEM,
 *  -EINVAL.  Any thread; not a cancellation point.
 *  Source: socket(2), bind(2), connect(2); loop.create_datagram_endpoint(). */
WEFT_API WEFT_MUST_USE int weft_datagram_open(const weft_address *local, const weft_address *remote,
                                              const weft_datagram_options *options,
                                              weft_datagram **ret_socket);

/** Names for the two ends of a socket.  All zero: that end is not asked for. */
typedef struct weft_datagram_names {
    const char *local_host;  /* where it is bound: a name or a number; NULL: with a local_port to
                              * any interface, else nowhere in particular */
    const char *remote_host; /* the one peer; NULL: with a remote_port this host, else any */
    int local_port;          /* 0 to 65535; 0: any */
    int remote_port;         /* 1 to 65535 where there is a peer */
    int family;              /* AF_INET or AF_INET6; 0: what both ends have */
    int flags;               /* of the lookups: AI_NUMERICHOST ... of <netdb.h> */
    void *reserved[4];       /* zero */
} weft_datagram_names;

/** Finds the addresses of names, and opens a socket as weft_datagram_open() does.
 *
 *  names  borrowed during the call.  Where a name has several addresses the first works with which
 *         a socket can be opened, the peer's before our own; both are of one family.
 *
 *  Returns 0.  When no pair of addresses has worked, the first one's error, with its words: as
 *  weft_datagram_open(); -EAFNOSUPPORT the two ends have no family in common.  What
 *  weft_getaddrinfo() returns when a name was not found; -ECANCELED, and nothing is left open;
 *  -EINVAL, also where neither end is asked for; -EPERM outside a task, -ECHILD.
 *  A cancellation point, also where the names are numbers.
 *  Source: loop.create_datagram_endpoint(local_addr=, remote_addr=). */
WEFT_API WEFT_MUST_USE int weft_datagram_open_host(const weft_datagram_names *names,
                                                   const weft_datagram_options *options,
                                                   weft_datagram **ret_socket);

/** Makes a weft_datagram of a socket that is there: one of a pair, or inherited.
 *
 *  fd  taken by success; it is made non-blocking.
 *
 *  Returns 0, -EPROTOTYPE it is no datagram socket, -ENOTSOCK, -EBADF, -ENOMEM, -EINVAL. */
WEFT_API WEFT_MUST_USE int weft_datagram_from_fd(int fd, weft_datagram **ret_socket);

/** Closes a socket: whoever waits on it gets -EBADF.
 *
 *  socket  taken; NULL and stale handles are left alone.
 *
 *  Returns NULL. */
WEFT_API weft_datagram *weft_datagram_close(weft_datagram *socket);

/* ---- one at a time ---- */

/** Receives a datagram.
 *
 *  data      `size` bytes of room; may be NULL for none.
 *  ret_from  who has sent it; may be NULL.  A Unix socket without a name has a length of 0 to 2.
 *
 *  Returns the length of the datagram, which may be 0.  More than `size`: it was cut, and the rest
 *  is gone.  -ECONNREFUSED and the like: the network has reported an error of what was sent before
 *  (on a socket with a peer, or with .errors); the socket goes on.  -ECANCELED, -EBADF it was
 *  closed, -ESRCH the handle is spent, -EINVAL, -EPERM outside a task, -EOPNOTSUPP (sim), -ENOMEM,
 *  -ECHILD.  A cancellation point.  Source: recvfrom(2); loop.sock_recvfrom(). */
WEFT_API ssize_t weft_datagram_recvfrom(weft_datagram *socket, void *data, size_t size,
                                        weft_address *ret_from);

/** Sends a datagram, whole.
 *
 *  to  NULL: the peer that the socket was opened with.
 *
 *  Returns `size`; -EMSGSIZE it is larger than the network takes (UDP: 65,507 bytes), -EDESTADDRREQ
 *  there is no peer, -EPERM `to` hears another peer only (Unix), -EACCES a broadcast that was not
 *  allowed, -ENOENT, -ECONNREFUSED, -ENETUNREACH and the like; else as
 *  weft_datagram_recvfrom().  A cancellation point; waits while the socket's buffer is full.  (The
 *  BSDs and macOS do not tell when a Unix peer's queue has room: there, without `to`, -ENOBUFS.)
 *  Source: sendto(2); loop.sock_sendto(). */
WEFT_API ssize_t weft_datagram_sendto(weft_datagram *socket, const void *data, size_t size,
                                      const weft_address *to);

/** weft_datagram_recvfrom() without the address. */
WEFT_API ssize_t weft_datagram_recv(weft_datagram *socket, void *data, size_t size);

/** weft_datagram_sendto() to the peer. */
WEFT_API ssize_t weft_datagram_send(weft_datagram *socket, const void *data, size_t size);

/* ---- batches ---- */

/** One datagram of a batch. */
typedef struct weft_datagram_item {
    void *data;    /* yours; not written to when it is sent */
    size_t size;   /* the room there, or how much is to be sent */
    size_t length; /* of what was received; more than `size`: it was cut to that */
    weft_address *address; /* who has sent it, or to whom; NULL: nobody asks, or the peer */
} weft_datagram_item;

/** The most that one call takes; more are not looked at. */
#define WEFT_DATAGRAM_BATCH 64

/** Receives what is there, and waits only for the first.
 *
 *  items  `count` of them, at least 1; those that were filled get their `length`.
 *
 *  Returns how many, at least 1; else as weft_datagram_recvfrom().  A cancellation point.  Cost:
 *  one system call for all.  Source: recvmmsg(2). */
WEFT_API int weft_datagram_recvmany(weft_datagram *socket, weft_datagram_item *items, int count);

/** Sends a batch, in order, and waits only when the first does not go.
 *
 *  Returns how many were sent, at least 1, which may be fewer than `count`; else as
 *  weft_datagram_sendto(), about the first.  A cancellation point.  Source: sendmmsg(2). */
WEFT_API int weft_datagram_sendmany(weft_datagram *socket, const weft_datagram_item *items,
                                    int count);

/* ---- errors ---- */

/** What the network has reported of a datagram that was sent. */
typedef struct weft_datagram_error_info {
    int error;       /* negative: -ECONNREFUSED, -EHOSTUNREACH, -EMSGSIZE ... */
    uint32_t mtu;    /* with -EMSGSIZE: what the path takes; else 0 */
    weft_address to; /* where the datagram was sent to */
    weft_address by; /* who reports it; length 0: this host */
    void *reserved[2];
} weft_datagram_error_info;

/** Takes the oldest report of a socket that was opened with .errors.  Does not wait: the calls
 *  above return the error once when it comes.
 *  Returns 0, -EAGAIN there is none, -EOPNOTSUPP not on this system, -ESRCH, -EINVAL.  As long as
 *  there are reports that nobody takes, receiving looks again every millisecond.
 *  Source: ip(7), IP_RECVERR. */
WEFT_API int weft_datagram_error(weft_datagram *socket, weft_datagram_error_info *ret_error);

/* ---- multicast ---- */

/** Joins a multicast group: what is sent to it is received, by a socket that is bound to its port.
 *
 *  group      its address; the port is not looked at.
 *  interface  "eth0"; NULL: the system's choice.
 *
 *  Returns 0, -ENODEV there is no such interface, -EADDRINUSE it is a member already, -EINVAL no
 *  multicast address, -EAFNOSUPPORT another family, -ESRCH.  Source: ip(7), ipv6(7). */
WEFT_API int weft_datagram_join(weft_datagram *socket, const weft_address *group,
                                const char *interface);

/** Leaves a multicast group.
 *
 *  Returns 0, -EADDRNOTAVAIL it is no member, and as weft_datagram_join(). */
WEFT_API int weft_datagram_leave(weft_datagram *socket, const weft_address *group,
                                 const char *interface);

/** Says how what is sent to groups travels.
 *
 *  hops       routers that it may pass plus one; 0 stays on this host; -1: the system's choice, 1.
 *  loopback   whether members on this host hear it.
 *  interface  by which it leaves; NULL: the system's choice.
 *
 *  Returns 0, -ENODEV, -EINVAL, -EOPNOTSUPP no IP socket, -ESRCH. */
WEFT_API int weft_datagram_set_multicast(weft_datagram *socket, int hops, bool loopback,
                                         const char *interface);

/* ---- what it is ---- */

/** Store our own address and the peer's.  Return 0, -ENOTCONN there is no peer, -ESRCH, -EINVAL. */
WEFT_API int weft_datagram_sockname(weft_datagram *socket, weft_address *ret_address);
WEFT_API int weft_datagram_peername(weft_datagram *socket, weft_address *ret_address);

/** Returns our port; 0 where there is none. */
WEFT_API int weft_datagram_port(weft_datagram *socket);

/** Returns the descriptor, which stays the socket's; -ESRCH, -EINVAL. */
WEFT_API int weft_datagram_fileno(weft_datagram *socket);

WEFT_END_DECLS

#endif
