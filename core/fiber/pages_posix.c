/* SPDX-License-Identifier: MIT
 * The memory of stacks elsewhere: FreeBSD, NetBSD, OpenBSD, macOS (fiber/pages.h).
 *
 * MADV_DONTNEED takes nothing away there.  MADV_FREE does, but when the system likes, so a page may
 * read as before until it is written to.  To be rid of it at once it is mapped anew. */
#include "core/fiber/pages.h"

#include "core/base/mem.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

/* OpenBSD ends a process whose stack pointer is in other memory.  FreeBSD means by it a mapping
 * that is not there yet and grows downwards as a whole. */
#ifdef __OpenBSD__
#define FOR_STACKS MAP_STACK
#else
#define FOR_STACKS 0
#endif

#ifdef MAP_NORESERVE /* FreeBSD does not reserve anyway, unless it was told to */
#define ON_DEMAND MAP_NORESERVE
#else
#define ON_DEMAND 0
#endif

#define FLAGS (MAP_PRIVATE | MAP_ANON | ON_DEMAND | FOR_STACKS)

char *weft__pages_map(size_t size)
{
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, FLAGS, -1, 0);

    return base == MAP_FAILED ? NULL : base;
}

bool weft__pages_empty(char *base, size_t size)
{
    (void)WEFT__SYS(madvise(base, size, MADV_FREE));
    return false;
}

void weft__pages_drop(char *base, size_t size)
{
    (void)mmap(base, size, PROT_READ | PROT_WRITE, FLAGS | MAP_FIXED, -1, 0);
}

int weft__pages_resident(char *base, size_t count, unsigned char *ret_there)
{
#ifdef __OpenBSD__ /* has no such call any more: it told other programs too much */
    (void)base, (void)count, (void)ret_there;
    return -ENOSYS;
#else
    size_t size = count * (size_t)sysconf(_SC_PAGESIZE);

    return mincore(base, size, (void *)ret_there) < 0 ? -errno : 0;
#endif
}

bool weft__pages_have_markers(char *base, size_t size)
{
    (void)base, (void)size;
    return false;
}

int weft__pages_mark(char *base, size_t size)
{
    (void)base, (void)size;
    return -ENOSYS;
}

ssize_t weft__pages_mark_all(const struct iovec *guards, size_t count)
{
    (void)guards, (void)count;
    return -ENOSYS;
}

/* Mappings are counted nowhere. */
long weft__pages_guards_max(void)
{
    return LONG_MAX / 2;
}
