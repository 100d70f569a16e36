/* SPDX-License-Identifier: MIT
 * Context variables and context objects: set, reset, held, entered. */
#include "tests/task/steps.h"
#include "tests/task/values.h"

#include <pthread.h>

/* ---- variables ---- */

IN_TASK(a_variable_is_its_default_until_it_is_set)
{
    HERE("nobody");
    CHECK(weft_context_var_get(&what) == NULL);
    CHECK(weft_context_var_get(NULL) == NULL);
    be("Ada");
    HERE("Ada");
    CHECK(weft_context_var_get(&what) == NULL);
}

IN_TASK(what_is_set_anew_is_released_at_once)
{
    be("Ada");
    be("Bob");
    HERE("Bob");
    EQUAL(values, 1);
    EQUAL(weft_context_var_set(NULL, NULL, NULL), -EINVAL);
}

IN_TASK(variables_are_known_by_address_not_by_name)
{
    static const weft_context_var twin = { "who", (void *)"twin", NULL };

    be("Ada");
    SAME(weft_context_var_get(&twin), "twin");
    EQUAL(weft_context_var_set(&twin, (void *)"Bob", NULL), 0);
    HERE("Ada");
    SAME(weft_context_var_get(&twin), "Bob");
}

WEFT_ASYNC(becomes, (const char *, name))
{
    be(name);
    return weft_sleep(0);
}

IN_TASK(an_awaited_coroutine_shares_its_callers_context)
{
    EQUAL(weft_await(becomes("Ada")), 0);
    HERE("Ada");
    EQUAL(weft_wait_for(becomes("Bob"), 1), 0);
    HERE("Bob");
}

IN_TASK(many_variables_keep_their_values)
{
    static weft_context_var many[100];

    for (int i = 0; i < 100; i++) {
        EQUAL(weft_context_var_set(&many[i], &many[99 - i], NULL), 0);
    }
    for (int i = 0; i < 100; i++) {
        CHECK(weft_context_var_get(&many[i]) == &many[99 - i]);
    }
}

/* ---- tokens ---- */

IN_TASK(reset_brings_back_what_was)
{
    weft_context_token first, second;

    EQUAL(weft_context_var_set(&who, value("Ada"), &first), 0);
    EQUAL(weft_context_var_set(&who, value("Bob"), &second), 0);
    EQUAL(values, 2); /* the token holds one */
    EQUAL(weft_context_var_reset(&who, &second), 0);
    HERE("Ada");
    EQUAL(values, 1);
    EQUAL(weft_context_var_reset(&who, &first), 0);
    HERE("nobody");
    EQUAL(values, 0);
}

IN_TASK(reset_leaves_what_other_variables_became_since)
{
    weft_context_token token;

    be("Ada");
    EQUAL(weft_context_var_set(&who, value("Bob"), &token), 0);
    EQUAL(weft_context_var_set(&what, (void *)"tea", NULL), 0);
    EQUAL(weft_context_var_reset(&who, &token), 0);
    HERE("Ada");
    SAME(weft_context_var_get(&what), "tea");
    EQUAL(values, 1);
}

IN_TASK(tokens_may_be_reset_in_any_order)
{
    weft_context_token first, second;

    EQUAL(weft_context_var_set(&who, value("Ada"), &first), 0);
    EQUAL(weft_context_var_set(&who, value("Bob"), &second), 0);
    EQUAL(weft_context_var_reset(&who, &first), 0);
    HERE("nobody");
    EQUAL(weft_context_var_reset(&who, &second), 0);
    HERE("Ada");
    EQUAL(values, 1);
}

IN_TASK(a_token_serves_once_and_its_variable_only)
{
    weft_context_token token, zeroed = { { NULL } };

    EQUAL(weft_context_var_set(&who, value("Ada"), &token), 0);
    EQUAL(weft_context_var_reset(&what, &token), -EINVAL);
    EQUAL(weft_context_var_reset(NULL, &token), -EINVAL);
    EQUAL(weft_context_var_reset(&who, NULL), -EINVAL);
    HERE("Ada");
    EQUAL(weft_context_var_reset(&who, &token), 0);
    EQUAL(weft_context_var_reset(&who, &token), -ESRCH);
    EQUAL(weft_context_var_reset(&who, &zeroed), -ESRCH);
}

IN_TASK(a_dropped_token_leaves_the_variable)
{
    weft_context_token token;

    be("Ada");
    EQUAL(weft_context_var_set(&who, value("Bob"), &token), 0);
    EQUAL(values, 2);
    weft_context_token_drop(&token);
    EQUAL(values, 1);
    HERE("Bob");
    weft_context_token_drop(&token);
    weft_context_token_drop(NULL);
    EQUAL(weft_context_var_reset(&who, &token), -ESRCH);
}

WEFT_ASYNC(resets, (weft_context_token *, token))
{
    return weft_context_var_reset(&who, token);
}

static void resets_back(void *token)
{
    EQUAL(weft_context_var_reset(&who, token), -EINVAL);
}

IN_TASK(a_token_of_another_context_is_refused)
{
    weft_context_token token;
    weft_context *context;

    EQUAL(weft_context_var_set(&who, value("Ada"), &token), 0);
    EQUAL(weft_await(weft_create_task(resets(&token), NULL)), -EINVAL);
    EQUAL(weft_loop_call_soon(NULL, resets_back, &token, NULL), 0);
    give_way(1);
    context = copy_here();
    EQUAL(weft_context_run(context, resets_back, &token), 0);
    weft_context_unref(context);
    HERE("Ada");
    EQUAL(weft_await(resets(&token)), 0);
    HERE("nobody");
}

static weft_context_token of_callback;

static void sets_with_token(void *name)
{
    EQUAL(weft_context_var_set(&who, value(name), &of_callback), 0);
}

IN_TASK(the_context_of_a_callback_is_gone_with_its_call)
{
    EQUAL(weft_loop_call_soon(NULL, sets_with_token, (void *)"Ada", NULL), 0);
    give_way(1);
    EQUAL(values, 0); /* the token holds what was before, which is nothing */
    EQUAL(weft_loop_call_soon(NULL, resets_back, &of_callback, NULL), 0);
    give_way(1);
    weft_context_token_drop(&of_callback);
}

static int leaves_early(int times)
{
    for (int i = 0;; i++) {
        WEFT_CONTEXT_VAR_SCOPE(&who, value("Bob"));
        HERE("Bob");
        if (i == times) {
            return i;
        }
    }
}

IN_TASK(a_scope_resets_on_every_path_out_of_its_block)
{
    be("Ada");
    EQUAL(leaves_early(3), 3);
    HERE("Ada");
    {
        WEFT_CONTEXT_VAR_SCOPE(&who, value("Bob"));
        WEFT_CONTEXT_VAR_SCOPE(&who, value("Cyd"));
        EQUAL(weft_sleep(0), 0);
        HERE("Cyd");
    }
    HERE("Ada");
    EQUAL(values, 1);
}

/* ---- context objects ---- */

static void becomes_bob(void *unused)
{
    (void)unused;
    be("Bob");
}

static void is(void *word)
{
    HERE(word);
}

IN_TASK(what_run_sets_stays_in_the_context)
{
    weft_context *context;

    be("Ada");
    context = copy_here();
    EQUAL(weft_context_run(context, is, (void *)"Ada"), 0);
    EQUAL(weft_context_run(context, becomes_bob, NULL), 0);
    HERE("Ada");
    SAME(weft_context_get(context, &who), "Bob");
    EQUAL(weft_context_run(context, is, (void *)"Bob"), 0);
    weft_context_unref(context);
    EQUAL(values, 1);
}

IN_TASK(a_new_context_is_empty)
{
    weft_context *context;

    be("Ada");
    context = new_context();
    EQUAL(weft_context_run(context, is, (void *)"nobody"), 0);
    SAME(weft_context_get(context, &who), "nobody");
    weft_context_unref(context);
}

static void runs_again(void *context)
{
    weft_context *other = copy_here();

    EQUAL(weft_context_run(context, is, NULL), -EBUSY);
    EQUAL(weft_context_run(other, is, (void *)"nobody"), 0);
    weft_context_unref(other);
}

IN_TASK(a_context_is_entered_once_at_a_time)
{
    weft_context *context = new_context();

    EQUAL(weft_context_run(context, runs_again, context), 0);
    EQUAL(weft_context_run(context, is, (void *)"nobody"), 0);
    weft_context_unref(context);
}

static void becomes_ada_slowly(void *unused)
{
    (void)unused;
    be("Ada");
    EQUAL(weft_sleep(0.001), 0);
    HERE("Ada");
}

WEFT_ASYNC(runs_in, (weft_context *, context))
{
    int r = weft_context_run(context, becomes_ada_slowly, NULL);

    HERE("nobody");
    return r;
}

IN_TASK(a_function_that_runs_in_a_context_may_wait)
{
    weft_context *context = new_context();
    weft_task *task = weft_create_task(runs_in(context), NULL);

    give_way(1);
    HERE("nobody"); /* the other one is in it, not we */
    SAME(weft_context_get(context, &who), "Ada");
    EQUAL(weft_context_run(context, is, NULL), -EBUSY);
    weft_context_unref(context); /* whoever is in it holds it */
    EQUAL(values, 1);
    EQUAL(weft_await(task), 0);
    EQUAL(values, 0);
}

IN_TASK(a_spent_context_is_refused)
{
    weft_context *context = new_context(), *second = weft_context_ref(context);
    weft_task_options in_it = { .context = context };

    CHECK(second == context);
    CHECK(weft_context_unref(context) == NULL);
    EQUAL(weft_context_run(second, becomes_bob, NULL), 0);
    EQUAL(values, 1);
    CHECK(weft_context_unref(second) == NULL);
    EQUAL(values, 0);
    CHECK(weft_context_unref(context) == NULL);
    CHECK(weft_context_unref(NULL) == NULL);
    CHECK(weft_context_ref(context) == context);
    EQUAL(weft_context_run(context, is, NULL), -ESRCH);
    EQUAL(weft_context_run(NULL, is, NULL), -EINVAL);
    SAME(weft_context_get(context, &who), "nobody");
    CHECK(weft_context_get(context, NULL) == NULL);
    EQUAL(weft_await(weft_create_task(gives(1), &in_it)), -ESRCH);
    EQUAL(weft_copy_context(NULL), -EINVAL);
    EQUAL(weft_context_new(NULL), -EINVAL);
}

/* ---- cancelling ---- */

static void given_back(void *unused)
{
    (void)unused;
    step_balance--;
}

static const weft_context_var counted = { .name = "counted", .release = given_back };

static int set_counted(weft_context_token *ret_token)
{
    step_balance++;
    return weft_context_var_set(&counted, &step_balance, ret_token);
}

static void waits_inside(void *ret_status)
{
    EQUAL(set_counted(NULL), 0);
    *(int *)ret_status = weft_gather(NULL, sleeps(0.001), sleeps(0.002));
    CHECK(weft_context_var_get(&counted) == &step_balance);
}

WEFT_ASYNC(waits_in_contexts)
{
    weft_context *context = copy_here();
    weft_context_token token;
    weft_handle *handle;
    int r = 0;

    EQUAL(weft_context_run(context, waits_inside, &r), 0);
    CHECK(weft_context_var_get(&counted) == NULL);
    EQUAL(set_counted(&token), 0);
    EQUAL(weft_loop_call_later(NULL, 0.001, is, (void *)"nobody", &handle), 0);
    r = r < 0 ? r : weft_sleep(0.002);
    EQUAL(weft_context_var_reset(&counted, &token), 0);
    weft_handle_cancel(handle);
    weft_handle_unref(handle);
    weft_context_unref(context);
    return r;
}

ALONE(a_cancel_at_any_step_leaves_contexts_and_takes_no_value)
{
    CHECK(AT_EVERY_STEP(waits_in_contexts, 0, -ECANCELED) > 10);
}

/* ---- threads ---- */

static void *of_a_thread(void *context)
{
    weft_context_token token;

    HERE("nobody");
    EQUAL(weft_context_var_set(&who, value("Bob"), &token), 0);
    be("Cyd");
    HERE("Cyd");
    EQUAL(weft_context_var_reset(&who, &token), 0);
    HERE("nobody");
    EQUAL(weft_context_run(context, is, (void *)"Ada"), 0);
    be("Dan"); /* for whoever ends the thread */
    return NULL;
}

IN_TASK(each_thread_has_a_context_of_its_own_until_it_ends)
{
    weft_context *context;

    be("Ada");
    context = copy_here();
    in_thread(of_a_thread, context);
    weft_context_unref(context);
    HERE("Ada");
    EQUAL(values, 1);
}

WEFT_ASYNC(is_who, (const char *, name))
{
    HERE(name);
    be("somebody else");
    return 0;
}

static void runs_loops(void *unused)
{
    weft_run_options options = { .backend = backend() };

    (void)unused;
    be("Ada");
    EQUAL(weft_run(is_who("Ada"), &options), 0);
    HERE("Ada");
    EQUAL(run(is_who("Ada")), 0);
    HERE("Ada");
}

IN_LOOP(tasks_made_outside_of_a_loop_copy_the_threads_context)
{
    weft_context *context = new_context();

    EQUAL(weft_context_run(context, runs_loops, NULL), 0);
    weft_context_unref(context);
    HERE("nobody");
    EQUAL(values, 0);
}

static CU_TestInfo tests[] = {
    TEST(a_variable_is_its_default_until_it_is_set),
    TEST(what_is_set_anew_is_released_at_once),
    TEST(variables_are_known_by_address_not_by_name),
    TEST(an_awaited_coroutine_shares_its_callers_context),
    TEST(many_variables_keep_their_values),
    TEST(reset_brings_back_what_was),
    TEST(reset_leaves_what_other_variables_became_since),
    TEST(tokens_may_be_reset_in_any_order),
    TEST(a_token_serves_once_and_its_variable_only),
    TEST(a_dropped_token_leaves_the_variable),
    TEST(a_token_of_another_context_is_refused),
    TEST(the_context_of_a_callback_is_gone_with_its_call),
    TEST(a_scope_resets_on_every_path_out_of_its_block),
    TEST(what_run_sets_stays_in_the_context),
    TEST(a_new_context_is_empty),
    TEST(a_context_is_entered_once_at_a_time),
    TEST(a_function_that_runs_in_a_context_may_wait),
    TEST(a_spent_context_is_refused),
    TEST(a_cancel_at_any_step_leaves_contexts_and_takes_no_value),
    TEST(each_thread_has_a_context_of_its_own_until_it_ends),
    TEST(tasks_made_outside_of_a_loop_copy_the_threads_context),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(context, tests)
