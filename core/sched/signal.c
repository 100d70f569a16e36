/* SPDX-License-Identifier: MIT
 * Signals: taken over while somebody asks for them, noted by the handler, told on the loop. */
#include "core/sched/signal.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/sched/context.h"
#include "core/sched/handle.h"

#include <errno.h>
#include <sched.h>

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
               "a signal handler may note what came only without locks");

/* What was there before us; the handler reads it when nobody wants the signal. */
struct action {
    struct sigaction before;
    unsigned users; /* loops that want it, once for each callback and receiver */
    uint32_t epoch; /* the process's; a forked child's differs: then there are no users */
};

/* Changed under the lock, which no handler takes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct action actions[NSIG];
static _Atomic(struct weft__signal_port *) ports;

/* ---- the handler ---- */

/* Notes the signal for one loop; returns whether it wants it. */
static bool note(struct weft__signal_port *port, int signum, bool *ret_ends)
{
    struct weft__loop *loop;
    bool wanted = false, ends = false;

    atomic_fetch_add(&port->users, 1);
    loop = atomic_load(&port->loop);
    if (loop && atomic_load(&port->epoch) == *weft__fork_word) {
        wanted = weft__signal_in(&port->wanted, signum);
        ends = !wanted && weft__signal_in(&port->ends, signum);
    }
    if (wanted || ends) {
        weft__signal_add(&port->came, signum);
        if (!atomic_exchange(&loop->inbox.posted, true)) {
            (void)loop->ops->wake(loop->be);
        }
    }
    atomic_fetch_sub(&port->users, 1);
    *ret_ends |= ends;
    return wanted;
}

/* Async-signal-safe.  What nobody wants, or is to end the run, gets back the action it had: the
 * former also has it now, as if weft were not there. */
static void on_signal(int signum, siginfo_t *info, void *context)
{
    int saved = errno;
    bool wanted = false, ends = false;

    (void)info, (void)context;
    for (struct weft__signal_port *port = atomic_load(&ports); port; port = port->next) {
        wanted |= note(port, signum, &ends);
    }
    if (!wanted) {
        sigaction(signum, &actions[signum].before, NULL);
        if (!ends) {
            raise(signum);
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
    if (signum < 1 || signum >= NSIG) {
        return weft__detail(-EINVAL, "there is no signal %d", signum);
    }
    return 0;
}

/* Under the lock: this process's record of a signal. */
static struct action *action_of(int signum)
{
    struct action *action = &actions[signum];

    if (action->epoch != *weft__fork_word) {
        action->epoch = *weft__fork_word;
        action->users = 0;
    }
    return action;
}

/* Under the lock: our handler, where it is not. */
static int install(int signum)
{
    struct action *action = action_of(signum);
    struct sigaction now, ours = { .sa_sigaction = on_signal,
                                   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

    if (WEFT__SYS(sigaction(signum, NULL, &now)) < 0) {
        return -errno;
    }
    if (!is_ours(&now)) {
        sigemptyset(&ours.sa_mask);
        action->before = now;
        if (sigaction(signum, &ours, NULL) < 0) {
            return -errno;
        }
    }
    action->users++;
    return 0;
}

/* Under the lock: the action that was there, once nobody wants the signal, unless somebody else has
 * set another one. */
static void uninstall(int signum)
{
    struct action *action = action_of(signum);
    struct sigaction now;

    action->users -= action->users > 0; /* a forked child has none */
    if (action->users == 0 && sigaction(signum, NULL, &now) == 0 && is_ours(&now)) {
        sigaction(signum, &action->before, NULL);
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
    pthread_mutex_unlock(&lock);
    if (r < 0 && !is_wanted(signals, signum)) {
        weft__signal_drop(&signals->port->wanted, signum);
    }
    return r;
}

void weft__signal_disclaim(struct weft__loop *loop, int signum)
{
    struct weft__signals *signals = loop->signals;

    pthread_mutex_lock(&lock);
    uninstall(signum);
    if (!is_wanted(signals, signum)) {
        weft__signal_drop(&signals->port->wanted, signum);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- telling it on the loop ---- */

static void tell(struct weft__signals *signals, int signum)
{
    bool taken = weft__signal_receive(signals, signum);
    weft_callback *callback = signals->handlers[signum].callback;

    if (callback) {
        weft__context_call(weft__vars_ref(signals->handlers[signum].vars), callback,
                           signals->handlers[signum].arg);
    } else if (!taken && weft__signal_in(&signals->port->ends, signum)) {
        signals->end(signals->end_arg, signum);
    }
}

/* A callback of the loop, made ready by weft__signals_take(). */
static void dispatch(void *arg)
{
    struct weft__signals *signals = arg;

    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        unsigned came = atomic_exchange(&signals->port->came.words[word], 0);

        for (; came; came &= came - 1) {
            tell(signals, word * 32 + __builtin_ctz(came));
        }
    }
}

void weft__signals_take(struct weft__loop *loop)
{
    struct weft__signals *signals = loop->signals;

    if (!signals || signals->dispatch->item.queued) {
        return;
    }
    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        if (atomic_load(&signals->port->came.words[word])) {
            signals->dispatch->item.refs++; /* its turn spends one */
            weft__ready(loop, &signals->dispatch->item);
            return;
        }
    }
}

/* ---- the loop's record ---- */

/* From here on handlers find the loop. */
static void open_port(struct weft__loop *loop)
{
    struct weft__signal_port *port = &loop->port;

    pthread_mutex_lock(&lock);
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
    while (atomic_load(&port->users) > 0) {
        sched_yield();
    }
    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        atomic_store(&port->wanted.words[word], 0);
        atomic_store(&port->ends.words[word], 0);
        atomic_store(&port->came.words[word], 0);
    }
}

void weft__signal_port_forget(struct weft__signal_port *port)
{
    struct weft__signal_port *before = atomic_load(&ports);

    if (before == port) {
        atomic_store(&ports, port->next);
        return;
    }
    while (before && before->next != port) {
        before = before->next;
    }
    if (before) {
        before->next = port->next;
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
    for (int signum = 1; signum < NSIG; signum++) {
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

/* Our handler in a forked child, where nobody asked for it yet and the default was before it. */
static bool is_left_over(int signum, const struct sigaction *now)
{
    const struct action *action = action_of(signum);

    return is_ours(now) && action->users == 0 && is_default(&action->before);
}

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
    } else if (is_default(&now) || is_left_over(signum, &now)) {
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
    uninstall(signum);
    weft__signal_drop(&port->ends, signum);
    pthread_mutex_unlock(&lock);
    if (loop->epoch == *weft__fork_word && !is_wanted(loop->signals, signum) &&
        weft__signal_drop(&port->came, signum)) {
        raise(signum);
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
    int r = signum < 1 || signum >= NSIG ? -EINVAL : 0;
    struct weft__loop *loop = r < 0 ? NULL : weft__loop_of(handle, &r);

    if (!loop || !loop->signals || !loop->signals->handlers[signum].callback) {
        return r;
    }
    drop_handler(loop, signum);
    return 1;
}
