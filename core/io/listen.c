/* SPDX-License-Identifier: MIT
 * Sockets that listen. */
#include "core/io/listen.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/sys_socket.h"
#include "core/io/try.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* "cannot bind 127.0.0.1:80" */
static int failed(int error, const char *what, const weft_address *address)
{
    char text[WEFT_ADDRESS_TEXT] = "?";

    weft_address_format(address, text, sizeof text);
    return weft__detail(error, "cannot %s %s", what, text);
}

static int set(int fd, int level, int option, bool on)
{
    if (on && WEFT__SYS(setsockopt(fd, level, option, &(int){ 1 }, sizeof(int))) < 0) {
        return -errno;
    }
    return 0;
}

static int set_options(int fd, int family, const struct weft__listen_options *options)
{
    bool is_ip = family == AF_INET || family == AF_INET6;
    int r = set(fd, SOL_SOCKET, SO_REUSEADDR, options->reuse_address && is_ip);

    if (options->reuse_port && !is_ip) {
        return -EINVAL;
    }
    r = r < 0 ? r : set(fd, SOL_SOCKET, WEFT__SO_REUSEPORT, options->reuse_port);
    r = r < 0 ? r : set(fd, SOL_SOCKET, SO_KEEPALIVE, options->keep_alive);
    if (r >= 0 && family == AF_INET6) {
        int only = !options->dual_stack;

        if (WEFT__SYS(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only)) < 0) {
            r = -errno;
        }
    }
    /* Those that are accepted inherit it: a call less for each. */
    return r < 0 ? r : set(fd, IPPROTO_TCP, TCP_NODELAY, options->no_delay && is_ip);
}

/* The file's path, or NULL where there is none. */
static const char *path_of(const weft_address *address)
{
    const char *path = (const char *)address->bytes + offsetof(struct sockaddr_un, sun_path);

    return address->family == AF_UNIX &&
                   address->length > offsetof(struct sockaddr_un, sun_path) && *path ?
               path :
               NULL;
}

/* A socket that somebody has left there is in the way; nothing else is touched. */
static void remove_stale(const char *path)
{
    struct stat is;

    if (lstat(path, &is) == 0 && S_ISSOCK(is.st_mode)) {
        (void)unlink(path);
    }
}

/* Remembers the file, and gives it its mode, before anybody can connect. */
static int take_file(struct weft__bound *bound, const char *path, unsigned mode)
{
    struct stat is;

    memcpy(bound->path, path, strlen(path) + 1);
    if (WEFT__SYS(stat(path, &is)) < 0 || (mode && WEFT__SYS(chmod(path, mode)) < 0)) {
        int r = -errno;

        (void)unlink(path);
        return r;
    }
    bound->is_file = true;
    bound->device = is.st_dev;
    bound->inode = is.st_ino;
    return 0;
}

int weft__listen(const weft_address *address, const struct weft__listen_options *options,
                 struct weft__bound *ret_bound)
{
    struct weft__bound bound = { .is_file = false };
    const char *path = path_of(address), *what = "make a socket for";
    int r;

    bound.fd = WEFT__SYS(weft__sys_socket(address->family, SOCK_STREAM, 0));
    if (bound.fd < 0) {
        return failed(-errno, what, address);
    }
    (void)weft__io_fresh(bound.fd);
    r = set_options(bound.fd, address->family, options);
    if (r == 0 && path) {
        remove_stale(path);
    }
    if (r == 0) {
        what = "bind";
        r = WEFT__SYS(bind(bound.fd, &address->sockaddr, address->length)) < 0 ? -errno : 0;
    }
    if (r == 0 && path) {
        r = take_file(&bound, path, options->mode);
    }
    if (r == 0) {
        what = "listen at";
        r = WEFT__SYS(listen(bound.fd, options->backlog)) < 0 ? -errno : 0;
    }
    if (r < 0) {
        weft__bound_close(&bound, false);
        return failed(r, what, address);
    }
    *ret_bound = bound;
    return 0;
}

bool weft__listen_is_again(const weft_address *addresses, size_t which)
{
    for (size_t i = 0; i < which; i++) {
        if (weft_address_equal(&addresses[i], &addresses[which])) {
            return true;
        }
    }
    return false;
}

int weft__bound_port(int fd)
{
    weft_address own = { .length = sizeof own.storage };

    if (getsockname(fd, &own.sockaddr, &own.length) < 0) {
        return 0;
    }
    own.family = own.sockaddr.sa_family;
    return weft_address_port(&own);
}

void weft__bound_close(struct weft__bound *bound, bool keep)
{
    struct stat is;

    if (bound->fd >= 0) {
        close(bound->fd);
        bound->fd = -1;
    }
    if (bound->is_file && !keep && stat(bound->path, &is) == 0 && is.st_dev == bound->device &&
        is.st_ino == bound->inode) {
        (void)unlink(bound->path);
    }
    bound->is_file = false;
}
