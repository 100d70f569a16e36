/* SPDX-License-Identifier: MIT
 * Tickers. */
#include "core/sync/clause.h"

#include <limits.h>
#include <math.h>
#include <weft/ticker.h>

_Static_assert(sizeof(weft_ticker) == 48, "the public size");

int weft_ticker_init(weft_ticker *ticker, double period, weft_tick_missed missed)
{
    int r = -EINVAL;
    struct weft__loop *loop = NULL;
    int64_t ns = 0;

    if (ticker && isfinite(period) && (unsigned)missed <= WEFT_TICK_DELAY &&
        weft__seconds_to_ns(period, &ns) == 0 && ns > 0) {
        loop = weft__loop_of(NULL, &r);
    }
    if (!loop) {
        return r;
    }
    *ticker = (weft_ticker){
        .next = weft__time_after(weft__loop_now(loop), ns),
        .period = ns,
        .policy = (int32_t)missed,
    };
    return 0;
}

/* Takes what is due: how many ticks it stands for; 0: nothing is. */
static int64_t take_due(weft_ticker *ticker, int64_t now)
{
    int64_t late = now - ticker->next, skipped = 0;

    if (late < 0) {
        return 0;
    }
    if (late >= ticker->period && ticker->policy != WEFT_TICK_BURST) {
        skipped = late / ticker->period;
    }
    if (skipped && ticker->policy == WEFT_TICK_DELAY) {
        ticker->next = weft__time_after(now, ticker->period);
    } else {
        ticker->next = weft__time_after(ticker->next + skipped * ticker->period, ticker->period);
    }
    ticker->ticks++;
    ticker->missed += (uint64_t)skipped;
    return 1 + skipped;
}

/* A cancel ends the wait. */
static void interrupt(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_tick = { "tick", interrupt };

int64_t weft_ticker_wait(weft_ticker *ticker)
{
    int r = -EINVAL;
    struct weft__task *task = ticker && ticker->period > 0 ? weft__self(&r) : NULL;
    int64_t n;

    if (!task) {
        return weft__misuse(r);
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    n = take_due(ticker, weft__loop_now(task->loop));
    if (n > 0) {
        weft__task_spend_turn(task);
        return n;
    }
    while (n == 0) { /* again where another task has taken the tick */
        task->item.when = ticker->next;
        r = weft__timers_add(&task->loop->timers, &task->item);
        r = r < 0 ? r : weft__task_park(task, &wait_tick, ticker);
        n = r < 0 ? r : take_due(ticker, weft__loop_now(task->loop));
    }
    return n;
}

/* As a clause. */

static int status_of(int64_t ticks)
{
    return ticks < INT_MAX ? (int)ticks : INT_MAX;
}

static int look(weft_clause *clause, struct weft__task *task)
{
    const weft_ticker *ticker = clause->object;

    if (!ticker || ticker->period <= 0) {
        return -EINVAL;
    }
    return weft__loop_now(task->loop) >= ticker->next;
}

static int take(weft_clause *clause)
{
    struct weft__loop *loop = weft__clause_of(clause)->select->any.task->loop;

    return status_of(take_due(clause->object, weft__loop_now(loop)));
}

static int enter(weft_clause *clause, struct weft__task *task)
{
    const weft_ticker *ticker = clause->object;
    struct weft__clause *in = weft__clause_of(clause);

    in->alarm.item.when = ticker->next;
    return weft__timers_add(&task->loop->timers, &in->alarm.item);
}

static void leave(weft_clause *clause)
{
    struct weft__clause *in = weft__clause_of(clause);

    weft__timers_remove(&in->select->any.task->loop->timers, &in->alarm.item);
}

/* Somebody else may have taken the tick in the same moment: then waits for the next. */
static void ring(struct weft__alarm *alarm)
{
    struct weft__clause *in = WEFT__CONTAINER(alarm, struct weft__clause, alarm);
    weft_clause *clause = WEFT__CONTAINER(in, weft_clause, priv);
    struct weft__task *task = in->select->any.task;
    int r = take(clause);

    if (r == 0) {
        r = enter(clause, task);
    }
    if (r != 0) {
        weft__clause_won(clause, r);
    }
}

static int enter_first(weft_clause *clause, struct weft__task *task)
{
    weft__clause_of(clause)->alarm =
        (struct weft__alarm){ .item = { .kind = WEFT__ITEM_ALARM }, .ring = ring };
    return enter(clause, task);
}

const struct weft__clause_kind weft__clause_tick = {
    .look = look, .take = take, .enter = enter_first, .leave = leave
};
