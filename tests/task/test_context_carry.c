/* SPDX-License-Identifier: MIT
 * Who carries a context: tasks, callbacks, timers, descriptors; and who lets go of it. */
#include "tests/task/values.h"

#include <sys/ioctl.h>
#include <unistd.h>

/* ---- tasks ---- */

WEFT_ASYNC(is_then_becomes, (const char *, is), (const char *, becomes))
{
    HERE(is);
    be(becomes);
    EQUAL(weft_sleep(0), 0);
    HERE(becomes);
    return 0;
}

IN_TASK(a_task_has_a_copy_of_its_creators_context)
{
    weft_task *task;

    be("Ada");
    task = weft_create_task(is_then_becomes("Ada", "Bob"), NULL);
    be("Cyd"); /* not seen there: the copy was made with the task */
    give_way(1);
    HERE("Cyd");
    EQUAL(weft_await(task), 0);
    HERE("Cyd");
    EQUAL(values, 1);
}

IN_TASK(gathered_coroutines_and_children_of_groups_have_copies)
{
    weft_task_group group;
    weft_task *task = NULL;

    be("Ada");
    EQUAL(weft_gather(NULL, is_then_becomes("Ada", "Bob"), is_then_becomes("Ada", "Cyd")), 0);
    HERE("Ada");
    EQUAL(weft_task_group_enter(&group), 0);
    task = weft_task_group_create_task(&group, is_then_becomes("Ada", "Dan"), NULL);
    CHECK(!weft_task_done(task));
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HERE("Ada");
    EQUAL(weft_wait_for(weft_create_task(is_then_becomes("Ada", "Eve"), NULL), 1), 0);
    HERE("Ada");
}

IN_TASK(an_eager_task_has_a_copy_too)
{
    weft_task_options eager = { .eager_start = true };
    weft_task *task;

    be("Ada");
    task = weft_create_task(is_then_becomes("Ada", "Bob"), &eager);
    HERE("Ada");
    EQUAL(weft_await(task), 0);
    HERE("Ada");
}

static void starts_eagerly(void *unused)
{
    weft_task_options eager = { .eager_start = true };

    (void)unused;
    HERE("Ada");
    EQUAL(weft_task_detach(weft_create_task(is_then_becomes("Ada", "Bob"), &eager)), 0);
    HERE("Ada");
}

IN_TASK(a_callback_keeps_its_context_over_a_task_that_it_starts)
{
    be("Ada");
    EQUAL(weft_loop_call_soon(NULL, starts_eagerly, NULL, NULL), 0);
    give_way(3);
}

IN_TASK(a_task_runs_in_the_context_that_it_is_given)
{
    weft_context *context = new_context();
    weft_task_options in_it = { .context = context };
    weft_task_group group;

    be("Ada");
    EQUAL(weft_await(weft_create_task(is_then_becomes("nobody", "Bob"), &in_it)), 0);
    SAME(weft_context_get(context, &who), "Bob");
    EQUAL(weft_task_group_enter(&group), 0);
    weft_task_group_create_task(&group, is_then_becomes("Bob", "Cyd"), &in_it);
    EQUAL(weft_task_group_exit(&group, 0), 0);
    HERE("Ada");
    SAME(weft_context_get(context, &who), "Cyd");
    weft_context_unref(context);
    EQUAL(values, 1);
}

WEFT_ASYNC(shares, (const char *, mine), (const char *, theirs))
{
    be(mine);
    EQUAL(weft_sleep(0), 0);
    HERE(theirs);
    return 0;
}

static void not_at_all(void *unused)
{
    (void)unused;
    note("called");
}

WEFT_ASYNC(enters_its_own, (weft_context *, context))
{
    return weft_context_run(context, not_at_all, NULL);
}

IN_TASK(a_task_is_in_its_context_already)
{
    weft_context *context = new_context();
    weft_task_options in_it = { .context = context };

    EQUAL(weft_await(weft_create_task(enters_its_own(context), &in_it)), -EBUSY);
    EQUAL(weft_task_get_context(weft_current_task(), &in_it.context), 0);
    EQUAL(weft_context_run(in_it.context, not_at_all, NULL), -EBUSY);
    weft_context_unref(in_it.context);
    weft_context_unref(context);
}

IN_TASK(tasks_in_one_context_see_what_the_others_set)
{
    weft_context *context = new_context();
    weft_task_options in_it = { .context = context };
    weft_task *a = weft_create_task(shares("Ada", "Bob"), &in_it);
    weft_task *b = weft_create_task(shares("Bob", "Bob"), &in_it);

    weft_context_unref(context); /* the tasks hold it */
    weft_context_unref(context); /* ... and a hold too many does not take theirs */
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(values, 0);
}

WEFT_ASYNC(resets_at_last, (weft_context **, ret_context))
{
    weft_context_token token;

    EQUAL(weft_context_var_set(&who, value("Bob"), &token), 0);
    EQUAL(weft_task_get_context(weft_current_task(), ret_context), 0);
    HERE("Bob");
    EQUAL(weft_sleep(0), 0);
    HERE("Cyd");
    return weft_context_var_reset(&who, &token);
}

static void becomes_cyd(void *unused)
{
    (void)unused;
    be("Cyd");
}

IN_TASK(a_tasks_context_can_be_looked_at_and_entered)
{
    weft_context *context = NULL, *again = NULL;
    weft_task *task = weft_create_task(resets_at_last(&context), NULL);

    give_way(1);
    EQUAL(weft_task_get_context(task, &again), 0);
    CHECK(again == context);
    weft_context_unref(again);
    SAME(weft_context_get(context, &who), "Bob");
    EQUAL(weft_context_run(context, becomes_cyd, NULL), 0);
    EQUAL(weft_task_get_context(task, NULL), -EINVAL);
    EQUAL(weft_await(weft_task_ref(task)), 0); /* its token still fits */
    SAME(weft_context_get(context, &who), "nobody");
    weft_context_unref(context);
    EQUAL(weft_task_get_context(task, &again), -ESRCH); /* it has ended */
    EQUAL(weft_await(task), 0);
    EQUAL(weft_task_get_context(task, &again), -ESRCH);
}

IN_LOOP(a_task_that_never_began_lets_go_at_its_loops_close)
{
    weft_context *context = new_context();
    weft_task_options in_it = { .context = context };
    weft_task *task = weft_loop_create_task(loop, gives(0), &in_it);

    EQUAL(weft_context_run(context, becomes_cyd, NULL), 0);
    weft_context_unref(context);
    EQUAL(values, 1);
    close_loop();
    EQUAL(values, 0);
    EQUAL(weft_task_status(task), -ESRCH);
    EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
}

/* ---- callbacks ---- */

static void is(void *word)
{
    note(name_here());
    HERE(word);
    be("somebody else"); /* gone with this call */
}

IN_TASK(callbacks_carry_the_context_in_which_they_were_scheduled)
{
    be("Ada");
    EQUAL(weft_loop_call_soon(NULL, is, (void *)"Ada", NULL), 0);
    EQUAL(weft_loop_call_later(NULL, 0.001, is, (void *)"Ada", NULL), 0);
    EQUAL(weft_loop_call_at(NULL, weft_loop_time(NULL), is, (void *)"Ada", NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(NULL, is, (void *)"Ada", NULL), 0);
    be("Bob");
    EQUAL(weft_loop_call_soon(NULL, is, (void *)"Bob", NULL), 0);
    EQUAL(weft_sleep(0.01), 0);
    HAPPENED("Ada Bob Ada Ada Ada");
    EQUAL(values, 1);
}

static void begins_another(void *unused)
{
    (void)unused;
    HERE("nobody");
    be("Ada");
    EQUAL(weft_loop_call_soon(NULL, is, (void *)"Ada", NULL), 0);
}

IN_TASK(a_callbacks_own_callbacks_carry_its_context_and_no_others)
{
    EQUAL(weft_loop_call_soon(NULL, begins_another, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(NULL, is, (void *)"nobody", NULL), 0);
    give_way(3);
    HAPPENED("nobody Ada");
    HERE("nobody");
    EQUAL(values, 0);
}

IN_TASK(a_cancelled_callback_lets_go_at_once)
{
    weft_handle *soon, *later, *first;

    be("Ada");
    EQUAL(weft_loop_call_later(NULL, 1e6, is, NULL, &first), 0);
    EQUAL(weft_loop_call_soon(NULL, is, NULL, &soon), 0);
    EQUAL(weft_loop_call_later(NULL, 1e7, is, NULL, &later), 0);
    be("Bob");
    EQUAL(values, 2);
    EQUAL(weft_handle_cancel(soon), 0);
    EQUAL(weft_handle_cancel(later), 0);
    EQUAL(values, 2);
    EQUAL(weft_handle_cancel(first), 0);
    EQUAL(values, 1);
    EQUAL(weft_handle_cancel(first), 0);
    CHECK(weft_handle_cancelled(soon) && weft_handle_when(later) > 9e6);
    give_way(2);
    weft_handle_unref(first);
    weft_handle_unref(soon);
    weft_handle_unref(later);
}

static weft_handle *own;

static void cancels_itself(void *word)
{
    HERE(word);
    EQUAL(weft_handle_cancel(own), 0);
    HERE(word);
    own = weft_handle_unref(own);
    HERE(word);
}

IN_TASK(a_callback_may_cancel_itself)
{
    be("Ada");
    EQUAL(weft_loop_call_soon(NULL, cancels_itself, (void *)"Ada", &own), 0);
    be("Bob");
    EQUAL(values, 2);
    give_way(1);
    EQUAL(values, 1);
}

static void schedules_all(void *handles)
{
    weft_handle **held = handles;

    be("Ada");
    EQUAL(weft_loop_call_soon(loop, is, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon(loop, is, NULL, &held[0]), 0);
    EQUAL(weft_loop_call_later(loop, 1, is, NULL, NULL), 0);
    EQUAL(weft_loop_call_later(loop, 1, is, NULL, &held[1]), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, is, NULL, NULL), 0);
    EQUAL(weft_loop_call_soon_threadsafe(loop, is, NULL, &held[2]), 0);
}

IN_LOOP(callbacks_that_never_run_let_go_at_their_loops_close)
{
    weft_context *context = new_context();
    weft_handle *held[3];

    EQUAL(weft_context_run(context, schedules_all, held), 0);
    weft_context_unref(context);
    EQUAL(values, 1);
    close_loop();
    EQUAL(values, 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_handle_cancel(held[i]), -ESRCH);
    }
}

/* ---- done callbacks ---- */

static void task_done(weft_task *task, void *word)
{
    (void)task;
    is(word);
}

static void future_done(weft_future *future, void *word)
{
    (void)future;
    is(word);
}

IN_TASK(done_callbacks_carry_the_context_in_which_they_were_added)
{
    weft_task *task = weft_create_task(gives(0), NULL);
    weft_future *future = new_future();

    be("Ada");
    EQUAL(weft_task_add_done_callback(task, task_done, (void *)"Ada"), 0);
    EQUAL(weft_future_add_done_callback(future, future_done, (void *)"Ada"), 0);
    be("Bob");
    EQUAL(weft_task_add_done_callback(task, task_done, (void *)"Bob"), 0);
    set_future(future);
    EQUAL(weft_future_add_done_callback(future, future_done, (void *)"Bob"), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_await(future), 0);
    give_way(2);
    HAPPENED("Ada Bob Ada Bob");
    EQUAL(values, 1);
}

IN_TASK(a_done_callback_that_is_taken_back_lets_go_at_once)
{
    weft_future *future = new_future();

    be("Ada");
    EQUAL(weft_future_add_done_callback(future, future_done, NULL), 0);
    be("Bob");
    EQUAL(weft_future_remove_done_callback(future, future_done, NULL), 1);
    EQUAL(values, 1);
    EQUAL(weft_future_add_done_callback(future, future_done, NULL), 0);
    be("Cyd");
    set_future(future);
    EQUAL(values, 2);
    EQUAL(weft_future_remove_done_callback(future, future_done, NULL), 1); /* due already */
    EQUAL(values, 1);
    EQUAL(weft_await(future), 0);
    give_way(1);
}

static void adds_done_callbacks(void *unused)
{
    weft_future *pending = NULL, *done = NULL;

    (void)unused;
    be("Ada");
    EQUAL(weft_future_new(loop, &pending), 0);
    EQUAL(weft_future_add_done_callback(pending, future_done, NULL), 0);
    EQUAL(weft_future_new(loop, &done), 0);
    EQUAL(weft_future_add_done_callback(done, future_done, NULL), 0);
    EQUAL(weft_future_set_result(done, NULL), 0);
}

IN_LOOP(done_callbacks_let_go_at_their_loops_close)
{
    weft_context *context = new_context();

    EQUAL(weft_context_run(context, adds_done_callbacks, NULL), 0);
    weft_context_unref(context);
    EQUAL(values, 1);
    close_loop();
    EQUAL(values, 0);
}

/* ---- descriptors ---- */

static int pair[2];

/* IN_TASK, with a pair of pipes' ends, where descriptors can be watched. */
#define WITH_PIPE(name)             \
    static void name##__pipe(void); \
    IN_TASK(name)                   \
    {                               \
        if (!is_virtual()) {        \
            EQUAL(pipe(pair), 0);   \
            name##__pipe();         \
            close(pair[0]);         \
            close(pair[1]);         \
        }                           \
    }                               \
    static void name##__pipe(void)

static void reads(void *word)
{
    char c;

    EQUAL(read(pair[0], &c, 1), 1);
    is(word);
}

static void reads_once(void *word)
{
    reads(word);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
}

static void writes_once(void *word)
{
    is(word);
    EQUAL(weft_loop_remove_writer(NULL, pair[1]), 1);
}

/* Until all that was written was read. */
static void until_read(void)
{
    int left = 1;

    while (ioctl(pair[0], FIONREAD, &left) == 0 && left > 0) {
        EQUAL(weft_sleep(0.001), 0);
    }
}

WITH_PIPE(readers_and_writers_carry_the_context_in_which_they_were_added)
{
    be("Ada");
    EQUAL(weft_loop_add_reader(NULL, pair[0], reads, (void *)"Ada"), 0);
    be("Bob");
    EQUAL(write(pair[1], "12", 2), 2); /* each call begins with Ada anew */
    until_read();
    EQUAL(weft_loop_add_reader(NULL, pair[0], reads, (void *)"Bob"), 0);
    EQUAL(values, 1);
    EQUAL(write(pair[1], "3", 1), 1);
    until_read();
    EQUAL(weft_loop_add_writer(NULL, pair[1], writes_once, (void *)"Bob"), 0);
    be("Cyd");
    EQUAL(weft_sleep(0.002), 0);
    EQUAL(values, 2);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    EQUAL(values, 1);
    HAPPENED("Ada Ada Bob Bob");
}

WITH_PIPE(a_reader_that_removes_itself_lets_go_when_it_returns)
{
    be("Ada");
    EQUAL(weft_loop_add_reader(NULL, pair[0], reads_once, (void *)"Ada"), 0);
    be("Bob");
    EQUAL(write(pair[1], "1", 1), 1);
    EQUAL(values, 2);
    EQUAL(weft_sleep(0.002), 0);
    EQUAL(values, 1);
    HAPPENED("Ada");
}

WITH_PIPE(readers_and_writers_let_go_at_their_loops_close)
{
    be("Ada"); /* main ends and the loop closes: see the end of each test */
    EQUAL(weft_loop_add_reader(NULL, pair[0], reads, NULL), 0);
    be("Bob");
    EQUAL(weft_loop_add_writer(NULL, pair[1], writes_once, NULL), 0);
}

/* ---- releasing ---- */

static weft_future *others;
static weft_handle *others_handle;

/* A release that does what it can to those that are just being let go of. */
static void interferes(void *word)
{
    release(word);
    weft_future_remove_done_callback(others, future_done, NULL);
    weft_handle_cancel(others_handle);
    HERE("nobody");
    weft_context_var_set(&what, (void *)"interfered", NULL);
}

IN_TASK(a_release_may_call_anything_that_does_not_wait)
{
    static const weft_context_var bad = { .name = "bad", .release = interferes };
    weft_context_token token;

    others = new_future();
    EQUAL(weft_context_var_set(&bad, value("bad"), &token), 0);
    for (int i = 0; i < 5; i++) {
        EQUAL(weft_future_add_done_callback(others, future_done, i % 2 ? &others : NULL), 0);
    }
    EQUAL(weft_loop_call_later(NULL, 1e6, is, NULL, &others_handle), 0);
    EQUAL(weft_context_var_reset(&bad, &token), 0);
    EQUAL(values, 1);
    EQUAL(weft_future_remove_done_callback(others, future_done, &others), 2);
    EQUAL(weft_handle_cancel(others_handle), 0);
    EQUAL(values, 1);
    EQUAL(weft_future_remove_done_callback(others, future_done, NULL), 3);
    EQUAL(values, 0);
    SAME(weft_context_var_get(&what), "interfered");
    weft_handle_unref(others_handle);
    EQUAL(weft_future_cancel(others), 0);
    EQUAL(weft_await(others), -ECANCELED);
    EQUAL(weft_future_set_result(others, NULL), -EALREADY);
}

static void posts(void *word)
{
    release(word);
    be("a late one");
    EQUAL(weft_loop_call_soon_threadsafe(loop, not_at_all, NULL, NULL), 0);
}

static const weft_context_var late = { .name = "late", .release = posts };

static void sets_late(void *unused)
{
    (void)unused;
    EQUAL(weft_context_var_set(&late, value("late"), NULL), 0);
    EQUAL(weft_loop_call_soon(loop, is, NULL, NULL), 0);
}

static void closes(void *unused)
{
    weft_context *context = new_context();

    (void)unused;
    EQUAL(weft_context_run(context, sets_late, NULL), 0);
    weft_context_unref(context);
    close_loop();
}

IN_LOOP(what_a_release_posts_to_its_closing_loop_lets_go)
{
    weft_context *context = new_context();

    EQUAL(weft_context_run(context, closes, NULL), 0);
    weft_context_unref(context);
}

WEFT_ASYNC(never_ends)
{
    be("Ada");
    return weft_sleep(1e6);
}

static int abandons(void)
{
    weft_loop *made = open_loop();

    EQUAL(weft_task_detach(weft_loop_create_task(made, never_ends(), NULL)), 0);
    EQUAL(weft_loop_stop(made), 0);
    EQUAL(weft_loop_run_forever(made), 0);
    EQUAL(weft_loop_stop(made), 0);
    EQUAL(weft_loop_run_forever(made), 0);
    EQUAL(values, 1);
    EQUAL(weft_loop_close(made), 0);
    EQUAL(values, 1); /* its stack is as it was, and may point to the value */
    return 0;
}

ALONE(an_abandoned_task_keeps_its_values)
{
    EQUAL(in_child(abandons, NULL, 0), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_task_has_a_copy_of_its_creators_context),
    TEST(gathered_coroutines_and_children_of_groups_have_copies),
    TEST(an_eager_task_has_a_copy_too),
    TEST(a_callback_keeps_its_context_over_a_task_that_it_starts),
    TEST(a_task_runs_in_the_context_that_it_is_given),
    TEST(a_task_is_in_its_context_already),
    TEST(tasks_in_one_context_see_what_the_others_set),
    TEST(a_tasks_context_can_be_looked_at_and_entered),
    TEST(a_task_that_never_began_lets_go_at_its_loops_close),
    TEST(callbacks_carry_the_context_in_which_they_were_scheduled),
    TEST(a_callbacks_own_callbacks_carry_its_context_and_no_others),
    TEST(a_cancelled_callback_lets_go_at_once),
    TEST(a_callback_may_cancel_itself),
    TEST(callbacks_that_never_run_let_go_at_their_loops_close),
    TEST(done_callbacks_carry_the_context_in_which_they_were_added),
    TEST(a_done_callback_that_is_taken_back_lets_go_at_once),
    TEST(done_callbacks_let_go_at_their_loops_close),
    TEST(readers_and_writers_carry_the_context_in_which_they_were_added),
    TEST(a_reader_that_removes_itself_lets_go_when_it_returns),
    TEST(readers_and_writers_let_go_at_their_loops_close),
    TEST(a_release_may_call_anything_that_does_not_wait),
    TEST(what_a_release_posts_to_its_closing_loop_lets_go),
    TEST(an_abandoned_task_keeps_its_values),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(context_carry, tests)
