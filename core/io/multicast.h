/* SPDX-License-Identifier: MIT
 * What systems call differently about multicast. */
#ifndef WEFT_CORE_MULTICAST_H
#define WEFT_CORE_MULTICAST_H

#include <stdbool.h>
#include <weft/address.h>

/* Joins a group, or leaves it, on an interface (0: the system chooses): 0, or a negative errno. */
int weft__multicast_member(int fd, const weft_address *group, unsigned interface, bool joins);

/* How far, whether it comes back, and by which interface (0: the system chooses) an IPv4 socket
 * sends to groups: 0, or a negative errno.  `hops` is -1 to 255, -1 the system's own. */
int weft__multicast_ip4(int fd, int hops, bool loopback, unsigned interface);

#endif
