/* SPDX-License-Identifier: MIT
 * Observers: given to loops and taken away, and what they do at each turn.
 *
 * A turn costs a few stores and tests here, without a look at the clock: that is read as often as
 * the loop itself does, every 50 µs at the most, and by the watchdog. */
#include "core/debug/observe.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/debug/checks.h"
#include "core/debug/fds.h"
#include "core/debug/more.h"

#include <string.h>

/* ---- given and taken away ---- */

static void take_away(struct weft__loop *loop)
{
    struct weft__observer *observer = loop->observer;

    if (!observer) {
        return;
    }
    weft__watchdog_remove(observer);
    loop->observer = NULL;
    loop->debug = false;
    __atomic_store_n(&loop->checks, 0, __ATOMIC_RELAXED);
    weft__loop_see_all(loop, false);
    weft__more_fini(observer);
    weft__notes_fini(observer);
    weft__depth_fini(observer);
    weft__fds_fini(observer);
    weft__things_fini(observer);
    weft__free(observer);
}

static void drop_note(struct weft__slot *slot, void *arg)
{
    (void)arg;
    ((struct weft__task *)(void *)slot)->note = NULL;
}

static int give(struct weft__loop *loop)
{
    struct weft__observer *observer = weft__alloc_aligned(64, sizeof *observer);

    if (!observer) {
        return -ENOMEM;
    }
    memset(observer, 0, sizeof *observer);
    observer->loop = loop;
    atomic_store(&observer->clock, weft__clock_now());
    atomic_store(&observer->serial, loop->current || loop->running ? 1 : 0);
    loop->observer = observer;
    return 0;
}

/* Each turn costs where it has to be seen, and only there. */
static void see_turns(struct weft__loop *loop)
{
    const struct weft__more *more = loop->observer->more;

    loop->observer->marker = NULL; /* its turn may have gone by unseen */
    weft__loop_see_all(loop, loop->observer->words.checks & WEFT__CHECKS_OF_TURNS ||
                                 (more && more->hooks_count));
}

int weft__observe(struct weft__loop *loop, const char *list, const char *origin)
{
    struct weft__debug_words words;
    bool had = loop->observer != NULL;
    int r = weft__debug_words_read(list, origin, &words);

    if (r < 0) {
        return r;
    }
    if (!words.checks && !(had && loop->observer->more && loop->observer->more->hooks_count)) {
        weft__stacks_each(&loop->stacks, drop_note, NULL);
        take_away(loop);
        return 0;
    }
    r = had ? 0 : give(loop);
    r = r < 0 ? r : weft__more_set(loop->observer, &words);
    if (r == 0 && words.checks & WEFT__CHECK_SLOW) {
        r = weft__watchdog_add(loop->observer);
    } else if (r == 0) {
        weft__watchdog_remove(loop->observer);
    }
    if (r < 0) {
        if (!had) {
            take_away(loop);
        }
        return r;
    }
    if (loop == weft__running) {
        weft__watchdog_thread(loop->observer);
    }
    loop->debug = words.checks != 0;
    __atomic_store_n(&loop->checks, words.checks, __ATOMIC_RELAXED);
    weft__watchdog_set(loop->observer, &words);
    see_turns(loop);
    return 0;
}

int weft__observe_more(struct weft__loop *loop)
{
    bool had = loop->observer != NULL;
    int r = had ? 0 : give(loop);

    if (r == 0 && !loop->observer->more) {
        r = weft__more_give(loop->observer);
    }
    if (r < 0) {
        if (!had) {
            take_away(loop);
        }
        return r;
    }
    if (loop == weft__running) {
        weft__watchdog_thread(loop->observer);
    }
    weft__loop_see_all(loop, true);
    return 0;
}

void weft__observe_less(struct weft__loop *loop)
{
    if (!weft__more_is_needed(loop->observer)) {
        weft__more_fini(loop->observer);
        if (!loop->observer->words.checks) {
            weft__stacks_each(&loop->stacks, drop_note, NULL);
            take_away(loop);
            return;
        }
    }
    see_turns(loop);
}

int weft_debug_set(weft_loop *handle, const char *words)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    return loop ? weft__observe(loop, words, "weft_debug_set()") : r;
}

int weft_debug_get(weft_loop *handle, char *ret_words, size_t size)
{
    static const struct weft__debug_words none;
    int r = 0;
    const struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    return weft__debug_words_write(loop->observer ? &loop->observer->words : &none, ret_words,
                                   size);
}

int weft_debug_allow_blocking(const char *reason)
{
    struct weft__loop *loop = weft__running;

    if (!loop) {
        return -EPERM;
    }
    if (loop->observer) {
        atomic_store_explicit(&loop->observer->allowed, reason, memory_order_relaxed);
    }
    return 0;
}

void weft__observe_closes(struct weft__loop *loop)
{
    weft__leaks_tell(loop);
    weft__things_tell(loop);
    if (loop->observer) {
        weft__depth_tell(loop->observer);
    }
    if (loop->observer) { /* a handler may have switched it off */
        weft__stalls_tell(loop->observer);
    }
}

void weft__observe_closed(struct weft__loop *loop)
{
    take_away(loop);
}

void weft__observe_report(struct weft__loop *loop, weft_report *report)
{
    struct weft__task *current = loop->current;
    bool ending = loop->ending;

    loop->current = NULL;
    loop->ending = true;
    weft__report(loop, report);
    loop->current = current;
    loop->ending = ending;
}

/* ---- turns ---- */

/* The turn that goes on is over, and the next begins, or the loop waits. */
static inline void next_serial(struct weft__observer *observer, bool runs)
{
    uint64_t serial = atomic_load_explicit(&observer->serial, memory_order_relaxed);

    if (atomic_load_explicit(&observer->stalled, memory_order_relaxed)) {
        weft__stall_ends(observer);
    }
    serial = ((serial | 1) + 1) + runs;
    atomic_store_explicit(&observer->serial, serial, memory_order_release);
    atomic_store_explicit(&observer->allowed, NULL, memory_order_relaxed);
}

void weft__observe_step(struct weft__loop *loop, struct weft__task *from, struct weft__task *to)
{
    struct weft__observer *observer = loop->observer;

    next_serial(observer, true);
    if (observer->more) {
        weft__more_step(observer, from, to);
    }
    if (from && (from->cancelled || from->waiting) &&
        observer->words.checks & (WEFT__CHECK_CANCEL | WEFT__CHECK_DEADLOCK)) {
        observer->leaving = from;
        weft__checks_leave(observer, from);
        observer->leaving = NULL;
    }
    if (to && &to->item == observer->marker) {
        weft__starve_reached(observer, to);
    }
}

void weft__observe_callback(struct weft__loop *loop, void (*callback)(void *arg))
{
    struct weft__observer *observer = loop->observer;

    next_serial(observer, true);
    if (observer->more) {
        weft__more_callback(observer, *(void **)&callback);
    }
}

void weft__observe_look(struct weft__loop *loop, int waits)
{
    struct weft__observer *observer = loop->observer;
    int64_t now = weft__clock_now();

    if (observer->thread != weft__this_thread()) {
        weft__watchdog_thread(observer);
    }
    if (waits > 0) {
        next_serial(observer, false);
        weft__deadlock_look(observer);
    } else if (waits < 0) {
        next_serial(observer, loop->first != NULL);
    }
    atomic_store_explicit(&observer->clock, now, memory_order_relaxed);
    weft__starve_mark(observer, now);
    if (observer->more) {
        weft__more_look(observer, waits, now);
    }
}

void weft__observe_run(struct weft__loop *loop, bool begins)
{
    if (loop->observer->more) {
        weft__more_run(loop->observer, begins);
    }
}
