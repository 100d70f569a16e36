/* SPDX-License-Identifier: MIT
 * The example of terminals, examples/keys.c, in a terminal: what it shows, and how it leaves it.
 *
 * Where the program is stands in EXAMPLE_KEYS. */
#include "tests/task/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static weft_process *keys;
static int theirs; /* the other side of its terminal, which keeps that */

static void open_keys(void)
{
    const char *const argv[] = { getenv("EXAMPLE_KEYS"), NULL };
    const weft_process_options options = {
        .pty = true,
        .winsize = &(struct winsize){ .ws_row = 25, .ws_col = 80 },
    };
    char name[64] = "";

    EQUAL(weft_create_subprocess_exec(argv, &options, &keys), 0);
    EQUAL(ptsname_r(weft_stream_fd(weft_process_pty(keys)), name, sizeof name), 0);
    theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(theirs >= 0);
}

static bool is_raw(void)
{
    struct termios mode;

    return EQUAL(tcgetattr(theirs, &mode), 0) && !(mode.c_lflag & (ICANON | ECHO | ISIG));
}

static void shows(const char *words)
{
    char line[100] = "";
    ssize_t n = weft_stream_readline(weft_process_pty(keys), line, sizeof line - 1);

    line[n > 0 ? n : 0] = '\0';
    SAME(line, words);
}

static void type(const char *bytes)
{
    EQUAL(weft_stream_write(weft_process_pty(keys), bytes, strlen(bytes)), strlen(bytes));
}

/* It has ended, and nothing is left of it in its terminal. */
static void ends_with(int status)
{
    EQUAL(weft_process_wait(keys), status);
    CHECK(!is_raw());
    close(theirs);
    weft_process_free(keys);
}

IN_TASK(keys_have_names)
{
    open_keys();
    shows("25 rows, 80 columns\r\n");
    CHECK(is_raw());
    type("ab");
    shows("a\r\n");
    shows("b\r\n");
    type("\033[A\033[3~\033OQ");
    shows("Up\r\n");
    shows("Del\r\n");
    shows("F2\r\n");
    type("\033x\001\r\177");
    shows("Esc x\r\n");
    shows("Ctrl-A\r\n");
    shows("Enter\r\n");
    shows("Backspace\r\n");
    type("\033"); /* alone, for nothing follows */
    shows("Esc\r\n");
    type("q");
    shows("q\r\n");
    ends_with(0);
}

IN_TASK(control_c_is_a_key_that_ends_it)
{
    open_keys();
    shows("25 rows, 80 columns\r\n");
    type("\003");
    shows("Ctrl-C\r\n");
    ends_with(0);
}

IN_TASK(the_window_may_change)
{
    open_keys();
    shows("25 rows, 80 columns\r\n");
    EQUAL(weft_tcsetwinsize(theirs, &(struct winsize){ .ws_row = 30, .ws_col = 90 }), 0);
    shows("30 rows, 90 columns\r\n");
    type("q");
    shows("q\r\n");
    ends_with(0);
}

IN_TASK(a_signal_that_ends_it_leaves_the_terminal_as_it_was)
{
    open_keys();
    shows("25 rows, 80 columns\r\n");
    EQUAL(weft_process_terminate(keys), 0);
    ends_with(128 + SIGTERM); /* as a shell would say it */
}

IN_TASK(without_a_terminal_it_says_so)
{
    const char *const argv[] = { getenv("EXAMPLE_KEYS"), NULL };
    weft_buffer words = { 0 };
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_exec(
              argv, &(weft_process_options){ .in = WEFT_DEVNULL, .err = WEFT_PIPE }, &process),
          0);
    CHECK(weft_process_communicate(process, NULL, 0, NULL, &words) > 0);
    CHECK(words.data && strstr(words.data, "standard input is no terminal"));
    weft_buffer_clear(&words);
    weft_process_free(process);
}

static CU_TestInfo tests[] = {
    TEST(keys_have_names),
    TEST(control_c_is_a_key_that_ends_it),
    TEST(the_window_may_change),
    TEST(a_signal_that_ends_it_leaves_the_terminal_as_it_was),
    TEST(without_a_terminal_it_says_so),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(keys, tests)
