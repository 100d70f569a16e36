/* SPDX-License-Identifier: MIT
 * Task groups: children, late and nested ones, start and started, cancelling, what is refused. */
#include "tests/task/task.h"

#include <math.h>
#include <string.h>

/* Children. */

IN_TASK(leaving_waits_for_all_children)
{
    weft_task_group group;
    double before = weft_loop_time(NULL);
    int a = 77, b = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps_then(0.002, 3),
                                &(weft_task_options){ .ret_status = &a });
    weft_task_group_create_task(&group, sleeps_then(0.001, 4),
                                &(weft_task_options){ .ret_status = &b });
    EQUAL(a, 77);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(a, 3);
    EQUAL(b, 4);
    CHECK(weft_loop_time(NULL) - before >= 0.002 * 0.999999);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
}

IN_TASK(the_bodys_status_is_passed_on)
{
    static const int statuses[] = { 0, 1, 5, INT32_MAX };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        weft_task_group group;

        EQUAL(weft_task_group_enter(&group), 0);
        EQUAL(weft_task_group_exit(&group, statuses[i]), statuses[i]);
        EQUAL(weft_task_group_enter(&group), 0); /* and in the same place again */
        weft_task_group_create_task(&group, sleeps(0), NULL);
        EQUAL(weft_task_group_exit(&group, statuses[i]), statuses[i]);
    }
}

IN_TASK(an_empty_group_does_not_wait)
{
    weft_task_group group;
    weft_task *other = weft_create_task(notes("other"), NULL);

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("");
    EQUAL(weft_await(other), 0);
    HAPPENED("other");
}

IN_TASK(a_child_is_borrowed_and_can_be_held)
{
    weft_task_group group;
    weft_task *held, *borrowed;

    EQUAL(weft_task_group_enter(&group), 0);
    held = weft_task_ref(weft_task_group_create_task(&group, sleeps_then(0, 6), NULL));
    borrowed =
        weft_task_group_create_task(&group, gives(7), &(weft_task_options){ .name = "borrowed" });
    SAME(weft_task_get_name(borrowed), "borrowed");
    EQUAL(weft_task_status(borrowed), -EINPROGRESS);
    EQUAL(weft_await(held), 6);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(weft_task_status(borrowed), -ESRCH);
    EQUAL(weft_await(borrowed), -ESRCH);
}

IN_TASK(a_borrowed_child_cannot_be_awaited)
{
    weft_task_group group;
    weft_task *child;
    int status = 77;

    EQUAL(weft_task_group_enter(&group), 0);
    child = weft_task_group_create_task(&group, sleeps_then(0, 6),
                                        &(weft_task_options){ .ret_status = &status });
    EQUAL(weft_await(child), -ESRCH);
    EQUAL(weft_task_detach(child), -ESRCH);
    EQUAL(weft_task_unref(child) == NULL, true);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(status, 6);
}

IN_TASK(many_children)
{
    weft_task_group group;
    int n = many(1000), sum = 0;
    int *statuses = calloc((size_t)n, sizeof *statuses);

    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < n; i++) {
        weft_task_options options = { .ret_status = &statuses[i] };

        weft_task_group_create_task(&group, i % 2 ? gives(i) : sleeps_then(0.001, i), &options);
    }
    EQUAL(weft_task_group_exit(&group, 0), 0);
    for (int i = 0; i < n; i++) {
        sum += statuses[i] != i;
    }
    EQUAL(sum, 0);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    free(statuses);
}

static int live, most;

WEFT_ASYNC(lives)
{
    most = ++live > most ? live : most;
    weft_sleep(0);
    live--;
    return 0;
}

IN_TASK(a_group_that_lives_long_does_not_grow)
{
    weft_task_group group;
    size_t blocks = 0;

    live = most = 0;
    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < 300; i++) {
        weft_task_group_create_task(&group, lives(), NULL);
        give_way(3);
        if (i == 20) {
            blocks = live_blocks();
        }
    }
    EQUAL(live_blocks(), blocks);
    EQUAL(most, 1);
    EQUAL(weft_task_group_exit(&group, 0), 0);
}

/* Children of children, and late ones. */

static int begun, over;

WEFT_ASYNC(multiplies, (weft_task_group *, group), (int, depth))
{
    begun++;
    weft_sleep(0);
    for (int i = 0; i < 2 && depth > 0; i++) {
        weft_task_group_create_task(group, multiplies(group, depth - 1), NULL);
    }
    weft_sleep(depth % 2 ? 0 : 0.0001);
    over++;
    return 0;
}

IN_TASK(children_may_make_children_while_the_group_is_left)
{
    weft_task_group group;

    begun = over = 0;
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, multiplies(&group, 5), NULL);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(begun, 63);
    EQUAL(over, 63);
}

static weft_task_group *shared;

static void spawn_from_a_callback(void *unused)
{
    (void)unused;
    weft_task_group_create_task(shared, notes("late"), NULL);
}

WEFT_ASYNC(spawns_behind, (weft_task_group *, group))
{
    weft_sleep(0);
    EQUAL(weft_all_tasks(NULL, NULL, 0),
          2); /* the only child has ended, the parent has not gone on */
    weft_task_group_create_task(group, notes("behind"), NULL);
    return 0;
}

IN_TASK(a_child_that_is_made_behind_the_last_one_is_waited_for)
{
    weft_task_group group;
    weft_task *other;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(0), NULL);
    other = weft_create_task(spawns_behind(&group), NULL);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("behind");
    EQUAL(weft_await(other), 0);
}

IN_TASK(callbacks_may_make_children)
{
    weft_task_group group;

    shared = &group;
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(0.001), NULL);
    EQUAL(weft_loop_call_soon(NULL, spawn_from_a_callback, NULL, NULL), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("late");
}

WEFT_ASYNC(has_a_group, (int, depth))
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < 3 && depth > 0; i++) {
        weft_task_group_create_task(&group, has_a_group(depth - 1), NULL);
    }
    over++;
    return weft_task_group_exit(&group, 0);
}

IN_TASK(groups_nest_in_children_and_in_frames)
{
    weft_task_group outer, inner;

    over = 0;
    EQUAL(weft_task_group_enter(&outer), 0);
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&outer, has_a_group(3), NULL);
    weft_task_group_create_task(&inner, has_a_group(2), NULL);
    EQUAL(weft_task_group_exit(&inner, 0), 0);
    EQUAL(weft_task_group_exit(&outer, 0), 0);
    EQUAL(over, 40 + 13);
}

/* What is refused. */

static void dropped(void *count)
{
    ++*(int *)count;
}

static int drops;

static weft_coro *droppable(void)
{
    return weft_coro_on_drop(gives(0), dropped, &drops);
}

static void *spawns_in_a_thread(void *group)
{
    EQUAL(weft_task_status(weft_task_group_create_task(group, droppable(), NULL)), -EXDEV);
    EQUAL(weft_task_group_cancel(group), -EXDEV);
    return NULL;
}

IN_TASK(who_cannot_be_made_is_dropped_and_says_why)
{
    weft_task_group group = { 0 };
    weft_coro *spent = gives(0);
    weft_task *task;

    drops = 0;
    EQUAL(weft_task_status(weft_task_group_create_task(NULL, droppable(), NULL)), -EINVAL);
    EQUAL(weft_task_status(weft_task_group_create_task(&group, droppable(), NULL)), -ESHUTDOWN);
    EQUAL(weft_task_group_start(&group, droppable(), NULL, NULL), -ESHUTDOWN);
    EQUAL(drops, 3);
    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_await(spent), 0);
    EQUAL(weft_task_status(weft_task_group_create_task(&group, spent, NULL)), -ESRCH);
    EQUAL(weft_task_group_start(&group, spent, NULL, NULL), -ESRCH);
    EQUAL(weft_task_status(weft_task_group_create_task(&group, NULL, NULL)), -EINVAL);
    EQUAL(weft_task_group_start(&group, NULL, NULL, NULL), -EINVAL);
    task = weft_task_group_create_task(&group, droppable(),
                                       &(weft_task_options){ .stack_size = SIZE_MAX / 2 });
    EQUAL(weft_await(task), -EINVAL);
    EQUAL(drops, 4);
    in_thread(spawns_in_a_thread, &group);
    EQUAL(drops, 5);
    EQUAL(weft_task_group_exit(&group, 2), 2); /* none of these was a child */
    EQUAL(weft_task_status(weft_task_group_create_task(&group, droppable(), NULL)), -ESHUTDOWN);
    EQUAL(drops, 6);
    while (reports_left()) {
        EQUAL(next_report()->kind, WEFT_REPORT_CORO_NEVER_AWAITED);
    }
}

IN_TASK(a_group_that_is_not_entered_can_do_nothing)
{
    weft_task_group group = { 0 };

    EQUAL(weft_task_group_exit(&group, 0), -EINVAL);
    EQUAL(weft_task_group_cancel(&group), -EINVAL);
    EQUAL(weft_task_group_errors(&group, NULL, 0), 0);
    EQUAL(weft_task_group_exit(NULL, 0), -EINVAL);
    EQUAL(weft_task_group_cancel(NULL), -EINVAL);
    EQUAL(weft_task_group_errors(NULL, NULL, 0), -EINVAL);
    EQUAL(weft_task_group_enter(NULL), -EINVAL);
    EQUAL(weft_task_group_enter_with(&group, 1u << 7), -EINVAL);
    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(weft_task_group_exit(&group, 0), -EINVAL);
    EQUAL(weft_task_group_cancel(&group), -EINVAL);
    EQUAL(weft_sleep(0), 0);
}

ALONE(outside_a_task_there_are_no_groups)
{
    weft_task_group group = { 0 };

    EQUAL(weft_task_group_enter(&group), -EPERM);
    EQUAL(weft_task_group_exit(&group, 0), -EPERM);
    EQUAL(weft_task_group_start(&group, gives(0), NULL, NULL), -EPERM);
    EQUAL(weft_started(NULL), -EPERM);
}

WEFT_ASYNC(exits_anothers, (weft_task_group *, group))
{
    EQUAL(weft_task_group_exit(group, 0), -EINVAL);
    return 0;
}

IN_TASK(a_group_is_left_by_who_entered_it)
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    EQUAL(weft_await(weft_create_task(exits_anothers(&group), NULL)), 0);
    weft_task_group_create_task(&group, notes("child"), NULL);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HAPPENED("child");
}

IN_TASK(leaving_the_outer_group_first_ends_the_children_of_both)
{
    weft_task_group outer, inner;
    int a = 77, b = 77;

    EQUAL(weft_task_group_enter(&outer), 0);
    EQUAL(weft_task_group_enter(&inner), 0);
    weft_task_group_create_task(&outer, sleeps_then(0, 1),
                                &(weft_task_options){ .ret_status = &a });
    weft_task_group_create_task(&inner, sleeps(1e6), &(weft_task_options){ .ret_status = &b });
    EQUAL(weft_task_group_exit(&outer, 0), -EINVAL);
    EQUAL(a, 1);
    EQUAL(b, -ECANCELED);
    EQUAL(weft_task_group_exit(&inner, 0), -EINVAL);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
    EQUAL(weft_sleep(0), 0);
    while (reports_left()) {
        EQUAL(next_report()->kind, WEFT_REPORT_SCOPE_OPEN);
    }
}

WEFT_ASYNC(forgets_a_group, (int *, ret_status))
{
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, sleeps(1e6),
                                &(weft_task_options){ .ret_status = ret_status });
    weft_sleep(0);
    return 8;
}

IN_TASK(a_group_that_is_forgotten_is_told_and_its_children_end_with_it)
{
    int status = 77;

    EQUAL(weft_await(forgets_a_group(&status)), 8);
    EQUAL(status, -ECANCELED);
    EQUAL(next_report()->kind, WEFT_REPORT_SCOPE_OPEN);
    status = 77;
    EQUAL(weft_await(weft_create_task(forgets_a_group(&status), NULL)), 8);
    EQUAL(status, -ECANCELED);
    EQUAL(next_report()->kind, WEFT_REPORT_SCOPE_OPEN);
    EQUAL(weft_all_tasks(NULL, NULL, 0), 1);
}

static CU_TestInfo tests[] = {
    TEST(leaving_waits_for_all_children),
    TEST(the_bodys_status_is_passed_on),
    TEST(an_empty_group_does_not_wait),
    TEST(a_child_is_borrowed_and_can_be_held),
    TEST(a_borrowed_child_cannot_be_awaited),
    TEST(many_children),
    TEST(a_group_that_lives_long_does_not_grow),
    TEST(children_may_make_children_while_the_group_is_left),
    TEST(a_child_that_is_made_behind_the_last_one_is_waited_for),
    TEST(callbacks_may_make_children),
    TEST(groups_nest_in_children_and_in_frames),
    TEST(who_cannot_be_made_is_dropped_and_says_why),
    TEST(a_group_that_is_not_entered_can_do_nothing),
    TEST(outside_a_task_there_are_no_groups),
    TEST(a_group_is_left_by_who_entered_it),
    TEST(leaving_the_outer_group_first_ends_the_children_of_both),
    TEST(a_group_that_is_forgotten_is_told_and_its_children_end_with_it),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(group, tests)
