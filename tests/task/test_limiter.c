/* SPDX-License-Identifier: MIT
 * Capacity limiters: tokens, borrowers, changes of the total. */
#include "tests/task/fault.h"
#include "tests/task/steps.h"

#include <stdlib.h>
#include <string.h>

static weft_limiter limiter;

static void fresh(size_t total)
{
    EQUAL(limiter.borrowed, 0);
    EQUAL(weft_limiter_destroy(&limiter), 0);
    limiter = (weft_limiter)WEFT_LIMITER_INIT(total);
}

static size_t borrowed(void)
{
    weft_limiter_stats stats;

    weft_limiter_statistics(&limiter, &stats);
    EQUAL(stats.available, stats.total > stats.borrowed ? stats.total - stats.borrowed : 0);
    return stats.borrowed;
}

static void finish(void)
{
    EQUAL(borrowed(), 0);
    EQUAL(weft_limiter_destroy(&limiter), 0);
}

WEFT_ASYNC(has_one_for, (double, delay), (const char *, word))
{
    int r = weft_limiter_acquire(&limiter);

    if (r < 0) {
        return r;
    }
    note(word);
    r = weft_sleep(delay);
    EQUAL(weft_limiter_release(&limiter), 0);
    return r;
}

WEFT_MUST_USE static weft_task *holding(double delay, const char *word)
{
    weft_task *task = weft_create_task(has_one_for(delay, word), NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(so_many_have_a_token_and_the_next_wait_in_their_order)
{
    weft_limiter_stats stats;
    const void *who[4] = { NULL };

    fresh(2);
    weft_task *a = holding(0.01, "a"), *b = holding(0.02, "b"), *c = holding(0, "c"),
              *d = holding(0, "d");

    weft_limiter_statistics(&limiter, &stats);
    EQUAL(stats.total, 2);
    EQUAL(stats.borrowed, 2);
    EQUAL(stats.available, 0);
    EQUAL(stats.waiting, 2);
    EQUAL(weft_limiter_borrowers(&limiter, who, 1), 2);
    CHECK(who[0] && !who[1]);
    EQUAL(weft_limiter_borrowers(&limiter, who, 4), 2);
    CHECK((who[0] == a && who[1] == b) || (who[0] == b && who[1] == a));
    HAPPENED("a b");
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    EQUAL(weft_await(d), 0);
    HAPPENED("c d");
    finish();
}

IN_TASK(nobody_has_two_and_nobody_gives_back_what_it_has_not)
{
    fresh(3);
    EQUAL(weft_limiter_release(&limiter), -EPERM);
    EQUAL(weft_limiter_acquire(&limiter), 0);
    EQUAL(weft_limiter_acquire(&limiter), -EDEADLK);
    CHECK(strstr(weft_error_detail(), "nobody has two") != NULL);
    EQUAL(weft_limiter_acquire_nowait(&limiter), -EDEADLK);
    EQUAL(weft_limiter_release(&limiter), 0);
    EQUAL(weft_limiter_release(&limiter), -EPERM);
    EQUAL(weft_limiter_acquire_nowait(&limiter), 0);
    EQUAL(weft_limiter_release(&limiter), 0);
    finish();
}

static int first, second;

WEFT_ASYNC(borrows_for, (void *, borrower))
{
    return weft_limiter_acquire_on_behalf_of(&limiter, borrower);
}

IN_TASK(a_token_can_be_taken_in_the_name_of_others)
{
    fresh(1);
    EQUAL(weft_limiter_acquire_on_behalf_of(&limiter, &first), 0);
    EQUAL(weft_limiter_acquire_on_behalf_of(&limiter, &first), -EDEADLK);
    EQUAL(weft_limiter_acquire_on_behalf_of_nowait(&limiter, &second), -EAGAIN);
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, &second), -EPERM);
    weft_task *a = weft_create_task(borrows_for(&second), NULL);
    weft_task *b = weft_create_task(borrows_for(&second), NULL);

    weft_sleep(0);
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, &first), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_limiter_set_total(&limiter, 2), 0);
    EQUAL(weft_await(b), -EDEADLK); /* in whose name there is one by now */
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, &second), 0);
    EQUAL(weft_limiter_acquire_on_behalf_of(&limiter, NULL), -EINVAL);
    EQUAL(weft_limiter_acquire_on_behalf_of_nowait(&limiter, NULL), -EINVAL);
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, NULL), -EINVAL);
    finish();
}

IN_TASK(more_tokens_let_in_who_waits_and_fewer_take_none_away)
{
    fresh(0);
    weft_task *a = holding(0.01, "a"), *b = holding(0.02, "b"), *c = holding(0.03, "c");

    HAPPENED("");
    EQUAL(weft_limiter_set_total(&limiter, 2), 0);
    weft_sleep(0);
    HAPPENED("a b");
    EQUAL(weft_limiter_set_total(&limiter, 1), 0);
    EQUAL(borrowed(), 2);
    EQUAL(weft_limiter_acquire_nowait(&limiter), -EAGAIN);
    EQUAL(weft_await(a), 0);
    HAPPENED("");
    EQUAL(weft_await(b), 0);
    EQUAL(weft_await(c), 0);
    HAPPENED("c");
    EQUAL(weft_limiter_set_total(&limiter, WEFT_LIMITER_UNLIMITED), 0);
    EQUAL(weft_limiter_acquire(&limiter), 0);
    EQUAL(weft_limiter_release(&limiter), 0);
    finish();
}

IN_TASK(who_is_cancelled_takes_none_and_who_has_one_keeps_it)
{
    fresh(1);
    EQUAL(weft_limiter_acquire(&limiter), 0);
    weft_task *a = holding(9, "a"), *b = holding(9, "b"), *c = holding(0, "c");

    weft_task_cancel(a);
    EQUAL(weft_limiter_release(&limiter), 0);
    weft_task_cancel(b);
    EQUAL(borrowed(), 1);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), -ECANCELED); /* of its sleep */
    EQUAL(weft_await(c), 0);
    HAPPENED("b c");
    finish();
}

WEFT_ASYNC(acquires_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    EQUAL(weft_limiter_acquire(&limiter), -ECANCELED);
    EQUAL(weft_limiter_acquire_nowait(&limiter), 0);
    EQUAL(weft_limiter_release(&limiter), 0);
    return 0;
}

IN_TASK(a_cancelled_task_takes_one_only_without_waiting)
{
    fresh(1);
    EQUAL(weft_await(weft_create_task(acquires_when_cancelled(), NULL)), 0);
    finish();
}

WEFT_ASYNC(has_one_in_its_block)
{
    WEFT_LIMITER_SCOPE(&limiter, r);

    EQUAL(borrowed(), 1);
    return r < 0 ? r : 4;
}

IN_TASK(a_limiter_scope_ends_with_its_block)
{
    fresh(1);
    EQUAL(weft_await(has_one_in_its_block()), 4);
    finish();
}

/* The table against an array. */
IN_TASK(thousands_of_borrowers_are_told_apart)
{
    enum { N = 3000 };
    static bool has[N];
    static char who[N];
    uint64_t random = 7;
    size_t count = 0;

    fresh(WEFT_LIMITER_UNLIMITED);
    memset(has, 0, sizeof has);
    for (int i = 0; i < 20 * N; i++) {
        size_t k =
            (size_t)((random = random * 6364136223846793005u + 1442695040888963407u) >> 33) % N;

        if (random >> 63) {
            EQUAL(weft_limiter_acquire_on_behalf_of_nowait(&limiter, &who[k]),
                  has[k] ? -EDEADLK : 0);
            count += !has[k];
            has[k] = true;
        } else {
            EQUAL(weft_limiter_release_on_behalf_of(&limiter, &who[k]), has[k] ? 0 : -EPERM);
            count -= has[k];
            has[k] = false;
        }
        EQUAL(limiter.borrowed, count);
    }
    for (int i = 0; i < N; i++) {
        EQUAL(weft_limiter_release_on_behalf_of(&limiter, &who[i]), has[i] ? 0 : -EPERM);
    }
    finish();
}

static void *changes_elsewhere(void *unused)
{
    (void)unused;
    EQUAL(weft_limiter_set_total(&limiter, 9), -EXDEV);
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, &first), -EXDEV);
    return NULL;
}

IN_TASK(one_that_is_in_use_is_not_destroyed_nor_changed_by_another_thread)
{
    fresh(1);
    EQUAL(weft_limiter_acquire(&limiter), 0);
    EQUAL(weft_limiter_destroy(&limiter), -EBUSY);
    CHECK(strstr(weft_error_detail(), "1 tokens") != NULL);
    weft_task *a = holding(0, "a");

    in_thread(changes_elsewhere, NULL);
    EQUAL(weft_limiter_destroy(&limiter), -EBUSY);
    SAME(next_report()->waiting, "limiter");
    EQUAL(weft_limiter_release(&limiter), 0);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
    finish();
}

IN_LOOP(what_is_wrong_is_told)
{
    weft_loop *other = open_loop();

    fresh(1);
    EQUAL(weft_limiter_acquire(&limiter), -EPERM);
    EQUAL(weft_limiter_acquire_nowait(&limiter), -EPERM);
    EQUAL(weft_limiter_release(&limiter), -EPERM);
    EQUAL(weft_limiter_acquire(NULL), -EINVAL);
    EQUAL(weft_limiter_acquire_nowait(NULL), -EINVAL);
    EQUAL(weft_limiter_release(NULL), -EINVAL);
    EQUAL(weft_limiter_set_total(NULL, 1), -EINVAL);
    EQUAL(weft_limiter_destroy(NULL), -EINVAL);
    EQUAL(weft_limiter_acquire_on_behalf_of_nowait(&limiter, &first), 0);
    weft_task *a = weft_loop_create_task(loop, has_one_for(0, "a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(other, has_one_for(0, "")), -EXDEV);
    EQUAL(weft_limiter_release_on_behalf_of(&limiter, &first), 0);
    EQUAL(run(a), 0);
    weft_loop_close(other);
    HAPPENED("a");
    finish();
}

/* Without memory. */

WEFT_ASYNC(borrows_many)
{
    static char who[40];
    weft_limiter own = WEFT_LIMITER_INIT(40);
    size_t n = 0;

    for (int i = 0; i < 40; i++) {
        n += tried(weft_limiter_acquire_on_behalf_of(&own, &who[i])) == 0;
    }
    EQUAL(own.borrowed, n);
    EQUAL(weft_limiter_destroy(&own), n ? -EBUSY : 0);
    for (int i = 0; i < 40; i++) {
        weft_limiter_release_on_behalf_of(&own, &who[i]);
    }
    return weft_limiter_destroy(&own);
}

static int borrows(void)
{
    return run_in_loop(borrows_many());
}

EACH_FAULT_WHILE_IT(borrows)

/* At every step. */

WEFT_ASYNC(works_with_a_token)
{
    int r = weft_limiter_acquire(&limiter);

    if (r == 0) {
        step_balance++;
        CHECK(step_balance <= 2);
        r = weft_sleep(0.001);
        step_balance--;
        EQUAL(weft_limiter_release(&limiter), 0);
    }
    return r;
}

WEFT_ASYNC(five_work_with_two_tokens)
{
    int r;

    limiter = (weft_limiter)WEFT_LIMITER_INIT(2);
    r = weft_gather(NULL, works_with_a_token(), works_with_a_token(), works_with_a_token(),
                    works_with_a_token(), works_with_a_token());
    finish();
    return r;
}

IN_LOOP(no_token_is_lost_wherever_a_cancel_comes)
{
    CHECK(AT_EVERY_STEP(five_work_with_two_tokens, 0, -ECANCELED) > 20);
}

static CU_TestInfo tests[] = {
    TEST(so_many_have_a_token_and_the_next_wait_in_their_order),
    TEST(nobody_has_two_and_nobody_gives_back_what_it_has_not),
    TEST(a_token_can_be_taken_in_the_name_of_others),
    TEST(more_tokens_let_in_who_waits_and_fewer_take_none_away),
    TEST(who_is_cancelled_takes_none_and_who_has_one_keeps_it),
    TEST(a_cancelled_task_takes_one_only_without_waiting),
    TEST(a_limiter_scope_ends_with_its_block),
    TEST(thousands_of_borrowers_are_told_apart),
    TEST(one_that_is_in_use_is_not_destroyed_nor_changed_by_another_thread),
    TEST(what_is_wrong_is_told),
    TEST(each_fault_while_it_borrows),
    TEST(no_token_is_lost_wherever_a_cancel_comes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(limiter, tests)
