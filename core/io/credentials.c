/* SPDX-License-Identifier: MIT
 * Who is at the other end of a Unix socket: each system has a struct of its own. */
#include "core/io/credentials.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#if defined(__FreeBSD__) || defined(__APPLE__)
#include <sys/ucred.h>

static int64_t process_of(int fd, const struct xucred *peer)
{
#ifdef LOCAL_PEERPID /* macOS; FreeBSD's struct has it */
    pid_t pid = 0;

    (void)peer;
    return getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &(socklen_t){ sizeof pid }) < 0 ? 0 : pid;
#else
    (void)fd;
    return peer->cr_pid;
#endif
}

int weft__credentials_of(int fd, weft_credentials *ret_credentials)
{
    struct xucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &peer, &size) < 0) {
        return -errno;
    }
    if (peer.cr_version != XUCRED_VERSION || peer.cr_ngroups < 1) {
        return -EOPNOTSUPP;
    }
    *ret_credentials = (weft_credentials){ .pid = process_of(fd, &peer),
                                           .uid = (int64_t)peer.cr_uid,
                                           .gid = (int64_t)peer.cr_groups[0] };
    return 0;
}

#else

/* The option, its struct and the members: of Linux and OpenBSD, or NetBSD's. */
#if defined(__NetBSD__)
#define ASKED 0, LOCAL_PEEREID
#define PID unp_pid
#define UID unp_euid
#define GID unp_egid
typedef struct unpcbid credentials;
#else
#define ASKED SOL_SOCKET, SO_PEERCRED
#define PID pid
#define UID uid
#define GID gid
#ifdef __OpenBSD__
typedef struct sockpeercred credentials;
#else
typedef struct ucred credentials;
#endif
#endif

int weft__credentials_of(int fd, weft_credentials *ret_credentials)
{
    credentials peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, ASKED, &peer, &size) < 0) {
        return -errno;
    }
    *ret_credentials =
        (weft_credentials){ .pid = peer.PID, .uid = (int64_t)peer.UID, .gid = (int64_t)peer.GID };
    return 0;
}

#endif
