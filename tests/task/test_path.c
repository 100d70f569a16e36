/* SPDX-License-Identifier: MIT
 * Paths: what is known by a name, and changing names. */
#include "tests/task/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

IN_TASK(a_file_is_looked_at_by_its_path)
{
    struct stat found;

    EQUAL(weft_stat(file_of("a", "12345"), &found), 0);
    EQUAL(found.st_size, 5);
    CHECK(S_ISREG(found.st_mode));
    EQUAL(weft_stat(scratch("none"), &found), -ENOENT);
    EQUAL(found.st_size, 5); /* untouched */
    EQUAL(weft_stat(scratch("a"), NULL), -EINVAL);
    EQUAL(weft_stat(NULL, &found), -EINVAL);
    EQUAL(weft_access(scratch("a"), F_OK), 0);
    EQUAL(weft_access(scratch("none"), F_OK), -ENOENT);
    EQUAL(weft_chmod(scratch("a"), 0640), 0);
    EQUAL(weft_stat(scratch("a"), &found), 0);
    EQUAL(found.st_mode & 07777, 0640);
    EQUAL(weft_unlink(scratch("a")), 0);
    EQUAL(weft_unlink(scratch("a")), -ENOENT);
}

IN_TASK(names_change)
{
    file_of("a", "A");
    file_of("b", "B");
    EQUAL(weft_rename(scratch("a"), scratch("b")), 0);
    HOLDS(scratch("b"), "A");
    CHECK(!is_there(scratch("a")));
    EQUAL(weft_rename(scratch("a"), scratch("b")), -ENOENT);
    EQUAL(weft_rename(scratch("b"), NULL), -EINVAL);
    EQUAL(weft_link(scratch("b"), scratch("c")), 0);
    EQUAL(weft_link(scratch("b"), scratch("c")), -EEXIST);
    HOLDS(scratch("c"), "A");
    EQUAL(weft_unlink(scratch("b")), 0);
    EQUAL(weft_unlink(scratch("c")), 0);
}

IN_TASK(links_are_made_read_and_resolved)
{
    weft_buffer text = { 0 };
    char *real = realpath(file_of("a", "A"), NULL);
    struct stat found;

    EQUAL(weft_symlink("a", scratch("to-a")), 0);
    EQUAL(weft_symlink("a", scratch("to-a")), -EEXIST);
    EQUAL(weft_readlink(scratch("to-a"), &text), 0);
    SAME(text.data, "a");
    EQUAL(weft_realpath(scratch("to-a"), &text), 0);
    SAME(text.data, real);
    EQUAL(text.len, strlen(real));
    EQUAL(weft_readlink(scratch("a"), &text), -EINVAL);
    SAME(text.data, real); /* untouched */
    EQUAL(weft_realpath(scratch("none"), &text), -ENOENT);
    EQUAL(weft_readlink(scratch("to-a"), NULL), -EINVAL);
    EQUAL(weft_realpath(NULL, &text), -EINVAL);
    EQUAL(weft_lstat(scratch("to-a"), &found), 0);
    CHECK(S_ISLNK(found.st_mode));
    EQUAL(weft_stat(scratch("to-a"), &found), 0);
    CHECK(S_ISREG(found.st_mode));
    EQUAL(weft_symlink("loop", scratch("loop")), 0);
    EQUAL(weft_stat(scratch("loop"), &found), -ELOOP);
    weft_buffer_clear(&text);
    free(real);
    EQUAL(weft_unlink(scratch("to-a")), 0);
    EQUAL(weft_unlink(scratch("loop")), 0);
    EQUAL(weft_unlink(scratch("a")), 0);
}

IN_TASK(directories_are_made_and_taken_away)
{
    EQUAL(weft_mkdir(scratch("d"), 0700), 0);
    EQUAL(weft_mkdir(scratch("d"), 0700), -EEXIST);
    file_of("d/f", "");
    EQUAL(weft_rmdir(scratch("d")), -ENOTEMPTY);
    EQUAL(weft_unlink(scratch("d/f")), 0);
    EQUAL(weft_rmdir(scratch("d")), 0);
    EQUAL(weft_rmdir(scratch("d")), -ENOENT);
    EQUAL(weft_mkdir(scratch("d/e"), 0700), -ENOENT);
}

IN_TASK(those_above_are_made_where_they_are_missing)
{
    struct stat found;

    EQUAL(weft_makedirs(scratch("p/q//r/s/"), 0700), 0);
    EQUAL(weft_stat(scratch("p/q/r/s"), &found), 0);
    EQUAL(found.st_mode & 07777, 0700);
    EQUAL(weft_makedirs(scratch("p/q/r/s"), 0700), 0); /* it is there */
    EQUAL(weft_makedirs("/", 0700), 0);
    EQUAL(weft_makedirs("", 0700), -ENOENT);
    EQUAL(weft_makedirs(NULL, 0700), -EINVAL);
    file_of("p/file", "");
    EQUAL(weft_makedirs(scratch("p/file"), 0700), -EEXIST);
    weft_error_clear();
    EQUAL(weft_makedirs(scratch("p/file/x/y"), 0700), -ENOTDIR);
    CHECK(strstr(weft_error_detail(), "p/file/x") != NULL);
    weft_error_clear();
    clear_away(scratch("p"));
}

IN_TASK(a_relative_path_begins_where_the_process_is)
{
    char before[4096];
    char *there = getcwd(before, sizeof before);

    EQUAL(chdir(scratch("")), 0);
    EQUAL(weft_makedirs("x/y", 0700), 0);
    EQUAL(weft_rmdir("x/y"), 0);
    EQUAL(weft_rmdir("x"), 0);
    EQUAL(chdir(there), 0);
}

IN_TASK(a_path_that_is_too_long_is_an_error)
{
    char *path = malloc(5001);
    struct stat found;
    weft_buffer text = { 0 };

    memset(path, '/', 5000);
    path[5000] = '\0';
    EQUAL(weft_stat(path, &found), -ENAMETOOLONG);
    EQUAL(weft_mkdir(path, 0700), -ENAMETOOLONG);
    path[4990] = 'x';
    EQUAL(weft_realpath(path + 1000, &text), -ENOENT); /* slashes count as one */
    memset(path, 'x', 5000);
    EQUAL(weft_realpath(path, &text), -ENAMETOOLONG);
    EQUAL(weft_unlink(path), -ENAMETOOLONG);
    CHECK(text.data == NULL);
    free(path);
}

static CU_TestInfo tests[] = {
    TEST(a_file_is_looked_at_by_its_path),
    TEST(names_change),
    TEST(links_are_made_read_and_resolved),
    TEST(directories_are_made_and_taken_away),
    TEST(those_above_are_made_where_they_are_missing),
    TEST(a_relative_path_begins_where_the_process_is),
    TEST(a_path_that_is_too_long_is_an_error),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(path, tests)
