/* SPDX-License-Identifier: MIT
 * Connecting to a name: the race, from its options to whoever wins. */
#include "core/io/connect.h"

#include "core/base/error.h"
#include "core/sched/misuse.h"

#include <math.h>
#include <stdio.h>

#define ATTEMPT_DELAY_NS (WEFT__SECOND / 4)     /* RFC 8305, section 5 */
#define RESOLUTION_DELAY_NS (WEFT__SECOND / 20) /* and section 3 */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_connect_options) == 64, "the public size");

/* ---- waiting ---- */

void weft__race_wake(struct weft__race *race)
{
    struct weft__task *task = race->task;

    if (task->waiting && task->target == race) {
        weft__timers_remove(&task->loop->timers, &task->item);
        weft__wake(task, 0);
    }
}

static void interrupt(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_race = {
    "a connection", interrupt, NULL,
    { { WEFT__SEES_TEXT, 0, -1, offsetof(struct weft__race, host) } }
};

static int park(struct weft__race *race, int64_t deadline)
{
    struct weft__task *task = race->task;
    int r;

    if (deadline != WEFT__NEVER) {
        weft__loop_set_deadline(task->loop, weft__loop_now(task->loop), deadline);
        task->item.when = deadline;
        r = weft__timers_add(&task->loop->timers, &task->item);
        if (r < 0) {
            return r;
        }
    }
    return weft__task_park(task, &wait_race, race);
}

/* ---- the race ---- */

static bool has_more(const struct weft__source *source)
{
    return source->info && source->next < source->info->count;
}

/* Whose turn it is; -1: nobody's, or not before *ret_when. */
static int choose(const struct weft__race *race, int64_t now, int64_t *ret_when)
{
    int other = race->source_count - 1;
    int turn = race->last < 0 || (race->last == 0 && race->first_taken < race->first_count) ?
                   0 :
                   other - race->last;

    if (!has_more(&race->sources[turn])) {
        turn = other - turn;
    }
    if (!has_more(&race->sources[turn])) {
        return -1;
    }
    if (race->last < 0 && turn > 0 && race->sources[0].lookup) {
        int64_t when = weft__time_after(race->sources[turn].found, race->resolution_delay);

        if (now < when) { /* the first family's addresses may come just now */
            *ret_when = when;
            return -1;
        }
    }
    return turn;
}

/* Begins what is due; returns when to look again. */
static int64_t begin_more(struct weft__race *race)
{
    int64_t now, when = WEFT__NEVER;

    for (;;) {
        int turn;

        now = weft__loop_now(race->task->loop);
        turn = choose(race, now, &when);
        if (turn < 0 || race->winner >= 0) {
            return when;
        }
        if (race->attempts && !race->last_failed) {
            when = weft__time_after(race->begun, race->attempt_delay);
            if (now < when) {
                return when;
            }
            when = WEFT__NEVER;
        }
        weft__race_begin(race, turn);
    }
}

static bool is_over(const struct weft__race *race)
{
    bool more = race->attempts != NULL;

    for (int i = 0; i < race->source_count; i++) {
        more |= race->sources[i].lookup || has_more(&race->sources[i]);
    }
    return race->winner >= 0 || !more;
}

static int run(struct weft__race *race)
{
    int r = 0;

    for (;;) {
        int64_t when;

        if (race->is_answered) {
            weft__race_take_answers(race);
        }
        if (race->is_told) {
            weft__race_take_results(race);
        }
        when = begin_more(race);
        if (is_over(race)) {
            return r;
        }
        r = park(race, when);
        if (r < 0) {
            return r;
        }
    }
}

/* Nobody has won: the error, with its words. */
static int lose(const struct weft__race *race)
{
    char more[32] = "";

    if (race->error == 0) {
        return weft__race_unknown(race);
    }
    if (race->untold > 0) {
        (void)snprintf(more, sizeof more, "; and %u more", race->untold);
    }
    return weft__detail(race->way ? race->way : race->error, "cannot connect to '%s' port %d: %s%s",
                        race->host ? race->host : "", race->port, race->words, more);
}

static int read_delay(double seconds, int64_t by_default, int64_t *ret_ns)
{
    *ret_ns = by_default;
    if (isnan(seconds)) {
        return -EINVAL;
    }
    if (seconds < 0) {
        *ret_ns = 0;
    }
    return seconds > 0 ? weft__seconds_to_ns(seconds, ret_ns) : 0;
}

/* Reads the options; -EINVAL. */
static int prepare(struct weft__race *race, const weft_connect_options *options)
{
    int r = read_delay(options->happy_eyeballs_delay, ATTEMPT_DELAY_NS, &race->attempt_delay);

    r = r < 0 ? r :
                read_delay(options->resolution_delay, RESOLUTION_DELAY_NS, &race->resolution_delay);
    if (r < 0 || race->port < 1 || race->port > 65535 || options->first_address_family_count < 0 ||
        (options->local && options->family && options->local->family != options->family)) {
        return -EINVAL;
    }
    race->first_count =
        options->first_address_family_count ? options->first_address_family_count : 1;
    race->local = options->local;
    race->end = &race->attempts;
    return 0;
}

int weft_connect_host(const char *host, int port, const weft_connect_options *options, int *ret_fd)
{
    static const weft_connect_options none;
    struct weft__race race = { .host = host, .port = port, .last = -1, .winner = -1 };
    int r = 0;

    options = options ? options : &none;
    race.task = weft__self(&r);
    if (!race.task) {
        return weft__misuse(r);
    }
    r = ret_fd ? prepare(&race, options) : -EINVAL;
    if (r < 0) {
        return r;
    }
    if (race.task->cancelled) {
        weft__task_yield(race.task);
        return -ECANCELED;
    }
    r = weft__race_look_up(&race, race.local ? race.local->family : options->family,
                           options->flags);
    r = r < 0 ? r : run(&race);
    weft__race_end_attempts(&race);
    weft__race_end_lookups(&race);
    if (r == 0 && race.winner < 0) {
        r = lose(&race);
    }
    if (r == 0) {
        *ret_fd = race.winner;
    }
    return r;
}
