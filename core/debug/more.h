/* SPDX-License-Identifier: MIT
 * What looks at each turn beyond the checks: metrics, the recorder, the program's own hooks. */
#ifndef WEFT_CORE_MORE_H
#define WEFT_CORE_MORE_H

#include "core/base/ticks.h"
#include "core/debug/observe.h"

#include <weft/hooks.h>
#include <weft/metrics.h>
#include <weft/record.h>

/* Counts of a loop. */
struct weft__counts {
    uint64_t turns, callbacks, looks, waits, made, ended;
    int64_t running, waiting; /* ns */
    int64_t longest;          /* ticks */
    weft_histogram turn, queue, wait, round;
};

/* An event of the ring. */
struct weft__event {
    int64_t at;        /* ticks */
    uint32_t kind;     /* weft__event_kind */
    int32_t number;    /* a status, a count */
    uint64_t task;     /* its number; 0: none */
    const void *about; /* a definition, a kind of wait, a function, a text */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct weft__event) == 32, "half a cache line");

enum weft__event_kind {
    WEFT__EVENT_MADE = 1, /* about: the definition */
    WEFT__EVENT_ENDED,    /* number: the status */
    WEFT__EVENT_TURN,     /* number: 1 when the task of the turn before has left; about: its wait */
    WEFT__EVENT_LEAVES,   /* and none has its turn; about: the kind of wait, NULL: it gave way */
    WEFT__EVENT_CALLBACK, /* about: the function */
    WEFT__EVENT_WAITS,
    WEFT__EVENT_WOKE,
    WEFT__EVENT_REPORT, /* about: the message */
    WEFT__EVENT_MARK,   /* about: the text; task: the value */
};

struct weft__ring {
    struct weft__ring *next; /* in the list of all, for signal handlers */
    struct weft__event *events;
    uint64_t mask, head; /* `head` counts all that ever were */
    struct weft__ticks *ticks;
    struct weft__stacks *stacks; /* of the loop's tasks */
};

#define WEFT__HOOKS_MAX 8

/* What an observer has when one of them is on. */
struct weft__more {
    struct weft__ticks ticks;
    int64_t last;   /* in ticks: when the turn began */
    int64_t looked; /* in ns: when the loop last looked at the world, or began to wait */
    uint32_t scale; /* ns of a tick, times 65536 */
    bool timed;     /* each turn is */
    bool waits;
    struct weft__task *runner;   /* whose turn it is; NULL: a callback's */
    struct weft__note *note;     /* and its note */
    struct weft__item *tail;     /* the last task in the queue at the last turn, or NULL */
    bool was_empty;              /* nobody was in it */
    struct weft__counts *counts; /* NULL: no metrics */
    struct weft__ring *ring;     /* NULL: no recorder */
    struct {
        const weft_loop_hooks *hooks;
        void *arg;
    } hooks[WEFT__HOOKS_MAX];
    uint32_t hooks_count;
    bool ready_wanted; /* one of them has task_ready */
    bool in_turn;      /* before_turn was called, and after_turn not yet */
};

/* Gives the observer one, for hooks; -ENOMEM. */
int weft__more_give(struct weft__observer *observer);

/* Gives the observer what its words ask for, and takes away what they do not; -ENOMEM. */
int weft__more_set(struct weft__observer *observer, const struct weft__debug_words *words);
void weft__more_fini(struct weft__observer *observer);

/* Whether anything is on. */
bool weft__more_is_needed(const struct weft__observer *observer);

/* What the observer's hooks do in addition. */
void weft__more_step(struct weft__observer *observer, struct weft__task *from,
                     struct weft__task *to);
void weft__more_callback(struct weft__observer *observer, const void *function);
void weft__more_look(struct weft__observer *observer, int waits, int64_t now);
void weft__more_made(struct weft__observer *observer, struct weft__task *task);
void weft__more_ended(struct weft__observer *observer, struct weft__task *task, int status);
void weft__more_run(struct weft__observer *observer, bool begins);

/* ---- metrics.c ---- */

/* Eight buckets for each power of two: the three bits behind the highest one. */
static inline void weft__counts_add(weft_histogram *histogram, int64_t ns)
{
    uint64_t n = ns > 0 ? (uint64_t)ns : 0;
    unsigned power = 63u - (unsigned)__builtin_clzll(n | 8);
    unsigned bucket = (power - 3) * 8 + (unsigned)(n >> (power - 3));

    bucket = bucket < WEFT_HISTOGRAM_BUCKETS ? bucket : WEFT_HISTOGRAM_BUCKETS - 1;
    histogram->counts[bucket]++;
}

/* A task that was marked had its turn, `ns` after that. */
void weft__counts_queue(struct weft__observer *observer, int64_t ns);

/* ---- hooks.c ---- */

/* Calls task_ready for those who have come to the queue; `to` was just taken off it. */
void weft__hooks_ready(struct weft__observer *observer, struct weft__task *to);

/* ---- record.c ---- */

int weft__ring_new(uint64_t bytes, struct weft__ticks *ticks, struct weft__stacks *stacks,
                   struct weft__ring **ret_ring);
void weft__ring_free(struct weft__ring *ring);

static inline void weft__ring_add(struct weft__ring *ring, int64_t at, uint32_t kind, uint64_t task,
                                  const void *about, int32_t number)
{
    struct weft__event *event = &ring->events[ring->head & ring->mask];

    event->at = at;
    event->kind = kind;
    event->number = number;
    event->task = task;
    event->about = about;
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

/* Forgets the rings: only for a test that counts bytes. */
void weft__record_forget(void);

/* Writes all rings to a new file, for a reason. */
void weft__record_dump(const char *reason);

#endif
