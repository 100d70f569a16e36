/* SPDX-License-Identifier: MIT
 * What can be asked of a stream. */
#include "core/io/credentials.h"
#include "core/io/stream.h"

int weft_stream_fd(weft_stream *handle)
{
    int r = 0;
    const struct weft__stream *stream = weft__stream_of(handle, &r);

    if (!stream) {
        return r;
    }
    return stream->fd < 0 ? -EOPNOTSUPP : stream->fd;
}


/* One of the two addresses. */
static int ask(weft_stream *handle, int (*name)(int, struct sockaddr *, socklen_t *),
               weft_address *ret_address)
{
    weft_address address = { .length = sizeof address.storage };
    int fd = weft_stream_fd(handle);

    if (fd < 0) {
        return fd;
    }
    if (name(fd, &address.sockaddr, &address.length) < 0) {
        return errno == ENOTSOCK ? -EOPNOTSUPP : -errno;
    }
    address.family = address.sockaddr.sa_family;
    address.type = SOCK_STREAM;
    *ret_address = address;
    return 0;
}

int weft_stream_peername(weft_stream *stream, weft_address *ret_address)
{
    return ask(stream, getpeername, ret_address);
}

int weft_stream_sockname(weft_stream *stream, weft_address *ret_address)
{
    return ask(stream, getsockname, ret_address);
}

int weft_stream_credentials(weft_stream *handle, weft_credentials *ret_credentials)
{
    weft_address own;
    int r = weft_stream_sockname(handle, &own);

    if (r < 0 || own.family != AF_UNIX) {
        return r < 0 ? r : -EOPNOTSUPP;
    }
    return weft__credentials_of(weft_stream_fd(handle), ret_credentials);
}

int weft_stream_statistics(weft_stream *handle, weft_stream_stats *ret_stats)
{
    int r = 0;
    const struct weft__stream *stream = weft__stream_of(handle, &r);

    if (!stream) {
        return r;
    }
    *ret_stats = (weft_stream_stats){
        .kept = stream->in_len,
        .queued = stream->out ? stream->out_len - stream->out_at : 0,
        .limit = stream->limit,
        .is_reading = stream->is_reading,
        .is_writing = stream->is_writing,
        .error = stream->read_error ? stream->read_error : stream->write_error,
    };
    return 0;
}
