/* SPDX-License-Identifier: MIT
 * Tickers: something to do every so often.
 *
 *     weft_ticker every;
 *
 *     weft_ticker_init(&every, 0.5, WEFT_TICK_SKIP);
 *     while ((r = weft_ticker_wait(&every)) > 0) { ... }
 *
 * A loop around weft_sleep() drifts: what is done takes time, too.  Ticks are on a grid: the n-th
 * is due n periods after the beginning.  What becomes of those that nobody waited for in time is
 * the ticker's policy. */
#ifndef WEFT_TICKER_H
#define WEFT_TICKER_H

#include <weft/select.h>

WEFT_BEGIN_DECLS

/** What becomes of ticks when the next one is due before somebody waits for the last. */
typedef enum weft_tick_missed {
    WEFT_TICK_SKIP,  /* they are one tick; the next is the next of the grid */
    WEFT_TICK_BURST, /* each is made up for, without waiting */
    WEFT_TICK_DELAY, /* they are one tick; the grid moves: the next is due a period from now */
} weft_tick_missed;

/** A ticker; read what you like, and write nothing.  Part of the ABI; may be copied and moved while
 *  no task waits for it. */
typedef struct weft_ticker {
    int64_t next;     /* when the next tick is due, ns of the loop's clock */
    int64_t period;   /* ns */
    uint64_t ticks;   /* that were waited for */
    uint64_t missed;  /* that were skipped */
    int32_t policy;   /* weft_tick_missed */
    int32_t reserved[3];
} weft_ticker;

/** Begins to tick; the first one is due in a period.
 *
 *  period  seconds, above 0, finite.
 *  missed  the policy.
 *
 *  Returns 0, -EINVAL, -EPERM no loop runs here, -ECHILD.  Also to begin anew. */
WEFT_API int weft_ticker_init(weft_ticker *ticker, double period, weft_tick_missed missed);

/** Waits for the next tick; one that is due already comes without waiting.  Of several tasks that
 *  wait for the same ticker one gets it.
 *
 *  Returns how many ticks this stands for: 1 and those that were skipped; -ECANCELED, -ENOMEM,
 *  -EPERM outside a task, -ECHILD, -EINVAL.  A cancellation point.  Cost: that of a sleep. */
WEFT_API int64_t weft_ticker_wait(weft_ticker *ticker);

WEFT_END_DECLS

/** The next tick as a clause of weft_select(); the status is what weft_ticker_wait() returns, at
 *  most INT_MAX. */
#define WEFT_ON_TICK(ticker) WEFT__CLAUSE(TICK, WEFT__IS(weft_ticker *, ticker), NULL)

#endif
