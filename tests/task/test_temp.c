/* SPDX-License-Identifier: MIT
 * Temporary files and directories: gone on every way out. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory for them, empty. */
static const char *a_place(void)
{
    clear_away(scratch("t"));
    EQUAL(mkdir(scratch("t"), 0700), 0);
    return scratch("t");
}

IN_TASK(a_file_without_a_name_is_gone_with_its_descriptor)
{
    char text[8] = "";
    struct stat found;
    int fd = weft_temp_file(a_place());

    CHECK(fd >= 0);
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EQUAL(weft_file_write(fd, "abc", 3), 3);
    EQUAL(weft_file_pread(fd, text, sizeof text, 0), 3);
    SAME(text, "abc");
    EQUAL(fstat(fd, &found), 0);
    EQUAL(found.st_nlink, 0);
    EQUAL(found.st_mode & 07777, 0600);
    EQUAL(entries(scratch("t")), 0);
    EQUAL(weft_file_close(fd), 0);
    EQUAL(weft_temp_file(scratch("none")), -ENOENT);
    fd = weft_temp_file("/dev/shm"); /* perhaps another kind of file system */
    CHECK(fd >= 0);
    EQUAL(weft_file_close(fd), 0);
}

IN_TASK(a_file_with_a_name_is_there_until_it_is_freed)
{
    weft_temp *temp;
    struct stat found;
    weft_temp_options options = { .dir = a_place(), .prefix = "pre-", .suffix = ".txt" };

    EQUAL(weft_temp_file_new(&options, &temp), 0);
    CHECK(strstr(weft_temp_path(temp), "/t/pre-") != NULL);
    SAME(weft_temp_path(temp) + strlen(weft_temp_path(temp)) - 4, ".txt");
    EQUAL(weft_file_write(weft_temp_fd(temp), "abc", 3), 3);
    HOLDS(weft_temp_path(temp), "abc");
    EQUAL(stat(weft_temp_path(temp), &found), 0);
    EQUAL(found.st_mode & 07777, 0600);
    CHECK(weft_temp_free(temp) == NULL);
    EQUAL(entries(scratch("t")), 0);
    CHECK(weft_temp_free(NULL) == NULL);
}

IN_TASK(a_directory_is_gone_with_all_that_is_in_it)
{
    weft_temp *temp;
    char path[4096];

    EQUAL(weft_temp_dir_new(&(weft_temp_options){ .dir = a_place() }, &temp), 0);
    EQUAL(weft_temp_fd(temp), -EISDIR);
    snprintf(path, sizeof path, "%s/a/b", weft_temp_path(temp));
    EQUAL(weft_makedirs(path, 0700), 0);
    strcat(path, "/c");
    EQUAL(weft_write_file(path, "x", 1, NULL), 0);
    weft_temp_free(temp);
    EQUAL(entries(scratch("t")), 0);
}

IN_TASK(it_can_be_kept)
{
    weft_temp *temp;

    EQUAL(weft_temp_file_new(&(weft_temp_options){ .dir = a_place() }, &temp), 0);
    EQUAL(weft_file_write(weft_temp_fd(temp), "kept", 4), 4);
    EQUAL(weft_temp_keep(temp, scratch("none/x")), -ENOENT);
    EQUAL(weft_temp_keep(temp, NULL), -EINVAL);
    EQUAL(weft_temp_keep(temp, scratch("t/x")), 0);
    EQUAL(weft_temp_keep(temp, scratch("t/y")), -ENOENT);
    weft_temp_free(temp);
    HOLDS(scratch("t/x"), "kept");
    EQUAL(entries(scratch("t")), 1);
}

IN_TASK(it_is_where_the_environment_says)
{
    weft_temp *temp;
    const char *before = getenv("TMPDIR");
    char *kept = before ? strdup(before) : NULL;

    setenv("TMPDIR", a_place(), 1);
    EQUAL(weft_temp_file_new(NULL, &temp), 0);
    EQUAL(entries(scratch("t")), 1);
    weft_temp_free(temp);
    setenv("TMPDIR", "", 1);
    EQUAL(weft_temp_file_new(NULL, &temp), 0);
    EQUAL(strncmp(weft_temp_path(temp), "/tmp/weft-", 10), 0);
    weft_temp_free(temp);
    if (kept) {
        setenv("TMPDIR", kept, 1);
    } else {
        unsetenv("TMPDIR");
    }
    free(kept);
}

IN_TASK(the_process_may_go_elsewhere)
{
    char before[4096];
    weft_temp *temp;

    a_place();
    CHECK(getcwd(before, sizeof before) != NULL);
    EQUAL(chdir(scratch("t")), 0);
    EQUAL(weft_temp_file_new(&(weft_temp_options){ .dir = "." }, &temp), 0);
    EQUAL(chdir(before), 0);
    EQUAL(entries(scratch("t")), 1);
    weft_temp_free(temp);
    EQUAL(entries(scratch("t")), 0);
}

IN_TASK(a_bad_wish_is_an_error)
{
    weft_temp *temp = NULL;

    EQUAL(weft_temp_file_new(&(weft_temp_options){ .prefix = "a/b" }, &temp), -EINVAL);
    EQUAL(weft_temp_dir_new(&(weft_temp_options){ .suffix = "/" }, &temp), -EINVAL);
    EQUAL(weft_temp_dir_new(&(weft_temp_options){ .dir = scratch("none") }, &temp), -ENOENT);
    EQUAL(weft_temp_file_new(NULL, NULL), -EINVAL);
    EQUAL(weft_temp_fd(NULL), -EINVAL);
    EQUAL(weft_temp_keep(NULL, "x"), -EINVAL);
    CHECK(temp == NULL);
}

IN_TASK(a_task_that_is_cancelled_takes_it_away)
{
    weft_temp *file, *dir;
    weft_temp_options options = { .dir = a_place() };

    EQUAL(weft_temp_file_new(&options, &file), 0);
    EQUAL(weft_temp_dir_new(&options, &dir), 0);
    EQUAL(entries(scratch("t")), 2);
    weft_task_cancel(weft_current_task());
    weft_temp_free(file);
    weft_temp_free(dir);
    weft_task_uncancel(weft_current_task());
    EQUAL(entries(scratch("t")), 0);
}

static weft_temp *forgotten;

WEFT_ASYNC(forgets)
{
    return weft_temp_dir_new(&(weft_temp_options){ .dir = scratch("t") }, &forgotten);
}

IN_LOOP(the_loops_close_takes_away_what_was_forgotten)
{
    a_place();
    EQUAL(run(forgets()), 0);
    EQUAL(entries(scratch("t")), 1);
    close_loop();
    EQUAL(entries(scratch("t")), 0);
    weft_temp_free(forgotten); /* its memory */
}

IN_LOOP(between_two_runs_it_is_taken_away_blocking)
{
    a_place();
    EQUAL(run(forgets()), 0);
    weft_temp_free(forgotten);
    EQUAL(entries(scratch("t")), 0);
}

WEFT_ASYNC(uses_temps)
{
    weft_temp *file = NULL, *dir = NULL;
    weft_temp_options options = { .dir = scratch("t") };
    int r = weft_temp_file_new(&options, &file), fd = weft_temp_file(scratch("t"));

    r = r < 0 ? r : weft_temp_dir_new(&options, &dir);
    if (fd >= 0) {
        EQUAL(weft_file_close(fd), 0);
    }
    weft_temp_free(file);
    weft_temp_free(dir);
    EQUAL(entries(scratch("t")), 0);
    return r < 0 ? r : fd < 0 ? fd : 0;
}

ALONE(cancelled_at_every_step_nothing_temporary_is_left)
{
    a_place();
    CHECK(AT_EVERY_STEP(uses_temps, 0, -ECANCELED) > 4);
    EQUAL(entries(scratch("t")), 0);
}

static CU_TestInfo tests[] = {
    TEST(a_file_without_a_name_is_gone_with_its_descriptor),
    TEST(a_file_with_a_name_is_there_until_it_is_freed),
    TEST(a_directory_is_gone_with_all_that_is_in_it),
    TEST(it_can_be_kept),
    TEST(it_is_where_the_environment_says),
    TEST(the_process_may_go_elsewhere),
    TEST(a_bad_wish_is_an_error),
    TEST(a_task_that_is_cancelled_takes_it_away),
    TEST(the_loops_close_takes_away_what_was_forgotten),
    TEST(between_two_runs_it_is_taken_away_blocking),
    TEST(cancelled_at_every_step_nothing_temporary_is_left),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(temp, tests)
