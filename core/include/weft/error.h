/* SPDX-License-Identifier: MIT
 * Errors: every call returns a negative errno when it fails, and something >= 0 when it does not.
 *
 * What weft means by them, everywhere:
 *
 *     -ECANCELED    the task is cancelled: it did not happen
 *     -ETIMEDOUT    a deadline of yours has passed
 *     -EPERM        only a task may wait; no loop runs in this thread; this task does not hold it;
 *                   such a file cannot be watched
 *     -EXDEV        it belongs to another loop, or to one that runs in another thread
 *     -ESRCH        the handle is spent: what it led to has ended
 *     -EALREADY     it has its result already
 *     -EINPROGRESS  it has none yet
 *     -EDEADLK      it would wait for itself, or for its own thread; nothing can ever happen
 *     -EBUSY        a loop runs in this thread already; the context is entered already; it is in
 *                   use, or somebody waits for it
 *     -EOWNERDEAD   who held the lock has ended and did not release it
 *     -EINTR        the loop was stopped, or a signal came, before the result was there
 *     -EBADF        the loop is closed; no such descriptor; a stream, server or the like is closed
 *     -ECHILD       the process forked: this loop is the parent's; another library took how a
 *                   child ended
 *     -ENOENT       there is none: no such backend, no reason, no more
 *     -ESHUTDOWN    the group is not entered, or was left; the executor or queue was shut down
 *     -EPIPE        nobody is left to receive; the barrier was aborted or reset
 *     -ENOBUFS      a subscription was too slow: some of what was sent is gone
 *     -EOVERFLOW    released more often than acquired
 *     -EAGAIN       it would have to wait, and was told not to; no thread could be made
 *     -EPROTO       a child ended without weft_started()
 *     -EOPNOTSUPP   this backend cannot
 *     -EINVAL       a bad argument (NULL, NaN, a size beyond the limit)
 *     -E2BIG        more than 4 KiB of arguments; more than a program can be given
 *     -EMSGSIZE     more than the limit that was set
 *     -ENOMEM       no memory; nothing has changed
 *     -EMFILE       no more descriptors for this process
 *     -ENOSPC       the system watches no more descriptors for this user
 *
 * A call that takes a handle may always return -EINVAL for NULL, -ESRCH for a spent one, -EXDEV,
 * and what a failed object has failed with; the comments name them where they mean more than
 * that. */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <weft/common.h> /* first: it refuses where there may be no <errno.h> */

#include <errno.h>

#if !defined(ENODATA) && defined(ENOATTR) /* FreeBSD, OpenBSD */
#define ENODATA ENOATTR
#endif

WEFT_BEGIN_DECLS

/** Returns what an error means, in the system's words ("Connection refused").
 *
 *  status  what a call of weft returned; positive and 0 read "Success".
 *
 *  Never NULL; valid until the thread's next call.  Any thread; not a cancellation point.
 *  Source: strerror(3). */
WEFT_API const char *weft_strerror(int status);

/** Returns an error's name with its sign ("-ETIMEDOUT"), as it reads in the source.
 *
 *  status  what a call of weft returned; "0" for 0 and more.
 *
 *  Never NULL; static text, but a number that has no name here reads "-4095" and lasts until the
 *  thread's next call.  Any thread; not a cancellation point.  Source: strerrorname_np(3). */
WEFT_API const char *weft_err_name(int status);

/** Returns the words that belong to this thread's last failed call, where a number alone would not
 *  do: which name was unknown, what was tried, what to install.
 *
 *  "" when the last failure that had words was followed by weft_error_clear() or there was none.
 *  Not every failure has words, and a call that succeeds leaves them as they are: they may be of an
 *  earlier failure.  To be sure whose they are, call weft_error_clear() first, and read them before
 *  the next wait: the other tasks of the thread leave theirs in the same place.
 *
 *  Valid until the thread's next failing call.  Any thread; not a cancellation point. */
WEFT_API const char *weft_error_detail(void);

/** Forgets this thread's words.  Any thread; not a cancellation point. */
WEFT_API void weft_error_clear(void);

WEFT_END_DECLS

#endif
