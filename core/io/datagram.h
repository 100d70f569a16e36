/* SPDX-License-Identifier: MIT
 * Datagram sockets from inside. */
#ifndef WEFT_CORE_DATAGRAM_H
#define WEFT_CORE_DATAGRAM_H

#include "core/base/base.h"

#include <stddef.h>
#include <weft/datagram.h>

/* A cell of a pool of the process. */
struct weft__datagram {
    uintptr_t handle;
    int fd;
    int family;
    bool keeps_errors; /* they are there, and readiness is reported, until somebody takes them */
};

/* Opens, binds and connects a socket; the errors have words. */
int weft__datagram_socket(const weft_address *local, const weft_address *remote,
                          const weft_datagram_options *options, int *ret_fd);

/* The same for names, which it waits for, in a task; also the peer's address, whose length is 0
 * where there is none. */
int weft__datagram_find(const weft_datagram_names *names, const weft_datagram_options *options,
                        int *ret_fd, weft_address *ret_peer);

/* Makes the handle of a socket, which is taken by success. */
int weft__datagram_make(int fd, int family, const weft_datagram_options *options,
                        weft_datagram **ret_socket);

/* Takes the oldest report of an IP socket; -EAGAIN.  Of another one it would take a datagram. */
int weft__datagram_take_error(int fd, weft_datagram_error_info *ret_error);

/* An address that a datagram came from; a Unix socket without a name has none. */
static inline void weft__datagram_set_family(weft_address *address)
{
    bool is_there = address->length >= offsetof(struct sockaddr, sa_data);

    address->family = is_there ? address->sockaddr.sa_family : AF_UNIX;
    address->type = SOCK_DGRAM;
}

/* The living socket of a handle; NULL and the error. */
struct weft__datagram *weft__datagram_of(weft_datagram *handle, int *ret_error);

#endif
