/* SPDX-License-Identifier: MIT
 * Files: what the operations return, that the loop goes on meanwhile, what cancels do. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"
#include "tests/task/thread.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

IN_TASK(what_was_written_is_read)
{
    char text[16] = "";
    int fd = weft_file_open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC, 0600);

    CHECK(fd >= 0);
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EQUAL(weft_file_write(fd, "hello", 5), 5);
    EQUAL(weft_file_write(fd, " you", 4), 4);
    EQUAL(weft_file_seek(fd, 0, SEEK_SET), 0);
    EQUAL(weft_file_read(fd, text, sizeof text), 9);
    SAME(text, "hello you");
    EQUAL(weft_file_read(fd, text, sizeof text), 0);
    EQUAL(weft_file_size(fd), 9);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(fcntl(fd, F_GETFD), -1);
}

IN_TASK(a_place_can_be_read_and_written_and_the_position_stays)
{
    char text[16] = "";
    int fd = weft_file_open(file_of("a", "0123456789"), O_RDWR, 0);

    EQUAL(weft_file_pread(fd, text, 3, 4), 3);
    SAME(text, "456");
    EQUAL(weft_file_pwrite(fd, "xy", 2, 9), 2);
    EQUAL(weft_file_seek(fd, 0, SEEK_CUR), 0);
    EQUAL(weft_file_pread(fd, text, sizeof text, 9), 2);
    EQUAL(weft_file_pread(fd, text, sizeof text, 100), 0);
    EQUAL(weft_file_pread(fd, text, 1, -1), -EINVAL);
    EQUAL(weft_file_pwrite(fd, text, 1, -1), -EINVAL);
    EQUAL(weft_file_close(fd), 0);
    HOLDS(scratch("a"), "012345678xy");
}

IN_TASK(several_buffers_are_read_and_written_in_their_order)
{
    char a[4] = "", b[8] = "";
    struct iovec out[] = { { (void *)"one", 3 }, { (void *)"", 0 }, { (void *)"two", 3 } };
    struct iovec in[] = { { a, 2 }, { b, sizeof b - 1 } };
    int fd = weft_file_open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC, 0600);

    EQUAL(weft_file_writev(fd, out, 3, -1), 6);
    EQUAL(weft_file_writev(fd, out, 3, 6), 6);
    EQUAL(weft_file_seek(fd, 0, SEEK_CUR), 6);
    EQUAL(weft_file_readv(fd, in, 2, 3), 9);
    SAME(a, "tw");
    SAME(b, "oonetwo");
    EQUAL(weft_file_readv(fd, in, 2, -1), 6);
    EQUAL(weft_file_readv(fd, in, -1, 0), -EINVAL);
    EQUAL(weft_file_readv(fd, in, 1025, 0), -EINVAL);
    EQUAL(weft_file_writev(fd, NULL, 1, 0), -EINVAL);
    EQUAL(weft_file_writev(fd, out, 1, -2), -EINVAL);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(a_large_read_goes_to_the_end)
{
    size_t size = 3u << 20;
    const char *path = file_of_size("large", size);
    char *memory = malloc(size + 10);
    int fd = weft_file_open(path, O_RDONLY, 0);
    bool same = true;

    EQUAL(weft_file_read(fd, memory, size + 10), size);
    for (size_t i = 0; i < size; i++) {
        same &= (unsigned char)memory[i] == byte_at(i);
    }
    CHECK(same);
    for (size_t i = 0; i < size; i += 100000) { /* in parts, which are in memory */
        EQUAL(weft_file_pread(fd, memory, 100000, (int64_t)i),
              size - i < 100000 ? size - i : 100000);
        same &= (unsigned char)memory[0] == byte_at(i);
    }
    CHECK(same);
    EQUAL(weft_file_close(fd), 0);
    free(memory);
}

IN_TASK(a_file_that_shrinks_ends_where_it_ends)
{
    char text[16];
    int fd = weft_file_open(file_of("a", "0123456789"), O_RDWR, 0);

    EQUAL(weft_file_read(fd, text, 5), 5);
    EQUAL(weft_file_truncate(fd, 7), 0);
    EQUAL(weft_file_read(fd, text, 5), 2);
    EQUAL(weft_file_truncate(fd, 2), 0);
    EQUAL(weft_file_read(fd, text, 5), 0);
    EQUAL(weft_file_truncate(fd, -1), -EINVAL);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(a_file_may_be_huge_and_sparse)
{
    int64_t tib = INT64_C(1) << 40;
    struct stat found;
    char text[4] = "";
    int fd = weft_file_open(scratch("sparse"), O_RDWR | O_CREAT, 0600);

    EQUAL(weft_file_truncate(fd, tib), 0);
    EQUAL(weft_file_pwrite(fd, "end", 3, tib), 3);
    EQUAL(weft_file_size(fd), tib + 3);
    EQUAL(weft_file_pread(fd, text, 3, tib), 3);
    SAME(text, "end");
    EQUAL(weft_file_pread(fd, text, 3, tib / 2), 3);
    EQUAL(text[0], 0);
    EQUAL(weft_file_stat(fd, &found), 0);
    CHECK(found.st_blocks < 1000);
    EQUAL(weft_file_seek(fd, -3, SEEK_END), tib);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(weft_unlink(scratch("sparse")), 0);
}

IN_TASK(room_can_be_made_and_what_was_written_synchronised)
{
    int fd = weft_file_open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC, 0600);

    EQUAL(weft_file_allocate(fd, 0, 10000), 0);
    EQUAL(weft_file_size(fd), 10000);
    EQUAL(weft_file_allocate(fd, 0, 0), -EINVAL);
    EQUAL(weft_file_fsync(fd), 0);
    EQUAL(weft_file_fdatasync(fd), 0);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(weft_file_fsync(fd), -EBADF);
}

IN_TASK(what_cannot_be_opened_says_why)
{
    char long_name[300];

    memset(long_name, 'x', sizeof long_name);
    long_name[299] = '\0';
    EQUAL(weft_file_open(scratch("none"), O_RDONLY, 0), -ENOENT);
    EQUAL(weft_file_open(scratch(""), O_WRONLY, 0), -EISDIR);
    EQUAL(weft_file_open(file_of("a", ""), O_CREAT | O_EXCL, 0), -EEXIST);
    EQUAL(weft_file_open(scratch("a/b"), O_RDONLY, 0), -ENOTDIR);
    EQUAL(weft_file_open(scratch(long_name), O_RDONLY, 0), -ENAMETOOLONG);
    EQUAL(weft_file_open(NULL, O_RDONLY, 0), -EINVAL);
    EQUAL(weft_file_open("", O_RDONLY, 0), -ENOENT);
}

WEFT_ASYNC(is_locked_out)
{
    EQUAL(weft_file_open(scratch("locked"), O_RDONLY, 0), -EACCES);
    EQUAL(weft_file_open("/etc/weft-new", O_WRONLY | O_CREAT, 0600), -EACCES);
    EQUAL(weft_access(scratch("locked"), R_OK), -EACCES);
    EQUAL(weft_chmod("/etc", 0700), -EPERM);
    return 0;
}

ALONE(what_is_forbidden_says_so)
{
    EQUAL(chmod(file_of("locked", ""), 0), 0);
    without_rights(is_locked_out);
}

IN_TASK(without_a_free_descriptor_nothing_is_opened)
{
    struct rlimit before, none;
    int zero = 0, next;

    EQUAL(weft_to_thread(job_gives, &zero), 0);
    EQUAL(weft_access("/dev/null", R_OK), 0); /* the threads are there */
    next = weft_file_open("/dev/null", O_RDONLY, 0);
    EQUAL(weft_file_close(next), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    /* Not 0: poll(2) takes no more descriptors than this. */
    none = (struct rlimit){ (rlim_t)next, before.rlim_max };
    setrlimit(RLIMIT_NOFILE, &none);
    EQUAL(weft_file_open("/dev/null", O_RDONLY, 0), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
}

IN_TASK(a_full_disk_is_an_error_and_never_a_short_write)
{
    int fd = weft_file_open("/dev/full", O_WRONLY, 0);

    EQUAL(weft_file_write(fd, "x", 1), -ENOSPC);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(a_limit_of_size_is_an_error_and_sends_no_signal)
{
    struct rlimit before, small;
    static char zeros[3000];
    struct iovec parts[] = { { zeros, 3000 }, { zeros, 3000 } };
    int fd = weft_file_open(scratch("limited"), O_RDWR | O_CREAT | O_TRUNC, 0600);

    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){ 5000, before.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);
    EQUAL(weft_file_write(fd, zeros, 3000), 3000);
    EQUAL(weft_file_write(fd, zeros, 3000), -EFBIG); /* 2000 of them were written */
    EQUAL(weft_file_writev(fd, parts, 2, 0), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    EQUAL(weft_file_size(fd), 5000);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(a_bad_descriptor_is_an_error)
{
    char byte;
    struct stat found;

    EQUAL(weft_file_read(-1, &byte, 1), -EBADF);
    EQUAL(weft_file_write(-1, &byte, 1), -EBADF);
    EQUAL(weft_file_close(-1), -EBADF);
    EQUAL(weft_file_close(9999), -EBADF);
    EQUAL(weft_file_stat(9999, &found), -EBADF);
    EQUAL(weft_file_size(9999), -EBADF);
    EQUAL(weft_file_read(0, NULL, 1), -EINVAL);
    EQUAL(weft_file_write(0, NULL, 1), -EINVAL);
    EQUAL(weft_file_stat(0, NULL), -EINVAL);
}

IN_LOOP(outside_a_task_nothing_can_be_waited_for_but_a_descriptor_is_closed)
{
    char byte;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    EQUAL(weft_file_open("/dev/null", O_RDONLY, 0), -EPERM);
    EQUAL(weft_file_read(fd, &byte, 1), -EPERM);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(fcntl(fd, F_GETFD), -1);
}

/* The loop goes on: a read of an empty pipe keeps its thread, and nobody else. */

WEFT_ASYNC(reads, (int, fd), (char *, buffer), (size_t, size))
{
    return (int)weft_file_read(fd, buffer, size);
}

/* As a file of tmpfs does, which has no disk; asked for in one piece, and in pieces. */
IN_TASK(a_file_that_lies_in_memory_is_read_without_a_thread)
{
    static char room[300000];
    int fd = memfd_create("file", MFD_CLOEXEC), before = threads();

    EQUAL(write(fd, room, sizeof room), sizeof room);
    EQUAL(weft_file_pread(fd, room, 200000, 50000), 200000);
    EQUAL(weft_file_pread(fd, room, 200000, 200000), 100000); /* to its end */
    EQUAL(weft_file_pread(fd, room, 1, sizeof room), 0);
#ifdef RWF_NOWAIT
    EQUAL(threads(), before);
#endif
    EQUAL(weft_file_pread(fd, room, sizeof room, 0), sizeof room); /* too much for the loop */
    CHECK(threads() > before);
    EQUAL(lseek(fd, 299990, SEEK_SET), 299990);
    EQUAL(weft_file_read(fd, room, 100), 10);
    EQUAL(weft_file_read(fd, room, 100), 0);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(others_run_while_a_file_is_waited_for)
{
    char text[8] = "";
    int ends[2];
    weft_task *reader;

    EQUAL(pipe(ends), 0);
    reader = weft_create_task(reads(ends[0], text, sizeof text), NULL);
    for (int i = 0; i < 100; i++) {
        weft_sleep(0);
    }
    EQUAL(weft_task_status(reader), -EINPROGRESS);
    EQUAL(weft_file_write(ends[1], "abc", 3), 3); /* by another thread */
    EQUAL(weft_await(reader), 3);
    SAME(text, "abc");
    EQUAL(weft_file_close(ends[0]), 0);
    EQUAL(weft_file_close(ends[1]), 0);
}

/* A name in a file system that lies in memory is no promise that there is something to read. */
IN_TASK(others_run_while_a_pipe_with_a_name_is_waited_for)
{
    char name[64], text[8] = "";
    weft_task *reader;
    int fd;

    snprintf(name, sizeof name, "/dev/shm/weft-test-%d", (int)getpid());
    if (mkfifo(name, 0600) < 0) {
        return; /* there is no such file system */
    }
    fd = open(name, O_RDWR | O_CLOEXEC);
    reader = weft_create_task(reads(fd, text, sizeof text), NULL);
    for (int i = 0; i < 100; i++) {
        weft_sleep(0);
    }
    EQUAL(weft_task_status(reader), -EINPROGRESS);
    EQUAL(write(fd, "abc", 3), 3);
    EQUAL(weft_await(reader), 3);
    SAME(text, "abc");
    close(fd);
    unlink(name);
}

WEFT_ASYNC(writes, (int, fd), (const char *, bytes), (size_t, size))
{
    return (int)weft_file_write(fd, bytes, size);
}

IN_TASK(a_cancel_waits_for_what_uses_its_memory_and_gives_the_result)
{
    enum { SIZE = 300000 }; /* more than a pipe holds */
    char *bytes = calloc(2, SIZE);
    int ends[2], arrived = 0;
    weft_task *writer;

    memset(bytes, 'x', SIZE);
    EQUAL(pipe(ends), 0);
    writer = weft_create_task(writes(ends[1], bytes, SIZE), NULL);
    while (ioctl(ends[0], FIONREAD, &arrived) == 0 && arrived == 0) {
        weft_sleep(0); /* until it has begun */
    }
    EQUAL(weft_task_cancel(writer), 0);
    weft_sleep(0);
    EQUAL(weft_task_status(writer), -EINPROGRESS);
    for (ssize_t n, at = 0; at < SIZE; at += n) {
        n = read(ends[0], bytes + SIZE, SIZE);
        if (!CHECK(n > 0)) {
            break;
        }
    }
    EQUAL(weft_await(writer), SIZE);
    EQUAL(weft_file_close(ends[0]), 0);
    EQUAL(weft_file_close(ends[1]), 0);
    free(bytes);
}

IN_TASK(a_task_that_is_cancelled_does_nothing_but_close)
{
    int fd = weft_file_open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    char byte;

    weft_task_cancel(weft_current_task());
    EQUAL(weft_file_open(scratch("new"), O_CREAT | O_RDWR, 0600), -ECANCELED);
    EQUAL(weft_file_write(fd, "x", 1), -ECANCELED);
    EQUAL(weft_file_read(fd, &byte, 1), -ECANCELED);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(fcntl(fd, F_GETFD), -1);
    weft_task_uncancel(weft_current_task());
    CHECK(!is_there(scratch("new")));
    HOLDS(scratch("a"), "");
}

/* At every step: a descriptor that was opened is known to its task, and closed. */

WEFT_ASYNC(copies_by_hand)
{
    char text[64];
    int64_t n = 0;
    int to, from = weft_file_open(scratch("from"), O_RDONLY, 0), r;

    if (from < 0) {
        return from;
    }
    to = weft_file_open(scratch("to"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    r = to < 0 ? to : 0;
    while (r >= 0 && (n = weft_file_read(from, text, sizeof text)) > 0) {
        r = (int)weft_file_write(to, text, (size_t)n);
    }
    r = r < 0 ? r : n < 0 ? (int)n : weft_file_fdatasync(to);
    if (to >= 0) {
        EQUAL(weft_file_close(to), 0);
    }
    EQUAL(weft_file_close(from), 0);
    return r;
}

ALONE(cancelled_at_every_step_no_descriptor_is_left)
{
    file_of_size("from", 200);
    CHECK(AT_EVERY_STEP(copies_by_hand, 0, -ECANCELED) > 4);
}

WEFT_ASYNC(reads_all, (int, fd), (int *, counter))
{
    char text[512];
    int64_t r;

    for (size_t at = 0; (r = weft_file_pread(fd, text, sizeof text, (int64_t)at)) > 0;) {
        at += (size_t)r;
    }
    ++*counter;
    return (int)r;
}

IN_TASK(many_tasks_share_a_descriptor)
{
    int count = many(500), done = 0, fd = weft_file_open(file_of_size("s", 2000), O_RDONLY, 0);
    weft_task_group group;

    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < count; i++) {
        weft_task_group_create_task(&group, reads_all(fd, &done), NULL);
    }
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(done, count);
    EQUAL(weft_file_close(fd), 0);
}

static CU_TestInfo tests[] = {
    TEST(what_was_written_is_read),
    TEST(a_place_can_be_read_and_written_and_the_position_stays),
    TEST(several_buffers_are_read_and_written_in_their_order),
    TEST(a_large_read_goes_to_the_end),
    TEST(a_file_that_shrinks_ends_where_it_ends),
    TEST(a_file_may_be_huge_and_sparse),
    TEST(room_can_be_made_and_what_was_written_synchronised),
    TEST(what_cannot_be_opened_says_why),
    TEST(what_is_forbidden_says_so),
    TEST(without_a_free_descriptor_nothing_is_opened),
    TEST(a_full_disk_is_an_error_and_never_a_short_write),
    TEST(a_limit_of_size_is_an_error_and_sends_no_signal),
    TEST(a_bad_descriptor_is_an_error),
    TEST(outside_a_task_nothing_can_be_waited_for_but_a_descriptor_is_closed),
    TEST(a_file_that_lies_in_memory_is_read_without_a_thread),
    TEST(others_run_while_a_file_is_waited_for),
    TEST(others_run_while_a_pipe_with_a_name_is_waited_for),
    TEST(a_cancel_waits_for_what_uses_its_memory_and_gives_the_result),
    TEST(a_task_that_is_cancelled_does_nothing_but_close),
    TEST(cancelled_at_every_step_no_descriptor_is_left),
    TEST(many_tasks_share_a_descriptor),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(file, tests)
