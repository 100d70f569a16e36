/* SPDX-License-Identifier: MIT
 * Signals: taken over while somebody asks for them, noted by the handler, told on the loop. */
#include "core/sched/signal.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/base/thread.h"
#include "core/sched/context.h"
#include "core/sched/handle.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
               "a signal handler may note what came only without locks");

/* What was there before us; changed under the lock, which no handler takes, and only while our
 * handler is not installed. */
static struct sigaction before[WEFT__SIGNAL_END];
static _Atomic(struct weft__signal_port *) ports;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

WEFT__OPENS_IN_CHILD(lock)

static bool is_ours(const struct sigaction *action);

/* ---- the handler ---- */

/* Notes the signal for a loop if a callback or receiver of it wants it. */
static bool note(struct weft__signal_port *port, struct weft__loop *loop, int signum)
{
    bool wanted = weft__signal_in(&port->wanted, signum);

    if (wanted) {
        weft__signal_add(&port->came, signum);
        weft__inbox_wake(loop);
    }
    return wanted;
}

/* Notes it for a loop whose run it is to end, once. */
static bool note_end(struct weft__signal_port *port, struct weft__loop *loop, int signum)
{
    bool ends = weft__signal_drop(&port->ends, signum);

    if (ends) {
        weft__signal_add(&port->ended, signum);
        weft__inbox_wake(loop);
    }
    return ends;
}

/* For each loop of this process that is open; returns whether it was noted. */
static bool each_port(int signum,
                      bool (*noted)(struct weft__signal_port *, struct weft__loop *, int))
{
    bool any = false;

    for (struct weft__signal_port *port = atomic_load(&ports); port; port = port->next) {
        struct weft__loop *loop;

        atomic_fetch_add(&port->users, 1);
        loop = atomic_load(&port->loop);
        if (loop && atomic_load(&port->epoch) == *weft__fork_word) {
            any |= noted(port, loop, signum);
        }
        atomic_fetch_sub(&port->users, 1);
    }
    return any;
}

/* Async-signal-safe.  What nobody wants, or ends the run, gets back the action that it had, and the
 * former has it now, as if weft were not there; unless somebody else's handler has called us. */
static void on_signal(int signum, siginfo_t *info, void *context)
{
    int saved = errno;
    struct sigaction now;

    (void)context;
    if (!each_port(signum, note)) {
        bool ends = each_port(signum, note_end);

        if (sigaction(signum, NULL, &now) == 0 && is_ours(&now)) {
            sigaction(signum, &before[signum], NULL);
            if (!ends) {
                weft__thread_raise(signum, info);
            }
        }
    }
    errno = saved;
}

static bool is_ours(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_signal;
}

static bool is_default(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

/* Until no handler is at a port that might have seen what it was before.  Those of other threads
 * take no time, and this one is in none. */
static void settle(const struct weft__signal_port *port)
{
    while (atomic_load(&port->users) > 0) {
        sched_yield();
    }
}

/* ---- who wants what ---- */

int weft__signal_check(int signum)
{
    static const char caught[] = "SIGKILL and SIGSTOP cannot be caught by any program";
    static const char children[] =
        "SIGCHLD would take the children of other libraries away from them: await the process, or "
        "watch its pidfd";
    static const char mistake[] =
        "this signal comes from a mistake of the program, which cannot go on after it";

    switch (signum) {
    case SIGKILL:
    case SIGSTOP: return weft__words(-EINVAL, caught);
    case SIGCHLD: return weft__words(-EINVAL, children);
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return weft__words(-EINVAL, mistake);
    default: break;
    }
    if (signum < 1 || signum >= WEFT__SIGNAL_END) {
        return weft__detail(-EINVAL, "there is no signal %d", signum);
    }
    return 0;
}

/* Under the lock: our handler, where it is not. */
static int install(int signum)
{
    struct sigaction now, ours = { .sa_sigaction = on_signal,
                                   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

    if (WEFT__SYS(sigaction(signum, NULL, &now)) < 0) {
        return errno == EINVAL ? weft__detail(-EINVAL, "the system keeps signal %d for itself",
                                              signum)
                               : -errno;
    }
    if (!is_ours(&now)) {
        sigemptyset(&ours.sa_mask);
        before[signum] = now;
        if (sigaction(signum, &ours, NULL) < 0) {
            return -errno;
        }
    }
    return 0;
}

static bool asks(struct weft__signal_port *port, struct weft__loop *loop, int signum)
{
    (void)loop;
    return weft__signal_in(&port->wanted, signum) || weft__signal_in(&port->ends, signum);
}

/* Under the lock: the action that was there, once nobody asks for the signal, unless somebody else
 * has set another one. */
static void uninstall(int signum)
{
    struct sigaction now;

    if (!each_port(signum, asks) && sigaction(signum, NULL, &now) == 0 && is_ours(&now)) {
        sigaction(signum, &before[signum], NULL);
    }
}

/* Whether a callback or a receiver of the loop has it. */
static bool is_wanted(const struct weft__signals *signals, int signum)
{
    if (signals->handlers[signum].callback) {
        return true;
    }
    for (const struct weft__list *link = signals->receivers.next; link != &signals->receivers;
         link = link->next) {
        const struct weft__signal_receiver *receiver =
            WEFT__CONTAINER(link, const struct weft__signal_receiver, link);

        if (weft__signal_in(&receiver->wanted, signum)) {
            return true;
        }
    }
    return false;
}

int weft__signal_claim(struct weft__loop *loop, int signum)
{
    struct weft__signals *signals = loop->signals;
    int r;

    /* Wanted first: once the handler is there, none falls between. */
    pthread_mutex_lock(&lock);
    weft__signal_add(&signals->port->wanted, signum);
    r = install(signum);
    if (r < 0 && !is_wanted(signals, signum)) {
        weft__signal_drop(&signals->port->wanted, signum);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

void weft__signal_disclaim(struct weft__loop *loop, int signum)
{
    struct weft__signals *signals = loop->signals;

    if (is_wanted(signals, signum)) {
        return;
    }
    pthread_mutex_lock(&lock);
    weft__signal_drop(&signals->port->wanted, signum);
    uninstall(signum);
    pthread_mutex_unlock(&lock);
    settle(signals->port);
    weft__signal_drop(&signals->port->came, signum); /* it goes with who wanted it */
}

/* ---- telling it on the loop ---- */

static void tell(struct weft__signals *signals, int signum)
{
    weft_callback *callback = signals->handlers[signum].callback;

    weft__signal_receive(signals, signum);
    if (callback) {
        weft__context_call(weft__vars_ref(signals->handlers[signum].vars), callback,
                           signals->handlers[signum].arg);
    }
}

static void tell_end(struct weft__signals *signals, int signum)
{
    signals->end(signals->end_arg, signum);
}

static bool is_here(const struct weft__signals *signals)
{
    return signals->dispatch->loop->epoch == *weft__fork_word;
}

/* Tells what is in a set, and takes it out; when a callback has forked the child stops there. */
static void tell_all(struct weft__signals *signals, struct weft__signal_set *set,
                     void (*told)(struct weft__signals *, int))
{
    for (int signum = 1; signum < WEFT__SIGNAL_END && is_here(signals); signum++) {
        if (weft__signal_drop(set, signum)) {
            told(signals, signum);
        }
    }
}

/* A callback of the loop, made ready by weft__signals_take(). */
static void dispatch(void *arg)
{
    struct weft__signals *signals = arg;

    tell_all(signals, &signals->port->came, tell);
    tell_all(signals, &signals->port->ended, tell_end);
}

void weft__signals_take(struct weft__loop *loop)
{
    struct weft__signals *signals = loop->signals;

    if (!signals || signals->dispatch->item.queued) {
        return;
    }
    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        if (atomic_load(&signals->port->came.words[word]) ||
            atomic_load(&signals->port->ended.words[word])) {
            signals->dispatch->item.refs++; /* its turn spends one */
            weft__ready(loop, &signals->dispatch->item);
            return;
        }
    }
}

/* ---- the loop's record ---- */

static void clear(struct weft__signal_set *set)
{
    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        atomic_store(&set->words[word], 0);
    }
}

/* From here on handlers find the loop. */
static void open_port(struct weft__loop *loop)
{
    struct weft__signal_port *port = &loop->port;

    pthread_mutex_lock(&lock);
    if (atomic_load(&port->epoch) != loop->epoch) {
        atomic_store(&port->users, 0); /* those of a parent's threads do not come back */
    }
    atomic_store(&port->epoch, loop->epoch);
    atomic_store(&port->loop, loop);
    if (!port->listed) {
        port->listed = true;
        port->next = atomic_load(&ports);
        atomic_store(&ports, port);
    }
    pthread_mutex_unlock(&lock);
}

/* From here on none touches the loop. */
static void close_port(struct weft__signal_port *port)
{
    atomic_store(&port->loop, NULL);
    settle(port);
    clear(&port->wanted);
    clear(&port->came);
    clear(&port->ends);
    clear(&port->ended);
}

void weft__signal_port_forget(struct weft__signal_port *port)
{
    struct weft__signal_port *other = atomic_load(&ports);

    if (other == port) {
        atomic_store(&ports, port->next);
        return;
    }
    while (other && other->next != port) {
        other = other->next;
    }
    if (other) {
        other->next = port->next;
    }
}

struct weft__signals *weft__signals_of(struct weft__loop *loop)
{
    struct weft__signals *signals = loop->signals;

    if (signals) {
        return signals;
    }
    signals = weft__alloc_zeroed(1, sizeof *signals);
    if (!signals) {
        return NULL;
    }
    signals->dispatch = weft__pool_take(&loop->handles);
    if (!signals->dispatch) {
        weft__free(signals);
        return NULL;
    }
    signals->dispatch->item = (struct weft__item){ .kind = WEFT__ITEM_HANDLE, .refs = 1 };
    signals->dispatch->callback = dispatch;
    signals->dispatch->arg = signals;
    signals->dispatch->loop = loop;
    signals->port = &loop->port;
    weft__list_init(&signals->receivers);
    open_port(loop);
    loop->signals = signals;
    return signals;
}

/* Whatever was asked for this signal is forgotten. */
static void drop_handler(struct weft__loop *loop, int signum)
{
    struct weft__vars *vars = loop->signals->handlers[signum].vars;

    loop->signals->handlers[signum].callback = NULL;
    loop->signals->handlers[signum].vars = NULL;
    weft__signal_disclaim(loop, signum);
    weft__vars_unref(vars); /* last: it may call back */
}

void weft__signals_fini(struct weft__loop *loop)
{
    struct weft__signals *signals = loop->signals;

    if (!signals) {
        return;
    }
    weft__signal_receivers_fini(signals);
    for (int signum = 1; signum < WEFT__SIGNAL_END; signum++) {
        if (signals->handlers[signum].callback) {
            drop_handler(loop, signum);
        }
    }
    close_port(signals->port);
    weft__pool_give(&loop->handles, signals->dispatch);
    loop->signals = NULL;
    weft__free(signals);
}

/* ---- the run's end ---- */

int weft__signal_ends(struct weft__loop *loop, int signum, void (*end)(void *arg, int signum),
                      void *arg)
{
    struct weft__signals *signals = weft__signals_of(loop);
    struct sigaction now;
    int r = 0;

    if (!signals) {
        return -ENOMEM;
    }
    signals->end = end;
    signals->end_arg = arg;
    pthread_mutex_lock(&lock);
    if (WEFT__SYS(sigaction(signum, NULL, &now)) < 0) {
        r = -errno;
    } else if (is_default(&now) || (is_ours(&now) && is_default(&before[signum]))) {
        weft__signal_add(&signals->port->ends, signum);
        r = install(signum);
        if (r < 0) {
            weft__signal_drop(&signals->port->ends, signum);
        }
        r = r < 0 ? r : 1;
    }
    pthread_mutex_unlock(&lock);
    return r;
}

void weft__signal_ends_no_more(struct weft__loop *loop, int signum)
{
    struct weft__signal_port *port = loop->signals->port;

    pthread_mutex_lock(&lock);
    weft__signal_drop(&port->ends, signum);
    uninstall(signum);
    pthread_mutex_unlock(&lock);
    if (is_here(loop->signals)) {
        settle(port);
        if (weft__signal_drop(&port->ended, signum)) {
            kill(getpid(), signum); /* not raise(3): this thread may block it */
        }
    }
}

/* ---- callbacks ---- */

int weft_loop_add_signal_handler(weft_loop *handle, int signum, weft_callback *callback, void *arg)
{
    int r = callback ? weft__signal_check(signum) : -EINVAL;
    struct weft__loop *loop = r < 0 ? NULL : weft__loop_of(handle, &r);
    struct weft__signals *signals = loop ? weft__signals_of(loop) : NULL;
    struct weft__vars *old;

    if (!signals) {
        return loop ? -ENOMEM : r;
    }
    if (!signals->handlers[signum].callback) {
        r = weft__signal_claim(loop, signum);
        if (r < 0) {
            return r;
        }
    }
    old = signals->handlers[signum].vars;
    signals->handlers[signum].callback = callback;
    signals->handlers[signum].arg = arg;
    signals->handlers[signum].vars = weft__context_capture();
    weft__vars_unref(old);
    return 0;
}

int weft_loop_remove_signal_handler(weft_loop *handle, int signum)
{
    int r = signum < 1 || signum >= WEFT__SIGNAL_END ? -EINVAL : 0;
    struct weft__loop *loop = r < 0 ? NULL : weft__loop_of(handle, &r);

    if (!loop || !loop->signals || !loop->signals->handlers[signum].callback) {
        return r;
    }
    drop_handler(loop, signum);
    return 1;
}
