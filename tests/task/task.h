/* SPDX-License-Identifier: MIT
 * What the tests of loops and tasks share: a loop on the backend under test for each of them, its
 * reports kept, and a look at what is left behind.
 *
 * A program runs once for each backend: `task_NAME BACKEND [TEST]`.  A test is written
 *
 *     IN_TASK(awaiting_twice_is_an_error) { ... }    in the main task of a running loop
 *     IN_LOOP(stop_comes_first) { ... }              beside `loop`, which does not run
 *     ALONE(a_loop_needs_no_task) { ... }            without a loop
 *
 * and fails when it leaves a descriptor, a block of memory or an unread report.  With TASK_DEBUG in
 * the environment the loops are in debug mode by these words.  TASK_LEAVE_OUT names tests that
 * are not run, `NAME:TEST ...`: what the machine cannot. */
#ifndef TESTS_TASK_TASK_H
#define TESTS_TASK_TASK_H

#include "core/fiber/sanitize.h"
#include "tests/unit/unit.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <weft/weft.h>

/* Claims; one that does not hold is told with what was there instead. */
#define CHECK(claim) check((claim), #claim, __FILE__, __LINE__)
#define EQUAL(actual, expected) \
    check_equal((long long)(actual), (long long)(expected), #actual, #expected, __FILE__, __LINE__)
#define SAME(actual, expected) check_same((actual), (expected), #actual, __FILE__, __LINE__)
bool check(bool holds, const char *claim, const char *file, unsigned line);
bool check_equal(long long actual, long long expected, const char *claim, const char *wanted,
                 const char *file, unsigned line);
bool check_same(const char *actual, const char *expected, const char *claim, const char *file,
                unsigned line);

/* Which backend this is about. */
const char *backend(void);
const char *backend_name(void); /* the same without a mode: "uv" for "uv:guest" */
bool is_virtual(void); /* its time is not real, and it watches nothing */

/* The loop of IN_TASK and IN_LOOP; its handler gets what debug mode would print, too. */
extern weft_loop *loop;

/* One more loop, for who wants several; reports are kept, too. */
weft_loop *open_loop(void);

/* Closes `loop` before the test's end, for what its close reports. */
void close_loop(void);

/* Runs a coroutine, task or future in `loop`. */
#define run(x) weft_loop_run_until_complete(loop, x)

#define IN_TASK(name) WEFT__TEST(name, test_in_task)
#define IN_LOOP(name) WEFT__TEST(name, test_in_loop)
#define ALONE(name) WEFT__TEST(name, test_alone)
#define WEFT__TEST(name, runner)   \
    static void name##__test(void); \
    static void name(void)          \
    {                               \
        runner(name##__test);       \
    }                               \
    static void name##__test(void)
void test_in_task(void (*body)(void));
void test_in_loop(void (*body)(void));
void test_alone(void (*body)(void));

/* Reports, in the order in which they came. */
struct said {
    weft_report_kind kind;
    int status, line;
    weft_loop *loop;
    weft_task *task;
    char message[128], task_name[40], coro[40], file[100], waiting[40], job[40];
    char what[160]; /* "": NULL, as of all these */
};

void keep_report(weft_loop *from, const weft_report *report, void *arg);
const struct said *next_report(void); /* the oldest unread; of kind -1 when there is none */
int reports_left(void);

/* What happened, in words: note("a"); note("b"); then HAPPENED("a b"), which forgets it. */
void note(const char *word);
void noted(void *word); /* note() as a callback */
#define NOTED(word) noted, (void *)(word)
#define HAPPENED(expected) happened(expected, __FILE__, __LINE__)
void happened(const char *expected, const char *file, unsigned line);

/* Callbacks that count, and that stop the running loop. */
void count_up(void *counter); /* ++*(int *)counter */
void stop_loop(void *unused);

/* A future of the running loop, and its result as a callback. */
weft_future *new_future(void);
void set_future(void *future);

/* Coroutines that most tests need. */
WEFT_MUST_USE weft_coro *gives(int status);              /* returns it at once */
WEFT_MUST_USE weft_coro *sleeps(double delay);           /* weft_sleep(), and its status */
WEFT_MUST_USE weft_coro *sleeps_then(double delay, int status);
WEFT_MUST_USE weft_coro *stops_slowly(int status);       /* the same, some time after a cancel */
WEFT_MUST_USE weft_coro *notes(const char *word);        /* note(word), 0 */
WEFT_MUST_USE weft_coro *awaits_future(weft_future *future);
WEFT_MUST_USE weft_coro *awaits_task(weft_task *task);

/* weft_gather() with flags. */
#define GATHER(flags, ret_status, ...)                                                          \
    weft_gather_array((const weft_awaitable[]){ __VA_ARGS__ },                                  \
                      sizeof((const weft_awaitable[]){ __VA_ARGS__ }) / sizeof(weft_awaitable), \
                      ret_status, flags)

/* Lets everyone who is ready have `turns` turns. */
void give_way(int turns);

/* Runs `body` in another thread, and waits for its end. */
void in_thread(void *(*body)(void *), void *arg);

/* Runs `body` in a forked child; its standard error comes back in `ret_text`, cut to `size`.
 * Returns its wait status; claims that fail in it make that 99 << 8 and are shown. */
int in_child(int (*body)(void), char *ret_text, size_t size);

/* From now on claims that fail are told to `errors`, and counted from 0: for in_child(). */
void claims_of_a_child(FILE *errors);
int claims_failed(void);

/* How many: fewer under tools that make things slow or have limits of their own. */
int many(int number);

/* How many objects, one after the other in one place, have handles that differ: on 32 bits few. */
int told_apart(int number);

/* Whether signals and memory are as the program itself made them. */
bool is_sanitized(void);

int open_descriptors(void);
size_t live_blocks(void); /* of the library's memory, but for what waits to be used again */

#define TEST(name) WEFT_UNIT_TEST(name)

/* The program: all tests of a table, or the one that the second argument names. */
#define TASK_MAIN(suite, tests)                      \
    int main(int argc, char **argv)                  \
    {                                                \
        return task_main(#suite, tests, argc, argv); \
    }
int task_main(const char *suite, CU_TestInfo *tests, int argc, char **argv);

#endif
