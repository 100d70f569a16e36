/* SPDX-License-Identifier: MIT
 * Outcomes: the status arrives, and everyone who waits is told in turn. */
#include "core/sched/outcome.h"

#include "core/base/mem.h"
#include "core/sched/handle.h"
#include "core/sched/task.h"

/* A callback that waits for an outcome.  It is a handle of its own, so that it can be made ready
 * without allocating when the status comes. */
struct weft__done_callback {
    struct weft__handle handle;
    struct weft__waiter waiter;
    struct weft__outcome *outcome;
    void *owner; /* the public handle of the task or future */
    void (*call)(void);
    void *arg;
    void (*release)(struct weft__outcome *);
};

static void unpin(struct weft__done_callback *done)
{
    struct weft__outcome *outcome = done->outcome;
    void (*release)(struct weft__outcome *) = done->release;

    weft__free(done);
    outcome->pins--;
    release(outcome);
}

static void run_done_callback(void *arg)
{
    struct weft__done_callback *done = arg;

    if (done->call) {
        weft__outcome_unlink(done->outcome, &done->waiter);
        ((void (*)(void *, void *))done->call)(done->owner, done->arg);
    }
    unpin(done);
}

/* Makes a callback ready whose outcome has come. */
static void make_ready(struct weft__waiter *waiter, struct weft__loop *loop,
                       struct weft__outcome *outcome)
{
    weft__outcome_push(outcome, waiter); /* until it has run: it may still be taken back */
    weft__ready(loop, &WEFT__CONTAINER(waiter, struct weft__done_callback, waiter)->handle.item);
}

void weft__outcome_skip(struct weft__handle *handle)
{
    struct weft__done_callback *done = WEFT__CONTAINER(handle, struct weft__done_callback, handle);

    if (done->call) {
        weft__outcome_unlink(done->outcome, &done->waiter);
    }
    weft__free(done);
}

int weft__outcome_add_callback(struct weft__loop *loop, struct weft__outcome *outcome, void *owner,
                               void (*call)(void), void *arg,
                               void (*release)(struct weft__outcome *))
{
    struct weft__done_callback *done = weft__alloc(NULL, sizeof *done);

    if (!done) {
        return -ENOMEM;
    }
    *done = (struct weft__done_callback){
        .handle = {
            .item = { .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_DONE },
            .callback = run_done_callback,
            .arg = done,
            .loop = loop,
        },
        .waiter = { .tell = make_ready },
        .outcome = outcome,
        .owner = owner,
        .call = call,
        .arg = arg,
        .release = release,
    };
    outcome->pins++;
    if (outcome->done) {
        make_ready(&done->waiter, loop, outcome);
    } else {
        weft__outcome_push(outcome, &done->waiter);
    }
    return 0;
}

/* Unlinks callbacks: all, or those with this function and argument; each goes to `end`. */
static int unlink_callbacks(struct weft__outcome *outcome, bool all, void (*call)(void), void *arg,
                            void (*end)(struct weft__done_callback *))
{
    struct weft__waiter *waiter = outcome->waiters, *last = waiter ? waiter->prev : NULL;
    int count = 0;

    for (bool more = waiter; more;) {
        struct weft__done_callback *done =
            WEFT__CONTAINER(waiter, struct weft__done_callback, waiter);
        struct weft__waiter *next = waiter->next;

        more = waiter != last;
        if (waiter->tell == make_ready && (all || (done->call == call && done->arg == arg))) {
            weft__outcome_unlink(outcome, waiter);
            end(done);
            count++;
        }
        waiter = next;
    }
    return count;
}

/* One that is due already stands in the ready queue, and is freed when its turn comes. */
static void take_back(struct weft__done_callback *done)
{
    if (done->handle.item.queued) {
        done->call = NULL;
    } else {
        unpin(done);
    }
}

int weft__outcome_remove_callbacks(struct weft__outcome *outcome, void (*call)(void), void *arg)
{
    int count;

    outcome->pins++; /* the last callback's pin may be the last at all */
    count = unlink_callbacks(outcome, false, call, arg, take_back);
    outcome->pins--;
    return count;
}

static void forget(struct weft__done_callback *done)
{
    weft__free(done);
}

void weft__outcome_drop_callbacks(struct weft__outcome *outcome)
{
    unlink_callbacks(outcome, true, NULL, NULL, forget);
}
