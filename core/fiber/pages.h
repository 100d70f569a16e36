/* SPDX-License-Identifier: MIT
 * The memory of stacks as the system hands it out, guards it and takes it back.  pages_linux.c for
 * Linux, pages_posix.c for all others. */
#ifndef WEFT_CORE_PAGES_H
#define WEFT_CORE_PAGES_H

#include "core/base/base.h"

#include <sys/uio.h>

/* Maps `size` bytes in which stacks may lie; they read as zeros.  NULL: there is no memory. */
char *weft__pages_map(size_t size);

/* Gives the pages back; guards stay.  Whether what is between them reads as zeros from now on. */
bool weft__pages_empty(char *base, size_t size);

/* Pages without a guard among them read as zeros from now on, and are not there until then. */
void weft__pages_drop(char *base, size_t size);

/* Which of `count` pages are there: bit 0 of each byte.  0 or a negative errno: -ENOSYS the system
 * does not tell. */
int weft__pages_resident(char *base, size_t count, unsigned char *ret_there);

/* Whether there are guards that cost no mapping; `base` is any page. */
bool weft__pages_have_markers(char *base, size_t size);

/* Makes such a guard: 0 or a negative errno. */
int weft__pages_mark(char *base, size_t size);

/* Makes several at once: how many bytes, or a negative errno. */
ssize_t weft__pages_mark_all(const struct iovec *guards, size_t count);

/* How many guards mprotect(2) may make in this process; asked once. */
long weft__pages_guards_max(void);

#endif
