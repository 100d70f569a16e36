/* SPDX-License-Identifier: MIT
 * Temporary files and directories; those of a loop hang on it, and go with it. */
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/io/replace.h"
#include "core/io/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/temp.h>

#ifndef HAVE_SECURE_GETENV
#define secure_getenv getenv
#endif

_Static_assert(sizeof(void *) != 8 || sizeof(weft_temp_options) == 40, "the public size");

struct weft_temp {
    struct weft__list link;  /* in its loop's list */
    struct weft__loop *loop; /* NULL: it is gone, or was kept */
    char *path;
    int fd; /* -1: a directory */
};

/* What hangs on a loop. */
struct temps {
    struct weft__attachment attachment;
    struct weft__list list;
};

/* Takes it away; blocks. */
static int take_away(void *arg)
{
    weft_temp *temp = arg;

    if (temp->fd < 0) {
        return weft__rmtree_here(temp->path);
    }
    return unlink(temp->path) < 0 ? -errno : 0;
}

static void close_temps(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct temps *temps = (struct temps *)(void *)attachment;
    struct weft__list *link;

    while ((link = weft__list_pop(&temps->list))) {
        weft_temp *temp = WEFT__CONTAINER(link, weft_temp, link);

        if (!weft__loop_is_inherited(loop)) {
            (void)take_away(temp);
        }
        temp->loop = NULL; /* the memory is for weft_temp_free() */
    }
    weft__free(temps);
}

static struct temps *temps_of(struct weft__loop *loop)
{
    struct temps *temps = (struct temps *)(void *)weft__loop_attached(loop, close_temps);

    if (!temps) {
        temps = weft__alloc_zeroed(1, sizeof *temps);
        if (temps) {
            temps->attachment.close = close_temps;
            weft__list_init(&temps->list);
            weft__loop_attach(loop, &temps->attachment);
        }
    }
    return temps;
}

/* Where temporary files are. */
static const char *dir_or_default(const char *dir)
{
    const char *named = dir ? dir : secure_getenv("TMPDIR");

    return named && (dir || *named) ? named : "/tmp";
}

/* ---- without a name ---- */

static int open_unnamed(void *arg)
{
    const char *dir = arg;
    char before[PATH_MAX];
    char *path;
    int fd = -1, len;

#ifdef O_TMPFILE
    do {
        fd = WEFT__SYS(open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return fd < 0 ? -errno : fd;
    }
#endif
    len = snprintf(before, sizeof before, "%s/.weft-", dir);
    if (len < 0 || (size_t)len >= sizeof before) {
        return -ENAMETOOLONG;
    }
    fd = weft__make_unique(before, "", O_RDWR, 0600, &path);
    if (fd >= 0) {
        (void)unlink(path);
        weft__free(path);
    }
    return fd;
}

int weft_temp_file(const char *dir)
{
    char where[PATH_MAX];
    int len = snprintf(where, sizeof where, "%s", dir_or_default(dir));

    if (len < 0 || (size_t)len >= sizeof where) {
        return -ENAMETOOLONG;
    }
    return weft__file_call(open_unnamed, where);
}

/* ---- with one ---- */

struct making {
    char before[2 * PATH_MAX]; /* of the path, up to the random word */
    char dir[PATH_MAX];
    const char *prefix, *suffix;
    bool is_dir;
    char *path; /* as it was made */
};

static int make(void *arg)
{
    struct making *making = arg;
    char real[PATH_MAX]; /* the process may be elsewhere when it is taken away */

    if (WEFT__SYS(realpath(making->dir, real) ? 0 : -1) < 0) {
        return -errno;
    }
    if (snprintf(making->before, sizeof making->before, "%s%s%s", real, real[1] ? "/" : "",
                 making->prefix) >= (int)sizeof making->before) {
        return -ENAMETOOLONG;
    }
    return weft__make_unique(making->before, making->suffix, making->is_dir ? -1 : O_RDWR,
                             making->is_dir ? 0700 : 0600, &making->path);
}

static bool has_slash(const char *text)
{
    return text && strchr(text, '/');
}

/* Makes it in a thread, and fills in a weft_temp, for which there is memory already. */
static int make_temp(const weft_temp_options *options, struct making *making, weft_temp *temp)
{
    int r = snprintf(making->dir, sizeof making->dir, "%s", dir_or_default(options->dir));

    if (r < 0 || (size_t)r >= sizeof making->dir) {
        return -ENAMETOOLONG;
    }
    making->prefix = options->prefix ? options->prefix : "weft-";
    making->suffix = options->suffix ? options->suffix : "";
    r = weft__file_call(make, making);
    if (r < 0) {
        return r;
    }
    temp->fd = making->is_dir ? -1 : r;
    temp->path = making->path;
    return 0;
}

static int new_temp(const weft_temp_options *options, bool is_dir, weft_temp **ret_temp)
{
    static const weft_temp_options none;
    int r = 0;
    struct weft__task *task = weft__self(&r);
    struct temps *temps;
    struct making *making;
    weft_temp *temp;

    options = options ? options : &none;
    if (!ret_temp || has_slash(options->prefix) || has_slash(options->suffix)) {
        return -EINVAL;
    }
    if (!task) {
        return r;
    }
    temps = temps_of(task->loop);
    making = temps ? weft__alloc_zeroed(1, sizeof *making) : NULL; /* too large for a stack */
    temp = making ? weft__alloc_zeroed(1, sizeof *temp) : NULL;
    r = -ENOMEM;
    if (temp) {
        making->is_dir = is_dir;
        r = make_temp(options, making, temp);
    }
    weft__free(making);
    if (r < 0) {
        weft__free(temp);
        return r;
    }
    temp->loop = task->loop;
    weft__list_push(&temps->list, &temp->link);
    *ret_temp = temp;
    return 0;
}

int weft_temp_file_new(const weft_temp_options *options, weft_temp **ret_temp)
{
    return new_temp(options, false, ret_temp);
}

int weft_temp_dir_new(const weft_temp_options *options, weft_temp **ret_temp)
{
    return new_temp(options, true, ret_temp);
}

const char *weft_temp_path(const weft_temp *temp)
{
    return temp ? temp->path : "";
}

int weft_temp_fd(const weft_temp *temp)
{
    if (!temp) {
        return -EINVAL;
    }
    return temp->fd < 0 ? -EISDIR : temp->fd;
}

/* It is not the loop's any more. */
static void let_go(weft_temp *temp)
{
    weft__list_remove(&temp->link);
    temp->loop = NULL;
}

int weft_temp_keep(weft_temp *temp, const char *path)
{
    weft_backend_op op = { .opcode = WEFT_OP_RENAME, .fd = AT_FDCWD };
    int r;

    if (!temp || !path) {
        return -EINVAL;
    }
    r = temp->loop ? weft__loop_check(temp->loop) : -ENOENT;
    if (r < 0) {
        return r;
    }
    op.address = weft__op_pointer(temp->path);
    op.length = (uint32_t)AT_FDCWD;
    op.offset = weft__op_pointer(path);
    r = (int)weft__file_op(&op);
    if (r == 0) {
        let_go(temp);
    }
    return r;
}

weft_temp *weft_temp_free(weft_temp *temp)
{
    if (!temp || (temp->loop && weft__loop_check(temp->loop) < 0)) {
        return NULL;
    }
    if (temp->loop) {
        (void)weft__file_call_always(take_away, temp, "remove what was temporary");
        let_go(temp);
    }
    if (temp->fd >= 0) {
        (void)close(temp->fd);
    }
    weft__free(temp->path);
    weft__free(temp);
    return NULL;
}
