/* SPDX-License-Identifier: MIT
 * Whole files: what is read, what is replaced, what is left when it fails. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_text(const char *path, const char *text, weft_write_file_options options)
{
    return weft_write_file(path, text, strlen(text), &options);
}
#define WITH(...) ((weft_write_file_options){ __VA_ARGS__ })

IN_TASK(a_file_is_read_to_its_end)
{
    weft_buffer text = { 0 };

    EQUAL(weft_read_file(file_of("a", "hello"), 0, &text), 5);
    SAME(text.data, "hello");
    EQUAL(weft_read_file(file_of("b", "you"), 0, &text), 3); /* the room is used again */
    SAME(text.data, "you");
    EQUAL(weft_read_file(file_of("b", ""), 0, &text), 0);
    SAME(text.data, "");
    weft_buffer_clear(&text);
    EQUAL(weft_read_file(file_of("b", ""), 0, &text), 0);
    EQUAL(text.len, 0);
    weft_buffer_clear(&text);
}

IN_TASK(a_large_file_is_read_whole)
{
    size_t size = (9u << 20) + 7; /* more than one step */
    weft_buffer bytes = { 0 };
    bool same = true;

    EQUAL(weft_read_file(file_of_size("large", size), 0, &bytes), size);
    for (size_t i = 0; i < size; i++) {
        same &= (unsigned char)bytes.data[i] == byte_at(i);
    }
    CHECK(same);
    weft_buffer_clear(&bytes);
    EQUAL(weft_unlink(scratch("large")), 0);
}

IN_TASK(a_file_that_does_not_tell_its_size_is_read_too)
{
    weft_buffer text = { 0 };

    CHECK(weft_read_file("/proc/self/maps", 0, &text) > 1000); /* several pages */
    CHECK(strstr(text.data, "[stack]") != NULL || strstr(text.data, "rw-p") != NULL);
    EQUAL(weft_read_file("/proc/self/maps", 100, &text), -EFBIG);
    EQUAL(weft_read_file("/dev/null", 0, &text), 0);
    weft_buffer_clear(&text);
}

IN_TASK(there_may_be_a_limit)
{
    weft_buffer text = { 0 };

    EQUAL(weft_read_file(file_of("a", "12345"), 5, &text), 5);
    EQUAL(weft_read_file(scratch("a"), 4, &text), -EFBIG);
    EQUAL(text.len, 0);
    SAME(text.data, "");
    EQUAL(weft_read_file("/dev/zero", 100000, &text), -EFBIG);
    EQUAL(truncate(scratch("a"), (off_t)5 << 30), 0); /* a hole: nothing of it is read */
    EQUAL(weft_read_file(scratch("a"), 1 << 20, &text), -EFBIG);
    CHECK(text.capacity < 1 << 20);
    EQUAL(truncate(scratch("a"), 0), 0);
    weft_buffer_clear(&text);
}

IN_TASK(what_cannot_be_read_says_why)
{
    weft_buffer text = { 0 };

    EQUAL(weft_read_file(scratch("none"), 0, &text), -ENOENT);
    EQUAL(weft_read_file(scratch(""), 0, &text), -EISDIR);
    EQUAL(weft_read_file(NULL, 0, &text), -EINVAL);
    EQUAL(weft_read_file(scratch("a"), 0, NULL), -EINVAL);
    weft_buffer_clear(&text);
}

IN_TASK(a_file_is_written_whole_and_replaced_in_one_step)
{
    struct stat before, after;

    clear_away(scratch("w"));
    EQUAL(mkdir(scratch("w"), 0700), 0);
    EQUAL(weft_write_file(scratch("w/a"), "one", 3, NULL), 0);
    HOLDS(scratch("w/a"), "one");
    EQUAL(chmod(scratch("w/a"), 0640), 0);
    EQUAL(stat(scratch("w/a"), &before), 0);
    EQUAL(write_text(scratch("w/a"), "three", WITH(.sync = true)), 0);
    HOLDS(scratch("w/a"), "three");
    EQUAL(stat(scratch("w/a"), &after), 0);
    EQUAL(after.st_mode, before.st_mode);
    CHECK(after.st_ino != before.st_ino);
    EQUAL(weft_write_file(scratch("w/a"), NULL, 0, NULL), 0);
    HOLDS(scratch("w/a"), "");
    EQUAL(entries(scratch("w")), 1);
}

IN_TASK(a_new_file_has_the_mode_that_is_asked_for)
{
    struct stat found;
    mode_t before = umask(022);

    EQUAL(weft_write_file(scratch("w/m"), "", 0, NULL), 0);
    EQUAL(stat(scratch("w/m"), &found), 0);
    EQUAL(found.st_mode & 07777, 0644);
    EQUAL(write_text(scratch("w/m"), "", WITH(.mode = 0770)), 0);
    EQUAL(stat(scratch("w/m"), &found), 0);
    EQUAL(found.st_mode & 07777, 0750);
    umask(before);
    EQUAL(unlink(scratch("w/m")), 0);
}

IN_TASK(it_may_be_added_to_written_in_place_or_not_replaced)
{
    struct stat before, after;

    EQUAL(weft_write_file(scratch("w/a"), "one", 3, NULL), 0);
    EQUAL(stat(scratch("w/a"), &before), 0);
    EQUAL(write_text(scratch("w/a"), "two", WITH(.append = true)), 0);
    HOLDS(scratch("w/a"), "onetwo");
    EQUAL(write_text(scratch("w/a"), "3", WITH(.in_place = true)), 0);
    HOLDS(scratch("w/a"), "3");
    EQUAL(stat(scratch("w/a"), &after), 0);
    EQUAL(after.st_ino, before.st_ino);
    EQUAL(write_text(scratch("w/a"), "4", WITH(.no_replace = true)),
          -EEXIST);
    HOLDS(scratch("w/a"), "3");
    EQUAL(write_text(scratch("w/b"), "4", WITH(.no_replace = true)),
          0);
    HOLDS(scratch("w/b"), "4");
    EQUAL(write_text(scratch("w/c"), "5", WITH(.append = true)), 0);
    EQUAL(entries(scratch("w")), 3);
    EQUAL(write_text(scratch("w/a"), "", WITH(.append = true, .no_replace = true)),
          -EINVAL);
}

IN_TASK(what_a_link_leads_to_is_replaced_and_the_link_stays)
{
    struct stat found;

    EQUAL(symlink("a", scratch("w/l")), 0);
    EQUAL(weft_write_file(scratch("w/l"), "by link", 7, NULL), 0);
    HOLDS(scratch("w/a"), "by link");
    EQUAL(lstat(scratch("w/l"), &found), 0);
    CHECK(S_ISLNK(found.st_mode));
    EQUAL(symlink("new", scratch("w/dangling")), 0);
    EQUAL(weft_write_file(scratch("w/dangling"), "made", 4, NULL), 0);
    HOLDS(scratch("w/new"), "made");
}

IN_TASK(a_device_is_written_to_and_not_replaced)
{
    struct stat found;

    EQUAL(weft_write_file("/dev/null", "x", 1, NULL), 0);
    EQUAL(write_text("/dev/null", "x", WITH(.sync = true)), 0);
    EQUAL(weft_write_file("/dev/full", "x", 1, NULL), -ENOSPC);
    EQUAL(stat("/dev/full", &found), 0);
    CHECK(S_ISCHR(found.st_mode));
}

IN_TASK(a_full_disk_leaves_the_old_file_and_nothing_beside_it)
{
    struct rlimit before, small;
    int count = entries(scratch("w"));
    static char zeros[10000];

    EQUAL(weft_write_file(scratch("w/a"), "old", 3, NULL), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){ 5000, before.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);
    EQUAL(weft_write_file(scratch("w/a"), zeros, sizeof zeros, NULL), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    HOLDS(scratch("w/a"), "old");
    EQUAL(entries(scratch("w")), count);
}

IN_TASK(what_cannot_be_written_says_why)
{
    EQUAL(weft_write_file(scratch("none/a"), "x", 1, NULL), -ENOENT);
    EQUAL(weft_write_file(scratch("w"), "x", 1, NULL), -EISDIR);
    EQUAL(weft_write_file(scratch("w/a/b"), "x", 1, NULL), -ENOTDIR);
    EQUAL(weft_write_file(NULL, "x", 1, NULL), -EINVAL);
    EQUAL(weft_write_file(scratch("w/a"), NULL, 1, NULL), -EINVAL);
}

WEFT_ASYNC(is_locked_out)
{
    weft_buffer text = { 0 };

    EQUAL(weft_read_file(scratch("w/a"), 0, &text), -EACCES);
    EQUAL(weft_write_file(scratch("w/a"), "x", 1, NULL), -EACCES); /* the directory */
    EQUAL(write_text(scratch("w/b"), "x", WITH(.in_place = true)), 0);
    return 0;
}

ALONE(what_is_forbidden_says_so)
{
    EQUAL(chmod(scratch("w/a"), 0), 0);
    EQUAL(chmod(scratch("w"), 0500), 0);
    without_rights(is_locked_out);
    EQUAL(chmod(scratch("w"), 0700), 0);
    clear_away(scratch("w"));
}

WEFT_ASYNC(reads_and_writes)
{
    weft_buffer text = { 0 };
    int r = (int)weft_read_file(scratch("s/from"), 0, &text);

    EQUAL(text.len, r < 0 ? 0 : 300);
    r = r < 0 ? r : weft_write_file(scratch("s/to"), text.data, text.len, NULL);
    weft_buffer_clear(&text);
    return r;
}

ALONE(cancelled_at_every_step_a_file_is_whole_or_not_there)
{
    EQUAL(mkdir(scratch("s"), 0700), 0);
    file_of_size("s/from", 300);
    CHECK(AT_EVERY_STEP(reads_and_writes, 0, -ECANCELED) > 4);
    EQUAL(entries(scratch("s")), 2);
    clear_away(scratch("s"));
}

static CU_TestInfo tests[] = {
    TEST(a_file_is_read_to_its_end),
    TEST(a_large_file_is_read_whole),
    TEST(a_file_that_does_not_tell_its_size_is_read_too),
    TEST(there_may_be_a_limit),
    TEST(what_cannot_be_read_says_why),
    TEST(a_file_is_written_whole_and_replaced_in_one_step),
    TEST(a_new_file_has_the_mode_that_is_asked_for),
    TEST(it_may_be_added_to_written_in_place_or_not_replaced),
    TEST(what_a_link_leads_to_is_replaced_and_the_link_stays),
    TEST(a_device_is_written_to_and_not_replaced),
    TEST(a_full_disk_leaves_the_old_file_and_nothing_beside_it),
    TEST(what_cannot_be_written_says_why),
    TEST(what_is_forbidden_says_so),
    TEST(cancelled_at_every_step_a_file_is_whole_or_not_there),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(whole_file, tests)
