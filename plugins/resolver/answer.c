/* SPDX-License-Identifier: MIT
 * What c-ares has found, as weft's answers, and its errors as errnos. */
#include "query.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

int resolver_error(int status)
{
    switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENOTFOUND:
    case ARES_ENONAME: return -ENOENT;
    case ARES_ENODATA: return -ENODATA;
    case ARES_ETIMEOUT:
    case ARES_ESERVFAIL:
    case ARES_ECONNREFUSED: return -EAGAIN; /* none of the servers did its work */
    case ARES_EBADNAME: return -EILSEQ;
    case ARES_ESERVICE: return -EPROTONOSUPPORT;
    case ARES_EBADFAMILY: return -EAFNOSUPPORT;
    case ARES_EBADFLAGS:
    case ARES_EBADHINTS: return -EINVAL;
    case ARES_ENOMEM: return -ENOMEM;
    default: return -EIO; /* a server refused, or what it said was nonsense */
    }
}

/* It is over, and has failed with an error of c-ares. */
static void fail(struct query *query, int status)
{
    query->found.status = resolver_error(status);
    query->found.detail = ares_strerror(status);
}

static const struct {
    int type, protocol;
} kinds[] = {
    { SOCK_STREAM, IPPROTO_TCP },
    { SOCK_DGRAM, IPPROTO_UDP },
    { SOCK_RAW, 0 },
};

/* Writes an address once for each kind of socket that was asked for; returns how often. */
static size_t put(const struct query *query, const struct ares_addrinfo_node *node,
                  weft_address *to)
{
    size_t count = 0;

    if ((size_t)node->ai_addrlen > sizeof to->bytes) {
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bool any_protocol = query->protocol == 0 || kinds[i].protocol == 0;

        if ((query->type && query->type != kinds[i].type) ||
            (!any_protocol && query->protocol != kinds[i].protocol)) {
            continue;
        }
        to[count] = (weft_address){
            .family = node->ai_family,
            .type = kinds[i].type,
            .protocol = query->protocol ? query->protocol : kinds[i].protocol,
            .length = (uint32_t)node->ai_addrlen,
        };
        memcpy(to[count++].bytes, node->ai_addr, (size_t)node->ai_addrlen);
    }
    return count;
}

/* The last name in a chain of aliases, or the name itself. */
static int keep_canonical_name(struct query *query, const struct ares_addrinfo *info)
{
    const struct ares_addrinfo_cname *alias = info->cnames;
    const char *name = info->name ? info->name : query->host;
    size_t size;

    while (alias && alias->next) {
        alias = alias->next;
    }
    name = alias && alias->name ? alias->name : name;
    size = strlen(name) + 1;
    query->canonical_name = query->resolver->core->alloc(NULL, size);
    if (!query->canonical_name) {
        return -ENOMEM;
    }
    memcpy(query->canonical_name, name, size);
    query->found.canonical_name = query->canonical_name;
    return 0;
}

static int keep_addresses(struct query *query, const struct ares_addrinfo *info)
{
    size_t room = 0;
    int r = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
        room += sizeof kinds / sizeof kinds[0];
    }
    if (room > 0) {
        query->addresses = query->resolver->core->alloc(NULL, room * sizeof *query->addresses);
        r = query->addresses ? 0 : -ENOMEM;
    }
    for (const struct ares_addrinfo_node *node = info->nodes; node && r == 0;
         node = node->ai_next) {
        query->found.count += put(query, node, query->addresses + query->found.count);
    }
    query->found.addresses = query->addresses;
    if (r == 0 && query->flags & AI_CANONNAME) {
        r = keep_canonical_name(query, info);
    }
    return r;
}

void resolver_found_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *query = arg;

    (void)timeouts;
    query->over = true;
    if (query->dropped) {
        /* it is being destroyed */
    } else if (status != ARES_SUCCESS) {
        fail(query, status);
    } else {
        query->found.status = keep_addresses(query, info);
    }
    ares_freeaddrinfo(info); /* NULL, too */
}

void resolver_found_name(void *arg, int status, int timeouts, char *host, char *service)
{
    struct query *query = arg;

    (void)timeouts;
    query->over = true;
    if (query->dropped) {
        return;
    }
    if (status != ARES_SUCCESS) {
        fail(query, status);
        return;
    }
    if (host && strlen(host) >= sizeof query->host) {
        query->found.status = -ENAMETOOLONG;
        return;
    }
    (void)snprintf(query->host, sizeof query->host, "%s", host ? host : "");
    (void)snprintf(query->service, sizeof query->service, "%s", service ? service : "");
    query->found.host = query->host;
    query->found.service = query->service;
}
