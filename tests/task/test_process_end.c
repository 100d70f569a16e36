/* SPDX-License-Identifier: MIT
 * The end of processes: freed, left behind, taken by others, forked over. */
#include "core/proc/pidfd.h"
#include "core/proc/spawn.h"
#include "tests/task/process.h"
#include "tests/task/thread.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a process is there, and no zombie. */
static bool is_alive(pid_t pid)
{
    char name[64], line[256] = "";
    const char *state;
    FILE *file;

    snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    file = fopen(name, "re");
    if (!file) {
        return false;
    }
    (void)!fgets(line, sizeof line, file);
    fclose(file);
    state = strrchr(line, ')');
    return state && state[2] != 'Z' && state[2] != 'X';
}

/* Lets the loop look until no child is left. */
static void await_no_children(void)
{
    for (int i = 0; i < 2000 && children() > 0; i++) {
        weft_sleep(0.001);
    }
    EQUAL(children(), 0);
}

/* Freed. */

ON_ANY_SYSTEM(freeing_a_child_that_runs_kills_and_reaps_it)
{
    weft_process *process = stubborn();
    pid_t pid = weft_process_pid(process);

    EQUAL(weft_process_free(process), 0);
    await_no_children();
    CHECK(!is_alive(pid));
}

WEFT_ASYNC(waits, (weft_process *, process))
{
    return weft_process_wait(process);
}

ON_ANY_SYSTEM(who_waits_for_a_process_that_is_freed_is_told)
{
    weft_process *process = sleeper();
    weft_task *task = weft_create_task(waits(process), NULL);

    weft_sleep(0);
    EQUAL(weft_process_free(process), 0);
    EQUAL(weft_await(task), -EBADF);
    await_no_children();
}

IN_TASK(holds_keep_a_process)
{
    weft_process *process = sleeper();

    CHECK(weft_process_ref(process) == process);
    EQUAL(weft_process_free(process), 0);
    EQUAL(weft_process_returncode(process), -EINPROGRESS);
    EQUAL(weft_process_kill(process), 0);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    EQUAL(weft_process_free(process), 0);
}

ON_ANY_SYSTEM(a_child_that_ended_is_reaped_though_nobody_waits)
{
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_shell("exit 9", NULL, &process), 0);
    await_no_children();
    EQUAL(weft_process_returncode(process), 9);
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_detached_child_runs_on_and_is_reaped)
{
    weft_process *process = sleeper();
    pid_t pid = weft_process_pid(process);

    EQUAL(weft_process_detach(process), 0);
    weft_sleep(0.005);
    CHECK(is_alive(pid));
    kill(pid, SIGKILL);
    /* A virtual clock does not wait for it. */
    for (int i = 0; i < 2000 && children() > 0; i++) {
        usleep(1000);
        weft_sleep(0.001);
    }
    EQUAL(children(), 0);
}

/* The loop's close. */

static weft_process *left;

static void leave_a_sleeper(void *unused)
{
    const char *const argv[] = { "sleep", "1000", NULL };

    (void)unused;
    EQUAL(weft_create_subprocess_exec(argv, NULL, &left), 0);
    stop_loop(NULL);
}

static void leave(void)
{
    EQUAL(weft_loop_call_soon(loop, leave_a_sleeper, NULL, NULL), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
}

static void on_any_system_in_loop(void (*body)(void))
{
    for (int i = 0; i < 2; i++) {
        weft__proc_lacks = i ? WEFT__NO_PIDFD : 0;
        loop = loop ? loop : open_loop();
        body();
        weft__proc_lacks = 0;
    }
}

static void close_over_a_child(void)
{
    pid_t pid;
    const struct said *said;

    leave();
    pid = weft_process_pid(left);
    close_loop();
    said = next_report();
    EQUAL(said->kind, WEFT_REPORT_PROCESS_RUNNING);
    CHECK(strstr(said->message, "('sleep') still ran when its loop was closed"));
    CHECK(!is_alive(pid));
    EQUAL(children(), 0);
    EQUAL(weft_process_returncode(left), 256 + SIGKILL); /* its status is there yet */
    EQUAL(weft_process_kill(left), -ESRCH);
    EQUAL(weft_process_free(left), 0);
}

IN_LOOP(a_child_that_runs_at_its_loops_close_is_killed_and_told)
{
    on_any_system_in_loop(close_over_a_child);
}

static void close_over_a_freed_child(void)
{
    leave();
    EQUAL(weft_process_free(left), 0);
    close_loop();
    EQUAL(children(), 0);
}

IN_LOOP(a_child_that_was_freed_is_gone_with_its_loop)
{
    on_any_system_in_loop(close_over_a_freed_child);
}

/* Its keeper, a thread where it has one, frees what is left of it when the child has ended. */
static void close_over_a_detached_child(void)
{
    int before = threads();
    pid_t pid;

    leave();
    pid = weft_process_pid(left);
    EQUAL(weft_process_detach(left), 0);
    close_loop();
    CHECK(is_alive(pid));
    kill(pid, SIGKILL);
    EQUAL(waitpid(pid, NULL, 0), pid);
    await_threads(before);
}

IN_LOOP(a_detached_child_outlives_its_loop)
{
    on_any_system_in_loop(close_over_a_detached_child);
}

static void close_over_an_ended_child(void)
{
    leave();
    kill(weft_process_pid(left), SIGTERM);
    while (is_alive(weft_process_pid(left))) {
        usleep(1000);
    }
    close_loop(); /* which has not seen it yet */
    EQUAL(weft_process_returncode(left), 256 + SIGTERM);
    EQUAL(weft_process_free(left), 0);
}

IN_LOOP(a_child_that_ended_before_its_loops_close_keeps_its_status)
{
    on_any_system_in_loop(close_over_an_ended_child);
}

WEFT_ASYNC(leaves_children)
{
    for (int i = 0; i < 3; i++) {
        weft_process_free(stubborn());
    }
    return 0;
}

ALONE(a_run_ends_with_its_children)
{
    EQUAL(weft_run(leaves_children(), &(weft_run_options){ .backend = backend() }), 0);
    EQUAL(children(), 0);
}

WEFT_ASYNC(waits_for_its_child)
{
    weft_process *process = sleeper();
    int r = weft_process_wait(process);

    weft_process_free(process);
    return r;
}

WEFT_ASYNC(begins_one_that_waits)
{
    weft_task_detach(weft_create_task(waits_for_its_child(), NULL));
    return weft_sleep(0.005);
}

ALONE(the_tasks_that_a_run_cancels_free_their_children)
{
    EQUAL(weft_run(begins_one_that_waits(), &(weft_run_options){ .backend = backend() }), 0);
    EQUAL(children(), 0);
}

/* Others. */

/* Waits as a library does that reaps whatever it finds. */
static int reap_all(void)
{
    int count = 0;

    while (waitpid(-1, NULL, 0) > 0) {
        count++;
    }
    return count;
}

IN_TASK(a_status_that_another_library_took_is_recovered)
{
    const unsigned lacks[] = { 0, WEFT__NO_EXIT_INFO };

    for (int i = 0; i < 2; i++) {
        weft_process *exits = NULL, *dies = sleeper();
        int r;

        weft__proc_lacks = lacks[i];
        EQUAL(weft_create_subprocess_shell("exit 8", NULL, &exits), 0);
        kill(weft_process_pid(dies), SIGTERM);
        EQUAL(reap_all(), 2);
        r = weft_process_wait(exits);
        CHECK(r == -ECHILD || (r == 8 && i == 0)); /* before Linux 6.15 it is lost */
        r = weft_process_wait(dies);
        CHECK(r == -ECHILD || (r == 256 + SIGTERM && i == 0));
        EQUAL(weft_process_returncode(dies), r);
        EQUAL(weft_process_kill(dies), -ESRCH);
        weft__proc_lacks = 0;
        weft_process_free(exits);
        weft_process_free(dies);
    }
}

ON_ANY_SYSTEM(children_that_nobody_may_wait_for_end_all_the_same)
{
    weft_process *process = NULL;
    int r;

    signal(SIGCHLD, SIG_IGN); /* the kernel reaps them */
    EQUAL(weft_create_subprocess_shell("exit 8", NULL, &process), 0);
    r = weft_process_wait(process);
    CHECK(r == 8 || r == -ECHILD);
    signal(SIGCHLD, SIG_DFL);
    weft_process_free(process);
}

IN_TASK(children_of_others_are_left_alone)
{
    pid_t other = fork();
    weft_process *process = NULL;
    int status = 0;

    if (other == 0) {
        _exit(11);
    }
    EQUAL(weft_create_subprocess_shell("exit 3", NULL, &process), 0);
    EQUAL(weft_process_wait(process), 3);
    weft_process_free(process);
    EQUAL(waitpid(other, &status, 0), other);
    EQUAL(WEXITSTATUS(status), 11);
}

/* Descriptors of processes. */

static pid_t exits_with(int status)
{
    pid_t pid = fork();

    if (pid == 0) {
        _exit(status);
    }
    return pid;
}

static bool is_readable(int fd)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

/* Some systems do not watch what has ended any more. */
ALONE(a_child_that_has_ended_before_it_is_watched_is_seen_at_once)
{
    pid_t pid = exits_with(7);
    siginfo_t info;
    int fd;

    EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    fd = weft__pidfd_open(pid);
    CHECK(fd >= 0 || weft__proc_without(WEFT__NO_PIDFD));
    CHECK(fd < 0 || is_readable(fd));
    CHECK(fd < 0 || fcntl(fd, F_GETFD) == FD_CLOEXEC);
    weft__pidfd_await(fd, pid);
    EQUAL(weft__pidfd_signal(fd, pid, SIGTERM), 0); /* nobody has reaped it */
    EQUAL(weft__pidfd_reap(fd, pid), 7);
    if (fd >= 0) {
        EQUAL(weft__pidfd_signal(fd, pid, 0), -ESRCH);
        weft__pidfd_close(fd);
    }
}

ALONE(a_signal_for_a_child_that_was_reaped_reaches_nobody)
{
    pid_t early = exits_with(1), late = exits_with(2);
    int status, fd = weft__pidfd_open(late);

    EQUAL(waitpid(early, &status, 0), early);
    EQUAL(waitpid(late, &status, 0), late);
    EQUAL(weft__pidfd_signal(-1, early, 0), -ESRCH);
    EQUAL(weft__pidfd_signal(fd, late, SIGTERM), -ESRCH);
    if (fd >= 0) {
        int r = weft__pidfd_reap(fd, late);

        CHECK(r == 2 || r == -ECHILD); /* the kernel may not tell */
        weft__pidfd_close(fd);
    }
}

/* fork. */

static int uses_the_parents(void)
{
    const char *const argv[] = { "true", NULL };
    weft_process *own = NULL;

    EQUAL(weft_process_kill(left), -ECHILD);
    EQUAL(weft_process_wait(left), -ECHILD);
    EQUAL(weft_process_detach(left), -ECHILD);
    EQUAL(weft_process_take_fd(left, 1), -ECHILD);
    EQUAL(weft_process_free(left), -ECHILD);
    EQUAL(weft_create_subprocess_exec(argv, NULL, &own), -ECHILD);
    return 0;
}

IN_TASK(a_forked_child_cannot_touch_the_parents_children)
{
    char text[200];

    if (strncmp(backend(), "glib", 4) == 0) {
        return; /* it has a thread of its own, beside which sanitizers do not let a process fork */
    }
    left = sleeper();
    EQUAL(in_child(uses_the_parents, text, sizeof text), 0);
    EQUAL(weft_process_send_signal(left, 0), 0);
    weft_process_kill(left);
    EQUAL(weft_process_wait(left), 256 + SIGKILL);
    weft_process_free(left);
}

/* Threads. */

static void *uses_anothers(void *process)
{
    EQUAL(weft_process_kill(process), -EXDEV);
    EQUAL(weft_process_free(process), -EXDEV);
    EQUAL(weft_process_detach(process), -EXDEV);
    EQUAL(weft_process_wait(process), -EPERM);
    return NULL;
}

IN_TASK(a_process_is_its_loops)
{
    weft_process *process = sleeper();

    in_thread(uses_anothers, process);
    weft_process_kill(process);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

WEFT_ASYNC(runs_many, (int, count))
{
    const char *const argv[] = { "true", NULL };

    for (int i = 0; i < count; i++) {
        EQUAL(status_of(argv, NULL), 0);
    }
    return 0;
}

static void *runs_many_in_a_loop(void *count)
{
    EQUAL(weft_run(runs_many(*(int *)count), &(weft_run_options){ .backend = backend() }), 0);
    return NULL;
}

ALONE(several_threads_start_programs_at_once)
{
    int count = 30;
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        EQUAL(pthread_create(&threads[i], NULL, runs_many_in_a_loop, &count), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    EQUAL(children(), 0);
}

/* Many.  SOAK_CHILDREN says how many there are in all. */

enum { CHILDREN = 500, AT_ONCE = 100 };

/* Talks to a child that says what it hears. */
static void talk_to(weft_process *process)
{
    weft_buffer out = { 0 };

    EQUAL(weft_process_communicate(process, "word", 4, &out, NULL), 0);
    SAME(out.data, "word");
    weft_buffer_clear(&out);
}

/* All are there at once.  Some are waited for, some talked to, some just freed: they still run. */
static void a_crowd(void)
{
    const char *const ends[] = { "true", NULL }, *const stays[] = { "cat", NULL };
    weft_process_options options = { .in = WEFT_PIPE, .out = WEFT_PIPE };
    weft_process *crowd[AT_ONCE] = { NULL };

    for (int i = 0; i < AT_ONCE; i++) {
        EQUAL(weft_create_subprocess_exec(i % 3 == 0 ? ends : stays, &options, &crowd[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        if (i % 3 == 0) {
            EQUAL(weft_process_wait(crowd[i]), 0);
        } else if (i % 3 == 1) {
            talk_to(crowd[i]);
        }
        EQUAL(weft_process_free(crowd[i]), 0);
    }
}

/* The test looks for descriptors and memory that are left. */
IN_TASK(crowds_of_children_leave_no_zombie_behind)
{
    const char *said = getenv("SOAK_CHILDREN");
    int count = said ? many(atoi(said)) : CHILDREN;

    for (int begun = 0; begun < count; begun += AT_ONCE) {
        a_crowd();
    }
    await_no_children();
}

/* Virtual time. */

IN_TASK(virtual_time_does_not_jump_while_a_child_runs)
{
    const char *const argv[] = { "sleep", "0.02", NULL };
    double start = weft_loop_time(NULL);
    weft_process *process = NULL;

    if (!is_virtual()) {
        return;
    }
    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), 0);
    EQUAL(weft_wait_for(waits(process), 3600), 0);
    CHECK(weft_loop_time(NULL) - start < 3600);
    CHECK(weft_loop_time(NULL) - start > 0.01);
    weft_process_free(process);
    EQUAL(weft_sleep(3600), 0); /* and now it does */
}

IN_TASK(virtual_time_jumps_over_a_detached_child)
{
    weft_process *process = sleeper();
    pid_t pid = weft_process_pid(process);
    double start = weft_loop_time(NULL);

    if (is_virtual()) {
        weft_process_detach(process);
        EQUAL(weft_sleep(3600), 0);
        CHECK(weft_loop_time(NULL) - start > 3599);
        kill(pid, SIGKILL);
        while (children() > 0) {
            usleep(1000);
            weft_sleep(1);
        }
        return;
    }
    weft_process_free(process);
    await_no_children();
}

static CU_TestInfo tests[] = {
    TEST(freeing_a_child_that_runs_kills_and_reaps_it),
    TEST(who_waits_for_a_process_that_is_freed_is_told),
    TEST(holds_keep_a_process),
    TEST(a_child_that_ended_is_reaped_though_nobody_waits),
    TEST(a_detached_child_runs_on_and_is_reaped),
    TEST(a_child_that_runs_at_its_loops_close_is_killed_and_told),
    TEST(a_child_that_was_freed_is_gone_with_its_loop),
    TEST(a_detached_child_outlives_its_loop),
    TEST(a_child_that_ended_before_its_loops_close_keeps_its_status),
    TEST(a_run_ends_with_its_children),
    TEST(the_tasks_that_a_run_cancels_free_their_children),
    TEST(a_status_that_another_library_took_is_recovered),
    TEST(children_that_nobody_may_wait_for_end_all_the_same),
    TEST(children_of_others_are_left_alone),
    TEST(a_child_that_has_ended_before_it_is_watched_is_seen_at_once),
    TEST(a_signal_for_a_child_that_was_reaped_reaches_nobody),
    TEST(a_forked_child_cannot_touch_the_parents_children),
    TEST(a_process_is_its_loops),
    TEST(several_threads_start_programs_at_once),
    TEST(crowds_of_children_leave_no_zombie_behind),
    TEST(virtual_time_does_not_jump_while_a_child_runs),
    TEST(virtual_time_jumps_over_a_detached_child),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(process_end, tests)
