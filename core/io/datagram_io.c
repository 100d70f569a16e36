/* SPDX-License-Identifier: MIT
 * Datagrams sent and received, one or a batch at a time, and the errors that the network reports.
 *
 * The descriptor is ours alone: a wait needs no call to make sure whose number it is. */
#include "core/io/datagram.h"
#include "core/io/sys_datagram.h"
#include "core/io/try.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#if defined(__linux__)
#include <linux/errqueue.h>
#endif

/* The socket and the running task for a call that may wait; NULL and the error. */
static struct weft__datagram *begin(weft_datagram *handle, struct weft__task **ret_task,
                                    int *ret_error)
{
    struct weft__datagram *d = weft__datagram_of(handle, ret_error);

    *ret_task = d ? weft__io_begin(ret_error) : NULL;
    return *ret_task ? d : NULL;
}

/* After a receive that said no.  Reports that nobody has taken make a socket ready to read. */
static int again(struct weft__task *task, int fd, bool keeps_errors, bool *was_vain)
{
    uint32_t events = WEFT_READABLE | WEFT__FD_OWNED;

    return keeps_errors ? weft__io_again_slowly(task, fd, events, was_vain) :
                          weft__io_again(task, fd, events);
}

ssize_t weft_datagram_recvfrom(weft_datagram *handle, void *data, size_t size,
                               weft_address *ret_from)
{
    int r = 0;
    struct weft__task *task;
    struct weft__datagram *d = begin(handle, &task, &r);
    int fd = d ? d->fd : -1;
    bool keeps_errors = d && d->keeps_errors, was_vain = false;

    if (d && !data && size > 0) {
        return -EINVAL;
    }
    while (d && r == 0) {
        weft_address from = { .length = sizeof from.storage };
        ssize_t n = WEFT__SYS(weft__sys_recvfrom(fd, data, size, ret_from ? &from.sockaddr : NULL,
                                                 ret_from ? &from.length : NULL));

        if (n >= 0) {
            if (ret_from) {
                weft__datagram_set_family(&from);
                *ret_from = from;
            }
            weft__task_spend_turn(task);
            return n;
        }
        r = again(task, fd, keeps_errors, &was_vain);
    }
    return r;
}

ssize_t weft_datagram_sendto(weft_datagram *handle, const void *data, size_t size,
                             const weft_address *to)
{
    int r = 0;
    struct weft__task *task;
    struct weft__datagram *d = begin(handle, &task, &r);
    int fd = d ? d->fd : -1;
    const struct sockaddr *address = to ? &to->sockaddr : NULL;
    bool was_full = false;

    if (d && !data && size > 0) {
        return -EINVAL;
    }
    while (d && r == 0) {
        ssize_t n = WEFT__SYS(weft__sys_sendto(fd, data, size, WEFT__NOSIGNAL, address,
                                               to ? to->length : 0));

        if (n >= 0) {
            weft__task_spend_turn(task);
            return n;
        }
        r = weft__io_again_to(task, fd, WEFT_WRITABLE | WEFT__FD_OWNED, address, &was_full);
    }
    return r;
}

ssize_t weft_datagram_recv(weft_datagram *socket, void *data, size_t size)
{
    return weft_datagram_recvfrom(socket, data, size, NULL);
}

ssize_t weft_datagram_send(weft_datagram *socket, const void *data, size_t size)
{
    return weft_datagram_sendto(socket, data, size, NULL);
}

/* ---- batches ---- */

/* What the system wants for a batch; `count` was cut to what there is room for. */
struct batch {
    struct weft__sys_message headers[WEFT_DATAGRAM_BATCH];
    struct iovec pieces[WEFT_DATAGRAM_BATCH];
};

static void prepare(struct batch *batch, const weft_datagram_item *items, int count,
                    bool to_receive)
{
    for (int i = 0; i < count; i++) {
        weft_address *address = items[i].address;

        batch->pieces[i] = (struct iovec){ items[i].data, items[i].size };
        batch->headers[i] = (struct weft__sys_message){
            .msg_hdr = { .msg_iov = &batch->pieces[i], .msg_iovlen = 1 }
        };
        if (address) {
            batch->headers[i].msg_hdr.msg_name = &address->sockaddr;
            batch->headers[i].msg_hdr.msg_namelen =
                to_receive ? sizeof address->storage : address->length;
        }
    }
}

static int check_batch(const weft_datagram_item *items, int count)
{
    if (!items || count < 1) {
        return -EINVAL;
    }
    count = count < WEFT_DATAGRAM_BATCH ? count : WEFT_DATAGRAM_BATCH;
    for (int i = 0; i < count; i++) {
        if (!items[i].data && items[i].size > 0) {
            return -EINVAL;
        }
    }
    return count;
}

static void store(const struct batch *batch, weft_datagram_item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i].length = batch->headers[i].msg_len;
        if (items[i].address) {
            items[i].address->length = batch->headers[i].msg_hdr.msg_namelen;
            items[i].address->protocol = 0;
            weft__datagram_set_family(items[i].address);
        }
    }
}

/* One batch: how many, or what ends the call. */
static int receive_batch(struct weft__task *task, const struct weft__datagram *d,
                         struct batch *batch, int count)
{
    int r = 0, fd = d->fd;
    bool keeps_errors = d->keeps_errors, was_vain = false;

    while (r == 0) {
        int n = WEFT__SYS(weft__sys_recv_many(fd, batch->headers, count, MSG_TRUNC));

        if (n >= 0) {
            return n;
        }
        r = again(task, fd, keeps_errors, &was_vain);
    }
    return r;
}

static int send_batch(struct weft__task *task, int fd, struct batch *batch, int count)
{
    const struct sockaddr *to = batch->headers[0].msg_hdr.msg_name;
    bool was_full = false;
    int r = 0;

    while (r == 0) {
        int n = WEFT__SYS(weft__sys_send_many(fd, batch->headers, count));

        if (n >= 0) {
            return n;
        }
        r = weft__io_again_to(task, fd, WEFT_WRITABLE | WEFT__FD_OWNED, to, &was_full);
    }
    return r;
}

/* A batch in one direction; what comes is stored in `to`. */
static int exchange(weft_datagram *handle, const weft_datagram_item *items, int count,
                    weft_datagram_item *to)
{
    int r = 0;
    struct weft__task *task;
    struct weft__datagram *d = begin(handle, &task, &r);
    struct batch batch;

    if (!d) {
        return r;
    }
    count = check_batch(items, count);
    if (count < 0) {
        return count;
    }
    prepare(&batch, items, count, to != NULL);
    r = to ? receive_batch(task, d, &batch, count) : send_batch(task, d->fd, &batch, count);
    if (r > 0) {
        if (to) {
            store(&batch, to, r);
        }
        weft__task_spend_turn(task);
    }
    return r;
}

int weft_datagram_recvmany(weft_datagram *handle, weft_datagram_item *items, int count)
{
    return exchange(handle, items, count, items); /* without items nothing is tried */
}

int weft_datagram_sendmany(weft_datagram *handle, const weft_datagram_item *items, int count)
{
    return exchange(handle, items, count, NULL);
}

/* ---- errors ---- */

#if defined(IP_RECVERR) && defined(MSG_ERRQUEUE)

static void read_report(const struct cmsghdr *control, weft_datagram_error_info *info)
{
    struct sock_extended_err report;
    const char *by = (const char *)CMSG_DATA(control) + sizeof report;

    memcpy(&report, CMSG_DATA(control), sizeof report);
    info->error = -(int)report.ee_errno;
    info->mtu = report.ee_errno == EMSGSIZE ? report.ee_info : 0;
    if (report.ee_origin == SO_EE_ORIGIN_ICMP) {
        info->by.length = sizeof(struct sockaddr_in);
    } else if (report.ee_origin == SO_EE_ORIGIN_ICMP6) {
        info->by.length = sizeof(struct sockaddr_in6);
    }
    if (info->by.length) {
        memcpy(info->by.bytes, by, info->by.length);
        weft__datagram_set_family(&info->by);
    }
}

int weft__datagram_take_error(int fd, weft_datagram_error_info *ret_error)
{
    weft_datagram_error_info info = { .error = 0 };
    char control[512], byte;
    struct iovec some = { &byte, 1 }; /* without room for data qemu-user says 0, and does nothing */
    struct msghdr message = { .msg_name = &info.to.sockaddr,
                              .msg_namelen = sizeof info.to.storage,
                              .msg_iov = &some,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof control };

    if (WEFT__SYS(recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT)) < 0) {
        return -errno;
    }
    info.to.length = message.msg_namelen;
    weft__datagram_set_family(&info.to);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            read_report(c, &info);
        }
    }
    *ret_error = info;
    return 0;
}

#else

int weft__datagram_take_error(int fd, weft_datagram_error_info *ret_error)
{
    (void)fd, (void)ret_error;
    return -EOPNOTSUPP;
}

#endif

int weft_datagram_error(weft_datagram *handle, weft_datagram_error_info *ret_error)
{
    int r = 0;
    const struct weft__datagram *d = weft__datagram_of(handle, &r);

    if (!d || !ret_error) {
        return d ? -EINVAL : r;
    }
    return d->family == AF_INET || d->family == AF_INET6 ?
               weft__datagram_take_error(d->fd, ret_error) :
               -EAGAIN;
}
