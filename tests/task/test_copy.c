/* SPDX-License-Identifier: MIT
 * Copies: whole or not at all, with their holes, however they end. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool are_equal(const char *a, const char *b)
{
    static char here[65536], there[sizeof here];
    FILE *one = fopen(a, "r"), *other = fopen(b, "r");
    bool same = one && other;
    size_t n = 1;

    while (same && n > 0) {
        n = fread(here, 1, sizeof here, one);
        same = fread(there, 1, sizeof there, other) == n && memcmp(here, there, n) == 0;
    }
    if (one) {
        fclose(one);
    }
    if (other) {
        fclose(other);
    }
    return same;
}

static const char *a_folder(void)
{
    clear_away(scratch("c"));
    EQUAL(mkdir(scratch("c"), 0700), 0);
    return scratch("c");
}

IN_TASK(a_copy_has_the_content_and_the_mode)
{
    struct stat found;
    size_t size = 1234567;

    a_folder();
    EQUAL(chmod(file_of_size("c/a", size), 0640), 0);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), size);
    CHECK(are_equal(scratch("c/a"), scratch("c/b")));
    EQUAL(stat(scratch("c/b"), &found), 0);
    EQUAL(found.st_mode & 07777, 0640);
    EQUAL(entries(scratch("c")), 2);
    file_of("c/a", "");
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), 0);
    HOLDS(scratch("c/b"), "");
    file_of("c/a", "short");
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), 5);
    HOLDS(scratch("c/b"), "short");
}

IN_TASK(it_goes_from_one_file_system_to_another)
{
    size_t size = 1234567;
    char there[] = "/dev/shm/weft-test-XXXXXX";
    int fd = mkstemp(there);

    if (fd < 0) {
        return; /* there is no second one */
    }
    close(fd);
    a_folder();
    file_of_size("c/a", size);
    EQUAL(weft_copy_file(scratch("c/a"), there, NULL), size);
    CHECK(are_equal(scratch("c/a"), there));
    EQUAL(weft_copy_file(there, scratch("c/b"), NULL), size);
    CHECK(are_equal(scratch("c/a"), scratch("c/b")));
    EQUAL(unlink(there), 0);
}

IN_TASK(holes_stay_holes)
{
    off_t mib = 1 << 20;
    struct stat found;
    int fd = open((a_folder(), scratch("c/a")), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    EQUAL(pwrite(fd, "begin", 5, 0), 5);
    EQUAL(pwrite(fd, "middle", 6, 5 * mib), 6);
    EQUAL(ftruncate(fd, 100 * mib), 0);
    close(fd);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), 100 * mib);
    EQUAL(stat(scratch("c/b"), &found), 0);
    EQUAL(found.st_size, 100 * mib);
    CHECK(found.st_blocks < 2000);
    CHECK(are_equal(scratch("c/a"), scratch("c/b")));
    EQUAL(truncate(scratch("c/a"), 0), 0);
    EQUAL(truncate(scratch("c/a"), 3 * mib), 0); /* nothing but a hole */
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), 3 * mib);
    EQUAL(stat(scratch("c/b"), &found), 0);
    EQUAL(found.st_size, 3 * mib);
}

IN_TASK(what_the_kernel_makes_up_is_copied)
{
    weft_buffer text = { 0 };

    a_folder();
    CHECK(weft_copy_file("/proc/self/status", scratch("c/a"), NULL) > 100);
    CHECK(weft_read_file(scratch("c/a"), 0, &text) > 100);
    CHECK(strncmp(text.data, "Name:", 5) == 0);
    weft_buffer_clear(&text);
}

IN_TASK(options_are_followed)
{
    struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
    struct stat before, after;

    a_folder();
    file_of("c/a", "new");
    file_of("c/b", "old");
    EQUAL(utimensat(AT_FDCWD, scratch("c/a"), times, 0), 0);
    EQUAL(
        weft_copy_file(scratch("c/a"), scratch("c/b"), &(weft_copy_options){ .no_replace = true }),
        -EEXIST);
    HOLDS(scratch("c/b"), "old");
    EQUAL(stat(scratch("c/b"), &before), 0);
    EQUAL(
        weft_copy_file(scratch("c/a"), scratch("c/b"),
                       &(weft_copy_options){ .in_place = true, .keep_times = true, .sync = true }),
        3);
    HOLDS(scratch("c/b"), "new");
    EQUAL(stat(scratch("c/b"), &after), 0);
    EQUAL(after.st_ino, before.st_ino);
    EQUAL(after.st_mtime, 2000);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/c"),
                         &(weft_copy_options){ .no_replace = true, .keep_times = true }),
          3);
    EQUAL(stat(scratch("c/c"), &after), 0);
    EQUAL(after.st_mtime, 2000);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/c"), &(weft_copy_options){ .interval = -1 }),
          -EINVAL);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/c"), &(weft_copy_options){ .interval = NAN }),
          -EINVAL);
    EQUAL(entries(scratch("c")), 3);
}

IN_TASK(what_cannot_be_copied_says_why)
{
    a_folder();
    file_of("c/a", "a");
    EQUAL(symlink("a", scratch("c/l")), 0);
    EQUAL(mkfifo(scratch("c/pipe"), 0600), 0);
    EQUAL(weft_copy_file(scratch("c/none"), scratch("c/b"), NULL), -ENOENT);
    EQUAL(weft_copy_file(scratch("c"), scratch("c/b"), NULL), -EISDIR);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c"), NULL), -EISDIR);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("none/b"), NULL), -ENOENT);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/a"), NULL), -EINVAL);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/l"), NULL), -EINVAL);
    EQUAL(weft_copy_file(scratch("c/pipe"), scratch("c/b"), NULL), -EINVAL);
    EQUAL(weft_copy_file(NULL, scratch("c/b"), NULL), -EINVAL);
    EQUAL(weft_copy_file(scratch("c/a"), "/dev/full", NULL), -ENOSPC);
    EQUAL(weft_copy_file(scratch("c/a"), "/dev/null", NULL), 1);
    HOLDS(scratch("c/a"), "a");
    EQUAL(entries(scratch("c")), 3);
}

IN_TASK(a_full_disk_leaves_no_half_copy_unless_asked)
{
    struct rlimit before, small;
    struct stat found;

    a_folder();
    file_of_size("c/a", 100000);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){ 50000, before.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), NULL), -EFBIG);
    EQUAL(entries(scratch("c")), 1);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), &(weft_copy_options){ .in_place = true }),
          -EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    EQUAL(stat(scratch("c/b"), &found), 0);
    CHECK(found.st_size <= 50000);
}

/* Long copies. */

struct progress {
    int calls, stop_at, status;
    uint64_t last, total;
};

static int watches(uint64_t done, uint64_t total, void *arg)
{
    struct progress *progress = arg;

    CHECK(done >= progress->last && done <= total);
    progress->last = done;
    progress->total = total;
    EQUAL(weft_sleep(0), 0); /* it may wait */
    return ++progress->calls == progress->stop_at ? progress->status : 0;
}

#define LONG (40u << 20) /* several slices of a nanosecond: one for each chunk */

IN_TASK(progress_is_told_up_to_the_end)
{
    struct progress progress = { .calls = 0 };
    weft_copy_options options = { .progress = watches, .arg = &progress, .interval = 1e-9 };

    a_folder();
    file_of_size("c/a", LONG);
    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/b"), &options), LONG);
    EQUAL(progress.last, LONG);
    EQUAL(progress.total, LONG);
    CHECK(progress.calls >= 3);
    CHECK(are_equal(scratch("c/a"), scratch("c/b")));
}

IN_TASK(progress_may_end_the_copy)
{
    struct progress progress = { .stop_at = 1, .status = -EXDEV };
    weft_copy_options options = { .progress = watches, .arg = &progress, .interval = 1e-9 };

    EQUAL(weft_copy_file(scratch("c/a"), scratch("c/c"), &options), -EXDEV);
    EQUAL(progress.calls, 1);
    EQUAL(entries(scratch("c")), 2);
}

static weft_task *copier;

static int cancels(uint64_t done, uint64_t total, void *arg)
{
    (void)done, (void)total, (void)arg;
    return weft_task_cancel(copier);
}

static int truncates(uint64_t done, uint64_t total, void *arg)
{
    (void)total, (void)arg;
    return done < LONG / 2 ? -truncate(scratch("c/a"), LONG / 2 + 1) : 0;
}

WEFT_ASYNC(copies, (weft_copy_progress *, progress))
{
    weft_copy_options options = { .progress = progress, .interval = 1e-9 };

    return (int)weft_copy_file(scratch("c/a"), scratch("c/d"), &options);
}

IN_TASK(a_cancel_in_the_middle_leaves_nothing)
{
    copier = weft_create_task(copies(cancels), NULL);
    EQUAL(weft_await(copier), -ECANCELED);
    EQUAL(entries(scratch("c")), 2);
}

IN_TASK(a_file_that_is_truncated_meanwhile_gives_a_copy_as_short)
{
    struct stat found;

    EQUAL(weft_await(copies(truncates)), LONG / 2 + 1);
    EQUAL(stat(scratch("c/d"), &found), 0);
    EQUAL(found.st_size, LONG / 2 + 1);
    CHECK(are_equal(scratch("c/a"), scratch("c/d")));
    clear_away(scratch("c"));
}

WEFT_ASYNC(copies_once)
{
    int64_t r = weft_copy_file(scratch("s/a"), scratch("s/b"), NULL);

    EQUAL(is_there(scratch("s/b")), r >= 0);
    (void)unlink(scratch("s/b"));
    EQUAL(entries(scratch("s")), 1);
    return r < 0 ? (int)r : 0;
}

ALONE(cancelled_at_every_step_a_copy_is_whole_or_not_there)
{
    EQUAL(mkdir(scratch("s"), 0700), 0);
    file_of_size("s/a", 100000);
    CHECK(AT_EVERY_STEP(copies_once, 0, -ECANCELED) > 4);
    clear_away(scratch("s"));
}

static CU_TestInfo tests[] = {
    TEST(a_copy_has_the_content_and_the_mode),
    TEST(it_goes_from_one_file_system_to_another),
    TEST(holes_stay_holes),
    TEST(what_the_kernel_makes_up_is_copied),
    TEST(options_are_followed),
    TEST(what_cannot_be_copied_says_why),
    TEST(a_full_disk_leaves_no_half_copy_unless_asked),
    TEST(progress_is_told_up_to_the_end),
    TEST(progress_may_end_the_copy),
    TEST(a_cancel_in_the_middle_leaves_nothing),
    TEST(a_file_that_is_truncated_meanwhile_gives_a_copy_as_short),
    TEST(cancelled_at_every_step_a_copy_is_whole_or_not_there),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(copy, tests)
