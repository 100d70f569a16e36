/* SPDX-License-Identifier: MIT
 * Addresses as bytes and as text. */
#include <weft/address.h>

#include "core/base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

_Static_assert(sizeof(weft_address) == 16 + sizeof(struct sockaddr_storage), "the public size");
_Static_assert(sizeof(struct sockaddr_storage) >= 128, "it fits into it");
_Static_assert(sizeof(struct sockaddr_un) <= 128, "it fits");

/* Where an address says itself how long it is (the BSDs, macOS), as their calls want it. */
static void tell_length(weft_address *address)
{
#ifdef SIN6_LEN
    address->sockaddr.sa_len = (uint8_t)address->length;
#else
    (void)address;
#endif
}

/* The number of the interface behind a '%': its name or the number itself. */
static int scope_of(const char *name, uint32_t *ret_scope)
{
    char *end;
    unsigned long number;

    *ret_scope = if_nametoindex(name);
    if (*ret_scope) {
        return 0;
    }
    number = strtoul(name, &end, 10);
    if (*end || end == name || number > UINT32_MAX || *name < '0' || *name > '9') {
        return -ENODEV;
    }
    *ret_scope = (uint32_t)number;
    return 0;
}

static int parse_ip6(const char *host, int port, weft_address *ret_address)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    const char *percent = strchr(host, '%');
    size_t length = percent ? (size_t)(percent - host) : strlen(host);
    char number[INET6_ADDRSTRLEN];
    int r = 0;

    if (length >= sizeof number) {
        return -EINVAL;
    }
    memcpy(number, host, length);
    number[length] = '\0';
    if (inet_pton(AF_INET6, number, &in6.sin6_addr) != 1) {
        return -EINVAL;
    }
    if (percent) {
        r = scope_of(percent + 1, &in6.sin6_scope_id);
    }
    if (r == 0) {
        *ret_address = (weft_address){ .family = AF_INET6, .length = sizeof in6 };
        memcpy(ret_address->bytes, &in6, sizeof in6);
        tell_length(ret_address);
    }
    return r;
}

int weft_address_parse(const char *host, int port, weft_address *ret_address)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    if (!ret_address || port < 0 || port > 65535) {
        return -EINVAL;
    }
    if (host && inet_pton(AF_INET, host, &in.sin_addr) != 1) {
        return parse_ip6(host, port, ret_address);
    }
    *ret_address = (weft_address){ .family = AF_INET, .length = sizeof in };
    memcpy(ret_address->bytes, &in, sizeof in);
    tell_length(ret_address);
    return 0;
}

int weft_address_unix(const char *path, weft_address *ret_address)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t length = path ? strlen(path) : 0;

    if (!path || !ret_address) {
        return -EINVAL;
    }
    if (length >= sizeof un.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(un.sun_path, path, length);
    if (*path == '@') {
        un.sun_path[0] = '\0'; /* an abstract name has no final 0 */
    } else if (*path) {
        length++;
    }
    *ret_address = (weft_address){ .family = AF_UNIX };
    ret_address->length = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length);
    memcpy(ret_address->bytes, &un, sizeof un);
    tell_length(ret_address);
    return 0;
}

static int format_ip6(const weft_address *address, char *text, size_t size)
{
    struct sockaddr_in6 in6;
    char number[INET6_ADDRSTRLEN], interface[IF_NAMESIZE + 1] = "";

    memcpy(&in6, address->bytes, sizeof in6);
    inet_ntop(AF_INET6, &in6.sin6_addr, number, sizeof number);
    if (in6.sin6_scope_id && if_indextoname(in6.sin6_scope_id, interface + 1)) {
        interface[0] = '%';
    } else if (in6.sin6_scope_id) {
        snprintf(interface, sizeof interface, "%%%u", in6.sin6_scope_id);
    }
    return snprintf(text, size, "[%s%s]:%u", number, interface, ntohs(in6.sin6_port));
}

static int format_unix(const weft_address *address, char *text, size_t size)
{
    const char *path = (const char *)address->bytes + offsetof(struct sockaddr_un, sun_path);
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->length > start ? address->length - start : 0;

    if (length > 0 && path[0] == '\0') {
        return snprintf(text, size, "@%.*s", (int)length - 1, path + 1);
    }
    return snprintf(text, size, "%.*s", (int)length, path);
}

int weft_address_format(const weft_address *address, char *text, size_t size)
{
    char whole[WEFT_ADDRESS_TEXT], number[INET_ADDRSTRLEN];
    struct sockaddr_in in;
    int n;

    if (!address || !text) {
        return -EINVAL;
    }
    switch (address->family) {
    case AF_INET:
        memcpy(&in, address->bytes, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, number, sizeof number);
        n = snprintf(whole, sizeof whole, "%s:%u", number, ntohs(in.sin_port));
        break;
    case AF_INET6: n = format_ip6(address, whole, sizeof whole); break;
    case AF_UNIX: n = format_unix(address, whole, sizeof whole); break;
    default: n = snprintf(whole, sizeof whole, "family %d", (int)address->family);
    }
    if ((size_t)n >= size) {
        return -ENOSPC;
    }
    memcpy(text, whole, (size_t)n + 1);
    return n;
}

int weft_address_port(const weft_address *address)
{
    struct sockaddr_in in; /* IPv6 has its port at the same place */

    if (!address || (address->family != AF_INET && address->family != AF_INET6)) {
        return 0;
    }
    memcpy(&in, address->bytes, sizeof in);
    return ntohs(in.sin_port);
}

/* The path of a Unix socket, with or without its final 0, or an abstract name. */
static size_t name_of(const weft_address *address, const char **ret_name)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t room = address->length > start ? address->length - start : 0;

    *ret_name = (const char *)address->bytes + start;
    return room > 0 && **ret_name ? strnlen(*ret_name, room) : room;
}

bool weft_address_equal(const weft_address *a, const weft_address *b)
{
    struct sockaddr_in6 x, y;

    if (!a || !b || a->family != b->family) {
        return a == b;
    }
    if (a->family == AF_INET) {
        size_t from = offsetof(struct sockaddr_in, sin_port);

        return memcmp(a->bytes + from, b->bytes + from,
                      offsetof(struct sockaddr_in, sin_zero) - from) == 0;
    }
    if (a->family == AF_INET6) {
        memcpy(&x, a->bytes, sizeof x);
        memcpy(&y, b->bytes, sizeof y);
        return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
               memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
    }
    if (a->family == AF_UNIX) {
        const char *x_name, *y_name;
        size_t length = name_of(a, &x_name);

        return length == name_of(b, &y_name) && memcmp(x_name, y_name, length) == 0;
    }
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}
