/* SPDX-License-Identifier: MIT
 * Starvation: tasks that are ready and do not get their turn.
 *
 * Turns are taken in order, so it is enough to follow one task at a time: whoever is last in the
 * queue when the clock is read.  Every time that one had its turn the next one is marked. */
#include "core/base/clock.h"
#include "core/debug/checks.h"
#include "core/debug/more.h"

#include <stdio.h>

void weft__starve_mark(struct weft__observer *observer, int64_t now)
{
    struct weft__loop *loop = observer->loop;

    if (observer->marker && observer->marker->queued) {
        return;
    }
    observer->marker = NULL;
    if (observer->words.checks & (WEFT__CHECK_STARVE | WEFT__CHECK_TURNS) && loop->first &&
        loop->last->kind == WEFT__ITEM_TASK) {
        observer->marker = loop->last;
        observer->marked_at = now;
        observer->marked_serial = atomic_load_explicit(&observer->serial, memory_order_relaxed);
    }
}

void weft__starve_reached(struct weft__observer *observer, struct weft__task *task)
{
    int64_t now = weft__clock_now(), waited = now - observer->marked_at;
    uint64_t turns = (atomic_load(&observer->serial) - observer->marked_serial) / 2;
    weft_report report = { .kind = WEFT_REPORT_STARVED };
    bool known =
        observer->forgiven_until >= observer->marked_at; /* by a slow turn, which was told */
    char what[80];

    observer->marker = NULL;
    weft__counts_queue(observer, waited);
    if (!(observer->words.checks & WEFT__CHECK_STARVE) || waited < observer->words.starve_ns ||
        known || turns < 2) {
        return;
    }
    (void)snprintf(what, sizeof what, "%llu turns of others came first", (unsigned long long)turns);
    report.message = "was ready, and had its turn after";
    report.what = what;
    report.seconds = (double)waited / 1e9;
    weft__task_describe(task, &report);
    report.waiting = NULL;
    observer->forgiven_until = now; /* those behind it have waited for the same */
    weft__observe_report(observer->loop, &report);
}
