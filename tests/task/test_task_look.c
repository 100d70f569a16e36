/* SPDX-License-Identifier: MIT
 * Looking at tasks: names, who runs now, which there are, where they are. */
#include "tests/task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names. */

static weft_task *named(const char *name)
{
    return weft_create_task(gives(0), &(weft_task_options){ .name = name });
}

static void check_name(const char *given, const char *kept)
{
    weft_task *task = named(given);

    SAME(weft_task_get_name(task), kept);
    EQUAL(weft_task_set_name(task, "another"), 0);
    SAME(weft_task_get_name(task), "another");
    EQUAL(weft_task_set_name(task, given), 0);
    SAME(weft_task_get_name(task), kept);
    EQUAL(weft_await(task), 0);
}

IN_TASK(a_name_is_kept)
{
    check_name("worker", "worker");
    check_name("a", "a");
    check_name("\xc3\xa9t\xc3\xa9 \xf0\x9f\xa7\xb5", "\xc3\xa9t\xc3\xa9 \xf0\x9f\xa7\xb5");
}

#define TEN "0123456789"

IN_TASK(a_long_name_is_cut)
{
    check_name(TEN TEN TEN, TEN TEN TEN);
    check_name(TEN TEN TEN "x", TEN TEN TEN "x");
    check_name(TEN TEN TEN "xy", TEN TEN TEN "x");
    check_name(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, TEN TEN TEN "0");
}

IN_TASK(a_name_is_cut_between_characters)
{
    check_name(TEN TEN TEN "\xc3\xa9", TEN TEN TEN);                   /* ends at 32 */
    check_name(TEN TEN "012345678" "\xc3\xa9", TEN TEN "012345678" "\xc3\xa9");
    check_name(TEN TEN "012345678" "\xc3\xa9" "x", TEN TEN "012345678" "\xc3\xa9");
    check_name(TEN TEN "01234567" "\xf0\x9f\xa7\xb5", TEN TEN "01234567"); /* ends at 32 */
    check_name(TEN TEN "0123456" "\xf0\x9f\xa7\xb5" "x", TEN TEN "0123456" "\xf0\x9f\xa7\xb5");
    check_name(TEN TEN TEN "x" "\xc3\xa9", TEN TEN TEN "x");
    check_name(TEN TEN "01234567" "\xe2\x82\xac" "\xe2\x82\xac", TEN TEN "01234567" "\xe2\x82\xac");
}

IN_TASK(the_name_is_copied)
{
    char name[] = "mine";
    weft_task *task = named(name);

    name[0] = 'X';
    SAME(weft_task_get_name(task), "mine");
    EQUAL(weft_await(task), 0);
}

static int number_of(weft_task *task)
{
    int number = -1;

    CHECK(sscanf(weft_task_get_name(task), "Task-%d", &number) == 1);
    return number;
}

IN_TASK(without_a_name_it_is_numbered_by_creation)
{
    weft_task *first = named(NULL), *second = weft_create_task(gives(0), NULL), *third = named("x");
    weft_task *fourth = weft_create_task(gives(0), NULL);
    int own = number_of(weft_current_task());

    EQUAL(number_of(fourth), own + 4); /* asked first, made last */
    EQUAL(number_of(first), own + 1);
    EQUAL(number_of(second), own + 2);
    EQUAL(weft_await(first), 0);
    EQUAL(weft_await(second), 0);
    EQUAL(weft_await(third), 0);
    EQUAL(weft_await(fourth), 0);
}

IN_TASK(a_task_needs_a_name)
{
    EQUAL(weft_task_set_name(weft_current_task(), NULL), -EINVAL);
}

WEFT_ASYNC(names_itself)
{
    return weft_task_set_name(weft_current_task(), "I");
}

IN_TASK(a_task_may_name_itself_and_keeps_it_when_it_ended)
{
    weft_task *task = weft_create_task(names_itself(), NULL);

    weft_sleep(0);
    EQUAL(weft_task_done(task), true);
    SAME(weft_task_get_name(task), "I");
    EQUAL(weft_await(task), 0);
}

/* Who runs. */

ALONE(outside_of_tasks_there_is_no_current_one)
{
    CHECK(weft_current_task() == NULL);
}

static weft_task *seen;

WEFT_ASYNC(sees_itself)
{
    seen = weft_current_task();
    weft_sleep(0);
    CHECK(weft_current_task() == seen);
    return 0;
}

WEFT_ASYNC(awaits_one_that_sees_itself)
{
    weft_task *self = weft_current_task();

    EQUAL(weft_await(sees_itself()), 0);
    CHECK(seen == self); /* a coroutine is no task of its own */
    return 0;
}

IN_TASK(the_current_task_is_the_one_that_runs)
{
    weft_task *self = weft_current_task();
    weft_task *task = weft_create_task(sees_itself(), NULL);

    CHECK(self != NULL);
    EQUAL(weft_await(weft_task_ref(task)), 0);
    CHECK(seen == task);
    CHECK(weft_current_task() == self);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(weft_create_task(awaits_one_that_sees_itself(), NULL)), 0);
    CHECK(weft_task_get_loop(self) == loop);
    CHECK(weft_get_running_loop() == loop);
}

/* Which there are. */

static bool is_among(weft_task *task, weft_task **tasks, int64_t count)
{
    int found = 0;

    for (int64_t i = 0; i < count; i++) {
        found += tasks[i] == task;
    }
    EQUAL(found <= 1, true);
    return found == 1;
}

IN_TASK(all_tasks_are_those_that_have_not_ended)
{
    weft_task *made[40], *all[50] = { NULL };

    for (int i = 0; i < 40; i++) {
        static const size_t sizes[] = { 0, 65536, 1 << 20 };

        made[i] = weft_create_task(sleeps(i % 2 ? 0.001 : 0),
                                   &(weft_task_options){ .stack_size = sizes[i % 3] });
    }
    EQUAL(weft_all_tasks(NULL, NULL, 0), 41);
    EQUAL(weft_all_tasks(loop, all, 50), 41);
    CHECK(is_among(weft_current_task(), all, 41));
    for (int i = 0; i < 40; i++) {
        CHECK(is_among(made[i], all, 41));
    }
    CHECK(all[41] == NULL);

    give_way(2);
    if (is_virtual()) {
        EQUAL(weft_all_tasks(loop, all, 50), 21);
        for (int i = 0; i < 40; i++) {
            EQUAL(is_among(made[i], all, 21), i % 2 == 1);
        }
    }
    for (int i = 0; i < 40; i++) {
        EQUAL(weft_await(made[i]), 0);
    }
    EQUAL(weft_all_tasks(loop, all, 50), 1);
    CHECK(all[0] == weft_current_task());
}

IN_TASK(no_more_tasks_are_stored_than_there_is_room_for)
{
    weft_task *made = weft_create_task(gives(0), NULL), *all[2] = { NULL };

    EQUAL(weft_all_tasks(NULL, all, 1), 2);
    CHECK(all[0] != NULL);
    CHECK(all[1] == NULL);
    EQUAL(weft_all_tasks(NULL, NULL, 100), 2);
    EQUAL(weft_await(made), 0);
}

IN_LOOP(tasks_of_a_loop_that_does_not_run)
{
    weft_task *task = weft_loop_create_task(loop, gives(0), NULL), *all[2] = { NULL };

    EQUAL(weft_all_tasks(NULL, all, 2), -EPERM);
    EQUAL(weft_all_tasks(loop, all, 2), 1);
    CHECK(all[0] == task);
    CHECK(weft_task_get_loop(task) == loop);
    EQUAL(run(task), 0);
    EQUAL(weft_all_tasks(loop, all, 2), 0);
}

/* Where they are. */

WEFT_ASYNC(innermost)
{
    return weft_sleep(1);
}
enum { LINE_OF_INNERMOST = __LINE__ - 4 };

WEFT_ASYNC(outermost)
{
    int r = weft_await(innermost());

    return r;
}
enum { LINE_OF_OUTERMOST = __LINE__ - 6 };

IN_TASK(the_stack_is_the_chain_of_coroutines)
{
    weft_task *task = weft_create_task(outermost(), NULL);
    weft_frame frames[5] = { { NULL, NULL, 0 } };

    EQUAL(weft_task_get_stack(task, frames, 5), 0); /* it has not begun */
    weft_sleep(0);
    EQUAL(weft_task_get_stack(task, frames, 5), 2);
    SAME(frames[0].name, "innermost");
    SAME(frames[0].file, __FILE__);
    EQUAL(frames[0].line, LINE_OF_INNERMOST);
    SAME(frames[1].name, "outermost");
    SAME(frames[1].file, __FILE__);
    EQUAL(frames[1].line, LINE_OF_OUTERMOST);
    CHECK(frames[2].name == NULL);

    EQUAL(weft_task_cancel(task), 0);
    weft_sleep(0);
    EQUAL(weft_task_get_stack(task, frames, 5), 0); /* it has ended */
    EQUAL(weft_await(task), -ECANCELED);
}

IN_TASK(no_more_frames_are_stored_than_there_is_room_for)
{
    weft_task *task = weft_create_task(outermost(), NULL);
    weft_frame frames[2] = { { NULL, NULL, 0 } };

    weft_sleep(0);
    EQUAL(weft_task_get_stack(task, frames, 1), 2);
    SAME(frames[0].name, "innermost");
    CHECK(frames[1].name == NULL);
    EQUAL(weft_task_get_stack(task, NULL, 0), 2);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
}

WEFT_ASYNC(looks_at_itself)
{
    weft_frame frames[5];

    EQUAL(weft_task_get_stack(weft_current_task(), frames, 5), 2);
    SAME(frames[0].name, "looks_at_itself");
    SAME(frames[1].name, "main_task");
    return 0;
}

IN_TASK(a_task_sees_its_own_stack)
{
    weft_frame frame;

    EQUAL(weft_await(looks_at_itself()), 0);
    EQUAL(weft_task_get_stack(weft_current_task(), &frame, 1), 1);
    SAME(frame.name, "main_task");
}

static CU_TestInfo tests[] = {
    TEST(a_name_is_kept),
    TEST(a_long_name_is_cut),
    TEST(a_name_is_cut_between_characters),
    TEST(the_name_is_copied),
    TEST(without_a_name_it_is_numbered_by_creation),
    TEST(a_task_needs_a_name),
    TEST(a_task_may_name_itself_and_keeps_it_when_it_ended),
    TEST(outside_of_tasks_there_is_no_current_one),
    TEST(the_current_task_is_the_one_that_runs),
    TEST(all_tasks_are_those_that_have_not_ended),
    TEST(no_more_tasks_are_stored_than_there_is_room_for),
    TEST(tasks_of_a_loop_that_does_not_run),
    TEST(the_stack_is_the_chain_of_coroutines),
    TEST(no_more_frames_are_stored_than_there_is_room_for),
    TEST(a_task_sees_its_own_stack),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(task_look, tests)
