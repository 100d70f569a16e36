/* SPDX-License-Identifier: MIT
 * A program that is sent SIGINT and SIGTERM from outside, in every state.
 *
 * Each is this program once more, as a child that runs weft_main() and says by a pipe where it is;
 * the parent sends the signals and looks at how it ended.  Where time is virtual only those are
 * tested that do not wait. */
#include "tests/task/task.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TO_PARENT = 3 }; /* in the child: the pipe, on which it says words of one letter */

/* A claim of a child, where no test runs. */
#define MUST(claim) ((claim) ? (void)0 : _exit(96))

static void say(char letter)
{
    MUST(write(TO_PARENT, &letter, 1) == 1);
}

struct child {
    pid_t pid;
    int from; /* what it says */
};

/* Starts this program once more, to be the child `name`. */
static struct child start(const char *name)
{
    struct child child;
    int pipes[2];

    fflush(NULL);
    CHECK(pipe(pipes) == 0);
    child.pid = fork();
    if (child.pid == 0) {
        close(pipes[0]);
        dup2(pipes[1], TO_PARENT);
        if (pipes[1] != TO_PARENT) {
            close(pipes[1]);
        }
        execl("/proc/self/exe", "ctrl_c", backend(), "--child", name, (char *)NULL);
        _exit(98);
    }
    close(pipes[1]);
    child.from = pipes[0];
    return child;
}

/* Waits until it says a letter; '\0' when it has ended. */
static char heard(const struct child *child)
{
    char letter = '\0';

    return read(child->from, &letter, 1) == 1 ? letter : '\0';
}

#define SAYS(child, letter) EQUAL(heard(child), letter)

static int ended(struct child *child)
{
    int status = -1;

    waitpid(child->pid, &status, 0);
    close(child->from);
    return status;
}

#define EXITS(child, code)                                  \
    do {                                                    \
        int status_ = ended(child);                         \
        CHECK(WIFEXITED(status_));                          \
        EQUAL(WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_), code); \
    } while (0)
#define IS_KILLED(child, signum)                            \
    do {                                                    \
        int status_ = ended(child);                         \
        CHECK(WIFSIGNALED(status_));                        \
        EQUAL(WIFSIGNALED(status_) ? WTERMSIG(status_) : -1, signum); \
    } while (0)

static const char *on_backend; /* in a child, where backend() knows none */

static weft_run_options on(int sigint, int sigterm)
{
    return (weft_run_options){ .backend = on_backend ? on_backend : backend(),
                               .sigint = sigint,
                               .sigterm = sigterm };
}

/* It runs: main is cancelled and cleans up. */

WEFT_ASYNC(sleeps_and_cleans_up, (int, status))
{
    weft_cancel_reason reason;
    int r;

    say('r');
    r = weft_sleep(1e6);
    MUST(r == -ECANCELED);
    MUST(weft_task_cancel_reason(NULL, &reason) == 0);
    MUST(reason.kind == WEFT_CANCEL_SIGNAL);
    MUST(reason.message != NULL);
    say('c');
    return status ? status : r;
}

static int runs(void)
{
    weft_run_options options = on(0, 0);

    return weft_main(sleeps_and_cleans_up(0), &options);
}

static int runs_with_sigterm(void)
{
    weft_run_options options = on(0, 1);

    return weft_main(sleeps_and_cleans_up(0), &options);
}

static int has_a_status_of_its_own(void)
{
    weft_run_options options = on(1, 0);

    return weft_main(sleeps_and_cleans_up(7), &options);
}

/* Sends one signal to a program that runs. */
static struct child strike(const char *name, int signum)
{
    struct child child = start(name);

    SAYS(&child, 'r');
    kill(child.pid, signum);
    return child;
}

ALONE(ctrl_c_cancels_main_and_makes_130)
{
    struct child child;

    if (is_virtual()) {
        return;
    }
    child = strike("runs", SIGINT);
    SAYS(&child, 'c');
    EXITS(&child, 130);
}

ALONE(sigterm_does_the_same_where_it_was_asked_for)
{
    struct child child;

    if (is_virtual()) {
        return;
    }
    child = strike("runs_with_sigterm", SIGTERM);
    SAYS(&child, 'c');
    EXITS(&child, 143);
    child = strike("runs_with_sigterm", SIGINT);
    SAYS(&child, 'c');
    EXITS(&child, 130);
    child = strike("runs", SIGTERM);
    IS_KILLED(&child, SIGTERM);
}

ALONE(mains_own_status_stands)
{
    struct child child;

    if (is_virtual()) {
        return;
    }
    child = strike("has_a_status_of_its_own", SIGINT);
    SAYS(&child, 'c');
    EXITS(&child, 7);
}

/* Who else cancelled main. */

WEFT_ASYNC(is_cancelled_twice)
{
    weft_task_cancel(weft_current_task());
    say('r');
    while (weft_task_cancelling(weft_current_task()) < 2) {
        weft_sleep(0.001);
    }
    return -ECANCELED;
}

static int cancels_itself(void)
{
    weft_run_options options = on(0, 0);

    return weft_run(is_cancelled_twice(), &options) == -ECANCELED ? 3 : 4;
}

ALONE(a_main_that_was_cancelled_by_others_too_ends_cancelled)
{
    struct child child = strike("cancels_itself", SIGINT);

    EXITS(&child, 3);
}

/* It starts: the signal comes at any time. */

WEFT_ASYNC(starts)
{
    int r = weft_sleep(10);

    say(r == -ECANCELED ? 'c' : 'x');
    return r;
}

static int starting(void)
{
    weft_run_options options = on(0, 0);

    return weft_main(starts(), &options);
}

ALONE(while_it_starts_it_is_killed_or_cancelled)
{
    int killed = 0;

    for (int i = 0; i < many(100) && !is_virtual(); i++) {
        struct child child = start("starting");
        int status;

        usleep((useconds_t)i * 40);
        kill(child.pid, SIGINT);
        status = ended(&child);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
        CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) ||
              (WIFEXITED(status) && WEXITSTATUS(status) == 130));
    }
    (void)killed;
}

/* One that came before main's first turn. */
WEFT_ASYNC(was_struck_before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* it comes now */
    say('r');
    return weft_sleep(10);
}

static int is_struck_early(void)
{
    weft_run_options options = on(0, 0);
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise(SIGINT);
    return weft_main(was_struck_before(), &options);
}

ALONE(one_that_came_before_mains_first_wait_cancels_it)
{
    struct child child = start("is_struck_early");

    SAYS(&child, 'r');
    EXITS(&child, 130);
}

/* It is blocked: it never gives way. */

WEFT_ASYNC(blocks)
{
    say('r');
    for (;;) {
        usleep(1000);
    }
    return 0;
}

static int blocked(void)
{
    weft_run_options options = on(0, 1);

    return weft_main(blocks(), &options);
}

ALONE(a_second_one_kills_a_program_that_is_blocked)
{
    struct child child = strike("blocked", SIGINT);

    usleep(10000); /* the first one has come: two at once would be one */
    EQUAL(waitpid(child.pid, NULL, WNOHANG), 0);
    kill(child.pid, SIGINT);
    IS_KILLED(&child, SIGINT);
    child = strike("blocked", SIGINT);
    usleep(10000);
    kill(child.pid, SIGTERM); /* each signal has a first one */
    usleep(10000);
    EQUAL(waitpid(child.pid, NULL, WNOHANG), 0);
    kill(child.pid, SIGTERM);
    IS_KILLED(&child, SIGTERM);
}

/* It refuses. */

WEFT_ASYNC(refuses)
{
    say('r');
    while (weft_sleep(0.001) >= 0) {}
    MUST(weft_task_uncancel(weft_current_task()) == 0);
    say('u');
    for (;;) {
        weft_sleep(0.001);
    }
    return 0;
}

static int refusing(void)
{
    weft_run_options options = on(0, 0);

    return weft_main(refuses(), &options);
}

ALONE(a_second_one_kills_a_program_that_refuses)
{
    struct child child = strike("refusing", SIGINT);

    SAYS(&child, 'u');
    kill(child.pid, SIGINT);
    IS_KILLED(&child, SIGINT);
}

/* Its cleanup has a use for the signal, too. */

WEFT_ASYNC(refuses_and_receives)
{
    weft_signal_receiver *receiver = NULL;

    say('r');
    while (weft_sleep(0.001) >= 0) {}
    MUST(weft_signal_receiver_open(WEFT_SIGNALS(SIGINT), &receiver) == 0);
    weft_signal_receiver_close(receiver);
    say('u');
    for (;;) {
        usleep(1000);
    }
    return 0;
}

static int receiving(void)
{
    weft_run_options options = on(0, 0);

    return weft_main(refuses_and_receives(), &options);
}

ALONE(a_second_one_kills_though_the_cleanup_had_a_receiver)
{
    struct child child = strike("receiving", SIGINT);

    SAYS(&child, 'u');
    kill(child.pid, SIGINT);
    IS_KILLED(&child, SIGINT);
}

/* Both signals. */

WEFT_ASYNC(is_struck_by_both)
{
    raise(SIGINT);
    EQUAL(weft_sleep(0.001), -ECANCELED);
    raise(SIGTERM);
    while (weft_task_cancelling(weft_current_task()) < 2) {
        weft_sleep(0.001);
        usleep(100);
    }
    return weft_sleep(0);
}

ALONE(sigint_and_sigterm_together_are_the_first_of_them)
{
    weft_run_options options = on(1, 1);
    int status = weft_main(is_struck_by_both(), &options);

    EQUAL(status, 130);
}

/* A signal that came for somebody who is gone is nobody's. */

static void never(void *unused)
{
    (void)unused;
    CHECK(false);
}

WEFT_ASYNC(removes_its_handler)
{
    weft_signal_receiver *receiver = NULL;

    EQUAL(weft_loop_add_signal_handler(NULL, SIGINT, never, NULL), 0);
    raise(SIGINT);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGINT), 1);
    EQUAL(weft_loop_add_signal_handler(NULL, SIGINT, never, NULL), 0);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGINT), 1);
    EQUAL(weft_signal_receiver_open(WEFT_SIGNALS(SIGINT), &receiver), 0);
    raise(SIGINT);
    weft_signal_receiver_close(receiver);
    return weft_sleep(0.001);
}

ALONE(one_that_was_taken_by_a_handler_does_not_end_the_run)
{
    weft_run_options options = on(0, 0);

    EQUAL(weft_run(removes_its_handler(), &options), 0);
}

/* Handlers in another thread's loop come first, too, whenever they were added. */

struct other {
    pthread_barrier_t barrier;
    int told;
};

static void is_told(void *other)
{
    ((struct other *)other)->told++;
}

WEFT_ASYNC(has_a_handler_elsewhere, (struct other *, other))
{
    EQUAL(weft_loop_add_signal_handler(NULL, SIGINT, is_told, other), 0);
    pthread_barrier_wait(&other->barrier);
    while (!other->told) {
        weft_sleep(0.001);
    }
    EQUAL(weft_loop_remove_signal_handler(NULL, SIGINT), 1);
    pthread_barrier_wait(&other->barrier);
    return 0;
}

static void *run_elsewhere(void *other)
{
    weft_run_options options = on(0, 0);

    EQUAL(weft_run(has_a_handler_elsewhere(other), &options), 0);
    return NULL;
}

WEFT_ASYNC(is_spared, (struct other *, other), (bool, before))
{
    if (!before) {
        pthread_barrier_wait(&other->barrier);
    }
    raise(SIGINT);
    pthread_barrier_wait(&other->barrier);
    EQUAL(weft_sleep(0.001), 0);
    raise(SIGINT); /* now it is ours */
    return weft_sleep(0.001);
}

ALONE(a_handler_in_another_thread_comes_first)
{
    weft_run_options options = on(0, 0);

    for (int before = 0; before < 2 && !is_virtual(); before++) {
        struct other other = { .told = 0 };
        pthread_t thread;

        pthread_barrier_init(&other.barrier, NULL, 2);
        pthread_create(&thread, NULL, run_elsewhere, &other);
        if (before) {
            pthread_barrier_wait(&other.barrier);
        }
        EQUAL(weft_run(is_spared(&other, before), &options), -EINTR);
        SAME(weft_error_detail(), "a signal ended it");
        pthread_join(thread, NULL);
        EQUAL(other.told, 1);
        pthread_barrier_destroy(&other.barrier);
    }
}

/* A library that wraps our handler keeps its own. */

static struct sigaction wrapped;
static volatile sig_atomic_t wraps;

static void wrap(int signum, siginfo_t *info, void *context)
{
    if (++wraps < 100) {
        wrapped.sa_sigaction(signum, info, context);
    }
}

WEFT_ASYNC(is_wrapped, (const struct sigaction *, library))
{
    EQUAL(sigaction(SIGINT, library, &wrapped), 0);
    raise(SIGINT);
    return weft_sleep(0.001);
}

ALONE(a_handler_that_wraps_ours_stays)
{
    struct sigaction library = { .sa_sigaction = wrap, .sa_flags = SA_SIGINFO }, now;
    weft_run_options options = on(0, 0);

    sigemptyset(&library.sa_mask);
    wraps = 0;
    EQUAL(weft_run(is_wrapped(&library), &options), -EINTR);
    EQUAL(wraps, 1);
    raise(SIGINT); /* it passes on what nobody wants any more */
    EQUAL(wraps, 2);
    sigaction(SIGINT, NULL, &now);
    CHECK(now.sa_sigaction == wrap);
    signal(SIGINT, SIG_DFL);
}

/* The words that are left are about main. */

WEFT_ASYNC(leaves_other_words)
{
    weft_loop *none = NULL;

    weft_sleep(1e6);
    EQUAL(weft_loop_new("nosuch", &none), -ENOENT);
    return 0;
}

WEFT_ASYNC(is_ended_beside_others)
{
    weft_task_detach(weft_create_task(leaves_other_words(), NULL));
    weft_sleep(0);
    raise(SIGINT);
    return weft_sleep(0.001);
}

ALONE(the_words_are_about_main)
{
    weft_run_options options = on(0, 0);

    EQUAL(weft_run(is_ended_beside_others(), &options), -EINTR);
    SAME(weft_error_detail(), "a signal ended it");
}

/* It ends: main is over, another task is not. */

WEFT_ASYNC(goes_on)
{
    while (weft_sleep(0) >= 0) {}
    say('r');
    for (;;) {
        usleep(1000);
        weft_sleep(0);
    }
    return 0;
}

WEFT_ASYNC(leaves_one_that_goes_on)
{
    weft_task_detach(weft_create_task(goes_on(), NULL));
    return 0;
}

static int ending(void)
{
    weft_run_options options = on(0, 1);

    return weft_main(leaves_one_that_goes_on(), &options);
}

ALONE(when_main_is_over_the_first_one_kills)
{
    struct child child = strike("ending", SIGINT);

    IS_KILLED(&child, SIGINT);
    child = strike("ending", SIGTERM);
    IS_KILLED(&child, SIGTERM);
}

/* One that comes with main's last step is not lost. */

WEFT_ASYNC(is_struck_at_its_end)
{
    raise(SIGINT);
    return 0;
}

static int struck_at_the_end(void)
{
    weft_run_options options = on(0, 0);

    say('r');
    weft_run(is_struck_at_its_end(), &options);
    return 5;
}

ALONE(one_that_comes_with_mains_end_kills)
{
    struct child child = start("struck_at_the_end");

    SAYS(&child, 'r');
    IS_KILLED(&child, SIGINT);
}

/* Where weft leaves signals alone. */

static int asks_for_none(void)
{
    weft_run_options options = on(-1, -1);

    return weft_main(blocks(), &options);
}

static int ignores(void)
{
    weft_run_options options = on(0, 0);

    signal(SIGINT, SIG_IGN);
    return weft_main(blocks(), &options);
}

static void *runs_elsewhere(void *unused)
{
    weft_run_options options = on(0, 0);

    (void)unused;
    weft_main(blocks(), &options);
    return NULL;
}

static int in_another_thread(void)
{
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, runs_elsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    return 0;
}

ALONE(weft_takes_over_only_what_it_may)
{
    struct child child = strike("asks_for_none", SIGINT);

    IS_KILLED(&child, SIGINT);
    child = strike("in_another_thread", SIGINT);
    IS_KILLED(&child, SIGINT);
    child = strike("ignores", SIGINT);
    usleep(10000);
    kill(child.pid, SIGINT);
    usleep(10000);
    EQUAL(waitpid(child.pid, NULL, WNOHANG), 0);
    kill(child.pid, SIGKILL);
    IS_KILLED(&child, SIGKILL);
}

static void says_it(void *unused)
{
    (void)unused;
    say('h');
}

WEFT_ASYNC(has_a_handler)
{
    weft_signal_receiver *receiver = NULL;

    MUST(weft_loop_add_signal_handler(NULL, SIGINT, says_it, NULL) == 0);
    say('r');
    MUST(weft_signal_receiver_open(WEFT_SIGNALS(SIGTERM), &receiver) == 0);
    MUST(weft_signal_receive(receiver) == SIGTERM);
    weft_signal_receiver_close(receiver);
    MUST(weft_loop_remove_signal_handler(NULL, SIGINT) == 1);
    say('e');
    return weft_sleep(10);
}

static int handles(void)
{
    weft_run_options options = on(0, 1);

    return weft_main(has_a_handler(), &options);
}

ALONE(handlers_of_the_programs_own_come_first)
{
    struct child child;

    if (is_virtual()) {
        return;
    }
    child = strike("handles", SIGINT);
    SAYS(&child, 'h');
    kill(child.pid, SIGINT);
    SAYS(&child, 'h');
    kill(child.pid, SIGTERM);
    SAYS(&child, 'e');
    kill(child.pid, SIGINT); /* now it is the runner's again */
    EXITS(&child, 130);
}

/* fork(2) within a run: Ctrl-C ends a child as any other program. */

WEFT_ASYNC(forks)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        raise(SIGINT);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    return 0;
}

ALONE(in_a_forked_child_ctrl_c_kills)
{
    weft_run_options options = on(0, 0);

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    EQUAL(weft_run(forks(), &options), 0);
}

WEFT_ASYNC(runs_in_a_fork)
{
    raise(SIGINT);
    return weft_sleep(0.001);
}

WEFT_ASYNC(forks_one_that_runs)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        weft_run_options options = on(0, 0);

        _exit(weft_main(runs_in_a_fork(), &options));
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    EQUAL(WEXITSTATUS(status), 130);
    return 0;
}

ALONE(a_forked_child_that_runs_weft_has_ctrl_c_too)
{
    weft_run_options options = on(0, 0);

    EQUAL(weft_run(forks_one_that_runs(), &options), 0);
}

/* exec(3): the program behind it has the defaults. */

WEFT_ASYNC(executes)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "kill -INT $$; exit 1", (char *)NULL);
        _exit(2);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    return 0;
}

ALONE(behind_exec_ctrl_c_kills)
{
    weft_run_options options = on(0, 1);

    EQUAL(weft_run(executes(), &options), 0);
}

/* Who a child may be. */
static const struct {
    const char *name;
    int (*body)(void);
} children[] = {
    { "runs", runs },
    { "runs_with_sigterm", runs_with_sigterm },
    { "has_a_status_of_its_own", has_a_status_of_its_own },
    { "cancels_itself", cancels_itself },
    { "starting", starting },
    { "is_struck_early", is_struck_early },
    { "blocked", blocked },
    { "refusing", refusing },
    { "receiving", receiving },
    { "ending", ending },
    { "struck_at_the_end", struck_at_the_end },
    { "asks_for_none", asks_for_none },
    { "ignores", ignores },
    { "in_another_thread", in_another_thread },
    { "handles", handles },
};

static int be_child(const char *wanted, const char *name)
{
    alarm(60); /* if it never ends */
    on_backend = wanted;
    for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
        if (strcmp(children[i].name, name) == 0) {
            return children[i].body();
        }
    }
    return 97;
}

static CU_TestInfo tests[] = {
    TEST(ctrl_c_cancels_main_and_makes_130),
    TEST(sigterm_does_the_same_where_it_was_asked_for),
    TEST(mains_own_status_stands),
    TEST(a_main_that_was_cancelled_by_others_too_ends_cancelled),
    TEST(while_it_starts_it_is_killed_or_cancelled),
    TEST(one_that_came_before_mains_first_wait_cancels_it),
    TEST(a_second_one_kills_a_program_that_is_blocked),
    TEST(a_second_one_kills_a_program_that_refuses),
    TEST(a_second_one_kills_though_the_cleanup_had_a_receiver),
    TEST(sigint_and_sigterm_together_are_the_first_of_them),
    TEST(one_that_was_taken_by_a_handler_does_not_end_the_run),
    TEST(a_handler_in_another_thread_comes_first),
    TEST(a_handler_that_wraps_ours_stays),
    TEST(the_words_are_about_main),
    TEST(when_main_is_over_the_first_one_kills),
    TEST(one_that_comes_with_mains_end_kills),
    TEST(weft_takes_over_only_what_it_may),
    TEST(handlers_of_the_programs_own_come_first),
    TEST(in_a_forked_child_ctrl_c_kills),
    TEST(a_forked_child_that_runs_weft_has_ctrl_c_too),
    TEST(behind_exec_ctrl_c_kills),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "--child") == 0) {
        return be_child(argv[1], argv[3]);
    }
#if WEFT__TSAN
    return 77; /* it keeps a signal from outside back until some later call, which may not come */
#endif
    return task_main("ctrl_c", tests, argc, argv);
}
