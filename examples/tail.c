/* SPDX-License-Identifier: MIT
 * tail -F: the last lines of a file, and those that come; also when the file is truncated, or
 * another one takes its place, as log files do.
 *
 *     tail FILE
 *     tail --demo       follows a file that it writes itself */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

#define LAST 10     /* lines that are shown at first */
#define BACK 65536  /* bytes in which they are looked for */

/* Goes to where the last lines begin. */
static int go_to_last(weft_lines *lines)
{
    int64_t begins[LAST] = { 0 };
    weft_line line;
    int count = 0, r;

    while ((r = weft_lines_next(lines, &line)) > 0 || r == -EMSGSIZE)
        if (r > 0)
            begins[count++ % LAST] = line.offset;
    if (r < 0 || count == 0)
        return r;
    return weft_lines_seek(lines, begins[count < LAST ? 0 : count % LAST]);
}

/* Prints what there is to the end, which may be behind where we are. */
static int print_lines(weft_lines *lines)
{
    weft_line line;
    int r;

    if (weft_file_size(weft_lines_fd(lines)) < weft_lines_offset(lines)) {
        printf("-- truncated\n");
        weft_lines_seek(lines, 0);
    }
    while ((r = weft_lines_next(lines, &line)) > 0 || r == -EMSGSIZE)
        printf("%s\n", r > 0 ? line.data : "-- a line that is too long");
    fflush(stdout);
    return r;
}

/* Opens the file, unless it is not there. */
static int begin(const char *path, bool is_first, weft_lines **lines)
{
    weft_lines_options options = { .whole = true, .offset = is_first ? -BACK : 0 };
    int r = weft_lines_open(path, &options, lines);

    if (r == -ENOENT && !is_first)
        return 0;
    if (r >= 0 && is_first)
        r = go_to_last(*lines);
    return r < 0 ? r : print_lines(*lines);
}

/* The directory is watched, not the file: its name may come to mean another one. */
static int watch(const char *path, weft_notify **notify)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];
    int r = weft_notify_new(notify);

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return r < 0 ? r : weft_notify_add(*notify, dir, NULL);
}

static bool is_about(const weft_notify_event *event, const char *name)
{
    const char *slash = strrchr(event->path, '/');

    return event->what & WEFT_NOTIFY_LOST || (slash && strcmp(slash + 1, name) == 0);
}

WEFT_ASYNC(follow, (const char *, path))
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    weft_notify *notify = NULL;
    weft_lines *lines = NULL;
    const weft_notify_event *event;
    int r = watch(path, &notify);

    if (r >= 0)
        r = begin(path, true, &lines);
    while (r >= 0 && (r = weft_notify_next(notify, &event)) >= 0) {
        if (!is_about(event, name))
            continue;
        if (lines)
            r = print_lines(lines);
        if (event->what & (WEFT_NOTIFY_CREATED | WEFT_NOTIFY_MOVED)) {
            printf("-- a new file\n");
            weft_lines_close(lines);
            lines = NULL;
            r = begin(path, false, &lines);
        }
    }
    weft_lines_close(lines);
    weft_notify_free(notify);
    return r;
}

/* Somebody who writes a log. */
static int append(const char *path, const char *text)
{
    return weft_write_file(path, text, strlen(text), &(weft_write_file_options){ .append = true });
}

WEFT_ASYNC(demo)
{
    weft_temp *dir;
    char log[4096], old[4096 + 4];
    weft_task *follower;
    int r = weft_temp_dir_new(NULL, &dir);

    if (r < 0)
        return r;
    snprintf(log, sizeof log, "%s/log", weft_temp_path(dir));
    snprintf(old, sizeof old, "%s.1", log);
    append(log, "one\ntwo\n");
    follower = weft_create_task(follow(log), NULL);
    weft_sleep(0.1);
    append(log, "thr");
    append(log, "ee\n");
    weft_sleep(0.1);
    weft_rename(log, old); /* as logrotate does */
    append(log, "four\n");
    weft_sleep(0.1);
    weft_task_cancel(follower);
    r = weft_await(follower);
    weft_temp_free(dir);
    return r == -ECANCELED ? 0 : r;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    return weft_main(strcmp(argv[1], "--demo") == 0 ? demo() : follow(argv[1]), NULL);
}
