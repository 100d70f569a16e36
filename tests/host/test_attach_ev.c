/* SPDX-License-Identifier: MIT
 * Life inside a libev loop that is the program's: `attach_ev ev:direct`, `attach_ev ev:guest`. */
#include "tests/host/attach.h"

#include <ev.h>
#include <stdlib.h>

static struct ev_loop *host;

static void host_open(void)
{
    host = ev_loop_new(EVFLAG_NOENV);
}

static void *host_loop(void)
{
    return host;
}

/* Our watchers do not keep it alive, so something else has to. */
static void host_run(void)
{
    ev_ref(host);
    ev_run(host, 0);
    ev_unref(host);
}

static void host_quit(void)
{
    ev_break(host, EVBREAK_ONE);
}

static void host_look(void)
{
    ev_run(host, EVRUN_NOWAIT);
}

struct later {
    ev_timer timer;
    weft_callback *callback;
    void *arg;
};

static void on_later(struct ev_loop *on, ev_timer *timer, int events)
{
    struct later *later = (struct later *)timer;

    (void)on, (void)events;
    later->callback(later->arg);
    free(later);
}

static void host_after(int milliseconds, weft_callback *callback, void *arg)
{
    struct later *later = malloc(sizeof *later);

    later->callback = callback;
    later->arg = arg;
    ev_now_update(host);
    ev_timer_init(&later->timer, on_later, milliseconds / 1e3, 0.);
    ev_timer_start(host, &later->timer);
}

/* Nothing is left that would keep it alive, and nothing is missing: it does not wait now, and it
 * does with one watcher of its own. */
static void host_close(void)
{
    double began = ev_time();

    EQUAL(ev_pending_count(host), 0);
    EQUAL(ev_run(host, EVRUN_ONCE), 0);
    host_after(10, NOTED("last"));
    CHECK(ev_run(host, 0) == 0);
    CHECK(ev_time() - began >= 0.009);
    HAPPENED("last");
    ev_loop_destroy(host);
}

static void mark(void *ended)
{
    *(bool *)ended = true;
}

ATTACHED(the_host_ends_when_its_own_work_has)
{
    weft_task *task = weft_loop_create_task(loop, sleeps_then(0.05, 4), NULL);
    bool ended = false;

    host_after(2, mark, &ended);
    EQUAL(ev_run(host, 0), 0);
    CHECK(ended);
    CHECK(!weft_task_done(task));
    EQUAL(weft_loop_hold(loop, true), 0);
    EQUAL(weft_loop_hold(loop, true), 0); /* counts once */
    while (!weft_task_done(task)) {
        CHECK(ev_run(host, EVRUN_ONCE) != 0);
    }
    EQUAL(weft_loop_hold(loop, false), 0);
    EQUAL(ev_run(host, 0), 0);
    EQUAL(weft_task_status(task), 4);
    weft_task_unref(task);
}

ATTACHED(what_is_held_is_let_go_by_closing)
{
    EQUAL(weft_loop_hold(loop, true), 0);
    EQUAL(weft_loop_call_later(loop, 1e6, NOTED("never"), NULL), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("soon"), NULL), 0);
    host_look();
    host_look();
    HAPPENED("soon");
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), 0); /* closed before its turn */
}

static void on_native(struct ev_loop *on, ev_timer *timer, int events)
{
    (void)on, (void)events;
    EQUAL(weft_future_set_result(timer->data, NULL), 0);
}

IN_TASK(a_task_uses_the_library_on_our_own_loop)
{
    struct ev_loop *native = weft_loop_native(NULL);
    ev_timer timer;

    CHECK(native != NULL);
    ev_now_update(native);
    ev_timer_init(&timer, on_native, 0.002, 0.);
    timer.data = new_future();
    ev_timer_start(native, &timer);
    EQUAL(weft_await((weft_future *)timer.data), 0);
}

/* Debug mode does not say that nothing can happen: the library can make it. */
IN_TASK(what_the_library_will_do_is_no_deadlock)
{
    struct ev_loop *native = weft_loop_native(NULL);
    ev_timer timer;

    EQUAL(weft_debug_set(NULL, "deadlock"), 0);
    ev_now_update(native);
    ev_timer_init(&timer, on_native, 0.02, 0.);
    timer.data = new_future();
    ev_timer_start(native, &timer);
    EQUAL(weft_await((weft_future *)timer.data), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static void break_native(weft_task *task, void *native)
{
    (void)task;
    ev_break(native, EVBREAK_ONE);
}

IN_TASK(a_task_may_run_our_own_loop)
{
    struct ev_loop *native = weft_loop_native(NULL);
    weft_task *other = weft_create_task(sleeps_then(0.001, 7), NULL);

    EQUAL(weft_task_add_done_callback(other, break_native, native), 0);
    ev_run(native, 0);
    CHECK(weft_task_done(other));
    EQUAL(weft_await(other), 7);
}

/* The library's default loop would take it, and every child of the program with it. */
IN_TASK(nobody_waits_for_the_programs_children)
{
    struct sigaction action;

    EQUAL(sigaction(SIGCHLD, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
    CHECK(ev_is_default_loop(weft_loop_native(NULL)) == 0);
}

static CU_TestInfo tests[] = {
    ATTACH_TESTS,
    TEST(the_host_ends_when_its_own_work_has),
    TEST(what_is_held_is_let_go_by_closing),
    TEST(a_task_uses_the_library_on_our_own_loop),
    TEST(what_the_library_will_do_is_no_deadlock),
    TEST(a_task_may_run_our_own_loop),
    TEST(nobody_waits_for_the_programs_children),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(attach_ev, tests)
