/* SPDX-License-Identifier: MIT
 * Groups 3 to 7: what is watched, what is reported, and when that ends. */
#include "tools/backend-test/kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#endif

#define BOTH (WEFT_READABLE | WEFT_WRITABLE)

/* Group 3. */

static void sockets(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    kit_put(fds[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    kit_take(fds[0]);
    CHECK(kit_quiet(0));
    EQUAL(kit_watch(1, fds[1], WEFT_WRITABLE), 0);
    EQUAL(kit_ready(1), WEFT_WRITABLE);
    EQUAL(kit_unwatch(0), 0);
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
}

static void both_directions_at_once(void)
{
    int fds[2];

    kit_pair(fds);
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], BOTH), 0);
    EQUAL(kit_ready(0), BOTH);
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

static void pipes(void)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_watch(1, fds[1], WEFT_WRITABLE), 0);
    EQUAL(kit_ready(1), WEFT_WRITABLE);
    CHECK(kit_quiet(0));
    kit_put(fds[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_pipe(void)
{
    int fds[2];
    char bytes[4096] = { 0 };

    kit_pair(fds);
    while (write(fds[1], bytes, sizeof bytes) > 0) {}
    EQUAL(kit_watch(1, fds[1], WEFT_WRITABLE), 0);
    CHECK(kit_quiet(1));
    for (int i = 0; i < 1000; i++) {
        kit_take(fds[0]);
    }
    EQUAL(kit_ready(1), WEFT_WRITABLE);
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
}

static void terminals(void)
{
    int ours = posix_openpt(O_RDWR | O_NOCTTY), theirs;

    if (ours < 0 || grantpt(ours) < 0 || unlockpt(ours) < 0) {
        kit_skip("no terminals here");
    }
    theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
    EQUAL(kit_watch(0, theirs, WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    kit_put(ours, "line\n");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    close(theirs);
    close(ours);
}

/* A listening socket of the loopback and its address; skips the case where there is none. */
static int listening(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, length) < 0 || listen(fd, 8) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &length) < 0) {
        kit_skip("no loopback network here");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void listeners(void)
{
    struct sockaddr_in address;
    int fd = listening(&address), client = socket(AF_INET, SOCK_STREAM, 0), served;

    EQUAL(kit_watch(0, fd, WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    fcntl(client, F_SETFL, O_NONBLOCK);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0 ||
          errno == EINPROGRESS);
    EQUAL(kit_watch(1, client, WEFT_WRITABLE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_ready(1), WEFT_WRITABLE); /* connected */
    served = accept(fd, NULL, NULL);
    CHECK(served >= 0);
    CHECK(kit_quiet(0));
    EQUAL(kit_unwatch(0), 0);
    EQUAL(kit_unwatch(1), 0);
    close(served);
    close(client);
    close(fd);
}

static void kernel_descriptors(void)
{
#if defined(__linux__)
    const struct itimerspec soon = { .it_value = { .tv_nsec = MS } };
    sigset_t mask;
    int event = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int signals, process = -1;
    pid_t child;

    EQUAL(kit_watch(0, event, WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    CHECK(eventfd_write(event, 1) == 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_watch(1, timer, WEFT_READABLE), 0);
    CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
    EQUAL(kit_ready(1), WEFT_READABLE);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signals = signalfd(-1, &mask, SFD_NONBLOCK);
    EQUAL(kit_watch(2, signals, WEFT_READABLE), 0);
    CHECK(kit_quiet(2));
    raise(SIGUSR2);
    EQUAL(kit_ready(2), WEFT_READABLE);
#if defined(SYS_pidfd_open)
    child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    process = (int)syscall(SYS_pidfd_open, child, 0);
    if (process >= 0) {
        EQUAL(kit_watch(3, process, WEFT_READABLE), 0);
        CHECK(kit_quiet(3));
        kill(child, SIGKILL);
        EQUAL(kit_ready(3) & WEFT_READABLE, WEFT_READABLE);
        EQUAL(kit_unwatch(3), 0);
        close(process);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
#endif
    for (int i = 0; i < 3; i++) {
        EQUAL(kit_unwatch(i), 0);
    }
    close(event);
    close(timer);
    close(signals);
#else
    kit_skip("this system has none");
#endif
}

static void masks_change(void)
{
    int fds[2];

    kit_pair(fds);
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], WEFT_WRITABLE), 0);
    EQUAL(kit_ready(0), WEFT_WRITABLE);
    EQUAL(kit_rewatch(0, WEFT_READABLE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_rewatch(0, 0), 0);
    CHECK(kit_quiet(0));
    EQUAL(kit_rewatch(0, BOTH), 0);
    EQUAL(kit_ready(0), BOTH);
    EQUAL(kit_rewatch(0, WEFT_READABLE | 1u << 30), -EINVAL);
    EQUAL(kit_ready(0), BOTH); /* nothing has changed */
    EQUAL(kit_unwatch(0), 0);
    EQUAL(kit_watch(1, fds[0], 1u << 30), -EINVAL);
    EQUAL(kit_watch(1, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
}

const struct kit_case kit_kinds[] = {
    { "sockets become readable and writable", sockets, KIT_OPEN | KIT_WATCH },
    { "both directions come in one report", both_directions_at_once, KIT_OPEN | KIT_WATCH },
    { "pipes", pipes, KIT_OPEN | KIT_WATCH },
    { "what is full is not writable", a_full_pipe, KIT_OPEN | KIT_WATCH },
    { "terminals", terminals, KIT_OPEN | KIT_WATCH },
    { "listening sockets, and connects", listeners, KIT_OPEN | KIT_WATCH },
    { "eventfd, timerfd, signalfd, pidfd", kernel_descriptors, KIT_OPEN | KIT_WATCH },
    { "what is asked for can be changed", masks_change, KIT_OPEN | KIT_WATCH },
    { 0 },
};

/* Group 4. */

static void states_are_repeated(void)
{
    int fds[2];

    kit_pair(fds);
    kit_put(fds[1], "four");
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    for (int i = 0; i < 4; i++) {
        char byte;

        EQUAL(kit_ready(0), WEFT_READABLE);
        CHECK(read(fds[0], &byte, 1) == 1);
    }
    CHECK(kit_quiet(0));
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

static void edges_come_once(void)
{
    int fds[2];

    kit_pair(fds);
    if (!(kit.ops->caps & WEFT_BACKEND_EDGE)) {
        EQUAL(kit_watch(0, fds[0], WEFT_READABLE | WEFT_EDGE), -EINVAL);
        close(fds[0]);
        close(fds[1]);
        return;
    }
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE | WEFT_EDGE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    CHECK(kit_quiet(0));
    kit_put(fds[1], "y");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_rewatch(0, WEFT_READABLE | WEFT_EDGE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE); /* a state that holds is told again */
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

static void hang_ups(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    close(fds[1]);
    CHECK(kit_ready(0) & (WEFT_READABLE | WEFT_HANGUP));
    CHECK(kit_ready(0) & (WEFT_READABLE | WEFT_HANGUP)); /* and stays so */
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
}

static void half_closes(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    CHECK(shutdown(fds[1], SHUT_WR) == 0);
    CHECK(kit_ready(0) & WEFT_READABLE);
    EQUAL(kit_rewatch(0, WEFT_WRITABLE), 0);
    EQUAL(kit_ready(0) & WEFT_WRITABLE, WEFT_WRITABLE); /* the other way is open */
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_reader_that_is_gone(void)
{
    int fds[2];

    CHECK(pipe(fds) == 0);
    close(fds[0]);
    EQUAL(kit_watch(0, fds[1], WEFT_WRITABLE), 0);
    CHECK(kit_ready(0) & (WEFT_WRITABLE | WEFT_ERROR)); /* the write tells what it is */
    EQUAL(kit_unwatch(0), 0);
    close(fds[1]);
}

static void resets(void)
{
    const struct linger now = { .l_onoff = 1 };
    struct sockaddr_in address;
    int fd = listening(&address), client = socket(AF_INET, SOCK_STREAM, 0), served;

    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    served = accept(fd, NULL, NULL);
    EQUAL(kit_watch(0, served, WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client);
    CHECK(kit_ready(0) & (WEFT_READABLE | WEFT_ERROR | WEFT_HANGUP));
    EQUAL(kit_unwatch(0), 0);
    close(served);
    close(fd);
}

static void urgent_data(void)
{
    struct sockaddr_in address;
    int fd = listening(&address), client = socket(AF_INET, SOCK_STREAM, 0), served, r;

    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    served = accept(fd, NULL, NULL);
    r = kit_watch(0, served, WEFT_PRIORITY);
    if (r == -EINVAL) {
        kit_skip("its library has no word for it"); /* which backend.h allows */
    }
    EQUAL(r, 0);
    CHECK(kit_quiet(0));
    CHECK(send(client, "!", 1, MSG_OOB) == 1);
    EQUAL(kit_ready(0) & WEFT_PRIORITY, WEFT_PRIORITY);
    EQUAL(kit_unwatch(0), 0);
    close(served);
    close(client);
    close(fd);
}

const struct kit_case kit_level[] = {
    { "what was not read is told again", states_are_repeated, KIT_OPEN | KIT_WATCH },
    { "edges come once, where they can be asked for", edges_come_once, KIT_OPEN | KIT_WATCH },
    { "a peer that closed is told, and stays told", hang_ups, KIT_OPEN | KIT_WATCH },
    { "a half close leaves the other half", half_closes, KIT_OPEN | KIT_WATCH },
    { "a pipe without reader wakes its writer", a_reader_that_is_gone, KIT_OPEN | KIT_WATCH },
    { "a reset is told", resets, KIT_OPEN | KIT_WATCH },
    { "urgent data", urgent_data, KIT_OPEN | KIT_WATCH },
    { 0 },
};

/* Group 5. */

static void is_ready_or_refused(int fd)
{
    int r;

    if (fd < 0) {
        return;
    }
    r = kit_watch(0, fd, BOTH);
    if (kit.ops->caps & WEFT_BACKEND_ANY_FD) {
        EQUAL(r, 0);
        EQUAL(kit_ready(0) & BOTH, BOTH);
    } else {
        CHECK(r == -EPERM || r == 0);
    }
    if (r == 0) {
        CHECK(kit_ready(0) & WEFT_READABLE);
        EQUAL(kit_unwatch(0), 0);
    }
    close(fd);
}

static void files(void)
{
    char path[] = "/tmp/weft-backend-test-XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    unlink(path);
    is_ready_or_refused(fd);
}

static void devices(void)
{
    is_ready_or_refused(open("/dev/null", O_RDWR));
}

static void directories(void)
{
    is_ready_or_refused(open("/", O_RDONLY | O_DIRECTORY));
}

static void what_is_not_open(void)
{
    int fd = dup(0);

    close(fd);
    EQUAL(kit_watch(0, fd, WEFT_READABLE), -EBADF);
    EQUAL(kit_watch(0, -1, WEFT_READABLE), -EBADF);
}

const struct kit_case kit_files[] = {
    { "a regular file is ready, or -EPERM", files, KIT_OPEN | KIT_WATCH },
    { "the null device is ready, or -EPERM", devices, KIT_OPEN | KIT_WATCH },
    { "a directory is ready, or -EPERM", directories, KIT_OPEN | KIT_WATCH },
    { "what is not open is -EBADF", what_is_not_open, KIT_OPEN | KIT_WATCH },
    { 0 },
};

/* Group 6. */

static void works_as(int wanted)
{
    int fds[2];

    kit_pair(fds);
    if (dup3(fds[0], wanted, O_CLOEXEC) < 0) {
        kit_skip("the limit is below that");
    }
    EQUAL(kit_watch(0, wanted, WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    kit_put(fds[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    if (wanted != 0) {
        close(wanted);
    }
    close(fds[0]);
    close(fds[1]);
}

static void number_zero(void)
{
    int saved = dup(0);

    works_as(0);
    dup2(saved, 0);
    close(saved);
}

static void beyond_select(void)
{
    works_as(1024);
    works_as(1500);
}

static void the_highest(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    works_as((int)limit.rlim_cur - 1);
}

static void ten_thousand(void)
{
    static int copies[10000];
    int fds[2], count = 0, number = 10000;
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)number + 100) {
        kit_skip("the limit is below that");
    }
    kit_pair(fds);
    for (; count < number; count++) {
        copies[count] = dup(fds[0]);
        if (copies[count] < 0 || !EQUAL(kit_watch(count, copies[count], WEFT_READABLE), 0)) {
            break;
        }
    }
    EQUAL(count, number);
    kit_put(fds[1], "x");
    EQUAL(kit_ready(number - 1), WEFT_READABLE); /* none starves */
    for (int i = 0; i < count; i++) {
        CHECK(kit_unwatch(i) == 0);
        close(copies[i]);
    }
    close(fds[0]);
    close(fds[1]);
}

const struct kit_case kit_numbers[] = {
    { "descriptor 0 is one like others", number_zero, KIT_OPEN | KIT_WATCH },
    { "so are those from 1024 on", beyond_select, KIT_OPEN | KIT_WATCH },
    { "so is the highest", the_highest, KIT_OPEN | KIT_WATCH },
    { "ten thousand are watched, and none starves", ten_thousand, KIT_OPEN | KIT_WATCH },
    { 0 },
};

/* Group 7. */

static void nothing_comes_after(void)
{
    int fds[2];

    kit_pair(fds);
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    CHECK(kit_quiet(0));
    EQUAL(kit_watch(1, fds[0], WEFT_READABLE), 0); /* and it may come back */
    EQUAL(kit_ready(1), WEFT_READABLE);
    CHECK(kit_quiet(0));
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
}

/* Of two that are ready, the one that is reported first takes the other away. */
static int taken, kept_reports;

static void take_other(uint64_t token, uint32_t ready)
{
    int number = (int)(token - TOKEN(0));

    (void)ready;
    if (taken < 0) {
        taken = 1 - number;
        EQUAL(kit_unwatch(taken), 0);
        EQUAL(kit_unwatch(number), 0); /* itself as well */
    } else {
        kept_reports++;
    }
}

static void within_a_report(void)
{
    weft_backend_event events[8];
    int fds[2];

    if (!kit.host) {
        kit_skip("a poller reports when it has returned");
    }
    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_WRITABLE), 0);
    EQUAL(kit_watch(1, fds[1], WEFT_WRITABLE), 0);
    taken = -1;
    kit.on_ready = take_other;
    for (int i = 0; i < 5 && taken < 0; i++) {
        kit_wait(kit_now() + 100 * MS, events, 8);
    }
    kit_wait(LOOK, events, 8);
    CHECK(taken >= 0);
    EQUAL(kept_reports, 0);
    kit.on_ready = NULL;
    close(fds[0]);
    close(fds[1]);
}

static void the_number_comes_back(void)
{
    int fds[2], others[2];

    kit_pair(fds);
    kit_put(fds[1], "x");
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    kit_pair(others);
    CHECK(dup2(others[0], fds[0]) == fds[0]); /* another file at its number */
    EQUAL(kit_watch(1, fds[0], WEFT_READABLE), 0);
    CHECK(kit_quiet(1));
    CHECK(kit_quiet(0));
    kit_put(others[1], "y");
    EQUAL(kit_ready(1), WEFT_READABLE);
    EQUAL(kit_unwatch(1), 0);
    close(fds[0]);
    close(fds[1]);
    close(others[0]);
    close(others[1]);
}

/* Against the rules, and still no harm to others. */
static void closed_before_unwatch(void)
{
    int fds[2], others[2];

    kit_pair(fds);
    kit_pair(others);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_watch(1, others[0], WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    close(fds[0]);
    EQUAL(kit_unwatch(0), 0);
    kit_put(others[1], "x");
    EQUAL(kit_ready(1), WEFT_READABLE);
    EQUAL(kit_unwatch(1), 0);
    close(fds[1]);
    close(others[0]);
    close(others[1]);
}

static void duplicates(void)
{
    int fds[2], copy;

    kit_pair(fds);
    copy = dup(fds[0]);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_watch(1, copy, WEFT_READABLE), 0);
    kit_put(fds[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    EQUAL(kit_ready(1), WEFT_READABLE);
    EQUAL(kit_unwatch(0), 0);
    close(fds[0]);
    CHECK(kit_quiet(0));
    EQUAL(kit_ready(1), WEFT_READABLE);
    EQUAL(kit_unwatch(1), 0);
    close(copy);
    close(fds[1]);
}

static void coming_and_going(void)
{
    int fds[8][2];

    for (int i = 0; i < 8; i++) {
        kit_pair(fds[i]);
        EQUAL(kit_watch(i, fds[i][0], WEFT_READABLE), 0);
    }
    for (int i = 0; i < 8; i += 2) {
        EQUAL(kit_unwatch(i), 0);
    }
    for (int i = 0; i < 8; i++) {
        kit_put(fds[i][1], "x");
    }
    for (int i = 0; i < 8; i++) {
        if (i % 2) {
            EQUAL(kit_ready(i), WEFT_READABLE);
            EQUAL(kit_unwatch(i), 0);
        } else {
            CHECK(kit_quiet(i));
        }
        close(fds[i][0]);
        close(fds[i][1]);
    }
}

const struct kit_case kit_unwatching[] = {
    { "nothing comes after unwatch", nothing_comes_after, KIT_OPEN | KIT_WATCH },
    { "within a report another and oneself can be unwatched", within_a_report,
      KIT_OPEN | KIT_WATCH },
    { "a number that comes back is another descriptor", the_number_comes_back,
      KIT_OPEN | KIT_WATCH },
    { "one that was closed before does no harm", closed_before_unwatch, KIT_OPEN | KIT_WATCH },
    { "duplicates are watched by themselves", duplicates, KIT_OPEN | KIT_WATCH },
    { "the others stay when some go", coming_and_going, KIT_OPEN | KIT_WATCH },
    { 0 },
};
