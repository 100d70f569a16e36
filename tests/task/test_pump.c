/* SPDX-License-Identifier: MIT
 * Loops that are pumped: from outside, as a host does that has no plugin, and from within a turn,
 * as one does that a task has run again. */
#include "tests/task/task.h"

#include <math.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Whether the loop has a descriptor for a host. */
static bool has_fd(void)
{
    return weft_loop_fd(loop) >= 0;
}

static bool is_readable(int fd)
{
    struct pollfd watched = { .fd = fd, .events = POLLIN };

    return poll(&watched, 1, 0) == 1;
}

/* Pumps until nothing is ready: on a slow machine its millisecond may be over before. */
static int pump(weft_loop *which)
{
    int r = 1;

    for (int i = 0; i < 100 && r == 1; i++) {
        r = weft_loop_pump(which);
    }
    return r;
}

/* What a host does: pumps until `task` has ended. */
static int pump_until_done(weft_task *task)
{
    while (!weft_task_done(task)) {
        int r = weft_loop_pump(loop);

        if (r < 0) {
            return r;
        }
        if (is_virtual() && r == 0 && !weft_task_done(task)) {
            return -EDEADLK; /* that clock jumps while it waits, and a pump does not wait */
        }
    }
    return weft_task_status(task);
}

IN_LOOP(a_pump_gives_turns_to_what_is_ready)
{
    weft_task *task = weft_loop_create_task(loop, notes("task"), NULL);

    EQUAL(weft_loop_call_soon(loop, NOTED("callback"), NULL), 0);
    HAPPENED("");
    EQUAL(pump(loop), 0);
    HAPPENED("task callback");
    EQUAL(weft_task_status(task), 0);
    weft_task_unref(task);
    EQUAL(pump(loop), 0);
}

IN_LOOP(a_pump_keeps_time)
{
    weft_task *task = weft_loop_create_task(loop, sleeps_then(0.002, 7), NULL);

    if (!is_virtual()) {
        EQUAL(pump_until_done(task), 7);
    } else {
        EQUAL(pump_until_done(task), -EDEADLK);
        EQUAL(weft_loop_run_until_complete(loop, weft_task_ref(task)), 7);
    }
    weft_task_unref(task);
}

static void count_and_go_on(void *counter)
{
    count_up(counter);
    EQUAL(weft_loop_call_soon(NULL, count_and_go_on, counter, NULL), 0);
}

IN_LOOP(a_pump_ends_though_something_is_always_ready)
{
    int count = 0;

    EQUAL(weft_loop_call_soon(loop, count_and_go_on, &count, NULL), 0);
    EQUAL(weft_loop_pump(loop), 1);
    CHECK(count > 10);
}

IN_LOOP(a_pump_takes_what_other_threads_post)
{
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("posted"), NULL), 0);
    EQUAL(pump(loop), 0);
    HAPPENED("posted");
}

static void sees_its_turn(void *unused)
{
    (void)unused;
    CHECK(weft_loop_is_running(loop));
    CHECK(weft_get_running_loop() == loop);
    EQUAL(weft_loop_close(loop), -EBUSY);
    EQUAL(weft_loop_run_forever(loop), -EBUSY);
    note("turn");
}

IN_LOOP(the_loop_runs_while_it_is_pumped)
{
    EQUAL(weft_loop_call_soon(loop, sees_its_turn, NULL, NULL), 0);
    EQUAL(pump(loop), 0);
    HAPPENED("turn");
    CHECK(!weft_loop_is_running(loop));
    CHECK(!weft_get_running_loop());
}

IN_LOOP(a_loop_that_was_pumped_runs)
{
    EQUAL(pump(loop), 0);
    EQUAL(run(sleeps_then(0.001, 4)), 4);
    EQUAL(pump(loop), 0);
}

static void stop_and_note(void *unused)
{
    stop_loop(unused);
    note("stop");
}

IN_LOOP(a_stop_ends_a_pump_and_not_the_next)
{
    EQUAL(weft_loop_call_soon(loop, stop_and_note, NULL, NULL), 0);
    EQUAL(pump(loop), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("next"), NULL), 0);
    EQUAL(pump(loop), 0);
    HAPPENED("stop next");
}

/* From within. */

WEFT_ASYNC(pumps, (int, depth))
{
    int r;

    note("[");
    r = depth ? weft_loop_pump(NULL) : 0;
    CHECK(weft_current_task() != NULL);
    note("]");
    return r;
}

IN_TASK(others_have_turns_while_a_task_pumps)
{
    weft_task *a = weft_create_task(notes("a"), NULL), *b = weft_create_task(notes("b"), NULL);

    EQUAL(pump(NULL), 0);
    HAPPENED("a b");
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
}

IN_TASK(pumps_nest_like_calls)
{
    weft_task *tasks[4];

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(pumps(i < 3), NULL);
    }
    EQUAL(pump(NULL), 0);
    HAPPENED("[ [ [ [ ] ] ] ]");
    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
}

IN_TASK(a_task_that_pumps_waits_afterwards_as_ever)
{
    weft_task *other = weft_create_task(sleeps_then(0.001, 3), NULL);

    EQUAL(pump(NULL), 0);
    EQUAL(weft_await(other), 3);
    EQUAL(pump(NULL), 0);
    EQUAL(weft_sleep(0.001), 0);
}

WEFT_ASYNC(wakes_then_sleeps, (weft_future *, future))
{
    EQUAL(weft_future_set_result(future, NULL), 0);
    note("set");
    EQUAL(weft_sleep(0), 0);
    note("ended");
    return 0;
}

IN_TASK(those_who_wait_are_woken_within_a_pump)
{
    weft_future *future = new_future();
    weft_task *waiter = weft_create_task(awaits_future(future), NULL);
    weft_task *setter = weft_create_task(wakes_then_sleeps(future), NULL);

    EQUAL(pump(NULL), 0);
    HAPPENED("set ended");
    CHECK(weft_task_done(waiter));
    EQUAL(weft_await(waiter), 0);
    EQUAL(weft_await(setter), 0);
}

static void pump_in_callback(void *unused)
{
    (void)unused;
    note("(");
    EQUAL(pump(NULL), 0);
    CHECK(!weft_current_task());
    note(")");
}

IN_LOOP(a_callback_pumps_too)
{
    EQUAL(weft_loop_call_soon(loop, pump_in_callback, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(loop, pump_in_callback, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("x"), NULL), 0);
    EQUAL(run(gives(0)), 0);
    HAPPENED("( ( x ) )");
}

static void create_eagerly(void *unused)
{
    weft_task_options eager = { .eager_start = true };

    (void)unused;
    note("create");
    EQUAL(weft_task_detach(weft_create_task(pumps(1), &eager)), 0);
    CHECK(!weft_current_task());
    note("created");
}

IN_LOOP(a_task_that_was_started_eagerly_by_a_callback_pumps)
{
    EQUAL(weft_loop_call_soon(loop, create_eagerly, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(loop, NOTED("x"), NULL), 0);
    EQUAL(run(sleeps(0.001)), 0);
    HAPPENED("create [ x ] created");
}

WEFT_ASYNC(pumps_deeper, (int *, deepest), (int, depth))
{
    weft_task *next = NULL;

    if (*deepest) {
        return 0;
    }
    next = weft_create_task(pumps_deeper(deepest, depth + 1), NULL);
    if (weft_loop_pump(NULL) == -ELOOP) {
        *deepest = depth;
    }
    return weft_await(next);
}

IN_LOOP(at_sixteen_pumps_it_ends)
{
    int deepest = 0;
    weft_task *task = weft_loop_create_task(loop, pumps_deeper(&deepest, 1), NULL);

    EQUAL(pump(loop), 0);
    EQUAL(deepest, 16);
    EQUAL(weft_task_status(task), 0);
    weft_task_unref(task);
}

/* Where no turn can be given. */

static int at_the_end;

static void pump_at_the_end(void *unused, weft_task *task, int status)
{
    (void)unused, (void)task, (void)status;
    at_the_end = weft_loop_pump(NULL);
}

IN_TASK(while_a_task_is_being_ended_there_is_no_pump)
{
    static const weft_loop_hooks hooks = { .size = sizeof hooks, .task_ended = pump_at_the_end };

    at_the_end = 0;
    EQUAL(weft_loop_add_hooks(NULL, &hooks, NULL), 0);
    EQUAL(weft_await(weft_create_task(sleeps(0), NULL)), 0);
    EQUAL(at_the_end, -EBUSY);
    EQUAL(weft_loop_remove_hooks(NULL, &hooks, NULL), 0);
}

static void *asks_from_elsewhere(void *unused)
{
    EQUAL(weft_loop_fd(loop), -EXDEV);
    EQUAL(weft_loop_pump(loop), -EXDEV);
    EQUAL(weft_loop_hold(loop, true), -EXDEV);
    return unused;
}

IN_TASK(another_thread_keeps_off)
{
    in_thread(asks_from_elsewhere, NULL);
}

/* Another loop's turn within ours. */

static void pump_other(void *other)
{
    note("{");
    EQUAL(pump(other), 0);
    CHECK(weft_get_running_loop() == loop);
    note("}");
}

static void touch_outer(void *unused)
{
    (void)unused;
    CHECK(weft_get_running_loop() != loop);
    EQUAL(weft_loop_call_soon(loop, NOTED("outer"), NULL), 0);
    EQUAL(weft_loop_close(loop), -EBUSY);
}

IN_LOOP(loops_have_turns_within_each_other)
{
    weft_loop *other = open_loop();

    EQUAL(weft_loop_call_soon(loop, pump_other, other, NULL), 0);
    EQUAL(weft_loop_call_soon(other, NOTED("inner"), NULL), 0);
    EQUAL(weft_loop_call_soon(other, touch_outer, NULL, NULL), 0);
    EQUAL(run(sleeps(0.001)), 0);
    HAPPENED("{ inner } outer");
    EQUAL(weft_loop_close(other), 0);
}

/* For a host without a plugin. */

IN_LOOP(the_descriptor_tells_when_to_pump)
{
    int fd = weft_loop_fd(loop), event;

    if (!has_fd()) {
        EQUAL(fd, -EOPNOTSUPP);
        return;
    }
    EQUAL(pump(loop), 0);
    CHECK(!is_readable(fd));
    EQUAL(weft_loop_call_soon(loop, NOTED("soon"), NULL), 0);
    CHECK(is_readable(fd));
    EQUAL(pump(loop), 0);
    CHECK(!is_readable(fd));
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("posted"), NULL), 0);
    CHECK(is_readable(fd));
    EQUAL(pump(loop), 0);
    CHECK(!is_readable(fd));
    HAPPENED("soon posted");
    event = eventfd(1, EFD_CLOEXEC);
    EQUAL(weft_loop_add_reader(loop, event, NOTED("event")), 0);
    EQUAL(pump(loop), 0);
    CHECK(is_readable(fd));
    EQUAL(weft_loop_remove_reader(loop, event), 1);
    close(event);
    HAPPENED("event");
}

IN_LOOP(the_descriptor_stays_readable_while_something_is_ready)
{
    int fd = weft_loop_fd(loop), count = 0;

    if (has_fd()) {
        EQUAL(weft_loop_call_soon(loop, count_and_go_on, &count, NULL), 0);
        EQUAL(weft_loop_pump(loop), 1);
        CHECK(is_readable(fd));
        EQUAL(weft_loop_pump(loop), 1);
        CHECK(is_readable(fd));
    }
}

IN_LOOP(the_next_deadline_is_that_of_the_earliest_timer)
{
    double now = weft_loop_time(loop);

    CHECK(isinf(weft_loop_next_deadline(loop)));
    EQUAL(weft_loop_call_at(loop, now + 100, NOTED("late"), NULL), 0);
    EQUAL(weft_loop_call_at(loop, now + 50, NOTED("early"), NULL), 0);
    CHECK(fabs(weft_loop_next_deadline(loop) - now - 50) < 1e-6);
    EQUAL(weft_loop_call_soon(loop, NOTED("now"), NULL), 0);
    CHECK(weft_loop_next_deadline(loop) <= now);
    EQUAL(pump(loop), 0);
    HAPPENED("now");
    CHECK(weft_loop_next_deadline(loop) > now);
}

/* Or a host that does as it is told would come again at once, for ever. */
IN_LOOP(to_ask_when_to_come_is_no_reason_to_come)
{
    weft_task *task = weft_loop_create_task(loop, sleeps(50), NULL);
    weft_future *future = NULL;
    int fd = weft_loop_fd(loop);

    EQUAL(weft_future_new(loop, &future), 0);
    EQUAL(pump(loop), 0);
    EQUAL(pump(loop), 0);
    for (int i = 0; i < 3 && fd >= 0; i++) {
        CHECK(weft_loop_next_deadline(loop) > weft_loop_time(loop) + 1);
        CHECK(!weft_task_done(task) && !weft_task_cancelled(task));
        CHECK(!weft_future_done(future) && !weft_future_cancelled(future));
        EQUAL(weft_task_status(task), -EINPROGRESS);
        EQUAL(weft_future_status(future), -EINPROGRESS);
        CHECK(!is_readable(fd));
        EQUAL(pump(loop), 0);
        CHECK(!is_readable(fd));
    }
    EQUAL(weft_task_cancel(task), 0);
    CHECK(weft_loop_next_deadline(loop) <= weft_loop_time(loop));
    CHECK(fd < 0 || is_readable(fd));
    EQUAL(pump(loop), 0);
    EQUAL(weft_task_status(task), -ECANCELED);
    weft_task_unref(task);
    EQUAL(weft_future_set_result(future, NULL), 0);
    weft_future_unref(future);
}

WEFT_ASYNC(awaits, (weft_future *, future))
{
    return weft_await(future);
}

/* Between two pumps it may take its time, and make something happen at last. */
IN_LOOP(what_a_host_does_is_no_turn_of_ours)
{
    weft_loop_metrics metrics = { .size = sizeof metrics };
    weft_future *future = NULL;
    weft_task *task;

    if (is_virtual()) {
        return;
    }
    EQUAL(weft_debug_set(loop, "slow=90ms,deadlock,turns"), 0);
    EQUAL(weft_future_new(loop, &future), 0);
    task = weft_loop_create_task(loop, awaits(future), NULL);
    EQUAL(pump(loop), 0);
    usleep(250000);
    EQUAL(weft_future_set_result(future, NULL), 0);
    EQUAL(pump(loop), 0);
    EQUAL(weft_task_status(task), 0);
    weft_task_unref(task);
    EQUAL(weft_loop_get_metrics(loop, &metrics), 0);
    CHECK(metrics.waiting >= 0.249);
    CHECK(metrics.longest < 0.249);
    EQUAL(weft_debug_set(loop, "0"), 0);
}

static void *uses_it_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_pump(loop), -EXDEV);
    EQUAL(weft_loop_call_soon(loop, NOTED("never"), NULL), -EXDEV);
    EQUAL(weft_loop_close(loop), -EXDEV);
    EQUAL(weft_loop_call_soon_threadsafe(loop, NOTED("posted"), NULL), 0);
    return NULL;
}

IN_LOOP(a_loop_with_a_host_belongs_to_one_thread)
{
    if (has_fd()) {
        EQUAL(pump(loop), 0);
        in_thread(uses_it_elsewhere, NULL);
        EQUAL(pump(loop), 0);
        HAPPENED("posted");
    }
}

ALONE(without_a_loop_nothing_is_pumped)
{
    EQUAL(weft_loop_pump(NULL), -EPERM);
    EQUAL(weft_loop_fd(NULL), -EPERM);
    EQUAL(weft_loop_hold(NULL, true), -EPERM);
    EQUAL(weft_loop_on_closed(NULL, NULL, NULL), -EPERM);
    CHECK(isnan(weft_loop_next_deadline(NULL)));
    CHECK(!weft_loop_native(NULL));
}

ALONE(a_closed_loop_is_not_pumped)
{
    weft_loop *gone = open_loop();

    EQUAL(weft_loop_on_closed(gone, NOTED("closed")), 0);
    EQUAL(weft_loop_close(gone), 0);
    HAPPENED("closed");
    EQUAL(weft_loop_pump(gone), -EBADF);
    EQUAL(weft_loop_fd(gone), -EBADF);
    EQUAL(weft_loop_hold(gone, true), -EBADF);
    CHECK(isnan(weft_loop_next_deadline(gone)));
    CHECK(!weft_loop_native(gone));
}

static CU_TestInfo tests[] = {
    TEST(a_pump_gives_turns_to_what_is_ready),
    TEST(a_pump_keeps_time),
    TEST(a_pump_ends_though_something_is_always_ready),
    TEST(a_pump_takes_what_other_threads_post),
    TEST(the_loop_runs_while_it_is_pumped),
    TEST(a_loop_that_was_pumped_runs),
    TEST(a_stop_ends_a_pump_and_not_the_next),
    TEST(others_have_turns_while_a_task_pumps),
    TEST(pumps_nest_like_calls),
    TEST(a_task_that_pumps_waits_afterwards_as_ever),
    TEST(those_who_wait_are_woken_within_a_pump),
    TEST(a_callback_pumps_too),
    TEST(a_task_that_was_started_eagerly_by_a_callback_pumps),
    TEST(at_sixteen_pumps_it_ends),
    TEST(while_a_task_is_being_ended_there_is_no_pump),
    TEST(another_thread_keeps_off),
    TEST(loops_have_turns_within_each_other),
    TEST(the_descriptor_tells_when_to_pump),
    TEST(the_descriptor_stays_readable_while_something_is_ready),
    TEST(the_next_deadline_is_that_of_the_earliest_timer),
    TEST(to_ask_when_to_come_is_no_reason_to_come),
    TEST(what_a_host_does_is_no_turn_of_ours),
    TEST(a_loop_with_a_host_belongs_to_one_thread),
    TEST(without_a_loop_nothing_is_pumped),
    TEST(a_closed_loop_is_not_pumped),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(pump, tests)
