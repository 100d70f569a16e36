/* SPDX-License-Identifier: MIT
 * What Linux tells debug mode (debug/system.h). */
#include "core/debug/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define COPY_MAX 65536 /* bytes that are copied at once */

/* ---- threads ---- */

static ssize_t read_file(int64_t number, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)number, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    n = read(fd, text, size - 1);
    n = n < 0 ? -errno : n;
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return n;
}

/* The name of a system call, or NULL for one that is not likely to block. */
static const char *call_name(long number)
{
    /* clang-format off */
    static const struct {
        long number;
        const char *name;
    } table[] = {
#define CALL(name) { SYS_##name, #name },
        CALL(read) CALL(write) CALL(readv) CALL(writev) CALL(pread64) CALL(pwrite64)
        CALL(close) CALL(fsync) CALL(fdatasync) CALL(sync) CALL(nanosleep) CALL(clock_nanosleep)
        CALL(ppoll) CALL(pselect6) CALL(epoll_pwait) CALL(connect) CALL(accept4)
        CALL(sendto) CALL(recvfrom) CALL(sendmsg) CALL(recvmsg) CALL(wait4) CALL(waitid)
        CALL(futex) CALL(flock) CALL(fcntl) CALL(ioctl) CALL(openat) CALL(fallocate)
        CALL(ftruncate) CALL(renameat2) CALL(unlinkat) CALL(getdents64) CALL(msync)
        CALL(munmap) CALL(madvise) CALL(rt_sigtimedwait) CALL(msgrcv) CALL(splice)
        CALL(sendfile) CALL(execve) CALL(getrandom)
#ifdef SYS_open
        CALL(open) CALL(stat) CALL(poll) CALL(epoll_wait) CALL(rename) CALL(unlink) CALL(pause)
#endif
#ifdef SYS_accept /* not on i386 and s390x */
        CALL(accept)
#endif
#ifdef SYS_semtimedop
        CALL(semtimedop)
#endif
#ifdef SYS_mmap /* 32-bit ARM has mmap2 and _newselect alone */
        CALL(mmap)
#endif
#ifdef SYS_select
        CALL(select)
#endif
#undef CALL
    };
    /* clang-format on */

    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        if (table[i].number == number) {
            return table[i].name;
        }
    }
    return NULL;
}

static void describe_call(long number, char *text, size_t size)
{
    const char *name = call_name(number);

    if (name) {
        (void)snprintf(text, size, "%s", name);
    } else if (number >= 0) {
        (void)snprintf(text, size, "system call %ld", number);
    }
}

/* "running", "-1 SP PC", or "NUMBER six arguments SP PC". */
int weft__system_look(const struct weft__thread *thread, struct weft__thread_state *ret)
{
    char text[256];
    ssize_t n = read_file(thread->number, "syscall", text, sizeof text);
    char *word, *rest;

    if (n <= 0) {
        return n < 0 ? (int)n : -ESRCH;
    }
    *ret = (struct weft__thread_state){ .on_cpu = text[0] == 'r' };
    if (ret->on_cpu) {
        return 0;
    }
    describe_call(strtol(text, &rest, 10), ret->what, sizeof ret->what);
    while ((word = strsep(&rest, " \n"))) {
        if (*word) {
            ret->sp = ret->pc;
            ret->pc = (uintptr_t)strtoull(word, NULL, 16);
        }
    }
    return 0;
}

int weft__system_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    int count = 0;

    if (!tasks) {
        return -errno;
    }
    while ((entry = readdir(tasks))) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

/* ---- signals ---- */

int weft__system_signal(int n)
{
    int number = SIGRTMAX - 1 - n;

    return number > SIGRTMIN ? number : 0;
}

uintptr_t weft__system_place(const void *context)
{
    const ucontext_t *c = context;

    (void)c;
#if defined(__x86_64__)
    return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)c->uc_mcontext.pc;
#elif defined(__i386__)
    return (uintptr_t)c->uc_mcontext.gregs[REG_EIP];
#elif defined(__arm__)
    return (uintptr_t)c->uc_mcontext.arm_pc;
#elif defined(__riscv)
    return (uintptr_t)c->uc_mcontext.__gregs[0];
#elif defined(__powerpc64__)
    return (uintptr_t)c->uc_mcontext.gp_regs[32];
#elif defined(__s390x__)
    return (uintptr_t)c->uc_mcontext.psw.addr;
#else
    return 0;
#endif
}

/* ---- memory ---- */

ssize_t weft__system_copy(void *to, const void *from, size_t size)
{
    struct iovec here = { to, size }, pages[COPY_MAX / 4096 + 1];
    uintptr_t at = (uintptr_t)from, end = at + size;
    unsigned long count = 0;
    ssize_t n;

    for (; at < end && count < WEFT__COUNT(pages); count++) { /* each is read as a whole, or not */
        uintptr_t next = (at | 4095) + 1;

        next = next < end ? next : end;
        pages[count] = (struct iovec){ (void *)at, next - at };
        at = next;
    }
    n = process_vm_readv(getpid(), &here, 1, pages, count, 0);
    if (n < 0 && (errno == EPERM || errno == EACCES)) {
        return -ENOSYS; /* what keeps a program from others' memory keeps it from its own */
    }
    return n < 0 ? -errno : n;
}

const void *weft__system_program(void)
{
    return (const void *)getauxval(AT_ENTRY);
}
