/* SPDX-License-Identifier: MIT
 * Debug mode: a task or callback that keeps the loop from all others, told with where it was while
 * it did. */
#include "tests/task/debug.h"

#include <time.h>
#include <unistd.h>

static int64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool was_seen(void)
{
    return atomic_load(&weft__running->observer->stalled) != 0;
}

/* Works until the watchdog has noticed, which on a busy machine takes its time. */
__attribute__((noinline)) static void works_hard(void)
{
    int64_t end = cpu_time() + 10 * INT64_C(1000000000);

    while (!was_seen() && cpu_time() < end) {}
    for (volatile int i = 0; i < 1000; i++) {}
}

/* Sleeps, in pieces, until the same. */
__attribute__((noinline)) static void sleeps_hard(void)
{
    usleep(150000);
    for (int i = 0; i < 100 && !was_seen(); i++) {
        usleep(50000);
    }
}

WEFT_ASYNC(blocks, (bool, works))
{
    if (works) {
        works_hard();
    } else {
        sleeps_hard();
    }
    return 0;
}

WEFT_ASYNC(calls_one_that_blocks, (bool, works))
{
    return weft_await(blocks(works));
}

static void check_blamed(bool works)
{
    EQUAL(weft_await(named(calls_one_that_blocks(works), "guilty")), 0);
    TOLD_ABOUT(WEFT_REPORT_SLOW, "guilty");
    SAME(told.coro, "blocks");
    SAME(told.file, __FILE__);
    EQUAL(told.frames_count, 2);
    CHECK(told.seconds >= 0.03);
    CHECK(strstr(told.what, works ? "on the CPU" : "sleep") != NULL);
    CHECK(told.stack_count >= 1);
    CHECK(leads_to(told.stack, told.stack_count, works ? "works_hard" : "sleeps_hard"));
}

IN_TASK(one_that_works_too_long_is_told)
{
    watch_for("slow=30ms");
    check_blamed(true);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(one_that_waits_in_a_system_call_is_told)
{
    watch_for("slow=30ms");
    check_blamed(false);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(sleeps_until_the_end)
{
    struct timespec half = { .tv_sec = 0, .tv_nsec = 200000000 };

    EQUAL(nanosleep(&half, NULL), 0); /* a signal would end it with EINTR */
    return 0;
}

/* How long it took is known from the watchdog's first look, for which a busy machine may let it
 * wait: one of three times it has come soon. */
IN_TASK(a_system_call_is_not_disturbed)
{
    double longest = 0;

    watch_for("slow=10ms");
    for (int i = 0; i < 3 && longest < 0.15; i++) {
        EQUAL(weft_await(named(sleeps_until_the_end(), "asleep")), 0);
        TOLD_ABOUT(WEFT_REPORT_SLOW, "asleep");
        longest = told.seconds > longest ? told.seconds : longest;
    }
    CHECK(longest >= 0.15);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* The others are not to blame: neither before it nor after it. */
WEFT_ASYNC(innocent, (int, turns))
{
    while (turns-- > 0) {
        weft_sleep(0);
    }
    return 0;
}

IN_TASK(the_right_one_is_blamed_among_many)
{
    weft_task *tasks[20];
    char name[20];

    watch_for("slow=30ms");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "task-%d", i);
        tasks[i] = named(i == 13 ? calls_one_that_blocks(true) : innocent(200), name);
    }
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    TOLD_ABOUT(WEFT_REPORT_SLOW, "task-13");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static void callback_that_blocks(void *arg)
{
    (void)arg;
    works_hard();
}

IN_TASK(a_callback_is_told_too)
{
    watch_for("slow=30ms");
    EQUAL(weft_loop_call_soon(NULL, callback_that_blocks, NULL, NULL), 0);
    weft_sleep(0);
    weft_sleep(0);
    TOLD_ABOUT(WEFT_REPORT_SLOW, "");
    CHECK(strstr(told.message, "a callback") == told.message);
    CHECK(leads_to(told.stack, told.stack_count, "works_hard"));
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* What looks like it and is not. */

IN_TASK(a_task_that_waits_is_not_told)
{
    watch_for("slow=20ms");
    EQUAL(weft_sleep(0.1), 0);
    EQUAL(weft_await(weft_create_task(sleeps(0.1), NULL)), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(works_in_pieces)
{
    int64_t end = cpu_time() + 60000000;

    while (cpu_time() < end) {
        for (volatile int i = 0; i < 1000; i++) {}
        weft_sleep(0);
    }
    return 0;
}

IN_TASK(a_task_that_gives_way_is_not_told)
{
    weft_task *other;

    watch_for("slow=2s"); /* whatever else the machine does meanwhile */
    other = weft_create_task(works_in_pieces(), NULL);
    EQUAL(weft_await(weft_create_task(works_in_pieces(), NULL)), 0);
    EQUAL(weft_await(other), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

WEFT_ASYNC(blocks_and_says_why)
{
    EQUAL(weft_debug_allow_blocking("the disk is asked once, at the start"), 0);
    usleep(100000);
    return 0;
}

IN_TASK(what_may_block_is_not_told)
{
    watch_for("slow=10ms");
    EQUAL(weft_await(named(blocks_and_says_why(), "allowed")), 0);
    SILENT();
    EQUAL(weft_await(named(blocks(false), "not allowed")), 0);
    TOLD_ABOUT(WEFT_REPORT_SLOW, "not allowed");
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* A look copies the stack that it finds.  What it reads of others' would count as used by them. */

WEFT_ASYNC(blocks_as_nobody)
{
    struct weft__loop *self = weft__running;
    struct weft__task *current = self->current;

    self->current = NULL; /* as while a handler has a report, on this stack */
    sleeps_hard();
    self->current = current;
    return 0;
}

IN_TASK(a_look_does_not_reach_into_the_next_stack)
{
    weft_task_options options = { .name = "blocks", .stack_size = 256 << 10 };
    weft_task *task, *next;

    watch_for("slow=20ms,stack");
    task = weft_create_task(blocks_as_nobody(), &options);
    weft_sleep(0);
    TOLD_ABOUT(WEFT_REPORT_SLOW, "");
    CHECK(told.stack_count >= 1);
    options.name = "next"; /* its stack lies behind the other, and was nobody's until now */
    next = weft_create_task(innocent(1), &options);
    EQUAL(weft_await(next), 0);
    EQUAL(weft_await(task), 0);
    SILENT();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Without a handler: on standard error. */

static int blocks_and_prints(void)
{
    return weft_run(blocks(false),
                    &(weft_run_options){ .backend = backend(), .debug_words = "slow=20ms,made" });
}

WEFT_ASYNC(blocks_long)
{
    usleep(1400000);
    return 0;
}

static int blocks_long_and_prints(void)
{
    return weft_run(blocks_long(),
                    &(weft_run_options){ .backend = backend(), .debug_words = "slow=50ms" });
}

ALONE(it_is_printed_with_its_place)
{
    char text[8000];

    EQUAL(in_child(blocks_and_prints, text, sizeof text), 0);
    CHECK(strncmp(text, "weft: task 'Task-", 17) == 0);
    CHECK(strstr(text, "kept its loop from all others for 0.") != NULL);
    CHECK(strstr(text, "in coroutine 'blocks' (" __FILE__ ":") != NULL);
    CHECK(strstr(text, "\n        there     ") != NULL);
    CHECK(strchr(text, '\033') == NULL); /* no colours: it is no terminal */
}

ALONE(one_that_goes_on_is_told_before_it_ends)
{
    char text[8000];
    const char *before, *after;

    EQUAL(in_child(blocks_long_and_prints, text, sizeof text), 0);
    before = strstr(text, "blocks its loop, so far for 1.");
    after = strstr(text, "kept its loop from all others for 1.");
    CHECK(before && after && before < after);
}

WEFT_ASYNC(blocks_for_a_while)
{
    usleep(40000);
    for (int i = 0; i < 100 && !was_seen(); i++) {
        usleep(20000);
    }
    return 0;
}

ALONE(what_is_told_no_more_is_counted)
{
    loop = open_loop();
    watch_for("slow=10ms");
    for (int i = 0; i < 7; i++) {
        EQUAL(run(blocks_for_a_while()), 0);
        CHECK((strstr(told.what, "; more from here are counted, not told") != NULL) == (i >= 4));
    }
    EQUAL(told.count, 5);
    EQUAL(weft_loop_close(loop), 0);
    EQUAL(told.count, 6);
    EQUAL(told.kind, WEFT_REPORT_SLOW);
    SAME(told.message, "2 more turns were too long, in places that had been told 5 times");
}

ALONE(no_sum_is_told_where_all_was)
{
    loop = open_loop();
    watch_for("slow=10ms");
    EQUAL(run(blocks_for_a_while()), 0);
    EQUAL(weft_loop_close(loop), 0);
    EQUAL(told.count, 1);
}

static void *run_elsewhere(void *unused)
{
    weft_loop *mine = NULL;

    EQUAL(weft_loop_new(backend(), &mine), 0);
    EQUAL(weft_debug_set(mine, "slow=30ms"), 0);
    EQUAL(weft_loop_set_exception_handler(mine, debug_keep, NULL), 0);
    EQUAL(weft_loop_run_until_complete(mine, blocks(true)), 0);
    EQUAL(weft_loop_close(mine), 0);
    return unused;
}

ALONE(in_any_thread)
{
    memset(&told, 0, sizeof told);
    in_thread(run_elsewhere, NULL);
    EQUAL(told.count, 1);
    EQUAL(told.kind, WEFT_REPORT_SLOW);
    CHECK(leads_to(told.stack, told.stack_count, "works_hard"));
}

static int blocks_in_a_child(void)
{
    loop = open_loop();
    watch_for("slow=30ms");
    EQUAL(run(blocks(true)), 0);
    EQUAL(told.count, 1);
    EQUAL(weft_loop_close(loop), 0);
    return 0;
}

IN_TASK(a_forked_child_has_a_watchdog_of_its_own)
{
    watch_for("slow=30ms");
    weft__running = NULL; /* as in a child that makes a loop in place of the parent's */
    weft_loop *mine = loop;

    EQUAL(in_child(blocks_in_a_child, NULL, 0), 0);
    loop = mine;
    weft__running = weft__tag_address((uintptr_t)loop, WEFT__CELL_LOW);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static CU_TestInfo tests[] = {
    TEST(one_that_works_too_long_is_told),
    TEST(one_that_waits_in_a_system_call_is_told),
    TEST(a_system_call_is_not_disturbed),
    TEST(the_right_one_is_blamed_among_many),
    TEST(a_callback_is_told_too),
    TEST(a_task_that_waits_is_not_told),
    TEST(a_task_that_gives_way_is_not_told),
    TEST(what_may_block_is_not_told),
    TEST(a_look_does_not_reach_into_the_next_stack),
    TEST(it_is_printed_with_its_place),
    TEST(one_that_goes_on_is_told_before_it_ends),
    TEST(what_is_told_no_more_is_counted),
    TEST(no_sum_is_told_where_all_was),
    TEST(in_any_thread),
    TEST(a_forked_child_has_a_watchdog_of_its_own),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_slow, tests)
