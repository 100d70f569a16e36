/* SPDX-License-Identifier: MIT
 * Multicast: Linux has one call for IPv4 and IPv6; the BSDs and macOS one for each, of which IPv4's
 * wants bytes, and NetBSD's the interface as an address. */
#include "core/io/multicast.h"

#include "core/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int set(int fd, int level, int option, const void *value, size_t size)
{
    return WEFT__SYS(setsockopt(fd, level, option, value, (socklen_t)size)) < 0 ? -errno : 0;
}

#if defined(__linux__) && !defined(WEFT__PORTABLE)

int weft__multicast_member(int fd, const weft_address *group, unsigned interface, bool joins)
{
    struct group_req request = { .gr_interface = interface };

    memcpy(&request.gr_group, group->bytes, group->length);
    return set(fd, group->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
               joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request, sizeof request);
}

int weft__multicast_ip4(int fd, int hops, bool loopback, unsigned interface)
{
    struct ip_mreqn by = { .imr_ifindex = (int)interface };
    int comes_back = loopback;
    int r = set(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops);

    r = r < 0 ? r : set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &comes_back, sizeof comes_back);
    return r < 0 ? r : set(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
}

#else

#ifdef __NetBSD__ /* the address 0.0.0.N stands for the interface N (RFC 1724) */
typedef struct ip_mreq membership;
typedef struct in_addr by_index;

static membership member_of(struct in_addr group, unsigned interface)
{
    return (membership){ .imr_multiaddr = group, .imr_interface = { htonl(interface) } };
}

static by_index sends_by(unsigned interface)
{
    return (by_index){ htonl(interface) };
}
#else
typedef struct ip_mreqn membership, by_index;

static membership member_of(struct in_addr group, unsigned interface)
{
    return (membership){ .imr_multiaddr = group, .imr_ifindex = (int)interface };
}

static by_index sends_by(unsigned interface)
{
    return (by_index){ .imr_ifindex = (int)interface };
}
#endif

static int change_ip6(int fd, const weft_address *group, unsigned interface, bool joins)
{
    struct ipv6_mreq request = { .ipv6mr_interface = interface };

    memcpy(&request.ipv6mr_multiaddr, group->bytes + offsetof(struct sockaddr_in6, sin6_addr),
           sizeof(struct in6_addr));
    return set(fd, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &request,
               sizeof request);
}

int weft__multicast_member(int fd, const weft_address *group, unsigned interface, bool joins)
{
    struct in_addr address;
    membership request;

    if (group->family == AF_INET6) {
        return change_ip6(fd, group, interface, joins);
    }
    memcpy(&address, group->bytes + offsetof(struct sockaddr_in, sin_addr), sizeof address);
    request = member_of(address, interface);
    return set(fd, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
               sizeof request);
}

int weft__multicast_ip4(int fd, int hops, bool loopback, unsigned interface)
{
    unsigned char ttl = hops < 0 ? 1 : (unsigned char)hops, comes_back = loopback;
    by_index by = sends_by(interface);
    int r = set(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);

    r = r < 0 ? r : set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &comes_back, sizeof comes_back);
    return r < 0 ? r : set(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
}

#endif
