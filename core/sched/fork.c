/* SPDX-License-Identifier: MIT
 * Noticing fork(2) without asking the kernel: a word that the child finds wiped.
 *
 * Linux (4.14) and the BSDs do it for nothing; elsewhere a fork handler does. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/loop.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile uint32_t unmapped; /* reads 0 until there is a page */
static volatile uint32_t *word = &unmapped;
static uint32_t epochs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(lock)

const volatile uint32_t *weft__fork_word = &unmapped;

static void wipe(void)
{
    *word = 0;
}

#if !defined(INHERIT_ZERO) && defined(MAP_INHERIT_ZERO) /* NetBSD, OpenBSD */
#define INHERIT_ZERO MAP_INHERIT_ZERO
#endif

/* Has the system wipe the page in each child; whether it can. */
static bool wiped_by_system(void *page, size_t size)
{
#if defined(MADV_WIPEONFORK)
    return !weft__advice_is_void(page, size) &&
           WEFT__SYS(madvise(page, size, MADV_WIPEONFORK)) == 0;
#elif defined(INHERIT_ZERO)
    return WEFT__SYS(minherit(page, size, INHERIT_ZERO)) == 0;
#else
    (void)page, (void)size;
    return false;
#endif
}

/* Maps the page.  The word is 0 in it: this process has made no loop yet. */
static int map(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page;
    int r = weft__fault();

    if (r < 0) {
        return r;
    }
    page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return -errno;
    }
    if (!wiped_by_system(page, size)) {
        r = weft__fault();
        r = r < 0 ? r : -pthread_atfork(NULL, NULL, wipe);
        if (r < 0) {
            munmap(page, size);
            return r;
        }
    }
    (void)weft__fork_watch(); /* without memory for it a child may meet a lock that is held */
    word = page;
    weft__fork_word = page;
    return 0;
}

int weft__fork_epoch(uint32_t *ret_epoch)
{
    int r = 0;

    pthread_mutex_lock(&lock);
    if (word == &unmapped) {
        r = map();
    }
    if (r == 0) {
        if (*word == 0) {
            *word = ++epochs;
        }
        *ret_epoch = *word;
    }
    pthread_mutex_unlock(&lock);
    return r;
}
