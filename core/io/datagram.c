/* SPDX-License-Identifier: MIT
 * Datagram sockets: opened, asked about, closed. */
#include "core/io/datagram.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/io/sys_socket.h"
#include "core/io/try.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft/io.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_datagram_options) == 48, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_datagram_item) == 32, "the public size");

static struct weft__shared sockets = WEFT__SHARED_INIT(sizeof(struct weft__datagram));

/* "cannot bind 127.0.0.1:80" */
static int failed(int error, const char *what, const weft_address *address)
{
    char text[WEFT_ADDRESS_TEXT] = "?";

    weft_address_format(address, text, sizeof text);
    return weft__detail(error, "cannot %s %s", what, text);
}

static int set(int fd, int level, int option, int value)
{
    return WEFT__SYS(setsockopt(fd, level, option, &value, sizeof value)) < 0 ? -errno : 0;
}

static int set_errors(int fd, int family)
{
#ifdef IP_RECVERR
    if (family == AF_INET6) {
        return set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    }
    return family == AF_INET ? set(fd, IPPROTO_IP, IP_RECVERR, 1) : -EOPNOTSUPP;
#else
    (void)fd, (void)family;
    return -EOPNOTSUPP;
#endif
}

static int set_options(int fd, int family, const weft_datagram_options *options)
{
    int r = options->reuse_address ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;

    if (r >= 0 && options->reuse_port) {
        r = family == AF_UNIX ? -EINVAL : set(fd, SOL_SOCKET, WEFT__SO_REUSEPORT, 1);
    }
    if (r >= 0 && options->allow_broadcast) {
        r = set(fd, SOL_SOCKET, SO_BROADCAST, 1);
    }
    if (r >= 0 && family == AF_INET6) {
        r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !options->dual_stack);
    }
    if (r >= 0 && options->errors) {
        r = set_errors(fd, family);
    }
    if (r >= 0 && options->receive_buffer) {
        r = set(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
    }
    if (r >= 0 && options->send_buffer) {
        r = set(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    }
    return r;
}

int weft__datagram_socket(const weft_address *local, const weft_address *remote,
                          const weft_datagram_options *options, int *ret_fd)
{
    static const weft_datagram_options none;
    const weft_address *one = local ? local : remote;
    int fd, r;

    options = options ? options : &none;
    if (!one || (local && remote && local->family != remote->family) ||
        options->receive_buffer < 0 || options->send_buffer < 0) {
        return -EINVAL;
    }
    fd = WEFT__SYS(weft__sys_socket(one->family, SOCK_DGRAM, 0));
    if (fd < 0) {
        return failed(-errno, "make a socket for", one);
    }
    r = set_options(fd, one->family, options);
    if (r < 0) {
        r = failed(r, "set the options of a socket for", one);
    }
    if (r >= 0 && local && WEFT__SYS(bind(fd, &local->sockaddr, local->length)) < 0) {
        r = failed(-errno, "bind", local);
    }
    if (r >= 0 && remote && WEFT__SYS(connect(fd, &remote->sockaddr, remote->length)) < 0) {
        r = failed(-errno, "connect to", remote);
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = weft__io_fresh(fd);
    return 0;
}

int weft__datagram_make(int fd, int family, const weft_datagram_options *options,
                        weft_datagram **ret_socket)
{
    struct weft__datagram *d = weft__shared_take(&sockets);

    if (!d) {
        return -ENOMEM;
    }
    d->fd = fd;
    d->family = family;
    d->keeps_errors = options && options->errors;
    *ret_socket = (weft_datagram *)d->handle;
    return 0;
}

int weft_datagram_open(const weft_address *local, const weft_address *remote,
                       const weft_datagram_options *options, weft_datagram **ret_socket)
{
    int fd, r;

    if (!ret_socket) {
        return -EINVAL;
    }
    r = weft__datagram_socket(local, remote, options, &fd);
    if (r < 0) {
        return r;
    }
    r = weft__datagram_make(fd, (local ? local : remote)->family, options, ret_socket);
    if (r < 0) {
        close(fd);
    }
    return r;
}

int weft_datagram_from_fd(int fd, weft_datagram **ret_socket)
{
    struct sockaddr_storage own;
    int type, r;

    if (!ret_socket || fd < 0) {
        return fd < 0 ? -EBADF : -EINVAL;
    }
    if (WEFT__SYS(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof type })) < 0 ||
        WEFT__SYS(getsockname(fd, (struct sockaddr *)&own, &(socklen_t){ sizeof own })) < 0) {
        return -errno;
    }
    if (type != SOCK_DGRAM) {
        return weft__words(-EPROTOTYPE, "this is no datagram socket");
    }
    WEFT__HUSH(fd);
    r = weft_set_nonblocking(fd);
    return r < 0 ? r : weft__datagram_make(fd, own.ss_family, NULL, ret_socket);
}

struct weft__datagram *weft__datagram_of(weft_datagram *handle, int *ret_error)
{
    return weft__cell_of(handle, ret_error);
}

weft_datagram *weft_datagram_close(weft_datagram *handle)
{
    int r;
    struct weft__datagram *d = weft__datagram_of(handle, &r);

    if (d) {
        int fd = d->fd;

        weft__shared_give(&sockets, d);
        (void)weft_close(fd);
    }
    return NULL;
}

int weft_datagram_fileno(weft_datagram *handle)
{
    int r = 0;
    const struct weft__datagram *d = weft__datagram_of(handle, &r);

    return d ? d->fd : r;
}

static int ask(weft_datagram *handle,
               int (*call)(int fd, struct sockaddr *address, socklen_t *length),
               weft_address *ret_address)
{
    int r = 0;
    const struct weft__datagram *d = weft__datagram_of(handle, &r);
    weft_address found = { .type = SOCK_DGRAM, .length = sizeof found.storage };

    if (!d || !ret_address) {
        return d ? -EINVAL : r;
    }
    if (call(d->fd, &found.sockaddr, &found.length) < 0) {
        return -errno;
    }
    found.family = found.sockaddr.sa_family;
    *ret_address = found;
    return 0;
}

int weft_datagram_sockname(weft_datagram *socket, weft_address *ret_address)
{
    return ask(socket, getsockname, ret_address);
}

int weft_datagram_peername(weft_datagram *socket, weft_address *ret_address)
{
    return ask(socket, getpeername, ret_address);
}

int weft_datagram_port(weft_datagram *socket)
{
    weft_address own;

    return weft_datagram_sockname(socket, &own) < 0 ? 0 : weft_address_port(&own);
}
