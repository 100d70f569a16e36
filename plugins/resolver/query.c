/* SPDX-License-Identifier: MIT
 * Queries, on a loop or in a thread.
 *
 * On a loop c-ares tells which of its sockets are to be watched and when it wants to be called;
 * after each of its calls that is seen to (proceed()), or the query is over and goes.  Nothing is
 * freed while c-ares is on the stack. */
#include "query.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static void fail(struct query *query, int error)
{
    query->over = true;
    query->found.status = error;
    query->found.detail = NULL;
}

int resolver_channel(const struct resolver *resolver, ares_sock_state_cb on_socket, void *arg,
                     ares_channel *ret_channel)
{
    struct ares_options options = {
        .timeout = resolver->timeout_ms,
        .tries = resolver->tries,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = arg,
    };
    int mask = (resolver->timeout_ms ? ARES_OPT_TIMEOUTMS : 0) |
               (resolver->tries ? ARES_OPT_TRIES : 0) | (on_socket ? ARES_OPT_SOCK_STATE_CB : 0);
    int r = resolver->core->fault();
    int status;

    if (r < 0) {
        return r;
    }
    status = ares_init_options(ret_channel, &options, mask);
    if (status == ARES_SUCCESS && *resolver->servers) {
        status = ares_set_servers_ports_csv(*ret_channel, resolver->servers);
        if (status != ARES_SUCCESS) {
            ares_destroy(*ret_channel);
        }
    }
    if (status != ARES_SUCCESS) {
        resolver->core->detail("c-ares cannot begin: %s", ares_strerror(status));
    }
    return resolver_error(status);
}

/* getaddrinfo(3)'s flags as those of c-ares. */
static int flags_for_addresses(int flags)
{
    return (flags & AI_CANONNAME ? ARES_AI_CANONNAME : 0) |
           (flags & AI_PASSIVE ? ARES_AI_PASSIVE : 0) |
           (flags & AI_NUMERICSERV ? ARES_AI_NUMERICSERV : 0) |
           (flags & AI_V4MAPPED ? ARES_AI_V4MAPPED : 0) | (flags & AI_ALL ? ARES_AI_ALL : 0) |
           (flags & AI_ADDRCONFIG ? ARES_AI_ADDRCONFIG : 0);
}

static int flags_for_name(int flags)
{
    return ARES_NI_LOOKUPHOST | ARES_NI_LOOKUPSERVICE | (flags & NI_NOFQDN ? ARES_NI_NOFQDN : 0) |
           (flags & NI_NUMERICHOST ? ARES_NI_NUMERICHOST : 0) |
           (flags & NI_NAMEREQD ? ARES_NI_NAMEREQD : 0) |
           (flags & NI_NUMERICSERV ? ARES_NI_NUMERICSERV : 0) |
           (flags & NI_DGRAM ? ARES_NI_UDP : ARES_NI_TCP);
}

/* Puts the question to c-ares, which may have the answer at once. */
static void put_question(struct query *query, const weft_question *question)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = flags_for_addresses(question->flags),
        .ai_family = question->family,
        .ai_socktype = question->type,
        .ai_protocol = question->protocol,
    };

    if (question->address) {
        ares_getnameinfo(query->channel, &question->address->sockaddr,
                         (ares_socklen_t)question->address->length, flags_for_name(question->flags),
                         resolver_found_name, query);
    } else {
        ares_getaddrinfo(query->channel, question->host, question->service, &hints,
                         resolver_found_addresses, query);
    }
}

/* A query with its channel; NULL and the error. */
static struct query *new_query(const struct resolver *resolver, weft_loop *loop,
                               const weft_question *question, ares_sock_state_cb on_socket,
                               int *ret_error)
{
    struct query *query = resolver->core->alloc(NULL, sizeof *query);
    int r;

    if (!query) {
        *ret_error = -ENOMEM;
        return NULL;
    }
    memset(query, 0, sizeof *query);
    query->resolver = resolver;
    query->loop = loop;
    query->type = question->type;
    query->protocol = question->protocol;
    query->flags = question->flags;
    query->answer = question->answer;
    query->arg = question->arg;
    query->found.size = sizeof query->found;
    (void)snprintf(query->host, sizeof query->host, "%s", question->host ? question->host : "");
    r = resolver_channel(resolver, on_socket, query, &query->channel);
    if (r < 0) {
        resolver->core->alloc(query, 0);
        *ret_error = r;
        return NULL;
    }
    return query;
}

static void free_query(struct query *query)
{
    const weft_plugin_core *core = query->resolver->core;

    query->dropped = true;
    core->forget(query->timer);
    ares_destroy(query->channel); /* lets go of the sockets; may call back for the last time */
    core->alloc(query->addresses, 0);
    core->alloc(query->canonical_name, 0);
    core->alloc(query, 0);
}

/* Answers, and frees the query, where the answer is. */
static void finish(struct query *query)
{
    query->answer(query->arg, &query->found);
    free_query(query);
}

/* What ares_getsock() says of its `i`th socket: ARES_GETSOCK_READABLE() and its twin without their
 * shift into the sign. */
static bool is_read(int wanted, unsigned i)
{
    return (unsigned)wanted >> i & 1;
}

static bool is_written(int wanted, unsigned i)
{
    return (unsigned)wanted >> (i + ARES_GETSOCK_MAXNUM) & 1;
}

/* Calls c-ares for what may have happened to its sockets, and to its deadlines. */
static void process(struct query *query)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    int wanted = ares_getsock(query->channel, sockets, ARES_GETSOCK_MAXNUM);

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM && !query->over; i++) {
        bool reads = is_read(wanted, i);
        bool writes = is_written(wanted, i);

        if (reads || writes) {
            ares_process_fd(query->channel, reads ? sockets[i] : ARES_SOCKET_BAD,
                            writes ? sockets[i] : ARES_SOCKET_BAD);
        }
    }
    if (!query->over) {
        ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

/* ---- on a loop ---- */

static void on_time(void *arg);

/* After c-ares was called: the query is over, or its time is kept. */
static bool proceed(struct query *query)
{
    const weft_plugin_core *core = query->resolver->core;
    struct timeval room, *left;
    int r;

    core->forget(query->timer);
    query->timer = NULL;
    left = query->over ? NULL : ares_timeout(query->channel, NULL, &room);
    if (left) {
        r = core->call_later(query->loop, (double)left->tv_sec + (double)left->tv_usec / 1e6,
                             on_time, query, &query->timer);
        if (r < 0) {
            fail(query, r);
        }
    }
    return !query->over;
}

static void on_event(void *arg)
{
    struct query *query = arg;

    process(query);
    if (!proceed(query)) {
        finish(query);
    }
}

static void on_time(void *arg)
{
    on_event(arg);
}

/* c-ares tells what it wants to know of a socket of its own; 0, 0: it is about to be closed. */
static void on_socket(void *arg, ares_socket_t fd, int reads, int writes)
{
    struct query *query = arg;
    uint32_t events = (reads ? 1u : 0) | (writes ? 2u : 0);
    int r = query->resolver->core->watch(query->loop, fd, events, on_event, query);

    if (r < 0 && events && !query->over) {
        fail(query, r);
    }
}

int resolver_begin(void *self, weft_loop *loop, const weft_question *question, void **ret_query)
{
    int r = 0;
    struct query *query = new_query(self, loop, question, on_socket, &r);

    if (!query) {
        return r;
    }
    put_question(query, question);
    *ret_query = query;
    if (!proceed(query)) {
        finish(query);
    }
    return 0;
}

void resolver_cancel(void *self, void *query)
{
    (void)self;
    free_query(query);
}

/* ---- in a thread ---- */

/* Blocks until one of the sockets has something, or c-ares wants to be called. */
static void wait_for_sockets(const struct query *query)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    int wanted = ares_getsock(query->channel, sockets, ARES_GETSOCK_MAXNUM);
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    struct timeval room, *left = ares_timeout(query->channel, NULL, &room);
    int ms = left ? (int)(left->tv_sec * 1000 + (left->tv_usec + 999) / 1000) : 1000;
    nfds_t count = 0;

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool reads = is_read(wanted, i), writes = is_written(wanted, i);

        if (reads || writes) {
            fds[count++] = (struct pollfd){
                .fd = sockets[i],
                .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
            };
        }
    }
    (void)poll(fds, count, ms); /* whatever it returns: then c-ares looks for itself */
}

int resolver_ask(void *self, const weft_question *question)
{
    int r = 0;
    struct query *query = new_query(self, NULL, question, NULL, &r);

    if (!query) {
        return r;
    }
    put_question(query, question);
    while (!query->over) {
        wait_for_sockets(query);
        process(query);
    }
    finish(query);
    return 0;
}
