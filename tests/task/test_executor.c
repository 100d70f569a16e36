/* SPDX-License-Identifier: MIT
 * Executors: futures of jobs, executors of one's own, shutting down, and the end of a run. */
#include "core/thread/executor.h"
#include "tests/task/thread.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static weft_executor *new_executor(unsigned max_workers, unsigned max_queued, const char *name)
{
    weft_executor_options options = { .max_workers = max_workers,
                                      .max_queued = max_queued,
                                      .thread_name_prefix = name };
    weft_executor *executor = NULL;

    EQUAL(weft_executor_new(&options, &executor), 0);
    return executor;
}

static weft_future *begin(weft_executor *executor, weft_job *job, void *arg)
{
    weft_future *future = NULL;

    EQUAL(weft_loop_run_in_executor(NULL, executor, job, arg, &future), 0);
    return future;
}

/* Futures. */

IN_TASK(a_futures_status_is_what_the_job_returned)
{
    int statuses[] = { 0, 42, -EIO };

    for (size_t i = 0; i < 3; i++) {
        EQUAL(weft_await(begin(NULL, job_gives, &statuses[i])), statuses[i]);
    }
}

IN_TASK(a_future_that_is_cancelled_takes_back_a_job_that_has_not_begun)
{
    struct gate gate = GATE;
    atomic_int counter = 0;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *first = begin(executor, job_at_gate, &gate);
    weft_future *second = begin(executor, job_counts, &counter);

    gate_await_came(&gate, 1);
    EQUAL(weft_future_cancel(second), 0);
    EQUAL(weft_await(second), -ECANCELED);
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(atomic_load(&counter), 0);
    weft_executor_free(executor);
}

IN_TASK(a_future_that_is_cancelled_leaves_a_job_that_runs)
{
    static struct gate gate = GATE;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *future;

    gate_close(&gate);
    future = begin(executor, job_until_cancelled, &gate);
    gate_await_came(&gate, 1);
    EQUAL(weft_future_cancel(future), 0);
    EQUAL(weft_await(future), -ECANCELED); /* at once; the job has been told */
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    weft_executor_free(executor);
}

IN_TASK(a_future_that_nobody_awaits_may_be_dropped)
{
    atomic_int counter = 0;
    int bad = -EIO;

    for (int i = 0; i < 10; i++) {
        weft_future_unref(begin(NULL, job_counts, &counter));
    }
    weft_future_unref(begin(NULL, job_gives, &bad));
    EQUAL(weft_loop_shutdown_default_executor(NULL, INFINITY), 0);
    EQUAL(atomic_load(&counter), 10);
    weft_sleep(0.001);                  /* the last ends are on their way */
    EQUAL(next_report()->status, -EIO); /* nobody read it */
}

static int takes(void *counter)
{
    return atomic_fetch_sub((atomic_int *)counter, 1);
}

static void drops(void *counter)
{
    atomic_fetch_sub((atomic_int *)counter, 1);
}

IN_TASK(what_a_job_owns_is_freed_by_it_or_dropped)
{
    struct gate gate = GATE;
    atomic_int owned = 5;
    weft_job_options options = { .name = "takes", .drop = drops };
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *first = begin(executor, job_at_gate, &gate), *futures[3], *none = NULL;

    for (int i = 0; i < 3; i++) {
        EQUAL(weft_loop_run_in_executor_with(NULL, executor, takes, &owned, &options, &futures[i]),
              0);
    }
    gate_await_came(&gate, 1);
    EQUAL(weft_future_cancel(futures[0]), 0);
    EQUAL(weft_await(futures[0]), -ECANCELED);
    weft_sleep(0);
    EQUAL(atomic_load(&owned), 4); /* it never ran */
    EQUAL(weft_loop_run_in_executor_with(NULL, executor, NULL, &owned, &options, &none), -EINVAL);
    EQUAL(atomic_load(&owned), 3);
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_await(futures[1]), 3);
    EQUAL(weft_await(futures[2]), 2);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(weft_loop_run_in_executor_with(NULL, executor, takes, &owned, &options, &none),
          -ESHUTDOWN);
    EQUAL(atomic_load(&owned), 0);
    weft_executor_free(executor);
}

IN_LOOP(a_job_may_begin_before_the_loop_runs)
{
    int four = 4;
    weft_future *future = NULL;

    EQUAL(weft_loop_run_in_executor(loop, NULL, job_gives, &four, &future), 0);
    EQUAL(run(future), 4);
}

/* Executors of one's own. */

static int tells_its_name(void *name)
{
    return -pthread_getname_np(pthread_self(), name, 16);
}

IN_TASK(threads_are_named_as_the_options_say)
{
    weft_executor *executor = new_executor(1, 0, "much-too-long");
    char name[16];

    EQUAL(weft_to_thread_in(executor, tells_its_name, name), 0);
    SAME(name, "much-too-l_0");
    weft_executor_free(executor);
}

IN_TASK(a_full_queue_refuses)
{
    struct gate gate = GATE;
    atomic_int counter = 0;
    weft_executor *executor = new_executor(1, 2, NULL);
    weft_future *refused = NULL, *futures[3];

    futures[0] = begin(executor, job_at_gate, &gate);
    gate_await_came(&gate, 1);
    futures[1] = begin(executor, job_counts, &counter);
    futures[2] = begin(executor, job_counts, &counter);
    EQUAL(weft_loop_run_in_executor(NULL, executor, job_counts, &counter, &refused), -EAGAIN);
    EQUAL(weft_to_thread_in(executor, job_counts, &counter), -EAGAIN);
    gate_open(&gate);
    EQUAL(weft_await(futures[0]), 7);
    EQUAL(weft_await(futures[1]), 1);
    EQUAL(weft_await(futures[2]), 2);
    weft_executor_free(executor);
    EQUAL(weft_loop_run_in_executor(NULL, executor, job_counts, &counter, &refused), -ESRCH);
    CHECK(refused == NULL);
}

IN_TASK(one_worker_does_its_jobs_in_their_order)
{
    atomic_int counter = 0;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *futures[50];

    for (int i = 0; i < 50; i++) {
        futures[i] = begin(executor, job_counts, &counter);
    }
    for (int i = 0; i < 50; i++) {
        EQUAL(weft_await(futures[i]), i + 1);
    }
    weft_executor_free(executor);
}

IN_TASK(shutdown_waits_until_all_is_done_and_the_threads_are_gone)
{
    atomic_int counter = 0;
    int before = threads();
    weft_executor *executor = new_executor(3, 0, NULL);
    weft_future *futures[30], *late = NULL;

    for (int i = 0; i < 30; i++) {
        futures[i] = begin(executor, job_counts, &counter);
    }
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(atomic_load(&counter), 30);
    await_threads(before);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(weft_loop_run_in_executor(NULL, executor, job_counts, &counter, &late), -ESHUTDOWN);
    EQUAL(weft_to_thread_in(executor, job_counts, &counter), -ESHUTDOWN);
    for (int i = 0; i < 30; i++) {
        CHECK(weft_await(futures[i]) > 0);
    }
    weft_executor_free(executor);
    EQUAL(weft_executor_shutdown(executor, false, false), -ESRCH);
    EQUAL(weft_to_thread_in(executor, job_counts, &counter), -ESRCH);
    CHECK(weft_executor_free(executor) == NULL);
}

IN_TASK(shutdown_with_cancel_takes_back_what_has_not_begun)
{
    struct gate gate = GATE;
    atomic_int counter = 0;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *first = begin(executor, job_at_gate, &gate);
    weft_future *second = begin(executor, job_counts, &counter);

    gate_await_came(&gate, 1);
    EQUAL(weft_executor_shutdown(executor, false, true), 0);
    EQUAL(weft_await(second), -ECANCELED);
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_executor_shutdown(executor, true, true), 0);
    EQUAL(atomic_load(&counter), 0);
    weft_executor_free(executor);
}

IN_TASK(a_cancelled_shutdown_goes_on)
{
    struct gate gate = GATE;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *future = begin(executor, job_at_gate, &gate);
    weft_timeout limit;

    gate_await_came(&gate, 1);
    EQUAL(weft_timeout_enter(&limit, 0.002), 0);
    EQUAL(weft_timeout_exit(&limit, weft_executor_shutdown(executor, true, false)), -ETIMEDOUT);
    gate_open(&gate);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(weft_await(future), 7);
    weft_executor_free(executor);
}

static int shuts_itself_down(void *executor)
{
    return weft_executor_shutdown(executor, true, false);
}

static int refused;

static void shut_in_callback(void *executor)
{
    refused = weft_executor_shutdown(executor, true, false);
}

IN_TASK(who_would_wait_for_itself_is_told)
{
    weft_executor *executor = new_executor(1, 0, NULL);

    EQUAL(weft_to_thread_in(executor, shuts_itself_down, executor), -EDEADLK);
    weft_loop_call_soon(NULL, shut_in_callback, executor, NULL);
    weft_sleep(0);
    EQUAL(refused, -EPERM);
    weft_executor_free(executor);
}

ALONE(an_executor_needs_no_loop_to_shut_down)
{
    weft_executor *executor = new_executor(0, 0, NULL);
    atomic_int counter = 0;
    weft_future *future = NULL;

    EQUAL(weft_executor_new(NULL, NULL), -EINVAL);
    loop = open_loop();
    EQUAL(weft_loop_run_in_executor(loop, executor, job_counts, &counter, &future), 0);
    EQUAL(weft_executor_shutdown(executor, true, false), 0); /* this thread blocks */
    EQUAL(atomic_load(&counter), 1);
    weft_executor_free(executor);
    EQUAL(run(future), 1); /* the end was told, and is there */
    close_loop();
}

IN_TASK(an_executor_that_is_freed_ends_its_jobs)
{
    struct gate gate = GATE;
    atomic_int counter = 0;
    int before = threads();
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *first = begin(executor, job_at_gate, &gate);
    weft_future *second = begin(executor, job_counts, &counter);

    weft_executor_free(executor);
    gate_open(&gate);
    EQUAL(weft_await(first), 7);
    EQUAL(weft_await(second), 1);
    await_threads(before);
}

/* The loop's. */

IN_TASK(the_default_executor_can_be_replaced)
{
    weft_executor *executor = new_executor(1, 0, "mine");
    char name[16];

    EQUAL(weft_to_thread(tells_its_name, name), 0);
    SAME(name, "weft_0");
    EQUAL(weft_loop_set_default_executor(NULL, executor), 0);
    EQUAL(weft_to_thread(tells_its_name, name), 0);
    SAME(name, "mine_0");
    weft_executor_free(executor); /* the loop holds it */
    EQUAL(weft_to_thread(tells_its_name, name), 0);
    SAME(name, "mine_0");
    EQUAL(weft_loop_set_default_executor(NULL, executor), -ESRCH);
    EQUAL(weft_loop_set_default_executor(NULL, NULL), -EINVAL);
}

IN_TASK(name_lookups_have_threads_of_their_own)
{
    char name[16];

    EQUAL(weft__call_in_thread(WEFT__JOBS_DNS, tells_its_name, name, "lookup"), 0);
    SAME(name, "weft-dns_0");
    EQUAL(weft_loop_shutdown_default_executor(NULL, INFINITY), 0);
    EQUAL(weft__call_in_thread(WEFT__JOBS_DNS, tells_its_name, name, "lookup"), 0);
}

IN_TASK(an_abandoned_lookup_ends_by_itself)
{
    static struct gate gate = GATE;
    weft_future *future = NULL;
    int before = threads();

    gate_close(&gate);
    EQUAL(weft__begin_in_thread(weft__running, WEFT__JOBS_DNS, job_at_gate, &gate,
                                &(weft_job_options){ .name = "lookup" }, &future),
          0);
    gate_await_came(&gate, 1);
    weft_future_cancel(future);
    EQUAL(weft_await(future), -ECANCELED);
    EQUAL(threads(), before + 1);
    gate_open(&gate);
    while (weft__running->expected > 0) { /* its end comes, though nobody waits for it */
        weft_sleep(0);
    }
}

IN_TASK(after_its_shutdown_the_default_executor_takes_nothing)
{
    int zero = 0, before = threads();

    EQUAL(weft_to_thread(job_gives, &zero), 0);
    EQUAL(weft_loop_shutdown_default_executor(NULL, 1), 0);
    await_threads(before);
    EQUAL(weft_to_thread(job_gives, &zero), -ESHUTDOWN);
    EQUAL(weft_loop_shutdown_default_executor(NULL, 1), 0);
    EQUAL(weft_loop_shutdown_default_executor(NULL, NAN), -EINVAL);
}

IN_LOOP(one_that_was_never_needed_is_never_made)
{
    int zero = 0, before = threads();
    weft_future *future = NULL;

    EQUAL(weft_loop_shutdown_default_executor(loop, INFINITY), 0);
    EQUAL(weft_loop_run_in_executor(loop, NULL, job_gives, &zero, &future), -ESHUTDOWN);
    EQUAL(threads(), before);
}

static struct gate stuck_gate = GATE;

static int stuck(void *gate)
{
    gate_await(gate);
    return 0;
}

/* What was not done in time is named, and its thread goes on. */
static void check_stuck_reports(int withdrawn)
{
    const struct said *said = next_report();
    char words[40];

    EQUAL(said->kind, WEFT_REPORT_JOB_PENDING);
    SAME(said->job, "stuck");
    snprintf(words, sizeof words, "(1 of 1; %d more had not begun)", withdrawn);
    CHECK(strstr(said->message, words));
    EQUAL(reports_left(), 0);
}

IN_TASK(after_the_limit_what_still_runs_is_named_and_left)
{
    atomic_int counter = 0;
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *first, *second;
    int before = threads();

    gate_close(&stuck_gate);
    EQUAL(weft_loop_set_default_executor(NULL, executor), 0);
    weft_executor_free(executor);
    EQUAL(weft_loop_run_in_executor(NULL, NULL, stuck, &stuck_gate, &first), 0);
    second = begin(NULL, job_counts, &counter);
    gate_await_came(&stuck_gate, 1);
    EQUAL(weft_loop_shutdown_default_executor(NULL, 0.01), -ETIMEDOUT);
    check_stuck_reports(1);
    EQUAL(weft_await(second), -ECANCELED);
    EQUAL(threads(), before + 1);
    gate_open(&stuck_gate);
    EQUAL(weft_await(first), 0); /* the loop is still there to be told */
    await_threads(before);
}

IN_LOOP(a_loop_that_does_not_run_does_for_its_shutdown)
{
    weft_future *future = NULL;
    int before = threads();

    gate_close(&stuck_gate);
    EQUAL(weft_loop_run_in_executor(loop, NULL, stuck, &stuck_gate, &future), 0);
    gate_await_came(&stuck_gate, 1); /* or it is taken back before it has begun */
    EQUAL(weft_loop_shutdown_default_executor(loop, 0.01), -ETIMEDOUT);
    check_stuck_reports(0);
    gate_open(&stuck_gate);
    EQUAL(run(future), 0);
    await_threads(before);
}

static int calls_into(void *other)
{
    weft_thread_future *future = NULL;
    int status = -1;

    gate_await(&stuck_gate);
    EQUAL(weft_run_coroutine_threadsafe(sleeps_then(0.001, 3), other, &future), 0);
    EQUAL(weft_thread_future_wait(future, 30, &status), 0);
    EQUAL(status, 3);
    weft_thread_future_free(future);
    EQUAL(weft_run_coroutine_threadsafe(sleeps(1e6), other, NULL), 0); /* the run ends that, too */
    return 0;
}

WEFT_ASYNC(leaves_a_job_behind)
{
    weft_future *future = NULL;

    gate_close(&stuck_gate);
    EQUAL(weft_loop_run_in_executor(NULL, NULL, calls_into, weft_get_running_loop(), &future), 0);
    weft_future_unref(future);
    gate_open(&stuck_gate);
    return 4;
}

ALONE(a_run_waits_for_its_jobs_which_may_still_use_the_loop)
{
    int before = threads();

    EQUAL(weft_run(leaves_a_job_behind(), &(weft_run_options){ .backend = backend() }), 4);
    EQUAL(stuck_gate.came, 1);
    await_threads(before);
}

ALONE(a_loop_that_closes_waits_for_no_job)
{
    weft_executor *executor = new_executor(1, 0, NULL);
    weft_future *future = NULL;
    atomic_int counter = 0;

    gate_close(&stuck_gate);
    loop = open_loop();
    EQUAL(weft_loop_set_default_executor(loop, executor), 0);
    EQUAL(weft_loop_run_in_executor(loop, NULL, stuck, &stuck_gate, &future), 0);
    EQUAL(weft_loop_run_in_executor(loop, NULL, job_counts, &counter, &future), 0);
    gate_await_came(&stuck_gate, 1);
    close_loop();
    gate_open(&stuck_gate); /* and what it comes to is nobody's */
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    EQUAL(atomic_load(&counter), 1); /* nor is what had not begun lost */
    weft_executor_free(executor);
}

/* fork(2) and exec(3) */

static weft_executor *parents;
static weft_future *parents_future;

static int child_with_executors(void)
{
    int zero = 0, before = threads();
    weft_future *future = NULL;
    weft_executor *own;

    EQUAL(before, 1); /* none of the parent's threads */
    EQUAL(weft_to_thread(job_gives, &zero), -ECHILD);
    EQUAL(weft_to_thread_in(parents, job_gives, &zero), -ECHILD);
    EQUAL(weft_loop_run_in_executor(NULL, NULL, job_gives, &zero, &future), -ECHILD);
    EQUAL(weft_loop_run_in_executor(loop, parents, job_gives, &zero, &future), -ECHILD);
    EQUAL(weft_loop_set_default_executor(loop, parents), -ECHILD);
    EQUAL(weft_loop_shutdown_default_executor(loop, 1), -ECHILD);
    EQUAL(weft_executor_shutdown(parents, true, true), -ECHILD);
    EQUAL(weft_future_cancel(parents_future), -ECHILD);
    CHECK(weft_executor_free(parents) == NULL);
    own = new_executor(1, 0, NULL);
    weft_executor_free(own);
    EQUAL(weft_run(leaves_a_job_behind(), &(weft_run_options){ .backend = backend() }), 4);
    await_threads(before);
    return 7;
}

IN_TASK(a_forked_child_has_none_of_the_threads)
{
    struct gate gate = GATE;

    if (WEFT__TSAN) {
        return; /* it lets a child of several threads start none */
    }
    parents = new_executor(2, 0, NULL);
    parents_future = begin(parents, job_at_gate, &gate);
    gate_await_came(&gate, 1); /* it runs while we fork */
    EQUAL(in_child(child_with_executors, NULL, 0), 7 << 8);
    gate_open(&gate);
    EQUAL(weft_await(parents_future), 7);
    weft_executor_free(parents);
}

static int forks(void *unused)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        return 0; /* out of the job: there is no thread left that could go on */
    }
    (void)unused;
    waitpid(child, &status, 0);
    return status;
}

IN_TASK(a_job_whose_child_returns_ends_that_child_alone)
{
    if (is_sanitized()) {
        return; /* they look round at the child's exit */
    }
    EQUAL(weft_to_thread(forks, NULL), 0);
    EQUAL(weft_to_thread(forks, NULL), 0);
}

static int executes(void *unused)
{
    int status = -1;
    pid_t child = fork();

    (void)unused;
    if (child == 0) {
        sigset_t none;

        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        execl("/bin/sh", "sh", "-c", "test $(ls /proc/$$/fd | wc -l) -le $0; exit $?", "8", NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return status;
}

IN_TASK(a_job_may_execute_a_program_which_inherits_no_descriptor)
{
    EQUAL(weft_to_thread(executes, NULL), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_futures_status_is_what_the_job_returned),
    TEST(a_future_that_is_cancelled_takes_back_a_job_that_has_not_begun),
    TEST(a_future_that_is_cancelled_leaves_a_job_that_runs),
    TEST(a_future_that_nobody_awaits_may_be_dropped),
    TEST(what_a_job_owns_is_freed_by_it_or_dropped),
    TEST(a_job_may_begin_before_the_loop_runs),
    TEST(threads_are_named_as_the_options_say),
    TEST(a_full_queue_refuses),
    TEST(one_worker_does_its_jobs_in_their_order),
    TEST(shutdown_waits_until_all_is_done_and_the_threads_are_gone),
    TEST(shutdown_with_cancel_takes_back_what_has_not_begun),
    TEST(a_cancelled_shutdown_goes_on),
    TEST(who_would_wait_for_itself_is_told),
    TEST(an_executor_needs_no_loop_to_shut_down),
    TEST(an_executor_that_is_freed_ends_its_jobs),
    TEST(the_default_executor_can_be_replaced),
    TEST(name_lookups_have_threads_of_their_own),
    TEST(an_abandoned_lookup_ends_by_itself),
    TEST(after_its_shutdown_the_default_executor_takes_nothing),
    TEST(one_that_was_never_needed_is_never_made),
    TEST(after_the_limit_what_still_runs_is_named_and_left),
    TEST(a_loop_that_does_not_run_does_for_its_shutdown),
    TEST(a_run_waits_for_its_jobs_which_may_still_use_the_loop),
    TEST(a_loop_that_closes_waits_for_no_job),
    TEST(a_forked_child_has_none_of_the_threads),
    TEST(a_job_whose_child_returns_ends_that_child_alone),
    TEST(a_job_may_execute_a_program_which_inherits_no_descriptor),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(executor, tests)
