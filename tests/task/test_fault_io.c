/* SPDX-License-Identifier: MIT
 * Descriptors, while each allocation and system call fails once. */
#include "tests/task/fault.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
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
EACH_FAULT_WHILE_IT(fills_a_buffer)

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_reads_and_writes),
    TEST(each_fault_while_it_connects),
    TEST(each_fault_while_it_selects),
    TEST(each_fault_while_it_fills_a_buffer),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_io, tests)
