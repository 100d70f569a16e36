/* SPDX-License-Identifier: MIT
 * Files: operations on descriptors. */
#include "core/base/hook.h"
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/sched/fdwait.h"
#include "core/sched/misuse.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <weft/file.h>

#if defined(HAVE_PREADV2) && defined(RWF_NOWAIT)
#include <sys/vfs.h>
#define TMPFS_MAGIC 0x01021994
#endif

#define AT_ITS_PLACE (-1)
#define ONCE_MAX 0x7ffff000 /* bytes that the system reads or writes in one call */
#define PARTS_MAX 1024      /* and buffers */
/* Bytes that are copied in the loop's own thread, which takes less than going to another one and
 * back: about 30 us. */
#define COPY_MAX (256u << 10)
#define COPY_TURN 8192u /* of these, as much as one turn of the budget */

int weft_file_open(const char *path, int flags, unsigned mode)
{
    weft_backend_op op = {
        .opcode = WEFT_OP_OPEN,
        .fd = AT_FDCWD,
        .address = weft__op_pointer(path),
        .flags = (uint32_t)(flags | O_CLOEXEC),
        .length = mode,
    };

    return path ? (int)weft__file_op(&op) : -EINVAL;
}

int weft_file_close(int fd)
{
    weft_backend_op op = { .opcode = WEFT_OP_CLOSE, .fd = fd };
    struct weft__loop *loop = weft__running;
    int r;

    loop = loop && !weft__loop_is_inherited(loop) ? loop : NULL;
    if (fd < 0) {
        return -EBADF;
    }
    if (loop) {
        weft__fd_forget(loop, fd); /* should somebody have waited for it */
    }
    r = (int)weft__file_op_always(&op);
    if (loop && loop->observer) {
        weft__hooks.fd(loop, fd, r == -EBADF ? WEFT__FD_NOT_CLOSED : WEFT__FD_CLOSED);
    }
    return r;
}

/* The running task, for what may be done without a wait; NULL and the error. */
static struct weft__task *begin(int *ret_error)
{
    struct weft__task *task = weft__self(ret_error);

    if (!task) {
        (void)weft__misuse(*ret_error);
    } else if (task->cancelled) {
        weft__task_yield(task);
        *ret_error = -ECANCELED;
        task = NULL;
    }
    return task;
}

#if defined(HAVE_PREADV2) && defined(RWF_NOWAIT)
/* Whether a file has no disk to be waited for: it lies in memory, as the buffer that it is read
 * into, and like that may have been swapped out.  Terminals and pipes have names there, too. */
static bool is_in_memory(int fd)
{
    struct statfs system;
    struct stat found;

    return WEFT__SYS(fstatfs(fd, &system)) == 0 && system.f_type == TMPFS_MAGIC &&
           WEFT__SYS(fstat(fd, &found)) == 0 && S_ISREG(found.st_mode);
}
#endif

/* Reads what is in memory, without waiting for a disk: how many bytes, -EAGAIN it would have to
 * wait, or whatever else: then a thread shall find out. */
static int64_t read_cached(int fd, char *buffer, size_t size, int64_t offset)
{
#if defined(HAVE_PREADV2) && defined(RWF_NOWAIT)
    struct iovec part = { buffer, size };
    ssize_t r;

    if (size <= COPY_MAX) {
        r = WEFT__SYS(preadv2(fd, &part, 1, offset, RWF_NOWAIT));
        if (r < 0 && errno == EOPNOTSUPP && is_in_memory(fd)) {
            r = WEFT__SYS(preadv2(fd, &part, 1, offset, 0)); /* tmpfs does not know that flag */
        }
        return r < 0 ? -errno : r;
    }
#else
    (void)fd, (void)buffer, (void)size, (void)offset;
#endif
    return -EAGAIN;
}

/* As much as there is in memory; `size` or the file's end (true), or less. */
static bool read_quickly(struct weft__task *task, int fd, char *buffer, size_t size, int64_t offset,
                         size_t *ret_got)
{
    size_t got = 0;
    int64_t n;

    do {
        n = read_cached(fd, buffer + got, size - got, offset < 0 ? offset : offset + (int64_t)got);
        got += n > 0 ? (size_t)n : 0;
    } while (n > 0 && got < size); /* less may be the end, or all that is there: ask again */
    *ret_got = got;
    if (n < 0) {
        return false;
    }
    task->loop->budget -= (int32_t)(got / COPY_TURN);
    weft__task_spend_turn(task);
    return true;
}

static ssize_t read_at(int fd, void *buffer, size_t size, int64_t offset)
{
    weft_backend_op op = { .opcode = WEFT_OP_READ, .fd = fd };
    size_t got = 0;
    int r = 0;
    struct weft__task *task = buffer || size == 0 ? begin(&r) : NULL;

    if (!task) {
        return r < 0 ? r : -EINVAL;
    }
    if (read_quickly(task, fd, buffer, size, offset, &got)) {
        return (ssize_t)got;
    }
    do {
        op.address = weft__op_pointer((char *)buffer + got);
        op.length = size - got < ONCE_MAX ? (uint32_t)(size - got) : ONCE_MAX;
        op.offset = offset < 0 ? UINT64_MAX : (uint64_t)offset + got;
        op.result = weft__file_op(&op);
        got += op.result > 0 ? (size_t)op.result : 0;
    } while (op.result == ONCE_MAX && got < size);
    return op.result < 0 && got == 0 ? (ssize_t)op.result : (ssize_t)got;
}

ssize_t weft_file_read(int fd, void *buffer, size_t size)
{
    return read_at(fd, buffer, size, AT_ITS_PLACE);
}

ssize_t weft_file_pread(int fd, void *buffer, size_t size, int64_t offset)
{
    return offset < 0 ? -EINVAL : read_at(fd, buffer, size, offset);
}

/* All of it: what was begun is not left in the middle, unless the system refuses to go on. */
static ssize_t write_at(int fd, const void *data, size_t size, int64_t offset)
{
    weft_backend_op op = { .opcode = WEFT_OP_WRITE, .fd = fd };
    size_t done = 0;

    if (!data && size > 0) {
        return -EINVAL;
    }
    do {
        op.address = weft__op_pointer((const char *)data + done);
        op.length = size - done < ONCE_MAX ? (uint32_t)(size - done) : ONCE_MAX;
        op.offset = offset < 0 ? UINT64_MAX : (uint64_t)offset + done;
        op.result = done == 0 ? weft__file_op(&op) : weft__file_op_always(&op);
        if (op.result < 0 || (op.result == 0 && size > 0)) {
            return op.result < 0 ? (ssize_t)op.result : -EIO;
        }
        done += (size_t)op.result;
    } while (done < size);
    return (ssize_t)done;
}

ssize_t weft_file_write(int fd, const void *data, size_t size)
{
    return write_at(fd, data, size, AT_ITS_PLACE);
}

ssize_t weft_file_pwrite(int fd, const void *data, size_t size, int64_t offset)
{
    return offset < 0 ? -EINVAL : write_at(fd, data, size, offset);
}

static bool are_parts(const struct iovec *parts, int count, int64_t offset)
{
    return count >= 0 && count <= PARTS_MAX && (parts || count == 0) && offset >= AT_ITS_PLACE;
}

ssize_t weft_file_readv(int fd, const struct iovec *parts, int count, int64_t offset)
{
    weft_backend_op op = {
        .opcode = WEFT_OP_READV,
        .fd = fd,
        .address = weft__op_pointer(parts),
        .length = (uint32_t)count,
        .offset = offset < 0 ? UINT64_MAX : (uint64_t)offset,
    };

    return are_parts(parts, count, offset) ? (ssize_t)weft__file_op(&op) : -EINVAL;
}

/* Where in the parts `done` bytes are. */
static int part_of(const struct iovec *parts, int count, size_t *done)
{
    int i = 0;

    while (i < count && *done >= parts[i].iov_len) {
        *done -= parts[i++].iov_len;
    }
    return i;
}

/* What a write of several parts left out, one after the other. */
static ssize_t write_rest(int fd, const struct iovec *parts, int count, int64_t offset, size_t done)
{
    size_t within = done;
    weft_backend_op op = { .opcode = WEFT_OP_WRITE, .fd = fd };

    for (int i = part_of(parts, count, &within); i < count; within = 0, i++) {
        while (within < parts[i].iov_len) {
            op.address = weft__op_pointer((const char *)parts[i].iov_base + within);
            op.length = parts[i].iov_len - within < ONCE_MAX ?
                            (uint32_t)(parts[i].iov_len - within) :
                            ONCE_MAX;
            op.offset = offset < 0 ? UINT64_MAX : (uint64_t)offset + done;
            op.result = weft__file_op_always(&op);
            if (op.result <= 0) {
                return op.result < 0 ? (ssize_t)op.result : -EIO;
            }
            within += (size_t)op.result;
            done += (size_t)op.result;
        }
    }
    return (ssize_t)done;
}

ssize_t weft_file_writev(int fd, const struct iovec *parts, int count, int64_t offset)
{
    weft_backend_op op = {
        .opcode = WEFT_OP_WRITEV,
        .fd = fd,
        .address = weft__op_pointer(parts),
        .length = (uint32_t)count,
        .offset = offset < 0 ? UINT64_MAX : (uint64_t)offset,
    };
    int64_t r = are_parts(parts, count, offset) ? weft__file_op(&op) : -EINVAL;

    return r < 0 ? (ssize_t)r : write_rest(fd, parts, count, offset, (size_t)r);
}

int64_t weft_file_seek(int fd, int64_t offset, int whence)
{
    weft_backend_op op = {
        .opcode = WEFT__OP_SEEK,
        .fd = fd,
        .offset = (uint64_t)offset,
        .flags = (uint32_t)whence,
    };

    return weft__file_op(&op);
}

int weft_file_stat(int fd, struct stat *ret_stat)
{
    struct stat found = { 0 };
    weft_backend_op op = {
        .opcode = WEFT__OP_FSTAT,
        .fd = fd,
        .address = weft__op_pointer(&found),
    };
    int r = ret_stat ? (int)weft__file_op(&op) : -EINVAL;

    if (r >= 0) {
        *ret_stat = found;
    }
    return r;
}

int64_t weft_file_size(int fd)
{
    struct stat found;
    int r = weft_file_stat(fd, &found);

    return r < 0 ? r : found.st_size;
}

int weft_file_truncate(int fd, int64_t size)
{
    weft_backend_op op = { .opcode = WEFT__OP_FTRUNCATE, .fd = fd, .offset = (uint64_t)size };

    return size < 0 ? -EINVAL : (int)weft__file_op(&op);
}

int weft_file_allocate(int fd, int64_t offset, int64_t size)
{
    weft_backend_op op = {
        .opcode = WEFT__OP_ALLOCATE,
        .fd = fd,
        .offset = (uint64_t)offset,
        .address = (uint64_t)size,
    };

    return offset < 0 || size <= 0 ? -EINVAL : (int)weft__file_op(&op);
}

static int sync_fd(int fd, uint32_t flags)
{
    weft_backend_op op = { .opcode = WEFT_OP_SYNC, .fd = fd, .flags = flags };

    return (int)weft__file_op(&op);
}

int weft_file_fsync(int fd)
{
    return sync_fd(fd, 0);
}

int weft_file_fdatasync(int fd)
{
    return sync_fd(fd, 1);
}
