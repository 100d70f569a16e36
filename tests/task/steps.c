/* SPDX-License-Identifier: MIT
 * Cancelling at every step. */
#include "core/sched/loop.h"
#include "core/sched/timer.h"
#include "tests/task/steps.h"

#include <math.h>
#include <string.h>

#define STEPS_MAX 5000
#define MOMENTS_MAX 300
#define LOOK 1e-9 /* seconds: a timer that comes with the next look at the descriptors */

enum sweep { CANCEL, SCOPE, GROUP, TIMEOUT };
static const char *const sweep_names[] = { "cancel", "scope", "group", "timeout" };

/* One run. */
static struct {
    step_scenario *scenario;
    const char *name;
    enum sweep sweep;
    int step;        /* when to strike; -1: never */
    double deadline; /* TIMEOUT: from the start */
    bool struck, over;
    int status;
    double start, moments[MOMENTS_MAX]; /* when something happened */
    int count;
    weft_scope scope;
    weft_task_group group;
} a_run;

int step_balance;
void (*step_settle)(void);

WEFT_ASYNC(in_a_scope)
{
    int r = weft_scope_enter(&a_run.scope);

    return r < 0 ? r : weft_scope_exit(&a_run.scope, weft_await(a_run.scenario()));
}

WEFT_ASYNC(in_a_group)
{
    int status = -ENODATA, r = weft_task_group_enter(&a_run.group);

    weft_task_group_create_task(&a_run.group, a_run.scenario(),
                                &(weft_task_options){ .ret_status = &status });
    r = weft_task_group_exit(&a_run.group, 0);
    EQUAL(r, status < 0 && status != -ECANCELED ? status : 0);
    return status;
}

WEFT_ASYNC(in_a_timeout)
{
    weft_timeout limit;
    int r = weft_timeout_enter(&limit, a_run.deadline);

    return r < 0 ? r : weft_timeout_exit(&limit, weft_await(a_run.scenario()));
}

static weft_coro *wrapped(void)
{
    switch (a_run.sweep) {
    case SCOPE: return in_a_scope();
    case GROUP: return in_a_group();
    case TIMEOUT: return in_a_timeout();
    default: return a_run.scenario();
    }
}

static void remember_moment(void)
{
    double moment = weft_loop_time(NULL) - a_run.start;

    if (a_run.count < MOMENTS_MAX &&
        (a_run.count == 0 || moment > a_run.moments[a_run.count - 1] + 1e-5)) {
        a_run.moments[a_run.count++] = moment;
    }
}

/* Whether somebody but the driver is ready; a look at the descriptors may find him. */
static bool is_anybody_ready(void)
{
    if (!weft__running->first && weft__running->watches_used) {
        weft_sleep(LOOK);
    }
    return weft__running->first;
}

/* Lets one step go by. */
static void pass(void)
{
    bool is_ready = is_anybody_ready();
    int64_t next = weft__timers_next(&weft__running->timers);
    double wait = 0;

    if (!is_ready) {
        wait = next < WEFT__NEVER ? (double)(next - weft__loop_now(weft__running)) / 1e9 : 0.001;
    }
    weft_sleep(wait);
    remember_moment();
}

static void strike(weft_task *task)
{
    a_run.struck = true;
    if (a_run.sweep == CANCEL) {
        EQUAL(weft_task_cancel(task), 0);
    } else if (a_run.sweep == SCOPE) {
        weft_scope_cancel(&a_run.scope, NULL); /* -EINVAL: it has not begun, or is about to end */
    } else if (a_run.sweep == GROUP) {
        weft_task_group_cancel(&a_run.group);
    }
}

WEFT_ASYNC(drives)
{
    weft_task *task;

    a_run.start = weft_loop_time(NULL);
    task = weft_create_task(wrapped(), NULL);
    for (int i = 0; i < STEPS_MAX && !weft_task_done(task); i++) {
        if (i == a_run.step) {
            strike(task);
        }
        pass();
    }
    CHECK(weft_task_done(task));
    a_run.status = weft_await(task);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    CHECK(weft__timers_next(&weft__running->timers) == WEFT__NEVER);
    return 0;
}

static void look_at(bool holds, const char *what, int value)
{
    char words[240];

    if (!holds) {
        snprintf(words, sizeof words, "%s, %s at step %d (%g s): %s %d %s", a_run.name,
                 sweep_names[a_run.sweep], a_run.step, a_run.deadline, what, value,
                 value < 0 ? weft_err_name(value) : "");
        check(false, words, __FILE__, __LINE__);
    }
}

static bool is_allowed(int status, const int *allowed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (status == allowed[i] ||
            (a_run.sweep == TIMEOUT && status == -ETIMEDOUT && allowed[i] == -ECANCELED)) {
            return true;
        }
    }
    return false;
}

static void run_once(const int *allowed, size_t n)
{
    int descriptors = open_descriptors();
    size_t live = live_blocks();
    weft_loop *made = open_loop();

    a_run.struck = false;
    a_run.count = 0;
    step_balance = 0;
    memset(&a_run.scope, 0, sizeof a_run.scope);
    memset(&a_run.group, 0, sizeof a_run.group);
    EQUAL(weft_loop_run_until_complete(made, drives()), 0);
    EQUAL(weft_loop_close(made), 0);
    if (step_settle) {
        step_settle();
    }
    look_at(is_allowed(a_run.status, allowed, n), "status", a_run.status);
    look_at(step_balance == 0, "balance", step_balance);
    look_at(open_descriptors() == descriptors, "descriptors", open_descriptors() - descriptors);
    look_at(live_blocks() == live, "blocks", (int)(live_blocks() - live));
    look_at(reports_left() == 0, "reports", reports_left());
    while (reports_left()) {
        const struct said *said = next_report();

        look_at(false, said->message, said->kind);
    }
}

static int strike_at_every_step(enum sweep sweep, const int *allowed, size_t n)
{
    a_run.sweep = sweep;
    a_run.deadline = 0;
    for (a_run.step = 0; a_run.step < STEPS_MAX; a_run.step++) {
        run_once(allowed, n);
        if (!a_run.struck) {
            break;
        }
    }
    CHECK(a_run.step > 0 && a_run.step < STEPS_MAX);
    return a_run.step + 1;
}

static int expire_at_every_moment(const int *allowed, size_t n)
{
    double moments[MOMENTS_MAX];
    int count;

    a_run.sweep = TIMEOUT;
    a_run.step = -1;
    a_run.deadline = INFINITY;
    run_once(allowed, n);
    count = a_run.count;
    memcpy(moments, a_run.moments, sizeof moments);
    for (int i = 0; i < 2 * count; i++) {
        double before = i / 2 ? moments[i / 2 - 1] : 0;

        a_run.deadline = i % 2 ? moments[i / 2] : (before + moments[i / 2]) / 2;
        run_once(allowed, n);
    }
    return 1 + 2 * count;
}

int at_every_step(step_scenario *scenario, const char *name, const int *allowed, size_t n)
{
    int runs = 0;

    a_run.scenario = scenario;
    a_run.name = name;
    for (enum sweep sweep = CANCEL; sweep <= GROUP; sweep++) {
        runs += strike_at_every_step(sweep, allowed, n);
    }
    return runs + expire_at_every_moment(allowed, n);
}
