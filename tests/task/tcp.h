/* SPDX-License-Identifier: MIT
 * A TCP connection within the program, with small buffers, so that writes have to wait. */
#ifndef TESTS_TASK_TCP_H
#define TESTS_TASK_TCP_H

#include "tests/task/net.h"

#include <netinet/in.h>
#include <sys/socket.h>

static inline void small_buffers(int fd)
{
    int size = 32768;

    EQUAL(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    EQUAL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/* A socket that listens, and where. */
static inline int listen_tcp(struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = weft_socket(AF_INET, SOCK_STREAM, 0);

    small_buffers(listener); /* which the accepted one inherits */
    EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    EQUAL(listen(listener, 1), 0);
    EQUAL(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    *ret_address = address;
    return listener;
}

static inline void open_tcp(int fds[2])
{
    struct sockaddr_in address;
    int listener = listen_tcp(&address);

    fds[0] = weft_socket(AF_INET, SOCK_STREAM, 0);
    small_buffers(fds[0]);
    EQUAL(weft_connect(fds[0], (struct sockaddr *)&address, sizeof address), 0);
    fds[1] = weft_accept(listener, NULL, NULL);
    weft_close(listener);
}

#endif
