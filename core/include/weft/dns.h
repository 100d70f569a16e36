/* SPDX-License-Identifier: MIT
 * Names: from a name to addresses and back, while other tasks run.
 *
 *     weft_addrinfo *info;
 *     int r = weft_getaddrinfo("example.org", "https", NULL, &info);
 *     for (size_t i = 0; r == 0 && i < info->count; i++) {
 *         const weft_address *a = &info->addresses[i];
 *         ... socket(a->family, a->type, a->protocol), connect(fd, &a->sockaddr, a->length) ...
 *     }
 *     info = weft_addrinfo_free(info);            r < 0: weft_error_detail() has the words
 *
 * Who answers.  The system does, by getaddrinfo(3) and getnameinfo(3), with all that
 * nsswitch.conf(5) says.  These block, so they are called in threads of their own: up to eight for
 * each loop, called "weft-dns_0" ..., apart from those of weft_to_thread().  What is numeric needs
 * no thread.  When a plugin of the kind "resolver" is switched on (WEFT_PLUGINS=resolver) it
 * answers instead, without threads, and nobody else does: what it cannot answer fails.
 *
 * A task that is cancelled, or whose time is up, waits no longer.  A thread cannot be stopped: it
 * goes on until the system gives up, its answer is freed, and until then it is one of the eight.
 * The plugin's query ends at once.
 *
 * On a backend with virtual time the clock does not jump while a lookup runs. */
#ifndef WEFT_DNS_H
#define WEFT_DNS_H

#include <weft/address.h>

WEFT_BEGIN_DECLS

/** The addresses of a name; one block, yours. */
typedef struct weft_addrinfo {
    size_t count;                  /* at least 1 */
    const weft_address *addresses; /* the best first */
    const char *canonical_name;    /* with AI_CANONNAME and if it is known, else NULL */
} weft_addrinfo;

/** What is wanted; all zero, or a NULL pointer to one, for everything.  <netdb.h> has the flags. */
typedef struct weft_addrinfo_options {
    int family;   /* AF_INET or AF_INET6; 0: both */
    int type;     /* SOCK_STREAM ...; 0: any, so each address comes once for every type */
    int protocol; /* IPPROTO_TCP ...; 0: any */
    int flags;    /* AI_PASSIVE, AI_NUMERICHOST, AI_CANONNAME ... as for getaddrinfo(3) */
    void *reserved[2]; /* zero */
} weft_addrinfo_options;

/** Finds the addresses of a name.
 *
 *  host      "example.org", "192.0.2.1", "::1", "fe80::1%eth0"; NULL: this host, the wildcard
 *            address with AI_PASSIVE and the loopback address without.  Copied.
 *  service   "https" or "443"; NULL: port 0.  Copied.  Not both NULL.
 *  ret_info  give it back with weft_addrinfo_free(); untouched on error.
 *
 *  Returns 0.  On failure, with words in weft_error_detail():
 *      -ENOENT          there is no such name
 *      -ENODATA         the name has no address of this family
 *      -EAGAIN          it cannot be told now: no server has answered, or no thread could be made
 *      -EIO             a server has answered that it cannot tell
 *      -EPROTONOSUPPORT there is no such service for this type of socket
 *      -EAFNOSUPPORT, -ESOCKTNOSUPPORT  no such family or type here
 *      -ENAMETOOLONG, -EILSEQ  this can be no name
 *  and -ECANCELED, -EINVAL bad flags, -ENOMEM, -EPERM outside a task, -ECHILD, or what the system
 *  has failed with (-EMFILE ...).
 *  A cancellation point, also where the host is numeric, which does not wait.  Cost: one block and
 *  two switches between threads; a numeric host about a microsecond.
 *  Source: loop.getaddrinfo(), getaddrinfo(3). */
WEFT_API WEFT_MUST_USE int weft_getaddrinfo(const char *host, const char *service,
                                            const weft_addrinfo_options *options,
                                            weft_addrinfo **ret_info);

/** Gives the addresses back.  NULL is left alone.  Returns NULL.  Any thread. */
WEFT_API weft_addrinfo *weft_addrinfo_free(weft_addrinfo *info);

/** A host and a service, as people write them. */
typedef struct weft_nameinfo {
    char host[256];
    char service[32];
} weft_nameinfo;

/** Finds the name of an address, and that of its port.
 *
 *  address   family, length and bytes count; copied.
 *  flags     NI_NUMERICHOST, NI_NAMEREQD ... as for getnameinfo(3).  Without NI_NAMEREQD an address
 *            that has no name reads as the numbers that it is.
 *  ret_info  both names; untouched on error.
 *
 *  Returns 0, -ENOENT it has no name (with NI_NAMEREQD), -EAFNOSUPPORT, -ENAMETOOLONG the name does
 *  not fit, or what weft_getaddrinfo() does.  A cancellation point; with NI_NUMERICHOST and
 *  NI_NUMERICSERV it does not wait.
 *  Source: loop.getnameinfo(), getnameinfo(3). */
WEFT_API int weft_getnameinfo(const weft_address *address, int flags, weft_nameinfo *ret_info);

WEFT_END_DECLS

#endif
