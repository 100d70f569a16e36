/* SPDX-License-Identifier: MIT
 * Datagram sockets in multicast groups. */
#include "core/base/mem.h"
#include "core/io/datagram.h"
#include "core/io/multicast.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The number of an interface; 0 for none. */
static int index_of(const char *interface, unsigned *ret_index)
{
    *ret_index = interface ? if_nametoindex(interface) : 0;
    return interface && *ret_index == 0 ? -ENODEV : 0;
}

static int change(weft_datagram *handle, const weft_address *group, const char *interface,
                  bool joins)
{
    int r = 0;
    const struct weft__datagram *d = weft__datagram_of(handle, &r);
    unsigned index = 0;

    if (!d || !group) {
        return d ? -EINVAL : r;
    }
    if (group->family != d->family || (d->family != AF_INET && d->family != AF_INET6)) {
        return -EAFNOSUPPORT;
    }
    r = index_of(interface, &index);
    return r < 0 ? r : weft__multicast_member(d->fd, group, index, joins);
}

int weft_datagram_join(weft_datagram *socket, const weft_address *group, const char *interface)
{
    return change(socket, group, interface, true);
}

int weft_datagram_leave(weft_datagram *socket, const weft_address *group, const char *interface)
{
    return change(socket, group, interface, false);
}

static int set(int fd, int level, int option, const void *value, size_t size)
{
    return WEFT__SYS(setsockopt(fd, level, option, value, (socklen_t)size)) < 0 ? -errno : 0;
}

static int set_ip6(int fd, int hops, int loopback, unsigned index)
{
    int r = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);

    r = r < 0 ? r : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loopback, sizeof loopback);
    return r < 0 ? r : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
}

int weft_datagram_set_multicast(weft_datagram *handle, int hops, bool loopback,
                                const char *interface)
{
    int r = 0;
    const struct weft__datagram *d = weft__datagram_of(handle, &r);
    unsigned index = 0;

    if (!d) {
        return r;
    }
    if (hops < -1 || hops > 255) {
        return -EINVAL;
    }
    r = index_of(interface, &index);
    if (r < 0) {
        return r;
    }
    switch (d->family) {
    case AF_INET: return weft__multicast_ip4(d->fd, hops, loopback, index);
    case AF_INET6: return set_ip6(d->fd, hops, loopback, index);
    default: return -EOPNOTSUPP;
    }
}
