/* SPDX-License-Identifier: MIT
 * Paths: operations on names. */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/file_op.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/path.h>

/* An operation on one path. */
static weft_backend_op on(uint32_t opcode, const char *path)
{
    return (weft_backend_op){
        .opcode = opcode,
        .fd = AT_FDCWD,
        .address = weft__op_pointer(path),
    };
}

static int call(weft_backend_op *op)
{
    return op->address ? (int)weft__file_op(op) : -EINVAL;
}

/* One with two. */
static int call_with(weft_backend_op *op, const char *other)
{
    op->offset = weft__op_pointer(other);
    return other ? call(op) : -EINVAL;
}

static int look(const char *path, uint32_t flags, struct stat *ret_stat)
{
    struct stat found = { 0 };
    weft_backend_op op = on(WEFT__OP_STAT, path);
    int r;

    op.flags = flags;
    op.offset = weft__op_pointer(&found);
    r = ret_stat ? call(&op) : -EINVAL;
    if (r >= 0) {
        *ret_stat = found;
    }
    return r;
}

int weft_stat(const char *path, struct stat *ret_stat)
{
    return look(path, 0, ret_stat);
}

int weft_lstat(const char *path, struct stat *ret_stat)
{
    return look(path, AT_SYMLINK_NOFOLLOW, ret_stat);
}

int weft_access(const char *path, int how)
{
    weft_backend_op op = on(WEFT__OP_ACCESS, path);

    op.length = (uint32_t)how;
    return call(&op);
}

int weft_rename(const char *from, const char *to)
{
    weft_backend_op op = on(WEFT_OP_RENAME, from);

    op.length = (uint32_t)AT_FDCWD;
    return call_with(&op, to);
}

int weft_link(const char *from, const char *to)
{
    weft_backend_op op = on(WEFT__OP_LINK, from);

    return call_with(&op, to);
}

int weft_symlink(const char *target, const char *path)
{
    weft_backend_op op = on(WEFT__OP_SYMLINK, target);

    return call_with(&op, path);
}

int weft_unlink(const char *path)
{
    weft_backend_op op = on(WEFT_OP_UNLINK, path);

    return call(&op);
}

int weft_rmdir(const char *path)
{
    weft_backend_op op = on(WEFT_OP_UNLINK, path);

    op.flags = AT_REMOVEDIR;
    return call(&op);
}

int weft_mkdir(const char *path, unsigned mode)
{
    weft_backend_op op = on(WEFT_OP_MKDIR, path);

    op.length = mode;
    return call(&op);
}

int weft_chmod(const char *path, unsigned mode)
{
    weft_backend_op op = on(WEFT__OP_CHMOD, path);

    op.length = mode;
    return call(&op);
}

/* A text that a call has found takes the place of what is in a buffer. */
static int give(weft_buffer *buffer, const char *text, size_t len)
{
    size_t before = buffer->len;
    int r;

    buffer->len = 0;
    r = weft_buffer_append(buffer, text, len);
    if (r < 0) {
        buffer->len = before;
    }
    return r;
}

int weft_readlink(const char *path, weft_buffer *target)
{
    char text[PATH_MAX];
    weft_backend_op op = on(WEFT__OP_READLINK, path);
    int r;

    op.offset = weft__op_pointer(text);
    op.length = sizeof text;
    r = target ? call(&op) : -EINVAL;
    return r < 0 ? r : give(target, text, (size_t)r);
}

/* realpath(3) in a thread. */
struct resolving {
    const char *path;
    char text[PATH_MAX];
};

static int resolve(void *arg)
{
    struct resolving *resolving = arg;

    return WEFT__SYS(realpath(resolving->path, resolving->text) ? 0 : -1) < 0 ? -errno : 0;
}

int weft_realpath(const char *path, weft_buffer *real)
{
    struct resolving resolving = { .path = path };
    int r = path && real ? weft__file_call(resolve, &resolving) : -EINVAL;

    return r < 0 ? r : give(real, resolving.text, strlen(resolving.text));
}

/* mkdir -p in a thread; `path` is a copy, in which each "/" is for a moment the end. */
struct making {
    char *path;
    unsigned mode;
};

static int make(const char *path, unsigned mode)
{
    weft_backend_op op = on(WEFT_OP_MKDIR, path);
    struct stat found;
    int r;

    op.length = mode;
    r = (int)weft__file_perform(&op);
    if (r == -EEXIST && stat(path, &found) == 0) {
        r = S_ISDIR(found.st_mode) ? 0 : -EEXIST;
    }
    return r;
}

/* Makes those above the last one, up to `end`, which is a "/" or the beginning. */
static int make_above(char *path, char *end)
{
    int r = 0;

    for (char *at = path + 1; r == 0 && at < end; at++) {
        if (*at == '/' && at[-1] != '/') {
            *at = '\0';
            r = weft_job_cancelled() ? -ECANCELED : make(path, 0777);
            if (r == 0 || r == -ECANCELED) {
                *at = '/'; /* else the path tells which one failed */
            }
        }
    }
    return r;
}

static int make_all(void *arg)
{
    struct making *making = arg;
    int r = make(making->path, making->mode); /* what is above is there, mostly */

    if (r == -ENOENT) {
        r = make_above(making->path, making->path + strlen(making->path));
        r = r < 0 ? r : make(making->path, making->mode);
    }
    return r;
}

int weft_makedirs(const char *path, unsigned mode)
{
    struct making making = { .mode = mode };
    size_t len = path ? strlen(path) : 0;
    int r;

    if (len == 0) {
        return path ? -ENOENT : -EINVAL;
    }
    making.path = weft__alloc(NULL, len + 1);
    if (!making.path) {
        return -ENOMEM;
    }
    memcpy(making.path, path, len + 1);
    while (len > 1 && making.path[len - 1] == '/') {
        making.path[--len] = '\0';
    }
    r = weft__file_call(make_all, &making);
    if (r < 0 && r != -ECANCELED) {
        r = weft__detail(r, "cannot make the directory '%s': %s", making.path, weft_strerror(r));
    }
    weft__free(making.path);
    return r;
}
