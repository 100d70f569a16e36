/* SPDX-License-Identifier: MIT
 * Notifications: what is told of files and trees that change. */
#include "tests/task/fault.h"
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An event as text: "created d/a", "moved a -> b", "gone", with "/" behind directories. */
static const char *in_words(const weft_notify_event *event, const char *root)
{
    static char text[600];
    static const char *const names[] = { "created", "deleted", "modified", "written", "changed",
                                         "moved",   "",        "",         "gone",    "lost" };
    size_t skip = strlen(root);

    *text = '\0';
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (event->what & 1u << i) {
            strcat(strcat(text, *text ? "+" : ""), names[i]);
        }
    }
    if (event->from) {
        strcat(strcat(text, " "), event->from + skip + 1);
        strcat(text, " ->");
    }
    if (strlen(event->path) > skip) {
        strcat(strcat(text, " "), event->path + skip + 1);
    }
    if (event->error) {
        strcat(strcat(text, " "), weft_err_name(event->error));
    }
    return strcat(text, event->is_dir ? "/" : "");
}

/* Claims that these are the next events. */
static weft_notify *notify;
static char root[300];

static void expect(const char *const *events)
{
    const weft_notify_event *event;

    for (; *events; events++) {
        weft_timeout limit;
        int r = weft_timeout_enter(&limit, 5);

        r = weft_timeout_exit(&limit, weft_notify_next(notify, &event));
        if (!EQUAL(r, 0)) {
            SAME("nothing", *events);
            return;
        }
        SAME(in_words(event, root), *events);
    }
}
#define NEXT(...) expect((const char *const[]){ __VA_ARGS__, NULL })

static void expect_nothing(void)
{
    const weft_notify_event *event;
    weft_timeout limit;
    int r = weft_timeout_enter(&limit, 0.01);

    r = weft_timeout_exit(&limit, weft_notify_next(notify, &event));
    EQUAL(r, -ETIMEDOUT);
    if (r == 0) {
        SAME(in_words(event, root), "nothing");
    }
}

static int watch_folder(weft_notify_options options)
{
    snprintf(root, sizeof root, "%s", scratch("n"));
    clear_away(root);
    EQUAL(mkdir(root, 0700), 0);
    EQUAL(weft_notify_new(&notify), 0);
    return weft_notify_add(notify, root, &options);
}
#define WITH(...) ((weft_notify_options){ __VA_ARGS__ })
#define NAMES (WEFT_NOTIFY_CREATED | WEFT_NOTIFY_DELETED | WEFT_NOTIFY_MOVED)

static void touch(const char *name)
{
    close(open(scratch(name), O_CREAT | O_RDONLY | O_CLOEXEC, 0600));
}

static void move(const char *from, const char *to)
{
    EQUAL(rename(scratch(from), scratch(to)), 0);
}

IN_TASK(what_happens_to_a_file_is_told_in_its_order)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = 0)) > 0);
    file_of("n/a", "hello");
    EQUAL(chmod(scratch("n/a"), 0640), 0);
    EQUAL(unlink(scratch("n/a")), 0);
    NEXT("created a", "modified a", "written a", "changed a", "deleted a");
    EQUAL(mkdir(scratch("n/d"), 0700), 0);
    touch("n/d/not_told");
    NEXT("created d/");
    clear_away(scratch("n/d"));
    NEXT("deleted d/");
    expect_nothing();
    weft_notify_free(notify);
}

IN_TASK(a_rename_is_one_event)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    touch("n/a");
    move("n/a", "n/b");
    NEXT("created a", "moved a -> b");
    move("n/b", "away");
    NEXT("deleted+moved b");
    move("away", "n/c");
    NEXT("created+moved c");
    expect_nothing();
    weft_notify_free(notify);
}

IN_TASK(only_what_is_asked_for_is_told)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = WEFT_NOTIFY_WRITTEN)) > 0);
    file_of("n/a", "hello");
    NEXT("written a");
    EQUAL(unlink(scratch("n/a")), 0);
    expect_nothing();
    weft_notify_free(notify);
}

IN_TASK(a_single_file_can_be_watched)
{
    int id;

    if (is_virtual()) {
        return;
    }
    EQUAL(weft_notify_new(&notify), 0);
    snprintf(root, sizeof root, "%s", file_of("single", ""));
    id = weft_notify_add(notify, root, &WITH(.what = WEFT_NOTIFY_WRITTEN));
    CHECK(id > 0);
    file_of("single", "x");
    NEXT("written");
    EQUAL(unlink(root), 0);
    NEXT("gone");
    EQUAL(weft_notify_remove(notify, id), -ENOENT);
    EQUAL(weft_notify_add(notify, root, NULL), -ENOENT);
    weft_notify_free(notify);
}

IN_TASK(what_was_watched_may_go)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    touch("n/a");
    clear_away(root);
    NEXT("created a", "deleted a", "gone");
    weft_notify_free(notify);

    CHECK(watch_folder(WITH(.what = NAMES, .recursive = true)) > 0);
    move("n", "elsewhere");
    NEXT("moved+gone");
    touch("elsewhere/a");
    expect_nothing();
    clear_away(scratch("elsewhere"));
    weft_notify_free(notify);
}

IN_TASK(a_tree_is_watched_with_what_is_made_in_it)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES, .recursive = true)) > 0);
    EQUAL(mkdir(scratch("n/d"), 0700), 0);
    NEXT("created d/");
    touch("n/d/a");
    NEXT("created d/a");
    EQUAL(mkdir(scratch("n/d/e"), 0700), 0);
    NEXT("created d/e/");
    touch("n/d/e/b");
    move("n/d/e/b", "n/c");
    NEXT("created d/e/b", "moved d/e/b -> c");
    move("n/d", "n/f"); /* what is below is known by its new path */
    NEXT("moved d -> f/");
    touch("n/f/e/g");
    NEXT("created f/e/g");
    move("n/f", "away");
    NEXT("deleted+moved f/");
    touch("away/e/h");
    expect_nothing();
    move("away", "n/back");
    NEXT("created+moved back/");
    weft_notify_free(notify);
    clear_away(root);
}

/* All events that come, counted by path: those of a tree that came at once may be told twice. */
static int told_of(const char *path, int *ret_others)
{
    const weft_notify_event *event;
    int found = 0;

    for (;;) {
        weft_timeout limit;
        int r = weft_timeout_enter(&limit, 0.1);

        r = weft_timeout_exit(&limit, weft_notify_next(notify, &event));
        if (r < 0) {
            EQUAL(r, -ETIMEDOUT);
            return found;
        }
        found += strcmp(event->path + strlen(root) + 1, path) == 0;
        ++*ret_others;
    }
}

IN_TASK(a_tree_that_comes_at_once_is_told_whole)
{
    int all = 0;

    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = WEFT_NOTIFY_CREATED, .recursive = true)) > 0);
    EQUAL(mkdir(scratch("n/1"), 0700), 0);
    EQUAL(mkdir(scratch("n/1/2"), 0700), 0);
    EQUAL(mkdir(scratch("n/1/2/3"), 0700), 0);
    touch("n/1/2/3/leaf");
    CHECK(told_of("1/2/3/leaf", &all) >= 1);
    CHECK(all >= 4 && all <= 8);
    touch("n/1/2/3/new"); /* all of it is watched */
    NEXT("created 1/2/3/new");
    weft_notify_free(notify);
    clear_away(root);
}

IN_TASK(a_tree_that_was_there_is_watched_and_not_told)
{
    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    weft_notify_free(notify);
    EQUAL(mkdir(scratch("n/d"), 0700), 0);
    EQUAL(mkdir(scratch("n/d/e"), 0700), 0);
    touch("n/d/e/a");
    EQUAL(weft_notify_new(&notify), 0);
    CHECK(weft_notify_add(notify, root, &WITH(.what = NAMES, .recursive = true)) > 0);
    touch("n/d/e/b");
    NEXT("created d/e/b");
    expect_nothing();
    weft_notify_free(notify);
    clear_away(root);
}

IN_TASK(watches_can_be_ended_and_told_apart)
{
    const weft_notify_event *event;
    int one, other;

    if (is_virtual()) {
        return;
    }
    one = watch_folder(WITH(.what = NAMES));
    EQUAL(weft_notify_add(notify, root, NULL), -EEXIST);
    EQUAL(mkdir(scratch("other"), 0700), 0);
    other = weft_notify_add(notify, scratch("other"), &WITH(.what = NAMES));
    CHECK(one > 0 && other > 0 && one != other);
    touch("other/a");
    EQUAL(weft_notify_next(notify, &event), 0);
    EQUAL(event->watch, other);
    touch("n/a");
    EQUAL(weft_notify_remove(notify, one), 0);
    touch("n/b");
    EQUAL(weft_notify_next(notify, &event), 0); /* what had come */
    EQUAL(event->watch, one);
    expect_nothing();
    EQUAL(weft_notify_remove(notify, one), -ENOENT);
    weft_notify_free(notify);
    clear_away(root);
    clear_away(scratch("other"));
}

IN_TASK(too_many_events_are_told_as_lost)
{
    const weft_notify_event *event;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int most = 0, lost = 0, others = 0;

    if (!is_virtual() && file && fscanf(file, "%d", &most) == 1 && most <= 20000) {
        CHECK(watch_folder(WITH(.what = NAMES, .recursive = true)) > 0);
        for (int i = 0; i < most / 2 + 100; i++) {
            touch("n/a");
            (void)unlink(scratch("n/a"));
        }
        EQUAL(mkdir(scratch("n/unseen"), 0700), 0);
        while (!lost) {
            EQUAL(weft_notify_next(notify, &event), 0);
            lost += event->what == WEFT_NOTIFY_LOST && event->error == -EOVERFLOW;
        }
        touch("n/unseen/a"); /* directories are looked for again */
        CHECK(told_of("unseen/a", &others) == 1);
        weft_notify_free(notify);
        clear_away(root);
    }
    if (file) {
        fclose(file);
    }
}

/* Tasks. */

WEFT_ASYNC(waits_for_one)
{
    const weft_notify_event *event;

    return weft_notify_next(notify, &event);
}

IN_TASK(one_task_waits_and_another_adds_watches)
{
    weft_task *waiter;
    const weft_notify_event *event;

    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    waiter = weft_create_task(waits_for_one(), NULL);
    weft_sleep(0);
    EQUAL(weft_notify_next(notify, &event), -EBUSY);
    EQUAL(mkdir(scratch("other"), 0700), 0);
    CHECK(weft_notify_add(notify, scratch("other"), NULL) > 0);
    touch("other/a");
    EQUAL(weft_await(waiter), 0);
    clear_away(scratch("other"));
    weft_notify_free(notify);
}

IN_TASK(who_waits_is_told_when_it_is_freed)
{
    weft_task *waiter;

    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    waiter = weft_create_task(waits_for_one(), NULL);
    weft_sleep(0.001);
    weft_notify_free(notify);
    EQUAL(weft_await(waiter), -EBADF);
}

IN_TASK(a_cancel_loses_no_event)
{
    weft_task *waiter;

    if (is_virtual()) {
        return;
    }
    CHECK(watch_folder(WITH(.what = NAMES)) > 0);
    waiter = weft_create_task(waits_for_one(), NULL);
    weft_sleep(0.001);
    touch("n/a");
    EQUAL(weft_task_cancel(waiter), 0);
    EQUAL(weft_await(waiter), -ECANCELED);
    NEXT("created a");
    weft_notify_free(notify);
}

IN_TASK(bad_use_is_an_error)
{
    const weft_notify_event *event;

    EQUAL(weft_notify_new(NULL), -EINVAL);
    EQUAL(weft_notify_new(&notify), 0);
    EQUAL(weft_notify_add(notify, scratch("none"), NULL), -ENOENT);
    EQUAL(weft_notify_add(notify, NULL, NULL), -EINVAL);
    EQUAL(weft_notify_add(NULL, "/", NULL), -EINVAL);
    EQUAL(weft_notify_next(NULL, &event), -EINVAL);
    EQUAL(weft_notify_next(notify, NULL), -EINVAL);
    EQUAL(weft_notify_remove(notify, 1), -ENOENT);
    if (is_virtual()) {
        EQUAL(weft_notify_next(notify, &event), -EOPNOTSUPP);
    }
    CHECK(weft_notify_free(notify) == NULL);
    CHECK(weft_notify_free(NULL) == NULL);
}

/* At every step, and each call failing. */

static int watch_and_make(void)
{
    const weft_notify_event *event;
    weft_notify *mine;
    int r = tried(weft_notify_new(&mine));

    if (r < 0) {
        return r;
    }
    r = tried(weft_notify_add(mine, scratch("s"), &WITH(.what = NAMES, .recursive = true)));
    if (r > 0) {
        (void)mkdir(scratch("s/d"), 0700);
        (void)mkdir(scratch("s/d/e"), 0700);
        (void)rename(scratch("s/d"), scratch("s/f"));
        r = 0;
    }
    for (int i = 0; r == 0 && i < 3; i++) { /* d, e perhaps not, f */
        weft_timeout limit;

        r = tried(weft_timeout_enter(&limit, 0.02));
        if (r < 0) {
            break;
        }
        r = weft_notify_next(mine, &event);
        r = weft_timeout_exit(&limit, r == -ECANCELED ? r : tried(r)); /* it was slow */
    }
    weft_notify_free(mine);
    clear_away(scratch("s/d"));
    clear_away(scratch("s/f"));
    return r == -ETIMEDOUT ? 0 : r;
}

WEFT_ASYNC(watches_and_makes)
{
    return watch_and_make();
}

ALONE(cancelled_at_every_step_nothing_is_left)
{
    (void)mkdir(scratch("s"), 0700);
    if (!is_virtual()) {
        CHECK(AT_EVERY_STEP(watches_and_makes, 0, -ECANCELED) > 4);
    }
}

WEFT_ASYNC(watches_while_all_fails)
{
    (void)watch_and_make();
    return 0;
}

static int uses_notifications(void)
{
    return run_in_loop(watches_while_all_fails());
}

ALONE(each_fault_while_it_uses_notifications)
{
    if (!is_virtual()) {
        sweep(uses_notifications, "uses_notifications");
    }
}

static CU_TestInfo tests[] = {
    TEST(what_happens_to_a_file_is_told_in_its_order),
    TEST(a_rename_is_one_event),
    TEST(only_what_is_asked_for_is_told),
    TEST(a_single_file_can_be_watched),
    TEST(what_was_watched_may_go),
    TEST(a_tree_is_watched_with_what_is_made_in_it),
    TEST(a_tree_that_comes_at_once_is_told_whole),
    TEST(a_tree_that_was_there_is_watched_and_not_told),
    TEST(watches_can_be_ended_and_told_apart),
    TEST(too_many_events_are_told_as_lost),
    TEST(one_task_waits_and_another_adds_watches),
    TEST(who_waits_is_told_when_it_is_freed),
    TEST(a_cancel_loses_no_event),
    TEST(bad_use_is_an_error),
    TEST(cancelled_at_every_step_nothing_is_left),
    TEST(each_fault_while_it_uses_notifications),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(notify, tests)
