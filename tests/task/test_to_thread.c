/* SPDX-License-Identifier: MIT
 * Calls in threads: what they return, when threads begin, what a cancel does. */
#include "tests/task/thread.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

IN_TASK(the_jobs_status_is_returned)
{
    int statuses[] = { 0, 42, -EIO, -ECANCELED, INT32_MAX };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        EQUAL(weft_to_thread(job_gives, &statuses[i]), statuses[i]);
    }
}

IN_TASK(no_thread_exists_before_the_first_job_and_one_serves_many)
{
    int before = threads(), zero = 0;

    EQUAL(weft_sleep(0.001), 0);
    EQUAL(threads(), before);
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_to_thread(job_gives, &zero), 0);
        EQUAL(threads(), before + 1);
    }
}

IN_TASK(others_run_while_a_task_waits_for_its_thread)
{
    struct gate gate = GATE;
    weft_task *other = weft_create_task(notes("other"), NULL);

    weft_loop_call_soon(NULL, (weft_callback *)gate_open, &gate, NULL);
    EQUAL(weft_to_thread(job_at_gate, &gate), 7);
    HAPPENED("other");
    EQUAL(weft_await(other), 0);
}

WEFT_ASYNC(calls_at_gate, (struct gate *, gate))
{
    return weft_to_thread(job_at_gate, gate);
}

IN_TASK(jobs_run_side_by_side)
{
    struct gate gate = GATE;
    weft_task *tasks[4];
    int before = threads();

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(calls_at_gate(&gate), NULL);
    }
    weft_sleep(0);
    gate_await_came(&gate, 4); /* all four are there at once */
    CHECK(threads() <= before + 4); /* one of the test before may have been on its way out */
    gate_open(&gate);
    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(tasks[i]), 7);
    }
}

/* What a thread is like. */

struct look {
    char name[16];
    int unblocked;
    bool loop, task;
    int slept;
};

static int looks_round(void *arg)
{
    struct look *look = arg;
    sigset_t set;
    int zero = 0;

    pthread_getname_np(pthread_self(), look->name, sizeof look->name);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int s = 1; s < 32; s++) {
        look->unblocked += s != SIGKILL && s != SIGSTOP && !sigismember(&set, s);
    }
    look->loop = weft_get_running_loop();
    look->task = weft_current_task();
    look->slept = weft_sleep(0);
    EQUAL(weft_to_thread(job_gives, &zero), -EPERM);
    return 0;
}

IN_TASK(a_thread_is_named_and_takes_no_signal_and_runs_no_loop)
{
    struct look look = { .unblocked = 0 };
    sigset_t before, after;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    EQUAL(weft_to_thread(looks_round, &look), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    SAME(look.name, "weft_0");
    EQUAL(look.unblocked, 0);
    EQUAL(look.loop, false);
    EQUAL(look.task, false);
    EQUAL(look.slept, -EPERM);
    for (int s = 1; s < 32; s++) { /* nor is ours changed */
        EQUAL(sigismember(&before, s), sigismember(&after, s));
    }
}

static int runs_a_loop(void *status)
{
    return weft_run(gives(*(int *)status), &(weft_run_options){ .backend = backend() });
}

IN_TASK(a_job_may_run_a_loop_of_its_own)
{
    int nine = 9;

    EQUAL(weft_to_thread(runs_a_loop, &nine), 9);
}

/* Cancels. */

WEFT_ASYNC(calls_until_cancelled, (struct gate *, gate))
{
    int r = weft_to_thread(job_until_cancelled, gate);

    CHECK(weft_cancelled());
    EQUAL(weft_sleep(0), -ECANCELED);
    return r;
}

IN_TASK(a_job_that_runs_is_told_and_waited_for)
{
    struct gate gate = GATE;
    weft_task *task = weft_create_task(calls_until_cancelled(&gate), NULL);

    weft_sleep(0);
    gate_await_came(&gate, 1);
    EQUAL(weft_job_cancelled(), false); /* that is the thread's */
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), 5);
}

WEFT_ASYNC(counts_in, (weft_executor *, executor), (atomic_int *, counter))
{
    return weft_to_thread_in(executor, job_counts, counter);
}

WEFT_ASYNC(stands_in, (weft_executor *, executor), (struct gate *, gate))
{
    return weft_to_thread_in(executor, job_at_gate, gate);
}

static weft_executor *one_worker(unsigned max_queued)
{
    weft_executor_options options = { .max_workers = 1, .max_queued = max_queued };
    weft_executor *executor = NULL;

    EQUAL(weft_executor_new(&options, &executor), 0);
    return executor;
}

IN_TASK(a_job_that_has_not_begun_is_taken_back_at_once)
{
    struct gate gate = GATE;
    atomic_int counter = 0;
    weft_executor *executor = one_worker(0);
    weft_task *first = weft_create_task(stands_in(executor, &gate), NULL);
    weft_task *second = weft_create_task(counts_in(executor, &counter), NULL);
    weft_task *third = weft_create_task(counts_in(executor, &counter), NULL);

    weft_sleep(0);
    gate_await_came(&gate, 1);
    EQUAL(weft_task_cancel(second), 0);
    EQUAL(weft_await(second), -ECANCELED); /* while the first still stands there */
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_await(third), 1);
    EQUAL(atomic_load(&counter), 1);
    weft_executor_free(executor);
}

WEFT_ASYNC(counts_once, (atomic_int *, counter))
{
    return weft_to_thread(job_counts, counter);
}

IN_TASK(a_task_that_is_cancelled_begins_no_job)
{
    atomic_int counter = 0;
    weft_task *task = weft_create_task(counts_once(&counter), NULL);
    int before = threads();

    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(atomic_load(&counter), 0);
    EQUAL(threads(), before);
}

IN_TASK(a_deadline_tells_the_job)
{
    struct gate gate = GATE;
    weft_task *task = weft_create_task(calls_until_cancelled(&gate), NULL);
    double start = weft_loop_time(NULL);

    weft_sleep(0);
    gate_await_came(&gate, 1);
    EQUAL(weft_wait_for(task, 0.005), 5); /* also where time is virtual: the job takes real time */
    CHECK(weft_loop_time(NULL) - start > 0.00499);
}

IN_TASK(virtual_time_does_not_jump_over_a_job)
{
    struct gate gate = GATE;
    weft_task *sleeper = weft_create_task(sleeps(3600), NULL);
    double start = weft_loop_time(NULL);
    int zero = 0;

    if (!is_virtual()) {
        weft_task_cancel(sleeper);
        weft_await(sleeper);
        return;
    }
    weft_loop_call_soon(NULL, (weft_callback *)gate_open, &gate, NULL);
    EQUAL(weft_to_thread(job_at_gate, &gate), 7);
    EQUAL(weft_to_thread(job_gives, &zero), 0);
    CHECK(weft_loop_time(NULL) - start < 3600);
    EQUAL(weft_task_done(sleeper), false);
    EQUAL(weft_await(sleeper), 0); /* and now it does */
    EQUAL(weft_loop_time(NULL) - start, 3600);
}

static void nothing(void *unused)
{
    (void)unused;
}

static int posts_until_cancelled(void *home)
{
    while (!weft_job_cancelled()) {
        CHECK(weft_loop_call_soon_threadsafe(home, nothing, NULL, NULL) == 0);
    }
    return 6;
}

WEFT_ASYNC(calls_what_posts)
{
    return weft_to_thread(posts_until_cancelled, weft_get_running_loop());
}

IN_TASK(time_passes_while_posts_keep_coming)
{
    weft_task *task = weft_create_task(calls_what_posts(), NULL);
    int r;

    weft_sleep(0.01); /* in which the loop always has something to do */
    weft_task_cancel(task);
    r = weft_await(task);
    CHECK(r == 6 || r == -ECANCELED);
}

/* Misuse. */

static int refused;

static void call_in_callback(void *zero)
{
    refused = weft_to_thread(job_gives, zero);
}

IN_TASK(only_a_task_may_wait)
{
    int zero = 0;

    EQUAL(weft_loop_call_soon(NULL, call_in_callback, &zero, NULL), 0);
    weft_sleep(0);
    EQUAL(refused, -EPERM);
    EQUAL(weft_to_thread(NULL, &zero), -EINVAL);
    EQUAL(weft_to_thread_in(NULL, job_gives, &zero), -EINVAL);
}

IN_TASK(the_functions_behind_the_macros_do_the_same)
{
    int three = 3;
    weft_future *future = NULL;
    weft_executor *executor = one_worker(0);

    EQUAL((weft_to_thread)(job_gives, &three), 3);
    EQUAL((weft_to_thread_in)(executor, job_gives, &three), 3);
    EQUAL((weft_loop_run_in_executor)(NULL, NULL, job_gives, &three, &future), 0);
    EQUAL(weft_await(future), 3);
    weft_executor_free(executor);
}

/* Many. */

WEFT_ASYNC(calls_often, (atomic_int *, counter), (int, times))
{
    for (int i = 0; i < times; i++) {
        CHECK(weft_to_thread(job_counts, counter) > 0);
    }
    return 0;
}

IN_TASK(thousands_of_calls_from_many_tasks_are_each_done_once)
{
    atomic_int counter = 0;
    weft_task *tasks[20];
    int times = many(200000) / 1000;

    for (int i = 0; i < 20; i++) {
        tasks[i] = weft_create_task(calls_often(&counter, times), NULL);
    }
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(atomic_load(&counter), 20 * times);
}

/* What comes without a post of its own, while a virtual clock waits for a thread. */

static weft_event told = WEFT_EVENT_INIT;

static int sets_an_event(void *event)
{
    usleep(2000);
    weft_event_set_threadsafe(event);
    usleep(2000);
    return 7;
}

WEFT_ASYNC(waits_for_the_event)
{
    return weft_event_wait(&told);
}

IN_TASK(an_event_that_a_job_sets_wakes_the_loop)
{
    weft_task *task = weft_create_task(waits_for_the_event(), NULL);

    EQUAL(weft_to_thread(sets_an_event, &told), 7);
    EQUAL(weft_await(task), 0);
    weft_event_clear(&told);
}

static int sends_a_signal(void *unused)
{
    (void)unused;
    usleep(2000);
    kill(getpid(), SIGUSR1);
    usleep(2000);
    return 8;
}

IN_TASK(a_signal_that_comes_during_a_job_wakes_the_loop)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("signal")), 0);
    EQUAL(weft_to_thread(sends_a_signal, NULL), 8);
    give_way(2);
    HAPPENED("signal");
}

static CU_TestInfo tests[] = {
    TEST(the_jobs_status_is_returned),
    TEST(no_thread_exists_before_the_first_job_and_one_serves_many),
    TEST(others_run_while_a_task_waits_for_its_thread),
    TEST(jobs_run_side_by_side),
    TEST(a_thread_is_named_and_takes_no_signal_and_runs_no_loop),
    TEST(a_job_may_run_a_loop_of_its_own),
    TEST(a_job_that_runs_is_told_and_waited_for),
    TEST(a_job_that_has_not_begun_is_taken_back_at_once),
    TEST(a_task_that_is_cancelled_begins_no_job),
    TEST(a_deadline_tells_the_job),
    TEST(virtual_time_does_not_jump_over_a_job),
    TEST(time_passes_while_posts_keep_coming),
    TEST(only_a_task_may_wait),
    TEST(the_functions_behind_the_macros_do_the_same),
    TEST(thousands_of_calls_from_many_tasks_are_each_done_once),
    TEST(an_event_that_a_job_sets_wakes_the_loop),
    TEST(a_signal_that_comes_during_a_job_wakes_the_loop),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(to_thread, tests)
