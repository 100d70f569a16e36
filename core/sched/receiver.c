/* SPDX-License-Identifier: MIT
 * Signals as something to await. */
#include "core/sched/misuse.h"
#include "core/sched/scope.h"
#include "core/sched/signal.h"

_Static_assert(sizeof(struct weft__signal_receiver) <= WEFT__SCOPE_CELL, "it lies in such a cell");
_Static_assert(offsetof(struct weft__signal_receiver, loop) == offsetof(struct weft__cell, next),
               "a cell");

static struct weft__signal_receiver *at(struct weft__list *link)
{
    return WEFT__CONTAINER(link, struct weft__signal_receiver, link);
}

/* Ends the wait of the task that receives. */
static void answer(struct weft__signal_receiver *receiver, int result)
{
    struct weft__task *task = receiver->waiter;

    receiver->waiter = NULL;
    weft__wake(task, result);
}

void weft__signal_receive(struct weft__signals *signals, int signum)
{
    for (struct weft__list *link = signals->receivers.next; link != &signals->receivers;
         link = link->next) {
        struct weft__signal_receiver *receiver = at(link);

        if (!weft__signal_in(&receiver->wanted, signum)) {
            continue;
        }
        if (receiver->waiter) {
            answer(receiver, signum);
        } else {
            weft__signal_add(&receiver->came, signum);
        }
    }
}

/* Gives up the signals of a receiver, which is off the list. */
static void disclaim(struct weft__signal_receiver *receiver)
{
    for (int signum = 1; signum < WEFT__SIGNAL_END; signum++) {
        if (weft__signal_in(&receiver->wanted, signum)) {
            weft__signal_disclaim(receiver->loop, signum);
        }
    }
}

static void end(struct weft__signal_receiver *receiver)
{
    weft__list_remove(&receiver->link);
    disclaim(receiver);
    weft__pool_give(&receiver->loop->scopes, receiver);
}

void weft__signal_receivers_fini(struct weft__signals *signals)
{
    while (!weft__list_empty(&signals->receivers)) {
        end(at(signals->receivers.next));
    }
}

/* Asks for all of the list, or for none of them. */
static int claim(struct weft__signal_receiver *receiver, const int *signums)
{
    int r = 0;

    weft__list_init(&receiver->link);
    for (; *signums && r >= 0; signums++) {
        if (weft__signal_in(&receiver->wanted, *signums)) {
            continue;
        }
        r = weft__signal_claim(receiver->loop, *signums);
        if (r >= 0) {
            weft__signal_add(&receiver->wanted, *signums);
        }
    }
    if (r < 0) {
        disclaim(receiver);
    }
    return r;
}

int weft_signal_receiver_open(const int *signums, weft_signal_receiver **ret_receiver)
{
    int r = signums && *signums && ret_receiver ? 0 : -EINVAL;
    struct weft__loop *loop;
    struct weft__signal_receiver *receiver;

    for (const int *signum = signums; r == 0 && *signum; signum++) {
        r = weft__signal_check(*signum);
    }
    loop = r < 0 ? NULL : weft__loop_of(NULL, &r);
    if (!loop) {
        return r;
    }
    receiver = weft__signals_of(loop) ? weft__pool_take(&loop->scopes) : NULL;
    if (!receiver) {
        return -ENOMEM;
    }
    receiver->loop = loop;
    receiver->waiter = NULL;
    for (int word = 0; word < WEFT__SIGNAL_WORDS; word++) {
        atomic_init(&receiver->wanted.words[word], 0);
        atomic_init(&receiver->came.words[word], 0);
    }
    r = claim(receiver, signums);
    if (r < 0) {
        weft__pool_give(&loop->scopes, receiver);
        return r;
    }
    weft__list_push(&loop->signals->receivers, &receiver->link);
    *ret_receiver = (weft_signal_receiver *)receiver->handle;
    return 0;
}

/* A cancel ends the wait at once; what comes later is kept for the next. */
static void interrupt(struct weft__task *task)
{
    answer(task->target, -ECANCELED);
}

static const struct weft__wait wait_signal = { "signal", interrupt };

int weft_signal_receive(weft_signal_receiver *handle)
{
    int r = 0;
    struct weft__signal_receiver *receiver = weft__cell_of(handle, &r);
    struct weft__task *task = receiver ? weft__self(&r) : NULL;

    if (!task || task->loop != receiver->loop) {
        return weft__misuse(task ? -EXDEV : r);
    }
    if (receiver->waiter) {
        return -EBUSY;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    for (int signum = 1; signum < WEFT__SIGNAL_END; signum++) {
        if (weft__signal_drop(&receiver->came, signum)) {
            weft__task_spend_turn(task);
            return signum;
        }
    }
    receiver->waiter = task;
    return weft__task_park(task, &wait_signal, receiver);
}

weft_signal_receiver *weft_signal_receiver_close(weft_signal_receiver *handle)
{
    int r;
    struct weft__signal_receiver *receiver = weft__cell_of(handle, &r);

    if (receiver && weft__loop_check(receiver->loop) == 0) {
        if (receiver->waiter) {
            answer(receiver, -EBADF);
        }
        end(receiver);
    }
    return NULL;
}
