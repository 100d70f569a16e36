/* SPDX-License-Identifier: MIT
 * Streams are opened: connections, descriptors, standard input and output. */
#include "core/io/stream.h"
#include "core/io/sys_file.h"
#include "core/io/sys_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/io.h>
#include <weft/tls.h>

int weft__stream_adopt(struct weft__loop *loop, int fd, bool is_tcp,
                       const weft_stream_options *options, struct weft__stream **ret_stream)
{
    int r = weft__stream_new(loop, &weft__stream_socket, fd, options->limit, ret_stream);

    if (r == 0) {
        (*ret_stream)->is_tcp = is_tcp;
    }
    return r;
}

/* A connected socket becomes a stream, or is closed. */
static int adopt(int fd, bool is_tcp, const weft_stream_options *options, weft_stream **ret_stream)
{
    struct weft__stream *stream;
    int r = 0;

    if (is_tcp && !options->may_delay &&
        WEFT__SYS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int))) < 0) {
        r = -errno;
    }
    r = r < 0 ? r : weft__stream_adopt(weft__running, fd, is_tcp, options, &stream);
    if (r < 0) {
        (void)weft_close(fd);
        return r;
    }
    *ret_stream = weft__stream_handle(stream);
    return 0;
}

/* A connected socket becomes a stream, encrypted if that is asked for, or is closed. */
static int adopt_as(int fd, bool is_tcp, const char *host, const weft_connection_options *options,
                    weft_stream **ret_stream)
{
    weft_start_tls_options tls = { .side = WEFT_TLS_CLIENT,
                                   .server_name = options->server_name ? options->server_name :
                                                                         host };
    weft_stream *stream;
    int r = adopt(fd, is_tcp, &options->stream, &stream);

    if (r == 0 && options->tls) {
        r = weft_stream_start_tls(stream, options->tls, &tls);
        if (r < 0) {
            (void)weft_stream_close(stream); /* no reset, which would overtake the reason why */
        }
    }
    if (r == 0) {
        *ret_stream = stream;
    }
    return r;
}

int weft_open_connection(const char *host, int port, const weft_connection_options *options,
                         weft_stream **ret_stream)
{
    static const weft_connection_options defaults;
    int r, fd;

    options = options ? options : &defaults;
    r = weft_connect_host(host, port, &options->connect, &fd);
    return r < 0 ? r : adopt_as(fd, true, host ? host : "localhost", options, ret_stream);
}

int weft_open_unix_connection(const char *path, const weft_connection_options *options,
                              weft_stream **ret_stream)
{
    static const weft_connection_options defaults;
    weft_address address;
    int r = path ? weft_address_unix(path, &address) : -EINVAL;
    int fd, self = 0;

    if (r < 0) {
        return r;
    }
    if (!weft__self(&self)) {
        return weft__misuse(self);
    }
    fd = weft_socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return fd;
    }
    r = weft_connect(fd, &address.sockaddr, address.length);
    if (r < 0) {
        (void)weft_close(fd);
        return r;
    }
    return adopt_as(fd, false, NULL, options ? options : &defaults, ret_stream);
}

int weft_stream_open_fd(int fd, const weft_stream_options *options, weft_stream **ret_stream)
{
    static const weft_stream_options defaults;
    int r = 0;
    struct weft__loop *loop = weft__loop_of(NULL, &r);
    struct weft__stream *stream;
    struct stat is;
    bool is_socket;

    if (!loop) {
        return r;
    }
    if (WEFT__SYS(fstat(fd, &is)) < 0) {
        return -errno;
    }
    r = S_ISREG(is.st_mode) ? 0 : weft_set_nonblocking(fd);
    if (r < 0) {
        return r;
    }
    is_socket = S_ISSOCK(is.st_mode);
    WEFT__HUSH(fd); /* nothing where it is no socket */
    options = options ? options : &defaults;
    r = weft__stream_new(loop, is_socket ? &weft__stream_socket : &weft__stream_file, fd,
                         options->limit, &stream);
    if (r < 0) {
        return r;
    }
    stream->is_tcp = is_socket && weft__sys_is_tcp(fd);
    *ret_stream = weft__stream_handle(stream);
    return 0;
}

/* A descriptor for standard input or output that is our own.  A pipe or a terminal can be opened
 * again, which makes a file of its own that may be non-blocking; a regular file would lose its
 * place by that, and a socket cannot. */
static int open_again(int which, bool *ret_blocking)
{
    struct stat is;
    int fd, mode;

    if (WEFT__SYS(fstat(which, &is)) < 0) {
        return -errno;
    }
    *ret_blocking = false;
    if (S_ISFIFO(is.st_mode) || S_ISCHR(is.st_mode)) {
        mode = fcntl(which, F_GETFL) & O_ACCMODE;
        fd = weft__sys_open_again(which, mode);
        if (fd >= 0) {
            return fd;
        }
        *ret_blocking = true;
    }
    fd = WEFT__SYS(fcntl(which, F_DUPFD_CLOEXEC, 3));
    return fd < 0 ? -errno : fd;
}

int weft_stream_open_stdio(int which, weft_stream **ret_stream)
{
    int r = 0, fd;
    struct weft__loop *loop = weft__loop_of(NULL, &r);
    struct weft__stream *stream;
    bool is_blocking = false;
    struct stat is;

    if (!loop || which < 0 || which > 2) {
        return loop ? -EINVAL : r;
    }
    fd = open_again(which, &is_blocking);
    if (fd < 0) {
        return fd;
    }
    fd = weft__io_fresh(fd);
    is.st_mode = 0;
    (void)fstat(fd, &is);
    r = weft__stream_new(loop, S_ISSOCK(is.st_mode) ? &weft__stream_socket : &weft__stream_file,
                         fd, 0, &stream);
    if (r < 0) {
        (void)weft_close(fd);
        return r;
    }
    stream->is_blocking = is_blocking;
    *ret_stream = weft__stream_handle(stream);
    return 0;
}
