/* SPDX-License-Identifier: MIT
 * A query: one question, put to c-ares in a channel of its own.
 *
 * A channel of its own makes it possible to end one query and no other, has each begin with what
 * /etc/resolv.conf says now, and gives each a port of its own, which a forger has to guess. */
#ifndef PLUGINS_RESOLVER_QUERY_H
#define PLUGINS_RESOLVER_QUERY_H

#include <weft/plugin.h>

#include <ares.h>

/* The plugin, as it was opened. */
struct resolver {
    const weft_plugin_core *core;
    char servers[200]; /* "192.0.2.53,[2001:db8::53]:5300"; "": those of resolv.conf */
    int timeout_ms;    /* of the first try; 0: what resolv.conf says, or five seconds */
    int tries;         /* of each server; 0: the same, or four */
};

struct query {
    const struct resolver *resolver;
    weft_loop *loop; /* NULL: it is asked in a thread, and waits there */
    ares_channel channel;
    weft_handle *timer; /* when c-ares wants to be called next; or NULL */
    bool over;          /* c-ares has called back, or it failed */
    bool dropped;       /* nobody is interested any more */
    int type, protocol, flags;
    void (*answer)(void *arg, const weft_answer *answer);
    void *arg;
    weft_answer found;       /* what points to these: */
    weft_address *addresses; /* of core->alloc() */
    char *canonical_name;    /* the same */
    char host[256], service[32];
};

/* Makes a channel by the resolver's options: 0, or an error that has words.  `on_socket` may be
 * NULL. */
int resolver_channel(const struct resolver *resolver, ares_sock_state_cb on_socket, void *arg,
                     ares_channel *ret_channel);

/* In query.c: the members of weft_resolver. */
int resolver_begin(void *self, weft_loop *loop, const weft_question *question, void **ret_query);
void resolver_cancel(void *self, void *query);
int resolver_ask(void *self, const weft_question *question);

/* In answer.c: what c-ares calls back with, as an answer; they set query->over. */
void resolver_found_addresses(void *query, int status, int timeouts, struct ares_addrinfo *info);
void resolver_found_name(void *query, int status, int timeouts, char *host, char *service);

/* An error of c-ares as a negative errno. */
int resolver_error(int status);

#endif
