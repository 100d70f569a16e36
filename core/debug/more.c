/* SPDX-License-Identifier: MIT
 * Metrics, recorder and hooks: what each turn means for them. */
#include "core/debug/more.h"

#include "core/base/mem.h"

#include <math.h>
#include <string.h>

/* ---- given and taken away ---- */

bool weft__more_is_needed(const struct weft__observer *observer)
{
    const struct weft__more *more = observer->more;

    return more && (more->counts || more->ring || more->hooks_count);
}

int weft__more_give(struct weft__observer *observer)
{
    struct weft__more *more = weft__alloc_zeroed(1, sizeof *more);

    if (!more) {
        return -ENOMEM;
    }
    weft__ticks_init(&more->ticks);
    more->last = weft__ticks_now(&more->ticks);
    observer->more = more;
    return 0;
}

static int set_counts(struct weft__more *more, bool on, bool timed)
{
    if (!on) {
        weft__free(more->counts);
        more->counts = NULL;
    } else if (!more->counts) {
        more->counts = weft__alloc_zeroed(1, sizeof *more->counts);
        more->looked = weft__clock_now();
    }
    timed = more->counts && timed;
    if (timed && !more->timed) { /* the turn that goes on counts from here, for nobody */
        more->last = weft__ticks_now(&more->ticks);
        more->waits = false;
        more->note = NULL;
    }
    more->timed = timed;
    if (more->timed && !more->scale) {
        more->scale = (uint32_t)(weft__ticks_rate(&more->ticks) * 65536);
    }
    return on && !more->counts ? -ENOMEM : 0;
}

static int set_ring(struct weft__observer *observer, bool on, uint64_t bytes)
{
    struct weft__more *more = observer->more;
    const struct weft__task *current = observer->loop->current;
    int r = 0;

    if (!on) {
        weft__ring_free(more->ring);
        more->ring = NULL;
    } else if (!more->ring) {
        r = weft__ring_new(bytes, &more->ticks, &observer->loop->stacks, &more->ring);
        if (r == 0 && current) { /* whose turn began before */
            weft__ring_add(more->ring, weft__ticks_now(&more->ticks), WEFT__EVENT_TURN, current->id,
                           NULL, 0);
        }
    }
    return r;
}

int weft__more_set(struct weft__observer *observer, const struct weft__debug_words *words)
{
    bool counts = words->checks & (WEFT__CHECK_METRICS | WEFT__CHECK_TURNS);
    bool ring = words->checks & WEFT__CHECK_RECORD;
    int r = 0;

    if (!observer->more && (counts || ring)) {
        r = weft__more_give(observer);
    }
    if (observer->more) {
        r = r < 0 ? r : set_counts(observer->more, counts, words->checks & WEFT__CHECK_TURNS);
        r = r < 0 ? r : set_ring(observer, ring, words->record_bytes);
    }
    if (!weft__more_is_needed(observer)) {
        weft__more_fini(observer);
    }
    return r;
}

void weft__more_fini(struct weft__observer *observer)
{
    struct weft__more *more = observer->more;

    if (more) {
        observer->more = NULL;
        weft__free(more->counts);
        weft__ring_free(more->ring);
        weft__free(more);
    }
}

/* ---- turns ---- */

#define CALL(more, member, ...)                                                 \
    for (uint32_t i = 0; i < (more)->hooks_count; i++) {                        \
        const weft_loop_hooks *hooks = (more)->hooks[i].hooks;                  \
        if (offsetof(weft_loop_hooks, member) < hooks->size && hooks->member) { \
            hooks->member(__VA_ARGS__);                                         \
        }                                                                       \
    }

static inline void count_turn(struct weft__more *more, int64_t now)
{
    struct weft__counts *counts = more->counts;
    int64_t ticks = now > more->last ? now - more->last : 0; /* another CPU's may be behind */

    counts->longest = ticks > counts->longest ? ticks : counts->longest;
    weft__counts_add(&counts->turn, (int64_t)((uint64_t)ticks * more->scale >> 16));
    if (more->note) {
        more->note->running += ticks;
        more->note->longest = ticks > more->note->longest ? ticks : more->note->longest;
    }
}

static WEFT__COLD void call_after(struct weft__observer *observer, struct weft__task *from,
                                  struct weft__task *to)
{
    struct weft__more *more = observer->more;

    if (more->in_turn) {
        weft_task *task = from ? weft__task_handle(from) : NULL;

        more->in_turn = false;
        CALL(more, after_turn, more->hooks[i].arg, task);
    }
    if (more->ready_wanted) {
        weft__hooks_ready(observer, to);
    }
}

static WEFT__COLD void call_before(struct weft__more *more, struct weft__task *to)
{
    weft_task *task = to ? weft__task_handle(to) : NULL;

    more->in_turn = true;
    CALL(more, before_turn, more->hooks[i].arg, task);
}

/* The turn that goes on is over, now. */
static inline int64_t end_turn(struct weft__more *more)
{
    int64_t now = weft__ticks_now(&more->ticks);

    if (more->timed && !more->waits) {
        count_turn(more, now);
    }
    more->last = now;
    more->waits = false;
    return now;
}

/* And the next one begins: a task's, or (NULL) a callback's, or none. */
static inline void begin_turn(struct weft__more *more, struct weft__task *to)
{
    more->runner = to;
    more->note = to ? to->note : NULL;
    if (more->timed && to) {
        more->counts->turns++;
        if (more->note) {
            more->note->turns++;
        }
    }
}

/* One task's end and the next one's beginning are one event. */
static inline void record_step(struct weft__more *more, int64_t now, const struct weft__task *from,
                               const struct weft__task *to)
{
    if (to) {
        weft__ring_add(more->ring, now, WEFT__EVENT_TURN, to->id, from ? from->waiting : NULL,
                       from != NULL);
    } else if (from) {
        weft__ring_add(more->ring, now, WEFT__EVENT_LEAVES, from->id, from->waiting, 0);
    }
}

void weft__more_step(struct weft__observer *observer, struct weft__task *from,
                     struct weft__task *to)
{
    struct weft__more *more = observer->more;
    int64_t now = end_turn(more);

    if (more->ring) {
        record_step(more, now, from, to);
    }
    if (more->hooks_count) {
        call_after(observer, from, to);
    }
    begin_turn(more, to);
    if (more->hooks_count && to) {
        call_before(more, to);
    }
}

void weft__more_callback(struct weft__observer *observer, const void *function)
{
    struct weft__more *more = observer->more;
    int64_t now;

    if (more->counts) {
        more->counts->callbacks++;
    }
    if (!more->timed && !more->ring && !more->hooks_count) {
        return;
    }
    now = end_turn(more);
    if (more->ring) {
        weft__ring_add(more->ring, now, WEFT__EVENT_CALLBACK, 0, function, 0);
    }
    if (more->hooks_count) {
        call_after(observer, NULL, NULL);
    }
    begin_turn(more, NULL);
    if (more->hooks_count) {
        call_before(more, NULL);
    }
}

static double seconds_to_wait(const struct weft__loop *loop)
{
    int64_t when = weft__timers_next(&loop->timers), now = weft__loop_now(loop);

    return when == WEFT__NEVER ? INFINITY :
           when <= now         ? 0 :
                                 (double)(when - now) / (double)WEFT__SECOND;
}

static void count_round(struct weft__more *more, int64_t now)
{
    if (more->counts) {
        more->counts->running += now - more->looked;
        weft__counts_add(&more->counts->round, now - more->looked);
    }
    more->looked = now;
}

static void begin_wait(struct weft__observer *observer, int64_t now)
{
    struct weft__more *more = observer->more;
    int64_t ticks = end_turn(more);

    count_round(more, now);
    if (more->ring) {
        weft__ring_add(more->ring, ticks, WEFT__EVENT_WAITS, 0, NULL, 0);
    }
    if (more->hooks_count) {
        double seconds = seconds_to_wait(observer->loop);

        call_after(observer, NULL, NULL);
        CALL(more, before_wait, more->hooks[i].arg, seconds);
    }
    more->waits = true;
    more->note = NULL;
}

static void end_wait(struct weft__more *more, int64_t now)
{
    more->waits = false;
    more->last = weft__ticks_now(&more->ticks);
    if (more->counts) {
        more->counts->waits++;
        more->counts->waiting += now - more->looked;
        weft__counts_add(&more->counts->wait, now - more->looked);
    }
    more->looked = now;
    if (more->ring) {
        weft__ring_add(more->ring, more->last, WEFT__EVENT_WOKE, 0, NULL, 0);
    }
    CALL(more, after_wait, more->hooks[i].arg);
}

void weft__more_look(struct weft__observer *observer, int waits, int64_t now)
{
    struct weft__more *more = observer->more;

    if (waits > 0) {
        begin_wait(observer, now);
    } else if (waits < 0) {
        if (more->counts) {
            more->counts->looks++;
        }
        if (more->waits) {
            end_wait(more, now);
        } else {
            count_round(more, now);
        }
        if (more->ready_wanted) {
            weft__hooks_ready(observer, NULL);
        }
    }
}

/* ---- births and ends ---- */

void weft__more_made(struct weft__observer *observer, struct weft__task *task)
{
    struct weft__more *more = observer->more;
    int64_t now = more->timed || more->ring ? weft__ticks_now(&more->ticks) : 0;

    if (task->note) {
        task->note->born = more->timed ? now : 0;
        task->note->turns = 0;
        task->note->running = task->note->longest = 0;
    }
    if (more->counts) {
        more->counts->made++;
    }
    if (more->ring) {
        weft__ring_add(more->ring, now, WEFT__EVENT_MADE, task->id, task->main.def, 0);
    }
    CALL(more, task_made, more->hooks[i].arg, weft__task_handle(task));
}

void weft__more_ended(struct weft__observer *observer, struct weft__task *task, int status)
{
    struct weft__more *more = observer->more;

    if (more->counts) {
        more->counts->ended++;
    }
    if (more->ring) {
        weft__ring_add(more->ring, weft__ticks_now(&more->ticks), WEFT__EVENT_ENDED, task->id, NULL,
                       status);
    }
    if (more->in_turn) {
        more->in_turn = false;
        CALL(more, after_turn, more->hooks[i].arg, weft__task_handle(task));
    }
    CALL(more, task_ended, more->hooks[i].arg, weft__task_handle(task), status);
    if (more->tail == &task->item) {
        more->tail = NULL;
    }
}

void weft__more_run(struct weft__observer *observer, bool begins)
{
    struct weft__more *more = observer->more;

    if (begins) {
        CALL(more, before_run, more->hooks[i].arg);
    } else {
        CALL(more, after_run, more->hooks[i].arg);
    }
}
