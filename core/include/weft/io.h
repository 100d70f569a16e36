/* SPDX-License-Identifier: MIT
 * Descriptors: the system's own calls, in which a task waits and not the thread.
 *
 *     int fd = weft_accept(listener, NULL, NULL);
 *     ssize_t n;
 *
 *     while ((n = weft_recv(fd, buffer, sizeof buffer, 0)) > 0) {
 *         r = weft_sendall(fd, buffer, (size_t)n, 0, NULL);
 *         ...
 *     }
 *     weft_close(fd);
 *
 * Each call has the name and the arguments of the system call it makes, and returns what that
 * returns, with a negative errno in the place of -1.  It is tried first; only when the kernel says
 * EAGAIN the task waits, and then it is tried again.  Descriptors must be non-blocking, or the
 * thread waits with the task: weft_socket() and its kin make them so, weft_set_nonblocking() is for
 * others.  What can never be waited for (a regular file) is simply done.
 *
 * Any number of tasks may use one descriptor, also in the same direction: each wakes when there is
 * something, and one of them gets it.  Streams (<weft/stream.h>) are what most programs want.
 *
 * Close with weft_close(): tasks that wait are told, instead of waiting for whatever the system
 * gives the number to next.  close(2) does as long as no task has ever waited for the descriptor.
 *
 * Cancelled means it did not happen: a call that has read or written something returns that, and
 * the cancel comes with the next one.  SIGPIPE is never raised, -EPIPE is returned; an interrupted
 * system call is made again.  A task that never has to wait gives way after its budget of turns.
 *
 * All calls return, besides the system call's own errors: -ECANCELED, also where there is no need
 * to wait; -EBADF it is no open descriptor, or was closed by weft_close() meanwhile; -EPERM outside
 * a task; -ECHILD after a fork; -EOPNOTSUPP on a backend without descriptors, and -ENOMEM, when it
 * has to wait.  They are cancellation points, for the thread of the running loop.  Cost: the system
 * call and some nanoseconds; a switch where it waits; one call more when a descriptor is first
 * waited for. */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/common.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

WEFT_BEGIN_DECLS

/** Reads what there is, at least a byte; 0 is the end.
 *
 *  buffer  `size` bytes; borrowed during the call.
 *
 *  Returns how many bytes it read.  Source: read(2), readv(2). */
WEFT_API ssize_t weft_read(int fd, void *buffer, size_t size);
WEFT_API ssize_t weft_readv(int fd, const struct iovec *parts, int count);

/** Writes as much as there is room for, at least a byte.
 *
 *  buffer  `size` bytes; borrowed during the call.
 *
 *  Returns how many bytes it wrote, which may be fewer than `size`; -EPIPE nobody reads any more.
 *  To anything but a socket it costs two system calls more, which keep SIGPIPE away.
 *  Source: write(2), writev(2). */
WEFT_API ssize_t weft_write(int fd, const void *buffer, size_t size);
WEFT_API ssize_t weft_writev(int fd, const struct iovec *parts, int count);

/** Receives from a socket.
 *
 *  flags     recv(2)'s; MSG_DONTWAIT does not wait: -EAGAIN.
 *  ret_from  from whom, `*length` bytes of room, then how long it is; both NULL: nobody asks.
 *
 *  Returns how many bytes it received; 0 a stream has ended, or an empty datagram.
 *  Source: recv(2), recvfrom(2), recvmsg(2); loop.sock_recv(), sock_recv_into(),
 *  sock_recvfrom(). */
WEFT_API ssize_t weft_recv(int fd, void *buffer, size_t size, int flags);
WEFT_API ssize_t weft_recvfrom(int fd, void *buffer, size_t size, int flags,
                               struct sockaddr *ret_from, socklen_t *length);
WEFT_API ssize_t weft_recvmsg(int fd, struct msghdr *message, int flags);

/** Sends by a socket.
 *
 *  flags  send(2)'s; MSG_DONTWAIT does not wait: -EAGAIN.
 *
 *  Returns how many bytes it sent, which for a stream may be fewer than `size`; -EPIPE,
 *  -ECONNRESET.  Source: send(2), sendto(2), sendmsg(2); loop.sock_sendto(). */
WEFT_API ssize_t weft_send(int fd, const void *buffer, size_t size, int flags);
WEFT_API ssize_t weft_sendto(int fd, const void *buffer, size_t size, int flags,
                             const struct sockaddr *to, socklen_t length);
WEFT_API ssize_t weft_sendmsg(int fd, const struct msghdr *message, int flags);

/** Sends all of it, however often that has to wait.
 *
 *  sent  is raised by each byte that has gone out, also when the call fails or is cancelled: who
 *        goes on afterwards knows where.  May be NULL.
 *
 *  Returns 0, or the error that ended it.  Source: loop.sock_sendall(). */
WEFT_API int weft_sendall(int fd, const void *buffer, size_t size, int flags, size_t *sent);

/** Sends from a file, without a copy through the program.
 *
 *  to      a socket or a pipe, non-blocking.
 *  from    a file.
 *  offset  where in the file, moved on by what was sent; NULL: where the file stands.
 *  count   how many bytes at the most.
 *
 *  Returns how many were sent, which may be fewer; 0 the file has ended.  Reading the file may
 *  wait for the disk, and the thread with it.  Source: sendfile(2); loop.sock_sendfile(). */
WEFT_API ssize_t weft_sendfile(int to, int from, off_t *offset, size_t count);

/** Accepts a connection.
 *
 *  fd           a socket that listens.
 *  ret_address  whose it is, `*length` bytes of room, then how long it is; both NULL.
 *
 *  Returns its descriptor, non-blocking and closed by exec; -EMFILE, -ENFILE there is no descriptor
 *  left, and the connection still waits.  One that was gone before it was accepted is passed
 *  over.  Source: accept4(2); loop.sock_accept(). */
WEFT_API int weft_accept(int fd, struct sockaddr *ret_address, socklen_t *length);

/** Connects a socket.
 *
 *  Returns 0 when it is connected; -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH ...; -ENOENT there is
 *  no such Unix socket (one whose backlog is full is waited for); -EAGAIN of IP, the system has no
 *  room for another route.  After -ECANCELED it may still connect: close it.
 *  Source: connect(2); loop.sock_connect(). */
WEFT_API int weft_connect(int fd, const struct sockaddr *address, socklen_t length);

/** Waits until there is something to read or the end, or room to write; or an error, which the call
 *  that is tried then tells.  Returns 0.  Source: poll(2). */
WEFT_API int weft_wait_readable(int fd);
WEFT_API int weft_wait_writable(int fd);

/** Closes a descriptor.  Tasks that wait for it get -EBADF, also one that was just about to be
 *  woken, and callbacks of weft_loop_add_reader() and weft_loop_add_writer() are removed.
 *
 *  Returns 0; -EBADF it was not open; -EIO and the like: what was written before is lost, and it is
 *  closed.  Not a cancellation point, and may be called outside of tasks and loops.  Waits in other
 *  threads' loops are not known to it.  Source: close(2). */
WEFT_API int weft_close(int fd);

/** Makes a descriptor non-blocking, for everyone who shares it, also other processes.  Returns 0,
 *  -EBADF.  Any thread.  Source: fcntl(2), O_NONBLOCK. */
WEFT_API int weft_set_nonblocking(int fd);

/** Make descriptors that are non-blocking and closed by exec.
 *
 *  Return the descriptor, or 0 and both in ret_fds: for a pipe first the end to read from.  As the
 *  system calls; -EPERM and its like do not occur, and none is a cancellation point.
 *  Source: socket(2), socketpair(2), pipe2(2). */
WEFT_API WEFT_MUST_USE int weft_socket(int domain, int type, int protocol);
WEFT_API WEFT_MUST_USE int weft_socketpair(int domain, int type, int protocol, int ret_fds[2]);
WEFT_API WEFT_MUST_USE int weft_pipe(int ret_fds[2]);

WEFT_END_DECLS

#endif
