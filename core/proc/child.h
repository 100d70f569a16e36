/* SPDX-License-Identifier: MIT
 * What the start of a program needs of the system: a child, and the calls that it makes until exec.
 *
 *     child_linux.c   the child runs in our memory, and calls the kernel by number
 *     child_posix.c   the child is a copy, and calls the C library
 *
 * The second one is built in on Linux, too, with -Dportable=true.  Between weft__child_begin() and
 * exec the child uses nothing but what is here.  The calls return what the C library's do: -1 with
 * errno. */
#ifndef WEFT_CORE_CHILD_H
#define WEFT_CORE_CHILD_H

#include "core/proc/spawn.h"

#define WEFT__CHILD_STACK (64 * 1024) /* bytes; signals are blocked, and preexec runs elsewhere */

/* Makes the child, which runs weft__spawn_child().  `stack`: WEFT__CHILD_STACK bytes for one that
 * shares our memory, which stands still until it has come to exec; NULL: it is to be a copy.
 * Returns its pid; *ret_pidfd is set where the system gives the descriptor along with it. */
pid_t weft__child_begin(struct weft__spawn *spawn, char *stack, int *ret_pidfd);

/* The largest number of a signal. */
extern const int weft__child_signals WEFT__HIDDEN;

/* ---- in the child ---- */

ssize_t weft__child_write(int fd, const void *data, size_t size);
_Noreturn void weft__child_exit(void); /* with status 127 */

/* The signals in `caught` are at their default from here on; just `mask` is blocked. */
void weft__child_reset_signals(const sigset_t *caught);
void weft__child_set_mask(const sigset_t *mask);

int weft__child_setsid(void);
int weft__child_setpgid(pid_t group);
int weft__child_set_terminal(int fd);
int weft__child_chdir(const char *path);

/* A copy of a descriptor that is `least` or more, and close-on-exec. */
int weft__child_copy_up(int fd, int least);

/* Puts a descriptor to a number, where exec leaves it open; they may be the same. */
int weft__child_place(int fd, int to);

/* Exec will close what is open beyond 2. */
void weft__child_close_others(const struct weft__spawn *spawn);

void weft__child_exec(const char *file, const struct weft__spawn *spawn);

#endif
