/* SPDX-License-Identifier: MIT
 * Reading a directory, or the tree below it. */
#include "core/io/tree.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct weft__tree_level *last_level(struct weft__tree *tree)
{
    return &tree->levels[tree->depth - 1];
}

static void close_level(struct weft__tree_level *level)
{
    if (level->dir) {
        (void)closedir(level->dir);
    } else if (level->fd >= 0) {
        (void)close(level->fd);
    }
    level->dir = NULL;
    level->fd = -1;
}

/* Room for one more level, zeroed. */
static int grow(struct weft__tree *tree)
{
    unsigned capacity = tree->capacity ? tree->capacity * 2 : 8;
    struct weft__tree_level *levels;

    if (tree->depth < tree->capacity) {
        return 0;
    }
    levels = weft__alloc(tree->levels, capacity * sizeof *levels);
    if (!levels) {
        return -ENOMEM;
    }
    tree->levels = levels;
    tree->capacity = capacity;
    return 0;
}

/* Reads what is left of a level into memory, and closes it. */
static int put_aside(struct weft__tree_level *level)
{
    struct dirent *entry;
    char type;
    int r = 0;

    while (r == 0) {
        long place = telldir(level->dir);
        size_t before = level->rest.len;

        entry = readdir(level->dir);
        if (!entry) {
            break;
        }
        type = (char)entry->d_type;
        r = weft_buffer_append(&level->rest, &type, 1);
        r = r < 0 ? r : weft_buffer_append(&level->rest, entry->d_name, strlen(entry->d_name) + 1);
        if (r < 0) { /* it comes after these then */
            level->rest.len = before;
            seekdir(level->dir, place);
        }
    }
    if (r == 0) {
        close_level(level);
    }
    return r;
}

/* Takes an open directory in as the last level; `fd` is taken, also on error. */
static int push(struct weft__tree *tree, int fd)
{
    struct stat found;
    int r = grow(tree);
    struct weft__tree_level level = { .fd = fd, .path_len = tree->path.len };

    if (r == 0 && WEFT__SYS(fstat(fd, &found)) < 0) {
        r = -errno;
    }
    for (unsigned i = 0; r == 0 && tree->follow && i < tree->depth; i++) {
        bool is_above =
            tree->levels[i].device == found.st_dev && tree->levels[i].inode == found.st_ino;

        r = is_above ? -ELOOP : 0;
    }
    if (r == 0 && tree->one_device && tree->depth > 0 && tree->levels[0].device != found.st_dev) {
        r = -EXDEV;
    }
    if (r == 0) {
        level.dir = WEFT__SYS(0) < 0 ? NULL : fdopendir(fd);
        r = level.dir ? 0 : -errno;
    }
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    level.device = found.st_dev;
    level.inode = found.st_ino;
    tree->levels[tree->depth++] = level;
    if (tree->depth - tree->closed > WEFT__TREE_OPEN) {
        r = put_aside(&tree->levels[tree->closed]);
        tree->closed += r == 0;
    }
    return 0; /* where there is no memory for that, more of them stay open */
}

int weft__tree_begin(struct weft__tree *tree, const char *path)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (tree->no_links ? O_NOFOLLOW : 0);
    int fd = WEFT__SYS(open(path, flags)), r = fd < 0 ? -errno : 0;

    r = r < 0 ? r : weft_buffer_append(&tree->path, path, strlen(path));
    if (r < 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return r;
    }
    r = push(tree, fd);
    if (r < 0) {
        weft__tree_end(tree);
    }
    return r;
}

/* Whether `fd` is the directory of that level. */
static bool is_level(int fd, const struct weft__tree_level *level)
{
    struct stat found;

    return fstat(fd, &found) == 0 && found.st_dev == level->device && found.st_ino == level->inode;
}

/* Opens a level again that had been closed: as what is above `below`, or by its path. */
static void open_again(struct weft__tree *tree, struct weft__tree_level *level, int below)
{
    char end = tree->path.data[level->path_len];
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    level->fd = below < 0 ? -1 : openat(below, "..", flags);
    if (level->fd >= 0 && is_level(level->fd, level)) {
        return;
    }
    close_level(level);
    tree->path.data[level->path_len] = '\0';
    level->fd = open(tree->path.data, flags);
    tree->path.data[level->path_len] = end;
    if (level->fd >= 0 && !is_level(level->fd, level)) {
        close_level(level);
    }
}

static void pop(struct weft__tree *tree)
{
    struct weft__tree_level *level = last_level(tree);

    tree->depth--;
    if (tree->depth > 0 && last_level(tree)->fd < 0) {
        open_again(tree, last_level(tree), level->fd);
    }
    close_level(level);
    weft_buffer_clear(&level->rest);
    if (tree->closed > tree->depth) {
        tree->closed = tree->depth;
    }
}

void weft__tree_leave(struct weft__tree *tree, unsigned depth)
{
    while (tree->depth > depth) {
        pop(tree);
    }
    tree->told_dir = false;
}

void weft__tree_end(struct weft__tree *tree)
{
    for (; tree->depth > 0; tree->depth--) {
        close_level(last_level(tree));
        weft_buffer_clear(&last_level(tree)->rest);
    }
    weft__free(tree->levels);
    tree->levels = NULL;
    tree->capacity = tree->closed = 0;
    weft_buffer_clear(&tree->path);
}

/* The next name of a level, with its type: 1, 0 at its end, or an error. */
static int next_name(struct weft__tree_level *level, const char **ret_name, unsigned char *ret_type)
{
    struct dirent *entry;

    if (level->rest_at < level->rest.len && level->fd >= 0) { /* what was put aside */
        *ret_type = (unsigned char)level->rest.data[level->rest_at];
        *ret_name = level->rest.data + level->rest_at + 1;
        level->rest_at += 2 + strlen(*ret_name);
        return 1;
    }
    if (!level->dir) {
        return level->fd < 0 ? -ESTALE : 0;
    }
    errno = 0;
    entry = WEFT__SYS(0) < 0 ? NULL : readdir(level->dir);
    if (!entry) {
        return errno == ENOENT ? 0 : -errno; /* the directory itself was taken away */
    }
    *ret_name = entry->d_name;
    *ret_type = entry->d_type;
    return 1;
}

static int set_name(struct weft__tree *tree, size_t dir_len, const char *name)
{
    int r;

    tree->path.len = dir_len;
    r = dir_len > 0 && tree->path.data[dir_len - 1] == '/' ?
            0 :
            weft_buffer_append(&tree->path, "/", 1);
    tree->name_at = tree->path.len;
    return r < 0 ? r : weft_buffer_append(&tree->path, name, strlen(name));
}

/* Finds out what an entry is, as far as that is asked for: 0, or -ENOENT it is gone. */
static int look(struct weft__tree *tree, const char *name, unsigned char type)
{
    bool is_link = type == DT_LNK && !tree->follow;

    tree->type = type == DT_UNKNOWN ? 0 : DTTOIF(type);
    if (!tree->stat && tree->type != 0 && (type != DT_LNK || is_link)) {
        return 0;
    }
    if (tree->follow && WEFT__SYS(fstatat(tree->parent_fd, name, &tree->found, 0)) == 0) {
        tree->type = tree->found.st_mode & S_IFMT;
        return 0;
    }
    if (WEFT__SYS(fstatat(tree->parent_fd, name, &tree->found, AT_SYMLINK_NOFOLLOW)) == 0) {
        tree->type = tree->found.st_mode & S_IFMT;
        return 0;
    }
    if (errno == ENOENT) {
        return -ENOENT;
    }
    tree->entry_error = -errno;
    memset(&tree->found, 0, sizeof tree->found);
    return 0;
}

/* Goes into the directory that is the entry, if it shall. */
static void enter(struct weft__tree *tree, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (tree->follow ? 0 : O_NOFOLLOW);
    int fd;

    if (!S_ISDIR(tree->type) || !tree->recursive || tree->entry_error < 0 ||
        (tree->max_depth > 0 && tree->entry_depth >= tree->max_depth)) {
        return;
    }
    fd = WEFT__SYS(openat(tree->parent_fd, name, flags));
    tree->entry_error = fd < 0 ? -errno : push(tree, fd);
    tree->told_dir = tree->entry_error == 0;
    if (tree->entry_error == -EXDEV) {
        tree->entry_error = 0; /* it was asked for */
    }
}

/* One name of the last level becomes the entry: 1; 0: it does not count. */
static int tell(struct weft__tree *tree, const char *name, unsigned char type)
{
    struct weft__tree_level *level = last_level(tree);
    int r;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return 0;
    }
    tree->entry_error = 0;
    tree->is_after = false;
    tree->parent_fd = level->fd;
    tree->entry_depth = tree->depth;
    r = set_name(tree, level->path_len, name);
    if (r < 0) {
        return r;
    }
    if (look(tree, tree->path.data + tree->name_at, type) < 0) {
        return 0;
    }
    enter(tree, tree->path.data + tree->name_at);
    return 1;
}

/* The last level has ended; the directory may be told again: 1. */
static int tell_after(struct weft__tree *tree)
{
    tree->path.len = last_level(tree)->path_len;
    tree->path.data[tree->path.len] = '\0';
    pop(tree);
    if (!tree->after || tree->depth == 0) {
        return 0;
    }
    tree->name_at = tree->path.len;
    while (tree->name_at > 0 && tree->path.data[tree->name_at - 1] != '/') {
        tree->name_at--;
    }
    tree->type = S_IFDIR;
    tree->entry_error = 0;
    tree->is_after = true;
    tree->parent_fd = last_level(tree)->fd;
    tree->entry_depth = tree->depth;
    if (tree->stat && fstatat(tree->parent_fd, tree->path.data + tree->name_at, &tree->found,
                              tree->follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        memset(&tree->found, 0, sizeof tree->found);
    }
    return 1;
}

int weft__tree_next(struct weft__tree *tree)
{
    const char *name = NULL;
    unsigned char type = 0;
    int r = 0;

    tree->told_dir = false;
    while (r == 0 && tree->depth > 0) {
        r = next_name(last_level(tree), &name, &type);
        if (r < 0) { /* of this directory nothing more can be had */
            tree->path.len = last_level(tree)->path_len;
            tree->path.data[tree->path.len] = '\0';
            pop(tree);
            return r;
        }
        r = r > 0 ? tell(tree, name, type) : tell_after(tree);
    }
    return r;
}
