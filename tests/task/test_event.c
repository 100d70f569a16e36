/* SPDX-License-Identifier: MIT
 * Events: set, cleared, waited for, set from elsewhere. */
#include "tests/task/steps.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static weft_event event;

static void fresh(void)
{
    event = (weft_event)WEFT_EVENT_INIT;
}

WEFT_ASYNC(waits_for_it, (const char *, word))
{
    int r = weft_event_wait(&event);

    note(word);
    return r;
}

WEFT_MUST_USE static weft_task *waiting(const char *word)
{
    weft_task *task = weft_create_task(waits_for_it(word), NULL);

    weft_sleep(0);
    return task;
}

IN_TASK(setting_wakes_all_in_their_order)
{
    weft_event_stats stats;

    fresh();
    CHECK(!weft_event_is_set(&event));
    weft_task *a = waiting("a"), *b = waiting("b");

    weft_event_statistics(&event, &stats);
    CHECK(!stats.set);
    EQUAL(stats.waiting, 2);
    EQUAL(weft_event_set(&event), 0);
    CHECK(weft_event_is_set(&event));
    weft_event_statistics(&event, &stats);
    CHECK(stats.set);
    EQUAL(stats.waiting, 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

IN_TASK(waiting_for_what_is_set_does_not_give_way)
{
    fresh();
    weft_task *a = weft_create_task(notes("other"), NULL);

    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_event_wait(&event), 0);
    note("main");
    EQUAL(weft_await(a), 0);
    HAPPENED("main other");
}

IN_TASK(who_waits_is_woken_even_if_it_is_cleared_at_once)
{
    fresh();
    weft_task *a = waiting("a"), *b;

    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_event_clear(&event), 0);
    CHECK(!weft_event_is_set(&event));
    b = waiting("b");
    EQUAL(weft_await(a), 0);
    CHECK(!weft_task_done(b));
    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

IN_TASK(a_cancelled_waiter_goes_and_a_woken_one_does_not)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    weft_task_cancel(a);
    EQUAL(event.waiters.count, 1);
    EQUAL(weft_event_set(&event), 0);
    weft_task_cancel(b);
    EQUAL(weft_await(a), -ECANCELED);
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

WEFT_ASYNC(waits_when_cancelled)
{
    weft_task_cancel(weft_current_task());
    EQUAL(weft_event_wait(&event), -ECANCELED);
    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_event_wait(&event), 0); /* it is done: that is its result */
    return 0;
}

IN_TASK(a_cancelled_task_waits_for_nothing_but_sees_what_is_set)
{
    fresh();
    EQUAL(weft_await(weft_create_task(waits_when_cancelled(), NULL)), 0);
}

WEFT_ASYNC(waits_again_and_again)
{
    for (int i = 0; i < 100000 && !weft_cancelled(); i++) {
        EQUAL(weft_event_wait(&event), 0);
    }
    return weft_cancelled() ? 7 : 0;
}

IN_TASK(waiting_for_what_is_set_gives_way_after_the_budget)
{
    fresh();
    EQUAL(weft_event_set(&event), 0);
    weft_task *a = weft_create_task(waits_again_and_again(), NULL);

    weft_sleep(0);
    CHECK(!weft_task_done(a));
    weft_task_cancel(a);
    EQUAL(weft_await(a), 7);
}

static void sets(void *unused)
{
    (void)unused;
    EQUAL(weft_event_set(&event), 0);
}

IN_TASK(a_callback_can_set_it)
{
    fresh();
    EQUAL(weft_loop_call_soon(NULL, sets, NULL, NULL), 0);
    EQUAL(weft_event_wait(&event), 0);
}

/* Errors. */

static void *sets_without_leave(void *unused)
{
    (void)unused;
    EQUAL(weft_event_set(&event), -EXDEV);
    return NULL;
}

IN_TASK(another_thread_needs_the_threadsafe_call)
{
    fresh();
    weft_task *a = waiting("a");

    in_thread(sets_without_leave, NULL);
    CHECK(!weft_event_is_set(&event));
    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_await(a), 0);
    in_thread(sets_without_leave, NULL); /* nobody waits, but the event is the loop's */
    HAPPENED("a");
}

IN_LOOP(only_tasks_wait_and_anybody_sets)
{
    fresh();
    EQUAL(weft_event_wait(&event), -EPERM);
    EQUAL(weft_event_wait(NULL), -EINVAL);
    EQUAL(weft_event_set(NULL), -EINVAL);
    EQUAL(weft_event_clear(NULL), -EINVAL);
    EQUAL(weft_event_set_threadsafe(NULL), -EINVAL);
    EQUAL(weft_event_destroy(NULL), -EINVAL);
    EQUAL(weft_event_set(&event), 0);
    EQUAL(run(waits_for_it("set before")), 0);
    HAPPENED("set before");
}

IN_LOOP(an_event_serves_one_loop_after_the_other)
{
    weft_loop *second = open_loop();

    fresh();
    weft_task *a = weft_loop_create_task(loop, waits_for_it("a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_loop_run_until_complete(second, waits_for_it("no")), -EXDEV);
    EQUAL(weft_event_set(&event), 0);
    EQUAL(run(a), 0);
    close_loop();
    EQUAL(weft_event_clear(&event), 0);
    EQUAL(weft_event_set_threadsafe(&event), 0); /* for whichever loop comes next */
    EQUAL(weft_loop_run_until_complete(second, waits_for_it("b")), 0);
    EQUAL(weft_event_clear(&event), 0);
    weft_task *b = weft_loop_create_task(second, waits_for_it("c"), NULL);

    EQUAL(weft_loop_run_until_complete(second, sleeps(0)), 0);
    EQUAL(weft_event_set_threadsafe(&event), 0);
    EQUAL(weft_loop_run_until_complete(second, b), 0);
    weft_loop_close(second);
    HAPPENED("no a b c");
}

/* More often than the word of a post can count its bindings. */
IN_LOOP(what_was_set_after_its_loop_closed_can_be_taken_back)
{
    fresh();
    weft_task *a = weft_loop_create_task(loop, waits_for_it("a"), NULL);

    EQUAL(run(sleeps(0)), 0);
    EQUAL(weft_event_set(&event), 0);
    EQUAL(run(a), 0);
    close_loop();
    EQUAL(weft_event_clear(&event), 0);
    CHECK(!weft_event_is_set(&event));
    EQUAL(weft_event_set_threadsafe(&event), 0);
    CHECK(weft_event_is_set(&event));
    EQUAL(weft_event_clear(&event), 0);
    CHECK(!weft_event_is_set(&event));

    weft_loop *second = open_loop();
    weft_task *b = weft_loop_create_task(second, waits_for_it("b"), NULL);

    EQUAL(weft_loop_run_until_complete(second, sleeps(0)), 0);
    HAPPENED("a");
    EQUAL(weft_event_set_threadsafe(&event), 0);
    EQUAL(weft_loop_run_until_complete(second, b), 0);
    weft_loop_close(second);
    HAPPENED("b");
}

IN_LOOP(an_event_serves_three_hundred_loops)
{
    fresh();
    for (int i = 0; i < 300; i++) {
        weft_loop *next = open_loop();
        weft_task *a = weft_loop_create_task(next, waits_for_it(""), NULL);

        EQUAL(weft_loop_run_until_complete(next, sleeps(0)), 0);
        EQUAL(weft_event_set_threadsafe(&event), 0);
        EQUAL(weft_loop_run_until_complete(next, a), 0);
        EQUAL(weft_event_clear(&event), 0);
        EQUAL(weft_loop_close(next), 0);
        if (i % 2) {
            EQUAL(weft_event_set_threadsafe(&event), 0); /* the next one finds it set */
        }
    }
    HAPPENED("");
}

IN_TASK(an_event_that_is_waited_for_is_not_destroyed)
{
    fresh();
    weft_task *a = waiting("a");
    const struct said *said;

    EQUAL(weft_event_destroy(&event), -EBUSY);
    said = next_report();
    SAME(said->message, "waits for an event that was to be destroyed");
    SAME(said->waiting, "event");
    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_await(a), 0);
    EQUAL(weft_event_destroy(&event), 0);
    HAPPENED("a");
}

/* From elsewhere. */

static void *sets_safely(void *which)
{
    EQUAL(weft_event_set_threadsafe(which), 0);
    return NULL;
}

/* Keeps a virtual clock from saying that nothing can ever happen. */
WEFT_ASYNC(keeps_busy)
{
    while (weft_sleep(0.001) == 0) {}
    return 0;
}

IN_TASK(a_thread_sets_it_before_anybody_waits)
{
    fresh();
    in_thread(sets_safely, &event);
    in_thread(sets_safely, &event);
    CHECK(weft_event_is_set(&event));
    EQUAL(weft_event_wait(&event), 0);
    EQUAL(weft_event_clear(&event), 0);
    CHECK(!weft_event_is_set(&event));
    fresh();
    in_thread(sets_safely, &event);
    EQUAL(weft_event_clear(&event), 0);
    CHECK(!weft_event_is_set(&event));
}

IN_TASK(a_thread_sets_it_while_tasks_wait)
{
    fresh();
    weft_task *a = waiting("a"), *b = waiting("b");

    in_thread(sets_safely, &event);
    CHECK(!weft_event_is_set(&event)); /* the loop has not got to it */
    EQUAL(weft_await(a), 0);
    CHECK(weft_event_is_set(&event));
    EQUAL(weft_await(b), 0);
    HAPPENED("a b");
}

IN_TASK(what_was_posted_and_not_delivered_goes_with_the_event)
{
    fresh();
    weft_task *a = waiting("a");

    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_await(a), 0);
    in_thread(sets_safely, &event);
    EQUAL(weft_event_destroy(&event), 0);
    memset(&event, 0xff, sizeof event); /* nobody comes here any more */
    weft_sleep(0);
    HAPPENED("a");
}

static void *sets_a_thousand(void *events)
{
    for (int i = 0; i < 1000; i++) {
        if (weft_event_set_threadsafe(((weft_event **)events)[i]) != 0) {
            abort(); /* claims are for one thread at a time */
        }
    }
    return NULL;
}

/* The memory is gone as soon as the wait is over: what the setter touches then is found by the
 * address sanitizer. */
IN_TASK(who_sets_an_event_does_not_touch_it_afterwards)
{
    static weft_event *events[1000];
    weft_task *busy = weft_create_task(keeps_busy(), NULL);
    pthread_t thread;

    for (int i = 0; i < 1000; i++) {
        events[i] = calloc(1, sizeof *events[i]);
    }
    EQUAL(pthread_create(&thread, NULL, sets_a_thousand, events), 0);
    for (int i = 0; i < 1000; i++) {
        EQUAL(weft_event_wait(events[i]), 0);
        free(events[i]);
    }
    pthread_join(thread, NULL);
    weft_task_cancel(busy);
    weft_await(busy);
}

/* Signals. */

static void set_in_handler(int signal)
{
    int before = errno;

    (void)signal;
    errno = 4711;
    weft_event_set_threadsafe(&event);
    weft_event_set_threadsafe(&event);
    if (errno != 4711) {
        abort();
    }
    errno = before;
}

static void handle_signals(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    sigaction(SIGUSR1, &action, NULL);
}

IN_TASK(a_signal_handler_sets_it)
{
    fresh();
    handle_signals(set_in_handler);
    raise(SIGUSR1);
    EQUAL(weft_event_wait(&event), 0);
    EQUAL(weft_event_clear(&event), 0);
    for (int i = 0; i < 100; i++) {
        weft_task *a = waiting("");

        raise(SIGUSR1);
        EQUAL(weft_await(a), 0);
        EQUAL(weft_event_clear(&event), 0);
    }
    handle_signals(SIG_DFL);
    HAPPENED("");
}

struct storm {
    pthread_t target;
    bool end;
};

static void *sends_signals(void *arg)
{
    struct storm *storm = arg;

    while (!__atomic_load_n(&storm->end, __ATOMIC_ACQUIRE)) {
        pthread_kill(storm->target, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

static void nothing(void *unused)
{
    (void)unused;
}

/* The handler interrupts the loop wherever it is, in its own lock, too. */
IN_TASK(a_storm_of_signals_finds_no_lock)
{
    weft_task *busy = weft_create_task(keeps_busy(), NULL);
    struct storm storm = { .target = pthread_self() };
    pthread_t thread;

    fresh();
    handle_signals(set_in_handler);
    EQUAL(pthread_create(&thread, NULL, sends_signals, &storm), 0);
    for (int i = 0; i < (is_virtual() ? 200 : 2000); i++) { /* which does not sleep in between */
        weft_loop_call_soon_threadsafe(weft_get_running_loop(), nothing, NULL, NULL);
        EQUAL(weft_event_wait(&event), 0);
        EQUAL(weft_event_clear(&event), 0);
    }
    __atomic_store_n(&storm.end, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    weft_task_cancel(busy);
    weft_await(busy);
    handle_signals(SIG_DFL);
    EQUAL(weft_event_destroy(&event), 0);
}

static int posts_from_the_child(void)
{
    EQUAL(weft_event_set_threadsafe(&event), -ECHILD);
    EQUAL(weft_event_set(&event), -ECHILD);
    return claims_failed() ? 99 : 0;
}

IN_TASK(a_forked_child_sets_nothing_of_its_parent)
{
    char text[400];

    fresh();
    weft_task *a = waiting("a");

    EQUAL(in_child(posts_from_the_child, text, sizeof text), 0);
    SAME(text, "");
    CHECK(!weft_event_is_set(&event));
    EQUAL(weft_event_set(&event), 0);
    EQUAL(weft_await(a), 0);
    HAPPENED("a");
}

/* At every step. */

WEFT_ASYNC(sets_later)
{
    weft_sleep(0.002);
    return weft_event_set(&event);
}

WEFT_ASYNC(waits_one_and_all)
{
    fresh();
    return weft_gather(NULL, waits_for_it(""), waits_for_it(""), sets_later());
}

IN_LOOP(waiters_come_and_go_at_every_step)
{
    CHECK(AT_EVERY_STEP(waits_one_and_all, 0, -ECANCELED) > 10);
    HAPPENED("");
}

static CU_TestInfo tests[] = {
    TEST(setting_wakes_all_in_their_order),
    TEST(waiting_for_what_is_set_does_not_give_way),
    TEST(who_waits_is_woken_even_if_it_is_cleared_at_once),
    TEST(a_cancelled_waiter_goes_and_a_woken_one_does_not),
    TEST(a_cancelled_task_waits_for_nothing_but_sees_what_is_set),
    TEST(waiting_for_what_is_set_gives_way_after_the_budget),
    TEST(a_callback_can_set_it),
    TEST(another_thread_needs_the_threadsafe_call),
    TEST(only_tasks_wait_and_anybody_sets),
    TEST(an_event_serves_one_loop_after_the_other),
    TEST(what_was_set_after_its_loop_closed_can_be_taken_back),
    TEST(an_event_serves_three_hundred_loops),
    TEST(an_event_that_is_waited_for_is_not_destroyed),
    TEST(a_thread_sets_it_before_anybody_waits),
    TEST(a_thread_sets_it_while_tasks_wait),
    TEST(what_was_posted_and_not_delivered_goes_with_the_event),
    TEST(who_sets_an_event_does_not_touch_it_afterwards),
    TEST(a_signal_handler_sets_it),
    TEST(a_storm_of_signals_finds_no_lock),
    TEST(a_forked_child_sets_nothing_of_its_parent),
    TEST(waiters_come_and_go_at_every_step),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(event, tests)
