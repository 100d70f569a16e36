/* SPDX-License-Identifier: MIT
 * Debug mode: metrics, the program's own hooks, and the flight recorder. */
#include "tests/task/debug.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Metrics. */

static weft_loop_metrics metrics;

static int fetch(void)
{
    metrics.size = sizeof metrics;
    return weft_loop_get_metrics(loop, &metrics);
}

static uint64_t sum_of(const weft_histogram *histogram)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        sum += histogram->counts[i];
    }
    return sum;
}

static void works(double seconds)
{
    struct timespec t;
    int64_t end = 0, now;

    do {
        clock_gettime(CLOCK_MONOTONIC, &t);
        now = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
        end = end ? end : now + (int64_t)(seconds * 1e9);
    } while (now < end);
}

WEFT_ASYNC(takes_turns, (int, turns), (double, seconds))
{
    while (turns-- > 0) {
        works(seconds);
        weft_sleep(0);
    }
    return 0;
}

static void asks_in_a_callback(void *unused)
{
    weft_task_metrics of_task = { .size = sizeof of_task };

    (void)unused;
    EQUAL(weft_task_get_metrics(NULL, &of_task), -EPERM); /* of which task? */
}

IN_TASK(nothing_is_counted_unless_asked_for)
{
    weft_task_metrics of_task = { .size = sizeof of_task };

    EQUAL(fetch(), -ENODATA);
    EQUAL(weft_task_get_metrics(NULL, &of_task), -ENODATA);
    EQUAL(weft_loop_call_soon(NULL, asks_in_a_callback, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(weft_debug_set(NULL, "awaits"), 0);
    EQUAL(fetch(), -ENODATA);
    EQUAL(weft_debug_set(NULL, "metrics"), 0);
    EQUAL(fetch(), 0);
    EQUAL(weft_debug_set(NULL, "turns"), 0);
    EQUAL(fetch(), 0);
    EQUAL(weft_task_get_metrics(NULL, &of_task), -ENODATA); /* it is older */
    metrics.size = 0;
    EQUAL(weft_loop_get_metrics(NULL, &metrics), -EINVAL);
    EQUAL(weft_loop_get_metrics(NULL, NULL), -EINVAL);
    EQUAL(weft_debug_set(NULL, "0"), 0);
    EQUAL(fetch(), -ENODATA);
}

IN_TASK(what_a_loop_does_between_its_turns_is_counted)
{
    weft_task_metrics of_task = { .size = sizeof of_task };
    int calls = 0;

    EQUAL(weft_debug_set(NULL, "metrics"), 0);
    EQUAL(weft_loop_call_soon(NULL, count_up, &calls, NULL), 0);
    EQUAL(weft_await(weft_create_task(takes_turns(10, 0.001), NULL)), 0);
    EQUAL(weft_sleep(0.01), 0);
    works(0.002);
    EQUAL(fetch(), 0);
    EQUAL(metrics.callbacks, 1);
    EQUAL(metrics.made, 1);
    EQUAL(metrics.ended, 1);
    CHECK(metrics.waits >= 1 && metrics.looks >= metrics.waits);
    CHECK(metrics.running >= 0.0119);
    CHECK(is_virtual() || metrics.waiting >= 0.009);
    EQUAL(sum_of(&metrics.wait), metrics.waits);
    CHECK(sum_of(&metrics.round) >= metrics.waits);
    CHECK(weft_histogram_quantile(&metrics.round, 1) >= 0.0009);
    EQUAL(metrics.turns, 0); /* these are for the word `turns` */
    EQUAL(sum_of(&metrics.turn) + sum_of(&metrics.queue), 0);
    CHECK(!(metrics.longest > 0));
    EQUAL(weft_task_get_metrics(NULL, &of_task), -ENODATA);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* Whether each turn goes the long way, on which somebody may look at it. */
IN_TASK(turns_are_seen_only_where_somebody_wants_to_see_them)
{
    static const char *const unseen[] = { "metrics", "awaits,leaks,thread,stale,fd,stack,made" };
    static const char *const seen[] = { "slow", "deadlock", "cancel", "starve", "turns", "record" };

    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
        EQUAL(weft_debug_set(NULL, unseen[i]), 0);
        CHECK(!weft__running->sees_all);
    }
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        EQUAL(weft_debug_set(NULL, seen[i]), 0);
        CHECK(weft__running->sees_all);
    }
    EQUAL(weft_debug_set(NULL, "0"), 0);
    CHECK(!weft__running->sees_all);
}

IN_TASK(turns_and_times_of_a_loop_are_counted)
{
    weft_task *task;
    int calls = 0;

    EQUAL(weft_debug_set(NULL, "turns"), 0);
    task = weft_create_task(takes_turns(10, 0.001), NULL);
    EQUAL(weft_loop_call_soon(NULL, count_up, &calls, NULL), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_sleep(0.01), 0);
    EQUAL(fetch(), 0);
    CHECK(metrics.turns >= 11 && metrics.turns <= 15);
    EQUAL(metrics.callbacks, 1);
    EQUAL(metrics.made, 1);
    EQUAL(metrics.ended, 1);
    EQUAL(metrics.live, 1);
    EQUAL(metrics.ready, 0);
    CHECK(metrics.waits >= 1);
    CHECK(metrics.looks >= metrics.waits);
    CHECK(metrics.running >= 0.0099);
    CHECK(metrics.longest >= 0.00099 && metrics.longest <= metrics.running);
    CHECK(is_virtual() || metrics.waiting >= 0.009);
    CHECK(sum_of(&metrics.turn) >= 5);
    EQUAL(sum_of(&metrics.wait), metrics.waits);
    CHECK(weft_histogram_quantile(&metrics.turn, 0.9) >= 0.0009);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(turns_and_times_of_a_task_are_counted)
{
    weft_task_metrics busy = { .size = sizeof busy }, idle = { .size = sizeof idle };
    weft_task *worker, *sleeper;

    EQUAL(weft_debug_set(NULL, "turns"), 0);
    sleeper = weft_create_task(sleeps(60), NULL); /* longer than a busy machine takes */
    worker = weft_create_task(takes_turns(6, 0.001), NULL);
    give_way(5);
    EQUAL(weft_task_get_metrics(worker, &busy), 0);
    EQUAL(weft_task_get_metrics(sleeper, &idle), 0);
    EQUAL(busy.turns, 5);
    EQUAL(idle.turns, 1);
    CHECK(busy.running >= 0.0049);
    CHECK(busy.longest >= 0.00099 && busy.longest <= busy.running);
    CHECK(idle.running < busy.running);
    CHECK(busy.age >= busy.running && idle.age >= busy.age * 0.5);
    EQUAL(weft_await(worker), 0);
    EQUAL(weft_task_cancel(sleeper), 0);
    EQUAL(weft_await(sleeper), -ECANCELED);
    EQUAL(weft_task_get_metrics(worker, &busy), -ESRCH);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(a_smaller_struct_gets_what_it_has_room_for)
{
    struct {
        size_t size;
        uint64_t turns, guard;
    } small = { .size = offsetof(weft_loop_metrics, callbacks), .guard = 77 };

    EQUAL(weft_debug_set(NULL, "turns"), 0);
    give_way(3);
    EQUAL(weft_loop_get_metrics(NULL, (weft_loop_metrics *)(void *)&small), 0);
    EQUAL(small.turns, 3);
    EQUAL(small.guard, 77);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

ALONE(buckets_grow_by_an_eighth_at_most)
{
    weft_histogram histogram = { .counts = { 0 } };

    EQUAL(weft_histogram_quantile(&histogram, 0.5) == 0, true);
    for (unsigned i = 1; i < WEFT_HISTOGRAM_BUCKETS - 1; i++) {
        double before = weft_histogram_edge(i - 1), edge = weft_histogram_edge(i);

        CHECK(edge > before);
        CHECK(i < 8 || edge / before <= 1.1251);
    }
    CHECK(isinf(weft_histogram_edge(WEFT_HISTOGRAM_BUCKETS - 1)));
    CHECK(isinf(weft_histogram_edge(100000)));
    CHECK(weft_histogram_edge(WEFT_HISTOGRAM_BUCKETS - 2) > 8);
    histogram.counts[10] = 99;
    histogram.counts[200] = 1;
    CHECK(weft_histogram_quantile(&histogram, 0.5) == weft_histogram_edge(10));
    CHECK(weft_histogram_quantile(&histogram, 0.99) == weft_histogram_edge(10));
    CHECK(weft_histogram_quantile(&histogram, 1) == weft_histogram_edge(200));
}

/* Hooks. */

static void on_made(void *arg, weft_task *task)
{
    (void)task;
    note("made");
    CHECK(strcmp(arg, "argument") == 0);
}

static void on_ended(void *arg, weft_task *task, int status)
{
    (void)arg, (void)task;
    note(status == 5 ? "ended:5" : "ended");
}

static void on_ready(void *arg, weft_task *task)
{
    (void)arg, (void)task;
    note("ready");
}

static void before_turn(void *arg, weft_task *task)
{
    (void)arg;
    note(task ? "turn" : "callback");
}

static void after_turn(void *arg, weft_task *task)
{
    (void)arg, (void)task;
    note(".");
}

static void before_wait(void *arg, double timeout)
{
    (void)arg;
    note(timeout > 0 && timeout <= 0.01 ? "wait" : "wait?");
}

static void after_wait(void *arg)
{
    (void)arg;
    note("woke");
}

static void before_run(void *arg)
{
    (void)arg;
    note("run{");
}

static void after_run(void *arg)
{
    (void)arg;
    note("}");
}

static const weft_loop_hooks all_hooks = {
    .size = sizeof all_hooks,
    .task_made = on_made,
    .task_ended = on_ended,
    .task_ready = on_ready,
    .before_turn = before_turn,
    .after_turn = after_turn,
    .before_wait = before_wait,
    .after_wait = after_wait,
    .before_run = before_run,
    .after_run = after_run,
};

WEFT_ASYNC(gives_way_once, (int, status))
{
    weft_sleep(0);
    return status;
}

IN_LOOP(hooks_are_called_for_each_step)
{
    static char argument[] = "argument";

    EQUAL(weft_loop_add_hooks(loop, &all_hooks, argument), 0);
    EQUAL(weft_loop_get_debug(loop), false);
    EQUAL(run(gives_way_once(5)), 5);
    /* The loop's stop stands behind the task when that has ended. */
    HAPPENED("made run{ ready turn . ready turn . ended:5 }");
    EQUAL(weft_loop_call_soon(loop, noted, (void *)"called", NULL), 0);
    EQUAL(run(sleeps(0.001)), 0);
    HAPPENED("made run{ ready callback called . turn . wait woke ready turn . ended }");
    EQUAL(weft_loop_remove_hooks(loop, &all_hooks, argument), 0);
    CHECK(weft__running == NULL);
    EQUAL(run(gives_way_once(0)), 0);
    HAPPENED("");
}

IN_LOOP(several_hooks_are_called_in_their_order)
{
    static const weft_loop_hooks only_made = { .size = sizeof only_made, .task_made = on_made };
    static char argument[] = "argument", other[] = "argument";
    char many[9];

    EQUAL(weft_loop_add_hooks(loop, &only_made, argument), 0);
    EQUAL(weft_loop_add_hooks(loop, &only_made, argument), -EEXIST);
    EQUAL(weft_loop_add_hooks(loop, &only_made, other), 0);
    EQUAL(run(gives(0)), 0);
    HAPPENED("made made");
    EQUAL(weft_loop_remove_hooks(loop, &only_made, argument), 0);
    EQUAL(weft_loop_remove_hooks(loop, &only_made, argument), -ENOENT);
    EQUAL(run(gives(0)), 0);
    HAPPENED("made");
    for (int i = 0; i < 7; i++) {
        EQUAL(weft_loop_add_hooks(loop, &only_made, &many[i]), 0);
    }
    EQUAL(weft_loop_add_hooks(loop, &only_made, &many[8]), -ENOSPC);
    for (int i = 0; i < 7; i++) {
        EQUAL(weft_loop_remove_hooks(loop, &only_made, &many[i]), 0);
    }
    EQUAL(weft_loop_add_hooks(loop, NULL, NULL), -EINVAL);
    EQUAL(weft_loop_remove_hooks(loop, NULL, NULL), -ENOENT);
    EQUAL(weft_loop_add_hooks(NULL, &only_made, NULL), -EPERM);
    /* They stay when debug mode comes and goes, and go with the loop. */
    EQUAL(weft_debug_set(loop, "awaits"), 0);
    EQUAL(weft_debug_set(loop, "0"), 0);
    EQUAL(run(gives(0)), 0);
    HAPPENED("made");
}

/* The recorder. */

static char written[65536];

static int64_t write_down(void)
{
    char path[] = "/tmp/weft-test-XXXXXX";
    int fd = mkstemp(path);
    int64_t count;
    ssize_t n;

    unlink(path);
    count = weft_record_write(loop, fd);
    n = pread(fd, written, sizeof written - 1, 0);
    written[n > 0 ? n : 0] = '\0';
    close(fd);
    return count;
}

static int lines_with(const char *words)
{
    int count = 0;

    for (const char *at = written; (at = strstr(at, words)); at += strlen(words)) {
        count++;
    }
    return count;
}

IN_TASK(what_happened_is_written_down)
{
    int64_t count;

    EQUAL(weft_record_mark("too early", 1), -ENODATA);
    EQUAL(write_down(), -ENODATA);
    EQUAL(weft_debug_set(NULL, "record=64K"), 0);
    EQUAL(weft_await(weft_create_task(gives_way_once(5), NULL)), 5);
    EQUAL(weft_await(weft_create_task(gives(-EIO), NULL)), -EIO);
    EQUAL(weft_record_mark("a mark of mine", 42), 0);
    EQUAL(weft_loop_call_soon(NULL, noted, (void *)"called", NULL), 0);
    EQUAL(weft_sleep(0.001), 0);
    count = write_down();
    CHECK(count > 10);
    EQUAL(lines_with("\n"), count);
    EQUAL(lines_with("made      task"), 2);
    EQUAL(lines_with("gives_way_once ("), 1);
    EQUAL(lines_with("  5\n"), 1);
    EQUAL(lines_with("  -5\n"), 1); /* EIO */
    EQUAL(lines_with("to wait for: task"), 2);
    EQUAL(lines_with("to wait for: sleep"), 1);
    EQUAL(lines_with("42  a mark of mine"), 1);
    EQUAL(lines_with("callback"), 1);
    CHECK(lines_with("waits") >= 1);
    CHECK(strstr(written, "-0.000000  turn") != NULL); /* the last one: this turn */
    HAPPENED("called");
    EQUAL(weft_record_write(NULL, 4711), -EBADF);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

IN_TASK(the_oldest_events_are_overwritten)
{
    int64_t count;
    weft_task *waiter;

    EQUAL(weft_debug_set(NULL, "record=4K"), 0);
    waiter = named(sleeps(1), "somebody who waits");
    give_way(1000);
    count = write_down();
    EQUAL(lines_with("\n"), count);
    EQUAL(lines_with("made      task"), 0); /* but who lives has a name */
    EQUAL(lines_with("  'somebody who waits'  sleeps ("), 1);
    EQUAL(lines_with("lives     task"), 2);
    count -= 2;
    /* Of 128 events, of which one may be about to be overwritten, each says that a turn ends and
     * the next begins, but for those around a look at the world. */
    CHECK(count > 230 && count <= 253);
    CHECK(lines_with("turn") > 115 && lines_with("turn") <= 127);
    CHECK(lines_with("for the others") > 115);
    EQUAL(weft_task_cancel(waiter), 0);
    EQUAL(weft_await(waiter), -ECANCELED);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

/* In a folder of its own, with what was written to files there in `written`. */
static void read_records(void)
{
    char name[64];
    FILE *file;

    written[0] = '\0';
    for (int i = 1; i <= 8; i++) {
        snprintf(name, sizeof name, "weft-%d-%d.record", (int)getpid(), i);
        file = fopen(name, "r");
        if (file) {
            size_t n = strlen(written);

            n += fread(written + n, 1, sizeof written - 1 - n, file);
            written[n] = '\0';
            fclose(file);
            unlink(name);
        }
    }
}

WEFT_ASYNC(records_a_signal)
{
    weft_record_mark("before the signal", 1);
    raise(SIGUSR2);
    return 0;
}

WEFT_ASYNC(records_a_long_turn)
{
    struct timespec long_time = { .tv_sec = 0, .tv_nsec = 150000000 };

    weft_record_mark("before the long turn", 2);
    nanosleep(&long_time, NULL);
    weft_sleep(0);
    return 0;
}

static int records(void)
{
    char folder[] = "/tmp/weft-test-XXXXXX";
    weft_run_options options = { .backend = backend(), .debug_words = "record=16K" };

    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    EQUAL(weft_run(records_a_signal(), &options), 0);
    read_records();
    CHECK(strstr(written, "weft record of process") == written);
    EQUAL(lines_with(": SIGUSR2\n"), 1);
    EQUAL(lines_with("before the signal"), 1);
    options.debug_words = "record=16K,slow=100ms";
    EQUAL(weft_run(records_a_long_turn(), &options), 0);
    read_records();
    EQUAL(lines_with(": a turn was too long\n"), 1);
    EQUAL(lines_with("before the long turn"), 1);
    CHECK(chdir("/") == 0 && rmdir(folder) == 0);
    return 0;
}

ALONE(it_is_written_on_a_signal_and_after_a_long_turn)
{
    EQUAL(in_child(records, NULL, 0), 0);
}

static char crash_folder[] = "/tmp/weft-test-XXXXXX";

WEFT_ASYNC(crashes)
{
    volatile int *volatile nowhere = NULL;

    weft_record_mark("just before", 3);
    return *nowhere;
}

static int records_a_crash(void)
{
    CHECK(chdir(crash_folder) == 0);
    return weft_run(crashes(),
                    &(weft_run_options){ .backend = backend(), .debug_words = "record=16K" });
}

ALONE(it_is_written_when_the_process_dies)
{
    char command[128];
    FILE *file;
    size_t n;

    if (is_sanitized() || !mkdtemp(crash_folder)) {
        return; /* they have handlers of their own */
    }
    EQUAL(in_child(records_a_crash, NULL, 0) & 0x7f, SIGSEGV);
    snprintf(command, sizeof command, "cat %s/weft-*.record", crash_folder);
    file = popen(command, "r");
    n = fread(written, 1, sizeof written - 1, file);
    written[n] = '\0';
    pclose(file);
    EQUAL(lines_with(": SIGSEGV\n"), 1);
    EQUAL(lines_with("just before"), 1);
    snprintf(command, sizeof command, "rm -r %s", crash_folder);
    EQUAL(system(command), 0);
}

static CU_TestInfo tests[] = {
    TEST(nothing_is_counted_unless_asked_for),
    TEST(what_a_loop_does_between_its_turns_is_counted),
    TEST(turns_are_seen_only_where_somebody_wants_to_see_them),
    TEST(turns_and_times_of_a_loop_are_counted),
    TEST(turns_and_times_of_a_task_are_counted),
    TEST(a_smaller_struct_gets_what_it_has_room_for),
    TEST(buckets_grow_by_an_eighth_at_most),
    TEST(hooks_are_called_for_each_step),
    TEST(several_hooks_are_called_in_their_order),
    TEST(what_happened_is_written_down),
    TEST(the_oldest_events_are_overwritten),
    TEST(it_is_written_on_a_signal_and_after_a_long_turn),
    TEST(it_is_written_when_the_process_dies),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_more, tests)
