/* SPDX-License-Identifier: MIT
 * Coroutine objects that are spent: awaited, closed, made a task; and those that never were one. */
#include "tests/task/task.h"

IN_TASK(awaiting_twice_is_an_error)
{
    weft_coro *coro = gives(3);

    EQUAL(weft_await(coro), 3);
    EQUAL(weft_await(coro), -ESRCH);
    EQUAL(weft_coro_close(coro), -ESRCH);
    EQUAL(weft_await(weft_create_task(coro, NULL)), -ESRCH);
}

IN_TASK(a_spent_object_is_never_another_one)
{
    weft_coro *spent = gives(1);

    EQUAL(weft_await(spent), 1);
    for (int i = 0; i < told_apart(100); i++) {
        weft_coro *next = gives(2); /* in the same place, most likely */

        CHECK(next != spent);
        EQUAL(weft_await(spent), -ESRCH);
        EQUAL(weft_await(next), 2);
    }
}

static weft_coro *myself;

WEFT_ASYNC(awaits_itself)
{
    EQUAL(weft_coro_close(myself), -ESRCH);
    return weft_await(myself);
}

IN_TASK(a_coroutine_that_runs_cannot_be_awaited)
{
    myself = awaits_itself();
    EQUAL(weft_await(myself), -ESRCH);
    myself = awaits_itself();
    EQUAL(weft_await(weft_create_task(myself, NULL)), -ESRCH);
}

IN_TASK(what_became_a_task_is_spent)
{
    weft_coro *coro = gives(4);
    weft_task *task = weft_create_task(coro, NULL);

    EQUAL(weft_await(coro), -ESRCH);
    EQUAL(weft_await(task), 4);
}

IN_TASK(a_closed_coroutine_never_runs)
{
    weft_coro *coro = notes("ran");

    EQUAL(weft_coro_close(coro), 0);
    EQUAL(weft_await(coro), -ESRCH);
    EQUAL(weft_coro_close(coro), -ESRCH);
    HAPPENED("");
}

IN_TASK(null_is_an_error)
{
    weft_coro *nothing = NULL;
    void *value = &value;
    int status = 77;

    EQUAL(weft_coro_close(NULL), -EINVAL);
    EQUAL(weft_await(nothing), -EINVAL);
    EQUAL(weft_await_value(nothing, &value), -EINVAL);
    CHECK(value == &value);
    EQUAL(weft_await_status(nothing, &status), -EINVAL);
    EQUAL(status, 77);
    EQUAL(weft_await(weft_create_task(NULL, NULL)), -EINVAL);
    CHECK(weft_coro_on_drop(NULL, NULL, NULL) == NULL);
}

static CU_TestInfo tests[] = {
    TEST(awaiting_twice_is_an_error),
    TEST(a_spent_object_is_never_another_one),
    TEST(a_coroutine_that_runs_cannot_be_awaited),
    TEST(what_became_a_task_is_spent),
    TEST(a_closed_coroutine_never_runs),
    TEST(null_is_an_error),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(coro_spent, tests)
