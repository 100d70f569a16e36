/* SPDX-License-Identifier: MIT
 * Addresses: where a socket is, or whom it talks to; as bytes and as text.
 *
 *     weft_address to;
 *     int r = weft_address_parse("192.0.2.1", 9000, &to);
 *     ... sendto(fd, data, size, 0, &to.sockaddr, to.length) ...
 *     char text[WEFT_ADDRESS_TEXT];
 *     weft_address_format(&to, text, sizeof text);             "192.0.2.1:9000"
 *
 * Nothing here waits or looks anything up: names are for <weft/dns.h>. */
#ifndef WEFT_ADDRESS_H
#define WEFT_ADDRESS_H

#include <weft/common.h>

#include <sys/socket.h>

WEFT_BEGIN_DECLS

/** An address: what socket(2), bind(2) and connect(2) want to know. */
typedef struct weft_address {
    int32_t family, type, protocol; /* of socket(2); the last two 0 where that is not known */
    uint32_t length;                /* bytes that count */
    union {
        uint8_t bytes[128];
        struct sockaddr sockaddr; /* to be passed on: &address.sockaddr */
        struct sockaddr_storage storage;
    };
} weft_address;

/** Room for any address as text, the final 0 included. */
#define WEFT_ADDRESS_TEXT 160

/** Makes an address of numbers.
 *
 *  host         "192.0.2.1", "::1", "fe80::1%eth0"; NULL: any IPv4 address, 0.0.0.0.
 *  port         0 to 65535.
 *  ret_address  untouched on error.
 *
 *  Returns 0, -EINVAL not numeric, a port out of range, or NULL; -ENODEV there is no such
 *  interface.  Any thread; not a cancellation point.  Cost: no allocation.
 *  Source: inet_pton(3). */
WEFT_API int weft_address_parse(const char *host, int port, weft_address *ret_address);

/** Makes the address of a Unix socket.
 *
 *  path  a file's, at most 107 bytes (103 on the BSDs and macOS); "@name" is Linux's abstract name
 *        space, where there are no files; "" is an address without a name, which Linux's bind(2)
 *        fills in.
 *
 *  Returns 0, -ENAMETOOLONG, -EINVAL.  Any thread.  Source: unix(7). */
WEFT_API int weft_address_unix(const char *path, weft_address *ret_address);

/** Writes an address as text: "192.0.2.1:80", "[fe80::1%eth0]:80", "/run/x.sock", "@name", "" for a
 *  Unix socket without a name, "family 16" for what is none of these.
 *
 *  text  of `size` bytes; WEFT_ADDRESS_TEXT is enough.
 *
 *  Returns the length, -ENOSPC `size` is too small, -EINVAL.  Any thread. */
WEFT_API int weft_address_format(const weft_address *address, char *text, size_t size);

/** Returns the port; 0 where there is none. */
WEFT_API int weft_address_port(const weft_address *address);

/** Whether two name the same place.  (type and protocol are not looked at.) */
WEFT_API bool weft_address_equal(const weft_address *a, const weft_address *b);

WEFT_END_DECLS

#endif
