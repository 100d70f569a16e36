/* SPDX-License-Identifier: MIT
 * Descriptors, in pieces: readv(2), writev(2), recvmsg(2), sendmsg(2). */
#include "tests/task/net.h"

#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int pair[2];

static void put(void *text)
{
    EQUAL(write(pair[1], text, strlen(text)), (ssize_t)strlen(text));
}

ON_REAL(what_is_read_goes_to_its_pieces_in_their_order)
{
    char first[3] = "", second[8] = "";
    struct iovec parts[] = { { first, 2 }, { second, 7 } };

    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EQUAL(weft_loop_call_later(NULL, 0.0005, put, (void *)"abcde", NULL), 0);
    EQUAL(weft_readv(pair[0], parts, 2), 5);
    SAME(first, "ab");
    SAME(second, "cde");
    EQUAL(weft_writev(pair[0], parts, 2), 9);
    EQUAL(weft_readv(pair[1], parts, 2), 9);
    EQUAL(weft_readv(pair[0], parts, -1), -EINVAL);
    EQUAL(weft_readv(pair[0], parts, IOV_MAX + 1), -EINVAL);
    EQUAL(weft_writev(pair[0], parts, -1), -EINVAL);
    EQUAL(weft_writev(pair[0], parts, IOV_MAX + 1), -EINVAL);
    EQUAL(weft_close(pair[1]), 0);
    EQUAL(weft_readv(pair[0], parts, 2), 0);
    EQUAL(weft_close(pair[0]), 0);
    EQUAL(weft_readv(pair[0], parts, 2), -EBADF);
}

WEFT_ASYNC(sends_a_descriptor, (int, fd))
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = "" };
    struct iovec part = { (void *)"fd", 2 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.room,
                              .msg_controllen = sizeof control.room };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    weft_sleep(0.0005);
    return (int)weft_sendmsg(pair[1], &message, 0);
}

ON_REAL(a_descriptor_goes_with_a_message)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char text[8] = "";
    struct iovec part = { text, 7 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.room,
                              .msg_controllen = sizeof control.room };
    int ends[2], got = -1;
    weft_task *sends;

    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EQUAL(weft_pipe(ends), 0);
    EQUAL(weft_recvmsg(pair[0], &message, MSG_DONTWAIT), -EAGAIN);
    message.msg_controllen = sizeof control.room;
    sends = weft_create_task(sends_a_descriptor(ends[1]), NULL);
    EQUAL(weft_recvmsg(pair[0], &message, 0), 2);
    SAME(text, "fd");
    EQUAL(weft_await(sends), 2);
    CHECK(CMSG_FIRSTHDR(&message) && CMSG_FIRSTHDR(&message)->cmsg_type == SCM_RIGHTS);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
    EQUAL(weft_write(got, "!", 1), 1);
    EQUAL(weft_read(ends[0], text, 1), 1);
    SAME(text, "!d");
    weft_close(got);
    weft_close(ends[0]);
    weft_close(ends[1]);
    weft_close(pair[0]);
    weft_close(pair[1]);
}

static CU_TestInfo tests[] = {
    TEST(what_is_read_goes_to_its_pieces_in_their_order),
    TEST(a_descriptor_goes_with_a_message),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(io_parts, tests)
