/* SPDX-License-Identifier: MIT
 * Debug mode: tasks that wait for each other, loops in which nothing can happen, tasks that ignore
 * a cancel, that starve, that use up their stacks, and calls from the wrong thread. */
#include "tests/task/debug.h"

#include <signal.h>

/* Locks. */

static weft_lock left_lock, right_lock;

WEFT_ASYNC(takes_both, (weft_lock *, first), (weft_lock *, second), (double, limit))
{
    weft_timeout timeout;
    int r = weft_lock_acquire(first);

    if (r < 0) {
        return r;
    }
    weft_sleep(0);
    weft_timeout_enter(&timeout, limit);
    r = weft_timeout_exit(&timeout, weft_lock_acquire(second));
    if (r >= 0) {
        weft_lock_release(second);
    }
    weft_lock_release(first);
    return r;
}

WEFT_ASYNC(takes_both_for_ever, (weft_lock *, first), (weft_lock *, second))
{
    int r = weft_lock_acquire(first);

    if (r < 0) {
        return r;
    }
    weft_sleep(0);
    r = weft_lock_acquire(second);
    if (r >= 0) {
        weft_lock_release(second);
    }
    weft_lock_release(first);
    return r;
}

static void free_locks(void)
{
    left_lock = right_lock = (weft_lock)WEFT_LOCK_INIT;
}

IN_TASK(two_that_want_each_others_lock)
{
    weft_task *left, *right;

    free_locks();
    watch_for("deadlock,made");
    left = named(takes_both_for_ever(&left_lock, &right_lock), "left");
    right = named(takes_both_for_ever(&right_lock, &left_lock), "right");
    give_way(5);
    EQUAL(told.status, -EDEADLK);
    TOLD_ABOUT(WEFT_REPORT_DEADLOCK, "right");
    EQUAL(told.others_count, 1);
    SAME(told.others[0].task_name, "left");
    SAME(told.others[0].waiting, "lock");
    CHECK((told.others[0].stack_count > 0) == knows_stacks_of_others());
    CHECK(told.others[0].made_count > 0);
    EQUAL(weft_task_cancel(left), 0);
    EQUAL(weft_await(left), -ECANCELED);
    EQUAL(weft_await(right), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(the_same_with_a_timeout_opens_by_itself)
{
    weft_task *left, *right;

    free_locks();
    watch_for("deadlock");
    left = named(takes_both(&left_lock, &right_lock, 0.01), "left");
    right = named(takes_both(&right_lock, &left_lock, 5), "right");
    EQUAL(weft_await(left), -ETIMEDOUT);
    EQUAL(weft_await(right), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(the_same_order_is_no_deadlock)
{
    weft_task *tasks[5];

    free_locks();
    watch_for("deadlock");
    for (int i = 0; i < 5; i++) {
        tasks[i] = weft_create_task(takes_both_for_ever(&left_lock, &right_lock), NULL);
    }
    for (int i = 0; i < 5; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Awaits. */

static weft_task *circle[3];

WEFT_ASYNC(awaits_next, (int, i))
{
    weft_sleep(0);
    return weft_await(weft_task_ref(circle[(i + 1) % 3]));
}

WEFT_ASYNC(gathers_next, (int, i))
{
    weft_sleep(0);
    return GATHER(0, NULL, WEFT_AWAITABLE(sleeps(0)),
                  WEFT_AWAITABLE(weft_task_ref(circle[(i + 1) % 3])));
}

WEFT_ASYNC(makes_a_circle)
{
    watch_for("deadlock");
    for (int i = 0; i < 3; i++) {
        char name[] = { (char)('a' + i), '\0' };

        circle[i] = named(i == 1 ? gathers_next(i) : awaits_next(i), name);
    }
    give_way(8);
    EQUAL(told.count, 1);
    EQUAL(told.kind, WEFT_REPORT_DEADLOCK);
    EQUAL(told.others_count, 2);
    return 0;
}

/* What is stuck so cannot be cancelled either, each waits until the next one has ended: so this is
 * a process that ends without them. */
static int runs_a_circle(void)
{
    loop = open_loop();
    return run(makes_a_circle());
}

ALONE(tasks_that_await_each_other_in_a_circle)
{
    EQUAL(in_child(runs_a_circle, NULL, 0), 0);
}

IN_TASK(a_chain_of_awaits_is_no_circle)
{
    weft_task *task = weft_create_task(sleeps(0.001), NULL);

    watch_for("deadlock");
    for (int i = 0; i < 100; i++) {
        task = weft_create_task(awaits_task(task), NULL);
    }
    EQUAL(weft_await(task), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Nothing can happen. */

WEFT_ASYNC(waits_for_a_future, (weft_future *, future))
{
    return weft_await(future);
}

static void tell_and_leave(weft_loop *from, const weft_report *report, void *arg)
{
    (void)from, (void)arg;
    fprintf(stderr, "%s: %s %s\n", report->message, report->others[0].coro,
            report->others[0].waiting);
    fflush(stderr);
    _exit(7);
}

static int waits_for_nothing_and_tells(void)
{
    weft_future *future = NULL;

    loop = open_loop();
    EQUAL(weft_debug_set(loop, "deadlock"), 0);
    EQUAL(weft_loop_set_exception_handler(loop, tell_and_leave, NULL), 0);
    EQUAL(weft_future_new(loop, &future), 0);
    alarm(20); /* should it not be told: the end */
    weft_loop_run_until_complete(loop, waits_for_a_future(future));
    return 0;
}

ALONE(a_loop_in_which_nothing_can_happen)
{
    char text[400];

    if (is_sanitized()) {
        return; /* the tool has threads of its own */
    }
    EQUAL(in_child(waits_for_nothing_and_tells, text, sizeof text), 7 << 8);
    SAME(text,
         "nothing can ever happen in this loop: no timer, no descriptor, no other thread, and "
         "1 task that waits: waits_for_a_future future\n");
}

static void *sets_it_later(void *future)
{
    usleep(20000);
    (void)future;
    EQUAL(weft_loop_call_soon_threadsafe(loop, set_future, future, NULL), 0);
    return NULL;
}

IN_LOOP(another_thread_may_make_something_happen)
{
    weft_future *future = NULL;
    pthread_t thread;

    if (is_virtual()) {
        return; /* there a thread has to be announced */
    }
    watch_for("deadlock");
    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(pthread_create(&thread, NULL, sets_it_later, future), 0);
    EQUAL(run(waits_for_a_future(future)), 0);
    pthread_join(thread, NULL);
    SILENT();
    EQUAL(weft_debug_set(loop, "0"), 0);
}

IN_LOOP(a_timer_will)
{
    watch_for("deadlock");
    EQUAL(run(sleeps(0.01)), 0);
    SILENT();
    EQUAL(weft_debug_set(loop, "0"), 0);
}

/* Cancellation. */

WEFT_ASYNC(does_not_stop)
{
    int refused = 0;

    while (refused < 40) {
        refused += weft_sleep(1) == -ECANCELED;
    }
    return 0;
}

IN_TASK(one_that_ignores_its_cancel)
{
    weft_task *task;

    watch_for("cancel,made");
    task = named(does_not_stop(), "stubborn");
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
    CHECK(strstr(told.what, "have returned -ECANCELED") != NULL);
    SAME(told.coro, "does_not_stop");
    CHECK(leads_to(told.stack, told.stack_count, "does_not_stop"));
    TOLD_ABOUT(WEFT_REPORT_CANCEL_IGNORED, "stubborn");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(stops_late)
{
    weft_sleep(1e6);
    weft_task_uncancel(weft_current_task());
    return weft_sleep(0.001);
}

WEFT_ASYNC(cleans_up)
{
    weft_task *parts[30];
    weft_shield shield;
    int r;

    for (int i = 0; i < 30; i++) {
        parts[i] = weft_create_task(stops_late(), NULL);
    }
    r = weft_sleep(1e6);
    for (int i = 0; i < 30; i++) { /* each is told to end, and awaited: that is cleanup */
        weft_await(parts[i]);
    }
    EQUAL(weft_shield_enter(&shield, 60), 0);
    for (int i = 0; i < 40; i++) {
        EQUAL(weft_sleep(0.0001), 0);
    }
    EQUAL(weft_shield_exit(&shield, 0), 0);
    for (int i = 0; i < 5; i++) {
        EQUAL(weft_sleep(0), -ECANCELED);
    }
    return r;
}

IN_TASK(one_that_cleans_up_is_not_told)
{
    weft_task *task;

    watch_for("cancel");
    task = named(cleans_up(), "tidy");
    weft_sleep(0.001);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(takes_it_back)
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    for (int i = 0; i < 50; i++) {
        EQUAL(weft_sleep(0), 0);
    }
    return 0;
}

IN_TASK(one_that_takes_its_cancel_back_is_not_told)
{
    weft_task *task;

    watch_for("cancel");
    task = named(takes_it_back(), "goes on");
    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Starvation. */

WEFT_ASYNC(is_one_of_many, (int, turns))
{
    while (turns-- > 0) {
        usleep(500);
        weft_sleep(0);
    }
    return 0;
}

IN_TASK(tasks_that_are_too_many_to_have_their_turns)
{
    weft_task *tasks[100];

    watch_for("starve=20ms");
    for (int i = 0; i < 100; i++) {
        tasks[i] = weft_create_task(is_one_of_many(2), NULL);
    }
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    CHECK(told.count >= 1);
    EQUAL(told.kind, WEFT_REPORT_STARVED);
    CHECK(told.seconds >= 0.02);
    CHECK(strstr(told.what, "turns of others came first") != NULL);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(many_quick_ones_do_not_starve)
{
    weft_task *tasks[200];

    watch_for("starve=10s"); /* whatever the machine does meanwhile */
    for (int i = 0; i < 200; i++) {
        tasks[i] = weft_create_task(sleeps(0), NULL);
    }
    for (int i = 0; i < 200; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(weft_sleep(0.02), 0); /* to sleep is not to starve */
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Threads. */

static void *uses_the_loop(void *task)
{
    EQUAL(weft_task_cancel(task), -EXDEV);
    return NULL;
}

static void *asks_the_loop(void *unused)
{
    EQUAL(weft_loop_is_running(loop), true);
    EQUAL(weft_loop_is_closed(loop), false);
    CHECK(weft_loop_time(loop) > 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, noted, (void *)"posted", NULL), 0);
    return unused;
}

IN_TASK(a_call_from_the_wrong_thread)
{
    weft_task *task = named(sleeps(0.001), "elsewhere");

    watch_for("thread");
    in_thread(uses_the_loop, task);
    SILENT(); /* the handler is the loop's, and so it is called there */
    EQUAL(weft_await(task), 0);
    EQUAL(told.count, 1);
    EQUAL(told.kind, WEFT_REPORT_WRONG_THREAD);
    EQUAL(told.status, -EXDEV);
    CHECK(leads_to(told.stack, told.stack_count, "uses_the_loop"));
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(is_used_elsewhere)
{
    weft_task *task = named(sleeps(0.001), "elsewhere");

    in_thread(uses_the_loop, task);
    return weft_await(task);
}

static int prints_a_wrong_thread(void)
{
    return weft_run(is_used_elsewhere(),
                    &(weft_run_options){ .backend = backend(), .debug_words = "thread" });
}

ALONE(the_call_that_was_made_there_is_named)
{
    char text[4000];

    EQUAL(in_child(prints_a_wrong_thread, text, sizeof text), 0);
    CHECK(strstr(text, "in a thread that is not its own") != NULL);
    if (strstr(text, "uses_the_loop (")) { /* somebody knows the names */
        CHECK(strstr(text, "there     weft_task_cancel\n") != NULL);
    }
}

IN_TASK(calls_that_are_for_all_threads)
{
    watch_for("thread");
    in_thread(asks_the_loop, NULL);
    EQUAL(weft_sleep(0.001), 0);
    HAPPENED("posted");
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Stacks. */

static int digs(size_t bytes);
static int (*volatile dig)(size_t bytes) = digs; /* or clang makes a loop of it */

static int digs(size_t bytes)
{
    volatile char room[4096];

    for (size_t i = 0; i < sizeof room; i++) {
        room[i] = 1;
    }
    return bytes > sizeof room ? dig(bytes - sizeof room) + room[7] : room[9];
}

WEFT_ASYNC(needs, (size_t, bytes))
{
    return digs(bytes) > 0 ? 0 : -EIO;
}

IN_TASK(one_that_has_nearly_used_up_its_stack)
{
    if (WEFT__ASAN || WEFT__TSAN) {
        return; /* their frames are larger */
    }
    watch_for("stack");
    EQUAL(weft_await(named(needs(118 << 10), "deep")), 0);
    TOLD_ABOUT(WEFT_REPORT_STACK_HIGH, "deep");
    CHECK(strstr(told.message, "of 128 KiB of its stack") != NULL);
    CHECK(strstr(told.message, "should be 256 KiB") != NULL);
    EQUAL(weft_await(named(needs(1000), "shallow, on the same stack")), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(one_that_has_half_of_it_left)
{
    watch_for("stack");
    EQUAL(weft_await(named(needs(60 << 10), "fine")), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(has_deep_and_shallow_ones)
{
    EQUAL(weft_await(weft_create_task(needs(50 << 10), NULL)), 0);
    EQUAL(weft_await(weft_create_task(sleeps(0), NULL)), 0);
    EQUAL(weft_await(weft_create_task(needs(1000), NULL)), 0);
    return 0;
}

static void keep_depths(weft_loop *from, const weft_report *report, void *arg)
{
    (void)from, (void)arg;
    EQUAL(report->kind, WEFT_REPORT_STACK_DEPTH);
    EQUAL(report->others_count, 3);
    for (uint32_t i = 0; i < report->others_count; i++) {
        const weft_report *other = &report->others[i];
        unsigned used = 0, tasks = 0;

        EQUAL(sscanf(other->message, "used at most %u of 128 KiB in %u task", &used, &tasks), 2);
        if (strcmp(other->coro, "needs") == 0) {
            CHECK(used >= 50 && used <= 100);
            EQUAL(tasks, 2);
            CHECK(WEFT__ASAN || strstr(other->message, "128 KiB would do") != NULL);
        } else if (strcmp(other->coro, "sleeps") == 0) {
            CHECK(used <= 24);
            EQUAL(tasks, 1);
            CHECK(strstr(other->message, "64 KiB would do") != NULL);
        }
    }
    note("told");
}

IN_LOOP(how_deep_all_were_is_told_at_the_end)
{
    EQUAL(weft_debug_set(loop, "depth"), 0);
    EQUAL(weft_loop_set_exception_handler(loop, keep_depths, NULL), 0);
    EQUAL(run(has_deep_and_shallow_ones()), 0);
    close_loop();
    HAPPENED("told");
}

static CU_TestInfo tests[] = {
    TEST(two_that_want_each_others_lock),
    TEST(the_same_with_a_timeout_opens_by_itself),
    TEST(the_same_order_is_no_deadlock),
    TEST(tasks_that_await_each_other_in_a_circle),
    TEST(a_chain_of_awaits_is_no_circle),
    TEST(a_loop_in_which_nothing_can_happen),
    TEST(another_thread_may_make_something_happen),
    TEST(a_timer_will),
    TEST(one_that_ignores_its_cancel),
    TEST(one_that_cleans_up_is_not_told),
    TEST(one_that_takes_its_cancel_back_is_not_told),
    TEST(tasks_that_are_too_many_to_have_their_turns),
    TEST(many_quick_ones_do_not_starve),
    TEST(a_call_from_the_wrong_thread),
    TEST(the_call_that_was_made_there_is_named),
    TEST(calls_that_are_for_all_threads),
    TEST(one_that_has_nearly_used_up_its_stack),
    TEST(one_that_has_half_of_it_left),
    TEST(how_deep_all_were_is_told_at_the_end),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_stuck, tests)
