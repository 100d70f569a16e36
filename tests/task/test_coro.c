/* SPDX-License-Identifier: MIT
 * Coroutines: arguments, awaiting, values, and objects that are spent. */
#include "tests/task/task.h"

#include <string.h>

WEFT_ASYNC(none)
{
    return 100;
}

WEFT_ASYNC(one, (int, a))
{
    return a;
}

WEFT_ASYNC(two, (int, a), (long, b))
{
    return a + (int)b;
}

WEFT_ASYNC(three, (int, a), (double, b), (const char *, c))
{
    return a + (int)b + (int)strlen(c);
}

WEFT_ASYNC(four, (char, a), (int, b), (char, c), (double, d))
{
    return a + b + c + (int)d;
}

WEFT_ASYNC(five, (int, a), (int, b), (int, c), (int, d), (int, e))
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e;
}

WEFT_ASYNC(six, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f))
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

WEFT_ASYNC(seven, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f), (int, g))
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g;
}

WEFT_ASYNC(eight, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f), (int, g), (int, h))
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}

IN_TASK(none_to_eight_arguments_arrive)
{
    EQUAL(weft_await(none()), 100);
    EQUAL(weft_await(one(1)), 1);
    EQUAL(weft_await(two(1, 2)), 3);
    EQUAL(weft_await(three(1, 2.0, "abc")), 6);
    EQUAL(weft_await(four(1, 2, 3, 4.0)), 10);
    EQUAL(weft_await(five(1, 1, 1, 1, 1)), 15);
    EQUAL(weft_await(six(1, 1, 1, 1, 1, 1)), 21);
    EQUAL(weft_await(seven(1, 1, 1, 1, 1, 1, 1)), 28);
    EQUAL(weft_await(eight(1, 1, 1, 1, 1, 1, 1, 1)), 36);
    EQUAL(weft_await(eight(8, 7, 6, 5, 4, 3, 2, 1)), 120);
}

IN_TASK(none_to_eight_arguments_arrive_in_a_task)
{
    EQUAL(weft_await(weft_create_task(none(), NULL)), 100);
    EQUAL(weft_await(weft_create_task(three(1, 2.0, "abc"), NULL)), 6);
    EQUAL(weft_await(weft_create_task(eight(8, 7, 6, 5, 4, 3, 2, 1), NULL)), 120);
}

/* Arguments of each size around the borders: the object's own room, and the limit. */

#define SIZED(n)                                                   \
    typedef struct bytes_##n {                                     \
        unsigned char at[n];                                       \
    } bytes_##n;                                                   \
    WEFT_ASYNC(sum_##n, (bytes_##n, bytes))                        \
    {                                                              \
        int sum = 0;                                               \
        for (size_t i = 0; i < sizeof bytes.at; i++) {             \
            sum += bytes.at[i];                                    \
        }                                                          \
        weft_sleep(0);                                             \
        return sum;                                                \
    }                                                              \
    static void check_##n(void)                                    \
    {                                                              \
        bytes_##n bytes;                                           \
        memset(&bytes, 1, sizeof bytes);                           \
        weft_coro *awaited = sum_##n(bytes), *task = sum_##n(bytes); \
        memset(&bytes, 2, sizeof bytes); /* they were copied */    \
        EQUAL(weft_await(awaited), n);                             \
        EQUAL(weft_await(weft_create_task(task, NULL)), n);        \
        EQUAL(weft_coro_close(sum_##n(bytes)), 0);                 \
    }

SIZED(1)
SIZED(63)
SIZED(64)
SIZED(65)
SIZED(1000)
SIZED(4095)
SIZED(4096)

IN_TASK(arguments_of_any_size_up_to_the_limit)
{
    check_1();
    check_63();
    check_64();
    check_65();
    check_1000();
    check_4095();
    check_4096();
}

typedef struct too_big {
    char at[4097];
} too_big;

WEFT_ASYNC(takes_too_much, (too_big, bytes))
{
    (void)bytes;
    CHECK(false);
    return 0;
}

IN_TASK(arguments_beyond_the_limit_are_an_error)
{
    static too_big bytes;
    weft_coro *coro = takes_too_much(bytes);

    CHECK(coro != NULL);
    EQUAL(weft_await(coro), -E2BIG);
    EQUAL(weft_await(coro), -E2BIG); /* a failed object is immortal */
    EQUAL(weft_coro_close(coro), -E2BIG);
    EQUAL(weft_await(weft_create_task(coro, NULL)), -E2BIG);
}

typedef struct aligned {
    _Alignas(16) char at[16];
} aligned;

WEFT_ASYNC(looks_at_its_address, (char, first), (aligned, second))
{
    (void)first;
    EQUAL((uintptr_t)&second % 16, 0);
    return 0;
}

IN_TASK(arguments_keep_their_alignment)
{
    EQUAL(weft_await(looks_at_its_address('a', (aligned){ { 0 } })), 0);
    EQUAL(weft_await(weft_create_task(looks_at_its_address('a', (aligned){ { 0 } }), NULL)), 0);
}

WEFT_MUST_USE weft_coro *exported(int a, const char *b);

WEFT_ASYNC_EXTERN(exported, (int, a), (const char *, b))
{
    return a + b[0] - '0';
}

IN_TASK(the_exported_form_is_declared_by_a_prototype)
{
    EQUAL(weft_await(exported(40, "2")), 42);
}

IN_TASK(calling_runs_nothing)
{
    weft_coro *coro = notes("ran");

    note("made");
    weft_sleep(0);
    note("awaiting");
    EQUAL(weft_await(coro), 0);
    HAPPENED("made awaiting ran");
}

/* What lies beneath. */

static int run_twice(void *args)
{
    *(int *)args *= 2;
    return *(int *)args;
}

IN_TASK(a_definition_of_ones_own)
{
    static const weft_coro_def def = { "twice", "here.c", 7, sizeof(int), run_twice };
    static const weft_coro_def empty = { "nothing", "here.c", 8, 0, NULL };
    int number = 21;

    EQUAL(weft_await(weft_coro_new(&def, &number)), 42);
    EQUAL(number, 21);
    EQUAL(weft_await(weft_coro_new(&def, NULL)), -EINVAL);
    EQUAL(weft_await(weft_coro_new(NULL, &number)), -EINVAL);
    EQUAL(weft_await(weft_coro_new(&empty, NULL)), -EINVAL);
}

/* Depth. */

WEFT_ASYNC(descends, (int, levels))
{
    int r = levels ? weft_await(descends(levels - 1)) : weft_sleep(0);

    return r < 0 ? r : r + 1;
}

IN_TASK(coroutines_await_each_other_a_thousand_levels_deep)
{
    weft_task_options roomy = { .stack_size = (size_t)16 << 20 };

    EQUAL(weft_await(descends(20)), 21);
    EQUAL(weft_await(weft_create_task(descends(1000), &roomy)), 1001);
}

WEFT_ASYNC(fibonacci, (int, n))
{
    if (n < 2) {
        return n;
    }
    return weft_await(fibonacci(n - 1)) + weft_await(fibonacci(n - 2));
}

IN_TASK(recursion_branches)
{
    EQUAL(weft_await(fibonacci(15)), 610);
}

/* Values. */

WEFT_ASYNC(returns, (void *, value), (int, status))
{
    int r = weft_return(value);

    return r < 0 ? r : status;
}

WEFT_ASYNC(returns_through, (void *, value))
{
    void *inner_value = &inner_value;
    int r = weft_await_value(returns(value, 0), &inner_value);

    CHECK(inner_value == value);
    return r; /* and no value of its own */
}

IN_TASK(a_value_comes_beside_the_status)
{
    int thing;
    void *value = NULL;

    EQUAL(weft_await_value(returns(&thing, 0), &value), 0);
    CHECK(value == &thing);
    value = NULL;
    EQUAL(weft_await_value(returns(&thing, 5), &value), 5);
    CHECK(value == &thing);
    EQUAL(weft_await_value(weft_create_task(returns(&thing, 3), NULL), &value), 3);
    CHECK(value == &thing);
}

IN_TASK(there_is_no_value_after_a_failure)
{
    int thing, other;
    void *value = &other;

    EQUAL(weft_await_value(returns(&thing, -EIO), &value), -EIO);
    CHECK(value == &other);
    EQUAL(weft_await_value(weft_create_task(returns(&thing, -EIO), NULL), &value), -EIO);
    CHECK(value == &other);
}

IN_TASK(a_value_that_was_not_given_is_null)
{
    int thing;
    void *value = &thing;

    EQUAL(weft_await_value(gives(0), &value), 0);
    CHECK(value == NULL);
    value = &thing;
    EQUAL(weft_await_value(weft_create_task(gives(0), NULL), &value), 0);
    CHECK(value == NULL);
    EQUAL(weft_await_value(returns(&thing, 0), NULL), 0);
}

IN_TASK(a_value_belongs_to_one_coroutine)
{
    int thing;
    void *value = &value;

    EQUAL(weft_await_value(returns_through(&thing), &value), 0);
    CHECK(value == NULL);
}

ALONE(outside_a_task_there_is_nobody_to_return_to)
{
    EQUAL(weft_return(NULL), -EPERM);
}

IN_TASK(fate_and_status_of_a_coroutine)
{
    int status = 77;

    EQUAL(weft_await_status(gives(5), &status), 0);
    EQUAL(status, 5);
    EQUAL(weft_await_status(gives(-EIO), &status), 0);
    EQUAL(status, -EIO);
    EQUAL(weft_await_status(gives(-ECANCELED), &status), 0); /* it says so; nobody cancelled us */
    EQUAL(status, -ECANCELED);
    EQUAL(weft_await_status(gives(1), NULL), 0);
}

static CU_TestInfo tests[] = {
    TEST(none_to_eight_arguments_arrive),
    TEST(none_to_eight_arguments_arrive_in_a_task),
    TEST(arguments_of_any_size_up_to_the_limit),
    TEST(arguments_beyond_the_limit_are_an_error),
    TEST(arguments_keep_their_alignment),
    TEST(the_exported_form_is_declared_by_a_prototype),
    TEST(calling_runs_nothing),
    TEST(a_definition_of_ones_own),
    TEST(coroutines_await_each_other_a_thousand_levels_deep),
    TEST(recursion_branches),
    TEST(a_value_comes_beside_the_status),
    TEST(there_is_no_value_after_a_failure),
    TEST(a_value_that_was_not_given_is_null),
    TEST(a_value_belongs_to_one_coroutine),
    TEST(outside_a_task_there_is_nobody_to_return_to),
    TEST(fate_and_status_of_a_coroutine),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(coro, tests)
