/* SPDX-License-Identifier: MIT
 * Signals as callbacks and as something to await. */
#include "tests/task/steps.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000 /* libc's own: it comes with every action that was set */
#endif

/* The actions of all signals and the mask. */
struct look {
    struct sigaction actions[NSIG];
    sigset_t mask;
};

static void look(struct look *ret_look)
{
    memset(ret_look, 0, sizeof *ret_look);
    for (int i = 1; i < NSIG; i++) {
        sigaction(i, NULL, &ret_look->actions[i]);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &ret_look->mask);
}

static void check_untouched(const struct look *before)
{
    struct look now;

    look(&now);
    for (int i = 1; i < NSIG; i++) {
        CHECK(now.actions[i].sa_handler == before->actions[i].sa_handler);
        EQUAL(now.actions[i].sa_flags & ~SA_RESTORER, before->actions[i].sa_flags & ~SA_RESTORER);
        for (int k = 1; k < NSIG; k++) {
            CHECK(sigismember(&now.actions[i].sa_mask, k) ==
                      sigismember(&before->actions[i].sa_mask, k) ||
                  is_sanitized()); /* thread sanitizer has masks of its own */
        }
        EQUAL(sigismember(&now.mask, i), sigismember(&before->mask, i));
    }
}

/* The loop looks at the world when nobody is ready; on a slow machine we are woken before what it
 * finds has its turn. */
static void look_round(void)
{
    EQUAL(weft_sleep(0.0001), 0);
    give_way(2);
}

/* Callbacks. */

IN_TASK(a_signal_calls_its_callback_on_the_loop)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("one")), 0);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR2, NOTED("two")), 0);
    raise(SIGUSR1);
    HAPPENED(""); /* not within the handler */
    look_round();
    HAPPENED("one");
    raise(SIGUSR2);
    look_round();
    raise(SIGUSR1);
    look_round();
    HAPPENED("two one");
}

IN_LOOP(one_that_comes_while_nothing_runs_is_told_later)
{
    EQUAL(weft_loop_add_signal_handler(loop, SIGUSR1, NOTED("one")), 0);
    EQUAL(weft_loop_add_signal_handler(loop, SIGHUP, stop_loop, NULL), 0);
    raise(SIGUSR1);
    raise(SIGHUP);
    EQUAL(weft_loop_run_forever(loop), 0);
    HAPPENED("one");
}

IN_TASK(several_that_come_at_once_come_once)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("one")), 0);
    for (int i = 0; i < 10; i++) {
        raise(SIGUSR1);
    }
    look_round();
    HAPPENED("one");
}

IN_TASK(adding_again_replaces_the_callback)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("old")), 0);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("new")), 0);
    raise(SIGUSR1);
    look_round();
    HAPPENED("new");
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 0);
}

IN_TASK(one_that_was_not_told_goes_with_its_callback)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("one")), 0);
    raise(SIGUSR1);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
    look_round();
    HAPPENED("");
}

static void removes_itself(void *unused)
{
    (void)unused;
    note("one");
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
}

IN_TASK(a_callback_may_remove_itself)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, removes_itself, NULL), 0);
    raise(SIGUSR1);
    look_round();
    HAPPENED("one");
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 0);
}

IN_LOOP(a_signal_wakes_a_loop_that_waits)
{
    pid_t child;

    if (is_virtual()) {
        return; /* nothing real wakes it */
    }
    EQUAL(weft_loop_add_signal_handler(loop, SIGUSR1, stop_loop, NULL), 0);
    child = fork();
    if (child == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    EQUAL(weft_loop_run_forever(loop), 0);
}

static int released;

static void release(void *value)
{
    (void)value;
    released++;
}

static const weft_context_var var = { .name = "var",
                                      .default_value = (void *)"none",
                                      .release = release };

static void notes_the_variable(void *unused)
{
    (void)unused;
    note(weft_context_var_get(&var));
}

IN_TASK(a_callback_runs_in_the_context_of_who_asked)
{
    weft_context_token token;

    released = 0;
    EQUAL(weft_context_var_set(&var, (void *)"one", &token), 0);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, notes_the_variable, NULL), 0);
    EQUAL(weft_context_var_reset(&var, &token), 0);
    raise(SIGUSR1);
    look_round();
    raise(SIGUSR1);
    look_round();
    HAPPENED("one one");
    EQUAL(released, 0);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, notes_the_variable, NULL), 0);
    EQUAL(released, 1);
    raise(SIGUSR1);
    look_round();
    HAPPENED("none");
}

/* What cannot be had. */

IN_TASK(signals_that_cannot_be_had_are_told_with_words)
{
    static const int none[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGSEGV, SIGBUS, SIGFPE,
                                SIGILL,  0,       -1,      NSIG,    100000 };

    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        weft_signal_receiver *receiver = NULL;

        EQUAL(weft_loop_add_signal_handler(NULL, none[i], NOTED("never")), -EINVAL);
        CHECK(*weft_error_detail());
        EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1, none[i]), &receiver),
              none[i] ? -EINVAL : 0);
        CHECK((receiver != NULL) == !none[i]);
        weft_signal_receiver_close(receiver);
    }
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NULL, NULL), -EINVAL);
    EQUAL(weft_loop_remove_signal_handler(NULL, 0), -EINVAL);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 0);
}

/* glibc keeps two of its own. */
IN_TASK(what_the_system_refuses_is_an_error_that_leaves_nothing)
{
    struct look before;

    look(&before);
    EQUAL(weft_loop_add_signal_handler(NULL, 32, NOTED("never")), -EINVAL);
    SAME(weft_error_detail(), "the system keeps signal 32 for itself");
    check_untouched(&before);
}

ALONE(outside_of_a_loop_there_is_none)
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("never")), -EPERM);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), -EPERM);
    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), -EPERM);
    EQUAL(weft_signal_receive(NULL), -EINVAL);
    CHECK(weft_signal_receiver_close(NULL) == NULL);
}

/* Receivers. */

IN_TASK(a_receiver_keeps_what_came_before)
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR2, SIGUSR1, SIGUSR1), &receiver), 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    look_round();
    EQUAL(weft_signal_receive(receiver), SIGUSR1);
    EQUAL(weft_signal_receive(receiver), SIGUSR2);
    CHECK(weft_signal_receiver_close(receiver) == NULL);
    EQUAL(weft_signal_receive(receiver), -ESRCH);
    CHECK(weft_signal_receiver_close(receiver) == NULL);
}

static void raise_it(void *signum)
{
    raise(*(int *)signum);
}

static int usr1 = SIGUSR1;

IN_TASK(a_task_waits_for_a_signal)
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_loop_call_later(NULL, 0.001, raise_it, &usr1, NULL), 0);
        EQUAL(weft_signal_receive(receiver), SIGUSR1);
    }
    weft_signal_receiver_close(receiver);
}

IN_TASK(receivers_and_callbacks_each_get_it)
{
    weft_signal_receiver *first = NULL, *second = NULL;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &first), 0);
    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR2, SIGUSR1), &second), 0);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("callback")), 0);
    raise(SIGUSR1);
    EQUAL(weft_signal_receive(first), SIGUSR1);
    EQUAL(weft_signal_receive(second), SIGUSR1);
    HAPPENED("callback");
    weft_signal_receiver_close(first);
    raise(SIGUSR1);
    EQUAL(weft_signal_receive(second), SIGUSR1);
    weft_signal_receiver_close(second);
    raise(SIGUSR1);
    look_round();
    HAPPENED("callback callback");
}

WEFT_ASYNC(receives, (weft_signal_receiver *, receiver))
{
    return weft_signal_receive(receiver);
}

IN_TASK(only_one_task_receives_at_a_time)
{
    weft_signal_receiver *receiver = NULL;
    weft_task *task;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), 0);
    task = weft_create_task(receives(receiver), NULL);
    give_way(2);
    EQUAL(weft_signal_receive(receiver), -EBUSY);
    raise(SIGUSR1);
    EQUAL(weft_await(task), SIGUSR1);
    weft_signal_receiver_close(receiver);
}

IN_TASK(a_close_ends_the_wait)
{
    weft_signal_receiver *receiver = NULL;
    weft_task *task;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), 0);
    task = weft_create_task(receives(receiver), NULL);
    give_way(2);
    weft_signal_receiver_close(receiver);
    EQUAL(weft_await(task), -EBADF);
}

IN_TASK(a_cancel_ends_the_wait_and_loses_no_signal)
{
    weft_signal_receiver *receiver = NULL;
    weft_task *task;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), 0);
    task = weft_create_task(receives(receiver), NULL);
    give_way(2);
    weft_task_cancel(task);
    raise(SIGUSR1);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_signal_receive(receiver), SIGUSR1);
    raise(SIGUSR1);
    task = weft_create_task(receives(receiver), NULL);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED); /* a new wait, though one is there */
    EQUAL(weft_signal_receive(receiver), SIGUSR1);
    weft_signal_receiver_close(receiver);
}

IN_LOOP(the_loops_close_puts_all_back)
{
    struct look before;
    weft_loop *other = open_loop();

    weft_loop_close(other);
    look(&before);
    other = open_loop();
    for (int i = 1; i < NSIG; i++) {
        weft_loop_add_signal_handler(other, i, NOTED("never"));
        weft_loop_add_signal_handler(loop, i, NOTED("never"));
    }
    weft_loop_close(other);
    close_loop();
    check_untouched(&before);
}

/* Who was there before. */

static volatile sig_atomic_t calls;

static void before_us(int signum)
{
    (void)signum;
    calls++;
}

static void after_us(int signum)
{
    (void)signum;
    calls += 10;
}

IN_TASK(the_action_that_was_there_comes_back)
{
    struct sigaction own = { .sa_handler = before_us, .sa_flags = SA_NODEFER }, old;
    struct look with_own;

    sigemptyset(&own.sa_mask);
    sigaddset(&own.sa_mask, SIGWINCH);
    sigaction(SIGUSR1, &own, &old);
    look(&with_own);
    calls = 0;
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    raise(SIGUSR1);
    EQUAL(calls, 0);
    look_round();
    HAPPENED("ours");
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
    check_untouched(&with_own);
    raise(SIGUSR1);
    EQUAL(calls, 1);
    sigaction(SIGUSR1, &old, NULL);
}

IN_TASK(an_action_that_was_set_meanwhile_stays)
{
    struct sigaction own = { .sa_handler = after_us }, old, now;

    sigemptyset(&own.sa_mask);
    sigaction(SIGUSR1, NULL, &old);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    sigaction(SIGUSR1, &own, NULL);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
    sigaction(SIGUSR1, &old, &now);
    CHECK(now.sa_handler == after_us);
}

IN_TASK(errno_survives_a_signal)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    errno = 4711;
    raise(SIGUSR1);
    EQUAL(errno, 4711);
    look_round();
    HAPPENED("ours");
}

/* Several loops, several threads, several processes. */

struct place {
    pthread_barrier_t *barrier;
    int came;
};

WEFT_ASYNC(waits_in_a_thread, (struct place *, place))
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1, SIGUSR2), &receiver), 0);
    pthread_barrier_wait(place->barrier);
    while (weft_signal_receive(receiver) == SIGUSR1) {
        place->came++;
        pthread_barrier_wait(place->barrier);
    }
    weft_signal_receiver_close(receiver);
    return 0;
}

static void *run_in_a_thread(void *place)
{
    EQUAL(weft_run(waits_in_a_thread(place), &(weft_run_options){ .backend = backend() }), 0);
    return NULL;
}

ALONE(each_of_several_loops_gets_it)
{
    enum { LOOPS = 4, ROUNDS = 50 };
    struct place places[LOOPS] = { 0 };
    pthread_t threads[LOOPS];
    pthread_barrier_t barrier;

    if (is_virtual()) {
        return; /* nothing real is waited for */
    }
    pthread_barrier_init(&barrier, NULL, LOOPS + 1);
    for (int i = 0; i < LOOPS; i++) {
        places[i].barrier = &barrier;
        pthread_create(&threads[i], NULL, run_in_a_thread, &places[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        kill(getpid(), SIGUSR1);
    }
    pthread_barrier_wait(&barrier);
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        EQUAL(places[i].came, ROUNDS);
    }
    pthread_barrier_destroy(&barrier);
}

static int ends_by_the_default(void)
{
    raise(SIGUSR1); /* the parent's handler is inherited; nobody here asked for it */
    return 0;
}

IN_TASK(in_a_forked_child_a_signal_does_what_it_did)
{
    int status;

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    status = in_child(ends_by_the_default, NULL, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    look_round();
    HAPPENED("");
}

static int has_signals_of_its_own(void);

/* With its siginfo. */

static volatile sig_atomic_t sent;

static void sees_what_was_sent(int signum, siginfo_t *info, void *context)
{
    (void)signum, (void)context;
    sent = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

static int sends_a_value(void)
{
    sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 42 });
    EQUAL(sent, 42);
    return 0;
}

IN_TASK(the_action_that_comes_back_sees_the_signal_as_it_came)
{
    struct sigaction own = { .sa_sigaction = sees_what_was_sent, .sa_flags = SA_SIGINFO }, old;

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    sigemptyset(&own.sa_mask);
    sigaction(SIGUSR1, &own, &old);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    EQUAL(in_child(sends_a_value, NULL, 0), 0);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGUSR1), 1);
    sigaction(SIGUSR1, &old, NULL);
}

/* Whatever the parent's other threads are doing. */

static atomic_bool enough;

static void *adds_and_removes(void *unused)
{
    weft_loop *own = NULL;

    (void)unused;
    EQUAL(weft_loop_new(backend(), &own), 0);
    while (!enough) {
        weft_loop_add_signal_handler(own, SIGUSR2, count_up, &released);
        kill(getpid(), SIGUSR2);
        weft_loop_remove_signal_handler(own, SIGUSR2);
    }
    weft_loop_close(own);
    return NULL;
}

static int uses_signals_in_a_child(void)
{
    alarm(20); /* if it finds something locked for ever */
    return has_signals_of_its_own();
}

ALONE(a_fork_at_any_moment_leaves_the_child_free)
{
    pthread_t thread;

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    signal(SIGUSR2, SIG_IGN);
    enough = false;
    pthread_create(&thread, NULL, adds_and_removes, NULL);
    for (int i = 0; i < many(50); i++) {
        EQUAL(in_child(uses_signals_in_a_child, NULL, 0), 0);
    }
    enough = true;
    pthread_join(thread, NULL);
    signal(SIGUSR2, SIG_DFL);
}

WEFT_ASYNC(receives_its_own)
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &receiver), 0);
    raise(SIGUSR1);
    EQUAL(weft_signal_receive(receiver), SIGUSR1);
    weft_signal_receiver_close(receiver);
    return 0;
}

static int has_signals_of_its_own(void)
{
    struct sigaction now;

    EQUAL(weft_run(receives_its_own(), &(weft_run_options){ .backend = backend() }), 0);
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    return 0;
}

IN_TASK(a_forked_child_may_have_signals_of_its_own)
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGUSR1, NOTED("ours")), 0);
    EQUAL(in_child(has_signals_of_its_own, NULL, 0), 0);
    raise(SIGUSR1);
    look_round();
    HAPPENED("ours");
}

/* Cancelled at every step. */

static weft_signal_receiver *swept;

WEFT_ASYNC(receives_twice)
{
    int r = weft_signal_receiver_open(WEFT_SIGNALS(SIGUSR1), &swept);

    raise(SIGUSR1);
    r = r < 0 ? r : weft_signal_receive(swept);
    if (r > 0) {
        weft_loop_call_soon(NULL, raise_it, &usr1, NULL);
        r = weft_signal_receive(swept);
    }
    weft_signal_receiver_close(swept);
    return r == SIGUSR1 ? 0 : r;
}

ALONE(a_cancel_at_any_step_leaves_nothing_behind)
{
    struct look before;

    look(&before);
    CHECK(AT_EVERY_STEP(receives_twice, 0, -ECANCELED) > 10);
    check_untouched(&before);
}

static CU_TestInfo tests[] = {
    TEST(a_signal_calls_its_callback_on_the_loop),
    TEST(one_that_comes_while_nothing_runs_is_told_later),
    TEST(several_that_come_at_once_come_once),
    TEST(adding_again_replaces_the_callback),
    TEST(one_that_was_not_told_goes_with_its_callback),
    TEST(a_callback_may_remove_itself),
    TEST(a_signal_wakes_a_loop_that_waits),
    TEST(a_callback_runs_in_the_context_of_who_asked),
    TEST(signals_that_cannot_be_had_are_told_with_words),
    TEST(what_the_system_refuses_is_an_error_that_leaves_nothing),
    TEST(outside_of_a_loop_there_is_none),
    TEST(a_receiver_keeps_what_came_before),
    TEST(a_task_waits_for_a_signal),
    TEST(receivers_and_callbacks_each_get_it),
    TEST(only_one_task_receives_at_a_time),
    TEST(a_close_ends_the_wait),
    TEST(a_cancel_ends_the_wait_and_loses_no_signal),
    TEST(the_loops_close_puts_all_back),
    TEST(the_action_that_was_there_comes_back),
    TEST(an_action_that_was_set_meanwhile_stays),
    TEST(errno_survives_a_signal),
    TEST(each_of_several_loops_gets_it),
    TEST(in_a_forked_child_a_signal_does_what_it_did),
    TEST(a_forked_child_may_have_signals_of_its_own),
    TEST(the_action_that_comes_back_sees_the_signal_as_it_came),
    TEST(a_fork_at_any_moment_leaves_the_child_free),
    TEST(a_cancel_at_any_step_leaves_nothing_behind),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(signal, tests)
