/* SPDX-License-Identifier: MIT
 * What debug mode keeps for a loop, and the parts that it is made of.
 *
 * The scheduler calls the hooks of base/hook.h for loops that have an observer, and for no others;
 * each hook is in one file here and does what its check needs.  An observer belongs to its loop's
 * thread.  What the watchdog's thread looks at is atomic, or under the watchdog's lock. */
#ifndef WEFT_CORE_OBSERVE_H
#define WEFT_CORE_OBSERVE_H

#include "core/base/hook.h"
#include "core/base/thread.h"
#include "core/debug/map.h"
#include "core/sched/task.h"

#include <weft/debug.h>

enum weft__check {
    WEFT__CHECK_SLOW = 1u << 0,
    WEFT__CHECK_AWAITS = 1u << 1,
    WEFT__CHECK_LEAKS = 1u << 2,
    WEFT__CHECK_DEADLOCK = 1u << 3,
    WEFT__CHECK_CANCEL = 1u << 4,
    WEFT__CHECK_STARVE = 1u << 5,
    WEFT__CHECK_THREAD = 1u << 6,
    WEFT__CHECK_STALE = 1u << 7,
    WEFT__CHECK_FD = 1u << 8,
    WEFT__CHECK_STACK = 1u << 9,
    WEFT__CHECK_DEPTH = 1u << 10,
    WEFT__CHECK_MADE = 1u << 11,
    WEFT__CHECK_METRICS = 1u << 12,
    WEFT__CHECK_RECORD = 1u << 13,
    WEFT__CHECK_TURNS = 1u << 14,
};

/* Those for which each turn has to be seen. */
#define WEFT__CHECKS_OF_TURNS                                                   \
    (WEFT__CHECK_SLOW | WEFT__CHECK_DEADLOCK | WEFT__CHECK_CANCEL |             \
     WEFT__CHECK_STARVE | WEFT__CHECK_RECORD | WEFT__CHECK_TURNS)

/* A list of words, understood. */
struct weft__debug_words {
    uint32_t checks; /* weft__check */
    int64_t slow_ns, cancel_ns, starve_ns;
    uint64_t record_bytes;
};

/* Reads a list; -EINVAL with words in weft_error_detail(). */
int weft__debug_words_read(const char *text, const char *origin, struct weft__debug_words *ret);

/* Writes one; as snprintf(3). */
int weft__debug_words_write(const struct weft__debug_words *words, char *text, size_t size);

#define WEFT__MADE_MAX 6   /* addresses kept of where something was made */
#define WEFT__STACK_MAX 48 /* of where something is */
#define WEFT__CHAIN_MAX 16 /* coroutines of a chain that a report shows */

/* What is known of a task.  It stays with the task's place, and is the next one's then. */
struct weft__note {
    struct weft__map_entry entry; /* the descriptor's address */
    uintptr_t handle;             /* whose it is */
    uint64_t id, parent;          /* numbers of tasks; 0: made by a callback, or outside */
    const weft_coro_def *def;
    char name[WEFT__TASK_NAME_MAX]; /* when it ended; "": it has not, or Task-<id> */
    bool ended;
    bool told_cancel;               /* that it ignores its cancel */
    uint32_t refused;               /* turns that it took since it was cancelled where it is */
    int64_t cancelled_at;           /* when that was first seen; 0: it is not */
    uint64_t turns;                 /* by the word of that name; times in ticks */
    int64_t running, longest, born; /* `born` 0: before they were counted */
    uint32_t made_count;
    const void *made[WEFT__MADE_MAX];
};

/* Where a coroutine object was made; stays with its cell. */
struct weft__origin {
    struct weft__map_entry entry; /* the cell's address */
    uintptr_t handle;
    uint32_t made_count;
    const void *made[WEFT__MADE_MAX];
};

/* One look at a loop that does not come back. */
struct weft__sample {
    int64_t after; /* ns since the turn began */
    char what[48]; /* the system call; "" on the CPU */
    weft_frame chain[WEFT__CHAIN_MAX];
    const void *stack[WEFT__STACK_MAX];
    uint32_t chain_count, stack_count, exact;
};

#define WEFT__SAMPLES 4 /* of one stall: at once, twice, four and eight times the limit */

/* A turn that is too long; under the watchdog's lock. */
struct weft__stall {
    uint64_t serial;   /* whose turn it is about */
    int64_t began;     /* not before this */
    int64_t seen, cpu; /* when the watchdog first saw it, and the thread's CPU time then */
    int64_t told;      /* how long it had taken when it was last told; 0: not yet */
    uint64_t task_id;  /* 0: a callback */
    char task_name[WEFT__TASK_NAME_MAX];
    uint32_t count;
    struct weft__sample samples[WEFT__SAMPLES];
};

/* How often a place was told in the last minute. */
struct weft__site {
    const void *key;
    int64_t since;
    uint32_t told, left_out;
};

#define WEFT__SITES 16

struct weft__observer {
    struct weft__loop *loop;
    struct weft__debug_words words;
    struct weft__more *more;          /* metrics, recorder, hooks (more.h); NULL: none is on */
    struct weft__map notes;           /* of tasks */
    struct weft__map origins;         /* of coroutine objects */
    struct weft__map depths;          /* of stacks, by coroutine function */
    struct weft__map fds;             /* of descriptors */
    struct weft__map things;          /* that are open */
    uint64_t things_count;            /* that ever were */
    bool told_leaks;                  /* those who are left were told as a tree */
    int64_t stuck_told;               /* when it was told that nothing can happen; 0: never */
    const struct weft__task *leaving; /* whose turn is over, and whose stack still is the running
                                       * one; NULL: nobody's */
    bool reporting; /* a report is on its way: others that it causes go out as they are */

    /* Read by the watchdog. */
    struct weft__observer *next;   /* in its list, under its lock */
    _Atomic uint64_t serial;       /* of the turn; odd: it goes on, even: the loop waits */
    _Atomic int64_t clock;         /* the real time, as last read */
    _Atomic uint64_t stalled;      /* by it: the turn that takes too long, 0: none */
    _Atomic(const char *) allowed; /* why this turn may block, or NULL */
    struct weft__thread system;    /* the thread, under its lock; nobody's: it never ran */
    void *thread;                  /* weft__this_thread() of that */
    uintptr_t stack_low, stack_end; /* of the thread; 0: not known */
    void *alternate_thread;        /* where it uses a stack for signal handlers; NULL: nowhere */
    bool watched;                  /* it is in the list */
    struct weft__stall stall;
    struct weft__site sites[WEFT__SITES];
    uint32_t slow_left_out; /* turns that were too long and that no report has told or counted */

    /* Starvation: the item that was last when the clock was read. */
    struct weft__item *marker; /* NULL: none */
    int64_t marked_at;
    uint64_t marked_serial;
    int64_t forgiven_until; /* a slow turn was told: who waited meanwhile is no news */
};

static inline bool weft__observes(const struct weft__loop *loop, uint32_t check)
{
    return loop->observer && loop->observer->words.checks & check;
}

/* ---- observe.c ---- */

int weft__observe(struct weft__loop *loop, const char *words, const char *origin);
void weft__observe_step(struct weft__loop *loop, struct weft__task *from, struct weft__task *to);
void weft__observe_callback(struct weft__loop *loop, void (*callback)(void *arg));
void weft__observe_look(struct weft__loop *loop, int waits);
void weft__observe_run(struct weft__loop *loop, bool begins);
void weft__observe_closes(struct weft__loop *loop);
void weft__observe_closed(struct weft__loop *loop);

/* Has the loop an observer with room for hooks; and takes away what is not needed without them. */
int weft__observe_more(struct weft__loop *loop);
void weft__observe_less(struct weft__loop *loop);

/* Sends a report from within a hook: what the handler calls is then no task's. */
void weft__observe_report(struct weft__loop *loop, weft_report *report);

/* ---- notes.c ---- */

void weft__notes_made(struct weft__task *task);
void weft__notes_ended(struct weft__task *task, int status);
void weft__notes_made_coro(struct weft__loop *loop, const void *coro);
void weft__notes_fini(struct weft__observer *observer);
const struct weft__origin *weft__origin_of(const struct weft__observer *observer, uintptr_t handle);

/* The note that was made for a handle, also when the task has ended since; NULL. */
const struct weft__note *weft__note_of(const struct weft__observer *observer, uintptr_t handle);

/* ---- deliver.c ---- */

void weft__deliver(struct weft__loop *loop, weft_report *report);

/* The coroutines of a task, the innermost first; how many. */
uint32_t weft__chain_of(const struct weft__task *task, weft_frame *ret_chain, uint32_t max);

/* ---- print.c ---- */

void weft__print_report(const weft_report *report, bool debug);
void weft__print_overflow(const weft_report *report, uint64_t id, size_t bytes);

/* ---- watchdog.c ---- */

/* Begins and ends to watch; 0 or -EAGAIN, -ENOMEM. */
int weft__watchdog_add(struct weft__observer *observer);
void weft__watchdog_remove(struct weft__observer *observer);

/* How many threads it has: 0 or 1. */
int weft__watchdog_threads(void);

/* The words are others now. */
void weft__watchdog_set(struct weft__observer *observer, const struct weft__debug_words *words);

/* The loop comes by in a thread: the watchdog has to know which. */
void weft__watchdog_thread(struct weft__observer *observer);

/* A turn that the watchdog found too long is over. */
void weft__stall_ends(struct weft__observer *observer);

/* The loop closes: tells how many such turns were left out. */
void weft__stalls_tell(struct weft__observer *observer);

#endif
