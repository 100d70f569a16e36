/* SPDX-License-Identifier: MIT
 * Wait queues: order, hand-over, cancels, several at once, callbacks, other loops. */
#include "tests/task/steps.h"

#include <string.h>

static weft_waitq queue, other;
static char word[] = "told"; /* what told() notes */

static void fresh(void)
{
    queue = other = (weft_waitq)WEFT_WAITQ_INIT;
}

WEFT_ASYNC(waits_in, (weft_waitq *, q), (const char *, woken))
{
    int r = weft_waitq_wait(q);

    note(woken);
    return r;
}

WEFT_MUST_USE static weft_task *waiting(const char *woken)
{
    weft_task *task = weft_create_task(waits_in(&queue, woken), NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(waiters_are_woken_in_the_order_in_which_they_came)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b"), *c = waiting("c");

    EQUAL(queue.count, 3);
    CHECK(!weft_waitq_is_empty(&queue));
    EQUAL(weft_waitq_wake(&queue, 2), 2);
    EQUAL(queue.count, 1);
    weft_sleep(0);
    HAPPENED("a b");
    EQUAL(weft_waitq_wake(&queue, 2), 1);
    EQUAL(weft_waitq_wake(&queue, 2), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("c");
    CHECK(weft_waitq_is_empty(&queue));
}

IN_TASK(all_are_woken_with_one_status)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    EQUAL(weft_waitq_wake_all(&queue, -EPIPE), 2);
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_await(b), -EPIPE);
    HAPPENED("a b");
}

IN_TASK(a_waiter_that_is_cancelled_leaves_at_once)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b"), *c = waiting("c");

    EQUAL(weft_task_cancel(b), 0);
    EQUAL(queue.count, 2);
    EQUAL(weft_waitq_wake(&queue, 9), 2);
    EQUAL(weft_await(b), -ECANCELED);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("b a c");
}

IN_TASK(a_waiter_that_was_woken_keeps_it_when_it_is_cancelled_then)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    EQUAL(weft_waitq_wake(&queue, 1), 1);
    EQUAL(weft_task_cancel(a), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(queue.count, 1);
    EQUAL(weft_waitq_wake(&queue, 1), 1);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

WEFT_ASYNC(waits_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    note("before");
    EQUAL(weft_waitq_wait(&queue), -ECANCELED);
    note("after");
    CHECK(weft_waitq_is_empty(&queue));
    return 0;
}

IN_TASK(a_wait_while_cancelled_fails_after_a_turn)
{
    fresh();
    weft_task *a = weft_create_task(waits_when_cancelled(), NULL);
    weft_task *b = weft_create_task(notes("other"), NULL);

    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("before other after");
}

/* Records of one's own. */

struct getter {
    weft_waiter waiter;
    int item;
};

WEFT_ASYNC(gets, (int, expected))
{
    struct getter getter = { WEFT_WAITER_INIT, 0 };

    EQUAL(weft_waitq_wait_with(&queue, &getter.waiter), 0);
    EQUAL(getter.item, expected);
    return 0;
}

IN_TASK(a_value_is_handed_to_the_waiter_of_ones_choice)
{
    fresh();
    weft_task *a = weft_create_task(gets(1), NULL), *b = weft_create_task(gets(2), NULL);
    weft_waiter *first, *second;

    weft_sleep(0);
    first = queue.first;
    second = weft_waitq_next(&queue, first);
    CHECK(weft_waitq_next(&queue, second) == NULL);
    ((struct getter *)second)->item = 2;
    EQUAL(weft_waiter_wake(second, 0), 0);
    EQUAL(weft_waiter_wake(second, 0), -ESRCH);
    EQUAL(weft_task_cancel(b), 0);
    ((struct getter *)first)->item = 1;
    EQUAL(weft_waiter_wake(first, 0), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
}

static void count_gave_up(weft_waiter *waiter)
{
    (void)waiter;
    CHECK(waiter->queue == NULL);
    count_up(waiter->value);
}

WEFT_ASYNC(waits_and_says_when_it_gives_up, (int *, count))
{
    weft_waiter waiter = WEFT_WAITER_INIT;

    waiter.gave_up = count_gave_up;
    waiter.value = count;
    return weft_waitq_wait_with(&queue, &waiter);
}

IN_TASK(giving_up_is_told_at_once_and_being_woken_is_not)
{
    int count = 0;

    fresh();
    weft_task *a = weft_create_task(waits_and_says_when_it_gives_up(&count), NULL);
    weft_task *b = weft_create_task(waits_and_says_when_it_gives_up(&count), NULL);

    weft_sleep(0);
    weft_task_cancel(a);
    EQUAL(count, 1);
    EQUAL(weft_waitq_wake(&queue, 1), 1);
    weft_task_cancel(b);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), 0);
    EQUAL(count, 1);
}

/* Callbacks. */

static void told(weft_waiter *waiter, int status)
{
    EQUAL(status, 0);
    note(waiter->value);
}

IN_TASK(a_callback_stands_in_line_with_tasks)
{
    weft_waiter waiter = WEFT_WAITER_INIT;

    fresh();
    weft_task *a = waiting("a");

    EQUAL(weft_waitq_add(&queue, &waiter), -EINVAL);
    waiter.tell = told;
    waiter.value = word;
    EQUAL(weft_waitq_add(&queue, &waiter), 0);
    EQUAL(weft_waitq_add(&queue, &waiter), -EBUSY);
    EQUAL(weft_waitq_wait_with(&queue, &waiter), -EBUSY);
    weft_task *b = waiting("b");

    EQUAL(weft_waitq_wake(&queue, 3), 3);
    HAPPENED("told");
    EQUAL(weft_waitq_remove(&waiter), -ESRCH);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
    EQUAL(weft_waitq_add(&queue, &waiter), 0);
    EQUAL(weft_waitq_remove(&waiter), 0);
    EQUAL(weft_waitq_wake(&queue, 1), 0);
    HAPPENED("");
    EQUAL(weft_waitq_wait_with(&queue, &waiter), -EINVAL);
}

/* Several at once. */

WEFT_ASYNC(waits_in_both, (int, expected), (int, status), (int *, given_up))
{
    weft_waiter waiters[3] = { WEFT_WAITER_INIT, WEFT_WAITER_INIT, WEFT_WAITER_INIT };
    size_t which = 9;
    int r;

    for (int i = 0; i < 3; i++) {
        waiters[i].gave_up = count_gave_up;
        waiters[i].value = given_up;
    }
    r = weft_waitq_wait_any((weft_waitq *const[]){ &queue, &other, &queue }, waiters, 3, &which);
    EQUAL(r, status);
    EQUAL(which, expected);
    CHECK(!waiters[0].queue && !waiters[1].queue && !waiters[2].queue);
    note("both");
    return r;
}

IN_TASK(one_of_several_queues_wins_and_the_others_are_left)
{
    int given_up = 0;

    fresh();
    weft_task *a = weft_create_task(waits_in_both(1, -EPIPE, &given_up), NULL);
    weft_task *b = waiting("b");

    EQUAL(queue.count, 3);
    EQUAL(other.count, 1);
    EQUAL(weft_waitq_wake_all(&other, -EPIPE), 1);
    EQUAL(given_up, 2);
    EQUAL(queue.count, 1);
    EQUAL(weft_waitq_wake(&queue, 9), 1);
    EQUAL(weft_await(a), -EPIPE);
    EQUAL(weft_await(b), 0);
    HAPPENED("both b");
}

IN_TASK(waiting_in_the_same_queue_twice_takes_one_wake)
{
    int given_up = 0;

    fresh();
    weft_task *a = weft_create_task(waits_in_both(0, 0, &given_up), NULL);
    weft_task *b = waiting("b");

    EQUAL(weft_waitq_wake(&queue, 2), 2);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("both b");
    EQUAL(given_up, 2);
}

IN_TASK(a_cancel_leaves_all_queues)
{
    int given_up = 0;

    fresh();
    weft_task *a = weft_create_task(waits_in_both(9, -ECANCELED, &given_up), NULL);

    weft_sleep(0);
    EQUAL(weft_waitq_remove(queue.first), -EINVAL);
    weft_task_cancel(a);
    EQUAL(given_up, 3);
    EQUAL(queue.count + other.count, 0);
    EQUAL(weft_await(a), -ECANCELED);
    HAPPENED("both");
}

IN_TASK(waiters_move_to_another_queue_in_their_order)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b"), *c = waiting("c");

    EQUAL(weft_waitq_move(&queue, &other, 2), 2);
    EQUAL(queue.count, 1);
    EQUAL(weft_waitq_wake(&queue, 1), 1);
    weft_task_cancel(a);
    EQUAL(other.count, 1);
    EQUAL(weft_waitq_move(&queue, &other, 2), 0);
    EQUAL(weft_waitq_wake(&other, 9), 1);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("c a b");
}

/* Errors. */

IN_LOOP(only_tasks_wait)
{
    weft_waiter waiter = WEFT_WAITER_INIT;

    fresh();
    EQUAL(weft_waitq_wait(&queue), -EPERM);
    EQUAL(weft_waitq_wait(NULL), -EINVAL);
    EQUAL(weft_waitq_wait_with(&queue, NULL), -EINVAL);
    EQUAL(weft_waitq_wait_any((weft_waitq *const[]){ &queue }, &waiter, 0, NULL), -EINVAL);
    EQUAL(weft_waitq_wait_any((weft_waitq *const[]){ NULL }, &waiter, 1, NULL), -EINVAL);
    EQUAL(weft_waitq_wait_any((weft_waitq *const[]){ &queue }, &waiter, 1, NULL), -EPERM);
    EQUAL(weft_waitq_wake(NULL, 1), -EINVAL);
    EQUAL(weft_waitq_wake_all(NULL, 0), -EINVAL);
    EQUAL(weft_waitq_wake(&queue, 1), 0);
    EQUAL(weft_waiter_wake(NULL, 0), -EINVAL);
    EQUAL(weft_waitq_remove(NULL), -EINVAL);
    EQUAL(weft_waitq_move(NULL, &queue, 1), -EINVAL);
    EQUAL(weft_waitq_destroy(NULL), -EINVAL);
    EQUAL(weft_waitq_destroy(&queue), 0);
    waiter.tell = told;
    EQUAL(weft_waitq_add(&queue, &waiter), -EPERM);
}

static void *wakes_from_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(weft_waitq_wake(&queue, 1), -EXDEV);
    EQUAL(weft_waiter_wake(queue.first, 0), -EXDEV);
    return NULL;
}

IN_TASK(another_thread_cannot_wake)
{
    fresh();
    weft_task *a = waiting("a");

    in_thread(wakes_from_elsewhere, NULL);
    EQUAL(queue.count, 1);
    EQUAL(weft_waitq_wake(&queue, 1), 1);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
}

WEFT_ASYNC(wakes_itself_by_a_callback, (int, status))
{
    weft_waiter waiter = WEFT_WAITER_INIT;

    waiter.tell = told;
    waiter.value = word;
    EQUAL(weft_waitq_add(&queue, &waiter), status);
    return status < 0 ? status : (int)weft_waitq_wake(&queue, 1);
}

IN_LOOP(a_queue_belongs_to_one_loop_until_that_is_closed)
{
    weft_loop *second = open_loop();

    fresh();
    EQUAL(run(wakes_itself_by_a_callback(0)), 1);
    CHECK(queue.loop == loop);
    EQUAL(weft_loop_run_until_complete(second, wakes_itself_by_a_callback(-EXDEV)), -EXDEV);
    EQUAL(weft_loop_run_until_complete(second, waits_in(&queue, "not")), -EXDEV);
    close_loop();
    EQUAL(weft_loop_run_until_complete(second, wakes_itself_by_a_callback(0)), 1);
    CHECK(queue.loop == second);
    weft_loop_close(second);
    HAPPENED("told not told");
}

IN_LOOP(whoever_waits_while_its_loop_stands_still_can_be_woken)
{
    fresh();
    weft_task *a = weft_loop_create_task(loop, waits_in(&queue, "a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_waitq_wake(&queue, 1), 1);
    EQUAL(run(a), 0);
    HAPPENED("a");
}

IN_LOOP(who_was_left_in_a_queue_by_a_closed_loop_is_not_touched)
{
    weft_loop *second = open_loop();

    fresh();
    weft_task_detach(weft_loop_create_task(loop, waits_in(&queue, "never"), NULL));
    EQUAL(run(sleeps(0)), 0);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    EQUAL(weft_waitq_wake(&queue, 1), -EBADF);
    EQUAL(weft_waiter_wake(queue.first, 0), -EBADF);
    EQUAL(weft_waitq_destroy(&queue), -EBUSY);
    EQUAL(weft_loop_run_until_complete(second, waits_in(&queue, "no")), -EXDEV);
    EQUAL(queue.count, 1);
    weft_loop_close(second);
    HAPPENED("no");
}

WEFT_ASYNC(adds, (weft_waiter *, waiter))
{
    return weft_waitq_add(&queue, waiter);
}

IN_LOOP(a_callback_that_was_left_by_a_closed_loop_can_be_taken_out)
{
    weft_waiter waiter = WEFT_WAITER_INIT;
    weft_loop *second = open_loop();

    fresh();
    waiter.tell = told;
    waiter.value = word;
    EQUAL(run(adds(&waiter)), 0);
    close_loop();
    EQUAL(weft_waiter_wake(&waiter, 0), -EBADF);
    EQUAL(weft_loop_run_until_complete(second, adds(&waiter)), -EBUSY);
    EQUAL(weft_waitq_remove(&waiter), 0);
    EQUAL(weft_waitq_remove(&waiter), -ESRCH);
    EQUAL(weft_loop_run_until_complete(second, adds(&waiter)), 0);
    EQUAL(weft_waitq_remove(&waiter), 0);
    weft_loop_close(second);
    HAPPENED("");
}

IN_TASK(a_queue_in_which_somebody_waits_is_not_destroyed)
{
    weft_waiter waiter = WEFT_WAITER_INIT;

    fresh();
    weft_task *a = waiting("a");
    const struct said *said;

    weft_task_set_name(a, "patience");
    waiter.tell = told;
    waiter.value = word;
    EQUAL(weft_waitq_add(&queue, &waiter), 0);
    EQUAL(weft_waitq_destroy(&queue), -EBUSY);
    CHECK(strstr(weft_error_detail(), "2 still wait for a wait queue") != NULL);
    said = next_report();
    EQUAL(said->kind, WEFT_REPORT_DESTROYED);
    EQUAL(said->status, -EBUSY);
    SAME(said->task_name, "patience");
    SAME(said->waiting, "wait queue");
    said = next_report();
    EQUAL(said->kind, WEFT_REPORT_DESTROYED);
    SAME(said->task_name, "");
    EQUAL(weft_waitq_wake(&queue, 9), 2);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_waitq_destroy(&queue), 0);
    HAPPENED("told a");
}

/* At every step. */

WEFT_ASYNC(hands_three_over, (int *, left))
{
    weft_sleep(0);
    while (*left > 0) {
        *left -= (int)weft_waitq_wake(&queue, 1);
        weft_sleep(0.001);
    }
    return 0;
}

WEFT_ASYNC(takes_one)
{
    int r = weft_waitq_wait(&queue);

    step_balance += r == 0;
    return r;
}

WEFT_ASYNC(passes_three_on)
{
    weft_shield shield;
    int left = 3;

    fresh();
    weft_task *task = weft_create_task(hands_three_over(&left), NULL);
    int r = weft_gather(NULL, takes_one(), takes_one(), takes_one());

    /* Whoever was cancelled took none: so many are left. */
    weft_shield_enter(&shield, 10);
    while (step_balance < 3) {
        EQUAL(weft_await(takes_one()), 0);
    }
    EQUAL(weft_await(task), 0);
    weft_shield_exit(&shield, 0);
    EQUAL(queue.count, 0);
    step_balance -= 3;
    return r;
}

IN_LOOP(what_is_handed_over_is_never_lost)
{
    CHECK(AT_EVERY_STEP(passes_three_on, 0, -ECANCELED) > 10);
}

/* What is called for one that gives up may cancel it. */

static weft_task *chooser;

static void cancels_the_chooser(weft_waiter *waiter)
{
    (void)waiter;
    note("gave up");
    EQUAL(weft_task_cancel(chooser), 0);
}

WEFT_ASYNC(chooses, (weft_waitq *, first), (weft_waitq *, second))
{
    weft_waitq *queues[] = { first, second };
    weft_waiter waiters[2] = { { .gave_up = cancels_the_chooser },
                               { .gave_up = cancels_the_chooser } };
    size_t which = 9;

    EQUAL(weft_waitq_wait_any(queues, waiters, 2, &which), 0);
    EQUAL(which, 0);
    EQUAL(weft_sleep(0), -ECANCELED);
    return 5;
}

IN_TASK(one_that_is_woken_keeps_it_though_giving_up_cancels_it)
{
    weft_waitq first = WEFT_WAITQ_INIT, second = WEFT_WAITQ_INIT;

    chooser = weft_create_task(chooses(&first, &second), NULL);
    give_way(2);
    EQUAL(weft_waitq_wake(&first, 1), 1);
    EQUAL(weft_await(chooser), 5);
    HAPPENED("gave up");
}

static CU_TestInfo tests[] = {
    TEST(waiters_are_woken_in_the_order_in_which_they_came),
    TEST(all_are_woken_with_one_status),
    TEST(a_waiter_that_is_cancelled_leaves_at_once),
    TEST(a_waiter_that_was_woken_keeps_it_when_it_is_cancelled_then),
    TEST(a_wait_while_cancelled_fails_after_a_turn),
    TEST(a_value_is_handed_to_the_waiter_of_ones_choice),
    TEST(giving_up_is_told_at_once_and_being_woken_is_not),
    TEST(a_callback_stands_in_line_with_tasks),
    TEST(one_of_several_queues_wins_and_the_others_are_left),
    TEST(waiting_in_the_same_queue_twice_takes_one_wake),
    TEST(a_cancel_leaves_all_queues),
    TEST(waiters_move_to_another_queue_in_their_order),
    TEST(only_tasks_wait),
    TEST(another_thread_cannot_wake),
    TEST(a_queue_belongs_to_one_loop_until_that_is_closed),
    TEST(whoever_waits_while_its_loop_stands_still_can_be_woken),
    TEST(who_was_left_in_a_queue_by_a_closed_loop_is_not_touched),
    TEST(a_callback_that_was_left_by_a_closed_loop_can_be_taken_out),
    TEST(a_queue_in_which_somebody_waits_is_not_destroyed),
    TEST(what_is_handed_over_is_never_lost),
    TEST(one_that_is_woken_keeps_it_though_giving_up_cancels_it),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(waitq, tests)
