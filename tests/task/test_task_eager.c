/* SPDX-License-Identifier: MIT
 * Tasks that start at once, from tasks and from callbacks. */
#include "tests/task/task.h"

static const weft_task_options eager = { .eager_start = true };

WEFT_ASYNC(notes_twice, (const char *, first), (const char *, second))
{
    note(first);
    weft_sleep(0);
    note(second);
    return 2;
}

IN_TASK(it_runs_until_its_first_wait)
{
    weft_task *task = weft_create_task(notes_twice("begun", "ended"), &eager);

    note("creator");
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_await(task), 2);
    HAPPENED("begun creator ended");
}

IN_TASK(one_that_never_waits_has_ended)
{
    weft_task *task = weft_create_task(notes("all"), &eager);

    note("creator");
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_await(task), 0);
    HAPPENED("all creator");
}

IN_TASK(the_creator_goes_on_before_those_who_are_ready)
{
    weft_task *ready = weft_create_task(notes("ready"), NULL);
    EQUAL(weft_loop_call_soon(NULL, NOTED("callback"), NULL), 0);
    weft_task *task = weft_create_task(notes_twice("begun", "ended"), &eager);

    note("creator");
    EQUAL(weft_await(ready), 0);
    EQUAL(weft_await(task), 2);
    HAPPENED("begun creator ready callback ended");
}

WEFT_ASYNC(checks_current, (weft_task *, creator))
{
    CHECK(weft_current_task() != NULL);
    CHECK(weft_current_task() != creator);
    return 0;
}

IN_TASK(it_is_the_current_task_meanwhile)
{
    weft_task *self = weft_current_task();

    EQUAL(weft_await(weft_create_task(checks_current(self), &eager)), 0);
    CHECK(weft_current_task() == self);
}

WEFT_ASYNC(starts_another, (int, depth))
{
    static const char *const words[] = { "0", "1", "2", "3" };
    weft_task *inner_task = NULL;

    note(words[depth]);
    if (depth < 3) {
        inner_task = weft_create_task(starts_another(depth + 1), &eager);
    }
    note("wait");
    weft_sleep(0);
    note("end");
    return inner_task ? weft_await(inner_task) : 0;
}

IN_TASK(one_may_start_another_from_a_task)
{
    weft_task *task = weft_create_task(starts_another(0), &eager);

    note("creator");
    HAPPENED("0 1 2 3 wait wait wait wait creator");
    EQUAL(weft_await(task), 0);
    HAPPENED("end end end end");
}

static weft_task *made;

static void start_in_callback(void *unused)
{
    (void)unused;
    made = weft_create_task(notes_twice("begun", "ended"), &eager);
    CHECK(weft_current_task() == NULL);
    EQUAL(weft_sleep(0), -EPERM);
    note("callback");
}

IN_TASK(a_callback_starts_one)
{
    EQUAL(weft_loop_call_soon(NULL, start_in_callback, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("next"), NULL), 0);
    give_way(2);
    EQUAL(weft_await(made), 2);
    HAPPENED("begun callback next ended");
}

static void start_two_in_callback(void *unused)
{
    weft_task *second;

    (void)unused;
    made = weft_create_task(notes("first"), &eager);
    EQUAL(weft_task_done(made), true);
    second = weft_create_task(notes_twice("second", "end"), &eager);
    note("callback");
    EQUAL(weft_task_detach(second), 0);
}

IN_TASK(a_callback_starts_two)
{
    EQUAL(weft_loop_call_soon(NULL, start_two_in_callback, NULL, NULL), 0);
    give_way(3);
    EQUAL(weft_await(made), 0);
    HAPPENED("first second callback end");
}

static void start_a_nest(void *unused)
{
    (void)unused;
    made = weft_create_task(starts_another(0), &eager);
    note("callback");
}

IN_TASK(one_may_start_another_from_a_callback)
{
    EQUAL(weft_loop_call_soon(NULL, start_a_nest, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(weft_await(made), 0);
    HAPPENED("0 1 2 3 wait wait wait wait callback end end end end");
}

WEFT_ASYNC(awaits_done_ones, (int, count))
{
    weft_task *done[200];

    for (int i = 0; i < count; i++) {
        done[i] = weft_create_task(gives(0), &eager);
        EQUAL(weft_task_done(done[i]), true);
    }
    note("made");
    for (int i = 0; i < count; i++) {
        EQUAL(weft_await(done[i]), 0);
    }
    note("end");
    return 0;
}

static void start_one_of_many(void *unused)
{
    (void)unused;
    made = weft_create_task(awaits_done_ones(3), &eager);
    note("callback");
}

IN_TASK(many_that_end_at_once)
{
    EQUAL(weft_await(weft_create_task(awaits_done_ones(200), &eager)), 0);
    HAPPENED("made end");
}

IN_TASK(awaiting_what_is_done_is_no_first_wait)
{
    EQUAL(weft_loop_call_soon(NULL, start_one_of_many, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(weft_await(made), 0);
    HAPPENED("made end callback");
}

IN_LOOP(in_a_loop_that_does_not_run_it_waits_for_its_turn)
{
    weft_task *task = weft_loop_create_task(loop, notes("ran"), &eager);

    HAPPENED("");
    EQUAL(weft_task_done(task), false);
    EQUAL(run(task), 0);
    HAPPENED("ran");
}

WEFT_ASYNC(starts_in, (weft_loop *, other))
{
    made = weft_loop_create_task(other, notes("other"), &eager);
    note("creator");
    return 0;
}

IN_LOOP(in_another_loop_of_this_thread_it_waits_for_its_turn)
{
    weft_loop *other = open_loop();

    EQUAL(run(starts_in(other)), 0);
    HAPPENED("creator");
    EQUAL(weft_loop_run_until_complete(other, made), 0);
    HAPPENED("other");
    EQUAL(weft_loop_close(other), 0);
}

WEFT_ASYNC(is_cancelled_from_the_start)
{
    EQUAL(weft_sleep(1), -ECANCELED);
    return 5;
}

IN_TASK(it_can_be_cancelled_at_its_first_wait)
{
    weft_task *task = weft_create_task(is_cancelled_from_the_start(), &eager);

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 5);
}

IN_TASK(it_never_appears_when_it_ends_at_once)
{
    weft_task *task = weft_create_task(gives(0), &eager);

    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_await(task), 0);
}

static CU_TestInfo tests[] = {
    TEST(it_runs_until_its_first_wait),
    TEST(one_that_never_waits_has_ended),
    TEST(the_creator_goes_on_before_those_who_are_ready),
    TEST(it_is_the_current_task_meanwhile),
    TEST(one_may_start_another_from_a_task),
    TEST(a_callback_starts_one),
    TEST(a_callback_starts_two),
    TEST(one_may_start_another_from_a_callback),
    TEST(many_that_end_at_once),
    TEST(awaiting_what_is_done_is_no_first_wait),
    TEST(in_a_loop_that_does_not_run_it_waits_for_its_turn),
    TEST(in_another_loop_of_this_thread_it_waits_for_its_turn),
    TEST(it_can_be_cancelled_at_its_first_wait),
    TEST(it_never_appears_when_it_ends_at_once),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_eager, tests)
