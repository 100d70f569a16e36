/* SPDX-License-Identifier: MIT
 * A task that runs over its stack: the process dies as it would have, and tells which one. */
#include "core/sched/task.h"
#include "tests/task/task.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Uses up the stack down to `end`, in steps that touch each page; cannot be turned into a loop. */
__attribute__((noinline)) static int descend(volatile int *levels, const char *end)
{
    volatile char room[256];

    memset((void *)room, *levels, sizeof room);
    ++*levels;
    return ((const char *)room > end ? descend(levels, end) : 0) + room[*levels % 256];
}

WEFT_ASYNC(digs)
{
    volatile int levels = 0;

    return descend(&levels, NULL);
}
enum { LINE_OF_DIGS = __LINE__ - 6 };

WEFT_ASYNC(digs_within)
{
    return weft_await(digs());
}

WEFT_ASYNC(makes_one_that_digs, (const char *, name), (size_t, stack_size))
{
    weft_task_options options = { .name = name, .stack_size = stack_size };
    struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    weft_sleep(0);
    return weft_await(weft_create_task(digs_within(), &options));
}

static weft_run_options options;
static const char *task_name;
static size_t task_stack;

static int overflow(void)
{
    options.backend = backend();
    return weft_run(makes_one_that_digs(task_name, task_stack), &options);
}

/* Runs it in a child that dies.  The last word of an emulator is not weft's. */
static int dies(int (*body)(void), char *text, size_t size)
{
    int status = in_child(body, text, size);
    char *last = strstr(text, "qemu: uncaught target signal");

    if (last) {
        *last = '\0';
    }
    return status;
}

static void check_death(const char *expected)
{
    char text[1000], place[300];
    int status = dies(overflow, text, sizeof text);

    snprintf(place, sizeof place, "'digs' (%s:%d)", __FILE__, LINE_OF_DIGS);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), SIGSEGV);
    CHECK(strncmp(text, expected, strlen(expected)) == 0);
    CHECK(!*expected || strstr(text, place) != NULL);
    CHECK(!*expected || strchr(text, '\n') == text + strlen(text) - 1);
    if (!*expected) {
        SAME(text, "");
    }
}

ALONE(it_is_told_by_name)
{
    options = (weft_run_options){ .reserved = { NULL } };
    task_name = "deep";
    task_stack = 0;
    check_death("weft: task 'deep' ran over its stack of 128 KiB");
    task_stack = 65536;
    check_death("weft: task 'deep' ran over its stack of 64 KiB");
    task_stack = (1 << 20) + 1;
    check_death("weft: task 'deep' ran over its stack of 2048 KiB");
}

ALONE(one_without_a_name_is_told_by_number)
{
    options = (weft_run_options){ .reserved = { NULL } };
    task_name = NULL;
    task_stack = 0;
    check_death("weft: task 'Task-");
}

ALONE(it_can_be_switched_off)
{
    options = (weft_run_options){ .no_overflow_report = true };
    task_name = "deep";
    task_stack = 0;
    check_death("");
}

/* Other faults. */

WEFT_ASYNC(writes_to_null)
{
    volatile int *volatile nowhere = NULL;

    return *nowhere;
}

static int fault_elsewhere(void)
{
    return weft_run(writes_to_null(), &(weft_run_options){ .backend = backend() });
}

WEFT_ASYNC(raises, (int, number))
{
    return raise(number);
}

static int raise_segv(void)
{
    return weft_run(raises(SIGSEGV), &(weft_run_options){ .backend = backend() });
}

static int raise_bus(void)
{
    return weft_run(raises(SIGBUS), &(weft_run_options){ .backend = backend() });
}

ALONE(other_faults_are_none_of_our_business)
{
    char text[500];

    EQUAL(WTERMSIG(dies(fault_elsewhere, text, sizeof text)), SIGSEGV);
    SAME(text, "");
    EQUAL(WTERMSIG(dies(raise_segv, text, sizeof text)), SIGSEGV);
    SAME(text, "");
    EQUAL(WTERMSIG(dies(raise_bus, text, sizeof text)), SIGBUS);
    SAME(text, "");
}

/* The program's own handlers. */

static void own_handler(int number)
{
    static const char words[] = "mine\n";

    (void)number;
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    _exit(33);
}

static int overflow_with_own_handler(void)
{
    static char stack[65536];
    struct sigaction own = { .sa_handler = own_handler, .sa_flags = SA_ONSTACK };

    EQUAL(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL), 0);
    EQUAL(sigaction(SIGSEGV, &own, NULL), 0);
    return overflow();
}

ALONE(a_handler_of_ones_own_is_left_alone)
{
    char text[500];

    options = (weft_run_options){ .reserved = { NULL } };
    task_name = "deep";
    EQUAL(in_child(overflow_with_own_handler, text, sizeof text), 33 << 8);
    SAME(text, "mine\n");
}

static int overflow_with_own_stack(void)
{
    static char stack[65536];

    EQUAL(sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL), 0);
    return overflow();
}

ALONE(an_alternate_stack_of_ones_own_is_used)
{
    char text[500];

    options = (weft_run_options){ .reserved = { NULL } };
    task_name = "deep";
    EQUAL(WTERMSIG(in_child(overflow_with_own_stack, text, sizeof text)), SIGSEGV);
    CHECK(strstr(text, "weft: task 'deep' ran over its stack") == text);
}

/* In another thread than the main one, with a second loop that runs meanwhile. */

static void *overflow_thread(void *unused)
{
    overflow();
    return unused;
}

WEFT_ASYNC(overflows_in_a_thread)
{
    pthread_t thread;

    weft_sleep(0);
    EQUAL(pthread_create(&thread, NULL, overflow_thread, NULL), 0);
    pthread_join(thread, NULL);
    return 0;
}

static int overflow_in_a_thread(void)
{
    return weft_run(overflows_in_a_thread(), &(weft_run_options){ .backend = backend() });
}

ALONE(in_any_thread)
{
    char text[500];

    options = (weft_run_options){ .reserved = { NULL } };
    task_name = "far";
    EQUAL(WTERMSIG(in_child(overflow_in_a_thread, text, sizeof text)), SIGSEGV);
    CHECK(strstr(text, "weft: task 'far' ran over its stack") == text);
}

/* Without guard pages it is noticed when the task leaves. */

static void print_unguarded(weft_loop *from, const weft_report *report, void *arg)
{
    (void)from, (void)arg;
    EQUAL(report->kind, WEFT_REPORT_UNGUARDED);
    fprintf(stderr, "unguarded\n");
}

/* The same with frames that lie half a frame lower: what descend() steps over, this one meets. */
__attribute__((noinline)) static int descend_between(volatile int *levels, const char *end)
{
    volatile char room[128];

    memset((void *)room, *levels, sizeof room);
    return descend(levels, end) + room[*levels % 128];
}

WEFT_ASYNC(digs_too_deep)
{
    volatile int levels = 0;

    weft_sleep(0);
    descend(&levels, weft__running->current->slot.low);
    descend_between(&levels, weft__running->current->slot.low);
    weft_sleep(0);
    CHECK(false);
    return 0;
}

WEFT_ASYNC(makes_unguarded_ones)
{
    struct rlimit none = { 0, 0 };
    weft_task_options named = { .name = "shallow" };

    setrlimit(RLIMIT_CORE, &none);
    EQUAL(weft_loop_set_exception_handler(NULL, print_unguarded, NULL), 0);
    EQUAL(weft_await(weft_create_task(sleeps(0.001), NULL)), 0);
    EQUAL(weft_await(weft_create_task(gives(1), NULL)), 1);
    return weft_await(weft_create_task(digs_too_deep(), &named));
}

static int overflow_without_guards(void)
{
    weft__stack_guards.kind = WEFT__GUARD_MAPPING;
    weft__stack_guards.budget = 1; /* for main's stack */
    return weft_run(makes_unguarded_ones(), &(weft_run_options){ .backend = backend() });
}

ALONE(without_a_guard_it_is_noticed_at_the_next_switch)
{
    char text[500];

    EQUAL(WTERMSIG(in_child(overflow_without_guards, text, sizeof text)), SIGABRT);
    CHECK(strstr(text, "unguarded\nweft: task 'shallow' ran over its stack of 128 KiB") == text);
    CHECK(strstr(text, "'digs_too_deep'") != NULL);
}

static CU_TestInfo tests[] = {
    TEST(it_is_told_by_name),
    TEST(one_without_a_name_is_told_by_number),
    TEST(it_can_be_switched_off),
    TEST(other_faults_are_none_of_our_business),
    TEST(a_handler_of_ones_own_is_left_alone),
    TEST(an_alternate_stack_of_ones_own_is_used),
    TEST(in_any_thread),
    TEST(without_a_guard_it_is_noticed_at_the_next_switch),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    if (is_sanitized()) {
        return 77; /* they have handlers of their own */
    }
    return task_main("overflow", tests, argc, argv);
}
