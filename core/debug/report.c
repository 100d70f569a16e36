/* SPDX-License-Identifier: MIT
 * The table by which lower layers reach this one. */
#include "core/debug/checks.h"
#include "core/debug/fds.h"
#include "core/sync/lock.h"

static void origin(struct weft__loop *loop, uintptr_t coro, weft_report *report)
{
    const struct weft__origin *found = weft__origin_of(loop->observer, coro);

    if (found) {
        report->made = found->made;
        report->made_count = found->made_count;
    }
}

const struct weft__hooks weft__hooks = {
    .report = weft__print_report,
    .overflow = weft__print_overflow,
    .owner_ended = weft__owner_ended,
    .observe = weft__observe,
    .deliver = weft__deliver,
    .step = weft__observe_step,
    .callback = weft__observe_callback,
    .look = weft__observe_look,
    .made = weft__notes_made,
    .ended = weft__notes_ended,
    .made_coro = weft__notes_made_coro,
    .origin = origin,
    .run = weft__observe_run,
    .run_ends = weft__leaks_tell_run,
    .closes = weft__observe_closes,
    .closed = weft__observe_closed,
    .wrong_thread = weft__wrong_thread,
    .stale = weft__stale,
    .fd = weft__fds_see,
    .opened = weft__things_opened,
    .gone = weft__things_gone,
};
