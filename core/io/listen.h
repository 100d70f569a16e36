/* SPDX-License-Identifier: MIT
 * Sockets that listen: bound by the rules of asyncio's servers. */
#ifndef WEFT_CORE_LISTEN_H
#define WEFT_CORE_LISTEN_H

#include "core/base/base.h"

#include <errno.h>
#include <sys/stat.h>
#include <weft/address.h>

#define WEFT__BACKLOG 100 /* connections that wait to be accepted, unless options say otherwise */

/* A socket that is bound; a Unix socket's file is remembered. */
struct weft__bound {
    int fd;       /* -1: none */
    bool is_file; /* it has one: */
    char path[108];
    dev_t device;
    ino_t inode;
};

struct weft__listen_options {
    int backlog;
    bool reuse_address, reuse_port, keep_alive, no_delay;
    bool dual_stack; /* an IPv6 socket takes IPv4, too */
    unsigned mode; /* of a Unix socket's file; 0: as the umask has it */
};

/* Opens, binds and listens; the errors have words. */
int weft__listen(const weft_address *address, const struct weft__listen_options *options,
                 struct weft__bound *ret_bound);

/* Whether an address was there before: a name may lead to one in several ways. */
bool weft__listen_is_again(const weft_address *addresses, size_t which);

/* The port that a socket was given; 0: none. */
int weft__bound_port(int fd);

/* Whether an error of accept(2) is only of the connection that it was about: the next one may be
 * fine.  Linux hands the errors that are pending at the new socket to the caller, too. */
static inline bool weft__accept_is_passed_over(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED: /* it came and went */
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
#ifdef ENONET
    case ENONET:
#endif
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false; /* EPERM, a firewall's word, may be said again and again */
    }
}

/* Closes it, and removes its file if that is still the one that it made and `keep` does not say
 * otherwise. */
void weft__bound_close(struct weft__bound *bound, bool keep);

#endif
