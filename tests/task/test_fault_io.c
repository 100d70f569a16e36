/* SPDX-License-Identifier: MIT
 * Descriptors, while each allocation and system call fails once. */
#include "tests/task/fault.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

WEFT_ASYNC(sends, (int, fd))
{
    tried(weft_sleep(0.0001));
    tried((int)weft_write(fd, "x", 1));
    return weft_close(fd);
}

WEFT_ASYNC(uses_a_pair)
{
    int fds[2];
    char c;

    if (tried(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) < 0) {
        return 0;
    }
    if (tried(weft_task_detach(weft_create_task(sends(fds[1]), NULL))) < 0) {
        EQUAL(weft_close(fds[1]), 0);
    }
    tried(weft_wait_readable(fds[0]));
    tried((int)weft_read(fds[0], &c, 1));
    tried((int)weft_read(fds[0], &c, 1));
    tried(weft_sleep(0.001));
    EQUAL(weft_close(fds[0]), 0);
    return 0;
}

static int reads_and_writes(void)
{
    return is_virtual() ? 0 : run_in_loop(uses_a_pair());
}

WEFT_ASYNC(uses_a_connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = tried(weft_socket(AF_INET, SOCK_STREAM, 0));
    int client = tried(weft_socket(AF_INET, SOCK_STREAM, 0));

    if (listener >= 0 && client >= 0) {
        EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
        EQUAL(listen(listener, 4), 0);
        EQUAL(getsockname(listener, (struct sockaddr *)&address, &length), 0);
        if (tried(weft_connect(client, (struct sockaddr *)&address, sizeof address)) == 0) {
            int fd = tried(weft_accept(listener, NULL, NULL));

            if (fd >= 0) {
                EQUAL(weft_close(fd), 0);
            }
        }
    }
    if (listener >= 0) {
        EQUAL(weft_close(listener), 0);
    }
    if (client >= 0) {
        EQUAL(weft_close(client), 0);
    }
    return 0;
}

static int connects(void)
{
    return is_virtual() ? 0 : run_in_loop(uses_a_connection());
}

WEFT_ASYNC(uses_pipes)
{
    int fds[2];

    if (tried(weft_pipe(fds)) == 0) {
        tried(weft_set_nonblocking(fds[0]));
        tried((int)weft_write(fds[1], "x", 1));
        tried(weft_select(NULL, 1, WEFT_ON_READABLE(fds[0])));
        EQUAL(weft_close(fds[0]), 0);
        EQUAL(weft_close(fds[1]), 0);
    }
    return 0;
}

static int selects(void)
{
    return is_virtual() ? 0 : run_in_loop(uses_pipes());
}

/* To somebody who is slow, and to Unix sockets whose queues are full. */

WEFT_ASYNC(takes_slowly, (int, fd))
{
    char room[600];

    do {
        weft_sleep(0.0001);
    } while (tried((int)weft_read(fd, room, sizeof room)) > 0);
    return weft_close(fd);
}

/* Whoever took may have gone, because of the fault. */
static int sent_to_who_may_be_gone(int r)
{
    return r == -EPIPE || r == -ECONNRESET ? r : tried(r);
}

WEFT_ASYNC(sends_much)
{
    static char block[3000];
    int fds[2], size = 1, file;
    weft_task *taker;
    off_t offset = 0;

    if (tried(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) < 0) {
        return 0;
    }
    EQUAL(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    taker = weft_create_task(takes_slowly(fds[1]), NULL);
    if (weft_task_done(taker)) { /* it will not begin */
        EQUAL(weft_close(fds[1]), 0);
    }
    sent_to_who_may_be_gone(weft_sendall(fds[0], block, sizeof block, 0, NULL));
    file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    EQUAL(write(file, block, sizeof block), sizeof block);
    sent_to_who_may_be_gone((int)weft_sendfile(fds[0], file, &offset, sizeof block));
    close(file);
    EQUAL(weft_close(fds[0]), 0);
    tried(weft_await(taker));
    return 0;
}

static int sends_bytes(void)
{
    return is_virtual() ? 0 : run_in_loop(sends_much());
}

static struct sockaddr_un full;
static socklen_t full_length;

static int open_full(int type)
{
    int fd = weft_socket(AF_UNIX, type, 0);

    if (fd >= 0) {
        full = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(full.sun_path + 1, 30, "weft-full-%d", (int)getpid());
        full_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                  strlen(full.sun_path + 1));
        EQUAL(bind(fd, (struct sockaddr *)&full, full_length), 0);
        EQUAL(type == SOCK_STREAM ? listen(fd, 0) : 0, 0);
    }
    return tried(fd);
}

WEFT_ASYNC(empties, (int, fd))
{
    char room[8];

    weft_sleep(0.002);
    close(accept(fd, NULL, NULL));
    while (recv(fd, room, sizeof room, MSG_DONTWAIT) > 0) {
    }
    return 0;
}

WEFT_ASYNC(goes_to_the_full)
{
    const struct sockaddr *to = (struct sockaddr *)&full;

    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = open_full(type), a = tried(weft_socket(AF_UNIX, type, 0));
        int b = tried(weft_socket(AF_UNIX, type, 0));
        weft_timeout limit;

        if (fd >= 0 && a >= 0 && b >= 0) {
            weft_task *task = weft_create_task(empties(fd), NULL);

            if (tried(weft_timeout_enter(&limit, 0.01)) == 0) {
                int r = tried(type == SOCK_STREAM ? weft_connect(a, to, full_length) : 0);

                if (type == SOCK_STREAM) {
                    r = r < 0 ? r : weft_connect(b, to, full_length);
                }
                for (int i = 0; i < 14 && type == SOCK_DGRAM && r >= 0; i++) {
                    r = (int)weft_sendto(a, "x", 1, 0, to, full_length);
                }
                r = weft_timeout_exit(&limit, r);
                if (r != -ETIMEDOUT) { /* nobody has made room, because of the fault */
                    tried(r);
                }
            }
            tried(weft_await(task));
        }
        weft_close(fd);
        weft_close(a);
        weft_close(b);
    }
    return 0;
}

static int waits_for_the_full(void)
{
    return is_virtual() ? 0 : run_in_loop(goes_to_the_full());
}

static int fills_a_buffer(void)
{
    weft_buffer buffer = { 0 };

    for (int i = 0; i < 200; i++) {
        size_t before = buffer.len;

        if (tried(weft_buffer_append(&buffer, "0123456789", 10)) < 0) {
            EQUAL(buffer.len, before);
        }
    }
    weft_buffer_clear(&buffer);
    return 0;
}

EACH_FAULT_WHILE_IT(reads_and_writes)
EACH_FAULT_WHILE_IT(connects)
EACH_FAULT_WHILE_IT(selects)
EACH_FAULT_WHILE_IT(sends_bytes)
EACH_FAULT_WHILE_IT(waits_for_the_full)
EACH_FAULT_WHILE_IT(fills_a_buffer)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_reads_and_writes),
    TEST(each_fault_while_it_connects),
    TEST(each_fault_while_it_selects),
    TEST(each_fault_while_it_sends_bytes),
    TEST(each_fault_while_it_waits_for_the_full),
    TEST(each_fault_while_it_fills_a_buffer),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_io, tests)
