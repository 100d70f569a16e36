/* SPDX-License-Identifier: MIT
 * The loop as the scheduler sees it: the ready queue, whose turn it is, and when to look at the
 * world.
 *
 * Tasks and callbacks stand in one FIFO.  A task that has to wait switches directly to the next
 * task; the loop's own stack is visited when a callback is next, when nothing is ready, and when
 * the budget of turns is spent.  `budget` is also the one observation point: where each turn is to
 * be seen it is 0 always (weft__loop_see_all()). */
#ifndef WEFT_CORE_LOOP_H
#define WEFT_CORE_LOOP_H

#include "core/base/hook.h"
#include "core/base/list.h"
#include "core/base/pool.h"
#include "core/base/wait.h"
#include "core/fiber/fiber.h"
#include "core/fiber/stack.h"
#include "core/sched/context.h"
#include "core/sched/outcome.h"
#include "core/sched/timer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weft/backend.h>
#include <weft/loop.h>
#include <weft/report.h>

#define WEFT__BUDGET 64              /* turns between two looks at the clock */
#define WEFT__POLL_EVERY_NS 50000    /* and at the descriptors, when something is always ready */
#define WEFT__POLL_MAX_NS 1000000    /* or up to this, when a look takes long */
#define WEFT__EVENTS_MAX 256         /* events taken from the backend at once */
#define WEFT__EVENTS_FEW 4           /* for so many it is not worth looking ahead */
#define WEFT__NEAR_NS 1000000        /* what is waited for shorter than this is kept exactly */
#define WEFT__LOOK_ONLY INT64_MIN    /* a deadline that has passed for certain */

/* What an upper layer hangs on a loop: executors, signals, a resolver.  Found by its close
 * function. */
struct weft__attachment {
    struct weft__attachment *next; /* in the loop's list, newest first */
    /* The loop closes, on the thread that closes it, and nothing of it has been touched: lets go of
     * the loop, and frees itself. */
    void (*close)(struct weft__attachment *self, struct weft__loop *loop);
};

/* What other threads put in: the only part of a loop that they may touch.  Its lock is made with
 * the cell and never destroyed, so that a post to a loop that is just being closed finds -EBADF. */
struct weft__inbox {
    pthread_mutex_t lock;
    struct weft__sem arrived; /* where time is virtual: something was posted */
    bool lock_made;         /* and the semaphore with it */
    atomic_uint epoch;      /* the loop's: other threads read it here, where no memset() comes */
    atomic_bool posted;     /* something is in it, and the backend was woken for it */
    atomic_uint posters;    /* threads between unlocking and waking: close waits for them */
    struct weft__item *first, *last;
    struct weft__pool pool; /* of their handles; under the lock */
    struct weft__post *posts; /* pushed without the lock (sched/post.h); the newest first */
};

#define WEFT__SIGNAL_WORDS 4 /* for 128 signals: no system has more */

/* A set of signals; each word by itself may be read and changed by a signal handler. */
struct weft__signal_set {
    atomic_uint words[WEFT__SIGNAL_WORDS];
};

/* What a signal handler, in whatever thread, may touch of a loop (sched/signal.h). */
struct weft__signal_port {
    struct weft__signal_port *next; /* in the process's list, */
    bool listed;                    /* which it never leaves */
    _Atomic(struct weft__loop *) loop; /* NULL: no signal was asked for, or it is closed */
    atomic_uint epoch;              /* the loop's; another one's in a forked child */
    atomic_uint users;              /* handlers that may wake the loop: its close waits for them */
    struct weft__signal_set wanted; /* by callbacks and receivers */
    struct weft__signal_set came;   /* for them, and the loop has not looked yet */
    struct weft__signal_set ends;   /* are to end the run: the first one is, */
    struct weft__signal_set ended;  /* and then in here until the loop looks */
};

/* A loop that has its turns in somebody else's loop (sched/host.h). */
struct weft__host {
    _Atomic(void *) thread; /* weft__this_thread() of who runs it, or last did */
    int64_t armed;          /* the deadline that the host knows; WEFT__NEVER: none */
    uint32_t depth;         /* turns within turns: how often it is being pumped */
    bool adopted;           /* it was attached: the backend calls pump() */
    bool by_fd;             /* weft_loop_fd() was asked: the program does */
    bool late;              /* it failed to open, and the backend has still to close */
    bool looking;           /* the backend waits, or looks, */
    bool called;            /* and has called pump() */
    weft_callback *closed;  /* weft_loop_on_closed(), or NULL */
    void *closed_arg;
};

struct weft__loop {
    uintptr_t handle; /* a cell's first word: the public handle; other threads read it */
    struct weft__loop *next_loop; /* in the process's list, for tools; or of closed ones */

    /* The hot part.  `current` and `budget` are where <weft/inline.h> says. */
    struct weft__task *current; /* whose turn it is; NULL: the loop's own stack runs */
    struct weft__item *first, *last; /* ready, in order; NULL: none */
    int32_t budget;             /* turns until weft__next_slow() has a look */
    uint32_t epoch;             /* weft__fork_epoch() when it was made; the child's differs */
    struct weft__fiber fiber;   /* the loop's own stack, while a task runs */
    struct weft__pool coros, handles, futures, scopes;
    struct weft__stacks stacks;
    struct weft__timers timers;

    /* Running. */
    atomic_bool running;
    bool stopping; /* weft_loop_stop() on a loop that did not run yet */
    bool stopped;  /* the stop item had its turn */
    bool look_failed; /* the last look did, though not the one before it */
    bool rechecking;             /* weft__task_recheck() is under way */
    struct weft__task *rechecks; /* and has these to do */
    bool closing;
    bool ending; /* a task is being ended, on its own stack */
    bool debug;
    bool sees_all; /* each turn goes through weft__next_slow(): somebody observes, or stacks have no
                    * guards.  Then `budget` is 0 and the turns are counted in `credit` */
    bool said_unguarded;
    bool shuffles, fails; /* its backend chooses who goes first, and which calls fail */
    uint8_t stack_class; /* of tasks that do not ask */
    struct weft__item stop_item;
    struct weft__item back_item; /* first in the queue: the loop's stack waits for a task */
    int64_t near;     /* the last deadline of those that were set for a time shorter than that */
    int64_t stop_at;  /* when to stop, by the real clock, though something is ready; 0: never */
    int64_t polled;   /* when the backend was last looked at, by the loop's clock */
    int64_t look_every; /* how long after that the next look is due, */
    int64_t due_since;  /* and when it was found to be; 0: it was for another reason */
    int64_t budgeted; /* when the budget was last set, */
    int32_t turns;    /* and to how much: what the next ones get */
    int32_t credit;   /* what is left of it where sees_all is set */
    struct weft__observer *observer; /* debug mode's; NULL: nobody observes */
    uint32_t checks; /* and what it looks for; other threads read it */
    bool gives_way;  /* the task that leaves has spent its budget, and did not ask to wait */
    uint64_t next_id, last_id; /* for tasks: a block of the process's numbers */
    struct weft__place place;  /* the context of the callback that runs */
    struct weft__list carried; /* weft__carried: the contexts of callbacks that are scheduled */

    struct weft__attachment *attachments;
    uint32_t expected; /* posts that other threads owe: no virtual clock jumps over them, */
    int64_t followed;  /* but follows the real one, which was here at the last look; 0: it jumps */
    uint32_t fair;             /* moves on with each choice among several that are ready */

    /* The world. */
    const weft_backend *backend;
    const weft_backend_ops *ops; /* the backend's, or weft__nest_ops in guest mode */
    uint32_t mode; /* weft_backend_mode */
    bool coarse;   /* a host that counts milliseconds */
    void *be;
    struct weft__host host;
    struct weft__watch **watches; /* by descriptor; NULL: not watched */
    uint32_t watches_size, watches_used;
    uint32_t watch_generation;
    uint32_t looks; /* how often it looked at the world */
    struct weft__signals *signals; /* NULL: none was asked for yet */
    weft_exception_handler *handler;
    void *handler_arg;
    /* The last two: a new loop in used memory keeps them, and nothing else. */
    struct weft__inbox inbox;
    struct weft__signal_port port;
};

/* The loop that runs in this thread. */
#ifdef __APPLE__ /* has no aliases: the word is known by its public name alone (<weft/inline.h>) */
extern WEFT__THREAD_LOCAL struct weft__loop *weft__running __asm__("_weft_inline_running") WEFT_API;
#else
extern WEFT__THREAD_LOCAL struct weft__loop *weft__running WEFT__HIDDEN;
#endif

/* The slow half of weft__loop_of(). */
struct weft__loop *weft__loop_find(weft_loop *handle, int *ret_error);

/* In sched/fork.c: a word that a child of fork(2) reads as 0.  Never 0 in a process that made a
 * loop. */
extern const volatile uint32_t *weft__fork_word WEFT__HIDDEN;
int weft__fork_epoch(uint32_t *ret_epoch);

/* In sched/host.c: whether a loop whose turn it is not may be used in this thread: 0 or -EXDEV.
 * One that lives in a host is about to be used: its turn will come. */
int weft__loop_outside(struct weft__loop *loop);

/* The same for a call that only looks, and makes nothing ready. */
int weft__loop_looked_at(struct weft__loop *loop);

/* Whether what belongs to `loop` may be used in this thread: 0, -EXDEV or -ECHILD. */
static inline int weft__loop_check(struct weft__loop *loop)
{
    if (loop->epoch != *weft__fork_word) {
        return -ECHILD;
    }
    return loop == weft__running ? 0 : weft__loop_outside(loop);
}

static inline int weft__loop_check_look(struct weft__loop *loop)
{
    if (loop->epoch != *weft__fork_word) {
        return -ECHILD;
    }
    return loop == weft__running ? 0 : weft__loop_looked_at(loop);
}

/* Tells threads apart, as long as they live. */
static inline void *weft__this_thread(void)
{
    return &weft__running;
}

/* The loop of a handle (NULL: the running one) for a call in its own thread; NULL and -EPERM,
 * -EBADF, -EXDEV or -ECHILD. */
static inline struct weft__loop *weft__loop_of(weft_loop *handle, int *ret_error)
{
    struct weft__loop *loop = weft__running;

    if (loop && (!handle || (uintptr_t)handle == loop->handle) && loop->epoch == *weft__fork_word) {
        return loop;
    }
    return weft__loop_find(handle, ret_error);
}

static inline weft_loop *weft__loop_handle(const struct weft__loop *loop)
{
    return (weft_loop *)loop->handle;
}

/* Something was made that has to be closed before the loop is, and nobody has to any more. */
static inline void weft__loop_opened(struct weft__loop *loop, const void *thing,
                                     enum weft__thing kind, int number)
{
    if (loop->observer) {
        weft__hooks.opened(loop, thing, kind, number);
    }
}

static inline void weft__loop_gone(struct weft__loop *loop, const void *thing)
{
    if (loop->observer) {
        weft__hooks.gone(loop, thing);
    }
}

/* The clock of the loop's backend, read now. */
static inline int64_t weft__loop_now(const struct weft__loop *loop)
{
    return loop->ops->now ? loop->ops->now(loop->be) : weft__clock_now();
}

/* A deadline is set: one that is near must be kept exactly. */
static inline void weft__loop_set_deadline(struct weft__loop *loop, int64_t now, int64_t when)
{
    if (when > loop->near && when - now < WEFT__NEAR_NS) {
        loop->near = when;
    }
}

/* The deadline `ns` from now. */
static inline int64_t weft__loop_after(struct weft__loop *loop, int64_t ns)
{
    int64_t now = weft__loop_now(loop), when = weft__time_after(now, ns);

    weft__loop_set_deadline(loop, now, when);
    return when;
}

/* The deadline that the backend is told.  A host that counts milliseconds gets whole ones, unless
 * somebody waits for less: many timers then share a wake-up, as the library's own do. */
static inline int64_t weft__loop_deadline(const struct weft__loop *loop)
{
    int64_t when = weft__timers_next(&loop->timers);

    if (loop->coarse && when > loop->near && when > 0 && when < WEFT__NEVER - WEFT__NEAR_NS) {
        when += WEFT__NEAR_NS - 1;
        when -= when % WEFT__NEAR_NS;
    }
    return when;
}

/* Makes an item ready: it runs after all that are. */
static inline void weft__ready(struct weft__loop *loop, struct weft__item *item)
{
    WEFT_ASSERT(!item->queued && !item->place);
    item->next = NULL;
    item->queued = true;
    if (loop->first) {
        loop->last->next = item;
    } else {
        loop->first = item;
    }
    loop->last = item;
}

/* Makes an item ready before all that are. */
static inline void weft__ready_first(struct weft__loop *loop, struct weft__item *item)
{
    WEFT_ASSERT(!item->queued);
    item->next = loop->first;
    item->queued = true;
    if (!loop->first) {
        loop->last = item;
    }
    loop->first = item;
}

static inline struct weft__item *weft__ready_pop(struct weft__loop *loop)
{
    struct weft__item *item = loop->first;

    loop->first = item->next;
    item->queued = false;
    return item;
}

/* Makes a loop on a backend, in the mode and with the options that the request names. */
int weft__loop_open(const weft_backend *backend, const weft_backend_request *request,
                    struct weft__loop **ret_loop);

/* In sched/backend.c: opens the loop's backend. */
int weft__backend_open(struct weft__loop *loop, const weft_backend *backend,
                       weft_backend_request request);

/* Waits, and returns how many events it stored; a host reports by weft_backend_core.ready(). */
int weft__host_wait(struct weft__loop *loop, int64_t deadline, weft_backend_event *ret_events);
static inline int weft__backend_wait(struct weft__loop *loop, int64_t deadline,
                                     weft_backend_event *ret_events)
{
    if (loop->backend->ops->wait) {
        return loop->ops->wait(loop->be, deadline, ret_events, WEFT__EVENTS_MAX);
    }
    return weft__host_wait(loop, deadline, ret_events);
}

/* Ends it; nobody runs it.  0, or -EINPROGRESS: weft__host_closed() does the rest. */
int weft__loop_shut(struct weft__loop *loop);

/* The memory of a closed loop is for later ones. */
void weft__loop_give_memory(struct weft__loop *loop);

/* Frees the memory of closed loops: only for a test that counts bytes and keeps no handle. */
void weft__loop_depot_clear(void);

/* Whether the loop's process is another one's child. */
static inline bool weft__loop_is_inherited(const struct weft__loop *loop)
{
    return loop->epoch != *weft__fork_word;
}

/* Gives the loop the turns that come before the next look at the clock. */
static inline void weft__loop_give_budget(struct weft__loop *loop)
{
    loop->credit = loop->turns;
    loop->budget = loop->sees_all ? 0 : loop->turns;
}

/* How long turns take is not known: the first one is looked at.  A virtual clock stands still
 * meanwhile. */
static inline void weft__loop_know_nothing(struct weft__loop *loop)
{
    if (!(loop->ops->caps & WEFT_BACKEND_VIRTUAL)) {
        loop->turns = 0;
    }
}

/* Where each turn is seen the budget is spent, and what it would be is kept as credit: whether
 * there is a turn left of that, which is taken. */
static inline bool weft__loop_spends_credit(struct weft__loop *loop)
{
    if (!loop->sees_all || loop->credit <= 0) {
        return false;
    }
    loop->credit--;
    loop->budget = 0;
    return true;
}

/* One more turn than there are, for one that is not to be counted. */
static inline void weft__loop_spare_turn(struct weft__loop *loop)
{
    *(loop->sees_all ? &loop->credit : &loop->budget) += 1;
}

/* From now on each turn is seen, or no more. */
void weft__loop_see_all(struct weft__loop *loop, bool on);

/* Looks at descriptors, clock and inbox; waits for them when nothing is ready and it may. */
int weft__loop_look(struct weft__loop *loop, bool may_wait);

/* Gives turns until nothing is ready, the loop is stopped, or it is time to look again. */
void weft__loop_give_turns(struct weft__loop *loop);

/* Takes an item out of the ready queue, wherever it stands; false: it is not in it. */
bool weft__loop_unqueue(struct weft__loop *loop, struct weft__item *item);

/* Runs the loop until its stop item has had its turn; the backend's error otherwise. */
int weft__loop_run(struct weft__loop *loop);

/* Runs the loop, which does not run, until `outcome` is done, and reads it unless ret_status is
 * NULL; -EINTR when the loop was stopped before. */
int weft__loop_run_until(struct weft__loop *loop, struct weft__outcome *outcome, int *ret_status);

/* Puts the stop item behind what is ready. */
void weft__loop_stop(struct weft__loop *loop);

/* After the budget of turns: whether the loop's own stack has to look at the world. */
bool weft__loop_is_due(struct weft__loop *loop);

/* Whether one that does not wait may go on though the budget is spent: it was a small one, as long
 * as nobody knows how long turns are.  Gives a larger one, so that it is some 64 times in all. */
bool weft__loop_lets_go_on(struct weft__loop *loop);

/* Sends a report to the loop's handler, or prints it; debug mode adds what it knows. */
void weft__report(struct weft__loop *loop, weft_report *report);
void weft__report_as_it_is(struct weft__loop *loop, const weft_report *report);

/* Something is in the inbox: wakes the loop, once for all that it has not seen.  Any thread that
 * keeps it from being closed, and any signal handler. */
static inline void weft__inbox_wake(struct weft__loop *loop)
{
    if (!atomic_exchange(&loop->inbox.posted, true)) {
        (void)loop->ops->wake(loop->be); /* cannot fail; and the post stands */
        if (loop->ops->caps & WEFT_BACKEND_VIRTUAL) {
            weft__sem_post(&loop->inbox.arrived);
        }
    }
}

/* In sched/inbox.c: moves what other threads posted into the ready queue. */
void weft__inbox_open(struct weft__loop *loop);
void weft__inbox_take(struct weft__loop *loop);
void weft__inbox_give(struct weft__loop *loop, void *cell);

/* From now on posts are -EBADF: the loop's handle is stale, no thread is between post and wake, and
 * all that was posted is ready. */
void weft__inbox_close(struct weft__loop *loop);

/* Posts a WEFT__HANDLE_POST from any thread, without allocating: its callback will be called once,
 * on the loop's thread, in its turn or when the loop closes (then loop->closing is set).  -EBADF,
 * -ECHILD: it never will. */
struct weft__handle;
int weft__inbox_post(weft_loop *loop, struct weft__handle *post);

/* Where time is virtual: waits, in real time, until something is posted (true) or as long as it is
 * from now to `deadline`, a time of the loop's. */
bool weft__inbox_wait(struct weft__loop *loop, int64_t deadline);

/* What hangs on a loop by this close function; NULL: nothing. */
static inline struct weft__attachment *
weft__loop_attached(const struct weft__loop *loop,
                    void (*close)(struct weft__attachment *, struct weft__loop *))
{
    struct weft__attachment *attachment = loop->attachments;

    while (attachment && attachment->close != close) {
        attachment = attachment->next;
    }
    return attachment;
}

static inline void weft__loop_attach(struct weft__loop *loop, struct weft__attachment *attachment)
{
    attachment->next = loop->attachments;
    loop->attachments = attachment;
}

/* In sched/chance.c, for virtual time: what the backend chooses.  Which of the ready tasks goes
 * first; how many of `size` bytes a read or write is to ask for; while it runs, which calls
 * fail. */
void weft__chance_open(struct weft__loop *loop);
void weft__chance_order(struct weft__loop *loop);
size_t weft__chance_shorten(const struct weft__loop *loop, size_t size);
void weft__chance_begin(struct weft__loop *loop);
void weft__chance_end(struct weft__loop *loop);

/* In sched/watch.c: a backend's event reaches its callbacks and waiters; what many events need is
 * brought into the cache at once, before each has its turn; all watches end. */
void weft__watch_event(struct weft__loop *loop, const weft_backend_event *event);
void weft__watch_expect(const struct weft__loop *loop, const weft_backend_event *events,
                        int count);
void weft__watches_fini(struct weft__loop *loop);

/* A callback for what happens to a descriptor in one direction (WEFT_READABLE or WEFT_WRITABLE),
 * set and taken back; whether there was one. */
int weft__watch_set(struct weft__loop *loop, int fd, uint32_t event, weft_callback *callback,
                    void *arg);
int weft__watch_unset(struct weft__loop *loop, int fd, uint32_t event);

#endif
