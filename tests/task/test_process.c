/* SPDX-License-Identifier: MIT
 * Processes: how they begin, what they find, how they end. */
#include "core/proc/spawn.h"
#include "tests/task/process.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends. */

ON_ANY_SYSTEM(a_status_is_what_the_program_returned)
{
    static const int statuses[] = { 0, 1, 3, 127, 255 };

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char command[20];
        weft_process *process = NULL;

        snprintf(command, sizeof command, "exit %d", statuses[i]);
        EQUAL(weft_create_subprocess_shell(command, NULL, &process), 0);
        EQUAL(weft_process_wait(process), statuses[i]);
        EQUAL(weft_process_wait(process), statuses[i]); /* as often as you like */
        EQUAL(weft_process_returncode(process), statuses[i]);
        EQUAL(weft_process_signal(statuses[i]), 0);
        EQUAL(weft_process_free(process), 0);
    }
}

ON_ANY_SYSTEM(a_signal_that_killed_it_is_256_more)
{
    static const int signals[] = { SIGTERM, SIGKILL, SIGHUP, SIGABRT };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        weft_process *process = sleeper();

        EQUAL(weft_process_returncode(process), -EINPROGRESS);
        EQUAL(weft_process_send_signal(process, 0), 0);
        EQUAL(weft_process_send_signal(process, signals[i]), 0);
        EQUAL(weft_process_wait(process), 256 + signals[i]);
        EQUAL(weft_process_signal(256 + signals[i]), signals[i]);
        EQUAL(weft_process_send_signal(process, SIGTERM), -ESRCH);
        SAME(weft_error_detail(), "the process has ended");
        weft_process_free(process);
    }
}

IN_TASK(terminate_and_kill_are_signals)
{
    weft_process *process = sleeper();

    EQUAL(weft_process_terminate(process), 0);
    EQUAL(weft_process_wait(process), 256 + SIGTERM);
    EQUAL(weft_process_terminate(process), -ESRCH);
    EQUAL(weft_process_kill(process), -ESRCH);
    weft_process_free(process);
    process = sleeper();
    EQUAL(weft_process_send_signal(process, 4000), -EINVAL);
    EQUAL(weft_process_kill(process), 0);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

WEFT_ASYNC(waits, (weft_process *, process))
{
    return weft_process_wait(process);
}

ON_ANY_SYSTEM(several_tasks_wait_for_one_process)
{
    weft_process *process = sleeper();
    weft_task *tasks[5];

    for (int i = 0; i < 5; i++) {
        tasks[i] = weft_create_task(waits(process), NULL);
    }
    weft_sleep(0);
    weft_task_cancel(tasks[2]);
    EQUAL(weft_await(tasks[2]), -ECANCELED); /* and the child goes on */
    EQUAL(weft_process_returncode(process), -EINPROGRESS);
    weft_process_kill(process);
    for (int i = 0; i < 5; i++) {
        if (i != 2) {
            EQUAL(weft_await(tasks[i]), 256 + SIGKILL);
        }
    }
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_wait_with_a_deadline_leaves_the_child_alone)
{
    weft_process *process = sleeper();

    EQUAL(weft_wait_for(waits(process), 0.01), -ETIMEDOUT);
    EQUAL(weft_process_send_signal(process, 0), 0);
    weft_process_kill(process);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

IN_TASK(a_child_that_is_stopped_has_not_ended)
{
    weft_process *process = sleeper();

    EQUAL(weft_process_send_signal(process, SIGSTOP), 0);
    EQUAL(weft_wait_for(waits(process), 0.02), -ETIMEDOUT);
    EQUAL(weft_process_send_signal(process, SIGCONT), 0);
    EQUAL(weft_wait_for(waits(process), 0.02), -ETIMEDOUT);
    weft_process_kill(process);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

ON_ANY_SYSTEM(stop_asks_and_then_kills)
{
    weft_process *process = sleeper();

    EQUAL(weft_process_stop(process, 10), 256 + SIGTERM);
    EQUAL(weft_process_stop(process, 10), 256 + SIGTERM); /* it was over */
    weft_process_free(process);
    process = stubborn();
    EQUAL(weft_process_stop(process, 0.02), 256 + SIGKILL);
    weft_process_free(process);
    process = stubborn();
    EQUAL(weft_process_stop(process, 0), 256 + SIGKILL);
    EQUAL(weft_process_stop(process, (double)NAN), -EINVAL);
    weft_process_free(process);
}

WEFT_ASYNC(stops, (weft_process *, process))
{
    return weft_process_stop(process, 100);
}

IN_TASK(a_stop_that_is_cancelled_kills)
{
    weft_process *process = stubborn();
    weft_task *task = weft_create_task(stops(process), NULL);

    weft_sleep(0.01);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

/* What goes wrong before the program runs. */

ON_ANY_SYSTEM(a_program_that_is_not_there_is_named)
{
    const char *const argv[] = { "no-such-program", "x", NULL };
    const char *const path[] = { "/no/such/program", NULL };
    const char *const folder[] = { "/tmp", NULL };
    const char *const empty[] = { "", NULL };
    const char *const below[] = { "/bin/sh/x", NULL };
    weft_process *process = (weft_process *)&process;

    refused(argv, NULL, -ENOENT, "cannot run 'no-such-program': No such file or directory");
    refused(path, NULL, -ENOENT, "cannot run '/no/such/program': No such file or directory");
    refused(folder, NULL, -EACCES, "cannot run '/tmp': Permission denied");
    refused(empty, NULL, -ENOENT, "cannot run '': No such file or directory");
    refused(below, NULL, -ENOENT, "cannot run '/bin/sh/x': No such file or directory");
    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), -ENOENT);
    CHECK(process == (weft_process *)&process); /* untouched */
}

ON_ANY_SYSTEM(what_cannot_run_says_why)
{
    const char *const script[] = { temporary("#!/no/such/interpreter\n", 0755), NULL };
    const char *const text[] = { temporary("exit 0\n", 0755), NULL };
    const char *const data[] = { temporary("data\n", 0644), NULL };
    char words[300];

    if (weft__valgrind()) {
        forget_temporaries();
        return; /* which dies where an exec fails that it believed in */
    }
    snprintf(words, sizeof words, "cannot run '%s': the interpreter in its first line is not there",
             script[0]);
    refused(script, NULL, -ENOENT, words);
    snprintf(words, sizeof words,
             "cannot run '%s': neither a program for this machine nor a script with a #! line",
             text[0]);
    refused(text, NULL, -ENOEXEC, words);
    snprintf(words, sizeof words, "cannot run '%s': Permission denied", data[0]);
    refused(data, NULL, -EACCES, words);
    forget_temporaries();
}

static int returns_efbig(void *unused)
{
    (void)unused;
    return -EFBIG;
}

ON_ANY_SYSTEM(each_step_before_the_program_has_its_own_words)
{
    const char *const argv[] = { "true", NULL };
    int closed = dup(0), one = 1;

    close(closed);
    refused(argv, &(weft_process_options){ .cwd = "/no/where" }, -ENOENT,
            "cannot run 'true' in '/no/where': No such file or directory");
    refused(argv, &(weft_process_options){ .cwd = "/etc/passwd" }, -ENOTDIR,
            "cannot run 'true' in '/etc/passwd': Not a directory");
    refused(argv, &(weft_process_options){ .process_group = 1 }, -EPERM,
            "cannot put 'true' into process group 1: Operation not permitted");
    refused(argv, &(weft_process_options){ .preexec = returns_efbig }, -EFBIG,
            "cannot run 'true': preexec failed: File too large");
    refused(argv, &(weft_process_options){ .in = WEFT_FD(12345) }, -EBADF,
            "cannot give descriptor 12345 to 'true': Bad file descriptor");
    refused(argv, &(weft_process_options){ .pass_fds = &closed, .pass_fds_count = 1 }, -EBADF,
            NULL);
    refused(argv, &(weft_process_options){ .in = WEFT_FD(-1) }, -EBADF, NULL);
    refused(argv, &(weft_process_options){ .out = 99 }, -EBADF, NULL);
    refused(argv, &(weft_process_options){ .out = -2 }, -EINVAL, NULL);
    refused(argv, &(weft_process_options){ .out = WEFT_STDOUT }, -EINVAL, NULL);
    refused(argv, &(weft_process_options){ .in = WEFT_STDOUT }, -EINVAL, NULL);
    refused(argv, &(weft_process_options){ .process_group = -5 }, -EINVAL, NULL);
    refused(argv, &(weft_process_options){ .pass_fds_count = 1 }, -EINVAL, NULL);
    refused(argv,
            &(weft_process_options){ .out = WEFT_PIPE, .pass_fds = &one, .pass_fds_count = 1 },
            -EINVAL, "descriptor 1 of 'true' is given twice");
}

ON_ANY_SYSTEM(arguments_that_are_too_long_are_refused)
{
    size_t size = 8u << 20;
    char *text;
    const char *argv[] = { "true", NULL, NULL };

    if (weft__valgrind()) {
        return; /* which dies where an exec fails so late */
    }
    argv[1] = text = malloc(size);
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    refused(argv, NULL, -E2BIG, "cannot run 'true': Argument list too long");
    free(text);
}

static int in_callback;

static void create_in_callback(void *unused)
{
    const char *const argv[] = { "true", NULL };
    weft_process *process = NULL;

    (void)unused;
    in_callback = weft_create_subprocess_exec(argv, NULL, &process);
    EQUAL(weft_process_wait(process), -EPERM);
    EQUAL(weft_process_communicate(process, NULL, 0, NULL, NULL), -EPERM);
    weft_process_free(process);
}

IN_TASK(misuse_is_told)
{
    const char *const nothing[] = { NULL };
    const char *const argv[] = { "true", NULL };
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_exec(nothing, NULL, &process), -EINVAL);
    EQUAL(weft_create_subprocess_exec(NULL, NULL, &process), -EINVAL);
    EQUAL(weft_create_subprocess_exec(argv, NULL, NULL), -EINVAL);
    EQUAL(weft_create_subprocess_shell(NULL, NULL, &process), -EINVAL);
    EQUAL(weft_process_wait(NULL), -EINVAL);
    EQUAL(weft_process_communicate(NULL, NULL, 0, NULL, NULL), -EINVAL);
    EQUAL(weft_process_returncode(NULL), -EINVAL);
    EQUAL(weft_process_terminate(NULL), -EINVAL);
    EQUAL(weft_process_take_fd(NULL, 0), -EINVAL);
    EQUAL(weft_process_detach(NULL), -EINVAL);
    EQUAL(weft_process_free(NULL), 0);
    CHECK(!weft_process_ref(NULL));
    weft_loop_call_soon(NULL, create_in_callback, NULL, NULL); /* which does not wait */
    weft_sleep(0);
    EQUAL(in_callback, 0);
}

/* As the user who must not. */
#define NOBODY 65534

WEFT_ASYNC(asks_for_too_much)
{
    weft_process *process = sleeper();

    EQUAL(setresuid(NOBODY, NOBODY, 0), 0);
    EQUAL(weft_process_send_signal(process, SIGTERM), -EPERM);
    EQUAL(weft_process_terminate(process), -EPERM);
    EQUAL(setresuid(0, 0, 0), 0);
    EQUAL(weft_process_terminate(process), 0);
    EQUAL(weft_process_wait(process), 256 + SIGTERM);
    return weft_process_free(process);
}

static int is_less_than_its_child(void)
{
    EQUAL(weft_run(asks_for_too_much(), &(weft_run_options){ .backend = backend() }), 0);
    return 0;
}

ALONE(a_child_with_other_rights_gets_no_signal)
{
    /* Only root can lose them; and GLib has a thread that a forked child would lack. */
    if (geteuid() == 0 && strncmp(backend(), "glib", 4) != 0) {
        EQUAL(in_child(is_less_than_its_child, NULL, 0), 0);
    }
}

ALONE(outside_of_a_loop_no_process_begins)
{
    const char *const argv[] = { "true", NULL };
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_exec(argv, NULL, &process), -EPERM);
}

/* What the program finds. */

ON_ANY_SYSTEM(it_has_its_arguments_as_they_are)
{
    const char *const argv[] = { "printf", "[%s]", "a b", "", "*", "$HOME", "\xc3\xa4", NULL };

    says(argv, NULL, "[a b][][*][$HOME][\xc3\xa4]");
}

ON_ANY_SYSTEM(its_folder_is_the_one_that_was_asked_for)
{
    const char *const argv[] = { "pwd", NULL };
    const char *const relative[] = { "./env", "x=y", "/bin/pwd", NULL };

    says(argv, &(weft_process_options){ .cwd = "/" }, "/\n");
    says(relative, &(weft_process_options){ .cwd = "/usr/bin" }, "/usr/bin\n"); /* from there */
}

ON_ANY_SYSTEM(its_environment_is_ours_or_another_or_changed)
{
    const char *const argv[] = { "sh", "-c", "echo $A-$B-$C", NULL };
    const char *const whole[] = { "A=1", "B=2", NULL };
    const char *const add[] = { "B=3", "C=x", "C=4", NULL };
    const char *const drop[] = { "A", "B=", NULL };
    const char *const none[] = { NULL };

    setenv("A", "ours", 1);
    unsetenv("B");
    unsetenv("C");
    says(argv, NULL, "ours--\n");
    says(argv, &(weft_process_options){ .env = whole }, "1-2-\n");
    says(argv, &(weft_process_options){ .env_add = add }, "ours-3-4\n");
    says(argv, &(weft_process_options){ .env = whole, .env_add = add }, "1-3-4\n");
    says(argv, &(weft_process_options){ .env_add = drop }, "--\n");
    says(argv, &(weft_process_options){ .env = none }, "--\n"); /* found without PATH, too */
    unsetenv("A");
}

ON_ANY_SYSTEM(a_program_is_looked_for_in_the_childs_path)
{
    char folder[] = "/tmp/weft-path-XXXXXX", file[64], path[200];
    const char *const argv[] = { "weft-found", NULL };
    const char *const add[] = { path, NULL };

    CHECK(mkdtemp(folder) != NULL);
    snprintf(file, sizeof file, "%s/weft-found", folder);
    write_file(file, "#!/bin/sh\necho found\n", 0755);
    refused(argv, NULL, -ENOENT, NULL);
    snprintf(path, sizeof path, "PATH=/no/where:/etc/passwd:%s:/bin", folder);
    says(argv, &(weft_process_options){ .env_add = add }, "found\n");
    snprintf(path, sizeof path, "PATH=:/bin"); /* an empty part is where the child is */
    says(argv, &(weft_process_options){ .env_add = add, .cwd = folder }, "found\n");
    chmod(file, 0644);
    snprintf(path, sizeof path, "PATH=%s:/bin", folder);
    refused(argv, &(weft_process_options){ .env_add = add }, -EACCES, NULL);
    unlink(file);
    rmdir(folder);
}

ON_ANY_SYSTEM(the_file_may_differ_from_its_first_argument)
{
    const char *const argv[] = { "another", "-c", "echo $0", NULL };

    says(argv, &(weft_process_options){ .executable = "/bin/sh" }, "another\n");
}

ON_ANY_SYSTEM(it_has_no_descriptor_but_those_that_were_passed)
{
    const char *const argv[] = { "sh", "-c", "cd /proc/self/fd; echo *", NULL };
    const char *const has_40[] = { "sh", "-c", "cd /proc/self/fd; ls -d 40", NULL };
    const char *const holds[] = { "sh", "-c", "readlink /proc/self/fd/7", NULL };
    int open_ones[2], as[] = { 7 };

    CHECK(pipe(open_ones) == 0); /* not close-on-exec, as another library may leave it */
    CHECK(dup2(open_ones[0], 40) == 40);
    says(argv, NULL, "0 1 2 3\n"); /* 3 is the folder itself */
    says(holds,
         &(weft_process_options){
             .pass_fds = (int[]){ 40 }, .pass_fds_as = as, .pass_fds_count = 1 },
         NULL);
    says(argv,
         &(weft_process_options){
             .pass_fds = open_ones, .pass_fds_as = (int[]){ 5, 9 }, .pass_fds_count = 2 },
         "0 1 2 3 5 9\n");
    says(argv, &(weft_process_options){ .pass_fds = (int[]){ 40 }, .pass_fds_count = 1 },
         "0 1 2 3 40\n");
    close(open_ones[0]);
    close(open_ones[1]);
    says(has_40, &(weft_process_options){ .keep_fds = true }, "40\n");
    close(40);
}

ON_ANY_SYSTEM(descriptors_may_change_places)
{
    /* Not numbers that a loop has. */
    const char *const argv[] = { "cat", "/proc/self/fd/58", "/proc/self/fd/59", NULL };
    int a[2], b[2];

    CHECK(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
    CHECK(dup3(a[0], 58, O_CLOEXEC) == 58 && dup3(b[0], 59, O_CLOEXEC) == 59);
    CHECK(write(a[1], "a", 1) == 1 && write(b[1], "b", 1) == 1);
    close(a[1]);
    close(b[1]);
    says(argv,
         &(weft_process_options){
             .pass_fds = (int[]){ 58, 59 }, .pass_fds_as = (int[]){ 59, 58 }, .pass_fds_count = 2 },
         "ba");
    close(a[0]);
    close(b[0]);
    close(58);
    close(59);
}

ON_ANY_SYSTEM(many_descriptors_can_be_passed)
{
    const char *const argv[] = { "sh", "-c", "cd /proc/self/fd; set -- 1??; echo $# $1", NULL };
    int fds[40], as[40];

    for (int i = 0; i < 40; i++) {
        fds[i] = 0;
        as[i] = 100 + i;
    }
    says(argv, &(weft_process_options){ .pass_fds = fds, .pass_fds_as = as, .pass_fds_count = 40 },
         "40 100\n");
}

ON_ANY_SYSTEM(standard_descriptors_can_be_anything)
{
    const char *const reads[] = { "sh", "-c", "cat; echo out; echo err >&2", NULL };
    const char *const name = temporary("in\n", 0644);
    int in = open(name, O_RDONLY | O_CLOEXEC);

    says(reads, &(weft_process_options){ .in = WEFT_FD(in), .err = WEFT_DEVNULL }, "in\nout\n");
    says(reads, &(weft_process_options){ .in = WEFT_DEVNULL, .err = WEFT_STDOUT }, "out\nerr\n");
    close(in);
    in = open(name, O_RDWR | O_APPEND | O_CLOEXEC);
    EQUAL(status_of(reads, &(weft_process_options){ .in = WEFT_DEVNULL,
                                                    .out = WEFT_FD(in),
                                                    .err = WEFT_STDOUT }),
          0);
    close(in);
    says((const char *const[]){ "cat", name, NULL }, NULL, "in\nout\nerr\n");
    forget_temporaries();
}

ON_ANY_SYSTEM(it_begins_with_no_signal_blocked_or_ignored)
{
    const char *const argv[] = { "sh", "-c",
                                 "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -s '\\n\\t' ' '",
                                 NULL };
    /* What whoever runs the tests may have ignored, such as a shell that runs them aside. */
    static const int often[] = { SIGHUP, SIGINT, SIGQUIT };
    void (*were[3])(int);
    sigset_t some, before;

    for (int i = 0; i < 3; i++) {
        were[i] = signal(often[i], SIG_DFL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    says(argv, NULL, "SigBlk: 0000000000000000 SigIgn: 0000000000000000 ");
    says(argv, &(weft_process_options){ .keep_signals = true },
         "SigBlk: 0000000000000200 SigIgn: 0000000000001800 ");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    for (int i = 0; i < 3; i++) {
        signal(often[i], were[i]);
    }
}

static void never_in_a_child(int signum)
{
    (void)signum;
}

ON_ANY_SYSTEM(our_handlers_and_mask_stay_as_they_are)
{
    const char *const argv[] = { "true", NULL };
    struct sigaction action;
    sigset_t mask;

    signal(SIGUSR1, never_in_a_child);
    EQUAL(status_of(argv, NULL), 0);
    EQUAL(status_of(argv, &(weft_process_options){ .keep_signals = true }), 0);
    EQUAL(sigaction(SIGUSR1, NULL, &action), 0);
    CHECK(action.sa_handler == never_in_a_child);
    EQUAL(sigaction(SIGCHLD, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL); /* never touched */
    EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    EQUAL(sigismember(&mask, SIGUSR1), 0);
    signal(SIGUSR1, SIG_DFL);
}

/* What ps has to say of a child: its group and its session. */
static void look_at_group(const weft_process_options *options, pid_t *ret_group, pid_t *ret_session)
{
    const char *const argv[] = { "sleep", "100", NULL };
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_exec(argv, options, &process), 0);
    *ret_group = getpgid(weft_process_pid(process));
    *ret_session = getsid(weft_process_pid(process));
    *ret_group = *ret_group == weft_process_pid(process) ? WEFT_NEW_GROUP : *ret_group;
    *ret_session = *ret_session == weft_process_pid(process) ? WEFT_NEW_GROUP : *ret_session;
    weft_process_kill(process);
    weft_process_wait(process);
    weft_process_free(process);
}

ON_ANY_SYSTEM(group_and_session_are_as_asked_for_when_it_is_made)
{
    pid_t group, session;

    look_at_group(NULL, &group, &session);
    EQUAL(group, getpgrp());
    EQUAL(session, getsid(0));
    look_at_group(&(weft_process_options){ .process_group = WEFT_NEW_GROUP }, &group, &session);
    EQUAL(group, WEFT_NEW_GROUP);
    EQUAL(session, getsid(0));
    look_at_group(&(weft_process_options){ .start_new_session = true }, &group, &session);
    EQUAL(group, WEFT_NEW_GROUP);
    EQUAL(session, WEFT_NEW_GROUP);
}

IN_TASK(a_process_can_join_anothers_group)
{
    const char *const argv[] = { "sleep", "100", NULL };
    weft_process *leader = NULL, *member = NULL;

    EQUAL(weft_create_subprocess_exec(
              argv, &(weft_process_options){ .process_group = WEFT_NEW_GROUP }, &leader),
          0);
    EQUAL(weft_create_subprocess_exec(
              argv, &(weft_process_options){ .process_group = weft_process_pid(leader) }, &member),
          0);
    EQUAL(getpgid(weft_process_pid(member)), weft_process_pid(leader));
    EQUAL(weft_process_killpg(member, SIGTERM), -EINVAL);
    EQUAL(weft_process_killpg(leader, SIGTERM), 0);
    EQUAL(weft_process_wait(member), 256 + SIGTERM);
    EQUAL(weft_process_wait(leader), 256 + SIGTERM);
    EQUAL(weft_process_killpg(leader, SIGTERM), -ESRCH);
    weft_process_free(leader);
    weft_process_free(member);
}

static int set_mask(void *mask)
{
    umask(*(mode_t *)mask);
    return 0;
}

ON_ANY_SYSTEM(preexec_is_called_in_the_child)
{
    const char *const argv[] = { "sh", "-c", "umask", NULL };
    mode_t mask = 0137, ours = umask(022);

    says(argv, &(weft_process_options){ .preexec = set_mask, .preexec_arg = &mask }, "0137\n");
    EQUAL(umask(ours), 022);
}

static CU_TestInfo tests[] = {
    TEST(a_status_is_what_the_program_returned),
    TEST(a_signal_that_killed_it_is_256_more),
    TEST(terminate_and_kill_are_signals),
    TEST(several_tasks_wait_for_one_process),
    TEST(a_wait_with_a_deadline_leaves_the_child_alone),
    TEST(a_child_that_is_stopped_has_not_ended),
    TEST(stop_asks_and_then_kills),
    TEST(a_stop_that_is_cancelled_kills),
    TEST(a_program_that_is_not_there_is_named),
    TEST(what_cannot_run_says_why),
    TEST(each_step_before_the_program_has_its_own_words),
    TEST(arguments_that_are_too_long_are_refused),
    TEST(misuse_is_told),
    TEST(a_child_with_other_rights_gets_no_signal),
    TEST(outside_of_a_loop_no_process_begins),
    TEST(it_has_its_arguments_as_they_are),
    TEST(its_folder_is_the_one_that_was_asked_for),
    TEST(its_environment_is_ours_or_another_or_changed),
    TEST(a_program_is_looked_for_in_the_childs_path),
    TEST(the_file_may_differ_from_its_first_argument),
    TEST(it_has_no_descriptor_but_those_that_were_passed),
    TEST(descriptors_may_change_places),
    TEST(many_descriptors_can_be_passed),
    TEST(standard_descriptors_can_be_anything),
    TEST(it_begins_with_no_signal_blocked_or_ignored),
    TEST(our_handlers_and_mask_stay_as_they_are),
    TEST(group_and_session_are_as_asked_for_when_it_is_made),
    TEST(a_process_can_join_anothers_group),
    TEST(preexec_is_called_in_the_child),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(process, tests)
