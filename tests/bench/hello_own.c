/* SPDX-License-Identifier: MIT
 * The smallest epoll loop, in a shared library: the loader opens as many files as for weft. */
#include "hello_own.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int own_loop_run(void (*callback)(void))
{
    struct epoll_event event = { .events = EPOLLIN };
    int wake = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (wake < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) < 0) {
        return -1;
    }
    if (epoll_wait(epoll, &event, 1, -1) != 1) {
        return -1;
    }
    callback();
    close(wake);
    close(epoll);
    return 0;
}
