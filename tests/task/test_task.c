/* SPDX-License-Identifier: MIT
 * Tasks: made, run in turn, awaited. */
#include "tests/task/task.h"

#include <pthread.h>
#include <string.h>

IN_TASK(a_task_begins_when_its_turn_comes)
{
    weft_task *task = weft_create_task(notes("task"), NULL);

    note("created");
    EQUAL(weft_task_done(task), false);
    EQUAL(weft_task_status(task), -EINPROGRESS);
    EQUAL(weft_await(task), 0);
    note("awaited");
    HAPPENED("created task awaited");
}

IN_TASK(tasks_begin_in_the_order_in_which_they_were_made)
{
    weft_task *tasks[4];
    static const char *const words[] = { "0", "1", "2", "3" };

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(notes(words[i]), NULL);
    }
    for (int i = 3; i >= 0; i--) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    HAPPENED("0 1 2 3");
}

IN_TASK(tasks_and_callbacks_stand_in_one_queue)
{
    weft_task *a = weft_create_task(notes("task1"), NULL);
    EQUAL(weft_loop_call_soon(NULL, NOTED("call1"), NULL), 0);
    weft_task *b = weft_create_task(notes("task2"), NULL);
    EQUAL(weft_loop_call_soon(NULL, NOTED("call2"), NULL), 0);

    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(a), 0);
    weft_sleep(0);
    HAPPENED("task1 call1 task2 call2");
}

WEFT_ASYNC(takes_turns, (const char *, word), (int, turns))
{
    while (turns-- > 0) {
        note(word);
        weft_sleep(0);
    }
    return 0;
}

IN_TASK(tasks_take_turns)
{
    weft_task *a = weft_create_task(takes_turns("a", 3), NULL);
    weft_task *b = weft_create_task(takes_turns("b", 2), NULL);
    weft_task *c = weft_create_task(takes_turns("c", 4), NULL);

    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("a b c a b c a c c");
}

IN_TASK(the_status_is_what_the_body_returned)
{
    static const int statuses[] = { 0, 1, 12345678, -1, -EIO, -ECANCELED, -4095 };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        EQUAL(weft_await(weft_create_task(gives(statuses[i]), NULL)), statuses[i]);
    }
}

IN_TASK(status_result_and_done_of_a_task_that_ended)
{
    weft_task *task = weft_create_task(gives(9), NULL);
    void *value = &value;

    weft_sleep(0);
    EQUAL(weft_task_done(task), true);
    EQUAL(weft_task_cancelled(task), false);
    EQUAL(weft_task_status(task), 9);
    EQUAL(weft_task_result(task, &value), 9);
    CHECK(value == NULL);
    EQUAL(weft_task_result(task, NULL), 9);
    EQUAL(weft_await(task), 9); /* looking has spent nothing */
}

WEFT_ASYNC(returns, (void *, value), (int, status))
{
    int r = weft_return(value);

    return r < 0 ? r : status;
}

IN_TASK(the_value_is_there_until_the_task_is_gone)
{
    int thing;
    void *value = NULL;
    weft_task *task = weft_create_task(returns(&thing, 1), NULL);

    EQUAL(weft_task_result(task, &value), -EINPROGRESS);
    CHECK(value == NULL);
    weft_sleep(0);
    EQUAL(weft_task_result(task, &value), 1);
    CHECK(value == &thing);
    value = NULL;
    EQUAL(weft_await_value(task, &value), 1);
    CHECK(value == &thing);
}

IN_TASK(a_failure_has_no_value)
{
    int thing;
    void *value = &value;
    weft_task *task = weft_create_task(returns(&thing, -EIO), NULL);

    weft_sleep(0);
    EQUAL(weft_task_result(task, &value), -EIO);
    CHECK(value == &value);
    EQUAL(weft_await(task), -EIO);
}

IN_TASK(awaiting_a_task_that_ended_gives_its_status_at_once)
{
    weft_task *task = weft_create_task(gives(5), NULL);

    weft_sleep(0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("callback"), NULL), 0);
    EQUAL(weft_await(task), 5);
    note("awaited");
    weft_sleep(0);
    HAPPENED("awaited callback");
}

/* Several wait for one. */

WEFT_ASYNC(awaits_and_notes, (weft_task *, task), (const char *, word))
{
    int r = weft_await(task);

    note(word);
    return r;
}

/* Waits until give_signal(ret_future) is called. */
WEFT_ASYNC(awaits_signal, (weft_future **, ret_future), (int, status))
{
    int r = weft_future_new(NULL, ret_future);

    r = r < 0 ? r : weft_await(*ret_future);
    return r < 0 ? r : status;
}

static void give_signal(void *future)
{
    EQUAL(weft_future_set_result(*(weft_future **)future, NULL), 0);
}

IN_TASK(those_who_wait_go_on_in_the_order_in_which_they_came)
{
    weft_future *future = NULL;
    weft_task *target = weft_create_task(awaits_signal(&future, 6), NULL);
    weft_task *a = weft_create_task(awaits_and_notes(weft_task_ref(target), "a"), NULL);
    weft_task *b = weft_create_task(awaits_and_notes(weft_task_ref(target), "b"), NULL);
    weft_task *c = weft_create_task(awaits_and_notes(weft_task_ref(target), "c"), NULL);

    weft_sleep(0);
    EQUAL(weft_loop_call_soon(NULL, give_signal, &future, NULL), 0);
    EQUAL(weft_await(target), 6);
    note("main");
    EQUAL(weft_await(c), 6);
    EQUAL(weft_await(b), 6);
    EQUAL(weft_await(a), 6);
    HAPPENED("a b c main");
}

IN_TASK(a_chain_of_awaits)
{
    weft_task *task = weft_create_task(sleeps_then(0.001, 21), NULL);

    for (int i = 0; i < 100; i++) {
        task = weft_create_task(awaits_task(task), NULL);
    }
    EQUAL(weft_await(task), 21);
}

WEFT_ASYNC(makes_a_family, (int, levels))
{
    weft_task *first, *second;
    int sum;

    if (levels == 0) {
        return 1;
    }
    first = weft_create_task(makes_a_family(levels - 1), NULL);
    second = weft_create_task(makes_a_family(levels - 1), NULL);
    sum = weft_await(first);
    return sum + weft_await(second);
}

IN_TASK(tasks_make_tasks)
{
    EQUAL(weft_await(weft_create_task(makes_a_family(8), NULL)), 256);
}

/* Itself. */

static weft_task *myself;

WEFT_ASYNC(awaits_itself)
{
    void *value = &value;
    int status = 77;

    EQUAL(weft_await_value(weft_task_ref(myself), &value), -EDEADLK);
    CHECK(value == &value);
    EQUAL(weft_await_status(weft_task_ref(myself), &status), -EDEADLK);
    EQUAL(status, 77);
    return weft_await(weft_task_ref(myself));
}

IN_TASK(a_task_cannot_await_itself)
{
    myself = weft_create_task(awaits_itself(), NULL);
    EQUAL(weft_await(myself), -EDEADLK);
    EQUAL(weft_await(weft_task_ref(weft_current_task())), -EDEADLK);
}

/* Stacks. */

WEFT_ASYNC(uses_stack, (size_t, bytes))
{
    volatile char *room = __builtin_alloca(bytes);

    for (size_t i = 0; i < bytes; i += 1024) {
        room[i] = (char)i;
    }
    weft_sleep(0);
    return room[0];
}

IN_TASK(a_task_gets_the_stack_that_it_asks_for)
{
    static const size_t sizes[] = {
        1, 4096, 65535, 65536, 65537, 131072, 131073, 1 << 20, (1 << 20) + 1, 16 << 20, 64 << 20
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weft_task_options options = { .stack_size = sizes[i] };
        size_t used = sizes[i] < 65536 ? 32768 : sizes[i] - 16384;

        EQUAL(weft_await(weft_create_task(uses_stack(used), &options)), 0);
    }
    EQUAL(weft_await(weft_create_task(uses_stack(100000), NULL)), 0); /* 128 KiB by default */
    EQUAL(weft_await(weft_create_task(uses_stack(100000), &(weft_task_options){ 0 })), 0);
}

IN_TASK(a_stack_beyond_the_largest_is_an_error)
{
    static const size_t sizes[] = { ((size_t)64 << 20) + 1, (size_t)1 << 31, SIZE_MAX / 2,
                                    SIZE_MAX - 4095, SIZE_MAX };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weft_task *task =
            weft_create_task(gives(0), &(weft_task_options){ .stack_size = sizes[i] });

        CHECK(task != NULL);
        EQUAL(weft_task_done(task), true);
        EQUAL(weft_task_cancelled(task), false);
        EQUAL(weft_await(task), -EINVAL);
    }
}

/* Many. */

static int running;

WEFT_ASYNC(counts_and_sleeps, (double, delay))
{
    running++;
    weft_sleep(delay);
    running--;
    return 1;
}

IN_TASK(a_hundred_thousand_tasks)
{
    static weft_task *tasks[100000];
    int count = many(100000), sum = 0;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) {
            tasks[i] = weft_create_task(counts_and_sleeps(0.001), NULL);
        }
        EQUAL(weft_all_tasks(NULL, NULL, 0), count + 1);
        weft_sleep(0);
        if (is_virtual()) {
            EQUAL(running, count);
        }
        for (int i = 0; i < count; i++) {
            sum += weft_await(tasks[i]);
        }
        EQUAL(running, 0);
        EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    }
    EQUAL(sum, 2 * count);
}

IN_TASK(a_hundred_thousand_that_end_at_once)
{
    static weft_task *tasks[100000];
    int count = many(100000), sum = 0;

    for (int i = 0; i < count; i++) {
        tasks[i] = weft_create_task(gives(1), NULL);
    }
    for (int i = count - 1; i >= 0; i--) {
        sum += weft_await(tasks[i]);
    }
    EQUAL(sum, count);
}

static CU_TestInfo tests[] = {
    TEST(a_task_begins_when_its_turn_comes),
    TEST(tasks_begin_in_the_order_in_which_they_were_made),
    TEST(tasks_and_callbacks_stand_in_one_queue),
    TEST(tasks_take_turns),
    TEST(the_status_is_what_the_body_returned),
    TEST(status_result_and_done_of_a_task_that_ended),
    TEST(the_value_is_there_until_the_task_is_gone),
    TEST(a_failure_has_no_value),
    TEST(awaiting_a_task_that_ended_gives_its_status_at_once),
    TEST(those_who_wait_go_on_in_the_order_in_which_they_came),
    TEST(a_chain_of_awaits),
    TEST(tasks_make_tasks),
    TEST(a_task_cannot_await_itself),
    TEST(a_task_gets_the_stack_that_it_asks_for),
    TEST(a_stack_beyond_the_largest_is_an_error),
    TEST(a_hundred_thousand_tasks),
    TEST(a_hundred_thousand_that_end_at_once),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task, tests)
