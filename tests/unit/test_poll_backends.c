/* SPDX-License-Identifier: MIT
 * Every built-in backend through its descriptor: what it is, and what its watches report. */
#include "tests/unit/test_poll.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MANY 1000

static void put(int fd)
{
    CHECK(write(fd, "x", 1) == 1);
}

static void take(int fd)
{
    char byte;
    CHECK(read(fd, &byte, 1) == 1);
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static bool well_named(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length >= 1 && length <= 32 && name[length] == '\0';
}

static void descriptors_are_well_formed(void)
{
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        ops = backend->ops;
        CHECK(backend->magic == WEFT_BACKEND_MAGIC);
        CHECK(backend->abi == WEFT_BACKEND_ABI);
        CHECK(backend->size == sizeof(weft_backend));
        CHECK(well_named(backend->name));
        CHECK(backend->summary[0] != '\0');
        CHECK(strchr(backend->summary, '\n') == NULL);
        CHECK(backend->needs[0] == '\0');
        CHECK(ops->size == sizeof(weft_backend_ops));
        CHECK(ops->watch_size <= sizeof(unit_watch));
        CHECK(ops->caps < WEFT_BACKEND_DIRECT);
        CHECK((ops->nest_fd != NULL) == ((ops->caps & WEFT_BACKEND_NEST) != 0));
        CHECK(ops->open && ops->close && ops->watch && ops->rewatch && ops->unwatch);
        CHECK(ops->wait && ops->wake && ops->fork_child);
        CHECK((ops->now != NULL) == ((ops->caps & WEFT_BACKEND_VIRTUAL) != 0));
    }
}

static void names_are_unique_and_the_first_one_is_real(void)
{
    CU_ASSERT((weft__backends_builtin[0]->ops->caps & WEFT_BACKEND_VIRTUAL) == 0);
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        for (int j = 0; j < i; j++) {
            const char *one = weft__backends_builtin[i]->name;
            const char *other = weft__backends_builtin[j]->name;
            CU_ASSERT_STRING_NOT_EQUAL(one, other);
        }
    }
}

static void probing_leaves_nothing_behind(void)
{
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        char why[100] = "";
        int before = open_descriptors();
        CHECK(backend->probe(why, sizeof(why)) == 0);
        CHECK(backend->probe(why, sizeof(why)) == 0);
        CHECK(why[0] == '\0');
        CHECK(open_descriptors() == before);
    }
}

static void unknown_options_are_refused_in_words(void)
{
    for (int i = 0; weft__backends_builtin[i] != NULL; i++) {
        backend = weft__backends_builtin[i];
        void *untouched = NULL;
        last_detail[0] = '\0';
        CHECK(open_with("flavour=7", &untouched) == -EINVAL);
        CHECK(untouched == NULL);
        CHECK(strstr(last_detail, "flavour=7") != NULL);
        CHECK(strstr(last_detail, backend->name) != NULL);
        CHECK(live_blocks == 0);
    }
}

ON_EACH_REAL(reads_and_writes_become_ready)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    CHECK(ready_now(1) == 0);
    put(fds[1]);
    CHECK(ready_now(1) == WEFT_READABLE);
    take(fds[0]);
    CHECK(ready_now(1) == 0);
    CHECK(rewatch(1, WEFT_WRITABLE) == 0);
    CHECK(ready_now(1) == WEFT_WRITABLE);
    put(fds[1]);
    CHECK(rewatch(1, WEFT_READABLE | WEFT_WRITABLE) == 0);
    CHECK(ready_now(1) == (WEFT_READABLE | WEFT_WRITABLE));
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

ON_EACH_REAL(hang_up_and_error_come_unasked)
{
    int quiet[2], deaf[2];
    CHECK(pipe(quiet) == 0);
    CHECK(pipe(deaf) == 0);
    CHECK(watch(1, quiet[0], 0) == 0);
    CHECK(watch(2, deaf[1], WEFT_WRITABLE) == 0);
    CHECK(ready_now(1) == 0);
    CHECK(ready_now(2) == WEFT_WRITABLE);
    close(quiet[1]);
    close(deaf[0]);
    CHECK(ready_now(1) == WEFT_HANGUP);
    CHECK(ready_now(2) & WEFT_ERROR);
    CHECK(unwatch(1) == 0);
    CHECK(unwatch(2) == 0);
    close(quiet[0]);
    close(deaf[1]);
}

ON_EACH_REAL(the_end_of_a_stream_is_told_beside_its_last_data)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    put(fds[1]);
    CHECK(shutdown(fds[1], SHUT_WR) == 0);
    uint32_t ready = ready_now(1);
    CHECK(ready & WEFT_READABLE);
    CHECK((ready & WEFT_HANGUP) == 0);
#if defined(__linux__)
    CHECK(ready & WEFT_READ_CLOSED);
#endif
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

/* A connected pair over loopback, for urgent data; false where there is no loopback. */
static bool tcp_pair(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0) {
        close(listener);
        return false;
    }
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fds[1], (struct sockaddr *)&address, size) == 0);
    fds[0] = accept(listener, NULL, NULL);
    CHECK(fds[0] >= 0);
    close(listener);
    return true;
}

ON_EACH_REAL(urgent_data_is_priority)
{
    int fds[2];
    uint32_t ready = 0;
    if (!tcp_pair(fds)) {
        return;
    }
    CHECK(watch(1, fds[0], WEFT_PRIORITY) == 0);
    CHECK(send(fds[1], "!", 1, MSG_OOB) == 1);
    CHECK(next_event(&ready) == 1);
    CHECK(ready == WEFT_PRIORITY);
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

ON_EACH_REAL(a_level_repeats_until_it_is_gone)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    put(fds[1]);
    for (int i = 0; i < 3; i++) {
        CHECK(ready_now(1) == WEFT_READABLE);
    }
    take(fds[0]);
    CHECK(ready_now(1) == 0);
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

ON_EACH_REAL(an_edge_comes_once_and_again_when_asked_anew)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    if ((ops->caps & WEFT_BACKEND_EDGE) == 0) {
        CHECK(watch(1, fds[0], WEFT_READABLE | WEFT_EDGE) == -EINVAL);
        close_both(fds);
        return;
    }
    put(fds[1]);
    CHECK(watch(1, fds[0], WEFT_READABLE | WEFT_EDGE) == 0);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(ready_now(1) == 0);
    take(fds[0]);
    put(fds[1]);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(ready_now(1) == 0);
    CHECK(rewatch(1, WEFT_READABLE | WEFT_EDGE) == 0);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(ready_now(1) == 0);
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

ON_EACH_REAL(bits_that_cannot_be_asked_for_are_refused)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE | 1u << 20) == -EINVAL);
    CHECK(watch(1, fds[0], WEFT_READABLE | WEFT_HANGUP) == -EINVAL);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    CHECK(rewatch(1, WEFT_WRITABLE | 1u << 20) == -EINVAL);
    put(fds[1]);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(unwatch(1) == 0);
    close_both(fds);
}

ON_EACH_REAL(an_unwatched_descriptor_is_silent_and_the_others_are_not)
{
    enum { COUNT = 40 };
    int fds[COUNT][2];
    for (int i = 0; i < COUNT; i++) {
        CHECK(pipe(fds[i]) == 0);
        CHECK(watch(i, fds[i][0], WEFT_READABLE) == 0);
        put(fds[i][1]);
    }
    /* 7 * i goes through all of them, so from the middle, the end and the front alike. */
    for (int i = 0; i < COUNT; i++) {
        CHECK(unwatch(7 * i % COUNT) == 0);
        for (int j = 0; j < COUNT; j++) {
            CHECK(ready_now(7 * j % COUNT) == (j > i ? WEFT_READABLE : 0));
        }
    }
    for (int i = 0; i < COUNT; i++) {
        close_both(fds[i]);
    }
}

/* Counts events over `rounds` waits of at most `max`; each of `count` watches has come `least`
 * times. */
static void expect_fair(int count, int rounds, int max, int least)
{
    int seen[MANY] = { 0 };
    weft_backend_event events[64];
    for (int i = 0; i < rounds; i++) {
        int n = ops->wait(be, LOOK, events, max);
        CHECK(n > 0 && n <= max);
        for (int j = 0; j < n; j++) {
            uint64_t number = events[j].token - TOKEN(0);
            if (CHECK(number < (uint64_t)count)) {
                seen[number]++;
            }
        }
    }
    int fewest = rounds;
    for (int i = 0; i < count; i++) {
        fewest = seen[i] < fewest ? seen[i] : fewest;
    }
    CHECK(fewest >= least);
}

ON_EACH_REAL(none_starves_when_more_are_ready_than_fit)
{
    enum { COUNT = 10 };
    int fds[COUNT][2];
    for (int i = 0; i < COUNT; i++) {
        CHECK(pipe(fds[i]) == 0);
        CHECK(watch(i, fds[i][0], WEFT_READABLE) == 0);
        put(fds[i][1]);
    }
    expect_fair(COUNT, 10, 3, 3);
    expect_fair(COUNT, 20, 1, 2);
    for (int i = 0; i < COUNT; i++) {
        CHECK(unwatch(i) == 0);
        close_both(fds[i]);
    }
}

ON_EACH_REAL(a_thousand_descriptors_are_all_reported)
{
    int fds[2], copies[MANY];
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max; /* 1,024 would just do, were nothing else open */
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(pipe(fds) == 0);
    for (int i = 0; i < MANY; i++) {
        copies[i] = dup(fds[0]);
        CHECK(watch(i, copies[i], WEFT_READABLE) == 0);
    }
    CHECK(ready_now(0) == 0);
    put(fds[1]);
    expect_fair(MANY, MANY / 64 + 1, 64, 1);
    for (int i = 0; i < MANY; i++) {
        CHECK(unwatch(i) == 0);
        close(copies[i]);
    }
    CHECK(ready_now(0) == 0);
    close_both(fds);
}

ON_EACH_REAL(a_regular_file_is_ready_or_refused)
{
    FILE *file = tmpfile();
    if (!CHECK(file != NULL)) {
        return;
    }
    int r = watch(1, fileno(file), WEFT_READABLE | WEFT_WRITABLE);
    if (ops->caps & WEFT_BACKEND_ANY_FD) {
        CHECK(r == 0);
        CHECK(ready_now(1) == (WEFT_READABLE | WEFT_WRITABLE));
        CHECK(unwatch(1) == 0);
    } else {
        CHECK(r == -EPERM);
    }
    fclose(file);
}

ON_EACH_REAL(a_number_that_is_no_descriptor_is_refused)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    CHECK(watch(1, fd, WEFT_READABLE) == -EBADF);
    CHECK(watch(1, -1, WEFT_READABLE) == -EBADF);
    CHECK(ready_now(1) == 0);
}

/* What the core never does, but a careless user may: close what is watched. */
ON_EACH_REAL(a_watch_can_be_ended_after_its_descriptor_was_closed)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    close(fds[0]);
    CHECK(unwatch(1) == 0);
    CHECK(ready_now(1) == 0);

    /* The same, with the number gone to a file that epoll would not take at all. */
    fds[0] = dup(fds[1]);
    CHECK(watch(1, fds[0], WEFT_WRITABLE) == 0);
    FILE *file = tmpfile();
    CHECK(dup2(fileno(file), fds[0]) == fds[0]);
    CHECK(unwatch(1) == 0);
    fclose(file);
    close_both(fds);
}

ON_EACH_REAL(a_closed_descriptor_is_an_error_where_the_system_tells)
{
    int fds[2];
    weft_backend_event event = { 0 };
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    close_both(fds);
    int n = ops->wait(be, LOOK, &event, 1);
    CHECK(n == 0 || (n == 1 && event.ready == WEFT_ERROR && event.error == -EBADF));
    CHECK(unwatch(1) == 0);
}

/* epoll goes by open file and number: a duplicate keeps the file open, so the registration of the
 * closed number lives, and is in the way when the same file comes back to it. */
ON_EACH_REAL(a_descriptor_closed_while_watched_can_be_watched_again)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    int copy = dup(fds[0]);
    close(fds[0]);
    CHECK(dup2(copy, fds[0]) == fds[0]);
    CHECK(watch(2, fds[0], WEFT_READABLE) == 0);
    put(fds[1]);
    CHECK(ready_now(2) == WEFT_READABLE);
    CHECK(unwatch(2) == 0);
    CHECK(unwatch(1) == 0);
    CHECK(ready_now(1) == 0);
    close(copy);
    close_both(fds);
}

ON_EACH_REAL(a_number_that_another_file_took_can_be_asked_about_anew)
{
    int before[2], after[2];
    CHECK(pipe(before) == 0);
    CHECK(pipe(after) == 0);
    CHECK(watch(1, before[0], WEFT_READABLE) == 0);
    CHECK(dup2(after[0], before[0]) == before[0]);
    CHECK(rewatch(1, WEFT_READABLE) == 0);
    put(after[1]);
    CHECK(ready_now(1) == WEFT_READABLE);
    CHECK(unwatch(1) == 0);
    close_both(before);
    close_both(after);
}

ON_EACH_REAL(closing_forgets_watches_that_are_left)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(watch(1, fds[0], WEFT_READABLE) == 0);
    CHECK(watch(2, fds[1], WEFT_WRITABLE) == 0);
    for (int i = 0; i < 100; i++) {
        void *other = NULL;
        unit_watch twice = { { 0 } };
        CHECK(open_with("", &other) == 0);
        CHECK(ops->watch(other, &twice, fds[0], WEFT_READABLE, TOKEN(3)) == 0);
        ops->close(other);
    }
    CHECK(ready_now(2) == WEFT_WRITABLE);
    close_both(fds);
}

ON_EACH_REAL(no_descriptor_goes_to_other_programs)
{
    enum { LIMIT = 256 };
    bool before[LIMIT];
    void *other = NULL;
    int own = 0, inherited = 0;
    for (int fd = 0; fd < LIMIT; fd++) {
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    }
    CHECK(open_with("", &other) == 0);
    for (int fd = 0; fd < LIMIT; fd++) {
        int flags = fcntl(fd, F_GETFD);
        own += flags >= 0 && !before[fd];
        inherited += flags >= 0 && !before[fd] && (flags & FD_CLOEXEC) == 0;
    }
    CHECK(own > 0);
    CHECK(inherited == 0);
    ops->close(other);
}

#define TEST(name) { #name, name }

static CU_TestInfo tests[] = {
    TEST(descriptors_are_well_formed),
    TEST(names_are_unique_and_the_first_one_is_real),
    TEST(probing_leaves_nothing_behind),
    TEST(unknown_options_are_refused_in_words),
    TEST(reads_and_writes_become_ready),
    TEST(hang_up_and_error_come_unasked),
    TEST(the_end_of_a_stream_is_told_beside_its_last_data),
    TEST(urgent_data_is_priority),
    TEST(a_level_repeats_until_it_is_gone),
    TEST(an_edge_comes_once_and_again_when_asked_anew),
    TEST(bits_that_cannot_be_asked_for_are_refused),
    TEST(an_unwatched_descriptor_is_silent_and_the_others_are_not),
    TEST(none_starves_when_more_are_ready_than_fit),
    TEST(a_thousand_descriptors_are_all_reported),
    TEST(a_regular_file_is_ready_or_refused),
    TEST(a_number_that_is_no_descriptor_is_refused),
    TEST(a_watch_can_be_ended_after_its_descriptor_was_closed),
    TEST(a_closed_descriptor_is_an_error_where_the_system_tells),
    TEST(a_descriptor_closed_while_watched_can_be_watched_again),
    TEST(a_number_that_another_file_took_can_be_asked_about_anew),
    TEST(closing_forgets_watches_that_are_left),
    TEST(no_descriptor_goes_to_other_programs),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(poll_backends, tests)
