/* SPDX-License-Identifier: MIT
 * du: how much room a tree takes on the disk.  Each directory is read by a task of its own, 64 of
 * them at a time, and each task looks at what is in it by batches in a thread.  A file with several
 * names counts once for each.
 *
 *     du [DIRECTORY]        the total of each directory in it, and of all */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weft/weft.h>

static weft_semaphore slots = WEFT_SEMAPHORE_INIT(64); /* directories that are open at a time */
static long unreadable;

static weft_coro *measure(const char *path, long long *blocks);

/* Adds up one directory; those in it become tasks of the group. */
static int measure_in(weft_task_group *group, const char *path, long long *blocks)
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    int r = weft_dir_open(path, &(weft_dir_options){ .stat = true }, &dir);

    if (r < 0) {
        unreadable++;
        return 0;
    }
    while ((r = weft_dir_next(dir, &entry)) > 0) {
        *blocks += entry->stat->st_blocks;
        if (S_ISDIR(entry->type))
            weft_task_group_create_task(group, measure(entry->path, blocks), NULL);
    }
    weft_dir_close(dir);
    return r;
}

WEFT_ASYNC(measures, (char *, path), (long long *, blocks))
{
    weft_task_group group;
    int r = weft_task_group_enter(&group);

    if (r >= 0) {
        r = weft_semaphore_acquire(&slots);
        if (r >= 0) {
            r = measure_in(&group, path, blocks);
            weft_semaphore_release(&slots);
        }
        r = weft_task_group_exit(&group, r);
    }
    free(path);
    return r;
}

/* With a path of its own: the entry is gone when it runs. */
static weft_coro *measure(const char *path, long long *blocks)
{
    char *own = strdup(path);

    return weft_coro_on_drop(measures(own, blocks), free, own);
}

WEFT_ASYNC(amain, (const char *, top))
{
    weft_dir *dir;
    const weft_dir_entry *entry;
    long long all = 0;
    int r = weft_dir_open(top, &(weft_dir_options){ .stat = true }, &dir);

    if (r < 0)
        return r;
    while ((r = weft_dir_next(dir, &entry)) > 0) {
        long long blocks = entry->stat->st_blocks;

        if (S_ISDIR(entry->type)) {
            r = weft_await(measure(entry->path, &blocks));
            if (r < 0)
                break;
            printf("%10lld KiB  %s\n", blocks / 2, entry->path);
        }
        all += blocks;
    }
    weft_dir_close(dir);
    printf("%10lld KiB  %s\n", all / 2, top);
    if (unreadable)
        printf("%ld directories could not be read\n", unreadable);
    return r;
}

int main(int argc, char **argv)
{
    return weft_main(amain(argc > 1 ? argv[1] : "."), NULL);
}
