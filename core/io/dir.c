/* SPDX-License-Identifier: MIT
 * Directories that are read some hundred entries at a time, and trees that are taken away. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/io/tree.h"
#include "core/sched/misuse.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <weft/dir.h>

#define BATCH 256          /* entries that are read at once, */
#define BATCH_NS 20000000  /* unless that takes longer than this */
#define SLICE_NS 100000000 /* how long a job keeps a thread before others have a turn */
#define PASSES_MAX 16      /* over a directory that others fill while it is taken away */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_dir_options) == 48, "the public size");

/* An entry of a batch. */
struct told {
    size_t path_at, name_at; /* in `text` */
    unsigned depth, type;
    int error;
    bool is_after;
};

struct weft_dir {
    struct weft__tree tree; /* a job's, while `reading` */
    struct told batch[BATCH];
    unsigned count, next; /* of the batch */
    int end;              /* what came after it: 0 nothing yet, 1 no more, or an error */
    bool reading;
    unsigned leave;       /* first leaves what is at this depth or below; 0: nothing */
    weft_buffer text;     /* the paths, with their NULs */
    struct stat *stats;   /* BATCH of them, or NULL */
    weft_dir_entry entry; /* the last, as the user sees it; without a name there is none */
    const char *path;     /* of open() */
};

/* The entry of the tree goes to the end of the batch. */
static int keep(weft_dir *dir)
{
    struct weft__tree *tree = &dir->tree;
    struct told *told = &dir->batch[dir->count];
    int r;

    *told = (struct told){
        .path_at = dir->text.len,
        .name_at = dir->text.len + tree->name_at,
        .depth = tree->entry_depth,
        .type = tree->type,
        .error = tree->entry_error,
        .is_after = tree->is_after,
    };
    r = weft_buffer_append(&dir->text, tree->path.data, tree->path.len + 1);
    if (r < 0) {
        return r;
    }
    if (dir->stats) {
        dir->stats[dir->count] = tree->found;
    }
    dir->count++;
    return 0;
}

/* Reads a batch; a thread. */
static void fill(weft_dir *dir)
{
    int64_t until = weft__clock_now() + BATCH_NS;
    int r = 1;

    dir->count = dir->next = 0;
    dir->text.len = 0;
    if (dir->leave > 0) {
        weft__tree_leave(&dir->tree, dir->leave);
        dir->leave = 0;
    }
    while (r > 0 && dir->count < BATCH && (dir->count == 0 || weft__clock_now() < until)) {
        r = weft__tree_next(&dir->tree);
        if (r > 0) {
            int kept = keep(dir);

            r = kept < 0 ? kept : r;
        }
    }
    dir->end = r < 0 ? r : r == 0;
}

static int open_and_fill(void *arg)
{
    weft_dir *dir = arg;
    int r = weft__tree_begin(&dir->tree, dir->path);

    if (r == 0) {
        fill(dir);
    }
    return r;
}

static int fill_more(void *arg)
{
    fill(arg);
    return 0;
}

static int end_tree(void *tree)
{
    weft__tree_end(tree);
    return 0;
}

static void free_dir(weft_dir *dir)
{
    weft_buffer_clear(&dir->text);
    weft__free(dir->stats);
    weft__free(dir);
}

/* A weft_dir with its options; NULL without memory. */
static weft_dir *make(const char *path, const weft_dir_options *options)
{
    weft_dir *dir = weft__alloc_zeroed(1, sizeof *dir);

    if (!dir || !options) {
        if (dir) {
            dir->path = path;
        }
        return dir;
    }
    dir->path = path;
    dir->tree.recursive = options->recursive;
    dir->tree.stat = options->stat;
    dir->tree.follow = options->follow;
    dir->tree.after = options->after && options->recursive;
    dir->tree.one_device = options->one_device;
    dir->tree.max_depth = options->max_depth;
    if (options->stat) {
        dir->stats = weft__alloc(NULL, BATCH * sizeof *dir->stats);
        if (!dir->stats) {
            free_dir(dir);
            return NULL;
        }
    }
    return dir;
}

int weft_dir_open(const char *path, const weft_dir_options *options, weft_dir **ret_dir)
{
    weft_dir *dir = path && ret_dir ? make(path, options) : NULL;
    int r;

    if (!dir) {
        return path && ret_dir ? -ENOMEM : -EINVAL;
    }
    r = weft__file_call(open_and_fill, dir);
    if (r < 0) {
        free_dir(dir);
        return r;
    }
    dir->path = NULL;
    *ret_dir = dir;
    return 0;
}

/* The next entry of the batch, as the user sees it. */
static int give(weft_dir *dir, const weft_dir_entry **ret_entry)
{
    const struct told *told = &dir->batch[dir->next];

    dir->entry = (weft_dir_entry){
        .name = dir->text.data + told->name_at,
        .path = dir->text.data + told->path_at,
        .stat = dir->stats ? &dir->stats[dir->next] : NULL,
        .depth = told->depth,
        .type = told->type,
        .error = told->error,
        .is_after = told->is_after,
    };
    dir->next++;
    *ret_entry = &dir->entry;
    return 1;
}

int weft_dir_next(weft_dir *dir, const weft_dir_entry **ret_entry)
{
    int r = 0;
    struct weft__task *task = dir && ret_entry ? weft__self(&r) : NULL;

    if (!task || dir->reading) {
        return r < 0 ? weft__misuse(r) : task ? -EBUSY : -EINVAL;
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    while (dir->next == dir->count && dir->end == 0) {
        dir->reading = true;
        r = weft__file_call(fill_more, dir);
        dir->reading = false;
        if (r < 0) {
            return r;
        }
    }
    dir->entry.name = NULL;
    if (dir->next < dir->count) {
        weft__task_spend_turn(task);
        return give(dir, ret_entry);
    }
    r = dir->end < 0 ? dir->end : 0;
    dir->end = r < 0 ? 0 : 1; /* an error is told once */
    return r;
}

int weft_dir_skip(weft_dir *dir)
{
    unsigned depth;

    if (!dir || dir->reading || !dir->entry.name || !S_ISDIR(dir->entry.type) ||
        dir->entry.is_after) {
        return -EINVAL;
    }
    depth = dir->entry.depth;
    while (dir->next < dir->count && dir->batch[dir->next].depth > depth) {
        dir->next++;
    }
    if (dir->next == dir->count) {
        if (dir->tree.depth > depth && dir->end != 1) {
            dir->leave = depth;
        }
    } else if (dir->batch[dir->next].is_after) {
        dir->next++;
    }
    return 0;
}

weft_dir *weft_dir_close(weft_dir *dir)
{
    if (dir) {
        if (dir->tree.depth > 0) {
            (void)weft__file_call_always(end_tree, &dir->tree, "close a directory");
        } else {
            weft__tree_end(&dir->tree);
        }
        free_dir(dir);
    }
    return NULL;
}

/* ---- taking a tree away ---- */

struct removal {
    const char *path;
    struct weft__tree tree;
    bool begun;       /* the tree is open */
    int passes;       /* one more where somebody has put something into what had been emptied */
    int error;        /* the first one, */
    weft_buffer what; /* and the path that it was about; without memory it is empty */
};

/* Keeps the first error. */
static void note_error(struct removal *removal, int error, const char *path)
{
    if (removal->error == 0) {
        removal->error = error;
        (void)weft_buffer_append(&removal->what, path, strlen(path));
    }
}

static int unlink_at(int fd, const char *name, int flags)
{
    weft_backend_op op = {
        .opcode = WEFT_OP_UNLINK,
        .fd = fd,
        .address = weft__op_pointer(name),
        .flags = (uint32_t)flags,
    };

    return (int)weft__file_perform(&op);
}

/* The entry of the tree goes; a directory only when all that is in it has gone. */
static void remove_entry(struct removal *removal)
{
    struct weft__tree *tree = &removal->tree;
    const char *name = tree->path.data + tree->name_at;
    int r;

    if (S_ISDIR(tree->type) && tree->entry_error == 0 && !tree->is_after) {
        return;
    }
    r = unlink_at(tree->parent_fd, name, S_ISDIR(tree->type) ? AT_REMOVEDIR : 0);
    if (r < 0 && r != -ENOENT && !(r == -ENOTEMPTY && tree->is_after)) {
        note_error(removal, tree->entry_error < 0 ? tree->entry_error : r, tree->path.data);
    }
}

/* Begins with the tree, or takes away what is none: 1 begun, 0 done, or an error. */
static int begin_pass(struct removal *removal)
{
    int r = unlink_at(AT_FDCWD, removal->path, 0), begun;

    if (r != -EISDIR && r != -EPERM) { /* POSIX says the one, Linux the other */
        return r;
    }
    removal->tree.recursive = removal->tree.after = removal->tree.no_links = true;
    begun = weft__tree_begin(&removal->tree, removal->path);
    removal->begun = begun == 0;
    return begun == -ENOTDIR ? r : begun < 0 ? begun : 1;
}

/* The tree is empty, but for what could not be taken away: 0, 1 once more, or an error. */
static int end_pass(struct removal *removal)
{
    int r;

    weft__tree_end(&removal->tree);
    removal->begun = false;
    r = unlink_at(AT_FDCWD, removal->path, AT_REMOVEDIR);
    if (removal->error < 0) {
        return removal->error;
    }
    if (r == -ENOTEMPTY && ++removal->passes < PASSES_MAX) {
        return 1;
    }
    if (r < 0) {
        note_error(removal, r, removal->path);
    }
    return r;
}

/* A slice of it; a thread.  1: not done yet. */
static int remove_some(void *arg)
{
    struct removal *removal = arg;
    int64_t until = weft__clock_now() + SLICE_NS;
    int r = 1;

    while (r > 0 && weft__clock_now() < until) {
        if (weft_job_cancelled()) {
            return -ECANCELED;
        }
        if (!removal->begun) {
            r = begin_pass(removal);
            if (r < 0) {
                note_error(removal, r, removal->path);
            }
            continue;
        }
        r = weft__tree_next(&removal->tree);
        if (r > 0) {
            remove_entry(removal);
        } else if (r < 0) {
            note_error(removal, r, removal->tree.path.data);
            r = 1;
        } else {
            r = end_pass(removal);
        }
    }
    return r;
}

int weft__rmtree_here(const char *path)
{
    struct removal removal = { .path = path };
    int r = 1;

    while (r > 0) {
        r = remove_some(&removal);
    }
    if (removal.begun) {
        weft__tree_end(&removal.tree);
    }
    weft_buffer_clear(&removal.what);
    return r;
}

int weft_rmtree(const char *path)
{
    struct removal removal = { .path = path };
    int r = path ? 1 : -EINVAL;

    while (r > 0) {
        r = weft__file_call(remove_some, &removal);
    }
    if (removal.begun) {
        (void)weft__file_call_always(end_tree, &removal.tree, "close a directory");
    }
    if (r < 0 && removal.error == r && removal.what.data) {
        r = weft__detail(r, "cannot remove '%s': %s", removal.what.data, weft_strerror(r));
    }
    weft_buffer_clear(&removal.what);
    return r;
}
