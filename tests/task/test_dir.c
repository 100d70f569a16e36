/* SPDX-License-Identifier: MIT
 * Directories and trees: what is told, what is taken away, and what happens beside it. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All entries of a directory as one sorted text: "a b/ b/c b/. l@"; "b/." is b once more. */
static char list[20000];

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int listing(const char *path, const weft_dir_options *options)
{
    static char *names[500];
    weft_dir *dir;
    const weft_dir_entry *entry;
    int count = 0, r = weft_dir_open(path, options, &dir);

    *list = '\0';
    if (r < 0) {
        return r;
    }
    while ((r = weft_dir_next(dir, &entry)) > 0) {
        char room[400];

        snprintf(room, sizeof room, "%s%s%s%s", entry->path + strlen(path) + 1,
                 S_ISDIR(entry->type) ? "/" :
                 S_ISLNK(entry->type) ? "@" :
                                        "",
                 entry->is_after ? "." : "", entry->error ? weft_err_name(entry->error) : "");
        names[count++] = strdup(room);
        SAME(strrchr(entry->path, '/') + 1, entry->name);
    }
    weft_dir_close(dir);
    qsort(names, (size_t)count, sizeof *names, by_text);
    for (int i = 0; i < count; i++) {
        strcat(strcat(list, i ? " " : ""), names[i]);
        free(names[i]);
    }
    return r;
}

/* A little tree: t/a t/b/c t/b/d/e t/l -> b */
static const char *a_tree(void)
{
    clear_away(scratch("t"));
    EQUAL(mkdir(scratch("t"), 0700), 0);
    EQUAL(mkdir(scratch("t/b"), 0700), 0);
    EQUAL(mkdir(scratch("t/b/d"), 0700), 0);
    file_of("t/a", "1");
    file_of("t/b/c", "22");
    file_of("t/b/d/e", "333");
    EQUAL(symlink("b", scratch("t/l")), 0);
    return scratch("t");
}

IN_TASK(a_directory_tells_its_names_and_types)
{
    EQUAL(listing(a_tree(), NULL), 0);
    SAME(list, "a b/ l@");
    EQUAL(listing(scratch("t/b/d"), NULL), 0);
    SAME(list, "e");
    clear_away(scratch("t/b/d"));
    EQUAL(mkdir(scratch("t/b/d"), 0700), 0);
    EQUAL(listing(scratch("t/b/d"), NULL), 0);
    SAME(list, "");
}

IN_TASK(a_tree_is_told_from_above)
{
    EQUAL(listing(a_tree(), &(weft_dir_options){ .recursive = true }), 0);
    SAME(list, "a b/ b/c b/d/ b/d/e l@");
    EQUAL(listing(a_tree(), &(weft_dir_options){ .recursive = true, .max_depth = 2 }), 0);
    SAME(list, "a b/ b/c b/d/ l@");
    EQUAL(listing(a_tree(), &(weft_dir_options){ .recursive = true, .one_device = true }), 0);
    SAME(list, "a b/ b/c b/d/ b/d/e l@");
    EQUAL(listing(a_tree(), &(weft_dir_options){ .recursive = true, .after = true }), 0);
    SAME(list, "a b/ b/. b/c b/d/ b/d/. b/d/e l@");
    EQUAL(listing(a_tree(), &(weft_dir_options){ .after = true }), 0);
    SAME(list, "a b/ l@");
}

IN_TASK(a_directory_comes_before_what_is_in_it_and_again_after)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    weft_dir_options options = { .recursive = true, .after = true };
    char order[200] = "";

    clear_away(scratch("t"));
    EQUAL(mkdir(scratch("t"), 0700), 0);
    EQUAL(mkdir(scratch("t/b"), 0700), 0);
    file_of("t/b/c", "");
    EQUAL(weft_dir_open(scratch("t"), &options, &dir), 0);
    while (weft_dir_next(dir, &entry) > 0) {
        strcat(strcat(order, entry->name), entry->is_after ? ". " : " ");
        EQUAL(entry->depth, entry->name[0] == 'c' ? 2 : 1);
    }
    SAME(order, "b c b. ");
    EQUAL(weft_dir_next(dir, &entry), 0);
    weft_dir_close(dir);
}

IN_TASK(links_are_followed_on_request_but_not_round_and_round)
{
    a_tree();
    EQUAL(symlink("..", scratch("t/b/up")), 0);
    EQUAL(symlink("nowhere", scratch("t/lost")), 0);
    EQUAL(listing(scratch("t"), &(weft_dir_options){ .recursive = true, .follow = true }), 0);
    SAME(list, "a b/ b/c b/d/ b/d/e b/up/-ELOOP l/ l/c l/d/ l/d/e l/up/-ELOOP lost@");
    EQUAL(listing(scratch("t/l"), NULL), 0); /* what is opened is followed */
    SAME(list, "c d/ up@");
}

IN_TASK(entries_are_looked_at_on_request)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    long long bytes = 0;
    int links = 0;

    EQUAL(weft_dir_open(a_tree(), &(weft_dir_options){ .recursive = true, .stat = true }, &dir), 0);
    while (weft_dir_next(dir, &entry) > 0) {
        EQUAL(entry->stat->st_mode & S_IFMT, entry->type);
        bytes += S_ISREG(entry->type) ? entry->stat->st_size : 0;
        links += S_ISLNK(entry->type);
    }
    EQUAL(bytes, 6);
    EQUAL(links, 1);
    weft_dir_close(dir);
}

IN_TASK(a_directory_can_be_skipped)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    weft_dir_options options = { .recursive = true, .after = true };
    char seen[200] = "";
    int count = many(700);

    a_tree();
    for (int i = 0; i < count; i++) { /* several batches that nobody wants */
        char name[40];

        snprintf(name, sizeof name, "t/b/f%d", i);
        file_of(name, "");
    }
    EQUAL(weft_dir_open(scratch("t"), &options, &dir), 0);
    EQUAL(weft_dir_skip(dir), -EINVAL);
    while (weft_dir_next(dir, &entry) > 0) {
        strcat(seen, entry->name);
        EQUAL(weft_dir_skip(dir), S_ISDIR(entry->type) ? 0 : -EINVAL);
    }
    EQUAL(strlen(seen), 3);
    CHECK(strchr(seen, 'a') && strchr(seen, 'b') && strchr(seen, 'l'));
    EQUAL(weft_dir_skip(dir), -EINVAL);
    weft_dir_close(dir);
}

IN_TASK(a_huge_directory_is_told_whole_in_little_memory)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int count = many(5000), told = 0;
    size_t before = live_blocks();

    EQUAL(mkdir(scratch("huge"), 0700), 0);
    for (int i = 0; i < count; i++) {
        char name[40];

        snprintf(name, sizeof name, "huge/%d", i);
        EQUAL(close(open(scratch(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    }
    EQUAL(weft_dir_open(scratch("huge"), NULL, &dir), 0);
    while (weft_dir_next(dir, &entry) > 0) {
        told++;
        CHECK(live_blocks() < before + 40);
    }
    EQUAL(told, count);
    weft_dir_close(dir);
    EQUAL(weft_rmtree(scratch("huge")), 0);
}

IN_TASK(what_changes_meanwhile_is_told_or_not_and_what_stays_is_told_once)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int stays = 0, count = many(1000);

    EQUAL(mkdir(scratch("busy"), 0700), 0);
    for (int i = 0; i < count; i++) {
        char name[40];

        snprintf(name, sizeof name, "busy/%s%d", i % 2 ? "stays" : "goes", i);
        EQUAL(close(open(scratch(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    }
    EQUAL(weft_dir_open(scratch("busy"), &(weft_dir_options){ .stat = true }, &dir), 0);
    for (int i = 0; weft_dir_next(dir, &entry) > 0; i++) {
        char name[40];

        stays += entry->name[0] == 's';
        snprintf(name, sizeof name, "busy/goes%d", count - 2 * i);
        (void)unlink(scratch(name));
        snprintf(name, sizeof name, "busy/new%d", i);
        file_of(name, "");
        if (i > 5 * count) {
            break; /* a file system may go on and on */
        }
    }
    EQUAL(stays, count / 2);
    weft_dir_close(dir);
    EQUAL(weft_rmtree(scratch("busy")), 0);
}

IN_TASK(a_directory_that_is_taken_away_meanwhile_ends)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int r, told = 0;

    EQUAL(weft_dir_open(a_tree(), &(weft_dir_options){ .recursive = true }, &dir), 0);
    clear_away(scratch("t"));
    while ((r = weft_dir_next(dir, &entry)) > 0) {
        told++;
    }
    EQUAL(r, 0);
    CHECK(told <= 6);
    weft_dir_close(dir);
}

/* Deeper than there are descriptors for, and than a path may be long. */

static int make_deep(const char *path, int depth)
{
    char name[101];
    int fd, r = mkdir(path, 0700);

    memset(name, 'd', 100);
    name[100] = '\0';
    fd = r < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 1; fd >= 0 && i < depth; i++) {
        int next = mkdirat(fd, name, 0700) < 0 ? -1 : openat(fd, name, O_RDONLY | O_CLOEXEC);
        int other = openat(fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        close(other);
        close(fd);
        fd = next;
    }
    return fd < 0 ? -1 : close(fd);
}

IN_TASK(depth_has_no_limit_but_descriptors_have)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int dirs = 0, files = 0, again = 0, most = 0, before = open_descriptors();
    weft_dir_options options = { .recursive = true, .after = true };

    EQUAL(make_deep(scratch("deep"), 150), 0);
    EQUAL(weft_dir_open(scratch("deep"), &options, &dir), 0);
    while (weft_dir_next(dir, &entry) > 0) {
        int open_now = open_descriptors() - before;

        EQUAL(entry->error, 0);
        dirs += S_ISDIR(entry->type) && !entry->is_after;
        again += entry->is_after;
        files += S_ISREG(entry->type);
        most = open_now > most ? open_now : most;
    }
    EQUAL(dirs, 149);
    EQUAL(again, 149);
    EQUAL(files, 149);
    CHECK(most <= 32);
    weft_dir_close(dir);
    EQUAL(weft_rmtree(scratch("deep")), 0);
    CHECK(!is_there(scratch("deep")));
}

IN_TASK(what_is_no_directory_says_so)
{
    weft_dir *dir = NULL;

    EQUAL(weft_dir_open(scratch("none"), NULL, &dir), -ENOENT);
    EQUAL(weft_dir_open(file_of("a", ""), NULL, &dir), -ENOTDIR);
    EQUAL(weft_dir_open(NULL, NULL, &dir), -EINVAL);
    EQUAL(weft_dir_open("/", NULL, NULL), -EINVAL);
    EQUAL(weft_dir_next(NULL, NULL), -EINVAL);
    EQUAL(weft_dir_skip(NULL), -EINVAL);
    CHECK(weft_dir_close(NULL) == NULL);
    CHECK(dir == NULL);
}

WEFT_ASYNC(is_locked_out)
{
    weft_dir *dir = NULL;

    EQUAL(chmod(scratch("t/b"), 0), 0);
    EQUAL(listing(scratch("t"), &(weft_dir_options){ .recursive = true }), 0);
    SAME(list, "a b/-EACCES l@");
    EQUAL(weft_dir_open(scratch("t/b"), NULL, &dir), -EACCES);
    EQUAL(chmod(scratch("t/b"), 0700), 0);
    return 0;
}

ALONE(a_directory_that_may_not_be_read_is_told_with_its_error)
{
    a_tree();
    without_rights(is_locked_out);
}

IN_TASK(a_tree_is_taken_away_and_links_are_not_followed)
{
    a_tree();
    file_of("stays", "here");
    EQUAL(symlink("../stays", scratch("t/to-file")), 0);
    EQUAL(symlink("/tmp", scratch("t/to-dir")), 0);
    EQUAL(weft_rmtree(scratch("t")), 0);
    CHECK(!is_there(scratch("t")));
    HOLDS(scratch("stays"), "here");
    EQUAL(weft_rmtree(scratch("t")), -ENOENT);
    EQUAL(weft_rmtree(NULL), -EINVAL);
    EQUAL(weft_rmtree(scratch("stays")), 0); /* a single file */
    CHECK(!is_there(scratch("stays")));
    EQUAL(symlink("/tmp", scratch("link")), 0);
    EQUAL(weft_rmtree(scratch("link")), 0);
    CHECK(!is_there(scratch("link")));
}

WEFT_ASYNC(is_hindered)
{
    EQUAL(chmod(scratch("t/b/d"), 0500), 0);
    weft_error_clear();
    EQUAL(weft_rmtree(scratch("t")), -EACCES);
    CHECK(strstr(weft_error_detail(), "t/b/d/e") != NULL);
    weft_error_clear();
    CHECK(is_there(scratch("t/b/d/e")));
    CHECK(!is_there(scratch("t/a")));
    CHECK(!is_there(scratch("t/b/c")));
    EQUAL(chmod(scratch("t/b/d"), 0700), 0);
    EQUAL(weft_rmtree(scratch("t")), 0);
    return 0;
}

ALONE(what_cannot_be_taken_away_is_named_and_the_rest_is_gone)
{
    a_tree();
    without_rights(is_hindered);
}

WEFT_ASYNC(lists, (weft_dir *, dir))
{
    const weft_dir_entry *entry;

    return weft_dir_next(dir, &entry);
}

IN_TASK(two_tasks_cannot_read_one_at_once)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    weft_task *other;

    EQUAL(mkdir(scratch("two"), 0700), 0);
    for (int i = 0; i < 300; i++) {
        char name[40];

        snprintf(name, sizeof name, "two/%d", i);
        file_of(name, "");
    }
    EQUAL(weft_dir_open(scratch("two"), NULL, &dir), 0);
    for (int i = 0; i < 256; i++) {
        EQUAL(weft_dir_next(dir, &entry), 1);
    }
    other = weft_create_task(lists(dir), NULL);
    weft_sleep(0);
    EQUAL(weft_dir_next(dir, &entry), -EBUSY);
    EQUAL(weft_dir_skip(dir), -EINVAL);
    EQUAL(weft_await(other), 1);
    EQUAL(weft_dir_next(dir, &entry), 1);
    weft_dir_close(dir);
    EQUAL(weft_rmtree(scratch("two")), 0);
}

/* At every step. */

WEFT_ASYNC(walks)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int r = weft_dir_open(scratch("t"), &(weft_dir_options){ .recursive = true }, &dir);

    if (r < 0) {
        return r;
    }
    while ((r = weft_dir_next(dir, &entry)) > 0) {
        weft_sleep(0);
    }
    weft_dir_close(dir);
    return r;
}

ALONE(cancelled_at_every_step_a_walk_leaves_nothing_open)
{
    a_tree();
    CHECK(AT_EVERY_STEP(walks, 0, -ECANCELED) > 4);
}

WEFT_ASYNC(makes_and_removes)
{
    int r = weft_makedirs(scratch("m/n/o"), 0700);

    r = r < 0 ? r : weft_rmtree(scratch("m"));
    return r;
}

ALONE(cancelled_at_every_step_a_removal_leaves_nothing_open)
{
    CHECK(AT_EVERY_STEP(makes_and_removes, 0, -ECANCELED) > 4);
    clear_away(scratch("m"));
}

static CU_TestInfo tests[] = {
    TEST(a_directory_tells_its_names_and_types),
    TEST(a_tree_is_told_from_above),
    TEST(a_directory_comes_before_what_is_in_it_and_again_after),
    TEST(links_are_followed_on_request_but_not_round_and_round),
    TEST(entries_are_looked_at_on_request),
    TEST(a_directory_can_be_skipped),
    TEST(a_huge_directory_is_told_whole_in_little_memory),
    TEST(what_changes_meanwhile_is_told_or_not_and_what_stays_is_told_once),
    TEST(a_directory_that_is_taken_away_meanwhile_ends),
    TEST(depth_has_no_limit_but_descriptors_have),
    TEST(what_is_no_directory_says_so),
    TEST(a_directory_that_may_not_be_read_is_told_with_its_error),
    TEST(a_tree_is_taken_away_and_links_are_not_followed),
    TEST(what_cannot_be_taken_away_is_named_and_the_rest_is_gone),
    TEST(two_tasks_cannot_read_one_at_once),
    TEST(cancelled_at_every_step_a_walk_leaves_nothing_open),
    TEST(cancelled_at_every_step_a_removal_leaves_nothing_open),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(dir, tests)
