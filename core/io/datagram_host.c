/* SPDX-License-Identifier: MIT
 * Datagram sockets between names: both are looked up, and pairs of their addresses tried. */
#include "core/io/datagram.h"

#include "core/base/error.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/dns.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_datagram_names) == 64, "the public size");

/* What both names lead to; NULL: that end is not asked for. */
struct ends {
    weft_addrinfo *local, *remote;
};

static bool has_local(const weft_datagram_names *names)
{
    return names->local_host || names->local_port;
}

static bool has_remote(const weft_datagram_names *names)
{
    return names->remote_host || names->remote_port;
}

static int check(const weft_datagram_names *names)
{
    if (!names || (!has_local(names) && !has_remote(names)) || names->local_port < 0 ||
        names->local_port > 65535 || names->remote_port < 0 || names->remote_port > 65535 ||
        (has_remote(names) && !names->remote_port)) {
        return -EINVAL;
    }
    return 0;
}

static int look_up(const weft_datagram_names *names, const char *host, int port, int flags,
                   weft_addrinfo **ret_info)
{
    weft_addrinfo_options wanted = { .family = names->family,
                                     .type = SOCK_DGRAM,
                                     .flags = names->flags | flags };
    char service[8];

    (void)snprintf(service, sizeof service, "%d", port);
    return weft_getaddrinfo(host, service, &wanted, ret_info);
}

/* One pair after the other; the error is the first one's. */
struct attempts {
    const weft_datagram_options *options;
    int error;       /* 0: there was none yet */
    char words[160]; /* of that */
};

static int attempt(struct attempts *attempts, const weft_address *local, const weft_address *remote,
                   int *ret_fd)
{
    int r = weft__datagram_socket(local, remote, attempts->options, ret_fd);

    if (r < 0 && attempts->error == 0) {
        attempts->error = r;
        if (weft__words_are_about() == r) {
            (void)snprintf(attempts->words, sizeof attempts->words, "%s", weft_error_detail());
        }
    }
    return r;
}

/* Tries a peer's address with each of our own of its family; NULL: any. */
static int attempt_from(struct attempts *attempts, const weft_addrinfo *local,
                        const weft_address *remote, int *ret_fd)
{
    int r = -EAFNOSUPPORT;

    if (!local) {
        return attempt(attempts, NULL, remote, ret_fd);
    }
    for (size_t i = 0; i < local->count && r < 0; i++) {
        if (!remote || remote->family == local->addresses[i].family) {
            r = attempt(attempts, &local->addresses[i], remote, ret_fd);
        }
    }
    return r;
}

static int open_one(const struct ends *ends, const weft_datagram_names *names,
                    const weft_datagram_options *options, int *ret_fd, weft_address *ret_peer)
{
    struct attempts attempts = { .options = options };
    size_t count = ends->remote ? ends->remote->count : 1;

    *ret_peer = (weft_address){ .length = 0 };
    for (size_t i = 0; i < count; i++) {
        const weft_address *remote = ends->remote ? &ends->remote->addresses[i] : NULL;
        int r = attempt_from(&attempts, ends->local, remote, ret_fd);

        if (r == 0) {
            if (remote) {
                *ret_peer = *remote;
            }
            return 0;
        }
    }
    if (attempts.error == 0) {
        return weft__detail(-EAFNOSUPPORT, "'%s' and '%s' have no addresses of the same family",
                            names->local_host ? names->local_host : "",
                            names->remote_host ? names->remote_host : "");
    }
    return *attempts.words ? weft__detail(attempts.error, "%s", attempts.words) : attempts.error;
}

int weft__datagram_find(const weft_datagram_names *names, const weft_datagram_options *options,
                        int *ret_fd, weft_address *ret_peer)
{
    struct ends ends = { .local = NULL };
    int r = check(names);

    if (r < 0) {
        return r;
    }
    if (has_local(names)) {
        r = look_up(names, names->local_host, names->local_port, AI_PASSIVE, &ends.local);
    }
    if (r == 0 && has_remote(names)) {
        r = look_up(names, names->remote_host, names->remote_port, 0, &ends.remote);
    }
    if (r == 0) {
        r = open_one(&ends, names, options, ret_fd, ret_peer);
    }
    weft_addrinfo_free(ends.local);
    weft_addrinfo_free(ends.remote);
    return r;
}

int weft_datagram_open_host(const weft_datagram_names *names, const weft_datagram_options *options,
                            weft_datagram **ret_socket)
{
    weft_address peer, own = { .length = sizeof own.storage };
    int fd, r = ret_socket ? weft__datagram_find(names, options, &fd, &peer) : -EINVAL;

    if (r < 0) {
        return r;
    }
    r = getsockname(fd, &own.sockaddr, &own.length) < 0 ? -errno : 0;
    r = r < 0 ? r : weft__datagram_make(fd, own.sockaddr.sa_family, options, ret_socket);
    if (r < 0) {
        close(fd);
    }
    return r;
}
