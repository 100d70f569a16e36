/* SPDX-License-Identifier: MIT
 * What disks, file systems and terminals say that no test can bring into such a state: faults of
 * the system calls, which come back as they are. */
#include "tests/task/fault.h"
#include "tests/task/scratch.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A close(2) before the system's, which closes and then fails as asked. */
static int close_error;

int close(int fd)
{
    int r = (int)syscall(SYS_close, fd);

    if (r == 0 && close_error) {
        errno = close_error;
        close_error = 0;
        return -1;
    }
    return r;
}

static int new_file(void)
{
    int fd = open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EQUAL(write(fd, "one\ntwo\n", 8), 8);
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int opens_and_closes(void)
{
    return weft_file_close(new_file());
}

IN_TASK(a_close_tells_what_did_not_reach_the_disk)
{
    int fd = new_file();

    HANDS_ON(-EIO, opens_and_closes());
    HANDS_ON(-ENOSPC, opens_and_closes());
    HANDS_ON(-EDQUOT, opens_and_closes());
    close_error = EIO;
    EQUAL(weft_close(fd), -EIO);
    EQUAL(weft_close(fd), -EBADF); /* it is closed all the same */
}

IN_TASK(a_file_tells_of_a_disk_that_fails_or_is_full)
{
    int fd = new_file();
    char text[8];

    HANDS_ON(-EIO, weft_file_read(fd, text, sizeof text));
    HANDS_ON(-EIO, weft_file_pread(fd, text, sizeof text, 0));
    HANDS_ON(-EDQUOT, weft_file_write(fd, "x", 1));
    HANDS_ON(-EFBIG, weft_file_truncate(fd, 3));
    HANDS_ON(-EFBIG, weft_file_allocate(fd, 0, 3));
    HANDS_ON(-ENOSPC, weft_file_allocate(fd, 0, 3));
    HANDS_ON(-EOPNOTSUPP, weft_file_allocate(fd, 0, 3));
    HANDS_ON(-ENOSPC, weft_file_fsync(fd));
    HANDS_ON(-EIO, weft_file_fdatasync(fd));
    EQUAL(weft_file_close(fd), 0);
}

static int writes_a_file(void)
{
    return weft_write_file(scratch("whole"), "new", 3, NULL);
}

static int makes_a_temporary_file(void)
{
    int fd = weft_temp_file(scratch(""));

    if (fd >= 0) {
        EQUAL(weft_file_close(fd), 0);
    }
    return fd;
}

static int makes_a_directory(void)
{
    int r = weft_mkdir(scratch("made"), 0700);

    (void)rmdir(scratch("made"));
    return r;
}

IN_TASK(what_is_made_tells_of_a_disk_that_is_full)
{
    file_of("whole", "old");
    HANDS_ON(-EDQUOT, writes_a_file());
    CHECK(HOLDS(scratch("whole"), "old"));
    HANDS_ON(-ENOSPC, makes_a_temporary_file());
    HANDS_ON(-ENOSPC, makes_a_directory());
    EQUAL(entries(scratch("")), 2); /* and a */
}

static int removes_a_tree(void)
{
    (void)mkdir(scratch("full"), 0700);
    return weft_rmtree(scratch("full"));
}

IN_TASK(names_tell_of_what_their_file_system_cannot)
{
    const char *file = file_of("b", "x"), *other = scratch("c"), *full = scratch("full");

    HANDS_ON(-EROFS, weft_access(file, W_OK));
    HANDS_ON(-EROFS, weft_chmod(file, 0600));
    HANDS_ON(-EMLINK, weft_link(file, other));
    HANDS_ON(-EXDEV, weft_link(file, other));
    HANDS_ON(-EXDEV, weft_rename(file, other));
    EQUAL(weft_mkdir(full, 0700), 0);
    HANDS_ON(-EBUSY, weft_rmdir(full));
    HANDS_ON(-ENOTEMPTY, removes_a_tree());
    EQUAL(weft_unlink(file), 0);
}

IN_TASK(lines_that_cannot_be_read_are_not_lost)
{
    weft_lines *lines = NULL;
    weft_line line;

    EQUAL(weft_file_close(new_file()), 0);
    EQUAL(weft_lines_open(scratch("a"), NULL, &lines), 0);
    HANDS_ON(-EIO, weft_lines_next(lines, &line));
    EQUAL(weft_lines_next(lines, &line), 1);
    SAME(line.data, "one");
    EQUAL(weft_lines_next(lines, &line), 1);
    SAME(line.data, "two");
    weft_lines_close(lines);
}

IN_TASK(a_terminal_whose_other_side_has_gone_has_no_mode)
{
    int ours, theirs;
    weft_tty_mode *before = NULL, *none = NULL;

    EQUAL(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
    EQUAL(weft_tty_setraw(theirs, &before), 0);
    EQUAL(close(ours), 0);
    EQUAL(weft_tty_restore(before), -EIO);
    EQUAL(weft_tty_restore(before), -EBADF); /* spent all the same */
    EQUAL(weft_tty_setraw(theirs, &none), -EIO);
    CHECK(!none);
    EQUAL(close(theirs), 0);
}

/* Notifications. */

static int adds(weft_notify *notify)
{
    int number = weft_notify_add(notify, scratch(""), NULL);

    if (number > 0) {
        EQUAL(weft_notify_remove(notify, number), 0);
    }
    return number;
}

static int makes_a_notify(void)
{
    weft_notify *notify = NULL;
    int r = weft_notify_new(&notify);

    weft_notify_free(notify);
    return r;
}

IN_TASK(the_limits_of_notifications_are_told)
{
    weft_notify *notify = NULL;

    HANDS_ON(-EMFILE, makes_a_notify());
    EQUAL(weft_notify_new(&notify), 0);
    HANDS_ON(-ENOSPC, adds(notify));
    HANDS_ON(-EACCES, adds(notify));
    weft_notify_free(notify);
}

static CU_TestInfo tests[] = {
    TEST(a_close_tells_what_did_not_reach_the_disk),
    TEST(a_file_tells_of_a_disk_that_fails_or_is_full),
    TEST(what_is_made_tells_of_a_disk_that_is_full),
    TEST(names_tell_of_what_their_file_system_cannot),
    TEST(lines_that_cannot_be_read_are_not_lost),
    TEST(a_terminal_whose_other_side_has_gone_has_no_mode),
    TEST(the_limits_of_notifications_are_told),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(disk_errors, tests)
