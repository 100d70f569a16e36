/* SPDX-License-Identifier: MIT
 * Talking to processes: all of their input, all of their output. */
#include "tests/task/process.h"

#include <fcntl.h>
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

/* Bytes that tell where they are. */
static char *pattern(size_t size)
{
    char *bytes = malloc(size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 7 + i / 251);
    }
    return bytes;
}

ON_ANY_SYSTEM(output_and_error_come_apart)
{
    weft_process *process = shell("read x; echo out $x; echo err $x >&2; exit 7", &all_pipes);
    weft_buffer out = { 0 }, err = { 0 };

    EQUAL(weft_process_communicate(process, "word\n", 5, &out, &err), 7);
    SAME(out.data, "out word\n");
    SAME(err.data, "err word\n");
    EQUAL(weft_process_communicate(process, NULL, 0, &out, &err), 7); /* there is no more */
    EQUAL(out.len, 9);
    weft_buffer_clear(&out);
    weft_buffer_clear(&err);
    weft_process_free(process);
}

ON_ANY_SYSTEM(much_goes_both_ways_at_once)
{
    size_t size = (size_t)many(3000) * 1000;
    char *bytes = pattern(size);
    weft_process *process = shell("cat", &all_pipes);
    weft_buffer out = { 0 }, err = { 0 };

    EQUAL(weft_process_communicate(process, bytes, size, &out, &err), 0);
    EQUAL(out.len, size);
    CHECK(out.len == size && memcmp(out.data, bytes, size) == 0);
    EQUAL(err.len, 0);
    weft_buffer_clear(&out);
    weft_buffer_clear(&err);
    weft_process_free(process);
    free(bytes);
}

IN_TASK(what_is_read_is_added_to_what_the_buffer_holds)
{
    weft_process *process = shell("echo b", &(weft_process_options){ .out = WEFT_PIPE });
    weft_buffer out = { 0 };

    weft_buffer_append(&out, "a", 1);
    EQUAL(weft_process_communicate(process, NULL, 0, &out, NULL), 0);
    SAME(out.data, "ab\n");
    weft_buffer_clear(&out);
    weft_process_free(process);
}

IN_TASK(output_that_nobody_wants_is_thrown_away)
{
    weft_process *process =
        shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", &all_pipes);

    EQUAL(weft_process_communicate(process, NULL, 0, NULL, NULL), 0);
    weft_process_free(process);
}

IN_TASK(a_child_without_pipes_is_only_waited_for)
{
    weft_process *process = shell("exit 4", NULL);
    weft_buffer out = { 0 };

    EQUAL(weft_process_communicate(process, NULL, 0, &out, &out), 4);
    EQUAL(out.len, 0);
    EQUAL(weft_process_communicate(process, "x", 1, NULL, NULL), -EINVAL);
    SAME(weft_error_detail(), "input for a process that was made without .in = WEFT_PIPE");
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_child_need_not_want_its_input)
{
    size_t size = 500000;
    char *bytes = pattern(size);
    weft_process *process = shell("exec <&-; echo done", &all_pipes);
    weft_buffer out = { 0 };
    sigset_t pending;

    EQUAL(weft_process_communicate(process, bytes, size, &out, NULL), 0);
    SAME(out.data, "done\n");
    EQUAL(sigpending(&pending), 0);
    EQUAL(sigismember(&pending, SIGPIPE), 0); /* and it did not kill us */
    weft_buffer_clear(&out);
    weft_process_free(process);
    free(bytes);
}

IN_TASK(a_broken_pipe_leaves_a_signal_of_others_pending)
{
    weft_process *process = shell("exec <&-; sleep 0.02", &all_pipes);
    char *bytes = pattern(200000);
    const struct timespec now = { 0, 0 };
    sigset_t broken, before, pending;

    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    raise(SIGPIPE);
    EQUAL(weft_process_communicate(process, bytes, 200000, NULL, NULL), 0);
    EQUAL(sigpending(&pending), 0);
    EQUAL(sigismember(&pending, SIGPIPE), 1);
    EQUAL(sigtimedwait(&broken, NULL, &now), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    weft_process_free(process);
    free(bytes);
}

ON_ANY_SYSTEM(a_child_may_close_its_output_and_go_on)
{
    weft_process *process = shell("exec >&- 2>&-; sleep 0.03; exit 5", &all_pipes);
    weft_buffer out = { 0 };

    EQUAL(weft_process_communicate(process, NULL, 0, &out, NULL), 5);
    EQUAL(out.len, 0);
    weft_buffer_clear(&out);
    weft_process_free(process);
}

WEFT_ASYNC(talks, (weft_process *, process), (const char *, in), (size_t, size),
           (weft_buffer *, out))
{
    return weft_process_communicate(process, in, size, out, NULL);
}

ON_ANY_SYSTEM(a_talk_that_was_cancelled_goes_on)
{
    size_t size = 400000;
    char *bytes = pattern(size);
    weft_process *process = shell("head -c 1000; sleep 0.3; cat", &all_pipes);
    weft_buffer out = { 0 };

    for (int i = 0; i < 3; i++) {
        EQUAL(weft_wait_for(talks(process, bytes, size, &out), 0.005), -ETIMEDOUT);
        EQUAL(out.len, 0); /* nothing before the end */
    }
    EQUAL(weft_process_communicate(process, bytes, 10, &out, NULL), -EINVAL); /* less than before */
    EQUAL(weft_process_communicate(process, bytes, size, &out, NULL), 0);
    EQUAL(out.len, size);
    CHECK(out.len == size && memcmp(out.data, bytes, size) == 0);
    weft_buffer_clear(&out);
    weft_process_free(process);
    free(bytes);
}

IN_TASK(a_task_that_is_cancelled_does_not_begin_to_talk)
{
    weft_process *process = shell("cat", &all_pipes);
    weft_task *task = weft_create_task(talks(process, "abc", 3, NULL), NULL);
    weft_buffer out = { 0 };

    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_process_communicate(process, "abc", 3, &out, NULL), 0);
    SAME(out.data, "abc");
    weft_buffer_clear(&out);
    weft_process_free(process);
}

ON_ANY_SYSTEM(more_than_the_limit_is_an_error_that_can_be_mended)
{
    weft_communicate_options options = { .limit = 100 };
    weft_process *process = shell("head -c 70 /dev/zero; head -c 70 /dev/zero >&2", &all_pipes);
    weft_buffer out = { 0 }, err = { 0 };

    EQUAL(weft_process_communicate_with(process, NULL, 0, &options, &out, &err), -EMSGSIZE);
    EQUAL(out.len + err.len, 0);
    options.limit = 139;
    EQUAL(weft_process_communicate_with(process, NULL, 0, &options, &out, &err), -EMSGSIZE);
    options.limit = 140;
    EQUAL(weft_process_communicate_with(process, NULL, 0, &options, &out, &err), 0);
    EQUAL(out.len, 70);
    EQUAL(err.len, 70);
    weft_buffer_clear(&out);
    weft_buffer_clear(&err);
    weft_process_free(process);
}

/* Those whom the child leaves behind. */

/* The command leaves somebody behind who holds the pipes until `fd` can be read, and says so. */
static weft_process *with_heir(int *ret_fd)
{
    int gate[2];
    weft_process *process;

    CHECK(pipe2(gate, O_CLOEXEC) == 0);
    process = shell(
        "echo early; (cat <&5 >/dev/null; echo late) & exit 6",
        &(weft_process_options){
            .out = WEFT_PIPE, .pass_fds = gate, .pass_fds_as = (int[]){ 5 }, .pass_fds_count = 1 });
    close(gate[0]);
    *ret_fd = gate[1];
    return process;
}

ON_ANY_SYSTEM(a_wait_ends_with_the_child_whoever_holds_its_pipes)
{
    int gate;
    weft_process *process = with_heir(&gate);

    EQUAL(weft_process_wait(process), 6);
    close(gate);
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_talk_ends_when_nobody_holds_the_pipes)
{
    int gate;
    weft_process *process = with_heir(&gate);
    weft_buffer out = { 0 };

    EQUAL(weft_wait_for(talks(process, NULL, 0, &out), 0.02), -ETIMEDOUT);
    EQUAL(weft_process_wait(process), 6);
    close(gate);
    EQUAL(weft_process_communicate(process, NULL, 0, &out, NULL), 6);
    SAME(out.data, "early\nlate\n");
    weft_buffer_clear(&out);
    weft_process_free(process);
}

ON_ANY_SYSTEM(a_talk_until_exit_waits_for_nobody_else)
{
    int gate;
    weft_process *process = with_heir(&gate);
    weft_buffer out = { 0 };

    EQUAL(weft_process_communicate_with(
              process, NULL, 0, &(weft_communicate_options){ .until_exit = true }, &out, NULL),
          6);
    SAME(out.data, "early\n");
    close(gate);
    weft_buffer_clear(&out);
    weft_process_free(process);
}

/* Several, and others. */

ON_ANY_SYSTEM(only_one_task_talks_at_a_time)
{
    weft_process *process = sleeper();
    weft_task *task = weft_create_task(talks(process, NULL, 0, NULL), NULL);

    weft_sleep(0.001);
    EQUAL(weft_process_communicate(process, NULL, 0, NULL, NULL), -EBUSY);
    EQUAL(weft_process_take_fd(process, 1), -EBUSY);
    weft_process_kill(process);
    EQUAL(weft_await(task), 256 + SIGKILL);
    weft_process_free(process);
}

ON_ANY_SYSTEM(who_talks_to_a_process_that_is_freed_is_told)
{
    weft_process *process = sleeper();
    weft_task *task = weft_create_task(talks(process, NULL, 0, NULL), NULL);

    weft_sleep(0.001);
    EQUAL(weft_process_free(process), 0);
    EQUAL(weft_await(task), -EBADF);
}

IN_TASK(a_pipe_can_be_taken)
{
    weft_process *process = shell("cat", &all_pipes);
    int in = weft_process_take_fd(process, 0), out = weft_process_take_fd(process, 1);
    char c = 0;

    CHECK(in >= 0 && out >= 0);
    EQUAL(fcntl(in, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(in, F_GETFL) & O_NONBLOCK);
    EQUAL(weft_process_take_fd(process, 0), -EBADF);
    EQUAL(weft_process_take_fd(process, 3), -EBADF); /* it has no terminal */
    EQUAL(weft_process_take_fd(process, 4), -EINVAL);
    EQUAL(weft_process_take_fd(process, -1), -EINVAL);
    EQUAL(weft_process_communicate(process, NULL, 0, NULL, NULL), -EBUSY);
    EQUAL(write(in, "x", 1), 1);
    close(in);
    EQUAL(weft_process_wait(process), 0);
    EQUAL(read(out, &c, 1), 1);
    EQUAL(c, 'x');
    EQUAL(read(out, &c, 1), 0);
    close(out);
    weft_process_free(process);
}

WEFT_ASYNC(runs_cat, (int, number))
{
    char in[30];
    weft_buffer out = { 0 };
    weft_process *process = shell("cat", &all_pipes);
    int r;

    snprintf(in, sizeof in, "number %d", number);
    r = weft_process_communicate(process, in, strlen(in), &out, NULL);
    SAME(out.data, in);
    weft_buffer_clear(&out);
    weft_process_free(process);
    return r;
}

IN_TASK(many_talks_go_on_side_by_side)
{
    weft_task *tasks[30];

    for (int i = 0; i < 30; i++) {
        tasks[i] = weft_create_task(runs_cat(i), NULL);
    }
    for (int i = 0; i < 30; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
}

static CU_TestInfo tests[] = {
    TEST(output_and_error_come_apart),
    TEST(much_goes_both_ways_at_once),
    TEST(what_is_read_is_added_to_what_the_buffer_holds),
    TEST(output_that_nobody_wants_is_thrown_away),
    TEST(a_child_without_pipes_is_only_waited_for),
    TEST(a_child_need_not_want_its_input),
    TEST(a_broken_pipe_leaves_a_signal_of_others_pending),
    TEST(a_child_may_close_its_output_and_go_on),
    TEST(a_talk_that_was_cancelled_goes_on),
    TEST(a_task_that_is_cancelled_does_not_begin_to_talk),
    TEST(more_than_the_limit_is_an_error_that_can_be_mended),
    TEST(a_wait_ends_with_the_child_whoever_holds_its_pipes),
    TEST(a_talk_ends_when_nobody_holds_the_pipes),
    TEST(a_talk_until_exit_waits_for_nobody_else),
    TEST(only_one_task_talks_at_a_time),
    TEST(who_talks_to_a_process_that_is_freed_is_told),
    TEST(a_pipe_can_be_taken),
    TEST(many_talks_go_on_side_by_side),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(process_talk, tests)
