/* SPDX-License-Identifier: MIT
 * What the tests of loops and tasks share. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/debug/more.h"
#include "core/sched/loop.h"
#include "tests/task/task.h"
#include "tests/task/thread.h"

#include <string.h>
#include <unistd.h>

#define REPORTS_MAX 64
#define STRAYS 600 /* coroutines that a test makes outside of a loop, at most at a time */

weft_loop *loop;

static struct said reports[REPORTS_MAX];
static int reports_said, reports_read;
static char trace[4096];
static int failures;
static FILE *child_errors; /* where claims that fail are told in a forked child; NULL elsewhere */

void claims_of_a_child(FILE *errors)
{
    failures = 0;
    child_errors = errors;
}

int claims_failed(void)
{
    return failures;
}

/* Several threads may claim something at once, which CUnit does not know. */
bool check(bool holds, const char *claim, const char *file, unsigned line)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char words[400];

    snprintf(words, sizeof words, "%s: %s", backend(), claim);
    pthread_mutex_lock(&lock);
    if (!holds) {
        failures++;
        if (child_errors) {
            fprintf(child_errors, "in a child: %s:%u: %s\n", file, line, words);
        }
    }
    CU_assertImplementation(holds, line, words, file, "", CU_FALSE);
    pthread_mutex_unlock(&lock);
    return holds;
}

/* "-110 (-ETIMEDOUT)" */
static const char *number(long long value, char *room, size_t size)
{
    if (value < 0 && value > -4096) {
        snprintf(room, size, "%lld (%s)", value, weft_err_name((int)value));
    } else {
        snprintf(room, size, "%lld", value);
    }
    return room;
}

bool check_equal(long long actual, long long expected, const char *claim, const char *wanted,
                 const char *file, unsigned line)
{
    char words[300], room[60];

    if (actual == expected) {
        return check(true, claim, file, line); /* without the cost of words */
    }
    snprintf(words, sizeof words, "%s is %s, not %s", claim, number(actual, room, sizeof room),
             wanted);
    return check(false, words, file, line);
}

bool check_same(const char *actual, const char *expected, const char *claim, const char *file,
                unsigned line)
{
    char words[300];

    snprintf(words, sizeof words, "%s is '%.100s', not '%.100s'", claim, actual ? actual : "(null)",
             expected);
    return check(actual && strcmp(actual, expected) == 0, words, file, line);
}

const char *backend(void)
{
    static char name[32];

    if (!name[0]) {
        const char *value = getenv("WEFT_BACKEND");

        snprintf(name, sizeof name, "%s", value && *value ? value : "epoll");
    }
    return name;
}

const char *backend_name(void)
{
    static char name[32];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(backend(), ":"), backend());
    return name;
}

bool is_virtual(void)
{
    return strncmp(backend(), "sim", 3) == 0;
}

int many(int number)
{
    if (WEFT__TSAN) {
        return number < 3000 ? number : 3000; /* it has room for about 8,000 fibers */
    }
#if WEFT__VALGRIND
    if (RUNNING_ON_VALGRIND) {
        return number < 2000 ? number : 2000;
    }
#endif
    /* 4 GiB have room for 28,000 stacks of 128 KiB, and a quarter of 65,530 mappings are guards. */
    if (sizeof(void *) < 8 || weft__stack_guards.kind == WEFT__GUARD_MAPPING) {
        return number < 5000 ? number : 5000;
    }
    return number;
}

int told_apart(int number)
{
    const int tags = 1 << (WEFT__TAG_HIGH + WEFT__CELL_LOW - 1);

    return number < tags ? number : tags - 1;
}

bool is_sanitized(void)
{
#if WEFT__VALGRIND
    if (RUNNING_ON_VALGRIND) {
        return true;
    }
#endif
    return WEFT__ASAN || WEFT__TSAN;
}

int open_descriptors(void)
{
    return (int)weft_unit_entries("/proc/self/fd");
}

/* Reports. */

static void copy(char *room, size_t size, const char *text)
{
    snprintf(room, size, "%s", text ? text : "");
}

void keep_report(weft_loop *from, const weft_report *report, void *arg)
{
    struct said *said = &reports[reports_said % REPORTS_MAX];

    (void)arg;
    CHECK(report->size == sizeof *report);
    CHECK(report->loop == from);
    CHECK(report->message && *report->message);
    reports_said++;
    said->kind = report->kind;
    said->status = report->status;
    said->line = report->line;
    said->loop = report->loop;
    said->task = report->task;
    copy(said->message, sizeof said->message, report->message);
    copy(said->task_name, sizeof said->task_name, report->task_name);
    copy(said->coro, sizeof said->coro, report->coro);
    copy(said->file, sizeof said->file, report->file);
    copy(said->waiting, sizeof said->waiting, report->waiting);
    copy(said->job, sizeof said->job, report->job);
    copy(said->what, sizeof said->what, report->what);
}

int reports_left(void)
{
    return reports_said - reports_read;
}

const struct said *next_report(void)
{
    static const struct said none = { .kind = (weft_report_kind)-1 };

    return reports_left() ? &reports[reports_read++ % REPORTS_MAX] : &none;
}

/* What happened. */

void note(const char *word)
{
    size_t n = strlen(trace);

    snprintf(trace + n, sizeof trace - n, "%s%s", n ? " " : "", word);
}

void noted(void *word)
{
    note(word);
}

void happened(const char *expected, const char *file, unsigned line)
{
    check_same(trace, expected, "what happened", file, line);
    trace[0] = '\0';
}

void count_up(void *counter)
{
    ++*(int *)counter;
}

void stop_loop(void *unused)
{
    (void)unused;
    EQUAL(weft_loop_stop(NULL), 0);
}

weft_future *new_future(void)
{
    weft_future *future = NULL;

    EQUAL(weft_future_new(NULL, &future), 0);
    return future;
}

void set_future(void *future)
{
    EQUAL(weft_future_set_result(future, NULL), 0);
}

/* Coroutines. */

WEFT_ASYNC_EXTERN(gives, (int, status))
{
    return status;
}

WEFT_ASYNC_EXTERN(sleeps, (double, delay))
{
    return weft_sleep(delay);
}

WEFT_ASYNC_EXTERN(sleeps_then, (double, delay), (int, status))
{
    int r = weft_sleep(delay);

    return r < 0 ? r : status;
}

WEFT_ASYNC_EXTERN(stops_slowly, (int, status))
{
    EQUAL(weft_sleep(1e6), -ECANCELED);
    EQUAL(weft_task_uncancel(weft_current_task()), 0);
    EQUAL(weft_sleep(0.001), 0);
    note("stopped");
    return status;
}

WEFT_ASYNC_EXTERN(notes, (const char *, word))
{
    note(word);
    return 0;
}

WEFT_ASYNC_EXTERN(awaits_future, (weft_future *, future))
{
    return weft_await(future);
}

WEFT_ASYNC_EXTERN(awaits_task, (weft_task *, task))
{
    return weft_await(task);
}

void give_way(int turns)
{
    while (turns-- > 0) {
        weft_sleep(0);
    }
}

/* Tests. */

weft_loop *open_loop(void)
{
    weft_loop *made = NULL;

    if (EQUAL(weft_loop_new(backend(), &made), 0)) {
        if (getenv("TASK_DEBUG")) {
            EQUAL(weft_debug_set(made, getenv("TASK_DEBUG")), 0);
        }
        EQUAL(weft_loop_set_exception_handler(made, keep_report, NULL), 0);
    }
    return made;
}

void close_loop(void)
{
    EQUAL(weft_loop_close(loop), 0);
    loop = NULL;
}

size_t live_blocks(void)
{
    weft_error_clear();
    weft__loop_depot_clear();
    weft__record_forget();
    weft__shared_clear();
    weft__pool_depot_clear();
    weft__stacks_depot_clear();
    return weft__alloc_live();
}

/* The pool of coroutines that belong to no loop keeps what it once had, so it gets that now; a
 * plugin stays, and libraries keep descriptors of their own. */
static void warm_up(void)
{
    weft_coro *coros[STRAYS];
    weft_loop *first = NULL;

    if (weft_loop_new(backend(), &first) < 0) {
        fprintf(stderr, "%s\n", weft_error_detail());
        exit(1);
    }
    (void)weft_loop_close(first);

    for (int i = 0; i < STRAYS; i++) {
        coros[i] = gives(0);
    }
    for (int i = 0; i < STRAYS; i++) {
        (void)weft_coro_close(coros[i]);
    }
}

/* Threads that a loop has left to themselves end after it, and give their memory back: that is not
 * to be the next test's. */
static void await_leavers(int before, size_t live)
{
    for (int i = 0; i < 2000 && (threads() > before || live_blocks() != live); i++) {
        usleep(1000);
    }
}

void test_alone(void (*body)(void))
{
    int descriptors = open_descriptors(), before = threads();
    size_t live = live_blocks();

    reports_said = reports_read = 0;
    trace[0] = '\0';
    body();
    while (reports_left()) {
        const struct said *said = next_report();
        char words[300];

        snprintf(words, sizeof words, "no report of kind %d: %s %s %s", (int)said->kind,
                 said->task_name, said->coro, said->message);
        check(false, words, __FILE__, __LINE__);
    }
    SAME(trace, "");
    await_leavers(before, live);
    EQUAL(open_descriptors(), descriptors);
    EQUAL(live_blocks(), live);
}

static void (*inner)(void);

static void with_loop(void)
{
    loop = open_loop();
    inner();
    if (loop) {
        close_loop();
    }
}

void test_in_loop(void (*body)(void))
{
    inner = body;
    test_alone(with_loop);
}

WEFT_ASYNC(main_task)
{
    inner();
    return 0;
}

static void with_task(void)
{
    loop = open_loop();
    EQUAL(run(main_task()), 0);
    close_loop();
}

void test_in_task(void (*body)(void))
{
    inner = body;
    test_alone(with_task);
}

/* Whether a list of words has this one. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += length) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Takes those tests out of the table that TASK_LEAVE_OUT names, and says which. */
static void leave_out(const char *suite, CU_TestInfo *tests)
{
    const char *names = getenv("TASK_LEAVE_OUT");
    CU_TestInfo *kept = tests;

    for (const CU_TestInfo *t = tests; names && t->pName; t++) {
        char name[200];

        snprintf(name, sizeof name, "%s:%s", suite, t->pName);
        if (has_word(names, name)) {
            printf("left out: %s\n", t->pName);
        } else {
            *kept++ = *t;
        }
    }
    if (names) {
        *kept = (CU_TestInfo)CU_TEST_INFO_NULL;
    }
}

int task_main(const char *suite, CU_TestInfo *tests, int argc, char **argv)
{
    CU_TestInfo one[] = { CU_TEST_INFO_NULL, CU_TEST_INFO_NULL };

    if (argc > 1) {
        setenv("WEFT_BACKEND", argv[1], 1);
    }
    unsetenv("WEFT_DEBUG");
    for (CU_TestInfo *t = tests; argc > 2 && t->pName; t++) {
        one[0] = strcmp(t->pName, argv[2]) == 0 ? *t : one[0];
    }
    leave_out(suite, tests);
    warm_up();
    return weft_unit_run(suite, argc > 2 ? one : tests);
}
