/* SPDX-License-Identifier: MIT
 * Debug mode under load: a hundred tasks take turns, other threads fight for the processors, and
 * among them some make one mistake each.  Every mistake is told once, with the name of who made it,
 * and nobody else is told. */
#include "tests/task/debug.h"

#include <stdatomic.h>
#include <weft/io.h>

#define EACH 3 /* of every mistake */
#define INNOCENT 100
#define BURNERS 2

/* ---- what is told ---- */

struct heard {
    weft_report_kind kind;
    char name[40];
    bool traced;
};

static struct heard heard[200];
static int heard_count;

static void hear(weft_loop *from, const weft_report *report, void *arg)
{
    struct heard *one = &heard[heard_count];

    (void)from, (void)arg;
    if (heard_count < 199) {
        one->kind = report->kind;
        debug_copy(one->name, sizeof one->name, report->task_name);
        one->traced = report->stack_count > 0 || report->made_count > 0;
        heard_count++;
    }
}

/* How many reports of this kind there were; each is about a task whose name begins so. */
static int heard_of(weft_report_kind kind, const char *names)
{
    int count = 0;

    for (int i = 0; i < heard_count; i++) {
        if (heard[i].kind == kind) {
            count++;
            CHECK(strncmp(heard[i].name, names, strlen(names)) == 0);
            CHECK(heard[i].traced);
            for (int j = 0; j < i; j++) { /* none is told twice */
                CHECK(heard[j].kind != kind || strcmp(heard[j].name, heard[i].name) != 0);
            }
        }
    }
    return count;
}

/* ---- the load ---- */

static atomic_bool over;

static void *burns(void *unused)
{
    (void)unused;
    while (!over) {
    }
    return NULL;
}

static weft_lock shared;

WEFT_ASYNC(works_properly, (unsigned, number))
{
    while (!over) {
        EQUAL(weft_lock_acquire(&shared), 0);
        weft_sleep(0);
        EQUAL(weft_lock_release(&shared), 0);
        weft_sleep((double)(number++ % 7) * 1e-4);
    }
    return 0;
}

/* ---- mistakes ---- */

static bool is_seen(void)
{
    return atomic_load(&weft__running->observer->stalled) != 0;
}

static time_t worked(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec;
}

WEFT_ASYNC(hogs_the_processor)
{
    time_t end = worked() + 5;

    while (!is_seen() && worked() < end) { /* the watchdog has to get a processor, too */
    }
    return 0;
}

WEFT_ASYNC(sleeps_hard)
{
    for (int i = 0; i < 50 && !is_seen(); i++) {
        usleep(150000);
    }
    return 0;
}

WEFT_ASYNC(closes_twice)
{
    int fds[2];

    EQUAL(weft_pipe(fds), 0);
    EQUAL(weft_close(fds[0]), 0);
    EQUAL(weft_close(fds[0]), -EBADF);
    return weft_close(fds[1]);
}

WEFT_ASYNC(does_not_stop)
{
    int refused = 0;

    while (refused < 40) {
        refused += weft_sleep(1) == -ECANCELED;
    }
    return 0;
}

static weft_lock pairs[EACH][2];

WEFT_ASYNC(takes_both, (weft_lock *, first), (weft_lock *, second), (int, turns))
{
    int r = weft_lock_acquire(first);

    EQUAL(r, 0);
    for (int i = 0; i < turns; i++) {
        weft_sleep(0);
    }
    r = weft_lock_acquire(second);
    if (r == 0) {
        weft_lock_release(second);
    }
    weft_lock_release(first);
    return r;
}

/* The second one to wait closes the circle, and is the one that is told. */
static void lock_crosswise(int number, const char *name)
{
    weft_lock *pair = pairs[number];
    weft_task *first = named(takes_both(&pair[0], &pair[1], 1), "waits first");
    weft_task *second = named(takes_both(&pair[1], &pair[0], 2), name);

    give_way(5);
    EQUAL(weft_task_cancel(first), 0);
    EQUAL(weft_await(first), -ECANCELED);
    EQUAL(weft_await(second), 0);
}

static void cancel_in_vain(const char *name)
{
    weft_task *task = named(does_not_stop(), name);

    weft_sleep(0);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 0);
}

static const char *with_number(const char *word, int number)
{
    static char name[40];

    snprintf(name, sizeof name, "%s-%d", word, number);
    return name;
}

static void make_mistakes(int i)
{
    weft_task_unref(named(gives(0), with_number("orphan", i)));
    EQUAL(weft_await(named(hogs_the_processor(), with_number("slow", i))), 0);
    EQUAL(weft_await(named(closes_twice(), with_number("closer", i))), 0);
    cancel_in_vain(with_number("stubborn", i));
    EQUAL(weft_task_detach(named(gives(-EIO), with_number("failing", i))), 0);
    lock_crosswise(i, with_number("crossed", i));
    EQUAL(weft_await(named(sleeps_hard(), with_number("slow", EACH + i))), 0);
    weft_sleep(0.002);
}

static void check_what_was_heard(void)
{
    EQUAL(heard_of(WEFT_REPORT_SLOW, "slow-"), 2 * EACH);
    EQUAL(heard_of(WEFT_REPORT_TASK_NEVER_AWAITED, "orphan-"), EACH);
    EQUAL(heard_of(WEFT_REPORT_FD, "closer-"), EACH);
    EQUAL(heard_of(WEFT_REPORT_CANCEL_IGNORED, "stubborn-"), EACH);
    EQUAL(heard_of(WEFT_REPORT_FAILED, "failing-"), EACH);
    EQUAL(heard_of(WEFT_REPORT_DEADLOCK, "crossed-"), EACH);
    EQUAL(heard_count, 7 * EACH);
    for (int i = 0; i < heard_count && heard_count != 7 * EACH; i++) {
        fprintf(stderr, "  told: kind %d about '%s'\n", (int)heard[i].kind, heard[i].name);
    }
}

IN_TASK(each_report_is_about_the_right_task)
{
    weft_task *innocent[INNOCENT];
    pthread_t burners[BURNERS];

    heard_count = 0;
    over = false;
    shared = (weft_lock)WEFT_LOCK_INIT;
    memset(pairs, 0, sizeof pairs);
    EQUAL(weft_debug_set(NULL, "1,slow=100ms,-starve,-leaks"), 0);
    EQUAL(weft_loop_set_exception_handler(NULL, hear, NULL), 0);
    (void)weft_debug_allow_blocking("with thread sanitizer it takes long to make all of them");
    for (int i = 0; i < BURNERS; i++) {
        EQUAL(pthread_create(&burners[i], NULL, burns, NULL), 0);
    }
    for (unsigned i = 0; i < INNOCENT; i++) {
        innocent[i] = named(works_properly(i), "innocent");
    }
    for (int i = 0; i < EACH; i++) {
        make_mistakes(i);
    }
    over = true;
    for (int i = 0; i < INNOCENT; i++) {
        EQUAL(weft_await(innocent[i]), 0);
    }
    for (int i = 0; i < BURNERS; i++) {
        EQUAL(pthread_join(burners[i], NULL), 0);
    }
    check_what_was_heard();
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static CU_TestInfo tests[] = {
    TEST(each_report_is_about_the_right_task),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_load, tests)
