/* SPDX-License-Identifier: MIT
 * An accept4(2) and an accept(2) for tests.  The system's header is not included: it gives the
 * address a type of the C library's own. */
#include "tests/task/refuse.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int refused;

static const int *next;
static size_t left;
static int always;

void refuse(const int *errors, size_t count)
{
    next = errors;
    left = count;
    always = refused = 0;
}

void refuse_always(int error)
{
    refuse(NULL, 0);
    always = error;
}

int accept(int fd, void *address, void *length);
int accept4(int fd, void *address, void *length, int flags);

int accept4(int fd, void *address, void *length, int flags)
{
    if (left || always) {
        errno = left ? *next++ : always;
        left -= left ? 1 : 0;
        refused++;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, length, flags);
}

/* The library's where the other one is not to be used (-Dportable=true). */
int accept(int fd, void *address, void *length)
{
    return accept4(fd, address, length, 0);
}
