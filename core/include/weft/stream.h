/* SPDX-License-Identifier: MIT
 * Streams: bytes in order, to and from whatever is at the other end.
 *
 *     weft_stream *s;
 *     char line[256];
 *     int r = weft_open_connection("example.org", 7, NULL, &s);
 *     ...
 *     weft_stream_write(s, "hello\n", 6);                      waits while the peer is slow
 *     ssize_t n = weft_stream_readline(s, line, sizeof line);  newline included; 0 is the end
 *     weft_stream_close(s);
 *
 * One stream is both directions.  A read takes what is there and waits only when there is nothing;
 * it goes straight into your buffer.  What was received and not asked for yet (the rest behind a
 * line) is kept, at most `limit` bytes, in memory that is there only that long.
 *
 * A write is whole: it returns when all of it has gone to the system, or an error.  It waits while
 * the other end is slow, so nothing piles up.  When a cancel comes after the first byte has gone
 * the rest is queued, and goes out by itself before anything that is written later.
 *
 * One task reads at a time; a second one is -EBUSY.  Several may write: each write is in one piece,
 * in the order of the calls.  Writing to an end that is closed is -EPIPE and never a signal.
 *
 * What breaks a connection stays.  Whoever is told of a reset first (-ECONNRESET; -ETIMEDOUT,
 * -EHOSTUNREACH and the like), a read or a write: from then on each write gives the same error, and
 * each read does when what was kept has been read.  A reset never looks like an end, and an end
 * that came before it stays one.  -ENOMEM and -ENOBUFS pass: the call can be made again (but for
 * one case of weft_stream_readexactly()).
 *
 * Through TLS (<weft/tls.h>) there are two more of that kind: -EPROTO the other end breaks its
 * rules, -ECONNABORTED there was no memory in the middle of something.
 *
 * A stream belongs to the loop in which it was made (-EXDEV).  It comes with one hold, which
 * weft_stream_close() takes; weft_stream_ref() adds one.  The last one closes the stream.  A handle
 * that is spent is -EBADF, for ever.  When the loop closes, so do its streams.
 *
 * Calls that wait return, beside their own errors: -ECANCELED, also where there is no need to wait,
 * and nothing was read or written; -EBADF closed, also meanwhile; -EPERM outside a task; -EXDEV,
 * -ECHILD, -EINVAL.  All of these are cancellation points. */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <weft/address.h>
#include <weft/buffer.h>
#include <weft/connect.h>

#include <sys/types.h>
#include <sys/uio.h>

WEFT_BEGIN_DECLS

typedef struct weft_stream weft_stream;

#define WEFT_STREAM_LIMIT 65536 /* bytes that are kept, unless options say otherwise */

/** All zero, or a NULL pointer to one: the defaults. */
typedef struct weft_stream_options {
    size_t limit;   /* bytes that a line may have before its end, and that are kept; 0: 64 KiB */
    bool may_delay; /* Nagle's algorithm, for TCP: few packets rather than soon ones */
    void *reserved[4]; /* zero */
} weft_stream_options;

/** All zero, or a NULL pointer to one: the defaults. */
typedef struct weft_connection_options {
    weft_stream_options stream;
    weft_connect_options connect; /* to a host: families, from where, which address when */
    weft_tls *tls;           /* borrowed: encrypted by TLS from the beginning, <weft/tls.h>; NULL */
    const char *server_name; /* with `tls`, whose certificate it must be; NULL: the host's */
    void *reserved[2];       /* zero */
} weft_connection_options;

/** Connects to a host.
 *
 *  host        a name or a numeric address; NULL: this host.  Borrowed during the call.
 *  port        1 to 65535.
 *  options     borrowed during the call; may be NULL.
 *  ret_stream  with one hold; untouched on error.
 *
 *  Returns 0; what weft_connect_host() returns, which makes the connection: -ECONNREFUSED,
 *  -ECONNRESET and the like, what was wrong with the name, -EMFILE; -ENOMEM; with `tls` what
 *  weft_stream_start_tls() returns.  A cancellation point; a cancelled one leaves nothing behind.
 *  Source: asyncio.open_connection(). */
WEFT_API WEFT_MUST_USE int weft_open_connection(const char *host, int port,
                                                const weft_connection_options *options,
                                                weft_stream **ret_stream);

/** Connects to a Unix socket.
 *
 *  path  a file, or "@name" in Linux's abstract name space.
 *
 *  Returns 0; -ENOENT there is no such file, -ECONNREFUSED nobody listens there, -EACCES,
 *  -ENAMETOOLONG, -EMFILE, -ENOMEM; with `tls`, which needs a `server_name`, what
 *  weft_stream_start_tls() returns.  Source: asyncio.open_unix_connection(). */
WEFT_API WEFT_MUST_USE int weft_open_unix_connection(const char *path,
                                                     const weft_connection_options *options,
                                                     weft_stream **ret_stream);

/** Makes a stream of a descriptor: a socket that is connected, a pipe, a terminal, a file.
 *
 *  fd  the stream's from then on, on success: closed with it, and made non-blocking.
 *
 *  Returns 0, -EBADF, -ENOMEM, -EPERM no loop runs here.  Not a cancellation point.
 *  Source: loop.connect_accepted_socket(), connect_read_pipe(), connect_write_pipe(). */
WEFT_API WEFT_MUST_USE int weft_stream_open_fd(int fd, const weft_stream_options *options,
                                               weft_stream **ret_stream);

/** Makes a stream of standard input (0), output (1) or error (2).  These are shared with other
 *  programs, so they are never made non-blocking: a pipe or terminal is opened a second time, and
 *  where that cannot be, each call looks first whether it would block.  Closing the stream leaves
 *  the descriptor itself open.
 *
 *  Returns 0, -EBADF it is closed, -ENOMEM, -EMFILE, -EPERM, -EINVAL.  Not a cancellation point. */
WEFT_API WEFT_MUST_USE int weft_stream_open_stdio(int which, weft_stream **ret_stream);

/** Makes two streams that are connected with each other, without the system: what is written to one
 *  is read from the other.  Works on every backend, and without descriptors.
 *
 *  capacity  bytes in each direction that may be on their way; 0: 64 KiB.
 *
 *  Returns 0, -ENOMEM, -EPERM.  Not a cancellation point. */
WEFT_API WEFT_MUST_USE int weft_stream_pair(size_t capacity, weft_stream *ret_ends[2]);

/** Adds a hold.  Returns `stream`. */
WEFT_API weft_stream *weft_stream_ref(weft_stream *stream);

/** Gives a hold back; with the last one sends what is queued, and closes.
 *
 *  stream  also NULL.
 *
 *  Returns 0, at once where there are more holds; else when it is closed, whatever is returned:
 *  what ended the sending of queued bytes (-EPIPE, -ECONNRESET ...), -ECANCELED or, outside a task,
 *  -EPERM: they were not sent and the connection was reset.  -EBADF it is spent, -EXDEV, -ECHILD.
 *  A cancellation point only where bytes are queued: then it waits as long as the other end takes
 *  to read them, unless a timeout is around it.
 *  Source: StreamWriter.close() and wait_closed(). */
WEFT_API int weft_stream_close(weft_stream *stream);

/** Closes at once, whoever else holds it, and gives a hold back: what is queued is lost, the other
 *  end of a TCP connection or of a pair in memory gets -ECONNRESET, that of a Unix socket or a pipe
 *  the end; tasks that wait get -EBADF.
 *
 *  Returns 0, -EBADF, -EXDEV, -ECHILD.  Not a cancellation point.
 *  Source: WriteTransport.abort(). */
WEFT_API int weft_stream_abort(weft_stream *stream);

/** Reads what there is, at least a byte.
 *
 *  buffer  `size` bytes.
 *
 *  Returns how many; 0 the stream has ended, or `size` is 0; -ECONNRESET and the like, again each
 *  time; -EBUSY another task reads.  Cost: one system call, or a copy of what was kept.
 *  Source: StreamReader.read(). */
WEFT_API ssize_t weft_stream_read(weft_stream *stream, void *buffer, size_t size);

/** Reads exactly `size` bytes.
 *
 *  Returns `size`; -ENODATA the stream ended before.  After any error nothing is lost: what had
 *  come already is what the next read returns.  (Should there be no memory to keep it, it is lost,
 *  and this and all later reads are -ENOMEM.)  Source: StreamReader.readexactly(). */
WEFT_API ssize_t weft_stream_readexactly(weft_stream *stream, void *buffer, size_t size);

/** Reads a line, the newline included.
 *
 *  buffer  `size` bytes; no zero is put behind the line.
 *
 *  Returns its length; at the end of the stream what is left, without a newline, and then 0.
 *  -EMSGSIZE it is longer than `size`, or has more bytes than the stream's limit before its
 *  newline, or its end; it is still there to be read in another way.  (What fills `size` without
 *  one may be the last line: it waits for what comes next.)  Source: StreamReader.readline(). */
WEFT_API ssize_t weft_stream_readline(weft_stream *stream, void *buffer, size_t size);

/** Reads up to a separator, which is included.
 *
 *  separator   `length` bytes, at least one.
 *  separators  `count` of them: the one that ends first counts; of two that end at the same place
 *              it makes no difference.
 *
 *  Returns how many bytes; -ENODATA the stream ended before, -EMSGSIZE as weft_stream_readline();
 *  in both cases what has come is still there.  Source: StreamReader.readuntil(). */
WEFT_API ssize_t weft_stream_readuntil(weft_stream *stream, const void *separator, size_t length,
                                       void *buffer, size_t size);
WEFT_API ssize_t weft_stream_readuntil_any(weft_stream *stream, const struct iovec *separators,
                                           int count, void *buffer, size_t size);

/** Reads all that comes, to the end of the stream.
 *
 *  limit   bytes at the most.
 *  buffer  the bytes are put behind those that it has, also when the call fails: nothing is lost.
 *
 *  Returns 0; -EMSGSIZE there is more; -ENOMEM.  Source: StreamReader.read(-1). */
WEFT_API int weft_stream_read_all(weft_stream *stream, size_t limit, weft_buffer *buffer);

/** Shows what has come, without a copy and without taking it.
 *
 *  least     waits until so many bytes are there, or the end.
 *  ret_data  the bytes; valid until the next call that reads from the stream or closes it.
 *
 *  Returns how many there are, fewer than `least` only at the end; -EMSGSIZE `least` is more than
 *  the stream's limit; -ENOMEM. */
WEFT_API ssize_t weft_stream_peek(weft_stream *stream, size_t least, const char **ret_data);

/** The same up to a separator, which is included; as weft_stream_readuntil(). */
WEFT_API ssize_t weft_stream_peek_until(weft_stream *stream, const void *separator, size_t length,
                                        const char **ret_data);

/** Takes bytes that were shown.
 *
 *  Returns 0, -EINVAL so many are not there; -EBUSY another task reads; -EBADF, -EXDEV, -ECHILD.
 *  Not a cancellation point. */
WEFT_API int weft_stream_consume(weft_stream *stream, size_t size);

/** Whether the end was seen and all was read.  Source: StreamReader.at_eof(). */
WEFT_API bool weft_stream_at_eof(weft_stream *stream);

/** Writes all of it, however long that has to wait.
 *
 *      weft_timeout_enter(&limit, 5);
 *      n = weft_stream_write(peer, data, size);
 *      r = weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
 *      if (weft_timeout_expired(&limit)) {
 *          weft_stream_abort(peer); the rest is queued, and a close would wait for it
 *      }
 *
 *  A timeout around a write makes no error of it once the first byte has gone: all of it counts as
 *  written, the rest is queued as a copy in memory, and exit returns 0.  Ask whether the timeout
 *  has expired; if so abort, unless the other end may take as long as it likes.
 *
 *  data   `size` bytes; borrowed during the call.
 *  parts  `count` of them, one behind the other; borrowed during the call.
 *
 *  Returns how many bytes that were: all.  -EPIPE nobody reads any more, or weft_stream_write_eof()
 *  was called; -ECONNRESET and the like: how much has gone out is not known, and the stream writes
 *  no more.  -ENOMEM before the first byte: nothing has gone out, and it can be tried again.
 *  Source: StreamWriter.write() with drain(), writelines(). */
WEFT_API ssize_t weft_stream_write(weft_stream *stream, const void *data, size_t size);
WEFT_API ssize_t weft_stream_writev(weft_stream *stream, const struct iovec *parts, int count);

/** Waits until nothing is queued and nobody else writes.  Returns 0, or what broke the connection
 *  or ended the writing, as weft_stream_write().
 *  Source: StreamWriter.drain(). */
WEFT_API int weft_stream_drain(weft_stream *stream);

/** Says that nothing more will be written, after what is queued; reading goes on.  What
 *  only writes, as a pipe's end does, is closed.
 *
 *  Returns 0, also again; -EOPNOTSUPP a terminal, a FIFO or the like that is open for reading has
 *  no half to close, and goes on; what ended the writing, or broke the connection while that waited
 *  for what was queued.  Source: StreamWriter.write_eof(). */
WEFT_API int weft_stream_write_eof(weft_stream *stream);

/** Sends from a file, without a copy through the program where the system can.
 *
 *  from    a file; borrowed.
 *  offset  where in the file, moved on by what was sent; NULL: where the file stands.
 *  count   how many bytes; SIZE_MAX: to its end.
 *
 *  Returns how many were sent: fewer where the file ended or a cancel came; errors as
 *  weft_stream_write() and of the file, after which `offset` tells how many went out before.
 *  Reading the file may wait for the disk, and the thread with it.  Source: loop.sendfile(). */
WEFT_API ssize_t weft_stream_sendfile(weft_stream *stream, int from, off_t *offset, size_t count);

/** Returns the descriptor, which is still the stream's; -EOPNOTSUPP it has none, -EBADF. */
WEFT_API int weft_stream_fd(weft_stream *stream);

/** Tells who is at the other end, and who is at this one.
 *  Returns 0; -EOPNOTSUPP it is no socket, -ENOTCONN, -EBADF.  Not cancellation points.
 *  Source: get_extra_info("peername"), get_extra_info("sockname"). */
WEFT_API int weft_stream_peername(weft_stream *stream, weft_address *ret_address);
WEFT_API int weft_stream_sockname(weft_stream *stream, weft_address *ret_address);

/** The process at the other end of a Unix socket, when it connected. */
typedef struct weft_credentials {
    int64_t pid, uid, gid;
} weft_credentials;

/** Tells whose process it is.  Returns 0; -EOPNOTSUPP it is no Unix socket, -EBADF.
 *  Source: unix(7), SO_PEERCRED. */
WEFT_API int weft_stream_credentials(weft_stream *stream, weft_credentials *ret_credentials);

/** What a stream knows of itself. */
typedef struct weft_stream_stats {
    size_t kept;   /* bytes received and not read */
    size_t queued; /* bytes written and not sent */
    size_t limit;
    bool is_reading, is_writing; /* a task does, or waits to */
    int error; /* what reading ended with, when that is no end; else what writing did; 0 */
    void *reserved[4];
} weft_stream_stats;

/** Tells what a stream knows of itself.  Returns 0, -EBADF.  Source: StreamReader.exception(), for
 *  `error`. */
WEFT_API int weft_stream_statistics(weft_stream *stream, weft_stream_stats *ret_stats);

WEFT_END_DECLS

#endif
