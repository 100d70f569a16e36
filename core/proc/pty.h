/* SPDX-License-Identifier: MIT
 * Pseudo-terminals. */
#ifndef WEFT_CORE_PTY_H
#define WEFT_CORE_PTY_H

struct winsize;

/* Makes one: our side, which does not block, and the child's.  0 or a negative errno, and nothing
 * is open then. */
int weft__pty_open(const struct winsize *size, int *ret_ours, int *ret_theirs);

#endif
