/* SPDX-License-Identifier: MIT
 * Processes: run a program, talk to it, wait for its end.
 *
 *     const char *const argv[] = { "tr", "a-z", "A-Z", NULL };
 *
 *     r = weft_create_subprocess_exec(
 *         argv, &(weft_process_options){ .in = WEFT_PIPE, .out = WEFT_PIPE }, &process);
 *     r = weft_process_communicate(process, text, strlen(text), &out, NULL);
 *     weft_process_free(process);
 *
 * For a conversation the pipes are streams: weft_process_stdin(), _stdout(), _stderr().
 *
 * How a process ended is one number: 0 to 255 what it returned, 256 + N signal N killed it
 * (weft_process_signal()).
 *
 * The child begins with the signal mask empty and every signal at its default, and with no
 * descriptor but 0, 1, 2 and those that the options name, whatever other libraries have left open.
 * Standard input, output and error are the caller's own unless the options say otherwise.
 *
 * weft watches each child by a descriptor of its own (a pidfd; on the BSDs and macOS a kqueue) and
 * never touches SIGCHLD, nor children that others have begun.  A library that reaps every child of
 * the process (libev's default loop, a SIGCHLD that is ignored) takes the status away: from Linux
 * 6.15 on weft has it all the same; by kqueue, too, but for a child that was gone before it could
 * be watched; else weft_process_wait() returns -ECHILD.  Where there is no such descriptor, and on
 * a backend with virtual time, a thread waits for each child.  Virtual time does not jump while a
 * child runs that was not detached, but goes as fast as the real one.
 *
 * A process belongs to the loop that runs in the thread which made it; its calls are for that
 * thread.  It is a plain pointer with holds: after the last weft_process_free() it must not be
 * used.  The children that still run when their loop closes are killed and reaped, and one that
 * nobody freed is reported; detached ones are left alone. */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <weft/buffer.h>
#include <weft/common.h>
#include <weft/stream.h>
#include <weft/terminal.h>

#include <sys/types.h>

WEFT_BEGIN_DECLS

typedef struct weft_process weft_process;

/** What standard input, output or error of a child can be. */
enum {
    WEFT_INHERIT = 0, /* the caller's own */
    WEFT_PIPE = 1,    /* a pipe to this program */
    WEFT_DEVNULL = 2, /* nothing: /dev/null */
    WEFT_STDOUT = 3,  /* for `err`: where its output goes */
};

/** The same: a descriptor of this program, which stays yours.  The child gets a copy. */
#define WEFT_FD(fd) (256 + (fd))

/** For weft_process_options.process_group: one of its own, whose number is the child's. */
#define WEFT_NEW_GROUP (-1)

/** All zero, or a NULL pointer to one: what a shell does with a command in the foreground.
 *  Everything is borrowed during the call. */
typedef struct weft_process_options {
    int in, out, err;             /* WEFT_PIPE, WEFT_DEVNULL, WEFT_FD(n), WEFT_STDOUT; 0: ours */
    bool start_new_session;       /* setsid(2): away from the terminal, and a group of its own */
    bool keep_signals;            /* blocked and ignored signals stay so in the child */
    bool keep_fds;                /* as do descriptors that are not close-on-exec */
    bool pty;                     /* a terminal of its own, see weft_process_pty() */
    pid_t process_group;          /* WEFT_NEW_GROUP, or the group to join; 0: ours */
    const char *cwd;              /* its working directory; NULL: ours */
    const char *executable;       /* the file to run, in place of argv[0]; NULL: argv[0] */
    const char *const *env;       /* "NAME=value" ..., NULL: all of its environment; NULL: ours */
    const char *const *env_add;   /* the same, to be added or changed; "NAME" removes; or NULL */
    const int *pass_fds;          /* descriptors that it gets besides 0, 1 and 2; or NULL */
    const int *pass_fds_as;       /* their numbers there; NULL: the same as here */
    size_t pass_fds_count;        /* how many */
    int (*preexec)(void *arg);    /* runs in the child, see below; or NULL */
    void *preexec_arg;
    const struct winsize *winsize; /* of its terminal, for .pty; NULL: it does not know */
    size_t limit;                 /* of the streams, see weft_stream_options; 0: 64 KiB */
    void *reserved[4];            /* zero */
} weft_process_options;

/** Runs a program.
 *
 *  argv         its arguments, argv[0] the program, NULL at the end.  A name without a slash is
 *               looked for in the PATH that the child gets, one with a slash is taken as it is,
 *               from the child's working directory.
 *  options      may be NULL.
 *  ret_process  yours, to be given back by weft_process_free(); untouched on error.
 *
 *  `preexec` is called when all else is as the program will find it, in a copy of this process in
 *  which no other thread is: only what a signal handler may call (setuid(2), setrlimit(2),
 *  umask(2), prctl(2) ...).  0, or a negative errno that this call returns.  It makes starting
 *  slow.
 *
 *  Whatever keeps the program from running is an error here, with words ("cannot run 'foo': No such
 *  file or directory"), and no child is left: -ENOENT no such program, working directory, or
 *  interpreter of a script, -EACCES, -ENOEXEC neither a program nor a script with a #! line,
 *  -E2BIG arguments and environment are too long, -EBADF a descriptor, -EPERM the process group,
 *  -EAGAIN no more processes for this user, -ENOSPC no more terminals, -EMFILE, -ENFILE, -ENOMEM,
 *  or what the system says; and
 *  -EINVAL, -EPERM no loop runs in this thread, -ECHILD after a fork.
 *
 *  Not a cancellation point: it does not wait for anything but the start itself.  Cost: that of
 *  posix_spawn(3), some 100 microseconds, in which the loop does nothing else; but for Linux that
 *  of fork(2), which is more the more memory this process has.
 *  Source: asyncio.create_subprocess_exec(). */
WEFT_API WEFT_MUST_USE int weft_create_subprocess_exec(const char *const argv[],
                                                       const weft_process_options *options,
                                                       weft_process **ret_process);

/** Runs a command line by /bin/sh: weft_create_subprocess_exec() of `sh -c command`.
 *
 *  command  what comes from others must be quoted, or go there as an argument of a program.
 *
 *  Source: asyncio.create_subprocess_shell(). */
WEFT_API WEFT_MUST_USE int weft_create_subprocess_shell(const char *command,
                                                        const weft_process_options *options,
                                                        weft_process **ret_process);

/** Adds a hold.  Returns `process`. */
WEFT_API weft_process *weft_process_ref(weft_process *process);

/** Gives a hold back.  With the last one the pipes are closed, whoever waits gets -EBADF, and a
 *  child that still runs, and was not detached, is killed (SIGKILL) and reaped when it has ended,
 *  which nobody waits for but the loop's close.
 *
 *  Returns 0, also for NULL; -EXDEV its loop runs in another thread, -ECHILD after a fork: then the
 *  hold is still there.  Not a cancellation point. */
WEFT_API int weft_process_free(weft_process *process);

/** Gives a hold back and lets the child run on, whatever becomes of this program.  As long as the
 *  loop is there it reaps the child.  Returns as weft_process_free().
 *  Source: tokio's Child, dropped. */
WEFT_API int weft_process_detach(weft_process *process);

/** Waits until the child has ended, whoever still holds its pipes.  Several tasks may.
 *
 *  A child that writes to a pipe which nobody reads never ends: weft_process_communicate().
 *
 *  Returns how it ended, at once and as often as you like when it has; -ECHILD it has, but another
 *  library took the status; -ECANCELED the task is cancelled, and the child goes on; -EBADF it was
 *  freed meanwhile, or its loop is closed; -EPERM outside a task, -EXDEV, -EINVAL.  A cancellation
 *  point.  Source: Process.wait(). */
WEFT_API int weft_process_wait(weft_process *process);

/** Returns how it ended, or -EINPROGRESS; -ECHILD as weft_process_wait().  Not a cancellation
 *  point.  Source: Process.returncode. */
WEFT_API int weft_process_returncode(const weft_process *process);

/** Returns the signal that killed a process which ended with `status`; 0: none did. */
static inline int weft_process_signal(int status)
{
    return status > 256 ? status - 256 : 0;
}

/** Returns the child's process number, also after its end.  Source: Process.pid. */
WEFT_API pid_t weft_process_pid(const weft_process *process);

/** Sends the child a signal.  It never reaches a stranger that was given the number of a child that
 *  has ended.
 *
 *  signum  SIGTERM ...; 0 only asks whether it could be sent.
 *
 *  Returns 0, -ESRCH it has ended, -EINVAL no such signal, -EPERM the child has taken another
 *  user's rights, -EXDEV, -ECHILD after a fork.  Not a cancellation point.
 *  Source: Process.send_signal(). */
WEFT_API int weft_process_send_signal(weft_process *process, int signum);

/** Sends SIGTERM, which asks it to end.  Returns as weft_process_send_signal().
 *  Source: Process.terminate(). */
WEFT_API int weft_process_terminate(weft_process *process);

/** Sends SIGKILL, which ends it.  Returns as weft_process_send_signal().
 *  Source: Process.kill(). */
WEFT_API int weft_process_kill(weft_process *process);

/** Sends a signal to the process group that the child leads, for its own children too; it was made
 *  with WEFT_NEW_GROUP or start_new_session.
 *
 *  Returns as weft_process_send_signal(); -EINVAL also when it leads none; -ESRCH it has ended,
 *  though others of its group may be left.  Source: os.killpg(). */
WEFT_API int weft_process_killpg(weft_process *process, int signum);

/** Ends the child: SIGTERM, and SIGKILL when it has not ended `grace` seconds later; waits.
 *
 *  grace  seconds; 0 kills at once, infinity never.
 *
 *  Returns how it ended, as weft_process_wait(); -ECANCELED the task is cancelled: then it was
 *  killed, and is not waited for.  -EPERM the child has taken another user's rights, and goes on.
 *  -EINVAL NaN.  A cancellation point. */
WEFT_API int weft_process_stop(weft_process *process, double grace);

/** What weft_process_communicate_with() takes besides; all zero, or NULL, for nothing. */
typedef struct weft_communicate_options {
    size_t limit;      /* bytes of output and error together; 0: no limit */
    bool until_exit;   /* when the child has ended, take what is there; wait for nobody else */
    void *reserved[3]; /* zero */
} weft_communicate_options;

/** Writes all input, reads all output, and waits until the child has ended.
 *
 *  in       `in_len` bytes, for a child with .in = WEFT_PIPE; borrowed.  The pipe is closed when
 *           they are written, at once when there are none.  That the child does not want them all
 *           is no error.
 *  ret_out  what the child writes, for .out = WEFT_PIPE, added at its end; NULL: is thrown away.
 *  ret_err  the same for .err = WEFT_PIPE.
 *
 *  It reads until nobody holds the other end of the pipes any more: a process that the child has
 *  left behind may hold them for long (`until_exit` does not wait for that).
 *
 *  Nothing is lost when it fails: called again, with the same input, it goes on where it was, and
 *  what was read so far comes with the rest; so what a child wrote that took too long is had by
 *  weft_process_kill() and this call again.
 *
 *  Returns how the child ended, as weft_process_wait(); -ECANCELED the task is cancelled, and the
 *  child goes on; -EMSGSIZE the output is longer than the limit; -ENOMEM; -EBUSY another task does
 *  this already, or a pipe was taken (weft_process_take_fd()) or has a stream; -EINVAL input for a
 *  child without a pipe, or less of it than was written already.  A cancellation point.
 *  Source: Process.communicate(). */
WEFT_API int weft_process_communicate(weft_process *process, const void *in, size_t in_len,
                                      weft_buffer *ret_out, weft_buffer *ret_err);

/** weft_process_communicate() with options, which may be NULL. */
WEFT_API int weft_process_communicate_with(weft_process *process, const void *in, size_t in_len,
                                           const weft_communicate_options *options,
                                           weft_buffer *ret_out, weft_buffer *ret_err);

/** The pipes as streams: its input to be written, its output and its error to be read.
 *
 *      weft_stream_write(weft_process_stdin(p), "2 + 3\n", 6);
 *      n = weft_stream_readline(weft_process_stdout(p), line, sizeof line);
 *      weft_stream_write_eof(weft_process_stdin(p));               the child reads to the end
 *
 *  The stream is made at the first call and is the same at all later ones.  Its one hold is the
 *  process's: you need not close it.  weft_stream_write_eof() ends the child's input;
 *  weft_stream_close() closes a pipe early, and -EBADF is what it answers from then on.  When the
 *  process is freed or detached its streams are closed at once, whoever holds them: tasks that
 *  wait get -EBADF, what a cancelled write has left queued is lost (weft_stream_drain() before).
 *  The end of the child closes nothing: what it has written can still be read.
 *
 *  A pipe is used in one way: weft_process_communicate() and weft_process_take_fd() are -EBUSY
 *  when there is a stream, and the other way round.  Read output and error in two tasks, when the
 *  child writes much to both.
 *
 *  Writing to a child that reads no more is -EPIPE and never a signal.  A stream that only reads
 *  says -EPIPE to who writes, one that only writes has ended for who reads.  Where the backend
 *  watches nothing real (`sim`) a thread looks at the pipe, for 20 ms at a time.
 *
 *  Returns the stream, borrowed; NULL, which no call of streams takes, there is no such pipe: it
 *  was not made with WEFT_PIPE, was taken, or weft_process_communicate() has closed it.  What else
 *  goes wrong is a failed stream, never NULL, whose calls return the error: -EBUSY a
 *  weft_process_communicate() has begun, -ENOMEM, -EPERM no loop runs here, -EBADF another one
 *  does, -EXDEV, -ECHILD after a fork.  Not cancellation points.  Cost: a look-up; the first time a
 *  cell of the loop's streams.
 *  Source: Process.stdin, Process.stdout, Process.stderr. */
WEFT_API weft_stream *weft_process_stdin(weft_process *process);
WEFT_API weft_stream *weft_process_stdout(weft_process *process);
WEFT_API weft_stream *weft_process_stderr(weft_process *process);

/** The terminal of a child that was made with .pty, as a stream in both ways: what is written is
 *  typed there, what is read is what it shows.
 *
 *      options = { .pty = true, .winsize = &(struct winsize){ .ws_row = 25, .ws_col = 80 } }
 *
 *  The child is in a session of its own, which this pseudo-terminal controls, and has it for its
 *  standard input, output and error but for those that the options say otherwise.  It begins as
 *  terminals do: it shows what is typed, a line comes when it is whole, "\4" (Ctrl-D) at the
 *  beginning of a line is the end of input, "\3" (Ctrl-C) sends SIGINT, and "\n" is shown as
 *  "\r\n".  Its mode and its size are changed by the calls of weft/terminal.h for
 *  weft_stream_fd() of this stream.
 *
 *  The stream ends when the child and all others that have the terminal have closed it.  Closing
 *  it, as weft_process_free() does, hangs up: they get SIGHUP.  A terminal has no half to close:
 *  weft_stream_write_eof() is -EOPNOTSUPP.  weft_process_communicate() leaves it alone, so read it
 *  in another task.  It is a stream as those of the pipes in all else, and returned as they are.
 *  Source: pty.fork() of Python, forkpty(3). */
WEFT_API weft_stream *weft_process_pty(weft_process *process);

/** Takes our end of a pipe to the child: yours from then on, to be closed.
 *
 *  which  0 its input, 1 its output, 2 its error, made with WEFT_PIPE; 3 our side of its terminal,
 *         for .pty.
 *
 *  Returns a descriptor that does not block and is close-on-exec; -EBADF there is no such pipe, or
 *  it was taken, or is closed; -EBUSY a weft_process_communicate() uses it, or it has a stream;
 *  -EINVAL another `which`; -EXDEV, -ECHILD after a fork.  Not a cancellation point. */
WEFT_API int weft_process_take_fd(weft_process *process, int which);

WEFT_END_DECLS

#endif
