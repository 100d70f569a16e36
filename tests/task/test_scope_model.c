/* SPDX-License-Identifier: MIT
 * Nested scopes against a small model of their rules: random trees, whose seeds are told.
 *
 * `task_scope_model BACKEND` tries many; WEFT_SEED=n tries that one. */
#include "tests/task/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 8
#define STEPS 120
#define SEEDS 500

enum kind { PLAIN, TIMEOUT, SHIELD, ON_CANCEL };

union scope {
    weft_scope plain;
    weft_timeout timeout;
    weft_shield shield;
    weft_on_cancel on_cancel;
};

/* What the model knows of a scope. */
struct expected {
    enum kind kind;
    bool cancelled, spent, fired, armed;
    double when, limit; /* a deadline, or the end of an armed shield */
    int calls;          /* what the real callback counted */
};

static struct expected model[DEPTH];
static union scope real[DEPTH];
static int depth, cancels;
static double clock_now;
static uint64_t seed, state;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static double draw_time(void)
{
    return 0.1 + draw(1000000) / 250000.0 + draw(1000) * 1e-8;
}

/* The rule. */
static bool cancelled_at(int scopes)
{
    for (int i = scopes - 1; i >= 0; i--) {
        if (model[i].cancelled || (model[i].kind == TIMEOUT && model[i].spent)) {
            return true;
        }
        if (model[i].kind == SHIELD && !model[i].spent) {
            return false;
        }
    }
    return cancels > 0;
}

/* After each change, the outermost first: shields that have something to keep off, callbacks. */
static void settle(void)
{
    for (int i = 0; i < depth; i++) {
        struct expected *s = &model[i];

        if (s->kind == SHIELD && !s->spent) {
            bool needed = cancelled_at(i);

            if (needed && !s->armed) {
                s->when = clock_now + s->limit;
                s->spent = s->limit <= 0;
            }
            s->armed = needed;
        }
        s->fired |= s->kind == ON_CANCEL && cancelled_at(i);
    }
}

/* What comes next: the index of a timeout or of an armed shield; -1. */
static int next_event(double before)
{
    int found = -1;

    for (int i = 0; i < depth; i++) {
        bool due = !model[i].spent && (model[i].kind == TIMEOUT || model[i].armed);

        if (due && model[i].when <= before) {
            before = model[i].when;
            found = i;
        }
    }
    return found;
}

/* A sleep; what it gives. */
static int sleep_in_model(double delay)
{
    double until = clock_now + delay;
    int i;

    if (cancelled_at(depth)) {
        return -ECANCELED;
    }
    while ((i = next_event(until)) >= 0) {
        clock_now = model[i].when;
        model[i].spent = true;
        settle();
        if (cancelled_at(depth)) {
            return -ECANCELED;
        }
    }
    clock_now = until;
    return 0;
}

/* Both do the same. */

static void enter(void)
{
    struct expected *s = &model[depth];
    union scope *r = &real[depth];
    double delay = draw(4) == 0 ? -1 : is_virtual() ? draw_time() : 1e6;
    double limit = draw(3) == 0 ? 0 : is_virtual() && draw(2) ? draw_time() : INFINITY;

    *s = (struct expected){ .kind = (enum kind)draw(4), .when = INFINITY, .limit = limit };
    depth++;
    switch (s->kind) {
    case PLAIN: EQUAL(weft_scope_enter(&r->plain), 0); break;
    case TIMEOUT:
        s->when = clock_now + delay;
        s->spent = delay <= 0;
        EQUAL(weft_timeout_enter(&r->timeout, delay), 0);
        break;
    case SHIELD: EQUAL(weft_shield_enter(&r->shield, limit), 0); break;
    case ON_CANCEL: EQUAL(weft_on_cancel_enter(&r->on_cancel, count_up, &s->calls), 0); break;
    }
    settle();
}

static void leave(void)
{
    static const int statuses[] = { 0, 7, -EIO, -ECANCELED, -ECANCELED };
    int status = statuses[draw(5)], expected = status, got = 0;
    struct expected *s = &model[depth - 1];
    union scope *r = &real[depth - 1];

    depth--;
    settle();
    if (s->kind == TIMEOUT && s->spent && status == -ECANCELED && !cancelled_at(depth)) {
        expected = -ETIMEDOUT;
    }
    switch (s->kind) {
    case PLAIN:
        got = weft_scope_exit(&r->plain, status);
        EQUAL(weft_scope_cancelled(&r->plain), s->cancelled);
        break;
    case TIMEOUT:
        got = weft_timeout_exit(&r->timeout, status);
        EQUAL(weft_timeout_expired(&r->timeout), s->spent);
        break;
    case SHIELD: got = weft_shield_exit(&r->shield, status); break;
    case ON_CANCEL:
        got = weft_on_cancel_exit(&r->on_cancel, status);
        EQUAL(s->calls, s->fired);
        break;
    }
    EQUAL(got, expected);
}

static void cancel_one(int i)
{
    if (model[i].kind == PLAIN) {
        EQUAL(weft_scope_cancel(&real[i].plain, NULL), 0);
        model[i].cancelled = true;
    } else if (model[i].kind == TIMEOUT) {
        double when = draw(2) ? clock_now - 1 : clock_now + (is_virtual() ? draw_time() : 1e6);
        bool past = when < clock_now;

        EQUAL(weft_timeout_reschedule(
                  &real[i].timeout,
                  past ? weft_loop_time(NULL) - 1 : weft_loop_time(NULL) + (when - clock_now)),
              model[i].spent ? -EALREADY : 0);
        model[i].when = when;
        model[i].spent |= past;
    }
    settle();
}

static void sleep_in_both(void)
{
    double delay = is_virtual() && draw(2) ? draw_time() : 0;
    int expected = sleep_in_model(delay);

    EQUAL(weft_sleep(delay), expected);
}

static void look(void)
{
    double earliest = INFINITY, told = weft_current_deadline();

    EQUAL(weft_cancelled(), cancelled_at(depth));
    for (int i = depth - 1; i >= 0; i--) {
        bool holds = model[i].kind == TIMEOUT || (model[i].armed && !model[i].spent);

        if (holds && model[i].when < earliest) {
            earliest = model[i].when;
        }
        if (model[i].kind == SHIELD && !model[i].spent) {
            break;
        }
    }
    if (cancelled_at(depth)) {
        CHECK(isinf(told) && told < 0);
    } else if (is_virtual() && !isinf(earliest)) {
        CHECK(fabs(told - weft_loop_time(NULL) - (earliest - clock_now)) < 1e-4);
    } else {
        CHECK(told > 1e5);
    }
}

static void step(void)
{
    weft_task *self = weft_current_task();

    switch (draw(8)) {
    case 0:
    case 1:
        if (depth < DEPTH) {
            enter();
        }
        break;
    case 2:
        if (depth > 0) {
            leave();
        }
        break;
    case 3:
        if (depth > 0) {
            cancel_one((int)draw((unsigned)depth));
        }
        break;
    case 4:
        if (draw(3) == 0) {
            EQUAL(weft_task_cancel(self), 0);
            cancels++;
            settle();
        }
        break;
    case 5:
        cancels -= cancels > 0;
        EQUAL(weft_task_uncancel(self), cancels);
        settle();
        break;
    default: sleep_in_both();
    }
    look();
}

/* A random walk; false when the model and weft differ. */
static bool walk(uint64_t from)
{
    unsigned before = CU_get_number_of_failures();

    seed = from;
    state = from * 2654435761u + 12345;
    depth = cancels = 0;
    clock_now = 0;
    for (int i = 0; i < STEPS; i++) {
        step();
        if (CU_get_number_of_failures() != before) {
            fprintf(stderr, "\nWEFT_SEED=%llu differs at step %d\n", (unsigned long long)seed, i);
            break;
        }
    }
    while (depth > 0) {
        leave();
    }
    while (cancels > 0) {
        EQUAL(weft_task_uncancel(weft_current_task()), --cancels);
    }
    EQUAL(weft_sleep(0), 0);
    return CU_get_number_of_failures() == before;
}

IN_TASK(random_trees_do_what_the_model_says)
{
    const char *one = getenv("WEFT_SEED");
    int n = many(SEEDS);

    if (one) {
        walk(strtoull(one, NULL, 10));
        return;
    }
    for (int i = 1; i <= n && walk((uint64_t)i); i++) {}
}

static CU_TestInfo tests[] = {
    TEST(random_trees_do_what_the_model_says),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(scope_model, tests)
