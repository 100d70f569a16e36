/* SPDX-License-Identifier: MIT
 * Reading memory of this process that may not be there.
 *
 * Where the system has no call for that, or forbids it, the memory goes through a pipe: write(2)
 * says -EFAULT where another access would end the process. */
#include "core/debug/stack.h"
#include "core/debug/system.h"
#include "core/io/sys_socket.h"

#include <errno.h>
#include <unistd.h>

#define PART 4096 /* of memory that is there as a whole, or not; and what an empty pipe takes */

/* One part; false: it is not there. */
static bool pass(const int *pipe, char *to, const void *from, size_t size)
{
    ssize_t n;

    do {
        n = write(pipe[1], from, size);
    } while (n < 0 && errno == EINTR);
    for (size_t done = 0; n > 0 && done < size; done += (size_t)n) {
        n = read(pipe[0], to + done, size - done);
    }
    return n > 0;
}

size_t weft__peek_by_pipe(void *to, const void *from, size_t size)
{
    uintptr_t at = (uintptr_t)from, end = at + size;
    int saved = errno, ends[2];

    if (weft__sys_pipe(ends) < 0) { /* does not block, should a part be more than it takes */
        return 0;
    }
    while (at < end) {
        uintptr_t next = (at | (PART - 1)) + 1;

        next = next < end ? next : end;
        if (!pass(ends, (char *)to + (at - (uintptr_t)from), (const void *)at, next - at)) {
            break;
        }
        at = next;
    }
    close(ends[0]);
    close(ends[1]);
    errno = saved;
    return at - (uintptr_t)from;
}

size_t weft__peek(void *to, const void *from, size_t size)
{
    ssize_t n = weft__system_copy(to, from, size);

    if (n == -ENOSYS) {
        return weft__peek_by_pipe(to, from, size);
    }
    return n < 0 ? 0 : (size_t)n;
}
