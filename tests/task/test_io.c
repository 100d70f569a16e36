/* SPDX-License-Identifier: MIT
 * Descriptors: tried first, waited for by any number of tasks, closed under them. */
#include "core/base/mem.h"
#include "tests/task/net.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int pair[2];

static void open_pair(void)
{
    EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(void)
{
    weft_close(pair[0]);
    weft_close(pair[1]);
}

#define WITH_PAIR(name)             \
    static void name##__pair(void); \
    ON_REAL(name)                   \
    {                               \
        open_pair();                \
        name##__pair();             \
        close_pair();               \
    }                               \
    static void name##__pair(void)

WEFT_ASYNC(reads, (int, fd), (int, size))
{
    char bytes[64];

    return (int)weft_read(fd, bytes, (size_t)size);
}

static void put(void *text)
{
    EQUAL(write(pair[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void put_later(const char *text)
{
    EQUAL(weft_loop_call_later(NULL, 0.0005, put, (void *)(uintptr_t)text, NULL), 0);
}

WITH_PAIR(what_is_there_is_read_at_once)
{
    put((void *)"abc");
    EQUAL(weft_await(reads(pair[0], 2)), 2);
    EQUAL(weft_await(reads(pair[0], 2)), 1);
}

WITH_PAIR(what_comes_later_is_waited_for)
{
    for (int i = 0; i < 5; i++) {
        put_later("abc");
        EQUAL(weft_await(reads(pair[0], 64)), 3);
    }
    weft_close(pair[1]);
    EQUAL(weft_await(reads(pair[0], 64)), 0);
    EQUAL(weft_await(reads(pair[0], 64)), 0);
    pair[1] = dup(pair[0]);
}

WITH_PAIR(several_tasks_wait_for_one_descriptor)
{
    weft_task *tasks[4];

    for (int i = 0; i < 4; i++) {
        tasks[i] = weft_create_task(reads(pair[0], 1), NULL);
    }
    give_way(2);
    put((void *)"ab");
    weft_sleep(0.001);
    put((void *)"cd");
    for (int i = 0; i < 4; i++) {
        EQUAL(weft_await(tasks[i]), 1);
    }
}

WEFT_ASYNC(writes, (int, fd), (size_t, size))
{
    char *block = calloc(1, size);
    size_t sent = 0;
    int r = weft_sendall(fd, block, size, 0, &sent);

    free(block);
    return r < 0 ? r : (int)sent;
}

static int drain(int fd, size_t size)
{
    char block[65536];
    size_t got = 0;

    while (got < size) {
        ssize_t n = weft_recv(fd, block, sizeof block, 0);

        if (n <= 0) {
            return (int)n;
        }
        got += (size_t)n;
    }
    return (int)got;
}

WITH_PAIR(both_directions_are_waited_for_at_once)
{
    weft_task *reader = weft_create_task(reads(pair[0], 64), NULL);
    weft_task *writer = weft_create_task(writes(pair[0], 3000000), NULL);

    give_way(2);
    CHECK(!weft_task_done(writer));
    EQUAL(drain(pair[1], 3000000), 3000000);
    EQUAL(weft_await(writer), 3000000);
    CHECK(!weft_task_done(reader));
    put((void *)"abc");
    EQUAL(weft_await(reader), 3);
}

WITH_PAIR(a_callback_and_a_task_have_the_same_descriptor)
{
    int calls = 0;
    weft_task *task = weft_create_task(reads(pair[0], 64), NULL);

    give_way(1);
    EQUAL(weft_loop_add_reader(NULL, pair[0], count_up, &calls), 0);
    put((void *)"a");
    EQUAL(weft_await(task), 1);
    CHECK(calls > 0);
    task = weft_create_task(reads(pair[0], 64), NULL);
    give_way(1);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    put((void *)"b");
    EQUAL(weft_await(task), 1);
}

WITH_PAIR(a_state_is_waited_for_without_trying)
{
    put((void *)"abc");
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_wait_readable(pair[0]), 0);
        EQUAL(weft_wait_writable(pair[0]), 0);
    }
    EQUAL(weft_await(reads(pair[0], 64)), 3);
    put_later("d");
    EQUAL(weft_wait_readable(pair[0]), 0);
    EQUAL(weft_await(reads(pair[0], 64)), 1);
}

/* Closed. */

WITH_PAIR(closing_wakes_all_who_wait)
{
    weft_task *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(reads(pair[0], 64), NULL);
    }
    give_way(2);
    EQUAL(weft_close(pair[0]), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_await(tasks[i]), -EBADF);
    }
    pair[0] = dup(pair[1]);
}

/* Readable, and closed before the reader has its turn, with another file at its number. */
static void close_first(void *unused)
{
    int fds[2];

    (void)unused;
    EQUAL(weft_close(pair[0]), 0);
    EQUAL(weft_pipe(fds), 0);
    EQUAL(fds[0], pair[0]);
    EQUAL(write(fds[1], "x", 1), 1);
    pair[1] = dup2(fds[1], pair[1]);
    weft_close(fds[1]);
}

WITH_PAIR(one_that_was_woken_does_not_touch_the_file_that_has_the_number_now)
{
    weft_task *task;

    EQUAL(weft_loop_add_reader(NULL, pair[0], close_first, NULL), 0);
    task = weft_create_task(reads(pair[0], 64), NULL);
    give_way(1);
    put((void *)"old");
    EQUAL(weft_await(task), -EBADF);
    EQUAL(weft_await(reads(pair[0], 64)), 1);
}

ON_REAL(a_number_that_is_used_again_after_close_is_another_file)
{
    for (int i = 0; i < 3; i++) {
        int fds[2];

        EQUAL(pipe2(fds, O_NONBLOCK), 0); /* and closed without telling weft */
        pair[1] = fds[1];
        put_later("ab");
        EQUAL(weft_await(reads(fds[0], 64)), 2);
        weft_sleep(0.0001);
        close(fds[0]);
        close(fds[1]);
    }
}

WITH_PAIR(a_duplicate_that_lives_on_makes_nobody_spin)
{
    int other, turns = 0;
    weft_task *task = weft_create_task(reads(pair[0], 64), NULL);

    give_way(1);
    other = dup(pair[0]);
    EQUAL(weft_close(pair[0]), 0);
    EQUAL(weft_await(task), -EBADF);
    put((void *)"x");
    EQUAL(weft_loop_call_later(NULL, 0.001, count_up, &turns, NULL), 0);
    weft_sleep(0.002);
    EQUAL(turns, 1);
    EQUAL(weft_await(reads(other, 64)), 1);
    pair[0] = other;
}

ON_REAL(what_is_not_open_is_an_error)
{
    char c;
    int fd = dup(0);

    close(fd);
    EQUAL(weft_read(fd, &c, 1), -EBADF);
    EQUAL(weft_read(-1, &c, 1), -EBADF);
    EQUAL(weft_write(-1, &c, 1), -EBADF);
    EQUAL(weft_wait_readable(-1), -EBADF);
    EQUAL(weft_wait_readable(fd), -EBADF);
    EQUAL(weft_close(fd), -EBADF);
    EQUAL(weft_close(-1), -EBADF);
    EQUAL(weft_recv(0, &c, 1, MSG_DONTWAIT) < 0, 1);
    EQUAL(weft_set_nonblocking(fd), -EBADF);
}

ON_REAL(a_regular_file_is_never_waited_for)
{
    FILE *file = tmpfile();
    char text[8] = "";

    EQUAL(weft_write(fileno(file), "abc", 3), 3);
    EQUAL(lseek(fileno(file), 0, SEEK_SET), 0);
    EQUAL(weft_wait_readable(fileno(file)), 0);
    EQUAL(weft_read(fileno(file), text, sizeof text), 3);
    SAME(text, "abc");
    EQUAL(weft_read(fileno(file), text, sizeof text), 0);
    fclose(file);
}

/* Cancelled. */

WITH_PAIR(a_cancelled_read_has_read_nothing)
{
    weft_task *task = weft_create_task(reads(pair[0], 64), NULL);

    give_way(1);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    put((void *)"abc");
    EQUAL(weft_await(reads(pair[0], 64)), 3);
}

WITH_PAIR(a_read_that_was_woken_keeps_what_it_read)
{
    weft_task *task = weft_create_task(reads(pair[0], 64), NULL);
    weft_task *early = weft_create_task(reads(pair[0], 64), NULL);

    weft_task_cancel(early); /* before its first turn */
    give_way(2);
    EQUAL(weft_await(early), -ECANCELED);
    put((void *)"abc");
    for (int i = 0; i < 100 && !weft_task_done(task); i++) {
        weft_sleep(0.0001);
    }
    EQUAL(weft_task_cancel(task), -ESRCH);
    EQUAL(weft_await(task), 3);
}

static size_t went_out;

WEFT_ASYNC(sends_much)
{
    static char block[5000000];

    went_out = 0;
    return weft_sendall(pair[0], block, sizeof block, 0, &went_out);
}

WITH_PAIR(a_cancelled_sendall_tells_how_far_it_came)
{
    weft_task *task = weft_create_task(sends_much(), NULL);

    give_way(3);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    CHECK(went_out > 0 && went_out < 5000000);
    EQUAL(weft_close(pair[0]), 0);
    EQUAL(drain(pair[1], went_out), went_out);
    EQUAL(weft_await(reads(pair[1], 64)), 0);
    pair[0] = dup(pair[1]);
}

/* Fairness. */

WEFT_ASYNC(reads_for_ever, (int *, count))
{
    char c;
    ssize_t n;

    while ((n = weft_read(pair[0], &c, 1)) == 1) {
        ++*count;
        put((void *)"x"); /* there is always something */
    }
    return (int)n;
}

WITH_PAIR(who_never_has_to_wait_gives_way)
{
    int count = 0;
    weft_task *task = weft_create_task(reads_for_ever(&count), NULL);

    put((void *)"x");
    for (int i = 0; i < 10; i++) {
        weft_sleep(0);
    }
    CHECK(count > 0 && count < 10000);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
}

/* Signals. */

WITH_PAIR(writing_to_nobody_raises_no_signal)
{
    int fds[2];
    off_t offset = 0;
    FILE *file = tmpfile();
    struct iovec part = { .iov_base = (void *)"x", .iov_len = 1 };

    EQUAL(weft_pipe(fds), 0);
    EQUAL(weft_close(fds[0]), 0);
    EQUAL(weft_write(fds[1], "x", 1), -EPIPE);
    EQUAL(weft_writev(fds[1], &part, 1), -EPIPE);
    fputs("text", file);
    fflush(file);
    EQUAL(weft_sendfile(fds[1], fileno(file), &offset, 4), -EPIPE);
    EQUAL(offset, 0);
    fclose(file);
    weft_close(fds[1]);
    weft_close(pair[1]);
    EQUAL(weft_write(pair[0], "x", 1), -EPIPE);
    EQUAL(weft_send(pair[0], "x", 1, 0), -EPIPE);
    EQUAL(weft_sendmsg(pair[0], &(struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 }, 0), -EPIPE);
    pair[1] = dup(pair[0]);
}

WITH_PAIR(a_message_that_cannot_be_read_is_refused)
{
    const struct msghdr *volatile nothing = NULL;

    EQUAL(weft_sendmsg(pair[0], nothing, 0), -EFAULT);
    EQUAL(weft_sendmsg(pair[0], nothing, MSG_DONTWAIT), -EFAULT);
}

WITH_PAIR(a_signal_that_the_program_holds_back_stays_pending)
{
    sigset_t pipe_only, before, pending;
    int fds[2];

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    EQUAL(weft_pipe(fds), 0);
    weft_close(fds[0]);
    EQUAL(weft_write(fds[1], "x", 1), -EPIPE);
    sigpending(&pending);
    EQUAL(sigismember(&pending, SIGPIPE), 0);
    raise(SIGPIPE);
    EQUAL(weft_write(fds[1], "x", 1), -EPIPE);
    sigpending(&pending);
    EQUAL(sigismember(&pending, SIGPIPE), 1);
    EQUAL(sigwaitinfo(&pipe_only, NULL), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    weft_close(fds[1]);
}

/* Sockets. */

static int listen_on(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = weft_socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    EQUAL(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    EQUAL(listen(fd, 8), 0);
    EQUAL(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

WEFT_ASYNC(accepts, (int, fd))
{
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    int r = weft_accept(fd, (struct sockaddr *)&from, &length);

    if (r >= 0) {
        EQUAL(length, sizeof from);
        EQUAL(from.sin_family, AF_INET);
        CHECK(fcntl(r, F_GETFL) & O_NONBLOCK);
        CHECK(fcntl(r, F_GETFD) & FD_CLOEXEC);
    }
    return r;
}

ON_REAL(a_connection_is_made_and_accepted)
{
    struct sockaddr_in address;
    int listener = listen_on(&address);
    int client = weft_socket(AF_INET, SOCK_STREAM, 0);
    weft_task *task = weft_create_task(accepts(listener), NULL);
    char text[8];

    give_way(1);
    EQUAL(weft_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    pair[1] = weft_await(task);
    CHECK(pair[1] >= 0);
    put_later("hello");
    EQUAL(weft_recv(client, text, sizeof text, 0), 5);
    EQUAL(weft_connect(client, (struct sockaddr *)&address, sizeof address), 0); /* it is */
    weft_close(client);
    weft_close(pair[1]);

    weft_close(listener);
    client = weft_socket(AF_INET, SOCK_STREAM, 0);
    EQUAL(weft_connect(client, (struct sockaddr *)&address, sizeof address), -ECONNREFUSED);
    weft_close(client);
}

ON_REAL(a_unix_socket_with_a_full_backlog_is_waited_for)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
    int listener = weft_socket(AF_UNIX, SOCK_STREAM, 0), clients[3];

    snprintf(address.sun_path + 1, 20, "w%04x", getpid() & 0xffff);
    EQUAL(bind(listener, (struct sockaddr *)&address, length), 0);
    EQUAL(listen(listener, 0), 0);
    for (int i = 0; i < 3; i++) {
        clients[i] = weft_socket(AF_UNIX, SOCK_STREAM, 0);
        if (i == 0) {
            EQUAL(weft_connect(clients[i], (struct sockaddr *)&address, length), 0);
        } else {
            weft_timeout timeout;

            EQUAL(weft_timeout_enter(&timeout, 0.01), 0);
            EQUAL(weft_timeout_exit(&timeout, weft_connect(clients[i], (struct sockaddr *)&address,
                                                           length)),
                  -ETIMEDOUT);
        }
    }
    for (int i = 0; i < 3; i++) {
        weft_close(clients[i]);
    }
    weft_close(listener);
}

/* Connects, or sends a datagram, to a Unix socket whose queue is full. */
WEFT_ASYNC(goes_to_a_full_one, (int, fd), (const struct sockaddr_un *, to), (int, is_stream))
{
    const struct sockaddr *address = (const struct sockaddr *)to;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
    ssize_t n = 0;

    if (is_stream) {
        return weft_connect(fd, address, length);
    }
    while (n >= 0) {
        n = weft_sendto(fd, "x", 1, 0, address, length);
    }
    return (int)n;
}

/* Nothing tells when it has room, so the task looks again and again, but not at another socket. */
ON_REAL(who_waits_for_a_full_unix_socket_learns_of_a_close)
{
    for (int is_stream = 0; is_stream < 2; is_stream++) {
        int type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
        int full = weft_socket(AF_UNIX, type, 0), first = weft_socket(AF_UNIX, type, 0);
        int fd = weft_socket(AF_UNIX, type, 0), other;
        weft_task *task;

        snprintf(address.sun_path + 1, 20, "w%04x", getpid() & 0xffff);
        EQUAL(bind(full, (struct sockaddr *)&address, length), 0);
        if (is_stream) {
            EQUAL(listen(full, 0), 0);
            EQUAL(weft_connect(first, (struct sockaddr *)&address, length), 0);
        }
        task = weft_create_task(goes_to_a_full_one(fd, &address, is_stream), NULL);
        weft_sleep(0.01);
        CHECK(!weft_task_done(task));
        EQUAL(weft_close(fd), 0);
        other = weft_socket(AF_UNIX, type, 0);
        EQUAL(other, fd);
        EQUAL(weft_await(task), -EBADF);
        weft_close(full);
        weft_close(first);
        weft_close(other);
    }
}

ON_REAL(only_a_unix_socket_waits_for_room_to_connect)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 6);
    struct sockaddr_in address;
    int listener = listen_on(&address), client = weft_socket(AF_INET, SOCK_STREAM, 0);

    weft__fault_arm(0, -EAGAIN);
    EQUAL(weft_connect(client, (struct sockaddr *)&address, sizeof address), -EAGAIN);
    EQUAL(weft_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    weft_close(client);
    weft_close(listener);

    listener = weft_socket(AF_UNIX, SOCK_STREAM, 0);
    client = weft_socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(local.sun_path + 1, 20, "e%04x", getpid() & 0xffff);
    EQUAL(bind(listener, (struct sockaddr *)&local, length), 0);
    EQUAL(listen(listener, 1), 0);
    weft__fault_arm(0, -EAGAIN);
    EQUAL(weft_connect(client, (struct sockaddr *)&local, length), 0);
    EQUAL(weft__fault_arm(-1, 0), -1); /* it has come */
    weft_close(client);
    weft_close(listener);
}

ON_REAL(a_file_is_sent)
{
    FILE *file = tmpfile();
    off_t offset = 2;
    char text[16] = "";

    open_pair();
    fputs("0123456789", file);
    fflush(file);
    EQUAL(weft_sendfile(pair[1], fileno(file), &offset, 100), 8);
    EQUAL(offset, 10);
    EQUAL(weft_sendfile(pair[1], fileno(file), &offset, 100), 0);
    EQUAL(weft_recv(pair[0], text, sizeof text, 0), 8);
    SAME(text, "23456789");
    fclose(file);
    close_pair();
}

ON_REAL(datagrams_come_with_their_sender)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
    socklen_t length = sizeof address;
    int fd = weft_socket(AF_INET, SOCK_DGRAM, 0);
    char text[8];

    EQUAL(bind(fd, (struct sockaddr *)&address, length), 0);
    EQUAL(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    EQUAL(weft_recv(fd, text, sizeof text, MSG_DONTWAIT), -EAGAIN);
    EQUAL(weft_sendto(fd, "abc", 3, 0, (struct sockaddr *)&address, length), 3);
    length = sizeof from;
    EQUAL(weft_recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &length), 3);
    EQUAL(from.sin_port, address.sin_port);
    EQUAL(weft_connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    EQUAL(weft_send(fd, "", 0, 0), 0);
    EQUAL(weft_recv(fd, text, sizeof text, 0), 0);
    weft_close(fd);
}

/* Misused. */

ALONE(outside_a_task_nothing_waits)
{
    char c;
    int fds[2];

    EQUAL(weft_pipe(fds), 0);
    EQUAL(weft_read(fds[0], &c, 1), -EPERM);
    EQUAL(weft_write(fds[1], "x", 1), -EPERM);
    EQUAL(weft_wait_readable(fds[0]), -EPERM);
    EQUAL(weft_connect(fds[0], NULL, 0), -EPERM);
    EQUAL(weft_close(fds[0]), 0);
    EQUAL(weft_close(fds[1]), 0);
}

IN_TASK(virtual_time_has_no_descriptors)
{
    int fds[2];
    char c;

    if (!has_descriptors()) {
        EQUAL(weft_pipe(fds), 0);
        EQUAL(weft_write(fds[1], "x", 1), 1); /* without waiting it can be done */
        EQUAL(weft_read(fds[0], &c, 1), 1);
        EQUAL(weft_read(fds[0], &c, 1), -EOPNOTSUPP);
        EQUAL(weft_close(fds[0]), 0);
        EQUAL(weft_close(fds[1]), 0);
    }
}

static void *pair_in_a_thread(void *unused)
{
    (void)unused;
    EQUAL(weft_close(pair[0]), 0); /* another thread's descriptors are only closed */
    return NULL;
}

WITH_PAIR(a_thread_may_close_what_nobody_waits_for)
{
    in_thread(pair_in_a_thread, NULL);
    pair[0] = dup(pair[1]);
}

static CU_TestInfo tests[] = {
    TEST(what_is_there_is_read_at_once),
    TEST(what_comes_later_is_waited_for),
    TEST(several_tasks_wait_for_one_descriptor),
    TEST(both_directions_are_waited_for_at_once),
    TEST(a_callback_and_a_task_have_the_same_descriptor),
    TEST(a_state_is_waited_for_without_trying),
    TEST(closing_wakes_all_who_wait),
    TEST(one_that_was_woken_does_not_touch_the_file_that_has_the_number_now),
    TEST(a_number_that_is_used_again_after_close_is_another_file),
    TEST(a_duplicate_that_lives_on_makes_nobody_spin),
    TEST(what_is_not_open_is_an_error),
    TEST(a_regular_file_is_never_waited_for),
    TEST(a_cancelled_read_has_read_nothing),
    TEST(a_read_that_was_woken_keeps_what_it_read),
    TEST(a_cancelled_sendall_tells_how_far_it_came),
    TEST(who_never_has_to_wait_gives_way),
    TEST(writing_to_nobody_raises_no_signal),
    TEST(a_message_that_cannot_be_read_is_refused),
    TEST(a_signal_that_the_program_holds_back_stays_pending),
    TEST(a_connection_is_made_and_accepted),
    TEST(a_unix_socket_with_a_full_backlog_is_waited_for),
    TEST(who_waits_for_a_full_unix_socket_learns_of_a_close),
    TEST(only_a_unix_socket_waits_for_room_to_connect),
    TEST(a_file_is_sent),
    TEST(datagrams_come_with_their_sender),
    TEST(outside_a_task_nothing_waits),
    TEST(virtual_time_has_no_descriptors),
    TEST(a_thread_may_close_what_nobody_waits_for),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(io, tests)
