/* SPDX-License-Identifier: MIT
 * Calls that wait for a disk, on behalf of a task: the one place where they are carried out.
 *
 * An operation is a struct weft_backend_op.  All are carried out in the file threads of the loop
 * (WEFT__JOBS_FILES).  This is the door for backends that complete operations themselves
 * (WEFT_BACKEND_COMPLETES): weft__file_op() is where one that `support` lists would be submitted,
 * and its task parked until core->complete(); nobody above would see a difference.
 *
 * Why threads of their own: a job of the default executor may compute for minutes, and one that
 * waits for a task which reads a file would wait for itself where there is a single worker.  And
 * weft_run() need not wait for them at its end: the tasks that it awaits have awaited them. */
#ifndef WEFT_CORE_FILE_OP_H
#define WEFT_CORE_FILE_OP_H

#include "core/thread/executor.h"

#include <weft/backend.h>

/* What <weft/backend.h> has no opcode for; laid out as those are: `fd`, `address` of the path or
 * the memory, `offset` for a second pointer or a place, `length`, `flags`. */
enum weft__file_opcodes {
    WEFT__OP_FIRST = 0x10000,
    WEFT__OP_SEEK = WEFT__OP_FIRST, /* lseek(2): offset, flags: whence */
    WEFT__OP_FSTAT,                 /* fstat(2): address of the result */
    WEFT__OP_FTRUNCATE,             /* ftruncate(2): offset: the size */
    WEFT__OP_ALLOCATE,              /* posix_fallocate(3): offset, address: the size */
    WEFT__OP_STAT,                  /* fstatat(2): path, offset: the result, flags */
    WEFT__OP_ACCESS,                /* faccessat(2): path, length: the mode */
    WEFT__OP_LINK,                  /* linkat(2): path, offset: the other path */
    WEFT__OP_SYMLINK,               /* symlinkat(2): what it leads to, offset: the link's path */
    WEFT__OP_READLINK,              /* readlinkat(2): path, offset: the result, length: its room */
    WEFT__OP_CHMOD,                 /* fchmodat(2): path, length: the mode */
};

/* The running task waits until `op` was carried out, and so does the memory that it names: all may
 * lie in the caller's frame.  What the system call returned, or its negative errno; or, and then it
 * was not carried out, -ECANCELED, -EPERM, -ENOMEM, -EAGAIN, -ECHILD. */
int64_t weft__file_op(weft_backend_op *op);

/* The same for what has to be done whatever happens: in a task that is cancelled, too; and where
 * there is no task or no thread, here. */
int64_t weft__file_op_always(weft_backend_op *op);

/* weft__file_op() and weft__file_op_always() for several calls in a row: a job in a file thread,
 * which may ask weft_job_cancelled(). */
#define weft__file_call(job, arg) weft__call_in_thread(WEFT__JOBS_FILES, job, arg, #job)
int weft__file_call_always(weft_job *job, void *arg, const char *name);

/* Carries it out here, and waits for the disk: for jobs. */
int64_t weft__file_perform(const weft_backend_op *op);

/* A pointer as a member of an operation. */
static inline uint64_t weft__op_pointer(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

#endif
