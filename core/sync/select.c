/* SPDX-License-Identifier: MIT
 * Select: looks, chooses, or waits for the first. */
#include "core/sync/clause.h"

#include <math.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_clause) == 120, "the public size");

int weft__clause_enter_queue(weft_clause *clause, weft_waitq *queue, void *value)
{
    struct weft__clause *in = weft__clause_of(clause);

    in->waiter.gave_up = NULL;
    in->waiter.value = value;
    return weft__any_add(&in->select->any, queue, &in->waiter);
}

void weft__clause_won(weft_clause *clause, int status)
{
    struct weft__select *select = weft__clause_of(clause)->select;

    select->won = clause;
    weft__any_end(&select->any, status);
}

/* Looks at each clause; returns how many could happen, or the error of one that cannot be used. */
static int look_at_all(struct weft__select *select)
{
    int ready = 0;

    for (size_t i = 0; i < select->n; i++) {
        weft_clause *clause = &select->clauses[i];
        struct weft__clause *in = weft__clause_of(clause);
        int r;

        if (clause->kind < 0 || (size_t)clause->kind >= weft__clause_kinds_count) {
            return -EINVAL;
        }
        in->kind = weft__clause_kinds[clause->kind];
        in->select = select;
        in->stands = in->is_pinned = false;
        r = in->kind->look(clause, select->any.task);
        if (r < 0) {
            return weft__misuse(r);
        }
        in->is_ready = r > 0;
        ready += r;
    }
    return ready;
}

/* Looks at those that a look costs a system call. */
static int look_closely(struct weft__select *select, int ready)
{
    for (size_t i = 0; i < select->n; i++) {
        struct weft__clause *in = weft__clause_of(&select->clauses[i]);
        int r = in->kind->look_closely ? in->kind->look_closely(&select->clauses[i]) : 0;

        if (r < 0) {
            return r;
        }
        if (r > 0) {
            in->is_ready = true;
            ready++;
        }
    }
    return ready;
}

/* One of those that could happen.  The golden ratio's multiples are spread evenly, whatever the
 * number of parts. */
static weft_clause *choose(struct weft__select *select, uint32_t ready)
{
    struct weft__loop *loop = select->any.task->loop;
    uint32_t skip = 0;

    if (ready > 1) {
        loop->fair += UINT32_C(0x9e3779b9);
        skip = (uint32_t)((uint64_t)loop->fair * ready >> 32);
    }
    for (weft_clause *clause = select->clauses;; clause++) {
        if (weft__clause_of(clause)->is_ready && skip-- == 0) {
            return clause;
        }
    }
}

/* Something has ended the wait: out of all that is no wait queue. */
static void leave(struct weft__any *any)
{
    struct weft__select *select = WEFT__CONTAINER(any, struct weft__select, any);

    weft__timers_remove(&any->task->loop->timers, &select->alarm.item);
    for (size_t i = 0; i < select->n; i++) {
        weft_clause *clause = &select->clauses[i];
        struct weft__clause *in = weft__clause_of(clause);

        if (in->stands && in->kind->leave) {
            in->kind->leave(clause);
        }
        in->stands = false;
    }
}

static void time_out(struct weft__alarm *alarm)
{
    weft__any_end(&WEFT__CONTAINER(alarm, struct weft__select, alarm)->any, -ETIMEDOUT);
}

static int arm(struct weft__select *select, double timeout)
{
    struct weft__loop *loop = select->any.task->loop;
    int64_t ns = 0;

    if (isinf(timeout)) {
        return 0;
    }
    (void)weft__seconds_to_ns(timeout, &ns);
    select->alarm.item.when = weft__time_after(weft__loop_now(loop), ns);
    return weft__timers_add(&loop->timers, &select->alarm.item);
}

/* Stands in line for all of them; 1: one, which is select->won, can happen at once after all. */
static int enter_all(struct weft__select *select, double timeout)
{
    int r = arm(select, timeout);

    for (size_t i = 0; i < select->n && r == 0; i++) {
        struct weft__clause *in = weft__clause_of(&select->clauses[i]);

        r = in->kind->enter(&select->clauses[i], select->any.task);
        in->stands = r == 0;
        if (r > 0) {
            select->won = &select->clauses[i];
        }
    }
    return r;
}

static void finish_all(struct weft__select *select)
{
    for (size_t i = 0; i < select->n; i++) {
        struct weft__clause *in = weft__clause_of(&select->clauses[i]);

        if (in->kind->fini) {
            in->kind->fini(&select->clauses[i]);
        }
    }
}

static const struct weft__wait wait_select = {
    "select", weft__any_interrupt, NULL,
    { { WEFT__SEES_COUNT, 0, -1, offsetof(struct weft__select, n) },
      { WEFT__SEES_WHEN, 0, -1, offsetof(struct weft__select, alarm.item.when) } }
};

/* Waits until one of them happens; returns its status, or why none did, with select->won NULL. */
static int wait_for_one(struct weft__select *select, double timeout)
{
    const weft_waiter *winner;
    int r = enter_all(select, timeout);

    if (r != 0) {
        weft__any_leave(&select->any);
        finish_all(select);
        return r < 0 ? r : 0;
    }
    r = weft__any_wait(&select->any, &wait_select);
    winner = select->any.winner;
    if (winner) {
        select->won = WEFT__CONTAINER(WEFT__CONTAINER(winner, struct weft__clause, waiter),
                                      weft_clause, priv);
    }
    finish_all(select);
    return r;
}

/* Nothing could happen, and there is no time to wait. */
static int only_looked(struct weft__task *task)
{
    weft__task_yield(task);
    return task->cancelled ? -ECANCELED : -ETIMEDOUT;
}

static int select_one(struct weft__select *select, double timeout)
{
    int ready = look_at_all(select), r;

    if (ready > 0 || (ready == 0 && timeout <= 0)) {
        ready = look_closely(select, ready);
    }
    if (ready < 0) {
        return ready;
    }
    if (ready == 0) {
        return timeout <= 0 ? only_looked(select->any.task) : wait_for_one(select, timeout);
    }
    select->won = choose(select, (uint32_t)ready);
    r = weft__clause_of(select->won)->kind->take(select->won);
    weft__task_spend_turn(select->any.task);
    return r;
}

int weft_select_array(weft_clause *clauses, size_t n, double timeout, int *ret_status)
{
    struct weft__select select = {
        .alarm = { .item = { .kind = WEFT__ITEM_ALARM }, .ring = time_out },
        .clauses = clauses,
        .n = n,
    };
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!task) {
        return weft__misuse(r);
    }
    if ((n > 0 && !clauses) || n > INT32_MAX || isnan(timeout)) {
        return -EINVAL;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    weft__any_init(&select.any, task, leave);
    r = select_one(&select, timeout);
    if (!select.won || (r < 0 && !ret_status)) {
        return r;
    }
    if (ret_status) {
        *ret_status = r;
    }
    return (int)(select.won - clauses);
}
