/* SPDX-License-Identifier: MIT
 * Terminals: a child in one of its own, modes that are put back, sizes and their changes.
 *
 * Started with a third argument this is a program that runs in a terminal. */
#include "core/proc/spawn.h"
#include "tests/task/fault.h"
#include "tests/task/process.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- inside ---- */

/* Leaves its terminal in raw mode; the end of the program is to put it back. */
static int goes_raw(const char *how)
{
    weft_tty_mode *before;

    if (weft_tty_setraw(STDIN_FILENO, &before) < 0) {
        return 1;
    }
    puts("raw\r");
    fflush(stdout);
    (void)getchar();
    if (strcmp(how, "raw-killed") == 0) { /* as a handler of a signal would */
        weft_tty_restore_all();
        raise(SIGKILL);
    }
    return 0;
}

WEFT_ASYNC(tells_sizes)
{
    struct winsize size = { 0 };

    for (;;) {
        int r = weft_tty_wait_winsize(STDIN_FILENO, &size);

        if (r < 0) {
            return r;
        }
        printf("%dx%d\n", size.ws_row, size.ws_col);
        fflush(stdout);
        if (size.ws_row == 1) {
            return 0;
        }
    }
}

static int inside(const char *how)
{
    if (strcmp(how, "sizes") == 0) {
        return weft_run(tells_sizes(), &(weft_run_options){ .backend = backend() }) < 0;
    }
    return goes_raw(how);
}

/* ---- outside ---- */

static const weft_process_options in_pty = {
    .pty = true,
    .winsize = &(struct winsize){ .ws_row = 25, .ws_col = 80 },
};

static weft_process *in_terminal(const char *command)
{
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_shell(command, &in_pty, &process), 0);
    return process;
}

/* This program, in a terminal. */
static weft_process *itself(const char *how)
{
    char path[400];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *const argv[] = { path, backend(), "", how, NULL };
    weft_process *process = NULL;

    CHECK(n > 0);
    path[n > 0 ? n : 0] = '\0';
    EQUAL(weft_create_subprocess_exec(argv, &in_pty, &process), 0);
    return process;
}

static bool shows(weft_process *process, const char *words)
{
    char line[200];
    ssize_t n = weft_stream_readline(weft_process_pty(process), line, sizeof line - 1);

    line[n > 0 ? n : 0] = '\0';
    return SAME(line, words);
}

static void type(weft_process *process, const char *words)
{
    EQUAL(weft_stream_write(weft_process_pty(process), words, strlen(words)), strlen(words));
}

static int is_canonical(int fd)
{
    struct termios mode;

    return EQUAL(tcgetattr(fd, &mode), 0) && mode.c_lflag & ICANON;
}

ON_ANY_SYSTEM(a_child_in_a_terminal_is_in_control_of_it)
{
    weft_process *process = in_terminal("test -t 0 && test -t 1 && test -t 2 && tty <&1 >/dev/null "
                                        "&& echo controls >/dev/tty; stty size; exit 3");

    shows(process, "controls\r\n");
    shows(process, "25 80\r\n");
    shows(process, "");
    CHECK(weft_stream_at_eof(weft_process_pty(process)));
    EQUAL(weft_process_wait(process), 3);
    weft_process_free(process);
}

IN_TASK(it_is_in_a_session_and_a_group_of_its_own)
{
    weft_process *process = in_terminal("exec sleep 1000");

    EQUAL(getsid(weft_process_pid(process)), weft_process_pid(process));
    EQUAL(weft_process_killpg(process, SIGTERM), 0);
    EQUAL(weft_process_wait(process), 256 + SIGTERM);
    weft_process_free(process);
}

IN_TASK(what_is_typed_is_shown_and_read)
{
    weft_process *process = in_terminal("read x; echo got $x; cat; echo over");

    type(process, "words\n");
    shows(process, "words\r\n");
    shows(process, "got words\r\n");
    type(process, "\4"); /* Ctrl-D */
    shows(process, "over\r\n");
    shows(process, "");
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

IN_TASK(control_c_interrupts_what_is_in_the_foreground)
{
    weft_process *process = in_terminal("echo begun; exec sleep 1000");

    shows(process, "begun\r\n");
    type(process, "\3");
    EQUAL(weft_process_wait(process), 256 + SIGINT);
    weft_process_free(process);
}

IN_TASK(closing_the_terminal_hangs_up)
{
    weft_process *process = in_terminal("echo begun; exec sleep 1000");

    shows(process, "begun\r\n");
    EQUAL(weft_stream_close(weft_process_pty(process)), 0);
    EQUAL(weft_process_wait(process), 256 + SIGHUP);
    weft_process_free(process);
}

IN_TASK(other_standard_descriptors_are_what_the_options_say)
{
    weft_process_options options = in_pty;
    weft_process *process = NULL;
    weft_buffer out = { 0 };

    options.out = WEFT_PIPE;
    options.err = WEFT_STDOUT;
    EQUAL(weft_create_subprocess_shell("test -t 0 && ! test -t 1 && ! test -t 2 && echo so",
                                       &options, &process),
          0);
    CHECK(weft_process_pty(process) != NULL);
    EQUAL(weft_process_communicate(process, NULL, 0, &out, NULL), 0); /* leaves it alone */
    SAME(out.data, "so\n");
    shows(process, "");
    weft_buffer_clear(&out);
    weft_process_free(process);
}

IN_TASK(a_terminal_has_no_half_to_close)
{
    weft_process *process = in_terminal("cat");

    EQUAL(weft_stream_write_eof(weft_process_pty(process)), -EOPNOTSUPP);
    type(process, "still\n");
    shows(process, "still\r\n");
    weft_process_free(process);
}

IN_TASK(a_child_without_one_has_none)
{
    weft_process *process = sleeper();

    CHECK(weft_process_pty(process) == NULL);
    EQUAL(weft_process_take_fd(process, 3), -EBADF);
    weft_process_free(process);
}

IN_TASK(a_terminal_can_be_taken)
{
    weft_process *process = in_terminal("exec sleep 1000");
    int fd = weft_process_take_fd(process, 3);

    CHECK(isatty(fd));
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(weft_process_pty(process) == NULL);
    weft_process_free(process);
    close(fd);
}

IN_TASK(a_terminal_and_a_foreign_group_exclude_each_other)
{
    const char *const argv[] = { "true", NULL };

    refused(argv, &(weft_process_options){ .pty = true, .process_group = getpgrp() }, -EINVAL,
            NULL);
}

/* ---- modes ---- */

static struct {
    int ours, theirs;
} pair;

static void open_pair(void)
{
    EQUAL(openpty(&pair.ours, &pair.theirs, NULL, NULL, NULL), 0);
}

static void close_pair(void)
{
    close(pair.ours);
    close(pair.theirs);
}

ALONE(modes_are_put_back_exactly)
{
    struct termios before, raw, after;
    weft_tty_mode *mode = NULL, *other = NULL;

    open_pair();
    EQUAL(tcgetattr(pair.theirs, &before), 0);
    EQUAL(weft_tty_setcbreak(pair.theirs, &mode), 0);
    EQUAL(tcgetattr(pair.theirs, &raw), 0);
    EQUAL(raw.c_lflag & (ICANON | ECHO | ISIG), ISIG);
    EQUAL(weft_tty_setraw(pair.theirs, &other), 0);
    EQUAL(tcgetattr(pair.theirs, &raw), 0);
    EQUAL(raw.c_lflag & (ICANON | ECHO | ISIG), 0);
    EQUAL(raw.c_oflag & OPOST, 0);
    EQUAL(weft_tty_restore(other), 0);
    EQUAL(weft_tty_restore(mode), 0);
    EQUAL(tcgetattr(pair.theirs, &after), 0);
    EQUAL(after.c_iflag, before.c_iflag);
    EQUAL(after.c_oflag, before.c_oflag);
    EQUAL(after.c_cflag, before.c_cflag);
    EQUAL(after.c_lflag, before.c_lflag);
    EQUAL(memcmp(&before.c_cc, &after.c_cc, VEOL2), 0); /* no more is the system's */
    close_pair();
}

ALONE(all_modes_are_put_back_the_last_first)
{
    weft_tty_mode *mode[3];

    open_pair();
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_tty_setraw(pair.theirs, &mode[i]), 0);
    }
    weft_tty_restore_all();
    CHECK(is_canonical(pair.theirs));
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_tty_restore(mode[i]), -EBADF); /* spent */
    }
    close_pair();
}

ALONE(modes_tell_what_is_wrong)
{
    weft_tty_mode *mode[17] = { NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    open_pair();
    EQUAL(weft_tty_setraw(null, &mode[0]), -ENOTTY);
    EQUAL(weft_tty_setraw(-1, &mode[0]), -EBADF);
    EQUAL(weft_tty_setraw(pair.theirs, NULL), -EINVAL);
    CHECK(!mode[0]);
    EQUAL(weft_tty_restore(NULL), 0);
    for (int i = 0; i < 16; i++) {
        EQUAL(weft_tty_setraw(pair.theirs, &mode[i]), 0);
    }
    EQUAL(weft_tty_setraw(pair.theirs, &mode[16]), -ENOBUFS);
    EQUAL(weft_tty_restore(mode[15]), 0);
    EQUAL(weft_tty_restore(mode[15]), -EBADF);
    EQUAL(weft_tty_setraw(pair.theirs, &mode[16]), 0);
    EQUAL(weft_tty_restore(mode[15]), -EBADF); /* though its place is used again */
    weft_tty_restore_all();
    CHECK(is_canonical(pair.theirs));
    close_pair();
    close(null);
}

static weft_tty_mode *of_parent;

static int leaves_it_to_the_parent(void)
{
    weft_tty_mode *mode;

    EQUAL(weft_tty_restore(of_parent), -ECHILD);
    weft_tty_restore_all();
    CHECK(!is_canonical(pair.theirs));
    EQUAL(weft_tty_setraw(pair.theirs, &mode), 0); /* one of its own */
    EQUAL(weft_tty_restore(mode), 0);
    CHECK(!is_canonical(pair.theirs));
    return 0;
}

ALONE(a_forked_child_leaves_the_mode_to_its_parent)
{
    open_pair();
    EQUAL(weft_tty_setraw(pair.theirs, &of_parent), 0);
    EQUAL(in_child(leaves_it_to_the_parent, NULL, 0), 0);
    EQUAL(weft_tty_restore(of_parent), 0);
    CHECK(is_canonical(pair.theirs));
    close_pair();
}

/* A program makes its terminal raw and ends without a word. */
static void ends_raw(const char *how, int status)
{
    weft_process *process = itself(how);
    int ours = weft_stream_fd(weft_process_pty(process));
    int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC); /* keeps it */

    shows(process, "raw\r\n");
    CHECK(!is_canonical(theirs));
    type(process, "x");
    EQUAL(weft_process_wait(process), status);
    CHECK(is_canonical(theirs));
    close(theirs);
    weft_process_free(process);
}

IN_TASK(a_program_that_ends_puts_its_mode_back)
{
    ends_raw("raw", 0);
}

IN_TASK(a_handler_puts_all_modes_back)
{
    ends_raw("raw-killed", 256 + SIGKILL);
}

/* ---- sizes ---- */

ALONE(a_size_is_what_was_set)
{
    struct winsize size = { .ws_row = 7, .ws_col = 9 }, now = { 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    open_pair();
    EQUAL(weft_tcsetwinsize(pair.ours, &size), 0);
    EQUAL(weft_tcgetwinsize(pair.theirs, &now), 0);
    EQUAL(now.ws_row, 7);
    EQUAL(now.ws_col, 9);
    EQUAL(weft_tcgetwinsize(null, &now), -ENOTTY);
    EQUAL(weft_tcsetwinsize(null, &now), -ENOTTY);
    EQUAL(weft_tcgetwinsize(-1, &now), -EBADF);
    EQUAL(weft_tcgetwinsize(pair.ours, NULL), -EINVAL);
    EQUAL(weft_tcsetwinsize(pair.ours, NULL), -EINVAL);
    close_pair();
    close(null);
}

IN_TASK(a_program_follows_the_size_of_its_terminal)
{
    weft_process *process;
    int ours;

    if (is_virtual() || WEFT__TSAN) {
        return; /* no signals; or they wait until the fiber runs again in which they came */
    }
    process = itself("sizes");
    ours = weft_stream_fd(weft_process_pty(process));
    shows(process, "25x80\r\n");
    EQUAL(weft_tcsetwinsize(ours, &(struct winsize){ .ws_row = 30, .ws_col = 90 }), 0);
    shows(process, "30x90\r\n");
    EQUAL(weft_tcsetwinsize(ours, &(struct winsize){ .ws_row = 1, .ws_col = 2 }), 0);
    shows(process, "1x2\r\n");
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

WEFT_ASYNC(waits_for_a_size, (int, fd), (struct winsize *, size))
{
    return weft_tty_wait_winsize(fd, size);
}

IN_TASK(a_wait_for_a_size_compares_what_is_known)
{
    struct winsize size = { 0 };
    weft_task *task;

    open_pair();
    EQUAL(weft_tcsetwinsize(pair.ours, &(struct winsize){ .ws_row = 4, .ws_col = 5 }), 0);
    EQUAL(weft_tty_wait_winsize(pair.theirs, &size), 0); /* at once */
    EQUAL(size.ws_col, 5);
    task = weft_create_task(waits_for_a_size(pair.theirs, &size), NULL);
    give_way(3);
    CHECK(!weft_task_done(task));
    EQUAL(weft_tcsetwinsize(pair.ours, &(struct winsize){ .ws_row = 4, .ws_col = 6 }), 0);
    if (!is_virtual()) {
        raise(SIGWINCH); /* it is not our terminal */
        EQUAL(weft_await(task), 0);
        EQUAL(size.ws_col, 6);
    } else {
        weft_task_cancel(task);
        EQUAL(weft_await(task), -ECANCELED);
        EQUAL(size.ws_col, 5);
    }
    close_pair();
}

IN_TASK(a_cancelled_wait_for_a_size_changes_nothing)
{
    struct winsize size = { 0 };
    struct sigaction action;
    weft_task *task;

    open_pair();
    task = weft_create_task(waits_for_a_size(pair.theirs, &size), NULL);
    give_way(3);
    CHECK(!weft_task_done(task)); /* it has none: 0x0 */
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(sigaction(SIGWINCH, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
    EQUAL(weft_tty_wait_winsize(-1, &size), -EBADF);
    EQUAL(weft_tty_wait_winsize(pair.theirs, NULL), -EINVAL);
    close_pair();
}

/* ---- faults and cancels ---- */

static int show_something(void)
{
    const char *const argv[] = { "echo", "x", NULL };
    weft_process *process = NULL;
    char line[10];
    int r = tried(weft_create_subprocess_exec(argv, &in_pty, &process));

    if (r < 0) {
        CHECK(!process);
        return r;
    }
    r = (int)weft_stream_readline(weft_process_pty(process), line, sizeof line);
    weft_process_free(process);
    return r < 0 ? r : 0;
}

WEFT_ASYNC(shows_something)
{
    return show_something();
}

static int shows_in_a_loop(void)
{
    int r = run_in_loop(shows_something());

    EQUAL(children(), 0);
    return r;
}

EACH_FAULT_WHILE_IT(shows_in_a_loop)

/* By bare calls: no fault may keep it from happening. */
static void become(unsigned short columns)
{
    EQUAL(ioctl(pair.theirs, TIOCSWINSZ, &(struct winsize){ .ws_row = 4, .ws_col = columns }), 0);
    raise(SIGWINCH);
}

WEFT_ASYNC(becomes_wider)
{
    int r = weft_sleep(0.001);

    become(6);
    return r;
}

/* Two sizes: one that is there, one that comes. */
WEFT_ASYNC(follows_sizes)
{
    struct winsize size = { 0 };
    struct sigaction action;
    weft_task *task;
    int r;

    become(5);
    r = tried(weft_tty_wait_winsize(pair.theirs, &size));
    EQUAL(size.ws_col, r == 0 ? 5 : 0);
    task = r < 0 || is_virtual() ? NULL : weft_create_task(becomes_wider(), NULL);
    if (task && weft_task_done(task)) {
        return tried(weft_await(task)); /* it could not be made */
    }
    if (task) {
        r = tried(weft_tty_wait_winsize(pair.theirs, &size));
        EQUAL(size.ws_col, r == 0 ? 6 : 5);
        weft_task_cancel(task);
        (void)weft_await(task);
    }
    EQUAL(sigaction(SIGWINCH, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
    return r;
}

static int follows_in_a_loop(void)
{
    int r;

    open_pair();
    r = run_in_loop(follows_sizes());
    close_pair();
    return r;
}

EACH_FAULT_WHILE_IT(follows_in_a_loop)

static weft_coro *following_sizes(void)
{
    return follows_sizes();
}

ALONE(cancelled_at_every_step_a_size_is_told_or_not)
{
    open_pair();
    AT_EVERY_STEP(following_sizes, 0, -ECANCELED);
    close_pair();
}

static CU_TestInfo tests[] = {
    TEST(a_child_in_a_terminal_is_in_control_of_it),
    TEST(it_is_in_a_session_and_a_group_of_its_own),
    TEST(what_is_typed_is_shown_and_read),
    TEST(control_c_interrupts_what_is_in_the_foreground),
    TEST(closing_the_terminal_hangs_up),
    TEST(other_standard_descriptors_are_what_the_options_say),
    TEST(a_terminal_has_no_half_to_close),
    TEST(a_child_without_one_has_none),
    TEST(a_terminal_can_be_taken),
    TEST(a_terminal_and_a_foreign_group_exclude_each_other),
    TEST(modes_are_put_back_exactly),
    TEST(all_modes_are_put_back_the_last_first),
    TEST(modes_tell_what_is_wrong),
    TEST(a_forked_child_leaves_the_mode_to_its_parent),
    TEST(a_program_that_ends_puts_its_mode_back),
    TEST(a_handler_puts_all_modes_back),
    TEST(a_size_is_what_was_set),
    TEST(a_program_follows_the_size_of_its_terminal),
    TEST(a_wait_for_a_size_compares_what_is_known),
    TEST(a_cancelled_wait_for_a_size_changes_nothing),
    TEST(each_fault_while_it_shows_in_a_loop),
    TEST(each_fault_while_it_follows_in_a_loop),
    TEST(cancelled_at_every_step_a_size_is_told_or_not),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    return argc > 3 ? inside(argv[3]) : task_main("pty", tests, argc, argv);
}
