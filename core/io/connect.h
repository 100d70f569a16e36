/* SPDX-License-Identifier: MIT
 * A race for a connection, after RFC 8305: two lookups and a number of attempts, in one task.
 *
 * All is decided in the task, in its turns: lookups that are answered, sockets that have something
 * to tell, and the one timer do no more than wake it.  Its steps:
 *
 *     take_answers   what a lookup found becomes a source of addresses
 *     take_results   a socket is connected: it wins; or has failed: its words are kept
 *     begin_more     the next attempt, if its time has come; else when that will be
 *     park           until one of these, or a cancel
 */
#ifndef WEFT_CORE_CONNECT_H
#define WEFT_CORE_CONNECT_H

#include "core/io/dns.h"
#include "core/sched/fdwait.h"

#include <weft/connect.h>

#define WEFT__RACE_WORDS 1000 /* bytes of what all attempts came to; then they are counted */

struct weft__race;

/* One family's addresses. */
struct weft__source {
    struct weft__race *race;
    struct weft__lookup *lookup; /* under way, or answered and not taken yet; NULL: neither */
    bool answered;
    weft_addrinfo *info; /* NULL: not yet, or none */
    size_t next;         /* the first that was not tried */
    int64_t found;       /* when it was taken, by the loop's clock */
    int status;          /* why there is none, */
    char words[200];     /* and in words */
};

struct weft__attempt {
    struct weft__fd_waiter waiter; /* first */
    struct weft__attempt *next;          /* the one that began after it */
    struct weft__race *race;
    const weft_address *address; /* its source's */
    int fd;
    bool in_line, told;
    int status; /* when told */
};

struct weft__race {
    struct weft__task *task;
    const char *host;
    int port;
    int64_t attempt_delay, resolution_delay; /* ns */
    int first_count;                         /* of the first family's, before it is by turns */
    struct weft__source sources[2];                /* IPv6 before IPv4, or one */
    int source_count;
    bool is_answered, is_told; /* a source; an attempt: there is something to take */
    int last, first_taken; /* the source that was tried last, -1: none; how often the first was */
    const weft_address *local;       /* to bind to; NULL: nothing */
    struct weft__attempt *attempts, **end; /* under way, the oldest first */
    int64_t begun;                   /* when the last one was */
    bool last_failed;
    int winner;     /* the socket; -1: not yet */
    int error, way; /* of the first attempt that failed; of the first whose way was open; or 0 */
    size_t words_used;
    unsigned untold; /* attempts that found no room in: */
    char words[WEFT__RACE_WORDS];
};

/* Wakes the task of a race, if it waits: there is something to look at. */
void weft__race_wake(struct weft__race *race);

/* In io/connect_names.c: asks for the addresses, of both families where `family` is 0; takes what
 * was found; ends what is still asked. */
int weft__race_look_up(struct weft__race *race, int family, int flags);
void weft__race_take_answers(struct weft__race *race);
void weft__race_end_lookups(struct weft__race *race);

/* The error of a race without attempts, with its words. */
int weft__race_unknown(const struct weft__race *race);

/* In io/connect_attempt.c: tries the next address of a source; looks at the sockets that have told
 * something; ends what is under way. */
void weft__race_begin(struct weft__race *race, int which);
void weft__race_take_results(struct weft__race *race);
void weft__race_end_attempts(struct weft__race *race);

#endif
