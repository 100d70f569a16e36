/* SPDX-License-Identifier: MIT
 * Lookups: a question, who answers it, and how the answer comes back to the loop.
 *
 *     weft__dns_numeric()   at once, where nobody has to be asked
 *     weft__lookup_begin()  a thread asks the system, or the resolver plugin is asked
 *         -> done(arg)      on the loop's thread; then weft__lookup_end() has the answer
 *         -> weft__lookup_abandon()  nobody waits any more
 *
 * A lookup is a block of its own, which points to nothing of whoever waits but `arg`. */
#ifndef WEFT_CORE_DNS_H
#define WEFT_CORE_DNS_H

#include "core/base/base.h"

#include <weft/dns.h>

struct weft__loop;
struct weft__lookup;

struct weft__question {
    const char *host, *service; /* either may be NULL */
    int family, type, protocol, flags;
    const weft_address *address; /* not NULL: its name is asked for, and `flags` are for that */
};

struct weft__answer {
    int status;
    weft_addrinfo *info; /* where addresses were asked for, and the status is 0 */
    weft_nameinfo name;  /* where a name was */
    const char *words;   /* what the status means; NULL: what the errno does.  Static, or `room` */
    char room[160];
};

/* Answers what is numeric: true, and answer->status.  Does not block. */
bool weft__dns_numeric(const struct weft__question *question, struct weft__answer *answer);

/* Asks the system; blocks. */
void weft__dns_ask_system(const struct weft__question *question, struct weft__answer *answer);

/* Makes one block of addresses; NULL without memory. */
weft_addrinfo *weft__addrinfo_new(const weft_address *addresses, size_t count,
                                  const char *canonical_name);

/* Leaves the words for an answer's status in weft_error_detail(), and returns it. */
int weft__dns_failed(const struct weft__question *question, const struct weft__answer *answer);

/* Begins to ask, on the loop's thread; the question is copied.  `done` is called once, also from
 * within this call, unless it fails or the lookup is abandoned before.  0, or a negative errno. */
int weft__lookup_begin(struct weft__loop *loop, const struct weft__question *question,
                       weft_callback *done, void *arg, struct weft__lookup **ret_lookup);

/* After `done`: frees the lookup, whose answer is *ret_answer from now on; returns its status, with
 * words. */
int weft__lookup_end(struct weft__lookup *lookup, struct weft__answer *ret_answer);

/* Before or after `done`: nobody waits. */
void weft__lookup_abandon(struct weft__lookup *lookup);

#endif
