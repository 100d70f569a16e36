/* SPDX-License-Identifier: MIT
 * Process descriptors: readable when a child has ended.
 *
 *     pidfd_linux.c    the kernel's own
 *     pidfd_kqueue.c   a kqueue(2) that waits for the one child
 *
 * The second one is built in on Linux, too, with -Dportable=true. */
#ifndef WEFT_CORE_PIDFD_H
#define WEFT_CORE_PIDFD_H

#include "core/base/base.h"

#include <sys/types.h>

/* A descriptor of a child that was not reaped, close-on-exec; -1: there is none (before Linux 5.3,
 * of a child with other rights on some), or no room for one. */
int weft__pidfd_open(pid_t pid);

void weft__pidfd_close(int pidfd);

/* Here and below `pidfd` may be -1, and the calls are for the thread that reaps. */

/* Sends a signal to a child that was not reaped by us; 0 or a negative errno. */
int weft__pidfd_signal(int pidfd, pid_t pid, int signum);

/* How a child has ended, which is reaped by this: a status as weft_process_wait() has it.
 * -EINPROGRESS it has not; -ECHILD it has, and somebody else was faster, and the kernel cannot tell
 * the status any more. */
int weft__pidfd_reap(int pidfd, pid_t pid);

/* Waits until it has ended, without reaping it.  In any thread. */
void weft__pidfd_await(int pidfd, pid_t pid);

#endif
