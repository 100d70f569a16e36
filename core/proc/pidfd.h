/* SPDX-License-Identifier: MIT
 * Process descriptors: what the C library may not know yet. */
#ifndef WEFT_CORE_PIDFD_H
#define WEFT_CORE_PIDFD_H

#include "core/base/base.h"

#include <sys/types.h>

/* A descriptor of a child that was not reaped, close-on-exec; -1: there is none (before Linux 5.3),
 * or no room for one. */
int weft__pidfd_open(pid_t pid);

void weft__pidfd_close(int pidfd);

/* Sends a signal; 0 or a negative errno. */
int weft__pidfd_signal(int pidfd, int signum);

/* How a child has ended, which is reaped by this: a status as weft_process_wait() has it.
 * -EINPROGRESS it has not; -ECHILD it has, and somebody else was faster, and the kernel cannot tell
 * the status any more.  `pidfd` may be -1. */
int weft__pidfd_reap(int pidfd, pid_t pid);

/* Waits until it has ended, without reaping it. */
void weft__pidfd_await(int pidfd, pid_t pid);

#endif
