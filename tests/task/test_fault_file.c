/* SPDX-License-Identifier: MIT
 * Files, while each allocation and system call fails once. */
#include "tests/task/fault.h"
#include "tests/task/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

WEFT_ASYNC(uses_a_file)
{
    char text[100];
    struct stat found;
    int fd = tried(weft_file_open(scratch("a"), O_RDWR | O_CREAT | O_TRUNC, 0600));

    if (fd < 0) {
        return 0;
    }
    tried((int)weft_file_write(fd, "hello", 5));
    tried((int)weft_file_pread(fd, text, sizeof text, 0));
    tried((int)weft_file_seek(fd, 0, SEEK_SET));
    tried((int)weft_file_read(fd, text, sizeof text));
    tried(weft_file_truncate(fd, 3));
    tried(weft_file_fdatasync(fd));
    tried(weft_file_stat(fd, &found));
    tried(weft_file_close(fd));
    return 0;
}

static int uses_files(void)
{
    return run_in_loop(uses_a_file());
}

EACH_FAULT_WHILE_IT(uses_files)

WEFT_ASYNC(uses_some_paths)
{
    struct stat found;
    weft_buffer text = { 0 };

    tried(weft_stat(scratch(""), &found));
    tried(weft_makedirs(scratch("p/q/r"), 0700));
    clear_away(scratch("p"));
    if (tried(weft_symlink("here", scratch("link"))) == 0) {
        tried(weft_readlink(scratch("link"), &text));
        tried(weft_unlink(scratch("link")));
        unlink(scratch("link"));
    }
    tried(weft_realpath(scratch(""), &text));
    weft_buffer_clear(&text);
    return 0;
}

static int uses_paths(void)
{
    return run_in_loop(uses_some_paths());
}

EACH_FAULT_WHILE_IT(uses_paths)

WEFT_ASYNC(uses_a_directory)
{
    weft_dir *dir = NULL;
    const weft_dir_entry *entry;
    weft_dir_options options = { .recursive = true, .stat = true, .after = true, .follow = true };
    int r;

    clear_away(scratch("d"));
    CHECK(mkdir(scratch("d"), 0700) == 0 && mkdir(scratch("d/e"), 0700) == 0);
    file_of("d/e/f", "");
    r = tried(weft_dir_open(scratch("d"), &options, &dir));
    for (int i = 0; r >= 0 && i < 20; i++) {
        r = tried(weft_dir_next(dir, &entry));
        if (r == 0) {
            break;
        }
        tried(r > 0 ? entry->error : 0);
        r = 0;
    }
    weft_dir_close(dir);
    tried(weft_rmtree(scratch("d")));
    return 0;
}

static int uses_directories(void)
{
    return run_in_loop(uses_a_directory());
}

EACH_FAULT_WHILE_IT(uses_directories)

WEFT_ASYNC(uses_some_whole_files)
{
    weft_buffer text = { 0 };
    weft_write_file_options options = { .sync = true };

    clear_away(scratch("w"));
    CHECK(mkdir(scratch("w"), 0700) == 0);
    file_of("w/a", "old");
    if (tried(weft_write_file(scratch("w/a"), "new", 3, &options)) < 0) {
        EQUAL(entries(scratch("w")), 1);
    }
    tried((int)weft_read_file(scratch("w/a"), 0, &text));
    tried((int)weft_copy_file(scratch("w/a"), scratch("w/b"),
                              &(weft_copy_options){ .keep_times = true, .sync = true }));
    tried((int)weft_copy_file("/proc/self/status", scratch("w/b"), NULL));
    options = (weft_write_file_options){ .no_replace = true };
    tried(weft_write_file(scratch("w/c"), "new", 3, &options));
    weft_buffer_clear(&text);
    CHECK(entries(scratch("w")) <= 3);
    return 0;
}

static int uses_whole_files(void)
{
    return run_in_loop(uses_some_whole_files());
}

EACH_FAULT_WHILE_IT(uses_whole_files)

WEFT_ASYNC(uses_some_temps)
{
    weft_temp *file = NULL, *dir = NULL, *kept = NULL;
    weft_temp_options options = { .dir = scratch("t") };
    int fd;

    clear_away(scratch("t"));
    CHECK(mkdir(scratch("t"), 0700) == 0);
    fd = tried(weft_temp_file(scratch("t")));
    tried(weft_temp_file_new(&options, &file));
    tried(weft_temp_file_new(&options, &kept));
    tried(weft_temp_dir_new(&options, &dir));
    if (kept) {
        tried(weft_temp_keep(kept, scratch("kept")));
    }
    weft_temp_free(file);
    weft_temp_free(dir);
    weft_temp_free(kept);
    if (fd >= 0) {
        tried(weft_file_close(fd));
    }
    CHECK(entries(scratch("t")) == 0 || dir);
    return 0;
}

static int uses_temps(void)
{
    return run_in_loop(uses_some_temps());
}

EACH_FAULT_WHILE_IT(uses_temps)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_uses_files),       TEST(each_fault_while_it_uses_paths),
    TEST(each_fault_while_it_uses_directories), TEST(each_fault_while_it_uses_whole_files),
    TEST(each_fault_while_it_uses_temps),       CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_file, tests)
