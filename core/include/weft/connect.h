/* SPDX-License-Identifier: MIT
 * Connecting to a name: all of its addresses are tried, and the first that answers wins.
 *
 *     int fd, r = weft_connect_host("example.org", 443, NULL, &fd);
 *
 * What comes is a descriptor; a connection that is to be read and written is rather opened as a
 * stream, which begins with this. */
#ifndef WEFT_CONNECT_H
#define WEFT_CONNECT_H

#include <weft/address.h>

WEFT_BEGIN_DECLS

/** How to connect; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_connect_options {
    int family;                     /* AF_INET or AF_INET6; 0: both, by turns, IPv6 first */
    int flags;                      /* of the lookup: AI_NUMERICHOST ... of <netdb.h> */
    const weft_address *local;      /* to be bound to, so only its family is tried; port 0: any;
                                     * NULL: the system chooses */
    double happy_eyeballs_delay;    /* seconds until the next address is tried beside one that has
                                     * not answered; 0: 0.25; infinity: not before it has failed */
    double resolution_delay;        /* seconds for which IPv4 addresses that are found first wait
                                     * for the IPv6 ones; 0: 0.05; below 0: not at all */
    int first_address_family_count; /* IPv6 addresses before the first IPv4 one; 0: 1 */
    void *reserved[3];              /* zero */
} weft_connect_options;

/** Connects to the first address of a host that answers.
 *
 *  Both families are looked up at once, and their addresses tried by turns: the next attempt begins
 *  when the last one has failed, or has not answered for a quarter of a second; the first to be
 *  connected wins, and all others are closed.  So a family whose packets lead nowhere costs that
 *  quarter, once.
 *
 *  host    a name or a number; NULL: this host.  Borrowed during the call.
 *  port    1 to 65535.
 *  ret_fd  a TCP socket, connected, non-blocking and close-on-exec; yours, for weft_close().
 *          Untouched on error.
 *
 *  Returns 0.  When all attempts have failed, the error of the first whose way was open
 *  (-ECONNREFUSED, -ETIMEDOUT ...), else of the first (-ENETUNREACH, -EADDRNOTAVAIL ...), and
 *  weft_error_detail() has each address with its error.  What weft_getaddrinfo() returns when the
 *  host was not found.  -ECANCELED, and nothing is left open; -EMFILE, -ENOMEM, -EINVAL, -EPERM
 *  outside a task, -EOPNOTSUPP the backend watches no descriptors, -ECHILD.
 *  A cancellation point.  Its only limit is the system's for an attempt, about two minutes: put a
 *  weft_timeout around it.
 *  Source: RFC 8305; loop.create_connection(), where it is off unless asked for. */
WEFT_API WEFT_MUST_USE int weft_connect_host(const char *host, int port,
                                             const weft_connect_options *options, int *ret_fd);

WEFT_END_DECLS

#endif
