/* SPDX-License-Identifier: MIT
 * Terminals: character by character instead of line by line, and how large they are.
 *
 *     weft_tty_mode *before;
 *     struct winsize size = { 0 };
 *
 *     r = weft_tty_setraw(STDIN_FILENO, &before);
 *     while (r == 0 && (r = weft_tty_wait_winsize(STDOUT_FILENO, &size)) == 0) {
 *         draw(size.ws_row, size.ws_col);               at once, and at each change
 *     }
 *     weft_tty_restore(before);
 *
 * A mode belongs to the terminal and so to all its users, the shell among them: what was changed
 * here is put back by weft_tty_restore(), and what was not by then when the program ends by exit(3)
 * or by returning from main(), as it does after the Ctrl-C that ends a weft_run(), or, with
 * weft_run_options.sigterm, the SIGTERM.  It stays changed when a signal or _exit(2) ends the
 * program: a handler of your own for such a signal may call weft_tty_restore_all() before it raises
 * the signal again.  Nothing helps against SIGKILL; `stty sane` does afterwards.
 *
 * In raw mode the keys that send signals (Ctrl-C, Ctrl-Z, Ctrl-\) are characters as any other, so
 * only programs elsewhere can interrupt this one.  After SIGSTOP or SIGTSTP and `fg` many shells
 * put back a mode of their own: a program that is stopped should restore before and set again
 * after.
 *
 * Reading and writing: weft_stream_open_stdio().  A terminal for a child:
 * weft_process_options.pty. */
#ifndef WEFT_TERMINAL_H
#define WEFT_TERMINAL_H

#include <weft/common.h>

#include <sys/ioctl.h>

WEFT_BEGIN_DECLS

/** The mode that a terminal had. */
typedef struct weft_tty_mode weft_tty_mode;

/** Switches a terminal to raw mode: what is typed comes at once, is not shown, and means nothing;
 *  what is written goes out as it is ("\r\n" ends a line).
 *
 *  fd          a terminal, or our side of a child's; borrowed until weft_tty_restore().
 *  ret_before  for weft_tty_restore(); untouched on error.  The program has room for 16 at a time.
 *              A weft_tty_restore_all() during the call puts back this one, too.
 *
 *  It takes effect at once: what was typed is kept, what was written is not waited for.  A program
 *  in the background is stopped (SIGTTOU), as by tcsetattr(3).
 *
 *  Returns 0, -ENOTTY it is no terminal, -EBADF, -EIO nobody is at its other side, -ENOBUFS 16 are
 *  changed already, -EINVAL.  Any thread.  Not a cancellation point.  Cost: two system calls.
 *  Source: tty.setraw() of Python, cfmakeraw(3). */
WEFT_API WEFT_MUST_USE int weft_tty_setraw(int fd, weft_tty_mode **ret_before);

/** Switches a terminal to cbreak mode: what is typed comes at once and is not shown, but Ctrl-C and
 *  its like still send signals, and "\n" ends a line.  The rest as weft_tty_setraw(). Source:
 *  tty.setcbreak() of Python. */
WEFT_API WEFT_MUST_USE int weft_tty_setcbreak(int fd, weft_tty_mode **ret_before);

/** Puts back the mode that the terminal had, also from the background.  Of several for one terminal
 *  the last comes first.
 *
 *  before  spent by this; NULL is allowed.
 *
 *  Returns 0, -EBADF it is spent or its descriptor closed, -EIO the other side has gone, -ECHILD
 *  after a fork: the mode is the parent's.  Any thread.  Not a cancellation point.
 *  Source: tcsetattr(3). */
WEFT_API int weft_tty_restore(weft_tty_mode *before);

/** Puts back all that was not put back yet, the last first.  This may be called by a signal
 *  handler.  Source: uv_tty_reset_mode() of libuv. */
WEFT_API void weft_tty_restore_all(void);

/** Tells how many rows and columns a terminal has, 0 where it does not know.
 *
 *  ret_size  untouched on error.
 *
 *  Returns 0, -ENOTTY, -EBADF, -EINVAL.  Any thread.  Not a cancellation point.
 *  Source: tcgetwinsize(3). */
WEFT_API int weft_tcgetwinsize(int fd, struct winsize *ret_size);

/** Says how large a terminal is; its programs in the foreground get SIGWINCH if that is something
 *  new. Returns as weft_tcgetwinsize().  Source: tcsetwinsize(3). */
WEFT_API int weft_tcsetwinsize(int fd, const struct winsize *size);

/** Waits until the size of a terminal is another one.  Changes are not counted but compared, so
 *  none is missed between two calls, and of several in a row the last is told.
 *
 *  fd    the terminal in whose foreground the program runs: only those are told (SIGWINCH).
 *  size  the size that is known, all 0 to begin with; gets the new one, untouched on error.
 *
 *  Handlers and receivers of SIGWINCH get it as well (weft/signal.h).  On a backend with virtual
 *  time no signal is waited for: where nothing else can happen the run ends with -EDEADLK.
 *
 *  Returns 0; -ECANCELED the task is cancelled; -ENOTTY, -EBADF, -EINVAL, -ENOMEM; -EPERM outside a
 *  task, -ECHILD.  A cancellation point.  Source: SIGWINCH in signal(7). */
WEFT_API int weft_tty_wait_winsize(int fd, struct winsize *size);

WEFT_END_DECLS

#endif
