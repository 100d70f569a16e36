/* SPDX-License-Identifier: MIT
 * The pipes of processes as streams: conversations, ends, and who else wants the pipes. */
#include "core/proc/spawn.h"
#include "tests/task/fault.h"
#include "tests/task/process.h"
#include "tests/task/steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const weft_process_options all_pipes = { .in = WEFT_PIPE,
                                                .out = WEFT_PIPE,
                                                .err = WEFT_PIPE };

static weft_process *shell(const char *command, const weft_process_options *options)
{
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_shell(command, options, &process), 0);
    return process;
}

/* The next line of a stream must be this one; "": its end. */
static bool next_line_is(weft_stream *stream, const char *words)
{
    char line[100];
    ssize_t n = weft_stream_readline(stream, line, sizeof line - 1);

    line[n > 0 ? n : 0] = '\0';
    return EQUAL(n, strlen(words)) && SAME(line, words);
}

static ssize_t say(weft_process *process, const char *words)
{
    return weft_stream_write(weft_process_stdin(process), words, strlen(words));
}

WEFT_ASYNC(reads_line, (weft_stream *, stream), (char *, line), (size_t, size))
{
    return (int)weft_stream_readline(stream, line, size);
}

WEFT_ASYNC(writes, (weft_stream *, stream), (const char *, bytes), (size_t, size))
{
    return (int)weft_stream_write(stream, bytes, size);
}

/* Conversations. */

ON_ANY_SYSTEM(a_conversation_goes_line_by_line)
{
    weft_process *process = shell("cat", &all_pipes);
    char words[30];

    for (int i = 0; i < 5; i++) {
        snprintf(words, sizeof words, "line %d\n", i);
        EQUAL(say(process, words), strlen(words));
        next_line_is(weft_process_stdout(process), words);
    }
    EQUAL(weft_process_returncode(process), -EINPROGRESS);
    EQUAL(weft_stream_write_eof(weft_process_stdin(process)), 0);
    next_line_is(weft_process_stdout(process), "");
    CHECK(weft_stream_at_eof(weft_process_stdout(process)));
    EQUAL(say(process, "more"), -EPIPE);
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

IN_TASK(output_and_error_are_two_streams)
{
    weft_process *process = shell("read x; echo out $x; echo err $x >&2; exit 7", &all_pipes);

    say(process, "word\n");
    next_line_is(weft_process_stderr(process), "err word\n");
    next_line_is(weft_process_stdout(process), "out word\n");
    next_line_is(weft_process_stderr(process), "");
    EQUAL(weft_process_wait(process), 7);
    weft_process_free(process);
}

IN_TASK(each_pipe_has_one_stream_that_goes_one_way)
{
    weft_process *process = shell("cat", &all_pipes);
    weft_stream *in = weft_process_stdin(process), *out = weft_process_stdout(process);
    char c;

    CHECK(in && out && in != out);
    CHECK(weft_process_stdin(process) == in);
    CHECK(weft_process_stdout(process) == out);
    EQUAL(weft_stream_read(in, &c, 1), 0);
    CHECK(weft_stream_at_eof(in));
    EQUAL(weft_stream_write(out, "x", 1), -EPIPE);
    EQUAL(weft_stream_write_eof(out), 0);
    EQUAL(say(process, "still\n"), 6);
    next_line_is(out, "still\n");
    weft_process_free(process);
}

IN_TASK(a_limit_is_how_much_a_stream_keeps)
{
    weft_process_options options = all_pipes;
    weft_process *process;
    weft_stream_stats stats = { 0 };
    char line[100];

    options.limit = 9;
    process = shell("echo 123456789; echo 0123456789; echo error is long >&2", &options);
    EQUAL(weft_stream_statistics(weft_process_stdout(process), &stats), 0);
    EQUAL(stats.limit, 9);
    next_line_is(weft_process_stdout(process), "123456789\n");
    EQUAL(weft_stream_readline(weft_process_stdout(process), line, sizeof line), -EMSGSIZE);
    EQUAL(weft_stream_readexactly(weft_process_stdout(process), line, 11), 11); /* it is there */
    EQUAL(weft_stream_readline(weft_process_stderr(process), line, sizeof line), -EMSGSIZE);
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

ON_ANY_SYSTEM(much_goes_both_ways_at_once)
{
    size_t size = (size_t)many(2000) * 1000;
    char *bytes = malloc(size);
    weft_process *process = shell("cat", &all_pipes);
    weft_buffer out = { 0 };
    weft_task *writer;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    writer = weft_create_task(writes(weft_process_stdin(process), bytes, size), NULL);
    while (out.len < size) {
        size_t before = out.len;

        if (!EQUAL(weft_buffer_reserve(&out, 65536), 0)) {
            break;
        }
        ssize_t n = weft_stream_read(weft_process_stdout(process), out.data + before, 65536);

        if (!CHECK(n > 0)) {
            break;
        }
        out.len += (size_t)n;
    }
    EQUAL(weft_await(writer), size);
    CHECK(out.len == size && memcmp(out.data, bytes, size) == 0);
    weft_buffer_clear(&out);
    weft_process_free(process);
    free(bytes);
}

/* Ends. */

IN_TASK(what_a_child_wrote_can_be_read_after_its_end)
{
    weft_process *process = shell("echo last; printf words; exit 3", &all_pipes);

    EQUAL(weft_process_wait(process), 3);
    next_line_is(weft_process_stdout(process), "last\n");
    next_line_is(weft_process_stdout(process), "words");
    next_line_is(weft_process_stdout(process), "");
    weft_process_free(process);
}

ON_ANY_SYSTEM(writing_to_a_child_that_reads_no_more_is_an_error)
{
    weft_process *process = shell("exec <&-; echo closed; exec sleep 1000", &all_pipes);
    sigset_t pending;

    next_line_is(weft_process_stdout(process), "closed\n");
    EQUAL(say(process, "x"), -EPIPE);
    EQUAL(say(process, "x"), -EPIPE);
    EQUAL(sigpending(&pending), 0);
    EQUAL(sigismember(&pending, SIGPIPE), 0);
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_child_that_ends_early_ends_a_write_that_waits)
{
    static const char block[300000];
    weft_process *process = shell("exec sleep 1000", &all_pipes);
    weft_task *writer =
        weft_create_task(writes(weft_process_stdin(process), block, sizeof block), NULL);

    weft_sleep(0.005);
    CHECK(!weft_task_done(writer));
    EQUAL(weft_process_kill(process), 0);
    EQUAL(weft_await(writer), -EPIPE);
    EQUAL(weft_process_wait(process), 256 + SIGKILL);
    weft_process_free(process);
}

ON_ANY_SYSTEM(closing_a_stream_closes_its_pipe)
{
    weft_process *process = shell("cat; echo over", &all_pipes);
    weft_stream *in = weft_process_stdin(process);

    EQUAL(weft_stream_close(in), 0);
    next_line_is(weft_process_stdout(process), "over\n");
    CHECK(weft_process_stdin(process) == in); /* spent, for ever */
    EQUAL(say(process, "x"), -EBADF);
    EQUAL(weft_stream_close(in), -EBADF);
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_free_closes_the_streams_whoever_uses_them)
{
    static const char block[300000];
    weft_process *process = shell("exec sleep 1000", &all_pipes);
    weft_stream *out = weft_process_stdout(process), *err;
    char line[10];
    weft_task *reader = weft_create_task(reads_line(out, line, sizeof line), NULL);
    weft_task *writer =
        weft_create_task(writes(weft_process_stdin(process), block, sizeof block), NULL);

    err = weft_stream_ref(weft_process_stderr(process));
    weft_sleep(0.005);
    EQUAL(weft_process_free(process), 0);
    EQUAL(weft_stream_readline(out, line, sizeof line), -EBADF);
    EQUAL(weft_await(reader), -EBADF);
    EQUAL(weft_await(writer), -EBADF);
    EQUAL(weft_stream_readline(err, line, sizeof line), -EBADF);
    EQUAL(weft_stream_close(err), 0); /* the hold of ours */
}

IN_TASK(a_detached_child_finds_its_pipes_closed)
{
    weft_process *process = shell("cat", &all_pipes);
    weft_stream *out = weft_process_stdout(process);

    say(process, "x\n");
    next_line_is(out, "x\n");
    EQUAL(weft_process_detach(process), 0);
    EQUAL(weft_stream_fd(out), -EBADF);
    while (children() > 0) { /* its input has ended */
        weft_sleep(0.001);
    }
}

/* Cancels. */

ON_ANY_SYSTEM(a_read_that_is_cancelled_loses_nothing)
{
    weft_process *process = shell("printf half; read x; echo ' whole'", &all_pipes);
    weft_stream *out = weft_process_stdout(process);
    char line[30];

    for (int i = 0; i < 3; i++) {
        EQUAL(weft_wait_for(reads_line(out, line, sizeof line), 0.005), -ETIMEDOUT);
    }
    say(process, "\n");
    next_line_is(out, "half whole\n");
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

WEFT_ASYNC(converses)
{
    weft_process *process = NULL;
    char line[10];
    int r = weft_create_subprocess_shell("cat", &all_pipes, &process);
    ssize_t n = r;

    if (r < 0) {
        return r;
    }
    for (int i = 0; i < 2 && n >= 0; i++) {
        n = say(process, "hello\n");
        n = n < 0 ? n : weft_stream_readline(weft_process_stdout(process), line, sizeof line);
        CHECK(n < 0 || n == 6);
    }
    n = n < 0 ? n : weft_stream_write_eof(weft_process_stdin(process));
    n = n < 0 ? n : weft_process_wait(process);
    weft_process_free(process);
    return (int)n;
}

static weft_coro *conversing(void)
{
    return converses();
}

ALONE(a_conversation_can_be_cancelled_at_every_step)
{
    AT_EVERY_STEP(conversing, 0, -ECANCELED);
    EQUAL(children(), 0);
}

/* Who else wants the pipes. */

IN_TASK(without_a_pipe_there_is_no_stream)
{
    weft_process *process = shell("exit 0", &(weft_process_options){ .out = WEFT_PIPE });
    char c;

    CHECK(!weft_process_stdin(process));
    CHECK(!weft_process_stderr(process));
    CHECK(!weft_process_stdin(NULL));
    EQUAL(say(process, "x"), -EINVAL);
    EQUAL(weft_stream_read(weft_process_stderr(process), &c, 1), -EINVAL);
    EQUAL(weft_process_wait(process), 0);
    weft_process_free(process);
}

IN_TASK(a_pipe_with_a_stream_is_not_given_away)
{
    weft_process *process = shell("cat", &all_pipes);
    int fd;

    EQUAL(say(process, "x\n"), 2);
    EQUAL(weft_process_take_fd(process, 0), -EBUSY);
    SAME(weft_error_detail(), "this pipe has a stream: weft_process_stdin() and its like");
    EQUAL(weft_process_communicate(process, "y", 1, NULL, NULL), -EBUSY);
    SAME(weft_error_detail(), "this process has streams: weft_process_stdin() and its like");
    fd = weft_process_take_fd(process, 2);
    CHECK(fd >= 0);
    close(fd);
    CHECK(!weft_process_stderr(process));
    next_line_is(weft_process_stdout(process), "x\n");
    weft_process_free(process);
}

WEFT_ASYNC(communicates, (weft_process *, process))
{
    return weft_process_communicate(process, NULL, 0, NULL, NULL);
}

ON_ANY_SYSTEM(a_pipe_that_communicate_uses_has_no_stream)
{
    weft_process *process = shell("exec sleep 1000", &all_pipes);
    weft_task *task = weft_create_task(communicates(process), NULL);
    char c;

    weft_sleep(0.001);
    EQUAL(weft_stream_read(weft_process_stdout(process), &c, 1), -EBUSY);
    SAME(weft_error_detail(), "weft_process_communicate() has begun to use the pipes");
    EQUAL(say(process, "x"), -EBUSY);
    EQUAL(weft_stream_close(weft_process_stdin(process)), -EBUSY);
    weft_process_kill(process);
    EQUAL(weft_await(task), 256 + SIGKILL);
    CHECK(!weft_process_stdout(process)); /* it is closed now */
    weft_process_free(process);
}

static weft_process *kept;

static void *asks_elsewhere(void *unused)
{
    char c;

    EQUAL(weft_stream_read(weft_process_stdout(kept), &c, 1), -EXDEV);
    return unused;
}

IN_TASK(other_threads_get_no_stream)
{
    kept = shell("cat", &all_pipes);
    in_thread(asks_elsewhere, NULL);
    CHECK(weft_process_stdout(kept) != NULL);
    in_thread(asks_elsewhere, NULL);
    weft_process_free(kept);
}

static int asks_after_fork(void)
{
    char c;

    EQUAL(weft_stream_read(weft_process_stdout(kept), &c, 1), -ECHILD);
    return 0;
}

IN_TASK(a_forked_child_gets_no_stream)
{
    char text[200];

    if (strncmp(backend(), "glib", 4) == 0) {
        return; /* it has a thread of its own, beside which sanitizers do not let a process fork */
    }
    kept = shell("cat", &all_pipes);
    EQUAL(in_child(asks_after_fork, text, sizeof text), 0);
    CHECK(weft_process_stdout(kept) != NULL);
    EQUAL(in_child(asks_after_fork, text, sizeof text), 0);
    EQUAL(say(kept, "x\n"), 2);
    next_line_is(weft_process_stdout(kept), "x\n");
    weft_process_free(kept);
}

/* The loop's close. */

WEFT_ASYNC(leaves_one, (const char *, command), (bool, to_end))
{
    kept = shell(command, &all_pipes);
    CHECK(weft_process_stdout(kept) != NULL);
    return to_end ? weft_process_wait(kept) : 0;
}

IN_LOOP(a_loop_closes_the_streams_of_a_child_that_runs)
{
    weft_stream *out;

    EQUAL(run(leaves_one("exec sleep 1000", false)), 0);
    out = weft_process_stdout(kept);
    close_loop();
    EQUAL(next_report()->kind, WEFT_REPORT_PROCESS_RUNNING);
    EQUAL(weft_stream_fd(out), -EBADF);
    EQUAL(weft_process_free(kept), 0);
}

IN_LOOP(a_process_outlives_its_loop_and_gives_no_more_streams)
{
    char c;

    EQUAL(run(leaves_one("exit 5", true)), 5);
    close_loop();
    EQUAL(weft_stream_fd(weft_process_stdout(kept)), -EBADF);
    CHECK(weft_stream_read(weft_process_stderr(kept), &c, 1) < 0);
    EQUAL(weft_process_returncode(kept), 5);
    EQUAL(weft_process_free(kept), 0);
}

/* Faults. */

WEFT_ASYNC(tries_to_converse)
{
    const char *const cat[] = { "cat", NULL };
    weft_process *process = NULL;
    char line[10];
    int r = tried(weft_create_subprocess_exec(cat, &all_pipes, &process));

    if (r < 0) {
        CHECK(!process);
        return 0;
    }
    if (tried((int)say(process, "hello\n")) == 6 &&
        tried((int)weft_stream_readline(weft_process_stdout(process), line, sizeof line)) > 0) {
        CHECK(memcmp(line, "hello\n", 6) == 0);
        r = tried(weft_stream_write_eof(weft_process_stdin(process)));
        if (r == 0) {
            tried((int)weft_stream_read(weft_process_stderr(process), line, sizeof line));
            tried(weft_process_wait(process));
        }
    }
    weft_process_free(process);
    return 0;
}

static int converse(void)
{
    int r = run_in_loop(tries_to_converse());

    EQUAL(children(), 0);
    return r;
}

EACH_FAULT_WHILE_IT(converse)

static CU_TestInfo tests[] = {
    TEST(a_conversation_goes_line_by_line),
    TEST(output_and_error_are_two_streams),
    TEST(each_pipe_has_one_stream_that_goes_one_way),
    TEST(a_limit_is_how_much_a_stream_keeps),
    TEST(much_goes_both_ways_at_once),
    TEST(what_a_child_wrote_can_be_read_after_its_end),
    TEST(writing_to_a_child_that_reads_no_more_is_an_error),
    TEST(a_child_that_ends_early_ends_a_write_that_waits),
    TEST(closing_a_stream_closes_its_pipe),
    TEST(a_free_closes_the_streams_whoever_uses_them),
    TEST(a_detached_child_finds_its_pipes_closed),
    TEST(a_read_that_is_cancelled_loses_nothing),
    TEST(a_conversation_can_be_cancelled_at_every_step),
    TEST(without_a_pipe_there_is_no_stream),
    TEST(a_pipe_with_a_stream_is_not_given_away),
    TEST(a_pipe_that_communicate_uses_has_no_stream),
    TEST(other_threads_get_no_stream),
    TEST(a_forked_child_gets_no_stream),
    TEST(a_loop_closes_the_streams_of_a_child_that_runs),
    TEST(a_process_outlives_its_loop_and_gives_no_more_streams),
    TEST(each_fault_while_it_converse),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(process_stream, tests)
