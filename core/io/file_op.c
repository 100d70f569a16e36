/* SPDX-License-Identifier: MIT
 * Calls that wait for a disk, carried out in the file threads. */
#include "core/io/file_op.h"

#include "core/base/mem.h"
#include "core/io/sys_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define AT_ITS_PLACE UINT64_MAX /* offset: where the file stands */

static void *pointer(uint64_t member)
{
    return (void *)(uintptr_t)member;
}

static int64_t transfer(const weft_backend_op *op)
{
    void *memory = pointer(op->address);
    off_t offset = (off_t)op->offset;
    bool here = op->offset == AT_ITS_PLACE;

    switch (op->opcode) {
    case WEFT_OP_READ:
        return here ? read(op->fd, memory, op->length) : pread(op->fd, memory, op->length, offset);
    case WEFT_OP_WRITE:
        return here ? write(op->fd, memory, op->length) :
                      pwrite(op->fd, memory, op->length, offset);
    case WEFT_OP_READV:
        return here ? readv(op->fd, memory, (int)op->length) :
                      preadv(op->fd, memory, (int)op->length, offset);
    default:
        return here ? writev(op->fd, memory, (int)op->length) :
                      pwritev(op->fd, memory, (int)op->length, offset);
    }
}

static int64_t with_fd(const weft_backend_op *op)
{
    int r;

    switch (op->opcode) {
    case WEFT_OP_SYNC: return op->flags ? weft__sys_sync_data(op->fd) : weft__sys_sync(op->fd);
    case WEFT__OP_SEEK: return lseek(op->fd, (off_t)op->offset, (int)op->flags);
    case WEFT__OP_FSTAT: return fstat(op->fd, pointer(op->address));
    case WEFT__OP_FTRUNCATE: return ftruncate(op->fd, (off_t)op->offset);
    case WEFT__OP_ALLOCATE:
        r = weft__sys_allocate(op->fd, (off_t)op->offset, (off_t)op->address);
        errno = r;
        return r == 0 ? 0 : -1;
    default: return transfer(op);
    }
}

static int64_t with_path(const weft_backend_op *op)
{
    const char *path = pointer(op->address);
    int flags = (int)op->flags;

    switch (op->opcode) {
    case WEFT_OP_OPEN: return openat(op->fd, path, flags, (mode_t)op->length);
    case WEFT_OP_UNLINK: return unlinkat(op->fd, path, flags);
    case WEFT_OP_RENAME: return renameat(op->fd, path, (int)op->length, pointer(op->offset));
    case WEFT_OP_MKDIR: return mkdirat(op->fd, path, (mode_t)op->length);
    case WEFT__OP_STAT: return fstatat(op->fd, path, pointer(op->offset), flags);
    case WEFT__OP_ACCESS: return faccessat(op->fd, path, (int)op->length, flags);
    case WEFT__OP_LINK: return linkat(op->fd, path, AT_FDCWD, pointer(op->offset), flags);
    case WEFT__OP_SYMLINK: return symlinkat(path, op->fd, pointer(op->offset));
    case WEFT__OP_READLINK: return readlinkat(op->fd, path, pointer(op->offset), op->length);
    case WEFT__OP_CHMOD: return fchmodat(op->fd, path, (mode_t)op->length, flags);
    default: return with_fd(op);
    }
}

/* Closing is tried once: the descriptor is gone, whatever is returned. */
static int64_t close_fd(int fd)
{
    int r = close(fd);

    if (r < 0 && errno == EINTR) {
        return 0;
    }
    return r < 0 ? -errno : weft__fault();
}

int64_t weft__file_perform(const weft_backend_op *op)
{
    int64_t r;

    if (op->opcode == WEFT_OP_CLOSE) {
        return close_fd(op->fd);
    }
    do {
        r = WEFT__SYS(with_path(op));
    } while (r < 0 && errno == EINTR); /* file threads have all signals blocked; others may not */
    return r < 0 ? -errno : r;
}

static int perform(void *arg)
{
    weft_backend_op *op = arg;

    op->result = weft__file_perform(op);
    return 0;
}

int64_t weft__file_op(weft_backend_op *op)
{
    int r = weft__call_in_thread(WEFT__JOBS_FILES, perform, op, "file operation");

    return r < 0 ? r : op->result;
}

int64_t weft__file_op_always(weft_backend_op *op)
{
    (void)weft__file_call_always(perform, op, "file operation");
    return op->result;
}

/* A job that knows whether it ran. */
struct certain {
    weft_job *job;
    void *arg;
    int status;
    bool ran;
};

static int run_certain(void *arg)
{
    struct certain *certain = arg;

    certain->ran = true;
    certain->status = certain->job(certain->arg);
    return 0;
}

int weft__file_call_always(weft_job *job, void *arg, const char *name)
{
    struct certain certain = { .job = job, .arg = arg };

    if (weft__running && weft__running->current) {
        (void)weft__call_in_thread_always(WEFT__JOBS_FILES, run_certain, &certain, name);
    }
    if (!certain.ran) {
        run_certain(&certain);
    }
    return certain.status;
}
