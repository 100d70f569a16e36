/* SPDX-License-Identifier: MIT
 * A shell's terminal is never made non-blocking: a program of weft runs in one, as a child of this
 * one, which holds the same open file and looks at its flags meanwhile.
 *
 * Started with a third argument this is that program. */
#include "tests/task/process.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- inside ---- */

/* Waits for a line, has a child of its own write to the terminal, and answers. */
WEFT_ASYNC(lives_in_a_terminal)
{
    char line[100] = "";
    int r = weft_wait_readable(STDIN_FILENO);
    ssize_t n = r < 0 ? r : weft_read(STDIN_FILENO, line, sizeof line - 1);

    if (n < 0) {
        return (int)n;
    }
    r = status_of((const char *const[]){ "echo", "child", NULL }, NULL);
    if (r != 0) {
        return r < 0 ? r : -EIO;
    }
    r = weft_wait_writable(STDOUT_FILENO);
    n = r < 0 ? r : weft_write(STDOUT_FILENO, line, (size_t)n);
    r = n < 0 ? (int)n : weft_wait_readable(STDIN_FILENO);
    return r < 0 ? r : 0;
}

/* The same, by streams. */
WEFT_ASYNC(streams_in_a_terminal)
{
    char line[100];
    weft_stream *in = NULL, *out = NULL;
    int r = weft_stream_open_stdio(STDIN_FILENO, &in);
    ssize_t n;

    r = r < 0 ? r : weft_stream_open_stdio(STDOUT_FILENO, &out);
    n = r < 0 ? r : weft_stream_readline(in, line, sizeof line);
    if (n > 0) {
        r = status_of((const char *const[]){ "echo", "child", NULL }, NULL);
        n = r == 0 ? weft_stream_write(out, line, (size_t)n) : r < 0 ? r : -EIO;
    }
    n = n < 0 ? n : weft_stream_read(in, line, 1);
    weft_stream_close(in);
    weft_stream_close(out);
    return n < 0 ? (int)n : 0;
}

static int inside(const char *how)
{
    weft_run_options options = { .backend = backend() };
    int r = strcmp(how, "streams") == 0 ? weft_run(streams_in_a_terminal(), &options)
                                        : weft_run(lives_in_a_terminal(), &options);

    return r < 0 ? 100 : r;
}

/* ---- outside ---- */

static struct {
    int ours, theirs; /* the two ends */
    weft_process *process;
} terminal;

static void open_terminal(const char *how)
{
    struct termios raw;
    char path[400];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    const char *const argv[] = { path, backend(), "", how, NULL };

    CHECK(n > 0);
    path[n > 0 ? n : 0] = '\0';
    EQUAL(openpty(&terminal.ours, &terminal.theirs, NULL, NULL, NULL), 0);
    EQUAL(tcgetattr(terminal.theirs, &raw), 0);
    cfmakeraw(&raw);
    EQUAL(tcsetattr(terminal.theirs, TCSANOW, &raw), 0);
    EQUAL(weft_create_subprocess_exec(argv,
                                      &(weft_process_options){
                                          .in = WEFT_FD(terminal.theirs),
                                          .out = WEFT_FD(terminal.theirs),
                                          .err = WEFT_FD(terminal.theirs),
                                          .start_new_session = true,
                                      },
                                      &terminal.process),
          0);
}

static void close_terminal(void)
{
    weft_process_free(terminal.process);
    close(terminal.ours);
    close(terminal.theirs);
}

/* The end that the program shares with us. */
static bool is_blocking(void)
{
    return !(fcntl(terminal.theirs, F_GETFL) & O_NONBLOCK);
}

/* Reads until `words` have come; the flags are looked at all the while. */
static void expect(const char *words)
{
    char text[4000] = "";
    size_t length = 0;

    for (int i = 0; i < 5000 && !strstr(text, words); i++) {
        struct pollfd pollfd = { .fd = terminal.ours, .events = POLLIN };

        CHECK(is_blocking());
        weft_sleep(0);
        if (poll(&pollfd, 1, 1) > 0 && length < sizeof text - 1) {
            ssize_t n = read(terminal.ours, text + length, sizeof text - 1 - length);

            length += n > 0 ? (size_t)n : 0;
            text[length] = '\0';
        }
    }
    CHECK(strstr(text, words) != NULL);
}

/* Has it read a line and answer; then it waits for another one. */
static void talk(void)
{
    EQUAL(write(terminal.ours, "hello\n", 6), 6);
    expect("child\nhello\n");
    for (int i = 0; i < 20; i++) {
        weft_sleep(0.001);
        CHECK(is_blocking());
    }
}

static void let_it_end(const char *how)
{
    if (is_virtual()) {
        return; /* which waits for nothing real */
    }
    open_terminal(how);
    talk();
    EQUAL(write(terminal.ours, "x", 1), 1);
    EQUAL(weft_process_wait(terminal.process), 0);
    CHECK(is_blocking());
    close_terminal();
}

static void kill_it(const char *how)
{
    if (is_virtual()) {
        return;
    }
    open_terminal(how);
    talk();
    EQUAL(weft_process_kill(terminal.process), 0); /* it cannot put anything back */
    EQUAL(weft_process_wait(terminal.process), 256 + SIGKILL);
    CHECK(is_blocking());
    close_terminal();
}

IN_TASK(a_program_that_ends_leaves_its_terminal_as_it_was)
{
    let_it_end("calls");
}

IN_TASK(a_program_that_is_killed_leaves_its_terminal_as_it_was)
{
    kill_it("calls");
}

IN_TASK(a_program_with_streams_that_ends_leaves_its_terminal_as_it_was)
{
    let_it_end("streams");
}

IN_TASK(a_program_with_streams_that_is_killed_leaves_its_terminal_as_it_was)
{
    kill_it("streams");
}

/* A signal that comes in the middle of a change. */

static enum { NEVER, BEFORE, AFTER } interrupts;

/* In place of the C library's: a signal just before the mode is changed, or just after. */
int tcsetattr(int fd, int when, const struct termios *mode)
{
    int (*real)(int, int, const struct termios *) =
        (int (*)(int, int, const struct termios *))(uintptr_t)dlsym(RTLD_NEXT, "tcsetattr");
    int came = interrupts, r;

    interrupts = NEVER;
    if (came == BEFORE) {
        raise(SIGUSR1);
    }
    r = real(fd, when, mode);
    if (came == AFTER) {
        raise(SIGUSR1);
    }
    return r;
}

static int handled;

/* As a program's own handler may, before it ends the program. */
static void put_all_back(int signum)
{
    (void)signum;
    handled++;
    weft_tty_restore_all();
}

ALONE(a_signal_in_the_middle_of_a_change_puts_it_back)
{
    struct termios mode;
    weft_tty_mode *before = NULL;

    signal(SIGUSR1, put_all_back);
    EQUAL(openpty(&terminal.ours, &terminal.theirs, NULL, NULL, NULL), 0);
    handled = 0;
    for (int when = BEFORE; when <= AFTER; when++) {
        interrupts = when;
        EQUAL(weft_tty_setraw(terminal.theirs, &before), 0);
        EQUAL(handled, when);
        EQUAL(tcgetattr(terminal.theirs, &mode), 0);
        CHECK(mode.c_lflag & ICANON);
        EQUAL(weft_tty_restore(before), -EBADF); /* it is spent */
    }
    close(terminal.ours);
    close(terminal.theirs);
    signal(SIGUSR1, SIG_DFL);
}

static CU_TestInfo tests[] = {
    TEST(a_program_that_ends_leaves_its_terminal_as_it_was),
    TEST(a_program_that_is_killed_leaves_its_terminal_as_it_was),
    TEST(a_program_with_streams_that_ends_leaves_its_terminal_as_it_was),
    TEST(a_program_with_streams_that_is_killed_leaves_its_terminal_as_it_was),
    TEST(a_signal_in_the_middle_of_a_change_puts_it_back),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    return argc > 3 ? inside(argv[3]) : task_main("terminal", tests, argc, argv);
}
