/* SPDX-License-Identifier: MIT
 * Outcomes: the status arrives, and everyone who waits is told in turn. */
#include "core/sched/outcome.h"

#include "core/base/mem.h"
#include "core/sched/handle.h"
#include "core/sched/task.h"

/* A callback that waits for an outcome.  It is a handle of its own, so that it can be made ready
 * without allocating when the status comes. */
struct weft__done_callback {
    struct weft__carrier carrier;
    struct weft__waiter waiter;
    struct weft__outcome *outcome;
    void *owner; /* the public handle of the task or future */
    void (*call)(void);
    void *arg;
    void (*release)(struct weft__outcome *);
};

static void free_done(struct weft__done_callback *done)
{
    struct weft__vars *vars = done->carrier.vars;

    weft__free(done);
    weft__vars_unref(vars);
}

static void unpin(struct weft__done_callback *done)
{
    struct weft__outcome *outcome = done->outcome;
    void (*release)(struct weft__outcome *) = done->release;

    free_done(done);
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
    struct weft__done_callback *done = WEFT__CONTAINER(waiter, struct weft__done_callback, waiter);

    weft__outcome_push(outcome, waiter); /* until it has run: it may still be taken back */
    weft__ready(loop, &done->carrier.handle.item);
}

void weft__outcome_skip(struct weft__handle *handle)
{
    struct weft__done_callback *done =
        WEFT__CONTAINER(handle, struct weft__done_callback, carrier.handle);

    if (done->call) {
        weft__outcome_unlink(done->outcome, &done->waiter);
    }
    free_done(done);
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
        .carrier.handle = {
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
    done->carrier.vars = weft__context_capture();
    outcome->pins++;
    if (outcome->done) {
        make_ready(&done->waiter, loop, outcome);
    } else {
        weft__outcome_push(outcome, &done->waiter);
    }
    return 0;
}

/* Unlinks callbacks: all, or those with this function and argument.  Each goes to `end`, when all
 * are unlinked: a value that is released there may call back anywhere. */
static int unlink_callbacks(struct weft__outcome *outcome, bool all, void (*call)(void), void *arg,
                            void (*end)(struct weft__done_callback *))
{
    struct weft__waiter *waiter = outcome->waiters, *last = waiter ? waiter->prev : NULL;
    struct weft__waiter *found = NULL, **tail = &found;
    int count = 0;

    for (bool more = waiter; more;) {
        struct weft__done_callback *done =
            WEFT__CONTAINER(waiter, struct weft__done_callback, waiter);
        struct weft__waiter *next = waiter->next;

        more = waiter != last;
        if (waiter->tell == make_ready && (all || (done->call == call && done->arg == arg))) {
            weft__outcome_unlink(outcome, waiter);
            *tail = waiter;
            tail = &waiter->next;
            count++;
        }
        waiter = next;
    }
    *tail = NULL;
    while ((waiter = found)) {
        found = waiter->next;
        end(WEFT__CONTAINER(waiter, struct weft__done_callback, waiter));
    }
    return count;
}

/* One that is due already stands in the ready queue, and is freed when its turn comes. */
static void take_back(struct weft__done_callback *done)
{
    struct weft__vars *vars = done->carrier.vars;

    if (!done->carrier.handle.item.queued) {
        unpin(done);
        return;
    }
    done->call = NULL;
    done->carrier.vars = NULL;
    weft__vars_unref(vars);
}

int weft__outcome_remove_callbacks(struct weft__outcome *outcome, void (*call)(void), void *arg)
{
    int count;

    outcome->pins++; /* the last callback's pin may be the last at all */
    count = unlink_callbacks(outcome, false, call, arg, take_back);
    outcome->pins--;
    return count;
}

void weft__outcome_drop_callbacks(struct weft__outcome *outcome)
{
    unlink_callbacks(outcome, true, NULL, NULL, free_done);
}
