/* SPDX-License-Identifier: MIT
 * Signals, inside.
 *
 *     handler, in any thread --> port: a bit, a wake --> loop: dispatch --> callbacks, receivers
 *
 * A port is what a handler may touch of a loop.  It lies in the loop's memory, which is used again
 * and never freed; so the handler walks the list of them, which only grows, without a lock. */
#ifndef WEFT_CORE_SIGNAL_H
#define WEFT_CORE_SIGNAL_H

#include "core/base/list.h"
#include "core/sched/loop.h"
#include "core/sched/vars.h"

#include <signal.h>
#include <weft/signal.h>

/* The first number that is no signal's: FreeBSD has more than its NSIG counts. */
#ifdef _SIG_MAXSIG
#define WEFT__SIGNAL_END _SIG_MAXSIG
#else
#define WEFT__SIGNAL_END NSIG
#endif

_Static_assert(WEFT__SIGNAL_END <= 32 * WEFT__SIGNAL_WORDS, "a set has a bit for each");

struct weft__task;

static inline bool weft__signal_in(const struct weft__signal_set *set, int signum)
{
    return atomic_load(&set->words[signum / 32]) >> signum % 32 & 1u;
}

static inline void weft__signal_add(struct weft__signal_set *set, int signum)
{
    atomic_fetch_or(&set->words[signum / 32], 1u << signum % 32);
}

/* Returns whether it was in. */
static inline bool weft__signal_drop(struct weft__signal_set *set, int signum)
{
    return atomic_fetch_and(&set->words[signum / 32], ~(1u << signum % 32)) >> signum % 32 & 1u;
}

/* A cell of the loop's pool of scopes. */
struct weft__signal_receiver {
    uintptr_t handle;
    struct weft__loop *loop;
    struct weft__list link;         /* in the loop's list */
    struct weft__task *waiter;      /* NULL: nobody receives */
    struct weft__signal_set wanted, came;
};

/* What a loop has when it asked for a signal once. */
struct weft__signals {
    struct weft__signal_port *port; /* the loop's */
    struct weft__handle *dispatch; /* ready while something came */
    struct weft__list receivers;
    void (*end)(void *arg, int signum); /* for the port's `ended` */
    void *end_arg;
    struct {
        weft_callback *callback; /* NULL: none */
        void *arg;
        struct weft__vars *vars; /* its context: that of who asked */
    } handlers[WEFT__SIGNAL_END];
};

/* The loop's record, made if need be; NULL: no memory. */
struct weft__signals *weft__signals_of(struct weft__loop *loop);

/* One more who wants a signal, or one less. */
int weft__signal_claim(struct weft__loop *loop, int signum);
void weft__signal_disclaim(struct weft__loop *loop, int signum);

/* Whether somebody may ask for it: 0 or -EINVAL with words. */
int weft__signal_check(int signum);

/* The first of these signals calls `end(arg, signum)` on the loop, unless a callback or receiver of
 * any loop wants it; from that moment on its action is the default again.  Where that is not its
 * action, but for weft's own, nothing is done: 0, and 1 when it is taken over. */
int weft__signal_ends(struct weft__loop *loop, int signum, void (*end)(void *arg, int signum),
                      void *arg);

/* Takes that back; one that came and was not told takes its default action now. */
void weft__signal_ends_no_more(struct weft__loop *loop, int signum);

/* The inbox was woken: a signal may have come. */
void weft__signals_take(struct weft__loop *loop);

/* At the loop's close. */
void weft__signals_fini(struct weft__loop *loop);

/* Takes a port off the process's list: only before a closed loop's memory is freed by a test. */
void weft__signal_port_forget(struct weft__signal_port *port);

/* In sched/receiver.c: a signal for the receivers. */
void weft__signal_receive(struct weft__signals *signals, int signum);
void weft__signal_receivers_fini(struct weft__signals *signals);

#endif
