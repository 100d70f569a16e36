/* SPDX-License-Identifier: MIT
 * A disk that is full, and one without room for another name: a file system of a megabyte, in a
 * child that may have mounts of its own. */
#include "tests/task/scratch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20, NAMES = 8 };

static scratch_body *body;

/* Mounts it on `full`, or says that this is not allowed. */
static bool mount_it(void)
{
    char options[40];

    snprintf(options, sizeof options, "size=%d,nr_inodes=%d", MIB, NAMES);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("weft-test", scratch("full"), "tmpfs", 0, options) == 0;
}

static int with_a_small_disk(void)
{
    if (!mount_it()) {
        fprintf(stderr, "SKIPPED: no mounts of our own here: %s\n", strerror(errno));
        return 0;
    }
    EQUAL(weft_run(body(), &(weft_run_options){ .backend = backend() }), 0);
    EQUAL(entries(scratch("full")), 0);
    return 0;
}

static void on_a_small_disk(scratch_body *what)
{
    char words[400];

    if (strncmp(backend(), "glib", 4) == 0) {
        return; /* it has a thread of its own, beside which sanitizers do not let a process fork */
    }
    body = what;
    EQUAL(mkdir(scratch("full"), 0700), 0);
    EQUAL(in_child(with_a_small_disk, words, sizeof words), 0);
    fputs(words, stderr);
    EQUAL(rmdir(scratch("full")), 0);
}

WEFT_ASYNC(fills_a_file)
{
    char *zeros = calloc(1, 2 * MIB);
    int fd = weft_file_open(scratch("full/a"), O_RDWR | O_CREAT, 0600);

    EQUAL(weft_file_write(fd, zeros, 2 * MIB), -ENOSPC);
    CHECK(weft_file_size(fd) <= MIB); /* some of it is written */
    EQUAL(weft_file_truncate(fd, 0), 0);
    EQUAL(weft_file_allocate(fd, 0, 2 * MIB), -ENOSPC);
    EQUAL(weft_file_pwrite(fd, zeros, MIB / 2, 0), MIB / 2);
    EQUAL(weft_file_pwrite(fd, zeros, MIB, MIB / 2), -ENOSPC);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(weft_unlink(scratch("full/a")), 0);
    free(zeros);
    return 0;
}

ALONE(a_write_beyond_the_end_of_the_disk_is_an_error)
{
    on_a_small_disk(fills_a_file);
}

WEFT_ASYNC(replaces_a_file)
{
    char *zeros = calloc(1, 2 * MIB);
    const weft_write_file_options append = { .append = true };

    EQUAL(weft_write_file(scratch("full/a"), "old", 3, NULL), 0);
    EQUAL(weft_write_file(scratch("full/a"), zeros, 2 * MIB, NULL), -ENOSPC);
    CHECK(HOLDS(scratch("full/a"), "old"));
    EQUAL(entries(scratch("full")), 1);
    EQUAL(weft_write_file(scratch("full/a"), zeros, 2 * MIB, &append), -ENOSPC);
    EQUAL(weft_write_file(scratch("full/a"), "new", 3, NULL), -ENOSPC); /* takes room, too */
    EQUAL(weft_unlink(scratch("full/a")), 0);
    EQUAL(weft_write_file(scratch("full/a"), "new", 3, NULL), 0);
    CHECK(HOLDS(scratch("full/a"), "new"));
    EQUAL(weft_unlink(scratch("full/a")), 0);
    free(zeros);
    return 0;
}

ALONE(a_file_is_replaced_whole_or_not_at_all)
{
    on_a_small_disk(replaces_a_file);
}

WEFT_ASYNC(copies_to_it)
{
    const weft_copy_options in_place = { .in_place = true };
    struct stat found;

    file_of_size("large", 2 * MIB);
    EQUAL(weft_copy_file(scratch("large"), scratch("full/b"), NULL), -ENOSPC);
    EQUAL(entries(scratch("full")), 0);
    EQUAL(weft_copy_file(scratch("large"), scratch("full/b"), &in_place), -ENOSPC);
    EQUAL(stat(scratch("full/b"), &found), 0);
    CHECK(found.st_size > 0 && found.st_size <= MIB);
    EQUAL(weft_unlink(scratch("full/b")), 0);
    EQUAL(weft_unlink(scratch("large")), 0);
    return 0;
}

ALONE(a_copy_that_does_not_fit_leaves_nothing_unless_asked)
{
    on_a_small_disk(copies_to_it);
}

/* Nothing but a name and a hole. */
WEFT_ASYNC(copies_a_hole)
{
    int64_t huge = INT64_C(5) << 30;
    int fd = weft_file_open(scratch("full/a"), O_RDWR | O_CREAT, 0600);

    EQUAL(weft_file_truncate(fd, huge), 0);
    EQUAL(weft_file_pwrite(fd, "end", 3, huge), 3);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(weft_copy_file(scratch("full/a"), scratch("full/b"), NULL), huge + 3);
    EQUAL(weft_unlink(scratch("full/a")), 0);
    EQUAL(weft_unlink(scratch("full/b")), 0);
    return 0;
}

ALONE(holes_take_no_room_however_large_they_are)
{
    on_a_small_disk(copies_a_hole);
}

WEFT_ASYNC(makes_names)
{
    char name[40];
    int count = 0, r = 0;

    for (; r == 0; count++) {
        snprintf(name, sizeof name, "full/%d", count);
        r = weft_mkdir(scratch(name), 0700);
    }
    EQUAL(r, -ENOSPC);
    EQUAL(weft_file_open(scratch("full/a"), O_RDWR | O_CREAT, 0600), -ENOSPC);
    EQUAL(weft_write_file(scratch("full/a"), "", 0, NULL), -ENOSPC);
    EQUAL(weft_symlink("a", scratch("full/a")), -ENOSPC);
    while (--count > 0) {
        snprintf(name, sizeof name, "full/%d", count - 1);
        EQUAL(weft_rmdir(scratch(name)), 0);
    }
    return 0;
}

ALONE(without_room_for_a_name_nothing_is_made)
{
    on_a_small_disk(makes_names);
}

static CU_TestInfo tests[] = {
    TEST(a_write_beyond_the_end_of_the_disk_is_an_error),
    TEST(a_file_is_replaced_whole_or_not_at_all),
    TEST(a_copy_that_does_not_fit_leaves_nothing_unless_asked),
    TEST(holes_take_no_room_however_large_they_are),
    TEST(without_room_for_a_name_nothing_is_made),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(disk_full, tests)
