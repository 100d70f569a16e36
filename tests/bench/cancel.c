/* SPDX-License-Identifier: MIT
 * Waits that a cancel ends, beside the same waits that end by themselves, by weft as well.
 *
 * A hundred tasks wait and one ends their waits, again and again.  The counts of cancels are taken
 * back by whoever was cancelled, as a task does that lives on. */
#include "bench.h"

#include <errno.h>
#include <weft/weft.h>

enum { WAITERS = 100 };

/* What one task waits for. */
struct place {
    weft_task *task;
    weft_future *future;
};

struct round_trip {
    uint32_t rounds;
    bool cancelled; /* by a cancel; else it is set, or its time comes */
    struct place places[WAITERS];
};

WEFT_ASYNC(future_waiter, (struct round_trip *, trip), (struct place *, place))
{
    int r = 0;

    for (uint32_t i = 0; i < trip->rounds && (r >= 0 || r == -ECANCELED); i++) {
        weft_future *future;

        weft_future_new(NULL, &future);
        place->future = future;
        r = weft_await(future);
        if (trip->cancelled) {
            weft_task_uncancel(place->task);
        }
    }
    return 0;
}

/* Ends the waits of all for a future, as many times as they wait.  Setting one that was cancelled
 * spends the setter's hold. */
static void end_futures(struct round_trip *trip)
{
    for (int k = 0; k < WAITERS; k++) {
        if (trip->cancelled) {
            weft_task_cancel(trip->places[k].task);
        }
        weft_future_set_result(trip->places[k].future, NULL);
    }
}

WEFT_ASYNC(sleeper, (struct round_trip *, trip), (struct place *, place))
{
    double delay = trip->cancelled ? 10 : 1e-9;

    for (uint32_t i = 0; i < trip->rounds; i++) {
        weft_sleep(delay);
        if (trip->cancelled) {
            weft_task_uncancel(place->task);
        }
    }
    return 0;
}

static void end_sleeps(struct round_trip *trip)
{
    for (int k = 0; k < WAITERS && trip->cancelled; k++) {
        weft_task_cancel(trip->places[k].task);
    }
}

WEFT_ASYNC(cancel_main, (struct bench_run *, run), (bool, cancelled), (bool, sleeps))
{
    static struct round_trip trip;
    int64_t start;
    int r = 0;

    trip = (struct round_trip){ .rounds = run->count / WAITERS, .cancelled = cancelled };
    for (int k = 0; k < WAITERS; k++) {
        struct place *place = &trip.places[k];

        place->task = weft_create_task(sleeps ? sleeper(&trip, place) : future_waiter(&trip, place),
                                       NULL);
    }
    start = bench_worked();
    for (uint32_t i = 0; i < trip.rounds && r >= 0; i++) {
        r = weft_sleep(0);
        (sleeps ? end_sleeps : end_futures)(&trip);
    }
    for (int k = 0; k < WAITERS; k++) {
        int s = weft_await(trip.places[k].task);

        r = r < 0 ? r : s;
    }
    run->results[0] = bench_each(start, run->count);
    return r;
}

static int cancelled_futures(struct bench_run *run)
{
    return weft_run(cancel_main(run, true, false), NULL);
}

static int set_futures(struct bench_run *run)
{
    return weft_run(cancel_main(run, false, false), NULL);
}

const struct bench_workload bench_cancel_future = {
    .name = "cancel_future",
    .about = "a wait for a future ends by a cancel; 'plain': the future is set, by weft",
    .figures = { { "a cancelled wait for a future", "ns", { .times = 1 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = cancelled_futures,
    .plain = set_futures,
};

static int cancelled_sleeps(struct bench_run *run)
{
    return weft_run(cancel_main(run, true, true), NULL);
}

static int ended_sleeps(struct bench_run *run)
{
    return weft_run(cancel_main(run, false, true), NULL);
}

const struct bench_workload bench_cancel_sleep = {
    .name = "cancel_sleep",
    .about = "a sleep ends by a cancel; 'plain': its time comes, by weft",
    .figures = { { "a cancelled sleep", "ns", { .times = 1 } } },
    .count = 2000000,
    .count_quick = 2000,
    .weft = cancelled_sleeps,
    .plain = ended_sleeps,
};
