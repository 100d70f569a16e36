/* SPDX-License-Identifier: MIT
 * Debug mode: descriptors that are closed twice, used when they are closed, or another file's by
 * now; and what looks like that and is right. */
#include "tests/task/debug.h"
#include "tests/task/fault.h"

#include <fcntl.h>
#include <weft/file.h>
#include <weft/io.h>

static int ends[2];

static void open_ends(void)
{
    EQUAL(weft_pipe(ends), 0);
}

static void close_ends(void)
{
    EQUAL(weft_close(ends[0]), 0);
    EQUAL(weft_close(ends[1]), 0);
}

WEFT_ASYNC(closes, (int, fd))
{
    return weft_close(fd);
}

WEFT_ASYNC(waits_for, (int, fd))
{
    return weft_wait_readable(fd);
}

static void await_named(weft_coro *coro, const char *name, int status)
{
    EQUAL(weft_await(named(coro, name)), status);
}

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

IN_TASK(a_descriptor_that_is_closed_twice)
{
    watch_for("fd,made");
    open_ends();
    await_named(closes(ends[0]), "first", 0);
    SILENT();
    await_named(closes(ends[0]), "second", -EBADF);
    EQUAL(told.status, -EBADF);
    SAME(told.message, "closes a descriptor that is closed");
    CHECK(says(told.what, "which task 'first' has closed"));
    CHECK(leads_to(told.made, told.made_count, "closes"));
    CHECK(leads_to(told.stack, told.stack_count, "closes"));
    TOLD_ABOUT(WEFT_REPORT_FD, "second");
    EQUAL(weft_close(ends[1]), 0);
    SILENT();
}

IN_TASK(a_number_that_is_given_out_again_may_be_closed_again)
{
    int former;

    watch_for("fd,made");
    open_ends();
    former = ends[0];
    close_ends();
    open_ends();
    EQUAL(ends[0], former);
    close_ends();
    SILENT();
}

IN_TASK(one_that_was_never_open_is_told_and_minus_one_is_not)
{
    watch_for("fd");
    EQUAL(weft_close(-1), -EBADF);
    EQUAL(weft_wait_readable(-1), -EBADF);
    SILENT();
    EQUAL(weft_close(1000), -EBADF);
    SAME(told.message, "closes a descriptor that is not open");
    SAME(told.what, "descriptor 1000");
    EQUAL(told.made_count, 0);
    EQUAL(told.kind, WEFT_REPORT_FD);
    EQUAL(told.count, 1);
}

IN_TASK(files_are_told_in_the_same_way)
{
    int fd = weft_file_open("/dev/null", O_RDONLY, 0);

    CHECK(fd >= 0);
    watch_for("fd");
    EQUAL(weft_file_close(fd), 0);
    SILENT();
    EQUAL(weft_file_close(fd), -EBADF);
    EQUAL(told.kind, WEFT_REPORT_FD);
    EQUAL(told.count, 1);
}

IN_TASK(a_read_of_a_closed_descriptor)
{
    char byte;

    watch_for("fd");
    open_ends();
    close_ends();
    EQUAL(weft_read(ends[0], &byte, 1), -EBADF);
    SAME(told.message, "uses a descriptor that is closed");
    EQUAL(told.kind, WEFT_REPORT_FD);
    EQUAL(told.count, 1);
}

IN_TASK(a_read_of_an_end_for_writing_is_another_mistake)
{
    char byte;

    watch_for("fd");
    open_ends();
    EQUAL(weft_read(ends[1], &byte, 1), -EBADF);
    close_ends();
    SILENT();
}

IN_TASK(a_wait_for_a_closed_descriptor)
{
    if (is_virtual()) {
        return; /* it watches nothing */
    }
    watch_for("fd,made");
    open_ends();
    await_named(closes(ends[0]), "closer", 0);
    await_named(waits_for(ends[0]), "waiter", -EBADF);
    CHECK(says(told.what, "which task 'closer' has closed"));
    CHECK(leads_to(told.made, told.made_count, "closes"));
    TOLD_ABOUT(WEFT_REPORT_FD, "waiter");
    EQUAL(weft_close(ends[1]), 0);
    SILENT();
}

IN_TASK(a_close_that_ends_a_wait_is_right)
{
    weft_task *waiter;

    if (is_virtual()) {
        return;
    }
    watch_for("fd,made");
    open_ends();
    waiter = named(waits_for(ends[0]), "waiter");
    give_way(2);
    close_ends();
    EQUAL(weft_await(waiter), -EBADF);
    SILENT();
}

/* Puts another pipe's end in the place of ends[0], as close(2) and an open(2) would. */
static void replace_end(int other[2])
{
    EQUAL(pipe2(other, O_NONBLOCK | O_CLOEXEC), 0);
    EQUAL(close(ends[0]), 0);
    EQUAL(fcntl(other[0], F_DUPFD_CLOEXEC, ends[0]), ends[0]);
}

IN_TASK(a_number_that_is_another_files_by_now)
{
    weft_task *waiter;
    int other[2];

    if (is_virtual()) {
        return;
    }
    watch_for("fd,made");
    open_ends();
    waiter = named(waits_for(ends[0]), "before");
    give_way(2);
    EQUAL(weft_task_cancel(waiter), 0);
    EQUAL(weft_await(waiter), -ECANCELED);
    replace_end(other);
    EQUAL(write(other[1], "x", 1), 1);
    await_named(waits_for(ends[0]), "after", 0);
    CHECK(says(told.message, "closed without weft_close()"));
    CHECK(says(told.what, "which task 'before' has watched"));
    CHECK(leads_to(told.made, told.made_count, "waits_for"));
    TOLD_ABOUT(WEFT_REPORT_FD, "after");
    await_named(waits_for(ends[0]), "again", 0); /* is told once */
    SILENT();
    close_ends();
    EQUAL(weft_close(other[0]), 0);
    EQUAL(weft_close(other[1]), 0);
    SILENT();
}

IN_TASK(a_number_that_was_closed_in_between_is_not_the_same)
{
    int other[2];

    if (is_virtual()) {
        return;
    }
    watch_for("fd,made");
    open_ends();
    EQUAL(write(ends[1], "x", 1), 1);
    await_named(waits_for(ends[0]), "before", 0);
    EQUAL(pipe2(other, O_NONBLOCK | O_CLOEXEC), 0);
    EQUAL(weft_close(ends[0]), 0);
    EQUAL(fcntl(other[0], F_DUPFD_CLOEXEC, ends[0]), ends[0]);
    EQUAL(write(other[1], "x", 1), 1);
    await_named(waits_for(ends[0]), "after", 0);
    close_ends();
    EQUAL(weft_close(other[0]), 0);
    EQUAL(weft_close(other[1]), 0);
    SILENT();
}

IN_TASK(weft_gets_a_number_that_is_watched_still)
{
    int other[2];

    if (is_virtual()) {
        return;
    }
    watch_for("fd,made");
    open_ends();
    EQUAL(weft_loop_add_reader(NULL, ends[0], count_up, NULL), 0);
    EQUAL(close(ends[0]), 0);
    EQUAL(weft_pipe(other), 0);
    EQUAL(other[0], ends[0]);
    CHECK(says(told.message, "whose number is watched still"));
    EQUAL(told.kind, WEFT_REPORT_FD);
    EQUAL(told.count, 1);
    close_ends();
    EQUAL(weft_close(other[1]), 0);
    EQUAL(told.count, 1);
}

IN_TASK(a_callback_that_is_removed_may_be_followed_by_close)
{
    int other[2];

    if (is_virtual()) {
        return;
    }
    watch_for("fd,made");
    open_ends();
    EQUAL(weft_loop_add_reader(NULL, ends[0], count_up, NULL), 0);
    EQUAL(weft_loop_remove_reader(NULL, ends[0]), 1);
    EQUAL(close(ends[0]), 0);
    EQUAL(weft_pipe(other), 0);
    EQUAL(other[0], ends[0]);
    close_ends();
    EQUAL(weft_close(other[1]), 0);
    SILENT();
}

static void closes_it_again(weft_loop *from, const weft_report *report, void *fd)
{
    debug_keep(from, report, NULL);
    EQUAL(weft_debug_set(from, "0"), 0);
    EQUAL(weft_close(*(int *)fd), -EBADF);
}

IN_TASK(who_hears_of_it_may_close_and_switch_it_off)
{
    watch_for("fd,made");
    EQUAL(weft_loop_set_exception_handler(NULL, closes_it_again, &ends[0]), 0);
    open_ends();
    close_ends();
    EQUAL(weft_close(ends[0]), -EBADF);
    EQUAL(told.count, 1);
}

/* So many that the map grows. */
WEFT_ASYNC(uses_descriptors_in_debug_mode)
{
    int fds[40][2], count = 0;

    tried(weft_debug_set(NULL, "fd,made"));
    while (count < 40 && tried(weft_pipe(fds[count])) == 0) {
        if (!is_virtual()) {
            tried(weft_wait_writable(fds[count][1]));
        }
        count++;
    }
    for (int i = 0; i < count; i++) {
        tried(weft_close(fds[i][0]));
        tried(weft_close(fds[i][1]));
        EQUAL(weft_close(fds[i][0]), -EBADF);
    }
    return 0;
}

static int uses_descriptors(void)
{
    return run_in_loop(uses_descriptors_in_debug_mode());
}

EACH_FAULT_WHILE_IT(uses_descriptors)

static CU_TestInfo tests[] = {
    TEST(a_descriptor_that_is_closed_twice),
    TEST(a_number_that_is_given_out_again_may_be_closed_again),
    TEST(one_that_was_never_open_is_told_and_minus_one_is_not),
    TEST(files_are_told_in_the_same_way),
    TEST(a_read_of_a_closed_descriptor),
    TEST(a_read_of_an_end_for_writing_is_another_mistake),
    TEST(a_wait_for_a_closed_descriptor),
    TEST(a_close_that_ends_a_wait_is_right),
    TEST(a_number_that_is_another_files_by_now),
    TEST(a_number_that_was_closed_in_between_is_not_the_same),
    TEST(weft_gets_a_number_that_is_watched_still),
    TEST(a_callback_that_is_removed_may_be_followed_by_close),
    TEST(who_hears_of_it_may_close_and_switch_it_off),
    TEST(each_fault_while_it_uses_descriptors),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_fd, tests)
