/* SPDX-License-Identifier: MIT
 * Reading a directory, or the tree below it: what jobs in file threads do.
 *
 * Each directory on the way down is a level with an open stream.  At most WEFT__TREE_OPEN of them
 * are: beyond that the highest is read to its end, into memory, and closed.  On the way back it is
 * opened again as ".." of the one below, and must be what it was.  Directories below the first are
 * opened relative to the one above, so nobody who moves one meanwhile leads us elsewhere. */
#ifndef WEFT_CORE_TREE_H
#define WEFT_CORE_TREE_H

#include "core/base/base.h"

#include <dirent.h>
#include <sys/stat.h>
#include <weft/buffer.h>

#define WEFT__TREE_OPEN 24 /* and one or two more for a moment */

struct weft__tree_level {
    DIR *dir;          /* NULL: it was read to its end, and the rest is in `rest` */
    int fd;            /* of `dir`, or opened again; -1: closed */
    dev_t device;      /* what it is, */
    ino_t inode;       /* so that it is known again */
    size_t path_len;   /* of the path to it, in weft__tree.path */
    weft_buffer rest;  /* names, each after a byte with its d_type and before a NUL */
    size_t rest_at;    /* how much of that was told */
};

struct weft__tree {
    bool recursive, stat, follow, after, one_device, no_links;
    unsigned max_depth;
    struct weft__tree_level *levels; /* the first is what was opened */
    unsigned depth, capacity;        /* levels that there are, and have room */
    unsigned closed;                 /* how many of the first have no stream any more */
    weft_buffer path;                /* to the entry */
    bool told_dir;                   /* the entry is a directory, which is the last level */

    /* The entry. */
    size_t name_at; /* where in the path its name begins */
    unsigned type;  /* S_IFMT bits */
    unsigned entry_depth;
    int entry_error;
    int parent_fd; /* of the directory that it is in */
    bool is_after;
    struct stat found; /* with `stat`, or where it had to be asked */
};

/* Opens the root.  The options are set, the rest is zero.  0, or an error, and nothing is open. */
int weft__tree_begin(struct weft__tree *tree, const char *path);

/* The next entry: 1, 0 there are no more, or an error; after that it may be called again. */
int weft__tree_next(struct weft__tree *tree);

/* Leaves the directories that are at `depth` or below it. */
void weft__tree_leave(struct weft__tree *tree, unsigned depth);

/* In io/dir.c: weft_rmtree() that blocks; for jobs. */
int weft__rmtree_here(const char *path);

/* Closes and frees all; blocks where something is open. */
void weft__tree_end(struct weft__tree *tree);

#endif
