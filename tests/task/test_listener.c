/* SPDX-License-Identifier: MIT
 * Listeners: accepting, their clients, their end. */
#include "tests/task/transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FEW 5

static int connect_to(const weft_address *to)
{
    int fd = socket(to->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, &to->sockaddr, to->length) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int connect_to_listener(weft_listener *listener)
{
    weft_address at;

    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    return connect_to(&at);
}

static int connect_to_path(const char *path)
{
    weft_address at;

    EQUAL(weft_address_unix(path, &at), 0);
    return connect_to(&at);
}

/* A listener on 127.0.0.1 with `noting`, whose connections share `seen`. */
static weft_listener *listen_here(struct seen *seen, const weft_listener_options *options)
{
    weft_listener *listener = NULL;

    EQUAL(weft_loop_create_server(NULL, &noting, seen, "127.0.0.1", 0, options, &listener), 0);
    return listener;
}

WATCHED(each_connection_becomes_a_transport)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, NULL);
    weft_address peer, own;
    int fds[FEW];

    EQUAL(weft_listener_is_serving(listener), true);
    CHECK(weft_listener_port(listener) > 0);
    for (int i = 0; i < FEW; i++) {
        fds[i] = connect_to_listener(listener);
        CHECK(fds[i] >= 0);
        UNTIL(seen.made, i + 1);
        EQUAL(weft_listener_clients(listener), i + 1);
        EQUAL(weft_transport_peername(seen.transport, &peer), 0);
        own = (weft_address){ .family = AF_INET, .length = sizeof own.storage };
        EQUAL(getsockname(fds[i], &own.sockaddr, &own.length), 0);
        CHECK(weft_address_equal(&peer, &own));
    }
    for (int i = 0; i < FEW; i++) {
        EQUAL(write(fds[i], "x", 1), 1);
        close(fds[i]);
    }
    UNTIL(seen.lost, FEW);
    EQUAL(seen.count, FEW);
    EQUAL(weft_listener_clients(listener), 0);
    listener = weft_listener_free(listener);
    CHECK(listener == NULL);
}

WATCHED(a_closed_one_accepts_nobody_and_keeps_its_clients)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, NULL);
    weft_address at;
    int fd = connect_to_listener(listener);

    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    UNTIL(seen.made, 1);
    EQUAL(weft_listener_close(listener), 0);
    EQUAL(weft_listener_close(listener), 0);
    EQUAL(weft_listener_is_serving(listener), false);
    EQUAL(weft_listener_start_serving(listener), -EBADF);
    EQUAL(weft_listener_serve_forever(listener), -EBADF);
    EQUAL(weft_listener_port(listener), 0);
    EQUAL(weft_listener_sockname(listener, 0, &at), -ENOENT);
    EQUAL(weft_listener_clients(listener), 1);
    EQUAL(write(fd, "x", 1), 1);
    while (seen.count < 1) {
        weft_sleep(0);
    }
    weft_listener_free(listener);
    EQUAL(weft_listener_clients(listener), 0);
    EQUAL(weft_listener_close(listener), -ESRCH);
    close(fd);
    UNTIL(seen.lost, 1); /* also without its listener */
}

WEFT_ASYNC(awaits_closed, (weft_listener *, listener))
{
    return weft_listener_wait_closed(listener);
}

WEFT_ASYNC(serves, (weft_listener *, listener))
{
    return weft_listener_serve_forever(listener);
}

WATCHED(the_end_is_when_it_is_closed_and_the_last_client_has_left)
{
    for (int aborts = 0; aborts < 2; aborts++) {
        struct seen seen = { .quiet = true };
        weft_listener *listener = listen_here(&seen, NULL);
        weft_task *waits[3];
        int fd = connect_to_listener(listener);

        UNTIL(seen.made, 1);
        waits[0] = weft_create_task(awaits_closed(listener), NULL);
        waits[1] = weft_create_task(awaits_closed(listener), NULL);
        waits[2] = weft_create_task(serves(listener), NULL);
        weft_sleep(0.001);
        EQUAL(weft_task_cancel(waits[0]), 0);
        EQUAL(weft_await(waits[0]), -ECANCELED);
        EQUAL(weft_listener_is_serving(listener), true);
        EQUAL(weft_listener_close(listener), 0);
        weft_sleep(0.001);
        EQUAL(weft_task_done(waits[1]), false);
        EQUAL((aborts ? weft_listener_abort_clients : weft_listener_close_clients)(listener), 1);
        EQUAL(weft_await(waits[1]), 0);
        EQUAL(weft_await(waits[2]), 0);
        EQUAL(seen.lost, 1);
        EQUAL(weft_listener_wait_closed(listener), 0);
        weft_listener_free(listener);
        close(fd);
    }
}

WATCHED(serving_ends_with_its_task_and_takes_all_along)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, &(weft_listener_options){ .stopped = true });
    weft_task *task;
    int fd = connect_to_listener(listener);

    weft_sleep(0.001);
    EQUAL(seen.made, 0); /* it waits in the backlog */
    EQUAL(weft_listener_is_serving(listener), false);
    task = weft_create_task(serves(listener), NULL);
    UNTIL(seen.made, 1);
    EQUAL(weft_listener_is_serving(listener), true);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(seen.lost, 1);
    EQUAL(weft_listener_is_serving(listener), false);
    weft_listener_free(listener);
    close(fd);
}

WATCHED(whoever_waits_for_one_that_is_freed_learns_it)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, NULL);
    weft_task *task = weft_create_task(awaits_closed(listener), NULL);
    int fd = connect_to_listener(listener);

    UNTIL(seen.made, 1);
    weft_listener_free(listener);
    EQUAL(weft_await(task), -EBADF);
    close(fd);
    UNTIL(seen.lost, 1);
}

WATCHED(no_more_clients_than_the_limit_are_accepted)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, &(weft_listener_options){ .max_clients = 1 });
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = connect_to_listener(listener);
    }
    for (int i = 0; i < 3; i++) {
        UNTIL(seen.made, i + 1);
        weft_sleep(0.001);
        EQUAL(seen.made, i + 1);
        EQUAL(weft_listener_clients(listener), 1);
        EQUAL(write(fds[i], "x", 1), 1); /* first come, first served */
        while (seen.count < (size_t)i + 1) {
            weft_sleep(0);
        }
        close(fds[i]);
        UNTIL(seen.lost, i + 1);
    }
    weft_listener_free(listener);
}

static int refuses(void *arg, void **ret_self)
{
    (void)ret_self;
    ++*(int *)arg;
    return -EACCES;
}

static const weft_protocol refusing = { .size = sizeof refusing, .factory = refuses };

WATCHED(a_factory_that_fails_closes_the_connection_and_is_reported)
{
    weft_listener *listener = NULL;
    char room[4];
    bool end = false;
    int asked = 0, fd;

    EQUAL(weft_loop_create_server(NULL, &refusing, &asked, "127.0.0.1", 0, NULL, &listener), 0);
    fd = connect_to_listener(listener);
    UNTIL(asked, 1);
    weft_sleep(0.001);
    EQUAL(next_report()->status, -EACCES);
    EQUAL(drink(fd, room, sizeof room, &end), 0);
    EQUAL(end, true);
    EQUAL(weft_listener_clients(listener), 0);
    weft_listener_free(listener);
    close(fd);
}

static weft_listener *to_free;

static int frees_listener(void *arg, void **ret_self)
{
    (void)ret_self;
    ++*(int *)arg;
    to_free = weft_listener_free(to_free);
    return 0;
}

static const weft_protocol freeing = { .size = sizeof freeing, .factory = frees_listener };

WATCHED(a_factory_may_free_its_listener)
{
    int asked = 0, fds[2];

    EQUAL(weft_loop_create_server(NULL, &freeing, &asked, "127.0.0.1", 0, NULL, &to_free), 0);
    fds[0] = connect_to_listener(to_free);
    fds[1] = connect_to_listener(to_free);
    UNTIL(asked, 1);
    weft_sleep(0.001);
    EQUAL(asked, 1);
    close(fds[0]);
    close(fds[1]);
    weft_sleep(0.001);
}

/* Nothing left to accept with. */

WATCHED(it_rests_when_there_is_no_descriptor_left)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, NULL);
    struct rlimit before, none;
    int fd = connect_to_listener(listener);
    double start = weft_loop_time(NULL);

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    for (int i = 0; i < 5000 && !reports_left(); i++) {
        weft_sleep(0.0001);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    EQUAL(next_report()->status, -EMFILE);
    EQUAL(seen.made, 0);
    for (int i = 0; i < 3000 && seen.made < 1; i++) { /* and goes on after a second */
        weft_sleep(0.001);
    }
    EQUAL(seen.made, 1);
    CHECK(weft_loop_time(NULL) - start > 0.999);
    EQUAL(reports_left(), 0); /* it did not try all the time */
    close(fd);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
}

/* Where it listens. */

WATCHED(all_interfaces_are_a_socket_for_each_family_at_one_port)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;
    weft_address at, to;
    int fds[2] = { -1, -1 };

    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, 0, NULL, &listener), 0);
    for (unsigned n = 0; weft_listener_sockname(listener, n, &at) == 0; n++) {
        EQUAL(weft_address_port(&at), weft_listener_port(listener));
        EQUAL(weft_address_parse(at.family == AF_INET ? "127.0.0.1" : "::1",
                                 weft_address_port(&at), &to),
              0);
        fds[n] = connect_to(&to);
        UNTIL(seen.made, (int)n + 1);
    }
    CHECK(fds[0] >= 0);
    close(fds[0]);
    close(fds[1]);
    UNTIL(seen.lost, fds[1] < 0 ? 1 : 2);
    weft_listener_free(listener);
}

WATCHED(an_address_in_use_is_an_error_with_words)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = listen_here(&seen, NULL), *second = NULL;
    int port = weft_listener_port(listener);
    char words[60];

    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", port, NULL, &second),
          -EADDRINUSE);
    snprintf(words, sizeof words, "cannot bind 127.0.0.1:%d", port);
    SAME(weft_error_detail(), words);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "192.0.2.77", 0, NULL, &second),
          -EADDRNOTAVAIL);
    CHECK(second == NULL);
    weft_listener_free(listener);
}

WEFT_ASYNC(listens_by_name_when_cancelled)
{
    weft_listener *made = NULL;
    int r;

    EQUAL(weft_task_cancel(weft_current_task()), 0);
    r = weft_loop_create_server(NULL, &noting, NULL, "localhost", 0, NULL, &made);
    CHECK(!made);
    return r;
}

WATCHED(a_name_is_not_looked_up_for_who_is_cancelled)
{
    EQUAL(weft_await(listens_by_name_when_cancelled()), -ECANCELED);
}

WATCHED(two_share_a_port_where_both_say_so)
{
    struct seen seen = { .quiet = true };
    weft_listener_options shared = { .reuse_port = true };
    weft_listener *first = listen_here(&seen, &shared), *second = NULL;

    EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", weft_listener_port(first),
                                  &shared, &second),
          0);
    EQUAL(weft_listener_port(first), weft_listener_port(second));
    weft_listener_free(first);
    weft_listener_free(second);
}

WATCHED(a_socket_that_is_bound_is_taken_over)
{
    struct seen seen = { .quiet = true };
    struct sockaddr_in at = { .sin_family = AF_INET };
    weft_listener *listener = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EQUAL(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    EQUAL(weft_loop_create_server_from_fd(NULL, &noting, &seen, fd, NULL, &listener), 0);
    client = connect_to_listener(listener);
    UNTIL(seen.made, 1);
    close(client);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
    EQUAL(fcntl(fd, F_GETFD), -1);
    EQUAL(weft_loop_create_server_from_fd(NULL, &noting, &seen, fd, NULL, &listener), -EBADF);
    EQUAL(weft_loop_create_server_from_fd(NULL, &noting, &seen, -1, NULL, &listener), -EBADF);
    EQUAL(weft_loop_create_server_from_fd(NULL, &noting, &seen, datagrams, NULL, &listener),
          -EPROTOTYPE);
    close(datagrams);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EQUAL(weft_loop_create_server_from_fd(NULL, &noting, &seen, fd, NULL, &listener),
          -EDESTADDRREQ);
    close(fd);
}

/* Unix sockets and their files. */

static bool is_there(const char *path)
{
    struct stat is;

    return lstat(path, &is) == 0;
}

WATCHED(a_unix_sockets_file_comes_and_goes_with_it)
{
    struct seen seen = { .quiet = true };
    weft_listener_options mode = { .mode = 0600 }, keep = { .keep_path = true };
    weft_listener *listener = NULL;
    char path[60];
    struct stat is;
    int client;

    snprintf(path, sizeof path, "/tmp/weft-listener-%d", (int)getpid());
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, path, &mode, &listener), 0);
    EQUAL(lstat(path, &is), 0);
    EQUAL(is.st_mode & 07777, 0600);
    EQUAL(weft_listener_port(listener), 0);
    client = connect_to_path(path);
    UNTIL(seen.made, 1);
    close(client);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
    EQUAL(is_there(path), false);
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, path, &keep, &listener), 0);
    weft_listener_free(listener);
    EQUAL(is_there(path), true);
    EQUAL(connect_to_path(path), -ECONNREFUSED);
    /* A socket that was left behind is in nobody's way. */
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, path, NULL, &listener), 0);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    weft_listener_free(listener);
    EQUAL(is_there(path), true); /* this is another file now */
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, path, NULL, &listener), -EADDRINUSE);
    unlink(path);
}

WATCHED(an_abstract_name_has_no_file)
{
    struct seen seen = { .quiet = true };
    weft_listener_options shared = { .reuse_port = true };
    weft_listener *listener = NULL;
    weft_address at;
    char name[60], long_name[120], text[WEFT_ADDRESS_TEXT];
    int client;

    snprintf(name, sizeof name, "@weft-listener-%d", (int)getpid());
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, name, NULL, &listener), 0);
    EQUAL(weft_listener_sockname(listener, 0, &at), 0);
    CHECK(weft_address_format(&at, text, sizeof text) > 0);
    SAME(text, name);
    client = connect_to_path(name);
    UNTIL(seen.made, 1);
    close(client);
    UNTIL(seen.lost, 1);
    weft_listener_free(listener);
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, long_name, NULL, &listener),
          -ENAMETOOLONG);
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, name, &shared, &listener), -EINVAL);
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, "", NULL, &listener), -EINVAL);
    EQUAL(weft_loop_create_unix_server(NULL, &noting, &seen, NULL, NULL, &listener), -EINVAL);
}

IN_TASK(bad_input_is_refused)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;

    EQUAL(weft_loop_create_server(NULL, NULL, &seen, NULL, 0, NULL, &listener), -EINVAL);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, 0, NULL, NULL), -EINVAL);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, 65536, NULL, &listener), -EINVAL);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, -1, NULL, &listener), -EINVAL);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, 0,
                                  &(weft_listener_options){ .backlog = -1 }, &listener),
          -EINVAL);
    EQUAL(weft_loop_create_server(NULL, &noting, &seen, NULL, 0,
                                  &(weft_listener_options){ .family = AF_UNIX }, &listener),
          -EINVAL);
    EQUAL(weft_listener_close(NULL), -EINVAL);
    CHECK(weft_listener_free(NULL) == NULL);
    if (!watches()) {
        EQUAL(weft_loop_create_server(NULL, &noting, &seen, "127.0.0.1", 0, NULL, &listener),
              -EOPNOTSUPP);
    }
    CHECK(listener == NULL);
}

static void free_later(void *unused)
{
    (void)unused;
    to_free = weft_listener_free(to_free);
}

ALONE(listeners_end_with_their_loop)
{
    struct seen seen = { .quiet = true };
    weft_listener *listener = NULL;
    int fd;

    if (!watches()) {
        return;
    }
    loop = open_loop();
    EQUAL(weft_loop_create_server(loop, &noting, &seen, "127.0.0.1", 0, NULL, &listener), 0);
    fd = connect_to_listener(listener);
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(seen.made, 1);
    EQUAL(weft_loop_create_server(loop, &noting, &seen, "127.0.0.1", 0, NULL, &to_free), 0);
    EQUAL(weft_loop_call_soon(loop, free_later, NULL, NULL), 0);
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(weft_loop_close(loop), 0);
    loop = NULL;
    EQUAL(seen.lost, 1);
    EQUAL(weft_listener_close(listener), -ESRCH);
    close(fd);
}

static CU_TestInfo tests[] = {
    TEST(each_connection_becomes_a_transport),
    TEST(a_closed_one_accepts_nobody_and_keeps_its_clients),
    TEST(the_end_is_when_it_is_closed_and_the_last_client_has_left),
    TEST(serving_ends_with_its_task_and_takes_all_along),
    TEST(whoever_waits_for_one_that_is_freed_learns_it),
    TEST(no_more_clients_than_the_limit_are_accepted),
    TEST(a_factory_that_fails_closes_the_connection_and_is_reported),
    TEST(a_factory_may_free_its_listener),
    TEST(it_rests_when_there_is_no_descriptor_left),
    TEST(all_interfaces_are_a_socket_for_each_family_at_one_port),
    TEST(an_address_in_use_is_an_error_with_words),
    TEST(a_name_is_not_looked_up_for_who_is_cancelled),
    TEST(two_share_a_port_where_both_say_so),
    TEST(a_socket_that_is_bound_is_taken_over),
    TEST(a_unix_sockets_file_comes_and_goes_with_it),
    TEST(an_abstract_name_has_no_file),
    TEST(bad_input_is_refused),
    TEST(listeners_end_with_their_loop),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(listener, tests)
