/* SPDX-License-Identifier: MIT
 * weft_run() and weft_main(): results, options, where the backend comes from. */
#include "tests/task/task.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static weft_run_options on_backend;

static const weft_run_options *options(void)
{
    on_backend = (weft_run_options){ .backend = backend() };
    return &on_backend;
}

WEFT_ASYNC(is_on, (const char *, name))
{
    SAME(weft_loop_backend_name(NULL), name);
    note("ran");
    return weft_sleep(0.001);
}

ALONE(it_returns_mains_status)
{
    static const int statuses[] = { 0, 1, 255, 256, 100000, -1, -EIO, -ECANCELED };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        EQUAL(weft_run(gives(statuses[i]), options()), statuses[i]);
        EQUAL(weft_run(sleeps_then(0.0001, statuses[i]), options()), statuses[i]);
    }
    EQUAL(weft_run(gives(3), NULL), 3);
    EQUAL(weft_run(gives(3), &(weft_run_options){ 0 }), 3);
}

ALONE(it_may_be_called_again_and_again)
{
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_run(gives(i), options()), i);
    }
}

ALONE(the_main_coroutine_is_a_task)
{
    EQUAL(weft_run(is_on(backend_name()), options()), 0);
    HAPPENED("ran");
    CHECK(weft_current_task() == NULL);
    CHECK(weft_get_running_loop() == NULL);
}

ALONE(what_is_no_coroutine_is_an_error)
{
    weft_coro *spent = gives(0);

    EQUAL(weft_run(NULL, options()), -EINVAL);
    EQUAL(weft_run(spent, options()), 0);
    EQUAL(weft_run(spent, options()), -ESRCH);
}

/* Which backend. */

ALONE(the_options_name_the_backend)
{
    static const char *const names[] = { "epoll", "poll", "sim", "sim:start=7" };

    for (int i = 0; i < 4; i++) {
        weft_run_options wanted = { .backend = names[i] };

        EQUAL(weft_run(is_on(i == 3 ? "sim" : names[i]), &wanted), 0);
        HAPPENED("ran");
    }
}

ALONE(an_unknown_backend_is_told_with_those_there_are)
{
    int drops = 0;

    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops),
                   &(weft_run_options){ .backend = "nosuch" }), -ENOENT);
    EQUAL(drops, 1);
    CHECK(strstr(weft_error_detail(), "nosuch") != NULL);
    CHECK(strstr(weft_error_detail(), "epoll, poll, sim") != NULL);
    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops),
                   &(weft_run_options){ .backend = "sim:nonsense" }), -EINVAL);
    EQUAL(drops, 2);
    CHECK(strstr(weft_error_detail(), "nonsense") != NULL);
}

/* Sets WEFT_BACKEND, which is put back by restore(). */
static void set_environment(const char *value)
{
    (void)backend(); /* keeps the one under test */
    if (value) {
        setenv("WEFT_BACKEND", value, 1);
    } else {
        unsetenv("WEFT_BACKEND");
    }
}

static void restore(void)
{
    setenv("WEFT_BACKEND", backend(), 1);
}

ALONE(the_environment_names_the_backend)
{
    static const char *const names[] = { "epoll", "poll", "sim" };

    for (int i = 0; i < 3; i++) {
        set_environment(names[i]);
        EQUAL(weft_run(is_on(names[i]), NULL), 0);
        EQUAL(weft_run(is_on("poll"), &(weft_run_options){ .backend = "poll" }), 0);
        HAPPENED("ran ran");
    }
    restore();
}

ALONE(without_a_word_the_first_real_one_is_taken)
{
    set_environment(NULL);
    EQUAL(weft_run(is_on("epoll"), NULL), 0);
    set_environment("");
    EQUAL(weft_run(is_on("epoll"), NULL), 0);
    HAPPENED("ran ran");
    restore();
}

ALONE(a_wrong_environment_is_an_error)
{
    int drops = 0;

    set_environment("nosuch");
    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), NULL), -ENOENT);
    EQUAL(drops, 1);
    CHECK(strstr(weft_error_detail(), "WEFT_BACKEND") != NULL);
    CHECK(strstr(weft_error_detail(), "nosuch") != NULL);
    restore();
}

/* A factory. */

static weft_loop *made;
static int factory_result;

static int factory(weft_loop **ret_loop)
{
    int r = weft_loop_new(backend(), &made);

    note("factory");
    if (r < 0 || factory_result < 0) {
        return r < 0 ? r : (weft_loop_close(made), factory_result);
    }
    *ret_loop = made;
    return factory_result;
}

WEFT_ASYNC(is_in, (weft_loop **, expected))
{
    CHECK(weft_get_running_loop() == *expected);
    return 4;
}

ALONE(a_factory_makes_the_loop_and_it_is_closed_at_the_end)
{
    weft_run_options wanted = { .loop_factory = factory, .backend = "nosuch" };

    factory_result = 0;
    EQUAL(weft_run(is_in(&made), &wanted), 4);
    EQUAL(weft_loop_is_closed(made), true);
    factory_result = 5; /* success, too */
    EQUAL(weft_run(is_in(&made), &wanted), 4);
    EQUAL(weft_loop_is_closed(made), true);
    HAPPENED("factory factory");
}

static int makes_nothing(weft_loop **ret_loop)
{
    (void)ret_loop;
    return 0;
}

ALONE(a_factory_that_fails_is_an_error)
{
    int drops = 0;
    weft_run_options wanted = { .loop_factory = factory };

    factory_result = -EUCLEAN;
    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), &wanted), -EUCLEAN);
    EQUAL(drops, 1);
    wanted.loop_factory = makes_nothing;
    CHECK(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), &wanted) < 0);
    EQUAL(drops, 2);
    HAPPENED("factory");
}

/* Other options. */

WEFT_ASYNC(tells_debug)
{
    return weft_loop_get_debug(NULL);
}

ALONE(debug_mode_is_an_option)
{
    weft_run_options on = { .backend = backend(), .debug = 1 },
                     off = { .backend = backend(), .debug = -1 };

    EQUAL(weft_run(tells_debug(), options()), 0);
    EQUAL(weft_run(tells_debug(), &on), 1);
    EQUAL(weft_run(tells_debug(), &off), 0);
    setenv("WEFT_DEBUG", "1", 1);
    EQUAL(weft_run(tells_debug(), options()), 1);
    EQUAL(weft_run(tells_debug(), &on), 1);
    EQUAL(weft_run(tells_debug(), &off), 0);
    unsetenv("WEFT_DEBUG");
}

WEFT_ASYNC(fills_stack, (size_t, bytes))
{
    volatile char *room = __builtin_alloca(bytes);

    for (size_t i = 0; i < bytes; i += 1024) {
        room[i] = 1;
    }
    return room[0];
}

WEFT_ASYNC(makes_one_that_fills_its_stack, (size_t, bytes))
{
    return weft_await(weft_create_task(fills_stack(bytes), NULL));
}

ALONE(the_stack_size_is_an_option)
{
    weft_run_options large = { .backend = backend(), .stack_size = (size_t)8 << 20 };
    weft_run_options huge = { .backend = backend(), .stack_size = ((size_t)64 << 20) + 1 };
    int drops = 0;

    EQUAL(weft_run(fills_stack((size_t)7 << 20), &large), 1);
    EQUAL(weft_run(makes_one_that_fills_its_stack((size_t)7 << 20), &large), 1);
    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), &huge), -EINVAL);
    EQUAL(drops, 1);
}

/* Nested. */

WEFT_ASYNC(runs_another)
{
    int drops = 0;

    EQUAL(weft_run(weft_coro_on_drop(gives(0), count_up, &drops), options()), -EBUSY);
    EQUAL(drops, 1);
    return 6;
}

ALONE(a_run_in_a_run_is_refused)
{
    EQUAL(weft_run(runs_another(), options()), 6);
}

static void *run_in_thread(void *result)
{
    *(int *)result = weft_run(sleeps_then(0.001, 7), options());
    return NULL;
}

WEFT_ASYNC(runs_in_a_thread)
{
    int result = -1;

    in_thread(run_in_thread, &result);
    return result;
}

ALONE(a_run_in_another_thread_is_not)
{
    EQUAL(weft_run(runs_in_a_thread(), options()), 7);
}

/* weft_main(). */

static int main_gives(void) { return weft_main(gives(3), options()); }
static int main_gives_much(void) { return weft_main(gives(0x1ff), options()); }
static int main_fails(void) { return weft_main(gives(-ENOSPC), options()); }
static int main_without_backend(void)
{
    return weft_main(gives(0), &(weft_run_options){ .backend = "nosuch" });
}

static int main_without_debug_word(void)
{
    return weft_main(gives(0),
                     &(weft_run_options){ .backend = backend(), .debug_words = "slwo" });
}

ALONE(main_returns_an_exit_status)
{
    char text[500];
    int status;

    status = in_child(main_gives, text, sizeof text);
    CHECK(WIFEXITED(status));
    EQUAL(WEXITSTATUS(status), 3);
    SAME(text, "");
    EQUAL(WEXITSTATUS(in_child(main_gives_much, text, sizeof text)), 0xff);
    SAME(text, "");
}

ALONE(main_tells_a_failure)
{
    char text[900];

    EQUAL(WEXITSTATUS(in_child(main_fails, text, sizeof text)), 1);
    CHECK(strncmp(text, "weft: 'gives' (", 15) == 0);
    CHECK(strstr(text, ") ended with -ENOSPC (No space left on device)\n") != NULL);
    EQUAL(WEXITSTATUS(in_child(main_without_backend, text, sizeof text)), 1);
    CHECK(strncmp(text, "weft: cannot begin 'gives' (", 28) == 0);
    CHECK(strstr(text, "): -ENOENT (No such file or directory): ") != NULL);
    CHECK(strstr(text, "nosuch") != NULL);
    CHECK(strstr(text, "epoll, poll, sim; 'weft backends' lists all") != NULL);
    EQUAL(WEXITSTATUS(in_child(main_without_debug_word, text, sizeof text)), 1);
    CHECK(strncmp(text, "weft: cannot begin 'gives' (", 28) == 0);
    CHECK(strstr(text, "'slwo'") != NULL);
    CHECK(strstr(text, "weft backends") == NULL);
}

static CU_TestInfo tests[] = {
    TEST(it_returns_mains_status),
    TEST(it_may_be_called_again_and_again),
    TEST(the_main_coroutine_is_a_task),
    TEST(what_is_no_coroutine_is_an_error),
    TEST(the_options_name_the_backend),
    TEST(an_unknown_backend_is_told_with_those_there_are),
    TEST(the_environment_names_the_backend),
    TEST(without_a_word_the_first_real_one_is_taken),
    TEST(a_wrong_environment_is_an_error),
    TEST(a_factory_makes_the_loop_and_it_is_closed_at_the_end),
    TEST(a_factory_that_fails_is_an_error),
    TEST(debug_mode_is_an_option),
    TEST(the_stack_size_is_an_option),
    TEST(a_run_in_a_run_is_refused),
    TEST(a_run_in_another_thread_is_not),
    TEST(main_returns_an_exit_status),
    TEST(main_tells_a_failure),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(run, tests)
