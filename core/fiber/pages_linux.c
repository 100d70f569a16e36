/* SPDX-License-Identifier: MIT
 * The memory of stacks on Linux (fiber/pages.h). */
#include "core/fiber/pages.h"

#include "core/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.13; glibc 2.36 has no name for it yet. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* This process, to process_madvise(2), which takes guards for it from Linux 6.15 on. */
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001)
#endif

#define DEFAULT_MAP_COUNT 65530L /* vm.max_map_count, should /proc not be there */

char *weft__pages_map(size_t size)
{
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (base == MAP_FAILED) {
        return NULL;
    }
    /* A huge page under 15 parked tasks would cost them 2 MiB instead of 60 KiB.  EINVAL says that
     * the kernel has none. */
    (void)WEFT__SYS(madvise(base, size, MADV_NOHUGEPAGE));
    return base;
}

bool weft__pages_empty(char *base, size_t size)
{
    return WEFT__SYS(madvise(base, size, MADV_DONTNEED)) == 0; /* markers stay, too */
}

void weft__pages_drop(char *base, size_t size)
{
    (void)madvise(base, size, MADV_DONTNEED);
}

int weft__pages_resident(char *base, size_t count, unsigned char *ret_there)
{
    return mincore(base, count * (size_t)sysconf(_SC_PAGESIZE), ret_there) < 0 ? -errno : 0;
}

bool weft__pages_have_markers(char *base, size_t size)
{
    return !weft__advice_is_void(base, size);
}

int weft__pages_mark(char *base, size_t size)
{
    return WEFT__SYS(madvise(base, size, MADV_GUARD_INSTALL)) < 0 ? -errno : 0;
}

ssize_t weft__pages_mark_all(const struct iovec *guards, size_t count)
{
#ifdef SYS_process_madvise
    long r = WEFT__SYS(syscall(SYS_process_madvise, PIDFD_SELF_THREAD_GROUP, guards, count,
                               MADV_GUARD_INSTALL, 0u));

    return r < 0 ? -errno : r;
#else
    (void)guards, (void)count;
    return -ENOSYS;
#endif
}

/* Each splits a mapping in two, and the process as a whole may have vm.max_map_count of them; half
 * of that stays for others. */
long weft__pages_guards_max(void)
{
    long maps = DEFAULT_MAP_COUNT;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");

    if (f) {
        if (fscanf(f, "%ld", &maps) != 1) {
            maps = DEFAULT_MAP_COUNT;
        }
        fclose(f);
    }
    return maps / 4;
}
